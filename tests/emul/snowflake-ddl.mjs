// CREATE, ALTER, DROP, GRANT and their like. Each handler reads its statement to the end: what is not known is a
// syntax error, as it is in Snowflake.

import { randomUUID } from 'node:crypto';
import { makeUser, publicKey } from './snowflake-auth.mjs';
import { KINDS, forbidden, missing, title } from './snowflake-catalog.mjs';
import { duckTable, status } from './snowflake-engine.mjs';
import { refreshPipe } from './snowflake-load.mjs';
import { SqlError, blockOf, duckName, nameOf, quote, readerOf, shown, snowName, statements } from './snowflake-text.mjs';
import { columnOf, readType, typeOf } from './snowflake-types.mjs';

const done = () => status('Statement executed successfully.');
const BIG = ['DATABASE', 'SCHEMA', 'WAREHOUSE', 'ROLE', 'USER'];

// KEY = value ..., in any order; a parenthesis with keys inside is an object.
export function readOptions(reader, known = null) {
	const options = {};
	while (reader.next?.kind === 'word' && reader.tokens[reader.at + 1]?.text === '=') {
		const key = reader.word();
		if (known && !known.includes(key)) {
			reader.at--;
			throw reader.unexpected();
		}
		reader.expect('=');
		options[key] = optionValue(reader);
		reader.take(',');
	}
	return options;
}
function optionValue(reader) {
	if (reader.is('(') && reader.tokens[reader.at + 2]?.text === '=') {
		reader.expect('(');
		const inner = readOptions(reader);
		reader.expect(')');
		return inner;
	}
	return reader.value();
}
function commentOf(options) {
	return options.COMMENT ?? '';
}
// COMMENT = 'x' anywhere else than among options
function takeComment(reader) {
	if (!reader.take('COMMENT'))
		return null;
	reader.take('=');
	return reader.string();
}
const kindAhead = reader => {
	for (const words of [['DYNAMIC', 'TABLE'], ['FILE', 'FORMAT'], ['MASKING', 'POLICY'], ['ROW', 'ACCESS', 'POLICY'], ['STORAGE', 'INTEGRATION'], ['NOTIFICATION', 'INTEGRATION'], ['NETWORK', 'POLICY']])
		if (reader.take(...words))
			return words[0] === 'STORAGE' || words[0] === 'NOTIFICATION' ? 'INTEGRATION' : words.join(' ');
	return reader.word();
};

// ---- CREATE
async function create(engine, session, reader, statement) {
	reader.expect('CREATE');
	const replace = reader.take('OR', 'REPLACE'), alter = !replace && reader.take('OR', 'ALTER');
	let transient = false, secure = false;
	for (;;)
		if (reader.take('TRANSIENT') || reader.take('TEMPORARY') || reader.take('TEMP'))
			transient = true;
		else if (reader.take('SECURE'))
			secure = true;
		else
			break;
	const storage = reader.is('STORAGE', 'INTEGRATION');
	const kind = kindAhead(reader), maker = MAKERS[kind];
	if (!maker || alter) {
		reader.at--;
		throw reader.unexpected();
	}
	let ifNotExists = reader.take('IF', 'NOT', 'EXISTS');
	const parts = reader.name();
	ifNotExists ||= reader.take('IF', 'NOT', 'EXISTS');
	if (replace && ifNotExists)
		throw new SqlError('001422', '42601', 'SQL compilation error:\nOptions IF NOT EXISTS and OR REPLACE are incompatible.');
	const make = more => engine.catalog.make(session, kind, parts, more, { replace, ifNotExists });
	return maker(engine, session, reader, { kind, parts, make, replace, transient, secure, storage, statement });
}
const created = ({ object, made }, what = title(object.kind)) => status(made ? `${what} ${shown(object.name)} successfully created.`
	: `${shown(object.name)} already exists, statement succeeded.`);

async function readColumns(engine, session, reader) {
	const columns = [], constraints = [];
	reader.expect('(');
	do {
		if (reader.is('CONSTRAINT') || reader.is('PRIMARY') || reader.is('UNIQUE') || reader.is('FOREIGN')) {
			if (reader.take('CONSTRAINT'))
				reader.part();
			reader.word();
			reader.take('KEY');
			constraints.push(reader.value());
			continue;
		}
		columns.push(await readColumn(engine, session, reader));
	} while (reader.take(','));
	reader.expect(')');
	return columns;
}
async function readColumn(engine, session, reader) {
	const column = { name: reader.part(), type: readType(reader), nullable: true, fallback: null, comment: null, policy: null };
	for (;;) {
		if (reader.take('NOT', 'NULL')) {
			column.nullable = false;
		} else if (reader.take('NULL')) {
			column.nullable = true;
		} else if (reader.take('DEFAULT')) {
			const from = reader.at;
			while (!reader.done && !reader.is(',') && !reader.is(')') && !reader.is('NOT', 'NULL') && !reader.is('COMMENT'))
				reader.is('(') ? reader.parens() : reader.at++;
			column.fallback = reader.sql.slice(reader.tokens[from].start, reader.tokens[reader.at - 1].end);
			column.fallbackDuck = (await engine.rewritten(session, statements(`SELECT ${column.fallback}`)[0])).replace(/^SELECT /, '');
		} else if (reader.is('COMMENT')) {
			column.comment = takeComment(reader);
		} else if (reader.take('PRIMARY', 'KEY') || reader.take('UNIQUE') || reader.take('AUTOINCREMENT') || reader.take('IDENTITY')) {
			if (reader.is('('))
				reader.parens();
		} else if (reader.take('COLLATE')) {
			reader.string();
		} else if (reader.take('WITH', 'MASKING', 'POLICY') || reader.take('MASKING', 'POLICY')) {
			column.policy = engine.catalog.find(session, 'MASKING POLICY', reader.name());
		} else {
			return column;
		}
	}
}
const columnSql = c => `${quote(duckName(c.name))} ${c.type.duck}${c.nullable ? '' : ' NOT NULL'}${c.fallbackDuck ? ` DEFAULT ${c.fallbackDuck}` : ''}`;

// CLUSTER BY and the options of tables, in any order
function tableOptions(reader, until = []) {
	const options = {};
	while (!reader.done && !until.some(word => reader.is(word)))
		if (reader.take('CLUSTER', 'BY'))
			options.CLUSTER_BY = reader.parens();
		else if (reader.take('COPY', 'GRANTS'))
			options.COPY_GRANTS = true;
		else if (reader.is('COMMENT') || reader.tokens[reader.at + 1]?.text === '=')
			reader.is('COMMENT') ? (options.COMMENT = takeComment(reader)) : Object.assign(options, readOptions(reader));
		else
			throw reader.unexpected();
	return options;
}
const TABLE_OPTIONS = ['DATA_RETENTION_TIME_IN_DAYS', 'MAX_DATA_EXTENSION_TIME_IN_DAYS', 'CHANGE_TRACKING', 'ENABLE_SCHEMA_EVOLUTION', 'DEFAULT_DDL_COLLATION', 'CLUSTER_BY', 'COMMENT',
	'COPY_GRANTS', 'ERROR_LOGGING', 'STAGE_FILE_FORMAT', 'STAGE_COPY_OPTIONS'];
function only(reader, options, known) {
	for (const key of Object.keys(options))
		if (!known.includes(key))
			throw new SqlError('001420', '22023', `SQL compilation error:\ninvalid property '${key}'`);
}

async function describeQuery(engine, session, duckSql) {
	const { columns } = await engine.rows(session, `SELECT * FROM (${duckSql}) LIMIT 0`);
	return columns.map(([name, type]) => {
		const c = columnOf(snowName(name), type);
		const of = { fixed: ['NUMBER', [c.precision, c.scale]], real: ['FLOAT'], text: ['VARCHAR'], boolean: ['BOOLEAN'], date: ['DATE'], time: ['TIME'], timestamp_ntz: ['TIMESTAMP_NTZ'],
			timestamp_ltz: ['TIMESTAMP_LTZ'], variant: ['VARIANT'], binary: ['BINARY'] }[c.type];
		return { name: c.name, type: typeOf(...of), nullable: true, fallback: null, comment: null, policy: null };
	});
}

async function createTable(engine, session, reader, { make, replace, transient, parts }) {
	let columns = null, clone = null;
	if (reader.is('('))
		columns = await readColumns(engine, session, reader);
	else if (reader.take('LIKE') || reader.take('CLONE'))
		clone = engine.catalog.find(session, 'TABLE', reader.name());
	const options = tableOptions(reader, ['AS']);
	only(reader, options, TABLE_OPTIONS);
	let query = null;
	if (reader.take('AS')) {
		query = await engine.rewritten(session, reader.restTokens(), null, true);
		const found = await describeQuery(engine, session, query);
		columns = columns?.length ? columns : found;
	} else if (clone) {
		columns = clone.columns.map(c => ({ ...c }));
	}
	if (!columns)
		throw reader.unexpected();
	const names = new Set(columns.map(c => c.name));
	if (names.size !== columns.length)
		throw new SqlError('002025', '42S21', `SQL compilation error:\nduplicate column name '${columns.find((c, i) => columns.findIndex(o => o.name === c.name) !== i).name}'`);
	const old = engine.catalog.peek(session.account, 'TABLE', engine.catalog.path(session, parts, 'TABLE'));
	const result = make({ columns, clusterBy: options.CLUSTER_BY ?? null, comment: commentOf(options), retention: options.DATA_RETENTION_TIME_IN_DAYS ?? 1, transient,
		changeTracking: options.CHANGE_TRACKING ?? false, loaded: new Map(), history: [] });
	if (result.made) {
		const where = duckTable(result.object.duck);
		if (old)
			await drop(session, old);
		await engine.rows(session, `CREATE TABLE ${where} (${columns.map(columnSql).join(', ')})`);
		if (query)
			await engine.rows(session, `INSERT INTO ${where} ${query}`);
	}
	return created(result, 'Table');
}
const drop = (session, object) => object.kind === 'VIEW' ? session.connection.run(`DROP VIEW IF EXISTS ${duckTable(object.duck)}`)
	: session.connection.run(`DROP TABLE IF EXISTS ${duckTable(object.duck)}`);

async function createView(engine, session, reader, { make, secure, parts, statement }) {
	let names = null;
	if (reader.is('(')) {
		names = [];
		reader.expect('(');
		do {
			names.push({ name: reader.part(), comment: takeComment(reader) });
		} while (reader.take(','));
		reader.expect(')');
	}
	const copyGrants = reader.take('COPY', 'GRANTS');
	const options = tableOptions(reader, ['AS']);
	only(reader, options, ['COMMENT', 'COPY_GRANTS', 'CHANGE_TRACKING']);
	reader.expect('AS');
	const query = await engine.rewritten(session, reader.restTokens(), null, true);
	const columns = await describeQuery(engine, session, query);
	names?.forEach(({ name, comment }, i) => Object.assign(columns[i], { name, comment }));
	const old = engine.catalog.peek(session.account, 'VIEW', engine.catalog.path(session, parts, 'VIEW'));
	const result = make({ columns, comment: commentOf(options), secure, text: statement.sql, sources: [...session.reads] });
	if (result.made) {
		if (old) {
			await drop(session, old);
			if (copyGrants || options.COPY_GRANTS)
				result.object.grants = old.grants;
		}
		await engine.rows(session, `CREATE VIEW ${duckTable(result.object.duck)} (${columns.map(c => quote(duckName(c.name))).join(', ')}) AS ${query}`);
	}
	return created(result, 'View');
}

const LAG = /^\s*(\d+)\s+(second|minute|hour|day)s?\s*$/i;
async function createDynamic(engine, session, reader, { make, parts, statement }) {
	let names = null;
	if (reader.is('(')) {
		names = reader.sql && await readNames(reader);
	}
	const options = tableOptions(reader, ['AS']);
	only(reader, options, ['TARGET_LAG', 'WAREHOUSE', 'REFRESH_MODE', 'INITIALIZE', 'CLUSTER_BY', 'COMMENT', 'COPY_GRANTS', 'DATA_RETENTION_TIME_IN_DAYS', 'MAX_DATA_EXTENSION_TIME_IN_DAYS']);
	checkLag(options.TARGET_LAG);
	if (!options.WAREHOUSE)
		throw new SqlError('002006', '42601', 'SQL compilation error:\nMissing option(s): [WAREHOUSE]');
	const warehouse = nameOf(String(options.WAREHOUSE))[0];
	engine.catalog.find(session, 'WAREHOUSE', [warehouse]);
	reader.expect('AS');
	const body = reader.restTokens(), query = await engine.rewritten(session, body, null, true), sources = [...session.reads];
	const columns = await describeQuery(engine, session, query);
	names?.forEach((name, i) => columns[i].name = name);
	const old = engine.catalog.peek(session.account, 'TABLE', engine.catalog.path(session, parts, 'TABLE'));
	const result = make({ columns, comment: commentOf(options), lag: options.TARGET_LAG, warehouse, refreshMode: options.REFRESH_MODE ?? 'AUTO', initialize: options.INITIALIZE ?? 'ON_CREATE',
		clusterBy: options.CLUSTER_BY ?? null, text: statement.sql, body, sources, state: 'ACTIVE', refreshed: null, refreshes: 0, retention: options.DATA_RETENTION_TIME_IN_DAYS ?? 1, role: session.role });
	if (result.made) {
		if (old)
			await drop(session, old);
		await engine.rows(session, `CREATE TABLE ${duckTable(result.object.duck)} (${columns.map(columnSql).join(', ')})`);
		if (result.object.initialize !== 'ON_SCHEDULE')
			await refresh(engine, session, result.object, query);
	}
	return created(result, 'Dynamic table');
}
function checkLag(lag) {
	const m = LAG.exec(lag ?? '');
	if (String(lag).toUpperCase() === 'DOWNSTREAM')
		return;
	if (!m)
		throw new SqlError('002006', '42601', lag === undefined ? 'SQL compilation error:\nMissing option(s): [TARGET_LAG]' : `SQL compilation error:\nInvalid value '${lag}' for TARGET_LAG.`);
	if (Number(m[1]) * { second: 1, minute: 60, hour: 3600, day: 86400 }[m[2].toLowerCase()] < 60)
		throw new SqlError('002006', '42601', 'SQL compilation error:\nTarget lag must be at least 60 seconds.');
}
async function readNames(reader) {
	const names = [];
	reader.expect('(');
	do
		names.push(reader.part());
	while (reader.take(','));
	reader.expect(')');
	return names;
}
// Brings a dynamic table up to date, those that it reads first.
export async function refresh(engine, session, object, query = null) {
	for (const source of object.sources)
		if (source.kind === 'DYNAMIC TABLE')
			await refresh(engine, session, source);
	const sql = object.query ??= query ?? await engine.rewritten({ ...session, role: object.role, reads: [], writes: [] }, object.body, null, true);
	const where = duckTable(object.duck);
	await engine.rows(session, 'BEGIN TRANSACTION');
	try {
		await engine.rows(session, `DELETE FROM ${where}`);
		const { changed } = await engine.rows(session, `INSERT INTO ${where} ${sql}`);
		await engine.rows(session, 'COMMIT');
		object.refreshed = engine.world.now();
		object.refreshes++;
		return changed;
	} catch (error) {
		await session.connection.run('ROLLBACK').catch(() => {});
		throw error;
	}
}

const MAKERS = {
	DATABASE(engine, session, reader, { kind, parts, make, replace, transient }) {
		const options = readOptions(reader);
		reader.end();
		const result = make({ schemas: new Map(), comment: commentOf(options), retention: options.DATA_RETENTION_TIME_IN_DAYS ?? 1, transient, future: [] });
		if (!result.made)
			return created(result);
		return (async () => {
			const name = result.object.duck[0];
			if (result.old)
				await session.connection.run(`DETACH ${quote(name)}`);
			await session.connection.run(`ATTACH ':memory:' AS ${quote(name)}`);
			const inside = { ...session, database: parts[0] };
			await MAKERS.SCHEMA(engine, inside, readerOf(''), { make: more => engine.catalog.make(inside, 'SCHEMA', [parts[0], 'PUBLIC'], more) });
			session.database = parts[0];
			session.schema = 'PUBLIC';
			return created(result);
		})();
	},
	async SCHEMA(engine, session, reader, { make }) {
		const managed = reader.take('WITH', 'MANAGED', 'ACCESS'), options = readOptions(reader);
		reader.end();
		const result = make(engine.catalog.makeSchema({ comment: commentOf(options), retention: options.DATA_RETENTION_TIME_IN_DAYS ?? 1, managed }));
		if (result.made) {
			if (result.old)
				await session.connection.run(`DROP SCHEMA ${duckTable(result.object.duck)} CASCADE`);
			await session.connection.run(`CREATE SCHEMA ${duckTable(result.object.duck)}`);
			session.database = result.object.path[0];
			session.schema = result.object.name;
		}
		return created(result);
	},
	TABLE: createTable,
	VIEW: createView,
	'DYNAMIC TABLE': createDynamic,
	'FILE FORMAT'(engine, session, reader, { make }) {
		const options = readOptions(reader);
		reader.end();
		const { COMMENT: comment = '', ...format } = options;
		return created(make({ options: format, comment }), 'File format');
	},
	STAGE(engine, session, reader, { make }) {
		const options = readOptions(reader);
		reader.end();
		const { COMMENT: comment = '', URL: url = '', STORAGE_INTEGRATION: integration, FILE_FORMAT: format, ...more } = options;
		if (url && !/^s3:\/\/[^/]+(\/|$)/.test(url))
			throw new SqlError('001420', '22023', `SQL compilation error:\ninvalid URL prefix found in: '${url}'`);
		let name = null;
		if (integration !== undefined) {
			name = nameOf(String(integration))[0];
			const found = engine.catalog.find(session, 'INTEGRATION', [name], { privilege: 'USAGE' });
			if (!found.allowed.some(one => one === '*' || url.startsWith(one)))
				throw new SqlError('003167', '22023', `SQL compilation error:\nLocation '${url}' is not allowed by integration '${shown(name)}'. Please use DESC INTEGRATION to check out allowed and blocked locations.`);
		}
		return created(make({ url, integration: name, format: formatOf(engine, session, format), options: more, comment }), 'Stage area');
	},
	PIPE(engine, session, reader, { make, parts }) {
		const options = readOptions(reader, ['AUTO_INGEST', 'ERROR_INTEGRATION', 'AWS_SNS_TOPIC', 'INTEGRATION', 'COMMENT']);
		reader.expect('AS');
		const text = reader.sql.slice(reader.next?.start ?? 0), copy = readCopy(engine, session, reader, true);
		engine.catalog.demand(session, 'INSERT', copy.table);
		const result = make({ copy, text, auto: options.AUTO_INGEST === true, comment: commentOf(options), paused: false, queue: [], known: new Map(), history: [], events: [],
			channel: options.AUTO_INGEST === true ? `arn:aws:sqs:us-east-1:${'390000000000'}:sf-snowpipe-AIDA${session.account.locator}-${randomUUID().slice(0, 8)}` : null });
		return created(result);
	},
	STREAM(engine, session, reader, { make }) {
		const copyGrants = reader.take('COPY', 'GRANTS');
		reader.expect('ON');
		reader.word();
		const source = engine.catalog.find(session, 'TABLE', reader.name(), { privilege: 'SELECT' });
		const options = readOptions(reader, ['APPEND_ONLY', 'SHOW_INITIAL_ROWS', 'INSERT_ONLY', 'COMMENT']);
		reader.end();
		return (async () => {
			const offset = options.SHOW_INITIAL_ROWS === true ? 0 : await engine.end(session, source);
			return created(make({ source, appendOnly: options.APPEND_ONLY === true, offset, comment: commentOf(options), copyGrants, columns: source.columns }), 'Stream');
		})();
	},
	TASK(engine, session, reader, { make }) {
		const options = {};
		for (;;) {
			if (reader.take('AFTER')) {
				options.AFTER = [reader.name()];
				while (reader.take(','))
					options.AFTER.push(reader.name());
			} else if (reader.take('WHEN')) {
				const from = reader.next.start;
				while (!reader.done && !reader.is('AS'))
					reader.is('(') ? reader.parens() : reader.at++;
				options.WHEN = reader.sql.slice(from, reader.tokens[reader.at - 1].end);
			} else if (reader.is('COMMENT') || reader.tokens[reader.at + 1]?.text === '=') {
				Object.assign(options, readOptions(reader));
			} else {
				break;
			}
		}
		reader.expect('AS');
		const body = reader.restTokens();
		if (!body.tokens.length)
			throw reader.unexpected();
		return created(make({ state: 'suspended', schedule: options.SCHEDULE ?? null, warehouse: options.WAREHOUSE === undefined ? null : nameOf(String(options.WAREHOUSE))[0],
			when: options.WHEN ?? null, after: options.AFTER ?? [], body, comment: commentOf(options), history: [], database: session.database, schema: session.schema,
			overlap: options.ALLOW_OVERLAPPING_EXECUTION ?? false, timeout: options.USER_TASK_TIMEOUT_MS ?? null }), 'Task');
	},
	ROLE(engine, session, reader, { make }) {
		const comment = takeComment(reader) ?? '';
		reader.end();
		return created(make({ roles: new Set(), comment }));
	},
	USER(engine, session, reader, { parts, make }) {
		const options = readOptions(reader);
		reader.end();
		if (session.account.users.has(parts[0]))
			return created(make({}));
		engine.catalog.demand(session, 'CREATE USER', session.account);
		makeUser(session.account, { name: parts[0], public_key: options.RSA_PUBLIC_KEY, public_key_2: options.RSA_PUBLIC_KEY_2, default_role: options.DEFAULT_ROLE, default_warehouse: options.DEFAULT_WAREHOUSE });
		return status(`User ${shown(parts[0])} successfully created.`);
	},
	WAREHOUSE(engine, session, reader, { make }) {
		reader.take('WITH');
		const options = readOptions(reader);
		reader.end();
		return created(make({ state: options.INITIALLY_SUSPENDED ? 'SUSPENDED' : 'STARTED', autoResume: options.AUTO_RESUME ?? true, monitor: null, size: options.WAREHOUSE_SIZE ?? 'X-Small', comment: commentOf(options) }));
	},
	INTEGRATION(engine, session, reader, { make, storage }) {
		const options = readOptions(reader);
		reader.end();
		if (!storage)
			return created(make({ type: 'QUEUE', options, comment: commentOf(options) }), 'Integration');
		for (const key of ['TYPE', 'STORAGE_PROVIDER', 'ENABLED', 'STORAGE_ALLOWED_LOCATIONS', ...(options.STORAGE_PROVIDER === 'S3' ? ['STORAGE_AWS_ROLE_ARN'] : [])])
			if (options[key] === undefined)
				throw new SqlError('002029', '42601', `SQL compilation error:\nMissing option(s): [${key}]`);
		// without one that is given, each creation makes a new external id
		const external = options.STORAGE_AWS_EXTERNAL_ID ?? `${session.account.locator}_SFCRole=${++session.account.externalId}_${randomUUID().slice(0, 12)}=`;
		return created(make({ type: 'EXTERNAL_STAGE', options, comment: commentOf(options), allowed: [].concat(options.STORAGE_ALLOWED_LOCATIONS), external, enabled: options.ENABLED }), 'Integration');
	},
	'MASKING POLICY'(engine, session, reader, { make }) {
		reader.expect('AS', '(');
		const argument = reader.part(), type = readType(reader);
		reader.expect(')');
		reader.expect('RETURNS');
		readType(reader);
		reader.expect('->');
		const from = reader.at;
		while (!reader.done && !(reader.is('COMMENT') && reader.tokens[reader.at + 1]?.text === '='))
			reader.is('(') ? reader.parens() : reader.at++;
		const body = reader.sql.slice(reader.tokens[from].start, reader.tokens[reader.at - 1].end), comment = takeComment(reader) ?? '';
		reader.end();
		return created(make({ argument, type, body, comment, statement: () => statements(`SELECT ${body}`)[0] }), 'Masking policy');
	},
	SEQUENCE(engine, session, reader, { make }) {
		reader.rest();
		return created(make({}));
	},
	TAG(engine, session, reader, { make }) {
		reader.rest();
		return created(make({}));
	},
};

// A file format by name or by its options.
export function formatOf(engine, session, said) {
	if (said === undefined || said === null)
		return null;
	const options = typeof said === 'object' ? said : { FORMAT_NAME: said };
	if (options.FORMAT_NAME === undefined)
		return options;
	const found = engine.catalog.find(session, 'FILE FORMAT', nameOf(String(options.FORMAT_NAME)), { privilege: 'USAGE' });
	const { FORMAT_NAME: _, ...more } = options;
	return { ...found.options, ...more, name: found.path };
}

const PIPE_REFUSES = ['FILES', 'SIZE_LIMIT', 'PURGE', 'FORCE', 'RETURN_FAILED_ONLY', 'VALIDATION_MODE', 'LOAD_UNCERTAIN_FILES'];
// COPY INTO table FROM stage or (SELECT ... FROM stage) with its options.
export function readCopy(engine, session, reader, ofPipe = false) {
	reader.expect('COPY', 'INTO');
	const table = engine.catalog.find(session, 'TABLE', reader.name());
	let columns = null, select = null, stage;
	if (reader.is('('))
		columns = reader.value().map(one => nameOf(String(one))[0]);
	reader.expect('FROM');
	if (reader.is('(')) {
		const text = reader.parens();
		[select] = statements(text);
		if (/\b(WHERE|GROUP BY|ORDER BY|LIMIT|JOIN|QUALIFY|DISTINCT)\b/i.test(text.replace(/'[^']*'/g, '')))
			throw new SqlError('002114', '42601', 'SQL compilation error:\nCOPY statement only supports simple SELECT from stage statements for import.');
		stage = select.tokens.find(t => t.kind === 'stage' || (t.kind === 'string' && t.value.startsWith('@')))?.value;
	} else if (reader.next?.kind === 'stage' || reader.next?.kind === 'string') {
		stage = reader.tokens[reader.at++].value;
	}
	if (!stage)
		throw reader.unexpected();
	const options = readOptions(reader);
	reader.end();
	if (ofPipe) {
		for (const key of PIPE_REFUSES)
			if (key in options)
				throw new SqlError('001030', '42601', `SQL compilation error:\nUnsupported option '${key}' in the COPY statement of a pipe.`);
		if (options.ON_ERROR === 'ABORT_STATEMENT')
			throw new SqlError('001030', '42601', "SQL compilation error:\nON_ERROR = ABORT_STATEMENT is not supported in the COPY statement of a pipe.");
	}
	const location = stageOf(engine, session, stage);
	return { table, columns, select, location, options, format: formatOf(engine, session, options.FILE_FORMAT) ?? location.stage.format ?? { TYPE: 'CSV' },
		onError: String(options.ON_ERROR ?? (ofPipe ? 'SKIP_FILE' : 'ABORT_STATEMENT')).toUpperCase() };
}
// @db.schema.stage/path: {stage, path, bucket, prefix}
export function stageOf(engine, session, text) {
	const m = /^@((?:"(?:[^"]|"")*"|[^/"])+)(?:\/([\s\S]*))?$/.exec(text);
	if (!m)
		throw new SqlError('001003', '42000', `SQL compilation error:\nsyntax error unexpected '${text}'.`);
	const stage = engine.catalog.find(session, 'STAGE', nameOf(m[1]), { privilege: 'USAGE' }), path = m[2] ?? '';
	const [, bucket, prefix] = /^s3:\/\/([^/]+)\/?([\s\S]*)$/.exec(stage.url) ?? [null, null, ''];
	return { stage, path, bucket, prefix: prefix + (prefix && !prefix.endsWith('/') && path ? '/' : '') + path };
}

// ---- DROP, TRUNCATE, COMMENT, USE
async function dropObject(engine, session, reader) {
	reader.expect('DROP');
	const kind = kindAhead(reader), ifExists = reader.take('IF', 'EXISTS'), parts = reader.name();
	reader.take('CASCADE') || reader.take('RESTRICT');
	reader.end();
	if (!KINDS[kind] && !BIG.includes(kind) && kind !== 'INTEGRATION')
		throw reader.unexpected();
	let object;
	try {
		object = engine.catalog.find(session, kind, parts);
	} catch (error) {
		if (ifExists && error.code === '002003')
			return status(`Drop statement executed successfully (${parts.map(shown).pop()} already dropped).`);
		throw error;
	}
	if (KINDS[kind] === 'tables' && object.kind !== kind)
		throw new SqlError('001940', '42601', `SQL compilation error:\nObject found is of type '${object.kind}', not specified type '${kind}'.`);
	if (kind === 'USER') {
		session.account.users.delete(object.name);
		return status(`${shown(object.name)} successfully dropped.`);
	}
	engine.catalog.demand(session, 'OWNERSHIP', object);
	if (KINDS[kind] === 'tables')
		await drop(session, object);
	else if (kind === 'SCHEMA')
		await session.connection.run(`DROP SCHEMA IF EXISTS ${duckTable(object.duck)} CASCADE`);
	else if (kind === 'DATABASE')
		await session.connection.run(`DETACH ${quote(object.duck[0])}`);
	if (kind === 'MASKING POLICY')
		for (const table of engine.catalog.all(session.account, ['TABLE', 'VIEW', 'DYNAMIC TABLE']))
			if (table.columns.some(c => c.policy === object))
				throw new SqlError('001492', '42601', `SQL compilation error:\nPolicy ${shown(object.name)} cannot be dropped/replaced as it is associated with one or more entities.`);
	engine.catalog.remove(session, object);
	if (kind === 'ROLE') {
		for (const role of session.account.roles.values())
			role.roles.delete(object.name);
		for (const user of session.account.users.values())
			user.roles.delete(object.name);
	}
	return status(`${shown(object.name)} successfully dropped.`);
}
async function truncate(engine, session, reader) {
	reader.expect('TRUNCATE');
	reader.take('TABLE');
	const ifExists = reader.take('IF', 'EXISTS'), table = engine.catalog.find(session, 'TABLE', reader.name(), { missing: ifExists });
	reader.end();
	if (table) {
		engine.catalog.demand(session, 'DELETE', table);
		await engine.rows(session, `DELETE FROM ${duckTable(table.duck)}`);
		table.loaded.clear();
	}
	return done();
}
function comment(engine, session, reader) {
	reader.expect('COMMENT');
	const ifExists = reader.take('IF', 'EXISTS');
	reader.expect('ON');
	const kind = kindAhead(reader), parts = reader.name();
	reader.expect('IS');
	const text = reader.string();
	reader.end();
	if (kind === 'COLUMN') {
		const table = engine.catalog.find(session, 'TABLE', parts.slice(0, -1), { privilege: 'OWNERSHIP' });
		columnNamed(table, parts[parts.length - 1]).comment = text;
		return done();
	}
	const object = engine.catalog.find(session, kind, parts, { missing: ifExists });
	if (object) {
		engine.catalog.demand(session, 'OWNERSHIP', object);
		object.comment = text;
	}
	return done();
}
function use(engine, session, reader) {
	reader.expect('USE');
	const kind = ['ROLE', 'WAREHOUSE', 'DATABASE', 'SCHEMA'].find(word => reader.take(word)) ?? 'DATABASE';
	if (kind === 'ROLE' && reader.take('SECONDARY'))
		return reader.rest(), done();
	const parts = reader.name();
	reader.end();
	if (kind === 'ROLE') {
		if (!engine.granted(session.account, session.user, parts[0]))
			throw missing('ROLE', shown(parts[0]));
		session.role = parts[0];
	} else if (kind === 'WAREHOUSE') {
		session.warehouse = engine.catalog.find(session, 'WAREHOUSE', parts, { privilege: 'USAGE' }).name;
	} else if (kind === 'SCHEMA' || parts.length === 2) {
		[session.database, session.schema] = engine.catalog.find(session, 'SCHEMA', parts, { privilege: 'USAGE' }).path;
	} else {
		session.database = engine.catalog.find(session, 'DATABASE', parts, { privilege: 'USAGE' }).name;
		session.schema = 'PUBLIC';
	}
	return done();
}
function columnNamed(table, name) {
	const found = table.columns.find(c => c.name === name);
	if (!found)
		throw new SqlError('000904', '42000', `SQL compilation error: error line 1 at position 0\ninvalid identifier '${shown(name)}'`);
	return found;
}

// ---- ALTER
async function alter(engine, session, reader) {
	reader.expect('ALTER');
	if (reader.take('SESSION'))
		return reader.rest(), done();
	const kind = kindAhead(reader), ifExists = reader.take('IF', 'EXISTS');
	if (kind === 'ACCOUNT')
		return reader.rest(), done();
	if (kind === 'USER')
		return alterUser(engine, session, reader);
	const parts = reader.name();
	if (!KINDS[kind] && !BIG.includes(kind) && kind !== 'INTEGRATION')
		throw reader.unexpected();
	const object = engine.catalog.find(session, kind, parts, { missing: ifExists });
	if (!object)
		return reader.rest(), done();
	if (KINDS[kind] === 'tables' && object.kind !== kind && !(kind === 'TABLE' && reader.is('MODIFY')))
		throw new SqlError('001940', '42601', `SQL compilation error:\nObject found is of type '${object.kind}', not specified type '${kind}'.`);
	if (kind === 'PIPE' && reader.take('REFRESH')) {
		engine.catalog.demand(session, 'OPERATE', object);
		return refreshPipe(engine, session, object, readOptions(reader));
	}
	if (kind === 'PIPE' && reader.is('SET', 'PIPE_EXECUTION_PAUSED')) {
		engine.catalog.demand(session, 'OPERATE', object);
		reader.expect('SET');
		object.paused = readOptions(reader).PIPE_EXECUTION_PAUSED;
		reader.end();
		engine.world.snowflake.pump();
		return done();
	}
	if (kind === 'WAREHOUSE' && (reader.is('SUSPEND') || reader.is('RESUME'))) {
		engine.catalog.demand(session, 'OPERATE', object);
		object.state = reader.word() === 'SUSPEND' ? 'SUSPENDED' : 'STARTED';
		reader.take('IF', 'SUSPENDED');
		reader.end();
		return done();
	}
	if (['TASK', 'DYNAMIC TABLE'].includes(kind) && (reader.is('SUSPEND') || reader.is('RESUME') || reader.is('REFRESH'))) {
		engine.catalog.demand(session, 'OPERATE', object);
		const word = reader.word();
		if (kind === 'TASK') {
			object.state = word === 'SUSPEND' ? 'suspended' : 'started';
		} else if (word === 'REFRESH') {
			if (object.state !== 'ACTIVE')
				throw new SqlError('092402', '55000', `Dynamic Table '${shown(object.name)}' needs to be resumed before it can be refreshed.`);
			const n = await refresh(engine, session, object);
			return status(`${n} rows refreshed`);
		} else {
			object.state = word === 'SUSPEND' ? 'SUSPENDED' : 'ACTIVE';
		}
		reader.end();
		return done();
	}
	engine.catalog.demand(session, 'OWNERSHIP', object);
	do
		await alterOne(engine, session, reader, object);
	while (reader.take(','));
	reader.end();
	return done();
}
async function alterOne(engine, session, reader, object) {
	const where = object.duck && duckTable(object.duck), run = sql => engine.rows(session, sql);
	if (reader.take('RENAME', 'TO')) {
		const parts = reader.name(), to = engine.catalog.path(session, parts, object.kind), collection = engine.catalog.collection(session.account, object.kind, object.path);
		if (engine.catalog.peek(session.account, object.kind, to))
			throw new SqlError('002002', '42710', `SQL compilation error:\nObject '${to.map(shown).join('.')}' already exists.`);
		if (KINDS[object.kind] === 'tables')
			await run(`ALTER ${object.kind === 'VIEW' ? 'VIEW' : 'TABLE'} ${where} RENAME TO ${quote(duckName(to[to.length - 1]))}`);
		collection.delete(object.name);
		Object.assign(object, { name: to[to.length - 1], path: to, duck: engine.catalog.duck(session.account, to) });
		engine.catalog.collection(session.account, object.kind, to).set(object.name, object);
	} else if (reader.take('RENAME', 'COLUMN')) {
		const column = columnNamed(object, reader.part());
		reader.expect('TO');
		const name = reader.part();
		await run(`ALTER TABLE ${where} RENAME COLUMN ${quote(duckName(column.name))} TO ${quote(duckName(name))}`);
		column.name = name;
	} else if (reader.take('ADD', 'COLUMN') || (object.kind === 'TABLE' && reader.take('ADD'))) {
		do {
			const skip = reader.take('IF', 'NOT', 'EXISTS'), column = await readColumn(engine, session, reader);
			if (object.columns.some(c => c.name === column.name)) {
				if (skip)
					continue;
				throw new SqlError('001430', '42S21', `SQL compilation error:\ncolumn '${shown(column.name)}' already exists`);
			}
			await run(`ALTER TABLE ${where} ADD COLUMN ${columnSql({ ...column, nullable: true })}`);
			object.columns.push(column);
		} while (reader.is(',') && !['ADD', 'DROP', 'MODIFY', 'ALTER'].includes(reader.tokens[reader.at + 1]?.value) && reader.take(','));
	} else if (reader.take('DROP', 'COLUMN')) {
		const ifExists = reader.take('IF', 'EXISTS'), name = reader.part();
		if (ifExists && !object.columns.some(c => c.name === name))
			return;
		const column = columnNamed(object, name);
		await run(`ALTER TABLE ${where} DROP COLUMN ${quote(duckName(column.name))}`);
		object.columns.splice(object.columns.indexOf(column), 1);
	} else if (reader.take('MODIFY') || reader.take('ALTER')) {
		reader.take('COLUMN');
		const column = columnNamed(object, reader.part());
		if (reader.take('SET', 'MASKING', 'POLICY')) {
			const policy = engine.catalog.find(session, 'MASKING POLICY', reader.name()), force = reader.take('FORCE');
			if (column.policy && column.policy !== policy && !force)
				throw new SqlError('001490', '42601', `SQL compilation error:\nSpecified column already attached to another masking policy.`);
			column.policy = policy;
		} else if (reader.take('UNSET', 'MASKING', 'POLICY')) {
			column.policy = null;
		} else if (reader.is('COMMENT')) {
			column.comment = takeComment(reader);
		} else if (reader.take('DROP', 'NOT', 'NULL')) {
			column.nullable = true;
			await run(`ALTER TABLE ${where} ALTER COLUMN ${quote(duckName(column.name))} DROP NOT NULL`);
		} else if (reader.take('SET', 'NOT', 'NULL')) {
			column.nullable = false;
			await run(`ALTER TABLE ${where} ALTER COLUMN ${quote(duckName(column.name))} SET NOT NULL`);
		} else {
			reader.take('SET', 'DATA', 'TYPE') || reader.take('TYPE');
			const type = readType(reader);
			if (type.name !== column.type.name || (type.scale ?? 0) !== (column.type.scale ?? 0) || (type.precision ?? 0) < (column.type.precision ?? 0) || (type.length ?? 0) < (column.type.length ?? 0))
				throw new SqlError('002108', '42601', `SQL compilation error:\ncannot change column ${shown(column.name)} from type ${column.type.name} to ${type.name}`);
			await run(`ALTER TABLE ${where} ALTER COLUMN ${quote(duckName(column.name))} TYPE ${type.duck}`);
			column.type = type;
		}
	} else if (reader.take('CLUSTER', 'BY')) {
		object.clusterBy = reader.parens();
	} else if (reader.take('DROP', 'CLUSTERING', 'KEY')) {
		object.clusterBy = null;
	} else if (reader.take('MODIFY', 'AS') || (object.kind === 'TASK' && reader.take('MODIFY', 'WHEN'))) {
		object.body = reader.restTokens();
	} else if (reader.take('SET')) {
		applyOptions(object, readOptions(reader), engine, session);
	} else if (reader.take('UNSET')) {
		const key = reader.word();
		key === 'COMMENT' ? object.comment = '' : delete object.options?.[key];
	} else {
		throw reader.unexpected();
	}
}
function applyOptions(object, options, engine, session) {
	const fields = { COMMENT: 'comment', TARGET_LAG: 'lag', DATA_RETENTION_TIME_IN_DAYS: 'retention', SCHEDULE: 'schedule', CHANGE_TRACKING: 'changeTracking', AUTO_RESUME: 'autoResume',
		WAREHOUSE_SIZE: 'size', URL: 'url', REFRESH_MODE: 'refreshMode' };
	for (const [key, value] of Object.entries(options))
		if (key === 'TARGET_LAG')
			checkLag(value), object.lag = value;
		else if (key === 'WAREHOUSE')
			object.warehouse = nameOf(String(value))[0];
		else if (key === 'STORAGE_ALLOWED_LOCATIONS')
			object.allowed = [].concat(value);
		else if (key === 'STORAGE_INTEGRATION')
			object.integration = nameOf(String(value))[0];
		else if (key === 'FILE_FORMAT')
			object.format = formatOf(engine, session, value);
		else if (fields[key])
			object[fields[key]] = value;
		else
			(object.options ??= {})[key] = value;
}
function alterUser(engine, session, reader) {
	const [name] = reader.name(), user = session.account.users.get(name);
	if (!user)
		throw missing('USER', shown(name));
	if (name !== session.user.name)
		engine.catalog.demand(session, 'OWNERSHIP', { kind: 'USER', name, path: [name], owner: 'USERADMIN', grants: [] });
	if (reader.take('SET')) {
		for (const [key, value] of Object.entries(readOptions(reader)))
			if (key === 'RSA_PUBLIC_KEY' || key === 'RSA_PUBLIC_KEY_2')
				user.keys[key === 'RSA_PUBLIC_KEY' ? 0 : 1] = publicKey(String(value));
			else if (key === 'DEFAULT_ROLE')
				user.defaultRole = value;
			else if (key === 'DEFAULT_WAREHOUSE')
				user.defaultWarehouse = value;
			else if (key === 'DISABLED')
				user.disabled = value;
	} else {
		reader.expect('UNSET');
		const key = reader.word();
		if (/^RSA_PUBLIC_KEY/.test(key))
			user.keys[key === 'RSA_PUBLIC_KEY' ? 0 : 1] = null;
	}
	reader.end();
	return done();
}

// ---- GRANT, REVOKE
const PLURAL = { TABLES: 'TABLE', VIEWS: 'VIEW', PIPES: 'PIPE', STAGES: 'STAGE', STREAMS: 'STREAM', TASKS: 'TASK', SCHEMAS: 'SCHEMA' };
function grant(engine, session, reader, { sql }) {
	const giving = reader.word() === 'GRANT';
	if (!giving)
		reader.take('GRANT', 'OPTION', 'FOR');
	if (reader.take('ROLE') || reader.take('DATABASE', 'ROLE'))
		return grantRole(engine, session, reader, giving);
	const privileges = [];
	do {
		const words = [];
		while (!reader.is(',') && !reader.is('ON'))
			words.push(reader.word());
		privileges.push(words.join(' ').replace(/^ALL PRIVILEGES$/, 'ALL'));
	} while (reader.take(','));
	reader.expect('ON');
	let targets = [], future = null;
	if (reader.take('ACCOUNT')) {
		targets = [session.account];
	} else if (reader.is('FUTURE') || reader.is('ALL')) {
		const all = reader.word() === 'ALL', words = [reader.word()];
		while (!reader.is('IN'))
			words.push(reader.word());
		const kind = words.join(' ') === 'DYNAMIC TABLES' ? 'DYNAMIC TABLE' : words.join(' ') === 'FILE FORMATS' ? 'FILE FORMAT' : PLURAL[words.join(' ')];
		reader.expect('IN');
		const outer = engine.catalog.find(session, reader.word(), reader.name());
		if (all)
			targets = kind === 'SCHEMA' ? [...outer.schemas.values()] : [...engine.catalog.all(session.account, kind, outer.path[0], outer.path[1])];
		else
			future = { kind, outer };
	} else {
		const kind = kindAhead(reader), found = engine.catalog.find(session, kind, reader.name());
		targets = [found];
	}
	reader.expect(giving ? 'TO' : 'FROM');
	reader.take('ROLE');
	const role = reader.part();
	if (!session.account.roles.has(role))
		throw missing('ROLE', shown(role));
	reader.take('WITH', 'GRANT', 'OPTION');
	const keep = reader.take('COPY', 'CURRENT', 'GRANTS') || reader.take('REVOKE', 'CURRENT', 'GRANTS');
	reader.take('CASCADE') || reader.take('RESTRICT');
	reader.end();
	void keep;
	for (const object of targets) {
		const closure = engine.catalog.roles(session);
		if (!closure.has('SECURITYADMIN') || engine.catalog.denied(session, 'OWNERSHIP', object))
			engine.catalog.demand(session, 'OWNERSHIP', object);
		for (const privilege of privileges)
			giving ? give(object, privilege, role, session) : take(object, privilege, role);
	}
	if (future) {
		future.outer.future ??= [];
		for (const privilege of privileges) {
			future.outer.future = future.outer.future.filter(g => !(g.privilege === privilege && g.role === role && g.kind === future.kind));
			if (giving)
				future.outer.future.push({ kind: future.kind, privilege, role, by: session.role });
		}
	}
	return done();
}
const ALL = { TABLE: ['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES'], VIEW: ['SELECT', 'REFERENCES'], 'DYNAMIC TABLE': ['SELECT', 'MONITOR', 'OPERATE'], PIPE: ['MONITOR', 'OPERATE'],
	STAGE: ['USAGE', 'READ', 'WRITE'], STREAM: ['SELECT'], TASK: ['MONITOR', 'OPERATE'], 'FILE FORMAT': ['USAGE'], SCHEMA: ['USAGE', 'MODIFY', 'MONITOR', 'CREATE TABLE', 'CREATE VIEW', 'CREATE PIPE', 'CREATE STAGE',
		'CREATE STREAM', 'CREATE TASK', 'CREATE FILE FORMAT', 'CREATE DYNAMIC TABLE', 'CREATE MASKING POLICY'], DATABASE: ['USAGE', 'MODIFY', 'MONITOR', 'CREATE SCHEMA'], WAREHOUSE: ['USAGE', 'OPERATE', 'MONITOR', 'MODIFY'], INTEGRATION: ['USAGE'] };
function give(object, privilege, role, session) {
	if (privilege === 'OWNERSHIP') {
		object.owner = role;
		return;
	}
	const known = ALL[object.kind];
	if (known && privilege !== 'ALL' && !known.includes(privilege) && !/^(CREATE|MONITOR|APPLY|OPERATE|MODIFY|ADD|EVOLVE|IMPORTED)/.test(privilege))
		throw new SqlError('003032', '42601', `SQL compilation error:\nInvalid privilege '${privilege}' for object type '${object.kind}'`);
	for (const one of privilege === 'ALL' ? known ?? [] : [privilege])
		if (!object.grants.some(g => g.privilege === one && g.role === role))
			object.grants.push({ privilege: one, role, by: session.role });
}
function take(object, privilege, role) {
	object.grants = object.grants.filter(g => !(g.role === role && (privilege === 'ALL' || g.privilege === privilege)));
}
function grantRole(engine, session, reader, giving) {
	const name = reader.part(), role = session.account.roles.get(name);
	if (!role)
		throw missing('ROLE', shown(name));
	reader.expect(giving ? 'TO' : 'FROM');
	const toUser = reader.take('USER'), to = (reader.take('ROLE'), reader.part());
	reader.end();
	const target = toUser ? session.account.users.get(to) : session.account.roles.get(to);
	if (!target)
		throw missing(toUser ? 'USER' : 'ROLE', shown(to));
	if (!engine.catalog.roles(session).has('SECURITYADMIN'))
		engine.catalog.demand(session, 'OWNERSHIP', role);
	giving ? target.roles.add(name) : target.roles.delete(name);
	return done();
}

// ---- tasks
export async function executeTask(engine, session, reader) {
	const task = engine.catalog.find(session, 'TASK', reader.name());
	engine.catalog.demand(session, 'OPERATE', task);
	await runTask(engine, task, session.account);
	return status(`Task ${shown(task.name)} is scheduled to run immediately.`);
}
// As the task's owner; what becomes of it is in its history.
export async function runTask(engine, task, account, { checkWhen = false } = {}) {
	const user = [...account.users.values()][0];
	const session = await engine.session({ account, user: { ...user, roles: new Set([...account.roles.keys()]) } }, { database: task.path[0], schema: task.path[1], warehouse: task.warehouse ?? 'WH', role: task.owner });
	const entry = { at: engine.world.now(), state: 'SUCCEEDED', error: null };
	try {
		if (checkWhen && task.when) {
			const { rows } = await engine.query(session, statements(`SELECT ${task.when}`)[0]);
			if (rows[0][0] !== 'true')
				entry.state = 'SKIPPED';
		}
		if (entry.state !== 'SKIPPED')
			for (const one of blockOf(statements(task.body.sql)[0]))
				await engine.run(session, one);
	} catch (error) {
		if (!(error instanceof SqlError))
			throw error;
		Object.assign(entry, { state: 'FAILED', error: error.message, code: error.code });
	} finally {
		engine.close(session);
	}
	task.history.push(entry);
	for (const next of engine.catalog.all(account, 'TASK'))
		if (entry.state === 'SUCCEEDED' && next.state === 'started' && next.after.some(parts => parts[parts.length - 1] === task.name))
			await runTask(engine, next, account, { checkWhen });
}
function call(engine, session, reader) {
	throw reader.unexpected();
}

export const HANDLERS = { CREATE: create, DROP: dropObject, ALTER: alter, TRUNCATE: truncate, COMMENT: comment, USE: use, GRANT: grant, REVOKE: grant, CALL: call };
export { forbidden };

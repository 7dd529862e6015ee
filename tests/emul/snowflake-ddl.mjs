// CREATE. Each handler reads its statement to the end: what is not known is a syntax error, as it is in Snowflake.
// snowflake-alter.mjs, snowflake-grant.mjs and snowflake-task.mjs have what becomes of the objects later.

import { randomUUID } from 'node:crypto';
import { makeUser } from './snowflake-auth.mjs';
import { title } from './snowflake-catalog.mjs';
import { duckTable, status } from './snowflake-engine.mjs';
import { SqlError, duckName, nameOf, quote, readerOf, shown, snowName, statements } from './snowflake-text.mjs';
import { columnOf, readType, typeOf } from './snowflake-types.mjs';

export const done = () => status('Statement executed successfully.');
export const BIG = ['DATABASE', 'SCHEMA', 'WAREHOUSE', 'ROLE', 'USER'];

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
export const kindAhead = reader => {
	for (const words of [['DYNAMIC', 'TABLE'], ['FILE', 'FORMAT'], ['MASKING', 'POLICY'], ['ROW', 'ACCESS', 'POLICY'],
		['STORAGE', 'INTEGRATION'], ['NOTIFICATION', 'INTEGRATION'], ['NETWORK', 'POLICY']])
		if (reader.take(...words))
			return words[0] === 'STORAGE' || words[0] === 'NOTIFICATION' ? 'INTEGRATION' : words.join(' ');
	return reader.word();
};

// ---- CREATE
export async function create(engine, session, reader, statement) {
	reader.expect('CREATE');
	const replace = reader.take('OR', 'REPLACE'), alter = !replace && reader.take('OR', 'ALTER');
	let transient = false, secure = false, temporary = false;
	for (;;)
		if (reader.take('TRANSIENT'))
			transient = true;
		else if (reader.take('TEMPORARY') || reader.take('TEMP'))
			temporary = true;
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
	const make = more => engine.catalog.make(session, kind, parts, more, { replace, ifNotExists, temporary });
	return maker(engine, session, reader, { kind, parts, make, replace, transient, temporary, secure, storage, statement });
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
export async function readColumn(engine, session, reader) {
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
export const columnSql = c => `${quote(duckName(c.name))} ${c.type.duck}${c.nullable ? '' : ' NOT NULL'}${c.fallbackDuck ? ` DEFAULT ${c.fallbackDuck}` : ''}`;

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
const TABLE_OPTIONS = ['DATA_RETENTION_TIME_IN_DAYS', 'MAX_DATA_EXTENSION_TIME_IN_DAYS', 'CHANGE_TRACKING',
	'ENABLE_SCHEMA_EVOLUTION', 'DEFAULT_DDL_COLLATION', 'CLUSTER_BY', 'COMMENT',
	'COPY_GRANTS', 'ERROR_LOGGING', 'STAGE_FILE_FORMAT', 'STAGE_COPY_OPTIONS'];
function only(options, known) {
	for (const key of Object.keys(options))
		if (!known.includes(key))
			throw new SqlError('001420', '22023', `SQL compilation error:\ninvalid property '${key}'`);
}

async function describeQuery(engine, session, duckSql) {
	const { columns } = await engine.rows(session, `SELECT * FROM (${duckSql}) LIMIT 0`);
	return columns.map(([name, type]) => {
		const c = columnOf(snowName(name), type);
		const of = { fixed: ['NUMBER', [c.precision, c.scale]], real: ['FLOAT'], text: ['VARCHAR'], boolean: ['BOOLEAN'],
			date: ['DATE'], time: ['TIME'], timestamp_ntz: ['TIMESTAMP_NTZ'],
			timestamp_ltz: ['TIMESTAMP_LTZ'], variant: ['VARIANT'], binary: ['BINARY'] }[c.type];
		return { name: c.name, type: typeOf(...of), nullable: true, fallback: null, comment: null, policy: null };
	});
}

async function createTable(engine, session, reader, { make, replace, transient, temporary, parts }) {
	let columns = null, clone = null;
	if (reader.is('('))
		columns = await readColumns(engine, session, reader);
	else if (reader.take('LIKE') || reader.take('CLONE'))
		clone = engine.catalog.find(session, 'TABLE', reader.name());
	const options = tableOptions(reader, ['AS']);
	only(options, TABLE_OPTIONS);
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
	const result = make({ columns, clusterBy: options.CLUSTER_BY ?? null, comment: commentOf(options),
		retention: options.DATA_RETENTION_TIME_IN_DAYS ?? 1, transient,
		changeTracking: options.CHANGE_TRACKING ?? false, loaded: new Map(), history: [] });
	if (result.made) {
		const where = duckTable(result.object.duck);
		if (old)
			await drop(session, old);
		await engine.rows(session, `CREATE TABLE ${where} (${columns.map(columnSql).join(', ')})`);
		if (query)
			await engine.rows(session, `INSERT INTO ${where} ${query}`);
		// it goes with the session, which is a request's
		if (temporary)
			session.temporary.push(result.object);
	}
	return created(result, 'Table');
}
export const drop = (session, object) => object.kind === 'VIEW' ? session.connection.run(`DROP VIEW IF EXISTS ${duckTable(object.duck)}`)
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
	only(options, ['COMMENT', 'COPY_GRANTS', 'CHANGE_TRACKING']);
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
	only(options, ['TARGET_LAG', 'WAREHOUSE', 'REFRESH_MODE', 'INITIALIZE', 'CLUSTER_BY', 'COMMENT', 'COPY_GRANTS',
		'DATA_RETENTION_TIME_IN_DAYS', 'MAX_DATA_EXTENSION_TIME_IN_DAYS']);
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
	const result = make({ columns, comment: commentOf(options), lag: options.TARGET_LAG, warehouse,
		refreshMode: options.REFRESH_MODE ?? 'AUTO', initialize: options.INITIALIZE ?? 'ON_CREATE',
		clusterBy: options.CLUSTER_BY ?? null, text: statement.sql, body, sources, state: 'ACTIVE', refreshed: null, refreshes: 0,
			retention: options.DATA_RETENTION_TIME_IN_DAYS ?? 1, role: session.role });
	if (result.made) {
		if (old)
			await drop(session, old);
		await engine.rows(session, `CREATE TABLE ${duckTable(result.object.duck)} (${columns.map(columnSql).join(', ')})`);
		if (result.object.initialize !== 'ON_SCHEDULE')
			await refresh(engine, session, result.object, query);
	}
	return created(result, 'Dynamic table');
}
export function checkLag(lag) {
	const m = LAG.exec(lag ?? '');
	if (String(lag).toUpperCase() === 'DOWNSTREAM')
		return;
	if (!m)
		throw new SqlError('002006', '42601', lag === undefined ? 'SQL compilation error:\nMissing option(s): [TARGET_LAG]'
			: `SQL compilation error:\nInvalid value '${lag}' for TARGET_LAG.`);
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
	const sql = object.query ??= query ?? await engine.rewritten({ ...session, role: object.role, reads: [], writes: [] },
		object.body, null, true);
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
		const result = make({ schemas: new Map(), comment: commentOf(options), retention: options.DATA_RETENTION_TIME_IN_DAYS ??
			1, transient, future: [] });
		if (!result.made)
			return created(result);
		return (async () => {
			const name = result.object.duck[0];
			if (result.old)
				await session.connection.run(`DETACH ${quote(name)}`);
			await session.connection.run(`ATTACH ':memory:' AS ${quote(name)}`);
			const inside = { ...session, database: parts[0] };
			await MAKERS.SCHEMA(engine, inside, readerOf(''), { make: more => engine.catalog.make(inside, 'SCHEMA',
				[parts[0], 'PUBLIC'], more) });
			session.database = parts[0];
			session.schema = 'PUBLIC';
			return created(result);
		})();
	},
	async SCHEMA(engine, session, reader, { make }) {
		const managed = reader.take('WITH', 'MANAGED', 'ACCESS'), options = readOptions(reader);
		reader.end();
		const result = make(engine.catalog.makeSchema({ comment: commentOf(options),
			retention: options.DATA_RETENTION_TIME_IN_DAYS ?? 1, managed }));
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
		only(options, [...FORMAT_OPTIONS, 'COMMENT']);
		const { COMMENT: comment = '', ...format } = options;
		return created(make({ options: format, comment }), 'File format');
	},
	STAGE(engine, session, reader, { make }) {
		const options = readOptions(reader);
		reader.end();
		only(options, ['URL', 'STORAGE_INTEGRATION', 'CREDENTIALS', 'ENCRYPTION', 'FILE_FORMAT', 'COPY_OPTIONS', 'DIRECTORY',
			'AWS_ACCESS_POINT_ARN', 'COMMENT']);
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
		const result = make({ copy, text, auto: options.AUTO_INGEST === true, comment: commentOf(options), paused: false,
			queue: [], known: new Map(), history: [], events: [],
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
			return created(make({ source, appendOnly: options.APPEND_ONLY === true, offset, comment: commentOf(options),
				copyGrants, columns: source.columns }), 'Stream');
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
		// minutes and their like, or cron's five fields and a zone
		if (options.SCHEDULE !== undefined && !/^(\d+\s+(SECOND|MINUTE|HOUR|S|M|H)S?|USING\s+CRON(\s+[\d*\/,LW#A-Z-]+){5}\s+[\w\/+-]+)$/i.test(options.SCHEDULE))
			throw new SqlError('091011', '22023', `SQL compilation error:\nInvalid schedule: '${options.SCHEDULE}'`);
		reader.expect('AS');
		const body = reader.restTokens();
		if (!body.tokens.length)
			throw reader.unexpected();
		return created(make({ state: 'suspended', schedule: options.SCHEDULE ?? null,
			warehouse: options.WAREHOUSE === undefined ? null : nameOf(String(options.WAREHOUSE))[0],
			when: options.WHEN ?? null, after: options.AFTER ?? [], body, comment: commentOf(options), history: [],
				database: session.database, schema: session.schema,
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
		makeUser(session.account, { name: parts[0], public_key: options.RSA_PUBLIC_KEY, public_key_2: options.RSA_PUBLIC_KEY_2,
			default_role: options.DEFAULT_ROLE, default_warehouse: options.DEFAULT_WAREHOUSE });
		return status(`User ${shown(parts[0])} successfully created.`);
	},
	WAREHOUSE(engine, session, reader, { make }) {
		reader.take('WITH');
		const options = readOptions(reader);
		reader.end();
		return created(make({ state: options.INITIALLY_SUSPENDED ? 'SUSPENDED' : 'STARTED', autoResume: options.AUTO_RESUME ??
			true, monitor: null, size: options.WAREHOUSE_SIZE ?? 'X-Small', comment: commentOf(options) }));
	},
	INTEGRATION(engine, session, reader, { make, storage }) {
		const options = readOptions(reader);
		reader.end();
		if (!storage)
			return created(make({ type: 'QUEUE', options, comment: commentOf(options) }), 'Integration');
		for (const key of ['TYPE', 'STORAGE_PROVIDER', 'ENABLED', 'STORAGE_ALLOWED_LOCATIONS',
			...(options.STORAGE_PROVIDER === 'S3' ? ['STORAGE_AWS_ROLE_ARN'] : [])])
			if (options[key] === undefined)
				throw new SqlError('002029', '42601', `SQL compilation error:\nMissing option(s): [${key}]`);
		// without one that is given, each creation makes a new external id
		const external = options.STORAGE_AWS_EXTERNAL_ID ??
			`${session.account.locator}_SFCRole=${++session.account.externalId}_${randomUUID().slice(0, 12)}=`;
		return created(make({ type: 'EXTERNAL_STAGE', options, comment: commentOf(options),
			allowed: [].concat(options.STORAGE_ALLOWED_LOCATIONS), external, enabled: options.ENABLED }), 'Integration');
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

const FORMAT_OPTIONS = ['TYPE', 'COMPRESSION', 'DATE_FORMAT', 'TIME_FORMAT', 'TIMESTAMP_FORMAT', 'BINARY_FORMAT', 'TRIM_SPACE',
	'MULTI_LINE', 'NULL_IF',
	'FILE_EXTENSION', 'ENABLE_OCTAL', 'ALLOW_DUPLICATE', 'STRIP_OUTER_ARRAY', 'STRIP_NULL_VALUES', 'REPLACE_INVALID_CHARACTERS',
		'IGNORE_UTF8_ERRORS',
	'SKIP_BYTE_ORDER_MARK', 'FIELD_DELIMITER', 'RECORD_DELIMITER', 'SKIP_HEADER', 'FIELD_OPTIONALLY_ENCLOSED_BY', 'ESCAPE', 'ENCODING'];
const COPY_OPTIONS = ['FILE_FORMAT', 'FILES', 'PATTERN', 'ON_ERROR', 'SIZE_LIMIT', 'PURGE', 'RETURN_FAILED_ONLY',
	'MATCH_BY_COLUMN_NAME', 'INCLUDE_METADATA',
	'ENFORCE_LENGTH', 'TRUNCATECOLUMNS', 'FORCE', 'LOAD_UNCERTAIN_FILES', 'VALIDATION_MODE', 'FILE_PROCESSOR', 'LOAD_MODE'];
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
	only(options, COPY_OPTIONS);
	if (typeof options.FILE_FORMAT === 'object')
		only(options.FILE_FORMAT, [...FORMAT_OPTIONS, 'FORMAT_NAME']);
	if (ofPipe) {
		for (const key of PIPE_REFUSES)
			if (key in options)
				throw new SqlError('001030', '42601', `SQL compilation error:\nUnsupported option '${key}' in the COPY statement of a pipe.`);
		if (options.ON_ERROR === 'ABORT_STATEMENT')
			throw new SqlError('001030', '42601', "SQL compilation error:\nON_ERROR = ABORT_STATEMENT is not supported in the COPY statement of a pipe.");
	}
	const location = stageOf(engine, session, stage);
	return { table, columns, select, location, options, format: formatOf(engine, session, options.FILE_FORMAT) ??
		location.stage.format ?? { TYPE: 'CSV' },
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

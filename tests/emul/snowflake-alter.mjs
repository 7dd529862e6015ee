// DROP, TRUNCATE, COMMENT, USE and ALTER. Each handler reads its statement to the end, as those of CREATE do.

import { publicKey } from './snowflake-auth.mjs';
import { KINDS, missing } from './snowflake-catalog.mjs';
import { BIG, checkLag, columnSql, done, drop, formatOf, kindAhead, readColumn, readOptions, refresh } from './snowflake-ddl.mjs';
import { duckTable, status } from './snowflake-engine.mjs';
import { refreshPipe } from './snowflake-load.mjs';
import { SqlError, duckName, nameOf, quote, shown } from './snowflake-text.mjs';
import { readType } from './snowflake-types.mjs';

// ---- DROP, TRUNCATE, COMMENT, USE
export async function dropObject(engine, session, reader) {
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
export async function truncate(engine, session, reader) {
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
export function comment(engine, session, reader) {
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
export function use(engine, session, reader) {
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
export async function alter(engine, session, reader) {
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
		const parts = reader.name(), to = engine.catalog.path(session, parts, object.kind),
			collection = engine.catalog.collection(session.account, object.kind, object.path);
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
			if (policy.type.name !== column.type.name)
				throw new SqlError('001492', '42601', `SQL compilation error:\nColumn '${shown(column.name)}' data type '${column.type.name}' does not match ` +
					`with masking policy data type '${policy.type.name}'.`);
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
			if (type.name !== column.type.name || (type.scale ?? 0) !== (column.type.scale ?? 0) ||
				(type.precision ?? 0) < (column.type.precision ?? 0) || (type.length ?? 0) < (column.type.length ?? 0))
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
	const fields = { COMMENT: 'comment', TARGET_LAG: 'lag', DATA_RETENTION_TIME_IN_DAYS: 'retention', SCHEDULE: 'schedule',
		CHANGE_TRACKING: 'changeTracking', AUTO_RESUME: 'autoResume',
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

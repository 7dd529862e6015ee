// Carries statements out: queries and changes of rows in DuckDB (after snowflake-rewrite.mjs), the rest by handlers of
// its own. One statement at a time, so that what a test sees does not depend on chance.

import { DuckDBInstance } from '@duckdb/node-api';
import { alter, comment, dropObject, truncate, use } from './snowflake-alter.mjs';
import { create } from './snowflake-ddl.mjs';
import { grant } from './snowflake-grant.mjs';
import { executeTask } from './snowflake-task.mjs';
import { demandRead, informationSchema, refreshView } from './snowflake-views.mjs';
import { defineFunctions } from './snowflake-functions.mjs';
import * as load from './snowflake-load.mjs';
import { duplicatesOf, rewrite } from './snowflake-rewrite.mjs';
import * as show from './snowflake-show.mjs';
import { Reader, SqlError, blockOf, duckName, literal, quote, snowName, statements, syntaxError } from './snowflake-text.mjs';
import { columnOf, valueText } from './snowflake-types.mjs';

export const duckTable = path => path.map(quote).join('.');
// A result of one column and one row, as most statements have it.
export const status = text => ({ columns: [{ name: 'status', type: 'text', nullable: true, length: 16777216,
	byteLength: 16777216 }], rows: [[text]] });
export const table = (names, rows) => ({ columns: names.map(name => typeof name === 'string'
	? { name, type: 'text', nullable: true, length: 16777216, byteLength: 16777216 } : name),
	rows: rows.map(row => row.map(one => one === null || one === undefined ? null : String(one))) });
const counts = (names, values) => ({ ...table(names.map(name => ({ name, type: 'fixed', nullable: false, precision: 19,
	scale: 0 })), [values]), changed: values.reduce((a, b) => a + b, 0) });

const HANDLERS = { CREATE: create, DROP: dropObject, ALTER: alter, TRUNCATE: truncate, COMMENT: comment, USE: use, GRANT: grant,
	REVOKE: grant };
const NEEDS_WAREHOUSE = new Set(['INSERT', 'UPDATE', 'DELETE', 'MERGE', 'COPY']);

export class Engine {
	running = Promise.resolve();
	temporary = 0;
	constructor(world, catalog) {
		Object.assign(this, { world, catalog });
	}
	async open() {
		this.opening ??= (async () => {
			this.instance = await DuckDBInstance.create(':memory:', { autoinstall_known_extensions: 'false',
				autoload_known_extensions: 'false', threads: '1' });
			this.main = await this.connect();
			await defineFunctions(this.main, this.world);
		})();
		return this.opening;
	}
	async connect() {
		const connection = await this.instance.connect();
		await connection.run("SET TimeZone = 'UTC'");
		return connection;
	}
	async reset() {
		if (!this.opening)
			return;
		await this.exclusive(async () => {
			await this.open();
			for (const [name] of (await this.main.runAndReadAll("SELECT database_name FROM duckdb_databases() WHERE contains(database_name, '|')")).getRows())
				await this.main.run(`DETACH ${quote(name)}`);
			for (const [name] of (await this.main.runAndReadAll("SELECT table_name FROM duckdb_tables() WHERE database_name = 'memory'")).getRows())
				await this.main.run(`DROP TABLE memory.main.${quote(name)}`);
		});
	}
	// one after the other
	exclusive(work) {
		const mine = this.running.then(work);
		this.running = mine.catch(() => {});
		return mine;
	}
	// Snowflake has no session between requests of the SQL API: this is one request's, or the driver's.
	async session({ account, user, role = null, kind = null }, { database, schema, warehouse, role: asked, parameters = {} } = {}) {
		await this.open();
		const use = asked || role || user.defaultRole;
		if (role && asked && asked !== role)
			throw new SqlError('390186', '08001', `Role '${asked}' specified in the request is not granted to this token.`);
		if (!account.roles.has(use) || !this.granted(account, user, use))
			throw new SqlError('390189', '08001', `Role '${use}' specified in the connect string does not exist or not authorized. Contact your local system administrator, or attempt to login with another role, e.g. PUBLIC.`);
		const session = { account, user, role: use, kind, database: null, schema: null, warehouse: null, parameters,
			variables: new Map(), connection: await this.connect(), transaction: false, undo: [], reads: [], writes: [], temporary: [] };
		// what is not there, or not to be seen, is left out without a word
		if (database && this.catalog.find(session, 'DATABASE', [database], { missing: true })) {
			session.database = database;
			const wanted = schema || 'PUBLIC';
			if (this.catalog.find(session, 'SCHEMA', [database, wanted], { missing: true }))
				session.schema = wanted;
		}
		const chosen = warehouse || (warehouse === '' ? null : user.defaultWarehouse);
		if (chosen && account.warehouses.has(chosen) && this.catalog.may(session, 'USAGE', account.warehouses.get(chosen)))
			session.warehouse = chosen;
		return session;
	}
	granted(account, user, role) {
		const seen = new Set(), reach = name => {
			if (!seen.has(name)) {
				seen.add(name);
				account.roles.get(name)?.roles.forEach(reach);
			}
		};
		user.roles.forEach(reach);
		return seen.has(role);
	}
	async close(session) {
		for (const object of session.temporary) {
			await session.connection.run(`DROP TABLE IF EXISTS ${duckTable(object.duck)}`);
			this.catalog.remove(session, object);
		}
		session.connection.closeSync();
	}

	// ---- one statement
	async run(session, statement, bindings) {
		const reader = new Reader(statement), first = reader.next?.value;
		session.reads = [];
		session.writes = [];
		if (NEEDS_WAREHOUSE.has(first))
			this.wakeWarehouse(session);
		switch (first) {
		case 'SELECT': case 'WITH': case 'VALUES': case '(': return this.query(session, statement, bindings);
		case 'INSERT': case 'UPDATE': case 'DELETE': case 'MERGE': return this.change(session, statement, bindings, first);
		case 'BEGIN':
			if (blockOf(statement)[0] !== statement) {
				let result = status(null);
				for (const one of blockOf(statement))
					result = await this.run(session, one);
				return result;
			}
			return this.transaction(session, first);
		case 'START': case 'COMMIT': case 'ROLLBACK': return this.transaction(session, first);
		case 'SHOW': return show.show(this, session, reader);
		case 'DESC': case 'DESCRIBE': return show.describe(this, session, reader);
		case 'LIST': case 'LS': return load.list(this, session, reader);
		case 'COPY': return load.copy(this, session, statement);
		case 'REMOVE': case 'RM': return load.remove(this, session, reader);
		case 'PUT': case 'GET':
			throw new SqlError('002003', '0A000', `SQL compilation error:\nUnsupported feature '${first}'.`);
		case 'EXPLAIN':
			reader.take('EXPLAIN');
			reader.take('USING');
			reader.take('TEXT') || reader.take('JSON') || reader.take('TABULAR');
			await this.rewritten(session, reader.restTokens(), bindings);
			return table(['step', 'id', 'parent', 'operation'], [['1', '0', null, 'Result']]);
		case 'EXECUTE': return this.execute(session, reader);
		case 'SET': case 'UNSET': return status('Statement executed successfully.');
		default: {
			const handler = HANDLERS[first];
			if (!handler)
				throw first ? reader.unexpected() : syntaxError(1, 0, '<EOF>');
			if (session.transaction)
				await this.transaction(session, 'COMMIT');
			const result = await handler(this, session, reader, statement);
			this.catalog.changed();
			return result;
		}
		}
	}
	wakeWarehouse(session) {
		const warehouse = session.warehouse && session.account.warehouses.get(session.warehouse);
		if (!warehouse)
			throw new SqlError('000606', '57P03', "No active warehouse selected in the current session.  Select an active warehouse with the 'use warehouse' command.");
		if (warehouse.monitor)
			throw new SqlError('090073', '22000', `Warehouse '${warehouse.name}' cannot be resumed because resource monitor '${warehouse.monitor}' has exceeded its quota.`);
		if (warehouse.state === 'SUSPENDED') {
			if (!warehouse.autoResume)
				throw new SqlError('000606', '57P03', "No active warehouse selected in the current session.  Select an active warehouse with the 'use warehouse' command.");
			warehouse.state = 'STARTED';
		}
	}

	// ---- queries
	context(session, bindings, names) {
		const prepare = [];
		return { session, bindings, names, prepare, hasRole: role => this.catalog.roles(session).has(role),
			table: (parts, write) => this.resolve(session, parts, write, prepare),
			evaluate: async sql => (await this.rows(session, await rewrite(statements(`SELECT ${sql}`)[0],
				this.context(session, null, false)))).rows[0],
			systemFunction: (name, args) => show.systemFunction(this, session, name, args),
			tableFunction: async (name, args, database) => {
				this.wakeWarehouse(session);
				const { columns, rows } = await show.tableFunction(this, session, name, args, database);
				return quote(await this.temporaryTable(session, columns, rows));
			},
			stageTable: async (stage, options) => quote(await load.stageTable(this, session, stage, options)),
		};
	}
	// A table of DuckDB for a name: checked, and made ready where it is made up (context.prepare).
	resolve(session, parts, write, prepare) {
		const inner = parts.length > 1 && parts[parts.length - 2] === 'INFORMATION_SCHEMA';
		if (inner)
			return informationSchema(this, session, parts, prepare);
		const kind = this.catalog.find(session, 'STREAM', parts, { missing: true }) &&
			!this.catalog.find(session, 'TABLE', parts, { missing: true }) ? 'STREAM' : 'TABLE';
		const object = this.catalog.find(session, kind, parts);
		if (write) {
			if (object.kind !== 'TABLE')
				throw new SqlError('001997', '42601', `SQL compilation error:\nInvalid target type: ${object.kind}.`);
			this.catalog.demand(session, session.change, object);
			session.writes.push(object);
			return object.duck;
		}
		demandRead(this, session, object);
		session.reads.push(object);
		return refreshView(this, session, object, prepare);
	}
	async rewritten(session, statement, bindings, names = false, more = {}) {
		const context = { ...this.context(session, bindings, names), ...more }, sql = await rewrite(statement, context);
		for (const one of context.prepare)
			await one();
		return sql;
	}
	async query(session, statement, bindings) {
		const sql = await this.rewritten(session, statement, bindings, true);
		if (session.reads.length || /"SF\$/.test(sql))
			this.wakeWarehouse(session);
		const { columns, rows } = await this.rows(session, sql);
		const formats = this.formats(session), shape = columns.map(([name, type]) => columnOf(snowName(name), type));
		return { columns: shape, rows: rows.map(row => row.map((value, i) => valueText(value, shape[i], formats))) };
	}
	formats({ parameters }) {
		const get = name => Object.entries(parameters).find(([key]) => key.toUpperCase() === name)?.[1];
		return { date: get('DATE_OUTPUT_FORMAT'), time: get('TIME_OUTPUT_FORMAT'), timestamp: get('TIMESTAMP_OUTPUT_FORMAT'),
			timestamp_ntz: get('TIMESTAMP_NTZ_OUTPUT_FORMAT'),
			timestamp_ltz: get('TIMESTAMP_LTZ_OUTPUT_FORMAT'), timestamp_tz: get('TIMESTAMP_TZ_OUTPUT_FORMAT') };
	}
	// DuckDB's columns and values.
	async rows(session, sql) {
		try {
			const reader = await session.connection.runAndReadAll(sql), types = reader.columnTypes();
			return { columns: reader.columnNames().map((name, i) => [name, types[i]]), rows: reader.getRows(),
				changed: Number(reader.rowsChanged) };
		} catch (error) {
			throw failure(error, sql);
		}
	}
	// Rows that were made up, as a table that a query can read.
	async temporaryTable(session, columns, rows) {
		const name = `SF$${++this.temporary}`;
		await session.connection.run(`CREATE TEMPORARY TABLE ${quote(name)} (${columns.map(c => `${quote(duckName(c[0]))} ${c[1]}`).join(', ')})`);
		await this.fill(session, `temp.main.${quote(name)}`, columns, rows);
		return name;
	}
	async fill(session, target, columns, rows) {
		for (let i = 0; i < rows.length; i += 1000)
			await session.connection.run(`INSERT INTO ${target} SELECT ${columns.map((c, k) => c[1] === 'BLOB' ? `encode(r->>'$[${k}]')` : `CAST(r->>'$[${k}]' AS ${c[1]})`).join(', ')} ` +
				`FROM (SELECT unnest(from_json(${literal(JSON.stringify(rows.slice(i, i + 1000)))}, '["JSON"]')) AS r)`);
	}

	// ---- changes of rows
	async change(session, statement, bindings, kind) {
		session.change = kind === 'MERGE' ? 'INSERT' : kind;
		const overwrite = /^INSERT\s+OVERWRITE/i.test(statement.sql);
		let duplicates = null;
		let sql = await this.rewritten(session, overwrite ? statements(statement.sql.replace(/^(INSERT)\s+OVERWRITE/i, '$1'))[0]
			: statement, bindings, false,
			{ mended: tree => duplicates = kind === 'MERGE' ? duplicatesOf(tree) : null });
		const [target] = session.writes;
		if (overwrite)
			await this.rows(session, `DELETE FROM ${duckTable(target.duck)}`);
		if (duplicates && (await this.rows(session, duplicates)).rows.length)
			throw new SqlError('100090', '42P18', `Duplicate row detected during DML action\nRow Values: [...]`);
		if (kind === 'MERGE')
			sql += ' RETURNING merge_action';
		const { rows, changed } = await this.rows(session, sql);
		await this.consume(session);
		target.changes = (target.changes ?? 0) + 1;
		if (kind === 'MERGE') {
			const count = action => rows.filter(([one]) => one === action).length,
				has = word => new RegExp(`THEN\\s+${word}\\b`, 'i').test(statement.sql);
			const names = [['INSERT', 'inserted'], ['UPDATE', 'updated'], ['DELETE', 'deleted']].filter(([action]) => has(action));
			return { ...counts(names.map(([, word]) => `number of rows ${word}`), names.map(([action]) => count(action))),
				stats: { numRowsInserted: count('INSERT'), numRowsUpdated: count('UPDATE'), numRowsDeleted: count('DELETE'),
					numDuplicateRowsUpdated: 0 } };
		}
		const n = Number(rows[0]?.[0] ?? changed);
		const stats = { numRowsInserted: 0, numRowsUpdated: 0, numRowsDeleted: 0, numDuplicateRowsUpdated: 0 };
		stats[{ INSERT: 'numRowsInserted', UPDATE: 'numRowsUpdated', DELETE: 'numRowsDeleted' }[kind]] = n;
		return { ...(kind === 'UPDATE' ? counts(['number of rows updated', 'number of multi-joined rows updated'], [n, 0])
			: counts([`number of rows ${kind === 'INSERT' ? 'inserted' : 'deleted'}`], [n])), stats };
	}
	// A change that read a stream moves it on.
	async consume(session) {
		for (const stream of session.reads.filter(one => one.kind === 'STREAM'))
			stream.offset = await this.end(session, stream.source);
	}
	async end(session, source) {
		const { rows } = await this.rows(session, `SELECT coalesce(max(rowid) + 1, 0) FROM ${duckTable(source.duck)}`);
		return Math.max(Number(rows[0][0]), source.rowEnd ?? 0);
	}
	async transaction(session, word) {
		if (word === 'BEGIN' || word === 'START') {
			if (!session.transaction)
				await session.connection.run('BEGIN TRANSACTION');
			session.transaction = true;
			session.undo = [];
			session.offsets = new Map([...this.catalog.all(session.account, 'STREAM')].map(stream => [stream, stream.offset]));
		} else if (session.transaction) {
			await session.connection.run(word);
			session.transaction = false;
			if (word === 'ROLLBACK')
				this.undo(session);
		}
		return status('Statement executed successfully.');
	}
	// what a transaction did beside DuckDB's rows
	undo(session) {
		for (const [stream, offset] of session.offsets)
			stream.offset = offset;
		session.undo.reverse().forEach(one => one());
		session.undo = [];
	}
	async execute(session, reader) {
		reader.expect('EXECUTE');
		if (reader.take('TASK'))
			return executeTask(this, session, reader);
		reader.expect('IMMEDIATE');
		const inner = statements(reader.string());
		reader.end();
		let result = status('Statement executed successfully.');
		for (const one of inner.flatMap(blockOf))
			result = await this.run(session, one);
		return result;
	}
}

// What DuckDB complains about, as Snowflake says it: [pattern, code, sqlState, message of its match].
const unresolved = 'SQL compilation error: error line 1 at position 0\ninvalid identifier';
const FAILURES = [
	[/Referenced (?:column|table) "([^"]+)" not found/, '000904', '42000', m => `${unresolved} '${snowName(m[1])}'`],
	[/does not have a column named "([^"]+)"/, '000904', '42000', m => `${unresolved} '${snowName(m[1])}'`],
	[/column named "?([^" ]+)"? (?:does not exist|not found)/, '000904', '42000', m => `${unresolved} '${snowName(m[1])}'`],
	[/"([^"]+)" not found in FROM/, '000904', '42000', m => `${unresolved} '${snowName(m[1])}'`],
	[/Table with name (\S+) does not exist/, '002003', '02000',
		m => `SQL compilation error:\nObject '${snowName(m[1])}' does not exist or not authorized.`],
	[/NOT NULL constraint failed/, '100072', '22000', () => 'NULL result in a non-nullable column'],
	[/^(.*out of range.*)/i, '100039', '22003', m => m[1]],
	[/^((?:Conversion Error|.*Could not cast).*)/i, '100038', '22018', m => m[1]],
	[/Function with name "?(\w+)"? does not exist/, '002140', '42601',
		m => `SQL compilation error:\nUnknown function ${nameOfFunction(m[1])}`],
	[/No function matches the given name and argument types '?(\w+)/, '002140', '42601',
		m => `SQL compilation error:\nUnknown function ${nameOfFunction(m[1])}`],
	[/^(.*(?:must appear in the GROUP BY|aggregate).*)/i, '000979', '42601', m => `SQL compilation error:\n${m[1]}`],
	[/^(.*)/, '000900', '42000', m => `SQL compilation error:\n${m[1]}`],
];
const nameOfFunction = name => name.toUpperCase().replace(/^SF_/, '');
export function failure(error, sql) {
	if (error instanceof SqlError)
		return error;
	const said = /SF\|(\w+)\|(\w+)\|([\s\S]*?)\|FS/.exec(error.message);
	let made;
	if (said) {
		made = new SqlError(said[1], said[2], said[3]);
	} else {
		const [pattern, code, sqlState, message] = FAILURES.find(([one]) => one.test(error.message));
		made = new SqlError(code, sqlState, message(pattern.exec(error.message)));
	}
	made.detail = `${error.message}\n${sql}`;
	return made;
}

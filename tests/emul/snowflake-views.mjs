// Tables of DuckDB that stand for what is not one: streams, masked tables, INFORMATION_SCHEMA.

import { informationRows } from './snowflake-information.mjs';
import { SqlError, duckName, quote, shown } from './snowflake-text.mjs';
import { missing } from './snowflake-catalog.mjs';

const duckTable = path => path.map(quote).join('.');

export function demandRead(engine, session, object) {
	engine.catalog.demand(session, 'SELECT', object);
	for (const outer of [['DATABASE', object.path.slice(0, 1)], ['SCHEMA', object.path.slice(0, 2)]])
		engine.catalog.demand(session, 'USAGE', engine.catalog.peek(session.account, ...outer));
}

// Where a table, view or stream is read from. What has to be made first is put into `prepare`.
export function refreshView(engine, session, object, prepare) {
	const name = object.duck[2];
	if (object.kind === 'STREAM') {
		const view = [...object.duck.slice(0, 2), `${name}{-STREAM}`], { source } = object;
		prepare.push(() => session.connection.run(`CREATE OR REPLACE VIEW ${duckTable(view)} AS SELECT *, 'INSERT' AS "METADATA$ACTION", false AS "METADATA$ISUPDATE", ` +
			`CAST(rowid AS VARCHAR) AS "METADATA$ROW_ID" FROM ${duckTable(source.duck)} WHERE rowid >= ${object.offset}`));
		return view;
	}
	const masked = object.columns?.filter(column => column.policy) ?? [];
	if (masked.length) {
		const view = [...object.duck.slice(0, 2), `${name}{-MASKED}`];
		prepare.push(async () => {
			const columns = [];
			for (const column of masked) {
				const policy = column.policy, body = await engine.rewritten(session, policy.statement());
				columns.push(`(${body.replaceAll(quote(duckName(policy.argument)), quote(duckName(column.name))).replace(/^SELECT /, '')}) AS ${quote(duckName(column.name))}`);
			}
			await session.connection.run(`CREATE OR REPLACE VIEW ${duckTable(view)} AS SELECT * REPLACE (${columns.join(', ')}) FROM ${duckTable(object.duck)}`);
		});
		return view;
	}
	return object.duck;
}

export function informationSchema(engine, session, parts, prepare) {
	const database = parts.length === 3 ? parts[0] : session.database, view = parts[parts.length - 1];
	if (!database)
		throw new SqlError('090105', '22000', "Cannot perform SELECT. This session does not have a current database. Call 'USE DATABASE', or use a qualified name.");
	engine.catalog.find(session, 'DATABASE', [database], { privilege: 'USAGE' });
	const found = informationRows(engine, session, database, view);
	if (!found)
		throw missing('OBJECT', `${shown(database)}.INFORMATION_SCHEMA.${shown(view)}`);
	const name = `SF$IS$${view}`;
	session.reads.push({ kind: 'VIEW', name: view });
	prepare.push(async () => {
		await session.connection.run(`CREATE OR REPLACE TEMPORARY TABLE ${quote(name)} (${found.columns.map(([column, type]) => `${quote(duckName(column))} ${type}`).join(', ')})`);
		await engine.fill(session, `temp.main.${quote(name)}`, found.columns, found.rows());
	});
	return ['temp', 'main', name];
}

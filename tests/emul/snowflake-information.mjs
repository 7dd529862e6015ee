// The views of INFORMATION_SCHEMA: of one database, and only what the role may see.

import { nameOf } from './snowflake-text.mjs';

const T = 'VARCHAR', N = 'BIGINT', W = 'TIMESTAMPTZ';
const stamp = at => at === null || at === undefined ? null : new Date(at).toISOString();
const yes = value => value ? 'YES' : 'NO';
const dataType = t => ({ NUMBER: 'NUMBER', VARCHAR: 'TEXT' })[t.name] ?? t.name;

const VIEWS = {
	DATABASES: { columns: { DATABASE_NAME: T, DATABASE_OWNER: T, IS_TRANSIENT: T, COMMENT: T, CREATED: W, LAST_ALTERED: W,
		RETENTION_TIME: N, TYPE: T }, of: w => w.databases,
		row: o => [o.name, o.owner, yes(o.transient), o.comment || null, stamp(o.created), stamp(o.created), o.retention, 'STANDARD'] },
	SCHEMATA: { columns: { CATALOG_NAME: T, SCHEMA_NAME: T, SCHEMA_OWNER: T, IS_TRANSIENT: T, IS_MANAGED_ACCESS: T,
		RETENTION_TIME: N, CREATED: W, LAST_ALTERED: W, COMMENT: T }, of: w => w.schemas,
		row: o => [o.path[0], o.name, o.owner, 'NO', yes(o.managed), o.retention ?? 1, stamp(o.created), stamp(o.created),
			o.comment || null] },
	TABLES: { columns: { TABLE_CATALOG: T, TABLE_SCHEMA: T, TABLE_NAME: T, TABLE_OWNER: T, TABLE_TYPE: T, IS_TRANSIENT: T,
		CLUSTERING_KEY: T, ROW_COUNT: N, BYTES: N, RETENTION_TIME: N, CREATED: W, LAST_ALTERED: W, LAST_DDL: W,
		AUTO_CLUSTERING_ON: T, COMMENT: T, IS_TEMPORARY: T, IS_ICEBERG: T, IS_DYNAMIC: T, IS_IMMUTABLE: T, IS_HYBRID: T },
			of: w => w.all(['TABLE', 'VIEW', 'DYNAMIC TABLE']),
		row: o => [...o.path, o.owner, o.kind === 'VIEW' ? 'VIEW' : 'BASE TABLE', o.kind === 'VIEW' ? null : yes(o.transient),
			o.clusterBy ? `LINEAR(${o.clusterBy})` : null, o.kind === 'VIEW' ? null : 0, o.kind === 'VIEW' ? null : 0,
			o.kind === 'VIEW' ? null : o.retention ?? 1, stamp(o.created), stamp(o.created), stamp(o.created), yes(o.clusterBy),
				o.comment || null, 'NO', 'NO', yes(o.kind === 'DYNAMIC TABLE'), 'NO', 'NO'] },
	VIEWS: { columns: { TABLE_CATALOG: T, TABLE_SCHEMA: T, TABLE_NAME: T, TABLE_OWNER: T, VIEW_DEFINITION: T, CHECK_OPTION: T,
		IS_UPDATABLE: T, INSERTABLE_INTO: T, IS_SECURE: T, CREATED: W, LAST_ALTERED: W, COMMENT: T }, of: w => w.all('VIEW'),
		row: o => [...o.path, o.owner, o.text, 'NONE', 'NO', 'NO', yes(o.secure), stamp(o.created), stamp(o.created), o.comment || null] },
	COLUMNS: { columns: { TABLE_CATALOG: T, TABLE_SCHEMA: T, TABLE_NAME: T, COLUMN_NAME: T, ORDINAL_POSITION: N,
		COLUMN_DEFAULT: T, IS_NULLABLE: T, DATA_TYPE: T, CHARACTER_MAXIMUM_LENGTH: N, CHARACTER_OCTET_LENGTH: N, NUMERIC_PRECISION: N,
		NUMERIC_PRECISION_RADIX: N, NUMERIC_SCALE: N, DATETIME_PRECISION: N, COLLATION_NAME: T, IS_IDENTITY: T, COMMENT: T },
			of: w => w.all(['TABLE', 'VIEW', 'DYNAMIC TABLE']), many: true,
		row: o => o.columns.map((c, i) => [...o.path, c.name, i + 1, c.fallback, yes(c.nullable), dataType(c.type),
			c.type.length ?? null, c.type.length ?? null, c.type.precision ?? null, c.type.name === 'NUMBER' ? 10 : null,
			c.type.name === 'NUMBER' ? c.type.scale : null, /^TIME/.test(c.type.name) ? c.type.scale : null, null, 'NO', c.comment]) },
	PIPES: { columns: { PIPE_CATALOG: T, PIPE_SCHEMA: T, PIPE_NAME: T, PIPE_OWNER: T, DEFINITION: T, IS_AUTOINGEST_ENABLED: T,
		NOTIFICATION_CHANNEL_NAME: T, CREATED: W, LAST_ALTERED: W, COMMENT: T, PATTERN: T }, of: w => w.all('PIPE'),
		row: o => [...o.path, o.owner, o.text, yes(o.auto), o.channel, stamp(o.created), stamp(o.created), o.comment || null,
			o.copy.options.PATTERN ?? null] },
	STAGES: { columns: { STAGE_CATALOG: T, STAGE_SCHEMA: T, STAGE_NAME: T, STAGE_URL: T, STAGE_REGION: T, STAGE_TYPE: T,
		STAGE_OWNER: T, COMMENT: T, CREATED: W, LAST_ALTERED: W, ENDPOINT: T, DIRECTORY_ENABLED: T }, of: w => w.all('STAGE'),
		row: o => [...o.path, o.url || null, 'us-east-1', o.url ? 'External Named' : 'Internal Named', o.owner, o.comment || null,
			stamp(o.created), stamp(o.created), null, 'NO'] },
	FILE_FORMATS: { columns: { FILE_FORMAT_CATALOG: T, FILE_FORMAT_SCHEMA: T, FILE_FORMAT_NAME: T, FILE_FORMAT_OWNER: T,
		FILE_FORMAT_TYPE: T, COMPRESSION: T, CREATED: W, LAST_ALTERED: W, COMMENT: T }, of: w => w.all('FILE FORMAT'),
		row: o => [...o.path, o.owner, String(o.options.TYPE ?? 'CSV'), String(o.options.COMPRESSION ?? 'AUTO'), stamp(o.created),
			stamp(o.created), o.comment || null] },
	OBJECT_PRIVILEGES: { columns: { GRANTOR: T, GRANTEE: T, GRANTED_TO: T, OBJECT_CATALOG: T, OBJECT_SCHEMA: T, OBJECT_NAME: T,
		OBJECT_TYPE: T, PRIVILEGE_TYPE: T, IS_GRANTABLE: T, CREATED: W }, many: true,
		of: w => [...w.databases, ...w.schemas, ...w.all(['TABLE', 'VIEW', 'DYNAMIC TABLE', 'PIPE', 'STAGE', 'FILE FORMAT',
			'STREAM', 'TASK', 'MASKING POLICY'])],
		row: o => [...o.grants, { privilege: 'OWNERSHIP', role: o.owner, by: o.owner, grantable: true }].map(g => [g.by ??
			o.owner, g.role, 'ROLE', o.path.length > 1 ? o.path[0] : null, o.path.length > 2 ? o.path[1] : null, o.name,
			o.kind === 'DYNAMIC TABLE' ? 'TABLE' : o.kind, g.privilege, yes(g.grantable), stamp(o.created)]) },
	APPLICABLE_ROLES: { columns: { GRANTEE: T, ROLE_NAME: T, ROLE_OWNER: T, IS_GRANTABLE: T }, of: w => [...w.roles],
		row: (o, s) => [s.user.name, o, '', 'NO'] },
	ENABLED_ROLES: { columns: { ROLE_NAME: T, ROLE_OWNER: T }, of: w => [...w.roles], row: o => [o, ''] },
	LOAD_HISTORY: { columns: { SCHEMA_NAME: T, FILE_NAME: T, TABLE_NAME: T, LAST_LOAD_TIME: W, STATUS: T, ROW_COUNT: N,
		ROW_PARSED: N, FIRST_ERROR_MESSAGE: T, FIRST_ERROR_LINE_NUMBER: N, ERROR_COUNT: N }, of: w => w.all('TABLE'), many: true,
		row: o => o.history.filter(e => !e.pipe).map(e => [o.path[1], e.file, o.name, stamp(e.at), e.status, e.loaded, e.parsed,
			e.error?.message ?? null, e.error?.line ?? null, e.errors]) },
};
VIEWS.TABLE_PRIVILEGES = { ...VIEWS.OBJECT_PRIVILEGES, columns: { GRANTOR: T, GRANTEE: T, GRANTED_TO: T, TABLE_CATALOG: T,
	TABLE_SCHEMA: T, TABLE_NAME: T, OBJECT_TYPE: T, PRIVILEGE_TYPE: T, IS_GRANTABLE: T, CREATED: W },
	of: w => w.all(['TABLE', 'VIEW', 'DYNAMIC TABLE']) };

// {columns: [[name, type]], rows()} of a view, or null when there is none of that name.
export function informationRows(engine, session, database, name) {
	const view = VIEWS[name], { catalog } = engine;
	if (!view)
		return null;
	return { columns: Object.entries(view.columns), rows: () => {
		const seen = objects => [...objects].filter(o => catalog.visible(session, o)), { account } = session,
			here = account.databases.get(database);
		const world = { databases: seen(account.databases.values()), schemas: seen(here.schemas.values()),
			roles: catalog.roles(session), all: kinds => seen(catalog.all(account, kinds, database)) };
		return view.many ? [...view.of(world)].flatMap(o => view.row(o, session)) : [...view.of(world)].map(o => view.row(o, session));
	} };
}
export function refreshes(engine, session, args) {
	const columns = [['NAME', T], ['SCHEMA_NAME', T], ['DATABASE_NAME', T], ['STATE', T], ['STATE_CODE', T], ['STATE_MESSAGE', T],
		['DATA_TIMESTAMP', W], ['REFRESH_START_TIME', W], ['REFRESH_END_TIME', W], ['REFRESH_ACTION', T]];
	const wanted = args.NAME && nameOf(args.NAME);
	return { columns, rows: [...engine.catalog.all(session.account, 'DYNAMIC TABLE')].filter(o => o.refreshed &&
		(!wanted || o.name === wanted[wanted.length - 1]))
		.map(o => [o.name, o.path[1], o.path[0], 'SUCCEEDED', 'SUCCESS', null, stamp(o.refreshed), stamp(o.refreshed),
			stamp(o.refreshed), 'FULL']) };
}

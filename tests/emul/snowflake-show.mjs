// SHOW, DESCRIBE, the functions SYSTEM$... and the table functions of INFORMATION_SCHEMA.

import { missing } from './snowflake-catalog.mjs';
import { table } from './snowflake-engine.mjs';
import { refreshes } from './snowflake-information.mjs';
import { SqlError, like, nameOf, shown } from './snowflake-text.mjs';
import { shownType } from './snowflake-types.mjs';

const DAY = 86400000;
const when = name => ({ name, type: 'timestamp_ltz', nullable: true, precision: 0, scale: 3 });
const at = ms => ms === null || ms === undefined ? null : `${Math.floor(ms / 1000)}.${String(ms % 1000).padStart(3, '0')}000000`;
const yes = value => value ? 'Y' : 'N', word = value => String(Boolean(value));
const retention = object => String(object.retention ?? 1);
const formatText = format => format ? JSON.stringify({ TYPE: 'JSON', ...format, name: undefined }) : '';

// Kinds: the columns after created_on and name, and an object's values for them.
const place = object => [object.path[0], object.path[1]];
const LISTS = {
	DATABASES: { kind: 'DATABASE', columns: ['is_default', 'is_current', 'origin', 'owner', 'comment', 'options',
		'retention_time', 'kind', 'owner_role_type'],
		values: (o, s) => ['N', yes(s.database === o.name), '', o.owner, o.comment, o.transient ? 'TRANSIENT' : '', retention(o),
			'STANDARD', 'ROLE'] },
	SCHEMAS: { kind: 'SCHEMA', columns: ['is_default', 'is_current', 'database_name', 'owner', 'comment', 'options',
		'retention_time', 'owner_role_type'],
		values: (o, s) => ['N', yes(s.schema === o.name && s.database === o.path[0]), o.path[0], o.owner, o.comment,
			o.managed ? 'MANAGED ACCESS' : '', retention(o), 'ROLE'] },
	TABLES: { kind: ['TABLE', 'DYNAMIC TABLE'], columns: ['database_name', 'schema_name', 'kind', 'comment', 'cluster_by', 'rows',
		'bytes', 'owner', 'retention_time', 'automatic_clustering', 'change_tracking', 'is_external',
		'enable_schema_evolution', 'owner_role_type', 'is_event', 'is_hybrid', 'is_iceberg', 'is_dynamic', 'is_immutable'],
		values: o => [...place(o), o.transient ? 'TRANSIENT' : 'TABLE', o.comment, o.clusterBy ? `LINEAR(${o.clusterBy})` : '',
			'0', '0', o.owner, retention(o), o.clusterBy ? 'ON' : 'OFF', o.changeTracking ? 'ON' : 'OFF', 'N', 'N', 'ROLE',
			'N', 'N', 'N', yes(o.kind === 'DYNAMIC TABLE'), 'N'] },
	VIEWS: { kind: 'VIEW', columns: ['reserved', 'database_name', 'schema_name', 'owner', 'comment', 'text', 'is_secure',
		'is_materialized', 'owner_role_type', 'change_tracking'],
		values: o => ['', ...place(o), o.owner, o.comment, o.text, word(o.secure), 'false', 'ROLE', 'OFF'] },
	'DYNAMIC TABLES': { kind: 'DYNAMIC TABLE', columns: ['database_name', 'schema_name', 'cluster_by', 'rows', 'bytes', 'owner',
		'target_lag', 'refresh_mode', 'refresh_mode_reason', 'warehouse', 'comment', 'text', 'automatic_clustering',
		'scheduling_state', when('last_suspended_on'), 'is_clone', 'is_replica', 'is_iceberg', when('data_timestamp'), 'owner_role_type'],
		values: o => [...place(o), o.clusterBy ? `LINEAR(${o.clusterBy})` : '', '0', '0', o.owner, o.lag,
			o.refreshMode === 'AUTO' ? 'INCREMENTAL' : o.refreshMode, null, o.warehouse, o.comment, o.text,
			o.clusterBy ? 'ON' : 'OFF', o.state,
			o.state === 'ACTIVE' ? null : at(o.created), 'false', 'false', 'false', at(o.refreshed), 'ROLE'] },
	PIPES: { kind: 'PIPE', columns: ['database_name', 'schema_name', 'definition', 'owner', 'notification_channel', 'comment',
		'integration', 'pattern', 'error_integration', 'owner_role_type', 'invalid_reason', 'kind'],
		values: o => [...place(o), o.text, o.owner, o.channel, o.comment, null, o.copy.options.PATTERN ?? null, null, 'ROLE',
			null, 'STAGE'] },
	STAGES: { kind: 'STAGE', columns: ['database_name', 'schema_name', 'url', 'has_credentials', 'has_encryption_key', 'owner',
		'comment', 'region', 'type', 'cloud', 'notification_channel', 'storage_integration', 'endpoint', 'owner_role_type',
		'directory_enabled'], values: o => [...place(o), o.url, yes(o.integration), 'N', o.owner, o.comment, 'us-east-1',
			o.url ? 'EXTERNAL' : 'INTERNAL', o.url ? 'AWS' : null, null, o.integration, null, 'ROLE', 'N'] },
	'FILE FORMATS': { kind: 'FILE FORMAT', columns: ['database_name', 'schema_name', 'type', 'owner', 'comment', 'format_options',
		'owner_role_type'],
		values: o => [...place(o), String(o.options.TYPE), o.owner, o.comment, formatText(o.options), 'ROLE'] },
	STREAMS: { kind: 'STREAM', columns: ['database_name', 'schema_name', 'owner', 'comment', 'table_name', 'source_type',
		'base_tables', 'type', 'stale', 'mode', when('stale_after'), 'invalid_reason', 'owner_role_type'],
		values: (o, s, engine) => {
			const gone = engine.catalog.peek(s.account, 'TABLE', o.source.path) !== o.source;
			return [...place(o), o.owner, o.comment, o.source.path.join('.'), 'Table', o.source.path.join('.'), 'DELTA',
				word(gone), o.appendOnly ? 'APPEND_ONLY' : 'DEFAULT', at(engine.world.now() + 14 * DAY),
				gone ? 'Base table dropped' : 'N/A', 'ROLE'];
		} },
	TASKS: { kind: 'TASK', columns: ['id', 'database_name', 'schema_name', 'owner', 'comment', 'warehouse', 'schedule',
		'predecessors', 'state', 'definition', 'condition', 'allow_overlapping_execution', 'error_integration', when('last_committed_on'),
		when('last_suspended_on'), 'owner_role_type', 'config'],
		values: o => ['01ad-0', ...place(o), o.owner, o.comment, o.warehouse, o.schedule,
			JSON.stringify(o.after.map(parts => parts.join('.'))), o.state, o.body.sql, o.when, word(o.overlap), null, null, null,
			'ROLE', null] },
	'MASKING POLICIES': { kind: 'MASKING POLICY', columns: ['database_name', 'schema_name', 'kind', 'owner', 'comment',
		'owner_role_type', 'options'],
		values: o => [...place(o), 'MASKING_POLICY', o.owner, o.comment, 'ROLE', ''] },
	WAREHOUSES: { kind: 'WAREHOUSE', created: false, columns: ['state', 'type', 'size', 'running', 'queued', 'is_default',
		'is_current', 'auto_suspend', 'auto_resume', 'owner', 'comment', 'resource_monitor'],
		values: (o, s) => [o.state, 'STANDARD', o.size, '0', '0', yes(s.user.defaultWarehouse === o.name),
			yes(s.warehouse === o.name), '600', word(o.autoResume), o.owner, o.comment, o.monitor ?? 'null'] },
	ROLES: { kind: 'ROLE', columns: ['is_default', 'is_current', 'is_inherited', 'assigned_to_users', 'granted_to_roles',
		'granted_roles', 'owner', 'comment'],
		values: (o, s) => [yes(s.user.defaultRole === o.name), yes(s.role === o.name), 'N',
			String([...s.account.users.values()].filter(u => u.roles.has(o.name)).length),
			String([...s.account.roles.values()].filter(r => r.roles.has(o.name)).length),
			String(o.roles.size), o.owner, o.comment] },
	INTEGRATIONS: { kind: 'INTEGRATION', created: false, columns: ['type', 'category', 'enabled', 'comment', when('created_on')],
		values: o => [o.type, o.type === 'QUEUE' ? 'NOTIFICATION' : 'STORAGE', word(o.enabled), o.comment, at(o.created)] },
};
LISTS['STORAGE INTEGRATIONS'] = LISTS.INTEGRATIONS;
const OUTER = ['DATABASES', 'WAREHOUSES', 'ROLES', 'INTEGRATIONS', 'STORAGE INTEGRATIONS'];

export function show(engine, session, reader) {
	reader.expect('SHOW');
	const terse = reader.take('TERSE');
	if (reader.is('GRANTS') || reader.is('FUTURE', 'GRANTS'))
		return grants(engine, session, reader);
	if (reader.take('USERS')) {
		const pattern = reader.take('LIKE') ? like(reader.string()) : null;
		return table(['name', when('created_on'), 'login_name', 'disabled', 'default_warehouse', 'default_role', 'owner',
			'has_rsa_public_key'], [...session.account.users.values()].filter(u => !pattern || pattern.test(u.name))
			.map(u => [u.name, at(0), u.name, word(u.disabled), u.defaultWarehouse, u.defaultRole, 'USERADMIN', word(u.keys[0])]));
	}
	if (reader.take('PARAMETERS'))
		return reader.rest(), table(['key', 'value', 'default', 'level', 'description', 'type'],
			[['TIMEZONE', 'UTC', 'America/Los_Angeles', 'ACCOUNT', '', 'STRING']]);
	const words = [reader.word()];
	if (!LISTS[words[0]])
		words.push(reader.word());
	const name = words.join(' ') === 'OBJECTS' ? 'TABLES' : words.join(' '), list = LISTS[name];
	if (!list) {
		reader.at--;
		throw reader.unexpected();
	}
	let pattern = null, database = null, schema = null, starts = null, limit = Infinity;
	if (reader.take('HISTORY')) {
		// nothing that was dropped is kept
	}
	if (reader.take('LIKE'))
		pattern = like(reader.string());
	if (reader.take('IN')) {
		if (reader.take('ACCOUNT')) {
			// all of it
		} else if (reader.take('DATABASE')) {
			database = reader.done || reader.is('STARTS') ? session.database
				: engine.catalog.find(session, 'DATABASE', reader.name(), { privilege: 'USAGE' }).name;
		} else {
			const inSchema = reader.take('SCHEMA'), parts = reader.name();
			if (inSchema || parts.length === 2 || name !== 'SCHEMAS' && !engine.catalog.find(session, 'DATABASE', parts, { missing: true }))
				[database, schema] = engine.catalog.find(session, 'SCHEMA', parts, { privilege: 'USAGE' }).path;
			else
				database = engine.catalog.find(session, 'DATABASE', parts, { privilege: 'USAGE' }).name;
		}
	} else if (!OUTER.includes(name)) {
		database = session.database;
		schema = name === 'SCHEMAS' ? null : session.schema;
	}
	if (reader.take('STARTS', 'WITH'))
		starts = reader.string();
	if (reader.take('LIMIT'))
		limit = reader.value();
	let from = null;
	if (reader.take('FROM'))
		from = reader.string();
	reader.end();
	const all = OUTER.includes(name) ? [...engine.catalog.collection(session.account, list.kind, []).values()]
		: name === 'SCHEMAS' ? [...session.account.databases.values()].filter(d => !database ||
			d.name === database).flatMap(d => [...d.schemas.values()])
			: [...engine.catalog.all(session.account, list.kind, database, schema)];
	const rows = all.filter(o => engine.catalog.visible(session, o) && (!pattern || pattern.test(o.name)) &&
		(!starts || o.name.startsWith(starts)) && (!from || o.name > from))
		.sort((a, b) => a.path.join('.') < b.path.join('.') ? -1 : 1).slice(0, Math.min(limit, 10000))
		.map(o => [...(list.created === false ? [o.name] : [at(o.created), o.name]), ...list.values(o, session, engine)]);
	const columns = [...(list.created === false ? ['name'] : [when('created_on'), 'name']), ...list.columns];
	const keep = terse ? columns.map((c, i) => ['created_on', 'name', 'kind', 'database_name', 'schema_name'].includes(c.name ??
		c) ? i : -1).filter(i => i >= 0) : columns.map((_, i) => i);
	return table(keep.map(i => columns[i]), rows.map(row => keep.map(i => row[i])));
}

const shownPath = object => object.path.map(shown).join('.');
function grants(engine, session, reader) {
	const future = reader.take('FUTURE');
	reader.expect('GRANTS');
	const columns = [when('created_on'), 'privilege', future ? 'grant_on' : 'granted_on', 'name',
		future ? 'grant_to' : 'granted_to', 'grantee_name', 'grant_option', ...(future ? [] : ['granted_by'])];
	const row = (object, g) => [at(object.created ?? 0), g.privilege, (g.on ?? object.kind).replace(' ', '_'), g.name ??
		shownPath(object), 'ROLE', g.role, 'false', ...(future ? [] : [g.by ?? object.owner])];
	const every = function* () {
		yield session.account;
		for (const one of [session.account.databases, session.account.warehouses, session.account.integrations, session.account.roles])
			yield* one.values();
		for (const d of session.account.databases.values())
			yield* d.schemas.values();
		yield* engine.catalog.all(session.account, ['TABLE', 'VIEW', 'DYNAMIC TABLE', 'PIPE', 'STAGE', 'FILE FORMAT', 'STREAM',
			'TASK', 'MASKING POLICY']);
	};
	const of = object => [...object.grants, { privilege: 'OWNERSHIP', role: object.owner }];
	if (future) {
		reader.take('IN') || reader.take('TO', 'ROLE');
		const kind = reader.word(), outer = engine.catalog.find(session, kind, reader.name());
		reader.end();
		return table(columns, (outer.future ?? []).map(g => row(outer, { ...g, on: g.kind, name: `${shownPath(outer)}.<${g.kind}>` })));
	}
	if (reader.take('TO')) {
		if (reader.take('USER')) {
			const user = session.account.users.get(reader.part());
			if (!user)
				throw missing('USER', '?');
			return table([when('created_on'), 'role', 'granted_to', 'grantee_name', 'granted_by'],
				[...user.roles].filter(r => r !== 'PUBLIC').map(r => [at(0), r, 'USER', user.name, 'SECURITYADMIN']));
		}
		reader.take('ROLE');
		const role = session.account.roles.get(reader.part());
		reader.end();
		if (!role)
			throw missing('ROLE', '?');
		return table(columns, [...[...role.roles].map(name => row({ kind: 'ROLE', path: [name], owner: 'SECURITYADMIN' },
			{ privilege: 'USAGE', role: role.name })),
			...[...every()].flatMap(object => of(object).filter(g => g.role === role.name).map(g => row(object, g)))]);
	}
	if (reader.take('OF')) {
		reader.take('ROLE');
		const name = reader.part();
		reader.end();
		return table([when('created_on'), 'role', 'granted_to', 'grantee_name', 'granted_by'], [
			...[...session.account.roles.values()].filter(r => r.roles.has(name)).map(r => [at(0), name, 'ROLE', r.name, 'SECURITYADMIN']),
			...[...session.account.users.values()].filter(u => u.roles.has(name)).map(u => [at(0), name, 'USER', u.name,
				'SECURITYADMIN'])]);
	}
	if (reader.done)
		return table(columns, [...every()].flatMap(object => of(object).filter(g => g.role === session.role).map(g => row(object, g))));
	reader.expect('ON');
	if (reader.take('ACCOUNT'))
		return table(columns, of(session.account).map(g => row(session.account, g)));
	const words = ['DYNAMIC', 'FILE', 'MASKING', 'STORAGE'].includes(reader.next?.value) ? `${reader.word()} ${reader.word()}`
		: reader.word();
	const object = engine.catalog.find(session, words === 'STORAGE INTEGRATION' ? 'INTEGRATION' : words, reader.name());
	reader.end();
	return table(columns, of(object).map(g => row(object, g)));
}

export function describe(engine, session, reader) {
	reader.word();
	const words = ['DYNAMIC', 'FILE', 'MASKING', 'STORAGE', 'NOTIFICATION'].includes(reader.next?.value)
		? `${reader.word()} ${reader.word()}` : reader.word();
	const kind = / INTEGRATION$/.test(words) ? 'INTEGRATION' : words, parts = reader.name();
	reader.take('TYPE', '=', 'COLUMNS');
	reader.end();
	if (kind === 'USER') {
		const user = session.account.users.get(parts[0]);
		if (!user)
			throw missing('USER', shown(parts[0]));
		const rows = [['NAME', user.name], ['DEFAULT_ROLE', user.defaultRole], ['DEFAULT_WAREHOUSE', user.defaultWarehouse],
			['DISABLED', word(user.disabled)], ['RSA_PUBLIC_KEY_FP', user.keys[0]?.fingerprint ?? 'null'],
			['RSA_PUBLIC_KEY_2_FP', user.keys[1]?.fingerprint ?? 'null']];
		return table(['property', 'value', 'default', 'description'], rows.map(([p, v]) => [p, v, 'null', '']));
	}
	const object = engine.catalog.find(session, kind, parts), type = ['property', 'property_type', 'property_value', 'property_default'];
	switch (kind) {
	case 'TABLE': case 'VIEW': case 'DYNAMIC TABLE': case 'STREAM':
		return table(['name', 'type', 'kind', 'null?', 'default', 'primary key', 'unique key', 'check', 'expression', 'comment',
			'policy name', 'privacy domain'],
			object.columns.map(c => [c.name, shownType(c.type), 'COLUMN', yes(c.nullable), c.fallback, 'N', 'N', null, null,
				c.comment, c.policy ? c.policy.path.join('.') : null, null]));
	case 'INTEGRATION':
		return table(type, object.type === 'QUEUE' ? [['ENABLED', 'Boolean', 'true', 'false']]
			: [['ENABLED', 'Boolean', word(object.enabled), 'false'], ['STORAGE_PROVIDER', 'String', object.options.STORAGE_PROVIDER, ''],
			['STORAGE_ALLOWED_LOCATIONS', 'List', object.allowed.join(','), '[]'],
				['STORAGE_BLOCKED_LOCATIONS', 'List', [].concat(object.options.STORAGE_BLOCKED_LOCATIONS ?? []).join(','), '[]'],
			['STORAGE_AWS_IAM_USER_ARN', 'String', 'arn:aws:iam::390000000000:user/externalstages/rv0001', ''],
				['STORAGE_AWS_ROLE_ARN', 'String', object.options.STORAGE_AWS_ROLE_ARN, ''],
			['STORAGE_AWS_EXTERNAL_ID', 'String', object.external, ''], ['COMMENT', 'String', object.comment, '']]);
	case 'STAGE':
		return table(['parent_property', ...type], [['STAGE_LOCATION', 'URL', 'String', JSON.stringify([object.url]), ''],
			['STAGE_INTEGRATION', 'STORAGE_INTEGRATION', 'String', object.integration, ''],
			...Object.entries(object.format ?? {}).filter(([key]) => key !== 'name').map(([key, value]) => ['STAGE_FILE_FORMAT',
				key, 'String', String(value), ''])]);
	case 'FILE FORMAT': return table(type, Object.entries({ TYPE: 'CSV', ...object.options }).map(([key, value]) => [key,
		typeof value === 'boolean' ? 'Boolean' : 'String', String(value), '']));
	case 'MASKING POLICY': return table(['name', 'signature', 'return_type', 'body'],
		[[object.name, `(${object.argument} ${shownType(object.type)})`, shownType(object.type), object.body]]);
	default: {
		const list = Object.values(LISTS).find(one => [].concat(one.kind).includes(kind));
		if (!list)
			throw new SqlError('002003', '0A000', `SQL compilation error:\nUnsupported feature 'DESCRIBE ${kind}'.`);
		return table([...(list.created === false ? ['name'] : [when('created_on'), 'name']), ...list.columns],
			[[...(list.created === false ? [object.name] : [at(object.created), object.name]), ...list.values(object, session, engine)]]);
	}
	}
}

// ---- SYSTEM$...
export async function systemFunction(engine, session, name, args) {
	const { service } = engine.world.snowflake;
	switch (name) {
	case 'SYSTEM$PIPE_STATUS': {
		const pipe = engine.catalog.find(session, 'PIPE', nameOf(args[0]));
		if (!engine.catalog.may(session, 'MONITOR', pipe) && !engine.catalog.may(session, 'OPERATE', pipe))
			throw missing('PIPE', args[0]);
		return JSON.stringify(service.snowpipe.status(pipe));
	}
	case 'SYSTEM$PIPE_FORCE_RESUME': {
		const pipe = engine.catalog.find(session, 'PIPE', nameOf(args[0]), { privilege: 'OWNERSHIP' });
		pipe.paused = false;
		service.snowpipe.pump();
		return 'Execution state: RUNNING';
	}
	case 'SYSTEM$STREAM_HAS_DATA': {
		const stream = engine.catalog.find(session, 'STREAM', nameOf(args[0]));
		return await engine.end(session, stream.source) > stream.offset;
	}
	case 'SYSTEM$TYPEOF': return 'VARCHAR(16777216)[LOB]';
	case 'SYSTEM$WAIT': return 'waited';
	default: throw new SqlError('002140', '42601', `SQL compilation error:\nUnknown function ${name}`);
	}
}

// ---- TABLE(...)
const time = value => value?.micros !== undefined ? Number(value.micros / 1000n) : value?.days !== undefined ? value.days * DAY
	: Date.parse(value);
const stamp = ms => ms === null || ms === undefined ? null : new Date(ms).toISOString();
export async function tableFunction(engine, session, name, args, database) {
	void database;
	switch (name) {
	case 'COPY_HISTORY': {
		const object = engine.catalog.find(session, 'TABLE', nameOf(String(args.TABLE_NAME ?? args[0]))), now = engine.world.now();
		const from = time(args.START_TIME ?? args[1]), to = args.END_TIME === undefined ? Infinity : time(args.END_TIME);
		if (!(from >= now - 14 * DAY - 60000))
			throw new SqlError('100351', '22023', 'Cannot retrieve data from more than 14 days ago');
		const pipe = args.PIPE_NAME === undefined ? null : nameOf(args.PIPE_NAME).join('.');
		const columns = [['FILE_NAME', 'VARCHAR'], ['STAGE_LOCATION', 'VARCHAR'], ['LAST_LOAD_TIME', 'TIMESTAMPTZ'],
			['ROW_COUNT', 'BIGINT'], ['ROW_PARSED', 'BIGINT'], ['FILE_SIZE', 'BIGINT'], ['FIRST_ERROR_MESSAGE', 'VARCHAR'],
			['FIRST_ERROR_LINE_NUMBER', 'BIGINT'], ['FIRST_ERROR_CHARACTER_POS', 'BIGINT'],
				['FIRST_ERROR_COLUMN_NAME', 'VARCHAR'], ['ERROR_COUNT', 'BIGINT'], ['ERROR_LIMIT', 'BIGINT'], ['STATUS', 'VARCHAR'],
			['TABLE_CATALOG_NAME', 'VARCHAR'], ['TABLE_SCHEMA_NAME', 'VARCHAR'], ['TABLE_NAME', 'VARCHAR'],
				['PIPE_CATALOG_NAME', 'VARCHAR'], ['PIPE_SCHEMA_NAME', 'VARCHAR'], ['PIPE_NAME', 'VARCHAR'],
			['PIPE_RECEIVED_TIME', 'TIMESTAMPTZ'], ['FIRST_COMMIT_TIME', 'TIMESTAMPTZ'], ['BYTES_BILLED', 'BIGINT']];
		const said = { LOADED: 'Loaded', LOAD_FAILED: 'Load failed', PARTIALLY_LOADED: 'Partially loaded',
			LOAD_IN_PROGRESS: 'Load in progress' };
		return { columns, rows: (object.history ?? []).filter(e => e.at >= from && e.at < to &&
			(!pipe || e.pipe?.join('.') === pipe)).map(e => [e.file, e.location, stamp(e.at), e.loaded, e.parsed, e.size,
			e.error?.message ?? null,
			e.error?.line || null, e.error?.character || null, e.error?.column ?? null, e.errors, 1, said[e.status],
				...object.path, ...(e.pipe ?? [null, null, null]), stamp(e.received), stamp(e.at), null]) };
	}
	case 'VALIDATE_PIPE_LOAD': {
		const pipe = engine.catalog.find(session, 'PIPE', nameOf(args.PIPE_NAME));
		if (pipe.copy.select)
			throw new SqlError('002301', '42601', 'SQL compilation error:\nValidation of a pipe with a transformation in its COPY statement is not supported.');
		if (time(args.START_TIME) < engine.world.now() - 15 * DAY)
			throw new SqlError('100351', '22023', 'Cannot retrieve data from more than 15 days ago');
		return { columns: [['ERROR', 'VARCHAR'], ['FILE', 'VARCHAR'], ['LINE', 'BIGINT'], ['CHARACTER', 'BIGINT'],
			['ROW_NUMBER', 'BIGINT']],
			rows: pipe.copy.table.history.filter(e => e.pipe && e.error &&
				e.at >= time(args.START_TIME)).map(e => [e.error.message, e.file, e.error.line, e.error.character, e.parsed]) };
	}
	case 'POLICY_REFERENCES': {
		const columns = ['POLICY_DB', 'POLICY_SCHEMA', 'POLICY_NAME', 'POLICY_KIND', 'REF_DATABASE_NAME', 'REF_SCHEMA_NAME',
			'REF_ENTITY_NAME', 'REF_ENTITY_DOMAIN', 'REF_COLUMN_NAME', 'REF_ARG_COLUMN_NAMES', 'TAG_DATABASE', 'TAG_SCHEMA',
			'TAG_NAME', 'POLICY_STATUS'].map(one => [one, 'VARCHAR']);
		const policy = args.POLICY_NAME === undefined ? null : engine.catalog.find(session, 'MASKING POLICY', nameOf(args.POLICY_NAME));
		const objects = policy ? [...engine.catalog.all(session.account, ['TABLE', 'VIEW', 'DYNAMIC TABLE'])]
			: [engine.catalog.find(session, 'TABLE', nameOf(args.REF_ENTITY_NAME))];
		return { columns, rows: objects.flatMap(o => o.columns.filter(c => policy ? c.policy === policy
			: c.policy).map(c => [...c.policy.path, 'MASKING_POLICY', ...o.path, o.kind === 'VIEW' ? 'VIEW' : 'TABLE', c.name,
			null, null, null, null, 'ACTIVE'])) };
	}
	case 'TASK_HISTORY': {
		const columns = [['NAME', 'VARCHAR'], ['DATABASE_NAME', 'VARCHAR'], ['SCHEMA_NAME', 'VARCHAR'], ['QUERY_TEXT', 'VARCHAR'],
			['STATE', 'VARCHAR'], ['ERROR_CODE', 'VARCHAR'], ['ERROR_MESSAGE', 'VARCHAR'], ['SCHEDULED_TIME', 'TIMESTAMPTZ'],
			['COMPLETED_TIME', 'TIMESTAMPTZ']];
		return { columns, rows: [...engine.catalog.all(session.account, 'TASK')].filter(t => !args.TASK_NAME ||
			t.name === nameOf(args.TASK_NAME).pop())
			.flatMap(t => t.history.map(h => [t.name, ...place(t), t.body.sql, h.state, h.code ?? null, h.error, stamp(h.at),
				stamp(h.at)])) };
	}
	case 'DYNAMIC_TABLE_REFRESH_HISTORY': return refreshes(engine, session, args);
	default: throw new SqlError('002141', '42601', `SQL compilation error:\nUnknown table function ${name}`);
	}
}

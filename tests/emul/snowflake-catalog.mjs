// What an account has: users, roles, warehouses, integrations, databases, schemas and what is in them, and who may do
// what with it. Rows are in DuckDB (snowflake-engine.mjs); everything else of an object is here.

import { SqlError, duckName, shown } from './snowflake-text.mjs';

// Kinds of objects, the collection of a schema they are in, and what Snowflake calls them in messages.
export const KINDS = {
	TABLE: 'tables', VIEW: 'tables', 'DYNAMIC TABLE': 'tables', PIPE: 'pipes', STAGE: 'stages', 'FILE FORMAT': 'formats',
		STREAM: 'streams', TASK: 'tasks',
	'MASKING POLICY': 'policies', SEQUENCE: 'sequences', TAG: 'tags',
};
export const title = kind => kind[0] + kind.slice(1).toLowerCase();

export const missing = (kind, name) => new SqlError('002003', kind === 'DATABASE' || kind === 'SCHEMA' || kind === 'OBJECT' ||
	kind === 'TABLE' || kind === 'VIEW' ? '02000' : '02000',
	`SQL compilation error:\n${title(kind === 'DYNAMIC TABLE' || kind === 'VIEW' ? 'TABLE' : kind)} '${name}' does not exist or not authorized.`);
export const exists = name => new SqlError('002002', '42710', `SQL compilation error:\nObject '${name}' already exists.`);
export const forbidden = (kind, name) => new SqlError('003001', '42501',
	`SQL access control error:\nInsufficient privileges to operate on ${kind.toLowerCase()} '${name}'`);

export class Catalog {
	accounts = new Map();
	version = 0; // changes with each change of an object
	constructor(world) {
		this.world = world;
	}
	reset() {
		this.accounts.clear();
		this.version++;
	}
	makeAccount({ name, locator = `RV${10000 + this.accounts.size}`, network = null }) {
		name = name.toUpperCase();
		const role = (roleName, roles = [], owner = 'ACCOUNTADMIN') => [roleName,
			{ kind: 'ROLE', name: roleName, path: [roleName], roles: new Set(roles), owner, comment: '',
			created: this.world.now(), grants: [] }];
		const account = { name, locator: locator.toUpperCase(),
			hosts: new Set([name.toLowerCase(), name.toLowerCase().replaceAll('_', '-')]), network,
			users: new Map(), databases: new Map(), integrations: new Map(), warehouses: new Map(), denied: [], externalId: 0,
			roles: new Map([role('ACCOUNTADMIN', ['SYSADMIN', 'SECURITYADMIN']), role('SECURITYADMIN', ['USERADMIN']),
				role('USERADMIN'), role('SYSADMIN'), role('PUBLIC')]),
			kind: 'ACCOUNT', path: [name], owner: 'ACCOUNTADMIN', grants: [] };
		account.hosts.add(account.locator.toLowerCase());
		this.accounts.set(name, account);
		this.makeWarehouse(account, 'WH');
		return account;
	}
	makeWarehouse(account, name, more = {}) {
		const warehouse = { kind: 'WAREHOUSE', name, path: [name], state: 'STARTED', autoResume: true, monitor: null,
			size: 'X-Small', owner: 'SYSADMIN', comment: '',
			created: this.world.now(), grants: [], ...more };
		account.warehouses.set(name, warehouse);
		return warehouse;
	}
	changed() {
		this.version++;
	}

	// ---- finding
	// The path of a name in a session: its parts with the current database and schema in front.
	path(session, parts, kind) {
		const wanted = kind === 'DATABASE' || kind === 'ACCOUNT' || ['WAREHOUSE', 'ROLE', 'USER', 'INTEGRATION'].includes(kind)
			? 1 : kind === 'SCHEMA' ? 2 : 3;
		if (parts.length > wanted)
			throw new SqlError('001015', '42601', `SQL compilation error:\nToo many parts in the name ${parts.map(shown).join('.')}`);
		const front = [session.database, session.schema].slice(0, wanted - 1);
		const path = [...front.slice(0, wanted - parts.length), ...parts];
		for (const [i, part] of path.entries())
			if (!part)
				throw new SqlError(i === 0 ? '090105' : '090106', '22000',
					`Cannot perform operation. This session does not have a current ${i === 0 ? 'database' : 'schema'}. ` +
					`Call 'USE ${i === 0 ? 'DATABASE' : 'SCHEMA'}', or use a qualified name.`);
		return path;
	}
	collection(account, kind, path) {
		switch (kind) {
		case 'DATABASE': return account.databases;
		case 'WAREHOUSE': return account.warehouses;
		case 'ROLE': return account.roles;
		case 'USER': return account.users;
		case 'INTEGRATION': return account.integrations;
		case 'SCHEMA': return account.databases.get(path[0])?.schemas;
		default: return account.databases.get(path[0])?.schemas.get(path[1])?.[KINDS[kind]];
		}
	}
	peek(account, kind, path) {
		return this.collection(account, kind, path)?.get(path[path.length - 1]);
	}
	// An object that the session's role may see, else a failure that does not tell which of the two it is.
	find(session, kind, parts, { privilege = null, missing: absent = false } = {}) {
		const path = this.path(session, parts, kind), name = path.map(shown).join('.');
		for (const [i, outer] of [['DATABASE', path.slice(0, 1)], ['SCHEMA', path.slice(0, 2)]].entries()) {
			if (path.length <= i + 1)
				break;
			const found = this.peek(session.account, ...outer);
			if (!found || !this.visible(session, found)) {
				if (absent)
					return null;
				throw missing(...[outer[0], outer[1].map(shown).join('.')]);
			}
		}
		const found = this.peek(session.account, kind, path);
		if (!found || !this.visible(session, found)) {
			if (absent)
				return null;
			throw missing(kind === 'TABLE' ? 'OBJECT' : kind, name);
		}
		if (privilege)
			this.demand(session, privilege, found);
		return found;
	}

	// ---- privileges
	roles(session) {
		const all = new Set(), add = name => {
			if (!all.has(name)) {
				all.add(name);
				session.account.roles.get(name)?.roles.forEach(add);
			}
		};
		add(session.role);
		add('PUBLIC');
		return all;
	}
	grantsOf(session, object) {
		const roles = this.roles(session);
		return roles.has('ACCOUNTADMIN') || roles.has(object.owner) ? ['OWNERSHIP']
			: object.grants.filter(g => roles.has(g.role)).map(g => g.privilege);
	}
	// A control call took it away: whoever asks, for one of a privilege or for any.
	denied(session, privilege, object) {
		const name = object.path.join('.');
		return session.account.denied.some(d => d.object === name && (!d.privilege || d.privilege === privilege) &&
			(!d.role || d.role === session.role));
	}
	visible(session, object) {
		return ['ROLE', 'USER', 'WAREHOUSE'].includes(object.kind) || this.grantsOf(session, object).length > 0;
	}
	may(session, privilege, object) {
		if (this.denied(session, privilege, object))
			return false;
		const grants = this.grantsOf(session, object);
		return grants.includes('OWNERSHIP') || grants.includes(privilege) ||
			(privilege === 'USAGE' && object.kind !== 'WAREHOUSE' && grants.length > 0 && privilege !== 'OWNERSHIP') ||
			(privilege === 'MONITOR' && grants.includes('OPERATE') && object.kind === 'WAREHOUSE');
	}
	demand(session, privilege, object) {
		if (!this.may(session, privilege, object))
			throw forbidden(object.kind === 'DYNAMIC TABLE' ? 'dynamic table' : object.kind, shown(object.name));
	}

	// ---- making
	// Puts an object into its collection. `replace`: instead of one that is there.
	make(session, kind, parts, more, { replace = false, ifNotExists = false, temporary = false } = {}) {
		const path = this.path(session, parts, kind), name = path[path.length - 1], account = session.account;
		let parent = account;
		if (path.length > 1)
			parent = path.length === 2 ? this.find(session, 'DATABASE', path.slice(0, 1)) : this.find(session, 'SCHEMA', path.slice(0, 2));
		const collection = this.collection(account, kind, path), old = collection.get(name);
		if (old && ifNotExists)
			return { object: old, made: false };
		if (old && !replace)
			throw exists(path.length === 1 ? shown(name) : path.map(shown).join('.'));
		if (old && old.kind !== kind && KINDS[kind] === 'tables')
			throw new SqlError('001998', '42601', `SQL compilation error:\nObject '${shown(name)}' already exists as ${old.kind}`);
		const denial = { path, kind };
		if (this.denied(session, `CREATE ${kind}`, denial) || this.denied(session, 'CREATE', denial))
			throw forbidden(path.length === 3 ? 'schema' : path.length === 2 ? 'database' : 'account', shown(parent.name));
		if (temporary)
			this.demand(session, 'USAGE', parent);
		else
			this.demand(session, `CREATE ${kind}`, parent);
		if (old)
			this.demand(session, 'OWNERSHIP', old);
		const object = { kind, name, path, owner: session.role, comment: '', created: this.world.now(), grants: [],
			duck: this.duck(account, path), ...more };
		collection.set(name, object);
		// a replaced object loses what was granted on it; the schema's future grants come to a new one
		if (path.length === 3)
			for (const outer of [account.databases.get(path[0]), parent])
				for (const future of outer.future ?? [])
					if (future.kind === kind || (future.kind === 'TABLE' && kind === 'TABLE'))
						object.grants.push({ ...future, on: undefined });
		this.changed();
		return { object, made: true, old };
	}
	makeSchema(more) {
		return { tables: new Map(), pipes: new Map(), stages: new Map(), formats: new Map(), streams: new Map(), tasks: new Map(),
			policies: new Map(), sequences: new Map(),
			tags: new Map(), future: [], ...more };
	}
	duck(account, path) {
		// DuckDB has schemas of its own in each database
		return [`${account.name}|${duckName(path[0])}`, ...path.slice(1).map((part, i) => i === 0 ? `${duckName(part)}{}`
			: duckName(part))];
	}
	remove(session, object) {
		this.collection(session.account, object.kind, object.path).delete(object.name);
		this.changed();
	}
	// all objects of these kinds in an account, or in a database or schema of it
	*all(account, kinds, database = null, schema = null) {
		for (const d of account.databases.values())
			for (const s of d.schemas.values())
				if ((!database || d.name === database) && (!schema || s.name === schema))
					for (const kind of [].concat(kinds))
						for (const object of s[KINDS[kind]].values())
							if (object.kind === kind)
								yield object;
	}
}

// GRANT and REVOKE: privileges on objects, on those to come, and roles.

import { missing } from './snowflake-catalog.mjs';
import { done, kindAhead } from './snowflake-ddl.mjs';
import { SqlError, shown } from './snowflake-text.mjs';

// ---- GRANT, REVOKE
const PLURAL = { TABLES: 'TABLE', VIEWS: 'VIEW', PIPES: 'PIPE', STAGES: 'STAGE', STREAMS: 'STREAM', TASKS: 'TASK', SCHEMAS: 'SCHEMA' };
export function grant(engine, session, reader) {
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
		const kind = words.join(' ') === 'DYNAMIC TABLES' ? 'DYNAMIC TABLE' : words.join(' ') === 'FILE FORMATS' ? 'FILE FORMAT'
			: PLURAL[words.join(' ')];
		reader.expect('IN');
		const outer = engine.catalog.find(session, reader.word(), reader.name());
		if (all)
			targets = kind === 'SCHEMA' ? [...outer.schemas.values()] : [...engine.catalog.all(session.account, kind,
				outer.path[0], outer.path[1])];
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
	const grantable = reader.take('WITH', 'GRANT', 'OPTION');
	reader.take('COPY', 'CURRENT', 'GRANTS') || reader.take('REVOKE', 'CURRENT', 'GRANTS');
	reader.take('CASCADE') || reader.take('RESTRICT');
	reader.end();
	for (const object of targets) {
		const closure = engine.catalog.roles(session);
		const passesOn = giving && privileges.every(privilege => object.grants.some(g => g.grantable && closure.has(g.role) &&
			g.privilege === privilege));
		if (!closure.has('SECURITYADMIN') && !passesOn || engine.catalog.denied(session, 'OWNERSHIP', object))
			engine.catalog.demand(session, 'OWNERSHIP', object);
		for (const privilege of privileges)
			giving ? give(object, privilege, role, session, Boolean(grantable)) : take(object, privilege, role);
	}
	if (future) {
		future.outer.future ??= [];
		for (const privilege of privileges) {
			future.outer.future = future.outer.future.filter(g => !(g.privilege === privilege && g.role === role &&
				g.kind === future.kind));
			if (giving)
				future.outer.future.push({ kind: future.kind, privilege, role, by: session.role });
		}
	}
	return done();
}
const ALL = { TABLE: ['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES'], VIEW: ['SELECT', 'REFERENCES'],
	'DYNAMIC TABLE': ['SELECT', 'MONITOR', 'OPERATE'], PIPE: ['MONITOR', 'OPERATE'],
	STAGE: ['USAGE', 'READ', 'WRITE'], STREAM: ['SELECT'], TASK: ['MONITOR', 'OPERATE'], 'FILE FORMAT': ['USAGE'],
		SCHEMA: ['USAGE', 'MODIFY', 'MONITOR', 'CREATE TABLE', 'CREATE VIEW', 'CREATE PIPE', 'CREATE STAGE',
		'CREATE STREAM', 'CREATE TASK', 'CREATE FILE FORMAT', 'CREATE DYNAMIC TABLE', 'CREATE MASKING POLICY'],
			DATABASE: ['USAGE', 'MODIFY', 'MONITOR', 'CREATE SCHEMA'], WAREHOUSE: ['USAGE', 'OPERATE', 'MONITOR', 'MODIFY'],
			INTEGRATION: ['USAGE'] };
function give(object, privilege, role, session, grantable) {
	if (privilege === 'OWNERSHIP') {
		object.owner = role;
		return;
	}
	const known = ALL[object.kind];
	if (known && privilege !== 'ALL' && !known.includes(privilege) &&
		!/^(CREATE|MONITOR|APPLY|OPERATE|MODIFY|ADD|EVOLVE|IMPORTED)/.test(privilege))
		throw new SqlError('003032', '42601', `SQL compilation error:\nInvalid privilege '${privilege}' for object type '${object.kind}'`);
	for (const one of privilege === 'ALL' ? known ?? [] : [privilege])
		if (!object.grants.some(g => g.privilege === one && g.role === role && (g.grantable || !grantable))) {
			take(object, one, role);
			object.grants.push({ privilege: one, role, by: session.role, grantable });
		}
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

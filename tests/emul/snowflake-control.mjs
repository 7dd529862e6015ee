// /_emul/snowflake/...: accounts and what is done to them from outside. All take and answer JSON; names as Snowflake
// stores them; "account" may be left out where there is one.
//
//   POST   account {name, locator, network}   an account, its roles and the warehouse WH
//   POST   user {account, name, public_key, public_key_2, default_role, default_warehouse, roles, network, disabled}
//                                             made, or changed in what is given; network: addresses that are let in, null: all
//   POST   token {account, user, kind, token, life_s, role}   OAUTH or PROGRAMMATIC_ACCESS_TOKEN: {"token"}
//   DELETE token?token=                       revoked
//   POST   warehouse {account, name, state, auto_resume, monitor}   made or changed
//   POST   deny {object, privilege, role}     insufficient privileges on D.S.NAME (CREATE: to make it) | DELETE deny: none any more
//   GET    statements [?since=]               what was carried out, one a line: handle, request_id, sql, ok, code, ...
//   GET    pipe?name=D.S.P                    its queue, what it knows, its history
//   POST   load [?name=]                      loads what is queued now, held or not
//   POST   age {days}                         everything that loads remember is so much older now
//   POST   outcome {path, status, error, line, character, column, rows, system, times, copy}   what becomes of files whose key
//                                             matches: LOAD_FAILED, or PARTIALLY_LOADED with so many rows; of COPY too if copy is true
//   POST   forget {name}                      a pipe forgets what it was told
//   POST   tick                               started tasks run (WHEN is looked at), dynamic tables are brought up to date
//   POST   sql {account, role, database, schema, warehouse, sql}   statements, as the account's administrator: rows of the last one

import { HttpError } from './request.mjs';
import { makeUser, publicKey } from './snowflake-auth.mjs';
import { refresh } from './snowflake-ddl.mjs';
import { runTask } from './snowflake-task.mjs';
import { nameOf, statements } from './snowflake-text.mjs';

const json = value => ({ status: 200, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(value) + '\n' });
const lines = values => ({ status: 200, headers: { 'Content-Type': 'application/x-ndjson' },
	body: values.map(value => JSON.stringify(value) + '\n').join('') });

function account({ catalog }, name) {
	const found = name === undefined || name === null ? [...catalog.accounts.values()][0] : catalog.accounts.get(name.toUpperCase());
	if (!found)
		throw new HttpError(404, 'NotFound', `no account ${name ?? ''}`);
	return found;
}
async function administrator(service, input, work) {
	const owner = account(service, input.account), user = { name: 'ADMIN', roles: new Set(owner.roles.keys()),
		defaultRole: 'ACCOUNTADMIN', defaultWarehouse: 'WH', keys: [] };
	const session = await service.engine.session({ account: owner, user }, input);
	try {
		return await work(session, owner);
	} finally {
		await service.engine.close(session);
	}
}
const pipeOf = (service, input) => service.catalog.peek(account(service, input.account), 'PIPE', nameOf(input.name)) ?? (() => {
	throw new HttpError(404, 'NotFound', `no pipe ${input.name}`);
})();

export const controls = {
	'POST account': (service, q, input) => {
		const found = service.catalog.accounts.get(input.name.toUpperCase()) ?? service.catalog.makeAccount(input);
		if ('network' in input)
			found.network = input.network;
		return json({ name: found.name, locator: found.locator });
	},
	'POST user': (service, q, input) => {
		const owner = account(service, input.account), old = owner.users.get(input.name.toUpperCase());
		if (!old)
			return json({ fingerprints: makeUser(owner, input).keys.map(key => key?.fingerprint ?? null) });
		for (const [i, name] of ['public_key', 'public_key_2'].entries())
			if (name in input)
				old.keys[i] = input[name] === null ? null : publicKey(input[name]);
		for (const [name, field] of [['default_role', 'defaultRole'], ['default_warehouse', 'defaultWarehouse'],
			['network', 'network'], ['disabled', 'disabled']])
			if (name in input)
				old[field] = input[name];
		for (const role of input.roles ?? [])
			old.roles.add(role);
		old.roles.add(old.defaultRole);
		return json({ fingerprints: old.keys.map(key => key?.fingerprint ?? null) });
	},
	'POST token': (service, q, input) => {
		const owner = account(service, input.account), user = owner.users.get(input.user.toUpperCase());
		if (!user)
			throw new HttpError(404, 'NotFound', `no user ${input.user}`);
		return json({ token: service.gate.issue(owner, user, input) });
	},
	'DELETE token': (service, q) => json({ gone: service.gate.tokens.delete(q.token) }),
	'POST warehouse': (service, q, input) => {
		const owner = account(service, input.account), found = owner.warehouses.get(input.name) ??
			service.catalog.makeWarehouse(owner, input.name);
		for (const [name, field] of [['state', 'state'], ['auto_resume', 'autoResume'], ['monitor', 'monitor']])
			if (name in input)
				found[field] = input[name];
		return json({ name: found.name, state: found.state });
	},
	'POST deny': (service, q, input) => {
		account(service, input.account).denied.push(input);
		return json({});
	},
	'DELETE deny': service => {
		for (const one of service.catalog.accounts.values())
			one.denied = [];
		return json({});
	},
	'GET statements': (service, q) => lines(service.sql.executed.slice(Number(q.since ?? 0))),
	'GET pipe': (service, q) => {
		const pipe = pipeOf(service, q);
		return json({ queue: pipe.queue, known: [...pipe.known.keys()], history: pipe.history, paused: pipe.paused });
	},
	'POST load': async (service, q) => json({ loaded: await service.snowpipe.loadNow(q.name) }),
	'POST age': (service, q, input) => {
		service.snowpipe.age(input.days * 86400000);
		return json({});
	},
	'POST outcome': (service, q, input) => {
		service.snowpipe.outcomes.push(input);
		return json({});
	},
	'POST forget': (service, q, input) => {
		pipeOf(service, input).known.clear();
		return json({});
	},
	'POST tick': async service => {
		for (const owner of service.catalog.accounts.values())
			await service.engine.exclusive(() => administrator(service, { account: owner.name }, async session => {
				for (const task of [...service.catalog.all(owner, 'TASK')])
					if (task.state === 'started' && !task.after.length)
						await runTask(service.engine, task, owner, { checkWhen: true });
				for (const object of [...service.catalog.all(owner, 'DYNAMIC TABLE')])
					if (object.state === 'ACTIVE')
						await refresh(service.engine, session, object);
			}));
		return json({});
	},
	'POST sql': (service, q, input) => service.engine.exclusive(() => administrator(service, input, async session => {
		let result = { columns: [], rows: [] };
		for (const statement of statements(input.sql))
			result = await service.engine.run(session, statement);
		return lines(result.rows.map(row => Object.fromEntries(row.map((value, i) => [result.columns[i].name, value]))));
	})),
};

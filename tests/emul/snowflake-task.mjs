// Tasks: they run when they are told to, or by the control call tick; the emulator has no timer for them.

import { status } from './snowflake-engine.mjs';
import { SqlError, blockOf, shown, statements } from './snowflake-text.mjs';

export async function executeTask(engine, session, reader) {
	const task = engine.catalog.find(session, 'TASK', reader.name());
	engine.catalog.demand(session, 'OPERATE', task);
	await runTask(engine, task, session.account);
	return status(`Task ${shown(task.name)} is scheduled to run immediately.`);
}
// As the task's owner; what becomes of it is in its history.
export async function runTask(engine, task, account, { checkWhen = false } = {}) {
	const user = [...account.users.values()][0];
	const session = await engine.session({ account, user: { ...user, roles: new Set([...account.roles.keys()]) } },
		{ database: task.path[0], schema: task.path[1], warehouse: task.warehouse ?? 'WH', role: task.owner });
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
		await engine.close(session);
	}
	task.history.push(entry);
	for (const next of engine.catalog.all(account, 'TASK'))
		if (entry.state === 'SUCCEEDED' && next.state === 'started' && next.after.some(parts => parts[parts.length - 1] === task.name))
			await runTask(engine, next, account, { checkWhen });
}

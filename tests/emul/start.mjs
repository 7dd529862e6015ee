// What every server here does when it starts: options, listening on the loopback, one line of JSON that says
// where, and an end when the process that wanted it is gone.

import { renameSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

export const LOOPBACK = '127.0.0.1';

// --ready FILE and --parent PID, and what the caller names beside them
export function parseOptions(options) {
	return parseArgs({ options: { ready: { type: 'string' }, parent: { type: 'string' }, ...options } }).values;
}

export function listen(server, port) {
	return new Promise((done, failed) => {
		server.once('error', failed);
		server.listen(Number(port), LOOPBACK, () => {
			server.off('error', failed);
			done(server.address().port);
		});
	});
}

export function announce(options, where) {
	const line = JSON.stringify({ pid: process.pid, ...where }) + '\n';
	if (options.ready) {
		writeFileSync(`${options.ready}.new`, line);
		renameSync(`${options.ready}.new`, options.ready);
	}
	process.stdout.write(line);
	if (options.parent)
		setInterval(() => {
			try {
				process.kill(Number(options.parent), 0);
			} catch {
				process.exit(0);
			}
		}, 1000);
}

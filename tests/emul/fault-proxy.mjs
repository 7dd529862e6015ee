// A TCP proxy in front of any server that breaks connections by script.
//
//   node fault-proxy.mjs --to HOST:PORT [--port N] [--ready FILE] [--parent PID]
//
// When it is ready it prints {"pid","port","control"}; `control` is a port for these:
//   POST   /script   a rule or a list of them: {"do":"reset","nth":2,"count":1,"up":1000}
//                    nth: from the nth connection on, counted from when the rule was added (1); count: for so
//                    many (1; "all"). The first rule that fires is the connection's.
//   DELETE /script   none any more, for connections to come
//   POST   /listen   {"on":false}: connections are refused until {"on":true}; those that are open are reset
//   GET    /log      connections, one JSON a line: {n, do, up, down, end}; up: bytes from the client
//
// do: after so many bytes `up` (from the client) or `down` (from the server); 0 when neither is given
//   reset        both sides        close      both sides, politely     black_hole    nothing moves any more
//   delay  ms    every piece waits so long, each way
//   rate   bytes_per_s             each way, from the start
//   corrupt      one bit of the byte at that place is turned over

import { createServer as createHttp } from 'node:http';
import { connect, createServer } from 'node:net';
import { announce, listen, LOOPBACK, parseOptions } from './start.mjs';

const KINDS = ['reset', 'close', 'black_hole', 'delay', 'rate', 'corrupt'];
const options = parseOptions({ to: { type: 'string' }, port: { type: 'string', default: '0' } });
const [host, targetPort] = options.to.split(/:(?=\d+$)/);
const log = [], open = new Set();
let rules = [];

function ruleOfNext() {
	let found;
	for (const rule of rules) {
		rule.seen++;
		const { nth = 1, count = 1 } = rule;
		if (!found && rule.seen >= nth && (count === 'all' || rule.seen < nth + count))
			found = rule;
	}
	return found;
}

function onConnection(client) {
	const rule = ruleOfNext(), entry = { n: log.length + 1, do: rule?.do, up: 0, down: 0, end: null };
	const server = connect(Number(targetPort), host);
	const both = [client, server];
	log.push(entry);
	open.add(client);
	let over = false, dark = false;
	const end = how => {
		if (over)
			return;
		over = true;
		entry.end = how;
		open.delete(client);
		for (const socket of both)
			how === 'reset' ? socket.resetAndDestroy() : how === 'close' ? socket.destroySoon() : socket.destroy();
	};
	client.emulEnd = end;
	client.setNoDelay(true);
	server.setNoDelay(true);
	const strike = () => {
		if (rule.do === 'black_hole') {
			dark = true;
			entry.end = 'black_hole';
			both.forEach(socket => socket.pause());
		} else {
			end(rule.do);
		}
	};
	// Sends a piece on as far as the rule lets it; false: no further.
	const pass = (way, piece, to) => {
		const before = entry[way], limit = rule?.[way];
		if (limit !== undefined && rule.do === 'corrupt' && limit >= before && limit < before + piece.length) {
			piece = Buffer.from(piece);
			piece[limit - before] ^= 1;
		}
		const cut = limit !== undefined && ['reset', 'close', 'black_hole'].includes(rule.do) && before + piece.length >= limit;
		if (cut)
			piece = piece.subarray(0, limit - before);
		entry[way] += piece.length;
		if (!cut)
			return to.write(piece);
		// what was let through arrives before the end does
		to.write(piece, () => setImmediate(strike));
		return false;
	};
	const relay = (from, to, way) => {
		let pieces = Promise.resolve();
		from.on('data', piece => {
			if (dark || over)
				return;
			const wait = rule?.do === 'delay' ? rule.ms : rule?.do === 'rate' ? piece.length * 1000 / rule.bytes_per_s : 0;
			if (!wait) {
				if (!pass(way, piece, to)) {
					from.pause();
					if (!dark)
						to.once('drain', () => dark || from.resume());
				}
				return;
			}
			from.pause();
			pieces = pieces.then(() => new Promise(done => setTimeout(done, wait))).then(() => {
				if (!over)
					pass(way, piece, to);
				from.resume();
			});
		});
		from.on('end', () => pieces.then(() => over || dark || to.end()));
		from.on('error', () => end('reset'));
		from.on('close', () => {
			if (!over && client.destroyed && server.destroyed)
				end(entry.end ?? 'done');
		});
	};
	relay(client, server, 'up');
	relay(server, client, 'down');
	if (rule && ['reset', 'close', 'black_hole'].includes(rule.do) && rule.up === undefined && rule.down === undefined)
		strike();
}

let server = null;
async function turn(on, port) {
	if (on && !server) {
		server = createServer({ pauseOnConnect: false, allowHalfOpen: true }, onConnection);
		return listen(server, port);
	}
	if (!on && server) {
		const closing = server;
		server = null;
		const closed = new Promise(done => closing.close(done));
		for (const client of [...open])
			client.emulEnd('reset');
		await closed;
	}
	return port;
}
const port = await turn(true, options.port);

const control = createHttp(async (req, res) => {
	let text = '';
	for await (const piece of req)
		text += piece;
	try {
		const answer = await steer(`${req.method} ${req.url}`, text ? JSON.parse(text) : {});
		res.end(answer);
	} catch (error) {
		res.writeHead(400);
		res.end(`${error.message}\n`);
	}
});
async function steer(call, input) {
	switch (call) {
	case 'POST /script':
		for (const rule of [].concat(input)) {
			if (!KINDS.includes(rule.do))
				throw new Error(`no such fault: ${rule.do}`);
			rules.push({ ...rule, seen: 0 });
		}
		return '';
	case 'DELETE /script': rules = []; return '';
	case 'POST /listen': await turn(input.on, port); return '';
	case 'GET /log': return log.map(entry => JSON.stringify(entry) + '\n').join('');
	default: throw new Error(`no such call: ${call}`);
	}
}
announce(options, { port, control: await listen(control, 0), host: LOOPBACK });

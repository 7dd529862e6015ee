// An HTTP proxy: CONNECT and plain requests, forwarded or refused.
//
//   node connect-proxy.mjs [--refuse STATUS] [--user NAME:PASSWORD] [--to HOST:PORT] [--ready FILE] [--parent PID]
//
// --refuse: answers everything with this status (403, 407, 502), and 0 never answers. --user: 407 without these
// credentials. --to: every tunnel leads there, whatever host was asked for. {"pid","port"} when it is ready; then a line
// for each request: "CONNECT host:port 200".

import { createServer, request } from 'node:http';
import { connect } from 'node:net';
import { announce, listen, parseOptions } from './start.mjs';

const options = parseOptions({ refuse: { type: 'string' }, user: { type: 'string' }, to: { type: 'string' } });
const wanted = options.user && `Basic ${Buffer.from(options.user).toString('base64')}`;
const note = (req, status) => process.stdout.write(`${req.method} ${req.url} ${status}\n`);
const refusal = req => {
	if (options.refuse !== undefined)
		return Number(options.refuse);
	return wanted && req.headers['proxy-authorization'] !== wanted ? 407 : null;
};
const HEADERS = status => ({ 'Content-Length': '0', ...(status === 407 ? { 'Proxy-Authenticate': 'Basic realm="emul"' } : {}) });

const server = createServer((req, res) => {
	const status = refusal(req);
	if (status !== null) {
		note(req, status);
		if (status)
			res.writeHead(status, HEADERS(status)).end();
		return;
	}
	const { 'proxy-authorization': _, 'proxy-connection': __, ...headers } = req.headers;
	const [host, port] = options.to?.split(/:(?=\d+$)/) ?? [];
	const url = new URL(req.url);
	const onward = request({ host: host ?? url.hostname, port: port ?? url.port, method: req.method, path: url.pathname + url.search, headers },
		answer => {
			note(req, answer.statusCode);
			res.writeHead(answer.statusCode, answer.rawHeaders);
			answer.pipe(res);
		});
	onward.on('error', () => res.headersSent ? res.destroy() : res.writeHead(502, HEADERS(502)).end());
	req.pipe(onward);
});
server.on('connect', (req, client, head) => {
	client.on('error', () => {});
	const status = refusal(req);
	if (status !== null) {
		note(req, status);
		if (status)
			client.end(`HTTP/1.1 ${status} Refused\r\n${Object.entries(HEADERS(status)).map(([k, v]) => `${k}: ${v}\r\n`).join('')}\r\n`);
		return;
	}
	const [host, port] = (options.to ?? req.url).split(/:(?=\d+$)/);
	const onward = connect(Number(port), host, () => {
		note(req, 200);
		client.write('HTTP/1.1 200 Connection established\r\n\r\n');
		onward.write(head);
		onward.pipe(client).pipe(onward);
	});
	onward.on('error', () => {
		note(req, 502);
		client.end('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n');
	});
});
server.on('clientError', (_, socket) => socket.destroy());
announce(options, { port: await listen(server, 0) });

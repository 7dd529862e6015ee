// Faults by script. A rule says which requests it is for, and what becomes of them:
//
//   {"match": {"service": "firehose", "op": "PutRecordBatch", "nth": 3, "count": 2}, "do": "late", "ms": 900}
//
// match: service op stream bucket region method akid: equal (or one of a list); key path: a regular
//   expression; nth: from the nth matching request on (1); count: for so many of them (1; "all"); every: only
//   each k-th of them; probability: of those, by a seeded generator. Requests count from when the rule was added.
//   The first rule that fires is used; a rule that does not fire yet counts all the same.
// accept: whether the service carries the request out before its answer goes wrong (each has a default, below).
// early: (status, throttle, redirect301, redirect307, html200, garbage_body, empty200) answered before the body is read; then the connection is closed.
//
// Before the body is read:
//   reset_before_body            connection reset                close_before_body   closed
//   reset_in_body   bytes        reset after so many bytes of the body (half of it)
//   slow_read       bytes_per_s  the body is read so slowly (1)  no_continue         Expect: 100-continue is ignored
//   early_200       body headers a 200 before the body is read, which is never carried out
// Instead of an answer; `accept` is true unless the rule says no:
//   read_body_then_close         how: "rst" resets instead       hang                never answers
// Instead of the service's answer, by default not carried out:
//   status          status code message headers body             throttle            status code message retry_after
//   html200   garbage (not HTTP)   garbage_body (200, random bytes)   empty200
//   redirect301     region       redirect307  location           error_in_200        code message (accept: true)
// The service's answer, changed or sent badly (carried out):
//   late ms   slow ms (a byte every ms, 1000)   endless bytes   huge_headers bytes | lines   short_body fraction
//   no_content_length   http10   informational lines (1xx before it)   chunked_trailers
//   connection_close   close_after ms (answers, then the idle connection is dropped)
//   wrong_checksum   no_checksum   gzip_bomb bytes   headers headers   answer body (a body of yours)
// What only Firehose does:
//   partial         fraction | indices | content (regular expression on the record) ; code message accept
//   short_responses n   long_responses n   count_mismatch n     RequestResponses and FailedPutCount that do not agree
//   duplicate       (op "deliver") fraction | indices | content: those records are delivered twice
//   role_not_ready  s            (op CreateDeliveryStream) cannot assume the role for so long
//   creating_failed message      (op CreateDeliveryStream)
// What only Snowflake does (match has sql, a regular expression on the statement, and handle):
//   running         polls | ms ; executed poll_status   (op Submit) 202, and still running for so many polls (1) or so
//                   long (polls answer 202, or poll_status: 429 has been seen); the statement is carried out at the end,
//                   or at once when executed is true
//   incomplete      (op Submit, Poll) code 391908: the result was too large
// What only S3 does:
//   empty_page      (op ListObjectsV2) a page without keys that is truncated all the same

import { gzipSync } from 'node:zlib';
import { HttpError, sleep, xmlDocument } from './request.mjs';

const BEFORE_BODY = new Set(['reset_before_body', 'close_before_body', 'reset_in_body', 'slow_read', 'no_continue', 'early_200']);
const NOT_CARRIED_OUT = new Set(['status', 'throttle', 'html200', 'garbage', 'garbage_body', 'empty200',
	'redirect301', 'redirect307']);
const KNOWN = new Set([...BEFORE_BODY, ...NOT_CARRIED_OUT, 'read_body_then_close', 'hang', 'error_in_200', 'late', 'slow',
	'endless', 'huge_headers', 'short_body', 'no_content_length', 'http10', 'informational', 'chunked_trailers',
	'connection_close', 'close_after', 'wrong_checksum', 'no_checksum', 'gzip_bomb', 'headers', 'answer', 'partial',
	'running', 'incomplete', 'short_responses', 'long_responses', 'count_mismatch', 'duplicate', 'role_not_ready', 'creating_failed', 'empty_page']);
const MATCHES = new Set(['service', 'op', 'stream', 'bucket', 'region', 'method', 'akid', 'account', 'handle', 'key', 'path', 'sql', 'nth', 'count',
	'every', 'probability']);

export class Script {
	rules = [];
	nextId = 1;
	constructor(random) {
		this.random = random;
	}
	add(rule) {
		if (!KNOWN.has(rule.do))
			throw new HttpError(400, 'BadScript', `no such fault: ${rule.do}`);
		for (const name of Object.keys(rule.match ?? {}))
			if (!MATCHES.has(name))
				throw new HttpError(400, 'BadScript', `nothing to match by: ${name}`);
		if (rule.early && (!NOT_CARRIED_OUT.has(rule.do) || rule.do === 'garbage'))
			throw new HttpError(400, 'BadScript', `${rule.do} cannot be early`);
		const m = rule.match ?? {};
		this.rules.push({ ...rule, id: this.nextId, seen: 0, fired: 0, match: m,
			key: m.key === undefined ? null : new RegExp(m.key), path: m.path === undefined ? null : new RegExp(m.path), sql: m.sql === undefined ? null : new RegExp(m.sql, 'i'),
			before: BEFORE_BODY.has(rule.do) || rule.early === true });
		return this.nextId++;
	}
	clear(id) {
		this.rules = id === undefined ? [] : this.rules.filter(r => r.id !== id);
	}
	// The rule that fires for this request at this stage, or null.
	pick(before, r) {
		let found = null;
		for (const rule of this.rules) {
			if (rule.before !== before || !matches(rule, r))
				continue;
			rule.seen++;
			const { nth = 1, count = 1, every = 1, probability = 1 } = rule.match;
			const past = rule.seen - nth;
			if (found || past < 0 || past % every !== 0 || (count !== 'all' && rule.fired >= count) ||
			    (probability < 1 && this.random() >= probability))
				continue;
			rule.fired++;
			found = rule;
		}
		return found;
	}
	list() {
		return this.rules.map(({ key, path, sql, before, ...rule }) => rule);
	}
}

function matches(rule, r) {
	for (const name of ['service', 'op', 'stream', 'bucket', 'region', 'method', 'akid', 'account', 'handle']) {
		const wanted = rule.match[name];
		if (wanted !== undefined && ![].concat(wanted).includes(r[name]))
			return false;
	}
	return (!rule.key || rule.key.test(r.key ?? '')) && (!rule.path || rule.path.test(r.path ?? '')) && (!rule.sql || rule.sql.test(r.sql ?? ''));
}

// Which of n items a rule means: by position, by content, or a random share of them (at least one).
export function chosen(rule, items, random) {
	if (rule.indices)
		return new Set(rule.indices.filter(i => i < items.length));
	if (rule.content !== undefined) {
		const pattern = new RegExp(rule.content);
		return new Set(items.flatMap((item, i) => pattern.test(item.toString('latin1')) ? [i] : []));
	}
	const some = items.flatMap((_, i) => random() < (rule.fraction ?? 0.5) ? [i] : []);
	return new Set(some.length || (rule.fraction ?? 0.5) === 0 ? some : [Math.floor(random() * items.length)]);
}

export function carriedOut(rule) {
	return rule.accept ?? !NOT_CARRIED_OUT.has(rule.do);
}

// The answer of a rule that takes the place of the service's, or null. `refuse` makes an error answer
// of the service: refuse(status, code, message, detail, headers).
export function insteadOfService(rule, r, refuse) {
	switch (rule.do) {
	case 'status':
		if (rule.body !== undefined)
			return { status: rule.status ?? 500, headers: rule.headers ?? {}, body: rule.body };
		return refuse(rule.status ?? 500, rule.code ?? (r.service === 's3' ? 'InternalError' : 'InternalFailure'),
			rule.message ?? 'We encountered an internal error. Please try again.', {}, rule.headers);
	case 'throttle': {
		const [status, code, message] = r.service === 's3' ? [503, 'SlowDown', 'Please reduce your request rate.']
			: r.service === 'snowflake' ? [429, '390505', 'Too many requests.']
			: r.service === 'firehose' ? [503, 'ServiceUnavailableException', 'Slow down.']
			: [400, 'Throttling', 'Rate exceeded'];
		return refuse(rule.status ?? status, rule.code ?? code, rule.message ?? message, {},
			rule.retry_after === undefined ? {} : { 'Retry-After': String(rule.retry_after) });
	}
	case 'html200':
		return { status: 200, headers: { 'Content-Type': 'text/html' },
			body: '<!DOCTYPE html><html><body><h1>Welcome</h1><p>Please log in to use this network.</p></body></html>\n' };
	case 'garbage_body':
		return { status: 200, headers: { 'Content-Type': 'application/octet-stream' },
			body: Buffer.from(Array.from({ length: rule.bytes ?? 300 }, (_, i) => (i * 167 + 13) & 255)) };
	case 'empty200':
		return { status: 200, headers: {}, body: '' };
	case 'redirect301':
		return refuse(301, 'PermanentRedirect', 'The bucket you are attempting to access must be addressed using the ' +
			'specified endpoint. Please send all future requests to this endpoint.',
			{ Endpoint: `s3.${rule.region}.amazonaws.com`, Bucket: r.bucket }, { 'x-amz-bucket-region': rule.region });
	case 'redirect307':
		return refuse(307, 'TemporaryRedirect', 'Please re-send this request to the specified temporary endpoint.',
			{ Bucket: r.bucket }, { Location: rule.location });
	case 'error_in_200':
		return { status: 200, headers: { 'Content-Type': 'application/xml' },
			body: '\n  \n' + xmlDocument('Error', { Code: rule.code ?? 'InternalError',
				Message: rule.message ?? 'We encountered an internal error. Please try again.', RequestId: r.id }) };
	default:
		return null;
	}
}

const flip = text => text.replace(/[A-Za-z0-9]/, c => (c === 'A' ? 'B' : 'A'));

// Sends `answer` {status, headers, body} as the rule wants it, or as it is. Resolves when it is over.
export async function send(r, res, answer, rule) {
	const socket = res.socket;
	if (!socket || socket.destroyed)
		return;
	let { status, headers, body } = answer;
	body = body === undefined ? Buffer.alloc(0) : Buffer.isBuffer(body) ? body : Buffer.from(body);
	headers = { Date: new Date(r.now).toUTCString(), ...headers };
	const noBody = r.method === 'HEAD' || status === 204 || status === 304;
	const kind = rule?.do;
	const raw = (version, extra) => Buffer.from([`${version} ${status} Emul`,
		...Object.entries({ ...headers, ...extra }).map(([k, v]) => `${k}: ${v}`), '', ''].join('\r\n'), 'latin1');
	const whole = () => {
		if (!noBody || headers['Content-Length'] === undefined)
			headers['Content-Length'] = status === 204 || status === 304 ? undefined : String(body.length);
		if (headers['Content-Length'] === undefined)
			delete headers['Content-Length'];
		return new Promise(done => {
			res.once('close', done);
			res.writeHead(status, headers);
			res.end(noBody ? undefined : body);
		});
	};
	res.sendDate = false;

	switch (kind) {
	case 'read_body_then_close':
		return rule.how === 'rst' ? socket.resetAndDestroy() : socket.destroy();
	case 'hang':
		return new Promise(done => socket.once('close', done));
	case 'late':
		await sleep(rule.ms ?? 1000);
		return socket.destroyed ? undefined : whole();
	case 'slow':
		socket.write(raw('HTTP/1.1', { 'Content-Length': body.length, Connection: 'close' }));
		for (let i = 0; i < body.length && !socket.destroyed; i++) {
			socket.write(body.subarray(i, i + 1));
			await sleep(rule.ms ?? 1000);
		}
		return socket.end();
	case 'endless': {
		socket.write(raw('HTTP/1.1', { Connection: 'close' }));
		socket.write(body);
		const block = Buffer.alloc(65536, ' ');
		for (let sent = 0; sent < (rule.bytes ?? Infinity) && !socket.destroyed; sent += block.length)
			if (!socket.write(block))
				await new Promise(done => {
					socket.once('drain', done);
					socket.once('close', done);
				});
		return socket.end();
	}
	case 'huge_headers': {
		const extra = {};
		if (rule.lines)
			for (let i = 0; i < rule.lines; i++)
				extra[`x-emul-${i}`] = 'x'.repeat(80);
		else
			extra['x-emul'] = 'x'.repeat(rule.bytes ?? 1 << 20);
		socket.write(raw('HTTP/1.1', { ...extra, 'Content-Length': body.length, Connection: 'close' }));
		return socket.end(body);
	}
	case 'short_body':
		socket.write(raw('HTTP/1.1', { 'Content-Length': body.length, Connection: 'close' }));
		return socket.end(body.subarray(0, Math.floor(body.length * (rule.fraction ?? 0.5))));
	case 'no_content_length':
		socket.write(raw('HTTP/1.1', { Connection: 'close' }));
		return socket.end(body);
	case 'http10':
		socket.write(raw('HTTP/1.0', {}));
		return socket.end(body);
	case 'informational':
		for (let i = 0; i < (rule.lines ?? 100); i++)
			socket.write('HTTP/1.1 103 Early Hints\r\nLink: </>; rel=preload\r\n\r\n');
		return whole();
	case 'chunked_trailers':
		socket.write(raw('HTTP/1.1', { 'Transfer-Encoding': 'chunked', Connection: 'close' }));
		if (body.length)
			socket.write(Buffer.concat([Buffer.from(body.length.toString(16) + '\r\n'), body, Buffer.from('\r\n')]));
		return socket.end('0\r\nx-emul-trailer: 1\r\n\r\n');
	case 'garbage':
		return socket.end(Buffer.from('\x16\x03\x01 this is not HTTP\r\n\r\n\x00\xff\xfe', 'latin1'));
	case 'gzip_bomb':
		headers['Content-Encoding'] = 'gzip';
		body = gzipSync(Buffer.alloc(rule.bytes ?? 1 << 28, ' '), { level: 1 });
		return whole();
	case 'wrong_checksum':
	case 'no_checksum':
		for (const name of Object.keys(headers))
			if (/^(etag|x-amz-checksum-(?!type).*)$/i.test(name)) {
				if (kind === 'wrong_checksum')
					headers[name] = flip(headers[name]);
				else
					delete headers[name];
			}
		if (kind === 'wrong_checksum')
			body = Buffer.from(body.toString('latin1').replace(/(<(ETag|Checksum\w+)>(?:&quot;)?)([^<&]+)/g,
				(all, tag, name, value) => name === 'ChecksumType' ? all : tag + flip(value)), 'latin1');
		return whole();
	case 'connection_close':
		headers.Connection = 'close';
		return whole();
	case 'close_after':
		await whole();
		await sleep(rule.ms ?? 0);
		return socket.destroy();
	case 'headers':
		Object.assign(headers, rule.headers);
		return whole();
	case 'answer':
		body = Buffer.from(typeof rule.body === 'string' ? rule.body : JSON.stringify(rule.body));
		return whole();
	default:
		return whole();
	}
}

// Before the body. True: the connection is dealt with, and nothing is carried out.
export async function beforeBody(rule, r, req, res) {
	const socket = req.socket;
	switch (rule.do) {
	case 'reset_before_body':
		socket.resetAndDestroy();
		return true;
	case 'close_before_body':
		socket.destroy();
		return true;
	case 'reset_in_body': {
		let left = rule.bytes ?? Math.floor(Number(r.headers['content-length'] ?? 2) / 2);
		for await (const piece of req.iterator({ destroyOnReturn: false }))
			if ((left -= piece.length) <= 0)
				break;
		socket.resetAndDestroy();
		return true;
	}
	case 'slow_read':
		r.pace = bytes => sleep(bytes * 1000 / (rule.bytes_per_s ?? 1));
		return false;
	case 'early_200':
		await send(r, res, { status: 200, headers: { Connection: 'close', ...rule.headers }, body: rule.body ?? '' }, null);
		return true;
	default:
		return false;
	}
}

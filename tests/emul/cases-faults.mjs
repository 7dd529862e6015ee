// Each fault of the script language does to a client what it says, and is carried out or not as it says.

import assert from 'node:assert/strict';
import http from 'node:http';
import net from 'node:net';
import { codeIn, control, firehoseCall, raw, script, signed, until, url } from './client.mjs';

const input = { DeliveryStreamName: 's1', Records: [{ Data: 'eAo=' }] };
const put = options => firehoseCall('PutRecordBatch', input, {}, r => ({ ...r, ...options }));
const fresh = async (...rules) => {
	await control('POST', 'reset');
	await control('POST', 'stream', { name: 's1', bucket: 'lake' });
	if (rules.length)
		await script(...rules);
};
const accepted = async () => (await control('GET', 'streams'))[0].accepted;
const one = (kind, more) => ({ match: { op: 'PutRecordBatch' }, do: kind, ...more });
const fails = (promise, pattern) => assert.rejects(promise, error => pattern.test(`${error.code} ${error.message}`));

export async function connections() {
	for (const [rule, taken, pattern] of [
		[one('reset_before_body'), 0, /ECONNRESET/], [one('close_before_body'), 0, /ECONNRESET|hang up/],
		[one('reset_in_body', { bytes: 10 }), 0, /ECONNRESET|EPIPE/], [one('read_body_then_close'), 1, /hang up|ECONNRESET/],
		[one('read_body_then_close', { how: 'rst' }), 1, /ECONNRESET/], [one('read_body_then_close', { accept: false }), 0, /hang up|ECONNRESET/],
		[one('short_body'), 1, /cut off|aborted|ECONNRESET/], [one('garbage'), 0, /HPE_|Parse Error/], [one('garbage', { accept: true }), 1, /HPE_|Parse Error/],
		[one('huge_headers'), 1, /HPE_HEADER_OVERFLOW/], [one('huge_headers', { lines: 10000 }), 1, /HPE_HEADER_OVERFLOW/],
	]) {
		await fresh(rule);
		await fails(put(), pattern);
		assert.equal(await accepted(), taken, JSON.stringify(rule));
		assert.equal((await put()).status, 200, 'once only');
		const [entry] = await control('GET', 'log');
		assert.deepEqual([entry.fault, entry.op], [rule.do, 'PutRecordBatch']);
	}
}

export async function answers() {
	const ok = '"FailedPutCount":0';
	for (const [rule, taken, status, pattern] of [
		[one('status', { status: 500 }), 0, 500, /InternalFailure/], [one('status', { status: 500, accept: true }), 1, 500, /InternalFailure/],
		[one('status', { status: 403, code: 'AccessDeniedException', message: 'no' }), 0, 403, /AccessDeniedException.*"no"/],
		[one('status', { status: 502, body: '<html>Bad Gateway', headers: { 'Content-Type': 'text/html' } }), 0, 502, /^<html>/],
		[one('status', { early: true, status: 503 }), 0, 503, /InternalFailure/],
		[one('throttle', { retry_after: 7 }), 0, 503, /ServiceUnavailableException/], [one('html200'), 0, 200, /<html>/],
		[one('garbage_body'), 0, 200, /^\r/], [one('empty200'), 0, 200, /^$/], [one('redirect301', { region: 'eu-west-1' }), 0, 301, /PermanentRedirect/],
		[one('redirect307', { location: 'http://evil.invalid/' }), 0, 307, /Temporary/], [one('late', { ms: 100 }), 1, 200, ok],
		[one('slow', { ms: 1 }), 1, 200, ok], [one('endless', { bytes: 300000 }), 1, 200, ok], [one('no_content_length'), 1, 200, ok],
		[one('http10'), 1, 200, ok], [one('informational', { lines: 5 }), 1, 200, ok], [one('chunked_trailers'), 1, 200, ok],
		[one('connection_close'), 1, 200, ok], [one('early_200', { body: '{}' }), 0, 200, /^{}$/], [one('answer', { body: { a: 1 } }), 1, 200, /^{"a":1}$/],
		[one('slow_read', { bytes_per_s: 1000 }), 1, 200, ok], [one('gzip_bomb', { bytes: 1 << 20 }), 1, 200, /^\x1f/],
		[one('headers', { headers: { 'x-emul-test': '1' } }), 1, 200, ok],
	]) {
		await fresh(rule);
		const answer = await put();
		assert.equal(answer.status, status, JSON.stringify(rule));
		assert.match(answer.text, pattern instanceof RegExp ? pattern : new RegExp(pattern));
		assert.equal(await accepted(), taken, JSON.stringify(rule));
		if (rule.do === 'throttle')
			assert.equal(answer.headers['retry-after'], '7');
		if (rule.do === 'redirect301')
			assert.equal(answer.headers['x-amz-bucket-region'], 'eu-west-1');
		if (rule.do === 'redirect307')
			assert.equal(answer.headers.location, 'http://evil.invalid/');
		if (rule.do === 'headers')
			assert.equal(answer.headers['x-emul-test'], '1');
		if (rule.do === 'no_content_length' || rule.do === 'endless')
			assert.equal(answer.headers['content-length'], undefined);
	}
	await fresh(one('hang'));
	const slow = await Promise.race([put().then(() => 'answered', () => 'failed'), new Promise(done => setTimeout(done, 300, 'silence'))]);
	assert.equal(slow, 'silence');
	await until(async () => await accepted() === 1);
	// an idle connection that is dropped after a good answer
	await fresh(one('close_after'));
	const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
	assert.equal((await put({ agent })).status, 200);
	await until(() => Object.keys(agent.freeSockets).length === 0);
	assert.equal((await put({ agent })).status, 200);
	const entries = await control('GET', 'log');
	assert.notEqual(entries[0].conn, entries[1].conn);
	agent.destroy();
}

export async function matching() {
	await fresh({ match: { service: 'firehose', nth: 2, count: 3, every: 2 }, do: 'throttle' });
	const statuses = [];
	for (let i = 0; i < 9; i++)
		statuses.push((await put()).status);
	assert.deepEqual(statuses, [200, 503, 200, 503, 200, 503, 200, 200, 200]);
	await fresh({ match: { stream: 'other' }, do: 'throttle' }, { match: { stream: 's1', count: 'all' }, do: 'throttle', status: 400, code: 'ThrottlingException' });
	assert.equal(codeIn(await put()), 'ThrottlingException');
	assert.equal(codeIn(await put()), 'ThrottlingException');
	const rules = await control('GET', 'script');
	assert.deepEqual(rules.map(rule => [rule.seen, rule.fired]), [[0, 0], [2, 2]]);
	await control('DELETE', `script?id=${rules[1].id}`);
	assert.equal((await put()).status, 200);
	await script({ match: { service: 's3', key: '\\.gz$' }, do: 'status', status: 403, code: 'AccessDenied' });
	assert.equal((await signed('s3', { path: '/lake/a' })).status, 404);
	assert.equal((await signed('s3', { path: '/lake/a.gz' })).status, 403);
	await assert.rejects(script({ do: 'nonsense' }), /no such fault/);
	await assert.rejects(script({ match: { operation: 'x' }, do: 'late' }), /nothing to match by/);
	await assert.rejects(script({ do: 'late', early: true }), /cannot be early/);
	await assert.rejects(control('POST', 'config', { nonsense: 1 }), /no such setting/);
	// probability: seeded, so not all and not none of many
	await fresh({ match: { count: 'all', probability: 0.5 }, do: 'throttle' });
	let throttled = 0;
	for (let i = 0; i < 60; i++)
		throttled += (await put()).status === 503;
	assert.ok(throttled > 5 && throttled < 55, String(throttled));
	const counts = await control('GET', 'counts');
	assert.deepEqual([counts['firehose.PutRecordBatch'].requests, counts['firehose.PutRecordBatch'].failed], [60, throttled]);
}

export async function checksumsOfS3() {
	await fresh({ match: { op: 'PutObject' }, do: 'wrong_checksum' }, { match: { op: 'PutObject', nth: 2 }, do: 'no_checksum' });
	const send = () => signed('s3', { method: 'PUT', path: '/lake/k', body: 'hello\n', headers: { 'x-amz-checksum-crc32c': 'NT3Yvg==' } });
	const wrong = await send(), none = await send(), right = await send();
	assert.notEqual(wrong.headers['x-amz-checksum-crc32c'], 'NT3Yvg==');
	assert.notEqual(wrong.headers.etag, right.headers.etag);
	assert.equal(none.headers['x-amz-checksum-crc32c'], undefined);
	assert.equal(right.headers['x-amz-checksum-crc32c'], 'NT3Yvg==');
	// Expect: 100-continue that is never answered
	await script({ match: { op: 'PutObject' }, do: 'no_continue' });
	const request = patience => new Promise(done => {
		const socket = net.connect(Number(new URL(url).port), '127.0.0.1'), end = got => {
			socket.destroy();
			done(got);
		};
		socket.on('data', piece => end(String(piece)));
		socket.write('PUT /lake/k HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n',
			() => setTimeout(end, patience, ''));
	});
	assert.equal(await request(150), '');
	await until(async () => (await control('GET', 'script'))[0].fired === 1);
	assert.match(await request(30000), /^HTTP\/1.1 100 Continue/);
}

// The TCP proxy, in front of the emulator; its ports come from the shell.
export async function tcpProxy() {
	const base = `http://127.0.0.1:${process.env.PROXY_PORT}`, steering = `http://127.0.0.1:${process.env.PROXY_CONTROL}`;
	const steer = (method, path, body) => fetch(steering + path, { method, body: body && JSON.stringify(body) }).then(async answer => {
		const text = await answer.text();
		assert.ok(answer.ok, text);
		return text;
	});
	const big = 'x'.repeat(300000);
	await fresh();
	await control('PUT', 'object?bucket=lake&key=big', big);
	const get = () => raw({ path: '/_emul/object?bucket=lake&key=big', base });
	const puts = () => signed('s3', { method: 'PUT', path: '/lake/up', body: big, base });
	assert.equal((await get()).text, big);
	await steer('POST', '/script', [{ do: 'reset', down: 1000 }, { do: 'close', nth: 2, down: 1000 }, { do: 'corrupt', nth: 3, down: 5000 },
		{ do: 'delay', nth: 4, ms: 50 }, { do: 'rate', nth: 5, bytes_per_s: 10000000 }, { do: 'reset', nth: 6, up: 1000 }, { do: 'reset', nth: 7 }]);
	await fails(get(), /ECONNRESET|cut off|aborted/);
	await fails(get(), /cut off|aborted|ECONNRESET/);
	const corrupt = (await get()).bytes;
	assert.equal(corrupt.filter((byte, i) => byte !== big.charCodeAt(i)).length, 1);
	assert.equal((await get()).text, big);
	assert.equal((await get()).text, big);
	await fails(puts(), /ECONNRESET|EPIPE/);
	await fails(get(), /ECONNRESET|hang up/);
	assert.equal((await puts()).status, 200);
	await steer('POST', '/script', { do: 'black_hole', down: 1000 });
	assert.equal(await Promise.race([get().then(() => 'answered', () => 'failed'), new Promise(done => setTimeout(done, 300, 'silence'))]), 'silence');
	await steer('POST', '/listen', { on: false });
	await fails(get(), /ECONNREFUSED/);
	await steer('POST', '/listen', { on: true });
	assert.equal((await get()).text, big);
	const log = (await steer('GET', '/log')).split('\n').filter(Boolean).map(line => JSON.parse(line));
	assert.deepEqual(log.slice(1, 8).map(entry => entry.do), ['reset', 'close', 'corrupt', 'delay', 'rate', 'reset', 'reset']);
	assert.ok(log[0].down > 300000);
}

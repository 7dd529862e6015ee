// What the cases (cases-*.mjs) ask the emulator with: AWS's own clients, requests signed by hand, control calls.
// It is at $EMUL_URL; t*.sh start it and run the cases one by one with case.mjs.

import http from 'node:http';
import https from 'node:https';
import { createHash, createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { SignatureV4 } from '@smithy/signature-v4';
import { FirehoseClient } from '@aws-sdk/client-firehose';
import { S3Client } from '@aws-sdk/client-s3';
import { STSClient } from '@aws-sdk/client-sts';

export const url = process.env.EMUL_URL, region = 'us-east-1';
export const credentials = { accessKeyId: process.env.EMUL_ACCESS_KEY, secretAccessKey: process.env.EMUL_SECRET_KEY };
const settings = { region, endpoint: url, credentials, maxAttempts: 1 };
export const firehose = (more = {}) => new FirehoseClient({ ...settings, ...more });
export const s3 = (more = {}) => new S3Client({ ...settings, forcePathStyle: true, ...more });
export const sts = (more = {}) => new STSClient({ ...settings, ...more });

export async function control(method, path, body) {
	const answer = await fetch(`${url}/_emul/${path}`, { method, body: body === undefined ? undefined : typeof body === 'string' ||
		Buffer.isBuffer(body) ? body : JSON.stringify(body) });
	const text = await answer.text();
	if (!answer.ok)
		throw new Error(`${method} ${path}: ${text}`);
	return answer.headers.get('content-type') === 'application/json' ? JSON.parse(text)
		: answer.headers.get('content-type') === 'application/x-ndjson' ? text.split('\n').filter(Boolean).map(line => JSON.parse(line)) : text;
}
export const script = (...rules) => control('POST', 'script', rules);
// What comes by itself, however busy the machine is; who runs the case has a limit for it.
export async function until(check) {
	while (!await check())
		await new Promise(done => setTimeout(done, 20));
}
// The services' clock is so far ahead: nobody waits for what takes them minutes.
export const ahead = seconds => control('POST', 'config', { clock_offset_s: seconds });

class Sha256 {
	constructor(secret) {
		this.hash = secret === undefined ? createHash('sha256') : createHmac('sha256', secret);
	}
	update(bytes) {
		this.hash.update(bytes);
	}
	async digest() {
		return this.hash.digest();
	}
}
export const signer = (service, more = {}) => new SignatureV4({ service, region, credentials, sha256: Sha256,
	uriEscapePath: service !== 's3', applyChecksum: service === 's3', ...more });

// A request as given, on a connection of its own unless there is an agent. Resolves to {status, headers, text, bytes}; rejects when
// the connection fails.
export function raw({ method = 'GET', path = '/', query = {}, headers = {}, body, agent = false, base = url }) {
	const search = Object.entries(query).map(([k, v]) => `${encodeURIComponent(k)}=${encodeURIComponent(v)}`).join('&');
	const target = new URL(base), module = target.protocol === 'https:' ? https : http;
	return new Promise((done, failed) => {
		const req = module.request({ host: target.hostname, port: target.port, method, headers, agent, path: path + (search ? `?${search}` : ''),
			ca: process.env.EMUL_CA && readFileSync(process.env.EMUL_CA) }, res => {
			const pieces = [];
			res.on('data', piece => pieces.push(piece));
			res.on('aborted', () => failed(new Error('cut off')));
			res.on('error', failed);
			res.on('end', () => {
				const bytes = Buffer.concat(pieces);
				done({ status: res.statusCode, headers: res.headers, bytes, text: bytes.toString('utf8') });
			});
		});
		req.on('error', failed);
		req.end(body);
	});
}

// The same, signed; `change` may alter the signed request.
export async function signed(service, { method = 'GET', path = '/', query = {}, headers = {}, body, agent, base = url }, options = {}, change = r => r) {
	const target = new URL(base);
	const request = await signer(service, options.signer).sign({ method, protocol: target.protocol, hostname: target.hostname,
		port: Number(target.port), path, query, headers: { host: target.host, ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }), ...headers }, body },
	options);
	return raw({ body, agent, base, ...change(request) });
}
export const firehoseCall = (op, input, options, change) => signed('firehose', { method: 'POST', body: typeof input === 'string' ? input : JSON.stringify(input),
	headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': `Firehose_20150804.${op}` } }, options, change);

// The name of the service's error that a promise of a client ends with, or none.
export const nameOf = promise => promise.then(() => 'none', error => {
	if (!error.$metadata?.httpStatusCode)
		throw error;
	return error.name;
});
export const codeIn = answer => /<Code>([^<]*)/.exec(answer.text)?.[1] ?? (/"__type":"([^"]*)/.exec(answer.text)?.[1] ?? null);

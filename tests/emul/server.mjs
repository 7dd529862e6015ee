// AWS and Snowflake on the loopback, for river's tests: Firehose that delivers into S3, S3, STS, instance metadata,
// container credentials, SSO and Snowflake (snowflake.mjs) that loads from that S3, in one process, with faults by script.
//
//   node server.mjs [--dir DIR] [--port N] [--tls-port N] [--ready FILE] [--parent PID] [--seed N] [--config JSON]
//
// It prints one line of JSON (and writes it to FILE) when it is ready:
//   {"pid","http","https","https_wrong","ca","access_key","secret_key","region"}
// http and https are ports on 127.0.0.1 where all services answer; https_wrong has a certificate for another name;
// ca is the PEM file that verifies them (AWS_CA_BUNDLE). DIR (made; a scratch folder) gets the certificates.
// It ends by a signal, or when process PID is gone.
//
// Which service a request is for: X-Amz-Target Firehose_20150804.*: Firehose. The scope of the signature, or a form
// posted to /: STS. /latest/: instance metadata. /v2/credentials/: container. /federation/credentials: SSO.
// POST /token: SSO's tokens. /api/v2/statements, /v1/data/pipes, /session, /queries: Snowflake. /_emul/: control.mjs.
// All else: S3, path style or <bucket>.localhost.
//
// Each signature is computed again by the code of AWS's own clients (sigv4-verify.mjs). What is refused is refused by
// the name and status that AWS uses. Faults: faults.mjs has the language. Looking and steering: control.mjs.
//
import { SETTINGS as SNOWFLAKE_SETTINGS, Snowflake, route as routeSnowflake, statementOf } from './snowflake.mjs';

// Settings (--config, POST /_emul/config):
const SETTINGS = {
	region: 'us-east-1',        // signatures for another region are refused; "any": all are taken
	region_error: 301,          // how S3 refuses them: 301 or 400
	account: '123456789012',
	clock_offset_s: 0,          // how far the services' clock is ahead of ours
	skew_s: 900,                // a signature may be so old or new
	auth_status: 403,           // of Firehose's refusals; 400 has been seen too
	type_prefix: '',            // in front of Firehose's error codes: "com.amazonaws.firehose#"
	// Firehose
	record_bytes: 1024000, batch_records: 500, batch_bytes: 4 * 1024 * 1024,
	control_per_s: 0,           // 5 is the real one; 0: any
	creating_ms: 0, deleting_ms: 0,
	not_active_code: 'ResourceNotFoundException',
	max_streams: 5000,
	deliver: true,              // false: records are only accepted
	keep_records: true,         // false: only counted (what waits for delivery is kept)
	record_files: false,        // accepted bytes are appended to DIR/records-<stream>
	buffer_ms: null, buffer_bytes: null, // instead of the stream's hints
	// S3
	keep_objects: true,         // false: contents are counted, hashed and forgotten
	list_page: 1000, min_part: 5 * 1024 * 1024,
	conditional_writes: 'yes',  // "ignored" as old stores do, "refused" (501) as Swift does
	max_notifications: 100,
	notification_destinations: null, // ARNs that exist; null: any
	denied: [],                 // access keys that are known, and may do nothing: AccessDenied
	// credentials
	credentials_s: null,        // life of what STS, IMDS, container and SSO hand out; null: as asked, else an hour
	assumable: null, external_id: null, web_identity_token: null,
	imds: true, imds_v1: false, imds_role: 'river-role',
	container_token: null,
	sso_token: 'riverCanaryBird-access', sso_client_id: 'client', sso_client_secret: 'riverCanaryBird-client',
	sso_refresh_token: 'riverCanaryBird-refresh', sso_token_s: 3600,
	...SNOWFLAKE_SETTINGS,
};

import { randomUUID } from 'node:crypto';
import { appendFileSync, mkdtempSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { control } from './control.mjs';
import { Script, beforeBody, carriedOut, insteadOfService, send } from './faults.mjs';
import { Firehose } from './firehose.mjs';
import { Identity } from './identity.mjs';
import { Log } from './log.mjs';
import { HttpError, parseQuery, parseRequest, readBody, xmlDocument } from './request.mjs';
import { S3, route } from './s3.mjs';
import { Keyring, SignatureError, UNSIGNED, claims, refusal, verify } from './sigv4-verify.mjs';
import { announce, listen, parseOptions } from './start.mjs';
import { makeCertificates } from './tls.mjs';

const ACCESS_KEY = 'AKIARIVERTEST0000001', SECRET_KEY = 'riverCanaryBird/000000000000000000000001';
const TARGET = 'Firehose_20150804.';

// ---- the world: what all services share
function makeWorld(seed, dir) {
	let state = seed >>> 0;
	const world = {
		config: { ...SETTINGS }, initial: { ...SETTINGS },
		keyring: new Keyring(), log: new Log(),
		now: () => Date.now() + world.config.clock_offset_s * 1000,
		random: () => { // mulberry32: the same seed, the same faults
			state = (state + 0x6d2b79f5) | 0;
			let t = Math.imul(state ^ (state >>> 15), 1 | state);
			t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
			return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
		},
		configure(change) {
			for (const name of Object.keys(change))
				if (!(name in SETTINGS))
					throw new HttpError(400, 'BadConfig', `no such setting: ${name}`);
			Object.assign(world.config, change);
		},
		onRecords(stream, items) {
			if (world.config.record_files)
				appendFileSync(join(dir, `records-${stream}`), Buffer.concat(items));
		},
		async reset() {
			world.config = { ...world.initial };
			await world.snowflake.reset();
			world.firehose.reset();
			world.s3.reset();
			world.identity.reset();
			world.script.clear();
			world.log.clear();
			world.keyring.keys.clear();
			world.keyring.add(ACCESS_KEY, SECRET_KEY);
		},
	};
	world.script = new Script(world.random);
	world.s3 = new S3(world);
	world.firehose = new Firehose(world);
	world.identity = new Identity(world);
	world.snowflake = new Snowflake(world);
	return world;
}

// ---- one request
let requests = 0;

function classify(r, claim) {
	const target = r.headers['x-amz-target'] ?? '';
	r.service = 's3';
	if (routeSnowflake(r))
		return;
	if (target.startsWith(TARGET) || claim?.service === 'firehose') {
		r.service = 'firehose';
		r.op = target.startsWith(TARGET) ? target.slice(TARGET.length) : 'Unknown';
	} else if (claim?.service === 'sts' || (r.path === '/' && r.method === 'POST' &&
		   /^application\/x-www-form-urlencoded/.test(r.headers['content-type'] ?? ''))) {
		r.service = 'sts';
		r.op = 'Unknown'; // in the body
	} else if (r.path.startsWith('/latest/')) {
		r.service = 'imds';
		r.op = r.path === '/latest/api/token' ? 'Token' : r.path.includes('security-credentials') ? 'Credentials' : 'Get';
	} else if (r.path.startsWith('/v2/credentials')) {
		r.service = 'container';
		r.op = 'Credentials';
	} else if (r.path === '/federation/credentials') {
		r.service = 'sso';
		r.op = 'GetRoleCredentials';
	} else if (r.path === '/token' && r.method === 'POST') {
		r.service = 'oidc';
		r.op = 'CreateToken';
	} else {
		route(r);
	}
}

// An error as the service says it.
function refuse(world, r, status, code, message, detail = {}, headers = {}) {
	r.code = code;
	switch (r.service) {
	case 's3':
		return { status, headers: { 'Content-Type': 'application/xml', ...headers }, body: xmlDocument('Error', { Code: code,
			Message: message, ...detail, Resource: r.path, RequestId: r.id, HostId: r.id.repeat(2) }) };
	case 'sts':
		return { status, headers: { 'Content-Type': 'text/xml', ...headers }, body: xmlDocument('ErrorResponse', { Error: {
			Type: status < 500 ? 'Sender' : 'Receiver', Code: code, Message: message }, RequestId: r.id },
		'https://sts.amazonaws.com/doc/2011-06-15/') };
	case 'firehose':
		return { status, headers: { 'Content-Type': 'application/x-amz-json-1.1', ...headers },
			body: JSON.stringify({ __type: world.config.type_prefix + code, message }) };
	case 'snowflake':
		return { status, headers: { 'Content-Type': 'application/json', ...headers }, body: JSON.stringify({ code, message, ...detail }) };
	case 'oidc':
		return { status, headers: { 'Content-Type': 'application/json', 'x-amzn-ErrorType': code, ...headers },
			body: JSON.stringify({ error: code.replace(/Exception$/, '').replace(/(?!^)[A-Z]/g, '_$&').toLowerCase(), error_description: message }) };
	case 'imds':
		return { status, headers: { 'Content-Type': 'text/plain', ...headers }, body: message };
	default:
		return { status, headers: { 'Content-Type': 'application/json', 'x-amzn-ErrorType': code, ...headers },
			body: JSON.stringify({ code, message }) };
	}
}

async function signed(world, r, claim, payloadHash) {
	if (!claim)
		throw new HttpError(403, r.service === 's3' ? 'AccessDenied' : 'MissingAuthenticationTokenException',
			r.service === 's3' ? 'Access Denied' : 'Missing Authentication Token');
	const signing = await verify(r, claim, payloadHash, { keyring: world.keyring, now: r.now, service: r.service,
		skew_ms: world.config.skew_s * 1000, s3: r.service === 's3' });
	if (world.config.denied.includes(r.akid))
		throw new HttpError(r.service === 's3' ? 403 : 400, r.service === 's3' ? 'AccessDenied' : 'AccessDeniedException',
			`User: ${r.akid} is not authorized to perform: ${r.service}:${r.op}`);
	const { region } = world.config;
	if (r.service === 'firehose' && region !== 'any' && claim.region !== region)
		throw new HttpError(403, 'InvalidSignatureException', `Credential should be scoped to a valid region, not '${claim.region}'. `);
	return signing;
}

// The service's part: what it answers, and whether a rule of the script is about it.
async function serve(world, r, req, claim) {
	const identity = ['imds', 'container', 'sso'].includes(r.service);
	let body, signing, form;
	if (r.service === 's3') {
		const hash = r.headers['x-amz-content-sha256'] ?? (claim?.form === 'query' ? r.query['X-Amz-Content-Sha256'] ?? UNSIGNED : undefined);
		if (claim && hash === undefined)
			throw new HttpError(400, 'InvalidRequest', 'Missing required header for this request: x-amz-content-sha256');
		signing = await signed(world, r, claim, claim?.form === 'query' ? r.query['X-Amz-Content-Sha256'] ?? UNSIGNED : hash);
	} else if (!identity) {
		body = await readBody(req, 64 << 20, r.pace);
		r.bodyBytes = body.size;
		r.bodyHash = body.sha256.slice(0, 16);
		if (r.service === 'sts') {
			form = parseQuery(body.bytes.toString('latin1'));
			r.op = form.Action ?? 'Unknown';
		} else if (r.service === 'firehose') {
			r.stream = /"DeliveryStreamName"\s*:\s*"([^"\\]*)"/.exec(body.bytes.toString('latin1', 0, 4096))?.[1] ??
				/"DeliveryStreamName"\s*:\s*"([^"\\]*)"/.exec(body.bytes.toString('latin1', Math.max(0, body.size - 4096)))?.[1];
		}
		if (r.service === 'snowflake') // rules of the script look at it
			r.sql = statementOf(r, body.bytes);
		if (r.service !== 'oidc' && r.service !== 'snowflake' && r.op !== 'AssumeRoleWithWebIdentity')
			await signed(world, r, claim, body.sha256);
	}

	const rule = world.script.pick(false, r);
	if (rule) {
		r.fault = rule.do;
		r.rule = rule;
	}
	if (rule && !carriedOut(rule)) {
		const answer = insteadOfService(rule, r, (...args) => refuse(world, r, ...args));
		await drain(req);
		return answer ?? { status: 200, headers: {}, body: '' };
	}
	let answer;
	switch (r.service) {
	case 's3': answer = await world.s3.call(r, req, signing, rule); break;
	case 'firehose':
		answer = { status: 200, headers: { 'Content-Type': 'application/x-amz-json-1.1' },
			body: JSON.stringify(await world.firehose.call(r, body.bytes, rule)) };
		break;
	case 'snowflake':
		answer = await world.snowflake.call(r, body.bytes, rule);
		break;
	case 'sts': answer = world.identity.sts(r, form); break;
	case 'imds': answer = world.identity.imds(r); break;
	case 'container': answer = world.identity.container(r); break;
	case 'sso': answer = world.identity.portal(r); break;
	default: answer = world.identity.oidc(r, body.bytes);
	}
	return (rule && insteadOfService(rule, r, (...args) => refuse(world, r, ...args))) ?? answer;
}

async function drain(req) {
	if (!req.readableEnded && !req.destroyed)
		for await (const _ of req) {
			// what nobody reads keeps the connection from being used again
		}
}

async function onRequest(world, req, res, waitsForContinue) {
	const n = ++requests, socket = req.socket, started = Date.now();
	const conn = socket.emulNumber;
	let r;
	try {
		r = { ...parseRequest(req), address: socket.remoteAddress, n, id: randomUUID().replaceAll('-', '').toUpperCase().slice(0, 16), now: world.now() };
	} catch (error) {
		r = { method: req.method, path: req.url, query: {}, headers: req.headers, service: 's3', op: 'Unknown', n, id: '0', now: world.now(), key: '' };
		return send(r, res, refuse(world, r, error.status ?? 500, error.code, error.message), null);
	}
	if (r.path.startsWith('/_emul/')) {
		let answer;
		try {
			answer = await control(world, r, req);
		} catch (error) {
			answer = { status: error.status ?? 500, headers: { 'Content-Type': 'application/json' },
				body: JSON.stringify({ error: error.message }) + '\n' };
		}
		return send(r, res, answer, null);
	}

	let claim = null, answer, refusedEarly = null;
	try {
		claim = claims(r);
	} catch (error) {
		refusedEarly = error;
	}
	r.akid = claim?.id;
	r.region = claim?.region;
	socket.emulRequests = (socket.emulRequests ?? 0) + 1;
	const connRequest = socket.emulRequests;
	classify(r, claim);
	const note = status => world.log.add({ n, t: started, ms: Date.now() - started, service: r.service, op: r.op, method: r.method,
		path: r.service === 'firehose' ? undefined : r.path, account: r.account, handle: r.handle, request_id: r.requestId, sql: r.sql, why: r.why, bucket: r.bucket, key: r.key || undefined,
		prefix: r.query?.prefix, stream: r.stream,
		status, code: r.code, records: r.records, accepted: r.accepted, failed: r.failed, record_bytes: r.recordBytes,
		bytes: r.bodyBytes, body: r.bodyHash, conn, conn_request: connRequest, attempt: r.headers['amz-sdk-request'],
		akid: r.akid, region: r.region, tls: r.tls || undefined, fault: r.fault });

	const early = world.script.pick(true, r);
	if (early) {
		r.fault = early.do;
		if (early.early) {
			answer = insteadOfService(early, r, (...args) => refuse(world, r, ...args));
			note(answer.status);
			answer.headers.Connection = 'close';
			await send(r, res, answer, null);
			return socket.end();
		}
		if (await beforeBody(early, r, req, res)) {
			note(early.do === 'early_200' ? 200 : 0);
			if (early.do === 'early_200')
				socket.end();
			return;
		}
	}
	if (waitsForContinue && early?.do !== 'no_continue')
		res.writeContinue();
	try {
		// an Authorization header is AWS's only for the services that verify signatures
		if (refusedEarly && ['s3', 'firehose', 'sts'].includes(r.service))
			throw refusedEarly;
		answer = await serve(world, r, req, claim);
	} catch (error) {
		if (req.errored || req.aborted) {
			note(0); // the client went away within its body
			return;
		}
		await drain(req).catch(() => {});
		if (error instanceof SignatureError) {
			const { status, code } = refusal(r.service, error);
			answer = refuse(world, r, r.service === 'firehose' && status === 403 ? world.config.auth_status : status, code,
				error.message, error.detail);
		} else if (error instanceof HttpError) {
			answer = refuse(world, r, error.status, error.code, error.message, error.detail, error.headers);
		} else {
			process.stderr.write(`emul: ${error.stack}\n`);
			answer = refuse(world, r, 500, 'EmulatorBug', error.message);
		}
	}
	answer.headers = { ...(r.service === 's3' ? { 'x-amz-request-id': r.id, 'x-amz-id-2': r.id.repeat(2), Server: 'AmazonS3' }
		: { 'x-amzn-RequestId': r.id }), ...answer.headers };
	const rule = r.rule ?? null;
	note(['read_body_then_close', 'hang', 'garbage'].includes(rule?.do) ? 0 : answer.status);
	await send(r, res, answer, rule);
}

// ---- start
const options = parseOptions({ dir: { type: 'string' }, port: { type: 'string', default: '0' },
	'tls-port': { type: 'string', default: '0' }, seed: { type: 'string', default: '1' }, config: { type: 'string' } });
const dir = options.dir ?? mkdtempSync(join(tmpdir(), 'river-emul-'));
const world = makeWorld(Number(options.seed), dir);
await world.reset();
if (options.config) {
	world.configure(JSON.parse(options.config));
	world.initial = { ...world.config };
}
const certificates = makeCertificates(dir);

let connections = 0;
function serveOn(module, certificate) {
	const server = module.createServer({ ...certificate, maxHeaderSize: 65536, keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0 });
	const handle = waits => (req, res) => onRequest(world, req, res, waits).catch(error => {
		process.stderr.write(`emul: ${error.stack}\n`);
		req.socket.destroy();
	});
	server.on('request', handle(false));
	server.on('checkContinue', handle(true));
	server.on(certificate ? 'secureConnection' : 'connection', socket => {
		socket.emulNumber = ++connections;
		socket.on('error', () => {}); // resets are what is tested here
	});
	server.on('clientError', (error, socket) => socket.destroy());
	server.on('tlsClientError', () => {});
	return server;
}

announce(options, { http: await listen(serveOn(http), options.port),
	https: await listen(serveOn(https, certificates.good), options['tls-port']),
	https_wrong: await listen(serveOn(https, certificates.wrong), 0),
	ca: certificates.ca, access_key: ACCESS_KEY, secret_key: SECRET_KEY, region: world.config.region });

// DynamoDB on the loopback: dynalite, whose validation nobody here wrote, behind a front that adds what it lacks:
// the time to live, the item that stood in a condition's way, and a service that throttles and loses answers.
//
//   node dynamodb.mjs [--ready FILE] [--parent PID]
//
// Each signature is computed again by the code of AWS's own clients; the key is AKIDEXAMPLE with "riverCanaryBird".
// When it is ready it prints {"pid","port","bare"}: the front's port, and dynalite's own. Control calls:
//   POST   /_emul/script   a rule or a list of them:
//                          {"op":"BatchWriteItem","nth":1,"count":1,"do":"throttle","holds":"text of the request"}
//                          op, holds: which requests count; nth, count: from the nth on, so many (1; "all")
//   DELETE /_emul/script   none any more
//   GET    /_emul/items?table=T    all items, one JSON a line, sorted as texts
//   GET    /_emul/counts   requests by operation, {"BatchWriteItem":{"requests","items","most","units"}, ...}
//   DELETE /_emul/counts   from zero again
//
// do:  throttle      nothing is done, ProvisionedThroughputExceededException
//      unprocessed   of a batch every second item is left, or with `only` those that hold this text; "all": true, all
//      lose          it is done, and the connection closed
//      hang          it is done, and never answered
//      late   ms     the connection is closed, and it is done so much later
//      fail   code   nothing is done, 400 with this code
//      broken        it is done, 500 InternalServerError
//      damage        it is done, and one byte of the answer is another

import { Agent, createServer, request as send } from 'node:http';
import { crc32 } from 'node:zlib';
import dynalite from 'dynalite';
import { createHash } from 'node:crypto';
import { parseRequest } from './request.mjs';
import { Keyring, SignatureError, claims, refusal, verify } from './sigv4-verify.mjs';
import { announce, listen, parseOptions } from './start.mjs';

const options = parseOptions({ port: { type: 'string', default: '0' } });
const store = dynalite({ createTableMs: 20, deleteTableMs: 20 });
// a connection that is closed while it is taken again would be a failure of nobody's
store.keepAliveTimeout = 0;
const bare = await listen(store, 0);
const agent = new Agent({ keepAlive: true });
const ttl = new Map();
let rules = [], counts = {};

function body(stream) {
	return new Promise((done, failed) => {
		const pieces = [];
		stream.on('data', piece => pieces.push(piece)).on('end', () => done(Buffer.concat(pieces))).on('error', failed);
	});
}

// Whatever was signed, dynalite wants to see something that looks signed.
const AUTHORIZATION = 'AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=b';

function ask(op, input) {
	return new Promise((done, failed) => {
		const text = Buffer.isBuffer(input) ? input : JSON.stringify(input);
		const out = send({ host: '127.0.0.1', port: bare, method: 'POST', agent, headers: {
			'content-type': 'application/x-amz-json-1.0', 'x-amz-target': `DynamoDB_20120810.${op}`,
			'x-amz-date': '20260101T000000Z', authorization: AUTHORIZATION, 'content-length': Buffer.byteLength(text) } },
		async answer => done({ status: answer.statusCode, body: await body(answer) }));
		out.on('error', failed);
		out.end(text);
	});
}

const type = 'com.amazonaws.dynamodb.v20120810#';
const error = (status, code, message, more) => ({ status, body: Buffer.from(JSON.stringify({ __type: type + code, message, ...more })) });
const ok = value => ({ status: 200, body: Buffer.from(JSON.stringify(value)) });

function ruleFor(op, text) {
	let found;
	for (const rule of rules) {
		if ((rule.op && rule.op !== op) || (rule.holds && !text.includes(rule.holds)))
			continue;
		rule.seen++;
		const { nth = 1, count = 1 } = rule;
		if (!found && rule.seen >= nth && (count === 'all' || rule.seen < nth + count))
			found = rule;
	}
	return found;
}

async function timeToLive(op, input) {
	const known = await ask('DescribeTable', { TableName: input.TableName });
	if (known.status !== 200)
		return known;
	if (op === 'UpdateTimeToLive') {
		const { Enabled, AttributeName } = input.TimeToLiveSpecification;
		if (ttl.get(input.TableName) && Enabled)
			return error(400, 'ValidationException', 'TimeToLive is already enabled');
		ttl.set(input.TableName, Enabled ? AttributeName : undefined);
		return ok({ TimeToLiveSpecification: input.TimeToLiveSpecification });
	}
	const AttributeName = ttl.get(input.TableName);
	return ok({ TimeToLiveDescription: AttributeName ? { TimeToLiveStatus: 'ENABLED', AttributeName } : { TimeToLiveStatus: 'DISABLED' } });
}

const keyring = new Keyring();
keyring.add('AKIDEXAMPLE', 'riverCanaryBird');
// of server.mjs, for who asks both
keyring.add('AKIARIVERTEST0000001', 'riverCanaryBird/000000000000000000000001');
async function refusedFor(request, raw) {
	try {
		const r = parseRequest(request);
		const claim = claims(r);
		if (!claim)
			return error(400, 'MissingAuthenticationTokenException', 'Missing Authentication Token');
		await verify(r, claim, createHash('sha256').update(raw).digest('hex'),
			{ keyring, now: Date.now(), service: 'dynamodb', skew_ms: 300000, s3: false });
		return undefined;
	} catch (problem) {
		if (!(problem instanceof SignatureError))
			throw problem;
		return error(400, refusal('dynamodb', problem).code, problem.message);
	}
}

// Of a batch what is done now, and what is left.
function part(input, rule) {
	const done = {}, left = {};
	let n = 0;
	for (const [table, requests] of Object.entries(input.RequestItems))
		for (const request of requests) {
			const leave = rule.all || (rule.only ? JSON.stringify(request).includes(rule.only) : n++ % 2 === 1);
			((leave ? left : done)[table] ??= []).push(request);
		}
	return { done, left };
}

async function batch(input, rule) {
	const { done, left } = part(input, rule);
	if (Object.keys(done).length === 0)
		return ok({ UnprocessedItems: left });
	const answer = await ask('BatchWriteItem', { ...input, RequestItems: done });
	return answer.status === 200 ? ok({ ...JSON.parse(answer.body), UnprocessedItems: left }) : answer;
}

async function carryOut(op, raw, input) {
	if (op === 'DescribeTimeToLive' || op === 'UpdateTimeToLive')
		return timeToLive(op, input);
	const answer = await ask(op, raw);
	// dynalite does not say what is there
	if (answer.status === 400 && input.ReturnValuesOnConditionCheckFailure === 'ALL_OLD' &&
		answer.body.includes('ConditionalCheckFailedException')) {
		const { Table } = JSON.parse((await ask('DescribeTable', { TableName: input.TableName })).body);
		const Key = Object.fromEntries(Table.KeySchema.map(k => [k.AttributeName, (input.Item ?? input.Key)[k.AttributeName]]));
		const { Item } = JSON.parse((await ask('GetItem', { TableName: input.TableName, Key, ConsistentRead: true })).body);
		return error(400, 'ConditionalCheckFailedException', 'The conditional request failed', { Item });
	}
	return answer;
}

async function call(op, raw, socket) {
	const text = raw.toString(), input = JSON.parse(text), rule = ruleFor(op, text);
	const count = counts[op] ??= { requests: 0, items: 0, most: 0 };
	const items = op === 'BatchWriteItem' ? Object.values(input.RequestItems).flat().length : 1;
	count.requests++;
	count.items += items;
	count.most = Math.max(count.most, items);
	switch (rule?.do) {
	case 'throttle': return error(400, 'ProvisionedThroughputExceededException', 'The level of configured provisioned throughput was exceeded');
	case 'fail': return error(400, rule.code, 'as the script says');
	case 'unprocessed': return batch(input, rule);
	case 'late':
		setTimeout(() => carryOut(op, raw, input), rule.ms);
		socket.destroy();
		return;
	case 'lose':
		await carryOut(op, raw, input);
		socket.destroy();
		return;
	case 'hang':
		await carryOut(op, raw, input);
		return;
	case 'broken':
		await carryOut(op, raw, input);
		return error(500, 'InternalServerError', 'as the script says');
	case 'damage': {
		const answer = await carryOut(op, raw, input), sum = crc32(answer.body);
		answer.body[answer.body.length - 1] ^= 1;
		return { ...answer, sum };
	}
	}
	return carryOut(op, raw, input);
}

async function items(table) {
	const all = [];
	for (let from; ;) {
		const answer = JSON.parse((await ask('Scan', { TableName: table, ExclusiveStartKey: from })).body);
		all.push(...answer.Items.map(item => JSON.stringify(Object.fromEntries(Object.entries(item).sort()))));
		from = answer.LastEvaluatedKey;
		if (!from)
			return all.sort().map(line => line + '\n').join('');
	}
}

async function control(request, url, raw) {
	if (url.pathname === '/_emul/script') {
		rules = request.method === 'DELETE' ? [] : [].concat(JSON.parse(raw)).map(rule => ({ ...rule, seen: 0 }));
		return '';
	}
	if (url.pathname === '/_emul/items')
		return items(url.searchParams.get('table'));
	if (url.pathname === '/_emul/counts') {
		if (request.method === 'DELETE')
			counts = {};
		return JSON.stringify(counts);
	}
	throw new Error(`no ${url.pathname}`);
}

const front = createServer(async (request, response) => {
	try {
		const url = new URL(request.url, 'http://localhost'), raw = await body(request);
		if (url.pathname.startsWith('/_emul/')) {
			response.end(await control(request, url, raw));
			return;
		}
		const [version, op] = (request.headers['x-amz-target'] ?? '').split('.');
		const refused = await refusedFor(request, raw);
		const answer = refused ?? (version !== 'DynamoDB_20120810' || request.headers['content-type'] !== 'application/x-amz-json-1.0' ?
			error(400, 'UnknownOperationException') : await call(op, raw, request.socket));
		if (!answer)
			return;
		response.writeHead(answer.status, { 'content-type': 'application/x-amz-json-1.0', 'x-amzn-requestid': 'EMUL',
			'x-amz-crc32': answer.sum ?? crc32(answer.body), 'content-length': answer.body.length });
		response.end(answer.body);
	} catch (problem) {
		// a client that was killed halfway through its request is not a bug of this program
		if (request.socket.destroyed && !request.complete)
			return;
		console.error(`emul: ${problem.stack}`);
		response.writeHead(599).end();
	}
});
announce(options, { port: await listen(front, options.port), bare });

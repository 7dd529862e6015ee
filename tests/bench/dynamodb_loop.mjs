// dynamodb_loop.mjs FILE ENDPOINT TABLE [IN-FLIGHT]: what it takes to fill DynamoDB's stand-in by hand. Requests of 25 items
// are made of the lines of FILE before the first is sent; then they go over IN-FLIGHT connections (8), unsigned as
// far as it goes, and no answer is looked at but for its status. Prints items a second.

import { Agent, request } from 'node:http';
import { readFileSync } from 'node:fs';

const [file, endpoint, table, flight = '8'] = process.argv.slice(2);
const url = new URL(endpoint);
const value = v => v === null ? { NULL: true } : typeof v === 'string' ? { S: v } : typeof v === 'number' ? { N: String(v) } :
	typeof v === 'boolean' ? { BOOL: v } : Array.isArray(v) ? { L: v.map(value) } : { M: item(v) };
const item = o => Object.fromEntries(Object.entries(o).map(([k, v]) => [k, value(v)]));
const items = readFileSync(file, 'utf8').split('\n').filter(Boolean).map(line => ({ PutRequest: { Item: { ...item(JSON.parse(line)), _v: { N: '1' } } } }));
const bodies = [];
for (let i = 0; i < items.length; i += 25)
	bodies.push(Buffer.from(JSON.stringify({ RequestItems: { [table]: items.slice(i, i + 25) } })));

const agent = new Agent({ keepAlive: true, maxSockets: Number(flight) });
const send = body => new Promise((done, failed) => {
	const out = request({ host: url.hostname, port: url.port, method: 'POST', agent, headers: {
		'content-type': 'application/x-amz-json-1.0', 'x-amz-target': 'DynamoDB_20120810.BatchWriteItem', 'content-length': body.length,
		'x-amz-date': '20260101T000000Z', authorization: 'AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=b' } },
	answer => answer.resume().on('end', () => answer.statusCode === 200 ? done() : failed(new Error(`status ${answer.statusCode}`))));
	out.on('error', failed);
	out.end(body);
});
const began = process.hrtime.bigint();
let next = 0;
await Promise.all(Array.from({ length: Number(flight) }, async () => {
	while (next < bodies.length)
		await send(bodies[next++]);
}));
console.log(Math.round(items.length / (Number(process.hrtime.bigint() - began) / 1e9)));
agent.destroy();

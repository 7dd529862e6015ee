// How the cases ask the emulated Snowflake by hand: a key, tokens signed by jose, statements, Snowpipe.

import { createHash, generateKeyPairSync, randomUUID } from 'node:crypto';
import { SignJWT } from 'jose';
import { control, raw } from './client.mjs';

export const pair = () => {
	const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
	const der = publicKey.export({ type: 'spki', format: 'der' });
	return { publicKey, privateKey, pem: privateKey.export({ type: 'pkcs8', format: 'pem' }), body: der.toString('base64'),
		fingerprint: `SHA256:${createHash('sha256').update(der).digest('base64')}` };
};
export const key = pair();
export const account = 'ACME-DATA', user = 'RIVER';

// A token as a client of Snowflake makes it; what is given replaces a claim.
export function jwt({ signed = key, named = signed, name = `${account}.${user}`, at = Math.floor(Date.now() / 1000), life = 3540,
	alg = 'RS256', ...claims } = {}) {
	return new SignJWT({ iss: `${name}.${named.fingerprint}`, sub: name, iat: at, exp: at + life,
		...claims }).setProtectedHeader({ alg, typ: 'JWT' }).sign(signed.privateKey);
}

export async function fresh(more = {}) {
	await control('POST', 'reset');
	await control('POST', 'bucket', { name: 'lake' });
	await control('POST', 'snowflake/account', { name: account });
	await control('POST', 'snowflake/user', { name: user, public_key: key.body, default_role: 'ACCOUNTADMIN',
		default_warehouse: 'WH', ...more });
}

export async function call(method, path, { token, body, query, headers } = {}) {
	const answer = await raw({ method, path, query, headers: { authorization: `Bearer ${token ?? await jwt()}`,
		accept: 'application/json', 'user-agent': 'case/1',
		...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
			body: body === undefined ? undefined : typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body) });
	try {
		answer.json = JSON.parse(answer.text);
	} catch {
		answer.json = null;
	}
	return answer;
}
export const submit = (statement, body = {}, { query = {}, ...more } = {}) => call('POST', '/api/v2/statements',
	{ body: { statement, ...body }, query: { requestId: randomUUID(), ...query }, ...more });
export const poll = (handle, query = {}, more = {}) => call('GET', `/api/v2/statements/${handle}`, { query, ...more });

// The rows of a statement that succeeds, as arrays of texts.
export async function rows(statement, body = {}, more = {}) {
	const answer = await submit(statement, body, more);
	if (answer.status !== 200)
		throw new Error(`${answer.status} ${answer.text}\n${statement}`);
	return answer.json.data;
}
// All of several statements, in one request.
export const many = (...statements) => rows(statements.join(';\n'), { parameters: { MULTI_STATEMENT_COUNT: '0' }, warehouse: 'WH' });
// The code that a statement is refused with.
export async function code(statement, body = {}, more = {}) {
	const answer = await submit(statement, body, more);
	return answer.status === 200 ? 'none' : answer.json.code;
}

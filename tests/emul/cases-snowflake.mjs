// Snowflake's SQL API and its ways in, asked by hand with tokens that jose signs.

import assert from 'node:assert/strict';
import { control } from './client.mjs';
import { account, call, code, fresh, jwt, key, pair, poll, rows, submit, user } from './snowflake-client.mjs';

const refusal = async (token, more = {}) => {
	const { status, json } = await submit('SELECT 1', {}, { token, ...more });
	return status === 200 ? 'none' : `${status} ${json.code}`;
};

export async function keyPairs() {
	await fresh();
	const now = Math.floor(Date.now() / 1000), bad = '401 390144';
	assert.equal(await refusal(await jwt()), 'none');
	assert.equal(await refusal(await jwt({ alg: 'RS384' })), 'none');
	assert.equal(await refusal(await jwt({ iat: now * 1000, exp: (now + 60) * 1000 })), 'none'); // milliseconds are tolerated
	const other = pair();
	assert.equal(await refusal(await jwt({ signed: other })), bad);
	assert.equal(await refusal(await jwt({ signed: other, named: key })), bad);
	assert.equal(await refusal(await jwt({ name: `ACME-OTHER.${user}` })), bad);
	assert.equal(await refusal(await jwt({ name: `${account}.NOBODY` })), bad);
	assert.equal(await refusal(await jwt({ name: `${account.toLowerCase()}.${user}` })), bad);
	assert.equal(await refusal(await jwt({ sub: 'ACME-DATA.ELSE' })), bad);
	assert.equal(await refusal(await jwt({ at: now - 3800, life: 7200 })), bad); // an hour after iat, whatever exp says
	assert.equal(await refusal(await jwt({ at: now - 600, life: 300 })), bad);
	assert.equal(await refusal(await jwt({ at: now + 300 })), bad);
	assert.equal(await refusal(await jwt({ at: now + 30 })), 'none'); // within the skew
	const log = await control('GET', 'log?op=Submit');
	assert.match(log.find(e => e.why)?.why, /FINGERPRINT_MISMATCH/);
	assert.match(log.at(-2).why, /ISSUE_TIME/);
	// rotation: the second slot; then the first is taken away
	await rows(`ALTER USER ${user} SET RSA_PUBLIC_KEY_2 = '${other.body}'`);
	assert.equal(await refusal(await jwt({ signed: other })), 'none');
	await rows(`ALTER USER ${user} UNSET RSA_PUBLIC_KEY`);
	assert.equal(await refusal(await jwt()), bad);
	assert.equal(await refusal(await jwt({ signed: other })), 'none');
	await control('POST', 'snowflake/user', { name: user, public_key: key.body });
	assert.equal(await refusal('rubbish', { headers: { 'x-snowflake-authorization-token-type': 'KEYPAIR_JWT' } }), bad);
	assert.equal((await call('POST', '/api/v2/statements', { headers: { authorization: 'Basic x' }, body: {} })).json.code, '390101');
	await control('POST', 'snowflake/user', { name: user, disabled: true });
	assert.equal(await refusal(), '401 390101');
	await control('POST', 'snowflake/user', { name: user, disabled: false, network: ['10.1.2.3'] });
	assert.equal(await refusal(), '401 390422');
	await control('POST', 'snowflake/user', { name: user, network: null });
	assert.equal(await refusal(), 'none');
}

export async function plainStatement() {
	await fresh();
	const { status, json, headers } = await submit("SELECT 1 AS A, 'x' AS \"b\", NULL AS N, 1.50::NUMBER(10,2) AS D, DATE '2020-01-02' AS DT");
	assert.equal(status, 200);
	assert.equal(json.code, '090001');
	assert.deepEqual(json.data, [['1', 'x', null, '1.50', '18263']]);
	assert.deepEqual(json.resultSetMetaData.rowType.map(c => [c.name, c.type]), [['A', 'fixed'], ['b', 'text'], ['N', 'fixed'], ['D', 'fixed'], ['DT', 'date']]);
	assert.equal(json.resultSetMetaData.format, 'jsonv2');
	assert.match(headers.link, /rel="last"/);
	assert.deepEqual((await poll(json.statementHandle)).json.data, json.data);
	assert.equal(await code('SELEC 1'), '001003');
	assert.equal(await code('SELECT * FROM D.S.T'), '002003');
	assert.equal((await poll('01aaaaaa-0000-0000-0000-000000000000')).json.code, '000709');
}

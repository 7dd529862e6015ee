// Snowflake's SQL API and its ways in, asked by hand with tokens that jose signs.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { Parser, init } from '@guanmingchiu/sqlparser-ts';
import { control } from './client.mjs';
import { account, call, code, fresh, jwt, key, many, pair, poll, rows, submit, user } from './snowflake-client.mjs';
import { blockOf, statements } from './snowflake-text.mjs';

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

// ---- what river says to Snowflake: tests/data/snowflake
const golden = process.env.EMUL_GOLDEN;
const goldenFiles = () => readdirSync(golden).filter(name => name.endsWith('.sql')).map(name => ({ name, sql: readFileSync(`${golden}/${name}`, 'utf8') }));

// Each statement runs: those that need what others make are tried again after them.
export async function goldenRuns() {
	await fresh();
	for (const name of ['LOAD_WH', 'load wh'])
		await control('POST', 'snowflake/warehouse', { name });
	// what the golden statements take for granted
	await many('CREATE ROLE "Loader"', 'CREATE ROLE RIVER_RW', 'CREATE ROLE RIVER_RO', 'CREATE DATABASE ETL', `CREATE STAGE ETL.PUBLIC.LAKE URL = 's3://lake/data/'`, 'CREATE DATABASE "my ""odd"" db"',
		'CREATE SCHEMA "my ""odd"" db"."RIVER"', `CREATE FILE FORMAT "my ""odd"" db"."RIVER"."NDJSON" TYPE = JSON`, `CREATE STAGE "my ""odd"" db"."RIVER"."LAKE" URL = 's3://lake/data/'`,
		`CREATE TABLE "my ""odd"" db"."RIVER"."LEDGER" (STREAM_ID VARCHAR, STREAM VARCHAR, FILE_NAME VARCHAR, BYTES NUMBER, STATE VARCHAR, ROWS_LOADED NUMBER, ROWS_PARSED NUMBER, ERRORS NUMBER,
			FIRST_ERROR VARCHAR, FIRST_ERROR_LINE NUMBER, FIRST_ERROR_COLUMN VARCHAR, SUBMITTED_AT TIMESTAMP_LTZ, LOADED_AT TIMESTAMP_LTZ, VIA VARCHAR, RETIRED_ROWS NUMBER)`);
	let left = goldenFiles();
	assert.ok(left.length > 50);
	for (let before = Infinity; left.length && left.length < before;) {
		before = left.length;
		const again = [];
		for (const { name, sql } of left) {
			const holes = sql.replace(/'(?:[^']|'')*'/g, '').split('?').length - 1, several = statements(sql).length > 1;
			const answer = await submit(sql, { database: 'RIVER', warehouse: 'WH', ...(several ? { parameters: { MULTI_STATEMENT_COUNT: '0' } } : {}),
				...(holes ? { bindings: Object.fromEntries(Array.from({ length: holes }, (_, i) => [i + 1, { type: 'TEXT', value: '[]' }])) } : {}) });
			if (answer.status !== 200)
				again.push({ name, sql, said: `${name}: ${answer.json?.code} ${answer.json?.message}` });
		}
		left = again;
	}
	assert.deepEqual(left.map(one => one.said), []);
}

// And a parser of others that knows Snowflake's dialect takes it. Of the kinds of statements that it does not know
// it gets what is inside them: a pipe's COPY, a task's statements, a masking policy's expression.
export async function goldenParses() {
	await init();
	const inside = [
		[/^CREATE\s+(?:OR\s+REPLACE\s+)?PIPE\b[\s\S]*?\bAS\s+(COPY[\s\S]*)$/i, m => [m[1]]],
		[/^CREATE\s+(?:OR\s+REPLACE\s+)?TASK\b[\s\S]*?\sAS\s+((?:BEGIN|MERGE|INSERT|DELETE|CALL)\b[\s\S]*)$/i, m => blockOf(statements(m[1])[0]).map(one => one.sql)],
		[/^CREATE\s+(?:OR\s+REPLACE\s+)?MASKING\s+POLICY\b[\s\S]*?->([\s\S]*?)(?:COMMENT\s*=\s*'(?:[^']|'')*')?$/i, m => [`SELECT ${m[1]}`]],
		[/^(CREATE\s+SCHEMA\b[\s\S]*?)\s+COMMENT\s*=\s*'(?:[^']|'')*'$/i, m => [m[1]]],
		[/^(?:CREATE\s+(?:OR\s+REPLACE\s+)?(?:STREAM|STORAGE\s+INTEGRATION|FILE\s+FORMAT)|ALTER\s+(?:PIPE|TASK))\b/i, () => []],
	];
	const left = [];
	for (const { name, sql } of goldenFiles())
		for (const one of statements(sql)) {
			const found = inside.map(([pattern, parts]) => [pattern.exec(one.sql), parts]).find(([m]) => m);
			for (const part of found ? found[1](found[0]) : [one.sql])
				try {
					Parser.parse(part, 'snowflake');
				} catch (error) {
					left.push(`${name}: ${error.message}: ${part.slice(0, 200)}`);
				}
		}
	assert.deepEqual(left, []);
}

// Snowflake's SQL API and its ways in, asked by hand with tokens that jose signs.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { Parser, init } from '@guanmingchiu/sqlparser-ts';
import { gunzipSync } from 'node:zlib';
import { control, script } from './client.mjs';
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
	// an account's other name, and names of hosts, as a proxy leads them here
	await control('POST', 'snowflake/account', { name: 'ACME-SECOND', locator: 'XY12345' });
	await control('POST', 'snowflake/user', { account: 'ACME-SECOND', name: user, public_key: key.body, default_role: 'SYSADMIN' });
	assert.equal(await refusal(await jwt({ name: `XY12345.${user}` })), 'none');
	const at = (host, name) => jwt({ name: `${name}.${user}` }).then(token => submit('SELECT 1', {},
		{ token, headers: { host } })).then(answer => answer.status);
	assert.deepEqual([await at('acme-data.snowflakecomputing.com', account), await at('xy12345.snowflakecomputing.com', 'XY12345'),
		await at('acme-data.snowflakecomputing.com', 'ACME-SECOND'), await at('acme-none.snowflakecomputing.com', account)],
			[200, 200, 401, 404]);
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
	assert.ok(log.some(e => /FINGERPRINT_MISMATCH/.test(e.why)));
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
	assert.deepEqual(json.resultSetMetaData.rowType.map(c => [c.name, c.type]),
		[['A', 'fixed'], ['b', 'text'], ['N', 'fixed'], ['D', 'fixed'], ['DT', 'date']]);
	assert.equal(json.resultSetMetaData.format, 'jsonv2');
	assert.match(headers.link, /rel="last"/);
	assert.deepEqual((await poll(json.statementHandle)).json.data, json.data);
	assert.equal(await code('SELEC 1'), '001003');
	assert.equal(await code('SELECT * FROM D.S.T'), '002003');
	assert.equal((await poll('01aaaaaa-0000-0000-0000-000000000000')).json.code, '000709');
}

// ---- what river says to Snowflake: tests/data/snowflake
const golden = process.env.EMUL_GOLDEN;
const goldenFiles = () => readdirSync(golden).filter(name => name.endsWith('.sql')).map(name => ({ name,
	sql: readFileSync(`${golden}/${name}`, 'utf8') }));

// Each statement runs: those that need what others make are tried again after them.
export async function goldenRuns() {
	await fresh();
	for (const name of ['LOAD_WH', 'load wh'])
		await control('POST', 'snowflake/warehouse', { name });
	// what the golden statements take for granted
	await many('CREATE ROLE "Loader"', 'CREATE ROLE RIVER_RW', 'CREATE ROLE RIVER_RO', 'CREATE DATABASE ETL',
		`CREATE STAGE ETL.PUBLIC.LAKE URL = 's3://lake/data/'`, 'CREATE DATABASE "my ""odd"" db"',
		'CREATE SCHEMA "my ""odd"" db"."RIVER"', `CREATE FILE FORMAT "my ""odd"" db"."RIVER"."NDJSON" TYPE = JSON`,
			`CREATE STAGE "my ""odd"" db"."RIVER"."LAKE" URL = 's3://lake/data/'`,
		`CREATE TABLE "my ""odd"" db"."RIVER"."LEDGER" (STREAM_ID VARCHAR, STREAM VARCHAR, FILE_NAME VARCHAR, BYTES NUMBER, STATE VARCHAR, ROWS_LOADED NUMBER, ROWS_PARSED NUMBER, ERRORS NUMBER,
			FIRST_ERROR VARCHAR, FIRST_ERROR_LINE NUMBER, FIRST_ERROR_COLUMN VARCHAR, SUBMITTED_AT TIMESTAMP_LTZ, LOADED_AT TIMESTAMP_LTZ, VIA VARCHAR, RETIRED_ROWS NUMBER)`);
	// objects of extracts that are taken
	await control('POST', 'bucket', { name: 'acme-lake' });
	for (const [name, ...records] of [['orders-0001-0001', '{"order_id":"A","op":"I","placed":"2026-11-20T16:58:51.25Z","total":1.50,"due":"2026-12-24","more":{"a":[1,null]}}',
		'{"order_id":"B","op":null,"placed":null,"total":null,"due":null,"more":null}'],
	['orders-0001-0002', '{"order_id":"B","op":"it\'s D","placed":"2026-11-20T16:58:51Z","total":-2,"due":null,"more":"x"}'],
	['lines-0002-0001', '{"order_id":"A","line_no":1,"weight":0.5,"gift":true}', '{"order_id":"A","line_no":2,"weight":1e3,"gift":null}'],
	['events-0003-0001', '{"order_id":"A","line_no":9223372036854775807}']])
		await control('PUT', `object?bucket=acme-lake&key=river/loads/shop/0123456789abcdef/${name}.ndjson.zst`, records.join('\n'));
	let left = goldenFiles();
	assert.ok(left.length > 50);
	for (let before = Infinity; left.length && left.length < before;) {
		before = left.length;
		const again = [];
		for (const { name, sql } of left) {
			const holes = sql.replace(/'(?:[^']|'')*'/g, '').split('?').length - 1, several = statements(sql).length > 1;
			const answer = await submit(sql, { database: 'RIVER', warehouse: 'WH',
				...(several ? { parameters: { MULTI_STATEMENT_COUNT: '0' } } : {}),
				...(holes ? { bindings: Object.fromEntries(Array.from({ length: holes },
					(_, i) => [i + 1, { type: 'TEXT', value: '[]' }])) } : {}) });
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
		[/^CREATE\s+(?:OR\s+REPLACE\s+)?TASK\b[\s\S]*?\sAS\s+((?:BEGIN|MERGE|INSERT|DELETE|CALL)\b[\s\S]*)$/i,
			m => blockOf(statements(m[1])[0]).map(one => one.sql)],
		[/^CREATE\s+(?:OR\s+REPLACE\s+)?MASKING\s+POLICY\b[\s\S]*?->([\s\S]*?)(?:COMMENT\s*=\s*'(?:[^']|'')*')?$/i,
			m => [`SELECT ${m[1]}`]],
		[/^(CREATE\s+(?:SCHEMA|ROLE)\b[\s\S]*?)\s+COMMENT\s*=\s*'(?:[^']|'')*'$/i, m => [m[1]]],
		[/^(?:CREATE\s+(?:OR\s+REPLACE\s+)?(?:STREAM|STORAGE\s+INTEGRATION|FILE\s+FORMAT)|ALTER\s+(?:PIPE|TASK)|GRANT\s+USAGE\s+ON\s+(?:STAGE|FILE\s+FORMAT))\b/i, () => []],
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

// ---- tokens that are not keys
export async function otherTokens() {
	await fresh();
	const token = async more => (await control('POST', 'snowflake/token', { user, ...more })).token;
	assert.equal(await refusal(await token({ kind: 'OAUTH' })), 'none');
	assert.equal(await refusal(await token({ kind: 'OAUTH', life_s: -1 })), '401 390318');
	assert.equal(await refusal('ver:1-nothing'), '401 390303');
	const pat = await token({ kind: 'PROGRAMMATIC_ACCESS_TOKEN' }),
		said = { 'x-snowflake-authorization-token-type': 'PROGRAMMATIC_ACCESS_TOKEN' };
	assert.equal(await refusal(pat), 'none');
	assert.equal(await refusal(pat, { headers: said }), 'none');
	assert.equal(await refusal('nothing', { headers: said }), '401 394400');
	assert.equal(await refusal(await token({ kind: 'PROGRAMMATIC_ACCESS_TOKEN', life_s: -1 }), { headers: said }), '401 394402');
	await control('POST', 'config', { sf_pat_needs_policy: true });
	assert.equal(await refusal(pat, { headers: said }), '401 390432');
	await control('DELETE', `snowflake/token?token=${encodeURIComponent(pat)}`);
	assert.equal(await refusal(pat, { headers: said }), '401 394400');
	// a token that is for one role is for no other
	const narrow = await token({ kind: 'OAUTH', role: 'SYSADMIN' });
	assert.deepEqual(await rows('SELECT CURRENT_ROLE()', {}, { token: narrow }), [['SYSADMIN']]);
	assert.equal(await code('SELECT 1', { role: 'ACCOUNTADMIN' }, { token: narrow }), '390186');
	assert.equal(await code('SELECT 1', { role: 'NOBODY' }), '390189');
}

// ---- the shape of requests
export async function requests() {
	await fresh();
	const post = more => call('POST', '/api/v2/statements', { body: { statement: 'SELECT 1' }, ...more });
	assert.equal((await post({ headers: { 'user-agent': '' } })).json.code, '391903');
	assert.equal((await post({ headers: { accept: 'text/html' } })).json.code, '391902');
	assert.equal((await post({ headers: { 'content-type': 'text/plain' } })).status, 415);
	assert.equal((await post({ body: '{' })).json.code, '390142');
	assert.equal((await post({ body: { statement: 'SELECT 1', nonsense: 1 } })).json.code, '390142');
	assert.equal((await post({ body: { statement: 'SELECT 1', parameters: { AUTOCOMMIT: 'false' } } })).status, 400);
	assert.equal((await post({ query: { requestId: 'x' } })).status, 400);
	assert.equal((await call('DELETE', '/api/v2/statements/x')).status, 405);
	assert.equal(await code('PUT file:///x @y'), '002003');
	assert.equal(await code('SELECT 1; SELECT 2'), '000008');
	assert.equal(await code('SELECT ?'), '002049');
	// nullable=false
	assert.deepEqual((await submit('SELECT NULL', {}, { query: { nullable: 'false' } })).json.data, [['null']]);
	// who asks for another's statement
	const { json } = await submit('SELECT 1');
	await control('POST', 'snowflake/user', { name: 'OTHER', public_key: key.body, default_role: 'PUBLIC' });
	assert.equal((await poll(json.statementHandle, {}, { token: await jwt({ name: `${account}.OTHER` }) })).json.code, '000703');
}

// ---- the same request again, several statements, bindings, partitions
export async function exactlyOnce() {
	await fresh();
	await many('CREATE DATABASE D', 'CREATE TABLE D.PUBLIC.T (A NUMBER)');
	const requestId = '11111111-2222-3333-4444-555555555555', insert = query => submit('INSERT INTO D.PUBLIC.T VALUES (1)', {},
		{ query: { requestId, ...query } });
	const first = await insert({});
	assert.equal(first.status, 200);
	assert.equal((await insert({ retry: 'true' })).json.statementHandle, first.json.statementHandle);
	assert.deepEqual(await rows('SELECT COUNT(*) FROM D.PUBLIC.T'), [['1']]);
	await insert({}); // without retry=true it is another statement
	assert.deepEqual(await rows('SELECT COUNT(*) FROM D.PUBLIC.T'), [['2']]);
	// an answer that is lost: it was carried out, and is not again
	await script({ match: { op: 'Submit', sql: '^INSERT' }, do: 'read_body_then_close' });
	await assert.rejects(submit('INSERT INTO D.PUBLIC.T VALUES (2)', {}, { query: { requestId: requestId.replace('1111', '9999') } }));
	const again = await submit('INSERT INTO D.PUBLIC.T VALUES (2)', {}, { query: { requestId: requestId.replace('1111', '9999'),
		retry: 'true' } });
	assert.equal(again.json.stats.numRowsInserted, 1);
	assert.deepEqual(await rows('SELECT COUNT(*) FROM D.PUBLIC.T'), [['3']]);
	const executed = (await control('GET', 'snowflake/statements')).filter(s => /^INSERT/.test(s.sql));
	assert.equal(executed.length, 3);
	// one that failed is carried out again
	const failing = query => submit('INSERT INTO D.PUBLIC.U VALUES (1)', {},
		{ query: { requestId: requestId.replace('1111', '8888'), ...query } });
	assert.equal((await failing({})).json.code, '002003');
	await many('CREATE TABLE D.PUBLIC.U (A NUMBER)');
	assert.equal((await failing({ retry: 'true' })).status, 200);
}

export async function severalStatements() {
	await fresh();
	await many('CREATE DATABASE D', 'CREATE TABLE D.PUBLIC.T (A NUMBER, B VARCHAR)');
	const all = (sql, more = {}) => submit(sql, { parameters: { MULTI_STATEMENT_COUNT: '0' }, ...more });
	const { json } = await all("INSERT INTO D.PUBLIC.T VALUES (1, ';'); SELECT A, B FROM D.PUBLIC.T; -- done; really\n");
	assert.equal(json.statementHandles.length, 2);
	assert.deepEqual((await poll(json.statementHandles[0])).json.data, [['1']]);
	assert.deepEqual((await poll(json.statementHandles[1])).json.data, [['1', ';']]);
	// what ran before a failure has run
	const failed = await all('INSERT INTO D.PUBLIC.T VALUES (2, NULL); SELECT * FROM D.PUBLIC.NOPE; INSERT INTO D.PUBLIC.T VALUES (3, NULL)');
	assert.equal(failed.status, 422);
	assert.equal(failed.json.code, '100132');
	assert.match(failed.json.message, /failed on statement "SELECT \* FROM D.PUBLIC.NOPE" \(at line 1, position 41\)/);
	assert.deepEqual(await rows('SELECT A FROM D.PUBLIC.T ORDER BY A'), [['1'], ['2']]);
	// but for a transaction
	await all('BEGIN; INSERT INTO D.PUBLIC.T VALUES (4, NULL); SELECT * FROM D.PUBLIC.NOPE; COMMIT');
	await all('BEGIN TRANSACTION; INSERT INTO D.PUBLIC.T VALUES (5, NULL); ROLLBACK');
	await all('BEGIN; INSERT INTO D.PUBLIC.T VALUES (6, NULL); COMMIT');
	assert.deepEqual(await rows('SELECT A FROM D.PUBLIC.T ORDER BY A'), [['1'], ['2'], ['6']]);
	assert.equal((await all('SELECT 1; SELECT 2', { parameters: { MULTI_STATEMENT_COUNT: '3' } })).json.code, '000008');
	assert.equal((await all('SELECT ?; SELECT 2', { bindings: { 1: { type: 'TEXT', value: 'x' } } })).json.code, '002045');
	// a block is one statement, and EXECUTE IMMEDIATE runs what is in a text
	await rows('BEGIN INSERT INTO D.PUBLIC.T VALUES (7, NULL); INSERT INTO D.PUBLIC.T VALUES (8, NULL); END');
	await rows("EXECUTE IMMEDIATE $$INSERT INTO D.PUBLIC.T VALUES (9, 'x')$$");
	assert.deepEqual(await rows('SELECT MAX(A) FROM D.PUBLIC.T'), [['9']]);
}

export async function bindings() {
	await fresh();
	const values = [['TEXT', "it's \\ \u00e9 \u0000"], ['FIXED', '12345678901234567890123456789012345678'], ['REAL', '1.5'],
		['BOOLEAN', 'true'], ['DATE', '1577923200000'], ['TEXT', null],
		['TIMESTAMP_NTZ', '1577923200123456000'], ['BINARY', '00FF']];
	const [row] = await rows('SELECT ?, ?, ?, ?, ?, ?, ?, ?', { bindings: Object.fromEntries(values.map(([type, value],
		i) => [i + 1, { type, value }])) });
	assert.deepEqual(row, ["it's \\ \u00e9 \u0000", '12345678901234567890123456789012345678', '1.5', 'true', '18263', null,
		'1577923200.123456000', '00FF']);
	assert.equal(await code('SELECT ?', { bindings: { 1: { type: 'TEXT', value: 5 } } }), '002049');
}

export async function partitions() {
	await fresh();
	await control('POST', 'config', { sf_first_rows: 10, sf_partition_rows: 25 });
	const { json } = await submit("SELECT VALUE::NUMBER AS N FROM TABLE(FLATTEN(INPUT => SPLIT(REPEAT('1,', 59) || '1', ',')))");
	assert.deepEqual(json.resultSetMetaData.partitionInfo.map(p => p.rowCount), [10, 25, 25]);
	assert.equal(json.data.length, 10);
	const second = await poll(json.statementHandle, { partition: '1' });
	assert.equal(second.headers['content-encoding'], 'gzip'); // asked for or not
	const body = JSON.parse(gunzipSync(second.bytes));
	assert.deepEqual(Object.keys(body), ['data']);
	assert.equal(body.data.length, 25);
	assert.equal((await poll(json.statementHandle, { partition: '3' })).status, 422);
	assert.equal((await submit('SELECT 1', {}, { headers: { 'accept-encoding': 'gzip' } })).headers['content-encoding'], 'gzip');
}

// ---- statements that take long, are cancelled, time out; answers that go wrong
export async function longStatements() {
	await fresh();
	await many('CREATE DATABASE D', 'CREATE TABLE D.PUBLIC.T (A NUMBER)');
	const count = async () => Number((await rows('SELECT COUNT(*) FROM D.PUBLIC.T'))[0][0]), insert = 'INSERT INTO D.PUBLIC.T VALUES (1)';
	const started = await submit(insert, {}, { query: { async: 'true' } });
	assert.equal(started.status, 202);
	assert.equal(started.json.code, '333334');
	let answer;
	do
		answer = await poll(started.json.statementHandle);
	while (answer.status === 202);
	assert.equal(answer.status, 200);
	assert.equal(await count(), 1);
	// it goes on for two polls, and is carried out then
	await script({ match: { op: 'Submit', sql: '^INSERT' }, do: 'running', polls: 2 });
	const slow = await submit(insert);
	assert.equal(slow.status, 202);
	assert.equal((await poll(slow.json.statementHandle)).status, 202);
	assert.equal(await count(), 1);
	assert.equal((await poll(slow.json.statementHandle)).status, 200);
	assert.equal(await count(), 2);
	// polls that are too many are answered with 429, and it runs all the same
	await script({ match: { op: 'Submit', sql: '^SELECT 7' }, do: 'running', polls: 2, poll_status: 429 });
	const busy = await submit('SELECT 7');
	assert.deepEqual([busy.status, (await poll(busy.json.statementHandle)).status,
		(await poll(busy.json.statementHandle)).status], [202, 429, 200]);
	// cancelled before it did anything
	await script({ match: { op: 'Submit', sql: '^INSERT' }, do: 'running', polls: 9 });
	const cancelled = await submit(insert);
	assert.equal((await call('POST', `/api/v2/statements/${cancelled.json.statementHandle}/cancel`)).status, 200);
	assert.equal((await poll(cancelled.json.statementHandle)).json.code, '000604');
	assert.equal((await call('POST', `/api/v2/statements/${cancelled.json.statementHandle}/cancel`)).json.code, '000709');
	assert.equal(await count(), 2);
	// its own time is over
	await script({ match: { op: 'Submit', sql: '^INSERT' }, do: 'running', polls: 9 });
	const late = await submit(insert, { timeout: 1 });
	await control('POST', 'config', { clock_offset_s: 3 });
	const over = await poll(late.json.statementHandle);
	assert.equal(`${over.status} ${over.json.code}`, '408 000630');
	await control('POST', 'config', { clock_offset_s: 0 });
	// too large, too many, away, and a token that ends on the way
	await script({ match: { op: 'Submit' }, do: 'incomplete' });
	assert.equal((await submit('SELECT 1')).json.code, '391908');
	await script({ match: { op: 'Submit' }, do: 'throttle', retry_after: 1 });
	const many429 = await submit('SELECT 1');
	assert.equal(`${many429.status} ${many429.json.code} ${many429.headers['retry-after']}`, '429 390505 1');
	await script({ match: { op: 'Submit' }, do: 'status', status: 503 });
	assert.equal((await submit('SELECT 1')).status, 503);
	const { json } = await submit('SELECT 1');
	await script({ match: { service: 'snowflake', op: 'Poll' }, do: 'status', status: 401, code: '390144',
		message: 'JWT token is invalid.' });
	assert.equal((await poll(json.statementHandle)).json.code, '390144');
	assert.equal((await poll(json.statementHandle)).status, 200);
	await script({ match: { op: 'Submit', sql: 'NEEDLE' }, do: 'status', status: 422,
		body: JSON.stringify({ code: '090073', message: 'quota', sqlState: '22000' }) });
	assert.equal(await code('SELECT 1'), 'none');
	assert.equal(await code("SELECT 'needle'"), '090073');
}

// ---- values
export async function values() {
	await fresh();
	const one = async (sql, more) => (await rows(`SELECT ${sql}`, more))[0];
	assert.deepEqual(await one("DATE '1969-12-31', '10:20:30.5'::TIME, '2020-01-02 03:04:05.123456'::TIMESTAMP_NTZ, '1969-12-31T23:59:59.5Z'::TIMESTAMP_LTZ, TRUE, 1.10, 1e300::FLOAT, TO_BINARY('00ff'), NULL"),
		['-1', '37230.500000000', '1577934245.123456000', '-0.500000000', 'true', '1.10', '1e+300', '00FF', null]);
	assert.deepEqual(await one("DATE '2020-01-02', '2020-01-02 03:04:05.5'::TIMESTAMP_NTZ",
		{ parameters: { date_output_format: 'YYYY/MM/DD', TIMESTAMP_OUTPUT_FORMAT: 'YYYY-MM-DD"T"HH24:MI:SS.FF3' } }),
		['2020/01/02', '2020-01-02T03:04:05.500']);
	assert.deepEqual(await one(`PARSE_JSON('{"b": 1.0, "a": [null, true, 12345678901234567890123.45, 1e3], "b\\\\u0031": "x"}')`),
		['{"a":[null,true,12345678901234567890123.45,1.000000000000000e+03],"b":1,"b1":"x"}']);
	assert.deepEqual(await one(`PARSE_JSON('{"a":{"b.c":[1,{"d":null}]}}'):a."b.c"[1].d, PARSE_JSON('{"a":1}'):A, TYPEOF(PARSE_JSON('{"a":null}'):a), PARSE_JSON('null')::VARCHAR, PARSE_JSON('"q"')::VARCHAR, PARSE_JSON('"q"')`),
		['null', null, 'NULL_VALUE', null, 'q', '"q"']);
	assert.deepEqual(await one(`PARSE_JSON('[1]')[0], PARSE_JSON('[1]')['0'], PARSE_JSON('{"0":2}')['0']`), ['1', null, '2']);
	assert.deepEqual(await one("TRY_CAST('x' AS NUMBER), TRY_CAST('1.005' AS NUMBER(10,2)), TRY_TO_DATE('2020-02-30'), TRY_TO_TIMESTAMP_NTZ('2020-01-01T00:00:00+02:00'), TO_VARCHAR(DATE '2020-01-02', 'DD.MM.YYYY')"),
		[null, '1.01', null, '1577836800.000000000', '02.01.2020']);
	assert.equal(await code("SELECT TRY_CAST(PARSE_JSON('1') AS NUMBER)"), '001065');
	assert.equal(await code("SELECT 'x'::NUMBER"), '100038');
	assert.equal(await code("SELECT '2020-13-01'::DATE"), '100040');
	assert.equal(await code("SELECT PARSE_JSON('{')"), '100069');
	assert.equal(await code('SELECT NOPE(1)'), '002140');
	assert.deepEqual(await one("IFF(TRUE, 1, 2), NVL(NULL, 'x'), DECODE(2, 1, 'a', 2, 'b'), SPLIT_PART('a/b/c', '/', -1), REGEXP_SUBSTR('a1b22', '[0-9]+', 1, 2), REGEXP_LIKE('abc', 'b'), 'a' || 1, SHA2('x')"),
		['1', 'x', 'b', 'c', '22', 'false', 'a1', '2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881']);
	assert.deepEqual(await one('OBJECT_CONSTRUCT(\'a\', 1, \'n\', NULL), OBJECT_CONSTRUCT_KEEP_NULL(\'n\', NULL), ARRAY_CONSTRUCT(1, \'x\')'), ['{"a":1}', '{"n":null}', '[1,"x"]']);
	// order: NULL is the greatest
	assert.deepEqual(await rows('SELECT A FROM (VALUES (2), (NULL), (1)) AS V(A) ORDER BY A DESC'), [[null], ['2'], ['1']]);
	assert.deepEqual(await rows('SELECT A FROM (VALUES (2), (NULL), (1)) AS V(A) ORDER BY A'), [['1'], ['2'], [null]]);
	// names that differ in their case alone
	await many('CREATE DATABASE "d"', 'CREATE DATABASE D', 'CREATE TABLE "d".PUBLIC."t" ("a" NUMBER, A VARCHAR)',
		'CREATE TABLE "d".PUBLIC.T (A NUMBER)', `INSERT INTO "d".PUBLIC."t" ("a", A) VALUES (1, 'x')`);
	assert.deepEqual(await rows('SELECT A, "a" FROM "d".PUBLIC."t"'), [['x', '1']]);
	assert.deepEqual(await rows('SELECT * FROM "d".PUBLIC.T'), []);
	assert.equal(await code('SELECT * FROM D.PUBLIC.T'), '002003');
}

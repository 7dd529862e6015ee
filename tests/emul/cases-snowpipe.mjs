// Stages, COPY INTO and pipes of the emulated Snowflake.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { DuckDBInstance } from '@duckdb/node-api';
import { control } from './client.mjs';
import { account, call, code, fresh, jwt, key, many, rows, submit, user } from './snowflake-client.mjs';

const NAME = 'D.WEB.%22CLICKS$PIPE%22', DAY = 86400000;
const COPY = `COPY INTO D.WEB.CLICKS FROM (SELECT $1, SUBSTR(METADATA$FILENAME, 3), METADATA$FILE_ROW_NUMBER, METADATA$START_SCAN_TIME FROM @D.RIVER.LAKE/web/clicks/)
	FILE_FORMAT = (FORMAT_NAME = 'D.RIVER.NDJSON')`;
const put = (name, body) => control('PUT', `object?bucket=lake&key=${encodeURIComponent(`r/data/web/clicks/${name}`)}`, Buffer.from(body));
const insert = (files, query = {}, more = {}) => call('POST', `/v1/data/pipes/${NAME}/insertFiles`,
	{ query: { requestId: 'r', ...query }, body: { files: files.map(path => typeof path === 'string' ? { path } : path) }, ...more });
const report = (query = {}) => call('GET', `/v1/data/pipes/${NAME}/insertReport`, { query });
const scan = (from, to, more = {}) => call('GET', `/v1/data/pipes/${NAME}/loadHistoryScan`,
	{ query: { startTimeInclusive: new Date(from).toISOString(), ...(to ? { endTimeExclusive: new Date(to).toISOString() }
	: {}) }, ...more });
const load = () => control('POST', 'snowflake/load');
const names = 'SELECT FILE_NAME, FILE_ROW, RECORD FROM D.WEB.CLICKS ORDER BY FILE_NAME, FILE_ROW';

async function world({ auto = false, hold = true } = {}) {
	await fresh();
	await control('POST', 'config', { sf_pipe_hold: hold });
	await many('CREATE DATABASE D', 'CREATE SCHEMA D.RIVER', 'CREATE SCHEMA D.WEB',
		'CREATE FILE FORMAT D.RIVER.NDJSON TYPE = JSON COMPRESSION = AUTO ALLOW_DUPLICATE = TRUE',
		"CREATE STAGE D.RIVER.LAKE URL = 's3://lake/r/data/'",
			'CREATE TABLE D.WEB.CLICKS (RECORD VARIANT NOT NULL, FILE_NAME VARCHAR NOT NULL, FILE_ROW NUMBER NOT NULL, LOADED_AT TIMESTAMP_LTZ NOT NULL)',
		`CREATE PIPE D.WEB."CLICKS$PIPE" AUTO_INGEST = ${auto} AS ${COPY} ON_ERROR = CONTINUE`);
}

export async function copyInto() {
	await world();
	await put('a.ndjson', '{"b":1.0,"a":1,"a":2}\n\n  {"c":12345678901234567890.123456789}');
	await put('b.ndjson.gz', gzipSync('{"n":1}\n{bad\n{"n":3}\n'));
	assert.equal(await code(COPY), '100069'); // ABORT_STATEMENT: nothing of it
	assert.deepEqual(await rows(names), []);
	const said = await rows(`${COPY} ON_ERROR = SKIP_FILE`);
	assert.deepEqual(said.map(row => row.slice(0, 4)).sort(), [['s3://lake/r/data/web/clicks/a.ndjson', 'LOADED', '2', '2'],
		['s3://lake/r/data/web/clicks/b.ndjson.gz', 'LOAD_FAILED', '2', '0']]);
	assert.deepEqual(await rows(names), [['data/web/clicks/a.ndjson', '1', '{"a":2,"b":1}'],
		['data/web/clicks/a.ndjson', '2', '{"c":12345678901234567890.123456789}']]);
	// what is loaded is not again; what failed is
	const [partly] = await rows(`${COPY} ON_ERROR = CONTINUE`);
	assert.deepEqual(partly.slice(0, 9), ['s3://lake/r/data/web/clicks/b.ndjson.gz', 'PARTIALLY_LOADED', '2', '1', '2', '1',
		'Error parsing JSON: unknown token, pos 2', '2', '2']);
	assert.deepEqual(await rows(`${COPY} ON_ERROR = CONTINUE`), [['Copy executed with 0 files processed.']]);
	assert.equal((await rows(`${COPY} ON_ERROR = CONTINUE FORCE = TRUE FILES = ('a.ndjson')`)).length, 1);
	// changed under its name: loaded again
	await put('a.ndjson', '{"again":1}\n');
	assert.equal((await rows(`${COPY} ON_ERROR = CONTINUE`))[0][1], 'LOADED');
	// 64 days later nobody knows, and it is left alone unless that is asked for
	await control('POST', 'snowflake/age', { days: 65 });
	assert.deepEqual(await rows(`${COPY} ON_ERROR = CONTINUE`), [['Copy executed with 0 files processed.']]);
	assert.equal((await rows(`${COPY} ON_ERROR = CONTINUE LOAD_UNCERTAIN_FILES = TRUE`)).length, 2);
	assert.equal(await code(`${COPY} FILES = (${Array.from({ length: 1001 }, (_, i) => `'${i}'`).join(', ')})`), '001041');
	assert.equal(await code(`${COPY} FILES = ('none')`), '091016');
	assert.equal((await rows(`${COPY} ON_ERROR = CONTINUE FILES = ('none')`))[0][1], 'LOAD_FAILED');
	// in a transaction that is taken back, the memory is too
	await put('c.ndjson', '{"c":1}\n');
	const before = (await rows('SELECT COUNT(*) FROM D.WEB.CLICKS'))[0][0];
	await many('BEGIN', `${COPY} ON_ERROR = CONTINUE FILES = ('c.ndjson')`, 'ROLLBACK');
	assert.equal((await rows('SELECT COUNT(*) FROM D.WEB.CLICKS'))[0][0], before);
	assert.equal((await rows(`${COPY} ON_ERROR = CONTINUE FILES = ('c.ndjson')`))[0][1], 'LOADED');
	// a row that does not fit costs itself
	await many('CREATE TABLE D.WEB.NUMBERS (N NUMBER NOT NULL, R NUMBER)');
	await put('n.ndjson', '{"n":1}\n{"n":"x"}\n{"n":3}\n');
	const numbers = onError => rows(`COPY INTO D.WEB.NUMBERS FROM (SELECT $1:n::NUMBER, METADATA$FILE_ROW_NUMBER FROM @D.RIVER.LAKE/web/clicks/n) FILE_FORMAT = (FORMAT_NAME = 'D.RIVER.NDJSON') ON_ERROR = ${onError}`);
	assert.equal((await numbers('SKIP_FILE'))[0][1], 'LOAD_FAILED');
	assert.deepEqual((await numbers('CONTINUE'))[0].slice(1, 6), ['PARTIALLY_LOADED', '3', '2', '3', '1']);
	assert.deepEqual(await rows('SELECT N, R FROM D.WEB.NUMBERS ORDER BY N'), [['1', '1'], ['3', '3']]);
	// zstd, also of several frames, as DuckDB writes it
	const folder = mkdtempSync(join(tmpdir(), 'river-case-')), packed = join(folder, 'z.json');
	try {
		const connection = await (await DuckDBInstance.create(':memory:')).connect();
		await connection.run(`COPY (SELECT i AS z, repeat('x', 100000) AS long FROM range(20) AS t(i)) TO '${packed}' (FORMAT json, COMPRESSION zstd)`);
		await control('PUT', 'object?bucket=lake&key=r/data/web/zstd/z', Buffer.concat([readFileSync(packed), readFileSync(packed)]));
	} finally {
		rmSync(folder, { recursive: true });
	}
	assert.deepEqual(await rows("SELECT COUNT(*), SUM($1:z), MAX(LENGTH($1:long)) FROM @D.RIVER.LAKE/web/zstd/ (FILE_FORMAT => 'D.RIVER.NDJSON')"), [['40', '380', '100000']]);
	// the files of a stage
	assert.equal((await rows('LIST @D.RIVER.LAKE/web/')).length, 5);
	assert.deepEqual(await rows("SELECT $1:c, METADATA$FILENAME FROM @D.RIVER.LAKE/web/clicks/c (FILE_FORMAT => 'D.RIVER.NDJSON')"), [['1', 'r/data/web/clicks/c.ndjson']]);
	assert.equal(await code('SELECT $1 FROM @D.RIVER.NOPE/'), '002003');
}

export async function pipesRemember() {
	await world();
	await put('a', '{"a":1}\n');
	const first = await insert([{ path: 'a', size: 8 }, 'gone']);
	assert.deepEqual(first.json, { requestId: 'r', responseCode: 'SUCCESS' });
	const status = async () => JSON.parse((await rows(`SELECT SYSTEM$PIPE_STATUS('D.WEB."CLICKS$PIPE"')`))[0][0]);
	assert.equal((await status()).pendingFileCount, 2);
	assert.deepEqual(await rows(names), []); // queued, not loaded
	await load();
	assert.deepEqual(await rows(names), [['data/web/clicks/a', '1', '{"a":1}']]);
	assert.equal((await status()).pendingFileCount, 0);
	const [loaded, failed] = (await report()).json.files;
	assert.deepEqual([loaded.path, loaded.status, loaded.rowsInserted, loaded.complete, loaded.stageLocation],
		['a', 'LOADED', 1, true, 's3://lake/r/data/web/clicks/']);
	assert.equal(failed.status, 'LOAD_FAILED');
	assert.match(failed.firstError, /was not found/);
	// for 14 days it skips them: also the one that was not there, or is another now
	await put('gone', '{"late":1}\n');
	await put('a', '{"a":2}\n');
	assert.deepEqual((await insert(['a', 'gone', 'new'], { showSkippedFiles: 'true' })).json.skippedFiles, ['a', 'gone']);
	await load();
	assert.equal((await rows(names)).length, 1);
	await control('POST', 'snowflake/age', { days: 13 });
	assert.equal((await insert(['a'], { showSkippedFiles: 'true' })).json.skippedFiles?.length, 1);
	await control('POST', 'snowflake/age', { days: 1.01 });
	assert.equal((await insert(['a'], { showSkippedFiles: 'true' })).json.skippedFiles, undefined);
	await load();
	assert.equal((await rows(names)).length, 2);
	// a pipe that is made again has forgotten
	await many(`CREATE OR REPLACE PIPE D.WEB."CLICKS$PIPE" AS ${COPY} ON_ERROR = CONTINUE`);
	assert.equal((await insert(['a'], { showSkippedFiles: 'true' })).json.skippedFiles, undefined);
	// paused: it takes names and loads nothing
	await many('ALTER PIPE D.WEB."CLICKS$PIPE" SET PIPE_EXECUTION_PAUSED = TRUE');
	await load();
	assert.deepEqual([(await status()).executionState, (await status()).pendingFileCount], ['PAUSED', 1]);
	await many('ALTER PIPE D.WEB."CLICKS$PIPE" SET PIPE_EXECUTION_PAUSED = FALSE');
	await load();
	assert.equal((await rows(names)).length, 3);
	await put('fresh', '{"a":1}\n');
	assert.deepEqual(await rows('ALTER PIPE D.WEB."CLICKS$PIPE" REFRESH'),
		[['fresh', 'SENT']]); // the others are of 14 days ago: seven are looked at
}

export async function limits() {
	await world();
	const files = n => Array.from({ length: n }, (_, i) => `f${i}`);
	assert.equal((await insert(files(5000))).status, 200);
	assert.equal((await insert(files(5001))).status, 429);
	assert.equal((await insert([])).status, 400);
	assert.equal((await insert(['x'.repeat(1024)])).status, 200);
	assert.equal((await insert(['\u00e9'.repeat(513)])).status, 400);
	assert.equal((await insert(['x'], {}, { headers: { 'content-type': 'text/csv' } })).status, 415);
	assert.equal((await insert([], {}, { body: '{"files": [' })).status, 500);
	const plain = await insert([], {}, { body: 'p1\np2\n', headers: { 'content-type': 'text/plain' } });
	assert.equal(plain.status, 200);
	assert.equal((await call('POST', '/v1/data/pipes/D.WEB.NOPE/insertFiles', { body: { files: [{ path: 'x' }] } })).status, 404);
	assert.equal((await call('POST', '/v1/data/pipes/d.web.%22clicks$pipe%22/insertFiles',
		{ body: { files: [{ path: 'x' }] } })).status, 404); // quoted: as it is written
	assert.equal((await insert(['x'], {}, { token: 'nothing' })).status, 401);
	// no grant at all: it is not there; another one than is needed: forbidden. The default role counts
	await many('CREATE ROLE LOADER');
	await control('POST', 'snowflake/user', { name: 'LOADER', public_key: key.body, default_role: 'LOADER' });
	const other = { token: await jwt({ name: `${account}.LOADER` }) };
	assert.equal((await insert(['x'], {}, other)).json.code, '390404');
	await many('GRANT USAGE ON DATABASE D TO ROLE LOADER', 'GRANT USAGE ON SCHEMA D.WEB TO ROLE LOADER',
		'GRANT MONITOR ON PIPE D.WEB."CLICKS$PIPE" TO ROLE LOADER');
	assert.equal((await insert(['x'], {}, other)).json.code, '390403');
	assert.equal((await call('GET', `/v1/data/pipes/${NAME}/insertReport`, other)).status, 200);
	await many('GRANT OPERATE ON PIPE D.WEB."CLICKS$PIPE" TO ROLE LOADER');
	assert.equal((await insert(['y'], {}, other)).status, 200);
	await many('REVOKE USAGE ON SCHEMA D.WEB FROM ROLE LOADER');
	assert.equal((await insert(['z'], {}, other)).status, 403);
	await control('POST', 'snowflake/user', { name: user, network: ['10.0.0.1'] });
	assert.equal((await insert(['x'])).json.code, '390422');
}

export async function reports() {
	await world();
	// more than an answer holds: 10,000 events of ten minutes; pages of 10,000 of 14 days
	const n = 10500, began = Date.now();
	for (let i = 0; i < n; i += 5000)
		await insert(Array.from({ length: Math.min(5000, n - i) }, (_, k) => `g${i + k}`));
	await load();
	const all = await report();
	assert.equal(all.json.completeResult, false);
	assert.equal(all.json.files.length, 10000);
	const { nextBeginMark } = all.json;
	await put('late', '{"a":1}\n{"a":2}\n');
	await insert(['late']);
	await load();
	const more = await report({ beginMark: nextBeginMark });
	assert.equal(more.json.completeResult, true);
	assert.equal(more.json.files.at(-1).path, 'late');
	assert.equal(more.json.files.length, 2); // one comes twice
	const first = await scan(began - 1000, Date.now() + DAY);
	assert.equal(first.json.completeResult, 'false'); // a text, unlike above
	assert.equal(first.json.files.length, 10000);
	const second = await scan(Date.parse(first.json.rangeEndTime), Date.now() + DAY);
	assert.equal(second.json.completeResult, 'true');
	assert.equal(new Set([...first.json.files, ...second.json.files].map(f => f.path)).size, n + 1);
	await control('POST', 'config', { sf_history_per_min: 2, clock_offset_s: 120 });
	const fast = { token: await jwt({ at: Math.floor(Date.now() / 1000) + 120 }) };
	assert.deepEqual([(await scan(began, 0, fast)).status, (await scan(began, 0, fast)).status,
		(await scan(began, 0, fast)).status], [200, 200, 429]);
	await control('POST', 'config', { sf_history_per_min: 0, clock_offset_s: 0 });
	// ten minutes later insertReport has forgotten, 14 days later loadHistoryScan has
	await control('POST', 'snowflake/age', { days: 0.01 });
	const old = await report({ beginMark: '1_5' });
	assert.deepEqual([old.json.files.length, old.json.completeResult], [0, false]);
	await control('POST', 'snowflake/age', { days: 14 });
	assert.equal((await scan(began - 20 * DAY, Date.now())).json.files.length, 0);
	const history = (hours, more = '') => `SELECT FILE_NAME, STATUS, ROW_COUNT FROM TABLE(D.INFORMATION_SCHEMA.COPY_HISTORY(TABLE_NAME => 'D.WEB.CLICKS', START_TIME => DATEADD(hour, -${hours}, CURRENT_TIMESTAMP())${more})) ORDER BY 1 DESC LIMIT 1`;
	assert.deepEqual(await rows(history(24 * 14 - 1)), []);
	assert.equal(await code(history(24 * 15)), '100351');
	await put('h', '{"a":1}\n');
	await insert(['h']);
	await load();
	assert.deepEqual(await rows(history(1)), [['h', 'Loaded', '1']]);
	assert.deepEqual(await rows(history(1, ', PIPE_NAME => \'D.WEB."CLICKS$PIPE"\'')), [['h', 'Loaded', '1']]);
	assert.equal(await code(`SELECT * FROM TABLE(VALIDATE_PIPE_LOAD(PIPE_NAME => 'D.WEB."CLICKS$PIPE"', START_TIME => DATEADD(hour, -1, CURRENT_TIMESTAMP())))`), '002301');
}

export async function outcomes() {
	await world({ hold: false });
	await put('p', '{"a":1}\n{"a":2}\n{"a":3}\n');
	await put('f', '{"a":1}\n');
	await put('c', gzipSync('{"a":1}\n').subarray(0, 12)); // cut off
	await control('POST', 'snowflake/outcome', { path: 'clicks/p$', status: 'PARTIALLY_LOADED', error: 'Error parsing JSON: x',
		line: 3, character: 7, column: 'CLICKS["$1":1]', rows: 2 });
	await control('POST', 'snowflake/outcome', { path: 'clicks/f$', status: 'LOAD_FAILED', error: 'internal', system: 'try again later' });
	await insert(['p', 'f', 'c']);
	let files;
	do
		({ files } = (await report()).json);
	while (files.length < 3);
	assert.deepEqual(files.map(f => [f.path, f.status, f.rowsInserted, f.errorsSeen]),
		[['p', 'PARTIALLY_LOADED', 2, 1], ['f', 'LOAD_FAILED', 0, 1], ['c', 'LOAD_FAILED', 0, 1]]);
	assert.deepEqual([files[0].firstErrorLineNum, files[0].firstErrorCharacterPos, files[0].firstErrorColumnName,
		files[1].systemError], [3, 7, 'CLICKS["$1":1]', 'try again later']);
	// the table is gone when it comes to loading
	await control('POST', 'config', { sf_pipe_hold: true });
	await insert(['q']);
	await many('DROP TABLE D.WEB.CLICKS');
	await load();
	assert.equal((await submit('SELECT * FROM D.WEB.CLICKS')).json.code, '002003');
}

export async function autoIngest() {
	await world({ auto: true, hold: false });
	const [pipe] = await rows('SHOW PIPES IN SCHEMA D.WEB');
	assert.match(pipe[6], /^arn:aws:sqs:/);
	await put('e1', '{"e":1}\n');
	await control('PUT', 'object?bucket=lake&key=r/data/web/other/e', '{"no":1}\n');
	let found;
	do
		found = await rows(names);
	while (!found.length);
	assert.deepEqual(found, [['data/web/clicks/e1', '1', '{"e":1}']]);
	// as it is with S3: only what the bucket tells the pipe's queue
	await control('POST', 'config', { sf_auto_ingest: 'notified', sf_pipe_hold: true });
	await put('e2', '{"e":2}\n');
	assert.equal((await control('GET', 'snowflake/pipe?name=D.WEB.%22CLICKS$PIPE%22')).queue.length, 0);
	// a pipe refuses what a COPY may have
	for (const option of ['FORCE = TRUE', "FILES = ('x')", 'ON_ERROR = ABORT_STATEMENT', 'PURGE = TRUE'])
		assert.equal(await code(`CREATE PIPE D.WEB.P AS ${COPY} ${option}`), '001030', option);
	assert.equal(await code(`CREATE PIPE D.WEB.P AS COPY INTO D.WEB.CLICKS FROM (SELECT $1, '', 1, CURRENT_TIMESTAMP() FROM @D.RIVER.LAKE WHERE $1:a = 1)`), '002114');
	assert.equal(await code(`CREATE PIPE D.WEB.P AS COPY INTO D.WEB.NOPE FROM @D.RIVER.LAKE`), '002003');
}

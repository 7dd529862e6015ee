// A lake with any number of objects and a Snowflake that knows none of them: nothing is kept or checked, so that what
// is measured is the client. Options: --objects N --ready FILE --parent PID --client FILE (whose content is the pid that is measured).
//
// GET /counts: {"lists":..,"inserts":..,"files":..,"largest":..,"statements":..,"largest_statement":..,"peak_kib":..}
import { createServer } from 'node:http';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';

const option = name => process.argv[process.argv.indexOf(`--${name}`) + 1];
const objects = Number(option('objects')), counts = { lists: 0, inserts: 0, files: 0, largest: 0, statements: 0, largest_statement: 0, peak_kib: 0 };
const name = i => `river/data/web/clicks/dt=2026-11-20/hr=14/01jd0000000000000000000000-${String(i).padStart(6, '0')}-r100-h0123456789abcdef.ndjson.zst`;
const definition = { v: 1, stream: 'web/clicks', id: '01jd0000000000000000000000', created: '2026-11-20T14:00:00.000Z', creator: '01jd0000000000000000000001', format: 'auto', layers: ['raw'],
	contract: 'evolve', monitor: { freshness: '15m' }, batch: { size: '64MiB', records: 0, age: '60s' }, compression: 'zstd', stamp: 'none', pipe: 'notify' };

function list(from) {
	const last = Math.min(objects, from + 1000), now = new Date().toISOString();
	let keys = '';
	for (let i = from; i < last; i++)
		keys += `<Contents><Key>${encodeURIComponent(name(i))}</Key><LastModified>${now}</LastModified><ETag>&quot;0&quot;</ETag><Size>12345</Size></Contents>`;
	return `<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>lake</Name><EncodingType>url</EncodingType>` +
		`<KeyCount>${last - from}</KeyCount><MaxKeys>1000</MaxKeys><IsTruncated>${last < objects}</IsTruncated>` +
		(last < objects ? `<NextContinuationToken>${last}</NextContinuationToken>` : '') + keys + '</ListBucketResult>';
}
function table(columns, rows) {
	return JSON.stringify({ code: '090001', message: 'ok', statementHandle: '01', resultSetMetaData: { numRows: rows.length, format: 'jsonv2',
		rowType: columns.map(column => ({ name: column, type: 'text', nullable: true })), partitionInfo: [{ rowCount: rows.length, uncompressedSize: 1 }] }, data: rows });
}
function statement(text) {
	const { statement: sql } = JSON.parse(text);
	counts.statements++;
	counts.largest_statement = Math.max(counts.largest_statement, text.length);
	if (sql.startsWith('WITH L AS'))
		return table(Array.from({ length: 23 }, (_, i) => `C${i}`), []);
	if (sql.includes('SYSTEM$PIPE_STATUS'))
		return table(['STATUS'], [['{"executionState":"RUNNING","pendingFileCount":0}']]);
	return table(['number of rows inserted'], [['0']]);
}
function insert(text) {
	const { files } = JSON.parse(text);
	counts.inserts++;
	counts.files += files.length;
	counts.largest = Math.max(counts.largest, files.length);
	try {
		const status = readFileSync(`/proc/${readFileSync(option('client'), 'utf8').trim()}/status`, 'utf8');
		counts.peak_kib = Math.max(counts.peak_kib, Number(/^VmHWM:\s*(\d+)/m.exec(status)[1]));
	} catch {
		// not yet written
	}
	return '{"requestId":"1","responseCode":"SUCCESS"}';
}

const server = createServer((request, response) => {
	const parts = [], url = new URL(request.url, 'http://localhost');
	request.on('data', part => parts.push(part)).on('end', () => {
		const text = Buffer.concat(parts).toString('utf8');
		const say = (body, type = 'application/json') => response.writeHead(200, { 'Content-Type': type, ETag: '"0"' }).end(body);
		if (url.pathname === '/counts')
			say(JSON.stringify(counts));
		else if (url.pathname === '/api/v2/statements')
			say(statement(text));
		else if (url.pathname.endsWith('/insertFiles'))
			say(insert(text));
		else if (url.searchParams.has('list-type')) {
			counts.lists++;
			say(list(Number(url.searchParams.get('continuation-token') ?? 0)), 'application/xml');
		} else if (url.pathname.endsWith('/format.json'))
			say('{"v":1,"conditional_puts":true}');
		else if (url.pathname.endsWith('/clicks.json'))
			say(JSON.stringify(definition));
		else
			response.writeHead(404).end();
	});
});
server.listen(0, '127.0.0.1', () => {
	writeFileSync(option('ready') + '.new', JSON.stringify({ http: server.address().port }));
	renameSync(option('ready') + '.new', option('ready'));
});
setInterval(() => {
	try {
		process.kill(Number(option('parent')), 0);
	} catch {
		process.exit();
	}
}, 500);

// Files into tables: stages on the S3 of this emulator, COPY INTO with its memory of 64 days, and what a pipe loads.

import { gunzipSync } from 'node:zlib';
import { decompress } from 'fzstd';
import { toBytes, toText } from './request.mjs';
import { formatOf, readCopy, stageOf } from './snowflake-ddl.mjs';
import { duckTable, status, table } from './snowflake-engine.mjs';
import { SqlError, duckName, quote, readerOf } from './snowflake-text.mjs';
import * as variant from './snowflake-variant.mjs';

const DAY = 86400000;
const METADATA = [['METADATA$FILENAME', 'VARCHAR'], ['METADATA$FILE_ROW_NUMBER', 'HUGEINT'],
	['METADATA$FILE_CONTENT_KEY', 'VARCHAR'], ['METADATA$FILE_LAST_MODIFIED', 'TIMESTAMP'],
	['METADATA$START_SCAN_TIME', 'TIMESTAMPTZ']];

// ---- the objects of a stage
export function objectsAt(engine, { bucket, prefix }) {
	const { s3 } = engine.world, found = bucket && s3.buckets.get(bucket);
	if (!found)
		return [];
	const wanted = toBytes(prefix);
	return s3.keys(found).filter(key => key.startsWith(wanted)).map(key => ({ key: toText(key), ...found.objects.get(key),
		bytes: found.objects.get(key).bytes }));
}
export function objectAt(engine, bucket, key) {
	const found = engine.world.s3.buckets.get(bucket)?.objects.get(toBytes(key));
	return found ? { ...found, key } : null;
}
const urlOf = (location, key) => `s3://${location.bucket}/${key}`;
export const notFound = (location, key) => `Remote file '${urlOf(location, key)}' was not found. There are several potential causes. The file might not exist. The required credentials may be ` +
	'missing or invalid. If you are running a copy command, please make sure files are not deleted when they are being loaded or files are not being loaded into two different tables concurrently with auto purge option.';

function unpacked(bytes, compression) {
	const gzip = bytes[0] === 0x1f && bytes[1] === 0x8b, zstd = bytes.length > 3 && bytes.readUInt32LE(0) === 0xfd2fb528;
	const how = /^(AUTO|AUTO_DETECT)$/i.test(compression ?? 'AUTO') ? (gzip ? 'GZIP' : zstd ? 'ZSTD' : 'NONE') : compression.toUpperCase();
	switch (how) {
	case 'GZIP': return gunzipSync(bytes);
	case 'ZSTD': return Buffer.from(decompress(bytes));
	case 'NONE': return bytes;
	default: throw new Error(`the emulator does not know the compression ${how}`);
	}
}

// A file's records: {rows: [[values...]], error}; a JSON file ends at its first error, as COPY's page says.
function recordsOf(object, format) {
	let bytes;
	const failed = (message, line = 1, character = 1) => ({ rows: [], error: { message, line, character, column: null } });
	try {
		bytes = unpacked(object.bytes, format.COMPRESSION);
	} catch (error) {
		return failed(`Invalid compressed data: ${error.message}`);
	}
	const json = String(format.TYPE ?? 'CSV').toUpperCase() === 'JSON', decoder = new TextDecoder('utf-8', { fatal: true }), rows = [];
	let line = 0;
	for (let at = 0; at < bytes.length;) {
		let end = bytes.indexOf(10, at);
		end = end < 0 ? bytes.length : end;
		line++;
		const piece = bytes.subarray(at, end);
		at = end + 1;
		try {
			const text = decoder.decode(piece);
			if (text.trim() === '')
				continue;
			if (!json) {
				rows.push(text.split(format.FIELD_DELIMITER ?? ','));
				continue;
			}
			const value = variant.parse(text, { duplicates: format.ALLOW_DUPLICATE === true });
			for (const one of format.STRIP_OUTER_ARRAY === true && Array.isArray(value) ? value : [value])
				rows.push([variant.print(format.STRIP_NULL_VALUES === true ? withoutNulls(one) : one)]);
		} catch (error) {
			const character = Number(/pos (\d+)/.exec(error.message)?.[1] ?? 1);
			return { rows, error: { message: error instanceof SyntaxError ? error.message : 'Invalid UTF8 detected in string',
				line, character, column: null } };
		}
	}
	return { rows, error: null };
}
function withoutNulls(value) {
	if (value instanceof Map)
		return new Map([...value].filter(([, one]) => one !== null).map(([key, one]) => [key, withoutNulls(one)]));
	return Array.isArray(value) ? value.map(withoutNulls) : value;
}

// ---- rows into a table
const stamp = at => new Date(at).toISOString();
function shape(format, rows) {
	const json = String(format.TYPE ?? 'CSV').toUpperCase() === 'JSON', width = json ? 1
		: Math.max(1, ...rows.map(row => row.values.length));
	return [...Array.from({ length: width }, (_, i) => [`$${i + 1}`, json ? 'BLOB' : 'VARCHAR']), ...METADATA];
}
const metadata = (object, row, at) => [object.key, row, object.etag, stamp(object.modified).replace('Z', ''), stamp(at)];
async function stagedRows(engine, session, format, files) {
	const rows = files.flatMap(({ object, rows: records, at, first = 1 }) => records.map((values,
		i) => ({ values, meta: metadata(object, first + i, at) })));
	const columns = shape(format, rows), width = columns.length - METADATA.length;
	return engine.temporaryTable(session, columns, rows.map(({ values, meta }) => [...Array.from({ length: width },
		(_, i) => values[i] ?? null), ...meta]));
}
// One INSERT for all of them. Throws what the first row that does not fit says.
async function insert(engine, session, copy, files) {
	if (!files.some(file => file.rows.length))
		return;
	const staged = quote(await stagedRows(engine, session, copy.format, files)), target = duckTable(copy.table.duck);
	const names = (copy.columns ?? copy.table.columns.slice(0, copy.select ? undefined
		: 1).map(c => c.name)).map(name => quote(duckName(name))).join(', ');
	let select = `SELECT "$1" FROM ${staged}`;
	if (copy.select) {
		select = await engine.rewritten(session, copy.select, null, false, { stageTable: async () => staged });
	}
	try {
		await engine.rows(session, `INSERT INTO ${target} (${names}) ${select}`);
	} finally {
		await session.connection.run(`DROP TABLE temp.main.${staged}`).catch(() => {});
	}
}

// Loads files one by one into results {object, status, parsed, loaded, errors, error}; throws under ABORT_STATEMENT.
export async function loadFiles(engine, session, copy, objects, { outcome = () => null } = {}) {
	const at = engine.world.now(), results = [], good = [];
	for (const object of objects) {
		const forced = outcome(object.key), file = forced?.error && forced.status === 'LOAD_FAILED'
			? { rows: [], error: { message: forced.error, line: forced.line ?? 1, character: forced.character ?? 1,
			column: forced.column ?? null } } : object.bytes ? recordsOf(object, copy.format)
				: { rows: [], error: { message: 'the emulator kept no bytes of this object', line: 0, character: 0, column: null } };
		if (forced?.status === 'PARTIALLY_LOADED') {
			file.error = { message: forced.error ?? 'Error parsing JSON', line: forced.line ?? file.rows.length,
				character: forced.character ?? 1, column: forced.column ?? null };
			file.rows = file.rows.slice(0, forced.rows ?? Math.max(0, file.rows.length - 1));
		}
		const result = { object, parsed: file.rows.length + (file.error ? 1 : 0), loaded: 0, errors: file.error ? 1 : 0,
			error: file.error, rows: file.rows, at, system: forced?.system ?? null };
		results.push(result);
		if (file.error && copy.onError === 'ABORT_STATEMENT')
			throw new SqlError('100069', '22P02', `${file.error.message}\n  File '${object.key}', line ${file.error.line}, character ${file.error.character}\n  Row ${result.parsed}, column ${quote(copy.table.name)}["$1":1]`);
		if (!file.error || copy.onError === 'CONTINUE')
			good.push(result);
	}
	try {
		await insert(engine, session, copy, good);
		for (const result of good)
			result.loaded = result.rows.length;
	} catch (error) {
		if (!(error instanceof SqlError) || copy.onError === 'ABORT_STATEMENT' || session.transaction)
			throw error;
		for (const result of good)
			await loadByRow(engine, session, copy, result);
	}
	for (const result of results) {
		result.status = result.errors === 0 ? 'LOADED' : result.loaded > 0 ? 'PARTIALLY_LOADED' : 'LOAD_FAILED';
		delete result.rows;
	}
	return results;
}
// Row by row: under CONTINUE a row that does not fit costs itself, else its file.
async function loadByRow(engine, session, copy, result) {
	const whole = copy.onError !== 'CONTINUE';
	if (whole)
		await engine.rows(session, 'BEGIN TRANSACTION');
	for (const [i, row] of result.rows.entries())
		try {
			await insert(engine, session, copy, [{ ...result, rows: [row], first: i + 1 }]);
			result.loaded++;
		} catch (error) {
			if (!(error instanceof SqlError))
				throw error;
			result.errors++;
			result.error ??= { message: error.message, line: i + 1, character: 1, column: null };
			if (whole) {
				await session.connection.run('ROLLBACK');
				result.loaded = 0;
				return;
			}
		}
	if (whole)
		await engine.rows(session, 'COMMIT');
}

// What COPY_HISTORY tells; times of files are all different, so that they can be paged by time.
export function remember(engine, copy, result, pipe = null, received = null) {
	const last = copy.table.history[copy.table.history.length - 1]?.at ?? 0, at = Math.max(engine.world.now(), last + 1);
	const base = copy.location.prefix;
	const entry = { file: result.object.key.startsWith(base) ? result.object.key.slice(base.length) : result.object.key,
		key: result.object.key, location: `s3://${copy.location.bucket}/${base}`, at,
		size: result.object.size ?? 0, parsed: result.parsed, loaded: result.loaded, errors: result.errors, error: result.error,
			status: result.status, pipe: pipe?.path ?? null, received, system: result.system };
	copy.table.history.push(entry);
	return entry;
}

// ---- COPY INTO
export async function copy(engine, session, statement) {
	const reader = readerOf(statement.sql);
	if (reader.is('COPY', 'INTO') && (reader.tokens[2]?.kind === 'stage' || reader.tokens[2]?.kind === 'string'))
		throw new SqlError('002003', '0A000', 'SQL compilation error:\nthe emulator does not unload');
	const one = readCopy(engine, session, reader);
	engine.catalog.demand(session, 'INSERT', one.table);
	const { options, location } = one;
	if (options.FILES && options.FILES.length > 1000)
		throw new SqlError('001041', '42601', 'SQL compilation error:\nThe number of files in the FILES option exceeds the maximum of 1000.');
	const files = options.FILES ? [].concat(options.FILES).map(name => objectAt(engine, location.bucket,
		location.prefix + name) ?? { key: location.prefix + name, missing: true }) : objectsAt(engine, location);
	const now = engine.world.now(), wanted = [], lost = [];
	for (const object of files) {
		if (object.missing) {
			if (one.onError === 'ABORT_STATEMENT')
				throw new SqlError('091016', '22000', notFound(location, object.key));
			lost.push(object);
			continue;
		}
		if (options.PATTERN && !new RegExp(`^(?:${options.PATTERN})$`).test(object.key))
			continue;
		const known = one.table.loaded.get(urlOf(location, object.key));
		const young = known && now - known.at < 64 * DAY;
		if (options.FORCE !== true && ((young && known.etag === object.etag) ||
			(!young && now - object.modified > 64 * DAY && options.LOAD_UNCERTAIN_FILES !== true)))
			continue;
		wanted.push(object);
	}
	const results = await loadFiles(engine, session, one, wanted,
		{ outcome: key => engine.world.snowflake.service.snowpipe.outcome(key, true) });
	for (const result of results) {
		const url = urlOf(location, result.object.key), before = one.table.loaded.get(url);
		const entry = remember(engine, one, result);
		if (result.loaded > 0 || result.errors === 0)
			one.table.loaded.set(url, { etag: result.object.etag, at: entry.at });
		if (session.transaction)
			session.undo.push(() => {
				one.table.history.splice(one.table.history.indexOf(entry), 1);
				before ? one.table.loaded.set(url, before) : one.table.loaded.delete(url);
			});
		if (options.PURGE === true && result.status === 'LOADED')
			engine.world.s3.remove(engine.world.s3.bucket(location.bucket), toBytes(result.object.key));
	}
	if (!results.length && !lost.length)
		return status('Copy executed with 0 files processed.');
	const said = results.filter(result => options.RETURN_FAILED_ONLY !== true ||
		result.errors).map(result => [urlOf(location, result.object.key), result.status, result.parsed, result.loaded,
		one.onError === 'CONTINUE' ? result.parsed : 1, result.errors, result.error?.message ?? null, result.error?.line ?? null,
			result.error?.character ?? null, result.error?.column ?? null]);
	for (const object of lost)
		said.push([urlOf(location, object.key), 'LOAD_FAILED', 0, 0, 1, 1, notFound(location, object.key), null, null, null]);
	const n = name => ({ name, type: 'fixed', nullable: true, precision: 18, scale: 0 });
	return { ...table(['file', 'status', n('rows_parsed'), n('rows_loaded'), n('error_limit'), n('errors_seen'), 'first_error',
		n('first_error_line'), n('first_error_character'), 'first_error_column_name'], said),
		stats: { numRowsInserted: results.reduce((sum, r) => sum + r.loaded, 0), numRowsUpdated: 0, numRowsDeleted: 0,
			numDuplicateRowsUpdated: 0 } };
}

// ---- stages in queries, LIST, REMOVE
export async function stageTable(engine, session, text, options) {
	const location = stageOf(engine, session, text);
	const name = /FILE_FORMAT\s*=>\s*(?:'([^']*)'|([\w".]+))/i.exec(options ?? ''),
		pattern = /PATTERN\s*=>\s*'([^']*)'/i.exec(options ?? '')?.[1];
	const format = (name && formatOf(engine, session, name[1] ?? name[2])) ?? location.stage.format ?? { TYPE: 'CSV' };
	const files = objectsAt(engine, location).filter(object => !pattern || new RegExp(`^(?:${pattern})$`).test(object.key)).map(object => {
		const { rows, error } = recordsOf(object, format);
		if (error)
			throw new SqlError('100069', '22P02', `${error.message}\n  File '${object.key}', line ${error.line}, character ${error.character}`);
		return { object, rows, at: engine.world.now() };
	});
	return stagedRows(engine, session, format, files);
}
export function list(engine, session, reader) {
	reader.word();
	const { value } = reader.tokens[reader.at++], location = stageOf(engine, session, value);
	const pattern = reader.take('PATTERN') && (reader.expect('='), reader.string());
	reader.end();
	const n = name => ({ name, type: 'fixed', nullable: true, precision: 18, scale: 0 });
	return table(['name', n('size'), 'md5', 'last_modified'], objectsAt(engine, location).filter(o => !pattern ||
		new RegExp(`^(?:${pattern})$`).test(o.key))
		.map(o => [urlOf(location, o.key), o.size, o.etag, new Date(o.modified).toUTCString()]));
}
export function remove(engine, session, reader) {
	reader.word();
	const location = stageOf(engine, session, reader.tokens[reader.at++].value), gone = objectsAt(engine, location);
	for (const object of gone)
		engine.world.s3.remove(engine.world.s3.bucket(location.bucket), toBytes(object.key));
	return table(['name', 'result'], gone.map(object => [urlOf(location, object.key), 'removed']));
}
// ALTER PIPE ... REFRESH: files of the last seven days that the pipe does not know.
export function refreshPipe(engine, session, pipe, options) {
	const location = { ...pipe.copy.location, prefix: pipe.copy.location.prefix + (options.PREFIX ?? '') }, now = engine.world.now();
	const since = Math.max(now - 7 * DAY, options.MODIFIED_AFTER ? Date.parse(options.MODIFIED_AFTER) : 0);
	const { snowpipe } = engine.world.snowflake.service, sent = objectsAt(engine,
		location).filter(object => object.modified >= since && snowpipe.queue(pipe, object.key, object.size));
	return table(['File', 'Status'], sent.map(object => [object.key.slice(pipe.copy.location.prefix.length), 'SENT']));
}

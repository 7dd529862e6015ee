// Snowflake's functions in DuckDB: some in JavaScript, the rest as macros. In DuckDB each is called SF_<name>; the
// rewriting (snowflake-rewrite.mjs) puts that prefix to the names in FUNCTIONS. VARIANT, OBJECT and ARRAY are JSON there.

import { BIGINT, BOOLEAN, BLOB, DOUBLE, DuckDBBlobValue, DuckDBScalarFunction, DuckDBVarCharType, LIST, VARCHAR, listValue } from '@duckdb/node-api';
import { createHash } from 'node:crypto';
import * as variant from './snowflake-variant.mjs';
import { formatTime, parseTime } from './snowflake-time.mjs';

const VARIANT = DuckDBVarCharType.create('JSON');

// What a function complains about reaches the answer through DuckDB's message.
export const complaint = (code, sqlState, message) => new Error(`SF|${code}|${sqlState}|${message}|FS`);

// Rows of one vector ask for many columns of the same few texts: their trees are kept.
const trees = new Map();
function tree(text) {
	let found = trees.get(text);
	if (found === undefined) {
		if (trees.size > 4096)
			trees.clear();
		trees.set(text, found = variant.parse(text));
	}
	return found;
}

const NUMBER = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/;
function numberText(text, strict) {
	const trimmed = text.trim();
	if (NUMBER.test(trimmed))
		return trimmed.replace(/^\+/, '').replace(/\.(?=$|[eE])/, '');
	if (strict)
		throw complaint('100038', '22018', `Numeric value '${text}' is not recognized`);
	return null;
}
function boolean(text, strict) {
	if (/^\s*(true|t|yes|y|on|1)\s*$/i.test(text))
		return true;
	if (/^\s*(false|f|no|n|off|0)\s*$/i.test(text))
		return false;
	if (strict)
		throw complaint('100037', '22018', `Boolean value '${text}' is not recognized`);
	return null;
}
function time(text, format, what, strict) {
	const found = parseTime(text, format ?? 'AUTO');
	if (!found && strict)
		throw format ? complaint('100096', '22007', `Can't parse '${text}' as ${what} with format '${format}'`)
			: complaint(what === 'date' ? '100040' : '100035', '22007', what === 'date' ? `Date '${text}' is not recognized` : `Timestamp '${text}' is not recognized`);
	// NTZ keeps the wall clock that was written
	return found && (what === 'timestamp_ntz' || what === 'date' ? found.micros + BigInt(found.offset) * 60000000n : found.micros);
}
function timeOfDay(text, strict) {
	const m = /^\s*(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?\s*$/.exec(text);
	if (m && Number(m[1]) < 24 && Number(m[2]) < 60 && Number(m[3] ?? 0) < 60)
		return BigInt(Number(m[1]) * 3600 + Number(m[2]) * 60 + Number(m[3] ?? 0)) * 1000000n + BigInt((m[4] ?? '').padEnd(6, '0').slice(0, 6));
	if (strict)
		throw complaint('100108', '22007', `Time '${text}' is not recognized`);
	return null;
}
// POSIX classes and Perl's are the same in JavaScript for what is needed here
const expressions = new Map();
function expression(pattern, parameters, whole) {
	const key = `${whole}/${parameters}/${pattern}`;
	let found = expressions.get(key);
	if (!found) {
		const flags = `u${/i/.test(parameters) && !/c/.test(parameters) ? 'i' : ''}${/m/.test(parameters) ? 'm' : ''}${/s/.test(parameters) ? 's' : ''}g`;
		try {
			found = new RegExp(whole ? `^(?:${pattern})$` : pattern, flags);
		} catch {
			try {
				found = new RegExp(whole ? `^(?:${pattern})$` : pattern, flags.replace('u', ''));
			} catch {
				throw complaint('100048', '2201B', `Invalid regular expression: '${pattern}'`);
			}
		}
		expressions.set(key, found);
	}
	found.lastIndex = 0;
	return found;
}
const matches = (text, pattern, from, parameters) => [...text.slice(Number(from) - 1).matchAll(expression(pattern, parameters, false))];

// name: [arguments, result, function]; a function that is given NULL where it is not nullable is not called.
const J = VARIANT, V = VARCHAR;
const scalars = world => ({
	JSON_TEXT: [[V], V, text => variant.asText(tree(text))],
	JSON_VALID: [[V], J, text => {
		try {
			return variant.print(variant.parse(text));
		} catch {
			return null;
		}
	}],
	GET_PATH: [[V, V], J, (text, path) => {
		const found = variant.get(tree(text), variant.pathOf(path));
		return found === undefined ? null : variant.print(found);
	}],
	GET_KEY: [[V, V], J, (text, key) => {
		const value = tree(text), found = Array.isArray(value) ? value[Number(key)] : value instanceof Map ? value.get(key) : undefined;
		return found === undefined ? null : variant.print(found);
	}],
	GET_IGNORE_CASE: [[V, V], J, (text, key) => {
		const value = tree(text), found = value instanceof Map ? [...value].find(([k]) => k.toLowerCase() === key.toLowerCase()) : undefined;
		return found === undefined ? null : variant.print(found[1]);
	}],
	PARSE_TEXT: [[V], J, text => {
		if (text.trim() === '')
			return null;
		try {
			return variant.print(variant.parse(text, { duplicates: false }));
		} catch (error) {
			throw complaint('100069', '22P02', error.message);
		}
	}],
	TRY_PARSE_TEXT: [[V], J, text => {
		try {
			return text.trim() === '' ? null : variant.print(variant.parse(text, { duplicates: false }));
		} catch {
			return null;
		}
	}],
	KIND: [[V], V, text => variant.typeOf(tree(text))],
	OBJECT_KEYS: [[V], J, text => {
		const value = tree(text);
		return value instanceof Map ? variant.print([...value.keys()].sort()) : null;
	}],
	ARRAY_SIZE: [[V], BIGINT, text => {
		const value = tree(text);
		return Array.isArray(value) ? BigInt(value.length) : null;
	}],
	ARRAY_CONTAINS: [[V, V], BOOLEAN, (value, list) => {
		const values = tree(list), wanted = variant.print(tree(value));
		return Array.isArray(values) ? values.some(one => variant.print(one) === wanted) : null;
	}],
	ARRAY_JOIN: [[V, V], V, (list, separator) => {
		const values = tree(list);
		return Array.isArray(values) ? values.map(one => variant.asText(one) ?? '').join(separator) : null;
	}],
	SPLIT: [[V, V], J, (text, separator) => variant.print(separator === '' ? [text] : text.split(separator))],
	STRIP_NULL_VALUE: [[V], J, text => tree(text) === null ? null : text],
	OBJECT: ['*', J, (...args) => {
		const [keep, ...pairs] = args, map = new Map();
		for (let i = 0; i + 1 < pairs.length; i += 2)
			if (pairs[i] !== null && (pairs[i + 1] !== null || keep === 'true'))
				map.set(variant.asText(tree(pairs[i])), pairs[i + 1] === null ? null : tree(pairs[i + 1]));
		return variant.print(map);
	}],
	ARRAY: ['*', J, (...args) => variant.print(args.map(one => one === null ? undefined : tree(one)))],
	OBJECT_DELETE: ['*', J, (object, ...keys) => {
		if (object === null)
			return null;
		const gone = new Set(keys.map(key => variant.asText(tree(key))));
		return variant.print(new Map([...tree(object)].filter(([key]) => !gone.has(key))));
	}],
	OBJECT_INSERT: ['*', J, (object, key, value, update) => {
		const map = new Map(tree(object)), name = variant.asText(tree(key));
		if (map.has(name) && update !== 'true')
			throw complaint('100084', '22000', `Duplicate field key '${name}'`);
		return variant.print(map.set(name, value === null ? null : tree(value)));
	}],
	FLATTEN_ROWS: ['*', LIST(VARIANT), (value, path, outer, recursive, mode) => listValue(variant.flatten(value === null ? undefined : tree(value),
		{ path: variant.asText(tree(path)), outer: outer === 'true', recursive: recursive === 'true', mode: variant.asText(tree(mode)) })
		.map(row => `{${Object.entries(row).map(([name, one]) => `"${name}":${one === null ? 'null' : JSON.stringify(String(one))}`).join(',')}}`))],
	NUMBER_TEXT: [[V], V, text => numberText(text, true)],
	TRY_NUMBER_TEXT: [[V], V, text => numberText(text, false)],
	BOOLEAN_TEXT: [[V], BOOLEAN, text => boolean(text, true)],
	TRY_BOOLEAN_TEXT: [[V], BOOLEAN, text => boolean(text, false)],
	TIME_TEXT: [[V, V, V], BIGINT, (text, format, what) => time(text, format || undefined, what, true)],
	TRY_TIME_TEXT: [[V, V, V], BIGINT, (text, format, what) => time(text, format || undefined, what, false)],
	CLOCK_TEXT: [[V], BIGINT, text => timeOfDay(text, true)],
	TRY_CLOCK_TEXT: [[V], BIGINT, text => timeOfDay(text, false)],
	FORMAT_TIME: [[BIGINT, V], V, (micros, format) => formatTime(micros, format)],
	HEX_BYTES: [[V], BLOB, text => {
		if (!/^(?:[0-9A-Fa-f]{2})*$/.test(text))
			throw complaint('100115', '22000', `The following string is not a legal hex-encoded value: '${text}'`);
		return new DuckDBBlobValue(Buffer.from(text, 'hex'));
	}],
	TRY_HEX_BYTES: [[V], BLOB, text => /^(?:[0-9A-Fa-f]{2})*$/.test(text) ? new DuckDBBlobValue(Buffer.from(text, 'hex')) : null],
	TRY_BASE64_BYTES: [[V], BLOB, text => /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text) ? new DuckDBBlobValue(Buffer.from(text, 'base64')) : null],
	SHA: [[V, V], V, (text, bits) => createHash(`sha${bits}`).update(text).digest('hex')],
	REGEXP_LIKE_3: [[V, V, V], BOOLEAN, (text, pattern, parameters) => expression(pattern, parameters, true).test(text)],
	REGEXP_SUBSTR_6: [[V, V, V, V, V, V], V, (text, pattern, from, nth, parameters, group) => {
		const found = matches(text, pattern, from, parameters)[Number(nth) - 1];
		return found ? found[Number(group || (/e/.test(parameters) ? 1 : 0))] ?? null : null;
	}],
	REGEXP_REPLACE_3: [[V, V, V], V, (text, pattern, by) => text.replace(expression(pattern, '', false), by.replace(/\$/g, '$$$$').replace(/\\(\d)/g, '$$$1'))],
	REGEXP_COUNT: [[V, V], BIGINT, (text, pattern) => BigInt(matches(text, pattern, 1, '').length)],
	REGEXP_INSTR: [[V, V], BIGINT, (text, pattern) => BigInt((matches(text, pattern, 1, '')[0]?.index ?? -1) + 1)],
	NOW: [[], BIGINT, () => BigInt(world.now()) * 1000n],
	UUID_STRING: [[], V, () => crypto.randomUUID()],
	REAL_TEXT: [[DOUBLE], V, value => Number.isFinite(value) ? String(value) : Number.isNaN(value) ? 'NaN' : value > 0 ? 'inf' : '-inf'],
});

// ---- macros: SF_ is put in front of the names that are followed by ( and defined here
const isText = "(typeof(x) IN ('JSON', 'VARCHAR', '\"NULL\"'))";
const text = 'SF_TEXT(x)';
const micros = 'CASE typeof(x) WHEN \'DATE\' THEN epoch_us(CAST(x AS TIMESTAMP)) ELSE epoch_us(TRY_CAST(x AS TIMESTAMPTZ)) END';
const stampOf = (kind, t, parser = 'TIME_TEXT') => `CASE WHEN ${isText} THEN ${kind === 'TIMESTAMP' ? 'make_timestamp' : 'make_timestamptz'}(SF_${parser}(${text}, '', '${t}')) ELSE TRY_CAST(x AS ${kind}) END`;
const formatted = (kind, t, parser) => `${kind === 'TIMESTAMP' ? 'make_timestamp' : 'make_timestamptz'}(SF_${parser}(SF_TEXT(x), f, '${t}'))`;
const number = parser => `CASE WHEN typeof(x) = 'BOOLEAN' THEN CASE CAST(x AS VARCHAR) WHEN 'true' THEN '1' WHEN 'false' THEN '0' END WHEN ${isText} THEN SF_${parser}(${text}) ELSE CAST(x AS VARCHAR) END`;

const macros = [
	// conversions of anything: the types that CAST and :: use
	`TEXT(x) AS CASE typeof(x) WHEN 'JSON' THEN SF_JSON_TEXT(CAST(x AS VARCHAR)) WHEN 'DOUBLE' THEN SF_REAL_TEXT(TRY_CAST(x AS DOUBLE))
		WHEN 'TIMESTAMP' THEN SF_FORMAT_TIME(epoch_us(TRY_CAST(x AS TIMESTAMP)), 'YYYY-MM-DD HH24:MI:SS.FF3')
		WHEN 'TIMESTAMP WITH TIME ZONE' THEN SF_FORMAT_TIME(epoch_us(TRY_CAST(x AS TIMESTAMPTZ)), 'YYYY-MM-DD HH24:MI:SS.FF3 TZHTZM')
		WHEN 'BLOB' THEN hex(CAST(x AS BLOB)) ELSE CAST(x AS VARCHAR) END`,
	`VARIANT(x) AS CASE WHEN typeof(x) = 'JSON' THEN TRY_CAST(x AS JSON)
		WHEN regexp_matches(typeof(x), '^(DECIMAL|U?(HUGE|BIG|SMALL|TINY)INT|U?INTEGER)') THEN SF_JSON_VALID(CAST(x AS VARCHAR))
		WHEN typeof(x) = 'DOUBLE' THEN SF_JSON_VALID(SF_REAL_TEXT(TRY_CAST(x AS DOUBLE))) WHEN typeof(x) = 'BOOLEAN' THEN CAST(CAST(x AS VARCHAR) AS JSON)
		ELSE to_json(SF_TEXT(x)) END`,
	`NUMBER_OF(x) AS ${number('NUMBER_TEXT')}`, `TRY_NUMBER_OF(x) AS ${number('TRY_NUMBER_TEXT')}`,
	`BOOLEAN_OF(x) AS CASE WHEN ${isText} THEN SF_BOOLEAN_TEXT(${text}) ELSE TRY_CAST(x AS BOOLEAN) END`,
	`TRY_BOOLEAN_OF(x) AS CASE WHEN ${isText} THEN SF_TRY_BOOLEAN_TEXT(${text}) ELSE TRY_CAST(x AS BOOLEAN) END`,
	`REAL_OF(x) AS CASE WHEN ${isText} THEN CASE WHEN lower(${text}) IN ('nan', 'inf', '-inf', 'infinity', '-infinity') THEN CAST(${text} AS DOUBLE) ELSE CAST(SF_NUMBER_TEXT(${text}) AS DOUBLE) END ELSE CAST(SF_NUMBER_OF(x) AS DOUBLE) END`,
	`TRY_REAL_OF(x) AS CASE WHEN lower(${text}) IN ('nan', 'inf', '-inf', 'infinity', '-infinity') THEN TRY_CAST(${text} AS DOUBLE) ELSE TRY_CAST(SF_TRY_NUMBER_OF(x) AS DOUBLE) END`,
	`DATE_OF(x) AS CASE WHEN ${isText} THEN CAST(make_timestamp(SF_TIME_TEXT(${text}, '', 'date')) AS DATE) ELSE TRY_CAST(x AS DATE) END`,
	`TRY_DATE_OF(x) AS CASE WHEN ${isText} THEN CAST(make_timestamp(SF_TRY_TIME_TEXT(${text}, '', 'date')) AS DATE) ELSE TRY_CAST(x AS DATE) END`,
	`TIME_OF(x) AS CASE WHEN ${isText} THEN CAST(make_timestamp(SF_CLOCK_TEXT(${text})) AS TIME) ELSE TRY_CAST(x AS TIME) END`,
	`TRY_TIME_OF(x) AS CASE WHEN ${isText} THEN CAST(make_timestamp(SF_TRY_CLOCK_TEXT(${text})) AS TIME) ELSE TRY_CAST(x AS TIME) END`,
	`NTZ_OF(x) AS ${stampOf('TIMESTAMP', 'timestamp_ntz')}`, `TRY_NTZ_OF(x) AS ${stampOf('TIMESTAMP', 'timestamp_ntz', 'TRY_TIME_TEXT')}`,
	`LTZ_OF(x) AS ${stampOf('TIMESTAMPTZ', 'timestamp_ltz')}`, `TRY_LTZ_OF(x) AS ${stampOf('TIMESTAMPTZ', 'timestamp_ltz', 'TRY_TIME_TEXT')}`,
	`BINARY_OF(x) AS CASE WHEN ${isText} THEN SF_HEX_BYTES(${text}) ELSE TRY_CAST(x AS BLOB) END`,
	`TRY_BINARY_OF(x) AS CASE WHEN ${isText} THEN SF_TRY_HEX_BYTES(${text}) ELSE TRY_CAST(x AS BLOB) END`,
	// by name
	'TO_VARCHAR(x) AS SF_TEXT(x)', `TO_VARCHAR(x, f) AS CASE WHEN typeof(x) IN ('BLOB') THEN CASE upper(f) WHEN 'UTF-8' THEN decode(TRY_CAST(x AS BLOB)) WHEN 'BASE64' THEN base64(TRY_CAST(x AS BLOB)) ELSE hex(TRY_CAST(x AS BLOB)) END ELSE SF_FORMAT_TIME(${micros}, f) END`,
	'TO_CHAR(x) AS SF_TEXT(x)', 'TO_CHAR(x, f) AS SF_TO_VARCHAR(x, f)',
	'TO_VARIANT(x) AS SF_VARIANT(x)', 'TO_OBJECT(x) AS SF_VARIANT(x)', 'TO_ARRAY(x) AS SF_VARIANT(x)', 'TO_JSON(x) AS CAST(SF_VARIANT(x) AS VARCHAR)',
	'PARSE_JSON(x) AS SF_PARSE_TEXT(SF_TEXT(x))', 'TRY_PARSE_JSON(x) AS SF_TRY_PARSE_TEXT(SF_TEXT(x))',
	'CHECK_JSON(x) AS CASE WHEN SF_TRY_PARSE_TEXT(SF_TEXT(x)) IS NULL THEN \'error\' END',
	'TYPEOF(x) AS SF_KIND(CAST(SF_VARIANT(x) AS VARCHAR))', 'IS_NULL_VALUE(x) AS SF_KIND(CAST(SF_VARIANT(x) AS VARCHAR)) = \'NULL_VALUE\'',
	...Object.entries({ IS_VARCHAR: "'VARCHAR'", IS_CHAR: "'VARCHAR'", IS_INTEGER: "'INTEGER'", IS_DECIMAL: "'INTEGER', 'DECIMAL'", IS_DOUBLE: "'INTEGER', 'DECIMAL', 'DOUBLE'",
		IS_REAL: "'INTEGER', 'DECIMAL', 'DOUBLE'", IS_BOOLEAN: "'BOOLEAN'", IS_OBJECT: "'OBJECT'", IS_ARRAY: "'ARRAY'" })
		.map(([name, kinds]) => `${name}(x) AS coalesce(SF_TYPEOF(x) IN (${kinds}), CASE WHEN x IS NOT NULL THEN false END)`),
	...Object.entries({ AS_VARCHAR: ['VARCHAR', 'SF_TEXT(x)'], AS_CHAR: ['VARCHAR', 'SF_TEXT(x)'], AS_INTEGER: ['INTEGER', 'CAST(SF_NUMBER_OF(x) AS HUGEINT)'],
		AS_BOOLEAN: ['BOOLEAN', 'SF_BOOLEAN_OF(x)'], AS_OBJECT: ['OBJECT', 'SF_VARIANT(x)'], AS_ARRAY: ['ARRAY', 'SF_VARIANT(x)'] })
		.map(([name, [kind, value]]) => `${name}(x) AS CASE WHEN SF_TYPEOF(x) = '${kind}' THEN ${value} END`),
	"AS_DOUBLE(x) AS CASE WHEN SF_TYPEOF(x) IN ('INTEGER', 'DECIMAL', 'DOUBLE') THEN SF_TRY_REAL_OF(x) END", 'AS_REAL(x) AS SF_AS_DOUBLE(x)',
	'GET(x, k) AS SF_GET_KEY(CAST(SF_VARIANT(x) AS VARCHAR), CAST(k AS VARCHAR))',
	'JSON_EXTRACT_PATH_TEXT(x, p) AS SF_JSON_TEXT(CAST(SF_GET_PATH(SF_TEXT(x), p) AS VARCHAR))',
	'ARRAY_TO_STRING(x, s) AS SF_ARRAY_JOIN(x, s)',
	'TO_BOOLEAN(x) AS SF_BOOLEAN_OF(x)', 'TRY_TO_BOOLEAN(x) AS SF_TRY_BOOLEAN_OF(x)', 'TO_DOUBLE(x) AS SF_REAL_OF(x)', 'TRY_TO_DOUBLE(x) AS SF_TRY_REAL_OF(x)',
	'TO_DATE(x) AS SF_DATE_OF(x)', `TO_DATE(x, f) AS CAST(${formatted('TIMESTAMP', 'date', 'TIME_TEXT')} AS DATE)`, 'TRY_TO_DATE(x) AS SF_TRY_DATE_OF(x)',
	`TRY_TO_DATE(x, f) AS CAST(${formatted('TIMESTAMP', 'date', 'TRY_TIME_TEXT')} AS DATE)`, 'TO_TIME(x) AS SF_TIME_OF(x)', 'TRY_TO_TIME(x) AS SF_TRY_TIME_OF(x)',
	...[['TIMESTAMP', 'TIMESTAMP', 'NTZ'], ['TIMESTAMP_NTZ', 'TIMESTAMP', 'NTZ'], ['TIMESTAMP_LTZ', 'TIMESTAMPTZ', 'LTZ'], ['TIMESTAMP_TZ', 'TIMESTAMPTZ', 'LTZ']].flatMap(([name, kind, of]) => [
		// a number is seconds, or with a scale a fraction of them; a text may be one
		`TO_${name}(x) AS CASE WHEN regexp_matches(typeof(x), '^(DECIMAL|U?(HUGE|BIG|SMALL|TINY)INT|U?INTEGER)') THEN CAST(make_timestamp(CAST(TRY_CAST(x AS DECIMAL(38,6)) * 1000000 AS BIGINT)) AS ${kind}) ELSE SF_${of}_OF(x) END`,
		`TO_${name}(x, f) AS CASE WHEN regexp_matches(typeof(x), '^(DECIMAL|U?(HUGE|BIG|SMALL|TINY)INT|U?INTEGER)') THEN CAST(make_timestamp(CAST(TRY_CAST(x AS DECIMAL(38,6)) * power(10, 6 - TRY_CAST(f AS INTEGER)) AS BIGINT)) AS ${kind})
			ELSE ${formatted(kind, of === 'NTZ' ? 'timestamp_ntz' : 'timestamp_ltz', 'TIME_TEXT').replace('f,', 'CAST(f AS VARCHAR),')} END`,
		`TRY_TO_${name}(x) AS SF_TRY_${of}_OF(x)`, `TRY_TO_${name}(x, f) AS ${formatted(kind, of === 'NTZ' ? 'timestamp_ntz' : 'timestamp_ltz', 'TRY_TIME_TEXT')}`]),
	'TO_BINARY(x) AS SF_BINARY_OF(x)', 'TRY_TO_BINARY(x) AS SF_TRY_BINARY_OF(x)',
	"TO_BINARY(x, f) AS CASE upper(f) WHEN 'UTF-8' THEN encode(SF_TEXT(x)) WHEN 'BASE64' THEN from_base64(SF_TEXT(x)) ELSE SF_HEX_BYTES(SF_TEXT(x)) END",
	"TRY_TO_BINARY(x, f) AS CASE upper(f) WHEN 'UTF-8' THEN encode(SF_TEXT(x)) WHEN 'BASE64' THEN SF_TRY_BASE64_BYTES(SF_TEXT(x)) ELSE SF_TRY_HEX_BYTES(SF_TEXT(x)) END",
	'SHA2(x) AS SF_SHA(SF_TEXT(x), \'256\')', 'SHA2(x, n) AS SF_SHA(SF_TEXT(x), CAST(n AS VARCHAR))', "SHA1(x) AS SF_SHA(SF_TEXT(x), '1')", 'HEX_ENCODE(x) AS hex(x)',
	"REGEXP_LIKE(x, p) AS SF_REGEXP_LIKE_3(SF_TEXT(x), p, '')", 'REGEXP_LIKE(x, p, m) AS SF_REGEXP_LIKE_3(SF_TEXT(x), p, m)', "RLIKE(x, p) AS SF_REGEXP_LIKE_3(SF_TEXT(x), p, '')", 'RLIKE(x, p, m) AS SF_REGEXP_LIKE_3(SF_TEXT(x), p, m)',
	"REGEXP_SUBSTR(x, p) AS SF_REGEXP_SUBSTR_6(SF_TEXT(x), p, '1', '1', '', '')", "REGEXP_SUBSTR(x, p, a) AS SF_REGEXP_SUBSTR_6(SF_TEXT(x), p, CAST(a AS VARCHAR), '1', '', '')",
	"REGEXP_SUBSTR(x, p, a, n) AS SF_REGEXP_SUBSTR_6(SF_TEXT(x), p, CAST(a AS VARCHAR), CAST(n AS VARCHAR), '', '')",
	"REGEXP_SUBSTR(x, p, a, n, m) AS SF_REGEXP_SUBSTR_6(SF_TEXT(x), p, CAST(a AS VARCHAR), CAST(n AS VARCHAR), m, '')",
	'REGEXP_SUBSTR(x, p, a, n, m, g) AS SF_REGEXP_SUBSTR_6(SF_TEXT(x), p, CAST(a AS VARCHAR), CAST(n AS VARCHAR), m, CAST(g AS VARCHAR))',
	"REGEXP_REPLACE(x, p) AS SF_REGEXP_REPLACE_3(SF_TEXT(x), p, '')", 'REGEXP_REPLACE(x, p, r) AS SF_REGEXP_REPLACE_3(SF_TEXT(x), p, r)',
	'IFF(c, a, b) AS CASE WHEN c THEN a ELSE b END', 'NVL(a, b) AS coalesce(a, b)', 'IFNULL(a, b) AS coalesce(a, b)', 'NVL2(a, b, c) AS CASE WHEN a IS NOT NULL THEN b ELSE c END',
	'ZEROIFNULL(a) AS coalesce(a, 0)', 'NULLIFZERO(a) AS nullif(a, 0)', 'EQUAL_NULL(a, b) AS a IS NOT DISTINCT FROM b', 'DIV0(a, b) AS CASE WHEN b = 0 THEN 0 ELSE a / b END',
	'BITAND(a, b) AS a & b', 'BITOR(a, b) AS a | b', 'SQUARE(a) AS a * a', 'CHARINDEX(a, b) AS strpos(b, a)', 'STARTSWITH(a, b) AS starts_with(SF_TEXT(a), b)', 'ENDSWITH(a, b) AS suffix(SF_TEXT(a), b)',
	'CURRENT_TIMESTAMP() AS make_timestamptz(SF_NOW())', 'GETDATE() AS make_timestamptz(SF_NOW())', 'LOCALTIMESTAMP() AS make_timestamptz(SF_NOW())', 'SYSTIMESTAMP() AS make_timestamptz(SF_NOW())',
	'SYSDATE() AS make_timestamp(SF_NOW())', 'CURRENT_DATE() AS CAST(make_timestamp(SF_NOW()) AS DATE)', 'CURRENT_TIME() AS CAST(make_timestamp(SF_NOW()) AS TIME)',
	"DATEADD(p, n, x) AS CASE lower(p) WHEN 'year' THEN x + to_years(CAST(n AS INTEGER)) WHEN 'month' THEN x + to_months(CAST(n AS INTEGER)) WHEN 'week' THEN x + to_days(7 * CAST(n AS INTEGER)) WHEN 'day' THEN x + to_days(CAST(n AS INTEGER)) " +
		"WHEN 'hour' THEN x + to_hours(CAST(n AS BIGINT)) WHEN 'minute' THEN x + to_minutes(CAST(n AS BIGINT)) WHEN 'second' THEN x + to_seconds(CAST(n AS BIGINT)) WHEN 'millisecond' THEN x + to_milliseconds(CAST(n AS BIGINT)) END",
	"DATEDIFF(p, a, b) AS date_diff(lower(p), SF_NTZ_OF(a), SF_NTZ_OF(b))", "TIMESTAMPDIFF(p, a, b) AS date_diff(lower(p), SF_NTZ_OF(a), SF_NTZ_OF(b))",
	'DATE_TRUNC(p, x) AS date_trunc(lower(p), x)',
	"DATE_PART(p, x) AS CASE lower(p) WHEN 'epoch_second' THEN epoch_us(SF_LTZ_OF(x)) // 1000000 WHEN 'epoch_millisecond' THEN epoch_us(SF_LTZ_OF(x)) // 1000 WHEN 'epoch_microsecond' THEN epoch_us(SF_LTZ_OF(x)) WHEN 'epoch_nanosecond' THEN epoch_us(SF_LTZ_OF(x)) * 1000 " +
		"WHEN 'year' THEN year(SF_NTZ_OF(x)) WHEN 'month' THEN month(SF_NTZ_OF(x)) WHEN 'day' THEN day(SF_NTZ_OF(x)) WHEN 'hour' THEN hour(SF_NTZ_OF(x)) WHEN 'minute' THEN minute(SF_NTZ_OF(x)) WHEN 'second' THEN second(SF_NTZ_OF(x)) END",
	'CONVERT_TIMEZONE(z, x) AS x', 'COUNT_IF(c) AS count_if(c)', 'BOOLAND_AGG(c) AS bool_and(c)', 'BOOLOR_AGG(c) AS bool_or(c)', 'ARRAYAGG(x) AS CAST(to_json(list(SF_VARIANT(x)) FILTER (WHERE x IS NOT NULL)) AS JSON)',
	'OBJECT_AGG(k, v) AS to_json(map_from_entries(list((k, SF_VARIANT(v)))))', 'MAX_BY(a, b) AS arg_max(a, b)', 'MIN_BY(a, b) AS arg_min(a, b)', 'APPROX_COUNT_DISTINCT(x) AS approx_count_distinct(x)',
	"SQUISH(x) AS trim(regexp_replace(x, '\\s+', ' ', 'g'))", 'LEN(x) AS length(SF_TEXT(x))', 'CONTAINS(a, b) AS contains(SF_TEXT(a), b)', 'MD5_HEX(x) AS md5(x)',
];

// Names that get the prefix where a query calls them.
export const FUNCTIONS = new Set();
const HELPERS = new Set(['JSON_TEXT', 'JSON_VALID', 'KIND', 'TEXT', 'VARIANT', 'OBJECT', 'ARRAY', 'NOW', 'SHA', 'GET_KEY']);
for (const name of Object.keys(scalars()))
	if (!HELPERS.has(name) && !/_\d$|_TEXT$|_BYTES$|_ROWS$|_JOIN$|FORMAT_TIME/.test(name))
		FUNCTIONS.add(name);
for (const macro of macros) {
	const name = macro.slice(0, macro.indexOf('('));
	if (!HELPERS.has(name) && !/_OF$/.test(name))
		FUNCTIONS.add(name);
}
FUNCTIONS.add('OBJECT_CONSTRUCT').add('OBJECT_CONSTRUCT_KEEP_NULL').add('ARRAY_CONSTRUCT').add('TO_NUMBER').add('TO_DECIMAL').add('TO_NUMERIC').add('TRY_TO_NUMBER')
	.add('TRY_TO_DECIMAL').add('TRY_TO_NUMERIC').add('AS_NUMBER').add('AS_DECIMAL').add('DECODE').add('ARRAY_AGG').delete('ARRAYAGG');
FUNCTIONS.add('ARRAYAGG').add('OBJECT_DELETE').add('OBJECT_INSERT');

export async function defineFunctions(connection, world) {
	for (const [name, [parameters, returnType, call]] of Object.entries(scalars(world))) {
		const any = parameters === '*', volatile = name === 'NOW' || name === 'UUID_STRING';
		connection.registerScalarFunction(DuckDBScalarFunction.create({ name: `SF_${name}`, ...(any ? { varArgsType: VARIANT } : { parameterTypes: parameters }),
			returnType, specialHandling: true, volatile,
			mainFunction(info, input, output) {
				const columns = Array.from({ length: input.columnCount }, (_, i) => input.getColumnVector(i));
				for (let row = 0; row < input.rowCount; row++) {
					const args = columns.map(column => column.getItem(row));
					output.setItem(row, !any && args.includes(null) ? null : call(...args));
				}
				output.flush();
			} }));
	}
	// macros of one name are defined together, one for each number of arguments
	const byName = new Map();
	for (const macro of macros) {
		const name = macro.slice(0, macro.indexOf('('));
		byName.set(name, [...byName.get(name) ?? [], macro.slice(name.length)]);
	}
	for (const [name, bodies] of byName)
		await connection.run(`CREATE MACRO memory.main."SF_${name}"${bodies.join(', ')}`);
}

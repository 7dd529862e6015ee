// Snowflake's functions in DuckDB: most in JavaScript, the rest as macros. In DuckDB each is called SF_<name>; the
// rewriting (snowflake-rewrite.mjs) puts that prefix to the names in FUNCTIONS.
//
// VARIANT, OBJECT and ARRAY are BLOBs there that hold JSON, so that a function that takes anything can tell them from
// texts; BINARY is a STRUCT around a BLOB. A macro names each argument once: nested calls would else grow without end.

import { ANY, BIGINT, BLOB, BOOLEAN, DOUBLE, DuckDBBlobValue, DuckDBDateValue, DuckDBDecimalValue, DuckDBScalarFunction,
	DuckDBStructValue, DuckDBTimeValue,
	DuckDBTimestampTZValue, DuckDBTimestampValue, DuckDBTypeId, LIST, STRUCT, VARCHAR, listValue, structValue } from '@duckdb/node-api';
import { createHash, randomUUID } from 'node:crypto';
import * as variant from './snowflake-variant.mjs';
import { formatTime, parseTime } from './snowflake-time.mjs';

const BINARY = STRUCT({ B: BLOB }), DAY = 86400000000n;

// What a function complains about reaches the answer through DuckDB's message.
export const complaint = (code, sqlState, message) => new Error(`SF|${code}|${sqlState}|${message}|FS`);

// ---- values as JavaScript has them: text, BigInt for whole numbers, number for doubles, Variant, DuckDB's own for the rest
class Variant {
	constructor(text) {
		this.text = text;
	}
	get tree() {
		return tree(this.text);
	}
}
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
const packed = text => text === null || text === undefined ? null : new DuckDBBlobValue(Buffer.from(text, 'utf8'));
const printed = value => value === undefined ? null : packed(variant.print(value));

const DOUBLES = new Set([DuckDBTypeId.DOUBLE, DuckDBTypeId.FLOAT]);
// How a column's items become such values.
function reader(vector) {
	const { typeId } = vector.type;
	return row => {
		const item = vector.getItem(row);
		if (item === null || item === undefined)
			return null;
		if (item instanceof DuckDBBlobValue)
			return new Variant(Buffer.from(item.bytes).toString('utf8'));
		return typeof item === 'number' && !DOUBLES.has(typeId) ? BigInt(item) : item;
	};
}
function microsOf(value) {
	return value instanceof DuckDBDateValue ? BigInt(value.days) * DAY : value instanceof DuckDBTimestampValue ||
		value instanceof DuckDBTimestampTZValue ? value.micros : null;
}
function textOf(value) {
	if (typeof value === 'string')
		return value;
	if (value instanceof Variant)
		return variant.asText(value.tree);
	if (typeof value === 'number')
		return Number.isFinite(value) ? String(value) : Number.isNaN(value) ? 'NaN' : value > 0 ? 'inf' : '-inf';
	if (value instanceof DuckDBDateValue)
		return formatTime(microsOf(value), 'YYYY-MM-DD');
	if (value instanceof DuckDBTimestampValue)
		return formatTime(value.micros, 'YYYY-MM-DD HH24:MI:SS.FF3');
	if (value instanceof DuckDBTimestampTZValue)
		return formatTime(value.micros, 'YYYY-MM-DD HH24:MI:SS.FF3 TZHTZM');
	if (value instanceof DuckDBTimeValue)
		return formatTime(value.micros, 'HH24:MI:SS');
	if (value instanceof DuckDBStructValue)
		return Buffer.from(value.entries.B.bytes).toString('hex').toUpperCase();
	return String(value);
}
function variantOf(value) {
	if (value === null)
		return null;
	if (value instanceof Variant)
		return value.text;
	if (typeof value === 'bigint' || value instanceof DuckDBDecimalValue || typeof value === 'number')
		return variant.print(variant.parse(Number.isFinite(Number(textOf(value))) ? textOf(value) : JSON.stringify(textOf(value))));
	return typeof value === 'boolean' ? String(value) : JSON.stringify(textOf(value));
}
const treeOf = value => value === null ? null : tree(variantOf(value));

const NUMBER = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/;
function numberText(value, strict) {
	if (typeof value === 'boolean')
		return value ? '1' : '0';
	const text = textOf(value);
	if (text === null)
		return null;
	const trimmed = text.trim();
	if (NUMBER.test(trimmed))
		return trimmed.replace(/^\+/, '').replace(/\.(?=$|[eE])/, '');
	if (value instanceof Variant && typeof value.tree === 'boolean')
		return value.tree ? '1' : '0';
	if (strict)
		throw complaint('100038', '22018', value instanceof Variant ? `Failed to cast variant value ${value.text} to FIXED`
			: `Numeric value '${text}' is not recognized`);
	return null;
}
function real(value, strict) {
	const text = textOf(value);
	if (text !== null && /^\s*[+-]?(nan|inf|infinity)\s*$/i.test(text))
		return /nan/i.test(text) ? NaN : /-/.test(text) ? -Infinity : Infinity;
	const number = numberText(value, strict);
	return number === null ? null : Number(number);
}
function boolean(value, strict) {
	if (typeof value === 'boolean')
		return value;
	const text = textOf(value);
	if (text === null)
		return null;
	if (/^\s*(true|t|yes|y|on|1)\s*$/i.test(text))
		return true;
	if (/^\s*(false|f|no|n|off|0)\s*$/i.test(text))
		return false;
	if (NUMBER.test(text) && typeof value !== 'string')
		return Number(text) !== 0;
	if (strict)
		throw complaint('100037', '22018', `Boolean value '${text}' is not recognized`);
	return null;
}
// As microseconds; NTZ and dates keep the wall clock that was written.
function time(value, format, what, strict) {
	const micros = microsOf(value);
	if (micros !== null)
		return what === 'date' ? micros - (micros % DAY + DAY) % DAY : micros;
	if (typeof value === 'bigint' || value instanceof DuckDBDecimalValue || typeof value === 'number') {
		const scale = format === '' ? 0 : Number(format), [, sign, whole,
			fraction = ''] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(textOf(value)) ?? [null, '', '0'];
		return BigInt(`${sign}${whole}${fraction.padEnd(6, '0').slice(0, 6)}`) / 10n ** BigInt(scale);
	}
	const text = textOf(value);
	if (text === null)
		return null;
	const found = parseTime(text, format || 'AUTO');
	if (!found && strict)
		throw format ? complaint('100096', '22007', `Can't parse '${text}' as ${what} with format '${format}'`)
			: complaint(what === 'date' ? '100040' : '100035', '22007', what === 'date' ? `Date '${text}' is not recognized`
				: `Timestamp '${text}' is not recognized`);
	if (!found)
		return null;
	const at = what === 'timestamp_ntz' || what === 'date' ? found.micros + BigInt(found.offset) * 60000000n : found.micros;
	return what === 'date' ? at - (at % DAY + DAY) % DAY : at;
}
function clock(value, strict) {
	if (value instanceof DuckDBTimeValue)
		return value.micros;
	if (microsOf(value) !== null)
		return (microsOf(value) % DAY + DAY) % DAY;
	const text = textOf(value), m = /^\s*(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?\s*$/.exec(text ?? '');
	if (m && Number(m[1]) < 24 && Number(m[2]) < 60 && Number(m[3] ?? 0) < 60)
		return BigInt(Number(m[1]) * 3600 + Number(m[2]) * 60 + Number(m[3] ?? 0)) * 1000000n + BigInt((m[4] ?? '').padEnd(6,
			'0').slice(0, 6));
	if (strict && text !== null)
		throw complaint('100108', '22007', `Time '${text}' is not recognized`);
	return null;
}
function binary(value, format, strict) {
	if (value instanceof DuckDBStructValue)
		return value;
	const text = textOf(value), of = { HEX: /^(?:[0-9A-Fa-f]{2})*$/,
		BASE64: /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/ }[format.toUpperCase()];
	if (text === null)
		return null;
	if (of && !of.test(text)) {
		if (strict)
			throw complaint('100115', '22000', `The following string is not a legal ${format.toLowerCase()}-encoded value: '${text}'`);
		return null;
	}
	return structValue({ B: new DuckDBBlobValue(Buffer.from(text, { HEX: 'hex', BASE64: 'base64' }[format.toUpperCase()] ?? 'utf8')) });
}

const expressions = new Map();
function expression(pattern, parameters, whole) {
	const key = `${whole}/${parameters}/${pattern}`;
	let found = expressions.get(key);
	if (!found) {
		const flags = `${/i/.test(parameters) && !/c/.test(parameters) ? 'i' : ''}${/m/.test(parameters) ? 'm' : ''}${/s/.test(parameters) ? 's' : ''}g`;
		try {
			found = new RegExp(whole ? `^(?:${pattern})$` : pattern, flags);
		} catch {
			throw complaint('100048', '2201B', `Invalid regular expression: '${pattern}'`);
		}
		expressions.set(key, found);
	}
	found.lastIndex = 0;
	return found;
}
const matches = (text, pattern, from = 1n, parameters = '') => [...text.slice(Number(from) - 1).matchAll(expression(pattern,
	parameters, false))];
const kindOf = value => variant.typeOf(treeOf(value));
const is = (...kinds) => [[ANY], BOOLEAN, value => kinds.includes(kindOf(value))];
const as = (kind, type, call) => [[ANY], type, value => kindOf(value) === kind ? call(value) : null];

// name: [arguments, result, function]. One that is given a NULL is not called, unless it takes any number of arguments
// ('*'); those that are left out at the end are undefined there.
const V = VARCHAR;
const scalars = world => ({
	TEXT: [[ANY], V, textOf],
	VARIANT: [[ANY], BLOB, value => packed(variantOf(value))],
	NUMBER_OF: [[ANY], V, value => numberText(value, true)], TRY_NUMBER_OF: [[ANY], V, value => numberText(value, false)],
	REAL_OF: [[ANY], DOUBLE, value => real(value, true)], TRY_REAL_OF: [[ANY], DOUBLE, value => real(value, false)],
	BOOLEAN_OF: [[ANY], BOOLEAN, value => boolean(value, true)], TRY_BOOLEAN_OF: [[ANY], BOOLEAN, value => boolean(value, false)],
	MICROS: [[ANY, V, V], BIGINT, (value, format, what) => time(value, format, what, true)],
	TRY_MICROS: [[ANY, V, V], BIGINT, (value, format, what) => time(value, format, what, false)],
	CLOCK: [[ANY], BIGINT, value => clock(value, true)], TRY_CLOCK: [[ANY], BIGINT, value => clock(value, false)],
	BINARY_AS: [[ANY, V], BINARY, (value, format) => binary(value, format, true)],
		TRY_BINARY_AS: [[ANY, V], BINARY, (value, format) => binary(value, format, false)],

	GET_PATH: [[ANY, V], BLOB, (value, path) => printed(variant.get(treeOf(value), variant.pathOf(path)))],
	GET: [[ANY, ANY], BLOB, (value, key) => {
		const found = treeOf(value);
		// a position only in an array, a name only in an object
		return printed(Array.isArray(found) ? (typeof key === 'bigint' ? found[Number(key)] : undefined) : found instanceof Map &&
			typeof key !== 'bigint' ? found.get(textOf(key)) : undefined);
	}],
	GET_IGNORE_CASE: [[ANY, V], BLOB, (value, key) => {
		const found = treeOf(value);
		return printed(found instanceof Map ? [...found].find(([k]) => k.toLowerCase() === key.toLowerCase())?.[1] : undefined);
	}],
	JSON_EXTRACT_PATH_TEXT: [[ANY, V], V, (value, path) => {
		const found = variant.get(variant.parse(textOf(value)), variant.pathOf(path));
		return found === undefined ? null : variant.asText(found);
	}],
	PARSE_JSON: [[ANY], BLOB, value => {
		const text = textOf(value);
		try {
			return text === null || text.trim() === '' ? null : packed(variant.print(variant.parse(text, { duplicates: false })));
		} catch (error) {
			throw complaint('100069', '22P02', error.message);
		}
	}],
	TRY_PARSE_JSON: [[ANY], BLOB, value => {
		const text = textOf(value);
		try {
			return text === null || text.trim() === '' ? null : packed(variant.print(variant.parse(text, { duplicates: false })));
		} catch {
			return null;
		}
	}],
	CHECK_JSON: [[ANY], V, value => {
		try {
			variant.parse(textOf(value), { duplicates: false });
			return null;
		} catch (error) {
			return error.message;
		}
	}],
	TO_JSON: [[ANY], V, variantOf],
	TYPEOF: [[ANY], V, kindOf],
	IS_NULL_VALUE: is('NULL_VALUE'), IS_VARCHAR: is('VARCHAR'), IS_CHAR: is('VARCHAR'), IS_INTEGER: is('INTEGER'),
		IS_DECIMAL: is('INTEGER', 'DECIMAL'), IS_DOUBLE: is('INTEGER', 'DECIMAL', 'DOUBLE'),
	IS_REAL: is('INTEGER', 'DECIMAL', 'DOUBLE'), IS_BOOLEAN: is('BOOLEAN'), IS_OBJECT: is('OBJECT'), IS_ARRAY: is('ARRAY'),
	AS_VARCHAR: as('VARCHAR', V, textOf), AS_CHAR: as('VARCHAR', V, textOf),
		AS_BOOLEAN: as('BOOLEAN', BOOLEAN, value => boolean(value, true)),
	AS_OBJECT: as('OBJECT', BLOB, value => packed(variantOf(value))), AS_ARRAY: as('ARRAY', BLOB, value => packed(variantOf(value))),
	AS_NUMBER_TEXT: [[ANY], V, value => ['INTEGER', 'DECIMAL'].includes(kindOf(value)) ? textOf(value) : null],
	AS_DOUBLE: [[ANY], DOUBLE, value => ['INTEGER', 'DECIMAL', 'DOUBLE'].includes(kindOf(value)) ? real(value, false) : null],
	OBJECT_KEYS: [[ANY], BLOB, value => {
		const found = treeOf(value);
		return found instanceof Map ? printed([...found.keys()].sort()) : null;
	}],
	ARRAY_SIZE: [[ANY], BIGINT, value => {
		const found = treeOf(value);
		return Array.isArray(found) ? BigInt(found.length) : null;
	}],
	ARRAY_CONTAINS: [[ANY, ANY], BOOLEAN, (value, list) => {
		const found = treeOf(list), wanted = variantOf(value);
		return Array.isArray(found) ? found.some(one => variant.print(one) === wanted) : null;
	}],
	ARRAY_EXCEPT: [[ANY, ANY], BLOB, (list, without) => {
		const gone = treeOf(without).map(variant.print);
		return printed(treeOf(list).filter(one => {
			const at = gone.indexOf(variant.print(one));
			return at < 0 || !gone.splice(at, 1);
		}));
	}],
	ARRAY_TO_STRING: [[ANY, V], V, (list, separator) => {
		const found = treeOf(list);
		return Array.isArray(found) ? found.map(one => variant.asText(one) ?? '').join(separator) : null;
	}],
	ARRAY_DISTINCT: [[ANY], BLOB, list => printed([...new Map(treeOf(list).map(one => [variant.print(one), one])).values()])],
	SPLIT: [[ANY, V], BLOB, (value, separator) => printed(separator === '' ? [textOf(value)] : textOf(value).split(separator))],
	STRIP_NULL_VALUE: [[ANY], BLOB, value => treeOf(value) === null ? null : packed(variantOf(value))],
	OBJECT_CONSTRUCT: ['*', BLOB, (...args) => object(args, false)], OBJECT_CONSTRUCT_KEEP_NULL: ['*', BLOB,
		(...args) => object(args, true)],
	ARRAY_CONSTRUCT: ['*', BLOB, (...args) => printed(args.map(one => one === null ? undefined : treeOf(one)))],
	OBJECT_DELETE: ['*', BLOB, (value, ...keys) => value === null ? null
		: printed(new Map([...treeOf(value)].filter(([key]) => !keys.map(textOf).includes(key))))],
	OBJECT_INSERT: ['*', BLOB, (value, key, added, update = false) => {
		const map = new Map(treeOf(value)), name = textOf(key);
		if (map.has(name) && !update)
			throw complaint('100084', '22000', `Duplicate field key '${name}'`);
		return printed(map.set(name, treeOf(added)));
	}],
	FLATTEN_ROWS: ['*', LIST(BLOB), (value, path, outer, recursive, mode) => listValue(variant.flatten(value === null ? undefined
		: treeOf(value), { path, outer, recursive, mode })
		.map(row => packed(`{${Object.entries(row).map(([name, one]) => `"${name}":${one === null ? 'null' : JSON.stringify(String(one))}`).join(',')}}`)))],
	TO_VARCHAR: ['*', V, (value, format) => value === null || format === null ? null : format === undefined ? textOf(value)
		: formatted(value, format)],
	TO_CHAR: ['*', V, (value, format) => value === null || format === null ? null : format === undefined ? textOf(value)
		: formatted(value, format)],
	SHA2: ['*', V, (value, bits = 256n) => value === null ? null : createHash(`sha${bits || 256n}`).update(textOf(value)).digest('hex')],
	SHA1: [[ANY], V, value => createHash('sha1').update(textOf(value)).digest('hex')],
	MD5_LOWER64_TEXT: [[ANY], V, value => String(BigInt(`0x${createHash('md5').update(textOf(value)).digest('hex').slice(16)}`))],
		MD5: [[ANY], V, value => createHash('md5').update(textOf(value)).digest('hex')],
	HEX_ENCODE: [[ANY], V, value => value instanceof DuckDBStructValue ? textOf(value)
		: Buffer.from(textOf(value)).toString('hex').toUpperCase()],
	REGEXP_LIKE: ['*', BOOLEAN, (text, pattern, parameters = '') => text === null ||
		pattern === null ? null : expression(pattern, parameters, true).test(textOf(text))],
	RLIKE: ['*', BOOLEAN, (text, pattern, parameters = '') => text === null ||
		pattern === null ? null : expression(pattern, parameters, true).test(textOf(text))],
	REGEXP_SUBSTR: ['*', V, (text, pattern, from, nth = 1n, parameters = '', group) => {
		if (text === null || pattern === null)
			return null;
		const found = matches(textOf(text), pattern, from, parameters)[Number(nth) - 1];
		return found?.[Number(group ?? (/e/.test(parameters) ? 1 : 0))] ?? null;
	}],
	REGEXP_REPLACE: ['*', V, (text, pattern, by = '') => text === null || pattern === null || by === null ? null
		: textOf(text).replace(expression(pattern, '', false), by.replace(/\$/g, '$$$$').replace(/\\(\d)/g, '$$$1'))],
	REGEXP_COUNT: [[ANY, V], BIGINT, (text, pattern) => BigInt(matches(textOf(text), pattern).length)],
	REGEXP_INSTR: [[ANY, V], BIGINT, (text, pattern) => BigInt((matches(textOf(text), pattern)[0]?.index ?? -1) + 1)],
	TRIM: ['*', V, (text, characters = ' ') => text === null ? null : strip(textOf(text), characters, true, true)],
	LTRIM: ['*', V, (text, characters = ' ') => text === null ? null : strip(textOf(text), characters, true, false)],
	RTRIM: ['*', V, (text, characters = ' ') => text === null ? null : strip(textOf(text), characters, false, true)],
	LPAD: [[ANY, BIGINT, V], V, (text, length, by) => textOf(text).slice(0, Number(length)).padStart(Number(length), by)],
	RPAD: [[ANY, BIGINT, V], V, (text, length, by) => textOf(text).slice(0, Number(length)).padEnd(Number(length), by)],
	LENGTH: [[ANY], BIGINT, value => BigInt([...textOf(value) ?? ''].length)],
		LEN: [[ANY], BIGINT, value => BigInt([...textOf(value) ?? ''].length)],
	OCTET_LENGTH: [[ANY], BIGINT, value => BigInt(Buffer.byteLength(textOf(value) ?? ''))],
	STARTSWITH: [[ANY, ANY], BOOLEAN, (a, b) => textOf(a).startsWith(textOf(b))],
		ENDSWITH: [[ANY, ANY], BOOLEAN, (a, b) => textOf(a).endsWith(textOf(b))],
	CONTAINS: [[ANY, ANY], BOOLEAN, (a, b) => textOf(a).includes(textOf(b))],
	CHARINDEX: [[ANY, ANY], BIGINT, (a, b) => BigInt(textOf(b).indexOf(textOf(a)) + 1)],
		POSITION: [[ANY, ANY], BIGINT, (a, b) => BigInt(textOf(b).indexOf(textOf(a)) + 1)],
	JOINED: [[ANY, ANY], V, (a, b) => textOf(a) + textOf(b)],
	LIST_VARIANT: [[LIST(BLOB)], BLOB, list => printed(list.items.filter(one => one !== null).map(one => tree(Buffer.from(one.bytes).toString('utf8'))))],
	NOW: [[], BIGINT, () => BigInt(world.now()) * 1000n],
	UUID_STRING: [[], V, () => randomUUID()],
});
function object(args, keep) {
	const map = new Map();
	for (let i = 0; i + 1 < args.length; i += 2)
		if (args[i] !== null && (args[i + 1] !== null || keep))
			map.set(textOf(args[i]), treeOf(args[i + 1]));
	return printed(map);
}
function formatted(value, format) {
	if (value instanceof DuckDBStructValue)
		return Buffer.from(value.entries.B.bytes).toString({ BASE64: 'base64', 'UTF-8': 'utf8' }[format.toUpperCase()] ?? 'hex');
	const micros = value instanceof DuckDBTimeValue ? value.micros : microsOf(value);
	return micros === null ? textOf(value) : formatTime(micros, format);
}
function strip(text, characters, left, right) {
	let from = 0, to = text.length;
	while (left && from < to && characters.includes(text[from]))
		from++;
	while (right && to > from && characters.includes(text[to - 1]))
		to--;
	return text.slice(from, to);
}

// ---- macros
const stamps = [['TIMESTAMP', 'make_timestamp', 'ntz'], ['TIMESTAMP_NTZ', 'make_timestamp', 'ntz'],
	['TIMESTAMP_LTZ', 'make_timestamptz', 'ltz'], ['TIMESTAMP_TZ', 'make_timestamptz', 'ltz']];
const macros = [
	...['', 'TRY_'].flatMap(attempt => [`${attempt}DATE_OF(x) AS CAST(make_timestamp(SF_${attempt}MICROS(x, '', 'date')) AS DATE)`,
		`${attempt}NTZ_OF(x) AS make_timestamp(SF_${attempt}MICROS(x, '', 'timestamp_ntz'))`,
			`${attempt}LTZ_OF(x) AS make_timestamptz(SF_${attempt}MICROS(x, '', 'timestamp_ltz'))`,
		`${attempt}TIME_OF(x) AS CAST(make_timestamp(SF_${attempt}CLOCK(x)) AS TIME)`,
			`${attempt}BINARY_OF(x) AS SF_${attempt}BINARY_AS(x, 'HEX')`,
		`${attempt}TO_DATE(x) AS CAST(make_timestamp(SF_${attempt}MICROS(x, '', 'date')) AS DATE)`,
			`${attempt}TO_DATE(x, f) AS CAST(make_timestamp(SF_${attempt}MICROS(x, f, 'date')) AS DATE)`,
		`${attempt}TO_TIME(x) AS CAST(make_timestamp(SF_${attempt}CLOCK(x)) AS TIME)`,
			`${attempt}TO_BOOLEAN(x) AS SF_${attempt}BOOLEAN_OF(x)`, `${attempt}TO_DOUBLE(x) AS SF_${attempt}REAL_OF(x)`,
		`${attempt}TO_BINARY(x) AS SF_${attempt}BINARY_AS(x, 'HEX')`, `${attempt}TO_BINARY(x, f) AS SF_${attempt}BINARY_AS(x, f)`,
		...stamps.flatMap(([name, make, zone]) => [`${attempt}TO_${name}(x) AS ${make}(SF_${attempt}MICROS(x, '', 'timestamp_${zone}'))`,
			`${attempt}TO_${name}(x, f) AS ${make}(SF_${attempt}MICROS(x, CAST(f AS VARCHAR), 'timestamp_${zone}'))`])]),
	'TO_VARIANT(x) AS SF_VARIANT(x)', 'TO_OBJECT(x) AS SF_VARIANT(x)', 'TO_ARRAY(x) AS SF_VARIANT(x)',
		'MD5_NUMBER_LOWER64(x) AS CAST(SF_MD5_LOWER64_TEXT(x) AS HUGEINT)', 'AS_REAL(x) AS SF_AS_DOUBLE(x)', 'AS_INTEGER(x) AS CAST(SF_AS_NUMBER_TEXT(x) AS HUGEINT)',
	'IFF(c, a, b) AS CASE WHEN c THEN a ELSE b END', 'NVL(a, b) AS coalesce(a, b)', 'IFNULL(a, b) AS coalesce(a, b)',
		'NVL2(a, b, c) AS CASE WHEN a IS NOT NULL THEN b ELSE c END',
	'ZEROIFNULL(a) AS coalesce(a, 0)', 'NULLIFZERO(a) AS nullif(a, 0)', 'EQUAL_NULL(a, b) AS a IS NOT DISTINCT FROM b',
		'DIV0(a, b) AS CASE WHEN b = 0 THEN 0 ELSE a / b END',
	'BITAND(a, b) AS a & b', 'BITOR(a, b) AS a | b', 'SQUARE(a) AS a * a',
	'CURRENT_TIMESTAMP() AS make_timestamptz(SF_NOW())', 'GETDATE() AS make_timestamptz(SF_NOW())',
		'LOCALTIMESTAMP() AS make_timestamptz(SF_NOW())', 'SYSTIMESTAMP() AS make_timestamptz(SF_NOW())',
	'SYSDATE() AS make_timestamp(SF_NOW())', 'CURRENT_DATE() AS CAST(make_timestamp(SF_NOW()) AS DATE)',
		'CURRENT_TIME() AS CAST(make_timestamp(SF_NOW()) AS TIME)',
	'DATEDIFF(p, a, b) AS date_diff(p, SF_NTZ_OF(a), SF_NTZ_OF(b))', 'TIMESTAMPDIFF(p, a, b) AS date_diff(p, SF_NTZ_OF(a), SF_NTZ_OF(b))',
	'DATE_TRUNC(p, x) AS date_trunc(p, x)',
	...['YEAR', 'MONTH', 'DAY', 'HOUR', 'MINUTE', 'SECOND', 'WEEK', 'QUARTER', 'DAYOFWEEK',
		'DAYOFYEAR'].map(name => `${name}(x) AS ${name.toLowerCase()}(SF_NTZ_OF(x))`),
	...[['SECOND', '// 1000000'], ['MILLISECOND', '// 1000'], ['MICROSECOND', '* 1'],
		['NANOSECOND', '* 1000']].map(([name, by]) => `EPOCH_${name}(x) AS SF_MICROS(x, '', 'timestamp_ltz') ${by}`),
	'CONVERT_TIMEZONE(z, x) AS x', 'COUNT_IF(c) AS count_if(c)', 'BOOLAND_AGG(c) AS bool_and(c)', 'BOOLOR_AGG(c) AS bool_or(c)',
		'ARRAY_AGG(x) AS SF_LIST_VARIANT(list(SF_VARIANT(x)))',
	'MAX_BY(a, b) AS arg_max(a, b)', 'MIN_BY(a, b) AS arg_min(a, b)', 'APPROX_COUNT_DISTINCT(x) AS approx_count_distinct(x)',
		'MD5_HEX(x) AS SF_MD5(x)', 'ARRAYAGG(x) AS SF_LIST_VARIANT(list(SF_VARIANT(x)))',
];

// Names that get the prefix where a query calls them.
const HELPERS = /^(TEXT|VARIANT|NOW|JOINED|(TRY_)?MICROS|(TRY_)?CLOCK|(TRY_)?BINARY_AS|\w+_OF|FLATTEN_ROWS|LIST_VARIANT|AS_NUMBER_TEXT|EPOCH_\w+|YEAR|MONTH|DAY|HOUR|MINUTE|SECOND|WEEK|QUARTER)$/;
const macroName = macro => macro.slice(0, macro.indexOf('('));
export const FUNCTIONS = new Set([...Object.keys(scalars()), ...macros.map(macroName)].filter(name => !HELPERS.test(name)));
for (const name of ['TO_NUMBER', 'TO_DECIMAL', 'TO_NUMERIC', 'TRY_TO_NUMBER', 'TRY_TO_DECIMAL', 'TRY_TO_NUMERIC', 'AS_NUMBER',
	'AS_DECIMAL', 'DECODE', 'YEAR', 'MONTH', 'DAY', 'HOUR', 'MINUTE', 'SECOND', 'WEEK', 'QUARTER'])
	FUNCTIONS.add(name);

export async function defineFunctions(connection, world) {
	for (const [name, [parameters, returnType, call]] of Object.entries(scalars(world))) {
		const any = parameters === '*', volatile = name === 'NOW' || name === 'UUID_STRING';
		connection.registerScalarFunction(DuckDBScalarFunction.create({ name: `SF_${name}`,
			...(any ? { varArgsType: ANY } : { parameterTypes: parameters }),
			returnType, specialHandling: true, volatile,
			mainFunction(info, input, output) {
				const columns = Array.from({ length: input.columnCount }, (_, i) => {
					try {
						return reader(input.getColumnVector(i));
					} catch { // a literal NULL has no vector that the interface knows
						return () => null;
					}
				});
				for (let row = 0; row < input.rowCount; row++) {
					const args = columns.map(read => read(row));
					output.setItem(row, !any && args.includes(null) ? null : call(...args));
				}
				output.flush();
			} }));
	}
	// macros of one name are defined together, one for each number of arguments
	const byName = new Map();
	for (const macro of macros)
		byName.set(macroName(macro), [...byName.get(macroName(macro)) ?? [], macro.slice(macroName(macro).length)]);
	for (const [name, bodies] of byName)
		await connection.run(`CREATE MACRO memory.main."SF_${name}"${bodies.join(', ')}`);
}

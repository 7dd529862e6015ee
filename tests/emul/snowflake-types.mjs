// Types: as Snowflake writes them, as DuckDB keeps them, as the SQL API tells them, and values as the API's texts.

import { DuckDBTypeId } from '@duckdb/node-api';
import { formatTime } from './snowflake-time.mjs';

const fixed = (precision, scale) => ({ name: 'NUMBER', api: 'fixed', precision, scale,
	duck: precision === 38 && scale === 0 ? 'HUGEINT' : `DECIMAL(${precision},${scale})` });
const text = length => ({ name: 'VARCHAR', api: 'text', length, duck: 'VARCHAR' });
const stamp = (name, scale) => ({ name, api: name.toLowerCase(), scale, duck: name === 'TIMESTAMP_NTZ' ? 'TIMESTAMP' : 'TIMESTAMPTZ' });
const MAX_TEXT = 16777216;

// NAME or NAME(n[, m]) as a type, or null. Spellings of polyglot's are taken too.
export function typeOf(word, args = []) {
	switch (word.toUpperCase()) {
	case 'NUMBER': case 'DECIMAL': case 'NUMERIC': case 'DEC': return fixed(args[0] ?? 38, args[1] ?? 0);
	case 'INT': case 'INTEGER': case 'BIGINT': case 'SMALLINT': case 'TINYINT': case 'BYTEINT': case 'BIG_INT': case 'SMALL_INT': case 'TINY_INT':
		return fixed(38, 0);
	case 'FLOAT': case 'FLOAT4': case 'FLOAT8': case 'DOUBLE': case 'REAL': case 'DOUBLE PRECISION':
		return { name: 'FLOAT', api: 'real', duck: 'DOUBLE' };
	case 'VARCHAR': case 'STRING': case 'TEXT': case 'VAR_CHAR': case 'NVARCHAR': return text(args[0] ?? MAX_TEXT);
	case 'CHAR': case 'CHARACTER': case 'NCHAR': return text(args[0] ?? 1);
	case 'BOOLEAN': return { name: 'BOOLEAN', api: 'boolean', duck: 'BOOLEAN' };
	case 'DATE': return { name: 'DATE', api: 'date', duck: 'DATE' };
	case 'TIME': return { name: 'TIME', api: 'time', scale: args[0] ?? 9, duck: 'TIME' };
	case 'TIMESTAMP': case 'DATETIME': case 'TIMESTAMP_NTZ': case 'TIMESTAMPNTZ': return stamp('TIMESTAMP_NTZ', args[0] ?? 9);
	case 'TIMESTAMP_LTZ': case 'TIMESTAMPLTZ': return stamp('TIMESTAMP_LTZ', args[0] ?? 9);
	case 'TIMESTAMP_TZ': case 'TIMESTAMPTZ': return stamp('TIMESTAMP_TZ', args[0] ?? 9);
	case 'BINARY': case 'VARBINARY': case 'VAR_BINARY': return { name: 'BINARY', api: 'binary', length: args[0] ?? 8388608,
		duck: 'STRUCT(B BLOB)' };
	case 'VARIANT': case 'OBJECT': case 'ARRAY': return { name: word.toUpperCase(), api: word.toLowerCase(), duck: 'BLOB' };
	default: return null;
	}
}
export const shownType = t => t.name === 'NUMBER' ? `NUMBER(${t.precision},${t.scale})` : ['VARCHAR', 'BINARY'].includes(t.name)
	? `${t.name}(${t.length})`
	: /^TIME/.test(t.name) ? `${t.name}(${t.scale})` : t.name;

// A type that is next in a statement.
export function readType(reader) {
	let word = reader.word();
	if (word === 'DOUBLE')
		reader.take('PRECISION');
	let args = [];
	if (reader.is('('))
		args = reader.value().map(Number);
	const type = typeOf(word, args);
	if (!type) {
		reader.at--;
		throw reader.unexpected();
	}
	return type;
}

// What DuckDB's column is for the API. `known` is the type of the column it comes from, where that is known.
export function columnOf(name, duck) {
	const common = { name, nullable: true };
	switch (duck.typeId) {
	case DuckDBTypeId.DECIMAL: return { ...common, type: 'fixed', precision: duck.width, scale: duck.scale };
	case DuckDBTypeId.HUGEINT: case DuckDBTypeId.UHUGEINT: case DuckDBTypeId.BIGINT: case DuckDBTypeId.INTEGER: case DuckDBTypeId.SMALLINT:
	case DuckDBTypeId.TINYINT: case DuckDBTypeId.UBIGINT: case DuckDBTypeId.UINTEGER: case DuckDBTypeId.USMALLINT: case DuckDBTypeId.UTINYINT:
		return { ...common, type: 'fixed', precision: duck.typeId === DuckDBTypeId.HUGEINT ? 38 : 18, scale: 0 };
	case DuckDBTypeId.DOUBLE: case DuckDBTypeId.FLOAT: return { ...common, type: 'real' };
	case DuckDBTypeId.BOOLEAN: return { ...common, type: 'boolean' };
	case DuckDBTypeId.DATE: return { ...common, type: 'date' };
	case DuckDBTypeId.TIME: return { ...common, type: 'time', precision: 0, scale: 9 };
	case DuckDBTypeId.TIMESTAMP: case DuckDBTypeId.TIMESTAMP_NS: case DuckDBTypeId.TIMESTAMP_MS: case DuckDBTypeId.TIMESTAMP_S:
		return { ...common, type: 'timestamp_ntz', precision: 0, scale: 9 };
	case DuckDBTypeId.TIMESTAMP_TZ: return { ...common, type: 'timestamp_ltz', precision: 0, scale: 9 };
	case DuckDBTypeId.BLOB: return { ...common, type: 'variant' };
	case DuckDBTypeId.STRUCT: return { ...common, type: 'binary', length: 8388608, byteLength: 8388608 };
	default:
		return { ...common, type: 'text', length: MAX_TEXT, byteLength: MAX_TEXT };
	}
}

const seconds = micros => {
	const negative = micros < 0n, size = negative ? -micros : micros;
	return `${negative ? '-' : ''}${size / 1000000n}.${String(size % 1000000n).padStart(6, '0')}000`;
};
function real(value) {
	if (!Number.isFinite(value))
		return Number.isNaN(value) ? 'NaN' : value > 0 ? 'inf' : '-inf';
	return String(value).replace(/e([+-])(\d)$/, 'e$10$2');
}

// One value as the API writes it. `formats` are the output formats that the request asked for.
export function valueText(value, column, formats = {}) {
	if (value === null || value === undefined)
		return null;
	switch (column.type) {
	case 'fixed': case 'text': return String(value);
	case 'variant': case 'object': case 'array': return Buffer.from(value.bytes).toString('utf8');
	case 'real': return real(value);
	case 'boolean': return value ? 'true' : 'false';
	case 'date': return formats.date ? formatTime(BigInt(value.days) * 86400000000n, formats.date) : String(value.days);
	case 'time': return formats.time ? formatTime(value.micros, formats.time) : seconds(value.micros);
	case 'timestamp_ntz': case 'timestamp_ltz': case 'timestamp_tz': {
		const format = formats[column.type] || formats.timestamp;
		return format ? formatTime(value.micros, format) : seconds(value.micros) + (column.type === 'timestamp_tz' ? ' 1440' : '');
	}
	case 'binary': return Buffer.from(value.entries.B.bytes).toString('hex').toUpperCase();
	default: return String(value);
	}
}

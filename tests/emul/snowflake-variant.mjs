// VARIANT: JSON whose values are kept and whose spelling is not. Numbers keep all their digits (DuckDB's and
// JavaScript's do not), of repeated keys the last one wins, keys come back sorted.

// A number that no JavaScript number can stand for is kept by its digits.
export class Num {
	constructor(text) {
		this.text = text;
	}
}

// As Snowflake keeps it: exact up to 38 digits, else a double.
function number(text) {
	const m = /^(-?)(\d+)(?:\.(\d*))?$/.exec(text);
	if (m) {
		const fraction = (m[3] ?? '').replace(/0+$/, ''), digits = (m[2] + fraction).replace(/^0+/, '');
		if (digits.length <= 38)
			return new Num((digits === '' ? '' : m[1]) + m[2] + (fraction && `.${fraction}`));
	}
	const value = Number(text);
	return new Num(Number.isFinite(value) ? exponent(value) : value > 0 ? '"inf"' : '"-inf"');
}
// doubles are shown with 15 digits and an exponent of at least two
const exponent = value => value.toExponential(15).replace(/e([+-])(\d)$/, 'e$10$2');

const TOKEN = /[ \t\n\r]*(?:([{}[\],:])|("(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4}))*")|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)|(true|false|null))/y;

// The value of a JSON text: Map, array, string, Num, true, false, null. Throws when it is none.
export function parse(text, { duplicates = true } = {}) {
	let at = 0;
	const next = () => {
		TOKEN.lastIndex = at;
		const m = TOKEN.exec(text);
		if (!m)
			throw new SyntaxError(`Error parsing JSON: ${/^\s*$/.test(text.slice(at)) ? 'unfinished text' : 'unknown token'}, pos ${at + 1}`);
		at = TOKEN.lastIndex;
		return m;
	};
	const value = (m, depth) => {
		if (depth > 1024)
			throw new SyntaxError(`Error parsing JSON: too deep, pos ${at}`);
		if (m[2] !== undefined)
			return JSON.parse(m[2]);
		if (m[3] !== undefined)
			return number(m[3]);
		if (m[4] !== undefined)
			return m[4] === 'null' ? null : m[4] === 'true';
		if (m[1] === '[') {
			const list = [];
			for (let one = next(); one[1] !== ']' || list.length; one = next()) {
				list.push(value(one, depth + 1));
				const after = next()[1];
				if (after === ']')
					return list;
				if (after !== ',')
					throw new SyntaxError(`Error parsing JSON: misplaced ${after ?? 'value'}, pos ${at}`);
			}
			return list;
		}
		if (m[1] === '{') {
			const map = new Map();
			let one = next();
			if (one[1] === '}')
				return map;
			for (;;) {
				if (one[2] === undefined || next()[1] !== ':')
					throw new SyntaxError(`Error parsing JSON: missing key or colon, pos ${at}`);
				const key = JSON.parse(one[2]);
				if (!duplicates && map.has(key))
					throw new SyntaxError(`Error parsing JSON: duplicate object attribute "${key}", pos ${at}`);
				map.set(key, value(next(), depth + 1));
				const after = next()[1];
				if (after === '}')
					return map;
				if (after !== ',')
					throw new SyntaxError(`Error parsing JSON: misplaced ${after ?? 'value'}, pos ${at}`);
				one = next();
			}
		}
		throw new SyntaxError(`Error parsing JSON: misplaced ${m[1]}, pos ${at}`);
	};
	const result = value(next(), 0);
	if (/[^ \t\n\r]/.test(text.slice(at)))
		throw new SyntaxError(`Error parsing JSON: more than one document in the input, pos ${at + 1}`);
	return result;
}

const bytewise = (a, b) => a < b ? -1 : a > b ? 1 : 0;
export function print(value) {
	if (value instanceof Num)
		return value.text;
	if (Array.isArray(value))
		return `[${value.map(one => one === undefined ? 'undefined' : print(one)).join(',')}]`;
	if (value instanceof Map)
		return `{${[...value].sort(([a], [b]) => bytewise(a, b)).map(([k, v]) => `${JSON.stringify(k)}:${print(v)}`).join(',')}}`;
	return JSON.stringify(value);
}

// CAST(variant AS VARCHAR): a JSON null is NULL.
export const asText = value => value === null || value === undefined ? null : typeof value === 'string' ? value : print(value);

export function typeOf(value) {
	if (value === null)
		return 'NULL_VALUE';
	if (value instanceof Num)
		return /e/.test(value.text) ? 'DOUBLE' : /\./.test(value.text) ? 'DECIMAL' : /^"/.test(value.text) ? 'DOUBLE' : 'INTEGER';
	return Array.isArray(value) ? 'ARRAY' : value instanceof Map ? 'OBJECT' : typeof value === 'string' ? 'VARCHAR' : 'BOOLEAN';
}

// a.b[0]["c d"] as a list of names and positions
const paths = new Map();
export function pathOf(text) {
	let path = paths.get(text);
	if (!path) {
		path = [];
		for (const [, bare, quoted, index, key, single] of text.matchAll(/(?:^|\.)\s*(?:([^\s.["]+)|("(?:[^"\\]|\\.|"")*"))|\[\s*(?:(\d+)|("(?:[^"\\]|\\.)*")|'((?:[^']|'')*)')\s*\]/g))
			path.push(index !== undefined ? Number(index) : bare ?? single?.replaceAll("''", "'") ?? unquote(quoted ?? key));
		paths.set(text, path);
	}
	return path;
}
function unquote(text) {
	try {
		return JSON.parse(text);
	} catch {
		return text.slice(1, -1).replaceAll('""', '"');
	}
}
export function get(value, path) {
	for (const step of path) {
		if (typeof step === 'number')
			value = Array.isArray(value) ? value[step] : value instanceof Map ? value.get(String(step)) : undefined;
		else
			value = value instanceof Map ? value.get(step) : undefined;
		if (value === undefined)
			return undefined;
	}
	return value;
}

// FLATTEN's rows
export function flatten(value, { path = '', outer = false, recursive = false, mode = 'BOTH' } = {}) {
	const rows = [];
	const walk = (one, at) => {
		const children = one instanceof Map && mode !== 'ARRAY' ? [...one].sort(([a], [b]) => bytewise(a, b)).map(([k, v]) => [k,
			null, v, `${at}${at && '.'}${/^[A-Za-z_]\w*$/.test(k) ? k : `['${k}']`}`])
			: Array.isArray(one) && mode !== 'OBJECT' ? one.map((v, i) => [null, i, v, `${at}[${i}]`]) : [];
		for (const [key, index, child, where] of children) {
			rows.push({ SEQ: 1, KEY: key, PATH: where, INDEX: index, VALUE: child === undefined ? null : print(child), THIS: print(one) });
			if (recursive)
				walk(child, where);
		}
	};
	const start = value === undefined ? undefined : get(value, pathOf(path));
	if (start !== undefined)
		walk(start, path);
	if (!rows.length && outer)
		rows.push({ SEQ: 1, KEY: null, PATH: path || null, INDEX: null, VALUE: null, THIS: start === undefined ? null : print(start) });
	return rows;
}

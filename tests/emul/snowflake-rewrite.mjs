// A query or a change of rows, from Snowflake's SQL into DuckDB's: what has no counterpart is replaced in the
// tokens, polyglot reads the rest into a tree, the tree is mended, and polyglot writes it for DuckDB.

import { generate, parse } from '@polyglot-sql/sdk';
import { FUNCTIONS } from './snowflake-functions.mjs';
import { SqlError, duckName, literal, position, quote, syntaxError, tokenize } from './snowflake-text.mjs';
import { typeOf } from './snowflake-types.mjs';

const NO_PARENS = new Set(['CURRENT_TIMESTAMP', 'CURRENT_DATE', 'CURRENT_TIME', 'LOCALTIMESTAMP']);
const SESSION = { CURRENT_ROLE: s => s.role, INVOKER_ROLE: s => s.role, CURRENT_USER: s => s.user.name,
	CURRENT_WAREHOUSE: s => s.warehouse, CURRENT_DATABASE: s => s.database,
	CURRENT_SCHEMA: s => s.schema, CURRENT_ACCOUNT: s => s.account.locator,
		CURRENT_ACCOUNT_NAME: s => s.account.name.replace(/^[^-]*-/, ''),
	CURRENT_ORGANIZATION_NAME: s => s.account.name.replace(/-.*$/, ''), CURRENT_REGION: () => 'AWS_US_EAST_1',
		CURRENT_VERSION: () => '9.38.2', CURRENT_SESSION: () => '1' };
const PARTS = { YEARS: 'year', MONTHS: 'month', DAYS: 'day', HOURS: 'hour', MINUTES: 'minute', SECONDS: 'second',
	MILLISECONDS: 'millisecond', WEEKS: 'week', H: 'hour',
	D: 'day', S: 'second', M: 'minute', MS: 'millisecond', DD: 'day', HH: 'hour', MI: 'minute', SS: 'second' };

// The token that closes the parenthesis at `at`.
function closing(tokens, at) {
	for (let depth = 0; at < tokens.length; at++) {
		depth += tokens[at].text === '(' ? 1 : tokens[at].text === ')' ? -1 : 0;
		if (depth === 0)
			return at;
	}
	throw syntaxError(1, 0, '<EOF>');
}
// Arguments between two positions: [{name, from, to}] of tokens.
function splitArguments(tokens, from, to) {
	const found = [];
	let depth = 0, start = from;
	for (let i = from; i <= to; i++) {
		const { text } = tokens[i] ?? {};
		if (i === to || (depth === 0 && text === ',')) {
			if (i > start) {
				const named = tokens[start + 1]?.text === '=>';
				found.push({ name: named ? tokens[start].value : null, from: named ? start + 2 : start, to: i });
			}
			start = i + 1;
		}
		depth += text === '(' || text === '[' ? 1 : text === ')' || text === ']' ? -1 : 0;
	}
	return found;
}

// ---- tokens
// context: session, bindings, tableFunction(name, args) -> table name, systemFunction(name, args) -> text, evaluate(sql) -> values,
// stageTable(stage, options) -> table name
async function replaceTokens({ sql, tokens }, context) {
	let out = '', bound = 0;
	const nameless = new Set();
	const emit = (from, to) => from >= to ? '' : sql.slice(tokens[from].start, tokens[to - 1].end);
	const gap = i => i === 0 ? '' : sql.slice(tokens[i - 1].end, tokens[i].start).replace(/--[^\n]*|\/\/[^\n]*|\/\*[\s\S]*?\*\//g, ' ');
	const inner = (from, to) => replaceTokens({ sql: emit(from, to), tokens: tokenize(emit(from, to)) }, context);
	// an argument that has to be known before the query runs
	const value = async ({ from, to }) => to === from + 1 && tokens[from].kind === 'string' ? tokens[from].value
		: (await context.evaluate(await inner(from, to)))[0];
	for (let i = 0; i < tokens.length; i++) {
		const token = tokens[i], next = tokens[i + 1], before = tokens[i - 1], called = next?.text === '(';
		out += gap(i);
		if (token.kind === 'stage' || (token.kind === 'string' && token.value.startsWith('@') &&
			['FROM', 'JOIN', ','].includes(before?.value))) {
			let options = null;
			if (called) {
				const end = closing(tokens, i + 1);
				options = emit(i + 1, end + 1);
				i = end;
			}
			out += await context.stageTable(token.value, options);
			continue;
		}
		// v:a."b c"[0].d: polyglot would forget what was quoted
		if (token.text === ':' && ['word', 'quoted'].includes(next?.kind)) {
			for (let first = true; first || (tokens[i + 1]?.text === '.' && ['word', 'quoted'].includes(tokens[i + 2]?.kind)) ||
				tokens[i + 1]?.text === '['; first = false)
				if (!first && tokens[i + 1].text === '[') {
					let end = i + 1;
					for (let depth = 0; depth || end === i + 1; end++)
						depth += tokens[end].text === '[' ? 1 : tokens[end].text === ']' ? -1 : 0;
					out += await inner(i + 1, end);
					i = end - 1;
				} else {
					const step = tokens[first ? i + 1 : i + 2];
					out += `[${literal(step.kind === 'quoted' ? step.value : step.text).replace(/\\/g, '\\\\')}]`;
					i += first ? 1 : 2;
				}
			continue;
		}
		if (token.kind === 'variable') {
			out += quote(token.text);
			continue;
		}
		if (token.kind === 'string') {
			out += literal(token.value).replace(/\\/g, '\\\\');
			continue;
		}
		if (token.text === '?') {
			const binding = context.bindings?.[bound++];
			if (!binding)
				throw new SqlError('002049', '42601', `SQL compilation error: error line ${position(sql, token.start)[0]} at position ${position(sql, token.start)[1]}\nBind variable ? not set.`);
			out += bindingText(binding);
			continue;
		}
		// FROM (WITH ...) UNION: polyglot takes the parenthesis for the whole of it, unless it has a name
		if (token.text === '(' && next?.value === 'WITH' && before?.value === 'FROM')
			nameless.add(closing(tokens, i));
		if (nameless.has(i) && ['UNION', 'EXCEPT', 'INTERSECT', 'MINUS'].includes(next?.value)) {
			out += ') AS "SF$SUBQUERY"';
			continue;
		}
		if (token.kind !== 'word' || before?.text === '.') {
			out += token.text;
			continue;
		}
		if (token.value === 'TABLE' && called) {
			const end = closing(tokens, i + 1);
			let at = i + 2;
			while (tokens[at + 1]?.text === '.')
				at += 2;
			const name = tokens[at].value;
			if (name === 'FLATTEN') {
				out += await flatten(tokens, at + 1, end - 1, inner);
			} else {
				const args = {};
				for (const [n, one] of splitArguments(tokens, at + 2, end - 1).entries())
					args[one.name ?? n] = await value(one);
				const database = at - i - 2 >= 4 ? tokens[i + 2].value : null;
				out += await context.tableFunction(name, args, database);
			}
			i = end;
			continue;
		}
		if (token.value === 'FLATTEN' && called) {
			const end = closing(tokens, i + 1);
			out += await flatten(tokens, i + 1, end, inner);
			i = end;
			continue;
		}
		if (token.value.startsWith('SYSTEM$') && called) {
			const end = closing(tokens, i + 1), args = [];
			for (const one of splitArguments(tokens, i + 2, end))
				args.push(await value(one));
			const said = await context.systemFunction(token.value, args);
			out += typeof said === 'boolean' ? String(said).toUpperCase() : literal(said).replace(/\\/g, '\\\\');
			i = end;
			continue;
		}
		if (token.value === 'IS_ROLE_IN_SESSION' && called && tokens[i + 2]?.kind === 'string') {
			out += context.hasRole(tokens[i + 2].value) ? 'TRUE' : 'FALSE';
			i += 3;
			continue;
		}
		if (SESSION[token.value] && called && tokens[i + 2]?.text === ')') {
			out += literal(SESSION[token.value](context.session));
			i += 2;
			continue;
		}
		if (NO_PARENS.has(token.value)) {
			if (called)
				i = closing(tokens, i + 1);
			out += `SF_${token.value}()`;
			continue;
		}
		if (called && FUNCTIONS.has(token.value)) {
			out += `SF_${token.value}`;
			continue;
		}
		out += token.text;
	}
	return out;
}

async function flatten(tokens, open, close, inner) {
	const args = {};
	for (const [n, one] of splitArguments(tokens, open + 1, close).entries())
		args[one.name ?? (n === 0 ? 'INPUT' : n)] = await inner(one.from, one.to);
	return `(SELECT CAST(1 AS NUMBER) AS "SEQ", SF_TEXT("$R":KEY) AS "KEY", SF_TEXT("$R":PATH) AS "PATH", TRY_CAST(SF_TEXT("$R":INDEX) AS NUMBER) AS "INDEX",
		SF_TRY_PARSE_JSON(SF_TEXT("$R":VALUE)) AS "VALUE", SF_TRY_PARSE_JSON(SF_TEXT("$R":THIS)) AS "THIS" FROM (SELECT UNNEST(SF_FLATTEN_ROWS(${args.INPUT}, ${args.PATH ?? "''"},
		${args.OUTER ?? 'FALSE'}, ${args.RECURSIVE ?? 'FALSE'}, ${args.MODE ?? "'BOTH'"})) AS "$R"))`;
}

function bindingText({ type, value }) {
	if (value === null || value === undefined)
		return 'NULL';
	const text = literal(value).replace(/\\/g, '\\\\').replaceAll('\0', "' || CHR(0) || '");
	switch (String(type).toUpperCase()) {
	case 'FIXED': return /^-?\d+(\.\d+)?$/.test(value) ? value : `CAST(${text} AS NUMBER(38, 0))`;
	case 'REAL': return `CAST(${text} AS FLOAT)`;
	case 'BOOLEAN': return `CAST(${text} AS BOOLEAN)`;
	case 'DATE': return `CAST(SF_TO_TIMESTAMP_NTZ(${Number(value)}, 3) AS DATE)`;
	case 'TIME': return `CAST(SF_TO_TIMESTAMP_NTZ(${BigInt(value) / 1000n}, 6) AS TIME)`;
	case 'TIMESTAMP_NTZ': return `SF_TO_TIMESTAMP_NTZ(${BigInt(value) / 1000n}, 6)`;
	case 'TIMESTAMP_LTZ': case 'TIMESTAMP_TZ': return `SF_TO_TIMESTAMP_LTZ(${BigInt(String(value).split(' ')[0]) / 1000n}, 6)`;
	case 'BINARY': return `CAST(${text} AS BINARY)`;
	default: return text;
	}
}

// ---- the tree
const kindOf = node => node && typeof node === 'object' && !Array.isArray(node) ? Object.keys(node)[0] : null;
const call = (name, ...args) => ({ function: { name, args, distinct: false, trailing_comments: [], use_bracket_syntax: false,
	no_parens: false, quoted: false } });
const text = value => ({ literal: { literal_type: 'string', value } });
const typed = (node, duck, attempt = false) => ({ [attempt ? 'try_cast' : 'cast']: { this: node,
	to: { data_type: 'custom', name: duck }, trailing_comments: [], double_colon_syntax: false, format: null, default: null } });
const isVariant = node => ['j_s_o_n_extract', 'subscript'].includes(kindOf(node)) ||
	/^SF_(PARSE_JSON|TRY_PARSE_JSON|TO_VARIANT|GET|GET_PATH|VARIANT|OBJECT_CONSTRUCT|ARRAY_CONSTRUCT)$/.test(node?.function?.name ?? '');
const isDate = node => /^SF_(TRY_)?(TO_DATE|DATE_OF|CURRENT_DATE)$/.test(node?.function?.name ?? '') || node?.cast?.to?.name === 'DATE';

function snowType(to) {
	const m = /^([A-Za-z_]+)(?:\((\d+)(?:,\s*(\d+))?\))?$/.exec(to.name ?? '');
	const name = to.data_type === 'custom' ? m?.[1] ?? to.name : to.data_type === 'timestamp' &&
		to.timezone ? 'TIMESTAMP_TZ' : to.data_type;
	const args = to.data_type === 'custom' ? [m?.[2], m?.[3]].filter(one => one !== undefined).map(Number)
		: [to.precision ?? to.length ?? undefined, to.scale ?? undefined].filter(one => one !== undefined);
	const type = typeOf(name, args);
	if (!type)
		throw new SqlError('002040', '42601', `SQL compilation error:\nUnsupported data type '${name}'.`);
	return type;
}
const CONVERT = { FLOAT: 'REAL_OF', BOOLEAN: 'BOOLEAN_OF', DATE: 'DATE_OF', TIME: 'TIME_OF', TIMESTAMP_NTZ: 'NTZ_OF',
	TIMESTAMP_LTZ: 'LTZ_OF', TIMESTAMP_TZ: 'LTZ_OF', BINARY: 'BINARY_OF' };
function castOf(node, type, attempt) {
	if (kindOf(node) === 'null')
		return typed(node, type.duck);
	if (type.duck === 'BLOB')
		return call('SF_VARIANT', node);
	if (type.name === 'VARCHAR')
		return type.length < 16777216 && !attempt ? call('left', call('SF_TEXT', node),
			{ literal: { literal_type: 'number', value: String(type.length) } }) : call('SF_TEXT', node);
	if (type.name === 'NUMBER')
		return typed(call(attempt ? 'SF_TRY_NUMBER_OF' : 'SF_NUMBER_OF', node), type.duck, attempt);
	return call(`SF_${attempt ? 'TRY_' : ''}${CONVERT[type.name]}`, node);
}

class Mender {
	constructor(context) {
		this.context = context;
		this.ctes = new Set();
	}
	identifier(id) {
		id.name = duckName(id.quoted ? id.name : id.name.toUpperCase());
		id.quoted = true;
	}
	table(ref) {
		const parts = [ref.catalog, ref.schema, ref.name].filter(Boolean).map(id => id.quoted ? id.name : id.name.toUpperCase());
		if (ref.alias)
			this.identifier(ref.alias);
		for (const column of ref.column_aliases ?? [])
			this.identifier(column);
		if (parts.length === 1 && (this.ctes.has(parts[0]) || parts[0].startsWith('SF$'))) {
			this.identifier(ref.name);
			return;
		}
		const [catalog, schema, name] = this.context.table(parts, this.write);
		const part = one => ({ name: one, quoted: true, trailing_comments: [], span: null });
		Object.assign(ref, { catalog: part(catalog), schema: part(schema), name: part(name) });
		// columns may be qualified with the table's name as it was written
		if (!ref.alias && name !== duckName(parts[parts.length - 1]))
			ref.alias = part(duckName(parts[parts.length - 1]));
	}
	collect(node) {
		if (Array.isArray(node))
			return node.forEach(one => this.collect(one));
		if (!node || typeof node !== 'object')
			return;
		for (const cte of node.ctes ?? [])
			this.ctes.add(cte.alias.quoted ? cte.alias.name : cte.alias.name.toUpperCase());
		Object.values(node).forEach(one => this.collect(one));
	}
	mend(node) {
		if (Array.isArray(node)) {
			for (let i = 0; i < node.length; i++)
				node[i] = this.mend(node[i]);
			return node;
		}
		if (!node || typeof node !== 'object')
			return node;
		if (typeof node.name === 'string' && typeof node.quoted === 'boolean' && !('args' in node)) {
			this.identifier(node);
			return node;
		}
		const kind = kindOf(node), keys = Object.keys(node);
		if (keys.length === 1 && this[`on_${kind}`])
			return this[`on_${kind}`](node[kind], node);
		// the names of a type, a table or a function are none of ours
		if ('data_type' in node)
			return node;
		for (const key of keys)
			node[key] = this.mend(node[key]);
		// NULLs are greatest in Snowflake unless it is said otherwise
		if ('nulls_first' in node && 'desc' in node && node.nulls_first === null)
			node.nulls_first = Boolean(node.desc);
		return node;
	}
	on_table(ref, node) {
		this.table(ref);
		if (ref.sample)
			ref.sample = this.mend(ref.sample);
		return node;
	}
	on_insert(insert, node) {
		this.target(insert.table);
		const { table } = insert;
		insert.table = null;
		for (const key of Object.keys(insert))
			insert[key] = this.mend(insert[key]);
		insert.table = table;
		return node;
	}
	on_delete(one, node) {
		return this.change(one, node);
	}
	on_update(one, node) {
		return this.change(one, node);
	}
	on_merge(merge, node) {
		const { this: into } = merge;
		this.target(into.table ?? into.alias?.this.table ?? into);
		if (into.alias?.this)
			this.identifier(into.alias.alias);
		merge.this = null;
		for (const key of Object.keys(merge))
			merge[key] = this.mend(merge[key]);
		merge.this = into;
		return node;
	}
	target(ref) {
		this.write = true;
		this.table(ref);
		this.write = false;
	}
	change(one, node) {
		this.target(one.table);
		const { table, using } = one;
		Object.assign(one, { table: null, using: [] });
		for (const ref of using ?? [])
			this.table(ref.table ?? ref);
		for (const key of Object.keys(one))
			one[key] = this.mend(one[key]);
		Object.assign(one, { table, using: using ?? [] });
		return node;
	}
	on_literal(_, node) {
		return node;
	}
	on_var(_, node) {
		return node;
	}
	on_cast({ this: inner, to }) {
		return castOf(this.mend(inner), snowType(to), false);
	}
	on_try_cast({ this: inner, to }) {
		// TRY_CAST takes texts alone
		if (isVariant(inner) || inner.literal?.literal_type === 'number' ||
			/^(decimal|int|float|double|boolean|date|timestamp)$/.test(inner.cast?.to.data_type ?? ''))
			throw new SqlError('001065', '22023', `SQL compilation error: error line 1 at position 0\nFunction TRY_CAST cannot be used with arguments of types ${isVariant(inner) ? 'VARIANT' : 'NUMBER(38,0)'} and ${snowType(to).name}`);
		return castOf(this.mend(inner), snowType(to), true);
	}
	on_j_s_o_n_extract({ this: inner, expression }) {
		return call('SF_GET_PATH', this.mend(inner), expression);
	}
	on_subscript({ this: inner, index }) {
		return call('SF_GET', this.mend(inner), this.mend(index));
	}
	on_lateral(lateral, node) {
		if (typeof lateral.alias === 'string')
			lateral.alias = quote(lateral.alias.toUpperCase());
		lateral.this = this.mend(lateral.this);
		return node;
	}
	on_function(f, node) {
		const name = f.name.toUpperCase().replace(/^SF_/, '');
		const decimal = { TO_NUMBER: false, TO_DECIMAL: false, TO_NUMERIC: false, TRY_TO_NUMBER: true, TRY_TO_DECIMAL: true,
			TRY_TO_NUMERIC: true };
		if (['DATEADD', 'DATEDIFF', 'TIMESTAMPDIFF', 'DATE_TRUNC', 'DATE_PART', 'TIMESTAMPADD'].includes(name)) {
			const said = f.args[0].var?.this ?? f.args[0].column?.name.name ?? f.args[0].identifier?.name ?? f.args[0].literal?.value;
			const part = PARTS[said.toUpperCase()] ?? said.toLowerCase(), rest = this.mend(f.args.slice(1));
			if (name === 'DATE_PART')
				return call(`SF_${part.toUpperCase()}`, ...rest);
			if (name === 'DATE_TRUNC' || /DIFF$/.test(name))
				return call(`SF_${name}`, text(part), ...rest);
			const whole = ['year', 'month', 'week', 'day', 'quarter'].includes(part),
				count = { cast: { this: rest[0], to: { data_type: 'custom', name: whole ? 'INTEGER' : 'BIGINT' },
				trailing_comments: [], double_colon_syntax: false, format: null, default: null } };
			const sum = { add: { left: rest[1], right: call(`to_${part}s`, count), left_comments: [], operator_comments: [],
				trailing_comments: [] } };
			// a date stays one when days are added
			return whole && isDate(rest[1]) ? typed({ paren: { this: sum, trailing_comments: [] } }, 'DATE')
				: { paren: { this: sum, trailing_comments: [] } };
		}
		f.args = this.mend(f.args);
		if (name in decimal) {
			const numbers = f.args.slice(1).filter(a => a.literal?.literal_type === 'number').map(a => Number(a.literal.value));
			return castOf(f.args[0], typeOf('NUMBER', numbers), decimal[name]);
		}
		if (name === 'AS_NUMBER' || name === 'AS_DECIMAL')
			return typed(call('SF_AS_NUMBER_TEXT', f.args[0]), typeOf('NUMBER',
				f.args.slice(1).map(a => Number(a.literal.value))).duck, true);
		if (name === 'DECODE') {
			const [value, ...rest] = f.args, whens = [];
			while (rest.length > 1)
				whens.push([{ null_safe_eq: { left: value, right: rest.shift(), left_comments: [], operator_comments: [],
					trailing_comments: [] } }, rest.shift()]);
			return { case: { operand: null, whens, else_: rest[0] ?? null, comments: [] } };
		}
		return node;
	}
	// a variant that is compared with something else: both as variants
	compare(kind, { left, right, ...more }) {
		const [a, b] = [this.mend(left), this.mend(right)];
		const variants = isVariant(left) !== isVariant(right) && kindOf(left) !== 'null' && kindOf(right) !== 'null';
		return { [kind]: { left: variants ? call('SF_VARIANT', a) : a, right: variants ? call('SF_VARIANT', b) : b, ...more } };
	}
	// sums and larger-than take a variant for the number that it holds, or for the text where it is compared with one
	numeric(node, other = null) {
		const mended = this.mend(node);
		return isVariant(node) ? call(other?.literal?.literal_type === 'string' ? 'SF_TEXT' : 'SF_REAL_OF', mended) : mended;
	}
	on_eq(one) {
		return this.compare('eq', one);
	}
	on_neq(one) {
		return this.compare('neq', one);
	}
	// texts are what || joins
	on_concat({ left, right, ...more }) {
		void more;
		return call('SF_JOINED', this.mend(left), this.mend(right));
	}
	on_like(one) {
		return { like: { ...one, left: call('SF_TEXT', this.mend(one.left)), right: this.mend(one.right), escape: one.escape } };
	}
}

for (const kind of ['add', 'sub', 'mul', 'div', 'lt', 'lte', 'gt', 'gte'])
	Mender.prototype[`on_${kind}`] = function two({ left, right, ...more }) {
		return { [kind]: { left: this.numeric(left, right), right: this.numeric(right, left), ...more } };
	};
for (const kind of ['sum', 'avg'])
	Mender.prototype[`on_${kind}`] = function one({ this: inner, ...more }) {
		return { [kind]: { this: this.numeric(inner), ...this.mend(more) } };
	};

// Names of the columns of a query as Snowflake shows them: an expression without a name is called by its text.
function nameExpressions(node) {
	const select = node.select ?? (node.union ?? node.intersect ?? node.except ? null : node.subquery?.this?.select);
	if (!select) {
		const set = node.union ?? node.intersect ?? node.except;
		if (set)
			nameExpressions(set.left);
		return;
	}
	select.expressions = select.expressions.map(one => {
		if (['alias', 'star', 'column'].includes(kindOf(one)) || (kindOf(one) === 'dot'))
			return one;
		const shown = generate([{ select: { ...select, expressions: [structuredClone(one)], from: null, joins: [],
			where_clause: null, group_by: null, having: null,
			qualify: null, order_by: null, limit: null, offset: null, with: null, distinct: false, windows: null } }], 'snowflake');
		const name = shown.success ? shown.sql[0].replace(/^SELECT\s+/, '').replace(/\bSF_/g, '').toUpperCase() : 'EXPRESSION';
		return { alias: { this: one, alias: { name, quoted: true, trailing_comments: [], span: null }, column_aliases: [],
			alias_explicit_as: true,
			pre_alias_comments: [], trailing_comments: [] } };
	});
}

// Whether one row of a MERGE's target has several rows of its source that would change it: a query with a row if so.
export function duplicatesOf({ merge }) {
	const { this: into, using, on, whens } = structuredClone(merge),
		matched = whens.whens.expressions.map(one => one.when).filter(when => when.matched.boolean.value);
	if (!matched.length)
		return null;
	const [{ select }] = parse('SELECT 1 FROM a JOIN b ON c', 'snowflake').ast;
	select.from.expressions = [into];
	Object.assign(select.joins[0], { this: using, on });
	const text = generate([{ select }], 'duckdb').sql[0], alias = into.alias?.alias ?? into.table.alias ?? into.table.name;
	const conditions = matched.map(when => when.condition && generate([{ select: { ...select, expressions: [when.condition],
		from: null, joins: [] } }], 'duckdb').sql[0].replace(/^SELECT /, ''));
	return `${text} ${conditions.includes(null) ? '' : `WHERE ${conditions.map(one => `(${one})`).join(' OR ')}`} GROUP BY ${quote(alias.name)}.rowid HAVING COUNT(*) > 1 LIMIT 1`;
}

export async function rewrite(statement, context) {
	const replaced = await replaceTokens(statement, context);
	const parsed = parse(replaced, 'snowflake');
	if (!parsed.success) {
		const m = /line (\d+), column (\d+)/.exec(parsed.error ?? '');
		const error = syntaxError(m?.[1] ?? 1, m ? Number(m[2]) - 1 : 0,
			/near \[([^\]]*)\]|got (\w+)/.exec(parsed.error)?.slice(1).find(Boolean) ?? '<EOF>');
		error.detail = `${parsed.error}: ${replaced}`;
		throw error;
	}
	const mender = new Mender(context);
	const tree = parsed.ast;
	mender.collect(tree);
	if (context.names)
		nameExpressions(tree[0]);
	const mended = mender.mend(tree);
	context.mended?.(mended[0]);
	const written = generate(mended, 'duckdb');
	if (!written.success)
		throw new SqlError('000603', 'XX000', `the emulator cannot write this for DuckDB: ${written.error}`);
	return written.sql.join(';\n');
}

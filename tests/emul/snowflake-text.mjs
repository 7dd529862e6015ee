// Snowflake's SQL as text: tokens, statements divided by ';', and a reader for the statements that the emulator
// carries out itself. Names are kept as Snowflake stores them: folded to upper case unless they are quoted.

export class SqlError extends Error {
	constructor(code, sqlState, message) {
		super(message);
		Object.assign(this, { code, sqlState });
	}
}
export const syntaxError = (line, position, what) =>
	new SqlError('001003', '42000', `SQL compilation error:\nsyntax error line ${line} at position ${position} unexpected '${what}'.`);

const ESCAPES = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', 0: '\0' };

function unescape(text) {
	return text.replace(/''|\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|([0-7]{3})|([\s\S]))/g, (all, hex, unicode, octal, one) =>
		all === "''" ? "'" : hex || unicode ? String.fromCharCode(parseInt(hex ?? unicode, 16))
			: octal ? String.fromCharCode(parseInt(octal, 8)) : ESCAPES[one] ?? one);
}

// A stage as it is written after FROM, with what follows it: @db.schema.stage/path, '@"a b"/c d'.
const STAGE = /@(?:"(?:[^"]|"")*"|[\w$~%])(?:\.?(?:"(?:[^"]|"")*"|[\w$]+))*(?:\/[^\s();,]*)?/y;
const TOKEN = new RegExp([
	/(?<blank>\s+|--[^\n]*|\/\/[^\n]*|\/\*[\s\S]*?\*\/)/, /(?<dollars>\$\$[\s\S]*?\$\$)/, /(?<string>'(?:[^'\\]|\\[\s\S]|'')*')/,
	/(?<quoted>"(?:[^"]|"")*")/, /(?<hex>[xX]'[0-9A-Fa-f]*')/, /(?<variable>\$\w+)/, /(?<word>[\p{L}_][\p{L}\p{N}_$]*)/,
	/(?<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)/, /(?<op>::|=>|<=|>=|<>|!=|\|\||->|[^\s\w])/,
].map(one => one.source).join('|'), 'uy');

// [{kind, text, value, start, end}]: value is the string, the name, or the word in upper case
export function tokenize(sql) {
	const tokens = [];
	let at = 0;
	while (at < sql.length) {
		if (sql[at] === '@') {
			STAGE.lastIndex = at;
			const m = STAGE.exec(sql);
			if (m) {
				tokens.push({ kind: 'stage', text: m[0], value: m[0], start: at, end: at += m[0].length });
				continue;
			}
		}
		TOKEN.lastIndex = at;
		const m = TOKEN.exec(sql);
		if (!m || m[0] === "'" || m[0] === '"')
			throw syntaxError(...position(sql, at), sql.slice(at, at + 10));
		const kind = Object.keys(m.groups).find(name => m.groups[name] !== undefined), text = m[0];
		at += text.length;
		if (kind === 'blank')
			continue;
		const value = kind === 'dollars' ? text.slice(2, -2) : kind === 'string' ? unescape(text.slice(1, -1))
			: kind === 'quoted' ? text.slice(1, -1).replaceAll('""', '"') : text.toUpperCase();
		tokens.push({ kind: kind === 'dollars' ? 'string' : kind, text, value, start: at - text.length, end: at });
	}
	return tokens;
}
export function position(sql, at) {
	const before = sql.slice(0, at).split('\n');
	return [before.length, before[before.length - 1].length];
}

// The statements of a text, each as {sql, tokens}; empty ones are left out. A block of Snowflake Scripting, alone or as
// the body of a task, is one: BEGIN that begins no transaction, to its END.
export function statements(sql) {
	const found = [];
	let tokens = [], depth = 0;
	const close = () => {
		if (tokens.length) {
			const { start } = tokens[0], text = sql.slice(start, tokens[tokens.length - 1].end);
			found.push({ sql: text, tokens: tokens.map(t => ({ ...t, start: t.start - start, end: t.end - start })) });
		}
		tokens = [];
	};
	const all = tokenize(sql);
	for (const [i, token] of all.entries()) {
		const last = all[i - 1], next = all[i + 1], starts = !tokens.length || last.text === ';' || last.value === 'AS' ||
			last.value === 'BEGIN';
		if (token.kind === 'word' && token.value === 'BEGIN' && starts && next &&
			!['TRANSACTION', 'WORK', 'NAME', ';'].includes(next.value))
			depth++;
		else if (token.kind === 'word' && token.value === 'END' && depth && last.text === ';')
			depth--;
		token.text === ';' && !depth ? close() : tokens.push(token);
	}
	close();
	return found;
}

export const quote = name => `"${name.replaceAll('"', '""')}"`;
export const literal = text => text === null || text === undefined ? 'NULL' : `'${String(text).replaceAll("'", "''")}'`;
// As Snowflake shows a name: quoted only where it must be.
export const shown = name => /^[A-Z_][A-Z0-9_$]*$/.test(name) ? name : quote(name);

// DuckDB's names do not tell upper from lower case: lower case letters are put between braces there.
export const duckName = name => name.replace(/[{}]/g, c => c === '{' ? '{(}' : '{)}').replace(/(\{[()]\})|[a-z]+/g,
	(all, brace) => brace ?? `{${all.toUpperCase()}}`);
export const snowName = name => name.replace(/\{([^}]*)\}/g, (_, inner) => inner === '(' ? '{' : inner === ')' ? '}' : inner.toLowerCase());

// Reads one statement's tokens from left to right.
export class Reader {
	constructor({ sql, tokens }, at = 0) {
		Object.assign(this, { sql, tokens, at });
	}
	get next() {
		return this.tokens[this.at];
	}
	get done() {
		return this.at >= this.tokens.length;
	}
	unexpected() {
		const token = this.next ?? { start: this.sql.length, text: '<EOF>' };
		return syntaxError(...position(this.sql, token.start), token.text);
	}
	is(...words) {
		return words.every((word, i) => {
			const token = this.tokens[this.at + i];
			return token && (token.kind === 'word' || token.kind === 'op') && token.value === word;
		});
	}
	// takes these words if they are next
	take(...words) {
		if (!this.is(...words))
			return false;
		this.at += words.length;
		return true;
	}
	expect(...words) {
		if (!this.take(...words))
			throw this.unexpected();
		return this;
	}
	end() {
		if (!this.done)
			throw this.unexpected();
	}
	word() {
		if (this.next?.kind !== 'word')
			throw this.unexpected();
		return this.tokens[this.at++].value;
	}
	part() {
		const token = this.next;
		if (token?.kind !== 'word' && token?.kind !== 'quoted')
			throw this.unexpected();
		this.at++;
		return token.value;
	}
	// a.b.c, or IDENTIFIER('a.b.c')
	name() {
		if (this.is('IDENTIFIER', '(')) {
			this.at += 2;
			const inner = this.string();
			this.expect(')');
			return nameOf(inner);
		}
		const parts = [this.part()];
		while (this.take('.'))
			parts.push(this.is('.') ? 'PUBLIC' : this.part());
		return parts;
	}
	string() {
		if (this.next?.kind !== 'string')
			throw this.unexpected();
		return this.tokens[this.at++].value;
	}
	// a string, number, boolean, word or list of them
	value() {
		if (this.take('(')) {
			const list = [];
			while (!this.take(')')) {
				list.push(this.value());
				this.take(',');
			}
			return list;
		}
		const token = this.next;
		if (!token || !['string', 'number', 'word', 'quoted'].includes(token.kind)) {
			if (this.take('-'))
				return -this.value();
			throw this.unexpected();
		}
		if (token.kind === 'quoted' || (token.kind === 'word' && this.tokens[this.at + 1]?.text === '.'))
			return this.name().map(shown).join('.');
		this.at++;
		return token.kind === 'number' ? Number(token.text) : token.value === 'TRUE' && token.kind === 'word' ? true
			: token.value === 'FALSE' && token.kind === 'word' ? false : token.value;
	}
	// the text in parentheses that begin here, without them
	parens() {
		const from = this.next;
		this.expect('(');
		for (let depth = 1; depth;) {
			const token = this.next;
			if (!token)
				throw this.unexpected();
			depth += token.text === '(' ? 1 : token.text === ')' ? -1 : 0;
			this.at++;
		}
		return this.sql.slice(from.end, this.tokens[this.at - 1].start).trim();
	}
	// all that is left, as text
	rest() {
		const text = this.next ? this.sql.slice(this.next.start) : '';
		this.at = this.tokens.length;
		return text;
	}
	restTokens() {
		const start = this.next?.start ?? 0, tokens = this.tokens.slice(this.at).map(t => ({ ...t, start: t.start - start,
			end: t.end - start }));
		return { sql: this.rest(), tokens };
	}
}

// The statements of a block, or the statement itself.
export function blockOf(statement) {
	const { tokens, sql } = statement, last = tokens[tokens.length - 1];
	if (tokens[0]?.value !== 'BEGIN' || last.value !== 'END' || !['BEGIN', ';'].includes(tokens[tokens.length - 2].text.toUpperCase()))
		return [statement];
	return statements(sql.slice(tokens[0].end, last.start)).flatMap(blockOf);
}

export const readerOf = sql => new Reader({ sql, tokens: tokenize(sql) });
export function nameOf(text) {
	const reader = readerOf(text), name = reader.name();
	reader.end();
	return name;
}
// WHERE name LIKE pattern
export function like(pattern, insensitive = true) {
	const source = [...pattern.matchAll(/\\([\s\S])|([%_])|([\s\S])/g)].map(([, escaped, wild, plain]) => wild === '%' ? '[\\s\\S]*'
		: wild === '_' ? '[\\s\\S]' : (escaped ?? plain).replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('');
	return new RegExp(`^${source}$`, insensitive ? 'i' : '');
}

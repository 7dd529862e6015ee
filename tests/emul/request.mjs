// A request as the services see it, its body, and how an answer is written down. No service is known here.

import { createHash } from 'node:crypto';

export class HttpError extends Error {
	constructor(status, code, message, detail = {}, headers = {}) {
		super(message);
		Object.assign(this, { status, code, detail, headers });
	}
}

// Keys are kept as strings of bytes (latin1): their order is then S3's order, and nothing is lost.
export const toBytes = text => Buffer.from(text, 'utf8').toString('latin1');
export const toText = bytes => Buffer.from(bytes, 'latin1').toString('utf8');

export function encodeBytes(bytes, keepSlash) {
	return bytes.replace(keepSlash ? /[^A-Za-z0-9\-._~/]/g : /[^A-Za-z0-9\-._~]/g,
		c => '%' + c.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0'));
}
export function decodeBytes(text) {
	if (/%(?![0-9A-Fa-f]{2})/.test(text))
		throw new HttpError(400, 'InvalidURI', "Couldn't parse the specified URI.");
	return Buffer.from(text, 'latin1').toString('latin1')
		.replace(/%([0-9A-Fa-f]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
}

export function parseQuery(text) {
	const query = Object.create(null);
	for (const pair of text ? text.split('&') : []) {
		if (pair === '')
			continue;
		const at = pair.indexOf('=');
		const part = p => toText(decodeBytes(p.replace(/\+/g, ' ')));
		const name = part(at < 0 ? pair : pair.slice(0, at)), value = at < 0 ? '' : part(pair.slice(at + 1));
		if (name in query)
			query[name] = [].concat(query[name], value);
		else
			query[name] = value;
	}
	return query;
}

// Repeated headers are joined with a comma in the order they came, which is what signatures cover.
function joinHeaders(raw) {
	const headers = Object.create(null);
	for (let i = 0; i < raw.length; i += 2) {
		const name = raw[i].toLowerCase();
		headers[name] = name in headers ? `${headers[name]},${raw[i + 1]}` : raw[i + 1];
	}
	return headers;
}

export function parseRequest(req) {
	const at = req.url.indexOf('?');
	const rawPath = (at < 0 ? req.url : req.url.slice(0, at)).replace(/^https?:\/\/[^/]*/, '') || '/';
	const path = decodeBytes(rawPath);
	return { method: req.method, rawPath, path, canonicalPath: encodeBytes(path, true),
		query: parseQuery(at < 0 ? '' : req.url.slice(at + 1)), headers: joinHeaders(req.rawHeaders),
		tls: Boolean(req.socket.encrypted), host: req.headers.host ?? '' };
}

// The whole body in memory, with its SHA-256. One larger than `max` is read and thrown away.
export async function readBody(req, max, pace) {
	const pieces = [], hash = createHash('sha256');
	let size = 0;
	for await (const piece of req) {
		size += piece.length;
		hash.update(piece);
		if (size <= max)
			pieces.push(piece);
		else
			pieces.length = 0;
		await pace?.(piece.length);
	}
	if (size > max)
		throw new HttpError(413, 'RequestEntityTooLargeException', `the body has ${size} bytes, at most ${max} are read`);
	return { bytes: pieces.length === 1 ? pieces[0] : Buffer.concat(pieces), size, sha256: hash.digest('hex') };
}

export const sleep = ms => new Promise(done => setTimeout(done, ms));

// ---- XML ------------------------------------------------------------------------------------------
export function escapeXml(text) {
	return String(text).replace(/[&<>"'\x00-\x08\x0b-\x1f\x7f]/g, c => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;',
		"'": '&apos;' })[c] ?? `&#x${c.charCodeAt(0).toString(16).toUpperCase()};`);
}

// {Name: 'text', List: [...], Inner: {...}, Empty: ''}; undefined and null are left out
export function xmlOf(tree) {
	let out = '';
	for (const [name, value] of Object.entries(tree))
		for (const one of Array.isArray(value) ? value : [value])
			if (one !== undefined && one !== null)
				out += `<${name}>${typeof one === 'object' ? xmlOf(one) : escapeXml(one)}</${name}>`;
	return out;
}
export function xmlDocument(root, tree, namespace) {
	return `<?xml version="1.0" encoding="UTF-8"?>\n<${root}${namespace ? ` xmlns="${namespace}"` : ''}>` +
		`${xmlOf(tree)}</${root}>`;
}

// Elements and text alone, which is all that S3's requests have: {name, text, children}.
export function parseXml(text) {
	const bad = () => new HttpError(400, 'MalformedXML',
		'The XML you provided was not well-formed or did not validate against our published schema');
	const root = { name: '', text: '', children: [] }, stack = [root];
	const entity = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };
	const token = /<\?[^>]*\?>|<!--[\s\S]*?-->|<(\/?)([A-Za-z_][\w.:-]*)(?:\s+[\w.:-]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*\s*(\/?)>|([^<]+)/gy;
	let end = text.startsWith('\ufeff') ? 1 : 0;
	token.lastIndex = end;
	for (let m; (m = token.exec(text)); end = token.lastIndex) {
		const top = stack[stack.length - 1];
		if (m[4] !== undefined) {
			top.text += m[4].replace(/&(?:#x([0-9A-Fa-f]+)|#(\d+)|(\w+));|&/g, (_, hex, dec, name) => {
				if (hex || dec)
					return String.fromCodePoint(hex ? parseInt(hex, 16) : Number(dec));
				if (!entity[name])
					throw bad();
				return entity[name];
			});
		} else if (m[2] !== undefined && m[1]) {
			if (top.name !== m[2].replace(/^.*:/, '') || stack.length < 2)
				throw bad();
			stack.pop();
		} else if (m[2] !== undefined) {
			const node = { name: m[2].replace(/^.*:/, ''), text: '', children: [] };
			top.children.push(node);
			if (!m[3])
				stack.push(node);
		}
	}
	if (end !== text.length || stack.length !== 1 || root.children.length !== 1 || root.text.trim() !== '')
		throw bad();
	return root.children[0];
}
export const childText = (node, name) => node.children.find(c => c.name === name)?.text;
export const childrenOf = (node, name) => node.children.filter(c => c.name === name);

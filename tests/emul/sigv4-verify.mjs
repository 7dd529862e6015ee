// Is a request signed as AWS wants it? Everything is computed again from what came over the wire by
// @smithy/signature-v4, the code of AWS's own clients, and compared. Nothing here knows how river signs.
//
// Credentials live in a Keyring: static ones, and temporary ones with a token and an end. An expired key
// is refused as AWS refuses it, and stays known, so that the answer can say so.

import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { SignatureV4, getCanonicalHeaders, createScope } from '@smithy/signature-v4';

const ALGORITHM = 'AWS4-HMAC-SHA256';
export const UNSIGNED = 'UNSIGNED-PAYLOAD';

// What @smithy/signature-v4 wants for a hash; OpenSSL's is many times faster than one in JavaScript.
class Sha256 {
	constructor(secret) {
		this.hash = secret === undefined ? createHash('sha256') : createHmac('sha256', secret);
	}
	update(bytes) {
		this.hash.update(bytes);
	}
	async digest() {
		return this.hash.digest();
	}
}

export class Keyring {
	keys = new Map();
	// life_s: Infinity for one that does not end; token: only temporary ones have it
	add(id, secret, { token = null, expires = Infinity, note = 'static' } = {}) {
		const key = { id, secret, token, expires, note, used: 0 };
		this.keys.set(id, key);
		return key;
	}
	// Temporary credentials of a role; `now` and `expires` in ms.
	issue(expires, note) {
		const hex = n => randomBytes(n).toString('hex').toUpperCase();
		return this.add(`ASIA${hex(8)}`, `riverCanaryBird${randomBytes(18).toString('base64')}`,
			{ token: `FwoGZXIvYXdzriverCanaryBird${randomBytes(150).toString('base64')}==`, expires, note });
	}
	revoke(id) {
		return this.keys.delete(id);
	}
	get(id) {
		return this.keys.get(id);
	}
}

export class SignatureError extends Error {
	constructor(kind, message, detail = {}) {
		super(message);
		this.kind = kind; // each service has a name and a status of its own for it
		this.detail = detail;
	}
}

function parseDate(text) {
	const m = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text ?? '');
	return m ? Date.UTC(m[1], m[2] - 1, m[3], m[4], m[5], m[6]) : NaN;
}

// Authorization header or query: what the request says about its signature, or null for none.
export function claims(request) {
	const q = request.query, auth = request.headers.authorization;
	if (q['X-Amz-Algorithm'] !== undefined || q['X-Amz-Signature'] !== undefined) {
		for (const name of ['Algorithm', 'Credential', 'Signature', 'Date', 'SignedHeaders', 'Expires'])
			if (typeof q[`X-Amz-${name}`] !== 'string')
				throw new SignatureError('query_incomplete', 'Query-string authentication version 4 requires ' +
					'the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.');
		if (auth !== undefined)
			throw new SignatureError('two_ways', 'Only one auth mechanism allowed');
		return claim('query', q['X-Amz-Algorithm'], q['X-Amz-Credential'], q['X-Amz-SignedHeaders'],
			q['X-Amz-Signature'], q['X-Amz-Date'], q['X-Amz-Security-Token'], q['X-Amz-Expires']);
	}
	if (auth === undefined)
		return null;
	const m = /^(\S+) +Credential=([^,\s]+), *SignedHeaders=([^,\s]+), *Signature=([^,\s]+) *$/.exec(auth);
	if (!m)
		throw new SignatureError('malformed', 'The authorization header is malformed; it is not ' +
			`'${ALGORITHM} Credential=..., SignedHeaders=..., Signature=...'`);
	return claim('header', m[1], m[2], m[3], m[4], request.headers['x-amz-date'],
		request.headers['x-amz-security-token'], undefined);
}

function claim(form, algorithm, credential, signedHeaders, signature, date, token, expires) {
	if (algorithm !== ALGORITHM)
		throw new SignatureError('malformed', `Unsupported signature algorithm ${algorithm}`);
	const parts = credential.split('/');
	const [day, region, service, end] = parts.slice(-4);
	if (parts.length < 5 || end !== 'aws4_request')
		throw new SignatureError('malformed', `The credential '${credential}' is malformed; ` +
			'expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".');
	return { form, id: parts.slice(0, -4).join('/'), day, region, service, signature, date, token, expires,
		signedHeaders: signedHeaders.split(';') };
}

// `claim` of claims(); `world` has keyring, now (ms), service (expected), skew_ms, s3 (bool).
// `payloadHash` is what stands in the canonical request. Throws SignatureError; returns what signs chunks.
export async function verify(request, claim, payloadHash, world) {
	const { now } = world;
	const key = world.keyring.get(claim.id);
	if (!key)
		throw new SignatureError('unknown_key', 'The AWS access key Id you provided does not exist in our records.',
			{ AWSAccessKeyId: claim.id });
	const at = parseDate(claim.date);
	if (Number.isNaN(at))
		throw new SignatureError('malformed', 'AWS authentication requires a valid Date or x-amz-date header');
	if (claim.service !== world.service)
		throw new SignatureError('wrong_service', `Credential should be scoped to correct service: '${world.service}'.`,
			{ Service: world.service });
	if (claim.day !== claim.date.slice(0, 8))
		throw new SignatureError('malformed', `Date in Credential scope does not match YYYYMMDD from ISO-8601 ` +
			`version of date from HTTP: '${claim.day}' != '${claim.date.slice(0, 8)}', from '${claim.date}'.`);
	if (claim.form === 'query') {
		const life = Number(claim.expires);
		if (!/^\d+$/.test(claim.expires) || life < 1 || life > 604800)
			throw new SignatureError('query_incomplete', 'X-Amz-Expires must be between 1 and 604800 seconds');
		if (at > now + world.skew_ms)
			throw new SignatureError('not_yet', 'Request is not valid yet');
		if (now > at + life * 1000)
			throw new SignatureError('url_expired', 'Request has expired', { 'X-Amz-Expires': claim.expires,
				Expires: new Date(at + life * 1000).toISOString(), ServerTime: new Date(now).toISOString() });
	} else if (Math.abs(now - at) > world.skew_ms) {
		throw new SignatureError('skewed', world.s3
			? 'The difference between the request time and the current time is too large.'
			: `Signature ${at < now ? 'expired' : 'not yet current'}: ${claim.date} is now ` +
				`${at < now ? 'earlier' : 'later'} than ${stamp(now + (at < now ? -1 : 1) * world.skew_ms)} ` +
				`(${stamp(now)} ${at < now ? '-' : '+'} ${world.skew_ms / 60000} min.)`,
			{ RequestTime: claim.date, ServerTime: new Date(now).toISOString(),
				MaxAllowedSkewMilliseconds: String(world.skew_ms) });
	}
	if ((claim.token ?? null) !== key.token)
		throw new SignatureError('bad_token', 'The provided token is malformed or otherwise invalid.',
			{ 'Token-0': claim.token ?? '' });
	if (now >= key.expires)
		throw new SignatureError('expired', 'The provided token has expired.', { 'Token-0': key.token ?? '' });
	if (!claim.signedHeaders.includes('host'))
		throw new SignatureError('malformed', 'Host header must be a signed header');
	for (const name of Object.keys(request.headers))
		if (name.startsWith('x-amz-') && !claim.signedHeaders.includes(name) &&
		    !(claim.form === 'query' && name === 'x-amz-content-sha256'))
			throw new SignatureError('unsigned_header', 'There were headers present in the request which were not signed',
				{ HeadersNotSigned: name });

	const signable = new Set(claim.signedHeaders), headers = {};
	for (const name of signable)
		if (request.headers[name] !== undefined)
			headers[name] = request.headers[name];
	const signer = new SignatureV4({ service: claim.service, region: claim.region, sha256: Sha256,
		credentials: { accessKeyId: key.id, secretAccessKey: key.secret, sessionToken: key.token ?? undefined },
		uriEscapePath: !world.s3, applyChecksum: false });
	const scope = createScope(claim.day, claim.region, claim.service);
	const signingKey = await signer.getSigningKey(await signer.credentialProvider(), claim.region, claim.day, claim.service);
	const canonical = signer.createCanonicalRequest(
		{ method: request.method, path: world.s3 ? request.canonicalPath : request.rawPath, query: request.query },
		getCanonicalHeaders({ headers }, undefined, signable), payloadHash);
	const stringToSign = await signer.createStringToSign(claim.date, scope, canonical, ALGORITHM);
	const wanted = createHmac('sha256', signingKey).update(stringToSign).digest('hex');
	// names that were signed but did not come make a canonical request without them, which differs
	if (wanted.length !== claim.signature.length ||
	    !timingSafeEqual(Buffer.from(wanted), Buffer.from(claim.signature)) ||
	    Object.keys(headers).length !== signable.size)
		throw new SignatureError('mismatch', 'The request signature we calculated does not match the signature you ' +
			'provided. Check your key and signing method.', { AWSAccessKeyId: key.id, StringToSign: stringToSign,
			SignatureProvided: claim.signature, CanonicalRequest: canonical });
	key.used++;
	return { key, scope, signingKey, date: claim.date, seed: claim.signature };
}

function stamp(ms) {
	return new Date(ms).toISOString().replace(/[-:]|\.\d{3}/g, '');
}

// The names and statuses by which each protocol refuses. xml: s3 and sts; json: firehose.
const S3 = {
	unknown_key: [403, 'InvalidAccessKeyId'], malformed: [400, 'AuthorizationHeaderMalformed'],
	wrong_service: [400, 'AuthorizationHeaderMalformed'], query_incomplete: [400, 'AuthorizationQueryParametersError'],
	two_ways: [400, 'InvalidArgument'], not_yet: [403, 'AccessDenied'], url_expired: [403, 'AccessDenied'],
	skewed: [403, 'RequestTimeTooSkewed'], bad_token: [400, 'InvalidToken'], expired: [400, 'ExpiredToken'],
	unsigned_header: [403, 'AccessDenied'], mismatch: [403, 'SignatureDoesNotMatch'],
};
const STS = {
	unknown_key: [403, 'InvalidClientTokenId'], malformed: [400, 'IncompleteSignature'],
	wrong_service: [403, 'SignatureDoesNotMatch'], query_incomplete: [400, 'IncompleteSignature'],
	skewed: [403, 'SignatureDoesNotMatch'], bad_token: [403, 'InvalidClientTokenId'],
	expired: [403, 'ExpiredToken'], mismatch: [403, 'SignatureDoesNotMatch'],
};
const JSON_API = {
	unknown_key: [403, 'UnrecognizedClientException'], malformed: [403, 'IncompleteSignatureException'],
	wrong_service: [403, 'InvalidSignatureException'], query_incomplete: [403, 'IncompleteSignatureException'],
	skewed: [403, 'InvalidSignatureException'], bad_token: [403, 'UnrecognizedClientException'],
	expired: [403, 'ExpiredTokenException'], mismatch: [403, 'InvalidSignatureException'],
};
export function refusal(service, error) {
	const table = service === 's3' ? S3 : service === 'sts' ? STS : JSON_API;
	const [status, code] = table[error.kind] ?? [403, service === 's3' ? 'AccessDenied' : 'AccessDeniedException'];
	return { status, code };
}

// ---- aws-chunked bodies -----------------------------------------------------------------------------
// Takes the encoded body piece by piece, hands decoded bytes to `sink`, and checks every chunk signature
// when `signing` (of verify) is given. Bodies of STREAMING-UNSIGNED-PAYLOAD-TRAILER have none.
const EMPTY_HASH = createHash('sha256').digest('hex');

export class ChunkDecoder {
	constructor(sink, signing, withTrailer) {
		Object.assign(this, { sink, signing, withTrailer });
		this.previous = signing?.seed;
		this.rest = Buffer.alloc(0);
		this.state = 'size';
		this.left = 0;
		this.total = 0;
		this.trailers = {};
		this.trailerText = '';
	}
	hmac(kind, ...lines) {
		const { signingKey, date, scope } = this.signing;
		return createHmac('sha256', signingKey).update([`AWS4-HMAC-SHA256-${kind}`, date, scope, this.previous,
			...lines].join('\n')).digest('hex');
	}
	check(ok, message) {
		if (!ok)
			throw new SignatureError('mismatch', message);
	}
	line() {
		const end = this.rest.indexOf('\r\n');
		if (end < 0) {
			if (this.rest.length > 8192)
				throw new SignatureError('chunk', 'chunk header too long');
			return null;
		}
		const text = this.rest.toString('latin1', 0, end);
		this.rest = this.rest.subarray(end + 2);
		return text;
	}
	write(piece) {
		this.rest = this.rest.length ? Buffer.concat([this.rest, piece]) : piece;
		for (;;) {
			if (this.state === 'size') {
				const text = this.line();
				if (text === null)
					return;
				const m = /^([0-9a-f]+)(?:;chunk-signature=([0-9a-f]{64}))?$/.exec(text);
				if (!m || Boolean(m[2]) !== Boolean(this.signing))
					throw new SignatureError('chunk', `not a chunk header: ${text.slice(0, 100)}`);
				this.left = parseInt(m[1], 16);
				this.signature = m[2];
				this.hash = createHash('sha256');
				if (this.left === 0) {
					this.endChunk();
					this.state = this.withTrailer ? 'trailer' : 'last';
				} else {
					this.state = 'data';
				}
			} else if (this.state === 'data') {
				if (!this.rest.length)
					return;
				const bytes = this.rest.subarray(0, this.left);
				this.rest = this.rest.subarray(bytes.length);
				this.left -= bytes.length;
				this.total += bytes.length;
				if (this.signing)
					this.hash.update(bytes);
				this.sink(bytes);
				if (this.left === 0) {
					this.endChunk();
					this.state = 'crlf';
				}
			} else if (this.state === 'crlf') {
				if (this.rest.length < 2)
					return;
				if (this.line() !== '')
					throw new SignatureError('chunk', 'no line end after a chunk');
				this.state = 'size';
			} else if (this.state === 'trailer') {
				const text = this.line();
				if (text === null)
					return;
				if (text === '') {
					this.state = 'end';
					continue;
				}
				const at = text.indexOf(':'), name = text.slice(0, at).toLowerCase(), value = text.slice(at + 1).trim();
				if (at < 1)
					throw new SignatureError('chunk', 'not a trailer');
				if (name === 'x-amz-trailer-signature') {
					this.check(this.signing && this.hmac('TRAILER',
						createHash('sha256').update(this.trailerText).digest('hex')) === value,
					'The trailer signature does not match.');
					this.trailerSigned = true;
				} else {
					this.trailers[name] = value;
					this.trailerText += `${name}:${value}\n`;
				}
			} else if (this.state === 'last') {
				if (this.line() === null)
					return;
				this.state = 'end';
			} else {
				if (this.rest.length)
					throw new SignatureError('chunk', 'bytes after the last chunk');
				return;
			}
		}
	}
	endChunk() {
		if (!this.signing)
			return;
		const wanted = this.hmac('PAYLOAD', EMPTY_HASH, this.hash.digest('hex'));
		this.check(wanted === this.signature, 'A chunk signature does not match.');
		this.previous = wanted;
	}
	finish() {
		if (this.state !== 'end')
			throw new SignatureError('chunk', 'the last chunk did not come');
		this.check(!this.signing || !this.withTrailer || this.trailerSigned, 'The trailer is not signed.');
	}
}

// Who asks Snowflake: users with one or two public keys, key-pair JWT (verified by jose), OAuth and programmatic
// access tokens, sessions of the driver, network policies. What is refused is refused by the code that Snowflake
// uses; why a JWT is refused is told to the log alone, as Snowflake tells it only to its login history.

import { createHash, createPublicKey, randomBytes, randomUUID } from 'node:crypto';
import { decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose';
import { HttpError } from './request.mjs';

export class AuthError extends HttpError {
	constructor(code, message, why = null, status = 401) {
		super(status, code, `${message} [${randomUUID()}]`);
		this.why = why;
	}
}

// A key as PEM, or as ALTER USER takes it: base64 of its DER without the delimiters.
export function publicKey(text) {
	const pem = text.includes('-----BEGIN') ? text : `-----BEGIN PUBLIC KEY-----\n${text.replace(/\s/g, '')}\n-----END PUBLIC KEY-----\n`;
	const key = createPublicKey(pem), der = key.export({ type: 'spki', format: 'der' });
	if (key.asymmetricKeyType !== 'rsa' || key.asymmetricKeyDetails.modulusLength < 2048)
		throw new HttpError(400, '390000', 'RSA keys of at least 2048 bits are taken');
	return { key, text: der.toString('base64'), fingerprint: `SHA256:${createHash('sha256').update(der).digest('base64')}` };
}

export function makeUser(account, { name, public_key, public_key_2, default_role, default_warehouse, roles = [], ...more }) {
	const user = { name: name.toUpperCase(), keys: [null, null], roles: new Set(['PUBLIC', ...roles]),
		defaultRole: default_role ?? 'PUBLIC',
		defaultWarehouse: default_warehouse ?? null, network: more.network ?? null, disabled: more.disabled ?? false };
	if (public_key)
		user.keys[0] = publicKey(public_key);
	if (public_key_2)
		user.keys[1] = publicKey(public_key_2);
	user.roles.add(user.defaultRole);
	account.users.set(user.name, user);
	return user;
}

export class Gate {
	constructor(world, accounts) {
		Object.assign(this, { world, accounts, tokens: new Map() });
	}
	issue(account, user, { kind = 'OAUTH', token, life_s, role } = {}) {
		const text = token ?? (kind === 'OAUTH' ? `ver:3-hint:${randomBytes(8).toString('hex')}-ETMsDgAAA`
			: '') + `riverCanaryBird${randomBytes(36).toString('base64url')}`;
		this.tokens.set(text, { kind, account, user, role: role ?? null,
			expires: life_s === undefined ? Infinity : this.world.now() + life_s * 1000 });
		return text;
	}

	// {account, user, role, kind}, or an AuthError
	async open(r) {
		const { authorization = '' } = r.headers, [, scheme, token] = /^(\S+)\s+(.+)$/.exec(authorization) ?? [];
		if (scheme?.toLowerCase() !== 'bearer')
			throw new AuthError('390101', 'Authorization header not found in the request data');
		const said = r.headers['x-snowflake-authorization-token-type'];
		const kind = said ?? (this.tokens.get(token)?.kind ?? (/^[\w-]+\.[\w-]+\.[\w-]*$/.test(token) ? 'KEYPAIR_JWT' : 'OAUTH'));
		if (!['KEYPAIR_JWT', 'OAUTH', 'PROGRAMMATIC_ACCESS_TOKEN'].includes(kind))
			throw new AuthError('390142', `Invalid authorization token type: ${kind}`, null, 400);
		const found = kind === 'KEYPAIR_JWT' ? await this.jwt(token) : this.token(token, kind);
		this.host(r, found.account);
		this.admit(found, kind, r.address);
		return { ...found, kind };
	}
	// A name that is not the loopback's says which account is asked.
	host(r, account) {
		const m = /^([^:]+)\.snowflakecomputing\.(?:com|cn)(?::\d+)?$/i.exec(r.host);
		if (m && !account.hosts.has(m[1].toLowerCase()))
			throw new AuthError('390144', 'JWT token is invalid.', `the account of host ${r.host} is not ${account.name}`);
	}
	token(text, kind) {
		const found = this.tokens.get(text);
		const [bad, old] = kind === 'OAUTH' ? [['390303', 'Invalid OAuth access token.'], ['390318', 'OAuth access token expired.']]
			: [['394400', 'Programmatic access token is invalid.'], ['394402', 'Programmatic access token has expired.']];
		if (!found || found.kind !== kind)
			throw new AuthError(...bad);
		if (found.expires <= this.world.now())
			throw new AuthError(...old);
		return found;
	}
	// Issuer and subject name the account, the user and the fingerprint of one of the keys; iat and exp: an
	// hour at most after iat, whatever exp says.
	async jwt(token) {
		const refuse = why => {
			throw new AuthError('390144', 'JWT token is invalid.', why);
		};
		const { config } = this.world;
		let header, body;
		try {
			header = decodeProtectedHeader(token);
			body = decodeJwt(token);
		} catch (error) {
			refuse(`JWT_TOKEN_INVALID: ${error.message}`);
		}
		if (!/^RS(256|384|512)$/.test(header.alg))
			refuse(`JWT_TOKEN_INVALID_ALGORITHM: ${header.alg}`);
		const [, subject, fingerprint] = /^(.+)\.(SHA256:[A-Za-z0-9+/]{43}=)$/.exec(body.iss ?? '') ??
			refuse(`JWT_TOKEN_INVALID_ISSUE: ${body.iss}`);
		if (body.sub !== subject)
			refuse(`JWT_TOKEN_INVALID_USER_IN_ISSUER: ${body.sub} is not ${subject}`);
		const [, accountName, userName] = /^([^.]+)\.(.+)$/.exec(subject) ?? refuse(`JWT_TOKEN_INVALID_ISSUE: ${subject}`);
		const account = this.accounts.get(accountName) ?? [...this.accounts.values()].find(one => one.locator === accountName) ??
			refuse(`JWT_TOKEN_INVALID_USER_IN_ISSUER: no account ${accountName}`);
		const user = account.users.get(userName) ?? refuse(`JWT_TOKEN_INVALID_USER_IN_ISSUER: no user ${userName}`);
		const key = user.keys.find(k => k?.fingerprint === fingerprint) ??
			refuse(`JWT_TOKEN_INVALID_PUBLIC_KEY_FINGERPRINT_MISMATCH: ${fingerprint}`);
		// milliseconds are tolerated
		const seconds = value => typeof value === 'number' && value > 1e11 ? value / 1000 : value;
		const iat = seconds(body.iat), exp = seconds(body.exp), now = this.world.now() / 1000, skew = config.sf_skew_s;
		try {
			await jwtVerify(token, key.key, { algorithms: [header.alg], currentDate: new Date(this.world.now()), clockTolerance: skew });
		} catch (error) {
			refuse(error.code === 'ERR_JWT_EXPIRED' ? 'JWT_TOKEN_EXPIRED' : `JWT_TOKEN_INVALID_SIGNATURE: ${error.message}`);
		}
		if (typeof iat !== 'number' || typeof exp !== 'number')
			refuse('JWT_TOKEN_INVALID_ISSUE_TIME: iat or exp is missing');
		if (iat > now + skew)
			refuse(`JWT_TOKEN_INVALID_ISSUE_TIME: issued ${Math.round(iat - now)} s from now`);
		if (Math.min(exp, iat + config.sf_jwt_s) <= now - skew)
			refuse(`JWT_TOKEN_EXPIRED: ${Math.round(now - Math.min(exp, iat + config.sf_jwt_s))} s ago`);
		return { account, user, role: null };
	}
	admit({ account, user }, kind, address) {
		if (user.disabled)
			throw new AuthError('390101', 'User access disabled. Contact your local system administrator.');
		const policy = user.network ?? account.network;
		if (kind === 'PROGRAMMATIC_ACCESS_TOKEN' && !policy && this.world.config.sf_pat_needs_policy)
			throw new AuthError('390432', 'Network policy is required.', null, this.world.config.sf_network_status);
		if (policy && !policy.includes(address) && !policy.includes('0.0.0.0/0'))
			throw new AuthError('390422', `Incoming request with IP/Token ${address} is not allowed to access Snowflake. Contact your ` +
				'account administrator.', null, this.world.config.sf_network_status);
	}
}

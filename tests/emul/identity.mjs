// Where credentials come from: STS, the instance metadata service, the container endpoint, SSO's portal and
// its token endpoint. All of them hand out keys of the one Keyring, which live for config.credentials_s.

import { randomBytes } from 'node:crypto';
import { HttpError, xmlDocument } from './request.mjs';

const STS_NAMESPACE = 'https://sts.amazonaws.com/doc/2011-06-15/';

export class Identity {
	// world: config, now(), keyring
	constructor(world) {
		this.world = world;
		this.reset();
	}
	reset() {
		this.imdsTokens = new Map();
		this.ssoTokens = new Map();
	}
	issue(note, wantedS) {
		const life = this.world.config.credentials_s ?? wantedS ?? 3600;
		return this.world.keyring.issue(this.world.now() + life * 1000, note);
	}

	// ---- STS, the query protocol
	sts(r, form) {
		const need = (name, low, high, pattern = /^[\s\S]*$/) => {
			const value = form[name];
			if (typeof value !== 'string' || value.length < low || value.length > high || !pattern.test(value))
				throw new HttpError(400, 'ValidationError', `1 validation error detected: Value '${value ?? ''}' at '${name[0].toLowerCase()}${name.slice(1)}' failed to satisfy constraint`);
			return value;
		};
		if (form.Version !== '2011-06-15')
			throw new HttpError(400, 'InvalidAction', `Could not find operation ${form.Action} for version ${form.Version}`);
		if (form.Action === 'GetCallerIdentity')
			return this.stsAnswer(r, { Arn: `arn:aws:iam::${this.world.config.account}:user/river`, UserId: r.akid, Account: this.world.config.account });
		if (form.Action !== 'AssumeRole' && form.Action !== 'AssumeRoleWithWebIdentity')
			throw new HttpError(400, 'InvalidAction', `Could not find operation ${form.Action} for version ${form.Version}`);
		const role = need('RoleArn', 20, 2048), session = need('RoleSessionName', 2, 64, /^[\w+=,.@-]*$/);
		const seconds = form.DurationSeconds === undefined ? 3600 : Number(form.DurationSeconds);
		if (!(seconds >= 900 && seconds <= 43200))
			throw new HttpError(400, 'ValidationError', `1 validation error detected: Value '${form.DurationSeconds}' at 'durationSeconds' failed to satisfy constraint: Member must have value between 900 and 43200`);
		if (form.ExternalId !== undefined)
			need('ExternalId', 2, 1224, /^[\w+=,.@:/-]*$/);
		const { assumable, external_id: externalId, web_identity_token: webToken } = this.world.config;
		if ((assumable && !assumable.includes(role)) || (externalId && form.ExternalId !== externalId && form.Action === 'AssumeRole'))
			throw new HttpError(403, 'AccessDenied', `User: ${r.akid ?? 'anonymous'} is not authorized to perform: sts:AssumeRole on resource: ${role}`);
		if (form.Action === 'AssumeRoleWithWebIdentity' && need('WebIdentityToken', 4, 20000) !== (webToken ?? form.WebIdentityToken))
			throw new HttpError(400, 'InvalidIdentityToken', 'No OpenIDConnect provider found in your account');
		const key = this.issue(`${role} as ${session}`, seconds);
		return this.stsAnswer(r, { Credentials: { AccessKeyId: key.id, SecretAccessKey: key.secret, SessionToken: key.token,
			Expiration: new Date(key.expires).toISOString().replace(/\.\d{3}/, '') },
			AssumedRoleUser: { AssumedRoleId: `AROARIVER:${session}`, Arn: `${role.replace(':iam:', ':sts:').replace(':role/', ':assumed-role/')}/${session}` } });
	}
	stsAnswer(r, result) {
		return { status: 200, headers: { 'Content-Type': 'text/xml' }, body: xmlDocument(`${r.op}Response`,
			{ [`${r.op}Result`]: result, ResponseMetadata: { RequestId: r.id } }, STS_NAMESPACE) };
	}

	// ---- instance metadata, version 2 (and 1, when config.imds_v1)
	imds(r) {
		const { config } = this.world, text = (body, headers) => ({ status: 200, headers: { 'Content-Type': 'text/plain', Server: 'EC2ws', ...headers }, body });
		const plain = status => new HttpError(status, 'Imds', '');
		if (!config.imds)
			throw plain(404);
		if (r.path === '/latest/api/token') {
			const ttl = Number(r.headers['x-aws-ec2-metadata-token-ttl-seconds']);
			if (r.method !== 'PUT')
				throw plain(405);
			if (!(ttl >= 1 && ttl <= 21600))
				throw plain(400);
			const token = randomBytes(40).toString('base64');
			this.imdsTokens.set(token, this.world.now() + ttl * 1000);
			return text(token, { 'X-Aws-Ec2-Metadata-Token-Ttl-Seconds': String(ttl) });
		}
		const token = r.headers['x-aws-ec2-metadata-token'];
		if (r.method !== 'GET')
			throw plain(405);
		if (token === undefined ? !config.imds_v1 : !(this.imdsTokens.get(token) > this.world.now()))
			throw plain(401);
		const role = config.imds_role, base = '/latest/meta-data';
		switch (r.path) {
		case `${base}/iam/security-credentials/`: case `${base}/iam/security-credentials`: return text(role);
		case `${base}/placement/region`: return text(config.region);
		case `${base}/placement/availability-zone`: return text(`${config.region}a`);
		case `${base}/iam/security-credentials/${role}`: {
			const key = this.issue('imds');
			return text(JSON.stringify({ Code: 'Success', LastUpdated: iso(this.world.now()), Type: 'AWS-HMAC', AccessKeyId: key.id,
				SecretAccessKey: key.secret, Token: key.token, Expiration: iso(key.expires) }, null, 2));
		}
		default: throw plain(404);
		}
	}

	// ---- containers
	container(r) {
		const wanted = this.world.config.container_token;
		if (wanted && r.headers.authorization !== wanted)
			throw new HttpError(401, 'Unauthorized', 'the authorization token is wrong');
		const key = this.issue('container');
		return json({ AccessKeyId: key.id, SecretAccessKey: key.secret, Token: key.token, Expiration: iso(key.expires),
			RoleArn: 'arn:aws:iam::123456789012:role/task' });
	}

	// ---- SSO
	portal(r) {
		const { config } = this.world, token = r.headers['x-amz-sso_bearer_token'], { role_name: role, account_id: account } = r.query;
		if (!role || !/^\d{12}$/.test(account ?? ''))
			throw new HttpError(400, 'InvalidRequestException', 'role_name and account_id are needed');
		const known = config.sso_token === token || this.ssoTokens.get(token) > this.world.now();
		if (!token || !known)
			throw new HttpError(401, 'UnauthorizedException', 'Session token not found or invalid');
		const key = this.issue(`sso ${role}`);
		return json({ roleCredentials: { accessKeyId: key.id, secretAccessKey: key.secret, sessionToken: key.token, expiration: key.expires } });
	}
	oidc(r, body) {
		const { config } = this.world;
		let input;
		try {
			input = JSON.parse(body.toString('utf8'));
		} catch {
			throw new HttpError(400, 'InvalidRequestException', 'not JSON');
		}
		if (input.grantType !== 'refresh_token')
			throw new HttpError(400, 'UnsupportedGrantTypeException', 'refresh_token only');
		if (input.clientId !== config.sso_client_id || input.clientSecret !== config.sso_client_secret)
			throw new HttpError(401, 'InvalidClientException', 'no such client');
		if (input.refreshToken !== config.sso_refresh_token)
			throw new HttpError(400, 'InvalidGrantException', 'the refresh token is not valid');
		const token = `riverCanaryBird${randomBytes(30).toString('base64url')}`, life = config.sso_token_s;
		this.ssoTokens.set(token, this.world.now() + life * 1000);
		return json({ accessToken: token, expiresIn: life, tokenType: 'Bearer', refreshToken: input.refreshToken });
	}
}

const iso = ms => new Date(ms).toISOString().replace(/\.\d{3}/, '');
const json = value => ({ status: 200, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(value) });

// Snowflake on the loopback: the SQL API, Snowpipe's REST endpoints, and as much of the driver's protocol as a query
// needs. Loaded when it is first asked for: DuckDB and the SQL parser take their time.
//
// Paths: /api/v2/statements..., /v1/data/pipes/..., /session..., /queries/v1/... Accounts, users and keys are made by
// control calls (snowflake-control.mjs has all of them). Files:
//   snowflake-service   routes            snowflake-auth      users, keys, tokens, network policies
//   snowflake-api       SQL API           snowflake-driver    login and queries of the driver
//   snowflake-snowpipe  insertFiles ...   snowflake-load      stages, COPY, pipes
//   snowflake-engine    runs statements   snowflake-rewrite   Snowflake's SQL into DuckDB's, by polyglot
//   snowflake-catalog   objects, grants   snowflake-ddl, -alter, -grant, -task   what changes them
//   snowflake-show, -information, -views  what tells about them
//   snowflake-functions, -variant, -time, -types   values

const PATHS = [
	[/^\/api\/v2\/statements\/?$/, () => ({ POST: 'Submit' })],
	[/^\/api\/v2\/statements\/([^/]+)\/cancel$/, () => ({ POST: 'Cancel' })],
	[/^\/api\/v2\/statements\/([^/]+)$/, () => ({ GET: 'Poll' })],
	[/^\/v1\/data\/pipes\/([^/]+)\/insertFiles$/, () => ({ POST: 'InsertFiles' })],
	[/^\/v1\/data\/pipes\/([^/]+)\/insertReport$/, () => ({ GET: 'InsertReport' })],
	[/^\/v1\/data\/pipes\/([^/]+)\/loadHistoryScan$/, () => ({ GET: 'LoadHistoryScan' })],
	[/^\/session\/v1\/login-request$/, () => ({ POST: 'Login' })],
	[/^\/session\/token-request$/, () => ({ POST: 'Token' })],
	[/^\/session\/heartbeat$/, () => ({ POST: 'Heartbeat' })],
	[/^\/session$/, () => ({ POST: 'Logout' })],
	[/^\/queries\/v1\/query-request$/, () => ({ POST: 'Query' })],
	[/^\/queries\/v1\/abort-request$/, () => ({ POST: 'Abort' })],
	[/^\/telemetry\/send/, () => ({ POST: 'Telemetry' })],
	[/^\/(?:api\/v2\/statements|v1\/data\/pipes)\//, () => ({})],
];

export const SETTINGS = {
	sf_skew_s: 60,              // how far the clock of a JWT may be off
	sf_jwt_s: 3600,             // how long after iat a JWT is good, whatever exp says
	sf_network_status: 401,     // of refusals by a network policy
	sf_pat_needs_policy: false, // a programmatic access token needs a network policy
	sf_sync_ms: 45000,          // a statement that takes longer answers 202
	sf_first_rows: 1000, sf_partition_rows: 5000, // of the first partition of a result, and of the others
	sf_pipe_ms: 0,              // from when a file is queued until it is loaded
	sf_pipe_hold: false,        // true: files are loaded only by POST snowflake/load
	sf_auto_ingest: 'always',   // what an object means to a pipe with AUTO_INGEST: "always"; "notified": if the bucket tells the pipe's queue; "never"
	sf_history_per_min: 0,      // loadHistoryScan calls in a minute, beyond which it answers 429; 0: any
};

// Is this a request for Snowflake? Then r.service, r.op and r.key say what for.
export function route(r) {
	for (const [pattern, methods] of PATHS) {
		const m = pattern.exec(r.path);
		if (m && !/^AWS4-HMAC/.test(r.headers.authorization ?? '')) {
			Object.assign(r, { service: 'snowflake', op: methods()[r.method] ?? 'Unknown', key: m[1] ?? '' });
			return true;
		}
	}
	return false;
}

// The text of a statement that is submitted, before anybody has looked whether its request is one.
export function statementOf(r, bytes) {
	const text = r.op === 'Submit' || r.op === 'Query'
		? /"(?:statement|sqlText)"\s*:\s*("(?:[^"\\]|\\.)*")/.exec(bytes.toString('utf8'))?.[1] : undefined;
	try {
		return text && JSON.parse(text).slice(0, 2000);
	} catch {
		return undefined;
	}
}

export class Snowflake {
	constructor(world) {
		this.world = world;
	}
	async load() {
		const { Service } = await import('./snowflake-service.mjs');
		return this.service ??= new Service(this.world);
	}
	async reset() {
		await this.service?.reset();
	}
	async call(r, bytes, rule) {
		return (await this.load()).call(r, bytes, rule);
	}
	async control(r, input) {
		return (await this.load()).control(r, input);
	}
	// S3 tells about an object that has come to be
	onObject(bucket, key, size) {
		this.service?.onObject(bucket, key, size);
	}
	// files wait in pipes
	pump() {
		this.service?.snowpipe.pump();
	}
}

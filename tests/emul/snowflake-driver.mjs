// The protocol of Snowflake's drivers, as far as logging in with a key or a token and running statements needs it. It
// is here so that the official driver can say whether what the emulator verifies is what a client of Snowflake sends.

import { randomBytes, randomUUID } from 'node:crypto';
import { HttpError } from './request.mjs';
import { answer } from './snowflake-api.mjs';
import { SqlError, statements } from './snowflake-text.mjs';

const said = (data, success = true, code = null, message = null) => answer(200, { data, code, message, success });

export class Driver {
	sessions = new Map();
	routes = { Login: true, Query: true, Logout: true, Heartbeat: true, Token: true, Abort: true, Telemetry: true };
	constructor(world, service) {
		Object.assign(this, { world, service });
	}
	async call(r, bytes) {
		if (r.op === 'Telemetry')
			return said(null);
		const input = bytes.length ? JSON.parse(bytes.toString('utf8')) : {};
		try {
			if (r.op === 'Login')
				return await this.login(r, input.data ?? {});
			const token = /Token="([^"]*)"/.exec(r.headers.authorization ?? '')?.[1], session = this.sessions.get(token);
			if (!session)
				return said(null, false, '390104', 'Session token not found or invalid');
			if (r.op === 'Query')
				return await this.query(session, input);
			if (r.op === 'Logout') {
				this.sessions.delete(token);
				await this.service.engine.close(session);
			}
			return said(null);
		} catch (error) {
			if (error instanceof SqlError) {
				r.code = error.code;
				return said({ sqlState: error.sqlState, queryId: randomUUID(), line: -1, pos: -1, type: 'COMPILATION' }, false,
					error.code, error.message);
			}
			if (error instanceof HttpError) {
				r.code = error.code;
				r.why = error.why;
				return said({ nextAction: 'RETRY_LOGIN' }, false, error.code, error.message);
			}
			throw error;
		}
	}
	async login(r, data) {
		const { gate, engine } = this.service, name = String(data.ACCOUNT_NAME ?? '').toUpperCase();
		const how = String(data.AUTHENTICATOR ?? '').toUpperCase();
		const kind = { SNOWFLAKE_JWT: 'KEYPAIR_JWT', OAUTH: 'OAUTH', PROGRAMMATIC_ACCESS_TOKEN: 'PROGRAMMATIC_ACCESS_TOKEN' }[how];
		if (!kind)
			throw new HttpError(200, '390100', 'Incorrect username or password was specified.');
		const who = await gate.open({ ...r, headers: { authorization: `Bearer ${data.TOKEN}`,
			'x-snowflake-authorization-token-type': kind } });
		if (who.account.name !== name || (data.LOGIN_NAME && who.user.name !== String(data.LOGIN_NAME).toUpperCase()))
			throw new HttpError(200, '390144', 'JWT token is invalid.');
		const q = r.query, session = await engine.session(who, { database: q.databaseName, schema: q.schemaName,
			warehouse: q.warehouse, role: q.roleName });
		const token = randomBytes(48).toString('base64');
		this.sessions.set(token, session);
		r.akid = who.user.name;
		return said({ token, masterToken: randomBytes(48).toString('base64'), validityInSeconds: 3600,
			masterValidityInSeconds: 14400, displayUserName: who.user.name, serverVersion: '9.38.2',
			firstLogin: false, remMeToken: null, remMeValidityInSeconds: 0, healthCheckInterval: 45, newClientForUpgrade: null,
				sessionId: this.sessions.size, parameters: PARAMETERS,
			sessionInfo: { databaseName: session.database, schemaName: session.schema, warehouseName: session.warehouse,
				roleName: session.role }, idToken: null });
	}
	async query(session, { sqlText, bindings }) {
		const list = Object.keys(bindings ?? {}).length ? Object.keys(bindings).sort((a, b) => a - b).map(key => bindings[key]) : null;
		const [statement = { sql: '', tokens: [] }] = statements(sqlText);
		const result = await this.service.engine.exclusive(() => this.service.engine.run(session, statement, list));
		return said({ parameters: PARAMETERS, rowtype: result.columns.map(c => ({ database: '', schema: '', table: '',
			nullable: true, byteLength: null, scale: null, precision: null, collation: null, length: null, ...c })),
			rowset: result.rows, total: result.rows.length, returned: result.rows.length, queryId: randomUUID(),
				databaseProvider: null, finalDatabaseName: session.database,
			finalSchemaName: session.schema, finalWarehouseName: session.warehouse, finalRoleName: session.role,
				numberOfBinds: list?.length ?? 0, arrayBindSupported: false,
			statementTypeId: /^\s*(SELECT|WITH|SHOW|DESC)/i.test(statement.sql) ? 4096 : 12288, version: 1,
				sendResultTime: this.world.now(), queryResultFormat: 'json' });
	}
}
const PARAMETERS = [['TIMEZONE', 'UTC'], ['TIMESTAMP_OUTPUT_FORMAT', 'YYYY-MM-DD HH24:MI:SS.FF3 TZHTZM'],
	['TIMESTAMP_NTZ_OUTPUT_FORMAT', 'YYYY-MM-DD HH24:MI:SS.FF3'],
	['TIMESTAMP_LTZ_OUTPUT_FORMAT', ''], ['TIMESTAMP_TZ_OUTPUT_FORMAT', ''], ['DATE_OUTPUT_FORMAT', 'YYYY-MM-DD'],
		['TIME_OUTPUT_FORMAT', 'HH24:MI:SS'], ['BINARY_OUTPUT_FORMAT', 'HEX'],
	['CLIENT_SESSION_KEEP_ALIVE', false], ['QUERY_CONTEXT_CACHE_SIZE', 5],
		['CLIENT_TELEMETRY_ENABLED', false]].map(([name, value]) => ({ name, value }));

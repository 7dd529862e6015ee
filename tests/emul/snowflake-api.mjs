// The SQL API, version 2: statements are submitted, polled for, cancelled, and their rows fetched by partitions.

import { randomUUID } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';
import { HttpError } from './request.mjs';
import { SqlError, position, statements } from './snowflake-text.mjs';

const BODY = ['statement', 'timeout', 'database', 'schema', 'warehouse', 'role', 'bindings', 'parameters'];
const PARAMETERS = ['BINARY_OUTPUT_FORMAT', 'CLIENT_RESULT_CHUNK_SIZE', 'DATE_OUTPUT_FORMAT', 'TIME_OUTPUT_FORMAT',
	'TIMESTAMP_OUTPUT_FORMAT', 'TIMESTAMP_LTZ_OUTPUT_FORMAT',
	'TIMESTAMP_NTZ_OUTPUT_FORMAT', 'TIMESTAMP_TZ_OUTPUT_FORMAT', 'MULTI_STATEMENT_COUNT', 'QUERY_TAG', 'ROWS_PER_RESULTSET',
		'TIMEZONE', 'USE_CACHED_RESULT', 'STATEMENT_TIMEOUT_IN_SECONDS'];
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export const answer = (status, body, headers = {}) => ({ status, headers: { 'Content-Type': 'application/json', ...headers },
	body: JSON.stringify(body) });

export class SqlApi {
	constructor(world, engine) {
		Object.assign(this, { world, engine });
		this.reset();
	}
	reset() {
		this.statements = new Map();
		this.byRequest = new Map();
		this.executed = []; // what was really carried out, in order
	}
	call(r, who, bytes, rule) {
		const { headers } = r;
		if (!headers['user-agent'])
			throw new HttpError(400, '391903', 'The User-Agent header is required.');
		if (headers.accept !== undefined && !/application\/json|\*\/\*/.test(headers.accept))
			throw new HttpError(400, '391902', `Unsupported Accept header ${headers.accept} is specified.`);
		switch (r.op) {
		case 'Submit': return this.submit(r, who, bytes, rule);
		case 'Poll': return this.poll(r, who, rule);
		case 'Cancel': return this.cancel(r, who);
		default: throw new HttpError(405, '391905', 'Method not allowed.');
		}
	}

	// ---- submit
	async submit(r, who, bytes, rule) {
		const body = this.body(r, bytes), { query: q } = r;
		if (q.requestId !== undefined && !UUID.test(q.requestId))
			throw new HttpError(400, '391901', `Invalid value for requestId: ${q.requestId}`);
		const id = q.requestId ?? randomUUID(), key = `${who.account.name}/${who.user.name}/${id}`, known = this.byRequest.get(key);
		r.requestId = id;
		r.sql = body.statement.slice(0, 2000);
		if (q.retry === 'true' && known && known.state !== 'failed') {
			if (known.state === 'running' && !known.hold)
				await known.finished;
			r.handle = known.handle;
			return this.tell(r, known, q.nullable !== 'false');
		}
		const record = this.record(who, body, id);
		r.handle = record.handle;
		this.byRequest.set(key, record);
		record.nullable = q.nullable !== 'false';
		if (rule?.do === 'running') {
			Object.assign(record, { pollStatus: rule.poll_status ?? 202, hold: rule.polls ?? 1,
				until: rule.ms === undefined ? null : this.world.now() + rule.ms, start: () => this.start(record) });
			if (rule.executed)
				this.start(record, true);
			return this.tell(r, record);
		}
		this.start(record);
		if (q.async !== 'true')
			await Promise.race([record.finished, new Promise(done => setTimeout(done, this.world.config.sf_sync_ms).unref())]);
		if (rule?.do === 'incomplete')
			record.incomplete = true;
		return this.tell(r, record);
	}
	body(r, bytes) {
		if (!/^application\/json\b/i.test(r.headers['content-type'] ?? ''))
			throw new HttpError(415, '391904', 'Content-Type application/json is required.');
		if (r.headers['content-encoding'] === 'gzip')
			bytes = gunzipSync(bytes);
		let body;
		try {
			body = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
		} catch {
			throw new HttpError(400, '390142', 'Incoming request does not contain a valid payload.');
		}
		const parameters = body?.parameters ?? {};
		if (typeof body?.statement !== 'string' || Object.keys(body).some(name => !BODY.includes(name)) || typeof parameters !== 'object' ||
		    (body.timeout !== undefined && !Number.isInteger(body.timeout)))
			throw new HttpError(400, '390142', 'Incoming request does not contain a valid payload.');
		for (const [name, value] of Object.entries(parameters))
			if (!PARAMETERS.includes(name.toUpperCase()))
				throw new HttpError(400, '391906', `Parameter ${name} is not supported: ${value}`);
		return body;
	}
	record(who, body, requestId, parent = null) {
		const record = { handle: `01${randomUUID().slice(2)}`, requestId, who, body, state: 'running', created: this.world.now(),
			parent, children: [], hold: 0 };
		this.statements.set(record.handle, record);
		return record;
	}

	// ---- run. `quiet`: it is carried out, and answers all the same as if it went on
	start(record, quiet = false) {
		record.start = null;
		record.finished = this.engine.exclusive(async () => {
			if (record.state === 'cancelled')
				return;
			const result = await this.carryOut(record).catch(error => ({ error }));
			if (record.state === 'cancelled')
				return;
			if (result.error)
				Object.assign(record, { state: 'failed', error: result.error });
			else
				Object.assign(record, { state: 'done', ...result });
			if (!quiet)
				record.hold = 0;
		});
		return record.finished;
	}
	async carryOut(record) {
		const { body, who } = record, parameters = body.parameters ?? {};
		const wanted = Number(Object.entries(parameters).find(([name]) => name.toUpperCase() === 'MULTI_STATEMENT_COUNT')?.[1] ?? 1);
		const session = await this.engine.session(who, body);
		try {
			const list = statements(body.statement), bindings = bindingsOf(body.bindings);
			if (wanted !== 0 && list.length !== wanted && !(list.length === 0 && wanted === 1))
				throw new SqlError('000008', '0A000', `Actual statement count ${list.length} did not match the desired statement count ${wanted}.`);
			if (wanted === 1)
				return { result: await this.one(session, record, list[0] ?? { sql: '', tokens: [] }, bindings) };
			if (bindings)
				throw new SqlError('002045', '42601', 'SQL compilation error:\nBindings are not supported with multiple statements.');
			this.engine.wakeWarehouse(session);
			let from = 0;
			for (const statement of list) {
				const child = this.record(who, { ...body, statement: statement.sql }, record.requestId, record);
				record.children.push(child);
				const at = body.statement.indexOf(statement.sql, from);
				from = at + statement.sql.length;
				try {
					Object.assign(child, { result: await this.one(session, child, statement), state: 'done' });
				} catch (error) {
					Object.assign(child, { state: 'failed', error });
					if (!(error instanceof SqlError))
						throw error;
					const [line, column] = position(body.statement, at);
					const wrapped = new SqlError('100132', 'P0000',
						`JavaScript execution error: Uncaught Execution of multiple statements failed on statement "${statement.sql}" (at line ${line}, ` +
						`position ${column}).\n${error.message} in SYSTEM$MULTISTMT at '    throw \`Execution of multiple statements failed on statement {0} (at line {1}, position {2}).\`.` +
						`replace('{1}', LINES[i])' position 4\nstackstrace: \nSYSTEM$MULTISTMT line: 10`);
					wrapped.detail = error.detail;
					throw wrapped;
				}
				if (record.state === 'cancelled')
					break;
			}
			return { result: { columns: [{ name: 'multiple statement execution', type: 'text', nullable: false, length: 16777216,
				byteLength: 16777216 }],
				rows: [['Multiple statements executed successfully.']] } };
		} finally {
			if (session.transaction)
				await this.engine.transaction(session, 'ROLLBACK').catch(() => {});
			await this.engine.close(session);
		}
	}
	async one(session, record, statement, bindings) {
		const entry = { handle: record.handle, request_id: record.requestId, account: session.account.name,
			user: session.user.name, role: session.role, warehouse: session.warehouse,
			database: session.database, schema: session.schema, sql: statement.sql, tag: record.body.parameters?.QUERY_TAG ??
				record.body.parameters?.query_tag, ok: true };
		this.executed.push(entry);
		const started = performance.now();
		try {
			const result = await this.engine.run(session, statement, bindings);
			entry.rows = result.rows.length;
			return result;
		} catch (error) {
			Object.assign(entry, { ok: false, code: error.code, message: error.message, detail: error.detail });
			throw error;
		} finally {
			entry.ms = Math.round(performance.now() - started);
			if (session.transaction && !entry.ok)
				entry.transaction = true;
		}
	}

	// ---- answers
	find(r, who) {
		const record = this.statements.get(r.key);
		if (!record || record.who.account !== who.account)
			throw new HttpError(422, '000709', `Statement ${r.key} not found`, { sqlState: '02000', statementHandle: r.key });
		if (record.who.user !== who.user)
			throw new HttpError(422, '000703', `SQL statement ${r.key} belongs to another user.`,
				{ sqlState: '42501', statementHandle: r.key });
		r.handle = record.handle;
		return record;
	}
	async poll(r, who, rule) {
		const record = this.find(r, who);
		if (rule?.do === 'incomplete')
			record.incomplete = true;
		const limit = record.body.timeout || 172800;
		if (record.hold && this.world.now() - record.created > limit * 1000)
			Object.assign(record, { hold: 0, start: null, state: 'failed', error: Object.assign(new SqlError('000630', '57014',
				`Statement reached its statement or warehouse timeout of ${limit} second(s) and was canceled.`), { status: 408 }) });
		if (record.hold && (record.until === null || record.until === undefined ? --record.hold < 0 ||
			record.hold === 0 : this.world.now() >= record.until)) {
			record.hold = 0;
			if (record.start) {
				record.start();
				await record.finished;
			}
		}
		if (record.parent && record.parent.state === 'running')
			await record.parent.finished;
		return this.tell(r, record, r.query.nullable !== 'false');
	}
	tell(r, record, nullable = record.nullable ?? true) {
		const url = `/api/v2/statements/${record.handle}?requestId=${record.requestId}`;
		const common = { statementHandle: record.handle, statementStatusUrl: url, createdOn: record.created, requestId: record.requestId };
		if (record.state === 'cancelled')
			return this.failed(r, common, new SqlError('000604', '57014', 'SQL execution canceled'));
		if (record.hold || record.state === 'running') {
			r.code = '333334';
			return answer(r.op === 'Poll' ? record.pollStatus ?? 202 : 202,
				{ code: '333334', message: 'Asynchronous execution in progress. Use provided query id to perform query monitoring and management.', ...common });
		}
		if (record.state === 'failed') {
			if (record.error instanceof SqlError)
				return this.failed(r, common, record.error);
			throw record.error;
		}
		const { result } = record, partitions = record.partitions ??= this.split(result.rows), number = Number(r.query.partition ?? 0);
		if (!(number in partitions))
			throw new HttpError(422, '391917', `Invalid partition number ${r.query.partition}`,
				{ sqlState: '22023', statementHandle: record.handle });
		const data = nullable ? partitions[number] : partitions[number].map(row => row.map(value => value ?? 'null'));
		if (number > 0)
			return this.packed(answer(200, { data }));
		const link = ['first', ...partitions.length > 1 ? ['next'] : [],
			'last'].map(rel => `<${url.split('?')[0]}?requestId=${randomUUID()}&partition=${rel === 'first' ? 0 : rel === 'next' ? 1 : partitions.length - 1}>;rel="${rel}"`).join(',');
		const whole = answer(200, {
			resultSetMetaData: { numRows: result.rows.length, format: 'jsonv2',
				partitionInfo: partitions.map((rows, i) => ({ rowCount: rows.length,
					uncompressedSize: JSON.stringify(rows).length, ...(i
					? { compressedSize: gzipSync(JSON.stringify(rows)).length } : {}) })),
				rowType: result.columns.map(column => ({ database: '', schema: '', table: '', nullable: true, byteLength: null,
					scale: null, precision: null, collation: null, length: null, ...column })) },
			data, code: record.incomplete ? '391908' : '090001', statementStatusUrl: url, requestId: record.requestId,
				sqlState: '00000', statementHandle: record.handle,
			...(record.children.length ? { statementHandles: record.children.map(child => child.handle) } : {}),
			...(result.stats ? { stats: result.stats } : {}),
			message: record.incomplete ? 'The result set is too large and the response is incomplete.'
				: 'Statement executed successfully.', createdOn: record.created }, { Link: link });
		return /\bgzip\b/.test(r.headers['accept-encoding'] ?? '') ? this.packed(whole) : whole;
	}
	packed({ status, headers, body }) {
		return { status, headers: { ...headers, 'Content-Encoding': 'gzip' }, body: gzipSync(body) };
	}
	failed(r, common, error) {
		r.code = error.code;
		r.why = error.detail;
		return answer(error.status ?? 422, { code: error.code, message: error.message, sqlState: error.sqlState, ...common });
	}
	split(rows) {
		const { sf_first_rows: first, sf_partition_rows: more } = this.world.config, found = [rows.slice(0, first)];
		for (let i = first; i < rows.length; i += more)
			found.push(rows.slice(i, i + more));
		return found;
	}
	async cancel(r, who) {
		const record = this.find(r, who);
		if (record.hold || record.state === 'running') {
			Object.assign(record, { state: 'cancelled', hold: 0, start: null });
			return answer(200, { code: '000604', sqlState: '57014', message: 'SQL execution canceled', statementHandle: record.handle,
				statementStatusUrl: `/api/v2/statements/${record.handle}` });
		}
		throw new HttpError(422, '000709', `Statement ${record.handle} is not running`,
			{ sqlState: '02000', statementHandle: record.handle });
	}
}

function bindingsOf(bindings) {
	if (bindings === undefined || bindings === null || Object.keys(bindings).length === 0)
		return null;
	return Array.from({ length: Object.keys(bindings).length }, (_, i) => {
		const binding = bindings[String(i + 1)];
		if (!binding || typeof binding.type !== 'string' || (binding.value !== null && typeof binding.value !== 'string'))
			throw new SqlError('002049', '42601', `SQL compilation error:\nBind variable ${i + 1} is not valid: a type and a value as a string are needed.`);
		return binding;
	});
}

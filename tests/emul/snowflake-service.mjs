// Snowflake as one service: routes, who asks, what is answered. snowflake.mjs loads it when it is first needed.

import { randomUUID } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { SqlApi, answer } from './snowflake-api.mjs';
import { Gate } from './snowflake-auth.mjs';
import { Catalog } from './snowflake-catalog.mjs';
import { controls } from './snowflake-control.mjs';
import { Driver } from './snowflake-driver.mjs';
import { Engine } from './snowflake-engine.mjs';
import { Snowpipe } from './snowflake-snowpipe.mjs';
import { SqlError } from './snowflake-text.mjs';

export class Service {
	constructor(world) {
		this.world = world;
		this.catalog = new Catalog(world);
		this.engine = new Engine(world, this.catalog);
		this.gate = new Gate(world, this.catalog.accounts);
		this.sql = new SqlApi(world, this.engine);
		this.snowpipe = new Snowpipe(world, this.engine);
		this.driver = new Driver(world, this);
	}
	async reset() {
		await this.engine.reset();
		this.catalog.reset();
		this.gate.tokens.clear();
		this.sql.reset();
		this.snowpipe.reset();
	}
	async call(r, bytes, rule) {
		if (r.headers['content-encoding'] === 'gzip' && r.service === 'snowflake' && r.op !== 'Submit')
			bytes = gunzipSync(bytes);
		if (/\.snowflakecomputing\.(com|cn)(:\d+)?$/i.test(r.host) &&
			![...this.catalog.accounts.values()].some(a => a.hosts.has(r.host.replace(/\.snowflakecomputing.*$/i, '').toLowerCase())))
			return { status: 404, headers: { 'Content-Type': 'text/html' }, body: '<html><body><h1>404 Not Found</h1></body></html>' };
		if (this.driver.routes[r.op])
			return this.driver.call(r, bytes, rule);
		try {
			const who = await this.gate.open(r);
			r.akid = who.user.name;
			r.account = who.account.name;
			return await (['Submit', 'Poll', 'Cancel'].includes(r.op) ? this.sql : this.snowpipe).call(r, who, bytes, rule);
		} catch (error) {
			if (error instanceof SqlError) {
				r.code = error.code;
				return answer(422, { code: error.code, message: error.message, sqlState: error.sqlState, statementHandle: randomUUID() });
			}
			r.why = error.why;
			throw error;
		}
	}
	onObject(bucket, key, size) {
		this.snowpipe.onObject(bucket, key, size);
	}
	async control(r, input) {
		return controls[`${r.method} ${r.path.slice('/_emul/snowflake/'.length)}`]?.(this, r.query, input);
	}
}

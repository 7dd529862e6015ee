// Snowpipe: the REST endpoints, a pipe's memory of paths, and the loading of what is queued. An accepted path is
// queued, not loaded; it is remembered for 14 days whatever became of it.

import { HttpError } from './request.mjs';
import { answer } from './snowflake-api.mjs';
import { notified } from './s3-notification.mjs';
import { loadFiles, notFound, objectAt, remember } from './snowflake-load.mjs';
import { SqlError, nameOf } from './snowflake-text.mjs';
import { toText } from './request.mjs';

const DAY = 86400000, MEMORY = 14 * DAY, FILES = 5000, PATH = 1024, EVENTS = 10000, AT_ONCE = 500;

export class Snowpipe {
	constructor(world, engine) {
		Object.assign(this, { world, engine });
		this.reset();
	}
	reset() {
		this.scans = [];
		this.outcomes = [];
		this.working = null;
	}

	// ---- REST
	async call(r, who, bytes) {
		if (!['InsertFiles', 'InsertReport', 'LoadHistoryScan'].includes(r.op))
			throw new HttpError(405, '391905', 'Method not allowed.');
		const session = await this.engine.session(who);
		let pipe;
		try {
			pipe = this.find(session, r.key, r.op === 'InsertFiles' ? 'OPERATE' : 'MONITOR');
		} finally {
			await this.engine.close(session);
		}
		r.requestId = r.query.requestId;
		return this[r.op](r, pipe, bytes);
	}
	find(session, name, privilege) {
		const { catalog } = this.engine;
		let path = null;
		try {
			path = nameOf(name);
		} catch (error) {
			if (!(error instanceof SqlError))
				throw error;
		}
		const pipe = path?.length === 3 ? catalog.peek(session.account, 'PIPE', path) : null;
		if (!pipe || !catalog.visible(session, pipe))
			throw new HttpError(404, '390404', 'Specified object does not exist or not authorized. Pipe not found');
		if (!catalog.may(session, privilege, pipe) || ['DATABASE', 'SCHEMA'].some((kind, i) => !catalog.may(session, 'USAGE',
			catalog.peek(session.account, kind, path.slice(0, i + 1)))))
			throw new HttpError(403, '390403', 'Not authorized to manage the specified object. Pipe access permission denied');
		return pipe;
	}
	InsertFiles(r, pipe, bytes) {
		const type = (r.headers['content-type'] ?? '').split(';')[0].trim().toLowerCase(), text = bytes.toString('utf8');
		let files;
		if (type === 'text/plain') {
			files = text.split('\n').map(line => line.trim()).filter(Boolean).map(path => ({ path }));
		} else if (type === 'application/json') {
			try {
				({ files } = JSON.parse(text));
				if (!Array.isArray(files) || files.some(file => typeof file.path !== 'string' ||
					(file.size !== undefined && !Number.isSafeInteger(file.size))))
					throw new Error('no files');
			} catch { // which is what it answers to a body that it cannot read
				throw new HttpError(500, '391000', 'Internal server error.');
			}
		} else {
			throw new HttpError(415, '391904', 'Unsupported media type.');
		}
		if (files.length === 0)
			throw new HttpError(400, '391801', 'No files specified.');
		if (files.length > FILES)
			throw new HttpError(429, '391802', `The request has ${files.length} files; the maximum is ${FILES}.`);
		const long = files.find(file => Buffer.byteLength(file.path) > PATH);
		if (long)
			throw new HttpError(400, '391803', `The path of a file is longer than ${PATH} bytes.`);
		r.records = files.length;
		const { PATTERN: pattern } = pipe.copy.options, unmatched = [], skipped = [];
		for (const { path, size } of files)
			if (pattern && !new RegExp(`^(?:${pattern})$`).test(pipe.copy.location.prefix + path))
				unmatched.push(path);
			else if (!this.queue(pipe, pipe.copy.location.prefix + path, size ?? 0, path))
				skipped.push(path);
		r.accepted = files.length - unmatched.length - skipped.length;
		return answer(200, { requestId: r.query.requestId, responseCode: 'SUCCESS',
			...(unmatched.length ? { unmatchedPatternFiles: unmatched } : {}),
			...(r.query.showSkippedFiles === 'true' && skipped.length ? { skippedFiles: skipped } : {}) });
	}
	// False: the pipe has heard of it within 14 days.
	queue(pipe, key, size = 0, path = key.slice(pipe.copy.location.prefix.length)) {
		const now = this.world.now(), known = pipe.known.get(path);
		if (known !== undefined && now - known < MEMORY)
			return false;
		pipe.known.set(path, now);
		pipe.queue.push({ path, key, size, received: now, due: now + this.world.config.sf_pipe_ms });
		pipe.lastReceived = now;
		this.pump();
		return true;
	}
	reported(pipe, entry, path) {
		const { location } = pipe.copy;
		return { path, stageLocation: `s3://${location.bucket}/${location.prefix}`, fileSize: entry.size,
			timeReceived: new Date(entry.received).toISOString(), lastInsertTime: new Date(entry.at).toISOString(),
			rowsInserted: entry.loaded, rowsParsed: entry.parsed, errorsSeen: entry.errors,
				errorLimit: pipe.copy.onError === 'CONTINUE' ? entry.parsed : 1, complete: entry.status !== 'LOAD_IN_PROGRESS',
				status: entry.status,
			...(entry.error ? { firstError: entry.error.message, firstErrorLineNum: entry.error.line,
				firstErrorCharacterPos: entry.error.character, ...(entry.error.column
				? { firstErrorColumnName: entry.error.column } : {}) } : {}),
			...(entry.system ? { systemError: entry.system } : {}) };
	}
	// Ten minutes and 10,000 events are kept; one of those before the mark comes again, as may happen.
	InsertReport(r, pipe) {
		const { events } = pipe, now = this.world.now(), young = events.findIndex(e => now - e.entry.at <= 600000);
		const oldest = Math.max(0, events.length - EVENTS, young < 0 ? events.length : young),
			mark = Number(/^1_(\d+)$/.exec(r.query.beginMark ?? '')?.[1] ?? -1);
		const from = mark < 0 ? oldest : Math.max(oldest, mark - 1);
		return answer(200, { pipe: pipe.path.join('.'), completeResult: mark < 0 ? oldest === 0 : oldest <= mark,
			nextBeginMark: `1_${events.length}`, files: events.slice(from).map(e => this.reported(pipe, e.entry, e.path)) });
	}
	LoadHistoryScan(r, pipe) {
		const now = this.world.now(), { sf_history_per_min: limit } = this.world.config;
		this.scans = this.scans.filter(at => now - at < 60000);
		if (limit && this.scans.length >= limit)
			throw new HttpError(429, '390505', 'Too many requests.');
		this.scans.push(now);
		const start = Date.parse(r.query.startTimeInclusive), end = r.query.endTimeExclusive === undefined ? now + 1
			: Date.parse(r.query.endTimeExclusive);
		if (!(start < end))
			throw new HttpError(400, '391804', 'Invalid time range.');
		const from = Math.max(start, now - MEMORY), found = pipe.events.filter(({ entry }) => entry.status !== 'LOAD_IN_PROGRESS' && entry.at >= from && entry.at < end), page = found.slice(0, EVENTS);
		const iso = at => new Date(at).toISOString();
		// the next page begins with the time of the first file that did not fit
		return answer(200, { pipe: pipe.path.join('.'), completeResult: String(page.length === found.length),
			startTimeInclusive: iso(start), endTimeExclusive: iso(end),
			rangeStartTime: iso(page[0]?.entry.at ?? start), rangeEndTime: iso(page.length < found.length
				? found[page.length].entry.at : page[page.length - 1]?.entry.at ?? end),
			files: page.map(e => this.reported(pipe, e.entry, e.path)) });
	}

	// ---- events of the bucket
	onObject(bucket, keyBytes, size) {
		const { sf_auto_ingest: how } = this.world.config;
		if (how === 'never')
			return;
		const key = toText(keyBytes);
		for (const pipe of this.pipes())
			if (pipe.auto && pipe.copy.location.bucket === bucket && key.startsWith(pipe.copy.location.prefix) && (how === 'always' ||
			    notified((this.world.s3.buckets.get(bucket).notification ?? []).filter(rule => rule.arn === pipe.channel),
				keyBytes, 'ObjectCreated:Put')))
				this.queue(pipe, key, size);
	}
	*pipes() {
		for (const account of this.engine.catalog.accounts.values())
			yield* this.engine.catalog.all(account, 'PIPE');
	}

	// ---- loading
	pump() {
		if (this.world.config.sf_pipe_hold || this.working)
			return;
		let soonest = Infinity;
		for (const pipe of this.pipes())
			if (!pipe.paused && pipe.queue.length)
				soonest = Math.min(soonest, pipe.queue[0].due);
		if (soonest === Infinity)
			return;
		this.working = setTimeout(() => {
			this.loadDue().catch(error => process.stderr.write(`emul: ${error.stack}\n`)).finally(() => {
				this.working = null;
				this.pump();
			});
		}, Math.max(0, soonest - this.world.now()));
		this.working.unref();
	}
	async loadDue() {
		for (const pipe of [...this.pipes()])
			if (!pipe.paused && !this.world.config.sf_pipe_hold)
				while (pipe.queue.length && pipe.queue[0].due <= this.world.now() && !pipe.paused)
					await this.loadBatch(pipe, pipe.queue.splice(0, AT_ONCE));
	}
	// What waits, whether it is due or not; a pipe that is paused loads nothing.
	async loadNow(name) {
		let loaded = 0;
		for (const pipe of [...this.pipes()])
			if ((!name || pipe.path.join('.') === nameOf(name).join('.')) && !pipe.paused)
				while (pipe.queue.length) {
					const batch = pipe.queue.splice(0, AT_ONCE);
					await this.loadBatch(pipe, batch);
					loaded += batch.length;
				}
		return loaded;
	}
	outcome(key, copy = false) {
		const rule = this.outcomes.find(one => new RegExp(one.path).test(key) && (one.times ?? 1) > 0 && (!copy || one.copy));
		if (rule)
			rule.times = (rule.times ?? 1) - 1;
		return rule ?? null;
	}
	loadBatch(pipe, batch) {
		const { engine } = this, { copy } = pipe;
		return engine.exclusive(async () => {
			const account = [...engine.catalog.accounts.values()].find(one => engine.catalog.peek(one, 'PIPE', pipe.path) === pipe);
			// dropped meanwhile, or its table
			if (!account || engine.catalog.peek(account, 'TABLE', copy.table.path) !== copy.table)
				return;
			const session = await engine.session({ account, user: { name: 'SNOWPIPE', roles: new Set([pipe.owner]),
				defaultRole: pipe.owner } });
			try {
				const items = batch.map(item => ({ item, object: objectAt(engine, copy.location.bucket, item.key) }));
				const there = items.filter(one => one.object), results = await loadFiles(engine, session, copy,
					there.map(one => one.object), { outcome: key => this.outcome(key) });
				there.forEach((one, i) => one.result = results[i]);
				for (const { item, object, result } of items) {
					const made = result ?? { object: { key: item.key, size: item.size, etag: null }, parsed: 0, loaded: 0,
						errors: 1, status: 'LOAD_FAILED',
						error: { message: notFound(copy.location, item.key), line: 0, character: 0, column: null } };
					const entry = remember(engine, copy, made, pipe, item.received);
					pipe.events.push({ entry, path: item.path });
					pipe.history.push({ path: item.path, status: entry.status, loaded: entry.loaded });
					if (object && made.loaded)
						Object.assign(pipe, { lastIngested: entry.at, lastPath: item.key });
				}
			} finally {
				await engine.close(session);
			}
		});
	}
	// Everything that is remembered becomes older.
	age(ms) {
		for (const account of this.engine.catalog.accounts.values())
			for (const object of this.engine.catalog.all(account, ['TABLE', 'PIPE'])) {
				for (const entry of object.kind === 'TABLE' ? object.history : []) {
					entry.at -= ms;
					entry.received = entry.received && entry.received - ms;
				}
				if (object.kind === 'TABLE')
					for (const one of object.loaded.values())
						one.at -= ms;
				else
					for (const [path, at] of object.known)
						object.known.set(path, at - ms);
			}
		for (const bucket of this.world.s3.buckets.values())
			for (const object of bucket.objects.values())
				object.modified -= ms;
	}
	status(pipe) {
		const iso = at => new Date(at).toISOString();
		return { executionState: pipe.paused ? 'PAUSED' : 'RUNNING', pendingFileCount: pipe.queue.length,
			...(pipe.queue.length ? { oldestFileTimestamp: iso(pipe.queue[0].received) } : {}),
			...(pipe.lastIngested ? { lastIngestedTimestamp: iso(pipe.lastIngested), lastIngestedFilePath: pipe.lastPath } : {}),
			...(pipe.auto ? { notificationChannelName: pipe.channel, numOutstandingMessagesOnChannel: 0 } : {}),
			...(pipe.lastReceived ? { lastReceivedMessageTimestamp: iso(pipe.lastReceived),
				...(pipe.auto ? { lastForwardedMessageTimestamp: iso(pipe.lastReceived) } : {}) } : {}) };
	}
}

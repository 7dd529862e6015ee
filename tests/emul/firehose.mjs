// Amazon Data Firehose: the calls river makes, every limit of Direct PUT, and delivery into this process's
// own S3 under evaluated prefixes. Limits: the service's API model and its quota page.

import { randomBytes, randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import zlib from 'node:zlib';
import { chosen } from './faults.mjs';
import { checkPrefixes, evaluatePrefix, formatTime } from './java-time.mjs';
import { HttpError, toBytes } from './request.mjs';

const gzip = promisify(zlib.gzip);
const EXTENSION = { GZIP: '.gz', ZIP: '.zip', Snappy: '.snappy', HADOOP_SNAPPY: '.hsnappy', UNCOMPRESSED: '' };
const CONTROL = new Set(['CreateDeliveryStream', 'DeleteDeliveryStream', 'DescribeDeliveryStream', 'ListDeliveryStreams',
	'UpdateDestination', 'TagDeliveryStream', 'ListTagsForDeliveryStream']);
const OPERATIONS = new Set([...CONTROL, 'PutRecord', 'PutRecordBatch']);

const invalid = message => new HttpError(400, 'InvalidArgumentException', message);
const violated = faults => new HttpError(400, 'ValidationException',
	`${faults.length} validation error${faults.length > 1 ? 's' : ''} detected: ${faults.join('; ')}`);
const constraint = (value, at, rule) => `Value '${value}' at '${at}' failed to satisfy constraint: ${rule}`;

function checkName(name, at = 'deliveryStreamName') {
	const faults = [];
	if (name === undefined || name === null)
		throw violated([`Value null at '${at}' failed to satisfy constraint: Member must not be null`]);
	if (typeof name !== 'string')
		throw new HttpError(400, 'SerializationException', `${at} is not a string`);
	if (!/^[a-zA-Z0-9_.-]+$/.test(name))
		faults.push(constraint(name, at, 'Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+'));
	if (name.length < 1)
		faults.push(constraint(name, at, 'Member must have length greater than or equal to 1'));
	if (name.length > 64)
		faults.push(constraint(name, at, 'Member must have length less than or equal to 64'));
	if (faults.length)
		throw violated(faults);
}

export class Firehose {
	streams = new Map();
	// world: config, random, now(), s3, script, recordDir (where accepted bytes are appended, optional)
	constructor(world) {
		this.world = world;
		this.control = [];
	}
	reset() {
		for (const stream of this.streams.values())
			clearTimeout(stream.timer);
		this.streams.clear();
		this.roles?.clear();
	}

	// One call: `r` is the request, `body` its bytes, `rule` a fault that changes the outcome, or null.
	async call(r, body, rule) {
		if (!OPERATIONS.has(r.op))
			throw new HttpError(400, 'UnknownOperationException', '');
		let input;
		try {
			input = JSON.parse(body.toString('utf8'));
		} catch {
			throw new HttpError(400, 'SerializationException', 'The body is not JSON');
		}
		if (input === null || typeof input !== 'object' || Array.isArray(input))
			throw new HttpError(400, 'SerializationException', 'The body is not a JSON object');
		if (CONTROL.has(r.op))
			this.checkRate(r);
		switch (r.op) {
		case 'PutRecord': return this.putRecord(r, input, rule);
		case 'PutRecordBatch': return this.putRecordBatch(r, input, rule);
		case 'CreateDeliveryStream': return this.create(r, input, rule);
		case 'DescribeDeliveryStream': return this.describe(input);
		case 'ListDeliveryStreams': return this.list(input);
		case 'UpdateDestination': return this.update(r, input);
		case 'DeleteDeliveryStream': return this.delete(r, input);
		case 'TagDeliveryStream': Object.assign(this.find(input.DeliveryStreamName).tags, tagsOf(input.Tags)); return {};
		default: // ListTagsForDeliveryStream
			return { Tags: Object.entries(this.find(input.DeliveryStreamName).tags).map(([Key, Value]) => ({ Key, Value })),
				HasMoreTags: false };
		}
	}
	// Five control calls a second, when the configuration says so.
	checkRate(r) {
		const limit = this.world.config.control_per_s;
		if (!limit)
			return;
		this.control = this.control.filter(at => at > r.now - 1000);
		if (this.control.length >= limit)
			throw new HttpError(400, 'ThrottlingException', 'Rate exceeded');
		this.control.push(r.now);
	}
	find(name) {
		checkName(name);
		const known = this.streams.get(name);
		if (known)
			this.settle(known);
		const stream = this.streams.get(name);
		if (!stream)
			throw new HttpError(400, 'ResourceNotFoundException',
				`Firehose ${name} under account ${this.world.config.account} not found.`);
		return stream;
	}
	settle(stream) {
		if (stream.status === 'CREATING' && this.world.now() >= stream.readyAt)
			stream.status = stream.failure ? 'CREATING_FAILED' : 'ACTIVE';
		if (stream.status === 'DELETING' && this.world.now() >= stream.goneAt)
			this.streams.delete(stream.name);
	}

	// ---- records
	open(name) {
		const stream = this.find(name);
		if (stream.status !== 'ACTIVE')
			throw new HttpError(400, this.world.config.not_active_code, `Firehose ${name} under account ` +
				`${this.world.config.account} is not ACTIVE (${stream.status}).`);
		if (stream.type !== 'DirectPut')
			throw invalid('This operation is not permitted on KinesisStreamAsSource delivery stream type.');
		return stream;
	}
	data(record, at) {
		if (record === null || typeof record !== 'object' || record.Data === undefined || record.Data === null)
			throw violated([`Value null at '${at}' failed to satisfy constraint: Member must not be null`]);
		if (typeof record.Data !== 'string')
			throw new HttpError(400, 'SerializationException', `${at} is not a string`);
		const bytes = Buffer.from(record.Data, 'base64');
		// no line breaks, no missing padding, no stray bits: what comes back must be what came
		if (bytes.toString('base64') !== record.Data)
			throw new HttpError(400, 'SerializationException', `${at} is not base64`);
		return bytes;
	}
	tooLong(bytes, at) {
		return constraint(`java.nio.HeapByteBuffer[pos=0 lim=${bytes.length} cap=${bytes.length}]`, at,
			`Member must have length less than or equal to ${this.world.config.record_bytes}`);
	}
	putRecord(r, input, rule) {
		const bytes = this.data(input.Record ?? {}, 'record.data');
		if (bytes.length > this.world.config.record_bytes)
			throw violated([this.tooLong(bytes, 'record.data')]);
		const stream = this.open(input.DeliveryStreamName);
		r.records = 1;
		r.recordBytes = bytes.length;
		if (rule?.do === 'partial' && !rule.accept && chosen(rule, [bytes], this.world.random).size)
			throw new HttpError(503, rule.code ?? 'ServiceUnavailableException', rule.message ?? 'Slow down.');
		r.accepted = 1;
		return { RecordId: this.accept(stream, [bytes], r)[0], Encrypted: false };
	}
	putRecordBatch(r, input, rule) {
		const { config, random } = this.world, records = input.Records;
		checkName(input.DeliveryStreamName);
		if (!Array.isArray(records))
			throw violated(["Value null at 'records' failed to satisfy constraint: Member must not be null"]);
		if (records.length < 1)
			throw violated([constraint('[]', 'records', 'Member must have length greater than or equal to 1')]);
		if (records.length > config.batch_records)
			throw violated([constraint(`[${records.length} records]`, 'records',
				`Member must have length less than or equal to ${config.batch_records}`)]);
		const items = records.map((record, i) => this.data(record, `records.${i + 1}.member.data`));
		const long = items.flatMap((bytes, i) =>
			bytes.length > config.record_bytes ? [this.tooLong(bytes, `records.${i + 1}.member.data`)] : []);
		if (long.length)
			throw violated(long);
		const size = items.reduce((sum, bytes) => sum + bytes.length, 0);
		r.records = items.length;
		r.recordBytes = size;
		if (size > config.batch_bytes)
			throw invalid('Records size exceeds 4 MB limit');
		const stream = this.open(input.DeliveryStreamName);

		const failed = rule?.do === 'partial' ? chosen(rule, items, random) : new Set();
		const taken = items.map((_, i) => i).filter(i => !failed.has(i) || rule.accept);
		const ids = [];
		this.accept(stream, taken.map(i => items[i]), r).forEach((id, k) => {
			ids[taken[k]] = id;
		});
		r.accepted = taken.length;
		r.failed = failed.size;
		const responses = items.map((_, i) => failed.has(i)
			? { ErrorCode: rule.code ?? 'ServiceUnavailableException', ErrorMessage: rule.message ?? 'Slow down.' }
			: { RecordId: ids[i] });
		let count = failed.size;
		if (rule?.do === 'short_responses')
			responses.splice(-(rule.n ?? 1));
		if (rule?.do === 'long_responses')
			for (let i = 0; i < (rule.n ?? 1); i++)
				responses.push({ RecordId: recordId(0) });
		if (rule?.do === 'count_mismatch')
			count += rule.n ?? 1;
		return { FailedPutCount: count, Encrypted: false, RequestResponses: responses };
	}
	accept(stream, items, r) {
		const ids = [];
		for (const bytes of items) {
			const record = { seq: ++stream.accepted, bytes, size: bytes.length, request: r.n, at: r.now };
			stream.acceptedBytes += bytes.length;
			ids.push(recordId(record.seq));
			if (this.world.config.keep_records)
				stream.records.push(record);
			if (this.world.config.deliver)
				this.buffer(stream, record);
		}
		if (items.length)
			this.world.onRecords?.(stream.name, items);
		return ids;
	}

	// ---- delivery
	buffer(stream, record) {
		if (stream.waiting.length === 0)
			stream.oldest = record.at;
		stream.waiting.push(record);
		stream.waitingBytes += record.size;
		const { SizeInMBs, IntervalInSeconds } = stream.destination.BufferingHints;
		if (stream.waitingBytes >= (this.world.config.buffer_bytes ?? SizeInMBs * 1048576)) {
			this.flushInBackground(stream);
		} else if (!stream.timer) {
			stream.timer = setTimeout(() => this.flushInBackground(stream),
				this.world.config.buffer_ms ?? IntervalInSeconds * 1000);
			stream.timer.unref();
		}
	}
	flushInBackground(stream) {
		this.flush(stream).catch(error => {
			stream.deliveryError = error.message;
		});
	}
	// Everything that waits becomes an object. When S3 refuses it waits on, as Firehose retries for a day.
	async flush(stream) {
		clearTimeout(stream.timer);
		stream.timer = null;
		const records = stream.waiting;
		if (!records.length)
			return null;
		const oldest = stream.oldest;
		stream.waiting = [];
		stream.waitingBytes = 0;
		const rule = this.world.script.pick(false, { service: 'firehose', op: 'deliver', stream: stream.name });
		try {
			const key = await this.deliver(stream, records, oldest);
			stream.delivered += records.length;
			stream.objects.push(key);
			if (rule?.do === 'duplicate') {
				const again = chosen(rule, records.map(record => record.bytes), this.world.random);
				stream.objects.push(await this.deliver(stream, records.filter((_, i) => again.has(i)), oldest));
			}
			return key;
		} catch (error) {
			stream.waiting = records.concat(stream.waiting);
			stream.oldest = oldest;
			stream.waitingBytes = stream.waiting.reduce((sum, record) => sum + record.size, 0);
			throw error;
		}
	}
	async deliver(stream, records, oldest) {
		const d = stream.destination, zone = d.CustomTimeZone || 'UTC';
		const random = () => randomBytes(9).toString('base64url').replace(/[-_]/g, 'x').slice(0, 11);
		const prefix = evaluatePrefix(d.Prefix, 'prefix', oldest, zone, '', random);
		const append = d.ProcessingConfiguration?.Enabled &&
			d.ProcessingConfiguration.Processors?.some(p => p.Type === 'AppendDelimiterToRecord');
		const newline = Buffer.from('\n');
		let bytes = Buffer.concat(records.flatMap(record => append ? [record.bytes, newline] : [record.bytes]));
		if (d.CompressionFormat === 'GZIP')
			bytes = await gzip(bytes, { level: 1 });
		const name = `${stream.name}-${stream.version}-${formatTime('yyyy-MM-dd-HH-mm-ss', this.world.now(), zone)}-${randomUUID()}`;
		const key = prefix + name + (d.FileExtension || EXTENSION[d.CompressionFormat]);
		this.world.s3.deliver(d.BucketARN.replace(/^arn:aws[^:]*:s3:::/, ''), toBytes(key), bytes);
		return key;
	}
	async flushAll(name) {
		const done = [];
		for (const stream of name === undefined ? [...this.streams.values()] : [this.find(name)])
			try {
				const key = await this.flush(stream);
				if (key)
					done.push({ stream: stream.name, key });
			} catch (error) {
				done.push({ stream: stream.name, error: error.code ?? error.message });
			}
		return done;
	}

	// ---- control
	checkDestination(d) {
		const faults = [];
		if (!/^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]+$/.test(d.RoleARN ?? ''))
			faults.push(constraint(d.RoleARN, 'extendedS3DestinationConfiguration.roleARN', 'Member must satisfy regular expression pattern: arn:.*:iam::\\d{12}:role/[a-zA-Z_0-9+=,.@\\-_/]+'));
		if (!/^arn:aws[a-z-]*:s3:::[\w.-]{1,255}$/.test(d.BucketARN ?? ''))
			faults.push(constraint(d.BucketARN, 'extendedS3DestinationConfiguration.bucketARN', 'Member must satisfy regular expression pattern: arn:.*:s3:::[\\w\\.\\-]{1,255}'));
		for (const [name, low, high] of [['SizeInMBs', 1, 128], ['IntervalInSeconds', 0, 900]]) {
			const value = d.BufferingHints?.[name];
			if (value !== undefined && !(Number.isInteger(value) && value >= low && value <= high))
				faults.push(constraint(value, `extendedS3DestinationConfiguration.bufferingHints.${name}`,
					`Member must have value between ${low} and ${high}`));
		}
		if (d.CompressionFormat !== undefined && !(d.CompressionFormat in EXTENSION))
			faults.push(constraint(d.CompressionFormat, 'extendedS3DestinationConfiguration.compressionFormat',
				'Member must satisfy enum value set: [GZIP, UNCOMPRESSED, ZIP, Snappy, HADOOP_SNAPPY]'));
		for (const name of ['Prefix', 'ErrorOutputPrefix'])
			if ((d[name] ?? '').length > 1024)
				faults.push(constraint(d[name], name, 'Member must have length less than or equal to 1024'));
		if (!/^$|^\.[0-9a-z!\-_.*'()]+$/.test(d.FileExtension ?? '') || (d.FileExtension ?? '').length > 128)
			faults.push(constraint(d.FileExtension, 'extendedS3DestinationConfiguration.fileExtension',
				"Member must satisfy regular expression pattern: ^$|\\.[0-9a-z!\\-_.*'()]+"));
		if (!/^$|^[a-zA-Z/_]+$/.test(d.CustomTimeZone ?? '') || (d.CustomTimeZone ?? '').length > 50)
			faults.push(constraint(d.CustomTimeZone, 'extendedS3DestinationConfiguration.customTimeZone',
				'Member must satisfy regular expression pattern: ^$|[a-zA-Z/_]+'));
		if (faults.length)
			throw violated(faults);
		if (d.BufferingHints && (d.BufferingHints.SizeInMBs === undefined) !== (d.BufferingHints.IntervalInSeconds === undefined))
			throw invalid('BufferingHints needs both SizeInMBs and IntervalInSeconds, or neither');
		if (['ZIP', 'Snappy', 'HADOOP_SNAPPY'].includes(d.CompressionFormat))
			throw new HttpError(501, 'NotImplemented', `the emulator writes no ${d.CompressionFormat}`);
		checkPrefixes(d.Prefix, d.ErrorOutputPrefix, d.CustomTimeZone);
	}
	// A role that was just made cannot be assumed yet.
	checkRole(rule, arn, r) {
		const ready = this.roles ??= new Map();
		if (rule?.do === 'role_not_ready' && !ready.has(arn))
			ready.set(arn, r.now + (rule.s ?? 10) * 1000);
		if (r.now < (ready.get(arn) ?? 0))
			throw invalid(`Firehose is unable to assume role ${arn}. Please check the role provided.`);
	}
	create(r, input, rule) {
		const { config } = this.world, name = input.DeliveryStreamName;
		checkName(name);
		const type = input.DeliveryStreamType ?? 'DirectPut';
		if (!['DirectPut', 'KinesisStreamAsSource', 'MSKAsSource', 'DatabaseAsSource'].includes(type))
			throw violated([constraint(type, 'deliveryStreamType', 'Member must satisfy enum value set')]);
		const kinds = Object.keys(input).filter(k => /DestinationConfiguration$/.test(k));
		if (kinds.length !== 1)
			throw invalid('Exactly one destination configuration is supported for a Firehose');
		const destination = input[kinds[0]];
		if (kinds[0] !== 'ExtendedS3DestinationConfiguration')
			throw new HttpError(501, 'NotImplemented', `the emulator has no ${kinds[0]}`);
		this.checkDestination(destination);
		if ((input.Tags ?? []).length > 50)
			throw violated([constraint('tags', 'tags', 'Member must have length less than or equal to 50')]);
		const old = this.streams.get(name);
		if (old)
			this.settle(old);
		if (this.streams.has(name))
			throw new HttpError(400, 'ResourceInUseException', `Firehose ${name} under accountId ${config.account} already exists`);
		if (this.streams.size >= config.max_streams)
			throw new HttpError(400, 'LimitExceededException', 'You have already consumed your firehose quota');
		this.checkRole(rule, destination.RoleARN, r);
		const stream = this.make(name, destination, r.now + config.creating_ms);
		stream.type = type;
		stream.tags = tagsOf(input.Tags);
		if (rule?.do === 'creating_failed')
			stream.failure = { Type: rule.type ?? 'UNKNOWN_ERROR', Details: rule.message ?? 'it was not to be' };
		this.settle(stream);
		return { DeliveryStreamARN: stream.arn };
	}
	make(name, destination, readyAt) {
		const { config } = this.world, now = this.world.now();
		const stream = { name, arn: `arn:aws:firehose:${config.region}:${config.account}:deliverystream/${name}`,
			type: 'DirectPut', status: 'CREATING', readyAt, version: 1, created: now, updated: now,
			destination: { CompressionFormat: 'UNCOMPRESSED', ...destination,
				BufferingHints: { SizeInMBs: 5, IntervalInSeconds: 300, ...destination.BufferingHints } },
			tags: {}, failure: null, accepted: 0, acceptedBytes: 0, delivered: 0, records: [], waiting: [], waitingBytes: 0,
			objects: [], timer: null, deliveryError: null };
		this.streams.set(name, stream);
		return stream;
	}
	describe(input) {
		const s = this.find(input.DeliveryStreamName), d = s.destination;
		const description = { EncryptionConfiguration: { NoEncryptionConfig: 'NoEncryption' }, S3BackupMode: 'Disabled',
			CloudWatchLoggingOptions: { Enabled: false }, ...d };
		return { DeliveryStreamDescription: { DeliveryStreamName: s.name, DeliveryStreamARN: s.arn,
			DeliveryStreamStatus: s.status, FailureDescription: s.status === 'CREATING_FAILED' ? s.failure : undefined,
			DeliveryStreamEncryptionConfiguration: { Status: 'DISABLED' }, DeliveryStreamType: s.type,
			VersionId: String(s.version), CreateTimestamp: s.created / 1000, LastUpdateTimestamp: s.updated / 1000,
			Destinations: [{ DestinationId: 'destinationId-000000000001', ExtendedS3DestinationDescription: description,
				S3DestinationDescription: { RoleARN: d.RoleARN, BucketARN: d.BucketARN, Prefix: d.Prefix,
					ErrorOutputPrefix: d.ErrorOutputPrefix, BufferingHints: d.BufferingHints,
					CompressionFormat: d.CompressionFormat } }],
			HasMoreDestinations: false } };
	}
	list(input) {
		const limit = input.Limit ?? 10;
		if (!Number.isInteger(limit) || limit < 1 || limit > 10000)
			throw violated([constraint(limit, 'limit', 'Member must have value between 1 and 10000')]);
		for (const stream of [...this.streams.values()])
			this.settle(stream);
		const names = [...this.streams.keys()].sort().filter(name =>
			(input.ExclusiveStartDeliveryStreamName === undefined || name > input.ExclusiveStartDeliveryStreamName) &&
			(input.DeliveryStreamType === undefined || this.streams.get(name).type === input.DeliveryStreamType));
		return { DeliveryStreamNames: names.slice(0, limit), HasMoreDeliveryStreams: names.length > limit };
	}
	update(r, input) {
		const stream = this.find(input.DeliveryStreamName);
		if (stream.status !== 'ACTIVE')
			throw new HttpError(400, 'ResourceInUseException', `Firehose ${stream.name} is ${stream.status}`);
		if (input.CurrentDeliveryStreamVersionId !== String(stream.version))
			throw new HttpError(400, 'ConcurrentModificationException', `Cannot update firehose: ${stream.name} since the ` +
				`current version id: ${stream.version} and specified version id: ${input.CurrentDeliveryStreamVersionId} do not match`);
		if (input.DestinationId !== 'destinationId-000000000001')
			throw invalid(`Destination Id ${input.DestinationId} not found`);
		const change = input.ExtendedS3DestinationUpdate;
		if (!change)
			throw invalid('Exactly one destination update is supported');
		const next = { ...stream.destination, ...change };
		this.checkDestination(next);
		if (next.BucketARN !== stream.destination.BucketARN || next.Prefix !== stream.destination.Prefix)
			this.flushInBackground(stream);
		stream.destination = next;
		stream.version++;
		stream.updated = r.now;
		return {};
	}
	delete(r, input) {
		const stream = this.find(input.DeliveryStreamName);
		if (stream.status === 'CREATING')
			throw new HttpError(400, 'ResourceInUseException', `Firehose ${stream.name} is CREATING`);
		stream.status = 'DELETING';
		stream.goneAt = r.now + this.world.config.deleting_ms;
		this.settle(stream);
		return {};
	}
}

const tagsOf = tags => Object.fromEntries((tags ?? []).map(({ Key, Value }) => [Key, Value ?? '']));

// 220 characters, as the service's are.
const ID_HEAD = randomBytes(153).toString('base64');
function recordId(seq) {
	return ID_HEAD + String(seq).padStart(16, '0');
}

// /_emul/...: how a test looks into the emulator and steers it. No signatures, answers at once, never faulty.
//
//   GET    ready                    {"ok":true}
//   GET    config | POST config     all settings (server.mjs) | changes those in the body, answers all
//   POST   script                   a rule or a list of them (faults.mjs): {"ids":[...]}
//   GET    script                   rules, one a line, with how often they matched (seen) and were used (fired)
//   DELETE script [?id=]            all, or one
//   GET    log [?service=&op=&since=]    requests, one a line; since: only those after request n
//   GET    counts                   {"firehose.PutRecordBatch":{requests,ok,failed,accepted,records,bytes,connections}, ...}
//   DELETE log                      both start again
//   POST   bucket {name,region}     POST stream {name,bucket,Prefix,...}: made at once, ACTIVE
//   GET    streams                  one a line: accepted, acceptedBytes, waiting, delivered, objects ...
//   GET    records?stream= [&as=json]    what Firehose accepted: the bytes one after the other, or
//                                        {seq,request,at,data} a line with base64 data
//   POST   flush [?stream=]         delivers what waits now: [{stream,key}]
//   GET    objects [?bucket=&prefix=]    one a line; GET object?bucket=&key= [&gunzip=1]: contents
//   PUT    object?bucket=&key=      puts one; DELETE object?bucket=&key=
//   GET    uploads [?bucket=]       multipart uploads that are not finished
//   GET    events [?bucket=][&all=1]     S3 event messages that notifications would have sent, one a line
//   GET    keys | POST keys {id,secret,token,life_s} | DELETE keys?id=
//   GET    secrets?word=            what holds the word: objects, records, requests by their paths and statements
//   any    snowflake/...            snowflake-control.mjs
//   POST   reset                    no streams, buckets, rules, log; temporary keys are gone, settings as at the start

import { gunzipSync } from 'node:zlib';
import { notified } from './s3-notification.mjs';
import { HttpError, encodeBytes, readBody, toBytes, toText } from './request.mjs';

const lines = values => ({ status: 200, headers: { 'Content-Type': 'application/x-ndjson' },
	body: values.map(value => JSON.stringify(value) + '\n').join('') });
const json = value => ({ status: 200, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(value) + '\n' });
const bytes = body => ({ status: 200, headers: { 'Content-Type': 'application/octet-stream' }, body });

function* holding({ s3, firehose, log }, word) {
	for (const bucket of s3.buckets.values())
		for (const [key, object] of bucket.objects)
			if (object.bytes?.includes(word))
				yield { bucket: bucket.name, key: toText(key) };
	for (const stream of firehose.streams.values())
		for (const record of stream.records)
			if (record.bytes.includes(word))
				yield { stream: stream.name, seq: record.seq };
	for (const entry of log.entries)
		if (JSON.stringify(entry).includes(word))
			yield entry;
}

export async function control(world, r, req) {
	const q = r.query, body = (await readBody(req, 1 << 30)).bytes;
	const input = () => {
		try {
			return body.length ? JSON.parse(body.toString('utf8')) : {};
		} catch (error) {
			throw new HttpError(400, 'BadRequest', error.message);
		}
	};
	const { s3, firehose, keyring, script, config, log } = world;
	switch (`${r.method} ${r.path.slice('/_emul/'.length)}`) {
	case 'GET ready': return json({ ok: true });
	case 'GET config': return json(config);
	case 'POST config': world.configure(input()); return json(config);
	case 'POST script': return json({ ids: [].concat(input()).map(rule => script.add(rule)) });
	case 'GET script': return lines(script.list());
	case 'DELETE script': script.clear(q.id === undefined ? undefined : Number(q.id)); return json({});
	case 'GET log': return lines(log.entries.filter(e => (q.service === undefined || e.service === q.service) &&
		(q.op === undefined || e.op === q.op) && e.n > Number(q.since ?? 0)));
	case 'GET counts': return json(log.counts());
	case 'DELETE log': log.clear(); return json({});
	case 'POST bucket': {
		const { name, region } = input();
		if (!s3.buckets.has(name))
			s3.makeBucket(name, region);
		return json({});
	}
	case 'POST stream': {
		const { name, bucket, ...destination } = input();
		if (!s3.buckets.has(bucket))
			s3.makeBucket(bucket);
		firehose.settle(firehose.make(name, { RoleARN: `arn:aws:iam::${config.account}:role/firehose`, BucketARN: `arn:aws:s3:::${bucket}`,
			...destination }, 0));
		return json({});
	}
	case 'GET streams': return lines([...firehose.streams.values()].map(s => {
		firehose.settle(s);
		return { name: s.name, status: s.status, version: s.version, accepted: s.accepted, acceptedBytes: s.acceptedBytes,
			waiting: s.waiting.length, delivered: s.delivered, objects: s.objects, deliveryError: s.deliveryError };
	}));
	case 'GET records': {
		const { records } = firehose.find(q.stream);
		return q.as === 'json' ? lines(records.map(({ seq, request, at, bytes: data }) => ({ seq, request, at, data: data.toString('base64') })))
			: bytes(Buffer.concat(records.map(record => record.bytes)));
	}
	case 'POST flush': return json(await firehose.flushAll(q.stream));
	case 'GET objects': return lines([...s3.buckets.values()].filter(b => q.bucket === undefined || b.name === q.bucket)
		.flatMap(b => s3.keys(b).filter(key => key.startsWith(toBytes(q.prefix ?? ''))).map(key => {
			const { size, etag, modified, checksums, type, headers, parts } = b.objects.get(key);
			return { bucket: b.name, key: toText(key), size, etag, modified, checksums, type, headers, parts };
		})));
	case 'GET object': {
		const object = s3.bucket(q.bucket).objects.get(toBytes(q.key));
		if (!object)
			throw new HttpError(404, 'NoSuchKey', `no object ${q.key} in ${q.bucket}`);
		return bytes(q.gunzip ? gunzipSync(object.bytes) : object.bytes);
	}
	case 'PUT object': s3.deliver(q.bucket, toBytes(q.key), Buffer.from(body)); return json({});
	case 'DELETE object': s3.remove(s3.bucket(q.bucket), toBytes(q.key)); return json({});
	case 'GET uploads': return lines([...s3.buckets.values()].filter(b => q.bucket === undefined || b.name === q.bucket)
		.flatMap(b => [...b.uploads.values()].map(u => ({ bucket: b.name, key: toText(u.key), id: u.id, started: u.started,
			parts: [...u.parts.values()].map(({ number, size }) => ({ number, size })) }))));
	case 'GET events': return lines(s3.events.filter(e => (q.bucket === undefined || e.bucket === q.bucket) &&
		(q.all || notified(s3.buckets.get(e.bucket)?.notification ?? [], e.key, e.event))).map(e => eventOf(e, config)));
	case 'GET keys': return lines([...keyring.keys.values()].map(({ secret, ...key }) => ({ ...key,
		expires: Number.isFinite(key.expires) ? key.expires : null })));
	case 'POST keys': {
		const { id, secret, token, life_s: life } = input();
		const expires = life === undefined ? Infinity : world.now() + life * 1000;
		const key = id ? keyring.add(id, secret, { token: token ?? null, expires }) : keyring.issue(expires, 'control');
		return json({ id: key.id, secret: key.secret, token: key.token });
	}
	case 'DELETE keys': return json({ gone: keyring.revoke(q.id) });
	case 'GET secrets': return lines([...holding(world, q.word)]);
	case 'POST reset': await world.reset(); return json({});
	default: {
		const answer = r.path.startsWith('/_emul/snowflake/') ? await world.snowflake.control(r, r.method === 'GET' ? {} : input()) : undefined;
		if (answer)
			return answer;
		throw new HttpError(404, 'NotFound', `no such control call: ${r.method} ${r.path}`);
	}
	}
}

// As SQS, SNS and Lambda get it: the key is form-encoded.
function eventOf(e, config) {
	return { Records: [{ eventVersion: '2.1', eventSource: 'aws:s3', awsRegion: config.region,
		eventTime: new Date(e.at).toISOString(), eventName: e.event, userIdentity: { principalId: 'AWS:RIVER' },
		requestParameters: { sourceIPAddress: '127.0.0.1' }, responseElements: {},
		s3: { s3SchemaVersion: '1.0', configurationId: 'river', bucket: { name: e.bucket, ownerIdentity: { principalId: 'RIVER' },
			arn: `arn:aws:s3:::${e.bucket}` }, object: { key: encodeBytes(e.key, true).replace(/%20/g, '+'), size: e.size,
			eTag: e.etag, sequencer: e.at.toString(16).toUpperCase().padStart(18, '0') } } }] };
}

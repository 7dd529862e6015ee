// Amazon S3: buckets, objects, conditions, checksums, lists, notifications. s3-multipart.mjs has uploads in
// parts. Keys are strings of bytes (request.mjs), so that they sort as S3 sorts them.

import { createHash, createHmac, randomBytes } from 'node:crypto';
import { ALGORITHMS, summer, sum } from './checksum.mjs';
import { ChunkDecoder, SignatureError } from './sigv4-verify.mjs';
import { HttpError, childText, childrenOf, decodeBytes, encodeBytes, escapeXml, parseXml, toBytes, toText,
	xmlDocument } from './request.mjs';
import * as multipart from './s3-multipart.mjs';
import { checkNotification, notificationXml } from './s3-notification.mjs';

export const NAMESPACE = 'http://s3.amazonaws.com/doc/2006-03-01/';
const STORED = /^(content-type|content-encoding|content-disposition|content-language|cache-control|expires|x-amz-meta-.*|x-amz-storage-class)$/;

export const xmlAnswer = (root, tree, headers = {}) => ({ status: 200,
	headers: { 'Content-Type': 'application/xml', ...headers }, body: xmlDocument(root, tree, NAMESPACE) });
const quoted = etag => `"${etag}"`;

// ---- which bucket, key and operation
const HOSTED = /^(.+)\.(?:s3[.-][a-z0-9.-]*amazonaws\.com|s3\.amazonaws\.com|localhost)(?::\d+)?$/i;

export function route(r) {
	const hosted = HOSTED.exec(r.host);
	const path = r.path.slice(1);
	if (hosted) {
		r.bucket = hosted[1];
		r.key = path;
	} else {
		const at = path.indexOf('/');
		r.bucket = at < 0 ? path : path.slice(0, at);
		r.key = at < 0 ? '' : path.slice(at + 1);
	}
	r.op = operation(r);
}

function operation({ method, query: q, bucket, key, headers }) {
	if (bucket === '')
		return method === 'GET' ? 'ListBuckets' : 'Unknown';
	if (key === '') {
		const config = ['notification', 'location', 'uploads', 'versioning', 'acl', 'policy', 'lifecycle', 'delete',
			'object-lock', 'encryption', 'versions', 'cors', 'tagging', 'website', 'ownershipControls', 'publicAccessBlock',
			'requestPayment', 'logging', 'policyStatus'].find(name => name in q);
		const word = method[0] + method.slice(1).toLowerCase();
		switch (config) {
		case 'notification': return `${word}BucketNotificationConfiguration`;
		case 'location': return 'GetBucketLocation';
		case 'uploads': return 'ListMultipartUploads';
		case 'delete': return 'DeleteObjects';
		case 'versions': return 'ListObjectVersions';
		case undefined: break;
		default: return `${word}Bucket${config[0].toUpperCase()}${config.slice(1)}`;
		}
		return { GET: q['list-type'] === '2' ? 'ListObjectsV2' : 'ListObjects', HEAD: 'HeadBucket', PUT: 'CreateBucket',
			DELETE: 'DeleteBucket' }[method] ?? 'Unknown';
	}
	if ('uploads' in q && method === 'POST')
		return 'CreateMultipartUpload';
	if ('uploadId' in q)
		return { PUT: headers['x-amz-copy-source'] ? 'UploadPartCopy' : 'UploadPart', POST: 'CompleteMultipartUpload',
			DELETE: 'AbortMultipartUpload', GET: 'ListParts' }[method] ?? 'Unknown';
	if ('acl' in q || 'tagging' in q)
		return `${method[0]}${method.slice(1).toLowerCase()}Object${'acl' in q ? 'Acl' : 'Tagging'}`;
	return { GET: 'GetObject', HEAD: 'HeadObject', DELETE: 'DeleteObject',
		PUT: headers['x-amz-copy-source'] ? 'CopyObject' : 'PutObject' }[method] ?? 'Unknown';
}

// ---- bodies
// Reads a body for storing: its bytes (when they are kept), size, MD5, and checksums, one of which the client
// may have sent in a header or a trailer. Verified against all that was said about it.
export async function readObject(r, req, signing, { keep, extra = [] }) {
	const h = r.headers, hash = h['x-amz-content-sha256'] ?? 'UNSIGNED-PAYLOAD', chunked = hash.startsWith('STREAMING-');
	const said = Object.keys(h).filter(name => name.slice(0, 15) === 'x-amz-checksum-' && name.slice(15) in ALGORITHMS);
	const trailer = chunked && hash.endsWith('-TRAILER') ? (h['x-amz-trailer'] ?? '').toLowerCase() : '';
	if (said.length > 1 || (said.length && trailer))
		throw new HttpError(400, 'InvalidRequest', 'Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.');
	for (const name of Object.keys(h))
		if (/^x-amz-checksum-/.test(name) && !['algorithm', 'type', 'mode'].includes(name.slice(15)) && !(name.slice(15) in ALGORITHMS))
			throw new HttpError(400, 'InvalidRequest', `The algorithm type you specified in ${name} is invalid.`);
	if (h['x-amz-sdk-checksum-algorithm'] && !said.length && !trailer)
		throw new HttpError(400, 'InvalidRequest', 'x-amz-sdk-checksum-algorithm specified, but no corresponding ' +
			'x-amz-checksum-* or x-amz-trailer headers were found.');
	const algorithm = said.length ? said[0].slice(15) : trailer ? trailer.replace('x-amz-checksum-', '') : null;
	if (algorithm && !(algorithm in ALGORITHMS))
		throw new HttpError(400, 'InvalidRequest', `no such checksum: ${algorithm}`);
	if (said.length && Buffer.from(h[said[0]], 'base64').length !== ALGORITHMS[algorithm].bytes)
		throw new HttpError(400, 'InvalidRequest', `Value for ${said[0]} header is invalid.`);

	const pieces = [], md5 = createHash('md5'), sha256 = /^[0-9a-f]{64}$/.test(hash) ? createHash('sha256') : null;
	const sums = Object.fromEntries([...new Set([algorithm, ...extra].filter(Boolean))].map(name => [name, summer(name)]));
	let size = 0;
	const take = bytes => {
		size += bytes.length;
		if (size > 5 * 2 ** 30)
			throw new HttpError(400, 'EntityTooLarge', 'Your proposed upload exceeds the maximum allowed size');
		md5.update(bytes);
		for (const one of Object.values(sums))
			one.update(bytes);
		if (keep)
			pieces.push(bytes);
	};
	const decoder = chunked ? new ChunkDecoder(take, hash.startsWith('STREAMING-AWS4-HMAC') ? signing : null,
		hash.endsWith('-TRAILER')) : null;
	// the body is read to its end whatever is found in it, so that the answer can be read
	let wrong = null;
	for await (const piece of req) {
		r.bodyBytes = (r.bodyBytes ?? 0) + piece.length;
		await r.pace?.(piece.length);
		try {
			sha256?.update(piece);
			if (!wrong)
				decoder ? decoder.write(piece) : take(piece);
		} catch (error) {
			wrong = error;
		}
	}
	try {
		if (wrong)
			throw wrong;
		decoder?.finish();
	} catch (error) {
		if (error instanceof SignatureError && error.kind === 'chunk')
			throw new HttpError(400, 'IncompleteBody', `The request body terminated unexpectedly: ${error.message}`);
		throw error;
	}
	if (decoder && Number(h['x-amz-decoded-content-length']) !== size)
		throw new HttpError(400, 'IncompleteBody', 'You did not provide the number of bytes specified by the x-amz-decoded-content-length HTTP header');
	if (sha256 && sha256.digest('hex') !== hash)
		throw new HttpError(400, 'XAmzContentSHA256Mismatch', "The provided 'x-amz-content-sha256' header does not match what was computed.",
			{ ClientComputedContentSHA256: hash });
	const md5hex = md5.digest('hex');
	if (h['content-md5'] !== undefined) {
		const wanted = Buffer.from(h['content-md5'], 'base64');
		if (wanted.length !== 16)
			throw new HttpError(400, 'InvalidDigest', 'The Content-MD5 you specified was invalid.');
		if (wanted.toString('hex') !== md5hex)
			throw new HttpError(400, 'BadDigest', 'The Content-MD5 you specified did not match what we received.');
	}
	const checksums = {};
	for (const [name, one] of Object.entries(sums))
		checksums[name] = one.digest();
	if (algorithm) {
		const value = said.length ? h[said[0]] : decoder.trailers[trailer];
		if (value !== checksums[algorithm].toString('base64'))
			throw new HttpError(400, 'BadDigest', `The ${algorithm.toUpperCase()} you specified did not match the calculated checksum.`);
	}
	return { bytes: keep ? Buffer.concat(pieces) : null, size, md5: md5hex, checksums, algorithm };
}

// A small body that S3 reads as XML, checked like an object's.
async function readXml(r, req, signing, needsIntegrity) {
	const body = await readObject(r, req, signing, { keep: true });
	if (needsIntegrity && !body.algorithm && r.headers['content-md5'] === undefined)
		throw new HttpError(400, 'InvalidRequest', 'Missing required header for this request: Content-MD5 OR x-amz-checksum-*');
	return body.bytes.toString('utf8');
}

export class S3 {
	buckets = new Map();
	events = [];
	// world: config, now(), script
	constructor(world) {
		this.world = world;
	}
	reset() {
		this.buckets.clear();
		this.events = [];
	}
	makeBucket(name, region) {
		const bucket = { name, region: region ?? this.world.config.region, created: this.world.now(), objects: new Map(),
			sorted: null, uploads: new Map(), notification: [] };
		this.buckets.set(name, bucket);
		return bucket;
	}
	bucket(name) {
		const bucket = this.buckets.get(name);
		if (!bucket)
			throw new HttpError(404, 'NoSuchBucket', 'The specified bucket does not exist', { BucketName: name });
		return bucket;
	}
	keys(bucket) {
		return bucket.sorted ??= [...bucket.objects.keys()].sort();
	}
	// Every way by which an object comes to be ends here.
	store(bucket, object, event) {
		if (!bucket.objects.has(object.key))
			bucket.sorted = null;
		object.modified = this.world.now();
		bucket.objects.set(object.key, object);
		if (this.events.length < 100000)
			this.events.push({ bucket: bucket.name, key: object.key, size: object.size, etag: object.etag, event,
				at: object.modified });
		this.world.snowflake.onObject(bucket.name, object.key, object.size);
		return object;
	}
	// What Firehose writes.
	deliver(name, key, bytes) {
		this.store(this.bucket(name), { key, size: bytes.length, bytes: this.world.config.keep_objects ? bytes : null,
			etag: createHash('md5').update(bytes).digest('hex'), headers: { 'content-type': 'application/octet-stream' },
			checksums: { crc64nvme: sum('crc64nvme', bytes).toString('base64') }, type: 'FULL_OBJECT' }, 'ObjectCreated:Put');
	}

	async call(r, req, signing, rule) {
		if (r.op === 'Unknown')
			throw new HttpError(405, 'MethodNotAllowed', 'The specified method is not allowed against this resource.',
				{ Method: r.method });
		if (Buffer.from(toText(r.key), 'utf8').toString('latin1') !== r.key)
			throw new HttpError(400, 'InvalidURI', "Couldn't parse the specified URI.");
		if (r.key.length > 1024)
			throw new HttpError(400, 'KeyTooLongError', 'Your key is too long', { Size: r.key.length, MaxSizeAllowed: 1024 });
		if (['PUT', 'POST'].includes(r.method) && r.headers['content-length'] === undefined &&
		    !(r.headers['x-amz-decoded-content-length'] && r.headers['transfer-encoding']))
			throw new HttpError(411, 'MissingContentLength', 'You must provide the Content-Length HTTP header.');
		if (r.op === 'ListBuckets')
			return xmlAnswer('ListAllMyBucketsResult', { Owner: OWNER, Buckets: { Bucket: [...this.buckets.values()]
				.map(b => ({ Name: b.name, CreationDate: new Date(b.created).toISOString() })) } });
		if (r.op === 'CreateBucket')
			return this.createBucket(r, req, signing);
		const bucket = this.bucket(r.bucket);
		this.checkRegion(r, bucket);
		const handler = this[r.op] ?? multipart[r.op];
		if (!handler)
			return this.plain(r, bucket);
		return handler === this[r.op] ? handler.call(this, r, bucket, req, signing, rule)
			: handler(this, r, bucket, req, signing, rule);
	}
	// A bucket of another region: 301, or 400 with the region, as config.region_error says.
	checkRegion(r, bucket) {
		if (!r.region || r.region === bucket.region || this.world.config.region === 'any')
			return;
		const headers = { 'x-amz-bucket-region': bucket.region };
		if (this.world.config.region_error === 400)
			throw new HttpError(400, 'AuthorizationHeaderMalformed', `The authorization header is malformed; the region ` +
				`'${r.region}' is wrong; expecting '${bucket.region}'`, { Region: bucket.region }, headers);
		throw new HttpError(301, 'PermanentRedirect', 'The bucket you are attempting to access must be addressed using ' +
			'the specified endpoint. Please send all future requests to this endpoint.',
			{ Endpoint: `s3.${bucket.region}.amazonaws.com`, Bucket: bucket.name }, headers);
	}
	// Configurations that clients look at, and that are never there.
	plain(r, bucket) {
		switch (r.op) {
		case 'GetBucketVersioning': return xmlAnswer('VersioningConfiguration', {});
		case 'GetBucketAcl': case 'GetObjectAcl':
			return xmlAnswer('AccessControlPolicy', { Owner: OWNER, AccessControlList: '' });
		case 'GetBucketPolicy': throw new HttpError(404, 'NoSuchBucketPolicy', 'The bucket policy does not exist');
		case 'GetBucketLifecycle':
			throw new HttpError(404, 'NoSuchLifecycleConfiguration', 'The lifecycle configuration does not exist');
		case 'GetBucketRequestPayment': return xmlAnswer('RequestPaymentConfiguration', { Payer: 'BucketOwner' });
		default:
			throw new HttpError(501, 'NotImplemented', `A header or operation you provided implies functionality that is ` +
				`not implemented: ${r.op} on ${bucket.name}`);
		}
	}

	// ---- buckets
	async createBucket(r, req, signing) {
		const text = await readXml(r, req, signing, false);
		const region = text.trim() ? childText(parseXml(text), 'LocationConstraint') : undefined;
		if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(r.bucket))
			throw new HttpError(400, 'InvalidBucketName', 'The specified bucket is not valid.', { BucketName: r.bucket });
		if (this.buckets.has(r.bucket))
			throw new HttpError(409, 'BucketAlreadyOwnedByYou', 'Your previous request to create the named bucket succeeded and you already own it.');
		this.makeBucket(r.bucket, region || (this.world.config.region === 'any' ? r.region : undefined));
		return { status: 200, headers: { Location: `/${r.bucket}` } };
	}
	HeadBucket(r, bucket) {
		return { status: 200, headers: { 'x-amz-bucket-region': bucket.region } };
	}
	DeleteBucket(r, bucket) {
		if (bucket.objects.size)
			throw new HttpError(409, 'BucketNotEmpty', 'The bucket you tried to delete is not empty');
		this.buckets.delete(bucket.name);
		return { status: 204, headers: {} };
	}
	GetBucketLocation(r, bucket) {
		return { status: 200, headers: { 'Content-Type': 'application/xml' }, body: '<?xml version="1.0" encoding="UTF-8"?>\n' +
			`<LocationConstraint xmlns="${NAMESPACE}">${bucket.region === 'us-east-1' ? '' : escapeXml(bucket.region)}</LocationConstraint>` };
	}
	GetBucketNotificationConfiguration(r, bucket) {
		return xmlAnswer('NotificationConfiguration', notificationXml(bucket.notification));
	}
	async PutBucketNotificationConfiguration(r, bucket, req, signing) {
		const root = parseXml(await readXml(r, req, signing, false));
		bucket.notification = checkNotification(root, this.world.config, r.headers['x-amz-skip-destination-validation'] === 'true');
		return { status: 200, headers: {} };
	}

	// ---- objects
	// Conditions of a write. Only * is taken for If-None-Match.
	checkWrite(r, bucket) {
		const old = bucket.objects.get(r.key), none = r.headers['if-none-match'], match = r.headers['if-match'];
		if (this.world.config.conditional_writes === 'ignored')
			return;
		if ((none !== undefined || match !== undefined) && this.world.config.conditional_writes === 'refused')
			throw new HttpError(501, 'NotImplemented', 'A header you provided implies functionality that is not implemented',
				{ Header: none === undefined ? 'If-Match' : 'If-None-Match' });
		if (none !== undefined && none !== '*')
			throw new HttpError(501, 'NotImplemented', 'A header you provided implies functionality that is not implemented',
				{ Header: 'If-None-Match', additionalMessage: 'We don\'t accept the provided value of If-None-Match header for this API' });
		if (none !== undefined && old)
			throw new HttpError(412, 'PreconditionFailed', 'At least one of the pre-conditions you specified did not hold',
				{ Condition: 'If-None-Match' });
		if (match !== undefined && !old)
			throw new HttpError(404, 'NoSuchKey', 'The specified key does not exist.', { Key: toText(r.key) });
		if (match !== undefined && match !== '*' && match.replaceAll('"', '') !== old.etag)
			throw new HttpError(412, 'PreconditionFailed', 'At least one of the pre-conditions you specified did not hold',
				{ Condition: 'If-Match' });
	}
	headersOf(r) {
		const kept = {};
		let meta = 0;
		for (const [name, value] of Object.entries(r.headers))
			if (STORED.test(name)) {
				kept[name] = name === 'content-encoding' ? value.split(',').map(s => s.trim()).filter(s => s !== 'aws-chunked').join(',') : value;
				if (name.startsWith('x-amz-meta-'))
					meta += name.length - 11 + value.length;
				if (kept[name] === '')
					delete kept[name];
			}
		if (meta > 2048)
			throw new HttpError(400, 'MetadataTooLarge', 'Your metadata headers exceed the maximum allowed metadata size', { Size: meta, MaxSizeAllowed: 2048 });
		return { 'content-type': 'binary/octet-stream', ...kept };
	}
	async PutObject(r, bucket, req, signing) {
		const headers = this.headersOf(r);
		const body = await readObject(r, req, signing, { keep: this.world.config.keep_objects,
			extra: Object.keys(r.headers).some(n => n.startsWith('x-amz-checksum-crc')) ? [] : ['crc64nvme'] });
		this.checkWrite(r, bucket);
		const name = body.algorithm ?? 'crc64nvme';
		const object = this.store(bucket, { key: r.key, size: body.size, bytes: body.bytes, etag: body.md5, headers,
			checksums: { [name]: body.checksums[name].toString('base64') }, type: 'FULL_OBJECT' }, 'ObjectCreated:Put');
		return { status: 200, headers: { ETag: quoted(object.etag), ...checksumHeaders(object), 'x-amz-server-side-encryption': 'AES256' } };
	}
	object(r, bucket) {
		const object = bucket.objects.get(r.key);
		if (!object)
			throw new HttpError(404, 'NoSuchKey', 'The specified key does not exist.', { Key: toText(r.key) });
		return object;
	}
	// Conditions of a read: null, or the answer that says they do not hold.
	checkRead(r, object) {
		const h = r.headers, same = list => list.trim() === '*' || list.split(',').some(e => e.trim().replaceAll('"', '') === object.etag);
		const seconds = Math.floor(object.modified / 1000) * 1000;
		if (h['if-match'] !== undefined ? !same(h['if-match'])
			: h['if-unmodified-since'] !== undefined && seconds > Date.parse(h['if-unmodified-since']))
			throw new HttpError(412, 'PreconditionFailed', 'At least one of the pre-conditions you specified did not hold',
				{ Condition: h['if-match'] !== undefined ? 'If-Match' : 'If-Unmodified-Since' });
		if (h['if-none-match'] !== undefined ? same(h['if-none-match'])
			: h['if-modified-since'] !== undefined && seconds <= Date.parse(h['if-modified-since']))
			return { status: 304, headers: { ETag: quoted(object.etag), 'Last-Modified': new Date(object.modified).toUTCString() } };
		return null;
	}
	GetObject(r, bucket) {
		const object = this.object(r, bucket), stop = this.checkRead(r, object);
		if (stop)
			return stop;
		const headers = { ...object.headers, ETag: quoted(object.etag), 'Last-Modified': new Date(object.modified).toUTCString(),
			'Accept-Ranges': 'bytes' };
		for (const [name, value] of Object.entries(r.query))
			if (name.startsWith('response-'))
				headers[name.slice(9)] = value;
		let from = 0, to = object.size, status = 200;
		const range = /^bytes=(\d*)-(\d*)$/.exec(r.headers.range ?? '');
		if (r.query.partNumber !== undefined) {
			const n = Number(r.query.partNumber), parts = object.parts ?? [object.size];
			if (range || !(n >= 1 && n <= parts.length))
				throw new HttpError(416, 'InvalidPartNumber', 'The requested partnumber is not satisfiable');
			from = parts.slice(0, n - 1).reduce((a, b) => a + b, 0);
			to = from + parts[n - 1];
			status = 206;
			headers['x-amz-mp-parts-count'] = String(parts.length);
		} else if (range && (range[1] || range[2])) {
			if (range[1])
				[from, to] = [Number(range[1]), range[2] ? Math.min(Number(range[2]) + 1, object.size) : object.size];
			else
				from = Math.max(0, object.size - Number(range[2]));
			if (range[1] && range[2] && Number(range[2]) < Number(range[1]))
				[from, to] = [0, object.size]; // not a range: ignored
			else if (from >= object.size || range[2] === '0' && !range[1])
				throw new HttpError(416, 'InvalidRange', 'The requested range is not satisfiable',
					{ RangeRequested: r.headers.range, ActualObjectSize: object.size }, { 'Content-Range': `bytes */${object.size}` });
			else
				status = 206;
		}
		if (status === 206)
			headers['Content-Range'] = `bytes ${from}-${to - 1}/${object.size}`;
		if (r.headers['x-amz-checksum-mode'] === 'ENABLED' && (status === 200 || to - from === object.size))
			Object.assign(headers, checksumHeaders(object));
		if (r.method === 'HEAD')
			return { status, headers: { ...headers, 'Content-Length': String(to - from) } };
		if (object.bytes === null)
			throw new HttpError(500, 'InternalError', 'contents are not kept here (keep_objects)');
		return { status, headers, body: object.bytes.subarray(from, to) };
	}
	HeadObject(r, bucket) {
		return this.GetObject(r, bucket);
	}
	DeleteObject(r, bucket) {
		const old = bucket.objects.get(r.key), match = r.headers['if-match'];
		if (match !== undefined && (!old || (match !== '*' && match.replaceAll('"', '') !== old.etag)))
			throw old ? new HttpError(412, 'PreconditionFailed', 'At least one of the pre-conditions you specified did not hold', { Condition: 'If-Match' })
				: new HttpError(404, 'NoSuchKey', 'The specified key does not exist.');
		this.remove(bucket, r.key);
		return { status: 204, headers: {} };
	}
	remove(bucket, key) {
		if (bucket.objects.delete(key))
			bucket.sorted = null;
	}
	async DeleteObjects(r, bucket, req, signing) {
		const root = parseXml(await readXml(r, req, signing, true)), quiet = childText(root, 'Quiet') === 'true';
		const keys = childrenOf(root, 'Object').map(o => toBytes(childText(o, 'Key') ?? ''));
		if (root.name !== 'Delete' || keys.length < 1 || keys.length > 1000)
			throw new HttpError(400, 'MalformedXML', 'The XML you provided was not well-formed or did not validate against our published schema');
		for (const key of keys)
			this.remove(bucket, key);
		return xmlAnswer('DeleteResult', quiet ? {} : { Deleted: keys.map(key => ({ Key: toText(key) })) });
	}
	async CopyObject(r, bucket, req) {
		for await (const _ of req) {
			// a copy has no body
		}
		const { source } = this.copySource(r);
		const replace = r.headers['x-amz-metadata-directive'] === 'REPLACE';
		if (source === bucket.objects.get(r.key) && !replace)
			throw new HttpError(400, 'InvalidRequest', 'This copy request is illegal because it is trying to copy an object to itself without changing the object\'s metadata, storage class, website redirect location or encryption attributes.');
		this.checkWrite(r, bucket);
		const object = this.store(bucket, { ...source, key: r.key, headers: replace ? this.headersOf(r) : source.headers },
			'ObjectCreated:Copy');
		return xmlAnswer('CopyObjectResult', { LastModified: new Date(object.modified).toISOString(), ETag: quoted(object.etag),
			...checksumXml(object) });
	}
	copySource(r) {
		const m = /^\/?([^/]+)\/(.+?)(?:\?versionId=.*)?$/s.exec(decodeBytes(r.headers['x-amz-copy-source']));
		if (!m)
			throw new HttpError(400, 'InvalidArgument', 'Invalid copy source object key');
		const source = this.bucket(m[1]).objects.get(m[2]);
		if (!source)
			throw new HttpError(404, 'NoSuchKey', 'The specified key does not exist.', { Key: toText(m[2]) });
		const match = r.headers['x-amz-copy-source-if-match'];
		if (match !== undefined && match.replaceAll('"', '') !== source.etag)
			throw new HttpError(412, 'PreconditionFailed', 'At least one of the pre-conditions you specified did not hold');
		return { source };
	}

	// ---- lists
	ListObjects(r, bucket, req, signing, rule) {
		return this.listPage(r, bucket, rule, 1);
	}
	ListObjectsV2(r, bucket, req, signing, rule) {
		return this.listPage(r, bucket, rule, 2);
	}
	listPage(r, bucket, rule, version) {
		const q = r.query, prefix = toBytes(q.prefix ?? ''), delimiter = toBytes(q.delimiter ?? '');
		if (q['max-keys'] !== undefined && !/^\d+$/.test(q['max-keys']))
			throw new HttpError(400, 'InvalidArgument', 'Provided max-keys not an integer or within integer range');
		const max = Math.min(Number(q['max-keys'] ?? 1000), this.world.config.list_page);
		let after = version === 1 ? toBytes(q.marker ?? '') : toBytes(q['start-after'] ?? '');
		if (q['continuation-token'] !== undefined)
			after = this.untoken(q['continuation-token']);
		const keys = this.keys(bucket), contents = [], folders = [];
		let last = after, truncated = false, i = firstAfter(keys, after > prefix ? after : prefix, after >= prefix && after !== '');
		const empty = rule?.do === 'empty_page';
		for (; i < keys.length && keys[i].startsWith(prefix); i++) {
			const cut = delimiter === '' ? -1 : keys[i].indexOf(delimiter, prefix.length);
			const folder = cut < 0 ? null : keys[i].slice(0, cut + delimiter.length);
			if (folder !== null && folder === folders[folders.length - 1])
				continue;
			if (folder !== null && folder === after)
				continue; // it was on the page before
			if (empty || contents.length + folders.length >= max) {
				truncated = max > 0;
				break;
			}
			if (folder === null)
				contents.push(bucket.objects.get(keys[i]));
			else
				folders.push(folder);
			last = folder ?? keys[i];
		}
		const name = q['encoding-type'] === 'url' ? bytes => encodeBytes(bytes, true).replace(/%20/g, '+') : toText;
		const tree = { Name: bucket.name, Prefix: name(prefix), Marker: version === 1 ? name(after) : undefined,
			StartAfter: version === 2 && q['start-after'] !== undefined ? name(toBytes(q['start-after'])) : undefined,
			ContinuationToken: q['continuation-token'], KeyCount: version === 2 ? contents.length + folders.length : undefined,
			MaxKeys: Number(q['max-keys'] ?? 1000), Delimiter: delimiter === '' ? undefined : name(delimiter),
			EncodingType: q['encoding-type'], IsTruncated: truncated,
			NextContinuationToken: truncated && version === 2 ? this.token(last) : undefined,
			NextMarker: truncated && version === 1 && delimiter !== '' ? name(last) : undefined,
			Contents: contents.map(o => ({ Key: name(o.key), LastModified: new Date(o.modified).toISOString(), ETag: quoted(o.etag),
				ChecksumAlgorithm: Object.keys(o.checksums).map(n => n.toUpperCase()), ChecksumType: o.type, Size: o.size,
				Owner: q['fetch-owner'] === 'true' || version === 1 ? OWNER : undefined, StorageClass: 'STANDARD' })),
			CommonPrefixes: folders.map(f => ({ Prefix: name(f) })) };
		return xmlAnswer('ListBucketResult', tree);
	}
	// Opaque, and with +, / and = in it now and then, as the real ones.
	token(last) {
		const text = Buffer.from(last, 'latin1');
		return '1+/' + Buffer.concat([createHmac('md5', TOKEN_SECRET).update(text).digest(), text]).toString('base64') + '=';
	}
	untoken(token) {
		const all = Buffer.from(token.slice(3, -1), 'base64'), text = all.subarray(16);
		if (!token.startsWith('1+/') || !createHmac('md5', TOKEN_SECRET).update(text).digest().equals(all.subarray(0, 16)))
			throw new HttpError(400, 'InvalidArgument', 'The continuation token provided is incorrect');
		return text.toString('latin1');
	}
}

const TOKEN_SECRET = randomBytes(16);
export const OWNER = { ID: '75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a', DisplayName: 'river' };

export function checksumHeaders(object) {
	const out = {};
	for (const [name, value] of Object.entries(object.checksums))
		out[`x-amz-checksum-${name}`] = value;
	if (object.type)
		out['x-amz-checksum-type'] = object.type;
	return out;
}
export function checksumXml(object) {
	const out = {};
	for (const [name, value] of Object.entries(object.checksums))
		out[ALGORITHMS[name].xml] = value;
	return object.type ? { ...out, ChecksumType: object.type } : out;
}

function firstAfter(keys, start, exclusive) {
	let low = 0, high = keys.length;
	while (low < high) {
		const middle = (low + high) >> 1;
		if (keys[middle] < start || (exclusive && keys[middle] === start))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

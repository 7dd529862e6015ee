// S3, asked by AWS's own client and by hand-signed requests.

import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { Readable } from 'node:stream';
import { AbortMultipartUploadCommand, CompleteMultipartUploadCommand, CopyObjectCommand, CreateBucketCommand,
	CreateMultipartUploadCommand, DeleteObjectCommand, DeleteObjectsCommand, GetBucketLocationCommand,
	GetBucketNotificationConfigurationCommand, GetObjectCommand, HeadBucketCommand, HeadObjectCommand, ListMultipartUploadsCommand,
	ListObjectsV2Command, ListPartsCommand, PutBucketNotificationConfigurationCommand, PutObjectCommand, UploadPartCommand,
	UploadPartCopyCommand } from '@aws-sdk/client-s3';
import { combine, sum } from './checksum.mjs';
import { codeIn, control, credentials, nameOf, raw, s3, script, signed, signer, url } from './client.mjs';

const client = s3(), Bucket = 'lake';
const send = (Command, input, c = client) => c.send(new Command({ Bucket, ...input }));
const fresh = async () => {
	await control('POST', 'reset');
	await control('POST', 'bucket', { name: Bucket });
};
const text = async answer => answer.Body.transformToString();
const b64 = (name, bytes) => sum(name, Buffer.from(bytes)).toString('base64');
const hash = bytes => createHash('sha256').update(bytes).digest('hex');

export async function checksums() {
	for (const [name, digits, hello, empty] of [['crc32', 'y/Q5Jg==', 'NjowIA==', 'AAAAAA=='], ['crc32c', '4waSgw==', 'NT3Yvg==', 'AAAAAA=='],
		['crc64nvme', 'rosUhgp5mIg=', 'akP7S61aVgc=', 'AAAAAAAAAAA=']]) {
		assert.deepEqual([b64(name, '123456789'), b64(name, 'hello\n'), b64(name, '')], [digits, hello, empty]);
		const a = Buffer.alloc(10007, 'abc'), b = Buffer.alloc(70001, 'xyz');
		assert.ok(combine(name, sum(name, a), sum(name, b), b.length).equals(sum(name, Buffer.concat([a, b]))));
	}
	await fresh();
	const Body = 'hello\n';
	for (const [field, name] of [['ChecksumCRC32', 'crc32'], ['ChecksumCRC32C', 'crc32c'], ['ChecksumCRC64NVME', 'crc64nvme'],
		['ChecksumSHA1', 'sha1'], ['ChecksumSHA256', 'sha256']]) {
		const put = await send(PutObjectCommand, { Key: name, Body, [field]: b64(name, Body) });
		assert.equal(put[field], b64(name, Body));
		assert.equal(put.ChecksumType, 'FULL_OBJECT');
		assert.equal(await nameOf(send(PutObjectCommand, { Key: name, Body, [field]: b64(name, 'other') })), 'BadDigest');
		const head = await send(HeadObjectCommand, { Key: name, ChecksumMode: 'ENABLED' });
		assert.equal(head[field], b64(name, Body));
		assert.equal((await send(HeadObjectCommand, { Key: name }))[field], undefined);
		assert.equal(await text(await send(GetObjectCommand, { Key: name, ChecksumMode: 'ENABLED' })), Body);
	}
	const put = (headers, body = Body) => signed('s3', { method: 'PUT', path: '/lake/k', headers: { 'x-amz-content-sha256': hash(Body), ...headers }, body });
	const none = await put({});
	assert.equal(none.headers['x-amz-checksum-crc64nvme'], 'akP7S61aVgc=');
	assert.equal(none.headers.etag, `"${createHash('md5').update(Body).digest('hex')}"`);
	assert.equal(codeIn(await put({ 'x-amz-checksum-crc32c': 'NT3Yvg==', 'x-amz-checksum-crc32': 'NjowIA==' })), 'InvalidRequest');
	assert.equal(codeIn(await put({ 'x-amz-checksum-crc32c': 'NT3Y' })), 'InvalidRequest');
	assert.equal(codeIn(await put({ 'x-amz-sdk-checksum-algorithm': 'CRC32C' })), 'InvalidRequest');
	assert.equal(codeIn(await put({ 'content-md5': 'AAAAAAAAAAAAAAAAAAAAAA==' })), 'BadDigest');
	assert.equal(codeIn(await put({ 'content-md5': 'AAAA' })), 'InvalidDigest');
	assert.equal(codeIn(await put({}, 'hello!')), 'XAmzContentSHA256Mismatch');
}

// Bodies whose length is not known beforehand come in chunks with a trailer.
export async function chunkedBodies() {
	await fresh();
	const bytes = Buffer.alloc(300000, 'chunk');
	const pieces = () => Readable.from([bytes.subarray(0, 100000), bytes.subarray(100000)]);
	const put = await send(PutObjectCommand, { Key: 'a', Body: pieces(), ContentLength: bytes.length, ChecksumAlgorithm: 'CRC32C' });
	assert.equal(put.ChecksumCRC32C, b64('crc32c', bytes));
	assert.equal((await control('GET', 'objects'))[0].size, bytes.length);
	assert.equal(await control('GET', 'object?bucket=lake&key=a'), bytes.toString());
	const encoded = trailer => `5\r\nhello\r\n1\r\n\n\r\n0\r\n${trailer}\r\n`;
	const chunked = (body, length = 6) => signed('s3', { method: 'PUT', path: '/lake/b', body, headers: {
		'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER', 'x-amz-trailer': 'x-amz-checksum-crc32c',
		'content-encoding': 'aws-chunked', 'x-amz-decoded-content-length': String(length) } });
	assert.equal((await chunked(encoded('x-amz-checksum-crc32c:NT3Yvg==\r\n'))).status, 200);
	assert.equal(codeIn(await chunked(encoded('x-amz-checksum-crc32c:AAAAAA==\r\n'))), 'BadDigest');
	assert.equal(codeIn(await chunked(encoded(''))), 'BadDigest');
	assert.equal(codeIn(await chunked('5\r\nhello\r\n1\r\n\n\r\n')), 'IncompleteBody');
	assert.equal(codeIn(await chunked(encoded('x-amz-checksum-crc32c:NT3Yvg==\r\n'), 7)), 'IncompleteBody');
	const stored = (await control('GET', 'objects')).find(object => object.key === 'b');
	assert.equal(stored.headers['content-encoding'], undefined);
	// chunk signatures: the seed is the header's, each next is of the one before
	const chunkSigned = async spoil => {
		const body = bytes.subarray(0, 70000), chunks = [body.subarray(0, 65536), body.subarray(65536), Buffer.alloc(0)];
		const encodedLength = chunks.reduce((n, chunk) => n + chunk.length.toString(16).length + 85 + chunk.length, 0);
		return signed('s3', { method: 'PUT', path: '/lake/c', headers: { 'content-length': String(encodedLength), 'content-encoding': 'aws-chunked',
			'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD', 'x-amz-decoded-content-length': '70000' } }, {}, request => {
			const date = request.headers['x-amz-date'], scope = `${date.slice(0, 8)}/us-east-1/s3/aws4_request`;
			let key = `AWS4${credentials.secretAccessKey}`;
			for (const part of [date.slice(0, 8), 'us-east-1', 's3', 'aws4_request'])
				key = createHmac('sha256', key).update(part).digest();
			let previous = /Signature=(\w+)/.exec(request.headers.authorization)[1];
			const out = [];
			for (const piece of chunks) {
				previous = createHmac('sha256', key).update(['AWS4-HMAC-SHA256-PAYLOAD', date, scope, previous, hash(''), hash(piece)].join('\n')).digest('hex');
				out.push(Buffer.from(`${piece.length.toString(16)};chunk-signature=${previous}\r\n`), piece, Buffer.from('\r\n'));
			}
			const wire = Buffer.concat(out);
			if (spoil)
				wire[66000] ^= 1;
			return { ...request, body: wire };
		});
	};
	assert.equal((await chunkSigned(false)).status, 200);
	assert.equal(codeIn(await chunkSigned(true)), 'SignatureDoesNotMatch');
}

export async function objects() {
	await fresh();
	const Key = 'dt=1/a b+c~(1)/é/\u{1F600}//x&<>.json';
	await send(PutObjectCommand, { Key, Body: '0123456789', ContentType: 'application/x-ndjson', Metadata: { 'river-id': '7' } });
	const got = await send(GetObjectCommand, { Key });
	assert.deepEqual([await text(got), got.ContentType, got.Metadata['river-id'], got.ContentLength], ['0123456789', 'application/x-ndjson', '7', 10]);
	const range = async Range => text(await send(GetObjectCommand, { Key, Range }));
	assert.deepEqual([await range('bytes=2-4'), await range('bytes=7-'), await range('bytes=-3'), await range('bytes=8-100')], ['234', '789', '789', '89']);
	assert.equal((await send(GetObjectCommand, { Key, Range: 'bytes=2-4' })).ContentRange, 'bytes 2-4/10');
	assert.equal(await nameOf(send(GetObjectCommand, { Key, Range: 'bytes=10-' })), 'InvalidRange');
	const { ETag } = got;
	assert.equal(await nameOf(send(GetObjectCommand, { Key, IfMatch: '"x"' })), 'PreconditionFailed');
	assert.equal(await nameOf(send(GetObjectCommand, { Key, IfMatch: ETag, Range: 'bytes=0-1' })), 'none');
	await assert.rejects(send(GetObjectCommand, { Key, IfNoneMatch: ETag }), error => error.$metadata.httpStatusCode === 304);
	assert.equal(await nameOf(send(GetObjectCommand, { Key: 'nothing' })), 'NoSuchKey');
	assert.equal(await nameOf(send(HeadObjectCommand, { Key: 'nothing' })), 'NotFound');
	assert.equal(await nameOf(send(GetObjectCommand, { Key, Bucket: 'nowhere' })), 'NoSuchBucket');
	assert.equal(await nameOf(send(PutObjectCommand, { Key: 'x'.repeat(1025), Body: '' })), 'KeyTooLongError');
	await send(CopyObjectCommand, { Key: 'copy', CopySource: `/lake/${encodeURIComponent(Key)}` });
	assert.equal(await text(await send(GetObjectCommand, { Key: 'copy' })), '0123456789');
	assert.equal(await nameOf(send(CopyObjectCommand, { Key: 'copy', CopySource: '/lake/copy' })), 'InvalidRequest');
	await send(DeleteObjectCommand, { Key: 'copy' });
	await send(DeleteObjectCommand, { Key: 'copy' });
	const deleted = await send(DeleteObjectsCommand, { Delete: { Objects: [{ Key }, { Key: 'never was' }] } });
	assert.equal(deleted.Deleted.length, 2);
	assert.equal((await control('GET', 'objects')).length, 0);
	assert.equal((await raw({ method: 'PUT', path: '/lake/k', body: 'x' })).status, 403);
	const noLength = await signed('s3', { method: 'PUT', path: '/lake/k', headers: { 'transfer-encoding': 'chunked', 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' } });
	assert.equal(codeIn(noLength), 'MissingContentLength');
	// virtual-hosted
	const host = `lake.localhost:${new URL(url).port}`;
	const put = await signed('s3', { method: 'PUT', path: '/v/1', headers: { host, 'x-amz-content-sha256': hash('x') }, body: 'x' });
	assert.equal(put.status, 200);
	assert.equal((await control('GET', 'objects'))[0].key, 'v/1');
}

export async function conditionalWrites() {
	await fresh();
	const put = (more, Key = 'k') => nameOf(send(PutObjectCommand, { Key, Body: 'x', ...more }));
	assert.equal(await put({ IfNoneMatch: '*' }), 'none');
	assert.equal(await put({ IfNoneMatch: '*' }), 'PreconditionFailed');
	const { ETag } = await send(HeadObjectCommand, { Key: 'k' });
	assert.equal(await put({ IfMatch: ETag }), 'none');
	assert.equal(await put({ IfMatch: '"other"' }), 'PreconditionFailed');
	assert.equal(await put({ IfMatch: ETag }, 'absent'), 'NoSuchKey');
	assert.equal(await put({ IfNoneMatch: '"x"' }), 'NotImplemented');
	assert.equal(await nameOf(send(DeleteObjectCommand, { Key: 'k', IfMatch: '"other"' })), 'PreconditionFailed');
	await script({ match: { op: 'PutObject' }, do: 'status', status: 409, code: 'ConditionalRequestConflict' });
	assert.equal(await put({ IfNoneMatch: '*' }, 'new'), 'ConditionalRequestConflict');
	const race = await Promise.all(Array.from({ length: 8 }, () => put({ IfNoneMatch: '*' }, 'race')));
	assert.equal(race.filter(name => name === 'none').length, 1);
	await control('POST', 'config', { conditional_writes: 'ignored' });
	assert.equal(await put({ IfNoneMatch: '*' }), 'none');
	await control('POST', 'config', { conditional_writes: 'refused' });
	assert.equal(await put({ IfNoneMatch: '*' }), 'NotImplemented');
	await control('POST', 'config', { conditional_writes: 'yes' });
}

export async function lists() {
	await fresh();
	const keys = ['a/1', 'a/2', 'a b', 'b/1/x', 'b/2', 'c+d', 'd\u0001e', 'e\uFFFDf', 'e\u{1F600}f', 'é'];
	for (const key of keys)
		await control('PUT', `object?bucket=lake&key=${encodeURIComponent(key)}`, 'x');
	const sorted = [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
	const all = async (more = {}) => {
		const found = [], folders = [];
		let pages = 0, ContinuationToken;
		do {
			const page = await send(ListObjectsV2Command, { ContinuationToken, EncodingType: 'url', ...more });
			const decode = key => decodeURIComponent(key.replace(/\+/g, ' '));
			found.push(...(page.Contents ?? []).map(object => decode(object.Key)));
			folders.push(...(page.CommonPrefixes ?? []).map(folder => decode(folder.Prefix)));
			assert.equal(page.KeyCount, (page.Contents ?? []).length + (page.CommonPrefixes ?? []).length);
			ContinuationToken = page.NextContinuationToken;
			assert.equal(page.IsTruncated, ContinuationToken !== undefined);
			pages++;
		} while (ContinuationToken);
		return { found, folders, pages };
	};
	assert.deepEqual((await all()).found, sorted);
	for (const list_page of [1, 3]) {
		await control('POST', 'config', { list_page });
		assert.deepEqual(await all(), { found: sorted, folders: [], pages: Math.ceil(10 / list_page) });
		const folded = await all({ Delimiter: '/' });
		assert.deepEqual([folded.found, folded.folders], [sorted.filter(key => !key.includes('/')), ['a/', 'b/']]);
	}
	await script({ match: { op: 'ListObjectsV2', nth: 2 }, do: 'empty_page' });
	assert.deepEqual(await all(), { found: sorted, folders: [], pages: 5 });
	await control('POST', 'config', { list_page: 1000 });
	assert.deepEqual((await all({ Prefix: 'a/' })).found, ['a/1', 'a/2']);
	assert.deepEqual((await all({ StartAfter: 'b/1/x' })).found, sorted.slice(sorted.indexOf('b/1/x') + 1));
	assert.deepEqual((await all({ Prefix: 'b/', Delimiter: '/' })), { found: ['b/2'], folders: ['b/1/'], pages: 1 });
	assert.deepEqual((await all({ MaxKeys: 2 })).pages, 5);
	assert.equal((await send(ListObjectsV2Command, { MaxKeys: 0 })).IsTruncated, false);
	assert.equal(await nameOf(send(ListObjectsV2Command, { ContinuationToken: 'made up' })), 'InvalidArgument');
	const one = (await send(ListObjectsV2Command, { Prefix: 'é' })).Contents[0];
	assert.deepEqual([one.Key, one.Size, one.ETag], ['é', 1, `"${createHash('md5').update('x').digest('hex')}"`]);
	const plain = await signed('s3', { path: '/lake', query: { 'list-type': '2', prefix: 'd' } });
	assert.match(plain.text, /<Key>d&#x1;e<\/Key>/);
}

export async function parts() {
	await fresh();
	const big = Buffer.alloc(5 * 1048576, 'p'), last = Buffer.from('the end');
	const begin = async more => (await send(CreateMultipartUploadCommand, { Key: 'k', ...more })).UploadId;
	const part = async (UploadId, PartNumber, Body, more) => ({ PartNumber, ...(({ ETag, ChecksumCRC32, ChecksumCRC32C, ChecksumCRC64NVME }) =>
		({ ETag, ChecksumCRC32, ChecksumCRC32C, ChecksumCRC64NVME }))(await send(UploadPartCommand, { Key: 'k', UploadId, PartNumber, Body, ...more })) });
	const complete = (UploadId, Parts, more) => send(CompleteMultipartUploadCommand, { Key: 'k', UploadId, MultipartUpload: { Parts }, ...more });
	const bare = list => list.map(({ PartNumber, ETag }) => ({ PartNumber, ETag }));
	const quiet = s3({ requestChecksumCalculation: 'WHEN_REQUIRED' });
	// full-object CRC-64/NVME
	let id = await begin({ ChecksumAlgorithm: 'CRC64NVME', ChecksumType: 'FULL_OBJECT' });
	let list = [await part(id, 1, big, { ChecksumAlgorithm: 'CRC64NVME' }), await part(id, 2, last, { ChecksumAlgorithm: 'CRC64NVME' })];
	const whole = Buffer.concat([big, last]), crc = b64('crc64nvme', whole);
	assert.equal(await nameOf(complete(id, bare(list), { ChecksumCRC64NVME: b64('crc64nvme', 'x') })), 'BadDigest');
	assert.equal(await nameOf(complete(id, bare(list), { MpuObjectSize: 7 })), 'InvalidRequest');
	assert.equal(await nameOf(complete(id, bare(list).reverse())), 'InvalidPartOrder');
	assert.equal(await nameOf(complete(id, [...bare(list), { PartNumber: 3, ETag: '"x"' }])), 'InvalidPart');
	assert.equal(await nameOf(complete(id, [{ PartNumber: 1, ETag: '"x"' }])), 'InvalidPart');
	const done = await complete(id, bare(list), { ChecksumCRC64NVME: crc, ChecksumType: 'FULL_OBJECT', MpuObjectSize: whole.length });
	assert.equal(done.ChecksumCRC64NVME, crc);
	const md5 = bytes => createHash('md5').update(bytes).digest();
	assert.equal(done.ETag, `"${createHash('md5').update(Buffer.concat([md5(big), md5(last)])).digest('hex')}-2"`);
	assert.equal(await nameOf(complete(id, bare(list))), 'NoSuchUpload');
	assert.equal((await send(HeadObjectCommand, { Key: 'k', PartNumber: 2 })).ContentLength, last.length);
	// composite CRC-32C
	id = await begin({ ChecksumAlgorithm: 'CRC32C' });
	list = [await part(id, 1, big, { ChecksumAlgorithm: 'CRC32C' }), await part(id, 2, last, { ChecksumAlgorithm: 'CRC32C' })];
	assert.equal(await nameOf(complete(id, bare(list))), 'InvalidRequest');
	assert.equal((await complete(id, list)).ChecksumCRC32C,
		`${sum('crc32c', Buffer.concat([sum('crc32c', big), sum('crc32c', last)])).toString('base64')}-2`);
	// too small, an overwritten part, conditions, abort
	id = await begin();
	list = [await part(id, 1, last), await part(id, 2, last)];
	assert.equal(await nameOf(complete(id, bare(list))), 'EntityTooSmall');
	list = [await part(id, 1, big), list[1]];
	assert.equal(await nameOf(complete(id, bare(list), { IfNoneMatch: '*' })), 'PreconditionFailed');
	const copied = await send(UploadPartCopyCommand, { Key: 'k', UploadId: id, PartNumber: 3, CopySource: '/lake/k', CopySourceRange: 'bytes=0-9' });
	assert.equal(copied.CopyPartResult.ETag, `"${md5(big.subarray(0, 10)).toString('hex')}"`);
	const listed = await send(ListPartsCommand, { Key: 'k', UploadId: id });
	assert.deepEqual(listed.Parts.map(p => [p.PartNumber, p.Size]), [[1, big.length], [2, last.length], [3, 10]]);
	await begin({ Key: 'other' });
	const uploads = await send(ListMultipartUploadsCommand, {});
	assert.deepEqual(uploads.Uploads.map(u => u.Key), ['k', 'other']);
	await control('POST', 'config', { list_page: 1 });
	const first = await send(ListMultipartUploadsCommand, {});
	assert.equal(first.IsTruncated, true);
	const second = await send(ListMultipartUploadsCommand, { KeyMarker: first.NextKeyMarker, UploadIdMarker: first.NextUploadIdMarker });
	assert.deepEqual(second.Uploads.map(u => u.Key), ['other']);
	await control('POST', 'config', { list_page: 1000 });
	await send(AbortMultipartUploadCommand, { Key: 'k', UploadId: id });
	assert.equal(await nameOf(part(id, 4, last)), 'NoSuchUpload');
	assert.equal(await nameOf(send(AbortMultipartUploadCommand, { Key: 'k', UploadId: id })), 'NoSuchUpload');
	// an error within a 200: carried out, or not
	id = await begin();
	list = [await part(id, 1, last)];
	await script({ match: { op: 'CompleteMultipartUpload' }, do: 'error_in_200', accept: false },
		{ match: { op: 'CompleteMultipartUpload', nth: 2 }, do: 'error_in_200' });
	assert.equal(await nameOf(complete(id, bare(list))), 'InternalError');
	assert.equal((await send(HeadObjectCommand, { Key: 'k' })).ContentLength, whole.length);
	assert.equal(await nameOf(complete(id, bare(list))), 'InternalError');
	assert.equal((await send(HeadObjectCommand, { Key: 'k' })).ContentLength, last.length);
	assert.equal(await nameOf(complete(id, bare(list))), 'NoSuchUpload');
	const form = await signed('s3', { method: 'POST', path: '/lake/k', query: { uploadId: id }, body: 'x',
		headers: { 'content-type': 'application/x-www-form-urlencoded', 'x-amz-content-sha256': hash('x') } });
	assert.equal(codeIn(form), 'InvalidRequest');
	assert.equal(await nameOf(quiet.send(new UploadPartCommand({ Bucket, Key: 'k', UploadId: 'x', PartNumber: 10001, Body: 'x' }))), 'InvalidArgument');
}

export async function presigned() {
	await fresh();
	const target = new URL(url);
	const presign = async ({ method = 'GET', path = '/lake/k', headers = {}, expiresIn = 60, ...options } = {}) => {
		const request = await signer('s3', options.signer).presign({ method, protocol: 'http:', hostname: target.hostname, port: Number(target.port), path,
			query: {}, headers: { host: target.host, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD', ...headers } }, { expiresIn, unhoistableHeaders: new Set(Object.keys(headers)),
			unsignableHeaders: new Set(['x-amz-content-sha256']), ...options });
		return { method, path, query: request.query, headers: { host: target.host, ...headers } };
	};
	const put = await presign({ method: 'PUT', headers: { 'if-none-match': '*', 'content-length': '6', 'x-amz-checksum-crc32c': 'NT3Yvg==' } });
	assert.equal((await raw({ ...put, body: 'hello\n' })).status, 200);
	assert.equal(codeIn(await raw({ ...put, body: 'hello\n' })), 'PreconditionFailed');
	const { 'if-none-match': _, ...fewer } = put.headers;
	assert.equal(codeIn(await raw({ ...put, headers: fewer, body: 'hello\n' })), 'SignatureDoesNotMatch');
	assert.equal(codeIn(await raw({ ...put, headers: { ...put.headers, 'content-length': '7' }, body: 'hello!\n' })), 'SignatureDoesNotMatch');
	assert.equal(codeIn(await raw({ ...put, headers: { ...put.headers, 'x-amz-meta-a': '1' }, body: 'hello\n' })), 'AccessDenied');
	await control('DELETE', 'object?bucket=lake&key=k');
	assert.equal(codeIn(await raw({ ...put, body: 'HELLO\n' })), 'BadDigest');
	assert.equal((await raw({ ...put, body: 'hello\n' })).status, 200);
	const get = await presign();
	assert.equal((await raw(get)).text, 'hello\n');
	assert.equal(codeIn(await raw({ ...get, path: '/lake/other' })), 'SignatureDoesNotMatch');
	assert.equal(codeIn(await raw({ ...get, method: 'DELETE' })), 'SignatureDoesNotMatch');
	const late = await raw(await presign({ signingDate: new Date(Date.now() - 61000) }));
	assert.equal(codeIn(late), 'AccessDenied');
	assert.match(late.text, /Request has expired/);
	assert.equal(codeIn(await raw({ ...get, query: { ...get.query, 'X-Amz-Expires': '604801' } })), 'AuthorizationQueryParametersError');
	const key = await control('POST', 'keys', { life_s: 30 });
	const temporary = await presign({ expiresIn: 3600, signer: { credentials: { accessKeyId: key.id, secretAccessKey: key.secret, sessionToken: key.token } } });
	assert.equal((await raw(temporary)).text, 'hello\n');
	await control('POST', 'config', { clock_offset_s: 40 });
	assert.equal(codeIn(await raw(temporary)), 'ExpiredToken');
	await control('POST', 'config', { clock_offset_s: 0 });
}

export async function refused() {
	await fresh();
	await control('PUT', 'object?bucket=lake&key=k', 'x');
	const get = (options, change, more) => signed('s3', { path: '/lake/k', headers: { 'x-amz-content-sha256': hash('') }, ...more }, options, change);
	const other = more => ({ signer: { credentials: { ...credentials, ...more } } });
	assert.equal((await get()).text, 'x');
	const wrong = await get(other({ secretAccessKey: 'x' }));
	assert.deepEqual([wrong.status, codeIn(wrong)], [403, 'SignatureDoesNotMatch']);
	assert.match(wrong.text, /<CanonicalRequest>GET\n\/lake\/k\n/);
	assert.equal(codeIn(await get(other({ accessKeyId: 'AKIANOBODY' }))), 'InvalidAccessKeyId');
	assert.equal(codeIn(await get({ signingService: 'firehose' }, r => r, {})), 'UnknownOperationException');
	assert.equal(codeIn(await signed('s3', { path: '/lake/k' }, {}, r => {
		delete r.headers['x-amz-content-sha256'];
		return r;
	})), 'InvalidRequest');
	const skewed = await get({ signingDate: new Date(Date.now() - 1000000) });
	assert.deepEqual([skewed.status, codeIn(skewed)], [403, 'RequestTimeTooSkewed']);
	assert.match(skewed.text, /<ServerTime>/);
	// another region
	await control('POST', 'bucket', { name: 'far', region: 'eu-west-1' });
	const far = { Bucket: 'far' };
	assert.equal(await nameOf(client.send(new ListObjectsV2Command(far))), 'PermanentRedirect');
	const head = await signed('s3', { method: 'HEAD', path: '/far' });
	assert.deepEqual([head.status, head.headers['x-amz-bucket-region'], head.text], [301, 'eu-west-1', '']);
	await control('POST', 'config', { region_error: 400 });
	const malformed = await signed('s3', { path: '/far', query: { 'list-type': '2' } });
	assert.deepEqual([malformed.status, codeIn(malformed)], [400, 'AuthorizationHeaderMalformed']);
	assert.match(malformed.text, /<Region>eu-west-1<\/Region>/);
	await control('POST', 'config', { region_error: 301 });
	assert.equal(await nameOf(s3({ region: 'eu-west-1' }).send(new ListObjectsV2Command(far))), 'none');
	assert.equal((await client.send(new GetBucketLocationCommand(far))
		.catch(error => error)).name, 'PermanentRedirect');
	await control('POST', 'config', { denied: [credentials.accessKeyId] });
	assert.equal(codeIn(await get()), 'AccessDenied');
	await assert.rejects(send(HeadBucketCommand, {}), error => error.$metadata.httpStatusCode === 403);
	await control('POST', 'config', { denied: [] });
	assert.equal(await nameOf(send(CreateBucketCommand, { Bucket: 'UPPER' })), 'InvalidBucketName');
	assert.equal(codeIn(await signed('s3', { path: '/lake/%FF', headers: { 'x-amz-content-sha256': hash('') } })), 'InvalidURI');
}

export async function notifications() {
	await fresh();
	const rule = (Id, prefix, more = {}) => ({ Id, QueueArn: 'arn:aws:sqs:us-east-1:123456789012:river', Events: ['s3:ObjectCreated:*'],
		Filter: { Key: { FilterRules: [{ Name: 'prefix', Value: prefix }, { Name: 'suffix', Value: '.gz' }] } }, ...more });
	const put = (QueueConfigurations, more, top) => nameOf(send(PutBucketNotificationConfigurationCommand, { NotificationConfiguration: { QueueConfigurations, ...top }, ...more }));
	const get = () => send(GetBucketNotificationConfigurationCommand, {});
	assert.equal((await get()).QueueConfigurations, undefined);
	assert.equal(await put([rule('a', 'data/'), rule('b', 'landing/')], {}, { EventBridgeConfiguration: {},
		TopicConfigurations: [{ TopicArn: 'arn:aws:sns:us-east-1:123456789012:t', Events: ['s3:ObjectRemoved:*'] }] }), 'none');
	const stored = await get();
	assert.deepEqual(stored.QueueConfigurations.map(q => [q.Id, q.Filter.Key.FilterRules[0].Value]), [['a', 'data/'], ['b', 'landing/']]);
	assert.ok(stored.EventBridgeConfiguration && stored.TopicConfigurations[0].Id);
	assert.equal(await put([rule('a', 'data/'), rule('b', 'data/x/')]), 'InvalidArgument');
	assert.equal(await put([rule('a', 'data/'), rule('a', 'other/')]), 'InvalidArgument');
	assert.equal(await put([rule('a', 'data/', { Events: ['s3:Nonsense'] })]), 'InvalidArgument');
	assert.equal(await put([rule('a', 'data/', { QueueArn: 'arn:aws:sqs:us-east-1:123456789012:q.fifo' })]), 'InvalidArgument');
	assert.equal(await put([rule('a', 'data/'), rule('b', 'data/', { Events: ['s3:ObjectRemoved:*'] })]), 'none');
	assert.equal((await get()).TopicConfigurations, undefined, 'replaced whole');
	assert.equal(await put(Array.from({ length: 101 }, (_, i) => rule(`r${i}`, `p${String(i).padStart(3, '0')}/`))), 'TooManyConfigurations');
	await control('POST', 'config', { notification_destinations: [] });
	assert.equal(await put([rule('a', 'data/')]), 'InvalidArgument');
	assert.equal(await put([rule('a', 'data/')], { SkipDestinationValidation: true }), 'none');
	await control('POST', 'config', { notification_destinations: null });
	await control('PUT', 'object?bucket=lake&key=data%2Fa%20b.gz', 'x');
	await control('PUT', 'object?bucket=lake&key=elsewhere.gz', 'x');
	const events = await control('GET', 'events?bucket=lake');
	assert.deepEqual(events.map(event => event.Records[0].s3.object.key), ['data/a+b.gz']);
}

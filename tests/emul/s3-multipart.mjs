// S3's uploads in parts: create, part, copy of a part, complete, abort, the two lists. Each exported function is
// an operation, called as f(s3, r, bucket, req, signing, rule).

import { createHash, randomBytes } from 'node:crypto';
import { ALGORITHMS, combine, sum } from './checksum.mjs';
import { HttpError, childText, childrenOf, parseXml, toBytes, toText } from './request.mjs';
import { OWNER, checksumXml, readObject, xmlAnswer } from './s3.mjs';

const quoted = etag => `"${etag}"`;

function find(bucket, r) {
	const upload = bucket.uploads.get(r.query.uploadId);
	if (!upload || upload.key !== r.key)
		throw new HttpError(404, 'NoSuchUpload', 'The specified upload does not exist. The upload ID may be invalid, or ' +
			'the upload may have been aborted or completed.', { UploadId: r.query.uploadId });
	return upload;
}
function partNumber(r) {
	const n = Number(r.query.partNumber);
	if (!/^\d+$/.test(r.query.partNumber ?? '') || n < 1 || n > 10000)
		throw new HttpError(400, 'InvalidArgument', 'Part number must be an integer between 1 and 10000, inclusive',
			{ ArgumentName: 'partNumber', ArgumentValue: r.query.partNumber });
	return n;
}
async function drain(req) {
	for await (const _ of req) {
		// these have no body of use
	}
}

export async function CreateMultipartUpload(s3, r, bucket, req) {
	await drain(req);
	const said = (r.headers['x-amz-checksum-algorithm'] ?? '').toLowerCase();
	if (said && !(said in ALGORITHMS))
		throw new HttpError(400, 'InvalidRequest', 'Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]');
	const algorithm = said || 'crc64nvme';
	const type = (r.headers['x-amz-checksum-type'] ?? (said && ALGORITHMS[said].composite ? 'COMPOSITE' : 'FULL_OBJECT')).toUpperCase();
	if (!ALGORITHMS[algorithm][type === 'COMPOSITE' ? 'composite' : 'fullObject'])
		throw new HttpError(400, 'InvalidRequest', `The ${type} checksum type cannot be used with the ${algorithm} checksum algorithm.`);
	const id = randomBytes(48).toString('base64url');
	bucket.uploads.set(id, { id, key: r.key, headers: s3.headersOf(r), algorithm, said: Boolean(said), type, parts: new Map(),
		started: s3.world.now() });
	return xmlAnswer('InitiateMultipartUploadResult', { Bucket: bucket.name, Key: toText(r.key), UploadId: id },
		said ? { 'x-amz-checksum-algorithm': said.toUpperCase(), 'x-amz-checksum-type': type } : {});
}

export async function UploadPart(s3, r, bucket, req, signing) {
	const number = partNumber(r);
	const upload = bucket.uploads.get(r.query.uploadId);
	const body = await readObject(r, req, signing, { keep: s3.world.config.keep_objects,
		extra: [upload?.algorithm ?? 'crc64nvme'] });
	// an upload that was aborted meanwhile is not there any more
	find(bucket, r);
	if (upload.said && body.algorithm !== upload.algorithm && !(upload.type === 'FULL_OBJECT' && body.algorithm === null))
		throw new HttpError(400, 'InvalidRequest', `Checksum Type mismatch occurred, expected checksum Type: ` +
			`${upload.algorithm}, actual checksum Type: ${body.algorithm}`);
	const part = { number, size: body.size, bytes: body.bytes, etag: body.md5, sum: body.checksums[upload.algorithm],
		modified: s3.world.now() };
	upload.parts.set(number, part);
	const name = body.algorithm ?? upload.algorithm;
	return { status: 200, headers: { ETag: quoted(part.etag), [`x-amz-checksum-${name}`]: body.checksums[name].toString('base64') } };
}

export async function UploadPartCopy(s3, r, bucket, req) {
	await drain(req);
	const number = partNumber(r), upload = find(bucket, r), { source } = s3.copySource(r);
	const range = /^bytes=(\d+)-(\d+)$/.exec(r.headers['x-amz-copy-source-range'] ?? `bytes=0-${source.size - 1}`);
	if (!range || Number(range[2]) >= source.size || Number(range[1]) > Number(range[2]))
		throw new HttpError(400, 'InvalidArgument', 'The x-amz-copy-source-range value must be of the form bytes=first-last');
	const bytes = source.bytes.subarray(Number(range[1]), Number(range[2]) + 1);
	const part = { number, size: bytes.length, bytes, etag: createHash('md5').update(bytes).digest('hex'),
		sum: sum(upload.algorithm, bytes), modified: s3.world.now() };
	upload.parts.set(number, part);
	return xmlAnswer('CopyPartResult', { LastModified: new Date(part.modified).toISOString(), ETag: quoted(part.etag) });
}

export async function CompleteMultipartUpload(s3, r, bucket, req, signing) {
	if (/x-www-form-urlencoded/.test(r.headers['content-type'] ?? '')) {
		await drain(req);
		throw new HttpError(400, 'InvalidRequest', 'Content-Type application/x-www-form-urlencoded is not taken here');
	}
	// A checksum header of this request is about the object, not about its body.
	const wanted = {};
	for (const name of Object.keys(ALGORITHMS))
		if (r.headers[`x-amz-checksum-${name}`] !== undefined) {
			wanted[name] = r.headers[`x-amz-checksum-${name}`];
			delete r.headers[`x-amz-checksum-${name}`];
		}
	delete r.headers['x-amz-sdk-checksum-algorithm'];
	const body = await readObject(r, req, signing, { keep: true });
	const upload = find(bucket, r), { config } = s3.world;
	const root = parseXml(body.bytes.toString('utf8')), listed = childrenOf(root, 'Part');
	if (root.name !== 'CompleteMultipartUpload' || listed.length < 1)
		throw new HttpError(400, 'MalformedXML', 'The XML you provided was not well-formed or did not validate against our published schema');
	if (listed.length > 10000)
		throw new HttpError(400, 'TooManyParts', 'You have attempted to upload too many parts');
	const parts = listed.map(node => {
		const number = Number(childText(node, 'PartNumber')), part = upload.parts.get(number);
		const missing = () => new HttpError(400, 'InvalidPart', 'One or more of the specified parts could not be found. The ' +
			"part may not have been uploaded, or the specified entity tag may not match the part's entity tag.",
			{ UploadId: upload.id, PartNumber: number, ETag: childText(node, 'ETag') });
		if (!part || (childText(node, 'ETag') ?? '').replaceAll('"', '') !== part.etag)
			throw missing();
		const sumSaid = childText(node, ALGORITHMS[upload.algorithm].xml);
		if (sumSaid !== undefined && sumSaid !== part.sum.toString('base64'))
			throw missing();
		if (sumSaid === undefined && upload.said && upload.type === 'COMPOSITE')
			throw new HttpError(400, 'InvalidRequest', `The upload was created using a ${upload.algorithm} checksum. The complete ` +
				`request must include the checksum for each part. It was missing for part ${number} in the request.`);
		return part;
	});
	for (let i = 1; i < parts.length; i++)
		if (parts[i].number <= parts[i - 1].number)
			throw new HttpError(400, 'InvalidPartOrder', 'The list of parts was not in ascending order. Parts must be ordered by part number.');
	if (upload.said && upload.type === 'COMPOSITE' && parts.some((part, i) => part.number !== i + 1))
		throw new HttpError(500, 'InternalError', 'We encountered an internal error. Please try again.');
	for (const part of parts.slice(0, -1))
		if (part.size < config.min_part)
			throw new HttpError(400, 'EntityTooSmall', 'Your proposed upload is smaller than the minimum allowed size',
				{ ProposedSize: part.size, MinSizeAllowed: config.min_part, PartNumber: part.number, ETag: part.etag });
	const size = parts.reduce((total, part) => total + part.size, 0);
	const sizeSaid = r.headers['x-amz-mp-object-size'];
	if (sizeSaid !== undefined && Number(sizeSaid) !== size)
		throw new HttpError(400, 'InvalidRequest', `The provided 'x-amz-mp-object-size' header value ${sizeSaid} does not match what was computed: ${size}`);
	const typeSaid = r.headers['x-amz-checksum-type'];
	if (typeSaid !== undefined && typeSaid.toUpperCase() !== upload.type)
		throw new HttpError(400, 'InvalidRequest', `The upload was created using the ${upload.type} checksum mode. The complete request must use the same checksum mode.`);

	let value;
	if (upload.type === 'FULL_OBJECT')
		value = parts.slice(1).reduce((all, part) => combine(upload.algorithm, all, part.sum, part.size), parts[0].sum).toString('base64');
	else
		value = `${sum(upload.algorithm, Buffer.concat(parts.map(part => part.sum))).toString('base64')}-${parts.length}`;
	for (const [name, said] of Object.entries(wanted))
		if (name !== upload.algorithm || said !== value)
			throw new HttpError(400, 'BadDigest', `The ${name} you specified did not match the calculated checksum.`);
	s3.checkWrite(r, bucket);
	const etag = `${createHash('md5').update(Buffer.from(parts.map(part => part.etag).join(''), 'hex')).digest('hex')}-${parts.length}`;
	const object = s3.store(bucket, { key: upload.key, size, bytes: config.keep_objects ? Buffer.concat(parts.map(part => part.bytes)) : null,
		etag, headers: upload.headers, checksums: { [upload.algorithm]: value }, type: upload.type,
		parts: parts.map(part => part.size) }, 'ObjectCreated:CompleteMultipartUpload');
	bucket.uploads.delete(upload.id);
	return xmlAnswer('CompleteMultipartUploadResult', { Location: `http://${r.host}/${bucket.name}/${encodeURI(toText(upload.key))}`,
		Bucket: bucket.name, Key: toText(upload.key), ETag: quoted(etag), ...checksumXml(object) });
}

export async function AbortMultipartUpload(s3, r, bucket, req) {
	await drain(req);
	bucket.uploads.delete(find(bucket, r).id);
	return { status: 204, headers: {} };
}

export function ListParts(s3, r, bucket) {
	const upload = find(bucket, r), max = Math.min(Number(r.query['max-parts'] ?? 1000), s3.world.config.list_page);
	const marker = Number(r.query['part-number-marker'] ?? 0);
	const parts = [...upload.parts.values()].sort((a, b) => a.number - b.number).filter(part => part.number > marker);
	const page = parts.slice(0, max), truncated = parts.length > page.length;
	return xmlAnswer('ListPartsResult', { Bucket: bucket.name, Key: toText(upload.key), UploadId: upload.id,
		PartNumberMarker: marker, NextPartNumberMarker: truncated ? page[page.length - 1].number : undefined,
		MaxParts: max, IsTruncated: truncated, ChecksumAlgorithm: upload.said ? upload.algorithm.toUpperCase() : undefined,
		ChecksumType: upload.said ? upload.type : undefined, Owner: OWNER, StorageClass: 'STANDARD',
		Part: page.map(part => ({ PartNumber: part.number, LastModified: new Date(part.modified).toISOString(),
			ETag: quoted(part.etag), Size: part.size,
			...(upload.said ? { [ALGORITHMS[upload.algorithm].xml]: part.sum.toString('base64') } : {}) })) });
}

export function ListMultipartUploads(s3, r, bucket) {
	const q = r.query, prefix = toBytes(q.prefix ?? ''), max = Math.min(Number(q['max-uploads'] ?? 1000), s3.world.config.list_page);
	const after = [toBytes(q['key-marker'] ?? ''), q['upload-id-marker'] ?? ''];
	const uploads = [...bucket.uploads.values()].filter(u => u.key.startsWith(prefix))
		.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : a.started - b.started || (a.id < b.id ? -1 : 1)))
		.filter((u, i, all) => u.key > after[0] || (u.key === after[0] && after[1] !== '' &&
			i > all.findIndex(v => v.key === after[0] && v.id === after[1])));
	const page = uploads.slice(0, max), truncated = uploads.length > page.length, last = page[page.length - 1];
	const name = q['encoding-type'] === 'url' ? bytes => encodeURIComponent(toText(bytes)).replace(/%2F/g, '/') : toText;
	return xmlAnswer('ListMultipartUploadsResult', { Bucket: bucket.name, KeyMarker: name(after[0]), UploadIdMarker: after[1],
		NextKeyMarker: truncated ? name(last.key) : undefined, NextUploadIdMarker: truncated ? last.id : undefined,
		Prefix: name(prefix), EncodingType: q['encoding-type'], MaxUploads: max, IsTruncated: truncated,
		Upload: page.map(u => ({ Key: name(u.key), UploadId: u.id, Initiator: OWNER, Owner: OWNER, StorageClass: 'STANDARD',
			Initiated: new Date(u.started).toISOString() })) });
}

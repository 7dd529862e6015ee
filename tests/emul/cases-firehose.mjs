// Firehose and the sources of credentials, asked by AWS's own clients and by hand-signed requests.

import assert from 'node:assert/strict';
import { CreateDeliveryStreamCommand, DeleteDeliveryStreamCommand, DescribeDeliveryStreamCommand, ListDeliveryStreamsCommand,
	PutRecordBatchCommand, PutRecordCommand, UpdateDestinationCommand } from '@aws-sdk/client-firehose';
import { AssumeRoleCommand, GetCallerIdentityCommand } from '@aws-sdk/client-sts';
import { evaluatePrefix } from './java-time.mjs';
import { ahead, control, credentials, firehose, firehoseCall, nameOf, codeIn, raw, script, signed, sts, until } from './client.mjs';

const client = firehose();
const send = (Command, input, c = client) => c.send(new Command(input));
const destination = more => ({ RoleARN: 'arn:aws:iam::123456789012:role/firehose', BucketARN: 'arn:aws:s3:::lake',
	Prefix: 'data/dt=!{timestamp:yyyy-MM-dd}/', ErrorOutputPrefix: 'errors/!{firehose:error-output-type}/', CompressionFormat: 'GZIP', ...more });
const create = (DeliveryStreamName, more) => send(CreateDeliveryStreamCommand, { DeliveryStreamName, DeliveryStreamType: 'DirectPut',
	ExtendedS3DestinationConfiguration: destination(more) });
const records = (n, text = i => `{"i":${i}}\n`) => Array.from({ length: n }, (_, i) => ({ Data: Buffer.from(text(i)) }));
const put = (DeliveryStreamName, Records) => send(PutRecordBatchCommand, { DeliveryStreamName, Records });
const describe = async name => (await send(DescribeDeliveryStreamCommand, { DeliveryStreamName: name })).DeliveryStreamDescription;
const fresh = async () => {
	await control('POST', 'reset');
	await control('POST', 'bucket', { name: 'lake' });
};

export async function lifeOfAStream() {
	await fresh();
	await control('POST', 'config', { creating_ms: 120000 });
	const { DeliveryStreamARN: arn } = await create('s1');
	assert.equal(arn, 'arn:aws:firehose:us-east-1:123456789012:deliverystream/s1');
	assert.equal((await describe('s1')).DeliveryStreamStatus, 'CREATING');
	assert.equal(await nameOf(put('s1', records(1))), 'ResourceNotFoundException');
	assert.equal(await nameOf(create('s1')), 'ResourceInUseException');
	await ahead(121);
	assert.equal((await describe('s1')).DeliveryStreamStatus, 'ACTIVE');
	await control('POST', 'config', { creating_ms: 0 });
	for (let i = 0; i < 12; i++)
		await create(`more-${String(i).padStart(2, '0')}`);
	const page = await send(ListDeliveryStreamsCommand, {});
	assert.equal(page.DeliveryStreamNames.length, 10);
	assert.equal(page.HasMoreDeliveryStreams, true);
	const rest = await send(ListDeliveryStreamsCommand, { ExclusiveStartDeliveryStreamName: page.DeliveryStreamNames[9] });
	assert.deepEqual(rest.DeliveryStreamNames, ['more-10', 'more-11', 's1']);
	const before = await describe('s1');
	const update = version => send(UpdateDestinationCommand, { DeliveryStreamName: 's1', CurrentDeliveryStreamVersionId: version,
		DestinationId: before.Destinations[0].DestinationId, ExtendedS3DestinationUpdate: { BufferingHints: { SizeInMBs: 64, IntervalInSeconds: 120 } } });
	await update(before.VersionId);
	assert.equal(await nameOf(update(before.VersionId)), 'ConcurrentModificationException');
	const after = await describe('s1');
	assert.equal(after.VersionId, '2');
	assert.equal(after.Destinations[0].ExtendedS3DestinationDescription.BufferingHints.SizeInMBs, 64);
	assert.equal(after.Destinations[0].ExtendedS3DestinationDescription.Prefix, 'data/dt=!{timestamp:yyyy-MM-dd}/');
	await control('POST', 'config', { deleting_ms: 120000 });
	await send(DeleteDeliveryStreamCommand, { DeliveryStreamName: 's1' });
	assert.equal((await describe('s1')).DeliveryStreamStatus, 'DELETING');
	await ahead(242);
	assert.equal(await nameOf(describe('s1')), 'ResourceNotFoundException');
	await control('POST', 'config', { deleting_ms: 0, clock_offset_s: 0 });
}

export async function whatCreateRefuses() {
	await fresh();
	const refused = async (expected, more, name = 's1') => assert.equal(await nameOf(create(name, more)), expected, JSON.stringify(more) + name);
	await refused('ValidationException', {}, 'a b');
	await refused('ValidationException', {}, 'x'.repeat(65));
	await refused('ValidationException', { RoleARN: 'arn:aws:iam::1:user/x' });
	await refused('ValidationException', { BucketARN: 'lake' });
	await refused('ValidationException', { BufferingHints: { SizeInMBs: 129, IntervalInSeconds: 60 } });
	await refused('ValidationException', { BufferingHints: { SizeInMBs: 1, IntervalInSeconds: 901 } });
	await refused('ValidationException', { FileExtension: 'gz' });
	await refused('ValidationException', { CompressionFormat: 'gzip' });
	await refused('ValidationException', { Prefix: 'x'.repeat(1025) });
	await refused('InvalidArgumentException', { BufferingHints: { SizeInMBs: 1 } });
	await refused('InvalidArgumentException', { ErrorOutputPrefix: undefined });
	await refused('InvalidArgumentException', { ErrorOutputPrefix: 'e/!{timestamp:yyyy}/' });
	await refused('InvalidArgumentException', { Prefix: 'd/!{timestamp:yyyy-bb}/' });
	await refused('InvalidArgumentException', { Prefix: 'd/!{firehose:error-output-type}/' });
	await refused('InvalidArgumentException', { CustomTimeZone: 'Mars/Phobos' });
	await script({ match: { op: 'CreateDeliveryStream' }, do: 'role_not_ready', s: 120 });
	await refused('InvalidArgumentException', {});
	await refused('InvalidArgumentException', {});
	await ahead(121);
	await refused('none', {});
	await script({ match: { op: 'CreateDeliveryStream' }, do: 'creating_failed', type: 'KMS_ACCESS_DENIED', message: 'no key' });
	await refused('none', {}, 's2');
	await control('POST', 'config', { creating_ms: 0 });
	const failed = await describe('s2');
	assert.equal(failed.DeliveryStreamStatus, 'CREATING_FAILED');
	assert.equal(failed.FailureDescription.Type, 'KMS_ACCESS_DENIED');
	await control('POST', 'config', { control_per_s: 5 });
	const burst = await Promise.all(Array.from({ length: 60 }, () => nameOf(describe('s1'))));
	assert.ok(burst.includes('ThrottlingException'), String(burst));
	await control('POST', 'config', { control_per_s: 0, clock_offset_s: 0 });
}

export async function limitsOfRecords() {
	await fresh();
	await create('s1');
	const all = await put('s1', records(500));
	assert.equal(all.FailedPutCount, 0);
	assert.equal(all.RequestResponses.length, 500);
	assert.ok(all.RequestResponses.every(response => response.RecordId.length === 220));
	assert.equal(new Set(all.RequestResponses.map(response => response.RecordId)).size, 500);
	assert.equal(await nameOf(put('s1', records(501))), 'ValidationException');
	assert.equal(await nameOf(put('s1', [])), 'ValidationException');
	const at = n => [{ Data: Buffer.alloc(n, 'x') }];
	assert.equal(await nameOf(put('s1', at(1024000))), 'none');
	assert.equal(await nameOf(put('s1', at(1024001))), 'ValidationException');
	assert.equal(await nameOf(put('s1', at(0))), 'none');
	const four = [...at(1024000), ...at(1024000), ...at(1024000), ...at(1024000)];
	assert.equal(await nameOf(put('s1', [...four, ...at(4 * 1048576 - 4 * 1024000)])), 'none');
	assert.equal(await nameOf(put('s1', [...four, ...at(4 * 1048576 - 4 * 1024000 + 1)])), 'InvalidArgumentException');
	assert.equal(await nameOf(put('s2', records(1))), 'ResourceNotFoundException');
	const one = await send(PutRecordCommand, { DeliveryStreamName: 's1', Record: { Data: Buffer.from('x') } });
	assert.equal(one.RecordId.length, 220);
	for (const data of ['eA', 'eA=', 'e A==', 'eA==\\n', 'eB==', '_w==', 'eA==eA=='])
		assert.equal(codeIn(await firehoseCall('PutRecordBatch', `{"DeliveryStreamName":"s1","Records":[{"Data":"${data}"}]}`)), 'SerializationException', data);
	assert.equal(codeIn(await firehoseCall('PutRecordBatch', '{"DeliveryStreamName":"s1","Records":[{}]}')), 'ValidationException');
	assert.equal(codeIn(await firehoseCall('PutRecordBatch', '[')), 'SerializationException');
	assert.equal(codeIn(await firehoseCall('Nonsense', '{}')), 'UnknownOperationException');
}

export async function delivery() {
	await fresh();
	await control('POST', 'config', { buffer_ms: null });
	await create('s1', { FileExtension: '.ndjson.gz' });
	await create('plain', { CompressionFormat: 'UNCOMPRESSED', Prefix: undefined, BufferingHints: { SizeInMBs: 1, IntervalInSeconds: 900 } });
	await put('s1', records(3));
	await put('s1', records(2));
	assert.equal(await control('GET', 'records?stream=s1'), [0, 1, 2, 0, 1].map(i => `{"i":${i}}\n`).join(''));
	const [{ key }] = await control('POST', 'flush?stream=s1');
	const day = new Date().toISOString().slice(0, 10);
	assert.match(key, new RegExp(`^data/dt=${day}/s1-1-${day}-\\d\\d-\\d\\d-\\d\\d-[0-9a-f-]{36}\\.ndjson\\.gz$`));
	assert.equal(await control('GET', `object?bucket=lake&gunzip=1&key=${encodeURIComponent(key)}`),
		[0, 1, 2, 0, 1].map(i => `{"i":${i}}\n`).join(''));
	// by size: a mebibyte
	await put('plain', [{ Data: Buffer.alloc(600000, 'x') }]);
	assert.equal((await control('GET', 'streams')).find(s => s.name === 'plain').objects.length, 0);
	await put('plain', [{ Data: Buffer.alloc(600000, 'x') }]);
	const objectsOf = async name => (await control('GET', 'streams')).find(s => s.name === name).objects;
	await until(async () => (await objectsOf('plain')).length);
	const [object] = await objectsOf('plain');
	assert.match(object, /^\d{4}\/\d\d\/\d\d\/\d\d\/plain-1-[^.]*$/);
	// by time
	await control('POST', 'config', { buffer_ms: 50 });
	await put('s1', records(1));
	await until(async () => (await objectsOf('s1')).length === 2);
	await control('POST', 'config', { buffer_ms: null });
	// twice
	await script({ match: { op: 'deliver', stream: 's1' }, do: 'duplicate', indices: [1] });
	await put('s1', records(3));
	await control('POST', 'flush');
	const { objects } = (await control('GET', 'streams')).find(s => s.name === 's1');
	assert.equal(objects.length, 4);
	assert.equal(await control('GET', `object?bucket=lake&gunzip=1&key=${encodeURIComponent(objects[3])}`), '{"i":1}\n');
	// a bucket that is gone keeps what waits
	await create('lost', { BucketARN: 'arn:aws:s3:::gone' });
	await put('lost', records(2));
	assert.equal((await control('POST', 'flush?stream=lost'))[0].error, 'NoSuchBucket');
	await control('POST', 'bucket', { name: 'gone' });
	assert.ok((await control('POST', 'flush?stream=lost'))[0].key);
}

// What Java's DateTimeFormatter makes of these patterns, in its English locale.
export function prefixes() {
	const at = Date.UTC(2024, 11, 29, 5, 7, 9, 4), of = (prefix, zone) => evaluatePrefix(prefix, 'prefix', at, zone, '', () => 'abcdefghijk');
	for (const [pattern, expected] of [['yyyy/MM/dd/HH/mm/ss.SSS', '2024/12/29/05/07/09.004'], ['YYYY', '2025'], ['yy', '24'], ['D', '364'],
		['d', '29'], ['DDD', '364'], ['MMM EEEE', 'Dec Sunday'], ['MMMM', 'December'], ['h a k K', '5 AM 5 5'], ["'dt='yyyy''MM", "dt=2024'12"],
		['Q', '4'], ["yyyy'T'HH", '2024T05']])
		assert.equal(of(`!{timestamp:${pattern}}`), expected, pattern);
	assert.equal(of('a/dt=!{timestamp:yyyy-MM-dd}/!{firehose:random-string}/'), 'a/dt=2024-12-29/abcdefghijk/');
	assert.equal(of('a/'), 'a/2024/12/29/05/');
	assert.equal(of(''), '2024/12/29/05/');
	assert.equal(of('!{timestamp:yyyy-MM-dd HH}', 'Asia/Tokyo'), '2024-12-29 14');
	assert.equal(of('!{timestamp:yyyy-MM-dd HH}', 'America/Los_Angeles'), '2024-12-28 21');
	assert.equal(evaluatePrefix('e/!{firehose:error-output-type}/!{timestamp:dd}', 'error', at, '', 'processing-failed', () => ''), 'e/processing-failed/29');
	for (const wrong of ['!{timestamp:b}', "!{timestamp:'x}", '!{nothing:x}', '!{timestamp:yyyy', 'x'.repeat(600)])
		assert.throws(() => of(wrong), { code: 'InvalidArgumentException' }, wrong);
}

export async function partialFailures() {
	await fresh();
	await create('s1');
	await script({ match: { op: 'PutRecordBatch' }, do: 'partial', indices: [1, 3] },
		{ match: { op: 'PutRecordBatch', nth: 2 }, do: 'partial', content: '"i":2', code: 'InternalFailure', accept: true },
		{ match: { op: 'PutRecordBatch', nth: 3 }, do: 'short_responses', n: 2 },
		{ match: { op: 'PutRecordBatch', nth: 4 }, do: 'long_responses' },
		{ match: { op: 'PutRecordBatch', nth: 5 }, do: 'count_mismatch', n: 3 });
	const one = await put('s1', records(5));
	assert.equal(one.FailedPutCount, 2);
	assert.deepEqual(one.RequestResponses.map(response => response.ErrorCode),
		[undefined, 'ServiceUnavailableException', undefined, 'ServiceUnavailableException', undefined]);
	assert.equal(await control('GET', 'records?stream=s1'), '{"i":0}\n{"i":2}\n{"i":4}\n');
	const two = await put('s1', records(3));
	assert.deepEqual(two.RequestResponses.map(response => response.ErrorCode), [undefined, undefined, 'InternalFailure']);
	assert.equal((await control('GET', 'records?stream=s1&as=json')).length, 6);
	assert.equal((await put('s1', records(3))).RequestResponses.length, 1);
	assert.equal((await put('s1', records(3))).RequestResponses.length, 4);
	assert.equal((await put('s1', records(3))).FailedPutCount, 3);
	assert.equal((await put('s1', records(3))).FailedPutCount, 0);
	const [entry] = (await control('GET', 'log?op=PutRecordBatch'));
	assert.deepEqual([entry.records, entry.accepted, entry.failed, entry.fault], [5, 3, 2, 'partial']);
}

export async function refusedSignatures() {
	await fresh();
	await create('s1');
	const input = { DeliveryStreamName: 's1', Records: [{ Data: 'eA==' }] };
	const code = async (options, change) => codeIn(await firehoseCall('PutRecordBatch', input, options, change));
	const other = more => ({ signer: { credentials: { ...credentials, ...more } } });
	const header = (name, value) => request => ({ ...request, headers: { ...request.headers, [name]: value } });
	assert.equal(await code(), null);
	assert.equal(await code(other({ secretAccessKey: 'x' })), 'InvalidSignatureException');
	assert.equal(await code(other({ accessKeyId: 'AKIANOBODY' })), 'UnrecognizedClientException');
	assert.equal(await code(other({ sessionToken: 'x' })), 'UnrecognizedClientException');
	assert.equal(await code({ signingRegion: 'eu-west-1' }), 'InvalidSignatureException');
	assert.equal(await code({ signingService: 's3' }), 'InvalidSignatureException');
	assert.equal(await code({ signingDate: new Date(Date.now() - 901000) }), 'InvalidSignatureException');
	assert.equal(await code({ signingDate: new Date(Date.now() + 910000) }), 'InvalidSignatureException');
	assert.equal(await code({ signingDate: new Date(Date.now() - 890000) }), null);
	assert.equal(await code({}, header('x-amz-extra', '1')), 'AccessDeniedException');
	assert.equal(await code({}, header('x-amz-target', 'Firehose_20150804.PutRecord')), 'InvalidSignatureException');
	assert.equal(await code({}, request => ({ ...request, body: JSON.stringify(input).replace('eA', 'eQ') })), 'InvalidSignatureException');
	assert.equal(await code({}, ({ headers: { authorization, ...headers }, ...request }) => ({ ...request, headers })), 'MissingAuthenticationTokenException');
	const before = (await control('GET', 'log')).length;
	await control('POST', 'config', { clock_offset_s: 1200 });
	const late = await firehoseCall('PutRecordBatch', input);
	assert.equal(codeIn(late), 'InvalidSignatureException');
	assert.match(late.text, /Signature expired: /);
	assert.ok(Math.abs(Date.parse(late.headers.date) - Date.now() - 1200000) < 60000);
	await control('POST', 'config', { clock_offset_s: 0 });
	assert.equal((await control('GET', 'log')).length, before + 1);
}

export async function sourcesOfCredentials() {
	await fresh();
	await create('s1');
	await control('POST', 'config', { credentials_s: 300 });
	const identity = await sts().send(new GetCallerIdentityCommand({}));
	assert.equal(identity.Account, '123456789012');
	const { Credentials: role } = await sts().send(new AssumeRoleCommand({ RoleArn: 'arn:aws:iam::123456789012:role/writer', RoleSessionName: 'test' }));
	const web = await raw({ method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: 'Action=AssumeRoleWithWebIdentity' +
		'&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fweb&RoleSessionName=river&WebIdentityToken=abcdef' });
	assert.match(web.text, /<SessionToken>/);
	assert.match(web.text, /<Expiration>[0-9T:-]+Z</);
	const token = await raw({ method: 'PUT', path: '/latest/api/token', headers: { 'x-aws-ec2-metadata-token-ttl-seconds': '60' } });
	const imds = { 'x-aws-ec2-metadata-token': token.text }, base = '/latest/meta-data/iam/security-credentials/';
	assert.equal((await raw({ path: base })).status, 401);
	assert.equal((await raw({ path: base, headers: { ...imds, 'x-aws-ec2-metadata-token': 'x' } })).status, 401);
	const name = (await raw({ path: base, headers: imds })).text;
	const instance = JSON.parse((await raw({ path: base + name, headers: imds })).text);
	assert.equal(instance.Code, 'Success');
	await control('POST', 'config', { container_token: 'secret' });
	assert.equal((await raw({ path: '/v2/credentials/x' })).status, 401);
	const container = JSON.parse((await raw({ path: '/v2/credentials/x', headers: { authorization: 'secret' } })).text);
	await control('POST', 'config', { container_token: null });
	const refreshed = JSON.parse((await raw({ method: 'POST', path: '/token', headers: { 'content-type': 'application/json' }, body: JSON.stringify({
		clientId: 'client', clientSecret: 'riverCanaryBird-client', grantType: 'refresh_token', refreshToken: 'riverCanaryBird-refresh' }) })).text);
	const portal = { path: '/federation/credentials', query: { role_name: 'r', account_id: '123456789012' } };
	assert.equal((await raw({ ...portal, headers: { 'x-amz-sso_bearer_token': 'nonsense' } })).status, 401);
	const { roleCredentials: sso } = JSON.parse((await raw({ ...portal, headers: { 'x-amz-sso_bearer_token': refreshed.accessToken } })).text);
	const keys = [
		{ accessKeyId: role.AccessKeyId, secretAccessKey: role.SecretAccessKey, sessionToken: role.SessionToken },
		{ accessKeyId: instance.AccessKeyId, secretAccessKey: instance.SecretAccessKey, sessionToken: instance.Token },
		{ accessKeyId: container.AccessKeyId, secretAccessKey: container.SecretAccessKey, sessionToken: container.Token },
		{ accessKeyId: sso.accessKeyId, secretAccessKey: sso.secretAccessKey, sessionToken: sso.sessionToken },
	];
	const use = key => nameOf(firehose({ credentials: key }).send(new PutRecordBatchCommand({ DeliveryStreamName: 's1', Records: records(1) })));
	for (const key of keys)
		assert.equal(await use(key), 'none');
	assert.equal(await use({ ...keys[0], sessionToken: undefined }), 'UnrecognizedClientException');
	await ahead(320);
	for (const key of keys)
		assert.equal(await use(key), 'ExpiredTokenException');
	const old = await signed('s3', { path: '/lake', query: { 'list-type': '2' } }, { signer: { credentials: keys[0] } });
	assert.equal(codeIn(old), 'ExpiredToken');
	await control('POST', 'config', { clock_offset_s: 0, credentials_s: null });
}

// Would IAM have allowed what was asked? Judges a log of the emulator by one of the policies that
// `river stream create --print-policy` prints: node allowed.mjs POLICIES.json NAME <LOG
//
// Prints each request that no statement allows, then each action that no request needed as "unused: ACTION".
// Exits 1 when something was not allowed.

import { readFileSync } from 'node:fs';

// "Actions defined by Amazon S3" and "... by Amazon Data Firehose", Service Authorization Reference.
const S3 = { GetObject: 'GetObject', HeadObject: 'GetObject', PutObject: 'PutObject', CreateMultipartUpload: 'PutObject',
	UploadPart: 'PutObject', CompleteMultipartUpload: 'PutObject', AbortMultipartUpload: 'AbortMultipartUpload',
	DeleteObject: 'DeleteObject', ListObjectsV2: 'ListBucket', HeadBucket: 'ListBucket',
	ListMultipartUploads: 'ListBucketMultipartUploads',
	GetBucketNotificationConfiguration: 'GetBucketNotification',
	PutBucketNotificationConfiguration: 'PutBucketNotification' };

const [file, name] = process.argv.slice(2);
const { policies } = JSON.parse(readFileSync(file, 'utf8'));
const statements = policies[name].Statement.map(s => ({ ...s, actions: [].concat(s.Action), resources: [].concat(s.Resource) }));
const used = new Set();
let refused = 0;

// * and ? stand for anything; ${*} for itself.
const like = (pattern, text) => new RegExp('^' + pattern.replace(/\$\{(.)\}|[.+^${}()|[\]\\]|\*|\?/g, (all, literal) =>
	literal ? '\\' + literal : all === '*' ? '[^]*' : all === '?' ? '[^]' : '\\' + all) + '$').test(text);

function allows(statement, action, resource, prefix) {
	const prefixes = statement.Condition?.StringLikeIfExists?.['s3:prefix'];
	return statement.actions.includes(action) && statement.resources.some(r => like(r, resource)) &&
		(!prefixes || prefix === undefined || prefixes.some(p => like(p, prefix)));
}

for (const line of readFileSync(0, 'utf8').split('\n').filter(Boolean)) {
	const r = JSON.parse(line);
	const action = r.service === 's3' ? `s3:${S3[r.op]}` : `${r.service}:${r.op}`;
	const resource = r.service === 's3' ? `arn:aws:s3:::${r.bucket}${r.key ? '/' + Buffer.from(r.key, 'latin1') : ''}`
		: `arn:aws:firehose:us-east-1:123456789012:deliverystream/${r.stream}`;
	if (statements.some(s => allows(s, action, resource, r.prefix))) {
		used.add(action);
	} else {
		console.log(`${r.op}: ${action} on ${resource}${r.prefix === undefined ? '' : ` below '${r.prefix}'`}`);
		refused++;
	}
}
for (const action of new Set(statements.flatMap(s => s.actions)))
	if (!used.has(action))
		console.log(`unused: ${action}`);
process.exit(refused ? 1 : 0);

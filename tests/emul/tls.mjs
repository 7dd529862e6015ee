// A certificate authority for one run, and two certificates of it, made by openssl: one for this machine's
// loopback names, one for a name that is nobody's.

import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

// AWS's and Snowflake's own names are for clients that come through connect-proxy.mjs --to.
const NAMES = ['localhost', 'lake.localhost', ...['us-east-1', 'eu-west-1'].flatMap(region =>
	[`*.${region}.amazonaws.com`, `*.s3.${region}.amazonaws.com`]), '*.snowflakecomputing.com'].map(name => `DNS:${name}`).concat('IP:127.0.0.1', 'IP:::1').join();

export function makeCertificates(dir) {
	mkdirSync(dir, { recursive: true });
	const file = name => join(dir, name);
	const openssl = (...args) => execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
	const key = name => openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', file(name));
	key('ca.key');
	openssl('req', '-x509', '-new', '-key', file('ca.key'), '-days', '30', '-subj', '/CN=river emulator CA', '-out', file('ca.pem'));
	const make = (name, subject, names) => {
		writeFileSync(file(`${name}.ext`), `subjectAltName=${names}\nbasicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=serverAuth\n`);
		key(`${name}.key`);
		openssl('req', '-new', '-key', file(`${name}.key`), '-subj', subject, '-out', file(`${name}.csr`));
		openssl('x509', '-req', '-in', file(`${name}.csr`), '-CA', file('ca.pem'), '-CAkey', file('ca.key'), '-CAcreateserial',
			'-days', '30', '-extfile', file(`${name}.ext`), '-out', file(`${name}.pem`));
		return { key: readFileSync(file(`${name}.key`)), cert: readFileSync(file(`${name}.pem`)) };
	};
	return { ca: file('ca.pem'),
		good: make('server', '/CN=localhost', NAMES),
		wrong: make('wrong', '/CN=wrong.invalid', 'DNS:wrong.invalid') };
}

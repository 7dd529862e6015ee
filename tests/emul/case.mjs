// Runs one function of a file of cases: node case.mjs FILE NAME

import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const [file, name] = process.argv.slice(2);
const cases = await import(pathToFileURL(resolve(file)));
if (!cases[name])
	throw new Error(`no case ${name} in ${file}`);
await cases[name]();
process.exit(0);

// The collector everybody writes first: parse the JSON, append a line, answer 204. PORT FILE
import fs from 'node:fs';
import http from 'node:http';

const out = fs.createWriteStream(process.argv[3]);
http.createServer((request, answer) => {
	const parts = [];
	request.on('data', part => parts.push(part)).on('end', () => {
		const body = Buffer.concat(parts).toString();
		try {
			JSON.parse(body);
			out.write(body + '\n');
			answer.writeHead(204).end();
		} catch {
			answer.writeHead(400).end();
		}
	});
}).listen(Number(process.argv[2]), '127.0.0.1');

// What was asked: the last requests one by one, and counts of all of them.

const KEPT = 100000;

export class Log {
	constructor() {
		this.clear();
	}
	clear() {
		this.entries = [];
		this.byOp = new Map();
	}
	add(entry) {
		this.entries.push(entry);
		if (this.entries.length > 2 * KEPT)
			this.entries = this.entries.slice(-KEPT);
		const name = `${entry.service}.${entry.op}`;
		let c = this.byOp.get(name);
		if (!c)
			this.byOp.set(name, c = { requests: 0, ok: 0, failed: 0, faults: 0, records: 0, accepted: 0, bytes: 0, codes: {}, connections: new Set() });
		c.requests++;
		entry.status >= 200 && entry.status < 300 ? c.ok++ : c.failed++;
		if (entry.fault)
			c.faults++;
		c.records += entry.records ?? 0;
		c.accepted += entry.accepted ?? 0;
		c.bytes += entry.bytes ?? 0;
		if (entry.code)
			c.codes[entry.code] = (c.codes[entry.code] ?? 0) + 1;
		c.connections.add(entry.conn);
	}
	counts() {
		return Object.fromEntries([...this.byOp].map(([name, c]) => [name, { ...c, connections: c.connections.size }]));
	}
}

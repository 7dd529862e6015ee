// The checksums of S3: CRC-32, CRC-32C, CRC-64/NVME (reflected, all ones in and out), SHA-1, SHA-256,
// MD5. A crc of an object is also computed from the crcs of its parts (combine), as S3 does for
// multipart uploads with full-object checksums, so contents need not be kept.

import { createHash } from 'node:crypto';
import zlib from 'node:zlib';

// Slicing by eight: 8 tables of 256 entries.
function tables32(poly) {
	const t = new Uint32Array(8 * 256);
	for (let n = 0; n < 256; n++) {
		let c = n;
		for (let k = 0; k < 8; k++)
			c = c & 1 ? (c >>> 1) ^ poly : c >>> 1;
		t[n] = c;
	}
	for (let n = 256; n < t.length; n++)
		t[n] = t[t[n - 256] & 255] ^ (t[n - 256] >>> 8);
	return t;
}

class Crc32 {
	constructor(t) {
		this.t = t;
		this.crc = 0xffffffff;
	}
	update(b) {
		const t = this.t;
		let c = this.crc, i = 0;
		for (const end = b.length - 7; i < end; i += 8) {
			const lo = c ^ (b[i] | b[i + 1] << 8 | b[i + 2] << 16 | b[i + 3] << 24);
			c = t[1792 + (lo & 255)] ^ t[1536 + (lo >>> 8 & 255)] ^ t[1280 + (lo >>> 16 & 255)] ^
				t[1024 + (lo >>> 24)] ^ t[768 + b[i + 4]] ^ t[512 + b[i + 5]] ^
				t[256 + b[i + 6]] ^ t[b[i + 7]];
		}
		for (; i < b.length; i++)
			c = t[(c ^ b[i]) & 255] ^ (c >>> 8);
		this.crc = c;
		return this;
	}
	digest() {
		const out = Buffer.alloc(4);
		out.writeUInt32BE((this.crc ^ 0xffffffff) >>> 0);
		return out;
	}
}

// Node 20.15 and later do it natively.
class NativeCrc32 {
	crc = 0;
	update(b) {
		this.crc = zlib.crc32(b, this.crc);
		return this;
	}
	digest() {
		const out = Buffer.alloc(4);
		out.writeUInt32BE(this.crc >>> 0);
		return out;
	}
}

const POLY64 = 0x9a6c9329ac4bc9b5n;
// As 32-bit halves: BigInt arithmetic would be a hundred times slower.
function tables64() {
	const lo = new Int32Array(8 * 256), hi = new Int32Array(8 * 256);
	const pl = Number(POLY64 & 0xffffffffn) | 0, ph = Number(POLY64 >> 32n) | 0;
	for (let n = 0; n < 256; n++) {
		let l = n, h = 0;
		for (let k = 0; k < 8; k++) {
			const odd = l & 1;
			l = (l >>> 1) | (h << 31);
			h = h >>> 1;
			if (odd) {
				l ^= pl;
				h ^= ph;
			}
		}
		lo[n] = l;
		hi[n] = h;
	}
	for (let n = 256; n < lo.length; n++) {
		const l = lo[n - 256], h = hi[n - 256];
		lo[n] = lo[l & 255] ^ ((l >>> 8) | (h << 24));
		hi[n] = hi[l & 255] ^ (h >>> 8);
	}
	return [lo, hi];
}

class Crc64 {
	lo = -1;
	hi = -1;
	update(b) {
		const [tl, th] = T64;
		let l = this.lo, h = this.hi, i = 0;
		for (const end = b.length - 7; i < end; i += 8) {
			l ^= b[i] | b[i + 1] << 8 | b[i + 2] << 16 | b[i + 3] << 24;
			h ^= b[i + 4] | b[i + 5] << 8 | b[i + 6] << 16 | b[i + 7] << 24;
			const i7 = 1792 + (l & 255), i6 = 1536 + (l >>> 8 & 255), i5 = 1280 + (l >>> 16 & 255),
				i4 = 1024 + (l >>> 24), i3 = 768 + (h & 255), i2 = 512 + (h >>> 8 & 255),
				i1 = 256 + (h >>> 16 & 255), i0 = h >>> 24;
			l = tl[i7] ^ tl[i6] ^ tl[i5] ^ tl[i4] ^ tl[i3] ^ tl[i2] ^ tl[i1] ^ tl[i0];
			h = th[i7] ^ th[i6] ^ th[i5] ^ th[i4] ^ th[i3] ^ th[i2] ^ th[i1] ^ th[i0];
		}
		for (; i < b.length; i++) {
			const n = (l ^ b[i]) & 255;
			l = tl[n] ^ ((l >>> 8) | (h << 24));
			h = th[n] ^ (h >>> 8);
		}
		this.lo = l;
		this.hi = h;
		return this;
	}
	digest() {
		const out = Buffer.alloc(8);
		out.writeInt32BE(~this.hi, 0);
		out.writeInt32BE(~this.lo, 4);
		return out;
	}
}

const T32 = tables32(0xedb88320), T32C = tables32(0x82f63b78), T64 = tables64();

class Hash {
	constructor(name) {
		this.hash = createHash(name);
	}
	update(b) {
		this.hash.update(b);
		return this;
	}
	digest() {
		return this.hash.digest();
	}
}

// What S3 calls them, in headers (lower case) and XML; fullObject: a multipart object may have one.
export const ALGORITHMS = {
	crc32: { bytes: 4, xml: 'ChecksumCRC32', fullObject: true, composite: true, poly: 0xedb88320n },
	crc32c: { bytes: 4, xml: 'ChecksumCRC32C', fullObject: true, composite: true, poly: 0x82f63b78n },
	crc64nvme: { bytes: 8, xml: 'ChecksumCRC64NVME', fullObject: true, composite: false, poly: POLY64 },
	sha1: { bytes: 20, xml: 'ChecksumSHA1', fullObject: false, composite: true },
	sha256: { bytes: 32, xml: 'ChecksumSHA256', fullObject: false, composite: true },
};

export function summer(name) {
	switch (name) {
	case 'crc32': return zlib.crc32 ? new NativeCrc32() : new Crc32(T32);
	case 'crc32c': return new Crc32(T32C);
	case 'crc64nvme': return new Crc64();
	default: return new Hash(name);
	}
}

export function sum(name, bytes) {
	return summer(name).update(bytes).digest();
}

// The crc of A followed by B from their crcs and the length of B: a crc with all ones in and out is
// crc(A) * x^(8 * len(B)) + crc(B) modulo the polynomial (bit-reflected, as zlib does it).
export function combine(name, a, b, lengthOfB) {
	const { bytes, poly } = ALGORITHMS[name];
	const one = 1n << BigInt(bytes * 8 - 1);
	const times = (x, y) => {
		let product = 0n;
		for (let bit = one; bit; bit >>= 1n) {
			if (x & bit)
				product ^= y;
			y = y & 1n ? (y >> 1n) ^ poly : y >> 1n;
		}
		return product;
	};
	let power = one, square = one >> 8n; // x^0, x^8
	for (let n = BigInt(lengthOfB); n; n >>= 1n) {
		if (n & 1n)
			power = times(power, square);
		square = times(square, square);
	}
	const crc = times(power, BigInt('0x' + a.toString('hex'))) ^ BigInt('0x' + b.toString('hex'));
	return Buffer.from(crc.toString(16).padStart(bytes * 2, '0'), 'hex');
}

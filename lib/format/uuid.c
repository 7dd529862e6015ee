/* UUIDs and the SHA-1 that those of version 5 need (FIPS 180-4, 6.1). */
#include "format/uuid.h"

#include <string.h>

const uint8_t rv_uuid_dns[RV_UUID_BYTES] = { 0x6b, 0xa7, 0xb8, 0x10, 0x9d, 0xad, 0x11, 0xd1,
					     0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8 };
const uint8_t rv_uuid_url[RV_UUID_BYTES] = { 0x6b, 0xa7, 0xb8, 0x11, 0x9d, 0xad, 0x11, 0xd1,
					     0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8 };
const uint8_t rv_uuid_oid[RV_UUID_BYTES] = { 0x6b, 0xa7, 0xb8, 0x12, 0x9d, 0xad, 0x11, 0xd1,
					     0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8 };
const uint8_t rv_uuid_x500[RV_UUID_BYTES] = { 0x6b, 0xa7, 0xb8, 0x14, 0x9d, 0xad, 0x11, 0xd1,
					      0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8 };

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool rv_uuid_parse(const char *s, size_t len, uint8_t ret[RV_UUID_BYTES])
{
	uint8_t id[RV_UUID_BYTES];
	size_t n = 0;

	if (len != RV_UUID_LEN)
		return false;
	for (size_t i = 0; i < len;) {
		if (i == 8 || i == 13 || i == 18 || i == 23) {
			if (s[i++] != '-')
				return false;
			continue;
		}
		int high = hex_digit(s[i]), low = hex_digit(s[i + 1]);

		if (high < 0 || low < 0)
			return false;
		id[n++] = (uint8_t)(high << 4 | low);
		i += 2;
	}
	memcpy(ret, id, sizeof(id));
	return true;
}

void rv_uuid_text(const uint8_t id[RV_UUID_BYTES], char *ret)
{
	static const char digits[] = "0123456789abcdef";

	for (unsigned i = 0; i < RV_UUID_BYTES; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*ret++ = '-';
		*ret++ = digits[id[i] >> 4];
		*ret++ = digits[id[i] & 15];
	}
}

/* ---- SHA-1 ---- */

struct sha1 {
	uint32_t h[5];
};

static inline uint32_t left(uint32_t v, unsigned n)
{
	return v << n | v >> (32 - n);
}

static void block(struct sha1 *s, const uint8_t *p)
{
	uint32_t w[80], a = s->h[0], b = s->h[1], c = s->h[2], d = s->h[3], e = s->h[4];

	for (unsigned i = 0; i < 16; i++)
		w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 |
		       (uint32_t)p[4 * i + 2] << 8 | p[4 * i + 3];
	for (unsigned i = 16; i < 80; i++)
		w[i] = left(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
#define ROUNDS(from, to, f, k)                                             \
	for (unsigned i = (from); i < (to); i++) {                         \
		uint32_t t = left(a, 5) + (f) + e + UINT32_C(k) + w[i];    \
		e = d;                                                     \
		d = c;                                                     \
		c = left(b, 30);                                           \
		b = a;                                                     \
		a = t;                                                     \
	}
	ROUNDS(0, 20, (b & c) | (~b & d), 0x5a827999)
	ROUNDS(20, 40, b ^ c ^ d, 0x6ed9eba1)
	ROUNDS(40, 60, (b & c) | (b & d) | (c & d), 0x8f1bbcdc)
	ROUNDS(60, 80, b ^ c ^ d, 0xca62c1d6)
#undef ROUNDS
	s->h[0] += a;
	s->h[1] += b;
	s->h[2] += c;
	s->h[3] += d;
	s->h[4] += e;
}

/* Of two pieces, one behind the other: `first` is shorter than a block. */
static void digest(const void *first, size_t first_len, const void *rest, size_t rest_len,
		   uint8_t ret[RV_UUID_SHA1_BYTES])
{
	struct sha1 s = { { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0 } };
	uint64_t bits = ((uint64_t)first_len + rest_len) * 8;
	const uint8_t *p = rest;
	uint8_t last[128] = { 0 };
	size_t have = first_len;

	if (first_len)
		memcpy(last, first, first_len);
	if (have + rest_len >= 64) {
		size_t n = 64 - have;

		memcpy(last + have, p, n);
		block(&s, last);
		p += n;
		rest_len -= n;
		for (; rest_len >= 64; p += 64, rest_len -= 64)
			block(&s, p);
		memset(last, 0, sizeof(last));
		have = 0;
	}
	if (rest_len)
		memcpy(last + have, p, rest_len);
	have += rest_len;
	last[have] = 0x80;
	size_t end = have + 9 <= 64 ? 64 : 128;

	for (unsigned i = 0; i < 8; i++)
		last[end - 1 - i] = (uint8_t)(bits >> (8 * i));
	block(&s, last);
	if (end == 128)
		block(&s, last + 64);
	for (unsigned i = 0; i < RV_UUID_SHA1_BYTES; i++)
		ret[i] = (uint8_t)(s.h[i / 4] >> (24 - 8 * (i % 4)));
}

void rv_uuid_sha1(const void *p, size_t len, uint8_t ret[RV_UUID_SHA1_BYTES])
{
	digest(NULL, 0, p, len, ret);
}

/* ---- versions ---- */

void rv_uuid_v5(const uint8_t name_space[RV_UUID_BYTES], const void *name, size_t len,
		uint8_t ret[RV_UUID_BYTES])
{
	uint8_t sum[RV_UUID_SHA1_BYTES];

	digest(name_space, RV_UUID_BYTES, name, len, sum);
	memcpy(ret, sum, RV_UUID_BYTES);
	ret[6] = (uint8_t)((ret[6] & 0x0f) | 0x50);
	ret[8] = (uint8_t)((ret[8] & 0x3f) | 0x80);
}

void rv_uuid_v4(uint8_t bits[RV_UUID_BYTES])
{
	bits[6] = (uint8_t)((bits[6] & 0x0f) | 0x40);
	bits[8] = (uint8_t)((bits[8] & 0x3f) | 0x80);
}

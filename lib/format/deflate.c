/*
 * A gzip encoder for records that look alike. ISA-L's quick levels look for matches of four bytes and
 * take the first: in JSON with ids, hashes and numbers many of these cost more than the literals they
 * stand for, and its level that looks further takes three times as long. Here a match begins with six
 * equal bytes, or at the distance of the last one, where the same field of the record before goes on
 * behind a value that differs. That is a twentieth smaller, and takes half as long again as ISA-L's quick
 * levels.
 */
#include "format/deflate.h"

#include <endian.h>
#include <isa-l/crc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "format/deflate_code.h"

#define WINDOW 32768u
#define BLOCK (128u << 10)
#define SLACK 64 /* what copies and reads of whole words may touch behind an end */
#define HASH_BITS 15
#define HASH_BYTES 6
#define MIN_MATCH 4 /* at the last distance; others have the bytes of the hash */
#define MAX_MATCH 258
/* Four literals go into the 56 bits that are always free. */
#define LITERAL_BITS 14
#define DISTANCE_BITS 15
/* A match that is shorter is given up for a longer one that begins a byte later. */
#define GOOD_MATCH 32
/* The longer nothing matches, the fewer places are looked at. */
#define SKIP_SHIFT 3
#define SKIP_MAX 7
#define STORED_MAX 65535u
#define HEADER_BYTES 10
#define TRAILER_BYTES 8

/* Literals, then a match; the last of a block may have none (length 0). */
struct token {
	uint32_t literals;
	uint16_t length, distance;
};

struct rv_deflate {
	uint8_t in[WINDOW + BLOCK + SLACK]; /* history, then the block */
	uint32_t start;                     /* of the block */
	uint32_t len;                       /* of the block */
	uint32_t base;                      /* position of in[0], modulo 2^32 */
	uint32_t last_distance;             /* 0: none yet */
	uint32_t places[1u << HASH_BITS];   /* positions by the hash of what is there */
	struct token tokens[BLOCK / MIN_MATCH + 1];
	size_t token_count;
	uint8_t literals[BLOCK + SLACK]; /* of all tokens */
	size_t literal_count;
	uint32_t literal_times[RV_DEFLATE_LITERALS], distance_times[RV_DEFLATE_DISTANCES];
	uint8_t literal_bits[RV_DEFLATE_LITERALS], distance_bits[RV_DEFLATE_DISTANCES];
	uint16_t literal_codes[RV_DEFLATE_LITERALS], distance_codes[RV_DEFLATE_DISTANCES];
	uint8_t length_symbol[MAX_MATCH + 1]; /* from 0 */
	bool header_done;
	uint32_t crc, total;
	uint64_t bits; /* not yet whole bytes */
	unsigned bit_count;
	uint8_t out[BLOCK + 1024];
	size_t out_len;
};

static const uint16_t length_base[29] = { 3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23, 27,
					  31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258 };
static const uint8_t length_extra[29] = { 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
					  2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0 };

struct rv_deflate *rv_deflate_new(void)
{
	struct rv_deflate *d = rv_calloc(1, sizeof(*d));
	for (unsigned symbol = 0; symbol < 29; symbol++)
		for (unsigned length = length_base[symbol]; length <= MAX_MATCH; length++)
			d->length_symbol[length] = (uint8_t)symbol;
	return d;
}

void rv_deflate_free(struct rv_deflate *d)
{
	free(d);
}

void rv_deflate_begin(struct rv_deflate *d)
{
	d->start = d->len = 0;
	/* so that the places, all 0, are too far away */
	memset(d->places, 0, sizeof(d->places));
	d->base = WINDOW + 1;
	d->last_distance = 0;
	d->header_done = false;
	d->crc = d->total = 0;
	d->bits = d->bit_count = 0;
}

size_t rv_deflate_take(struct rv_deflate *d, const void *p, size_t len)
{
	size_t n = BLOCK - d->len < len ? BLOCK - d->len : len;
	memcpy(d->in + d->start + d->len, p, n);
	d->len += (uint32_t)n;
	return n;
}

/* ---- matches ------------------------------------------------------------------------------------- */
static inline uint32_t read_4(const uint8_t *p)
{
	uint32_t v;
	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint64_t read_8(const uint8_t *p)
{
	uint64_t v;
	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

static inline uint32_t hash_of(const uint8_t *p)
{
	return (uint32_t)((read_8(p) << (64 - 8 * HASH_BYTES)) * 0x9e3779b185ebca87u >> (64 - HASH_BITS));
}

static inline unsigned distance_symbol(uint32_t distance)
{
	distance--;
	if (distance < 4)
		return distance;
	unsigned high = 31 - (unsigned)__builtin_clz(distance);
	return 2 * high + (distance >> (high - 1) & 1);
}

/* How far both are the same; `end` is that of `p`, the later one. */
static inline uint32_t common(const uint8_t *p, const uint8_t *q, const uint8_t *end)
{
	const uint8_t *from = p;
	while (p + 8 <= end) {
		uint64_t differ = read_8(p) ^ read_8(q);
		if (differ)
			return (uint32_t)(p - from) + ((uint32_t)__builtin_ctzll(differ) >> 3);
		p += 8;
		q += 8;
	}
	while (p < end && *p == *q) {
		p++;
		q++;
	}
	return (uint32_t)(p - from);
}

static inline void add_literals(struct rv_deflate *d, const uint8_t *p, uint32_t n)
{
	/* sixteen, wanted or not: most are fewer, and a loop over them would be guessed wrong */
	uint8_t *to = d->literals + d->literal_count;
	memcpy(to, p, 16);
	for (uint32_t i = 16; i < n; i += 16)
		memcpy(to + i, p + i, 16);
	d->literal_count += n;
}

/* Lengths of two pieces and more never leave a piece of less than three. */
static inline void add_match(struct rv_deflate *d, const uint8_t *literals, uint32_t literal_count,
			     uint32_t length, uint32_t distance)
{
	unsigned symbol = distance_symbol(distance);
	add_literals(d, literals, literal_count);
	do {
		uint32_t piece = length;
		if (piece > MAX_MATCH)
			piece = length >= MAX_MATCH + 3 ? MAX_MATCH : length - 3;
		d->tokens[d->token_count++] =
			(struct token){ literal_count, (uint16_t)piece, (uint16_t)distance };
		d->literal_times[RV_DEFLATE_END_OF_BLOCK + 1 + d->length_symbol[piece]]++;
		d->distance_times[symbol]++;
		literal_count = 0;
		length -= piece;
	} while (length);
}

static void find_matches(struct rv_deflate *d)
{
	const uint8_t *low = d->in, *at = low + d->start, *done = at, *end = at + d->len;
	const uint8_t *limit = d->len > 32 ? end - 16 : at;
	uint32_t *places = d->places;
	uint32_t base = d->base, last = d->last_distance;
	if (at == low && at < limit)
		at++; /* there is nothing in front of it */
	while (at < limit) {
		uint32_t here = base + (uint32_t)(at - low), slot = hash_of(at), length;
		uint32_t distance = here - places[slot];
		places[slot] = here;
		if (last && last <= (size_t)(at + 1 - low) && read_4(at + 1) == read_4(at + 1 - last)) {
			at++;
			distance = last;
			length = 4 + common(at + 4, at + 4 - distance, end);
		} else if (distance - 1 < WINDOW && distance <= (size_t)(at - low) &&
			   read_4(at) == read_4(at - distance)) {
			length = 4 + common(at + 4, at + 4 - distance, end);
			if (length < GOOD_MATCH && at + length + 3 <= end) {
				slot = hash_of(at + 1);
				uint32_t other = here + 1 - places[slot];
				places[slot] = here + 1;
				if (other - 1 < WINDOW && other <= (size_t)(at + 1 - low) &&
				    read_4(at + length - 2) == read_4(at + length - 2 - other)) {
					uint32_t longer = common(at + 1, at + 1 - other, end);
					if (longer > length) {
						at++;
						length = longer;
						distance = other;
					}
				}
			}
			last = distance;
		} else {
			size_t skip = (size_t)(at - done) >> SKIP_SHIFT;
			at += 1 + (skip < SKIP_MAX ? skip : SKIP_MAX);
			continue;
		}
		while (at > done && at - distance > low && at[-1] == at[-1 - (ptrdiff_t)distance]) {
			at--;
			length++;
		}
		add_match(d, done, (uint32_t)(at - done), length, distance);
		const uint8_t *first = at;
		done = at += length;
		if (at < limit) {
			places[hash_of(first + 2)] = base + (uint32_t)(first + 2 - low);
			places[hash_of(at - 2)] = base + (uint32_t)(at - 2 - low);
		}
	}
	add_literals(d, done, (uint32_t)(end - done));
	d->tokens[d->token_count++] = (struct token){ .literals = (uint32_t)(end - done) };
	d->last_distance = last;
}

/* ---- bits ---------------------------------------------------------------------------------------- */
struct bits {
	uint64_t bits;
	unsigned count;
	uint8_t *to;
};

/* At most 56 bits before each bits_out, which leaves fewer than eight. */
static inline void bits_add(struct bits *b, uint64_t value, unsigned count)
{
	b->bits |= value << b->count;
	b->count += count;
}

static inline void bits_out(struct bits *b)
{
	uint64_t v = htole64(b->bits);
	memcpy(b->to, &v, sizeof(v));
	b->to += b->count >> 3;
	b->bits >>= b->count & ~7u;
	b->count &= 7;
}

static void bits_to_byte(struct bits *b)
{
	b->count = (b->count + 7) & ~7u;
	bits_out(b);
}

/* A code and its length in one word */
#define WORD(code, count) ((uint32_t)(code) | (uint32_t)(count) << 24)
static inline void bits_word(struct bits *b, uint32_t word)
{
	bits_add(b, word & 0xffffff, word >> 24);
}

static void write_head(struct bits *b, const struct rv_deflate_head *head, bool last)
{
	bits_add(b, last, 1);
	bits_add(b, 2, 2);
	bits_add(b, head->literals - 257u, 5);
	bits_add(b, head->distances - 1u, 5);
	bits_add(b, head->kinds - 4u, 4);
	bits_out(b);
	for (unsigned i = 0; i < head->kinds; i++) {
		bits_add(b, head->kind_bits[rv_deflate_kind_order[i]], 3);
		bits_out(b);
	}
	for (unsigned i = 0; i < head->step_count; i++) {
		unsigned kind = head->steps[i] & 31;
		bits_add(b, head->kind_codes[kind], head->kind_bits[kind]);
		bits_add(b, head->steps[i] >> 5, rv_deflate_step_extra(kind));
		bits_out(b);
	}
}

static void write_tokens(const struct rv_deflate *d, struct bits *out)
{
	struct bits b = *out; /* in registers */
	uint32_t byte_word[257], length_word[MAX_MATCH + 1], distance_word[RV_DEFLATE_DISTANCES];
	for (unsigned i = 0; i < 256; i++)
		byte_word[i] = WORD(d->literal_codes[i], d->literal_bits[i]);
	for (unsigned length = 3; length <= MAX_MATCH; length++) {
		unsigned symbol = d->length_symbol[length], code = symbol + RV_DEFLATE_END_OF_BLOCK + 1;
		unsigned bits = d->literal_bits[code];
		length_word[length] =
			WORD(d->literal_codes[code] | (length - length_base[symbol]) << bits,
			     bits + length_extra[symbol]);
	}
	for (unsigned i = 0; i < RV_DEFLATE_DISTANCES; i++)
		distance_word[i] = WORD(d->distance_codes[i], d->distance_bits[i]);
	const uint8_t *literal = d->literals;
	for (size_t i = 0; i < d->token_count; i++) {
		struct token token = d->tokens[i];
		uint32_t left = token.literals;
		for (; left > 4; left -= 4, literal += 4) {
			bits_word(&b, byte_word[literal[0]]);
			bits_word(&b, byte_word[literal[1]]);
			bits_word(&b, byte_word[literal[2]]);
			bits_word(&b, byte_word[literal[3]]);
			bits_out(&b);
		}
		/* up to four, without a guess how many */
		bits_word(&b, left > 0 ? byte_word[literal[0]] : 0);
		bits_word(&b, left > 1 ? byte_word[literal[1]] : 0);
		bits_word(&b, left > 2 ? byte_word[literal[2]] : 0);
		bits_word(&b, left > 3 ? byte_word[literal[3]] : 0);
		bits_out(&b);
		literal += left;
		if (!token.length)
			continue;
		unsigned symbol = distance_symbol(token.distance);
		bits_word(&b, length_word[token.length]);
		bits_word(&b, distance_word[symbol]);
		if (symbol >= 4) {
			unsigned extra = symbol / 2 - 1;
			bits_add(&b, (token.distance - 1u) & ((1u << extra) - 1), extra);
		}
		bits_out(&b);
	}
	bits_add(&b, d->literal_codes[RV_DEFLATE_END_OF_BLOCK], d->literal_bits[RV_DEFLATE_END_OF_BLOCK]);
	bits_out(&b);
	*out = b;
}

static void write_stored(const struct rv_deflate *d, struct bits *b, bool last)
{
	const uint8_t *p = d->in + d->start;
	uint32_t left = d->len;
	do {
		uint32_t n = left < STORED_MAX ? left : STORED_MAX;
		bits_add(b, last && n == left, 1);
		bits_add(b, 0, 2);
		bits_to_byte(b);
		bits_add(b, n, 16);
		bits_add(b, n ^ 0xffff, 16);
		bits_out(b);
		memcpy(b->to, p, n);
		b->to += n;
		p += n;
		left -= n;
	} while (left);
}

/* ---- blocks -------------------------------------------------------------------------------------- */
static void count_literals(struct rv_deflate *d)
{
	/* four tables: equal neighbours do not wait for each other */
	uint32_t times[4][256] = { { 0 } };
	size_t i = 0;
	for (; i + 4 <= d->literal_count; i += 4)
		for (unsigned k = 0; k < 4; k++)
			times[k][d->literals[i + k]]++;
	for (; i < d->literal_count; i++)
		times[0][d->literals[i]]++;
	for (unsigned byte = 0; byte < 256; byte++)
		d->literal_times[byte] = times[0][byte] + times[1][byte] + times[2][byte] + times[3][byte];
}

static uint64_t bits_of_tokens(const struct rv_deflate *d)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < RV_DEFLATE_LITERALS; i++)
		sum += (uint64_t)d->literal_times[i] *
		       (d->literal_bits[i] +
			(i > RV_DEFLATE_END_OF_BLOCK ? length_extra[i - RV_DEFLATE_END_OF_BLOCK - 1] : 0u));
	for (unsigned i = 0; i < RV_DEFLATE_DISTANCES; i++)
		sum += (uint64_t)d->distance_times[i] *
		       (d->distance_bits[i] + (i < 4 ? 0 : i / 2 - 1));
	return sum;
}

static void compress_block(struct rv_deflate *d, struct bits *b, bool last)
{
	struct rv_deflate_head head;
	d->token_count = d->literal_count = 0;
	memset(d->literal_times, 0, sizeof(d->literal_times));
	memset(d->distance_times, 0, sizeof(d->distance_times));
	find_matches(d);
	count_literals(d);
	d->literal_times[RV_DEFLATE_END_OF_BLOCK] = 1;
	rv_deflate_code(d->literal_times, RV_DEFLATE_LITERALS, LITERAL_BITS, d->literal_bits,
			d->literal_codes);
	rv_deflate_code(d->distance_times, RV_DEFLATE_DISTANCES, DISTANCE_BITS, d->distance_bits,
			d->distance_codes);
	rv_deflate_head_make(&head, d->literal_bits, d->distance_bits);
	/* at most two stored pieces and a bit more are in a block: what is not smaller is stored */
	if (3 + head.bits + bits_of_tokens(d) >= 8 * ((uint64_t)d->len + 5)) {
		write_stored(d, b, last);
		return;
	}
	write_head(b, &head, last);
	write_tokens(d, b);
}

void rv_deflate_block(struct rv_deflate *d, bool last, const char **ret, size_t *ret_len)
{
	static const uint8_t header[HEADER_BYTES] = { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255 };
	struct bits b = { d->bits, d->bit_count, d->out };
	if (!d->header_done) {
		memcpy(b.to, header, sizeof(header));
		b.to += sizeof(header);
		d->header_done = true;
	}
	d->crc = crc32_gzip_refl(d->crc, d->in + d->start, d->len);
	d->total += d->len;
	compress_block(d, &b, last);
	if (last) {
		bits_to_byte(&b);
		bits_add(&b, d->crc, 32);
		bits_out(&b);
		bits_add(&b, d->total, 32);
		bits_out(&b);
	}
	d->bits = b.bits;
	d->bit_count = b.count;
	d->start += d->len;
	d->len = 0;
	if (d->start > WINDOW) {
		uint32_t gone = d->start - WINDOW;
		memmove(d->in, d->in + gone, WINDOW);
		d->start = WINDOW;
		d->base += gone;
	}
	*ret = (const char *)d->out;
	*ret_len = (size_t)(b.to - d->out);
}

/*
 * The vector JSON scanner for x86-64 processors with AVX-512 for bytes: one register to a block,
 * and comparisons that give a word of bits at once.
 */
#include "format/json_scan_impl.h"

#if RV_X86
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#define SCAN_TARGET __attribute__((target("avx512f,avx512bw,avx2,bmi,bmi2,popcnt,pclmul")))
#define SCAN_NAME rv_json_scan_avx512
#define BLOCK_INLINE static inline __attribute__((always_inline)) SCAN_TARGET

/* Every byte, four times. Comparands are read from here: compilers would rather build a constant in
 * each turn of the loop, on the one port that also has to compare. */
#define BYTE1(c) (c)*0x01010101u
#define BYTE4(c) BYTE1(c), BYTE1((c) + 1), BYTE1((c) + 2), BYTE1((c) + 3)
#define BYTE16(c) BYTE4(c), BYTE4((c) + 4), BYTE4((c) + 8), BYTE4((c) + 12)
#define BYTE64(c) BYTE16(c), BYTE16((c) + 16), BYTE16((c) + 32), BYTE16((c) + 48)
static const uint32_t bytes[256] = { BYTE64(0), BYTE64(64), BYTE64(128), BYTE64(192) };

struct block {
	__m512i v;
	const uint32_t *bytes;
};

BLOCK_INLINE void block_load(struct block *b, const char *p)
{
	b->v = _mm512_loadu_si512((const void *)p);
	b->bytes = bytes;
	__asm__("" : "+r"(b->bytes)); /* no longer known to be constants */
}

BLOCK_INLINE __m512i block_all(const struct block *b, unsigned char c)
{
	return _mm512_set1_epi32((int)b->bytes[c]);
}

/* Masks are used as integers at once; left to themselves, compilers go on in mask registers, where
 * every step takes longer. */
BLOCK_INLINE uint64_t block_mask(__mmask64 mask)
{
	uint64_t m = mask;

	__asm__("" : "+r"(m));
	return m;
}

BLOCK_INLINE uint64_t block_eq(const struct block *b, int c)
{
	return block_mask(_mm512_cmpeq_epi8_mask(b->v, block_all(b, (unsigned char)c)));
}

BLOCK_INLINE uint64_t block_eq_folded(const struct block *b, int c)
{
	return block_mask(_mm512_cmpeq_epi8_mask(_mm512_or_si512(b->v, block_all(b, 0x20)),
						 block_all(b, (unsigned char)c)));
}

BLOCK_INLINE uint64_t block_below(const struct block *b, int c)
{
	return block_mask(_mm512_cmplt_epu8_mask(b->v, block_all(b, (unsigned char)c)));
}

BLOCK_INLINE uint64_t block_digit(const struct block *b)
{
	return block_mask(_mm512_cmplt_epu8_mask(_mm512_sub_epi8(b->v, block_all(b, '0')),
						 block_all(b, 10)));
}

BLOCK_INLINE uint64_t block_high(const struct block *b)
{
	return block_mask(_mm512_movepi8_mask(b->v));
}

BLOCK_INLINE uint64_t block_bit5(const struct block *b)
{
	return block_mask(_mm512_test_epi8_mask(b->v, block_all(b, 0x20)));
}

/* Looked up by its low four bits, white space finds itself and nothing else does. */
BLOCK_INLINE uint64_t block_blank(const struct block *b)
{
	const __m512i table = _mm512_broadcast_i32x4(_mm_setr_epi8(
		' ', -1, -1, -1, -1, -1, -1, -1, -1, '\t', '\n', -1, -1, '\r', -1, -1));

	return block_mask(_mm512_cmpeq_epi8_mask(_mm512_shuffle_epi8(table, b->v), b->v));
}

BLOCK_INLINE uint64_t block_prefix_xor(uint64_t m)
{
	/* A carry-less product with all ones. */
	__m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128((long long)m),
					       _mm_set1_epi8((char)0xff), 0);

	return (uint64_t)_mm_cvtsi128_si64(product);
}

#include "format/json_scan_block.inc"
#endif

/*
 * The vector JSON scanner for x86-64 processors with AVX-512 for bytes: one register to a block,
 * and comparisons that give a word of bits at once.
 */
#include "format/json_scan_impl.h"

#if RV_JSON_X86
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#define SCAN_TARGET __attribute__((target("avx512f,avx512bw,avx2,bmi,bmi2,popcnt,pclmul")))
#define SCAN_NAME rv_json_scan_avx512
#define BLOCK_INLINE static inline __attribute__((always_inline)) SCAN_TARGET

struct block {
	__m512i v;
};

BLOCK_INLINE void block_load(struct block *b, const char *p)
{
	b->v = _mm512_loadu_si512((const void *)p);
}

BLOCK_INLINE uint64_t block_eq(const struct block *b, int c)
{
	return _mm512_cmpeq_epi8_mask(b->v, _mm512_set1_epi8((char)c));
}

BLOCK_INLINE uint64_t block_eq_folded(const struct block *b, int c)
{
	return _mm512_cmpeq_epi8_mask(_mm512_or_si512(b->v, _mm512_set1_epi8(0x20)),
				      _mm512_set1_epi8((char)c));
}

BLOCK_INLINE uint64_t block_below(const struct block *b, int c)
{
	return _mm512_cmplt_epu8_mask(b->v, _mm512_set1_epi8((char)c));
}

BLOCK_INLINE uint64_t block_digit(const struct block *b)
{
	return _mm512_cmplt_epu8_mask(_mm512_sub_epi8(b->v, _mm512_set1_epi8('0')),
				      _mm512_set1_epi8(10));
}

BLOCK_INLINE uint64_t block_high(const struct block *b)
{
	return _mm512_movepi8_mask(b->v);
}

BLOCK_INLINE uint64_t block_bit5(const struct block *b)
{
	return _mm512_test_epi8_mask(b->v, _mm512_set1_epi8(0x20));
}

/* Looked up by its low four bits, white space finds itself and nothing else does. */
BLOCK_INLINE uint64_t block_blank(const struct block *b)
{
	const __m512i table = _mm512_broadcast_i32x4(_mm_setr_epi8(
		' ', -1, -1, -1, -1, -1, -1, -1, -1, '\t', '\n', -1, -1, '\r', -1, -1));

	return _mm512_cmpeq_epi8_mask(_mm512_shuffle_epi8(table, b->v), b->v);
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

/*
 * The vector JSON scanner for x86-64 processors with AVX2: two registers to a block.
 */
#include "format/json_scan_impl.h"

#if RV_X86
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#define SCAN_TARGET __attribute__((target("avx2,bmi,bmi2,popcnt,pclmul")))
#define SCAN_NAME rv_json_scan_avx2
#define BLOCK_INLINE static inline __attribute__((always_inline)) SCAN_TARGET

struct block {
	__m256i low, high;
};

BLOCK_INLINE uint64_t block_mask(__m256i low, __m256i high)
{
	return (uint32_t)_mm256_movemask_epi8(low) |
	       (uint64_t)(uint32_t)_mm256_movemask_epi8(high) << 32;
}

BLOCK_INLINE void block_load(struct block *b, const char *p)
{
	b->low = _mm256_loadu_si256((const __m256i *)(const void *)p);
	b->high = _mm256_loadu_si256((const __m256i *)(const void *)(p + 32));
}

BLOCK_INLINE uint64_t block_eq(const struct block *b, int c)
{
	__m256i v = _mm256_set1_epi8((char)c);

	return block_mask(_mm256_cmpeq_epi8(b->low, v), _mm256_cmpeq_epi8(b->high, v));
}

BLOCK_INLINE uint64_t block_eq_folded(const struct block *b, int c)
{
	__m256i fold = _mm256_set1_epi8(0x20);
	struct block folded = { _mm256_or_si256(b->low, fold), _mm256_or_si256(b->high, fold) };

	return block_eq(&folded, c);
}

/* There is no unsigned comparison: x < c is min(x, c - 1) == x. */
BLOCK_INLINE uint64_t block_below(const struct block *b, int c)
{
	__m256i v = _mm256_set1_epi8((char)(c - 1));

	return block_mask(_mm256_cmpeq_epi8(_mm256_min_epu8(b->low, v), b->low),
			  _mm256_cmpeq_epi8(_mm256_min_epu8(b->high, v), b->high));
}

BLOCK_INLINE uint64_t block_digit(const struct block *b)
{
	__m256i zero = _mm256_set1_epi8('0');
	struct block from_zero = { _mm256_sub_epi8(b->low, zero), _mm256_sub_epi8(b->high, zero) };

	return block_below(&from_zero, 10);
}

BLOCK_INLINE uint64_t block_high(const struct block *b)
{
	return block_mask(b->low, b->high);
}

BLOCK_INLINE uint64_t block_bit5(const struct block *b)
{
	return block_mask(_mm256_slli_epi16(b->low, 2), _mm256_slli_epi16(b->high, 2));
}

/* Looked up by its low four bits, white space finds itself and nothing else does. */
BLOCK_INLINE uint64_t block_blank(const struct block *b)
{
	const __m256i table = _mm256_broadcastsi128_si256(_mm_setr_epi8(
		' ', -1, -1, -1, -1, -1, -1, -1, -1, '\t', '\n', -1, -1, '\r', -1, -1));

	return block_mask(_mm256_cmpeq_epi8(_mm256_shuffle_epi8(table, b->low), b->low),
			  _mm256_cmpeq_epi8(_mm256_shuffle_epi8(table, b->high), b->high));
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

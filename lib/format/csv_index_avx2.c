/* The index of CSV for x86-64 processors with AVX2: two registers to a block. */
#include "format/csv_index_impl.h"

#if RV_X86
#include <immintrin.h>

#define INDEX_TARGET __attribute__((target("avx2,bmi,bmi2,popcnt,pclmul")))
#define INDEX_NAME rv_csv_index_avx2
#define BLOCK_INLINE static inline __attribute__((always_inline)) INDEX_TARGET

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

BLOCK_INLINE uint64_t block_eq(const struct block *b, char c)
{
	__m256i v = _mm256_set1_epi8(c);

	return block_mask(_mm256_cmpeq_epi8(b->low, v), _mm256_cmpeq_epi8(b->high, v));
}

/* There is no unsigned comparison: x < c is min(x, c - 1) == x. */
BLOCK_INLINE uint64_t block_below(const struct block *b, unsigned char c)
{
	__m256i v = _mm256_set1_epi8((char)(c - 1));

	return block_mask(_mm256_cmpeq_epi8(_mm256_min_epu8(b->low, v), b->low),
			  _mm256_cmpeq_epi8(_mm256_min_epu8(b->high, v), b->high));
}

BLOCK_INLINE uint64_t block_high(const struct block *b)
{
	return block_mask(b->low, b->high);
}

BLOCK_INLINE uint64_t block_prefix_xor(uint64_t bits)
{
	/* A carry-less product with all ones. */
	__m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128((long long)bits),
					       _mm_set1_epi8((char)0xff), 0);

	return (uint64_t)_mm_cvtsi128_si64(product);
}

#include "format/csv_index_block.inc"
#endif

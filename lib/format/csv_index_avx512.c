/* The index of CSV for x86-64 processors with AVX-512 for bytes: one register to a block. */
#include "format/csv_index_impl.h"

#if RV_X86
#include <immintrin.h>

#define INDEX_TARGET __attribute__((target("avx512f,avx512bw,avx2,bmi,bmi2,popcnt,pclmul")))
#define INDEX_NAME rv_csv_index_avx512
#define BLOCK_INLINE static inline __attribute__((always_inline)) INDEX_TARGET

struct block {
	__m512i v;
};

BLOCK_INLINE void block_load(struct block *b, const char *p)
{
	b->v = _mm512_loadu_si512((const void *)p);
}

/* Masks are used as integers at once; left to themselves, compilers go on in mask registers, where
 * every step takes longer. */
BLOCK_INLINE uint64_t block_mask(__mmask64 mask)
{
	uint64_t m = mask;

	__asm__("" : "+r"(m));
	return m;
}

BLOCK_INLINE uint64_t block_eq(const struct block *b, char c)
{
	return block_mask(_mm512_cmpeq_epi8_mask(b->v, _mm512_set1_epi8(c)));
}

BLOCK_INLINE uint64_t block_below(const struct block *b, unsigned char c)
{
	return block_mask(_mm512_cmplt_epu8_mask(b->v, _mm512_set1_epi8((char)c)));
}

BLOCK_INLINE uint64_t block_high(const struct block *b)
{
	return block_mask(_mm512_movepi8_mask(b->v));
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

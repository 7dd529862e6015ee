/* The way without vectors, and which way is taken. */
#include "format/csv_index_impl.h"

#define INDEX_TARGET static
#define INDEX_NAME rv_csv_index_portable
#define BLOCK_INLINE static inline

struct block {
	const unsigned char *p;
};

BLOCK_INLINE void block_load(struct block *b, const char *p)
{
	b->p = (const unsigned char *)p;
}

BLOCK_INLINE uint64_t block_eq(const struct block *b, char c)
{
	uint64_t bits = 0;

	for (unsigned i = 0; i < 64; i++)
		bits |= (uint64_t)(b->p[i] == (unsigned char)c) << i;
	return bits;
}

BLOCK_INLINE uint64_t block_below(const struct block *b, unsigned char c)
{
	uint64_t bits = 0;

	for (unsigned i = 0; i < 64; i++)
		bits |= (uint64_t)(b->p[i] < c) << i;
	return bits;
}

BLOCK_INLINE uint64_t block_high(const struct block *b)
{
	uint64_t bits = 0;

	for (unsigned i = 0; i < 64; i++)
		bits |= (uint64_t)(b->p[i] >> 7) << i;
	return bits;
}

BLOCK_INLINE uint64_t block_prefix_xor(uint64_t bits)
{
	for (unsigned i = 1; i < 64; i *= 2)
		bits ^= bits << i;
	return bits;
}

#include "format/csv_index_block.inc"

static const struct rv_csv_indexer indexers[] = {
	{ "portable", rv_csv_index_portable },
#if RV_X86
	{ "avx2", rv_csv_index_avx2 },
	{ "avx512", rv_csv_index_avx512 },
#endif
};

size_t rv_csv_indexers(const struct rv_csv_indexer **ret_list)
{
	*ret_list = indexers;
	return rv_processor_ways();
}

rv_csv_index_make *rv_csv_index_best(void)
{
	size_t n = rv_processor_ways();

	/* byte by byte, an index is more work than it saves */
	return n > 1 ? indexers[n - 1].make : NULL;
}

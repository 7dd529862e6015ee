/* The way without vectors, and which way is taken. */
#include "format/csv_index_impl.h"

#include <stdatomic.h>

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

#if RV_CSV_X86
static const struct rv_csv_indexer indexers[] = {
	{ "portable", rv_csv_index_portable },
	{ "avx2", rv_csv_index_avx2 },
	{ "avx512", rv_csv_index_avx512 },
};

/* Each needs what the one before it needs, so a count says which ones can run. */
static size_t count_indexers(void)
{
	__builtin_cpu_init();
	if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("bmi") ||
	    !__builtin_cpu_supports("bmi2") || !__builtin_cpu_supports("popcnt") ||
	    !__builtin_cpu_supports("pclmul"))
		return 1;
	if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw"))
		return 2;
	return 3;
}
#else
static const struct rv_csv_indexer indexers[] = {
	{ "portable", rv_csv_index_portable },
};

static size_t count_indexers(void)
{
	return 1;
}
#endif

size_t rv_csv_indexers(const struct rv_csv_indexer **ret_list)
{
	*ret_list = indexers;
	return count_indexers();
}

rv_csv_index_make *rv_csv_index_best(void)
{
	/* Threads that come first together all find the same answer. */
	static _Atomic size_t chosen;
	size_t n = atomic_load_explicit(&chosen, memory_order_relaxed);

	if (n == 0) {
		n = count_indexers();
		atomic_store_explicit(&chosen, n, memory_order_relaxed);
	}
	/* byte by byte, an index is more work than it saves */
	return n > 1 ? indexers[n - 1].make : NULL;
}

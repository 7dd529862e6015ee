#include "base/processor.h"

#include <stdatomic.h>

#if RV_X86
static size_t count_ways(void)
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
static size_t count_ways(void)
{
	return 1;
}
#endif

size_t rv_processor_ways(void)
{
	/* Threads that come first together all find the same answer. */
	static _Atomic size_t known;
	size_t n = atomic_load_explicit(&known, memory_order_relaxed);

	if (n == 0) {
		n = count_ways();
		atomic_store_explicit(&known, n, memory_order_relaxed);
	}
	return n;
}

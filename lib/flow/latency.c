/* A histogram whose columns grow with what they count. */
#include "flow/latency.h"

/* Below 2 * STEPS each microsecond has a column; above, STEPS columns share a power of two. */
static unsigned column(uint64_t us)
{
	if (us < 2 * RV_LATENCY_STEPS)
		return (unsigned)us;
	unsigned power = 63 - (unsigned)__builtin_clzll(us); /* 6 or more */
	unsigned at = (power - 4) * RV_LATENCY_STEPS + (unsigned)(us >> (power - 5)) - RV_LATENCY_STEPS;
	unsigned last = RV_LATENCY_SIZES * RV_LATENCY_STEPS - 1;

	return at < last ? at : last;
}

/* The largest value of a column. */
static int64_t top(unsigned at)
{
	if (at < 2 * RV_LATENCY_STEPS)
		return at;
	unsigned power = at / RV_LATENCY_STEPS + 4;
	uint64_t step = at % RV_LATENCY_STEPS + RV_LATENCY_STEPS;

	return (int64_t)(((step + 1) << (power - 5)) - 1);
}

void rv_latency_add(struct rv_latency *latency, int64_t us)
{
	if (us < 0)
		us = 0;
	latency->counts[column((uint64_t)us)]++;
	if (!latency->count || us < latency->least_us)
		latency->least_us = us;
	if (us > latency->most_us)
		latency->most_us = us;
	latency->count++;
}

int64_t rv_latency_at(const struct rv_latency *latency, double part)
{
	double wanted = part * (double)latency->count;
	uint64_t seen = 0;

	for (unsigned i = 0; i < RV_LATENCY_SIZES * RV_LATENCY_STEPS && latency->count; i++) {
		seen += latency->counts[i];
		if (seen && (double)seen >= wanted && i + 1 < RV_LATENCY_SIZES * RV_LATENCY_STEPS)
			return top(i) < latency->most_us ? top(i) : latency->most_us;
	}
	return latency->most_us;
}

/* How long answers took: counted in steps of 1/32, from a microsecond to hours, in a fixed size. */
#ifndef RV_FLOW_LATENCY_H
#define RV_FLOW_LATENCY_H

#include <stdint.h>

#define RV_LATENCY_STEPS 32
#define RV_LATENCY_SIZES 36

struct rv_latency {
	uint64_t counts[RV_LATENCY_SIZES * RV_LATENCY_STEPS];
	uint64_t count;
	int64_t least_us, most_us;
};
void rv_latency_add(struct rv_latency *latency, int64_t us);
/* That of which `part` (0 to 1) are not longer, at most a 32nd too high; 0 when there are none. */
int64_t rv_latency_at(const struct rv_latency *latency, double part);

#endif

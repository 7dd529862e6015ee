/*
 * How fast Firehose lets us: requests at a time and their size, which shrink when it throttles and
 * grow back when it does not (additive increase, multiplicative decrease), and pauses in between
 * with full jitter. Times are passed in; nothing here waits. Not thread-safe.
 */
#ifndef RV_DELIVERY_FIREHOSE_PACE_H
#define RV_DELIVERY_FIREHOSE_PACE_H

#include <stdbool.h>
#include <stdint.h>

#include "delivery/firehose_window.h"

/* The longest pause. Whoever throttles is asked again within it, so full rate is back soon after. */
#define RV_FIREHOSE_PAUSE_MAX_MS 8000
#define RV_FIREHOSE_PAUSE_BASE_MS 100

struct rv_firehose_pace {
	unsigned max_flying;             /* as configured */
	struct rv_firehose_limits full;  /* as configured */
	double flying;                   /* 1..max_flying */
	double share;                    /* of the full limits */
	unsigned level;                  /* of the pauses: doublings, 0: none */
	int64_t not_before_ms;           /* no request before this */
	int64_t cut_ms;                  /* when it was slowed down last */
};
void rv_firehose_pace_init(struct rv_firehose_pace *pace, unsigned max_flying,
			   const struct rv_firehose_limits *full);
bool rv_firehose_pace_may_send(const struct rv_firehose_pace *pace, unsigned flying, int64_t now_ms);
void rv_firehose_pace_limits(const struct rv_firehose_pace *pace, struct rv_firehose_limits *ret);

/* A request that began at `began_ms` is over: `failed` of its `count` records did not get through.
 * `retry_after_ms`: what the service asked for, -1: nothing. `max_pause_ms` bounds the pause that is
 * chosen here, not the one asked for. */
void rv_firehose_pace_answer(struct rv_firehose_pace *pace, int64_t now_ms, int64_t began_ms,
			     uint64_t count, uint64_t failed, int64_t retry_after_ms,
			     int64_t max_pause_ms);

#endif

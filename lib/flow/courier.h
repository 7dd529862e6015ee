/*
 * The thread that brings spooled runs to the lake while others are still being promised, and goes on
 * trying through an outage: with growing pauses as long as there is input, and for `retry_for_ms` behind
 * its end. What it cannot bring stays in the spool. Runs go one after another, their batches in order.
 *
 * It also finishes what earlier pushes left behind, so that new input need not wait for that.
 */
#ifndef RV_FLOW_COURIER_H
#define RV_FLOW_COURIER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "flow/deliver.h"
#include "flow/recover.h"

struct rv_retry {
	int64_t for_ms;              /* behind the end of the input; 0: one try */
	int64_t pause_ms;            /* the first pause; 0: 1 s */
	int64_t pause_max_ms;        /* 0: 30 s */
	bool (*should_stop)(void);   /* Optional */
};
/* The pause behind failure number `failures` (from 1): it doubles up to the longest, and is drawn from
 * its upper half, so that many pushes do not come back at once. */
int64_t rv_retry_pause_ms(const struct rv_retry *retry, unsigned failures);
/* Worth a wait? Not when somebody has to do something about it. */
bool rv_retry_helps(const struct rv_error *err);

struct rv_courier_totals {
	struct rv_delivered delivered;
	struct rv_error delivery;    /* why the last attempt failed; RV_OK: it did not */
	int64_t failing_since_ms;    /* monotonic; 0: it does not fail */
	struct rv_error failure;     /* what nobody can go on from; RV_OK: none */
	struct rv_error loss;        /* as in rv_deliver */
	char diverted[sizeof(((struct rv_deliver *)0)->diverted)];
	struct rv_recover_result recovered;
};

struct rv_courier;
/* `deliver` is copied. `recover`: what other processes left is finished first. */
enum rv_status rv_courier_new(const struct rv_deliver *deliver, const struct rv_retry *retry,
			      bool recover, struct rv_courier **ret,
			      struct rv_error *err) RV_MUST_CHECK;
/* Ends the thread after the attempt under way. Runs that were not ended stay their owner's. */
void rv_courier_free(struct rv_courier *courier);
/* All batches of the run up to this number are promised. */
void rv_courier_announce(struct rv_courier *courier, struct rv_run *run, uint64_t seq);
/* No more will come: the courier owns the run from now on. `finish` false: it is only let go of. */
void rv_courier_end(struct rv_courier *courier, struct rv_run *run, bool complete, bool finish);
/* Returns when no attempt is under way, and none begins until it is released. */
void rv_courier_hold(struct rv_courier *courier);
void rv_courier_resume(struct rv_courier *courier);
/* From now on nothing is delivered. */
void rv_courier_keep(struct rv_courier *courier);
/* The input has ended: returns when everything is delivered, or given up. `tick` (Optional) is called
 * every now and then while it waits. */
void rv_courier_finish(struct rv_courier *courier, void (*tick)(void *arg), void *arg);
void rv_courier_totals(struct rv_courier *courier, struct rv_courier_totals *ret);

#endif

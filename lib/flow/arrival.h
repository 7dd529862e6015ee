/*
 * Waiting until what Firehose took is in the lake (`push --wait landed` and `loaded`, semantics.md 10):
 * its objects have names of its own, so they are read as they appear, each once, and the stamps of their
 * records are compared with what the runs' receipts say was accepted.
 */
#ifndef RV_FLOW_ARRIVAL_H
#define RV_FLOW_ARRIVAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "config/stream.h"
#include "store/store.h"

struct rv_arrival_params {
	struct rv_store *lake;
	const struct rv_stream *stream;
	const char *const *runs;     /* names; each is closed, its receipt is in the lake */
	size_t runs_count;
	int64_t timeout_ms;          /* 0: look once; -1: for ever */
	bool (*should_stop)(void);   /* Optional */
	void (*progress)(void *arg, uint64_t arrived, uint64_t accepted); /* Optional: after each look */
	/* Optional, for tests: passes the time instead of sleeping, and returns it. */
	int64_t (*pass)(void *arg, int64_t ms);
	void *arg;
};
struct rv_arrival {
	uint64_t accepted, arrived;  /* different records */
	char **objects;              /* that hold some of them, in the order they were found in */
	size_t objects_count, objects_capacity;
};

/* RV_OK: all of them are there. RV_KEPT: not within the time, or stopped; the records are acknowledged.
 * RV_USAGE: records without stamps cannot be waited for. Anything else: looking failed, which says
 * nothing about the records. `ret` is filled in every case. */
enum rv_status rv_arrival_wait(const struct rv_arrival_params *params, struct rv_arrival *ret,
			       struct rv_error *err) RV_MUST_CHECK;
/* Whether waiting makes sense for this stream; RV_USAGE with the way out when not. */
enum rv_status rv_arrival_possible(const struct rv_stream *stream,
				   struct rv_error *err) RV_MUST_CHECK;
bool rv_arrival_has(const struct rv_arrival *arrival, const char *object);
void rv_arrival_release(struct rv_arrival *arrival);

#endif

/*
 * The crew: threads that carry windows to Firehose, several requests at a time, until every line is
 * taken or it is clear that it will not be. Requests go through `put`, so that tests need no
 * network.
 */
#ifndef RV_DELIVERY_FIREHOSE_CREW_H
#define RV_DELIVERY_FIREHOSE_CREW_H

#include "aws/firehose.h"
#include "base/error.h"
#include "delivery/firehose_pace.h"
#include "delivery/firehose_window.h"

/* A record that was refused so often, while others got through, will not be taken. */
#define RV_FIREHOSE_REFUSALS_MAX 10

struct rv_firehose_crew_params {
	/* As rv_firehose_put; called by several threads. */
	enum rv_status (*put)(void *arg, const struct rv_firehose_record *records, size_t count,
			      struct rv_firehose_room *room, enum rv_firehose_fate *fates,
			      struct rv_firehose_result *ret, struct rv_error *err);
	void *arg;
	unsigned in_flight;
	struct rv_firehose_limits limits;
	int64_t give_up_after_ms;  /* without a record taken */
	int64_t pause_max_ms;      /* between attempts */
	bool (*should_stop)(void); /* Optional */
};
struct rv_firehose_crew;
/* Threads begin with the first window. */
struct rv_firehose_crew *rv_firehose_crew_new(const struct rv_firehose_crew_params *params);
void rv_firehose_crew_free(struct rv_firehose_crew *crew); /* joins them; NULL is fine */

struct rv_firehose_carried {
	uint64_t requests, refused_lines, doubted_lines;
	uint64_t taken_bytes, billed_bytes;
	bool poisoned;             /* ended for a line refused RV_FIREHOSE_REFUSALS_MAX times */
	struct rv_error last;      /* the last failure of a request or of a record; RV_OK: none */
};
/* Until all lines are taken (RV_OK), or a failure that does not pass, or nothing was taken for
 * give_up_after_ms, or should_stop, or poison: then nothing is in flight any more, and `err` says
 * why. Adds to `ret`. `acknowledged` as in rv_firehose_window_settle. */
enum rv_status rv_firehose_crew_carry(struct rv_firehose_crew *crew,
				      struct rv_firehose_window *window, uint8_t *acknowledged,
				      uint64_t first, struct rv_firehose_carried *ret,
				      struct rv_error *err) RV_MUST_CHECK;

#endif

/*
 * The thread that promises finished batches while the next one is being read. For files it delivers them
 * as well, and a delivery that fails in the end ends the push (the file is its own spool); for pipes the
 * batch is in the spool by then, a courier delivers it, and the reading goes on.
 */
#ifndef RV_FLOW_SENDER_H
#define RV_FLOW_SENDER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "flow/courier.h"
#include "flow/deliver.h"

struct rv_sender;
struct rv_sender_totals {
	uint64_t promised_records, landed_records;
	uint64_t promised_record_bytes, promised_rejected, promised_objects;
	uint64_t sent_records;                  /* acknowledged, and not known to be in the lake */
	uint64_t promised_bytes, landed_bytes;  /* compressed */
	uint64_t promised_batches, landed_batches;
	struct rv_sent_counts counts;
	uint64_t waiting_spool_bytes;           /* of this push */
	uint64_t queued_spool_bytes;            /* handed over, and not in the spool yet */
	uint64_t input_to;                      /* pipes: accepted up to here */
	struct rv_error delivery;               /* why the last attempt failed; RV_OK: it did not */
	int64_t failing_since_ms;               /* monotonic; 0: it does not fail */
	struct rv_error loss;                   /* as in rv_deliver */
	char diverted[320];
	struct rv_recover_result recovered;     /* of what was left by others, where it was asked for */
};

struct rv_sender_params {
	struct rv_deliver *deliver;  /* used by the sender's threads alone until rv_sender_free */
	struct rv_retry retry;
	bool spooled;                /* batches go to the spool */
	bool recover;                /* spooled: what other pushes left is finished first */
	/* Optional: called every now and then, without a lock, by whoever has to wait for the sender. */
	void (*tick)(void *arg);
	void *tick_arg;
};
enum rv_status rv_sender_new(const struct rv_sender_params *params, struct rv_sender **ret,
			     struct rv_error *err) RV_MUST_CHECK;
/* Waits for what is under way, then ends the thread. */
void rv_sender_free(struct rv_sender *sender);
/* Hand a batch over (its content is moved). Blocks while two are waiting. A failure of an earlier
 * batch is returned here, and nothing is taken any more. */
enum rv_status rv_sender_batch(struct rv_sender *sender, struct rv_run *run,
			       struct rv_finished *finished, struct rv_error *err) RV_MUST_CHECK;
/* The run's last batch has been handed over; the sender owns the run from now on. `complete`: its
 * input came to an end (a named run is closed only then). */
enum rv_status rv_sender_end_run(struct rv_sender *sender, struct rv_run *run, bool complete,
				 struct rv_error *err) RV_MUST_CHECK;
/* Wait until everything handed over is promised, and for files delivered. */
enum rv_status rv_sender_drain(struct rv_sender *sender, struct rv_error *err) RV_MUST_CHECK;
/* The same for good: the input has ended. What is spooled is delivered, or given up for now. */
enum rv_status rv_sender_finish(struct rv_sender *sender, void (*tick)(void *arg), void *arg,
				struct rv_error *err) RV_MUST_CHECK;
/* Between these nothing is delivered. */
void rv_sender_hold(struct rv_sender *sender);
void rv_sender_resume(struct rv_sender *sender);
/* From now on batches are promised but not delivered (--wait spooled: the input has ended). */
void rv_sender_only_promise(struct rv_sender *sender);
void rv_sender_totals(struct rv_sender *sender, struct rv_sender_totals *ret);
/* Batches and ends of runs that were handed over and are not done with. */
unsigned rv_sender_queued(struct rv_sender *sender);

#endif

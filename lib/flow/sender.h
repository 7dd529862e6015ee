/*
 * The thread that brings finished batches to the lake while the next one is being read.
 *
 * Batches of one run go in order. For files a failed delivery ends the push (the file is its own
 * spool); for pipes the batch is in the spool by then and the reading goes on.
 */
#ifndef RV_FLOW_SENDER_H
#define RV_FLOW_SENDER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "flow/deliver.h"

struct rv_sender;
struct rv_sender_totals {
	uint64_t promised_records, landed_records;
	uint64_t sent_records;                  /* acknowledged, and not known to be in the lake */
	uint64_t promised_bytes, landed_bytes;  /* compressed */
	uint64_t promised_batches, landed_batches;
	struct rv_sent_counts counts;
	uint64_t waiting_spool_bytes;           /* of this push */
	uint64_t input_to;                      /* pipes: accepted up to here */
	struct rv_error delivery;               /* pipes: why the last delivery failed; RV_OK: it did not */
};

/* `deliver` is used by the sender's thread alone until rv_sender_free. */
enum rv_status rv_sender_new(struct rv_deliver *deliver, struct rv_sender **ret,
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
/* Wait until everything handed over is done. */
enum rv_status rv_sender_drain(struct rv_sender *sender, struct rv_error *err) RV_MUST_CHECK;
/* From now on batches are promised but not delivered (--wait spooled: the input has ended). */
void rv_sender_only_promise(struct rv_sender *sender);
void rv_sender_totals(struct rv_sender *sender, struct rv_sender_totals *ret);

#endif

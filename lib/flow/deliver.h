/*
 * From promised to landed: the one path by which batches reach the lake, used by push while it
 * reads, by recovery after a crash, and by `river spool flush`.
 */
#ifndef RV_FLOW_DELIVER_H
#define RV_FLOW_DELIVER_H

#include "base/error.h"
#include "config/stream.h"
#include "delivery/delivery.h"
#include "flow/batch.h"
#include "spool/run.h"
#include "spool/state.h"
#include "store/store.h"

struct rv_deliver {
	const struct rv_stream *stream;
	const struct rv_state *state;
	struct rv_store *lake;
	struct rv_delivery *delivery;
	/* Runs by their serial, 0: none. An address would not do: the next run may get that of one freed. */
	uint64_t opened;             /* the run whose open receipt has been put */
	uint64_t known;              /* the named run that `closed` is about */
	json_t *closed;              /* its closed receipt, when it has been sent whole before; owned */
	bool check_stream;           /* before a promise: is the stream still this one? */
	int64_t check_after_ms;      /* monotonic: the next such look costs too much before */
	bool own_runs_only;          /* recovery leaves alone what was promised to another delivery */
	void (*waiting)(void *arg, const char *text); /* Optional: told when a lock keeps us waiting */
	void *waiting_arg;
	/* Optional: a descriptor (the caller closes it) of a file that is open here, by its key; -1: it is
	 * not. For recovery: a file that was removed may be held. */
	int (*held)(void *arg, const char *key);
	void *held_arg;
	/* Optional: did this process begin the run of that name? For recovery, on any thread. */
	bool (*is_own)(void *arg, const char *run);
	void *is_own_arg;
	bool reopened; /* `opened` had an open receipt before: what it sends may have been sent */
	char diverted[320]; /* why a batch went around the service, see delivery.h; "": none did */
	/* The first batch that could not be saved (damaged on disk, or its file changed): reported at
	 * the end, while everything else goes on. RV_OK: none. */
	struct rv_error loss;
};

/* What became of batches. */
struct rv_delivered {
	uint64_t landed_records, landed_bytes, landed_batches;
	uint64_t sent_records;       /* acknowledged, and not known to be in the lake */
	uint64_t gone_bytes;         /* that wait no longer, damaged ones included */
	struct rv_sent_counts counts;
};
/* Adds what became of the batch since `before`. */
void rv_delivered_add(struct rv_delivered *delivered, struct rv_run *run,
		      const struct rv_batch_entry *before);

void rv_deliver_release(struct rv_deliver *deliver);
/* Was this named run sent whole before? *ret is borrowed, NULL: no. */
enum rv_status rv_deliver_closed_before(struct rv_deliver *deliver, const struct rv_run *run,
					const json_t **ret, struct rv_error *err) RV_MUST_CHECK;
/* Promise a finished batch: what it spooled is made durable, then the journal. For a named run the
 * lake is asked first: an object of the same run and number with other content is RV_CONFLICT. A
 * run that is spooled and has no name is promised also when the lake cannot be asked. */
enum rv_status rv_deliver_promise(struct rv_deliver *deliver, struct rv_run *run,
				  struct rv_finished *finished, struct rv_error *err) RV_MUST_CHECK;
/* Put one promised batch into the lake (receipt, rejects, object), note it and move checkpoints.
 * `body` and `rejects` belong to the caller; a staged body is used up. */
enum rv_status rv_deliver_batch(struct rv_deliver *deliver, struct rv_run *run, uint64_t seq,
				struct rv_body *body, struct rv_body *rejects,
				struct rv_error *err) RV_MUST_CHECK;
/* The batch is in the lake already, only the notes of it are missing: checkpoints and journal. */
enum rv_status rv_deliver_note_landed(struct rv_deliver *deliver, struct rv_run *run, uint64_t seq,
				      struct rv_error *err) RV_MUST_CHECK;
/* A spooled batch of a file holds the bytes itself: checkpoints move with the promise, also after a
 * crash in between. */
enum rv_status rv_deliver_checkpoints(struct rv_deliver *deliver, struct rv_run *run,
				      struct rv_error *err) RV_MUST_CHECK;
/* One waiting batch of a spooled run: delivered, and removed from the spool. A damaged one is moved to
 * <state>/damaged/ and noted as `loss`; that is no failure. */
enum rv_status rv_deliver_spooled_one(struct rv_deliver *deliver, struct rv_run *run, uint64_t seq,
				      struct rv_error *err) RV_MUST_CHECK;
/* Every waiting batch, in order. `should_stop` (Optional) is asked between them. */
enum rv_status rv_deliver_spooled(struct rv_deliver *deliver, struct rv_run *run,
				  bool (*should_stop)(void), struct rv_error *err) RV_MUST_CHECK;
/* Give up a batch that can not be made again; remembers the error as `loss`. */
enum rv_status rv_deliver_drop(struct rv_deliver *deliver, struct rv_run *run, uint64_t seq,
			       const struct rv_error *why, struct rv_error *err) RV_MUST_CHECK;
/* All batches have landed: closed receipt, durable checkpoints, and the run is forgotten. */
enum rv_status rv_deliver_finish(struct rv_deliver *deliver, struct rv_run *run,
				 struct rv_error *err) RV_MUST_CHECK;

#endif

/*
 * Where the collector's records go: rounds of them into an intake file, one write and one fdatasync each;
 * full or old files become batches of a spooled run; a courier brings those to the lake, in the way of a
 * push that never ends. Runs roll with the hour.
 *
 * Rounds are written by the caller; of two threads one makes batches, one delivers. What a killed collector
 * left behind is finished beside new input; what it had taken is known (remembered.h).
 */
#ifndef RV_COLLECT_STORE_H
#define RV_COLLECT_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/strbuf.h"
#include "collect/seen.h"
#include "config/stream.h"
#include "delivery/delivery.h"
#include "flow/courier.h"
#include "spool/intake.h"
#include "store/store.h"

/* What was received while the round before was being made durable. */
struct rv_collect_round {
	struct rv_strbuf lines;     /* RV_INTAKE_HEAD bytes of room, then records, a line each */
	uint64_t records;
	struct rv_strbuf rejects;   /* whole frames */
	uint64_t rejected;
	struct rv_seen ids;         /* of the records */
	struct rv_error outcome;    /* once it is done; RV_OK: all of it is durable */
};
void rv_collect_round_init(struct rv_collect_round *round); /* also to use it again */
void rv_collect_round_release(struct rv_collect_round *round);
uint64_t rv_collect_round_bytes(const struct rv_collect_round *round);

struct rv_collect_store_params {
	const struct rv_stream *stream; /* as in the catalog, with an id */
	struct rv_store *lake;
	struct rv_delivery *delivery;
	const char *state_dir;
	const char *source;         /* of the runs, for people */
	uint64_t spool_max_bytes;
	struct rv_retry retry;
	uint64_t remember;          /* ids of the last events are kept in a file, so many of them; 0: none */
	/* Both are called by rv_collect_store_new alone: with the ids that were kept, the oldest first, and then
	 * with the records that a killed collector had accepted last. `record` gives the id of a record that is
	 * not known yet, low 0: it is none. */
	void (*known)(void *arg, struct rv_seen_id id);
	struct rv_seen_id (*record)(void *arg, uint64_t seed, struct rv_str line);
	void (*warn)(void *arg, const char *text); /* from any thread */
	void *arg;
};
struct rv_collect_store;
enum rv_status rv_collect_store_new(const struct rv_collect_store_params *params,
				    struct rv_collect_store **ret, struct rv_error *err) RV_MUST_CHECK;
/* What ids are to be made with. */
uint64_t rv_collect_store_seed(const struct rv_collect_store *store);
/* So many ids are kept from now on. */
void rv_collect_store_remember(struct rv_collect_store *store, uint64_t count);
/* Makes a round durable, which takes as long as the disk does; `outcome` says what came of it. By any thread,
 * one at a time. */
void rv_collect_store_write(struct rv_collect_store *store, struct rv_collect_round *round);
/* At least once a second while no round is written: what is old becomes a batch. */
void rv_collect_store_tick(struct rv_collect_store *store);
/* No more rounds, and none under way: what is there becomes batches, and is delivered as long as that goes
 * well. What could not be is left in the spool, which is no failure. */
void rv_collect_store_finish(struct rv_collect_store *store);
void rv_collect_store_free(struct rv_collect_store *store); /* finishes first */

/* The longest record that the delivery takes; 0: any. */
uint64_t rv_collect_store_max_record(const struct rv_collect_store *store);

struct rv_collect_totals {
	uint64_t records, rejected, bytes, rounds, failed_rounds;
	uint64_t batches;             /* promised */
	uint64_t spool_bytes;         /* of all that waits here, of other pushes as well */
	bool spool_full;
	int64_t round_since_ms;       /* monotonic: when the round under way was begun; 0: none is */
	int64_t round_last_ms, round_longest_ms; /* how long rounds took */
	struct rv_error failure;      /* why batches cannot be made now; RV_OK: they can */
	struct rv_error loss;         /* something stored is damaged */
	struct rv_courier_totals courier;
};
void rv_collect_store_totals(struct rv_collect_store *store, struct rv_collect_totals *ret);
/* Cheap, for every request. */
bool rv_collect_store_is_full(struct rv_collect_store *store);

#endif

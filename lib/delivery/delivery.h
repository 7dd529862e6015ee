/*
 * A delivery brings finished batches into the lake: `direct` writes them as objects itself, a
 * service such as Firehose takes the records and writes objects of its own.
 *
 * A batch is finished (counts, hash, name) before it is sent, so it can be sent again unchanged.
 */
#ifndef RV_DELIVERY_DELIVERY_H
#define RV_DELIVERY_DELIVERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "config/stream.h"
#include "store/store.h"

struct rv_delivery_batch {
	const struct rv_stream *stream; /* as in the catalog */
	const char *name;           /* object name in the lake */
	struct rv_store_body body;  /* compressed as the name says; borrowed */
	uint64_t records;
	uint64_t set_hash;
	/* Optional: one bit a record, in order, lowest first; set: acknowledged by an earlier attempt.
	 * A delivery that takes records one by one sends the others alone, and sets their bits as it
	 * learns of them, also when it fails in the end. */
	uint8_t *acknowledged;
};

enum rv_delivery_level {
	RV_DELIVERED_NONE,   /* nothing was taken; the batch stays with the caller */
	RV_DELIVERED_SENT,   /* acknowledged record by record by the next hop */
	RV_DELIVERED_LANDED, /* it is in the lake, durably, under its name */
};

/* What a send came to; also filled, as far as it got, when it fails. */
struct rv_delivery_result {
	enum rv_delivery_level level;
	uint64_t requests;       /* made, repeated ones included */
	uint64_t refused;        /* times a record was refused and sent again */
	/* Records sent again after an attempt that nobody heard the end of: each may have arrived
	 * twice, under the same stamp. */
	uint64_t maybe_twice;
	uint64_t record_bytes;   /* acknowledged, with newlines */
	uint64_t billed_bytes;   /* what the service bills them as; 0: by other rules */
	/* "" or why records that the service keeps refusing were put into the lake instead, in its
	 * words; for a warning. */
	char diverted[320];
};

struct rv_delivery;
struct rv_delivery_ops {
	const char *name;            /* "direct", "firehose" */
	/* Limits are data; 0: none. */
	uint64_t max_record_bytes;   /* stamped, with its newline; a larger record goes into a batch of
				      * larger ones, which lands in the lake under its name */
	uint64_t batch_record_bytes; /* a batch is closed at so many bytes of records */
	bool plain_bodies;           /* it reads the records: bodies are not compressed */
	bool names_objects;          /* the object keeps the batch's name; otherwise only that of a
				      * batch whose level is LANDED does */
	/* One batch, whole. RV_OK: result->level says how far it is. A name that is taken by an object
	 * with the same counts and hash is landed already (RV_OK); by anything else RV_CONFLICT.
	 * After a failure the same batch may be sent again, now or after a restart. */
	enum rv_status (*send)(struct rv_delivery *, const struct rv_delivery_batch *,
			       struct rv_delivery_result *ret, struct rv_error *err);
	void (*free)(struct rv_delivery *);
};
struct rv_delivery {
	const struct rv_delivery_ops *ops;
};

void rv_delivery_free(struct rv_delivery *delivery);
void rv_delivery_free_p(struct rv_delivery **delivery);

/* Puts batches into `lake` (borrowed). */
struct rv_delivery *rv_delivery_direct_new(struct rv_store *lake);

/* Sends records to Amazon Data Firehose, to the delivery stream rv_stream_firehose() names. Both
 * are borrowed. A batch whose body is compressed, or holds a record over the limit, is put into the
 * lake instead, under its name: the stamps make that safe. What Firehose has not taken of a batch with
 * records that it keeps refusing is put there by itself, under a name as Firehose gives them, so the
 * level is SENT; where nobody keeps `acknowledged`, or that is more than 16 MiB, the batch goes whole. */
struct rv_aws;
struct rv_delivery_firehose_params {
	struct rv_aws *aws;
	struct rv_store *lake;
	bool pack;                 /* many lines into one Firehose record (billed by 5 KiB each) */
	unsigned in_flight;        /* requests at a time; 0: 4 */
	int64_t give_up_after_ms;  /* without a record taken; 0: 60 s */
	bool (*should_stop)(void); /* Optional */
};
enum rv_status rv_delivery_firehose_new(const struct rv_delivery_firehose_params *params,
					struct rv_delivery **ret, struct rv_error *err) RV_MUST_CHECK;

/* What `bytes` of records in `batches` batches are billed as with `pack`, at most. */
uint64_t rv_delivery_firehose_packed_bytes(uint64_t bytes, uint64_t batches);

/*
 * For tests: a service in memory that takes records one by one, and fails as it is told to. A batch whose
 * name says that its body is compressed, or with a record over the limit, is put into `lake`.
 */
struct rv_delivery_mem_params {
	struct rv_store *lake;     /* borrowed; NULL: such batches are a bug of the test */
	uint64_t max_record_bytes, batch_record_bytes;
};
struct rv_delivery *rv_delivery_mem_new(const struct rv_delivery_mem_params *params);
/* Sends number `from` up to, and without, `to` (from 1) fail with `status` after `taken` records that were
 * not acknowledged before. `heard` false: nobody learns that they were taken; `doubted`: they count as
 * those that may come twice. May be called by any thread. */
struct rv_delivery_mem_fault {
	uint64_t from, to;
	enum rv_status status;
	bool transient;
	uint64_t taken;
	bool heard, doubted;
};
void rv_delivery_mem_fail(struct rv_delivery *delivery, const struct rv_delivery_mem_fault *fault);
/* Everything taken so far, in order, with newlines; caller frees. */
char *rv_delivery_mem_taken(struct rv_delivery *delivery);
uint64_t rv_delivery_mem_sends(struct rv_delivery *delivery);

#endif

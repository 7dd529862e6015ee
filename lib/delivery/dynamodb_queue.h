/*
 * The roots that have a document under way: which of them waits, which is in flight, and which has a second
 * version waiting behind the first. Nothing here sends or waits; one thread at a time.
 */
#ifndef RV_DELIVERY_DYNAMODB_QUEUE_H
#define RV_DELIVERY_DYNAMODB_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aws/dynamodb.h"
#include "delivery/documents.h"

/* A request that nobody heard of again has arrived, or never will, after so long: its signature is refused
 * five minutes after its date (Signature Version 4, "date"), and some clocks are a little off. */
#define RV_DYNAMODB_DOUBT_MS (6 * 60 * INT64_C(1000))
/* A root that is not taken is left alone for a while, so that the others go on: a hot key, a full partition. */
#define RV_DYNAMODB_ROOT_PAUSE_BASE_MS 50
#define RV_DYNAMODB_ROOT_PAUSE_MAX_MS 5000

/* One document, converted. */
struct rv_dynamodb_pending {
	char *item;           /* owned */
	size_t len;
	uint64_t bytes;       /* as DynamoDB counts it */
	uint64_t version, tag;
	bool remove;          /* the caller removes it, by an item or by a removal */
	bool by_removal;
};
struct rv_dynamodb_root {
	struct rv_dynamodb_root *chain;        /* of the hash table */
	struct rv_dynamodb_root *queue_next;   /* of those that wait */
	uint64_t hash;
	struct rv_dynamodb_pending now, next;
	bool flying, has_next;
	bool resting;         /* nothing is under way; it is kept for its doubt_until_ms */
	bool alone;           /* a batch with it was refused as a whole: it goes by itself */
	bool doubted;         /* it is not known what became of an attempt at `now` */
	bool conditional;     /* only under the condition: there was doubt about the version before */
	unsigned refusals;    /* of `now`, in a row */
	int64_t not_before_ms;
	int64_t doubt_until_ms; /* when the last attempt of unknown outcome has arrived or never will */
	size_t key_len;
	char key[];
};

struct rv_dynamodb_queue {
	struct rv_dynamodb_root **slots;
	size_t slots_count;   /* a power of two */
	struct rv_dynamodb_root *first, **last;
	size_t roots;         /* with something under way */
	size_t waiting;       /* those in the queue */
	uint64_t bytes;       /* of items held */
};
void rv_dynamodb_queue_init(struct rv_dynamodb_queue *queue);
void rv_dynamodb_queue_release(struct rv_dynamodb_queue *queue); /* nothing is in flight */

/* What became of a document, to be told. */
struct rv_dynamodb_news {
	uint64_t tag;
	enum rv_document_fate fate;
	bool remove;
	char *reason;         /* Optional, owned */
};
/* Takes `pending` (its item, too). True: another document of its root is settled by that, as *ret_news says. */
bool rv_dynamodb_queue_put(struct rv_dynamodb_queue *queue, struct rv_str key,
			   const struct rv_dynamodb_pending *pending, struct rv_dynamodb_news *ret_news);

struct rv_dynamodb_limits {
	size_t items;         /* of a batch */
	size_t bytes;         /* of JSON */
	double units;         /* of write capacity; the first item goes whatever it takes */
	bool exclusive;       /* in batches, without conditions; else one by one under the condition */
};
struct rv_dynamodb_load {
	size_t count;
	struct rv_dynamodb_root *roots[RV_DYNAMODB_BATCH_ITEMS];
	struct rv_dynamodb_write writes[RV_DYNAMODB_BATCH_ITEMS];
	bool single;          /* PutItem or DeleteItem */
	bool versioned;
	double units;         /* of write capacity, as far as it is known before */
};
/* Takes documents that wait and are due; they fly until they are settled. False: none is, and *ret_due_ms is
 * when the next one will be (INT64_MAX: none waits). */
bool rv_dynamodb_queue_claim(struct rv_dynamodb_queue *queue, const struct rv_dynamodb_limits *limits,
			     int64_t now_ms, struct rv_dynamodb_load *load, int64_t *ret_due_ms);

/* What a settled load changes of counts. */
struct rv_dynamodb_settled {
	size_t done;          /* documents of it that are settled */
	uint64_t again, doubted; /* for the first time */
	uint64_t taken_bytes;
};
/* Enters what became of a load. `split`: it was refused as a whole for one of its items, so each goes alone.
 * `reasons` (owned; NULL: none) are for those that are refused. An attempt of unknown outcome may still arrive
 * for `doubt_ms`. `news` has room for RV_DYNAMODB_BATCH_ITEMS; returns how many there are. */
size_t rv_dynamodb_queue_settle(struct rv_dynamodb_queue *queue, const struct rv_dynamodb_load *load,
				const enum rv_dynamodb_fate *fates, bool split,
				char **reasons, int64_t doubt_ms, int64_t now_ms,
				struct rv_dynamodb_news *news,
				struct rv_dynamodb_settled *ret);

/* The write capacity that may be used: units a second, with a second's worth in hand at most. A request may
 * cost more than is there, then the next ones wait for it. */
struct rv_dynamodb_budget {
	double per_second;    /* 0: no limit */
	double units;         /* in hand; negative: owed */
	int64_t at_ms;
};
void rv_dynamodb_budget_init(struct rv_dynamodb_budget *budget, double per_second, int64_t now_ms);
/* When something may be sent: `now_ms` or later. */
int64_t rv_dynamodb_budget_due(struct rv_dynamodb_budget *budget, int64_t now_ms);
void rv_dynamodb_budget_spend(struct rv_dynamodb_budget *budget, double units);

#endif

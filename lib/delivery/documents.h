/*
 * Documents go one by one, each under its key and with a version, to whoever keeps them: DynamoDB.
 *
 * This is no rv_delivery. That one brings finished batches of a stream's records into the lake: the batch is
 * what is named, repeated and acknowledged, and no record is ever too late. Of documents each has a fate of
 * its own, for which its root waits on a list: written, or an older one than what is there, or not to be
 * written at all; a later document of the same root takes the place of one that still waits; and two of one
 * root are never under way together. So documents are handed over as they are composed, and each comes back
 * settled, in any order.
 *
 * One thread calls; settled is called by it, from put and flush alone. Arguments are borrowed for the call.
 */
#ifndef RV_DELIVERY_DOCUMENTS_H
#define RV_DELIVERY_DOCUMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/strbuf.h"
#include "config/job.h"

struct rv_document {
	const char *json;    /* one object, with the members of the key; of a removal those are enough */
	size_t len;
	bool remove;
	uint64_t version;    /* sequence number of the warehouse's transaction its rows were read at */
	int64_t extract_ms;  /* the extract's time, for the time to live; never the clock's */
	uint64_t tag;        /* the caller's */
};

enum rv_document_fate {
	RV_DOCUMENT_WRITTEN,    /* confirmed, or removed */
	RV_DOCUMENT_SUPERSEDED, /* one of the same root with a newer version is there */
	RV_DOCUMENT_MERGED,     /* one that was put later went in its place, before this one was sent */
	RV_DOCUMENT_EXPIRED,    /* its time to live is over: not written */
	RV_DOCUMENT_REFUSED,    /* it cannot be written; `reason` says why */
};
struct rv_document_result {
	uint64_t tag;
	enum rv_document_fate fate;
	const char *reason;     /* "" or "order_id 1000: lines[3].total: 39 digits, ..."; valid for the call */
};
struct rv_documents_counts {
	uint64_t written, removed, superseded, merged, expired, refused; /* documents, by fate */
	uint64_t requests;
	uint64_t again;         /* times a document was not taken and sent again */
	uint64_t maybe_twice;   /* documents sent again after an attempt that nobody heard the end of: the
				 * same bytes under the same version */
	uint64_t bytes;         /* written, as the service counts them */
	double units;           /* of write capacity */
};

struct rv_documents;
struct rv_documents_ops {
	const char *name;       /* "dynamodb" */
	/* Takes a document; waits while too much is under way. Fails when writing has failed for good: what is
	 * not settled then stays the caller's, and nothing is in flight after flush. */
	enum rv_status (*put)(struct rv_documents *, const struct rv_document *, struct rv_error *err);
	/* Waits until everything that was put is settled. After a failure: until nothing is in flight. */
	enum rv_status (*flush)(struct rv_documents *, struct rv_error *err);
	void (*counts)(struct rv_documents *, struct rv_documents_counts *ret);
	void (*free)(struct rv_documents *); /* what is in flight is waited for */
};
struct rv_documents {
	const struct rv_documents_ops *ops;
};
void rv_documents_free(struct rv_documents *documents);
void rv_documents_free_p(struct rv_documents **documents);

/*
 * Into a table of DynamoDB. Documents become items, their members attributes; river adds `_v`, the version,
 * and the time to live.
 *
 * Each is written under a condition: unless a newer version is there. A removal leaves a tombstone, the key
 * with _v, _deleted and the time to live, so that an older document that comes late does not come back. An
 * item without _v, which river has not written, is never written over: REFUSED.
 *
 * `exclusive`: nobody else writes into the table, at no time. Then documents go 25 at a time without
 * conditions, and removals remove. Where it is not known what became of a request, the next version of its
 * roots waits until that request cannot arrive any more, and then goes under the condition.
 */
struct rv_aws;
struct rv_documents_dynamodb_params {
	struct rv_aws *aws;
	const char *table;             /* its name, or its ARN */
	bool exclusive;
	/* Optional: attribute for the time to live, in seconds since 1970: so many units of the calendar after a
	 * top-level member of the document, or after the extract's time when `ttl_from` is NULL. */
	const char *ttl_attribute, *ttl_from;
	unsigned ttl_count;
	enum rv_job_unit ttl_unit;
	/* Optional: where there is no table it is made, with a partition key of this name and, also Optional, a
	 * sort key, both texts unless their `is_number` says otherwise; and the time to live is enabled. */
	const char *create_hash, *create_range;
	bool create_hash_is_number, create_range_is_number;
	unsigned in_flight;            /* requests at a time; 0: 8 */
	double max_wcu;                /* write capacity units a second; 0: none */
	uint64_t max_bytes;            /* of documents under way; 0: 64 MiB */
	int64_t give_up_after_ms;      /* without a document taken; 0: 60 s */
	int64_t settle_ms;             /* for a table that is being made; 0: 120 s */
	bool (*should_stop)(void);     /* Optional */
	void (*settled)(void *arg, const struct rv_document_result *result);
	void *arg;
};
/* Looks at the table first: that it is there, what its key is, and that the time to live is enabled on the
 * right attribute. RV_NOT_FOUND, RV_AUTH, RV_CONFLICT: it is not as it has to be, and nothing was written. */
enum rv_status rv_documents_dynamodb_new(const struct rv_documents_dynamodb_params *params,
					 struct rv_documents **ret, struct rv_error *err) RV_MUST_CHECK;

#endif

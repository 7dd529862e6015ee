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
#include "store/store.h"

struct rv_delivery_batch {
	const char *name;           /* object name in the lake */
	struct rv_store_body body;  /* compressed as the name says; borrowed */
	uint64_t records;
	uint64_t set_hash;
};

enum rv_delivery_level {
	RV_DELIVERED_NONE,   /* nothing was taken; the batch stays with the caller */
	RV_DELIVERED_SENT,   /* acknowledged record by record by the next hop */
	RV_DELIVERED_LANDED, /* it is in the lake, durably */
};

struct rv_delivery;
struct rv_delivery_ops {
	const char *name;
	/* Limits are data; 0: none. */
	uint64_t max_record_bytes, max_batch_bytes, max_batch_records;
	bool names_objects;  /* the object keeps the batch's name */
	/* One batch, whole. RV_OK: *ret_level says how far it is. A name that is taken by an object
	 * with the same counts and hash is landed already (RV_OK); by anything else RV_CONFLICT. */
	enum rv_status (*send)(struct rv_delivery *, const struct rv_delivery_batch *,
			       enum rv_delivery_level *ret_level, struct rv_error *err);
	void (*free)(struct rv_delivery *);
};
struct rv_delivery {
	const struct rv_delivery_ops *ops;
};

void rv_delivery_free(struct rv_delivery *delivery);
void rv_delivery_free_p(struct rv_delivery **delivery);

/* Puts batches into `lake` (borrowed). */
struct rv_delivery *rv_delivery_direct_new(struct rv_store *lake);

#endif

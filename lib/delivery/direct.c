/* Direct delivery: the finished batch becomes one object of the lake, put only if absent. */
#include "delivery/delivery.h"

#include <stdlib.h>

#include "base/memory.h"

struct direct {
	struct rv_delivery base;
	struct rv_store *lake;
};

/* The name holds run, sequence, count and set hash: an object that has it is this batch, put by an
 * attempt whose answer was not heard. But it has to be there: a refusal alone keeps nothing. */
static enum rv_status see_it(struct rv_store *lake, const struct rv_delivery_batch *batch,
			     struct rv_error *err)
{
	struct rv_store_object object;
	enum rv_status status = lake->ops->head(lake, batch->name, &object, err);
	if (status == RV_OK && (object.bytes > 0 || batch->body.len == 0))
		return RV_OK;
	if (status != RV_OK && status != RV_NOT_FOUND)
		return status;
	rv_fail(err, RV_FAILED, "%s says that %s is there already, and %s", lake->url, batch->name,
		status == RV_OK ? "it is empty" : "does not have it");
	err->transient = true;
	return err->status;
}

static enum rv_status direct_send(struct rv_delivery *base, const struct rv_delivery_batch *batch,
				  struct rv_delivery_result *ret, struct rv_error *err)
{
	struct direct *direct = (struct direct *)base;
	*ret = (struct rv_delivery_result){ .level = RV_DELIVERED_NONE };
	struct rv_store_put conditions = { .if_absent = true };
	char etag[RV_ETAG_TEXT];
	enum rv_status status = direct->lake->ops->put(direct->lake, batch->name, &batch->body,
						       &conditions, etag, err);
	if (status == RV_CONFLICT)
		status = see_it(direct->lake, batch, err);
	if (status == RV_OK)
		ret->level = RV_DELIVERED_LANDED;
	return status;
}

static void direct_free(struct rv_delivery *base)
{
	free(base);
}

static const struct rv_delivery_ops direct_ops = {
	.name = "direct",
	.names_objects = true,
	.send = direct_send,
	.free = direct_free,
};

struct rv_delivery *rv_delivery_direct_new(struct rv_store *lake)
{
	struct direct *direct = rv_calloc(1, sizeof(*direct));
	direct->base.ops = &direct_ops;
	direct->lake = lake;
	return &direct->base;
}

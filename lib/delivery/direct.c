/* Direct delivery: the finished batch becomes one object of the lake, put only if absent. */
#include "delivery/delivery.h"

#include <stdlib.h>

#include "base/memory.h"

struct direct {
	struct rv_delivery base;
	struct rv_store *lake;
};

static enum rv_status direct_send(struct rv_delivery *base, const struct rv_delivery_batch *batch,
				  struct rv_delivery_result *ret, struct rv_error *err)
{
	struct direct *direct = (struct direct *)base;
	*ret = (struct rv_delivery_result){ .level = RV_DELIVERED_NONE };
	/* The name holds run, sequence, count and set hash. */
	enum rv_status status = rv_store_put_once(direct->lake, batch->name, &batch->body, NULL, err);
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

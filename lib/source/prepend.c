/* What was peeked at goes back in front. */
#include "source/prepend.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct prepend {
	struct rv_source base;
	struct rv_source *inner;
	char bytes[RV_PREPEND_MAX];
	size_t at, len;
};

static enum rv_status prepend_read(struct rv_source *base, void *buf, size_t size,
				   int64_t timeout_ms, size_t *ret_n,
				   enum rv_source_state *ret_state, struct rv_error *err)
{
	struct prepend *prepend = (struct prepend *)base;
	size_t left = prepend->len - prepend->at;
	if (!left)
		return prepend->inner->ops->read(prepend->inner, buf, size, timeout_ms, ret_n,
						 ret_state, err);
	*ret_n = left < size ? left : size;
	memcpy(buf, prepend->bytes + prepend->at, *ret_n);
	prepend->at += *ret_n;
	*ret_state = RV_SOURCE_BYTES;
	return RV_OK;
}

static void prepend_free(struct rv_source *base)
{
	struct prepend *prepend = (struct prepend *)base;
	rv_source_free(prepend->inner);
	free(prepend);
}

static const struct rv_source_ops prepend_ops = {
	.name = "prepend",
	.read = prepend_read,
	.free = prepend_free,
};

struct rv_source *rv_source_prepend_new(const void *p, size_t len, struct rv_source *inner)
{
	if (len > RV_PREPEND_MAX)
		rv_bug("%zu bytes to prepend", len);
	struct prepend *prepend = rv_calloc(1, sizeof(*prepend));
	prepend->base = (struct rv_source){ .ops = &prepend_ops, .label = inner->label };
	prepend->inner = inner;
	memcpy(prepend->bytes, p, len);
	prepend->len = len;
	return &prepend->base;
}

/* An extent of another source. */
#include "source/limit.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/memory.h"

#define SKIP_BYTES (256u << 10)

struct limit {
	struct rv_source base;
	struct rv_source *inner;
	uint64_t left;
};

static enum rv_status limit_read(struct rv_source *base, void *buf, size_t size, int64_t timeout_ms,
				 size_t *ret_n, enum rv_source_state *ret_state,
				 struct rv_error *err)
{
	struct limit *limit = (struct limit *)base;
	if (limit->left == 0) {
		*ret_n = 0;
		*ret_state = RV_SOURCE_END;
		return RV_OK;
	}
	if (size > limit->left)
		size = (size_t)limit->left;
	if (limit->inner->ops->read(limit->inner, buf, size, timeout_ms, ret_n, ret_state, err) !=
	    RV_OK)
		return err->status;
	limit->left -= *ret_n;
	return RV_OK;
}

static void limit_free(struct rv_source *base)
{
	struct limit *limit = (struct limit *)base;
	rv_source_free(limit->inner);
	free(limit);
}

static const struct rv_source_ops limit_ops = {
	.name = "limit",
	.read = limit_read,
	.free = limit_free,
};

static enum rv_status skip(struct rv_source *inner, uint64_t bytes, struct rv_error *err)
{
	if (inner->ops->seek)
		return bytes ? inner->ops->seek(inner, bytes, err) : RV_OK;
	RV_CLEANUP(rv_free_p) char *drop = rv_malloc(SKIP_BYTES);
	for (uint64_t at = 0; at < bytes;) {
		size_t n, want = bytes - at < SKIP_BYTES ? (size_t)(bytes - at) : SKIP_BYTES;
		enum rv_source_state state;
		if (inner->ops->read(inner, drop, want, -1, &n, &state, err) != RV_OK)
			return err->status;
		if (state == RV_SOURCE_END)
			return rv_fail(err, RV_BAD_DATA, "%s ends at byte %" PRIu64 ", before byte %" PRIu64,
				       inner->label, at, bytes);
		at += n;
	}
	return RV_OK;
}

enum rv_status rv_source_limit_new(struct rv_source *inner, uint64_t from, uint64_t to,
				   struct rv_source **ret, struct rv_error *err)
{
	if (skip(inner, from, err) != RV_OK) {
		rv_source_free(inner);
		return err->status;
	}
	struct limit *limit = rv_calloc(1, sizeof(*limit));
	limit->base = (struct rv_source){ .ops = &limit_ops, .label = inner->label };
	limit->inner = inner;
	limit->left = to - from;
	*ret = &limit->base;
	return RV_OK;
}

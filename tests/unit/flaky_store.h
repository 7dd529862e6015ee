/* A store around another one that counts requests, fails reads in their middle and refuses puts, where a
 * test says. */
#ifndef TESTS_FLAKY_STORE_H
#define TESTS_FLAKY_STORE_H

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "store/store.h"

struct flaky {
	struct rv_store base;
	struct rv_store *inner;      /* borrowed */
	unsigned gets, reads, heads, lists;
	const char *bad;             /* reads of names that hold this text fail halfway; NULL: none */
	unsigned bad_times;          /* so many times */
	enum rv_status bad_status;
	unsigned refuse_puts;        /* so many are told that the object is there; nothing is put */
	enum rv_status refuse_status; /* and so, where it is not 0 */
};

struct flaky_read {
	enum rv_status (*sink)(void *arg, const void *p, size_t len, struct rv_error *err);
	void *arg;
	bool cut;
};

static inline enum rv_status flaky_sink(void *arg, const void *p, size_t len, struct rv_error *err)
{
	const struct flaky_read *r = arg;

	return r->sink(r->arg, p, r->cut ? len / 2 : len, err);
}

static inline enum rv_status flaky_read(struct rv_store *base, const char *name,
					enum rv_status (*sink)(void *arg, const void *p, size_t len,
							       struct rv_error *err),
					void *arg, struct rv_error *err)
{
	struct flaky *f = (struct flaky *)base;
	bool cut = f->bad && f->bad_times && strstr(name, f->bad);
	struct flaky_read r = { sink, arg, cut };

	f->reads++;
	f->bad_times -= cut;
	if (f->inner->ops->read(f->inner, name, flaky_sink, &r, err) != RV_OK)
		return err->status;
	return cut ? rv_fail(err, f->bad_status, "get %s: the connection broke", name) : RV_OK;
}

static inline enum rv_status flaky_get(struct rv_store *base, const char *name, size_t max_bytes,
				       struct rv_strbuf *ret, char ret_etag[RV_ETAG_TEXT],
				       struct rv_error *err)
{
	struct flaky *f = (struct flaky *)base;

	f->gets++;
	return f->inner->ops->get(f->inner, name, max_bytes, ret, ret_etag, err);
}

static inline enum rv_status flaky_head(struct rv_store *base, const char *name,
					struct rv_store_object *ret, struct rv_error *err)
{
	struct flaky *f = (struct flaky *)base;

	f->heads++;
	return f->inner->ops->head(f->inner, name, ret, err);
}

static inline enum rv_status flaky_put(struct rv_store *base, const char *name,
				       const struct rv_store_body *body, const struct rv_store_put *params,
				       char ret_etag[RV_ETAG_TEXT], struct rv_error *err)
{
	struct flaky *f = (struct flaky *)base;

	if (f->refuse_puts) {
		f->refuse_puts--;
		if (f->refuse_status)
			return rv_fail(err, f->refuse_status, "object %s was refused", name);
		return rv_fail(err, RV_CONFLICT, "object %s exists already", name);
	}
	return f->inner->ops->put(f->inner, name, body, params, ret_etag, err);
}

static inline enum rv_status flaky_list(struct rv_store *base, const struct rv_store_list *params,
					enum rv_status (*each)(void *arg,
							       const struct rv_store_object *,
							       struct rv_error *err),
					void *arg, struct rv_error *err)
{
	struct flaky *f = (struct flaky *)base;

	f->lists++;
	return f->inner->ops->list(f->inner, params, each, arg, err);
}

static const struct rv_store_ops flaky_ops = {
	.name = "flaky",
	.get = flaky_get,
	.read = flaky_read,
	.head = flaky_head,
	.put = flaky_put,
	.list = flaky_list,
};

/* It is the caller's struct; nothing to free. */
static inline void flaky_init(struct flaky *f, struct rv_store *inner)
{
	*f = (struct flaky){ .base = { .ops = &flaky_ops, .url = inner->url }, .inner = inner };
}

#endif

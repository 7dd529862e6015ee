/*
 * A prefix of a bucket as a store.
 *
 * Conditions are the store's own where it has them. Some do not: Swift refuses them (501), and old
 * Ceph takes If-None-Match without heeding it, which only a probe finds out. There a look, the put and a
 * look again take their place, and two writers at the same moment are not kept apart
 * (semantics.md 2.5).
 */
#include "store/store.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "aws/s3.h"
#include "base/memory.h"

/* Uploads in parts that are older belong to runs that are dead. */
#define STRAYS_FROM_BYTES (UINT64_C(64) << 20)
/* Times that an object is read whole before what comes is called damaged. */
#define GET_TRIES 3

struct store_s3 {
	struct rv_store base;
	struct rv_store_ops ops; /* of this store: conditional_puts is found out */
	struct rv_s3 *s3;
	char *prefix;            /* "" or "river/" */
	_Atomic bool conditions; /* what ops.conditional_puts says, for all threads */
	_Atomic bool swept;
};

static char *key_of(const struct store_s3 *store, const char *name)
{
	return rv_asprintf("%s%s", store->prefix, name);
}

/* ---- conditions ------------------------------------------------------------------------------- */

static void s3_assume(struct rv_store *base, bool conditional_puts)
{
	struct store_s3 *store = (struct store_s3 *)base;
	atomic_store(&store->conditions, conditional_puts);
	store->ops.conditional_puts = conditional_puts;
}

static bool is_refused_condition(const struct rv_error *err)
{
	return err->http_status == 501 || strcmp(err->service_code, "NotImplemented") == 0;
}

/* A look before, the put, and a look afterwards. */
static enum rv_status put_unconditionally(struct store_s3 *store, const char *key,
					  const struct rv_http_body *body,
					  const struct rv_store_put *put, char etag[RV_S3_ETAG_MAX],
					  struct rv_error *err)
{
	struct rv_s3_object object;
	enum rv_status status = rv_s3_head(store->s3, key, &object, err);
	if (status != RV_OK && !(status == RV_NOT_FOUND && put->if_absent))
		return status;
	if (status == RV_OK && put->if_absent)
		return rv_fail(err, RV_CONFLICT, "s3://%s/%s exists already", rv_s3_bucket(store->s3),
			       key);
	if (put->if_etag && strcmp(object.etag, put->if_etag) != 0)
		return rv_fail(err, RV_CONFLICT, "s3://%s/%s was changed by somebody else",
			       rv_s3_bucket(store->s3), key);
	const struct rv_s3_put plain = { 0 };
	if (rv_s3_put(store->s3, key, body, &plain, etag, err) != RV_OK)
		return err->status;
	if (rv_s3_head(store->s3, key, &object, err) != RV_OK)
		return err->status;
	if (strcmp(object.etag, etag) == 0)
		return RV_OK;
	return rv_fail(err, RV_CONFLICT, "s3://%s/%s was changed by somebody else at the same time",
		       rv_s3_bucket(store->s3), key);
}

static enum rv_status put_key(struct store_s3 *store, const char *key,
			      const struct rv_http_body *body, const struct rv_store_put *put,
			      char etag[RV_S3_ETAG_MAX], struct rv_error *err)
{
	const struct rv_s3_put s3_put = { .if_absent = put->if_absent, .if_etag = put->if_etag };
	bool conditional = put->if_absent || put->if_etag;
	if (!conditional || atomic_load(&store->conditions)) {
		enum rv_status status = rv_s3_put(store->s3, key, body, &s3_put, etag, err);
		if (status == RV_OK || !conditional || !is_refused_condition(err))
			return status;
		s3_assume(&store->base, false);
	}
	return put_unconditionally(store, key, body, put, etag, err);
}

/* Puts that must be refused, to see whether they are. */
static enum rv_status s3_probe(struct rv_store *base, const char *name, struct rv_error *err)
{
	static const char text[] = "what the store can do\n";
	struct store_s3 *store = (struct store_s3 *)base;
	RV_CLEANUP(rv_free_p) char *key = key_of(store, name);
	const struct rv_http_body body = { .bytes = text, .fd = -1, .len = sizeof(text) - 1 };
	const struct rv_s3_put puts[] = {
		{ .if_absent = true },
		{ .if_absent = true },
		{ .if_etag = "\"00000000000000000000000000000000\"" },
	};
	char etag[RV_S3_ETAG_MAX];
	bool holds = true;
	for (size_t i = 0; i < sizeof(puts) / sizeof(puts[0]) && holds; i++) {
		enum rv_status status = rv_s3_put(store->s3, key, &body, &puts[i], etag, err);
		if (status != RV_OK && status != RV_CONFLICT && !is_refused_condition(err))
			return status;
		/* The first may be refused as well: somebody else is probing. */
		holds = i == 0 ? status == RV_OK || status == RV_CONFLICT : status == RV_CONFLICT;
	}
	s3_assume(base, holds);
	return rv_s3_delete(store->s3, key, NULL, err);
}

/* ---- operations ------------------------------------------------------------------------------- */

struct collecting {
	struct rv_strbuf *text;
	size_t max_bytes;
	const char *name;
};

static enum rv_status collect(void *arg, const void *p, size_t len, struct rv_error *err)
{
	struct collecting *c = arg;
	if (len > c->max_bytes - c->text->len)
		return rv_fail(err, RV_BAD_DATA, "object %s is larger than %zu bytes", c->name,
			       c->max_bytes);
	rv_strbuf_add(c->text, p, len);
	return RV_OK;
}

static enum rv_status s3_get(struct rv_store *base, const char *name, size_t max_bytes,
			     struct rv_strbuf *ret, char ret_etag[RV_ETAG_TEXT], struct rv_error *err)
{
	struct store_s3 *store = (struct store_s3 *)base;
	RV_CLEANUP(rv_free_p) char *key = key_of(store, name);
	struct collecting collecting = { ret, max_bytes, name };
	struct rv_s3_object object;
	enum rv_status status = RV_DAMAGED;
	/* What was garbled on the way is another thing than what is damaged there, and nobody has seen it yet. */
	for (int i = 0; i < GET_TRIES && status == RV_DAMAGED; i++) {
		rv_strbuf_clear(ret);
		*err = (struct rv_error)RV_ERROR_INIT;
		status = rv_s3_read(store->s3, key, 0, NULL, collect, &collecting, &object, err);
	}
	if (status != RV_OK)
		return status;
	memcpy(ret_etag, object.etag, RV_ETAG_TEXT);
	return RV_OK;
}

static enum rv_status s3_read(struct rv_store *base, const char *name,
			      enum rv_status (*sink)(void *arg, const void *p, size_t len,
						     struct rv_error *err),
			      void *arg, struct rv_error *err)
{
	struct store_s3 *store = (struct store_s3 *)base;
	RV_CLEANUP(rv_free_p) char *key = key_of(store, name);
	return rv_s3_read(store->s3, key, 0, NULL, sink, arg, NULL, err);
}

static void describe(const struct rv_s3_object *object, const char *name, struct rv_store_object *ret)
{
	*ret = (struct rv_store_object){
		.name = name,
		.bytes = object->bytes,
		.modified_ms = object->modified_ms < 0 ? 0 : object->modified_ms,
	};
	memcpy(ret->etag, object->etag, RV_ETAG_TEXT);
}

static enum rv_status s3_head(struct rv_store *base, const char *name, struct rv_store_object *ret,
			      struct rv_error *err)
{
	struct store_s3 *store = (struct store_s3 *)base;
	RV_CLEANUP(rv_free_p) char *key = key_of(store, name);
	struct rv_s3_object object;
	if (rv_s3_head(store->s3, key, &object, err) != RV_OK)
		return err->status;
	describe(&object, name, ret);
	return RV_OK;
}

/* Parts of uploads that died long ago are paid for until somebody aborts them. */
static void sweep_once(struct store_s3 *store)
{
	struct rv_error ignored = RV_ERROR_INIT;
	uint64_t aborted;
	if (atomic_exchange(&store->swept, true))
		return;
	if (rv_s3_abort_uploads(store->s3, store->prefix, RV_S3_STRAY_MS, &aborted, &ignored) != RV_OK)
		ignored.status = RV_OK; /* not what was asked for: the next one tries again */
}

static enum rv_status s3_put(struct rv_store *base, const char *name, const struct rv_store_body *body,
			     const struct rv_store_put *put, char ret_etag[RV_ETAG_TEXT],
			     struct rv_error *err)
{
	struct store_s3 *store = (struct store_s3 *)base;
	if (!rv_store_name_valid(name))
		return rv_fail(err, RV_USAGE, "'%s' is not an object name", name);
	RV_CLEANUP(rv_free_p) char *key = key_of(store, name);
	const struct rv_http_body bytes = {
		.bytes = body->bytes,
		.fd = body->fd,
		.len = body->len,
	};
	if (body->len >= STRAYS_FROM_BYTES)
		sweep_once(store);
	return put_key(store, key, &bytes, put, ret_etag, err);
}

struct listing {
	const struct store_s3 *store;
	const struct rv_store_list *params;
	enum rv_status (*each)(void *arg, const struct rv_store_object *, struct rv_error *err);
	void *arg;
};

static enum rv_status list_one(void *arg, const struct rv_s3_object *object, struct rv_error *err)
{
	const struct listing *l = arg;
	const char *name = object->key + strlen(l->store->prefix);
	struct rv_store_object ret;
	/* Consoles make empty objects "folder/" so that folders can be seen: they are none. */
	if (rv_ends_with(name, "/") &&
	    (!l->params->folders || strcmp(name, l->params->prefix) == 0))
		return RV_OK;
	if (!*name)
		return RV_OK;
	describe(object, name, &ret);
	return l->each(l->arg, &ret, err);
}

static enum rv_status s3_list(struct rv_store *base, const struct rv_store_list *params,
			      enum rv_status (*each)(void *arg, const struct rv_store_object *,
						     struct rv_error *err),
			      void *arg, struct rv_error *err)
{
	struct store_s3 *store = (struct store_s3 *)base;
	RV_CLEANUP(rv_free_p) char *prefix = key_of(store, params->prefix);
	RV_CLEANUP(rv_free_p) char *after = params->after ? key_of(store, params->after) : NULL;
	struct listing l = { store, params, each, arg };
	return rv_s3_list(store->s3, prefix, after, params->folders, list_one, &l, err);
}

static enum rv_status s3_remove(struct rv_store *base, const char *name, const char *if_etag,
				struct rv_error *err)
{
	struct store_s3 *store = (struct store_s3 *)base;
	RV_CLEANUP(rv_free_p) char *key = key_of(store, name);
	return rv_s3_delete(store->s3, key, if_etag, err);
}

static void s3_free(struct rv_store *base)
{
	struct store_s3 *store = (struct store_s3 *)base;
	rv_s3_free(store->s3);
	free(store->prefix);
	free(store->base.url);
	free(store);
}

static const struct rv_store_ops s3_ops = {
	.name = "s3",
	.conditional_puts = true,
	.get = s3_get,
	.read = s3_read,
	.head = s3_head,
	.put = s3_put,
	.list = s3_list,
	.remove = s3_remove,
	.probe = s3_probe,
	.assume = s3_assume,
	.free = s3_free,
};

_Static_assert(RV_S3_ETAG_MAX == RV_ETAG_TEXT, "etags of S3 are copied as they are");

enum rv_status rv_store_s3_new(struct rv_aws *aws, const char *bucket, const char *prefix,
			       struct rv_store **ret, struct rv_error *err)
{
	struct rv_s3 *s3;
	if (rv_s3_new(aws, bucket, &s3, err) != RV_OK)
		return err->status;
	struct store_s3 *store = rv_calloc(1, sizeof(*store));
	store->ops = s3_ops;
	store->base.ops = &store->ops;
	store->base.url = *prefix ? rv_asprintf("s3://%s/%s", bucket, prefix)
				  : rv_asprintf("s3://%s", bucket);
	store->s3 = s3;
	store->prefix = *prefix ? rv_asprintf("%s/", prefix) : rv_strdup("");
	atomic_init(&store->conditions, true);
	*ret = &store->base;
	return RV_OK;
}

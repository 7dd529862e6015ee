/* What every store shares: names and convenience. */
#include "store/store.h"

#include <stdlib.h>
#include <string.h>

bool rv_store_name_valid(const char *name)
{
	if (!*name || *name == '/' || strlen(name) > RV_STORE_NAME_MAX)
		return false;
	for (const char *p = name;;) {
		const char *slash = strchr(p, '/');
		size_t len = slash ? (size_t)(slash - p) : strlen(p);
		if (len == 0 || (len == 1 && p[0] == '.') || (len == 2 && p[0] == '.' && p[1] == '.'))
			return false;
		if (!slash)
			return true;
		p = slash + 1;
	}
}

void rv_store_free(struct rv_store *store)
{
	if (store)
		store->ops->free(store);
}

void rv_store_free_p(struct rv_store **store)
{
	rv_store_free(*store);
	*store = NULL;
}

enum rv_status rv_store_get_optional(struct rv_store *store, const char *name, size_t max_bytes,
				     struct rv_strbuf *ret, char ret_etag[RV_ETAG_TEXT],
				     bool *ret_found, struct rv_error *err)
{
	enum rv_status status = store->ops->get(store, name, max_bytes, ret, ret_etag, err);
	*ret_found = status == RV_OK;
	/* A bucket that is not there is another thing than an object that is not in it. */
	if (status != RV_NOT_FOUND || strcmp(err->service_code, "NoSuchBucket") == 0)
		return status;
	*err = (struct rv_error)RV_ERROR_INIT;
	return RV_OK;
}

enum rv_status rv_store_put_bytes(struct rv_store *store, const char *name, const void *p,
				  size_t len, const struct rv_store_put *conditions,
				  struct rv_error *err)
{
	static const struct rv_store_put unconditional;
	char etag[RV_ETAG_TEXT];
	struct rv_store_body body = { .bytes = p, .len = len, .fd = -1 };
	return store->ops->put(store, name, &body, conditions ? conditions : &unconditional, etag,
			       err);
}

/* One that another run had put and took away in between, as it does with open receipts, is put again. */
#define ONCE_TRIES 3

enum rv_status rv_store_put_once(struct rv_store *store, const char *name,
				 const struct rv_store_body *body, bool *ret_there, struct rv_error *err)
{
	static const struct rv_store_put absent = { .if_absent = true };
	struct rv_store_object object;
	char etag[RV_ETAG_TEXT];
	/* a staged body is used up by the first put */
	unsigned tries = body->staged ? 1 : ONCE_TRIES;

	for (;;) {
		enum rv_status status = store->ops->put(store, name, body, &absent, etag, err);
		bool there = status == RV_CONFLICT;

		if (there)
			status = store->ops->head(store, name, &object, err);
		if (there && status == RV_NOT_FOUND && --tries)
			continue;
		if (there && (status == RV_NOT_FOUND || (status == RV_OK && !object.bytes && body->len))) {
			rv_fail(err, RV_FAILED, "%s says that %s is there already, and %s", store->url,
				name, status == RV_OK ? "it is empty" : "does not have it");
			err->transient = true;
			return err->status;
		}
		if (status == RV_OK && ret_there)
			*ret_there = there;
		return status;
	}
}

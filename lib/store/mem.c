/* A store in memory that fails where a test tells it to. */
#include "store/store.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"

struct object {
	char *name;
	char *bytes;
	size_t len;
	int64_t modified_ms;
	uint64_t generation;
};

struct store_mem {
	struct rv_store base;
	struct object *objects; /* sorted by name */
	size_t count, capacity;
	uint64_t operations, generation;
	uint64_t fail_at;
	bool fail_forever;
	enum rv_status fail_status;
	pthread_mutex_t mutex; /* recursive: whom a list tells of an object may ask for it */
};

static pthread_mutex_t *hold(struct store_mem *store)
{
	pthread_mutex_lock(&store->mutex);
	return &store->mutex;
}

static void let_go_p(pthread_mutex_t **mutex)
{
	pthread_mutex_unlock(*mutex);
}

static enum rv_status count_down(struct store_mem *store, const char *what, const char *name,
				 struct rv_error *err)
{
	store->operations++;
	if (store->fail_at && (store->operations == store->fail_at ||
			       (store->fail_forever && store->operations > store->fail_at))) {
		rv_fail(err, store->fail_status, "%s %s: failure on purpose", what, name);
		err->transient = store->fail_status == RV_FAILED;
		return err->status;
	}
	if (!rv_store_name_valid(name))
		return rv_fail(err, RV_USAGE, "'%s' is not an object name", name);
	return RV_OK;
}

static size_t position(const struct store_mem *store, const char *name, bool *ret_found)
{
	size_t low = 0, high = store->count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = strcmp(store->objects[middle].name, name);
		if (order == 0) {
			*ret_found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*ret_found = false;
	return low;
}

static void etag_of(const struct object *object, char etag[RV_ETAG_TEXT])
{
	snprintf(etag, RV_ETAG_TEXT, "g%" PRIu64, object->generation);
}

static enum rv_status mem_get(struct rv_store *base, const char *name, size_t max_bytes,
			      struct rv_strbuf *ret, char ret_etag[RV_ETAG_TEXT],
			      struct rv_error *err)
{
	struct store_mem *store = (struct store_mem *)base;
	RV_CLEANUP(let_go_p) RV_UNUSED pthread_mutex_t *held = hold(store);
	bool found;
	if (count_down(store, "get", name, err) != RV_OK)
		return err->status;
	size_t i = position(store, name, &found);
	if (!found)
		return rv_fail(err, RV_NOT_FOUND, "no object %s", name);
	if (store->objects[i].len > max_bytes)
		return rv_fail(err, RV_BAD_DATA, "object %s is larger than %zu bytes", name, max_bytes);
	rv_strbuf_clear(ret);
	rv_strbuf_add(ret, store->objects[i].bytes, store->objects[i].len);
	etag_of(&store->objects[i], ret_etag);
	return RV_OK;
}

static enum rv_status mem_read(struct rv_store *base, const char *name,
			       enum rv_status (*sink)(void *arg, const void *p, size_t len,
						      struct rv_error *err),
			       void *arg, struct rv_error *err)
{
	struct store_mem *store = (struct store_mem *)base;
	RV_CLEANUP(let_go_p) RV_UNUSED pthread_mutex_t *held = hold(store);
	bool found;
	if (count_down(store, "read", name, err) != RV_OK)
		return err->status;
	size_t i = position(store, name, &found);
	if (!found)
		return rv_fail(err, RV_NOT_FOUND, "no object %s", name);
	return store->objects[i].len ? sink(arg, store->objects[i].bytes, store->objects[i].len, err)
				     : RV_OK;
}

static void describe(const struct object *object, struct rv_store_object *ret)
{
	*ret = (struct rv_store_object){
		.name = object->name,
		.bytes = object->len,
		.modified_ms = object->modified_ms,
	};
	etag_of(object, ret->etag);
}

static enum rv_status mem_head(struct rv_store *base, const char *name, struct rv_store_object *ret,
			       struct rv_error *err)
{
	struct store_mem *store = (struct store_mem *)base;
	RV_CLEANUP(let_go_p) RV_UNUSED pthread_mutex_t *held = hold(store);
	bool found;
	if (count_down(store, "head", name, err) != RV_OK)
		return err->status;
	size_t i = position(store, name, &found);
	if (!found)
		return rv_fail(err, RV_NOT_FOUND, "no object %s", name);
	describe(&store->objects[i], ret);
	return RV_OK;
}

static enum rv_status mem_put(struct rv_store *base, const char *name,
			      const struct rv_store_body *body, const struct rv_store_put *conditions,
			      char ret_etag[RV_ETAG_TEXT], struct rv_error *err)
{
	struct store_mem *store = (struct store_mem *)base;
	RV_CLEANUP(let_go_p) RV_UNUSED pthread_mutex_t *held = hold(store);
	bool found;
	if (count_down(store, "put", name, err) != RV_OK)
		return err->status;
	size_t i = position(store, name, &found);
	if (conditions->if_absent && found)
		return rv_fail(err, RV_CONFLICT, "object %s exists already", name);
	if (conditions->if_etag) {
		char now[RV_ETAG_TEXT];
		if (!found)
			return rv_fail(err, RV_NOT_FOUND, "no object %s", name);
		etag_of(&store->objects[i], now);
		if (strcmp(now, conditions->if_etag) != 0)
			return rv_fail(err, RV_CONFLICT, "object %s was changed by somebody else", name);
	}
	char *bytes = rv_malloc(body->len);
	if (body->fd >= 0) {
		size_t n;
		if (rv_pread_full(body->fd, bytes, body->len, 0, &n, name, err) != RV_OK ||
		    n != body->len) {
			free(bytes);
			return rv_fail(err, RV_DAMAGED, "a finished batch is cut short");
		}
	} else if (body->len) {
		memcpy(bytes, body->bytes, body->len);
	}
	if (!found) {
		RV_GROW(store->objects, store->count, store->capacity);
		memmove(store->objects + i + 1, store->objects + i,
			(store->count - i) * sizeof(*store->objects));
		store->count++;
		store->objects[i] = (struct object){ .name = rv_strdup(name) };
	}
	struct object *object = &store->objects[i];
	free(object->bytes);
	object->bytes = bytes;
	object->len = body->len;
	object->modified_ms = rv_clock_ms();
	object->generation = ++store->generation;
	etag_of(object, ret_etag);
	return RV_OK;
}

static enum rv_status mem_list(struct rv_store *base, const struct rv_store_list *params,
			       enum rv_status (*each)(void *arg, const struct rv_store_object *,
						      struct rv_error *err),
			       void *arg, struct rv_error *err)
{
	struct store_mem *store = (struct store_mem *)base;
	RV_CLEANUP(let_go_p) RV_UNUSED pthread_mutex_t *held = hold(store);
	if (count_down(store, "list", "x", err) != RV_OK)
		return err->status;
	RV_CLEANUP(rv_free_p) char *last_folder = NULL;
	for (size_t i = 0; i < store->count; i++) {
		const char *name = store->objects[i].name;
		if (!rv_starts_with(name, params->prefix))
			continue;
		const char *slash = strchr(name + strlen(params->prefix), '/');
		struct rv_store_object object;
		describe(&store->objects[i], &object);
		RV_CLEANUP(rv_free_p) char *folder = NULL;
		if (params->folders && slash) {
			folder = rv_strndup(name, (size_t)(slash - name) + 1);
			if (last_folder && strcmp(last_folder, folder) == 0)
				continue;
			object = (struct rv_store_object){ .name = folder };
		}
		if (params->after && strcmp(object.name, params->after) <= 0)
			continue;
		enum rv_status status = each(arg, &object, err);
		if (folder) {
			free(last_folder);
			last_folder = rv_take(folder);
		}
		if (status != RV_OK)
			return status;
	}
	return RV_OK;
}

static enum rv_status mem_remove(struct rv_store *base, const char *name, const char *if_etag,
				 struct rv_error *err)
{
	struct store_mem *store = (struct store_mem *)base;
	RV_CLEANUP(let_go_p) RV_UNUSED pthread_mutex_t *held = hold(store);
	bool found;
	if (count_down(store, "remove", name, err) != RV_OK)
		return err->status;
	size_t i = position(store, name, &found);
	if (!found)
		return if_etag ? rv_fail(err, RV_NOT_FOUND, "no object %s", name) : RV_OK;
	char now[RV_ETAG_TEXT];
	etag_of(&store->objects[i], now);
	if (if_etag && strcmp(now, if_etag) != 0)
		return rv_fail(err, RV_CONFLICT, "object %s was changed by somebody else", name);
	free(store->objects[i].name);
	free(store->objects[i].bytes);
	memmove(store->objects + i, store->objects + i + 1,
		(store->count - i - 1) * sizeof(*store->objects));
	store->count--;
	return RV_OK;
}

static void mem_free(struct rv_store *base)
{
	struct store_mem *store = (struct store_mem *)base;
	for (size_t i = 0; i < store->count; i++) {
		free(store->objects[i].name);
		free(store->objects[i].bytes);
	}
	free(store->objects);
	free(store->base.url);
	pthread_mutex_destroy(&store->mutex);
	free(store);
}

static const struct rv_store_ops mem_ops = {
	.name = "mem",
	.conditional_puts = true,
	.get = mem_get,
	.read = mem_read,
	.head = mem_head,
	.put = mem_put,
	.list = mem_list,
	.remove = mem_remove,
	.free = mem_free,
};

struct rv_store *rv_store_mem_new(void)
{
	struct store_mem *store = rv_calloc(1, sizeof(*store));
	store->base.ops = &mem_ops;
	store->base.url = rv_strdup("mem:");
	pthread_mutexattr_t attributes;
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&store->mutex, &attributes);
	pthread_mutexattr_destroy(&attributes);
	return &store->base;
}

void rv_store_mem_fail(struct rv_store *base, uint64_t fail_at, bool fail_forever,
		       enum rv_status fail_status)
{
	struct store_mem *store = (struct store_mem *)base;
	store->operations = 0;
	store->fail_at = fail_at;
	store->fail_forever = fail_forever;
	store->fail_status = fail_status;
}

/* Finds what is not loaded yet by walking the lake's listing and the ledger side by side: both come
 * in the order of their names, so neither has to be held whole. */
#include "flow/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "flow/catalog.h"
#include "flow/object_name.h"

/* ---- finding ---- */

struct entry {
	char *object;
	bool loaded;
};
struct finding {
	struct rv_pending *pending;
	const struct rv_stream *stream;
	struct entry *ledger;       /* in order of names */
	size_t ledger_count, ledger_capacity;
	size_t at;
	size_t capacity;
};

static void finding_release(struct finding *f)
{
	for (size_t i = 0; i < f->ledger_count; i++)
		free(f->ledger[i].object);
	free(f->ledger);
}

static enum rv_status note_entry(void *arg, const struct rv_load *load, struct rv_error *err)
{
	struct finding *f = arg;
	(void)err;

	RV_GROW(f->ledger, f->ledger_count, f->ledger_capacity);
	f->ledger[f->ledger_count++] = (struct entry){
		.object = rv_strdup(load->object),
		.loaded = load->state == RV_LOAD_KNOWN || load->state == RV_LOAD_PARTIAL,
	};
	return RV_OK;
}

static enum rv_status note_object(void *arg, const struct rv_store_object *object,
				  struct rv_error *err)
{
	struct finding *f = arg;
	struct rv_pending *pending = f->pending;
	struct rv_object_name name;
	(void)err;

	while (f->at < f->ledger_count && strcmp(f->ledger[f->at].object, object->name) < 0)
		f->at++;
	if (f->at < f->ledger_count && strcmp(f->ledger[f->at].object, object->name) == 0 &&
	    f->ledger[f->at].loaded) {
		pending->loaded++;
		return RV_OK;
	}
	if (!rv_object_name_parse(object->name, &name)) {
		if (!pending->foreign++)
			pending->first_foreign = rv_strdup(object->name);
		return RV_OK;
	}
	RV_GROW(pending->items, pending->count, f->capacity);
	pending->items[pending->count++] = (struct rv_load){
		.object = rv_strdup(object->name),
		.bytes = object->bytes,
	};
	pending->bytes += object->bytes;
	if (!pending->oldest_ms || object->modified_ms < pending->oldest_ms)
		pending->oldest_ms = object->modified_ms;
	return RV_OK;
}

void rv_pending_release(struct rv_pending *pending)
{
	for (size_t i = 0; i < pending->count; i++)
		free(pending->items[i].object);
	free(pending->items);
	free(pending->first_foreign);
	*pending = (struct rv_pending){ 0 };
}

enum rv_status rv_pending_find(struct rv_store *lake, struct rv_warehouse *warehouse,
			       const struct rv_stream *stream, struct rv_pending *ret,
			       struct rv_error *err)
{
	struct rv_pending pending = { 0 };
	RV_CLEANUP(finding_release) struct finding f = { .pending = &pending, .stream = stream };
	char prefix[RV_OBJECT_NAME_MAX], after[RV_STREAM_PLACE_MAX];

	rv_object_prefix(stream, prefix);
	struct rv_store_list list = { .prefix = prefix };

	if (rv_stream_since(stream, after)[0])
		list.after = after;
	/* The ledger first: what lands in between is listed and not in it, so it is pending. */
	enum rv_status status = warehouse->ops->history(warehouse, stream, note_entry, &f, err);

	if (status == RV_OK)
		status = lake->ops->list(lake, &list, note_object, &f, err);
	if (status != RV_OK)
		rv_pending_release(&pending);
	else
		*ret = pending;
	return status;
}

/* ---- loading ---- */

void rv_load_sum_add(struct rv_load_sum *sum, const struct rv_load *items, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct rv_load *item = &items[i];

		switch (item->state) {
		case RV_LOAD_LOADED:
		case RV_LOAD_PARTIAL:
			sum->objects++;
			sum->rows += item->rows;
			sum->rejected += item->rejected;
			break;
		case RV_LOAD_KNOWN:
			sum->known++;
			break;
		case RV_LOAD_FAILED:
			if (!sum->failed++)
				snprintf(sum->first_failed, sizeof(sum->first_failed), "%s: %s",
					 item->object, item->message);
			break;
		case RV_LOAD_PENDING:
			break;
		}
	}
}

enum rv_status rv_load_stream(struct rv_store *lake, struct rv_warehouse *warehouse,
			      const struct rv_stream *stream, rv_load_progress *progress, void *arg,
			      struct rv_load_sum *sum, struct rv_error *err)
{
	RV_CLEANUP(rv_pending_release) struct rv_pending pending = { 0 };

	if (rv_pending_find(lake, warehouse, stream, &pending, err) != RV_OK)
		return err->status;
	if (!pending.count)
		return RV_OK;
	enum rv_status status = warehouse->ops->load(warehouse, stream, pending.items,
						     pending.count, progress, arg, err);

	rv_load_sum_add(sum, pending.items, pending.count);
	return status;
}

struct names {
	char **items;
	size_t count, capacity;
};

static void names_release(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->items[i]);
	free(names->items);
}

static enum rv_status note_name(void *arg, const char *name, struct rv_error *err)
{
	struct names *names = arg;
	(void)err;

	RV_GROW(names->items, names->count, names->capacity);
	names->items[names->count++] = rv_strdup(name);
	return RV_OK;
}

/* Of all streams, keeps the names of those with something pending. */
static enum rv_status keep_pending(struct rv_store *lake, struct rv_warehouse *warehouse,
				   struct names *names, struct rv_error *err)
{
	size_t kept = 0;

	for (size_t i = 0; i < names->count; i++) {
		RV_CLEANUP(rv_stream_release_p) struct rv_stream stream;
		RV_CLEANUP(rv_pending_release) struct rv_pending pending = { 0 };

		rv_stream_init(&stream);
		enum rv_status status = rv_catalog_get(lake, names->items[i], &stream, NULL, err);

		/* Deleted since it was listed. */
		if (status == RV_OK && !stream.pipe_notify)
			status = rv_pending_find(lake, warehouse, &stream, &pending, err);
		else if (status == RV_NOT_FOUND)
			status = RV_OK;
		if (status != RV_OK)
			return status;
		if (!pending.count)
			continue;
		char *name = names->items[kept];

		names->items[kept++] = names->items[i];
		names->items[i] = name;
	}
	for (size_t i = kept; i < names->count; i++)
		free(names->items[i]);
	names->count = kept;
	return RV_OK;
}

enum rv_status rv_load_all(struct rv_store *lake, struct rv_warehouse *warehouse,
			   rv_load_progress *progress, void *arg, struct rv_load_sum *sum,
			   struct rv_error *err)
{
	RV_CLEANUP(names_release) struct names names = { 0 };

	if (rv_catalog_list(lake, "", NULL, note_name, &names, err) != RV_OK)
		return err->status;
	if (!names.count)
		return RV_OK;
	if (warehouse->ops->begin(warehouse, false, err) != RV_OK)
		return err->status;
	enum rv_status status = keep_pending(lake, warehouse, &names, err);

	warehouse->ops->end(warehouse);
	for (size_t i = 0; i < names.count && status == RV_OK; i++) {
		RV_CLEANUP(rv_stream_release_p) struct rv_stream stream;

		rv_stream_init(&stream);
		status = rv_catalog_get(lake, names.items[i], &stream, NULL, err);
		if (status == RV_OK)
			status = rv_load_stream(lake, warehouse, &stream, progress, arg, sum, err);
		else if (status == RV_NOT_FOUND)
			status = RV_OK;
	}
	return status;
}

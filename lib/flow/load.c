/* Finds what is not loaded yet by walking the lake's listing and the ledger side by side: both come
 * in the order of their names. Every query begins with it, so it asks for names only, holds the
 * listing as one text, and looks closer at nothing but what is pending. */
#include "flow/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "flow/catalog.h"
#include "flow/object_name.h"

/* ---- finding ---- */

struct listed {
	size_t name;                /* where it begins in `names` */
	uint64_t bytes;             /* with modified_ms 0: the store was not asked */
	int64_t modified_ms;
	bool loaded, queued;
};
struct finding {
	struct rv_strbuf names;     /* each with a NUL behind */
	struct listed *items;       /* in order of names */
	size_t count, capacity;
	size_t at;                  /* the ledger has come so far */
};

static void finding_release(struct finding *f)
{
	rv_strbuf_release(&f->names);
	free(f->items);
}

static const char *name_at(const struct finding *f, size_t i)
{
	return f->names.bytes + f->items[i].name;
}

static enum rv_status note_object(void *arg, const struct rv_store_object *object,
				  struct rv_error *err RV_UNUSED)
{
	struct finding *f = arg;

	RV_GROW(f->items, f->count, f->capacity);
	f->items[f->count++] = (struct listed){
		.name = f->names.len,
		.bytes = object->bytes,
		.modified_ms = object->modified_ms,
	};
	rv_strbuf_add(&f->names, object->name, strlen(object->name) + 1);
	return RV_OK;
}

static enum rv_status note_loaded(void *arg, const char *object, enum rv_load_state state,
				  struct rv_error *err RV_UNUSED)
{
	struct finding *f = arg;
	int order = -1;

	while (f->at < f->count && (order = strcmp(name_at(f, f->at), object)) < 0)
		f->at++;
	if (f->at == f->count || order != 0)
		return RV_OK;
	f->items[f->at].queued = state == RV_LOAD_QUEUED;
	f->items[f->at++].loaded = state != RV_LOAD_QUEUED;
	return RV_OK;
}

static enum rv_status add_pending(struct rv_store *lake, const char *name, const struct listed *item,
				  struct rv_pending *pending, size_t *capacity, struct rv_error *err)
{
	struct rv_store_object object = { .bytes = item->bytes, .modified_ms = item->modified_ms };

	if (!object.modified_ms) {
		enum rv_status status = lake->ops->head(lake, name, &object, err);

		if (status == RV_NOT_FOUND) /* removed since it was listed */
			return RV_OK;
		if (status != RV_OK)
			return status;
	}
	RV_GROW(pending->items, pending->count, *capacity);
	pending->items[pending->count++] = (struct rv_load){
		.object = rv_strdup(name),
		.bytes = object.bytes,
		.state = item->queued ? RV_LOAD_QUEUED : RV_LOAD_PENDING,
		.modified_ms = object.modified_ms,
	};
	pending->queued += item->queued;
	pending->bytes += object.bytes;
	if (!pending->oldest_ms || object.modified_ms < pending->oldest_ms)
		pending->oldest_ms = object.modified_ms;
	return RV_OK;
}

void rv_pending_release(struct rv_pending *pending)
{
	for (size_t i = 0; i < pending->count; i++)
		rv_load_release(&pending->items[i]);
	free(pending->items);
	free(pending->first_foreign);
	*pending = (struct rv_pending){ 0 };
}

/* The warehouse is opened when the first question for it comes, and left so. */
struct opening {
	bool opened;
	bool refused; /* no stream can do anything about that */
};

/* The ledger comes second: what is loaded in between is not pending any more. `o` Optional. */
static enum rv_status ask_ledger(struct rv_warehouse *warehouse, const struct rv_stream *stream,
				 struct finding *f, struct opening *o, struct rv_error *err)
{
	if (!f->count)
		return RV_OK;
	if (o && !o->opened) {
		o->refused = warehouse->ops->begin(warehouse, false, err) != RV_OK;
		if (o->refused)
			return err->status;
		o->opened = true;
	}
	return warehouse->ops->loaded(warehouse, stream, note_loaded, f, err);
}

/* River's own names, and Firehose's for this stream: nobody else writes such. */
static bool is_ours(const struct rv_stream *stream, const char *object)
{
	struct rv_object_name name;
	struct rv_firehose_name firehose;

	return rv_object_name_parse(object, &name) ||
	       rv_firehose_name_parse(object, stream, &firehose);
}

static enum rv_status find_pending(struct rv_store *lake, struct rv_warehouse *warehouse,
				   const struct rv_stream *stream, struct opening *o,
				   struct rv_pending *ret, struct rv_error *err)
{
	RV_CLEANUP(rv_pending_release) struct rv_pending pending = { 0 };
	RV_CLEANUP(finding_release) struct finding f = { .names = RV_STRBUF_INIT };
	char prefix[RV_OBJECT_NAME_MAX], after[RV_STREAM_PLACE_MAX];
	size_t capacity = 0;

	rv_object_prefix(stream, prefix);
	struct rv_store_list list = { .prefix = prefix, .names_only = true };

	if (rv_stream_since(stream, after)[0])
		list.after = after;
	if (lake->ops->list(lake, &list, note_object, &f, err) != RV_OK ||
	    ask_ledger(warehouse, stream, &f, o, err) != RV_OK)
		return err->status;
	for (size_t i = 0; i < f.count; i++) {
		if (f.items[i].loaded) {
			pending.loaded++;
		} else if (!f.items[i].queued && !is_ours(stream, name_at(&f, i))) {
			if (!pending.foreign++)
				pending.first_foreign = rv_strdup(name_at(&f, i));
		} else if (add_pending(lake, name_at(&f, i), &f.items[i], &pending, &capacity,
				       err) != RV_OK) {
			return err->status;
		}
	}
	*ret = pending;
	pending = (struct rv_pending){ 0 };
	return RV_OK;
}

enum rv_status rv_pending_find(struct rv_store *lake, struct rv_warehouse *warehouse,
			       const struct rv_stream *stream, struct rv_pending *ret,
			       struct rv_error *err)
{
	return find_pending(lake, warehouse, stream, NULL, ret, err);
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
					 item->object, item->message ? item->message : "no reason given");
			break;
		case RV_LOAD_QUEUED:
			sum->queued++;
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
	const struct rv_load_params params = { .progress = progress, .arg = arg };

	if (warehouse->ops->remote)
		return RV_OK;
	if (rv_pending_find(lake, warehouse, stream, &pending, err) != RV_OK)
		return err->status;
	if (!pending.count)
		return RV_OK;
	enum rv_status status = warehouse->ops->load(warehouse, stream, pending.items,
						     pending.count, &params, err);

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

static void sum_stream_failed(struct rv_load_sum *sum, const char *name, const struct rv_error *err)
{
	if (!sum->streams_failed++)
		snprintf(sum->first_stream_failed, sizeof(sum->first_stream_failed), "%s: %s", name,
			 err->message);
}

/* Of all streams, keeps the names of those with something pending. */
static enum rv_status keep_pending(struct rv_store *lake, struct rv_warehouse *warehouse,
				   struct names *names, struct opening *o, struct rv_load_sum *sum,
				   struct rv_error *err)
{
	size_t kept = 0;

	for (size_t i = 0; i < names->count; i++) {
		RV_CLEANUP(rv_stream_release_p) struct rv_stream stream;
		RV_CLEANUP(rv_pending_release) struct rv_pending pending = { 0 };

		rv_stream_init(&stream);
		enum rv_status status = rv_catalog_get(lake, names->items[i], &stream, NULL, err);

		if (status == RV_OK && !stream.pipe_notify)
			status = find_pending(lake, warehouse, &stream, o, &pending, err);
		else if (status == RV_NOT_FOUND) /* deleted since it was listed */
			status = RV_OK;
		if (status != RV_OK && o->refused)
			return status;
		if (status != RV_OK)
			sum_stream_failed(sum, names->items[i], err);
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

/* With the warehouse open once: closing it costs more the more tables there are. It may keep what
 * it knows of a stream until then, so the streams stay as long. */
static enum rv_status load_named(struct rv_store *lake, struct rv_warehouse *warehouse,
				 const struct names *names, rv_load_progress *progress, void *arg,
				 struct rv_load_sum *sum, struct rv_error *err)
{
	if (!names->count)
		return RV_OK;
	RV_CLEANUP(rv_free_p)
	struct rv_stream *streams = rv_calloc(names->count, sizeof(*streams));
	enum rv_status status = warehouse->ops->begin(warehouse, true, err);

	if (status == RV_LOCAL_IO && !err->hint[0])
		rv_hint(err, "what is loaded can be read all the same, with --no-load");
	if (status != RV_OK)
		return status;
	for (size_t i = 0; i < names->count; i++) {
		rv_stream_init(&streams[i]);
		status = rv_catalog_get(lake, names->items[i], &streams[i], NULL, err);
		if (status == RV_OK)
			status = rv_load_stream(lake, warehouse, &streams[i], progress, arg, sum, err);
		if (status != RV_OK && status != RV_NOT_FOUND)
			sum_stream_failed(sum, names->items[i], err);
	}
	warehouse->ops->end(warehouse);
	for (size_t i = 0; i < names->count; i++)
		rv_stream_release(&streams[i]);
	return RV_OK;
}

enum rv_status rv_load_all(struct rv_store *lake, struct rv_warehouse *warehouse,
			   rv_load_progress *progress, void *arg, struct rv_load_sum *sum,
			   struct rv_error *err)
{
	RV_CLEANUP(names_release) struct names names = { 0 };
	struct opening o = { 0 };

	if (warehouse->ops->remote)
		return RV_OK;
	if (rv_catalog_list(lake, "", NULL, note_name, &names, err) != RV_OK)
		return err->status;
	enum rv_status status = keep_pending(lake, warehouse, &names, &o, sum, err);

	if (o.opened)
		warehouse->ops->end(warehouse);
	return status == RV_OK ? load_named(lake, warehouse, &names, progress, arg, sum, err) : status;
}

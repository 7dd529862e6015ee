/* Looks at every loaded object before its rows are dropped. A listing would not do: an object that
 * was cut short or overwritten is listed like any other, and its rows are the last copy. */
#include "flow/rebuild.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "flow/object_name.h"
#include "flow/object_read.h"

struct looking {
	uint64_t done_rows, done_bytes; /* of the objects before */
	bool (*progress)(void *arg, uint64_t rows, uint64_t bytes);
	void *arg;
};

static bool go_on(void *arg, const struct rv_object_content *so_far)
{
	const struct looking *looking = arg;
	return !looking->progress ||
	       looking->progress(looking->arg, looking->done_rows + so_far->records,
				 looking->done_bytes + so_far->bytes);
}

/* An error only when looking itself failed. */
static enum rv_status look(struct rv_store *lake, struct rv_rebuild_object *o, struct looking *looking,
			   struct rv_error *err)
{
	struct rv_object_content content;
	enum rv_status status = rv_object_read(lake, o->name, go_on, looking, &content, err);

	looking->done_rows += content.records;
	looking->done_bytes += content.bytes;
	struct rv_object_name name;

	if (status == RV_NOT_FOUND)
		o->lost = rv_strdup("not in the lake any more");
	else if (status == RV_BAD_DATA)
		o->lost = rv_asprintf("cannot be read to its end: %s", err->message);
	else if (status != RV_OK)
		return rv_context(err, "read %s", o->name);
	else if (!rv_object_name_parse(o->name, &name))
		o->lost = content.bytes == o->bytes || !o->bytes
				  ? NULL
				  : rv_asprintf("%" PRIu64 " bytes, not the %" PRIu64 " that were loaded",
						content.bytes, o->bytes);
	else if (!rv_object_content_is(&content, name.records, name.set_hash))
		o->lost = rv_asprintf("does not hold what its name says: %" PRIu64
				      " records of set hash %016" PRIx64,
				      content.records, content.set_hash);
	return RV_OK;
}

static enum rv_status note_loaded(void *arg, const struct rv_load *load,
				  struct rv_error *err RV_UNUSED)
{
	struct rv_rebuild *rebuild = arg;

	if (load->state == RV_LOAD_FAILED)
		return RV_OK;
	RV_GROW(rebuild->objects, rebuild->count, rebuild->capacity);
	rebuild->objects[rebuild->count++] = (struct rv_rebuild_object){
		.name = rv_strdup(load->object),
		.bytes = load->bytes,
		.rows = load->rows,
	};
	return RV_OK;
}

static int by_name(const void *a, const void *b)
{
	const struct rv_rebuild_object *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* Objects of which the ledger lost its row have their rows in raw all the same. */
static enum rv_status add_unknown(struct rv_warehouse *warehouse, const struct rv_stream *stream,
				  struct rv_rebuild *rebuild, struct rv_error *err)
{
	struct rv_rebuild present = { 0 };
	size_t known = rebuild->count;
	enum rv_status status =
		warehouse->ops->present(warehouse, stream, false, note_loaded, &present, err);

	if (known)
		qsort(rebuild->objects, known, sizeof(*rebuild->objects), by_name);
	for (size_t i = 0; i < present.count; i++) {
		if (known && bsearch(&present.objects[i], rebuild->objects, known,
				     sizeof(*rebuild->objects), by_name))
			continue;
		RV_GROW(rebuild->objects, rebuild->count, rebuild->capacity);
		rebuild->objects[rebuild->count++] = present.objects[i];
		present.objects[i].name = NULL;
	}
	rv_rebuild_release(&present);
	if (rebuild->count)
		qsort(rebuild->objects, rebuild->count, sizeof(*rebuild->objects), by_name);
	return status;
}

enum rv_status rv_rebuild_check(struct rv_store *lake, struct rv_warehouse *warehouse,
				const struct rv_stream *stream,
				bool (*progress)(void *arg, uint64_t rows, uint64_t bytes), void *arg,
				struct rv_rebuild *ret, struct rv_error *err)
{
	struct looking looking = { .progress = progress, .arg = arg };

	*ret = (struct rv_rebuild){ 0 };
	enum rv_status status = warehouse->ops->history(warehouse, stream, note_loaded, ret, err);

	if (status == RV_OK)
		status = add_unknown(warehouse, stream, ret, err);
	for (size_t i = 0; status == RV_OK && i < ret->count; i++) {
		struct rv_rebuild_object *o = &ret->objects[i];
		status = look(lake, o, &looking, err);
		if (!o->lost)
			continue;
		if (!ret->lost++)
			ret->first_lost = o;
		ret->lost_rows += o->rows;
	}
	if (status != RV_OK)
		rv_rebuild_release(ret);
	return status;
}

void rv_rebuild_release(struct rv_rebuild *rebuild)
{
	for (size_t i = 0; i < rebuild->count; i++) {
		free(rebuild->objects[i].name);
		free(rebuild->objects[i].lost);
	}
	free(rebuild->objects);
	*rebuild = (struct rv_rebuild){ 0 };
}

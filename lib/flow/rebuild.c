/* Looks at every loaded object before its rows are dropped. A listing would not do: an object that
 * was cut short or overwritten is listed like any other, and its rows are the last copy. */
#include "flow/rebuild.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "flow/object_name.h"
#include "format/record_hash.h"
#include "format/unpack.h"

#define PIECE_BYTES (1u << 20)

struct reading {
	struct rv_unpack *unpack;
	char *piece;
	struct rv_strbuf rest;   /* a record that goes on in the next piece */
	uint64_t records, set_hash, bytes;
	uint64_t done_rows, done_bytes; /* of the objects before */
	bool (*progress)(void *arg, uint64_t rows, uint64_t bytes);
	void *arg;
};

static void reading_release(struct reading *reading)
{
	rv_unpack_free(reading->unpack);
	rv_strbuf_release(&reading->rest);
	free(reading->piece);
}

static void end_record(struct reading *reading, const char *p, size_t len)
{
	if (reading->rest.len) {
		rv_strbuf_add(&reading->rest, p, len);
		p = reading->rest.bytes;
		len = reading->rest.len;
	}
	reading->records++;
	reading->set_hash += rv_record_hash(p, len);
	rv_strbuf_clear(&reading->rest);
}

static enum rv_status take(void *arg, const void *p, size_t len, struct rv_error *err)
{
	struct reading *reading = arg;
	struct rv_str input = { p, len };

	reading->bytes += len;
	if (reading->progress && !reading->progress(reading->arg, reading->done_rows + reading->records,
						    reading->done_bytes + reading->bytes))
		return rv_fail(err, RV_FAILED, "interrupted");
	for (;;) {
		size_t n;

		if (rv_unpack_step(reading->unpack, &input, reading->piece, PIECE_BYTES, &n, err) !=
		    RV_OK)
			return err->status;
		if (n == 0)
			return RV_OK;
		const char *at = reading->piece, *end = at + n;

		for (const char *line; (line = memchr(at, '\n', (size_t)(end - at))); at = line + 1)
			end_record(reading, at, (size_t)(line - at));
		rv_strbuf_add(&reading->rest, at, (size_t)(end - at));
	}
}

static enum rv_status read_object(struct rv_store *lake, const char *name, struct reading *reading,
				  struct rv_error *err)
{
	reading->unpack = rv_unpack_new(rv_ends_with(name, ".zst")  ? RV_PACKING_ZSTD
					: rv_ends_with(name, ".gz") ? RV_PACKING_GZIP
								    : RV_PACKING_NONE);
	reading->piece = rv_malloc(PIECE_BYTES);
	if (lake->ops->read(lake, name, take, reading, err) != RV_OK ||
	    rv_unpack_end(reading->unpack, err) != RV_OK)
		return err->status;
	if (reading->rest.len)
		end_record(reading, "", 0);
	return RV_OK;
}

/* An error only when looking itself failed. */
static enum rv_status look(struct rv_store *lake, struct rv_rebuild_object *o, struct reading *reading,
			   struct rv_error *err)
{
	enum rv_status status = read_object(lake, o->name, reading, err);
	struct rv_object_name name;

	if (status == RV_NOT_FOUND)
		o->lost = rv_strdup("not in the lake any more");
	else if (status == RV_BAD_DATA)
		o->lost = rv_asprintf("cannot be read to its end: %s", err->message);
	else if (status != RV_OK)
		return rv_context(err, "read %s", o->name);
	else if (!rv_object_name_parse(o->name, &name))
		o->lost = reading->bytes == o->bytes || !o->bytes
				  ? NULL
				  : rv_asprintf("%" PRIu64 " bytes, not the %" PRIu64 " that were loaded",
						reading->bytes, o->bytes);
	else if (reading->records != name.records || reading->set_hash != name.set_hash)
		o->lost = rv_asprintf("does not hold what its name says: %" PRIu64
				      " records of set hash %016" PRIx64,
				      reading->records, reading->set_hash);
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
	uint64_t rows = 0, bytes = 0;

	*ret = (struct rv_rebuild){ 0 };
	enum rv_status status = warehouse->ops->history(warehouse, stream, note_loaded, ret, err);

	if (status == RV_OK)
		status = add_unknown(warehouse, stream, ret, err);
	for (size_t i = 0; status == RV_OK && i < ret->count; i++) {
		struct rv_rebuild_object *o = &ret->objects[i];
		RV_CLEANUP(reading_release) struct reading reading = {
			.rest = RV_STRBUF_INIT,
			.done_rows = rows,
			.done_bytes = bytes,
			.progress = progress,
			.arg = arg,
		};

		status = look(lake, o, &reading, err);
		rows += reading.records;
		bytes += reading.bytes;
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

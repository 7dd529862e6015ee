/* What the tests of the embedded warehouse share: a scratch folder with a lake and a DuckDB file,
 * and making objects in it. libduckdb must be found; a machine without it fails these tests. */
#ifndef TESTS_DUCKDB_WORLD_H
#define TESTS_DUCKDB_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>
#include <zstd.h>

#include "base/file.h"
#include "base/memory.h"
#include "flow/object_name.h"
#include "store/store.h"
#include "warehouse/duckdb.h"
#include "warehouse/rows.h"

struct world {
	char folder[64];
	char path[128];
	struct rv_store *store;
	struct rv_warehouse *warehouse;
	struct rv_stream stream;
	struct rv_error err;
	char *said; /* of the object loaded last */
};

#define assert_ok(world, call)                                                                     \
	do {                                                                                       \
		if ((call) != RV_OK)                                                               \
			fail_msg("%s: %s", #call, (world)->err.message);                           \
	} while (0)

static inline void world_open(struct world *w, const char *stream)
{
	*w = (struct world){ .err = RV_ERROR_INIT };
	snprintf(w->folder, sizeof(w->folder), "/tmp/river-test-XXXXXX");
	assert_non_null(mkdtemp(w->folder));
	snprintf(w->path, sizeof(w->path), "%s/web.duckdb", w->folder);
	char *lake = rv_path_join(w->folder, "lake");

	w->store = rv_store_file_new(lake);
	free(lake);
	rv_stream_init(&w->stream);
	assert_int_equal(rv_stream_parse_name(stream, &w->stream, &w->err), RV_OK);
	snprintf(w->stream.id, sizeof(w->stream.id), "01jd0000000000000000000000");
	w->stream.layers = RV_LAYER_RAW;
	struct rv_duckdb_params params = { .path = w->path, .lock_timeout_ms = 600000,
					   .threads = 2 };

	w->warehouse = rv_warehouse_duckdb_new(&params, w->store);
}

static inline void world_close(struct world *w)
{
	rv_warehouse_free(w->warehouse);
	rv_store_free(w->store);
	rv_stream_release(&w->stream);
	free(w->said);
	assert_int_equal(rv_remove_tree(w->folder, &w->err), RV_OK);
}

/* An object holding `records` (lines), named for `named` (NULL: itself). Caller frees the name. */
static inline char *world_object_named(struct world *w, const char *run, uint64_t seq,
				       const char *records, const char *named)
{
	struct rv_object_name name = { .seq = seq };
	char text[RV_OBJECT_NAME_MAX];
	size_t len = strlen(records), bound = ZSTD_compressBound(len);
	char *packed = malloc(bound);

	snprintf(name.business, sizeof(name.business), "%s", w->stream.business);
	snprintf(name.stream, sizeof(name.stream), "%s", w->stream.name);
	snprintf(name.folder, sizeof(name.folder), "dt=2026-11-20/hr=14");
	snprintf(name.run, sizeof(name.run), "%s", run);
	for (const char *p = named ? named : records; *p; p = strchr(p, '\n') + 1) {
		name.records++;
		name.set_hash += XXH3_64bits(p, (size_t)(strchr(p, '\n') - p));
	}
	rv_object_name_format(&name, text);
	bound = ZSTD_compress(packed, bound, records, len, 1);
	struct rv_store_put put = { .if_absent = true };

	assert_ok(w, rv_store_put_bytes(w->store, text, packed, bound, &put, &w->err));
	free(packed);
	return strdup(text);
}

static inline char *world_object(struct world *w, const char *run, uint64_t seq,
				 const char *records)
{
	return world_object_named(w, run, seq, records, NULL);
}

/* Loads one object; the name is borrowed, and the message is until the next one. */
static inline struct rv_load world_load(struct world *w, char *object)
{
	struct rv_load item = { .object = object };

	assert_ok(w, w->warehouse->ops->load(w->warehouse, &w->stream, &item, 1, NULL, &w->err));
	free(w->said);
	w->said = item.message;
	return item;
}

static inline enum rv_status world_csv(void *arg, const struct rv_rows *rows, struct rv_error *err)
{
	(void)err;
	rv_rows_csv(rows, arg);
	return RV_OK;
}

/* The rows of a query as CSV without header, lines joined by ';'. Caller frees. */
static inline char *world_ask(struct world *w, const char *sql)
{
	struct rv_strbuf sb = RV_STRBUF_INIT;

	assert_ok(w, w->warehouse->ops->query(w->warehouse, sql, false, world_csv, &sb, &w->err));
	for (char *p = sb.bytes; (p = strchr(p, '\n')); p++)
		*p = ';';
	return rv_strbuf_take(&sb);
}

#define assert_answer(w, sql, wanted)                                                              \
	do {                                                                                       \
		char *answer_ = world_ask(w, sql);                                                 \
		assert_string_equal(answer_, wanted);                                              \
		free(answer_);                                                                     \
	} while (0)

#endif

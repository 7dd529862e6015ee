/* The tables of a stream, and bringing the layers behind raw up to date. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "warehouse/duckdb_internal.h"

enum rv_status duck_plan(struct rv_warehouse *w, const struct rv_stream *stream, bool apply,
			 void (*each)(void *arg, const char *statement), void *arg,
			 struct rv_error *err)
{
	struct rv_duckdb *d = (struct rv_duckdb *)w;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	enum rv_status status = RV_OK;
	bool has = false;

	if (duck_enter(d, apply, err) != RV_OK)
		return err->status;
	status = duck_has_table(d, stream->business, stream->name, &has, err);
	if (status == RV_OK && !has) {
		rv_strbuf_printf(&sql, "CREATE SCHEMA IF NOT EXISTS river.\"%s\"", stream->business);
		if (each)
			each(arg, sql.bytes);
		if (apply)
			status = duck_run(d, sql.bytes, NULL, err);
		rv_strbuf_clear(&sql);
		rv_strbuf_puts(&sql, "CREATE TABLE ");
		duck_table(&sql, stream, "");
		rv_strbuf_puts(&sql, " (record JSON NOT NULL, file_name VARCHAR NOT NULL,"
				     " file_row BIGINT NOT NULL, loaded_at TIMESTAMP NOT NULL)");
		if (each)
			each(arg, sql.bytes);
		if (apply && status == RV_OK)
			status = duck_run(d, sql.bytes, NULL, err);
	}
	duck_leave(d);
	return status;
}

enum rv_status duck_derive(struct rv_duckdb *d, const struct rv_stream *stream, bool rebuild,
			   int64_t loaded_us, struct rv_error *err)
{
	(void)d, (void)stream, (void)rebuild, (void)loaded_us, (void)err;
	return RV_OK;
}

enum rv_status duck_drop(struct rv_warehouse *w, const struct rv_stream *stream,
			 struct rv_error *err)
{
	struct rv_duckdb *d = (struct rv_duckdb *)w;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;

	if (duck_enter(d, true, err) != RV_OK)
		return err->status;
	rv_strbuf_puts(&sql, "BEGIN; DROP TABLE IF EXISTS ");
	duck_table(&sql, stream, "");
	rv_strbuf_printf(&sql, "; DELETE FROM river._river.loads WHERE stream = '%s/%s'; COMMIT",
			 stream->business, stream->name);
	enum rv_status status = duck_run(d, sql.bytes, NULL, err);

	if (status != RV_OK)
		duck_rollback(d);
	duck_leave(d);
	return status;
}

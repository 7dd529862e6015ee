/*
 * Loading on Snowflake: names are given to a pipe and followed, or loaded by COPY where a pipe would skip
 * them. Not for use outside lib/warehouse/snowflake*.c and their tests.
 */
#ifndef RV_WAREHOUSE_SNOWFLAKE_LOAD_H
#define RV_WAREHOUSE_SNOWFLAKE_LOAD_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/strbuf.h"
#include "warehouse/snowflake_ledger.h"

enum rv_status snow_load(struct rv_warehouse *w, const struct rv_stream *stream, struct rv_load *items,
			 size_t count, const struct rv_load_params *params,
			 struct rv_error *err) RV_MUST_CHECK;

/* Four statements: a transaction that takes the files' rows of the ledger and copies the files. */
#define SNOW_COPY_STATEMENTS 4
#define SNOW_COPY_RESULT 2
#define SNOW_COPY_FILES_MAX 1000
void snow_copy_sql(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
		   const struct rv_stream *stream, struct rv_load *const *items, size_t count);
void snow_pipe_refresh_sql(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
			   const struct rv_stream *stream, int64_t modified_after_ms);

#endif

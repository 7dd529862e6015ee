/*
 * The contract of a stream as SQL (semantics.md 6.3 and 6.4): queries over raw, or over a stream of
 * it, whose name is `from`. Text alone, nobody is asked. Not for use outside lib/warehouse/snowflake*.c
 * and their tests.
 */
#ifndef RV_WAREHOUSE_SNOWFLAKE_CONTRACT_H
#define RV_WAREHOUSE_SNOWFLAKE_CONTRACT_H

#include <stdbool.h>
#include <stdio.h>

#include "base/strbuf.h"
#include "config/stream.h"
#include "warehouse/snowflake_internal.h"

/* "NUMBER(18,4)", as Snowflake reports it. */
#define SNOW_TYPE_MAX 24
const char *snow_type(const struct rv_column *column, char buf[SNOW_TYPE_MAX]);
/* "A", "B", "FILE_NAME", "FILE_ROW", "LOADED_AT" */
void snow_add_columns(struct rv_strbuf *sql, const struct rv_stream *stream);

/* WITH ... "JUDGED" AS (...): every record with its columns and "RIVER$COLUMN", "RIVER$REASON", which
 * are null when it is accepted. */
void snow_add_contract(struct rv_strbuf *sql, const struct rv_stream *stream, const char *from);
/* The columns, accepted rows, the first of duplicates. */
void snow_add_clean(struct rv_strbuf *sql, const struct rv_stream *stream, const char *from);
/* The accepted rows that are not the first of their duplicates; false and nothing when all are kept. */
bool snow_add_duplicates(struct rv_strbuf *sql, const struct rv_stream *stream, const char *from);
/* The columns and SNOW_DELETED; the newest accepted row of each key. */
void snow_add_newest(struct rv_strbuf *sql, const struct rv_stream *stream, const char *from);
/* file_name, file_row, loaded_at, column_name, reason, value, record */
void snow_add_refused(struct rv_strbuf *sql, const struct rv_stream *stream, const char *from);

/* The condition that the text of a number takes more digits behind the point than `scale`: of numbers with an exponent,
 * or of those without. */
void snow_add_too_fine(struct rv_strbuf *sql, bool exponent, unsigned scale, size_t n);

/* ---- dates and times: snowflake_time.c ---- */

/* "PARTS" AS (...): for each column n that is a time, what cutting its text apart gives; false when
 * there is none, and then nothing is added. */
bool snow_add_time_parts(struct rv_strbuf *sql, const struct rv_stream *stream);
/* WHEN ... THEN reasons, and the typed value. */
void snow_add_time_faults(struct rv_strbuf *sql, const struct rv_column *column, size_t n);
void snow_add_time(struct rv_strbuf *sql, const struct rv_column *column, size_t n);

#endif

/*
 * What there has to be in Snowflake, as statements. Text alone: nobody is asked, and the same
 * definition gives the same text. Not for use outside lib/warehouse/snowflake*.c and their tests.
 *
 * Each object that river makes carries a comment {"river":1,"stream":"web/clicks","id":"...",
 * "shape":"..."}: it tells river's own objects from others', and whether one is still made from what is
 * wanted now. `shape` is a hash of the statement that makes it.
 */
#ifndef RV_WAREHOUSE_SNOWFLAKE_DDL_H
#define RV_WAREHOUSE_SNOWFLAKE_DDL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/strbuf.h"
#include "config/stream.h"
#include "warehouse/snowflake_internal.h"

#define SNOW_SHAPE_TEXT 17

/* What "GRANT ... ON <kind>", "DROP <kind>" and SHOW call it. */
enum snow_kind {
	SNOW_IS_DATABASE,
	SNOW_IS_SCHEMA,
	SNOW_IS_TABLE,
	SNOW_IS_DYNAMIC,
	SNOW_IS_VIEW,
	SNOW_IS_PIPE,
	SNOW_IS_STREAM,
	SNOW_IS_TASK,
	SNOW_IS_STAGE,
	SNOW_IS_FORMAT,
	SNOW_IS_POLICY,
	SNOW_IS_INTEGRATION,
	SNOW_IS_ROLE,
	SNOW_IS_WAREHOUSE,
};
const char *snow_kind_word(enum snow_kind kind); /* "DYNAMIC TABLE" */

/* An object as it is wanted. Release it. */
struct snow_text {
	enum snow_kind kind;
	char *name;                    /* "D"."WEB"."CLICKS", in quotes */
	char *schema, *plain;          /* WEB, CLICKS; "" for what has no schema */
	char *create;                  /* makes it, when it is not there */
	char *replace;                 /* NULL: it is never replaced */
	char *comment;                 /* the marker */
	char shape[SNOW_SHAPE_TEXT];
};
void snow_text_release(struct snow_text *text);

/* River's own. `stream` NULL: of all streams. */
void snow_text_database(const struct rv_snowflake_warehouse *w, struct snow_text *ret);
void snow_text_house(const struct rv_snowflake_warehouse *w, struct snow_text *ret);
void snow_text_integration(const struct rv_snowflake_warehouse *w, struct snow_text *ret);
void snow_text_stage(const struct rv_snowflake_warehouse *w, struct snow_text *ret);
void snow_text_loads_stage(const struct rv_snowflake_warehouse *w, struct snow_text *ret); /* of extracts */
void snow_text_format(const struct rv_snowflake_warehouse *w, struct snow_text *ret);
void snow_text_ledger(const struct rv_snowflake_warehouse *w, struct snow_text *ret);
/* One for each type of column that is masked; `column` has the type. */
void snow_text_policy(const struct rv_snowflake_warehouse *w, const struct rv_column *column,
		      struct snow_text *ret);
/* Of a stream: its schema, and its objects. */
void snow_text_schema(const struct rv_snowflake_warehouse *w, const struct rv_stream *stream,
		      struct snow_text *ret);
bool snow_wants(const struct rv_stream *stream, enum snow_object object);
/* The kind is fixed but for SNOW_NEWEST. */
enum snow_kind snow_object_kind(const struct rv_stream *stream, enum snow_object object);
void snow_text_object(const struct rv_snowflake_warehouse *w, const struct rv_stream *stream,
		      enum snow_object object, struct snow_text *ret);

/* The COPY of the pipe, as SNOW_PIPE is made with it and Snowflake reports it. */
void snow_add_pipe_copy(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
			const struct rv_stream *stream);
/* MERGE of what came since into SNOW_NEWEST; `from` is SNOW_NEW, or SNOW_RAW for all there is. */
void snow_add_merge(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
		    const struct rv_stream *stream, enum snow_object from);
/* Rows for loads that the ledger does not have: files that raw has rows of. Before a pipe is made
 * again, as that forgets them (semantics 6.5). */
void snow_add_ledger_fill(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
			  const struct rv_stream *stream);
/* "LINEAR(...)" inside: TO_DATE("OCCURRED_AT"), ...; "" for none. */
void snow_add_cluster(struct rv_strbuf *sql, const struct rv_stream *stream, enum snow_object object);
/* Minutes a dynamic table, or the merge, may be behind. */
unsigned snow_lag_minutes(const struct rv_stream *stream);
/* Columns of SNOW_RAW, of a merged SNOW_NEWEST, or the ledger (stream NULL): name and type as
 * Snowflake reports it ("NUMBER(38,0)"). */
void snow_each_column(const struct rv_stream *stream, enum snow_object object,
		      void (*each)(void *arg, const char *name, const char *type, bool not_null),
		      void *arg);

/* "<database>_RO", "<database>_RW" into `buf`. */
#define SNOW_ROLE_MAX 300
const char *snow_role(const struct rv_snowflake_warehouse *w, bool writes, char buf[SNOW_ROLE_MAX]);

#endif

/*
 * What the files of the Snowflake warehouse share: its state, what everything is called, and the
 * statements. Not for use outside lib/warehouse/snowflake*.c and their tests.
 */
#ifndef RV_WAREHOUSE_SNOWFLAKE_INTERNAL_H
#define RV_WAREHOUSE_SNOWFLAKE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/strbuf.h"
#include "config/stream.h"
#include "snowflake/client.h"
#include "snowflake/sql.h"
#include "warehouse/snowflake.h"

struct rv_snowflake_warehouse {
	struct rv_warehouse base;
	struct rv_snowflake_warehouse_params params;
	struct rv_store *lake;
	unsigned held;             /* begins without their end */
	char *extracts_made;       /* the job whose tables were seen to be there; NULL: none */
};

/* ---- names: snowflake_names.c ----
 *
 * D is the database. '$' is in no name of a stream or a column, so helpers collide with nothing. */

/* The objects of stream web/clicks, in D."WEB". */
enum snow_object {
	SNOW_RAW,          /* "CLICKS" */
	SNOW_CLEAN,        /* "CLICKS_CLEAN": a dynamic table */
	SNOW_LATEST,       /* "CLICKS_LATEST": the living rows, a view of SNOW_NEWEST */
	SNOW_REFUSED,      /* "CLICKS_REFUSED": a view */
	SNOW_NEWEST,       /* "CLICKS$NEWEST": newest rows with tombstones; a dynamic table, or a table
			    * that SNOW_MERGE keeps where the stream has retention.warehouse */
	SNOW_PIPE,         /* "CLICKS$PIPE" */
	SNOW_NEW,          /* "CLICKS$NEW": append-only stream of raw, for SNOW_MERGE */
	SNOW_MERGE,        /* "CLICKS$MERGE": task */
	SNOW_RETAIN,       /* "CLICKS$RETAIN": task */
	SNOW_OBJECTS,
};
/* The tombstones of SNOW_NEWEST: BOOLEAN, never null. */
#define SNOW_DELETED "RIVER$DELETED"

/* River's own, in D."RIVER". */
#define SNOW_HOUSE "RIVER"
#define SNOW_STAGE "LAKE"
#define SNOW_LOADS_STAGE "LOADS" /* what extracts are loaded from */
#define SNOW_FORMAT "NDJSON"
/*
 * "LEDGER" has one row for each (STREAM_ID, FILE_NAME):
 *   STREAM_ID VARCHAR, STREAM VARCHAR ("web/clicks"), FILE_NAME VARCHAR ("data/web/clicks/dt=..."),
 *   BYTES NUMBER(38,0), STATE VARCHAR (submitted, loaded, partial, failed, retired),
 *   ROWS_LOADED, ROWS_PARSED, ERRORS NUMBER(38,0), FIRST_ERROR VARCHAR, FIRST_ERROR_LINE NUMBER(38,0),
 *   FIRST_ERROR_COLUMN VARCHAR, SUBMITTED_AT, LOADED_AT TIMESTAMP_LTZ, VIA VARCHAR (pipe, copy, auto),
 *   RETIRED_ROWS NUMBER(38,0)
 */
#define SNOW_LEDGER "LEDGER"

/* "WEB", "CLICKS$PIPE": as Snowflake stores them, unquoted. Return `buf`. */
const char *snow_schema_name(const struct rv_stream *stream, char buf[RV_STREAM_PLACE_MAX]);
const char *snow_object_name(const struct rv_stream *stream, enum snow_object object,
			     char buf[RV_STREAM_PLACE_MAX]);
/* "D"."WEB"."CLICKS$PIPE", appended; likewise of a schema, and of river's own. */
void snow_add_object(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
		     const struct rv_stream *stream, enum snow_object object);
void snow_add_schema(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
		     const struct rv_stream *stream);
void snow_add_house(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w, const char *name);
/* @"D"."RIVER"."LAKE"/web/clicks/: what the pipe copies from, and what paths in insertFiles and COPY
 * ... FILES are relative to. */
void snow_add_location(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
		       const struct rv_stream *stream);
/* SUBSTR(METADATA$FILENAME, n): the name of a staged file as the lake has it, "data/web/clicks/...";
 * Snowflake's begins with the lake's prefix in the bucket. */
void snow_add_file_name(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w);
/* "dt=.../hr=../<run>-...zst" of "data/web/clicks/dt=...", or NULL when it is not below the stream's
 * folder. Points into `object`. */
const char *snow_relative(const struct rv_stream *stream, const char *object);
/* 'text', for text that ends with NUL. */
void snow_add_literal(struct rv_strbuf *sql, const char *text);
/* "event_id" -> "EVENT_ID", with its quotes. */
void snow_add_column(struct rv_strbuf *sql, const char *column);

bool snow_has_layers(const struct rv_stream *stream); /* clean or latest, and so refused */
bool snow_has_clean(const struct rv_stream *stream);
bool snow_has_latest(const struct rv_stream *stream);
/* latest is merged by tasks, not derived, as raw does not hold all rows for ever (semantics 6.7) */
bool snow_is_merged(const struct rv_stream *stream);

/* ---- the COPY of a pipe, and of files that are loaded without it: snowflake_ddl.c ---- */

/* COPY INTO raw FROM (SELECT ...) FILE_FORMAT = (...), up to where FILES, ON_ERROR, ... follow. */
void snow_add_copy(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
		   const struct rv_stream *stream);
/* Statements that bring clean and latest up to date with raw now, after a load; none for a stream
 * of raw alone. One call of `each` a statement. */
void snow_refresh(const struct rv_snowflake_warehouse *w, const struct rv_stream *stream,
		  void (*each)(void *arg, const char *sql), void *arg);

/* ---- the ops: plan, drop and halt are snowflake_plan.c's ---- */
enum rv_status snow_plan(struct rv_warehouse *w, const struct rv_stream *stream, bool apply,
			 void (*each)(void *arg, const char *statement), void *arg,
			 struct rv_error *err) RV_MUST_CHECK;
enum rv_status snow_drop(struct rv_warehouse *w, const struct rv_stream *stream,
			 struct rv_error *err) RV_MUST_CHECK;

#endif

/*
 * What comparisons with Snowflake are put together from: changes, statements that are collected before it
 * is known whether there are any, and names that get in each other's way. Not for use outside
 * lib/warehouse/snowflake_compare*.c.
 */
#ifndef RV_WAREHOUSE_SNOWFLAKE_DIFFER_H
#define RV_WAREHOUSE_SNOWFLAKE_DIFFER_H

#include "warehouse/snowflake_plan.h"

/* One comparison, of all streams of an account. */
struct snow_comparing {
	const struct rv_snowflake_warehouse *w;
	const struct snow_seen *seen;
	struct rv_changes *changes;
	/* places of their changes, SIZE_MAX: none */
	size_t database, roles, house, stage, format, ledger;
};

/* A change of an object and its place; what is before all of them is before it. `why` is taken. */
size_t snow_add_change(const struct snow_comparing *c, enum rv_change_kind kind,
		       const struct rv_stream *stream, const struct snow_text *text, char *why);
size_t snow_add_change_sql(const struct snow_comparing *c, enum rv_change_kind kind,
			   const struct rv_stream *stream, const struct snow_text *text, char *why,
			   const char *sql);
void snow_add_conflict(const struct snow_comparing *c, const struct rv_stream *stream,
		       const struct snow_text *text, char *why, const char *hint);
/* Until the next one is added. */
struct rv_change *snow_item(const struct snow_comparing *c, size_t place);

struct snow_collected {
	char **items;
	size_t count;
};
void snow_collect(void *arg, const char *sql); /* arg: struct snow_collected */
void snow_collectf(struct snow_collected *all, const char *fmt, ...) RV_PRINTF(2, 3);
void snow_collect_comment(struct snow_collected *all, const struct snow_text *text);
void snow_collected_release(struct snow_collected *all);
void snow_add_collected(struct rv_change *change, const struct snow_collected *all);

/* Whether a name that differs in case alone stands there; that is a conflict, and is added. */
bool snow_collides(const struct snow_comparing *c, const struct rv_stream *stream, const char *kind,
		   const struct snow_text *text);
/* Of a table that holds data: statements that add what is missing, and why. False: it cannot be mended,
 * and a conflict was added. */
bool snow_compare_columns(const struct snow_comparing *c, const struct rv_stream *stream,
			  enum snow_object object, const struct snow_text *text,
			  struct snow_collected *all, struct rv_strbuf *why);

/* snowflake_compare_stream.c; `schema` is the place of its schema's change. */
enum rv_status snow_compare_stream(struct snow_comparing *c, const struct rv_stream *stream,
				   size_t schema, struct rv_error *err) RV_MUST_CHECK;

#endif

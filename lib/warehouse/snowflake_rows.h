/*
 * Pages of Snowflake's results as the rows that commands print, and `river query` on them. Not for use
 * outside lib/warehouse/snowflake*.c and their tests.
 */
#ifndef RV_WAREHOUSE_SNOWFLAKE_ROWS_H
#define RV_WAREHOUSE_SNOWFLAKE_ROWS_H

#include "base/error.h"
#include "warehouse/rows.h"
#include "warehouse/snowflake_internal.h"

/* Hands a result on page by page, in batches of at most SNOW_ROWS_BATCH rows; each result begins with a
 * batch of none. */
#define SNOW_ROWS_BATCH 2048
struct snow_rows {
	enum rv_status (*sink)(void *arg, const struct rv_rows *rows, struct rv_error *err);
	void *arg;
	struct rv_rows_column *columns;
	struct rv_strbuf *texts;   /* of each column, what had to be written anew */
	char **odd;                /* variants of the batch that are no JSON, as JSON texts */
	size_t odd_count, odd_capacity;
	size_t columns_count;
	unsigned statement;        /* whose columns these are, counted from 1; 0: none yet */
};
/* An rv_snowflake_sink; `arg` is a struct snow_rows with its sink. A value that is none of its type is
 * RV_FAILED. */
enum rv_status snow_rows_page(void *arg, const struct rv_snowflake_page *page,
			      struct rv_error *err) RV_MUST_CHECK;
void snow_rows_release(struct snow_rows *rows);

enum rv_status snow_query(struct rv_warehouse *w, const char *sql, bool writable,
			  enum rv_status (*sink)(void *arg, const struct rv_rows *, struct rv_error *err),
			  void *arg, struct rv_error *err) RV_MUST_CHECK;

#endif

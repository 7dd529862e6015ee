/*
 * What loading on Snowflake knows of its files, and following them until they are loaded or failed. Not
 * for use outside lib/warehouse/snowflake*.c and their tests.
 */
#ifndef RV_WAREHOUSE_SNOWFLAKE_FOLLOW_H
#define RV_WAREHOUSE_SNOWFLAKE_FOLLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "snowflake/snowpipe.h"
#include "warehouse/snowflake_ledger.h"

enum {
	SNOW_MARK_SKIPPED = 1, /* the pipe knew its path */
	SNOW_MARK_GOES_ON = 2, /* the history has it under way */
	SNOW_MARK_NEWS = 4,    /* learned from a report: the ledger is still to learn it */
};
struct snow_loading {
	struct rv_snowflake_warehouse *w;
	const struct rv_stream *stream;
	const struct rv_load_params *params;
	struct rv_load **items;    /* in order of their names; of these, each: */
	struct snow_wanted *wanted;
	enum snow_way *ways;
	unsigned char *marks;
	size_t count;
	int64_t now_ms;            /* when it began, by the clock of the service */
	uint64_t rows, bytes, loaded; /* by this call */
	size_t skipped;
	bool uses_pipe, stop;
};

/* Where `object` is, or would be, in the items; and whether it is there. */
size_t snow_find(const struct snow_loading *l, const char *object);
bool snow_is(const struct snow_loading *l, size_t at, const char *object);
/* Neither loaded nor failed. */
bool snow_is_open(const struct rv_load *item);
void snow_learn(struct snow_loading *l, size_t at, const struct rv_load *settled, bool now);
/* Tells progress and asks whether to stop. */
bool snow_go_on(struct snow_loading *l);
/* For snow_ledger_look: items that are open learn what became of them. */
enum rv_status snow_see_news(void *loading, const struct snow_file *file, const struct rv_load *settled,
			     struct rv_error *err) RV_MUST_CHECK;
/* That it is paused, or why it does not run. */
enum rv_status snow_pipe_stands(struct snow_loading *l, const struct rv_warehouse_pipe *pipe,
				struct rv_error *err);
struct snow_pipe_names {
	char schema[RV_STREAM_PLACE_MAX], pipe[RV_STREAM_PLACE_MAX];
};
void snow_pipe_of(const struct snow_loading *l, struct snow_pipe_names *names, struct rv_snowpipe *ret);

/* Until every item is loaded or failed, the deadline has passed or somebody stops it; RV_OK in all of these
 * cases. An error when the pipe stands still, or when nobody can be asked. */
enum rv_status snow_follow(struct snow_loading *l, struct rv_error *err) RV_MUST_CHECK;

#endif

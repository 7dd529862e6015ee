/*
 * Snowpipe's REST endpoints: names of files that a pipe shall load, and what became of them. An
 * accepted name is queued, not loaded. Thread-safe.
 *
 * A pipe remembers each path for 14 days and skips it then, also when its load failed or it did not
 * exist. Source: Snowflake's user guide, "Snowpipe REST endpoints".
 */
#ifndef RV_SNOWFLAKE_SNOWPIPE_H
#define RV_SNOWFLAKE_SNOWPIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "snowflake/client.h"

#define RV_SNOWPIPE_FILES_MAX 5000      /* of one insertFiles */
#define RV_SNOWPIPE_PATH_MAX_BYTES 1024

/* A pipe by the names of its database, its schema and itself, as Snowflake stores them. */
struct rv_snowpipe {
	struct rv_snowflake *snowflake;
	const char *database, *schema, *name;
};

struct rv_snowpipe_file {
	const char *path;          /* below the location the pipe copies from; no leading '/' */
	uint64_t bytes;            /* 0: unknown */
};
/* Any number of files; sends as many requests as that takes, repeated under their ids where the
 * outcome is unknown (a path is queued once). RV_BAD_DATA, and nothing is sent: a path that is empty,
 * too long, no UTF-8 or begins with '/'. RV_CONFLICT: the pipe is paused, stopped, or leaves out files
 * by a pattern; RV_AUTH and RV_NOT_FOUND as in client.h, naming the pipe and the grant. *ret_sent is how many of them, from the first on, were
 * certainly accepted, also on failure; `skipped` (Optional) hears of those the pipe knew already. */
enum rv_status rv_snowpipe_insert(const struct rv_snowpipe *pipe, const struct rv_snowpipe_file *files,
				  size_t count, size_t *ret_sent,
				  void (*skipped)(void *arg, const char *path), void *arg,
				  struct rv_error *err) RV_MUST_CHECK;

enum rv_snowpipe_state {
	RV_SNOWPIPE_IN_PROGRESS,
	RV_SNOWPIPE_LOADED,
	RV_SNOWPIPE_PARTIAL,
	RV_SNOWPIPE_FAILED,
};
struct rv_snowpipe_report {
	const char *path;          /* as it was submitted */
	enum rv_snowpipe_state state;
	bool complete;             /* the last word, with counts that can be read */
	uint64_t bytes, rows_inserted, rows_parsed, errors;
	int64_t received_ms, inserted_ms; /* -1: unknown */
	const char *first_error;   /* "" none */
	uint64_t first_error_line, first_error_character; /* 0: unknown */
	const char *first_error_column, *system_error;    /* "" none */
};
typedef enum rv_status rv_snowpipe_each(void *arg, const struct rv_snowpipe_report *report,
					struct rv_error *err);

/* What happened lately: events of ten minutes, at most 10,000. `mark` (at least 64 bytes, "" at
 * first) is where the last call ended; an event may come twice. *ret_complete false: some were
 * missed, loadHistoryScan knows them. */
enum rv_status rv_snowpipe_recent(const struct rv_snowpipe *pipe, char *mark, size_t mark_size,
				  bool *ret_complete, rv_snowpipe_each *each, void *arg,
				  struct rv_error *err) RV_MUST_CHECK;
/* What happened from one time to another, within 14 days; pages are followed to their end, and a file
 * may come twice. Strictly rate limited by Snowflake: 429 is waited for, and pages are
 * asked for, until `deadline_ms` (monotonic; 0: 429 for about a minute). */
enum rv_status rv_snowpipe_history(const struct rv_snowpipe *pipe, int64_t from_ms, int64_t to_ms,
				   int64_t deadline_ms, rv_snowpipe_each *each, void *arg,
				   struct rv_error *err) RV_MUST_CHECK;

#endif

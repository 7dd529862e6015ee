/*
 * What became of each file of a stream on Snowflake (semantics.md 6.5, 6.6): river's ledger table,
 * which forgets nothing, brought up to date with what Snowflake remembers for two weeks and with what
 * lies in raw. Not for use outside lib/warehouse/snowflake*.c and their tests.
 */
#ifndef RV_WAREHOUSE_SNOWFLAKE_LEDGER_H
#define RV_WAREHOUSE_SNOWFLAKE_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/strbuf.h"
#include "warehouse/snowflake_internal.h"

/* A pipe, and the history, remember a path for 14 days; a day is left for clocks and for being late. */
#define SNOW_REMEMBERED_MS (INT64_C(13) * 24 * 3600 * 1000)

enum snow_history {
	SNOW_HISTORY_NONE,
	SNOW_HISTORY_GOES_ON,
	SNOW_HISTORY_LOADED,   /* all of it or, with errors, some */
	SNOW_HISTORY_FAILED,
};
/* Three witnesses of one file. */
struct snow_file {
	/* The ledger's row: `object` always; state QUEUED, KNOWN, PARTIAL or FAILED, when there is one. */
	struct rv_load ledger;
	bool in_ledger;
	bool by_copy;          /* was given to COPY, not to the pipe */
	/* The latest of COPY_HISTORY. */
	enum snow_history history;
	uint64_t bytes, rows, errors;
	int64_t loaded_ms;     /* 0: unknown */
	uint64_t error_line, error_character;
	const char *error, *error_column; /* "" none */
	/* Rows in raw, as far as they are younger than what the ledger is sure of. */
	uint64_t raw_rows;
	int64_t raw_ms;        /* when the newest of them was loaded */
};
/*
 * What has become of the file, as far as they can tell together. Once loaded is loaded: the ledger
 * outlives the others. `ret` is to be released. Returns whether the ledger has to learn it.
 */
bool snow_settle(const struct snow_file *file, int64_t now_ms, struct rv_load *ret);

/* What to do about a file somebody wants loaded. */
enum snow_way {
	SNOW_WAY_NONE,         /* it is loaded */
	SNOW_WAY_SUBMIT,       /* insertFiles; also when it was submitted, and nothing shows it */
	SNOW_WAY_REFRESH,      /* the pipe is auto and may not have heard of it: ALTER PIPE ... REFRESH */
	SNOW_WAY_FOLLOW,       /* the pipe is auto and will hear of it */
	SNOW_WAY_COPY,         /* the pipe failed on it and would skip it for 14 days */
	SNOW_WAY_OLD,          /* nobody remembers whether it was loaded: somebody has to say so */
};
struct snow_wanted {
	bool known;            /* the ledger or Snowflake has heard of it */
	enum rv_load_state state;
	bool by_copy;
	int64_t modified_ms, submitted_ms; /* 0: unknown */
};
enum snow_way snow_choose_way(const struct snow_wanted *wanted, bool is_auto,
			      const struct rv_load_params *params, int64_t now_ms);

/* ---- statements ---- */

/* All three witnesses of all files of the stream, ordered by name. */
void snow_ledger_look_sql(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
			  const struct rv_stream *stream);
/* Puts the rows of one bound JSON text into the ledger; a row that says loaded stays as it is. */
void snow_ledger_write_sql(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
			   const struct rv_stream *stream);
/* That text; `items` of the stream. States become what the ledger calls them. */
void snow_ledger_rows(struct rv_strbuf *json, const struct rv_stream *stream,
		      struct rv_load *const *items, size_t count, const char *via);

/* ---- asking and telling ---- */

typedef enum rv_status snow_ledger_each(void *arg, const struct snow_file *file,
					const struct rv_load *settled, struct rv_error *err);
/* Looks, calls `each` in order of names, and writes what is new into the ledger. That it may not be
 * written is noted and no failure: whoever looks has what they came for. */
enum rv_status snow_ledger_look(struct rv_snowflake_warehouse *w, const struct rv_stream *stream,
				snow_ledger_each *each, void *arg, struct rv_error *err) RV_MUST_CHECK;
/* "pipe", "copy" or "auto" is how they are loaded. */
enum rv_status snow_ledger_write(struct rv_snowflake_warehouse *w, const struct rv_stream *stream,
				 struct rv_load *const *items, size_t count, const char *via,
				 struct rv_error *err) RV_MUST_CHECK;

/* One statement in the warehouse's database. `bound` Optional: the value of its only question mark.
 * `sink` Optional. */
enum rv_status snow_ask(struct rv_snowflake_warehouse *w, const char *sql, const char *bound,
			rv_snowflake_sink *sink, void *arg, struct rv_error *err) RV_MUST_CHECK;
/*
 * Whether a page is what was asked for: a letter of `columns` each column, 't' texts and 'n' numbers (0 to
 * 18446744073709551615); in capitals where none is null. RV_FAILED: else. Numbers decide what is loaded, so one that is
 * none must not become 0.
 */
enum rv_status snow_check_page(const struct rv_snowflake_page *page, const char *columns,
			       struct rv_error *err) RV_MUST_CHECK;
/* Values of a page: numbers 0 and texts "" where they are null. Only of columns that are there. */
struct rv_str snow_text(const struct rv_snowflake_page *page, size_t row, size_t column);
uint64_t snow_u64(const struct rv_snowflake_page *page, size_t row, size_t column);
int64_t snow_ms(const struct rv_snowflake_page *page, size_t row, size_t column); /* timestamps */

#endif

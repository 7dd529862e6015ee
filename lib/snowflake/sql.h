/*
 * The SQL API, version 2: one statement, or several in one request, and their rows.
 *
 * Each request has an id that was made before its first attempt, and is repeated under the same id
 * with retry=true: a statement that succeeded is not executed again. An answer 202 is polled for; when
 * should_stop of the HTTP client says so, or the deadline has passed, the statement is cancelled.
 * There is no session between calls. Thread-safe.
 */
#ifndef RV_SNOWFLAKE_SQL_H
#define RV_SNOWFLAKE_SQL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/strbuf.h"
#include "snowflake/client.h"

struct rv_snowflake_binding {
	const char *type;          /* "TEXT", "FIXED", "BOOLEAN", ...; for dates "TEXT" */
	const char *value;         /* NULL: null */
};
struct rv_snowflake_statement {
	const char *sql;
	/* Of the question marks in `sql`, in order; not with several statements. */
	const struct rv_snowflake_binding *bindings;
	size_t bindings_count;
	unsigned count;            /* of statements in `sql`, divided by ';'; 0: one */
	/* Optional: instead of what the connection names, spelled as Snowflake stores names (upper
	 * case for unquoted ones). "" for none at all: a database that is still to be made. */
	const char *database, *schema, *warehouse, *role;
	/* Answered with a handle at once and polled for, so that it can be cancelled from the start, at
	 * the price of a round trip. Without it Snowflake itself answers so after 45 s. */
	bool async;
	const char *query_tag;     /* Optional */
	const char *request_id;    /* Optional: a UUID, to be the same statement as a former call */
	int64_t timeout_s;         /* after which Snowflake cancels it; 0: two days */
	int64_t deadline_ms;       /* monotonic; 0: none */
};

enum rv_snowflake_type {
	RV_SNOWFLAKE_FIXED,        /* exact, precision and scale */
	RV_SNOWFLAKE_REAL,
	RV_SNOWFLAKE_TEXT,
	RV_SNOWFLAKE_BOOLEAN,
	RV_SNOWFLAKE_DATE,         /* days since 1970 */
	RV_SNOWFLAKE_TIME,         /* seconds of the day with a fraction */
	RV_SNOWFLAKE_TIMESTAMP_NTZ,/* seconds since 1970 with a fraction */
	RV_SNOWFLAKE_TIMESTAMP_LTZ,
	RV_SNOWFLAKE_TIMESTAMP_TZ, /* the same, then a blank and minutes east of UTC plus 1440 */
	RV_SNOWFLAKE_BINARY,       /* hexadecimal */
	RV_SNOWFLAKE_VARIANT,      /* JSON: variant, object, array */
	RV_SNOWFLAKE_OTHER,        /* geography, vector, ...: text */
};
struct rv_snowflake_column {
	const char *name;
	enum rv_snowflake_type type;
	unsigned precision, scale;
	bool nullable;
};
/* Some rows of one statement's result; borrowed for the sink's call. */
struct rv_snowflake_page {
	unsigned statement;        /* of several, counted from 0 */
	const struct rv_snowflake_column *columns;
	size_t columns_count;
	/* count * columns_count values in row order, as Snowflake writes them; p NULL: null. Texts end
	 * with NUL, and may hold others. */
	const struct rv_str *values;
	size_t count;
};
/* Called at least once for each statement that has a result, perhaps with no rows. */
typedef enum rv_status rv_snowflake_sink(void *arg, const struct rv_snowflake_page *page,
					 struct rv_error *err);

/* What went wrong where, in one request of several statements. */
struct rv_snowflake_outcome {
	char handle[64];           /* of the statement, or the first of several; "" when unknown */
	unsigned done;             /* statements that are certainly executed */
	bool unknown;              /* the last one may have been executed: nobody heard */
	/* By DML: inserted + updated + deleted. Of several statements only when there is a sink: else
	 * their results are not asked for. */
	uint64_t rows_changed;
};
/* A statement that is still running when the deadline has passed is cancelled; where that is not
 * heard of in time, ret_outcome->unknown. A deadline also limits `timeout_s`.
 *
 * `sink` Optional, `ret_outcome` Optional (filled also on failure). Memory: one partition of a result
 * as it is decoded; nothing is kept of those before. */
enum rv_status rv_snowflake_execute(struct rv_snowflake *snowflake,
				    const struct rv_snowflake_statement *statement,
				    rv_snowflake_sink *sink, void *arg,
				    struct rv_snowflake_outcome *ret_outcome,
				    struct rv_error *err) RV_MUST_CHECK;

/* "NAME" with quotes doubled, for any name: an identifier that means exactly `name`. */
void rv_snowflake_identifier(struct rv_strbuf *out, const char *name);
/* 'text' as a string literal: quotes and backslashes escaped. */
void rv_snowflake_literal(struct rv_strbuf *out, const char *text, size_t len);
/* What Snowflake makes of a name that a user wrote: river -> RIVER, "River" (with its quotes) ->
 * River. Caller frees. RV_BAD_CONFIG when it is neither. */
enum rv_status rv_snowflake_name(const char *written, char **ret, struct rv_error *err) RV_MUST_CHECK;

#endif

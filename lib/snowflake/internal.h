/*
 * What the files of this folder share: the client, one request of it, and what a refusal says.
 */
#ifndef RV_SNOWFLAKE_INTERNAL_H
#define RV_SNOWFLAKE_INTERNAL_H

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/strbuf.h"
#include "format/json_pull.h"
#include "http/http.h"
#include "snowflake/settings.h"
#include "snowflake/sql.h"
#include "snowflake/token.h"

struct rv_snowflake {
	struct rv_http *http;
	struct rv_snowflake_settings *settings;
	struct rv_snowflake_token *token;
	/* As Snowflake stores names; NULL: the connection names none. */
	char *database, *schema, *warehouse, *role;
	_Atomic int64_t clock_offset_ms; /* what their clock is ahead of ours, of the last answer */
	atomic_bool clock_known;
	unsigned max_attempts;     /* of a request that says nothing else; tests lower it */
	void (*note)(const char *fmt, ...) RV_PRINTF(1, 2); /* Optional: rv_snowflake_on_wait */
	int64_t tell_after_ms;     /* of waiting for one statement, and then ever less often; tests lower it */
};

/* ---- requests (client.c) ---- */
struct rv_snowflake_request {
	const char *method;
	const char *path;          /* "/api/v2/statements" */
	const char *query;         /* Optional, encoded */
	/* Optional: in place of `query` for all attempts but the first, whose outcome may be unknown. */
	const char *query_again;
	const char *body;          /* Optional: JSON */
	const int *also_ok;        /* Optional: statuses besides 2xx that are answers; 0 at the end */
	size_t max_body_bytes;
	int64_t deadline_ms;       /* monotonic; 0: none */
	int64_t total_timeout_ms;  /* of one attempt; 0: none */
	unsigned max_attempts;     /* 0: the client's */
};
/* RV_OK: an answer of those asked for. `response` holds the last answer in any case. */
enum rv_status rv_snowflake_send(struct rv_snowflake *snowflake,
				 const struct rv_snowflake_request *request,
				 struct rv_http_response *response,
				 struct rv_http_tally *ret_tally, struct rv_error *err) RV_MUST_CHECK;
#define RV_UUID_TEXT 37
void rv_snowflake_uuid(char *ret);

/* ---- bodies (answer.c) ---- */
/* A small answer as a tree, out of gzip where it is packed; NULL: it is not JSON, or longer than max_bytes
 * (a tree takes a multiple of its text). New reference. */
#define RV_SNOWFLAKE_SMALL_MAX_BYTES ((size_t)1024 * 1024)
json_t *rv_snowflake_json(const struct rv_http_response *response, size_t max_bytes);
/* A large one, to be pulled as it comes out of gzip. `body` and `what` are borrowed until *ret is
 * freed. */
struct rv_snowflake_bytes;
struct rv_json_pull rv_snowflake_pull(struct rv_str body, const char *what,
				      struct rv_snowflake_bytes **ret);
void rv_snowflake_bytes_free_p(struct rv_snowflake_bytes **bytes);

/* ---- refusals (failure.c) ---- */
struct rv_snowflake_failure {
	int http_status;
	char code[32];             /* "390144"; "" when the answer has none */
	char message[700];         /* on one line */
	char handle[64];           /* of the statement, if there is one */
	bool not_snowflake;        /* a web page, or nothing of theirs */
	/* What the statement was to run with, where it was a statement; NULL: none. Set by the caller. */
	bool is_statement;
	const char *role, *database, *warehouse;
};
void rv_snowflake_failure_read(const struct rv_http_response *response,
			       struct rv_snowflake_failure *ret);
/* The same of an answer that was read already. */
void rv_snowflake_failure_of(const json_t *json, int http_status, struct rv_snowflake_failure *ret);
/* Fills err with status, message, codes and hint. */
enum rv_status rv_snowflake_failure_tell(struct rv_snowflake *snowflake,
					 const struct rv_snowflake_failure *failure,
					 struct rv_error *err);
/* Of several statements, how many went well before the one that `failure` is about. */
unsigned rv_snowflake_statements_before(const char *sql, const char *message);

/* ---- results (sql_result.c) ---- */
struct rv_snowflake_reading {
	unsigned statement;        /* given to the sink */
	rv_snowflake_sink *sink;   /* Optional */
	void *arg;
	/* Filled by the first answer: */
	json_t *head;              /* the answer without its rows */
	struct rv_snowflake_column *columns;
	size_t columns_count;
	size_t partitions;         /* at least 1 */
	uint64_t *partition_rows;
	uint64_t rows_seen;
	uint64_t rows_changed;
	bool has_rows;             /* the last answer: there is a list of them, be it empty */
	/* Rows that wait for the sink: */
	struct rv_strbuf texts;
	struct rv_str *values;     /* p is an offset plus 1 until the page is given, NULL: null */
	size_t values_count, values_capacity;
	bool given;                /* the sink was called */
	bool sink_failed;          /* the failure is the sink's own */
};
#define RV_SNOWFLAKE_READING_INIT { .texts = RV_STRBUF_INIT }
/* The answer with the metadata and partition 0. All of these: RV_FAILED, where the answer makes no sense
 * or is less than it promised; and the sink's failures. */
enum rv_status rv_snowflake_read_first(struct rv_snowflake_reading *reading, struct rv_str body,
				       struct rv_error *err) RV_MUST_CHECK;
/* Of partition `number`, from 1: rows alone. */
enum rv_status rv_snowflake_read_partition(struct rv_snowflake_reading *reading, size_t number,
					   struct rv_str body, struct rv_error *err) RV_MUST_CHECK;
/* After the last partition: what is left goes to the sink. */
enum rv_status rv_snowflake_read_end(struct rv_snowflake_reading *reading,
				     struct rv_error *err) RV_MUST_CHECK;
void rv_snowflake_reading_release(struct rv_snowflake_reading *reading);

#endif

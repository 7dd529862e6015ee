/*
 * Snowpipe's three endpoints. Answers hold up to 10,000 events: they are read one at a time, not as a
 * tree. Snowpipe knows no role of a connection: it acts as the user's default one, which is why a
 * missing grant is said with that in mind.
 */
#include "snowflake/snowpipe.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/memory.h"
#include "format/text_copy.h"
#include "snowflake/internal.h"
#include "snowflake/snowpipe_report.h"

#define REPORT_MAX_BYTES ((size_t)64 * 1024 * 1024)
/* It may name each file again, with escapes. */
#define INSERT_ANSWER_MAX_BYTES ((size_t)RV_SNOWPIPE_FILES_MAX * (2 * RV_SNOWPIPE_PATH_MAX_BYTES + 256))
#define PATIENT_ATTEMPTS 100000 /* the deadline ends it before */

/* ---- names and failures ----------------------------------------------------------------------- */

/* "DB"."SCHEMA"."PIPE" */
static void put_name(struct rv_strbuf *out, const struct rv_snowpipe *pipe)
{
	rv_snowflake_identifier(out, pipe->database);
	rv_strbuf_putc(out, '.');
	rv_snowflake_identifier(out, pipe->schema);
	rv_strbuf_putc(out, '.');
	rv_snowflake_identifier(out, pipe->name);
}

static char *path_of(const struct rv_snowpipe *pipe, const char *verb)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf name = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf path = RV_STRBUF_INIT;
	put_name(&name, pipe);
	rv_strbuf_puts(&path, "/v1/data/pipes/");
	rv_http_encode(&path, name.bytes, name.len, false);
	rv_strbuf_printf(&path, "/%s", verb);
	return rv_strbuf_take(&path);
}

static const char *user_of(const struct rv_snowpipe *pipe)
{
	const char *user = rv_snowflake_user(pipe->snowflake);
	return user ? user : "of the token";
}

/* What a refusal means for a pipe; `privilege` is what the request takes. */
static enum rv_status explain(const struct rv_snowpipe *pipe, const char *privilege, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf name = RV_STRBUF_INIT;
	put_name(&name, pipe);
	bool by_policy = strcasestr(err->hint, "network policy") != NULL;
	RV_CLEANUP(rv_free_p) char *said = rv_strdup(err->message);
	struct rv_error was = *err;
	if (strcasestr(said, "paused")) {
		rv_fail(err, RV_CONFLICT, "pipe %s is paused: %s", name.bytes, said);
		rv_hint(err, "ALTER PIPE %s SET PIPE_EXECUTION_PAUSED = FALSE lets it load again", name.bytes);
	} else if (strcasestr(said, "STOPPED_CLONED") || strcasestr(said, "cloned")) {
		rv_fail(err, RV_CONFLICT, "pipe %s was cloned and is stopped: %s", name.bytes, said);
		rv_hint(err, "ALTER PIPE %s SET PIPE_EXECUTION_PAUSED = FALSE, or river stream create, "
			     "starts it", name.bytes);
	} else if (was.http_status == 403 && !by_policy) {
		rv_fail(err, RV_AUTH, "user %s lacks %s on pipe %s: %s", user_of(pipe), privilege,
			name.bytes, said);
		rv_hint(err, "Snowpipe acts as the user's DEFAULT_ROLE, whatever the connection says: GRANT "
			     "OPERATE, MONITOR ON PIPE %s TO ROLE <that role>", name.bytes);
	} else if (was.http_status == 404) {
		rv_fail(err, RV_NOT_FOUND, "there is no pipe %s, or user %s may not see it: %s", name.bytes,
			user_of(pipe), said);
		rv_hint(err, "river stream create makes it; Snowpipe acts as the user's DEFAULT_ROLE, which "
			     "needs USAGE on database and schema, and OPERATE and MONITOR on the pipe");
	} else if (was.http_status == 401 && rv_snowflake_settings(pipe->snowflake)->auth !=
						     RV_SNOWFLAKE_AUTH_KEY) {
		rv_hint(err, "Snowpipe takes key pairs alone: set authenticator = \"SNOWFLAKE_JWT\" and "
			     "private_key_file for this connection");
		return err->status;
	} else {
		return rv_context(err, "pipe %s", name.bytes);
	}
	err->transient = was.transient;
	err->http_status = was.http_status;
	memcpy(err->service_code, was.service_code, sizeof(err->service_code));
	memcpy(err->request_id, was.request_id, sizeof(err->request_id));
	return err->status;
}

/* ---- insertFiles ------------------------------------------------------------------------------ */

static enum rv_status check_paths(const struct rv_snowpipe_file *files, size_t count,
				  struct rv_error *err)
{
	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(files[i].path);
		const char *why = len == 0		      ? "is empty" :
				  files[i].path[0] == '/'     ? "begins with '/'" :
				  len > RV_SNOWPIPE_PATH_MAX_BYTES ? "is longer than 1,024 bytes" :
				  rv_utf8_check(files[i].path, len) < len ? "is not UTF-8" :
								      NULL;
		if (why)
			return rv_fail(err, RV_BAD_DATA, "the path of file %zu %s: '%.100s'", i + 1, why,
				       files[i].path);
	}
	return RV_OK;
}

static void put_files(struct rv_strbuf *out, const struct rv_snowpipe_file *files, size_t count)
{
	rv_strbuf_puts(out, "{\"files\":[");
	for (size_t i = 0; i < count; i++) {
		rv_strbuf_puts(out, i ? ",{\"path\":" : "{\"path\":");
		rv_strbuf_json(out, files[i].path, strlen(files[i].path));
		if (files[i].bytes)
			rv_strbuf_printf(out, ",\"size\":%" PRIu64, files[i].bytes);
		rv_strbuf_putc(out, '}');
	}
	rv_strbuf_puts(out, "]}");
}

/* Lists of files are of names, or of objects with a path. */
static const char *path_in(const json_t *item)
{
	const char *path = json_string_value(item);
	return path ? path : json_string_value(json_object_get(item, "path"));
}

static enum rv_status read_insert(const struct rv_http_response *response,
				  void (*skipped)(void *arg, const char *path), void *arg,
				  struct rv_error *err)
{
	json_t *json = rv_snowflake_json(response, INSERT_ANSWER_MAX_BYTES), *item;
	const char *code = json_string_value(json_object_get(json, "responseCode"));
	const json_t *unmatched = json_object_get(json, "unmatchedPatternFiles");
	enum rv_status status = RV_OK;
	size_t i;
	if (!code || strcmp(code, "SUCCESS") != 0) {
		status = rv_fail(err, RV_FAILED, "Snowpipe answers 200, and not that the files are queued%s%.100s",
				 code ? ": " : "", code ? code : "");
	} else if (json_array_size(unmatched) > 0) {
		const char *first = path_in(json_array_get(unmatched, 0));
		status = rv_fail(err, RV_CONFLICT, "the pipe's pattern leaves out %zu of the files, such as %.200s",
				 json_array_size(unmatched), first ? first : "one without a name");
		rv_hint(err, "river's pipes have no pattern: river stream create puts it right");
	} else if (skipped) {
		json_array_foreach(json_object_get(json, "skippedFiles"), i, item) {
			const char *path = path_in(item);
			if (path)
				skipped(arg, path);
		}
	}
	json_decref(json);
	return status;
}

enum rv_status rv_snowpipe_insert(const struct rv_snowpipe *pipe, const struct rv_snowpipe_file *files,
				  size_t count, size_t *ret_sent,
				  void (*skipped)(void *arg, const char *path), void *arg,
				  struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *path = path_of(pipe, "insertFiles");
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf body = RV_STRBUF_INIT;
	RV_CLEANUP(rv_http_response_release) struct rv_http_response response = RV_HTTP_RESPONSE_INIT;
	*ret_sent = 0;
	if (check_paths(files, count, err) != RV_OK)
		return err->status;
	for (size_t from = 0, n; from < count; from += n) {
		char id[RV_UUID_TEXT], query[80];
		n = count - from < RV_SNOWPIPE_FILES_MAX ? count - from : RV_SNOWPIPE_FILES_MAX;
		rv_snowflake_uuid(id);
		snprintf(query, sizeof(query), "requestId=%s&showSkippedFiles=true", id);
		rv_strbuf_clear(&body);
		put_files(&body, files + from, n);
		const struct rv_snowflake_request request = {
			.method = "POST",
			.path = path,
			.query = query,
			.body = body.bytes,
			.max_body_bytes = INSERT_ANSWER_MAX_BYTES,
		};
		if (rv_snowflake_send(pipe->snowflake, &request, &response, NULL, err) != RV_OK)
			return explain(pipe, "OPERATE", err);
		if (read_insert(&response, skipped, arg, err) != RV_OK)
			return explain(pipe, "OPERATE", err);
		*ret_sent = from + n;
	}
	return RV_OK;
}

/* ---- reports ---------------------------------------------------------------------------------- */

static enum rv_status ask(const struct rv_snowpipe *pipe, const char *verb, const char *query,
			  int64_t deadline_ms, struct rv_http_response *response, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *path = path_of(pipe, verb);
	const struct rv_snowflake_request request = {
		.method = "GET",
		.path = path,
		.query = query,
		.max_body_bytes = REPORT_MAX_BYTES,
		.deadline_ms = deadline_ms,
		.max_attempts = deadline_ms ? PATIENT_ATTEMPTS : 0,
	};
	if (rv_snowflake_send(pipe->snowflake, &request, response, NULL, err) != RV_OK)
		return explain(pipe, "MONITOR", err);
	return RV_OK;
}

static struct rv_str body_of(const struct rv_http_response *response)
{
	return (struct rv_str){ response->body.bytes, response->body.len };
}

enum rv_status rv_snowpipe_recent(const struct rv_snowpipe *pipe, char *mark, size_t mark_size,
				  bool *ret_complete, rv_snowpipe_each *each, void *arg,
				  struct rv_error *err)
{
	RV_CLEANUP(rv_http_response_release) struct rv_http_response response = RV_HTTP_RESPONSE_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf query = RV_STRBUF_INIT;
	struct rv_snowpipe_summary report;
	char id[RV_UUID_TEXT];
	rv_snowflake_uuid(id);
	rv_strbuf_printf(&query, "requestId=%s", id);
	if (*mark) {
		rv_strbuf_puts(&query, "&beginMark=");
		rv_http_encode(&query, mark, strlen(mark), false);
	}
	if (ask(pipe, "insertReport", query.bytes, 0, &response, err) != RV_OK ||
	    rv_snowpipe_read_report(body_of(&response), each, arg, &report, err) != RV_OK)
		return err->status;
	if (*report.mark && strlen(report.mark) < mark_size)
		memcpy(mark, report.mark, strlen(report.mark) + 1);
	*ret_complete = report.complete;
	return RV_OK;
}

enum rv_status rv_snowpipe_history(const struct rv_snowpipe *pipe, int64_t from_ms, int64_t to_ms,
				   int64_t deadline_ms, rv_snowpipe_each *each, void *arg,
				   struct rv_error *err)
{
	RV_CLEANUP(rv_http_response_release) struct rv_http_response response = RV_HTTP_RESPONSE_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf query = RV_STRBUF_INIT;
	struct rv_snowpipe_summary report;
	char from[64], to[RV_TIME_TEXT];
	int64_t reached_ms = from_ms, next_ms;
	rv_format_time(from_ms, from);
	rv_format_time(to_ms, to);
	for (;;) {
		char id[RV_UUID_TEXT];
		rv_snowflake_uuid(id);
		rv_strbuf_clear(&query);
		rv_strbuf_puts(&query, "startTimeInclusive=");
		rv_http_encode(&query, from, strlen(from), false);
		rv_strbuf_puts(&query, "&endTimeExclusive=");
		rv_http_encode(&query, to, strlen(to), false);
		rv_strbuf_printf(&query, "&requestId=%s", id);
		if (ask(pipe, "loadHistoryScan", query.bytes, deadline_ms, &response, err) != RV_OK ||
		    rv_snowpipe_read_report(body_of(&response), each, arg, &report, err) != RV_OK)
			return err->status;
		if (report.complete)
			return RV_OK;
		/* Where it does not say how far it came, or did not come further, it would never end. */
		if (!rv_parse_time(report.range_end, strlen(report.range_end), &next_ms) ||
		    next_ms <= reached_ms)
			return rv_fail(err, RV_FAILED, "Snowpipe's history is not complete, and does not go "
				       "on after %s", from);
		if (next_ms >= to_ms)
			return RV_OK;
		/* Nor where it comes further by a millisecond each time. */
		if (deadline_ms && rv_clock_monotonic_ms() >= deadline_ms) {
			rv_fail(err, RV_FAILED, "Snowpipe's history did not come to its end in time, only as far as %s",
				report.range_end);
			err->transient = true;
			return err->status;
		}
		reached_ms = next_ms;
		memcpy(from, report.range_end, sizeof(from));
	}
}

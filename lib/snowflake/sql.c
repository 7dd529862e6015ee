/*
 * Statements: sent under an id, polled for while they run, cancelled when nobody waits any more, and
 * their results fetched partition by partition.
 */
#include "snowflake/sql.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/number.h"
#include "format/json_text.h"
#include "snowflake/internal.h"

#define STATEMENTS_PATH "/api/v2/statements"
/* A partition as it comes, packed as a rule. The parameter below asks for less. */
#define ANSWER_MAX_BYTES ((size_t)192 * 1024 * 1024)
#define PARTITION_MB "48"
#define POLL_FIRST_MS 50
#define POLL_FIRST_ASYNC_MS 10
#define POLL_MAX_MS 5000
#define POLL_LIMITED_MS 1000
#define POLL_LIMITED_MAX_S 60
#define CANCEL_TIMEOUT_MS 5000

struct execution {
	struct rv_snowflake *snowflake;
	const struct rv_snowflake_statement *statement;
	rv_snowflake_sink *sink;
	void *arg;
	struct rv_snowflake_outcome outcome;
	struct rv_http_response response; /* the last */
	int64_t begun_ms, tell_ms;        /* monotonic */
};

static bool is_several(const struct execution *x)
{
	return x->statement->count > 1;
}

/* ---- the request ------------------------------------------------------------------------------ */

/* What the statement says goes before the connection; "" is none. */
static const char *chosen(const char *given, const char *otherwise)
{
	const char *name = given ? given : otherwise;
	return name && *name ? name : NULL;
}

static void put_name(json_t *body, const char *key, const char *given, const char *otherwise)
{
	if (chosen(given, otherwise))
		json_object_set_new(body, key, json_string(chosen(given, otherwise)));
}

static void put_bindings(json_t *body, const struct rv_snowflake_statement *statement)
{
	json_t *bindings = json_object();
	for (size_t i = 0; i < statement->bindings_count; i++) {
		char number[24];
		const struct rv_snowflake_binding *binding = &statement->bindings[i];
		snprintf(number, sizeof(number), "%zu", i + 1);
		json_object_set_new(bindings, number,
				    json_pack("{s:s, s:s?}", "type", binding->type, "value",
					      binding->value));
	}
	json_object_set_new(body, "bindings", bindings);
}

/* Seconds that Snowflake may take, 0: as long as it likes. */
static int64_t timeout_s(const struct rv_snowflake_statement *statement)
{
	int64_t limit = statement->timeout_s;
	if (statement->deadline_ms) {
		int64_t left = (statement->deadline_ms - rv_clock_monotonic_ms() + 999) / 1000;
		if (left < 1)
			left = 1;
		if (limit <= 0 || left < limit)
			limit = left;
	}
	return limit;
}

/* Output formats are left as they are: the API's own are numbers, whatever the account's say. */
static enum rv_status make_body(const struct execution *x, struct rv_strbuf *ret, struct rv_error *err)
{
	const struct rv_snowflake *snowflake = x->snowflake;
	const struct rv_snowflake_statement *statement = x->statement;
	json_t *sql = json_string(statement->sql);
	if (!sql)
		return rv_fail(err, RV_USAGE, "the statement is not text in UTF-8");
	json_t *body = json_pack("{s:o}", "statement", sql);
	json_t *parameters = json_pack("{s:s, s:s}", "TIMEZONE", "UTC", "CLIENT_RESULT_CHUNK_SIZE",
				       PARTITION_MB);
	int64_t limit_s = timeout_s(statement);
	if (limit_s > 0)
		json_object_set_new(body, "timeout", json_integer(limit_s));
	put_name(body, "database", statement->database, snowflake->database);
	put_name(body, "schema", statement->schema, statement->database ? NULL : snowflake->schema);
	put_name(body, "warehouse", statement->warehouse, snowflake->warehouse);
	put_name(body, "role", statement->role, snowflake->role);
	if (statement->bindings_count)
		put_bindings(body, statement);
	if (is_several(x)) {
		char count[24];
		snprintf(count, sizeof(count), "%u", statement->count);
		json_object_set_new(parameters, "MULTI_STATEMENT_COUNT", json_string(count));
	}
	if (statement->query_tag)
		json_object_set_new(parameters, "QUERY_TAG", json_string(statement->query_tag));
	json_object_set_new(body, "parameters", parameters);
	rv_json_dump(ret, body);
	json_decref(body);
	return RV_OK;
}

/* ---- answers ---------------------------------------------------------------------------------- */

static void take_handle(struct execution *x, const char *handle)
{
	/* It goes into a path. */
	if (handle && *handle && strlen(handle) < sizeof(x->outcome.handle) &&
	    strspn(handle, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") ==
		    strlen(handle))
		memcpy(x->outcome.handle, handle, strlen(handle) + 1);
}

static enum rv_status tell(const struct execution *x, struct rv_snowflake_failure *failure,
			   struct rv_error *err)
{
	failure->is_statement = true;
	failure->role = chosen(x->statement->role, x->snowflake->role);
	failure->database = chosen(x->statement->database, x->snowflake->database);
	failure->warehouse = chosen(x->statement->warehouse, x->snowflake->warehouse);
	return rv_snowflake_failure_tell(x->snowflake, failure, err);
}

/* A refusal without a word of Snowflake's is a gateway's, and another success says nothing of an end. */
static bool is_last_word(const struct rv_snowflake_failure *failure)
{
	return *failure->code && failure->http_status / 100 == 4;
}

static enum rv_status fail_by_answer(struct execution *x, struct rv_error *err)
{
	struct rv_snowflake_failure failure;
	rv_snowflake_failure_read(&x->response, &failure);
	take_handle(x, failure.handle);
	if (is_several(x))
		x->outcome.done = rv_snowflake_statements_before(x->statement->sql, failure.message);
	x->outcome.unknown = !is_last_word(&failure);
	return tell(x, &failure, err);
}

/* The handle in a 202 (or a 429 about a statement that runs); false: none. */
static bool is_running(struct execution *x)
{
	json_t *json = rv_snowflake_json(&x->response, RV_SNOWFLAKE_SMALL_MAX_BYTES);
	const char *code = json_string_value(json_object_get(json, "code"));
	bool running = x->response.status == 202 || (code && strcmp(code, "333334") == 0);
	take_handle(x, json_string_value(json_object_get(json, "statementHandle")));
	json_decref(json);
	return running && *x->outcome.handle;
}

/* ---- waiting ---------------------------------------------------------------------------------- */

static enum rv_status get(struct execution *x, const char *handle, const char *query,
			  const int *also_ok, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *path = rv_asprintf(STATEMENTS_PATH "/%s", handle);
	const struct rv_snowflake_request request = {
		.method = "GET",
		.path = path,
		.query = query,
		.also_ok = also_ok,
		.max_body_bytes = ANSWER_MAX_BYTES,
		.deadline_ms = x->statement->deadline_ms,
	};
	return rv_snowflake_send(x->snowflake, &request, &x->response, NULL, err);
}

static const int poll_answers[] = { 408, 422, 429, 0 };

/*
 * Nobody waits any more. Whether it is in time says one more look: a statement that has ended has its
 * result, and that is taken. RV_OK: `response` has the answer.
 */
static enum rv_status cancel(struct execution *x, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *path = rv_asprintf(STATEMENTS_PATH "/%s/cancel", x->outcome.handle);
	RV_CLEANUP(rv_free_p) char *status_path = rv_asprintf(STATEMENTS_PATH "/%s", x->outcome.handle);
	static const int answers[] = { 422, 0 };
	struct rv_error ignored = RV_ERROR_INIT;
	struct rv_snowflake_request request = {
		.method = "POST",
		.path = path,
		.also_ok = answers,
		.max_attempts = 2,
		.total_timeout_ms = CANCEL_TIMEOUT_MS,
	};
	bool asked = rv_snowflake_send(x->snowflake, &request, &x->response, NULL, &ignored) == RV_OK;
	request = (struct rv_snowflake_request){
		.method = "GET",
		.path = status_path,
		.also_ok = poll_answers,
		.max_body_bytes = ANSWER_MAX_BYTES,
		.max_attempts = 2,
		.total_timeout_ms = CANCEL_TIMEOUT_MS,
	};
	enum rv_status looked = rv_snowflake_send(x->snowflake, &request, &x->response, NULL, &ignored);
	if (looked == RV_OK && x->response.status == 200)
		return RV_OK;
	x->outcome.unknown = true;
	if (looked == RV_OK && (x->response.status == 422 || x->response.status == 408)) {
		struct rv_snowflake_failure failure;
		rv_snowflake_failure_read(&x->response, &failure);
		x->outcome.unknown = !is_last_word(&failure);
	}
	size_t len = strlen(err->message);
	snprintf(err->message + len, sizeof(err->message) - len, "%s",
		 !x->outcome.unknown ? ": the statement was cancelled" :
		 asked		     ? ": the statement is being cancelled" :
				       ": the statement may go on");
	snprintf(err->request_id, sizeof(err->request_id), "%s", x->outcome.handle);
	return err->status;
}

/* Too many questions: a second, or what is asked for. */
static int64_t pause_asked_for(const struct rv_http_response *response, int64_t pause_ms)
{
	const char *text = rv_http_headers_get(&response->headers, "Retry-After");
	uint64_t seconds = 0;
	if (pause_ms < POLL_LIMITED_MS)
		pause_ms = POLL_LIMITED_MS;
	if (text && rv_parse_u64(text, strlen(text), &seconds) && seconds <= POLL_LIMITED_MAX_S &&
	    (int64_t)seconds * 1000 > pause_ms)
		pause_ms = (int64_t)seconds * 1000;
	return pause_ms;
}

/* Snowflake may say for days that it runs: who waits for it wants to know for what. */
static void tell_wait(struct execution *x)
{
	int64_t waited_ms = rv_clock_monotonic_ms() - x->begun_ms;
	char text[RV_NUMBER_TEXT];
	if (!x->snowflake->note || waited_ms < x->tell_ms)
		return;
	x->tell_ms = 2 * waited_ms;
	x->snowflake->note("Snowflake has been at a statement for %s, and is waited for (query %s)",
			   rv_format_duration(waited_ms / 1000 * 1000, text), x->outcome.handle);
}

static enum rv_status poll_until_done(struct execution *x, struct rv_error *err)
{
	int64_t deadline_ms = x->statement->deadline_ms;
	/* Without async it has run for 45 s already; with it, most are done in no time. */
	int64_t pause_ms = x->statement->async ? POLL_FIRST_ASYNC_MS : POLL_FIRST_MS;
	while (x->response.status != 200) {
		int64_t now_ms = rv_clock_monotonic_ms(), wait_ms = pause_ms;
		if (deadline_ms && now_ms >= deadline_ms) {
			rv_fail(err, RV_FAILED, "the time for it is over");
			err->transient = true;
			return cancel(x, err);
		}
		tell_wait(x);
		if (deadline_ms && wait_ms > deadline_ms - now_ms)
			wait_ms = deadline_ms - now_ms;
		if (rv_http_wait(x->snowflake->http, wait_ms, err) != RV_OK)
			return cancel(x, err);
		if (deadline_ms && rv_clock_monotonic_ms() >= deadline_ms)
			continue;
		x->outcome.unknown = true;
		if (get(x, x->outcome.handle, NULL, poll_answers, err) != RV_OK) {
			if (err->http_status / 100 == 4)
				return err->status;
			/* It runs on, or has ended: where there is time no more, it is cancelled. */
			if (deadline_ms && rv_clock_monotonic_ms() >= deadline_ms)
				continue;
			return err->status;
		}
		x->outcome.unknown = false;
		if (x->response.status == 200)
			break;
		if (!is_running(x)) {
			if (x->response.status == 429) {
				/* Too many questions, which says nothing about the statement. */
			} else if (x->response.status == 202) {
				return rv_fail(err, RV_FAILED, "the answer names no statement");
			} else {
				return fail_by_answer(x, err);
			}
		}
		pause_ms = pause_ms * 3 / 2 < POLL_MAX_MS ? pause_ms * 3 / 2 : POLL_MAX_MS;
		if (x->response.status == 429)
			pause_ms = pause_asked_for(&x->response, pause_ms);
	}
	return RV_OK;
}

/* ---- results ---------------------------------------------------------------------------------- */

static enum rv_status check_complete(struct execution *x, const json_t *head, struct rv_error *err)
{
	struct rv_snowflake_failure failure;
	rv_snowflake_failure_of(head, 200, &failure);
	if (strcmp(failure.code, "391908") != 0)
		return RV_OK;
	if (!*failure.message)
		snprintf(failure.message, sizeof(failure.message),
			 "the result is too large and was cut off");
	return tell(x, &failure, err);
}

static struct rv_str body_of(const struct execution *x)
{
	return (struct rv_str){ x->response.body.bytes, x->response.body.len };
}

/* An answer that makes no sense, if that is why it failed. */
static enum rv_status explain(const struct execution *x, const struct rv_snowflake_reading *reading,
			      struct rv_error *err)
{
	if (!reading->sink_failed && !err->hint[0])
		rv_hint(err, "what answers at %s may not be Snowflake, or something in between cuts answers "
			     "short", x->snowflake->settings->host);
	return err->status;
}

/* The answer in `response`, and the partitions after it. `handle`: whose they are. */
static enum rv_status read_result(struct execution *x, struct rv_snowflake_reading *reading,
				  const char *handle, struct rv_error *err)
{
	if (rv_snowflake_read_first(reading, body_of(x), err) != RV_OK)
		return explain(x, reading, err);
	if (check_complete(x, reading->head, err) != RV_OK)
		return err->status;
	if (!handle) {
		take_handle(x, json_string_value(json_object_get(reading->head, "statementHandle")));
		handle = x->outcome.handle;
	}
	if (reading->partitions > 1 && !*handle)
		return rv_fail(err, RV_FAILED, "the answer names no statement");
	for (size_t i = 1; i < reading->partitions; i++) {
		char query[40];
		snprintf(query, sizeof(query), "partition=%zu", i);
		if (get(x, handle, query, NULL, err) != RV_OK ||
		    (rv_snowflake_read_partition(reading, i, body_of(x), err) != RV_OK &&
		     explain(x, reading, err) != RV_OK))
			return rv_context(err, "partition %zu of %zu of the result", i + 1,
					  reading->partitions);
		/* What was large once need not stay so. */
		rv_strbuf_release(&x->response.body);
	}
	return rv_snowflake_read_end(reading, err) == RV_OK ? RV_OK : explain(x, reading, err);
}

static enum rv_status read_one(struct execution *x, struct rv_error *err)
{
	RV_CLEANUP(rv_snowflake_reading_release)
	struct rv_snowflake_reading reading = RV_SNOWFLAKE_READING_INIT;
	reading.sink = x->sink;
	reading.arg = x->arg;
	enum rv_status status = read_result(x, &reading, NULL, err);
	x->outcome.rows_changed = reading.rows_changed;
	return status;
}

/* The result of each of several statements, by its handle. */
static enum rv_status read_several(struct execution *x, struct rv_error *err)
{
	static const int answers[] = { 408, 422, 0 };
	RV_CLEANUP(rv_snowflake_reading_release)
	struct rv_snowflake_reading whole = RV_SNOWFLAKE_READING_INIT;
	if (rv_snowflake_read_first(&whole, body_of(x), err) != RV_OK)
		return explain(x, &whole, err);
	take_handle(x, json_string_value(json_object_get(whole.head, "statementHandle")));
	const json_t *handles = json_object_get(whole.head, "statementHandles");
	if (json_array_size(handles) != x->statement->count)
		return rv_fail(err, RV_FAILED, "the answer has results of %zu statements, and there were %u",
			       json_array_size(handles), x->statement->count);
	for (unsigned i = 0; x->sink && i < x->statement->count; i++) {
		RV_CLEANUP(rv_snowflake_reading_release)
		struct rv_snowflake_reading reading = RV_SNOWFLAKE_READING_INIT;
		const char *handle = json_string_value(json_array_get(handles, i));
		char kept[sizeof(x->outcome.handle)];
		memcpy(kept, x->outcome.handle, sizeof(kept));
		x->outcome.handle[0] = '\0';
		take_handle(x, handle);
		char checked[sizeof(x->outcome.handle)];
		memcpy(checked, x->outcome.handle, sizeof(checked));
		memcpy(x->outcome.handle, kept, sizeof(kept));
		if (!*checked)
			return rv_fail(err, RV_FAILED, "the answer names no statement");
		/* The rows of one would be taken for those of another. */
		for (unsigned k = 0; k < i; k++)
			if (json_equal(json_array_get(handles, i), json_array_get(handles, k)))
				return rv_fail(err, RV_FAILED, "the answer names one statement twice");
		reading.sink = x->sink;
		reading.arg = x->arg;
		reading.statement = i;
		if (get(x, checked, NULL, answers, err) != RV_OK)
			return rv_context(err, "the result of statement %u", i + 1);
		if (x->response.status != 200) {
			struct rv_snowflake_failure failure;
			rv_snowflake_failure_read(&x->response, &failure);
			return tell(x, &failure, err);
		}
		if (read_result(x, &reading, checked, err) != RV_OK)
			return err->status;
		x->outcome.rows_changed += reading.rows_changed;
	}
	return RV_OK;
}

/* ---- the whole -------------------------------------------------------------------------------- */

static enum rv_status submit(struct execution *x, struct rv_error *err)
{
	static const int answers[] = { 408, 422, 0 };
	const struct rv_snowflake_statement *statement = x->statement;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf body = RV_STRBUF_INIT;
	char id[RV_UUID_TEXT] = "";
	if (!statement->request_id)
		rv_snowflake_uuid(id);
	const char *async = statement->async ? "&async=true" : "";
	RV_CLEANUP(rv_free_p) char *again = rv_asprintf(
		"requestId=%s&retry=true%s", statement->request_id ? statement->request_id : id, async);
	RV_CLEANUP(rv_free_p) char *first = rv_asprintf("requestId=%s%s", id, async);
	if (make_body(x, &body, err) != RV_OK)
		return err->status;
	int64_t left_ms = statement->deadline_ms ? statement->deadline_ms - rv_clock_monotonic_ms() : 0;
	const struct rv_snowflake_request request = {
		.method = "POST",
		.path = STATEMENTS_PATH,
		/* Somebody else may have sent it before us. */
		.query = statement->request_id ? again : first,
		.query_again = again,
		.body = body.bytes,
		.also_ok = answers,
		.max_body_bytes = ANSWER_MAX_BYTES,
		.deadline_ms = statement->deadline_ms,
		/* Snowflake's own limit ends it at that time; its answer gets a little more. */
		.total_timeout_ms = left_ms > 0 ? left_ms + 2000 : 0,
	};
	struct rv_http_tally tally = { 0 };
	if (rv_snowflake_send(x->snowflake, &request, &x->response, &tally, err) != RV_OK) {
		/* A gateway's 5xx says nothing about who is behind it. */
		x->outcome.unknown = tally.unknown > 0 || err->http_status >= 500;
		return err->status;
	}
	if (x->response.status == 202 && !is_running(x)) {
		x->outcome.unknown = true;
		return rv_fail(err, RV_FAILED, "the answer names no statement");
	}
	if (x->response.status == 202)
		return poll_until_done(x, err);
	return x->response.status == 200 ? RV_OK : fail_by_answer(x, err);
}

static enum rv_status execute(struct execution *x, struct rv_error *err)
{
	if (submit(x, err) != RV_OK)
		return err->status;
	/* Whatever becomes of its result, it is executed. */
	x->outcome.done = x->statement->count > 1 ? x->statement->count : 1;
	return is_several(x) ? read_several(x, err) : read_one(x, err);
}

enum rv_status rv_snowflake_execute(struct rv_snowflake *snowflake,
				    const struct rv_snowflake_statement *statement,
				    rv_snowflake_sink *sink, void *arg,
				    struct rv_snowflake_outcome *ret_outcome, struct rv_error *err)
{
	struct execution x = {
		.snowflake = snowflake,
		.statement = statement,
		.sink = sink,
		.arg = arg,
		.response = RV_HTTP_RESPONSE_INIT,
		.begun_ms = rv_clock_monotonic_ms(),
		.tell_ms = snowflake->tell_after_ms,
	};
	enum rv_status status = execute(&x, err);
	rv_http_response_release(&x.response);
	if (ret_outcome)
		*ret_outcome = x.outcome;
	return status;
}

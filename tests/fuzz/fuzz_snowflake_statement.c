/*
 * Any bytes as what Snowflake answers to a statement, or to two in one request: at once, behind polls, in partitions,
 * with handles and counts that change between the answers, and after nobody waits any more. What the sink is given is
 * what jansson reads of the answers, one after the other: all that was promised, nothing twice; partitions are asked
 * for in their order, of the statement that the answer names; nothing counts as executed that no answer says, and what
 * may be executed is not told to be known.
 *
 * The first byte says how it is asked. The rest is answers (answers.h).
 */
#include "fuzz.h"

#include <jansson.h>

#include "answers.h"
#include "snowflake/internal.h"

#define STATEMENTS "/api/v2/statements"

static struct rv_snowflake *snowflake;

/* What was heard, read here once more. */
static struct {
	unsigned count;           /* of statements */
	char query[128];          /* of the first submission, without "retry" */
	struct rv_strbuf known;   /* the handles that answers named, each between blanks */
	char named[64];           /* the one that is to be asked */
	bool accepted;            /* 202 */
	bool executed;            /* 200 */
	bool ended;               /* the last look says that it has */
	bool refused;             /* the submission, in Snowflake's words */
	/* of the result that is being read */
	json_t *meta;
	char of[64];              /* whose partitions are asked for */
	size_t partitions, rows;
	unsigned results;
	bool spelled;             /* all of it can be read here as well */
	bool unread;              /* an answer can not be read here at all: nothing is compared any more */
	bool rowless;             /* a partition has no list of rows */
	bool doubled;             /* one of several is named twice */
	struct rv_strbuf wanted, told;
} heard;

/* ---- rows ---- */

static void put_value(struct rv_strbuf *out, const char *p, size_t len)
{
	if (!p)
		rv_strbuf_puts(out, "null,");
	else
		rv_strbuf_printf(out, "%zu:", len);
	rv_strbuf_add(out, p ? p : "", p ? len : 0);
}

static void hear_value(const json_t *value)
{
	char number[32];

	if (json_is_real(value)) {
		heard.spelled = false;
	} else if (json_is_integer(value)) {
		/* "-0" has two spellings */
		heard.spelled &= json_integer_value(value) != 0;
		snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(value));
		put_value(&heard.wanted, number, strlen(number));
	} else if (json_is_boolean(value)) {
		put_value(&heard.wanted, json_is_true(value) ? "true" : "false", json_is_true(value) ? 4 : 5);
	} else {
		put_value(&heard.wanted, json_string_value(value), json_string_length(value));
	}
}

static void hear_rows(const json_t *json, size_t partition)
{
	const json_t *data = json_object_get(json, "data"), *row, *value;
	const json_t *part = json_array_get(json_object_get(heard.meta, "partitionInfo"), partition);
	const json_t *promised = json_object_get(part, "rowCount");
	size_t i, k;

	json_array_foreach(data, i, row) {
		json_array_foreach(row, k, value)
			hear_value(value);
		if (json_array_size(row))
			rv_strbuf_putc(&heard.wanted, '\n');
	}
	/* what is not so is refused, and then nothing comes of it */
	if (json_is_integer(promised) && json_integer_value(promised) > 0 &&
	    (uint64_t)json_integer_value(promised) != json_array_size(data))
		heard.spelled = false;
	heard.rows += json_array_size(data);
}

static enum rv_status tell(void *arg RV_UNUSED, const struct rv_snowflake_page *page, struct rv_error *err RV_UNUSED)
{
	const json_t *types = json_object_get(heard.meta, "rowType");

	if (heard.unread)
		return RV_OK;
	CHECK(page->statement < heard.count && heard.executed);
	CHECK(!heard.spelled || page->columns_count == json_array_size(types));
	for (size_t i = 0; i < page->columns_count && heard.spelled; i++)
		CHECK(strcmp(page->columns[i].name,
			     json_string_value(json_object_get(json_array_get(types, i), "name"))) == 0);
	for (size_t i = 0; i < page->count * page->columns_count; i++) {
		put_value(&heard.told, page->values[i].p, page->values[i].len);
		if ((i + 1) % page->columns_count == 0)
			rv_strbuf_putc(&heard.told, '\n');
	}
	return RV_OK;
}

/* All of the result before has come. */
static void check_whole(void)
{
	const json_t *promised = json_object_get(heard.meta, "numRows");
	size_t parts = json_array_size(json_object_get(heard.meta, "partitionInfo"));

	if (!heard.spelled || !heard.meta)
		return;
	CHECK(heard.partitions == (parts ? parts : 1));
	if (json_is_integer(promised))
		CHECK((uint64_t)(json_integer_value(promised) > 0 ? json_integer_value(promised) : 0) == heard.rows);
}

/* ---- answers ---- */

static bool is_handle(const char *text)
{
	return text && *text && strlen(text) < sizeof(heard.named) &&
	       strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == strlen(text);
}

static void know(const json_t *handle)
{
	if (is_handle(json_string_value(handle)))
		rv_strbuf_printf(&heard.known, " %s ", json_string_value(handle));
}

static void hear_result(const json_t *json, const char *of)
{
	const json_t *handle = json_object_get(json, "statementHandle");

	check_whole();
	json_decref(heard.meta);
	heard.meta = json_incref(json_object_get(json, "resultSetMetaData"));
	/* of several statements the one for all has no rows of its own that count, and none other has a handle */
	snprintf(heard.of, sizeof(heard.of), "%s",
		 heard.count == 1 && is_handle(json_string_value(handle)) ? json_string_value(handle) : of);
	heard.partitions = 1;
	heard.rows = 0;
	heard.results++;
	hear_rows(json, 0);
}

/* The whole of several: how many there are and how they are named. */
static void hear_several(const json_t *json)
{
	const json_t *handles = json_object_get(json, "statementHandles"), *handle;
	size_t i;

	json_array_foreach(handles, i, handle) {
		know(handle);
		for (size_t k = 0; k < i; k++)
			heard.doubled |= json_equal(handle, json_array_get(handles, k));
	}
}

static void hear_partition(const struct rv_http_response *response, const json_t *json, size_t number)
{
	if (response->status / 100 != 2)
		return;
	CHECK(heard.executed && number == heard.partitions);
	heard.partitions++;
	if (json_is_array(json_object_get(json, "data")))
		hear_rows(json, number);
	else
		heard.rowless = true;
}

/* "/HANDLE?partition=N", "/HANDLE/cancel" */
static void hear_look(const struct rv_http_request *request, const struct rv_http_response *response,
		      const json_t *json, const char *path)
{
	const char *code = json_string_value(json_object_get(json, "code"));
	RV_CLEANUP(rv_free_p) char *handle = rv_strndup(path, strcspn(path, "/?"));
	RV_CLEANUP(rv_free_p) char *between = rv_asprintf(" %s ", handle);
	const char *partition = strstr(path, "?partition=");

	CHECK(is_handle(handle) && strstr(heard.known.bytes, between));
	if (partition) {
		CHECK(strcmp(request->method, "GET") == 0 && strcmp(handle, heard.of) == 0);
		hear_partition(response, json, strtoull(partition + 11, NULL, 10));
		return;
	}
	if (strcmp(request->method, "POST") == 0) {
		CHECK(strcmp(path + strlen(handle), "/cancel") == 0 && !heard.executed);
		return;
	}
	if (heard.executed && heard.count == 1)
		CHECK(!"a statement that has ended is asked for once more");
	if (heard.executed) {
		if (response->status == 200 && json)
			hear_result(json, handle);
		return;
	}
	CHECK(strcmp(handle, heard.named) == 0);
	heard.ended = (response->status == 422 || response->status == 408) && code && *code;
	if (is_handle(json_string_value(json_object_get(json, "statementHandle"))) && response->status / 100 != 5) {
		know(json_object_get(json, "statementHandle"));
		snprintf(heard.named, sizeof(heard.named), "%s",
			 json_string_value(json_object_get(json, "statementHandle")));
	}
	heard.executed = response->status == 200;
	if (response->status == 200 && json && heard.count == 1)
		hear_result(json, handle);
	else if (response->status == 200 && json)
		hear_several(json);
}

static void hear_submission(const struct rv_http_request *request, const struct rv_http_response *response,
			    const json_t *json, const char *query)
{
	const char *code = json_string_value(json_object_get(json, "code"));

	CHECK(strcmp(request->method, "POST") == 0 && !heard.accepted && !heard.executed);
	CHECK(strncmp(query, "?requestId=", 11) == 0 && strlen(query) >= 11 + 36);
	if (heard.query[0])
		CHECK(strncmp(query, heard.query, 11 + 36) == 0 && strstr(query, "&retry=true"));
	snprintf(heard.query, sizeof(heard.query), "%s", query);
	if (response->status / 100 == 2) {
		know(json_object_get(json, "statementHandle"));
		snprintf(heard.named, sizeof(heard.named), "%s",
			 is_handle(json_string_value(json_object_get(json, "statementHandle"))) ?
				 json_string_value(json_object_get(json, "statementHandle")) : "");
	}
	heard.accepted = response->status == 202;
	heard.executed = response->status == 200 && json;
	heard.refused = response->status / 100 == 4 && code && *code;
	if (heard.executed && heard.count == 1)
		hear_result(json, heard.named);
	else if (heard.executed)
		hear_several(json);
}

static void hear(const struct rv_http_request *request, const struct rv_http_response *response)
{
	const char *path = strstr(request->url, STATEMENTS);
	const struct rv_strbuf *body = &response->body;
	bool theirs = body->bytes[strspn(body->bytes, " \t\r\n")] == '{' ||
		      (body->len > 2 && memcmp(body->bytes, "\x1f\x8b", 2) == 0);

	if (heard.unread)
		return;
	/* a portal's: asked for once more */
	if (response->status / 100 == 2 && !theirs)
		return;
	json_t *json = json_loadb(body->bytes, body->len, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);

	/* Names that stand there twice, and what one reader refuses that another passes over, are not compared. */
	heard.spelled &= json || response->status / 100 != 2;
	if (!json)
		json = json_loadb(body->bytes, body->len, JSON_ALLOW_NUL, NULL);
	/* River looks at a scalar that it passes over no closer than it takes to find its end. */
	heard.unread |= !json && theirs && response->status / 100 == 2 && *body->bytes != '\x1f';
	if (heard.unread)
		return;
	if (!json && theirs)
		json = json_object();
	CHECK(path);
	path += strlen(STATEMENTS);
	if (*path == '/')
		hear_look(request, response, json, path + 1);
	else
		hear_submission(request, response, json, path);
	json_decref(json);
}

/* ---- the whole ---- */

static void check_failure(const struct rv_snowflake_outcome *outcome, enum rv_status status, const struct rv_error *err)
{
	CHECK(status == err->status && err->message[0]);
	CHECK(memchr(err->message, '\0', sizeof(err->message)) && memchr(err->hint, '\0', sizeof(err->hint)));
	if (!outcome->unknown && heard.accepted)
		CHECK(heard.executed || heard.ended);
	if (!outcome->unknown && script.unheard && !heard.accepted)
		CHECK(heard.executed || heard.refused);
}

static void run(unsigned how)
{
	const struct rv_snowflake_statement statement = {
		.sql = heard.count == 1 ? "SELECT 1" : "INSERT INTO t SELECT 1;\nSELECT ';'",
		.count = heard.count == 1 ? how & 1 : 2,
		.async = how & 4,
		.request_id = how & 8 ? "6f2a9df4-0000-4000-8000-000000000001" : NULL,
		/* long over: whoever has to wait cancels */
		.deadline_ms = how & 16 ? 1 : 0,
	};
	struct rv_snowflake_outcome outcome;
	struct rv_error err = RV_ERROR_INIT;
	bool silent = how & 32 && heard.count > 1;
	enum rv_status status = rv_snowflake_execute(snowflake, &statement, silent ? NULL : tell, NULL, &outcome, &err);

	CHECK(memchr(outcome.handle, '\0', sizeof(outcome.handle)) && (!outcome.handle[0] || is_handle(outcome.handle)));
	CHECK(outcome.done <= heard.count);
	if (heard.unread)
		return;
	if (outcome.done == heard.count)
		CHECK(heard.executed && !outcome.unknown);
	if (status != RV_OK) {
		check_failure(&outcome, status, &err);
		return;
	}
	CHECK(heard.executed && outcome.done == heard.count && !heard.rowless);
	check_whole();
	if (silent)
		CHECK(heard.results == 0 && heard.told.len == 0);
	else
		CHECK(heard.results == heard.count && !heard.doubled);
	if (heard.spelled)
		CHECK(heard.wanted.len == heard.told.len && memcmp(heard.wanted.bytes, heard.told.bytes, heard.told.len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1 || size > 16 << 10)
		return 0;
	if (!snowflake)
		snowflake = answers_of_snowflake();
	RV_CLEANUP(rv_free_p) char *p = exact_text(data + 1, size - 1);

	memset(&script, 0, sizeof(script));
	memset(&heard, 0, sizeof(heard));
	heard.known = heard.wanted = heard.told = (struct rv_strbuf)RV_STRBUF_INIT;
	heard.count = data[0] & 2 ? 2 : 1;
	heard.spelled = true;
	script.p = p;
	script.len = size - 1;
	script.heard = hear;
	run(data[0]);
	json_decref(heard.meta);
	rv_strbuf_release(&heard.known);
	rv_strbuf_release(&heard.wanted);
	rv_strbuf_release(&heard.told);
	return 0;
}

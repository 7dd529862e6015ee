/*
 * Any bytes as what Snowpipe answers: to names of files that it shall load, to the question what happened lately, and to
 * that for what happened in a while, page by page. No name counts as queued that no answer takes; an answer that is
 * heard late or not at all is asked for under the same id; what is told of files is what jansson reads of the answers;
 * and nothing is told as the last word without counts.
 *
 * The first byte says what is asked, the second how many files there are. The rest is answers (answers.h).
 */
#include "fuzz.h"

#include <jansson.h>

#include "answers.h"
#include "base/clock.h"
#include "snowflake/internal.h"
#include "snowflake/snowpipe.h"

#define FROM_MS 1795960800000
#define TO_MS 1795964400000
#define PIPES "/v1/data/pipes/%22D%22.%22S%22.%22it%27s%20%22%22P%22%22%22/"
#define MOST_FILES (RV_SNOWPIPE_FILES_MAX + 2)

static struct rv_snowflake *snowflake;
static struct rv_snowpipe_file files[MOST_FILES];

/* What was heard, read here once more. */
static struct {
	unsigned what;
	size_t count, queued;      /* files, and of how many an answer said that they are */
	char id[RV_UUID_TEXT];     /* of the request that is under way; "": none */
	char start[64];            /* where the history has to go on */
	bool unread;               /* an answer cannot be read here: nothing is compared any more */
	json_t *last;              /* the last answer that was taken */
	struct rv_strbuf wanted, told;
	struct rv_strbuf wanted_skipped, skipped;
	unsigned told_count, stop_at; /* events; 0: never */
	char mark[64];
} heard;

/* ---- what is asked ---- */

static void check_id(const char *url)
{
	const char *id = strstr(url, "requestId=");

	CHECK(id && strlen(id) >= 10 + RV_UUID_TEXT - 1);
	if (heard.id[0])
		CHECK(strncmp(id + 10, heard.id, RV_UUID_TEXT - 1) == 0);
	snprintf(heard.id, sizeof(heard.id), "%.36s", id + 10);
	CHECK(strlen(heard.id) == 36 && strspn(heard.id, "0123456789abcdef-") == 36);
}

static void check_names(const struct rv_http_request *request)
{
	json_t *body = json_loadb(request->body.bytes, request->body.len, JSON_REJECT_DUPLICATES, NULL), *item;
	const json_t *list = json_object_get(body, "files");
	size_t left = heard.count - heard.queued, i;

	CHECK(json_array_size(list) == (left < RV_SNOWPIPE_FILES_MAX ? left : RV_SNOWPIPE_FILES_MAX));
	json_array_foreach(list, i, item)
		CHECK(strcmp(json_string_value(json_object_get(item, "path")), files[heard.queued + i].path) == 0);
	json_decref(body);
}

static void check_request(const struct rv_http_request *request)
{
	const char *path = strstr(request->url, PIPES);

	CHECK(path);
	path += strlen(PIPES);
	check_id(path);
	if (heard.what == 0) {
		CHECK(strcmp(request->method, "POST") == 0 && rv_starts_with(path, "insertFiles?"));
		if (!heard.unread)
			check_names(request);
		return;
	}
	CHECK(strcmp(request->method, "GET") == 0);
	CHECK(rv_starts_with(path, heard.what == 1 ? "insertReport?" : "loadHistoryScan?"));
	if (heard.what == 1)
		CHECK(!heard.mark[0] == !strstr(path, "&beginMark="));
	if (heard.what == 2 && !heard.unread) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf start = RV_STRBUF_INIT;

		rv_strbuf_puts(&start, "loadHistoryScan?startTimeInclusive=");
		rv_http_encode(&start, heard.start, strlen(heard.start), false);
		CHECK(rv_starts_with(path, start.bytes) && path[start.len] == '&');
	}
}

/* ---- what is answered ---- */

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* A count, or nothing at all where that may be. */
static bool counts(const json_t *event, const char *key, bool optional)
{
	const json_t *value = json_object_get(event, key);

	if (!value || json_is_null(value))
		return optional;
	return json_is_integer(value) && json_integer_value(value) >= 0;
}

static void put_event(struct rv_strbuf *out, const char *path, const char *state, bool complete, long long rows,
		      const char *error, const char *column)
{
	rv_strbuf_printf(out, "%s %s %d %lld '%s' '%s'\n", path, state, complete, rows, error, column);
}

static void hear_events(const json_t *json)
{
	json_t *event;
	size_t i;

	json_array_foreach(json_object_get(json, "files"), i, event) {
		const char *said = text_of(event, "status");
		const char *state = strcmp(said, "LOADED") == 0		    ? "loaded"
				    : strcmp(said, "PARTIALLY_LOADED") == 0 ? "partial"
				    : strcmp(said, "LOAD_FAILED") == 0	    ? "failed"
									    : "?";
		bool whole = counts(event, "rowsInserted", strcmp(state, "failed") == 0) &&
			     counts(event, "rowsParsed", true) && counts(event, "errorsSeen", true);
		long long rows = json_integer_value(json_object_get(event, "rowsInserted"));

		put_event(&heard.wanted, text_of(event, "path"), state,
			  whole && json_is_true(json_object_get(event, "complete")), rows > 0 ? rows : 0,
			  text_of(event, "firstError"), text_of(event, "firstErrorColumnName"));
	}
}

static void hear_queued(const json_t *json)
{
	const json_t *item;
	size_t i;

	if (strcmp(text_of(json, "responseCode"), "SUCCESS") != 0 ||
	    json_array_size(json_object_get(json, "unmatchedPatternFiles")))
		return;
	heard.queued += RV_SNOWPIPE_FILES_MAX;
	if (heard.queued > heard.count)
		heard.queued = heard.count;
	json_array_foreach(json_object_get(json, "skippedFiles"), i, item) {
		const char *path = json_is_string(item) ? json_string_value(item)
							: json_string_value(json_object_get(item, "path"));

		if (path)
			rv_strbuf_printf(&heard.wanted_skipped, "%s\n", path);
	}
}

static void hear(const struct rv_http_request *request, const struct rv_http_response *response)
{
	const struct rv_strbuf *body = &response->body;

	check_request(request);
	if (response->status / 100 != 2)
		return;
	heard.id[0] = '\0';
	json_t *json = json_loadb(body->bytes, body->len, JSON_REJECT_DUPLICATES, NULL);

	heard.unread |= !json;
	json_decref(heard.last);
	heard.last = json;
	if (!json)
		return;
	if (heard.what == 0)
		hear_queued(json);
	else
		hear_events(json);
	if (heard.what == 2)
		snprintf(heard.start, sizeof(heard.start), "%s", text_of(json, "rangeEndTime"));
}

/* ---- what is told ---- */

static enum rv_status tell(void *arg RV_UNUSED, const struct rv_snowpipe_report *report, struct rv_error *err)
{
	static const char *const states[] = { "?", "loaded", "partial", "failed" };

	CHECK(report->path[0] && report->first_error && report->first_error_column && report->system_error);
	put_event(&heard.told, report->path, states[report->state], report->complete, (long long)report->rows_inserted,
		  report->first_error, report->first_error_column);
	return ++heard.told_count == heard.stop_at ? rv_fail(err, RV_CONFLICT, "enough") : RV_OK;
}

static void hear_skipped(void *arg RV_UNUSED, const char *path)
{
	rv_strbuf_printf(&heard.skipped, "%s\n", path);
}

/* Of 2xx that were taken: yes, in either spelling. */
static bool last_is_complete(void)
{
	const json_t *value = json_object_get(heard.last, "completeResult");

	return json_is_true(value) || strcasecmp(text_of(heard.last, "completeResult"), "true") == 0;
}

static void check_told(enum rv_status status)
{
	CHECK(heard.told.len <= heard.wanted.len &&
	      memcmp(heard.told.bytes, heard.wanted.bytes, heard.told.len) == 0);
	CHECK(status != RV_OK || heard.told.len == heard.wanted.len);
	CHECK((heard.stop_at && heard.told_count == heard.stop_at) <= (status == RV_CONFLICT));
}

/* ---- asking ---- */

static enum rv_status try_insert(const struct rv_snowpipe *pipe, struct rv_error *err)
{
	size_t sent = 77;
	enum rv_status status = rv_snowpipe_insert(pipe, files, heard.count, &sent, hear_skipped, NULL, err);

	CHECK(sent <= heard.count && (status != RV_OK || sent == heard.count));
	if (heard.unread)
		return status;
	CHECK(sent == heard.queued);
	CHECK(heard.skipped.len == heard.wanted_skipped.len &&
	      memcmp(heard.skipped.bytes, heard.wanted_skipped.bytes, heard.skipped.len) == 0);
	return status;
}

/* Twice: the second time from the mark on that the first one gave. */
static enum rv_status try_recent(const struct rv_snowpipe *pipe, struct rv_error *err)
{
	enum rv_status status = RV_OK;

	for (unsigned i = 0; i < 2 && status == RV_OK; i++) {
		char before[sizeof(heard.mark)];
		bool complete = false;

		memcpy(before, heard.mark, sizeof(before));
		heard.id[0] = '\0';
		status = rv_snowpipe_recent(pipe, heard.mark, sizeof(heard.mark), &complete, tell, NULL, err);
		CHECK(memchr(heard.mark, '\0', sizeof(heard.mark)));
		if (status != RV_OK)
			CHECK(strcmp(heard.mark, before) == 0);
		if (heard.unread)
			return status;
		check_told(status);
		if (status == RV_OK) {
			const char *mark = text_of(heard.last, "nextBeginMark");

			CHECK(complete == last_is_complete());
			CHECK(strcmp(heard.mark, *mark && strlen(mark) < sizeof(before) ? mark : before) == 0);
		}
	}
	return status;
}

static enum rv_status try_history(const struct rv_snowpipe *pipe, struct rv_error *err)
{
	char start[RV_TIME_TEXT];

	rv_format_time(FROM_MS, start);
	snprintf(heard.start, sizeof(heard.start), "%s", start);
	enum rv_status status = rv_snowpipe_history(pipe, FROM_MS, TO_MS, 0, tell, NULL, err);
	int64_t reached_ms;

	if (heard.unread)
		return status;
	check_told(status);
	if (status == RV_OK && !last_is_complete())
		CHECK(rv_parse_time(heard.start, strlen(heard.start), &reached_ms) && reached_ms >= TO_MS);
	return status;
}

static void set_up(void)
{
	snowflake = answers_of_snowflake();
	for (size_t i = 0; i < MOST_FILES; i++)
		files[i] = (struct rv_snowpipe_file){ rv_asprintf("dt=2026-11-29/%zu \"\xc3\xbc\\.zst", i), i };
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rv_error err = RV_ERROR_INIT;

	if (size < 2 || size > 16 << 10)
		return 0;
	if (!snowflake)
		set_up();
	const struct rv_snowpipe pipe = { snowflake, "D", "S", "it's \"P\"" };
	RV_CLEANUP(rv_free_p) char *p = exact_text(data + 2, size - 2);

	memset(&script, 0, sizeof(script));
	memset(&heard, 0, sizeof(heard));
	heard.told = heard.wanted = heard.skipped = heard.wanted_skipped = (struct rv_strbuf)RV_STRBUF_INIT;
	heard.what = data[0] % 3;
	heard.stop_at = data[0] & 64 ? data[1] % 4 : 0;
	heard.count = data[1] == 255 ? MOST_FILES : data[1] % 4;
	script.p = p;
	script.len = size - 2;
	script.heard = hear;
	enum rv_status status = heard.what == 0	  ? try_insert(&pipe, &err)
				: heard.what == 1 ? try_recent(&pipe, &err)
						  : try_history(&pipe, &err);

	CHECK(status == RV_OK || (err.status == status && err.message[0]));
	CHECK(memchr(err.message, '\0', sizeof(err.message)) && memchr(err.hint, '\0', sizeof(err.hint)));
	json_decref(heard.last);
	rv_strbuf_release(&heard.told);
	rv_strbuf_release(&heard.wanted);
	rv_strbuf_release(&heard.skipped);
	rv_strbuf_release(&heard.wanted_skipped);
	return 0;
}

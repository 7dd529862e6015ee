/* Snowpipe's endpoints: what is asked in how many requests, and what each refusal is called. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "snowflake/snowpipe.h"
#include "snowflake_world.h"

#define PIPE "/v1/data/pipes/%22RIVER%22.%22WEB%22.%22CLICKS%24PIPE%22/"
#define INSERT "POST " PIPE "insertFiles?requestId="
#define RECENT "GET " PIPE "insertReport?requestId="
#define HISTORY "GET " PIPE "loadHistoryScan?startTimeInclusive="
#define SUCCESS "{\"requestId\":\"r\",\"responseCode\":\"SUCCESS\"}"

static struct rv_strbuf seen = RV_STRBUF_INIT;
static size_t sent;

static struct rv_snowpipe the_pipe(void)
{
	return (struct rv_snowpipe){ w.snowflake, "RIVER", "WEB", "CLICKS$PIPE" };
}

static void skipped(void *arg RV_UNUSED, const char *path)
{
	rv_strbuf_printf(&seen, "%s\n", path);
}

static enum rv_status insert(const struct rv_snowpipe_file *files, size_t count)
{
	const struct rv_snowpipe pipe = the_pipe();

	err = (struct rv_error)RV_ERROR_INIT;
	rv_strbuf_clear(&seen);
	return rv_snowpipe_insert(&pipe, files, count, &sent, skipped, NULL, &err);
}

static enum rv_status insert_one(void)
{
	static const struct rv_snowpipe_file file = { "dt=2026-11-29/hr=15/a.zst", 12 };

	return insert(&file, 1);
}

/* ---- insertFiles ---- */

static void test_insert(void **state RV_UNUSED)
{
	static const struct rv_snowpipe_file files[] = { { "a \"b\".zst", 12 }, { "\xc3\xbc.zst", 0 } };
	static const struct step steps[] = {
		{ INSERT, .has = "X-Snowflake-Authorization-Token-Type: KEYPAIR_JWT", .status = 200,
		  .body_has = "{\"files\":[{\"path\":\"a \\\"b\\\".zst\",\"size\":12},{\"path\":\"\xc3\xbc.zst\"}]}",
		  .body = SUCCESS },
	};
	world_start(steps);
	assert_int_equal(insert(files, 2), RV_OK);
	assert_int_equal(sent, 2);
	assert_string_equal(seen.bytes, "");
	world_stop();
}

static void test_insert_many(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		{ INSERT, .status = 200, .body_has = "\"f00000\"", .body = SUCCESS },
		{ INSERT, .status = 200, .body_has = "{\"files\":[{\"path\":\"f05000\"",
		  .body = "{\"responseCode\":\"SUCCESS\",\"skippedFiles\":[\"f05001\",{\"path\":\"f05002\"}]}",
		  .gzip = true },
		{ INSERT, .status = 403, .body_has = "{\"files\":[{\"path\":\"f10000\"",
		  .body = "{\"code\":\"390403\",\"message\":\"Not authorized\"}" },
	};
	const size_t count = 10001;
	struct rv_snowpipe_file *files = rv_calloc(count, sizeof(*files));
	char (*names)[8] = rv_calloc(count, sizeof(*names));

	for (size_t i = 0; i < count; i++) {
		snprintf(names[i], sizeof(names[i]), "f%05zu", i % 100000);
		files[i].path = names[i];
	}
	world_start(steps);
	assert_int_equal(insert(files, count), RV_AUTH);
	assert_int_equal(sent, 10000);
	assert_string_equal(seen.bytes, "f05001\nf05002\n");
	says("user loader lacks OPERATE on pipe \"RIVER\".\"WEB\".\"CLICKS$PIPE\"", "DEFAULT_ROLE");
	world_stop();
	free(files);
	free(names);
}

static void test_paths_that_cannot_be(void **state RV_UNUSED)
{
	char longest[RV_SNOWPIPE_PATH_MAX_BYTES + 2];
	static const struct step steps[] = { { INSERT, .status = 200, .body = SUCCESS } };
	struct rv_snowpipe_file files[] = { { "a", 1 }, { "", 0 } };

	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	world_start(steps);
	assert_int_equal(insert(files, 2), RV_BAD_DATA);
	says("file 2 is empty", NULL);
	files[1].path = "/a";
	assert_int_equal(insert(files, 2), RV_BAD_DATA);
	says("begins with '/'", NULL);
	files[1].path = "\xff";
	assert_int_equal(insert(files, 2), RV_BAD_DATA);
	says("is not UTF-8", NULL);
	files[1].path = longest;
	assert_int_equal(insert(files, 2), RV_BAD_DATA);
	says("longer than 1,024 bytes", NULL);
	assert_int_equal(sent, 0);
	longest[RV_SNOWPIPE_PATH_MAX_BYTES] = '\0';
	assert_int_equal(insert(files, 2), RV_OK);
	assert_int_equal(sent, 2);
	assert_int_equal(insert(files, 0), RV_OK);
	assert_int_equal(sent, 0);
	world_stop();
}

static void test_insert_goes_on(void **state RV_UNUSED)
{
	/* a limit, a mistake of theirs, nothing heard: the same request again */
	static const struct step steps[] = {
		{ INSERT, .status = 429, .fields = "Retry-After: 0\r\n", .body = "{\"code\":\"390505\"}" },
		{ INSERT, .status = 500, .body = "oops" },
		{ INSERT, .status = 0 },
		{ INSERT, .status = -1, .body = SUCCESS },
		{ INSERT, .status = 200, .body = SUCCESS },
	};
	world_start(steps);
	assert_int_equal(insert_one(), RV_OK);
	assert_int_equal(sent, 1);
	world_stop();
}

static void test_insert_refused(void **state RV_UNUSED)
{
	static const struct {
		int status;
		const char *body;
		enum rv_status want;
		const char *message, *hint;
	} cases[] = {
		{ 404, "{\"data\":null,\"code\":\"390404\",\"message\":\"Specified object does not exist or not "
		       "authorized. Pipe not found\",\"success\":false}", RV_NOT_FOUND,
		  "there is no pipe \"RIVER\".\"WEB\".\"CLICKS$PIPE\", or user loader may not see it",
		  "river stream create makes it" },
		{ 403, "{\"code\":\"390422\",\"message\":\"Incoming request with IP/Token 192.0.2.7 is not "
		       "allowed to access Snowflake.\"}", RV_AUTH, "192.0.2.7", "network policy" },
		{ 400, "{\"code\":\"390400\",\"message\":\"Pipe is paused.\"}", RV_CONFLICT, "is paused",
		  "PIPE_EXECUTION_PAUSED = FALSE" },
		{ 400, "{\"code\":\"390400\",\"message\":\"Pipe is in state STOPPED_CLONED\"}", RV_CONFLICT,
		  "was cloned and is stopped", "river stream create" },
		{ 400, "{\"code\":\"390400\",\"message\":\"Path too long\"}", RV_FAILED,
		  "pipe \"RIVER\".\"WEB\".\"CLICKS$PIPE\": 127.0.0.1 answers 400 390400: Path too long", NULL },
		{ 200, "{\"responseCode\":\"FAILURE\"}", RV_FAILED, "not that the files are queued: FAILURE",
		  NULL },
		{ 200, "{", RV_FAILED, "not that the files are queued", NULL },
		{ 200, "{\"responseCode\":\"SUCCESS\",\"unmatchedPatternFiles\":[\"x\"]}", RV_CONFLICT,
		  "leaves out 1 of the files, such as x", "river stream create" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct step steps[] = { { INSERT, .status = cases[i].status, .body = cases[i].body } };

		world_start(steps);
		assert_int_equal(insert_one(), cases[i].want);
		assert_int_equal(sent, 0);
		says(cases[i].message, cases[i].hint);
		world_stop();
	}
}

static void test_all_are_known(void **state RV_UNUSED)
{
	/* each of 5,000 long names is named in the answer: 5 MB */
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf body = RV_STRBUF_INIT;
	struct rv_snowpipe_file *files = rv_calloc(RV_SNOWPIPE_FILES_MAX, sizeof(*files));
	char (*names)[RV_SNOWPIPE_PATH_MAX_BYTES + 1] = rv_calloc(RV_SNOWPIPE_FILES_MAX, sizeof(*names));

	rv_strbuf_puts(&body, "{\"responseCode\":\"SUCCESS\",\"skippedFiles\":[");
	for (size_t i = 0; i < RV_SNOWPIPE_FILES_MAX; i++) {
		memset(names[i], 'x', RV_SNOWPIPE_PATH_MAX_BYTES);
		snprintf(names[i] + RV_SNOWPIPE_PATH_MAX_BYTES - 5, 6, "%05zu", i);
		files[i].path = names[i];
		rv_strbuf_printf(&body, "%s\"%s\"", i ? "," : "", names[i]);
	}
	rv_strbuf_puts(&body, "]}");
	for (unsigned gzip = 0; gzip < 2; gzip++) {
		const struct step steps[] = { { INSERT, .status = 200, .body = body.bytes, .gzip = gzip } };

		world_start(steps);
		assert_int_equal(insert(files, RV_SNOWPIPE_FILES_MAX), RV_OK);
		assert_int_equal(sent, RV_SNOWPIPE_FILES_MAX);
		assert_int_equal(seen.len, (size_t)RV_SNOWPIPE_FILES_MAX * (RV_SNOWPIPE_PATH_MAX_BYTES + 1));
		world_stop();
	}
	free(files);
	free(names);
}

static void test_token_is_no_key(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		{ INSERT, .has = "Authorization: Bearer pat-1\r\n", .status = 401,
		  .body = "{\"code\":\"394400\",\"message\":\"Programmatic access token is invalid.\"}" },
	};
	world_start_as(steps, 1, "authenticator = \"PROGRAMMATIC_ACCESS_TOKEN\"\ntoken = \"pat-1\"\n", NULL);
	assert_int_equal(insert_one(), RV_AUTH);
	says("394400", "Snowpipe takes key pairs alone");
	world_stop();
}

/* ---- reports ---- */

/* Until then what hears of the file "slow" takes. */
static int64_t slow_until_ms;

static enum rv_status collect(void *arg RV_UNUSED, const struct rv_snowpipe_report *report,
			      struct rv_error *e)
{
	rv_strbuf_printf(&seen, "%s %d %d %llu/%llu %llu %lld '%s' %llu:%llu %s %s\n", report->path,
			 (int)report->state, report->complete, (unsigned long long)report->rows_inserted,
			 (unsigned long long)report->rows_parsed, (unsigned long long)report->errors,
			 (long long)report->inserted_ms, report->first_error,
			 (unsigned long long)report->first_error_line,
			 (unsigned long long)report->first_error_character, report->first_error_column,
			 report->system_error);
	while (strcmp(report->path, "slow") == 0 && rv_clock_monotonic_ms() < slow_until_ms)
		usleep(1000);
	return strcmp(report->path, "stop") == 0 ? rv_fail(e, RV_FAILED, "enough") : RV_OK;
}

#define EVENT(path, rest) "{\"path\":\"" path "\"," rest "}"
#define LOADED(path) EVENT(path, "\"status\":\"LOADED\",\"complete\":true,\"rowsInserted\":3,\"rowsParsed\":3")

static void test_recent(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		{ RECENT, .has_not = "beginMark", .status = 200, .gzip = true,
		  .body = "{\"pipe\":\"x\",\"completeResult\":true,\"nextBeginMark\":\"1_39\",\"files\":["
			  EVENT("a", "\"stageLocation\":\"s3://b/\",\"fileSize\":9,\"timeReceived\":"
				     "\"2026-11-29T15:00:00.000Z\",\"lastInsertTime\":\"2026-11-29T15:00:01.000Z\","
				     "\"rowsInserted\":1,\"rowsParsed\":2,\"errorsSeen\":1,\"errorLimit\":2,"
				     "\"complete\":true,\"status\":\"PARTIALLY_LOADED\",\"firstError\":\"bad \\\"x\\\"\","
				     "\"firstErrorLineNum\":7,\"firstErrorCharacterPos\":8,"
				     "\"firstErrorColumnName\":\"C\",\"systemError\":null") ","
			  EVENT("b", "\"status\":\"LOAD_IN_PROGRESS\",\"complete\":false") ","
			  EVENT("c", "\"status\":\"LOAD_FAILED\",\"complete\":true,\"systemError\":\"gone\"") "]}" },
		{ RECENT, .has = "&beginMark=1_39 HTTP", .status = 200,
		  .body = "{\"completeResult\":false,\"bytes\":123456789012345678901234567890,\"files\":[]}" },
	};
	const struct rv_snowpipe pipe = the_pipe();
	char mark[64] = "";
	bool complete = false;

	world_start(steps);
	struct rv_snowpipe now = pipe;
	now.snowflake = w.snowflake;
	rv_strbuf_clear(&seen);
	assert_int_equal(rv_snowpipe_recent(&now, mark, sizeof(mark), &complete, collect, NULL, &err), RV_OK);
	assert_true(complete);
	assert_string_equal(mark, "1_39");
	assert_string_equal(seen.bytes, "a 2 1 1/2 1 1795964401000 'bad \"x\"' 7:8 C \n"
					"b 0 0 0/0 0 -1 '' 0:0  \n"
					"c 3 1 0/0 0 -1 '' 0:0  gone\n");
	assert_int_equal(rv_snowpipe_recent(&now, mark, sizeof(mark), &complete, collect, NULL, &err), RV_OK);
	assert_false(complete);
	assert_string_equal(mark, "1_39");
	world_stop();
}

static enum rv_status history(int64_t deadline_ms)
{
	const struct rv_snowpipe pipe = the_pipe();

	err = (struct rv_error)RV_ERROR_INIT;
	rv_strbuf_clear(&seen);
	return rv_snowpipe_history(&pipe, 1795960800000, 1795964400000, deadline_ms, collect, NULL, &err);
}

static void test_history(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		{ HISTORY "2026-11-29T14%3A00%3A00.000Z&endTimeExclusive=2026-11-29T15%3A00%3A00.000Z&requestId=",
		  .status = 200,
		  .body = "{\"completeResult\":\"false\",\"rangeEndTime\":\"2026-11-29T14:30:00.000Z\",\"files\":["
			  LOADED("a") "]}" },
		{ HISTORY "2026-11-29T14%3A30%3A00.000Z&", .status = 429, .body = "" },
		{ HISTORY "2026-11-29T14%3A30%3A00.000Z&", .status = 200,
		  .body = "{\"files\":[" LOADED("b") "],\"completeResult\":\"true\"}" },
	};
	world_start(steps);
	assert_int_equal(history(0), RV_OK);
	assert_string_equal(seen.bytes, "a 1 1 3/3 0 -1 '' 0:0  \nb 1 1 3/3 0 -1 '' 0:0  \n");
	world_stop();
}

static void test_history_that_does_not_end(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		{ HISTORY, .status = 200, .body = "{\"completeResult\":\"false\",\"rangeEndTime\":"
						  "\"2026-11-29T14:30:00.000Z\",\"files\":[]}" },
		{ HISTORY, .status = 200, .body = "{\"completeResult\":\"false\",\"rangeEndTime\":"
						  "\"2026-11-29T14:30:00.000Z\",\"files\":[]}" },
	};
	static const struct step limited[] = { { HISTORY, .status = 429, .body = "" } };

	world_start(steps);
	assert_int_equal(history(0), RV_FAILED);
	says("does not go on after 2026-11-29T14:30:00.000Z", NULL);
	world_stop();
	/* 429 for ever: the deadline ends it */
	bool heard = false; /* on a machine that is busy for long, not an answer of it */
	for (int64_t ms = 700; !heard && ms < 100000; ms *= 4) {
		world_start(limited);
		w.last_repeats = true;
		assert_int_equal(history(rv_clock_monotonic_ms() + ms), RV_FAILED);
		assert_true(err.transient);
		heard = strstr(err.message, "answers 429");
		world_stop();
	}
	says("answers 429", NULL);
	/* it goes on by a second each time: the deadline is over before the page is read to its end */
	static const struct step slow[] = {
		{ HISTORY, .status = 200, .body = "{\"completeResult\":\"false\",\"rangeEndTime\":"
						  "\"2026-11-29T14:00:01.000Z\",\"files\":[" LOADED("slow") "]}" },
	};
	world_start(slow);
	slow_until_ms = rv_clock_monotonic_ms() + 3000;
	assert_int_equal(history(slow_until_ms), RV_FAILED);
	assert_true(err.transient);
	says("did not come to its end in time", NULL);
	world_stop();
}

/* A last word without its counts is none. */
static void test_counts_that_are_none(void **state RV_UNUSED)
{
	static const struct {
		const char *event;
		bool complete;
	} cases[] = {
		{ "\"status\":\"LOADED\",\"rowsInserted\":3", true },
		{ "\"status\":\"LOADED\",\"rowsInserted\":0,\"rowsParsed\":null,\"errorsSeen\":null", true },
		{ "\"status\":\"LOADED\"", false },
		{ "\"status\":\"LOADED\",\"rowsInserted\":null", false },
		{ "\"status\":\"LOADED\",\"rowsInserted\":\"3\"", false },
		{ "\"status\":\"LOADED\",\"rowsInserted\":3.0", false },
		{ "\"status\":\"LOADED\",\"rowsInserted\":-1", false },
		{ "\"status\":\"PARTIALLY_LOADED\",\"rowsInserted\":3,\"rowsParsed\":\"x\"", false },
		{ "\"status\":\"PARTIALLY_LOADED\",\"rowsInserted\":3,\"errorsSeen\":-1", false },
		{ "\"status\":\"LOAD_FAILED\"", true },
		{ "\"status\":\"LOAD_FAILED\",\"rowsInserted\":\"\"", false },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		RV_CLEANUP(rv_free_p) char *body = rv_asprintf("{\"completeResult\":true,\"files\":[{\"path\":\"a\","
							       "\"complete\":true,%s}]}", cases[i].event);
		const struct step steps[] = { { HISTORY, .status = 200, .body = body } };

		world_start(steps);
		assert_int_equal(history(0), RV_OK);
		if (strncmp(seen.bytes + 4, cases[i].complete ? "1 " : "0 ", 2) != 0)
			fail_msg("%s: %s", cases[i].event, seen.bytes);
		world_stop();
	}
}

static void test_reports_that_are_none(void **state RV_UNUSED)
{
	static const char *const bodies[] = {
		"{\"files\":[1]}", "{\"files\":[{}]}", "{\"files\":[{\"path\":\"a\"}", "{} x",
		"{\"files\":[{\"path\":\"a\" \"b\"}]}",
		"{\"files\":{},\"completeResult\":true}", "{\"files\":[],\"completeResult\":truth}",
	};
	for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
		const struct step steps[] = { { HISTORY, .status = 200, .body = bodies[i] } };

		world_start(steps);
		assert_int_equal(history(0), RV_FAILED);
		says("the report", NULL);
		world_stop();
	}
	static const struct step steps[] = {
		{ HISTORY, .status = 200, .body = "{\"files\":[" LOADED("stop") "," LOADED("b") "]}" },
	};
	world_start(steps);
	assert_int_equal(history(0), RV_FAILED);
	says("enough", NULL);
	assert_null(strstr(seen.bytes, "b "));
	world_stop();
}

static void test_report_refused(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		{ HISTORY, .status = 403, .body = "{\"code\":\"390403\",\"message\":\"no\"}" },
	};
	world_start(steps);
	assert_int_equal(history(0), RV_AUTH);
	says("lacks MONITOR on pipe", "GRANT OPERATE, MONITOR ON PIPE");
	world_stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_insert),
		cmocka_unit_test(test_insert_many),
		cmocka_unit_test(test_paths_that_cannot_be),
		cmocka_unit_test(test_insert_goes_on),
		cmocka_unit_test(test_insert_refused),
		cmocka_unit_test(test_all_are_known),
		cmocka_unit_test(test_token_is_no_key),
		cmocka_unit_test(test_recent),
		cmocka_unit_test(test_history),
		cmocka_unit_test(test_history_that_does_not_end),
		cmocka_unit_test(test_counts_that_are_none),
		cmocka_unit_test(test_reports_that_are_none),
		cmocka_unit_test(test_report_refused),
	};
	int failed = cmocka_run_group_tests(tests, world_setup, world_teardown);
	rv_strbuf_release(&seen);
	return failed;
}

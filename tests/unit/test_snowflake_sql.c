/* Statements over the wire: what is asked, what comes of the answers, and what is said when it fails. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "format/text_copy.h"
#include "snowflake_sql_world.h"

static void test_select(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		{ POST, .has = "Authorization: Bearer eyJ", .status = 200,
		  .body_has = "{\"statement\":\"SELECT 1\",\"database\":\"RIVER\",\"warehouse\":\"LOAD_WH\","
			      "\"role\":\"RIVER_RW\",\"parameters\":{\"TIMEZONE\":\"UTC\"",
		  .body = "{" META("2", COLUMN("A", "fixed") "," COLUMN("B", "text"))
			  ",\"partitionInfo\":[{\"rowCount\":2,\"uncompressedSize\":1}]},"
			  "\"data\":[[\"1\",\"x\\u0000\\n\\ud83d\\ude00\"],[null,\"\"]],\"code\":\"090001\","
			  "\"statementHandle\":\"h-1\",\"message\":\"Statement executed successfully.\"}" },
	};
	world_start(steps);
	runs(&(struct rv_snowflake_statement){ .sql = "SELECT 1" });
	assert_memory_equal(seen.bytes, "0: A/0,B/2 | 1,x\0\n\xF0\x9F\x98\x80 | NULL,\n", 32);
	assert_string_equal(outcome.handle, "h-1");
	assert_int_equal(outcome.done, 1);
	assert_false(outcome.unknown);
	world_stop();
}

/* ---- what is asked ---- */

static void test_body(void **state RV_UNUSED)
{
	static const struct rv_snowflake_binding bindings[] = { { "TEXT", "it's" }, { "FIXED", NULL } };
	static const struct step steps[] = {
		{ "POST /api/v2/statements?requestId=6f2a9df4-0000-4000-8000-000000000001&retry=true&async=true HTTP",
		  .has = "User-Agent: river/", .status = 200, .body = ONE_ROW("x"),
		  .body_has = "{\"statement\":\"SELECT ?, ?\",\"timeout\":30,\"database\":\"Other\",\"role\":\"R\","
			      "\"bindings\":{\"1\":{\"type\":\"TEXT\",\"value\":\"it's\"},\"2\":{\"type\":\"FIXED\",\"value\":null}},"
			      "\"parameters\":{\"TIMEZONE\":\"UTC\",\"CLIENT_RESULT_CHUNK_SIZE\":\"48\",\"QUERY_TAG\":\"t\"}}" },
		{ POST, .has = "Content-Type: application/json\r\n", .has_not = "retry=true", .status = 200,
		  .body_has = "\"timeout\":", .body = ONE_ROW("x") },
	};
	world_start(steps);
	runs(&(struct rv_snowflake_statement){
		.sql = "SELECT ?, ?",
		.bindings = bindings,
		.bindings_count = 2,
		.database = "Other",
		.warehouse = "",
		.role = "R",
		.query_tag = "t",
		.request_id = "6f2a9df4-0000-4000-8000-000000000001",
		.timeout_s = 30,
		.async = true,
	});
	/* a deadline is a limit for Snowflake too */
	runs(&(struct rv_snowflake_statement){ .sql = "SELECT 1",
					       .deadline_ms = rv_clock_monotonic_ms() + 60000 });
	assert_int_equal(run(&(struct rv_snowflake_statement){ .sql = "SELECT '\xff'" }), RV_USAGE);
	says("not text in UTF-8", NULL);
	world_stop();
}

static void test_sent_again_under_its_id(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		{ POST, .has_not = "retry=true", .status = 503, .body = "" },
		{ POST, .has = "&retry=true", .status = 0 },
		{ POST, .has = "&retry=true", .status = -1, .body = ONE_ROW("x") },
		{ POST, .has = "&retry=true", .status = 429, .fields = "Retry-After: 0\r\n", .body = "" },
		{ POST, .has = "&retry=true", .status = 200, .body = ONE_ROW("x") },
	};
	world_start(steps);
	runs(&select_1);
	assert_string_equal(seen.bytes, "0: A/2 | x\n");
	assert_false(outcome.unknown);
	/* all under one id */
	const char *first = strstr(w.trace.bytes, "requestId=");
	assert_non_null(first);
	size_t count = 0;
	for (const char *p = first; (p = strstr(p, "requestId=")); p++, count++)
		assert_memory_equal(p, first, strlen("requestId=") + 36);
	assert_int_equal(count, 5);
	world_stop();
}

static void test_unknown_outcome(void **state RV_UNUSED)
{
	static const struct step closed[] = { { POST, .status = 0 } };
	static const struct step gateway[] = { { POST, .status = 504, .body = "<html>" } };
	static const struct step limited[] = { { POST, .status = 429, .body = "" } };

	world_start(closed);
	w.last_repeats = true;
	assert_int_equal(run(&select_1), RV_FAILED);
	assert_true(err.transient);
	assert_true(outcome.unknown);
	assert_int_equal(outcome.done, 0);
	says("closed the connection without an answer", NULL);
	says("(4 attempts in ", NULL);
	world_stop();
	world_start(gateway);
	w.last_repeats = true;
	assert_int_equal(run(&select_1), RV_FAILED);
	assert_true(outcome.unknown);
	world_stop();
	world_start(limited);
	w.last_repeats = true;
	assert_int_equal(run(&select_1), RV_FAILED);
	assert_true(err.transient);
	assert_false(outcome.unknown);
	world_stop();
}

/* ---- results ---- */

static void test_types(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		{ POST, .status = 200, .gzip = true,
		  .body = "{\"data\":[[\"1\",1.5,true,false,-3,null,\"\",\"[1]\"]]," /* before what they are */
			  META("1", COLUMN("a", "FIXED") "," COLUMN("b", "real") "," COLUMN("c", "boolean") ","
			       COLUMN("d", "date") "," COLUMN("e", "timestamp_tz") "," COLUMN("f", "object") ","
			       "{\"name\":\"g\",\"type\":\"geography\",\"nullable\":false}" "," COLUMN("h", "array"))
			  ",\"partitionInfo\":[{\"rowCount\":1}]}}" },
	};
	world_start(steps);
	runs(&select_1);
	assert_string_equal(seen.bytes, "0: a/0,b/1,c/3,d/4,e/8,f/10,g/11,h/10 | 1,1.5,true,false,-3,NULL,,[1]\n");
	world_stop();
}

static void test_no_rows_and_no_result(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		{ POST, .status = 200, .body = "{" META("0", COLUMN("A", "text")) "},\"data\":[]}" },
		{ POST, .status = 200, .body = "{\"code\":\"090001\",\"message\":\"done\",\"data\":null}" },
		{ POST, .status = 200, .body = "{" META("3", "") "},\"data\":[[],[],[]]}" },
	};
	world_start(steps);
	runs(&select_1);
	assert_string_equal(seen.bytes, "0: A/2\n");
	runs(&select_1);
	assert_string_equal(seen.bytes, "");
	runs(&select_1);
	assert_string_equal(seen.bytes, "0:\n");
	world_stop();
}

static void test_partitions(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		{ POST, .status = 200,
		  .body = "{" META("4", COLUMN("A", "text")) ",\"partitionInfo\":[{\"rowCount\":1},{\"rowCount\":2},"
			  "{\"rowCount\":1}]},\"data\":[[\"1\"]],\"statementHandle\":\"h-1\"}" },
		{ "GET /api/v2/statements/h-1?partition=1 HTTP", .has = "Accept-Encoding: gzip", .status = 200,
		  .body = "{\"data\":[[\"2\"],[\"3\"]]}", .gzip = true },
		/* cut off: asked for once more, and no row comes twice */
		{ "GET /api/v2/statements/h-1?partition=2 HTTP", .status = -1, .body = "{\"data\":[[\"4\"]]}" },
		{ "GET /api/v2/statements/h-1?partition=2 HTTP", .status = 200, .body = "{\"data\":[[\"4\"]]}",
		  .gzip = true },
	};
	world_start(steps);
	runs(&select_1);
	assert_string_equal(seen.bytes, "0: A/2 | 1 | 2 | 3 | 4\n");
	world_stop();
}

static void test_answers_that_promise_more(void **state RV_UNUSED)
{
	ONE_STEP_FAILS(RV_FAILED, "the answer has 1 rows, and 2 were promised", "cuts answers short",
		       .status = 200, .body = "{" META("2", COLUMN("A", "text")) "},\"data\":[[\"1\"]]}");
	ONE_STEP_FAILS(RV_FAILED, "partition 0 of the answer has 1 rows, and 2 were promised", NULL,
		       .status = 200, .body = "{" META("1", COLUMN("A", "text"))
					      ",\"partitionInfo\":[{\"rowCount\":2}]},\"data\":[[\"1\"]]}");
	ONE_STEP_FAILS(RV_FAILED, "names no statement", NULL, .status = 200,
		       .body = "{" META("1", COLUMN("A", "text"))
			       ",\"partitionInfo\":[{\"rowCount\":1},{\"rowCount\":1}]},\"data\":[[\"1\"]]}");
	ONE_STEP_FAILS(RV_FAILED, "result is too large (Snowflake 391908)", "fewer columns", .status = 200,
		       .body = "{" META("1", COLUMN("A", "text")) "},\"data\":[[\"1\"]],\"code\":\"391908\","
			       "\"message\":\"The result is too large.\"}");
}

/* A partition whose number of rows nobody said, and an answer without a list of them: it is not there. */
static void test_partition_without_rows(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		{ POST, .status = 200, .body = "{\"resultSetMetaData\":{\"rowType\":[" COLUMN("A", "text")
					       "],\"partitionInfo\":[{},{}]},\"data\":[[\"x\"]],\"statementHandle\":\"h-1\"}" },
		{ "GET /api/v2/statements/h-1?partition=1 HTTP", .status = 202,
		  .body = "{\"code\":\"333334\",\"statementHandle\":\"h-1\"}" },
	};
	fails(steps, 2, RV_FAILED, "a partition has no rows", NULL);
}

static void test_answers_that_are_none(void **state RV_UNUSED)
{
	static const char *const bodies[] = {
		"{", "{}x", "{\"a\":}", "{\"a\" 1}",
		"{\"data\":[[\"1\"]]}",
		"{\"data\":[[1]],\"data\":[[1]]}",
		"{" META("1", COLUMN("A", "text")) "}," META("2", COLUMN("A", "text")) "},\"data\":[[\"1\"],[\"2\"]]}",
		"{\"resultSetMetaData\":{\"rowType\":[{}]}}",
		"{" META("1", COLUMN("A", "text")) "},\"data\":[[\"1\",\"2\"]]}",
		"{" META("1", COLUMN("A", "text")) "},\"data\":[[]]}",
		"{" META("1", COLUMN("A", "text")) "},\"data\":[[{\"a\":1}]]}",
		"{" META("1", COLUMN("A", "text")) "},\"data\":[[nul]]}",
		"{" META("1", COLUMN("A", "text")) "},\"data\":[\"1\"]}",
		"{" META("1", COLUMN("A", "text")) "},\"data\":[[\"\xff\"]]}",
		"{" META("1", COLUMN("A", "text")) "},\"data\":[[\"\\x\"]]}",
		"{" META("1", COLUMN("A", "text")) "},\"data\":[[\"a",
		"\x1f\x8bnot gzip",
	};
	for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
		const struct step steps[] = { { POST, .status = 200, .body = bodies[i] } };

		world_start(steps);
		if (run(&select_1) != RV_FAILED || err.transient)
			fail_msg("'%s' is taken: %s", bodies[i], err.message);
		assert_int_equal(outcome.done, 1);
		says("the answer", NULL);
		world_stop();
	}
}

/* What is not even the beginning of one is asked for once more: it may be a portal's. */
static void test_portal(void **state RV_UNUSED)
{
	static const struct step mended[] = {
		{ POST, .status = 200, .body = "<html>hello</html>" },
		{ POST, .has = "&retry=true", .status = 200, .body = "" },
		{ POST, .has = "&retry=true", .status = 202, .body = "[]" },
		{ POST, .status = 200, .body = " \r\n" ONE_ROW("x") },
	};
	static const struct step stays[] = { { POST, .status = 200, .body = "<html>" } };

	world_start(mended);
	runs(&select_1);
	assert_string_equal(seen.bytes, "0: A/2 | x\n");
	world_stop();
	world_start(stays);
	w.last_repeats = true;
	assert_int_equal(run(&select_1), RV_FAILED);
	assert_true(err.transient);
	says("answers 200 with something that is not Snowflake's", "a proxy or portal");
	world_stop();
}

static enum rv_status refuse_as_bad(void *arg RV_UNUSED, const struct rv_snowflake_page *page RV_UNUSED,
				    struct rv_error *e)
{
	return rv_fail(e, RV_BAD_DATA, "I do not like it");
}

static struct rv_strbuf large = RV_STRBUF_INIT;
static size_t large_rows, large_pages;

static enum rv_status count_rows(void *arg RV_UNUSED, const struct rv_snowflake_page *page,
				 struct rv_error *e RV_UNUSED)
{
	large_pages++;
	for (size_t i = 0; i < page->count; i++) {
		char want[24];

		snprintf(want, sizeof(want), "%zu", large_rows++);
		assert_string_equal(page->values[2 * i].p, want);
		assert_int_equal(page->values[2 * i + 1].len, 200);
	}
	assert_true(page->count <= 1024);
	return RV_OK;
}

/* 20,000 rows in 4 MB: they come in pages, and whatever page it is, in order. */
static void test_large(void **state RV_UNUSED)
{
	const size_t rows = 20000;
	char filler[201];

	memset(filler, 'x', 200);
	filler[200] = '\0';
	rv_strbuf_printf(&large, "{\"resultSetMetaData\":{\"numRows\":%zu,\"rowType\":[%s]},\"data\":[", rows,
			 COLUMN("A", "fixed") "," COLUMN("B", "text"));
	for (size_t i = 0; i < rows; i++)
		rv_strbuf_printf(&large, "%s[\"%zu\",\"%s\"]", i ? "," : "", i, filler);
	rv_strbuf_puts(&large, "]}");
	const struct step steps[] = { { POST, .status = 200, .body = large.bytes, .gzip = true },
				      { POST, .status = 200, .body = large.bytes } };
	world_start(steps);
	for (int i = 0; i < 2; i++) {
		large_rows = large_pages = 0;
		if (rv_snowflake_execute(w.snowflake, &select_1, count_rows, NULL, NULL, &err) != RV_OK)
			fail_msg("%s", err.message);
		assert_int_equal(large_rows, rows);
		assert_true(large_pages >= 20);
	}
	world_stop();
	rv_strbuf_release(&large);
}

static enum rv_status refuse(void *arg RV_UNUSED, const struct rv_snowflake_page *page RV_UNUSED,
			     struct rv_error *e)
{
	return rv_fail(e, RV_LOCAL_IO, "no more room");
}

static void test_sink_refuses(void **state RV_UNUSED)
{
	static const struct step steps[] = { { POST, .status = 200, .body = ONE_ROW("x") } };

	world_start(steps);
	assert_int_equal(rv_snowflake_execute(w.snowflake, &select_1, refuse, NULL, &outcome, &err),
			 RV_LOCAL_IO);
	says("no more room", NULL);
	assert_int_equal(outcome.done, 1);
	world_stop();
	/* its word is kept, also where it is one of ours */
	world_start(steps);
	assert_int_equal(rv_snowflake_execute(w.snowflake, &select_1, refuse_as_bad, NULL, NULL, &err),
			 RV_BAD_DATA);
	assert_string_equal(err.hint, "");
	world_stop();
}

static void test_rows_changed(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		{ POST, .status = 200,
		  .body = "{" META("1", COLUMN("number of rows inserted", "fixed") ","
					COLUMN("number of rows updated", "fixed") ","
					COLUMN("number of multi-joined rows updated", "fixed"))
			  "},\"data\":[[\"5\",\"2\",\"1\"]]}" },
		{ POST, .status = 200,
		  .body = "{" META("1", COLUMN("number of rows inserted", "fixed")) "},\"data\":[[\"5\"]],"
			  "\"stats\":{\"numRowsInserted\":5,\"numRowsUpdated\":1,\"numRowsDeleted\":1,"
			  "\"numDuplicateRowsUpdated\":9}}" },
	};
	world_start(steps);
	runs(&select_1);
	assert_int_equal(outcome.rows_changed, 7);
	runs(&select_1);
	assert_int_equal(outcome.rows_changed, 7);
	world_stop();
}

/* ---- statements that take their time ---- */

#define RUNNING "{\"code\":\"333334\",\"message\":\"Asynchronous execution in progress.\",\"statementHandle\":\"h-1\"," \
		"\"statementStatusUrl\":\"/api/v2/statements/h-1\"}"
#define POLL "GET /api/v2/statements/h-1 HTTP"
#define CANCEL "POST /api/v2/statements/h-1/cancel HTTP"

static void test_polled(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		{ POST, .status = 202, .body = RUNNING, .gzip = true },
		{ POLL, .status = 202, .body = RUNNING },
		{ POLL, .status = 503, .body = "" },
		{ POLL, .status = 429, .body = RUNNING },
		{ POLL, .status = 200, .body = ONE_ROW("x") },
	};
	world_start(steps);
	runs(&select_1);
	assert_string_equal(seen.bytes, "0: A/2 | x\n");
	assert_int_equal(outcome.done, 1);
	world_stop();
}

static unsigned notes;

__attribute__((format(printf, 1, 2)))
static void note_wait(const char *fmt, ...)
{
	char text[256];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	assert_non_null(strstr(text, "at a statement for"));
	assert_non_null(strstr(text, "query h-1"));
	notes++;
}

/* Who waits for long is told for what. */
static void test_told_of_a_wait(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		{ POST, .status = 202, .body = RUNNING },
		{ POLL, .status = 202, .body = RUNNING },
		{ POLL, .status = 202, .body = RUNNING },
		{ POLL, .status = 200, .body = ONE_ROW("x") },
	};
	for (int64_t after_ms = 0; after_ms <= 60000; after_ms += 60000) {
		world_start(steps);
		rv_snowflake_on_wait(w.snowflake, note_wait);
		w.snowflake->tell_after_ms = after_ms;
		notes = 0;
		runs(&select_1);
		assert_int_equal(notes > 0, after_ms == 0);
		world_stop();
	}
}

static void test_polled_and_failed(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		{ POST, .status = 202, .body = RUNNING },
		{ POLL, .status = 422, .body = "{\"code\":\"002003\",\"message\":\"SQL compilation error:\\nObject 'X' does "
					       "not exist or not authorized.\",\"statementHandle\":\"h-1\"}" },
	};
	static const struct step nameless[] = { { POST, .status = 202, .body = "{}" } };
	static const struct step crooked[] = {
		{ POST, .status = 202, .body = "{\"statementHandle\":\"../x\"}" },
	};
	static const struct step lost[] = {
		{ POST, .status = 202, .body = RUNNING },
		{ POLL, .status = 404, .body = "{\"code\":\"391904\",\"message\":\"unknown\"}" },
	};
	static const struct step other[] = {
		{ POST, .status = 202, .body = RUNNING },
		{ POLL, .status = 206, .body = "{\"code\":\"090001\"}" },
	};
	static const struct step gateway[] = {
		{ POST, .status = 202, .body = RUNNING },
		{ POLL, .status = 422, .body = "<html>" },
	};
	fails(steps, 2, RV_NOT_FOUND, "SQL compilation error: Object 'X' does not exist or not authorized "
	      "(Snowflake 002003)", "RIVER_RW (user loader) may not see it");
	assert_string_equal(outcome.handle, "h-1");
	assert_string_equal(err.request_id, "h-1");
	assert_false(outcome.unknown);
	fails(nameless, 1, RV_FAILED, "names no statement", NULL);
	assert_true(outcome.unknown);
	fails(crooked, 1, RV_FAILED, "names no statement", NULL);
	fails(lost, 2, RV_NOT_FOUND, "404", NULL);
	assert_true(outcome.unknown);
	/* nobody who knows says that it has ended */
	fails(other, 2, RV_FAILED, "206", NULL);
	assert_true(outcome.unknown);
	fails(gateway, 2, RV_FAILED, "422", NULL);
	assert_true(outcome.unknown);
}

static enum rv_status run_until(int64_t ms)
{
	return run(&(struct rv_snowflake_statement){ .sql = "SELECT 1",
						     .deadline_ms = rv_clock_monotonic_ms() + ms });
}

#define CANCELLED "{\"code\":\"000604\",\"message\":\"SQL execution canceled\",\"statementHandle\":\"h-1\"}"

/* The statement is taken when there is less time left than the first pause takes, so that no look comes
 * before the end. Where a busy machine makes it too late for that, it is begun anew, with more time. */
static _Atomic int64_t taken_at_ms;

static void wait_until_late(void)
{
	while (rv_clock_monotonic_ms() < atomic_load(&taken_at_ms))
		usleep(1000);
}

static enum rv_status run_late(const struct step *steps, size_t count)
{
	for (int64_t ms = 40;; ms *= 4) {
		world_start_as(steps, count, WORLD_BY_KEY, NULL);
		atomic_store(&taken_at_ms, rv_clock_monotonic_ms() + ms - 40);
		enum rv_status status = run_until(ms);
		if (*outcome.handle || ms > 100000)
			return status;
		w.last_repeats = true;
		world_stop();
	}
}

/* 202 for ever: the deadline ends it, and one more look tells whether that was in time. */
static void test_deadline(void **state RV_UNUSED)
{
	static const struct step cancelled[] = {
		{ POST, .status = 202, .body = RUNNING, .meanwhile = wait_until_late },
		{ CANCEL, .status = 200, .body = "{}" },
		{ POLL, .status = 422, .body = CANCELLED },
	};
	static const struct step too_late[] = {
		{ POST, .status = 202, .body = RUNNING, .meanwhile = wait_until_late },
		{ CANCEL, .status = 422, .body = "{\"code\":\"000709\",\"message\":\"unknown\"}" },
		{ POLL, .status = 200, .body = ONE_ROW("x") },
	};
	static const struct step unheard[] = {
		{ POST, .status = 202, .body = RUNNING, .meanwhile = wait_until_late },
		{ CANCEL, .status = 503, .body = "" },
		{ CANCEL, .status = 503, .body = "" },
		{ POLL, .status = 202, .body = RUNNING },
	};
	assert_int_equal(run_late(cancelled, 3), RV_FAILED);
	says("the time for it is over: the statement was cancelled", NULL);
	assert_false(outcome.unknown);
	assert_int_equal(outcome.done, 0);
	world_stop();
	assert_int_equal(run_late(too_late, 3), RV_OK);
	assert_int_equal(outcome.done, 1);
	assert_string_equal(seen.bytes, "0: A/2 | x\n");
	world_stop();
	assert_int_equal(run_late(unheard, 4), RV_FAILED);
	says("the time for it is over: the statement may go on", NULL);
	assert_true(outcome.unknown);
	world_stop();
}

static void test_deadline_without_an_answer(void **state RV_UNUSED)
{
	static const struct step silent[] = { { POST, .status = -2 } };

	world_start(silent);
	int64_t from_ms = rv_clock_monotonic_ms();
	assert_int_equal(run_until(100), RV_FAILED);
	assert_true(err.transient);
	assert_true(outcome.unknown);
	assert_true(rv_clock_monotonic_ms() - from_ms < 30000);
	world_stop();
	/* no time at all: nothing is sent */
	static const struct step none[] = { { POST, .status = 200, .body = "" } };
	world_start_as(none, 0, WORLD_BY_KEY, NULL);
	assert_int_equal(run_until(-1), RV_FAILED);
	assert_false(outcome.unknown);
	says("no time is left", NULL);
	world_stop();
}

static atomic_bool stopping;

static bool should_stop(void)
{
	return atomic_load(&stopping);
}

static void stop_now(void)
{
	atomic_store(&stopping, true);
}

static void test_stopped(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		{ POST, .has = "async=true", .status = 202, .body = RUNNING },
		{ POLL, .status = 202, .body = RUNNING, .meanwhile = stop_now },
		{ CANCEL, .status = 200, .body = "{}" },
		{ POLL, .status = 422, .body = CANCELLED },
	};
	atomic_store(&stopping, false);
	world_start_as(steps, 4, WORLD_BY_KEY, should_stop);
	assert_int_equal(run(&(struct rv_snowflake_statement){ .sql = "SELECT 1", .async = true }), RV_FAILED);
	says("stopped while waiting: the statement was cancelled", NULL);
	assert_false(outcome.unknown);
	world_stop();
	/* a gateway's word is not Snowflake's */
	static const struct step gateway[] = {
		{ POST, .has = "async=true", .status = 202, .body = RUNNING },
		{ POLL, .status = 202, .body = RUNNING, .meanwhile = stop_now },
		{ CANCEL, .status = 200, .body = "{}" },
		{ POLL, .status = 408, .body = "<html>" },
	};
	atomic_store(&stopping, false);
	world_start_as(gateway, 4, WORLD_BY_KEY, should_stop);
	assert_int_equal(run(&(struct rv_snowflake_statement){ .sql = "SELECT 1", .async = true }), RV_FAILED);
	says("stopped while waiting: the statement is being cancelled", NULL);
	assert_true(outcome.unknown);
	world_stop();
}

static void test_took_too_long(void **state RV_UNUSED)
{
	ONE_STEP_FAILS(RV_FAILED, "time limit (Snowflake 000630)", "larger warehouse", .status = 422,
		       .body = "{\"code\":\"000630\",\"message\":\"Statement reached its statement time limit.\"}");
	ONE_STEP_FAILS(RV_FAILED, "408 000630", "larger warehouse", .status = 408,
		       .body = "{\"code\":\"000630\",\"message\":\"Statement reached its time limit\"}");
	assert_false(err.transient);
	assert_false(outcome.unknown);
	/* a gateway's */
	ONE_STEP_FAILS(RV_FAILED, "408", NULL, .status = 408, .body = "<html>");
	assert_true(outcome.unknown);
}

/* ---- several statements ---- */

#define WHOLE "{" META("1", COLUMN("multiple statement execution", "text")) "},\"data\":[[\"Multiple statements executed " \
	      "successfully.\"]],\"code\":\"090001\",\"statementHandle\":\"h-0\",\"statementHandles\":[\"h-1\",\"h-2\"]}"

static const struct rv_snowflake_statement two = { .sql = "INSERT INTO t SELECT 1;\nSELECT ';'", .count = 2 };

static void test_several(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		{ POST, .status = 202, .body = "{\"code\":\"333334\",\"statementHandle\":\"h-0\"}",
		  .body_has = "\"MULTI_STATEMENT_COUNT\":\"2\"" },
		{ "GET /api/v2/statements/h-0 HTTP", .status = 200, .body = WHOLE },
		{ POLL, .status = 200, .body = "{" META("1", COLUMN("number of rows inserted", "fixed"))
						"},\"data\":[[\"3\"]],\"statementHandle\":\"h-1\"}" },
		{ "GET /api/v2/statements/h-2 HTTP", .status = 200,
		  .body = "{" META("2", COLUMN("B", "text")) ",\"partitionInfo\":[{\"rowCount\":1},{\"rowCount\":1}]},"
			  "\"data\":[[\"x\"]]}" },
		{ "GET /api/v2/statements/h-2?partition=1 HTTP", .status = 200, .body = "{\"data\":[[\"y\"]]}" },
	};
	world_start(steps);
	runs(&two);
	assert_string_equal(seen.bytes, "0: number of rows inserted/0 | 3\n1: B/2 | x | y\n");
	assert_int_equal(outcome.done, 2);
	assert_int_equal(outcome.rows_changed, 3);
	assert_string_equal(outcome.handle, "h-0");
	world_stop();
	/* whom nothing of it interests gets it in one request */
	world_start_as(&(struct step){ POST, .status = 200, .body = WHOLE }, 1, WORLD_BY_KEY, NULL);
	assert_int_equal(rv_snowflake_execute(w.snowflake, &two, NULL, NULL, &outcome, &err), RV_OK);
	assert_int_equal(outcome.done, 2);
	world_stop();
}

#define FAILED_AT(line, position)                                                                    \
	"{\"code\":\"100132\",\"message\":\"JavaScript execution error: Uncaught Execution of multiple "   \
	"statements failed on statement \\\"SELECT ';'\\\" (at line " line ", position " position ").\\nSQL " \
	"compilation error:\\nObject 'X' does not exist or not authorized.\",\"statementHandle\":\"h-0\"}"

static void test_several_failed(void **state RV_UNUSED)
{
	static const struct {
		const char *body;
		unsigned done;
	} cases[] = {
		{ FAILED_AT("2", "0"), 1 },
		{ FAILED_AT("1", "0"), 0 },
		/* what cannot be is not believed */
		{ FAILED_AT("2", "3"), 0 },
		{ FAILED_AT("9", "9"), 0 },
		{ FAILED_AT("0", "0"), 0 },
		{ FAILED_AT("x", "y"), 0 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct step steps[] = { { POST, .status = 422, .body = cases[i].body } };

		world_start(steps);
		assert_int_equal(run(&two), RV_NOT_FOUND);
		says("(Snowflake 100132)", "may not see it");
		assert_int_equal(outcome.done, cases[i].done);
		assert_false(outcome.unknown);
		world_stop();
	}
}

/* A long statement is quoted whole, and there is code around it: neither leaves no room for why. */
static void test_several_failed_by_a_long_one(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT, body = RV_STRBUF_INIT;

	rv_strbuf_puts(&sql, "INSERT INTO t VALUES ('\" (at line 1, position 0)')");
	for (unsigned i = 0; i < 500; i++)
		rv_strbuf_printf(&sql, ", ('row %u')", i);
	rv_strbuf_puts(&body, "{\"code\":\"100132\",\"message\":");
	RV_CLEANUP(rv_free_p)
	char *message = rv_asprintf("Uncaught Execution of multiple statements failed on statement \"%s\" (at line "
				    "2, position 0).\nNumeric value 'X 7' is not recognized in SYSTEM$MULTISTMT at "
				    "'    throw `Execution`' position 4", sql.bytes);

	rv_strbuf_json(&body, message, strlen(message));
	rv_strbuf_puts(&body, "}");
	RV_CLEANUP(rv_free_p) char *both = rv_asprintf("BEGIN;\n%s", sql.bytes);
	const struct step steps[] = { { POST, .status = 422, .body = body.bytes } };

	world_start(steps);
	assert_int_equal(run(&(struct rv_snowflake_statement){ .sql = both, .count = 2 }), RV_FAILED);
	says("('row ...\" (at line 2, position 0). Numeric value 'X 7' is not recognized (Snowflake 100132)", NULL);
	assert_int_equal(outcome.done, 1);
	world_stop();
}

/* What is left of it ends with a whole character. */
static void test_several_failed_by_one_with_long_characters(void **state RV_UNUSED)
{
	for (unsigned before = 0; before < 4; before++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
		struct rv_snowflake_failure failure;

		for (unsigned i = 0; i < before; i++)
			rv_strbuf_putc(&sql, 'x');
		for (unsigned i = 0; i < 50; i++)
			rv_strbuf_puts(&sql, "\xf0\x9f\x8c\x8a");
		json_t *json = json_pack("{s:s, s:s++}", "code", "100132", "message", "failed on statement \"", sql.bytes,
					 "\" (at line 1, position 0).");
		assert_non_null(json);
		rv_snowflake_failure_of(json, 422, &failure);
		json_decref(json);
		assert_int_equal(rv_utf8_check(failure.message, strlen(failure.message)), strlen(failure.message));
		assert_non_null(strstr(failure.message, "\x9f\x8c\x8a...\" (at line 1, position 0)"));
	}
}

static void test_several_that_do_not_fit(void **state RV_UNUSED)
{
	static const char *const bodies[] = {
		ONE_ROW("x"),
		"{\"statementHandles\":[\"h-1\"]}",
		"{\"statementHandles\":[\"../x\",\"h-2\"]}",
		"{\"statementHandles\":[1,2]}",
	};
	for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
		const struct step steps[] = { { POST, .status = 200, .body = bodies[i] } };

		world_start(steps);
		assert_int_equal(run(&two), RV_FAILED);
		assert_int_equal(outcome.done, 2);
		world_stop();
	}
	static const struct step gone[] = {
		{ POST, .status = 200, .body = WHOLE },
		{ POLL, .status = 422, .body = "{\"code\":\"000604\",\"message\":\"canceled\"}" },
	};
	world_start(gone);
	assert_int_equal(run(&two), RV_FAILED);
	world_stop();
	static const struct step doubled[] = {
		{ POST, .status = 200, .body = "{\"statementHandles\":[\"h-1\",\"h-1\"]}" },
		{ POLL, .status = 200, .body = ONE_ROW("x") },
	};
	world_start(doubled);
	assert_int_equal(run(&two), RV_FAILED);
	says("names one statement twice", NULL);
	world_stop();
}

static unsigned before(const char *sql, unsigned position)
{
	char message[80];

	snprintf(message, sizeof(message), "failed (at line 1, position %u)", position);
	return rv_snowflake_statements_before(sql, message);
}

static void test_statements_before(void **state RV_UNUSED)
{
	assert_int_equal(before("a; b; c", 6), 2);
	assert_int_equal(before("a; b; c", 5), 2);
	assert_int_equal(before("a; b; c", 4), 0);
	assert_int_equal(before(";; b; c", 6), 1);
	assert_int_equal(before("'a;''b'; c", 9), 1);
	assert_int_equal(before("'a\\';'; c", 8), 1);
	assert_int_equal(before("\"a;\"\"\"; c", 8), 1);
	assert_int_equal(before("$$ ; $$; c", 9), 1);
	assert_int_equal(before("a /* ; */; c", 11), 1);
	assert_int_equal(before("/* ; */; c", 9), 0);
	assert_int_equal(before("a", 99), 0);
	assert_int_equal(before("'a", 2), 0);
	assert_int_equal(rv_snowflake_statements_before("a;-- ;\nb;// ;\nc", "(at line 3, position 0)"), 2);
	assert_int_equal(rv_snowflake_statements_before("a", "nothing"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_select),
		cmocka_unit_test(test_body),
		cmocka_unit_test(test_sent_again_under_its_id),
		cmocka_unit_test(test_unknown_outcome),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_no_rows_and_no_result),
		cmocka_unit_test(test_partitions),
		cmocka_unit_test(test_answers_that_promise_more),
		cmocka_unit_test(test_partition_without_rows),
		cmocka_unit_test(test_answers_that_are_none),
		cmocka_unit_test(test_portal),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_sink_refuses),
		cmocka_unit_test(test_rows_changed),
		cmocka_unit_test(test_polled),
		cmocka_unit_test(test_told_of_a_wait),
		cmocka_unit_test(test_polled_and_failed),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_deadline_without_an_answer),
		cmocka_unit_test(test_stopped),
		cmocka_unit_test(test_took_too_long),
		cmocka_unit_test(test_several),
		cmocka_unit_test(test_several_failed),
		cmocka_unit_test(test_several_failed_by_a_long_one),
		cmocka_unit_test(test_several_failed_by_one_with_long_characters),
		cmocka_unit_test(test_several_that_do_not_fit),
		cmocka_unit_test(test_statements_before),
	};
	int failed = cmocka_run_group_tests(tests, world_setup, world_teardown);
	rv_strbuf_release(&seen);
	return failed;
}

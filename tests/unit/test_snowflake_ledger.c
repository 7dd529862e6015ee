/* What ledger, history and raw say of a file together, and what to do about it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "config/definition.h"
#include "warehouse/snowflake_look.h"

#define OBJECT "data/web/clicks/dt=2026-11-20/hr=14/r-000001-r10-h0000000000000000.ndjson.zst"
#define FOREIGN "data/web/clicks/theirs.json"
#define NOW_MS INT64_C(1795193931000)
#define DAY_MS (INT64_C(24) * 3600 * 1000)
#define NO RV_LOAD_PENDING /* not in the ledger; or not known */

struct witness {
	const char *what;
	enum rv_load_state ledger;
	int64_t submitted_ms;
	enum snow_history history;
	uint64_t rows, errors;
	int64_t loaded_ms;
	uint64_t raw_rows;
	int64_t raw_ms;
	/* what comes of it */
	enum rv_load_state state;
	bool news;
	uint64_t want_rows, want_rejected;
};
static const struct witness witnesses[] = {
	{ "nobody", NO, 0, SNOW_HISTORY_NONE, 0, 0, 0, 0, 0, NO, false, 0, 0 },
	{ "only the history", NO, 0, SNOW_HISTORY_LOADED, 10, 0, NOW_MS, 10, NOW_MS, RV_LOAD_KNOWN, true, 10, 0 },
	{ "history with errors", NO, 0, SNOW_HISTORY_LOADED, 8, 2, NOW_MS, 8, NOW_MS, RV_LOAD_PARTIAL, true, 8, 2 },
	{ "history: failed", NO, 0, SNOW_HISTORY_FAILED, 0, 1, NOW_MS, 0, 0, RV_LOAD_FAILED, true, 0, 1 },
	{ "history: under way", NO, 0, SNOW_HISTORY_GOES_ON, 0, 0, 0, 0, 0, RV_LOAD_QUEUED, true, 0, 0 },
	{ "only raw, all of it", NO, 0, SNOW_HISTORY_NONE, 0, 0, 0, 10, NOW_MS - 20 * DAY_MS, RV_LOAD_KNOWN, true, 10, 0 },
	{ "only raw, some of it and old", NO, 0, SNOW_HISTORY_NONE, 0, 0, 0, 7, NOW_MS - 20 * DAY_MS, RV_LOAD_PARTIAL, true, 7, 3 },
	{ "only raw, some of it just now", NO, 0, SNOW_HISTORY_NONE, 0, 0, 0, 7, NOW_MS - 1000, RV_LOAD_QUEUED, true, 0, 0 },
	{ "submitted", RV_LOAD_QUEUED, NOW_MS - 5000, SNOW_HISTORY_NONE, 0, 0, 0, 0, 0, RV_LOAD_QUEUED, false, 0, 0 },
	{ "submitted, under way", RV_LOAD_QUEUED, NOW_MS - 5000, SNOW_HISTORY_GOES_ON, 0, 0, 0, 0, 0, RV_LOAD_QUEUED, false, 0, 0 },
	{ "submitted, loaded", RV_LOAD_QUEUED, NOW_MS - 5000, SNOW_HISTORY_LOADED, 10, 0, NOW_MS, 10, NOW_MS, RV_LOAD_KNOWN, true, 10, 0 },
	{ "submitted, then failed", RV_LOAD_QUEUED, NOW_MS - 5000, SNOW_HISTORY_FAILED, 0, 1, NOW_MS - 4000, 0, 0, RV_LOAD_FAILED, true, 0, 1 },
	{ "failed, then submitted", RV_LOAD_QUEUED, NOW_MS - 5000, SNOW_HISTORY_FAILED, 0, 1, NOW_MS - 6000, 0, 0, RV_LOAD_QUEUED, false, 0, 0 },
	{ "submitted, failed some time", RV_LOAD_QUEUED, NOW_MS - 5000, SNOW_HISTORY_FAILED, 0, 1, 0, 0, 0, RV_LOAD_FAILED, true, 0, 1 },
	{ "failed, and nobody tried again", RV_LOAD_FAILED, 0, SNOW_HISTORY_FAILED, 0, 1, NOW_MS, 0, 0, RV_LOAD_FAILED, false, 0, 1 },
	{ "failed, forgotten by the history", RV_LOAD_FAILED, 0, SNOW_HISTORY_NONE, 0, 0, 0, 0, 0, RV_LOAD_FAILED, false, 0, 0 },
	{ "failed, then copied by hand", RV_LOAD_FAILED, 0, SNOW_HISTORY_LOADED, 10, 0, NOW_MS, 10, NOW_MS, RV_LOAD_KNOWN, true, 10, 0 },
	{ "failed in the pipe, loaded all the same", NO, 0, SNOW_HISTORY_FAILED, 0, 1, NOW_MS, 10, NOW_MS, RV_LOAD_KNOWN, true, 10, 0 },
	{ "loaded is loaded", RV_LOAD_KNOWN, 0, SNOW_HISTORY_FAILED, 0, 1, NOW_MS, 0, 0, RV_LOAD_KNOWN, false, 0, 0 },
	{ "so is some of it", RV_LOAD_PARTIAL, 0, SNOW_HISTORY_NONE, 0, 0, 0, 0, 0, RV_LOAD_PARTIAL, false, 0, 0 },
};

static void test_settle(void **state RV_UNUSED)
{
	for (size_t i = 0; i < sizeof(witnesses) / sizeof(*witnesses); i++) {
		const struct witness *w = &witnesses[i];
		char object[] = OBJECT;
		struct snow_file file = {
			.ledger = { .object = object, .state = w->ledger, .submitted_ms = w->submitted_ms },
			.in_ledger = w->ledger != NO, .history = w->history, .rows = w->rows,
			.errors = w->errors, .loaded_ms = w->loaded_ms, .error = "", .error_column = "",
			.raw_rows = w->raw_rows, .raw_ms = w->raw_ms,
		};
		struct rv_load settled;
		bool news = snow_settle(&file, NOW_MS, &settled);

		if (settled.state != w->state || news != w->news || settled.rows != w->want_rows ||
		    settled.rejected != w->want_rejected)
			fail_msg("%s: state %d, %s, %d rows, %d rejected", w->what, (int)settled.state,
				 news ? "news" : "no news", (int)settled.rows, (int)settled.rejected);
		assert_string_equal(settled.object, OBJECT);
		rv_load_release(&settled);
	}
}

/* Where a name does not say how many there should be, what is there is what there was. */
static void test_settle_foreign(void **state RV_UNUSED)
{
	char object[] = FOREIGN;
	struct snow_file file = { .ledger = { .object = object }, .raw_rows = 3, .raw_ms = NOW_MS };
	struct rv_load settled;

	assert_true(snow_settle(&file, NOW_MS, &settled));
	assert_int_equal(settled.state, RV_LOAD_KNOWN);
	assert_int_equal(settled.rows, 3);
	rv_load_release(&settled);
}

static void test_first_error(void **state RV_UNUSED)
{
	char object[] = OBJECT, before[] = "what was said before";
	struct snow_file file = {
		.ledger = { .object = object, .message = before, .state = RV_LOAD_QUEUED }, .in_ledger = true,
		.history = SNOW_HISTORY_LOADED, .rows = 9, .errors = 1, .error = "Error parsing JSON",
		.error_line = 3, .error_character = 14, .error_column = "\"CLICKS\"[\"RECORD\":1]",
	};
	struct rv_load settled;

	assert_true(snow_settle(&file, NOW_MS, &settled));
	assert_string_equal(settled.message,
			    "line 3, character 14, column \"CLICKS\"[\"RECORD\":1]: Error parsing JSON");
	assert_int_equal(settled.error_line, 3);
	rv_load_release(&settled);
	file.error_line = file.error_character = 0;
	file.error_column = "";
	assert_true(snow_settle(&file, NOW_MS, &settled));
	assert_string_equal(settled.message, "Error parsing JSON");
	rv_load_release(&settled);
	/* whatever of it is known */
	file.error_character = 14;
	file.bytes = 77;
	assert_true(snow_settle(&file, NOW_MS, &settled));
	assert_string_equal(settled.message, "character 14: Error parsing JSON");
	assert_int_equal(settled.bytes, 77);
	rv_load_release(&settled);
	file.error_character = 0;
	file.error_column = "\"A\"";
	assert_true(snow_settle(&file, NOW_MS, &settled));
	assert_string_equal(settled.message, "column \"A\": Error parsing JSON");
	rv_load_release(&settled);
	file.error_column = "";
	file.error = "";
	assert_true(snow_settle(&file, NOW_MS, &settled));
	assert_null(settled.message);
	rv_load_release(&settled);
}

static void test_ways(void **state RV_UNUSED)
{
	const struct rv_load_params none = { .wait = true }, force = { .force = true },
				    hand = { .by_hand = true }, both = { .by_hand = true, .force = true };
	const int64_t new_ms = NOW_MS - 1000, old_ms = NOW_MS - 14 * DAY_MS, week_ms = NOW_MS - 8 * DAY_MS;
	const struct {
		struct snow_wanted wanted;
		bool is_auto;
		const struct rv_load_params *params;
		enum snow_way way;
	} cases[] = {
		{ { false, NO, false, new_ms, 0 }, false, NULL, SNOW_WAY_SUBMIT },
		{ { false, NO, false, 0, 0 }, false, &none, SNOW_WAY_SUBMIT },
		{ { false, NO, false, old_ms, 0 }, false, &none, SNOW_WAY_OLD },
		{ { false, NO, false, old_ms, 0 }, false, &force, SNOW_WAY_COPY },
		{ { true, RV_LOAD_KNOWN, false, old_ms, 0 }, false, &force, SNOW_WAY_NONE },
		{ { true, RV_LOAD_PARTIAL, false, new_ms, 0 }, false, &none, SNOW_WAY_NONE },
		{ { true, RV_LOAD_FAILED, false, old_ms, 0 }, false, &none, SNOW_WAY_COPY },
		{ { true, RV_LOAD_FAILED, true, new_ms, 0 }, true, &none, SNOW_WAY_COPY },
		{ { true, RV_LOAD_QUEUED, false, old_ms, new_ms }, false, &none, SNOW_WAY_SUBMIT },
		{ { true, RV_LOAD_QUEUED, false, old_ms, old_ms }, false, &none, SNOW_WAY_OLD },
		{ { true, RV_LOAD_QUEUED, false, old_ms, old_ms }, false, &force, SNOW_WAY_COPY },
		{ { true, RV_LOAD_QUEUED, true, new_ms, new_ms }, false, &none, SNOW_WAY_COPY },
		{ { false, NO, false, new_ms, 0 }, true, &none, SNOW_WAY_FOLLOW },
		{ { false, NO, false, new_ms, 0 }, true, NULL, SNOW_WAY_FOLLOW },
		{ { false, NO, false, new_ms, 0 }, true, &hand, SNOW_WAY_REFRESH },
		{ { false, NO, false, 0, 0 }, true, &hand, SNOW_WAY_REFRESH },
		{ { false, NO, false, week_ms, 0 }, true, &hand, SNOW_WAY_OLD },
		{ { false, NO, false, week_ms, 0 }, true, &both, SNOW_WAY_COPY },
		{ { false, NO, false, old_ms, 0 }, true, &none, SNOW_WAY_OLD },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		enum snow_way way = snow_choose_way(&cases[i].wanted, cases[i].is_auto, cases[i].params,
						    NOW_MS);

		if (way != cases[i].way)
			fail_msg("case %zu: %d, not %d", i, (int)way, (int)cases[i].way);
	}
}

static void test_rows_json(void **state RV_UNUSED)
{
	struct rv_stream stream;
	struct rv_error err = RV_ERROR_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf json = RV_STRBUF_INIT;
	char one_name[] = "data/web/clicks/a\"b", two_name[] = "data/web/clicks/c", said[] = "line 1: \"x\"";
	struct rv_load one = { .object = one_name, .bytes = 5, .state = RV_LOAD_QUEUED };
	struct rv_load two = { .object = two_name, .state = RV_LOAD_PARTIAL, .rows = 8, .rejected = 2,
			       .loaded_ms = NOW_MS, .error_line = 1, .message = said };
	struct rv_load *items[] = { &one, &two };

	rv_stream_init(&stream);
	assert_int_equal(rv_stream_parse_name("web/clicks", &stream, &err), RV_OK);
	snow_ledger_rows(&json, &stream, items, 2, "pipe");
	assert_string_equal(json.bytes,
			    "[{\"f\":\"a\\\"b\",\"s\":\"submitted\",\"v\":\"pipe\",\"b\":5},"
			    "{\"f\":\"c\",\"s\":\"partial\",\"v\":\"pipe\",\"r\":8,\"p\":10,\"e\":2,"
			    "\"m\":\"line 1: \\\"x\\\"\",\"n\":1,\"l\":\"2026-11-20T16:58:51.000Z\"}]");
	/* what is not over has no rows yet, whatever is known of them */
	struct rv_load pending = { .object = one_name, .state = RV_LOAD_PENDING, .rows = 1, .message = said, .error_line = 1,
				   .loaded_ms = NOW_MS };
	struct rv_load done[] = {
		{ .object = two_name, .state = RV_LOAD_LOADED, .rows = 1 },
		{ .object = two_name, .state = RV_LOAD_KNOWN, .rows = 2 },
		{ .object = two_name, .state = RV_LOAD_FAILED, .rejected = 3 },
	};
	struct rv_load *more[] = { &pending, &done[0], &done[1], &done[2] };

	rv_strbuf_clear(&json);
	snow_ledger_rows(&json, &stream, more, 4, NULL);
	assert_string_equal(json.bytes, "[{\"f\":\"a\\\"b\",\"s\":\"submitted\"},"
					"{\"f\":\"c\",\"s\":\"loaded\",\"r\":1,\"p\":1,\"e\":0},"
					"{\"f\":\"c\",\"s\":\"loaded\",\"r\":2,\"p\":2,\"e\":0},"
					"{\"f\":\"c\",\"s\":\"failed\",\"r\":0,\"p\":3,\"e\":3}]");
	rv_stream_release(&stream);
}

static void test_pipe_status(void **state RV_UNUSED)
{
	static const char running[] =
		"{\"executionState\":\"RUNNING\",\"pendingFileCount\":3,\"oldestFileTimestamp\":"
		"\"2026-11-20T16:58:51.000Z\",\"notificationChannelName\":\"arn:aws:sqs:x\"}";
	static const char stalled[] =
		"{\"executionState\":\"STALLED_STAGE_PERMISSION_ERROR\",\"pendingFileCount\":0,"
		"\"error\":\"no access\"}";
	struct rv_warehouse_pipe pipe;

	assert_true(snow_pipe_status_parse(running, sizeof(running) - 1, &pipe));
	assert_true(pipe.runs);
	assert_int_equal(pipe.pending, 3);
	assert_int_equal(pipe.oldest_ms, NOW_MS);
	assert_int_equal(pipe.last_loaded_ms, -1);
	assert_string_equal(pipe.channel, "arn:aws:sqs:x");
	assert_true(snow_pipe_status_parse(stalled, sizeof(stalled) - 1, &pipe));
	assert_false(pipe.runs);
	assert_string_equal(pipe.error, "no access");
	assert_false(snow_pipe_status_parse("null", 4, &pipe));
	assert_false(snow_pipe_status_parse("{\"a\":1}", 7, &pipe));
	assert_false(snow_pipe_status_parse("[", 1, &pipe));
}

static void test_cells(void **state RV_UNUSED)
{
	const struct rv_str cells[] = { RV_STR("1795193931.123999999"), RV_STR("1795193931.1 1440"),
					RV_STR("1795193931"), { NULL, 0 }, RV_STR("x"), RV_STR("42"),
					RV_STR("18446744073709551.5"), RV_STR("1795193931.2x9") };
	const struct rv_snowflake_page page = { .columns_count = 8, .values = cells, .count = 1 };

	assert_int_equal(snow_ms(&page, 0, 0), NOW_MS + 123);
	assert_int_equal(snow_ms(&page, 0, 1), NOW_MS + 100);
	assert_int_equal(snow_ms(&page, 0, 2), NOW_MS);
	assert_int_equal(snow_ms(&page, 0, 3), 0);
	assert_int_equal(snow_ms(&page, 0, 4), 0);
	assert_int_equal(snow_ms(&page, 0, 6), 0);
	assert_int_equal(snow_ms(&page, 0, 7), NOW_MS + 200);
	assert_int_equal(snow_u64(&page, 0, 3), 0);
	assert_int_equal(snow_u64(&page, 0, 5), 42);
	assert_string_equal(snow_text(&page, 0, 3).p, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_settle),	   cmocka_unit_test(test_settle_foreign),
		cmocka_unit_test(test_first_error), cmocka_unit_test(test_ways),
		cmocka_unit_test(test_rows_json),   cmocka_unit_test(test_pipe_status),
		cmocka_unit_test(test_cells),
	};

	return cmocka_run_group_tests_name("snowflake_ledger", tests, NULL, NULL);
}

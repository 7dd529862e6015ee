/* Answers of Snowflake that are not what was asked for: columns that are missing, and numbers that are none. Nothing
 * counts as loaded, found, done or empty because of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/memory.h"
#include "snowflake/internal.h"
#include "warehouse/changes.h"
#include "warehouse/snowflake_extract.h"
#include "warehouse/snowflake_load.h"
#include "warehouse/snowflake_look.h"
#include "warehouse/snowflake_plan.h"

#define F "data/web/clicks/dt=2026-11-20/hr=14/"

/* ---- Snowflake: each statement is given the next answer ---- */

struct answer {
	size_t columns, rows;
	const char *cells[32];
};
static const struct answer *answers;
static size_t answers_count, answers_given, fails_at;
static char last_sql[256];
static struct rv_snowflake snowflake;
static struct rv_warehouse *warehouse;
static struct rv_stream stream;
static struct rv_error err;

enum rv_status rv_snowflake_execute(struct rv_snowflake *of RV_UNUSED, const struct rv_snowflake_statement *statement,
				    rv_snowflake_sink *sink, void *arg, struct rv_snowflake_outcome *ret_outcome,
				    struct rv_error *e)
{
	static const char *const names[] = { "file", "status", "rows_loaded", "errors_seen", "first_error" };
	struct rv_snowflake_column columns[32];
	struct rv_str values[32];
	enum rv_status status = RV_OK;

	if (ret_outcome)
		*ret_outcome = (struct rv_snowflake_outcome){ .done = 0 };
	snprintf(last_sql, sizeof(last_sql), "%s", statement->sql);
	for (unsigned i = 0; i < (statement->count ? statement->count : 1) && status == RV_OK; i++) {
		assert_true(answers_given < answers_count);
		const struct answer *a = &answers[answers_given++];

		if (answers_given == fails_at)
			return rv_fail(e, RV_FAILED, "it is away");

		for (size_t c = 0; c < a->columns; c++)
			columns[c] = (struct rv_snowflake_column){ .name = c < 5 ? names[c] : "X" };
		for (size_t v = 0; v < a->columns * a->rows; v++)
			values[v] = a->cells[v] ? rv_str_of(a->cells[v]) : (struct rv_str){ NULL, 0 };
		const struct rv_snowflake_page page = { .statement = i, .columns = columns, .columns_count = a->columns,
							.values = values, .count = a->rows };

		if (sink)
			status = sink(arg, &page, e);
	}
	return status;
}

static void start(const struct answer *all, size_t count)
{
	answers = all;
	answers_count = count;
	answers_given = fails_at = 0;
	err = (struct rv_error)RV_ERROR_INIT;
}
#define START(...)                                                                                   \
	static const struct answer all_[] = { __VA_ARGS__ };                                         \
	start(all_, sizeof(all_) / sizeof(*all_))

static void says(const char *text)
{
	if (!strstr(err.message, text) || !err.hint[0])
		fail_msg("'%s' ('%s')", err.message, err.hint);
}

static int set_up(void **state RV_UNUSED)
{
	static const struct rv_snowflake_warehouse_params params = {
		.snowflake = &snowflake, .database = "RIVER", .warehouse = "LOAD_WH", .bucket = "lake",
		.lake_prefix = "", .storage_integration = "S3" };

	warehouse = rv_warehouse_snowflake_new(&params, NULL);
	rv_stream_init(&stream);
	snprintf(stream.id, sizeof(stream.id), "01JCX0000000000000000000ZZ");
	stream.layers = RV_LAYER_RAW | RV_LAYER_CLEAN;
	stream.columns = rv_calloc(1, sizeof(*stream.columns));
	stream.columns[0] = (struct rv_column){ .name = rv_strdup("id"), .from = rv_strdup("id") };
	stream.columns_count = 1;
	return rv_stream_parse_name("web/clicks", &stream, &err) == RV_OK ? 0 : 1;
}

static int tear_down(void **state RV_UNUSED)
{
	rv_warehouse_free(warehouse);
	rv_stream_release(&stream);
	return 0;
}

/* ---- tests ---- */

static enum rv_status no_load(void *arg RV_UNUSED, const struct rv_load *load RV_UNUSED, struct rv_error *e RV_UNUSED)
{
	fail_msg("nothing was to be told");
	return RV_OK;
}

static void test_columns_are_missing(void **state RV_UNUSED)
{
	struct rv_warehouse_refused refused;
	struct rv_warehouse_counts counts;

	START({ 1, 1, { F "a" } }, { 2, 1, { "count", "1" } }, { 3, 1, { "raw", "1", "2" } });
	assert_int_equal(snow_present(warehouse, &stream, false, no_load, NULL, &err), RV_FAILED);
	says("Snowflake answers 1 columns where 2 were asked for");
	assert_int_equal(snow_refused(warehouse, &stream, false, &refused, &err), RV_FAILED);
	says("Snowflake answers 2 columns where 4 were asked for");
	assert_int_equal(snow_count(warehouse, &stream, &counts, &err), RV_FAILED);
	says("Snowflake answers 3 columns where 2 were asked for");
}

static void test_numbers_are_none(void **state RV_UNUSED)
{
	struct rv_warehouse_counts counts;

	START({ 2, 1, { "raw", "many" } }, { 2, 1, { "raw", NULL } }, { 2, 1, { "raw", "18446744073709551616" } });
	assert_int_equal(snow_count(warehouse, &stream, &counts, &err), RV_FAILED);
	says("Snowflake answers 'many' in column status, which is of numbers");
	assert_int_equal(snow_count(warehouse, &stream, &counts, &err), RV_FAILED);
	says("Snowflake answers nothing in column status");
	assert_int_equal(snow_count(warehouse, &stream, &counts, &err), RV_FAILED);
	says("'18446744073709551616'");
}

static enum rv_status count_stamps(void *arg, const struct rv_loaded_stamps *stamps, struct rv_error *e RV_UNUSED)
{
	assert_int_equal(stamps->range.seq, 1);
	++*(unsigned *)arg;
	return RV_OK;
}

/* Twenty digits are somebody's own id, and no reason to fail; as are ranges that end before they begin. */
static void test_stamps_of_others(void **state RV_UNUSED)
{
	unsigned count = 0;

	START({ 5, 4, { F "a", "r", "99999999999999999999", "1", "2", F "a", "r", "1", "5", "2",
			F "a", "r", "1", "0", "2", F "a", "r", "1", "2", "5" } },
	      { 2, 1, { F "a", "r" } });
	assert_int_equal(snow_stamps(warehouse, &stream, count_stamps, &count, &err), RV_OK);
	assert_int_equal(count, 1);
	assert_int_equal(snow_stamps(warehouse, &stream, count_stamps, &count, &err), RV_FAILED);
}

/* An extract that is not found is loaded, and once more is twice. */
static void test_the_ledger_of_extracts(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf summary = RV_STRBUF_INIT;
	uint64_t n;
	bool found;

	START({ 1, 1, { "{}" } }, { 1, 1, { "seven" } }, { 1, 1, { NULL } });
	assert_int_equal(snow_extract_find(warehouse, "shop", "i", &summary, &found, &err), RV_FAILED);
	says("Snowflake answers 1 columns where 2 were asked for");
	assert_int_equal(snow_extract_number(warehouse, &n, &err), RV_FAILED);
	assert_int_equal(snow_extract_number(warehouse, &n, &err), RV_FAILED);
}

static void test_extracts_of_another_order(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf name = RV_STRBUF_INIT;
	const struct rv_extract extract = { .job = "shop", .name = "a.zip", .order = "a.zip" };

	START({ 1, 1, { "b.zip" } }, { 1, 0, { NULL } }, { 1, 1, { NULL } }, { 2, 1, { "b", "c" } });
	assert_int_equal(snow_extract_above(warehouse, &extract, &name, &err), RV_OK);
	assert_string_equal(name.bytes, "b.zip");
	rv_strbuf_clear(&name);
	assert_int_equal(snow_extract_above(warehouse, &extract, &name, &err), RV_OK);
	assert_string_equal(name.bytes, "");
	assert_int_equal(snow_extract_above(warehouse, &extract, &name, &err), RV_FAILED);
	assert_int_equal(snow_extract_above(warehouse, &extract, &name, &err), RV_FAILED);
	says("Snowflake answers 2 columns where 1 were asked for");
}

/* ---- documents ---- */

static enum rv_status no_row(void *arg RV_UNUSED, size_t table RV_UNUSED, const struct rv_str *cells RV_UNUSED,
			     size_t count RV_UNUSED, struct rv_error *e RV_UNUSED)
{
	fail_msg("no such row was to be told");
	return RV_OK;
}

static enum rv_status no_key(void *arg RV_UNUSED, const struct rv_str *key RV_UNUSED, size_t count RV_UNUSED,
			     struct rv_error *e RV_UNUSED)
{
	fail_msg("no such key was to be told");
	return RV_OK;
}

/* Whoever makes documents of them has as many columns as the table, and a key that is whole. */
static void test_rows_of_documents(void **state RV_UNUSED)
{
	char *key_items[] = { (char[]){ "id" } };
	const struct rv_string_list key = { key_items, 1 };
	const struct rv_column columns[] = { { .name = (char[]){ "id" } }, { .name = (char[]){ "v" } } };
	struct rv_extract_table table = { .schema = "dw", .name = "t", .columns = columns, .columns_count = 2,
					  .key = &key, .merge = true };
	struct rv_extract_node node = { .table = 0 };
	struct rv_extract_document document = { .name = "d", .nodes = &node, .nodes_count = 1 };
	const struct rv_extract extract = { .job = "shop", .identity = "i", .name = "1.zip", .order = "1",
					    .summary = "{}", .tables = &table, .tables_count = 1,
					    .documents = &document, .documents_count = 1 };
	const struct rv_extract_changes changes = { .row = no_row, .gone = no_key };

	/* the first finds the keys, the second is of rows, the last of keys that are gone */
	START({ 1, 0, { NULL } }, { 3, 1, { "1", "2", "3" } }, { 1, 0, { NULL } }, { 2, 0, { NULL } }, { 1, 1, { NULL } },
	      { 1, 0, { NULL } }, { 2, 0, { NULL } }, { 2, 1, { "1", "2" } });
	for (size_t i = 0; i < 3; i++) {
		((struct rv_snowflake_warehouse *)warehouse)->extracts_made = rv_strdup("shop");
		answers_given = i == 0 ? 0 : i == 1 ? 2 : 5;
		assert_int_equal(snow_extract_changed(warehouse, &extract, 0, &changes, &err), RV_FAILED);
		says(i == 0 ? "3 columns where 2" : i == 1 ? "answers nothing" : "2 columns where 1");
		free(rv_take(((struct rv_snowflake_warehouse *)warehouse)->extracts_made));
	}
}

/* ---- loading ---- */

#define LEDGER_ROW(name, state)                                                                      \
	{ 23, 1, { F name, state, NULL, "1", "1", "0", NULL, NULL, NULL, NULL, "0", NULL, NULL, NULL, NULL, NULL, NULL, \
		   NULL, NULL, NULL, NULL, NULL, NULL } }

/* COPY says what became of a file in words that are known, and with counts; else its history is asked. */
static void copies(const char *status, const char *rows, const char *errors, enum rv_load_state want)
{
	const struct answer all[] = {
		LEDGER_ROW("a.zst", "failed"), { 1, 1, { "1" } }, { 1, 0, { NULL } }, { 1, 0, { NULL } },
		{ 4, 1, { "s3://lake/" F "a.zst", status, rows, errors } }, { 1, 0, { NULL } },
		/* the ledger is written, or read again */
		LEDGER_ROW("a.zst", "submitted"),
	};
	struct rv_load item = { .object = rv_strdup(F "a.zst"), .modified_ms = 1 };

	start(all, sizeof(all) / sizeof(*all));
	stream.layers = RV_LAYER_RAW; /* none is refreshed */
	if (warehouse->ops->load(warehouse, &stream, &item, 1, NULL, &err) != RV_OK)
		fail_msg("%s", err.message);
	assert_int_equal(item.state, want);
	assert_int_equal(answers_given, answers_count);
	rv_load_release(&item);
}

static void test_what_copy_says(void **state RV_UNUSED)
{
	copies("LOADED", "3", "0", RV_LOAD_LOADED);
	copies("PARTIALLY_LOADED", "3", "1", RV_LOAD_PARTIAL);
	copies("LOAD_FAILED", "0", NULL, RV_LOAD_FAILED);
	copies("LOADED", NULL, "0", RV_LOAD_QUEUED);
	copies("LOADED", "3", "x", RV_LOAD_QUEUED);
	copies("LOAD_SKIPPED", "0", "0", RV_LOAD_QUEUED);
	copies(NULL, "3", "0", RV_LOAD_QUEUED);
}

static void test_a_state_of_a_newer_river(void **state RV_UNUSED)
{
	START(LEDGER_ROW("a.zst", "frozen"));
	assert_int_equal(snow_history_op(warehouse, &stream, no_load, NULL, &err), RV_BAD_CONFIG);
	says("the ledger says 'frozen' of " F "a.zst");
}

/* A pipe that is made again forgets what it was told of: it must say that nothing is left. */
static void test_a_pipe_that_does_not_say(void **state RV_UNUSED)
{
	static const struct answer said[] = {
		{ 1, 1, { "{\"executionState\":\"PAUSED\"}" } },
		{ 1, 1, { "{\"executionState\":\"PAUSED\",\"pendingFileCount\":\"0\"}" } },
		{ 1, 1, { "{\"executionState\":\"PAUSED\",\"pendingFileCount\":-1}" } },
		{ 1, 1, { "PAUSED" } },
		{ 1, 1, { NULL } },
		{ 1, 0, { NULL } },
		{ 1, 1, { "{\"executionState\":\"PAUSED\",\"pendingFileCount\":0}" } },
	};
	const struct rv_change_params params = { .workers = 1 };
#define RESUMES "ALTER PIPE P SET PIPE_EXECUTION_PAUSED = FALSE"

	for (size_t i = 0; i < sizeof(said) / sizeof(*said); i++) {
		const struct answer all[] = { { 1, 0, { NULL } }, said[i], { 1, 0, { NULL } } };
		bool is_good = i == sizeof(said) / sizeof(*said) - 1;
		RV_CLEANUP(rv_changes_release) struct rv_changes changes = { .count = 0 };
		size_t place = rv_changes_add(&changes, RV_CHANGE_REPLACE, &stream, rv_strdup("pipe P"), rv_strdup("differs"));

		rv_change_add_statement(&changes.items[place], "ALTER PIPE");
		rv_change_add_statement(&changes.items[place], "CREATE OR REPLACE PIPE");
		changes.items[place].drains = rv_strdup("P");
		start(all, 3);
		enum rv_status status = snow_change(warehouse, &changes, &params, &err);

		assert_int_equal(changes.items[place].state, is_good ? RV_CHANGE_DONE : RV_CHANGE_FAILED);
		assert_int_equal(answers_given, 3);
		assert_int_equal(status, is_good ? RV_OK : RV_FAILED);
		assert_string_equal(last_sql, is_good ? "CREATE OR REPLACE PIPE" : RESUMES);
		if (!is_good)
			says("does not say how many files");
	}
}

/* Nothing is loaded while a pipe is paused: whatever fails behind that, it goes on. */
static void test_a_pipe_that_is_not_made(void **state RV_UNUSED)
{
	static const struct answer all[] = {
		{ 1, 0, { NULL } },
		{ 1, 1, { "{\"pendingFileCount\":0}" } },
		{ 1, 0, { NULL } },
		{ 1, 0, { NULL } },
	};
	const struct rv_change_params params = { .workers = 1 };

	for (size_t at = 2; at <= 3; at++) {
		RV_CLEANUP(rv_changes_release) struct rv_changes changes = { .count = 0 };
		size_t place = rv_changes_add(&changes, RV_CHANGE_REPLACE, &stream, rv_strdup("pipe P"), rv_strdup("differs"));

		rv_change_add_statement(&changes.items[place], "ALTER PIPE");
		rv_change_add_statement(&changes.items[place], "CREATE OR REPLACE PIPE");
		changes.items[place].drains = rv_strdup("P");
		start(all, 4);
		fails_at = at;
		assert_int_not_equal(snow_change(warehouse, &changes, &params, &err), RV_OK);
		assert_int_equal(changes.items[place].state, RV_CHANGE_FAILED);
		assert_non_null(strstr(err.message, "it is away"));
		assert_int_equal(answers_given, at + 1);
		assert_string_equal(last_sql, RESUMES);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_columns_are_missing),
		TEST(test_numbers_are_none),
		TEST(test_stamps_of_others),
		TEST(test_the_ledger_of_extracts),
		TEST(test_extracts_of_another_order),
		TEST(test_rows_of_documents),
		TEST(test_what_copy_says),
		TEST(test_a_state_of_a_newer_river),
		TEST(test_a_pipe_that_does_not_say),
		TEST(test_a_pipe_that_is_not_made),
	};

	return cmocka_run_group_tests_name("snowflake_page", tests, NULL, NULL);
}

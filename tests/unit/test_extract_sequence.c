/* What is kept of a sequence: which numbers are missing, through the writes of others, and when it is not
 * to be had. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>

#include "flaky_store.h"

#include "flow/extract_sequence.h"

#define NAME "_river/extracts/seq/sequence.json"
/* as often as a number is tried to be noted */
#define ATTEMPTS 20

struct world {
	struct rv_store *lake;
	struct flaky flaky;
	struct rv_job job;
	struct rv_extract_params params;
	struct extract_sequence sequence;
	struct rv_error err;
};

static int world_start(void **state)
{
	struct world *w = rv_calloc(1, sizeof(*w));

	w->lake = rv_store_mem_new();
	flaky_init(&w->flaky, w->lake);
	w->job.name = rv_strdup("seq");
	w->params = (struct rv_extract_params){ .job = &w->job, .lake = &w->flaky.base };
	*state = w;
	return 0;
}

static int world_stop(void **state)
{
	struct world *w = *state;

	extract_sequence_release(&w->sequence);
	rv_store_free(w->lake);
	free(w->job.name);
	free(w);
	return 0;
}

static void put(struct world *w, const char *text)
{
	assert_int_equal(rv_store_put_bytes(w->lake, NAME, text, strlen(text),
					    &(struct rv_store_put){ .if_absent = false }, &w->err),
			 RV_OK);
}

static void expect_kept(struct world *w, const char *want)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	char etag[RV_ETAG_TEXT];

	assert_int_equal(w->lake->ops->get(w->lake, NAME, 1 << 20, &text, etag, &w->err), RV_OK);
	assert_string_equal(text.bytes, want);
}

static enum rv_status took(struct world *w, uint64_t number)
{
	w->err = (struct rv_error)RV_ERROR_INIT;
	return extract_sequence_took(&w->params, &w->sequence, number, &w->err);
}

static void test_numbers_leave_gaps_and_fill_them(void **state)
{
	struct world *w = *state;
	static const struct {
		uint64_t number;
		const char *kept;
	} steps[] = {
		{ 1, "{\"v\":1,\"last\":1,\"missing\":[]}\n" },
		{ 9, "{\"v\":1,\"last\":9,\"missing\":[[2,8]]}\n" },
		{ 5, "{\"v\":1,\"last\":9,\"missing\":[[2,4],[6,8]]}\n" },
		{ 2, "{\"v\":1,\"last\":9,\"missing\":[[3,4],[6,8]]}\n" },
		{ 8, "{\"v\":1,\"last\":9,\"missing\":[[3,4],[6,7]]}\n" },
		{ 8, "{\"v\":1,\"last\":9,\"missing\":[[3,4],[6,7]]}\n" },
		{ 3, "{\"v\":1,\"last\":9,\"missing\":[[4,4],[6,7]]}\n" },
		{ 4, "{\"v\":1,\"last\":9,\"missing\":[[6,7]]}\n" },
		{ 10, "{\"v\":1,\"last\":10,\"missing\":[[6,7]]}\n" },
	};

	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		assert_int_equal(took(w, steps[i].number), RV_OK);
		expect_kept(w, steps[i].kept);
	}
}

/* Other shards write it meanwhile. */
static void test_lost_writes_are_done_again(void **state)
{
	struct world *w = *state;

	w->flaky.refuse_puts = ATTEMPTS - 1;
	assert_int_equal(took(w, 3), RV_OK);
	expect_kept(w, "{\"v\":1,\"last\":3,\"missing\":[]}\n");
	put(w, "{\"v\":1,\"last\":7,\"missing\":[[4,6]]}\n");
	w->flaky.refuse_puts = ATTEMPTS - 1;
	assert_int_equal(took(w, 5), RV_OK);
	expect_kept(w, "{\"v\":1,\"last\":7,\"missing\":[[4,4],[6,6]]}\n");
	assert_int_equal(w->flaky.refuse_puts, 0);
}

static void test_and_given_up_in_the_end(void **state)
{
	struct world *w = *state;

	put(w, "{\"v\":1,\"last\":7,\"missing\":[[4,6]]}\n");
	w->flaky.refuse_puts = ATTEMPTS;
	assert_int_equal(took(w, 5), RV_FAILED);
	assert_int_equal(w->flaky.refuse_puts, 0);
	assert_true(w->err.transient);
	assert_non_null(strstr(w->err.message, NAME " in the lake was changed by others 20 times in a row"));
	assert_non_null(strstr(w->err.hint, "again"));
	expect_kept(w, "{\"v\":1,\"last\":7,\"missing\":[[4,6]]}\n");
	/* which was no lie */
	assert_int_equal(took(w, 5), RV_OK);
	expect_kept(w, "{\"v\":1,\"last\":7,\"missing\":[[4,4],[6,6]]}\n");
}

static void test_what_is_no_conflict_is_not_tried_again(void **state)
{
	struct world *w = *state;

	for (unsigned operation = 1; operation <= 2; operation++) { /* the get, the put */
		rv_store_mem_fail(w->lake, operation, false, RV_LOCAL_IO);
		assert_int_equal(took(w, 5), RV_LOCAL_IO);
		assert_non_null(strstr(w->err.message, "failure on purpose"));
		rv_store_free(w->lake);
		w->lake = rv_store_mem_new();
		flaky_init(&w->flaky, w->lake);
	}
}

static void test_a_damaged_one_is_told(void **state)
{
	struct world *w = *state;
	static const char *const bad[] = {
		"", "[]", "{}", "{\"v\":1,\"last\":\"7\",\"missing\":[]}", "{\"v\":1,\"last\":7}", "{\"last\":7,\"missing\":[]}",
		"{\"v\":1,\"last\":-7,\"missing\":[[1,2]]}", "{\"v\":1,\"last\":7,\"missing\":[[6,4]]}",
		"{\"v\":1,\"last\":7,\"missing\":[[-1,4]]}", "{\"v\":1,\"last\":7,\"missing\":[[1]]}",
		"{\"v\":1,\"last\":7,\"missing\":[[1,2],[\"3\",4]]}", "{\"v\":1,\"last\":7,\"missing\":[[1,2]]",
		"{\"v\":1,\"last\":7,\"missing\":[[3,4],[1,2]]}", "{\"v\":1,\"last\":7,\"missing\":[[3,4],[4,5]]}",
		"{\"v\":1,\"last\":7,\"missing\":[[3,7]]}", "{\"v\":1,\"last\":7,\"last\":8,\"missing\":[]}",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		put(w, bad[i]);
		assert_int_equal(took(w, 8), RV_DAMAGED);
		assert_string_equal(w->err.message, NAME " in the lake is damaged");
	}
}

static void test_one_of_a_newer_river_is_left_alone(void **state)
{
	struct world *w = *state;

	put(w, "{\"v\":2,\"next\":8}");
	assert_int_equal(took(w, 8), RV_BAD_CONFIG);
	assert_string_equal(w->err.message, NAME " was written by a newer river (version 2)");
	expect_kept(w, "{\"v\":2,\"next\":8}");
}

/* JSON has no larger ones. */
static void test_numbers_that_cannot_be_kept(void **state)
{
	struct world *w = *state;
	uint64_t number;

	w->job.sequence = rv_strdup("e-{number}.zip");
	assert_true(extract_sequence_number(&w->job, "e-9223372036854775807.zip", &number));
	assert_true(number == INT64_MAX);
	assert_false(extract_sequence_number(&w->job, "e-9223372036854775808.zip", &number));
	assert_false(extract_sequence_number(&w->job, "e-18446744073709551616.zip", &number));
	free(w->job.sequence);
	w->job.sequence = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(function) cmocka_unit_test_setup_teardown(function, world_start, world_stop)
		TEST(test_numbers_leave_gaps_and_fill_them),
		TEST(test_lost_writes_are_done_again),
		TEST(test_and_given_up_in_the_end),
		TEST(test_what_is_no_conflict_is_not_tried_again),
		TEST(test_a_damaged_one_is_told),
		TEST(test_one_of_a_newer_river_is_left_alone),
		TEST(test_numbers_that_cannot_be_kept),
	};

	return cmocka_run_group_tests_name("extract_sequence", tests, NULL, NULL);
}

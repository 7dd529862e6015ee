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
	w->job.file = rv_strdup("seq.yaml");
	w->job.sequence = rv_strdup("ext-{number}*.zip");
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
	free(w->job.file);
	free(w->job.sequence);
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
		{ 7, "{\"v\":1,\"last\":10,\"missing\":[[6,6]]}\n" },
		/* many gaps */
		{ 12, "{\"v\":1,\"last\":12,\"missing\":[[6,6],[11,11]]}\n" },
		{ 22, "{\"v\":1,\"last\":22,\"missing\":[[6,6],[11,11],[13,21]]}\n" },
		{ 14, "{\"v\":1,\"last\":22,\"missing\":[[6,6],[11,11],[13,13],[15,21]]}\n" },
		{ 16, "{\"v\":1,\"last\":22,\"missing\":[[6,6],[11,11],[13,13],[15,15],[17,21]]}\n" },
		{ 18, "{\"v\":1,\"last\":22,\"missing\":[[6,6],[11,11],[13,13],[15,15],[17,17],[19,21]]}\n" },
		{ 20, "{\"v\":1,\"last\":22,\"missing\":[[6,6],[11,11],[13,13],[15,15],[17,17],[19,19],[21,21]]}\n" },
		{ 30, "{\"v\":1,\"last\":30,\"missing\":[[6,6],[11,11],[13,13],[15,15],[17,17],[19,19],[21,21],"
		      "[23,29]]}\n" },
		{ 25, "{\"v\":1,\"last\":30,\"missing\":[[6,6],[11,11],[13,13],[15,15],[17,17],[19,19],[21,21],"
		      "[23,24],[26,29]]}\n" },
		{ 5, "{\"v\":1,\"last\":30,\"missing\":[[6,6],[11,11],[13,13],[15,15],[17,17],[19,19],[21,21],"
		     "[23,24],[26,29]]}\n" },
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
	/* somebody took it away in between */
	w->flaky.refuse_puts = 1;
	w->flaky.refuse_status = RV_NOT_FOUND;
	assert_int_equal(took(w, 8), RV_OK);
	expect_kept(w, "{\"v\":1,\"last\":8,\"missing\":[[4,4],[6,6]]}\n");
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
		"{\"v\":1,\"missing\":[[1,2]]}", "{\"v\":1,\"last\":7,\"missing\":[[1,\"2\"]]}",
		"{\"v\":1,\"last\":7,\"missing\":{}}",
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

/* ---- numbers of files ---- */

static void test_numbers_of_names(void **state)
{
	struct world *w = *state;
	static const struct {
		const char *name;
		bool good;
		uint64_t number;
	} names[] = {
		{ "ext-12.zip", true, 12 },
		{ "/drop/ext-9/ext-00012-part.zip", true, 12 },
		{ "ext-9223372036854775807.zip", true, INT64_MAX },
		/* what could not be written down again */
		{ "ext-9223372036854775808.zip", false, 0 },
		{ "ext-18446744073709551616.zip", false, 0 },
		{ "ext-.zip", false, 0 },
		{ "12.zip", false, 0 },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		uint64_t number;

		assert_int_equal(extract_sequence_number(&w->job, names[i].name, &number), names[i].good);
		if (names[i].good)
			assert_true(number == names[i].number);
	}
}

/* The archives of these names, in this order; one with a + in front of it was taken before. */
static struct extract_archives archives_of(const struct rv_job *job, const char *const *names)
{
	struct extract_archives all = { .items = NULL };

	for (; *names; names++) {
		RV_GROW(all.items, all.count, all.capacity);
		all.items[all.count++] = (struct extract_archive){
			.name = rv_strdup(*names + (**names == '+')), .seen = **names == '+' };
	}
	extract_sequence_find(job, &all);
	return all;
}

static void release(struct extract_archives *all)
{
	for (size_t i = 0; i < all->count; i++)
		free(all->items[i].name);
	free(all->items);
	free(all->numbers);
}

static void test_gaps(void **state)
{
	struct world *w = *state;
	static const char *const names[] = { "ext-14.zip", "ext-11.zip", "ext-12.zip", "other.zip", "ext-12-b.zip",
					     "ext-20.zip", "ext-17.zip", NULL };
	static const struct {
		uint64_t last, number, first_missing, last_missing; /* 0: none is */
	} gaps[] = {
		{ 10, 11, 0, 0 },    { 10, 12, 0, 0 },	  { 10, 14, 13, 13 }, { 9, 11, 10, 10 },
		{ 9, 20, 10, 10 },   { 14, 17, 15, 16 },  { 13, 17, 15, 16 }, { 12, 20, 13, 13 },
		{ 17, 20, 18, 19 },  { 20, 20, 0, 0 },	  { 20, 11, 0, 0 },   { 20, 25, 21, 24 },
		{ 0, 11, 1, 10 },
	};
	struct extract_archives all = archives_of(&w->job, names);
	struct extract_range gap;

	assert_int_equal(all.numbers_count, 5);
	for (size_t i = 0; i < sizeof(gaps) / sizeof(*gaps); i++) {
		w->sequence = (struct extract_sequence){ .begun = true, .last = gaps[i].last };
		bool found = extract_sequence_gap(&w->sequence, &all, gaps[i].number, &gap);

		if (found != (gaps[i].first_missing > 0) ||
		    (found && (gap.first != gaps[i].first_missing || gap.last != gaps[i].last_missing)))
			fail_msg("behind %d, before %d: %d to %d", (int)gaps[i].last, (int)gaps[i].number,
				 found ? (int)gap.first : 0, found ? (int)gap.last : 0);
	}
	w->sequence.begun = false;
	assert_false(extract_sequence_gap(&w->sequence, &all, 20, &gap));
	release(&all);
}

static void test_where_it_begins(void **state)
{
	struct world *w = *state;
	static const struct {
		const char *names[6], *kept; /* kept: NULL: nothing is */
		bool begun;
		uint64_t last;
		size_t missing;
	} cases[] = {
		{ { NULL }, NULL, false, 0, 0 },
		{ { "other.zip" }, NULL, false, 0, 0 },
		{ { "ext-5.zip", "ext-7.zip" }, NULL, true, 4, 0 },
		{ { "ext-0.zip", "ext-1.zip" }, NULL, false, 0, 0 },
		/* taken before the job had a sequence */
		{ { "ext-5.zip", "+ext-7.zip", "+other.zip", "+ext-9.zip" }, NULL, true, 9, 2 },
		{ { "+ext-3.zip", "+ext-3-b.zip" }, NULL, true, 3, 0 },
		{ { "ext-5.zip", "+ext-7.zip" }, "{\"v\":1,\"last\":30,\"missing\":[[4,5]]}", true, 30, 1 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct extract_archives all = archives_of(&w->job, cases[i].names);
		struct extract_sequence got;

		if (cases[i].kept)
			put(w, cases[i].kept);
		assert_int_equal(extract_sequence_read(&w->params, &all, &got, &w->err), RV_OK);
		assert_int_equal(got.begun, cases[i].begun);
		assert_int_equal(got.last, cases[i].last);
		assert_int_equal(got.missing_count, cases[i].missing);
		extract_sequence_release(&got);
		release(&all);
	}
	struct extract_archives none = { .items = NULL };
	struct extract_sequence got;

	put(w, "{");
	assert_int_equal(extract_sequence_read(&w->params, &none, &got, &w->err), RV_DAMAGED);
	/* for --check there may be no lake */

	w->params.lake = NULL;
	assert_int_equal(extract_sequence_read(&w->params, &none, &got, &w->err), RV_OK);
	assert_false(got.begun);
}

static void test_names_against_numbers(void **state)
{
	struct world *w = *state;
	static const char *const bad[] = { "ext-10.zip", "other.zip", "ext-9.zip", NULL };
	struct extract_archives all = archives_of(&w->job, bad);
	struct extract_sequence got;

	assert_int_equal(extract_sequence_read(&w->params, &all, &got, &w->err), RV_BAD_CONFIG);
	assert_string_equal(w->err.message, "ext-10.zip comes before ext-9.zip by name, and after it by number");
	assert_string_equal(w->err.hint, "write source: { order: number } into seq.yaml");
	/* by time, one may be late */
	w->job.source_order = RV_JOB_ORDER_TIME;
	assert_int_equal(extract_sequence_read(&w->params, &all, &got, &w->err), RV_OK);
	assert_int_equal(got.last, 8);
	release(&all);
}

static void test_ranges_in_words(void **state RV_UNUSED)
{
	static const struct {
		struct extract_range range;
		const char *text;
	} cases[] = {
		{ { 12, 12 }, "12" }, { { 12, 13 }, "12 and 13" }, { { 12, 14 }, "12 to 14" },
		{ { 0, INT64_MAX }, "0 to 9223372036854775807" },
	};
	char text[EXTRACT_RANGE_TEXT];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_string_equal(extract_range_text(&cases[i].range, text), cases[i].text);
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
		TEST(test_numbers_of_names),
		TEST(test_gaps),
		TEST(test_where_it_begins),
		TEST(test_names_against_numbers),
		TEST(test_ranges_in_words),
	};

	return cmocka_run_group_tests_name("extract_sequence", tests, NULL, NULL);
}

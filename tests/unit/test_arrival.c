/* Waiting for what Firehose took, in a lake in memory in which objects appear while time passes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "flow/arrival.h"

#define FIREHOSE(folder, n)                                                                        \
	"data/web/clicks/" folder "/river-web-clicks-1-2026-11-20-15-03-00-0a1b2c3d-4e5f-6071-8293-" \
	"00000000000" n
#define TODAY "dt=2026-11-20/hr=15"
#define RECEIPT "_river/receipts/web/clicks/2026-11-20/"
#define STAMPED(seq, n) "{\"_river\":{\"id\":\"run1-00000" seq "-" n "\"}}"

struct world {
	struct rv_store *lake;
	struct rv_stream stream;
	struct rv_arrival_params params;
	struct rv_arrival arrival;
	struct rv_error err;
	const char *runs[2];
	int64_t now_ms;
	unsigned looks;
	void (*meanwhile)(struct world *w, unsigned looks);
	bool stop;
};
static struct world *current;

static int64_t pass(void *arg, int64_t ms)
{
	struct world *w = arg;
	w->now_ms += ms;
	return w->now_ms;
}

static void looked(void *arg, uint64_t arrived RV_UNUSED, uint64_t accepted RV_UNUSED)
{
	struct world *w = arg;
	w->looks++;
	if (w->meanwhile)
		w->meanwhile(w, w->looks);
}

static bool should_stop(void)
{
	return current->stop;
}

static int set_up(void **state)
{
	struct world *w = rv_calloc(1, sizeof(*w));
	w->lake = rv_store_mem_new();
	rv_stream_init(&w->stream);
	assert_int_equal(rv_stream_parse_name("web/clicks", &w->stream, &w->err), RV_OK);
	w->stream.stamp = RV_STAMP_ID;
	w->runs[0] = "run1";
	w->params = (struct rv_arrival_params){
		.lake = w->lake, .stream = &w->stream, .runs = w->runs, .runs_count = 1,
		.timeout_ms = -1, .pass = pass, .progress = looked, .should_stop = should_stop, .arg = w,
	};
	*state = current = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	rv_arrival_release(&w->arrival);
	rv_store_free(w->lake);
	rv_stream_release(&w->stream);
	free(w);
	return 0;
}

static void put(struct world *w, const char *name, const char *bytes)
{
	struct rv_store_put none = { .if_absent = false };
	assert_int_equal(rv_store_put_bytes(w->lake, name, bytes, strlen(bytes), &none, &w->err), RV_OK);
}

static void receipts(struct world *w)
{
	put(w, RECEIPT "run0-a9-x0-b1-h0000000000000009.json", "{}");
	put(w, RECEIPT "run1-a4-x1-b2-h0000000000000004.json", "{}");
}

static enum rv_status wait_for(struct world *w)
{
	rv_arrival_release(&w->arrival);
	w->looks = 0;
	w->err = (struct rv_error)RV_ERROR_INIT;
	return rv_arrival_wait(&w->params, &w->arrival, &w->err);
}

static void land_slowly(struct world *w, unsigned looks)
{
	if (looks == 1)
		put(w, FIREHOSE(TODAY, "1"), STAMPED("0", "1") STAMPED("0", "1") "{\"a\":1}");
	if (looks == 2)
		put(w, FIREHOSE(TODAY, "2"), "{\"_river\":{\"id\":\"run0-000000-1\"}}\n");
	if (looks == 3) /* a clock that is behind, over midnight */
		put(w, FIREHOSE("dt=2026-11-19/hr=23", "3"), STAMPED("1", "2") "\n" STAMPED("0", "2") "\n");
	if (looks == 4)
		put(w, FIREHOSE("dt=2026-11-21/hr=00", "4"), STAMPED("1", "1") "\n");
}

static void test_all_arrive(void **state)
{
	struct world *w = *state;
	receipts(w);
	w->meanwhile = land_slowly;
	assert_int_equal(wait_for(w), RV_OK);
	assert_int_equal(w->arrival.accepted, 4);
	assert_int_equal(w->arrival.arrived, 4);
	assert_int_equal(w->looks, 5);
	assert_int_equal(w->arrival.objects_count, 3);
	assert_true(rv_arrival_has(&w->arrival, FIREHOSE(TODAY, "1")));
	assert_false(rv_arrival_has(&w->arrival, FIREHOSE(TODAY, "2"))); /* of another run */
}

/* Each object is read once: a look at nothing new is one list. */
static void test_reads_once(void **state)
{
	struct world *w = *state;
	receipts(w);
	put(w, FIREHOSE(TODAY, "1"), STAMPED("0", "1"));
	w->params.timeout_ms = 60000;
	/* receipts, objects, one read, and then lists alone: whatever else comes would fail */
	assert_int_equal(wait_for(w), RV_KEPT);
	assert_true(w->looks > 3);
	unsigned looks = w->looks;
	for (unsigned n = 1; n <= 2 + looks; n++) {
		rv_store_mem_fail(w->lake, n, false, RV_AUTH);
		assert_int_equal(wait_for(w), RV_AUTH);
	}
	rv_store_mem_fail(w->lake, 3 + looks, false, RV_AUTH);
	assert_int_equal(wait_for(w), RV_KEPT);
}

/* Large batches and what Firehose kept refusing lie under names of river's. */
static void test_diverted(void **state)
{
	struct world *w = *state;
	receipts(w);
	put(w, "data/web/clicks/" TODAY "/run1-000001-r2-h0000000000000002.ndjson", "not looked into");
	put(w, "data/web/clicks/" TODAY "/run0-000001-r2-h0000000000000002.ndjson", "not looked into");
	put(w, FIREHOSE(TODAY, "1"), STAMPED("0", "1") STAMPED("0", "2") STAMPED("1", "1"));
	assert_int_equal(wait_for(w), RV_OK);
	assert_int_equal(w->looks, 1);
	assert_int_equal(w->arrival.objects_count, 2);
}

static void test_time_is_over(void **state)
{
	struct world *w = *state;
	receipts(w);
	put(w, FIREHOSE(TODAY, "1"), STAMPED("0", "1"));
	w->params.timeout_ms = 0;
	assert_int_equal(wait_for(w), RV_KEPT);
	assert_int_equal(w->looks, 1);
	assert_non_null(strstr(w->err.message, "1 of 4 records that Firehose acknowledged"));
	assert_null(strstr(w->err.message, "the time is over")); /* none was given */
	int64_t before_ms = w->now_ms;
	w->params.timeout_ms = 100000;
	assert_int_equal(wait_for(w), RV_KEPT);
	assert_int_equal(w->now_ms - before_ms, 100000);
	assert_non_null(strstr(w->err.message, "the time is over"));
	assert_true(w->looks > 5 && w->looks < 20); /* pauses grow */
}

static void stop_at_two(struct world *w, unsigned looks)
{
	w->stop = looks == 2;
}

static void test_stopped(void **state)
{
	struct world *w = *state;
	receipts(w);
	w->meanwhile = stop_at_two;
	assert_int_equal(wait_for(w), RV_KEPT);
	assert_int_equal(w->looks, 2);
	assert_non_null(strstr(w->err.message, "stopped by a signal"));
}

static void heal(struct world *w, unsigned looks)
{
	if (looks == 2)
		rv_store_mem_fail(w->lake, 0, false, RV_OK);
}

/* What may pass is tried again; what was wrong is told when the time is over. */
static void test_trouble(void **state)
{
	struct world *w = *state;
	receipts(w);
	put(w, FIREHOSE(TODAY, "1"),
	    STAMPED("0", "1") STAMPED("0", "2") STAMPED("1", "1") STAMPED("1", "2"));
	w->meanwhile = heal;
	for (unsigned n = 2; n <= 3; n++) { /* the list, the read */
		rv_store_mem_fail(w->lake, n, true, RV_NOT_FOUND);
		assert_int_equal(wait_for(w), RV_OK);
		assert_int_equal(w->looks, 3);
	}
	w->params.timeout_ms = 0;
	rv_store_mem_fail(w->lake, 3, true, RV_NOT_FOUND);
	assert_int_equal(wait_for(w), RV_KEPT);
	assert_non_null(strstr(w->err.message, "failure on purpose"));
	rv_store_mem_fail(w->lake, 0, false, RV_OK);
	put(w, FIREHOSE(TODAY, "2") ".gz", "not gzip");
	assert_int_equal(wait_for(w), RV_BAD_DATA);
	assert_non_null(strstr(w->err.message, FIREHOSE(TODAY, "2")));
}

static void test_not_possible(void **state)
{
	struct world *w = *state;
	assert_int_equal(wait_for(w), RV_NOT_FOUND); /* no receipt */
	put(w, RECEIPT "run1-open.json", "{}");
	assert_int_equal(wait_for(w), RV_NOT_FOUND);
	put(w, RECEIPT "run1-a0-x4-b0-h0000000000000000.json", "{}");
	assert_int_equal(wait_for(w), RV_OK); /* nothing was accepted */
	w->stream.stamp = RV_STAMP_NONE;
	assert_int_equal(wait_for(w), RV_USAGE);
	assert_non_null(strstr(w->err.message, "no stamp"));
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_all_arrive), TEST(test_reads_once), TEST(test_diverted), TEST(test_time_is_over),
		TEST(test_stopped),    TEST(test_trouble),    TEST(test_not_possible),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

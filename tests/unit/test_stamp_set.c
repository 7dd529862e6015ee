/* Sets of stamps against counting them one by one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "format/stamp_set.h"

static void one(struct rv_stamp_set *set, const char *run, uint64_t seq, uint64_t n)
{
	rv_stamp_set_add(set, rv_str_of(run), seq, n, n);
}

static void test_in_order(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_stamp_set_release) struct rv_stamp_set set = { 0 };
	assert_null(rv_stamp_set_find(&set, RV_STR("a")));
	for (uint64_t seq = 0; seq < 3; seq++)
		for (uint64_t n = 0; n < 100000; n++)
			one(&set, "a", seq, n);
	rv_stamp_set_settle(&set);
	rv_stamp_set_settle(&set); /* once more changes nothing */
	const struct rv_stamp_run *run = rv_stamp_set_find(&set, RV_STR("a"));
	assert_int_equal(run->count, 3);
	assert_int_equal(run->once, 3);
	assert_int_equal(run->total, 300000);
	assert_int_equal(run->distinct, 300000);
	assert_int_equal(rv_stamp_run_distinct(run, 1), 100000);
	assert_int_equal(rv_stamp_run_distinct(run, 3), 0);
	assert_null(rv_stamp_set_find(&set, RV_STR("ab")));
	assert_int_equal(rv_stamp_run_distinct(NULL, 1), 0);
}

/* What came three times is there once, and counted three times. */
static void test_twice(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_stamp_set_release) struct rv_stamp_set set = { 0 };
	for (unsigned i = 0; i < 3; i++)
		rv_stamp_set_add(&set, RV_STR("a"), 1, 10 * i, 99);
	one(&set, "a", 1, 200);
	one(&set, "a", 2, 0);
	rv_stamp_set_settle(&set);
	const struct rv_stamp_run *run = rv_stamp_set_find(&set, RV_STR("a"));
	assert_int_equal(run->distinct, 102);
	assert_int_equal(run->total, 100 + 90 + 80 + 2);
	assert_int_equal(run->once, 3);
	assert_int_equal(rv_stamp_run_distinct(run, 1), 101);
	/* It goes on from there. */
	rv_stamp_set_add(&set, RV_STR("a"), 1, 100, 199);
	rv_stamp_set_settle(&set);
	assert_int_equal(run->distinct, 202);
	assert_int_equal(run->once, 2);
	assert_int_equal(run->total, 372);
}

static void test_largest_numbers(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_stamp_set_release) struct rv_stamp_set set = { 0 };
	one(&set, "a", UINT64_MAX, UINT64_MAX);
	one(&set, "a", UINT64_MAX, 0);
	one(&set, "a", UINT64_MAX, UINT64_MAX - 1);
	rv_stamp_set_settle(&set);
	assert_int_equal(set.runs[0].once, 2);
	assert_int_equal(set.runs[0].distinct, 3);
}

#define RUNS 40
#define NUMBERS 300
/* Any order, any number of times: the same counts as by counting. Through a second set as well. */
static void test_any_order(void **state RV_UNUSED)
{
	static unsigned seen[RUNS][2][NUMBERS];
	srand(20);
	for (unsigned round = 0; round < 20; round++) {
		RV_CLEANUP(rv_stamp_set_release) struct rv_stamp_set set = { 0 };
		RV_CLEANUP(rv_stamp_set_release) struct rv_stamp_set other = { 0 };
		memset(seen, 0, sizeof(seen));
		for (unsigned i = 0; i < 3000; i++) {
			unsigned r = (unsigned)rand() % RUNS, seq = (unsigned)rand() % 2;
			unsigned n = (unsigned)rand() % NUMBERS, many = 1 + (unsigned)rand() % 8;
			char run[16];
			snprintf(run, sizeof(run), "run-%u", r);
			for (unsigned k = n; k < n + many && k < NUMBERS; k++) {
				seen[r][seq][k]++;
				one(i % 3 ? &set : &other, run, seq, k);
			}
			if (i % 777 == 0)
				rv_stamp_set_settle(&set);
		}
		rv_stamp_set_settle(&other);
		rv_stamp_set_add_all(&set, &other);
		rv_stamp_set_settle(&set);
		for (unsigned r = 0; r < RUNS; r++) {
			char run[16];
			snprintf(run, sizeof(run), "run-%u", r);
			const struct rv_stamp_run *found = rv_stamp_set_find(&set, rv_str_of(run));
			uint64_t total = 0, distinct[2] = { 0, 0 };
			for (unsigned seq = 0; seq < 2; seq++)
				for (unsigned n = 0; n < NUMBERS; n++) {
					total += seen[r][seq][n];
					distinct[seq] += seen[r][seq][n] > 0;
				}
			assert_int_equal(found->total, total);
			assert_int_equal(found->distinct, distinct[0] + distinct[1]);
			assert_int_equal(rv_stamp_run_distinct(found, 0), distinct[0]);
			assert_int_equal(rv_stamp_run_distinct(found, 1), distinct[1]);
		}
	}
}

/* The worst order does not pile up: ranges that grew together are joined on the way. */
static void test_many_unordered(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_stamp_set_release) struct rv_stamp_set set = { 0 };
	for (uint64_t n = 0; n < 1000000; n += 2)
		one(&set, "a", 0, n);
	for (uint64_t n = 1; n < 1000000; n += 2)
		one(&set, "a", 0, n);
	for (uint64_t n = 1000000; n < 2000000; n += 2) {
		one(&set, "a", 0, n + 1);
		one(&set, "a", 0, n);
	}
	assert_true(set.runs[0].capacity <= 1 << 20);
	rv_stamp_set_settle(&set);
	assert_int_equal(set.runs[0].count, 1);
	assert_int_equal(set.runs[0].distinct, 2000000);
	assert_int_equal(set.runs[0].total, 2000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_order),
		cmocka_unit_test(test_twice),
		cmocka_unit_test(test_largest_numbers),
		cmocka_unit_test(test_any_order),
		cmocka_unit_test(test_many_unordered),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

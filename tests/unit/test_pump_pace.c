/* The pace of a pump, on a clock that is a number; and the histogram of answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/memory.h"
#include "flow/latency.h"
#include "flow/pump_pace.h"

#define S INT64_C(1000000)

/* Sends as a pump would: waits until it is due. */
static void go(struct rv_pump_pace *pace, int64_t time_ms, int64_t *now_us)
{
	int64_t due_us = rv_pump_pace_due(pace, time_ms, *now_us);

	if (due_us > *now_us)
		*now_us = due_us;
}

static void test_rate(void **state)
{
	struct rv_pump_pace pace = { .per_s = 500 };
	int64_t now_us = 77 * S;

	(void)state;
	for (int i = 0; i <= 5000; i++)
		go(&pace, 0, &now_us);
	assert_in_range(now_us, 87 * S - 10, 87 * S + 10);
	assert_int_equal(pace.late_us, 0);
}

static void test_odd_rates_do_not_drift(void **state)
{
	struct rv_pump_pace pace = { .per_s = 3 };
	int64_t now_us = 0;

	(void)state;
	for (int i = 0; i <= 3 * 86400; i++)
		go(&pace, 0, &now_us);
	assert_in_range(now_us, 86400 * S - 10, 86400 * S + 10);
}

/* 69: an hour passes between two events: at most a quarter of a second's events come at once. */
static void test_69_no_burst_after_a_stop(void **state)
{
	struct rv_pump_pace pace = { .per_s = 1000 };
	int64_t now_us = 5 * S;
	unsigned at_once = 0;

	(void)state;
	for (int i = 0; i < 100; i++)
		go(&pace, 0, &now_us);
	now_us += 3600 * S;
	int64_t stopped_us = now_us;

	for (int i = 0; i < 2000; i++) {
		go(&pace, 0, &now_us);
		at_once += now_us == stopped_us;
	}
	assert_in_range(at_once, 240, 260);
	/* and no more than twice the rate in any second */
	assert_true(now_us - stopped_us > 2 * S - 300000);
	assert_true(pace.late_us > 0);
}

/* 69: a clock that does not move, or goes back, stalls nothing and bursts nothing. */
static void test_69_a_clock_that_goes_back(void **state)
{
	struct rv_pump_pace pace = { .per_s = 1000 };
	int64_t now_us = 5000 * S;

	(void)state;
	go(&pace, 0, &now_us);
	/* the monotonic clock never does, but a caller's could */
	int64_t due_us = rv_pump_pace_due(&pace, 0, now_us - 10 * S);

	assert_in_range(due_us, 5000 * S, 5000 * S + 1000);
}

static void test_slow_destination(void **state)
{
	struct rv_pump_pace pace = { .per_s = 1000 };
	int64_t now_us = S;

	(void)state;
	/* each event takes 10 ms, ten times its time: none waits, and nothing is saved up */
	for (int i = 0; i < 1000; i++) {
		go(&pace, 0, &now_us);
		now_us += 10000;
	}
	assert_in_range(now_us, 11 * S, 11 * S + 1000);
	int64_t start_us = now_us;

	for (int i = 0; i < 1250; i++)
		go(&pace, 0, &now_us);
	assert_in_range(now_us - start_us, S - 10000, S + 10000);
}

static void test_speed(void **state)
{
	struct rv_pump_pace pace = { .speed = 10 };
	int64_t now_us = 9 * S;

	(void)state;
	go(&pace, 1000000, &now_us);
	assert_int_equal(now_us, 9 * S);
	go(&pace, 1010000, &now_us);
	assert_int_equal(now_us, 10 * S);
	/* out of order: with what came before it */
	go(&pace, 900000, &now_us);
	assert_int_equal(now_us, 10 * S);
	go(&pace, 1010000, &now_us);
	assert_int_equal(now_us, 10 * S);
	go(&pace, 1030000, &now_us);
	assert_int_equal(now_us, 12 * S);
	/* the data begins anew */
	rv_pump_pace_again(&pace);
	go(&pace, 1000000, &now_us);
	assert_int_equal(now_us, 12 * S);
	go(&pace, 1005000, &now_us);
	assert_int_equal(now_us, 12 * S + S / 2);
	/* a stop of an hour moves the plan */
	now_us += 3600 * S;
	go(&pace, 1006000, &now_us);
	go(&pace, 1026000, &now_us);
	assert_in_range(now_us, 3612 * S + S / 2 + 2 * S - 2 * RV_PUMP_SLACK_US, 3612 * S + S / 2 + 2 * S);
}

static void test_times_from_hell(void **state)
{
	static const int64_t times[] = { INT64_MAX / 4, 0, INT64_MIN / 4, 1, INT64_MAX / 4 };
	struct rv_pump_pace pace = { .speed = 0.001 };

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		assert_true(rv_pump_pace_due(&pace, times[i], S) >= S - RV_PUMP_SLACK_US);
}

static void test_jitter(void **state)
{
	struct rv_pump_pace pace = { .per_s = 100, .jitter_us = 50000, .random = 7 };
	struct rv_pump_pace same = pace;
	int64_t least = INT64_MAX, most = 0;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		int64_t plan_us = S + i * 10000;
		int64_t due_us = rv_pump_pace_due(&pace, 0, S) - plan_us;

		assert_in_range(due_us + 2, 0, 50004);
		least = due_us < least ? due_us : least;
		most = due_us > most ? due_us : most;
		assert_int_equal(rv_pump_pace_due(&same, 0, S) - plan_us, due_us);
	}
	assert_true(least < 5000 && most > 45000);
}

static void test_words(void **state)
{
	static const char *const wrong[] = { "", "0", "0/s", "-1", "1/d", "x", "1e3", "1x2", ".5", "5.", "1 /s",
					     "1..2", "0.0" };
	double v = 42;

	(void)state;
	assert_true(rv_pump_parse_rate("500/s", &v) && v == 500);
	assert_true(rv_pump_parse_rate("0.5", &v) && v == 0.5);
	assert_true(rv_pump_parse_rate("30/m", &v) && v == 0.5);
	assert_true(rv_pump_parse_rate("3600/h", &v) && v == 1);
	assert_true(rv_pump_parse_speed("10x", &v) && v == 10);
	assert_true(rv_pump_parse_speed("0.25", &v) && v == 0.25);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		if (rv_pump_parse_rate(wrong[i], &v))
			fail_msg("rate '%s' was taken", wrong[i]);
		if (rv_pump_parse_speed(wrong[i], &v))
			fail_msg("speed '%s' was taken", wrong[i]);
	}
}

static void test_latency(void **state)
{
	struct rv_latency *l = rv_calloc(1, sizeof(*l));

	(void)state;
	assert_int_equal(rv_latency_at(l, 0.5), 0);
	for (int64_t us = 1; us <= 100000; us++)
		rv_latency_add(l, us);
	assert_in_range(rv_latency_at(l, 0.5), 50000, 50000 + 50000 / 32);
	assert_in_range(rv_latency_at(l, 0.99), 99000, 100000);
	assert_int_equal(rv_latency_at(l, 1), 100000);
	assert_int_equal(l->least_us, 1);
	memset(l, 0, sizeof(*l));
	/* every value falls into the column it belongs to, also the silly ones */
	for (unsigned power = 0; power < 45; power++)
		for (int64_t d = -1; d <= 1; d++) {
			int64_t us = (INT64_C(1) << power) + d;

			memset(l, 0, sizeof(*l));
			rv_latency_add(l, us);
			assert_int_equal(rv_latency_at(l, 0.5), us);
			rv_latency_add(l, us * 3);
			if (power < 38)
				assert_in_range(rv_latency_at(l, 0.5), us, us + us / 32 + 1);
		}
	rv_latency_add(l, -5);
	rv_latency_add(l, INT64_MAX);
	assert_int_equal(l->least_us, 0);
	rv_free_p(&l);
}

/* One event in many years is slow, and not as fast as can be. */
static void test_rate_of_centuries(void **state)
{
	struct rv_pump_pace pace = { .per_s = 0 };
	(void)state;

	assert_true(rv_pump_parse_rate("0.0000000000001/h", &pace.per_s));
	assert_int_equal(rv_pump_pace_due(&pace, 0, 5 * S), 5 * S);
	for (int i = 0; i < 3; i++)
		assert_true(rv_pump_pace_due(&pace, 0, 5 * S) > 1000000000 * S);
}

/* From the first time there is to the last one. */
static void test_speed_over_all_times(void **state)
{
	struct rv_pump_pace pace = { .speed = 1 };
	(void)state;

	assert_int_equal(rv_pump_pace_due(&pace, INT64_MIN, 5 * S), 5 * S);
	assert_true(rv_pump_pace_due(&pace, INT64_MAX, 5 * S) > 1000000000 * S);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_rate_of_centuries),
		cmocka_unit_test(test_speed_over_all_times),
		cmocka_unit_test(test_odd_rates_do_not_drift),
		cmocka_unit_test(test_69_no_burst_after_a_stop),
		cmocka_unit_test(test_69_a_clock_that_goes_back),
		cmocka_unit_test(test_slow_destination),
		cmocka_unit_test(test_speed),
		cmocka_unit_test(test_times_from_hell),
		cmocka_unit_test(test_jitter),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_latency),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

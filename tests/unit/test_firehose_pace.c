/*
 * The pace: slower when throttled, pauses within their bounds, back at full rate soon after, in
 * made-up time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "delivery/firehose_pace.h"

static const struct rv_firehose_limits full = { 500, 1000000, 0 };
#define LONGEST RV_FIREHOSE_PAUSE_MAX_MS

static void full_rate_at_first(void **state)
{
	(void)state;
	struct rv_firehose_pace pace;
	struct rv_firehose_limits limits;
	rv_firehose_pace_init(&pace, 4, &full);
	for (unsigned flying = 0; flying < 4; flying++)
		assert_true(rv_firehose_pace_may_send(&pace, flying, 0));
	assert_false(rv_firehose_pace_may_send(&pace, 4, 0));
	rv_firehose_pace_limits(&pace, &limits);
	assert_int_equal(limits.records, 500);
	assert_int_equal(limits.bytes, 1000000);
	assert_int_equal(limits.record_bytes, 0);
	rv_firehose_pace_answer(&pace, 5, 0, 500, 0, -1, LONGEST);
	assert_true(rv_firehose_pace_may_send(&pace, 3, 5));
}

static void throttling_halves_and_pauses(void **state)
{
	(void)state;
	struct rv_firehose_pace pace;
	struct rv_firehose_limits limits;
	rv_firehose_pace_init(&pace, 4, &full);
	rv_firehose_pace_answer(&pace, 1000, 900, 500, 500, -1, LONGEST);
	assert_true(pace.not_before_ms >= 1000 && pace.not_before_ms <= 1100);
	assert_true(rv_firehose_pace_may_send(&pace, 1, 1100));
	assert_false(rv_firehose_pace_may_send(&pace, 2, 1100));
	rv_firehose_pace_limits(&pace, &limits);
	assert_int_equal(limits.records, 250);
	assert_int_equal(limits.bytes, 500000);
}

static void one_storm_is_one_sign(void **state)
{
	(void)state;
	struct rv_firehose_pace pace;
	rv_firehose_pace_init(&pace, 8, &full);
	/* eight that flew together */
	for (int i = 0; i < 8; i++)
		rv_firehose_pace_answer(&pace, 1000 + i, 900, 500, 500, -1, LONGEST);
	assert_int_equal(pace.level, 1);
	assert_true(rv_firehose_pace_may_send(&pace, 3, 5000));
	assert_false(rv_firehose_pace_may_send(&pace, 4, 5000));
}

static void t0029_an_hour_of_throttling_is_few_requests(void **state)
{
	(void)state;
	struct rv_firehose_pace pace;
	int64_t now = 0, longest = 0;
	unsigned requests = 0;
	rv_firehose_pace_init(&pace, 4, &full);
	while (now < 3600000) {
		if (!rv_firehose_pace_may_send(&pace, 0, now)) {
			now = pace.not_before_ms;
			continue;
		}
		int64_t began = now;
		now += 20;
		requests++;
		rv_firehose_pace_answer(&pace, now, began, 10, 10, -1, LONGEST);
		if (pace.not_before_ms - now > longest)
			longest = pace.not_before_ms - now;
	}
	/* full jitter up to 8 s: 4 s on average; the bounds are far out of chance's reach */
	assert_true(requests > 600 && requests < 1400);
	assert_true(longest <= LONGEST);
	assert_true(longest > LONGEST / 2);
	assert_false(rv_firehose_pace_may_send(&pace, 1, now + LONGEST));

	/* t0030: full rate again well within 30 s, at 50 ms a request */
	now = pace.not_before_ms;
	int64_t ended = now;
	struct rv_firehose_limits limits;
	do {
		now += 50;
		rv_firehose_pace_answer(&pace, now, now - 50, 10, 0, -1, LONGEST);
		rv_firehose_pace_limits(&pace, &limits);
	} while (limits.records < 500 || limits.bytes < 1000000 ||
		 !rv_firehose_pace_may_send(&pace, 3, now));
	assert_true(now - ended < 5000);
}

static void a_few_refusals_slow_it_little(void **state)
{
	(void)state;
	struct rv_firehose_pace pace;
	rv_firehose_pace_init(&pace, 4, &full);
	for (int64_t now = 100; now < 1100; now += 100)
		rv_firehose_pace_answer(&pace, now, now - 50, 500, 1, -1, LONGEST);
	assert_true(pace.share > 0.98);
	assert_true(pace.not_before_ms <= 1001);
	/* half refused: between the two */
	rv_firehose_pace_answer(&pace, 2000, 1990, 500, 250, -1, LONGEST);
	assert_true(pace.share > 0.7 && pace.share < 0.78);
	assert_true(pace.not_before_ms <= 2050);
}

static void t0029_retry_after_is_obeyed(void **state)
{
	(void)state;
	struct rv_firehose_pace pace;
	rv_firehose_pace_init(&pace, 4, &full);
	rv_firehose_pace_answer(&pace, 1000, 900, 500, 500, 7000, LONGEST);
	assert_false(rv_firehose_pace_may_send(&pace, 0, 7999));
	assert_true(rv_firehose_pace_may_send(&pace, 0, 8000));
	/* also from one that began before */
	rv_firehose_pace_answer(&pace, 1001, 900, 500, 500, 9000, LONGEST);
	assert_false(rv_firehose_pace_may_send(&pace, 0, 10000));
	assert_true(rv_firehose_pace_may_send(&pace, 0, 10001));
	/* a day is a minute, then it is asked again */
	rv_firehose_pace_answer(&pace, 20000, 19000, 500, 500, 86400000, LONGEST);
	assert_false(rv_firehose_pace_may_send(&pace, 0, 79999));
	assert_true(rv_firehose_pace_may_send(&pace, 0, 80000));
}

static void pauses_can_be_kept_short(void **state)
{
	(void)state;
	struct rv_firehose_pace pace;
	rv_firehose_pace_init(&pace, 4, &full);
	for (int64_t now = 0; now < 100000; now += 2000) {
		rv_firehose_pace_answer(&pace, now, now - 1, 1, 1, -1, 1000);
		assert_true(pace.not_before_ms <= now + 1000);
	}
	assert_true(pace.level > 10);
}

static void it_never_stands_still(void **state)
{
	(void)state;
	struct rv_firehose_pace pace;
	struct rv_firehose_limits limits;
	const struct rv_firehose_limits one = { 1, 1, 0 };
	rv_firehose_pace_init(&pace, 1, &one);
	for (int64_t now = 0; now < 100000; now += 1000)
		rv_firehose_pace_answer(&pace, now, now, 1, 1, -1, LONGEST);
	rv_firehose_pace_limits(&pace, &limits);
	assert_int_equal(limits.records, 1);
	assert_int_equal(limits.bytes, 1);
	assert_true(rv_firehose_pace_may_send(&pace, 0, pace.not_before_ms));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(full_rate_at_first),
		cmocka_unit_test(throttling_halves_and_pauses),
		cmocka_unit_test(one_storm_is_one_sign),
		cmocka_unit_test(t0029_an_hour_of_throttling_is_few_requests),
		cmocka_unit_test(a_few_refusals_slow_it_little),
		cmocka_unit_test(t0029_retry_after_is_obeyed),
		cmocka_unit_test(pauses_can_be_kept_short),
		cmocka_unit_test(it_never_stands_still),
	};
	return cmocka_run_group_tests_name("firehose pace", tests, NULL, NULL);
}

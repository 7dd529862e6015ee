/* Civil dates against a calendar counted by hand, and RFC 3339 as it may and may not be written. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/error.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))
#define DAY_MS INT64_C(86400000)

static bool is_leap(int64_t year)
{
	return year % 400 == 0 || (year % 100 != 0 && year % 4 == 0);
}

static void expect_day(int64_t days, int64_t year, unsigned month, unsigned day)
{
	struct rv_date d;

	assert_int_equal(rv_days_from_civil(year, month, day), days);
	rv_date_from_ms(days * DAY_MS, &d);
	assert_int_equal(d.year, year);
	assert_int_equal(d.month, month);
	assert_int_equal(d.day, day);
	assert_int_equal(d.hour + d.minute + d.second + d.ms, 0);
	/* and the last millisecond of it */
	rv_date_from_ms(days * DAY_MS + DAY_MS - 1, &d);
	assert_int_equal(d.year, year);
	assert_int_equal(d.month, month);
	assert_int_equal(d.day, day);
	assert_int_equal(d.hour, 23);
	assert_int_equal(d.minute, 59);
	assert_int_equal(d.second, 59);
	assert_int_equal(d.ms, 999);
}

/* Every year's first and last days and both sides of February, counted year by year from 1970. */
static void test_ten_thousand_years_each_way(void **state RV_UNUSED)
{
	int64_t start = 0;

	for (int64_t year = 1970; year <= 10000; year++) {
		int64_t leap = is_leap(year);

		expect_day(start, year, 1, 1);
		expect_day(start + 58, year, 2, 28);
		expect_day(start + 59 + leap, year, 3, 1);
		expect_day(start + 364 + leap, year, 12, 31);
		start += 365 + leap;
	}
	start = 0;
	for (int64_t year = 1969; year >= -10000; year--) {
		int64_t leap = is_leap(year);

		start -= 365 + leap;
		expect_day(start, year, 1, 1);
		expect_day(start + 58, year, 2, 28);
		expect_day(start + 59 + leap, year, 3, 1);
		expect_day(start + 364 + leap, year, 12, 31);
	}
}

/* All days of four centuries, which is when the calendar repeats. */
static void test_every_day_of_four_centuries(void **state RV_UNUSED)
{
	int64_t days = rv_days_from_civil(1800, 1, 1);

	for (int64_t year = 1800; year < 2200; year++)
		for (unsigned month = 1; month <= 12; month++)
			for (unsigned day = 1; day <= rv_days_in_month(year, month); day++)
				expect_day(days++, year, month, day);
	assert_int_equal(days, rv_days_from_civil(2200, 1, 1));
}

static void test_leap_days(void **state RV_UNUSED)
{
	static const unsigned usual[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	for (unsigned month = 1; month <= 12; month++)
		assert_int_equal(rv_days_in_month(2023, month), usual[month - 1]);
	assert_int_equal(rv_days_in_month(2024, 2), 29);
	assert_int_equal(rv_days_in_month(1900, 2), 28);
	assert_int_equal(rv_days_in_month(2000, 2), 29);
	assert_int_equal(rv_days_in_month(0, 2), 29);
	assert_int_equal(rv_days_in_month(-4, 2), 29);
	assert_int_equal(rv_days_in_month(-100, 2), 28);
	assert_int_equal(rv_days_in_month(2024, 0), 0);
	assert_int_equal(rv_days_in_month(2024, 13), 0);
	expect_day(11016, 2000, 2, 29);
	expect_day(19782, 2024, 2, 29);
}

static void test_printing(void **state RV_UNUSED)
{
	char text[RV_TIME_TEXT];

	assert_string_equal(rv_format_time(0, text), "1970-01-01T00:00:00.000Z");
	assert_string_equal(rv_format_time(-1, text), "1969-12-31T23:59:59.999Z");
	assert_string_equal(rv_format_time(1795193931123, text), "2026-11-20T16:58:51.123Z");
	assert_string_equal(rv_format_folder(1795193931123, text), "dt=2026-11-20/hr=16");
	assert_string_equal(rv_format_day(1795193931123, text), "2026-11-20");
	assert_string_equal(rv_format_day(rv_days_from_civil(7, 3, 1) * DAY_MS, text), "0007-03-01");
	/* whatever the number is, the text ends within its buffer */
	assert_true(strlen(rv_format_time(INT64_MAX, text)) < sizeof(text));
	assert_true(strlen(rv_format_time(INT64_MIN, text)) < sizeof(text));
	assert_true(strlen(rv_format_folder(INT64_MIN, text)) < sizeof(text));
}

static void test_parsing(void **state RV_UNUSED)
{
	static const struct {
		const char *text;
		int64_t ms;
	} good[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "1970-01-01t00:00:00z", 0 },
		{ "1970-01-01 00:00:00Z", 0 },
		{ "1969-12-31T23:59:59.999Z", -1 },
		{ "2026-11-20T16:58:51.123Z", 1795193931123 },
		{ "2026-11-20T16:58:51.1Z", 1795193931100 },
		{ "2026-11-20T16:58:51.12Z", 1795193931120 },
		{ "2026-11-20T16:58:51.123999999Z", 1795193931123 },
		{ "2026-11-20T17:58:51.123+01:00", 1795193931123 },
		{ "2026-11-20T11:28:51.123-05:30", 1795193931123 },
		{ "2026-11-20T16:58:51.123-00:00", 1795193931123 },
		{ "2026-11-21T16:57:51.123+23:59", 1795193931123 },
		{ "2024-02-29T00:00:00Z", 1709164800000 },
		{ "0000-01-01T00:00:00Z", -62167219200000 },
		{ "9999-12-31T23:59:59.999Z", 253402300799999 },
	};
	static const char *const bad[] = {
		"", "Z", "2026-11-20", "2026-11-20T16:58:51", "2026-11-20T16:58:51.123",
		"2026-11-20T16:58Z", "20261120T165851Z", "2026-11-20T16:58:51ZZ", "2026-11-20T16:58:51Z ",
		" 2026-11-20T16:58:51Z", "2026-11-20T16:58:51 Z", "2026-11-20_16:58:51Z",
		"2026-11-20T16:58:51.Z", "2026-11-20T16:58:51.1234567890Z", "2026-11-20T16:58:51,123Z",
		"2026-00-20T16:58:51Z", "2026-13-20T16:58:51Z", "2026-11-00T16:58:51Z",
		"2026-11-31T16:58:51Z", "2023-02-29T16:58:51Z", "1900-02-29T16:58:51Z",
		"2026-11-20T24:00:00Z", "2026-11-20T16:60:51Z", "2026-11-20T16:58:60Z",
		"2026-11-20T16:58:51+0100", "2026-11-20T16:58:51+01", "2026-11-20T16:58:51+24:00",
		"2026-11-20T16:58:51+01:60", "2026-11-20T16:58:51+01:0", "2026-11-20T16:58:51+01:00x",
		"-026-11-20T16:58:51Z", "+026-11-20T16:58:51Z", "2026-1a-20T16:58:51Z",
		"2026-11- 1T16:58:51Z", "12026-11-20T16:58:51Z",
	};

	for (size_t i = 0; i < COUNT(good); i++) {
		int64_t ms = 7;

		if (!rv_parse_time(good[i].text, strlen(good[i].text), &ms) || ms != good[i].ms)
			fail_msg("%s became %jd", good[i].text, (intmax_t)ms);
	}
	for (size_t i = 0; i < COUNT(bad); i++) {
		int64_t ms = 7;

		if (rv_parse_time(bad[i], strlen(bad[i]), &ms) || ms != 7)
			fail_msg("%s was taken as %jd", bad[i], (intmax_t)ms);
	}
}

/* No byte behind the given length is looked at: each start of a text is refused in a box of its own. */
static void test_cut_short(void **state RV_UNUSED)
{
	static const char text[] = "2026-11-20T16:58:51.123+01:00";

	for (size_t len = 0; len < sizeof(text) - 1; len++) {
		char *box = malloc(len ? len : 1);
		int64_t ms = 7;

		assert_non_null(box);
		memcpy(box, text, len);
		assert_false(rv_parse_time(box, len, &ms));
		free(box);
	}
}

static void test_round_trip(void **state RV_UNUSED)
{
	/* a stride without a common divisor with days and hours */
	for (int64_t ms = -62167219200000; ms < 253402300800000; ms += 987654321987) {
		char text[RV_TIME_TEXT];
		int64_t again;

		rv_format_time(ms, text);
		assert_true(rv_parse_time(text, strlen(text), &again));
		assert_true(again == ms);
	}
}

static void test_far_times(void **state RV_UNUSED)
{
	assert_true(rv_time_ns(1795193931, 123) == 1795193931000000123);
	assert_true(rv_time_ns(-1, 5) == -999999995);
	assert_true(rv_time_ns(9223372036, 854775807) == INT64_MAX);
	/* 2300, and what a file system may say besides: the last there is, not one of the past */
	assert_true(rv_time_ns(10413792000, 0) == INT64_MAX);
	assert_true(rv_time_ns(9223372036, 854775808) == INT64_MAX);
	assert_true(rv_time_ns(INT64_MAX, 999999999) == INT64_MAX);
	assert_true(rv_time_ns(-10413792000, 0) == INT64_MIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ten_thousand_years_each_way),
		cmocka_unit_test(test_every_day_of_four_centuries),
		cmocka_unit_test(test_leap_days),
		cmocka_unit_test(test_printing),
		cmocka_unit_test(test_parsing),
		cmocka_unit_test(test_cut_short),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_far_times),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

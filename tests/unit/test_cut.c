/* The contract on single values: exact, or refused with a reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "warehouse/cut.h"

static void test_decimals(void **state)
{
	static const struct {
		const char *text;
		unsigned precision, scale;
		const char *wanted; /* scaled integer, or the reason in part */
	} cases[] = {
		{ "12345678901234567.890123", 38, 6, "12345678901234567890123" },
		{ "19.99", 18, 4, "199900" },
		{ "-0.5", 18, 1, "-5" },
		{ "0", 5, 2, "0" },
		{ "-0", 5, 2, "0" },
		{ "1e3", 5, 1, "10000" },
		{ "1.5e1", 5, 0, "15" },
		{ "150e-1", 5, 0, "15" },
		{ "155e-1", 5, 0, "not whole" },
		{ "1.10000", 3, 1, "11" },
		{ "1.101", 9, 2, "more decimals" },
		{ "999.99", 5, 2, "99999" },
		{ "1000.00", 5, 2, "more digits" },
		{ "0.001e5", 5, 0, "100" },
		{ "00012", 2, 0, "12" },
		{ "99999999999999999999999999999999999999", 38, 0,
		  "99999999999999999999999999999999999999" },
		{ "100000000000000000000000000000000000000", 38, 0, "more digits" },
		{ "1e400", 38, 0, "more digits" },
		{ "0e400", 38, 0, "0" },
		{ "1e-400", 38, 10, "more decimals" },
		{ "1e99999999999999999999", 38, 0, "more digits" },
		{ "", 5, 2, "not a number" },
		{ "-", 5, 2, "not a number" },
		{ "1.", 5, 2, "not a number" },
		{ ".5", 5, 2, "not a number" },
		{ "1e", 5, 2, "not a number" },
		{ " 1", 5, 2, "not a number" },
		{ "1,5", 5, 2, "not a number" },
		{ "nan", 5, 2, "not a number" },
		{ "0x10", 5, 2, "not a number" },
		{ "+1.5E+1", 5, 0, "15" },
		{ "15E-1", 5, 1, "15" },
		{ "1E", 5, 2, "not a number" },
	};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		__int128 value = 0;
		char reason[160] = "", text[64];

		if (!rv_cut_decimal(rv_str_of(cases[i].text), cases[i].precision, cases[i].scale,
				    &value, reason)) {
			if (!strstr(reason, cases[i].wanted))
				fail_msg("%s: %s", cases[i].text, reason);
			continue;
		}
		bool negative = value < 0;
		unsigned __int128 n = negative ? -(unsigned __int128)value
					       : (unsigned __int128)value;
		char *p = text + sizeof(text);

		*--p = '\0';
		do
			*--p = (char)('0' + (int)(n % 10));
		while (n /= 10);
		if (negative)
			*--p = '-';
		if (strcmp(p, cases[i].wanted) != 0)
			fail_msg("%s: %s instead of %s", cases[i].text, p, cases[i].wanted);
	}
}

static void test_timestamps(void **state)
{
	static const struct {
		const char *text, *format, *zone, *wanted; /* RFC 3339 in UTC, or the reason */
	} cases[] = {
		{ "2024-05-01T00:00:00.007Z", NULL, NULL, "2024-05-01T00:00:00.007Z" },
		{ "2024-05-01T02:00:00+02:00", NULL, NULL, "2024-05-01T00:00:00.000Z" },
		{ "2024-05-01 02:00:00-0330", NULL, NULL, "2024-05-01T05:30:00.000Z" },
		{ "1969-12-31T23:59:59.5Z", NULL, NULL, "1969-12-31T23:59:59.500Z" },
		{ "2024-05-01T00:00:00", NULL, NULL, "has no zone" },
		{ "2024-05-01T00:00:00", NULL, "UTC", "2024-05-01T00:00:00.000Z" },
		{ "2024-05-01T00:00:00", NULL, "+02:00", "2024-04-30T22:00:00.000Z" },
		{ "2024-05-01T00:00:00Z", NULL, "+02:00", "2024-05-01T00:00:00.000Z" },
		{ "2024-02-30T00:00:00Z", NULL, NULL, "no day" },
		{ "2023-02-29T00:00:00Z", NULL, NULL, "no day" },
		{ "2024-02-29T24:00:00Z", NULL, NULL, "no time of day" },
		{ "2024-02-29T00:00:60Z", NULL, NULL, "no time of day" },
		{ "2024-05-01T00:00:00.123456Z", NULL, NULL, "2024-05-01T00:00:00.123Z" },
		{ "2024-05-01T00:00:00.123456000Z", NULL, NULL, "2024-05-01T00:00:00.123Z" },
		{ "2024-05-01T00:00:00.123456789Z", NULL, NULL, "finer" },
		{ "2024-05-01", NULL, "UTC", "is not a time" },
		{ "2024-05-01T00:00:00Zjunk", NULL, NULL, "is not a time" },
		{ "20.11.2026 16:58", "%d.%m.%Y %H:%M", "UTC", "2026-11-20T16:58:00.000Z" },
		{ "20.11.2026 16:58", "%d.%m.%Y %H:%M", NULL, "has no zone" },
		{ "20.11.26 4:58 pm +0100", "%d.%m.%y %I:%M %p %z", NULL,
		  "2026-11-20T15:58:00.000Z" },
		{ "12:30 am 2024-01-01", "%I:%M %p %F", "UTC", "2024-01-01T00:30:00.000Z" },
		{ "1700000000", "%s", NULL, "2023-11-14T22:13:20.000Z" },
		{ "1700000000.25", "%s", NULL, "2023-11-14T22:13:20.250Z" },
		{ "-1", "%s", NULL, "1969-12-31T23:59:59.000Z" },
		{ "1700000000", "epoch_s", NULL, "2023-11-14T22:13:20.000Z" },
		{ "1700000000.25", "epoch_s", NULL, "2023-11-14T22:13:20.250Z" },
		{ "1700000000007", "epoch_ms", "+02:00", "2023-11-14T22:13:20.007Z" },
		{ "1.700000000007e12", "epoch_ms", NULL, "2023-11-14T22:13:20.007Z" },
		{ "1700000000007000.000", "epoch_us", NULL, "2023-11-14T22:13:20.007Z" },
		{ "-1", "epoch_ms", NULL, "1969-12-31T23:59:59.999Z" },
		{ "1.5", "epoch_us", NULL, "finer than a microsecond" },
		{ "1700000000007", "epoch_s", NULL, "not in the years 1 to 9999 as epoch_s" },
		{ "-99999999999999999999999999999999999999", "epoch_us", NULL, "not in the years" },
		{ "1e39", "epoch_us", NULL, "is not in the years 1 to 9999 as epoch_us" },
		{ "253402300799", "%s", NULL, "9999-12-31T23:59:59.000Z" },
		{ "253402300800", "%s", NULL, "is not in the years 1 to 9999 as %s" },
		{ "999999999999", "%s", NULL, "is not in the years 1 to 9999 as %s" },
		{ "yesterday", "epoch_ms", NULL, "not a number, as epoch_ms" },
		{ "1 ", "epoch_s", NULL, "not a number" },
		{ "01/Dec/2010:08:26:00 +0000", "%d/%b/%Y:%H:%M:%S %z", NULL,
		  "2010-12-01T08:26:00.000Z" },
		{ "2024-366T01:02:03", "%Y-%jT%T", "UTC", "2024-12-31T01:02:03.000Z" },
		{ "2023-366T01:02:03", "%Y-%jT%T", "UTC", "no day 366" },
		{ "100% 2024-01-01", "100%% %F", "UTC", "2024-01-01T00:00:00.000Z" },
		{ "2024-05-01T00:00:00+02", NULL, NULL, "2024-04-30T22:00:00.000Z" },
		{ "2024-05-01T00:00:00+02 ", NULL, NULL, "is not a time" },
		{ "2024-05-01T00:00:00+02x", NULL, NULL, "is not a time" },
		{ "2024-05-01T00:00:00+2", NULL, NULL, "is not a time" },
		{ "2024-05-01T00:00:00+02:3", NULL, NULL, "is not a time" },
		{ "2024-05-01T00:00:00+24:00", NULL, NULL, "is not a time" },
		{ "2024-05-01T00:00:00+02:60", NULL, NULL, "is not a time" },
		{ "2024-05-01T00:00:00.Z", NULL, NULL, "is not a time" },
		{ "1/De", "%d/%b", "UTC", "is not a time" },
		{ "x", "%s", NULL, "is not a time" },
		{ "1.", "%s", NULL, "is not a time" },
		{ "20x4", "%Y", "UTC", "is not a time" },
		{ "2x", "%y", "UTC", "is not a time" },
		{ "1.1.69", "%d.%m.%y", "UTC", "1969-01-01T00:00:00.000Z" },
		{ "13 pm", "%I %p", "UTC", "is not a time" },
		{ "x pm", "%I %p", "UTC", "is not a time" },
		{ "0 pm", "%I %p", "UTC", "is not a time" },
		{ "2024-05-01 00:00", "%F %H:%M%z", NULL, "is not a time as %F %H:%M%z" },
		{ "2024-05-01T00:00:00", NULL, "Mars", "set its timezone" },
		{ "2024-05-01T00:00:00", NULL, "UTC+1", "set its timezone" },
		{ "1/Foo/2010", "%d/%b/%Y", "UTC", "is not a time" },
		{ " 1.12.2010", "%e.%m.%Y", "UTC", "2010-12-01T00:00:00.000Z" },
		{ "21.12.2010", "%e.%m.%Y", "UTC", "2010-12-21T00:00:00.000Z" },
		{ "2024-36", "%Y-%j", "UTC", "is not a time" },
		{ "2024-000", "%Y-%j", "UTC", "is not a time" },
		{ "12:30 a", "%I:%M %p", "UTC", "is not a time" },
		{ "12:30 ax", "%I:%M %p", "UTC", "is not a time" },
		{ "12:30 xm", "%I:%M %p", "UTC", "is not a time" },
		{ "12:30 PM", "%I:%M %p", "UTC", "1970-01-01T12:30:00.000Z" },
		{ "01:02:03.25", "%T.%f", "UTC", "1970-01-01T01:02:03.250Z" },
		{ "01:02:03.1234567", "%T.%f", "UTC", "finer than a microsecond" },
		{ "2024", "%q", "UTC", "is not a time as %q" },
		{ "2024-05-01%", "%F%", "UTC", "2024-05-01T00:00:00.000Z" },
	};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char reason[160] = "", text[RV_TIME_TEXT];
		int64_t us = 0;

		if (!rv_cut_timestamp(rv_str_of(cases[i].text), cases[i].format, cases[i].zone, &us,
				      reason)) {
			if (!strstr(reason, cases[i].wanted))
				fail_msg("%s: %s", cases[i].text, reason);
			continue;
		}
		int64_t ms = us / 1000 - (us % 1000 < 0);

		if (strcmp(rv_format_time(ms, text), cases[i].wanted) != 0)
			fail_msg("%s: %s instead of %s", cases[i].text, text, cases[i].wanted);
	}
}

static void test_dates(void **state)
{
	char reason[160];
	int64_t days = 0;
	(void)state;

	assert_true(rv_cut_date(RV_STR("1970-01-02"), NULL, &days, reason));
	assert_int_equal(days, 1);
	assert_true(rv_cut_date(RV_STR("1.3.2024"), "%d.%m.%Y", &days, reason));
	assert_int_equal(days, 19783);
	assert_true(rv_cut_date(RV_STR("86400000"), "epoch_ms", &days, reason));
	assert_int_equal(days, 1);
	assert_true(rv_cut_date(RV_STR("-0.5"), "epoch_s", &days, reason));
	assert_int_equal(days, -1);
	assert_true(rv_cut_date(RV_STR("-1"), "%s", &days, reason));
	assert_int_equal(days, -1);
	assert_true(rv_cut_date(RV_STR("86400"), "%s", &days, reason));
	assert_int_equal(days, 1);
	assert_false(rv_cut_date(RV_STR("-62135596801"), "%s", &days, reason));
	assert_string_equal(reason, "is not in the years 1 to 9999 as %s");
	assert_false(rv_cut_date(RV_STR("x"), "epoch_s", &days, reason));
	assert_false(rv_cut_date(RV_STR("2024-13-01"), NULL, &days, reason));
	assert_false(rv_cut_date(RV_STR("2024-01-01T00:00:00Z"), NULL, &days, reason));
	assert_string_equal(reason, "is not a date as %Y-%m-%d");
	assert_false(rv_cut_date(RV_STR("2024-01-01.1234567"), "%F.%f", &days, reason));
	assert_string_equal(reason, "is finer than a microsecond");
}

static void test_integers(void **state)
{
	static const struct {
		const char *text;
		int64_t wanted;
		const char *reason;
	} cases[] = {
		{ "9223372036854775807", INT64_MAX, NULL },
		{ "-9223372036854775808", INT64_MIN, NULL },
		{ "9223372036854775808", 0, "does not fit into 64 bits" },
		{ "-9223372036854775809", 0, "does not fit into 64 bits" },
		{ "1.5", 0, "is not whole" },
	};
	char long_text[RV_CUT_NUMBER_MAX + 2], reason[RV_CUT_REASON];
	int64_t value = 0;
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		bool good = rv_cut_integer(rv_str_of(cases[i].text), &value, reason);

		assert_int_equal(good, cases[i].reason == NULL);
		if (good)
			assert_int_equal(value, cases[i].wanted);
		else
			assert_string_equal(reason, cases[i].reason);
	}
	memset(long_text, '0', sizeof(long_text));
	assert_true(rv_cut_integer((struct rv_str){ long_text, RV_CUT_NUMBER_MAX }, &value, reason));
	assert_int_equal(value, 0);
	assert_false(rv_cut_integer((struct rv_str){ long_text, RV_CUT_NUMBER_MAX + 1 }, &value, reason));
	assert_string_equal(reason, "is too long for a number");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decimals),
		cmocka_unit_test(test_timestamps),
		cmocka_unit_test(test_dates),
		cmocka_unit_test(test_integers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

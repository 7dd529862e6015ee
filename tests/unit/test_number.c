/* Numbers as people write them: what is accepted, to the last unit, and what is not. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/error.h"
#include "base/number.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static void test_u64(void **state RV_UNUSED)
{
	static const char *const bad[] = {
		"", " ", " 1", "1 ", "+1", "-1", "1x", "x", "0x1", "1.0", "1e3", "1,000",
		"18446744073709551616", "99999999999999999999", "184467440737095516150",
	};
	uint64_t v = 7;

	assert_true(rv_parse_u64("0", 1, &v));
	assert_int_equal(v, 0);
	assert_true(rv_parse_u64("00012", 5, &v));
	assert_int_equal(v, 12);
	assert_true(rv_parse_u64("18446744073709551615", 20, &v));
	assert_true(v == UINT64_MAX);
	assert_true(rv_parse_u64("123456", 3, &v)); /* the length counts, not the end */
	assert_int_equal(v, 123);
	for (size_t i = 0; i < COUNT(bad); i++) {
		v = 7;
		if (rv_parse_u64(bad[i], strlen(bad[i]), &v) || v != 7)
			fail_msg("'%s' was taken as %ju", bad[i], (uintmax_t)v);
	}
	assert_false(rv_parse_u64("1\0002", 3, &v));
}

static void test_hex64(void **state RV_UNUSED)
{
	static const char *const bad[] = { "", "g", "0x1", " 1", "1 ", "-1", "10000000000000000" };
	uint64_t v = 7;

	assert_true(rv_parse_hex64("0123456789abcdef", 16, &v));
	assert_true(v == 0x0123456789abcdefu);
	assert_true(rv_parse_hex64("FFFFffffFFFFffff", 16, &v));
	assert_true(v == UINT64_MAX);
	assert_true(rv_parse_hex64("a", 1, &v));
	assert_int_equal(v, 10);
	for (size_t i = 0; i < COUNT(bad); i++) {
		v = 7;
		if (rv_parse_hex64(bad[i], strlen(bad[i]), &v) || v != 7)
			fail_msg("'%s' was taken as %jx", bad[i], (uintmax_t)v);
	}
}

static void test_sizes(void **state RV_UNUSED)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {
		{ "0", 0 }, { "1048576", 1048576 }, { "812B", 812 },
		{ "1K", 1024 }, { "1KiB", 1024 }, { "1KB", 1000 }, { "1kB", 1000 },
		{ "64M", 64ull << 20 }, { "64MiB", 64ull << 20 }, { "64MB", 64000000 },
		{ "1G", 1ull << 30 }, { "1GiB", 1ull << 30 }, { "1GB", 1000000000 },
		{ "2T", 2ull << 40 }, { "2TiB", 2ull << 40 }, { "2TB", 2000000000000ull },
		{ "18446744073709551615", UINT64_MAX }, { "16777215TiB", 16777215ull << 40 },
		{ "18014398509481983KiB", 18014398509481983ull << 10 },
	};
	static const char *const bad[] = {
		"", "MiB", "12 MiB", " 12MiB", "12MiB ", "12MiB2", "-1", "+1", "1.5G", "1e3", "1k", "1mib",
		"1Ki", "1Mb", "1PiB", "1,000", "0x10",
		"18446744073709551616", "16777216TiB", "18014398509481984KiB", "18446745TB",
	};

	for (size_t i = 0; i < COUNT(good); i++) {
		uint64_t v = 7;

		if (!rv_parse_size(good[i].text, &v) || v != good[i].bytes)
			fail_msg("'%s' became %ju", good[i].text, (uintmax_t)v);
	}
	for (size_t i = 0; i < COUNT(bad); i++) {
		uint64_t v = 7;

		if (rv_parse_size(bad[i], &v) || v != 7)
			fail_msg("'%s' was taken as %ju", bad[i], (uintmax_t)v);
	}
}

static void test_durations(void **state RV_UNUSED)
{
	static const struct {
		const char *text;
		int64_t ms;
	} good[] = {
		{ "0", 0 }, { "10", 10000 }, { "250ms", 250 }, { "60s", 60000 }, { "15m", 900000 },
		{ "2h", 7200000 }, { "7d", 604800000 }, { "106751d", 9223286400000 },
		{ "9223372036854ms", 9223372036854 },
	};
	static const char *const bad[] = {
		"", "s", "-1s", "+1s", "1 s", "1s ", " 1s", "1.5h", "1w", "1S", "1h30m", "1min",
		"9223372036855ms", "106752d", "9223372036854775807ms", "9223372036854775808ms",
		"18446744073709551615", "106751991168d", "213503982335d",
	};

	for (size_t i = 0; i < COUNT(good); i++) {
		int64_t v = 7;

		if (!rv_parse_duration(good[i].text, &v) || v != good[i].ms)
			fail_msg("'%s' became %jd", good[i].text, (intmax_t)v);
	}
	for (size_t i = 0; i < COUNT(bad); i++) {
		int64_t v = 7;

		if (rv_parse_duration(bad[i], &v) || v != 7)
			fail_msg("'%s' was taken as %jd", bad[i], (intmax_t)v);
	}
}

static void test_printing(void **state RV_UNUSED)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} sizes[] = {
		{ 0, "0 B" }, { 812, "812 B" }, { 1023, "1023 B" }, { 1024, "1.00 KiB" },
		{ 1536, "1.50 KiB" }, { 64ull << 20, "64.0 MiB" }, { 200ull << 30, "200 GiB" },
		{ 10239, "10.0 KiB" },     /* not "10.00": rounding decides the digits too */
		{ 1048575, "1.00 MiB" },   /* not "1024 KiB" */
		{ 1073741823, "1.00 GiB" },
		{ UINT64_MAX, "16.0 EiB" },
	};
	static const struct {
		uint64_t n;
		const char *text;
	} counts[] = {
		{ 0, "0" }, { 999, "999" }, { 1000, "1,000" }, { 1234567, "1,234,567" },
		{ UINT64_MAX, "18,446,744,073,709,551,615" },
	};
	static const struct {
		int64_t ms;
		const char *text;
	} durations[] = {
		{ -5, "0.0 s" }, { 0, "0.0 s" }, { 3200, "3.2 s" }, { 59949, "59.9 s" },
		{ 59999, "1m 00s" },       /* not "60.0 s" */
		{ 60000, "1m 00s" }, { 80000, "1m 20s" }, { 3599900, "59m 59s" }, { 3599999, "1h 00m" },
		{ 7380000, "2h 03m" }, { 352800000, "4d 2h" }, { INT64_MAX, "106751991167d 7h" },
	};
	char buf[RV_NUMBER_TEXT];

	for (size_t i = 0; i < COUNT(sizes); i++)
		assert_string_equal(rv_format_size(sizes[i].bytes, buf), sizes[i].text);
	for (size_t i = 0; i < COUNT(counts); i++)
		assert_string_equal(rv_format_count(counts[i].n, buf), counts[i].text);
	for (size_t i = 0; i < COUNT(durations); i++)
		assert_string_equal(rv_format_duration(durations[i].ms, buf), durations[i].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_u64),
		cmocka_unit_test(test_hex64),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_printing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Values as text: against what printf says, and at the edges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "warehouse/rows.h"

static char *text_of(enum rv_row_kind kind, unsigned scale, unsigned width, const void *value)
{
	struct rv_rows_column c = { .name = "c", .kind = kind, .scale = scale, .width = width,
				    .data = value };
	struct rv_strbuf sb = RV_STRBUF_INIT;

	rv_rows_text(&c, 0, &sb);
	return rv_strbuf_take(&sb);
}

#define assert_text(kind, scale, width, type, value, wanted)                                       \
	do {                                                                                       \
		type value_ = (value);                                                             \
		char *text_ = text_of(kind, scale, width, &value_);                                \
		assert_string_equal(text_, wanted);                                                \
		free(text_);                                                                       \
	} while (0)

static void test_doubles(void **state)
{
	uint64_t x = 88172645463325252u;
	(void)state;

	assert_text(RV_ROW_DOUBLE, 0, 0, double, 0.0, "0.0");
	assert_text(RV_ROW_DOUBLE, 0, 0, double, -0.0, "-0.0");
	assert_text(RV_ROW_DOUBLE, 0, 0, double, 0.1 + 0.2, "0.30000000000000004");
	assert_text(RV_ROW_DOUBLE, 0, 0, double, 1e15, "1e+15");
	assert_text(RV_ROW_DOUBLE, 0, 0, double, 5e-324, "4.94065645841247e-324");
	assert_text(RV_ROW_DOUBLE, 0, 0, double, 1.7976931348623157e308, "1.7976931348623157e+308");
	assert_text(RV_ROW_DOUBLE, 0, 0, double, NAN, "nan");
	assert_text(RV_ROW_DOUBLE, 0, 0, double, -INFINITY, "-inf");
	for (unsigned i = 0; i < 200000; i++) {
		char plain[64];
		double v;

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		if (i % 4 == 0)
			memcpy(&v, &x, 8);
		else
			v = i % 4 == 1 ? (double)(x % 1000000007) / 3e9
			    : i % 4 == 2 ? (double)(int64_t)x / 1e5 : (double)(x % 100000) / 100;
		if (!isfinite(v))
			continue;
		char *text = text_of(RV_ROW_DOUBLE, 0, 0, &v);

		assert_true(strtod(text, NULL) == v);
		for (int precision = 15; precision <= 17; precision++) {
			snprintf(plain, sizeof(plain), "%.*g", precision, v);
			if (strtod(plain, NULL) == v)
				break;
		}
		/* one form for whole numbers and few decimals, printf's for the others */
		if (strchr(text, 'e') || strlen(text) > 16)
			assert_int_equal(strncmp(text, plain, strlen(plain)), 0);
		free(text);
	}
}

static void test_decimals(void **state)
{
	(void)state;

	assert_text(RV_ROW_DECIMAL, 2, 2, int16_t, -5, "-0.05");
	assert_text(RV_ROW_DECIMAL, 4, 8, int64_t, 0, "0.0000");
	assert_text(RV_ROW_DECIMAL, 4, 8, int64_t, 1234567890123456789, "123456789012345.6789");
	assert_text(RV_ROW_DECIMAL, 0, 8, int64_t, INT64_MIN, "-9223372036854775808");
	assert_text(RV_ROW_DECIMAL, 18, 8, int64_t, 1, "0.000000000000000001");
	assert_text(RV_ROW_DECIMAL, 18, 8, int64_t, INT64_MAX, "9.223372036854775807");
	/* small numbers with more digits behind the point than 64 bits have */
	assert_text(RV_ROW_DECIMAL, 37, 16, __int128, -1,
		    "-0.0000000000000000000000000000000000001");
	assert_text(RV_ROW_DECIMAL, 2, 16, __int128, (__int128)INT64_MAX * 1000,
		    "92233720368547758070.00");
	assert_text(RV_ROW_I32, 0, 0, int32_t, -100, "-100");
}

static void test_times(void **state)
{
	(void)state;

	assert_text(RV_ROW_TIMESTAMP, 6, 0, int64_t, 0, "1970-01-01 00:00:00");
	assert_text(RV_ROW_TIMESTAMP, 6, 0, int64_t, -1, "1969-12-31 23:59:59.999999");
	assert_text(RV_ROW_TIMESTAMP, 6, 0, int64_t, -86400000000, "1969-12-31 00:00:00");
	assert_text(RV_ROW_TIMESTAMP, 6, 0, int64_t, 1750000000120000, "2025-06-15 15:06:40.12");
	assert_text(RV_ROW_TIMESTAMP, 6, 0, int64_t, 1750000000000001, "2025-06-15 15:06:40.000001");
	assert_text(RV_ROW_TIMESTAMP, 9, 0, int64_t, 1750000000000000010,
		    "2025-06-15 15:06:40.00000001");
	assert_text(RV_ROW_TIMESTAMP, 3, 0, int64_t, -500, "1969-12-31 23:59:59.5");
	assert_text(RV_ROW_TIMESTAMP, 0, 0, int64_t, 59, "1970-01-01 00:00:59");
	assert_text(RV_ROW_TIME, 6, 0, int64_t, 86399100000, "23:59:59.1");
}

/* A damaged file may hold any bits where times should be. */
static void test_times_that_are_none(void **state)
{
	static const struct {
		int32_t months, days;
		int64_t micros;
	} least = { INT32_MIN, INT32_MIN, INT64_MIN };
	char *text = text_of(RV_ROW_INTERVAL, 0, 16, &least);
	(void)state;

	assert_string_equal(text, "-178956970 years -8 months -2147483648 days -2562047788:00:54.775808");
	free(text);
	assert_text(RV_ROW_TIME, 6, 0, int64_t, 86400000000, "24:00:00");
	assert_text(RV_ROW_TIME, 6, 0, int64_t, 359999999999, "99:59:59.999999");
	assert_text(RV_ROW_TIME, 6, 0, int64_t, 360000000000, "100:00:00");
	assert_text(RV_ROW_TIME, 6, 0, int64_t, INT64_MAX, "2562047788:00:54.775807");
	assert_text(RV_ROW_TIME, 6, 0, int64_t, -1, "5124095576:01:49.551615");
	assert_text(RV_ROW_TIME, 9, 0, int64_t, INT64_MAX, "2562047:47:16.854775807");
	assert_text(RV_ROW_TIMESTAMP, 0, 0, int64_t, INT64_MAX - 1, "9223372036854775806");
	assert_text(RV_ROW_TIMESTAMP, 0, 0, int64_t, INT64_MIN, "-9223372036854775808");
	assert_text(RV_ROW_TIMESTAMP, 3, 0, int64_t, INT64_MIN, "-9223372036854775808");
	assert_text(RV_ROW_TIMESTAMP, 3, 0, int64_t, INT64_MIN + 86400000, "-292275055-05-17 16:47:04.192");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_doubles),
		cmocka_unit_test(test_decimals),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_times_that_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

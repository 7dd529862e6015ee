/* Values as Snowflake writes them, and as river prints them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "warehouse/snowflake_rows.h"

#define F RV_SNOWFLAKE_FIXED
struct value {
	enum rv_snowflake_type type;
	unsigned precision, scale;
	const char *text;    /* NULL: null */
	const char *json;    /* NULL: it is refused */
};
static const struct value values[] = {
	{ F, 18, 0, "-42", "-42" },
	{ F, 18, 0, "999999999999999999", "999999999999999999" },
	{ F, 38, 0, "99999999999999999999999999999999999999", "99999999999999999999999999999999999999" },
	{ F, 38, 0, "-99999999999999999999999999999999999999", "-99999999999999999999999999999999999999" },
	{ F, 38, 37, "-9.9999999999999999999999999999999999999",
	  "-9.9999999999999999999999999999999999999" },
	{ F, 10, 2, "1.10", "1.10" }, { F, 10, 2, "1", "1.00" }, { F, 10, 2, "1.5000", "1.50" },
	{ F, 10, 2, "-0.05", "-0.05" }, { F, 38, 0, "100", "100" }, { F, 18, 0, NULL, "null" },
	{ F, 18, 0, "", NULL }, { F, 18, 0, "-", NULL }, { F, 18, 2, "-.", NULL }, { F, 18, 0, "1e3", NULL },
	{ F, 10, 2, "1.234", NULL }, { F, 10, 2, "1.2.3", NULL },
	{ F, 38, 0, "1234567890123456789012345678901234567890", NULL },
	{ F, 18, 0, "99999999999999999999", NULL },
	{ RV_SNOWFLAKE_REAL, 0, 0, "1.5", "1.5" }, { RV_SNOWFLAKE_REAL, 0, 0, "1e300", "1e+300" },
	{ RV_SNOWFLAKE_REAL, 0, 0, "NaN", "\"nan\"" }, { RV_SNOWFLAKE_REAL, 0, 0, "-inf", "\"-inf\"" },
	{ RV_SNOWFLAKE_REAL, 0, 0, "1.5x", NULL }, { RV_SNOWFLAKE_REAL, 0, 0, "", NULL },
	{ RV_SNOWFLAKE_BOOLEAN, 0, 0, "true", "true" }, { RV_SNOWFLAKE_BOOLEAN, 0, 0, "0", "false" },
	{ RV_SNOWFLAKE_BOOLEAN, 0, 0, "yes", NULL },
	{ RV_SNOWFLAKE_DATE, 0, 0, "20777", "\"2026-11-20\"" },
	{ RV_SNOWFLAKE_DATE, 0, 0, "-1", "\"1969-12-31\"" },
	{ RV_SNOWFLAKE_DATE, 0, 0, "2932896", "\"9999-12-31\"" },
	{ RV_SNOWFLAKE_DATE, 0, 0, "99999999999", NULL },
	{ RV_SNOWFLAKE_TIME, 0, 9, "53931.123456789", "\"14:58:51.123456789\"" },
	{ RV_SNOWFLAKE_TIME, 0, 0, "53931", "\"14:58:51\"" },
	{ RV_SNOWFLAKE_TIME, 0, 3, "-1", NULL }, { RV_SNOWFLAKE_TIME, 0, 0, "86401", NULL },
	{ RV_SNOWFLAKE_TIME, 0, 0, "99999999999", NULL }, { RV_SNOWFLAKE_TIME, 0, 9, "9000000000", NULL },
	/* more decimals than any type has: no room for them, nor powers of ten */
	{ F, 38, 39, "0", NULL }, { F, 38, 999999, "0", NULL }, { RV_SNOWFLAKE_TIME, 0, 10, "1", NULL },
	{ F, 38, 38, "0", "0.00000000000000000000000000000000000000" },
	{ RV_SNOWFLAKE_TIMESTAMP_NTZ, 0, 9, "1795193931.123000000", "\"2026-11-20 16:58:51.123\"" },
	{ RV_SNOWFLAKE_TIMESTAMP_NTZ, 0, 9, "1795193931.000000000", "\"2026-11-20 16:58:51\"" },
	{ RV_SNOWFLAKE_TIMESTAMP_NTZ, 0, 9, "-0.500000000", "\"1969-12-31 23:59:59.5\"" },
	{ RV_SNOWFLAKE_TIMESTAMP_NTZ, 0, 9, "253402300799.999999999",
	  "\"9999-12-31 23:59:59.999999999\"" },
	{ RV_SNOWFLAKE_TIMESTAMP_NTZ, 0, 9, "-62135596800.000000000", "\"0001-01-01 00:00:00\"" },
	{ RV_SNOWFLAKE_TIMESTAMP_LTZ, 0, 9, "1795193931.000000000", "\"2026-11-20 16:58:51+00\"" },
	{ RV_SNOWFLAKE_TIMESTAMP_TZ, 0, 9, "1795193931.000000000 1560", "\"2026-11-20 18:58:51+02\"" },
	{ RV_SNOWFLAKE_TIMESTAMP_TZ, 0, 9, "1795193931.500000000 1110",
	  "\"2026-11-20 11:28:51.5-05:30\"" },
	{ RV_SNOWFLAKE_TIMESTAMP_TZ, 0, 9, "1795193931.000000000 9999", NULL },
	{ RV_SNOWFLAKE_TIMESTAMP_TZ, 0, 9, "1795193931.000000000 ", NULL },
	{ RV_SNOWFLAKE_TIMESTAMP_NTZ, 0, 9, "yesterday", NULL },
	{ RV_SNOWFLAKE_TEXT, 0, 0, "", "\"\"" }, { RV_SNOWFLAKE_TEXT, 0, 0, NULL, "null" },
	{ RV_SNOWFLAKE_TEXT, 0, 0, "twelve bytes", "\"twelve bytes\"" },
	{ RV_SNOWFLAKE_TEXT, 0, 0, "thirteen byte\n", "\"thirteen byte\\n\"" },
	{ RV_SNOWFLAKE_BINARY, 0, 0, "48690a00", "\"Hi\\\\x0A\\\\x00\"" },
	{ RV_SNOWFLAKE_BINARY, 0, 0, "486", NULL }, { RV_SNOWFLAKE_BINARY, 0, 0, "zz", NULL },
	{ RV_SNOWFLAKE_VARIANT, 0, 0, "{\n  \"a\": \"b \\\" c\",\n  \"d\": [\n    undefined,\n    1\n  ]\n}",
	  "{\"a\":\"b \\\" c\",\"d\":[null,1]}" },
	{ RV_SNOWFLAKE_VARIANT, 0, 0, "\"undefined\"", "\"undefined\"" },
	{ RV_SNOWFLAKE_VARIANT, 0, 0, "null", "null" },
	/* what is no JSON is told as a text */
	{ RV_SNOWFLAKE_VARIANT, 0, 0, "NaN", "\"NaN\"" },
	{ RV_SNOWFLAKE_VARIANT, 0, 0, "[1,\n -inf]", "\"[1,\\n -inf]\"" },
	{ RV_SNOWFLAKE_VARIANT, 0, 0, "1 2", "\"1 2\"" },
	{ RV_SNOWFLAKE_VARIANT, 0, 0, "1,\"b\":2", "\"1,\\\"b\\\":2\"" },
	{ RV_SNOWFLAKE_VARIANT, 0, 0, "", "\"\"" },
	{ RV_SNOWFLAKE_OTHER, 0, 0, "POINT(1 2)", "\"POINT(1 2)\"" },
};

static enum rv_status take_json(void *arg, const struct rv_rows *rows, struct rv_error *err)
{
	(void)err;
	for (size_t row = 0; row < rows->count; row++) {
		if (rv_rows_is_null(&rows->columns[0], row))
			rv_strbuf_puts(arg, "null");
		else
			rv_rows_value_json(&rows->columns[0], row, arg);
		rv_strbuf_putc(arg, '\n');
	}
	return RV_OK;
}

static struct rv_str str_of(const char *text)
{
	return text ? rv_str_of(text) : (struct rv_str){ NULL, 0 };
}

static void test_values(void **state RV_UNUSED)
{
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		const struct value *v = &values[i];
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf out = RV_STRBUF_INIT;
		RV_CLEANUP(snow_rows_release) struct snow_rows rows = { .sink = take_json, .arg = &out };
		const struct rv_snowflake_column column = { "C", v->type, v->precision, v->scale, true };
		const struct rv_str value = str_of(v->text);
		const struct rv_snowflake_page page = { 0, &column, 1, &value, 1 };
		struct rv_error err = RV_ERROR_INIT;
		enum rv_status status = snow_rows_page(&rows, &page, &err);

		if (!v->json) {
			if (status != RV_FAILED)
				fail_msg("'%s' is taken as %s", v->text, out.bytes);
			assert_non_null(strstr(err.message, "column C"));
			continue;
		}
		if (status != RV_OK)
			fail_msg("%s", err.message);
		out.bytes[out.len - 1] = '\0';
		if (strcmp(out.bytes, v->json) != 0)
			fail_msg("'%s' is %s, not %s", v->text ? v->text : "NULL", out.bytes, v->json);
	}
}

struct seen {
	size_t headers, batches, rows, largest;
	uint64_t sum;
};

static enum rv_status count(void *arg, const struct rv_rows *rows, struct rv_error *err)
{
	struct seen *seen = arg;
	(void)err;

	seen->headers += rows->count == 0;
	seen->batches += rows->count > 0;
	seen->rows += rows->count;
	if (rows->count > seen->largest)
		seen->largest = rows->count;
	for (size_t i = 0; i < rows->count; i++)
		seen->sum += (uint64_t)((const int64_t *)rows->columns[0].data)[i];
	return RV_OK;
}

/* Several results, pages of any size: a header for each result, and never more than a batch at once. */
static void test_pages(void **state RV_UNUSED)
{
	enum { ROWS = 5000 };
	struct seen seen = { 0 };
	RV_CLEANUP(snow_rows_release) struct snow_rows rows = { .sink = count, .arg = &seen };
	const struct rv_snowflake_column columns[2] = { { "A", F, 18, 0, false },
							{ "B", RV_SNOWFLAKE_TEXT, 0, 0, true } };
	RV_CLEANUP(rv_free_p) struct rv_str *cells = rv_calloc(ROWS * 2, sizeof(*cells));
	struct rv_error err = RV_ERROR_INIT;

	for (size_t i = 0; i < ROWS; i++)
		cells[i * 2] = RV_STR("7");
	struct rv_snowflake_page page = { 0, columns, 2, cells, ROWS };

	assert_int_equal(snow_rows_page(&rows, &page, &err), RV_OK);
	assert_int_equal(snow_rows_page(&rows, &page, &err), RV_OK);
	assert_int_equal(seen.headers, 1);
	assert_int_equal(seen.rows, 2 * ROWS);
	assert_int_equal(seen.largest, SNOW_ROWS_BATCH);
	assert_int_equal(seen.sum, 2 * ROWS * 7);
	page.statement = 1;
	page.count = 0;
	assert_int_equal(snow_rows_page(&rows, &page, &err), RV_OK);
	assert_int_equal(seen.headers, 2);
	page.columns_count = 1;
	assert_int_equal(snow_rows_page(&rows, &page, &err), RV_FAILED);
}

static enum rv_status take_header(void *arg, const struct rv_rows *rows, struct rv_error *err)
{
	(void)err;
	rv_rows_csv_header(rows, arg);
	return RV_OK;
}

/* Names without quotes are printed as river's definitions spell them, others as they are. */
static void test_names(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf out = RV_STRBUF_INIT;
	RV_CLEANUP(snow_rows_release) struct snow_rows rows = { .sink = take_header, .arg = &out };
	const struct rv_snowflake_column columns[] = { { "EVENT_ID", F, 18, 0, false },
						       { "Event_Id", F, 18, 0, false },
						       { "COUNT(*)", F, 18, 0, false } };
	const struct rv_snowflake_page page = { 0, columns, 3, NULL, 0 };
	struct rv_error err = RV_ERROR_INIT;

	assert_int_equal(snow_rows_page(&rows, &page, &err), RV_OK);
	assert_string_equal(out.bytes, "event_id,Event_Id,count(*)\n");
}

static enum rv_status stop(void *arg, const struct rv_rows *rows, struct rv_error *err)
{
	(void)arg;
	return rows->count ? rv_fail(err, RV_LOCAL_IO, "enough") : RV_OK;
}

static void test_sink_fails(void **state RV_UNUSED)
{
	RV_CLEANUP(snow_rows_release) struct snow_rows rows = { .sink = stop };
	const struct rv_snowflake_column column = { "A", F, 18, 0, false };
	const struct rv_str cell = RV_STR("7");
	const struct rv_snowflake_page page = { 0, &column, 1, &cell, 1 };
	struct rv_error err = RV_ERROR_INIT;

	assert_int_equal(snow_rows_page(&rows, &page, &err), RV_LOCAL_IO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_pages),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_sink_fails),
	};

	return cmocka_run_group_tests_name("snowflake_rows", tests, NULL, NULL);
}

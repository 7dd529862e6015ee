/* River's own small documents: lines with sums, texts of any bytes, numbers in hexadecimal. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/error.h"
#include "base/memory.h"
#include "format/json_text.h"

static void test_lines(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf line = RV_STRBUF_INIT;

	rv_json_line(&line, json_pack("{s:i}", "a", 1));
	assert_int_equal(line.bytes[line.len - 1], '\n');
	json_t *back = rv_json_line_parse(line.bytes, line.len - 1);

	assert_int_equal(rv_json_get_u64(back, "a"), 1);
	json_decref(back);
	for (size_t len = 0; len < line.len - 1; len++)
		assert_null(rv_json_line_parse(line.bytes, len));
	for (size_t i = 0; i < line.len - 1; i++) {
		line.bytes[i] ^= 1;
		assert_null(rv_json_line_parse(line.bytes, line.len - 1));
		line.bytes[i] ^= 1;
	}
}

/* With river's memory, that ends the process when there is none. */
static void test_memory(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;

	rv_json_memory();
	json_t *json = json_pack("[i]", 1);

	rv_json_dump(&text, json);
	json_decref(json);
	assert_string_equal(text.bytes, "[1]");
}

static void test_dump_of_nothing(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;

	rv_json_dump(&text, NULL);
	assert_string_equal(text.bytes, "null");
}

static void test_bytes(void **state RV_UNUSED)
{
	static const char *const texts[] = { "", "a", "\xc3\xa9", "\xff\x01", "\xed\xa0\x80" };
	static const char *const wrong[] = { "{}", "{\"hex\":1}", "{\"hex\":\"abc\"}", "{\"hex\":\"0g\"}",
					     "{\"hex\":\"6100\"}", "[]" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		json_t *json = rv_json_bytes(texts[i]);
		RV_CLEANUP(rv_free_p) char *back = rv_json_bytes_value(json);

		assert_string_equal(back, texts[i]);
		json_decref(json);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		json_t *json = json_loads(wrong[i], 0, NULL);

		assert_non_null(json);
		assert_null(rv_json_bytes_value(json));
		json_decref(json);
	}
}

static void test_hex64(void **state RV_UNUSED)
{
	static const char *const wrong[] = { "{}", "{\"h\":1}", "{\"h\":\"00000000000000f\"}",
					     "{\"h\":\"000000000000000000\"}", "{\"h\":\"000000000000000g\"}" };
	static const uint64_t numbers[] = { 0, 255, UINT64_MAX };
	uint64_t v = 7;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		json_t *json = json_pack("{s:o}", "h", rv_json_hex64(numbers[i]));

		assert_true(rv_json_get_hex64(json, "h", &v));
		assert_true(v == numbers[i]);
		json_decref(json);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		json_t *json = json_loads(wrong[i], 0, NULL);

		assert_false(rv_json_get_hex64(json, "h", &v));
		assert_true(v == UINT64_MAX);
		json_decref(json);
	}
	json_t *negative = json_pack("{s:i}", "n", -1);

	assert_int_equal(rv_json_get_u64(negative, "n"), 0);
	json_decref(negative);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_dump_of_nothing),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_hex64),
	};
	return cmocka_run_group_tests_name("json_text", tests, NULL, NULL);
}

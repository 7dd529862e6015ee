/* Packed rows: what goes in comes out, in bytes and in JSON, and no bytes lead a reader outside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "format/packed_row.h"

static void test_bytes_as_documented(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf row = RV_STRBUF_INIT;

	rv_packed_put_null(&row);
	rv_packed_put_text(&row, "", 0);
	rv_packed_put_text(&row, "ab", 2);
	rv_packed_put_text(&row, "a\"", 2);
	rv_packed_put_literal(&row, "12", 2);
	assert_int_equal(row.len, 11);
	assert_memory_equal(row.bytes, "\0\1\5ab\6a\"\5"
				       "12",
			    11);
}

static void test_what_needs_an_escape(void **state RV_UNUSED)
{
	for (unsigned c = 0; c < 256; c++) {
		char text[3] = { 'x', (char)c, 'y' };

		assert_int_equal(rv_packed_needs_escape(text, 3), c < 0x20 || c == '"' || c == '\\');
	}
	assert_false(rv_packed_needs_escape("", 0));
}

/* Lengths around each byte more that h takes. */
static void test_every_length_comes_back(void **state RV_UNUSED)
{
	static const size_t lengths[] = { 0, 1, 62, 63, 64, 127, 8190, 8191, 8192, 70000, 1048575, 1048576 };
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf row = RV_STRBUF_INIT;
	RV_CLEANUP(rv_free_p) char *text = rv_malloc(1048576);
	size_t count = sizeof(lengths) / sizeof(lengths[0]);

	for (size_t i = 0; i < 1048576; i++)
		text[i] = (char)('a' + i % 26);
	for (size_t i = 0; i < count; i++) {
		rv_packed_put_text(&row, text, lengths[i]);
		rv_packed_put_null(&row);
	}
	struct rv_packed_cursor cursor = rv_packed_cursor_of(row.bytes, row.len);
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf copy = RV_STRBUF_INIT;
	struct rv_packed_cell cell;

	for (size_t i = 0; i < count; i++) {
		assert_true(rv_packed_next(&cursor, &cell));
		assert_false(cell.null || cell.escape);
		assert_int_equal(cell.len, lengths[i]);
		assert_memory_equal(cell.p, text, cell.len);
		rv_packed_put_cell(&copy, &cell);
		assert_true(rv_packed_next(&cursor, &cell));
		assert_true(cell.null);
		assert_int_equal(cell.len, 0);
		rv_packed_put_cell(&copy, &cell);
	}
	assert_false(rv_packed_next(&cursor, &cell));
	assert_ptr_equal(cursor.p, cursor.end);
	assert_int_equal(copy.len, row.len);
	assert_memory_equal(copy.bytes, row.bytes, row.len);
}

static void test_json(void **state RV_UNUSED)
{
	struct rv_packed_column columns[5];
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf row = RV_STRBUF_INIT, out = RV_STRBUF_INIT;

	rv_packed_column_init(&columns[0], "id", true);
	rv_packed_column_init(&columns[1], "na\"me", false);
	rv_packed_column_init(&columns[2], "gone", false);
	rv_packed_column_init(&columns[3], "\xc3\xa9", false);
	rv_packed_column_init(&columns[4], "list", true);
	rv_packed_put_literal(&row, "-1.50", 5);
	rv_packed_put_text(&row, "a\"\\\n\t\x01z", 7);
	rv_packed_put_null(&row);
	rv_packed_put_text(&row, "", 0);
	rv_packed_put_literal(&row, "[\"x\"]", 5);
	rv_strbuf_puts(&out, "{");
	assert_true(rv_packed_row_json(columns, 5, row.bytes, row.len, &out));
	assert_string_equal(out.bytes, "{\"id\":-1.50,\"na\\\"me\":\"a\\\"\\\\\\n\\t\\u0001z\",\"gone\":null,"
				       "\"\xc3\xa9\":\"\",\"list\":[\"x\"]");
	/* a row of the first columns, and one of too few, which leaves nothing behind */
	rv_strbuf_truncate(&out, 1);
	assert_true(rv_packed_row_json(columns, 1, row.bytes, row.len, &out));
	assert_string_equal(out.bytes, "{\"id\":-1.50");
	rv_strbuf_truncate(&out, 1);
	assert_false(rv_packed_row_json(columns, 5, row.bytes, row.len - 1, &out));
	assert_string_equal(out.bytes, "{");
	rv_strbuf_truncate(&out, 0);
	assert_true(rv_packed_row_line(columns, 1, row.bytes, row.len, &out));
	assert_string_equal(out.bytes, "{\"id\":-1.50}\n");
	assert_false(rv_packed_row_line(columns, 5, row.bytes, row.len - 1, &out));
	assert_string_equal(out.bytes, "{\"id\":-1.50}\n");
	assert_true(rv_packed_row_line(columns, 0, row.bytes, row.len, &out));
	assert_string_equal(out.bytes, "{\"id\":-1.50}\n{}\n");
	/* a literal that says it needs an escape: it is JSON all the same */
	rv_strbuf_truncate(&row, 0);
	rv_packed_put_cell(&row, &(struct rv_packed_cell){ .p = "[\"\"]", .len = 4, .escape = true });
	rv_strbuf_truncate(&out, 0);
	assert_true(rv_packed_row_line(columns, 1, row.bytes, row.len, &out));
	assert_string_equal(out.bytes, "{\"id\":[\"\"]}\n");
	rv_strbuf_truncate(&out, 0);
	rv_packed_cell_json(&(struct rv_packed_cell){ .p = "[\"\"]", .len = 4, .escape = true }, true, &out);
	assert_string_equal(out.bytes, "[\"\"]");
	for (size_t i = 0; i < 5; i++)
		rv_packed_column_release(&columns[i]);
}

/* Any bytes: the cursor stays inside, and ends. The sanitizers watch. */
static void test_bytes_that_are_no_row(void **state RV_UNUSED)
{
	static const struct {
		const char *p;
		size_t len;
	} wrong[] = {
		{ "\x80", 1 },                                         /* h does not end */
		{ "\x07" "ab", 3 },                                    /* shorter than it says */
		{ "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 10 },    /* more than 64 bits */
		{ "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11 },
		{ "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10 },    /* longer than any memory */
	};
	struct rv_packed_cell cell;
	struct rv_packed_column column;

	rv_packed_column_init(&column, "a", false);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		RV_CLEANUP(rv_free_p) char *exact = rv_malloc(wrong[i].len);

		memcpy(exact, wrong[i].p, wrong[i].len);
		struct rv_packed_cursor cursor = rv_packed_cursor_of(exact, wrong[i].len);

		assert_false(rv_packed_next(&cursor, &cell));
		assert_true(cursor.p < cursor.end);
		/* nor does the writer of JSON take them for one */
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf row = RV_STRBUF_INIT, out = RV_STRBUF_INIT;

		rv_strbuf_add(&row, wrong[i].p, wrong[i].len);
		rv_strbuf_reserve(&row, RV_PACKED_CHUNK);
		memset(row.bytes + row.len, 0, RV_PACKED_CHUNK);
		assert_false(rv_packed_row_json(&column, 1, row.bytes, row.len, &out));
		assert_false(rv_packed_row_json(&column, 1, row.bytes, 0, &out));
		assert_int_equal(out.len, 0);
	}
	rv_packed_column_release(&column);
	srand(7);
	for (unsigned round = 0; round < 20000; round++) {
		size_t len = (size_t)rand() % 40;
		RV_CLEANUP(rv_free_p) char *exact = rv_malloc(len);

		for (size_t i = 0; i < len; i++)
			exact[i] = (char)(rand() % (round % 2 ? 256 : 16));
		struct rv_packed_cursor cursor = rv_packed_cursor_of(exact, len);
		size_t total = 0;

		while (rv_packed_next(&cursor, &cell)) {
			assert_true(cell.p + cell.len <= exact + len);
			total += cell.len + 1;
		}
		assert_true(total <= len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes_as_documented),
		cmocka_unit_test(test_what_needs_an_escape),
		cmocka_unit_test(test_every_length_comes_back),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_bytes_that_are_no_row),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

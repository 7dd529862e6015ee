/* Members of extracts as rows: cells against what they must be, faults with their places, every piece size
 * of the source alike. Test names hold the numbers of the catalogue of faults. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "flow/table_csv.h"
#include "flow/table_value.h"
#include "format/json_scan.h"
#include "format/packed_row.h"

/* What a reading gave, as text: rows as JSON arrays, rejects as "!code line:offset reason". */
struct seen {
	struct rv_strbuf text;
	const struct rv_job_table *table;
	uint64_t rejects_left;
};

static enum rv_status take_row(void *arg, const char *row, size_t len, struct rv_error *err RV_UNUSED)
{
	struct seen *seen = arg;
	struct rv_packed_cursor cursor = rv_packed_cursor_of(row, len);
	struct rv_packed_cell cell;

	for (size_t i = 0; i < seen->table->columns_count; i++) {
		assert_true(rv_packed_next(&cursor, &cell));
		if (!cell.null && !rv_table_is_literal(&seen->table->columns[i]))
			assert_int_equal(cell.escape, rv_packed_needs_escape(cell.p, cell.len));
		rv_strbuf_putc(&seen->text, i ? ' ' : '[');
		rv_packed_cell_json(&cell, rv_table_is_literal(&seen->table->columns[i]), &seen->text);
	}
	assert_ptr_equal(cursor.p, cursor.end);
	rv_strbuf_puts(&seen->text, "]\n");
	return RV_OK;
}

static enum rv_status take_reject(void *arg, const struct rv_table_reject *r, struct rv_error *err)
{
	struct seen *seen = arg;

	rv_strbuf_printf(&seen->text, "!%s %d:%d %s", r->code, (int)r->line, (int)r->offset, r->reason);
	rv_strbuf_printf(&seen->text, " <%.*s>\n", (int)(r->len < 40 ? r->len : 40), r->bytes);
	if (!seen->rejects_left)
		return rv_fail(err, RV_BAD_DATA, "too many");
	seen->rejects_left--;
	return RV_OK;
}

static void table_of(const char *columns, const char *dialect, struct rv_job *ret)
{
	struct rv_error err = RV_ERROR_INIT;
	RV_CLEANUP(rv_free_p)
	char *text = rv_asprintf("dialect: { %s }\ntables: { t: { member: t, columns: { %s } } }\nloads: { t: {} }\n",
				 dialect, columns);

	if (rv_job_parse("t.yaml", text, strlen(text), ret, &err) != RV_OK)
		fail_msg("%s: %s", text, err.message);
}

static enum rv_status read_all(const struct rv_job *job, const char *p, size_t len, size_t piece,
			       uint64_t max_row, struct seen *seen, struct rv_error *err)
{
	struct rv_source *source = rv_source_mem_new(p, len, piece, UINT64_MAX);
	struct rv_table_sink sink = { .row = take_row, .reject = take_reject, .arg = seen };
	struct rv_table_counts counts;

	source->label = "t";
	seen->table = &job->tables[0];
	seen->rejects_left = seen->rejects_left ? seen->rejects_left : 100;
	enum rv_status status = rv_table_csv_read(&job->tables[0], max_row, source, &sink, &counts, err);

	rv_source_free(source);
	return status;
}

/* The same whatever the pieces are. */
static void expect_bytes(const char *columns, const char *dialect, const char *p, size_t len,
			 const char *expected)
{
	static const size_t pieces[] = { 0, 1, 2, 3, 7, 16, 17 };
	struct rv_job job;

	table_of(columns, dialect, &job);
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		struct seen seen = { .text = RV_STRBUF_INIT };
		struct rv_error err = RV_ERROR_INIT;

		if (read_all(&job, p, len, pieces[i], 1 << 20, &seen, &err) != RV_OK)
			rv_strbuf_printf(&seen.text, "FAILED %s", err.message);
		if (strcmp(seen.text.bytes, expected) != 0)
			fail_msg("pieces of %zu of\n%s\n--- is\n%s\n--- must be\n%s", pieces[i], p,
				 seen.text.bytes, expected);
		rv_strbuf_release(&seen.text);
	}
	rv_job_release(&job);
}
static void expect(const char *columns, const char *dialect, const char *text, const char *expected)
{
	expect_bytes(columns, dialect, text, strlen(text), expected);
}

static void test_114_quotes(void **state RV_UNUSED)
{
	expect("a: string, b: string", "", "a,b\n1,2\n", "[\"1\" \"2\"]\n");
	expect("a: string, b: string", "", "a,b\n\"x\ny\",\"x\r\ny\"\nu,v\n",
	       "[\"x\\ny\" \"x\\r\\ny\"]\n[\"u\" \"v\"]\n");
	expect("a: string, b: string", "", "a,b\n\"say \"\"hi\"\"\",\"\"\"\"\n", "[\"say \\\"hi\\\"\" \"\\\"\"]\n");
	expect("a: string, b: string", "", "a,b\n5\" pipe,x\nu,\"v\"w\nu,v\n",
	       "!quote_in_field 2:4 a quote inside an unquoted field at byte 2 of the row <5\" pipe,x>\n"
	       "!text_after_quote 3:14 text behind a closing quote at byte 6 of the row <u,\"v\"w>\n"
	       "[\"u\" \"v\"]\n");
	expect("a: string, b: string", "quote: none", "a,b\n5\" pipe,\"x\n", "[\"5\\\" pipe\" \"\\\"x\"]\n");
	expect("a: string, b: string", "quote: \"'\"", "a,b\n'x,''y',z\n", "[\"x,'y\" \"z\"]\n");
}

static void test_115_quote_that_is_not_closed(void **state RV_UNUSED)
{
	expect("a: string, b: string", "", "a,b\n1,\"x\n2,y\n3,z\n",
	       "!unterminated_quote 2:4 the quote opened at line 2, byte 7 of the text is not closed before the "
	       "end <1,\"x>\n[\"2\" \"y\"]\n[\"3\" \"z\"]\n");
	expect("a: string, b: string", "", "a,b\n\"1\n1\",\"x\n2,y\n",
	       "!unterminated_quote 2:4 the quote opened at line 3, byte 11 of the text is not closed before the "
	       "end <\"1\n1\",\"x>\n[\"2\" \"y\"]\n");
	/* one early in much more than a row may have */
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	struct seen seen = { .text = RV_STRBUF_INIT };
	struct rv_error err = RV_ERROR_INIT;
	struct rv_job job;

	rv_strbuf_puts(&text, "a,b\n1,\"x\n");
	for (unsigned i = 0; i < 500000; i++)
		rv_strbuf_printf(&text, "%u,y\n", i);
	table_of("a: string, b: string", "", &job);
	assert_int_equal(read_all(&job, text.bytes, text.len, 65536, 1 << 16, &seen, &err), RV_OK);
	assert_true(rv_starts_with(seen.text.bytes, "!unterminated_quote 2:4 the quote opened at line 2, byte 7 of "
						     "the text is not closed within the limit of a row <1,\"x>\n"
						     "[\"0\" \"y\"]\n[\"1\" \"y\"]\n"));
	assert_true(rv_ends_with(seen.text.bytes, "[\"499999\" \"y\"]\n"));
	rv_strbuf_release(&seen.text);
	rv_job_release(&job);
}

static void test_116_ragged_rows(void **state RV_UNUSED)
{
	expect("a: string, b: string", "", "a,b\n1\n1,2,3\n\n1,\n,\n\"\",\"\"\n1,2,\n",
	       "!ragged_row 2:4 1 field where there are 2 columns <1>\n"
	       "!ragged_row 3:6 3 fields where there are 2 columns <1,2,3>\n"
	       "[\"1\" null]\n[null null]\n[\"\" \"\"]\n"
	       "!ragged_row 8:24 3 fields where there are 2 columns <1,2,>\n");
}

static void test_117_line_ends(void **state RV_UNUSED)
{
	static const char rows[] = "[\"1\" \"2\"]\n[\"3\" \"4\"]\n";

	expect("a: string, b: string", "", "a,b\n1,2\n3,4\n", rows);
	expect("a: string, b: string", "", "a,b\r\n1,2\r\n3,4\r\n", rows);
	expect("a: string, b: string", "", "a,b\n1,2\r\n3,4", rows);
	expect("a: string, b: string", "", "a,b\n1,2\n3,4\r", rows);
	expect("a: string, b: string", "", "a,b\n\n1,2\n\r\n3,\"4\"", rows);
	expect("a: string, b: string", "line_end: cr", "a,b\r1,2\r3,\"4\"\r", rows);
	expect("a: string, b: string", "line_end: lf", "a,b\n1,2\r\n", "!lone_line_end 2:4 a line end that ends no row at byte 4 of the row <1,2\r>\n");
	expect("a: string, b: string", "line_end: crlf", "a,b\r\n1,2\r\n3,4\r\n", rows);
	expect("a: string, b: string", "", "a,b\n1,2\rx\n", "!lone_line_end 2:4 a line end that ends no row at byte 4 of the row <1,2\rx>\n");
	expect("a: string, b: string", "", "a,b\r1,2\r3,4\r", "FAILED t: the first row holds a line end that ends no row");
}

static void test_118_encodings(void **state RV_UNUSED)
{
	expect("a: string", "", "\xef\xbb\xbf" "a,x\n\xc3\xa9,1\n", "[\"\xc3\xa9\"]\n");
	/* behind a short first row it is of the cell, however few bytes came at first */
	expect("a: string", "", "a\n\xef\xbb\xbf" "1\n", "[\"\xef\xbb\xbf" "1\"]\n");
	expect("a: string", "", "\xef\xbb\xbf" "a\n\xef\xbb\xbf" "1\n", "[\"\xef\xbb\xbf" "1\"]\n");
	expect("a: string", "", "a,x\nab\xe9,1\n\xc0\x80,1\n\xed\xa0\x80,1\nb,1\n",
	       "!invalid_utf8 2:4 byte 3 of the row is not UTF-8 <ab\xe9,1>\n"
	       "!invalid_utf8 3:10 byte 1 of the row is not UTF-8 <\xc0\x80,1>\n"
	       "!invalid_utf8 4:15 byte 1 of the row is not UTF-8 <\xed\xa0\x80,1>\n[\"b\"]\n");
	expect("a: string", "encoding: latin-1", "a,x\n\xe9\x80,1\n", "[\"\xc3\xa9\xc2\x80\"]\n");
	expect("a: string", "encoding: windows-1252", "a,x\n\xe9\x80,1\n", "[\"\xc3\xa9\xe2\x82\xac\"]\n");
	expect("a: string", "encoding: windows-1252", "a,x\n\xe9\x81,1\n",
	       "FAILED t: byte 6 is no character of windows-1252");
	static const char little[] = "\xff\xfe" "a\0,\0x\0\n\0\x3d\xd8\0\xde,\0001\0\n\0";
	static const char big[] = "\xfe\xff\0a\0,\0x\0\n\xd8\x3d\xde\0\0,\0001\0\n";

	expect_bytes("a: string", "encoding: utf-16", little, sizeof(little) - 1, "[\"\xf0\x9f\x98\x80\"]\n");
	expect_bytes("a: string", "encoding: utf-16", big, sizeof(big) - 1, "[\"\xf0\x9f\x98\x80\"]\n");
	expect_bytes("a: string", "encoding: utf-16le", little + 2, sizeof(little) - 3, "[\"\xf0\x9f\x98\x80\"]\n");
	expect_bytes("a: string", "encoding: utf-16be", little, sizeof(little) - 1,
		     "FAILED t: byte 1 is no character of utf-16be");
	expect_bytes("a: string", "encoding: utf-16be", "\0a\0\n\0x\xdc\0", 8,
		     "FAILED t: byte 7 is no character of utf-16be");
	expect_bytes("a: string", "encoding: utf-16be", "\0a\0\n\0x\0", 7,
		     "FAILED t: byte 7 is no character of utf-16be");
	expect_bytes("a: string", "", "a,x\nu\0v,1\n", 10, "!nul_byte 2:4 a holds a NUL byte <u>\n");
	expect("a: string", "", "\xe9,a\n1,2\n", "FAILED t: the first row is not UTF-8");
}

static void test_119_long_rows(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	struct seen seen = { .text = RV_STRBUF_INIT };
	struct rv_error err = RV_ERROR_INIT;
	struct rv_job job;

	rv_strbuf_puts(&text, "a,b\n");
	for (unsigned i = 0; i < 5000000; i++)
		rv_strbuf_putc(&text, 'x');
	rv_strbuf_puts(&text, ",1\n2,3\n");
	table_of("b: string", "", &job);
	assert_int_equal(read_all(&job, text.bytes, text.len, 65536, 8 << 20, &seen, &err), RV_OK);
	assert_string_equal(seen.text.bytes, "[\"1\"]\n[\"3\"]\n");
	rv_strbuf_clear(&seen.text);
	assert_int_equal(read_all(&job, text.bytes, text.len, 65536, 1 << 20, &seen, &err), RV_OK);
	assert_true(rv_starts_with(seen.text.bytes, "!too_long 2:4 longer than the limit of 1048576 bytes <xxx"));
	assert_true(rv_ends_with(seen.text.bytes, "[\"3\"]\n"));
	rv_strbuf_release(&seen.text);
	rv_job_release(&job);
	/* many columns, of which one is kept */
	rv_strbuf_clear(&text);
	for (unsigned row = 0; row < 2; row++) {
		for (unsigned i = 0; i < 50000; i++)
			rv_strbuf_printf(&text, "%sc%u", i ? "," : "", row ? i * 2 : i);
		rv_strbuf_putc(&text, '\n');
	}
	seen.text = (struct rv_strbuf)RV_STRBUF_INIT;
	table_of("c49999: string", "", &job);
	assert_int_equal(read_all(&job, text.bytes, text.len, 0, 8 << 20, &seen, &err), RV_OK);
	assert_string_equal(seen.text.bytes, "[\"c99998\"]\n");
	rv_strbuf_release(&seen.text);
	rv_job_release(&job);
}

static void test_120_dialects(void **state RV_UNUSED)
{
	expect("a: string, b: string", "delimiter: tab", "a\tb\n1,2\t3\n", "[\"1,2\" \"3\"]\n");
	expect("a: string, b: string", "delimiter: \"|\"", "a|b\n1|2\n", "[\"1\" \"2\"]\n");
	expect("a: string, b: string", "quote: none, escape: '\\', null: '\\N'",
	       "a,b\nx\\,y,\\N\nu\\nv,w\\\\\nu\\\nv,\n",
	       "[\"x,y\" null]\n[\"u\\nv\" \"w\\\\\"]\n[\"u\\nv\" \"\"]\n");
	expect("a: string, b: string", "escape: '\\'", "a,b\n\"x\\\"y\",\"\\\\\"\n", "[\"x\\\"y\" \"\\\\\"]\n");
	/* a file of another dialect is refused, not guessed */
	expect("a: string, b: string", "", "a;b\n1;2\n", "FAILED t: the header has no column 'a' of table t");
	expect("b: string, a: string", "names: [a, b]", "1,2\n", "[\"2\" \"1\"]\n");
}

static void test_121_headers(void **state RV_UNUSED)
{
	expect("a: string, b: string", "", "b,x,a\n1,2,3\n", "[\"3\" \"1\"]\n");
	expect("a: string, b: string", "", " A ,B\n1,2\n", "[\"1\" \"2\"]\n");
	expect("a: { from: A }", "", "a,A\n1,2\n", "[\"2\"]\n");
	expect("a: string", "", "A,a\n1,2\n", "[\"2\"]\n");
	expect("a: string", "", "A, a\n1,2\n", "FAILED t: the header names the column 'a' twice");
	expect("a: string", "", "a,a\n1,2\n", "FAILED t: the header names the column 'a' twice");
	expect("a: string", "", "b\n1\n", "FAILED t: the header has no column 'a' of table t");
	expect("a: string", "", "a,b\n1,2\na,b\n3,4\n",
	       "[\"1\"]\n!header_again 3:8 the header once more <a,b>\n[\"3\"]\n");
	expect("a: string", "", "", "FAILED t: it is empty: not even a header is there");
	expect("a: string", "", "a\n", "");
	expect("a: string", "", "\"a\n", "FAILED t: a quote in the first row is never closed");
}

static void test_122_null_and_empty(void **state RV_UNUSED)
{
	expect("a: string, n: integer", "", "a,n\n,\n\"\",\"\"\nNULL,1\n\\N,2\n",
	       "[null null]\n[\"\" null]\n[\"NULL\" 1]\n[\"\\\\N\" 2]\n");
	expect("a: string", "null: [NULL, '\\N']", "a,n\n,\n\"NULL\",\nNULL,\n\\N,2\n",
	       "[\"\"]\n[\"NULL\"]\n[null]\n[null]\n");
	expect("a: { type: string, required: true }, n: { type: integer, required: true }", "",
	       "a,n\n,1\nx,\n\"\",1\ny,\"\"\n",
	       "!missing_value 2:4 a is missing <,1>\n!missing_value 3:7 n is missing <x,>\n[\"\" 1]\n"
	       "!missing_value 5:15 n is missing <y,\"\">\n");
}

/* Texts that formulas begin with are texts. */
static void test_126_formulas(void **state RV_UNUSED)
{
	expect("a: string", "", "a,b\n=1+1,x\n+1,x\n-1,x\n@x,x\n\t1,x\n",
	       "[\"=1+1\"]\n[\"+1\"]\n[\"-1\"]\n[\"@x\"]\n[\"\\t1\"]\n");
}

static void test_130_too_many_rejects(void **state RV_UNUSED)
{
	struct seen seen = { .text = RV_STRBUF_INIT, .rejects_left = 2 };
	struct rv_error err = RV_ERROR_INIT;
	struct rv_job job;

	table_of("a: string, b: string", "", &job);
	assert_int_equal(read_all(&job, "a,b\n1\n2\n3\n4,5\n", 14, 0, 1000, &seen, &err), RV_BAD_DATA);
	assert_string_equal(err.message, "too many");
	rv_strbuf_release(&seen.text);
	rv_job_release(&job);
}

static void test_source_that_fails(void **state RV_UNUSED)
{
	for (uint64_t at = 0; at < 12; at++) {
		struct rv_source *source = rv_source_mem_new("a,b\n1,2\n3,4\n", 12, 1, at);
		struct seen seen = { .text = RV_STRBUF_INIT };
		struct rv_table_sink sink = { .row = take_row, .reject = take_reject, .arg = &seen };
		struct rv_table_counts counts;
		struct rv_error err = RV_ERROR_INIT;
		struct rv_job job;

		table_of("a: string, b: string", "", &job);
		seen.table = &job.tables[0];
		assert_int_not_equal(rv_table_csv_read(&job.tables[0], 1000, source, &sink, &counts, &err), RV_OK);
		rv_source_free(source);
		rv_strbuf_release(&seen.text);
		rv_job_release(&job);
	}
}

/* ---- values ---- */

static void value(const char *type, const char *text, const char *expected)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf row = RV_STRBUF_INIT, out = RV_STRBUF_INIT;
	RV_CLEANUP(rv_free_p) char *columns = rv_asprintf("a: %s", type);
	char reason[RV_CUT_REASON] = "";
	struct rv_job job;

	table_of(columns, "", &job);
	if (rv_table_value(&job.tables[0].columns[0], rv_str_of(text), &row, reason)) {
		struct rv_packed_cursor cursor = rv_packed_cursor_of(row.bytes, row.len);
		struct rv_packed_cell cell;

		assert_true(rv_packed_next(&cursor, &cell));
		rv_packed_cell_json(&cell, true, &out);
	} else {
		assert_int_equal(row.len, 0);
		rv_strbuf_printf(&out, "! %s", reason);
	}
	if (strcmp(out.bytes, expected) != 0)
		fail_msg("%s '%s' is %s, must be %s", type, text, out.bytes, expected);
	rv_job_release(&job);
}

/* A NUL is no blank around JSON. */
static void test_json_and_zeros(void **state RV_UNUSED)
{
	static char name[] = "a";
	const struct rv_column column = { .name = name, .type = RV_COLUMN_JSON };
	static const struct rv_str texts[] = { { "1\0", 2 }, { "\0{}", 3 }, { "\0", 1 } };
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf row = RV_STRBUF_INIT;
	char reason[RV_CUT_REASON];

	for (size_t i = 0; i < 3; i++) {
		assert_false(rv_table_value(&column, texts[i], &row, reason));
		assert_string_equal(reason, "is not JSON");
	}
}

static void test_123_integers(void **state RV_UNUSED)
{
	value("integer", "0", "0");
	value("integer", "-0", "0");
	value("integer", "007", "7");
	value("integer", "+1", "1");
	value("integer", "-42", "-42");
	value("integer", "1e3", "1000");
	value("integer", "5.0", "5");
	value("integer", "9223372036854775807", "9223372036854775807");
	value("integer", "-9223372036854775808", "-9223372036854775808");
	value("integer", "9223372036854775808", "! does not fit into 64 bits");
	value("integer", "1,000", "! is not a number");
	value("integer", " 1", "! is not a number");
	value("integer", "1.5", "! is not whole");
	value("integer", "x", "! is not a number");
	value("integer", "", "null");
}

static void test_124_decimals(void **state RV_UNUSED)
{
	value("\"decimal(18,2)\"", "19.99", "19.99");
	value("\"decimal(18,2)\"", "1.10", "1.10");
	value("\"decimal(18,2)\"", "-1.10", "-1.10");
	value("\"decimal(18,2)\"", "+1.10", "1.10");
	/* one value, one text: also where the column has no digit left in front of the point */
	value("\"decimal(18,18)\"", "0.010", "0.01");
	value("\"decimal(18,18)\"", "+0.010", "0.01");
	value("\"decimal(18,2)\"", "01.10", "1.1");
	value("\"decimal(18,2)\"", "1.100", "1.1");
	value("\"decimal(18,2)\"", "-0", "0");
	value("\"decimal(18,2)\"", "-0.00", "0");
	value("\"decimal(18,2)\"", "0.05", "0.05");
	value("\"decimal(18,2)\"", "5e-2", "0.05");
	value("\"decimal(18,2)\"", "1.101", "! has more decimals than the column");
	value("\"decimal(4,2)\"", "123.4", "! has more digits than the column");
	value("\"decimal(4,2)\"", "99.99", "99.99");
	value("\"decimal(38,0)\"", "12345678901234567890123456789012345678", "12345678901234567890123456789012345678");
	value("\"decimal(38,0)\"", "-99999999999999999999999999999999999999", "-99999999999999999999999999999999999999");
	value("\"decimal(38,0)\"", "100000000000000000000000000000000000000", "! has more digits than the column");
	value("\"decimal(18,2)\"", "NaN", "! is not a number");
	value("\"decimal(18,2)\"", "Inf", "! is not a number");
	value("\"decimal(18,2)\"", ".5", "! is not a number");
	value("double", "1.5e3", "1.5e3");
	value("double", "+007.50", "7.50");
	value("double", "-0", "-0");
	value("double", "1e999", "! is beyond what a double holds");
	value("double", "NaN", "! is not a number");
}

static void exact(const char *text, const char *expected)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf row = RV_STRBUF_INIT;
	const struct rv_column column = { .name = (char[]){ "a" }, .type = RV_COLUMN_DOUBLE, .exact = true };
	char reason[RV_CUT_REASON] = "taken";

	(void)!rv_table_value(&column, rv_str_of(text), &row, reason);
	if (strcmp(reason, expected) != 0)
		fail_msg("%s %s, must be: %s", text, reason, expected);
}

/* What a load holds as a double is found again from it. */
static void test_124_doubles(void **state RV_UNUSED)
{
	static const char *const taken[] = {
		"0", "-0", "0.0e5", "0.1", "-1.5", "+007.50", "123456789012345", "123456789012345000000", "1e22", "1e300",
		"0.30000000000000004", "9007199254740992", "1.7976931348623157e308",
		"2.2250738585072014e-308", "5e-324", "4.9406564584124654e-324", "1e-310", "0.1000000000000000055511151231257827",
		"0.500000000000000000000000000000", "18446744073709551616",
	};
	static const char *const digits[] = {
		"9007199254740993", "0.1000000000000000055511151231257828", "12345678901234567890.12", "0.12345678901234567890",
		"1.2345678901e-315",
	};
	static const char *const tiny[] = { "1e-400", "-2e-324", "0.00000000000000000001e-305" };

	for (size_t i = 0; i < sizeof(taken) / sizeof(*taken); i++)
		exact(taken[i], "taken");
	for (size_t i = 0; i < sizeof(digits) / sizeof(*digits); i++)
		exact(digits[i], "has more digits than a double holds");
	for (size_t i = 0; i < sizeof(tiny) / sizeof(*tiny); i++)
		exact(tiny[i], "is nearer to 0 than a double can be");
	exact("1e400", "is beyond what a double holds");
	exact("1.5x", "is not a number");
	/* where nothing says so, the text is what is kept */
	value("double", "9007199254740993", "9007199254740993");
	value("double", "1e-400", "1e-400");
}

static void test_125_times(void **state RV_UNUSED)
{
	value("date", "2024-02-29", "2024-02-29");
	value("date", "2023-02-29", "! is no day of the calendar");
	value("date", "2024-02-30", "! is no day of the calendar");
	value("{ type: date, format: \"%d.%m.%Y\" }", "1.3.2024", "2024-03-01");
	value("{ type: date, format: \"%d/%m/%y\" }", "31/12/99", "1999-12-31");
	value("date", "10000-01-01", "! is not a date as %Y-%m-%d");
	value("timestamp", "2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z");
	value("timestamp", "2024-01-01T00:00:00.250+02:00", "2023-12-31T22:00:00.25Z");
	value("timestamp", "2024-01-01T00:00:00.123456Z", "2024-01-01T00:00:00.123456Z");
	value("timestamp", "1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z");
	value("timestamp", "2024-01-01T24:00:00Z", "! is no time of day");
	value("timestamp", "2024-01-01T23:59:60Z", "! is no time of day");
	/* as they should be written but for a letter, and almost so */
	value("timestamp", "2024-02-29t23:59:59z", "2024-02-29T23:59:59Z");
	value("{ type: timestamp, timezone: UTC }", "2024-02-29 23:59:59", "2024-02-29T23:59:59Z");
	value("{ type: timestamp, timezone: UTC }", "0000-01-31 00:00:00", "0000-01-31T00:00:00Z");
	value("{ type: timestamp, timezone: UTC }", "2023-02-29 23:59:59", "! is no day of the calendar");
	value("{ type: timestamp, timezone: UTC }", "2023-13-01 23:59:59", "! is no day of the calendar");
	value("{ type: timestamp, timezone: UTC }", "2023-01-00 23:59:59", "! is no day of the calendar");
	value("{ type: timestamp, timezone: UTC }", "2023-12-31 24:00:00", "! is no time of day");
	value("{ type: timestamp, timezone: UTC }", "2023-12-31 00:60:00", "! is no time of day");
	for (size_t i = 0; i < 19; i++) {
		char text[] = "2023-12-31 10:10:10";

		text[i] = i == 10 ? '_' : text[i] == '1' ? ':' : '\xb1';
		value("{ type: timestamp, timezone: UTC }", text, "! is not a time as 2026-11-20T16:58:51Z");
		if (i > 9)
			continue;
		text[10] = '\0';
		value("date", text, "! is not a date as %Y-%m-%d");
	}
	value("timestamp", "2024-01-01 00:00:00",
	      "! has no zone, and neither has the column: set its timezone, as in timezone: UTC");
	value("{ type: timestamp, timezone: \"+02:00\" }", "2024-01-01 00:00:00", "2023-12-31T22:00:00Z");
	value("{ type: timestamp, format: \"%d.%m.%Y %H:%M\", timezone: UTC }", "05.01.2024 07:08", "2024-01-05T07:08:00Z");
	value("{ type: timestamp, format: epoch_ms }", "1700000000123", "2023-11-14T22:13:20.123Z");
	value("{ type: timestamp, format: epoch_s }", "1700000000123", "! is not in the years 1 to 9999 as epoch_s");
}

static void test_booleans_and_json(void **state RV_UNUSED)
{
	value("boolean", "TRUE", "true");
	value("boolean", "0", "false");
	value("boolean", "yes", "! is neither true nor false");
	value("json", "{\"a\": 1.10}", "{\"a\": 1.10}");
	value("json", " {\"a\":\n1}\n", "{\"a\": 1}");
	value("json", "[1,2]", "[1,2]");
	value("json", "\"x\"", "\"x\"");
	value("json", "1e400", "1e400");
	value("json", "-0", "-0");
	value("json", "[123456789012345678901234567890, 1e-400]", "[123456789012345678901234567890, 1e-400]");
	value("json", "[1", "! is not JSON");
	value("json", "1},{\"b\":2", "! is not JSON");
	value("json", "1],\"b\":[2", "! is not JSON");
	value("json", "\"a\",\"b\"", "! is not JSON");
	value("json", "\"a\":1", "! is not JSON");
	value("json", "\"\\ud800\"", "! is not JSON");
	value("json", "1,2", "! is not JSON");
	value("json", "1,\"b\":2", "! is not JSON");
	value("json", "{\"a\":1} x", "! is not JSON");
	value("json", "{", "! is not JSON");
	/* as deep as a record may be, with the row around it */
	for (size_t depth = RV_JSON_MAX_DEPTH - 1; depth <= RV_JSON_MAX_DEPTH; depth++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf deep = RV_STRBUF_INIT;

		for (size_t i = 1; i < depth; i++)
			rv_strbuf_puts(&deep, "{\"a\":");
		rv_strbuf_puts(&deep, "{}");
		for (size_t i = 1; i < depth; i++)
			rv_strbuf_putc(&deep, '}');
		value("json", deep.bytes, depth < RV_JSON_MAX_DEPTH ? deep.bytes : "! is not JSON");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_114_quotes),
		cmocka_unit_test(test_115_quote_that_is_not_closed),
		cmocka_unit_test(test_116_ragged_rows),
		cmocka_unit_test(test_117_line_ends),
		cmocka_unit_test(test_118_encodings),
		cmocka_unit_test(test_119_long_rows),
		cmocka_unit_test(test_120_dialects),
		cmocka_unit_test(test_121_headers),
		cmocka_unit_test(test_122_null_and_empty),
		cmocka_unit_test(test_json_and_zeros),
		cmocka_unit_test(test_123_integers),
		cmocka_unit_test(test_124_decimals),
		cmocka_unit_test(test_124_doubles),
		cmocka_unit_test(test_125_times),
		cmocka_unit_test(test_126_formulas),
		cmocka_unit_test(test_130_too_many_rejects),
		cmocka_unit_test(test_source_that_fails),
		cmocka_unit_test(test_booleans_and_json),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

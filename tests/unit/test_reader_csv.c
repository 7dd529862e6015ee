/* csv and text: cells come out as RFC 4180 says, bad rows cost only themselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <string.h>

#include "base/memory.h"
#include "format/csv.h"
#include "format/text_copy.h"
#include "unit/reader_util.h"

static const struct rv_reader_params csv = { .format = RV_FORMAT_CSV };
static const struct rv_reader_params text = { .format = RV_FORMAT_TEXT };

#define EXPECT(input, params, records, rejects)                                                    \
	expect_reading(input, sizeof(input) - 1, params, records, rejects)

static void expect_failure(const char *input, size_t len, const struct rv_reader_params *params,
			   const char *words)
{
	for (size_t piece = 0; piece <= len; piece++) {
		struct read_result r;

		read_text(input, len, params, &(struct read_how){ .piece = piece }, &r);
		assert_int_equal(r.status, RV_BAD_DATA);
		if (!strstr(r.err.message, words))
			fail_msg("\"%s\" does not say \"%s\"", r.err.message, words);
		assert_int_equal(r.count, 0);
		read_result_release(&r);
	}
}
#define EXPECT_FAILURE(input, params, words) expect_failure(input, sizeof(input) - 1, params, words)

static void test_cells(void **state RV_UNUSED)
{
	EXPECT("a,b\n1,2\n", &csv, "{\"a\":\"1\",\"b\":\"2\"}\n", "");
	EXPECT("a,b\r\n1,2\r\n3,4", &csv, "{\"a\":\"1\",\"b\":\"2\"}\n{\"a\":\"3\",\"b\":\"4\"}\n",
	       "");
	EXPECT("\xef\xbb\xbf\"a\",b\n,\n\"\",\"\"\n", &csv,
	       "{\"a\":\"\",\"b\":\"\"}\n{\"a\":\"\",\"b\":\"\"}\n", "");
	EXPECT("a,b\n\"x\ny\",\"1\r\n2\"\n3,4\n", &csv,
	       "{\"a\":\"x\\ny\",\"b\":\"1\\r\\n2\"}\n{\"a\":\"3\",\"b\":\"4\"}\n", "");
	EXPECT("a,b\n\"say \"\"hi\"\"\",\"\"\"\"\n", &csv,
	       "{\"a\":\"say \\\"hi\\\"\",\"b\":\"\\\"\"}\n", "");
	/* A quote inside of an unquoted field is text; so are blanks, backslashes, a lone CR. */
	EXPECT("a,b\n5\" disk, \"x\"\n", &csv, "{\"a\":\"5\\\" disk\",\"b\":\" \\\"x\\\"\"}\n", "");
	EXPECT("a\n\\N\n x \nq\rr\n\x01\x7f\t\n", &csv,
	       "{\"a\":\"\\\\N\"}\n{\"a\":\" x \"}\n{\"a\":\"q\\rr\"}\n"
	       "{\"a\":\"\\u0001\x7f\\t\"}\n",
	       "");
	EXPECT("a\n\0\n", &csv, "{\"a\":\"\\u0000\"}\n", "");
	/* Blank lines anywhere; a header alone; nothing at all; no newline at the end. */
	EXPECT("\n\r\na,b\n\n1,2\n\r\n\n", &csv, "{\"a\":\"1\",\"b\":\"2\"}\n", "");
	EXPECT("a,b\n", &csv, "", "");
	EXPECT("a,b", &csv, "", "");
	EXPECT("", &csv, "", "");
	EXPECT("a,b\n1,\"2\"", &csv, "{\"a\":\"1\",\"b\":\"2\"}\n", "");
	EXPECT("a,b\n1,2\r", &csv, "{\"a\":\"1\",\"b\":\"2\"}\n", "");
	/* also one that ends behind its carriage return */
	EXPECT("a\n1\n\r", &csv, "{\"a\":\"1\"}\n", "");
	EXPECT("a\r\n1\r\n\r\n\r", &csv, "{\"a\":\"1\"}\n", "");
	EXPECT("\r", &csv, "", "");
	EXPECT("a\n\r\r\n", &csv, "{\"a\":\"\\r\"}\n", "");
	EXPECT("\"x\"\"y\",\"n\nl\",\"b\\s\"\n1,2,3\n", &csv,
	       "{\"x\\\"y\":\"1\",\"n\\nl\":\"2\",\"b\\\\s\":\"3\"}\n", "");
	/* What JSON escapes in a name; a record of eight bytes and one of nine. */
	EXPECT("a\x01\tb,c\n1,2\n", &csv, "{\"a\\u0001\\tb\":\"1\",\"c\":\"2\"}\n", "");
	EXPECT("\"a\r\nb\",c\n1,2\n", &csv, "{\"a\\r\\nb\":\"1\",\"c\":\"2\"}\n", "");
	EXPECT("a\n\"\"\n1\n\"\"\n", &csv, "{\"a\":\"\"}\n{\"a\":\"1\"}\n{\"a\":\"\"}\n", "");
	/* Long fields, so that every place in a vector is met. */
	EXPECT("k\n0123456789abcdefghijklmnopqrstuvwxyz\n\"0123456789abcdefghijklmnopqr,tuvwxyz\"\n"
	       "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80 0123456789\n",
	       &csv,
	       "{\"k\":\"0123456789abcdefghijklmnopqrstuvwxyz\"}\n"
	       "{\"k\":\"0123456789abcdefghijklmnopqr,tuvwxyz\"}\n"
	       "{\"k\":\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80 0123456789\"}\n",
	       "");
}

static void test_bad_rows(void **state RV_UNUSED)
{
	EXPECT("a,b\n1\n1,2,3\n1,2,\n1,2\n", &csv, "{\"a\":\"1\",\"b\":\"2\"}\n",
	       "2:ragged_row:4:1\n|3:ragged_row:6:1,2,3\n|4:ragged_row:12:1,2,\n|");
	EXPECT("a,b\n\"x\"y,2\n\"x\" ,2\n1,2\n", &csv, "{\"a\":\"1\",\"b\":\"2\"}\n",
	       "2:text_after_quote:7:\"x\"y,2\n|3:text_after_quote:14:\"x\" ,2\n|");
	EXPECT("a,b\n1,\xff\n1,\xed\xa0\x80\n\xc0\xaf,2\n1,2\n", &csv, "{\"a\":\"1\",\"b\":\"2\"}\n",
	       "2:invalid_utf8:6:1,\xff\n|3:invalid_utf8:10:1,\xed\xa0\x80\n|"
	       "4:invalid_utf8:14:\xc0\xaf,2\n|");
	EXPECT("a,b\n\"x\"y,\"z\"w\n1,2\n", &csv, "{\"a\":\"1\",\"b\":\"2\"}\n",
	       "2:text_after_quote:7:\"x\"y,\"z\"w\n|");
	/* The header again, in the middle, is a row like others; rows over lines are counted right. */
	EXPECT("a,b\n\"x\n\ny\",1\nbad\n", &csv, "{\"a\":\"x\\n\\ny\",\"b\":\"1\"}\n",
	       "5:ragged_row:13:bad\n|");
}

static void test_unterminated_quote(void **state RV_UNUSED)
{
	struct rv_reader_params p = csv;

	/* Only the line of the quote is lost; the rest is read as rows. */
	EXPECT("a,b\n1,2\n3,\"4\n5,6\n7,8\n", &csv,
	       "{\"a\":\"1\",\"b\":\"2\"}\n{\"a\":\"5\",\"b\":\"6\"}\n{\"a\":\"7\",\"b\":\"8\"}\n",
	       "3:unterminated_quote:10:3,\"4\n|");
	EXPECT("a,b\n\"1", &csv, "", "2:unterminated_quote:4:\"1|");
	p.max_record_bytes = 24;
	EXPECT("a,b\n3,\"4\n5,6666666666666\n7,8\n9,\"10\"\n", &p,
	       "{\"a\":\"7\",\"b\":\"8\"}\n{\"a\":\"9\",\"b\":\"10\"}\n",
	       "2:unterminated_quote:6:3,\"4\n|3:too_long:9:5,6666666666666\n|");
	/* It opened on the row's second line. */
	EXPECT("a,b\n\"x\ny\",\"z\n7,8888888888888888888888888\n1,2\n", &p,
	       "{\"a\":\"1\",\"b\":\"2\"}\n",
	       "2:unterminated_quote:10:\"x\ny\",\"z\n|4:too_long:37:7,8888888888888888888888888\n|");
}

/* Fields that grow sixfold and end anywhere in the room that was made for them. */
static void test_escapes_outgrow_the_room(void **state RV_UNUSED)
{
	for (size_t before = 0; before < 22; before++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf field = RV_STRBUF_INIT;
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf in = RV_STRBUF_INIT, want = RV_STRBUF_INIT;
		struct read_result r;

		for (size_t i = 0; i < before; i++)
			rv_strbuf_putc(&field, 'b');
		for (int i = 0; i < 400; i++)
			rv_strbuf_puts(&field, i % 2 ? "\x01" : "aaaaaaaaaaaaaaa\x01");
		rv_strbuf_printf(&in, "a\n%s\n", field.bytes);
		rv_strbuf_puts(&want, "{\"a\":");
		rv_strbuf_json(&want, field.bytes, field.len);
		rv_strbuf_puts(&want, "}\n");
		read_text(in.bytes, in.len, &csv, &(struct read_how){ 0 }, &r);
		assert_int_equal(r.status, RV_OK);
		assert_string_equal(r.records.bytes, want.bytes);
		read_result_release(&r);
		/* a line of text is the same with other names around it */
		rv_strbuf_clear(&want);
		rv_strbuf_puts(&want, "{\"text\":\"a\"}\n{\"text\":");
		rv_strbuf_json(&want, field.bytes, field.len);
		rv_strbuf_puts(&want, "}\n");
		read_text(in.bytes, in.len, &text, &(struct read_how){ .large_bytes = 20 }, &r);
		assert_int_equal(r.status, RV_OK);
		assert_string_equal(r.records.bytes, want.bytes);
		read_result_release(&r);
	}
}

/* What a giant took is not kept. A source may fail at any read, also at one that is not waited for. */
static void test_giants_and_failures(void **state RV_UNUSED)
{
	static const char rows[] = "a\n12345678901234567890\n1\n";
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf in = RV_STRBUF_INIT;
	struct read_result r;

	while (in.len < 5 << 20)
		rv_strbuf_puts(&in, "0123456789");
	rv_strbuf_puts(&in, "\nx\n");
	read_text(in.bytes, in.len, &text, &(struct read_how){ 0 }, &r);
	assert_int_equal(r.count, 2);
	assert_int_equal(r.records.len, in.len + 2 * strlen("{\"text\":\"\"}"));
	read_result_release(&r);
	for (size_t piece = 1; piece < sizeof(rows) - 1; piece += READER_SANITIZED ? 8 : 1)
		for (uint64_t at = 0; at < sizeof(rows) - 1; at++) {
			struct rv_error err = RV_ERROR_INIT;
			RV_CLEANUP(rv_source_free_p) struct rv_source *source =
				rv_source_mem_new(rows, sizeof(rows) - 1, piece, at);
			RV_CLEANUP(rv_reader_free_p) struct rv_reader *rd = NULL;
			struct rv_reader_limits limits = { .timeout_ms = -1 };
			struct rv_span s;

			assert_int_equal(rv_reader_new(source, &csv, &rd, &err), RV_OK);
			while (rv_reader_next(rd, &limits, &s, &err) == RV_OK)
				assert_int_equal(s.kind, RV_SPAN_RECORDS);
			assert_int_equal(err.status, RV_LOCAL_IO);
		}
}

static void test_row_limit(void **state RV_UNUSED)
{
	struct read_result r;
	struct rv_reader_params p = csv;

	p.max_record_bytes = 20;
	/* {"a":"............."} has 20 bytes with 12 of them in the field. */
	EXPECT("a\n012345678901\n0123456789012\n01234567890123456789\n"
	       "012345678901234567890123456789\nx\n",
	       &p, "{\"a\":\"012345678901\"}\n{\"a\":\"x\"}\n",
	       "3:too_long:15:0123456789012\n|4:too_long:29:01234567890123456789\n|"
	       "5:too_long:70:012345678901234567890123456789\n|");
	/* one byte more than there may be is all that a row shows of itself */
	EXPECT("a\n012345678901234567890\nx\n", &p, "{\"a\":\"x\"}\n",
	       "2:too_long:22:012345678901234567890\n|");
	EXPECT_FAILURE("012345678901234567890\n1\n", &p, "longer than a record may be");
	EXPECT_FAILURE("01234567890123456789012", &p, "longer than a record may be");
	/* the end that comes with the bytes which are too many */
	struct rv_csv_dialect d = RV_CSV_DIALECT_INIT;

	d.no_header = true;
	d.names = (char *[]){ (char[]){ "a" } };
	d.names_count = 1;
	p.csv = &d;
	p.is_extent = true;
	read_text("01234567890123456789012", 23, &p, &(struct read_how){ .piece = 21 }, &r);
	assert_int_equal(r.status, RV_OK);
	assert_string_equal(r.rejects.bytes, "1:too_long:20:01234567890123456789012|");
	read_result_release(&r);
}

static void test_dialects(void **state RV_UNUSED)
{
	char *nulls[] = { (char[]){ "NULL" }, (char[]){ "" } };
	char *names[] = { (char[]){ "x" }, (char[]){ "y\"z" } };
	struct rv_csv_dialect d = RV_CSV_DIALECT_INIT;
	struct rv_reader_params p = csv;

	p.csv = &d;
	d.delimiter = ';';
	d.quote = '\'';
	EXPECT("a;b\n'1;1';\"2\"\n'it''s';,\n", &p,
	       "{\"a\":\"1;1\",\"b\":\"\\\"2\\\"\"}\n{\"a\":\"it's\",\"b\":\",\"}\n", "");
	d.delimiter = '\t';
	d.quote = 0;
	EXPECT("a\tb\n'1\t\"2\n", &p, "{\"a\":\"'1\",\"b\":\"\\\"2\"}\n", "");
	d = (struct rv_csv_dialect)RV_CSV_DIALECT_INIT;
	d.nulls = nulls;
	d.nulls_count = 2;
	EXPECT("a\nNONE\n", &p, "{\"a\":\"NONE\"}\n", "");
	EXPECT("a,b\nNULL,\"NULL\"\n,\"\"\nNUL,NULLS\n", &p,
	       "{\"a\":null,\"b\":\"NULL\"}\n{\"a\":null,\"b\":\"\"}\n"
	       "{\"a\":\"NUL\",\"b\":\"NULLS\"}\n",
	       "");
	d = (struct rv_csv_dialect)RV_CSV_DIALECT_INIT;
	d.no_header = true;
	EXPECT("1,2\n3,4\n5\n", &p, "{\"c1\":\"1\",\"c2\":\"2\"}\n{\"c1\":\"3\",\"c2\":\"4\"}\n",
	       "3:ragged_row:8:5\n|");
	d.names = names;
	d.names_count = 2;
	EXPECT("1,2\n", &p, "{\"x\":\"1\",\"y\\\"z\":\"2\"}\n", "");
	d.no_header = false;
	EXPECT("1,2\n3,4\n", &p, "{\"x\":\"3\",\"y\\\"z\":\"4\"}\n", "");
	/* what the header says is nobody's then */
	EXPECT("\xff,\"b\"c\n3,4\n", &p, "{\"x\":\"3\",\"y\\\"z\":\"4\"}\n", "");
}

static void test_headers_refused(void **state RV_UNUSED)
{
	char *names[] = { (char[]){ "x" } };
	struct rv_csv_dialect d = RV_CSV_DIALECT_INIT;
	struct rv_reader_params p = csv;

	EXPECT_FAILURE("a,b,a\n1,2,3\n", &csv, "the column \"a\" twice");
	EXPECT_FAILURE("a,,c\n1,2,3\n", &csv, "column 2 of the header has no name");
	EXPECT_FAILURE("a,b,\n1,2,3\n", &csv, "column 3");
	EXPECT_FAILURE("a,\"b\n1,2\n", &csv, "never closed");
	EXPECT_FAILURE("a,\"b\"c\n1,2\n", &csv, "closing quote");
	EXPECT_FAILURE("a,\xff\n1,2\n", &csv, "not UTF-8");
	EXPECT_FAILURE("a,b\r1,2\r3,4\n", &csv, "carriage return");
	EXPECT_FAILURE("\xff\xfe" "a\0,\0b\0", &csv, "UTF-16");
	EXPECT_FAILURE("\xfe\xff\0a\0,\0b", &csv, "UTF-16");
	EXPECT_FAILURE("a\0b,c\n1,2\n", &csv, "a column name in the header holds a NUL byte");
	p.csv = &d;
	d.names = names;
	d.names_count = 1;
	EXPECT_FAILURE("a,b\n1,2\n", &p, "1 column names were given, the header has 2");
	EXPECT_FAILURE("a\r1\r2\n", &p, "carriage return");
	char *twice[] = { (char[]){ "x" }, (char[]){ "x" } };

	d.names = twice;
	d.names_count = 2;
	d.no_header = true;
	EXPECT_FAILURE("1,2\n", &p, "the header names the column \"x\" twice");
}

static void refuses_to_begin(const struct rv_reader_params *p, enum rv_status status, const char *words)
{
	struct rv_error err = RV_ERROR_INIT;
	struct rv_reader *rd = NULL;
	RV_CLEANUP(rv_source_free_p) struct rv_source *s = rv_source_mem_new("a\n", 2, 0, UINT64_MAX);

	assert_int_equal(rv_reader_new(s, p, &rd, &err), status);
	assert_non_null(strstr(err.message, words));
	assert_null(rd);
}

static void test_dialects_refused(void **state RV_UNUSED)
{
	static const char wrong[][2] = { { '\n', '"' }, { '\r', '"' }, { '\0', '"' }, { '"', '"' },
					 { '\xa4', '"' }, { ',', '\n' }, { ',', '\r' }, { ',', '\xa4' } };
	static const char *const headers[] = { "\"a", "\"a\"b", "a\nb", "\xff" };
	struct rv_csv_dialect d = RV_CSV_DIALECT_INIT;
	struct rv_reader_params p = csv;

	p.csv = &d;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		d.delimiter = wrong[i][0];
		d.quote = wrong[i][1];
		refuses_to_begin(&p, RV_USAGE, "two different bytes of ASCII");
	}
	/* a checkpoint's header that none of river's wrote; none is looked at where the input has one */
	p = csv;
	for (size_t i = 0; i < sizeof(headers) / sizeof(*headers); i++) {
		p.csv_header = headers[i];
		p.offset = 2;
		refuses_to_begin(&p, RV_BAD_DATA, "no CSV row in UTF-8");
		p.offset = 0;
		EXPECT("b\n1\n", &p, "{\"b\":\"1\"}\n", "");
	}
}

static void test_other_formats_refused(void **state RV_UNUSED)
{
	char *names[] = { (char[]){ "x" } };
	struct rv_csv_dialect d = RV_CSV_DIALECT_INIT;
	struct rv_reader_params p = csv;

	EXPECT_FAILURE("a;b\n1;2\n", &csv, "separated by ';'");
	EXPECT_FAILURE("\xef\xbb\xbf" "a|b\r\n1|2\n", &csv, "separated by '|'");
	EXPECT_FAILURE("a\tb\n", &csv, "separated by tabs");
	EXPECT_FAILURE("sep=;\na;b\n", &csv, "Excel's 'sep=;'");
	EXPECT_FAILURE("{\"a\":1,\"b\":[2,3]}\n{\"a\":2}\n", &csv, "looks like JSON");
	EXPECT_FAILURE("{\n  \"a\": 1\n}\n", &csv, "looks like JSON");
	EXPECT_FAILURE("[{\"a\":1},\n", &csv, "looks like JSON");
	EXPECT_FAILURE("[\n{\"a\":1}\n]\n", &csv, "looks like JSON");
	EXPECT("[a],b\n1,2\n", &csv, "{\"[a]\":\"1\",\"b\":\"2\"}\n", "");
	/* One column that was meant: quoted, named, or of another delimiter. */
	EXPECT("\"a;b\"\n1\n", &csv, "{\"a;b\":\"1\"}\n", "");
	EXPECT("a;b,c\n1,2\n", &csv, "{\"a;b\":\"1\",\"c\":\"2\"}\n", "");
	EXPECT("{a,b}\n1,2\n", &csv, "{\"{a\":\"1\",\"b}\":\"2\"}\n", "");
	p.csv = &d;
	d.delimiter = ':';
	EXPECT("a;b\n1;2\n", &p, "{\"a;b\":\"1;2\"}\n", "");
	EXPECT_FAILURE("sep=;\na;b\n", &p, "Excel's 'sep=;'");
	d.delimiter = ',';
	d.quote = 0;
	EXPECT_FAILURE("\"a;b\"\n", &p, "separated by ';'");
	d.quote = '"';
	d.names = names;
	d.names_count = 1;
	EXPECT("a;b\n1;2\n", &p, "{\"x\":\"1;2\"}\n", "");
	d.no_header = true;
	EXPECT("a;b\n{}\n", &p, "{\"x\":\"a;b\"}\n{\"x\":\"{}\"}\n", "");
}

/* A .tsv has a delimiter that nobody asked for, and a file that goes on has the one it was begun with. */
static void test_delimiters_nobody_asked_for(void **state RV_UNUSED)
{
	const struct rv_reader_params named = { .format = RV_FORMAT_AUTO, .name = "a.tsv" };
	struct rv_reader_params goes_on = { .format = RV_FORMAT_AUTO, .name = "a.csv", .csv_delimiter = '\t' };
	struct rv_csv_dialect comma = RV_CSV_DIALECT_INIT;

	EXPECT("a\tb\n1\t2\n", &named, "{\"a\":\"1\",\"b\":\"2\"}\n", "");
	EXPECT_FAILURE("a,b\n1,2\n", &named, "separated by ','");
	EXPECT("a\n1\n", &named, "{\"a\":\"1\"}\n", "");
	EXPECT("\"a,b\"\n1\n", &named, "{\"a,b\":\"1\"}\n", "");
	EXPECT("a\tb\n1\t2\n", &goes_on, "{\"a\":\"1\",\"b\":\"2\"}\n", "");
	comma.delimiter_given = true;
	goes_on.csv = &comma;
	EXPECT("a,b\n1,2\n", &goes_on, "{\"a\":\"1\",\"b\":\"2\"}\n", "");
}

static void test_foreign_files_refused(void **state RV_UNUSED)
{
	const struct rv_reader_params any = { .format = RV_FORMAT_AUTO };

	EXPECT_FAILURE("PK\3\4\x14\0\n\0", &any, "zip archive (or an xlsx");
	EXPECT_FAILURE("PK\5\6\0\0", &csv, "an empty zip archive");
	EXPECT_FAILURE("7z\xbc\xaf\x27\x1c\n", &text, "7z archive");
	EXPECT_FAILURE("\xd0\xcf\x11\xe0\xa1\xb1", &csv, "Excel workbook");
	EXPECT_FAILURE("\x7f" "ELF\2\1\1", &text, "a program");
	EXPECT_FAILURE("%PDF-1.7\n", &text, "a PDF");
	EXPECT_FAILURE("PAR1\x15\4\x15", &any, "a Parquet file");
	EXPECT_FAILURE("Obj\1\4\n", &any, "an Avro file");
	EXPECT_FAILURE("SQLite format 3\0\x10", &any, "an SQLite database");
	/* what only begins like one, and what ends before it is known */
	EXPECT("PK,PAR1\n1,2\n", &csv, "{\"PK\":\"1\",\"PAR1\":\"2\"}\n", "");
	EXPECT("PAR1\n1\n", &csv, "{\"PAR1\":\"1\"}\n", "");
	EXPECT("%PDF", &text, "{\"text\":\"%PDF\"}\n", "");
	EXPECT("SQLite format 3\n", &text, "{\"text\":\"SQLite format 3\"}\n", "");
	EXPECT("P\n", &text, "{\"text\":\"P\"}\n", "");
}

static void test_reasons_name_counts(void **state RV_UNUSED)
{
	static const char input[] = "a,b,c,d,e\n1,2,3\n1,2,3,4,5\nx,\"y\n";
	struct rv_error err = RV_ERROR_INIT;
	RV_CLEANUP(rv_source_free_p) struct rv_source *source =
		rv_source_mem_new(input, sizeof(input) - 1, 0, UINT64_MAX);
	RV_CLEANUP(rv_reader_free_p) struct rv_reader *rd = NULL;
	struct rv_reader_limits limits = { .timeout_ms = -1 };
	struct rv_span s;

	assert_int_equal(rv_reader_new(source, &csv, &rd, &err), RV_OK);
	assert_int_equal(rv_reader_next(rd, &limits, &s, &err), RV_OK);
	assert_int_equal(s.kind, RV_SPAN_REJECT);
	assert_string_equal(s.reason, "3 fields where the header has 5");
	assert_string_equal(rv_reader_csv_header(rd), "\"a\",\"b\",\"c\",\"d\",\"e\"");
	assert_int_equal(rv_reader_next(rd, &limits, &s, &err), RV_OK);
	assert_int_equal(s.kind, RV_SPAN_RECORDS);
	assert_int_equal(rv_reader_next(rd, &limits, &s, &err), RV_OK);
	assert_int_equal(s.kind, RV_SPAN_END);

	uint64_t offset, len;

	rv_reader_pending(rd, &offset, &len); /* a row without newline is never sure */
	assert_int_equal(offset, 26);
	assert_int_equal(len, 5);
	rv_reader_finish(rd);
	assert_int_equal(rv_reader_next(rd, &limits, &s, &err), RV_OK);
	assert_int_equal(s.kind, RV_SPAN_REJECT);
	assert_string_equal(s.reason,
			    "the quote opened at line 4, byte 3 is not closed before the end");
}

/* Random rows, written by the plain rules, come back as they were. */
static void test_round_trip(void **state RV_UNUSED)
{
	static const char *const bits[] = { "", "a", "\"", ",", "\n", "\r\n", "longer text here",
					    "\xc3\xbc", "\\", "\t" };
	uint32_t seed = 99;

	for (int round = 0; round < 40; round++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf in = RV_STRBUF_INIT;
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf want = RV_STRBUF_INIT;

		rv_strbuf_puts(&in, "a,b,c\n");
		for (int row = 0; row < 6; row++) {
			for (int col = 0; col < 3; col++) {
				RV_CLEANUP(rv_strbuf_release) struct rv_strbuf cell = RV_STRBUF_INIT;

				for (int i = 0; i < 4; i++) {
					seed = seed * 1664525u + 1013904223u;
					rv_strbuf_puts(&cell, bits[(seed >> 16) % 10]);
				}
				bool quote = strpbrk(cell.bytes, "\",\n\r") || (seed >> 8) % 2;

				rv_strbuf_puts(&in, col ? "," : "");
				if (quote)
					rv_strbuf_putc(&in, '"');
				for (const char *c = cell.bytes; *c; c++)
					rv_strbuf_printf(&in, *c == '"' ? "\"\"" : "%c", *c);
				if (quote)
					rv_strbuf_putc(&in, '"');
				rv_strbuf_printf(&want, "%c\"%c\":", col ? ',' : '{', 'a' + col);
				rv_strbuf_json(&want, cell.bytes, cell.len);
			}
			rv_strbuf_puts(&in, round % 2 ? "\r\n" : "\n");
			rv_strbuf_puts(&want, "}\n");
		}
		expect_reading(in.bytes, in.len, &csv, want.bytes, "");
	}
}

static void test_many_columns(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf in = RV_STRBUF_INIT;
	struct read_result r;
	enum { COLUMNS = 100000 };

	for (int row = 0; row < 2; row++)
		for (int i = 0; i < COLUMNS; i++)
			rv_strbuf_printf(&in, "%sn%d%s", i ? "," : "", i, i == COLUMNS - 1 ? "\n" : "");
	read_text(in.bytes, in.len, &csv, &(struct read_how){ .piece = 4096 }, &r);
	assert_int_equal(r.status, RV_OK);
	assert_int_equal(r.count, 1);
	assert_int_equal(r.reject_count, 0);
	read_result_release(&r);
}

static void test_text(void **state RV_UNUSED)
{
	struct rv_reader_params p = text;

	EXPECT("one\ntwo\r\n\n\r\n \"q\" \\ \t\nno end", &text,
	       "{\"text\":\"one\"}\n{\"text\":\"two\"}\n{\"text\":\" \\\"q\\\" \\\\ \\t\"}\n"
	       "{\"text\":\"no end\"}\n",
	       "");
	EXPECT("\xef\xbb\xbf" "a\n\xc3\xa4 0123456789abcdefg\rh\n", &text,
	       "{\"text\":\"a\"}\n{\"text\":\"\xc3\xa4 0123456789abcdefg\\rh\"}\n", "");
	EXPECT("ok\n\xf8\n0123456789abcdef\xe2\x82\nok\n", &text,
	       "{\"text\":\"ok\"}\n{\"text\":\"ok\"}\n",
	       "2:invalid_utf8:3:\xf8\n|3:invalid_utf8:21:0123456789abcdef\xe2\x82\n|");
	p.max_record_bytes = 20;
	EXPECT("012345678\n0123456789\n012345678901234567890\n\x01\x01\n\n", &p,
	       "{\"text\":\"012345678\"}\n",
	       "2:too_long:10:0123456789\n|3:too_long:41:012345678901234567890\n|"
	       "4:too_long:43:\x01\x01\n|");
	/* a mark that is cut short is none */
	EXPECT("\xef\xbb", &text, "", "1:invalid_utf8:0:\xef\xbb|");
}

static void test_utf8(void **state RV_UNUSED)
{
	static const struct {
		const char *p;
		size_t bad; /* SIZE_MAX: good */
	} cases[] = {
		{ "plain and long enough for words", SIZE_MAX },
		{ "\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf", SIZE_MAX },
		{ "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", SIZE_MAX },
		{ "ab\xc0\x80", 2 },         { "\xc1\xbf", 0 },
		{ "\xe0\x9f\xbf", 0 },       { "\xed\xa0\x80", 0 },
		{ "\xf0\x8f\xbf\xbf", 0 },   { "\xf4\x90\x80\x80", 0 },
		{ "\xf5\x80\x80\x80", 0 },   { "12345678\x80", 8 },
		{ "\xe2\x82", 0 },           { "\xf0\x9f\x98", 0 },
		{ "\xf0\x9f\x98" "A", 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		size_t len = strlen(cases[i].p);

		assert_int_equal(rv_utf8_check(cases[i].p, len),
				 cases[i].bad == SIZE_MAX ? len : cases[i].bad);
	}
}

static void test_header_names(void **state RV_UNUSED)
{
	static const char *const bad[] = { "", "a", "\"a", "\"a\",", "\"a\"b", "\"a\"\"", "\"a\",b" };
	char **names;
	size_t count;

	assert_true(rv_csv_header_names("\"a\",\"b\"\"c,\",\"\n\"", &names, &count));
	assert_int_equal(count, 3);
	assert_string_equal(names[0], "a");
	assert_string_equal(names[1], "b\"c,");
	assert_string_equal(names[2], "\n");
	for (size_t i = 0; i < count; i++)
		free(names[i]);
	free(names);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_false(rv_csv_header_names(bad[i], &names, &count));
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf many = RV_STRBUF_INIT;

	for (int i = 0; i < 20; i++)
		rv_strbuf_printf(&many, "%s\"c%d\"", i ? "," : "", i);
	assert_true(rv_csv_header_names(many.bytes, &names, &count));
	assert_int_equal(count, 20);
	assert_string_equal(names[19], "c19");
	for (size_t i = 0; i < count; i++)
		free(names[i]);
	free(names);
}

static void test_header_suits(void **state RV_UNUSED)
{
	char a[] = "a", b[] = "b", *names[] = { a, b };
	const struct rv_csv_dialect plain = RV_CSV_DIALECT_INIT;
	const struct rv_csv_dialect numbered = { .no_header = true };
	const struct rv_csv_dialect named = { .no_header = true, .names = names, .names_count = 2 };

	assert_true(rv_csv_header_suits("\"x\",\"y\"", &plain));
	assert_true(rv_csv_header_suits("\"c1\",\"c2\"", &numbered));
	assert_false(rv_csv_header_suits("\"c1\",\"c3\"", &numbered));
	assert_true(rv_csv_header_suits("\"a\",\"b\"", &named));
	assert_false(rv_csv_header_suits("\"a\",\"c\"", &named));
	assert_false(rv_csv_header_suits("\"a\"", &named));
	/* what is no header is damage, and said elsewhere */
	assert_true(rv_csv_header_suits("a", &named));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cells),
		cmocka_unit_test(test_bad_rows),
		cmocka_unit_test(test_unterminated_quote),
		cmocka_unit_test(test_escapes_outgrow_the_room),
		cmocka_unit_test(test_giants_and_failures),
		cmocka_unit_test(test_row_limit),
		cmocka_unit_test(test_dialects),
		cmocka_unit_test(test_headers_refused),
		cmocka_unit_test(test_dialects_refused),
		cmocka_unit_test(test_other_formats_refused),
		cmocka_unit_test(test_delimiters_nobody_asked_for),
		cmocka_unit_test(test_foreign_files_refused),
		cmocka_unit_test(test_reasons_name_counts),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_many_columns),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_header_names),
		cmocka_unit_test(test_header_suits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The index of CSV: all ways of making it agree, and members are the same with and without it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "flow/table_csv_impl.h"
#include "flow/table_value.h"
#include "format/packed_row.h"

static uint64_t state_of_draws = 88172645463325252u;

static unsigned draw(unsigned below)
{
	state_of_draws ^= state_of_draws << 13;
	state_of_draws ^= state_of_draws >> 7;
	state_of_draws ^= state_of_draws << 17;
	return (unsigned)(state_of_draws >> 20) % below;
}

static bool is_deep(void)
{
	return getenv("RIVER_DEEP") != NULL;
}

/* ---- the index alone ---- */

static void test_rows_as_documented(void **state RV_UNUSED)
{
	const char text[] = "a,\"x,\n\"\"y\"\nb,\xc3\xa9\r\n5\" a,b\n\"tail\",1\n" /* the quote of row 3 is a guess */
			    "                                                                ";
	const struct rv_csv_marks marks = { ',', '"', 0, true, true };
	const struct rv_csv_indexer *indexers;
	size_t count = rv_csv_indexers(&indexers);
	RV_CLEANUP(rv_free_p) struct rv_csv_index *index = rv_malloc(sizeof(*index));

	for (size_t i = 0; i < count; i++) {
		indexers[i].make(&marks, text, strlen("a,\"x,\n\"\"y\"\nb,\xc3\xa9\r\n5\" a,b\n\"tail\",1\n"), index);
		assert_true(index->rows_count >= 2);
		assert_int_equal(index->rows[0].end, 10);
		assert_int_equal(index->rows[0].fields, 2);
		assert_int_equal(index->rows[0].lines, 2);
		assert_true(index->rows[0].special && !index->rows[0].doubtful && !index->rows[0].high);
		assert_int_equal(index->ends[0], 1);
		assert_int_equal(index->ends[1], 10);
		assert_int_equal(index->rows[1].end, 16);
		assert_int_equal(index->rows[1].fields, 4);
		assert_true(index->rows[1].high && !index->rows[1].doubtful && !index->rows[1].special);
		assert_true(index->rows_count == 2 || index->rows[2].doubtful);
		assert_false(rv_csv_index_has_special(index, 0, 2));
		assert_true(rv_csv_index_has_special(index, 0, 3));
		assert_true(rv_csv_index_has_special(index, 5, 6));
		assert_false(rv_csv_index_has_special(index, 5, 5));
	}
}

static void test_special_across_words(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_free_p) struct rv_csv_index *index = rv_calloc(1, sizeof(*index));

	for (size_t bit = 0; bit < 256; bit++) {
		memset(index->special, 0, sizeof(index->special));
		index->special[bit / 64] = (uint64_t)1 << bit % 64;
		for (size_t from = 0; from < 256; from += 1 + from % 3)
			for (size_t to = from; to <= 256; to += 1 + to % 5)
				assert_int_equal(rv_csv_index_has_special(index, from, to), bit >= from && bit < to);
	}
}

static void expect_same(const struct rv_csv_marks *marks, const char *p, size_t len)
{
	static struct rv_csv_index want, have;
	const struct rv_csv_indexer *indexers;
	size_t count = rv_csv_indexers(&indexers);

	indexers[0].make(marks, p, len, &want);
	for (size_t i = 1; i < count; i++) {
		memset(&have, 0xa5, sizeof(have));
		indexers[i].make(marks, p, len, &have);
		assert_int_equal(have.rows_count, want.rows_count);
		size_t fields = want.rows_count ? want.rows[want.rows_count - 1].fields : 0;

		for (size_t k = 0; k < want.rows_count; k++) {
			const struct rv_csv_index_row *a = &want.rows[k], *b = &have.rows[k];

			if (a->end != b->end || a->fields != b->fields || a->lines != b->lines ||
			    a->doubtful != b->doubtful || a->high != b->high || a->special != b->special)
				fail_msg("%s: row %zu of %zu bytes differs", indexers[i].name, k, len);
		}
		assert_memory_equal(have.ends, want.ends, fields * sizeof(*want.ends));
		assert_memory_equal(have.special, want.special, (len + 63) / 64 * sizeof(*want.special));
	}
}

static void fill_with(char *p, size_t len, const char *alphabet, size_t alphabet_len)
{
	for (size_t i = 0; i < len; i++)
		p[i] = alphabet[draw((unsigned)alphabet_len)];
}

static void test_all_ways_agree(void **state RV_UNUSED)
{
	static const char *const alphabets[] = { "a,\n", "ab1.,\n\r\"", "a,,\"\"\"\n", "\xc3\xa9,\n\\'\t;\x01", "a\"" };
	static const struct rv_csv_marks marks[] = {
		{ ',', '"', 0, true, true }, { ',', '"', 0, true, false }, { ',', '"', 0, false, true },
		{ '\t', 0, 0, true, true }, { ';', '\'', '\\', true, true }, { ',', 0, '\\', true, false },
	};
	/* exactly as long as may be read, so that the sanitizers see what goes beyond */
	for (unsigned round = 0; round < (is_deep() ? 200000u : 4000u); round++) {
		size_t len = draw(4) ? draw(200) : draw(60) ? 63 + draw(3) + 64 * draw(4)
							     : RV_CSV_INDEX_BYTES - draw(70);
		RV_CLEANUP(rv_free_p) char *p = rv_malloc(len + RV_CSV_INDEX_SLACK);
		const char *alphabet = alphabets[draw(5)];

		fill_with(p, len + RV_CSV_INDEX_SLACK, alphabet, strlen(alphabet));
		expect_same(&marks[draw(6)], p, len);
	}
	/* as many fields and rows as there can be */
	static char most[RV_CSV_INDEX_BYTES + RV_CSV_INDEX_SLACK];

	memset(most, '\n', sizeof(most));
	expect_same(&marks[0], most, RV_CSV_INDEX_BYTES);
	memset(most, ',', sizeof(most));
	expect_same(&marks[0], most, RV_CSV_INDEX_BYTES);
	most[RV_CSV_INDEX_BYTES - 1] = '\n';
	expect_same(&marks[0], most, RV_CSV_INDEX_BYTES);
}

/* ---- members with it and without ---- */

struct seen {
	struct rv_strbuf text;
	struct rv_packed_column *columns;
	size_t columns_count;
};

static enum rv_status take_row(void *arg, const char *row, size_t len, struct rv_error *err RV_UNUSED)
{
	struct seen *seen = arg;
	struct rv_packed_cursor cursor = rv_packed_cursor_of(row, len);
	struct rv_packed_cell cell = { 0 };

	for (size_t i = 0; i < seen->columns_count; i++) {
		assert_true(rv_packed_next(&cursor, &cell));
		if (!cell.null && !seen->columns[i].literal)
			assert_int_equal(cell.escape, rv_packed_needs_escape(cell.p, cell.len));
	}
	assert_ptr_equal(cursor.p, cursor.end);
	assert_true(rv_packed_row_line(seen->columns, seen->columns_count, row, len, &seen->text));
	return RV_OK;
}

static enum rv_status take_reject(void *arg, const struct rv_table_reject *r, struct rv_error *err RV_UNUSED)
{
	struct seen *seen = arg;

	rv_strbuf_printf(&seen->text, "!%s %llu:%llu %s %zu ", r->code, (unsigned long long)r->line,
			 (unsigned long long)r->offset, r->reason, r->len);
	rv_strbuf_add(&seen->text, r->bytes, r->len);
	rv_strbuf_putc(&seen->text, '\n');
	return RV_OK;
}

static void read_by(rv_csv_index_make *make, const struct rv_job *job, const char *p, size_t len, size_t piece,
		    uint64_t max_row_bytes, struct seen *seen)
{
	struct rv_source *source = rv_source_mem_new(p, len, piece, UINT64_MAX);
	struct rv_table_sink sink = { .row = take_row, .reject = take_reject, .arg = seen };
	struct rv_table_counts counts;
	struct rv_error err = RV_ERROR_INIT;

	source->label = "t";
	rv_strbuf_clear(&seen->text);
	if (rv_table_csv_read_by(make, &job->tables[0], max_row_bytes, source, &sink, &counts, &err) != RV_OK)
		rv_strbuf_printf(&seen->text, "FAILED %s", err.message);
	else
		rv_strbuf_printf(&seen->text, "%llu rows, %llu rejected of %llu bytes", (unsigned long long)counts.rows,
				 (unsigned long long)counts.rejected, (unsigned long long)counts.bytes);
	rv_source_free(source);
}

static void compare(const struct rv_job *job, const char *p, size_t len, uint64_t max_row_bytes)
{
	const struct rv_job_table *table = &job->tables[0];
	struct rv_packed_column columns[16];
	struct seen want = { .text = RV_STRBUF_INIT, .columns = columns, .columns_count = table->columns_count };
	struct seen have = want;
	const struct rv_csv_indexer *indexers;
	size_t count = rv_csv_indexers(&indexers);

	for (size_t i = 0; i < table->columns_count; i++)
		rv_packed_column_init(&columns[i], table->columns[i].name, rv_table_is_literal(&table->columns[i]));
	/* where a row is too long also depends on how much of it has come */
	size_t piece = draw(3) ? 0 : 1 + draw(300);

	read_by(NULL, job, p, len, piece, max_row_bytes, &want);
	for (size_t i = 0; i < count; i++) {
		size_t same = 0;

		read_by(indexers[i].make, job, p, len, piece, max_row_bytes, &have);
		while (same < want.text.len && same < have.text.len && want.text.bytes[same] == have.text.bytes[same])
			same++;
		if (want.text.len != have.text.len || same < want.text.len)
			fail_msg("%s, pieces of %zu, %zu bytes: from byte %zu on it is\n%.400s\n--- must be\n%.400s",
				 indexers[i].name, piece, len, same, have.text.bytes + same, want.text.bytes + same);
	}
	for (size_t i = 0; i < table->columns_count; i++)
		rv_packed_column_release(&columns[i]);
	rv_strbuf_release(&want.text);
	rv_strbuf_release(&have.text);
}

static void job_of(const char *columns, const char *dialect, struct rv_job *ret)
{
	struct rv_error err = RV_ERROR_INIT;
	RV_CLEANUP(rv_free_p)
	char *text = rv_asprintf("dialect: { %s }\ntables: { t: { member: t, columns: { %s } } }\nloads: { t: {} }\n",
				 dialect, columns);

	if (rv_job_parse("t.yaml", text, strlen(text), ret, &err) != RV_OK)
		fail_msg("%s: %s", text, err.message);
}

static const char *const dialects[] = {
	"", "line_end: lf", "line_end: crlf", "line_end: cr", "quote: none", "quote: \"'\", delimiter: ';'",
	"escape: '\\'", "quote: none, escape: '\\', delimiter: tab", "delimiter: '|', null: [\"\", NULL, '\\N']",
	"null: [NULL]", "encoding: latin-1",
};
enum { DIALECTS = sizeof(dialects) / sizeof(dialects[0]) };

/* Anything, of bytes that mean something. */
static void test_any_bytes_are_the_same_rows(void **state RV_UNUSED)
{
	static const char *const alphabets[] = { "ab,\n", "1,2,\n\r\"", "a,,\"\"\"\n", "\xc3\xa9,\n\\';|\t1", "a;'\n1", "1,\n\x01" };

	for (size_t d = 0; d < DIALECTS; d++) {
		struct rv_job job;

		job_of("c: string, a: integer, b: { type: string, required: true }", dialects[d], &job);
		char mark = job.tables[0].dialect.delimiter;

		for (unsigned round = 0; round < (is_deep() ? 20000u : 100u); round++) {
			RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
			const char *alphabet = alphabets[draw(6)];
			size_t len = draw(20) ? draw(400) : draw(40000);

			rv_strbuf_printf(&text, "a%cb%cc%s", mark, mark,
					 job.tables[0].dialect.line_end == RV_LINE_END_CR     ? "\r"
					 : job.tables[0].dialect.line_end == RV_LINE_END_CRLF ? "\r\n"
											      : "\n");
			size_t at = text.len;

			rv_strbuf_reserve(&text, len);
			fill_with(text.bytes + at, len, alphabet, strlen(alphabet));
			text.len += len;
			text.bytes[text.len] = '\0';
			compare(&job, text.bytes, text.len, draw(5) ? 1 << 20 : 40);
		}
		rv_job_release(&job);
	}
}

/* One value as exports have them, or almost. */
static void put_value(struct rv_strbuf *text, char delimiter, char quote)
{
	static const char *const values[] = {
		"", "0", "-0", "-0.00", "7", "007", "-12", "+3", "12.50", "-12.5", "0.05", ".5", "5.", "1e3", "1.123",
		"1234567890123456", "12345678901234567", "-123456789012345", "9223372036854775807", "9223372036854775808",
		"123456789012345.67", "-1", "--1", "1-", "1.2.3", "2024-02-29", "2023-02-29", "2024-13-01", "2024-00-10",
		"2024-12-32", "2024-04-31", "2024-1-1", "2024-02-29 23:59:59", "2024-02-29T23:59:59Z", "2024-02-29t23:59:59z",
		"2024-02-30 10:00:00", "2024-02-29 24:00:00", "2024-02-29 10:60:00", "2024-02-29 10:00:60", "2024-02-29_10:00:00",
		"2024-02-29 10:00:00.25", "2024-02-29 10:00:00+02:00", "true", "false", "TRUE", "f", "1 ", "text", "NULL", "\\N",
		"\xc3\xa9t\xc3\xa9", "a text that is a good deal longer than thirty-two bytes",
		"a text of sixty-four bytes and more, for which a head of one byte is not enough",
		"\xff", "a\tb", "back\\slash",
	};
	const char *value = values[draw(sizeof(values) / sizeof(values[0]))];

	if (!quote || draw(3)) {
		rv_strbuf_puts(text, value);
		return;
	}
	rv_strbuf_putc(text, quote);
	rv_strbuf_puts(text, value);
	if (!draw(4))
		rv_strbuf_printf(text, "%c%c", quote, quote);
	if (!draw(6))
		rv_strbuf_printf(text, "%c\nnext line", delimiter);
	rv_strbuf_putc(text, quote);
	if (!draw(100))
		rv_strbuf_putc(text, 'x');
}

/* Rows of all types, most of them right. */
static void test_values_are_the_same(void **state RV_UNUSED)
{
	static const char columns[] = "s: string, i: integer, d: \"decimal(18,2)\", e: \"decimal(4,0)\", f: double, b: boolean, "
				      "y: date, t: { type: timestamp, timezone: UTC }, z: timestamp, "
				      "w: { type: date, format: \"%d.%m.%Y\" }, r: { type: integer, required: true }, j: json";
	static const char names[] = "sidefbytzwrj";

	for (size_t d = 0; d < DIALECTS; d++) {
		struct rv_job job;

		job_of(columns, dialects[d], &job);
		const struct rv_job_dialect *dialect = &job.tables[0].dialect;
		const char *line_end = dialect->line_end == RV_LINE_END_CR ? "\r"
				       : dialect->line_end == RV_LINE_END_CRLF || d == 0 ? "\r\n" : "\n";

		for (unsigned round = 0; round < (is_deep() ? 500u : 8u); round++) {
			RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;

			for (size_t c = 0; c < strlen(names); c++)
				rv_strbuf_printf(&text, "%s%c", c ? (char[]){ dialect->delimiter, '\0' } : "", names[c]);
			rv_strbuf_puts(&text, line_end);
			for (unsigned row = draw(400); row > 0; row--) {
				/* most rows have one column that is not null, else few were right */
				unsigned only = draw(14);

				for (size_t c = 0; c < strlen(names) - !draw(60); c++) {
					if (c)
						rv_strbuf_putc(&text, dialect->delimiter);
					if (c == only || only > 12)
						put_value(&text, dialect->delimiter, dialect->quote);
					else if (names[c] == 'r')
						rv_strbuf_puts(&text, "1");
				}
				rv_strbuf_puts(&text, draw(200) ? line_end : "\n");
			}
			compare(&job, text.bytes, text.len, 1 << 20);
		}
		rv_job_release(&job);
	}
}

/* Trailers that are rows like others: of the right width, at the end, too early, with the wrong count. */
static void test_trailers(void **state RV_UNUSED)
{
	struct rv_job job;

	job_of("a: string, b: string, c: string", "trailer: \"T,x,{count}\"", &job);
	for (unsigned round = 0; round < 200; round++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
		unsigned rows = draw(50);

		rv_strbuf_puts(&text, "a,b,c\n");
		for (unsigned i = 0; i < rows; i++)
			rv_strbuf_puts(&text, draw(60) ? "T,y,1\n" : draw(2) ? "5\" pipe,y,1\n" : "T,x,0\n");
		rv_strbuf_printf(&text, "T,x,%u\n", rows - !draw(3));
		rv_strbuf_puts(&text, draw(3) ? "" : "\n\n");
		compare(&job, text.bytes, text.len, 1 << 20);
	}
	rv_job_release(&job);
}

/* A member larger than the reader's window, with rows that have to be looked at here and there. */
static void test_large_member(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	struct rv_job job;

	rv_strbuf_puts(&text, "a,b,c\n");
	for (unsigned i = 0; text.len < 3u << 20; i++) {
		rv_strbuf_printf(&text, "%u,\"text, %u\",x\n", i, draw(1000000));
		if (!draw(3000))
			rv_strbuf_puts(&text, "5\" pipe,b,c\n");
		if (!draw(30000)) {
			rv_strbuf_puts(&text, "1,\"");
			for (unsigned k = draw(40000); k > 0; k--)
				rv_strbuf_puts(&text, k % 7 ? "long" : "\n");
			rv_strbuf_puts(&text, "\",c\n");
		}
	}
	job_of("a: integer, b: string, c: string", "", &job);
	compare(&job, text.bytes, text.len, 1 << 20);
	compare(&job, text.bytes, text.len, 4096);
	rv_job_release(&job);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_as_documented),
		cmocka_unit_test(test_special_across_words),
		cmocka_unit_test(test_all_ways_agree),
		cmocka_unit_test(test_any_bytes_are_the_same_rows),
		cmocka_unit_test(test_values_are_the_same),
		cmocka_unit_test(test_trailers),
		cmocka_unit_test(test_large_member),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

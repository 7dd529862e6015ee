/* First job files for archives that are made here: each guess against what was written, the text through the
 * job reader, the same rows through the reader of a run, and what must not be guessed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/memory.h"
#include "config/job.h"
#include "flow/extract_infer_impl.h"
#include "flow/table_csv.h"
#define MAKE_ZIP_NO_MAIN
#include "lib/make_zip.c"

/* ---- an archive and its job ---- */

static void add_file(struct zip *z, const char *name, const char *data, size_t len)
{
	put(z, &(struct member){ .name = name, .data = data, .len = len, .method = DEFLATE });
}

static void add_csv(struct zip *z, const char *name, const char *data)
{
	add_file(z, name, data, strlen(data));
}

static struct rv_zip *open_zip(struct zip *z)
{
	struct rv_zip *zip = NULL;
	struct rv_error err = RV_ERROR_INIT;
	int fd = memfd_create("x.zip", MFD_CLOEXEC);

	finish(z);
	assert_int_equal(write(fd, z->out.p, z->out.len), z->out.len);
	free(z->out.p);
	if (rv_zip_open(fd, "x.zip", NULL, &zip, &err) != RV_OK)
		fail_msg("%s", err.message);
	return zip;
}

static enum rv_status count_row(void *arg, const char *row RV_UNUSED, size_t len RV_UNUSED,
				struct rv_error *err RV_UNUSED)
{
	++*(uint64_t *)arg;
	return RV_OK;
}

static enum rv_status no_reject(void *arg RV_UNUSED, const struct rv_table_reject *r,
				struct rv_error *err)
{
	return rv_fail(err, RV_BAD_DATA, "line %d: %s", (int)r->line, r->reason);
}

/* Every member of a table is read by the job that was made for it; returns the rows. */
static uint64_t read_all(struct rv_zip *zip, const struct rv_job *job)
{
	uint64_t rows = 0;
	const struct rv_table_sink sink = { .row = count_row, .reject = no_reject, .arg = &rows };

	for (size_t i = 0; i < rv_zip_count(zip); i++) {
		size_t taken = 0;

		for (size_t t = 0; t < job->tables_count; t++) {
			RV_CLEANUP(rv_source_free_p) struct rv_source *source = NULL;
			struct rv_error err = RV_ERROR_INIT;
			struct rv_table_counts counts;

			if (!rv_job_member_is(&job->tables[t], rv_zip_entry(zip, i)->name))
				continue;
			taken++;
			assert_int_equal(rv_zip_member_unpacked(zip, i, &source, &err), RV_OK);
			if (rv_table_csv_read(&job->tables[t], 1 << 20, source, &sink, &counts, &err) != RV_OK)
				fail_msg("%s: %s", rv_zip_entry(zip, i)->name, err.message);
		}
		assert_in_range(taken, 0, 1);
	}
	return rows;
}

/* The text without the marks before its documents. */
static void parse_uncommented(const char *text)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sb = RV_STRBUF_INIT;
	const char *at = strstr(text, "#documents:");
	struct rv_error err = RV_ERROR_INIT;
	struct rv_job job = { 0 };

	if (!at)
		return;
	rv_strbuf_add(&sb, text, (size_t)(at - text));
	for (; *at; at++)
		if (!(*at == '#' && at[-1] == '\n'))
			rv_strbuf_putc(&sb, *at);
	if (rv_job_parse("x.yaml", sb.bytes, sb.len, &job, &err) != RV_OK)
		fail_msg("%s\n%s", err.message, sb.bytes);
	assert_true(job.documents_count > 0);
	rv_job_release(&job);
}

static struct rv_strbuf text = RV_STRBUF_INIT;
static struct rv_job job;

static enum rv_status infer(struct rv_zip *zip, const struct rv_extract_infer_params *params,
			    struct rv_error *err)
{
	rv_strbuf_clear(&text);
	rv_job_release(&job);
	return rv_extract_infer(zip, params, &text, err);
}

/* Infers twice, parses, and reads all rows by what came out; returns them. Frees the archive. */
static uint64_t make_job(struct zip *z)
{
	const struct rv_extract_infer_params params = { .file = "/drop/ext-20261120.zip" };
	struct rv_zip *zip = open_zip(z);
	struct rv_error err = RV_ERROR_INIT;

	if (infer(zip, &params, &err) != RV_OK)
		fail_msg("%s", err.message);
	RV_CLEANUP(rv_free_p) char *first = rv_strdup(text.bytes);

	assert_int_equal(infer(zip, &params, &err), RV_OK);
	assert_string_equal(text.bytes, first);
	if (rv_job_parse("/etc/x.yaml", text.bytes, text.len, &job, &err) != RV_OK)
		fail_msg("%s\n%s", err.message, text.bytes);
	parse_uncommented(text.bytes);
	uint64_t rows = read_all(zip, &job);

	rv_zip_free(zip);
	return rows;
}

static const struct rv_job_table *table_of(const char *name)
{
	const struct rv_job_table *table = rv_job_table(&job, name);

	if (!table)
		fail_msg("no table %s in\n%s", name, text.bytes);
	return table;
}

/* "integer", "decimal(18,2)", "date %d.%m.%Y" */
static void assert_type(const char *table, const char *name, const char *wanted)
{
	const struct rv_column *column = rv_job_column(table_of(table), name);
	char have[200];

	if (!column)
		fail_msg("no column %s.%s in\n%s", table, name, text.bytes);
	if (column->type == RV_COLUMN_DECIMAL)
		snprintf(have, sizeof(have), "decimal(%u,%u)", column->precision, column->scale);
	else
		snprintf(have, sizeof(have), "%s%s%s", rv_column_type_name(column->type),
			 column->format ? " " : "", column->format ? column->format : "");
	if (strcmp(have, wanted) != 0)
		fail_msg("%s.%s is %s, not %s, in\n%s", table, name, have, wanted, text.bytes);
}

static void assert_says(const char *what)
{
	if (!strstr(text.bytes, what))
		fail_msg("'%s' is not in\n%s", what, text.bytes);
}

/* One table t of one column v below these values. */
static void assert_value_type(const char *values, const char *wanted)
{
	struct zip z = { 0 };
	RV_CLEANUP(rv_free_p) char *csv = rv_asprintf("v,w\n%s", values);

	add_csv(&z, "t.csv", csv);
	make_job(&z);
	assert_type("t", "v", wanted);
}

/* ---- types ---- */

static void types_are_what_every_value_is(void **state RV_UNUSED)
{
	assert_value_type("1,x\n-20,x\n", "integer");
	assert_value_type("9223372036854775807,x\n", "integer");
	assert_value_type("9223372036854775808,x\n", "string");
	assert_value_type("007,x\n8,x\n", "string");
	assert_value_type("8,x\n007,x\n", "string");
	assert_value_type("0,x\n0.5,x\n", "decimal(18,1)");
	assert_value_type("1.5,x\n22,x\n3.125,x\n", "decimal(18,3)");
	assert_value_type("1,x\n123456789012345.25,x\n", "decimal(38,2)");
	assert_value_type("00.5,x\n", "string");
	assert_value_type("1e5,x\n", "string");
	assert_value_type("+49,x\n", "string");
	assert_value_type(" 1,x\n", "string");
	assert_value_type("\"1.234,56\",x\n", "string");
	assert_value_type("0x10,x\n", "string");
	assert_value_type("true,x\nfalse,x\n", "boolean");
	assert_value_type("0,x\n1,x\n", "integer");
	assert_value_type("true,x\n1,x\n", "string");
	assert_value_type("A,x\n1,x\n", "string");
	assert_value_type("1,x\n,x\n3,x\n", "integer");
	assert_says("null in 1");
	assert_value_type(",x\n,x\n", "string");
	assert_says("no value was seen");
}

static void dates_say_their_format(void **state RV_UNUSED)
{
	assert_value_type("2026-11-20,x\n", "date");
	assert_value_type("2026-02-30,x\n", "string");
	assert_value_type("20261120,x\n20261231,x\n", "date %Y%m%d");
	assert_value_type("20261120,x\n20261331,x\n", "integer");
	assert_value_type("20.11.2026,x\n", "date %d.%m.%Y");
	assert_value_type("20/11/2026,x\n01/02/2026,x\n", "date %d/%m/%Y");
	assert_true(strstr(text.bytes, "check it") == NULL);
	assert_value_type("11/20/2026,x\n01/02/2026,x\n", "date %m/%d/%Y");
	assert_value_type("11/10/2026,x\n01/02/2026,x\n", "date %d/%m/%Y");
	assert_says("every value fits %m/%d/%Y as well: check it");
	assert_value_type("20.11.26,x\n", "date %d.%m.%y");
	assert_value_type("20-Nov-2026,x\n", "date %d-%b-%Y");
	assert_value_type("2026-11-20T10:00:00Z,x\n", "timestamp");
	assert_null(table_of("t")->dialect.timezone);
	assert_value_type("2026-11-20T10:00:00+02:00,x\n2026-11-20 10:00:00,x\n", "timestamp");
	assert_string_equal(table_of("t")->dialect.timezone, "UTC");
	assert_value_type("2026-11-20 10:00:00,x\n", "timestamp");
	assert_says("timezone: UTC");
	assert_value_type("20.11.2026 10:00,x\n", "timestamp %d.%m.%Y %H:%M");
	assert_value_type("20261120100000,x\n", "timestamp %Y%m%d%H%M%S");
	assert_value_type("11/20/2026 10:00 PM,x\n", "timestamp %m/%d/%Y %I:%M %p");
	assert_value_type("10:00:00,x\n", "string");
	assert_value_type("2026-11-20,x\n2026-11-20 10:00:00,x\n", "string");
}

/* What came late: rows behind the first MiB count as the first ones do. */
static void a_late_value_counts(void **state RV_UNUSED)
{
	struct rv_strbuf csv = RV_STRBUF_INIT;
	struct zip z = { 0 };

	rv_strbuf_puts(&csv, "v,n\n");
	for (int i = 0; i < 200000; i++)
		rv_strbuf_printf(&csv, "%d,%d\n", 100000 + i, i % 7);
	rv_strbuf_puts(&csv, "00012,1\n");
	add_file(&z, "t.csv", csv.bytes, csv.len);
	assert_int_equal(make_job(&z), 200001);
	rv_strbuf_release(&csv);
	assert_type("t", "v", "string");
	assert_says("\"00012\" in row 200,001 has a leading zero");
	assert_says("1 member, 200,001 rows in all");
}

/* ---- dialects ---- */

static void dialects_are_found(void **state RV_UNUSED)
{
	static const struct {
		const char *csv;
		char delimiter, quote, escape;
	} cases[] = {
		{ "a,b\n1,x\n", ',', '"', 0 },
		{ "a;b\n1,5;x\n2,5;y\n", ';', '"', 0 },
		{ "a\tb\n1\tx, y\n", '\t', '"', 0 },
		{ "a|b\n1|x;y\n", '|', '"', 0 },
		{ "a,b\n1,\"x,y\"\n2,\"x\"\"y\"\n", ',', '"', 0 },
		{ "a,b\n1,'x,y'\n2,'z'\n", ',', '\'', 0 },
		{ "a,b\n1,5\" pipe\n2,6\" pipe\n3,7\" x\n", ',', 0, 0 },
		{ "a,b\n1,\"x\\\"y\"\n2,\"z\\\"\"\n", ',', '"', '\\' },
		{ "a,b\n1,\"x\ny\"\n2,z\n", ',', '"', 0 },
		{ "a,b\r\n1,x\r\n", ',', '"', 0 },
		{ "a,b\r1,x\r2,y\r", ',', '"', 0 },
		{ "name\nAda\nBob\n", ',', '"', 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct zip z = { 0 };

		add_csv(&z, "t.csv", cases[i].csv);
		make_job(&z);
		const struct rv_job_dialect *d = &table_of("t")->dialect;

		if (d->delimiter != cases[i].delimiter || d->quote != cases[i].quote ||
		    d->escape != cases[i].escape || !d->header)
			fail_msg("case %zu:\n%s", i, text.bytes);
	}
}

static void encodings_are_found(void **state RV_UNUSED)
{
	static const struct {
		const char *bytes;
		size_t len;
		enum rv_encoding encoding;
	} cases[] = {
#define CASE(s, e) { s, sizeof(s) - 1, e }
		CASE("a,b\n1,x\n", RV_ENCODING_UTF8),
		CASE("a,b\n1,\xc3\xa4\n", RV_ENCODING_UTF8),
		CASE("\xef\xbb\xbf" "a,b\n1,x\n", RV_ENCODING_UTF8),
		CASE("a,b\n1,\xe4\n", RV_ENCODING_LATIN1),
		CASE("a,b\n1,\x80\n", RV_ENCODING_WINDOWS1252),
		CASE("a,b\n1,\x81\xe4\n", RV_ENCODING_LATIN1),
		CASE("\xff\xfe" "a\0,\0b\0\n\0" "1\0,\0x\0\n\0", RV_ENCODING_UTF16),
		CASE("\xfe\xff\0a\0,\0b\0\n\0" "1\0,\0x\0\n", RV_ENCODING_UTF16),
		CASE("a\0,\0b\0\n\0" "1\0,\0x\0\n\0", RV_ENCODING_UTF16LE),
		CASE("\0a\0,\0b\0\n\0" "1\0,\0x\0\n", RV_ENCODING_UTF16BE),
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct zip z = { 0 };

		add_file(&z, "t.csv", cases[i].bytes, cases[i].len);
		assert_int_equal(make_job(&z), 1);
		if (table_of("t")->dialect.encoding != cases[i].encoding)
			fail_msg("case %zu:\n%s", i, text.bytes);
		assert_type("t", "a", "integer");
	}
}

/* All that is looked at first is ASCII, and what follows is none of UTF-8. */
static void an_encoding_shows_late(void **state RV_UNUSED)
{
	static const char *const ends[] = { "1,\x80uro\n", "1,\x81\xe4\n" };
	static const enum rv_encoding encodings[] = { RV_ENCODING_WINDOWS1252, RV_ENCODING_LATIN1 };

	for (size_t k = 0; k < 2; k++) {
		struct rv_strbuf csv = RV_STRBUF_INIT;
		struct zip z = { 0 };

		rv_strbuf_puts(&csv, "id,name\n");
		for (int i = 0; i < 150000; i++)
			rv_strbuf_printf(&csv, "%d,text\n", i);
		rv_strbuf_puts(&csv, ends[k]);
		add_file(&z, "t.csv", csv.bytes, csv.len);
		assert_int_equal(make_job(&z), 150001);
		assert_int_equal(table_of("t")->dialect.encoding, encodings[k]);
		rv_strbuf_release(&csv);
	}
}

static void headers_are_told_from_rows(void **state RV_UNUSED)
{
	struct zip z = { 0 };

	add_csv(&z, "none.csv", "1,Ada\n2,Bob\n");
	add_csv(&z, "texts.csv", "a,Ada\na,Bob\nb,Ada\n");
	add_csv(&z, "some.csv", "id,name\n1,Ada\n");
	assert_int_equal(make_job(&z), 6);
	assert_false(table_of("none")->dialect.header);
	assert_type("none", "column_1", "integer");
	assert_false(table_of("texts")->dialect.header);
	assert_true(table_of("some")->dialect.header);
}

static void nulls_are_found_without_quotes(void **state RV_UNUSED)
{
	struct zip z = { 0 };

	add_csv(&z, "a.csv", "v,w\n1,x\nNULL,y\n");
	add_csv(&z, "b.csv", "v,w\n1,\\N\n2,y\n");
	/* Namibia */
	add_csv(&z, "c.csv", "v,w\n1,DE\n2,NA\n");
	add_csv(&z, "d.csv", "v,w\n1,x\n\"NULL\",y\n");
	make_job(&z);
	assert_true(rv_string_list_has(&table_of("a")->dialect.nulls, "NULL"));
	assert_type("a", "v", "integer");
	assert_true(rv_string_list_has(&table_of("b")->dialect.nulls, "\\N"));
	assert_int_equal(table_of("c")->dialect.nulls.count, 1);
	assert_type("d", "v", "string");
}

/* ---- names ---- */

static void members_become_tables(void **state RV_UNUSED)
{
	struct zip z = { 0 };

	add_csv(&z, "x/ORDERS_2026-11-19_001.csv", "id,v\n1,2\n");
	add_csv(&z, "x/ORDERS_2026-11-20_002.csv", "id,v\n2,1.5\n");
	add_csv(&z, "x/ORDERS_LINES_20261120.csv", "id,w\n1,2\n");
	add_csv(&z, "x/part1.csv", "id,a\n1,2\n");
	add_csv(&z, "x/part2.csv", "id,b\n1,2\n");
	add_csv(&z, "y/odd[1].csv", "id,c\n1,2\n");
	add_csv(&z, "x/readme.json", "{\"a\": 1}\n");
	add_csv(&z, "x/empty.csv", "");
	add_file(&z, "x/photo.dat", "\x89\0\1\2\3", 5);
	assert_int_equal(make_job(&z), 6);
	assert_int_equal(job.tables_count, 5);
	assert_string_equal(table_of("orders")->member, "ORDERS_[0-9]*.csv");
	assert_type("orders", "v", "decimal(18,1)");
	assert_string_equal(table_of("orders_lines")->member, "ORDERS_LINES_[0-9]*.csv");
	assert_string_equal(table_of("part1")->member, "part1.csv");
	assert_string_equal(table_of("part2")->member, "part2.csv");
	assert_string_equal(table_of("odd_1")->member, "odd?1].csv");
	assert_says("no table: \"x/readme.json\", it looks like JSON or XML");
	assert_says("no table: \"x/empty.csv\", it is empty");
	assert_says("no table: \"x/photo.dat\", it is no text");
	assert_string_equal(job.source, "/drop/ext-[0-9]*.zip");
	assert_string_equal(job.name, "ext");
}

static void columns_get_names(void **state RV_UNUSED)
{
	struct zip z = { 0 };

	add_csv(&z, "t.csv", "Order Id,order_id,ORDER-ID,null,record,3d,\xc3\xa4,twice,twice,a\"b:#,\n"
			     "1,2,3,4,5,6,7,8,9,10,\n2,3,4,5,6,7,8,9,10,11,\n");
	make_job(&z);
	/* a name twice is no header, says the guess, nor is an empty one; so there are numbers */
	assert_false(table_of("t")->dialect.header);
	z = (struct zip){ 0 };
	add_csv(&z, "t.csv", "Order Id;order_id;ORDER-ID;null;record;d3;\xc3\xa4;a:#\\;Straße \xe2\x80\xa8;\n"
			     "1;2;3;4;5;6;7;8;9;\n2;3;4;5;6;7;8;9;10;\n");
	assert_int_equal(make_job(&z), 2);
	const struct rv_job_table *t = table_of("t");

	assert_int_equal(t->columns_count, 9);
	assert_string_equal(t->columns[0].name, "order_id");
	assert_string_equal(t->columns[0].from, "Order Id");
	assert_string_equal(t->columns[1].name, "order_id_2");
	assert_string_equal(t->columns[1].from, "order_id");
	assert_string_equal(t->columns[3].name, "null");
	assert_string_equal(t->columns[4].name, "source_record");
	assert_string_equal(t->columns[6].name, "column_7");
	assert_string_equal(t->columns[6].from, "\xc3\xa4");
	assert_string_equal(t->columns[7].from, "a:#\\");
	assert_string_equal(t->columns[8].from, "Straße \xe2\x80\xa8");
	assert_says("not kept: \"\", the header gives it no name");
}

/* ---- keys and relations ---- */

static void shop(struct zip *z, int orders)
{
	struct rv_strbuf csv = RV_STRBUF_INIT;

	rv_strbuf_puts(&csv, "customer_id,name,country\n");
	for (int i = 0; i < 50; i++)
		rv_strbuf_printf(&csv, "C%03d,name %d,%s\n", i, i, i % 3 ? "DE" : "FR");
	add_file(z, "customers.csv", csv.bytes, csv.len);
	rv_strbuf_clear(&csv);
	rv_strbuf_puts(&csv, "order_id,customer_id,placed,total\n");
	for (int i = 0; i < orders; i++)
		rv_strbuf_printf(&csv, "%d,C%03d,2026-11-%02d,%d.50\n", 1000 + i, i * 7 % 50, i % 28 + 1,
				 i % 91);
	add_file(z, "orders.csv", csv.bytes, csv.len);
	rv_strbuf_clear(&csv);
	rv_strbuf_puts(&csv, "order_id,line_no,product_id,quantity\n");
	for (int i = 0; i < orders; i++)
		for (int k = 0; k <= i % 4; k++)
			rv_strbuf_printf(&csv, "%d,%d,%s%d,%d\n", 1000 + i, k + 1, i == 5 && k == 1 ? "P" : "",
					 i == 5 && k == 1 ? 1 : 1 + (i + k) % 30, 1 + k % 2);
	add_file(z, "lines.csv", csv.bytes, csv.len);
	rv_strbuf_clear(&csv);
	rv_strbuf_puts(&csv, "id,title\nP1,special\n");
	for (int i = 1; i <= 30; i++)
		rv_strbuf_printf(&csv, "%d,product %d\n", i, i);
	add_file(z, "products.csv", csv.bytes, csv.len);
	rv_strbuf_release(&csv);
}

static void assert_key(const char *table, const char *a, const char *b)
{
	const struct rv_string_list *key = &table_of(table)->key;

	if (key->count != (b ? 2u : 1u) || strcmp(key->items[0], a) != 0 ||
	    (b && strcmp(key->items[1], b) != 0))
		fail_msg("the key of %s is not %s, in\n%s", table, a, text.bytes);
}

static void keys_and_relations_are_seen(void **state RV_UNUSED)
{
	struct zip z = { 0 };

	shop(&z, 400);
	make_job(&z);
	assert_key("customers", "customer_id", NULL);
	assert_key("orders", "order_id", NULL);
	assert_key("lines", "order_id", "line_no");
	assert_key("products", "id", NULL);
	assert_says("together unique in 1,000 rows sampled");
	assert_says("unique in 400 rows sampled");
	assert_says("all of 50 values compared are in customers.customer_id");
	assert_says("all of 400 values compared are in orders.order_id");
	assert_says("values compared are in products.id");
	assert_says("product: { table: products, on: { id: product_id }, many: false }");
	/* quantity and line_no are in products.id as well, and are no relation */
	assert_null(strstr(text.bytes, "by_quantity"));
	assert_says("#            on: [order_id]\n#            many: true\n#            order_by: [line_no]\n");
}

/* A row that is there twice ends the key, wherever it comes. */
static void a_key_needs_every_row(void **state RV_UNUSED)
{
	struct rv_strbuf csv = RV_STRBUF_INIT;
	struct zip z = { 0 };

	rv_strbuf_puts(&csv, "order_id,line_no,x\n");
	for (int i = 0; i < 40000; i++)
		rv_strbuf_printf(&csv, "%d,%d,a\n", i / 2, i % 2);
	rv_strbuf_puts(&csv, "3,1,a\n");
	add_file(&z, "lines.csv", csv.bytes, csv.len);
	rv_strbuf_clear(&csv);
	rv_strbuf_puts(&csv, "order_id,x\n");
	for (int i = 0; i < 40000; i++)
		rv_strbuf_printf(&csv, "%d,a\n", i);
	rv_strbuf_puts(&csv, ",a\n");
	add_file(&z, "orders.csv", csv.bytes, csv.len);
	rv_strbuf_release(&csv);
	make_job(&z);
	assert_int_equal(table_of("lines")->key.count, 0);
	assert_int_equal(table_of("orders")->key.count, 0);
	assert_int_equal(table_of("orders")->mode, RV_JOB_APPEND);
	assert_says("no column and no two that look like one are unique in 40,001 rows sampled");
}

/* Amounts, times and lone rows are no keys, whatever they are. */
static void what_is_no_key(void **state RV_UNUSED)
{
	struct zip z = { 0 };

	add_csv(&z, "t.csv", "amount,at,name\n1.5,2026-01-01,a\n2.5,2026-01-02,b\n");
	make_job(&z);
	assert_int_equal(table_of("t")->key.count, 0);
}

/* Two tables with the same key are one below the other, not each below the other. */
static void one_to_one_has_one_direction(void **state RV_UNUSED)
{
	struct zip z = { 0 };

	add_csv(&z, "invoices.csv", "order_id,paid\n1,true\n2,false\n3,true\n");
	add_csv(&z, "orders.csv", "order_id,placed\n1,2026-01-01\n2,2026-01-01\n3,2026-01-02\n");
	make_job(&z);
	assert_says("all of 3 values compared are in orders.order_id");
	assert_null(strstr(text.bytes, "in invoices.order_id"));
	assert_says("#        many: false");
}

/* ---- limits and faults ---- */

static void only_so_much_is_read(void **state RV_UNUSED)
{
	const struct rv_extract_infer_params params = { .file = "x.zip", .member_bytes = 1 << 20,
							.table_bytes = 2 << 20 };
	struct rv_strbuf csv = RV_STRBUF_INIT;
	struct rv_error err = RV_ERROR_INIT;
	struct zip z = { 0 };

	rv_strbuf_puts(&csv, "id,v\n");
	for (int i = 0; i < 400000; i++)
		rv_strbuf_printf(&csv, "%d,some text\n", i);
	add_file(&z, "t1.csv", csv.bytes, csv.len);
	add_file(&z, "t2.csv", csv.bytes, csv.len);
	add_file(&z, "t3.csv", csv.bytes, csv.len);
	rv_strbuf_release(&csv);
	struct rv_zip *zip = open_zip(&z);

	assert_int_equal(infer(zip, &params, &err), RV_OK);
	assert_says("rows sampled of more");
	/* the second member repeats the first, so id is none */
	assert_says("mode: append");
	rv_zip_free(zip);
}

static void sets_keep_an_even_sample(void **state RV_UNUSED)
{
	struct rv_infer_set up, down, part;
	size_t compared;

	rv_infer_set_init(&up, 1000);
	rv_infer_set_init(&down, 1000);
	rv_infer_set_init(&part, 1000);
	for (uint64_t i = 1; i <= 100000; i++) {
		rv_infer_set_add(&up, i * 0x9e3779b97f4a7c15);
		rv_infer_set_add(&down, (100001 - i) * 0x9e3779b97f4a7c15);
		if (i % 10 == 0)
			rv_infer_set_add(&part, i * 0x9e3779b97f4a7c15);
	}
	assert_int_equal(up.threshold, down.threshold);
	assert_int_equal(up.count, down.count);
	assert_int_equal(rv_infer_set_within(&up, &down, false, &compared), up.count);
	assert_int_equal(compared, up.count);
	assert_in_range(up.count, 400, 1000);
	assert_in_range((uint64_t)rv_infer_set_distinct(&up), 90000, 110000);
	size_t within = rv_infer_set_within(&part, &up, false, &compared);

	assert_int_equal(within, compared);
	assert_true(compared > 0);
	assert_true(rv_infer_set_within(&up, &part, false, &compared) < compared);
	within = rv_infer_set_within(&up, &part, true, &compared);
	assert_int_equal(compared, within + 1);
	rv_infer_set_shrink(&up, 10);
	assert_in_range(up.count, 1, 10);
	assert_in_range(up.room, 16, 32);
	/* 0 is a hash as any other */
	assert_true(rv_infer_set_add(&part, 0));
	assert_false(rv_infer_set_add(&part, 0));
	rv_infer_set_release(&up);
	rv_infer_set_release(&down);
	rv_infer_set_release(&part);
}

static void rows_that_are_refused_are_said(void **state RV_UNUSED)
{
	const struct rv_extract_infer_params params = { .file = "x.zip" };
	struct rv_error err = RV_ERROR_INIT;
	struct zip z = { 0 };

	add_csv(&z, "t.csv", "id,v\n1,a\n2,b\n3,c\n4,d,e\n5,f\n");
	struct rv_zip *zip = open_zip(&z);

	assert_int_equal(infer(zip, &params, &err), RV_OK);
	assert_says("1 row would be refused; the first: line 5, 3 fields where there are 2 columns");
	rv_zip_free(zip);
}

/* Of very many members the first ones are looked into; the rows of all are read, up to the limit. */
static void many_members_are_one_table(void **state RV_UNUSED)
{
	struct zip z = { 0 };
	char name[64], csv[64];

	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "part-%05d.csv", i);
		snprintf(csv, sizeof(csv), "id,v\n%d,%s\n", i, i == 299 ? "x" : "1");
		add_file(&z, name, csv, strlen(csv));
	}
	assert_int_equal(make_job(&z), 300);
	assert_int_equal(job.tables_count, 1);
	assert_string_equal(table_of("part")->member, "part-[0-9]*.csv");
	assert_type("part", "v", "string");
	assert_says("# 300 members, 300 rows in all");
}

static void without_a_table_there_is_no_job(void **state RV_UNUSED)
{
	const struct rv_extract_infer_params params = { .file = "x.zip" };
	struct rv_error err = RV_ERROR_INIT;
	struct zip z = { 0 };

	add_csv(&z, "a.json", "{}");
	struct rv_zip *zip = open_zip(&z);

	assert_int_equal(infer(zip, &params, &err), RV_BAD_DATA);
	assert_string_equal(err.message, "x.zip: none of its 1 members is a table");
	assert_int_equal(text.len, 0);
	rv_zip_free(zip);
}

/* A member that inflates to something else fails the whole, by name. */
static void damage_is_no_guess(void **state RV_UNUSED)
{
	const struct rv_extract_infer_params params = { .file = "x.zip" };
	struct rv_error err = RV_ERROR_INIT;
	struct zip z = { 0 };
	static const char csv[] = "id,v\n1,a\n2,b\n";

	add_csv(&z, "a.csv", csv);
	put(&z, &(struct member){ .name = "b.csv", .data = csv, .len = sizeof(csv) - 1, .method = DEFLATE,
				  .crc_all = 1 });
	struct rv_zip *zip = open_zip(&z);

	assert_int_equal(infer(zip, &params, &err), RV_BAD_DATA);
	assert_non_null(strstr(err.message, "b.csv"));
	assert_non_null(strstr(err.message, "CRC-32"));
	assert_int_equal(text.len, 0);
	rv_zip_free(zip);
}

static int release(void **state RV_UNUSED)
{
	rv_strbuf_release(&text);
	rv_job_release(&job);
	return 0;
}

/* Of the first bytes of a large member, the last character may be cut, and only that one. */
static void bytes_at_the_end_may_be_a_cut_character(void **state)
{
	static const struct {
		const char *text;
		bool whole, table;
		enum rv_encoding encoding;
	} heads[] = {
		{ "a,b\n1,x\n2,\xc3", false, true, RV_ENCODING_UTF8 },
		{ "a,b\n1,x\n2,\xe2\x82", false, true, RV_ENCODING_UTF8 },
		{ "a,b\n1,x\n2,\xe2\x82", true, true, RV_ENCODING_WINDOWS1252 },
		{ "a,b\n1,\x9f\n", false, true, RV_ENCODING_WINDOWS1252 },
		{ "a,b\n1,\xe9\n", false, true, RV_ENCODING_LATIN1 },
		{ "a,b\n1,\xe9y", false, true, RV_ENCODING_LATIN1 },
		/* nothing of it is a row */
		{ "a,b\xc3", false, false, RV_ENCODING_UTF8 },
	};
	(void)state;

	for (size_t i = 0; i < sizeof(heads) / sizeof(*heads); i++) {
		struct rv_infer_head head;

		rv_infer_head_read(heads[i].text, strlen(heads[i].text), heads[i].whole, &head);
		assert_int_equal(head.dialect.encoding, heads[i].encoding);
		assert_int_equal(head.table, heads[i].table);
		rv_infer_head_release(&head);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(types_are_what_every_value_is),
		cmocka_unit_test(dates_say_their_format),
		cmocka_unit_test(a_late_value_counts),
		cmocka_unit_test(dialects_are_found),
		cmocka_unit_test(encodings_are_found),
		cmocka_unit_test(bytes_at_the_end_may_be_a_cut_character),
		cmocka_unit_test(an_encoding_shows_late),
		cmocka_unit_test(headers_are_told_from_rows),
		cmocka_unit_test(nulls_are_found_without_quotes),
		cmocka_unit_test(members_become_tables),
		cmocka_unit_test(columns_get_names),
		cmocka_unit_test(keys_and_relations_are_seen),
		cmocka_unit_test(a_key_needs_every_row),
		cmocka_unit_test(what_is_no_key),
		cmocka_unit_test(one_to_one_has_one_direction),
		cmocka_unit_test(only_so_much_is_read),
		cmocka_unit_test(sets_keep_an_even_sample),
		cmocka_unit_test(rows_that_are_refused_are_said),
		cmocka_unit_test(many_members_are_one_table),
		cmocka_unit_test(without_a_table_there_is_no_job),
		cmocka_unit_test(damage_is_no_guess),
	};

	return cmocka_run_group_tests(tests, NULL, release);
}

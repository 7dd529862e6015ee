/* Job files: the shape of the manual page, what follows from what is not said, and every refusal with its
 * place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "config/job.h"

static const char whole[] =
	"job: orders\n"
	"profile: prod\n"
	"source: { path: \"s3://drop/ext-*.zip\", order: name }\n"
	"dialect: { delimiter: \";\", quote: \"'\", header: true, encoding: latin-1, null: [\"\", \"\\\\N\"], timezone: UTC }\n"
	"tables:\n"
	"  orders:\n"
	"    member: \"ORDERS_*.csv\"\n"
	"    key: [order_id]\n"
	"    mode: merge\n"
	"    delete_when: { column: op, equals: D }\n"
	"    columns: { order_id: string, op: string, placed: { type: timestamp, format: \"%d.%m.%Y %H:%M\" }, total: \"decimal(18,2)\" }\n"
	"  lines:\n"
	"    member: lines/*.tsv\n"
	"    optional: true\n"
	"    dialect: { delimiter: tab, quote: none, names: [a, order_id, line_no], line_end: lf, null: NULL }\n"
	"    key: [order_id, line_no]\n    mode: merge\n    columns: { order_id: string, line_no: integer, sku: { from: a } }\n"
	"loads:\n"
	"  orders: { to: table dw.orders, format: ndjson, compression: gzip }\n"
	"  lines: { to: table dw.lines }\n"
	"documents:\n"
	"  order:\n"
	"    root: orders\n"
	"    scope: history\n"
	"    target: { dynamodb: orders-v1, ttl: { attribute: expires_at, from: placed, after: 9 months } }\n"
	"    nest:\n"
	"      lines: { on: [order_id], many: true, order_by: [line_no desc, sku], nest: { order: { table: orders, on: order_id } } }\n"
	"limits: { max_rejects: 3, max_bytes: 200GiB, max_ratio: 200 }\n"
	"deadline: 1h\n";

static void test_whole_shape(void **state RV_UNUSED)
{
	struct rv_error err = RV_ERROR_INIT;
	struct rv_job job;

	if (rv_job_parse("/x/y.yaml", whole, strlen(whole), &job, &err) != RV_OK)
		fail_msg("line %d: %s (%s)", (int)err.line, err.message, err.hint);
	assert_string_equal(job.name, "orders");
	assert_string_equal(job.profile, "prod");
	assert_string_equal(job.source, "s3://drop/ext-*.zip");
	assert_int_equal(job.tables_count, 2);
	const struct rv_job_table *t = &job.tables[0];

	assert_int_equal(t->dialect.delimiter, ';');
	assert_int_equal(t->dialect.quote, '\'');
	assert_int_equal(t->dialect.encoding, RV_ENCODING_LATIN1);
	assert_int_equal(t->dialect.nulls.count, 2);
	assert_string_equal(t->dialect.nulls.items[1], "\\N");
	assert_int_equal(t->mode, RV_JOB_MERGE);
	assert_string_equal(t->delete_equals, "D");
	assert_true(t->columns[0].required);
	assert_false(t->columns[1].required);
	assert_string_equal(t->columns[2].timezone, "UTC");
	assert_int_equal(t->columns[3].scale, 2);
	assert_int_equal(t->line, 6);
	t = &job.tables[1];
	assert_true(t->optional);
	assert_int_equal(t->dialect.delimiter, '\t');
	assert_int_equal(t->dialect.quote, 0);
	assert_false(t->dialect.header);
	assert_int_equal(t->dialect.line_end, RV_LINE_END_LF);
	assert_int_equal(t->dialect.nulls.count, 1);
	assert_int_equal(t->columns[2].type, RV_COLUMN_STRING);
	assert_string_equal(t->columns[2].from, "a");
	assert_int_equal(job.loads[0].to, RV_JOB_TO_TABLE);
	assert_string_equal(job.loads[0].schema, "dw");
	assert_int_equal(job.loads[0].compression, RV_OUTPUT_GZIP);
	assert_string_equal(job.loads[1].name, "lines");
	const struct rv_job_document *d = &job.documents[0];

	assert_string_equal(d->dynamodb, "orders-v1");
	assert_int_equal(d->ttl_count, 9);
	assert_int_equal(d->ttl_unit, RV_JOB_MONTHS);
	assert_int_equal(d->nests_count, 1);
	assert_int_equal(d->nests[0].table, 1);
	assert_true(d->nests[0].many);
	assert_true(d->nests[0].order_by[0].descending);
	assert_string_equal(d->nests[0].nests[0].on[0].parent, "order_id");
	assert_int_equal(job.max_rejects, 3);
	assert_true(job.max_bytes == (uint64_t)200 << 30);
	assert_int_equal(job.deadline_ms, 3600000);
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;

	rv_job_explain(&job, &text);
	assert_non_null(strstr(text.bytes, "merged into the table dw.orders"));
	assert_non_null(strstr(text.bytes, "order: the one row of orders by order_id"));
	assert_non_null(strstr(text.bytes, "expires_at is 9 months after placed"));
	rv_job_release(&job);
}

static void test_what_follows(void **state RV_UNUSED)
{
	static const char text[] = "source: { path: in/*.zip }\n"
				   "tables: { t: { member: t.csv, columns: [a, b] } }\n"
				   "loads: { t: {} }\n";
	struct rv_error err = RV_ERROR_INIT;
	struct rv_job job;

	if (rv_job_parse("/x/My-Orders.yaml", text, strlen(text), &job, &err) != RV_OK)
		fail_msg("line %d: %s", (int)err.line, err.message);
	assert_string_equal(job.name, "my_orders");
	assert_string_equal(job.source, "/x/in/*.zip");
	assert_int_equal(job.max_rejects, 0);
	assert_int_equal(job.max_row_bytes, 16 << 20);
	assert_int_equal(job.tables[0].columns_count, 2);
	assert_int_equal(job.tables[0].dialect.delimiter, ',');
	assert_string_equal(job.tables[0].dialect.nulls.items[0], "");
	assert_int_equal(job.loads[0].to, RV_JOB_TO_LAKE);
	rv_job_release(&job);
}

static void test_parquet(void **state RV_UNUSED)
{
	static const char text[] = "tables:\n"
				   "  t: { member: t, columns: { a: double, b: string } }\n"
				   "  u: { member: u, columns: { a: double } }\n"
				   "  v: { member: v, columns: { a: double } }\n"
				   "  w: { member: w, columns: { a: double } }\n"
				   "loads:\n"
				   "  w: { to: table dw.w }\n"
				   "  t: { format: parquet }\n"
				   "  u: { to: lake, format: parquet, compression: snappy }\n"
				   "  v: { format: csv, compression: none }\n";
	struct rv_error err = RV_ERROR_INIT;
	struct rv_job job;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf words = RV_STRBUF_INIT;

	if (rv_job_parse("/x/y.yaml", text, strlen(text), &job, &err) != RV_OK)
		fail_msg("line %d: %s", (int)err.line, err.message);
	assert_true(rv_job_has_parquet(&job));
	assert_int_equal(job.loads[1].pages, RV_JOB_PAGES_ZSTD);
	assert_int_equal(job.loads[2].pages, RV_JOB_PAGES_SNAPPY);
	assert_true(job.tables[0].columns[0].exact);
	assert_false(job.tables[2].columns[0].exact);
	assert_true(job.tables[3].columns[0].exact);
	rv_job_explain(&job, &words);
	assert_non_null(strstr(words.bytes, "t: loads/y/<extract>/t-*, parquet, zstd\n"));
	assert_non_null(strstr(words.bytes, "u: loads/y/<extract>/u-*, parquet, snappy\n"));
	assert_non_null(strstr(words.bytes, "v: loads/y/<extract>/v-*, csv, none\n"));
	rv_job_release(&job);
}

static const struct rv_job_load *load_of(const struct rv_job *job, const char *table, enum rv_job_to to)
{
	for (size_t i = 0; i < job->loads_count; i++)
		if (strcmp(job->tables[job->loads[i].table].name, table) == 0 && job->loads[i].to == to)
			return &job->loads[i];
	return NULL;
}

static void test_kept_tables(void **state RV_UNUSED)
{
	static const char text[] =
		"job: j\n"
		"tables:\n"
		"  a: { member: a, key: id, columns: [id, b, c] }\n"
		"  b: { member: b, key: id, columns: [id] }\n"
		"  c: { member: c, key: id, columns: [id] }\n"
		"  d: { member: d, key: id, columns: [id] }\n"
		"  e: { member: e, key: id, columns: [id] }\n"
		"loads: { a: { to: table dw.a }, b: { compression: gzip }, c: { format: csv }, e: {} }\n"
		"documents:\n"
		"  x:\n"
		"    root: a\n"
		"    target: { lake: true }\n"
		"    nest: { bb: { table: b, on: { id: b } }, cc: { table: c, on: { id: c }, nest: { dd: { table: d, on: id }, again: { table: d, on: id } } } }\n";
	struct rv_error err = RV_ERROR_INIT;
	struct rv_job job;

	if (rv_job_parse("x.yaml", text, strlen(text), &job, &err) != RV_OK)
		fail_msg("line %d: %s", (int)err.line, err.message);
	/* its key says that it is merged; what documents are not made of is as ever */
	assert_int_equal(job.tables[0].mode, RV_JOB_MERGE);
	assert_int_equal(job.tables[3].mode, RV_JOB_MERGE);
	assert_int_equal(job.tables[4].mode, RV_JOB_APPEND);
	const struct rv_job_load *load = load_of(&job, "a", RV_JOB_TO_TABLE);

	assert_string_equal(load->schema, "dw");
	assert_false(load->kept);
	/* the same objects, and the table */
	load = load_of(&job, "b", RV_JOB_TO_TABLE);
	assert_string_equal(load->schema, "j");
	assert_string_equal(load->name, "b");
	assert_true(load->kept);
	assert_int_equal(load->compression, RV_OUTPUT_GZIP);
	assert_null(load_of(&job, "b", RV_JOB_TO_LAKE));
	/* csv is not what a table is made of */
	assert_true(load_of(&job, "c", RV_JOB_TO_TABLE)->kept);
	assert_int_equal(load_of(&job, "c", RV_JOB_TO_LAKE)->format, RV_JOB_CSV);
	assert_true(load_of(&job, "d", RV_JOB_TO_TABLE)->kept);
	assert_null(load_of(&job, "e", RV_JOB_TO_TABLE));
	assert_int_equal(job.loads_count, 6);
	rv_job_release(&job);
}

static void test_sequence_and_trailer(void **state RV_UNUSED)
{
	static const char text[] = "source: { path: x, sequence: \"e-{number}.zip\", order: number, gaps: take }\n"
				   "dialect: { trailer: \"T|{count}\" }\n"
				   "tables:\n"
				   "  t: { member: t.csv, columns: [a] }\n"
				   "  u: { member: u.csv, dialect: { trailer: { row: \"#{count}\", counts: all } }, columns: [a] }\n"
				   "  v: { member: v.csv, dialect: { trailer: none }, columns: [a] }\n"
				   "loads: { t: {} }\n";
	struct rv_error err = RV_ERROR_INIT;
	struct rv_job job;

	if (rv_job_parse("x.yaml", text, strlen(text), &job, &err) != RV_OK)
		fail_msg("line %d: %s", (int)err.line, err.message);
	assert_string_equal(job.sequence, "e-{number}.zip");
	assert_int_equal(job.source_order, RV_JOB_ORDER_NUMBER);
	assert_true(job.gaps);
	assert_string_equal(job.tables[0].dialect.trailer, "T|{count}");
	assert_false(job.tables[0].dialect.trailer_counts_all);
	assert_string_equal(job.tables[1].dialect.trailer, "#{count}");
	assert_true(job.tables[1].dialect.trailer_counts_all);
	assert_null(job.tables[2].dialect.trailer);
	rv_job_release(&job);
}

static void test_members(void **state RV_UNUSED)
{
	struct rv_job_table table = { .member = (char[]){ "ORDERS_*.csv" } };

	assert_true(rv_job_member_is(&table, "ORDERS_1.csv"));
	assert_true(rv_job_member_is(&table, "2026/ORDERS_1.csv"));
	assert_false(rv_job_member_is(&table, "ORDERS_1.csv.gz"));
	assert_false(rv_job_member_is(&table, "orders_1.csv"));
	assert_false(rv_job_member_is(&table, "ORDERS_a/b.csv"));
	table.member = (char[]){ "a/*.csv" };
	assert_true(rv_job_member_is(&table, "a/x.csv"));
	assert_false(rv_job_member_is(&table, "b/x.csv"));
}

#define TABLES "tables: { t: { member: t.csv, key: id, columns: { id: string, at: date, n: integer } }, " \
	       "u: { member: u, columns: { id: string, n: integer } } }\n"
#define LOADS "loads: { t: {} }\n"
#define EXTRACT "scope: extract, complete: true"
static const struct {
	const char *text, *message, *hint;
	unsigned line;
} wrong[] = {
	{ "tabels: {}\n", "unknown key 'tabels'", "did you mean 'tables'?", 1 },
	{ LOADS, "`tables` is missing", NULL, 1 },
	{ TABLES, "it would do nothing", "loads: { t:", 1 },
	{ TABLES "loads: { x: {} }\n", "there is no table 'x'", NULL, 2 },
	{ TABLES "loads:\n  t: { to: tabel dw.t }\n", "'tabel dw.t' is not a place", "table dw.orders", 3 },
	{ TABLES "loads: { t: { to: table T } }\n", "'table T' is not a place", NULL, 2 },
	{ TABLES "loads: { t: { to: table _river.x } }\n", "is river's own", NULL, 2 },
	{ TABLES "loads: { t: { to: table information_schema.x } }\n", "there can be no schema information_schema", "name other things in a warehouse", 2 },
	{ TABLES "loads: { t: { to: table system.x } }\n", "there can be no schema system", NULL, 2 },
	{ TABLES "loads: { t: { to: table a.b }, u: { to: table a.b } }\n", "rows of t go there already", NULL, 2 },
	{ TABLES "loads: { t: { to: stream a/b, format: csv } }\n", "records of a stream are ndjson", NULL, 2 },
	{ TABLES "loads: { t: { to: stream a/b, compression: zstd } }\n", "a stream has its own", NULL, 2 },
	{ TABLES "loads: { t: { to: table a.b, format: csv } }\n", "loaded from ndjson, which says what is null", NULL, 2 },
	{ TABLES "loads: { t: { to: stream a/b, format: parquet } }\n", "records of a stream are ndjson", NULL, 2 },
	{ TABLES "loads: { t: { to: table a.b, format: parquet } }\n", "loaded from ndjson, which keeps how numbers are",
	  "parquet is for `to: lake`", 2 },
	{ TABLES "loads: { t: { format: parquet, compression: \"gzip:small\" } }\n", "gzip:small", NULL, 2 },
	{ TABLES "loads: { t: { format: ndjson, compression: snappy } }\n", "snappy", NULL, 2 },
	{ "tables:\n  t: { columns: [a] }\n" LOADS, "which member is it?", "member: \"t*.csv\"", 2 },
	{ "tables:\n  t: { member: t }\n" LOADS, "which columns are kept?", "--infer", 2 },
	{ "tables:\n  t: { member: t, columns: { a: strin } }\n" LOADS, "'strin' is not a type", "did you mean string?", 2 },
	{ "tables:\n  t: { member: t, columns: { A: string } }\n" LOADS, "is not a column name", "`from`", 2 },
	{ "tables:\n  t: { member: t, columns: { a: decimal(18,2) } }\n" LOADS, "'decimal(18' is not a type", "quote the type", 2 },
	{ "tables:\n  t: { member: t, columns: [a, a] }\n" LOADS, "'a' is there twice", NULL, 2 },
	{ "tables:\n  t: { member: t, columns: { a: { type: date, format: x } } }\n" LOADS, "has no % directive", NULL, 2 },
	{ "tables:\n  t: { member: t, columns: { a: { type: timestamp, timezone: Europe/Paris } } }\n" LOADS, "neither UTC nor an offset", NULL, 2 },
	{ "tables:\n  t: { member: t, key: b, columns: [a] }\n" LOADS, "keeps no column 'b'", NULL, 2 },
	{ "tables:\n  t: { member: t, mode: merge, columns: [a] }\n" LOADS, "merge needs a key", NULL, 2 },
	{ "tables:\n  t: { member: t, mode: upsert, columns: [a] }\n" LOADS, "not one of append, merge", NULL, 2 },
	{ "tables:\n  t: { member: t, key: a, delete_when: { column: a, equals: D }, columns: [a] }\n" LOADS, "needs `mode: merge`", NULL, 2 },
	{ "tables:\n  t: { member: t, key: a, mode: merge, delete_when: { column: b, equals: D }, columns: { a: string, b: boolean } }\n" LOADS, "'D' is neither true nor false, and b is a boolean", "not with how the file writes it", 2 },
	{ "tables:\n  t: { member: t, key: a, mode: merge, delete_when: { column: b, equals: D }, columns: { a: string, b: integer } }\n" LOADS, "'D' is not a number, and b is a integer", "not with how the file writes it", 2 },
	{ "tables:\n  t: { member: t, key: a, mode: merge, delete_when: { column: b, equals: 1.5 }, columns: { a: string, b: integer } }\n" LOADS, "'1.5' is not whole", "not with how the file writes it", 2 },
	{ "tables:\n  t: { member: t, key: a, mode: merge, delete_when: { column: b, equals: 0.001 }, columns: { a: string, b: \"decimal(9,2)\" } }\n" LOADS, "'0.001' has more decimals than the column, and b is a decimal(9,2)", "not with how the file writes it", 2 },
	{ "tables:\n  t: { member: t, key: a, mode: merge, delete_when: { column: b, equals: x }, columns: { a: string, b: double } }\n" LOADS, "'x' is not a number", "not with how the file writes it", 2 },
	{ "tables:\n  t: { member: t, key: a, mode: merge, delete_when: { column: b, equals: 31.12.9999 }, columns: { a: string, b: date } }\n" LOADS, "'31.12.9999' is not a date", "not with how the file writes it", 2 },
	{ "tables:\n  t: { member: t, key: a, mode: merge, delete_when: { column: b, equals: 9999-12-31 }, columns: { a: string, b: timestamp } }\n" LOADS, "'9999-12-31' is not a time", "not with how the file writes it", 2 },
	{ "tables:\n  t: { member: t, dialect: { header: false }, columns: [a] }\n" LOADS, "their columns need names", NULL, 2 },
	{ "tables:\n  t: { member: t, dialect: { header: true, names: [a] }, columns: [a] }\n" LOADS, "the header has the names already", NULL, 2 },
	{ "tables:\n  t: { member: t, dialect: { delimiter: \";\", quote: \";\" }, columns: [a] }\n" LOADS, "are the same", NULL, 2 },
	{ "tables:\n  t: { member: t, dialect: { encoding: ebcdic }, columns: [a] }\n" LOADS, "'ebcdic' is not one of", NULL, 2 },
	{ "tables: {}\n" LOADS, "there are 0", NULL, 1 },
	{ "tables:\n  t-1: { member: t, columns: [a] }\n" LOADS, "'t-1' is not a name", NULL, 2 },
	{ "job: A b\n" TABLES LOADS, "'A b' is not a name", NULL, 1 },
	{ "source: { path: \"s3://x\" }\n" TABLES LOADS, "names no object", NULL, 1 },
	{ "source: { order: name }\n" TABLES LOADS, "`path` is missing", NULL, 1 },
	{ TABLES LOADS "limits: { max_ratio: 0 }\n", "is not a number from 1", NULL, 3 },
	{ TABLES LOADS "limits: { max_bytes: many }\n", "is not a size", NULL, 3 },
	{ TABLES LOADS "deadline: soon\n", "is not a duration", NULL, 3 },
	{ TABLES "documents:\n  d: { target: { lake: true } }\n", "`root`", NULL, 3 },
	{ TABLES "documents:\n  d: { root: u, target: { lake: true } }\n", "the table u has no key", NULL, 3 },
	{ TABLES "documents:\n  d: { root: t }\n", "`target` is missing", NULL, 3 },
	{ TABLES "documents:\n  d: { root: t, scope: extract, target: { lake: true } }\n", "needs `complete: true`", "use `scope: history`", 3 },
	{ TABLES "documents:\n  d: { root: t, target: { lake: true, dynamodb: abc } }\n", "either `dynamodb: <table>`", NULL, 3 },
	{ TABLES "documents:\n  d: { root: t, target: { dynamodb: \"a b\" } }\n", "is not a table's name", NULL, 3 },
	{ TABLES "documents:\n  c: { root: t, target: { dynamodb: tab } }\n  e: { root: t, target: { lake: true } }\n  d: { root: t, " EXTRACT ", target: { dynamodb: tab } }\n", "documents.d: documents.c goes into the DynamoDB table tab already", "a table of its own", 5 },
	{ TABLES "documents:\n  d: { root: t, target: { lake: true, exclusive: true } }\n", "are for dynamodb", NULL, 3 },
	{ TABLES "documents:\n  d: { root: t, target: { lake: true, ttl: { attribute: x, from: n, after: 1 day } } }\n", "not a date or timestamp", NULL, 3 },
	{ TABLES "documents:\n  d: { root: t, target: { lake: true, ttl: { attribute: at, after: 1 day } } }\n", "has a column of that name", NULL, 3 },
	{ TABLES "documents:\n  d: { root: t, target: { lake: true, ttl: { attribute: x, after: soon } } }\n", "is not a time to keep", "9 months", 3 },
	{ TABLES "documents:\n  d: { root: t, " EXTRACT ", target: { lake: true }, nest: { u: {} } }\n", "by which columns", NULL, 3 },
	{ TABLES "documents:\n  d: { root: t, " EXTRACT ", target: { lake: true }, nest: { u: { on: n, many: true, order_by: idd } } }\n", "keeps no column 'idd'", "did you mean 'id'?", 3 },
	{ TABLES "documents:\n  d: { root: t, " EXTRACT ", target: { lake: true }, nest: { u: { on: { n: id } } } }\n", "u.n is a integer", "one type", 3 },
	{ TABLES "documents:\n  d: { root: t, " EXTRACT ", target: { lake: true }, nest: { n: { table: u, on: id } } }\n", "has a column of that name", NULL, 3 },
	{ TABLES "documents:\n  d: { root: t, " EXTRACT ", target: { lake: true }, nest: { u: { on: id, order_by: n } } }\n", "is for `many: true`", NULL, 3 },
	{ TABLES "documents:\n  d: { root: t, target: { dynamodb: abc }, nest: { u: { on: id } } }\n", "tables.u: documents.d is made of its newest rows, and it has no key", "write key: [...]", 1 },
	{ "tables:\n  t: { member: t, key: a, mode: append, columns: [a] }\ndocuments: { d: { root: t, target: { lake: true } } }\n", "tables.t: documents.d is made of its newest rows, and it is appended", "mode: merge", 2 },
	{ "job: k\ntables: { t: { member: t, key: a, columns: [a] }, v: { member: v, columns: [a] } }\nloads: { v: { to: table k.t } }\ndocuments: { d: { root: t, target: { lake: true } } }\n", "keeps it as k.t, where the rows of v go", "to: table dw.t", 2 },
	{ "job: _river\ntables: { t: { member: t, key: a, columns: [a] } }\ndocuments: { d: { root: t, target: { lake: true } } }\n", "schema of its name: the schema _river is river's own", NULL, 2 },
	{ "job: memory\ntables: { t: { member: t, key: a, columns: [a] } }\ndocuments: { d: { root: t, target: { lake: true } } }\n", "there can be no schema memory", "name other things in a warehouse", 2 },
	{ "tables: { t: { member: t, key: a, columns: [a, _v] } }\ndocuments:\n  d: { root: t, target: { lake: true } }\n", "its member _v is river's own", NULL, 3 },
	{ TABLES "documents:\n  d: { root: t, scope: extract, complete: true, target: { dynamodb: tab }, nest: { _v: { table: t, on: id } } }\n", "its member _v is river's own", NULL, 3 },
	{ TABLES "documents:\n  d: { root: t, target: { dynamodb: tab, ttl: { attribute: x, after: 1 day } }, nest: { x: { table: t, on: id } } }\n", "ttl.attribute: the document has a nest of that name", NULL, 3 },
	{ TABLES "documents:\n  d: { root: t, target: { dynamodb: tab, ttl: { attribute: _v, after: 1 day } } }\n", "ttl.attribute: _v is river's own", NULL, 3 },
	{ TABLES "documents:\n  d: { root: t, target: { lake: true }, nest: { _deleted: { table: t, on: id } } }\n", "its member _deleted is river's own", NULL, 3 },
	{ "source: { path: x, sequence: \"ext-*.zip\" }\n" TABLES LOADS, "does not say where the number is", "{number}", 1 },
	{ "source: { path: x, sequence: \"{number}-{number}\" }\n" TABLES LOADS, "does not say where the number is", NULL, 1 },
	{ "source: { path: x, order: number }\n" TABLES LOADS, "order: number needs `sequence`", "sequence: ", 1 },
	{ "source: { path: x, gaps: hold }\n" TABLES LOADS, "is for a source with a `sequence`", NULL, 1 },
	{ "source: { path: x, sequence: \"{number}\", gaps: fill }\n" TABLES LOADS, "'fill' is not one of hold, take", NULL, 1 },
	{ "dialect: { trailer: \"T|n\" }\n" TABLES LOADS, "does not say where the count is", "{count}", 1 },
	{ "dialect: { trailer: { counts: all } }\n" TABLES LOADS, "`row`, how it is written, is missing", NULL, 1 },
	{ "dialect: { trailer: { row: \"{count}\", counts: lines } }\n" TABLES LOADS, "'lines' is not one of rows, all", NULL, 1 },
	{ "a: 1\n---\nb: 2\n", "holds one job, not 2", NULL, 0 },
};

static void test_refusals(void **state RV_UNUSED)
{
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct rv_error err = RV_ERROR_INIT;
		struct rv_job job;

		if (rv_job_parse("j.yaml", wrong[i].text, strlen(wrong[i].text), &job, &err) == RV_OK)
			fail_msg("was taken:\n%s", wrong[i].text);
		if (err.status != RV_BAD_CONFIG || !strstr(err.message, wrong[i].message) ||
		    (wrong[i].hint && !strstr(err.hint, wrong[i].hint)) || err.line != wrong[i].line ||
		    strcmp(err.file, "j.yaml") != 0)
			fail_msg("%s\n-> line %d: %s (%s)", wrong[i].text, (int)err.line, err.message,
				 err.hint);
	}
}

static void test_files(void **state RV_UNUSED)
{
	struct rv_error err = RV_ERROR_INIT;
	struct rv_job job;

	assert_int_equal(rv_job_read("/nowhere/job.yaml", &job, &err), RV_NOT_FOUND);
	assert_int_equal(rv_job_read("/", &job, &err), RV_BAD_CONFIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_shape), cmocka_unit_test(test_what_follows),
		cmocka_unit_test(test_members),	    cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_files),	    cmocka_unit_test(test_parquet),
		cmocka_unit_test(test_kept_tables),
		cmocka_unit_test(test_sequence_and_trailer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

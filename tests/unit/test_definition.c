/* Definitions: every setting there and back, and every refusal with its place. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "config/definition.h"

static enum rv_status parse(const char *text, struct rv_stream *ret, struct rv_error *err)
{
	struct rv_yaml_documents documents;

	rv_stream_init(ret);
	if (rv_yaml_parse("s.yaml", text, strlen(text), &documents, err) != RV_OK)
		return err->status;
	assert_int_equal(documents.count, 1);
	enum rv_status status = rv_definition_parse("s.yaml", documents.roots[0], ret, err);

	rv_yaml_release(&documents);
	return status;
}

static void must_parse(const char *text, struct rv_stream *ret)
{
	struct rv_error err = RV_ERROR_INIT;

	if (parse(text, ret, &err) != RV_OK)
		fail_msg("%s\nline %d: %s (%s)", text, (int)err.line, err.message, err.hint);
}

static const char everything[] = "stream: web/clicks\n"
				 "format: csv\n"
				 "csv: { delimiter: \";\", quote: \"'\", header: true, names: [a, b],\n"
				 "       null: ['', N/A], encoding: utf-8 }\n"
				 "key: [event_id]\n"
				 "order_by: occurred_at\n"
				 "dedup: [event_id, price]\n"
				 "delete_when: { column: deleted, equals: true }\n"
				 "layers: [raw, clean, latest]\n"
				 "columns:\n"
				 "  event_id: { type: string, required: true }\n"
				 "  occurred_at: { type: timestamp, timezone: UTC }\n"
				 "  born: { type: date, format: \"%d.%m.%Y\" }\n"
				 "  price: { type: \"decimal(18,4)\", from: payload.price }\n"
				 "  quick: decimal(5)\n"
				 "  deleted: { type: boolean }\n"
				 "  email: { type: string, from: /payload/e~1mail }\n"
				 "  rest: { type: json, from: payload }\n"
				 "contract: reject\n"
				 "cluster_by: [date(occurred_at), event_id]\n"
				 "grants: { read: [analyst], push: [producer], admin: [platform] }\n"
				 "mask: [email]\n"
				 "retention: { warehouse: 3 month }\n"
				 "monitor: { freshness: 90m }\n"
				 "batch: { size: 1536KiB, records: 5000, age: 250ms }\n"
				 "compression: gzip:small\n"
				 "stamp: none\n"
				 "pipe: notify\n";

static void every_setting(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_stream_release_p) struct rv_stream s;

	must_parse(everything, &s);
	assert_string_equal(s.business, "web");
	assert_string_equal(s.name, "clicks");
	assert_int_equal(s.format, RV_FORMAT_CSV);
	assert_int_equal(s.csv.delimiter, ';');
	assert_int_equal(s.csv.quote, '\'');
	assert_false(s.csv.no_header);
	assert_int_equal(s.csv.names_count, 2);
	assert_int_equal(s.csv.nulls_count, 2);
	assert_string_equal(s.csv.nulls[0], "");
	assert_string_equal(s.csv.nulls[1], "N/A");
	assert_int_equal(s.key.count, 1);
	assert_string_equal(s.order_by, "occurred_at");
	assert_int_equal(s.dedup, RV_DEDUP_COLUMNS);
	assert_string_equal(s.dedup_columns.items[1], "price");
	assert_string_equal(s.delete_column, "deleted");
	assert_string_equal(s.delete_equals, "true");
	assert_int_equal(s.layers, RV_LAYER_RAW | RV_LAYER_CLEAN | RV_LAYER_LATEST);
	assert_int_equal(s.columns_count, 8);
	assert_true(s.columns[0].required);
	assert_int_equal(s.columns[0].line, 11);
	assert_string_equal(s.columns[1].timezone, "UTC");
	assert_string_equal(s.columns[2].format, "%d.%m.%Y");
	assert_int_equal(s.columns[3].precision, 18);
	assert_int_equal(s.columns[3].scale, 4);
	assert_string_equal(s.columns[3].from, "payload.price");
	assert_int_equal(s.columns[4].precision, 5);
	assert_int_equal(s.columns[4].scale, 0);
	assert_int_equal(s.columns[7].type, RV_COLUMN_JSON);
	assert_int_equal(s.contract, RV_CONTRACT_REJECT);
	assert_string_equal(s.cluster_by.items[0], "date(occurred_at)");
	assert_string_equal(s.grants_push.items[0], "producer");
	assert_string_equal(s.mask.items[0], "email");
	assert_string_equal(s.retention_warehouse, "3 months");
	assert_int_equal(s.monitor_freshness_ms, 90 * 60000);
	assert_int_equal(s.batch_bytes, 1536 * 1024);
	assert_int_equal(s.batch_records, 5000);
	assert_int_equal(s.batch_age_ms, 250);
	assert_int_equal(s.compression, RV_OUTPUT_GZIP_SMALL);
	assert_int_equal(s.stamp, RV_STAMP_NONE);
	assert_true(s.pipe_notify);
}

static void integers_of_delete_when_are_of_64_bits(void **state RV_UNUSED)
{
	struct rv_stream s;

	must_parse("stream: a\nkey: a\ncolumns: { d: integer }\ndelete_when: { column: d, equals: "
		   "-9223372036854775808 }\n", &s);
	assert_string_equal(s.delete_equals, "-9223372036854775808");
	rv_stream_release(&s);
}

static void what_follows(void **state RV_UNUSED)
{
	struct rv_stream s;

	must_parse("stream: clicks\n", &s);
	assert_string_equal(s.business, "main");
	assert_int_equal(s.layers, RV_LAYER_RAW);
	assert_int_equal(s.columns_count, 0);
	rv_stream_release(&s);

	must_parse("stream: clicks\ncolumns: { a: string }\n", &s);
	assert_int_equal(s.layers, RV_LAYER_RAW | RV_LAYER_CLEAN);
	rv_stream_release(&s);
	/* a key makes all layers, and its columns required strings in front of the others */
	must_parse("stream: clicks\nkey: [id, part]\ncolumns: { n: integer, part: integer }\n", &s);
	assert_int_equal(s.layers, 7);
	assert_int_equal(s.columns_count, 3);
	assert_string_equal(s.columns[0].name, "id");
	assert_int_equal(s.columns[0].type, RV_COLUMN_STRING);
	assert_true(s.columns[0].required);
	assert_false(s.columns[1].required);
	assert_string_equal(s.columns[2].name, "part");
	assert_int_equal(s.columns[2].type, RV_COLUMN_INTEGER);
	assert_true(s.columns[2].required);
	rv_stream_release(&s);

	/* null is absent, one word is a list of one, csv alone says the format */
	must_parse("stream: a\ncolumns: { a: { type: date, format: \"%F %I:%M %%\" }, b: { type: date, format: \"%F %H %p\" },"
		   " c: { type: timestamp, format: \"%d %b %Y %I:%M:%S.%f %p %z\" }, d: { type: timestamp, format: \"%s\" } }\n",
		   &s);
	rv_stream_release(&s);
	must_parse("stream: clicks\nkey: id\norder_by: ~\ncsv: { delimiter: tab, header: [a] }\n", &s);
	assert_null(s.order_by);
	assert_int_equal(s.key.count, 1);
	assert_int_equal(s.format, RV_FORMAT_CSV);
	assert_int_equal(s.csv.delimiter, '\t');
	assert_true(s.csv.no_header);
	assert_int_equal(s.csv.names_count, 1);
	rv_stream_release(&s);

	must_parse("stream: clicks\nkey: id\nlayers: [raw]\ncsv: { quote: none }\n", &s);
	assert_int_equal(s.layers, RV_LAYER_RAW);
	assert_int_equal(s.csv.quote, 0);
	rv_stream_release(&s);
}

struct refusal {
	const char *text;
	int line, column;
	const char *says, *hint; /* hint Optional */
};
/* clang-format off */
static const struct refusal refusals[] = {
	{ "- a\n", 1, 1, "a mapping is expected", NULL },
	{ "key: [a]\n", 1, 1, "stream: the name is missing", "stream: business/name" },
	{ "stream: [a]\n", 1, 9, "stream: the name is missing", NULL },
	{ "stream: Web/clicks\n", 1, 9, "'Web/clicks' is not a stream name", "did you mean web/clicks" },
	{ "stream: river/clicks\n", 1, 9, "business 'river' is reserved", NULL },
	{ "stream: a\norderby: x\n", 2, 1, "unknown key 'orderby'", "did you mean 'order_by'" },
	{ "stream: a\nzzzzzzzzzzzz: x\n", 2, 1, "unknown key 'zzzzzzzzzzzz'", "known here: stream" },
	{ "stream: a\nid: x\n", 2, 1, "unknown key 'id'", NULL },
	{ "stream: a\nformat: cvs\n", 2, 9, "'cvs' is not one of auto, ndjson, json, csv, text", "did you mean 'csv'" },
	{ "stream: a\nformat: [csv]\n", 2, 9, "one value is expected here, not a list", NULL },
	{ "stream: a\nformat: json\ncsv: { quote: none }\n", 3, 6, "csv: the format is json", NULL },
	{ "stream: a\ncsv: tab\n", 2, 6, "csv: a mapping is expected", NULL },
	{ "stream: a\ncsv: { delimeter: ; }\n", 2, 8, "unknown key 'csv.delimeter'", "did you mean 'delimiter'" },
	{ "stream: a\ncsv: { delimiter: ab }\n", 2, 19, "csv.delimiter: 'ab' cannot be used", "one ASCII" },
	{ "stream: a\ncsv: { delimiter: a }\n", 2, 19, "csv.delimiter: 'a' cannot be used", NULL },
	{ "stream: a\ncsv: { delimiter: '\"' }\n", 2, 19, "delimiter and quote are the same", NULL },
	{ "stream: a\ncsv: { header: maybe }\n", 2, 16, "csv.header: 'maybe' is not one of", NULL },
	{ "stream: a\ncsv: { header: [a], names: [b] }\n", 2, 28, "has the names already", NULL },
	{ "stream: a\ncsv: { names: [b, b] }\n", 2, 19, "'b' is there twice", NULL },
	{ "stream: a\ncsv: { null: { a: b } }\n", 2, 14, "csv.null: one value is expected", NULL },
	{ "stream: a\ncsv: { encoding: latin1 }\n", 2, 18, "csv.encoding: 'latin1'", "iconv" },
	{ "stream: a\nkey: { a: b }\n", 2, 6, "key: one value is expected here, not a mapping", NULL },
	{ "stream: a\nkey: [a, a]\n", 2, 10, "key: 'a' is there twice", NULL },
	{ "stream: a\nkey: [Event]\n", 2, 6, "key: 'Event' is not a column name", NULL },
	{ "stream: a\nkey: ['']\n", 2, 7, "key: an item is empty", NULL },
	{ "stream: a\nkey: [a]\ncolumns: { a: json }\n", 2, 6, "key: 'a' is json", NULL },
	{ "stream: a\nkey: a\norder_by: ocurred\ncolumns: { occurred: timestamp }\n", 3, 11, "order_by: there is no column 'ocurred'", "did you mean 'occurred'" },
	{ "stream: a\nkey: a\norder_by: when_it_happened\n", 3, 11, "there is no column 'when_it_happened'", "columns: { when_it_happened: { type: string } }" },
	{ "stream: a\norder_by: b\ncolumns: { b: string }\n", 2, 11, "order_by: has no effect without a key", NULL },
	{ "stream: a\nkey: a\norder_by: b\ncolumns: { b: json }\n", 3, 11, "'b' is a json, which has no useful order", NULL },
	{ "stream: a\nkey: a\ndedup: [b]\n", 3, 8, "dedup: there is no column 'b'", NULL },
	{ "stream: a\ndedup: content\n", 2, 8, "dedup: has no effect without the layer clean", "layers: [raw, clean]" },
	{ "stream: a\nkey: a\ndedup: []\n", 3, 8, "dedup: the list of columns is empty", NULL },
	{ "stream: a\nkey: a\ndelete_when: { column: a }\n", 3, 14, "needs both column and equals", NULL },
	{ "stream: a\nkey: a\ndelete_when: { column: b, equals: x }\n", 3, 14, "delete_when: there is no column 'b'", NULL },
	{ "stream: a\ncolumns: { a: string }\ndelete_when: { column: a, equals: x }\n", 3, 14, "has no effect without a key", NULL },
	{ "stream: a\nkey: a\ncolumns: { d: boolean }\ndelete_when: { column: d, equals: 'yes' }\n", 4, 14, "'yes' is neither true nor false", NULL },
	{ "stream: a\nkey: a\ncolumns: { d: integer }\ndelete_when: { column: d, equals: 1.5 }\n", 4, 14, "'1.5' is not an integer", NULL },
	{ "stream: a\nkey: a\ncolumns: { d: integer }\ndelete_when: { column: d, equals: -9223372036854775809 }\n", 4, 14, "is not an integer", NULL },
	{ "stream: a\nkey: a\ncolumns: { d: double }\ndelete_when: { column: d, equals: 1.5 }\n", 4, 14, "'d' is a double", NULL },
	{ "stream: a\nkey: a\ndelete_when: { colum: a, equals: x }\n", 3, 16, "unknown key 'delete_when.colum'", "did you mean 'column'" },
	{ "stream: a\nlayers: [clean]\ncolumns: { a: string }\n", 2, 9, "layers: raw is missing", NULL },
	{ "stream: a\nkey: a\nlayers: [raw, latest]\n", 3, 9, "layers: clean is missing", NULL },
	{ "stream: a\nlayers: [raw, clean, latest]\ncolumns: { a: string }\n", 2, 9, "latest needs a key", NULL },
	{ "stream: a\nlayers: [raw, clean]\n", 2, 9, "clean needs columns or a key", NULL },
	{ "stream: a\nlayers: [raw, cleen]\n", 2, 15, "'cleen' is not one of raw, clean, latest", "did you mean 'clean'" },
	{ "stream: a\ncolumns: x\n", 2, 10, "columns: a mapping is expected", NULL },
	{ "stream: a\ncolumns: { Price: string }\n", 2, 12, "columns: 'Price' is not a column name", "from" },
	{ "stream: a\ncolumns: { file_name: string }\n", 2, 12, "the column name 'file_name' is river's own", "from: file_name" },
	{ "stream: a\ncolumns: { _river_id: string }\n", 2, 12, "is river's own", NULL },
	{ "stream: a\ncolumns: { a: { } }\n", 2, 15, "columns.a: the type is missing", NULL },
	{ "stream: a\ncolumns: { a: { type: string, requird: true } }\n", 2, 31, "unknown key 'columns.a.requird'", "did you mean 'required'" },
	{ "stream: a\ncolumns: { a: { name: b, type: string } }\n", 2, 15, "named by its key already", NULL },
	{ "stream: a\ncolumns: [ { type: string } ]\n", 2, 12, "a column has no name", NULL },
	{ "stream: a\ncolumns: { a: sting }\n", 2, 15, "columns.a: 'sting' is not a type", "did you mean string" },
	{ "stream: a\ncolumns: { a: bigint }\n", 2, 15, "'bigint' is not a type", "did you mean integer" },
	{ "stream: a\ncolumns: { a: decimal }\n", 2, 15, "'decimal' is not a type", "decimal(18,4)" },
	{ "stream: a\ncolumns: { a: \"decimal(39,2)\" }\n", 2, 15, "a decimal has 1 to 38 digits, not 39", NULL },
	{ "stream: a\ncolumns: { a: decimal(0) }\n", 2, 15, "a decimal has 1 to 38 digits, not 0", NULL },
	{ "stream: a\ncolumns: { a: \"decimal(4,5)\" }\n", 2, 15, "5 digits behind the point are more than 4", NULL },
	{ "stream: a\ncolumns: { a: \"decimal(4,-1)\" }\n", 2, 15, "is not a type", NULL },
	{ "stream: a\ncolumns: { a: \"decimal(4,2)x\" }\n", 2, 15, "is not a type", NULL },
	{ "stream: a\ncolumns: { a: { type: string, from: a..b } }\n", 2, 37, "columns.a.from: ", "JSON Pointer" },
	{ "stream: a\ncolumns: { a: { type: string, from: /a~2b } }\n", 2, 37, "columns.a.from: ", NULL },
	{ "stream: a\ncolumns: { a: { type: string, required: 1 } }\n", 2, 41, "'1' is not one of false, true", NULL },
	{ "stream: a\ncolumns: { a: { type: string, format: \"%Y\" } }\n", 2, 39, "is for date and timestamp columns", NULL },
	{ "stream: a\ncolumns: { a: { type: date, format: \"%Q\" } }\n", 2, 37, "%Q is not a directive", "%Y" },
	{ "stream: a\ncolumns: { a: { type: date, format: \"%Y-%\" } }\n", 2, 37, "is not a directive", NULL },
	{ "stream: a\ncolumns: { a: { type: timestamp, format: \"%F %H:%M %p\" } }\n", 2, 42, "columns.a.format: %p says nothing without %I", "%H is one from 0 to 23" },
	{ "stream: a\ncolumns: { a: { type: timestamp, format: \"%F %I:%M\" } }\n", 2, 42, "columns.a.format: %I without %p is the hour of a morning or an afternoon", "needs %p, am or pm" },
	{ "stream: a\ncolumns: { a: { type: timestamp, format: \"%F %T %H\" } }\n", 2, 42, "columns.a.format: %T and %H say the same part", NULL },
	{ "stream: a\ncolumns: { a: { type: timestamp, format: \"%s.%f\" } }\n", 2, 42, "columns.a.format: %s and %f say the same part", NULL },
	{ "stream: a\ncolumns: { a: { type: timestamp, format: \"%I %p %F %H\" } }\n", 2, 42, "columns.a.format: %I and %H say the same part", NULL },
	{ "stream: a\ncolumns: { a: { type: date, format: \"%Y %y-%m-%d\" } }\n", 2, 37, "columns.a.format: %Y and %y say the same part", NULL },
	{ "stream: a\ncolumns: { a: { type: date, format: \"%Y-%m-%d %j\" } }\n", 2, 37, "columns.a.format: %m and %j say the same part", NULL },
	{ "stream: a\ncolumns: { a: { type: date, format: \"%b %F\" } }\n", 2, 37, "columns.a.format: %b and %F say the same part", NULL },
	{ "stream: a\ncolumns: { a: { type: date, format: \"%d.%m.%Y %e\" } }\n", 2, 37, "columns.a.format: %d and %e say the same part", NULL },
	{ "stream: a\ncolumns: { a: { type: date, format: iso } }\n", 2, 37, "columns.a.format: 'iso' has no % directive", "%Y %y" },
	{ "stream: a\ncolumns: { a: { type: date, format: epoch } }\n", 2, 37, "'epoch' has no % directive", "epoch_ms" },
	{ "stream: a\ncolumns: { a: { type: date, timezone: UTC } }\n", 2, 39, "is for timestamp columns", NULL },
	{ "stream: a\ncolumns: { a: { type: timestamp, timezone: Europe/Rome } }\n", 2, 44, "neither UTC nor an offset", "+02:00" },
	{ "stream: a\ncolumns: { a: { type: timestamp, timezone: \"+15:00\" } }\n", 2, 44, "neither UTC nor an offset", NULL },
	{ "stream: a\ncontract: strict\n", 2, 11, "'strict' is not one of evolve, reject", NULL },
	{ "stream: a\ncontract: reject\n", 2, 11, "contract: reject needs declared columns", NULL },
	{ "stream: a\nkey: a\ncluster_by: [day(a)]\n", 3, 13, "there is no column 'day(a)'", NULL },
	{ "stream: a\nkey: a\ncluster_by: [date(a)]\n", 3, 13, "date() works on times, but 'a' is a string", NULL },
	{ "stream: a\nkey: a\ncluster_by: [\"date(a\"]\n", 3, 13, "is not closed", NULL },
	{ "stream: a\ncolumns: { d: date }\ncluster_by: [hour(d)]\n", 3, 13, "hour() works on times, but 'd' is a date", NULL },
	{ "stream: a\ncolumns: { d: json }\ncluster_by: [d]\n", 3, 13, "'d' is json", NULL },
	{ "stream: a\ngrants: { write: [x] }\n", 2, 11, "unknown key 'grants.write'", NULL },
	{ "stream: a\ngrants: { read: [\"x y\"] }\n", 2, 17, "grants.read: 'x y' is not a role name", "'\"my-role\"'" },
	{ "stream: a\ngrants: { push: ['\"a\"b\"'] }\n", 2, 17, "grants.push: '\"a\"b\"' is not a role name", NULL },
	{ "stream: a\ngrants: { push: ['\"a\"\"'] }\n", 2, 17, "grants.push: '\"a\"\"' is not a role name", NULL },
	{ "stream: a\ngrants: { admin: ['\"\"'] }\n", 2, 18, "grants.admin: '\"\"' is not a role name", NULL },
	{ "stream: a\nmask: [email]\n", 2, 7, "mask: there is no column 'email'", NULL },
	{ "stream: a\nretention: { warehouse: 3 }\n", 2, 25, "'3' is not a time to keep", "3 months" },
	{ "stream: a\nretention: { warehouse: 0 days }\n", 2, 25, "'0 days' is not a time to keep", NULL },
	{ "stream: a\nretention: { warehouse: 3 moons }\n", 2, 25, "'3 moons' is not a time to keep", NULL },
	{ "stream: a\nmonitor: { freshness: soon }\n", 2, 23, "'soon' is not a duration", "15m" },
	{ "stream: a\nmonitor: { freshness: 0s }\n", 2, 23, "must be more than 0", NULL },
	{ "stream: a\nbatch: { size: big }\n", 2, 16, "batch.size: 'big' is not a size", "64MiB" },
	{ "stream: a\nbatch: { size: 0 }\n", 2, 16, "must be more than 0 and at most 5GiB", NULL },
	{ "stream: a\nbatch: { size: 6GiB }\n", 2, 16, "must be more than 0 and at most 5GiB", NULL },
	{ "stream: a\nbatch: { records: -1 }\n", 2, 19, "batch.records: '-1' is not a number", NULL },
	{ "stream: a\nbatch: { records: 9223372036854775808 }\n", 2, 19,
	  "batch.records: '9223372036854775808' is not a number", NULL },
	{ "stream: a\nbatch: { age: 2d }\n", 2, 15, "at most 1 days, not 2d", NULL },
	{ "stream: a\ncompression: zst\n", 2, 14, "'zst' is not one of", "did you mean 'zstd'" },
	{ "stream: a\ncolumns:\n  ok: string\n  InvoiceNo: string\n", 4, 3, "columns: 'InvoiceNo' is not a column name",
	  "write invoice_no: { type: string, from: InvoiceNo }" },
	{ "stream: a\ncolumns:\n  'Unit Price': 'decimal(9,2)'\n  customerID: integer\n  HTTPCode:\n  9.a: date\n", 3, 3,
	  "'Unit Price', 'customerID', 'HTTPCode', '9.a' are not column names",
	  "write unit_price: { type: \"decimal(9,2)\", from: \"Unit Price\" }, customer_id: { type: integer, from: "
	  "customerID }, http_code: { type: string, from: HTTPCode }, _9_a: { type: date, from: \"/9.a\" }" },
	{ "stream: a\ncolumns: { '%%%': date }\n", 2, 12, "'%%%' is not a column name", "lower case letters" },
	{ "stream: a\ncolumns: { a: decimal(40,2) }\n", 2, 15, "'decimal(40' is not a type", "quote the type" },
	{ "stream: a\ncolumns: { a: { type: decimal(9,2), required: true } }\n", 2, 23, "'decimal(9' is not a type", "quote the type" },
	{ "stream: a\nstamp: yes\n", 2, 8, "'yes' is not one of none, id, full", NULL },
	{ "stream: a\npipe: manual\n", 2, 7, "'manual' is not one of auto, notify", NULL },
};
/* clang-format on */

static void refusals_name_their_place(void **state RV_UNUSED)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		const struct refusal *r = &refusals[i];
		struct rv_error err = RV_ERROR_INIT;
		struct rv_stream s;

		if (parse(r->text, &s, &err) != RV_BAD_CONFIG)
			fail_msg("taken: %s", r->text);
		if (!strstr(err.message, r->says) || (r->hint && !strstr(err.hint, r->hint)) ||
		    (int)err.line != r->line || (int)err.column != r->column)
			fail_msg("%s\nwanted %d:%d %s (%s)\ngot %d:%d %s (%s)", r->text, r->line, r->column,
				 r->says, r->hint ? r->hint : "", (int)err.line, (int)err.column, err.message,
				 err.hint);
		assert_string_equal(err.file, "s.yaml");
		assert_string_equal(s.business, "");
		rv_stream_release(&s);
	}
}

static void duplicate_columns_are_refused_in_lists(void **state RV_UNUSED)
{
	struct rv_error err = RV_ERROR_INIT;
	struct rv_stream s;

	assert_int_equal(parse("stream: a\ncolumns:\n- { name: b, type: json }\n- { name: b, type: json }\n",
			       &s, &err),
			 RV_BAD_CONFIG);
	assert_non_null(strstr(err.message, "'b' is there twice"));
	assert_int_equal(err.line, 4);
}

static char *json_text(const struct rv_stream *s)
{
	json_t *json = rv_definition_json(s);
	char *text = json_dumps(json, JSON_COMPACT);

	json_decref(json);
	return text;
}

static void both_texts_bring_back_the_same(void **state RV_UNUSED)
{
	static const char *const texts[] = {
		everything,
		"stream: clicks\n",
		"stream: clicks\nkey: id\n",
		"stream: a/b\nkey: id\nlayers: raw\ndedup: none\n",
		"stream: a/b\nkey: id\ndedup: content\nbatch: { size: 1000, age: 1d }\n",
		"stream: a/b\nkey: id\ncolumns: { t: { type: timestamp, format: \"%d.%m. %H:%M\", "
		"timezone: '-03:30' } }\ncsv: { header: false, delimiter: tab, quote: none }\n",
		"stream: a/b\ncsv: { header: true }\n",
		"stream: a/b\ncsv: { delimiter: ',' }\n",
		"stream: a/b\nkey: id\ndelete_when: { column: id, equals: 'null' }\n",
		"stream: a/b\nkey: id\ndelete_when: { column: id, equals: \"a \\\"b\\\" \\u00e9\\n\" }\n",
		"stream: a/b\ncolumns: { on: { type: string, from: 'a b: c' } }\n",
		"stream: a/b\ngrants: { read: ['\"my-role\"', r1], admin: ['\"a\"\"b\"'] }\n",
		/* YAML takes these only escaped, or takes them for line ends; and some next to them */
		"stream: a/b\nkey: id\ndelete_when: { column: id, equals: \"\\x7f \\x80\\x85\\x9e\\x9f\\xa0 "
		"\\u2027\\u2028\\u2029\\u202a \\ufeff \\ufffd \\U0001F600\" }\n",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf yaml = RV_STRBUF_INIT;
		struct rv_error err = RV_ERROR_INIT;
		struct rv_stream a, b, c;

		must_parse(texts[i], &a);
		char *json_a = json_text(&a);
		rv_definition_yaml(&a, &yaml);
		must_parse(yaml.bytes, &b);
		char *json_b = json_text(&b);
		assert_string_equal(json_a, json_b);
		assert_int_equal(rv_definition_diff(&a, &b, NULL, NULL), 0);

		memcpy(a.id, "01arz3ndektsv4rrffq69g5fav", RV_ULID_TEXT);
		memcpy(a.nonce, "01arz3ndektsv4rrffq69g5faw", RV_ULID_TEXT);
		memcpy(a.since, "dt=2026-11-20/hr=14", 20);
		a.created_ms = 1795193931123;
		char *full = json_text(&a);
		rv_stream_init(&c);
		assert_int_equal(rv_definition_from_json("o", full, strlen(full), &c, &err), RV_OK);
		char *again = json_text(&c);
		assert_string_equal(full, again);
		assert_int_equal(c.created_ms, 1795193931123);
		free(json_a);
		free(json_b);
		free(full);
		free(again);
		rv_stream_release(&a);
		rv_stream_release(&b);
		rv_stream_release(&c);
	}
}

/* What version 1 looks like for ever: streams of today's lakes are read by every later river. */
static void golden_copy(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_stream_release_p) struct rv_stream s;
	RV_CLEANUP(rv_stream_release_p) struct rv_stream from_yaml;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	RV_CLEANUP(rv_free_p)
	char *path = rv_path_join(getenv("RIVER_SOURCE") ? getenv("RIVER_SOURCE") : ".",
				  "tests/data/definition-v1.json");
	struct rv_error err = RV_ERROR_INIT;

	rv_stream_init(&s);
	assert_int_equal(rv_read_file(path, 1 << 20, &text, &err), RV_OK);
	if (rv_definition_from_json("golden", text.bytes, text.len, &s, &err) != RV_OK)
		fail_msg("%s", err.message);
	RV_CLEANUP(rv_free_p) char *again = json_text(&s);
	assert_int_equal(text.bytes[text.len - 1], '\n');
	text.bytes[text.len - 1] = '\0';
	assert_string_equal(again, text.bytes);
	must_parse(everything, &from_yaml);
	assert_int_equal(s.stamp, RV_STAMP_ID);
	assert_int_equal(from_yaml.stamp, RV_STAMP_NONE);
	from_yaml.stamp = RV_STAMP_ID;
	assert_int_equal(rv_definition_diff(&s, &from_yaml, NULL, NULL), 0);
}

/* Version 1 wrote the comma that nobody had asked for as well. */
static void a_comma_asked_for_is_another_than_none(void **state RV_UNUSED)
{
#define FORM(v, csv)                                                                               \
	"{\"v\":" v ",\"stream\":\"a/b\",\"id\":\"01arz3ndektsv4rrffq69g5fav\","                     \
	"\"created\":\"2026-11-20T16:58:51.123Z\",\"creator\":\"01arz3ndektsv4rrffq69g5faw\","       \
	"\"format\":\"csv\",\"csv\":{" csv "}}"
	static const struct {
		const char *text, *delimiter, *v;
		bool given;
	} cases[] = {
		{ FORM("1", "\"delimiter\":\",\""), NULL, "\"v\":1,", false },
		{ FORM("1", "\"delimiter\":\"tab\""), "\"delimiter\":\"tab\"", "\"v\":1,", true },
		{ FORM("1", "\"header\":true"), NULL, "\"v\":1,", false },
		{ FORM("2", "\"header\":true"), NULL, "\"v\":1,", false },
		{ FORM("2", "\"delimiter\":\",\""), "\"delimiter\":\",\"", "\"v\":2,", true },
	};
	struct rv_stream given, unset;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		RV_CLEANUP(rv_stream_release_p) struct rv_stream s;
		struct rv_error err = RV_ERROR_INIT;

		rv_stream_init(&s);
		if (rv_definition_from_json("o", cases[i].text, strlen(cases[i].text), &s, &err) != RV_OK)
			fail_msg("%s", err.message);
		assert_int_equal(s.csv.delimiter_given, cases[i].given);
		RV_CLEANUP(rv_free_p) char *text = json_text(&s);
		assert_non_null(strstr(text, cases[i].v));
		assert_non_null(strstr(text, cases[i].delimiter ? cases[i].delimiter : "\"csv\":{\"quote\""));
	}
	must_parse("stream: a/b\ncsv: { delimiter: ',' }\n", &given);
	must_parse("stream: a/b\nformat: csv\n", &unset);
	assert_true(given.csv.delimiter_given);
	assert_false(unset.csv.delimiter_given);
	assert_int_equal(rv_definition_diff(&unset, &given, NULL, NULL), 1);
	rv_stream_release(&given);
	rv_stream_release(&unset);
#undef FORM
}

static void damaged_and_newer_json(void **state RV_UNUSED)
{
#define IDS "\"id\":\"01arz3ndektsv4rrffq69g5fav\",\"created\":\"2026-11-20T16:58:51.123Z\","           \
	    "\"creator\":\"01arz3ndektsv4rrffq69g5faw\""
	static const struct {
		const char *text;
		enum rv_status status;
		const char *says;
	} cases[] = {
		{ "", RV_DAMAGED, "is not JSON" },
		{ "{\"v\":1", RV_DAMAGED, "is not JSON" },
		{ "{\"v\":1,\"v\":1}", RV_DAMAGED, "is not JSON" },
		{ "[]", RV_BAD_CONFIG, "a mapping is expected" },
		{ "{}", RV_BAD_CONFIG, "v: the version" },
		{ "{\"v\":\"x\"}", RV_BAD_CONFIG, "v: the version" },
		{ "{\"v\":1,\"stream\":\"a/b\"," IDS ",\"columns\":[{\"name\":\"a\",\"type\":\"timestamp\","
		  "\"format\":\"%F %H:%M %p\"}]}", RV_OK, "" },
		{ "{\"v\":3,\"stream\":\"a/b\",\"new\":1}", RV_BAD_CONFIG, "has version 3, this river knows up to 2" },
		{ "{\"v\":1,\"stream\":\"a/b\"}", RV_BAD_CONFIG, "id: is missing" },
		{ "{\"v\":1,\"stream\":\"a/b\",\"id\":\"x\"}", RV_BAD_CONFIG, "id: is missing" },
		{ "{\"v\":1,\"stream\":\"a/b\",\"id\":\"01arz3ndektsv4rrffq69g5fav\"}", RV_BAD_CONFIG, "created: is missing" },
		{ "{\"v\":1,\"stream\":\"a/b\",\"id\":\"01arz3ndektsv4rrffq69g5fav\",\"created\":\"2026-11-20T16:58:51.123Z\"}",
		  RV_BAD_CONFIG, "creator: is missing" },
		{ "{\"v\":1,\"stream\":\"a/b\"," IDS ",\"since\":\"x\"}", RV_BAD_CONFIG, "since: is not" },
		{ "{\"v\":1,\"stream\":\"a/b\"," IDS ",\"colour\":\"x\"}", RV_BAD_CONFIG, "unknown key 'colour'" },
		{ "{\"v\":1,\"stream\":\"a/b\"," IDS "}", RV_OK, "" },
	};
#undef IDS

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rv_error err = RV_ERROR_INIT;
		struct rv_stream s;

		rv_stream_init(&s);
		enum rv_status status = rv_definition_from_json("_river/streams/a/b.json", cases[i].text,
								strlen(cases[i].text), &s, &err);
		if (status != cases[i].status || !strstr(err.message, cases[i].says))
			fail_msg("%s: %s %s", cases[i].text, rv_status_name(status), err.message);
		rv_stream_release(&s);
	}
}

static void add_difference(void *arg, const char *key, const char *from, const char *to)
{
	rv_strbuf_printf(arg, "%s: %s -> %s\n", key, from ? from : "-", to ? to : "-");
}

static void differences(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_stream_release_p) struct rv_stream a;
	RV_CLEANUP(rv_stream_release_p) struct rv_stream b;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;

	must_parse("stream: a\nkey: id\nmask: [m]\ncolumns: { m: string, n: integer }\n", &a);
	must_parse("stream: a\nkey: [id, n]\nlayers: [raw, clean]\nbatch: { size: 1MiB }\n"
		   "columns: { n: integer, m: string, o: json }\nretention: { warehouse: 1 day }\n", &b);
	assert_int_equal(rv_definition_diff(&a, &b, add_difference, &text), 7);
	assert_string_equal(text.bytes,
			    "key: [id] -> [id, n]\n"
			    "layers: [raw, clean, latest] -> [raw, clean]\n"
			    "columns.n: { type: integer } -> { type: integer, required: true }\n"
			    "mask: [m] -> -\n"
			    "batch.size: 64MiB -> 1MiB\n"
			    "columns.o: - -> { type: json }\n"
			    "retention.warehouse: - -> \"1 day\"\n");
}

static void what_makes_tables_again(void **state RV_UNUSED)
{
	static const char base[] = "stream: a\nkey: id\norder_by: t\n"
				   "columns: { t: timestamp, n: integer }\n";
	static const struct {
		const char *text;
		bool rebuilds;
	} cases[] = {
		{ "stream: a\nkey: id\norder_by: t\ncolumns: { n: integer, t: timestamp }\n", false },
		{ "stream: a\nkey: id\norder_by: t\ncolumns: { t: timestamp, n: integer, o: json }\n", false },
		{ "stream: a\nkey: id\norder_by: t\ncolumns: { t: timestamp, n: integer, o: { type: json, "
		  "required: true } }\n", true },
		{ "stream: a\nkey: id\norder_by: t\ncolumns: { t: timestamp, n: integer }\n"
		  "batch: { age: 1s }\ncompression: gzip\n", false },
		{ "stream: a\nkey: [id, n]\norder_by: t\ncolumns: { t: timestamp, n: integer }\n", true },
		{ "stream: a\nkey: id\ncolumns: { t: timestamp, n: integer }\n", true },
		{ "stream: a\nkey: id\norder_by: t\ncolumns: { t: timestamp, n: string }\n", true },
		{ "stream: a\nkey: id\norder_by: t\ncolumns: { t: timestamp }\n", true },
		{ "stream: a\nkey: id\norder_by: t\ndedup: content\ncolumns: { t: timestamp, n: integer }\n", true },
		{ "stream: a\nkey: id\norder_by: t\ncontract: reject\ncolumns: { t: timestamp, n: integer }\n", true },
	};
	RV_CLEANUP(rv_stream_release_p) struct rv_stream from;

	must_parse(base, &from);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		RV_CLEANUP(rv_stream_release_p) struct rv_stream to;

		must_parse(cases[i].text, &to);
		if (rv_definition_rebuilds(&from, &to) != cases[i].rebuilds)
			fail_msg("%s", cases[i].text);
	}
}

static void columns_as_flags(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_definition_node_free_p)
	struct rv_yaml_node *root = rv_definition_node(RV_YAML_MAPPING);
	struct rv_yaml_node *columns = rv_definition_node(RV_YAML_MAPPING);
	RV_CLEANUP(rv_stream_release_p) struct rv_stream s;
	struct rv_error err = RV_ERROR_INIT;

	rv_definition_put(root, "stream", rv_definition_scalar("web/clicks"));
	rv_definition_put(root, "columns", columns);
	assert_int_equal(rv_definition_put_column(columns, "n=integer", &err), RV_OK);
	assert_int_equal(rv_definition_put_column(
				 columns, "price=decimal(18, 4) from payload.price required", &err), RV_OK);
	assert_int_equal(rv_definition_put_column(
				 columns, "t=timestamp format %d.%m.%Y %H:%M timezone +02:00", &err), RV_OK);
	rv_stream_init(&s);
	assert_int_equal(rv_definition_parse(NULL, root, &s, &err), RV_OK);
	assert_int_equal(s.columns_count, 3);
	assert_int_equal(s.columns[1].scale, 4);
	assert_true(s.columns[1].required);
	assert_string_equal(s.columns[1].from, "payload.price");
	assert_string_equal(s.columns[2].format, "%d.%m.%Y %H:%M");
	assert_string_equal(s.columns[2].timezone, "+02:00");

	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "n=integer", "--column n is given twice" },
		{ "x", "--column 'x' has no type" },
		{ "=string", "has no type" },
		{ "x=string from", "--column x: from has no value" },
		{ "x=string form y", "'form' is not understood" },
		{ "x=string from y from z", "from is given twice" },
		{ "x=timestamp format required", "format has no value" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(rv_definition_put_column(columns, cases[i].text, &err), RV_USAGE);
		assert_non_null(strstr(err.message, cases[i].says));
	}

	/* what a flag says wrong is the command line's fault */
	assert_int_equal(rv_definition_put_column(columns, "y=sting", &err), RV_OK);
	assert_int_equal(rv_definition_parse(NULL, root, &s, &err), RV_USAGE);
	assert_string_equal(err.message, "columns.y: 'sting' is not a type");
	assert_string_equal(err.file, "");
	assert_int_equal(s.columns_count, 3); /* untouched */
}

static void flags_are_utf8(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_definition_node_free_p)
	struct rv_yaml_node *root = rv_definition_node(RV_YAML_MAPPING);
	RV_CLEANUP(rv_stream_release_p) struct rv_stream s;
	struct rv_error err = RV_ERROR_INIT;

	rv_stream_init(&s);
	rv_definition_put(root, "stream", rv_definition_scalar("a"));
	rv_definition_put(root, "order_by", rv_definition_scalar("\377"));
	assert_int_equal(rv_definition_parse(NULL, root, &s, &err), RV_USAGE);
	assert_non_null(strstr(err.message, "is not UTF-8"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_setting),
		cmocka_unit_test(integers_of_delete_when_are_of_64_bits),
		cmocka_unit_test(what_follows),
		cmocka_unit_test(refusals_name_their_place),
		cmocka_unit_test(duplicate_columns_are_refused_in_lists),
		cmocka_unit_test(both_texts_bring_back_the_same),
		cmocka_unit_test(golden_copy),
		cmocka_unit_test(a_comma_asked_for_is_another_than_none),
		cmocka_unit_test(damaged_and_newer_json),
		cmocka_unit_test(differences),
		cmocka_unit_test(what_makes_tables_again),
		cmocka_unit_test(columns_as_flags),
		cmocka_unit_test(flags_are_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The statements of the Snowflake warehouse against golden copies, one statement a file; what changes
 * a shape and what does not. RIVER_GOLDEN=write makes the copies anew: then read the difference. */
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
#include "warehouse/snowflake_contract.h"
#include "warehouse/snowflake_ddl.h"

static const struct rv_snowflake_warehouse plain = {
	.params = {
		.database = "RIVER",
		.warehouse = "LOAD_WH",
		.bucket = "acme-lake",
		.lake_prefix = "river",
		.storage_integration = "RIVER_S3",
		.storage_role_arn = "arn:aws:iam::123456789012:role/snowflake",
		.makes_roles = true,
	},
};
static const struct rv_snowflake_warehouse odd = {
	.params = {
		.database = "my \"odd\" db",
		.warehouse = "load wh",
		.role = "Loader",
		.bucket = "acme-lake",
		.lake_prefix = "",
		.stage = "\"ETL\".\"PUBLIC\".\"LAKE\"",
		.sns_topic = "arn:aws:sns:eu-west-1:123456789012:landed",
	},
};

static const char clicks[] =
	"stream: web/clicks\n"
	"key: [event_id]\n"
	"order_by: occurred_at\n"
	"delete_when: { column: deleted, equals: true }\n"
	"columns:\n"
	"  event_id: { type: string, required: true }\n"
	"  occurred_at: { type: timestamp, timezone: UTC }\n"
	"  price: { type: 'decimal(18,4)', from: payload.price }\n"
	"  visits: { type: integer, required: true }\n"
	"  score: { type: double }\n"
	"  deleted: { type: boolean }\n"
	"  day: { type: date }\n"
	"  payload: { type: json, required: true }\n"
	"  email: { type: string }\n"
	"cluster_by: [date(occurred_at), hour(occurred_at), visits]\n"
	"grants: { read: [analyst], push: [producer], admin: [platform] }\n"
	"mask: [email, price]\n"
	"monitor: { freshness: 15m }\n";
/* retention: latest by tasks; every format of a time; a strict contract */
static const char orders[] =
	"stream: shop/orders\n"
	"key: [id, part]\n"
	"order_by: changed\n"
	"delete_when: { column: state, equals: \"it's gone\" }\n"
	"columns:\n"
	"  id: { type: integer }\n"
	"  part: { type: string, from: /lines/0/part~1no }\n"
	"  state: { type: string }\n"
	"  changed: { type: timestamp, format: epoch_ms }\n"
	"  seen: { type: timestamp, format: '%d.%m.%Y %H:%M', timezone: '+02:00' }\n"
	"  heard: { type: timestamp, format: '%b %e %y, %I:%M:%S.%f %p %z' }\n"
	"  counted: { type: timestamp, format: '%s' }\n"
	"  dated: { type: date, format: '%Y%j [100%%]' }\n"
	"  due: { type: date, format: epoch_s }\n"
	"dedup: [id, part, seen]\n"
	"contract: reject\n"
	"stamp: id\n"
	"retention: { warehouse: 3 months }\n"
	"monitor: { freshness: 90s }\n"
	"pipe: notify\n";
/* names that are words of SQL, raw alone, kept for a while */
static const char table[] = "stream: select/table\n"
			    "columns: { order: { type: string }, group: { type: 'decimal(38,37)' } }\n"
			    "layers: [raw]\n"
			    "cluster_by: [order]\n"
			    "retention: { warehouse: 1 year }\n";
/* clean without key; by stamps */
static const char stamped[] = "stream: main/stamped\n"
			      "columns: { a: { type: string, from: x.y } }\n"
			      "stamp: id\n";
static const char content[] = "stream: main/content\n"
			      "columns: { a: { type: boolean } }\n"
			      "dedup: content\n"
			      "stamp: id\n";

static void must_parse(const char *text, struct rv_stream *ret)
{
	struct rv_yaml_documents documents;
	struct rv_error err = RV_ERROR_INIT;

	rv_stream_init(ret);
	if (rv_yaml_parse("s.yaml", text, strlen(text), &documents, &err) != RV_OK ||
	    rv_definition_parse("s.yaml", documents.roots[0], ret, &err) != RV_OK)
		fail_msg("%s\nline %d: %s (%s)", text, (int)err.line, err.message, err.hint);
	rv_yaml_release(&documents);
	snprintf(ret->id, sizeof(ret->id), "01JCQ8Z5T0AAAAAAAAAAAAAAAA");
}

static void is_golden(const char *name, const char *text)
{
	RV_CLEANUP(rv_free_p) char *path = rv_asprintf("tests/data/snowflake/%s.sql", name);
	RV_CLEANUP(rv_free_p) char *now = rv_asprintf("%s\n", text);
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf golden = RV_STRBUF_INIT;
	struct rv_error err = RV_ERROR_INIT;

	if (getenv("RIVER_GOLDEN")) {
		FILE *file = fopen(path, "w");

		assert_non_null(file);
		assert_true(fputs(now, file) >= 0);
		assert_int_equal(fclose(file), 0);
		return;
	}
	if (rv_read_file(path, 1 << 20, &golden, &err) != RV_OK)
		fail_msg("%s", err.message);
	if (strcmp(golden.bytes, now) != 0)
		fail_msg("%s is not what is made now:\n%s", path, now);
}

static void text_is_golden(const char *scenario, const char *what, struct snow_text *text)
{
	RV_CLEANUP(rv_free_p) char *name = rv_asprintf("%s-%s", scenario, what);
	RV_CLEANUP(rv_free_p) char *again = rv_asprintf("%s-%s-again", scenario, what);

	is_golden(name, text->create);
	if (text->replace)
		is_golden(again, text->replace);
	assert_true(strlen(text->comment) > 20);
	snow_text_release(text);
}

static void add_statement(void *arg, const char *sql)
{
	struct rv_strbuf *all = arg;

	rv_strbuf_printf(all, "%s%s", all->len ? ";\n" : "", sql);
}

static void stream_is_golden(const char *scenario, const struct rv_snowflake_warehouse *w,
			     const char *definition)
{
	static const char *const names[SNOW_OBJECTS] = {
		[SNOW_RAW] = "raw",	    [SNOW_CLEAN] = "clean",   [SNOW_LATEST] = "latest",
		[SNOW_REFUSED] = "refused", [SNOW_NEWEST] = "newest", [SNOW_PIPE] = "pipe",
		[SNOW_NEW] = "new",	    [SNOW_MERGE] = "merge",   [SNOW_RETAIN] = "retain",
	};
	RV_CLEANUP(rv_stream_release_p) struct rv_stream stream;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	RV_CLEANUP(rv_free_p) char *name = NULL;
	struct snow_text text;

	must_parse(definition, &stream);
	snow_text_schema(w, &stream, &text);
	text_is_golden(scenario, "schema", &text);
	for (int i = 0; i < SNOW_OBJECTS; i++) {
		if (!snow_wants(&stream, (enum snow_object)i))
			continue;
		snow_text_object(w, &stream, (enum snow_object)i, &text);
		text_is_golden(scenario, names[i], &text);
	}
	snow_add_copy(&sql, w, &stream);
	rv_strbuf_puts(&sql, "\n  FILES = ('dt=2026-11-20/hr=14/a.ndjson.zst')\n  ON_ERROR = CONTINUE");
	name = rv_asprintf("%s-copy", scenario);
	is_golden(name, sql.bytes);
	rv_strbuf_clear(&sql);
	free(name);
	snow_add_ledger_fill(&sql, w, &stream);
	name = rv_asprintf("%s-ledger-fill", scenario);
	is_golden(name, sql.bytes);
}

static void test_own(void **state RV_UNUSED)
{
	struct snow_text text;

	snow_text_database(&plain, &text);
	text_is_golden("own", "database", &text);
	snow_text_house(&plain, &text);
	text_is_golden("own", "house", &text);
	snow_text_integration(&plain, &text);
	text_is_golden("own", "integration", &text);
	snow_text_stage(&plain, &text);
	text_is_golden("own", "stage", &text);
	snow_text_format(&plain, &text);
	text_is_golden("own", "format", &text);
	snow_text_ledger(&plain, &text);
	text_is_golden("own", "ledger", &text);
}

static void test_streams(void **state RV_UNUSED)
{
	stream_is_golden("clicks", &plain, clicks);
	stream_is_golden("orders", &odd, orders);
	stream_is_golden("table", &odd, table);
	stream_is_golden("stamped", &plain, stamped);
	stream_is_golden("content", &plain, content);
}

static void test_policies(void **state RV_UNUSED)
{
	static const struct {
		const char *name;
		struct rv_column column;
	} columns[] = {
		{ "mask-varchar", { .type = RV_COLUMN_STRING } },
		{ "mask-number", { .type = RV_COLUMN_DECIMAL, .precision = 18, .scale = 4 } },
		{ "mask-timestamp", { .type = RV_COLUMN_TIMESTAMP } },
		{ "mask-variant", { .type = RV_COLUMN_JSON } },
	};
	struct snow_text text;

	for (size_t i = 0; i < sizeof(columns) / sizeof(*columns); i++) {
		snow_text_policy(&plain, &columns[i].column, &text);
		text_is_golden("own", columns[i].name, &text);
	}
	snow_text_policy(&odd, &columns[0].column, &text);
	text_is_golden("own", "mask-varchar-one-role", &text);
}

static void test_refresh(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_stream_release_p) struct rv_stream stream;
	RV_CLEANUP(rv_stream_release_p) struct rv_stream merged;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf all = RV_STRBUF_INIT;

	must_parse(clicks, &stream);
	snow_refresh(&plain, &stream, add_statement, &all);
	is_golden("clicks-refresh", all.bytes);
	must_parse(orders, &merged);
	rv_strbuf_clear(&all);
	snow_add_merge(&all, &odd, &merged, SNOW_RAW);
	is_golden("orders-merge-all", all.bytes);
}

/* What is altered is not made again; what rows depend on is. */
static void test_shapes(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_stream_release_p) struct rv_stream stream;
	struct snow_text before, after;

	must_parse(clicks, &stream);
	snow_text_object(&plain, &stream, SNOW_CLEAN, &before);
	stream.monitor_freshness_ms *= 2;
	snow_text_object(&plain, &stream, SNOW_CLEAN, &after);
	assert_string_equal(before.shape, after.shape);
	assert_string_not_equal(before.create, after.create);
	snow_text_release(&after);
	stream.columns[2].scale = 3;
	snow_text_object(&plain, &stream, SNOW_CLEAN, &after);
	assert_string_not_equal(before.shape, after.shape);
	snow_text_release(&after);
	snow_text_release(&before);
	snow_text_object(&plain, &stream, SNOW_RAW, &before);
	stream.columns_count--;
	snow_text_object(&plain, &stream, SNOW_RAW, &after);
	assert_string_equal(before.shape, after.shape);
	stream.columns_count++;
	snow_text_release(&after);
	snow_text_release(&before);
}

static void test_names(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_stream_release_p) struct rv_stream stream;
	char buf[RV_STREAM_PLACE_MAX];

	must_parse(clicks, &stream);
	assert_string_equal(snow_schema_name(&stream, buf), "WEB");
	assert_string_equal(snow_object_name(&stream, SNOW_PIPE, buf), "CLICKS$PIPE");
	assert_string_equal(snow_relative(&stream, "data/web/clicks/dt=2026-11-20/hr=14/a.zst"),
			    "dt=2026-11-20/hr=14/a.zst");
	assert_null(snow_relative(&stream, "data/web/clicks_more/dt=2026-11-20/hr=14/a.zst"));
	assert_int_equal(snow_lag_minutes(&stream), 5);
	stream.monitor_freshness_ms = 1000;
	assert_int_equal(snow_lag_minutes(&stream), 1);
}

/* What follows the prefix and its slash, which SUBSTR counts by characters from 1. */
static void test_file_name(void **state RV_UNUSED)
{
	static const char *const prefixes[][2] = {
		{ "", "METADATA$FILENAME" },
		{ "river", "SUBSTR(METADATA$FILENAME, 7)" },
		{ "a/b c", "SUBSTR(METADATA$FILENAME, 7)" },
		{ "fl\xc3\xbcsse/\xe6\xb2\xb3/\xf0\x9f\x8c\x8a", "SUBSTR(METADATA$FILENAME, 12)" },
	};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
		struct rv_snowflake_warehouse w = plain;

		w.params.lake_prefix = prefixes[i][0];
		snow_add_file_name(&sql, &w);
		assert_string_equal(sql.bytes, prefixes[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own),	 cmocka_unit_test(test_streams),
		cmocka_unit_test(test_policies), cmocka_unit_test(test_refresh),
		cmocka_unit_test(test_shapes),	 cmocka_unit_test(test_names),
		cmocka_unit_test(test_file_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

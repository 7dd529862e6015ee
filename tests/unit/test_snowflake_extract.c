/* Tables of extracts on Snowflake: the statements, against golden copies in tests/data/snowflake (RIVER_GOLDEN=1
 * renews them: read the difference before it is committed), and what is made of what is seen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "warehouse/snowflake_extract.h"

#define RUN "01jd0000000000000000000000"
#define OTHER_RUN "01jd0000000000000000000001"

static const struct rv_column order_columns[] = {
	{ .name = (char[]){ "order_id" }, .type = RV_COLUMN_STRING },
	{ .name = (char[]){ "op" }, .type = RV_COLUMN_STRING },
	{ .name = (char[]){ "placed" }, .type = RV_COLUMN_TIMESTAMP },
	{ .name = (char[]){ "total" }, .type = RV_COLUMN_DECIMAL, .precision = 18, .scale = 2 },
	{ .name = (char[]){ "due" }, .type = RV_COLUMN_DATE },
	{ .name = (char[]){ "more" }, .type = RV_COLUMN_JSON },
};
static const struct rv_column line_columns[] = {
	{ .name = (char[]){ "order_id" }, .type = RV_COLUMN_STRING },
	{ .name = (char[]){ "line_no" }, .type = RV_COLUMN_INTEGER },
	{ .name = (char[]){ "weight" }, .type = RV_COLUMN_DOUBLE },
	{ .name = (char[]){ "gift" }, .type = RV_COLUMN_BOOLEAN },
};
static char *order_key_items[] = { (char[]){ "order_id" } };
static char *line_key_items[] = { (char[]){ "order_id" }, (char[]){ "line_no" } };
static const struct rv_string_list order_key = { order_key_items, 1 }, line_key = { line_key_items, 2 };
static const struct rv_string_list no_key = { NULL, 0 };
static char *order_objects[] = { (char[]){ "loads/shop/0123456789abcdef/orders-0001-0001.ndjson.zst" },
				 (char[]){ "loads/shop/0123456789abcdef/orders-0001-0002.ndjson.zst" } };
static char *line_objects[] = { (char[]){ "loads/shop/0123456789abcdef/lines-0002-0001.ndjson.zst" } };
static char *event_objects[] = { (char[]){ "loads/shop/0123456789abcdef/events-0003-0001.ndjson.zst" } };
static struct rv_extract_on on_order[] = { { "order_id", "order_id" } };

struct world {
	struct rv_snowflake_warehouse w;
	struct rv_extract_table tables[3];
	struct rv_extract_node nodes[2];
	struct rv_extract_document document;
	struct rv_extract extract;
	struct snow_seen seen;
	struct snow_steps steps;
	struct rv_error err;
};

static void begin(struct world *w)
{
	*w = (struct world){ .err = RV_ERROR_INIT };
	w->w.params.database = "RIVER";
	w->w.params.warehouse = "LOAD_WH";
	w->w.params.bucket = "acme-lake";
	w->w.params.lake_prefix = "river";
	w->w.params.storage_integration = "RIVER_S3";
	w->w.params.storage_role_arn = "arn:aws:iam::123456789012:role/snowflake";
	w->w.params.makes_roles = true;
	w->tables[0] = (struct rv_extract_table){
		.schema = "dw", .name = "orders", .columns = order_columns, .columns_count = 6, .key = &order_key,
		.merge = true, .delete_column = "op", .delete_equals = "it's D", .objects = order_objects,
		.objects_count = 2, .rows = 3 };
	w->tables[1] = (struct rv_extract_table){
		.schema = "dw", .name = "lines", .columns = line_columns, .columns_count = 4, .key = &line_key,
		.merge = true, .objects = line_objects, .objects_count = 1, .rows = 2 };
	w->tables[2] = (struct rv_extract_table){
		.schema = "log", .name = "events", .columns = line_columns, .columns_count = 2, .key = &no_key,
		.objects = event_objects, .objects_count = 1, .rows = 1 };
	w->nodes[0] = (struct rv_extract_node){ .table = 0, .touch = true };
	w->nodes[1] = (struct rv_extract_node){ .table = 1, .parent = 0, .on = on_order, .on_count = 1,
						.touch = true };
	w->document = (struct rv_extract_document){ "order", w->nodes, 2 };
	w->extract = (struct rv_extract){
		.job = "shop", .identity = "0123456789abcdef", .name = "ext-'1'.zip", .order = "ext-1",
		.summary = "{\"v\":1}", .tables = w->tables, .tables_count = 3, .documents = &w->document,
		.documents_count = 1 };
}

static void end(struct world *w)
{
	snow_steps_release(&w->steps);
	snow_seen_release(&w->seen);
}

static void check(struct world *w, const char *name, struct rv_strbuf *sql)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf want = RV_STRBUF_INIT;
	RV_CLEANUP(rv_free_p) char *path = rv_asprintf("tests/data/snowflake/%s.sql", name);

	rv_strbuf_putc(sql, '\n');
	if (getenv("RIVER_GOLDEN")) {
		FILE *f = fopen(path, "w");

		assert_non_null(f);
		assert_int_equal(fwrite(sql->bytes, 1, sql->len, f), sql->len);
		assert_int_equal(fclose(f), 0);
	}
	if (rv_read_file(path, 1 << 20, &want, &w->err) != RV_OK)
		fail_msg("%s", w->err.message);
	assert_string_equal(sql->bytes, want.bytes);
	rv_strbuf_clear(sql);
}

static void check_steps(struct world *w, const char *name)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;

	snow_steps_join(&w->steps, &sql);
	check(w, name, &sql);
	snow_steps_release(&w->steps);
}

static void test_golden(void **state RV_UNUSED)
{
	struct world w;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	size_t first;

	begin(&w);
	snow_extract_take_steps(&w.w, &w.extract, RUN, &w.steps);
	check_steps(&w, "extract-take");
	w.extract.replace = true;
	w.extract.identity = "fedcba9876543210";
	w.extract.name = "ext-2.zip";
	w.tables[0].objects_count = 0; /* the member is optional */
	snow_extract_take_steps(&w.w, &w.extract, OTHER_RUN, &w.steps);
	check_steps(&w, "extract-replace");
	snow_extract_changed_steps(&w.w, &w.extract, 0, RUN, &w.steps, &first);
	assert_int_equal(first, 2);
	assert_int_equal(w.steps.count, 5);
	assert_ptr_equal(w.steps.items[2].table, &w.tables[0]);
	assert_ptr_equal(w.steps.items[3].table, &w.tables[1]);
	assert_null(w.steps.items[4].table);
	check_steps(&w, "extract-changed");
	w.extract.shards = 3;
	w.extract.shard = 1;
	snow_extract_changed_steps(&w.w, &w.extract, 0, RUN, &w.steps, &first);
	check_steps(&w, "extract-changed-shard");
	snow_extract_settled_sql(&sql, &w.w, &w.extract, 0, 7);
	check(&w, "extract-settled-shard", &sql);
	snow_extract_left_sql(&sql, &w.w, &w.extract, 0);
	check(&w, "extract-left", &sql);
	w.extract.shards = 0;
	snow_extract_look_sql(&sql, &w.w, &w.extract);
	check(&w, "extract-look", &sql);
	snow_extract_find_sql(&sql, &w.w, "shop", "0123456789abcdef");
	check(&w, "extract-find", &sql);
	snow_extract_above_sql(&sql, &w.w, &w.extract);
	check(&w, "extract-above", &sql);
	assert_true(snow_extract_repeated_sql(&sql, &w.w, &w.extract, RUN));
	check(&w, "extract-repeated", &sql);
	assert_int_equal(snow_extract_make_steps(&w.w, &w.extract, &w.seen, &w.steps, &w.err), RV_OK);
	check_steps(&w, "extract-make");
	end(&w);
}

/* COPY takes a thousand names, and a name of a file is of any bytes. */
static void test_many_objects_and_odd_names(void **state RV_UNUSED)
{
	struct world w;
	size_t copies = 0;
	bool named = false;
	RV_CLEANUP(rv_free_p) char **objects = rv_calloc(1001, sizeof(*objects));

	begin(&w);
	w.extract.tables_count = 1;
	w.extract.documents_count = 0;
	w.extract.name = "\xff'\\.zip";
	for (size_t i = 0; i < 1001; i++)
		objects[i] = rv_asprintf("loads/shop/0123456789abcdef/orders-0001-%04zu.ndjson.zst", i + 1);
	w.tables[0].objects = objects;
	w.tables[0].objects_count = 1001;
	snow_extract_take_steps(&w.w, &w.extract, RUN, &w.steps);
	for (size_t i = 0; i < w.steps.count; i++) {
		const char *sql = w.steps.items[i].sql;

		named |= strstr(sql, "'\\\\xff''\\\\.zip'") != NULL;
		if (strncmp(sql, "COPY INTO", 9) != 0)
			continue;
		assert_true((strstr(sql, "-1000.ndjson") != NULL) == (copies == 0));
		assert_true((strstr(sql, "-1001.ndjson") != NULL) == (copies == 1));
		copies++;
	}
	assert_int_equal(copies, 2);
	assert_true(named);
	for (size_t i = 0; i < 1001; i++)
		free(objects[i]);
	end(&w);
}

/* ---- what is made of what is there ---- */

static void see_table(struct world *w, const char *schema, const char *name, const char *kind)
{
	snow_seen_add(&w->seen, "table", schema, name, kind, "");
}

static void see_columns(struct world *w, const char *name)
{
	static const char *const columns[][2] = { { "ORDER_ID", "TEXT" },      { "OP", "TEXT" },
						  { "PLACED", "TIMESTAMP_NTZ" }, { "TOTAL", "NUMBER(18,2)" },
						  { "DUE", "DATE" },	       { "MORE", "VARIANT" } };

	for (size_t i = 0; i < 6; i++)
		snow_seen_add(&w->seen, "column", "DW", name, columns[i][0], columns[i][1]);
}

/* All there is of river's own, and of dw.orders; one table and no document is wanted. */
static void see_all(struct world *w)
{
	w->extract.tables_count = 1;
	w->extract.documents_count = 0;
	w->seen.has_database = true;
	snow_seen_add(&w->seen, "schema", "RIVER", "", "", "");
	snow_seen_add(&w->seen, "schema", "DW", "", "", "");
	snow_seen_add(&w->seen, "stage", "RIVER", "LOADS", "s3://acme-lake/river/loads/", "");
	snow_seen_add(&w->seen, "format", "RIVER", "NDJSON", "", "");
	see_table(w, "RIVER", "EXTRACTS", "TABLE");
	see_table(w, "RIVER", "EXTRACTS$LOCK", "TABLE");
}

static void expect_steps(struct world *w, size_t count, const char *begins)
{
	snow_seen_sort(&w->seen);
	if (snow_extract_make_steps(&w->w, &w->extract, &w->seen, &w->steps, &w->err) != RV_OK)
		fail_msg("%s", w->err.message);
	assert_int_equal(w->steps.count, count);
	if (count)
		assert_memory_equal(w->steps.items[0].sql, begins, strlen(begins));
	end(w);
}

static void expect_failure(struct world *w, enum rv_status status, const char *says)
{
	snow_seen_sort(&w->seen);
	w->err = (struct rv_error)RV_ERROR_INIT;
	assert_int_equal(snow_extract_make_steps(&w->w, &w->extract, &w->seen, &w->steps, &w->err), status);
	if (!strstr(w->err.message, says))
		fail_msg("'%s' has no '%s'", w->err.message, says);
	assert_true(w->err.hint[0] || status == RV_BAD_CONFIG);
	end(w);
}

static void test_what_is_there_is_left_alone(void **state RV_UNUSED)
{
	struct world w;

	begin(&w);
	see_all(&w);
	see_table(&w, "DW", "ORDERS", "TABLE");
	see_table(&w, "DW", "ORDERS$ROWS", "TABLE");
	see_columns(&w, "ORDERS");
	see_columns(&w, "ORDERS$ROWS");
	expect_steps(&w, 0, NULL);
}

/* A run that was killed between two statements is gone on with. */
static void test_half_made(void **state RV_UNUSED)
{
	struct world w;

	begin(&w);
	see_all(&w);
	w.w.params.makes_roles = false;
	see_table(&w, "DW", "ORDERS$ROWS", "TABLE");
	see_columns(&w, "ORDERS$ROWS");
	expect_steps(&w, 1, "CREATE TABLE IF NOT EXISTS \"RIVER\".\"DW\".\"ORDERS\" (");
	begin(&w);
	see_all(&w);
	w.w.params.makes_roles = false;
	see_table(&w, "DW", "ORDERS", "TABLE");
	see_table(&w, "DW", "ORDERS$ROWS", "TABLE");
	see_columns(&w, "ORDERS$ROWS");
	expect_steps(&w, 6, "ALTER TABLE \"RIVER\".\"DW\".\"ORDERS\" ADD COLUMN IF NOT EXISTS \"ORDER_ID\" VARCHAR");
	/* a view is made again, of the columns there are then */
	begin(&w);
	see_all(&w);
	w.w.params.makes_roles = false;
	w.tables[0].merge = false;
	see_table(&w, "DW", "ORDERS", "VIEW");
	see_table(&w, "DW", "ORDERS$ROWS", "TABLE");
	see_columns(&w, "ORDERS$ROWS");
	expect_steps(&w, 1, "CREATE OR REPLACE VIEW \"RIVER\".\"DW\".\"ORDERS\" COPY GRANTS");
}

static void test_conflicts(void **state RV_UNUSED)
{
	struct world w;

	begin(&w);
	see_all(&w);
	see_table(&w, "DW", "ORDERS", "TABLE");
	expect_failure(&w, RV_CONFLICT, "no extract was ever loaded into it");
	begin(&w);
	see_all(&w);
	see_table(&w, "DW", "ORDERS", "VIEW");
	see_table(&w, "DW", "ORDERS$ROWS", "TABLE");
	expect_failure(&w, RV_CONFLICT, "was made with `mode: append`");
	begin(&w);
	see_all(&w);
	see_table(&w, "DW", "ORDERS", "TABLE");
	see_table(&w, "DW", "ORDERS$ROWS", "TABLE");
	snow_seen_add(&w.seen, "column", "DW", "ORDERS$ROWS", "TOTAL", "NUMBER(18,3)");
	expect_failure(&w, RV_CONFLICT, "the column total of dw.orders is NUMBER(18,3), the job says NUMBER(18,2)");
	begin(&w);
	snow_seen_add(&w.seen, "stage", "RIVER", "LOADS", "s3://acme-lake/other/loads/", "");
	expect_failure(&w, RV_CONFLICT, "stands for s3://acme-lake/other/loads/");
	/* and so has a merged table; the order of its columns says nothing */
	begin(&w);
	see_all(&w);
	see_table(&w, "DW", "ORDERS", "TABLE");
	snow_seen_add(&w.seen, "table", "DW", "ORDERS$ROWS", "TABLE",
		      "{\"river\":1,\"extracts\":\"dw.orders\",\"key\":\"op, order_id\"}");
	see_columns(&w, "ORDERS");
	see_columns(&w, "ORDERS$ROWS");
	expect_failure(&w, RV_CONFLICT, "dw.orders is merged by op, order_id, the job says order_id");
	begin(&w);
	see_all(&w);
	w.tables[0].key = &(struct rv_string_list){ (char *[]){ (char[]){ "order_id" }, (char[]){ "op" } }, 2 };
	see_table(&w, "DW", "ORDERS", "TABLE");
	snow_seen_add(&w.seen, "table", "DW", "ORDERS$ROWS", "TABLE",
		      "{\"river\":1,\"extracts\":\"dw.orders\",\"key\":\"op, order_id\"}");
	see_columns(&w, "ORDERS");
	see_columns(&w, "ORDERS$ROWS");
	expect_steps(&w, 0, NULL);
	/* the list of roots has the key as it was */
	begin(&w);
	see_all(&w);
	w.extract.documents_count = 1;
	w.nodes[0].table = 0;
	w.document.nodes_count = 1;
	see_table(&w, "RIVER", "SHOP$ORDER$ROOTS", "TABLE");
	snow_seen_add(&w.seen, "column", "RIVER", "SHOP$ORDER$ROOTS", "RIVER$EXTRACT", "NUMBER(38,0)");
	snow_seen_add(&w.seen, "column", "RIVER", "SHOP$ORDER$ROOTS", "ORDER_NO", "TEXT");
	expect_failure(&w, RV_CONFLICT, "documents.order: its root had another key so far, without order_id");
	begin(&w);
	w.w.params.storage_integration = NULL;
	expect_failure(&w, RV_BAD_CONFIG, "how Snowflake reads loads/");
	begin(&w);
	w.tables[0].schema = "river";
	expect_failure(&w, RV_BAD_CONFIG, "the schema river is river's own");
	begin(&w);
	w.tables[0].objects = (char *[]){ (char[]){ "loads/shop/1/orders.parquet" } };
	w.tables[0].objects_count = 1;
	expect_failure(&w, RV_BAD_CONFIG, "are loaded from ndjson");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_many_objects_and_odd_names),
		cmocka_unit_test(test_what_is_there_is_left_alone),
		cmocka_unit_test(test_half_made),
		cmocka_unit_test(test_conflicts),
	};

	return cmocka_run_group_tests_name("snowflake_extract", tests, NULL, NULL);
}

/* Tables of extracts: whole or not at all, once, in the declared order whatever the order of coming. */
#include "duckdb_world.h"

#include "warehouse/extract.h"

static const struct rv_column columns[] = {
	{ .name = (char[]){ "id" }, .type = RV_COLUMN_INTEGER, .required = true },
	{ .name = (char[]){ "op" }, .type = RV_COLUMN_STRING },
	{ .name = (char[]){ "total" }, .type = RV_COLUMN_DECIMAL, .precision = 18, .scale = 2 },
	{ .name = (char[]){ "moment" }, .type = RV_COLUMN_TIMESTAMP },
	{ .name = (char[]){ "more" }, .type = RV_COLUMN_JSON },
};
static char *key_items[] = { (char[]){ "id" } };
static const struct rv_string_list key = { key_items, 1 };
static const struct rv_string_list no_key = { NULL, 0 };

static void put(struct world *w, const char *name, const char *text)
{
	assert_ok(w, rv_store_put_bytes(w->store, name, text, strlen(text), NULL, &w->err));
}

struct load {
	const char *identity, *order, *text;
	bool append, replace;
	uint64_t rows; /* 0: as many as there are lines */
	size_t columns_count;
	const char *name; /* default: the identity */
	uint64_t repeated;
};

static enum rv_status take(struct world *w, struct load *l)
{
	char object[100];
	char *objects[] = { object };
	uint64_t lines = 0;

	snprintf(object, sizeof(object), "loads/j/%s/orders-0001.ndjson", l->identity);
	put(w, object, l->text);
	for (const char *c = l->text; *c; c++)
		lines += *c == '\n';
	struct rv_extract_table table = {
		.schema = "dw", .name = l->append ? "log" : "orders", .columns = columns,
		.columns_count = l->columns_count ? l->columns_count : 3,
		.key = l->append ? &no_key : &key, .merge = !l->append,
		.delete_column = l->append ? NULL : "op", .delete_equals = l->append ? NULL : "D",
		.objects = objects, .objects_count = 1, .rows = l->rows ? l->rows : lines,
	};
	struct rv_extract extract = { .job = "j", .identity = l->identity,
				      .name = l->name ? l->name : l->identity, .order = l->order,
				      .summary = "{\"a\":1}", .replace = l->replace, .tables = &table,
				      .tables_count = 1 };

	w->err = (struct rv_error)RV_ERROR_INIT;
	enum rv_status status = w->warehouse->ops->extract_take(w->warehouse, &extract, &w->err);

	l->repeated = table.repeated;
	return status;
}

#define expect(w, sql, wanted) assert_answer(w, sql, wanted)
#define ORDERS "SELECT id, op, total FROM dw.orders ORDER BY id"

static void test_merge_by_declared_order(void **state RV_UNUSED)
{
	struct world w;

	world_open(&w, "web/clicks");
	struct load second = { .identity = "b", .order = "2", .text = "{\"id\":1,\"op\":\"U\",\"total\":2.50}\n"
								      "{\"id\":2,\"op\":\"D\",\"total\":null}\n"
								      "{\"id\":3,\"op\":\"I\",\"total\":3}\n" };
	assert_ok(&w, take(&w, &second));
	expect(&w, ORDERS, "1,U,2.50;3,I,3.00;");
	/* an older one that comes late undoes nothing, not even a deletion */
	struct load first = { .identity = "a", .order = "1", .text = "{\"id\":1,\"op\":\"I\",\"total\":1}\n"
								     "{\"id\":2,\"op\":\"I\",\"total\":1}\n"
								     "{\"id\":4,\"op\":\"I\",\"total\":1}\n" };
	assert_ok(&w, take(&w, &first));
	expect(&w, ORDERS, "1,U,2.50;3,I,3.00;4,I,1.00;");
	/* within one extract the last row of a key counts, and it is said how many there were */
	struct load third = { .identity = "c", .order = "3", .text = "{\"id\":4,\"op\":\"U\",\"total\":7}\n"
								     "{\"id\":4,\"op\":\"U\",\"total\":8}\n" };
	assert_ok(&w, take(&w, &third));
	assert_int_equal(third.repeated, 1);
	expect(&w, ORDERS, "1,U,2.50;3,I,3.00;4,U,8.00;");
	/* replaced by another one of its name: what it had brought goes with it */
	struct load again = { .identity = "d", .order = "2", .name = "b", .replace = true,
			      .text = "{\"id\":1,\"op\":\"U\",\"total\":9}\n" };
	assert_ok(&w, take(&w, &again));
	expect(&w, ORDERS, "1,U,9.00;2,I,1.00;4,U,8.00;");
	/* and by itself, which changes nothing */
	struct load same = { .identity = "d", .order = "2", .name = "b", .replace = true,
			     .text = "{\"id\":1,\"op\":\"U\",\"total\":9}\n" };
	assert_ok(&w, take(&w, &same));
	expect(&w, ORDERS, "1,U,9.00;2,I,1.00;4,U,8.00;");
	world_close(&w);
}

static void test_append_is_once(void **state RV_UNUSED)
{
	struct world w;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf summary = RV_STRBUF_INIT;
	bool found;

	world_open(&w, "web/clicks");
	assert_ok(&w, w.warehouse->ops->extract_find(w.warehouse, "j", "a", &summary, &found, &w.err));
	assert_false(found);
	struct load a = { .identity = "a", .order = "1", .append = true, .columns_count = 5,
			  .text = "{\"id\":1,\"op\":\"x\",\"total\":1,\"moment\":\"2024-01-01T00:00:00Z\",\"more\":{\"k\":1}}\n"
				  "{\"id\":1,\"op\":null,\"total\":1,\"moment\":null,\"more\":null}\n" };
	assert_ok(&w, take(&w, &a));
	assert_int_equal(take(&w, &a), RV_CONFLICT);
	assert_ok(&w, w.warehouse->ops->extract_find(w.warehouse, "j", "a", &summary, &found, &w.err));
	assert_true(found);
	assert_string_equal(summary.bytes, "{\"a\":1}");
	expect(&w, "SELECT count(*), count(moment), max(more->>'$.k') FROM dw.log", "2,1,1;");
	world_close(&w);
}

/* Fault rows 129, 159, 163: found before, or nothing of it stays. */
static void test_129_159_163_nothing_stays(void **state RV_UNUSED)
{
	struct world w;

	world_open(&w, "web/clicks");
	struct load good = { .identity = "a", .order = "1", .text = "{\"id\":1,\"op\":\"I\",\"total\":1}\n" };
	assert_ok(&w, take(&w, &good));
	struct load fewer = { .identity = "b", .order = "2", .rows = 2, .text = "{\"id\":2,\"op\":\"I\",\"total\":1}\n" };
	assert_int_equal(take(&w, &fewer), RV_BAD_DATA);
	assert_non_null(strstr(w.err.message, "2 rows were sent, 1 are in the table"));
	struct load broken = { .identity = "b", .order = "2", .text = "{\"id\":2\n" };
	assert_int_equal(take(&w, &broken), RV_BAD_DATA);
	struct load untyped = { .identity = "b", .order = "2", .text = "{\"id\":\"x\",\"op\":\"I\",\"total\":1}\n" };
	assert_int_not_equal(take(&w, &untyped), RV_OK);
	expect(&w, ORDERS, "1,I,1.00;");
	expect(&w, "SELECT count(*) FROM _river.extracts", "1;");
	/* a column more is added */
	struct load wider = { .identity = "b", .order = "2", .columns_count = 4,
			      .text = "{\"id\":2,\"op\":\"I\",\"total\":1,\"moment\":\"2024-01-01T00:00:00Z\"}\n" };
	assert_ok(&w, take(&w, &wider));
	expect(&w, "SELECT id, moment FROM dw.orders ORDER BY id", "1,;2,2024-01-01 00:00:00;");
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf ignored = RV_STRBUF_INIT;

	/* a table that is somebody else's */
	assert_ok(&w, w.warehouse->ops->query(w.warehouse, "CREATE TABLE dw.log(a INTEGER)", true, world_csv,
					      &ignored, &w.err));
	struct load foreign = { .identity = "c", .order = "3", .append = true, .text = "{\"id\":1}\n" };
	assert_int_equal(take(&w, &foreign), RV_CONFLICT);
	assert_non_null(strstr(w.err.message, "no extract was ever loaded into it"));
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_merge_by_declared_order),
		cmocka_unit_test(test_append_is_once),
		cmocka_unit_test(test_129_159_163_nothing_stays),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

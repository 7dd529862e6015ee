/* Finding and loading what is pending, on stores and warehouses in memory that can fail. */
#include "duckdb_world.h"
#include "flow/catalog.h"
#include "flow/load.h"
#include "warehouse/mem.h"

static void open_mem(struct world *w)
{
	*w = (struct world){ .err = RV_ERROR_INIT };
	w->store = rv_store_mem_new();
	w->warehouse = rv_warehouse_mem_new(w->store);
	rv_stream_init(&w->stream);
	assert_ok(w, rv_stream_parse_name("web/clicks", &w->stream, &w->err));
}

static void close_mem(struct world *w)
{
	rv_warehouse_free(w->warehouse);
	rv_store_free(w->store);
	rv_stream_release(&w->stream);
}

static void test_pending(void **state)
{
	struct world w;
	struct rv_pending pending = { 0 };
	struct rv_load_sum sum = { 0 };
	struct rv_store_put put = { 0 };
	(void)state;

	open_mem(&w);
	assert_ok(&w, rv_pending_find(w.store, w.warehouse, &w.stream, &pending, &w.err));
	assert_int_equal(pending.count, 0);
	free(world_object(&w, "b", 1, "{\"a\":1}\n"));
	free(world_object(&w, "a", 1, "{\"a\":1}\n{\"a\":2}\n"));
	assert_ok(&w, rv_store_put_bytes(w.store, "data/web/clicks/junk", "x", 1, &put, &w.err));
	assert_ok(&w, rv_pending_find(w.store, w.warehouse, &w.stream, &pending, &w.err));
	assert_int_equal(pending.count, 2);
	assert_int_equal(pending.foreign, 1);
	assert_string_equal(pending.first_foreign, "data/web/clicks/junk");
	assert_true(strcmp(pending.items[0].object, pending.items[1].object) < 0);
	assert_true(pending.oldest_ms > 0);
	rv_pending_release(&pending);
	assert_ok(&w, rv_load_stream(w.store, w.warehouse, &w.stream, NULL, NULL, &sum, &w.err));
	assert_int_equal(sum.objects, 2);
	assert_int_equal(sum.rows, 3);
	assert_ok(&w, rv_pending_find(w.store, w.warehouse, &w.stream, &pending, &w.err));
	assert_int_equal(pending.count, 0);
	assert_int_equal(pending.loaded, 2);
	rv_pending_release(&pending);
	close_mem(&w);
}

/* Whatever operation fails, going on later loads everything once. */
static void test_faults(void **state)
{
	(void)state;
	for (uint64_t fail_at = 1;; fail_at++) {
		struct rv_load_sum sum = { 0 };
		struct rv_warehouse_counts counts;
		struct world w;

		open_mem(&w);
		for (unsigned i = 0; i < 4; i++)
			free(world_object(&w, "r", i, "{\"a\":1}\n{\"a\":2}\n"));
		rv_warehouse_mem_fail(w.warehouse, fail_at, false, RV_LOCKED);
		enum rv_status status = rv_load_stream(w.store, w.warehouse, &w.stream, NULL, NULL,
						       &sum, &w.err);

		if (status != RV_OK) {
			assert_int_equal(status, RV_LOCKED);
			assert_ok(&w, rv_load_stream(w.store, w.warehouse, &w.stream, NULL, NULL,
						     &sum, &w.err));
		}
		assert_int_equal(sum.objects, 4);
		assert_int_equal(sum.rows, 8);
		rv_warehouse_mem_fail(w.warehouse, 0, false, RV_OK);
		assert_ok(&w, w.warehouse->ops->count(w.warehouse, &w.stream, &counts, &w.err));
		assert_int_equal(counts.raw, 8);
		close_mem(&w);
		if (status == RV_OK)
			break;
	}
}

static void test_all_streams(void **state)
{
	struct rv_catalog_create create = { .now_ms = 1763657931000, .adopt = true };
	enum rv_catalog_outcome outcome;
	struct rv_load_sum sum = { 0 };
	struct world w;
	(void)state;

	open_mem(&w);
	for (int i = 0; i < 3; i++) {
		struct rv_stream stream, existing;
		static const char *const names[] = { "web/clicks", "web/views", "web/manual" };

		rv_stream_release(&w.stream);
		rv_stream_init(&w.stream);
		assert_ok(&w, rv_stream_parse_name(names[i], &w.stream, &w.err));
		free(world_object(&w, "r", 1, "{\"a\":1}\n"));
		rv_stream_init(&stream);
		rv_stream_init(&existing);
		assert_ok(&w, rv_stream_parse_name(names[i], &stream, &w.err));
		stream.pipe_notify = i == 2;
		assert_ok(&w, rv_catalog_create(w.store, &stream, &create, &outcome, &existing,
						&w.err));
		rv_stream_release(&stream);
		rv_stream_release(&existing);
	}
	assert_ok(&w, rv_load_all(w.store, w.warehouse, NULL, NULL, &sum, &w.err));
	assert_int_equal(sum.objects, 2); /* not the one that waits to be notified */
	sum = (struct rv_load_sum){ 0 };
	assert_ok(&w, rv_load_all(w.store, w.warehouse, NULL, NULL, &sum, &w.err));
	assert_int_equal(sum.objects, 0);
	close_mem(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pending),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_all_streams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

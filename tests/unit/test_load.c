/* Finding and loading what is pending, on stores and warehouses in memory that can fail. */
#include "duckdb_world.h"
#include "flaky_store.h"
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
	/* Another stream's delivery stream does not write here. */
	assert_ok(&w, rv_store_put_bytes(w.store, "data/web/clicks/dt=2026-11-20/hr=14/river-web-views-1-"
					 "2026-11-20-14-03-00-0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9",
					 "x", 1, &put, &w.err));
	assert_ok(&w, rv_pending_find(w.store, w.warehouse, &w.stream, &pending, &w.err));
	assert_int_equal(pending.foreign, 2);
	rv_pending_release(&pending);
	assert_ok(&w, w.store->ops->remove(w.store, "data/web/clicks/dt=2026-11-20/hr=14/river-web-views-"
					   "1-2026-11-20-14-03-00-0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9",
					   NULL, &w.err));
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

/* A remote warehouse loads when it is told to, and what it has in its queue is pending and not foreign. */
static void test_remote(void **state RV_UNUSED)
{
	struct world w;
	struct rv_pending pending = { 0 };
	struct rv_load_sum sum = { 0 };
	struct rv_load_params params = { .wait = false };

	open_mem(&w);
	rv_warehouse_mem_remote(w.warehouse);
	for (unsigned i = 1; i <= 3; i++)
		free(world_object(&w, "r", i, "{\"a\":1}\n"));
	assert_ok(&w, rv_load_stream(w.store, w.warehouse, &w.stream, NULL, NULL, &sum, &w.err));
	assert_ok(&w, rv_load_all(w.store, w.warehouse, NULL, NULL, &sum, &w.err));
	assert_int_equal(sum.objects + sum.queued, 0);
	assert_ok(&w, rv_pending_find(w.store, w.warehouse, &w.stream, &pending, &w.err));
	assert_int_equal(pending.count, 3);
	assert_int_equal(pending.queued, 0);
	assert_true(pending.items[0].modified_ms > 0);
	assert_ok(&w, w.warehouse->ops->load(w.warehouse, &w.stream, pending.items, 2, &params, &w.err));
	rv_load_sum_add(&sum, pending.items, pending.count);
	assert_int_equal(sum.queued, 2);
	assert_int_equal(sum.rows, 0);
	rv_pending_release(&pending);
	assert_ok(&w, rv_pending_find(w.store, w.warehouse, &w.stream, &pending, &w.err));
	assert_int_equal(pending.count, 3);
	assert_int_equal(pending.queued, 2);
	assert_int_equal(pending.items[0].state, RV_LOAD_QUEUED);
	assert_int_equal(pending.items[2].state, RV_LOAD_PENDING);
	params.wait = true;
	assert_ok(&w, w.warehouse->ops->load(w.warehouse, &w.stream, pending.items, 3, &params, &w.err));
	rv_load_sum_add(&sum, pending.items, pending.count);
	assert_int_equal(sum.objects, 3);
	assert_int_equal(pending.items[0].set_hash, 0);
	rv_pending_release(&pending);
	assert_ok(&w, rv_pending_find(w.store, w.warehouse, &w.stream, &pending, &w.err));
	assert_int_equal(pending.count, 0);
	assert_int_equal(pending.loaded, 3);
	rv_pending_release(&pending);
	close_mem(&w);
}

/* What Firehose wrote is pending like river's own, without anybody naming it. */
static void test_firehose(void **state RV_UNUSED)
{
	struct rv_load_sum sum = { 0 };
	struct rv_store_put put = { 0 };
	struct world w;

	open_mem(&w);
	assert_ok(&w, rv_store_put_bytes(w.store, "data/web/clicks/dt=2026-11-20/hr=14/river-web-clicks-1-"
					 "2026-11-20-14-03-00-0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9",
					 "{}\n{}\n", 6, &put, &w.err));
	free(world_object(&w, "a", 1, "{\"a\":1}\n{\"a\":2}\n"));
	assert_ok(&w, rv_load_stream(w.store, w.warehouse, &w.stream, NULL, NULL, &sum, &w.err));
	assert_int_equal(sum.objects, 2);
	assert_int_equal(sum.rows, 4);
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
	/* A warehouse that cannot be opened fails them all. */
	rv_warehouse_mem_fail(w.warehouse, 1, false, RV_LOCKED);
	assert_int_equal(rv_load_all(w.store, w.warehouse, NULL, NULL, &sum, &w.err), RV_LOCKED);
	assert_int_equal(sum.streams_failed, 0);
	assert_ok(&w, rv_load_all(w.store, w.warehouse, NULL, NULL, &sum, &w.err));
	assert_int_equal(sum.objects, 2); /* not the one that waits to be notified */
	sum = (struct rv_load_sum){ 0 };
	assert_ok(&w, rv_load_all(w.store, w.warehouse, NULL, NULL, &sum, &w.err));
	assert_int_equal(sum.objects, 0);
	close_mem(&w);
}

/* A folder's listing says names only; sizes and times are looked up for what is pending. A late
 * object is found wherever its name sorts, and whether or not the ledger knows more than the lake. */
static void test_late(void **state)
{
	struct world w;
	struct rv_pending pending = { 0 };
	char *names[5];
	(void)state;

	world_open(&w, "web/clicks");
	for (unsigned i = 0; i < 5; i++)
		names[i] = world_object(&w, i % 2 ? "run" : "abc", i, "{\"a\":1}\n{\"a\":2}\n");
	for (unsigned i = 1; i < 4; i++)
		assert_int_equal(world_load(&w, names[i]).state, RV_LOAD_LOADED);
	assert_ok(&w, rv_pending_find(w.store, w.warehouse, &w.stream, &pending, &w.err));
	assert_int_equal(pending.count, 2); /* abc 0 is the first of all names, abc 4 in their midst */
	assert_int_equal(pending.loaded, 3);
	assert_string_equal(pending.items[0].object, names[0]);
	assert_string_equal(pending.items[1].object, names[4]);
	for (unsigned i = 0; i < 2; i++) {
		struct rv_store_object object;

		assert_ok(&w, w.store->ops->head(w.store, pending.items[i].object, &object, &w.err));
		assert_true(object.bytes > 0);
		assert_int_equal(pending.items[i].bytes, object.bytes);
		assert_true(pending.oldest_ms > 0 && pending.oldest_ms <= object.modified_ms);
	}
	assert_int_equal(pending.bytes, pending.items[0].bytes + pending.items[1].bytes);
	rv_pending_release(&pending);
	/* gone from the lake, still in the ledger: before, in front of and behind what is pending */
	for (unsigned i = 1; i < 4; i++)
		assert_ok(&w, w.store->ops->remove(w.store, names[i], NULL, &w.err));
	assert_ok(&w, rv_pending_find(w.store, w.warehouse, &w.stream, &pending, &w.err));
	assert_int_equal(pending.count, 2);
	assert_int_equal(pending.loaded, 0);
	rv_pending_release(&pending);
	for (unsigned i = 0; i < 5; i++)
		free(names[i]);
	world_close(&w);
}

/* What a listing tells is not asked again: loading costs a list, and a read each. */
static void test_requests(void **state RV_UNUSED)
{
	struct rv_load_sum sum = { 0 };
	struct flaky store;
	struct world w;

	open_mem(&w);
	for (unsigned i = 0; i < 50; i++)
		free(world_object(&w, "r", i, "{\"a\":1}\n"));
	flaky_init(&store, w.store);
	rv_warehouse_free(w.warehouse);
	w.warehouse = rv_warehouse_mem_new(&store.base); /* which gets whole objects */
	assert_ok(&w, rv_load_stream(&store.base, w.warehouse, &w.stream, NULL, NULL, &sum, &w.err));
	assert_int_equal(sum.objects, 50);
	assert_int_equal(store.lists, 1);
	assert_int_equal(store.heads, 0);
	assert_int_equal(store.gets + store.reads, 50);
	close_mem(&w);
}

/* Failed loads stay pending, loaded ones are told from them by the ledger's state. */
static void test_failed_stays(void **state)
{
	struct world w;
	struct rv_pending pending = { 0 };
	(void)state;

	world_open(&w, "web/clicks");
	char *good = world_object(&w, "run", 1, "{\"a\":1}\n");
	char *bad = world_object_named(&w, "run", 2, "{\"a\":1}\n", "{\"a\":2}\n");

	assert_int_equal(world_load(&w, good).state, RV_LOAD_LOADED);
	assert_int_equal(world_load(&w, bad).state, RV_LOAD_FAILED);
	assert_ok(&w, rv_pending_find(w.store, w.warehouse, &w.stream, &pending, &w.err));
	assert_int_equal(pending.count, 1);
	assert_int_equal(pending.loaded, 1);
	assert_string_equal(pending.items[0].object, bad);
	rv_pending_release(&pending);
	free(good);
	free(bad);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pending),
		cmocka_unit_test(test_remote),
		cmocka_unit_test(test_firehose),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_all_streams),
		cmocka_unit_test(test_late),
		cmocka_unit_test(test_failed_stays),
		cmocka_unit_test(test_requests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

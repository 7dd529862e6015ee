/* Loading objects into raw: once, whole, and only when they hold what their names say. */
#include "duckdb_world.h"
#include "flaky_store.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static struct rv_warehouse_counts counts(struct world *w)
{
	struct rv_warehouse_counts c = { 0 };

	assert_ok(w, w->warehouse->ops->count(w->warehouse, &w->stream, &c, &w->err));
	return c;
}

static void test_loads_once(void **state)
{
	struct world w;
	(void)state;

	world_open(&w, "web/clicks");
	assert_int_equal(counts(&w).raw, 0); /* before the file is there */
	char *a = world_object(&w, "run1", 1, "{\"a\":1}\n{\"a\" : 2.50}\n{\"a\":\"x\"}\n");
	struct rv_load item = world_load(&w, a);

	assert_int_equal(item.state, RV_LOAD_LOADED);
	assert_int_equal(item.rows, 3);
	assert_true(item.loaded_ms > 0);
	item = world_load(&w, a);
	assert_int_equal(item.state, RV_LOAD_KNOWN);
	assert_int_equal(item.rows, 3);
	assert_int_equal(counts(&w).raw, 3);
	free(a);
	world_close(&w);
}

/* A thousand objects over several blocks, one of them large. */
static void test_many_and_large(void **state)
{
	struct world w;
	struct rv_load items[40] = { 0 };
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf large = RV_STRBUF_INIT;
	uint64_t rows = 0;
	(void)state;

	world_open(&w, "web/clicks");
	for (unsigned i = 0; i < 200000; i++)
		rv_strbuf_printf(&large, "{\"n\":%u,\"text\":\"%0*d\"}\n", i, (int)(i % 40), 7);
	/* and a record larger than a block */
	rv_strbuf_printf(&large, "{\"wide\":\"%03000000d\"}\n", 1);
	items[0].object = world_object(&w, "large", 1, large.bytes);
	for (unsigned i = 1; i < 40; i++)
		items[i].object = world_object(&w, "small", i, "{\"b\":1}\n{\"b\":2}\n");
	assert_ok(&w, w.warehouse->ops->load(w.warehouse, &w.stream, items, 40, NULL, &w.err));
	for (unsigned i = 0; i < 40; i++) {
		assert_int_equal(items[i].state, RV_LOAD_LOADED);
		rows += items[i].rows;
		rv_load_release(&items[i]);
	}
	assert_int_equal(rows, 200001 + 39 * 2);
	assert_int_equal(counts(&w).raw, rows);
	world_close(&w);
}

/*
 * Threads are promised row groups by what the names say. An object that holds more or less than that,
 * or whose rows nobody promised, is read to its end all the same.
 */
static unsigned notes;

static void count_note(const char *fmt, ...) RV_PRINTF(1, 2);
static void count_note(const char *fmt, ...)
{
	(void)fmt;
	notes++;
}

/* 120 MiB that DuckDB moves as one vector, at a limit of 64: the load gets what it needs. */
static void test_larger_than_memory_limit(void **state)
{
	struct world w;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sb = RV_STRBUF_INIT;
	RV_CLEANUP(rv_free_p) char *x = rv_calloc(1, 100001);
	(void)state;

	world_open(&w, "web/big");
	rv_warehouse_free(w.warehouse);
	struct rv_duckdb_params params = { .path = w.path, .lock_timeout_ms = 600000, .threads = 2,
					   .memory_limit_bytes = 64u << 20, .note = count_note };

	w.warehouse = rv_warehouse_duckdb_new(&params, w.store);
	memset(x, 'y', 100000);
	for (unsigned i = 0; i < 1200; i++)
		rv_strbuf_printf(&sb, "{\"id\":%u,\"x\":\"%s\"}\n", i, x);
	char *small = world_object(&w, "r", 1, "{\"id\":-1}\n");
	char *large = world_object(&w, "r", 2, sb.bytes);
	struct rv_load items[] = { { .object = small }, { .object = large } };

	notes = 0;
	assert_ok(&w, w.warehouse->ops->load(w.warehouse, &w.stream, items, 2, NULL, &w.err));
	assert_int_equal(items[0].state, RV_LOAD_LOADED);
	assert_int_equal(items[1].state, RV_LOAD_LOADED);
	assert_true(notes > 0);
	assert_answer(&w, "select count(*), count(distinct file_name) from web.big", "1201,2;");
	free(small);
	free(large);
	world_close(&w);
}

static void test_row_groups(void **state)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf records = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf fewer = RV_STRBUF_INIT;
	struct rv_load items[3] = { 0 };
	struct world w;
	(void)state;

	world_open(&w, "web/clicks");
	for (unsigned i = 0; i < 400000; i++) {
		if (i == 130000)
			rv_strbuf_add(&fewer, records.bytes, records.len);
		rv_strbuf_printf(&records, "{\"n\":%u,\"text\":\"%08x\"}\n", i, i * 2654435761u);
	}
	items[0].object = world_object_named(&w, "more", 1, records.bytes, fewer.bytes);
	items[1].object = world_object(&w, "right", 1, records.bytes);
	items[2].object = world_object_named(&w, "fewer", 1, fewer.bytes, records.bytes);
	assert_ok(&w, w.warehouse->ops->load(w.warehouse, &w.stream, items, 3, NULL, &w.err));
	assert_int_equal(items[0].state, RV_LOAD_FAILED);
	assert_non_null(strstr(items[0].message, "400000 records"));
	assert_int_equal(items[1].state, RV_LOAD_LOADED);
	assert_int_equal(items[2].state, RV_LOAD_FAILED);
	assert_non_null(strstr(items[2].message, "130000 records"));
	assert_int_equal(counts(&w).raw, 400000);
	assert_answer(&w, "SELECT count(DISTINCT file_row), min(file_row), max(file_row)"
			  " FROM web.clicks", "400000,1,400000;");
	assert_answer(&w, "SELECT count(*) FROM web.clicks"
			  " WHERE (record->>'n')::INTEGER <> file_row - 1", "0;");
	for (unsigned i = 0; i < 3; i++)
		rv_load_release(&items[i]);
	world_close(&w);
}

static enum rv_status check_present(void *arg, const struct rv_load *load, struct rv_error *err)
{
	struct rv_object_name name;
	unsigned *seen = arg;
	(void)err;

	assert_true(rv_object_name_parse(load->object, &name));
	assert_int_equal(name.records, load->rows);
	assert_true(name.set_hash == load->set_hash);
	++*seen;
	return RV_OK;
}

/* present() hashes what is in the table: that must be what was in the objects, byte for byte. */
static void test_present_hashes(void **state)
{
	struct world w;
	unsigned seen = 0;
	(void)state;

	world_open(&w, "web/clicks");
	char *a = world_object(&w, "r", 1, "{ \"x\" :\t1.10 , \"x\":2}\n{\"e\":\"\\u0000\\/\"}\n");
	char *b = world_object(&w, "r", 2, "{\"n\":1e400,\"m\":12345678901234567890.123}\n{}\n");

	world_load(&w, b);
	world_load(&w, a);
	assert_ok(&w, w.warehouse->ops->present(w.warehouse, &w.stream, true, check_present, &seen,
						&w.err));
	assert_int_equal(seen, 2);
	seen = 0;
	assert_ok(&w, w.warehouse->ops->history(w.warehouse, &w.stream, check_present, &seen,
						&w.err));
	assert_int_equal(seen, 2);
	free(a);
	free(b);
	world_close(&w);
}

static void test_wrong_content_fails_alone(void **state)
{
	struct world w;
	struct rv_load items[5] = { 0 };
	(void)state;

	world_open(&w, "web/clicks");
	items[0].object = world_object(&w, "r", 1, "{\"a\":1}\n");
	/* one byte other, one record fewer, no record at all */
	items[1].object = world_object_named(&w, "r", 2, "{\"a\":1}\n", "{\"a\":2}\n");
	items[2].object = world_object_named(&w, "r", 3, "{\"a\":1}\n", "{\"a\":1}\n{\"a\":1}\n");
	items[3].object = world_object(&w, "r", 4, "{\"a\":1}\n[1]\n");
	items[4].object = world_object(&w, "r", 5, "{\"a\":5}\n");
	assert_ok(&w, w.warehouse->ops->load(w.warehouse, &w.stream, items, 5, NULL, &w.err));
	assert_int_equal(items[0].state, RV_LOAD_LOADED);
	assert_int_equal(items[4].state, RV_LOAD_LOADED);
	for (int i = 1; i < 4; i++) {
		assert_int_equal(items[i].state, RV_LOAD_FAILED);
		assert_non_null(strstr(items[i].message, "does not hold what its name says"));
	}
	assert_non_null(strstr(items[3].message, "line 2"));
	assert_int_equal(counts(&w).raw, 2);
	for (int i = 0; i < 5; i++)
		rv_load_release(&items[i]);
	world_close(&w);
}

static void test_damaged_and_missing(void **state)
{
	struct world w;
	struct rv_load items[3] = { 0 };
	struct rv_store_put put = { 0 };
	(void)state;

	world_open(&w, "web/clicks");
	items[0].object = world_object(&w, "r", 1, "{\"a\":1}\n");
	items[1].object = world_object(&w, "r", 2, "{\"a\":1}\n");
	assert_ok(&w, rv_store_put_bytes(w.store, items[1].object, "\x28\xb5\x2f\xfd garbage", 12,
					 &put, &w.err));
	items[2].object = world_object(&w, "r", 3, "{\"a\":1}\n");
	assert_ok(&w, w.store->ops->remove(w.store, items[2].object, NULL, &w.err));
	assert_ok(&w, w.warehouse->ops->load(w.warehouse, &w.stream, items, 3, NULL, &w.err));
	assert_int_equal(items[0].state, RV_LOAD_LOADED);
	assert_int_equal(items[1].state, RV_LOAD_FAILED);
	assert_non_null(strstr(items[1].message, "zstd"));
	assert_int_equal(items[2].state, RV_LOAD_FAILED);
	assert_int_equal(counts(&w).raw, 1);
	for (int i = 0; i < 3; i++)
		rv_load_release(&items[i]);
	world_close(&w);
}

static void test_167_same_run_and_seq_is_refused(void **state)
{
	struct world w;
	(void)state;

	world_open(&w, "web/clicks");
	char *a = world_object(&w, "r", 1, "{\"a\":1}\n");
	char *b = world_object(&w, "r", 1, "{\"a\":2}\n");

	assert_int_equal(world_load(&w, a).state, RV_LOAD_LOADED);
	struct rv_load item = world_load(&w, b);

	assert_int_equal(item.state, RV_LOAD_FAILED);
	assert_non_null(strstr(item.message, a));
	assert_int_equal(counts(&w).raw, 1);
	free(a);
	free(b);
	world_close(&w);
}

static void test_foreign_lines(void **state)
{
	static const char text[] = "{\"a\":1}\r\n\n  {\"a\":2} \nnot json\n{\"a\":\"\\ud800\"}\n{}{}\n"
				   "{\"a\":3}";
	struct rv_store_put put = { 0 };
	struct world w;
	(void)state;

	world_open(&w, "web/clicks");
	assert_ok(&w, rv_store_put_bytes(w.store, "data/web/clicks/other.ndjson", text,
					 sizeof(text) - 1, &put, &w.err));
	char name[] = "data/web/clicks/other.ndjson";
	struct rv_load item = world_load(&w, name);

	assert_int_equal(item.state, RV_LOAD_PARTIAL);
	assert_int_equal(item.rows, 3);
	assert_int_equal(item.rejected, 3);
	assert_non_null(strstr(item.message, "line 4"));
	assert_int_equal(counts(&w).raw, 3);
	assert_int_equal(world_load(&w, name).state, RV_LOAD_KNOWN);
	assert_int_equal(counts(&w).raw, 3);
	world_close(&w);
}

#define FIREHOSE "data/web/clicks/dt=2026-11-20/hr=14/river-web-clicks-1-2026-11-20-14-03-00-"

/* What Firehose wrote has no newlines but the producer's: records may stand behind each other. Every one
 * gets a row number of its own, in order; a fault costs what is left of its line. */
static void test_firehose_lines(void **state RV_UNUSED)
{
	static const char text[] =
		"{\"n\":1}{\"n\":2} {\"n\":3}\r\n{\"n\":\"}{\"}\n\n{\"n\":6}{\"n\":7}x{\"n\":0}\n"
		"junk\n{\"n\":{\"a\":{}}}\n{\"n\":11}{\"n\":12}";
	struct rv_store_put put = { 0 };
	struct world w;

	world_open(&w, "web/clicks");
	char name[] = FIREHOSE "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9";

	assert_ok(&w, rv_store_put_bytes(w.store, name, text, sizeof(text) - 1, &put, &w.err));
	struct rv_load item = world_load(&w, name);

	assert_int_equal(item.state, RV_LOAD_PARTIAL);
	assert_int_equal(item.rows, 9);
	assert_int_equal(item.rejected, 2);
	assert_non_null(strstr(item.message, "line 8: "));
	assert_answer(&w, "select string_agg(file_row || record, ' ' order by file_row) from web.clicks",
		      "\"1{\"\"n\"\":1} 2{\"\"n\"\":2} 3{\"\"n\"\":3} 4{\"\"n\"\":\"\"}{\"\"} "
		      "6{\"\"n\"\":6} 7{\"\"n\"\":7} 10{\"\"n\"\":{\"\"a\"\":{}}} "
		      "11{\"\"n\"\":11} 12{\"\"n\"\":12}\";");
	world_close(&w);
}

/* The same over many blocks of river's reading, on one endless line and on lines of any length. */
static void test_firehose_joined(void **state RV_UNUSED)
{
	for (unsigned every = 0; every < 3; every++) {
		struct rv_strbuf text = RV_STRBUF_INIT;
		struct rv_store_put put = { 0 };
		struct world w;

		for (unsigned i = 1; i <= 100000; i++)
			rv_strbuf_printf(&text, "{\"n\":%u,\"text\":\"}{ padding padding\"}%s", i,
					 every && i % (every * 7) == 0 ? "\n" : "");
		world_open(&w, "web/clicks");
		char name[] = FIREHOSE "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9";

		assert_ok(&w, rv_store_put_bytes(w.store, name, text.bytes, text.len, &put, &w.err));
		struct rv_load item = world_load(&w, name);

		assert_int_equal(item.state, RV_LOAD_LOADED);
		assert_int_equal(item.rows, 100000);
		assert_answer(&w, "select count(*), count(distinct file_row), min(file_row),"
				  " max(file_row), bool_and(file_row = (record->>'n')::int)"
				  " from web.clicks", "100000,100000,1,100000,true;");
		rv_strbuf_release(&text);
		world_close(&w);
	}
}

/* ---- a store that is hard to reach ---- */

#define OBJECTS 12
struct far_away {
	struct world w;
	struct flaky store;
	struct rv_load items[OBJECTS];
};

static void go_far_away(struct far_away *f)
{
	world_open(&f->w, "web/clicks");
	flaky_init(&f->store, f->w.store);
	for (unsigned i = 0; i < OBJECTS; i++)
		f->items[i] = (struct rv_load){
			.object = world_object(&f->w, "r", i, "{\"a\":1}\n{\"a\":2}\n") };
	rv_warehouse_free(f->w.warehouse);
	struct rv_duckdb_params params = { .path = f->w.path, .lock_timeout_ms = 600000, .threads = 2 };

	f->w.warehouse = rv_warehouse_duckdb_new(&params, &f->store.base);
}

static enum rv_status load_far_away(struct far_away *f)
{
	for (unsigned i = 0; i < OBJECTS; i++) {
		free(f->items[i].message);
		f->items[i] = (struct rv_load){ .object = f->items[i].object };
	}
	f->store.reads = 0;
	return f->w.warehouse->ops->load(f->w.warehouse, &f->w.stream, f->items, OBJECTS, NULL,
					 &f->w.err);
}

static void come_back(struct far_away *f)
{
	for (unsigned i = 0; i < OBJECTS; i++)
		rv_load_release(&f->items[i]);
	world_close(&f->w);
}

/* An object that breaks off costs itself alone, stays pending, and is named. A load asks for each object
 * once and for nothing else. */
static void test_read_breaks(void **state RV_UNUSED)
{
	struct far_away f;

	go_far_away(&f);
	f.store.bad = "r-000007";
	f.store.bad_times = 100;
	f.store.bad_status = RV_FAILED;
	assert_ok(&f.w, load_far_away(&f));
	assert_true(f.store.reads <= 2 * OBJECTS);
	for (unsigned i = 0; i < OBJECTS; i++)
		assert_int_equal(f.items[i].state, i == 7 ? RV_LOAD_FAILED : RV_LOAD_LOADED);
	assert_non_null(strstr(f.items[7].message, "the connection broke"));
	assert_int_equal(counts(&f.w).raw, 2 * (OBJECTS - 1));
	assert_answer(&f.w, "select count(*), bool_and(object like '%r-000007-%' and message like "
			    "'%the connection broke') from _river.loads where status = 'failed'",
		      "1,true;");
	f.store.bad = NULL;
	assert_ok(&f.w, load_far_away(&f));
	assert_int_equal(f.store.reads, 1);
	assert_int_equal(f.store.heads + f.store.lists, 0);
	assert_int_equal(f.items[7].state, RV_LOAD_LOADED);
	assert_int_equal(counts(&f.w).raw, 2 * OBJECTS);
	assert_answer(&f.w, "select count(*) from _river.loads where status = 'failed'", "0;");
	come_back(&f);
}

/* Two bad objects side by side and one apart; the good ones between them are loaded. */
static void test_reads_break(void **state RV_UNUSED)
{
	struct far_away f;

	go_far_away(&f);
	f.store.bad = "r-00000"; /* of 10 of them the first two reads */
	f.store.bad_times = 2;
	f.store.bad_status = RV_AUTH;
	assert_ok(&f.w, load_far_away(&f));
	assert_int_equal(f.items[0].state, RV_LOAD_FAILED);
	assert_int_equal(f.items[1].state, RV_LOAD_FAILED);
	for (unsigned i = 2; i < OBJECTS; i++)
		assert_int_equal(f.items[i].state, RV_LOAD_LOADED);
	assert_true(f.store.reads <= 2 * OBJECTS);
	assert_ok(&f.w, load_far_away(&f));
	assert_int_equal(counts(&f.w).raw, 2 * OBJECTS);
	come_back(&f);
}

/* When nothing can be read any more, the load ends with the reason instead of failing object by
 * object; what was read before it is loaded, and the rest is as it was. */
static void test_store_goes_away(void **state RV_UNUSED)
{
	struct far_away f;

	go_far_away(&f);
	f.store.bad = "r-00001"; /* the last two */
	f.store.bad_times = UINT32_MAX;
	f.store.bad_status = RV_AUTH;
	assert_ok(&f.w, load_far_away(&f));
	assert_int_equal(counts(&f.w).raw, 2 * (OBJECTS - 2));
	f.store.bad = "r-0000";
	assert_ok(&f.w, f.w.warehouse->ops->drop(f.w.warehouse, &f.w.stream, &f.w.err));
	assert_int_equal(load_far_away(&f), RV_AUTH);
	assert_non_null(strstr(f.w.err.message, "3 objects in a row could not be read"));
	assert_int_equal(f.store.reads, 3);
	assert_int_equal(f.items[5].state, RV_LOAD_PENDING);
	assert_int_equal(counts(&f.w).raw, 0);
	f.store.bad = NULL;
	assert_ok(&f.w, load_far_away(&f));
	assert_int_equal(counts(&f.w).raw, 2 * OBJECTS);
	assert_int_equal(f.store.reads, OBJECTS);
	come_back(&f);
}

#define A "{\"a\":1,\"_river\":{\"id\":\"run-000001-1\"}}\n"
#define B "{\"a\":2,\"_river\":{\"id\":\"run-000001-2\"}}\n"
#define C "{\"a\":3,\"_river\":{\"id\":\"run-000001-3\"}}\n"
#define D "{\"_river\":{\"id\":\"run-000002-1\"}}\n"

static void put_text(struct world *w, const char *name, const char *text)
{
	struct rv_store_put put = { 0 };

	assert_ok(w, rv_store_put_bytes(w->store, name, text, strlen(text), &put, &w->err));
}

static enum rv_status add_stamps(void *arg, const struct rv_loaded_stamps *stamps,
				 struct rv_error *err RV_UNUSED)
{
	const struct rv_stamp_range *r = &stamps->range;

	rv_strbuf_printf(arg, "%.3s %s %d %d-%d;", strrchr(stamps->object, '/') + 1, stamps->run,
			 (int)r->seq, (int)r->from, (int)r->to);
	return RV_OK;
}

static void assert_stamps(struct world *w, const char *wanted)
{
	struct rv_strbuf text = RV_STRBUF_INIT;

	assert_ok(w, w->warehouse->ops->stamps(w->warehouse, &w->stream, add_stamps, &text, &w->err));
	assert_string_equal(text.bytes, wanted);
	rv_strbuf_release(&text);
}

static enum rv_status keep_largest(void *arg, const struct rv_load *load,
				   struct rv_error *err RV_UNUSED)
{
	if (load->rows > ((struct rv_load *)arg)->rows)
		*(struct rv_load *)arg = *load;
	return RV_OK;
}

/* What is stamped is noted by object, in whatever order it came and however often; names and set hashes
 * are of the records without. */
static void test_stamps(void **state RV_UNUSED)
{
	char firehose[] = FIREHOSE "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9";
	struct world w;

	world_open(&w, "web/clicks");
	w.stream.stamp = RV_STAMP_ID;
	w.stream.layers = RV_LAYER_RAW;
	assert_stamps(&w, "");
	char *own = world_object_named(&w, "run", 2, D, "{}\n");
	put_text(&w, firehose, C A "junk\n{\"a\":9}\n" B "{}" A C);
	struct rv_load item = world_load(&w, own);

	assert_int_equal(item.state, RV_LOAD_LOADED);
	assert_stamps(&w, "run run 2 1-1;");
	item = world_load(&w, firehose);
	assert_int_equal(item.state, RV_LOAD_PARTIAL);
	assert_int_equal(item.rows, 7);
	assert_stamps(&w, "run run 2 1-1;riv run 1 1-3;riv run 1 1-1;riv run 1 3-3;");
	/* Raw has what landed, and --verify's hashes are of what was pushed. */
	assert_answer(&w, "select count(*) from web.clicks where record::varchar like '%_river%'", "6;");
	assert_answer(&w, "select record from web.clicks where record::varchar like '%000002%'",
		      "\"{\"\"_river\"\":{\"\"id\"\":\"\"run-000002-1\"\"}}\";");
	static const char *const pushed[] = { "{\"a\":3}", "{\"a\":1}", "{\"a\":9}", "{\"a\":2}",
					      "{}", "{\"a\":1}", "{\"a\":3}" };
	uint64_t hash = 0;
	struct rv_load present = { 0 };

	for (size_t i = 0; i < sizeof(pushed) / sizeof(*pushed); i++)
		hash += XXH3_64bits(pushed[i], strlen(pushed[i]));
	assert_true(item.set_hash == hash);
	assert_ok(&w, w.warehouse->ops->present(w.warehouse, &w.stream, true, keep_largest, &present,
						&w.err));
	assert_true(present.set_hash == hash && present.whole_hash != hash);
	free(own);
	assert_ok(&w, w.warehouse->ops->drop(w.warehouse, &w.stream, &w.err));
	assert_stamps(&w, "");
	world_close(&w);
}

/* A definition that was changed since does not make what landed wrong. */
static void test_stamps_of_another_time(void **state RV_UNUSED)
{
	struct world w;

	world_open(&w, "web/clicks");
	char *stamped = world_object_named(&w, "a", 1, A, "{\"a\":1}\n");
	char *copied = world_object_named(&w, "b", 1, A B, A B);
	char *forged = world_object_named(&w, "c", 1, A, "{\"a\":2}\n");

	assert_int_equal(world_load(&w, stamped).state, RV_LOAD_LOADED);
	assert_int_equal(world_load(&w, copied).state, RV_LOAD_LOADED);
	assert_int_equal(world_load(&w, forged).state, RV_LOAD_FAILED);
	assert_stamps(&w, ""); /* of a stream that is not stamped, records are only records */
	free(stamped);
	free(copied);
	free(forged);
	world_close(&w);
}

/* A file that an earlier river made is read, and gets what it lacks from the first load. */
static void test_older_file(void **state RV_UNUSED)
{
	char firehose[] = FIREHOSE "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9";
	struct world w;
	struct rv_strbuf rows = RV_STRBUF_INIT;

	world_open(&w, "web/clicks");
	char *own = world_object(&w, "a", 1, "{\"a\":1}\n");

	assert_int_equal(world_load(&w, own).state, RV_LOAD_LOADED);
	assert_ok(&w, w.warehouse->ops->query(w.warehouse,
					      "drop table _river.stamps;"
					      "update _river.format set version = 1",
					      true, world_csv, &rows, &w.err));
	assert_stamps(&w, "");
	assert_int_equal(counts(&w).raw, 1);
	put_text(&w, firehose, A B);
	assert_int_equal(world_load(&w, firehose).state, RV_LOAD_LOADED);
	assert_stamps(&w, "riv run 1 1-2;");
	assert_answer(&w, "select version from _river.format", "2;");
	rv_strbuf_release(&rows);
	free(own);
	world_close(&w);
}

/* A million records out of order are noted in as many ranges as there are gaps. */
static void test_many_stamps(void **state RV_UNUSED)
{
	char firehose[] = FIREHOSE "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9";
	struct rv_strbuf text = RV_STRBUF_INIT;
	struct world w;

	world_open(&w, "web/clicks");
	for (unsigned i = 0; i < 50000; i++) /* every number but 25000, halves in turn */
		if (i != 49999)
			rv_strbuf_printf(&text, "{\"_river\":{\"id\":\"run-000001-%u\"}}\n",
					 (i % 2 ? 25000 : 0) + i / 2 + 1);
	for (unsigned i = 0; i < 3000; i++) /* more rows than one statement takes */
		rv_strbuf_printf(&text, "{\"_river\":{\"id\":\"run-000002-%u\"}}\n", 2 * i + 1);
	put_text(&w, firehose, text.bytes);
	assert_int_equal(world_load(&w, firehose).rows, 52999);
	assert_answer(&w, "select seq, count(*), min(n_from), max(n_to), sum(n_to - n_from + 1)::int "
			  "from _river.stamps group by seq order by seq",
		      "1,1,1,49999,49999;2,3000,1,5999,3000;");
	rv_strbuf_release(&text);
	world_close(&w);
}

/* Processes that load the same objects at once: none fails, nothing doubles. */
static void test_197_loaders_at_once(void **state)
{
	struct world w;
	struct rv_load items[6] = { 0 };
	pid_t pids[3];
	(void)state;

	world_open(&w, "web/clicks");
	for (unsigned i = 0; i < 6; i++)
		items[i].object = world_object(&w, "r", i, "{\"a\":1}\n{\"a\":2}\n");
	for (int k = 0; k < 3; k++) {
		pids[k] = fork();
		if (pids[k] == 0) {
			for (int i = 0; i < 6; i++) {
				struct rv_load *item = &items[(i + k * 2) % 6];

				if (w.warehouse->ops->load(w.warehouse, &w.stream, item, 1, NULL,
							   &w.err) != RV_OK ||
				    (item->state != RV_LOAD_LOADED && item->state != RV_LOAD_KNOWN))
					_exit(1);
			}
			_exit(0);
		}
	}
	for (int k = 0; k < 3; k++) {
		int status = -1;

		assert_int_equal(waitpid(pids[k], &status, 0), pids[k]);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
	}
	assert_int_equal(counts(&w).raw, 12);
	for (int i = 0; i < 6; i++)
		rv_load_release(&items[i]);
	world_close(&w);
}

static bool die_late(void *arg, uint64_t rows, uint64_t bytes)
{
	(void)arg, (void)bytes;
	if (rows > 0)
		kill(getpid(), SIGKILL);
	return true;
}

/* Killed in the middle of a transaction and right behind one: the next load finishes the job. */
static void test_killed_and_again(void **state)
{
	struct world w;
	struct rv_load items[2] = { 0 };
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	(void)state;

	world_open(&w, "web/clicks");
	for (unsigned i = 0; i < 300000; i++)
		rv_strbuf_printf(&text, "{\"n\":%u}\n", i);
	items[0].object = world_object(&w, "r", 1, text.bytes);
	items[1].object = world_object(&w, "r", 2, "{\"z\":1}\n");
	pid_t pid = fork();

	if (pid == 0) {
		const struct rv_load_params params = { .progress = die_late };

		if (w.warehouse->ops->load(w.warehouse, &w.stream, items, 2, &params, &w.err) != RV_OK)
			_exit(1);
		_exit(0);
	}
	int status = 0;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_ok(&w, w.warehouse->ops->load(w.warehouse, &w.stream, items, 2, NULL, &w.err));
	assert_int_equal(counts(&w).raw, 300001);
	rv_load_release(&items[0]);
	rv_load_release(&items[1]);
	world_close(&w);
}

static void test_drop_and_rebuild(void **state)
{
	struct world w;
	(void)state;

	world_open(&w, "web/clicks");
	char *a = world_object(&w, "r", 1, "{\"a\":1}\n");

	world_load(&w, a);
	assert_ok(&w, w.warehouse->ops->drop(w.warehouse, &w.stream, &w.err));
	assert_int_equal(counts(&w).raw, 0);
	assert_int_equal(world_load(&w, a).state, RV_LOAD_LOADED);
	assert_int_equal(counts(&w).raw, 1);
	free(a);
	world_close(&w);
}

static void test_197_not_a_database(void **state)
{
	struct world w;
	struct rv_warehouse_counts c;
	(void)state;

	world_open(&w, "web/clicks");
	char junk[5000];

	memset(junk, 'x', sizeof(junk));
	assert_ok(&w, rv_replace_file(w.path, junk, sizeof(junk), 0, &w.err));
	assert_int_equal(w.warehouse->ops->count(w.warehouse, &w.stream, &c, &w.err), RV_DAMAGED);
	assert_non_null(strstr(w.err.message, "web.duckdb"));
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loads_once),
		cmocka_unit_test(test_many_and_large),
		cmocka_unit_test(test_larger_than_memory_limit),
		cmocka_unit_test(test_row_groups),
		cmocka_unit_test(test_present_hashes),
		cmocka_unit_test(test_wrong_content_fails_alone),
		cmocka_unit_test(test_damaged_and_missing),
		cmocka_unit_test(test_167_same_run_and_seq_is_refused),
		cmocka_unit_test(test_foreign_lines),
		cmocka_unit_test(test_firehose_lines),
		cmocka_unit_test(test_firehose_joined),
		cmocka_unit_test(test_read_breaks),
		cmocka_unit_test(test_reads_break),
		cmocka_unit_test(test_store_goes_away),
		cmocka_unit_test(test_stamps),
		cmocka_unit_test(test_stamps_of_another_time),
		cmocka_unit_test(test_older_file),
		cmocka_unit_test(test_many_stamps),
		cmocka_unit_test(test_197_loaders_at_once),
		cmocka_unit_test(test_killed_and_again),
		cmocka_unit_test(test_drop_and_rebuild),
		cmocka_unit_test(test_197_not_a_database),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Reconcile over a lake in memory and a warehouse that says what the test tells it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flaky_store.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "flow/object_name.h"
#include "flow/receipt.h"
#include "flow/reconcile.h"
#include "format/record_hash.h"
#include "spool/run.h"
#include "spool/state.h"

#define NOW_MS INT64_C(1795190400000) /* 2026-11-20T16:00:00Z */
#define HOUR_MS 3600000
#define LOADS 16

/* ---- a warehouse ---- */

struct fake {
	struct rv_warehouse base;
	struct rv_load ledger[LOADS], raw[LOADS];
	size_t ledger_count, raw_count;
	struct rv_warehouse_counts counts;
	struct rv_loaded_stamps stamps[LOADS];
	size_t stamps_count;
	enum rv_status begin;
	void (*meanwhile)(void *arg); /* what happens while it is being asked */
	void *arg;
};

static enum rv_status fake_begin(struct rv_warehouse *w, bool writing, struct rv_error *err)
{
	struct fake *fake = (struct fake *)w;
	assert_false(writing);
	if (fake->meanwhile)
		fake->meanwhile(fake->arg);
	return fake->begin == RV_OK ? RV_OK : rv_fail(err, fake->begin, "no engine here");
}

static void fake_end(struct rv_warehouse *w RV_UNUSED)
{
}

static enum rv_status fake_history(struct rv_warehouse *w, const struct rv_stream *stream RV_UNUSED,
				   enum rv_status (*each)(void *, const struct rv_load *,
							  struct rv_error *),
				   void *arg, struct rv_error *err)
{
	struct fake *fake = (struct fake *)w;
	for (size_t i = 0; i < fake->ledger_count; i++)
		if (each(arg, &fake->ledger[i], err) != RV_OK)
			return err->status;
	return RV_OK;
}

static enum rv_status fake_present(struct rv_warehouse *w, const struct rv_stream *stream RV_UNUSED,
				   bool hash,
				   enum rv_status (*each)(void *, const struct rv_load *,
							  struct rv_error *),
				   void *arg, struct rv_error *err)
{
	struct fake *fake = (struct fake *)w;
	for (size_t i = 0; i < fake->raw_count; i++) {
		struct rv_load load = fake->raw[i];
		if (!hash)
			load.set_hash = 0;
		if (each(arg, &load, err) != RV_OK)
			return err->status;
	}
	return RV_OK;
}

static enum rv_status fake_stamps(struct rv_warehouse *w, const struct rv_stream *stream RV_UNUSED,
				  enum rv_status (*each)(void *, const struct rv_loaded_stamps *,
							 struct rv_error *),
				  void *arg, struct rv_error *err)
{
	struct fake *fake = (struct fake *)w;
	for (size_t i = 0; i < fake->stamps_count; i++)
		if (each(arg, &fake->stamps[i], err) != RV_OK)
			return err->status;
	return RV_OK;
}

/* Its layers follow when they are told to. */
static enum rv_status fake_load(struct rv_warehouse *w, const struct rv_stream *stream RV_UNUSED,
				struct rv_load *items, size_t count, const struct rv_load_params *params,
				struct rv_error *err RV_UNUSED)
{
	struct rv_warehouse_counts *counts = &((struct fake *)w)->counts;
	assert_null(items);
	assert_int_equal(count, 0);
	assert_true(params->wait);
	counts->clean = counts->raw - counts->duplicates - counts->refused;
	return RV_OK;
}

static enum rv_status fake_count(struct rv_warehouse *w, const struct rv_stream *stream RV_UNUSED,
				 struct rv_warehouse_counts *ret, struct rv_error *err RV_UNUSED)
{
	*ret = ((struct fake *)w)->counts;
	return RV_OK;
}

static const struct rv_warehouse_ops fake_ops = {
	.name = "fake",
	.begin = fake_begin,
	.end = fake_end,
	.load = fake_load,
	.history = fake_history,
	.present = fake_present,
	.stamps = fake_stamps,
	.count = fake_count,
};

/* ---- a world ---- */

struct world {
	char folder[64];
	struct rv_store *lake;
	struct rv_stream stream;
	struct fake warehouse;
	struct rv_reconcile_params params;
	struct rv_reconcile report;
	struct rv_error err;
};

static int set_up(void **state)
{
	struct world *w = rv_calloc(1, sizeof(*w));
	snprintf(w->folder, sizeof(w->folder), "/tmp/river-test-XXXXXX");
	assert_non_null(mkdtemp(w->folder));
	w->lake = rv_store_mem_new();
	rv_stream_init(&w->stream);
	assert_int_equal(rv_stream_parse_name("web/clicks", &w->stream, &w->err), RV_OK);
	snprintf(w->stream.id, sizeof(w->stream.id), "01jd0000000000000000000000");
	w->warehouse.base.ops = &fake_ops;
	w->params = (struct rv_reconcile_params){
		.stream = &w->stream,
		.lake = w->lake,
		.state_dir = w->folder,
		.warehouse = &w->warehouse.base,
		.now_ms = NOW_MS,
	};
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	rv_reconcile_release(&w->report);
	for (size_t i = 0; i < w->warehouse.ledger_count; i++)
		rv_load_release(&w->warehouse.ledger[i]);
	for (size_t i = 0; i < w->warehouse.raw_count; i++)
		free(w->warehouse.raw[i].object);
	rv_store_free(w->lake);
	rv_stream_release(&w->stream);
	assert_int_equal(rv_remove_tree(w->folder, &w->err), RV_OK);
	free(w);
	return 0;
}

static void put(struct world *w, const char *name, const char *bytes)
{
	struct rv_store_put none = { .if_absent = false };
	assert_int_equal(rv_store_put_bytes(w->lake, name, bytes, strlen(bytes), &none, &w->err), RV_OK);
}

static void drop(struct world *w, const char *name)
{
	assert_int_equal(w->lake->ops->remove(w->lake, name, NULL, &w->err), RV_OK);
}

/* The name of an object that holds `records` (lines). */
static void name_object(const char *folder, const char *run, uint64_t seq, const char *records,
			struct rv_object_name *ret)
{
	*ret = (struct rv_object_name){ .seq = seq, .compression = RV_OUTPUT_NONE,
					.business = "web", .stream = "clicks" };
	snprintf(ret->folder, sizeof(ret->folder), "%s", folder);
	snprintf(ret->run, sizeof(ret->run), "%s", run);
	for (const char *p = records; *p; p = strchr(p, '\n') + 1) {
		ret->records++;
		ret->set_hash += rv_record_hash(p, (size_t)(strchr(p, '\n') - p));
	}
}

#define FOLDER "dt=2026-11-20/hr=15"
#define ONE "{\"n\":1}\n"
#define TWO "{\"n\":2}\n{\"n\":3}\n"

struct object {
	struct rv_object_name name;
	char text[RV_OBJECT_NAME_MAX];
	size_t bytes;
};

static struct object land_in(struct world *w, const char *folder, const char *run, uint64_t seq,
			     const char *records)
{
	struct object o = { .bytes = strlen(records) };
	name_object(folder, run, seq, records, &o.name);
	rv_object_name_format(&o.name, o.text);
	put(w, o.text, records);
	return o;
}

static struct object land(struct world *w, const char *run, uint64_t seq, const char *records)
{
	return land_in(w, FOLDER, run, seq, records);
}

/* A closed receipt of these objects. */
static void close_run(struct world *w, const char *day, const char *run, const struct object *objects,
		      size_t count, uint64_t rejected)
{
	struct rv_receipt_name name = { .business = "web", .stream = "clicks", .rejected = rejected,
					.batches = count };
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf list = RV_STRBUF_INIT;
	char text[RV_OBJECT_NAME_MAX];
	snprintf(name.day, sizeof(name.day), "%s", day);
	snprintf(name.run, sizeof(name.run), "%s", run);
	for (size_t i = 0; i < count; i++) {
		name.accepted += objects[i].name.records;
		name.set_hash += objects[i].name.set_hash;
		rv_strbuf_printf(&list, "%s\"%s\"", i ? "," : "", objects[i].text);
	}
	rv_receipt_name_format(&name, text);
	RV_CLEANUP(rv_free_p)
	char *document = rv_asprintf("{\"v\":1,\"read\":%d,\"accepted\":%d,\"rejected\":%d,"
				     "\"hash\":\"%016llx\",\"objects\":[%s]}",
				     (int)(name.accepted + rejected), (int)name.accepted,
				     (int)rejected, (unsigned long long)name.set_hash, list.bytes);
	put(w, text, document);
}

static void load(struct world *w, const struct object *o)
{
	struct fake *fake = &w->warehouse;
	struct rv_load row = { .bytes = o->bytes, .state = RV_LOAD_KNOWN, .rows = o->name.records,
			       .set_hash = o->name.set_hash, .loaded_ms = NOW_MS };
	assert_true(fake->ledger_count < LOADS);
	row.object = rv_strdup(o->text);
	fake->ledger[fake->ledger_count++] = row;
	row.object = rv_strdup(o->text);
	fake->raw[fake->raw_count++] = row;
	fake->counts.raw += row.rows;
}

static const struct rv_reconcile *look(struct world *w)
{
	rv_reconcile_release(&w->report);
	if (rv_reconcile(&w->params, &w->report, &w->err) != RV_OK)
		fail_msg("%s", w->err.message);
	return &w->report;
}

/* The only finding above `noted`. */
static const struct rv_finding *only(const struct rv_reconcile *r, enum rv_finding_code code)
{
	if (r->levels[RV_FINDING_WRONG] + r->levels[RV_FINDING_LATE] != 1 || !r->findings_count ||
	    r->findings[0].code != code) {
		for (size_t i = 0; i < r->findings_count; i++)
			print_message("%s: %s\n", rv_finding_name(r->findings[i].code),
				      r->findings[i].message);
		fail_msg("wanted one %s", rv_finding_name(code));
	}
	return &r->findings[0];
}

static const struct rv_finding *find(const struct rv_reconcile *r, enum rv_finding_code code)
{
	for (size_t i = 0; i < r->findings_count; i++)
		if (r->findings[i].code == code)
			return &r->findings[i];
	fail_msg("no %s", rv_finding_name(code));
	return NULL;
}

/* Two objects of one run, landed, closed and loaded. */
static void lay_out(struct world *w, struct object objects[2])
{
	objects[0] = land(w, "run1", 0, ONE);
	objects[1] = land(w, "run1", 1, TWO);
	close_run(w, "2026-11-20", "run1", objects, 2, 0);
	load(w, &objects[0]);
	load(w, &objects[1]);
}

/* ---- tests ---- */

static void test_nothing(void **state)
{
	const struct rv_reconcile *r = look(*state);
	assert_true(r->all_once);
	assert_int_equal(r->findings_count, 0);
	assert_int_equal(r->lag_ms, -1);
}

static void test_all_once(void **state)
{
	struct world *w = *state;
	struct object o[2];
	lay_out(w, o);
	for (int verify = 0; verify < 2; verify++) {
		w->params.verify = verify;
		const struct rv_reconcile *r = look(w);
		assert_int_equal(r->findings_count, 0);
		assert_true(r->all_once);
		assert_int_equal(r->accepted, 3);
		assert_int_equal(r->batches, 2);
		assert_int_equal(r->landed.records, 3);
		assert_int_equal(r->landed.objects, 2);
		assert_true(r->landed.set_hash == o[0].name.set_hash + o[1].name.set_hash);
		assert_int_equal(r->loaded.records, 3);
		assert_int_equal(r->present, 3);
		assert_int_equal(r->lag_ms, 0);
	}
}

static void test_deleted_object_of_the_ledger(void **state)
{
	struct world *w = *state;
	struct object o[2];
	lay_out(w, o);
	drop(w, o[1].text);
	const struct rv_reconcile *r = look(w);
	assert_false(r->all_once);
	const struct rv_finding *f = find(r, RV_FINDING_OBJECT_MISSING);
	assert_string_equal(f->object, o[1].text);
	assert_string_equal(f->run, "run1");
	assert_int_equal(f->expected, 2);
	assert_int_equal(r->found[RV_FINDING_OBJECT_MISSING], 1);
	f = find(r, RV_FINDING_RUN_DIFFERS);
	assert_int_equal(f->expected, 3);
	assert_int_equal(f->found, 1);
}

/* Never loaded: only the receipt knows that it was there. */
static void test_deleted_object_of_the_receipt(void **state)
{
	struct world *w = *state;
	struct object o[2] = { land(w, "run1", 0, ONE), land(w, "run1", 1, TWO) };
	close_run(w, "2026-11-20", "run1", o, 2, 0);
	drop(w, o[0].text);
	w->params.warehouse = NULL;
	const struct rv_finding *f = find(look(w), RV_FINDING_OBJECT_MISSING);
	assert_string_equal(f->object, o[0].text);
}

static void test_added_objects(void **state)
{
	struct world *w = *state;
	struct object o[2];
	lay_out(w, o);
	put(w, "data/web/clicks/dt=2026-11-20/hr=15/extra.json", "{}\n");
	const struct rv_finding *f = only(look(w), RV_FINDING_OBJECT_FOREIGN);
	assert_string_equal(f->object, "data/web/clicks/dt=2026-11-20/hr=15/extra.json");
	assert_null(f->run);
	assert_int_equal(w->report.foreign.objects, 1);
	drop(w, "data/web/clicks/dt=2026-11-20/hr=15/extra.json");

	struct object added = land(w, "run9", 0, ONE); /* a good name, and nobody's */
	load(w, &added);
	f = only(look(w), RV_FINDING_OBJECT_FOREIGN);
	assert_string_equal(f->object, added.text);
	assert_string_equal(f->run, "run9");
	drop(w, added.text);
	free(w->warehouse.ledger[--w->warehouse.ledger_count].object);
	free(w->warehouse.raw[--w->warehouse.raw_count].object);
	w->warehouse.counts.raw--;

	added = land(w, "run1", 2, ONE); /* slipped into a run */
	load(w, &added);
	assert_string_equal(find(look(w), RV_FINDING_OBJECT_FOREIGN)->object, added.text);
	find(&w->report, RV_FINDING_RUN_DIFFERS);
}

static void test_same_number_twice(void **state)
{
	struct world *w = *state;
	struct object o[2];
	lay_out(w, o);
	struct object again = land(w, "run1", 1, ONE);
	const struct rv_finding *f = find(look(w), RV_FINDING_SEQUENCE_TWICE);
	assert_string_equal(f->run, "run1");
	assert_int_equal(f->seq, 1);
	assert_non_null(strstr(f->message, again.text));
	assert_non_null(strstr(f->message, o[1].text));
}

static void test_rows_by_hand(void **state)
{
	struct world *w = *state;
	struct object o[2];
	lay_out(w, o);
	w->warehouse.raw[1].rows = 1;
	const struct rv_finding *f = only(look(w), RV_FINDING_ROWS_MISSING);
	assert_string_equal(f->object, o[1].text);
	assert_int_equal(f->expected, 2);
	assert_int_equal(f->found, 1);
	w->warehouse.raw[1].rows = 5;
	assert_int_equal(only(look(w), RV_FINDING_ROWS_ADDED)->found, 5);
	/* All of them: the group is not there at all. */
	w->warehouse.raw_count--;
	assert_int_equal(only(look(w), RV_FINDING_ROWS_MISSING)->found, 0);
	w->warehouse.raw_count++;
	/* Only reading them tells. */
	w->warehouse.raw[1].rows = 2;
	w->warehouse.raw[1].set_hash ^= 1;
	assert_int_equal(look(w)->findings_count, 0);
	w->params.verify = true;
	assert_string_equal(only(look(w), RV_FINDING_ROWS_ALTERED)->object, o[1].text);
	w->params.verify = false;
	/* Rows of an object that was never loaded. */
	free(w->warehouse.ledger[--w->warehouse.ledger_count].object);
	assert_int_equal(find(look(w), RV_FINDING_ROWS_UNKNOWN)->found, 2);
}

/* Rows that were taken out on purpose are no loss, and a warehouse without hashes is not asked for them. */
static void test_retired_and_remote(void **state)
{
	static struct rv_warehouse_ops remote_ops;
	struct world *w = *state;
	struct object o[2];
	lay_out(w, o);
	w->warehouse.ledger[1].retired = 2;
	w->warehouse.raw_count--;
	const struct rv_reconcile *r = look(w);
	assert_int_equal(r->levels[RV_FINDING_WRONG], 0);
	assert_int_equal(r->retired, 2);
	assert_true(r->has_hashes);
	w->warehouse.raw_count++;
	assert_int_equal(only(look(w), RV_FINDING_ROWS_ADDED)->expected, 0);
	w->warehouse.ledger[1].retired = 0;
	w->warehouse.ledger[0].set_hash = w->warehouse.ledger[1].set_hash = 0;
	assert_non_null(find(look(w), RV_FINDING_LOAD_DIFFERS));
	remote_ops = *w->warehouse.base.ops;
	remote_ops.remote = true;
	w->warehouse.base.ops = &remote_ops;
	w->params.verify = true;
	r = look(w);
	assert_int_equal(r->findings_count, 0);
	assert_false(r->has_hashes);
	assert_true(r->all_once);
	/* What a pipe has in its queue has not arrived. */
	w->warehouse.ledger[1].state = RV_LOAD_QUEUED;
	free(w->warehouse.raw[--w->warehouse.raw_count].object);
	r = look(w);
	assert_int_equal(r->pending.objects, 1);
	assert_false(r->all_once);
}

/* Layers that follow by themselves may be behind, for a while; ahead they never are. */
static void test_layers_follow(void **state)
{
	static struct rv_warehouse_ops remote_ops;
	struct world *w = *state;
	struct object o[2];
	lay_out(w, o);
	remote_ops = *w->warehouse.base.ops;
	remote_ops.remote = true;
	w->warehouse.base.ops = &remote_ops;
	w->warehouse.counts.has_clean = true;
	w->warehouse.counts.clean = w->warehouse.counts.raw - 1;
	const struct rv_reconcile *r = look(w);
	assert_int_equal(r->findings[0].code, RV_FINDING_LAYERS_DIFFER);
	assert_int_equal(r->findings[0].level, RV_FINDING_NOTED);
	w->params.now_ms += w->stream.monitor_freshness_ms + 1;
	assert_non_null(only(look(w), RV_FINDING_LAYERS_DIFFER));
	w->params.refresh = true;
	assert_int_equal(look(w)->findings_count, 0);
	w->params.refresh = false;
	w->warehouse.counts.clean = w->warehouse.counts.raw + 1;
	w->params.now_ms = NOW_MS;
	assert_non_null(only(look(w), RV_FINDING_LAYERS_DIFFER));
}

static void test_altered_object(void **state)
{
	struct world *w = *state;
	struct object o[2];
	lay_out(w, o);
	put(w, o[1].text, "{\"n\":2}\n{\"n\":4}\n"); /* as long as before */
	assert_int_equal(look(w)->findings_count, 0);
	w->params.verify = true;
	assert_string_equal(only(look(w), RV_FINDING_OBJECT_ALTERED)->object, o[1].text);
	w->params.verify = false;
	put(w, o[1].text, "{\"n\":2}\n");
	assert_string_equal(only(look(w), RV_FINDING_OBJECT_ALTERED)->object, o[1].text);
}

static void test_layers(void **state)
{
	struct world *w = *state;
	struct object o[2];
	lay_out(w, o);
	w->warehouse.counts.has_clean = true;
	w->warehouse.counts.clean = 1;
	w->warehouse.counts.duplicates = 1;
	w->warehouse.counts.refused = 1;
	assert_int_equal(look(w)->findings_count, 0);
	w->warehouse.counts.clean = 0;
	const struct rv_finding *f = only(look(w), RV_FINDING_LAYERS_DIFFER);
	assert_int_equal(f->expected, 3);
	assert_int_equal(f->found, 2);
}

static void test_198_pending(void **state)
{
	struct world *w = *state;
	struct object o[2];
	lay_out(w, o);
	free(w->warehouse.ledger[--w->warehouse.ledger_count].object);
	free(w->warehouse.raw[--w->warehouse.raw_count].object);
	w->warehouse.counts.raw = 1;
	w->params.now_ms = rv_clock_ms(); /* the store knows when it landed: now, by its own clock */
	const struct rv_reconcile *r = look(w);
	assert_int_equal(r->pending.records, 2);
	assert_int_equal(r->levels[RV_FINDING_LATE], 0);
	assert_int_equal(r->findings[0].code, RV_FINDING_PENDING);
	assert_false(r->all_once);
	/* another clock that is ahead by minutes is nothing; by hours it is wrong, and says nothing of the age */
	int64_t landed_ms = r->oldest_pending_ms;
	w->params.now_ms = landed_ms - 10 * 60000;
	assert_int_equal(look(w)->levels[RV_FINDING_LATE], 0);
	w->params.now_ms = landed_ms - HOUR_MS;
	assert_non_null(strstr(only(look(w), RV_FINDING_PENDING)->message, "an unknown time ago"));
	assert_int_equal(w->report.findings[0].level, RV_FINDING_LATE);
	assert_int_equal(w->report.findings[0].age_ms, -1);
	r = look(w);
	w->params.now_ms = r->oldest_pending_ms + w->stream.monitor_freshness_ms + 1;
	assert_string_equal(only(look(w), RV_FINDING_PENDING)->object, o[1].text);
	assert_int_equal(w->report.findings[0].level, RV_FINDING_LATE);
	/* What failed is not pending. */
	w->warehouse.ledger[1] = (struct rv_load){ .object = rv_strdup(o[1].text),
						   .state = RV_LOAD_FAILED,
						   .message = rv_strdup("line 1: no") };
	w->warehouse.ledger_count = 2;
	assert_non_null(strstr(only(look(w), RV_FINDING_LOAD_FAILED)->message, "line 1: no"));
	assert_int_equal(w->report.pending.objects, 0);
	assert_int_equal(w->report.load_rejected.records, 2);
}

/* A run lands its second object and is closed, and both are loaded, while the warehouse is asked. */
static void finish_run(void *arg)
{
	struct world *w = arg;
	struct object o[2] = { land(w, "run2", 0, ONE), land(w, "run2", 1, TWO) };
	w->warehouse.meanwhile = NULL;
	close_run(w, "2026-11-20", "run2", o, 2, 0);
	drop(w, "_river/receipts/web/clicks/2026-11-20/run2-open.json");
	load(w, &o[1]);
}

static void test_in_flight(void **state)
{
	struct world *w = *state;
	put(w, "_river/receipts/web/clicks/2026-11-20/run2-open.json", "{\"host\":\"there\"}");
	struct object first = land(w, "run2", 0, ONE);
	load(w, &first);
	w->warehouse.meanwhile = finish_run;
	w->warehouse.arg = w;
	const struct rv_reconcile *r = look(w);
	assert_int_equal(r->levels[RV_FINDING_WRONG], 0);
	assert_int_equal(r->landed.records, 3);
	assert_true(r->all_once);
}

static void land_alone(void *arg)
{
	struct world *w = arg;
	w->warehouse.meanwhile = NULL;
	land(w, "run3", 0, ONE); /* its receipt went by between the listings */
}

static void test_new_run_in_flight_is_not_foreign(void **state)
{
	struct world *w = *state;
	w->warehouse.meanwhile = land_alone;
	w->warehouse.arg = w;
	w->params.now_ms = rv_clock_ms(); /* nothing of it is late */
	assert_int_equal(look(w)->levels[RV_FINDING_WRONG], 0);
	assert_false(w->report.all_once);
	/* Still without a receipt the next time: now it is. */
	only(look(w), RV_FINDING_OBJECT_FOREIGN);
}

static void test_open_run(void **state)
{
	struct world *w = *state;
	put(w, "_river/receipts/web/clicks/2026-11-20/run2-open.json", "{\"host\":\"there\"}");
	struct object o = land(w, "run2", 0, ONE);
	load(w, &o);
	w->params.now_ms = rv_clock_ms();
	const struct rv_reconcile *r = look(w);
	assert_false(r->all_once);
	assert_int_equal(r->runs_open, 1);
	assert_int_equal(r->findings[0].level, RV_FINDING_NOTED);
	assert_string_equal(r->findings[0].host, "there");
	w->params.now_ms = r->last_run_ms + w->stream.monitor_freshness_ms + 1;
	const struct rv_finding *f = only(look(w), RV_FINDING_RUN_OPEN);
	assert_int_equal(f->level, RV_FINDING_LATE);
	assert_string_equal(f->run, "run2");
}

static void test_rejects(void **state)
{
	struct world *w = *state;
	struct object o = land(w, "run-a", 0, ONE);
	close_run(w, "2026-11-20", "run-a", &o, 1, 3);
	load(w, &o);
	put(w, "_river/rejects/web/clicks/2026-11-20/run-a-000000-r2.ndjson", "x");
	const struct rv_finding *f = only(look(w), RV_FINDING_REJECTS_DIFFER);
	assert_int_equal(f->expected, 3);
	assert_int_equal(f->found, 2);
	put(w, "_river/rejects/web/clicks/2026-11-20/run-a-000001-r1.ndjson", "x");
	assert_int_equal(look(w)->findings_count, 0);
	assert_int_equal(w->report.rejects.records, 3);
	assert_int_equal(w->report.rejected, 3);
}

static void test_receipts(void **state)
{
	struct world *w = *state;
	struct object o[2];
	lay_out(w, o);
	close_run(w, "2026-11-20", "run1", o, 1, 0);
	find(look(w), RV_FINDING_RECEIPT_TWICE);
}

static void test_damaged_receipt(void **state)
{
	struct world *w = *state;
	struct object o = land(w, "run1", 0, ONE);
	close_run(w, "2026-11-20", "run1", &o, 1, 0);
	load(w, &o);
	char name[RV_OBJECT_NAME_MAX];
	struct rv_receipt_name receipt = { .business = "web", .stream = "clicks", .day = "2026-11-20",
					   .run = "run1", .accepted = 1, .batches = 1,
					   .set_hash = o.name.set_hash };
	rv_receipt_name_format(&receipt, name);
	put(w, name, "{\"v\":1,\"accepted\":2}");
	assert_int_equal(look(w)->findings_count, 0);
	w->params.verify = true;
	find(look(w), RV_FINDING_RECEIPT_DAMAGED);
}

/* Reads of these objects come to half, `times` times; RV_OK: and say nothing of it. */
static const struct rv_reconcile *look_garbled(struct world *w, struct flaky *store, const char *objects,
					       unsigned times, enum rv_status status)
{
	flaky_init(store, w->lake);
	store->bad = objects;
	store->bad_times = times;
	store->bad_status = status;
	w->params.lake = &store->base;
	const struct rv_reconcile *report = look(w);
	w->params.lake = w->lake;
	return report;
}

static void test_verify_goes_on(void **state)
{
	struct world *w = *state;
	struct object o[2];
	struct flaky store;
	const struct rv_reconcile *r;
	lay_out(w, o);
	w->params.verify = true;
	/* Once is the network's: read again. */
	const enum rv_status once[] = { RV_OK, RV_FAILED, RV_DAMAGED, RV_BAD_DATA, RV_AUTH };
	for (size_t i = 0; i < sizeof(once) / sizeof(*once); i++) {
		r = look_garbled(w, &store, "run1-000000", 1, once[i]);
		assert_int_equal(r->findings_count, 0);
		assert_int_equal(store.reads, 3);
		assert_true(r->all_once && !r->unread);
	}
	/* What comes twice lies there. */
	for (size_t i = 0; i < 4; i++) {
		if (once[i] == RV_FAILED)
			continue;
		r = look_garbled(w, &store, "run1-000000", 2, once[i]);
		assert_string_equal(only(r, RV_FINDING_OBJECT_ALTERED)->object, o[0].text);
		assert_int_equal(store.reads, 3);
	}
	/* What cannot be had is named; the other one is read. */
	r = look_garbled(w, &store, "run1-000000", 2, RV_AUTH);
	assert_string_equal(only(r, RV_FINDING_OBJECT_UNREAD)->object, o[0].text);
	assert_int_equal(store.reads, 3);
	assert_int_equal(r->unread, 1);
	assert_int_equal(r->unread_error.status, RV_AUTH);
	assert_non_null(strstr(r->unread_error.message, "run1-000000"));
	assert_false(r->all_once);
}

static void test_verify_gives_up(void **state)
{
	struct world *w = *state;
	struct object o[9];
	struct flaky store;
	for (uint64_t i = 0; i < 9; i++) {
		o[i] = land(w, "run1", i, ONE);
		load(w, &o[i]);
	}
	close_run(w, "2026-11-20", "run1", o, 9, 0);
	w->params.verify = true;
	const struct rv_reconcile *r = look_garbled(w, &store, "run1", 1000000, RV_FAILED);
	assert_int_equal(r->unread, 9);
	assert_int_equal(r->found[RV_FINDING_OBJECT_UNREAD], 6);
	assert_int_equal(store.reads, 10);
	bool told = false;
	for (size_t i = 0; i < r->findings_count; i++)
		told |= strstr(r->findings[i].message, "4 more objects were not read") != NULL;
	assert_true(told);
	/* Not in a row: all are tried. */
	r = look_garbled(w, &store, "run1-000002", 1000000, RV_FAILED);
	assert_int_equal(r->unread, 1);
	assert_int_equal(store.reads, 10);
}

static void test_older_is_summed(void **state)
{
	struct world *w = *state;
	struct object o[2];
	lay_out(w, o);
	struct object old = land_in(w, "dt=2026-11-01/hr=03", "run0", 0, TWO);
	close_run(w, "2026-11-01", "run0", &old, 1, 0);
	load(w, &old);
	w->params.since_day = "2026-11-13";
	const struct rv_reconcile *r = look(w);
	assert_int_equal(r->findings_count, 0);
	assert_int_equal(r->accepted, 5);
	assert_int_equal(r->loaded.records, 5);
	assert_int_equal(r->present, 5);
	assert_true(r->all_once);
	drop(w, old.text);
	r = look(w);
	assert_true(r->found[RV_FINDING_OLDER_DIFFERS] > 0);
	assert_int_equal(r->found[RV_FINDING_OBJECT_MISSING], 0);
	w->params.since_day = NULL;
	assert_string_equal(find(look(w), RV_FINDING_OBJECT_MISSING)->object, old.text);
}

/* ---- the spool ---- */

static struct rv_run *spool(struct world *w, struct rv_state *state, const char *name)
{
	struct rv_run *run = NULL;
	struct rv_batch_entry entry = { .records = 1, .record_bytes = 7, .bytes = 8 };
	struct object o = { .bytes = 8 };
	if (rv_state_open(state, w->folder, w->lake->url, &w->stream, &w->err) != RV_OK ||
	    rv_run_create(state, name, NOW_MS - HOUR_MS, &run, &w->err) != RV_OK)
		fail_msg("%s", w->err.message);
	run->pipe = true;
	free(run->source);
	run->source = rv_strdup("standard input");
	run->compression = RV_OUTPUT_NONE;
	assert_int_equal(rv_run_begin(run, &w->err), RV_OK);
	name_object(FOLDER, name, 0, ONE, &o.name);
	rv_object_name_format(&o.name, o.text);
	entry.name = rv_strdup(o.text);
	entry.set_hash = o.name.set_hash;
	assert_int_equal(rv_run_promise(run, &entry, &w->err), RV_OK);
	return run;
}

static void test_spooled(void **state_arg)
{
	struct world *w = *state_arg;
	RV_CLEANUP(rv_state_release) struct rv_state state = RV_STATE_INIT;
	struct rv_run *run = spool(w, &state, "run5");
	const struct rv_finding *f = only(look(w), RV_FINDING_SPOOLED);
	assert_int_equal(f->level, RV_FINDING_LATE);
	assert_string_equal(f->run, "run5");
	assert_true(f->has_seq);
	assert_int_equal(f->seq, 0);
	assert_non_null(f->host);
	assert_int_equal(f->age_ms, HOUR_MS);
	assert_int_equal(w->report.accepted, 1);
	assert_int_equal(w->report.spooled.records, 1);
	assert_false(w->report.all_once);
	/* It is in the lake, only the note of that is missing: landed, not spooled. */
	put(w, "_river/receipts/web/clicks/2026-11-20/run5-open.json", "{}");
	struct object o = land(w, "run5", 0, ONE);
	load(w, &o);
	assert_int_equal(look(w)->spooled.records, 0);
	assert_int_equal(w->report.landed.records, 1);
	/* The push is alive: it may be open. */
	assert_int_equal(w->report.levels[RV_FINDING_LATE], 0);
	/* The journal says landed, and it is not there. */
	assert_int_equal(rv_run_landed(run, 0, &w->err), RV_OK);
	drop(w, o.text);
	w->warehouse.ledger_count = w->warehouse.raw_count = 0;
	find(look(w), RV_FINDING_OBJECT_MISSING);
	free(w->warehouse.ledger[0].object);
	free(w->warehouse.raw[0].object);
	rv_run_free(run);
}

static void test_damaged_run(void **state_arg)
{
	struct world *w = *state_arg;
	RV_CLEANUP(rv_state_release) struct rv_state state = RV_STATE_INIT;
	struct rv_run *run = spool(w, &state, "run6");
	RV_CLEANUP(rv_free_p) char *path = rv_asprintf("%s/journal", run->folder);
	rv_run_free(run);
	assert_int_equal(rv_replace_file(path, "what\nis\nthis\n", 13, 0600, &w->err), RV_OK);
	const struct rv_finding *f = only(look(w), RV_FINDING_RUN_DAMAGED);
	assert_string_equal(f->run, "run6");
	/* Set aside by the next push. */
	RV_CLEANUP(rv_free_p) char *aside = rv_state_path(&state, "damaged");
	RV_CLEANUP(rv_free_p) char *from = rv_state_path(&state, "runs/run6");
	RV_CLEANUP(rv_free_p) char *to = rv_asprintf("%s/run6", aside);
	assert_int_equal(rv_make_folders(aside, 0700, &w->err), RV_OK);
	assert_int_equal(rename(from, to), 0);
	f = only(look(w), RV_FINDING_RUN_DAMAGED);
	assert_non_null(strstr(f->message, to));
}

/* ---- without ---- */

static void test_without_engine(void **state)
{
	struct world *w = *state;
	struct object o[2];
	lay_out(w, o);
	w->warehouse.begin = RV_NOT_FOUND;
	const struct rv_reconcile *r = look(w);
	assert_int_equal(r->warehouse_error.status, RV_NOT_FOUND);
	assert_false(r->has_warehouse);
	assert_int_equal(r->landed.records, 3);
	assert_int_equal(r->pending.records, 0);
	assert_int_equal(r->findings_count, 0);
}

/* Every operation of the lake that fails ends it, with that status and nothing leaked. */
static void test_lake_fails(void **state)
{
	struct world *w = *state;
	struct object o[2];
	lay_out(w, o);
	drop(w, o[1].text); /* so that the receipt is read, too */
	w->params.verify = true;
	look(w);
	for (uint64_t at = 1;; at++) {
		struct rv_reconcile report;
		rv_store_mem_fail(w->lake, at, false, RV_LOCAL_IO);
		enum rv_status status = rv_reconcile(&w->params, &report, &w->err);
		if (status == RV_OK) {
			assert_true(at > 6);
			rv_reconcile_release(&report);
			break;
		}
		assert_int_equal(status, RV_LOCAL_IO);
		assert_non_null(strstr(w->err.message, "failure on purpose"));
	}
}

static bool stop_now(void)
{
	return true;
}

static void test_stops(void **state)
{
	struct world *w = *state;
	struct object o[2];
	struct rv_reconcile report;
	lay_out(w, o);
	w->params.should_stop = stop_now;
	assert_int_equal(rv_reconcile(&w->params, &report, &w->err), RV_FAILED);
}

/* Findings are counted to the end, and kept to a limit. */
static void test_many(void **state)
{
	struct world *w = *state;
	for (int i = 0; i < RV_FINDINGS_KEPT + 500; i++) {
		char name[128];
		snprintf(name, sizeof(name), "data/web/clicks/foreign-%d", i);
		put(w, name, "");
	}
	const struct rv_reconcile *r = look(w);
	assert_int_equal(r->found[RV_FINDING_OBJECT_FOREIGN], RV_FINDINGS_KEPT + 500);
	assert_int_equal(r->levels[RV_FINDING_WRONG], RV_FINDINGS_KEPT + 500);
	assert_int_equal(r->findings_count, RV_FINDINGS_KEPT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* ---- Firehose ---- */

#define FIREHOSE                                                                                   \
	"data/web/clicks/" FOLDER "/river-web-clicks-1-2026-11-20-15-03-00-0a1b2c3d-4e5f-6071-8293-"

/* Two batches, of 1 and 2 records, that Firehose took: nothing lies under their names. */
static void take_run(struct world *w, const char *run, const char *delivery)
{
	struct object o[2] = { land(w, run, 0, ONE), land(w, run, 1, TWO) };
	RV_CLEANUP(rv_free_p) char *name = rv_asprintf(
		"_river/receipts/web/clicks/2026-11-20/%s-a3-x0-b2-h%016llx.json", run,
		(unsigned long long)(o[0].name.set_hash + o[1].name.set_hash));
	RV_CLEANUP(rv_free_p) char *document = rv_asprintf(
		"{\"v\":1,\"read\":3,\"accepted\":3,\"rejected\":0,\"hash\":\"%016llx\",%s"
		"\"objects\":[%s\"%s\",\"%s\"]}",
		(unsigned long long)(o[0].name.set_hash + o[1].name.set_hash), delivery,
		*delivery ? "],\"batches\":[" : "", o[0].text, o[1].text);
	drop(w, o[0].text);
	drop(w, o[1].text);
	put(w, name, document);
}
#define TAKEN "\"delivery\":\"firehose\","

static const char *firehose_name(unsigned n, char buf[200])
{
	snprintf(buf, 200, FIREHOSE "%012u", n);
	return buf;
}

/* What Firehose wrote, as loaded: `rows` of which those of the run's batch are stamped from..to. */
static void deliver(struct world *w, unsigned n, uint64_t rows, uint64_t rejected)
{
	char name[200];
	struct fake *fake = &w->warehouse;
	struct rv_load row = { .bytes = 3, .state = RV_LOAD_KNOWN, .rows = rows, .rejected = rejected,
			       .loaded_ms = NOW_MS };
	put(w, firehose_name(n, name), "{}\n");
	row.object = rv_strdup(name);
	fake->ledger[fake->ledger_count++] = row;
	row.object = rv_strdup(name);
	fake->raw[fake->raw_count++] = row;
	fake->counts.raw += rows;
}

static void stamped(struct world *w, unsigned n, const char *run, uint64_t seq, uint64_t from,
		    uint64_t to)
{
	static char names[8][200];
	struct fake *fake = &w->warehouse;
	fake->stamps[fake->stamps_count++] = (struct rv_loaded_stamps){
		.object = firehose_name(n, names[n]), .run = run, .range = { seq, from, to } };
}

static void set_stamped(struct world *w)
{
	w->stream.stamp = RV_STAMP_ID;
	w->params.delivery_buffer_ms = 60000;
	w->params.now_ms = rv_clock_ms() + 1000; /* the store's clock */
}

static void test_firehose_all_once(void **state)
{
	struct world *w = *state;
	set_stamped(w);
	take_run(w, "run1", TAKEN);
	deliver(w, 1, 2, 0);
	deliver(w, 2, 1, 0);
	stamped(w, 1, "run1", 0, 1, 1);
	stamped(w, 1, "run1", 1, 2, 2);
	stamped(w, 2, "run1", 1, 1, 1);
	const struct rv_reconcile *r = look(w);
	assert_int_equal(r->findings_count, 0);
	assert_true(r->all_once);
	assert_true(r->stamped.used);
	assert_int_equal(r->stamped.arrived, 3);
	assert_int_equal(r->landed.objects, 2);
	assert_int_equal(r->landed.records, 3);
	assert_int_equal(r->loaded.records, 3);
	assert_int_equal(r->foreign.objects, 0);
}

static void test_firehose_missing(void **state)
{
	struct world *w = *state;
	set_stamped(w);
	take_run(w, "run1", TAKEN);
	deliver(w, 1, 2, 0);
	stamped(w, 1, "run1", 0, 1, 1);
	stamped(w, 1, "run1", 1, 2, 2);
	static const struct {
		int64_t later_ms;
		enum rv_finding_level level;
		const char *words;
	} ages[] = {
		{ 0, RV_FINDING_NOTED, "1 of 3 records of run run1 are on their way" },
		{ 15 * 60000 + 50000, RV_FINDING_NOTED, "batch 1: 1 of 2 there" },
		{ 16 * 60000 + 1, RV_FINDING_LATE, "on their way" },
		{ 24 * HOUR_MS, RV_FINDING_LATE, "on their way" },
		{ 24 * HOUR_MS + 60001, RV_FINDING_WRONG, "are not in the lake" },
	};
	int64_t now_ms = w->params.now_ms;
	for (size_t i = 0; i < sizeof(ages) / sizeof(*ages); i++) {
		w->params.now_ms = now_ms + ages[i].later_ms;
		const struct rv_reconcile *r = look(w);
		const struct rv_finding *f = find(r, RV_FINDING_RECORDS_MISSING);
		assert_int_equal(f->level, ages[i].level);
		assert_non_null(strstr(f->message, ages[i].words));
		assert_string_equal(f->run, "run1");
		assert_int_equal(f->expected, 3);
		assert_int_equal(f->found, 2);
		assert_false(r->all_once);
		assert_int_equal(r->stamped.missing, 1);
		assert_int_equal(r->findings_count, 1);
	}
}

/* Firehose delivers at least once: what came again is said and is not wrong. */
static void test_firehose_twice(void **state)
{
	struct world *w = *state;
	set_stamped(w);
	take_run(w, "run1", TAKEN);
	deliver(w, 1, 3, 0);
	deliver(w, 2, 2, 0);
	stamped(w, 1, "run1", 0, 1, 1);
	stamped(w, 1, "run1", 1, 1, 2);
	stamped(w, 2, "run1", 1, 1, 2);
	const struct rv_reconcile *r = look(w);
	assert_true(r->all_once);
	assert_int_equal(r->stamped.twice, 2);
	const struct rv_finding *f = find(r, RV_FINDING_RECORDS_TWICE);
	assert_int_equal(f->level, RV_FINDING_NOTED);
	assert_non_null(strstr(f->message, "2 records arrived more than once"));
	assert_non_null(strstr(f->message, "no layer without"));
	assert_int_equal(r->findings_count, 1);
}

/* A batch that was put into the lake under its name beside what Firehose took of it before. */
static void test_firehose_diverted(void **state)
{
	struct world *w = *state;
	set_stamped(w);
	take_run(w, "run1", TAKEN);
	struct object o = land(w, "run1", 1, TWO);
	deliver(w, 1, 2, 0);
	stamped(w, 1, "run1", 0, 1, 1);
	stamped(w, 1, "run1", 1, 2, 2);
	const struct rv_reconcile *r = look(w); /* landed, not loaded */
	assert_int_equal(r->stamped.arrived, 3);
	assert_int_equal(r->stamped.twice, 1);
	assert_int_equal(r->pending.records, 2);
	assert_false(r->all_once);
	assert_int_equal(r->levels[RV_FINDING_WRONG], 0);
	load(w, &o);
	w->warehouse.stamps[w->warehouse.stamps_count++] = (struct rv_loaded_stamps){
		.object = o.text, .run = "run1", .range = { 1, 1, 2 } };
	r = look(w);
	assert_true(r->all_once);
	assert_int_equal(r->stamped.twice, 1);
	assert_int_equal(r->landed.records, 4);
}

static void test_firehose_unknown(void **state)
{
	struct world *w = *state;
	set_stamped(w);
	deliver(w, 1, 4, 1);
	stamped(w, 1, "run9", 0, 1, 2);
	const struct rv_reconcile *r = look(w);
	const struct rv_finding *f = find(r, RV_FINDING_RECORDS_UNKNOWN);
	assert_int_equal(f->level, RV_FINDING_WRONG);
	assert_string_equal(f->run, "run9");
	assert_int_equal(f->found, 2);
	assert_int_equal(r->stamped.unknown, 2);
	assert_int_equal(r->stamped.unstamped, 2);
	f = find(r, RV_FINDING_RECORDS_UNSTAMPED);
	assert_int_equal(f->level, RV_FINDING_NOTED);
	assert_non_null(strstr(f->message, "2 records without a stamp and 1 lines"));
	/* An open receipt is one. */
	put(w, "_river/receipts/web/clicks/2026-11-20/run9-open.json", "{}");
	r = look(w);
	assert_int_equal(r->found[RV_FINDING_RECORDS_UNKNOWN], 0);
	f = find(r, RV_FINDING_RUN_OPEN);
	assert_int_equal(f->found, 2);
	/* More than was ever accepted is not what came twice. */
	drop(w, "_river/receipts/web/clicks/2026-11-20/run9-open.json");
	take_run(w, "run9", TAKEN);
	stamped(w, 1, "run9", 7, 1, 2);
	f = only(look(w), RV_FINDING_RUN_DIFFERS);
	assert_int_equal(f->expected, 3);
	assert_int_equal(f->found, 4);
}

/* Without stamps nobody knows, whatever is there; and one receipt is enough to know that. */
static void test_firehose_without_stamps(void **state)
{
	struct world *w = *state;
	set_stamped(w);
	w->stream.stamp = RV_STAMP_NONE;
	take_run(w, "run1", TAKEN);
	take_run(w, "run2", TAKEN);
	const struct rv_reconcile *r = look(w);
	assert_int_equal(only(r, RV_FINDING_NOT_PROVABLE)->found, 6);
	deliver(w, 1, 6, 0);
	r = look(w);
	const struct rv_finding *f = only(r, RV_FINDING_NOT_PROVABLE);
	assert_int_equal(f->level, RV_FINDING_WRONG);
	assert_non_null(strstr(f->message, "stamp: none"));
	assert_false(r->all_once);
	assert_int_equal(r->stamped.unproven, 6);
	assert_int_equal(r->findings_count, 1);
}

/* A run that was delivered directly is not excused by Firehose. */
static void test_firehose_direct(void **state)
{
	struct world *w = *state;
	set_stamped(w);
	take_run(w, "run1", "");
	deliver(w, 1, 1, 0);
	stamped(w, 1, "run1", 0, 1, 1);
	assert_int_equal(find(look(w), RV_FINDING_RUN_DIFFERS)->expected, 3);
	assert_int_equal(look(w)->found[RV_FINDING_OBJECT_MISSING], 2);
}

/* Not loaded: what is in an object is not known, unless it is read. */
static void test_firehose_pending(void **state)
{
	struct world *w = *state;
	char name[200];
	set_stamped(w);
	take_run(w, "run1", TAKEN);
	put(w, firehose_name(1, name), "{\"n\":1,\"_river\":{\"id\":\"run1-000000-1\"}}{\"n\":2,"
				       "\"_river\":{\"id\":\"run1-000001-1\"}}\n{\"n\":3,"
				       "\"_river\":{\"id\":\"run1-000001-2\"}}\n");
	const struct rv_reconcile *r = look(w);
	assert_int_equal(r->pending.objects, 1);
	assert_non_null(strstr(find(r, RV_FINDING_PENDING)->message, "1 object of Firehose is not loaded"));
	assert_int_equal(find(r, RV_FINDING_RECORDS_MISSING)->level, RV_FINDING_NOTED);
	assert_int_equal(r->levels[RV_FINDING_WRONG], 0);
	w->params.warehouse = NULL;
	assert_non_null(strstr(only(look(w), RV_FINDING_NOT_PROVABLE)->message, "--verify"));
	w->params.verify = true;
	r = look(w);
	assert_int_equal(r->findings_count, 0);
	assert_true(r->all_once);
	assert_int_equal(r->stamped.arrived, 3);
}

/* Before the window sums are compared; runs of there are no strangers. */
static void test_firehose_older(void **state)
{
	struct world *w = *state;
	set_stamped(w);
	take_run(w, "run1", TAKEN);
	deliver(w, 1, 3, 0);
	stamped(w, 1, "run1", 0, 1, 1);
	stamped(w, 1, "run1", 1, 1, 2);
	w->params.since_day = "2026-11-21";
	const struct rv_reconcile *r = look(w);
	assert_int_equal(r->findings_count, 0);
	assert_true(r->all_once);
	assert_int_equal(r->accepted, 3);
	assert_int_equal(r->landed.objects, 1);
	assert_int_equal(r->loaded.records, 3);
	w->warehouse.stamps_count = 1;
	r = look(w);
	assert_int_equal(only(r, RV_FINDING_OLDER_DIFFERS)->found, 1);
	w->stream.stamp = RV_STAMP_NONE;
	w->warehouse.stamps_count = 0;
	assert_int_equal(only(look(w), RV_FINDING_NOT_PROVABLE)->found, 3);
}

/* An object that was loaded and is gone is missed, whoever wrote it. */
static void test_firehose_gone(void **state)
{
	struct world *w = *state;
	char name[200];
	set_stamped(w);
	take_run(w, "run1", TAKEN);
	deliver(w, 1, 3, 0);
	stamped(w, 1, "run1", 0, 1, 1);
	stamped(w, 1, "run1", 1, 1, 2);
	w->params.verify = true;
	assert_int_equal(look(w)->found[RV_FINDING_OBJECT_ALTERED], 1); /* it holds {} */
	w->params.verify = false;
	drop(w, firehose_name(1, name));
	assert_string_equal(only(look(w), RV_FINDING_OBJECT_MISSING)->object, name);
}

/* On S3 each is a request: lists at most, and no receipt that agrees is read. */
static void test_requests(void **state)
{
	struct world *w = *state;
	struct flaky store;
	struct object o[2];
	set_stamped(w);
	lay_out(w, o);
	take_run(w, "run2", TAKEN);
	deliver(w, 1, 3, 0);
	stamped(w, 1, "run2", 0, 1, 1);
	stamped(w, 1, "run2", 1, 1, 2);
	flaky_init(&store, w->lake);
	w->params.lake = &store.base;
	for (int windowed = 0; windowed < 2; windowed++) {
		w->params.since_day = windowed ? "2026-11-19" : NULL;
		store.lists = 0;
		const struct rv_reconcile *r = look(w);
		assert_true(r->all_once);
		assert_int_equal(r->landed.objects, 3);
		assert_int_equal(store.lists, 5);
		assert_int_equal(store.gets + store.heads + store.reads, 0);
	}
	/* One that does not agree is read, to say what is missing. */
	w->warehouse.stamps_count--;
	assert_int_equal(look(w)->stamped.missing, 2);
	assert_int_equal(store.gets, 1);
	w->params.lake = w->lake;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_nothing),
		TEST(test_all_once),
		TEST(test_deleted_object_of_the_ledger),
		TEST(test_deleted_object_of_the_receipt),
		TEST(test_added_objects),
		TEST(test_same_number_twice),
		TEST(test_rows_by_hand),
		TEST(test_retired_and_remote),
		TEST(test_layers_follow),
		TEST(test_altered_object),
		TEST(test_layers),
		TEST(test_198_pending),
		TEST(test_in_flight),
		TEST(test_new_run_in_flight_is_not_foreign),
		TEST(test_open_run),
		TEST(test_rejects),
		TEST(test_receipts),
		TEST(test_damaged_receipt),
		TEST(test_verify_goes_on),
		TEST(test_verify_gives_up),
		TEST(test_older_is_summed),
		TEST(test_spooled),
		TEST(test_damaged_run),
		TEST(test_without_engine),
		TEST(test_lake_fails),
		TEST(test_stops),
		TEST(test_many),
		TEST(test_requests),
		TEST(test_firehose_all_once),
		TEST(test_firehose_missing),
		TEST(test_firehose_twice),
		TEST(test_firehose_diverted),
		TEST(test_firehose_unknown),
		TEST(test_firehose_without_stamps),
		TEST(test_firehose_direct),
		TEST(test_firehose_pending),
		TEST(test_firehose_older),
		TEST(test_firehose_gone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

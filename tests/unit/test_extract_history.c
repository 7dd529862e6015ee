/* Documents over all extracts that are not written. Those that cannot be are named in the lake, whatever becomes of the
 * run behind them: they have left the warehouse's list, so no later run would see them. Those of which the table has a
 * newer version that nobody can have written stay on the list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "flow/extract_impl.h"

#define DOCUMENTS 2

static const char job_text[] =
	"tables:\n"
	"  orders: { member: orders.csv, key: [id], columns: { id: string } }\n"
	"documents:\n"
	"  a: { root: orders, target: { dynamodb: a-table } }\n"
	"  b: { root: orders, target: { dynamodb: b-table } }\n";

struct world {
	char folder[64];
	struct rv_store *lake;
	struct rv_job job;
	struct rv_extract_params params;
	struct rv_warehouse warehouse;
	const char *listed[DOCUMENTS]; /* the root that each document's list has; NULL: none */
	const char *refused;           /* the root that no keeper takes */
	bool newer;                    /* there are newer versions of all others */
	uint64_t number, taken;        /* of the last extract, and how many are taken while documents are written */
	int broken;                    /* the document whose keeper cannot be opened; -1: none */
	struct rv_error err;
};
static struct world *world;

/* ---- a warehouse with one row for what is listed ---- */

static enum rv_status number(struct rv_warehouse *w RV_UNUSED, uint64_t *ret, struct rv_error *err RV_UNUSED)
{
	*ret = world->number;
	return RV_OK;
}

static enum rv_status changed(struct rv_warehouse *w RV_UNUSED, const struct rv_extract *extract RV_UNUSED,
			      size_t document, const struct rv_extract_changes *changes, struct rv_error *err)
{
	const char *id = world->listed[document];
	const struct rv_str cell = { id, id ? strlen(id) : 0 };

	return id ? changes->row(changes->arg, 0, &cell, 1, err) : RV_OK;
}

static enum rv_status settled(struct rv_warehouse *w RV_UNUSED, const struct rv_extract *extract RV_UNUSED,
			      size_t document, uint64_t n RV_UNUSED, struct rv_error *err RV_UNUSED)
{
	world->listed[document] = NULL;
	return RV_OK;
}

static const struct rv_warehouse_ops warehouse_ops = {
	.name = "test", .extract_number = number, .extract_changed = changed, .extract_settled = settled };

/* ---- a keeper that takes all but one ---- */

struct keeper {
	struct rv_documents base;
	void (*settled)(void *arg, const struct rv_document_result *result);
	void *arg;
};

static enum rv_status put(struct rv_documents *documents, const struct rv_document *document,
			  struct rv_error *err RV_UNUSED)
{
	struct keeper *k = (struct keeper *)documents;
	bool refused = world->refused && memmem(document->json, document->len, world->refused, strlen(world->refused));
	RV_CLEANUP(rv_free_p) char *reason = rv_asprintf("%s is too large", world->refused ? world->refused : "");
	const struct rv_document_result result = { .fate = refused ? RV_DOCUMENT_REFUSED
							  : world->newer ? RV_DOCUMENT_SUPERSEDED
									 : RV_DOCUMENT_WRITTEN,
						   .reason = refused ? reason : "" };

	k->settled(k->arg, &result);
	return RV_OK;
}

static enum rv_status flush(struct rv_documents *documents RV_UNUSED, struct rv_error *err RV_UNUSED)
{
	world->number += world->taken;
	return RV_OK;
}

static void free_keeper(struct rv_documents *documents)
{
	free(documents);
}

static const struct rv_documents_ops keeper_ops = { .name = "test", .put = put, .flush = flush,
						    .free = free_keeper };

static enum rv_status open_keeper(void *arg RV_UNUSED, const struct rv_job_document *document,
				  void (*done)(void *arg, const struct rv_document_result *result), void *done_arg,
				  struct rv_documents **ret, struct rv_error *err)
{
	if (document == &world->job.documents[world->broken < 0 ? DOCUMENTS : (size_t)world->broken])
		return rv_fail(err, RV_FAILED, "out of reach");
	struct keeper *k = rv_calloc(1, sizeof(*k));

	*k = (struct keeper){ .base = { .ops = &keeper_ops }, .settled = done, .arg = done_arg };
	*ret = &k->base;
	return RV_OK;
}

/* ---- runs ---- */

/* Writes what is listed; `again`: the rows were there before. How many were set aside, in *ret. */
static enum rv_status run(struct world *w, bool again, uint64_t *ret)
{
	char name[] = "e.zip";
	const struct extract_archive archive = { .name = name, .shown = name };
	size_t job_tables[] = { 0 };
	const struct extract_tables tables = { .warehouse = &w->warehouse, .job_tables = job_tables };
	struct extract_reading reading = { .params = &w->params, .archive = &archive, .rejects = RV_STRBUF_INIT,
					   .first_reject = RV_STRBUF_INIT, .refused = RV_STRBUF_INIT,
					   .again = again };

	w->err = (struct rv_error)RV_ERROR_INIT;
	memset(reading.identity, 'f', sizeof(reading.identity) - 1);
	assert_int_equal(extract_documents_begin(&reading, &w->err), RV_OK);
	enum rv_status status = extract_documents_send(&reading, &tables, &w->err);

	*ret = reading.rejected;
	extract_reading_release(&reading);
	return status;
}

static void assert_named(struct world *w, const char *ending, const char *want)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	RV_CLEANUP(rv_free_p) char *identity = rv_calloc(RV_ZIP_IDENTITY_TEXT, 1);
	char etag[RV_ETAG_TEXT];

	memset(identity, 'f', RV_ZIP_IDENTITY_TEXT - 1);
	RV_CLEANUP(rv_free_p) char *name = rv_asprintf("_river/extracts/job/%s.%s", identity, ending);

	assert_int_equal(w->lake->ops->get(w->lake, name, 1 << 20, &text, etag, &w->err), RV_OK);
	assert_string_equal(text.bytes, want);
}

static int world_start(void **state)
{
	struct world *w = rv_calloc(1, sizeof(*w));

	snprintf(w->folder, sizeof(w->folder), "%s/river-test-XXXXXX", P_tmpdir);
	assert_non_null(mkdtemp(w->folder));
	w->lake = rv_store_mem_new();
	w->warehouse.ops = &warehouse_ops;
	w->broken = -1;
	w->number = 7;
	assert_int_equal(rv_job_parse("job.yaml", job_text, sizeof(job_text) - 1, &w->job, &w->err), RV_OK);
	w->params = (struct rv_extract_params){ .job = &w->job, .lake = w->lake, .state_dir = w->folder,
						.documents = open_keeper, .max_memory_bytes = 64 << 20,
						.threads = 1 };
	*state = world = w;
	return 0;
}

static int world_end(void **state)
{
	struct world *w = *state;
	RV_CLEANUP(rv_free_p) char *job = rv_asprintf("%s/extracts/job", w->folder);
	RV_CLEANUP(rv_free_p) char *extracts = rv_asprintf("%s/extracts", w->folder);

	assert_int_equal(rmdir(job), 0);
	assert_int_equal(rmdir(extracts), 0);
	assert_int_equal(rmdir(w->folder), 0);
	rv_job_release(&w->job);
	rv_store_free(w->lake);
	free(w);
	return 0;
}

static void test_what_is_written_behind_fails(void **state)
{
	struct world *w = *state;
	uint64_t aside;

	w->listed[0] = w->listed[1] = "o-1";
	w->refused = "o-1";
	w->broken = 1;
	assert_int_equal(run(w, false, &aside), RV_FAILED);
	assert_null(w->listed[0]); /* it is settled */
	/* the next run has the other document alone, and says of both */
	w->broken = -1;
	w->refused = NULL;
	assert_int_equal(run(w, true, &aside), RV_OK);
	assert_null(w->listed[1]);
	assert_int_equal(aside, 1);
	assert_named(w, "refused.ndjson", "{\"v\":1,\"document\":\"a\",\"reason\":\"o-1 is too large\"}\n");
}

static void test_what_is_refused_once_more_is_named_once(void **state)
{
	struct world *w = *state;
	uint64_t aside;

	w->listed[0] = w->listed[1] = w->refused = "o-1";
	w->broken = 1;
	assert_int_equal(run(w, false, &aside), RV_FAILED);
	w->listed[0] = "o-1"; /* killed before it was settled */
	w->broken = -1;
	assert_int_equal(run(w, true, &aside), RV_OK);
	assert_int_equal(aside, 2);
	assert_named(w, "refused.ndjson", "{\"v\":1,\"document\":\"a\",\"reason\":\"o-1 is too large\"}\n"
					  "{\"v\":1,\"document\":\"b\",\"reason\":\"o-1 is too large\"}\n");
	/* taken anew, what was said of the rows before it is not said of these */
	w->listed[1] = "o-1";
	assert_int_equal(run(w, false, &aside), RV_OK);
	assert_int_equal(aside, 1);
	assert_named(w, "refused.ndjson", "{\"v\":1,\"document\":\"b\",\"reason\":\"o-1 is too large\"}\n");
}

static void test_shards_do_not_write_over_each_other(void **state)
{
	struct world *w = *state;
	uint64_t aside;

	w->listed[0] = w->refused = "o-1";
	w->params.shard = (struct rv_extract_shard){ 1, 2 };
	assert_int_equal(run(w, false, &aside), RV_OK);
	assert_int_equal(aside, 1);
	w->listed[0] = w->refused = "o-2";
	w->params.shard = (struct rv_extract_shard){ 2, 2 };
	assert_int_equal(run(w, true, &aside), RV_OK);
	assert_int_equal(aside, 1);
	assert_named(w, "refused-1of2.ndjson", "{\"v\":1,\"document\":\"a\",\"reason\":\"o-1 is too large\"}\n");
	assert_named(w, "refused-2of2.ndjson", "{\"v\":1,\"document\":\"a\",\"reason\":\"o-2 is too large\"}\n");
}

static void test_newer_versions_of_nobody(void **state)
{
	struct world *w = *state;
	uint64_t aside;

	w->listed[0] = "o-1";
	w->newer = true;
	assert_int_equal(run(w, false, &aside), RV_CONFLICT);
	assert_string_equal(w->err.message, "documents.a: 1 of them is in the table a-table with a version above 7, "
					    "which this warehouse has not given yet");
	assert_string_equal(w->listed[0], "o-1"); /* to be written once there is room for it */
	/* of a run that was faster they are as they should be */
	w->taken = 1;
	assert_int_equal(run(w, true, &aside), RV_OK);
	assert_null(w->listed[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_what_is_written_behind_fails, world_start, world_end),
		cmocka_unit_test_setup_teardown(test_what_is_refused_once_more_is_named_once, world_start, world_end),
		cmocka_unit_test_setup_teardown(test_shards_do_not_write_over_each_other, world_start, world_end),
		cmocka_unit_test_setup_teardown(test_newer_versions_of_nobody, world_start, world_end),
	};

	return cmocka_run_group_tests_name("extract_history", tests, NULL, NULL);
}

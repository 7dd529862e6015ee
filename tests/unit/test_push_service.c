/* push to a service that takes records one by one: stamps, limits, what it has acknowledged, and what is
 * sent again after failures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "flow/acknowledged.h"
#include "flow/push.h"
#include "format/stamp.h"
#include "source/source.h"

#define RECORDS 20
#define BATCH 6
#define LIMIT 1000

struct world {
	char folder[64];
	char *state, *file;
	struct rv_store *lake;
	struct rv_delivery *delivery;
	struct rv_stream stream;
	struct rv_push_result result;
	struct rv_error err;
	int64_t retry_for_ms;
	uint64_t spool_max;
	bool (*should_stop)(void);
};

static void make_delivery(struct world *w)
{
	rv_delivery_free(w->delivery);
	w->delivery = rv_delivery_mem_new(
		&(struct rv_delivery_mem_params){ .lake = w->lake, .max_record_bytes = LIMIT });
}

static struct world *make_world(void)
{
	struct world *w = rv_calloc(1, sizeof(*w));
	snprintf(w->folder, sizeof(w->folder), "%s/river-service-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(w->folder));
	w->state = rv_path_join(w->folder, "state");
	w->file = rv_path_join(w->folder, "in.ndjson");
	w->lake = rv_store_mem_new();
	rv_stream_init(&w->stream);
	assert_int_equal(rv_stream_parse_name("web/clicks", &w->stream, &w->err), RV_OK);
	rv_ulid_new(1, w->stream.id);
	w->stream.stamp = RV_STAMP_ID;
	make_delivery(w);
	return w;
}

static void free_world(struct world *w)
{
	assert_int_equal(rv_remove_tree(w->folder, &w->err), RV_OK);
	rv_push_result_release(&w->result);
	rv_delivery_free(w->delivery);
	rv_store_free(w->lake);
	rv_stream_release(&w->stream);
	free(w->state);
	free(w->file);
	free(w);
}

static void write_file(struct world *w, const char *text)
{
	FILE *f = fopen(w->file, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void write_records(struct world *w, int count)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	for (int i = 0; i < count; i++)
		rv_strbuf_printf(&text, "{\"n\":%d}\n", i);
	write_file(w, text.bytes);
}

/* `pipe`: the same bytes through a source. */
static enum rv_status push(struct world *w, bool pipe, const char *run)
{
	struct rv_source *source = NULL;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	if (pipe) {
		assert_int_equal(rv_read_file(w->file, 1 << 26, &text, &w->err), RV_OK);
		source = rv_source_mem_new(text.bytes, text.len, 0, UINT64_MAX);
	}
	struct rv_push_params params = {
		.stream = &w->stream,
		.lake = w->lake,
		.delivery = w->delivery,
		.state_dir = w->state,
		.read = { .csv = RV_CSV_DIALECT_INIT, .max_record_bytes = 1 << 20,
			  .refuse_river_key = true },
		.files = &w->file,
		.files_count = pipe ? 0 : 1,
		.source = source,
		.run = run,
		.wait = RV_WAIT_SENT,
		.batch_bytes = 1 << 20,
		.batch_records = BATCH,
		.flush_after_ms = -1,
		.max_rejects = UINT64_MAX,
		.spool_max_bytes = w->spool_max ? w->spool_max : 1 << 30,
		.retry_for_ms = w->retry_for_ms,
		.retry_pause_ms = 1,
		.should_stop = w->should_stop,
	};
	rv_push_result_release(&w->result);
	w->err = (struct rv_error)RV_ERROR_INIT;
	enum rv_status status = rv_push(&params, &w->result, &w->err);
	rv_source_free(source);
	return status;
}

/* How often each record came; every stamp differs from the others and says the same for the same. */
static void expect_taken(struct world *w, const unsigned *want, int count)
{
	RV_CLEANUP(rv_free_p) char *taken = rv_delivery_mem_taken(w->delivery);
	unsigned seen[RECORDS] = { 0 };
	char ids[RECORDS][RV_STAMP_ID_TEXT];
	int last = -1;
	for (char *save = NULL, *line = strtok_r(taken, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		int n;
		size_t keep;
		struct rv_stamp_id id;
		char text[RV_STAMP_ID_TEXT];
		assert_int_equal(sscanf(line, "{\"n\":%d", &n), 1);
		assert_in_range(n, 0, count - 1);
		assert_true(rv_stamp_cut(line, strlen(line), &keep, &id));
		rv_stamp_id_format(&id, text);
		if (seen[n]++)
			assert_string_equal(text, ids[n]);
		memcpy(ids[n], text, sizeof(text));
		if (seen[n] == 1)
			assert_true(n > last); /* first comings are in order */
		last = seen[n] == 1 ? n : last;
	}
	for (int i = 0; i < count; i++) {
		if (seen[i] != want[i])
			fail_msg("record %d came %u times, not %u", i, seen[i], want[i]);
		for (int j = 0; j < i; j++)
			assert_string_not_equal(ids[i], ids[j]);
	}
}

static const unsigned once[RECORDS] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 };

struct receipt_search {
	struct world *w;
	json_t *found;
	unsigned open, closed;
};

static enum rv_status see_receipt(void *arg, const struct rv_store_object *object, struct rv_error *err)
{
	struct receipt_search *search = arg;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	char etag[RV_ETAG_TEXT];
	bool open = strstr(object->name, "-open.json") != NULL;
	search->open += open;
	search->closed += !open;
	if (open)
		return RV_OK;
	json_decref(search->found);
	struct rv_store *lake = search->w->lake;
	if (lake->ops->get(lake, object->name, 1 << 20, &text, etag, err) != RV_OK)
		return err->status;
	search->found = json_loadb(text.bytes, text.len, 0, NULL);
	return RV_OK;
}

static json_t *closed_receipt(struct world *w)
{
	struct receipt_search search = { .w = w };
	struct rv_store_list list = { .prefix = "_river/receipts/" };
	assert_int_equal(w->lake->ops->list(w->lake, &list, see_receipt, &search, &w->err), RV_OK);
	assert_int_equal(search.open, 0);
	assert_int_equal(search.closed, 1);
	assert_non_null(search.found);
	return search.found;
}

static json_int_t number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static void test_all_taken(void **state RV_UNUSED)
{
	for (int pipe = 0; pipe < 2; pipe++) {
		struct world *w = make_world();
		write_records(w, RECORDS);
		if (push(w, pipe, NULL) != RV_OK)
			fail_msg("%s", w->err.message);
		assert_int_equal(w->result.accepted, RECORDS);
		assert_int_equal(w->result.sent, RECORDS);
		assert_int_equal(w->result.landed, 0);
		assert_true(w->result.by_stamp);
		assert_int_equal(w->result.counts.requests, 4);
		assert_int_equal(w->result.counts.maybe_twice, 0);
		assert_int_equal(w->result.counts.billed_bytes, RECORDS * 5120);
		expect_taken(w, once, RECORDS);
		json_t *receipt = closed_receipt(w);
		assert_string_equal(json_string_value(json_object_get(receipt, "delivery")), "mem");
		assert_int_equal(number(receipt, "accepted"), RECORDS);
		assert_int_equal(number(receipt, "sent"), RECORDS);
		assert_int_equal(json_array_size(json_object_get(receipt, "batches")), 4);
		assert_int_equal(json_array_size(json_object_get(receipt, "objects")), 0);
		json_decref(receipt);
		/* a file is not sent twice; whether it is in the lake is another matter */
		if (!pipe) {
			struct rv_push_params ask = {
				.stream = &w->stream, .lake = w->lake, .delivery = w->delivery,
				.state_dir = w->state,
				.read = { .csv = RV_CSV_DIALECT_INIT, .max_record_bytes = 1 << 20 },
			};
			assert_int_equal(push(w, false, NULL), RV_OK);
			assert_int_equal(w->result.files_unchanged, 1);
			assert_int_equal(rv_push_shipped(&ask, w->file, &w->err), RV_KEPT);
			assert_non_null(strstr(w->err.message, "not known"));
		}
		free_world(w);
	}
}

/* What was acknowledged before a failure is not sent again, in whatever process comes next. */
static void test_partial(void **state RV_UNUSED)
{
	for (int pipe = 0; pipe < 2; pipe++) {
		struct world *w = make_world();
		write_records(w, RECORDS);
		rv_delivery_mem_fail(w->delivery, &(struct rv_delivery_mem_fault){
							  .from = 2, .to = 1000, .status = RV_AUTH,
							  .taken = 2, .heard = true });
		assert_int_not_equal(push(w, pipe, NULL), RV_OK);
		assert_int_equal(w->result.sent, BATCH);
		rv_delivery_mem_fail(w->delivery, &(struct rv_delivery_mem_fault){ .from = 0 });
		if (pipe)
			write_records(w, 0);
		if (push(w, pipe, NULL) != RV_OK)
			fail_msg("%s", w->err.message);
		expect_taken(w, once, RECORDS);
		assert_int_equal(w->result.counts.maybe_twice, 0);
		free_world(w);
	}
}

/* Taken, and nobody heard it: sent again under the same stamps. A forgotten note of what was
 * acknowledged does the same, and is counted. */
static void test_forgotten(void **state RV_UNUSED)
{
	struct world *w = make_world();
	write_records(w, BATCH);
	rv_delivery_mem_fail(w->delivery, &(struct rv_delivery_mem_fault){
						  .from = 1, .to = 1000, .status = RV_FAILED, .taken = 2 });
	assert_int_not_equal(push(w, true, NULL), RV_OK);
	RV_CLEANUP(rv_free_p)
	char *forget = rv_asprintf("find %s -name '*.sent' -type f | grep -q . && "
				   "find %s -name '*.sent' -delete", w->folder, w->folder);
	assert_int_equal(system(forget), 0);
	uint64_t sends = rv_delivery_mem_sends(w->delivery);
	rv_delivery_mem_fail(w->delivery, &(struct rv_delivery_mem_fault){ .from = 0 });
	write_records(w, 0);
	if (push(w, true, NULL) != RV_OK)
		fail_msg("%s", w->err.message);
	unsigned want[BATCH] = { 1, 1, 1, 1, 1, 1 };
	want[0] += (unsigned)sends; /* every failed send took the first two */
	want[1] += (unsigned)sends;
	expect_taken(w, want, BATCH);
	json_t *receipt = closed_receipt(w);
	assert_int_equal(number(receipt, "maybe_twice"), BATCH);
	json_decref(receipt);
	free_world(w);
}

/* A later process ends what an earlier one was in doubt about: the receipt counts it all the same. */
static void test_doubt_of_another_process(void **state RV_UNUSED)
{
	for (int pipe = 0; pipe < 2; pipe++) {
		struct world *w = make_world();
		write_records(w, BATCH);
		rv_delivery_mem_fail(w->delivery, &(struct rv_delivery_mem_fault){
							  .from = 1, .to = 1000, .status = RV_AUTH, .taken = 2,
							  .doubted = true });
		assert_int_not_equal(push(w, pipe, NULL), RV_OK);
		uint64_t sends = rv_delivery_mem_sends(w->delivery);
		rv_delivery_mem_fail(w->delivery, &(struct rv_delivery_mem_fault){ .from = 0 });
		if (pipe)
			write_records(w, 0);
		if (push(w, pipe, NULL) != RV_OK)
			fail_msg("%s", w->err.message);
		json_t *receipt = closed_receipt(w);
		assert_int_equal(number(receipt, "maybe_twice"), 2 * sends);
		json_decref(receipt);
		free_world(w);
	}
}

/* A stream that goes over to direct delivery while the service has part of a batch: the object holds all of
 * it, so that part comes twice; all of it where nobody knows which part. */
static void test_goes_over_to_direct(void **state RV_UNUSED)
{
	for (int i = 0; i < 4; i++) {
		bool pipe = i & 1, known = i & 2;
		struct world *w = make_world();
		write_records(w, BATCH);
		rv_delivery_mem_fail(w->delivery, &(struct rv_delivery_mem_fault){
							  .from = 1, .to = 1000, .status = RV_AUTH, .taken = 2,
							  .heard = true });
		assert_int_not_equal(push(w, pipe, NULL), RV_OK);
		RV_CLEANUP(rv_free_p)
		char *forget = rv_asprintf("find %s -name '*.sent' -delete", w->folder);
		if (!known)
			assert_int_equal(system(forget), 0);
		RV_CLEANUP(rv_free_p) char *taken = rv_delivery_mem_taken(w->delivery);
		assert_non_null(strstr(taken, "{\"n\":0,"));
		/* Each attempt has taken two, and a slow machine makes another one at the end of the input. */
		uint64_t twice = 2 * rv_delivery_mem_sends(w->delivery);
		twice = known && twice < BATCH ? twice : BATCH;
		rv_delivery_free(w->delivery);
		w->delivery = rv_delivery_direct_new(w->lake);
		if (pipe)
			write_records(w, 0);
		if (push(w, pipe, NULL) != RV_OK)
			fail_msg("%s", w->err.message);
		json_t *receipt = closed_receipt(w);
		assert_int_equal(json_array_size(json_object_get(receipt, "objects")), 1);
		assert_int_equal(number(receipt, "maybe_twice"), twice);
		json_decref(receipt);
		free_world(w);
	}
}

/* Larger ones go around the service, into objects with the run's names; the order of the rest stays. */
static void test_large(void **state RV_UNUSED)
{
	for (int pipe = 0; pipe < 2; pipe++) {
		struct world *w = make_world();
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
		char fill[LIMIT + 1];
		memset(fill, 'x', LIMIT);
		fill[LIMIT] = '\0';
		for (int i = 0; i < RECORDS; i++) {
			if (i % 7 == 3)
				rv_strbuf_printf(&text, "{\"n\":%d,\"fill\":\"%s\"}\n", i, fill);
			else
				rv_strbuf_printf(&text, "{\"n\":%d}\n", i);
		}
		write_file(w, text.bytes);
		if (push(w, pipe, NULL) != RV_OK)
			fail_msg("%s", w->err.message);
		assert_int_equal(w->result.landed, 3);
		assert_int_equal(w->result.sent, RECORDS - 3);
		unsigned want[RECORDS];
		for (int i = 0; i < RECORDS; i++)
			want[i] = i % 7 != 3;
		RV_CLEANUP(rv_free_p) char *taken = rv_delivery_mem_taken(w->delivery);
		assert_null(strstr(taken, "xxx"));
		for (int i = 0; i < RECORDS; i++) {
			char member[32];
			snprintf(member, sizeof(member), "{\"n\":%d,", i);
			assert_int_equal(strstr(taken, member) != NULL, want[i]);
		}
		json_t *receipt = closed_receipt(w);
		const json_t *objects = json_object_get(receipt, "objects");
		assert_int_equal(json_array_size(objects), 3);
		for (size_t i = 0; i < 3; i++) {
			struct rv_store_object object;
			const char *name = json_string_value(json_array_get(objects, i));
			assert_true(rv_ends_with(name, ".ndjson.zst"));
			assert_int_equal(w->lake->ops->head(w->lake, name, &object, &w->err), RV_OK);
		}
		assert_int_equal(json_array_size(json_object_get(receipt, "batches")),
				 json_integer_value(json_object_get(receipt, "requests")));
		json_decref(receipt);
		free_world(w);
	}
}

/* The same input under its name again: nothing is sent; another input is refused. */
static void test_named(void **state RV_UNUSED)
{
	struct world *w = make_world();
	write_records(w, RECORDS);
	assert_int_equal(push(w, true, "nightly"), RV_OK);
	uint64_t sends = rv_delivery_mem_sends(w->delivery);
	for (int again = 0; again < 2; again++) {
		if (push(w, true, "nightly") != RV_OK)
			fail_msg("%s", w->err.message);
		assert_int_equal(rv_delivery_mem_sends(w->delivery), sends);
		assert_int_equal(w->result.sent, RECORDS);
		assert_int_equal(w->result.counts.maybe_twice, 0);
	}
	expect_taken(w, once, RECORDS);
	write_records(w, RECORDS - 1);
	assert_int_equal(push(w, true, "nightly"), RV_CONFLICT);
	assert_int_equal(rv_delivery_mem_sends(w->delivery), sends);
	free_world(w);
}

/* A stamp is made from what the journal keeps: "full" too is the same after a failure. */
static void test_same_bytes_again(void **state RV_UNUSED)
{
	struct world *w = make_world();
	w->stream.stamp = RV_STAMP_FULL;
	write_records(w, BATCH);
	rv_delivery_mem_fail(w->delivery, &(struct rv_delivery_mem_fault){
						  .from = 1, .to = 2, .status = RV_FAILED, .taken = BATCH });
	assert_int_equal(push(w, false, NULL), RV_FAILED);
	w->stream.stamp = RV_STAMP_NONE; /* the definition may change in between */
	assert_int_equal(push(w, false, NULL), RV_OK);
	RV_CLEANUP(rv_free_p) char *taken = rv_delivery_mem_taken(w->delivery);
	size_t half = strlen(taken) / 2;
	assert_int_equal(strlen(taken) % 2, 0);
	assert_memory_equal(taken, taken + half, half);
	assert_non_null(strstr(taken, "\"source\":\""));
	free_world(w);
}

/* An outage behind the end of the input is waited out; nothing comes twice, and the order stays. */
static void test_outage(void **state RV_UNUSED)
{
	for (int pipe = 0; pipe < 2; pipe++) {
		struct world *w = make_world();
		write_records(w, RECORDS);
		w->retry_for_ms = 3600000;
		rv_delivery_mem_fail(w->delivery, &(struct rv_delivery_mem_fault){
							  .from = 2, .to = 9, .status = RV_FAILED,
							  .transient = true, .taken = 1, .heard = true });
		if (push(w, pipe, NULL) != RV_OK)
			fail_msg("%s", w->err.message);
		assert_int_equal(w->result.sent, RECORDS);
		assert_int_equal(w->result.waiting_spool_bytes, 0);
		expect_taken(w, once, RECORDS);
		free_world(w);
	}
}

/* What somebody has to mend is not waited for, and is what the exit code says; the data is kept. */
static void test_refused_and_kept(void **state RV_UNUSED)
{
	static const struct {
		enum rv_status status;
		bool transient;
		enum rv_status pipe, file;
	} cases[] = {
		{ RV_AUTH, false, RV_AUTH, RV_AUTH },
		{ RV_NOT_FOUND, false, RV_NOT_FOUND, RV_NOT_FOUND },
		{ RV_FAILED, false, RV_KEPT, RV_FAILED },
		{ RV_FAILED, true, RV_KEPT, RV_KEPT },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		for (int pipe = 0; pipe < 2; pipe++) {
			struct world *w = make_world();
			write_records(w, RECORDS);
			w->retry_for_ms = cases[i].transient ? 20 : 3600000;
			rv_delivery_mem_fail(w->delivery,
					     &(struct rv_delivery_mem_fault){
						     .from = 1, .to = UINT64_MAX, .status = cases[i].status,
						     .transient = cases[i].transient });
			assert_int_equal(push(w, pipe, NULL), pipe ? cases[i].pipe : cases[i].file);
			if (pipe) {
				assert_int_equal(w->result.accepted, RECORDS);
				assert_non_null(strstr(w->err.message, "accepted and spooled"));
				assert_non_null(strstr(w->err.hint, "do not send them again"));
			}
			rv_delivery_mem_fail(w->delivery, &(struct rv_delivery_mem_fault){ .from = 0 });
			if (pipe)
				write_records(w, 0);
			if (push(w, pipe, NULL) != RV_OK)
				fail_msg("%s", w->err.message);
			assert_int_equal(w->result.recovered.records, pipe ? RECORDS : BATCH);
			expect_taken(w, once, RECORDS);
			free_world(w);
		}
	}
}

static unsigned stops;
static bool stop_soon(void)
{
	return ++stops > 25;
}

/* A signal ends the wait, and what was accepted is kept. */
static void test_stopped_in_an_outage(void **state RV_UNUSED)
{
	struct world *w = make_world();
	write_records(w, RECORDS);
	w->retry_for_ms = 3600000;
	w->should_stop = stop_soon;
	stops = 0;
	rv_delivery_mem_fail(w->delivery, &(struct rv_delivery_mem_fault){ .from = 1, .to = UINT64_MAX,
									   .status = RV_FAILED,
									   .transient = true });
	assert_int_not_equal(push(w, true, NULL), RV_OK);
	assert_int_equal(w->result.sent, 0);
	assert_int_equal(w->result.accepted, RECORDS);
	rv_delivery_mem_fail(w->delivery, &(struct rv_delivery_mem_fault){ .from = 0 });
	w->should_stop = NULL;
	write_records(w, 0);
	assert_int_equal(push(w, true, NULL), RV_OK);
	expect_taken(w, once, RECORDS);
	free_world(w);
}

/* A full spool holds the input up as long as the delivery may come back, and ends it when not. */
static void test_full_spool(void **state RV_UNUSED)
{
	for (int mended = 0; mended < 2; mended++) {
		struct world *w = make_world();
		write_records(w, RECORDS);
		w->spool_max = 500; /* a batch has some 400 */
		w->retry_for_ms = mended ? 3600000 : 20;
		rv_delivery_mem_fail(w->delivery, &(struct rv_delivery_mem_fault){
							  .from = 1, .to = mended ? 8 : UINT64_MAX,
							  .status = RV_FAILED, .transient = true });
		enum rv_status status = push(w, true, NULL);
		assert_int_equal(status, mended ? RV_OK : RV_LOCAL_IO);
		if (mended) {
			expect_taken(w, once, RECORDS);
		} else {
			assert_non_null(strstr(w->err.message, "the spool is full"));
			assert_true(w->result.accepted < RECORDS);
			assert_true(w->result.accepted > 0);
		}
		free_world(w);
	}
}

/* What an earlier push left does not hold new input up; in the end both have come, each in its order. */
static void test_backlog(void **state RV_UNUSED)
{
	struct world *w = make_world();
	write_records(w, RECORDS / 2);
	rv_delivery_mem_fail(w->delivery, &(struct rv_delivery_mem_fault){ .from = 1, .to = UINT64_MAX,
									   .status = RV_FAILED,
									   .transient = true });
	assert_int_equal(push(w, true, NULL), RV_KEPT);
	w->retry_for_ms = 3600000;
	rv_delivery_mem_fail(w->delivery, &(struct rv_delivery_mem_fault){
						  .from = 1, .to = rv_delivery_mem_sends(w->delivery) + 10,
						  .status = RV_FAILED, .transient = true });
	if (push(w, true, NULL) != RV_OK)
		fail_msg("%s", w->err.message);
	assert_int_equal(w->result.sent, RECORDS / 2);
	assert_int_equal(w->result.recovered.records, RECORDS / 2);
	assert_int_equal(w->result.waiting_spool_bytes, 0);
	RV_CLEANUP(rv_free_p) char *taken = rv_delivery_mem_taken(w->delivery);
	unsigned lines = 0;
	for (const char *p = taken; (p = strchr(p, '\n')); p++)
		lines++;
	assert_int_equal(lines, RECORDS);
	free_world(w);
}

struct unheard {
	struct rv_delivery base;
	struct rv_store *lake;
};

/* The object is there, and its answer is lost. */
static enum rv_status unheard_send(struct rv_delivery *base, const struct rv_delivery_batch *batch,
				   struct rv_delivery_result *ret RV_UNUSED, struct rv_error *err)
{
	struct unheard *unheard = (struct unheard *)base;
	if (rv_store_put_once(unheard->lake, batch->name, &batch->body, NULL, err) != RV_OK)
		return err->status;
	rv_fail(err, RV_FAILED, "no answer");
	err->transient = true;
	return err->status;
}

static void unheard_free(struct rv_delivery *base)
{
	free(base);
}

/* A stream goes over to a service while batches wait whose objects are in the lake, though nothing here says
 * so: with or without their spool files they have landed, and are not taken a second time. */
static void test_landed_before_the_service(void **state RV_UNUSED)
{
	static const struct rv_delivery_ops ops = { .name = "direct", .names_objects = true,
						    .send = unheard_send, .free = unheard_free };
	for (int gone = 0; gone < 2; gone++) {
		struct world *w = make_world();
		struct unheard *unheard = rv_calloc(1, sizeof(*unheard));
		struct rv_delivery *service = w->delivery;
		*unheard = (struct unheard){ { &ops }, w->lake };
		w->delivery = &unheard->base;
		w->stream.compression = RV_OUTPUT_NONE;
		write_records(w, BATCH);
		w->retry_for_ms = 1;
		assert_int_equal(push(w, true, NULL), RV_KEPT);
		rv_delivery_free(w->delivery);
		w->delivery = service;
		RV_CLEANUP(rv_free_p)
		char *remove = rv_asprintf("find '%s' -name '*.body' -delete", w->state);
		if (gone)
			assert_int_equal(system(remove), 0);
		write_records(w, 0);
		if (push(w, true, NULL) != RV_OK)
			fail_msg("%d: %s", gone, w->err.message);
		assert_int_equal(w->result.waiting_spool_bytes, 0);
		RV_CLEANUP(rv_free_p) char *taken = rv_delivery_mem_taken(w->delivery);
		assert_string_equal(taken, "");
		free_world(w);
	}
}

/* Bits that are damaged, or of another batch, count as none. */
static void test_bits(void **state RV_UNUSED)
{
	struct world *w = make_world();
	struct rv_run run = { .folder = w->folder };
	struct rv_batch_entry entry = { .seq = 3, .records = 11, .set_hash = 7 };
	const uint8_t bits[] = { 0x81, 0x05 };
	RV_CLEANUP(rv_free_p) char *path = rv_run_sent_path(&run, 3);
	bool known;
	for (int what = 0; what < 6; what++) {
		RV_CLEANUP(rv_free_p) uint8_t *read = NULL;
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
		assert_int_equal(rv_acknowledged_save(&run, &entry, bits, &w->err), RV_OK);
		assert_int_equal(rv_read_file(path, 1000, &text, &w->err), RV_OK);
		struct rv_batch_entry other = entry;
		if (what == 1)
			text.bytes[text.len - 1] ^= 2;
		if (what == 2)
			text.len--;
		if (what == 3)
			text.len = 0;
		if (what == 4)
			other.set_hash++;
		if (what == 5)
			other.records = 3;
		assert_int_equal(rv_replace_file(path, text.bytes, text.len, 0600, &w->err), RV_OK);
		rv_acknowledged_load(&run, &other, &read, &known);
		assert_int_equal(known, what == 0);
		assert_int_equal(read[0], what ? 0 : 0x81);
	}
	assert_int_equal(rv_acknowledged_remove(&run, 3, &w->err), RV_OK);
	assert_int_equal(rv_acknowledged_remove(&run, 3, &w->err), RV_OK);
	run.folder = w->file; /* not there */
	assert_int_equal(rv_acknowledged_save(&run, &entry, bits, &w->err), RV_LOCAL_IO);
	free_world(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_taken),
		cmocka_unit_test(test_partial),
		cmocka_unit_test(test_forgotten),
		cmocka_unit_test(test_doubt_of_another_process),
		cmocka_unit_test(test_goes_over_to_direct),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_named),
		cmocka_unit_test(test_same_bytes_again),
		cmocka_unit_test(test_outage),
		cmocka_unit_test(test_refused_and_kept),
		cmocka_unit_test(test_stopped_in_an_outage),
		cmocka_unit_test(test_full_spool),
		cmocka_unit_test(test_backlog),
		cmocka_unit_test(test_landed_before_the_service),
		cmocka_unit_test(test_bits),
	};
	return cmocka_run_group_tests_name("push_service", tests, NULL, NULL);
}

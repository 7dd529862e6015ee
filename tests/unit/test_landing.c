/* Uploads on a store that fails at every one of its operations in turn: whatever happens, processing
 * them again ends with each record in the lake once, and nothing left in landing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "base/file.h"
#include "base/memory.h"
#include "flow/catalog.h"
#include "flow/landing.h"

#define RECORDS 30
#define OPERATIONS 150 /* more than processing them takes */
#define RUN "01jd0000000000000000000000"

struct world {
	char folder[64];
	struct rv_store *lake;
	struct rv_delivery *delivery;
	char *names[4];
	size_t count;
	unsigned outcomes[5];
};

static void put(struct world *w, const char *name, const char *text)
{
	struct rv_error err;
	assert_int_equal(rv_store_put_bytes(w->lake, name, text, strlen(text), NULL, &err), RV_OK);
}

static void add_stream(struct world *w, const char *name)
{
	struct rv_error err;
	struct rv_stream stream, existing;
	enum rv_catalog_outcome outcome;
	const struct rv_catalog_create create = { .now_ms = 1795000000000 };
	rv_stream_init(&stream);
	rv_stream_init(&existing);
	assert_int_equal(rv_stream_parse_name(name, &stream, &err), RV_OK);
	stream.batch_records = 4;
	assert_int_equal(rv_catalog_create(w->lake, &stream, &create, &outcome, &existing, &err), RV_OK);
	rv_stream_release(&stream);
	rv_stream_release(&existing);
}

/* Two uploads of web/clicks with RECORDS records and a bad line each, and one of web/views. */
static struct world *make_world(void)
{
	struct world *w = rv_calloc(1, sizeof(*w));
	snprintf(w->folder, sizeof(w->folder), "%s/river-test-landing-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(w->folder));
	w->lake = rv_store_mem_new();
	w->delivery = rv_delivery_direct_new(w->lake);
	add_stream(w, "web/clicks");
	add_stream(w, "web/views");
	static const char *const names[] = { RV_LANDING_PREFIX "web/clicks/" RUN "-000001",
					     RV_LANDING_PREFIX "web/clicks/" RUN "-000002",
					     RV_LANDING_PREFIX "web/views/" RUN "-000001" };
	for (size_t i = 0; i < 3; i++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
		for (int n = 0; n < RECORDS / 3; n++)
			rv_strbuf_printf(&text, "{\"n\":%d}\n", (int)i * RECORDS / 3 + n);
		rv_strbuf_puts(&text, "bad\n");
		put(w, names[i], text.bytes);
		w->names[w->count++] = rv_strdup(names[i]);
	}
	return w;
}

static void free_world(struct world *w)
{
	struct rv_error err;
	rv_store_mem_fail(w->lake, 0, false, RV_OK);
	assert_int_equal(rv_remove_tree(w->folder, &err), RV_OK);
	rv_delivery_free(w->delivery);
	rv_store_free(w->lake);
	for (size_t i = 0; i < w->count; i++)
		free(w->names[i]);
	free(w);
}

static void note_outcome(void *arg, const struct rv_landing_result *result)
{
	struct world *w = arg;
	w->outcomes[result->outcome]++;
	assert_true(result->outcome != RV_LANDING_LEFT || result->why.status != RV_OK);
}

static enum rv_status process(struct world *w, struct rv_error *err)
{
	const struct rv_landing_params params = {
		.lake = w->lake,
		.delivery = w->delivery,
		.state_dir = w->folder,
		.max_bytes = 1 << 30,
		.max_record_bytes = 1 << 20,
		.spool_max_bytes = 1 << 30,
		.threads = 1,
		.each = note_outcome,
		.arg = w,
	};
	memset(w->outcomes, 0, sizeof(w->outcomes));
	*err = (struct rv_error)RV_ERROR_INIT;
	return rv_landing_process(&params, w->names, w->count, err);
}

struct tally {
	struct world *w;
	unsigned seen[RECORDS];
	uint64_t others, rejects, waiting, open;
};

static enum rv_status count_object(void *arg, const struct rv_store_object *object,
				   struct rv_error *err)
{
	struct tally *tally = arg;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf packed = RV_STRBUF_INIT;
	char etag[RV_ETAG_TEXT], text[4096];
	tally->waiting += rv_starts_with(object->name, RV_LANDING_PREFIX);
	tally->rejects += rv_starts_with(object->name, "_river/rejects/");
	tally->open += strstr(object->name, "-open.json") != NULL;
	if (!rv_starts_with(object->name, "data/"))
		return RV_OK;
	assert_int_equal(tally->w->lake->ops->get(tally->w->lake, object->name, 1 << 20, &packed, etag,
						  err), RV_OK);
	size_t len = ZSTD_decompress(text, sizeof(text), packed.bytes, packed.len);
	assert_false(ZSTD_isError(len));
	for (const char *p = text, *end = text + len; p < end; p = strchr(p, '\n') + 1) {
		int n;
		if (sscanf(p, "{\"n\":%d}", &n) == 1 && n >= 0 && n < RECORDS)
			tally->seen[n]++;
		else
			tally->others++;
	}
	return RV_OK;
}

static void count(struct world *w, struct tally *ret)
{
	struct rv_error err;
	struct rv_store_list list = { .prefix = "" };
	*ret = (struct tally){ .w = w };
	assert_int_equal(w->lake->ops->list(w->lake, &list, count_object, ret, &err), RV_OK);
}

static void check_all_there(struct world *w)
{
	struct tally tally;
	count(w, &tally);
	for (int n = 0; n < RECORDS; n++)
		if (tally.seen[n] != 1)
			fail_msg("record %d is there %u times", n, tally.seen[n]);
	assert_int_equal(tally.others, 0);
	assert_int_equal(tally.waiting, 0);
	/* without an upload nobody would come back to it */
	assert_int_equal(tally.open, 0);
	assert_int_equal(tally.rejects, 3);
}

static void test_names(void **state)
{
	(void)state;
	static const char *const wrong[] = {
		"", "_river/landing/web/clicks/", "_river/landing/web/clicks/x-1",
		"_river/landing/web/clicks/x-0000001", "_river/landing/web/clicks/x-000000",
		"_river/landing/web/clicks/-000001", "_river/landing/web/clicks/X-000001",
		"_river/landing/web/clicks/a/x-000001", "_river/landing/Web/clicks/x-000001",
		"_river/landing/web/clicks/x-00000a", "data/web/clicks/x-000001",
		"_river/landing/web/clicks_clean/x-000001", "_river/landing/temp/clicks/x-000001",
		"_river/landing/web/clicks/01234567890123456789012345678901234567890-000001",
	};
	struct rv_landing_name name;
	char text[RV_OBJECT_NAME_MAX], run[RV_RUN_MAX + 1];
	assert_true(rv_landing_name_parse("_river/landing/web/clicks/a-b.c-000042", &name));
	assert_string_equal(name.business, "web");
	assert_string_equal(name.stream, "clicks");
	assert_string_equal(name.run, "a-b.c");
	assert_int_equal(name.seq, 42);
	rv_landing_name_format(&name, text);
	assert_string_equal(text, "_river/landing/web/clicks/a-b.c-000042");
	rv_landing_run(&name, run);
	assert_string_equal(run, "a-b.c-000042");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		if (rv_landing_name_parse(wrong[i], &name))
			fail_msg("'%s' is taken for an upload", wrong[i]);
}

static void test_plain(void **state)
{
	(void)state;
	struct world *w = make_world();
	struct rv_error err;
	assert_int_equal(process(w, &err), RV_PARTIAL);
	assert_int_equal(w->outcomes[RV_LANDING_LANDED], 3);
	check_all_there(w);
	assert_int_equal(process(w, &err), RV_OK);
	assert_int_equal(w->outcomes[RV_LANDING_GONE], 3);
	free_world(w);
}

static void fail_everywhere(bool forever, enum rv_status how)
{
	unsigned told = 0;
	/* Some failures cost nothing but a retry, so the end is not where one is not told of. */
	for (uint64_t at = 1; at <= OPERATIONS; at++) {
		struct world *w = make_world();
		struct rv_error err;
		rv_store_mem_fail(w->lake, at, forever, how);
		enum rv_status status = process(w, &err);
		rv_store_mem_fail(w->lake, 0, false, RV_OK);
		struct tally tally;
		count(w, &tally);
		told += status != RV_PARTIAL;
		/* What waits was told of. */
		assert_true(!tally.waiting || w->outcomes[RV_LANDING_LEFT] || status != RV_PARTIAL);
		for (int n = 0; n < RECORDS; n++)
			assert_true(tally.seen[n] <= 1);
		for (int again = 0; again < 2; again++)
			(void)!process(w, &err);
		check_all_there(w);
		free_world(w);
	}
	assert_true(told > 30 && told < OPERATIONS);
}

static void test_fails_once(void **state)
{
	(void)state;
	fail_everywhere(false, RV_FAILED);
}

static void test_fails_from_then_on(void **state)
{
	(void)state;
	fail_everywhere(true, RV_AUTH);
}

static enum rv_status keep_name(void *arg, const struct rv_store_object *object,
				struct rv_error *err RV_UNUSED)
{
	struct rv_strbuf *names = arg;
	rv_strbuf_printf(names, "%s\n", object->name);
	return RV_OK;
}

/* Another upload under a used name, with every operation failing once: one reject, and the right one. */
static void test_used_twice(void **state)
{
	(void)state;
	for (uint64_t at = 1; at < 40; at++) {
		struct world *w = make_world();
		struct rv_error err;
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf names = RV_STRBUF_INIT;
		struct rv_store_list list = { .prefix = "_river/rejects/web/views/" };
		assert_int_equal(process(w, &err), RV_PARTIAL);
		put(w, w->names[2], "{\"other\":1}\n");
		rv_store_mem_fail(w->lake, at, false, RV_FAILED);
		(void)!process(w, &err);
		rv_store_mem_fail(w->lake, 0, false, RV_OK);
		for (int again = 0; again < 2; again++)
			(void)!process(w, &err);
		struct tally tally;
		count(w, &tally);
		assert_int_equal(tally.waiting, 0);
		assert_int_equal(tally.others, 0);
		assert_int_equal(w->lake->ops->list(w->lake, &list, keep_name, &names, &err), RV_OK);
		assert_int_equal(tally.rejects, 4);
		assert_non_null(strstr(names.bytes, "/" RUN "-000001."));
		free_world(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_fails_once),
		cmocka_unit_test(test_fails_from_then_on),
		cmocka_unit_test(test_used_twice),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

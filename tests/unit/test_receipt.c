/* Receipts: their names, what is in them, and which of two wins. */
#include "run_world.h"

#include <jansson.h>

#include "flow/deliver.h"
#include "flow/receipt.h"

#define DAY "_river/receipts/web/clicks/2026-11-20/"

static void test_names(void **state RV_UNUSED)
{
	static const char *const good[] = {
		DAY "r1-open.json",
		DAY "r1-a0-x0-b0-h0000000000000000.json",
		DAY "nightly-a-1.x_y-a18446744073709551615-x2-b3-hfedcba9876543210.json",
		DAY "r1-open-a1-x0-b1-h0000000000000001.json",
	};
	static const char *const bad[] = {
		"", DAY, "r1-open.json", DAY "-open.json", DAY "r1.json", DAY "r1-open.jsonx",
		DAY "r1-open.json.zst", DAY "R1-open.json", DAY "r1-a1-x0-b1-h1.json",
		DAY "r1-a01-x0-b1-h0000000000000001.json", DAY "r1-a1-x0-b1-h000000000000000G.json",
		DAY "r1-a1-x0-b1-h000000000000000A.json", DAY "r1-a1-b1-h0000000000000001.json",
		DAY "r1-x0-a1-b1-h0000000000000001.json", DAY "r1-a-1-x0-b1-h0000000000000001.json",
		DAY "r1-a18446744073709551616-x0-b1-h0000000000000001.json", DAY "x/r1-open.json",
		"_river/rejects/web/clicks/2026-11-20/r1-open.json", "_river/receipts/web/r1-open.json",
	};
	struct rv_receipt_name name;
	char text[RV_OBJECT_NAME_MAX];

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		if (!rv_receipt_name_parse(good[i], &name))
			fail_msg("%s was refused", good[i]);
		rv_receipt_name_format(&name, text);
		assert_string_equal(text, good[i]);
	}
	assert_false(name.open);
	assert_string_equal(name.run, "r1-open");
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (rv_receipt_name_parse(bad[i], &name))
			fail_msg("%s was taken", bad[i]);
}

static void promise(struct run_world *w, struct rv_run *run, uint64_t seq, uint64_t records,
		    uint64_t rejected)
{
	struct rv_batch_entry entry = {
		.seq = seq,
		.name = records ? rv_asprintf("data/%u", (unsigned)seq) : rv_strdup(""),
		.records = records,
		.bytes = 10 * records,
		.set_hash = records * 0x1000,
		.rejected = rejected,
		.rejects_hash = rejected,
		.rejects_name = rejected ? rv_asprintf("rejects/%u", (unsigned)seq) : NULL,
	};

	assert_ok(w, rv_run_promise(run, &entry, &w->err));
}

static enum rv_status join_names(void *arg, const struct rv_store_object *object,
				 struct rv_error *err RV_UNUSED)
{
	rv_strbuf_printf(arg, "%s|", object->name);
	return RV_OK;
}

static void expect_names(struct run_world *w, const char *want)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf got = RV_STRBUF_INIT;
	char prefix[RV_OBJECT_NAME_MAX];

	rv_receipt_prefix(&w->stream, prefix);
	assert_string_equal(prefix, "_river/receipts/web/clicks/");
	assert_ok(w, w->lake->ops->list(w->lake, &(struct rv_store_list){ .prefix = prefix }, join_names,
					&got, &w->err));
	assert_string_equal(got.bytes, want);
}

static json_t *read_document(struct run_world *w, const char *name)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	char etag[RV_ETAG_TEXT];

	assert_ok(w, w->lake->ops->get(w->lake, name, 1 << 20, &text, etag, &w->err));
	assert_int_equal(text.bytes[text.len - 1], '\n');
	json_t *o = json_loadb(text.bytes, text.len, 0, NULL);

	assert_non_null(o);
	return o;
}

static void same_string(json_t *o, const char *key, const char *want)
{
	const char *got = json_string_value(json_object_get(o, key));

	assert_non_null(got);
	assert_string_equal(got, want);
}

static void same_number(json_t *o, const char *key, int64_t want)
{
	assert_true(json_is_integer(json_object_get(o, key)));
	assert_int_equal(json_integer_value(json_object_get(o, key)), want);
}

static void test_open_then_closed(void **state RV_UNUSED)
{
	struct run_world w;
	bool there;

	open_world(&w, true);
	struct rv_run *run = begin_run(&w, "r1", false, false);

	assert_ok(&w, rv_receipt_put_open(w.lake, &w.stream, run, &there, &w.err));
	assert_ok(&w, rv_receipt_put_open(w.lake, &w.stream, run, &there, &w.err)); /* again: fine */
	expect_names(&w, DAY "r1-open.json|");
	json_t *o = read_document(&w, DAY "r1-open.json");

	same_number(o, "v", 1);
	same_string(o, "run", "r1");
	same_string(o, "stream", "web/clicks");
	same_string(o, "stream_id", "01jcx0000000000000000000zz");
	same_string(o, "state", "open");
	same_string(o, "source", "in.ndjson");
	same_string(o, "started", "2026-11-20T16:58:51.123Z");
	assert_null(json_object_get(o, "objects"));
	json_decref(o);

	promise(&w, run, 0, 3, 0);
	promise(&w, run, 1, 5, 2);  /* will turn out to be lost */
	promise(&w, run, 2, 0, 4);  /* rejects only */
	promise(&w, run, 3, 7, 1);
	assert_ok(&w, rv_run_landed(run, 0, &w.err));
	assert_ok(&w, rv_run_dropped(run, 1, &w.err));
	assert_ok(&w, rv_run_landed(run, 2, &w.err));
	assert_ok(&w, rv_run_landed(run, 3, &w.err));
	assert_ok(&w, rv_receipt_put_closed(w.lake, &w.stream, run, &w.err));
#define CLOSED DAY "r1-a10-x5-b2-h000000000000a000.json"
	expect_names(&w, CLOSED "|"); /* the open one is gone */
	o = read_document(&w, CLOSED);
	same_string(o, "state", "closed");
	same_number(o, "read", 15);
	same_string(o, "hash", "000000000000a000");
	same_string(o, "rejects_hash", "0000000000000005");
	assert_true(json_is_string(json_object_get(o, "ended")));
	json_t *objects = json_object_get(o, "objects"), *rejects = json_object_get(o, "rejects");

	assert_int_equal(json_array_size(objects), 2);
	assert_string_equal(json_string_value(json_array_get(objects, 0)), "data/0");
	assert_string_equal(json_string_value(json_array_get(objects, 1)), "data/3");
	assert_int_equal(json_array_size(rejects), 2);
	assert_string_equal(json_string_value(json_array_get(rejects, 0)), "rejects/2");
	json_decref(o);
	/* killed before it was noted, and done again */
	assert_ok(&w, rv_receipt_put_closed(w.lake, &w.stream, run, &w.err));
	expect_names(&w, CLOSED "|");
	rv_run_free(run);
	close_world(&w);
}

/* A named run is one input: closed again with other counts it is another. */
static void test_named_run(void **state RV_UNUSED)
{
	struct run_world w;
	bool there;

	open_world(&w, true);
	struct rv_run *run = begin_run(&w, "nightly", false, true);

	promise(&w, run, 0, 3, 0);
	assert_ok(&w, rv_receipt_put_closed(w.lake, &w.stream, run, &w.err));
	assert_ok(&w, rv_receipt_put_closed(w.lake, &w.stream, run, &w.err));
	assert_ok(&w, rv_run_remove(run, &w.err));
	rv_run_free(run);

	/* names that begin alike are others' */
	run = begin_run(&w, "nightly-a3", false, true);
	promise(&w, run, 0, 9, 0);
	assert_ok(&w, rv_receipt_put_closed(w.lake, &w.stream, run, &w.err));
	rv_run_free(run);
	run = begin_run(&w, "night", false, true);
	assert_ok(&w, rv_receipt_put_closed(w.lake, &w.stream, run, &w.err));
	rv_run_free(run);

	run = begin_run(&w, "nightly", false, true);
	assert_ok(&w, rv_receipt_put_open(w.lake, &w.stream, run, &there, &w.err));
	promise(&w, run, 0, 3, 1);
	assert_int_equal(rv_receipt_put_closed(w.lake, &w.stream, run, &w.err), RV_CONFLICT);
	assert_non_null(strstr(w.err.message, "run nightly was closed before"));
	expect_names(&w, DAY "night-a0-x0-b0-h0000000000000000.json|"
			 DAY "nightly-a3-a9-x0-b1-h0000000000009000.json|"
			 DAY "nightly-a3-x0-b1-h0000000000003000.json|"
			 DAY "nightly-open.json|"); /* still open: it did not come to its end */
	rv_run_free(run);
	close_world(&w);
}

static void put_text(struct run_world *w, const char *name, const char *text)
{
	assert_ok(w, rv_store_put_bytes(w->lake, name, text, strlen(text), &(struct rv_store_put){ .if_absent = true },
					&w->err));
}

/* Whatever differs: it is another input. What merely begins alike is nothing to compare with. */
static void test_named_run_of_others(void **state RV_UNUSED)
{
	static const char *const others[] = {
		DAY "n-a4-x2-b1-h0000000000003000.json", DAY "n-a3-x1-b1-h0000000000003000.json",
		DAY "n-a3-x2-b2-h0000000000003000.json", DAY "n-a3-x2-b1-h0000000000003001.json",
	};
	static const char *const nobodys[] = {
		DAY "n-a.txt", DAY "n-a-open.json", DAY "n-a3-a4-x2-b1-h0000000000003000.json",
	};

	for (size_t i = 0; i <= sizeof(others) / sizeof(*others); i++) {
		struct run_world w;
		bool last = i == sizeof(others) / sizeof(*others);

		open_world(&w, true);
		struct rv_run *run = begin_run(&w, "n", false, true);

		promise(&w, run, 0, 3, 2);
		for (size_t j = 0; j < sizeof(nobodys) / sizeof(*nobodys); j++)
			put_text(&w, nobodys[j], "{}");
		if (!last)
			put_text(&w, others[i], "{}");
		assert_int_equal(rv_receipt_put_closed(w.lake, &w.stream, run, &w.err), last ? RV_OK : RV_CONFLICT);
		rv_run_free(run);
		close_world(&w);
	}
}

static void test_find_closed(void **state RV_UNUSED)
{
	struct run_world w;
	json_t *closed;
	bool there;

	open_world(&w, true);
	struct rv_run *run = begin_run(&w, "n", false, true);

	assert_ok(&w, rv_receipt_put_open(w.lake, &w.stream, run, &there, &w.err));
	put_text(&w, DAY "n-a.txt", "{}");
	put_text(&w, DAY "n-a-open.json", "{}");
	put_text(&w, DAY "n-a3-a4-x2-b1-h0000000000003000.json", "{}");
	assert_ok(&w, rv_receipt_find_closed(w.lake, &w.stream, run, &closed, &w.err));
	assert_null(closed);
	/* there should be one; the first of two is as good as the other */
	put_text(&w, DAY "n-a3-x0-b1-h0000000000003000.json", "{\"state\":\"closed\"}");
	put_text(&w, DAY "n-a4-x0-b1-h0000000000003000.json", "no receipt");
	assert_ok(&w, rv_receipt_find_closed(w.lake, &w.stream, run, &closed, &w.err));
	same_string(closed, "state", "closed");
	json_decref(closed);
	assert_ok(&w, w.lake->ops->remove(w.lake, DAY "n-a3-x0-b1-h0000000000003000.json", NULL, &w.err));
	assert_int_equal(rv_receipt_find_closed(w.lake, &w.stream, run, &closed, &w.err), RV_DAMAGED);
	assert_string_equal(w.err.message, DAY "n-a4-x0-b1-h0000000000003000.json is not a receipt");

	/* and its own open one alone goes, also when it has gone already */
	for (int i = 0; i < 2; i++) {
		assert_ok(&w, rv_receipt_remove_open(w.lake, &w.stream, run, &w.err));
		expect_names(&w, DAY "n-a-open.json|" DAY "n-a.txt|" DAY "n-a3-a4-x2-b1-h0000000000003000.json|"
				 DAY "n-a4-x0-b1-h0000000000003000.json|");
	}
	rv_run_free(run);
	close_world(&w);
}

static void test_failing_lake(void **state RV_UNUSED)
{
	struct run_world w;
	bool there;

	open_world(&w, true);
	struct rv_run *run = begin_run(&w, "r1", false, true);

	promise(&w, run, 0, 3, 0);
	rv_store_mem_fail(w.lake, 1, false, RV_AUTH);
	assert_int_equal(rv_receipt_put_open(w.lake, &w.stream, run, &there, &w.err), RV_AUTH);
	assert_ok(&w, rv_receipt_put_open(w.lake, &w.stream, run, &there, &w.err));
	/* list, put, remove: whichever fails, the open one stays and the next try ends it */
	for (uint64_t at = 1; at <= 3; at++) {
		rv_store_mem_fail(w.lake, at, false, RV_LOCAL_IO);
		assert_int_equal(rv_receipt_put_closed(w.lake, &w.stream, run, &w.err), RV_LOCAL_IO);
		expect_names(&w, at < 3 ? DAY "r1-open.json|"
					: DAY "r1-a3-x0-b1-h0000000000003000.json|" DAY "r1-open.json|");
	}
	assert_ok(&w, rv_receipt_put_closed(w.lake, &w.stream, run, &w.err));
	expect_names(&w, DAY "r1-a3-x0-b1-h0000000000003000.json|");
	rv_run_free(run);
	close_world(&w);
}

/* What one run's closed receipt says is never taken for another's, also when the other run got the memory
 * of the first. */
static void test_known_is_of_its_run(void **state RV_UNUSED)
{
	struct run_world w;
	const json_t *closed;

	open_world(&w, true);
	struct rv_deliver deliver = {
		.stream = &w.stream,
		.state = &w.state,
		.lake = w.lake,
		.loss = RV_ERROR_INIT,
	};
	uint64_t serial = 0;
	/* A few times: whether memory is given again is not ours to say. */
	for (int i = 0; i < 40; i++) {
		char name[16];

		snprintf(name, sizeof(name), "r%d-%s", i / 2, i % 2 ? "other" : "sent");
		struct rv_run *run = begin_run(&w, name, true, true);

		assert_true(run->serial > serial);
		serial = run->serial;
		if (i % 2 == 0)
			assert_ok(&w, rv_receipt_put_closed(w.lake, &w.stream, run, &w.err));
		assert_ok(&w, rv_deliver_closed_before(&deliver, run, &closed, &w.err));
		assert_int_equal(closed != NULL, i % 2 == 0);
		rv_run_free(run);
	}
	rv_deliver_release(&deliver);
	close_world(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_open_then_closed),
		cmocka_unit_test(test_named_run),
		cmocka_unit_test(test_named_run_of_others),
		cmocka_unit_test(test_find_closed),
		cmocka_unit_test(test_failing_lake),
		cmocka_unit_test(test_known_is_of_its_run),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

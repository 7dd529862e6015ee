/* The names of objects, receipts and rejects: golden ones, refused ones, and damaged ones. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "flow/object_name.h"
#include "flow/receipt.h"
#include "flow/rejects.h"

#define OBJECT "data/web/clicks/dt=2026-11-20/hr=14/01jcx-000007-r1234-h00000000deadbeef.ndjson.zst"
#define RECEIPT "_river/receipts/web/clicks/2026-11-20/01jcx-a5-x1-b2-h00000000deadbeef.json"
#define RECEIPT_OPEN "_river/receipts/web/clicks/2026-11-20/01jcx-open.json"
#define REJECTS "_river/rejects/web/clicks/2026-11-20/01jcx-000007-r3.ndjson"

static void test_golden(void **arg)
{
	(void)arg;
	char text[RV_OBJECT_NAME_MAX];
	struct rv_object_name object = { .business = "web", .stream = "clicks",
					 .folder = "dt=2026-11-20/hr=14", .run = "01jcx", .seq = 7,
					 .records = 1234, .set_hash = 0xdeadbeef,
					 .compression = RV_OUTPUT_ZSTD };
	rv_object_name_format(&object, text);
	assert_string_equal(text, OBJECT);
	object.compression = RV_OUTPUT_GZIP_SMALL;
	object.seq = 12345678;
	rv_object_name_format(&object, text);
	assert_string_equal(text, "data/web/clicks/dt=2026-11-20/hr=14/"
				  "01jcx-12345678-r1234-h00000000deadbeef.ndjson.gz");
	struct rv_receipt_name receipt = { .business = "web", .stream = "clicks", .day = "2026-11-20",
					   .run = "01jcx", .accepted = 5, .rejected = 1, .batches = 2,
					   .set_hash = 0xdeadbeef };
	rv_receipt_name_format(&receipt, text);
	assert_string_equal(text, RECEIPT);
	receipt.open = true;
	rv_receipt_name_format(&receipt, text);
	assert_string_equal(text, RECEIPT_OPEN);
	struct rv_rejects_name rejects = { .business = "web", .stream = "clicks", .day = "2026-11-20",
					   .run = "01jcx", .seq = 7, .rejected = 3 };
	rv_rejects_name_format(&rejects, text);
	assert_string_equal(text, REJECTS);
}

static void test_parse(void **arg)
{
	(void)arg;
	struct rv_object_name object;
	assert_true(rv_object_name_parse(OBJECT, &object));
	assert_string_equal(object.business, "web");
	assert_string_equal(object.stream, "clicks");
	assert_string_equal(object.folder, "dt=2026-11-20/hr=14");
	assert_string_equal(object.run, "01jcx");
	assert_int_equal(object.seq, 7);
	assert_int_equal(object.records, 1234);
	assert_int_equal(object.set_hash, 0xdeadbeef);
	assert_int_equal(object.compression, RV_OUTPUT_ZSTD);
	struct rv_receipt_name receipt;
	assert_true(rv_receipt_name_parse(RECEIPT, &receipt));
	assert_false(receipt.open);
	assert_int_equal(receipt.accepted, 5);
	assert_int_equal(receipt.rejected, 1);
	assert_int_equal(receipt.batches, 2);
	assert_int_equal(receipt.set_hash, 0xdeadbeef);
	assert_string_equal(receipt.day, "2026-11-20");
	assert_true(rv_receipt_name_parse(RECEIPT_OPEN, &receipt));
	assert_true(receipt.open);
	assert_string_equal(receipt.run, "01jcx");
	struct rv_rejects_name rejects;
	assert_true(rv_rejects_name_parse(REJECTS, &rejects));
	assert_int_equal(rejects.seq, 7);
	assert_int_equal(rejects.rejected, 3);
	assert_string_equal(rejects.run, "01jcx");
}

/* A run's own name may look like any of the parts behind it. */
static void test_awkward_runs(void **arg)
{
	(void)arg;
	static const char *const runs[] = {
		"a-000001", "a-r5", "a-000001-r5-h0123456789abcdef", "2026-11-20", "0", "a--", "a-open",
		"a-a1-x1-b1-h0123456789abcdef", "a.ndjson", "a.json",
		"0123456789012345678901234567890123456789012345678901234567890123",
	};
	for (size_t i = 0; i < sizeof(runs) / sizeof(*runs); i++) {
		char text[RV_OBJECT_NAME_MAX];
		struct rv_object_name object = { .business = "b", .stream = "s",
						 .folder = "dt=2026-11-20/hr=14", .seq = UINT64_MAX,
						 .records = UINT64_MAX, .set_hash = UINT64_MAX };
		struct rv_receipt_name receipt = { .business = "b", .stream = "s", .day = "2026-11-20" };
		struct rv_rejects_name rejects = { .business = "b", .stream = "s", .day = "2026-11-20" };
		struct rv_object_name object_there;
		struct rv_receipt_name receipt_there;
		struct rv_rejects_name rejects_there;
		assert_true(rv_run_name_valid(runs[i]));
		snprintf(object.run, sizeof(object.run), "%s", runs[i]);
		snprintf(receipt.run, sizeof(receipt.run), "%s", runs[i]);
		snprintf(rejects.run, sizeof(rejects.run), "%s", runs[i]);
		rv_object_name_format(&object, text);
		assert_true(rv_object_name_parse(text, &object_there));
		assert_string_equal(object_there.run, runs[i]);
		assert_true(object_there.seq == UINT64_MAX && object_there.records == UINT64_MAX);
		rv_receipt_name_format(&receipt, text);
		assert_true(rv_receipt_name_parse(text, &receipt_there));
		assert_string_equal(receipt_there.run, runs[i]);
		rv_rejects_name_format(&rejects, text);
		assert_true(rv_rejects_name_parse(text, &rejects_there));
		assert_string_equal(rejects_there.run, runs[i]);
	}
}

static void test_run_names(void **arg)
{
	(void)arg;
	static const char *const refused[] = {
		"", "-a", ".a", "_a", "A", "a/b", "a b", "a\n", "\xc3\xa9", "a=b",
		"01234567890123456789012345678901234567890123456789012345678901234",
	};
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++)
		assert_false(rv_run_name_valid(refused[i]));
}

static void test_refused(void **arg)
{
	(void)arg;
	static const char *const refused[] = {
		"", "data/", "data/web/clicks/dt=2026-11-20/hr=14/",
		"date/web/clicks/dt=2026-11-20/hr=14/a-000007-r1-h00000000deadbeef.ndjson",
		"data/WEB/clicks/dt=2026-11-20/hr=14/a-000007-r1-h00000000deadbeef.ndjson",
		"data//clicks/dt=2026-11-20/hr=14/a-000007-r1-h00000000deadbeef.ndjson",
		"data/web/clicks/dt=2026-02-30/hr=14/a-000007-r1-h00000000deadbeef.ndjson",
		"data/web/clicks/dt=2026-13-01/hr=14/a-000007-r1-h00000000deadbeef.ndjson",
		"data/web/clicks/dt=2026-11-20/hr=24/a-000007-r1-h00000000deadbeef.ndjson",
		"data/web/clicks/dt=2026-11-20/hr=4/a-000007-r1-h00000000deadbeef.ndjson",
		"data/web/clicks/dt=2026-11-20/hr=14/a-7-r1-h00000000deadbeef.ndjson",
		"data/web/clicks/dt=2026-11-20/hr=14/a-0000007-r1-h00000000deadbeef.ndjson",
		"data/web/clicks/dt=2026-11-20/hr=14/a-000007-r01-h00000000deadbeef.ndjson",
		"data/web/clicks/dt=2026-11-20/hr=14/a-000007-r1-h00000000DEADBEEF.ndjson",
		"data/web/clicks/dt=2026-11-20/hr=14/a-000007-r1-hdeadbeef.ndjson",
		"data/web/clicks/dt=2026-11-20/hr=14/a-000007-r1-h00000000deadbeef.ndjson.bz2",
		"data/web/clicks/dt=2026-11-20/hr=14/A-000007-r1-h00000000deadbeef.ndjson",
		"data/web/clicks/dt=2026-11-20/hr=14/-000007-r1-h00000000deadbeef.ndjson",
		"data/web/clicks/dt=2026-11-20/hr=14/x/a-000007-r1-h00000000deadbeef.ndjson",
		"data/web/clicks/dt=2026-11-20/hr=14/a-000007-r18446744073709551616-h00000000deadbeef.ndjson",
		"_river/receipts/web/clicks/2026-11-20/-open.json",
		"_river/receipts/web/clicks/2026-11-20/a-a1-x1-b1-hdeadbeef.json",
		"_river/receipts/web/clicks/2026-11-20/a-x1-a1-b1-h00000000deadbeef.json",
		"_river/receipts/web/clicks/2026-11-20/a-a01-x1-b1-h00000000deadbeef.json",
		"_river/receipts/web/clicks/2026-11-20/a/b-open.json",
		"_river/rejects/web/clicks/2026-11-20/a-7-r3.ndjson",
		"_river/rejects/web/clicks/2026-11-20/a-000007-r03.ndjson",
		"_river/rejects/web/clicks/2026-11-20/a-000007.ndjson",
		"_river/rejects/web/clicks/2026-11-20/a/b-000007-r3.ndjson",
	};
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		struct rv_object_name object;
		struct rv_receipt_name receipt;
		struct rv_rejects_name rejects;
		assert_false(rv_object_name_parse(refused[i], &object));
		assert_false(rv_receipt_name_parse(refused[i], &receipt));
		assert_false(rv_rejects_name_parse(refused[i], &rejects));
	}
}

/* Any one byte changed: refused, or a name that says exactly that. */
static void test_every_changed_byte(void **arg)
{
	(void)arg;
	static const char *const names[] = { OBJECT, RECEIPT, RECEIPT_OPEN, REJECTS };
	for (size_t n = 0; n < sizeof(names) / sizeof(*names); n++) {
		char text[RV_OBJECT_NAME_MAX], again[RV_OBJECT_NAME_MAX];
		size_t len = strlen(names[n]);
		for (size_t i = 0; i < len; i++) {
			for (unsigned c = 0; c < 256; c++) {
				struct rv_object_name object;
				struct rv_receipt_name receipt;
				struct rv_rejects_name rejects;
				memcpy(text, names[n], len + 1);
				text[i] = (char)c;
				if (rv_object_name_parse(text, &object)) {
					rv_object_name_format(&object, again);
					assert_string_equal(again, text);
				}
				if (rv_receipt_name_parse(text, &receipt)) {
					rv_receipt_name_format(&receipt, again);
					assert_string_equal(again, text);
				}
				if (rv_rejects_name_parse(text, &rejects)) {
					rv_rejects_name_format(&rejects, again);
					assert_string_equal(again, text);
				}
			}
		}
	}
}

static void test_replay_runs(void **arg)
{
	(void)arg;
	char run[RV_RUN_MAX + 1], next[RV_RUN_MAX + 1];
	struct rv_rejects_name name = { .run = "01jcx", .seq = 7 };
	rv_rejects_replay_run(&name, run);
	assert_string_equal(run, "replay-01jcx-000007");
	for (unsigned i = 0; i < 20; i++) {
		snprintf(name.run, sizeof(name.run), "%s", run);
		rv_rejects_replay_run(&name, next);
		assert_true(rv_run_name_valid(next));
		assert_string_not_equal(next, run);
		snprintf(run, sizeof(run), "%s", next);
	}
	for (size_t len = 1; len <= RV_RUN_MAX; len++) {
		memset(name.run, 'a', len);
		name.run[len] = '\0';
		name.seq = UINT64_MAX;
		rv_rejects_replay_run(&name, run);
		assert_true(rv_run_name_valid(run));
		name.seq--;
		rv_rejects_replay_run(&name, next);
		assert_string_not_equal(next, run);
	}
}

#define FIREHOSE "data/web/clicks/dt=2026-11-20/hr=14/river-web-clicks-1-2026-11-20-14-03-00-"
#define UUID "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"

static void test_firehose(void **arg RV_UNUSED)
{
	struct rv_stream stream;
	struct rv_firehose_name name;
	struct rv_error err = RV_ERROR_INIT;
	static const char *const extensions[] = { ".ndjson.gz", ".gz", "" };
	static const char *const others[] = {
		"data/web/clicks/dt=2026-11-20/hr=14/river-web-views-1-2026-11-20-14-03-00-" UUID,
		"data/web/views/dt=2026-11-20/hr=14/river-web-clicks-1-2026-11-20-14-03-00-" UUID,
		"data/web/clicks/dt=2026-11-20/hr=24/river-web-clicks-1-2026-11-20-14-03-00-" UUID,
		"data/web/clicks/dt=2026-11-20/river-web-clicks-1-2026-11-20-14-03-00-" UUID,
		"data/web/clicks/river-web-clicks-1-2026-11-20-14-03-00-" UUID,
		"data/web/clicks/dt=2026-11-20/hr=14/river-web-clicks-0-2026-11-20-14-03-00-" UUID,
		"data/web/clicks/dt=2026-11-20/hr=14/river-web-clicks--2026-11-20-14-03-00-" UUID,
		"data/web/clicks/dt=2026-11-20/hr=14/river-web-clicks-1-2026-02-30-14-03-00-" UUID,
		"data/web/clicks/dt=2026-11-20/hr=14/river-web-clicks-1-2026-11-20-24-03-00-" UUID,
		"data/web/clicks/dt=2026-11-20/hr=14/river-web-clicks-1-2026-11-20-14-03-" UUID,
		"data/web/clicks/dt=2026-11-20/hr=14/x/river-web-clicks-1-2026-11-20-14-03-00-" UUID,
		FIREHOSE UUID ".zst",
		FIREHOSE UUID ".ndjson",
		FIREHOSE UUID ".GZ",
		FIREHOSE UUID ".gz.gz",
		FIREHOSE "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f",
		FIREHOSE "0A1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9",
		FIREHOSE,
		"",
		OBJECT,
	};
	rv_stream_init(&stream);
	assert_int_equal(rv_stream_parse_name("web/clicks", &stream, &err), RV_OK);
	for (size_t i = 0; i < sizeof(extensions) / sizeof(*extensions); i++) {
		char text[RV_OBJECT_NAME_MAX];
		struct rv_object_name own;
		snprintf(text, sizeof(text), FIREHOSE UUID "%s", extensions[i]);
		assert_true(rv_firehose_name_parse(text, &stream, &name));
		assert_string_equal(name.folder, "dt=2026-11-20/hr=14");
		assert_int_equal(name.version, 1);
		assert_int_equal(name.gzip, i < 2);
		assert_false(rv_object_name_parse(text, &own));
	}
	assert_true(rv_firehose_name_parse("data/web/clicks/dt=2026-11-20/hr=23/river-web-clicks-12-"
					   "2027-01-01-00-00-00-" UUID, &stream, &name));
	assert_int_equal(name.version, 12);
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (rv_firehose_name_parse(others[i], &stream, &name))
			fail_msg("%s is taken for Firehose's", others[i]);
	/* A stream whose name goes on where the other's ends is another stream. */
	rv_stream_release(&stream);
	rv_stream_init(&stream);
	assert_int_equal(rv_stream_parse_name("web/click", &stream, &err), RV_OK);
	assert_false(rv_firehose_name_parse(FIREHOSE UUID, &stream, &name));
	rv_stream_release(&stream);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_firehose),	      cmocka_unit_test(test_parse),
		cmocka_unit_test(test_awkward_runs),  cmocka_unit_test(test_run_names),
		cmocka_unit_test(test_refused),	      cmocka_unit_test(test_every_changed_byte),
		cmocka_unit_test(test_replay_runs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

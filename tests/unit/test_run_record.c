/* What a named run finds in the lake under its name: it goes by it, or says why not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flow/run_record.h"

#define RECORD(version, folder, suffix)                                                            \
	"{\"v\":" version ",\"run\":\"r\",\"stream_id\":\"01arz3ndektsv4rrffq69g5fav\",\"folder\":\"" folder      \
	"\",\"batch_record_bytes\":1000,\"compression\":\"" suffix "\"}"
#define FOLDER "dt=2026-11-20/hr=14"

static struct rv_error err;
static struct rv_run_record record;

static enum rv_status fix(const char *text)
{
	struct rv_store *lake = rv_store_mem_new();
	struct rv_stream stream;
	const struct rv_store_put any = { .if_absent = false };

	rv_stream_init(&stream);
	snprintf(stream.business, sizeof(stream.business), "web");
	snprintf(stream.name, sizeof(stream.name), "clicks");
	snprintf(stream.id, sizeof(stream.id), "01arz3ndektsv4rrffq69g5fav");
	err = (struct rv_error)RV_ERROR_INIT;
	assert_int_equal(rv_store_put_bytes(lake, "_river/runs/web/clicks/r.json", text, strlen(text), &any, &err),
			 RV_OK);
	enum rv_status status = rv_run_record_fix(lake, &stream, "r", 1 << 20, 0, 0, 0, &record, &err);
	rv_stream_release(&stream);
	lake->ops->free(lake);
	return status;
}

static void test_is_gone_by(void **state)
{
	(void)state;
	assert_int_equal(fix(RECORD("1", FOLDER, ".ndjson.gz")), RV_OK);
	assert_string_equal(record.folder, FOLDER);
	assert_int_equal(record.compression, RV_OUTPUT_GZIP);
	assert_int_equal(record.batch_record_bytes, 1000);
}

static void test_only_what_river_writes(void **state)
{
	static const char *const wrong[] = {
		/* objects would be put where nobody looks for them */
		RECORD("1", "../../../x", ".ndjson"), RECORD("1", "", ".ndjson"), RECORD("1", FOLDER "/", ".ndjson"),
		RECORD("1", "dt=2026-13-20/hr=14", ".ndjson"), RECORD("1", "dt=2026-11-20/hr=24", ".ndjson"),
		/* or twice, under two names */
		RECORD("1", FOLDER, ".ndjson.br"), RECORD("1", FOLDER, ""), "{}", "", "[1",
	};
	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		assert_int_equal(fix(wrong[i]), RV_DAMAGED);
		assert_string_equal(err.message, "_river/runs/web/clicks/r.json is not a run's record");
	}
}

static void test_of_a_newer_river(void **state)
{
	(void)state;
	/* whatever else is in it */
	assert_int_equal(fix("{\"v\":2}"), RV_BAD_CONFIG);
	assert_int_equal(fix(RECORD("7", "elsewhere", ".ndjson.br")), RV_BAD_CONFIG);
	assert_non_null(strstr(err.message, "newer river (version 7)"));
}

/* The clock of one host stands before the hour that another one has begun the stream in. */
static void test_not_before_the_stream(void **state)
{
	static const struct {
		const char *since, *folder;
	} cases[] = {
		{ "", FOLDER },
		{ "dt=2026-11-20/hr=13", FOLDER },
		{ "dt=2026-11-20/hr=14", FOLDER },
		{ "dt=2026-11-20/hr=15", "dt=2026-11-20/hr=15" },
	};
	const int64_t now_ms = 1795186731123; /* 2026-11-20T14:58:51.123Z */
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct rv_store *lake = rv_store_mem_new();
		struct rv_stream stream;
		err = (struct rv_error)RV_ERROR_INIT;
		rv_stream_init(&stream);
		snprintf(stream.business, sizeof(stream.business), "web");
		snprintf(stream.name, sizeof(stream.name), "clicks");
		snprintf(stream.id, sizeof(stream.id), "01arz3ndektsv4rrffq69g5fav");
		snprintf(stream.since, sizeof(stream.since), "%s", cases[i].since);
		assert_int_equal(rv_run_record_fix(lake, &stream, "r", 1 << 20, 0, 0, now_ms, &record, &err), RV_OK);
		assert_string_equal(record.folder, cases[i].folder);
		rv_stream_release(&stream);
		lake->ops->free(lake);
	}
}

/* What is no limit is one that JSON can hold, and read again. */
static void test_of_endless_batches(void **state)
{
	const uint64_t sizes[] = { INT64_MAX / 4, INT64_MAX / 4 + 1, UINT64_C(1) << 62, UINT64_MAX };
	struct rv_stream stream;

	(void)state;
	rv_stream_init(&stream);
	snprintf(stream.business, sizeof(stream.business), "web");
	snprintf(stream.name, sizeof(stream.name), "clicks");
	snprintf(stream.id, sizeof(stream.id), "01arz3ndektsv4rrffq69g5fav");
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct rv_store *lake = rv_store_mem_new();

		err = (struct rv_error)RV_ERROR_INIT;
		assert_int_equal(rv_run_record_fix(lake, &stream, "r", sizes[i], 0, UINT64_MAX, 0, &record, &err), RV_OK);
		assert_true(record.batch_record_bytes >= INT64_MAX / 4 * 4 && record.batch_record_bytes <= INT64_MAX);
		assert_int_equal(record.batch_records, INT64_MAX);
		assert_int_equal(rv_run_record_fix(lake, &stream, "r", 1, 0, 1, 0, &record, &err), RV_OK);
		assert_int_equal(record.batch_records, INT64_MAX);
		lake->ops->free(lake);
	}
	rv_stream_release(&stream);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_is_gone_by),
		cmocka_unit_test(test_only_what_river_writes),
		cmocka_unit_test(test_of_a_newer_river),
		cmocka_unit_test(test_not_before_the_stream),
		cmocka_unit_test(test_of_endless_batches),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

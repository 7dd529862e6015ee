/* Stamps: put on, found again, cut off without a trace; and what only looks like one. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include "base/error.h"
#include "base/memory.h"
#include "format/json_scan.h"
#include "format/stamp.h"

#define RUN "01kahk5x9e2m7v3q8r4t6y1z0b"

static void stamp(const struct rv_stamper_params *params, const char *lines, struct rv_strbuf *out)
{
	RV_CLEANUP(rv_stamper_release) struct rv_stamper stamper = RV_STAMPER_INIT;
	rv_stamper_begin(&stamper, params);
	rv_stamper_lines(&stamper, lines, strlen(lines), out);
}

static void test_spliced(void **state RV_UNUSED)
{
	const struct rv_stamper_params params = { .run = RUN, .seq = 17 };
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf out = RV_STRBUF_INIT;
	stamp(&params, "{\"a\":1}\n{}\n{ }\n{\"a\":{} }\n{\"a\":[]}\n", &out);
	assert_string_equal(out.bytes,
			    "{\"a\":1,\"_river\":{\"id\":\"" RUN "-000017-1\"}}\n"
			    "{\"_river\":{\"id\":\"" RUN "-000017-2\"}}\n"
			    "{ \"_river\":{\"id\":\"" RUN "-000017-3\"}}\n"
			    "{\"a\":{} ,\"_river\":{\"id\":\"" RUN "-000017-4\"}}\n"
			    "{\"a\":[],\"_river\":{\"id\":\"" RUN "-000017-5\"}}\n");
}

static void test_full(void **state RV_UNUSED)
{
	const struct rv_stamper_params params = {
		.run = "night",
		.full = true,
		.at_ms = 1795193931123,
		.host = "a\"b\\",
		.source = "/srv/\xc3\xa4.ndjson",
	};
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf out = RV_STRBUF_INIT;
	stamp(&params, "{\"a\":1}\n", &out);
	assert_string_equal(out.bytes,
			    "{\"a\":1,\"_river\":{\"id\":\"night-000000-1\","
			    "\"at\":\"2026-11-20T16:58:51.123Z\",\"host\":\"a\\\"b\\\\\","
			    "\"source\":\"/srv/\xc3\xa4.ndjson\"}}\n");
}

/* Numbers go on over the pieces a batch comes in, and into the seventh digit. */
static void test_counts_on(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_stamper_release) struct rv_stamper stamper = RV_STAMPER_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf out = RV_STRBUF_INIT;
	rv_stamper_begin(&stamper, &(struct rv_stamper_params){ .run = "r", .seq = 1234567 });
	for (unsigned i = 0; i < 1000001; i++) {
		rv_strbuf_clear(&out);
		rv_stamper_lines(&stamper, "{}\n", 3, &out);
	}
	assert_string_equal(out.bytes, "{\"_river\":{\"id\":\"r-1234567-1000001\"}}\n");
	rv_stamper_begin(&stamper, &(struct rv_stamper_params){ .run = "r", .seq = 1 });
	rv_strbuf_clear(&out);
	rv_stamper_lines(&stamper, "{}\n", 3, &out);
	assert_string_equal(out.bytes, "{\"_river\":{\"id\":\"r-000001-1\"}}\n");
}

static void test_length_is_bounded(void **state RV_UNUSED)
{
	char long_run[RV_STAMP_RUN_MAX + 1], odd[3000], umlauts[1201];
	memset(long_run, 'r', sizeof(long_run) - 1);
	long_run[sizeof(long_run) - 1] = '\0';
	memset(odd, '\x01', sizeof(odd) - 1);
	odd[sizeof(odd) - 1] = '\0';
	umlauts[0] = 'x';
	for (size_t i = 1; i + 1 < sizeof(umlauts); i += 2)
		memcpy(umlauts + i, "\xc3\xa4", 2);
	umlauts[1199] = '\0';
	const struct rv_stamper_params params = {
		.run = long_run,
		.seq = UINT64_MAX,
		.full = true,
		.host = odd,
		.source = umlauts,
	};
	RV_CLEANUP(rv_stamper_release) struct rv_stamper stamper = RV_STAMPER_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf out = RV_STRBUF_INIT;
	struct rv_stamp_id id;
	size_t keep;
	rv_stamper_begin(&stamper, &params);
	stamper.n = UINT64_MAX - 1;
	assert_true(rv_stamper_max_bytes(&stamper) <= RV_STAMP_MAX_BYTES);
	rv_stamper_lines(&stamper, "{\"a\":1}\n", 8, &out);
	assert_int_equal(out.len, 8 + rv_stamper_max_bytes(&stamper));
	assert_non_null(strstr(out.bytes, "\xc3\xa4\"}}\n")); /* whole characters */
	assert_true(RV_STAMP_ID_TEXT + strlen(",\"_river\":{\"id\":\"\"}") <= RV_STAMP_ID_MAX_BYTES);
	assert_true(rv_stamp_cut(out.bytes, out.len - 1, &keep, &id));
	assert_int_equal(keep, 6);
	assert_int_equal(id.n, UINT64_MAX);
	assert_int_equal(id.seq, UINT64_MAX);
}

/* Whatever the record, and whatever the stamp, the same bytes come back. */
static void test_there_and_back(void **state RV_UNUSED)
{
	static const char *const records[] = {
		"{}", "{ }", "{\t}", "{\"a\":1}", "{\"a\":1 }", "{\"a\":\"}\"}", "{\"a\":{\"_river\":1}}",
		"{\"_rive\":{\"id\":\"x-000001-1\"}}", "{\"a\":{\"_river\":{\"id\":\"x-000001-1\"}}}",
		"{\"a\":\",\\\"_river\\\":{\\\"id\\\":\\\"x-000001-1\\\"}}\"}", "{\"a\":[[{}]]}",
		"{\"a\":\"\\\\\"}",
	};
	static const char *const texts[] = { "", "h", "\\", "\"", "a\\\"", "\",\"source\":\"", "}}",
					     "\"_river\":{\"id\":\"r-000001-1", "\xff\xfe", "\\\\\\" };
	for (size_t i = 0; i < sizeof(records) / sizeof(*records); i++) {
		for (size_t j = 0; j <= 10 * 10; j++) {
			struct rv_stamper_params params = { .run = "r.un-000009-2", .seq = 3 };
			params.full = j < 10 * 10;
			params.host = texts[j / 10 % 10];
			params.source = texts[j % 10];
			RV_CLEANUP(rv_strbuf_release) struct rv_strbuf out = RV_STRBUF_INIT;
			RV_CLEANUP(rv_strbuf_release) struct rv_strbuf line = RV_STRBUF_INIT;
			rv_strbuf_printf(&line, "%s\n", records[i]);
			stamp(&params, line.bytes, &out);
			struct rv_json_scan scan;
			assert_int_equal(rv_json_scan_object(out.bytes, out.len - 1, 0, 0, &scan),
					 RV_JSON_OK);
			assert_int_equal(scan.end, out.len - 1);
			assert_true(scan.has_river_key);
			struct rv_stamp_id id;
			size_t keep;
			assert_true(rv_stamp_cut(out.bytes, out.len - 1, &keep, &id));
			assert_int_equal(id.seq, 3);
			assert_int_equal(id.n, 1);
			assert_true(rv_str_is(id.run, "r.un-000009-2"));
			assert_int_equal(keep + 1, strlen(records[i]));
			assert_memory_equal(out.bytes, records[i], keep);
		}
	}
}

static void test_no_stamp(void **state RV_UNUSED)
{
	static const char *const records[] = {
		"", "}", "\"}}", "{}", "{\"a\":1}", "{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"id\":\"r-000001-1\"}}",
		"{\"a\":{\"_river\":{\"id\":\"r-000001-1\"}}}",
		"{\"a\":1,\"_river\":{\"id\":\"r-000001-1\"},\"b\":{\"c\":\"d\"}}",
		"{\"a\":1,\"_river\":{\"id\":\"r-00001-1\"}}",   /* five digits */
		"{\"a\":1,\"_river\":{\"id\":\"r-0000001-1\"}}", /* a zero too many */
		"{\"a\":1,\"_river\":{\"id\":\"r-000001-0\"}}",
		"{\"a\":1,\"_river\":{\"id\":\"r-000001-01\"}}",
		"{\"a\":1,\"_river\":{\"id\":\"-000001-1\"}}",
		"{\"a\":1,\"_river\":{\"id\":\"-r-000001-1\"}}",
		"{\"a\":1,\"_river\":{\"id\":\"R-000001-1\"}}",
		"{\"a\":1,\"_river\":{\"id\":\"r-000001-99999999999999999999\"}}",
		"{\"a\":1,\"_river\":{\"id\":\"r-000001-1\" }}",
		"{\"a\":1,\"_river\":{\"id\":\"r.000001-1\"}}",
		"{\"a\":1,\"_river\":{\"id\":\".r-000001-1\"}}",
		"{\"a\":1,\"_river\":{\"id\":\"_r-000001-1\"}}",
		/* as far as the names of its parts, in the place of which something else stands */
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}}",
		"\\\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}}",
		"\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}}",
		"source\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}}",
		",\"source\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}}",
		"x,\"source\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}}",
		"{\"a\":1,\"_river\":{\"id\":\"r-000001-1\",\"at\":\"x\"}}",
		"{\"a\":1,\"_river\":{\"ID\":\"r-000001-1\",\"at\":\"\",\"host\":\"\",\"source\":\"\"}}",
		"{\"a\":1 \"_river\":{\"id\":\"r-000001-1\"}}", /* no JSON */
	};
	for (size_t i = 0; i < sizeof(records) / sizeof(*records); i++) {
		struct rv_stamp_id id;
		size_t keep;
		assert_false(rv_stamp_cut(records[i], strlen(records[i]), &keep, &id));
	}
}

/* Texts longer than any stamp end the search for where they begin. */
static void test_no_stamp_within_its_length(void **state RV_UNUSED)
{
	static const char letters[] = "a!";
	char text[RV_STAMP_MAX_BYTES + 100];
	struct rv_stamp_id id;
	size_t keep;
	for (size_t i = 0; i < 2; i++) {
		memset(text, letters[i], sizeof(text));
		memcpy(text, "{\"a\":\"", 6);
		memcpy(text + sizeof(text) - 3, "\"}}", 3);
		assert_false(rv_stamp_cut(text, sizeof(text), &keep, &id));
	}
}

/* Line ends between tokens are blanks to the one that cuts. */
static void test_cut_from_lines(void **state RV_UNUSED)
{
	static const char text[] = "{\r\n\"_river\":{\"id\":\"r_1-000001-1\"}}";
	struct rv_stamp_id id;
	size_t keep;
	assert_true(rv_stamp_cut(text, strlen(text), &keep, &id));
	assert_int_equal(keep, 3);
	assert_true(rv_str_is(id.run, "r_1"));
}

/* Nothing in, nothing out; and a text that is all middles of characters has no beginning to keep. */
static void test_nothing(void **state RV_UNUSED)
{
	char middles[601];
	memset(middles, '\x80', sizeof(middles) - 1);
	middles[600] = '\0';
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf out = RV_STRBUF_INIT;
	const struct rv_stamper_params params = { .run = "r", .full = true, .host = middles, .source = "" };
	stamp(&params, "", &out);
	assert_int_equal(out.len, 0);
	assert_string_equal(out.bytes, "");
	stamp(&params, "{}\n", &out);
	assert_non_null(strstr(out.bytes, "\"host\":\"\","));
}

static void test_ids(void **state RV_UNUSED)
{
	struct rv_stamp_id id;
	char text[RV_STAMP_ID_TEXT];
	assert_true(rv_stamp_id_parse(RUN "-000017-3", strlen(RUN) + 9, &id));
	assert_true(rv_str_is(id.run, RUN));
	assert_int_equal(id.seq, 17);
	assert_int_equal(id.n, 3);
	rv_stamp_id_format(&id, text);
	assert_string_equal(text, RUN "-000017-3");
	assert_false(rv_stamp_id_parse("", 0, &id));
	assert_false(rv_stamp_id_parse("1-1", 3, &id));
	assert_false(rv_stamp_id_parse("000001-1", 8, &id));
	assert_false(rv_stamp_id_parse("a b-000001-1", 12, &id));
	char long_run[RV_STAMP_RUN_MAX + 10];
	memset(long_run, 'r', sizeof(long_run));
	memcpy(long_run + RV_STAMP_RUN_MAX + 1, "-000001-1", 9);
	assert_false(rv_stamp_id_parse(long_run, RV_STAMP_RUN_MAX + 10, &id));
	assert_true(rv_stamp_id_parse(long_run + 1, RV_STAMP_RUN_MAX + 9, &id));
	assert_int_equal(id.run.len, RV_STAMP_RUN_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spliced),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_counts_on),
		cmocka_unit_test(test_length_is_bounded),
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_no_stamp),
		cmocka_unit_test(test_no_stamp_within_its_length),
		cmocka_unit_test(test_cut_from_lines),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_ids),
	};
	return cmocka_run_group_tests_name("stamp", tests, NULL, NULL);
}

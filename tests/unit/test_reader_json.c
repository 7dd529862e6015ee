/* json: arrays, objects over several lines, what an error costs; and which format it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <string.h>

#include "base/memory.h"
#include "unit/reader_util.h"

static const struct rv_reader_params json = { .format = RV_FORMAT_JSON };
static const struct rv_reader_params any = { .format = RV_FORMAT_AUTO };

#define EXPECT(input, params, records, rejects)                                                    \
	expect_reading(input, sizeof(input) - 1, params, records, rejects)

static void test_good(void **state RV_UNUSED)
{
	EXPECT("", &json, "", "");
	EXPECT("[]", &json, "", "");
	EXPECT(" [ ] \n", &json, "", "");
	EXPECT("[{\"a\":1},{\"b\":2}]", &json, "{\"a\":1}\n{\"b\":2}\n", "");
	EXPECT("[\n  {\n    \"a\": 1\n  },\n  {}\n]\n", &json, "{     \"a\": 1   }\n{}\n", "");
	EXPECT("{\"a\":\r\n1}\n{}{}\n\n{\"b\":2}", &json,
	       "{\"a\":  1}\n{}\n{}\n{\"b\":2}\n", "");
	EXPECT("[{}][{\"a\":1}]\n{}", &json, "{}\n{\"a\":1}\n{}\n", "");
	EXPECT("\xef\xbb\xbf[{}]", &json, "{}\n", "");
}

static void test_elements_that_are_no_objects(void **state RV_UNUSED)
{
	EXPECT("[1,{\"a\":1},\"x]\\\"\",[{},2],null,{\"b\":2},-1.5e3]", &json,
	       "{\"a\":1}\n{\"b\":2}\n",
	       "1:not_object:1:1|1:not_object:11:\"x]\\\"\"|1:not_object:18:[{},2]|"
	       "1:not_object:25:null|1:not_object:38:-1.5e3|");
	EXPECT("[\n1\n,\n2\n]\n{}", &json, "{}\n", "2:not_object:2:1|4:not_object:6:2|");
}

static void test_punctuation(void **state RV_UNUSED)
{
	EXPECT("[{\"a\":1} {\"b\":2}]\n{\"c\":3}\n]\n{\"d\":4}", &json,
	       "{\"a\":1}\n{\"c\":3}\n{\"d\":4}\n", "1:punctuation:9:{\"b\":2}]\n|");
	EXPECT("[{},]\n{}", &json, "{}\n{}\n", "1:punctuation:4:]\n|");
	EXPECT("[,{}]\n", &json, "", "1:punctuation:1:,{}]\n|");
	EXPECT("{},{}\n{}", &json, "{}\n{}\n", "1:punctuation:2:,{}\n|");
	EXPECT("{}]\n{}", &json, "{}\n{}\n", "1:punctuation:2:]\n|");
	EXPECT("[{}", &json, "{}\n", "1:unclosed_array:3:|");
	EXPECT("[{},\n", &json, "{}\n", "2:unclosed_array:5:|");
	EXPECT("[", &json, "", "1:unclosed_array:1:|");
}

static void test_going_on_after_an_error(void **state RV_UNUSED)
{
	EXPECT("{\"a\":1}\n{\"b\":}\n  {\"c\":3}\n{\"d\":4}\n", &json, "{\"a\":1}\n{\"d\":4}\n",
	       "2:syntax:13:{\"b\":}\n  {\"c\":3}\n|");
	/* A record cut short by a crash costs only itself. */
	EXPECT("{\"a\":1,\"b\n{\"c\":3}\n{\"d\":4}\n", &json, "{\"c\":3}\n{\"d\":4}\n",
	       "1:control_character:9:{\"a\":1,\"b\n|");
	EXPECT("{\"a\":{\n{\"c\":3}\n{\"d\":4}\n", &json, "{\"c\":3}\n{\"d\":4}\n",
	       "1:syntax:7:{\"a\":{\n|");
	EXPECT("[\n{\"a\":1},\n{\"a\":x},\n{\"a\":3},\n4\n]\n[{}]", &json, "{\"a\":1}\n{\"a\":3}\n{}\n",
	       "3:syntax:16:{\"a\":x},\n|5:not_object:29:4|");
	EXPECT("17 {}\n{}\n", &json, "{}\n", "1:not_object:0:17 {}\n|");
	EXPECT("{\"a\":\n[1,\n", &json, "", "1:truncated:10:{\"a\":\n[1,\n|");
}

static void test_limits(void **state RV_UNUSED)
{
	struct rv_reader_params p = json;

	p.max_record_bytes = 16;
	EXPECT("[{\"a\":\"12345678\"},{\"a\":\"123456789\"},{}]\n{}", &p,
	       "{\"a\":\"12345678\"}\n{}\n",
	       "1:too_long:34:{\"a\":\"123456789\"},{}]\n|");
	EXPECT("[\"0123456789012345678\",{}]\n{}", &p, "{}\n",
	       "1:too_long:17:\"0123456789012345678\",{}]\n|");
	p = json;
	p.refuse_river_key = true;
	EXPECT("[{\"_river\":1},{}]{\"_river\":\n2}{}", &p, "{}\n{}\n",
	       "1:river_key:1:{\"_river\":1}|1:river_key:17:{\"_river\":\n2}|");
}

static void expect_format(const char *input, const char *name, enum rv_format format)
{
	size_t len = strlen(input);

	for (size_t piece = 0; piece <= len; piece++) {
		struct rv_error err = RV_ERROR_INIT;
		RV_CLEANUP(rv_source_free_p) struct rv_source *source =
			rv_source_mem_new(input, len, piece, UINT64_MAX);
		RV_CLEANUP(rv_reader_free_p) struct rv_reader *rd = NULL;
		struct rv_reader_params p = any;
		struct rv_reader_limits limits = { .timeout_ms = -1 };
		struct rv_span s;

		p.name = name;
		assert_int_equal(rv_reader_new(source, &p, &rd, &err), RV_OK);
		assert_int_equal(rv_reader_next(rd, &limits, &s, &err), RV_OK);
		if (rv_reader_format(rd) != format)
			fail_msg("%s (%s) is taken for %s in pieces of %zu", input, name,
				 rv_format_name(rv_reader_format(rd)), piece);
	}
}

static void test_detection(void **state RV_UNUSED)
{
	expect_format("", "-", RV_FORMAT_NDJSON);
	expect_format("{\"a\":1}\n", "-", RV_FORMAT_NDJSON);
	expect_format("{\"a\":1}", "-", RV_FORMAT_NDJSON);
	expect_format("\n\n {}{}\r\n", "-", RV_FORMAT_NDJSON);
	expect_format("bad\nbad too\n{\"a\":1}\n", "-", RV_FORMAT_NDJSON);
	expect_format("{\"a\":\n{\"b\":1}\n{\"c\":1}\n", "-", RV_FORMAT_NDJSON);
	expect_format(" [1]", "-", RV_FORMAT_JSON);
	expect_format("{\n  \"a\": 1\n}\n", "-", RV_FORMAT_JSON);
	/* Its third line stands alone, and still. */
	expect_format("{\n  \"a\": [\n  {\"b\":1}\n]}\n", "-", RV_FORMAT_JSON);
	expect_format("{}{}{\"a\":\n2}\n{\n}\n", "-", RV_FORMAT_JSON);
	expect_format("bad\nbad too\n", "-", RV_FORMAT_JSON);
	expect_format("a,b\n1,2\n", "x.csv", RV_FORMAT_CSV);
	expect_format("a,b\n1,2\n", "x.CSV.gz", RV_FORMAT_CSV);
	expect_format("a\tb\n1\t2\n", "x.tsv", RV_FORMAT_CSV);
	expect_format("{}\n", "x.txt", RV_FORMAT_TEXT);
	expect_format("{}\n", "x.log", RV_FORMAT_NDJSON);
	expect_format("10.0.0.1 - GET\n", "x.log.zst", RV_FORMAT_TEXT);
	expect_format("[2026-01-01] started\n", "x.log", RV_FORMAT_TEXT);
	expect_format("[{}]", "x.log", RV_FORMAT_JSON);
	EXPECT("{\"a\":1}\n{\"b\"\n{}", &any, "{\"a\":1}\n{}\n", "2:newline:12:{\"b\"\n|");
	EXPECT("\xef\xbb\xbf{\n}\n{}", &any, "{ }\n{}\n", "");

	struct rv_reader_params tsv = { .name = "x.tsv" };

	EXPECT("a\tb\n1\t,\n", &tsv, "{\"a\":\"1\",\"b\":\",\"}\n", "");
}

/* Gives `text` once, then only lets one wait. */
struct trickle {
	struct rv_source source;
	const char *text;
	unsigned waits;
};

static enum rv_status trickle_read(struct rv_source *s, void *buf, size_t size,
				   int64_t timeout_ms RV_UNUSED, size_t *ret_n,
				   enum rv_source_state *state, struct rv_error *err RV_UNUSED)
{
	struct trickle *t = (struct trickle *)s;
	size_t n = strlen(t->text);

	assert_true(n <= size);
	memcpy(buf, t->text, n);
	t->text += n;
	*ret_n = n;
	*state = n ? RV_SOURCE_BYTES : RV_SOURCE_WAIT;
	t->waits += n == 0;
	return RV_OK;
}

static void test_trickling_pipe(void **state RV_UNUSED)
{
	static const struct rv_source_ops ops = { .name = "trickle", .read = trickle_read };
	static const struct {
		const char *text;
		enum rv_format format, detected;
		enum rv_span_kind kind;
	} cases[] = {
		{ "{\"a\":1}\n", RV_FORMAT_AUTO, RV_FORMAT_NDJSON, RV_SPAN_RECORDS },
		{ "{\"a\":1}\n{\"b", RV_FORMAT_AUTO, RV_FORMAT_NDJSON, RV_SPAN_RECORDS },
		{ "[{\"a\":1}", RV_FORMAT_AUTO, RV_FORMAT_JSON, RV_SPAN_RECORDS },
		{ "{\n\"a\":1}", RV_FORMAT_AUTO, RV_FORMAT_JSON, RV_SPAN_RECORDS },
		{ "{\"a\":1}", RV_FORMAT_AUTO, RV_FORMAT_AUTO, RV_SPAN_WAIT },
		{ "{\"a\":1}", RV_FORMAT_NDJSON, RV_FORMAT_NDJSON, RV_SPAN_WAIT },
		{ "a\n1\n", RV_FORMAT_CSV, RV_FORMAT_CSV, RV_SPAN_RECORDS },
		{ "a\n1", RV_FORMAT_CSV, RV_FORMAT_CSV, RV_SPAN_WAIT },
		{ "a\n1\n2", RV_FORMAT_TEXT, RV_FORMAT_TEXT, RV_SPAN_RECORDS },
		{ "", RV_FORMAT_TEXT, RV_FORMAT_TEXT, RV_SPAN_WAIT },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct trickle t = { { &ops, "trickle" }, cases[i].text, 0 };
		struct rv_error err = RV_ERROR_INIT;
		RV_CLEANUP(rv_reader_free_p) struct rv_reader *rd = NULL;
		struct rv_reader_params p = { .format = cases[i].format };
		struct rv_reader_limits limits = { .timeout_ms = 5 };
		struct rv_span s;

		assert_int_equal(rv_reader_new(&t.source, &p, &rd, &err), RV_OK);
		assert_int_equal(rv_reader_next(rd, &limits, &s, &err), RV_OK);
		assert_int_equal(s.kind, cases[i].kind);
		assert_int_equal(rv_reader_format(rd), cases[i].detected);
		assert_int_equal(rv_reader_next(rd, &limits, &s, &err), RV_OK);
		assert_int_equal(s.kind, RV_SPAN_WAIT);
	}
}

static void test_random_mixtures(void **state RV_UNUSED)
{
	static const char *const bits[] = {
		"{\"a\":1}", "{\n\"b\":\n2}", ",", ",", "\n", "\n", "[", "]", "{}", " ", "1", "\"x\"",
		"{\"c\":", "\n{\"d\":[{}]}", "{\"long\":\"0123456789012345\"}", "}",
	};
	uint32_t seed = 4711;

	for (int round = 0; round < (READER_SANITIZED ? 50 : 150); round++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf in = RV_STRBUF_INIT;
		struct rv_reader_params p = json;
		struct read_result a;

		p.max_record_bytes = round % 3 == 0 ? 20 : 0;
		for (int i = 0; i < 25; i++) {
			seed = seed * 1664525u + 1013904223u;
			rv_strbuf_puts(&in, bits[(seed >> 16) % 16]);
		}
		read_text(in.bytes, in.len, &p, &(struct read_how){ 0 }, &a);
		assert_int_equal(a.status, RV_OK);
		expect_reading(in.bytes, in.len, &p, a.records.bytes, a.rejects.bytes);
		read_result_release(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_elements_that_are_no_objects),
		cmocka_unit_test(test_punctuation),
		cmocka_unit_test(test_going_on_after_an_error),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_detection),
		cmocka_unit_test(test_trickling_pipe),
		cmocka_unit_test(test_random_mixtures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* json: arrays, objects over several lines, what an error costs; and which format it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <string.h>

#include "base/clock.h"
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
	EXPECT("\r\n\t[{}\t,\r{}]\t\r{\"_river\":1}", &json, "{}\n{}\n{\"_river\":1}\n", "");
}

/* Many objects that lie as they are needed, and then some that do not. */
static void test_runs_and_odd_ones(void **state RV_UNUSED)
{
	static const char *const odd[] = { "\n{\"b\":2}\n", "{\"b\":2}", "{\"b\":\n2}", "{\"b\":2}\n" };

	for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf in = RV_STRBUF_INIT;
		struct read_result r;

		while (in.len < 70000)
			rv_strbuf_puts(&in, "{\"a\":1}\n");
		size_t count = in.len / 8;

		rv_strbuf_puts(&in, odd[i]);
		read_text(in.bytes, in.len, &json, &(struct read_how){ 0 }, &r);
		assert_int_equal(r.status, RV_OK);
		assert_int_equal(r.count, count + 1);
		assert_int_equal(r.reject_count, 0);
		assert_memory_equal(r.records.bytes, in.bytes, 8 * count);
		assert_string_equal(r.records.bytes + 8 * count, i == 2 ? "{\"b\": 2}\n" : "{\"b\":2}\n");
		read_result_release(&r);
	}
}

static void test_elements_that_are_no_objects(void **state RV_UNUSED)
{
	EXPECT("[1,{\"a\":1},\"x]\\\"\",[{},2],null,{\"b\":2},-1.5e3]", &json,
	       "{\"a\":1}\n{\"b\":2}\n",
	       "1:not_object:1:1|1:not_object:11:\"x]\\\"\"|1:not_object:18:[{},2]|"
	       "1:not_object:25:null|1:not_object:38:-1.5e3|");
	EXPECT("[\n1\n,\n2\n]\n{}", &json, "{}\n", "2:not_object:2:1|4:not_object:6:2|");
	EXPECT("[1\t,2\r,3 ,4]", &json, "",
	       "1:not_object:1:1|1:not_object:4:2|1:not_object:7:3|1:not_object:10:4|");
}

/* What has no end that could be trusted costs all up to the next line that begins an object. */
static void test_elements_without_an_end(void **state RV_UNUSED)
{
	static const char *const elements[] = { "\"a\tb\"", "1\"x\"", "1[2]", "1{}", "1}", "}", "%", "1%" };

	for (size_t i = 0; i < sizeof(elements) / sizeof(*elements); i++) {
		RV_CLEANUP(rv_free_p) char *in = rv_asprintf("[%s,{\"a\":1}]\n{}", elements[i]);
		RV_CLEANUP(rv_free_p) char *rejects =
			rv_asprintf("1:not_object:1:%s,{\"a\":1}]\n|", elements[i]);

		expect_reading(in, strlen(in), &json, "{}\n", rejects);
	}
	EXPECT("[\"abc", &json, "", "1:not_object:1:\"abc|");
	EXPECT("[[[1", &json, "", "1:not_object:1:[[1|");
	/* a NUL is nothing that JSON has */
	struct read_result r;

	read_text("[\0,{}]\n{}", 9, &json, &(struct read_how){ 0 }, &r);
	assert_string_equal(r.records.bytes, "{}\n");
	assert_int_equal(r.reject_count, 1);
	assert_memory_equal(r.rejects.bytes, "1:not_object:1:\0,{}]\n|", 22);
	read_result_release(&r);
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
	/* the end comes with the bytes that are too many */
	struct read_result r;

	p.is_extent = true;
	read_text("[\"0123456789012345\"", 19, &p, &(struct read_how){ .piece = 16 }, &r);
	assert_string_equal(r.rejects.bytes, "1:too_long:17:\"0123456789012345\"|");
	read_result_release(&r);
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
	/* rotated */
	expect_format("a\tb\n1\t2\n", "x.TSV.1", RV_FORMAT_CSV);
	expect_format("a,b\n1,2\n", "/in/x.csv-20261129.gz", RV_FORMAT_CSV);
	expect_format("a,b\n1,2\n", "x-20261129.csv", RV_FORMAT_CSV);
	expect_format("a\n", "x.TXT.2026-11-29T10.zst", RV_FORMAT_TEXT);
	expect_format("a\n", "app.log.1", RV_FORMAT_TEXT);
	expect_format("{}\n", "app.log.1", RV_FORMAT_NDJSON);
	expect_format("{}\n", "x.csv.old", RV_FORMAT_NDJSON);
	expect_format("{}\n", "x.csv1", RV_FORMAT_NDJSON);
	expect_format("{}\n", "x.csv.-", RV_FORMAT_NDJSON);
	expect_format("{}\n", "x.csv/1", RV_FORMAT_NDJSON);
	expect_format("{}\n", "20261129", RV_FORMAT_NDJSON);
	expect_format("{}\n", "x.txt", RV_FORMAT_TEXT);
	expect_format("{}\n", "x.log", RV_FORMAT_NDJSON);
	expect_format("10.0.0.1 - GET\n", "x.log.zst", RV_FORMAT_TEXT);
	expect_format("[2026-01-01] started\n", "x.log", RV_FORMAT_TEXT);
	expect_format("[{}]", "x.log", RV_FORMAT_JSON);
	expect_format("[", "x.log", RV_FORMAT_JSON);
	expect_format("[ ]", "x.log", RV_FORMAT_JSON);
	expect_format("{\"a\":\n1,\n", "-", RV_FORMAT_JSON);
	expect_format("bad\n \n{}\n", "-", RV_FORMAT_NDJSON);
	EXPECT(" \0\n{}\n", &any, "{}\n", "1:not_object:1:");
	EXPECT("{\"a\":1}\n{\"b\"\n{}", &any, "{\"a\":1}\n{}\n", "2:newline:12:{\"b\"\n|");
	EXPECT("\xef\xbb\xbf{\n}\n{}", &any, "{ }\n{}\n", "");

	struct rv_reader_params tsv = { .name = "x.tsv" };

	EXPECT("a\tb\n1\t,\n", &tsv, "{\"a\":\"1\",\"b\":\",\"}\n", "");
	/* somebody chose nothing else than the default, and another delimiter than the name's */
	struct rv_csv_dialect commas = RV_CSV_DIALECT_INIT;

	tsv.csv = &commas;
	EXPECT("a\tb\n1\t,\n", &tsv, "{\"a\":\"1\",\"b\":\",\"}\n", "");
	commas.delimiter_given = true;
	EXPECT("a,b\n1,\t\n", &tsv, "{\"a\":\"1\",\"b\":\"\\t\"}\n", "");
	struct rv_csv_dialect semicolons = { .delimiter = ';', .quote = '"' };

	tsv.csv = &semicolons;
	EXPECT("a;b\n1;\t\n", &tsv, "{\"a\":\"1\",\"b\":\"\\t\"}\n", "");
	enum rv_format format = RV_FORMAT_AUTO;

	assert_true(rv_format_parse("text", &format));
	assert_int_equal(format, RV_FORMAT_TEXT);
	assert_string_equal(rv_format_name(format), "text");
	assert_false(rv_format_parse("xml", &format));
	assert_int_equal(format, RV_FORMAT_TEXT);
}

/* Nothing that decides within the first MiB: it is taken for what that MiB looks like. */
static void test_detection_of_much(void **state RV_UNUSED)
{
	static const struct {
		const char *unit, *end;
		enum rv_format format;
	} cases[] = {
		{ "   \n", "{\n}\n", RV_FORMAT_NDJSON },
		{ "xxxx", "\n{\n}\n", RV_FORMAT_NDJSON },
		{ "bad\n", "{}\n", RV_FORMAT_JSON },
		{ "too bad\nand\n", "{}\n", RV_FORMAT_JSON },
	};
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf in = RV_STRBUF_INIT;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		rv_strbuf_clear(&in);
		rv_strbuf_puts(&in, "\xef\xbb\xbf");
		while (in.len < 1400000)
			rv_strbuf_puts(&in, cases[i].unit);
		rv_strbuf_puts(&in, cases[i].end);
		struct rv_error err = RV_ERROR_INIT;
		RV_CLEANUP(rv_source_free_p) struct rv_source *source =
			rv_source_mem_new(in.bytes, in.len, 0, UINT64_MAX);
		RV_CLEANUP(rv_reader_free_p) struct rv_reader *rd = NULL;
		struct rv_reader_limits limits = { .timeout_ms = -1 };
		struct rv_span s;

		assert_int_equal(rv_reader_new(source, &any, &rd, &err), RV_OK);
		assert_int_equal(rv_reader_next(rd, &limits, &s, &err), RV_OK);
		assert_int_equal(rv_reader_format(rd), cases[i].format);
	}
}

/* Gives `text` once, or up to the next '~' each time, then only lets one wait. */
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
	size_t n = strcspn(t->text, "~");

	assert_true(n <= size);
	memcpy(buf, t->text, n);
	t->text += n + (t->text[n] == '~');
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

/* A row that is not read again before half as much more is there may have to wait for it. */
static void test_trickling_row(void **state RV_UNUSED)
{
	static const struct rv_source_ops ops = { .name = "trickle", .read = trickle_read };
	struct trickle t = { { &ops, "trickle" }, "a\n1234567~8~~\n~", 0 };
	const struct rv_reader_params p = { .format = RV_FORMAT_CSV };
	const struct rv_reader_limits limits = { .timeout_ms = -1 };
	struct rv_error err = RV_ERROR_INIT;
	RV_CLEANUP(rv_reader_free_p) struct rv_reader *rd = NULL;
	struct rv_span s;

	assert_int_equal(rv_reader_new(&t.source, &p, &rd, &err), RV_OK);
	assert_int_equal(rv_reader_next(rd, &limits, &s, &err), RV_OK);
	assert_int_equal(s.kind, RV_SPAN_RECORDS);
	assert_int_equal(s.len, 17);
	assert_memory_equal(s.bytes, "{\"a\":\"12345678\"}", 16);
	assert_int_equal(t.waits, 2); /* once for each time that more was hoped for */
}

/* Takes longer for a byte than it was given, and notes what that was. */
struct slow {
	struct rv_source source;
	int64_t given_ms[2];
	size_t n;
};

static enum rv_status slow_read(struct rv_source *s, void *buf, size_t size RV_UNUSED, int64_t timeout_ms,
				size_t *ret_n, enum rv_source_state *state, struct rv_error *err RV_UNUSED)
{
	struct slow *slow = (struct slow *)s;
	int64_t begun = rv_clock_monotonic_ms();

	*state = slow->n < 2 ? RV_SOURCE_BYTES : RV_SOURCE_WAIT;
	if (slow->n == 2)
		return RV_OK;
	slow->given_ms[slow->n++] = timeout_ms;
	while (rv_clock_monotonic_ms() <= begun + timeout_ms)
		;
	*(char *)buf = 'x';
	*ret_n = 1;
	return RV_OK;
}

static void test_time_is_used_up_once(void **state RV_UNUSED)
{
	static const struct rv_source_ops ops = { .name = "slow", .read = slow_read };
	struct slow slow = { .source = { &ops, "slow" } };
	const struct rv_reader_params p = { .format = RV_FORMAT_TEXT };
	const struct rv_reader_limits limits = { .timeout_ms = 1 };
	struct rv_error err = RV_ERROR_INIT;
	RV_CLEANUP(rv_reader_free_p) struct rv_reader *rd = NULL;
	struct rv_span s;

	assert_int_equal(rv_reader_new(&slow.source, &p, &rd, &err), RV_OK);
	assert_int_equal(rv_reader_next(rd, &limits, &s, &err), RV_OK);
	assert_int_equal(s.kind, RV_SPAN_WAIT);
	assert_int_equal(slow.given_ms[0], 1);
	assert_int_equal(slow.given_ms[1], 0);
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
		cmocka_unit_test(test_runs_and_odd_ones),
		cmocka_unit_test(test_elements_that_are_no_objects),
		cmocka_unit_test(test_elements_without_an_end),
		cmocka_unit_test(test_punctuation),
		cmocka_unit_test(test_going_on_after_an_error),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_detection),
		cmocka_unit_test(test_detection_of_much),
		cmocka_unit_test(test_trickling_pipe),
		cmocka_unit_test(test_trickling_row),
		cmocka_unit_test(test_time_is_used_up_once),
		cmocka_unit_test(test_random_mixtures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

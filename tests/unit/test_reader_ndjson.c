/* ndjson: what a line may hold, what costs a line, and where spans end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <string.h>

#include "base/memory.h"
#include "format/record_hash.h"
#include "unit/reader_util.h"

static const struct rv_reader_params plain = { .format = RV_FORMAT_NDJSON };
static const struct rv_reader_params short_records = { .format = RV_FORMAT_NDJSON,
							.max_record_bytes = 16 };

#define EXPECT(text, params, records, rejects)                                                     \
	expect_reading(text, sizeof(text) - 1, params, records, rejects)

static void test_good_lines(void **state RV_UNUSED)
{
	EXPECT("", &plain, "", "");
	EXPECT("\n\n", &plain, "", "");
	EXPECT("{\"a\":1}\n", &plain, "{\"a\":1}\n", "");
	EXPECT("{\"a\":1}\n{\"b\":2}\n{\"c\":3}\n", &plain, "{\"a\":1}\n{\"b\":2}\n{\"c\":3}\n",
	       "");
	/* No newline at the end, CRLF, blanks around, blank lines, a mark in front. */
	EXPECT("{\"a\":1}\n{\"b\":2}", &plain, "{\"a\":1}\n{\"b\":2}\n", "");
	EXPECT("{\"a\":1}\r\n{\"b\":2}\r\n", &plain, "{\"a\":1}\n{\"b\":2}\n", "");
	EXPECT("\n \n  {\"a\":1} \t\n\r\n\n{\"b\":2}\n  \n", &plain, "{\"a\":1}\n{\"b\":2}\n", "");
	EXPECT("\xef\xbb\xbf{\"a\":1}\n", &plain, "{\"a\":1}\n", "");
	/* Several on a line, as Firehose writes them. */
	EXPECT("{}{}{}\n{} {\"x\":[{}]}\t{}\r\n{\"z\":0}\n", &plain,
	       "{}\n{}\n{}\n{}\n{\"x\":[{}]}\n{}\n{\"z\":0}\n", "");
	EXPECT("{}{}", &plain, "{}\n{}\n", "");
	EXPECT("{}\r{}\n{}\r", &plain, "{}\n{}\n{}\n", "");
	/* A carriage return between tokens becomes a space. */
	EXPECT("{\"a\":\r1}\n", &plain, "{\"a\": 1}\n", "");
	/* Kept as they are: duplicate keys, NUL escapes, numbers beyond double. */
	EXPECT("{\"a\":1,\"a\":2,\"\\u0000\":1e400}\n", &plain,
	       "{\"a\":1,\"a\":2,\"\\u0000\":1e400}\n", "");
}

static void test_bad_lines(void **state RV_UNUSED)
{
	EXPECT("{\"a\":1}\n{\"b\":}\n{\"c\":3}\n", &plain, "{\"a\":1}\n{\"c\":3}\n",
	       "2:syntax:13:{\"b\":}\n|");
	EXPECT("x\n{\"c\":3}\n", &plain, "{\"c\":3}\n", "1:not_object:0:x\n|");
	EXPECT("[1]\n\n  17 \r\n{}\n", &plain, "{}\n", "1:not_object:0:[1]\n|3:not_object:7:17 \r\n|");
	/* One bad object costs the line, also when it is not the first. */
	EXPECT("{}{}x{}\n{\"c\":3}\n", &plain, "{\"c\":3}\n", "1:not_object:4:{}{}x{}\n|");
	/* A record never goes on in the next line. */
	EXPECT("{\"a\":\n1}\n{}\n", &plain, "{}\n", "1:newline:5:{\"a\":\n|2:not_object:6:1}\n|");
	EXPECT("{}\n{\"a\":\"\\ud800\"}\n", &plain, "{}\n",
	       "2:lone_surrogate:9:{\"a\":\"\\ud800\"}\n|");
	EXPECT("{\"a\":\"\xff\"}\n{}\n", &plain, "{}\n", "1:invalid_utf8:6:{\"a\":\"\xff\"}\n|");
	/* A mark is one only at the very start. */
	EXPECT("{}\n\xef\xbb\xbf{}\n", &plain, "{}\n",
	       "2:not_object:3:\xef\xbb\xbf{}\n|");
	/* The unterminated last line. */
	EXPECT("{}\n{\"a\":", &plain, "{}\n", "2:truncated:8:{\"a\":|");
	EXPECT("{}\n{}{", &plain, "{}\n", "2:truncated:6:{}{|");
	EXPECT("{}\n{}x", &plain, "{}\n", "2:not_object:5:{}x|");
}

static void test_depth_and_river_key(void **state RV_UNUSED)
{
	struct rv_reader_params p = plain;

	p.max_depth = 3;
	EXPECT("{\"a\":[[]]}\n{\"a\":[[[]]]}\n{}\n", &p, "{\"a\":[[]]}\n{}\n",
	       "2:too_deep:18:{\"a\":[[[]]]}\n|");
	p = plain;
	EXPECT("{\"_river\":1}\n", &p, "{\"_river\":1}\n", "");
	p.refuse_river_key = true;
	EXPECT("{}\n{\"_river\":1}\n{\"x\":{\"_river\":1}}\n{}{\"\\u005friver\":1}\n{}\n", &p,
	       "{}\n{\"x\":{\"_river\":1}}\n{}\n",
	       "2:river_key:3:{\"_river\":1}\n|4:river_key:37:{}{\"\\u005friver\":1}\n|");
}

static void test_record_limit(void **state RV_UNUSED)
{
	/* Exactly at the limit passes, one over does not. */
	EXPECT("{\"a\":\"12345678\"}\n{\"a\":\"123456789\"}\n{}\n", &short_records,
	       "{\"a\":\"12345678\"}\n{}\n", "2:too_long:33:{\"a\":\"123456789\"}\n|");
	EXPECT("{\"a\":\"12345678\"}\r\n{}\n", &short_records, "{\"a\":\"12345678\"}\n{}\n", "");
	EXPECT("{\"a\":\"123456789\"}", &short_records, "",
	       "1:too_long:16:{\"a\":\"123456789\"}|");
	/* What is wrong behind the limit does not change what is said. */
	EXPECT("{\"a\":\"123456789012345678\xff\"}\n{}\n", &short_records, "{}\n",
	       "1:too_long:16:{\"a\":\"123456789012345678\xff\"}\n|");
	/* A line longer than the limit is taken object by object, to the first bad one. */
	EXPECT("{\"a\":1}{\"b\":2}{\"c\":3}{\"d\":4}\n{}\n", &short_records,
	       "{\"a\":1}\n{\"b\":2}\n{\"c\":3}\n{\"d\":4}\n{}\n", "");
	EXPECT("{\"a\":1}{\"b\":2}{\"c\":3}{\"d\":}{\"e\":5}\n{}\n", &short_records,
	       "{\"a\":1}\n{\"b\":2}\n{\"c\":3}\n{}\n", "1:syntax:26:{\"d\":}{\"e\":5}\n|");
	EXPECT("{}                         {}\n", &short_records, "{}\n{}\n", "");
	EXPECT("{}                           \n{}\n", &short_records, "{}\n{}\n", "");
}

static void test_pending(void **state RV_UNUSED)
{
	static const struct {
		const char *text, *records;
		uint64_t offset, len;
	} cases[] = {
		{ "{}\n{\"a\":", "{}\n", 3, 5 }, { "{}\n{}x", "{}\n", 3, 3 },
		{ "{}\n{}", "{}\n{}\n", 5, 0 },  { "{}\n  ", "{}\n", 5, 0 },
		{ "nonsense", "", 0, 8 },        { "{}\nno\n", "{}\n", 6, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		for (size_t piece = 0; piece < 9; piece++) {
			struct read_result r;

			read_text(cases[i].text, strlen(cases[i].text), &plain,
				  &(struct read_how){ .piece = piece, .no_finish = true }, &r);
			assert_int_equal(r.status, RV_OK);
			assert_string_equal(r.records.bytes, cases[i].records);
			assert_int_equal(r.pending_offset, cases[i].offset);
			assert_int_equal(r.pending_len, cases[i].len);
			read_result_release(&r);
		}
}

/* A source that gives one byte at a time of an endless line, and counts. */
struct endless {
	struct rv_source source;
	uint64_t left;
	bool in_string;
};

static enum rv_status endless_read(struct rv_source *s, void *buf, size_t size,
				   int64_t timeout_ms RV_UNUSED, size_t *ret_n,
				   enum rv_source_state *state, struct rv_error *err RV_UNUSED)
{
	struct endless *e = (struct endless *)s;
	size_t n = size < e->left ? size : (size_t)e->left;

	memset(buf, 'x', n);
	if (n && e->in_string) {
		memcpy(buf, "{\"a\":\"", n < 6 ? n : 6);
		e->in_string = false;
	}
	e->left -= n;
	if (n && !e->left)
		((char *)buf)[n - 1] = '\n';
	*ret_n = n;
	*state = n ? RV_SOURCE_BYTES : RV_SOURCE_END;
	return RV_OK;
}

static void test_endless_line_in_pieces(void **state RV_UNUSED)
{
	static const struct rv_source_ops ops = { .name = "endless", .read = endless_read };

	for (int in_string = 0; in_string < 2; in_string++) {
		uint64_t total = 100 << 20, seen = 0;
		struct endless e = { .source = { &ops, "endless" }, .left = total,
				     .in_string = in_string };
		struct rv_reader_params p = plain;
		struct rv_error err = RV_ERROR_INIT;
		RV_CLEANUP(rv_reader_free_p) struct rv_reader *rd = NULL;
		struct rv_reader_limits limits = { .timeout_ms = -1 };
		struct rv_span s;

		p.max_record_bytes = 2 << 20;
		assert_int_equal(rv_reader_new(&e.source, &p, &rd, &err), RV_OK);
		do {
			assert_int_equal(rv_reader_next(rd, &limits, &s, &err), RV_OK);
			assert_int_equal(s.kind, RV_SPAN_REJECT);
			assert_int_equal(s.first, seen == 0);
			assert_int_equal(s.from, seen);
			assert_true(s.len <= 1 << 20);
			assert_int_equal(s.to - s.from, s.len);
			assert_int_equal(s.fault_offset, in_string ? 2 << 20 : 0);
			assert_string_equal(s.reason_code, in_string ? "too_long" : "not_object");
			if (s.more)
				assert_int_equal(s.len % 3, 0);
			seen = s.to;
		} while (s.more);
		assert_int_equal(seen, total);
		assert_int_equal(rv_reader_line(rd), 2);
		assert_int_equal(rv_reader_next(rd, &limits, &s, &err), RV_OK);
		assert_int_equal(s.kind, RV_SPAN_END);
	}
}

/* Random mixtures of good and bad lines, against a plain reading line by line. */
static void test_random_mixtures(void **state RV_UNUSED)
{
	static const char *const bits[] = {
		"{\"a\":1}\n", "{\"a\":1}\r\n", "{}{}\n", "\n", "{\"b\":[1,2,{\"c\":null}]}\n",
		"bad\n", "{}x\n", " {} \n", "{\"long\":\"0123456789012345678901234567890\"}\n",
		"{\"a\"\n", "{\"a\":\"\xc3\xa9\"}\n",
	};
	uint32_t seed = 12345;

	for (int round = 0; round < (READER_SANITIZED ? 12 : 60); round++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
		struct rv_reader_params p = plain;
		struct read_result a;

		p.max_record_bytes = round % 3 == 0 ? 20 : 0;
		for (int i = 0; i < 40; i++) {
			seed = seed * 1664525u + 1013904223u;
			rv_strbuf_puts(&text, bits[(seed >> 16) % 11]);
		}
		read_text(text.bytes, text.len, &p, &(struct read_how){ 0 }, &a);
		assert_int_equal(a.status, RV_OK);
		expect_reading(text.bytes, text.len, &p, a.records.bytes, a.rejects.bytes);
		read_result_release(&a);
	}
}

/* Many spans: batches end where the limits say, however the bytes came. */
static void test_large_input(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	uint64_t count = 0;
	struct read_result a, b;

	while (text.len < 3 << 20) {
		rv_strbuf_printf(&text, "{\"n\":%llu,\"s\":\"%.*s\"}\n", (unsigned long long)count,
				 (int)(count % 90),
				 "0123456789012345678901234567890123456789012345678901234567890123456"
				 "7890123456789012345678901234567890");
		if (++count % 5000 == 0)
			rv_strbuf_puts(&text, "\nbad\n");
	}
	for (size_t piece = READER_SANITIZED ? 110668 : 4095; piece < 1 << 20;
	     piece = piece * 3 + 7) {
		read_text(text.bytes, text.len, &plain, &(struct read_how){ .max_bytes = 300000 }, &a);
		read_text(text.bytes, text.len, &plain,
			  &(struct read_how){ .piece = piece, .max_bytes = 300000, .resume = true },
			  &b);
		assert_int_equal(a.count, count);
		assert_int_equal(a.reject_count, count / 5000);
		assert_string_equal(a.extents.bytes, b.extents.bytes);
		assert_int_equal(a.set_hash, b.set_hash);
		assert_int_equal(a.records.len, b.records.len);
		assert_memory_equal(a.records.bytes, b.records.bytes, a.records.len);
		read_result_release(&a);
		read_result_release(&b);
	}
}

/* Many lines that lie as they are needed, then some that do not, and a giant behind a dwarf. */
static void test_runs_and_odd_lines(void **state RV_UNUSED)
{
	static const char *const odd[] = { "\n{\"b\":2}\n", "{\"b\":2}", "{\"b\":2}\r\n", "{\"b\":2} \n",
					   " {\"b\":2}\n" };
	struct read_result r;

	for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf in = RV_STRBUF_INIT;

		while (in.len < 70000)
			rv_strbuf_puts(&in, "{\"a\":1}\n");
		size_t count = in.len / 8;

		rv_strbuf_puts(&in, odd[i]);
		read_text(in.bytes, in.len, &plain, &(struct read_how){ 0 }, &r);
		assert_int_equal(r.status, RV_OK);
		assert_int_equal(r.count, count + 1);
		assert_int_equal(r.reject_count, 0);
		assert_memory_equal(r.records.bytes, in.bytes, 8 * count);
		assert_string_equal(r.records.bytes + 8 * count, "{\"b\":2}\n");
		read_result_release(&r);
	}
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf in = RV_STRBUF_INIT;

	rv_strbuf_puts(&in, "{}\n{\"a\":\"");
	while (in.len < 3 << 20)
		rv_strbuf_puts(&in, "0123456789");
	rv_strbuf_puts(&in, "\"}\n");
	read_text(in.bytes, in.len, &plain, &(struct read_how){ 0 }, &r);
	assert_int_equal(r.count, 2);
	assert_int_equal(r.records.len, in.len);
	assert_memory_equal(r.records.bytes, in.bytes, in.len);
	read_result_release(&r);
}

static void test_source_failure(void **state RV_UNUSED)
{
	static const char text[] = "{\"a\":1}\n{\"b\":2}\n{\"c\":3}\n";

	for (uint64_t at = 0; at <= sizeof(text) - 1; at++) {
		struct rv_error err = RV_ERROR_INIT;
		RV_CLEANUP(rv_source_free_p) struct rv_source *source =
			rv_source_mem_new(text, sizeof(text) - 1, 0, at);
		RV_CLEANUP(rv_reader_free_p) struct rv_reader *rd = NULL;
		struct rv_reader_limits limits = { .timeout_ms = -1 };
		struct rv_span s;
		uint64_t n = 0;

		assert_int_equal(rv_reader_new(source, &plain, &rd, &err), RV_OK);
		while (rv_reader_next(rd, &limits, &s, &err) == RV_OK) {
			assert_int_equal(s.kind, RV_SPAN_RECORDS);
			n += s.records;
		}
		assert_int_equal(err.status, RV_LOCAL_IO);
		assert_int_equal(n, at / 8); /* all that were whole before it */
	}
}

static void test_hash_of_one_record(void **state RV_UNUSED)
{
	/* XXH3-64 with seed 0: pinned, it stands in object names. */
	assert_true(rv_record_hash("", 0) == 0x2d06800538d394c2ull);
}

/* A record whose stamp was cut off has the hash that it had without one. */
static void test_hash_of_a_cut_record(void **state RV_UNUSED)
{
	static const size_t lengths[] = { 1, 16, 17, 240, 241, 1022, 1023, 1024, 5000 };
	char text[5002];

	memset(text, 'x', sizeof(text));
	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		text[lengths[i]] = '}';
		uint64_t want = rv_record_hash(text, lengths[i] + 1);

		text[lengths[i]] = 'x';
		assert_true(rv_record_hash_cut(text, lengths[i]) == want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_lines),
		cmocka_unit_test(test_bad_lines),
		cmocka_unit_test(test_depth_and_river_key),
		cmocka_unit_test(test_record_limit),
		cmocka_unit_test(test_pending),
		cmocka_unit_test(test_endless_line_in_pieces),
		cmocka_unit_test(test_random_mixtures),
		cmocka_unit_test(test_large_input),
		cmocka_unit_test(test_runs_and_odd_lines),
		cmocka_unit_test(test_source_failure),
		cmocka_unit_test(test_hash_of_one_record),
		cmocka_unit_test(test_hash_of_a_cut_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

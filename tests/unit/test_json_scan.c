/*
 * The JSON validator: every fault with its byte, positions across vector blocks, every truncation.
 * All of it runs on every scanner this processor has, and the scanners must agree to the byte.
 * test_json_scan_jansson.c asks jansson for a second opinion.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/strbuf.h"
#include "format/json_scan.h"

/* Scans a copy of exactly `len` bytes, so that AddressSanitizer sees a read past the end, with
 * every scanner; demands one answer and returns it. */
static struct rv_json_scan scan_with(const char *p, size_t len, unsigned depth, unsigned flags)
{
	const struct rv_json_scanner *list;
	size_t n = rv_json_scanners(&list);
	char *copy = malloc(len ? len : 1);
	struct rv_json_scan first = { 0 }, chosen;

	assert_non_null(copy);
	memcpy(copy, p, len);
	rv_json_scan_object(copy, len, depth, flags, &chosen);
	for (size_t i = 0; i < n; i++) {
		struct rv_json_scan got;
		enum rv_json_fault fault;

		memset(&got, 0x5a, sizeof(got));
		fault = list[i].scan(copy, len, depth, flags, &got);
		assert_int_equal(fault, got.fault);
		if (i == 0)
			first = got;
		if (got.fault != first.fault || got.end != first.end ||
		    got.has_newline != first.has_newline ||
		    got.has_river_key != first.has_river_key)
			fail_msg("%s says %d at %zu (%d %d), %s %d at %zu (%d %d): %.*s",
				 list[i].name, (int)got.fault, got.end, got.has_newline,
				 got.has_river_key, list[0].name, (int)first.fault, first.end,
				 first.has_newline, first.has_river_key, (int)len, p);
	}
	assert_int_equal(chosen.fault, first.fault);
	assert_int_equal(chosen.end, first.end);
	free(copy);
	return first;
}

static struct rv_json_scan scan(const char *p, size_t len)
{
	return scan_with(p, len, 0, 0);
}

struct fault_case {
	const char *text;
	size_t len;
	enum rv_json_fault fault;
	size_t end;
};

/* clang-format off */
#define CASE(text, fault, end) { text, sizeof(text) - 1, RV_JSON_##fault, end }
static const struct fault_case cases[] = {
	CASE("{}", OK, 2),
	CASE("{}x", OK, 2),
	CASE("{}{}", OK, 2),
	CASE("{ \t\r\n}", OK, 6),
	CASE("{\"a\":1}", OK, 7),
	CASE("{\"a\":1}\n{", OK, 7),
	CASE("{\"a\":1}}", OK, 7),
	CASE("{\"a\" : [ ] , \"b\" :{ } }", OK, 23),
	CASE("{\"a\":[1,\"b\",null,true,false,{\"c\":[[]]},-0.5e-7]}", OK, 48),
	CASE("{\"a\":1,\"a\":2}", OK, 13),
	CASE("{\"\":\"\"}", OK, 7),
	CASE("{\"\\u0000\":\"\\u0000\"}", OK, 19),
	CASE("{\"a\":\"\x7f\"}", OK, 9),
	/* not an object */
	CASE("[]", NOT_OBJECT, 0),
	CASE(" {}", NOT_OBJECT, 0),
	CASE("1", NOT_OBJECT, 0),
	CASE("\xef\xbb\xbf{}", NOT_OBJECT, 0),
	CASE("\0", NOT_OBJECT, 0),
	/* grammar */
	CASE("{,}", SYNTAX, 1),
	CASE("{\"a\":1,}", SYNTAX, 7),
	CASE("{\"a\":1,,}", SYNTAX, 7),
	CASE("{\"a\"}", SYNTAX, 4),
	CASE("{\"a\",1}", SYNTAX, 4),
	CASE("{\"a\":}", SYNTAX, 5),
	CASE("{\"a\":,}", SYNTAX, 5),
	CASE("{\"a\"::1}", SYNTAX, 5),
	CASE("{:1}", SYNTAX, 1),
	CASE("{\"a\":1:2}", SYNTAX, 6),
	CASE("{\"a\":\"b\":2}", SYNTAX, 8),
	CASE("{\"a\":[\"b\":2]}", SYNTAX, 9),
	CASE("{\"a\" 1}", SYNTAX, 5),
	CASE("{\"a\"\"b\"}", SYNTAX, 4),
	CASE("{\"a\":1 2}", SYNTAX, 7),
	CASE("{\"a\":1\"b\":2}", SYNTAX, 6),
	CASE("{\"a\":\"b\"1}", SYNTAX, 8),
	CASE("{\"a\":{}{}}", SYNTAX, 7),
	CASE("{\"a\":{}1}", SYNTAX, 7),
	CASE("{\"a\":{}\"b\":1}", SYNTAX, 7),
	CASE("{\"a\":1{}}", SYNTAX, 6),
	CASE("{\"a\":[1,]}", SYNTAX, 8),
	CASE("{\"a\":[,1]}", SYNTAX, 6),
	CASE("{\"a\":[1 2]}", SYNTAX, 8),
	CASE("{\"a\":[:]}", SYNTAX, 6),
	CASE("{\"a\":[}", SYNTAX, 6),
	CASE("{\"a\":[1}", SYNTAX, 7),
	CASE("{]", SYNTAX, 1),
	CASE("{\"a\":1]", SYNTAX, 6),
	CASE("{\"a\":{]}", SYNTAX, 6),
	CASE("{\"a\":[{\"b\":1]}", SYNTAX, 12),
	CASE("{1:2}", SYNTAX, 1),
	CASE("{{}:1}", SYNTAX, 1),
	CASE("{[]:1}", SYNTAX, 1),
	CASE("{\"a\":1,2:3}", SYNTAX, 7),
	CASE("{\"a\":1,[]:3}", SYNTAX, 7),
	CASE("{null:1}", SYNTAX, 1),
	CASE("{'a':1}", SYNTAX, 1),
	CASE("{a:1}", SYNTAX, 1),
	CASE("{\"a\":/**/1}", SYNTAX, 5),
	CASE("{\"a\":1/**/}", SYNTAX, 6),
	CASE("{\"a\":\\n}", SYNTAX, 5),
	CASE("{\\\"a\":1}", SYNTAX, 1),
	CASE("{\"a\":1\xc3\xa9}", SYNTAX, 6),
	CASE("{\xc2\xa0}", SYNTAX, 1),
	CASE("{\0}", SYNTAX, 1),
	CASE("{\"a\":1\0}", SYNTAX, 6),
	CASE("{\f}", SYNTAX, 1),
	CASE("{\v}", SYNTAX, 1),
	CASE("{\x7f}", SYNTAX, 1),
	/* words */
	CASE("{\"a\":true}", OK, 10),
	CASE("{\"a\":trux}", SYNTAX, 8),
	CASE("{\"a\":True}", SYNTAX, 5),
	CASE("{\"a\":truee}", SYNTAX, 9),
	CASE("{\"a\":tru}", SYNTAX, 8),
	CASE("{\"a\":fals}", SYNTAX, 9),
	CASE("{\"a\":falsy}", SYNTAX, 9),
	CASE("{\"a\":falsee}", SYNTAX, 10),
	CASE("{\"a\":nul}", SYNTAX, 8),
	CASE("{\"a\":nulL}", SYNTAX, 8),
	CASE("{\"a\":null0}", SYNTAX, 9),
	CASE("{\"a\":nan}", SYNTAX, 6),
	CASE("{\"a\":NaN}", SYNTAX, 5),
	CASE("{\"a\":Infinity}", SYNTAX, 5),
	CASE("{\"a\":truefalse}", SYNTAX, 9),
	/* strings */
	CASE("{\"a\x01\":1}", CONTROL_CHARACTER, 3),
	CASE("{\"a\0\":1}", CONTROL_CHARACTER, 3),
	CASE("{\"a\":\"\t\"}", CONTROL_CHARACTER, 6),
	CASE("{\"a\":\"b\n\"}", CONTROL_CHARACTER, 7),
	CASE("{\"a\":\"\x1f\"}", CONTROL_CHARACTER, 6),
	CASE("{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"}", OK, 30),
	CASE("{\"a\":\"\\x\"}", ESCAPE, 6),
	CASE("{\"a\":\"\\'\"}", ESCAPE, 6),
	CASE("{\"a\":\"\\a\"}", ESCAPE, 6),
	CASE("{\"a\":\"\\U0041\"}", ESCAPE, 6),
	CASE("{\"a\":\"\\\n\"}", ESCAPE, 6),
	CASE("{\"a\":\"\\\xc3\xa9\"}", ESCAPE, 6),
	CASE("{\"a\":\"\\\0\"}", ESCAPE, 6),
	CASE("{\"a\":\"\\u12\"}", ESCAPE, 6),
	CASE("{\"a\":\"\\u\"}", ESCAPE, 6),
	CASE("{\"a\":\"\\u123g\"}", ESCAPE, 6),
	CASE("{\"a\":\"\\u 123\"}", ESCAPE, 6),
	CASE("{\"a\":\"\\u00E9\\uABCD\\uabcd\"}", OK, 26),
	CASE("{\"a\":\"\\ud83d\\ude00\"}", OK, 20),
	CASE("{\"a\":\"\\uDBFF\\uDFFF\"}", OK, 20),
	CASE("{\"a\":\"\\ud7ff\\ue000\"}", OK, 20),
	CASE("{\"a\":\"\\ud800\\udc00\\ud800\\udc00\"}", OK, 32),
	CASE("{\"a\":\"\\ud800\"}", LONE_SURROGATE, 6),
	CASE("{\"a\":\"\\udc00\"}", LONE_SURROGATE, 6),
	CASE("{\"a\":\"\\udfff\"}", LONE_SURROGATE, 6),
	CASE("{\"a\":\"\\udbffx\"}", LONE_SURROGATE, 6),
	CASE("{\"a\":\"\\ud800\\n\"}", LONE_SURROGATE, 6),
	CASE("{\"a\":\"\\ud800\\u0041\"}", LONE_SURROGATE, 6),
	CASE("{\"a\":\"\\ud800\\ud800\\udc00\"}", LONE_SURROGATE, 6),
	CASE("{\"a\":\"\\ud800\\udc00\\udc00\"}", LONE_SURROGATE, 18),
	CASE("{\"a\":\"\\ud800\\udc0\"}", LONE_SURROGATE, 6),
	CASE("{\"a\":\"\\ud800\\udg00\"}", LONE_SURROGATE, 6),
	CASE("{\"a\":\"\\ud800\\\\udc00\"}", LONE_SURROGATE, 6),
	CASE("{\"a\":\"\\\\ud800\"}", OK, 15),
	CASE("{\"\\ud800\":1}", LONE_SURROGATE, 2),
	/* UTF-8, Unicode Standard table 3-7 */
	CASE("{\"a\":\"\xc2\x80\xdf\xbf\"}", OK, 12),
	CASE("{\"a\":\"\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\"}", OK, 20),
	CASE("{\"a\":\"\xf0\x90\x80\x80\xf1\x80\x80\x80\xf4\x8f\xbf\xbf\"}", OK, 20),
	CASE("{\"a\":\"\x80\"}", UTF8, 6),
	CASE("{\"a\":\"\xbf\"}", UTF8, 6),
	CASE("{\"a\":\"\xc0\x80\"}", UTF8, 6),
	CASE("{\"a\":\"\xc1\xbf\"}", UTF8, 6),
	CASE("{\"a\":\"\xc2\"}", UTF8, 6),
	CASE("{\"a\":\"\xc2\xc2\x80\"}", UTF8, 6),
	CASE("{\"a\":\"\xc2\x80\x80\"}", UTF8, 8),
	CASE("{\"a\":\"\xe0\x9f\xbf\"}", UTF8, 6),
	CASE("{\"a\":\"\xe0\xa0\"}", UTF8, 6),
	CASE("{\"a\":\"\xe1\x80\xc0\"}", UTF8, 6),
	CASE("{\"a\":\"\xed\xa0\x80\"}", UTF8, 6),
	CASE("{\"a\":\"\xed\xbf\xbf\"}", UTF8, 6),
	CASE("{\"a\":\"\xf0\x8f\xbf\xbf\"}", UTF8, 6),
	CASE("{\"a\":\"\xf0\x90\x80\"}", UTF8, 6),
	CASE("{\"a\":\"\xf4\x90\x80\x80\"}", UTF8, 6),
	CASE("{\"a\":\"\xf5\x80\x80\x80\"}", UTF8, 6),
	CASE("{\"a\":\"\xf8\x88\x80\x80\x80\"}", UTF8, 6),
	CASE("{\"a\":\"\xfe\"}", UTF8, 6),
	CASE("{\"a\":\"\xff\"}", UTF8, 6),
	CASE("{\"\xff\":1}", UTF8, 2),
	/* numbers */
	CASE("{\"a\":0}", OK, 7),
	CASE("{\"a\":-0}", OK, 8),
	CASE("{\"a\":1e400}", OK, 11),
	CASE("{\"a\":-1.5E+10}", OK, 14),
	CASE("{\"a\":0.0}", OK, 9),
	CASE("{\"a\":0e0}", OK, 9),
	CASE("{\"a\":-0.0e-0}", OK, 13),
	CASE("{\"a\":1.000}", OK, 11),
	CASE("{\"a\":1e00}", OK, 10),
	CASE("{\"a\":01}", NUMBER, 6),
	CASE("{\"a\":00}", NUMBER, 6),
	CASE("{\"a\":-01}", NUMBER, 7),
	CASE("{\"a\":-}", NUMBER, 6),
	CASE("{\"a\":--1}", NUMBER, 6),
	CASE("{\"a\":-.5}", NUMBER, 6),
	CASE("{\"a\":-a}", NUMBER, 6),
	CASE("{\"a\":1.}", NUMBER, 7),
	CASE("{\"a\":1.e5}", NUMBER, 7),
	CASE("{\"a\":1e}", NUMBER, 7),
	CASE("{\"a\":1e+}", NUMBER, 8),
	CASE("{\"a\":1e+-1}", NUMBER, 8),
	CASE("{\"a\":1.2.3}", NUMBER, 8),
	CASE("{\"a\":1..3}", NUMBER, 7),
	CASE("{\"a\":1e5.3}", NUMBER, 8),
	CASE("{\"a\":1e5e3}", NUMBER, 8),
	CASE("{\"a\":1-2}", NUMBER, 6),
	CASE("{\"a\":1+2}", NUMBER, 6),
	CASE("{\"a\":1-}", NUMBER, 6),
	CASE("{\"a\":1.5-}", NUMBER, 8),
	CASE("{\"a\":1.-5}", NUMBER, 7),
	CASE("{\"a\":.5}", SYNTAX, 5),
	CASE("{\"a\":+1}", SYNTAX, 5),
	CASE("{\"a\":0x10}", SYNTAX, 6),
	CASE("{\"a\":1a}", SYNTAX, 6),
	CASE("{\"a\":1_000}", SYNTAX, 6),
	CASE("{\"a\":1true}", SYNTAX, 6),
	/* the input ends */
	CASE("", TRUNCATED, 0),
	CASE("{", TRUNCATED, 1),
	CASE("{\"a", TRUNCATED, 3),
	CASE("{\"a\":\"\\ud800\\", TRUNCATED, 13),
	CASE("{\"a\":\"\xf0\x9f\x98", TRUNCATED, 9),
	CASE("{\"a\":\"\xf0\x8f\x98", UTF8, 6),
	CASE("{\"a\":-", TRUNCATED, 6),
	CASE("{\"a\":[{", TRUNCATED, 7),
};
#define CASE_COUNT (sizeof(cases) / sizeof(cases[0]))
/* clang-format on */

static void test_faults(void **state)
{
	(void)state;
	for (size_t i = 0; i < CASE_COUNT; i++) {
		const struct fault_case *c = &cases[i];
		struct rv_json_scan got = scan(c->text, c->len);

		if (got.fault != c->fault || got.end != c->end)
			fail_msg("%s: %s at %zu, expected %s at %zu", c->text,
				 rv_json_fault_text(got.fault), got.end,
				 rv_json_fault_text(c->fault), c->end);
	}
}

/*
 * Every case again as an inner value, pushed through all positions of a 64-byte block by a key, by
 * white space, by a number and by characters of three bytes, with and without text behind.
 */
static void test_faults_at_every_position(void **state)
{
	static const char *const heads[] = { "{\"k", "{\"k\":[", "{\"k\":1", "{\"k" };
	static const char *const fills[] = { "k", " ", "7", "\xe2\x82\xac" };
	static const char *const necks[] = { "\":", "", ",\"n\":", "\":" };
	static const char *const tails[] = { "}", "]}", "}", "}" };

	(void)state;
	for (size_t i = 0; i < CASE_COUNT; i++) {
		const struct fault_case *c = &cases[i];

		if (c->fault == RV_JSON_TRUNCATED || c->text[0] != '{')
			continue;
		for (unsigned kind = 0; kind < 4; kind++) {
			for (int pad = 0; pad < 70; pad++) {
				RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sb = RV_STRBUF_INIT;
				struct rv_json_scan got;
				size_t at, whole;

				rv_strbuf_puts(&sb, heads[kind]);
				for (int k = 0; k < pad; k++)
					rv_strbuf_puts(&sb, fills[kind]);
				rv_strbuf_puts(&sb, necks[kind]);
				at = sb.len;
				rv_strbuf_add(&sb, c->text, c->fault ? c->len : c->end);
				rv_strbuf_puts(&sb, tails[kind]);
				whole = sb.len;
				got = scan(sb.bytes, sb.len);
				assert_int_equal(got.fault, c->fault);
				assert_int_equal(got.end, c->fault ? at + c->end : whole);
				rv_strbuf_puts(&sb, "\n{\"next\":\"\\u\xff\x01,]01");
				got = scan(sb.bytes, sb.len);
				assert_int_equal(got.fault, c->fault);
				assert_int_equal(got.end, c->fault ? at + c->end : whole);
			}
		}
	}
}

static const char *const samples[] = {
	"{}",
	"{\"event_id\":\"9f1c2d3e-4b5a-4678-9abc-def012345678\",\"event\":\"page_view\","
	"\"ts\":\"2026-05-01T00:00:00.001Z\",\"user\":{\"id\":\"u-1182734\",\"logged_in\":true},"
	"\"page\":{\"url\":\"/products?ref=17\",\"referrer\":null},\"geo\":{\"city\":"
	"\"S\xc3\xa3o Paulo\",\"at\":[-23.5505,-46.633e0]},\"n\":[],\"q\":\"a \\\"b\\\" \\\\ "
	"\\u2764 \\ud83d\\ude00 \xf0\x9f\x98\x80\",\"props\":{\"x\":0,\"y\":-12,\"z\":1.25E-3}}",
	"{ \"a\" : [ { \"b\" : [ [ 1 , 2 ] , { } , [ ] ] } , false , null , \"\" ] , \r\n\t\"c\" : 0 }",
};
#define SAMPLE_COUNT (sizeof(samples) / sizeof(samples[0]))

static void test_every_truncation(void **state)
{
	(void)state;
	for (size_t s = 0; s < SAMPLE_COUNT; s++) {
		size_t len = strlen(samples[s]);
		struct rv_json_scan got = scan(samples[s], len);

		assert_int_equal(got.fault, RV_JSON_OK);
		assert_int_equal(got.end, len);
		for (size_t cut = 0; cut < len; cut++) {
			got = scan(samples[s], cut);
			assert_int_equal(got.fault, RV_JSON_TRUNCATED);
			assert_int_equal(got.end, cut);
		}
	}
}

/* Here the scanners check each other; what is right is decided by the tables and by jansson. */
static void test_every_byte_replaced(void **state)
{
	char text[1024];

	(void)state;
	for (size_t s = 0; s < SAMPLE_COUNT; s++) {
		size_t len = strlen(samples[s]);

		for (size_t at = 0; at < len; at++) {
			for (int c = 0; c < 256; c++) {
				memcpy(text, samples[s], len);
				text[at] = (char)c;
				scan(text, len);
				scan_with(text, len, 3, RV_JSON_LINE_MODE);
			}
		}
	}
}

static void expect_newline(const char *text, unsigned flags, enum rv_json_fault fault, size_t end,
			   bool has_newline)
{
	struct rv_json_scan got = scan_with(text, strlen(text), 0, flags);

	assert_int_equal(got.fault, fault);
	assert_int_equal(got.end, end);
	assert_int_equal(got.has_newline, has_newline);
}

static void test_newlines(void **state)
{
	(void)state;
	expect_newline("{\"a\":1}\n", 0, RV_JSON_OK, 7, false);
	expect_newline("{\"a\":\n1}", 0, RV_JSON_OK, 8, true);
	expect_newline("{\"a\":\r1}", 0, RV_JSON_OK, 8, true);
	expect_newline("{\"a\":\t1 }", 0, RV_JSON_OK, 9, false);
	expect_newline("{\"a\\n\":\"\\r\"}", 0, RV_JSON_OK, 12, false);
	expect_newline("{\n", 0, RV_JSON_TRUNCATED, 2, false);
	expect_newline("{\"a\":1}\n", RV_JSON_LINE_MODE, RV_JSON_OK, 7, false);
	expect_newline("{\"a\":\n1}", RV_JSON_LINE_MODE, RV_JSON_NEWLINE, 5, false);
	expect_newline("{\"a\":1\n}", RV_JSON_LINE_MODE, RV_JSON_NEWLINE, 6, false);
	expect_newline("{\"a\":\r1}\n", RV_JSON_LINE_MODE, RV_JSON_OK, 8, true);
	expect_newline("{\"a\":\"\n\"}", RV_JSON_LINE_MODE, RV_JSON_CONTROL_CHARACTER, 6, false);
}

static void test_newlines_at_every_position(void **state)
{
	(void)state;
	for (size_t at = 7; at < 200; at++) {
		char text[256];
		struct rv_json_scan got;

		memset(text, ' ', sizeof(text));
		memcpy(text, "{\"a\":1,", 7);
		memcpy(text + 130, "\"b\":2", 5);
		text[200] = '}';
		if (at >= 130 && at < 135)
			continue;
		text[at] = '\n';
		got = scan(text, sizeof(text));
		assert_int_equal(got.fault, RV_JSON_OK);
		assert_int_equal(got.end, 201);
		assert_true(got.has_newline);
		got = scan_with(text, sizeof(text), 0, RV_JSON_LINE_MODE);
		assert_int_equal(got.fault, RV_JSON_NEWLINE);
		assert_int_equal(got.end, at);
		text[at] = ' ';
		text[201 + at % 40] = '\n';
		got = scan_with(text, sizeof(text), 0, RV_JSON_LINE_MODE);
		assert_int_equal(got.fault, RV_JSON_OK);
		assert_false(got.has_newline);
	}
}

static void test_river_key(void **state)
{
	/* Without the leading brace, which the test puts in front together with a key of any length. */
	static const struct {
		const char *text;
		bool has;
	} keys[] = {
		{ "\"_river\":1}", true },
		{ "\"a\":{\"b\":[]},\"_river\" : {}}", true },
		{ "\"\\u005friver\":1}", true },
		{ "\"\\u005F\\u0072\\u0069\\u0076\\u0065\\u0072\":1}", true },
		{ "\"_riv\\u0065r\":1}", true },
		{ "\"_river\":1,\"_river\":2}", true },
		{ "\"_riverx\":1}", false },
		{ "\"_rive\":1}", false },
		{ "\"_River\":1}", false },
		{ "\"river\":1}", false },
		{ "\"_river\\u0000\":1}", false },
		{ "\"\\u015friver\":1}", false },
		{ "\"\\\\u005friver\":1}", false },
		{ "\"a\":\"_river\"}", false },
		{ "\"a\":{\"_river\":1}}", false },
		{ "\"a\":[{\"_river\":1}]}", false },
		{ "\"a\":[\"_river\"]}", false },
		{ "\"a\":{\"b\":1},\"c\":{\"_river\":1}}", false },
		{ "\"a\":1}{\"_river\":1}", false },
		{ "\"a\":1}\n{\"_river\":1}", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		for (int pad = -1; pad < 140; pad++) {
			RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sb = RV_STRBUF_INIT;
			struct rv_json_scan got;

			rv_strbuf_puts(&sb, "{");
			if (pad >= 0)
				rv_strbuf_printf(&sb, "\"%0*d\":0,", pad, 0);
			rv_strbuf_puts(&sb, keys[i].text);
			got = scan(sb.bytes, sb.len);
			assert_int_equal(got.fault, RV_JSON_OK);
			assert_int_equal(got.has_river_key, keys[i].has);
		}
	}
	assert_false(scan("{\"_river\":}", 11).has_river_key);
}

static void test_depth_of_arrays(void **state)
{
	char text[4 * RV_JSON_MAX_DEPTH];

	(void)state;
	for (size_t depth = 2; depth <= RV_JSON_MAX_DEPTH + 2; depth++) {
		size_t more = depth - 1, len = 5 + 2 * more;
		struct rv_json_scan got;

		memcpy(text, "{\"\":", 4);
		memset(text + 4, '[', more);
		memset(text + 4 + more, ']', more);
		text[4 + 2 * more] = '}';
		got = scan(text, len);
		if (depth <= RV_JSON_MAX_DEPTH) {
			assert_int_equal(got.fault, RV_JSON_OK);
			assert_int_equal(got.end, len);
		} else {
			assert_int_equal(got.fault, RV_JSON_DEPTH);
			assert_int_equal(got.end, 4 + RV_JSON_MAX_DEPTH - 1);
		}
		got = scan_with(text, len, (unsigned)depth - 1, 0);
		assert_int_equal(got.fault, RV_JSON_DEPTH);
		if (depth > RV_JSON_MAX_DEPTH)
			continue;
		/* One closing bracket of the wrong kind, somewhere. */
		text[4 + more + depth % more] = '}';
		got = scan(text, len);
		assert_int_equal(got.fault, RV_JSON_SYNTAX);
		assert_int_equal(got.end, 4 + more + depth % more);
	}
}

static void test_depth_of_objects(void **state)
{
	(void)state;
	for (size_t depth = 1; depth <= 400; depth++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sb = RV_STRBUF_INIT;
		unsigned levels = 1;
		struct rv_json_scan got;

		for (size_t k = 1; k < depth; k++) {
			rv_strbuf_puts(&sb, k % 7 == 3 ? "{\"\":[" : "{\"\":");
			levels += k % 7 == 3 ? 2 : 1;
		}
		rv_strbuf_puts(&sb, "{}");
		for (size_t k = depth - 1; k >= 1; k--)
			rv_strbuf_puts(&sb, k % 7 == 3 ? "]}" : "}");
		got = scan_with(sb.bytes, sb.len, levels, 0);
		assert_int_equal(got.fault, RV_JSON_OK);
		assert_int_equal(got.end, sb.len);
		if (levels > 1)
			assert_int_equal(scan_with(sb.bytes, sb.len, levels - 1, 0).fault,
					 RV_JSON_DEPTH);
		sb.bytes[sb.len - 1 - depth / 2] ^= '}' ^ ']';
		got = scan(sb.bytes, sb.len);
		assert_int_equal(got.fault, RV_JSON_SYNTAX);
	}
}

static void test_hostile_nesting(void **state)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sb = RV_STRBUF_INIT;
	struct rv_json_scan got;

	(void)state;
	rv_strbuf_puts(&sb, "{\"\":");
	for (int k = 0; k < 10000; k++)
		rv_strbuf_puts(&sb, "[");
	got = scan_with(sb.bytes, sb.len, 100000, 0);
	assert_int_equal(got.fault, RV_JSON_DEPTH);
	assert_int_equal(got.end, 4 + RV_JSON_MAX_DEPTH - 1);
	/* As many brackets side by side are fine. */
	rv_strbuf_clear(&sb);
	rv_strbuf_puts(&sb, "{\"\":[0");
	for (int k = 0; k < 10000; k++)
		rv_strbuf_puts(&sb, k % 3 ? ",[{}]" : ",{\"\":[]}");
	rv_strbuf_puts(&sb, "]}");
	got = scan_with(sb.bytes, sb.len, 4, 0);
	assert_int_equal(got.fault, RV_JSON_OK);
	assert_int_equal(got.end, sb.len);
}

/* Runs of backslashes of every length before a quote, over the borders of blocks. */
static void test_backslash_runs(void **state)
{
	(void)state;
	for (size_t pad = 0; pad < 70; pad++) {
		for (size_t run = 0; run < 135; run++) {
			char text[300] = "{\"a\":\"";
			size_t len = 6 + pad + run + 2;
			struct rv_json_scan got;

			memset(text + 6, 'x', pad);
			memset(text + 6 + pad, '\\', run);
			memcpy(text + 6 + pad + run, "\"}", 2);
			got = scan(text, len);
			assert_int_equal(got.fault, run % 2 ? RV_JSON_TRUNCATED : RV_JSON_OK);
			assert_int_equal(got.end, len);
		}
	}
}

static void test_long_numbers(void **state)
{
	(void)state;
	for (size_t digits = 1; digits < 200; digits++) {
		for (size_t bad = 0; bad < digits; bad += 3) {
			char text[256] = "{\"a\":[";
			struct rv_json_scan got;

			memset(text + 6, '7', digits);
			memcpy(text + 6 + digits, ",1]}", 4);
			got = scan(text, digits + 10);
			assert_int_equal(got.fault, RV_JSON_OK);
			text[6 + bad] = 'x';
			got = scan(text, digits + 10);
			assert_int_equal(got.fault, RV_JSON_SYNTAX);
			assert_int_equal(got.end, 6 + bad);
			text[6 + bad] = '.';
			got = scan(text, digits + 10);
			if (bad == 0)
				assert_int_equal(got.fault, RV_JSON_SYNTAX);
			else if (bad == digits - 1)
				assert_int_equal(got.fault, RV_JSON_NUMBER);
			else
				assert_int_equal(got.fault, RV_JSON_OK);
		}
	}
}

static void test_blank_newlines(void **state)
{
	static const char before[] = "\n\rab \x8a\x8d", after[] = "  ab \x8a\x8d";
	char text[] = "{\r\n\"a\":\n1,\t\"b\\n\":2\r}\n";

	(void)state;
	rv_json_blank_newlines(text, sizeof(text) - 1);
	assert_string_equal(text, "{  \"a\": 1,\t\"b\\n\":2 } ");
	for (size_t len = 0; len < 200; len++) {
		char bytes[201];

		for (size_t i = 0; i < len; i++)
			bytes[i] = before[i % 7];
		bytes[len] = '\n';
		rv_json_blank_newlines(bytes, len);
		for (size_t i = 0; i < len; i++)
			assert_int_equal(bytes[i], after[i % 7]);
		assert_int_equal(bytes[len], '\n');
	}
}

static void test_fault_texts(void **state)
{
	(void)state;
	for (int i = RV_JSON_OK; i <= RV_JSON_NEWLINE; i++) {
		const char *text = rv_json_fault_text((enum rv_json_fault)i);

		assert_true(strlen(text) > 5);
		for (int k = 0; k < i; k++)
			assert_string_not_equal(text, rv_json_fault_text((enum rv_json_fault)k));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_faults_at_every_position),
		cmocka_unit_test(test_every_truncation),
		cmocka_unit_test(test_every_byte_replaced),
		cmocka_unit_test(test_newlines),
		cmocka_unit_test(test_newlines_at_every_position),
		cmocka_unit_test(test_river_key),
		cmocka_unit_test(test_depth_of_arrays),
		cmocka_unit_test(test_depth_of_objects),
		cmocka_unit_test(test_hostile_nesting),
		cmocka_unit_test(test_backslash_runs),
		cmocka_unit_test(test_long_numbers),
		cmocka_unit_test(test_blank_newlines),
		cmocka_unit_test(test_fault_texts),
	};

	return cmocka_run_group_tests_name("json_scan", tests, NULL, NULL);
}

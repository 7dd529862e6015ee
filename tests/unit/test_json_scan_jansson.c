/*
 * jansson as a second opinion on the JSON validator, over generated objects and damaged ones.
 * RIVER_DEEP=1 raises the 200 thousand cases to several million.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/memory.h"
#include "base/strbuf.h"
#include "format/json_scan.h"

static uint64_t seed = 0x9e3779b97f4a7c15u;

static unsigned pick(size_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)((seed >> 20) % n);
}

/* How much white space the current object has: none as machines write it, some, or a lot. */
static unsigned blank_odds;

static void random_blank(struct rv_strbuf *sb)
{
	static const char *const blanks[] = { " ", "\n", "\t", "\r", "  ", " \n ", "        " };

	if (blank_odds && pick(blank_odds) == 0)
		rv_strbuf_puts(sb, blanks[pick(7)]);
}

static void random_string(struct rv_strbuf *sb)
{
	static const char *const parts[] = {
		"a", "event", "_river", "page_view", "\\n", "\\\"", "\\\\", "\\/", "\\u00e9",
		"\\u005friver", "\\ud83d\\ude00", "\xc3\xa9", "\xe6\x9d\xb1", "\xf0\x9f\x98\x80",
		"{", "}", "[", "]", ",", ":", "0123456789", " ", "\x7f", "'", "\xed\x9f\xbf",
		"\xef\xbf\xbf", "\\u0000", "true", "\\b\\f\\r\\t",
		"Mozilla/5.0 (X11; Linux x86_64; rv:125.0)",
	};

	rv_strbuf_putc(sb, '"');
	for (unsigned n = pick(6); n; n--)
		rv_strbuf_puts(sb, parts[pick(sizeof(parts) / sizeof(parts[0]))]);
	if (pick(10) == 0)
		for (unsigned n = pick(150); n; n--)
			rv_strbuf_putc(sb, (char)('a' + n % 26));
	rv_strbuf_putc(sb, '"');
}

static void random_number(struct rv_strbuf *sb)
{
	if (pick(4) == 0)
		rv_strbuf_putc(sb, '-');
	if (pick(5) == 0)
		rv_strbuf_putc(sb, '0');
	else
		rv_strbuf_printf(sb, "%u", 1 + pick((size_t)1 << (1 + pick(28))));
	if (pick(3) == 0)
		rv_strbuf_printf(sb, ".%0*u", 1 + (int)pick(12), pick(1000));
	if (pick(6) == 0) {
		rv_strbuf_putc(sb, "eE"[pick(2)]);
		rv_strbuf_puts(sb, pick(3) == 0 ? "+" : pick(2) ? "-" : "");
		rv_strbuf_printf(sb, "%u", pick(40));
	}
}

static void random_object(struct rv_strbuf *sb, unsigned level);

static void random_array(struct rv_strbuf *sb, unsigned level);

static void random_value(struct rv_strbuf *sb, unsigned level)
{
	static const char *const words[] = { "true", "false", "null" };
	unsigned kind = pick(level > 5 ? 8 : 11);

	if (kind < 3)
		random_string(sb);
	else if (kind < 5)
		random_number(sb);
	else if (kind < 8)
		rv_strbuf_puts(sb, words[kind - 5]);
	else if (kind < 10)
		random_object(sb, level + 1);
	else
		random_array(sb, level + 1);
}

static void random_array(struct rv_strbuf *sb, unsigned level)
{
	rv_strbuf_putc(sb, '[');
	random_blank(sb);
	for (unsigned n = pick(6); n; n--) {
		random_value(sb, level);
		random_blank(sb);
		if (n > 1)
			rv_strbuf_putc(sb, ',');
		random_blank(sb);
	}
	rv_strbuf_putc(sb, ']');
}

static void random_object(struct rv_strbuf *sb, unsigned level)
{
	rv_strbuf_putc(sb, '{');
	random_blank(sb);
	for (unsigned n = pick(level ? 4 : 8); n; n--) {
		random_string(sb);
		random_blank(sb);
		rv_strbuf_putc(sb, ':');
		random_blank(sb);
		random_value(sb, level);
		random_blank(sb);
		if (n > 1)
			rv_strbuf_putc(sb, ',');
		random_blank(sb);
	}
	rv_strbuf_putc(sb, '}');
}

static void mutate(struct rv_strbuf *sb)
{
	static const char bytes[] = "\"\\{}[],:0123456789-+.eEtfnu \n\r\t\x01\x7f\x80\xbf\xc2\xe0\xed"
				    "\xf0\xf4\xff" "da\0";
	size_t at;
	char c;

	if (sb->len < 3)
		return;
	at = 1 + pick(sb->len - 1);
	c = bytes[pick(sizeof(bytes) - 1)];
	switch (pick(8)) {
	case 0: /* remove a byte */
		memmove(sb->bytes + at, sb->bytes + at + 1, sb->len - at - 1);
		rv_strbuf_truncate(sb, sb->len - 1);
		break;
	case 1: /* insert one */
		rv_strbuf_putc(sb, 0);
		memmove(sb->bytes + at + 1, sb->bytes + at, sb->len - 1 - at);
		sb->bytes[at] = c;
		break;
	case 2: /* now and then, cut */
		if (pick(3) == 0)
			rv_strbuf_truncate(sb, at);
		break;
	case 3: /* swap two neighbours */
		c = sb->bytes[at];
		sb->bytes[at] = sb->bytes[at - 1];
		sb->bytes[at - 1] = c;
		break;
	case 4: /* swap two places: most often digits, letters or brackets among themselves */
		c = sb->bytes[at];
		sb->bytes[at] = sb->bytes[sb->len / 2];
		sb->bytes[sb->len / 2] = c;
		break;
	default:
		sb->bytes[at] = c;
	}
}

/*
 * What jansson answers differently, because it builds C values:
 * - real numbers beyond double and integers beyond 64 bits are errors;
 * - \u0000 in a key is an error (in a value it needs JSON_ALLOW_NUL, which is set here);
 * - it goes 2048 levels deep (nothing here goes beyond 1024);
 * - it loses a NUL byte right behind a word or a number (its one-byte push-back takes a NUL for an
 *   empty buffer), so it accepts what is no JSON.
 * Everything else must be the same answer.
 */
static bool known_refusal(const json_error_t *error)
{
	enum json_error_code code = json_error_code(error);

	return code == json_error_numeric_overflow || code == json_error_null_byte_in_key;
}

static bool known_acceptance(const char *p, const struct rv_json_scan *scan)
{
	return scan->fault == RV_JSON_SYNTAX && p[scan->end] == 0 && scan->end > 0 &&
	       strchr("0123456789el", p[scan->end - 1]);
}

/* The fault of the first scanner, after all of them and jansson have agreed. */
static enum rv_json_fault compare(const char *p, size_t len)
{
	const struct rv_json_scanner *list;
	size_t n = rv_json_scanners(&list);
	char *copy = malloc(len ? len : 1); /* of exactly len bytes, for AddressSanitizer */
	struct rv_json_scan first = { 0 };
	json_error_t error;
	json_t *tree;

	assert_non_null(copy);
	memcpy(copy, p, len);
	for (unsigned flags = 0; flags < 2; flags++) {
		for (size_t i = n; i-- > 0;) {
			unsigned depth = flags == RV_JSON_LINE_MODE ? 4 : 0;
			struct rv_json_scan got, want;

			list[0].scan(copy, len, depth, flags, &want);
			list[i].scan(copy, len, depth, flags, &got);
			if (got.fault != want.fault || got.end != want.end ||
			    got.has_newline != want.has_newline ||
			    got.has_river_key != want.has_river_key)
				fail_msg("%s says %d at %zu (%d %d), %s %d at %zu (%d %d): %.*s",
					 list[i].name, (int)got.fault, got.end, got.has_newline,
					 got.has_river_key, list[0].name, (int)want.fault,
					 want.end, want.has_newline, want.has_river_key, (int)len,
					 p);
			if (flags == 0)
				first = want;
		}
	}
	if (len == 0 || p[0] != '{') {
		free(copy);
		return first.fault;
	}
	tree = json_loadb(copy, len, JSON_ALLOW_NUL | JSON_DISABLE_EOF_CHECK, &error);
	if (tree && (first.fault != RV_JSON_OK || first.end != (size_t)error.position) &&
	    !known_acceptance(copy, &first))
		fail_msg("jansson accepts %d bytes, river says %s at %zu: %.*s", error.position,
			 rv_json_fault_text(first.fault), first.end, (int)len, p);
	if (!tree && first.fault == RV_JSON_OK && !known_refusal(&error))
		fail_msg("river accepts %zu bytes, jansson says %s: %.*s", first.end, error.text,
			 (int)len, p);
	if (tree && first.fault == RV_JSON_OK)
		assert_int_equal(first.has_river_key, json_object_get(tree, "_river") != NULL);
	json_decref(tree);
	free(copy);
	return first.fault;
}

static void test_generated_and_damaged(void **state)
{
	const char *deep = getenv("RIVER_DEEP");
	unsigned long wanted = deep && *deep && strcmp(deep, "0") != 0 ? 4000000 : 200000;
	unsigned long faults[RV_JSON_NEWLINE + 1] = { 0 };
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sb = RV_STRBUF_INIT;

	(void)state;
	for (unsigned long n = 0; n < wanted; n++) {
		if (n % 3 == 0) {
			static const unsigned odds[] = { 0, 2, 12 };

			blank_odds = odds[pick(3)];
			rv_strbuf_clear(&sb);
			random_object(&sb, 0);
			if (pick(2))
				rv_strbuf_puts(&sb, "\n{\"behind\":tru");
		} else {
			mutate(&sb);
		}
		faults[compare(sb.bytes, sb.len)]++;
	}
	/* The cases are worth their name: each answer that text can get here was given often. */
	assert_true(faults[RV_JSON_OK] > wanted / 3);
	for (int fault = RV_JSON_OK; fault < RV_JSON_DEPTH; fault++)
		assert_true(fault == RV_JSON_NOT_OBJECT || faults[fault] > wanted / 2000);
}

static void test_known_differences(void **state)
{
	static const char *const texts[] = {
		"{\"a\":1e400}", "{\"a\":-1e400}", "{\"a\":123456789012345678901234567890}",
		"{\"a\":-9223372036854775809}", "{\"\\u0000\":1}", "{\"a\\u0000b\":1}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		json_error_t error;

		assert_null(json_loadb(texts[i], strlen(texts[i]), JSON_ALLOW_NUL, &error));
		assert_true(known_refusal(&error));
		assert_int_equal(compare(texts[i], strlen(texts[i])), RV_JSON_OK);
	}
	assert_int_equal(compare("{\"a\":1\0}", 8), RV_JSON_SYNTAX);
	assert_int_equal(compare("{\"a\":null\0}", 11), RV_JSON_SYNTAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_generated_and_damaged),
		cmocka_unit_test(test_known_differences),
	};

	return cmocka_run_group_tests_name("json_scan_jansson", tests, NULL, NULL);
}

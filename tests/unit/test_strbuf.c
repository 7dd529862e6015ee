/* Growing strings: what a ceiling drops, and text that has to be exact. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/strbuf.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static void test_growing(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sb = RV_STRBUF_INIT;

	assert_string_equal(sb.bytes, "");
	for (unsigned i = 0; i < 5000; i++) {
		rv_strbuf_printf(&sb, "%u,", i % 10);
		assert_int_equal(sb.len, 2 * (i + 1));
		assert_int_equal(sb.bytes[sb.len], '\0');
	}
	assert_memory_equal(sb.bytes + 19 * 2, "9,0,", 4);
	rv_strbuf_truncate(&sb, 20000); /* never makes it longer */
	assert_int_equal(sb.len, 10000);
	rv_strbuf_truncate(&sb, 3);
	assert_string_equal(sb.bytes, "0,1");
	rv_strbuf_clear(&sb);
	assert_string_equal(sb.bytes, "");
	assert_true(sb.capacity > 0);
	rv_strbuf_release(&sb);
	assert_int_equal(sb.capacity, 0);
	rv_strbuf_release(&sb); /* twice is fine */
	rv_strbuf_clear(&sb);
	assert_string_equal(rv_strbuf_empty, "");
}

static void test_holds_nuls(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sb = RV_STRBUF_INIT;

	rv_strbuf_add(&sb, "a\0b", 3);
	rv_strbuf_putc(&sb, '\0');
	assert_int_equal(sb.len, 4);
	assert_memory_equal(sb.bytes, "a\0b\0\0", 5);
	rv_strbuf_add(&sb, NULL, 0);
	assert_int_equal(sb.len, 4);
}

static void test_take(void **state RV_UNUSED)
{
	struct rv_strbuf sb = RV_STRBUF_INIT;
	RV_CLEANUP(rv_free_p) char *nothing = rv_strbuf_take(&sb);

	assert_string_equal(nothing, "");
	assert_ptr_not_equal(nothing, rv_strbuf_empty); /* the caller frees it */
	rv_strbuf_puts(&sb, "text");
	RV_CLEANUP(rv_free_p) char *text = rv_strbuf_take(&sb);

	assert_string_equal(text, "text");
	assert_int_equal(sb.len, 0);
	assert_ptr_equal(sb.bytes, rv_strbuf_empty);
}

static void test_long_printf(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sb = RV_STRBUF_INIT;

	/* around the size that is formatted on the stack */
	for (int len = 250; len < 262; len++) {
		rv_strbuf_clear(&sb);
		rv_strbuf_printf(&sb, "%*d", len, 7);
		assert_int_equal(sb.len, len);
		assert_int_equal(strlen(sb.bytes), len);
		assert_int_equal(sb.bytes[len - 1], '7');
	}
}

static void test_ceiling(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sb = RV_STRBUF_INIT;

	rv_strbuf_limit(&sb, 8);
	rv_strbuf_puts(&sb, "12345678");
	assert_false(sb.overflow); /* exactly full is no overflow */
	rv_strbuf_add(&sb, "", 0);
	assert_false(sb.overflow); /* and nothing more goes past nothing */
	rv_strbuf_putc(&sb, '9');
	assert_true(sb.overflow);
	assert_string_equal(sb.bytes, "12345678");
	rv_strbuf_clear(&sb);
	assert_false(sb.overflow);
	rv_strbuf_puts(&sb, "123");
	rv_strbuf_printf(&sb, "%s", "4567890");
	assert_true(sb.overflow);
	assert_string_equal(sb.bytes, "12345678");
	assert_true(sb.capacity < 1024);
	/* what is left of a long piece does not come in behind a dropped one unseen */
	rv_strbuf_puts(&sb, "x");
	assert_string_equal(sb.bytes, "12345678");
}

static void test_json(void **state RV_UNUSED)
{
	static const struct {
		const char *in;
		size_t len;
		const char *out;
	} cases[] = {
#define CASE(in, out) { in, sizeof(in) - 1, out }
		CASE("", "\"\""),
		CASE("plain /text/", "\"plain /text/\""),
		CASE("a\"b\\c", "\"a\\\"b\\\\c\""),
		CASE("\n\r\t", "\"\\n\\r\\t\""),
		CASE("\0\001\b\f\037\177", "\"\\u0000\\u0001\\u0008\\u000c\\u001f\\u007f\""),
		CASE("gr\303\274n \342\202\254 \360\237\214\212", "\"gr\303\274n \342\202\254 \360\237\214\212\""),
		/* first and last of each length, and the edges of the surrogates */
		CASE("\302\200\337\277", "\"\302\200\337\277\""),
		CASE("\340\240\200\355\237\277\356\200\200\357\277\277",
		     "\"\340\240\200\355\237\277\356\200\200\357\277\277\""),
		CASE("\360\220\200\200\364\217\277\277", "\"\360\220\200\200\364\217\277\277\""),
		/* not UTF-8: each byte becomes one replacement character */
#define R "\357\277\275"
		CASE("\377", "\"" R "\""),
		CASE("a\200b", "\"a" R "b\""),
		CASE("\300\257", "\"" R R "\""),             /* too long a form */
		CASE("\340\237\277", "\"" R R R "\""),       /* the same */
		CASE("\355\240\200", "\"" R R R "\""),       /* a surrogate */
		CASE("\364\220\200\200", "\"" R R R R "\""), /* beyond the last character */
		CASE("\360\217\277\277", "\"" R R R R "\""),
		CASE("\303", "\"" R "\""),                   /* cut short at the end */
		CASE("\342\202", "\"" R R "\""),
		CASE("\360\237\214", "\"" R R R "\""),
		CASE("\303\"", "\"" R "\\\"\""),             /* cut short by a quote, which stays escaped */
		CASE("\365\200\200\200", "\"" R R R R "\""),
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sb = RV_STRBUF_INIT;
		RV_CLEANUP(rv_free_p) char *box = rv_malloc(cases[i].len);

		memcpy(box, cases[i].in, cases[i].len); /* nothing behind may be read */
		rv_strbuf_json(&sb, box, cases[i].len);
		assert_string_equal(sb.bytes, cases[i].out);
	}
}

static void test_base64(void **state RV_UNUSED)
{
	static const char *const vectors[][2] = { /* RFC 4648, section 10 */
		{ "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" },
		{ "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" },
	};
	static const unsigned char edges[] = { 0xfb, 0xff, 0xbf, 0x00, 0x00, 0x00 };
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sb = RV_STRBUF_INIT;

	for (size_t i = 0; i < COUNT(vectors); i++) {
		rv_strbuf_clear(&sb);
		rv_strbuf_base64(&sb, vectors[i][0], strlen(vectors[i][0]));
		assert_string_equal(sb.bytes, vectors[i][1]);
	}
	rv_strbuf_clear(&sb);
	rv_strbuf_base64(&sb, edges, sizeof(edges));
	assert_string_equal(sb.bytes, "+/+/AAAA");
	rv_strbuf_limit(&sb, 10);
	rv_strbuf_base64(&sb, edges, sizeof(edges));
	assert_true(sb.overflow);
	assert_string_equal(sb.bytes, "+/+/AAAA+/");
}

static void test_nearest(void **state RV_UNUSED)
{
	static const char *const words[] = { "push", "query", "status", "stream", "snowpipe", NULL };
	static const char *const none[] = { NULL };
	char endless[200];

	assert_string_equal(rv_nearest("pusj", words), "push");
	assert_string_equal(rv_nearest("psh", words), "push");
	assert_string_equal(rv_nearest("qeury", words), "query");
	assert_string_equal(rv_nearest("statsu", words), "status");
	assert_string_equal(rv_nearest("streams", words), "stream");
	assert_string_equal(rv_nearest("snowpip", words), "snowpipe");
	assert_string_equal(rv_nearest("push", words), "push");
	assert_null(rv_nearest("warehouse", words));
	assert_null(rv_nearest("xyz", words));
	assert_null(rv_nearest("push", none));
	memset(endless, 'p', sizeof(endless) - 1);
	endless[sizeof(endless) - 1] = '\0';
	assert_null(rv_nearest(endless, words));
}

static void test_slices(void **state RV_UNUSED)
{
	assert_true(rv_starts_with("river", ""));
	assert_true(rv_starts_with("river", "riv"));
	assert_true(rv_starts_with("river", "river"));
	assert_false(rv_starts_with("river", "rivers"));
	assert_false(rv_starts_with("river", "iver"));
	assert_true(rv_ends_with("river", ""));
	assert_true(rv_ends_with("river", "ver"));
	assert_false(rv_ends_with("ver", "river"));
	assert_false(rv_ends_with("river", "rive"));
	assert_true(rv_str_is(RV_STR("a"), "a"));
	assert_false(rv_str_is(RV_STR("a"), "ab"));
	assert_false(rv_str_is(RV_STR("a\0"), "a"));
	assert_true(rv_str_eq((struct rv_str){ NULL, 0 }, RV_STR("")));
}

static void test_form_decode(void **state)
{
	static const char *const broken[] = { "%", "%4", "%4g", "%g4", "%00", "a%0" };
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sb = RV_STRBUF_INIT;

	(void)state;
	assert_true(rv_strbuf_form_decode(&sb, "a+b%2Bc%2bd%C3%A9%25"));
	assert_string_equal(sb.bytes, "a b+c+d\xc3\xa9%");
	for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++)
		assert_false(rv_strbuf_form_decode(&sb, broken[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_growing),
		cmocka_unit_test(test_holds_nuls),
		cmocka_unit_test(test_take),
		cmocka_unit_test(test_long_printf),
		cmocka_unit_test(test_ceiling),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_base64),
		cmocka_unit_test(test_form_decode),
		cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_slices),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

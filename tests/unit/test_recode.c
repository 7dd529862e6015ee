/* Texts of other encodings: what they are in UTF-8, in pieces of any size, and what is no text in them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/error.h"
#include "base/memory.h"
#include "format/recode.h"

#define CASE(encoding_, text_, want_, bad_at_) { encoding_, text_, sizeof(text_) - 1, want_, bad_at_ }
static const struct {
	enum rv_encoding encoding;
	const char *text;
	size_t len;
	const char *want;
	size_t bad_at; /* SIZE_MAX: nowhere */
} cases[] = {
	CASE(RV_ENCODING_UTF8, "\xc3\xa4", "\xc3\xa4", SIZE_MAX),
	CASE(RV_ENCODING_LATIN1, "a\xe4\x80", "a\xc3\xa4\xc2\x80", SIZE_MAX),
	CASE(RV_ENCODING_WINDOWS1252, "\x80\xa0\xff", "\xe2\x82\xac\xc2\xa0\xc3\xbf", SIZE_MAX),
	CASE(RV_ENCODING_WINDOWS1252, "a\x81", "a", 1),
	CASE(RV_ENCODING_WINDOWS1252, "a\0", "a", SIZE_MAX), /* a NUL is one in UTF-8 too */
	/* with a mark, which is none in front of a text that goes on otherwise */
	CASE(RV_ENCODING_UTF16, "\xff\xfe" "a\0", "a", SIZE_MAX),
	CASE(RV_ENCODING_UTF16, "\xfe\xff\0a", "a", SIZE_MAX),
	CASE(RV_ENCODING_UTF16, "\0a", "a", SIZE_MAX),
	CASE(RV_ENCODING_UTF16, "\xff\0", "\xef\xbc\x80", SIZE_MAX),
	CASE(RV_ENCODING_UTF16, "\xfe\0", "\xef\xb8\x80", SIZE_MAX),
	CASE(RV_ENCODING_UTF16LE, "\xff\xfe" "a\0", "a", SIZE_MAX),
	CASE(RV_ENCODING_UTF16LE, "\xfe\xff", "", 0),
	CASE(RV_ENCODING_UTF16BE, "\xff\xfe", "", 0),
	/* pairs, halves of them, and half a unit */
	CASE(RV_ENCODING_UTF16BE, "\xd8\x3d\xde\0", "\xf0\x9f\x98\x80", SIZE_MAX),
	CASE(RV_ENCODING_UTF16BE, "\0a\xde\0", "a", 2),
	CASE(RV_ENCODING_UTF16BE, "\0a\xd8\x3d\0a", "a", 2),
	CASE(RV_ENCODING_UTF16BE, "\0a\xd8\x3d\xe0\0", "a", 2),
	CASE(RV_ENCODING_UTF16BE, "\0a\xd8\x3d", "a", 2),
	CASE(RV_ENCODING_UTF16BE, "\0a\0", "a", 2),
};

static void test_pieces(void **state RV_UNUSED)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		/* UTF-16's mark is looked for once two bytes are there */
		for (size_t piece = 1; piece <= cases[i].len; piece++) {
			RV_CLEANUP(rv_strbuf_release) struct rv_strbuf out = RV_STRBUF_INIT;
			struct rv_recode recode = { .encoding = cases[i].encoding };
			size_t at = 0, end = 0;
			bool bad = false;

			while (at < cases[i].len && !bad) {
				bool final = (end = end + piece < cases[i].len ? end + piece
									       : cases[i].len) == cases[i].len;

				at += rv_recode(&recode, cases[i].text + at, end - at, final, &out, &bad);
				assert_true(bad || !final || at == cases[i].len);
			}
			assert_int_equal(recode.taken, at);
			assert_int_equal(bad, cases[i].bad_at != SIZE_MAX);
			if (bad)
				assert_int_equal(at, cases[i].bad_at);
			assert_string_equal(out.bytes, cases[i].want);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces),
	};
	return cmocka_run_group_tests_name("recode", tests, NULL, NULL);
}

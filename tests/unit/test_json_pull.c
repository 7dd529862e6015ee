/* JSON in chunks: whatever the chunks are, the same is read and the same is refused. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/memory.h"
#include "format/json_pull.h"

static struct rv_error err;

struct chunks {
	const char *p;
	size_t left, size;
	bool fails;
	char *last;            /* of its own size, so that a read past its end is seen */
};

static enum rv_status more(void *arg, struct rv_str *ret, struct rv_error *e)
{
	struct chunks *chunks = arg;
	size_t len = chunks->left < chunks->size ? chunks->left : chunks->size;

	if (len == 0 && chunks->fails)
		return rv_fail(e, RV_LOCAL_IO, "gone");
	free(chunks->last);
	chunks->last = malloc(len ? len : 1);
	memcpy(chunks->last, chunks->p, len);
	*ret = (struct rv_str){ chunks->last, len };
	chunks->p += len;
	chunks->left -= len;
	return RV_OK;
}

static struct rv_json_pull open_pull(struct chunks *chunks, const char *text, size_t size)
{
	*chunks = (struct chunks){ .p = text, .left = strlen(text), .size = size };
	err = (struct rv_error)RV_ERROR_INIT;
	return (struct rv_json_pull){ .more = more, .arg = chunks, .what = "it" };
}

static void reads_string(const char *text, const char *want, size_t want_len)
{
	for (size_t size = 1; size <= strlen(text); size++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf out = RV_STRBUF_INIT;
		struct chunks chunks;
		struct rv_json_pull pull = open_pull(&chunks, text, size);

		if (rv_json_pull_string(&pull, &out, &err) != RV_OK || rv_json_pull_end(&pull, &err) != RV_OK)
			fail_msg("%s: %s", text, err.message);
		assert_int_equal(out.len, want_len);
		assert_memory_equal(out.bytes, want, want_len);
		free(chunks.last);
	}
}

static void refuses_string(const char *text, const char *message)
{
	for (size_t size = 1; size <= strlen(text) + 1; size++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf out = RV_STRBUF_INIT;
		struct chunks chunks;
		struct rv_json_pull pull = open_pull(&chunks, text, size);

		assert_int_equal(rv_json_pull_string(&pull, &out, &err), RV_BAD_DATA);
		if (!strstr(err.message, message))
			fail_msg("%s in chunks of %zu: %s", text, size, err.message);
		free(chunks.last);
	}
}

static void test_strings(void **state RV_UNUSED)
{
	reads_string("  \"plain\"  ", "plain", 5);
	reads_string("\"\"", "", 0);
	reads_string("\r\t\n\"\\ue000\"", "\xee\x80\x80", 3);
	reads_string("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", 8);
	reads_string("\"\\u0000\\u00fc\\u20aC\\ud83d\\ude00\"", "\0\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80", 10);
	/* halves of pairs, wherever they stand */
	reads_string("\"\\ud83d\"", "\xef\xbf\xbd", 3);
	reads_string("\"\\ud83dx\\ude00\"", "\xef\xbf\xbdx\xef\xbf\xbd", 7);
	reads_string("\"\\ud83d\\ud83d\\ude00\"", "\xef\xbf\xbd\xf0\x9f\x98\x80", 7);
	reads_string("\"\\ud83d\\n\"", "\xef\xbf\xbd\n", 4);
	refuses_string("", "ends too early");
	refuses_string("\"a", "ends in a text");
	refuses_string("\"a\\", "escape");
	refuses_string("\"\\x\"", "escape that JSON does not have");
	refuses_string("\"\\u12g4\"", "broken \\u escape");
	refuses_string("\"\\u12", "broken \\u escape");
	refuses_string("\"a\nb\"", "control character");
	refuses_string("\"\xc3(\"", "not UTF-8");
	refuses_string("[]", "'\"' is expected");
}

static void reads_value(const char *text, const char *want)
{
	for (size_t size = 1; size <= strlen(text); size++) {
		for (int skips = 0; skips < 2; skips++) {
			RV_CLEANUP(rv_strbuf_release) struct rv_strbuf out = RV_STRBUF_INIT;
			struct chunks chunks;
			struct rv_json_pull pull = open_pull(&chunks, text, size);

			if (rv_json_pull_value(&pull, skips ? NULL : &out, &err) != RV_OK)
				fail_msg("%s: %s", text, err.message);
			assert_string_equal(out.bytes, skips ? "" : want);
			assert_int_equal(rv_json_pull_take(&pull, ';', &err), RV_OK);
			free(chunks.last);
		}
	}
}

static void test_values(void **state RV_UNUSED)
{
	static const char *const wrong[] = { "", "]", "[", "[}", "{\"a\":[1}", ",", ":", "\"a", "[\"\\\"]", "%", "{1:2" };
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf deep = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf small = RV_STRBUF_INIT;
	struct chunks chunks;

	reads_value(" 1.5e-3 ;", "1.5e-3");
	reads_value("null;", "null");
	reads_value("[ 1E+3 , NaN ];", "[1E+3,NaN]");
	reads_value("{ \"a\" : [ 1, {} , \"]\\\"}\" ] } ;", "{\"a\":[1,{},\"]\\\"}\"]}");
	reads_value("\"\\\\\";", "\"\\\\\"");
	/* two values without a comma stay two, for whoever parses them */
	reads_value("[ 1 2\n] ;", "[1 2]");
	reads_value("{\"a\":tr\tue};", "{\"a\":tr ue}");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		struct rv_json_pull pull = open_pull(&chunks, wrong[i], 1);

		if (rv_json_pull_value(&pull, NULL, &err) != RV_BAD_DATA)
			fail_msg("'%s' is taken", wrong[i]);
		free(chunks.last);
	}
	for (int i = 0; i < 1000; i++)
		rv_strbuf_putc(&deep, '[');
	struct rv_json_pull pull = open_pull(&chunks, deep.bytes, 7);
	assert_int_equal(rv_json_pull_value(&pull, NULL, &err), RV_BAD_DATA);
	assert_non_null(strstr(err.message, "nested too deep"));
	free(chunks.last);
	rv_strbuf_limit(&small, 4);
	pull = open_pull(&chunks, "\"12345\"", 3);
	assert_int_equal(rv_json_pull_value(&pull, &small, &err), RV_BAD_DATA);
	assert_non_null(strstr(err.message, "too large"));
	free(chunks.last);
	rv_strbuf_clear(&small);
	pull = open_pull(&chunks, "\"12345\"", 3);
	assert_int_equal(rv_json_pull_string(&pull, &small, &err), RV_BAD_DATA);
	assert_non_null(strstr(err.message, "too large"));
	free(chunks.last);
}

/* A text of exactly the limit is read and one byte more is refused, whatever the chunks are, and whatever
 * the last character is. */
static void test_limit_of_a_text(void **state RV_UNUSED)
{
	static const struct {
		const char *text;
		size_t len;
	} cases[] = { { "\"abcdef\"", 6 }, { "\"abc\\ud83d\"", 6 }, { "\"abcde\\n\"", 6 },
		      { "\"ab\\ud83d\\ude00\"", 6 }, { "\"abc\xe2\x82\xac\"", 6 } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		for (size_t limit = 1; limit <= cases[i].len; limit++)
			for (size_t size = 1; size <= strlen(cases[i].text); size++) {
				RV_CLEANUP(rv_strbuf_release) struct rv_strbuf out = RV_STRBUF_INIT;
				struct chunks chunks;
				struct rv_json_pull pull = open_pull(&chunks, cases[i].text, size);

				rv_strbuf_limit(&out, limit);
				enum rv_status status = rv_json_pull_string(&pull, &out, &err);

				assert_int_equal(status, limit < cases[i].len ? RV_BAD_DATA : RV_OK);
				if (status == RV_OK)
					assert_int_equal(out.len, cases[i].len);
				else
					assert_non_null(strstr(err.message, "a text is too large"));
				free(chunks.last);
			}
}

static void test_steps(void **state RV_UNUSED)
{
	static const char text[] = "{\"a\":[1,2],\"b\":{}} x";
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf key = RV_STRBUF_INIT;
	struct chunks chunks;
	struct rv_json_pull pull = open_pull(&chunks, text, 3);
	bool first = true, there, first_element = true;
	int c = 0;

	assert_int_equal(rv_json_pull_take(&pull, '{', &err), RV_OK);
	assert_int_equal(rv_json_pull_next(&pull, '}', &first, &key, &there, &err), RV_OK);
	assert_true(there);
	assert_string_equal(key.bytes, "a");
	assert_int_equal(rv_json_pull_take(&pull, '[', &err), RV_OK);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(rv_json_pull_next(&pull, ']', &first_element, NULL, &there, &err), RV_OK);
		assert_true(there);
		assert_int_equal(rv_json_pull_value(&pull, NULL, &err), RV_OK);
	}
	assert_int_equal(rv_json_pull_next(&pull, ']', &first_element, NULL, &there, &err), RV_OK);
	assert_false(there);
	assert_int_equal(rv_json_pull_next(&pull, '}', &first, &key, &there, &err), RV_OK);
	assert_string_equal(key.bytes, "b");
	assert_int_equal(rv_json_pull_value(&pull, NULL, &err), RV_OK);
	assert_int_equal(rv_json_pull_next(&pull, '}', &first, &key, &there, &err), RV_OK);
	assert_false(there);
	assert_int_equal(rv_json_pull_peek(&pull, &c, &err), RV_OK);
	assert_int_equal(c, 'x');
	assert_int_equal(rv_json_pull_end(&pull, &err), RV_BAD_DATA);
	assert_string_equal(err.message, "it is not what it should be at byte 20: something follows its end");
	free(chunks.last);
	/* between members there must be a comma, after a key a colon */
	pull = open_pull(&chunks, "{\"a\" 1}", 2);
	first = true;
	assert_int_equal(rv_json_pull_take(&pull, '{', &err), RV_OK);
	assert_int_equal(rv_json_pull_next(&pull, '}', &first, &key, &there, &err), RV_BAD_DATA);
	free(chunks.last);
	pull = open_pull(&chunks, "1 2]", 2);
	first_element = true;
	assert_int_equal(rv_json_pull_next(&pull, ']', &first_element, NULL, &there, &err), RV_OK);
	assert_int_equal(rv_json_pull_value(&pull, NULL, &err), RV_OK);
	assert_int_equal(rv_json_pull_next(&pull, ']', &first_element, NULL, &there, &err), RV_BAD_DATA);
	assert_non_null(strstr(err.message, "',' is expected"));
	free(chunks.last);
}

static void test_the_source_fails(void **state RV_UNUSED)
{
	static const char *const texts[] = { "", "\"a", "\"\\", "[1,", "12", "\"\\u00" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf out = RV_STRBUF_INIT;
		struct chunks chunks;
		struct rv_json_pull pull = open_pull(&chunks, texts[i], 1);

		chunks.fails = true;
		enum rv_status status = texts[i][0] == '"' ? rv_json_pull_string(&pull, &out, &err)
							   : rv_json_pull_value(&pull, &out, &err);
		assert_int_equal(status, RV_LOCAL_IO);
		assert_string_equal(err.message, "gone");
		free(chunks.last);
	}
	/* in front of each step, and within a text that is taken as it stands */
	for (int i = 0; i < 4; i++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf out = RV_STRBUF_INIT;
		struct chunks chunks;
		struct rv_json_pull pull = open_pull(&chunks, i < 3 ? "" : "\"a", 1);
		bool first = true, there;

		chunks.fails = true;
		assert_int_equal(i == 0   ? rv_json_pull_take(&pull, '{', &err)
				 : i == 1 ? rv_json_pull_next(&pull, '}', &first, &out, &there, &err)
				 : i == 2 ? rv_json_pull_end(&pull, &err)
					  : rv_json_pull_value(&pull, &out, &err),
				 RV_LOCAL_IO);
		free(chunks.last);
	}
	/* in the key of a member */
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf key = RV_STRBUF_INIT;
	struct chunks chunks;
	struct rv_json_pull cut = open_pull(&chunks, "\"a", 1);
	bool first = true, there;

	chunks.fails = true;
	assert_int_equal(rv_json_pull_next(&cut, '}', &first, &key, &there, &err), RV_LOCAL_IO);
	free(chunks.last);
	/* all there is, without a source */
	struct rv_json_pull whole = { .what = "it", .left = RV_STR("[1]") };
	assert_int_equal(rv_json_pull_value(&whole, NULL, &err), RV_OK);
	assert_int_equal(rv_json_pull_end(&whole, &err), RV_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_limit_of_a_text),
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_the_source_fails),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Cutting values out of JSON: the iterator, decoding of strings, paths. Generated objects are cut
 * with jansson too, member by member.
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
#include "format/json_path.h"

static void expect(const struct rv_json_value *value, enum rv_json_type type, const char *text)
{
	assert_int_equal(value->type, type);
	if (type == RV_JSON_ABSENT) {
		assert_null(value->p);
		return;
	}
	assert_int_equal(value->len, strlen(text));
	assert_memory_equal(value->p, text, value->len);
}

static void test_iter_object(void **state)
{
	static const char text[] = " {\"a\":1, \"b\\\"\" : \"x\\\\\" ,\n\"c\":[1,{\"]\":2}],"
				   "\"d\":{\"e\":{}},\"f\":true,\"g\":false ,\"h\":null,\"\":-1.5e+3}{\"z\":1}";
	static const struct {
		const char *key;
		bool key_escaped;
		enum rv_json_type type;
		const char *text;
		bool escaped;
	} want[] = {
		{ "a", false, RV_JSON_NUMBER_VALUE, "1", false },
		{ "b\\\"", true, RV_JSON_STRING, "\"x\\\\\"", true },
		{ "c", false, RV_JSON_ARRAY, "[1,{\"]\":2}]", false },
		{ "d", false, RV_JSON_OBJECT, "{\"e\":{}}", false },
		{ "f", false, RV_JSON_TRUE, "true", false },
		{ "g", false, RV_JSON_FALSE, "false", false },
		{ "h", false, RV_JSON_NULL, "null", false },
		{ "", false, RV_JSON_NUMBER_VALUE, "-1.5e+3", false },
	};
	struct rv_json_iter it;
	struct rv_json_key key;
	struct rv_json_value value;

	(void)state;
	rv_json_iter_init(&it, text, sizeof(text) - 1);
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		assert_true(rv_json_iter_next(&it, &key, &value));
		assert_int_equal(key.len, strlen(want[i].key));
		assert_memory_equal(key.p, want[i].key, key.len);
		assert_int_equal(key.escaped, want[i].key_escaped);
		expect(&value, want[i].type, want[i].text);
		assert_int_equal(value.escaped, want[i].escaped);
	}
	assert_false(rv_json_iter_next(&it, &key, &value));
	assert_false(rv_json_iter_next(&it, &key, &value));
	rv_json_iter_init(&it, text, sizeof(text) - 1);
	assert_true(rv_json_iter_next(&it, NULL, NULL));
	assert_true(rv_json_iter_next(&it, NULL, &value));
	expect(&value, RV_JSON_STRING, "\"x\\\\\"");
}

static void test_iter_array(void **state)
{
	static const char text[] = "[ 1 ,[],\"a,b\", {\"k\":[2]} ]";
	struct rv_json_iter it;
	struct rv_json_value value;

	(void)state;
	rv_json_iter_init(&it, text, sizeof(text) - 1);
	assert_true(rv_json_iter_next(&it, NULL, &value));
	expect(&value, RV_JSON_NUMBER_VALUE, "1");
	assert_true(rv_json_iter_next(&it, NULL, &value));
	expect(&value, RV_JSON_ARRAY, "[]");
	assert_true(rv_json_iter_next(&it, NULL, &value));
	expect(&value, RV_JSON_STRING, "\"a,b\"");
	assert_true(rv_json_iter_next(&it, NULL, &value));
	expect(&value, RV_JSON_OBJECT, "{\"k\":[2]}");
	assert_false(rv_json_iter_next(&it, NULL, &value));
	rv_json_iter_init(&it, "{ }", 3);
	assert_false(rv_json_iter_next(&it, NULL, &value));
	rv_json_iter_init(&it, "[]", 2);
	assert_false(rv_json_iter_next(&it, NULL, &value));
	rv_json_iter_init(&it, "17", 2);
	assert_false(rv_json_iter_next(&it, NULL, &value));
	rv_json_iter_init(&it, "", 0);
	assert_false(rv_json_iter_next(&it, NULL, &value));
}

/* Text that is not valid, cut anywhere, ends too, and every slice stays inside. */
static void test_iter_is_bounded(void **state)
{
	static const char text[] = "{\"a\":\"b\\\\c\",\"d\":[1,{\"e\":\"\\\"\"}],\"f\":true,,:}]\"\\";

	(void)state;
	for (size_t len = 0; len < sizeof(text); len++) {
		for (int c = 0; c < 256; c++) {
			char *copy = malloc(len + 1);
			struct rv_json_iter it;
			struct rv_json_key key;
			struct rv_json_value value;
			size_t steps = 0;

			assert_non_null(copy);
			memcpy(copy, text, len);
			copy[len] = (char)c;
			rv_json_iter_init(&it, copy, len + 1);
			while (rv_json_iter_next(&it, &key, &value)) {
				assert_true(key.p >= copy && key.p + key.len <= copy + len + 1);
				assert_true(value.p >= copy);
				assert_true(value.p + value.len <= copy + len + 1);
				assert_true(++steps <= len);
			}
			free(copy);
		}
	}
}

static void test_unescape(void **state)
{
	static const struct {
		const char *in, *out;
		size_t len;
	} want[] = {
		{ "", "", 0 },
		{ "plain", "plain", 5 },
		{ "\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\b\f\n\r\t", 8 },
		{ "a\\u0041\\u00e9\\u00E9\\u6771z", "aA\xc3\xa9\xc3\xa9\xe6\x9d\xb1z", 10 },
		{ "\\ud83d\\ude00!", "\xf0\x9f\x98\x80!", 5 },
		{ "\\uDBFF\\uDFFF\\ud800\\udc00", "\xf4\x8f\xbf\xbf\xf0\x90\x80\x80", 8 },
		{ "x\\u0000y", "x\0y", 3 },
		{ "\\u007f\\u0080\\u07ff\\u0800\\uffff",
		  "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf", 11 },
		{ "\\\\u0041", "\\u0041", 6 },
		/* no JSON: ends where it ends */
		{ "a\\", "a", 1 },
		{ "a\\u12", "a", 1 },
		{ "a\\ud83d\\ude", "a\xed\xa0\xbd", 4 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		size_t len = strlen(want[i].in);
		char *out = malloc(len + 1);

		assert_non_null(out);
		assert_int_equal(rv_json_unescape(want[i].in, len, out), want[i].len);
		assert_memory_equal(out, want[i].out, want[i].len);
		/* In place. */
		memcpy(out, want[i].in, len);
		assert_int_equal(rv_json_unescape(out, len, out), want[i].len);
		assert_memory_equal(out, want[i].out, want[i].len);
		free(out);
	}
}

static void cut(const char *const *paths, size_t n, const char *text, struct rv_json_value *values)
{
	RV_CLEANUP(rv_json_paths_freep) struct rv_json_paths *set = NULL;
	struct rv_error err = RV_ERROR_INIT;

	assert_int_equal(rv_json_paths_new(paths, n, &set, &err), RV_OK);
	rv_json_paths_extract(set, text, strlen(text), values);
}

static void test_paths(void **state)
{
	static const char *const paths[] = {
		"id", "payload.price", "payload", "payload.tags.1", "/payload/tags/0", "/a.b",
		"/x~1y/~0", "payload.missing", "id.deeper", "/", "0", "payload.price", "list.2.k",
		"list.01", "/na\xc3\xafve",
	};
	static const char text[] =
		"{\"skip\":{\"id\":0,\"payload\":[{\"price\":1}]},\"id\":\"7\", \"payload\" : { \"price\" "
		": 12.50 , \"tags\":[\"s\\n\", null ] , \"other\":\"}\"},\"a.b\":true,\"x/y\":{\"~\":[]},"
		"\"\":-0,\"0\":0,\"list\":[1,2,{\"k\":\"v\"},3],\"na\\u00efve\":false}";
	struct rv_json_value values[15];

	(void)state;
	cut(paths, 15, text, values);
	expect(&values[0], RV_JSON_STRING, "\"7\"");
	expect(&values[1], RV_JSON_NUMBER_VALUE, "12.50");
	expect(&values[2], RV_JSON_OBJECT,
	       "{ \"price\" : 12.50 , \"tags\":[\"s\\n\", null ] , \"other\":\"}\"}");
	expect(&values[3], RV_JSON_NULL, "null");
	expect(&values[4], RV_JSON_STRING, "\"s\\n\"");
	assert_true(values[4].escaped);
	expect(&values[5], RV_JSON_TRUE, "true");
	expect(&values[6], RV_JSON_ARRAY, "[]");
	expect(&values[7], RV_JSON_ABSENT, NULL);
	expect(&values[8], RV_JSON_ABSENT, NULL);
	expect(&values[9], RV_JSON_NUMBER_VALUE, "-0");
	expect(&values[10], RV_JSON_NUMBER_VALUE, "0");
	expect(&values[11], RV_JSON_NUMBER_VALUE, "12.50");
	expect(&values[12], RV_JSON_STRING, "\"v\"");
	expect(&values[13], RV_JSON_ABSENT, NULL);
	expect(&values[14], RV_JSON_FALSE, "false");
}

static void test_last_duplicate_wins(void **state)
{
	static const char *const paths[] = { "a.b", "a", "a.c", "d" };
	struct rv_json_value values[4];

	(void)state;
	cut(paths, 4, "{\"a\":{\"b\":1,\"c\":2},\"d\":1,\"a\":{\"c\":3},\"\\u0064\":2}", values);
	expect(&values[0], RV_JSON_ABSENT, NULL);
	expect(&values[1], RV_JSON_OBJECT, "{\"c\":3}");
	expect(&values[2], RV_JSON_NUMBER_VALUE, "3");
	expect(&values[3], RV_JSON_NUMBER_VALUE, "2");
	cut(paths, 4, "{\"a\":{\"b\":1,\"b\":2},\"a\":null}", values);
	expect(&values[0], RV_JSON_ABSENT, NULL);
	expect(&values[1], RV_JSON_NULL, "null");
	cut(paths, 4, "{\"a\":[],\"a\":{\"b\":1,\"b\":{\"b\":9}}}", values);
	expect(&values[0], RV_JSON_OBJECT, "{\"b\":9}");
	cut(paths, 4, "{}", values);
	for (int i = 0; i < 4; i++)
		expect(&values[i], RV_JSON_ABSENT, NULL);
}

static void test_long_escaped_key(void **state)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf name = RV_STRBUF_INIT;
	struct rv_json_value value;

	(void)state;
	rv_strbuf_puts(&text, "{\"");
	for (int i = 0; i < 300; i++) {
		rv_strbuf_puts(&text, i % 2 ? "k" : "\\u006b");
		rv_strbuf_puts(&name, "k");
	}
	rv_strbuf_puts(&text, "\":5}");
	cut((const char *const[]){ name.bytes }, 1, text.bytes, &value);
	expect(&value, RV_JSON_NUMBER_VALUE, "5");
	cut((const char *const[]){ "a" }, 1, "{\"\\u0062\":1,\"a\":2}", &value);
	expect(&value, RV_JSON_NUMBER_VALUE, "2");
	/* keys that are no indexes, and text that ends before its brackets */
	cut((const char *const[]){ "a.+1" }, 1, "{\"a\":[1,2],\"a\":{\"+1\":3}}", &value);
	expect(&value, RV_JSON_NUMBER_VALUE, "3");
	cut((const char *const[]){ "a.b" }, 1, "{\"a\":{\"b\":4", &value);
	expect(&value, RV_JSON_NUMBER_VALUE, "4");
	/* many columns of one path */
	const char *same[20];
	struct rv_json_value values[20];

	for (int i = 0; i < 20; i++)
		same[i] = "a";
	cut(same, 20, "{\"a\":6}", values);
	for (int i = 0; i < 20; i++)
		expect(&values[i], RV_JSON_NUMBER_VALUE, "6");
}

static void test_bad_paths(void **state)
{
	static const char *const bad[] = { "", ".", "a.", ".a", "a..b", "/a~", "/a~2", "/~/b" };
	char *deep = malloc(4000);

	(void)state;
	assert_non_null(deep);
	for (int i = 0; i < 3999; i++)
		deep[i] = i % 2 ? '.' : 'a';
	deep[3999] = 0;
	for (size_t i = 0; i <= sizeof(bad) / sizeof(bad[0]); i++) {
		const char *path = i < sizeof(bad) / sizeof(bad[0]) ? bad[i] : deep;
		struct rv_error err = RV_ERROR_INIT;
		struct rv_json_paths *set = NULL;
		enum rv_status status = rv_json_paths_new(&path, 1, &set, &err);

		assert_int_equal(status, RV_USAGE);
		assert_null(set);
		assert_true(err.message[0] != 0);
	}
	free(deep);
	rv_json_paths_free(NULL);
}

/* ---- against jansson --------------------------------------------------------- */

static uint64_t seed = 88172645463325252u;

static unsigned pick(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)((seed >> 20) % n);
}

static void random_value(struct rv_strbuf *sb, unsigned level)
{
	static const char *const leaves[] = { "1", "-2.5", "true", "false", "null", "\"\"", "\"x\"",
					      "\"\\\"]}\"", "\"a long enough string, of words\"" };
	static const char *const keys[] = { "a", "b", "c", "\\u0061", "0", "1", "other" };
	unsigned kind = pick(level > 4 ? 1 : 3);

	if (kind == 0 && level > 0) {
		rv_strbuf_puts(sb, leaves[pick(9)]);
		return;
	}
	rv_strbuf_putc(sb, kind == 2 && level > 0 ? '[' : '{');
	for (unsigned n = pick(5); n; n--) {
		if (kind != 2 || level == 0)
			rv_strbuf_printf(sb, "\"%s\"%s:", keys[pick(7)], pick(5) ? "" : " ");
		random_value(sb, level + 1);
		rv_strbuf_puts(sb, n > 1 ? pick(5) ? "," : " ,\n" : "");
	}
	rv_strbuf_putc(sb, kind == 2 && level > 0 ? ']' : '}');
}

static const json_t *step(const json_t *at, const char *name)
{
	if (json_is_array(at))
		return name[0] >= '0' && name[0] <= '9' ? json_array_get(at, (size_t)(name[0] - '0')) :
							  NULL;
	return json_object_get(at, name);
}

static void test_against_jansson(void **state)
{
	static const char *const names[] = { "a", "b", "0", "1" };
	RV_CLEANUP(rv_json_paths_freep) struct rv_json_paths *set = NULL;
	const char *paths[4 + 16 + 64];
	struct rv_json_value values[84];
	struct rv_error err = RV_ERROR_INIT;
	size_t n = 0, found = 0;

	(void)state;
	for (int i = 0; i < 4; i++) {
		paths[n++] = rv_strdup(names[i]);
		for (int j = 0; j < 4; j++) {
			paths[n++] = rv_asprintf("%s.%s", names[i], names[j]);
			for (int k = 0; k < 4; k++)
				paths[n++] = rv_asprintf("/%s/%s/%s", names[i], names[j], names[k]);
		}
	}
	assert_int_equal(rv_json_paths_new(paths, n, &set, &err), RV_OK);
	for (int round = 0; round < 20000; round++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sb = RV_STRBUF_INIT;
		json_t *tree;

		random_value(&sb, 0);
		tree = json_loadb(sb.bytes, sb.len, 0, NULL);
		assert_non_null(tree);
		rv_json_paths_extract(set, sb.bytes, sb.len, values);
		for (size_t i = 0; i < n; i++) {
			const json_t *want = tree;
			json_t *got;

			for (const char *p = paths[i]; *p && want; p++)
				if (*p != '/' && *p != '.')
					want = step(want, (char[]){ *p, 0 });
			assert_int_equal(values[i].type == RV_JSON_ABSENT, want == NULL);
			if (!want)
				continue;
			got = json_loadb(values[i].p, values[i].len, JSON_DECODE_ANY, NULL);
			assert_non_null(got);
			assert_true(json_equal(got, want));
			json_decref(got);
			found++;
		}
		json_decref(tree);
	}
	assert_true(found > 20000);
	for (size_t i = 0; i < n; i++) {
		char *path = (char *)(uintptr_t)paths[i];

		free(path);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_iter_object),
		cmocka_unit_test(test_iter_array),
		cmocka_unit_test(test_iter_is_bounded),
		cmocka_unit_test(test_unescape),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_last_duplicate_wins),
		cmocka_unit_test(test_long_escaped_key),
		cmocka_unit_test(test_bad_paths),
		cmocka_unit_test(test_against_jansson),
	};

	return cmocka_run_group_tests_name("json_path", tests, NULL, NULL);
}

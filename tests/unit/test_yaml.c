/* YAML trees, places, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/strbuf.h"
#include "format/yaml.h"

static struct rv_yaml_documents parsed(const char *text)
{
	struct rv_yaml_documents docs = { 0 };
	struct rv_error err = RV_ERROR_INIT;
	if (rv_yaml_parse("f.yaml", text, strlen(text), &docs, &err) != RV_OK)
		fail_msg("%s:%d:%d: %s", err.file, (int)err.line, (int)err.column, err.message);
	return docs;
}

static void refused_bytes(const char *text, size_t len, unsigned line, unsigned column,
			  const char *says)
{
	struct rv_yaml_documents docs = { 0 };
	struct rv_error err = RV_ERROR_INIT;
	assert_int_equal(rv_yaml_parse("f.yaml", text, len, &docs, &err), RV_BAD_CONFIG);
	if (!strstr(err.message, says) || err.line != line || err.column != column)
		fail_msg("wanted %u:%u %s, got %d:%d %s", line, column, says, (int)err.line,
			 (int)err.column, err.message);
	assert_string_equal(err.file, "f.yaml");
	if (strstr(says, "alias"))
		assert_non_null(strstr(err.hint, "in quotes"));
	assert_null(docs.roots); /* untouched */
}

static void refused(const char *text, unsigned line, unsigned column, const char *says)
{
	refused_bytes(text, strlen(text), line, column, says);
}

static void repeated(const char *before, const char *part, size_t times, const char *after,
		     unsigned line, unsigned column, const char *says)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sb = RV_STRBUF_INIT;
	rv_strbuf_puts(&sb, before);
	for (size_t i = 0; i < times; i++)
		rv_strbuf_puts(&sb, part);
	rv_strbuf_puts(&sb, after);
	refused_bytes(sb.bytes, sb.len, line, column, says);
}

static void test_tree(void **state RV_UNUSED)
{
	struct rv_yaml_documents d = parsed("# note\n"
					    "a: 1\n"
					    "b: { c: 'x', d: [p, \"q\", ~] }\n"
					    "e:\n"
					    "f: |\n"
					    "  two\n"
					    "  lines\n");
	assert_int_equal(d.count, 1);
	assert_string_equal(d.file, "f.yaml");
	const struct rv_yaml_node *root = d.roots[0];
	assert_int_equal(root->kind, RV_YAML_MAPPING);
	assert_int_equal(root->count, 4);
	const struct rv_yaml_node *a = rv_yaml_get(root, "a");
	assert_string_equal(a->text, "1");
	assert_false(a->quoted);
	assert_int_equal(a->line, 2);
	assert_int_equal(a->column, 4);
	assert_int_equal(root->keys[1]->line, 3);
	assert_int_equal(root->keys[1]->column, 1);
	const struct rv_yaml_node *list = rv_yaml_get(rv_yaml_get(root, "b"), "d");
	assert_int_equal(list->kind, RV_YAML_SEQUENCE);
	assert_int_equal(list->count, 3);
	assert_null(list->keys);
	assert_true(list->items[1]->quoted);
	assert_true(rv_yaml_is_null(list->items[2]));
	assert_true(rv_yaml_get(rv_yaml_get(root, "b"), "c")->quoted);
	assert_true(rv_yaml_is_null(rv_yaml_get(root, "e")));
	assert_string_equal(rv_yaml_get(root, "f")->text, "two\nlines\n");
	assert_true(rv_yaml_get(root, "f")->quoted);
	assert_null(rv_yaml_get(root, "zz"));
	assert_null(rv_yaml_get(a, "a"));
	assert_null(rv_yaml_get(NULL, "a"));
	assert_false(rv_yaml_is_null(root));
	rv_yaml_release(&d);
	assert_null(d.roots);
}

static void test_quoted_null(void **state RV_UNUSED)
{
	struct rv_yaml_documents d = parsed("['', 'null', \"~\", null, nulls]");
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(rv_yaml_is_null(d.roots[0]->items[i]), i == 3);
	rv_yaml_release(&d);
}

static void test_documents(void **state RV_UNUSED)
{
	struct rv_yaml_documents d = parsed("");
	assert_int_equal(d.count, 0);
	rv_yaml_release(&d);
	d = parsed("# only a comment\n");
	assert_int_equal(d.count, 0);
	rv_yaml_release(&d);
	d = parsed("a: 1\n---\nb: 2\n---\n- c\n");
	assert_int_equal(d.count, 3);
	assert_int_equal(d.roots[1]->line, 3);
	rv_yaml_release(&d);
	d = parsed("\xEF\xBB\xBF" "a: 1\n");
	assert_string_equal(d.roots[0]->keys[0]->text, "a");
	rv_yaml_release(&d);
	d = parsed("%YAML 1.1\n---\na: 1\r\nb: 2\r\n");
	assert_string_equal(rv_yaml_get(d.roots[0], "b")->text, "2");
	rv_yaml_release(&d);
}

static void test_refusals(void **state RV_UNUSED)
{
	refused("a: &x 1\nb: *x\n", 1, 4, "anchor");
	refused("a: &x [1]\n", 1, 4, "anchor");
	refused("a: &x {b: 1}\n", 1, 4, "anchor");
	refused("b: *x\n", 1, 4, "alias");
	refused("path: *.zip\n", 1, 8, "while scanning an alias");
	refused("a: 1\nb: !!str 1\n", 2, 4, "tag");
	refused("b: !!seq [1]\n", 1, 4, "tag");
	refused("b: !x {a: 1}\n", 1, 4, "tag");
	refused("%TAG ! tag:x,2000:\n---\na: 1\n", 1, 1, "tag directive");
	refused("# x\r\n\r%TAG ! tag:x,2000:\r---\ra: 1\r", 3, 1, "tag directive");
	refused("# x\xC2\x85%TAG ! tag:x,2000:\n---\na: 1\n", 2, 1, "tag directive");
	refused("# x\xE2\x80\xA8%TAG ! tag:x,2000:\n---\na: 1\n", 2, 1, "tag directive");
	refused("# %TAG\n#\xE2\x80\xA9%TAG ! tag:x,2000:\n---\na: 1\n", 3, 1, "tag directive");
	refused("a: 1\n<<: {b: 1}\n", 2, 1, "merge");
	refused("a: 1\nb: 2\na: 3\n", 3, 1, "the key a is there twice, first at line 1");
	refused("x: {a: 1, b: 2, \"a\": 3, b: 4}\n", 1, 17, "the key a");
	refused("[a]: 1\n", 1, 1, "key must be");
	refused("? {a: 1}\n: 1\n", 1, 3, "key must be");
	refused("a:\n\tb: 1\n", 2, 1, "cannot start any token");
	refused("a: [1, 2\nb: 3\n", 2, 2, "expected ',' or ']'");
	refused("a: 'open\n", 2, 1, "end of stream");
	refused("a: \"x\\0y\"\n", 1, 4, "NUL");
	refused_bytes("a: 1\nb: x\0y\n", 12, 2, 5, "control characters");
	refused("a: 1\nb: \xFF\n", 2, 4, "UTF-8");
	refused("\xC3\xA4\xC3\xB6: \xC3\n", 1, 6, "UTF-8");
	refused("a: \xED\xA0\x80\n", 1, 4, "Unicode");
	refused("a: \xC3", 1, 4, "incomplete UTF-8");
	refused("a: 1\na: 2\nb: 3\nb: 4\n", 2, 1, "the key a");
	refused("b: 1\nb: 2\na: 3\na: 4\n", 2, 1, "the key b");
	refused("{b: 1, b: 2, a: 3, a: 4}\n", 1, 8, "the key b");
	refused("%YAML 1.1\na: 1\n", 2, 1, "expected <document start>");
	refused("a: 1\nb: \x1B[31m\n", 2, 4, "control");
	refused_bytes("\xFF\xFE" "a\0:\0", 6, 1, 1, "UTF-8");
}

static void test_merge_key_in_quotes_is_a_key(void **state RV_UNUSED)
{
	struct rv_yaml_documents d = parsed("'<<': 1\n");
	assert_string_equal(d.roots[0]->keys[0]->text, "<<");
	rv_yaml_release(&d);
}

static void test_limits(void **state RV_UNUSED)
{
	repeated("", "{", 200000, "", 1, 2, "a key must be");
	repeated("", "[", 200000, "", 1, 33, "deep");
	repeated("", "- ", 20000, "", 1, 65, "deep");
	repeated("", "[\n", 20000, "", 33, 1, "deep");
	repeated("a: ", "{a: ", 20000, "", 1, 4 + 31 * 4, "deep");
	repeated("a: ", "x", 1000000, "\n", 1, 4, "too long");
	repeated("a: \"", "x", 1000000, "\"\n", 1, 4, "too long");
	repeated("a: 1\n", "- ", 600000, "", 0, 0, "larger than 1048576 bytes");
	repeated("", "- \n", 200000, "", RV_YAML_MAX_NODES, 2, "too many");
	repeated("", "--- \n", 200000, "", RV_YAML_MAX_NODES + 2, 1, "too many");
	repeated("", "%TAG !a! tag:x\n", 60000, "---\na\n", 1, 1, "tag directive");
	repeated("#\r", "%TAG !a! tag:x\r", 60000, "---\na\n", 2, 1, "tag directive");
	repeated("a: &a x\nb: [", "*a,", 10000, "]", 1, 4, "anchor");
}

static void test_limits_just_fit(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sb = RV_STRBUF_INIT;
	for (int i = 0; i < RV_YAML_MAX_DEPTH; i++)
		rv_strbuf_putc(&sb, '[');
	for (int i = 0; i < RV_YAML_MAX_DEPTH; i++)
		rv_strbuf_putc(&sb, ']');
	struct rv_yaml_documents d = parsed(sb.bytes);
	rv_yaml_release(&d);
	rv_strbuf_clear(&sb);
	for (int i = 0; i < RV_YAML_MAX_SCALAR_BYTES; i++)
		rv_strbuf_putc(&sb, 'x');
	d = parsed(sb.bytes);
	assert_int_equal(strlen(d.roots[0]->text), RV_YAML_MAX_SCALAR_BYTES);
	rv_yaml_release(&d);
	rv_strbuf_clear(&sb);
	for (int i = 0; i < 49999; i++) /* each key and value count, and the mapping */
		rv_strbuf_printf(&sb, "k%d: v\n", i);
	d = parsed(sb.bytes);
	assert_int_equal(d.roots[0]->count, 49999);
	rv_yaml_release(&d);
}

/* The key that is twice is found in a mapping as large as there can be. */
static void test_duplicate_among_many(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sb = RV_STRBUF_INIT;
	for (int i = 0; i < 40000; i++)
		rv_strbuf_printf(&sb, "k%d: v\n", i == 39000 ? 17 : i);
	refused_bytes(sb.bytes, sb.len, 39001, 1, "k17 is there twice, first at line 18");
}

static void test_files(void **state RV_UNUSED)
{
	char dir[] = "/tmp/river-test-yaml-XXXXXX";
	assert_non_null(mkdtemp(dir));
	struct rv_yaml_documents d = { 0 };
	struct rv_error err = RV_ERROR_INIT;
	assert_int_equal(rv_yaml_read(dir, NULL, &d, &err), RV_BAD_CONFIG);
	assert_non_null(strstr(err.message, "folder"));
	RV_CLEANUP(rv_free_p) char *path = rv_asprintf("%s/f", dir);
	assert_int_equal(rv_yaml_read(path, NULL, &d, &err), RV_NOT_FOUND);
	assert_int_equal(symlink("f", path), 0); /* of itself */
	assert_int_equal(rv_yaml_read(path, NULL, &d, &err), RV_BAD_CONFIG);
	assert_string_equal(err.file, path);
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(rv_yaml_read(path, NULL, &d, &err), RV_BAD_CONFIG);
	assert_string_equal(err.file, path);
	unlink(path);
	assert_int_equal(rv_yaml_read("/dev/zero", NULL, &d, &err), RV_BAD_CONFIG);
	FILE *f = fopen(path, "w");
	fputs("a: 1\n", f);
	fclose(f);
	struct stat st;
	RV_CLEANUP(rv_free_p) char *below = rv_asprintf("%s/f", path);
	assert_int_equal(rv_yaml_read(below, NULL, &d, &err), RV_NOT_FOUND);
	assert_int_equal(rv_yaml_read(path, &st, &d, &err), RV_OK);
	assert_int_equal(st.st_size, 5);
	assert_string_equal(d.file, path);
	rv_yaml_release(&d);
	assert_int_equal(truncate(path, 1 << 30), 0);
	assert_int_equal(rv_yaml_read(path, NULL, &d, &err), RV_BAD_CONFIG);
	assert_non_null(strstr(err.message, "larger"));
	unlink(path);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tree),
		cmocka_unit_test(test_quoted_null),
		cmocka_unit_test(test_documents),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_merge_key_in_quotes_is_a_key),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_limits_just_fit),
		cmocka_unit_test(test_duplicate_among_many),
		cmocka_unit_test(test_files),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The TOML of other programs' configuration: what is read, and with which line the rest is refused. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/memory.h"
#include "base/strbuf.h"
#include "format/toml.h"

static struct rv_error err;

/* One line for each value: "a.b = text", with its type in front. */
static void show(struct rv_strbuf *out, const struct rv_toml *node, const char *path)
{
	static const char types[] = "tasifbd";

	if (node->type != RV_TOML_TABLE && node->type != RV_TOML_ARRAY) {
		rv_strbuf_printf(out, "%c %s = %s\n", types[node->type], path, node->text);
		return;
	}
	if (node->count == 0)
		rv_strbuf_printf(out, "%c %s\n", types[node->type], path);
	for (size_t i = 0; i < node->count; i++) {
		RV_CLEANUP(rv_free_p) char *below =
			node->type == RV_TOML_ARRAY ? rv_asprintf("%s[%zu]", path, i)
						    : rv_asprintf("%s%s%s", path, *path ? "." : "",
								  node->items[i]->name);
		show(out, node->items[i], below);
	}
}

static void reads(const char *text, const char *want)
{
	RV_CLEANUP(rv_toml_free_p) struct rv_toml *toml = NULL;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf out = RV_STRBUF_INIT;

	err = (struct rv_error)RV_ERROR_INIT;
	if (rv_toml_parse("x.toml", text, strlen(text), &toml, &err) != RV_OK)
		fail_msg("%s", err.message);
	show(&out, toml, "");
	assert_string_equal(out.bytes, want);
}

static void refuses_bytes(const char *text, size_t len, size_t line, const char *message)
{
	struct rv_toml *toml = NULL;

	err = (struct rv_error)RV_ERROR_INIT;
	if (rv_toml_parse("x.toml", text, len, &toml, &err) != RV_BAD_CONFIG)
		fail_msg("'%s' is taken", text);
	assert_null(toml);
	if (!strstr(err.message, message) || err.line != line)
		fail_msg("'%s': line %zu '%s', not line %zu '%s'", text, (size_t)err.line, err.message, line,
			 message);
	assert_string_equal(err.file, "x.toml");
}

static void refuses(const char *text, size_t line, const char *message)
{
	refuses_bytes(text, strlen(text), line, message);
}

static void test_connections(void **state RV_UNUSED)
{
	reads("\xEF\xBB\xBF# connections\r\n"
	      "default_connection_name = \"prod\"\r\n\r\n"
	      "[connections.prod] # the one\n"
	      "account = 'acme-data'\n"
	      "port=443\n"
	      "\"odd key\" = true\n"
	      "[connections.\"my.dev\"]\n"
	      "[cli.logs]\nsave_logs = false\nlevel = \"info\"\n",
	      "s default_connection_name = prod\n"
	      "s connections.prod.account = acme-data\n"
	      "i connections.prod.port = 443\n"
	      "b connections.prod.odd key = true\n"
	      "t connections.my.dev\n"
	      "b cli.logs.save_logs = false\n"
	      "s cli.logs.level = info\n");
	reads("", "t \n");
	reads("a = 1", "i a = 1\n");
	reads("[a]", "t a\n");
}

static void test_strings(void **state RV_UNUSED)
{
	reads("a = \"\\b\\t\\n\\f\\r\\\"\\\\\\u00fc\\U0001F600\"\n", "s a = \b\t\n\f\r\"\\\xc3\xbc\xf0\x9f\x98\x80\n");
	reads("a = \"\\u0041\\u20AC\\u20ac\"\n", "s a = A\xe2\x82\xac\xe2\x82\xac\n");
	reads("a = \"\t\" # \t", "s a = \t\n");
	refuses("a = \"\x7f\"", 1, "control character");
	refuses("a = 1 # \x7f", 1, "control character in a comment");
	refuses("a = \"\\", 1, "no escape");
	refuses("a = [ # \x01", 1, "control character in a comment");
	refuses("a = [1 # \x01", 1, "control character in a comment");
	reads("'a b'\t=\t1 # to the end", "i a b = 1\n");
	reads("a = ''\nb = 'C:\\n'\nc = \"\"\n", "s a = \ns b = C:\\n\ns c = \n");
	reads("a = \"\"\"\nx\r\n y\"\"\"\nb = '''x\\'''", "s a = x\n y\ns b = x\\\n");
	reads("a = \"\"\"x \\\n\n   y\"\"\"\n", "s a = x y\n");
	reads("a = \"\"\"\"x\"\"\"\"\"\nb = ''''x''''\n", "s a = \"x\"\"\ns b = 'x'\n");
	refuses("a = \"x\nb\"", 1, "no end on its line");
	refuses("a = \"x", 1, "no end on its line");
	refuses("a = \"x\r\nb = 1", 1, "no end on its line");
	refuses("\na = \"\"\"x\n\n", 2, "has no end");
	refuses("a = \"\\x\"", 1, "no escape");
	refuses("a = \"\\u12\"", 1, "4 hexadecimal digits");
	refuses("a = \"\\u00G0\"", 1, "4 hexadecimal digits");
	refuses("a = \"\\u00g0\"", 1, "4 hexadecimal digits");
	refuses("a = \"\\ud800\"", 1, "names no character");
	refuses("a = \"\\U00110000\"", 1, "names no character");
	refuses("a = \"\\u0000\"", 1, "NUL");
	refuses("a = \"\x01\"", 1, "control character");
	refuses("a = '\x01'", 1, "control character");
	refuses("a = '''\x01'''", 1, "control character");
	refuses("# \x01", 1, "control character in a comment");
	refuses("a = \"\"\"x \\ y\"\"\"", 1, "no escape");
}

static void test_scalars(void **state RV_UNUSED)
{
	reads("a = 0\nb = 1234\n", "i a = 0\ni b = 1234\n");
	reads("a = +1_000\nb = -0\nc = 0xDEAD_beef\nd = 0o17\ne = 0b1_0\n",
	      "i a = +1000\ni b = -0\ni c = 0xDEADbeef\ni d = 0o17\ni e = 0b10\n");
	reads("a = 1.5\nb = -1e10\nc = 6.02_3E+2_3\nd = inf\ne = -nan\nf = 0.1\n",
	      "f a = 1.5\nf b = -1e10\nf c = 6.023E+23\nf d = inf\nf e = -nan\nf f = 0.1\n");
	reads("a = 1979-05-27\nb = 07:32:00.5\nc = 1979-05-27T07:32:00Z\nd = 1979-05-27 07:32:00+01:00\n",
	      "d a = 1979-05-27\nd b = 07:32:00.5\nd c = 1979-05-27T07:32:00Z\nd d = 1979-05-27 07:32:00+01:00\n");
	reads("a = 1e-5\nb = 1979-05-27T07:32:00z\nc = 07:32:00-01:30\nd = 1979-05-27 # noon\ne = 1979-05-27 ",
	      "f a = 1e-5\nd b = 1979-05-27T07:32:00z\nd c = 07:32:00-01:30\nd d = 1979-05-27\n"
	      "d e = 1979-05-27\n");
	static const char *const wrong[] = { "0x_1", "1979-05-27x", "1979-05-2", "1979-05:27", "07:3:00", "07:32-00", "07:32:0",
					     "07:32:00x", "07:32:00+1:00", "07:32:00+01-00", "07:32:00+01:0",
					     "07:32:00+01:000", "07:32:00+01:00.", "01", "1_", "_1", "1__0", "0x", "0xg", "0o8", "0b2", "1.", ".5", "1e",
					     "1.5.", "True", "yes", "acme", "1979-5-27", "07:32", "1979-05-27T",
					     "12:00:00.", "12:00:00+1", "00.5", "+0x1", "1e1e1" };
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		RV_CLEANUP(rv_free_p) char *text = rv_asprintf("secret = %s", wrong[i]);

		refuses(text, 1, "the value of 'secret' is none");
		assert_null(strstr(err.message, wrong[i]));
	}
	refuses("a =", 1, "a value is expected");
	refuses("a = #x", 1, "a value is expected");
	refuses("a = 1 2", 1, "nothing may follow a value");
	refuses("a = 'x' 'y'", 1, "nothing may follow a value");
}

static void test_arrays_and_tables(void **state RV_UNUSED)
{
	reads("a = [ 1, # one\n 'x', [ ], { b = 2, c.d = 3 } , ]\n",
	      "i a[0] = 1\ns a[1] = x\na a[2]\ni a[3].b = 2\ni a[3].c.d = 3\n");
	reads("t = {}\nx.y.z = 1\nx.y.w = 2\n", "t t\ni x.y.z = 1\ni x.y.w = 2\n");
	reads("[[p]]\nn = 1\n[p.q]\nm = 2\n[[p]]\nn = 3\n", "i p[0].n = 1\ni p[0].q.m = 2\ni p[1].n = 3\n");
	reads("[a.b]\nx = 1\n[a]\ny = 2\n", "i a.b.x = 1\ni a.y = 2\n");
	refuses("a = [1", 1, "array has no end");
	refuses("a = [1 2]", 1, "',' or ']'");
	refuses("a = {b = 1", 1, "',' or '}'");
	refuses("a = {b = 1,}", 1, "a key is expected");
	refuses("a = {b = 1\n}", 1, "',' or '}'");
	refuses("[a", 1, "']' is expected");
	refuses("[[a]", 1, "']]' is expected");
	refuses("[]", 1, "a key is expected");
	refuses("[a] b = 1", 1, "nothing may follow the name of a table");
	refuses("= 1", 1, "a key is expected");
	refuses("a", 1, "'=' is expected");
	refuses("a. = 1", 1, "a key is expected");
}

static void test_twice(void **state RV_UNUSED)
{
	refuses("a = 1\na = 2", 2, "'a' is there twice (line 1)");
	refuses("[a]\n[b]\n[a]", 3, "'a' is there twice (line 1)");
	refuses("a = 1\n[a]", 2, "'a' is there twice");
	refuses("a = 1\n[a.b]", 2, "'a' already has a value (line 1)");
	refuses("a = {b = 1}\n[a.c]", 2, "'a' already has a value");
	refuses("a = [1]\n[a.c]", 2, "'a' already has a value");
	refuses("a = {}\n[a]", 2, "'a' is there twice");
	refuses("[[x.a]]\nb = 1\n[x]\na.c = 2", 4, "'a' already has a value (line 1)");
	refuses("a = {b = 1}\na.c = 2", 2, "'a' already has a value");
	refuses("a = []\n[[a]]", 2, "'a' is there twice");
	refuses("[a]\n[[a]]", 2, "'a' is there twice");
	refuses("[[a]]\n[a]", 2, "'a' is there twice");
	refuses("[a.b]\nx=1\n[a]\nb.y=1", 4, "'b' is a table of its own");
	refuses("a.b = 1\n[a]", 2, "'a' is there twice");
	refuses("a.b = 1\na.b.c = 2", 2, "'b' already has a value");
}

static void test_limits(void **state RV_UNUSED)
{
	static const char *const lines[] = { "k.a = 1", "[k.u]", "[[k]]", "k = [1]" };
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;

	refuses_bytes("a = 1\nb = \"\0\"", 12, 2, "not text in UTF-8");
	refuses("a = 1\nb = \"\xff\"", 2, "not text in UTF-8");
	refuses_bytes("\xff\n\0", 3, 1, "not text in UTF-8"); /* the first of the two */
	for (int i = 0; i < 1000; i++)
		rv_strbuf_puts(&text, i ? "[" : "a = [");
	refuses(text.bytes, 1, "32 levels");
	rv_strbuf_clear(&text);
	for (int i = 0; i < 1000; i++)
		rv_strbuf_puts(&text, "a.");
	rv_strbuf_puts(&text, "a = 1");
	refuses(text.bytes, 1, "32 parts");
	rv_strbuf_clear(&text);
	for (int i = 0; i < 20000; i++)
		rv_strbuf_printf(&text, "k%d = 1\n", i);
	refuses(text.bytes, 16385, "16384 keys");
	/* the first or the second of the two that a line makes is one too many, or both fit */
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
		for (int left = 0; left < 3; left++) {
			RV_CLEANUP(rv_strbuf_release) struct rv_strbuf much = RV_STRBUF_INIT;
			RV_CLEANUP(rv_toml_free_p) struct rv_toml *toml = NULL;

			rv_strbuf_puts(&much, "x = [");
			for (int k = 0; k < 16383 - left; k++)
				rv_strbuf_puts(&much, "1,");
			rv_strbuf_printf(&much, "]\n%s\n", lines[i]);
			if (left < 2)
				refuses(much.bytes, 2, "16384 keys");
			else
				assert_int_equal(rv_toml_parse("x", much.bytes, much.len, &toml, &err), RV_OK);
		}
	while (text.len <= 1024 * 1024)
		rv_strbuf_puts(&text, "                                ");
	refuses(text.bytes, 1, "larger than");
}

static void test_get(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_toml_free_p) struct rv_toml *toml = NULL;
	static const char text[] = "[a]\nb = 'x'\n";

	assert_int_equal(rv_toml_parse("x", text, strlen(text), &toml, &err), RV_OK);
	const struct rv_toml *a = rv_toml_get(toml, "a");
	assert_string_equal(rv_toml_get(a, "b")->text, "x");
	assert_int_equal(rv_toml_get(a, "b")->line, 2);
	assert_null(rv_toml_get(a, "c"));
	assert_null(rv_toml_get(rv_toml_get(a, "b"), "c"));
	assert_null(rv_toml_get(NULL, "c"));
	rv_toml_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_connections),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_scalars),
		cmocka_unit_test(test_arrays_and_tables),
		cmocka_unit_test(test_twice),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_get),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

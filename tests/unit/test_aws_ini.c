/* AWS's files: what is read out of them, and what is refused with its line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "aws/ini.h"
#include "base/memory.h"
#include "base/strbuf.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static struct rv_ini *parsed(const char *text)
{
	struct rv_error err = RV_ERROR_INIT;
	struct rv_ini *ini = NULL;
	if (rv_ini_parse("config", text, strlen(text), &ini, &err) != RV_OK)
		fail_msg("%s", err.message);
	return ini;
}

static void test_plain(void **state RV_UNUSED)
{
	struct rv_ini *ini = parsed("# comment\n"
				    "; another\n"
				    "\n"
				    "[default]\n"
				    "Region = eu-west-1\n"
				    "output=json   # for people\n"
				    "url = http://h/#top ; why\r\n"
				    "colon = a;b#c\n"
				    "eq = a = b\n"
				    "empty =\n"
				    "silent = # all of it\n"
				    "odd = \f\vx\v\f\n"
				    "\n"
				    "[profile data] # mine\n"
				    "  region = us-east-1\n"
				    "  # a comment, indented\n"
				    "  region = us-west-2\n"
				    "[default]\n"
				    "more = 1");
	assert_string_equal(rv_ini_path(ini), "config");
	assert_string_equal(rv_ini_get(ini, "default", "region", NULL), "eu-west-1");
	assert_string_equal(rv_ini_get(ini, "default", "output", NULL), "json");
	assert_string_equal(rv_ini_get(ini, "default", "url", NULL), "http://h/#top");
	assert_string_equal(rv_ini_get(ini, "default", "colon", NULL), "a;b#c");
	assert_string_equal(rv_ini_get(ini, "default", "eq", NULL), "a = b");
	assert_string_equal(rv_ini_get(ini, "default", "empty", NULL), "");
	assert_string_equal(rv_ini_get(ini, "default", "silent", NULL), "");
	assert_string_equal(rv_ini_get(ini, "default", "odd", NULL), "x");
	assert_string_equal(rv_ini_get(ini, "default", "more", NULL), "1");
	assert_string_equal(rv_ini_get(ini, "profile data", "region", NULL), "us-west-2");
	assert_null(rv_ini_get(ini, "profile data", "output", NULL));
	assert_null(rv_ini_get(ini, "data", "region", NULL));
	assert_true(rv_ini_has(ini, "default"));
	assert_false(rv_ini_has(ini, "Default"));
	assert_string_equal(rv_ini_section(ini, 0), "default");
	assert_string_equal(rv_ini_section(ini, 1), "profile data");
	assert_null(rv_ini_section(ini, 2));
	rv_ini_free(ini);
}

static void test_sections(void **state RV_UNUSED)
{
	static const char *const cases[][2] = {
		{ "[default]", "default" },
		{ "\xEF\xBB\xBF[default]", "default" },
		{ "  [ default ]  ", "default" },
		{ "[profile \"my  name\"]", "profile my  name" },
		{ "[profile 'a]b']", "profile a]b" },
		{ "[ profile\t  x  ]", "profile x" },
		{ "[sso-session s];c", "sso-session s" },
		{ "[a b c]", "a b c" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct rv_ini *ini = parsed(cases[i][0]);
		assert_string_equal(rv_ini_section(ini, 0), cases[i][1]);
		rv_ini_free(ini);
	}
}

static void test_nested(void **state RV_UNUSED)
{
	struct rv_ini *ini = parsed("[services local]\n"
				    "s3 =\n"
				    "  endpoint_url = http://127.0.0.1:9000\n"
				    "\n"
				    "\tAddressing_Style = path # why\n"
				    "firehose = \n"
				    "    endpoint_url = http://127.0.0.1:9001\n"
				    "s3 =\n"
				    " other = 1\n"
				    "[profile p]\n"
				    "endpoint_url = http://h\n"
				    "credential_process = tool\n"
				    "    --one 'x y'\n"
				    "    --two # no\n"
				    "region = r\n");
	assert_string_equal(rv_ini_get(ini, "services local", "s3", "endpoint_url"),
			    "http://127.0.0.1:9000");
	assert_string_equal(rv_ini_get(ini, "services local", "s3", "addressing_style"), "path");
	assert_string_equal(rv_ini_get(ini, "services local", "s3", "other"), "1");
	assert_string_equal(rv_ini_get(ini, "services local", "firehose", "endpoint_url"),
			    "http://127.0.0.1:9001");
	assert_string_equal(rv_ini_get(ini, "services local", "s3", NULL), "");
	assert_null(rv_ini_get(ini, "services local", "endpoint_url", NULL));
	assert_null(rv_ini_get(ini, "profile p", "s3", "endpoint_url"));
	assert_string_equal(rv_ini_get(ini, "profile p", "credential_process", NULL),
			    "tool\n--one 'x y'\n--two");
	assert_string_equal(rv_ini_get(ini, "profile p", "region", NULL), "r");
	rv_ini_free(ini);
}

static void test_refused(void **state RV_UNUSED)
{
	static const struct {
		const char *text;
		size_t line;
		const char *says;
	} cases[] = {
		{ "a = b", 1, "before the first [section]" },
		{ "[x]\n\nnonsense SECRET\n", 3, "no '='" },
		{ "[x]\n= SECRET\n", 2, "no key" },
		{ "\n[x\n", 2, "']'" },
		{ "[\"x]\n", 1, "closing quote" },
		{ "[x] SECRET\n", 1, "behind the ']'" },
		{ "[]\n", 1, "no name" },
		{ "[ ]\n", 1, "no name" },
		{ "[x]\ns3 =\n  SECRET\n", 3, "no '='" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct rv_error err = RV_ERROR_INIT;
		struct rv_ini *ini = NULL;
		assert_int_equal(rv_ini_parse("/c", cases[i].text, strlen(cases[i].text), &ini, &err),
				 RV_BAD_CONFIG);
		assert_null(ini);
		assert_string_equal(err.file, "/c");
		assert_int_equal(err.line, cases[i].line);
		if (!strstr(err.message, cases[i].says))
			fail_msg("%s", err.message);
		assert_null(strstr(err.message, "SECRET"));
	}
	struct rv_error err = RV_ERROR_INIT;
	struct rv_ini *ini = NULL;
	assert_int_equal(rv_ini_parse("/c", "[x]\na = \0b", 10, &ini, &err), RV_BAD_CONFIG);
	assert_int_equal(err.line, 2);
}

static void test_limits(void **state RV_UNUSED)
{
	struct rv_error err = RV_ERROR_INIT;
	struct rv_ini *ini = NULL;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	for (int i = 0; i < 4096; i++)
		rv_strbuf_printf(&text, "[s%d]\n", i);
	assert_int_equal(rv_ini_parse("c", text.bytes, text.len, &ini, &err), RV_OK);
	rv_ini_free(ini);
	rv_strbuf_puts(&text, "[one more]\n");
	assert_int_equal(rv_ini_parse("c", text.bytes, text.len, &ini, &err), RV_BAD_CONFIG);
	assert_int_equal(err.line, 4097);
	rv_strbuf_clear(&text);
	rv_strbuf_puts(&text, "[x]\na = b\n");
	while (text.len < 20000)
		rv_strbuf_puts(&text, "  cccccccccccccccccccc\n");
	assert_int_equal(rv_ini_parse("c", text.bytes, text.len, &ini, &err), RV_BAD_CONFIG);
	assert_non_null(strstr(err.message, "16384"));
	rv_strbuf_clear(&text);
	while (text.len <= 1024 * 1024)
		rv_strbuf_puts(&text, "# 0123456789012345678901234567890123456789\n");
	assert_int_equal(rv_ini_parse("c", text.bytes, text.len, &ini, &err), RV_BAD_CONFIG);
}

static void test_load(void **state RV_UNUSED)
{
	struct rv_error err = RV_ERROR_INIT;
	struct rv_ini *ini = NULL;
	char root[] = "/tmp/river-test-ini-XXXXXX";
	assert_non_null(mkdtemp(root));
	RV_CLEANUP(rv_free_p) char *path = rv_asprintf("%s/config", root);
	assert_int_equal(rv_ini_load(path, &ini, &err), RV_OK);
	assert_null(rv_ini_section(ini, 0));
	assert_string_equal(rv_ini_path(ini), path);
	rv_ini_free(ini);
	FILE *f = fopen(path, "we");
	fputs("[default]\nregion=r\n", f);
	fclose(f);
	assert_int_equal(rv_ini_load(path, &ini, &err), RV_OK);
	assert_string_equal(rv_ini_get(ini, "default", "region", NULL), "r");
	rv_ini_free(ini);
	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(rv_ini_load(path, &ini, &err), RV_BAD_CONFIG);
	assert_non_null(strstr(err.message, path));
	rmdir(path);
	rmdir(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),   cmocka_unit_test(test_sections),
		cmocka_unit_test(test_nested),  cmocka_unit_test(test_refused),
		cmocka_unit_test(test_limits),  cmocka_unit_test(test_load),
	};
	return cmocka_run_group_tests_name("aws_ini", tests, NULL, NULL);
}

/* Standard output: what is written, and what happens when it cannot be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/strbuf.h"
#include "cli/output.h"

static int scratch(void)
{
	FILE *file = tmpfile();
	assert_non_null(file);
	int fd = dup(fileno(file));
	fclose(file);
	return fd;
}

static void assert_holds(int fd, const char *want)
{
	char text[4096];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	assert_true(n >= 0);
	text[n] = '\0';
	assert_string_equal(text, want);
	close(fd);
}

static void finish_good(struct rv_out *out)
{
	struct rv_error err = RV_ERROR_INIT;
	assert_int_equal(rv_out_finish(out, &err), RV_OK);
	rv_out_free(out);
}

static void test_formats(void **state)
{
	(void)state;
	int fd = scratch();
	struct rv_out *out = rv_out_new(fd, RV_OUT_TEXT);
	rv_out_printf(out, "%d records\n", 3);
	rv_out_json(out, json_pack("{s:i}", "records", 3));
	finish_good(out);
	assert_holds(fd, "3 records\n");

	fd = scratch();
	out = rv_out_new(fd, RV_OUT_JSON);
	rv_out_printf(out, "%d records\n", 3);
	rv_out_json(out, json_pack("{s:i,s:s}", "records", 3, "name", "a\n"));
	rv_out_json(out, json_object());
	finish_good(out);
	assert_holds(fd, "{\"v\":1,\"records\":3,\"name\":\"a\\n\"}\n{\"v\":1}\n");
}

static void test_table(void **state)
{
	(void)state;
	int fd = scratch();
	struct rv_out *out = rv_out_new(fd, RV_OUT_TEXT);
	const char *headers[] = { "NAME", "ROWS", "NOTE" };
	const bool right[] = { false, true, false };
	rv_out_table_begin(out, headers, right, 3);
	rv_out_table_row(out, (const char *[]){ "web/\303\244", "12", "ok" });
	rv_out_table_row(out, (const char *[]){ "a\033[2Jb", "123456", NULL });
	rv_out_table_end(out);
	finish_good(out);
	assert_holds(fd, "NAME      ROWS  NOTE\n"
			 "web/\303\244       12  ok\n"
			 "a?[2Jb  123456  \n");
}

static void test_clean(void **state)
{
	(void)state;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	static const char dirty[] = "a\n\x7f\xc2\x9b\xed\xa0\x80\xe2\x82\xac\xf0\x9f\x98\x80\xff";
	rv_text_clean(&text, dirty, sizeof(dirty) - 1);
	assert_string_equal(text.bytes, "a???" "?" "???" "\xe2\x82\xac\xf0\x9f\x98\x80" "?");
}

static void test_full_disk(void **state)
{
	(void)state;
	int fd = open("/dev/full", O_WRONLY);
	if (fd < 0)
		skip();
	struct rv_out *out = rv_out_new(fd, RV_OUT_TEXT);
	char block[100000];
	memset(block, 'x', sizeof(block));
	rv_out_printf(out, "small\n");
	assert_false(rv_out_failed(out));
	rv_out_write(out, block, sizeof(block));
	assert_true(rv_out_failed(out));
	struct rv_error err = RV_ERROR_INIT;
	assert_int_equal(rv_out_finish(out, &err), RV_LOCAL_IO);
	assert_string_equal(err.message, "cannot write standard output: No space left on device");
	rv_out_free(out);

	/* what only stands in the buffer counts too; nothing written is no failure */
	out = rv_out_new(fd, RV_OUT_TEXT);
	assert_int_equal(rv_out_finish(out, &err), RV_OK);
	rv_out_printf(out, "small\n");
	assert_int_equal(rv_out_finish(out, &err), RV_LOCAL_IO);
	rv_out_free(out);
	close(fd);
}

static void test_reader_left(void **state)
{
	(void)state;
	int ends[2];
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe(ends), 0);
	close(ends[0]);
	struct rv_out *out = rv_out_new(ends[1], RV_OUT_TEXT);
	char block[100000] = "";
	rv_out_write(out, block, sizeof(block));
	assert_true(rv_out_failed(out));
	rv_out_printf(out, "dropped\n");
	finish_good(out);
	close(ends[1]);
}

/* Standard error goes into a file while one message is printed. */
static void error_says(enum rv_out_format format, const struct rv_error *err, const char *want)
{
	int saved = dup(STDERR_FILENO), fd = scratch();
	dup2(fd, STDERR_FILENO);
	rv_messages_init(0, format, false);
	if (err)
		rv_error_print(err);
	else
		rv_warn("%s", "odd\tthing");
	dup2(saved, STDERR_FILENO);
	close(saved);
	assert_holds(fd, want);
}

static void test_errors(void **state)
{
	(void)state;
	struct rv_error err = RV_ERROR_INIT;
	assert_int_equal(rv_fail(&err, RV_NOT_FOUND, "no stream '%s'", "a\"b"), RV_NOT_FOUND);
	error_says(RV_OUT_TEXT, &err, "river: no stream 'a\"b'\n");
	error_says(RV_OUT_JSON, &err, "{\"v\":1,\"error\":\"RV_NOT_FOUND\",\"code\":5,"
				      "\"message\":\"no stream 'a\\\"b'\"}\n");
	rv_hint(&err, "look");
	rv_error_at(&err, "x.yaml", 3, 7);
	error_says(RV_OUT_TEXT, &err, "river: no stream 'a\"b'\n  at x.yaml:3:7\nhint: look\n");
	error_says(RV_OUT_JSON, &err,
		   "{\"v\":1,\"error\":\"RV_NOT_FOUND\",\"code\":5,\"message\":\"no stream 'a\\\"b'\","
		   "\"hint\":\"look\",\"file\":\"x.yaml\",\"line\":3,\"column\":7}\n");
	error_says(RV_OUT_TEXT, NULL, "river: warning: odd?thing\n");
	error_says(RV_OUT_JSON, NULL, "{\"v\":1,\"warning\":\"odd\\tthing\"}\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_formats),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_clean),
		cmocka_unit_test(test_full_disk),
		cmocka_unit_test(test_reader_left),
		cmocka_unit_test(test_errors),
	};
	return cmocka_run_group_tests_name("output", tests, NULL, NULL);
}

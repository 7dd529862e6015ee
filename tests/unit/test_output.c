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
#include <sys/ioctl.h>
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
	rv_out_line(out, "role %s", "a\033[2J\nb");
	rv_out_json(out, json_pack("{s:i}", "records", 3));
	finish_good(out);
	assert_holds(fd, "3 records\nrole a?[2J?b\n");

	fd = scratch();
	out = rv_out_new(fd, RV_OUT_JSON);
	rv_out_printf(out, "%d records\n", 3);
	rv_out_json(out, json_pack("{s:i,s:s}", "records", 3, "name", "a\n"));
	rv_out_json(out, json_object());
	rv_out_json(out, json_pack("{s:o, s:o}", "path", rv_out_text("a\377\"b"), "none",
				   rv_out_text(NULL)));
	finish_good(out);
	assert_holds(fd, "{\"v\":1,\"records\":3,\"name\":\"a\\n\"}\n{\"v\":1}\n"
			 "{\"v\":1,\"path\":\"a\357\277\275\\\"b\",\"none\":null}\n");
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
			 "a?[2Jb  123456\n");
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
	/* without a line the file is told once, in whichever place */
	err = (struct rv_error)RV_ERROR_INIT;
	assert_int_equal(rv_fail(&err, RV_NOT_FOUND, "no file x.yaml"), RV_NOT_FOUND);
	rv_error_at(&err, "x.yaml", 0, 0);
	error_says(RV_OUT_TEXT, &err, "river: no file x.yaml\n");
	rv_error_at(&err, "y.yaml", 0, 0);
	error_says(RV_OUT_TEXT, &err, "river: no file x.yaml\n  at y.yaml\n");
	error_says(RV_OUT_TEXT, NULL, "river: warning: odd?thing\n");
	error_says(RV_OUT_JSON, NULL, "{\"v\":1,\"warning\":\"odd\\tthing\"}\n");
}

/* A terminal as standard error; what was written to it ends up in `text`. */
static void on_terminal(void (*body)(void), int loudness, unsigned short columns, char *text,
			size_t size)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY);
	if (master < 0)
		skip();
	assert_true(grantpt(master) == 0 && unlockpt(master) == 0);
	int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	assert_true(slave >= 0);
	struct winsize window = { .ws_col = columns, .ws_row = 25 };
	assert_int_equal(ioctl(slave, TIOCSWINSZ, &window), 0);
	int saved = dup(STDERR_FILENO);
	dup2(slave, STDERR_FILENO);
	rv_messages_init(loudness, RV_OUT_TEXT, false);
	body();
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(slave);
	/* what was written comes through by and by, and then there is an end, or EIO for one */
	size_t len = 0;
	ssize_t n;
	while ((n = read(master, text + len, size - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	close(master);
	rv_messages_init(0, RV_OUT_TEXT, false);
	assert_false(rv_messages_terminal());
}

static void show_progress(void)
{
	const int64_t start_ms = 5000;
	struct rv_progress progress;
	rv_progress_start(&progress, "push web/clicks", start_ms);
	rv_progress_update(&progress, start_ms + 999, 1 << 20, 4 << 20, 1000); /* the first second */
	rv_progress_update(&progress, start_ms + 2000, 2 << 20, 4 << 20, 2000);
	rv_progress_update(&progress, start_ms + 2099, 3 << 20, 4 << 20, 3000); /* too soon */
	rv_note("a note between");
	rv_progress_update(&progress, start_ms + 2100, 3 << 20, 0, 0);
	rv_progress_end(&progress);
	rv_progress_update(&progress, start_ms + 9000, 4 << 20, 4 << 20, 4000); /* it is over */
}

static void test_progress(void **state)
{
	(void)state;
	char text[1024];
	on_terminal(show_progress, 0, 80, text, sizeof(text));
	assert_string_equal(text, "\r\033[Kpush web/clicks: 2.00 MiB of 4.00 MiB, 2,000 records, "
				  "1.00 MiB/s, 2.0 s left"
				  "\r\033[Kriver: a note between\r\n"
				  "\r\033[Kpush web/clicks: 3.00 MiB, 1.43 MiB/s\r\033[K");
	on_terminal(show_progress, 0, 20, text, sizeof(text));
	assert_string_equal(text, "\r\033[Kpush web/clicks: 2.\r\033[Kriver: a note between\r\n"
				  "\r\033[Kpush web/clicks: 3.\r\033[K");
	on_terminal(show_progress, -1, 80, text, sizeof(text));
	assert_string_equal(text, "");
}

static void test_no_progress(void **state)
{
	(void)state;
	int saved = dup(STDERR_FILENO), fd = scratch();
	dup2(fd, STDERR_FILENO);
	rv_messages_init(0, RV_OUT_TEXT, false);
	show_progress();
	dup2(saved, STDERR_FILENO);
	close(saved);
	assert_holds(fd, "river: a note between\n");
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
		cmocka_unit_test(test_progress),
		cmocka_unit_test(test_no_progress),
	};
	return cmocka_run_group_tests_name("output", tests, NULL, NULL);
}

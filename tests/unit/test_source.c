/* Sources: bytes come whole, in order and once, whatever the sizes; trouble is named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/strbuf.h"
#include "source/limit.h"
#include "source/prepend.h"
#include "source/source.h"

static enum rv_status read_all(struct rv_source *s, size_t size, struct rv_strbuf *out,
			       struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *buf = rv_malloc(size);

	for (;;) {
		enum rv_source_state state;
		size_t n = 0;

		if (s->ops->read(s, buf, size, -1, &n, &state, err) != RV_OK)
			return err->status;
		if (state == RV_SOURCE_END)
			return RV_OK;
		if (state == RV_SOURCE_BYTES)
			assert_in_range(n, 1, size);
		rv_strbuf_add(out, buf, n);
	}
}

static int temporary(const char *p, size_t len)
{
	char path[] = "/tmp/river-test-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	unlink(path);
	assert_int_equal(write(fd, p, len), (ssize_t)len);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static void test_mem_pieces(void **state RV_UNUSED)
{
	static const char text[] = "0123456789";

	for (size_t piece = 0; piece < 12; piece++)
		for (size_t size = 1; size < 12; size++) {
			struct rv_error err = RV_ERROR_INIT;
			RV_CLEANUP(rv_strbuf_release) struct rv_strbuf out = RV_STRBUF_INIT;
			RV_CLEANUP(rv_source_free_p) struct rv_source *s =
				rv_source_mem_new(text, 10, piece, UINT64_MAX);

			assert_int_equal(read_all(s, size, &out, &err), RV_OK);
			assert_string_equal(out.bytes, text);
		}
}

static void test_mem_fails_where_told(void **state RV_UNUSED)
{
	for (uint64_t at = 0; at <= 10; at++) {
		struct rv_error err = RV_ERROR_INIT;
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf out = RV_STRBUF_INIT;
		RV_CLEANUP(rv_source_free_p) struct rv_source *s =
			rv_source_mem_new("0123456789", 10, 0, at);

		assert_int_equal(read_all(s, 4, &out, &err), RV_LOCAL_IO);
		assert_int_equal(out.len, at);
	}
}

/* Only behind the place where it fails is it whole. */
static void test_mem_goes_on_behind_a_failure(void **state RV_UNUSED)
{
	struct rv_error err = RV_ERROR_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf out = RV_STRBUF_INIT;
	RV_CLEANUP(rv_source_free_p) struct rv_source *s = rv_source_mem_new("0123456789", 10, 0, 4);

	assert_int_equal(s->ops->seek(s, 5, &err), RV_OK);
	assert_int_equal(read_all(s, 4, &out, &err), RV_OK);
	assert_string_equal(out.bytes, "56789");
}

static void test_prepended_bytes_come_first(void **state RV_UNUSED)
{
	for (size_t size = 1; size < 7; size++) {
		struct rv_error err = RV_ERROR_INIT;
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf out = RV_STRBUF_INIT;
		RV_CLEANUP(rv_source_free_p) struct rv_source *s =
			rv_source_prepend_new("abcd", 4, rv_source_mem_new("0123", 4, 0, UINT64_MAX));

		assert_int_equal(read_all(s, size, &out, &err), RV_OK);
		assert_string_equal(out.bytes, "abcd0123");
	}
}

/* With a source that goes to a place, and with one that has to be read up to there. */
static void test_an_extent_of_another_source(void **state RV_UNUSED)
{
	static const struct {
		uint64_t from, to;
		const char *is; /* NULL: it ends before */
	} cases[] = {
		{ 0, 10, "0123456789" }, { 0, 3, "012" }, { 3, 7, "3456" }, { 4, 4, "" }, { 10, 12, "" },
		{ 7, UINT64_MAX, "789" }, { 11, 12, NULL },
	};
	static const char *const kinds[] = { "mem", "prepended: no seek" };

	for (size_t kind = 0; kind < sizeof(kinds) / sizeof(*kinds); kind++)
		for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
			struct rv_error err = RV_ERROR_INIT;
			RV_CLEANUP(rv_strbuf_release) struct rv_strbuf out = RV_STRBUF_INIT;
			RV_CLEANUP(rv_source_free_p) struct rv_source *s = NULL;
			struct rv_source *inner = kind ? rv_source_prepend_new(
								 "01", 2, rv_source_mem_new("23456789", 8, 1, UINT64_MAX))
						       : rv_source_mem_new("0123456789", 10, 0, UINT64_MAX);
			enum rv_status status = rv_source_limit_new(inner, cases[i].from, cases[i].to, &s, &err);

			if (!cases[i].is) {
				assert_int_not_equal(status, RV_OK);
				assert_null(s);
				continue;
			}
			assert_int_equal(status, RV_OK);
			assert_int_equal(read_all(s, 4, &out, &err), RV_OK);
			assert_string_equal(out.bytes, cases[i].is);
		}
}

static void test_an_extent_far_behind(void **state RV_UNUSED)
{
	struct rv_error err = RV_ERROR_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT, out = RV_STRBUF_INIT;
	RV_CLEANUP(rv_source_free_p) struct rv_source *s = NULL;

	for (unsigned i = 0; text.len < 600000; i++)
		rv_strbuf_printf(&text, "%u\n", i);
	assert_int_equal(rv_source_limit_new(rv_source_prepend_new("", 0, rv_source_mem_new(text.bytes, text.len, 0,
											    UINT64_MAX)),
					     550000, 550010, &s, &err),
			 RV_OK);
	assert_int_equal(read_all(s, 4, &out, &err), RV_OK);
	assert_int_equal(out.len, 10);
	assert_memory_equal(out.bytes, text.bytes + 550000, 10);
}

static void test_an_extent_of_a_source_that_fails(void **state RV_UNUSED)
{
	struct rv_error err = RV_ERROR_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf out = RV_STRBUF_INIT;
	RV_CLEANUP(rv_source_free_p) struct rv_source *s = NULL;

	assert_int_equal(rv_source_limit_new(rv_source_prepend_new("01", 2, rv_source_mem_new("2", 1, 0, 0)), 3, 4,
					     &s, &err),
			 RV_LOCAL_IO);
	assert_null(s);
	assert_int_equal(rv_source_limit_new(rv_source_mem_new("0123", 4, 0, 2), 1, 4, &s, &err), RV_OK);
	assert_int_equal(read_all(s, 4, &out, &err), RV_LOCAL_IO);
	assert_string_equal(out.bytes, "1");
}

static void test_file_extent_and_seek(void **state RV_UNUSED)
{
	struct rv_error err = RV_ERROR_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf out = RV_STRBUF_INIT;
	RV_CLEANUP(rv_source_free_p) struct rv_source *s = NULL;

	assert_int_equal(rv_source_file_new(temporary("0123456789", 10), "digits", 7, &s, &err),
			 RV_OK);
	assert_string_equal(s->label, "digits");
	assert_int_equal(read_all(s, 4, &out, &err), RV_OK);
	assert_string_equal(out.bytes, "0123456");
	assert_int_equal(s->ops->seek(s, 5, &err), RV_OK);
	rv_strbuf_clear(&out);
	assert_int_equal(read_all(s, 100, &out, &err), RV_OK);
	assert_string_equal(out.bytes, "56");
	assert_int_equal(s->ops->seek(s, 9, &err), RV_OK); /* behind the extent */
	rv_strbuf_clear(&out);
	assert_int_equal(read_all(s, 100, &out, &err), RV_OK);
	assert_int_equal(out.len, 0);
}

static void test_a_file_that_was_read_before(void **state RV_UNUSED)
{
	struct rv_error err = RV_ERROR_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf out = RV_STRBUF_INIT;
	RV_CLEANUP(rv_source_free_p) struct rv_source *s = NULL;
	int fd = temporary("0123456789", 10);

	assert_int_equal(lseek(fd, 4, SEEK_SET), 4);
	assert_int_equal(rv_source_file_new(fd, "digits", 7, &s, &err), RV_OK);
	assert_int_equal(read_all(s, 4, &out, &err), RV_OK);
	assert_string_equal(out.bytes, "456");
	assert_int_equal(s->ops->seek(s, UINT64_MAX, &err), RV_LOCAL_IO);
	assert_non_null(strstr(err.message, "cannot go to byte 18446744073709551615 of digits"));
	/* nor is there a place to go to in a pipe */
	RV_CLEANUP(rv_source_free_p) struct rv_source *pipe_source = NULL;
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(rv_source_file_new(ends[0], "pipe", UINT64_MAX, &pipe_source, &err), RV_OK);
	assert_int_equal(pipe_source->ops->seek(pipe_source, 1, &err), RV_LOCAL_IO);
	assert_non_null(strstr(err.message, "cannot go to byte 1 of pipe"));
	close(ends[1]);
}

static void test_a_file_that_cannot_be_read(void **state RV_UNUSED)
{
	struct rv_error err = RV_ERROR_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf out = RV_STRBUF_INIT;
	RV_CLEANUP(rv_source_free_p) struct rv_source *s = NULL;
	char path[] = "/tmp/river-test-XXXXXX";
	int fd = mkstemp(path);

	close(fd);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	unlink(path);
	assert_int_equal(rv_source_file_new(fd, "written", UINT64_MAX, &s, &err), RV_OK);
	assert_int_equal(read_all(s, 4, &out, &err), RV_LOCAL_IO);
	assert_non_null(strstr(err.message, "cannot read written at byte 0: "));
}

static void test_43_folders_are_refused(void **state RV_UNUSED)
{
	struct rv_error err = RV_ERROR_INIT;
	struct rv_source *s = NULL;
	int fd = open("/", O_RDONLY | O_DIRECTORY);

	assert_int_equal(rv_source_file_new(fd, "etc", UINT64_MAX, &s, &err), RV_LOCAL_IO);
	assert_non_null(strstr(err.message, "etc"));
	assert_non_null(strstr(err.message, "folder"));
	assert_null(s);
	assert_int_equal(fcntl(fd, F_GETFD), -1); /* it was ours to close */

	int keep = dup(0);

	fd = open("/", O_RDONLY | O_DIRECTORY);
	dup2(fd, 0);
	enum rv_status status = rv_source_stdin_new(&s, &err);

	dup2(keep, 0);
	close(keep);
	close(fd);
	assert_int_equal(status, RV_LOCAL_IO);
	assert_non_null(strstr(err.message, "standard input"));
}

static void on_alarm(int sig RV_UNUSED)
{
}

/* A pipe behind descriptor 0: a timeout, a signal, bytes, the end. */
static void pipe_through_stdin(bool nonblocking)
{
	struct rv_error err = RV_ERROR_INIT;
	RV_CLEANUP(rv_source_free_p) struct rv_source *s = NULL;
	enum rv_source_state state;
	char buf[16];
	size_t n = 99;
	int fds[2], keep = dup(0);

	assert_int_equal(pipe(fds), 0);
	dup2(fds[0], 0);
	close(fds[0]);
	if (nonblocking)
		fcntl(0, F_SETFL, fcntl(0, F_GETFL) | O_NONBLOCK);
	assert_int_equal(rv_source_stdin_new(&s, &err), RV_OK);
	assert_int_equal(s->ops->read(s, buf, sizeof(buf), 0, &n, &state, &err), RV_OK);
	assert_int_equal(state, RV_SOURCE_WAIT);
	assert_int_equal(n, 0);

	/* SA_RESTART, which would keep a plain read for ever. */
	struct sigaction sa = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };

	sigaction(SIGALRM, &sa, NULL);
	ualarm(20000, 20000);
	assert_int_equal(s->ops->read(s, buf, sizeof(buf), -1, &n, &state, &err), RV_OK);
	ualarm(0, 0);
	assert_int_equal(state, RV_SOURCE_WAIT);

	assert_int_equal(write(fds[1], "abc", 3), 3);
	/* longer than poll counts */
	assert_int_equal(s->ops->read(s, buf, sizeof(buf), INT64_MAX, &n, &state, &err), RV_OK);
	assert_int_equal(state, RV_SOURCE_BYTES);
	assert_int_equal(n, 3);
	assert_memory_equal(buf, "abc", 3);
	close(fds[1]);
	assert_int_equal(s->ops->read(s, buf, sizeof(buf), -1, &n, &state, &err), RV_OK);
	assert_int_equal(state, RV_SOURCE_END);
	dup2(keep, 0);
	close(keep);
}

static void test_43_stdin_waits(void **state RV_UNUSED)
{
	pipe_through_stdin(false);
	pipe_through_stdin(true);
}

static void test_compression_names(void **state RV_UNUSED)
{
	enum rv_compression c;

	assert_int_equal(rv_compression_detect("\x1f\x8b\x08", 3), RV_COMPRESSION_GZIP);
	assert_int_equal(rv_compression_detect("\x28\xb5\x2f\xfd", 4), RV_COMPRESSION_ZSTD);
	assert_int_equal(rv_compression_detect("BZh9", 4), RV_COMPRESSION_BZIP2);
	assert_int_equal(rv_compression_detect("BZh,1", 5), RV_COMPRESSION_NONE);
	assert_int_equal(rv_compression_detect("\xfd"
					       "7zXZ\0",
					       6),
			 RV_COMPRESSION_XZ);
	assert_int_equal(rv_compression_detect("\x50\x2a\x4d\x18", 4), RV_COMPRESSION_ZSTD);
	assert_int_equal(rv_compression_detect("{\"a\":1}", 7), RV_COMPRESSION_NONE);
	/* all but the last byte */
	assert_int_equal(rv_compression_detect("\x1f\x8a\x08", 3), RV_COMPRESSION_NONE);
	assert_int_equal(rv_compression_detect("\x50\x2a\x4d\x19", 4), RV_COMPRESSION_NONE);
	assert_int_equal(rv_compression_detect("BZh:", 4), RV_COMPRESSION_NONE);
	assert_int_equal(rv_compression_detect("", 0), RV_COMPRESSION_NONE);
	/* so few that it is not known yet, and not one byte more */
	static const struct {
		const char *bytes;
		size_t len;
	} begins[] = { { "\x1f\x8b", 2 }, { "\x28\xb5\x2f\xfd", 4 }, { "\x5f\x2a\x4d\x18", 4 },
		       { "BZh1", 4 }, { "\xfd" "7zXZ\0", 6 } };
	for (size_t i = 0; i < sizeof(begins) / sizeof(*begins); i++) {
		for (size_t n = 0; n < begins[i].len; n++)
			assert_true(rv_compression_may_begin(begins[i].bytes, n));
		assert_false(rv_compression_may_begin(begins[i].bytes, begins[i].len));
	}
	static const char *const lines[] = { "(\n", "B\n", "BZ\n", "BZh\n", "\x1f\n", "P\n", "P*\n", "{" };
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
		assert_false(rv_compression_may_begin(lines[i], strlen(lines[i])));
	for (int i = RV_COMPRESSION_NONE; i <= RV_COMPRESSION_XZ; i++) {
		assert_true(rv_compression_parse(rv_compression_name((enum rv_compression)i), &c));
		assert_int_equal(c, i);
	}
	assert_false(rv_compression_parse("lzma", &c));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mem_pieces),
		cmocka_unit_test(test_mem_fails_where_told),
		cmocka_unit_test(test_mem_goes_on_behind_a_failure),
		cmocka_unit_test(test_prepended_bytes_come_first),
		cmocka_unit_test(test_an_extent_of_another_source),
		cmocka_unit_test(test_an_extent_far_behind),
		cmocka_unit_test(test_an_extent_of_a_source_that_fails),
		cmocka_unit_test(test_file_extent_and_seek),
		cmocka_unit_test(test_a_file_that_was_read_before),
		cmocka_unit_test(test_a_file_that_cannot_be_read),
		cmocka_unit_test(test_43_folders_are_refused),
		cmocka_unit_test(test_43_stdin_waits),
		cmocka_unit_test(test_compression_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

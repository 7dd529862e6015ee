/* Errors as values: their text is whole UTF-8, one line, within its buffer, whatever goes in. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"

static void test_statuses(void **state RV_UNUSED)
{
	assert_int_equal(rv_status_exit_code(RV_OK), 0);
	assert_int_equal(rv_status_exit_code(RV_USAGE), 2);
	assert_int_equal(rv_status_exit_code(RV_INTERNAL), 70);
	assert_string_equal(rv_status_name(RV_CONFLICT), "RV_CONFLICT");
	for (unsigned a = 0; a < RV_STATUS_COUNT; a++) {
		assert_true(strlen(rv_status_sentence(a)) > 10);
		for (unsigned b = 0; b < a; b++)
			assert_int_not_equal(rv_status_exit_code(a), rv_status_exit_code(b));
	}
}

static void test_filling(void **state RV_UNUSED)
{
	struct rv_error err = RV_ERROR_INIT;

	rv_hint(&err, "an old hint");
	rv_error_at(&err, "old.ndjson", 3, 4);
	err.transient = true;
	err.http_status = 503;
	assert_int_equal(rv_fail(&err, RV_NOT_FOUND, "no stream %s", "web/clicks"), RV_NOT_FOUND);
	assert_string_equal(err.message, "no stream web/clicks");
	/* from scratch: nothing of the former failure shines through */
	assert_string_equal(err.hint, "");
	assert_string_equal(err.file, "");
	assert_int_equal(err.line, 0);
	assert_int_equal(err.column, 0);
	assert_int_equal(err.http_status, 0);
	assert_int_equal(err.retry_after_ms, -1);
	assert_false(err.transient);
}

static void test_context(void **state RV_UNUSED)
{
	struct rv_error err = RV_ERROR_INIT;

	rv_fail(&err, RV_LOCAL_IO, "write x");
	rv_hint(&err, "free some room");
	rv_error_at(&err, "a\tb.ndjson", 7, 9);
	assert_int_equal(rv_context(&err, "deliver batch %d", 3), RV_LOCAL_IO);
	assert_int_equal(rv_context(&err, "push"), RV_LOCAL_IO);
	assert_string_equal(err.message, "push: deliver batch 3: write x");
	assert_string_equal(err.hint, "free some room");
	assert_string_equal(err.file, "a?b.ndjson");
	assert_int_equal(err.line, 7);
	assert_int_equal(err.column, 9);
	rv_error_at(&err, NULL, 0, 0);
	assert_string_equal(err.file, "");
	/* an argument may be the message itself */
	rv_fail(&err, RV_FAILED, "inner");
	rv_context(&err, "outer");
	rv_fail(&err, RV_FAILED, "%s", "again");
	assert_string_equal(err.message, "again");
}

static void test_errno(void **state RV_UNUSED)
{
	static const int passing[] = { EAGAIN, EINTR, ENOSPC, EDQUOT, EMFILE, ENFILE, ENOMEM };
	static const int lasting[] = { ENOENT, EACCES, EIO, EROFS };
	struct rv_error err = RV_ERROR_INIT;

	errno = ENOENT;
	assert_int_equal(rv_fail_errno(&err, RV_LOCAL_IO, "open %s", "/x"), RV_LOCAL_IO);
	assert_string_equal(err.message, "open /x: No such file or directory");
	assert_int_equal(errno, ENOENT);
	for (size_t i = 0; i < sizeof(passing) / sizeof(*passing); i++) {
		errno = passing[i];
		rv_fail_errno(&err, RV_LOCAL_IO, "x");
		assert_true(err.transient);
	}
	for (size_t i = 0; i < sizeof(lasting) / sizeof(*lasting); i++) {
		errno = lasting[i];
		rv_fail_errno(&err, RV_LOCAL_IO, "x");
		assert_false(err.transient);
	}
}

/* The system's reason is what one needs to know; a path of any length must not push it out. */
static void test_errno_behind_a_long_path(void **state RV_UNUSED)
{
	struct rv_error err = RV_ERROR_INIT;
	RV_CLEANUP(rv_free_p) char *path = rv_malloc(4096);

	memset(path, 'p', 4095);
	path[4095] = '\0';
	errno = ENOSPC;
	rv_fail_errno(&err, RV_LOCAL_IO, "write %s", path);
	assert_true(rv_starts_with(err.message, "write ppp"));
	assert_true(rv_ends_with(err.message, "ppp: No space left on device"));
	assert_true(strlen(err.message) < sizeof(err.message));
	/* nor what is said around it */
	rv_context(&err, "push %s", "web/clicks");
	assert_true(rv_starts_with(err.message, "push web/clicks: "));
	assert_true(rv_ends_with(err.message, "ppp: No space left on device"));
	rv_fail(&err, RV_LOCAL_IO, "No space left on device");
	rv_context(&err, "object %s", path);
	assert_true(rv_starts_with(err.message, "object ppp"));
	assert_true(rv_ends_with(err.message, "ppp: No space left on device"));
	/* and of a path its end is what tells files apart */
	memcpy(path + 4095 - 7, "/a.yaml", 7);
	rv_error_at(&err, path, 3, 1);
	assert_true(rv_starts_with(err.file, "...ppp"));
	assert_true(rv_ends_with(err.file, "ppp/a.yaml"));
	rv_error_at(&err, err.file, 4, 0);
	assert_true(rv_ends_with(err.file, "ppp/a.yaml"));
}

static void test_control_characters(void **state RV_UNUSED)
{
	struct rv_error err = RV_ERROR_INIT;
	char all[34];

	for (int i = 1; i < 32; i++)
		all[i - 1] = (char)i;
	all[31] = 0x7f;
	all[32] = '!';
	all[33] = '\0';
	rv_fail(&err, RV_FAILED, "%s", all);
	assert_int_equal(strspn(err.message, "?"), 32);
	assert_string_equal(err.message + 32, "!");
	rv_hint(&err, "%s", "a\033[31mb");
	assert_string_equal(err.hint, "a?[31mb");
	rv_context(&err, "x\ny");
	assert_true(rv_starts_with(err.message, "x?y: ?"));
	rv_fail(&err, RV_FAILED, "gr\303\274n \360\237\214\212");
	assert_string_equal(err.message, "gr\303\274n \360\237\214\212");
}

/* The text ends with whole characters: of `tail`, as many as fit. */
static void expect_whole(const char *text, size_t size, size_t lead, const char *tail)
{
	size_t len = strlen(text), tail_len = strlen(tail);

	assert_true(len < size);
	assert_true(len >= lead && (len - lead) % tail_len == 0);
	assert_true(len + 2 * tail_len > size - 1); /* and no more was given up than had to be */
	for (size_t at = lead; at < len; at += tail_len)
		assert_memory_equal(text + at, tail, tail_len);
}

static void test_truncation(void **state RV_UNUSED)
{
	static const char *const characters[] = { "x", "\303\274", "\342\202\254", "\360\237\214\212" };
	struct rv_error err = RV_ERROR_INIT;

	for (size_t c = 0; c < 4; c++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf many = RV_STRBUF_INIT;

		while (many.len < 3000)
			rv_strbuf_puts(&many, characters[c]);
		/* each position of the cut within a character */
		for (int lead = 0; lead < 8; lead++) {
			rv_fail(&err, RV_FAILED, "%.*s%s", lead, "........", many.bytes);
			expect_whole(err.message, sizeof(err.message), (size_t)lead, characters[c]);
			rv_hint(&err, "%.*s%s", lead, "........", many.bytes);
			expect_whole(err.hint, sizeof(err.hint), (size_t)lead, characters[c]);
			rv_context(&err, "%.*s", lead, "........");
			assert_true(strlen(err.message) < sizeof(err.message));
		}
		rv_error_at(&err, many.bytes, 1, 1);
		assert_true(rv_starts_with(err.file, "..."));
		expect_whole(err.file, sizeof(err.file), 3, characters[c]);
		rv_fail(&err, RV_FAILED, "inner");
		rv_context(&err, "%s", many.bytes);
		assert_true(rv_ends_with(err.message, ": inner"));
		err.message[strlen(err.message) - strlen(": inner")] = '\0';
		expect_whole(err.message, sizeof(err.message) - strlen(": inner"), 0, characters[c]);
		assert_int_equal(err.status, RV_FAILED);
		/* both too long: the beginning of the one, the end of the other */
		rv_fail(&err, RV_FAILED, "%.*s reason", 1000 / (int)strlen(characters[c]) * (int)strlen(characters[c]),
			many.bytes);
		rv_context(&err, "%s", many.bytes);
		assert_true(rv_ends_with(err.message, " reason"));
		char *colon = strstr(err.message, ": ");
		assert_non_null(colon);
		*colon = '\0';
		expect_whole(err.message, 256, 0, characters[c]);
		colon[strlen(colon + 2) + 2 - strlen(" reason")] = '\0';
		expect_whole(colon + 2, sizeof(err.message) - 256 - strlen(" reason"), 0, characters[c]);
	}
}

/* What just fits is not cut. */
static void test_exact_fit(void **state RV_UNUSED)
{
	struct rv_error err = RV_ERROR_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;

	while (text.len < sizeof(err.message) - 3)
		rv_strbuf_putc(&text, '.');
	rv_strbuf_puts(&text, "\303\274");
	rv_fail(&err, RV_FAILED, "%s", text.bytes);
	assert_string_equal(err.message, text.bytes);
}

static void test_bug(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf said = RV_STRBUF_INIT;
	char piece[256];
	int pipes[2], ended;
	ssize_t n;

	assert_int_equal(pipe(pipes), 0);
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		dup2(pipes[1], STDERR_FILENO);
		rv_bug_at("lib/x.c", 12, "impossible: %d", 3);
	}
	close(pipes[1]);
	while ((n = read(pipes[0], piece, sizeof(piece))) > 0)
		rv_strbuf_add(&said, piece, (size_t)n);
	close(pipes[0]);
	assert_int_equal(waitpid(child, &ended, 0), child);
	assert_true(WIFEXITED(ended) && WEXITSTATUS(ended) == 70);
	assert_string_equal(said.bytes, "river: bug at lib/x.c:12: impossible: 3\n");
}

static void test_gravity(void **state RV_UNUSED)
{
	static const enum rv_status order[] = { RV_INTERNAL, RV_LOCAL_IO, RV_DAMAGED, RV_AUTH, RV_KEPT,
						RV_BAD_CONFIG, RV_FAILED, RV_PARTIAL, RV_NOT_FOUND, RV_OK };

	for (size_t i = 1; i < sizeof(order) / sizeof(*order); i++)
		assert_true(rv_status_gravity(order[i - 1]) > rv_status_gravity(order[i]));
	assert_int_equal(rv_status_gravity(RV_CONFLICT), rv_status_gravity(RV_FAILED));
	assert_int_equal(rv_status_graver(RV_CONFLICT, RV_FAILED), RV_CONFLICT);
	assert_int_equal(rv_status_graver(RV_CONFLICT, RV_DAMAGED), RV_DAMAGED);
	assert_int_equal(rv_status_graver(RV_DAMAGED, RV_OK), RV_DAMAGED);
	assert_int_equal(rv_status_gravity(RV_OK), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_statuses),
		cmocka_unit_test(test_filling),
		cmocka_unit_test(test_context),
		cmocka_unit_test(test_errno),
		cmocka_unit_test(test_errno_behind_a_long_path),
		cmocka_unit_test(test_control_characters),
		cmocka_unit_test(test_truncation),
		cmocka_unit_test(test_exact_fit),
		cmocka_unit_test(test_bug),
		cmocka_unit_test(test_gravity),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

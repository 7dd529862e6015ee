/* Files, folders and locks: whole or not at all, with and without unnamed files. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"

static char folder[64];
static struct rv_error err;

#define assert_ok(call)                                                                            \
	do {                                                                                       \
		if ((call) != RV_OK)                                                               \
			fail_msg("%s: %s", #call, err.message);                                    \
	} while (0)

/* A path in the folder, good for a few calls more. */
static const char *in(const char *name)
{
	static char paths[8][256];
	static unsigned next;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	return path;
}

static int set_up(void **state RV_UNUSED)
{
	umask(022);
	err = (struct rv_error)RV_ERROR_INIT;
	snprintf(folder, sizeof(folder), "%s/river-file-XXXXXX", P_tmpdir);
	return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state RV_UNUSED)
{
	return rv_remove_tree(folder, &err) == RV_OK ? 0 : -1;
}

static void write_plain(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static void expect_content(const char *path, const char *text)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf found = RV_STRBUF_INIT;

	assert_ok(rv_read_file(path, 1 << 20, &found, &err));
	assert_string_equal(found.bytes, text);
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	return st.st_mode & 07777;
}

static enum rv_status join_names(void *arg, const char *name, struct rv_error *e RV_UNUSED)
{
	rv_strbuf_printf(arg, "%s ", name);
	return RV_OK;
}

/* All there is in a folder, hidden names too. */
static unsigned count_entries(const char *path)
{
	RV_CLEANUP(rv_free_p) char *command = rv_asprintf("ls -A '%s' | wc -l", path);
	FILE *f = popen(command, "r");
	unsigned count = 99;

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%u", &count), 1);
	assert_int_equal(pclose(f), 0);
	return count;
}

/* Runs in a child: 0 is success, so that asserts of the parent stay the parent's. */
static int in_child(int (*body)(void))
{
	int ended;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0)
		_exit(body());
	assert_int_equal(waitpid(child, &ended, 0), child);
	return WIFEXITED(ended) ? WEXITSTATUS(ended) : 128 + WTERMSIG(ended);
}

/* ---- reading and writing ---- */

static void test_read_file(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sb = RV_STRBUF_INIT;

	rv_strbuf_puts(&sb, "what was there before");
	write_plain(in("empty"), "");
	assert_ok(rv_read_file(in("empty"), 0, &sb, &err));
	assert_int_equal(sb.len, 0);
	write_plain(in("five"), "12345");
	assert_ok(rv_read_file(in("five"), 5, &sb, &err));
	assert_string_equal(sb.bytes, "12345");
	assert_int_equal(rv_read_file(in("five"), 4, &sb, &err), RV_BAD_DATA);
	assert_non_null(strstr(err.message, "larger than 4 bytes"));
	assert_int_equal(rv_read_file(in("none"), 5, &sb, &err), RV_NOT_FOUND);
	assert_int_equal(rv_read_file(in("five/below"), 5, &sb, &err), RV_NOT_FOUND);
	assert_int_equal(rv_read_file(folder, 5, &sb, &err), RV_LOCAL_IO);
	assert_non_null(strstr(err.message, folder));
}

static void test_read_fifo(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sb = RV_STRBUF_INIT;
	int ended;

	assert_int_equal(mkfifo(in("fifo"), 0600), 0);
	pid_t child = fork();

	if (child == 0) {
		int fd = open(in("fifo"), O_WRONLY);
		struct rv_error e;

		_exit(rv_write_all(fd, "one", 3, "fifo", &e) != RV_OK ||
		      rv_write_all(fd, "two", 3, "fifo", &e) != RV_OK);
	}
	assert_ok(rv_read_file(in("fifo"), 100, &sb, &err));
	assert_string_equal(sb.bytes, "onetwo");
	assert_int_equal(waitpid(child, &ended, 0), child);
	assert_int_equal(ended, 0);
}

static void nothing(int number RV_UNUSED)
{
}

/* A pipe takes a part at a time, and signals come in between. */
static void test_short_and_interrupted_writes(void **state RV_UNUSED)
{
	enum { SIZE = 3 << 20 };
	RV_CLEANUP(rv_free_p) char *sent = rv_malloc(SIZE);
	RV_CLEANUP(rv_free_p) char *got = rv_malloc(SIZE);
	struct sigaction action = { .sa_handler = nothing }, before;
	int pipes[2], ended;

	for (size_t i = 0; i < SIZE; i++)
		sent[i] = (char)(i * 31 >> 3);
	sigaction(SIGUSR1, &action, &before); /* without SA_RESTART */
	assert_int_equal(pipe(pipes), 0);
	pid_t parent = getpid(), child = fork();

	if (child == 0) {
		close(pipes[0]);
		_exit(rv_write_all(pipes[1], sent, SIZE, "pipe", &err) != RV_OK);
	}
	close(pipes[1]);
	pid_t pest = fork();

	if (pest == 0) {
		for (int i = 0; i < 200; i++) {
			kill(child, SIGUSR1);
			kill(parent, SIGUSR1);
			usleep(200);
		}
		_exit(0);
	}
	size_t len = 0;

	for (;;) {
		size_t n;

		assert_ok(rv_read_some(pipes[0], got + len, SIZE - len, &n, "pipe", &err));
		if (n == 0)
			break;
		len += n;
	}
	close(pipes[0]);
	while (waitpid(pest, &ended, 0) < 0)
		;
	while (waitpid(child, &ended, 0) < 0)
		;
	sigaction(SIGUSR1, &before, NULL);
	assert_int_equal(ended, 0);
	assert_int_equal(len, SIZE);
	assert_memory_equal(sent, got, SIZE);
}

static void test_failing_calls(void **state RV_UNUSED)
{
	char byte[4];
	size_t n = 7;

	assert_int_equal(rv_pwrite_all(-1, "x", 1, 0, "the thing", &err), RV_LOCAL_IO);
	assert_int_equal(rv_write_all(-1, "x", 1, "the thing", &err), RV_LOCAL_IO);
	assert_string_equal(err.message, "write the thing: Bad file descriptor");
	assert_ok(rv_write_all(-1, "", 0, "the thing", &err));
	assert_int_equal(rv_read_some(-1, byte, 1, &n, "the thing", &err), RV_LOCAL_IO);
	assert_string_equal(err.message, "read the thing: Bad file descriptor");
	assert_int_equal(rv_pread_full(-1, byte, 1, 0, &n, "the thing", &err), RV_LOCAL_IO);
	assert_int_equal(n, 7); /* untouched on failure */
	assert_int_equal(rv_fsync(-1, "the thing", &err), RV_LOCAL_IO);
	assert_string_equal(err.message, "fsync the thing: Bad file descriptor");
	assert_int_equal(rv_fsync_folder(in("none"), &err), RV_LOCAL_IO);
	assert_int_equal(rv_fsync_parent(in("none/x"), &err), RV_LOCAL_IO);
	assert_ok(rv_fsync_parent(in("x"), &err));
	int fd = open("/dev/full", O_WRONLY);

	if (fd >= 0) {
		assert_int_equal(rv_write_all(fd, "x", 1, "/dev/full", &err), RV_LOCAL_IO);
		assert_int_equal(rv_pwrite_all(fd, "x", 1, 5, "/dev/full", &err), RV_LOCAL_IO);
		assert_true(err.transient);
		close(fd);
	}
}

static void test_pread_full(void **state RV_UNUSED)
{
	char bytes[16];
	size_t n;

	write_plain(in("ten"), "0123456789");
	int fd = open(in("ten"), O_RDONLY);

	assert_ok(rv_pread_full(fd, bytes, 4, 3, &n, "ten", &err));
	assert_int_equal(n, 4);
	assert_memory_equal(bytes, "3456", 4);
	assert_ok(rv_pread_full(fd, bytes, 16, 8, &n, "ten", &err));
	assert_int_equal(n, 2);
	assert_ok(rv_pread_full(fd, bytes, 16, 99, &n, "ten", &err));
	assert_int_equal(n, 0);
	close(fd);
}

/* ---- new files ---- */

static void test_create_and_replace(void **state RV_UNUSED)
{
	assert_ok(rv_create_file(in("a"), "one", 3, 0, &err));
	assert_int_equal(mode_of(in("a")), 0644);
	assert_int_equal(rv_create_file(in("a"), "two", 3, 0, &err), RV_CONFLICT);
	assert_non_null(strstr(err.message, "exists already"));
	expect_content(in("a"), "one");
	assert_ok(rv_replace_file(in("a"), "three", 5, 0, &err));
	expect_content(in("a"), "three");
	assert_ok(rv_replace_file(in("a"), "", 0, 0, &err));
	expect_content(in("a"), "");
	umask(077);
	assert_ok(rv_replace_file(in("a"), "x", 1, 0, &err));
	assert_int_equal(mode_of(in("a")), 0600);
	assert_ok(rv_replace_file(in("a"), "x", 1, 0664, &err)); /* exact whatever the umask */
	assert_int_equal(mode_of(in("a")), 0664);
	assert_ok(rv_create_file(in("b"), "x", 1, 0640, &err));
	assert_int_equal(mode_of(in("b")), 0640);
	assert_int_equal(count_entries(folder), 2);
}

static void test_names_that_cannot_be(void **state RV_UNUSED)
{
	assert_int_equal(mkdir(in("folder"), 0755), 0);
	assert_int_equal(symlink("nowhere", in("dangling")), 0);
	write_plain(in("file"), "x");
	assert_int_equal(rv_create_file(in("none/a"), "x", 1, 0, &err), RV_LOCAL_IO);
	assert_int_equal(rv_create_file(in("file/a"), "x", 1, 0, &err), RV_LOCAL_IO);
	assert_int_equal(rv_create_file(in("folder"), "x", 1, 0, &err), RV_CONFLICT);
	assert_int_equal(rv_create_file(in("dangling"), "x", 1, 0, &err), RV_CONFLICT);
	assert_int_equal(rv_replace_file(in("folder"), "x", 1, 0, &err), RV_LOCAL_IO);
	assert_non_null(strstr(err.message, "/folder"));
	assert_int_equal(access(in("nowhere"), F_OK), -1);
	assert_int_equal(count_entries(folder), 3); /* no temporary file is left */
}

static void test_new_file_unpublished(void **state RV_UNUSED)
{
	struct rv_new_file file;

	assert_ok(rv_new_file_open(&file, folder, 0, &err));
	assert_ok(rv_write_all(file.fd, "x", 1, "x", &err));
	assert_true(fcntl(file.fd, F_GETFD) & FD_CLOEXEC);
	rv_new_file_discard(&file);
	assert_int_equal(file.fd, -1);
	rv_new_file_discard(&file);
	assert_int_equal(count_entries(folder), 0);
	assert_int_equal(rv_new_file_open(&file, in("none"), 0, &err), RV_LOCAL_IO);
	assert_non_null(strstr(err.message, "/none"));
	assert_int_equal(file.fd, -1);
	assert_ok(rv_new_file_open(&file, folder, 0, &err));
	close(file.fd); /* an fsync that fails takes the file with it */
	assert_int_equal(rv_new_file_publish(&file, in("a"), true, &err), RV_LOCAL_IO);
	assert_int_equal(count_entries(folder), 0);
}

static void test_unnamed(void **state RV_UNUSED)
{
	struct stat st;
	int fd;

	assert_ok(rv_unnamed_open(folder, &fd, &err));
	assert_ok(rv_write_all(fd, "x", 1, "x", &err));
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_nlink, 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
	assert_int_equal(count_entries(folder), 0);
	assert_int_equal(rv_unnamed_open(in("none"), &fd, &err), RV_LOCAL_IO);
}

/* What rv_new_file_open falls back to where no unnamed file can be had. */
static void open_named(struct rv_new_file *file, mode_t mode)
{
	*file = (struct rv_new_file)RV_NEW_FILE_INIT;
	assert_ok(rv_temporary_open(folder, mode, &file->temporary, &file->fd, &err));
}

static void test_named_fallback(void **state RV_UNUSED)
{
	struct rv_new_file file;

	open_named(&file, 0);
	assert_true(rv_starts_with(rv_path_base(file.temporary), RV_TEMPORARY_PREFIX));
	assert_true(fcntl(file.fd, F_GETFD) & FD_CLOEXEC);
	assert_ok(rv_write_all(file.fd, "one", 3, "x", &err));
	assert_ok(rv_new_file_publish(&file, in("a"), false, &err));
	assert_int_equal(file.fd, -1);
	assert_null(file.temporary);
	expect_content(in("a"), "one");
	assert_int_equal(count_entries(folder), 1);

	open_named(&file, 0600);
	assert_ok(rv_write_all(file.fd, "two", 3, "x", &err));
	assert_int_equal(rv_new_file_publish(&file, in("a"), false, &err), RV_CONFLICT);
	assert_int_equal(file.fd, -1);
	expect_content(in("a"), "one");
	assert_int_equal(count_entries(folder), 1);

	open_named(&file, 0600);
	assert_ok(rv_write_all(file.fd, "three", 5, "x", &err));
	assert_ok(rv_new_file_publish(&file, in("a"), true, &err));
	expect_content(in("a"), "three");
	assert_int_equal(mode_of(in("a")), 0600);
	assert_int_equal(count_entries(folder), 1);

	open_named(&file, 0);
	rv_new_file_discard(&file);
	assert_int_equal(count_entries(folder), 1);
}

/* A process that has no /proc: the whole of create and replace by temporary names. Needs root. */
static int without_proc(void)
{
	struct rv_new_file file;

	if (mkdir(in("root"), 0755) < 0 || chroot(in("root")) < 0 || chdir("/") < 0)
		return 77;
	if (access("/proc/self/fd", X_OK) == 0)
		return 1;
	if (rv_new_file_open(&file, "/", 0604, &err) != RV_OK || !file.temporary)
		return 2;
	if (rv_write_all(file.fd, "one", 3, "x", &err) != RV_OK ||
	    rv_new_file_publish(&file, "/a", false, &err) != RV_OK)
		return 3;
	if (rv_create_file("/a", "two", 3, 0, &err) != RV_CONFLICT)
		return 4;
	if (rv_create_file("/b", "two", 3, 0, &err) != RV_OK ||
	    rv_replace_file("/b", "three", 5, 0, &err) != RV_OK)
		return 5;
	if (rv_new_file_open(&file, "/none", 0, &err) != RV_LOCAL_IO)
		return 6;
	return 0;
}

static void test_without_proc(void **state RV_UNUSED)
{
	int ended = in_child(without_proc);

	if (ended == 77)
		skip(); /* not root */
	assert_int_equal(ended, 0);
	expect_content(in("root/a"), "one");
	assert_int_equal(mode_of(in("root/a")), 0604);
	expect_content(in("root/b"), "three");
	assert_int_equal(count_entries(in("root")), 2);
}

static void test_sweep(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_free_p) char *path = NULL;
	RV_CLEANUP(rv_close_p) int fd = -1;

	write_plain(in(RV_TEMPORARY_PREFIX "dead"), "x");
	write_plain(in("kept"), "x");
	write_plain(in(".tmp"), "x");
	assert_int_equal(symlink("kept", in(RV_TEMPORARY_PREFIX "link")), 0);
	assert_int_equal(mkdir(in(RV_TEMPORARY_PREFIX "folder"), 0755), 0);
	assert_ok(rv_temporary_open(folder, 0, &path, &fd, &err));
	rv_sweep_temporaries(folder);
	assert_int_equal(access(path, F_OK), 0); /* somebody is writing it */
	assert_int_equal(access(in(RV_TEMPORARY_PREFIX "dead"), F_OK), -1);
	assert_int_equal(count_entries(folder), 5);
	rv_close_p(&fd);
	fd = -1;
	rv_sweep_temporaries(folder);
	assert_int_equal(access(path, F_OK), -1);
	expect_content(in("kept"), "x");
	rv_sweep_temporaries(in("none"));
}

/* ---- folders ---- */

static void test_make_folders(void **state RV_UNUSED)
{
	assert_ok(rv_make_folders(in("a/b/c"), 0, &err));
	assert_int_equal(mode_of(in("a/b/c")), 0755);
	umask(0);
	assert_ok(rv_make_folders(in("a/b/d/e/"), 0700, &err));
	assert_int_equal(mode_of(in("a/b/d")), 0700);
	assert_int_equal(mode_of(in("a/b/d/e")), 0700);
	assert_int_equal(mode_of(in("a")), 0755); /* left as it was */
	assert_ok(rv_make_folders(in("a/b"), 0700, &err));
	assert_int_equal(mode_of(in("a/b")), 0755);
	write_plain(in("file"), "x");
	assert_int_equal(rv_make_folders(in("file"), 0, &err), RV_LOCAL_IO);
	assert_int_equal(rv_make_folders(in("file/x/y"), 0, &err), RV_LOCAL_IO);
	assert_non_null(strstr(err.message, "Not a directory"));
	assert_int_equal(symlink("a", in("link")), 0);
	assert_ok(rv_make_folders(in("link/f"), 0, &err));
	assert_int_equal(access(in("a/f"), F_OK), 0);
	/* a name that is taken by what is no folder and leads to none */
	assert_int_equal(symlink("nowhere", in("dangling")), 0);
	assert_int_equal(rv_make_folders(in("dangling"), 0, &err), RV_LOCAL_IO);
	assert_int_equal(rv_make_folders("", 0, &err), RV_LOCAL_IO);
}

static void test_remove(void **state RV_UNUSED)
{
	write_plain(in("file"), "x");
	assert_ok(rv_remove_file(in("file"), &err));
	assert_ok(rv_remove_file(in("file"), &err));
	assert_int_equal(rv_remove_file(folder, &err), RV_LOCAL_IO);
	write_plain(in("file"), "x");
	assert_ok(rv_remove_tree(in("file"), &err));
	assert_ok(rv_remove_tree(in("file"), &err));
}

static void test_203_remove_tree_follows_no_links(void **state RV_UNUSED)
{
	assert_ok(rv_make_folders(in("outside/deep"), 0, &err));
	write_plain(in("outside/deep/kept"), "x");
	assert_ok(rv_make_folders(in("tree/a/b"), 0, &err));
	write_plain(in("tree/a/.hidden"), "x");
	write_plain(in("tree/a/b/f"), "x");
	assert_int_equal(symlink("../outside", in("tree/to-folder")), 0);
	assert_int_equal(symlink("../../../outside/deep/kept", in("tree/a/b/to-file")), 0);
	assert_int_equal(symlink("nowhere", in("tree/dangling")), 0);
	assert_int_equal(mkfifo(in("tree/fifo"), 0600), 0);
	assert_ok(rv_remove_tree(in("tree"), &err));
	assert_int_equal(access(in("tree"), F_OK), -1);
	expect_content(in("outside/deep/kept"), "x");
	/* given a link itself: that is all that goes */
	assert_int_equal(symlink("outside", in("link")), 0);
	assert_ok(rv_remove_tree(in("link"), &err));
	expect_content(in("outside/deep/kept"), "x");
	assert_int_equal(count_entries(folder), 1);
}

/* What another process does in front of a removal: it removes the same, makes something anew, or puts a link to
 * somewhere else in its place. */
static enum { ALONE, REMOVED, MADE, SWAPPED } meanwhile;

int unlinkat(int fd, const char *name, int flags)
{
	if (meanwhile == REMOVED)
		syscall(SYS_unlinkat, fd, name, flags);
	if (meanwhile == MADE && flags == AT_REMOVEDIR && strcmp(name, "a") == 0)
		write_plain(in("tree/a/new"), "x");
	int r = (int)syscall(SYS_unlinkat, fd, name, flags);

	if (meanwhile == SWAPPED && r < 0 && strcmp(name, "a") == 0 && rename(in("tree/a"), in("away")) == 0 &&
	    symlink("../outside", in("tree/a")) == 0)
		errno = EISDIR;
	return r;
}

static void make_tree(void)
{
	assert_ok(rv_make_folders(in("tree/a/b"), 0, &err));
	write_plain(in("tree/a/b/f"), "x");
	write_plain(in("tree/g"), "x");
}

static void test_203_remove_tree_beside_others(void **state RV_UNUSED)
{
	assert_ok(rv_make_folders(in("outside"), 0, &err));
	write_plain(in("outside/kept"), "x");
	make_tree();
	meanwhile = REMOVED;
	assert_ok(rv_remove_tree(in("tree"), &err));
	assert_int_equal(access(in("tree"), F_OK), -1);

	/* what is new may be of somebody who will miss it: it is said */
	make_tree();
	meanwhile = MADE;
	assert_int_equal(rv_remove_tree(in("tree"), &err), RV_LOCAL_IO);
	assert_non_null(strstr(err.message, "/tree/a: "));
	assert_non_null(strstr(err.message, strerror(ENOTEMPTY)));
	expect_content(in("tree/a/new"), "x");
	meanwhile = ALONE;
	assert_ok(rv_remove_tree(in("tree"), &err));

	make_tree();
	meanwhile = SWAPPED;
	assert_int_equal(rv_remove_tree(in("tree"), &err), RV_LOCAL_IO);
	meanwhile = ALONE;
	assert_non_null(strstr(err.message, "/tree/a: "));
	expect_content(in("outside/kept"), "x");
	assert_ok(rv_remove_tree(in("tree"), &err));
	expect_content(in("outside/kept"), "x");
}

/* Root may do anything; somebody else finds folders that cannot be written. */
static int remove_unwritable(void)
{
	if (geteuid() == 0 && (setgid(65534) < 0 || setuid(65534) < 0))
		return 3;
	if (rv_remove_tree(in("tree"), &err) != RV_LOCAL_IO)
		return 1;
	return strstr(err.message, "/tree/") ? 0 : 2;
}

static void test_remove_tree_refused(void **state RV_UNUSED)
{
	assert_ok(rv_make_folders(in("tree/a"), 0, &err));
	write_plain(in("tree/a/f"), "x");
	assert_int_equal(chmod(folder, 0755), 0);
	assert_int_equal(chmod(in("tree"), 0555), 0);
	assert_int_equal(chmod(in("tree/a"), 0555), 0);
	int ended = in_child(remove_unwritable);

	assert_int_equal(chmod(in("tree"), 0755), 0);
	assert_int_equal(chmod(in("tree/a"), 0755), 0);
	assert_int_equal(ended, 0);
	expect_content(in("tree/a/f"), "x");
}

static enum rv_status stop_at_b(void *arg, const char *name, struct rv_error *e)
{
	rv_strbuf_printf(arg, "%s ", name);
	return strcmp(name, "b") == 0 ? rv_fail(e, RV_DAMAGED, "at b") : RV_OK;
}

static void test_each_entry(void **state RV_UNUSED)
{
	static const char *const names[] = { "b", "a", "B", "_", "10", "9", "a b", "a+", "\303\244", "z",
					     ".hidden", RV_TEMPORARY_PREFIX "x" };
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf seen = RV_STRBUF_INIT;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		write_plain(in(names[i]), "");
	assert_ok(rv_each_entry(folder, join_names, &seen, &err));
	assert_string_equal(seen.bytes, "10 9 B _ a a b a+ b z \303\244 ");
	rv_strbuf_clear(&seen);
	assert_int_equal(rv_each_entry(folder, stop_at_b, &seen, &err), RV_DAMAGED);
	assert_string_equal(seen.bytes, "10 9 B _ a a b a+ b ");
	rv_strbuf_clear(&seen);
	assert_ok(rv_each_entry(in("none"), join_names, &seen, &err));
	assert_ok(rv_each_entry(in("a"), join_names, &seen, &err));
	assert_int_equal(seen.len, 0);
	assert_int_equal(symlink("loop", in("loop")), 0);
	assert_int_equal(rv_each_entry(in("loop"), join_names, &seen, &err), RV_LOCAL_IO);
}

/* ---- paths ---- */

static void expect_text(char *got, const char *want)
{
	assert_string_equal(got, want);
	free(got);
}

static void test_paths(void **state RV_UNUSED)
{
	static const char *const parents[][2] = {
		{ "a", "." }, { "", "." }, { "a/b", "a" }, { "a/b/", "a" }, { "a//b", "a" },
		{ "/a", "/" }, { "/", "/" }, { "//", "/" }, { "//a", "/" }, { "/a/b//", "/a" },
		{ "./a", "." }, { "a/", "." },
	};
	static const char *const absolutes[][2] = {
		{ "/", "/" }, { "/a/b", "/a/b" }, { "//a///b/", "/a/b" }, { "/a/./b", "/a/b" },
		{ "/a/../b", "/b" }, { "/a/b/../..", "/" }, { "/../..", "/" }, { "/../a", "/a" },
		{ "/a/..b", "/a/..b" }, { "/a/...", "/a/..." }, { "/a b/\303\244", "/a b/\303\244" },
	};
	char cwd[256];

	expect_text(rv_path_join("a", "b"), "a/b");
	expect_text(rv_path_join("a/", "b"), "a/b");
	expect_text(rv_path_join("", "b"), "b");
	expect_text(rv_path_join("/", "b"), "/b");
	expect_text(rv_path_join("a", "/b"), "/b");
	for (size_t i = 0; i < sizeof(parents) / sizeof(*parents); i++)
		expect_text(rv_path_parent(parents[i][0]), parents[i][1]);
	assert_string_equal(rv_path_base("a/b"), "b");
	assert_string_equal(rv_path_base("b"), "b");
	assert_string_equal(rv_path_base("/b"), "b");
	for (size_t i = 0; i < sizeof(absolutes) / sizeof(*absolutes); i++)
		expect_text(rv_path_absolute(absolutes[i][0]), absolutes[i][1]);
	assert_non_null(getcwd(cwd, sizeof(cwd)));
	RV_CLEANUP(rv_free_p) char *real = realpath(folder, NULL);

	assert_int_equal(chdir(folder), 0);
	char *here = rv_path_absolute("."), *below = rv_path_absolute("x/..//y");
	char *above = rv_path_absolute("..");

	assert_int_equal(chdir(cwd), 0);
	expect_text(here, real);
	expect_text(rv_path_parent(below), real);
	assert_string_equal(rv_path_base(below), "y");
	free(below);
	expect_text(rv_path_parent(real), above);
	free(above);
	char *beside = rv_temporary_beside("/some/where/file");

	assert_true(rv_starts_with(beside, "/some/where/" RV_TEMPORARY_PREFIX));
	free(beside);
}

/* ---- locks ---- */

/* A second process tries the lock: what became of it. */
static enum rv_lock_kind tried_kind;
static int64_t tried_timeout_ms;

static int try_it(void)
{
	struct rv_lock lock = RV_LOCK_INIT;

	return (int)rv_lock_take(&lock, in("lock"), tried_kind, tried_timeout_ms, 0, &err);
}

static enum rv_status elsewhere(enum rv_lock_kind kind, int64_t timeout_ms)
{
	tried_kind = kind;
	tried_timeout_ms = timeout_ms;
	return (enum rv_status)in_child(try_it);
}

static void test_locks_between_processes(void **state RV_UNUSED)
{
	struct rv_lock lock = RV_LOCK_INIT, second = RV_LOCK_INIT;

	assert_ok(rv_lock_take(&lock, in("lock"), RV_LOCK_EXCLUSIVE, 0, 0, &err));
	assert_int_equal(mode_of(in("lock")), 0600);
	assert_true(fcntl(lock.fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(elsewhere(RV_LOCK_EXCLUSIVE, 0), RV_LOCKED);
	assert_int_equal(elsewhere(RV_LOCK_SHARED, 0), RV_LOCKED);
	/* also against this process: two threads are two holders */
	assert_int_equal(rv_lock_take(&second, in("lock"), RV_LOCK_SHARED, 0, 0, &err), RV_LOCKED);
	assert_int_equal(second.fd, -1);
	assert_non_null(strstr(err.message, "/lock is held by another process"));
	rv_lock_release(&lock);
	rv_lock_release(&lock);
	assert_int_equal(elsewhere(RV_LOCK_EXCLUSIVE, 0), RV_OK);

	assert_ok(rv_lock_take(&lock, in("lock"), RV_LOCK_SHARED, 0, 0, &err));
	assert_int_equal(elsewhere(RV_LOCK_SHARED, 0), RV_OK);
	assert_int_equal(elsewhere(RV_LOCK_EXCLUSIVE, 0), RV_LOCKED);
	assert_ok(rv_lock_take(&second, in("lock"), RV_LOCK_SHARED, 0, 0, &err));
	rv_lock_release(&lock);
	assert_int_equal(elsewhere(RV_LOCK_EXCLUSIVE, 0), RV_LOCKED); /* one is left */
	rv_lock_release(&second);
	assert_int_equal(elsewhere(RV_LOCK_EXCLUSIVE, 0), RV_OK);
}

static enum rv_lock_kind nobodys_kind;

static int lock_as_nobody(void)
{
	struct rv_lock lock = RV_LOCK_INIT;

	if (geteuid() == 0 && (setgid(65534) < 0 || setuid(65534) < 0))
		return 99;
	enum rv_status status = rv_lock_take(&lock, in("shut/lock"), nobodys_kind, 0, 0, &err);

	return (int)status + (lock.fd < 0 ? 50 : 0);
}

/* Whoever may only read shares the lock all the same, and goes without where there is none. */
static void test_lock_of_others(void **state RV_UNUSED)
{
	struct rv_lock lock = RV_LOCK_INIT;

	assert_ok(rv_make_folders(in("shut"), 0755, &err));
	assert_int_equal(chmod(folder, 0755), 0);
	assert_int_equal(chmod(in("shut"), 0555), 0);
	nobodys_kind = RV_LOCK_SHARED;
	assert_int_equal(in_child(lock_as_nobody), RV_OK + 50);
	nobodys_kind = RV_LOCK_EXCLUSIVE;
	assert_int_equal(in_child(lock_as_nobody), RV_LOCAL_IO + 50);
	assert_int_equal(chmod(in("shut"), 0755), 0);
	assert_ok(rv_lock_take(&lock, in("shut/lock"), RV_LOCK_SHARED, 0, 0444, &err));
	assert_int_equal(chmod(in("shut/lock"), 0444), 0);
	assert_int_equal(chmod(in("shut"), 0555), 0);
	assert_int_equal(in_child(lock_as_nobody), RV_LOCAL_IO + 50);
	nobodys_kind = RV_LOCK_SHARED;
	assert_int_equal(in_child(lock_as_nobody), RV_OK);
	rv_lock_release(&lock);
	assert_int_equal(chmod(in("shut"), 0755), 0);
	assert_ok(rv_lock_take(&lock, in("shut/other"), RV_LOCK_EXCLUSIVE, 0, 0, &err));
	rv_lock_release(&lock);
}

static void test_lock_timeout(void **state RV_UNUSED)
{
	struct rv_lock lock = RV_LOCK_INIT;

	assert_ok(rv_lock_take(&lock, in("lock"), RV_LOCK_EXCLUSIVE, -1, 0, &err));
	int64_t start = rv_clock_monotonic_ms();

	assert_int_equal(elsewhere(RV_LOCK_EXCLUSIVE, 120), RV_LOCKED);
	assert_true(rv_clock_monotonic_ms() - start >= 120);
	/* let go of while somebody waits */
	int ended;
	pid_t child = fork();

	if (child == 0) {
		struct rv_lock mine = RV_LOCK_INIT;

		close(lock.fd);
		_exit((int)rv_lock_take(&mine, in("lock"), RV_LOCK_EXCLUSIVE, 60000, 0, &err));
	}
	usleep(20000);
	rv_lock_release(&lock);
	assert_int_equal(waitpid(child, &ended, 0), child);
	assert_int_equal(ended, 0);
}

/* Whoever waits for a file that is then removed must not get in beside the next one. */
static void test_removed_lock_file(void **state RV_UNUSED)
{
	struct rv_lock lock = RV_LOCK_INIT, other = RV_LOCK_INIT;
	int ready[2], ended;
	char byte;

	assert_ok(rv_lock_take(&lock, in("lock"), RV_LOCK_EXCLUSIVE, 0, 0, &err));
	assert_int_equal(pipe(ready), 0);
	pid_t child = fork();

	if (child == 0) {
		struct rv_lock mine = RV_LOCK_INIT;
		struct stat held, named;

		close(lock.fd);
		if (write(ready[1], "x", 1) != 1 ||
		    rv_lock_take(&mine, in("lock"), RV_LOCK_EXCLUSIVE, 60000, 0, &err) != RV_OK)
			_exit(1);
		_exit(fstat(mine.fd, &held) || stat(in("lock"), &named) || held.st_ino != named.st_ino);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	usleep(50000); /* it has most likely opened the first file; if not, it waits for the second */
	assert_int_equal(unlink(in("lock")), 0);
	assert_ok(rv_lock_take(&other, in("lock"), RV_LOCK_EXCLUSIVE, 0, 0, &err));
	rv_lock_release(&lock);
	assert_int_equal(waitpid(child, &ended, WNOHANG), 0);
	usleep(100000);
	assert_int_equal(waitpid(child, &ended, WNOHANG), 0); /* the other one still holds it */
	rv_lock_release(&other);
	assert_int_equal(waitpid(child, &ended, 0), child);
	assert_int_equal(ended, 0);
}

/* A pager or credential helper that outlives river must not hold its locks. */
static void test_exec_lets_go(void **state RV_UNUSED)
{
	struct rv_lock lock = RV_LOCK_INIT;
	int ended;

	assert_ok(rv_lock_take(&lock, in("lock"), RV_LOCK_EXCLUSIVE, 0, 0, &err));
	int started[2];
	char byte;

	assert_int_equal(pipe(started), 0);
	pid_t child = fork();

	if (child == 0) {
		dup2(started[1], STDOUT_FILENO);
		close(started[0]);
		close(started[1]);
		execl("/bin/sh", "sh", "-c", "echo; exec sleep 60", (char *)NULL);
		_exit(127);
	}
	close(started[1]);
	assert_int_equal(read(started[0], &byte, 1), 1);
	close(started[0]);
	assert_int_equal(elsewhere(RV_LOCK_EXCLUSIVE, 0), RV_LOCKED); /* ours goes on */
	rv_lock_release(&lock);
	assert_int_equal(elsewhere(RV_LOCK_EXCLUSIVE, 0), RV_OK);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &ended, 0), child);
}

static int hold_and_die(void)
{
	struct rv_lock lock = RV_LOCK_INIT;

	if (rv_lock_take(&lock, in("lock"), RV_LOCK_EXCLUSIVE, 0, 0, &err) != RV_OK)
		return 1;
	kill(getpid(), SIGKILL);
	return 2;
}

static void test_killed_holder(void **state RV_UNUSED)
{
	assert_int_equal(in_child(hold_and_die), 128 + SIGKILL);
	assert_int_equal(elsewhere(RV_LOCK_EXCLUSIVE, 0), RV_OK);
}

static void test_203_lock_refused(void **state RV_UNUSED)
{
	struct rv_lock lock = RV_LOCK_INIT;

	assert_int_equal(rv_lock_take(&lock, in("none/lock"), RV_LOCK_SHARED, 0, 0, &err), RV_LOCAL_IO);
	assert_int_equal(rv_lock_take(&lock, folder, RV_LOCK_SHARED, 0, 0, &err), RV_LOCAL_IO);
	assert_int_equal(symlink("elsewhere", in("link")), 0);
	assert_int_equal(rv_lock_take(&lock, in("link"), RV_LOCK_SHARED, 0, 0, &err), RV_LOCAL_IO);
	assert_int_equal(access(in("elsewhere"), F_OK), -1);
	assert_int_equal(lock.fd, -1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_read_file),
		TEST(test_read_fifo),
		TEST(test_short_and_interrupted_writes),
		TEST(test_failing_calls),
		TEST(test_pread_full),
		TEST(test_create_and_replace),
		TEST(test_names_that_cannot_be),
		TEST(test_new_file_unpublished),
		TEST(test_unnamed),
		TEST(test_named_fallback),
		TEST(test_without_proc),
		TEST(test_sweep),
		TEST(test_make_folders),
		TEST(test_remove),
		TEST(test_203_remove_tree_follows_no_links),
		TEST(test_203_remove_tree_beside_others),
		TEST(test_remove_tree_refused),
		TEST(test_each_entry),
		TEST(test_paths),
		TEST(test_locks_between_processes),
		TEST(test_lock_of_others),
		TEST(test_lock_timeout),
		TEST(test_removed_lock_file),
		TEST(test_exec_lets_go),
		TEST(test_killed_holder),
		TEST(test_203_lock_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

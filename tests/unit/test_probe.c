/* What is asked of a file system, on one that is known to be good. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/probe.h"

static char root[64];

static int set_up(void **state RV_UNUSED)
{
	strcpy(root, "/tmp/river-test-probe-XXXXXX");
	return mkdtemp(root) ? 0 : -1;
}

/* Nothing that was made for a probe may be left: rmdir fails otherwise. */
static int tear_down(void **state RV_UNUSED)
{
	return rmdir(root);
}

static void test_good_folder(void **state RV_UNUSED)
{
	struct rv_error err = RV_ERROR_INIT;
	struct rv_file_system fs;
	int64_t skew_ms = INT64_MAX;
	assert_int_equal(rv_probe_create(root, &skew_ms, &err), RV_OK);
	assert_true(skew_ms > -60000 && skew_ms < 60000);
	assert_int_equal(rv_probe_replace(root, &err), RV_OK);
	assert_int_equal(rv_probe_lock(root, &err), RV_OK);
	assert_int_equal(rv_probe_file_system(root, &fs, &err), RV_OK);
	assert_true(fs.type[0] != '\0');
	assert_false(fs.read_only);
}

static void test_proc_can_do_nothing(void **state RV_UNUSED)
{
	struct rv_error err = RV_ERROR_INIT;
	int64_t skew_ms;
	assert_int_equal(rv_probe_create("/proc", &skew_ms, &err), RV_LOCAL_IO);
	assert_int_equal(rv_probe_replace("/proc", &err), RV_LOCAL_IO);
	assert_int_equal(rv_probe_lock("/proc", &err), RV_LOCAL_IO);
}

static void test_existing(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_free_p) char *deep = rv_path_join(root, "a/b/c");
	RV_CLEANUP(rv_free_p) char *found = rv_probe_existing(deep);
	assert_string_equal(found, root);
	RV_CLEANUP(rv_free_p) char *top = rv_probe_existing("/no-such-folder-of-river/x");
	assert_string_equal(top, "/");
}

static void test_locked_by(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_free_p) char *path = rv_path_join(root, "f");
	struct rv_error err = RV_ERROR_INIT;
	pid_t holder = -2;
	assert_int_equal(rv_probe_locked_by(path, &holder, &err), RV_OK);
	assert_int_equal(holder, 0);
	int held[2], done[2];
	assert_int_equal(pipe(held), 0);
	assert_int_equal(pipe(done), 0);
	pid_t child = fork();
	if (child == 0) {
		char byte;
		struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
		int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		close(done[1]);
		bool good = fd >= 0 && fcntl(fd, F_SETLK, &lock) == 0 &&
			    write(held[1], "1", 1) == 1 && read(done[0], &byte, 1) == 0;
		_exit(good ? 0 : 1);
	}
	char byte;
	int status;
	close(held[1]);
	assert_int_equal(read(held[0], &byte, 1), 1);
	assert_int_equal(rv_probe_locked_by(path, &holder, &err), RV_OK);
	assert_int_equal(holder, child);
	close(done[1]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(rv_probe_locked_by(path, &holder, &err), RV_OK);
	assert_int_equal(holder, 0);

	struct rv_lock lock = RV_LOCK_INIT;
	assert_int_equal(rv_lock_take(&lock, path, RV_LOCK_EXCLUSIVE, 0, 0, &err), RV_OK);
	assert_int_equal(rv_probe_locked_by(path, &holder, &err), RV_OK);
	assert_int_equal(holder, -1);
	rv_lock_release(&lock);
	close(held[0]);
	close(done[0]);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_folder),
		cmocka_unit_test(test_proc_can_do_nothing),
		cmocka_unit_test(test_existing),
		cmocka_unit_test(test_locked_by),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}

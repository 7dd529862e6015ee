/* The end of DuckDB's log after a power cut. */
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

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "warehouse/duckdb_log.h"

static char folder[64];

static int set_up(void **state RV_UNUSED)
{
	snprintf(folder, sizeof(folder), "/tmp/river-log-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state RV_UNUSED)
{
	struct rv_error err = RV_ERROR_INIT;
	return rv_remove_tree(folder, &err) == RV_OK ? 0 : -1;
}

/* The size that a log of `len` bytes and `zeros` zeros behind them has afterwards; whether it was cut is *ret. */
static off_t cut(const char *bytes, size_t len, size_t zeros, bool *ret)
{
	struct rv_error err = RV_ERROR_INIT;
	RV_CLEANUP(rv_free_p) char *path = rv_asprintf("%s/w.duckdb", folder);
	RV_CLEANUP(rv_free_p) char *log = rv_asprintf("%s.wal", path);
	RV_CLEANUP(rv_free_p) char *all = rv_calloc(1, len + zeros + 1);
	struct stat st;
	memcpy(all, bytes, len);
	assert_int_equal(rv_replace_file(log, all, len + zeros, 0600, &err), RV_OK);
	*ret = duck_log_cut_zeros(path);
	assert_int_equal(stat(log, &st), 0);
	return st.st_size;
}

static void test_3_zeros_are_cut(void **state RV_UNUSED)
{
	static const char entry[] = "\x05\0\0\0d\0\xff\xff";
	const size_t len = sizeof(entry) - 1;
	bool done;
	assert_int_equal(cut(entry, len, 0, &done), len);
	assert_false(done);
	static const size_t many[] = { 1, 7, 4096, 65535, 65536, 65537, 1 << 20 };
	for (size_t i = 0; i < sizeof(many) / sizeof(*many); i++) {
		assert_int_equal(cut(entry, len, many[i], &done), len);
		assert_true(done);
	}
	/* nothing of it ever came to the disk */
	assert_int_equal(cut("", 0, 100000, &done), 0);
	assert_true(done);
	assert_int_equal(cut("", 0, 0, &done), 0);
	assert_false(done);
}

static void test_3_nothing_to_cut(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_free_p) char *path = rv_asprintf("%s/none.duckdb", folder);
	RV_CLEANUP(rv_free_p) char *log = rv_asprintf("%s.wal", path);
	assert_false(duck_log_cut_zeros(path));
	assert_int_equal(symlink("w.duckdb.wal", log), 0);
	assert_false(duck_log_cut_zeros(path));
	assert_int_equal(unlink(log), 0);
	assert_int_equal(mkdir(log, 0700), 0);
	assert_false(duck_log_cut_zeros(path));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_3_zeros_are_cut),
		cmocka_unit_test(test_3_nothing_to_cut),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}

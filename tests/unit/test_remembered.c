/* The file of ids: what comes back, ends that are not whole, its size, and disks that take nothing. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/memory.h"
#include "collect/remembered.h"

struct world {
	char folder[64];
	char path[80];
	/* what was handed out last */
	struct rv_seen_id ids[4096];
	size_t count;
};

static void take(void *arg, struct rv_seen_id id)
{
	struct world *w = arg;
	assert_true(w->count < 4096);
	w->ids[w->count++] = id;
}

static int set_up(void **ret)
{
	struct world *w = rv_calloc(1, sizeof(*w));
	snprintf(w->folder, sizeof(w->folder), "%s/river-test-XXXXXX", P_tmpdir);
	assert_non_null(mkdtemp(w->folder));
	snprintf(w->path, sizeof(w->path), "%s/seen", w->folder);
	*ret = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	struct rv_error err;
	assert_int_equal(rv_remove_tree(w->folder, &err), RV_OK);
	free(w);
	return 0;
}

static bool opens(struct world *w, struct rv_remembered *r)
{
	struct rv_error err = RV_ERROR_INIT;
	bool damaged;
	w->count = 0;
	assert_int_equal(rv_remembered_open(r, w->folder, take, w, &damaged, &err), RV_OK);
	return !damaged;
}

static struct rv_seen_id id_of(uint64_t n)
{
	return (struct rv_seen_id){ .high = n * 7, .low = n + 1 };
}

static enum rv_status add(struct rv_remembered *r, uint64_t first, size_t count, uint64_t least)
{
	struct rv_error err = RV_ERROR_INIT;
	struct rv_seen_id ids[2048];
	assert_true(count <= 2048);
	for (size_t i = 0; i < count; i++)
		ids[i] = id_of(first + i);
	return rv_remembered_add(r, ids, count, least, &err);
}

static void assert_ids(const struct world *w, uint64_t first, size_t count)
{
	assert_int_equal(w->count, count);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(w->ids[i].high, id_of(first + i).high);
		assert_int_equal(w->ids[i].low, id_of(first + i).low);
	}
}

static void test_186_round_trip(void **state)
{
	struct world *w = *state;
	struct rv_remembered r;
	struct stat st;
	assert_true(opens(w, &r));
	assert_int_equal(w->count, 0);
	uint64_t seed = r.seed;
	assert_int_equal(add(&r, 0, 0, 1000), RV_OK);
	/* Nobody has sent anything: no file. */
	assert_int_equal(stat(w->path, &st), -1);
	assert_int_equal(add(&r, 0, 10, 1000), RV_OK);
	assert_int_equal(add(&r, 10, 5, 1000), RV_OK);
	assert_int_equal(stat(w->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	rv_remembered_release(&r);
	assert_true(opens(w, &r));
	assert_ids(w, 0, 15);
	assert_int_equal(r.seed, seed);
	assert_int_equal(add(&r, 15, 5, 1000), RV_OK);
	rv_remembered_release(&r);
	assert_true(opens(w, &r));
	assert_ids(w, 0, 20);
	rv_remembered_release(&r);
}

static void test_186_size(void **state)
{
	struct world *w = *state;
	struct rv_remembered r;
	struct stat st;
	uint64_t next = 0;
	assert_true(opens(w, &r));
	for (int i = 0; i < 300; i++, next += 37) {
		assert_int_equal(add(&r, next, 37, 500), RV_OK);
		assert_int_equal(stat(w->path, &st), 0);
		assert_true(st.st_size <= 16 + (1000 + 37) * 16);
	}
	rv_remembered_release(&r);
	assert_true(opens(w, &r));
	assert_true(w->count >= 500);
	assert_ids(w, next - w->count, w->count);
	/* More at once than are to be kept. */
	assert_int_equal(add(&r, next, 1500, 100), RV_OK);
	assert_int_equal(add(&r, next + 1500, 1, 100), RV_OK);
	rv_remembered_release(&r);
	assert_true(opens(w, &r));
	assert_ids(w, next + 1400, 101);
	rv_remembered_release(&r);
}

static void test_186_ends(void **state)
{
	struct world *w = *state;
	struct rv_remembered r;
	assert_true(opens(w, &r));
	assert_int_equal(add(&r, 0, 20, 1000), RV_OK);
	rv_remembered_release(&r);
	for (int len = 16 + 20 * 16; len >= 16; len -= 5) {
		assert_int_equal(truncate(w->path, len), 0);
		assert_true(opens(w, &r));
		assert_ids(w, 0, (size_t)(len - 16) / 16);
		rv_remembered_release(&r);
	}
	assert_true(opens(w, &r));
	assert_int_equal(add(&r, 0, 3, 1000), RV_OK);
	rv_remembered_release(&r);
	assert_true(opens(w, &r));
	assert_ids(w, 0, w->count);
	assert_int_equal(w->count, 3);
	rv_remembered_release(&r);
	/* What a power cut leaves of a file that had grown. */
	assert_int_equal(truncate(w->path, 16 + 10 * 16), 0);
	assert_true(opens(w, &r));
	assert_ids(w, 0, 3);
	rv_remembered_release(&r);
}

static void test_186_damaged(void **state)
{
	struct world *w = *state;
	struct rv_remembered r;
	struct rv_error err;
	static const char *const wrong[] = { "", "rvseen1\n1234567", "rvseen2\n12345678abcdefgh12345678" };
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(rv_replace_file(w->path, wrong[i], strlen(wrong[i]), 0600, &err), RV_OK);
		assert_false(opens(w, &r));
		assert_int_equal(w->count, 0);
		assert_int_equal(add(&r, 5, 2, 1000), RV_OK);
		rv_remembered_release(&r);
		assert_true(opens(w, &r));
		assert_ids(w, 5, 2);
		rv_remembered_release(&r);
	}
	bool damaged;
	assert_int_equal(unlink(w->path), 0);
	assert_int_equal(symlink("elsewhere", w->path), 0);
	assert_int_equal(rv_remembered_open(&r, w->folder, take, w, &damaged, &err), RV_LOCAL_IO);
	rv_remembered_release(&r);
}

static void test_186_one_at_a_time(void **state)
{
	struct world *w = *state;
	struct rv_remembered r, other;
	struct rv_error err;
	bool damaged;
	assert_true(opens(w, &r));
	assert_int_equal(add(&r, 0, 4, 1000), RV_OK);
	assert_int_equal(rv_remembered_open(&other, w->folder, take, w, &damaged, &err), RV_LOCKED);
	assert_int_equal(add(&other, 100, 4, 1000), RV_OK);
	rv_remembered_release(&other);
	rv_remembered_release(&r);
	assert_true(opens(w, &r));
	assert_ids(w, 0, 4);
	rv_remembered_release(&r);
}

/* From now on files may be so long. */
static void limit(rlim_t bytes)
{
	struct rlimit limit;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void test_186_full(void **state)
{
	struct world *w = *state;
	struct rv_remembered r;
	signal(SIGXFSZ, SIG_IGN);
	assert_true(opens(w, &r));
	limit(10);
	assert_int_equal(add(&r, 0, 10, 1000), RV_LOCAL_IO);
	limit(16 + 10 * 16);
	assert_int_equal(add(&r, 10, 0, 1000), RV_OK);
	/* Half of them goes in, and counts for nothing. */
	limit(16 + 12 * 16 + 5);
	assert_int_equal(add(&r, 10, 5, 1000), RV_LOCAL_IO);
	assert_int_equal(add(&r, 15, 5, 1000), RV_LOCAL_IO);
	limit(RLIM_INFINITY);
	assert_int_equal(add(&r, 20, 1, 1000), RV_OK);
	rv_remembered_release(&r);
	assert_true(opens(w, &r));
	assert_ids(w, 0, 21);
	rv_remembered_release(&r);
}

static void test_186_no_descriptors(void **state)
{
	struct world *w = *state;
	struct rv_remembered r;
	struct rlimit limit, none;
	assert_true(opens(w, &r));
	assert_int_equal(add(&r, 0, 10, 5), RV_OK);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	/* It is time to write it anew. */
	enum rv_status status = add(&r, 10, 3, 5);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(status, RV_LOCAL_IO);
	assert_int_equal(add(&r, 13, 1, 5), RV_OK);
	rv_remembered_release(&r);
	assert_true(opens(w, &r));
	assert_ids(w, 5, 9);
	rv_remembered_release(&r);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_186_round_trip),     TEST(test_186_size),        TEST(test_186_ends),
		TEST(test_186_damaged),        TEST(test_186_one_at_a_time), TEST(test_186_full),
		TEST(test_186_no_descriptors),
	};
	return cmocka_run_group_tests_name("remembered", tests, NULL, NULL);
}

/* One suite for every store, then what only a folder has to keep, then the faults of the one in memory. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "flaky_store.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "store/store.h"

static char folder[64];
static struct rv_error err;

#define assert_ok(call)                                                                            \
	do {                                                                                       \
		if ((call) != RV_OK)                                                               \
			fail_msg("%s: %s", #call, err.message);                                    \
	} while (0)

static int set_up_file(void **state)
{
	umask(022);
	snprintf(folder, sizeof(folder), "%s/river-store-XXXXXX", P_tmpdir);
	if (!mkdtemp(folder))
		return -1;
	RV_CLEANUP(rv_free_p) char *root = rv_path_join(folder, "lake"); /* the first put makes it */

	*state = rv_store_file_new(root);
	return 0;
}

static int tear_down_file(void **state)
{
	rv_store_free(*state);
	return rv_remove_tree(folder, &err) == RV_OK ? 0 : -1;
}

static int set_up_mem(void **state)
{
	*state = rv_store_mem_new();
	return 0;
}

static int tear_down_mem(void **state)
{
	rv_store_free(*state);
	return 0;
}

static const char *in(const char *name)
{
	static char paths[8][256];
	static unsigned next;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	return path;
}

static void put(struct rv_store *store, const char *name, const char *text)
{
	assert_ok(rv_store_put_bytes(store, name, text, strlen(text), NULL, &err));
}

static void expect(struct rv_store *store, const char *name, const char *text)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf got = RV_STRBUF_INIT;
	char etag[RV_ETAG_TEXT] = "";

	rv_strbuf_puts(&got, "what was there before");
	assert_ok(store->ops->get(store, name, 1 << 20, &got, etag, &err));
	assert_int_equal(got.len, strlen(text));
	assert_string_equal(got.bytes, text);
	assert_true(etag[0]);
}

static enum rv_status list_one(void *arg, const struct rv_store_object *object,
			       struct rv_error *e RV_UNUSED)
{
	rv_strbuf_printf(arg, "%s|", object->name);
	return RV_OK;
}

static void expect_list(struct rv_store *store, const struct rv_store_list *params, const char *want)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf got = RV_STRBUF_INIT;

	assert_ok(store->ops->list(store, params, list_one, &got, &err));
	assert_string_equal(got.bytes, want);
}

/* ---- every store ---- */

static void test_get_and_put(void **state)
{
	struct rv_store *store = *state;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf got = RV_STRBUF_INIT;
	char etag[RV_ETAG_TEXT];
	bool found = true;

	assert_int_equal(store->ops->get(store, "a/b", 100, &got, etag, &err), RV_NOT_FOUND);
	assert_ok(rv_store_get_optional(store, "a/b", 100, &got, etag, &found, &err));
	assert_false(found);
	put(store, "a/b", "one");
	expect(store, "a/b", "one");
	assert_ok(rv_store_get_optional(store, "a/b", 100, &got, etag, &found, &err));
	assert_true(found);
	put(store, "a/b", "three");
	expect(store, "a/b", "three");
	put(store, "a/b", "");
	expect(store, "a/b", "");
	put(store, "top", "without a folder");
	expect(store, "top", "without a folder");
	assert_ok(rv_store_put_bytes(store, "a/nul", "x\0y", 3, NULL, &err));
	assert_ok(store->ops->get(store, "a/nul", 3, &got, etag, &err));
	assert_int_equal(got.len, 3);
	assert_memory_equal(got.bytes, "x\0y", 4);
	assert_int_equal(store->ops->get(store, "a/nul", 2, &got, etag, &err), RV_BAD_DATA);
	assert_non_null(strstr(err.message, "larger than 2 bytes"));
	assert_int_equal(rv_store_get_optional(store, "a/nul", 2, &got, etag, &found, &err), RV_BAD_DATA);
	assert_int_equal(store->ops->get(store, "a", 100, &got, etag, &err), RV_NOT_FOUND);
	assert_int_equal(store->ops->get(store, "a/b/c", 100, &got, etag, &err), RV_NOT_FOUND);
}

static void test_put_from_a_file(void **state)
{
	struct rv_store *store = *state;
	FILE *f = tmpfile();
	char etag[RV_ETAG_TEXT];
	struct rv_store_body body = { .len = 5, .fd = fileno(f) };
	struct rv_store_put conditions = { .if_absent = true };

	fputs("12345678", f);
	fflush(f); /* the position is at the end: it is read from its start all the same */
	assert_ok(store->ops->put(store, "a/x", &body, &conditions, etag, &err));
	expect(store, "a/x", "12345");
	body.len = 9;
	assert_int_equal(store->ops->put(store, "a/y", &body, &conditions, etag, &err), RV_DAMAGED);
	fclose(f);
	body.len = 3;
	assert_int_not_equal(store->ops->put(store, "a/y", &body, &conditions, etag, &err), RV_OK);
	expect_list(store, &(struct rv_store_list){ .prefix = "" }, "a/x|");
}

/* "It is there" is believed when it has been seen. */
static void test_once(void **state)
{
	struct rv_store *store = *state;
	struct flaky flaky;
	const struct rv_store_body one = { .bytes = "one", .len = 3, .fd = -1 };
	bool there = true;

	flaky_init(&flaky, store);
	flaky.refuse_puts = 3;
	assert_int_equal(rv_store_put_once(&flaky.base, "a/b", &one, NULL, &err), RV_FAILED);
	assert_true(err.transient);
	assert_non_null(strstr(err.message, "does not have it"));
	/* another run has taken it away in between: an open receipt that was closed */
	flaky.refuse_puts = 1;
	assert_ok(rv_store_put_once(&flaky.base, "a/b", &one, &there, &err));
	assert_false(there);
	assert_ok(rv_store_put_once(&flaky.base, "a/b", &one, &there, &err));
	assert_true(there);
	expect(store, "a/b", "one");
	assert_ok(rv_store_put_bytes(store, "a/b", "", 0, NULL, &err));
	assert_int_equal(rv_store_put_once(&flaky.base, "a/b", &one, NULL, &err), RV_FAILED);
	assert_non_null(strstr(err.message, "it is empty"));
}

static void test_if_absent(void **state)
{
	struct rv_store *store = *state;
	struct rv_store_put absent = { .if_absent = true };

	assert_true(store->ops->conditional_puts);
	assert_ok(rv_store_put_bytes(store, "a/b", "one", 3, &absent, &err));
	assert_int_equal(rv_store_put_bytes(store, "a/b", "two", 3, &absent, &err), RV_CONFLICT);
	assert_non_null(strstr(err.message, "a/b"));
	expect(store, "a/b", "one");
	assert_ok(store->ops->remove(store, "a/b", NULL, &err));
	assert_ok(rv_store_put_bytes(store, "a/b", "two", 3, &absent, &err));
	expect(store, "a/b", "two");
	if (store->ops->settle)
		assert_ok(store->ops->settle(store, "a/b", &err));
}

static void test_if_etag(void **state)
{
	struct rv_store *store = *state;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf got = RV_STRBUF_INIT;
	char first[RV_ETAG_TEXT], second[RV_ETAG_TEXT], etag[RV_ETAG_TEXT];
	struct rv_store_put put_if = { .if_etag = first };
	struct rv_store_body body = { .bytes = "two", .len = 3, .fd = -1 };

	assert_int_equal(rv_store_put_bytes(store, "a/b", "x", 1,
					    &(struct rv_store_put){ .if_etag = "none" }, &err),
			 RV_NOT_FOUND);
	put(store, "a/b", "one");
	assert_ok(store->ops->get(store, "a/b", 9, &got, first, &err));
	assert_ok(store->ops->put(store, "a/b", &body, &put_if, second, &err));
	assert_string_not_equal(first, second);
	assert_ok(store->ops->get(store, "a/b", 9, &got, etag, &err));
	assert_string_equal(second, etag); /* what put says is what get says */
	assert_int_equal(store->ops->put(store, "a/b", &body, &put_if, etag, &err), RV_CONFLICT);
	assert_non_null(strstr(err.message, "changed by somebody else"));
	assert_int_equal(store->ops->remove(store, "a/b", first, &err), RV_CONFLICT);
	expect(store, "a/b", "two");
	assert_ok(store->ops->remove(store, "a/b", second, &err));
	assert_int_equal(store->ops->remove(store, "a/b", second, &err), RV_NOT_FOUND);
	assert_ok(store->ops->remove(store, "a/b", NULL, &err)); /* missing is fine */
	assert_ok(store->ops->remove(store, "a/b/c", NULL, &err));
	assert_ok(store->ops->remove(store, "not/here", NULL, &err));
}

static void test_head(void **state)
{
	struct rv_store *store = *state;
	struct rv_store_object object = { .bytes = 99 };
	char before[RV_ETAG_TEXT];
	int64_t now = rv_clock_ms();

	assert_int_equal(store->ops->head(store, "a/b", &object, &err), RV_NOT_FOUND);
	assert_int_equal(object.bytes, 99);
	put(store, "a/b", "12345");
	assert_ok(store->ops->head(store, "a/b", &object, &err));
	assert_int_equal(object.bytes, 5);
	assert_string_equal(object.name, "a/b");
	assert_true(object.modified_ms > now - 60000 && object.modified_ms < now + 60000);
	memcpy(before, object.etag, sizeof(before));
	assert_ok(store->ops->head(store, "a/b", &object, &err));
	assert_string_equal(object.etag, before);
	put(store, "a/b", "54321"); /* as many bytes, at about the same time */
	assert_ok(store->ops->head(store, "a/b", &object, &err));
	assert_string_not_equal(object.etag, before);
	assert_int_equal(store->ops->head(store, "a", &object, &err), RV_NOT_FOUND);
}

struct pieces {
	uint64_t len, stop_at, sum;
};

static enum rv_status take_piece(void *arg, const void *p, size_t len, struct rv_error *e)
{
	struct pieces *pieces = arg;

	for (size_t i = 0; i < len; i++)
		pieces->sum = pieces->sum * 31 + ((const unsigned char *)p)[i];
	pieces->len += len;
	return pieces->stop_at && pieces->len >= pieces->stop_at ? rv_fail(e, RV_DAMAGED, "enough")
								 : RV_OK;
}

static void test_read(void **state)
{
	struct rv_store *store = *state;
	enum { SIZE = (3 << 20) + 7 };
	RV_CLEANUP(rv_free_p) char *bytes = rv_malloc(SIZE);
	struct pieces want = { 0 }, got = { 0 };

	for (size_t i = 0; i < SIZE; i++)
		bytes[i] = (char)(i * 7 >> 2);
	take_piece(&want, bytes, SIZE, &err);
	assert_ok(rv_store_put_bytes(store, "a/big", bytes, SIZE, NULL, &err));
	assert_ok(store->ops->read(store, "a/big", take_piece, &got, &err));
	assert_int_equal(got.len, SIZE);
	assert_true(got.sum == want.sum);
	got = (struct pieces){ .stop_at = 1 };
	assert_int_equal(store->ops->read(store, "a/big", take_piece, &got, &err), RV_DAMAGED);
	assert_string_equal(err.message, "enough");
	put(store, "a/empty", "");
	got = (struct pieces){ .stop_at = 1 };
	assert_ok(store->ops->read(store, "a/empty", take_piece, &got, &err));
	assert_int_equal(got.len, 0);
	assert_int_equal(store->ops->read(store, "a/none", take_piece, &got, &err), RV_NOT_FOUND);
}

/* Bytewise order of the whole name, which is not the order of a walk through folders. */
static const char *const names[] = {
	"data/a b", "data/a+b", "data/a-b", "data/a.b", "data/a/x", "data/a/y/z",
	"data/a0", "data/b/dt=2026-11-20/hr=07/o", "data/b/dt=2026-11-20/hr=14/o",
	"data/b/dt=2026-11-21/hr=00/o", "data/\303\244", "data/\360\237\214\212/x", "e%20f/g", "top",
};
#define NAMES (sizeof(names) / sizeof(*names))

static void put_names(struct rv_store *store)
{
	for (size_t i = NAMES; i-- > 0;)
		put(store, names[i], names[i]);
}

static void test_list_order(void **state)
{
	struct rv_store *store = *state;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf want = RV_STRBUF_INIT;

	expect_list(store, &(struct rv_store_list){ .prefix = "" }, "");
	expect_list(store, &(struct rv_store_list){ .prefix = "data/" }, "");
	put_names(store);
	for (size_t i = 0; i < NAMES; i++) {
		assert_true(i == 0 || strcmp(names[i - 1], names[i]) < 0);
		rv_strbuf_printf(&want, "%s|", names[i]);
		expect(store, names[i], names[i]);
	}
	expect_list(store, &(struct rv_store_list){ .prefix = "" }, want.bytes);
	/* going on after any name gives the rest, whether the name is there or not */
	for (size_t i = 0; i < NAMES; i++) {
		RV_CLEANUP(rv_free_p) char *behind = rv_asprintf("%s\001", names[i]);

		rv_strbuf_clear(&want);
		for (size_t j = i + 1; j < NAMES; j++)
			rv_strbuf_printf(&want, "%s|", names[j]);
		expect_list(store, &(struct rv_store_list){ .prefix = "", .after = names[i] }, want.bytes);
		expect_list(store, &(struct rv_store_list){ .prefix = "", .after = behind }, want.bytes);
		expect_list(store, &(struct rv_store_list){ .prefix = "", .after = behind,
							    .names_only = true }, want.bytes);
	}
}

static void test_list_prefixes(void **state)
{
	struct rv_store *store = *state;

	put_names(store);
	/* any start of any name, and a bit that leads nowhere */
	for (size_t i = 0; i < NAMES; i++) {
		for (size_t len = 1; len <= strlen(names[i]); len++) {
			RV_CLEANUP(rv_free_p) char *prefix = rv_strndup(names[i], len);
			RV_CLEANUP(rv_strbuf_release) struct rv_strbuf want = RV_STRBUF_INIT;

			for (size_t j = 0; j < NAMES; j++)
				if (rv_starts_with(names[j], prefix))
					rv_strbuf_printf(&want, "%s|", names[j]);
			expect_list(store, &(struct rv_store_list){ .prefix = prefix }, want.bytes);
		}
	}
	expect_list(store, &(struct rv_store_list){ .prefix = "data/zzz" }, "");
	expect_list(store, &(struct rv_store_list){ .prefix = "data/a-b/" }, ""); /* an object */
	expect_list(store, &(struct rv_store_list){ .prefix = "none/at/all" }, "");
	expect_list(store, &(struct rv_store_list){ .prefix = "data/b/dt=2026-11-2",
						    .after = "data/b/dt=2026-11-20/hr=14" },
		    "data/b/dt=2026-11-20/hr=14/o|data/b/dt=2026-11-21/hr=00/o|");
	expect_list(store, &(struct rv_store_list){ .prefix = "data/b/", .after = "data/c" }, "");
	expect_list(store, &(struct rv_store_list){ .prefix = "data/b/", .after = "data/a" },
		    "data/b/dt=2026-11-20/hr=07/o|data/b/dt=2026-11-20/hr=14/o|"
		    "data/b/dt=2026-11-21/hr=00/o|");
}

static void test_list_folders(void **state)
{
	struct rv_store *store = *state;

	put_names(store);
	expect_list(store, &(struct rv_store_list){ .prefix = "", .folders = true }, "data/|e%20f/|top|");
	expect_list(store, &(struct rv_store_list){ .prefix = "data/", .folders = true },
		    "data/a b|data/a+b|data/a-b|data/a.b|data/a/|data/a0|data/b/|data/\303\244|"
		    "data/\360\237\214\212/|");
	expect_list(store, &(struct rv_store_list){ .prefix = "data/a", .folders = true },
		    "data/a b|data/a+b|data/a-b|data/a.b|data/a/|data/a0|");
	expect_list(store, &(struct rv_store_list){ .prefix = "data/a/", .folders = true },
		    "data/a/x|data/a/y/|");
	expect_list(store, &(struct rv_store_list){ .prefix = "data/b/dt=", .folders = true },
		    "data/b/dt=2026-11-20/|data/b/dt=2026-11-21/|");
	expect_list(store, &(struct rv_store_list){ .prefix = "data/", .folders = true,
						    .after = "data/a/" },
		    "data/a0|data/b/|data/\303\244|data/\360\237\214\212/|");
}

struct sums {
	uint64_t bytes, count;
	int64_t oldest_ms;
};

static enum rv_status sum_up(void *arg, const struct rv_store_object *object, struct rv_error *e)
{
	struct sums *sums = arg;

	sums->bytes += object->bytes;
	if (object->modified_ms < sums->oldest_ms)
		sums->oldest_ms = object->modified_ms;
	return ++sums->count == 2 ? rv_fail(e, RV_AUTH, "two are enough") : RV_OK;
}

static void test_list_values_and_end(void **state)
{
	struct rv_store *store = *state;
	struct sums sums = { .oldest_ms = INT64_MAX };
	int64_t now = rv_clock_ms();

	put(store, "a/1", "1");
	put(store, "a/2", "22");
	put(store, "a/3", "333");
	assert_int_equal(store->ops->list(store, &(struct rv_store_list){ .prefix = "a/" }, sum_up,
					  &sums, &err), RV_AUTH);
	assert_string_equal(err.message, "two are enough");
	assert_int_equal(sums.count, 2);
	assert_int_equal(sums.bytes, 3);
	assert_true(sums.oldest_ms > now - 60000 && sums.oldest_ms < now + 60000);
}

static void test_names_refused(void **state)
{
	static const char *const bad[] = { "", "/", "/a", "a/", "a//b", "a/./b", "./a", "..", "a/../b",
					   "../a", "a/.." };
	struct rv_store *store = *state;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf got = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf endless = RV_STRBUF_INIT;
	struct rv_store_object object;
	char etag[RV_ETAG_TEXT];
	struct pieces pieces = { 0 };

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_false(rv_store_name_valid(bad[i]));
		assert_int_equal(rv_store_put_bytes(store, bad[i], "x", 1, NULL, &err), RV_USAGE);
		assert_non_null(strstr(err.message, "is not an object name"));
		assert_int_equal(store->ops->get(store, bad[i], 9, &got, etag, &err), RV_USAGE);
		assert_int_equal(store->ops->head(store, bad[i], &object, &err), RV_USAGE);
		assert_int_equal(store->ops->read(store, bad[i], take_piece, &pieces, &err), RV_USAGE);
		assert_int_equal(store->ops->remove(store, bad[i], NULL, &err), RV_USAGE);
	}
	while (endless.len < RV_STORE_NAME_MAX)
		rv_strbuf_puts(&endless, "a/bb");
	assert_true(rv_store_name_valid(endless.bytes));
	rv_strbuf_putc(&endless, 'b');
	assert_false(rv_store_name_valid(endless.bytes));
	assert_true(rv_store_name_valid("a/..b/c...d"));
}

/* ---- a folder ---- */

static mode_t mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	return st.st_mode & 07777;
}

static void test_file_modes(void **state)
{
	struct rv_store *store = *state;
	struct stat st;

	assert_string_equal(store->ops->name, "file");
	assert_string_equal(store->url, in("lake"));
	umask(027);
	put(store, "data/a/x", "x");
	assert_int_equal(mode_of(in("lake")), 0750);
	assert_int_equal(mode_of(in("lake/data/a")), 0750);
	assert_int_equal(mode_of(in("lake/data/a/x")), 0640);
	/* a shared lake: the folder's group is handed down */
	assert_int_equal(chmod(in("lake/data"), 02770), 0);
	bool other_group = chown(in("lake/data"), (uid_t)-1, 65534) == 0;

	assert_int_equal(chmod(in("lake/data"), 02770), 0);
	umask(002);
	put(store, "data/b/c/x", "x");
	assert_int_equal(mode_of(in("lake/data/b/c")), 02775);
	assert_int_equal(mode_of(in("lake/data/b/c/x")), 0664);
	assert_int_equal(stat(in("lake/data/b/c/x"), &st), 0);
	assert_true(!other_group || st.st_gid == 65534);
	/* replaced files too, and those that only the lock of if_etag needs */
	put(store, "data/b/c/x", "y");
	assert_int_equal(mode_of(in("lake/data/b/c/x")), 0664);
	umask(022);
}

static void write_plain(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	close(fd);
}

static void test_file_lists_no_temporaries(void **state)
{
	struct rv_store *store = *state;
	struct rv_store_stage *stage = NULL;
	int fd = -1;

	put(store, "data/a", "x");
	write_plain(in("lake/data/" RV_TEMPORARY_PREFIX "one"));
	assert_int_equal(mkfifo(in("lake/data/fifo"), 0600), 0);
	assert_int_equal(symlink("nowhere", in("lake/data/dangling")), 0);
	assert_ok(store->ops->stage(store, "data", &stage, &fd, &err));
	expect_list(store, &(struct rv_store_list){ .prefix = "" }, "data/a|");
	store->ops->stage_discard(store, stage);
	store->ops->stage_discard(store, NULL);
	/* the leftover of a killed process goes when the folder is come to again */
	put(store, "other/b", "y");
	put(store, "data/a", "y");
	assert_int_equal(access(in("lake/data/" RV_TEMPORARY_PREFIX "one"), F_OK), -1);
}

static void test_file_staged_put(void **state)
{
	struct rv_store *store = *state;
	struct rv_store_put absent = { .if_absent = true };
	char etag[RV_ETAG_TEXT];
	struct stat staged, final;

	for (int round = 0; round < 2; round++) {
		struct rv_store_body body = { .len = 3, .fd = -1 };

		assert_ok(store->ops->stage(store, "data/a", &body.staged, &body.fd, &err));
		assert_true(fcntl(body.fd, F_GETFD) & FD_CLOEXEC);
		assert_ok(rv_write_all(body.fd, round ? "two" : "one", 3, "stage", &err));
		assert_int_equal(fstat(body.fd, &staged), 0);
		assert_int_equal(store->ops->put(store, "data/a/x", &body, &absent, etag, &err),
				 round ? RV_CONFLICT : RV_OK);
		assert_int_equal(fcntl(body.fd, F_GETFD), -1); /* consumed either way */
		assert_int_equal(stat(in("lake/data/a/x"), &final), 0);
		assert_int_equal(staged.st_ino == final.st_ino, round == 0); /* moved, not copied */
		expect(store, "data/a/x", "one");
	}
	struct rv_store_stage *stage;
	int fd;

	assert_int_equal(store->ops->stage(store, "../a", &stage, &fd, &err), RV_USAGE);
	struct rv_store_body body = { .len = 0, .fd = -1 };

	assert_ok(store->ops->stage(store, "data/a", &body.staged, &body.fd, &err));
	assert_int_equal(store->ops->put(store, "data/../x", &body, &absent, etag, &err), RV_USAGE);
	assert_int_equal(fcntl(body.fd, F_GETFD), -1);
}

static void test_file_in_the_way(void **state)
{
	struct rv_store *store = *state;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf got = RV_STRBUF_INIT;
	struct rv_store_stage *stage = NULL;
	char etag[RV_ETAG_TEXT];
	int fd;

	put(store, "data/a", "x");
	assert_int_equal(rv_store_put_bytes(store, "data/a/b/c", "y", 1, NULL, &err), RV_LOCAL_IO);
	assert_non_null(strstr(err.message, "lake/data/a"));
	assert_non_null(strstr(err.message, "Not a directory"));
	assert_int_equal(store->ops->stage(store, "data/a", &stage, &fd, &err), RV_LOCAL_IO);
	assert_null(stage);
	assert_int_equal(store->ops->settle(store, "data/a/b", &err), RV_LOCAL_IO);
	assert_int_equal(store->ops->settle(store, "../x", &err), RV_USAGE);
	expect(store, "data/a", "x");
	/* a folder where an object is to be */
	put(store, "data/f/x", "x");
	assert_int_equal(rv_store_put_bytes(store, "data/f", "y", 1, NULL, &err), RV_LOCAL_IO);
	assert_int_equal(store->ops->get(store, "data/f", 9, &got, etag, &err), RV_NOT_FOUND);
	assert_int_equal(store->ops->remove(store, "data/f", NULL, &err), RV_LOCAL_IO);
	expect_list(store, &(struct rv_store_list){ .prefix = "" }, "data/a|data/f/x|");
	assert_int_equal(store->ops->list(store, &(struct rv_store_list){ .prefix = "../" }, list_one,
					  &got, &err), RV_USAGE);
}

/* Without rights it says so, and which path. */
static void test_file_not_allowed(void **state)
{
	struct rv_store *store = *state;
	int ended;

	put(store, "data/a", "x");
	assert_int_equal(chmod(folder, 0755), 0);
	assert_int_equal(mkdir(in("lake/shut"), 0), 0);
	assert_int_equal(chmod(in("lake/data"), 0555), 0);
	pid_t child = fork();

	if (child == 0) {
		struct rv_strbuf got = RV_STRBUF_INIT;

		/* root may do anything */
		if (geteuid() == 0 && (setgid(65534) < 0 || setuid(65534) < 0))
			_exit(4);
		if (rv_store_put_bytes(store, "data/b", "x", 1, NULL, &err) != RV_LOCAL_IO ||
		    !strstr(err.message, "lake/data: Permission denied"))
			_exit(1);
		if (store->ops->remove(store, "data/a", NULL, &err) != RV_LOCAL_IO)
			_exit(2);
		if (store->ops->list(store, &(struct rv_store_list){ .prefix = "" }, list_one, &got,
				     &err) != RV_LOCAL_IO)
			_exit(3);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &ended, 0), child);
	assert_int_equal(chmod(in("lake/data"), 0755), 0);
	assert_int_equal(chmod(in("lake/shut"), 0755), 0);
	assert_int_equal(ended, 0);
	expect(store, "data/a", "x");
}

/* Of many that replace under one etag, one does. */
static void test_file_race_for_an_etag(void **state)
{
	struct rv_store *store = *state;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf got = RV_STRBUF_INIT;
	char etag[RV_ETAG_TEXT];
	unsigned won = 0, lost = 0;
	pid_t children[8];

	put(store, "data/a", "start");
	assert_ok(store->ops->get(store, "data/a", 9, &got, etag, &err));
	for (int i = 0; i < 8; i++) {
		children[i] = fork();
		if (children[i] == 0) {
			char text = (char)('0' + i);

			_exit((int)rv_store_put_bytes(store, "data/a", &text, 1,
						      &(struct rv_store_put){ .if_etag = etag }, &err));
		}
	}
	for (int i = 0; i < 8; i++) {
		int ended;

		assert_int_equal(waitpid(children[i], &ended, 0), children[i]);
		won += ended == 0;
		lost += WIFEXITED(ended) && WEXITSTATUS(ended) == RV_CONFLICT;
	}
	assert_int_equal(won, 1);
	assert_int_equal(lost, 7);
}

/* ---- faults of the one in memory ---- */

static enum rv_status do_all(struct rv_store *store)
{
	struct rv_strbuf got = RV_STRBUF_INIT;
	struct rv_store_object object;
	struct pieces pieces = { 0 };
	char etag[RV_ETAG_TEXT];
	enum rv_status status = rv_store_put_bytes(store, "a", "x", 1, NULL, &err);

	if (status == RV_OK)
		status = store->ops->get(store, "a", 9, &got, etag, &err);
	if (status == RV_OK)
		status = store->ops->read(store, "a", take_piece, &pieces, &err);
	if (status == RV_OK)
		status = store->ops->head(store, "a", &object, &err);
	if (status == RV_OK)
		status = store->ops->list(store, &(struct rv_store_list){ .prefix = "" }, list_one, &got,
					  &err);
	if (status == RV_OK)
		status = store->ops->remove(store, "a", NULL, &err);
	rv_strbuf_release(&got);
	return status;
}

static void test_mem_faults(void **state)
{
	static const char *const says[] = { "put a", "get a", "read a", "head a", "list", "remove a" };
	struct rv_store *store = *state;
	bool found;
	char etag[RV_ETAG_TEXT];
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf got = RV_STRBUF_INIT;

	for (uint64_t at = 1; at <= 6; at++) {
		rv_store_mem_fail(store, at, false, RV_AUTH);
		assert_int_equal(do_all(store), RV_AUTH);
		assert_true(rv_starts_with(err.message, says[at - 1]));
		assert_ok(do_all(store)); /* once */
		rv_store_mem_fail(store, at, true, RV_LOCAL_IO);
		assert_int_equal(do_all(store), RV_LOCAL_IO);
		assert_int_equal(do_all(store), RV_LOCAL_IO); /* from then on */
		rv_store_mem_fail(store, 0, false, RV_OK);
		assert_ok(do_all(store));
	}
	/* a put that fails does nothing */
	rv_store_mem_fail(store, 1, false, RV_LOCAL_IO);
	assert_int_equal(rv_store_put_bytes(store, "a", "x", 1, NULL, &err), RV_LOCAL_IO);
	assert_ok(rv_store_get_optional(store, "a", 9, &got, etag, &found, &err));
	assert_false(found);
	/* a failure that is not "not found" is no missing object */
	rv_store_mem_fail(store, 1, false, RV_LOCAL_IO);
	assert_int_equal(rv_store_get_optional(store, "a", 9, &got, etag, &found, &err), RV_LOCAL_IO);
}

int main(void)
{
#define ON_FILE(test) cmocka_unit_test_setup_teardown(test, set_up_file, tear_down_file)
#define ON_MEM(test) cmocka_unit_test_setup_teardown(test, set_up_mem, tear_down_mem)
#define ON_BOTH(test)                                                                              \
	{ #test " on a folder", test, set_up_file, tear_down_file, NULL },                         \
	{ #test " in memory", test, set_up_mem, tear_down_mem, NULL }
	const struct CMUnitTest tests[] = {
		ON_BOTH(test_get_and_put),
		ON_BOTH(test_put_from_a_file),
		ON_BOTH(test_if_absent),
		ON_BOTH(test_once),
		ON_BOTH(test_if_etag),
		ON_BOTH(test_head),
		ON_BOTH(test_read),
		ON_BOTH(test_list_order),
		ON_BOTH(test_list_prefixes),
		ON_BOTH(test_list_folders),
		ON_BOTH(test_list_values_and_end),
		ON_BOTH(test_names_refused),
		ON_FILE(test_file_modes),
		ON_FILE(test_file_lists_no_temporaries),
		ON_FILE(test_file_staged_put),
		ON_FILE(test_file_in_the_way),
		ON_FILE(test_file_not_allowed),
		ON_FILE(test_file_race_for_an_etag),
		ON_MEM(test_mem_faults),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

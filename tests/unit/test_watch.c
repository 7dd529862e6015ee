/* Followed files: found, renamed, replaced, removed, with and without the kernel's help. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "source/watch_impl.h"

struct world {
	char folder[64];
	struct rv_watch *watch;
	unsigned found, renamed, rotated, removed, lost, missing, polled, failed, gone;
	char *paths[2]; /* the second Optional */
};

static void on_event(void *arg, enum rv_watch_event event, struct rv_watched *item, const char *detail)
{
	struct world *w = arg;
	(void)item;
	(void)detail;
	switch (event) {
	case RV_WATCH_FOUND:
		w->found++;
		break;
	case RV_WATCH_RENAMED:
		w->renamed++;
		break;
	case RV_WATCH_ROTATED:
		w->rotated++;
		break;
	case RV_WATCH_REMOVED:
		w->removed++;
		break;
	case RV_WATCH_LOST:
		w->lost++;
		break;
	case RV_WATCH_MISSING:
		w->missing++;
		break;
	case RV_WATCH_POLLED:
		w->polled++;
		break;
	case RV_WATCH_FAILED:
		w->failed++;
		break;
	}
}

static void on_gone(void *arg, struct rv_watched *item)
{
	(void)item;
	((struct world *)arg)->gone++;
}

static int set_up(void **state)
{
	struct world *w = rv_calloc(1, sizeof(*w));
	snprintf(w->folder, sizeof(w->folder), "/tmp/river-watch-XXXXXX");
	assert_non_null(mkdtemp(w->folder));
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	struct rv_error err;
	rv_watch_free(w->watch);
	assert_int_equal(rv_remove_tree(w->folder, &err), RV_OK);
	free(w->paths[0]);
	free(w->paths[1]);
	free(w);
	return 0;
}

static char *path_of(const struct world *w, const char *name)
{
	return rv_path_join(w->folder, name);
}

static void append(const struct world *w, const char *name, const char *text)
{
	RV_CLEANUP(rv_free_p) char *path = path_of(w, name);
	RV_CLEANUP(rv_close_p) int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void move(const struct world *w, const char *from, const char *to)
{
	RV_CLEANUP(rv_free_p) char *a = path_of(w, from);
	RV_CLEANUP(rv_free_p) char *b = path_of(w, to);
	assert_int_equal(rename(a, b), 0);
}

static void remove_it(const struct world *w, const char *name)
{
	RV_CLEANUP(rv_free_p) char *path = path_of(w, name);
	assert_int_equal(unlink(path), 0);
}

static void watch_every(struct world *w, const char *name, size_t hold_max, bool no_inotify, int64_t poll_ms)
{
	struct rv_error err;
	w->paths[0] = name ? path_of(w, name) : rv_strdup(w->folder);
	const struct rv_watch_params params = {
		.paths = w->paths,
		.paths_count = w->paths[1] ? 2 : 1,
		.poll_ms = poll_ms,
		.hold_max = hold_max,
		.no_inotify = no_inotify,
		.event = on_event,
		.gone = on_gone,
		.arg = w,
	};
	assert_int_equal(rv_watch_new(&params, &w->watch, &err), RV_OK);
}

static void watch(struct world *w, const char *name, size_t hold_max, bool no_inotify)
{
	watch_every(w, name, hold_max, no_inotify, 1);
}

static void make_folder(const struct world *w, const char *name)
{
	RV_CLEANUP(rv_free_p) char *path = path_of(w, name);
	assert_int_equal(mkdir(path, 0700), 0);
}

static void remove_folder(const struct world *w, const char *name)
{
	RV_CLEANUP(rv_free_p) char *path = path_of(w, name);
	assert_int_equal(rmdir(path), 0);
}

static void take_all(const struct world *w)
{
	for (size_t i = 0; i < rv_watch_count(w->watch); i++) {
		struct rv_watched *item = rv_watch_at(w->watch, i);
		rv_watch_taken(item, item->bytes, item->modified_ns);
	}
}

static struct rv_watched *item_of(const struct world *w, const char *name)
{
	for (size_t i = 0; i < rv_watch_count(w->watch); i++)
		if (strcmp(rv_watch_at(w->watch, i)->name, name) == 0)
			return rv_watch_at(w->watch, i);
	return NULL;
}

static void look(const struct world *w)
{
	rv_watch_look(w->watch, 200);
}

static void test_named(void **state)
{
	struct world *w = *state;
	watch(w, "a.log", 4, false);
	assert_int_equal(w->missing, 1);
	append(w, "a.log", "x\n");
	append(w, "other", "x\n");
	look(w);
	assert_int_equal(w->found, 1);
	struct rv_watched *item = item_of(w, "a.log");
	assert_non_null(item);
	assert_true(item->named && item->news_ms && item->fd >= 0);
	take_all(w);
	assert_int_equal(item->news_ms, 0);
	append(w, "a.log", "y\n");
	look(w);
	assert_true(item->news_ms);
	assert_int_equal(item->bytes, 4);
}

static void test_named_rotated(void **state)
{
	struct world *w = *state;
	append(w, "a.log", "x\n");
	watch(w, "a.log", 4, false);
	take_all(w);
	struct rv_watched *old = item_of(w, "a.log");
	move(w, "a.log", "a.log.1");
	append(w, "a.log.1", "y\n");
	append(w, "a.log", "z\n");
	look(w);
	assert_int_equal(w->rotated, 1);
	assert_true(old->detached && old->news_ms);
	assert_string_equal(old->name, "a.log.1");
	struct rv_watched *now = item_of(w, "a.log");
	assert_true(now && now != old && now->named);
	/* Also when it has left the folder, where no event tells of it. */
	take_all(w);
	RV_CLEANUP(rv_close_p) int fd = -1;
	RV_CLEANUP(rv_free_p) char *path = path_of(w, "a.log.1");
	fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	remove_it(w, "a.log.1");
	assert_int_equal(write(fd, "w\n", 2), 2);
	look(w);
	assert_true(old->news_ms && old->removed);
	rv_watch_forget(w->watch, old);
	assert_int_equal(w->gone, 1);
	assert_int_equal(rv_watch_count(w->watch), 1);
}

/* Not held open: found by its inode beside, or said to be lost. */
static void test_named_not_held(void **state)
{
	struct world *w = *state;
	append(w, "a.log", "x\n");
	watch(w, "a.log", 0, false);
	assert_int_equal(item_of(w, "a.log")->fd, -1);
	move(w, "a.log", "a.log.1");
	append(w, "a.log", "z\n");
	look(w);
	assert_int_equal(w->rotated, 1);
	assert_true(item_of(w, "a.log.1")->fd >= 0);
	remove_it(w, "a.log");
	look(w);
	assert_int_equal(w->lost, 1);
	assert_null(item_of(w, "a.log"));
}

static void folder(struct world *w, bool no_inotify)
{
	RV_CLEANUP(rv_free_p) char *inner = path_of(w, "inner");
	append(w, "a.log", "x\n");
	append(w, ".hidden", "x\n");
	watch(w, NULL, 4, no_inotify);
	assert_int_equal(w->found, 1);
	assert_int_equal(w->polled > 0, no_inotify);
	take_all(w);
	assert_int_equal(mkdir(inner, 0700), 0);
	append(w, "inner/b.log", "x\n");
	look(w);
	look(w);
	assert_int_equal(w->found, 2);
	struct rv_watched *item = item_of(w, "a.log");
	take_all(w);
	move(w, "a.log", "a.log.1");
	append(w, "a.log", "y\n");
	look(w);
	assert_int_equal(w->renamed, 1);
	assert_string_equal(item->name, "a.log.1");
	assert_false(item->detached);
	assert_non_null(item_of(w, "a.log"));
	rv_watch_close(w->watch, item);
	remove_it(w, "a.log.1");
	look(w);
	assert_int_equal(w->removed, 1);
	assert_null(item_of(w, "a.log.1"));
	append(w, "inner/b.log", "y\n");
	look(w);
	look(w);
	assert_true(item_of(w, "b.log")->news_ms);
	assert_int_equal(rv_remove_tree(inner, &(struct rv_error)RV_ERROR_INIT), RV_OK);
	look(w);
	look(w);
	assert_true(item_of(w, "b.log")->removed);
}

static void test_folder(void **state)
{
	folder(*state, false);
}

static void test_folder_polled(void **state)
{
	folder(*state, true);
}

static void test_one_file_two_names(void **state)
{
	struct world *w = *state;
	append(w, "a.log", "x\n");
	RV_CLEANUP(rv_free_p) char *a = path_of(w, "a.log");
	RV_CLEANUP(rv_free_p) char *b = path_of(w, "b.log");
	assert_int_equal(link(a, b), 0);
	watch(w, NULL, 4, false);
	assert_int_equal(w->found, 1);
	for (int i = 0; i < 3; i++) {
		append(w, "a.log", "y\n");
		look(w);
	}
	assert_int_equal(w->renamed, 0);
	assert_int_equal(rv_watch_count(w->watch), 1);
	remove_it(w, "a.log");
	look(w);
	assert_non_null(item_of(w, "b.log"));
}

static enum rv_status count_names(void *arg, const char *name, struct rv_error *err)
{
	(void)err;
	*(unsigned *)arg += strcmp(name, "a.log.1") == 0;
	return RV_OK;
}

static void test_beside(void **state)
{
	struct world *w = *state;
	struct rv_error err;
	unsigned n = 0;
	append(w, "a.log", "x\n");
	append(w, "a.log.1", "x\n");
	watch(w, "a.log", 4, false);
	struct rv_watched *item = item_of(w, "a.log");
	assert_int_equal(rv_watch_each_beside(w->watch, item, count_names, &n, &err), RV_OK);
	assert_int_equal(n, 1);
	struct rv_watched *copy = rv_watch_add_beside(w->watch, item, "a.log.1");
	assert_true(copy && copy->detached && copy->fd >= 0);
	assert_null(rv_watch_add_beside(w->watch, item, "a.log.1"));
	assert_null(rv_watch_add_beside(w->watch, item, "a.log.2"));
}

static void test_refused(void **state)
{
	struct world *w = *state;
	struct rv_error err;
	RV_CLEANUP(rv_free_p) char *fifo = path_of(w, "fifo");
	assert_int_equal(mkfifo(fifo, 0600), 0);
	char *nowhere = path_of(w, "no/where");
	char *both[] = { fifo, nowhere };
	struct rv_watch_params params = { .paths = both, .paths_count = 1 };
	assert_int_equal(rv_watch_new(&params, &w->watch, &err), RV_USAGE);
	params.paths = both + 1;
	assert_int_equal(rv_watch_new(&params, &w->watch, &err), RV_NOT_FOUND);
	free(nowhere);
}

/* A file that became a FIFO, or a folder, must not make anybody wait. */
static void test_replaced_by_fifo(void **state)
{
	struct world *w = *state;
	RV_CLEANUP(rv_free_p) char *path = path_of(w, "a.log");
	append(w, "a.log", "x\n");
	watch(w, "a.log", 0, false);
	remove_it(w, "a.log");
	assert_int_equal(mkfifo(path, 0600), 0);
	look(w);
	assert_int_equal(w->failed, 1);
	look(w);
	assert_int_equal(w->failed, 1);
}

/* What is the same file, and what is not: an inode may have been another file's before. */
static void test_known_by_inode_and_birth(void **state)
{
	struct world *w = *state;
	struct rv_look at, other;
	append(w, "a.log", "x\n");
	watch(w, "a.log", 4, false);
	struct rv_watched *item = item_of(w, "a.log");
	assert_int_equal(rv_look_at(AT_FDCWD, item->path, 0, &at), 0);
	assert_ptr_equal(rv_watch_known(w->watch, &at), item);
	item->birth_ns = at.birth_ns = 5; /* whatever the file system knows */
	assert_ptr_equal(rv_watch_known(w->watch, &at), item);
	other = at;
	other.birth_ns = 6;
	assert_null(rv_watch_known(w->watch, &other));
	other.birth_ns = 0;
	assert_ptr_equal(rv_watch_known(w->watch, &other), item);
	item->birth_ns = 0;
	assert_ptr_equal(rv_watch_known(w->watch, &at), item);
	/* found in the place of its number alone */
	item->device++;
	assert_null(rv_watch_known(w->watch, &at));
	item->device--;
	item->inode++;
	assert_null(rv_watch_known(w->watch, &at));
	item->inode--;
	/* a file system without births */
	assert_int_equal(rv_look_at(AT_FDCWD, "/proc/self/status", 0, &other), 0);
	assert_int_equal(other.birth_ns, 0);
}

/* The indexes grow, and what falls into one place of them is told apart. */
static void test_many_files_in_many_folders(void **state)
{
	struct world *w = *state;
	char name[64];
	make_folder(w, "0");
	append(w, "0/0.log", "x\n");
	watch(w, NULL, 4, false);
	for (unsigned i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "%u", i);
		if (i)
			make_folder(w, name);
		for (unsigned k = 0; k < 20; k++) {
			snprintf(name, sizeof(name), "%u/%u.log", i, k);
			append(w, name, "x\n");
		}
	}
	look(w);
	look(w);
	assert_int_equal(rv_watch_count(w->watch), 400);
	assert_int_equal(w->found, 400);
	for (size_t i = 0; i < 400; i++) {
		struct rv_watched *item = rv_watch_at(w->watch, i);
		assert_ptr_equal(rv_watch_named(w->watch, item->folder, item->name), item);
		assert_null(rv_watch_named(w->watch, item->folder, "none"));
	}
}

static void test_nobody_listens(void **state)
{
	struct world *w = *state;
	struct rv_error err;
	append(w, "a.log", "x\n");
	w->paths[0] = path_of(w, "a.log");
	const struct rv_watch_params params = { .paths = w->paths, .paths_count = 1 };
	assert_int_equal(rv_watch_new(&params, &w->watch, &err), RV_OK);
	assert_int_equal(rv_watch_count(w->watch), 1);
	rv_watch_forget(w->watch, rv_watch_at(w->watch, 0));
	assert_int_equal(rv_watch_count(w->watch), 0);
	assert_int_equal(w->found + w->gone, 0);
}

static void test_news_and_what_was_taken(void **state)
{
	struct world *w = *state;
	append(w, "a.log", "x\n");
	watch(w, "a.log", 0, false);
	struct rv_watched *item = item_of(w, "a.log");
	take_all(w);
	assert_int_equal(item->news_ms, 0);
	/* as many bytes, and other ones */
	const struct timespec times[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };
	assert_int_equal(utimensat(AT_FDCWD, item->path, times, 0), 0);
	look(w);
	assert_true(item->news_ms);
	take_all(w);
	/* more was read than was seen, or another time: there is news again */
	rv_watch_taken(item, item->bytes + 2, item->modified_ns);
	assert_true(item->news_ms);
	take_all(w);
	rv_watch_taken(item, item->bytes, item->modified_ns + 1);
	assert_true(item->news_ms);
	/* one that is not held and gone says nothing */
	take_all(w);
	const uint64_t bytes = item->bytes;
	remove_it(w, "a.log");
	rv_watch_restat(w->watch, item);
	assert_true(item->bytes == bytes && !item->news_ms);
}

/* Looked at again only when it is time to. */
static void test_looks_have_their_times(void **state)
{
	struct world *w = *state;
	append(w, "a.log", "x\n");
	append(w, "other", "x\n");
	watch_every(w, "a.log", 4, false, 600000);
	assert_true(rv_watch_next_ms(w->watch) > 0);
	/* modified beside: nothing that anybody follows */
	append(w, "other", "y\n");
	rv_watch_look(w->watch, 1);
	rv_watch_look(w->watch, 0);
	assert_int_equal(w->found, 1);
	assert_int_equal(w->watch->folders[0]->scan, false);
	append(w, "a.log", "y\n");
	rv_watch_look(w->watch, 0);
	assert_int_equal(item_of(w, "a.log")->bytes, 4);
	assert_true(rv_watch_next_ms(w->watch) > 0);
	/* nothing comes for longer than two looks are apart */
	rv_watch_look(w->watch, 60);
	assert_int_equal(w->found, 1);
}

static void test_a_whole_folder_has_its_times(void **state)
{
	struct world *w = *state;
	append(w, "a.log", "x\n");
	append(w, ".hidden", "x\n");
	watch_every(w, NULL, 4, false, 600000);
	const uint64_t scans = w->watch->scans;
	rv_watch_look(w->watch, 0);
	assert_true(w->watch->scans == scans);
	/* one that is not followed: the folder is looked through */
	append(w, ".hidden", "y\n");
	rv_watch_look(w->watch, 0);
	assert_true(w->watch->scans > scans);
	assert_int_equal(w->found, 1);
}

/* More than the kernel keeps: then all is looked at. */
static void test_too_many_events(void **state)
{
	struct world *w = *state;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	struct rv_error err;
	assert_int_equal(rv_read_file("/proc/sys/fs/inotify/max_queued_events", 100, &text, &err), RV_OK);
	append(w, "a.log", "x\n");
	append(w, "b.log", "x\n");
	watch_every(w, NULL, 4, false, 600000);
	RV_CLEANUP(rv_free_p) char *a = path_of(w, "a.log"), *b = path_of(w, "b.log");
	RV_CLEANUP(rv_close_p) int one = open(a, O_RDONLY | O_CLOEXEC), two = open(b, O_RDONLY | O_CLOEXEC);
	for (long i = strtol(text.bytes, NULL, 10) / 2 + 10; i > 0; i--) /* the same twice is one */
		assert_int_equal(fchmod(one, 0600) | fchmod(two, 0600), 0);
	append(w, "c.log", "x\n"); /* of which no event is left */
	rv_watch_look(w->watch, 0);
	assert_int_equal(w->found, 3);
}

/* Of the folder that had the name before nothing is wanted any more. */
static void test_a_folder_is_replaced(void **state)
{
	struct world *w = *state;
	make_folder(w, "logs");
	append(w, "logs/a.log", "x\n");
	watch(w, "logs", 4, false);
	assert_int_equal(w->found, 1);
	take_all(w);
	move(w, "logs", "old");
	make_folder(w, "logs");
	append(w, "logs/b.log", "x\n");
	look(w);
	look(w);
	assert_non_null(item_of(w, "b.log"));
	append(w, "old/c.log", "x\n");
	look(w);
	assert_null(item_of(w, "c.log"));
	remove_it(w, "old/c.log");
	remove_it(w, "old/a.log");
	remove_folder(w, "old");
}

static void test_a_folder_goes_and_comes(void **state)
{
	struct world *w = *state;
	RV_CLEANUP(rv_free_p) char *path = path_of(w, "logs");
	make_folder(w, "logs");
	watch(w, "logs", 4, false);
	remove_folder(w, "logs");
	look(w);
	assert_int_equal(w->failed, 1);
	look(w);
	assert_int_equal(w->failed, 1); /* for each reason once */
	append(w, "logs", "a file\n");
	look(w);
	assert_int_equal(w->failed, 2);
	remove_it(w, "logs");
	assert_int_equal(symlink("logs", path), 0); /* which leads nowhere, in circles */
	look(w);
	assert_int_equal(w->failed, 3);
	remove_it(w, "logs");
	make_folder(w, "logs");
	append(w, "logs/a.log", "x\n");
	look(w);
	look(w);
	assert_int_equal(w->found, 1);
}

static void test_folders_that_are_renamed_and_removed(void **state)
{
	struct world *w = *state;
	make_folder(w, "a");
	append(w, "a/x.log", "x\n");
	watch(w, NULL, 4, false);
	struct rv_watched *item = item_of(w, "x.log");
	take_all(w);
	move(w, "a", "b");
	look(w);
	look(w);
	assert_string_equal(item->folder->path + strlen(w->folder), "/b");
	append(w, "b/x.log", "y\n");
	look(w);
	look(w);
	assert_int_equal(item->bytes, 4);
	/* with the last of its files a folder that is gone is forgotten */
	const size_t folders = w->watch->folders_count;
	remove_it(w, "b/x.log");
	remove_folder(w, "b");
	look(w);
	look(w);
	assert_true(item->removed && w->watch->folders_count == folders);
	append(w, "later.log", "x\n"); /* behind it in the list */
	look(w);
	look(w);
	assert_true(w->watch->folders_count == folders);
	rv_watch_forget(w->watch, item);
	look(w);
	assert_int_equal(w->watch->folders_count, folders - 1);
}

static void test_files_change_folders(void **state)
{
	struct world *w = *state;
	make_folder(w, "a");
	make_folder(w, "b");
	append(w, "a/x.log", "x\n");
	append(w, "a/y.log", "x\n");
	watch(w, NULL, 8, false);
	take_all(w);
	struct rv_watched *x = item_of(w, "x.log"), *y = item_of(w, "y.log");
	/* from one to the other; and a second name there, which is none of its own */
	move(w, "a/x.log", "b/x.log");
	RV_CLEANUP(rv_free_p) char *from = path_of(w, "a/y.log"), *to = path_of(w, "b/z.log");
	assert_int_equal(link(from, to), 0);
	for (int i = 0; i < 3; i++)
		look(w);
	assert_int_equal(rv_watch_count(w->watch), 2);
	assert_ptr_equal(item_of(w, "x.log"), x);
	assert_ptr_equal(item_of(w, "y.log"), y);
	assert_string_equal(x->folder->path + strlen(w->folder), "/b");
	/* out of the folder and back: it was held */
	char outside[80];
	snprintf(outside, sizeof(outside), "%s.outside", w->folder);
	assert_int_equal(rename(x->path, outside), 0);
	look(w);
	look(w);
	assert_true(x->detached && !x->removed);
	RV_CLEANUP(rv_free_p) char *back = path_of(w, "b/x2.log");
	assert_int_equal(rename(outside, back), 0);
	look(w);
	look(w);
	assert_true(!x->detached);
	assert_string_equal(x->name, "x2.log");
}

/* What is no file is passed over, and folders have an end. */
static void test_what_else_is_in_folders(void **state)
{
	struct world *w = *state;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf deep = RV_STRBUF_INIT;
	RV_CLEANUP(rv_free_p) char *link_path = path_of(w, "link");
	append(w, "a.log", "x\n");
	assert_int_equal(symlink("a.log", link_path), 0);
	for (unsigned i = 0; i < 18; i++) {
		rv_strbuf_puts(&deep, i ? "/d" : "d");
		make_folder(w, deep.bytes);
	}
	rv_strbuf_puts(&deep, "/too-deep.log");
	append(w, deep.bytes, "x\n");
	watch(w, NULL, 4, false);
	for (unsigned i = 0; i < 18; i++)
		look(w);
	assert_int_equal(rv_watch_count(w->watch), 1);
	assert_int_equal(w->watch->folders_count, 17);
}

/* Of the same name, and of another file system. */
static void test_two_operands(void **state)
{
	struct world *w = *state;
	struct rv_error err;
	append(w, "a.log", "x\n");
	w->paths[1] = path_of(w, "a.log");
	watch(w, "a.log", 4, false);
	assert_int_equal(rv_watch_count(w->watch), 1);
	assert_int_equal(w->watch->folders[0]->names_count, 1);
	for (unsigned i = 0; i < 20; i++) {
		char name[16];
		snprintf(name, sizeof(name), "%u.log", i);
		RV_CLEANUP(rv_free_p) char *path = path_of(w, name);
		append(w, name, "x\n");
		assert_int_equal(rv_watch_operand(w->watch, path, &err), RV_OK);
	}
	assert_int_equal(rv_watch_operand(w->watch, "/proc/self/status", &err), RV_OK);
	assert_int_equal(w->watch->folders_count, 2);
	assert_int_equal(w->watch->folders[0]->names_count, 21);
	look(w);
	assert_int_equal(rv_watch_count(w->watch), 22);
}

static void test_named_moved_and_put_back(void **state)
{
	struct world *w = *state;
	for (unsigned i = 0; i < 8; i++) { /* among which it is looked for */
		char name[16];
		snprintf(name, sizeof(name), "other-%u", i);
		append(w, name, "x\n");
	}
	append(w, "a.log", "x\n");
	watch(w, "a.log", 4, false);
	struct rv_watched *item = item_of(w, "a.log");
	take_all(w);
	move(w, "a.log", "a.log.1"); /* and none in its place */
	look(w);
	assert_int_equal(w->rotated, 1);
	assert_true(item->detached && !item->named);
	look(w);
	move(w, "a.log.1", "a.log");
	look(w);
	assert_true(!item->detached && item->named);
	assert_string_equal(item->name, "a.log");
	assert_int_equal(rv_watch_count(w->watch), 1);
}

/* Under another name it is looked for by all that is known of it. */
static void test_named_moved_and_looked_for(void **state)
{
	struct world *w = *state;
	static const struct {
		int64_t birth_ns; /* -1: as it is */
		uint64_t device;  /* added */
		bool found;
	} cases[] = { { -1, 0, true }, { 0, 0, true }, { 5, 0, false }, { -1, 1, false } };
	append(w, "a.log", "x\n");
	watch(w, "a.log", 4, false);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct rv_watched *item = item_of(w, "a.log");
		take_all(w);
		w->rotated = w->removed = 0;
		if (cases[i].birth_ns >= 0)
			item->birth_ns = cases[i].birth_ns;
		item->device += cases[i].device;
		move(w, "a.log", "moved");
		look(w);
		assert_true(item->detached);
		assert_int_equal(w->rotated, cases[i].found);
		assert_int_equal(w->removed, !cases[i].found);
		rv_watch_forget(w->watch, item);
		remove_it(w, "moved");
		append(w, "a.log", "x\n");
		look(w);
	}
}

/* Two operands, one file: it is followed once. */
static void test_named_twice_by_links(void **state)
{
	struct world *w = *state;
	append(w, "a.log", "x\n");
	RV_CLEANUP(rv_free_p) char *a = path_of(w, "a.log");
	w->paths[1] = path_of(w, "b.log");
	assert_int_equal(link(a, w->paths[1]), 0);
	watch(w, "a.log", 4, false);
	look(w);
	assert_int_equal(rv_watch_count(w->watch), 1);
	assert_string_equal(rv_watch_at(w->watch, 0)->name, "a.log");
	append(w, "b.log", "y\n");
	look(w);
	assert_int_equal(rv_watch_at(w->watch, 0)->bytes, 4);
}

/* It is waited for, and said once. */
static void test_named_in_a_folder_that_goes(void **state)
{
	struct world *w = *state;
	make_folder(w, "logs");
	append(w, "logs/a.log", "x\n");
	watch(w, "logs/a.log", 4, false);
	take_all(w);
	remove_it(w, "logs/a.log");
	remove_folder(w, "logs");
	append(w, "logs", "a file\n");
	for (int i = 0; i < 3; i++)
		look(w);
	assert_int_equal(w->removed, 1);
	assert_int_equal(w->missing, 0);
	remove_it(w, "logs");
	make_folder(w, "logs");
	append(w, "logs/a.log", "y\n");
	for (int i = 0; i < 2; i++)
		look(w);
	assert_int_equal(w->found, 2);
}

static void test_what_is_beside_and_no_copy(void **state)
{
	struct world *w = *state;
	struct rv_error err;
	unsigned n = 0;
	append(w, "a.log", "x\n");
	append(w, "a.log.0", "");
	append(w, "a.log.1", "x\n");
	make_folder(w, "a.log.d");
	watch(w, "a.log", 4, false);
	struct rv_watched *item = item_of(w, "a.log");
	assert_int_equal(rv_watch_each_beside(w->watch, item, count_names, &n, &err), RV_OK);
	assert_int_equal(n, 1);
	assert_null(rv_watch_add_beside(w->watch, item, "a.log.d"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_named, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_named_rotated, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_named_not_held, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_folder, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_folder_polled, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_one_file_two_names, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_beside, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_replaced_by_fifo, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_known_by_inode_and_birth, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_many_files_in_many_folders, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_nobody_listens, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_news_and_what_was_taken, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_looks_have_their_times, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_whole_folder_has_its_times, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_too_many_events, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_folder_is_replaced, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_folder_goes_and_comes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_folders_that_are_renamed_and_removed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_files_change_folders, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_else_is_in_folders, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_two_operands, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_named_moved_and_put_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_named_moved_and_looked_for, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_named_twice_by_links, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_named_in_a_folder_that_goes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_is_beside_and_no_copy, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

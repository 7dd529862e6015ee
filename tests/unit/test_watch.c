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
#include "source/watch.h"

struct world {
	char folder[64];
	struct rv_watch *watch;
	unsigned found, renamed, rotated, removed, lost, missing, polled, failed, gone;
	char *paths[2];
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

static void watch(struct world *w, const char *name, size_t hold_max, bool no_inotify)
{
	struct rv_error err;
	w->paths[0] = name ? path_of(w, name) : rv_strdup(w->folder);
	const struct rv_watch_params params = {
		.paths = w->paths,
		.paths_count = 1,
		.poll_ms = 1,
		.hold_max = hold_max,
		.no_inotify = no_inotify,
		.event = on_event,
		.gone = on_gone,
		.arg = w,
	};
	assert_int_equal(rv_watch_new(&params, &w->watch, &err), RV_OK);
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
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What a host remembers of the extracts that it has taken: only what is still so, and only while the lake knows it
 * too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "flow/extract_impl.h"
#include "format/json_text.h"

#define MOST 4

struct world {
	char folder[64];
	struct rv_store *lake;
	struct rv_job job;
	struct rv_extract_params params;
	struct extract_archive items[MOST];
	struct extract_archives archives;
	struct rv_error err;
};

/* Archive `i`, as the source has it. */
static struct extract_archive archive(unsigned i)
{
	static char names[MOST][8];
	struct extract_archive a = { .shown = names[i], .name = names[i], .bytes = 100 + i, .modified_ms = 5000 + i };

	snprintf(names[i], sizeof(names[i]), "/in/%u", MOST - i); /* not in the order of their names */
	return a;
}

static void identify(struct extract_archive *a, char c)
{
	memset(a->identity, c, sizeof(a->identity) - 1);
	a->identity[sizeof(a->identity) - 1] = '\0';
}

static void find(struct world *w)
{
	for (unsigned i = 0; i < MOST; i++)
		w->items[i] = archive(i);
}

static int world_start(void **state)
{
	struct world *w = rv_calloc(1, sizeof(*w));

	snprintf(w->folder, sizeof(w->folder), "%s/river-test-XXXXXX", P_tmpdir);
	assert_non_null(mkdtemp(w->folder));
	w->lake = rv_store_mem_new();
	w->job.name = rv_strdup("job");
	w->params = (struct rv_extract_params){ .job = &w->job, .lake = w->lake, .state_dir = w->folder };
	w->archives = (struct extract_archives){ .items = w->items, .count = MOST };
	find(w);
	*state = w;
	return 0;
}

static int world_stop(void **state)
{
	struct world *w = *state;
	struct rv_error err;

	assert_int_equal(rv_remove_tree(w->folder, &err), RV_OK);
	rv_store_free(w->lake);
	free(w->job.name);
	free(w);
	return 0;
}

/* Archive `i` was taken: the lake's ledger says so. */
static void take(struct world *w, unsigned i)
{
	identify(&w->items[i], (char)('a' + i));
	RV_CLEANUP(rv_free_p) char *name = rv_asprintf("_river/extracts/job/%s.json", w->items[i].identity);

	w->items[i].seen = true;
	static const char row[] = "{\"v\":1,\"status\":\"done\"}";

	assert_int_equal(rv_store_put_bytes(w->lake, name, row, strlen(row), &(struct rv_store_put){ .if_absent = false },
					    &w->err),
			 RV_OK);
}

/* Which are remembered, by another run that finds them all: "0 2 ". */
static void expect(struct world *w, const char *want)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf got = RV_STRBUF_INIT;

	find(w);
	assert_int_equal(extract_remember(&w->params, &w->archives, &w->err), RV_OK);
	for (unsigned i = 0; i < MOST; i++) {
		if (!w->items[i].seen)
			continue;
		rv_strbuf_printf(&got, "%u ", i);
		assert_int_equal(w->items[i].identity[0], 'a' + (int)i);
		assert_int_equal(strlen(w->items[i].identity), RV_ZIP_IDENTITY_TEXT - 1);
	}
	assert_string_equal(got.bytes, want);
}

static enum rv_status note_name(void *arg, const char *name, struct rv_error *err RV_UNUSED)
{
	assert_null(*(char **)arg);
	*(char **)arg = rv_strdup(name);
	return RV_OK;
}

static char *file_of(struct world *w)
{
	RV_CLEANUP(rv_free_p) char *folder = rv_path_join(w->folder, "extracts/job");
	char *found = NULL;

	assert_int_equal(rv_each_entry(folder, note_name, &found, &w->err), RV_OK);
	assert_non_null(found);
	char *path = rv_path_join(folder, found);

	free(found);
	return path;
}

static void test_kept_one_by_one(void **state)
{
	struct world *w = *state;

	expect(w, "");
	take(w, 2);
	assert_int_equal(extract_keep(&w->params, &w->items[2], &w->err), RV_OK);
	expect(w, "2 ");
	take(w, 0);
	assert_int_equal(extract_keep(&w->params, &w->items[0], &w->err), RV_OK);
	expect(w, "0 2 ");
	assert_int_equal(extract_forget(&w->params, &w->err), RV_OK);
	expect(w, "");
	assert_int_equal(extract_forget(&w->params, &w->err), RV_OK); /* there is nothing */
}

static void test_kept_at_once(void **state)
{
	struct world *w = *state;

	take(w, 1);
	take(w, 3);
	assert_int_equal(extract_keep(&w->params, &w->items[3], &w->err), RV_OK);
	w->items[3].seen = false;
	assert_int_equal(extract_keep_all(&w->params, &w->archives, &w->err), RV_OK);
	expect(w, "1 ");
}

/* One that is another file now has to be looked at again. */
static void test_changed_ones(void **state)
{
	struct world *w = *state;
	static const struct {
		const char *line;
		const char *want;
	} lines[] = {
		{ "{'place':'/in/4','bytes':100,'modified_ms':5000,'identity':'%s'}", "0 " },
		{ "{'place':'/in/4','bytes':101,'modified_ms':5000,'identity':'%s'}", "" },
		{ "{'place':'/in/4','bytes':100,'modified_ms':5001,'identity':'%s'}", "" },
		{ "{'place':'/in/9','bytes':100,'modified_ms':5000,'identity':'%s'}", "" },
		{ "{'place':'/in/4','bytes':100,'modified_ms':5000,'identity':'%sa'}", "" },
		{ "{'place':'/in/4','bytes':100,'modified_ms':5000,'identity':'short'}", "" },
		{ "{'place':'/in/4','bytes':100,'modified_ms':5000}", "" },
		{ "{'bytes':100,'modified_ms':5000,'identity':'%s'}", "" },
		{ "[]", "" },
	};

	take(w, 0);
	char identity[RV_ZIP_IDENTITY_TEXT];

	memcpy(identity, w->items[0].identity, sizeof(identity));
	assert_int_equal(extract_keep(&w->params, &w->items[0], &w->err), RV_OK);
	RV_CLEANUP(rv_free_p) char *path = file_of(w);

	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
		RV_CLEANUP(rv_free_p) char *line = rv_strdup(lines[i].line);
		const char *mark = strstr(line, "%s");

		for (char *p = line; *p; p++)
			*p = *p == '\'' ? '"' : *p;
		RV_CLEANUP(rv_free_p)
		char *filled = mark ? rv_asprintf("%.*s%s%s", (int)(mark - line), line, identity, mark + 2) :
				      rv_strdup(line);
		json_t *o = json_loads(filled, 0, NULL);

		assert_non_null(o);
		rv_json_line(&text, o);
		assert_int_equal(rv_replace_file(path, text.bytes, text.len, 0600, &w->err), RV_OK);
		expect(w, lines[i].want);
	}
}

/* What a cut power or a full disk has left of a line is forgotten, and what stands behind it is not. */
static void test_damaged_lines(void **state)
{
	struct world *w = *state;
	static const char torn[] = "0123\0\0\0\0\n";
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;

	take(w, 0);
	take(w, 1);
	assert_int_equal(extract_keep(&w->params, &w->items[0], &w->err), RV_OK);
	RV_CLEANUP(rv_free_p) char *path = file_of(w);

	assert_int_equal(rv_read_file(path, 1 << 20, &text, &w->err), RV_OK);
	rv_strbuf_add(&text, torn, sizeof(torn) - 1);
	assert_int_equal(rv_replace_file(path, text.bytes, text.len, 0600, &w->err), RV_OK);
	assert_int_equal(extract_keep(&w->params, &w->items[1], &w->err), RV_OK);
	expect(w, "0 1 ");
	assert_int_equal(rv_replace_file(path, text.bytes, text.len / 2, 0600, &w->err), RV_OK);
	expect(w, "");
}

/* A place that is no UTF-8 cannot be written down; it is looked at each time. */
static void test_place_without_a_text(void **state)
{
	struct world *w = *state;
	char odd[] = "/in/\xff";

	take(w, 0);
	w->items[0].shown = odd;
	assert_int_equal(extract_keep(&w->params, &w->items[0], &w->err), RV_OK);
	take(w, 1);
	assert_int_equal(extract_keep(&w->params, &w->items[1], &w->err), RV_OK);
	expect(w, "1 ");
}

/* A lake that was emptied does not know the last one: nothing that this host knows holds for it. */
static void test_emptied_lake(void **state)
{
	struct world *w = *state;

	take(w, 0);
	assert_int_equal(extract_keep(&w->params, &w->items[0], &w->err), RV_OK);
	identify(&w->items[2], 'c');
	assert_int_equal(extract_keep(&w->params, &w->items[2], &w->err), RV_OK);
	expect(w, "");
	take(w, 2);
	expect(w, "0 2 ");
	/* one that does not answer is no empty one */
	rv_store_mem_fail(w->lake, 1, false, RV_AUTH);
	find(w);
	assert_int_equal(extract_remember(&w->params, &w->archives, &w->err), RV_AUTH);
}

/* Another lake has another memory. */
static void test_other_lake(void **state)
{
	struct world *w = *state;
	struct rv_store other = *w->lake;
	char url[] = "mem:other";

	take(w, 0);
	assert_int_equal(extract_keep(&w->params, &w->items[0], &w->err), RV_OK);
	other.url = url;
	w->params.lake = &other;
	expect(w, "");
	w->params.lake = w->lake;
	expect(w, "0 ");
}

/* One that has become too large is begun anew. */
static void test_large_file(void **state)
{
	struct world *w = *state;

	take(w, 0);
	assert_int_equal(extract_keep(&w->params, &w->items[0], &w->err), RV_OK);
	RV_CLEANUP(rv_free_p) char *path = file_of(w);

	assert_int_equal(truncate(path, (64 << 20) + 1), 0);
	expect(w, "");
	assert_int_equal(access(path, F_OK), -1);
}

/* What cannot be read or written is told, with its place. */
static void test_no_file(void **state)
{
	struct world *w = *state;

	take(w, 0);
	assert_int_equal(extract_keep(&w->params, &w->items[0], &w->err), RV_OK);
	RV_CLEANUP(rv_free_p) char *path = file_of(w);

	assert_int_equal(unlink(path), 0);
	assert_int_equal(rv_make_folders(path, 0700, &w->err), RV_OK);
	assert_int_equal(extract_remember(&w->params, &w->archives, &w->err), RV_LOCAL_IO);
	assert_non_null(strstr(w->err.message, path));
	assert_int_equal(extract_keep(&w->params, &w->items[0], &w->err), RV_LOCAL_IO);
	assert_int_equal(extract_forget(&w->params, &w->err), RV_LOCAL_IO);

	/* nor is there a folder for it */
	RV_CLEANUP(rv_free_p) char *folder = rv_path_join(w->folder, "extracts");

	assert_int_equal(rv_remove_tree(folder, &w->err), RV_OK);
	assert_int_equal(rv_replace_file(folder, "", 0, 0600, &w->err), RV_OK);
	assert_int_equal(extract_remember(&w->params, &w->archives, &w->err), RV_LOCAL_IO);
	assert_int_equal(extract_keep(&w->params, &w->items[0], &w->err), RV_LOCAL_IO);
	assert_int_equal(extract_keep_all(&w->params, &w->archives, &w->err), RV_LOCAL_IO);
	assert_int_equal(extract_forget(&w->params, &w->err), RV_LOCAL_IO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(function) cmocka_unit_test_setup_teardown(function, world_start, world_stop)
		TEST(test_kept_one_by_one),
		TEST(test_kept_at_once),
		TEST(test_changed_ones),
		TEST(test_damaged_lines),
		TEST(test_place_without_a_text),
		TEST(test_emptied_lake),
		TEST(test_other_lake),
		TEST(test_large_file),
		TEST(test_no_file),
	};

	return cmocka_run_group_tests_name("extract_seen", tests, NULL, NULL);
}

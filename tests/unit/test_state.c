/* Where state lives, whose it is, and which streams have some. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "spool/state.h"

static char folder[64];

static int set_up(void **arg)
{
	(void)arg;
	snprintf(folder, sizeof(folder), "%s/river-test-XXXXXX", P_tmpdir);
	return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **arg)
{
	(void)arg;
	struct rv_error err;
	return rv_remove_tree(folder, &err) == RV_OK ? 0 : -1;
}

static void name_stream(struct rv_stream *stream, const char *business, const char *name, const char *id)
{
	rv_stream_init(stream);
	snprintf(stream->business, sizeof(stream->business), "%s", business);
	snprintf(stream->name, sizeof(stream->name), "%s", name);
	snprintf(stream->id, sizeof(stream->id), "%s", id);
}

static void open_one(const char *lake, const char *business, const char *name, const char *id)
{
	RV_CLEANUP(rv_stream_release_p) struct rv_stream stream;
	struct rv_state state;
	struct rv_error err;
	name_stream(&stream, business, name, id);
	assert_int_equal(rv_state_open(&state, folder, lake, &stream, &err), RV_OK);
	rv_state_release(&state);
}

static enum rv_status see(void *arg, const struct rv_state *state, struct rv_error *err RV_UNUSED)
{
	rv_strbuf_printf(arg, "%s/%s %s;", state->business, state->stream, state->stream_id);
	return access(state->folder, F_OK) == 0 ? RV_OK : rv_fail(err, RV_FAILED, "no folder");
}

static void test_each(void **arg)
{
	(void)arg;
	struct rv_error err;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf seen = RV_STRBUF_INIT;
	assert_int_equal(rv_state_each(folder, "/lake", see, &seen, &err), RV_OK);
	assert_string_equal(seen.bytes, "");
	open_one("/lake", "web", "b", "01AAAAAAAAAAAAAAAAAAAAAAAA");
	open_one("/lake", "web", "a", "01AAAAAAAAAAAAAAAAAAAAAAAB");
	open_one("/lake", "web", "a", "01AAAAAAAAAAAAAAAAAAAAAAAC"); /* created again */
	open_one("/lake", "main", "z", "01AAAAAAAAAAAAAAAAAAAAAAAD");
	open_one("/other", "main", "z", "01AAAAAAAAAAAAAAAAAAAAAAAE");
	assert_int_equal(rv_state_each(folder, "/lake", see, &seen, &err), RV_OK);
	assert_string_equal(seen.bytes, "main/z 01AAAAAAAAAAAAAAAAAAAAAAAD;"
					"web/a 01AAAAAAAAAAAAAAAAAAAAAAAB;"
					"web/a 01AAAAAAAAAAAAAAAAAAAAAAAC;"
					"web/b 01AAAAAAAAAAAAAAAAAAAAAAAA;");
}

/* What river never made: a folder whose name is longer than any of a stream's is nobody's. */
static void test_each_of_others(void **arg)
{
	(void)arg;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf seen = RV_STRBUF_INIT;
	RV_CLEANUP(rv_stream_release_p) struct rv_stream stream;
	struct rv_state state;
	struct rv_error err;
	char name[201] = "";
	memset(name, 'x', sizeof(name) - 1);
	open_one("/lake", "web", "a", "01AAAAAAAAAAAAAAAAAAAAAAAA");
	name_stream(&stream, "web", "a", "01AAAAAAAAAAAAAAAAAAAAAAAA");
	rv_state_locate(&state, folder, "/lake", &stream);
	static const char *const places[] = { "", "/web", "/web/a" };
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		RV_CLEANUP(rv_free_p) char *path = rv_asprintf("%s%s/%s/b/c", state.root, places[i], name);
		assert_int_equal(rv_make_folders(path, 0700, &err), RV_OK);
	}
	assert_int_equal(rv_state_each(folder, "/lake", see, &seen, &err), RV_OK);
	assert_string_equal(seen.bytes, "web/a 01AAAAAAAAAAAAAAAAAAAAAAAA;");
	rv_state_release(&state);
}

static void test_modes_and_note(void **arg)
{
	(void)arg;
	RV_CLEANUP(rv_stream_release_p) struct rv_stream stream;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	struct rv_state state;
	struct rv_error err;
	struct stat st;
	name_stream(&stream, "web", "a", "01AAAAAAAAAAAAAAAAAAAAAAAA");
	mode_t umask_was = umask(0);
	assert_int_equal(rv_state_open(&state, folder, "/lake", &stream, &err), RV_OK);
	umask(umask_was);
	assert_int_equal(stat(state.folder, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(stat(state.root, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	RV_CLEANUP(rv_free_p) char *note = rv_path_join(state.root, "lake");
	assert_int_equal(rv_read_file(note, 100, &text, &err), RV_OK);
	assert_string_equal(text.bytes, "/lake\n");
	assert_int_equal(stat(note, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	rv_state_release(&state);
}

/* Only root can give a folder away; elsewhere the rule is seen by a folder that cannot be written. */
static void test_not_ours(void **arg)
{
	(void)arg;
	RV_CLEANUP(rv_stream_release_p) struct rv_stream stream;
	struct rv_state state;
	struct rv_error err = RV_ERROR_INIT;
	name_stream(&stream, "web", "a", "01AAAAAAAAAAAAAAAAAAAAAAAA");
	bool root = geteuid() == 0;
	if (root)
		assert_int_equal(chown(folder, 12345, (gid_t)-1), 0);
	else
		assert_int_equal(chmod(folder, 0500), 0);
	assert_int_equal(rv_state_open(&state, folder, "/lake", &stream, &err), RV_LOCAL_IO);
	assert_non_null(strstr(err.hint, "RIVER_STATE_DIR"));
	rv_state_release(&state);
	/* the bit alone, without the group's leave to write, shares nothing */
	if (root) {
		assert_int_equal(chmod(folder, 02750), 0);
		assert_int_equal(rv_state_open(&state, folder, "/lake", &stream, &err), RV_LOCAL_IO);
		rv_state_release(&state);
	}
	if (root) { /* shared on purpose */
		assert_int_equal(chmod(folder, 02770), 0);
		assert_int_equal(rv_state_open(&state, folder, "/lake", &stream, &err), RV_OK);
		rv_state_release(&state);
	}
	assert_int_equal(chmod(folder, 0700), 0);
}

/* One that is ours is ours, whatever its bits. */
static void test_ours(void **arg)
{
	(void)arg;
	assert_int_equal(chmod(folder, 02700), 0);
	open_one("/lake", "web", "a", "01AAAAAAAAAAAAAAAAAAAAAAAA");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_each, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_each_of_others, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_modes_and_note, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_not_ours, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_ours, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

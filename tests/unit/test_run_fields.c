/* Lines of a journal that are whole by their sum and hold what no river writes: each field is looked at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "journal_world.h"

#include "format/json_text.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* Line `number` of it with another value of `key`, or without it. */
static void write_changed(const char *path, const struct rv_strbuf *journal, unsigned number, const char *key,
			  const char *value)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	const char *line = journal->bytes;
	for (unsigned i = 1; *line; i++) {
		const char *end = strchr(line, '\n');
		json_t *o = rv_json_line_parse(line, (size_t)(end - line));
		assert_non_null(o);
		if (i == number && value)
			json_object_set_new(o, key, json_loads(value, JSON_DECODE_ANY, NULL));
		else if (i == number)
			json_object_del(o, key);
		rv_json_line(&text, o);
		line = end + 1;
	}
	overwrite(path, text.bytes, text.len);
}

struct change {
	unsigned line;
	const char *key, *value;
};

static void expect_damaged(struct world *world, const struct rv_strbuf *journal, const struct change *changes,
			   size_t count)
{
	RV_CLEANUP(rv_free_p) char *path = journal_of(world, "r1");
	for (size_t i = 0; i < count; i++) {
		struct rv_error err;
		struct rv_run *run = NULL;
		const struct change *c = &changes[i];
		write_changed(path, journal, c->line, c->key, c->value);
		enum rv_status status = rv_run_open(&world->state, "r1", true, &run, &err);
		if (status != RV_DAMAGED || err.line != c->line)
			fail_msg("line %u, %s: %s: %d", c->line, c->key, c->value ? c->value : "-", status);
	}
}

static void test_21_fields_of_a_pipe(void **arg)
{
	struct world *world = *arg;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf journal = RV_STRBUF_INIT;
	static const struct change changes[] = {
		{ 1, "t", "\"batch\"" },
		{ 1, "folder", NULL },
		{ 1, "folder", "\"dt=2026-11-20/hr=16/and/so/on/and/so/on/and/so/on/and/so/on\"" },
		{ 1, "compression", NULL },
		{ 1, "source", "{\"hex\":\"0\"}" },
		{ 1, "host", NULL },
		{ 2, "t", NULL },
		{ 2, "t", "\"run\"" },
		{ 2, "t", "\"something new\"" },
		{ 2, "name", NULL },
		{ 2, "hash", NULL },
		{ 2, "body_hash", "\"1\"" },
		{ 2, "rejects", NULL },
		{ 2, "rejects_hash", "1" },
		{ 2, "rejects_body_hash", NULL },
		{ 4, "seq", "7" }, /* which nobody promised */
	};
	RV_CLEANUP(rv_free_p) char *path = journal_of(world, "r1");
	struct rv_error err;
	struct rv_run *run = NULL;

	make_journal(world, &journal);
	expect_damaged(world, &journal, changes, COUNT(changes));
	write_changed(path, &journal, 4, "t", "\"sending\"");
	assert_int_equal(rv_run_open(&world->state, "r1", true, &run, &err), RV_OK);
	assert_true(run->batches[0].sending);
	rv_run_free(run);
	rv_strbuf_clear(&journal);
	assert_int_equal(rv_read_file(path, 1 << 20, &journal, &err), RV_OK);
	expect_damaged(world, &journal, &(struct change){ 4, "seq", "7" }, 1);
}

static void test_21_fields_of_files(void **arg)
{
	struct world *world = *arg;
	struct rv_error err;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf journal = RV_STRBUF_INIT;
	static const struct change changes[] = {
		{ 2, "path", NULL },
		{ 2, "key", "1" },
		{ 2, "format", NULL },
		{ 2, "compression", NULL },
		{ 2, "index", "100001" },
		{ 3, "extents", "[{\"file\":1,\"from\":0,\"to\":9}]" },
		{ 3, "extents", "[{\"file\":0,\"from\":9,\"to\":8}]" },
		{ 3, "extents", "[{\"file\":0,\"from\":9,\"to\":8},{\"file\":0,\"from\":8,\"to\":9}]" },
		{ 3, "rejects_hash", NULL },
	};
	struct rv_run *run = begin(world, "r1", false);
	struct rv_extent *extents = rv_calloc(1, sizeof(*extents));
	extents[0] = (struct rv_extent){ .file = rv_run_add_file(run, "/a", "1-2-3", "ndjson", "none"), .to = 9 };
	promise(run, 0, true, extents, 1);
	rv_run_free(run);
	RV_CLEANUP(rv_free_p) char *path = journal_of(world, "r1");
	assert_int_equal(rv_read_file(path, 1 << 20, &journal, &err), RV_OK);
	expect_damaged(world, &journal, changes, COUNT(changes));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_21_fields_of_a_pipe, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_21_fields_of_files, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("run_fields", tests, NULL, NULL);
}

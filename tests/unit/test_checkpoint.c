/* Checkpoints: round trip, flipped bits, moving, finding, and the notes of a file's batches. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/crc.h"
#include "base/file.h"
#include "base/memory.h"
#include "format/json_text.h"
#include "spool/checkpoint.h"

struct world {
	char folder[64];
	struct rv_stream stream;
	struct rv_state state;
};

static int set_up(void **ret)
{
	struct world *world = rv_calloc(1, sizeof(*world));
	struct rv_error err;
	snprintf(world->folder, sizeof(world->folder), "%s/river-test-XXXXXX", P_tmpdir);
	assert_non_null(mkdtemp(world->folder));
	rv_stream_init(&world->stream);
	snprintf(world->stream.business, sizeof(world->stream.business), "web");
	snprintf(world->stream.name, sizeof(world->stream.name), "clicks");
	assert_int_equal(
		rv_state_open(&world->state, world->folder, "/lake", &world->stream, &err), RV_OK);
	*ret = world;
	return 0;
}

static int tear_down(void **arg)
{
	struct world *world = *arg;
	struct rv_error err;
	assert_int_equal(rv_remove_tree(world->folder, &err), RV_OK);
	rv_state_release(&world->state);
	rv_stream_release(&world->stream);
	free(world);
	return 0;
}

static struct rv_checkpoint sample(const char *key)
{
	struct rv_checkpoint c = {
		.path = rv_strdup("/in/a\xff.ndjson"),
		.format = rv_strdup("csv"),
		.compression = rv_strdup("none"),
		.offset = 1000,
		.line = 12,
		.csv_header = rv_strdup("a,b\xfe"),
		.in_array = 1,
		.head_len = 10,
		.head_hash = UINT64_MAX,
		.tail_len = 20,
		.tail_hash = 2,
		.first_record = 0xabc,
		.records = 11,
		.rejected = 1,
		.set_hash = 3,
		.file_bytes = 2000,
		.file_modified_ns = 1795193931123000000,
		.at_end = true,
		.pushed_ms = 1795193931123,
	};
	snprintf(c.key, sizeof(c.key), "%s", key);
	return c;
}

static void assert_same(const struct rv_checkpoint *a, const struct rv_checkpoint *b)
{
	assert_string_equal(a->key, b->key);
	assert_string_equal(a->path, b->path);
	assert_string_equal(a->format, b->format);
	assert_string_equal(a->compression, b->compression);
	assert_string_equal(a->csv_header, b->csv_header);
	assert_true(a->offset == b->offset && a->line == b->line && a->in_array == b->in_array);
	assert_true(a->head_len == b->head_len && a->head_hash == b->head_hash);
	assert_true(a->tail_len == b->tail_len && a->tail_hash == b->tail_hash);
	assert_true(a->first_record == b->first_record && a->records == b->records);
	assert_true(a->rejected == b->rejected && a->set_hash == b->set_hash);
	assert_true(a->file_bytes == b->file_bytes && a->file_modified_ns == b->file_modified_ns);
	assert_true(a->at_end == b->at_end && a->pushed_ms == b->pushed_ms);
}

static void save(struct world *world, const struct rv_checkpoint *c)
{
	struct rv_error err;
	assert_int_equal(rv_checkpoint_save(&world->state, c, true, &err), RV_OK);
}

static enum rv_status load(struct world *world, const char *key, bool *ret_found)
{
	struct rv_error err;
	RV_CLEANUP(rv_checkpoint_release) struct rv_checkpoint c = { .offset = 0 };
	return rv_checkpoint_load(&world->state, key, &c, ret_found, &err);
}

static bool any(struct world *world)
{
	struct rv_error err;
	bool ret = false;
	assert_int_equal(rv_checkpoint_any(&world->state, &ret, &err), RV_OK);
	return ret;
}

static void test_round_trip(void **arg)
{
	struct world *world = *arg;
	struct rv_error err;
	bool found = true;
	assert_false(any(world));
	assert_int_equal(load(world, "1-2-3", &found), RV_OK);
	assert_false(found);
	RV_CLEANUP(rv_checkpoint_release) struct rv_checkpoint c = sample("1-2-3");
	save(world, &c);
	RV_CLEANUP(rv_checkpoint_release) struct rv_checkpoint there = { .offset = 0 };
	assert_int_equal(rv_checkpoint_load(&world->state, "1-2-3", &there, &found, &err), RV_OK);
	assert_true(found);
	assert_same(&c, &there);
	/* where an array stands is kept as the reader said it, and what was kept so before is still read */
	for (unsigned in_array = 0; in_array < 16; in_array++) {
		RV_CLEANUP(rv_checkpoint_release) struct rv_checkpoint again = { .offset = 0 };
		c.in_array = in_array;
		save(world, &c);
		assert_int_equal(rv_checkpoint_load(&world->state, "1-2-3", &again, &found, &err), RV_OK);
		assert_int_equal(again.in_array, in_array);
	}
	assert_true(any(world));
	assert_int_equal(rv_checkpoint_sync(&world->state, &err), RV_OK);
	assert_int_equal(rv_checkpoint_remove(&world->state, &c, &err), RV_OK);
	assert_int_equal(load(world, "1-2-3", &found), RV_OK);
	assert_false(found);
	assert_false(any(world));
}

static void test_21_every_bit(void **arg)
{
	struct world *world = *arg;
	struct rv_error err;
	RV_CLEANUP(rv_checkpoint_release) struct rv_checkpoint c = sample("1-2-3");
	save(world, &c);
	RV_CLEANUP(rv_free_p) char *path = rv_state_path(&world->state, "files/1-2-3");
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	assert_int_equal(rv_read_file(path, 1 << 20, &text, &err), RV_OK);
	size_t quiet = 0;
	for (size_t bit = 0; bit < text.len * 8; bit++) {
		bool found;
		struct stat st;
		text.bytes[bit / 8] = (char)(text.bytes[bit / 8] ^ (1 << bit % 8));
		assert_int_equal(rv_replace_file(path, text.bytes, text.len, 0600, &err), RV_OK);
		text.bytes[bit / 8] = (char)(text.bytes[bit / 8] ^ (1 << bit % 8));
		RV_CLEANUP(rv_checkpoint_release) struct rv_checkpoint there = { .offset = 0 };
		enum rv_status status =
			rv_checkpoint_load(&world->state, "1-2-3", &there, &found, &err);
		if (status == RV_OK) { /* a digit of the sum in upper case */
			assert_true(found && bit < 64 && bit % 8 == 5);
			assert_same(&c, &there);
			quiet++;
			continue;
		}
		assert_int_equal(status, RV_DAMAGED);
		assert_false(found);
		/* it stays: whoever wants the file sent again has to say so */
		assert_int_equal(stat(path, &st), 0);
	}
	assert_true(quiet < 8);
}

static void test_50_torn_at_every_byte(void **arg)
{
	struct world *world = *arg;
	struct rv_error err;
	RV_CLEANUP(rv_checkpoint_release) struct rv_checkpoint c = sample("1-2-3");
	save(world, &c);
	RV_CLEANUP(rv_free_p) char *path = rv_state_path(&world->state, "files/1-2-3");
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	assert_int_equal(rv_read_file(path, 1 << 20, &text, &err), RV_OK);
	for (size_t len = 0; len < text.len; len++) {
		bool found;
		assert_int_equal(rv_replace_file(path, text.bytes, len, 0600, &err), RV_OK);
		assert_int_equal(load(world, "1-2-3", &found), RV_DAMAGED);
	}
}

static void test_20_newer_version(void **arg)
{
	struct world *world = *arg;
	struct rv_error err;
	bool found;
	static const char object[] = "{\"v\":2}";
	RV_CLEANUP(rv_free_p) char *path = rv_state_path(&world->state, "files/1-2-3");
	RV_CLEANUP(rv_free_p)
	char *line = rv_asprintf("%08x %s\n", rv_crc32c(0, object, strlen(object)), object);
	assert_int_equal(rv_replace_file(path, line, strlen(line), 0600, &err), RV_OK);
	assert_int_equal(load(world, "1-2-3", &found), RV_BAD_CONFIG);
	struct stat st;
	assert_int_equal(stat(path, &st), 0); /* not set aside */
}

/* What is whole by its sum and holds what no river writes: each field is looked at. */
static void test_21_fields(void **arg)
{
	struct world *world = *arg;
	struct rv_error err;
	static const struct {
		const char *key, *value; /* NULL: the field is not there */
	} wrong[] = {
		{ "v", "0" },
		{ "key", NULL },
		{ "key", "7" },
		{ "format", NULL },
		{ "compression", NULL },
		{ "path", NULL },
		{ "path", "{\"hex\":\"2\"}" },
		{ "head_len", "65537" },
		{ "tail_len", "65537" },
		{ "offset", "9" },  /* in front of the end of the head, */
		{ "offset", "19" }, /* and of the begin of the tail */
		{ "head", NULL },
		{ "tail", "\"00\"" },
		{ "first", "\"000000000000000g\"" },
		{ "hash", "3" },
	};
	RV_CLEANUP(rv_checkpoint_release) struct rv_checkpoint c = sample("1-2-3");
	RV_CLEANUP(rv_free_p) char *path = rv_state_path(&world->state, "files/1-2-3");

	for (size_t i = 0; i <= sizeof(wrong) / sizeof(*wrong); i++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf line = RV_STRBUF_INIT;
		json_t *o = rv_checkpoint_json(&c);
		bool found;

		if (i == sizeof(wrong) / sizeof(*wrong)) {
			char longer[sizeof(c.key) + 1];

			memset(longer, '1', sizeof(longer));
			json_object_set_new(o, "key", json_stringn(longer, sizeof(c.key)));
		} else if (wrong[i].value) {
			json_object_set_new(o, wrong[i].key, json_loads(wrong[i].value, JSON_DECODE_ANY, NULL));
		} else {
			json_object_del(o, wrong[i].key);
		}
		rv_json_line(&line, o);
		assert_int_equal(rv_replace_file(path, line.bytes, line.len, 0600, &err), RV_OK);
		if (load(world, "1-2-3", &found) != RV_DAMAGED || found)
			fail_msg("taken: %s", line.bytes);
	}
}

static void test_20_golden(void **arg)
{
	struct world *world = *arg;
	struct rv_error err;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf golden = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf now = RV_STRBUF_INIT;
	RV_CLEANUP(rv_free_p)
	char *copy = rv_path_join(getenv("RIVER_SOURCE") ? getenv("RIVER_SOURCE") : ".",
				  "tests/data/checkpoint-v1");
	assert_int_equal(rv_read_file(copy, 1 << 20, &golden, &err), RV_OK);
	RV_CLEANUP(rv_checkpoint_release) struct rv_checkpoint c = sample("1-2-3");
	save(world, &c);
	RV_CLEANUP(rv_free_p) char *path = rv_state_path(&world->state, "files/1-2-3");
	assert_int_equal(rv_read_file(path, 1 << 20, &now, &err), RV_OK);
	assert_string_equal(now.bytes, golden.bytes);
}

struct heads {
	unsigned count;
	char keys[4][RV_FILE_KEY_TEXT];
};

static enum rv_status see_head(void *arg, struct rv_checkpoint *c, struct rv_error *err RV_UNUSED)
{
	struct heads *heads = arg;
	assert_true(heads->count < 4);
	snprintf(heads->keys[heads->count++], RV_FILE_KEY_TEXT, "%s", c->key);
	return RV_OK;
}

static void test_heads_and_moves(void **arg)
{
	struct world *world = *arg;
	struct rv_error err;
	struct heads heads = { .count = 0 };
	RV_CLEANUP(rv_checkpoint_release) struct rv_checkpoint a = sample("1-1-1");
	RV_CLEANUP(rv_checkpoint_release) struct rv_checkpoint b = sample("1-1-2");
	RV_CLEANUP(rv_checkpoint_release) struct rv_checkpoint other = sample("1-1-3");
	other.first_record = 0xabd;
	save(world, &a);
	save(world, &b);
	save(world, &other);
	assert_int_equal(rv_checkpoint_each_head(&world->state, 0xabc, see_head, &heads, &err), RV_OK);
	assert_int_equal(heads.count, 2);
	assert_string_equal(heads.keys[0], "1-1-1");
	assert_string_equal(heads.keys[1], "1-1-2");

	assert_int_equal(rv_checkpoint_move(&world->state, &a, "9-9-9", "/in/a.1", &err), RV_OK);
	assert_string_equal(a.key, "9-9-9");
	assert_string_equal(a.path, "/in/a.1");
	bool found;
	assert_int_equal(load(world, "1-1-1", &found), RV_OK);
	assert_false(found);
	assert_int_equal(load(world, "9-9-9", &found), RV_OK);
	assert_true(found);
	heads.count = 0;
	assert_int_equal(rv_checkpoint_each_head(&world->state, 0xabc, see_head, &heads, &err), RV_OK);
	assert_int_equal(heads.count, 2);
	assert_string_equal(heads.keys[1], "9-9-9");

	assert_int_equal(rv_checkpoint_detach(&world->state, &b, &err), RV_OK);
	assert_true(rv_starts_with(b.key, "gone-"));
	assert_int_equal(load(world, "1-1-2", &found), RV_OK);
	assert_false(found);
	assert_int_equal(load(world, b.key, &found), RV_OK);
	assert_true(found);
}

static void add_head(struct world *world, const char *name)
{
	RV_CLEANUP(rv_free_p) char *path = rv_asprintf("%s/heads/0000000000000abc/%s", world->state.folder, name);
	RV_CLEANUP(rv_close_p) int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
}

/* Another file's damaged checkpoint, and those that have gone, keep nobody from finding the rest; and there
 * is an end to looking. */
static void test_heads_of_others(void **arg)
{
	struct world *world = *arg;
	struct rv_error err;
	struct heads heads = { .count = 0 };
	RV_CLEANUP(rv_checkpoint_release) struct rv_checkpoint c = sample("z");
	save(world, &c);
	RV_CLEANUP(rv_free_p) char *damaged = rv_state_path(&world->state, "files/a");
	assert_int_equal(rv_replace_file(damaged, "x\n", 2, 0600, &err), RV_OK);
	add_head(world, "a");
	for (unsigned i = 0; i < 998; i++) {
		char name[16];
		snprintf(name, sizeof(name), "gone-%03u", i);
		add_head(world, name);
	}
	assert_int_equal(rv_checkpoint_each_head(&world->state, 0xabc, see_head, &heads, &err), RV_OK);
	assert_int_equal(heads.count, 1);
	assert_string_equal(heads.keys[0], "z");
	add_head(world, "one-more");
	assert_int_equal(rv_checkpoint_each_head(&world->state, 0xabc, see_head, &heads, &err), RV_OK);
	assert_int_equal(heads.count, 1);
}

/* What has no first record has nothing to be found by; and what need not be durable at once is there all
 * the same. */
static void test_without_a_head(void **arg)
{
	struct world *world = *arg;
	struct rv_error err;
	bool found;
	RV_CLEANUP(rv_checkpoint_release) struct rv_checkpoint c = sample("1-2-3");
	c.first_record = 0;
	c.again_open = true;
	assert_int_equal(rv_checkpoint_save(&world->state, &c, false, &err), RV_OK);
	assert_false(any(world));
	RV_CLEANUP(rv_checkpoint_release) struct rv_checkpoint there = { .offset = 0 };
	assert_int_equal(rv_checkpoint_load(&world->state, "1-2-3", &there, &found, &err), RV_OK);
	assert_true(found && there.again_open);
	assert_same(&c, &there);

	c.first_record = 0xabc;
	assert_int_equal(rv_checkpoint_save(&world->state, &c, false, &err), RV_OK);
	assert_true(any(world));
	RV_CLEANUP(rv_free_p) char *folder = rv_state_path(&world->state, "heads");
	assert_int_equal(rv_remove_tree(folder, &err), RV_OK);
	assert_false(any(world));
}

/* Where the file system does not know when a file was made, its number has to do. */
static void test_key_without_a_birth(void **arg RV_UNUSED)
{
	struct rv_error err;
	char key[RV_FILE_KEY_TEXT];
	struct statx st;
	int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &st), 0);
	assert_false(st.stx_mask & STATX_BTIME);
	assert_int_equal(rv_file_key(fd, "it", key, &err), RV_OK);
	assert_true(rv_ends_with(key, "-0"));
	close(fd);
}

static enum rv_status see_batch(void *arg, const struct rv_file_batch *batch,
				struct rv_error *err RV_UNUSED)
{
	struct rv_strbuf *sb = arg;
	rv_strbuf_printf(sb, "%lu-%lu %s %s;", (unsigned long)batch->from, (unsigned long)batch->to,
			 batch->name, batch->rejects_name);
	return RV_OK;
}

static void test_batches_of_a_file(void **arg)
{
	struct world *world = *arg;
	struct rv_error err;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf seen = RV_STRBUF_INIT;
	struct rv_run run = { .name = "r1" };
	char name[] = "data/x", rejects[] = "_river/rejects/x", none[] = "";
	struct rv_batch_entry a = { .seq = 0, .name = name };
	struct rv_batch_entry b = { .seq = 1, .name = none, .rejects_name = rejects };
	struct rv_extent first = { .from = 0, .to = 10 }, second = { .from = 10, .to = 25 };
	assert_int_equal(rv_checkpoint_note_batch(&world->state, "k", &run, &a, &first, true, &err),
			 RV_OK);
	/* torn by a crash: the line is written again behind it */
	RV_CLEANUP(rv_free_p) char *path = rv_state_path(&world->state, "files/k.batches");
	int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_int_equal(write(fd, "\n10 25 r1", 9), 9);
	close(fd);
	assert_int_equal(rv_checkpoint_note_batch(&world->state, "k", &run, &b, &second, false, &err),
			 RV_OK);
	assert_int_equal(rv_checkpoint_each_batch(&world->state, "k", see_batch, &seen, &err), RV_OK);
	assert_string_equal(seen.bytes, "0-10 data/x -;10-25 - _river/rejects/x;");
	assert_int_equal(rv_checkpoint_each_batch(&world->state, "none", see_batch, &seen, &err), RV_OK);
}

static void test_batches_behind_zeros(void **arg)
{
	struct world *world = *arg;
	struct rv_error err;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf seen = RV_STRBUF_INIT;
	struct rv_run run = { .name = "r1" };
	char name[] = "data/x";
	struct rv_batch_entry a = { .seq = 0, .name = name };
	struct rv_extent extent = { .from = 0, .to = 10 };
	/* a power cut left a line as zeros, and half of another one */
	RV_CLEANUP(rv_free_p) char *path = rv_state_path(&world->state, "files/z.batches");
	assert_int_equal(rv_replace_file(path, "\n0 10 r1\0\0\0\0\0\0\0\0", 17, 0600, &err), RV_OK);
	assert_int_equal(rv_checkpoint_note_batch(&world->state, "z", &run, &a, &extent, true, &err), RV_OK);
	int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_int_equal(write(fd, "\n10 25 r1 1 7 data/y _river/rej", 31), 31);
	close(fd);
	assert_int_equal(rv_checkpoint_each_batch(&world->state, "z", see_batch, &seen, &err), RV_OK);
	/* nor is half of a name taken for one */
	assert_string_equal(seen.bytes, "0-10 data/x -;");
}

static void test_matches_and_measure(void **arg)
{
	struct world *world = *arg;
	struct rv_error err;
	RV_CLEANUP(rv_free_p) char *path = rv_path_join(world->folder, "in");
	RV_CLEANUP(rv_free_p) char *bytes = rv_malloc(200000);
	for (size_t i = 0; i < 200000; i++)
		bytes[i] = (char)(i * 7 + i / 251);
	assert_int_equal(rv_replace_file(path, bytes, 200000, 0600, &err), RV_OK);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	static const uint64_t offsets[] = { 0, 1, 65535, 65536, 65537, 200000 };
	for (size_t i = 0; i < sizeof(offsets) / sizeof(*offsets); i++) {
		bool same;
		RV_CLEANUP(rv_checkpoint_release) struct rv_checkpoint c = sample("1-2-3");
		c.offset = offsets[i];
		assert_int_equal(rv_checkpoint_measure(&c, fd, &err), RV_OK);
		assert_int_equal(rv_checkpoint_matches(&c, fd, &same, &err), RV_OK);
		assert_true(same);
		if (!offsets[i])
			continue;
		const uint64_t touched[] = { 0, offsets[i] - 1 };
		for (size_t j = 0; j < 2; j++) {
			char was = bytes[touched[j]], other = (char)(was ^ 1);
			assert_int_equal(pwrite(fd, &other, 1, (off_t)touched[j]), 1);
			assert_int_equal(rv_checkpoint_matches(&c, fd, &same, &err), RV_OK);
			assert_false(same);
			assert_int_equal(pwrite(fd, &was, 1, (off_t)touched[j]), 1);
		}
		assert_int_equal(ftruncate(fd, (off_t)offsets[i] - 1), 0);
		assert_int_equal(rv_checkpoint_matches(&c, fd, &same, &err), RV_OK);
		assert_false(same);
		assert_int_equal(rv_checkpoint_measure(&c, fd, &err), RV_LOCAL_IO);
		assert_int_equal(pwrite(fd, bytes, 200000, 0), 200000);
	}
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_round_trip, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_21_every_bit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_50_torn_at_every_byte, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_20_newer_version, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_20_golden, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_21_fields, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_heads_and_moves, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_heads_of_others, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_without_a_head, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_key_without_a_birth, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_batches_of_a_file, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_batches_behind_zeros, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_matches_and_measure, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

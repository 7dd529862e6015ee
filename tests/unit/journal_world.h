/* A state with the journal of a run in it. */
#ifndef RV_TESTS_UNIT_JOURNAL_WORLD_H
#define RV_TESTS_UNIT_JOURNAL_WORLD_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "spool/run.h"
#include "spool/state.h"

#define NOW 1795193931123 /* 2026-11-20T16:58:51.123Z */
#define ID "01JCX0000000000000000000ZZ"

struct world {
	char folder[64];
	struct rv_stream stream;
	struct rv_state state;
};

RV_UNUSED static int set_up(void **ret)
{
	struct world *world = rv_calloc(1, sizeof(*world));
	struct rv_error err;
	snprintf(world->folder, sizeof(world->folder), "%s/river-test-XXXXXX", P_tmpdir);
	assert_non_null(mkdtemp(world->folder));
	rv_stream_init(&world->stream);
	snprintf(world->stream.business, sizeof(world->stream.business), "web");
	snprintf(world->stream.name, sizeof(world->stream.name), "clicks");
	snprintf(world->stream.id, sizeof(world->stream.id), ID);
	assert_int_equal(
		rv_state_open(&world->state, world->folder, "/lake", &world->stream, &err), RV_OK);
	*ret = world;
	return 0;
}

RV_UNUSED static int tear_down(void **arg)
{
	struct world *world = *arg;
	struct rv_error err;
	assert_int_equal(rv_remove_tree(world->folder, &err), RV_OK);
	rv_state_release(&world->state);
	rv_stream_release(&world->stream);
	free(world);
	return 0;
}

RV_UNUSED static char *name_of(unsigned seq)
{
	char text[RV_OBJECT_NAME_MAX];
	snprintf(text, sizeof(text),
		 "data/web/clicks/dt=2026-11-20/hr=16/r1-%06u-r3-h00000000000000%02x.ndjson.zst", seq,
		 seq);
	return rv_strdup(text);
}

RV_UNUSED static void promise(struct rv_run *run, unsigned seq, bool rejects, struct rv_extent *extents,
		    size_t extents_count)
{
	struct rv_error err;
	struct rv_batch_entry entry = {
		.seq = seq,
		.name = name_of(seq),
		.records = 3,
		.record_bytes = 27,
		.bytes = 20 + seq,
		.set_hash = 0xfedcba9876543210u + seq,
		.body_hash = 7 + seq,
		.rejected = rejects ? 2 : 0,
		.rejects_hash = rejects ? UINT64_MAX : 0,
		.rejects_bytes = rejects ? 99 : 0,
		.rejects_body_hash = rejects ? 11 : 0,
		.rejects_name = rejects ? rv_strdup("_river/rejects/web/clicks/2026-11-20/r1-000000-r2.ndjson")
					: NULL,
		.input_to = 100 * (seq + 1),
		.extents = extents,
		.extents_count = extents_count,
	};
	assert_int_equal(rv_run_promise(run, &entry, &err), RV_OK);
	assert_null(entry.name);
}

RV_UNUSED static struct rv_run *begin(struct world *world, const char *name, bool pipe)
{
	struct rv_error err;
	struct rv_run *run = NULL;
	assert_int_equal(rv_run_create(&world->state, name, NOW, &run, &err), RV_OK);
	run->pipe = pipe;
	run->named = pipe;
	run->compression = RV_OUTPUT_ZSTD;
	free(run->source);
	run->source = rv_strdup("a \xff name");
	free(run->host);
	run->host = rv_strdup("testhost");
	run->settings = json_pack("{s:i}", "v", 1);
	assert_int_equal(rv_run_begin(run, &err), RV_OK);
	return run;
}

RV_UNUSED static char *journal_of(struct world *world, const char *name)
{
	return rv_asprintf("%s/runs/%s/journal", world->state.folder, name);
}

RV_UNUSED static void overwrite(const char *path, const char *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), (ssize_t)len);
	close(fd);
}

/* r1: a pipe with two batches, the first landed. Returns its journal. */
RV_UNUSED static void make_journal(struct world *world, struct rv_strbuf *ret)
{
	struct rv_error err;
	struct rv_run *run = begin(world, "r1", true);
	promise(run, 0, true, NULL, 0);
	promise(run, 1, false, NULL, 0);
	assert_int_equal(rv_run_landed(run, 0, &err), RV_OK);
	rv_run_free(run);
	RV_CLEANUP(rv_free_p) char *path = journal_of(world, "r1");
	assert_int_equal(rv_read_file(path, 1 << 20, ret, &err), RV_OK);
}

#endif

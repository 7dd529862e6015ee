/* A state folder, a lake and a stream for tests of what a run does, and spans made by hand. */
#ifndef TESTS_UNIT_RUN_WORLD_H
#define TESTS_UNIT_RUN_WORLD_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "flow/batch.h"
#include "spool/run.h"
#include "spool/state.h"
#include "store/store.h"

#define NOW 1795193931123 /* 2026-11-20T16:58:51.123Z */

#define assert_ok(w, call)                                                                         \
	do {                                                                                       \
		if ((call) != RV_OK)                                                               \
			fail_msg("%s: %s", #call, (w)->err.message);                               \
	} while (0)

struct run_world {
	char folder[64];
	struct rv_stream stream;
	struct rv_state state;
	struct rv_store *lake; /* in memory, or in <folder>/lake */
	struct rv_error err;
};

static inline void open_world(struct run_world *w, bool lake_in_memory)
{
	*w = (struct run_world){ .err = RV_ERROR_INIT };
	snprintf(w->folder, sizeof(w->folder), "%s/river-run-XXXXXX", P_tmpdir);
	assert_non_null(mkdtemp(w->folder));
	RV_CLEANUP(rv_free_p) char *lake = rv_path_join(w->folder, "lake");
	RV_CLEANUP(rv_free_p) char *state = rv_path_join(w->folder, "state");

	w->lake = lake_in_memory ? rv_store_mem_new() : rv_store_file_new(lake);
	rv_stream_init(&w->stream);
	snprintf(w->stream.business, sizeof(w->stream.business), "web");
	snprintf(w->stream.name, sizeof(w->stream.name), "clicks");
	snprintf(w->stream.id, sizeof(w->stream.id), "01jcx0000000000000000000zz");
	w->stream.compression = RV_OUTPUT_NONE; /* so that bodies can be read as they are */
	assert_ok(w, rv_state_open(&w->state, state, "/lake", &w->stream, &w->err));
}

static inline void close_world(struct run_world *w)
{
	rv_store_free(w->lake);
	rv_state_release(&w->state);
	rv_stream_release(&w->stream);
	assert_ok(w, rv_remove_tree(w->folder, &w->err));
}

static inline struct rv_run *begin_run(struct run_world *w, const char *name, bool pipe, bool named)
{
	struct rv_run *run = NULL;

	assert_ok(w, rv_run_create(&w->state, name, NOW, &run, &w->err));
	run->pipe = pipe;
	run->named = named;
	run->compression = w->stream.compression;
	free(run->source);
	run->source = rv_strdup("in.ndjson");
	assert_ok(w, rv_run_begin(run, &w->err));
	return run;
}

static inline struct rv_batcher *make_batcher(struct run_world *w)
{
	struct rv_batcher_params params = { .stream = &w->stream, .lake = w->lake };
	struct rv_batcher *batcher = NULL;

	assert_ok(w, rv_batcher_new(&params, &batcher, &w->err));
	return batcher;
}

/* Lines that count as one record each, with a hash that is told apart by its length. */
static inline void add_records(struct run_world *w, struct rv_batcher *batcher, const char *text,
			       uint64_t set_hash)
{
	struct rv_span span = { .kind = RV_SPAN_RECORDS, .bytes = text, .len = strlen(text),
				.set_hash = set_hash };

	for (const char *p = text; *p; p++)
		span.records += *p == '\n';
	span.record_bytes = span.len - span.records;
	assert_ok(w, rv_batcher_add(batcher, &span, "in.ndjson", &w->err));
}

static inline void add_reject(struct run_world *w, struct rv_batcher *batcher, const char *bytes,
			      size_t len, bool first, bool more)
{
	struct rv_span span = { .kind = RV_SPAN_REJECT, .bytes = bytes, .len = len, .first = first,
				.more = more, .reason = "a \"lone\" quote", .reason_code = "quote",
				.line = 7, .from = 90, .fault_offset = 93 };

	assert_ok(w, rv_batcher_add(batcher, &span, "in \xff.ndjson", &w->err));
}

/* Everything below a folder: names of files, without the folders. */
static inline unsigned count_files(const char *folder)
{
	RV_CLEANUP(rv_free_p) char *command = rv_asprintf("find '%s' -type f | wc -l", folder);
	FILE *f = popen(command, "r");
	unsigned count = 9999;

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%u", &count), 1);
	assert_int_equal(pclose(f), 0);
	return count;
}

#endif

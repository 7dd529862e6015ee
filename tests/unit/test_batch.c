/* One batch: its counts and names, where its bytes are, and that an abandoned one leaves nothing. */
#include "run_world.h"

#include <fcntl.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#define SOME_KIB 64

static void test_counts_and_names(void **state RV_UNUSED)
{
	struct run_world w;
	struct rv_finished done;

	open_world(&w, true);
	struct rv_run *run = begin_run(&w, "r1", false, false);
	struct rv_batcher *batcher = make_batcher(&w);

	assert_false(rv_batcher_open(batcher));
	assert_ok(&w, rv_batcher_begin(batcher, run, 3, &w.err));
	assert_true(rv_batcher_open(batcher));
	add_records(&w, batcher, "{\"a\":1}\n{\"a\":2}\n", UINT64_MAX);
	add_records(&w, batcher, "{}\n", 0x12); /* sums wrap around */
	assert_int_equal(rv_batcher_entry(batcher)->records, 3);
	assert_int_equal(rv_batcher_entry(batcher)->record_bytes, 16);
	assert_ok(&w, rv_batcher_finish(batcher, &done, &w.err));
	assert_false(rv_batcher_open(batcher));
	assert_int_equal(done.entry.seq, 3);
	assert_int_equal(done.entry.set_hash, 0x11);
	assert_int_equal(done.entry.bytes, 19);
	assert_string_equal(done.entry.name, "data/web/clicks/dt=2026-11-20/hr=16/"
					     "r1-000003-r3-h0000000000000011.ndjson");
	assert_null(done.entry.rejects_name);
	assert_int_equal(done.entry.rejected, 0);
	assert_int_equal(done.entry.body_hash, 0); /* of spooled ones only */
	assert_int_equal(done.body.fd, -1);
	assert_int_equal(done.body.len, 19);
	assert_string_equal(done.body.memory.bytes, "{\"a\":1}\n{\"a\":2}\n{}\n");
	assert_int_equal(done.rejects.len, 0);
	rv_finished_release(&done);

	/* the next one starts at nothing */
	assert_ok(&w, rv_batcher_begin(batcher, run, 4, &w.err));
	assert_int_equal(rv_batcher_entry(batcher)->records, 0);
	add_reject(&w, batcher, "x", 1, true, false);
	assert_ok(&w, rv_batcher_finish(batcher, &done, &w.err));
	assert_string_equal(done.entry.name, ""); /* rejects only */
	assert_string_equal(done.entry.rejects_name,
			    "_river/rejects/web/clicks/2026-11-20/r1-000004-r1.ndjson");
	assert_int_equal(done.entry.records, 0);
	rv_finished_release(&done);
	rv_batcher_free(batcher);
	rv_batcher_free(NULL);
	rv_run_free(run);
	close_world(&w);
}

static void test_reject_lines(void **state RV_UNUSED)
{
	struct run_world w;
	struct rv_finished done;

	open_world(&w, true);
	struct rv_run *run = begin_run(&w, "r1", false, false);
	struct rv_batcher *batcher = make_batcher(&w);

	assert_ok(&w, rv_batcher_begin(batcher, run, 0, &w.err));
	add_reject(&w, batcher, "fooba", 5, true, false);
	/* in pieces, whose base64 joins without a seam; and one of no bytes */
	add_reject(&w, batcher, "foo", 3, true, true);
	add_reject(&w, batcher, "bar", 3, false, true);
	assert_int_equal(rv_batcher_entry(batcher)->rejected, 1); /* the second is not whole yet */
	add_reject(&w, batcher, "ba", 2, false, false);
	add_reject(&w, batcher, "", 0, true, false);
	assert_ok(&w, rv_batcher_finish(batcher, &done, &w.err));
#define HEAD                                                                                       \
	"{\"v\":1,\"code\":\"quote\",\"reason\":\"a \\\"lone\\\" quote\","                         \
	"\"source\":\"in \357\277\275.ndjson\",\"line\":7,\"offset\":90,\"fault\":93,\"bytes\":\""
	assert_string_equal(done.rejects.memory.bytes,
			    HEAD "Zm9vYmE=\",\"length\":5}\n"
			    HEAD "Zm9vYmFyYmE=\",\"length\":8}\n"
			    HEAD "\",\"length\":0}\n");
	assert_int_equal(done.entry.rejected, 3);
	assert_int_equal(done.entry.rejects_bytes, done.rejects.memory.len);
	assert_true(done.entry.rejects_hash == XXH3_64bits("fooba", 5) + XXH3_64bits("foobarba", 8) +
						       XXH3_64bits("", 0));
	rv_finished_release(&done);
	rv_batcher_free(batcher);
	rv_run_free(run);
	close_world(&w);
}

/* `count` times SOME_KIB of records into an open batch; what they are comes back in `want`. */
static void add_many(struct run_world *w, struct rv_batcher *batcher, unsigned count,
		     struct rv_strbuf *want)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf piece = RV_STRBUF_INIT;

	for (unsigned i = 0; i < count; i++) {
		rv_strbuf_clear(&piece);
		while (piece.len < SOME_KIB << 10)
			rv_strbuf_printf(&piece, "{\"number\":%u,\"at\":%zu}\n", i, piece.len);
		add_records(w, batcher, piece.bytes, i);
		rv_strbuf_add(want, piece.bytes, piece.len);
	}
}

static void expect_fd(struct run_world *w, int fd, const struct rv_strbuf *want)
{
	RV_CLEANUP(rv_free_p) char *got = rv_malloc(want->len + 1);
	size_t n;

	assert_ok(w, rv_pread_full(fd, got, want->len + 1, 0, &n, "body", &w->err));
	assert_int_equal(n, want->len);
	assert_memory_equal(got, want->bytes, n);
}

/* A large body goes where the lake can take it without a copy; its batch is put from there. */
static void test_spill_to_the_lake(void **state RV_UNUSED)
{
	struct run_world w;
	struct rv_finished done;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf want = RV_STRBUF_INIT;

	open_world(&w, false);
	struct rv_run *run = begin_run(&w, "r1", false, false);
	struct rv_batcher *batcher = make_batcher(&w);
	unsigned before = count_files(w.folder);

	assert_ok(&w, rv_batcher_begin(batcher, run, 0, &w.err));
	add_many(&w, batcher, 40, &want);
	assert_ok(&w, rv_batcher_finish(batcher, &done, &w.err));
	assert_true(done.body.fd >= 0);
	assert_non_null(done.body.stage);
	assert_null(done.body.path);
	assert_int_equal(done.body.memory.len, 0);
	assert_int_equal(done.body.len, want.len);
	expect_fd(&w, done.body.fd, &want);
	rv_finished_release(&done); /* not put: nothing stays */
	assert_int_equal(count_files(w.folder), before);

	assert_ok(&w, rv_batcher_begin(batcher, run, 1, &w.err));
	add_many(&w, batcher, 40, &want);
	rv_batcher_abandon(batcher);
	assert_false(rv_batcher_open(batcher));
	assert_int_equal(count_files(w.folder), before);
	rv_batcher_free(batcher);
	rv_run_free(run);
	close_world(&w);
}

/* A lake without a stage: the run's own folder holds it, and many rejects too. */
static void test_spill_to_the_run(void **state RV_UNUSED)
{
	struct run_world w;
	struct rv_finished done;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf want = RV_STRBUF_INIT;

	open_world(&w, true);
	struct rv_run *run = begin_run(&w, "r1", false, false);
	struct rv_batcher *batcher = make_batcher(&w);
	unsigned before = count_files(w.folder);

	assert_ok(&w, rv_batcher_begin(batcher, run, 5, &w.err));
	add_many(&w, batcher, 40, &want);
	for (unsigned i = 0; i < 40; i++)
		add_reject(&w, batcher, want.bytes, 30000, true, false);
	assert_ok(&w, rv_batcher_finish(batcher, &done, &w.err));
	RV_CLEANUP(rv_free_p) char *body = rv_run_body_path(run, 5);
	RV_CLEANUP(rv_free_p) char *rejects = rv_run_rejects_path(run, 5);

	assert_string_equal(done.body.path, body);
	assert_string_equal(done.rejects.path, rejects);
	expect_fd(&w, done.body.fd, &want);
	assert_int_equal(done.entry.rejected, 40);
	assert_true(done.entry.rejects_bytes > 40 * 40000);
	rv_finished_release(&done);
	assert_int_equal(access(body, F_OK), 0); /* a spool file is removed when it has landed */
	assert_int_equal(unlink(body), 0);
	assert_int_equal(unlink(rejects), 0);

	assert_ok(&w, rv_batcher_begin(batcher, run, 6, &w.err));
	add_many(&w, batcher, 40, &want);
	for (unsigned i = 0; i < 40; i++)
		add_reject(&w, batcher, want.bytes, 30000, true, false);
	assert_int_equal(count_files(w.folder), before + 2);
	rv_batcher_abandon(batcher);
	assert_int_equal(count_files(w.folder), before);
	rv_batcher_free(batcher);
	rv_run_free(run);
	close_world(&w);
}

/* A pipe's batch is in its spool file from the first byte, with the hash that finds damage. */
static void test_pipe(void **state RV_UNUSED)
{
	struct run_world w;
	struct rv_finished done;
	struct rv_batch_entry *entry = &done.entry;

	open_world(&w, true);
	struct rv_run *run = begin_run(&w, "r1", true, false);
	struct rv_batcher *batcher = make_batcher(&w);
	unsigned before = count_files(w.folder);

	for (uint64_t seq = 0; seq < 2; seq++) { /* the hash starts anew */
		assert_ok(&w, rv_batcher_begin(batcher, run, seq, &w.err));
		add_records(&w, batcher, "{\"a\":1}\n", 1);
		add_reject(&w, batcher, "x", 1, true, false);
		assert_ok(&w, rv_batcher_finish(batcher, &done, &w.err));
		assert_int_equal(done.body.memory.len, 0);
		assert_true(entry->body_hash == XXH3_64bits("{\"a\":1}\n", 8));
		assert_ok(&w, rv_run_check_spooled(done.body.fd, done.body.path, entry->bytes,
						   entry->body_hash, &w.err));
		assert_ok(&w, rv_run_check_spooled(done.rejects.fd, done.rejects.path,
						   entry->rejects_bytes, entry->rejects_body_hash,
						   &w.err));
		assert_int_equal(rv_run_check_spooled(done.body.fd, done.body.path, entry->bytes,
						      entry->body_hash + 1, &w.err), RV_DAMAGED);
		rv_finished_release(&done);
	}
	assert_int_equal(count_files(w.folder), before + 4);
	assert_ok(&w, rv_batcher_begin(batcher, run, 2, &w.err));
	add_records(&w, batcher, "{\"a\":1}\n", 1);
	assert_int_equal(count_files(w.folder), before + 6);
	rv_batcher_free(batcher); /* abandons */
	assert_int_equal(count_files(w.folder), before + 4);
	rv_run_free(run);
	close_world(&w);
}

static void test_failures(void **state RV_UNUSED)
{
	struct run_world w;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf big = RV_STRBUF_INIT;

	/* the spool folder is gone */
	open_world(&w, true);
	struct rv_run *run = begin_run(&w, "r1", true, false);
	struct rv_batcher *batcher = make_batcher(&w);

	assert_ok(&w, rv_remove_tree(run->folder, &w.err));
	assert_int_equal(rv_batcher_begin(batcher, run, 0, &w.err), RV_LOCAL_IO);
	assert_non_null(strstr(w.err.message, ".body: No such file"));
	assert_false(rv_batcher_open(batcher));
	rv_batcher_free(batcher);
	rv_run_free(run);
	close_world(&w);

	/* the lake's folder cannot be made when the body becomes too large for memory */
	open_world(&w, false);
	run = begin_run(&w, "r1", false, false);
	batcher = make_batcher(&w);
	RV_CLEANUP(rv_free_p) char *lake = rv_path_join(w.folder, "lake");

	assert_ok(&w, rv_create_file(lake, "no folder", 9, 0, &w.err));
	assert_ok(&w, rv_batcher_begin(batcher, run, 0, &w.err));
	while (big.len < 2 << 20)
		rv_strbuf_puts(&big, "{\"a\":1}\n");
	struct rv_span span = { .kind = RV_SPAN_RECORDS, .bytes = big.bytes, .len = big.len };
	enum rv_status status = rv_batcher_add(batcher, &span, "x", &w.err);
	struct rv_finished done;

	if (status == RV_OK) /* the compressor may have held it back */
		status = rv_batcher_finish(batcher, &done, &w.err);
	assert_int_equal(status, RV_LOCAL_IO);
	assert_non_null(strstr(w.err.message, "Not a directory"));
	rv_batcher_free(batcher);
	rv_run_free(run);
	close_world(&w);
}

/* What a csv row is read again with is said when it changes, and in the first reject of an object. */
static void test_reject_reading(void **state RV_UNUSED)
{
	struct run_world w;
	struct rv_finished done;
	char null[] = "NA", *nulls[] = { null };
	const struct rv_csv_dialect dialect = { .delimiter = ';', .nulls = nulls, .nulls_count = 1 };
	struct rv_span span = { .kind = RV_SPAN_REJECT, .bytes = "x", .len = 1, .first = true,
				.reason = "r", .reason_code = "c", .format = RV_FORMAT_CSV,
				.csv = &dialect, .csv_header = "\"a\",\"b\"" };

	open_world(&w, true);
	struct rv_run *run = begin_run(&w, "r1", false, false);
	struct rv_batcher *batcher = make_batcher(&w);

	for (unsigned seq = 0; seq < 2; seq++) {
		assert_ok(&w, rv_batcher_begin(batcher, run, seq, &w.err));
		span.csv_header = "\"a\",\"b\"";
		assert_ok(&w, rv_batcher_add(batcher, &span, "s", &w.err));
		assert_ok(&w, rv_batcher_add(batcher, &span, "s", &w.err));
		span.csv_header = "\"z\"";
		assert_ok(&w, rv_batcher_add(batcher, &span, "s", &w.err));
		assert_ok(&w, rv_batcher_finish(batcher, &done, &w.err));
#define LINE "{\"v\":1,\"code\":\"c\",\"reason\":\"r\",\"source\":\"s\",\"line\":0,\"offset\":0," \
	     "\"fault\":0,\"format\":\"csv\""
#define DIALECT ",\"delimiter\":\";\",\"quote\":\"\",\"nulls\":[\"NA\"]}"
#define END ",\"bytes\":\"eA==\",\"length\":1}\n"
		assert_string_equal(done.rejects.memory.bytes,
				    LINE ",\"csv\":{\"header\":\"\\\"a\\\",\\\"b\\\"\"" DIALECT END
				    LINE END
				    LINE ",\"csv\":{\"header\":\"\\\"z\\\"\"" DIALECT END);
		rv_finished_release(&done);
	}
	rv_batcher_free(batcher);
	rv_run_free(run);
	close_world(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts_and_names),
		cmocka_unit_test(test_reject_lines),
		cmocka_unit_test(test_reject_reading),
		cmocka_unit_test(test_spill_to_the_lake),
		cmocka_unit_test(test_spill_to_the_run),
		cmocka_unit_test(test_pipe),
		cmocka_unit_test(test_failures),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

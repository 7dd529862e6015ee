/* The push flow on a store that fails at every one of its operations in turn: whatever happens,
 * running it again ends with each record in the lake once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <zstd.h>

#include "base/file.h"
#include "base/memory.h"
#include "flow/follow.h"
#include "flow/push.h"
#include "flow/receipt.h"
#include "spool/checkpoint.h"
#include "spool/state.h"

#define RECORDS 20
#define BATCH 6
/* More than a push reads ahead of an outage: two batches wait while a third is sent. */
#define LONG_INPUT 60

struct world {
	char folder[64];
	char *state, *file;
	struct rv_store *lake;
	struct rv_delivery *delivery;
	struct rv_stream stream;
};

static void write_records(const char *path, int from, int to, const char *mode)
{
	FILE *f = fopen(path, mode);
	assert_non_null(f);
	for (int i = from; i < to; i++)
		fprintf(f, "{\"n\":%d}\n", i);
	fclose(f);
}

static struct world *make_world(void)
{
	struct world *w = rv_calloc(1, sizeof(*w));
	struct rv_error err;
	/* Thousands of syncs: in memory where there is such a place. */
	snprintf(w->folder, sizeof(w->folder), "%s/river-test-push-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(w->folder));
	w->state = rv_path_join(w->folder, "state");
	w->file = rv_path_join(w->folder, "in.ndjson");
	w->lake = rv_store_mem_new();
	w->delivery = rv_delivery_direct_new(w->lake);
	rv_stream_init(&w->stream);
	assert_int_equal(rv_stream_parse_name("web/clicks", &w->stream, &err), RV_OK);
	rv_ulid_new(1, w->stream.id);
	write_records(w->file, 0, RECORDS, "w");
	return w;
}

static void free_world(struct world *w)
{
	struct rv_error err;
	assert_int_equal(rv_remove_tree(w->folder, &err), RV_OK);
	rv_delivery_free(w->delivery);
	rv_store_free(w->lake);
	rv_stream_release(&w->stream);
	free(w->state);
	free(w->file);
	free(w);
}

static struct rv_push_params params_of(struct world *w)
{
	return (struct rv_push_params){
		.stream = &w->stream,
		.lake = w->lake,
		.delivery = w->delivery,
		.state_dir = w->state,
		.read = { .csv = RV_CSV_DIALECT_INIT, .max_record_bytes = 1 << 20 },
		.files = &w->file,
		.files_count = 1,
		.wait = RV_WAIT_SENT,
		.batch_bytes = 1 << 20,
		.batch_records = BATCH,
		.flush_after_ms = -1,
		.max_rejects = UINT64_MAX,
		.spool_max_bytes = 1 << 30,
	};
}

static enum rv_status push(const struct rv_push_params *params, struct rv_error *err)
{
	struct rv_push_result result;
	*err = (struct rv_error)RV_ERROR_INIT;
	enum rv_status status = rv_push(params, &result, err);
	rv_push_result_release(&result);
	return status;
}

struct tally {
	struct world *w;
	unsigned seen[LONG_INPUT * 2];
	uint64_t others;
	uint64_t receipts, open_receipts, accepted;
};

static void count_lines(struct tally *tally, const char *text, size_t len)
{
	for (const char *p = text, *end = text + len; p < end;) {
		int n;
		if (sscanf(p, "{\"n\":%d}", &n) == 1 && n >= 0 && n < LONG_INPUT * 2)
			tally->seen[n]++;
		else
			tally->others++;
		const char *line_end = memchr(p, '\n', (size_t)(end - p));
		assert_non_null(line_end);
		p = line_end + 1;
	}
}

static enum rv_status tally_object(void *arg, const struct rv_store_object *object,
				   struct rv_error *err)
{
	struct tally *tally = arg;
	struct rv_receipt_name receipt;
	if (rv_receipt_name_parse(object->name, &receipt)) {
		tally->receipts += !receipt.open;
		tally->open_receipts += receipt.open;
		tally->accepted += receipt.accepted;
		return RV_OK;
	}
	if (!rv_starts_with(object->name, "data/"))
		return RV_OK;
	struct rv_object_name name;
	assert_true(rv_object_name_parse(object->name, &name));
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf body = RV_STRBUF_INIT;
	char etag[RV_ETAG_TEXT];
	if (tally->w->lake->ops->get(tally->w->lake, object->name, 1 << 20, &body, etag, err) != RV_OK)
		return err->status;
	const size_t size = 16u << 20;
	RV_CLEANUP(rv_free_p) char *text = rv_malloc(size);
	size_t n = ZSTD_decompress(text, size, body.bytes, body.len);
	assert_false(ZSTD_isError(n));
	count_lines(tally, text, n);
	return RV_OK;
}

static void count_all(struct world *w, struct tally *tally)
{
	struct rv_store_list all = { .prefix = "" };
	struct rv_error err = RV_ERROR_INIT;
	*tally = (struct tally){ .w = w };
	assert_int_equal(w->lake->ops->list(w->lake, &all, tally_object, tally, &err), RV_OK);
}

static void assert_each_once(struct world *w, int from, int to)
{
	struct tally tally;
	count_all(w, &tally);
	for (int i = from; i < to; i++)
		if (tally.seen[i] != 1)
			fail_msg("record %d is in the lake %u times", i, tally.seen[i]);
	assert_int_equal(tally.open_receipts, 0);
}

/* Each of the first `records` numbers once, nothing else, receipts closed and right. */
static void assert_once(struct world *w, int records)
{
	struct tally tally;
	rv_store_mem_fail(w->lake, 0, false, RV_OK);
	count_all(w, &tally);
	for (int i = 0; i < records; i++)
		if (tally.seen[i] != 1)
			fail_msg("record %d is in the lake %u times", i, tally.seen[i]);
	assert_int_equal(tally.others, 0);
	assert_int_equal(tally.open_receipts, 0);
	assert_int_equal(tally.accepted, records);
}

static void one_file(void **state RV_UNUSED)
{
	struct world *w = make_world();
	struct rv_push_params params = params_of(w);
	struct rv_error err;
	assert_int_equal(push(&params, &err), RV_OK);
	assert_once(w, RECORDS);
	assert_int_equal(push(&params, &err), RV_OK);
	assert_once(w, RECORDS);
	write_records(w->file, RECORDS, RECORDS + 3, "a");
	assert_int_equal(push(&params, &err), RV_OK);
	assert_once(w, RECORDS + 3);
	free_world(w);
}

/* Fails at store operation N, for N = 1 .. until nothing fails any more; true when it went through. */
/* Whatever number of pieces they are read in; what says that an array is not closed is none that a file holds. */
static void rejects_are_counted_once(void **state RV_UNUSED)
{
	struct world *w = make_world();
	struct rv_push_params params = params_of(w);
	struct rv_error err = RV_ERROR_INIT;
	struct rv_push_result result;
	params.read.max_record_bytes = 64 << 10;
	FILE *f = fopen(w->file, "a");
	assert_non_null(f);
	for (int i = 0; i < 3000000; i++)
		assert_int_equal(fputc('x', f), 'x');
	assert_true(fputc('\n', f) == '\n' && fclose(f) == 0);
	assert_int_equal(rv_push(&params, &result, &err), RV_PARTIAL);
	assert_int_equal(result.rejected, 1);
	rv_push_result_release(&result);
	/* goes on by the number that the checkpoint has */
	write_records(w->file, RECORDS, RECORDS + 3, "a");
	assert_int_equal(push(&params, &err), RV_OK);
	assert_each_once(w, 0, RECORDS + 3);
	RV_CLEANUP(rv_free_p) char *array = rv_asprintf("%s/a.json", w->folder);
	f = fopen(array, "w");
	assert_non_null(f);
	assert_true(fprintf(f, "[{\"n\":%d}\n", RECORDS + 3) > 0 && fclose(f) == 0);
	params.files = &array;
	assert_int_equal(rv_push(&params, &result, &err), RV_PARTIAL);
	assert_int_equal(result.rejected, 1);
	rv_push_result_release(&result);
	assert_each_once(w, 0, RECORDS + 4);
	free_world(w);
}

static bool file_with_failure(uint64_t fail_at, bool for_ever, enum rv_status how)
{
	struct world *w = make_world();
	struct rv_push_params params = params_of(w);
	struct rv_error err;
	rv_store_mem_fail(w->lake, fail_at, for_ever, how);
	enum rv_status first = push(&params, &err);
	if (first != RV_OK)
		assert_true(err.message[0]);
	rv_store_mem_fail(w->lake, 0, false, RV_OK);
	if (push(&params, &err) != RV_OK)
		fail_msg("operation %" PRIu64 ": %s", fail_at, err.message);
	assert_once(w, RECORDS);
	free_world(w);
	return first == RV_OK;
}

static void file_survives_every_store_failure(void **state RV_UNUSED)
{
	static const enum rv_status hows[] = { RV_LOCAL_IO, RV_AUTH, RV_NOT_FOUND };
	for (size_t i = 0; i < sizeof(hows) / sizeof(*hows); i++)
		for (int for_ever = 0; for_ever < 2; for_ever++) {
			uint64_t n = 1;
			while (!file_with_failure(n, for_ever, hows[i]))
				assert_true(++n < 200);
			assert_true(n > 5);
		}
}

static unsigned unended;

static void note_unended(void *arg, const char *text)
{
	bool *said = arg;
	*said |= strstr(text, "their run is not ended") && strstr(text, "river spool flush");
}

static uint64_t open_receipts(struct world *w)
{
	struct tally tally;
	count_all(w, &tally);
	return tally.open_receipts;
}

static void pipe_with_failure(uint64_t fail_at, bool for_ever, const char *run, bool *ret_through)
{
	struct world *w = make_world();
	struct rv_push_params params = params_of(w);
	struct rv_error err;
	char *fifo = rv_path_join(w->folder, "none");
	params.run = run;
	bool said = false;
	params.wait = run ? RV_WAIT_SENT : RV_WAIT_SPOOLED;
	params.warn = note_unended;
	params.arg = &said;
	rv_store_mem_fail(w->lake, fail_at, for_ever, RV_LOCAL_IO);
	enum rv_status first = push(&params, &err);
	/* A named run may fail before anything is kept; then the same input comes again. */
	assert_true(first == RV_OK || first == RV_KEPT || (run && first == RV_LOCAL_IO));
	rv_store_mem_fail(w->lake, 0, false, RV_OK);
	/* All is delivered and a receipt is open: that is said, and of nothing else. */
	assert_true(!said || (run && first == RV_OK));
	assert_true(said || !run || first != RV_OK || !open_receipts(w));
	unended += said;
	if (!run) {
		/* Nothing more comes: an empty file finishes what was spooled. */
		write_records(fifo, 0, 0, "w");
		params.files = &fifo;
		params.wait = RV_WAIT_SENT;
	}
	if (push(&params, &err) != RV_OK)
		fail_msg("operation %" PRIu64 ": %s", fail_at, err.message);
	assert_once(w, RECORDS);
	free(fifo);
	free_world(w);
	*ret_through = first == RV_OK && fail_at > 60;
}

static void spooled_survives_every_store_failure(void **state RV_UNUSED)
{
	for (int for_ever = 0; for_ever < 2; for_ever++) {
		bool through = false;
		for (uint64_t n = 1; !through; n++)
			pipe_with_failure(n, for_ever, NULL, &through);
	}
}

static void named_run_survives_every_store_failure(void **state RV_UNUSED)
{
	for (int for_ever = 0; for_ever < 2; for_ever++) {
		bool through = false;
		for (uint64_t n = 1; !through; n++)
			pipe_with_failure(n, for_ever, "nightly", &through);
	}
	assert_true(unended > 0);
}

/* An outage in the middle of a named run holds its input up, and it goes on; one that lasts ends it, and the
 * same input lands once. */
static void named_run_waits_for_the_lake(void **state RV_UNUSED)
{
	unsigned waited = 0, ended = 0;
	for (int for_ever = 0; for_ever < 2; for_ever++) {
		for (uint64_t n = 1; n < 80; n++) {
			struct world *w = make_world();
			struct rv_push_params params = params_of(w);
			struct rv_error err;
			write_records(w->file, RECORDS, LONG_INPUT, "a");
			params.run = "nightly";
			params.retry_for_ms = for_ever ? 5 : 3600000;
			params.retry_pause_ms = 1;
			bool said = false;
			params.warn = note_unended;
			params.arg = &said;
			rv_store_mem_fail(w->lake, n, for_ever, RV_FAILED);
			enum rv_status first = push(&params, &err);
			assert_true(!said || first == RV_OK);
			rv_store_mem_fail(w->lake, 0, false, RV_OK);
			waited += !for_ever && first == RV_OK;
			if (first == RV_FAILED && strstr(err.hint, "same input again"))
				ended++;
			/* 8 says "do not send it again": then all of it was accepted */
			assert_true(first == RV_OK || first == RV_FAILED || first == RV_KEPT);
			if (push(&params, &err) != RV_OK)
				fail_msg("operation %" PRIu64 ": %s", n, err.message);
			assert_once(w, LONG_INPUT);
			free_world(w);
		}
	}
	/* What is read before the first batch is not waited for. */
	assert_true(waited >= 80 - 6);
	assert_true(ended > 10);
}

static void changed_bytes_are_reported_not_sent(void **state RV_UNUSED)
{
	struct world *w = make_world();
	struct rv_push_params params = params_of(w);
	struct rv_error err;
	/* Find an operation whose failure leaves a promised batch, then take its bytes away. */
	for (uint64_t n = 1; n < 60; n++) {
		rv_store_mem_fail(w->lake, n, true, RV_LOCAL_IO);
		enum rv_status status = push(&params, &err);
		rv_store_mem_fail(w->lake, 0, false, RV_OK);
		if (status == RV_OK)
			break;
		FILE *f = fopen(w->file, "w");
		assert_non_null(f);
		fputs("{\"m\":1}\n", f);
		fclose(f);
		status = push(&params, &err);
		if (status == RV_LOCAL_IO) {
			assert_non_null(strstr(err.message, "not accepted"));
			assert_non_null(strstr(err.message, w->file));
			/* Said once; the next push is a new day. */
			assert_int_equal(push(&params, &err), RV_OK);
			free_world(w);
			return;
		}
		assert_int_equal(status, RV_OK);
		free_world(w);
		w = make_world();
		params = params_of(w);
	}
	fail_msg("no failure left a promised batch");
}

/* Each header goes into a checkpoint, and with that into the journal, which is read whole after a crash. */
static void long_headers_of_many_files(void **state RV_UNUSED)
{
	enum { FILES = 50, COLUMNS = 1000, NAME = 1000 };
	struct world *w = make_world();
	struct rv_push_params params = params_of(w);
	struct rv_push_result result;
	struct rv_error err = RV_ERROR_INIT;
	struct tally tally;
	char *files[FILES];
	for (size_t i = 0; i < FILES; i++) {
		files[i] = rv_asprintf("%s/%02zu.csv", w->folder, i);
		FILE *f = fopen(files[i], "w");
		assert_non_null(f);
		for (int c = 0; c < COLUMNS; c++)
			fprintf(f, "%s%0*d", c ? "," : "", NAME, c);
		for (int c = 0; c < COLUMNS; c++)
			fprintf(f, "%s%zu", c ? "," : "\n", i);
		fputs("\n", f);
		assert_int_equal(fclose(f), 0);
	}
	params.files = files;
	params.files_count = FILES;
	params.batch_records = 0;
	assert_int_equal(rv_push(&params, &result, &err), RV_OK);
	assert_int_equal(result.accepted, FILES);
	/* some 4 MiB of headers a batch, and 16 a run: that is looked at while up to three batches are under way */
	assert_int_equal(result.batches, 9); /* the sixth file ends one */
	rv_push_result_release(&result);
	count_all(w, &tally);
	assert_in_range(tally.receipts, 2, 3);
	assert_int_equal(tally.open_receipts, 0);
	assert_int_equal(tally.accepted, FILES);
	assert_int_equal(rv_push(&params, &result, &err), RV_OK);
	assert_int_equal(result.accepted, 0);
	rv_push_result_release(&result);
	for (size_t i = 0; i < FILES; i++)
		free(files[i]);
	free_world(w);
}

/* ---- what stands in the place of a file whose batch was promised ---- */

static void write_zstd(const char *path, int from, int to)
{
	char text[4096], packed[4096];
	size_t len = 0;
	for (int i = from; i < to; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "{\"n\":%d}\n", i);
	size_t n = ZSTD_compress(packed, sizeof(packed), text, len, 1);
	assert_false(ZSTD_isError(n));
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(packed, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

static void replace_by_shorter(struct world *w, const char *beside RV_UNUSED)
{
	assert_int_equal(unlink(w->file), 0);
	write_zstd(w->file, 100, 101);
}

static void replace_by_folder(struct world *w, const char *beside RV_UNUSED)
{
	assert_int_equal(unlink(w->file), 0);
	assert_int_equal(mkdir(w->file, 0700), 0);
}

static void rename_under_folder(struct world *w, const char *beside)
{
	assert_int_equal(rename(w->file, beside), 0);
	assert_int_equal(mkdir(w->file, 0700), 0);
}

static void rename_under_fifo(struct world *w, const char *beside)
{
	assert_int_equal(rename(w->file, beside), 0);
	assert_int_equal(mkfifo(w->file, 0600), 0);
}

/* Whatever took its name: what can be had is sent, what cannot is said once, and nothing stands in the way of
 * other files for good. */
static void what_took_the_name_holds_nobody_up(void **state RV_UNUSED)
{
	static const struct {
		const char *name;
		void (*replace)(struct world *w, const char *beside);
		bool packed, is_lost;
	} cases[] = {
		{ "a shorter compressed file", replace_by_shorter, true, true },
		{ "a folder", replace_by_folder, false, true },
		{ "a folder, and it lies beside", rename_under_folder, false, false },
		{ "a FIFO, and it lies beside", rename_under_fifo, false, false },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		unsigned promised = 0;
		enum rv_status first = RV_LOCAL_IO;
		for (uint64_t n = 1; first != RV_OK; n++) {
			struct world *w = make_world();
			struct rv_push_params params = params_of(w);
			struct rv_error err;
			RV_CLEANUP(rv_free_p) char *other = rv_path_join(w->folder, "other.ndjson");
			RV_CLEANUP(rv_free_p) char *beside = rv_path_join(w->folder, "beside.ndjson");
			char *files[] = { other };
			if (cases[i].packed)
				write_zstd(w->file, 0, RECORDS);
			rv_store_mem_fail(w->lake, n, true, RV_LOCAL_IO);
			first = push(&params, &err);
			rv_store_mem_fail(w->lake, 0, false, RV_OK);
			cases[i].replace(w, beside);
			write_records(other, 110, 112, "w");
			params.files = files;
			enum rv_status second = push(&params, &err);
			if (second != RV_OK && (!cases[i].is_lost || second != RV_LOCAL_IO ||
						!strstr(err.message, "not accepted")))
				fail_msg("%s, operation %" PRIu64 ": %s", cases[i].name, n, err.message);
			promised += second != RV_OK;
			if (push(&params, &err) != RV_OK)
				fail_msg("%s, operation %" PRIu64 ", again: %s", cases[i].name, n, err.message);
			params.files = (char *[]){ beside };
			if (!cases[i].is_lost && first != RV_OK) {
				params.files_count = 1;
				assert_int_equal(push(&params, &err), RV_OK);
				assert_each_once(w, 0, RECORDS);
			}
			assert_each_once(w, 110, 112);
			free_world(w);
		}
		assert_true(cases[i].is_lost == (promised > 0));
	}
}

struct beside {
	struct world *w;
	char *other;
	bool brings; /* the push beside finishes what is left; else it leaves a run of its own */
	bool was;
};

/* Between two sessions of a follower. */
static void push_beside(void *arg, const char *text)
{
	struct beside *beside = arg;
	struct rv_push_params params = params_of(beside->w);
	struct rv_error err;
	if (!strstr(text, "trying again") || beside->was)
		return;
	beside->was = true;
	params.files = &beside->other;
	if (beside->brings) {
		assert_int_equal(push(&params, &err), RV_OK);
		return;
	}
	/* what is left of the follower's is not to be brought by this one */
	RV_CLEANUP(rv_free_p) char *runs = rv_asprintf("find %s -name runs -exec mv {} {}.away \\; -prune",
						       beside->w->state);
	RV_CLEANUP(rv_free_p)
	char *back = rv_asprintf("for d in $(find %s -name runs.away); do mkdir -p ${d%%.away} &&"
				 " mv $d/* ${d%%.away}/ 2>/dev/null; rmdir $d; done", beside->w->state);
	assert_int_equal(system(runs), 0);
	/* its definition and its receipt, then the first batch */
	rv_store_mem_fail(beside->w->lake, 2, true, RV_LOCAL_IO);
	assert_int_not_equal(push(&params, &err), RV_OK);
	rv_store_mem_fail(beside->w->lake, 0, false, RV_OK);
	assert_int_equal(system(back), 0);
}

/* What it says has landed is what it has accepted, whatever others leave for it or bring in its place. */
static void follower_counts_its_own(void **state RV_UNUSED)
{
	for (int brings = 0; brings < 2; brings++) {
		unsigned between = 0;
		for (uint64_t n = 1; n < 16; n++) {
			struct world *w = make_world();
			struct beside beside = { .w = w, .brings = brings };
			struct rv_push_params params = params_of(w);
			const struct rv_follow_params follow = { .until_quiet_ms = 0, .poll_ms = 100 };
			struct rv_push_result result;
			struct rv_error err = RV_ERROR_INIT;
			beside.other = rv_path_join(w->folder, "other.ndjson");
			write_records(beside.other, 100, 104, "w");
			params.warn = push_beside;
			params.arg = &beside;
			params.retry_pause_ms = 1;
			rv_store_mem_fail(w->lake, n, false, RV_AUTH);
			enum rv_status status = rv_follow(&params, &follow, &result, &err);
			if (status != RV_OK && beside.was)
				fail_msg("operation %" PRIu64 ": %s", n, err.message);
			between += beside.was;
			rv_store_mem_fail(w->lake, 0, false, RV_OK);
			if (status == RV_OK) {
				assert_each_once(w, 0, RECORDS);
				assert_int_equal(result.accepted, RECORDS);
				if (brings)
					assert_true(result.landed <= RECORDS);
				else
					assert_int_equal(result.landed, RECORDS);
			}
			rv_push_result_release(&result);
			free(beside.other);
			free_world(w);
		}
		assert_true(between > 5);
	}
}

static void clear_the_way(void *arg, const char *text)
{
	if (strstr(text, "trying again"))
		rmdir(arg);
}

/* What is in the journal is promised, also when the checkpoint behind it cannot move; what was read behind that is
 * read again, and counted once. */
static void follower_counts_once(void **state RV_UNUSED)
{
	struct world *w = make_world();
	struct rv_push_params params = params_of(w);
	const struct rv_follow_params follow = { .until_quiet_ms = 0, .poll_ms = 100 };
	struct rv_push_result result;
	struct rv_error err = RV_ERROR_INIT;
	struct rv_state folder;
	char key[RV_FILE_KEY_TEXT];
	FILE *f = fopen(w->file, "a");
	assert_non_null(f);
	fputs("bad\n", f);
	assert_int_equal(rv_file_key(fileno(f), w->file, key, &err), RV_OK);
	fclose(f);
	rv_state_locate(&folder, w->state, w->lake->url, &w->stream);
	RV_CLEANUP(rv_free_p) char *in_the_way = rv_asprintf("%s/files/%s.batches", folder.folder, key);
	rv_state_release(&folder);
	assert_int_equal(rv_make_folders(in_the_way, 0700, &err), RV_OK);
	params.wait = RV_WAIT_SPOOLED;
	params.warn = clear_the_way;
	params.arg = in_the_way;
	params.retry_pause_ms = 1;
	assert_int_equal(rv_follow(&params, &follow, &result, &err), RV_PARTIAL);
	assert_int_equal(result.records, RECORDS);
	assert_int_equal(result.rejected, 1);
	assert_int_equal(result.accepted, RECORDS);
	assert_non_null(strstr(err.message, "1 of 21 records"));
	rv_push_result_release(&result);
	params = params_of(w);
	assert_int_equal(push(&params, &err), RV_OK);
	assert_each_once(w, 0, RECORDS);
	free_world(w);
}

/* The disk fails under journals: one sync of them, and so many attempts to cut them behind that. */
static atomic_int good_syncs = -1, bad_cuts;

static bool is_journal(int fd)
{
	char link[64], path[512];
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = '\0';
	return rv_ends_with(path, "/journal");
}

int fsync(int fd)
{
	if (atomic_load(&good_syncs) >= 0 && is_journal(fd) && atomic_fetch_sub(&good_syncs, 1) == 0) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fsync, fd);
}

int ftruncate(int fd, off_t length)
{
	if (atomic_load(&bad_cuts) > 0 && is_journal(fd)) {
		atomic_fetch_sub(&bad_cuts, 1);
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_ftruncate, fd, length);
}

/* What became of a promise is in doubt when neither its sync nor the cut does. It is none: what was read for it is
 * read again, and nothing has come to the lake that was not accepted. */
static void follower_takes_back_a_promise_in_doubt(void **state RV_UNUSED)
{
	for (int wait = 0; wait < 2; wait++)
		for (int syncs = 1; syncs < 6; syncs++) {
			struct world *w = make_world();
			struct rv_push_params params = params_of(w);
			const struct rv_follow_params follow = { .until_quiet_ms = 0, .poll_ms = 100 };
			struct rv_push_result result;
			struct rv_error err = RV_ERROR_INIT;
			params.wait = wait ? RV_WAIT_SPOOLED : RV_WAIT_SENT;
			params.retry_pause_ms = 1;
			atomic_store(&bad_cuts, 1);
			atomic_store(&good_syncs, syncs);
			assert_int_equal(rv_follow(&params, &follow, &result, &err), RV_OK);
			assert_int_equal(atomic_load(&good_syncs), -1);
			atomic_store(&bad_cuts, 0);
			assert_int_equal(result.records, RECORDS);
			assert_int_equal(result.accepted, RECORDS);
			if (wait)
				assert_true(result.landed <= RECORDS);
			else
				assert_int_equal(result.landed, RECORDS);
			rv_push_result_release(&result);
			params = params_of(w);
			assert_int_equal(push(&params, &err), RV_OK);
			assert_each_once(w, 0, RECORDS);
			free_world(w);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_file),
		cmocka_unit_test(rejects_are_counted_once),
		cmocka_unit_test(file_survives_every_store_failure),
		cmocka_unit_test(spooled_survives_every_store_failure),
		cmocka_unit_test(named_run_survives_every_store_failure),
		cmocka_unit_test(named_run_waits_for_the_lake),
		cmocka_unit_test(changed_bytes_are_reported_not_sent),
		cmocka_unit_test(what_took_the_name_holds_nobody_up),
		cmocka_unit_test(follower_counts_its_own),
		cmocka_unit_test(follower_counts_once),
		cmocka_unit_test(follower_takes_back_a_promise_in_doubt),
		cmocka_unit_test(long_headers_of_many_files),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The journal: round trip, torn ends, flipped bits, newer versions, and a golden copy. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "journal_world.h"

#include "base/crc.h"

static void test_round_trip_of_a_pipe(void **arg)
{
	struct world *world = *arg;
	struct rv_error err;
	struct rv_run *run = begin(world, "r1", true);
	promise(run, 0, true, NULL, 0);
	promise(run, 1, false, NULL, 0);
	promise(run, 2, false, NULL, 0);
	assert_int_equal(rv_run_landed(run, 0, &err), RV_OK);
	assert_int_equal(rv_run_dropped(run, 2, &err), RV_OK);
	assert_int_equal(rv_run_close(run, &err), RV_OK);
	rv_run_free(run);

	assert_int_equal(rv_run_open(&world->state, "r1", true, &run, &err), RV_OK);
	assert_true(run->named && run->pipe && run->closed);
	assert_int_equal(run->started_ms, NOW);
	assert_string_equal(run->lake_folder, "dt=2026-11-20/hr=16");
	assert_string_equal(run->source, "a \xff name");
	assert_string_equal(run->host, "testhost");
	assert_int_equal(run->compression, RV_OUTPUT_ZSTD);
	assert_int_equal(json_integer_value(json_object_get(run->settings, "v")), 1);
	assert_int_equal(run->batches_count, 3);
	const struct rv_batch_entry *b = &run->batches[0];
	assert_int_equal(b->state, RV_BATCH_LANDED);
	assert_int_equal(b->records, 3);
	assert_int_equal(b->record_bytes, 27);
	assert_int_equal(b->bytes, 20);
	assert_true(b->set_hash == 0xfedcba9876543210u);
	assert_int_equal(b->body_hash, 7);
	assert_int_equal(b->rejected, 2);
	assert_true(b->rejects_hash == UINT64_MAX);
	assert_int_equal(b->rejects_bytes, 99);
	assert_int_equal(b->rejects_body_hash, 11);
	assert_string_equal(b->rejects_name,
			    "_river/rejects/web/clicks/2026-11-20/r1-000000-r2.ndjson");
	assert_int_equal(b->input_to, 100);
	assert_int_equal(run->batches[1].state, RV_BATCH_WAITING);
	assert_int_equal(run->batches[2].state, RV_BATCH_DROPPED);

	struct rv_run_totals totals;
	rv_run_totals(run, &totals);
	assert_int_equal(totals.records, 6);
	assert_int_equal(totals.rejected, 2);
	assert_int_equal(totals.batches, 2);
	assert_int_equal(totals.landed, 1);
	assert_int_equal(totals.waiting, 1);
	assert_int_equal(totals.waiting_records, 3);
	assert_int_equal(totals.waiting_bytes, 21);
	assert_int_equal(totals.input_to, 200);
	assert_true(totals.set_hash == 2 * 0xfedcba9876543210u + 1);

	/* what was left over goes on being written */
	assert_int_equal(rv_run_landed(run, 1, &err), RV_OK);
	rv_run_free(run);
	assert_int_equal(rv_run_open(&world->state, "r1", false, &run, &err), RV_OK);
	assert_int_equal(run->batches[1].state, RV_BATCH_LANDED);
	assert_int_equal(rv_run_remove(run, &err), RV_OK);
	rv_run_free(run);
	assert_int_equal(rv_run_open(&world->state, "r1", true, &run, &err), RV_NOT_FOUND);
}

static void test_round_trip_of_files(void **arg)
{
	struct world *world = *arg;
	struct rv_error err;
	struct rv_run *run = begin(world, NULL, false);
	char name[RV_RUN_MAX + 1];
	snprintf(name, sizeof(name), "%s", run->name);
	assert_true(rv_run_name_valid(name));
	uint64_t a = rv_run_add_file(run, "/a\xff", "1-2-3", "ndjson", "none");
	uint64_t unused = rv_run_add_file(run, "/unused", "1-2-4", "ndjson", "none");
	uint64_t b = rv_run_add_file(run, "/b", "1-2-5", "csv", "gzip");
	assert_int_equal(unused, 1);
	struct rv_extent *extents = rv_calloc(2, sizeof(*extents));
	extents[0] = (struct rv_extent){ .file = b, .from = 10, .to = 30, .line = 3,
					 .csv_header = rv_strdup("x,y"), .csv_delimiter = '\t',
					 .checkpoint = json_pack("{s:i}", "v", 1) };
	extents[1] = (struct rv_extent){ .file = a, .from = 0, .to = 9, .line = 1, .in_array = 12,
					 .finish = true };
	promise(run, 0, false, extents, 2);
	rv_run_free(run);

	assert_int_equal(rv_run_open(&world->state, name, true, &run, &err), RV_OK);
	assert_false(run->pipe || run->named || run->closed);
	assert_int_equal(run->batches[0].extents_count, 2);
	const struct rv_extent *e = run->batches[0].extents;
	assert_int_equal(e[0].from, 10);
	assert_int_equal(e[0].to, 30);
	assert_int_equal(e[0].line, 3);
	assert_string_equal(e[0].csv_header, "x,y");
	assert_int_equal(e[0].csv_delimiter, '\t');
	assert_int_equal(e[1].csv_delimiter, '\0');
	assert_int_equal(json_integer_value(json_object_get(e[0].checkpoint, "v")), 1);
	assert_true(e[1].in_array == 12 && e[1].finish && !e[0].in_array && !e[0].finish);
	assert_string_equal(rv_run_file(run, e[0].file)->path, "/b");
	assert_string_equal(rv_run_file(run, e[0].file)->format, "csv");
	assert_string_equal(rv_run_file(run, e[0].file)->compression, "gzip");
	assert_string_equal(rv_run_file(run, e[1].file)->path, "/a\xff");
	assert_string_equal(rv_run_file(run, e[1].file)->key, "1-2-3");
	rv_run_free(run);
}

/* A delimiter that cannot be one is none: the file's name says which. */
static void test_csv_reading(void **arg RV_UNUSED)
{
	static const struct {
		const char *text;
		char delimiter;
	} all[] = { { ";", ';' }, { "", 0 }, { ";;", 0 }, { "\n", 0 }, { "\"", 0 } };
	char *header, delimiter;

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		json_t *o = json_pack("{s:s, s:s}", "header", "a", "delimiter", all[i].text);
		rv_csv_reading_get(o, &header, &delimiter);
		json_decref(o);
		assert_string_equal(header, "a");
		assert_int_equal(delimiter, all[i].delimiter);
		free(header);
	}
}

static void test_49_torn_at_every_byte(void **arg)
{
	struct world *world = *arg;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf journal = RV_STRBUF_INIT;
	make_journal(world, &journal);
	RV_CLEANUP(rv_free_p) char *path = journal_of(world, "r1");
	for (size_t len = 0; len < journal.len; len++) {
		size_t lines = 0, whole = 0;
		for (size_t i = 0; i < len; i++)
			if (journal.bytes[i] == '\n') {
				lines++;
				whole = i + 1;
			}
		struct rv_error err;
		struct rv_run *run = NULL;
		struct stat st;
		RV_CLEANUP(rv_free_p) char *folder = rv_path_parent(path);
		assert_int_equal(rv_make_folders(folder, 0700, &err), RV_OK);
		overwrite(path, journal.bytes, len);
		/* looking never cuts, and sees what is whole */
		enum rv_status status = rv_run_open(&world->state, "r1", false, &run, &err);
		assert_int_equal(status, lines ? RV_OK : RV_NOT_FOUND);
		if (lines)
			assert_int_equal(run->batches_count, lines - 1 > 2 ? 2 : lines - 1);
		rv_run_free(rv_take(run));
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_size, len);
		status = rv_run_open(&world->state, "r1", true, &run, &err);
		assert_int_equal(status, lines ? RV_OK : RV_NOT_FOUND);
		if (!lines) { /* never begun: its folder is gone */
			assert_int_equal(stat(path, &st), -1);
			continue;
		}
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_size, whole);
		rv_run_free(run);
	}
}

/* A page that never came to the disk reads as zeros; the rest of the line may be there. */
static void test_49_torn_with_zeros(void **arg)
{
	struct world *world = *arg;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf journal = RV_STRBUF_INIT;
	make_journal(world, &journal);
	RV_CLEANUP(rv_free_p) char *path = journal_of(world, "r1");
	size_t start = journal.len - 1;
	while (journal.bytes[start - 1] != '\n')
		start--;
	for (size_t zeros = 1; start + zeros < journal.len; zeros++) {
		RV_CLEANUP(rv_free_p) char *torn = rv_malloc(journal.len);
		memcpy(torn, journal.bytes, journal.len);
		memset(torn + start, 0, zeros);
		overwrite(path, torn, journal.len);
		struct rv_error err;
		struct rv_run *run = NULL;
		assert_int_equal(rv_run_open(&world->state, "r1", false, &run, &err), RV_OK);
		assert_int_equal(run->batches_count, 2);
		assert_int_equal(run->batches[0].state, RV_BATCH_WAITING);
		rv_run_free(run);
	}
}

/* The same in the middle of the line; and a line end that came there alone. */
static void test_49_torn_within(void **arg)
{
	struct world *world = *arg;
	struct rv_error err;
	struct rv_run *run = NULL;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf journal = RV_STRBUF_INIT;
	make_journal(world, &journal);
	RV_CLEANUP(rv_free_p) char *path = journal_of(world, "r1");
	size_t len = journal.len;
	memset(journal.bytes + len - 4, 0, 3);
	overwrite(path, journal.bytes, len);
	assert_int_equal(rv_run_open(&world->state, "r1", false, &run, &err), RV_OK);
	assert_int_equal(run->batches[0].state, RV_BATCH_WAITING);
	rv_run_free(rv_take(run));
	/* one alone is no page */
	memcpy(journal.bytes + len - 4, "0}", 2);
	overwrite(path, journal.bytes, len);
	assert_int_equal(rv_run_open(&world->state, "r1", false, &run, &err), RV_DAMAGED);

	rv_strbuf_clear(&journal);
	RV_CLEANUP(rv_free_p) char *folder = rv_path_parent(path);
	assert_int_equal(rv_remove_tree(folder, &err), RV_OK);
	make_journal(world, &journal);
	rv_strbuf_putc(&journal, '\n');
	overwrite(path, journal.bytes, journal.len);
	assert_int_equal(rv_run_open(&world->state, "r1", false, &run, &err), RV_OK);
	assert_int_equal(run->batches[0].state, RV_BATCH_LANDED);
	rv_run_free(run);
}

static void test_21_every_bit(void **arg)
{
	struct world *world = *arg;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf journal = RV_STRBUF_INIT;
	make_journal(world, &journal);
	RV_CLEANUP(rv_free_p) char *path = journal_of(world, "r1");
	unsigned detected = 0, harmless = 0;
	for (size_t bit = 0; bit < journal.len * 8; bit++) {
		struct rv_error err = RV_ERROR_INIT;
		struct rv_run *run = NULL;
		journal.bytes[bit / 8] = (char)(journal.bytes[bit / 8] ^ (1 << bit % 8));
		overwrite(path, journal.bytes, journal.len);
		enum rv_status status = rv_run_open(&world->state, "r1", true, &run, &err);
		journal.bytes[bit / 8] = (char)(journal.bytes[bit / 8] ^ (1 << bit % 8));
		if (status == RV_DAMAGED) {
			detected++;
			assert_string_equal(err.file, path);
			assert_true(err.line > 0);
			assert_non_null(strstr(err.message, "byte"));
			continue;
		}
		/* a digit of the sum in upper case */
		assert_int_equal(status, RV_OK);
		struct rv_run_totals totals;
		rv_run_totals(run, &totals);
		assert_int_equal(totals.records, 6);
		assert_int_equal(totals.landed, 1);
		assert_int_equal(totals.waiting, 1);
		assert_true(bit % 8 == 5);
		harmless++;
		rv_run_free(run);
	}
	assert_true(detected > 7 * journal.len);
	assert_true(harmless < 5 * 8);
}

static void test_20_newer_version(void **arg)
{
	struct world *world = *arg;
	struct rv_error err;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf journal = RV_STRBUF_INIT;
	make_journal(world, &journal);
	RV_CLEANUP(rv_free_p) char *path = journal_of(world, "r1");
	char *v = strstr(journal.bytes, "\"v\":1");
	assert_non_null(v);
	v[4] = '9';
	char *end = strchr(journal.bytes, '\n');
	char crc[10];
	snprintf(crc, sizeof(crc), "%08x",
		 rv_crc32c(0, journal.bytes + 9, (size_t)(end - journal.bytes) - 9));
	memcpy(journal.bytes, crc, 8);
	overwrite(path, journal.bytes, journal.len);
	struct rv_run *run = NULL;
	assert_int_equal(rv_run_open(&world->state, "r1", true, &run, &err), RV_BAD_CONFIG);
	assert_non_null(strstr(err.message, "version 9"));
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, journal.len);
}

/* What version 1 wrote is read for ever: do not renew tests/data/journal-v1, add to it. */
static void test_20_golden(void **arg)
{
	struct world *world = *arg;
	struct rv_error err;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf golden = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf now = RV_STRBUF_INIT;
	RV_CLEANUP(rv_free_p)
	char *copy = rv_path_join(getenv("RIVER_SOURCE") ? getenv("RIVER_SOURCE") : ".",
				  "tests/data/journal-v1");
	assert_int_equal(rv_read_file(copy, 1 << 20, &golden, &err), RV_OK);
	make_journal(world, &now);
	assert_string_equal(now.bytes, golden.bytes);
}

static void test_locks(void **arg)
{
	struct world *world = *arg;
	struct rv_error err;
	struct rv_run *run = begin(world, "r1", true);
	promise(run, 0, false, NULL, 0);
	struct rv_run *other = NULL;
	assert_int_equal(rv_run_open(&world->state, "r1", true, &other, &err), RV_LOCKED);
	assert_int_equal(rv_run_create(&world->state, "r1", NOW, &other, &err), RV_LOCKED);
	assert_int_equal(rv_run_open(&world->state, "r1", false, &other, &err), RV_OK);
	assert_true(rv_run_is_alive(other));
	rv_run_free(run);
	assert_false(rv_run_is_alive(other));
	rv_run_free(rv_take(other));
	assert_int_equal(rv_run_create(&world->state, "r1", NOW, &other, &err), RV_CONFLICT);
}

static enum rv_status count_run(void *arg, const char *name RV_UNUSED, struct rv_error *err RV_UNUSED)
{
	++*(unsigned *)arg;
	return RV_OK;
}

static unsigned count_runs(struct world *world)
{
	struct rv_error err;
	unsigned count = 0;
	assert_int_equal(rv_run_each(&world->state, count_run, &count, &err), RV_OK);
	return count;
}

/* What else is in the way there is not river's; what it finds without a journal it does not throw away. */
static void test_things_of_others(void **arg)
{
	struct world *world = *arg;
	struct rv_error err;
	struct rv_run *run = begin(world, "r1", true);
	rv_run_free(rv_take(run));
	RV_CLEANUP(rv_free_p) char *file = rv_state_path(&world->state, "runs/r2");
	RV_CLEANUP(rv_free_p) char *odd = rv_state_path(&world->state, "runs/What is this?");
	overwrite(file, "hello", 5);
	assert_int_equal(rv_make_folders(odd, 0700, &err), RV_OK);
	assert_int_equal(count_runs(world), 1);
	assert_int_equal(rv_run_open(&world->state, "r2", true, &run, &err), RV_LOCAL_IO);

	RV_CLEANUP(rv_free_p) char *body = rv_state_path(&world->state, "runs/r3/000000.body");
	RV_CLEANUP(rv_free_p) char *folder = rv_path_parent(body);
	assert_int_equal(rv_make_folders(folder, 0700, &err), RV_OK);
	overwrite(body, "hello", 5);
	assert_int_equal(rv_run_open(&world->state, "r3", true, &run, &err), RV_DAMAGED);
	assert_non_null(strstr(err.message, "holds files, but no journal"));
	assert_int_equal(access(body, F_OK), 0);
}

/* Batches that were abandoned leave holes, and a run may have many. */
static void test_waiting_behind_holes(void **arg)
{
	struct world *world = *arg;
	struct rv_error err;
	struct rv_batch_entry entry;
	struct rv_run *run = begin(world, "r1", false);
	static const unsigned seqs[] = { 0, 2, 3, 7, 8, 9, 10, 11, 12, 13 };
	static const struct {
		unsigned from, want;
	} asked[] = { { 0, 2 }, { 1, 2 }, { 2, 2 }, { 3, 3 }, { 4, 7 }, { 7, 7 }, { 12, 12 }, { 13, 13 } };
	for (size_t i = 0; i < sizeof(seqs) / sizeof(*seqs); i++) {
		char path[8];
		snprintf(path, sizeof(path), "/%zu", i);
		struct rv_extent *extents = rv_calloc(1, sizeof(*extents));
		extents[0].file = rv_run_add_file(run, path, "1-2-3", "ndjson", "none");
		promise(run, seqs[i], false, extents, 1);
	}
	assert_int_equal(rv_run_landed(run, 0, &err), RV_OK);
	rv_run_free(run);
	assert_int_equal(rv_run_open(&world->state, "r1", true, &run, &err), RV_OK);
	assert_int_equal(run->batches_count, 10);
	assert_string_equal(rv_run_file(run, run->batches[9].extents[0].file)->path, "/9");
	for (size_t i = 0; i < sizeof(asked) / sizeof(*asked); i++) {
		assert_true(rv_run_next_waiting(run, asked[i].from, &entry));
		assert_int_equal(entry.seq, asked[i].want);
	}
	assert_false(rv_run_next_waiting(run, 14, &entry));
	/* of one that is not there nothing is noted */
	const struct rv_sent_counts counts = { 1, 1, 1, 1, 1 };
	struct rv_run_totals totals;
	struct stat before, after;
	RV_CLEANUP(rv_free_p) char *path = journal_of(world, "r1");
	assert_int_equal(stat(path, &before), 0);
	assert_int_equal(rv_run_sending(run, 1, &err), RV_OK);
	rv_run_add_counts(run, 1, &counts);
	rv_run_totals(run, &totals);
	assert_int_equal(totals.counts.requests, 0);
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(after.st_size, before.st_size);
	rv_run_free(run);
}

/* The version says what a river has to know to finish it. */
static void test_20_begins(void **arg)
{
	struct world *world = *arg;
	struct rv_error err;
	static const struct {
		enum rv_output_compression compression;
		enum rv_stamp stamp;
		const char *delivery, *version;
	} cases[] = {
		{ RV_OUTPUT_GZIP, RV_STAMP_NONE, "", "\"v\":1" },
		{ RV_OUTPUT_NONE, RV_STAMP_ID, "", "\"v\":2" },
		{ RV_OUTPUT_ZSTD, RV_STAMP_NONE, "firehose", "\"v\":2" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
		char name[8];
		struct rv_run *run = NULL;
		snprintf(name, sizeof(name), "r%zu", i);
		assert_int_equal(rv_run_create(&world->state, name, NOW, &run, &err), RV_OK);
		run->compression = cases[i].compression;
		run->stamp = cases[i].stamp;
		snprintf(run->delivery, sizeof(run->delivery), "%s", cases[i].delivery);
		assert_int_equal(rv_run_begin(run, &err), RV_OK);
		rv_run_free(rv_take(run));
		RV_CLEANUP(rv_free_p) char *path = journal_of(world, name);
		assert_int_equal(rv_read_file(path, 1 << 20, &text, &err), RV_OK);
		assert_non_null(strstr(text.bytes, cases[i].version));
		assert_int_equal(rv_run_open(&world->state, name, true, &run, &err), RV_OK);
		assert_int_equal(run->compression, cases[i].compression);
		assert_int_equal(run->stamp, cases[i].stamp);
		assert_string_equal(run->delivery, cases[i].delivery);
		rv_run_free(run);
	}
}

static void limit_files(rlim_t bytes)
{
	struct rlimit limit;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* A file that may not grow stands for a disk that is full. */
static void test_no_room_for_the_first_line(void **arg)
{
	struct world *world = *arg;
	struct rv_error err;
	void (*before)(int) = signal(SIGXFSZ, SIG_IGN);

	for (rlim_t room = 0; room < 20; room += 10) {
		struct rv_run *run = NULL;
		assert_int_equal(rv_run_create(&world->state, NULL, NOW, &run, &err), RV_OK);
		assert_int_equal(count_runs(world), 1);
		limit_files(room);
		enum rv_status status = rv_run_begin(run, &err);
		limit_files(RLIM_INFINITY);
		assert_int_equal(status, RV_LOCAL_IO);
		assert_non_null(strstr(err.message, "journal"));
		assert_int_equal(count_runs(world), 0);
		rv_run_free(run);
	}

	/* Files of a run whose journal was taken away are not touched. */
	struct rv_run *run = NULL;
	assert_int_equal(rv_run_create(&world->state, "r1", NOW, &run, &err), RV_OK);
	RV_CLEANUP(rv_free_p) char *body = rv_run_body_path(run, 0);
	RV_CLEANUP(rv_free_p) char *journal = journal_of(world, "r1");
	overwrite(body, "hello", 5);
	limit_files(0);
	enum rv_status status = rv_run_begin(run, &err);
	limit_files(RLIM_INFINITY);
	assert_int_equal(status, RV_LOCAL_IO);
	rv_run_free(run);
	assert_int_equal(access(body, F_OK), 0);
	assert_int_equal(access(journal, F_OK), -1);
	signal(SIGXFSZ, before);
}

/* A line that does not fit leaves nothing of itself, and the next one follows those before it. */
static void test_no_room_for_a_line(void **arg)
{
	struct world *world = *arg;
	struct rv_error err;
	struct stat st;
	void (*before)(int) = signal(SIGXFSZ, SIG_IGN);
	struct rv_run *run = begin(world, "r1", true);
	promise(run, 0, false, NULL, 0);
	RV_CLEANUP(rv_free_p) char *path = journal_of(world, "r1");
	assert_int_equal(stat(path, &st), 0);
	limit_files((rlim_t)st.st_size + 5);
	enum rv_status landed = rv_run_landed(run, 0, &err);
	limit_files(RLIM_INFINITY);
	assert_int_equal(landed, RV_LOCAL_IO);
	off_t bytes = st.st_size;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, bytes);
	assert_int_equal(rv_run_landed(run, 0, &err), RV_OK);
	rv_run_free(run);
	struct rv_run *again = NULL;
	struct rv_run_totals totals;
	assert_int_equal(rv_run_open(&world->state, "r1", true, &again, &err), RV_OK);
	rv_run_totals(again, &totals);
	assert_int_equal(totals.landed, 1);
	rv_run_free(again);
	signal(SIGXFSZ, before);
}

/* A file whose line did not fit is named again with the batch that comes to stand. */
static void test_no_room_for_a_file(void **arg)
{
	struct world *world = *arg;
	struct rv_error err;
	struct stat st;
	void (*before)(int) = signal(SIGXFSZ, SIG_IGN);
	struct rv_run *run = begin(world, "r1", false);
	RV_CLEANUP(rv_free_p) char *path = journal_of(world, "r1");
	uint64_t file = rv_run_add_file(run, "/a", "1-2-3", "ndjson", "none");
	struct rv_extent *extents = rv_calloc(1, sizeof(*extents));
	extents[0] = (struct rv_extent){ .file = file, .to = 9, .line = 1 };
	struct rv_batch_entry entry = { .name = name_of(0), .records = 1, .extents = extents, .extents_count = 1 };
	assert_int_equal(stat(path, &st), 0);
	limit_files((rlim_t)st.st_size + 5);
	enum rv_status promised = rv_run_promise(run, &entry, &err);
	limit_files(RLIM_INFINITY);
	assert_int_equal(promised, RV_LOCAL_IO);
	assert_int_equal(rv_run_promise(run, &entry, &err), RV_OK);
	rv_run_free(run);
	struct rv_run *again = NULL;
	assert_int_equal(rv_run_open(&world->state, "r1", true, &again, &err), RV_OK);
	assert_int_equal(again->batches_count, 1);
	assert_string_equal(rv_run_file(again, again->batches[0].extents[0].file)->path, "/a");
	rv_run_free(again);
	signal(SIGXFSZ, before);
}

static void test_check_spooled(void **arg)
{
	struct world *world = *arg;
	struct rv_error err;
	RV_CLEANUP(rv_free_p) char *path = rv_path_join(world->folder, "body");
	overwrite(path, "hello", 5);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	const uint64_t hash = 0x9555e8555c62dcfdu; /* XXH3-64 of "hello" */
	assert_int_equal(rv_run_check_spooled(fd, path, 5, hash, &err), RV_OK);
	assert_int_equal(rv_run_check_spooled(fd, path, 6, hash, &err), RV_DAMAGED);
	assert_non_null(strstr(err.message, path));
	assert_int_equal(rv_run_check_spooled(fd, path, 5, hash ^ 1, &err), RV_DAMAGED);
	close(fd);
}

/* What only version 2 says: the delivery, the stamp, attempts and what they came to. */
static void test_20_golden_of_a_service(void **arg)
{
	struct world *world = *arg;
	struct rv_error err;
	struct rv_run *run = NULL;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf golden = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf now = RV_STRBUF_INIT;
	RV_CLEANUP(rv_free_p)
	char *copy = rv_path_join(getenv("RIVER_SOURCE") ? getenv("RIVER_SOURCE") : ".",
				  "tests/data/journal-v2");
	assert_int_equal(rv_run_create(&world->state, "r1", NOW, &run, &err), RV_OK);
	run->compression = RV_OUTPUT_NONE;
	run->stamp = RV_STAMP_FULL;
	snprintf(run->delivery, sizeof(run->delivery), "firehose");
	free(run->host);
	run->host = rv_strdup("testhost");
	assert_int_equal(rv_run_begin(run, &err), RV_OK);
	for (unsigned seq = 0; seq < 4; seq++)
		promise(run, seq, false, NULL, 0);
	assert_int_equal(rv_run_sending(run, 0, &err), RV_OK);
	assert_int_equal(rv_run_sending(run, 0, &err), RV_OK); /* said once */
	const struct rv_sent_counts counts = { 3, 2, 1, 27, 15360 };
	rv_run_add_counts(run, 0, &counts);
	assert_int_equal(rv_run_sent(run, 0, &err), RV_OK);
	assert_int_equal(rv_run_sending(run, 1, &err), RV_OK);
	assert_int_equal(rv_run_landed(run, 1, &err), RV_OK);
	assert_int_equal(rv_run_sending(run, 2, &err), RV_OK);
	rv_run_free(run);
	RV_CLEANUP(rv_free_p) char *path = journal_of(world, "r1");
	assert_int_equal(rv_read_file(path, 1 << 20, &now, &err), RV_OK);
	assert_int_equal(rv_read_file(copy, 1 << 20, &golden, &err), RV_OK);
	assert_string_equal(now.bytes, golden.bytes);

	struct rv_run_totals totals;
	struct rv_batch_entry entry;
	assert_int_equal(rv_run_open(&world->state, "r1", true, &run, &err), RV_OK);
	assert_int_equal(run->stamp, RV_STAMP_FULL);
	assert_string_equal(run->delivery, "firehose");
	rv_run_totals(run, &totals);
	assert_int_equal(totals.sent, 1);
	assert_int_equal(totals.sent_records, 3);
	assert_int_equal(totals.landed, 1);
	assert_int_equal(totals.landed_records, 3);
	assert_int_equal(totals.waiting, 2);
	assert_memory_equal(&totals.counts, &counts, sizeof(counts));
	assert_true(rv_run_next_waiting(run, 0, &entry));
	assert_int_equal(entry.seq, 2);
	assert_true(entry.sending);
	assert_true(rv_run_next_waiting(run, 3, &entry));
	assert_int_equal(entry.seq, 3);
	assert_false(entry.sending);
	assert_false(rv_run_next_waiting(run, 4, &entry));
	assert_false(rv_run_entry(run, 4, &entry));
	rv_run_free(run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_csv_reading),
		cmocka_unit_test_setup_teardown(test_round_trip_of_a_pipe, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_round_trip_of_files, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_49_torn_at_every_byte, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_49_torn_with_zeros, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_49_torn_within, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_21_every_bit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_20_golden_of_a_service, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_20_newer_version, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_20_golden, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_locks, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_things_of_others, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_waiting_behind_holes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_20_begins, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_room_for_the_first_line, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_room_for_a_line, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_room_for_a_file, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_check_spooled, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

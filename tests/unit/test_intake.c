/* Intake files: round trip, ends that are not whole, damage at every byte, and the batch that is made of them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/crc.h"
#include "base/file.h"
#include "base/memory.h"
#include "delivery/delivery.h"
#include "flow/intake.h"
#include "flow/recover.h"
#include "spool/intake.h"
#include "store/store.h"

#define NOW 1795193931123 /* 2026-11-20T16:58:51.123Z */

struct world {
	char folder[64];
	struct rv_stream stream;
	struct rv_state state;
	struct rv_store *lake;
	struct rv_delivery *delivery;
	struct rv_deliver deliver;
	struct rv_run *run;
};

static int set_up(void **ret)
{
	struct world *w = rv_calloc(1, sizeof(*w));
	struct rv_error err;
	snprintf(w->folder, sizeof(w->folder), "%s/river-test-XXXXXX", P_tmpdir);
	assert_non_null(mkdtemp(w->folder));
	RV_CLEANUP(rv_free_p) char *lake = rv_path_join(w->folder, "lake");
	rv_stream_init(&w->stream);
	snprintf(w->stream.business, sizeof(w->stream.business), "web");
	snprintf(w->stream.name, sizeof(w->stream.name), "clicks");
	snprintf(w->stream.id, sizeof(w->stream.id), "01JCX0000000000000000000ZZ");
	w->lake = rv_store_file_new(lake);
	w->delivery = rv_delivery_direct_new(w->lake);
	assert_int_equal(rv_state_open(&w->state, w->folder, w->lake->url, &w->stream, &err), RV_OK);
	w->deliver = (struct rv_deliver){
		.stream = &w->stream,
		.state = &w->state,
		.lake = w->lake,
		.delivery = w->delivery,
		.loss = RV_ERROR_INIT,
	};
	assert_int_equal(rv_run_create(&w->state, NULL, NOW, &w->run, &err), RV_OK);
	w->run->pipe = w->run->intake = true;
	assert_int_equal(rv_run_begin(w->run, &err), RV_OK);
	*ret = w;
	return 0;
}

static int tear_down(void **arg)
{
	struct world *w = *arg;
	struct rv_error err;
	rv_run_free(w->run);
	rv_deliver_release(&w->deliver);
	rv_delivery_free(w->delivery);
	rv_store_free(w->lake);
	assert_int_equal(rv_remove_tree(w->folder, &err), RV_OK);
	rv_state_release(&w->state);
	rv_stream_release(&w->stream);
	free(w);
	return 0;
}

static void add_records(struct rv_strbuf *out, const char *lines, uint64_t count)
{
	char head[RV_INTAKE_HEAD];
	const struct rv_intake_frame frame = { RV_INTAKE_RECORDS, count, rv_str_of(lines) };
	rv_intake_head(&frame, head);
	rv_strbuf_add(out, head, sizeof(head));
	rv_strbuf_puts(out, lines);
}

static void write_intake(struct world *w, uint64_t seq, const struct rv_strbuf *bytes)
{
	RV_CLEANUP(rv_free_p) char *path = rv_run_intake_path(w->run, seq);
	RV_CLEANUP(rv_close_p) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	struct rv_error err;
	assert_true(fd >= 0);
	assert_int_equal(rv_write_all(fd, bytes->bytes, bytes->len, path, &err), RV_OK);
}

static enum rv_status note_frame(void *arg, struct rv_intake_frame *frame, struct rv_error *err)
{
	struct rv_strbuf *out = arg;
	(void)err;
	rv_strbuf_printf(out, "%c%d:%.*s|", frame->kind, (int)frame->records, (int)frame->bytes.len,
			 frame->bytes.p);
	return RV_OK;
}

static enum rv_status read_back(struct world *w, const struct rv_strbuf *bytes, struct rv_strbuf *ret)
{
	struct rv_error err;
	write_intake(w, 99, bytes);
	RV_CLEANUP(rv_free_p) char *path = rv_run_intake_path(w->run, 99);
	RV_CLEANUP(rv_close_p) int fd = open(path, O_RDONLY);
	rv_strbuf_clear(ret);
	enum rv_status status = rv_intake_read(fd, path, note_frame, ret, &err);
	unlink(path);
	return status;
}

static void test_frames(void **arg)
{
	struct world *w = *arg;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf bytes = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf seen = RV_STRBUF_INIT;
	assert_int_equal(read_back(w, &bytes, &seen), RV_OK);
	assert_string_equal(seen.bytes, "");
	add_records(&bytes, "{\"a\":1}\n{}\n", 2);
	size_t first = bytes.len;
	rv_intake_add_reject(&bytes, "not_json", "it is none", "POST /collect from ::1", RV_STR("x\ny"));
	size_t second = bytes.len;
	add_records(&bytes, "{\"b\":2}\n", 1);
	assert_int_equal(read_back(w, &bytes, &seen), RV_OK);
	assert_string_equal(seen.bytes, "r2:{\"a\":1}\n{}\n|x1:not_json\nit is none\nPOST /collect from ::1\nx\ny|"
					"r1:{\"b\":2}\n|");
	/* Cut anywhere: the frames that are whole, and nothing is said. */
	for (size_t len = 0; len < bytes.len; len++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf cut = RV_STRBUF_INIT;
		rv_strbuf_add(&cut, bytes.bytes, len);
		assert_int_equal(read_back(w, &cut, &seen), RV_OK);
		size_t frames = 0;
		for (const char *p = seen.bytes; (p = strchr(p, '|')); p++)
			frames++;
		assert_int_equal(frames, len < first ? 0 : len < second ? 1 : 2);
	}
	/* Zeros behind it are what a cut power leaves. */
	for (size_t zeros = 1; zeros < 100; zeros += 7) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf torn = RV_STRBUF_INIT;
		rv_strbuf_add(&torn, bytes.bytes, second);
		for (size_t i = 0; i < zeros; i++)
			rv_strbuf_putc(&torn, '\0');
		assert_int_equal(read_back(w, &torn, &seen), RV_OK);
	}
	/* A byte changed anywhere is noticed. */
	for (size_t at = 0; at < bytes.len; at++) {
		bytes.bytes[at] ^= 0x04;
		assert_int_equal(read_back(w, &bytes, &seen), RV_DAMAGED);
		bytes.bytes[at] ^= 0x04;
	}
	assert_int_equal(read_back(w, &bytes, &seen), RV_OK);
}

/* NULs that somebody sent are no power cut: such a reject was answered for, and has changed since. */
static void test_zeros_of_its_own(void **arg)
{
	struct world *w = *arg;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf bytes = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf seen = RV_STRBUF_INIT;
	add_records(&bytes, "{}\n", 1);
	size_t first = bytes.len;
	rv_intake_add_reject(&bytes, "c", "r", "s", (struct rv_str){ "a\0\0\0b\0\0", 7 });
	assert_int_equal(read_back(w, &bytes, &seen), RV_OK);
	for (size_t at = 0; at < bytes.len; at++)
		for (unsigned bit = 0; bit < 8; bit++) {
			bytes.bytes[at] ^= (char)(1u << bit);
			/* a digit of a head may be a large one, and means the same */
			if (read_back(w, &bytes, &seen) != RV_DAMAGED && seen.len < 2 * strlen("r1:{}\n|"))
				fail_msg("bit %u of byte %zu", bit, at);
			bytes.bytes[at] ^= (char)(1u << bit);
		}
	/* But what never came to the disk is one, to the end or up to a block's. */
	for (size_t from = first + RV_INTAKE_HEAD; from <= first + RV_INTAKE_HEAD + 5; from++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf torn = RV_STRBUF_INIT;
		rv_strbuf_add(&torn, bytes.bytes, bytes.len);
		memset(torn.bytes + from, 0, bytes.len - from);
		assert_int_equal(read_back(w, &torn, &seen), RV_OK);
		assert_string_equal(seen.bytes, "r1:{}\n|");
	}
}

/* Zeros in front of a whole frame were something that is not there any more. */
static void test_zeros_in_the_middle(void **arg)
{
	struct world *w = *arg;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf bytes = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf seen = RV_STRBUF_INIT;
	RV_CLEANUP(rv_free_p) char *large = rv_calloc(1, 70001);
	add_records(&bytes, "{}\n", 1);
	size_t first = bytes.len;
	add_records(&bytes, "{\"a\":1}\n", 1);
	size_t second = bytes.len;
	/* heads across the ends of what is looked at together, and what only looks like one */
	memset(large, '\n', 70000);
	rv_intake_add_reject(&bytes, "c", "r", "s", rv_str_of(large));
	memset(bytes.bytes + first, 0, second - first);
	/* it was written together with what is not there: the power went */
	assert_int_equal(read_back(w, &bytes, &seen), RV_OK);
	assert_string_equal(seen.bytes, "r1:{}\n|");
	rv_intake_begin_with_rejects(bytes.bytes + second);
	assert_int_equal(read_back(w, &bytes, &seen), RV_DAMAGED);
	assert_string_equal(seen.bytes, "r1:{}\n|");
	for (size_t gap = 65536 - 60; gap < 65536 + 60; gap++) {
		rv_strbuf_clear(&bytes);
		for (size_t i = 0; i < gap; i++)
			rv_strbuf_putc(&bytes, '\0');
		add_records(&bytes, "{}\n", 1);
		assert_int_equal(read_back(w, &bytes, &seen), RV_DAMAGED);
	}
}

static size_t frames_of(const struct rv_strbuf *seen)
{
	size_t frames = 0;
	for (const char *p = seen->bytes; (p = strchr(p, '|')); p++)
		frames++;
	return frames;
}

/* Room was taken ahead: zeros follow the frames. Of the last round any sector may not have come to the disk,
 * and it was never answered for; what was durable before is told from it by the rounds that follow. */
static void test_room(void **arg)
{
	struct world *w = *arg;
	enum { SECTOR = 16 };
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf bytes = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf seen = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf zeros = RV_STRBUF_INIT;
	for (size_t i = 0; i < 200000; i++)
		rv_strbuf_putc(&zeros, '\0');
	add_records(&bytes, "{\"durable\":1}\n", 1);
	size_t last_round = bytes.len;
	add_records(&bytes, "{\"torn\":1}\n{\"torn\":2}\n", 2);
	rv_intake_add_reject(&bytes, "not_json", "it is none", "POST", RV_STR("what was sent\0"));
	rv_intake_add_reject(&bytes, "not_json", "it is none", "POST", RV_STR("and more"));
	size_t end = bytes.len;
	for (size_t from = last_round; from < end; from++)
		for (size_t to = from + 1; to <= end && to <= from + 3 * SECTOR; to += SECTOR - 1) {
			RV_CLEANUP(rv_strbuf_release) struct rv_strbuf torn = RV_STRBUF_INIT;
			rv_strbuf_add(&torn, bytes.bytes, end);
			memset(torn.bytes + from, '\0', to - from);
			bool same = memcmp(torn.bytes, bytes.bytes, end) == 0; /* a zero was there before */
			/* A single zero may be anything, unless it ends what was sent. */
			bool one = to == from + 1;
			rv_strbuf_add(&torn, zeros.bytes, zeros.len);
			enum rv_status status = read_back(w, &torn, &seen);
			assert_true(status == RV_OK || (one && status == RV_DAMAGED));
			assert_true(rv_starts_with(seen.bytes, "r1:{\"durable\":1}\n|"));
			assert_true(frames_of(&seen) < 4 || same);
			/* The same with one more round behind it: it was durable. */
			for (int rejects = 0; rejects < 2 && !same; rejects++) {
				rv_strbuf_truncate(&torn, end);
				if (from % 7 == 0) /* far behind, over more than one look */
					rv_strbuf_add(&torn, zeros.bytes, (64 << 10) - 100 + from);
				size_t begin = torn.len;
				if (rejects) {
					rv_intake_add_reject(&torn, "a", "b", "c", RV_STR("d"));
					rv_intake_begin_with_rejects(torn.bytes + begin);
				} else {
					add_records(&torn, "{}\n", 1);
				}
				assert_int_equal(read_back(w, &torn, &seen), RV_DAMAGED);
			}
		}
	/* A round of rejects alone is read like one that follows records. */
	rv_strbuf_clear(&bytes);
	rv_intake_add_reject(&bytes, "a", "b", "c", RV_STR("d"));
	rv_intake_begin_with_rejects(bytes.bytes);
	rv_intake_add_reject(&bytes, "e", "f", "g", RV_STR("h"));
	assert_int_equal(read_back(w, &bytes, &seen), RV_OK);
	assert_string_equal(seen.bytes, "x1:a\nb\nc\nd|x1:e\nf\ng\nh|");
}

static void test_take_room(void **arg)
{
	struct world *w = *arg;
	RV_CLEANUP(rv_free_p) char *path = rv_run_intake_path(w->run, 3);
	RV_CLEANUP(rv_close_p) int fd = open(path, O_RDWR | O_CREAT, 0600);
	assert_int_equal(pwrite(fd, "frame", 5, 0), 5);
	/* Little for a small file, more for a large one, and never without end. */
	struct rv_intake_room room = { .end = 0 };
	rv_intake_take_room(fd, 5, &room);
	uint64_t small = room.end;
	assert_int_equal(lseek(fd, 0, SEEK_END), small);
	assert_true(small > 5 + 4096 && small < 128 << 10);
	/* There is some still. */
	rv_intake_take_room(fd, small - 1, &room);
	assert_int_equal(room.end, small);
	rv_intake_take_room(fd, 100 << 10, &room);
	assert_int_equal(room.end, 200 << 10);
	rv_intake_take_room(fd, 10 << 20, &room);
	assert_int_equal(lseek(fd, 0, SEEK_END), room.end);
	assert_true(room.end > (10 << 20) + small && room.end < 11 << 20);
	char begin[6];
	assert_int_equal(pread(fd, begin, 6, 0), 6);
	assert_memory_equal(begin, "frame", 6);
	/* There is none: that is no failure, and not tried for every round. */
	RV_CLEANUP(rv_close_p) int full = open("/dev/full", O_RDWR);
	room = (struct rv_intake_room){ .end = 0 };
	rv_intake_take_room(full, 77, &room);
	assert_int_equal(room.end, 77);
	assert_true(room.next > 77 + 4096);
}

/* A head that is whole by its sum and holds what no river writes: each field is looked at. */
static void test_frames_of_others(void **arg)
{
	struct world *w = *arg;
	static const char right[] = "0000000000000000 r 00000002 00000001\n";
	static const struct {
		size_t at;
		char c;
	} wrong[] = {
		{ 17, 'q' }, { 0, 'g' }, { 19, '-' }, { 28, ' ' }, { 19, 'f' }, /* a frame of 4 GiB */
	};
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf seen = RV_STRBUF_INIT;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf bytes = RV_STRBUF_INIT;
		char head[sizeof(right)];
		memcpy(head, right, sizeof(right));
		head[wrong[i].at] = wrong[i].c;
		rv_strbuf_printf(&bytes, "%08x %s{}", rv_crc32c(0, head, strlen(head)), head);
		assert_int_equal(bytes.len, RV_INTAKE_HEAD + 2);
		assert_int_equal(read_back(w, &bytes, &seen), RV_DAMAGED);
		assert_string_equal(seen.bytes, "");
	}
	/* a reject that is not even itself, and has not come to the disk */
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf none = RV_STRBUF_INIT;
	static const char reject[] = "0000000000000000 x 00000004 00000000\n";
	rv_strbuf_printf(&none, "%08x %s", rv_crc32c(0, reject, strlen(reject)), reject);
	rv_strbuf_add(&none, "\0\0\0\0", 4);
	assert_int_equal(read_back(w, &none, &seen), RV_OK);
	assert_string_equal(seen.bytes, "");
}

/* Zeros here and there are no sector that did not come to the disk. */
static void test_single_zeros(void **arg)
{
	struct world *w = *arg;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf bytes = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf seen = RV_STRBUF_INIT;
	add_records(&bytes, "{\"a\":1}\n", 1);
	bytes.bytes[RV_INTAKE_HEAD + 1] = bytes.bytes[RV_INTAKE_HEAD + 3] = '\0';
	assert_int_equal(read_back(w, &bytes, &seen), RV_DAMAGED);
	assert_string_equal(seen.bytes, "");
}

static void expect_intakes(struct world *w, const char *want)
{
	struct rv_error err;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf got = RV_STRBUF_INIT;
	RV_CLEANUP(rv_free_p) uint64_t *numbers = NULL;
	size_t count = 1;
	assert_int_equal(rv_run_intakes(w->run, &numbers, &count, &err), RV_OK);
	for (size_t i = 0; i < count; i++)
		rv_strbuf_printf(&got, "%d ", (int)numbers[i]);
	assert_string_equal(got.bytes, want);
}

static void test_numbers(void **arg)
{
	struct world *w = *arg;
	struct rv_error err;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf bytes = RV_STRBUF_INIT;
	static const char *const others[] = { "x.intake", ".intake", "1.body", "1.intake.old", "2" };
	expect_intakes(w, "");
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		RV_CLEANUP(rv_free_p) char *path = rv_path_join(w->run->folder, others[i]);
		assert_int_equal(rv_replace_file(path, "", 0, 0600, &err), RV_OK);
	}
	expect_intakes(w, "");
	/* by number, also where the names have more digits */
	static const uint64_t numbers[] = { 1000000, 9, 8, 7, 6, 5, 4, 3, 2, 10, 999999 };
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		write_intake(w, numbers[i], &bytes);
	expect_intakes(w, "2 3 4 5 6 7 8 9 10 999999 1000000 ");
	/* no collector's */
	w->run->intake = false;
	expect_intakes(w, "");
}

/* Promised, or removed meanwhile: such a one counts nothing. Nor is anything looked for in other runs. */
static void test_totals(void **arg)
{
	struct world *w = *arg;
	struct rv_error err;
	bool made;
	struct rv_intake_totals totals = { .files = 0 };
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf bytes = RV_STRBUF_INIT;
	add_records(&bytes, "{}\n", 1);
	write_intake(w, 0, &bytes);
	assert_int_equal(rv_intake_promise(&w->deliver, w->run, 0, &made, &err), RV_OK);
	write_intake(w, 1, &bytes);
	for (uint64_t seq = 0; seq < 3; seq++)
		assert_int_equal(rv_run_intake_add(w->run, seq, &totals, &err), RV_OK);
	assert_int_equal(totals.files, 1);
	assert_int_equal(totals.records, 1);
	assert_int_equal(totals.bytes, bytes.len);
	assert_int_equal(totals.damage.status, RV_OK);
	/* Nor does one count that was only begun when the collector was killed, or holds no more than room. */
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf nothing = RV_STRBUF_INIT;
	write_intake(w, 8, &nothing);
	rv_strbuf_add(&nothing, "\0\0\0\0", 4);
	write_intake(w, 9, &nothing);
	for (uint64_t seq = 8; seq < 10; seq++)
		assert_int_equal(rv_run_intake_add(w->run, seq, &totals, &err), RV_OK);
	assert_int_equal(totals.files, 1);
	/* What is damaged is named, the first of it, and what is in front of that counts. */
	uint64_t whole = bytes.len;
	for (uint64_t seq = 2; seq < 4; seq++) {
		add_records(&bytes, "{}\n", 1);
		bytes.bytes[whole + 20] ^= 1;
		write_intake(w, seq, &bytes);
		bytes.bytes[whole + 20] ^= 1;
		bytes.len = whole;
	}
	struct rv_run_totals all;
	assert_int_equal(rv_run_intake_totals(w->run, &totals, &err), RV_OK);
	assert_int_equal(totals.files, 3);
	assert_int_equal(totals.records, 3);
	assert_int_equal(totals.damage.status, RV_DAMAGED);
	assert_non_null(strstr(totals.damage.message, "000002.intake is damaged from byte"));
	rv_run_totals_with_intake(w->run, &all);
	assert_int_equal(all.records, 1 + 3);
	assert_int_equal(all.waiting, 1 + 3);
	w->run->intake = false;
	assert_int_equal(rv_run_intake_totals(w->run, &totals, &err), RV_OK);
	assert_int_equal(totals.files, 0);
	assert_int_equal(totals.bytes, 0);
}

static void test_promise(void **arg)
{
	struct world *w = *arg;
	struct rv_error err;
	struct rv_batch_entry entry;
	bool made;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf bytes = RV_STRBUF_INIT;
	add_records(&bytes, "{\"a\":1}\n{}\n", 2);
	rv_intake_add_reject(&bytes, "no_z", "z is missing", "POST /collect from ::1", RV_STR("{}"));
	add_records(&bytes, "{\"b\":2}\n", 1);
	write_intake(w, 0, &bytes);
	struct rv_intake_totals totals;
	assert_int_equal(rv_run_intake_totals(w->run, &totals, &err), RV_OK);
	assert_int_equal(totals.records, 3);
	assert_int_equal(totals.rejected, 1);
	assert_int_equal(rv_intake_promise(&w->deliver, w->run, 0, &made, &err), RV_OK);
	assert_true(made);
	assert_true(rv_run_entry(w->run, 0, &entry));
	assert_int_equal(entry.records, 3);
	assert_int_equal(entry.rejected, 1);
	assert_int_equal(entry.record_bytes, 7 + 2 + 7);
	/* Once more changes nothing, and it counts as the batch's. */
	assert_int_equal(rv_intake_promise(&w->deliver, w->run, 0, &made, &err), RV_OK);
	assert_int_equal(w->run->batches_count, 1);
	assert_int_equal(rv_run_intake_totals(w->run, &totals, &err), RV_OK);
	assert_int_equal(totals.records, 0);
	/* Of nothing no batch is made. */
	rv_strbuf_clear(&bytes);
	write_intake(w, 1, &bytes);
	assert_int_equal(rv_intake_promise(&w->deliver, w->run, 1, &made, &err), RV_OK);
	assert_false(made);
	assert_int_equal(rv_intake_promise(&w->deliver, w->run, 7, &made, &err), RV_LOCAL_IO);
}

/* A collector was killed: whoever recovers makes the batches, in order, and brings them. */
static void test_179_recover(void **arg)
{
	struct world *w = *arg;
	struct rv_error err;
	bool made;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf bytes = RV_STRBUF_INIT;
	add_records(&bytes, "{\"a\":1}\n", 1);
	write_intake(w, 0, &bytes);
	assert_int_equal(rv_intake_promise(&w->deliver, w->run, 0, &made, &err), RV_OK);
	add_records(&bytes, "{\"b\":1}\n", 1);
	write_intake(w, 1, &bytes);
	write_intake(w, 2, &bytes);
	rv_run_free(rv_take(w->run));
	struct rv_recover_result result;
	assert_int_equal(rv_recover(&w->deliver, 0, NULL, &result, &err), RV_OK);
	assert_int_equal(result.runs, 1);
	assert_int_equal(result.batches, 3);
	assert_int_equal(result.records, 5);
	uint64_t left;
	assert_int_equal(rv_spool_bytes(&w->state, &left, &err), RV_OK);
	assert_int_equal(left, 0);
}

static void test_damaged(void **arg)
{
	struct world *w = *arg;
	struct rv_error err;
	struct rv_batch_entry entry;
	bool made;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf bytes = RV_STRBUF_INIT;
	add_records(&bytes, "{\"a\":1}\n", 1);
	size_t second = bytes.len;
	add_records(&bytes, "{\"b\":1}\n", 1);
	add_records(&bytes, "{\"c\":1}\n", 1);
	bytes.bytes[second + RV_INTAKE_HEAD] = 'x';
	write_intake(w, 0, &bytes);
	assert_int_equal(rv_intake_promise(&w->deliver, w->run, 0, &made, &err), RV_OK);
	assert_true(made);
	assert_true(rv_run_entry(w->run, 0, &entry));
	assert_int_equal(entry.records, 1);
	assert_int_equal(w->deliver.loss.status, RV_DAMAGED);
	RV_CLEANUP(rv_free_p)
	char *aside = rv_asprintf("%s/damaged/%s-000000.intake", w->state.folder, w->run->name);
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf kept = RV_STRBUF_INIT;
	assert_int_equal(rv_read_file(aside, 1 << 20, &kept, &err), RV_OK);
	assert_int_equal(kept.len, bytes.len);
	assert_memory_equal(kept.bytes, bytes.bytes, bytes.len);
}

static void same_as_golden(const char *path, const char *name)
{
	struct rv_error err;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf now = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf golden = RV_STRBUF_INIT;
	RV_CLEANUP(rv_free_p)
	char *copy = rv_asprintf("%s/tests/data/%s", getenv("RIVER_SOURCE") ? getenv("RIVER_SOURCE") : ".",
				 name);
	assert_int_equal(rv_read_file(path, 1 << 20, &now, &err), RV_OK);
	assert_int_equal(rv_read_file(copy, 1 << 20, &golden, &err), RV_OK);
	assert_string_equal(now.bytes, golden.bytes);
}

/* An older river must not take such a run for one it knows; what version 3 wrote is read for ever. */
static void test_20_golden(void **arg)
{
	struct world *w = *arg;
	struct rv_error err;
	struct rv_run *run = NULL;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf bytes = RV_STRBUF_INIT;
	assert_int_equal(rv_run_create(&w->state, "r1", NOW, &run, &err), RV_OK);
	run->pipe = run->intake = true;
	free(run->host);
	run->host = rv_strdup("testhost");
	free(run->source);
	run->source = rv_strdup("http://127.0.0.1:8080/collect");
	assert_int_equal(rv_run_begin(run, &err), RV_OK);
	RV_CLEANUP(rv_free_p) char *journal = rv_path_join(run->folder, "journal");
	same_as_golden(journal, "journal-v3");
	add_records(&bytes, "{\"a\":1}\n{}\n", 2);
	rv_intake_add_reject(&bytes, "no_z", "z is missing", "POST /collect from ::1", RV_STR("{}"));
	rv_run_free(rv_take(w->run));
	w->run = run;
	write_intake(w, 7, &bytes);
	RV_CLEANUP(rv_free_p) char *intake = rv_run_intake_path(run, 7);
	same_as_golden(intake, "intake-v3");
	struct rv_run *again = NULL;
	assert_int_equal(rv_run_open(&w->state, "r1", false, &again, &err), RV_OK);
	assert_true(again->intake && again->pipe);
	rv_run_free(again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_frames, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_zeros_of_its_own, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_zeros_in_the_middle, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_room, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_take_room, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_frames_of_others, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_single_zeros, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_numbers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_totals, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_promise, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_179_recover, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_damaged, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_20_golden, set_up, tear_down),
	};
	return cmocka_run_group_tests_name("intake", tests, NULL, NULL);
}

/*
 * Windows: how lines become records and records requests, at every limit, and what answers do to
 * them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/strbuf.h"
#include "delivery/firehose_window.h"

struct world {
	struct rv_firehose_window window;
	struct rv_firehose_load load;
	struct rv_firehose_settled settled;
	struct rv_strbuf text;
	struct rv_firehose_limits limits;
};

static int set_up(void **state)
{
	struct world *w = rv_calloc(1, sizeof(*w));
	w->text = (struct rv_strbuf)RV_STRBUF_INIT;
	w->limits = (struct rv_firehose_limits){ 500, RV_FIREHOSE_BATCH_BYTES, 0 };
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	rv_firehose_window_release(&w->window);
	rv_strbuf_release(&w->text);
	free(w);
	return 0;
}

/* A line of `len` bytes, with its newline. */
static void add_line(struct world *w, size_t len)
{
	rv_strbuf_reserve(&w->text, len);
	for (size_t i = 0; i + 1 < len; i++)
		rv_strbuf_putc(&w->text, (char)('a' + i % 26));
	rv_strbuf_putc(&w->text, '\n');
}

static size_t open_window(struct world *w)
{
	return rv_firehose_window_open(&w->window, w->text.bytes, w->text.len);
}

static void settle(struct world *w, const enum rv_firehose_fate *fates, bool answered)
{
	rv_firehose_window_settle(&w->window, &w->load, fates, answered, NULL, 0, &w->settled);
}

static void settle_all(struct world *w, enum rv_firehose_fate fate, bool answered)
{
	enum rv_firehose_fate fates[RV_FIREHOSE_BATCH_RECORDS];
	for (size_t i = 0; i < w->load.count; i++)
		fates[i] = fate;
	settle(w, fates, answered);
}

static bool claim(struct world *w)
{
	return rv_firehose_window_claim(&w->window, &w->limits, &w->load);
}

static void assert_next(struct world *w, size_t records, size_t bytes)
{
	size_t sum = 0;
	assert_true(claim(w));
	for (size_t i = 0; i < w->load.count; i++) {
		assert_int_equal(w->load.records[i].bytes[w->load.records[i].len - 1], '\n');
		sum += w->load.records[i].len;
	}
	assert_int_equal(w->load.count, records);
	assert_int_equal(sum, bytes);
}

static void t0039_requests_of_500(void **state)
{
	static const size_t counts[][3] = { { 499, 499, 0 }, { 500, 500, 0 }, { 501, 500, 1 } };
	struct world *w = *state;
	for (size_t c = 0; c < 3; c++) {
		rv_strbuf_clear(&w->text);
		for (size_t i = 0; i < counts[c][0]; i++)
			add_line(w, 10);
		assert_int_equal(open_window(w), w->text.len);
		assert_int_equal(w->window.left, counts[c][0]);
		assert_next(w, counts[c][1], counts[c][1] * 10);
		if (counts[c][2])
			assert_next(w, counts[c][2], counts[c][2] * 10);
		assert_false(claim(w));
	}
}

static void t0039_requests_of_4_million_bytes(void **state)
{
	struct world *w = *state;
	for (size_t i = 0; i < 4; i++)
		add_line(w, 1000000);
	add_line(w, 2);
	assert_int_equal(open_window(w), w->text.len);
	assert_next(w, 4, 4000000);
	assert_next(w, 1, 2);
	assert_false(claim(w));

	rv_strbuf_clear(&w->text);
	for (size_t i = 0; i < 3; i++)
		add_line(w, 1000000);
	add_line(w, 1000001);
	assert_int_equal(open_window(w), w->text.len);
	assert_next(w, 3, 3000000);
	assert_next(w, 1, 1000001);
	assert_false(claim(w));
}

static void t0038_records_at_the_limit(void **state)
{
	struct world *w = *state;
	add_line(w, 5);
	add_line(w, RV_FIREHOSE_RECORD_MAX);
	add_line(w, 7);
	assert_int_equal(open_window(w), w->text.len);
	assert_false(w->window.too_long);
	assert_int_equal(w->window.count, 3);

	rv_strbuf_clear(&w->text);
	add_line(w, 5);
	add_line(w, RV_FIREHOSE_RECORD_MAX + 1);
	add_line(w, 7);
	assert_int_equal(open_window(w), 5);
	assert_true(w->window.too_long);
	assert_int_equal(w->window.count, 1);

	/* over the limit, and its end not even in sight */
	rv_strbuf_clear(&w->text);
	add_line(w, RV_FIREHOSE_WINDOW_BYTES + 10);
	open_window(w);
	assert_true(w->window.too_long);
}

static void first_record_goes_whatever_its_size(void **state)
{
	struct world *w = *state;
	w->limits.bytes = 100;
	add_line(w, 1000);
	add_line(w, 60);
	add_line(w, 40);
	add_line(w, 1);
	open_window(w);
	assert_next(w, 1, 1000);
	assert_next(w, 2, 100);
	assert_next(w, 1, 1);
}

static void rest_without_newline_is_no_line(void **state)
{
	struct world *w = *state;
	assert_int_equal(open_window(w), 0);
	assert_int_equal(w->window.count, 0);
	assert_false(claim(w));
	rv_strbuf_puts(&w->text, "{}\n{\"a\"");
	assert_int_equal(open_window(w), 3);
	assert_int_equal(w->window.count, 1);
	assert_false(w->window.too_long);
}

static void large_batches_come_in_windows(void **state)
{
	struct world *w = *state;
	uint64_t lines = 0, windows = 0;
	while (w->text.len < 3 * (size_t)RV_FIREHOSE_WINDOW_BYTES)
		add_line(w, 1000 + w->text.len % 977);
	for (size_t at = 0; at < w->text.len; windows++) {
		size_t took = rv_firehose_window_open(&w->window, w->text.bytes + at, w->text.len - at);
		assert_true(took > 0 && took <= RV_FIREHOSE_WINDOW_BYTES);
		lines += w->window.count;
		at += took;
	}
	assert_true(windows == 4);
	assert_true(lines > 16000);

	rv_strbuf_clear(&w->text);
	for (size_t i = 0; i < RV_FIREHOSE_WINDOW_LINES + 5; i++)
		add_line(w, 3);
	assert_int_equal(open_window(w), RV_FIREHOSE_WINDOW_LINES * 3);
	assert_int_equal(w->window.count, RV_FIREHOSE_WINDOW_LINES);
}

/* ---- packing ----------------------------------------------------------------- */

static void packed_records_are_neighbours(void **state)
{
	struct world *w = *state;
	w->limits.record_bytes = 100;
	for (size_t i = 0; i < 25; i++)
		add_line(w, 30);
	add_line(w, 101);
	add_line(w, 100);
	add_line(w, 1);
	open_window(w);
	/* 8 records of 3 lines, one of 1, one too long to share, a full one, the last */
	assert_next(w, 12, 25 * 30 + 101 + 100 + 1);
	assert_int_equal(w->load.lines, 28);
	assert_int_equal(w->load.records[0].len, 90);
	assert_int_equal(w->load.records[8].len, 30);
	assert_int_equal(w->load.records[9].len, 101);
	assert_int_equal(w->load.records[10].len, 100);
	assert_ptr_equal(w->load.records[1].bytes, w->text.bytes + 90);
	settle_all(w, RV_FIREHOSE_TAKEN, true);
	assert_int_equal(w->settled.taken_lines, 28);
	assert_int_equal(w->settled.billed_bytes, 12 * 5120);
	assert_int_equal(w->window.left, 0);
}

static void packing_keeps_the_request_s_limit(void **state)
{
	struct world *w = *state;
	w->limits.record_bytes = 100;
	w->limits.bytes = 250;
	for (size_t i = 0; i < 20; i++)
		add_line(w, 30);
	open_window(w);
	assert_next(w, 3, 240);
	assert_next(w, 3, 240);
	assert_next(w, 2, 120);
	assert_false(claim(w));
}

static void what_is_taken_parts_a_packed_record(void **state)
{
	struct world *w = *state;
	uint8_t bits[1] = { 0x04 };
	w->limits.record_bytes = 1000;
	for (size_t i = 0; i < 6; i++)
		add_line(w, 10);
	open_window(w);
	rv_firehose_window_mark(&w->window, bits, 0);
	assert_true(w->window.begun_before);
	assert_int_equal(w->window.left, 5);
	assert_next(w, 2, 50);
	assert_int_equal(w->load.records[0].len, 20);
	assert_int_equal(w->load.records[1].len, 30);
}

static void billing_rounds_each_record(void **state)
{
	struct world *w = *state;
	add_line(w, 1);
	add_line(w, 5120);
	add_line(w, 5121);
	open_window(w);
	assert_true(claim(w));
	settle_all(w, RV_FIREHOSE_TAKEN, true);
	assert_int_equal(w->settled.taken_bytes, 10242);
	assert_int_equal(w->settled.billed_bytes, 4 * 5120);
}

/* ---- answers ----------------------------------------------------------------- */

static void refused_lines_go_first(void **state)
{
	static const enum rv_firehose_fate fates[] = { RV_FIREHOSE_TAKEN, RV_FIREHOSE_REFUSED,
						       RV_FIREHOSE_TAKEN, RV_FIREHOSE_REFUSED };
	struct world *w = *state;
	w->limits.records = 4;
	for (size_t i = 0; i < 10; i++)
		add_line(w, 10);
	open_window(w);
	assert_next(w, 4, 40);
	settle(w, fates, true);
	assert_int_equal(w->settled.taken_lines, 2);
	assert_int_equal(w->settled.refused_lines, 2);
	assert_int_equal(w->settled.doubted_lines, 0);
	assert_int_equal(w->window.left, 8);
	/* only the refused ones, together with those that follow */
	assert_next(w, 4, 40);
	assert_ptr_equal(w->load.records[0].bytes, w->text.bytes + 10);
	assert_ptr_equal(w->load.records[1].bytes, w->text.bytes + 30);
	assert_ptr_equal(w->load.records[2].bytes, w->text.bytes + 40);
	assert_ptr_equal(w->load.records[3].bytes, w->text.bytes + 50);
}

static void acknowledged_bits_are_kept(void **state)
{
	static const enum rv_firehose_fate fates[] = { RV_FIREHOSE_TAKEN, RV_FIREHOSE_UNKNOWN,
						       RV_FIREHOSE_TAKEN, RV_FIREHOSE_REFUSED };
	struct world *w = *state;
	/* the window's first line is the batch's sixth */
	uint8_t bits[3] = { 0x1f, 0x01, 0x80 };
	for (size_t i = 0; i < 5; i++)
		add_line(w, 10);
	open_window(w);
	rv_firehose_window_mark(&w->window, bits, 5);
	assert_int_equal(w->window.left, 4);
	assert_next(w, 4, 40);
	assert_ptr_equal(w->load.records[3].bytes, w->text.bytes + 40);
	rv_firehose_window_settle(&w->window, &w->load, fates, true, bits, 5, &w->settled);
	assert_int_equal(bits[0], 0x1f | 1 << 5 | 1 << 7);
	assert_int_equal(bits[1], 0x01);
	assert_int_equal(bits[2], 0x80);
}

static void doubt_is_counted_once_a_line(void **state)
{
	struct world *w = *state;
	for (size_t i = 0; i < 3; i++)
		add_line(w, 10);
	open_window(w);
	claim(w);
	settle_all(w, RV_FIREHOSE_UNKNOWN, false);
	assert_int_equal(w->settled.doubted_lines, 3);
	assert_int_equal(w->settled.refused_lines, 0);
	claim(w);
	settle_all(w, RV_FIREHOSE_UNKNOWN, true);
	assert_int_equal(w->settled.doubted_lines, 0);
	claim(w);
	settle_all(w, RV_FIREHOSE_TAKEN, true);
	assert_int_equal(w->settled.taken_lines, 3);
	assert_int_equal(w->window.left, 0);
}

static void only_refusals_beside_others_count_against_a_line(void **state)
{
	static const enum rv_firehose_fate one_bad[] = { RV_FIREHOSE_TAKEN, RV_FIREHOSE_REFUSED };
	struct world *w = *state;
	add_line(w, 10);
	add_line(w, 10);
	open_window(w);
	for (unsigned i = 0; i < 200; i++) {
		/* throttled: all of them, or the call as a whole */
		assert_true(claim(w));
		assert_false(w->load.all_refused_before);
		settle_all(w, RV_FIREHOSE_REFUSED, i % 2);
		assert_int_equal(w->settled.most_refusals, 0);
	}
	assert_true(claim(w));
	settle(w, one_bad, true);
	assert_int_equal(w->settled.most_refusals, 1);
	/* alone now, and still refused */
	for (unsigned i = 2; i < 10; i++) {
		assert_true(claim(w));
		assert_true(w->load.all_refused_before);
		settle_all(w, RV_FIREHOSE_REFUSED, true);
		assert_int_equal(w->settled.most_refusals, i);
		claim(w);
		settle_all(w, RV_FIREHOSE_REFUSED, false);
		assert_int_equal(w->settled.most_refusals, 0);
	}
	/* the count does not run into the mark of doubt */
	for (unsigned i = 0; i < 300; i++) {
		claim(w);
		settle_all(w, RV_FIREHOSE_REFUSED, true);
	}
	claim(w);
	settle_all(w, RV_FIREHOSE_UNKNOWN, false);
	assert_int_equal(w->settled.doubted_lines, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(t0039_requests_of_500),
		TEST(t0039_requests_of_4_million_bytes),
		TEST(t0038_records_at_the_limit),
		TEST(first_record_goes_whatever_its_size),
		TEST(rest_without_newline_is_no_line),
		TEST(large_batches_come_in_windows),
		TEST(packed_records_are_neighbours),
		TEST(packing_keeps_the_request_s_limit),
		TEST(what_is_taken_parts_a_packed_record),
		TEST(billing_rounds_each_record),
		TEST(refused_lines_go_first),
		TEST(acknowledged_bits_are_kept),
		TEST(doubt_is_counted_once_a_line),
		TEST(only_refusals_beside_others_count_against_a_line),
	};
	return cmocka_run_group_tests_name("firehose window", tests, NULL, NULL);
}

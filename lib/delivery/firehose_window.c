/* Lines, their states, and the requests made of them. */
#include "delivery/firehose_window.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

void rv_firehose_window_release(struct rv_firehose_window *window)
{
	free(window->ends);
	free(window->state);
	free(window->past);
	*window = (struct rv_firehose_window)RV_FIREHOSE_WINDOW_INIT;
}

static void grow(struct rv_firehose_window *window)
{
	if (window->count < window->capacity)
		return;
	window->capacity = window->capacity ? window->capacity * 2 : 4096;
	window->ends = rv_realloc_array(window->ends, window->capacity, sizeof(*window->ends));
	window->state = rv_realloc_array(window->state, window->capacity, sizeof(*window->state));
	window->past = rv_realloc_array(window->past, window->capacity, sizeof(*window->past));
}

size_t rv_firehose_window_open(struct rv_firehose_window *window, const char *bytes, size_t len)
{
	size_t at = 0;

	window->bytes = bytes;
	window->count = 0;
	window->first_waiting = 0;
	window->begun_before = false;
	window->too_long = false;
	if (len > RV_FIREHOSE_WINDOW_BYTES)
		len = RV_FIREHOSE_WINDOW_BYTES;
	while (at < len && window->count < RV_FIREHOSE_WINDOW_LINES) {
		const char *newline = memchr(bytes + at, '\n', len - at);
		size_t end = newline ? (size_t)(newline + 1 - bytes) : len;

		if (end - at > RV_FIREHOSE_RECORD_MAX) {
			window->too_long = true;
			break;
		}
		if (!newline)
			break;
		grow(window);
		window->ends[window->count] = (uint32_t)end;
		window->state[window->count] = RV_FIREHOSE_LINE_WAITING;
		window->past[window->count] = 0;
		window->count++;
		at = end;
	}
	window->left = window->count;
	return at;
}

void rv_firehose_window_mark(struct rv_firehose_window *window, const uint8_t *acknowledged,
			     uint64_t first)
{
	for (size_t i = 0; i < window->count; i++) {
		uint64_t bit = first + i;

		if (!(acknowledged[bit / 8] >> (bit % 8) & 1))
			continue;
		window->state[i] = RV_FIREHOSE_LINE_TAKEN;
		window->left--;
		window->begun_before = true;
	}
}

static size_t line_start(const struct rv_firehose_window *window, size_t i)
{
	return i ? window->ends[i - 1] : 0;
}

/* The first waiting line from `i` on; `count` when there is none. */
static size_t next_waiting(const struct rv_firehose_window *window, size_t i)
{
	const uint8_t *hit;

	if (i >= window->count)
		return window->count;
	hit = memchr(window->state + i, RV_FIREHOSE_LINE_WAITING, window->count - i);
	return hit ? (size_t)(hit - window->state) : window->count;
}

bool rv_firehose_window_claim(struct rv_firehose_window *window,
			      const struct rv_firehose_limits *limits, struct rv_firehose_load *load)
{
	size_t bytes = 0;
	size_t i = next_waiting(window, window->first_waiting);

	load->count = 0;
	load->lines = 0;
	load->all_refused_before = true;
	window->first_waiting = i;
	while (i < window->count && load->count < limits->records) {
		size_t start = line_start(window, i), first = i;
		size_t room = limits->bytes > bytes ? limits->bytes - bytes : 0;
		size_t end = window->ends[i];

		if (load->count && end - start > room)
			break;
		/* A record is one piece of the batch, so only lines that follow each other fit. */
		for (; i < window->count && window->state[i] == RV_FIREHOSE_LINE_WAITING; i++) {
			size_t len = window->ends[i] - start;

			if (i > first && (len > limits->record_bytes || len > room))
				break;
			end = window->ends[i];
			window->state[i] = RV_FIREHOSE_LINE_FLYING;
			if (!(window->past[i] & ~RV_FIREHOSE_LINE_DOUBTED))
				load->all_refused_before = false;
		}
		load->records[load->count].bytes = window->bytes + start;
		load->records[load->count].len = end - start;
		load->spans[load->count].first = (uint32_t)first;
		load->spans[load->count].lines = (uint32_t)(i - first);
		load->count++;
		load->lines += i - first;
		bytes += end - start;
		i = next_waiting(window, i);
	}
	window->first_waiting = i;
	return load->count > 0;
}

static void settle_line(struct rv_firehose_window *window, size_t i, enum rv_firehose_fate fate,
			bool answered, bool others_taken, struct rv_firehose_settled *ret)
{
	uint8_t *past = &window->past[i];
	unsigned times = *past & ~RV_FIREHOSE_LINE_DOUBTED;

	window->state[i] = RV_FIREHOSE_LINE_WAITING;
	if (i < window->first_waiting)
		window->first_waiting = i;
	if (fate == RV_FIREHOSE_REFUSED)
		ret->refused_lines++;
	/* It counts against the record, and not the hour, when others got through: with it now, with
	 * it before, or in an attempt before this one. */
	if (answered && (others_taken || times || window->begun_before) && times < 0x7f) {
		times++;
		*past = (uint8_t)((*past & RV_FIREHOSE_LINE_DOUBTED) | times);
		if (times > ret->most_refusals)
			ret->most_refusals = times;
	}
	if (fate == RV_FIREHOSE_UNKNOWN && !(*past & RV_FIREHOSE_LINE_DOUBTED)) {
		*past |= RV_FIREHOSE_LINE_DOUBTED;
		ret->doubted_lines++;
	}
}

void rv_firehose_window_settle(struct rv_firehose_window *window, const struct rv_firehose_load *load,
			       const enum rv_firehose_fate *fates, bool answered,
			       uint8_t *acknowledged, uint64_t first,
			       struct rv_firehose_settled *ret)
{
	bool others_taken = false;

	*ret = (struct rv_firehose_settled){ 0 };
	for (size_t r = 0; r < load->count && !others_taken; r++)
		others_taken = fates[r] == RV_FIREHOSE_TAKEN;
	for (size_t r = 0; r < load->count; r++) {
		size_t from = load->spans[r].first, lines = load->spans[r].lines;

		if (fates[r] != RV_FIREHOSE_TAKEN) {
			for (size_t i = from; i < from + lines; i++)
				settle_line(window, i, fates[r], answered, others_taken, ret);
			continue;
		}
		memset(window->state + from, RV_FIREHOSE_LINE_TAKEN, lines);
		window->left -= lines;
		ret->taken_lines += lines;
		ret->taken_bytes += load->records[r].len;
		/* "rounded up to the nearest 5 KB", each record (Firehose pricing) */
		ret->billed_bytes += (load->records[r].len + RV_FIREHOSE_BILLED_BYTES - 1) /
				     RV_FIREHOSE_BILLED_BYTES * RV_FIREHOSE_BILLED_BYTES;
		for (uint64_t bit = first + from; acknowledged && bit < first + from + lines; bit++)
			acknowledged[bit / 8] |= (uint8_t)(1u << (bit % 8));
	}
}

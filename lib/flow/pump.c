/* Events out of rows: what is read, when it is due, and which time it is given. */
#include "flow/pump.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"

#define WINDOW_MS 100
#define WARNINGS 5

void rv_pump_line_init(struct rv_pump_line *line, const struct rv_pump_line_params *params)
{
	*line = (struct rv_pump_line){
		.params = *params,
		.why = RV_STRBUF_INIT,
		.event = RV_STRBUF_INIT,
	};
	if (!line->params.window_ms)
		line->params.window_ms = WINDOW_MS;
}

void rv_pump_line_release(struct rv_pump_line *line)
{
	rv_strbuf_release(&line->why);
	rv_strbuf_release(&line->event);
}

int64_t rv_pump_line_now_us(const struct rv_pump_line *line)
{
	struct timespec t;

	if (line->params.clock_us)
		return line->params.clock_us(line->params.arg);
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int64_t wall_ms(const struct rv_pump_line *line)
{
	return line->params.wall_ms ? line->params.wall_ms(line->params.arg) : rv_clock_ms();
}

/* ---- rows that are no events ---- */

static enum rv_status rejected(struct rv_pump_line *line, const char *file, uint64_t number,
			       const char *reason, struct rv_error *err)
{
	struct rv_pump_counts *c = &line->counts;
	RV_CLEANUP(rv_free_p)
	char *text = rv_asprintf("%s:%" PRIu64 ": %s", file, number, reason);

	c->rejected++;
	if (c->rejected == 1)
		snprintf(c->first_reject, sizeof(c->first_reject), "%.319s", text);
	if (line->params.warn && c->rejected <= WARNINGS)
		line->params.warn(line->params.arg, text);
	if (c->rejected <= line->params.max_rejects)
		return RV_OK;
	rv_fail(err, RV_BAD_DATA, "more than %" PRIu64 " rows are rejected, the first: %s",
		line->params.max_rejects, c->first_reject);
	rv_hint(err, "--max-rejects sets the limit");
	return err->status;
}

/* ---- the next row ---- */

static bool is_paced(const struct rv_pump_pace *pace)
{
	return pace->per_s > 0 || pace->speed > 0 || pace->jitter_us > 0;
}

/* The clock, for what has no plan: looked at now and then. */
static int64_t rough_us(struct rv_pump_line *line)
{
	if (is_paced(line->params.pace) || !line->rough_us || line->counts.events % 64 == 0)
		line->rough_us = rv_pump_line_now_us(line);
	return line->rough_us;
}

static enum rv_status take_row(struct rv_pump_line *line, const struct rv_pump_next *next,
			       enum rv_pump_ready *ret, struct rv_error *err)
{
	struct rv_pump_row *row = &line->row;
	int64_t time_ms;

	*row = (struct rv_pump_row){ .number = next->number, .record = next->record, .len = next->len };
	*ret = RV_PUMP_PASSED;
	line->counts.rows++;
	switch (rv_pump_cut(line->params.mapper, row, &line->why)) {
	case RV_PUMP_SKIPPED:
		line->counts.skipped++;
		return RV_OK;
	case RV_PUMP_REFUSED:
		return rejected(line, next->file, next->line, line->why.bytes, err);
	case RV_PUMP_TAKEN:
		break;
	}
	line->has_row = true;
	line->row_file = next->file;
	line->row_line = next->line;
	line->due_us = INT64_MIN;
	if (is_paced(line->params.pace) &&
	    !(line->params.catch_up && line->params.state &&
	      rv_pump_state_time(line->params.state, row->number, &time_ms)))
		line->due_us = rv_pump_pace_due(line->params.pace, row->time_ms,
						rv_pump_line_now_us(line));
	return RV_OK;
}

enum rv_status rv_pump_line_next(struct rv_pump_line *line, int64_t timeout_ms, enum rv_pump_ready *ret,
				 uint64_t *ret_row, struct rv_error *err)
{
	struct rv_pump_next next;

	*ret = RV_PUMP_OVER;
	if (!line->has_row) {
		if (line->ended)
			return RV_OK;
		if (rv_pump_feed_next(line->params.feed, timeout_ms, &next, err) != RV_OK)
			return err->status;
		*ret_row = next.number;
		if ((next.what == RV_PUMP_ROW || next.what == RV_PUMP_BAD) && line->params.count &&
		    next.number >= line->params.count) {
			line->ended = true;
			return RV_OK;
		}
		switch (next.what) {
		case RV_PUMP_WAIT:
			*ret = RV_PUMP_NOTHING;
			return RV_OK;
		case RV_PUMP_AGAIN:
			rv_pump_pace_again(line->params.pace);
			*ret = RV_PUMP_NOTHING;
			return RV_OK;
		case RV_PUMP_END:
			line->ended = line->data_ended = true;
			return RV_OK;
		case RV_PUMP_BAD:
			*ret = RV_PUMP_PASSED;
			if (next.number < line->params.from)
				return RV_OK;
			line->counts.rows++;
			return rejected(line, next.file, next.line, next.reason, err);
		case RV_PUMP_ROW:
			if (next.number < line->params.from) {
				*ret = RV_PUMP_NOTHING;
				return RV_OK;
			}
			if (take_row(line, &next, ret, err) != RV_OK)
				return err->status;
			if (!line->has_row)
				return RV_OK;
		}
	}
	*ret_row = line->row.number;
	*ret = line->due_us == INT64_MIN || line->due_us <= rv_pump_line_now_us(line) ? RV_PUMP_READY
											: RV_PUMP_LATER;
	return RV_OK;
}

/* ---- the event ---- */

/* The time of the event: that of its window, which the journal knows before anybody else does. */
static enum rv_status event_time(struct rv_pump_line *line, int64_t *ret, struct rv_error *err)
{
	uint64_t number = line->row.number;
	int64_t now_us;

	if (line->params.state && rv_pump_state_time(line->params.state, number, ret))
		return RV_OK;
	now_us = rough_us(line);
	if (!line->in_window || number - line->window_row >= RV_PUMP_WINDOW_ROWS ||
	    now_us - line->window_us >= line->params.window_ms * 1000) {
		line->in_window = true;
		line->window_row = number;
		line->window_us = now_us;
		line->window_ms = wall_ms(line);
		if (line->params.state &&
		    rv_pump_state_window(line->params.state, number, line->window_ms,
					 rv_pump_feed_place(line->params.feed), err) != RV_OK)
			return err->status;
	}
	*ret = line->window_ms;
	return RV_OK;
}

enum rv_status rv_pump_line_take(struct rv_pump_line *line, const char **ret, size_t *ret_len,
				 struct rv_error *err)
{
	int64_t time_ms;

	*ret_len = 0;
	if (event_time(line, &time_ms, err) != RV_OK)
		return err->status;
	line->has_row = false;
	rv_strbuf_clear(&line->event);
	if (rv_pump_render(line->params.mapper, &line->row, time_ms, &line->event, &line->why) !=
	    RV_PUMP_TAKEN)
		return rejected(line, line->row_file, line->row_line, line->why.bytes, err);
	line->counts.events++;
	line->counts.kinds[line->row.kind]++;
	line->counts.bytes += line->event.len;
	*ret = line->event.bytes;
	*ret_len = line->event.len;
	return RV_OK;
}

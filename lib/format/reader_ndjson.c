/*
 * ndjson: a line holds one or more whole objects. The loop at the heart of a push is here: an object
 * that fills its line is validated, hashed and counted where it lies, without looking for the line's
 * end first, because the validator finds it.
 *
 * Everything else is an odd line and goes the long way round. How far a line is judged at once is a
 * matter of offsets alone: when it ends within max_record_bytes from where we stand, all of it must
 * be whole objects or all of it is rejected. A longer one (Firehose writes whole files without a
 * newline) is taken object by object, until a bad one takes the rest of the line with it.
 */
#include "format/reader_impl.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static size_t skip_blanks(const char *p, size_t i, size_t end)
{
	while (i < end && is_blank(p[i]))
		i++;
	return i;
}

static enum rv_json_fault scan(const struct rv_reader *rd, size_t at, size_t len,
			       struct rv_json_scan *ret)
{
	return rv_json_scan_object(rd->buf + at, len, rd->max_depth, RV_JSON_LINE_MODE, ret);
}

static bool is_refused(const struct rv_reader *rd, const struct rv_json_scan *s)
{
	return s->has_river_key && rd->refuse_river_key;
}

/* The objects from `i` up to the line's end: all whole, or rejected with the line. */
static enum rv_step judge_rest(struct rv_reader *rd, size_t i, size_t line_end)
{
	while ((i = skip_blanks(rd->buf, i, line_end)) < line_end) {
		struct rv_json_scan s;

		if (scan(rd, i, line_end - i, &s) != RV_JSON_OK)
			return rv_reject_json(rd, RV_RESYNC_LINE, 0, i, &s);
		if (is_refused(rd, &s))
			return rv_reject_river_key(rd, RV_RESYNC_LINE, 0, i);
		i += s.end;
	}
	rd->judged = rv_reader_at(rd, line_end);
	return RV_STEP_FULL;
}

/*
 * Whatever stands at pos that is not one object and a newline: takes one object, or finds the
 * fault. *ret_again: something was taken or skipped, and the quick way may be tried again.
 */
static enum rv_step odd_line(struct rv_reader *rd, const struct rv_reader_limits *limits,
			     bool *ret_again)
{
	bool last = false; /* the window holds all there will ever be */
	uint64_t max = rd->max_record_bytes;
	struct rv_json_scan s;

	*ret_again = false;
	if (rd->searched > rv_reader_at(rd, rd->pos)) {
		/* This line was seen without its end: nothing new until that comes. */
		size_t i = (size_t)(rd->searched - rd->base);

		if (i < rd->end && memchr(rd->buf + i, '\n', rd->end - i))
			rd->searched = 0;
		else
			rd->searched = rv_reader_at(rd, rd->end);
		if (rd->searched && rd->end - rd->pos <= max && !rd->eof)
			return RV_STEP_NEED;
		rd->searched = 0;
	}
	while (rd->pos < rd->end && (is_blank(rd->buf[rd->pos]) || rd->buf[rd->pos] == '\n'))
		rd->line += rd->buf[rd->pos++] == '\n';
	if (rd->pos == rd->end)
		return RV_STEP_NEED;
	last = rd->eof;

	size_t at = rd->pos, avail = rd->end - at;
	size_t len = rv_scan_len(rd, at);

	if (scan(rd, at, len, &s) != RV_JSON_OK) {
		if (s.fault == RV_JSON_TRUNCATED && len > max)
			return rv_reject_too_long(rd, RV_RESYNC_LINE, at);
		if (s.fault == RV_JSON_TRUNCATED && !(last && rd->finished)) {
			rd->searched = rv_reader_at(rd, rd->end);
			return RV_STEP_NEED;
		}
		return rv_reject_json(rd, RV_RESYNC_LINE, 0, at, &s);
	}
	if (s.end > max)
		return rv_reject_too_long(rd, RV_RESYNC_LINE, at);
	if (is_refused(rd, &s))
		return rv_reject_river_key(rd, RV_RESYNC_LINE, 0, at);

	/* One good object. What follows it decides over it, as far as the line is judged whole. */
	size_t to = at + s.end;
	size_t reach = avail > max ? at + (size_t)max + 1 : rd->end; /* a newline at `max` counts */
	const char *nl = memchr(rd->buf + to, '\n', reach - to);
	size_t line_end = nl ? (size_t)(nl - rd->buf) : rd->end;

	if (!nl && avail <= max && !last) {
		rd->searched = rv_reader_at(rd, rd->end);
		return RV_STEP_NEED;
	}
	bool whole = nl || avail <= max;

	if (whole && rd->judged < rv_reader_at(rd, line_end) &&
	    judge_rest(rd, to, line_end) == RV_STEP_REJECT) {
		if (nl || rd->finished)
			return RV_STEP_REJECT;
		/* An unterminated line may yet become a good one. */
		rd->reject.active = false;
		rd->searched = rv_reader_at(rd, rd->end);
		return RV_STEP_NEED;
	}
	const char *p = rd->buf + at;
	bool in_place = nl == p + s.end && !s.has_newline;

	/* What goes on with a long run was taken the quick way. */
	if (rv_span_other_size(rd, limits, s.end) || rd->run_len >= RV_DIRECT_BYTES)
		return RV_STEP_FULL; /* it comes again, first in its span */
	rv_span_add(rd, p, s.end, in_place, s.has_newline);
	rd->pos = to;
	if (whole) {
		to = skip_blanks(rd->buf, to, line_end);
		if (to == line_end) {
			rd->pos = nl ? to + 1 : to;
			rd->line += nl != NULL;
		}
	}
	rv_span_mark(rd);
	*ret_again = true;
	return rv_span_full(rd, limits) ? RV_STEP_FULL : RV_STEP_NEED;
}

enum rv_step rv_ndjson_step(struct rv_reader *rd, const struct rv_reader_limits *limits,
			    struct rv_error *err RV_UNUSED)
{
	for (;;) {
		bool again = false;

		while (rd->pos < rd->end && rd->buf[rd->pos] == '{' && !rd->searched) {
			const char *p = rd->buf + rd->pos;
			struct rv_json_scan s;

			if (scan(rd, rd->pos, rv_scan_len(rd, rd->pos), &s) != RV_JSON_OK)
				break;
			size_t left = rd->end - rd->pos - s.end;

			if (!left || s.end > rd->max_record_bytes || s.has_newline ||
			    is_refused(rd, &s))
				break;
			if (rv_span_other_size(rd, limits, s.end)) {
				rv_span_mark(rd);
				return RV_STEP_FULL;
			}
			if (p[s.end] == '\n') {
				rv_span_add(rd, p, s.end, true, false);
				rd->pos += s.end + 1;
			} else if (p[s.end] == '\r' && left > 1 && p[s.end + 1] == '\n' &&
				   s.end < rd->max_record_bytes &&
				   rd->run_len < RV_DIRECT_BYTES) {
				rv_span_add(rd, p, s.end, false, false);
				rd->pos += s.end + 2;
			} else {
				break;
			}
			rd->line++;
			if (rv_span_full(rd, limits)) {
				rv_span_mark(rd);
				return RV_STEP_FULL;
			}
		}
		rv_span_mark(rd);
		enum rv_step step = odd_line(rd, limits, &again);

		if (step != RV_STEP_NEED || !again)
			return step;
	}
}

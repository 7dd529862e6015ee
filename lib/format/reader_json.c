/*
 * json: objects over several lines, one behind the other, or arrays of them. The punctuation
 * between objects is judged here; objects by the validator.
 *
 * After a fault nobody knows what the next bytes are inside of, so reading goes on where a line
 * starts with '{': what writers of such files put at the start of a record. The element of an array
 * that is whole but no object is the exception: it costs only itself.
 */
#include "format/reader_impl.h"

/* Where the grammar stands; kept in checkpoints, so the numbers stay. */
enum {
	STATE_TOP = 0,        /* outside of arrays */
	STATE_NEXT = 1,       /* behind an element: ',' or ']' */
	STATE_FIRST = 2,      /* behind '[': an element or ']' */
	STATE_ELEMENT = 3,    /* behind ',': an element */
	STATE_ANY = 4,        /* behind a rejected region inside of an array */
	STATE_MASK = 7,
	STATE_LOST = 8,       /* flag: the array's end may have been inside of a rejected region */
};

static void set_state(struct rv_reader *rd, unsigned state)
{
	rd->state = state == STATE_TOP ? state : (rd->state & STATE_LOST) | state;
}

/* Where reading goes on after the region is another place of the array, if it is one. */
static enum rv_step region(struct rv_reader *rd, enum rv_step step)
{
	if ((rd->state & STATE_MASK) != STATE_TOP)
		rd->state = STATE_ANY | STATE_LOST;
	return step;
}

static enum rv_step reject_punctuation(struct rv_reader *rd, const char *what)
{
	return region(rd, rv_reject(rd, RV_RESYNC_JSON_LINE, 0, rv_reader_at(rd, rd->pos),
				    "punctuation", "%s", what));
}

/*
 * The length of a value that is no object, found by its brackets and strings alone; 0: the bytes end
 * inside of it; SIZE_MAX: it has no end that could be trusted. It does not begin with a comma, a blank or
 * a closing bracket of an array.
 */
static size_t other_length(const char *p, size_t len, bool final)
{
	static const char plain[] = "+-.0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	size_t depth = 0, i = 0;
	bool in_string = false;

	for (; i < len; i++) {
		char c = p[i];

		if (in_string) {
			if (c == '\\')
				i++;
			else if ((unsigned char)c < 0x20)
				return SIZE_MAX;
			else if (c == '"')
				in_string = false;
			if (!in_string && !depth)
				return i + 1;
			continue;
		}
		switch (c) {
		case '"':
			if (i && !depth)
				return SIZE_MAX;
			in_string = true;
			break;
		case '[':
		case '{':
			if (i && !depth)
				return SIZE_MAX;
			depth++;
			break;
		case ']':
		case '}':
			if (!depth)
				return c == ']' ? i : SIZE_MAX;
			if (--depth == 0)
				return i + 1;
			break;
		case ',':
		case ' ':
		case '\t':
		case '\r':
		case '\n':
			if (!depth)
				return i;
			break;
		default:
			if (!depth && !memchr(plain, c, sizeof(plain) - 1))
				return SIZE_MAX;
		}
	}
	return final ? depth || in_string ? SIZE_MAX : len : 0;
}

static enum rv_step need_more(struct rv_reader *rd, size_t len)
{
	rd->want = len + len / 2;
	return RV_STEP_NEED;
}

/* The element at pos, which does not begin with '{'. */
static enum rv_step take_other(struct rv_reader *rd)
{
	const char *p = rd->buf + rd->pos;
	size_t reach = rv_scan_len(rd, rd->pos);
	bool final = rd->eof && rd->finished && reach <= rd->max_record_bytes;
	size_t len = other_length(p, reach, final);

	if (len == 0 && reach <= rd->max_record_bytes)
		return need_more(rd, reach);
	if (len == 0)
		return region(rd, rv_reject_too_long(rd, RV_RESYNC_JSON_LINE, rd->pos));
	uint64_t start = rv_reader_at(rd, rd->pos);

	if (len == SIZE_MAX)
		return region(rd, rv_reject(rd, RV_RESYNC_JSON_LINE, 0, start, "not_object",
					    "not a JSON object"));
	set_state(rd, STATE_NEXT);
	return rv_reject(rd, RV_RESYNC_KNOWN, start + len, start, "not_object",
			 "an element of the array that is not an object");
}

/* The object at pos. */
static enum rv_step take_object(struct rv_reader *rd, const struct rv_reader_limits *limits,
				bool *ret_taken)
{
	const char *p = rd->buf + rd->pos;
	size_t reach = rv_scan_len(rd, rd->pos);
	struct rv_json_scan s;

	if (rv_json_scan_object(p, reach, rd->max_depth, 0, &s) != RV_JSON_OK) {
		if (s.fault == RV_JSON_TRUNCATED && reach > rd->max_record_bytes)
			return region(rd,
				      rv_reject_too_long(rd, RV_RESYNC_JSON_LINE, rd->pos));
		if (s.fault == RV_JSON_TRUNCATED && !(rd->eof && rd->finished))
			return need_more(rd, reach);
		return region(rd, rv_reject_json(rd, RV_RESYNC_JSON_LINE, 0, rd->pos, &s));
	}
	if (s.end > rd->max_record_bytes)
		return region(rd, rv_reject_too_long(rd, RV_RESYNC_JSON_LINE, rd->pos));

	bool in_place = rd->pos + s.end < rd->end && p[s.end] == '\n' && !s.has_newline;
	bool is_top = (rd->state & STATE_MASK) == STATE_TOP;

	if (s.has_river_key && rd->refuse_river_key) {
		if (!is_top)
			set_state(rd, STATE_NEXT);
		return rv_reject_river_key(rd, RV_RESYNC_KNOWN,
					   rv_reader_at(rd, rd->pos + s.end), rd->pos);
	}
	if (rv_span_other_size(rd, limits, s.end) ||
	    (rd->run_len >= RV_DIRECT_BYTES && !(in_place && rd->run + rd->run_len == p)))
		return RV_STEP_FULL; /* it comes again, first in its span */
	rv_span_add(rd, p, s.end, in_place, s.has_newline);
	if (s.has_newline)
		for (size_t i = 0; i < s.end; i++)
			rd->line += p[i] == '\n';
	rd->pos += s.end;
	if (!is_top)
		set_state(rd, STATE_NEXT);
	rv_span_mark(rd);
	*ret_taken = true;
	return rv_span_full(rd, limits) ? RV_STEP_FULL : RV_STEP_NEED;
}

static enum rv_step at_the_end(struct rv_reader *rd)
{
	unsigned state = rd->state & STATE_MASK;

	if (!rd->eof || !rd->finished || rd->is_extent || state == STATE_TOP ||
	    rd->state & STATE_LOST)
		return RV_STEP_NEED;
	rd->state |= STATE_LOST; /* said once */
	return rv_reject(rd, RV_RESYNC_KNOWN, rv_reader_at(rd, rd->pos), rv_reader_at(rd, rd->pos),
			 "unclosed_array", "the array is not closed: the input seems cut short");
}

enum rv_step rv_json_step(struct rv_reader *rd, const struct rv_reader_limits *limits,
			  struct rv_error *err RV_UNUSED)
{
	for (;;) {
		while (rd->pos < rd->end &&
		       (rd->buf[rd->pos] == ' ' || rd->buf[rd->pos] == '\n' ||
			rd->buf[rd->pos] == '\r' || rd->buf[rd->pos] == '\t'))
			rd->line += rd->buf[rd->pos++] == '\n';
		if (rd->pos == rd->end)
			return at_the_end(rd);

		unsigned state = rd->state & STATE_MASK;
		char c = rd->buf[rd->pos];

		/* STATE_ANY comes with a '{': nothing else ends a rejected region. */
		if (c == ',' && state == STATE_NEXT) {
			set_state(rd, STATE_ELEMENT);
			rd->pos++;
		} else if (c == ']' && (state == STATE_NEXT || state == STATE_FIRST)) {
			set_state(rd, STATE_TOP);
			rd->pos++;
		} else if (c == '[' && state == STATE_TOP) {
			set_state(rd, STATE_FIRST);
			rd->pos++;
		} else if (c == '{' && state != STATE_NEXT) {
			bool taken = false;
			enum rv_step step = take_object(rd, limits, &taken);

			if (!taken || step == RV_STEP_FULL)
				return step;
		} else if (state == STATE_NEXT) {
			return reject_punctuation(rd, "a comma is missing between two elements");
		} else if (c == ',' || c == ']') {
			return reject_punctuation(rd, c == ',' ? "a comma without a value before it"
							       : "a closing bracket out of place");
		} else if (state == STATE_TOP) {
			return region(rd, rv_reject(rd, RV_RESYNC_JSON_LINE, 0,
						    rv_reader_at(rd, rd->pos), "not_object",
						    "not a JSON object"));
		} else {
			return take_other(rd);
		}
	}
}

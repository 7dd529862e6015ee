/*
 * Which format is it? csv and text only by name; a "*.log" is text unless it begins as JSON does. '[' first is json. A first object that ends on a
 * later line is json. Else ndjson if any line of the first MiB stands alone as objects, or if there
 * is no line end in it at all; else json.
 *
 * Asked in this order, because a pretty-printed object may well hold a line that stands alone; and
 * each answer is given as soon as the bytes that decide are there, so that a pipe which trickles is
 * not kept waiting for a MiB.
 */
#include "format/reader_impl.h"

#include "format/file_name.h"

enum rv_format rv_format_by_name(const char *name, char *delimiter, bool *ret_log)
{
	size_t unpacked = rv_name_unpacked(name, strlen(name));
	/* first as it stands: of app.2026.csv the number is no counter */
	const size_t lens[] = { unpacked, rv_name_uncounted(name, unpacked) };

	*ret_log = false;
	for (size_t i = 0; i < 2; i++) {
		size_t len = lens[i];

		*ret_log |= rv_name_ends_with(name, len, ".log");
		if (rv_name_ends_with(name, len, ".csv"))
			return RV_FORMAT_CSV;
		if (rv_name_ends_with(name, len, ".tsv")) {
			if (delimiter)
				*delimiter = '\t';
			return RV_FORMAT_CSV;
		}
		if (rv_name_ends_with(name, len, ".txt"))
			return RV_FORMAT_TEXT;
	}
	return RV_FORMAT_AUTO;
}

static size_t skip(const char *p, size_t i, size_t len, const char *blanks)
{
	while (i < len && p[i] && strchr(blanks, p[i]))
		i++;
	return i;
}

/* One or more whole objects and nothing else. */
static bool stands_alone(const struct rv_reader *rd, const char *p, size_t len)
{
	size_t i = skip(p, 0, len, " \t\r");
	struct rv_json_scan s;

	if (i == len)
		return false;
	while (i < len) {
		if (rv_json_scan_object(p + i, len - i, rd->max_depth, RV_JSON_LINE_MODE, &s) !=
		    RV_JSON_OK)
			return false;
		i = skip(p, i + s.end, len, " \t\r");
	}
	return true;
}

static enum rv_step decide(struct rv_reader *rd, enum rv_format format)
{
	rd->format = format;
	rd->step = format == RV_FORMAT_JSON   ? rv_json_step
		   : format == RV_FORMAT_TEXT ? rv_text_step
					      : rv_ndjson_step;
	return RV_STEP_FULL;
}

enum rv_step rv_detect_step(struct rv_reader *rd,
			    const struct rv_reader_limits *limits RV_UNUSED,
			    struct rv_error *err RV_UNUSED)
{
	const char *p = rd->buf + rd->pos;
	size_t len = rd->end - rd->pos;
	bool all = rd->eof || len >= RV_DETECT_BYTES;
	struct rv_json_scan s;

	if (len > RV_DETECT_BYTES)
		len = RV_DETECT_BYTES;
	size_t first = skip(p, 0, len, " \t\r\n");

	if (first == len) {
		if (all)
			return decide(rd, RV_FORMAT_NDJSON);
		return RV_STEP_NEED;
	}
	if (rd->is_log && p[first] == '[') { /* a date, as often as an array */
		size_t second = skip(p, first + 1, len, " \t\r\n");

		if (second == len && !all)
			return RV_STEP_NEED;
		if (second < len && p[second] != '{' && p[second] != ']')
			return decide(rd, RV_FORMAT_TEXT);
	} else if (rd->is_log && p[first] != '{') {
		return decide(rd, RV_FORMAT_TEXT);
	}
	if (p[first] == '[')
		return decide(rd, RV_FORMAT_JSON);
	if (rv_json_scan_object(p + first, len - first, rd->max_depth, 0, &s) == RV_JSON_OK &&
	    memchr(p + first, '\n', s.end))
		return decide(rd, RV_FORMAT_JSON);
	/* As long as the first object may still go on over line ends, lines say nothing. */
	bool may_go_on = s.fault == RV_JSON_TRUNCATED && !all;
	bool any_line = false;

	for (size_t i = first; i < len && !may_go_on;) {
		const char *nl = memchr(p + i, '\n', len - i);
		size_t end = nl ? (size_t)(nl - p) : len;

		if (!nl && !all)
			break;
		any_line |= nl != NULL;
		if ((nl || rd->eof) && stands_alone(rd, p + i, end - i))
			return decide(rd, RV_FORMAT_NDJSON);
		i = end + 1;
	}
	if (!all) {
		rd->want = len + len / 2;
		return RV_STEP_NEED;
	}
	return decide(rd, any_line ? RV_FORMAT_JSON : RV_FORMAT_NDJSON);
}

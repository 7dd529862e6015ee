/* text: every line that is not empty becomes {"text":"..."}. */
#include "format/reader_impl.h"
#include "format/text_copy.h"

static const char before[] = "{\"text\":\"", behind[] = "\"}";

/* Writes the record of the line p[0..len) behind the side buffer's end; returns its length. */
static size_t write_record(struct rv_reader *rd, const char *p, size_t len, bool *ret_high)
{
	const char *end = p + len;
	size_t start = rd->side.len;

	rv_strbuf_reserve(&rd->side, len + sizeof(before) + sizeof(behind) + 64);
	char *o = rd->side.bytes + start;
	const char *limit = rd->side.bytes + rd->side.capacity - 64;

	memcpy(o, before, sizeof(before) - 1);
	o += sizeof(before) - 1;
	while (p < end) {
		bool stop = false;
		size_t n = rv_copy_chunk(p, o, (struct rv_copy_stops){ '"', '"' }, ret_high, &stop);

		if (n >= (size_t)(end - p)) { /* what lies behind the line does not count */
			o += end - p;
			break;
		}
		p += n;
		o += n;
		if (stop)
			o += rv_copy_escaped(*p++, o);
		if (o > limit) {
			rd->side.len = (size_t)(o - rd->side.bytes);
			rv_strbuf_reserve(&rd->side, (size_t)(end - p) + rd->side.len / 4 + 128);
			o = rd->side.bytes + rd->side.len;
			limit = rd->side.bytes + rd->side.capacity - 64;
		}
	}
	memcpy(o, behind, sizeof(behind) - 1);
	o += sizeof(behind) - 1;
	rd->side.len = (size_t)(o - rd->side.bytes);
	return rd->side.len - start;
}

enum rv_step rv_text_step(struct rv_reader *rd, const struct rv_reader_limits *limits,
			  struct rv_error *err RV_UNUSED)
{
	uint64_t max = rd->max_record_bytes;

	rv_span_to_side(rd);
	for (;;) {
		const char *p = rd->buf + rd->pos;
		size_t avail = rd->end - rd->pos;
		size_t from = rd->searched > rv_reader_at(rd, rd->pos)
				      ? (size_t)(rd->searched - rv_reader_at(rd, rd->pos))
				      : 0;
		const char *nl = from < avail ? memchr(p + from, '\n', avail - from) : NULL;
		size_t len = nl ? (size_t)(nl - p) : avail;
		bool high = false;

		if (avail == 0)
			return RV_STEP_NEED;
		if (len > max)
			return rv_reject_too_long(rd, RV_RESYNC_LINE, rd->pos);
		if (!nl && !(rd->eof && rd->finished)) {
			rd->searched = rv_reader_at(rd, rd->end);
			return RV_STEP_NEED;
		}
		size_t take = nl ? len + 1 : len;

		if (nl && len && p[len - 1] == '\r')
			len--;
		if (len == 0) {
			rd->pos += take;
			rd->line++;
			continue;
		}
		size_t start = rd->side.len;
		size_t record = write_record(rd, p, len, &high);
		size_t bad = high ? rv_utf8_check(p, len) : len;

		if (bad < len || record > max) {
			rv_strbuf_truncate(&rd->side, start);
			if (bad == len)
				return rv_reject(rd, RV_RESYNC_LINE, 0, rv_reader_at(rd, rd->pos),
						 "too_long",
						 "its record would have %zu bytes, the limit is %llu",
						 record, (unsigned long long)max);
			return rv_reject(rd, RV_RESYNC_LINE, 0, rv_reader_at(rd, rd->pos + bad),
					 "invalid_utf8", "byte %zu of the line is not UTF-8",
					 bad + 1);
		}
		if (rv_span_other_size(rd, limits, record)) {
			rv_strbuf_truncate(&rd->side, start);
			return RV_STEP_FULL;
		}
		if (!rd->records)
			rd->span_line = rd->line;
		rv_span_count(rd, rd->side.bytes + start, record);
		rv_strbuf_putc(&rd->side, '\n');
		rd->pos += take;
		rd->line += nl != NULL;
		rv_span_mark(rd);
		if (rv_span_full(rd, limits))
			return RV_STEP_FULL;
	}
}

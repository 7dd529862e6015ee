/*
 * The part of reading that is the same for all formats: a window that moves over the input without
 * copying records, spans that end where the limits say, and rejects of any length in flat memory.
 */
#include "format/reader_impl.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"

static const uint64_t default_max_record_bytes = 16 << 20;

static const char *const format_names[] = {
	[RV_FORMAT_AUTO] = "auto", [RV_FORMAT_NDJSON] = "ndjson", [RV_FORMAT_JSON] = "json",
	[RV_FORMAT_CSV] = "csv",   [RV_FORMAT_TEXT] = "text",
};

const char *rv_format_name(enum rv_format format)
{
	return format_names[format];
}

bool rv_format_parse(const char *name, enum rv_format *ret)
{
	for (size_t i = 0; i < sizeof(format_names) / sizeof(*format_names); i++)
		if (strcmp(name, format_names[i]) == 0) {
			*ret = (enum rv_format)i;
			return true;
		}
	return false;
}

/* ---- the span being built ---- */

static void span_start(struct rv_reader *rd)
{
	rd->run = NULL;
	rd->run_len = 0;
	rd->use_side = false;
	/* What a giant needed is not kept for the rest. */
	if (rd->side.capacity > 16 * RV_SPAN_BYTES)
		rv_strbuf_release(&rd->side);
	rv_strbuf_clear(&rd->side);
	rd->records = rd->set_hash = rd->record_bytes = rd->span_line = 0;
}

void rv_span_to_side(struct rv_reader *rd)
{
	if (rd->use_side)
		return;
	rd->use_side = true;
	if (rd->run_len)
		rv_strbuf_add(&rd->side, rd->run, rd->run_len);
	rd->run = NULL;
	rd->run_len = 0;
}

void rv_span_add(struct rv_reader *rd, const char *p, size_t len, bool in_place, bool blank)
{
	if (!rd->records)
		rd->span_line = rd->line;
	if (in_place && !rd->use_side && (!rd->run || rd->run + rd->run_len == p)) {
		if (!rd->run)
			rd->run = p;
		rd->run_len += len + 1;
		rv_span_count(rd, p, len);
		return;
	}
	rv_span_to_side(rd);
	rv_strbuf_add(&rd->side, p, len);
	char *copy = rd->side.bytes + rd->side.len - len;

	if (blank)
		rv_json_blank_newlines(copy, len);
	rv_span_count(rd, copy, len);
	rv_strbuf_putc(&rd->side, '\n');
}

static void span_hand_out(struct rv_reader *rd, enum rv_span_kind kind, struct rv_span *ret)
{
	*ret = (struct rv_span){ .kind = kind, .from = rd->from, .line = rd->line };
	if (kind == RV_SPAN_RECORDS) {
		ret->bytes = rd->use_side ? rd->side.bytes : rd->run;
		ret->len = rv_span_len(rd);
		ret->records = rd->records;
		ret->set_hash = rd->set_hash;
		ret->record_bytes = rd->record_bytes;
		ret->large = rd->span_large;
		ret->line = rd->span_line;
		rd->from = rd->mark;
		rd->from_line = rd->mark_line;
		rd->from_state = rd->mark_state;
	} else if (kind != RV_SPAN_WAIT) {
		rd->from = rv_reader_at(rd, rd->pos);
		rd->from_line = rd->line;
		rd->from_state = rd->state;
	}
	ret->to = rd->from;
}

/* ---- rejects ---- */

enum rv_step rv_reject(struct rv_reader *rd, enum rv_resync resync, uint64_t end, uint64_t fault,
		       const char *code, const char *fmt, ...)
{
	va_list ap;

	rd->reject.active = rd->reject.first = true;
	rd->reject.resync = resync;
	rd->reject.end = end;
	/* A '{' in column 0 at the fault itself is where reading goes on. */
	rd->reject.searched = resync == RV_RESYNC_JSON_LINE && fault > rv_reader_at(rd, rd->pos)
				      ? fault - 1
				      : rv_reader_at(rd, rd->pos);
	rd->reject.fault = fault;
	rd->reject.code = code;
	va_start(ap, fmt);
	vsnprintf(rd->reject.reason, sizeof(rd->reject.reason), fmt, ap);
	va_end(ap);
	return RV_STEP_REJECT;
}

enum rv_step rv_reject_json(struct rv_reader *rd, enum rv_resync resync, uint64_t end, size_t at,
			    const struct rv_json_scan *scan)
{
	static const char *const codes[] = {
		[RV_JSON_TRUNCATED] = "truncated",
		[RV_JSON_NOT_OBJECT] = "not_object",
		[RV_JSON_SYNTAX] = "syntax",
		[RV_JSON_CONTROL_CHARACTER] = "control_character",
		[RV_JSON_UTF8] = "invalid_utf8",
		[RV_JSON_ESCAPE] = "bad_escape",
		[RV_JSON_LONE_SURROGATE] = "lone_surrogate",
		[RV_JSON_NUMBER] = "bad_number",
		[RV_JSON_DEPTH] = "too_deep",
		[RV_JSON_NEWLINE] = "newline",
	};

	return rv_reject(rd, resync, end, rv_reader_at(rd, at + scan->end), codes[scan->fault],
			 "%s", rv_json_fault_text(scan->fault));
}

enum rv_step rv_reject_too_long(struct rv_reader *rd, enum rv_resync resync, size_t at)
{
	return rv_reject(rd, resync, 0, rv_reader_at(rd, at) + rd->max_record_bytes, "too_long",
			 "longer than the limit of %llu bytes",
			 (unsigned long long)rd->max_record_bytes);
}

enum rv_step rv_reject_river_key(struct rv_reader *rd, enum rv_resync resync, uint64_t end,
				 size_t at)
{
	return rv_reject(rd, resync, end, rv_reader_at(rd, at), "river_key",
			 "a top-level key \"_river\", which is river's own");
}

/* Looks for the end of the region in the window; true: reject.end is known. */
static bool reject_find_end(struct rv_reader *rd)
{
	size_t i = (size_t)(rd->reject.searched - rd->base);

	switch (rd->reject.resync) {
	case RV_RESYNC_KNOWN:
		return true;
	case RV_RESYNC_LINE: {
		const char *nl = i < rd->end ? memchr(rd->buf + i, '\n', rd->end - i) : NULL;

		rd->reject.searched = rv_reader_at(rd, rd->end);
		if (!nl)
			return false;
		rd->reject.end = rv_reader_at(rd, (size_t)(nl + 1 - rd->buf));
		break;
	}
	case RV_RESYNC_JSON_LINE:
		for (;;) {
			const char *nl =
				i < rd->end ? memchr(rd->buf + i, '\n', rd->end - i) : NULL;

			i = nl ? (size_t)(nl + 1 - rd->buf) : rd->end;
			if (i == rd->end) { /* a newline that came last is looked at again */
				rd->reject.searched = rv_reader_at(rd, nl ? i - 1 : i);
				return false;
			}
			if (rd->buf[i] == '{')
				break;
		}
		rd->reject.end = rv_reader_at(rd, i);
		break;
	}
	rd->reject.resync = RV_RESYNC_KNOWN;
	return true;
}

static uint64_t count_lines(const char *p, size_t len)
{
	uint64_t n = 0;

	/* The compiler makes a vector loop of this. */
	for (size_t i = 0; i < len; i++)
		n += p[i] == '\n';
	return n;
}

/* The next piece of the region that starts at pos; false: not all of it is there yet. */
static bool reject_next(struct rv_reader *rd, struct rv_span *ret)
{
	size_t len = rd->end - rd->pos;
	bool known = reject_find_end(rd);

	if (!known && rd->eof && rd->finished) {
		rd->reject.end = rv_reader_at(rd, rd->end);
		rd->reject.resync = RV_RESYNC_KNOWN;
		known = true;
	}
	if (known)
		len = (size_t)(rd->reject.end - rv_reader_at(rd, rd->pos));
	if (!known && len <= RV_PIECE_BYTES)
		return false;
	bool more = len > RV_PIECE_BYTES;

	if (more)
		len = RV_PIECE_BYTES;
	const char *bytes = rd->buf + rd->pos;
	uint64_t line = rd->line;

	rd->pos += len;
	rd->line += count_lines(bytes, len);
	span_hand_out(rd, RV_SPAN_REJECT, ret);
	ret->bytes = bytes;
	ret->len = len;
	ret->line = line;
	ret->more = more;
	ret->first = rd->reject.first;
	ret->reason = rd->reject.reason;
	ret->reason_code = rd->reject.code;
	ret->fault_offset = rd->reject.fault;
	ret->format = rd->format;
	if (rd->format == RV_FORMAT_CSV) {
		ret->csv_header = rd->csv_header;
		ret->csv = &rd->dialect;
	}
	rd->reject.first = false;
	rd->reject.active = more;
	return true;
}

/* ---- the window ---- */

static void window_make_room(struct rv_reader *rd)
{
	size_t keep = rd->end - rd->pos;

	if (rd->capacity - rd->end >= RV_READ_BYTES)
		return;
	/* Moving at most twice what it frees keeps this linear. */
	if (rd->pos && keep / 2 <= rd->pos) {
		memmove(rd->buf, rd->buf + rd->pos, keep);
		rd->base += rd->pos;
		rd->pos = 0;
		rd->end = keep;
		return; /* a third is free now, and a third of the least window is more than a read */
	}
	size_t old = rd->capacity;

	rd->capacity = old ? old + old / 2 : 4 * RV_READ_BYTES;
	rd->buf = rv_realloc(rd->buf, rd->capacity + RV_WINDOW_SLACK);
	/* Never judged, only loaded: but it shall not be somebody's old memory. */
	memset(rd->buf + rd->capacity, 0, RV_WINDOW_SLACK);
}

static enum rv_status window_read(struct rv_reader *rd, int64_t timeout_ms, bool *ret_wait,
				  struct rv_error *err)
{
	enum rv_source_state state = RV_SOURCE_WAIT;
	size_t n = 0;

	window_make_room(rd);
	if (rd->source->ops->read(rd->source, rd->buf + rd->end, RV_READ_BYTES, timeout_ms, &n,
				  &state, err) != RV_OK)
		return err->status;
	*ret_wait = state == RV_SOURCE_WAIT;
	if (state == RV_SOURCE_END)
		rd->eof = true;
	else if (state == RV_SOURCE_BYTES)
		rd->end += n;
	return RV_OK;
}

/* One read that may wait; then, as long as trying again is not worth it, more that do not. */
static enum rv_status window_fill(struct rv_reader *rd, int64_t timeout_ms, bool *ret_wait,
				  struct rv_error *err)
{
	bool wait = false;

	if (window_read(rd, timeout_ms, ret_wait, err) != RV_OK)
		return err->status;
	while (!*ret_wait && !wait && !rd->eof && rd->end - rd->pos < rd->want)
		if (window_read(rd, 0, &wait, err) != RV_OK)
			return err->status;
	rd->want = 0;
	return RV_OK;
}

/* What is certainly no text in any of the formats, by how it begins. The last byte of each is one that no
 * text has there, or the whole is too long to be met by chance. */
static const struct {
	const char *bytes;
	size_t len;
	const char *what, *hint;
} foreign[] = {
#define FOREIGN(bytes_, what_, hint_) { bytes_, sizeof(bytes_) - 1, what_, hint_ }
	FOREIGN("PK\3\4", "a zip archive (or an xlsx, docx or jar)",
		"unpack it first: unzip -p FILE | river push ...; a spreadsheet is saved as CSV first"),
	FOREIGN("PK\5\6", "an empty zip archive", "unpack it first: unzip -p FILE | river push ..."),
	FOREIGN("7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it first: 7z x -so FILE | river push ..."),
	FOREIGN("\xd0\xcf\x11\xe0", "an Excel workbook (xls) or another Office file",
		"save the sheet as CSV first"),
	FOREIGN("\x7f" "ELF", "a program (ELF)", "is this the file that was meant?"),
	FOREIGN("%PDF-", "a PDF document", "river takes ndjson, json, csv and text"),
	FOREIGN("PAR1\x15", "a Parquet file",
		"write it as ndjson or csv first: duckdb -c \"copy 'FILE' to '/dev/stdout' (format json)\""),
	FOREIGN("Obj\1", "an Avro file", "write it as ndjson first: avro-tools tojson FILE | river push ..."),
	FOREIGN("SQLite format 3\0", "an SQLite database",
		"write a table as csv first: sqlite3 -csv -header FILE 'select * from ...'"),
#undef FOREIGN
};

static enum rv_step refuse_foreign(const struct rv_reader *rd, struct rv_error *err)
{
	size_t len = rd->end - rd->pos;

	for (size_t i = 0; i < sizeof(foreign) / sizeof(*foreign); i++) {
		size_t n = len < foreign[i].len ? len : foreign[i].len;

		if (n == 0 || memcmp(rd->buf + rd->pos, foreign[i].bytes, n) != 0)
			continue;
		if (n == foreign[i].len) {
			rv_fail(err, RV_BAD_DATA, "%s is %s", rd->source->label, foreign[i].what);
			rv_hint(err, "%s", foreign[i].hint);
			return RV_STEP_FAILED;
		}
		if (!rd->eof)
			return RV_STEP_NEED;
	}
	return RV_STEP_FULL;
}

/* Drops the mark at the start of the input; false: more bytes are needed to know. */
static enum rv_step skip_bom(struct rv_reader *rd, struct rv_error *err)
{
	static const char bom[] = "\xef\xbb\xbf";
	size_t len = rd->end - rd->pos;
	const char *p = rd->buf + rd->pos;

	if (len < 2 && !rd->eof)
		return RV_STEP_NEED;
	enum rv_step s = refuse_foreign(rd, err);

	if (s != RV_STEP_FULL)
		return s;
	if (len >= 2 && (memcmp(p, "\xff\xfe", 2) == 0 || memcmp(p, "\xfe\xff", 2) == 0)) {
		rv_fail(err, RV_BAD_DATA, "%s is UTF-16; river reads UTF-8", rd->source->label);
		rv_hint(err, "convert it first: iconv -f UTF-16 -t UTF-8");
		return RV_STEP_FAILED;
	}
	if (len >= 3 ? memcmp(p, bom, 3) == 0 : len == 2 && !rd->eof && memcmp(p, bom, 2) == 0) {
		if (len < 3)
			return RV_STEP_NEED;
		rd->pos += 3;
	}
	rd->bom_done = true;
	return RV_STEP_FULL;
}

static enum rv_step step(struct rv_reader *rd, const struct rv_reader_limits *limits,
			 struct rv_error *err)
{
	if (!rd->bom_done) {
		enum rv_step s = skip_bom(rd, err);

		if (s != RV_STEP_FULL)
			return s;
	}
	if (rd->format == RV_FORMAT_AUTO) {
		enum rv_step s = rv_detect_step(rd, limits, err);

		if (s != RV_STEP_FULL)
			return s;
	}
	return rd->step(rd, limits, err);
}

enum rv_status rv_reader_next(struct rv_reader *rd, const struct rv_reader_limits *limits,
			      struct rv_span *ret, struct rv_error *err)
{
	int64_t timeout_ms = limits->timeout_ms;
	int64_t deadline = -1;

	span_start(rd);
	for (;;) {
		if (rd->reject.active) {
			if (reject_next(rd, ret))
				return RV_OK;
		} else {
			enum rv_step s = step(rd, limits, err);

			if (s == RV_STEP_FAILED)
				return err->status;
			if (rd->records) { /* a reject found behind them waits its turn */
				span_hand_out(rd, RV_SPAN_RECORDS, ret);
				return RV_OK;
			}
			if (s == RV_STEP_REJECT)
				continue;
		}
		if (rd->eof) {
			span_hand_out(rd, RV_SPAN_END, ret);
			return RV_OK;
		}
		if (timeout_ms > 0) {
			int64_t now = rv_clock_monotonic_ms();

			if (deadline < 0)
				deadline = now + timeout_ms;
			else
				timeout_ms = deadline > now ? deadline - now : 0;
		}
		bool wait = false;

		if (window_fill(rd, timeout_ms, &wait, err) != RV_OK)
			return err->status;
		if (wait) {
			span_hand_out(rd, RV_SPAN_WAIT, ret);
			return RV_OK;
		}
	}
}

/* ---- life, and questions ---- */

enum rv_status rv_reader_new(struct rv_source *source, const struct rv_reader_params *params,
			     struct rv_reader **ret, struct rv_error *err)
{
	RV_CLEANUP(rv_reader_free_p) struct rv_reader *rd = rv_calloc(1, sizeof(*rd));

	rd->source = source;
	rd->side = (struct rv_strbuf)RV_STRBUF_INIT;
	rd->format = params->format;
	rd->max_record_bytes =
		params->max_record_bytes ? params->max_record_bytes : default_max_record_bytes;
	rd->max_depth = params->max_depth;
	rd->refuse_river_key = params->refuse_river_key;
	rd->base = rd->from = params->offset;
	rd->line = rd->from_line = params->line ? params->line : 1;
	rd->state = rd->from_state = params->in_array;
	rd->is_extent = rd->finished = params->is_extent;
	rd->bom_done = params->offset > 0;
	window_make_room(rd);
	if (rv_csv_setup(rd, params, err) != RV_OK)
		return err->status;
	/* A .tsv is split at tabs unless somebody chose another delimiter than the default, or the default. */
	bool chosen = params->csv && (params->csv->delimiter != ',' || params->csv->delimiter_given);

	if ((rd->format == RV_FORMAT_AUTO || rd->format == RV_FORMAT_CSV) && params->name) {
		enum rv_format by_name =
			rv_format_by_name(params->name, chosen ? NULL : &rd->dialect.delimiter, &rd->is_log);
		if (rd->format == RV_FORMAT_AUTO)
			rd->format = by_name;
		rd->delimiter_by_name = !chosen && rd->dialect.delimiter != ',';
	}
	if (params->csv_delimiter && !chosen)
		rd->dialect.delimiter = params->csv_delimiter;
	if (rd->format == RV_FORMAT_CSV && params->offset && !params->csv_header)
		rv_bug("reading csv from byte %llu needs its header",
		       (unsigned long long)params->offset);
	rd->step = rd->format == RV_FORMAT_JSON   ? rv_json_step
		   : rd->format == RV_FORMAT_CSV  ? rv_csv_step
		   : rd->format == RV_FORMAT_TEXT ? rv_text_step
						  : rv_ndjson_step;
	*ret = rv_take(rd);
	return RV_OK;
}

void rv_reader_free(struct rv_reader *rd)
{
	if (!rd)
		return;
	rv_csv_release(rd);
	rv_strbuf_release(&rd->side);
	free(rd->buf);
	free(rd);
}

void rv_reader_free_p(struct rv_reader **reader)
{
	rv_reader_free(*reader);
	*reader = NULL;
}

enum rv_format rv_reader_format(const struct rv_reader *rd)
{
	return rd->format;
}

const char *rv_reader_csv_header(const struct rv_reader *rd)
{
	return rd->csv_header;
}

unsigned rv_reader_in_array(const struct rv_reader *rd)
{
	return rd->from_state;
}

char rv_reader_csv_delimiter(const struct rv_reader *rd)
{
	return rd->dialect.delimiter;
}

uint64_t rv_reader_offset(const struct rv_reader *rd)
{
	return rd->from;
}

uint64_t rv_reader_line(const struct rv_reader *rd)
{
	return rd->from_line;
}

void rv_reader_pending(const struct rv_reader *rd, uint64_t *ret_offset, uint64_t *ret_len)
{
	*ret_offset = rv_reader_at(rd, rd->pos);
	*ret_len = rd->end - rd->pos;
}

void rv_reader_finish(struct rv_reader *rd)
{
	rd->finished = true;
}

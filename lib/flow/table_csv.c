/*
 * Most rows are as they should be, and all their fields were found beforehand, with those of the rows around
 * (format/csv_index.h): their kept cells are copied in the table's order, so columns may stand in any order. All
 * other rows are cut by themselves (table_csv_cut.c); one that ends beyond the window is cut again, which costs
 * nothing else.
 */
#include "flow/table_csv_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "flow/table_near.h"
#include "flow/table_value.h"
#include "format/packed_row.h"
#include "format/text_copy.h"

enum { WINDOW = 1 << 20, INDEX_LEAST_BYTES = 1024 };

/* ---- bytes ---- */

static enum rv_status bad(const struct rv_table_reader *r, struct rv_error *err, const char *what)
{
	rv_fail(err, RV_BAD_DATA, "%s: %s", r->label, what);
	return err->status;
}

static enum rv_status fill_once(struct rv_table_reader *r, struct rv_error *err)
{
	bool plain = r->recode.encoding == RV_ENCODING_UTF8;
	enum rv_source_state state;
	size_t n = 0;

	if (r->index)
		r->index->rows_count = r->index_row = 0;
	if (r->pos > 0) {
		memmove(r->window, r->window + r->pos, r->end - r->pos);
		r->base += r->pos;
		r->end -= r->pos;
		r->pos = 0;
	}
	if (r->size - r->end < WINDOW / 2) {
		r->size = r->size * 2;
		r->window = rv_realloc(r->window, r->size + RV_TABLE_SLACK);
	}
	char *into = r->window + r->end;
	size_t room = r->size - r->end;

	if (!plain) {
		room /= 4; /* it grows by at most three */
		rv_strbuf_reserve(&r->raw, room);
		into = r->raw.bytes + r->raw.len;
	}
	do {
		if (r->source->ops->read(r->source, into, room, -1, &n, &state, err) != RV_OK)
			return err->status;
	} while (state == RV_SOURCE_WAIT);
	r->eof = state == RV_SOURCE_END;
	n = r->eof ? 0 : n;
	if (plain) {
		r->end += n;
	} else {
		struct rv_strbuf out = RV_STRBUF_INIT;
		bool wrong;

		r->raw.len += n;
		uint64_t taken = r->recode.taken;
		size_t used = rv_recode(&r->recode, r->raw.bytes, r->raw.len, r->eof, &out, &wrong);

		if (wrong) {
			rv_strbuf_release(&out);
			rv_fail(err, RV_BAD_DATA, "%s: byte %llu is no character of %s", r->label,
				(unsigned long long)(taken + used + 1),
				rv_encoding_names[r->recode.encoding]);
			rv_hint(err, "is it written in another encoding than the job says?");
			return err->status;
		}
		memmove(r->raw.bytes, r->raw.bytes + used, r->raw.len - used);
		r->raw.len -= used;
		memcpy(r->window + r->end, out.bytes, out.len);
		r->end += out.len;
		rv_strbuf_release(&out);
	}
	r->counts->bytes += n;
	memset(r->window + r->end, 0, RV_TABLE_SLACK);
	if (!r->started && (r->end >= 3 || r->eof)) {
		r->started = true;
		if (r->end >= 3 && memcmp(r->window, "\xef\xbb\xbf", 3) == 0) {
			memmove(r->window, r->window + 3, r->end - 3 + RV_TABLE_SLACK);
			r->end -= 3;
		}
	}
	return r->sink->progress ? r->sink->progress(r->sink->arg, r->counts->bytes, err) : RV_OK;
}

/* More bytes behind `end`, or eof. Whether a mark stands first has to be known before a row is taken: what looks
 * like one later is of a cell. */
static enum rv_status fill(struct rv_table_reader *r, struct rv_error *err)
{
	do
		if (fill_once(r, err) != RV_OK)
			return err->status;
	while (!r->started);
	return RV_OK;
}

/* ---- the header ---- */

static struct rv_str trimmed(struct rv_str s)
{
	while (s.len && (s.p[0] == ' ' || s.p[0] == '\t')) {
		s.p++;
		s.len--;
	}
	while (s.len && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
		s.len--;
	return s;
}

/* How often a column is in the header, and where: exactly, or failing that, roughly. */
static size_t match_column(const struct rv_column *column, const struct rv_string_list *names, bool rough,
			   size_t *ret)
{
	const char *wanted = column->from ? column->from : column->name;
	size_t found = 0;

	for (size_t i = 0; i < names->count; i++) {
		struct rv_str name = rv_str_of(names->items[i]);

		if (rough)
			name = trimmed(name);
		if (name.len != strlen(wanted) || (rough ? strncasecmp(name.p, wanted, name.len)
							  : memcmp(name.p, wanted, name.len)))
			continue;
		*ret = i;
		found++;
	}
	return found;
}

static enum rv_status match_columns(struct rv_table_reader *r, const struct rv_string_list *names,
				    struct rv_error *err)
{
	const struct rv_job_table *table = r->table;

	r->width = names->count;
	r->from = rv_calloc(table->columns_count, sizeof(*r->from));
	for (size_t i = 0; i < table->columns_count; i++) {
		const struct rv_column *column = &table->columns[i];
		const char *wanted = column->from ? column->from : column->name;
		size_t found = match_column(column, names, false, &r->from[i]);

		if (!found)
			found = match_column(column, names, true, &r->from[i]);
		if (found == 1)
			continue;
		if (found > 1)
			return rv_fail(err, RV_BAD_DATA, "%s: the header names the column '%s' twice",
				       r->label, wanted);
		RV_CLEANUP(rv_free_p) const char **near = rv_calloc(names->count + 1, sizeof(*near));

		for (size_t k = 0; k < names->count; k++)
			near[k] = names->items[k];
		rv_fail(err, RV_BAD_DATA, "%s: the header has no column '%s' of table %s", r->label, wanted,
			table->name);
		const char *perhaps = rv_nearest(wanted, near);

		if (perhaps)
			rv_hint(err, "is it '%s' now? then write from: \"%s\"", perhaps, perhaps);
		else if (names->count == 1)
			rv_hint(err, "it has one column, '%.100s': is the delimiter another one?",
				names->items[0]);
		return err->status;
	}
	r->counts->others = r->width > table->columns_count ? r->width - table->columns_count : 0;
	return RV_OK;
}

static enum rv_status take_header(struct rv_table_reader *r, const struct rv_table_cut *row, struct rv_error *err)
{
	struct rv_string_list names = { 0 };
	const char *p = r->window + r->pos;
	enum rv_status status = RV_OK;

	if (row->code && strcmp(row->code, "lone_line_end") == 0) {
		bad(r, err, "the first row holds a line end that ends no row");
		rv_hint(err, "dialect: { line_end: any, lf, crlf or cr } says which one does");
		return err->status;
	}
	if (row->code)
		return bad(r, err, "the first row is no row of this dialect");
	if (row->high && rv_utf8_check(p, row->content) < row->content) {
		bad(r, err, "the first row is not UTF-8");
		rv_hint(err, "say how it is encoded: dialect: { encoding: latin-1 }");
		return err->status;
	}
	for (size_t i = 0; i < r->fields_count; i++) {
		struct rv_str name = rv_table_text_of(r, &r->fields[i]);

		if (memchr(name.p, 0, name.len)) {
			status = bad(r, err, "the first row holds a NUL byte");
			break;
		}
		rv_string_list_add(&names, name.p, name.len);
	}
	if (status == RV_OK)
		status = match_columns(r, &names, err);
	rv_string_list_release(&names);
	if (status != RV_OK) {
		rv_error_at(err, err->file, r->line, 0);
		return status;
	}
	r->header = rv_strndup(p, row->content);
	r->header_len = row->content;
	r->pos += row->len;
	r->line += row->newlines;
	return RV_OK;
}

/* ---- rows ---- */

static enum rv_status reject(struct rv_table_reader *r, size_t len, const char *code, const char *column,
			     struct rv_error *err, const char *fmt, ...) RV_PRINTF(6, 7);

static enum rv_status reject(struct rv_table_reader *r, size_t len, const char *code, const char *column,
			     struct rv_error *err, const char *fmt, ...)
{
	char reason[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	r->counts->rejected++;
	const struct rv_table_reject what = { .code = code,
					      .reason = reason,
					      .column = column,
					      .line = r->line,
					      .offset = r->base + r->pos,
					      .bytes = r->window + r->pos,
					      .len = len };

	return r->sink->reject(r->sink->arg, &what, err);
}

/* Of a field without quotes. */
static inline bool is_null(const struct rv_table_reader *r, const char *p, size_t len)
{
	const struct rv_string_list *nulls = &r->table->dialect.nulls;

	if (len > r->null_max || r->null_is_empty)
		return len == 0 && r->null_is_empty;
	for (size_t i = 0; i < nulls->count; i++) {
		const char *null = nulls->items[i];

		if (strlen(null) == len && memcmp(null, p, len) == 0)
			return true;
	}
	return false;
}

/* The cell of a column into the packed row. */
static enum rv_status put_cell(struct rv_table_reader *r, const struct rv_column *column,
			       const struct rv_table_field *f, size_t content, bool *ret_good,
			       struct rv_error *err)
{
	char reason[RV_CUT_REASON];
	*ret_good = true;
	if (f->quoted || !is_null(r, f->p, f->len)) {
		struct rv_str text = rv_table_text_of(r, f);

		if (f->escape && memchr(text.p, 0, text.len)) {
			*ret_good = false;
			return reject(r, content, "nul_byte", column->name, err,
				      "%s holds a NUL byte", column->name);
		}
		if (column->type != RV_COLUMN_STRING) {
			size_t before = r->row.len;

			if (rv_table_value(column, text, &r->row, reason)) {
				if (text.len || !column->required)
					return RV_OK;
				rv_strbuf_truncate(&r->row, before);
			} else {
				size_t shown = text.len < 60 ? text.len : 60;

				/* whole characters */
				while (shown && shown < text.len && (text.p[shown] & 0xc0) == 0x80)
					shown--;
				*ret_good = false;
				return reject(r, content, "bad_value", column->name, err, "%s %s: '%.*s'",
					      column->name, reason, (int)shown, text.p);
			}
		} else {
			/* what was passed over may have been quotes of the dialect alone */
			rv_packed_put_near(&r->row, text.p, text.len,
					   f->escape && rv_packed_needs_escape(text.p, text.len));
			return RV_OK;
		}
	}
	if (column->required) {
		*ret_good = false;
		return reject(r, content, "missing_value", column->name, err, "%s is missing",
			      column->name);
	}
	rv_packed_put_null(&r->row);
	return RV_OK;
}

static enum rv_status take_row(struct rv_table_reader *r, const struct rv_table_cut *row, struct rv_error *err)
{
	const char *p = r->window + r->pos;
	enum rv_status status = RV_OK;
	bool good = false, trailer = false;

	if (r->table->dialect.trailer &&
	    rv_table_trailer_row(&r->trailer, &r->table->dialect, r->label, r->line, p, row->content, &trailer, err) !=
		    RV_OK)
		return err->status;
	if (trailer)
		good = false;
	else if (row->code)
		status = reject(r, row->content, row->code, "", err, "%s at byte %zu of the row",
				strcmp(row->code, "text_after_quote") == 0
					? "text behind a closing quote"
					: strcmp(row->code, "quote_in_field") == 0
						  ? "a quote inside an unquoted field"
						  : strcmp(row->code, "too_many_fields") == 0
							    ? "more fields than a row may have"
							    : "a line end that ends no row",
				row->at + 1);
	else if (row->content > r->max_row_bytes)
		status = reject(r, row->content, "too_long", "", err, "longer than the limit of %llu bytes",
				(unsigned long long)r->max_row_bytes);
	else if (r->header && row->content == r->header_len && memcmp(p, r->header, r->header_len) == 0)
		status = reject(r, row->content, "header_again", "", err, "the header once more");
	else if (r->fields_count != r->width)
		status = reject(r, row->content, "ragged_row", "", err, "%zu field%s where there are %zu columns",
				r->fields_count, r->fields_count == 1 ? "" : "s", r->width);
	else if (row->high && rv_utf8_check(p, row->content) < row->content)
		status = reject(r, row->content, "invalid_utf8", "", err, "byte %zu of the row is not UTF-8",
				rv_utf8_check(p, row->content) + 1);
	else
		good = true;
	if (good) {
		rv_strbuf_clear(&r->row);
		for (size_t i = 0; i < r->table->columns_count && good && status == RV_OK; i++)
			status = put_cell(r, &r->table->columns[i], &r->fields[r->from[i]], row->content,
					  &good, err);
		if (good && status == RV_OK) {
			r->counts->rows++;
			status = r->sink->row(r->sink->arg, r->row.bytes, r->row.len, err);
		}
	}
	r->pos += row->len;
	r->line += row->newlines;
	return status;
}

/* ---- rows of the index ---- */

static size_t indexed_start(const struct rv_table_reader *r, size_t row)
{
	return row ? r->index->rows[row - 1].end + 1u : 0;
}

/* Whether pos is where a row of the index starts: that is then the next one. */
static bool is_indexed(struct rv_table_reader *r)
{
	while (r->index_row < r->index->rows_count && r->index_at + indexed_start(r, r->index_row) < r->pos)
		r->index_row++;
	return r->index_row < r->index->rows_count && r->index_at + indexed_start(r, r->index_row) == r->pos;
}

/* Looks less far ahead where it has been in vain. False: no row of what is there ends. */
static bool look_ahead(struct rv_table_reader *r)
{
	const struct rv_csv_marks marks = { r->delimiter, r->quote, r->escape, r->lf_ends, r->crlf_ends };
	size_t left = r->end - r->pos;

	if (r->index_row < r->index->rows_count)
		r->index_bytes = r->pos - r->index_at;
	r->index_bytes *= 2;
	if (r->index_bytes < INDEX_LEAST_BYTES)
		r->index_bytes = INDEX_LEAST_BYTES;
	if (r->index_bytes > RV_CSV_INDEX_BYTES)
		r->index_bytes = RV_CSV_INDEX_BYTES;
	r->make_index(&marks, r->window + r->pos, left < r->index_bytes ? left : r->index_bytes, r->index);
	r->index_at = r->pos;
	r->index_row = 0;
	return r->index->rows_count > 0;
}

/* All cells of a row that starts at `start` of the index, where its fields end at `ends`. */
static enum rv_status put_indexed(struct rv_table_reader *r, size_t start, size_t content, const uint16_t *ends,
				  bool special, bool *ret_good, struct rv_error *err)
{
	const struct rv_job_table *table = r->table;
	const char *base = r->window + r->index_at;
	size_t need = content + table->columns_count * RV_TABLE_NEAR_BYTES;

	rv_strbuf_clear(&r->row);
	rv_strbuf_reserve(&r->row, need);
	char *o = r->row.bytes, *after;
	enum rv_status status;

	for (size_t i = 0; i < table->columns_count; i++) {
		const struct rv_column *column = &table->columns[i];
		size_t f = r->from[i], from = f ? ends[f - 1] + 1u : start;
		size_t len = (f + 1 == r->width ? start + content : ends[f]) - from;
		bool quoted = r->quote && len && base[from] == r->quote;

		if (quoted) {
			from++;
			len -= 2;
		}
		bool escape = special && rv_csv_index_has_special(r->index, from, from + len);
		bool null = !quoted && is_null(r, base + from, len);

		after = NULL;
		if (null && !column->required) {
			*o = 0;
			after = o + 1;
		} else if (!null && !escape) {
			after = column->type == RV_COLUMN_STRING ? rv_table_near_copy(o, base + from, len)
								 : rv_table_near_value(column, base + from, len, o);
		}
		if (after) {
			o = after;
			continue;
		}
		const struct rv_table_field field = { .p = base + from, .len = len, .quoted = quoted, .escape = escape,
						      .doubled = escape && quoted && memchr(base + from, r->quote, len) };

		r->row.len = (size_t)(o - r->row.bytes);
		status = put_cell(r, column, &field, content, ret_good, err);
		if (status != RV_OK || !*ret_good)
			return status;
		rv_strbuf_reserve(&r->row, need);
		o = r->row.bytes + r->row.len;
	}
	r->row.len = (size_t)(o - r->row.bytes);
	return RV_OK;
}

/* Rows from pos on. One that is in doubt, or not as it should be, is left for a closer look. */
static enum rv_status take_indexed(struct rv_table_reader *r, struct rv_error *err)
{
	while (r->pos < r->end && (is_indexed(r) || look_ahead(r))) {
		size_t number = r->index_row, start = indexed_start(r, number);
		const struct rv_csv_index_row *row = &r->index->rows[number];
		size_t fields = number ? row[-1].fields : 0, lines = number ? row[-1].lines : 0;
		const char *p = r->window + r->pos;
		size_t content = row->end - start;
		bool good = true, trailer = false;

		content -= content && p[content - 1] == '\r';
		if (row->doubtful || content > r->max_row_bytes)
			return RV_OK;
		if (content) {
			if (row->fields - fields != r->width ||
			    (content == r->header_len && memcmp(p, r->header, content) == 0) ||
			    (row->high && rv_utf8_check(p, content) < content))
				return RV_OK;
			if (r->table->dialect.trailer &&
			    rv_table_trailer_row(&r->trailer, &r->table->dialect, r->label, r->line, p, content,
						 &trailer, err) != RV_OK)
				return err->status;
			if (!trailer && put_indexed(r, start, content, r->index->ends + fields, row->special, &good,
						    err) != RV_OK)
				return err->status;
			if (good && !trailer) {
				r->counts->rows++;
				if (r->sink->row(r->sink->arg, r->row.bytes, r->row.len, err) != RV_OK)
					return err->status;
			}
		}
		r->pos = r->index_at + row->end + 1;
		r->line += row->lines - lines;
		r->index_row++;
	}
	return RV_OK;
}

/* The row at pos has no end within its limit: its first line alone is set aside. */
static enum rv_status reject_endless(struct rv_table_reader *r, const struct rv_table_cut *row, struct rv_error *err)
{
	const char *p = r->window + r->pos;
	size_t have = r->end - r->pos, from = row->quote_at == SIZE_MAX ? 0 : row->quote_at;
	const char *nl = memchr(p + from, r->cr_ends ? '\r' : '\n', have - from);
	size_t len = nl ? (size_t)(nl - p) : have;
	uint64_t lines = 0;

	for (const char *q = p; q < p + from && (q = memchr(q, '\n', (size_t)(p + from - q))); q++)
		lines++;
	if (row->quote_at == SIZE_MAX) {
		if (reject(r, len < 65536 ? len : 65536, "too_long", "", err,
			   "longer than the limit of %llu bytes",
			   (unsigned long long)r->max_row_bytes) != RV_OK)
			return err->status;
	} else if (reject(r, len < 65536 ? len : 65536, "unterminated_quote", "", err,
			  "the quote opened at line %llu, byte %llu of the text is not closed %s",
			  (unsigned long long)(r->line + lines),
			  (unsigned long long)(r->base + r->pos + from + 1),
			  r->eof ? "before the end" : "within the limit of a row") != RV_OK) {
		return err->status;
	}
	/* what was read already is behind the row's own start: go on behind the line of the quote */
	r->pos += nl ? len + 1 : len;
	r->line += lines + (nl != NULL);
	/* a line longer than all that is here ends where it ends */
	while (!nl && !r->eof) {
		if (fill(r, err) != RV_OK)
			return err->status;
		nl = memchr(r->window + r->pos, r->cr_ends ? '\r' : '\n', r->end - r->pos);
		r->pos = nl ? (size_t)(nl + 1 - r->window) : r->end;
		r->line += nl != NULL;
	}
	return RV_OK;
}

/* Line ends with nothing before them. True: there was one. */
static bool skip_blank(struct rv_table_reader *r)
{
	const char *p = r->window + r->pos;
	size_t n = r->pos < r->end ? rv_table_line_end(r, p, r->window + r->end) : 0;

	if (n == 0 || n == SIZE_MAX)
		return false;
	r->pos += n;
	r->line++;
	return true;
}

static enum rv_status read_rows(struct rv_table_reader *r, struct rv_error *err)
{
	struct rv_table_cut row;

	if (!r->table->dialect.header && match_columns(r, &r->table->dialect.names, err) != RV_OK)
		return err->status;
	if (fill(r, err) != RV_OK)
		return err->status;
	for (;;) {
		if (r->width && r->make_index && take_indexed(r, err) != RV_OK)
			return err->status;
		while (skip_blank(r))
			;
		if (r->pos == r->end) {
			if (r->eof)
				break;
			if (fill(r, err) != RV_OK)
				return err->status;
			continue;
		}
		enum rv_table_cut_ended cut = rv_table_cut_row(r, &row);

		if (cut == RV_TABLE_CUT_ROW) {
			if ((r->width ? take_row(r, &row, err) : take_header(r, &row, err)) != RV_OK)
				return err->status;
			continue;
		}
		if (cut == RV_TABLE_CUT_BAD || r->end - r->pos > r->max_row_bytes) {
			if (!r->width)
				return bad(r, err, row.quote_at == SIZE_MAX
							   ? "the first row is longer than a row may be"
							   : "a quote in the first row is never closed");
			if (reject_endless(r, &row, err) != RV_OK)
				return err->status;
			continue;
		}
		/* It is cut again from its start: not before there is half as much more, so that long rows stay
		 * linear. */
		size_t want = (r->end - r->pos) + (r->end - r->pos) / 2;

		do
			if (fill(r, err) != RV_OK)
				return err->status;
		while (r->end < want && !r->eof);
	}
	if (r->width)
		return rv_table_trailer_end(&r->trailer, &r->table->dialect, r->label,
					    r->counts->rows + r->counts->rejected, err);
	bad(r, err, "it is empty: not even a header is there");
	return err->status;
}

enum rv_status rv_table_csv_read_by(rv_csv_index_make *make_index, const struct rv_job_table *table,
				    uint64_t max_row_bytes, struct rv_source *source,
				    const struct rv_table_sink *sink, struct rv_table_counts *ret,
				    struct rv_error *err)
{
	enum rv_job_line_end end = table->dialect.line_end;
	struct rv_table_reader r = {
		.table = table, .label = source->label, .max_row_bytes = max_row_bytes, .source = source,
		.sink = sink, .counts = ret, .recode = { .encoding = table->dialect.encoding },
		.raw = RV_STRBUF_INIT, .row = RV_STRBUF_INIT, .text = RV_STRBUF_INIT,
		.window = rv_malloc(2 * WINDOW + RV_TABLE_SLACK), .size = 2 * WINDOW, .line = 1,
		.delimiter = table->dialect.delimiter, .quote = table->dialect.quote,
		.escape = table->dialect.escape,
		.lf_ends = end == RV_LINE_END_ANY || end == RV_LINE_END_LF,
		.crlf_ends = end == RV_LINE_END_ANY || end == RV_LINE_END_CRLF,
		.cr_ends = end == RV_LINE_END_CR,
		.make_index = end == RV_LINE_END_CR ? NULL : make_index,
	};

	rv_table_set_stops(&r.plain, r.delimiter, r.quote ? r.quote : r.delimiter,
			   r.escape ? r.escape : r.delimiter, true);
	rv_table_set_stops(&r.quoted, r.quote, r.quote, r.escape ? r.escape : r.quote, false);
	*ret = (struct rv_table_counts){ 0 };
	for (size_t i = 0; i < table->dialect.nulls.count; i++) {
		size_t len = strlen(table->dialect.nulls.items[i]);

		r.null_max = len > r.null_max ? len : r.null_max;
	}
	r.null_is_empty = table->dialect.nulls.count == 1 && r.null_max == 0;
	if (r.make_index) {
		r.index = rv_malloc(sizeof(*r.index));
		r.index->rows_count = 0;
	}
	enum rv_status status = read_rows(&r, err);

	rv_strbuf_release(&r.raw);
	rv_strbuf_release(&r.row);
	rv_strbuf_release(&r.text);
	free(r.window);
	free(r.fields);
	free(r.from);
	free(r.header);
	free(r.index);
	return status;
}

enum rv_status rv_table_csv_read(const struct rv_job_table *table, uint64_t max_row_bytes,
				 struct rv_source *source, const struct rv_table_sink *sink,
				 struct rv_table_counts *ret, struct rv_error *err)
{
	return rv_table_csv_read_by(rv_csv_index_best(), table, max_row_bytes, source, sink, ret, err);
}

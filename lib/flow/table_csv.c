/*
 * A row is cut into fields first, sixteen bytes a step, which is one step for most fields; what had to be
 * seen on the way (bytes that JSON escapes, bytes above ASCII) comes along. Then its kept cells are copied
 * in the table's order. So columns may stand in any order, and a row that ends beyond the window costs
 * nothing but being cut again.
 */
#include "flow/table_csv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/memory.h"
#include "flow/table_trailer.h"
#include "flow/table_value.h"
#include "format/packed_row.h"
#include "format/text_copy.h"

enum { WINDOW = 1 << 20, SLACK = 64, FIELDS_MAX = 100000, NONE = -1 };

/* A field as it stands in the window, without its quotes. */
struct field {
	const char *p;
	size_t len;
	bool quoted;
	bool doubled;      /* holds quotes or escapes that stand for others */
	bool escape;       /* of the bytes that JSON escapes */
};
/* Bytes that end what is passed over: three, and '\n', and '\r' too. */
struct stops {
#ifdef __SSE2__
	__m128i all[3];
#endif
	char bytes[3];
	bool cr;
};
struct reader {
	const struct rv_job_table *table;
	const char *label;
	uint64_t max_row_bytes;
	struct rv_source *source;
	const struct rv_table_sink *sink;
	struct rv_table_counts *counts;
	struct rv_recode recode;
	struct rv_strbuf raw;      /* bytes that are not recoded yet */

	char *window;              /* SLACK bytes behind `end` may be read */
	size_t pos, end, size;
	bool eof;
	uint64_t base;             /* offset of window[0] in the text */
	uint64_t line;             /* of window[pos] */

	struct field *fields;      /* of the row at pos */
	size_t fields_count, fields_room;
	size_t width;              /* fields of the header, 0 before it */
	size_t *from;              /* of each column of the table, its field */
	char *header;              /* its bytes, to notice it again */
	size_t header_len;

	char delimiter, quote, escape;
	struct stops plain, quoted;
	size_t null_max;           /* length of the longest null token */
	bool cr_ends, lf_ends, crlf_ends; /* which line ends there are */
	struct rv_strbuf row, text;
	struct rv_table_trailer trailer;
	bool started;
};

/* ---- bytes ---- */

static enum rv_status bad(const struct reader *r, struct rv_error *err, const char *what)
{
	rv_fail(err, RV_BAD_DATA, "%s: %s", r->label, what);
	return err->status;
}

/* More bytes behind `end`, or eof. */
static enum rv_status fill(struct reader *r, struct rv_error *err)
{
	bool plain = r->recode.encoding == RV_ENCODING_UTF8;
	enum rv_source_state state;
	size_t n = 0;

	if (r->pos > 0) {
		memmove(r->window, r->window + r->pos, r->end - r->pos);
		r->base += r->pos;
		r->end -= r->pos;
		r->pos = 0;
	}
	if (r->size - r->end < WINDOW / 2) {
		r->size = r->size * 2;
		r->window = rv_realloc(r->window, r->size + SLACK);
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
	memset(r->window + r->end, 0, SLACK);
	if (!r->started && (r->end >= 3 || r->eof)) {
		r->started = true;
		if (r->end >= 3 && memcmp(r->window, "\xef\xbb\xbf", 3) == 0) {
			memmove(r->window, r->window + 3, r->end - 3 + SLACK);
			r->end -= 3;
		}
	}
	return r->sink->progress ? r->sink->progress(r->sink->arg, r->counts->bytes, err) : RV_OK;
}

/* ---- a row into fields ---- */

static void set_stops(struct stops *s, char a, char b, char c, bool cr)
{
	*s = (struct stops){ .bytes = { a, b, c }, .cr = cr };
#ifdef __SSE2__
	for (unsigned i = 0; i < 3; i++)
		s->all[i] = _mm_set1_epi8(s->bytes[i]);
#endif
}

static inline bool is_stop(const struct stops *s, char c)
{
	return c == s->bytes[0] || c == '\n' || (c == '\r' && s->cr) || c == s->bytes[1] || c == s->bytes[2];
}

/* The first of the stop bytes at or behind p, or `end`. Notes what was passed: bytes that JSON escapes are
 * looked for with the stops, for most of them are. */
static inline const char *find_stop(const char *p, const char *end, const struct stops *s, bool *escape,
				    bool *high)
{
#ifdef __SSE2__
	while (p < end) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
		__m128i stop = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, s->all[0]),
							 _mm_cmpeq_epi8(v, s->all[1])),
					    _mm_cmpeq_epi8(v, s->all[2]));
		__m128i special = _mm_or_si128(_mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1f)), v),
					       _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')),
							    _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'))));
		unsigned hit = (unsigned)_mm_movemask_epi8(_mm_or_si128(stop, special));
		unsigned above = (unsigned)_mm_movemask_epi8(v);

		if (!hit) {
			/* behind the end are zeros, which would have been hit */
			*high |= above != 0;
			p += 16;
			continue;
		}
		*high |= (above & (hit ^ (hit - 1)) >> 1) != 0;
		p += __builtin_ctz(hit);
		if (p >= end || is_stop(s, *p))
			break;
		*escape = true;
		p++;
	}
	return p < end ? p : end;
#else
	for (; p < end; p++) {
		unsigned char u = (unsigned char)*p;

		if (is_stop(s, *p))
			return p;
		*escape |= u < 0x20 || u == '"' || u == '\\';
		*high |= u >= 0x80;
	}
	return end;
#endif
}

enum cut { CUT_ROW, CUT_MORE, CUT_BAD };
struct cut_row {
	size_t len;            /* with its line end */
	size_t content;        /* without */
	uint64_t newlines;
	bool high;
	const char *code;      /* BAD, or a ROW that is not right */
	size_t at;             /* where it is not */
	size_t quote_at;       /* MORE: an open quote; SIZE_MAX: none */
};

/* Length of the line end at p; 0: none; SIZE_MAX: it takes another byte to tell. */
static inline size_t line_end(const struct reader *r, const char *p, const char *end)
{
	if (*p == '\n')
		return r->lf_ends ? 1 : 0;
	if (*p != '\r')
		return 0;
	if (r->cr_ends)
		return 1;
	if (!r->crlf_ends)
		return 0;
	if (end - p < 2)
		return r->eof ? 1 : SIZE_MAX;
	return p[1] == '\n' ? 2 : 0;
}

static void __attribute__((noinline)) more_fields(struct reader *r)
{
	r->fields_room = r->fields_room ? r->fields_room * 2 : 64;
	r->fields = rv_realloc_array(r->fields, r->fields_room, sizeof(*r->fields));
}

static inline void note(struct cut_row *row, const char *code, size_t at)
{
	if (!row->code) {
		row->code = code;
		row->at = at;
	}
}

/* Cuts the row at pos. */
static enum cut cut_row(struct reader *r, struct cut_row *ret)
{
	const char *const start = r->window + r->pos, *const end = r->window + r->end;
	const char *p = start;
	struct cut_row row = { .quote_at = SIZE_MAX };

	r->fields_count = 0;
	for (;;) {
		if (r->fields_count == r->fields_room)
			more_fields(r);
		struct field *f = &r->fields[r->fields_count];

		*f = (struct field){ .p = p };
		if (r->quote && p < end && *p == r->quote) {
			const char *open = p++;

			f->quoted = true;
			f->p = p;
			for (;;) {
				p = find_stop(p, end, &r->quoted, &f->escape, &row.high);
				if (p == end) {
					row.quote_at = (size_t)(open - start);
					if (!r->eof) {
						*ret = row;
						return CUT_MORE;
					}
					note(&row, "unterminated_quote", row.quote_at);
					*ret = row;
					return CUT_BAD;
				}
				if (*p == '\n') {
					row.newlines++;
					f->escape = true;
					p++;
					continue;
				}
				if (r->escape && *p == r->escape) {
					if (end - p < 2) {
						/* as an open quote at the end */
						p = end;
						continue;
					}
					row.newlines += p[1] == '\n';
					f->doubled = f->escape = true;
					row.high |= (unsigned char)p[1] >= 0x80;
					p += 2;
					continue;
				}
				if (end - p < 2 && !r->eof) {
					*ret = row;
					return CUT_MORE;
				}
				if (end - p >= 2 && p[1] == r->quote) {
					f->doubled = f->escape = true;
					p += 2;
					continue;
				}
				break;
			}
			f->len = (size_t)(p - f->p);
			p++;
			if (p < end && *p != r->delimiter) {
				size_t n = line_end(r, p, end);

				if (n == SIZE_MAX) {
					*ret = row;
					return CUT_MORE;
				}
				if (!n) {
					note(&row, "text_after_quote", (size_t)(p - start));
					goto unquoted;
				}
			}
		} else {
		unquoted:
			for (;;) {
				p = find_stop(p, end, &r->plain, &f->escape, &row.high);
				if (p == end)
					break;
				if (*p == r->delimiter)
					break;
				size_t n = line_end(r, p, end);

				if (n == SIZE_MAX) {
					*ret = row;
					return CUT_MORE;
				}
				if (n)
					break;
				if (r->escape && *p == r->escape) {
					f->doubled = f->escape = true;
					if (end - p < 2) {
						p = end;
						break;
					}
					row.newlines += p[1] == '\n';
					row.high |= (unsigned char)p[1] >= 0x80;
					p += 2;
					continue;
				}
				if (*p == '\n' || *p == '\r')
					note(&row, "lone_line_end", (size_t)(p - start));
				else if (r->quote && *p == r->quote)
					note(&row, "quote_in_field", (size_t)(p - start));
				row.newlines += *p == '\n';
				p++;
			}
			if (!f->quoted)
				f->len = (size_t)(p - f->p);
		}
		r->fields_count++;
		if (p == end) {
			if (!r->eof) {
				*ret = row;
				return CUT_MORE;
			}
			row.len = row.content = (size_t)(p - start);
			break;
		}
		if (*p == r->delimiter) {
			p++;
			if (r->fields_count > FIELDS_MAX)
				note(&row, "too_many_fields", (size_t)(p - start));
			continue;
		}
		row.content = (size_t)(p - start);
		size_t n = line_end(r, p, end);

		row.len = row.content + n;
		row.newlines++;
		break;
	}
	*ret = row;
	return CUT_ROW;
}

/* The text of a field: itself, or without doubled quotes and escapes, in r->text. */
static struct rv_str text_of(struct reader *r, const struct field *f)
{
	if (!f->doubled)
		return (struct rv_str){ f->p, f->len };
	rv_strbuf_clear(&r->text);
	rv_strbuf_reserve(&r->text, f->len + SLACK);
	char *o = r->text.bytes;

	for (size_t i = 0; i < f->len; i++) {
		char c = f->p[i];

		if (i + 1 < f->len && (r->escape && c == r->escape)) {
			c = f->p[++i];
			/* as MySQL's and PostgreSQL's dumps write them */
			if (r->escape == '\\')
				c = c == 'n' ? '\n' : c == 'r' ? '\r' : c == 't' ? '\t' : c;
		} else if (f->quoted && c == r->quote && i + 1 < f->len) {
			i++;
		}
		*o++ = c;
	}
	r->text.len = (size_t)(o - r->text.bytes);
	return (struct rv_str){ r->text.bytes, r->text.len };
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

static enum rv_status match_columns(struct reader *r, const struct rv_string_list *names,
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

static enum rv_status take_header(struct reader *r, const struct cut_row *row, struct rv_error *err)
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
		struct rv_str name = text_of(r, &r->fields[i]);

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

static enum rv_status reject(struct reader *r, size_t len, const char *code, const char *column,
			     struct rv_error *err, const char *fmt, ...) RV_PRINTF(6, 7);

static enum rv_status reject(struct reader *r, size_t len, const char *code, const char *column,
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

static inline bool is_null(const struct reader *r, const struct field *f)
{
	const struct rv_string_list *nulls = &r->table->dialect.nulls;

	if (f->quoted || f->len > r->null_max)
		return false;
	for (size_t i = 0; i < nulls->count; i++) {
		const char *null = nulls->items[i];

		if (strlen(null) == f->len && memcmp(null, f->p, f->len) == 0)
			return true;
	}
	return false;
}

/* The cell of a column into the packed row. */
static enum rv_status put_cell(struct reader *r, const struct rv_column *column, const struct field *f,
			       const struct cut_row *row, bool *ret_good, struct rv_error *err)
{
	char reason[RV_CUT_REASON];
	*ret_good = true;
	if (!is_null(r, f)) {
		struct rv_str text = text_of(r, f);

		if (f->escape && memchr(text.p, 0, text.len)) {
			*ret_good = false;
			return reject(r, row->content, "nul_byte", column->name, err,
				      "%s holds a NUL byte", column->name);
		}
		if (column->type != RV_COLUMN_STRING) {
			size_t before = r->row.len;

			if (rv_table_value(column, text, &r->row, reason)) {
				if (text.len || !column->required)
					return RV_OK;
				rv_strbuf_truncate(&r->row, before);
			} else {
				*ret_good = false;
				return reject(r, row->content, "bad_value", column->name, err,
					      "%s %s: '%.*s'", column->name, reason,
					      (int)(text.len < 60 ? text.len : 60), text.p);
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
		return reject(r, row->content, "missing_value", column->name, err, "%s is missing",
			      column->name);
	}
	rv_packed_put_null(&r->row);
	return RV_OK;
}

static enum rv_status take_row(struct reader *r, const struct cut_row *row, struct rv_error *err)
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
			status = put_cell(r, &r->table->columns[i], &r->fields[r->from[i]], row, &good, err);
		if (good && status == RV_OK) {
			r->counts->rows++;
			status = r->sink->row(r->sink->arg, r->row.bytes, r->row.len, err);
		}
	}
	r->pos += row->len;
	r->line += row->newlines;
	return status;
}

/* The row at pos has no end within its limit: its first line alone is set aside. */
static enum rv_status reject_endless(struct reader *r, const struct cut_row *row, struct rv_error *err)
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
static bool skip_blank(struct reader *r)
{
	const char *p = r->window + r->pos;
	size_t n = r->pos < r->end ? line_end(r, p, r->window + r->end) : 0;

	if (n == 0 || n == SIZE_MAX)
		return false;
	r->pos += n;
	r->line++;
	return true;
}

static enum rv_status read_rows(struct reader *r, struct rv_error *err)
{
	struct cut_row row;

	if (!r->table->dialect.header && match_columns(r, &r->table->dialect.names, err) != RV_OK)
		return err->status;
	if (fill(r, err) != RV_OK)
		return err->status;
	for (;;) {
		while (skip_blank(r))
			;
		if (r->pos == r->end) {
			if (r->eof)
				break;
			if (fill(r, err) != RV_OK)
				return err->status;
			continue;
		}
		enum cut cut = cut_row(r, &row);

		if (cut == CUT_ROW) {
			if ((r->width ? take_row(r, &row, err) : take_header(r, &row, err)) != RV_OK)
				return err->status;
			continue;
		}
		if (cut == CUT_BAD || r->end - r->pos > r->max_row_bytes) {
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

enum rv_status rv_table_csv_read(const struct rv_job_table *table, uint64_t max_row_bytes,
				 struct rv_source *source, const struct rv_table_sink *sink,
				 struct rv_table_counts *ret, struct rv_error *err)
{
	enum rv_job_line_end end = table->dialect.line_end;
	struct reader r = {
		.table = table, .label = source->label, .max_row_bytes = max_row_bytes, .source = source,
		.sink = sink, .counts = ret, .recode = { .encoding = table->dialect.encoding },
		.raw = RV_STRBUF_INIT, .row = RV_STRBUF_INIT, .text = RV_STRBUF_INIT,
		.window = rv_malloc(2 * WINDOW + SLACK), .size = 2 * WINDOW, .line = 1,
		.delimiter = table->dialect.delimiter, .quote = table->dialect.quote,
		.escape = table->dialect.escape,
		.lf_ends = end == RV_LINE_END_ANY || end == RV_LINE_END_LF,
		.crlf_ends = end == RV_LINE_END_ANY || end == RV_LINE_END_CRLF,
		.cr_ends = end == RV_LINE_END_CR,
	};

	set_stops(&r.plain, r.delimiter, r.quote ? r.quote : r.delimiter, r.escape ? r.escape : r.delimiter,
		  true);
	set_stops(&r.quoted, r.quote, r.quote, r.escape ? r.escape : r.quote, false);
	*ret = (struct rv_table_counts){ 0 };
	for (size_t i = 0; i < table->dialect.nulls.count; i++) {
		size_t len = strlen(table->dialect.nulls.items[i]);

		r.null_max = len > r.null_max ? len : r.null_max;
	}
	enum rv_status status = read_rows(&r, err);

	rv_strbuf_release(&r.raw);
	rv_strbuf_release(&r.row);
	rv_strbuf_release(&r.text);
	free(r.window);
	free(r.fields);
	free(r.from);
	free(r.header);
	return status;
}

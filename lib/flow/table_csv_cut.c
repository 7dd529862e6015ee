/*
 * A row is cut into fields sixteen bytes a step, which is one step for most fields; what had to be seen on the
 * way (bytes that JSON escapes, bytes above ASCII) comes along. This is how every row can be read, and how those
 * are that an index leaves in doubt.
 */
#include "flow/table_csv_impl.h"

#include "base/memory.h"

enum { FIELDS_MAX = 100000 };

void rv_table_set_stops(struct rv_table_stops *s, char a, char b, char c, bool cr)
{
	*s = (struct rv_table_stops){ .bytes = { a, b, c }, .cr = cr };
#ifdef __SSE2__
	for (unsigned i = 0; i < 3; i++)
		s->all[i] = _mm_set1_epi8(s->bytes[i]);
#endif
}

static inline bool is_stop(const struct rv_table_stops *s, char c)
{
	return c == s->bytes[0] || c == '\n' || (c == '\r' && s->cr) || c == s->bytes[1] || c == s->bytes[2];
}

/* The first of the stop bytes at or behind p, or `end`. Notes what was passed: bytes that JSON escapes are
 * looked for with the stops, for most of them are. */
static inline const char *find_stop(const char *p, const char *end, const struct rv_table_stops *s, bool *escape,
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

static void __attribute__((noinline)) more_fields(struct rv_table_reader *r)
{
	r->fields_room = r->fields_room ? r->fields_room * 2 : 64;
	r->fields = rv_realloc_array(r->fields, r->fields_room, sizeof(*r->fields));
}

static inline void note(struct rv_table_cut *row, const char *code, size_t at)
{
	if (!row->code) {
		row->code = code;
		row->at = at;
	}
}

enum rv_table_cut_ended rv_table_cut_row(struct rv_table_reader *r, struct rv_table_cut *ret)
{
	const char *const start = r->window + r->pos, *const end = r->window + r->end;
	const char *p = start;
	struct rv_table_cut row = { .quote_at = SIZE_MAX };

	r->fields_count = 0;
	for (;;) {
		if (r->fields_count == r->fields_room)
			more_fields(r);
		struct rv_table_field *f = &r->fields[r->fields_count];

		*f = (struct rv_table_field){ .p = p };
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
						return RV_TABLE_CUT_MORE;
					}
					note(&row, "unterminated_quote", row.quote_at);
					*ret = row;
					return RV_TABLE_CUT_BAD;
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
					return RV_TABLE_CUT_MORE;
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
				size_t n = rv_table_line_end(r, p, end);

				if (n == SIZE_MAX) {
					*ret = row;
					return RV_TABLE_CUT_MORE;
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
				size_t n = rv_table_line_end(r, p, end);

				if (n == SIZE_MAX) {
					*ret = row;
					return RV_TABLE_CUT_MORE;
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
		/* those that are too many are not kept: each takes more room than it has bytes */
		if (r->fields_count <= FIELDS_MAX)
			r->fields_count++;
		if (p == end) {
			if (!r->eof) {
				*ret = row;
				return RV_TABLE_CUT_MORE;
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
		size_t n = rv_table_line_end(r, p, end);

		row.len = row.content + n;
		row.newlines++;
		break;
	}
	*ret = row;
	return RV_TABLE_CUT_ROW;
}

struct rv_str rv_table_text_of(struct rv_table_reader *r, const struct rv_table_field *f)
{
	if (!f->doubled)
		return (struct rv_str){ f->p, f->len };
	rv_strbuf_clear(&r->text);
	rv_strbuf_reserve(&r->text, f->len + RV_TABLE_SLACK);
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

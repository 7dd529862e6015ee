/*
 * A row of a table, packed: the neutral form between a reader of extracts, the loads that are made
 * of its rows, and the composer of documents. Nothing in it has to be parsed again.
 *
 * For each kept column, in their order, a number h (LEB128: seven bits a byte, the lowest first):
 * 0 is null; any other one is 1 + (length << 1 | escape), and `length` bytes follow. `escape` says
 * that the bytes are a text in which JSON must escape something. Texts are UTF-8; numbers, booleans
 * and json are literals of JSON already, which the column knows and the row does not say. So equal rows
 * have equal bytes, and a row of some columns is a part of the row of all.
 *
 * A row does not say how long it is: whoever keeps it knows. Rows are valid for the call.
 */
#ifndef RV_FORMAT_PACKED_ROW_H
#define RV_FORMAT_PACKED_ROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/strbuf.h"

/* The most bytes that h takes. */
#define RV_PACKED_HEAD_BYTES 10
/* What is copied at once where there is room for it. */
#define RV_PACKED_CHUNK 32

struct rv_packed_cell {
	const char *p; /* never NULL */
	size_t len;
	bool null;
	bool escape; /* never of a literal */
};

/* ---- writing ---- */

/* Writes h to p, which has RV_PACKED_HEAD_BYTES bytes; returns how many it took. */
static inline size_t rv_packed_head(char *p, uint64_t h)
{
	size_t n = 0;

	while (h >= 0x80) {
		p[n++] = (char)(h | 0x80);
		h >>= 7;
	}
	p[n++] = (char)h;
	return n;
}
/* The h of a value; lengths have at most 62 bits. */
static inline uint64_t rv_packed_head_of(size_t len, bool escape)
{
	return 1 + ((uint64_t)len << 1 | escape);
}

void rv_packed_put_null(struct rv_strbuf *row);
/* Literals, and texts that are known to need no escape. */
void rv_packed_put_literal(struct rv_strbuf *row, const char *p, size_t len);
/* A text; looks whether it needs an escape. */
void rv_packed_put_text(struct rv_strbuf *row, const char *p, size_t len);
/* As it was read. */
void rv_packed_put_cell(struct rv_strbuf *row, const struct rv_packed_cell *cell);
/* A text, where RV_PACKED_CHUNK bytes can be read from p on, whatever they are. */
static inline void rv_packed_put_near(struct rv_strbuf *row, const char *p, size_t len, bool escape)
{
	size_t need = RV_PACKED_HEAD_BYTES + len + RV_PACKED_CHUNK;

	if (row->capacity - row->len < need)
		rv_strbuf_reserve(row, need + row->len / 2);
	char *o = row->bytes + row->len;

	o += rv_packed_head(o, rv_packed_head_of(len, escape));
	if (len <= RV_PACKED_CHUNK)
		memcpy(o, p, RV_PACKED_CHUNK);
	else
		memcpy(o, p, len);
	o[len] = '\0';
	row->len = (size_t)(o + len - row->bytes);
}
/* Whether JSON must escape something: a control character, a quote, a backslash. */
bool rv_packed_needs_escape(const char *p, size_t len);

/* ---- reading ---- */

struct rv_packed_cursor {
	const char *p, *end;
};
static inline struct rv_packed_cursor rv_packed_cursor_of(const char *row, size_t len)
{
	return (struct rv_packed_cursor){ row, row + len };
}
/* The next cell; false at the end, and for bytes that are no row: nothing behind `end` is looked at,
 * whatever they say. Then p < end tells the two apart. */
static inline bool rv_packed_next(struct rv_packed_cursor *cursor, struct rv_packed_cell *ret)
{
	const char *p = cursor->p;
	uint64_t h;

	if (p == cursor->end)
		return false;
	h = (unsigned char)*p++;
	if (h >= 0x80) { /* 64 bytes and more */
		h &= 0x7f;
		for (unsigned shift = 7;; shift += 7) {
			if (p == cursor->end)
				return false;
			unsigned char c = (unsigned char)*p++;

			if (shift == 63 && c > 1) /* so it ends here at the latest */
				return false;
			h |= (uint64_t)(c & 0x7f) << shift;
			if (c < 0x80)
				break;
		}
	}
	if (h == 0) {
		*ret = (struct rv_packed_cell){ .p = p, .null = true };
		cursor->p = p;
		return true;
	}
	h--;
	if (h >> 1 > (uint64_t)(cursor->end - p))
		return false;
	*ret = (struct rv_packed_cell){ .p = p, .len = (size_t)(h >> 1), .escape = h & 1 };
	cursor->p = p + ret->len;
	return true;
}

/* ---- JSON ---- */

/* What of a column a row does not say. */
struct rv_packed_column {
	char *prefix;      /* ,"name": escaped; and the quote of a text */
	size_t prefix_len;
	bool literal;      /* values are JSON as they stand */
};
/* `ret` is to be released. */
void rv_packed_column_init(struct rv_packed_column *ret, const char *name, bool literal);
void rv_packed_column_release(struct rv_packed_column *column);

/* Appends the value: null, the literal, or the text in quotes. */
void rv_packed_cell_json(const struct rv_packed_cell *cell, bool literal, struct rv_strbuf *out);
/* Appends "a":1,"b":"x" (without braces) for the first `count` columns of the row, behind whose end
 * RV_PACKED_CHUNK bytes may be read, as in a buffer that rows are put into. False: the bytes are no row of
 * so many columns; what was appended is taken away again. */
bool rv_packed_row_json(const struct rv_packed_column *columns, size_t count, const char *row,
			size_t len, struct rv_strbuf *out);
/* The same with braces and '\n'. */
bool rv_packed_row_line(const struct rv_packed_column *columns, size_t count, const char *row,
			size_t len, struct rv_strbuf *out);

#endif

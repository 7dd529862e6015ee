/*
 * Packing and unpacking is copying: a value is looked at once, when it is packed. Most values are a few
 * bytes, so room for a whole one is made at once and they are copied in chunks that may write too much.
 */
#include "format/packed_row.h"

#include <stdlib.h>
#include <string.h>

#include "format/text_copy.h"

/* Room behind what is needed, for copies in whole chunks. */
enum { SLACK = RV_PACKED_CHUNK };

/* Most values are shorter than a call of memcpy is worth. Reads and writes these bytes alone. */
static inline void copy_exact(char *o, const char *p, size_t len)
{
	if (len > 16) {
		memcpy(o, p, len);
	} else if (len >= 8) {
		uint64_t first, last;

		memcpy(&first, p, 8);
		memcpy(&last, p + len - 8, 8);
		memcpy(o, &first, 8);
		memcpy(o + len - 8, &last, 8);
	} else if (len >= 4) {
		uint32_t first, last;

		memcpy(&first, p, 4);
		memcpy(&last, p + len - 4, 4);
		memcpy(o, &first, 4);
		memcpy(o + len - 4, &last, 4);
	} else if (len) {
		char middle = p[len / 2], last = p[len - 1];

		o[0] = p[0];
		o[len / 2] = middle;
		o[len - 1] = last;
	}
}

/* The same where RV_PACKED_CHUNK bytes can be read and written, however long the value is. */
static inline void copy_chunk(char *o, const char *p, size_t len)
{
	if (len <= RV_PACKED_CHUNK)
		memcpy(o, p, RV_PACKED_CHUNK);
	else
		memcpy(o, p, len);
}

static inline char *room(struct rv_strbuf *sb, size_t need)
{
	if (!sb->capacity || sb->capacity - sb->len < need + SLACK)
		rv_strbuf_reserve(sb, need + SLACK + sb->len / 2);
	return sb->bytes + sb->len;
}

static inline void close_row(struct rv_strbuf *sb, const char *end)
{
	sb->len = (size_t)(end - sb->bytes);
	sb->bytes[sb->len] = '\0';
}

void rv_packed_put_null(struct rv_strbuf *row)
{
	char *o = room(row, 1);

	*o++ = 0;
	close_row(row, o);
}

static void put(struct rv_strbuf *row, const char *p, size_t len, bool escape)
{
	char *o = room(row, RV_PACKED_HEAD_BYTES + len);

	o += rv_packed_head(o, rv_packed_head_of(len, escape));
	copy_exact(o, p, len);
	close_row(row, o + len);
}

void rv_packed_put_literal(struct rv_strbuf *row, const char *p, size_t len)
{
	put(row, p, len, false);
}

bool rv_packed_needs_escape(const char *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)p[i] < 0x20 || p[i] == '"' || p[i] == '\\')
			return true;
	return false;
}

void rv_packed_put_text(struct rv_strbuf *row, const char *p, size_t len)
{
	put(row, p, len, rv_packed_needs_escape(p, len));
}

void rv_packed_put_cell(struct rv_strbuf *row, const struct rv_packed_cell *cell)
{
	if (cell->null)
		rv_packed_put_null(row);
	else
		put(row, cell->p, cell->len, cell->escape);
}

void rv_packed_column_init(struct rv_packed_column *ret, const char *name, bool literal)
{
	struct rv_strbuf prefix = RV_STRBUF_INIT;

	rv_strbuf_putc(&prefix, ',');
	rv_strbuf_json(&prefix, name, strlen(name));
	rv_strbuf_puts(&prefix, literal ? ":" : ":\"");
	rv_strbuf_reserve(&prefix, RV_PACKED_CHUNK);
	memset(prefix.bytes + prefix.len, 0, RV_PACKED_CHUNK);
	*ret = (struct rv_packed_column){ .prefix_len = prefix.len, .literal = literal };
	ret->prefix = rv_strbuf_take(&prefix);
}

void rv_packed_column_release(struct rv_packed_column *column)
{
	free(column->prefix);
	*column = (struct rv_packed_column){ 0 };
}

static inline char *write_escaped(const struct rv_packed_cell *cell, char *o)
{
	for (size_t i = 0; i < cell->len; i++)
		o += rv_copy_escaped(cell->p[i], o);
	return o;
}

static inline size_t room_of(const struct rv_packed_cell *cell)
{
	return cell->escape ? cell->len * RV_ESCAPE_BYTES : cell->len;
}

void rv_packed_cell_json(const struct rv_packed_cell *cell, bool literal, struct rv_strbuf *out)
{
	char *o = room(out, room_of(cell) + 4);

	if (cell->null) {
		memcpy(o, "null", 4);
		close_row(out, o + 4);
		return;
	}
	*o = '"';
	o += !literal;
	if (cell->escape && !literal) {
		o = write_escaped(cell, o);
	} else {
		copy_exact(o, cell->p, cell->len);
		o += cell->len;
	}
	*o = '"';
	close_row(out, o + !literal);
}

/* The row's cells, each behind its prefix; of the first one without `skip` bytes of it. NULL: it is none. */
static inline char *write_row(const struct rv_packed_column *columns, size_t count, size_t skip, const char *row,
			      size_t len, struct rv_strbuf *out)
{
	struct rv_packed_cursor cursor = rv_packed_cursor_of(row, len);
	struct rv_packed_cell cell;
	char *o = room(out, 0);
	const char *limit = out->bytes + out->capacity - SLACK;

	for (size_t i = 0; i < count; i++, skip = 0) {
		const struct rv_packed_column *column = &columns[i];

		if (!rv_packed_next(&cursor, &cell))
			return NULL;
		size_t need = 4 + column->prefix_len + room_of(&cell);

		if (need > (size_t)(limit - o)) {
			out->len = (size_t)(o - out->bytes);
			o = room(out, need);
			limit = out->bytes + out->capacity - SLACK;
		}
		copy_chunk(o, column->prefix + skip, column->prefix_len - skip);
		o += column->prefix_len - skip;
		if (cell.null) {
			/* in the place of the quote, if there is one */
			o -= !column->literal;
			memcpy(o, "null", 4);
			o += 4;
			continue;
		}
		if (cell.escape && !column->literal) {
			o = write_escaped(&cell, o);
		} else {
			copy_chunk(o, cell.p, cell.len);
			o += cell.len;
		}
		*o = '"';
		o += !column->literal;
	}
	return o;
}

bool rv_packed_row_json(const struct rv_packed_column *columns, size_t count, const char *row,
			size_t len, struct rv_strbuf *out)
{
	size_t start = out->len;
	char *end = write_row(columns, count, 1, row, len, out);

	close_row(out, end ? end : out->bytes + start);
	return end != NULL;
}

bool rv_packed_row_line(const struct rv_packed_column *columns, size_t count, const char *row,
			size_t len, struct rv_strbuf *out)
{
	size_t start = out->len;

	if (!count)
		rv_strbuf_putc(out, '{');
	char *end = write_row(columns, count, 0, row, len, out);

	if (end) {
		/* the first comma is where the brace goes; in room that was made for the next value */
		out->bytes[start] = '{';
		*end++ = '}';
		*end++ = '\n';
	}
	close_row(out, end ? end : out->bytes + start);
	return end != NULL;
}

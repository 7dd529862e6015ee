/*
 * Packing and unpacking is copying: a value is looked at once, when it is packed. Most values are a few
 * bytes, so room for a whole one is made at once and they are copied in chunks that may write too much.
 */
#include "format/packed_row.h"

#include <stdlib.h>
#include <string.h>

#include "format/text_copy.h"

/* Room behind what is needed, for copies in whole chunks. */
enum { SLACK = 32 };

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
	if (len)
		memcpy(o, p, len);
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

	rv_strbuf_json(&prefix, name, strlen(name));
	rv_strbuf_putc(&prefix, ':');
	*ret = (struct rv_packed_column){ .prefix_len = prefix.len, .literal = literal };
	ret->prefix = rv_strbuf_take(&prefix);
}

void rv_packed_column_release(struct rv_packed_column *column)
{
	free(column->prefix);
	*column = (struct rv_packed_column){ 0 };
}

/* Writes the value at `o`, which has room for six times its bytes. */
static inline char *write_value(const struct rv_packed_cell *cell, bool literal, char *o)
{
	if (cell->null) {
		memcpy(o, "null", 4);
		return o + 4;
	}
	if (!literal)
		*o++ = '"';
	if (cell->escape && !literal)
		for (size_t i = 0; i < cell->len; i++)
			o += rv_copy_escaped(cell->p[i], o);
	else {
		memcpy(o, cell->p, cell->len);
		o += cell->len;
	}
	if (!literal)
		*o++ = '"';
	return o;
}

static inline size_t room_of(const struct rv_packed_cell *cell)
{
	return cell->escape ? cell->len * RV_ESCAPE_BYTES : cell->len;
}

void rv_packed_cell_json(const struct rv_packed_cell *cell, bool literal, struct rv_strbuf *out)
{
	char *o = room(out, room_of(cell));

	close_row(out, write_value(cell, literal, o));
}

bool rv_packed_row_json(const struct rv_packed_column *columns, size_t count, const char *row,
			size_t len, struct rv_strbuf *out)
{
	struct rv_packed_cursor cursor = rv_packed_cursor_of(row, len);
	struct rv_packed_cell cell;
	size_t start = out->len;

	for (size_t i = 0; i < count; i++) {
		if (!rv_packed_next(&cursor, &cell)) {
			rv_strbuf_truncate(out, start);
			return false;
		}
		char *o = room(out, columns[i].prefix_len + room_of(&cell));

		if (i)
			*o++ = ',';
		memcpy(o, columns[i].prefix, columns[i].prefix_len);
		o = write_value(&cell, columns[i].literal, o + columns[i].prefix_len);
		close_row(out, o);
	}
	return true;
}

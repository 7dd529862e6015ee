/*
 * A batch of result rows, column by column, as the warehouse's engine holds them; and how they are
 * written as text, CSV and JSON. Printing straight from the columns is what makes a million rows
 * cheap.
 *
 * Everything is borrowed for the sink's call, but for column names and kinds, which stay the same
 * through all batches of one result.
 */
#ifndef RV_WAREHOUSE_ROWS_H
#define RV_WAREHOUSE_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/strbuf.h"

enum rv_row_kind {
	RV_ROW_NULL,       /* every row is null; no data */
	RV_ROW_BOOL,       /* uint8_t */
	RV_ROW_I8, RV_ROW_I16, RV_ROW_I32, RV_ROW_I64, RV_ROW_I128,
	RV_ROW_U8, RV_ROW_U16, RV_ROW_U32, RV_ROW_U64, RV_ROW_U128,
	RV_ROW_FLOAT, RV_ROW_DOUBLE,
	RV_ROW_DECIMAL,    /* integer of `width` bytes, `scale` digits behind the point */
	RV_ROW_TEXT,       /* union rv_row_text */
	RV_ROW_JSON,       /* the same; is JSON already */
	RV_ROW_BLOB,       /* the same; any bytes */
	RV_ROW_BIT,        /* the same; one byte of padding count, then bits */
	RV_ROW_DATE,       /* int32_t days since 1970 */
	RV_ROW_TIME,       /* int64_t microseconds of the day */
	RV_ROW_TIMESTAMP,  /* int64_t since 1970, `scale` digits of fraction (0, 3, 6, 9); UTC */
	RV_ROW_TIMESTAMP_ZONE, /* the same, printed with +00 */
	RV_ROW_INTERVAL,   /* struct { int32_t months, days; int64_t micros; } */
	RV_ROW_UUID,       /* int128 with its top bit flipped */
	RV_ROW_ENUM,       /* unsigned of `width` bytes, index into `words` */
	RV_ROW_LIST,       /* struct { uint64_t offset, len; } into children[0] */
	RV_ROW_ARRAY,      /* `width` elements a row in children[0]; no data */
	RV_ROW_STRUCT,     /* one child a field; no data */
	RV_ROW_MAP,        /* as LIST; children[0] is a STRUCT of key and value */
};

/* Sixteen bytes; up to twelve lie inside. */
union rv_row_text {
	struct {
		uint32_t len;
		char bytes[12];
	} near;
	struct {
		uint32_t len;
		char prefix[4];
		const char *p;
	} far;
};
static inline struct rv_str rv_row_text_str(const union rv_row_text *text)
{
	uint32_t len = text->near.len;

	return (struct rv_str){ len <= sizeof(text->near.bytes) ? text->near.bytes : text->far.p,
				len };
}

struct rv_rows_column {
	const char *name;
	enum rv_row_kind kind;
	unsigned scale, width;
	const void *data;
	const uint64_t *valid;       /* NULL: no nulls; else a bit a row, 1 is a value */
	char **words;                /* ENUM */
	struct rv_rows_column *children;
	size_t children_count;
};
struct rv_rows {
	const struct rv_rows_column *columns;
	size_t columns_count;
	size_t count;                /* rows; 0 is fine: the columns are still described */
};

static inline bool rv_rows_is_null(const struct rv_rows_column *column, size_t row)
{
	return column->kind == RV_ROW_NULL ||
	       (column->valid && !(column->valid[row / 64] >> (row % 64) & 1));
}
/* Whether text of this column lines up at the right. */
bool rv_rows_is_number(const struct rv_rows_column *column);

/* The value as a person reads it, nested ones as JSON; nothing for null. */
void rv_rows_text(const struct rv_rows_column *column, size_t row, struct rv_strbuf *out);
/* The value as JSON: numbers bare (but for NaN and infinity, which are strings), times as strings. */
void rv_rows_value_json(const struct rv_rows_column *column, size_t row, struct rv_strbuf *out);

/* RFC 4180 with \n: fields with a comma, quote, CR or LF, and empty texts, are quoted; null is an
 * empty field. */
void rv_rows_csv_header(const struct rv_rows *rows, struct rv_strbuf *out);
void rv_rows_csv(const struct rv_rows *rows, struct rv_strbuf *out);
/* One object a line, keys in column order. */
void rv_rows_json(const struct rv_rows *rows, struct rv_strbuf *out);

#endif

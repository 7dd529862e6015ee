/*
 * Cells that are written as they should be, into packed rows. They stand where RV_PACKED_CHUNK bytes may be
 * read from their start on, whatever follows them, so one load is enough to look at most of them. What is not
 * taken here goes the long way, which gives the same (flow/table_value.h).
 */
#ifndef RV_FLOW_TABLE_NEAR_H
#define RV_FLOW_TABLE_NEAR_H

#include <stdbool.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/clock.h"
#include "config/stream.h"
#include "format/packed_row.h"

/* What a cell may take besides its bytes, and what may be written behind it. */
enum { RV_TABLE_NEAR_BYTES = RV_PACKED_HEAD_BYTES + 1 + RV_PACKED_CHUNK };

static inline char *rv_table_near_head(char *o, size_t len, bool escape)
{
	uint64_t h = rv_packed_head_of(len, escape);

	if (h >= 0x80)
		return o + rv_packed_head(o, h);
	*o = (char)h;
	return o + 1;
}

/* A text, or a literal as it stands. */
static inline char *rv_table_near_copy(char *o, const char *p, size_t len)
{
	o = rv_table_near_head(o, len, false);
	if (len <= RV_PACKED_CHUNK)
		memcpy(o, p, RV_PACKED_CHUNK);
	else
		memcpy(o, p, len);
	return o + len;
}

#ifdef __SSE2__
/* A bit for each of the first sixteen bytes that is no digit. */
static inline unsigned rv_table_near_others(const char *p)
{
	__m128i v = _mm_sub_epi8(_mm_loadu_si128((const __m128i *)(const void *)p), _mm_set1_epi8('0'));

	return 0xffff ^ (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(9)), v));
}

/* A number of JSON with at most 16 bytes, that is not -0; not more digits than the column has. */
static inline bool rv_table_near_number(const struct rv_column *column, const char *p, size_t len)
{
	if (!len || len > 16)
		return false;
	bool negative = *p == '-';
	unsigned others = rv_table_near_others(p) & ((1u << len) - 1);
	size_t whole = len - negative;

	others &= ~(unsigned)negative;
	if (others) {
		size_t point = (size_t)__builtin_ctz(others), fraction = len - point - 1;

		if (column->type != RV_COLUMN_DECIMAL || p[point] != '.' || (others & (others - 1)) || !fraction ||
		    fraction > column->scale)
			return false;
		whole = point - negative;
	}
	/* -0.5 too: rare enough */
	if (!whole || (p[negative] == '0' && (whole > 1 || negative)))
		return false;
	return column->type == RV_COLUMN_INTEGER || whole + column->scale <= column->precision;
}

/* "2026-11-20 16:58" but for the byte between, no more than which digits may stand where. */
static inline unsigned rv_table_near_time(const char *p)
{
	const __m128i form = _mm_setr_epi8('0', '0', '0', '0', '-', '0', '0', '-', '0', '0', 0, '0', '0', ':', '0', '0');
	const __m128i most = _mm_setr_epi8(9, 9, 9, 9, 0, 1, 9, 0, 3, 9, -1, 2, 9, 0, 5, 9);
	__m128i v = _mm_sub_epi8(_mm_loadu_si128((const __m128i *)(const void *)p), form);

	return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(v, most), v));
}

static inline unsigned rv_table_near_two(const char *p)
{
	return (unsigned)(p[0] - '0') * 10 + (unsigned)(p[1] - '0');
}

/* The month and the day of digits that were looked at. */
static inline bool rv_table_near_day(const char *p)
{
	unsigned month = rv_table_near_two(p + 5), day = rv_table_near_two(p + 8);

	return month - 1 < 12 &&
	       (day - 1 < 28 || (day && day <= rv_days_in_month(rv_table_near_two(p) * 100 + rv_table_near_two(p + 2),
								month)));
}

static inline bool rv_table_near_is_utc(const char *timezone)
{
	return timezone && timezone[0] == 'U' && timezone[1] == 'T' && timezone[2] == 'C' && !timezone[3];
}

static inline bool rv_table_near_timestamp(const struct rv_column *column, const char *p, size_t len)
{
	return !column->format &&
	       (len == 19 ? rv_table_near_is_utc(column->timezone) : len == 20 && (p[19] | 0x20) == 'z') &&
	       rv_table_near_time(p) == 0xffff && (p[10] == ' ' || (p[10] | 0x20) == 't') && p[16] == ':' &&
	       (unsigned char)(p[17] - '0') < 6 && (unsigned char)(p[18] - '0') < 10 &&
	       rv_table_near_two(p + 11) < 24 && rv_table_near_day(p);
}
#endif

/* Writes a cell that is not of type string and has no byte JSON escapes to `o`, which has room for
 * RV_TABLE_NEAR_BYTES more than its own. NULL: it goes the long way. */
static inline char *rv_table_near_value(const struct rv_column *column, const char *p, size_t len, char *o)
{
	switch (column->type) {
	case RV_COLUMN_BOOLEAN:
		return (len == 4 && memcmp(p, "true", 4) == 0) || (len == 5 && memcmp(p, "false", 5) == 0)
			       ? rv_table_near_copy(o, p, len)
			       : NULL;
#ifdef __SSE2__
	case RV_COLUMN_INTEGER:
	case RV_COLUMN_DECIMAL:
		return rv_table_near_number(column, p, len) ? rv_table_near_copy(o, p, len) : NULL;
	case RV_COLUMN_DATE:
		return !column->format && len == 10 && (rv_table_near_time(p) & 0x3ff) == 0x3ff && rv_table_near_day(p)
			       ? rv_table_near_copy(o, p, len)
			       : NULL;
	case RV_COLUMN_TIMESTAMP:
		if (!rv_table_near_timestamp(column, p, len))
			return NULL;
		rv_table_near_copy(o, p, 19);
		rv_table_near_head(o, 20, false);
		o[11] = 'T';
		o[20] = 'Z';
		return o + 21;
#endif
	default:
		return NULL;
	}
}

#endif

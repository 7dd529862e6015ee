/* What a packed row says in words becomes values; that it is right was seen when the row was made. */
#include "warehouse/duckdb_chunk.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "format/packed_row.h"

/* Texts of a chunk, unless one row has more; and the values of all its columns. */
#define TEXT_BYTES (1u << 20)
#define VALUES_BYTES (4u << 20)

duck_type duck_type_of(const struct rv_duckdb_api *api, const struct rv_column *column)
{
	static const int types[] = {
		[RV_COLUMN_STRING] = DUCK_VARCHAR, [RV_COLUMN_INTEGER] = DUCK_BIGINT,
		[RV_COLUMN_DOUBLE] = DUCK_DOUBLE,  [RV_COLUMN_BOOLEAN] = DUCK_BOOLEAN,
		[RV_COLUMN_DATE] = DUCK_DATE,	   [RV_COLUMN_TIMESTAMP] = DUCK_TIMESTAMP_TZ,
		[RV_COLUMN_JSON] = DUCK_VARCHAR,
	};

	if (column->type == RV_COLUMN_DECIMAL)
		return api->create_decimal_type((uint8_t)column->precision, (uint8_t)column->scale);
	duck_type type = api->create_logical_type(types[column->type]);

	if (column->type == RV_COLUMN_JSON)
		api->logical_type_set_alias(type, "JSON");
	return type;
}

static size_t width_of(const struct rv_column *column)
{
	switch (column->type) {
	case RV_COLUMN_STRING:
	case RV_COLUMN_JSON:
		return sizeof(union duck_string);
	case RV_COLUMN_DECIMAL:
		return column->precision <= 4 ? 2 : column->precision <= 9 ? 4 : column->precision <= 18 ? 8 : 16;
	case RV_COLUMN_DATE:
		return 4;
	case RV_COLUMN_BOOLEAN:
		return 1;
	case RV_COLUMN_INTEGER:
	case RV_COLUMN_DOUBLE:
	case RV_COLUMN_TIMESTAMP:
		break;
	}
	return 8;
}

struct duck_rows *duck_rows_new(const struct rv_column *columns, size_t count, size_t most)
{
	struct duck_rows *rows = rv_calloc(1, sizeof(*rows));
	size_t width = 1;

	rows->columns = rv_calloc(count, sizeof(*rows->columns));
	rows->columns_count = count;
	for (size_t i = 0; i < count; i++) {
		rows->columns[i].column = &columns[i];
		rows->columns[i].width = width_of(&columns[i]);
		width += rows->columns[i].width;
	}
	rows->most = VALUES_BYTES / width < most ? VALUES_BYTES / width : most;
	rows->most = rows->most < 64 ? 64 : rows->most;
	for (size_t i = 0; i < count; i++) {
		rows->columns[i].values = rv_calloc(rows->most, rows->columns[i].width);
		rows->columns[i].valid = rv_calloc((rows->most + 63) / 64, sizeof(uint64_t));
	}
	rows->text_capacity = TEXT_BYTES;
	rows->text = rv_malloc(rows->text_capacity);
	duck_rows_clear(rows);
	return rows;
}

void duck_rows_free(struct duck_rows *rows)
{
	if (!rows)
		return;
	for (size_t i = 0; i < rows->columns_count; i++) {
		free(rows->columns[i].values);
		free(rows->columns[i].valid);
	}
	free(rows->columns);
	free(rows->text);
	free(rows);
}

void duck_rows_clear(struct duck_rows *rows)
{
	for (size_t i = 0; i < rows->columns_count; i++) {
		memset(rows->columns[i].valid, 0xff, (rows->most + 63) / 64 * sizeof(uint64_t));
		rows->columns[i].has_null = false;
	}
	rows->count = rows->text_len = 0;
	if (rows->text_capacity > TEXT_BYTES) {
		rows->text_capacity = TEXT_BYTES;
		rows->text = rv_realloc(rows->text, rows->text_capacity);
	}
}

/* ---- values ---- */

/* -?[0-9]+ */
static int64_t integer(const char *p, const char *end)
{
	bool negative = *p == '-';
	uint64_t value = 0;

	for (p += negative; p < end; p++)
		value = value * 10 + (uint64_t)(*p - '0');
	return (int64_t)(negative ? 0 - value : value);
}

/* -?[0-9]+(\.[0-9]+)?, with at most `scale` digits behind the point, times 10^scale */
static __int128 decimal(const char *p, const char *end, unsigned scale)
{
	bool negative = *p == '-', behind = false;
	unsigned __int128 wide;
	uint64_t value = 0;
	unsigned left = scale;

	p += negative;
	if ((size_t)(end - p) + scale <= 19) {
		for (; p < end; p++) {
			if (*p == '.') {
				behind = true;
				continue;
			}
			value = value * 10 + (uint64_t)(*p - '0');
			left -= behind;
		}
		for (; left; left--)
			value *= 10;
		return negative ? -(__int128)value : (__int128)value;
	}
	for (wide = 0; p < end; p++) {
		if (*p == '.') {
			behind = true;
			continue;
		}
		wide = wide * 10 + (unsigned)(*p - '0');
		left -= behind;
	}
	for (; left; left--)
		wide *= 10;
	return negative ? -(__int128)wide : (__int128)wide;
}

static void put_decimal(void *values, size_t row, size_t width, __int128 value)
{
	switch (width) {
	case 2:
		((int16_t *)values)[row] = (int16_t)value;
		break;
	case 4:
		((int32_t *)values)[row] = (int32_t)value;
		break;
	case 8:
		((int64_t *)values)[row] = (int64_t)value;
		break;
	default:
		memcpy((char *)values + row * 16, &value, 16);
	}
}

/* Of a plain number of few digits the division is exact in both its sides, so it rounds once, as strtod. */
static double real(const char *p, size_t len)
{
	static const double powers[] = { 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7,
					 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15 };
	const char *end = p + len, *c = p;
	bool negative = *c == '-', behind = false;
	unsigned fraction = 0;
	uint64_t value = 0;

	if (len <= 16) {
		for (c += negative; c < end; c++) {
			if (*c == '.') {
				behind = true;
				continue;
			}
			if (*c < '0' || *c > '9')
				break;
			value = value * 10 + (uint64_t)(*c - '0');
			fraction += behind;
		}
		if (c == end && value < UINT64_C(1) << 53)
			return (negative ? -1.0 : 1.0) * ((double)value / powers[fraction]);
	}
	RV_CLEANUP(rv_free_p) char *text = rv_strndup(p, len);

	return strtod(text, NULL);
}

static unsigned two(const char *p)
{
	return (unsigned)(p[0] - '0') * 10 + (unsigned)(p[1] - '0');
}

/* 2026-11-20 as days since 1970 */
static int64_t days(const char *p)
{
	return rv_days_from_civil(two(p) * 100 + two(p + 2), two(p + 5), two(p + 8));
}

/* 2026-11-20T16:58:51.25Z as microseconds */
static int64_t moment(const char *p, size_t len)
{
	int64_t value = days(p) * 86400 + two(p + 11) * 3600 + two(p + 14) * 60 + two(p + 17);
	const char *end = p + len - 1;
	int64_t fraction = 0, unit = 1000000;

	for (p += 20; p < end; p++) {
		fraction = fraction * 10 + (*p - '0');
		unit /= 10;
	}
	return value * 1000000 + fraction * unit;
}

/* The text lies in the chunk, or in the string itself; what it does not fill is compared, too. */
static void put_text(union duck_string *s, const char *p, size_t len)
{
	memset(s, 0, sizeof(*s));
	s->near.len = (uint32_t)len;
	if (len <= sizeof(s->near.bytes)) {
		memcpy(s->near.bytes, p, len);
	} else {
		memcpy(s->far.prefix, p, sizeof(s->far.prefix));
		s->far.p = p;
	}
}

static void put_cell(struct duck_chunk_column *c, size_t row, const struct rv_packed_cell *cell)
{
	const char *p = cell->p, *end = p + cell->len;

	if (cell->null) {
		c->valid[row / 64] &= ~(UINT64_C(1) << row % 64);
		c->has_null = true;
		memset((char *)c->values + row * c->width, 0, c->width);
		return;
	}
	switch (c->column->type) {
	case RV_COLUMN_STRING:
	case RV_COLUMN_JSON:
		put_text((union duck_string *)c->values + row, p, cell->len);
		break;
	case RV_COLUMN_INTEGER:
		((int64_t *)c->values)[row] = integer(p, end);
		break;
	case RV_COLUMN_DECIMAL:
		put_decimal(c->values, row, c->width, decimal(p, end, c->column->scale));
		break;
	case RV_COLUMN_DOUBLE:
		((double *)c->values)[row] = real(p, cell->len);
		break;
	case RV_COLUMN_BOOLEAN:
		((uint8_t *)c->values)[row] = *p == 't';
		break;
	case RV_COLUMN_DATE:
		((int32_t *)c->values)[row] = (int32_t)days(p);
		break;
	case RV_COLUMN_TIMESTAMP:
		((int64_t *)c->values)[row] = moment(p, cell->len);
		break;
	}
}

bool duck_rows_add(struct duck_rows *rows, const char *row, size_t len)
{
	if (rows->count == rows->most || (rows->count && len > rows->text_capacity - rows->text_len))
		return false;
	if (len > rows->text_capacity) {
		rows->text_capacity = len;
		rows->text = rv_realloc(rows->text, len);
	}
	char *copy = rows->text + rows->text_len;

	memcpy(copy, row, len);
	rows->text_len += len;
	struct rv_packed_cursor cursor = rv_packed_cursor_of(copy, len);
	struct rv_packed_cell cell;

	for (size_t i = 0; i < rows->columns_count; i++) {
		if (!rv_packed_next(&cursor, &cell))
			rv_bug("a packed row of %zu bytes that is none", len);
		put_cell(&rows->columns[i], rows->count, &cell);
	}
	rows->count++;
	return true;
}

void duck_rows_give(const struct duck_rows *rows, const struct rv_duckdb_api *api, duck_chunk output)
{
	for (size_t i = 0; i < rows->columns_count; i++) {
		const struct duck_chunk_column *c = &rows->columns[i];
		duck_vector vector = api->data_chunk_get_vector(output, i);

		memcpy(api->vector_get_data(vector), c->values, rows->count * c->width);
		if (!c->has_null)
			continue;
		api->vector_ensure_validity_writable(vector);
		memcpy(api->vector_get_validity(vector), c->valid, (rows->count + 63) / 64 * sizeof(uint64_t));
	}
	api->data_chunk_set_size(output, rows->count);
}

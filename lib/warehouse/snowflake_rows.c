/*
 * Snowflake writes every value as text, exactly. What river prints itself becomes numbers again, so that it
 * is printed as on the laptop; timestamps, which reach further than 64 bits of nanoseconds, are written out.
 */
#include "warehouse/snowflake_rows.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/number.h"
#include "format/json_scan.h"
#include "warehouse/snowflake_guard.h"

/* "-9999999-12-31 23:59:59.999999999+14:00" and its end */
#define TIMESTAMP_TEXT 64
/* NUMBER(18) is the widest that always fits into 64 bits. */
#define DIGITS_OF_64_BITS 18

/* ---- values ---- */

/* Digits with a point, as an integer of `scale` more digits. False: it is not exactly that. */
static bool parse_fixed(struct rv_str text, unsigned scale, __int128 *ret)
{
	const __int128 limit = (__int128)(~(unsigned __int128)0 >> 1) - 10; /* 39 digits */
	__int128 n = 0;
	size_t i = text.len && text.p[0] == '-';
	bool point = false, digits = false;
	unsigned fraction = 0;

	for (; i < text.len; i++) {
		if (text.p[i] == '.' && !point) {
			point = true;
			continue;
		}
		if (text.p[i] < '0' || text.p[i] > '9' || n > limit / 10)
			return false;
		digits = true;
		/* NUMBER(38,2) may come with more zeros than it has decimals, and no other digits. */
		if (point && fraction == scale) {
			if (text.p[i] != '0')
				return false;
			continue;
		}
		fraction += point;
		n = n * 10 + (text.p[i] - '0');
	}
	for (; fraction < scale; fraction++) {
		if (n > limit / 10)
			return false;
		n *= 10;
	}
	if (!digits)
		return false;
	*ret = text.p[0] == '-' ? -n : n;
	return true;
}

static int64_t tens(unsigned digits)
{
	int64_t n = 1;

	while (digits--)
		n *= 10;
	return n;
}

static bool parse_real(struct rv_str text, double *ret)
{
	char *end;

	errno = 0;
	*ret = strtod(text.p, &end);
	return text.len && end == text.p + text.len;
}

static bool parse_bool(struct rv_str text, uint8_t *ret)
{
	bool yes = rv_str_is(text, "1") || strcasecmp(text.p, "true") == 0;

	*ret = yes;
	return yes || rv_str_is(text, "0") || strcasecmp(text.p, "false") == 0;
}

static void put_zone(char *text, size_t len, int minutes)
{
	int size = minutes < 0 ? -minutes : minutes;

	len += (size_t)snprintf(text + len, TIMESTAMP_TEXT - len, "%c%02d", minutes < 0 ? '-' : '+',
				size / 60 % 100);
	if (size % 60)
		snprintf(text + len, TIMESTAMP_TEXT - len, ":%02d", size % 60);
}

/* "1700000000.123456789 1560": seconds since 1970, and for TIMESTAMP_TZ minutes east of UTC plus 1440. */
static bool put_timestamp(struct rv_str text, enum rv_snowflake_type type, char ret[TIMESTAMP_TEXT])
{
	const char *blank = memchr(text.p, ' ', text.len);
	struct rv_str clock = { text.p, blank ? (size_t)(blank - text.p) : text.len };
	__int128 ns;
	uint64_t zone = 1440;

	if (!parse_fixed(clock, 9, &ns) ||
	    (blank && !rv_parse_u64(blank + 1, text.len - clock.len - 1, &zone)) || zone > 2880)
		return false;
	int minutes = (int)zone - 1440;
	__int128 seconds = ns / 1000000000;
	int64_t fraction = (int64_t)(ns - seconds * 1000000000);
	struct rv_date date;

	if (fraction < 0) {
		fraction += 1000000000;
		seconds--;
	}
	seconds += minutes * 60;
	if (seconds > INT64_MAX / 1000 || seconds < INT64_MIN / 1000)
		return false;
	rv_date_from_ms((int64_t)seconds * 1000, &date);
	int len = snprintf(ret, TIMESTAMP_TEXT, "%04" PRId64 "-%02u-%02u %02u:%02u:%02u", date.year,
			   date.month, date.day, date.hour, date.minute, date.second);

	if (fraction) {
		len += snprintf(ret + len, TIMESTAMP_TEXT - (size_t)len, ".%09" PRId64, fraction);
		while (ret[len - 1] == '0')
			ret[--len] = '\0';
	}
	if (type != RV_SNOWFLAKE_TIMESTAMP_NTZ)
		put_zone(ret, (size_t)len, minutes);
	return true;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

static bool put_binary(struct rv_str text, struct rv_strbuf *out)
{
	for (size_t i = 0; i + 1 < text.len; i += 2) {
		int high = hex_digit(text.p[i]), low = hex_digit(text.p[i + 1]);

		if (high < 0 || low < 0)
			return false;
		rv_strbuf_putc(out, (char)(high * 16 + low));
	}
	return text.len % 2 == 0;
}

/* Variants come written over several lines, and may hold what is no JSON. */
static void put_variant(struct rv_str text, struct rv_strbuf *out)
{
	static const char undefined[] = "undefined", marks[] = "{}[],:\"";
	bool quoted = false, blank = false;
	size_t from = out->len;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.p[i];

		if (quoted && c == '\\' && i + 1 < text.len) {
			rv_strbuf_putc(out, c);
			c = text.p[++i];
		} else if (c == '"') {
			quoted = !quoted;
		} else if (!quoted && (c == ' ' || c == '\n' || c == '\r' || c == '\t')) {
			blank = true;
			continue;
		} else if (blank && !quoted && out->len > from && !strchr(marks, c) &&
			   !strchr(marks, out->bytes[out->len - 1])) {
			/* between two words it stays, else they would be one */
			blank = false;
			rv_strbuf_putc(out, ' ');
			i--;
			continue;
		} else if (!quoted && text.len - i >= sizeof(undefined) - 1 &&
			   memcmp(text.p + i, undefined, sizeof(undefined) - 1) == 0) {
			rv_strbuf_puts(out, "null");
			i += sizeof(undefined) - 2;
			continue;
		}
		blank = false;
		rv_strbuf_putc(out, c);
	}
}

/* One value of any kind: as a member and as an item, for several would be one of them only. */
static bool is_json(struct rv_str text)
{
	static const char *const around[][2] = { { "{\"\":", "}" }, { "{\"\":[", "]}" } };
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf object = RV_STRBUF_INIT;
	struct rv_json_scan scan;

	if (text.len && text.p[0] == '{')
		return rv_json_scan_object(text.p, text.len, 0, 0, &scan) == RV_JSON_OK && scan.end == text.len;
	for (size_t i = 0; i < 2; i++) {
		rv_strbuf_clear(&object);
		rv_strbuf_puts(&object, around[i][0]);
		rv_strbuf_add(&object, text.p, text.len);
		rv_strbuf_puts(&object, around[i][1]);
		if (rv_json_scan_object(object.bytes, object.len, 0, 0, &scan) != RV_JSON_OK ||
		    scan.end != object.len)
			return false;
	}
	return true;
}

/* ---- columns ---- */

/* Decimals that there is no type for are nothing to be printed. */
static bool scale_is_good(const struct rv_snowflake_column *column)
{
	return column->scale <= (column->type == RV_SNOWFLAKE_FIXED  ? 38u
				 : column->type == RV_SNOWFLAKE_TIME ? 9u
								     : UINT_MAX);
}

static enum rv_row_kind kind_of(const struct rv_snowflake_column *column)
{
	switch (column->type) {
	case RV_SNOWFLAKE_FIXED:
		if (column->scale)
			return RV_ROW_DECIMAL;
		return column->precision && column->precision <= DIGITS_OF_64_BITS ? RV_ROW_I64
										  : RV_ROW_I128;
	case RV_SNOWFLAKE_REAL:
		return RV_ROW_DOUBLE;
	case RV_SNOWFLAKE_BOOLEAN:
		return RV_ROW_BOOL;
	case RV_SNOWFLAKE_DATE:
		return RV_ROW_DATE;
	case RV_SNOWFLAKE_TIME:
		return RV_ROW_TIME;
	case RV_SNOWFLAKE_BINARY:
		return RV_ROW_BLOB;
	case RV_SNOWFLAKE_VARIANT:
		return RV_ROW_JSON;
	default:
		return RV_ROW_TEXT;
	}
}

/* A name that was written without quotes is kept in upper case; what a definition calls event_id is
 * printed as event_id here, too. */
static char *printed_name(const char *name)
{
	char *copy = rv_strdup(name);

	for (const char *p = name; *p; p++)
		if (*p >= 'a' && *p <= 'z')
			return copy;
	for (char *p = copy; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
	return copy;
}

static void begin_result(struct snow_rows *rows, const struct rv_snowflake_page *page)
{
	snow_rows_release(rows);
	rows->statement = page->statement + 1;
	rows->columns_count = page->columns_count;
	rows->columns = rv_calloc(page->columns_count + 1, sizeof(*rows->columns));
	rows->texts = rv_calloc(page->columns_count + 1, sizeof(*rows->texts));
	for (size_t i = 0; i < page->columns_count; i++) {
		struct rv_rows_column *c = &rows->columns[i];

		rows->texts[i] = (struct rv_strbuf)RV_STRBUF_INIT;
		c->name = printed_name(page->columns[i].name);
		c->kind = kind_of(&page->columns[i]);
		c->scale = page->columns[i].scale;
		c->width = 16;
		/* the widest of all kinds */
		c->data = rv_calloc(SNOW_ROWS_BATCH, sizeof(__int128));
		c->valid = rv_calloc(SNOW_ROWS_BATCH / 64, sizeof(uint64_t));
	}
}

static void forget_odd(struct snow_rows *rows)
{
	while (rows->odd_count)
		free(rows->odd[--rows->odd_count]);
}

void snow_rows_release(struct snow_rows *rows)
{
	for (size_t i = 0; i < rows->columns_count; i++) {
		struct rv_rows_column *c = &rows->columns[i];

		/* What the printers borrow as constant is this one's own. */
		free((void *)(uintptr_t)c->name);
		free((void *)(uintptr_t)c->data);
		free((void *)(uintptr_t)c->valid);
		rv_strbuf_release(&rows->texts[i]);
	}
	free(rows->columns);
	free(rows->texts);
	rows->columns = NULL;
	rows->texts = NULL;
	rows->columns_count = 0;
	forget_odd(rows);
	free(rows->odd);
	rows->odd = NULL;
	rows->odd_capacity = 0;
}

static void set_text(union rv_row_text *cell, const char *p, size_t len)
{
	cell->near.len = (uint32_t)len;
	if (len <= sizeof(cell->near.bytes))
		memcpy(cell->near.bytes, p, len);
	else
		cell->far.p = p;
}

/* NaN in a variant, or one cut short: told as a text, so that what is printed is JSON all the same. */
static void set_odd(struct snow_rows *rows, union rv_row_text *cell, struct rv_str text)
{
	struct rv_strbuf json = RV_STRBUF_INIT;
	size_t len;

	rv_strbuf_json(&json, text.p, text.len);
	len = json.len;
	RV_GROW(rows->odd, rows->odd_count, rows->odd_capacity);
	rows->odd[rows->odd_count] = rv_strbuf_take(&json);
	set_text(cell, rows->odd[rows->odd_count++], len);
}

/* What is written anew lies in `out`, which has the room already: nothing in it moves. */
static bool set_written(struct snow_rows *rows, union rv_row_text *cell, struct rv_str text,
			enum rv_snowflake_type type, struct rv_strbuf *out)
{
	size_t from = out->len;
	char timestamp[TIMESTAMP_TEXT];
	bool ok = true;

	switch (type) {
	case RV_SNOWFLAKE_TIMESTAMP_NTZ:
	case RV_SNOWFLAKE_TIMESTAMP_LTZ:
	case RV_SNOWFLAKE_TIMESTAMP_TZ:
		ok = put_timestamp(text, type, timestamp);
		rv_strbuf_puts(out, ok ? timestamp : "");
		break;
	case RV_SNOWFLAKE_BINARY:
		ok = put_binary(text, out);
		break;
	case RV_SNOWFLAKE_VARIANT:
		put_variant(text, out);
		if (!is_json((struct rv_str){ out->bytes + from, out->len - from })) {
			set_odd(rows, cell, text);
			return true;
		}
		break;
	default:
		set_text(cell, text.p, text.len);
		return true;
	}
	set_text(cell, out->bytes + from, out->len - from);
	return ok;
}

static bool set_value(struct snow_rows *rows, size_t column, enum rv_snowflake_type type, size_t row,
		      struct rv_str text)
{
	struct rv_rows_column *c = &rows->columns[column];
	void *data = (void *)(uintptr_t)c->data;
	__int128 n = 0;

	switch (c->kind) {
	case RV_ROW_I64:
		if (!parse_fixed(text, 0, &n) || n != (int64_t)n)
			return false;
		((int64_t *)data)[row] = (int64_t)n;
		return true;
	case RV_ROW_I128:
	case RV_ROW_DECIMAL:
		return parse_fixed(text, c->scale, (__int128 *)data + row);
	case RV_ROW_DOUBLE:
		return parse_real(text, (double *)data + row);
	case RV_ROW_BOOL:
		return parse_bool(text, (uint8_t *)data + row);
	case RV_ROW_DATE:
		if (!parse_fixed(text, 0, &n) || n != (int32_t)n)
			return false;
		((int32_t *)data)[row] = (int32_t)n;
		return true;
	case RV_ROW_TIME:
		if (!parse_fixed(text, c->scale, &n) || n < 0 || n > (int64_t)86400 * tens(c->scale))
			return false;
		((int64_t *)data)[row] = (int64_t)n;
		return true;
	default:
		return set_written(rows, (union rv_row_text *)data + row, text, type, &rows->texts[column]);
	}
}

static void make_room(struct snow_rows *rows, const struct rv_snowflake_page *page, size_t from,
		      size_t count)
{
	for (size_t i = 0; i < rows->columns_count; i++) {
		size_t bytes = 1;

		rv_strbuf_clear(&rows->texts[i]);
		memset((void *)(uintptr_t)rows->columns[i].valid, 0,
		       SNOW_ROWS_BATCH / 64 * sizeof(uint64_t));
		if (rows->columns[i].kind < RV_ROW_TEXT || rows->columns[i].kind > RV_ROW_BLOB)
			continue;
		for (size_t row = from; row < from + count; row++)
			bytes += page->values[row * page->columns_count + i].len + TIMESTAMP_TEXT;
		rv_strbuf_reserve(&rows->texts[i], bytes);
	}
}

static enum rv_status check_scales(const struct rv_snowflake_page *page, struct rv_error *err)
{
	for (size_t i = 0; i < page->columns_count; i++)
		if (!scale_is_good(&page->columns[i]))
			return rv_fail(err, RV_FAILED, "Snowflake answers column %s with %u decimals, which no "
				       "type of its has", page->columns[i].name, page->columns[i].scale);
	return RV_OK;
}

static enum rv_status hand_on(struct snow_rows *rows, const struct rv_snowflake_page *page, size_t from,
			      size_t count, struct rv_error *err)
{
	const struct rv_rows batch = { rows->columns, rows->columns_count, count };

	make_room(rows, page, from, count);
	forget_odd(rows);
	for (size_t row = 0; row < count; row++) {
		const struct rv_str *values = page->values + (from + row) * page->columns_count;

		for (size_t i = 0; i < rows->columns_count; i++) {
			uint64_t *valid = (uint64_t *)(uintptr_t)rows->columns[i].valid;

			if (!values[i].p)
				continue;
			valid[row / 64] |= UINT64_C(1) << (row % 64);
			if (!set_value(rows, i, page->columns[i].type, row, values[i]))
				return rv_fail(err, RV_FAILED,
					       "Snowflake answers '%.100s' in column %s, which is no value "
					       "of its type", values[i].p, page->columns[i].name);
		}
	}
	return rows->sink(rows->arg, &batch, err);
}

enum rv_status snow_rows_page(void *arg, const struct rv_snowflake_page *page, struct rv_error *err)
{
	struct snow_rows *rows = arg;

	if (rows->statement != page->statement + 1) {
		if (check_scales(page, err) != RV_OK)
			return err->status;
		begin_result(rows, page);
		if (hand_on(rows, page, 0, 0, err) != RV_OK)
			return err->status;
	}
	if (rows->columns_count != page->columns_count)
		return rv_fail(err, RV_FAILED, "Snowflake answers rows of %zu columns, not %zu",
			       page->columns_count, rows->columns_count);
	for (size_t from = 0; from < page->count; from += SNOW_ROWS_BATCH) {
		size_t left = page->count - from, n = left < SNOW_ROWS_BATCH ? left : SNOW_ROWS_BATCH;

		if (hand_on(rows, page, from, n, err) != RV_OK)
			return err->status;
	}
	return RV_OK;
}

/* ---- query ---- */

enum rv_status snow_query(struct rv_warehouse *warehouse, const char *sql, bool writable,
			  enum rv_status (*sink)(void *arg, const struct rv_rows *, struct rv_error *err),
			  void *arg, struct rv_error *err)
{
	struct rv_snowflake_warehouse *w = (struct rv_snowflake_warehouse *)warehouse;
	RV_CLEANUP(snow_rows_release) struct snow_rows rows = { .sink = sink, .arg = arg };
	struct rv_snowflake_statement statement = {
		.sql = sql,
		.database = w->params.database,
		.warehouse = w->params.warehouse,
		.role = w->params.role,
		/* It may take long, and whoever waits may lose patience: it costs while it runs. */
		.async = true,
		.deadline_ms = w->params.query_timeout_ms < 0
				       ? 0
				       : rv_clock_monotonic_ms() + w->params.query_timeout_ms,
	};

	if (snow_guard(sql, writable, &statement.count, err) != RV_OK)
		return err->status;
	return rv_snowflake_execute(w->params.snowflake, &statement, snow_rows_page, &rows, NULL, err);
}

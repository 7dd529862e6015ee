/*
 * Result rows as text, CSV and JSON: any bytes as what an engine's columns hold, and any texts as what Snowflake
 * answers for columns of every type. JSON is JSON, CSV has its fields, and numbers read back as what they were.
 * The first byte chooses.
 */
#include "fuzz.h"

#include <math.h>

#include "format/csv.h"
#include "format/json_scan.h"
#include "format/text_copy.h"
#include "warehouse/rows.h"
#include "warehouse/snowflake_rows.h"

/* As many fields a line as there are columns, and as many lines as rows. */
static void check_csv(const struct rv_rows *rows, const struct rv_strbuf *csv, size_t lines)
{
	static char prefix[] = "\"v\":";
	const struct rv_csv_column column = { prefix, 4 };
	const struct rv_csv_rules rules = { .delimiter = ',', .quote = '"', .columns = &column, .columns_count = 1 };
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf near = RV_STRBUF_INIT, out = RV_STRBUF_INIT;
	size_t at = 0, n = 0;

	rv_strbuf_add(&near, csv->bytes, csv->len);
	rv_strbuf_reserve(&near, 64);
	memset(near.bytes + near.len, 0, 64);
	for (; at < near.len; n++) {
		struct rv_csv_row row;

		CHECK(rv_csv_row(&rules, near.bytes + at, near.len - at, true, &out, &row) == RV_CSV_ROW);
		CHECK(row.fields == rows->columns_count);
		at += row.len;
	}
	CHECK(n == lines);
}

static void check_json(const struct rv_strbuf *json, size_t lines)
{
	size_t at = 0, n = 0;

	for (; at < json->len; n++) {
		struct rv_json_scan scan;

		CHECK(rv_json_scan_object(json->bytes + at, json->len - at, 0, RV_JSON_LINE_MODE, &scan) ==
		      RV_JSON_OK);
		at += scan.end;
		CHECK(at < json->len && json->bytes[at] == '\n');
		at++;
	}
	CHECK(n == lines);
}

static void check_rows(const struct rv_rows *rows)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf csv = RV_STRBUF_INIT, json = RV_STRBUF_INIT,
						       text = RV_STRBUF_INIT;

	rv_rows_csv_header(rows, &csv);
	rv_rows_csv(rows, &csv);
	check_csv(rows, &csv, rows->count + 1);
	rv_rows_json(rows, &json);
	check_json(&json, rows->count);
	for (size_t i = 0; i < rows->columns_count; i++)
		for (size_t row = 0; row < rows->count; row++)
			rv_rows_text(&rows->columns[i], row, &text);
}

/* ---- an engine's columns ---- */

static void check_number(const struct rv_rows_column *c, size_t row)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;

	if (rv_rows_is_null(c, row))
		return;
	rv_rows_text(c, row, &text);
	CHECK(text.len > 0 && text.len < 100);
	if (c->kind == RV_ROW_DOUBLE) {
		double v = ((const double *)c->data)[row];

		CHECK(isnan(v) ? strcmp(text.bytes, "nan") == 0 : strtod(text.bytes, NULL) == v);
	} else if (c->kind == RV_ROW_FLOAT) {
		float v = ((const float *)c->data)[row];

		CHECK(isnan(v) ? strcmp(text.bytes, "nan") == 0 : strtof(text.bytes, NULL) == v);
	} else if (c->kind == RV_ROW_DECIMAL) {
		unsigned __int128 n = 0;
		__int128 v = ((const __int128 *)c->data)[row];
		size_t behind = 0;
		bool point = false;

		for (const char *p = text.bytes; *p; p++) {
			if (*p >= '0' && *p <= '9')
				n = n * 10 + (unsigned)(*p - '0');
			behind += point;
			point |= *p == '.';
		}
		CHECK(n == (v < 0 ? -(unsigned __int128)v : (unsigned __int128)v) && behind == c->scale);
		CHECK((text.bytes[0] == '-') == (v < 0));
	}
}

static void try_columns(unsigned how, const char *p, size_t len)
{
	static const struct {
		enum rv_row_kind kind;
		unsigned scale, bytes;
	} kinds[] = {
		{ RV_ROW_I64, 0, 8 },	      { RV_ROW_I128, 0, 16 },	   { RV_ROW_U128, 0, 16 },
		{ RV_ROW_FLOAT, 0, 4 },	      { RV_ROW_DOUBLE, 0, 8 },	   { RV_ROW_DECIMAL, 7, 16 },
		{ RV_ROW_DECIMAL, 38, 16 },   { RV_ROW_DATE, 0, 4 },	   { RV_ROW_TIME, 6, 8 },
		{ RV_ROW_TIME, 9, 8 },	      { RV_ROW_TIMESTAMP, 0, 8 },  { RV_ROW_TIMESTAMP, 3, 8 },
		{ RV_ROW_TIMESTAMP, 6, 8 },   { RV_ROW_TIMESTAMP_ZONE, 9, 8 }, { RV_ROW_INTERVAL, 0, 16 },
		{ RV_ROW_UUID, 0, 16 },
	};
	size_t k = how % 16, count = len / kinds[k].bytes;
	/* data of the engine's is aligned */
	RV_CLEANUP(rv_free_p) void *data = aligned_alloc(16, 1024);
	uint64_t valid = UINT64_MAX ^ how >> 4;
	struct rv_rows_column columns[2] = {
		{ .name = "a\"b", .kind = kinds[k].kind, .scale = kinds[k].scale, .width = kinds[k].bytes,
		  .valid = &valid },
		{ .name = "list", .kind = RV_ROW_ARRAY, .width = 1, .children_count = 1 },
	};

	if (count > 16)
		count = 16;
	if (!count)
		return;
	memcpy(data, p, count * kinds[k].bytes);
	columns[0].data = data;
	columns[1].children = &columns[0];
	const struct rv_rows rows = { columns, 2, count };

	check_rows(&rows);
	for (size_t row = 0; row < count; row++)
		check_number(&columns[0], row);
}

/* ---- Snowflake's texts ---- */

static enum rv_status take(void *arg, const struct rv_rows *rows, struct rv_error *err RV_UNUSED)
{
	*(size_t *)arg += rows->count;
	check_rows(rows);
	return RV_OK;
}

/* Type, scale and precision of each of two columns, then values with 0xff between them; one of 0x01 is null. */
static void try_page(const char *p, size_t len)
{
	struct rv_snowflake_column columns[2] = { { .name = "A" }, { .name = "b,\"" } };
	struct rv_str values[64];
	char *texts[64];
	size_t count = 0, handed = 0;
	struct rv_error err = RV_ERROR_INIT;
	RV_CLEANUP(snow_rows_release) struct snow_rows rows = { .sink = take, .arg = &handed };

	if (len < 6)
		return;
	for (size_t i = 0; i < 2; i++) {
		columns[i].type = (enum rv_snowflake_type)((unsigned char)p[3 * i] % (RV_SNOWFLAKE_OTHER + 1));
		columns[i].scale = (unsigned char)p[3 * i + 1];
		columns[i].precision = (unsigned char)p[3 * i + 2];
	}
	for (size_t at = 6; at <= len && count < 64; count++) {
		const char *stop = memchr(p + at, '\xff', len - at);
		size_t n = stop ? (size_t)(stop - p) - at : len - at;
		bool null = n == 1 && p[at] == 1;

		/* what is read of an answer is UTF-8 with an end */
		texts[count] = exact_text(p + at, rv_utf8_check(p + at, n));
		values[count] = null ? (struct rv_str){ NULL, 0 } : rv_str_of(texts[count]);
		at += n + 1;
	}
	const struct rv_snowflake_page page = { 0, columns, 2, values, count / 2 };
	enum rv_status status = snow_rows_page(&rows, &page, &err);

	if (status == RV_OK)
		CHECK(handed == count / 2);
	else
		CHECK(status == RV_FAILED && err.message[0]);
	while (count)
		free(texts[--count]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1 || size > 8192)
		return 0;
	RV_CLEANUP(rv_free_p) char *p = exact_copy(data + 1, size - 1);

	if (data[0] & 0x80)
		try_page(p, size - 1);
	else
		try_columns(data[0], p, size - 1);
	return 0;
}

/*
 * A cell as a typed value of a packed row. The quick ways of lib/flow/table_value.c and the slow one of
 * lib/format/cut_text.h agree on what is taken; what is written is JSON of that very value, and is taken once
 * more as it stands. And any bytes as a packed row: never read past their end, and rows that were written are
 * read back. The first two bytes choose the column.
 */
#include "fuzz.h"

#include <jansson.h>

#include "base/clock.h"
#include "flow/table_value.h"
#include "format/json_scan.h"
#include "format/packed_row.h"
#include "format/text_copy.h"

static char utc[] = "UTC", east[] = "+02:00", german[] = "%d.%m.%Y", clock_format[] = "%Y-%m-%d %H:%M:%S",
	    epoch[] = "epoch_ms";

static struct rv_column column_of(const uint8_t *how)
{
	struct rv_column c = { .type = (enum rv_column_type)(how[0] % 8), .precision = how[1] % 38 + 1u };
	char *const formats[] = { NULL, NULL, c.type == RV_COLUMN_DATE ? german : clock_format, epoch };

	c.scale = (how[0] >> 3) % (c.precision + 1);
	c.exact = how[1] & 1;
	c.format = formats[how[1] & 3];
	c.timezone = (char *const[]){ NULL, utc, east, utc }[how[1] >> 2 & 3];
	return c;
}

/* What the book says: takes the column, gives what can be compared. */
static bool cut(const struct rv_column *c, struct rv_str s, __int128 *ret, char *reason)
{
	int64_t n = 0;
	bool yes = false, good;

	*ret = 0;
	switch (c->type) {
	case RV_COLUMN_INTEGER:
		good = rv_cut_decimal(s, 38, 0, ret, reason) && *ret >= INT64_MIN && *ret <= INT64_MAX;
		break;
	case RV_COLUMN_DECIMAL:
		return rv_cut_decimal(s, c->precision, c->scale, ret, reason);
	case RV_COLUMN_BOOLEAN:
		good = rv_cut_boolean(s, &yes, reason);
		*ret = yes;
		break;
	case RV_COLUMN_DATE:
		good = rv_cut_date(s, c->format, &n, reason);
		*ret = n;
		good = good && n >= rv_days_from_civil(0, 1, 1) && n <= rv_days_from_civil(9999, 12, 31);
		break;
	default:
		good = rv_cut_timestamp(s, c->format, c->timezone, &n, reason);
		*ret = n;
		good = good && n >= rv_days_from_civil(0, 1, 1) * 86400000000 &&
		       n < rv_days_from_civil(10000, 1, 1) * 86400000000;
		break;
	}
	return good;
}

static void check_json(const struct rv_column *c, const struct rv_packed_cell *cell, struct rv_str s)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	struct rv_json_scan scan;

	rv_strbuf_puts(&text, "{\"v\":");
	rv_packed_cell_json(cell, rv_table_is_literal(c), &text);
	rv_strbuf_puts(&text, "}");
	CHECK(rv_json_scan_object(text.bytes, text.len, 0, RV_JSON_LINE_MODE, &scan) == RV_JSON_OK);
	CHECK(scan.end == text.len);
	if (c->type != RV_COLUMN_STRING || cell->null)
		return;
	RV_CLEANUP(json_decrefp) json_t *o = json_loadb(text.bytes, text.len, JSON_ALLOW_NUL, NULL);
	const json_t *v = json_object_get(o, "v");

	CHECK(json_string_length(v) == s.len && memcmp(json_string_value(v), s.p, s.len) == 0);
}

static void check_again(const struct rv_column *c, const struct rv_packed_cell *cell)
{
	/* As it stands now it is taken as it stands; a format or zone was for the one in the table. */
	struct rv_column plain = *c;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf row = RV_STRBUF_INIT;
	struct rv_str s = { cell->p, cell->len };
	struct rv_packed_cell again;
	char reason[RV_CUT_REASON];

	plain.format = plain.timezone = NULL;
	CHECK(rv_table_value(&plain, s, &row, reason));
	struct rv_packed_cursor cursor = rv_packed_cursor_of(row.bytes, row.len);

	CHECK(rv_packed_next(&cursor, &again) && again.len == cell->len && cursor.p == cursor.end);
	CHECK(memcmp(again.p, cell->p, cell->len) == 0);
}

static void check_value(const struct rv_column *c, struct rv_str s, const struct rv_packed_cell *cell, bool good)
{
	struct rv_column plain = *c;
	struct rv_str written = { cell->p, cell->len };
	char reason[RV_CUT_REASON] = "";
	__int128 want = 0, got = 0;

	plain.format = plain.timezone = NULL;
	if (c->type == RV_COLUMN_DOUBLE) {
		struct rv_cut_number n;

		CHECK(!good || rv_cut_number(s, &n, reason));
		if (good) {
			RV_CLEANUP(rv_free_p) char *a = exact_text(s.p, s.len), *b = exact_text(cell->p, cell->len);

			CHECK(strtod(a, NULL) == strtod(b, NULL));
		}
	} else if (c->type == RV_COLUMN_JSON) {
		RV_CLEANUP(json_decrefp)
		json_t *tree = json_loadb(s.p, s.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

		/* numbers of any size, duplicate and odd keys are ours; a NUL is jansson's end, and so is depth */
		CHECK(good || !tree || memchr(s.p, '\0', s.len) || s.len > 1000);
	} else {
		CHECK(cut(c, s, &want, reason) == good);
		if (good)
			CHECK(cut(&plain, written, &got, reason) && got == want);
	}
}

static void try_cell(const struct rv_column *c, struct rv_str s)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf row = RV_STRBUF_INIT;
	struct rv_packed_cell cell = { .p = "" };
	char reason[RV_CUT_REASON] = "";

	/* what the column takes: UTF-8 without NUL */
	if (c->type == RV_COLUMN_STRING && (memchr(s.p, '\0', s.len) || rv_utf8_check(s.p, s.len) < s.len))
		return;
	rv_packed_put_null(&row);
	size_t before = row.len;
	bool good = rv_table_value(c, s, &row, reason);

	if (!good) {
		CHECK(row.len == before && reason[0] && memchr(reason, '\0', sizeof(reason)));
		check_value(c, s, &cell, false);
		return;
	}
	RV_CLEANUP(rv_free_p) char *copy = exact_copy(row.bytes, row.len);
	struct rv_packed_cursor cursor = rv_packed_cursor_of(copy, row.len);

	CHECK(rv_packed_next(&cursor, &cell) && cell.null);
	CHECK(rv_packed_next(&cursor, &cell) && cursor.p == cursor.end);
	CHECK(cell.null == (!s.len && c->type != RV_COLUMN_STRING));
	check_json(c, &cell, s);
	if (cell.null)
		return;
	if (c->type != RV_COLUMN_STRING) {
		check_value(c, s, &cell, true);
		check_again(c, &cell);
	}
}

/* ---- any bytes as a row ---- */

static void try_row(const char *p, size_t len)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf again = RV_STRBUF_INIT, out = RV_STRBUF_INIT;
	struct rv_packed_column columns[2];
	struct rv_packed_cursor cursor = rv_packed_cursor_of(p, len);
	struct rv_packed_cell cell;
	size_t cells = 0;

	while (rv_packed_next(&cursor, &cell)) {
		CHECK(cell.p >= p && cell.len <= (size_t)(p + len - cell.p));
		rv_packed_put_cell(&again, &cell);
		cells++;
	}
	/* lengths may be written in more bytes than they need */
	CHECK(cursor.p < cursor.end || again.len <= len);
	RV_CLEANUP(rv_free_p) char *near = rv_calloc(1, len + RV_PACKED_CHUNK);

	memcpy(near, p, len);
	rv_packed_column_init(&columns[0], "a", true);
	rv_packed_column_init(&columns[1], "b", false);
	bool good = rv_packed_row_json(columns, 2, near, len, &out);

	CHECK(good || out.len == 0);
	CHECK(good == (cells >= 2));
	rv_packed_column_release(&columns[0]);
	rv_packed_column_release(&columns[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2 || size > 8192)
		return 0;
	RV_CLEANUP(rv_free_p) char *p = exact_copy(data + 2, size - 2);

	if (data[0] == 0xff) {
		try_row(p, size - 2);
	} else {
		struct rv_column column = column_of(data);

		try_cell(&column, (struct rv_str){ p, size - 2 });
	}
	return 0;
}

/*
 * One CSV row under every dialect: what is written is JSON strings, the row is never longer than its
 * bytes, and being given fewer bytes never changes a row that ends within them.
 */
#include "fuzz.h"

#include "base/strbuf.h"
#include "format/csv.h"
#include "format/json_scan.h"
#include "format/text_copy.h"

static enum rv_csv_end row(const struct rv_csv_rules *rules, const char *p, size_t len, bool final,
			   struct rv_strbuf *out, struct rv_csv_row *ret)
{
	/* Exactly the bytes that may be read, so that one more is seen. */
	RV_CLEANUP(rv_free_p) char *copy = rv_calloc(1, len + RV_COPY_BYTES);

	memcpy(copy, p, len);
	return rv_csv_row(rules, copy, len, final, out, ret);
}

/* The fields by the book, counted slowly; false: no whole row. */
static bool count_slowly(const struct rv_csv_rules *rules, const char *p, size_t len, size_t *fields,
			 size_t *ret_len)
{
	bool quoted = false, at_start = true;
	size_t i;

	*fields = 1;
	for (i = 0; i < len; i++) {
		if (quoted) {
			if (p[i] != rules->quote)
				continue;
			if (i + 1 < len && p[i + 1] == rules->quote)
				i++;
			else
				quoted = false;
			continue;
		}
		if (at_start && rules->quote && p[i] == rules->quote) {
			quoted = true;
			at_start = false;
			continue;
		}
		at_start = p[i] == rules->delimiter;
		*fields += at_start;
		if (p[i] == '\n') {
			*ret_len = i + 1;
			return true;
		}
	}
	*ret_len = len;
	return !quoted;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char a[] = "{\"a\":", b[] = ",\"b\":", c[] = ",\"c\":";
	static const struct rv_csv_column columns[] = { { a, 5 }, { b, 5 }, { c, 5 } };
	static const char delimiters[] = ",;\t|", quotes[] = { '"', '\'', 0, '"' };
	static char null[] = "NULL";
	static char *const nulls[] = { null };
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf out = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf again = RV_STRBUF_INIT;
	struct rv_csv_row r, s;

	if (size < 2)
		return 0;
	struct rv_csv_rules rules = { .delimiter = delimiters[data[0] & 3],
				      .quote = quotes[data[0] >> 2 & 3],
				      .columns = columns,
				      .columns_count = 3,
				      .nulls = nulls,
				      .nulls_count = data[0] >> 4 & 1 };
	const char *p = (const char *)data + 1;
	size_t len = size - 1, fields = 0, slow_len = 0;
	enum rv_csv_end end = row(&rules, p, len, true, &out, &r);

	CHECK(end != RV_CSV_MORE);
	CHECK((end == RV_CSV_ROW) == count_slowly(&rules, p, len, &fields, &slow_len));
	if (end == RV_CSV_MORE_QUOTED) {
		CHECK(r.quote_at < len && p[r.quote_at] == rules.quote);
		return 0;
	}
	CHECK(r.len == slow_len && r.fields == fields);
	CHECK(r.len > 0 && r.len <= len && (r.len == len || p[r.len - 1] == '\n'));
	if (!r.high) {
		struct rv_json_scan scan;

		rv_strbuf_putc(&out, '}');
		CHECK(rv_json_scan_object(out.bytes, out.len, 0, RV_JSON_LINE_MODE, &scan) ==
		      RV_JSON_OK);
		CHECK(scan.end == out.len);
		rv_strbuf_truncate(&out, out.len - 1);
	}
	if (p[r.len - 1] == '\n') {
		CHECK(row(&rules, p, r.len, false, &again, &s) == RV_CSV_ROW);
		CHECK(s.len == r.len && s.fields == r.fields && s.newlines == r.newlines);
		CHECK(again.len == out.len && memcmp(again.bytes, out.bytes, out.len) == 0);
		for (size_t cut = 0; cut < r.len; cut++) {
			again.len = 0;
			CHECK(row(&rules, p, cut, false, &again, &s) != RV_CSV_ROW);
		}
	}
	return 0;
}

/*
 * Any bytes as a member, under several dialects: rows are packed rows of valid JSON, and what comes of them does
 * not depend on the pieces they come in, nor on the index that fields are found by. The first byte chooses the dialect.
 */
#include "fuzz.h"

#include "flow/table_csv_impl.h"
#include "format/json_scan.h"
#include "format/packed_row.h"

static struct rv_packed_column columns[2];

static enum rv_status take_row(void *arg, const char *row, size_t len, struct rv_error *err RV_UNUSED)
{
	struct rv_strbuf *out = arg;
	size_t start = out->len;
	struct rv_json_scan scan;

	rv_strbuf_putc(out, '{');
	CHECK(rv_packed_row_json(columns, 2, row, len, out));
	rv_strbuf_puts(out, "}");
	CHECK(rv_json_scan_object(out->bytes + start, out->len - start, 0, RV_JSON_LINE_MODE, &scan) == RV_JSON_OK);
	CHECK(scan.end == out->len - start);
	rv_strbuf_putc(out, '\n');
	return RV_OK;
}

static enum rv_status take_reject(void *arg, const struct rv_table_reject *r, struct rv_error *err RV_UNUSED)
{
	CHECK(r->line >= 1 && r->reason[0] && r->code[0]);
	rv_strbuf_printf(arg, "!%s %llu:%llu %zu\n", r->code, (unsigned long long)r->line,
			 (unsigned long long)r->offset, r->len);
	return RV_OK;
}

static bool read_in(rv_csv_index_make *make_index, const struct rv_job_table *table, const uint8_t *data,
		    size_t size, size_t piece, struct rv_strbuf *out)
{
	struct rv_source *source = rv_source_mem_new(data, size, piece, UINT64_MAX);
	const struct rv_table_sink sink = { .row = take_row, .reject = take_reject, .arg = out };
	struct rv_table_counts counts;
	struct rv_error err = RV_ERROR_INIT;

	enum rv_status status =
		rv_table_csv_read_by(make_index, table, 1 << 20, source, &sink, &counts, &err);

	CHECK(status == RV_OK || (status == RV_BAD_DATA && err.message[0]));
	rv_source_free(source);
	return status == RV_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct rv_job jobs[6];
	static const char *const dialects[] = { "names: [a, b]", "names: [a, b], quote: \"'\", delimiter: tab",
						"names: [a, b], quote: none, escape: '\\'",
						"names: [a, b], escape: '\\', line_end: cr",
						"encoding: utf-16", "encoding: windows-1252, line_end: crlf" };
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf whole = RV_STRBUF_INIT, pieces = RV_STRBUF_INIT;

	if (!size)
		return 0;
	if (!columns[0].prefix) {
		rv_packed_column_init(&columns[0], "a", false);
		rv_packed_column_init(&columns[1], "b", true);
		for (size_t i = 0; i < 6; i++) {
			RV_CLEANUP(rv_free_p)
			char *text = rv_asprintf("dialect: { %s }\ntables: { t: { member: t, columns: { a: string, b: "
						 "\"decimal(9,2)\" } } }\nloads: { t: {} }\n", dialects[i]);
			struct rv_error err = RV_ERROR_INIT;

			CHECK(rv_job_parse("t.yaml", text, strlen(text), &jobs[i], &err) == RV_OK);
		}
	}
	const struct rv_job_table *table = &jobs[data[0] % 6].tables[0];

	bool failed = !read_in(NULL, table, data + 1, size - 1, 0, &whole);
	const struct rv_csv_indexer *indexers;
	size_t count = rv_csv_indexers(&indexers);

	/* without an index, and by each way of making one */
	for (size_t i = 0; i <= count; i++) {
		rv_strbuf_clear(&pieces);
		CHECK(read_in(i < count ? indexers[i].make : NULL, table, data + 1, size - 1, 1 + data[0] % 7,
			      &pieces) == !failed);
		if (failed) /* how far it came does depend on them */
			continue;
		CHECK(whole.len == pieces.len && memcmp(whole.bytes, pieces.bytes, whole.len) == 0);
	}
	return 0;
}

/*
 * The readers, all formats: whatever comes, the extents of the spans cover the input without gap or
 * overlap, every record is a whole object, rejects hold the bytes they say, and reading in small pieces
 * with limits gives the same as reading at once.
 */
#include "fuzz.h"

#include "format/json_scan.h"
#include "format/reader.h"
#include "format/record_hash.h"
#include "source/source.h"

struct sum {
	uint64_t records, set_hash, record_bytes, rejects, reject_bytes, reject_hash;
	enum rv_format format;
	enum rv_status status;
};

static void check_records(const struct rv_span *s, bool csv_or_text)
{
	uint64_t n = 0, hash = 0;

	for (const char *p = s->bytes, *end = p + s->len; p < end; n++) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		struct rv_json_scan scan;

		CHECK(nl);
		CHECK(rv_json_scan_object(p, (size_t)(nl - p), csv_or_text ? 0 : 64,
					  RV_JSON_LINE_MODE, &scan) == RV_JSON_OK);
		CHECK(scan.end == (size_t)(nl - p));
		hash += rv_record_hash(p, scan.end);
		p = nl + 1;
	}
	CHECK(n > 0 && n == s->records && hash == s->set_hash);
	CHECK(s->len == s->record_bytes + n);
}

static struct sum read_all(const char *p, size_t size, const struct rv_reader_params *params,
			   size_t piece, const struct rv_reader_limits *limits)
{
	RV_CLEANUP(rv_source_free_p) struct rv_source *source =
		rv_source_mem_new(p, size, piece, UINT64_MAX);
	RV_CLEANUP(rv_reader_free_p) struct rv_reader *rd = NULL;
	struct rv_error err = RV_ERROR_INIT;
	struct sum sum = { 0 };
	uint64_t at = 0;

	CHECK(rv_reader_new(source, params, &rd, &err) == RV_OK);
	for (int ends = 0; ends < 2;) {
		struct rv_span s;

		sum.status = rv_reader_next(rd, limits, &s, &err);
		sum.format = rv_reader_format(rd);
		if (sum.status != RV_OK) {
			CHECK(sum.status == RV_BAD_DATA && err.message[0]);
			return sum;
		}
		CHECK(s.kind != RV_SPAN_WAIT);
		CHECK(s.from == at && s.to >= at && s.to <= size);
		at = s.to;
		CHECK(rv_reader_offset(rd) == at);
		if (s.kind == RV_SPAN_RECORDS) {
			check_records(&s, sum.format == RV_FORMAT_CSV || sum.format == RV_FORMAT_TEXT);
			for (const char *q = s.bytes, *end = q + s.len; limits->large_bytes && q < end;) {
				const char *nl = memchr(q, '\n', (size_t)(end - q));

				CHECK(((size_t)(nl - q) > limits->large_bytes) == s.large);
				q = nl + 1;
			}
			CHECK(!limits->max_records || s.records <= limits->max_records);
			sum.records += s.records;
			sum.set_hash += s.set_hash;
			sum.record_bytes += s.record_bytes;
		} else if (s.kind == RV_SPAN_REJECT) {
			CHECK(s.len <= s.to - s.from);
			CHECK(s.len == 0 || memcmp(s.bytes, p + s.to - s.len, s.len) == 0);
			CHECK(s.reason && s.reason_code && s.fault_offset <= size);
			CHECK(!s.more || s.len % 3 == 0);
			sum.rejects += s.first;
			sum.reject_bytes += s.len;
			sum.reject_hash = sum.reject_hash * 31 + rv_record_hash(s.bytes, s.len) +
					  s.fault_offset + s.line;
		} else {
			uint64_t offset, len;

			rv_reader_pending(rd, &offset, &len);
			CHECK(offset == at && offset + len == size);
			CHECK(++ends < 2 || len == 0);
			rv_reader_finish(rd);
		}
	}
	CHECK(at == size);
	return sum;
}

static void check_same(const struct sum *a, const struct sum *b)
{
	CHECK(a->status == b->status && a->format == b->format);
	CHECK(a->records == b->records && a->set_hash == b->set_hash);
	CHECK(a->record_bytes == b->record_bytes);
	CHECK(a->rejects == b->rejects && a->reject_bytes == b->reject_bytes);
	CHECK(a->reject_hash == b->reject_hash);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	/* The first byte says how, the rest is the input. */
	unsigned how = data[0];
	struct rv_reader_params params = { .format = (enum rv_format)(how % 5), .max_depth = 64 };
	struct rv_reader_limits all = { .timeout_ms = -1 };
	struct rv_reader_limits some = { .timeout_ms = -1 };
	const char *p = (const char *)data + 1;

	size--;
	params.max_record_bytes = how & 0x20 ? 24 : 0;
	params.refuse_river_key = how & 0x40;
	some.max_records = how & 0x80 ? 2 : 0;
	some.max_bytes = how & 0x80 ? 0 : 30;
	some.large_bytes = how & 0x10 ? 9 : 0;

	struct sum whole = read_all(p, size, &params, 0, &all);

	for (size_t piece = 1; piece <= 5; piece += 2) {
		struct sum again = read_all(p, size, &params, piece, &some);

		check_same(&whole, &again);
	}
	return 0;
}

/* See the header. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <string.h>

#include "base/memory.h"
#include "format/json_scan.h"
#include "format/record_hash.h"
#include "source/source.h"
#include "unit/reader_util.h"

void read_result_release(struct read_result *r)
{
	rv_strbuf_release(&r->records);
	rv_strbuf_release(&r->rejects);
	rv_strbuf_release(&r->extents);
}

static void check_records(const struct rv_span *s)
{
	uint64_t n = 0, hash = 0, bytes = 0;

	for (const char *p = s->bytes, *end = p + s->len; p < end; n++) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		struct rv_json_scan scan;

		assert_non_null(nl);
		assert_int_equal(rv_json_scan_object(p, (size_t)(nl - p), 0, RV_JSON_LINE_MODE,
						     &scan),
				 RV_JSON_OK);
		assert_int_equal(scan.end, nl - p);
		hash += rv_record_hash(p, (size_t)(nl - p));
		bytes += (uint64_t)(nl - p);
		p = nl + 1;
	}
	assert_true(n > 0);
	assert_int_equal(n, s->records);
	assert_int_equal(hash, s->set_hash);
	assert_int_equal(bytes, s->record_bytes);
}

static uint64_t line_at(const char *p, uint64_t offset)
{
	uint64_t line = 1;

	for (uint64_t i = 0; i < offset; i++)
		line += p[i] == '\n';
	return line;
}

static void take_span(const char *p, size_t len, const struct rv_span *s, struct read_result *ret)
{
	assert_true(s->to <= len);
	if (s->kind == RV_SPAN_RECORDS) {
		check_records(s);
		ret->count += s->records;
		ret->set_hash += s->set_hash;
		ret->record_bytes += s->record_bytes;
		rv_strbuf_add(&ret->records, s->bytes, s->len);
	} else if (s->kind == RV_SPAN_REJECT) {
		assert_true(s->to - s->from >= s->len);
		if (s->len)
			assert_memory_equal(s->bytes, p + s->to - s->len, s->len);
		assert_int_equal(s->line, line_at(p, s->to - s->len));
		if (s->first)
			rv_strbuf_printf(&ret->rejects, "%llu:%s:%llu:",
					 (unsigned long long)s->line, s->reason_code,
					 (unsigned long long)s->fault_offset);
		rv_strbuf_add(&ret->rejects, s->bytes, s->len);
		if (s->more)
			assert_int_equal(s->len % 3, 0);
		else
			rv_strbuf_putc(&ret->rejects, '|');
		ret->reject_count += !s->more;
		rv_strbuf_printf(&ret->extents, "%llu-%llu ", (unsigned long long)s->from,
				 (unsigned long long)s->to);
	}
}

/* The extent of a span, read again alone, gives the same span: so a batch can be done again. */
static void check_extent_again(const char *p, const struct rv_span *want,
			       const struct rv_reader_params *params)
{
	RV_CLEANUP(rv_source_free_p) struct rv_source *source =
		rv_source_mem_new(p, want->to, 0, UINT64_MAX);
	RV_CLEANUP(rv_reader_free_p) struct rv_reader *rd = NULL;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf bytes = RV_STRBUF_INIT;
	struct rv_reader_limits limits = { .timeout_ms = -1 };
	struct rv_error err = RV_ERROR_INIT;
	struct rv_reader_params extent = *params;
	struct rv_span s;

	extent.is_extent = true;
	assert_int_equal(source->ops->seek(source, params->offset, &err), RV_OK);
	assert_int_equal(rv_reader_new(source, &extent, &rd, &err), RV_OK);
	for (;;) {
		if (rv_reader_next(rd, &limits, &s, &err) != RV_OK)
			fail_msg("%s", err.message);
		if (s.kind == RV_SPAN_END)
			break;
		assert_int_equal(s.kind, want->kind);
		rv_strbuf_add(&bytes, s.bytes, s.len);
		/* A fault behind the extent, a '{' that came too early, is an early end now. */
		if (s.kind == RV_SPAN_REJECT && want->fault_offset < want->to)
			assert_string_equal(s.reason_code, want->reason_code);
	}
	assert_int_equal(s.to, want->to);
	assert_int_equal(bytes.len, want->len);
	assert_memory_equal(bytes.bytes, want->bytes, want->len);
}

void read_text(const char *p, size_t len, const struct rv_reader_params *params,
	       const struct read_how *how, struct read_result *ret)
{
	RV_CLEANUP(rv_source_free_p) struct rv_source *source =
		rv_source_mem_new(p, len, how->piece, UINT64_MAX);
	RV_CLEANUP(rv_reader_free_p) struct rv_reader *rd = NULL;
	RV_CLEANUP(rv_free_p) char *header = NULL;
	struct rv_reader_limits limits = {
		.max_records = how->max_records,
		.max_bytes = how->max_bytes,
		.large_bytes = how->large_bytes,
		.timeout_ms = -1,
	};
	struct rv_reader_params now = *params;
	struct rv_span s;
	uint64_t at = 0, n = 0, bytes = 0;

	*ret = (struct read_result){ .records = RV_STRBUF_INIT, .rejects = RV_STRBUF_INIT,
				     .extents = RV_STRBUF_INIT, .err = RV_ERROR_INIT };
	assert_int_equal(rv_reader_new(source, &now, &rd, &ret->err), RV_OK);
	for (bool finished = false;;) {
		ret->status = rv_reader_next(rd, &limits, &s, &ret->err);
		if (ret->status != RV_OK)
			return;
		assert_int_not_equal(s.kind, RV_SPAN_WAIT);
		assert_int_equal(s.from, at);
		assert_true(s.to >= s.from);
		at = s.to;
		assert_int_equal(rv_reader_offset(rd), at);
		assert_int_equal(rv_reader_line(rd), line_at(p, at));
		take_span(p, len, &s, ret);
		if (s.kind == RV_SPAN_END) {
			rv_reader_pending(rd, &ret->pending_offset, &ret->pending_len);
			assert_int_equal(ret->pending_offset + ret->pending_len, len);
			assert_int_equal(ret->pending_offset, at);
			if (finished)
				assert_int_equal(at, len);
			if (finished || how->no_finish)
				return;
			rv_reader_finish(rd);
			finished = true;
		}
		for (const char *q = s.bytes, *end = q + s.len;
		     s.kind == RV_SPAN_RECORDS && how->large_bytes && q < end;) {
			const char *nl = memchr(q, '\n', (size_t)(end - q));

			assert_int_equal((size_t)(nl - q) > how->large_bytes, s.large);
			q = nl + 1;
		}
		if (s.kind == RV_SPAN_RECORDS && (how->max_records || how->max_bytes)) {
			/* A batch: the limits are what is left of it. */
			n += s.records;
			bytes += s.record_bytes;
			if ((how->max_records && n == how->max_records) ||
			    (how->max_bytes && bytes >= how->max_bytes)) {
				rv_strbuf_printf(&ret->extents, "%llu ", (unsigned long long)at);
				n = bytes = 0;
			}
			limits.max_records = how->max_records ? how->max_records - n : 0;
			limits.max_bytes = how->max_bytes ? how->max_bytes - bytes : 0;
		}
		if (how->resume && s.kind != RV_SPAN_END && !s.more) {
			if (s.to > s.from && s.first == (s.kind == RV_SPAN_REJECT))
				check_extent_again(p, &s, &now);
			rv_free_p(&header);
			now.format = rv_reader_format(rd);
			now.offset = at;
			now.line = rv_reader_line(rd);
			now.in_array = rv_reader_in_array(rd);
			if (rv_reader_csv_header(rd))
				now.csv_header = header = rv_strdup(rv_reader_csv_header(rd));
			rv_reader_free_p(&rd);
			if (source->ops->seek(source, at, &ret->err) != RV_OK ||
			    rv_reader_new(source, &now, &rd, &ret->err) != RV_OK)
				fail_msg("%s", ret->err.message);
			if (finished)
				rv_reader_finish(rd);
		}
	}
}

static void same(const struct read_result *a, const struct read_result *b, bool extents)
{
	assert_int_equal(a->status, b->status);
	assert_string_equal(a->err.message, b->err.message);
	assert_string_equal(a->records.bytes, b->records.bytes);
	assert_int_equal(a->records.len, b->records.len);
	assert_int_equal(a->rejects.len, b->rejects.len);
	assert_memory_equal(a->rejects.bytes, b->rejects.bytes, a->rejects.len);
	assert_int_equal(a->count, b->count);
	assert_int_equal(a->set_hash, b->set_hash);
	assert_int_equal(a->pending_offset, b->pending_offset);
	if (extents)
		assert_string_equal(a->extents.bytes, b->extents.bytes);
}

void expect_reading(const char *text, size_t len, const struct rv_reader_params *params,
		    const char *records, const char *rejects)
{
	struct read_result whole;

	read_text(text, len, params, &(struct read_how){ 0 }, &whole);
	if (whole.status != RV_OK)
		fail_msg("%s", whole.err.message);
	assert_string_equal(whole.records.bytes, records);
	if (strcmp(whole.rejects.bytes, rejects) != 0) /* cmocka cuts long texts */
		fail_msg("rejects: %s, expected: %s", whole.rejects.bytes, rejects);
	for (uint64_t limit = 0; limit < 6; limit++) {
		/* Limits in records, in bytes, by size, with and without starting anew at each span. */
		struct read_how how = { .max_records = limit == 1 ? 1 : limit == 2 ? 3 : 0,
					.max_bytes = limit == 3 || limit == 5 ? 20 : 0,
					.large_bytes = limit >= 4 ? 8 : 0 };
		struct read_result first;

		read_text(text, len, params, &how, &first);
		same(&whole, &first, false);
		for (how.piece = 1; how.piece <= (len < 64 ? len : 64);
		     how.piece += READER_SANITIZED ? 1 + how.piece / 2 : 1) {
			struct read_result r;

			how.resume = false;
			read_text(text, len, params, &how, &r);
			same(&first, &r, true);
			read_result_release(&r);
			how.resume = true;
			read_text(text, len, params, &how, &r);
			same(&first, &r, false);
			read_result_release(&r);
		}
		read_result_release(&first);
	}
	read_result_release(&whole);
}

/* Any bytes as a record: what is cut off can be put on again, and what is put on comes off whole. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/memory.h"
#include "format/json_scan.h"
#include "format/stamp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put_on(const char *record, size_t len, const char *text)
{
	const struct rv_stamper_params params = {
		.run = "r", .seq = 1, .full = text != NULL, .host = text, .source = text,
	};
	RV_CLEANUP(rv_stamper_release) struct rv_stamper stamper = RV_STAMPER_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf line = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf out = RV_STRBUF_INIT;
	rv_strbuf_add(&line, record, len);
	rv_json_blank_newlines(line.bytes, line.len);
	rv_strbuf_putc(&line, '\n');
	rv_stamper_begin(&stamper, &params);
	rv_stamper_lines(&stamper, line.bytes, line.len, &out);
	assert(out.len <= line.len + rv_stamper_max_bytes(&stamper));

	struct rv_stamp_id id;
	size_t keep;
	assert(rv_stamp_cut(out.bytes, out.len - 1, &keep, &id));
	assert(keep + 2 == line.len && memcmp(out.bytes, line.bytes, keep) == 0);
	assert(rv_str_is(id.run, "r") && id.seq == 1 && id.n == 1);
	struct rv_json_scan scan;
	/* One level is added, at most to depth two. */
	assert(rv_json_scan_object(out.bytes, out.len - 1, 0, 0, &scan) == RV_JSON_OK);
	assert(scan.end == out.len - 1 && scan.has_river_key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data;
	struct rv_stamp_id id;
	size_t keep;
	if (rv_stamp_cut(p, size, &keep, &id)) {
		char text[RV_STAMP_ID_TEXT];
		assert(keep < size && size - keep < RV_STAMP_MAX_BYTES * 4);
		rv_stamp_id_format(&id, text);
		assert(memmem(p + keep, size - keep, text, strlen(text)));
	}
	struct rv_json_scan scan;
	if (rv_json_scan_object(p, size, 0, 0, &scan) != RV_JSON_OK)
		return 0;
	RV_CLEANUP(rv_free_p) char *text = rv_strndup(p, scan.end);
	put_on(p, scan.end, NULL);
	put_on(p, scan.end, text);
	return 0;
}

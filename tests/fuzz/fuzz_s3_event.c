/*
 * Any bytes as event documents: objects with keys, or a readable refusal; and what was read stays the
 * same when the same document stands there twice.
 */
#include "fuzz.h"

#include "base/strbuf.h"
#include "format/s3_event.h"

static void check_items(const struct rv_s3_events *events)
{
	CHECK(events->count <= events->capacity);
	for (size_t i = 0; i < events->count; i++)
		CHECK(events->items[i].bucket && events->items[i].key && events->items[i].key[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rv_s3_events once = { 0 }, twice = { 0 };
	struct rv_error err = RV_ERROR_INIT;
	/* Exactly the bytes that may be read. */
	RV_CLEANUP(rv_free_p) char *text = rv_malloc(size);

	memcpy(text, data, size);
	enum rv_status status = rv_s3_events_parse(text, size, &once, &err);

	check_items(&once);
	if (status != RV_OK) {
		CHECK(status == RV_BAD_DATA && err.status == status && err.message[0]);
	} else {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf both = RV_STRBUF_INIT;

		rv_strbuf_add(&both, text, size);
		rv_strbuf_putc(&both, '\n');
		rv_strbuf_add(&both, text, size);
		if (both.len <= RV_S3_EVENTS_MAX_BYTES)
			status = rv_s3_events_parse(both.bytes, both.len, &twice, &err);
		CHECK(status == RV_OK);
		check_items(&twice);
		CHECK(twice.count == 2 * once.count && twice.other == 2 * once.other);
		CHECK(twice.test == once.test);
		for (size_t i = 0; i < twice.count; i++) {
			const struct rv_s3_event *a = &once.items[i % once.count], *b = &twice.items[i];

			CHECK(strcmp(a->key, b->key) == 0 && strcmp(a->bucket, b->bucket) == 0);
		}
	}
	rv_s3_events_release(&once);
	rv_s3_events_release(&twice);
	return 0;
}

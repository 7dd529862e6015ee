/* Any bytes for an object of rejects, fed in pieces: damaged, or whole rejects whose lengths agree. */
#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "flow/rejects.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
	uint64_t begun, ended, length, hash;
	bool open;
};

static enum rv_status begin(void *arg, const struct rv_reject *reject, struct rv_error *err RV_UNUSED)
{
	struct seen *seen = arg;
	assert(!seen->open && reject->code && reject->reason && reject->source);
	assert(reject->number == ++seen->begun);
	seen->open = true;
	seen->length = 0;
	return RV_OK;
}

static enum rv_status bytes(void *arg, const void *p, size_t len, struct rv_error *err RV_UNUSED)
{
	struct seen *seen = arg;
	assert(seen->open && len > 0);
	seen->length += len;
	for (size_t i = 0; i < len; i++)
		seen->hash = seen->hash * 31 + ((const unsigned char *)p)[i];
	return RV_OK;
}

static enum rv_status end(void *arg, uint64_t length, struct rv_error *err RV_UNUSED)
{
	struct seen *seen = arg;
	assert(seen->open && length == seen->length);
	seen->open = false;
	seen->ended++;
	return RV_OK;
}

static enum rv_status read_in_pieces(const uint8_t *data, size_t size, size_t piece, struct seen *seen)
{
	struct rv_error err = RV_ERROR_INIT;
	const struct rv_rejects_sink sink = { begin, bytes, end, seen };
	struct rv_rejects_reader *reader = rv_rejects_reader_new("fuzz", &sink);
	enum rv_status status = RV_OK;
	uint64_t count = 0;
	for (size_t at = 0; at < size && status == RV_OK; at += piece)
		status = rv_rejects_reader_feed(reader, data + at,
						size - at < piece ? size - at : piece, &err);
	if (status == RV_OK)
		status = rv_rejects_reader_end(reader, &count, &err);
	assert(status == RV_OK || status == RV_DAMAGED || status == RV_BAD_CONFIG);
	assert(status == RV_OK ? count == seen->ended && !seen->open : err.message[0] != '\0');
	rv_rejects_reader_free(reader);
	return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen whole = { 0 }, cut = { 0 };
	enum rv_status status = read_in_pieces(data, size, size + 1, &whole);
	assert(read_in_pieces(data, size, 3, &cut) == status);
	assert(cut.ended == whole.ended && cut.hash == whole.hash);
	return 0;
}

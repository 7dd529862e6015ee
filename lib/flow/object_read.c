/* Decompresses, splits and hashes in bounded memory. */
#include "flow/object_read.h"

#include <inttypes.h>
#include <string.h>

#include "base/memory.h"
#include "base/strbuf.h"
#include "format/json_scan.h"
#include "format/record_hash.h"
#include "format/stamp.h"
#include "format/unpack.h"

#define PIECE_BYTES (1u << 20)
/* The longest record push lets through; a longer line is damage. */
#define RECORD_MAX_BYTES (256u << 20)

struct reading {
	struct rv_unpack *unpack;
	char *piece;
	struct rv_strbuf rest;   /* a record that goes on in the next piece */
	struct rv_object_content *content;
	struct rv_stamp_set *stamps; /* NULL: lines are records */
	bool (*go_on)(void *arg, const struct rv_object_content *so_far);
	void *arg;
};

static void reading_release(struct reading *reading)
{
	rv_unpack_free(reading->unpack);
	rv_strbuf_release(&reading->rest);
	rv_free_p(&reading->piece);
}

static void count_record(struct reading *reading, const char *p, size_t len)
{
	struct rv_stamp_id stamp;
	size_t keep;
	uint64_t hash = rv_record_hash(p, len);
	reading->content->records++;
	reading->content->whole_hash += hash;
	if (!rv_stamp_cut(p, len, &keep, &stamp)) {
		reading->content->set_hash += hash;
		return;
	}
	reading->content->set_hash += rv_record_hash_cut(p, keep);
	if (reading->stamps)
		rv_stamp_set_add(reading->stamps, stamp.run, stamp.seq, stamp.n, stamp.n);
}

static void count_joined(struct reading *reading, const char *p, size_t len)
{
	struct rv_json_scan scan;
	for (;; p += scan.end, len -= scan.end) {
		while (len && (*p == ' ' || *p == '\t' || *p == '\r')) {
			p++;
			len--;
		}
		if (!len || rv_json_scan_object(p, len, 0, RV_JSON_LINE_MODE, &scan) != RV_JSON_OK)
			return;
		count_record(reading, p, scan.end);
	}
}

static void end_line(struct reading *reading, const char *p, size_t len)
{
	if (reading->rest.len) {
		rv_strbuf_add(&reading->rest, p, len);
		p = reading->rest.bytes;
		len = reading->rest.len;
	}
	if (reading->stamps)
		count_joined(reading, p, len);
	else
		count_record(reading, p, len);
	rv_strbuf_clear(&reading->rest);
}

static enum rv_status take(void *arg, const void *p, size_t len, struct rv_error *err)
{
	struct reading *reading = arg;
	struct rv_str input = { p, len };
	reading->content->bytes += len;
	if (reading->go_on && !reading->go_on(reading->arg, reading->content))
		return rv_fail(err, RV_FAILED, "stopped by a signal");
	for (;;) {
		size_t n;
		if (rv_unpack_step(reading->unpack, &input, reading->piece, PIECE_BYTES, &n, err) !=
		    RV_OK)
			return err->status;
		if (n == 0)
			return RV_OK;
		const char *at = reading->piece, *end = at + n;
		for (const char *line; (line = memchr(at, '\n', (size_t)(end - at))); at = line + 1)
			end_line(reading, at, (size_t)(line - at));
		rv_strbuf_add(&reading->rest, at, (size_t)(end - at));
		if (reading->rest.overflow)
			return rv_fail(err, RV_BAD_DATA, "record %" PRIu64 " is longer than any can be",
				       reading->content->records + 1);
	}
}

enum rv_status rv_object_read_stamps(struct rv_store *lake, const char *name,
				     bool (*go_on)(void *arg, const struct rv_object_content *so_far),
				     void *arg, struct rv_stamp_set *stamps,
				     struct rv_object_content *ret, struct rv_error *err)
{
	RV_CLEANUP(reading_release) struct reading reading = {
		.unpack = rv_unpack_new(rv_ends_with(name, ".zst")  ? RV_PACKING_ZSTD
					: rv_ends_with(name, ".gz") ? RV_PACKING_GZIP
								    : RV_PACKING_NONE),
		.piece = rv_malloc(PIECE_BYTES),
		.rest = RV_STRBUF_INIT,
		.content = ret,
		.stamps = stamps,
		.go_on = go_on,
		.arg = arg,
	};
	*ret = (struct rv_object_content){ .records = 0 };
	rv_strbuf_limit(&reading.rest, RECORD_MAX_BYTES);
	if (lake->ops->read(lake, name, take, &reading, err) != RV_OK ||
	    rv_unpack_end(reading.unpack, err) != RV_OK)
		return err->status;
	if (reading.rest.len)
		end_line(&reading, "", 0);
	return RV_OK;
}

enum rv_status rv_object_read(struct rv_store *lake, const char *name,
			      bool (*go_on)(void *arg, const struct rv_object_content *so_far),
			      void *arg, struct rv_object_content *ret, struct rv_error *err)
{
	return rv_object_read_stamps(lake, name, go_on, arg, NULL, ret, err);
}

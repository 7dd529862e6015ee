/*
 * Reading lake objects again: what is in them, record by record, against what their names say. A
 * listing cannot tell an object that was changed in place.
 */
#include <inttypes.h>
#include <string.h>

#include "base/memory.h"
#include "base/number.h"
#include "flow/reconcile_impl.h"
#include "format/record_hash.h"
#include "format/unpack.h"

#define PIECE_BYTES (1u << 20)
/* The longest record push lets through; a longer line is damage. */
#define RECORD_MAX_BYTES (256u << 20)

struct reading {
	struct rv_unpack *unpack;
	char *piece;
	struct rv_strbuf rest;   /* a record that goes on in the next piece */
	uint64_t records, set_hash;
	bool (*should_stop)(void);
};

static void reading_release(struct reading *reading)
{
	rv_unpack_free(reading->unpack);
	rv_strbuf_release(&reading->rest);
	rv_free_p(&reading->piece);
}

static void end_record(struct reading *reading, const char *p, size_t len)
{
	if (reading->rest.len) {
		rv_strbuf_add(&reading->rest, p, len);
		p = reading->rest.bytes;
		len = reading->rest.len;
	}
	reading->records++;
	reading->set_hash += rv_record_hash(p, len);
	rv_strbuf_clear(&reading->rest);
}

static enum rv_status take(void *arg, const void *p, size_t len, struct rv_error *err)
{
	struct reading *reading = arg;
	struct rv_str input = { p, len };
	if (reading->should_stop && reading->should_stop())
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
			end_record(reading, at, (size_t)(line - at));
		rv_strbuf_add(&reading->rest, at, (size_t)(end - at));
		if (reading->rest.overflow)
			return rv_fail(err, RV_BAD_DATA, "record %" PRIu64 " is longer than any can be",
				       reading->records + 1);
	}
}

static enum rv_status read_object(struct reconcile *r, const struct rc_object *o,
				  struct reading *reading, struct rv_error *err)
{
	enum rv_packing packing = rv_ends_with(o->name, ".zst")	 ? RV_PACKING_ZSTD
				  : rv_ends_with(o->name, ".gz") ? RV_PACKING_GZIP
								 : RV_PACKING_NONE;
	reading->unpack = rv_unpack_new(packing);
	reading->piece = rv_malloc(PIECE_BYTES);
	rv_strbuf_limit(&reading->rest, RECORD_MAX_BYTES);
	struct rv_store *lake = r->params->lake;
	if (lake->ops->read(lake, o->name, take, reading, err) != RV_OK ||
	    rv_unpack_end(reading->unpack, err) != RV_OK)
		return err->status;
	if (reading->rest.len)
		end_record(reading, "", 0);
	return RV_OK;
}

static enum rv_status verify(struct reconcile *r, const struct rc_object *o, struct rv_error *err)
{
	char a[RV_NUMBER_TEXT], b[RV_NUMBER_TEXT];
	RV_CLEANUP(reading_release) struct reading reading = { .rest = RV_STRBUF_INIT,
							       .should_stop = r->params->should_stop };
	enum rv_status status = read_object(r, o, &reading, err);
	struct rv_finding f = {
		.code = status == RV_NOT_FOUND ? RV_FINDING_OBJECT_MISSING : RV_FINDING_OBJECT_ALTERED,
		.level = RV_FINDING_WRONG,
		.object = o->name,
		.run = rc_run_at(r, o->run)->name,
		.has_seq = true,
		.seq = o->seq,
		.has_counts = true,
		.expected = o->records,
		.found = reading.records,
		.age_ms = -1,
	};
	if (status == RV_NOT_FOUND)
		rc_find(r, &f, "%s went while this was looking", o->name);
	else if (status == RV_BAD_DATA)
		rc_find(r, &f, "%s cannot be read to its end: %s", o->name, err->message);
	else if (status != RV_OK)
		return rv_context(err, "read %s", o->name);
	else if (reading.records != o->records)
		rc_find(r, &f, "%s holds %s records, not the %s its name says", o->name,
			rv_format_count(reading.records, a), rv_format_count(o->records, b));
	else if (reading.set_hash != o->set_hash)
		rc_find(r, &f, "%s holds records of the set hash %016" PRIx64
			", not the one its name says", o->name, reading.set_hash);
	return RV_OK;
}

enum rv_status rc_verify_objects(struct reconcile *r, struct rv_error *err)
{
	uint64_t total = 0, done = 0;
	for (size_t i = 0; i < r->ordered_count; i++)
		total += rc_object_at(r, r->ordered[i])->bytes;
	for (size_t i = 0; i < r->ordered_count; i++) {
		const struct rc_object *o = rc_object_at(r, r->ordered[i]);
		if (verify(r, o, err) != RV_OK)
			return err->status;
		done += o->bytes;
		if (r->params->progress)
			r->params->progress(r->params->arg, done, total);
	}
	return RV_OK;
}

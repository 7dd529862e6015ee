/*
 * The record that makes a named run repeatable from any host (semantics.md 5.2): its folder and
 * batch limits, fixed in the lake by whoever comes first.
 *
 *   _river/runs/<business>/<stream>/<run>.json
 *   _river/runs/<business>/<stream>/<run>/<seq %06u>       the name of that batch
 *
 * Nothing else says what batch 3 of a run is before it is there. A service that names its objects itself
 * leaves nothing behind at all: a host that is killed half-way and another one with other input under the
 * same name would send different records under the same stamps, and the clean layer would keep one of each
 * pair. An object's name holds counts and hash, so two inputs at once would each find nothing of the other
 * and both put an object of the same run and number. So the first one to accept a batch of a named run
 * says in the lake which it is; behind the last one it says that there are no more.
 */
#ifndef RV_FLOW_RUN_RECORD_H
#define RV_FLOW_RUN_RECORD_H

#include <stdint.h>

#include "base/error.h"
#include "config/stream.h"
#include "store/store.h"

#define RV_RUN_RECORD_VERSION 1

struct rv_run_record {
	char folder[24];
	uint64_t batch_record_bytes; /* uncompressed */
	uint64_t batch_records;      /* 0: no limit */
	enum rv_output_compression compression;
};

/* The record as it is in the lake; made from `batch_bytes` (a compressed size), the delivery's
 * `batch_record_bytes` (0: none), `batch_records` and
 * the stream's compression when there is none. */
enum rv_status rv_run_record_fix(struct rv_store *lake, const struct rv_stream *stream,
				 const char *run, uint64_t batch_bytes, uint64_t batch_record_bytes,
				 uint64_t batch_records,
				 int64_t now_ms, struct rv_run_record *ret,
				 struct rv_error *err) RV_MUST_CHECK;

/* Batch `seq` of the run is the one called `name`; NULL: there is none of this number, nor behind it.
 * RV_CONFLICT: something else was said first. */
enum rv_status rv_run_record_claim(struct rv_store *lake, const struct rv_stream *stream, const char *run,
				   uint64_t seq, const char *name, struct rv_error *err) RV_MUST_CHECK;

#endif

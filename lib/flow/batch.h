/*
 * Building one batch: records are compressed as they come, rejects are written beside, counts and
 * hashes are kept. A finished batch is complete in memory or in a file before anything is sent.
 */
#ifndef RV_FLOW_BATCH_H
#define RV_FLOW_BATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/strbuf.h"
#include "config/stream.h"
#include "format/compress.h"
#include "format/reader.h"
#include "spool/run.h"
#include "store/store.h"

/* Bytes that grow: in memory first, in a file when they get many. */
struct rv_body {
	struct rv_strbuf memory;  /* used while fd < 0 */
	int fd;
	uint64_t len;
	uint64_t kicked;          /* bytes whose write-back has been started */
	char *path;               /* spooled bodies: the file's name */
	struct rv_store *store;   /* owner of `stage` */
	struct rv_store_stage *stage;
};
#define RV_BODY_INIT { .memory = RV_STRBUF_INIT, .fd = -1 }
void rv_body_release(struct rv_body *body); /* an unused stage is discarded; a spool file stays */

struct rv_finished {
	struct rv_batch_entry entry;
	struct rv_body body;      /* compressed records */
	struct rv_body rejects;   /* NDJSON, see rejects.h */
};
void rv_finished_release(struct rv_finished *finished);

struct rv_batcher_params {
	const struct rv_stream *stream;
	struct rv_store *lake;    /* bodies grow where the lake can take them without copying */
	unsigned threads;         /* for the compressor */
	size_t memory_bytes;      /* bodies up to this stay in memory; 0: 1 MiB */
};
struct rv_batcher;
enum rv_status rv_batcher_new(const struct rv_batcher_params *params, struct rv_batcher **ret,
			      struct rv_error *err) RV_MUST_CHECK;
void rv_batcher_free(struct rv_batcher *batcher);

/* How the batches that begin from now on are compressed; before that as the stream says. */
enum rv_status rv_batcher_compression(struct rv_batcher *batcher,
				      enum rv_output_compression compression,
				      struct rv_error *err) RV_MUST_CHECK;
/* Start batch `seq` of `run` (borrowed until finish). Its records are stamped as the stream says,
 * from the run's name, start, host and source alone: made again it has the same bytes. */
enum rv_status rv_batcher_begin(struct rv_batcher *batcher, const struct rv_run *run, uint64_t seq,
				struct rv_error *err) RV_MUST_CHECK;
bool rv_batcher_open(const struct rv_batcher *batcher);
/* Add a RECORDS or REJECT span. `label` names where it came from, in rejects. */
enum rv_status rv_batcher_add(struct rv_batcher *batcher, const struct rv_span *span,
			      const char *label, struct rv_error *err) RV_MUST_CHECK;
/* What is in the open batch. */
uint64_t rv_batcher_compressed_bytes(const struct rv_batcher *batcher);
const struct rv_batch_entry *rv_batcher_entry(const struct rv_batcher *batcher);
/* The batch as it is now, complete, with its object names; the batcher is free for the next. */
enum rv_status rv_batcher_finish(struct rv_batcher *batcher, struct rv_finished *ret,
				 struct rv_error *err) RV_MUST_CHECK;
void rv_batcher_abandon(struct rv_batcher *batcher);

#endif

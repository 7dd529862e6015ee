/*
 * Receipts: what a run leaves behind in the lake (semantics.md 2). `open` before its first object,
 * closed, with the counts in its name, at its end. A run without one is foreign.
 *
 *   _river/receipts/<business>/<stream>/<day>/<run>-open.json
 *   _river/receipts/<business>/<stream>/<day>/<run>-a<accepted>-x<rejected>-b<batches>-h<hash>.json
 */
#ifndef RV_FLOW_RECEIPT_H
#define RV_FLOW_RECEIPT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "config/stream.h"
#include "flow/object_name.h"
#include "spool/run.h"
#include "store/store.h"

#define RV_RECEIPT_VERSION 1
/* Whoever reads one reads so much of it: names of millions of batches. */
#define RV_RECEIPT_MAX_BYTES (256u << 20)

struct rv_receipt_name {
	char business[RV_BUSINESS_MAX + 1];
	char stream[RV_STREAM_NAME_MAX + 1];
	char day[12];
	char run[RV_RUN_MAX + 1];
	bool open;
	uint64_t accepted, rejected, batches, set_hash; /* 0 when open */
};
void rv_receipt_name_format(const struct rv_receipt_name *name, char ret[RV_OBJECT_NAME_MAX]);
bool rv_receipt_name_parse(const char *text, struct rv_receipt_name *ret);
/* "_river/receipts/<business>/<stream>/" */
void rv_receipt_prefix(const struct rv_stream *stream, char ret[RV_OBJECT_NAME_MAX]);

/* The document of a run as it stands: what --receipt writes too. New reference. */
json_t *rv_receipt_json(const struct rv_stream *stream, struct rv_run *run, const char *state);
/* Fine when it is there already, which *ret_there says. */
enum rv_status rv_receipt_put_open(struct rv_store *lake, const struct rv_stream *stream,
				   struct rv_run *run, bool *ret_there,
				   struct rv_error *err) RV_MUST_CHECK;
/* The document of the closed receipt of a named run; *ret NULL when the run was never closed. */
enum rv_status rv_receipt_find_closed(struct rv_store *lake, const struct rv_stream *stream,
				      const struct rv_run *run, json_t **ret,
				      struct rv_error *err) RV_MUST_CHECK;
/* Forget that the run is open: it was found to be closed before. */
enum rv_status rv_receipt_remove_open(struct rv_store *lake, const struct rv_stream *stream,
				      const struct rv_run *run, struct rv_error *err) RV_MUST_CHECK;
/* Puts the closed receipt, then removes the open one. RV_CONFLICT when the run has been closed with
 * other counts before (another input under a used --run). */
enum rv_status rv_receipt_put_closed(struct rv_store *lake, const struct rv_stream *stream,
				     struct rv_run *run, struct rv_error *err) RV_MUST_CHECK;

#endif

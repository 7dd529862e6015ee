/*
 * From the lake into the warehouse: which objects of a stream are not loaded yet, and loading them.
 *
 * Pending is what the lake lists under the stream's prefix (behind `since` for a stream created
 * fresh) and the warehouse's ledger does not have as loaded; an object whose load failed stays
 * pending, and so does one that a pipe has in its queue, as QUEUED. Objects that Firehose wrote for the stream, by their names, are pending like river's own.
 * Foreign objects, whose names are neither's, are counted and never pending: somebody has to name
 * them (`river snowpipe notify STREAM PATH`).
 */
#ifndef RV_FLOW_LOAD_H
#define RV_FLOW_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "config/stream.h"
#include "store/store.h"
#include "warehouse/warehouse.h"

struct rv_pending {
	struct rv_load *items;     /* state PENDING or QUEUED, in order of their names */
	size_t count;
	size_t queued;             /* of these */
	uint64_t bytes;
	int64_t oldest_ms;         /* when the oldest of them appeared in the lake; 0: none */
	uint64_t loaded;           /* listed and in the ledger */
	uint64_t foreign;          /* listed, not river's or Firehose's, not in the ledger */
	char *first_foreign;       /* NULL: none */
};
enum rv_status rv_pending_find(struct rv_store *lake, struct rv_warehouse *warehouse,
			       const struct rv_stream *stream, struct rv_pending *ret,
			       struct rv_error *err) RV_MUST_CHECK;
void rv_pending_release(struct rv_pending *pending);

struct rv_load_sum {
	uint64_t objects, rows, rejected, failed, known, queued;
	char first_failed[1024];   /* "<object>: <message>", "" when none did */
	uint64_t streams_failed;   /* by rv_load_all */
	char first_stream_failed[1280]; /* "<stream>: <message>", likewise */
};
void rv_load_sum_add(struct rv_load_sum *sum, const struct rv_load *items, size_t count);

typedef bool rv_load_progress(void *arg, uint64_t rows, uint64_t bytes);

/* Finds and loads what is pending; nothing where the warehouse is `remote`. `progress` Optional, as
 * in the warehouse's load. A failed object is no error: it is in the sum. */
enum rv_status rv_load_stream(struct rv_store *lake, struct rv_warehouse *warehouse,
			      const struct rv_stream *stream, rv_load_progress *progress, void *arg,
			      struct rv_load_sum *sum, struct rv_error *err) RV_MUST_CHECK;
/* The same for every stream of the lake whose pipe is `auto`. The warehouse is opened only
 * when there are objects, and for writing only when something is pending. A lake that is not there
 * has no streams. A stream that fails is no error either: the others are loaded, and it is in the
 * sum. A catalog that cannot be listed and a warehouse that cannot be opened are. */
enum rv_status rv_load_all(struct rv_store *lake, struct rv_warehouse *warehouse,
			   rv_load_progress *progress, void *arg, struct rv_load_sum *sum,
			   struct rv_error *err) RV_MUST_CHECK;

#endif

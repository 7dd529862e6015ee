/*
 * What a rebuild would lose: making a stream's tables again begins with dropping them, and what the
 * ledger has loaded comes back only when the lake still has it as it was.
 */
#ifndef RV_FLOW_REBUILD_H
#define RV_FLOW_REBUILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "config/stream.h"
#include "store/store.h"
#include "warehouse/warehouse.h"

struct rv_rebuild_object {
	char *name;
	uint64_t bytes;    /* compressed; 0 when only raw knows the object */
	uint64_t rows;     /* of it in raw */
	char *lost;        /* why it cannot be loaded again; NULL when it can */
};
struct rv_rebuild {
	struct rv_rebuild_object *objects; /* in the ledger or in raw, in order of their names */
	size_t count, capacity;
	uint64_t lost, lost_rows;
	const struct rv_rebuild_object *first_lost; /* NULL: none */
};

/* Reads every object that the ledger has as loaded, or raw has rows of, to its end: one of river's
 * must hold what its name says, a foreign one must be as long as it was. `progress` (Optional) is called between
 * pieces; returning false ends with RV_FAILED. Changes nothing. */
enum rv_status rv_rebuild_check(struct rv_store *lake, struct rv_warehouse *warehouse,
				const struct rv_stream *stream,
				bool (*progress)(void *arg, uint64_t rows, uint64_t bytes), void *arg,
				struct rv_rebuild *ret, struct rv_error *err) RV_MUST_CHECK;
void rv_rebuild_release(struct rv_rebuild *rebuild);

#endif

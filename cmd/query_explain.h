/* Saying in river's words what the engine says in its own: which table was meant, and that a stream
 * has nothing loaded yet. */
#ifndef RIVER_QUERY_EXPLAIN_H
#define RIVER_QUERY_EXPLAIN_H

#include "base/error.h"
#include "store/store.h"

/* Rewrites an error about a table that is not there; leaves others as they are. `lake` NULL: the
 * tables are files (--from). */
void river_query_explain(struct rv_store *lake, const char *sql, struct rv_error *err);

#endif

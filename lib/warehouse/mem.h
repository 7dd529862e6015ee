/*
 * A warehouse in memory, for tests of what stands above: it keeps raw rows as counts and set hashes
 * per object and a ledger, and fails when told to. No layers, no SQL (query is RV_USAGE).
 */
#ifndef RV_WAREHOUSE_MEM_H
#define RV_WAREHOUSE_MEM_H

#include <stdbool.h>
#include <stdint.h>

#include "store/store.h"
#include "warehouse/warehouse.h"

/* `store` is borrowed; objects must be uncompressed NDJSON or zstd. */
struct rv_warehouse *rv_warehouse_mem_new(struct rv_store *store);
/* Operation number `fail_at` (from 1; each object of a load is one) fails with `fail_status`, once
 * or, with `forever`, from then on; 0 never. A load that fails has loaded the objects before. */
void rv_warehouse_mem_fail(struct rv_warehouse *warehouse, uint64_t fail_at, bool forever,
			   enum rv_status fail_status);
/* From now on it is a `remote` one, without set hashes: what is loaded without `wait` is queued, until it
 * is loaded with it. */
void rv_warehouse_mem_remote(struct rv_warehouse *warehouse);
/* As if somebody had deleted one row by hand: of this object, of this hash. */
void rv_warehouse_mem_lose_row(struct rv_warehouse *warehouse, const char *object, uint64_t hash);

#endif

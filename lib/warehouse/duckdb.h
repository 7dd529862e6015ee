/*
 * The embedded warehouse: one DuckDB file, opened only while needed and under river's own lock.
 *
 * Tables of stream web/clicks: web.clicks (record JSON, file_name, file_row, loaded_at),
 * web.clicks_clean, web.clicks_latest (a view of the living rows), web.clicks_refused (file_name,
 * file_row, loaded_at, column_name, reason, value, record). River's own bookkeeping is the schema
 * _river: loads (the ledger), streams (the definition each table was made for), format (its
 * version), and tables named "web/clicks/..." behind the layers.
 *
 * Across processes a reader blocks a writer and the reverse (DuckDB locks the file); river's lock,
 * <real path>.lock, makes them wait for each other instead of failing.
 */
#ifndef RV_WAREHOUSE_DUCKDB_H
#define RV_WAREHOUSE_DUCKDB_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "store/store.h"
#include "warehouse/warehouse.h"

struct rv_duckdb_params {
	const char *path;            /* Optional: the file, made by the first load. NULL: memory */
	uint64_t memory_limit_bytes; /* 0: 1 GiB */
	uint64_t threads;            /* 0: as many as there are cores */
	int64_t lock_timeout_ms;     /* 0: do not wait; -1: wait for ever */
	int (*stop)(void);           /* Optional: asked now and then; not 0 ends a query or load */
	void (*note)(const char *fmt, ...) RV_PRINTF(1, 2); /* Optional: "waiting for ..." */
	/* Optional, for queries: each file becomes a view named by its base name (clicks.ndjson.gz is
	 * clicks), the first one also `t`. ndjson, json, csv, tsv and parquet, plain or, but for
	 * parquet, .gz and .zst. Of a ZIP archive each member that is
	 * csv, tsv, txt, ndjson or jsonl is one, whatever packs it. */
	const char *const *files;
	size_t files_count;
};

/* Opens nothing yet. `store` (the lake; NULL for queries alone) and the strings in `params` are
 * borrowed until it is freed. */
struct rv_warehouse *rv_warehouse_duckdb_new(const struct rv_duckdb_params *params,
					     struct rv_store *store);

/* Writes Parquet; lib/warehouse/parquet.h. The library is loaded now (statuses as rv_duckdb_api), the engine
 * started by the first file. 0: 1 GiB, which bounds how many files are written at once. */
struct rv_parquet;
enum rv_status rv_parquet_duckdb_new(uint64_t memory_limit_bytes, struct rv_parquet **ret,
				     struct rv_error *err) RV_MUST_CHECK;

/* For `river doctor`: where the library is and its version, each into a buffer of `size` bytes.
 * Statuses as rv_duckdb_api. */
enum rv_status rv_duckdb_locate(char *ret_path, char *ret_version, size_t size,
				struct rv_error *err) RV_MUST_CHECK;

#endif

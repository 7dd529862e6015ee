/* DuckDB's log beside its file, after a power cut. */
#ifndef RV_WAREHOUSE_DUCKDB_LOG_H
#define RV_WAREHOUSE_DUCKDB_LOG_H

#include <stdbool.h>

/*
 * Cuts off what reads as zeros at the end of the log of the warehouse `path`: bytes that were being written when
 * the power went, and of which only the length came to the disk (XFS does that). DuckDB takes a log that ends in
 * the middle of an entry, but refuses the file for ever for such a one. Nothing that was committed goes with it:
 * an entry ends with 0xffff. For whoever has river's lock and was refused by DuckDB, so that no program is
 * writing to it. False: there is nothing to cut, or it cannot be done.
 */
bool duck_log_cut_zeros(const char *path);

#endif

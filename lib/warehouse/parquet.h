/*
 * Packed rows into Parquet files, through an engine that knows how.
 *
 * Types are those of the columns, each with its logical type; all columns may be null: string (STRING),
 * integer (INT64), decimal(p,s) (DECIMAL), double, boolean, date (DATE), timestamp (microseconds, adjusted to
 * UTC), json (JSON). Rows are in the file in the order they came, and equal rows make equal bytes, as long as
 * the engine is the same.
 *
 * A file is written by one thread, several files by several threads. Memory: `file_bytes` each at most,
 * unless rows are larger.
 */
#ifndef RV_WAREHOUSE_PARQUET_H
#define RV_WAREHOUSE_PARQUET_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "config/job.h"
#include "config/stream.h"

struct rv_parquet_params {
	const char *label;           /* what the file is called in messages */
	const struct rv_column *columns;
	size_t columns_count;
	enum rv_job_pages pages;
	int fd;                      /* a file, open for reading and writing; what it holds goes */
};
struct rv_parquet;
struct rv_parquet_file;
struct rv_parquet_ops {
	const char *name;
	/* Strings, columns and descriptor are borrowed until the file is freed. */
	enum rv_status (*begin)(struct rv_parquet *, const struct rv_parquet_params *,
				struct rv_parquet_file **ret, struct rv_error *err);
	/* A row of all columns, with values as flow/table_value.h makes them of the same columns. */
	enum rv_status (*row)(struct rv_parquet_file *, const char *row, size_t len, struct rv_error *err);
	/* The file is whole; it is not yet durable. */
	enum rv_status (*end)(struct rv_parquet_file *, uint64_t *ret_bytes, struct rv_error *err);
	/* Ended or not; takes NULL. */
	void (*file_free)(struct rv_parquet_file *);
	void (*free)(struct rv_parquet *);
};
struct rv_parquet {
	const struct rv_parquet_ops *ops;
	unsigned files_max;          /* how many may be written at once */
};

void rv_parquet_free(struct rv_parquet *parquet);

#endif

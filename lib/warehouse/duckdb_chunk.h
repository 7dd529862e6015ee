/*
 * Packed rows as columns of values, laid out as DuckDB has them in its vectors: what one thread fills another
 * one gives to DuckDB by copying whole columns. Texts lie in the chunk, beside their rows, and are not copied
 * again: they are valid until the chunk is cleared.
 */
#ifndef RV_WAREHOUSE_DUCKDB_CHUNK_H
#define RV_WAREHOUSE_DUCKDB_CHUNK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/stream.h"
#include "warehouse/duckdb_api.h"

struct duck_chunk_column {
	const struct rv_column *column;
	size_t width;            /* bytes of a value */
	void *values;
	uint64_t *valid;         /* a bit for each row */
	bool has_null;
};
struct duck_rows {
	struct duck_rows *next;  /* for whoever has several */
	struct duck_chunk_column *columns;
	size_t columns_count;
	size_t count, most;      /* rows */
	char *text;
	size_t text_len, text_capacity;
};

/* DuckDB's type of a column; to be destroyed. */
duck_type duck_type_of(const struct rv_duckdb_api *api, const struct rv_column *column);
/* At most `most` rows, fewer when there are many columns. The columns are borrowed. */
struct duck_rows *duck_rows_new(const struct rv_column *columns, size_t count, size_t most);
void duck_rows_free(struct duck_rows *rows); /* takes NULL */
void duck_rows_clear(struct duck_rows *rows);
/* False: it is full, and not empty. */
bool duck_rows_add(struct duck_rows *rows, const char *row, size_t len);
/* The columns into those of `output`, which borrows the texts. */
void duck_rows_give(const struct duck_rows *rows, const struct rv_duckdb_api *api, duck_chunk output);

#endif

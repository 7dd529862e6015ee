/*
 * Tables of extracts. Every version of a row is kept with the extract it came in: an `append` table is a
 * view of all of them, a `merge` table has the newest of each key, by the declared order of the extracts and
 * within one by place. So an extract that comes late, or again, cannot undo a newer one, and a replaced one
 * takes what it had brought with it.
 */
#ifndef RV_WAREHOUSE_EXTRACT_H
#define RV_WAREHOUSE_EXTRACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/stream.h"

struct rv_extract_table {
	const char *schema, *name;
	const struct rv_column *columns;
	size_t columns_count;
	const struct rv_string_list *key;    /* may be empty unless `merge` */
	bool merge;
	const char *delete_column, *delete_equals; /* Optional, both or none; merge */
	/* NDJSON in the lake, in the order of the rows, and how many those are. */
	char *const *objects;
	size_t objects_count;
	uint64_t rows;
	/* Filled: keys that were in the extract more than once, of which the last row counts. */
	uint64_t repeated;
};
struct rv_extract {
	const char *job;
	const char *identity;     /* of what is in it */
	const char *name;         /* of the archive; for people, and for `replace` */
	const char *order;        /* among the extracts of the job, bytewise */
	const char *summary;      /* JSON, kept in the ledger */
	bool replace;             /* the same extract, or another one of that name, gives way to this one */
	struct rv_extract_table *tables;
	size_t tables_count;
};

#endif

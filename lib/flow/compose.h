/*
 * Documents out of rows: the rows of several tables, in any order, become one nested JSON object
 * for each row of a root table, with lists of its children, their children, and rows looked up by
 * key.
 *
 * Rows are dealt into groups by the key they will be joined by. A group fits the cache, so a join
 * never waits for memory; what does not fit the memory waits in unlinked files, each piece with a
 * checksum. The tree is joined from its leaves up: children into parents, these, dealt anew, into
 * theirs. Nothing has to know which root a grandchild belongs to, so nothing grows with the number
 * of keys. What is looked up
 * (`many` false, by a column that is not the parent's key) stays in memory where it is small, and
 * is joined like all else where it is not.
 *
 * The documents depend on the rows alone: neither the order in which they come, nor memory, nor
 * threads change a byte. Keys of a document: the columns in their order, then the nests in theirs.
 * Children: by order_by, then by their table's key, then by their bytes; nulls last. Documents come
 * in the order of a hash of the root's key, so shard 0/2 and then 1/2 is what the whole would have
 * been.
 *
 * Keys are equal when their texts are: columns that are joined should have one type. Null is equal
 * to nothing. What does not fit together is counted and not an error; the caller judges.
 *
 * rv_compose_row may be called for different tables from different threads, all else from one.
 */
#ifndef RV_FLOW_COMPOSE_H
#define RV_FLOW_COMPOSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/strbuf.h"

#define RV_COMPOSE_MEMORY_MIN (8u << 20)
#define RV_COMPOSE_DEPTH_MAX 32
#define RV_COMPOSE_EXAMPLES 3
#define RV_COMPOSE_EXAMPLE_BYTES 128

struct rv_compose_column {
	const char *name;
	bool literal; /* values are JSON as they stand */
	bool number;  /* they are numbers, and in that order; else bytes are */
	bool hidden;  /* not in documents */
};
struct rv_compose_table {
	const char *name;
	const struct rv_compose_column *columns; /* of its packed rows */
	size_t columns_count;
	const size_t *key; /* columns; Required for the root */
	size_t key_count;
};
struct rv_compose_on {
	size_t child, parent; /* columns of the nested table, and of the one around it */
};
struct rv_compose_order {
	size_t column;
	bool descending;
};
struct rv_compose_nest {
	const char *field;
	size_t table;
	const struct rv_compose_on *on;
	size_t on_count;
	bool many;    /* a list; else one object, or null */
	bool hide_on; /* the child's columns of `on` are not repeated in it */
	const struct rv_compose_order *order_by;
	size_t order_by_count;
	const struct rv_compose_nest *nests;
	size_t nests_count;
};
/* Copied as far as it is needed. */
struct rv_compose_spec {
	const struct rv_compose_table *tables;
	size_t tables_count;
	size_t root;
	const struct rv_compose_nest *nests;
	size_t nests_count;
};

struct rv_compose_params {
	uint64_t max_memory_bytes; /* Required; at least RV_COMPOSE_MEMORY_MIN */
	const char *spill_folder;  /* Required; nothing is left in it */
	unsigned threads; /* of rv_compose_finish; 0: 1. At most one for each 4 MiB of memory */
	unsigned shard, shards;    /* one of so many; 0: all in one */
	bool (*should_stop)(void); /* Optional; then RV_FAILED */
};

/* A document on its way out; all is valid for the call. */
struct rv_compose_document {
	const char *row; /* the root's packed row */
	size_t row_len;
	const char *json;
	size_t len;
};
/* Documents one after another, in their order; other than RV_OK ends the composing. Calls come from
 * threads of the composer, never two at once. */
typedef enum rv_status rv_compose_sink(void *arg, const struct rv_compose_document *document,
				       struct rv_error *err);

/* Keys as text, commas between columns; the first ones in bytewise order, whatever came first. */
struct rv_compose_examples {
	size_t count;
	char text[RV_COMPOSE_EXAMPLES][RV_COMPOSE_EXAMPLE_BYTES];
};
struct rv_compose_nest_totals {
	char *path;       /* "orders.lines" */
	uint64_t orphans; /* rows without parent, also those without a key */
	uint64_t missing; /* of what is looked up: parents that found none; composed ones count */
	uint64_t
		several; /* more than one where one may be: keys, of which the first row is taken */
	uint64_t repeated_parents; /* parents beyond the first that the same children went into */
	struct rv_compose_examples orphan, missed, severals, repeated;
};
struct rv_compose_totals {
	uint64_t rows, documents, document_bytes;
	uint64_t repeated_roots; /* rows with the key of another root; the first in bytewise order
				    stays */
	uint64_t keyless_roots;  /* rows with a null in their key: no document */
	struct rv_compose_examples repeated;
	uint64_t spilled_bytes;
	uint64_t peak_bytes;                  /* of what counts against max_memory_bytes */
	struct rv_compose_nest_totals *nests; /* in the order of the job, each before those in it */
	size_t nests_count;
};

struct rv_compose;
/* RV_BAD_CONFIG: too little memory, a field that is there twice, nests too deep. */
enum rv_status rv_compose_new(const struct rv_compose_spec *spec,
			      const struct rv_compose_params *params, struct rv_compose **ret,
			      struct rv_error *err) RV_MUST_CHECK;
/* A packed row (format/packed_row.h). RV_BAD_DATA: it is none of this table. */
enum rv_status rv_compose_row(struct rv_compose *compose, size_t table, const char *row, size_t len,
			      struct rv_error *err) RV_MUST_CHECK;
/* All rows were given. To be called once. RV_BAD_DATA: what belongs to one key is more than the
 * memory allows; RV_LOCAL_IO: it could not be spilled; RV_DAMAGED: what was spilled did not come
 * back. */
enum rv_status rv_compose_finish(struct rv_compose *compose, rv_compose_sink *sink, void *arg,
				 struct rv_error *err) RV_MUST_CHECK;
/* Valid as long as the composer. */
const struct rv_compose_totals *rv_compose_totals(const struct rv_compose *compose);
void rv_compose_free(struct rv_compose *compose); /* NULL is fine */
void rv_compose_free_p(struct rv_compose **compose);

#endif

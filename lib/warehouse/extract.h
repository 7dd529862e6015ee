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

#include "base/error.h"
#include "base/strbuf.h"
#include "config/stream.h"

/* Numbers and times in orders are written with so many digits. */
#define RV_EXTRACT_ORDER_DIGITS 20

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
	/* Filled: it was merged by another key so far, and is made anew of all its versions; */
	bool other_key;
	/* keys that were in the extract more than once, of which the last row counts. */
	uint64_t repeated;
};
/* A document, as a tree over these tables: the root first, each nested table behind the one around it. */
struct rv_extract_on {
	const char *child, *parent; /* columns of the nested table, and of the one around it */
};
struct rv_extract_node {
	size_t table, parent;     /* index of the table, and of the node around it */
	struct rv_extract_on *on; /* none for the root */
	size_t on_count;
	bool touch;               /* a changed row changes the documents it is in */
};
struct rv_extract_document {
	const char *name;
	struct rv_extract_node *nodes;
	size_t nodes_count;
};
struct rv_extract {
	const char *job;
	const char *identity;     /* of what is in it */
	const char *name;         /* of the archive; for people, and for `replace` */
	const char *order;        /* among the extracts of the job, bytewise */
	const char *summary;      /* JSON, kept in the ledger */
	bool check_only;          /* whether the tables can be made or fit; nothing is changed */
	bool replace;             /* the same extract, or another one of that name, gives way to this one */
	struct rv_extract_table *tables;
	size_t tables_count;
	/* Optional. The keys of the roots whose documents are others after this extract are noted with it, from
	 * the old and the new rows. Tables of documents are merged. */
	struct rv_extract_document *documents;
	size_t documents_count;
	/* Of changed documents only this part, numbered from 0, of so many; 0: all of them. Whatever part a root is
	 * in, it is in the same one for whoever asks this warehouse. */
	unsigned shard, shards;
};

/* What changed documents are made of. A cell without bytes (NULL) is null; texts as table_value.h reads them. */
struct rv_extract_changes {
	/* A row, once, of the table of this index. */
	enum rv_status (*row)(void *arg, size_t table, const struct rv_str *cells, size_t count,
			      struct rv_error *err);
	/* The key of a root that is not there any more. */
	enum rv_status (*gone)(void *arg, const struct rv_str *key, size_t count, struct rv_error *err);
	void *arg;
};

/* What orders of this kind have in front: "=" and "/" for a name alone and one with folders, and else what stands
 * before 20 digits, a blank and the name. Orders of two kinds say nothing of what came first. Appends. */
void rv_extract_kind(const struct rv_extract *extract, struct rv_strbuf *ret);

/* The columns of its key, ordered, for what is kept of a merged table: "a, b". Appends. */
void rv_extract_key_text(const struct rv_extract_table *t, struct rv_strbuf *ret);

/* RV_CONFLICT: the list of roots of this document was made when its root had another key, without this column. */
enum rv_status rv_extract_other_key(const struct rv_extract_document *document, const char *column,
				    struct rv_error *err);

#endif

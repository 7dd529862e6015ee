/*
 * The members of ZIP archives as tables of DuckDB, for queries over files: a table function for each
 * member gives its rows as texts, read anew through the child that inflates for every scan; views give
 * them types. Nothing is unpacked to disk, and memory does not grow with the members.
 */
#ifndef RV_WAREHOUSE_DUCKDB_ARCHIVE_H
#define RV_WAREHOUSE_DUCKDB_ARCHIVE_H

#include <pthread.h>

#include "source/zip.h"
#include "warehouse/duckdb_internal.h"

/* How the lines of a member are to be cut. */
struct duck_dialect {
	bool json;               /* a JSON object a line: the only column is `record` */
	char delimiter, quote, escape, comment; /* comment 0: none */
	uint64_t skip_lines;     /* before the header */
	bool header;
};

struct duck_member {
	struct duck_member *next; /* all of the archives of a database */
	struct duck_archive *archive;
	size_t entry;
	char *name;              /* of its view */
	struct duck_dialect dialect;
	char **columns;
	size_t columns_count;
	char function[32];       /* its table function */
};

struct duck_archive {
	struct duck_archive *next;
	struct rv_zip *zip;
	pthread_mutex_t mutex;   /* the error */
	struct rv_error error;   /* the first of its scans */
};

/* duckdb_member.c */
enum rv_status duck_member_register(struct rv_duckdb *d, struct duck_member *member,
				    struct rv_error *err) RV_MUST_CHECK;

#endif

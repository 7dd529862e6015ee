/* Shared by the files of a run (extract*.c but for extract_infer*.c); nobody else includes this. */
#ifndef RV_FLOW_EXTRACT_IMPL_H
#define RV_FLOW_EXTRACT_IMPL_H

#include "flow/extract.h"
#include "flow/table_csv.h"
#include "delivery/documents.h"
#include "format/packed_row.h"
#include "source/zip.h"
#include "warehouse/parquet.h"

/* ---- extract_find.c: archives ---- */

struct extract_archive {
	char *place;           /* path, or key in the bucket */
	char *name;            /* the last part of it, and those that the source's pattern leaves open */
	char *shown;           /* for people: path or s3:// URL */
	struct rv_store *bucket; /* NULL: a file */
	uint64_t bytes;
	int64_t modified_ms;
	char *order;           /* among the others, bytewise */
	char identity[RV_ZIP_IDENTITY_TEXT]; /* "" until known */
	bool seen;             /* remembered as taken, and unchanged since */
};
struct extract_archives {
	struct extract_archive *items;
	size_t count, capacity;
	uint64_t *numbers;     /* of a sequence: those that there are, ascending, each once */
	size_t numbers_count;
};
/* All archives of the run, in their order. */
enum rv_status extract_find(const struct rv_extract_params *params, struct extract_archives *ret,
			    struct rv_error *err) RV_MUST_CHECK;
void extract_archives_release(struct extract_archives *archives);
/* Opens it; one in a bucket is fetched into a file without a name. RV_NOT_FOUND: it has gone. */
enum rv_status extract_open(const struct rv_extract_params *params, const struct extract_archive *archive,
			    struct rv_zip **ret, int *ret_fd, struct rv_error *err) RV_MUST_CHECK;
/* <state>/extracts/<job>, made. Caller frees. */
enum rv_status extract_folder(const struct rv_extract_params *params, char **ret,
			      struct rv_error *err) RV_MUST_CHECK;

/* ---- extract_seen.c: what was taken ---- */

/* Marks those as seen that this host has taken as they are now, into this lake. */
enum rv_status extract_remember(const struct rv_extract_params *params, struct extract_archives *archives,
				struct rv_error *err) RV_MUST_CHECK;
/* Nothing is remembered any more: the next run asks the ledger. */
enum rv_status extract_forget(const struct rv_extract_params *params, struct rv_error *err) RV_MUST_CHECK;
/* Writes down one that is seen now, */
enum rv_status extract_keep(const struct rv_extract_params *params, const struct extract_archive *archive,
			    struct rv_error *err) RV_MUST_CHECK;
/* or those that are, and forgets what is not in the source any more. */
enum rv_status extract_keep_all(const struct rv_extract_params *params, const struct extract_archives *archives,
				struct rv_error *err) RV_MUST_CHECK;

/* ---- extract_read.c: members into staged objects ---- */

/* As the 'load' of an object: it holds documents, of this number. */
#define EXTRACT_DOCUMENTS ((size_t)1 << 32)

/* A finished object, without a name in the lake yet. */
struct extract_object {
	size_t load;           /* index into the job's loads */
	char *name;            /* in the lake; of a stream's, the file */
	uint64_t bytes, rows;
	int fd;
	struct rv_store_stage *stage; /* NULL: a file of ours */
	char *file;            /* a stream's: it has a name, to be removed */
};
struct extract_objects {
	struct extract_object *items;
	size_t count, capacity;
};
struct extract_table {
	size_t *members;       /* entries of the archive */
	size_t members_count;
	uint64_t rows, rejected, bytes;
};
struct extract_reading {
	const struct rv_extract_params *params;
	const struct extract_archive *archive;
	struct rv_zip *zip;
	char identity[RV_ZIP_IDENTITY_TEXT];
	struct extract_table *tables;  /* of the job */
	struct extract_objects objects; /* in the order of tables, members, loads and parts */
	struct rv_parquet *parquet;    /* borrowed; NULL: no load is */
	struct rv_strbuf rejects;      /* NDJSON, in the order of tables and members */
	uint64_t rows, rejected, bytes;
	uint64_t total_bytes;
	uint64_t documents_refused;    /* of `rejected` */
	struct rv_strbuf first_reject; /* in words */
	struct extract_document *documents; /* of the job */
	struct rv_strbuf refused;      /* NDJSON: documents that cannot be written, also those of earlier runs */
	uint64_t refused_before;       /* lines of it that earlier runs alone have written, */
	size_t refused_before_bytes;   /* and what earlier runs have in it */
	bool again;                    /* its rows were in the warehouse before this run */
	bool whole;                    /* no document is left to another shard */
};
/* Which member is which table. RV_BAD_DATA: a table has none, a member would be two. */
enum rv_status extract_match(struct extract_reading *reading, struct rv_error *err) RV_MUST_CHECK;
/* Reads all wanted members to their ends. */
enum rv_status extract_read(struct extract_reading *reading, struct rv_error *err) RV_MUST_CHECK;
/* Removes what was staged and has no name. */
void extract_reading_release(struct extract_reading *reading);

/* A file for an object, below 'folder' of the lake or, where the lake has none, below 'ours'. */
enum rv_status extract_stage(struct extract_reading *reading, const char *ours, const char *folder,
			     struct extract_object *object, struct rv_error *err) RV_MUST_CHECK;
void extract_add_object(struct extract_objects *objects, const struct extract_object *object);
void extract_drop_object(struct extract_reading *reading, struct extract_object *object);

/* ---- extract_writer.c: the objects that one load has of one member ---- */

struct extract_writer;
struct extract_writer_params {
	struct extract_reading *reading;
	const char *ours;      /* folder of files of ours */
	size_t load;           /* of the job */
	unsigned member;       /* its number among those of the table, from 1 */
	const struct rv_packed_column *columns;
	struct extract_objects *objects; /* those that are finished are added */
};
enum rv_status extract_writer_new(const struct extract_writer_params *params, struct extract_writer **ret,
				  struct rv_error *err) RV_MUST_CHECK;
enum rv_status extract_writer_row(struct extract_writer *w, const char *row, size_t len,
				  struct rv_error *err) RV_MUST_CHECK;
enum rv_status extract_writer_end(struct extract_writer *w, struct rv_error *err) RV_MUST_CHECK;
/* Drops what is not finished; takes NULL. */
void extract_writer_free(struct extract_writer *w);

/* The tables of the job and its documents over all extracts, as the warehouse takes them. */
struct extract_tables {
	struct rv_warehouse *warehouse; /* NULL: there are no tables */
	struct rv_extract extract;
	size_t *job_tables;    /* of each, its number in the job */
	char **objects;
};

/* ---- extract_documents.c ---- */

/* What names of a document's objects start with, "documents-order-v000000012"; `version` 0: of an extract. Caller
 * frees. */
char *extract_documents_stem(const struct rv_job *job, size_t document, uint64_t version,
			     const struct rv_extract_shard *shard);

bool extract_documents_use(const struct rv_job *job, size_t table);
/* Some are written behind the transaction of the rows; */
bool extract_documents_are_sent(const struct rv_job *job);
/* and these are made of the warehouse's rows alone, so the archive is not needed for them. */
bool extract_documents_are_histories(const struct rv_job *job);
enum rv_status extract_documents_begin(struct extract_reading *reading, struct rv_error *err) RV_MUST_CHECK;
/* From any thread. */
enum rv_status extract_documents_row(struct extract_reading *reading, size_t table, const char *row,
				     size_t len, struct rv_error *err) RV_MUST_CHECK;
/* All rows are there: documents for the lake become objects. */
enum rv_status extract_documents_stage(struct extract_reading *reading, struct rv_error *err) RV_MUST_CHECK;
/* The others go to where they are kept. */
enum rv_status extract_documents_send(struct extract_reading *reading, const struct extract_tables *tables,
				      struct rv_error *err) RV_MUST_CHECK;
/* Whether any was, by this run. */
bool extract_documents_written(const struct extract_reading *reading);
/* Warns of what did not fit together. New reference. */
json_t *extract_documents_summary(const struct extract_reading *reading);
void extract_documents_release(struct extract_reading *reading);

/* ---- extract_write.c: everything that can be seen ---- */

/* What the ledger knows of an extract. */
enum extract_known {
	EXTRACT_NEW,
	EXTRACT_TAKEN,
	EXTRACT_LOADED, /* its rows are, and of its documents those over all extracts may have to be written */
	EXTRACT_TORN, /* a run was killed while it replaced what the extract had brought: it is to be replaced */
};
/* Asks the ledger of the lake, then that of the warehouse, whose row is copied to the lake where it says all.
 * LOADED: *ret_summary is what the extract was loaded with, a new reference. */
enum rv_status extract_known(const struct rv_extract_params *params, const char *identity,
			     enum extract_known *ret, json_t **ret_summary, struct rv_error *err) RV_MUST_CHECK;
/* The ledger of the lake alone, and nothing is changed. */
enum rv_status extract_known_lake(const struct rv_extract_params *params, const char *identity,
				  enum extract_known *ret, struct rv_error *err) RV_MUST_CHECK;
/* What writes Parquet; NULL where no load is. */
enum rv_status extract_open_parquet(const struct rv_extract_params *params, struct rv_parquet **ret,
				    struct rv_error *err) RV_MUST_CHECK;
/* Whether the streams that the job feeds are there. */
enum rv_status extract_check_streams(const struct rv_extract_params *params, struct rv_error *err) RV_MUST_CHECK;
/* RV_CONFLICT: tables are merged, and extracts that came when the job had another order would win over this one. */
enum rv_status extract_check_order(const struct rv_extract_params *params, const struct extract_archive *archive,
				   struct rv_error *err) RV_MUST_CHECK;
/* Whether streams and tables are there and fit the job, before anything is read. */
enum rv_status extract_preflight(struct extract_reading *reading, struct rv_error *err) RV_MUST_CHECK;
/* Objects, records and rows, with which `summary` goes into the warehouse's ledger. */
enum rv_status extract_write_rows(struct extract_reading *reading, bool replace, json_t *summary,
				  struct rv_error *err) RV_MUST_CHECK;
/* Documents, and `summary`, which gets their counts, into the lake's ledger: unless documents of other shards are
 * left. *ret_whole says whether none are. */
enum rv_status extract_write_documents(struct extract_reading *reading, json_t *summary, bool *ret_whole,
				       struct rv_error *err) RV_MUST_CHECK;

/* Objects of the reading from `first` on, which one document of a history made, and their manifest, called
 * `stem`; none is fine. */
enum rv_status extract_put_later(struct extract_reading *reading, size_t first, const char *stem,
				 struct rv_error *err) RV_MUST_CHECK;

/* What a run would make or alter in the warehouse first, a line each; nothing where that is not asked. Appends. */
enum rv_status extract_plan(const struct rv_extract_params *params, struct rv_strbuf *ret,
			    struct rv_error *err) RV_MUST_CHECK;

bool extract_has_tables(const struct rv_job *job);
/* Some of them by the order of the extracts. */
bool extract_merges(const struct rv_job *job);
void extract_say(void (*say)(void *arg, const char *text), void *arg, const char *fmt, ...) RV_PRINTF(3, 4);

#endif

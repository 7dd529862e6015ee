/*
 * What the files of the embedded warehouse share: the open database, running statements, walking
 * results, quoting. Not for use outside lib/warehouse/duckdb*.c.
 */
#ifndef RV_WAREHOUSE_DUCKDB_INTERNAL_H
#define RV_WAREHOUSE_DUCKDB_INTERNAL_H

#include <stdbool.h>

#include "base/file.h"
#include "base/strbuf.h"
#include "warehouse/duckdb.h"
#include "warehouse/duckdb_api.h"

/* 2: with the stamps of what is loaded */
#define DUCK_FORMAT_VERSION 2

struct duck_cut; /* duckdb_cut.c */
struct duck_archive; /* duckdb_archive.h */
struct duck_member;
/* A definition that was read again; contracts that are registered point into it. */
struct duck_fresh {
	struct duck_fresh *next;
	struct rv_stream stream;
};
struct rv_duckdb {
	struct rv_warehouse base;
	struct rv_duckdb_params params;
	struct rv_store *store;
	const struct rv_duckdb_api *api;
	struct rv_lock lock;
	duck_database database;
	duck_connection connection;
	unsigned held;         /* begins without their end */
	bool writing;          /* how it is open */
	bool made;             /* _river is there (always true while writing) */
	bool has_stamps;       /* and it has the table of stamps (likewise) */
	struct duck_cut *cuts; /* registered contracts, the latest first */
	unsigned cuts_count;
	struct duck_fresh *fresh;
	bool has_hash;         /* river_hash and river_hash_cut are registered */
	struct duck_archive *archives; /* duckdb_archive.c: whose members are tables */
	struct duck_member *members;
	unsigned members_count;
	void *feed_slot;       /* duckdb_feed.c: what the registered function reads from */
};

/* Open for one call, or join what begin opened; each wants its duck_leave. */
enum rv_status duck_enter(struct rv_duckdb *d, bool writing, struct rv_error *err) RV_MUST_CHECK;
void duck_leave(struct rv_duckdb *d);
/* Whether params.stop asks to end. */
bool duck_stopped(const struct rv_duckdb *d);

#define DUCK_SAID_NOTHING "DuckDB failed and did not say why"

/* duckdb_statement.c; what must not be called instead is said there. */
/* Until the result of `pending` can be had. `go_on` (NULL: always) is asked between tasks. What became of it:
 * DUCK_PENDING_READY, DUCK_PENDING_ERROR, or DUCK_PENDING_NOT_READY when it was not to go on. */
int duck_pending_await(const struct rv_duckdb_api *api, duck_pending pending, bool (*go_on)(void *arg), void *arg);
/* All statements of `sql`, one after the other; *ret (zeroed before) is the last one's result, for the caller to
 * destroy also after a failure. `go_on` (NULL: none) is called between tasks, and has to say true. What DuckDB said of
 * a failure, for the caller to free; NULL: there was none. */
char *duck_execute(const struct rv_duckdb_api *api, duck_connection connection, const char *sql,
		   bool (*go_on)(void *arg), void *arg, struct duck_result *ret) RV_MUST_CHECK;

/* Fill err from a failed result, prepared statement or text. */
enum rv_status duck_fail(struct rv_duckdb *d, struct rv_error *err, struct duck_result *result);
enum rv_status duck_fail_text(struct rv_error *err, const char *text);

/* One or more statements, results dropped. *ret_changed (Optional) is how many rows changed. */
enum rv_status duck_run(struct rv_duckdb *d, const char *sql, uint64_t *ret_changed,
			struct rv_error *err) RV_MUST_CHECK;
enum rv_status duck_runf(struct rv_duckdb *d, struct rv_error *err, const char *fmt, ...)
	RV_PRINTF(3, 4) RV_MUST_CHECK;
/* Ends a transaction without result; for error paths. */
void duck_rollback(struct rv_duckdb *d);

/* Walks a small result: RV_CLEANUP(duck_cursor_close). */
#define DUCK_CURSOR_TYPES 8
struct duck_cursor {
	struct rv_duckdb *d;
	struct duck_result result;
	duck_chunk chunk;
	duck_idx row, rows;
	int types[DUCK_CURSOR_TYPES]; /* of the first columns, once asked */
	bool open;
};
enum rv_status duck_select(struct rv_duckdb *d, struct duck_cursor *cursor, const char *sql,
			   struct rv_error *err) RV_MUST_CHECK;
bool duck_next(struct duck_cursor *cursor);
bool duck_is_null(struct duck_cursor *cursor, unsigned column);
uint64_t duck_u64(struct duck_cursor *cursor, unsigned column);   /* (U)BIGINT, HUGEINT's low half */
struct rv_str duck_text(struct duck_cursor *cursor, unsigned column); /* VARCHAR; until next */
void duck_cursor_close(struct duck_cursor *cursor);
/* The first column of the first row; 0 for none. */
enum rv_status duck_number(struct rv_duckdb *d, const char *sql, uint64_t *ret,
			   struct rv_error *err) RV_MUST_CHECK;

/* 'text' and "name" with their quotes doubled. */
void duck_literal(struct rv_strbuf *sql, const char *text);
void duck_name(struct rv_strbuf *sql, const char *name);
/* "web"."clicks" + ending */
void duck_table(struct rv_strbuf *sql, const struct rv_stream *stream, const char *ending);
/* _river."web/clicks/" + part */
void duck_inner(struct rv_strbuf *sql, const struct rv_stream *stream, const char *part);
/* Whether a table or view is there: schema "web", name "clicks_clean". */
enum rv_status duck_has_table(struct rv_duckdb *d, const char *schema, const char *name, bool *ret,
			      struct rv_error *err) RV_MUST_CHECK;

/* duckdb_load.c */
enum rv_status duck_load(struct rv_warehouse *w, const struct rv_stream *stream,
			 struct rv_load *items, size_t count, const struct rv_load_params *params,
			 struct rv_error *err) RV_MUST_CHECK;
/* Makes river_hash(record): the hash of semantics 2.6 as an UBIGINT, stamp included; and
 * river_hash_cut(record), without it. */
enum rv_status duck_register_hash(struct rv_duckdb *d, struct rv_error *err) RV_MUST_CHECK;
enum rv_status duck_commit(struct rv_duckdb *d, struct rv_error *err) RV_MUST_CHECK;
/* duckdb_clean.c */
const char *duck_sql_type(const struct rv_column *column, char buf[32]);
enum rv_status duck_plan(struct rv_warehouse *w, const struct rv_stream *stream, bool apply,
			 void (*each)(void *arg, const char *statement), void *arg,
			 struct rv_error *err) RV_MUST_CHECK;
/* While open for writing: where the layers are not of *stream's definition, one of the two is old,
 * and *stream becomes the one the lake has now; it lives until the database is closed. */
enum rv_status duck_refresh(struct rv_duckdb *d, const struct rv_stream **stream,
			    struct rv_error *err) RV_MUST_CHECK;
/* Brings clean, latest and refused up to date with the raw rows of one loaded_at, or with all of
 * them when `rebuild`; inside the caller's transaction, after duck_cut_register. */
enum rv_status duck_derive(struct rv_duckdb *d, const struct rv_stream *stream, bool rebuild,
			   int64_t loaded_us, struct rv_error *err) RV_MUST_CHECK;
enum rv_status duck_refused(struct rv_warehouse *w, const struct rv_stream *stream, bool quick,
			    struct rv_warehouse_refused *ret, struct rv_error *err) RV_MUST_CHECK;
bool duck_has_layers(const struct rv_stream *stream);
enum rv_status duck_drop(struct rv_warehouse *w, const struct rv_stream *stream,
			 struct rv_error *err) RV_MUST_CHECK;
/* duckdb_cut.c. Registers a function for the contract, outside of transactions; `stream` must live
 * until the database is closed. The names of what it gives besides the columns: */
#define DUCK_CUT_COLUMN "river column"
#define DUCK_CUT_REASON "river reason"
#define DUCK_CUT_VALUE "river value"
#define DUCK_CUT_IDENTITY "river identity"
enum rv_status duck_cut_register(struct rv_duckdb *d, const struct rv_stream *stream,
				 struct rv_error *err) RV_MUST_CHECK;
const char *duck_cut_name(const struct rv_duckdb *d, char buf[32]); /* of the latest one */
bool duck_cut_dedups(const struct rv_duckdb *d);
void duck_cut_free_all(struct rv_duckdb *d);
/* duckdb_extract.c */
enum rv_status duck_extract_find(struct rv_warehouse *w, const char *job, const char *identity,
				 struct rv_strbuf *ret_summary, bool *ret_found,
				 struct rv_error *err) RV_MUST_CHECK;
enum rv_status duck_extract_above(struct rv_warehouse *w, const struct rv_extract *extract, struct rv_strbuf *ret,
				  struct rv_error *err) RV_MUST_CHECK;
enum rv_status duck_extract_take(struct rv_warehouse *w, struct rv_extract *extract,
				 struct rv_error *err) RV_MUST_CHECK;
/* duckdb_history.c */
enum rv_status duck_extract_changed(struct rv_warehouse *w, const struct rv_extract *extract, size_t document,
				    const struct rv_extract_changes *changes, struct rv_error *err) RV_MUST_CHECK;
enum rv_status duck_extract_number(struct rv_warehouse *w, uint64_t *ret, struct rv_error *err) RV_MUST_CHECK;
enum rv_status duck_extract_settled(struct rv_warehouse *w, const struct rv_extract *extract, size_t document,
				    uint64_t number, struct rv_error *err) RV_MUST_CHECK;
enum rv_status duck_extract_left(struct rv_warehouse *w, const struct rv_extract *extract, size_t document,
				 uint64_t *ret, struct rv_error *err) RV_MUST_CHECK;
/* Whether extracts are loaded into this table, "dw.orders". */
enum rv_status duck_extract_has(struct rv_duckdb *d, const char *table, bool *ret,
				struct rv_error *err) RV_MUST_CHECK;
/* Makes the tables of a load, or adds columns to them. */
enum rv_status duck_extract_prepare(struct rv_duckdb *d, const struct rv_extract_table *t,
				    struct rv_error *err) RV_MUST_CHECK;
/* RV_CONFLICT: the list of a document's roots was made for another key. */
enum rv_status duck_history_check(struct rv_duckdb *d, const struct rv_extract *extract,
				  const struct rv_extract_document *document, struct rv_error *err) RV_MUST_CHECK;
/* Within the transaction of an extract, when all tables are merged and their touched keys are in
 * temp."river touched <table>". */
enum rv_status duck_history_note(struct rv_duckdb *d, const struct rv_extract *extract, uint64_t number,
				 struct rv_error *err) RV_MUST_CHECK;
/* river.dw.orders, river._river."dw.orders/rows", and its key columns with `before` in front. */
void duck_extract_table(struct rv_strbuf *sql, const struct rv_extract_table *t);
void duck_extract_rows(struct rv_strbuf *sql, const struct rv_extract_table *t);
void duck_extract_key(struct rv_strbuf *sql, const struct rv_extract_table *t, const char *before);
/* duckdb_query.c */
enum rv_status duck_query(struct rv_warehouse *w, const char *sql, bool writable,
			  enum rv_status (*sink)(void *arg, const struct rv_rows *,
						 struct rv_error *err),
			  void *arg, struct rv_error *err) RV_MUST_CHECK;
/* Views over params.files. */
enum rv_status duck_make_views(struct rv_duckdb *d, const char *sql, struct rv_error *err) RV_MUST_CHECK;
/* duckdb_archive.c. Views over the members of the ZIP archive at `path`, as far as `sql` needs them; the
 * `first` one is also called t. Archives stay open until duck_archive_free_all. */
enum rv_status duck_archive_open(struct rv_duckdb *d, const char *path, const char *label,
				 const char *sql, bool first, struct rv_error *err) RV_MUST_CHECK;
/* After a query has failed: *err becomes what a member's scan had to say, if one did. */
void duck_archive_explain(struct rv_duckdb *d, struct rv_error *err);
/* After the database is closed. */
void duck_archive_free_all(struct rv_duckdb *d);

#endif

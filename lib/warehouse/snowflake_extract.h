/*
 * Tables of extracts on Snowflake (warehouse/extract.h), and their statements. Not for use outside
 * lib/warehouse/snowflake*.c and their tests.
 *
 * Behind D."DW"."ORDERS" stands "ORDERS$ROWS" with every version of every row: the columns, "RIVER$EXTRACT" (the
 * ledger's number), "RIVER$ROW" (its place in the extract) and "RIVER$DELETED". For `append` "ORDERS" is a view of
 * it; for `merge` a table in which only the keys are made anew that an extract touches. In D."RIVER" are the
 * ledger "EXTRACTS", the row that extracts queue up for ("EXTRACTS$LOCK"), the roots of changed documents
 * ("<JOB>$<DOCUMENT>$ROOTS") and the stage "LOADS" of the lake's loads/.
 *
 * Snowflake commits by itself before and after what defines objects. So all tables are there before an extract
 * is taken, and that is one request of several statements: temporary tables, which nobody else sees and which go
 * with the request, take the objects by COPY; then one transaction does the rest. Under READ COMMITTED two of
 * them would not see each other, so each begins by changing the one row of the lock, which the other one waits
 * for; only then it asks the ledger whether the extract was taken.
 */
#ifndef RV_WAREHOUSE_SNOWFLAKE_EXTRACT_H
#define RV_WAREHOUSE_SNOWFLAKE_EXTRACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/ulid.h"
#include "warehouse/extract.h"
#include "warehouse/snowflake_internal.h"
#include "warehouse/snowflake_seen.h"

#define SNOW_EXTRACTS "EXTRACTS"
#define SNOW_EXTRACTS_LOCK "EXTRACTS$LOCK"
/* Statements that fail on purpose say why in a text that is no number. */
#define SNOW_EXTRACT_TAKEN "RIVER$TAKEN"
#define SNOW_EXTRACT_ROWS "RIVER$ROWS"

/* Statements in their order, and what a role has to be granted for each. */
struct snow_step {
	char *sql;
	char *grant;            /* "CREATE TABLE ON SCHEMA "D"."DW""; NULL: nothing of its own */
	const struct rv_extract_table *table; /* whose rows are counted by it; else NULL */
	bool needless;          /* its failure is noted, and what comes after it goes on */
};
struct snow_steps {
	struct snow_step *items;
	size_t count, capacity;
};
void snow_steps_release(struct snow_steps *steps);
/* Takes what is in `sql` and leaves it empty. `grant` Optional, taken. */
struct snow_step *snow_steps_add(struct snow_steps *steps, struct rv_strbuf *sql, char *grant);
/* All of them as one request. */
void snow_steps_join(const struct snow_steps *steps, struct rv_strbuf *sql);

/* ---- names: snowflake_extract_sql.c ---- */

void snow_extract_schema_name(const struct rv_extract_table *t, struct rv_strbuf *ret); /* DW */
void snow_extract_table_name(const struct rv_extract_table *t, bool rows, struct rv_strbuf *ret);
void snow_extract_roots_name(const struct rv_extract *extract, const struct rv_extract_document *document,
			     struct rv_strbuf *ret);
void snow_add_extract_schema(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
			     const struct rv_extract_table *t);
void snow_add_extract_table(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
			    const struct rv_extract_table *t, bool rows);
void snow_add_extract_roots(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
			    const struct rv_extract *extract, const struct rv_extract_document *document);
const struct rv_column *snow_extract_column(const struct rv_extract_table *t, const char *name);

/* ---- statements: snowflake_extract_sql.c, snowflake_extract_history.c ---- */

/* The row of the ledger: its summary and the run that wrote it. */
void snow_extract_find_sql(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w, const char *job,
			   const char *identity);
/* The newest extract above this one that came by an order of another kind: its name. */
void snow_extract_above_sql(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
			    const struct rv_extract *extract);
/* One request. `run` is nobody else's. */
void snow_extract_take_steps(const struct rv_snowflake_warehouse *w, const struct rv_extract *extract,
			     const char run[RV_ULID_TEXT], struct snow_steps *ret);
/* Keys that this run had more than once: number of the table, and how many. False: none is merged. */
bool snow_extract_repeated_sql(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
			       const struct rv_extract *extract, const char run[RV_ULID_TEXT]);
/* Notes the roots whose documents the keys touched so far change: part of taking. */
void snow_extract_note_steps(const struct rv_snowflake_warehouse *w, const struct rv_extract *extract,
			     const char run[RV_ULID_TEXT], struct snow_steps *ret);
/* One request. Its last statements have rows: `ret_first` is the number of the first; one for each table of the
 * document in the order of the extract's, then the keys of roots that are gone. */
void snow_extract_changed_steps(const struct rv_snowflake_warehouse *w, const struct rv_extract *extract,
				size_t document, const char run[RV_ULID_TEXT], struct snow_steps *ret,
				size_t *ret_first);

/* Takes roots off the list, those that changed up to this extract; and how many are on it up to this one. */
void snow_extract_settled_sql(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
			      const struct rv_extract *extract, size_t document, uint64_t number);
void snow_extract_left_sql(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
			   const struct rv_extract *extract, size_t document);

/* Parts of the above. (SELECT "EXTRACT_NUMBER" ... of this run) */
void snow_add_extract_number(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
			     const char run[RV_ULID_TEXT]);
/* Temporary, D."RIVER"."X$<run>$<what><number>". */
void snow_add_extract_temporary(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
				const char run[RV_ULID_TEXT], const char *what, size_t number);
/* "A", "B" of the key, `before` in front of each. */
void snow_add_extract_key(struct rv_strbuf *sql, const struct rv_extract_table *t, const char *before);
/* <before>"A" = "K$1" AND ... */
void snow_add_extract_touches(struct rv_strbuf *sql, const struct rv_extract_table *t, const char *before);

/* ---- objects: snowflake_extract_make.c ---- */

void snow_extract_look_sql(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
			   const struct rv_extract *extract);
/* What has to be made or altered so that the extract can be taken. RV_CONFLICT: something is in the way.
 * RV_BAD_CONFIG: Snowflake cannot have it so. */
enum rv_status snow_extract_make_steps(const struct rv_snowflake_warehouse *w, const struct rv_extract *extract,
				       const struct snow_seen *seen, struct snow_steps *ret,
				       struct rv_error *err) RV_MUST_CHECK;
/* What the database's own roles get of what is made; its failure is noted. snowflake_extract_grant.c */
void snow_extract_grant_steps(const struct rv_snowflake_warehouse *w, const struct rv_extract *extract,
			      const struct snow_seen *seen, struct snow_steps *ret);

/* ---- the ops: snowflake_extract.c ---- */

enum rv_status snow_extract_find(struct rv_warehouse *w, const char *job, const char *identity,
				 struct rv_strbuf *ret_summary, bool *ret_found,
				 struct rv_error *err) RV_MUST_CHECK;
enum rv_status snow_extract_above(struct rv_warehouse *w, const struct rv_extract *extract, struct rv_strbuf *ret,
				  struct rv_error *err) RV_MUST_CHECK;
enum rv_status snow_extract_plan(struct rv_warehouse *w, const struct rv_extract *extract,
				 void (*each)(void *arg, const char *statement), void *arg,
				 struct rv_error *err) RV_MUST_CHECK;
enum rv_status snow_extract_take(struct rv_warehouse *w, struct rv_extract *extract,
				 struct rv_error *err) RV_MUST_CHECK;
enum rv_status snow_extract_changed(struct rv_warehouse *w, const struct rv_extract *extract, size_t document,
				    const struct rv_extract_changes *changes,
				    struct rv_error *err) RV_MUST_CHECK;
enum rv_status snow_extract_number(struct rv_warehouse *w, uint64_t *ret, struct rv_error *err) RV_MUST_CHECK;
enum rv_status snow_extract_settled(struct rv_warehouse *w, const struct rv_extract *extract, size_t document,
				    uint64_t number, struct rv_error *err) RV_MUST_CHECK;
enum rv_status snow_extract_left(struct rv_warehouse *w, const struct rv_extract *extract, size_t document,
				 uint64_t *ret, struct rv_error *err) RV_MUST_CHECK;

#endif

/*
 * Tables of extracts in DuckDB.
 *
 * _river.extracts is the ledger. Behind dw.orders stands _river."dw.orders/rows" with every version of every
 * row: the columns, and "river extract" (the ledger's number), "river row" (its place in the extract), and
 * "river deleted". The columns of its own have blanks in their names, which no column of a job can have. For
 * `append` dw.orders is a view of it; for `merge` it is a table, in which only the keys are made anew that an
 * extract touches, so that a load costs what is in it and not what is in the table.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "flow/catalog.h"
#include "warehouse/duckdb_feed.h"
#include "warehouse/duckdb_internal.h"

#define LEDGER "river._river.extracts"

/* ---- names ---- */

void duck_extract_table(struct rv_strbuf *sql, const struct rv_extract_table *t)
{
	rv_strbuf_puts(sql, "river.");
	duck_name(sql, t->schema);
	rv_strbuf_putc(sql, '.');
	duck_name(sql, t->name);
}

static char *rows_name(const struct rv_extract_table *t)
{
	return rv_asprintf("%s.%s/rows", t->schema, t->name);
}

void duck_extract_rows(struct rv_strbuf *sql, const struct rv_extract_table *t)
{
	RV_CLEANUP(rv_free_p) char *name = rows_name(t);

	rv_strbuf_puts(sql, "river._river.");
	duck_name(sql, name);
}

/* "a", "b" with `before` in front of each. */
static void add_columns(struct rv_strbuf *sql, const struct rv_extract_table *t, const char *before)
{
	for (size_t i = 0; i < t->columns_count; i++) {
		rv_strbuf_puts(sql, i ? ", " : "");
		rv_strbuf_puts(sql, before);
		duck_name(sql, t->columns[i].name);
	}
}

void duck_extract_key(struct rv_strbuf *sql, const struct rv_extract_table *t, const char *before)
{
	for (size_t i = 0; i < t->key->count; i++) {
		rv_strbuf_puts(sql, i ? ", " : "");
		rv_strbuf_puts(sql, before);
		duck_name(sql, t->key->items[i]);
	}
}

/* ---- the ledger ---- */

static enum rv_status make_ledger(struct rv_duckdb *d, struct rv_error *err)
{
	return duck_run(d,
			"CREATE TABLE IF NOT EXISTS " LEDGER "(number BIGINT NOT NULL, job VARCHAR NOT NULL,"
			" identity VARCHAR NOT NULL, name VARCHAR NOT NULL, \"order\" VARCHAR NOT NULL,"
			" taken_at TIMESTAMP NOT NULL, summary VARCHAR NOT NULL)",
			NULL, err);
}

/* A database that was not made yet has none. */
static enum rv_status has_ledger(struct rv_duckdb *d, bool *ret, struct rv_error *err)
{
	*ret = false;
	return d->made ? duck_has_table(d, "_river", "extracts", ret, err) : RV_OK;
}

static void where_extract(struct rv_strbuf *sql, const char *job, const char *identity)
{
	rv_strbuf_puts(sql, " WHERE job = ");
	duck_literal(sql, job);
	rv_strbuf_puts(sql, " AND identity = ");
	duck_literal(sql, identity);
}

static void leave_p(struct rv_duckdb **d)
{
	duck_leave(*d);
}

enum rv_status duck_extract_find(struct rv_warehouse *w, const char *job, const char *identity,
				 struct rv_strbuf *ret_summary, bool *ret_found, struct rv_error *err)
{
	struct rv_duckdb *d = (struct rv_duckdb *)w;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	bool there;

	if (duck_enter(d, false, err) != RV_OK)
		return err->status;
	RV_CLEANUP(leave_p) RV_UNUSED struct rv_duckdb *entered = d;
	RV_CLEANUP(duck_cursor_close) struct duck_cursor cursor = { 0 };

	*ret_found = false;
	if (has_ledger(d, &there, err) != RV_OK)
		return err->status;
	if (!there)
		return RV_OK;
	rv_strbuf_puts(&sql, "SELECT summary FROM " LEDGER);
	where_extract(&sql, job, identity);
	if (duck_select(d, &cursor, sql.bytes, err) != RV_OK)
		return err->status;
	if (duck_next(&cursor)) {
		struct rv_str text = duck_text(&cursor, 0);

		rv_strbuf_add(ret_summary, text.p, text.len);
		*ret_found = true;
	}
	return RV_OK;
}

enum rv_status duck_extract_above(struct rv_warehouse *w, const struct rv_extract *extract, struct rv_strbuf *ret,
				  struct rv_error *err)
{
	struct rv_duckdb *d = (struct rv_duckdb *)w;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT, kind = RV_STRBUF_INIT;
	bool there;

	if (duck_enter(d, false, err) != RV_OK)
		return err->status;
	RV_CLEANUP(leave_p) RV_UNUSED struct rv_duckdb *entered = d;
	RV_CLEANUP(duck_cursor_close) struct duck_cursor cursor = { 0 };

	if (has_ledger(d, &there, err) != RV_OK)
		return err->status;
	if (!there)
		return RV_OK;
	rv_extract_kind(extract, &kind);
	rv_strbuf_puts(&sql, "SELECT name FROM " LEDGER " WHERE job = ");
	duck_literal(&sql, extract->job);
	rv_strbuf_puts(&sql, " AND \"order\" > ");
	duck_literal(&sql, extract->order);
	rv_strbuf_printf(&sql, " AND CASE WHEN \"order\" <> name THEN"
			       " left(\"order\", greatest(length(\"order\") - length(name) - %d, 0))"
			       " WHEN contains(name, '/') THEN '/' ELSE '=' END <> ", RV_EXTRACT_ORDER_DIGITS + 1);
	duck_literal(&sql, kind.bytes);
	rv_strbuf_puts(&sql, " ORDER BY \"order\" DESC LIMIT 1");
	if (duck_select(d, &cursor, sql.bytes, err) != RV_OK)
		return err->status;
	if (duck_next(&cursor)) {
		struct rv_str text = duck_text(&cursor, 0);

		rv_strbuf_add(ret, text.p, text.len);
	}
	return RV_OK;
}

/* ---- tables ---- */

static enum rv_status conflict(struct rv_error *err, const struct rv_extract_table *t, const char *what)
{
	rv_fail(err, RV_CONFLICT, "the table %s.%s %s", t->schema, t->name, what);
	return err->status;
}

enum rv_status duck_extract_has(struct rv_duckdb *d, const char *table, bool *ret, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *rows = rv_asprintf("%s/rows", table);

	*ret = false;
	return d->made ? duck_has_table(d, "_river", rows, ret, err) : RV_OK;
}

/* What a stream's tables are called is its own also before something is loaded into them. */
static enum rv_status check_no_stream(struct rv_duckdb *d, const struct rv_extract_table *t, struct rv_error *err)
{
	static const char *const endings[] = { "", "_clean", "_latest", "_refused" };

	for (size_t i = 0; d->store && i < sizeof(endings) / sizeof(*endings); i++) {
		RV_CLEANUP(rv_stream_release_p) struct rv_stream stream;
		struct rv_error missing = RV_ERROR_INIT;

		rv_stream_init(&stream);
		if (!rv_ends_with(t->name, endings[i]))
			continue;
		RV_CLEANUP(rv_free_p)
		char *name = rv_asprintf("%s/%.*s", t->schema, (int)(strlen(t->name) - strlen(endings[i])),
					 t->name);

		if (rv_stream_parse_name(name, &stream, &missing) != RV_OK)
			continue;
		missing = (struct rv_error)RV_ERROR_INIT;
		if (rv_catalog_get(d->store, name, &stream, NULL, &missing) == RV_OK) {
			conflict(err, t, "is one of a stream's");
			rv_hint(err, "load into another one; or write `to: stream %s`, for records of that stream", name);
			return err->status;
		}
		if (missing.status != RV_NOT_FOUND) {
			*err = missing;
			return err->status;
		}
	}
	return RV_OK;
}

static enum rv_status make_table(struct rv_duckdb *d, const struct rv_extract_table *t,
				 struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT, columns = RV_STRBUF_INIT;
	char type[32];
	bool there;

	if (duck_has_table(d, t->schema, t->name, &there, err) != RV_OK)
		return err->status;
	if (there) {
		conflict(err, t, "is there, and no extract was ever loaded into it");
		rv_hint(err, "load into another one, or drop it first");
		return err->status;
	}
	if (check_no_stream(d, t, err) != RV_OK)
		return err->status;
	for (size_t i = 0; i < t->columns_count; i++) {
		duck_name(&columns, t->columns[i].name);
		rv_strbuf_printf(&columns, " %s, ", duck_sql_type(&t->columns[i], type));
	}
	rv_strbuf_puts(&sql, "CREATE SCHEMA IF NOT EXISTS river.");
	duck_name(&sql, t->schema);
	rv_strbuf_puts(&sql, "; CREATE TABLE ");
	duck_extract_rows(&sql, t);
	rv_strbuf_printf(&sql, "(%s\"river extract\" BIGINT NOT NULL, \"river row\" BIGINT NOT NULL,"
			       " \"river deleted\" BOOLEAN NOT NULL);", columns.bytes);
	if (t->merge) {
		rv_strbuf_puts(&sql, "CREATE TABLE ");
		duck_extract_table(&sql, t);
		rv_strbuf_printf(&sql, "(%.*s)", (int)columns.len - 2, columns.bytes);
	} else {
		rv_strbuf_puts(&sql, "CREATE VIEW ");
		duck_extract_table(&sql, t);
		rv_strbuf_puts(&sql, " AS SELECT ");
		add_columns(&sql, t, "");
		rv_strbuf_puts(&sql, " FROM ");
		duck_extract_rows(&sql, t);
	}
	return duck_run(d, sql.bytes, NULL, err);
}

/* What a column is called in information_schema; its alias JSON counts. */
static enum rv_status column_type(struct rv_duckdb *d, const struct rv_extract_table *t,
				  const char *column, struct rv_strbuf *ret, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	RV_CLEANUP(duck_cursor_close) struct duck_cursor cursor = { 0 };
	RV_CLEANUP(rv_free_p) char *rows = rows_name(t);

	rv_strbuf_puts(&sql, "SELECT data_type FROM duckdb_columns() WHERE database_name = 'river' AND"
			     " schema_name = '_river' AND table_name = ");
	duck_literal(&sql, rows);
	rv_strbuf_puts(&sql, " AND column_name = ");
	duck_literal(&sql, column);
	rv_strbuf_clear(ret);
	if (duck_select(d, &cursor, sql.bytes, err) != RV_OK)
		return err->status;
	if (duck_next(&cursor)) {
		struct rv_str text = duck_text(&cursor, 0);

		rv_strbuf_add(ret, text.p, text.len);
	}
	return RV_OK;
}

/* Columns are added; one of another type is a conflict, before anything is loaded. */
static enum rv_status fit_table(struct rv_duckdb *d, const struct rv_extract_table *t, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT, have = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf kind = RV_STRBUF_INIT;
	char type[32];
	bool added = false;
	uint64_t tables = 0;

	rv_strbuf_puts(&kind, "SELECT count(*) FROM duckdb_tables() WHERE database_name = 'river' AND"
			      " schema_name = ");
	duck_literal(&kind, t->schema);
	rv_strbuf_puts(&kind, " AND table_name = ");
	duck_literal(&kind, t->name);
	if (duck_number(d, kind.bytes, &tables, err) != RV_OK)
		return err->status;
	if ((tables > 0) != t->merge) {
		conflict(err, t, t->merge ? "was made with `mode: append`" : "was made with `mode: merge`");
		rv_hint(err, "load into another table");
		return err->status;
	}
	for (size_t i = 0; i < t->columns_count; i++) {
		const struct rv_column *column = &t->columns[i];

		duck_sql_type(column, type);
		if (column_type(d, t, column->name, &have, err) != RV_OK)
			return err->status;
		if (!have.len) {
			added = true;
			for (int k = 0; k < (t->merge ? 2 : 1); k++) {
				rv_strbuf_puts(&sql, "ALTER TABLE ");
				if (k)
					duck_extract_table(&sql, t);
				else
					duck_extract_rows(&sql, t);
				rv_strbuf_puts(&sql, " ADD COLUMN ");
				duck_name(&sql, column->name);
				rv_strbuf_printf(&sql, " %s;", type);
			}
		} else if (strcmp(have.bytes, type) != 0) {
			rv_fail(err, RV_CONFLICT, "the column %s of %s.%s is %s, the job says %s",
				column->name, t->schema, t->name, have.bytes, type);
			rv_hint(err, "keep it under another name, as in %s_2: { type: ..., from: %s }",
				column->name, column->from ? column->from : column->name);
			return err->status;
		}
	}
	if (added && !t->merge) {
		rv_strbuf_puts(&sql, "CREATE OR REPLACE VIEW ");
		duck_extract_table(&sql, t);
		rv_strbuf_puts(&sql, " AS SELECT * EXCLUDE (\"river extract\", \"river row\", \"river deleted\")"
				     " FROM ");
		duck_extract_rows(&sql, t);
	}
	return sql.len ? duck_run(d, sql.bytes, NULL, err) : RV_OK;
}

enum rv_status duck_extract_prepare(struct rv_duckdb *d, const struct rv_extract_table *t, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *rows = rows_name(t);
	bool there;

	if (duck_has_table(d, "_river", rows, &there, err) != RV_OK)
		return err->status;
	return there ? fit_table(d, t, err) : make_table(d, t, err);
}

/* ---- the key of a merged table ---- */

#define KEY "key: "

static enum rv_status key_comment(struct rv_duckdb *d, const struct rv_extract_table *t, struct rv_strbuf *ret,
				  struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	RV_CLEANUP(duck_cursor_close) struct duck_cursor cursor = { 0 };
	RV_CLEANUP(rv_free_p) char *rows = rows_name(t);

	rv_strbuf_puts(&sql, "SELECT coalesce(comment, '') FROM duckdb_tables() WHERE database_name = 'river' AND"
			     " schema_name = '_river' AND table_name = ");
	duck_literal(&sql, rows);
	if (duck_select(d, &cursor, sql.bytes, err) != RV_OK)
		return err->status;
	if (duck_next(&cursor)) {
		struct rv_str text = duck_text(&cursor, 0);

		rv_strbuf_add(ret, text.p, text.len);
	}
	return RV_OK;
}

/* Rows that came when a column was no part of the key may have no value in it. */
static enum rv_status check_no_null(struct rv_duckdb *d, const struct rv_extract_table *t, const char *was,
				    const char *key, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	uint64_t count = 0;

	rv_strbuf_puts(&sql, "SELECT count(*) FROM ");
	duck_extract_rows(&sql, t);
	for (size_t i = 0; i < t->key->count; i++) {
		rv_strbuf_puts(&sql, i ? " OR " : " WHERE ");
		duck_name(&sql, t->key->items[i]);
		rv_strbuf_puts(&sql, " IS NULL");
	}
	if (duck_number(d, sql.bytes, &count, err) != RV_OK)
		return err->status;
	if (!count)
		return RV_OK;
	rv_fail(err, RV_CONFLICT, "%s.%s was merged by %s so far, and %" PRIu64 " row%s in it %s no value for all of %s",
		t->schema, t->name, was, count, count == 1 ? "" : "s", count == 1 ? "has" : "have", key);
	rv_hint(err, "load into another table, or keep the key");
	return err->status;
}

/* The table says by which key it is merged, in whatever order of its columns. Of one by another key all rows are
 * told apart anew, by all versions that there are; else those that no extract touches would stay as they were. */
static enum rv_status fit_key(struct rv_duckdb *d, struct rv_extract_table *t, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf have = RV_STRBUF_INIT, want = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;

	if (!t->merge)
		return RV_OK;
	if (key_comment(d, t, &have, err) != RV_OK)
		return err->status;
	rv_strbuf_puts(&want, KEY);
	rv_extract_key_text(t, &want);
	if (strcmp(have.bytes, want.bytes) == 0)
		return RV_OK;
	/* one without was made before keys were kept */
	if (rv_starts_with(have.bytes, KEY)) {
		if (check_no_null(d, t, have.bytes + strlen(KEY), want.bytes + strlen(KEY), err) != RV_OK)
			return err->status;
		t->other_key = true;
	}
	rv_strbuf_puts(&sql, "COMMENT ON TABLE ");
	duck_extract_rows(&sql, t);
	rv_strbuf_puts(&sql, " IS ");
	duck_literal(&sql, want.bytes);
	return duck_run(d, sql.bytes, NULL, err);
}

/* ---- rows ---- */

/* Registers what cuts the columns out of the records; before the transaction. */
static enum rv_status register_cut(struct rv_duckdb *d, const struct rv_extract_table *t, char cut[32],
				   struct rv_error *err)
{
	struct duck_fresh *fresh = rv_calloc(1, sizeof(*fresh));

	rv_stream_init(&fresh->stream);
	fresh->next = d->fresh;
	d->fresh = fresh; /* freed when the database is closed, which may still call it */
	fresh->stream.columns = rv_calloc(t->columns_count, sizeof(*t->columns));
	fresh->stream.columns_count = t->columns_count;
	for (size_t i = 0; i < t->columns_count; i++)
		fresh->stream.columns[i] = (struct rv_column){
			.name = rv_strdup(t->columns[i].name),
			.type = t->columns[i].type,
			.precision = t->columns[i].precision,
			.scale = t->columns[i].scale,
		};
	if (duck_cut_register(d, &fresh->stream, err) != RV_OK)
		return err->status;
	duck_cut_name(d, cut);
	return RV_OK;
}

/* Values are compared, not how they are written: 1 is 1.00. A json is its text. */
static void add_deleted(struct rv_strbuf *sql, const struct rv_extract_table *t)
{
	char type[32] = "VARCHAR";

	if (!t->delete_column) {
		rv_strbuf_puts(sql, "false");
		return;
	}
	rv_strbuf_puts(sql, "coalesce(c.");
	duck_name(sql, t->delete_column);
	for (size_t i = 0; i < t->columns_count; i++)
		if (strcmp(t->columns[i].name, t->delete_column) == 0 && t->columns[i].type != RV_COLUMN_JSON)
			duck_sql_type(&t->columns[i], type);
	rv_strbuf_printf(sql, "::%s = TRY_CAST(", type);
	duck_literal(sql, t->delete_equals);
	rv_strbuf_printf(sql, " AS %s), false)", type);
}

static enum rv_status insert_rows(struct rv_duckdb *d, const struct rv_extract_table *t, const char *cut,
				  uint64_t number, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) struct duck_feed_object *objects =
		rv_calloc(t->objects_count, sizeof(*objects));
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	RV_CLEANUP(duck_feed_finish_p) struct duck_feed *feed = NULL;
	uint64_t inserted = 0;

	if (!t->objects_count)
		return RV_OK;
	for (size_t i = 0; i < t->objects_count; i++)
		objects[i] = (struct duck_feed_object){ .name = t->objects[i], .foreign = true };
	rv_strbuf_puts(&sql, "INSERT INTO ");
	duck_extract_rows(&sql, t);
	rv_strbuf_puts(&sql, " BY NAME SELECT ");
	for (size_t i = 0; i < t->columns_count; i++) {
		rv_strbuf_puts(&sql, "c.");
		duck_name(&sql, t->columns[i].name);
		rv_strbuf_puts(&sql, " AS ");
		duck_name(&sql, t->columns[i].name);
		rv_strbuf_puts(&sql, ", ");
	}
	rv_strbuf_printf(&sql, "%" PRIu64 " AS \"river extract\", place AS \"river row\", ", number);
	add_deleted(&sql, t);
	rv_strbuf_puts(&sql, " AS \"river deleted\" FROM (SELECT CASE WHEN c.\"" DUCK_CUT_REASON
			     "\" IS NOT NULL THEN error(concat(c.\"" DUCK_CUT_COLUMN "\", ' ', c.\""
			     DUCK_CUT_REASON "\", ' in ', file_name, ' row ', file_row)) ELSE c END AS c,"
			     " place FROM (SELECT ");
	rv_strbuf_printf(&sql, "%s(record) AS c, file_name, file_row,"
			       " (list_position([", cut);
	for (size_t i = 0; i < t->objects_count; i++) {
		rv_strbuf_puts(&sql, i ? ", " : "");
		duck_literal(&sql, t->objects[i]);
	}
	rv_strbuf_puts(&sql, "], file_name)::BIGINT << 40) | file_row::BIGINT AS place FROM river_feed()))");
	if (duck_feed_start(d, objects, t->objects_count, &feed, err) != RV_OK)
		return err->status;
	enum rv_status status = duck_run(d, sql.bytes, &inserted, err);

	duck_feed_finish(feed);
	feed = NULL;
	for (size_t i = 0; i < t->objects_count; i++) {
		if (objects[i].error.status != RV_OK) {
			*err = objects[i].error;
			return rv_context(err, "read %s again", t->objects[i]);
		}
		if (status == RV_OK && objects[i].rejected)
			return rv_fail(err, RV_BAD_DATA, "%s, line %" PRIu64 ": %s", t->objects[i],
				       objects[i].fault_line, objects[i].fault);
	}
	if (status != RV_OK)
		return rv_context(err, "load %s.%s", t->schema, t->name);
	if (inserted != t->rows)
		return rv_fail(err, RV_BAD_DATA,
			       "%s.%s: %" PRIu64 " rows were sent, %" PRIu64 " are in the table", t->schema,
			       t->name, t->rows, inserted);
	return RV_OK;
}

/* ---- merging ---- */

/* The keys whose rows are in the extract, or all (`which` NULL), into a temporary table; called before rows go and
 * after rows came. */
static enum rv_status note_touched(struct rv_duckdb *d, const struct rv_extract_table *t, size_t index,
				   const char *which, bool first, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;

	rv_strbuf_printf(&sql, first ? "CREATE OR REPLACE TEMP TABLE \"river touched %zu\" AS SELECT DISTINCT "
				     : "INSERT INTO temp.\"river touched %zu\" SELECT DISTINCT ", index);
	duck_extract_key(&sql, t, "");
	rv_strbuf_puts(&sql, " FROM ");
	duck_extract_rows(&sql, t);
	if (which)
		rv_strbuf_printf(&sql, " WHERE \"river extract\" IN (%s)", which);
	return duck_run(d, sql.bytes, NULL, err);
}

/* The touched keys of the table, made of the versions that are there. */
static enum rv_status merge(struct rv_duckdb *d, struct rv_extract_table *t, size_t index, uint64_t number,
			    struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT, repeated = RV_STRBUF_INIT;

	rv_strbuf_puts(&sql, "DELETE FROM ");
	duck_extract_table(&sql, t);
	rv_strbuf_puts(&sql, " WHERE (");
	duck_extract_key(&sql, t, "");
	rv_strbuf_puts(&sql, ") IN (SELECT (");
	duck_extract_key(&sql, t, "");
	rv_strbuf_printf(&sql, ") FROM temp.\"river touched %zu\"); INSERT INTO ", index);
	duck_extract_table(&sql, t);
	rv_strbuf_puts(&sql, " BY NAME SELECT * EXCLUDE (\"river extract\", \"river row\", \"river deleted\","
			     " \"river rank\") FROM (SELECT r.*, row_number() OVER (PARTITION BY ");
	duck_extract_key(&sql, t, "r.");
	rv_strbuf_puts(&sql, " ORDER BY e.\"order\" DESC, e.number DESC, r.\"river row\" DESC)"
			     " AS \"river rank\" FROM ");
	duck_extract_rows(&sql, t);
	rv_strbuf_puts(&sql, " r JOIN " LEDGER " e ON e.number = r.\"river extract\" WHERE (");
	duck_extract_key(&sql, t, "r.");
	rv_strbuf_puts(&sql, ") IN (SELECT (");
	duck_extract_key(&sql, t, "");
	rv_strbuf_printf(&sql, ") FROM temp.\"river touched %zu\")) WHERE \"river rank\" = 1 AND NOT"
			       " \"river deleted\"", index);
	rv_strbuf_puts(&repeated, "SELECT (count(*) - count(DISTINCT (");
	duck_extract_key(&repeated, t, "");
	rv_strbuf_puts(&repeated, ")))::BIGINT FROM ");
	duck_extract_rows(&repeated, t);
	rv_strbuf_printf(&repeated, " WHERE \"river extract\" = %" PRIu64, number);
	if (duck_number(d, repeated.bytes, &t->repeated, err) != RV_OK)
		return err->status;
	return duck_run(d, sql.bytes, NULL, err);
}

/* ---- one extract ---- */

/* Numbers of what this extract replaces, "1, 7"; "" for nothing. */
static enum rv_status find_replaced(struct rv_duckdb *d, const struct rv_extract *extract,
				    struct rv_strbuf *ret, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	RV_CLEANUP(duck_cursor_close) struct duck_cursor cursor = { 0 };

	rv_strbuf_puts(&sql, "SELECT number FROM " LEDGER " WHERE job = ");
	duck_literal(&sql, extract->job);
	rv_strbuf_puts(&sql, " AND (identity = ");
	duck_literal(&sql, extract->identity);
	if (extract->replace) {
		rv_strbuf_puts(&sql, " OR name = ");
		duck_literal(&sql, extract->name);
	}
	rv_strbuf_puts(&sql, ") ORDER BY number");
	if (duck_select(d, &cursor, sql.bytes, err) != RV_OK)
		return err->status;
	while (duck_next(&cursor))
		rv_strbuf_printf(ret, "%s%" PRIu64, ret->len ? ", " : "", duck_u64(&cursor, 0));
	if (ret->len && !extract->replace)
		return rv_fail(err, RV_CONFLICT, "the extract %s was taken already", extract->name);
	return RV_OK;
}

static enum rv_status remove_replaced(struct rv_duckdb *d, const struct rv_extract_table *t,
				      const char *replaced, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;

	rv_strbuf_puts(&sql, "DELETE FROM ");
	duck_extract_rows(&sql, t);
	rv_strbuf_printf(&sql, " WHERE \"river extract\" IN (%s)", replaced);
	return duck_run(d, sql.bytes, NULL, err);
}

static enum rv_status take_entered(struct rv_duckdb *d, struct rv_extract *extract, char (*cuts)[32],
				   struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf replaced = RV_STRBUF_INIT, sql = RV_STRBUF_INIT;
	uint64_t number = 0;
	char text[24];

	if (make_ledger(d, err) != RV_OK || find_replaced(d, extract, &replaced, err) != RV_OK ||
	    duck_number(d, "SELECT (coalesce(max(number), 0) + 1)::BIGINT FROM " LEDGER, &number, err) !=
		    RV_OK)
		return err->status;
	snprintf(text, sizeof(text), "%" PRIu64, number);
	/* first, for merging joins it */
	rv_strbuf_printf(&sql, "INSERT INTO " LEDGER " VALUES (%s, ", text);
	duck_literal(&sql, extract->job);
	rv_strbuf_puts(&sql, ", ");
	duck_literal(&sql, extract->identity);
	rv_strbuf_puts(&sql, ", ");
	duck_literal(&sql, extract->name);
	rv_strbuf_puts(&sql, ", ");
	duck_literal(&sql, extract->order);
	rv_strbuf_printf(&sql, ", make_timestamp(%" PRId64 "), ", rv_clock_ms() * 1000);
	duck_literal(&sql, extract->summary);
	rv_strbuf_puts(&sql, ")");
	if (duck_run(d, sql.bytes, NULL, err) != RV_OK)
		return err->status;
	for (size_t i = 0; i < extract->tables_count; i++)
		if (duck_extract_prepare(d, &extract->tables[i], err) != RV_OK ||
		    fit_key(d, &extract->tables[i], err) != RV_OK ||
		    (replaced.len && extract->tables[i].merge &&
		     note_touched(d, &extract->tables[i], i, replaced.bytes, true, err) != RV_OK))
			return err->status;
	/* what is replaced changes the documents it was in; afterwards nothing tells which */
	if (replaced.len && duck_history_note(d, extract, number, err) != RV_OK)
		return err->status;
	for (size_t i = 0; i < extract->tables_count; i++) {
		struct rv_extract_table *t = &extract->tables[i];

		if ((replaced.len && remove_replaced(d, t, replaced.bytes, err) != RV_OK) ||
		    insert_rows(d, t, cuts[i], number, err) != RV_OK)
			return err->status;
		if (t->merge && (note_touched(d, t, i, t->other_key ? NULL : text, !replaced.len, err) != RV_OK ||
				 merge(d, t, i, number, err) != RV_OK))
			return err->status;
	}
	if (duck_history_note(d, extract, number, err) != RV_OK)
		return err->status;
	for (size_t i = 0; i < extract->tables_count; i++)
		if (extract->tables[i].merge &&
		    duck_runf(d, err, "DROP TABLE temp.\"river touched %zu\"", i) != RV_OK)
			return err->status;
	if (!replaced.len)
		return RV_OK;
	return duck_runf(d, err, "DELETE FROM " LEDGER " WHERE number IN (%s)", replaced.bytes);
}

static enum rv_status check_tables(struct rv_duckdb *d, const struct rv_extract *extract,
				   struct rv_error *err)
{
	for (size_t i = 0; i < extract->tables_count; i++)
		if (duck_extract_prepare(d, &extract->tables[i], err) != RV_OK ||
		    fit_key(d, &extract->tables[i], err) != RV_OK)
			return err->status;
	for (size_t i = 0; i < extract->documents_count; i++)
		if (duck_history_check(d, extract, &extract->documents[i], err) != RV_OK)
			return err->status;
	return RV_OK;
}

enum rv_status duck_extract_take(struct rv_warehouse *w, struct rv_extract *extract, struct rv_error *err)
{
	struct rv_duckdb *d = (struct rv_duckdb *)w;

	if (duck_enter(d, true, err) != RV_OK)
		return err->status;
	RV_CLEANUP(leave_p) RV_UNUSED struct rv_duckdb *entered = d;
	RV_CLEANUP(rv_free_p) char(*cuts)[32] = rv_calloc(extract->tables_count + 1, sizeof(*cuts));

	if (duck_feed_register(d, err) != RV_OK)
		return err->status;
	for (size_t i = 0; i < extract->tables_count; i++)
		if (register_cut(d, &extract->tables[i], cuts[i], err) != RV_OK)
			return err->status;
	if (duck_run(d, "BEGIN", NULL, err) != RV_OK)
		return err->status;
	if (extract->check_only) {
		enum rv_status status = check_tables(d, extract, err);

		duck_rollback(d);
		return status;
	}
	if (take_entered(d, extract, cuts, err) != RV_OK || duck_commit(d, err) != RV_OK) {
		duck_rollback(d);
		return err->status;
	}
	return RV_OK;
}

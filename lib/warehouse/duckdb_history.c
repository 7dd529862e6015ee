/*
 * Which documents an extract changes, and what they are made of now.
 *
 * _river."<job>/<document>/roots" has the keys of roots whose documents have to be written, with the number of the
 * extract that changed them. They are found level by level from the keys an extract touched, through all versions
 * of the rows that there are, so a line that moves from one order to another changes both. A root leaves the list
 * when its document is confirmed: a run that was killed goes on from it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "warehouse/duckdb_internal.h"

static char *roots_name(const struct rv_extract *extract, const struct rv_extract_document *document)
{
	return rv_asprintf("%s/%s/roots", extract->job, document->name);
}

static void add_roots(struct rv_strbuf *sql, const struct rv_extract *extract,
		      const struct rv_extract_document *document)
{
	RV_CLEANUP(rv_free_p) char *name = roots_name(extract, document);

	rv_strbuf_puts(sql, "river._river.");
	duck_name(sql, name);
}

/* INSERT INTO it, by the names of its columns: a job may have changed their order. */
static void begin_roots(struct rv_strbuf *sql, const struct rv_extract *extract,
			const struct rv_extract_document *document)
{
	rv_strbuf_puts(sql, "INSERT INTO ");
	add_roots(sql, extract, document);
	rv_strbuf_puts(sql, " (");
	duck_extract_key(sql, &extract->tables[document->nodes[0].table], "");
	rv_strbuf_puts(sql, ", \"river extract\") SELECT DISTINCT ");
}

/* r3."order_id" = r1."id" AND ... */
static void add_on(struct rv_strbuf *sql, const struct rv_extract_node *node, const char *child,
		   const char *parent)
{
	for (size_t i = 0; i < node->on_count; i++) {
		rv_strbuf_printf(sql, "%s%s.", i ? " AND " : "", child);
		duck_name(sql, node->on[i].child);
		rv_strbuf_printf(sql, " = %s.", parent);
		duck_name(sql, node->on[i].parent);
	}
}

/* Which roots are this shard's; `word` in front, nothing where there is one part alone. */
static void add_shard(struct rv_strbuf *sql, const char *word, const struct rv_extract *extract,
		      const struct rv_extract_document *document)
{
	if (extract->shards < 2)
		return;
	rv_strbuf_printf(sql, " %s hash(", word);
	duck_extract_key(sql, &extract->tables[document->nodes[0].table], "");
	rv_strbuf_printf(sql, ") %% %u = %u", extract->shards, extract->shard);
}

/* ---- noting ---- */

/* Roots over the keys that were touched in the table of one node. */
static enum rv_status note_node(struct rv_duckdb *d, const struct rv_extract *extract,
				const struct rv_extract_document *document, size_t node, uint64_t number,
				struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	const struct rv_extract_table *root = &extract->tables[document->nodes[0].table];
	const struct rv_extract_table *table = &extract->tables[document->nodes[node].table];
	char name[32];

	begin_roots(&sql, extract, document);
	duck_extract_key(&sql, root, "r0.");
	rv_strbuf_printf(&sql, ", %" PRIu64 " FROM ", number);
	snprintf(name, sizeof(name), "r%zu.", node);
	duck_extract_rows(&sql, table);
	rv_strbuf_printf(&sql, " r%zu", node);
	for (size_t at = node; at != 0; at = document->nodes[at].parent) {
		const struct rv_extract_node *n = &document->nodes[at];
		char child[32], parent[32];

		snprintf(child, sizeof(child), "r%zu", at);
		snprintf(parent, sizeof(parent), "r%zu", n->parent);
		rv_strbuf_puts(&sql, " JOIN ");
		duck_extract_rows(&sql, &extract->tables[document->nodes[n->parent].table]);
		rv_strbuf_printf(&sql, " %s ON ", parent);
		add_on(&sql, n, child, parent);
	}
	rv_strbuf_puts(&sql, " WHERE (");
	duck_extract_key(&sql, table, name);
	rv_strbuf_puts(&sql, ") IN (SELECT (");
	duck_extract_key(&sql, table, "");
	rv_strbuf_printf(&sql, ") FROM temp.\"river touched %zu\")", document->nodes[node].table);
	return duck_run(d, sql.bytes, NULL, err);
}

/* A root that was in a replaced extract alone has no version any more; its key was touched. */
static enum rv_status note_touched_roots(struct rv_duckdb *d, const struct rv_extract *extract,
					 const struct rv_extract_document *document, uint64_t number,
					 struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	size_t table = document->nodes[0].table;

	begin_roots(&sql, extract, document);
	duck_extract_key(&sql, &extract->tables[table], "");
	rv_strbuf_printf(&sql, ", %" PRIu64 " FROM temp.\"river touched %zu\"", number, table);
	return duck_run(d, sql.bytes, NULL, err);
}

enum rv_status duck_history_check(struct rv_duckdb *d, const struct rv_extract *extract,
				  const struct rv_extract_document *document, struct rv_error *err)
{
	const struct rv_string_list *key = extract->tables[document->nodes[0].table].key;
	RV_CLEANUP(rv_free_p) char *name = roots_name(extract, document);
	bool there;

	if (duck_has_table(d, "_river", name, &there, err) != RV_OK)
		return err->status;
	for (size_t i = 0; there && i < key->count; i++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
		uint64_t found = 0;

		rv_strbuf_puts(&sql, "SELECT count(*) FROM duckdb_columns() WHERE database_name = 'river' AND"
				     " schema_name = '_river' AND table_name = ");
		duck_literal(&sql, name);
		rv_strbuf_puts(&sql, " AND column_name = ");
		duck_literal(&sql, key->items[i]);
		if (duck_number(d, sql.bytes, &found, err) != RV_OK)
			return err->status;
		if (!found)
			return rv_extract_other_key(document, key->items[i], err);
	}
	return RV_OK;
}

static enum rv_status make_roots(struct rv_duckdb *d, const struct rv_extract *extract,
				 const struct rv_extract_document *document, struct rv_error *err)
{
	const struct rv_extract_table *root = &extract->tables[document->nodes[0].table];
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;

	if (duck_history_check(d, extract, document, err) != RV_OK)
		return err->status;
	rv_strbuf_puts(&sql, "CREATE TABLE IF NOT EXISTS ");
	add_roots(&sql, extract, document);
	rv_strbuf_puts(&sql, " AS SELECT ");
	duck_extract_key(&sql, root, "");
	rv_strbuf_puts(&sql, ", 0::BIGINT AS \"river extract\" FROM ");
	duck_extract_rows(&sql, root);
	rv_strbuf_puts(&sql, " LIMIT 0");
	return duck_run(d, sql.bytes, NULL, err);
}

enum rv_status duck_history_note(struct rv_duckdb *d, const struct rv_extract *extract, uint64_t number,
				 struct rv_error *err)
{
	for (size_t i = 0; i < extract->documents_count; i++) {
		const struct rv_extract_document *document = &extract->documents[i];

		if (make_roots(d, extract, document, err) != RV_OK ||
		    note_touched_roots(d, extract, document, number, err) != RV_OK)
			return err->status;
		for (size_t n = 1; n < document->nodes_count; n++)
			if (document->nodes[n].touch &&
			    note_node(d, extract, document, n, number, err) != RV_OK)
				return rv_context(err, "documents.%s", document->name);
	}
	return RV_OK;
}

/* ---- what changed documents are made of ---- */

static void leave_p(struct rv_duckdb **d)
{
	duck_leave(*d);
}

/* The current rows of each node that belong to listed roots, as temp."river node <n>". */
static enum rv_status make_nodes(struct rv_duckdb *d, const struct rv_extract *extract,
				 const struct rv_extract_document *document, struct rv_error *err)
{
	for (size_t i = 0; i < document->nodes_count; i++) {
		const struct rv_extract_node *node = &document->nodes[i];
		const struct rv_extract_table *table = &extract->tables[node->table];
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;

		rv_strbuf_printf(&sql, "CREATE OR REPLACE TEMP TABLE \"river node %zu\" AS SELECT c.* FROM ", i);
		duck_extract_table(&sql, table);
		if (i == 0) {
			rv_strbuf_puts(&sql, " c WHERE (");
			duck_extract_key(&sql, table, "c.");
			rv_strbuf_puts(&sql, ") IN (SELECT (");
			duck_extract_key(&sql, table, "");
			rv_strbuf_puts(&sql, ") FROM ");
			add_roots(&sql, extract, document);
			add_shard(&sql, "WHERE", extract, document);
			rv_strbuf_putc(&sql, ')');
		} else {
			rv_strbuf_printf(&sql, " c SEMI JOIN temp.\"river node %zu\" p ON ", node->parent);
			add_on(&sql, node, "c", "p");
		}
		if (duck_run(d, sql.bytes, NULL, err) != RV_OK)
			return err->status;
	}
	return RV_OK;
}

/* A column as a text that table_value.h reads. A cast writes the year 0 as one before Christ. */
static void add_text(struct rv_strbuf *sql, const struct rv_column *column)
{
	bool time = column->type == RV_COLUMN_TIMESTAMP, date = column->type == RV_COLUMN_DATE;

	rv_strbuf_puts(sql, time || date ? "strftime(" : "CAST(");
	duck_name(sql, column->name);
	rv_strbuf_puts(sql, time ? ", '%Y-%m-%dT%H:%M:%S.%fZ')" : date ? ", '%Y-%m-%d')" : " AS VARCHAR)");
}

static enum rv_status give_rows(struct rv_duckdb *d, const struct rv_extract *extract,
				const struct rv_extract_document *document, size_t table,
				const struct rv_extract_changes *changes, struct rv_error *err)
{
	const struct rv_extract_table *t = &extract->tables[table];
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	RV_CLEANUP(duck_cursor_close) struct duck_cursor cursor = { 0 };
	RV_CLEANUP(rv_free_p) struct rv_str *cells = rv_calloc(t->columns_count, sizeof(*cells));
	bool any = false;

	rv_strbuf_puts(&sql, "SELECT ");
	for (size_t i = 0; i < t->columns_count; i++) {
		rv_strbuf_puts(&sql, i ? ", " : "");
		add_text(&sql, &t->columns[i]);
	}
	rv_strbuf_puts(&sql, " FROM (");
	/* a table may be at several places of the tree; each of its rows is given once */
	for (size_t i = 0; i < document->nodes_count; i++) {
		if (document->nodes[i].table != table)
			continue;
		rv_strbuf_printf(&sql, "%sFROM temp.\"river node %zu\"", any ? " UNION " : "", i);
		any = true;
	}
	rv_strbuf_puts(&sql, ")");
	if (!any)
		return RV_OK;
	if (duck_select(d, &cursor, sql.bytes, err) != RV_OK)
		return err->status;
	while (duck_next(&cursor)) {
		for (unsigned i = 0; i < t->columns_count; i++)
			cells[i] = duck_is_null(&cursor, i) ? (struct rv_str){ NULL, 0 }
							     : duck_text(&cursor, i);
		if (changes->row(changes->arg, table, cells, t->columns_count, err) != RV_OK)
			return err->status;
	}
	return RV_OK;
}

static enum rv_status give_gone(struct rv_duckdb *d, const struct rv_extract *extract,
				const struct rv_extract_document *document,
				const struct rv_extract_changes *changes, struct rv_error *err)
{
	const struct rv_extract_table *t = &extract->tables[document->nodes[0].table];
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	RV_CLEANUP(duck_cursor_close) struct duck_cursor cursor = { 0 };
	RV_CLEANUP(rv_free_p) struct rv_str *key = rv_calloc(t->key->count, sizeof(*key));

	rv_strbuf_puts(&sql, "SELECT ");
	for (size_t i = 0; i < t->key->count; i++)
		for (size_t c = 0; c < t->columns_count; c++)
			if (strcmp(t->columns[c].name, t->key->items[i]) == 0) {
				rv_strbuf_puts(&sql, i ? ", " : "");
				add_text(&sql, &t->columns[c]);
			}
	rv_strbuf_puts(&sql, " FROM (SELECT DISTINCT ");
	duck_extract_key(&sql, t, "");
	rv_strbuf_puts(&sql, " FROM ");
	add_roots(&sql, extract, document);
	add_shard(&sql, "WHERE", extract, document);
	rv_strbuf_puts(&sql, " EXCEPT SELECT ");
	duck_extract_key(&sql, t, "");
	rv_strbuf_puts(&sql, " FROM temp.\"river node 0\")");
	if (duck_select(d, &cursor, sql.bytes, err) != RV_OK)
		return err->status;
	while (duck_next(&cursor)) {
		for (unsigned i = 0; i < t->key->count; i++)
			key[i] = duck_text(&cursor, i);
		if (changes->gone(changes->arg, key, t->key->count, err) != RV_OK)
			return err->status;
	}
	return RV_OK;
}

enum rv_status duck_extract_changed(struct rv_warehouse *w, const struct rv_extract *extract, size_t document,
				    const struct rv_extract_changes *changes, struct rv_error *err)
{
	struct rv_duckdb *d = (struct rv_duckdb *)w;
	const struct rv_extract_document *doc = &extract->documents[document];

	if (duck_enter(d, true, err) != RV_OK)
		return err->status;
	RV_CLEANUP(leave_p) RV_UNUSED struct rv_duckdb *entered = d;

	/* an extract that was taken before the job had these documents has no list of theirs, and perhaps no tables */
	for (size_t i = 0; i < doc->nodes_count; i++)
		if (duck_extract_prepare(d, &extract->tables[doc->nodes[i].table], err) != RV_OK)
			return err->status;
	if (make_roots(d, extract, doc, err) != RV_OK || make_nodes(d, extract, doc, err) != RV_OK)
		return err->status;
	for (size_t t = 0; t < extract->tables_count; t++)
		if (give_rows(d, extract, doc, t, changes, err) != RV_OK)
			return err->status;
	if (give_gone(d, extract, doc, changes, err) != RV_OK)
		return err->status;
	for (size_t i = 0; i < doc->nodes_count; i++)
		if (duck_runf(d, err, "DROP TABLE temp.\"river node %zu\"", i) != RV_OK)
			return err->status;
	return RV_OK;
}

enum rv_status duck_extract_number(struct rv_warehouse *w, uint64_t *ret, struct rv_error *err)
{
	struct rv_duckdb *d = (struct rv_duckdb *)w;

	if (duck_enter(d, false, err) != RV_OK)
		return err->status;
	RV_CLEANUP(leave_p) RV_UNUSED struct rv_duckdb *entered = d;

	return duck_number(d, "SELECT coalesce(max(number), 0)::BIGINT FROM river._river.extracts", ret, err);
}

enum rv_status duck_extract_settled(struct rv_warehouse *w, const struct rv_extract *extract, size_t document,
				    uint64_t number, struct rv_error *err)
{
	struct rv_duckdb *d = (struct rv_duckdb *)w;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;

	if (duck_enter(d, true, err) != RV_OK)
		return err->status;
	RV_CLEANUP(leave_p) RV_UNUSED struct rv_duckdb *entered = d;

	rv_strbuf_puts(&sql, "DELETE FROM ");
	add_roots(&sql, extract, &extract->documents[document]);
	rv_strbuf_printf(&sql, " WHERE \"river extract\" <= %" PRIu64, number);
	add_shard(&sql, "AND", extract, &extract->documents[document]);
	return duck_run(d, sql.bytes, NULL, err);
}

enum rv_status duck_extract_left(struct rv_warehouse *w, const struct rv_extract *extract, size_t document,
				 uint64_t *ret, struct rv_error *err)
{
	struct rv_duckdb *d = (struct rv_duckdb *)w;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;

	if (duck_enter(d, false, err) != RV_OK)
		return err->status;
	RV_CLEANUP(leave_p) RV_UNUSED struct rv_duckdb *entered = d;

	rv_strbuf_puts(&sql, "SELECT count(*) FROM ");
	add_roots(&sql, extract, &extract->documents[document]);
	rv_strbuf_puts(&sql, " WHERE \"river extract\" <= (SELECT max(number) FROM river._river.extracts WHERE job = ");
	duck_literal(&sql, extract->job);
	rv_strbuf_puts(&sql, " AND identity = ");
	duck_literal(&sql, extract->identity);
	rv_strbuf_putc(&sql, ')');
	return duck_number(d, sql.bytes, ret, err);
}

/*
 * Which documents an extract changes, and what they are made of now, as statements.
 *
 * "RIVER"."<JOB>$<DOCUMENT>$ROOTS" has the keys of roots whose documents have to be written, with the number of
 * the extract that changed them. They are found level by level from the keys an extract touched, through all
 * versions of the rows that there are, so a line that moves from one order to another changes both. A root leaves
 * the list when its document is confirmed: a run that was killed goes on from it.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "warehouse/snowflake_extract.h"

static char *on_roots(const struct rv_snowflake_warehouse *w, const struct rv_extract *extract,
		      const struct rv_extract_document *document)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf grant = RV_STRBUF_INIT;

	rv_strbuf_puts(&grant, "SELECT, INSERT, DELETE ON TABLE ");
	snow_add_extract_roots(&grant, w, extract, document);
	return rv_strbuf_take(&grant);
}

/* C."ORDER_ID" = P."ID" AND ... */
static void add_on(struct rv_strbuf *sql, const struct rv_extract_node *node, const char *child,
		   const char *parent)
{
	for (size_t i = 0; i < node->on_count; i++) {
		rv_strbuf_printf(sql, "%s%s.", i ? " AND " : "", child);
		snow_add_column(sql, node->on[i].child);
		rv_strbuf_printf(sql, " = %s.", parent);
		snow_add_column(sql, node->on[i].parent);
	}
}

/* Which roots are this shard's; `word` in front, nothing where there is one part alone. Of Snowflake's hashes
 * this one is defined by a standard, so it is the same next year. */
static void add_shard(struct rv_strbuf *sql, const char *word, const struct rv_extract *extract,
		      const struct rv_extract_document *document)
{
	const struct rv_extract_table *root = &extract->tables[document->nodes[0].table];

	if (extract->shards < 2)
		return;
	rv_strbuf_printf(sql, " %s MOD(MD5_NUMBER_LOWER64(", word);
	for (size_t k = 0; k < root->key->count; k++) {
		rv_strbuf_puts(sql, k ? " || '/' || " : "");
		snow_add_column(sql, root->key->items[k]);
		rv_strbuf_puts(sql, "::VARCHAR");
	}
	rv_strbuf_printf(sql, "), %u) = %u", extract->shards, extract->shard);
}

/* ---- noting ---- */

static void begin_roots(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
			const struct rv_extract *extract, const struct rv_extract_document *document)
{
	rv_strbuf_puts(sql, "INSERT INTO ");
	snow_add_extract_roots(sql, w, extract, document);
	rv_strbuf_puts(sql, " (");
	snow_add_extract_key(sql, &extract->tables[document->nodes[0].table], "");
	rv_strbuf_puts(sql, ", \"RIVER$EXTRACT\") SELECT DISTINCT ");
}

/* Roots over the keys that were touched in the table of one node. */
static void note_node(const struct rv_snowflake_warehouse *w, const struct rv_extract *extract,
		      const struct rv_extract_document *document, size_t node, const char run[RV_ULID_TEXT],
		      struct snow_steps *ret)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	size_t table = document->nodes[node].table;
	RV_CLEANUP(rv_free_p) char *alias = rv_asprintf("N%zu.", node);

	begin_roots(&sql, w, extract, document);
	snow_add_extract_key(&sql, &extract->tables[document->nodes[0].table], "N0.");
	rv_strbuf_puts(&sql, ", E.\"EXTRACT_NUMBER\"\nFROM ");
	snow_add_extract_table(&sql, w, &extract->tables[table], true);
	rv_strbuf_printf(&sql, " AS N%zu", node);
	for (size_t at = node; at != 0; at = document->nodes[at].parent) {
		const struct rv_extract_node *n = &document->nodes[at];
		RV_CLEANUP(rv_free_p) char *child = rv_asprintf("N%zu", at);
		RV_CLEANUP(rv_free_p) char *parent = rv_asprintf("N%zu", n->parent);

		rv_strbuf_puts(&sql, "\nJOIN ");
		snow_add_extract_table(&sql, w, &extract->tables[document->nodes[n->parent].table], true);
		rv_strbuf_printf(&sql, " AS %s ON ", parent);
		add_on(&sql, n, child, parent);
	}
	rv_strbuf_puts(&sql, "\nCROSS JOIN ");
	snow_add_extract_number(&sql, w, run);
	rv_strbuf_puts(&sql, " AS E\nWHERE EXISTS (SELECT 1 FROM ");
	snow_add_extract_temporary(&sql, w, run, "T", table);
	rv_strbuf_puts(&sql, " AS K WHERE ");
	snow_add_extract_touches(&sql, &extract->tables[table], alias);
	rv_strbuf_putc(&sql, ')');
	snow_steps_add(ret, &sql, on_roots(w, extract, document));
}

/* A root that was in a replaced extract alone has no version any more; its key was touched. */
static void note_root(const struct rv_snowflake_warehouse *w, const struct rv_extract *extract,
		      const struct rv_extract_document *document, const char run[RV_ULID_TEXT],
		      struct snow_steps *ret)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	size_t table = document->nodes[0].table;

	begin_roots(&sql, w, extract, document);
	for (size_t k = 0; k < extract->tables[table].key->count; k++)
		rv_strbuf_printf(&sql, "K.\"K$%zu\", ", k + 1);
	rv_strbuf_puts(&sql, "E.\"EXTRACT_NUMBER\" FROM ");
	snow_add_extract_temporary(&sql, w, run, "T", table);
	rv_strbuf_puts(&sql, " AS K CROSS JOIN ");
	snow_add_extract_number(&sql, w, run);
	rv_strbuf_puts(&sql, " AS E");
	snow_steps_add(ret, &sql, on_roots(w, extract, document));
}

void snow_extract_note_steps(const struct rv_snowflake_warehouse *w, const struct rv_extract *extract,
			     const char run[RV_ULID_TEXT], struct snow_steps *ret)
{
	for (size_t i = 0; i < extract->documents_count; i++) {
		const struct rv_extract_document *document = &extract->documents[i];

		note_root(w, extract, document, run, ret);
		for (size_t n = 1; n < document->nodes_count; n++)
			if (document->nodes[n].touch)
				note_node(w, extract, document, n, run, ret);
	}
}

/* ---- what changed documents are made of ---- */

/* The current rows of each node that belong to listed roots, in a temporary table each. */
static void node_step(const struct rv_snowflake_warehouse *w, const struct rv_extract *extract,
		      const struct rv_extract_document *document, size_t number, const char run[RV_ULID_TEXT],
		      struct snow_steps *ret)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT, grant = RV_STRBUF_INIT;
	const struct rv_extract_node *node = &document->nodes[number];
	const struct rv_extract_table *t = &extract->tables[node->table];

	rv_strbuf_puts(&sql, "CREATE TEMPORARY TABLE ");
	snow_add_extract_temporary(&sql, w, run, "N", number);
	rv_strbuf_puts(&sql, " AS SELECT C.* FROM ");
	snow_add_extract_table(&sql, w, t, false);
	rv_strbuf_puts(&sql, " AS C WHERE EXISTS (SELECT 1 FROM ");
	if (number == 0) {
		rv_strbuf_puts(&sql, "(SELECT * FROM ");
		snow_add_extract_roots(&sql, w, extract, document);
		add_shard(&sql, "WHERE", extract, document);
		rv_strbuf_puts(&sql, ") AS P WHERE ");
		for (size_t k = 0; k < t->key->count; k++) {
			rv_strbuf_puts(&sql, k ? " AND C." : "C.");
			snow_add_column(&sql, t->key->items[k]);
			rv_strbuf_puts(&sql, " = P.");
			snow_add_column(&sql, t->key->items[k]);
		}
	} else {
		snow_add_extract_temporary(&sql, w, run, "N", node->parent);
		rv_strbuf_puts(&sql, " AS P WHERE ");
		add_on(&sql, node, "C", "P");
	}
	rv_strbuf_putc(&sql, ')');
	rv_strbuf_puts(&grant, "SELECT ON TABLE ");
	snow_add_extract_table(&grant, w, t, false);
	snow_steps_add(ret, &sql, rv_strbuf_take(&grant));
}

/* A column as a text that table_value.h reads. What the API itself writes of numbers and booleans is one. */
static void add_text(struct rv_strbuf *sql, const struct rv_column *column)
{
	switch (column->type) {
	case RV_COLUMN_DATE:
		rv_strbuf_puts(sql, "TO_VARCHAR(");
		snow_add_column(sql, column->name);
		rv_strbuf_puts(sql, ", 'YYYY-MM-DD')");
		break;
	case RV_COLUMN_TIMESTAMP:
		rv_strbuf_puts(sql, "TO_VARCHAR(");
		snow_add_column(sql, column->name);
		rv_strbuf_puts(sql, ", 'YYYY-MM-DD\"T\"HH24:MI:SS.FF6\"Z\"')");
		break;
	case RV_COLUMN_JSON:
		rv_strbuf_puts(sql, "TO_JSON(");
		snow_add_column(sql, column->name);
		rv_strbuf_putc(sql, ')');
		break;
	default:
		snow_add_column(sql, column->name);
	}
	rv_strbuf_puts(sql, " AS ");
	snow_add_column(sql, column->name);
}

/* A table may be at several places of the tree; each of its rows is given once. */
static void rows_step(const struct rv_snowflake_warehouse *w, const struct rv_extract *extract,
		      const struct rv_extract_document *document, size_t table, const char run[RV_ULID_TEXT],
		      struct snow_steps *ret)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	const struct rv_extract_table *t = &extract->tables[table];

	for (size_t i = 0; i < document->nodes_count; i++) {
		if (document->nodes[i].table != table)
			continue;
		rv_strbuf_puts(&sql, sql.len ? "\nUNION SELECT " : "SELECT ");
		for (size_t c = 0; c < t->columns_count; c++) {
			rv_strbuf_puts(&sql, c ? ", " : "");
			add_text(&sql, &t->columns[c]);
		}
		rv_strbuf_puts(&sql, " FROM ");
		snow_add_extract_temporary(&sql, w, run, "N", i);
	}
	if (sql.len)
		snow_steps_add(ret, &sql, NULL)->table = t;
}

static void gone_step(const struct rv_snowflake_warehouse *w, const struct rv_extract *extract,
		      const struct rv_extract_document *document, const char run[RV_ULID_TEXT],
		      struct snow_steps *ret)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	const struct rv_extract_table *t = &extract->tables[document->nodes[0].table];

	rv_strbuf_puts(&sql, "SELECT ");
	for (size_t k = 0; k < t->key->count; k++) {
		rv_strbuf_puts(&sql, k ? ", " : "");
		add_text(&sql, snow_extract_column(t, t->key->items[k]));
	}
	rv_strbuf_puts(&sql, " FROM (SELECT ");
	snow_add_extract_key(&sql, t, "");
	rv_strbuf_puts(&sql, " FROM ");
	snow_add_extract_roots(&sql, w, extract, document);
	add_shard(&sql, "WHERE", extract, document);
	rv_strbuf_puts(&sql, " EXCEPT SELECT ");
	snow_add_extract_key(&sql, t, "");
	rv_strbuf_puts(&sql, " FROM ");
	snow_add_extract_temporary(&sql, w, run, "N", 0);
	rv_strbuf_puts(&sql, ") AS V");
	snow_steps_add(ret, &sql, NULL);
}

void snow_extract_changed_steps(const struct rv_snowflake_warehouse *w, const struct rv_extract *extract,
				size_t document, const char run[RV_ULID_TEXT], struct snow_steps *ret,
				size_t *ret_first)
{
	const struct rv_extract_document *d = &extract->documents[document];

	for (size_t i = 0; i < d->nodes_count; i++)
		node_step(w, extract, d, i, run, ret);
	*ret_first = ret->count;
	for (size_t t = 0; t < extract->tables_count; t++)
		rows_step(w, extract, d, t, run, ret);
	gone_step(w, extract, d, run, ret);
}

/* ---- the list ---- */

void snow_extract_settled_sql(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
			      const struct rv_extract *extract, size_t document, uint64_t number)
{
	rv_strbuf_puts(sql, "DELETE FROM ");
	snow_add_extract_roots(sql, w, extract, &extract->documents[document]);
	rv_strbuf_printf(sql, " WHERE \"RIVER$EXTRACT\" <= %" PRIu64, number);
	add_shard(sql, "AND", extract, &extract->documents[document]);
}

void snow_extract_left_sql(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
			   const struct rv_extract *extract, size_t document)
{
	rv_strbuf_puts(sql, "SELECT COUNT(*) AS \"N\" FROM ");
	snow_add_extract_roots(sql, w, extract, &extract->documents[document]);
	rv_strbuf_puts(sql, " WHERE \"RIVER$EXTRACT\" <= (SELECT MAX(\"EXTRACT_NUMBER\") FROM ");
	snow_add_house(sql, w, SNOW_EXTRACTS);
	rv_strbuf_puts(sql, " WHERE \"JOB\" = ");
	snow_add_literal(sql, extract->job);
	rv_strbuf_puts(sql, " AND \"IDENTITY\" = ");
	snow_add_literal(sql, extract->identity);
	rv_strbuf_putc(sql, ')');
}

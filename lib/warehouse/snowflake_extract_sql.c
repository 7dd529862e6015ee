/* The statements that take an extract; see the header. Text alone, nobody is asked. */
#include "warehouse/snowflake_extract.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/memory.h"
#include "warehouse/snowflake_contract.h"

/* COPY takes so many names. */
#define FILES_MAX 1000
/* Above any place in an object. */
#define OBJECT_ROWS "1099511627776"

/* ---- steps ---- */

void snow_steps_release(struct snow_steps *steps)
{
	for (size_t i = 0; i < steps->count; i++) {
		free(steps->items[i].sql);
		free(steps->items[i].grant);
	}
	free(steps->items);
	*steps = (struct snow_steps){ 0 };
}

struct snow_step *snow_steps_add(struct snow_steps *steps, struct rv_strbuf *sql, char *grant)
{
	RV_GROW(steps->items, steps->count, steps->capacity);
	struct snow_step *step = &steps->items[steps->count++];

	*step = (struct snow_step){ .sql = rv_strbuf_take(sql), .grant = grant };
	return step;
}

/* Each begins a line: where one fails, Snowflake names it by line and column. */
void snow_steps_join(const struct snow_steps *steps, struct rv_strbuf *sql)
{
	for (size_t i = 0; i < steps->count; i++)
		rv_strbuf_printf(sql, "%s%s", i ? ";\n" : "", steps->items[i].sql);
}

/* ---- names ---- */

static void add_upper(struct rv_strbuf *sb, const char *text)
{
	for (; *text; text++)
		rv_strbuf_putc(sb, (char)toupper((unsigned char)*text));
}

void snow_extract_schema_name(const struct rv_extract_table *t, struct rv_strbuf *ret)
{
	add_upper(ret, t->schema);
}

void snow_extract_table_name(const struct rv_extract_table *t, bool rows, struct rv_strbuf *ret)
{
	add_upper(ret, t->name);
	rv_strbuf_puts(ret, rows ? "$ROWS" : "");
}

void snow_extract_roots_name(const struct rv_extract *extract, const struct rv_extract_document *document,
			     struct rv_strbuf *ret)
{
	add_upper(ret, extract->job);
	rv_strbuf_putc(ret, '$');
	add_upper(ret, document->name);
	rv_strbuf_puts(ret, "$ROOTS");
}

void snow_add_extract_schema(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
			     const struct rv_extract_table *t)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf name = RV_STRBUF_INIT;

	snow_extract_schema_name(t, &name);
	rv_snowflake_identifier(sql, w->params.database);
	rv_strbuf_putc(sql, '.');
	rv_snowflake_identifier(sql, name.bytes);
}

void snow_add_extract_table(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
			    const struct rv_extract_table *t, bool rows)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf name = RV_STRBUF_INIT;

	snow_extract_table_name(t, rows, &name);
	snow_add_extract_schema(sql, w, t);
	rv_strbuf_putc(sql, '.');
	rv_snowflake_identifier(sql, name.bytes);
}

void snow_add_extract_roots(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
			    const struct rv_extract *extract, const struct rv_extract_document *document)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf name = RV_STRBUF_INIT;

	snow_extract_roots_name(extract, document, &name);
	snow_add_house(sql, w, name.bytes);
}

void snow_add_extract_temporary(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
				const char run[RV_ULID_TEXT], const char *what, size_t number)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf name = RV_STRBUF_INIT;

	rv_strbuf_puts(&name, "X$");
	add_upper(&name, run);
	rv_strbuf_printf(&name, "$%s%zu", what, number);
	snow_add_house(sql, w, name.bytes);
}

const struct rv_column *snow_extract_column(const struct rv_extract_table *t, const char *name)
{
	for (size_t i = 0; i < t->columns_count; i++)
		if (strcmp(t->columns[i].name, name) == 0)
			return &t->columns[i];
	rv_bug("%s has no column %s", t->name, name);
}

/* A name of a file may be of any bytes; those that are no text are spelled out. */
static void add_literal(struct rv_strbuf *sql, const char *text)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf spelled = RV_STRBUF_INIT;
	json_t *valid = json_string(text);

	for (const char *p = text; *p && !valid; p++)
		rv_strbuf_printf(&spelled, (unsigned char)*p >= 0x80 ? "\\x%02x" : "%c", (unsigned char)*p);
	snow_add_literal(sql, valid ? text : spelled.bytes);
	json_decref(valid);
}

/* ---- parts ---- */

static void add_columns(struct rv_strbuf *sql, const struct rv_extract_table *t, const char *before)
{
	for (size_t i = 0; i < t->columns_count; i++) {
		rv_strbuf_printf(sql, "%s%s", i ? ", " : "", before);
		snow_add_column(sql, t->columns[i].name);
	}
}

void snow_add_extract_key(struct rv_strbuf *sql, const struct rv_extract_table *t, const char *before)
{
	for (size_t i = 0; i < t->key->count; i++) {
		rv_strbuf_printf(sql, "%s%s", i ? ", " : "", before);
		snow_add_column(sql, t->key->items[i]);
	}
}

void snow_add_extract_touches(struct rv_strbuf *sql, const struct rv_extract_table *t, const char *before)
{
	for (size_t i = 0; i < t->key->count; i++) {
		rv_strbuf_printf(sql, "%s%s", i ? " AND " : "", before);
		snow_add_column(sql, t->key->items[i]);
		rv_strbuf_printf(sql, " = \"K$%zu\"", i + 1);
	}
}

void snow_add_extract_number(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
			     const char run[RV_ULID_TEXT])
{
	rv_strbuf_puts(sql, "(SELECT \"EXTRACT_NUMBER\" FROM ");
	snow_add_house(sql, w, SNOW_EXTRACTS);
	rv_strbuf_printf(sql, " WHERE \"RUN\" = '%s')", run);
}

/* The numbers of what this extract replaces. */
static void add_replaced(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
			 const struct rv_extract *extract, const char run[RV_ULID_TEXT])
{
	rv_strbuf_puts(sql, "(SELECT \"EXTRACT_NUMBER\" FROM ");
	snow_add_house(sql, w, SNOW_EXTRACTS);
	rv_strbuf_puts(sql, " WHERE \"JOB\" = ");
	add_literal(sql, extract->job);
	rv_strbuf_puts(sql, " AND (\"IDENTITY\" = ");
	add_literal(sql, extract->identity);
	rv_strbuf_puts(sql, " OR \"NAME\" = ");
	add_literal(sql, extract->name);
	rv_strbuf_printf(sql, ") AND \"RUN\" <> '%s')", run);
}

/* A column of a record. What river wrote is exact already; times have up to six digits behind the point. */
static void add_value(struct rv_strbuf *sql, const struct rv_column *column)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf v = RV_STRBUF_INIT;
	char type[SNOW_TYPE_MAX];

	rv_strbuf_puts(&v, "S.\"RECORD\"[");
	snow_add_literal(&v, column->name);
	rv_strbuf_putc(&v, ']');
	switch (column->type) {
	case RV_COLUMN_DATE:
		rv_strbuf_printf(sql, "TO_DATE(%s::VARCHAR, 'YYYY-MM-DD')", v.bytes);
		break;
	case RV_COLUMN_TIMESTAMP:
		rv_strbuf_printf(sql, "TO_TIMESTAMP_NTZ(REPLACE(SUBSTR(%s::VARCHAR, 1, 19), 'T', ' ') || '.' || "
				      "RPAD(RTRIM(SUBSTR(%s::VARCHAR, 21), 'Z'), 6, '0'), "
				      "'YYYY-MM-DD HH24:MI:SS.FF6')::TIMESTAMP_NTZ(6)", v.bytes, v.bytes);
		break;
	case RV_COLUMN_JSON:
		rv_strbuf_printf(sql, "CASE WHEN TYPEOF(%s) = 'NULL_VALUE' THEN NULL ELSE %s END", v.bytes,
				 v.bytes);
		break;
	default:
		rv_strbuf_printf(sql, "%s::%s", v.bytes, snow_type(column, type));
	}
	rv_strbuf_puts(sql, " AS ");
	snow_add_column(sql, column->name);
}

static const char *file_of(const char *object)
{
	const char *slash = strrchr(object, '/');

	return slash ? slash + 1 : object;
}

static char *on_table(const struct rv_snowflake_warehouse *w, const struct rv_extract_table *t, bool rows)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf grant = RV_STRBUF_INIT;

	rv_strbuf_puts(&grant, "SELECT, INSERT, DELETE ON TABLE ");
	snow_add_extract_table(&grant, w, t, rows);
	return rv_strbuf_take(&grant);
}

static char *on_house(const struct rv_snowflake_warehouse *w, const char *privileges, const char *name)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf grant = RV_STRBUF_INIT;

	rv_strbuf_printf(&grant, "%s ", privileges);
	snow_add_house(&grant, w, name);
	return rv_strbuf_take(&grant);
}

/* ---- before the transaction ---- */

static void copy_steps(const struct rv_snowflake_warehouse *w, const struct rv_extract_table *t, size_t index,
		       const char run[RV_ULID_TEXT], struct snow_steps *ret)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT, format = RV_STRBUF_INIT;
	/* below loads/, with the slash */
	const char *place = t->objects[0] + strlen("loads/");

	snow_add_house(&format, w, SNOW_FORMAT);
	for (size_t at = 0; at < t->objects_count; at += FILES_MAX) {
		size_t end = t->objects_count - at < FILES_MAX ? t->objects_count : at + FILES_MAX;

		rv_strbuf_puts(&sql, "COPY INTO ");
		snow_add_extract_temporary(&sql, w, run, "R", index);
		rv_strbuf_puts(&sql, " (\"RECORD\", \"FILE_NAME\", \"FILE_ROW\") FROM (SELECT $1, "
				     "METADATA$FILENAME, METADATA$FILE_ROW_NUMBER FROM @");
		if (w->params.loads_stage)
			rv_strbuf_puts(&sql, w->params.loads_stage);
		else
			snow_add_house(&sql, w, SNOW_LOADS_STAGE);
		rv_strbuf_printf(&sql, "/%.*s) FILE_FORMAT = (FORMAT_NAME = ", (int)(file_of(place) - place),
				 place);
		snow_add_literal(&sql, format.bytes);
		rv_strbuf_puts(&sql, ") FILES = (");
		for (size_t i = at; i < end; i++) {
			rv_strbuf_puts(&sql, i > at ? ", " : "");
			snow_add_literal(&sql, file_of(t->objects[i]));
		}
		rv_strbuf_puts(&sql, ") ON_ERROR = ABORT_STATEMENT");
		snow_steps_add(ret, &sql, w->params.loads_stage
						  ? rv_asprintf("USAGE ON STAGE %s", w->params.loads_stage)
						  : on_house(w, "USAGE ON STAGE", SNOW_LOADS_STAGE));
	}
}

static void temporary_steps(const struct rv_snowflake_warehouse *w, const struct rv_extract *extract,
			    const char run[RV_ULID_TEXT], struct snow_steps *ret)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	char type[SNOW_TYPE_MAX];

	for (size_t i = 0; i < extract->tables_count; i++) {
		const struct rv_extract_table *t = &extract->tables[i];

		if (t->objects_count) {
			rv_strbuf_puts(&sql, "CREATE TEMPORARY TABLE ");
			snow_add_extract_temporary(&sql, w, run, "R", i);
			rv_strbuf_puts(&sql, " (\"RECORD\" VARIANT, \"FILE_NAME\" VARCHAR, "
					     "\"FILE_ROW\" NUMBER(38,0))");
			snow_steps_add(ret, &sql, NULL);
			copy_steps(w, t, i, run, ret);
		}
		if (!t->merge)
			continue;
		rv_strbuf_puts(&sql, "CREATE TEMPORARY TABLE ");
		snow_add_extract_temporary(&sql, w, run, "T", i);
		for (size_t k = 0; k < t->key->count; k++)
			rv_strbuf_printf(&sql, "%s\"K$%zu\" %s", k ? ", " : " (", k + 1,
					 snow_type(snow_extract_column(t, t->key->items[k]), type));
		rv_strbuf_putc(&sql, ')');
		snow_steps_add(ret, &sql, NULL);
	}
}

/* ---- the transaction ---- */

static void ledger_steps(const struct rv_snowflake_warehouse *w, const struct rv_extract *extract,
			 const char run[RV_ULID_TEXT], struct snow_steps *ret)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;

	rv_strbuf_puts(&sql, "UPDATE ");
	snow_add_house(&sql, w, SNOW_EXTRACTS_LOCK);
	rv_strbuf_printf(&sql, " SET \"RUN\" = '%s', \"HELD_AT\" = CURRENT_TIMESTAMP()", run);
	snow_steps_add(ret, &sql, on_house(w, "SELECT, INSERT, UPDATE ON TABLE", SNOW_EXTRACTS_LOCK));
	if (!extract->replace) {
		rv_strbuf_puts(&sql, "SELECT TO_NUMBER(CASE WHEN COUNT(*) = 0 THEN '0' ELSE '" SNOW_EXTRACT_TAKEN
				     " ' || COUNT(*) END) FROM ");
		snow_add_house(&sql, w, SNOW_EXTRACTS);
		rv_strbuf_puts(&sql, " WHERE \"JOB\" = ");
		add_literal(&sql, extract->job);
		rv_strbuf_puts(&sql, " AND \"IDENTITY\" = ");
		add_literal(&sql, extract->identity);
		snow_steps_add(ret, &sql, on_house(w, "SELECT, INSERT, DELETE ON TABLE", SNOW_EXTRACTS));
	}
	rv_strbuf_puts(&sql, "INSERT INTO ");
	snow_add_house(&sql, w, SNOW_EXTRACTS);
	rv_strbuf_puts(&sql, " (\"EXTRACT_NUMBER\", \"JOB\", \"IDENTITY\", \"NAME\", \"ORDER_KEY\", \"RUN\", "
			     "\"TAKEN_AT\", \"SUMMARY\") SELECT COALESCE(MAX(\"EXTRACT_NUMBER\"), 0) + 1, ");
	add_literal(&sql, extract->job);
	rv_strbuf_puts(&sql, ", ");
	add_literal(&sql, extract->identity);
	rv_strbuf_puts(&sql, ", ");
	add_literal(&sql, extract->name);
	rv_strbuf_puts(&sql, ", ");
	add_literal(&sql, extract->order);
	rv_strbuf_printf(&sql, ", '%s', CURRENT_TIMESTAMP(), ", run);
	add_literal(&sql, extract->summary);
	rv_strbuf_puts(&sql, " FROM ");
	snow_add_house(&sql, w, SNOW_EXTRACTS);
	snow_steps_add(ret, &sql, on_house(w, "SELECT, INSERT, DELETE ON TABLE", SNOW_EXTRACTS));
}

/* Keys of the rows that these numbers brought. */
static void touch_step(const struct rv_snowflake_warehouse *w, const struct rv_extract_table *t, size_t index,
		       const char *numbers, const char run[RV_ULID_TEXT], struct snow_steps *ret)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;

	rv_strbuf_puts(&sql, "INSERT INTO ");
	snow_add_extract_temporary(&sql, w, run, "T", index);
	rv_strbuf_puts(&sql, " SELECT DISTINCT ");
	snow_add_extract_key(&sql, t, "");
	rv_strbuf_puts(&sql, " FROM ");
	snow_add_extract_table(&sql, w, t, true);
	rv_strbuf_printf(&sql, " WHERE \"RIVER$EXTRACT\" IN %s", numbers);
	snow_steps_add(ret, &sql, on_table(w, t, true));
}

/* One row of values a file: its name and its place among the others. */
static void add_files(struct rv_strbuf *sql, const struct rv_extract_table *t)
{
	rv_strbuf_puts(sql, "(VALUES ");
	for (size_t i = 0; i < t->objects_count; i++) {
		rv_strbuf_puts(sql, i ? ", (" : "(");
		snow_add_literal(sql, file_of(t->objects[i]));
		rv_strbuf_printf(sql, ", %zu)", i + 1);
	}
	rv_strbuf_puts(sql, ") AS F (\"NAME\", \"PLACE\")");
}

/* Values are compared, not how they are written: 1 is 1.00. A json is its text. */
static void add_deleted(struct rv_strbuf *sql, const struct rv_extract_table *t)
{
	char type[SNOW_TYPE_MAX];

	if (!t->delete_column) {
		rv_strbuf_puts(sql, "FALSE");
		return;
	}
	const struct rv_column *column = snow_extract_column(t, t->delete_column);
	bool is_json = column->type == RV_COLUMN_JSON;

	rv_strbuf_puts(sql, "COALESCE(V.");
	snow_add_column(sql, t->delete_column);
	rv_strbuf_puts(sql, is_json ? "::VARCHAR = TRY_CAST(" : " = TRY_CAST(");
	snow_add_literal(sql, t->delete_equals);
	rv_strbuf_printf(sql, " AS %s), FALSE)", is_json ? "VARCHAR" : snow_type(column, type));
}

static void insert_steps(const struct rv_snowflake_warehouse *w, const struct rv_extract_table *t, size_t index,
			 const char *number, const char run[RV_ULID_TEXT], struct snow_steps *ret)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;

	if (!t->objects_count)
		return;
	rv_strbuf_puts(&sql, "INSERT INTO ");
	snow_add_extract_table(&sql, w, t, true);
	rv_strbuf_puts(&sql, " (");
	add_columns(&sql, t, "");
	rv_strbuf_puts(&sql, ", \"RIVER$EXTRACT\", \"RIVER$ROW\", \"RIVER$DELETED\") SELECT ");
	add_columns(&sql, t, "V.");
	rv_strbuf_puts(&sql, ", E.\"EXTRACT_NUMBER\", V.\"RIVER$ROW\", ");
	add_deleted(&sql, t);
	rv_strbuf_puts(&sql, "\nFROM (SELECT ");
	for (size_t i = 0; i < t->columns_count; i++) {
		add_value(&sql, &t->columns[i]);
		rv_strbuf_puts(&sql, ",\n  ");
	}
	rv_strbuf_puts(&sql, "F.\"PLACE\" * " OBJECT_ROWS " + S.\"FILE_ROW\" AS \"RIVER$ROW\"\n  FROM ");
	snow_add_extract_temporary(&sql, w, run, "R", index);
	rv_strbuf_puts(&sql, " AS S JOIN ");
	add_files(&sql, t);
	rv_strbuf_printf(&sql, " ON F.\"NAME\" = SPLIT_PART(S.\"FILE_NAME\", '/', -1)) AS V\nCROSS JOIN %s AS E",
			 number);
	snow_steps_add(ret, &sql, on_table(w, t, true));
	rv_strbuf_printf(&sql, "SELECT TO_NUMBER(CASE WHEN COUNT(*) = %" PRIu64 " THEN '0' ELSE '"
			       SNOW_EXTRACT_ROWS " ' || COUNT(*) END) FROM ", t->rows);
	snow_add_extract_table(&sql, w, t, true);
	rv_strbuf_printf(&sql, " WHERE \"RIVER$EXTRACT\" IN %s", number);
	snow_steps_add(ret, &sql, on_table(w, t, true))->table = t;
}

/* The touched keys of the table, made of the versions that are there. */
static void merge_steps(const struct rv_snowflake_warehouse *w, const struct rv_extract_table *t, size_t index,
			const char run[RV_ULID_TEXT], struct snow_steps *ret)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT, touched = RV_STRBUF_INIT;

	snow_add_extract_temporary(&touched, w, run, "T", index);
	rv_strbuf_puts(&sql, "DELETE FROM ");
	snow_add_extract_table(&sql, w, t, false);
	rv_strbuf_printf(&sql, " WHERE EXISTS (SELECT 1 FROM %s AS K WHERE ", touched.bytes);
	snow_add_extract_touches(&sql, t, "");
	rv_strbuf_putc(&sql, ')');
	snow_steps_add(ret, &sql, on_table(w, t, false));
	rv_strbuf_puts(&sql, "INSERT INTO ");
	snow_add_extract_table(&sql, w, t, false);
	rv_strbuf_puts(&sql, " (");
	add_columns(&sql, t, "");
	rv_strbuf_puts(&sql, ") SELECT ");
	add_columns(&sql, t, "V.");
	rv_strbuf_puts(&sql, "\nFROM (SELECT ");
	add_columns(&sql, t, "R.");
	rv_strbuf_puts(&sql, ", R.\"RIVER$DELETED\", ROW_NUMBER() OVER (PARTITION BY ");
	snow_add_extract_key(&sql, t, "R.");
	rv_strbuf_puts(&sql, " ORDER BY E.\"ORDER_KEY\" DESC, E.\"EXTRACT_NUMBER\" DESC, R.\"RIVER$ROW\" DESC) AS "
			     "\"RIVER$RANK\"\n  FROM ");
	snow_add_extract_table(&sql, w, t, true);
	rv_strbuf_puts(&sql, " AS R JOIN ");
	snow_add_house(&sql, w, SNOW_EXTRACTS);
	rv_strbuf_printf(&sql, " AS E ON E.\"EXTRACT_NUMBER\" = R.\"RIVER$EXTRACT\"\n  WHERE EXISTS (SELECT 1 FROM %s"
			       " AS K WHERE ", touched.bytes);
	snow_add_extract_touches(&sql, t, "R.");
	rv_strbuf_puts(&sql, ")) AS V\nWHERE V.\"RIVER$RANK\" = 1 AND NOT V.\"RIVER$DELETED\"");
	snow_steps_add(ret, &sql, on_table(w, t, false));
}

void snow_extract_take_steps(const struct rv_snowflake_warehouse *w, const struct rv_extract *extract,
			     const char run[RV_ULID_TEXT], struct snow_steps *ret)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf number = RV_STRBUF_INIT, replaced = RV_STRBUF_INIT;

	snow_add_extract_number(&number, w, run);
	add_replaced(&replaced, w, extract, run);
	temporary_steps(w, extract, run, ret);
	rv_strbuf_puts(&sql, "BEGIN TRANSACTION");
	snow_steps_add(ret, &sql, NULL);
	ledger_steps(w, extract, run, ret);
	/* what is replaced changes the documents it was in; afterwards nothing tells which */
	for (size_t i = 0; i < extract->tables_count && extract->replace; i++)
		if (extract->tables[i].merge)
			touch_step(w, &extract->tables[i], i, replaced.bytes, run, ret);
	if (extract->replace)
		snow_extract_note_steps(w, extract, run, ret);
	for (size_t i = 0; i < extract->tables_count; i++) {
		const struct rv_extract_table *t = &extract->tables[i];

		if (extract->replace) {
			rv_strbuf_puts(&sql, "DELETE FROM ");
			snow_add_extract_table(&sql, w, t, true);
			rv_strbuf_printf(&sql, " WHERE \"RIVER$EXTRACT\" IN %s", replaced.bytes);
			snow_steps_add(ret, &sql, on_table(w, t, true));
		}
		insert_steps(w, t, i, number.bytes, run, ret);
		if (!t->merge || (!t->objects_count && !extract->replace))
			continue;
		if (t->objects_count)
			touch_step(w, t, i, number.bytes, run, ret);
		merge_steps(w, t, i, run, ret);
	}
	snow_extract_note_steps(w, extract, run, ret);
	if (extract->replace) {
		rv_strbuf_puts(&sql, "DELETE FROM ");
		snow_add_house(&sql, w, SNOW_EXTRACTS);
		rv_strbuf_printf(&sql, " WHERE \"EXTRACT_NUMBER\" IN %s", replaced.bytes);
		snow_steps_add(ret, &sql, on_house(w, "SELECT, INSERT, DELETE ON TABLE", SNOW_EXTRACTS));
	}
	rv_strbuf_puts(&sql, "COMMIT");
	snow_steps_add(ret, &sql, NULL);
}

/* ---- asking ---- */

void snow_extract_find_sql(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w, const char *job,
			   const char *identity)
{
	rv_strbuf_puts(sql, "SELECT \"SUMMARY\", \"RUN\" FROM ");
	snow_add_house(sql, w, SNOW_EXTRACTS);
	rv_strbuf_puts(sql, " WHERE \"JOB\" = ");
	add_literal(sql, job);
	rv_strbuf_puts(sql, " AND \"IDENTITY\" = ");
	add_literal(sql, identity);
	rv_strbuf_puts(sql, " ORDER BY \"EXTRACT_NUMBER\" DESC LIMIT 1");
}

void snow_extract_above_sql(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
			    const struct rv_extract *extract)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf kind = RV_STRBUF_INIT;

	rv_extract_kind(extract, &kind);
	rv_strbuf_puts(sql, "SELECT \"NAME\" FROM ");
	snow_add_house(sql, w, SNOW_EXTRACTS);
	rv_strbuf_puts(sql, " WHERE \"JOB\" = ");
	add_literal(sql, extract->job);
	rv_strbuf_puts(sql, " AND \"ORDER_KEY\" > ");
	add_literal(sql, extract->order);
	rv_strbuf_printf(sql, " AND CASE WHEN \"ORDER_KEY\" <> \"NAME\" THEN LEFT(\"ORDER_KEY\", "
			      "GREATEST(LENGTH(\"ORDER_KEY\") - LENGTH(\"NAME\") - %d, 0)) "
			      "WHEN CONTAINS(\"NAME\", '/') THEN '/' ELSE '=' END <> ", RV_EXTRACT_ORDER_DIGITS + 1);
	add_literal(sql, kind.bytes);
	rv_strbuf_puts(sql, " ORDER BY \"ORDER_KEY\" DESC LIMIT 1");
}

bool snow_extract_repeated_sql(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
			       const struct rv_extract *extract, const char run[RV_ULID_TEXT])
{
	bool any = false;

	for (size_t i = 0; i < extract->tables_count; i++) {
		const struct rv_extract_table *t = &extract->tables[i];

		if (!t->merge || !t->objects_count)
			continue;
		rv_strbuf_printf(sql, "%sSELECT %zu AS \"PLACE\", COALESCE(SUM(V.\"N\" - 1), 0) AS \"REPEATED\" FROM "
				      "(SELECT COUNT(*) AS \"N\" FROM ", any ? "\nUNION ALL " : "", i);
		snow_add_extract_table(sql, w, t, true);
		rv_strbuf_puts(sql, " WHERE \"RIVER$EXTRACT\" IN ");
		snow_add_extract_number(sql, w, run);
		rv_strbuf_puts(sql, " GROUP BY ");
		snow_add_extract_key(sql, t, "");
		rv_strbuf_puts(sql, ") AS V");
		any = true;
	}
	return any;
}

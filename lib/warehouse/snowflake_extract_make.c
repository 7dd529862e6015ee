/* What there has to be in Snowflake before an extract is taken: one look, and what is missing. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "warehouse/snowflake_contract.h"
#include "warehouse/snowflake_ddl.h"
#include "warehouse/snowflake_extract.h"

/* ---- looking ---- */

static void add_name(struct rv_strbuf *names, const char *name)
{
	rv_strbuf_puts(names, names->len ? ", " : "");
	snow_add_literal(names, name);
}

static void add_part(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w, const char *view,
		     const char *columns, const char *where, const char *names)
{
	rv_strbuf_printf(sql, "%sSELECT %s FROM ", sql->len ? "\nUNION ALL " : "", columns);
	rv_snowflake_identifier(sql, w->params.database);
	rv_strbuf_printf(sql, ".\"INFORMATION_SCHEMA\".\"%s\" WHERE %s (%s)", view, where, names);
}

/* Kind, schema, name, attribute and value, as of struct snow_fact. */
void snow_extract_look_sql(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
			   const struct rv_extract *extract)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf schemas = RV_STRBUF_INIT, names = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf where = RV_STRBUF_INIT, database = RV_STRBUF_INIT;

	add_name(&schemas, SNOW_HOUSE);
	add_name(&names, SNOW_EXTRACTS);
	add_name(&names, SNOW_EXTRACTS_LOCK);
	snow_add_literal(&database, w->params.database);
	for (size_t i = 0; i < extract->tables_count; i++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf schema = RV_STRBUF_INIT;

		snow_extract_schema_name(&extract->tables[i], &schema);
		add_name(&schemas, schema.bytes);
		for (int rows = 0; rows < 2; rows++) {
			RV_CLEANUP(rv_strbuf_release) struct rv_strbuf name = RV_STRBUF_INIT;

			snow_extract_table_name(&extract->tables[i], rows, &name);
			add_name(&names, name.bytes);
		}
	}
	for (size_t i = 0; i < extract->documents_count; i++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf name = RV_STRBUF_INIT;

		snow_extract_roots_name(extract, &extract->documents[i], &name);
		add_name(&names, name.bytes);
	}
	add_part(sql, w, "SCHEMATA",
		 "'schema' AS \"KIND\", \"SCHEMA_NAME\" AS \"SCHEMA_NAME\", '' AS \"NAME\", '' AS \"ATTRIBUTE\", "
		 "\"COMMENT\" AS \"VALUE\"", "\"SCHEMA_NAME\" IN", schemas.bytes);
	rv_strbuf_printf(&where, "\"TABLE_SCHEMA\" IN (%s) AND \"TABLE_NAME\" IN", schemas.bytes);
	add_part(sql, w, "TABLES",
		 "'table', \"TABLE_SCHEMA\", \"TABLE_NAME\", CASE WHEN \"TABLE_TYPE\" LIKE '%VIEW' THEN 'VIEW' ELSE "
		 "'TABLE' END, \"COMMENT\"", where.bytes, names.bytes);
	add_part(sql, w, "COLUMNS",
		 "'column', \"TABLE_SCHEMA\", \"TABLE_NAME\", \"COLUMN_NAME\", \"DATA_TYPE\" || CASE WHEN "
		 "\"DATA_TYPE\" = 'NUMBER' THEN '(' || \"NUMERIC_PRECISION\" || ',' || \"NUMERIC_SCALE\" || ')' "
		 "ELSE '' END", where.bytes, names.bytes);
	add_part(sql, w, "STAGES", "'stage', \"STAGE_SCHEMA\", \"STAGE_NAME\", \"STAGE_URL\", \"COMMENT\"",
		 "\"STAGE_SCHEMA\" IN", "'" SNOW_HOUSE "'");
	add_part(sql, w, "FILE_FORMATS",
		 "'format', \"FILE_FORMAT_SCHEMA\", \"FILE_FORMAT_NAME\", '', \"COMMENT\"",
		 "\"FILE_FORMAT_SCHEMA\" IN", "'" SNOW_HOUSE "'");
	/* whether the roles of the database are there is seen by what they were granted */
	add_part(sql, w, "OBJECT_PRIVILEGES",
		 "'grant', '', \"OBJECT_NAME\", \"OBJECT_TYPE\" || ':' || \"PRIVILEGE_TYPE\", \"GRANTEE\"",
		 "\"OBJECT_TYPE\" = 'DATABASE' AND \"OBJECT_NAME\" IN", database.bytes);
}

/* ---- making ---- */

struct making {
	const struct rv_snowflake_warehouse *w;
	const struct rv_extract *extract;
	const struct snow_seen *seen;
	struct snow_steps *steps;
};

static char *in_database(const struct making *m, const char *privilege)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf grant = RV_STRBUF_INIT;

	rv_strbuf_printf(&grant, "%s ON DATABASE ", privilege);
	rv_snowflake_identifier(&grant, m->w->params.database);
	return rv_strbuf_take(&grant);
}

static char *in_house(const struct making *m, const char *privilege)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf grant = RV_STRBUF_INIT;

	rv_strbuf_printf(&grant, "%s ON SCHEMA ", privilege);
	rv_snowflake_identifier(&grant, m->w->params.database);
	rv_strbuf_puts(&grant, ".\"" SNOW_HOUSE "\"");
	return rv_strbuf_take(&grant);
}

static char *in_schema(const struct making *m, const struct rv_extract_table *t, const char *privilege)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf grant = RV_STRBUF_INIT;

	rv_strbuf_printf(&grant, "%s ON SCHEMA ", privilege);
	snow_add_extract_schema(&grant, m->w, t);
	return rv_strbuf_take(&grant);
}

/* An object as snowflake_ddl.h writes it; used up. */
static void make_text(const struct making *m, struct snow_text *text, char *grant)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;

	rv_strbuf_puts(&sql, text->create);
	snow_steps_add(m->steps, &sql, grant);
	snow_text_release(text);
}

/* One that is river's own: what it is made of cannot be told from its name. */
static void make_own(const struct making *m, const char *name, const char *columns, const char *what)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;

	if (snow_seen_find(m->seen, "table", SNOW_HOUSE, name))
		return;
	rv_strbuf_puts(&sql, "CREATE TABLE IF NOT EXISTS ");
	snow_add_house(&sql, m->w, name);
	rv_strbuf_printf(&sql, " (%s) COMMENT = '{\"river\":1,\"extracts\":\"%s\"}'", columns, what);
	snow_steps_add(m->steps, &sql, in_house(m, "CREATE TABLE"));
}

static enum rv_status check_stage(const struct making *m, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *url = rv_asprintf("s3://%s/%s%sloads/", m->w->params.bucket,
						      m->w->params.lake_prefix,
						      m->w->params.lake_prefix[0] ? "/" : "");
	struct snow_text text;

	if (m->w->params.loads_stage)
		return RV_OK;
	if (!m->w->params.storage_integration) {
		rv_fail(err, RV_BAD_CONFIG, "nothing says how Snowflake reads loads/ of the lake");
		rv_hint(err, "set warehouse.storage_integration, or warehouse.loads_stage to a stage that is there");
		return err->status;
	}
	const struct snow_fact *fact = snow_seen_find(m->seen, "stage", SNOW_HOUSE, SNOW_LOADS_STAGE);

	if (fact && strcmp(fact->attribute, url) != 0) {
		rv_fail(err, RV_CONFLICT, "stage RIVER.LOADS stands for %s, and the lake's loads are in %s",
			fact->attribute, url);
		rv_hint(err, "another lake needs another database: set warehouse.database");
		return err->status;
	}
	if (fact)
		return RV_OK;
	if (m->w->params.storage_role_arn) {
		snow_text_integration(m->w, &text);
		make_text(m, &text, rv_strdup("CREATE INTEGRATION ON ACCOUNT"));
	}
	snow_text_loads_stage(m->w, &text);
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf integration = RV_STRBUF_INIT;

	rv_snowflake_identifier(&integration, m->w->params.storage_integration);
	RV_CLEANUP(rv_free_p) char *create = in_house(m, "CREATE STAGE");

	make_text(m, &text, rv_asprintf("%s, and USAGE ON INTEGRATION %s", create, integration.bytes));
	return RV_OK;
}

static enum rv_status make_house(const struct making *m, struct rv_error *err)
{
	struct snow_text text;

	if (!m->seen->has_database) {
		snow_text_database(m->w, &text);
		make_text(m, &text, rv_strdup("CREATE DATABASE ON ACCOUNT"));
	}
	if (!snow_seen_find(m->seen, "schema", SNOW_HOUSE, "")) {
		snow_text_house(m->w, &text);
		make_text(m, &text, in_database(m, "CREATE SCHEMA"));
	}
	if (check_stage(m, err) != RV_OK)
		return err->status;
	if (!snow_seen_find(m->seen, "format", SNOW_HOUSE, SNOW_FORMAT)) {
		snow_text_format(m->w, &text);
		make_text(m, &text, in_house(m, "CREATE FILE FORMAT"));
	}
	make_own(m, SNOW_EXTRACTS,
		 "\"EXTRACT_NUMBER\" NUMBER(38,0) NOT NULL, \"JOB\" VARCHAR NOT NULL, \"IDENTITY\" VARCHAR NOT NULL, "
		 "\"NAME\" VARCHAR NOT NULL, \"ORDER_KEY\" VARCHAR NOT NULL, \"RUN\" VARCHAR NOT NULL, "
		 "\"TAKEN_AT\" TIMESTAMP_LTZ NOT NULL, \"SUMMARY\" VARCHAR NOT NULL", "ledger");
	make_own(m, SNOW_EXTRACTS_LOCK, "\"RUN\" VARCHAR, \"HELD_AT\" TIMESTAMP_LTZ", "lock");
	if (!snow_seen_find(m->seen, "table", SNOW_HOUSE, SNOW_EXTRACTS_LOCK)) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT, lock = RV_STRBUF_INIT;

		/* by two at once it may get two rows; whoever takes an extract changes them all */
		snow_add_house(&lock, m->w, SNOW_EXTRACTS_LOCK);
		rv_strbuf_printf(&sql, "INSERT INTO %s SELECT NULL, NULL FROM (SELECT COUNT(*) AS \"N\" FROM %s) AS V "
				       "WHERE V.\"N\" = 0", lock.bytes, lock.bytes);
		snow_steps_add(m->steps, &sql, rv_asprintf("SELECT, INSERT, UPDATE ON TABLE %s", lock.bytes));
	}
	return RV_OK;
}

static void make_schema(const struct making *m, const struct rv_extract_table *t)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf name = RV_STRBUF_INIT, sql = RV_STRBUF_INIT;

	snow_extract_schema_name(t, &name);
	for (const struct rv_extract_table *before = m->extract->tables; before < t; before++)
		if (strcmp(before->schema, t->schema) == 0)
			return;
	if (snow_seen_find(m->seen, "schema", name.bytes, ""))
		return;
	rv_strbuf_puts(&sql, "CREATE SCHEMA IF NOT EXISTS ");
	snow_add_extract_schema(&sql, m->w, t);
	rv_strbuf_puts(&sql, " COMMENT = '{\"river\":1}'");
	snow_steps_add(m->steps, &sql, in_database(m, "CREATE SCHEMA"));
}

/* ---- tables ---- */

static void add_definitions(struct rv_strbuf *sql, const struct rv_extract_table *t)
{
	char type[SNOW_TYPE_MAX];

	for (size_t i = 0; i < t->columns_count; i++) {
		rv_strbuf_puts(sql, i ? ",\n  " : "\n  ");
		snow_add_column(sql, t->columns[i].name);
		rv_strbuf_printf(sql, " %s", snow_type(&t->columns[i], type));
	}
}

/* In the comment of the rows of a merged table. */
#define KEY "\"key\":\""

static void add_comment(struct rv_strbuf *sql, const struct rv_extract_table *t)
{
	rv_strbuf_printf(sql, " COMMENT = '{\"river\":1,\"extracts\":\"%s.%s\"}'", t->schema, t->name);
}

/* Of those that there are by then, whatever they are. */
static void add_view(struct rv_strbuf *sql, const struct making *m, const struct rv_extract_table *t,
		     const char *how)
{
	rv_strbuf_printf(sql, "CREATE %s ", how);
	snow_add_extract_table(sql, m->w, t, false);
	rv_strbuf_puts(sql, strstr(how, "REPLACE") ? " COPY GRANTS" : "");
	add_comment(sql, t);
	rv_strbuf_puts(sql, "\n  AS SELECT * EXCLUDE (\"RIVER$EXTRACT\", \"RIVER$ROW\", \"RIVER$DELETED\") FROM ");
	snow_add_extract_table(sql, m->w, t, true);
}

static void make_target(const struct making *m, const struct rv_extract_table *t)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;

	if (t->merge) {
		rv_strbuf_puts(&sql, "CREATE TABLE IF NOT EXISTS ");
		snow_add_extract_table(&sql, m->w, t, false);
		rv_strbuf_puts(&sql, " (");
		add_definitions(&sql, t);
		rv_strbuf_putc(&sql, ')');
		add_comment(&sql, t);
	} else {
		add_view(&sql, m, t, "VIEW IF NOT EXISTS");
	}
	snow_steps_add(m->steps, &sql, in_schema(m, t, t->merge ? "CREATE TABLE" : "CREATE VIEW"));
}

static void make_rows(const struct making *m, const struct rv_extract_table *t)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;

	rv_strbuf_puts(&sql, "CREATE TABLE IF NOT EXISTS ");
	snow_add_extract_table(&sql, m->w, t, true);
	rv_strbuf_puts(&sql, " (");
	add_definitions(&sql, t);
	rv_strbuf_puts(&sql, ",\n  \"RIVER$EXTRACT\" NUMBER(38,0) NOT NULL,\n  \"RIVER$ROW\" NUMBER(38,0) NOT NULL,\n"
			     "  \"RIVER$DELETED\" BOOLEAN NOT NULL)");
	add_comment(&sql, t);
	if (t->merge) {
		/* its columns have no sign that a literal or JSON would mean anything by */
		rv_strbuf_truncate(&sql, sql.len - strlen("}'"));
		rv_strbuf_puts(&sql, "," KEY);
		rv_extract_key_text(t, &sql);
		rv_strbuf_puts(&sql, "\"}'");
	}
	snow_steps_add(m->steps, &sql, in_schema(m, t, "CREATE TABLE"));
}

/* As INFORMATION_SCHEMA has it. */
static const char *seen_type(const struct rv_column *column, char buf[SNOW_TYPE_MAX])
{
	if (column->type == RV_COLUMN_STRING)
		return "TEXT";
	snow_type(column, buf);
	if (column->type == RV_COLUMN_TIMESTAMP)
		buf[strcspn(buf, "(")] = '\0';
	return buf;
}

static void add_column_step(const struct making *m, const struct rv_extract_table *t, bool rows,
			    const struct rv_column *column)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	char type[SNOW_TYPE_MAX];

	rv_strbuf_puts(&sql, "ALTER TABLE ");
	snow_add_extract_table(&sql, m->w, t, rows);
	rv_strbuf_puts(&sql, " ADD COLUMN IF NOT EXISTS ");
	snow_add_column(&sql, column->name);
	rv_strbuf_printf(&sql, " %s", snow_type(column, type));
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf grant = RV_STRBUF_INIT;

	rv_strbuf_puts(&grant, "OWNERSHIP ON TABLE ");
	snow_add_extract_table(&grant, m->w, t, rows);
	snow_steps_add(m->steps, &sql, rv_strbuf_take(&grant));
}

/* Columns are added; one of another type is a conflict, before anything is loaded. A run may have been killed
 * between the two tables, so each is looked at. */
static enum rv_status fit_columns(const struct making *m, const struct rv_extract_table *t, bool rows,
				  const char *schema, bool *ret_added, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf name = RV_STRBUF_INIT;
	char type[SNOW_TYPE_MAX];

	snow_extract_table_name(t, rows, &name);
	for (size_t i = 0; i < t->columns_count; i++) {
		const struct rv_column *column = &t->columns[i];
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf stored = RV_STRBUF_INIT;

		snow_add_column(&stored, column->name);
		rv_strbuf_truncate(&stored, stored.len - 1);
		const char *want = seen_type(column, type);
		const char *have = snow_seen_value(m->seen, "column", schema, name.bytes, stored.bytes + 1);

		if (!have) {
			*ret_added = true;
			if (rows || t->merge)
				add_column_step(m, t, rows, column);
		} else if (strcmp(have, want) != 0) {
			rv_fail(err, RV_CONFLICT, "the column %s of %s.%s is %s, the job says %s", column->name,
				t->schema, t->name, have, want);
			rv_hint(err, "keep it under another name, as in %s_2: { type: ..., from: %s }", column->name,
				column->from ? column->from : column->name);
			return err->status;
		}
	}
	return RV_OK;
}

static enum rv_status conflict(struct rv_error *err, const struct rv_extract_table *t, const char *what,
			       const char *hint)
{
	rv_fail(err, RV_CONFLICT, "the table %s.%s %s", t->schema, t->name, what);
	rv_hint(err, "%s", hint);
	return err->status;
}

/* Rows that no extract touches would stay as they were by another key. Of a table that does not say by which it is
 * merged nothing is known. */
static enum rv_status check_key(const struct rv_extract_table *t, const char *comment, struct rv_error *err)
{
	const char *have = t->merge ? strstr(comment, KEY) : NULL;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf want = RV_STRBUF_INIT;

	if (!have)
		return RV_OK;
	have += strlen(KEY);
	rv_extract_key_text(t, &want);
	if (strcspn(have, "\"") == want.len && strncmp(have, want.bytes, want.len) == 0)
		return RV_OK;
	rv_fail(err, RV_CONFLICT, "%s.%s is merged by %.*s, the job says %s", t->schema, t->name,
		(int)strcspn(have, "\""), have, want.bytes);
	rv_hint(err, "load into another table, and take the extracts anew with --since; of one that documents alone need, "
		     "the job's table gets another name");
	return err->status;
}

static enum rv_status make_table(const struct making *m, const struct rv_extract_table *t, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf schema = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf name = RV_STRBUF_INIT, rows_name = RV_STRBUF_INIT;
	bool added = false;

	snow_extract_schema_name(t, &schema);
	snow_extract_table_name(t, false, &name);
	snow_extract_table_name(t, true, &rows_name);
	const struct snow_fact *target = snow_seen_find(m->seen, "table", schema.bytes, name.bytes);
	const struct snow_fact *rows = snow_seen_find(m->seen, "table", schema.bytes, rows_name.bytes);

	if (!rows) {
		if (target)
			return conflict(err, t, "is there, and no extract was ever loaded into it",
					"load into another one, or drop it first");
		make_rows(m, t);
		make_target(m, t);
		return RV_OK;
	}
	if (target && (strcmp(target->attribute, "TABLE") == 0) != t->merge)
		return conflict(err, t, t->merge ? "was made with `mode: append`" : "was made with `mode: merge`",
				"load into another table");
	if (check_key(t, rows->value, err) != RV_OK)
		return err->status;
	if (fit_columns(m, t, true, schema.bytes, &added, err) != RV_OK)
		return err->status;
	if (!target) {
		make_target(m, t);
		return RV_OK;
	}
	if (fit_columns(m, t, false, schema.bytes, &added, err) != RV_OK)
		return err->status;
	if (added && !t->merge) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;

		add_view(&sql, m, t, "OR REPLACE VIEW");
		snow_steps_add(m->steps, &sql, in_schema(m, t, "OWNERSHIP ON the view, and CREATE VIEW"));
	}
	return RV_OK;
}

static enum rv_status make_roots(const struct making *m, const struct rv_extract_document *document,
				 struct rv_error *err)
{
	const struct rv_extract_table *root = &m->extract->tables[document->nodes[0].table];
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf name = RV_STRBUF_INIT, columns = RV_STRBUF_INIT;
	char type[SNOW_TYPE_MAX];

	for (size_t k = 0; k < root->key->count; k++) {
		snow_add_column(&columns, root->key->items[k]);
		rv_strbuf_printf(&columns, " %s, ",
				 snow_type(snow_extract_column(root, root->key->items[k]), type));
	}
	rv_strbuf_puts(&columns, "\"RIVER$EXTRACT\" NUMBER(38,0) NOT NULL");
	snow_extract_roots_name(m->extract, document, &name);
	make_own(m, name.bytes, columns.bytes, "roots");
	/* of one whose columns may not be seen nothing is known */
	if (!snow_seen_value(m->seen, "column", SNOW_HOUSE, name.bytes, "RIVER$EXTRACT"))
		return RV_OK;
	for (size_t k = 0; k < root->key->count; k++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf stored = RV_STRBUF_INIT;

		snow_add_column(&stored, root->key->items[k]);
		rv_strbuf_truncate(&stored, stored.len - 1);
		if (!snow_seen_value(m->seen, "column", SNOW_HOUSE, name.bytes, stored.bytes + 1))
			return rv_extract_other_key(document, root->key->items[k], err);
	}
	return RV_OK;
}

/* What Snowflake has no place for, whatever is there. */
static enum rv_status check_table(const struct rv_extract_table *t, struct rv_error *err)
{
	if (strcmp(t->schema, "river") == 0 || strcmp(t->schema, "information_schema") == 0)
		return rv_fail(err, RV_BAD_CONFIG, "%s.%s: the schema %s is %s own on Snowflake", t->schema, t->name,
			       t->schema, t->schema[0] == 'r' ? "river's" : "Snowflake's");
	for (size_t i = 0; i < t->columns_count; i++) {
		if (t->columns[i].type != RV_COLUMN_DECIMAL || t->columns[i].scale < 38)
			continue;
		rv_fail(err, RV_BAD_CONFIG, "%s.%s: column %s has scale 38, and Snowflake at most 37", t->schema,
			t->name, t->columns[i].name);
		rv_hint(err, "declare it as decimal(38,37)");
		return err->status;
	}
	for (size_t i = 0; i < t->objects_count; i++)
		if (!strstr(t->objects[i], ".ndjson")) {
			rv_fail(err, RV_BAD_CONFIG, "%s.%s: tables on Snowflake are loaded from ndjson", t->schema,
				t->name);
			rv_hint(err, "leave `format` of the load out");
			return err->status;
		}
	return RV_OK;
}

enum rv_status snow_extract_make_steps(const struct rv_snowflake_warehouse *w, const struct rv_extract *extract,
				       const struct snow_seen *seen, struct snow_steps *ret,
				       struct rv_error *err)
{
	const struct making m = { .w = w, .extract = extract, .seen = seen, .steps = ret };

	for (size_t i = 0; i < extract->tables_count; i++)
		if (check_table(&extract->tables[i], err) != RV_OK)
			return err->status;
	if (make_house(&m, err) != RV_OK)
		return err->status;
	for (size_t i = 0; i < extract->tables_count; i++) {
		make_schema(&m, &extract->tables[i]);
		if (make_table(&m, &extract->tables[i], err) != RV_OK)
			return err->status;
	}
	for (size_t i = 0; i < extract->documents_count; i++)
		if (make_roots(&m, &extract->documents[i], err) != RV_OK)
			return err->status;
	snow_extract_grant_steps(w, extract, seen, ret);
	return RV_OK;
}

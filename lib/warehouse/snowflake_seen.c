/* Looking at Snowflake once for many streams; see the header. */
#include "warehouse/snowflake_seen.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"

void snow_seen_release(struct snow_seen *seen)
{
	for (size_t i = 0; i < seen->texts_count; i++)
		free(seen->texts[i]);
	free(seen->texts);
	free(seen->facts);
	*seen = (struct snow_seen){ 0 };
}

static const char *keep(struct snow_seen *seen, const char *text)
{
	if (!text[0])
		return "";
	RV_GROW(seen->texts, seen->texts_count, seen->texts_capacity);
	return seen->texts[seen->texts_count++] = rv_strdup(text);
}

void snow_seen_add(struct snow_seen *seen, const char *kind, const char *schema, const char *name,
		   const char *attribute, const char *value)
{
	RV_GROW(seen->facts, seen->count, seen->capacity);
	seen->facts[seen->count++] = (struct snow_fact){
		.kind = keep(seen, kind),
		.schema = keep(seen, schema),
		.name = keep(seen, name),
		.attribute = keep(seen, attribute),
		.value = keep(seen, value),
	};
}

/* ---- looking up ---- */

static int by_object(const struct snow_fact *a, const struct snow_fact *b)
{
	int order = strcmp(a->kind, b->kind);

	if (!order)
		order = strcmp(a->schema, b->schema);
	return order ? order : strcmp(a->name, b->name);
}

static int by_all(const void *x, const void *y)
{
	const struct snow_fact *a = x, *b = y;
	int order = by_object(a, b);

	if (!order)
		order = strcmp(a->attribute, b->attribute);
	return order ? order : strcmp(a->value, b->value);
}

void snow_seen_sort(struct snow_seen *seen)
{
	if (seen->count)
		qsort(seen->facts, seen->count, sizeof(*seen->facts), by_all);
}

/* The first that is not before `key`. */
static size_t lower_bound(const struct snow_seen *seen, const struct snow_fact *key)
{
	size_t low = 0, high = seen->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (by_all(&seen->facts[middle], key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct snow_fact *snow_seen_find(const struct snow_seen *seen, const char *kind,
				       const char *schema, const char *name)
{
	const struct snow_fact key = { kind, schema, name, "", "" };
	size_t at = lower_bound(seen, &key);

	return at < seen->count && by_object(&seen->facts[at], &key) == 0 ? &seen->facts[at] : NULL;
}

const struct snow_fact *snow_seen_next(const struct snow_seen *seen, const struct snow_fact *fact)
{
	const struct snow_fact *next = fact + 1;

	return next < seen->facts + seen->count && by_object(next, fact) == 0 ? next : NULL;
}

const char *snow_seen_value(const struct snow_seen *seen, const char *kind, const char *schema,
			    const char *name, const char *attribute)
{
	const struct snow_fact key = { kind, schema, name, attribute, "" };
	size_t at = lower_bound(seen, &key);

	if (at == seen->count || by_object(&seen->facts[at], &key) != 0 ||
	    strcmp(seen->facts[at].attribute, attribute) != 0)
		return NULL;
	return seen->facts[at].value;
}

bool snow_seen_granted(const struct snow_seen *seen, const char *schema, const char *name,
		       const char *privilege, const char *role)
{
	const struct snow_fact key = { "grant", schema, name, privilege, role };
	size_t at = lower_bound(seen, &key);

	return at < seen->count && by_all(&seen->facts[at], &key) == 0;
}

const char *snow_seen_case(const struct snow_seen *seen, const char *kind, const char *schema,
			   const char *name)
{
	const struct snow_fact key = { kind, schema, "", "", "" };

	for (size_t i = lower_bound(seen, &key); i < seen->count; i++) {
		const struct snow_fact *fact = &seen->facts[i];

		if (strcmp(fact->kind, kind) != 0 || strcmp(fact->schema, schema) != 0)
			break;
		if (strcasecmp(fact->name, name) == 0 && strcmp(fact->name, name) != 0)
			return fact->name;
	}
	return NULL;
}

/* ---- asking ---- */

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* ('A', 'B') of names, each once */
static void add_set(struct rv_strbuf *sql, char **names, size_t count)
{
	const char *last = NULL;

	qsort(names, count, sizeof(*names), by_text);
	for (size_t i = 0; i < count; i++) {
		if (last && strcmp(last, names[i]) == 0)
			continue;
		rv_strbuf_puts(sql, last ? ", " : "(");
		snow_add_literal(sql, names[i]);
		last = names[i];
	}
	rv_strbuf_putc(sql, ')');
}

static void free_names(char **names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(names[i]);
	free(names);
}

static void add_schemas(struct rv_strbuf *sql, const struct rv_stream *const *streams, size_t count)
{
	char **names = rv_calloc(count + 1, sizeof(*names));
	char buf[RV_STREAM_PLACE_MAX];

	for (size_t i = 0; i < count; i++)
		names[i] = rv_strdup(snow_schema_name(streams[i], buf));
	names[count] = rv_strdup(SNOW_HOUSE);
	add_set(sql, names, count + 1);
	free_names(names, count + 1);
}

/* Tables whose columns are looked at: those that are not derived. */
static void add_tables(struct rv_strbuf *sql, const struct rv_stream *const *streams, size_t count)
{
	char **names = rv_calloc(2 * count + 1, sizeof(*names));
	size_t n = 0;
	char buf[RV_STREAM_PLACE_MAX];

	for (size_t i = 0; i < count; i++) {
		names[n++] = rv_strdup(snow_object_name(streams[i], SNOW_RAW, buf));
		if (snow_is_merged(streams[i]))
			names[n++] = rv_strdup(snow_object_name(streams[i], SNOW_NEWEST, buf));
	}
	names[n++] = rv_strdup(SNOW_LEDGER);
	add_set(sql, names, n);
	free_names(names, n);
}

/* Five texts a row: kind, schema, name, attribute, value. */
static void add_part(struct rv_strbuf *sql, const char *view, const char *kind, const char *schema,
		     const char *name, const char *attribute, const char *value, const char *database,
		     const char *schemas)
{
	rv_strbuf_printf(sql,
			 "%sSELECT '%s' AS \"KIND\", %s AS \"SCHEMA_NAME\", %s AS \"NAME\", %s AS "
			 "\"ATTRIBUTE\", %s AS \"VALUE\" FROM %s.\"INFORMATION_SCHEMA\".\"%s\" WHERE "
			 "UPPER(%s) IN %s",
			 sql->len ? "\nUNION ALL " : "", kind, schema, name, attribute, value, database,
			 view, schema, schemas);
}

void snow_add_look(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
		   const struct rv_stream *const *streams, size_t count)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf schemas = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf tables = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf d = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf name = RV_STRBUF_INIT;

	add_schemas(&schemas, streams, count);
	add_tables(&tables, streams, count);
	rv_snowflake_identifier(&d, w->params.database);
	snow_add_literal(&name, w->params.database);
	add_part(sql, "SCHEMATA", "schema", "\"SCHEMA_NAME\"", "''", "''", "\"COMMENT\"", d.bytes,
		 schemas.bytes);
	add_part(sql, "TABLES", "table", "\"TABLE_SCHEMA\"", "\"TABLE_NAME\"",
		 "CASE WHEN \"TABLE_TYPE\" LIKE '%VIEW' THEN 'VIEW' WHEN \"IS_DYNAMIC\" = 'YES' THEN "
		 "'DYNAMIC' ELSE 'TABLE' END", "\"COMMENT\"", d.bytes, schemas.bytes);
	add_part(sql, "TABLES", "cluster", "\"TABLE_SCHEMA\"", "\"TABLE_NAME\"", "''",
		 "\"CLUSTERING_KEY\"", d.bytes, schemas.bytes);
	rv_strbuf_puts(sql, " AND \"CLUSTERING_KEY\" IS NOT NULL");
	add_part(sql, "COLUMNS", "column", "\"TABLE_SCHEMA\"", "\"TABLE_NAME\"", "\"COLUMN_NAME\"",
		 "\"DATA_TYPE\" || CASE WHEN \"DATA_TYPE\" = 'NUMBER' THEN '(' || \"NUMERIC_PRECISION\" || "
		 "',' || \"NUMERIC_SCALE\" || ')' ELSE '' END", d.bytes, schemas.bytes);
	rv_strbuf_printf(sql, " AND \"TABLE_NAME\" IN %s", tables.bytes);
	add_part(sql, "PIPES", "pipe", "\"PIPE_SCHEMA\"", "\"PIPE_NAME\"", "''", "\"COMMENT\"", d.bytes,
		 schemas.bytes);
	add_part(sql, "PIPES", "copy", "\"PIPE_SCHEMA\"", "\"PIPE_NAME\"",
		 "\"NOTIFICATION_CHANNEL_NAME\"", "\"DEFINITION\"", d.bytes, schemas.bytes);
	add_part(sql, "STAGES", "stage", "\"STAGE_SCHEMA\"", "\"STAGE_NAME\"", "\"STAGE_URL\"",
		 "\"COMMENT\"", d.bytes, schemas.bytes);
	add_part(sql, "FILE_FORMATS", "format", "\"FILE_FORMAT_SCHEMA\"", "\"FILE_FORMAT_NAME\"", "''",
		 "\"COMMENT\"", d.bytes, schemas.bytes);
	rv_strbuf_printf(sql,
			 "\nUNION ALL SELECT 'grant', \"OBJECT_SCHEMA\", \"OBJECT_NAME\", "
			 "\"OBJECT_TYPE\" || ':' || \"PRIVILEGE_TYPE\", \"GRANTEE\" FROM "
			 "%s.\"INFORMATION_SCHEMA\".\"OBJECT_PRIVILEGES\" WHERE (\"OBJECT_CATALOG\" = %s AND "
			 "(\"OBJECT_TYPE\" = 'SCHEMA' OR UPPER(\"OBJECT_SCHEMA\") IN %s)) OR "
			 "(\"OBJECT_TYPE\" = 'DATABASE' AND \"OBJECT_NAME\" = %s)",
			 d.bytes, name.bytes, schemas.bytes, name.bytes);
}

bool snow_add_look_for_masks(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
			     const struct rv_stream *const *streams, size_t count,
			     const struct snow_seen *seen)
{
	static const enum snow_object masked[] = { SNOW_CLEAN, SNOW_NEWEST };
	char schema[RV_STREAM_PLACE_MAX], plain[RV_STREAM_PLACE_MAX];
	bool any = false;

	for (size_t i = 0; i < 2 * count; i++) {
		const struct rv_stream *stream = streams[i / 2];
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf name = RV_STRBUF_INIT;

		snow_schema_name(stream, schema);
		snow_object_name(stream, masked[i % 2], plain);
		if (!stream->mask.count || !snow_wants(stream, masked[i % 2]) ||
		    !snow_seen_find(seen, "table", schema, plain))
			continue;
		snow_add_object(&name, w, stream, masked[i % 2]);
		rv_strbuf_puts(sql, any ? "\nUNION ALL SELECT 'mask' AS \"KIND\", "
					: "SELECT 'mask' AS \"KIND\", ");
		snow_add_literal(sql, schema);
		rv_strbuf_puts(sql, " AS \"SCHEMA_NAME\", ");
		snow_add_literal(sql, plain);
		rv_strbuf_puts(sql, " AS \"NAME\", \"REF_COLUMN_NAME\" AS \"ATTRIBUTE\", \"POLICY_NAME\" AS "
				    "\"VALUE\" FROM TABLE(");
		rv_snowflake_identifier(sql, w->params.database);
		rv_strbuf_puts(sql, ".\"INFORMATION_SCHEMA\".\"POLICY_REFERENCES\"(REF_ENTITY_NAME => ");
		snow_add_literal(sql, name.bytes);
		rv_strbuf_puts(sql, ", REF_ENTITY_DOMAIN => 'TABLE'))");
		any = true;
	}
	return any;
}

/* ---- answers ---- */

static const char *text_at(const struct rv_snowflake_page *page, size_t row, size_t column)
{
	const struct rv_str *value = &page->values[row * page->columns_count + column];

	return value->p ? value->p : "";
}

/* "TABLE:SELECT": what is owned is there, though no view tells of streams. */
static void add_grant(struct snow_seen *seen, const char *schema, const char *name, const char *what,
		      const char *role)
{
	size_t kind = strcspn(what, ":");
	const char *privilege = what[kind] ? what + kind + 1 : "";
	RV_CLEANUP(rv_free_p) char *type = rv_strndup(what, kind);

	/* Whether a schema is an object in itself is nowhere said. It has no name here: its table may
	 * have the same one. */
	if (strcmp(type, "SCHEMA") == 0) {
		schema = name;
		name = "";
	}
	if (strcmp(type, "DATABASE") == 0)
		schema = "";
	if (strcmp(privilege, "OWNERSHIP") == 0)
		snow_seen_add(seen, "owned", schema, name, type, "");
	else
		snow_seen_add(seen, "grant", schema, name, privilege, role);
}

static enum rv_status take_facts(void *arg, const struct rv_snowflake_page *page, struct rv_error *err)
{
	struct snow_seen *seen = arg;

	if (page->columns_count != 5)
		return rv_fail(err, RV_FAILED, "Snowflake answers %zu columns where 5 were asked for",
			       page->columns_count);
	for (size_t i = 0; i < page->count; i++) {
		const char *kind = text_at(page, i, 0), *schema = text_at(page, i, 1),
			   *name = text_at(page, i, 2), *attribute = text_at(page, i, 3),
			   *value = text_at(page, i, 4);

		if (strcmp(kind, "grant") == 0)
			add_grant(seen, schema, name, attribute, value);
		else
			snow_seen_add(seen, kind, schema, name, attribute, value);
	}
	return RV_OK;
}

/* Columns of SHOW by their names, which are lower case; a column that is not there is empty. */
static size_t column_of(const struct rv_snowflake_page *page, const char *name)
{
	for (size_t i = 0; i < page->columns_count; i++)
		if (strcasecmp(page->columns[i].name, name) == 0)
			return i;
	return SIZE_MAX;
}

static const char *named_at(const struct rv_snowflake_page *page, size_t row, const char *name)
{
	size_t column = column_of(page, name);

	return column == SIZE_MAX ? "" : text_at(page, row, column);
}

static enum rv_status take_dynamic(void *arg, const struct rv_snowflake_page *page,
				   struct rv_error *err RV_UNUSED)
{
	for (size_t i = 0; i < page->count; i++) {
		RV_CLEANUP(rv_free_p) char *runs = rv_asprintf("%s %s", named_at(page, i, "scheduling_state"),
							       named_at(page, i, "warehouse"));

		snow_seen_add(arg, "lag", named_at(page, i, "schema_name"), named_at(page, i, "name"),
			      named_at(page, i, "target_lag"), runs);
	}
	return RV_OK;
}

static enum rv_status take_tasks(void *arg, const struct rv_snowflake_page *page,
				 struct rv_error *err RV_UNUSED)
{
	for (size_t i = 0; i < page->count; i++) {
		const char *schema = named_at(page, i, "schema_name"), *name = named_at(page, i, "name");

		snow_seen_add(arg, "task", schema, name, named_at(page, i, "state"),
			      named_at(page, i, "comment"));
		snow_seen_add(arg, "when", schema, name, named_at(page, i, "schedule"),
			      named_at(page, i, "warehouse"));
	}
	return RV_OK;
}

static enum rv_status ask(const struct rv_snowflake_warehouse *w, const char *sql,
			  rv_snowflake_sink *sink, struct snow_seen *seen, struct rv_error *err)
{
	const struct rv_snowflake_statement statement = {
		.sql = sql,
		.database = "",
		.schema = "",
		.warehouse = w->params.warehouse,
		.role = w->params.role,
	};

	return rv_snowflake_execute(w->params.snowflake, &statement, sink, seen, NULL, err);
}

/* SHOW answers at most so many rows: then each schema is asked for by itself. */
#define SHOW_MAX 10000

static size_t count_kind(const struct snow_seen *seen, const char *kind)
{
	size_t count = 0;

	for (size_t i = 0; i < seen->count; i++)
		count += strcmp(seen->facts[i].kind, kind) == 0;
	return count;
}

static enum rv_status show(const struct rv_snowflake_warehouse *w, const char *what, const char *kind,
			   rv_snowflake_sink *sink, const struct rv_stream *const *streams, size_t count,
			   struct snow_seen *seen, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	size_t before = seen->count;

	rv_strbuf_printf(&sql, "SHOW %s IN DATABASE ", what);
	rv_snowflake_identifier(&sql, w->params.database);
	if (ask(w, sql.bytes, sink, seen, err) != RV_OK)
		return err->status;
	if (count_kind(seen, kind) < SHOW_MAX)
		return RV_OK;
	seen->count = before;
	for (size_t i = 0; i < count; i++) {
		bool is_new = true;

		for (size_t k = 0; k < i && is_new; k++)
			is_new = strcmp(streams[k]->business, streams[i]->business) != 0;
		if (!is_new)
			continue;
		rv_strbuf_clear(&sql);
		rv_strbuf_printf(&sql, "SHOW %s IN SCHEMA ", what);
		snow_add_schema(&sql, w, streams[i]);
		if (ask(w, sql.bytes, sink, seen, err) != RV_OK)
			return err->status;
	}
	return RV_OK;
}

/* Masks are told table by table: so many streams a query. */
#define MASKED_AT_ONCE 50

static enum rv_status see_masks(const struct rv_snowflake_warehouse *w,
				const struct rv_stream *const *streams, size_t count,
				struct snow_seen *seen, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p)
	const struct rv_stream **masked = rv_calloc(count + 1, sizeof(*masked));
	size_t n = 0;

	for (size_t i = 0; i < count; i++)
		if (streams[i]->mask.count)
			masked[n++] = streams[i];
	for (size_t i = 0; i < n; i += MASKED_AT_ONCE) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
		size_t most = n - i < MASKED_AT_ONCE ? n - i : MASKED_AT_ONCE;

		if (snow_add_look_for_masks(&sql, w, masked + i, most, seen) &&
		    ask(w, sql.bytes, take_facts, seen, err) != RV_OK)
			return err->status;
		snow_seen_sort(seen);
	}
	return RV_OK;
}

static enum rv_status see_rest(const struct rv_snowflake_warehouse *w,
			       const struct rv_stream *const *streams, size_t count,
			       struct snow_seen *seen, struct rv_error *err)
{
	bool dynamic = false, tasks = false;

	for (size_t i = 0; i < seen->count; i++)
		dynamic |= strcmp(seen->facts[i].kind, "table") == 0 &&
			   strcmp(seen->facts[i].attribute, "DYNAMIC") == 0;
	for (size_t i = 0; i < seen->count; i++)
		tasks |= strcmp(seen->facts[i].kind, "owned") == 0 &&
			 strcmp(seen->facts[i].attribute, "TASK") == 0;
	for (size_t i = 0; i < count; i++)
		tasks |= streams[i]->retention_warehouse != NULL;
	if (dynamic && show(w, "DYNAMIC TABLES", "lag", take_dynamic, streams, count, seen, err) != RV_OK)
		return err->status;
	if (tasks && show(w, "TASKS", "task", take_tasks, streams, count, seen, err) != RV_OK)
		return err->status;
	snow_seen_sort(seen);
	return see_masks(w, streams, count, seen, err);
}

enum rv_status snow_see_facts(const struct rv_snowflake_warehouse *w, const char *sql, struct snow_seen *ret,
			      struct rv_error *err)
{
	enum rv_status status = ask(w, sql, take_facts, ret, err);

	if (status == RV_NOT_FOUND) { /* what is to be made is not there yet */
		*err = (struct rv_error)RV_ERROR_INIT;
		return RV_OK;
	}
	if (status != RV_OK)
		return status;
	ret->has_database = true;
	snow_seen_sort(ret);
	return RV_OK;
}

enum rv_status snow_see(const struct rv_snowflake_warehouse *w, const struct rv_stream *const *streams,
			size_t count, struct snow_seen *ret, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;

	snow_add_look(&sql, w, streams, count);
	if (snow_see_facts(w, sql.bytes, ret, err) != RV_OK)
		return err->status;
	if (!ret->has_database)
		return RV_OK;
	if (see_rest(w, streams, count, ret, err) != RV_OK)
		return err->status;
	snow_seen_sort(ret);
	return RV_OK;
}

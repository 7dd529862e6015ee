/* The engine names the part of a table's name it missed; which stream was meant stands in the
 * catalog and in the SQL. See the header. */
#include "query_explain.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "config/stream.h"
#include "flow/catalog.h"

/* More streams than this are not searched for a slip of the fingers. */
#define TABLES_MAX 10000
#define TABLES_SHOWN 5
#define NAME_MAX_BYTES 200

struct tables {
	char **items; /* "web.clicks" */
	size_t count, capacity;
};

static void tables_release(struct tables *tables)
{
	for (size_t i = 0; i < tables->count; i++)
		free(tables->items[i]);
	free(tables->items);
}

static enum rv_status add_table(void *arg, const char *name, struct rv_error *err)
{
	struct tables *tables = arg;

	if (tables->count == TABLES_MAX)
		return rv_fail(err, RV_FAILED, "enough");
	RV_GROW(tables->items, tables->count, tables->capacity);
	char *table = rv_strdup(name);

	*strchr(table, '/') = '.';
	tables->items[tables->count++] = table;
	return RV_OK;
}

/* `Catalog Error: Table with name "web.clicks" does not exist because ...` -> web.clicks, and Snowflake's
 * `Object 'RIVER.WEB.CLICKS' does not exist or not authorized` -> web.clicks as well. */
static bool missed_name(const char *message, char ret[NAME_MAX_BYTES])
{
	static const char *const before[] = { "Table with name ", "Object '" };
	static const char after[] = " does not exist";

	for (size_t i = 0; i < 2; i++) {
		const char *p = strstr(message, before[i]), *end = p ? strstr(p, after) : NULL;
		size_t n = 0, points = 0;

		if (!end)
			continue;
		for (p += strlen(before[i]); p < end && n < NAME_MAX_BYTES - 1; p++)
			if (*p != '"' && *p != '\'') {
				ret[n++] = (char)tolower((unsigned char)*p);
				points += *p == '.';
			}
		ret[n] = '\0';
		/* a database is none of a stream's names */
		if (points == 2)
			memmove(ret, strchr(ret, '.') + 1, strlen(strchr(ret, '.')));
		return ret[0] != '\0';
	}
	return false;
}

static bool in_name(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* With a schema that is there only the part behind it is named; the SQL has both. */
static void add_schema(const char *sql, char name[NAME_MAX_BYTES])
{
	size_t len = strlen(name);

	if (strchr(name, '.'))
		return;
	for (const char *p = sql; (p = strcasestr(p, name)); p++) {
		const char *from = p - (p > sql);

		if (from == p || *from != '.' || in_name(p[len]))
			continue;
		while (from > sql && in_name(from[-1]))
			from--;
		char full[NAME_MAX_BYTES];
		int n = snprintf(full, sizeof(full), "%.*s%s", (int)(p - from), from, name);

		if (n < 0 || (size_t)n >= sizeof(full))
			return;
		for (size_t i = 0; i <= (size_t)n; i++)
			name[i] = (char)tolower((unsigned char)full[i]);
		return;
	}
}

/* "web.clicks_latest" -> "web.clicks" */
static void without_layer(const char *name, char ret[NAME_MAX_BYTES])
{
	static const char *const endings[] = { "_clean", "_latest", "_refused" };

	snprintf(ret, NAME_MAX_BYTES, "%s", name);
	for (size_t i = 0; i < 3; i++)
		if (rv_ends_with(name, endings[i]))
			ret[strlen(ret) - strlen(endings[i])] = '\0';
}

static const char *last_part(const char *table)
{
	const char *point = strrchr(table, '.');

	return point ? point + 1 : table;
}

static const char *find_near(const struct tables *tables, const char *name)
{
	RV_CLEANUP(rv_free_p) const char **words = rv_calloc(tables->count + 1, sizeof(*words));
	bool full = strchr(name, '.') != NULL;

	/* "clicks" is web.clicks to whoever has only one of them */
	for (size_t i = 0; i < tables->count; i++)
		if (strcmp(last_part(tables->items[i]), last_part(name)) == 0)
			return tables->items[i];
	for (size_t i = 0; i < tables->count; i++)
		words[i] = full ? tables->items[i] : last_part(tables->items[i]);
	const char *near = rv_nearest(name, words);

	for (size_t i = 0; near && i < tables->count; i++)
		if (words[i] == near)
			return tables->items[i];
	return NULL;
}

static void hint_at_tables(const struct tables *tables, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;

	for (size_t i = 0; i < tables->count && i < TABLES_SHOWN; i++)
		rv_strbuf_printf(&text, "%s %s", i ? "," : "", tables->items[i]);
	if (!tables->count)
		rv_hint(err, "there are no streams yet: 'river stream create' makes one");
	else
		rv_hint(err, "tables are called as their streams:%s%s", text.bytes,
			tables->count > TABLES_SHOWN ? ", ..." : "");
}

/* A service that says what is missing says as well that it may be there for others. */
static void explain_remote(struct rv_error *err, const char *stream, const char *name)
{
	rv_fail(err, RV_NOT_FOUND, "%s is not in Snowflake, or the role that asks may not see it", name);
	rv_hint(err, "'river stream apply' makes what %s lacks there, and grants.read of its definition says "
		"who may read it", stream);
}

void river_query_explain(struct rv_store *lake, const char *sql, struct rv_error *err)
{
	RV_CLEANUP(tables_release) struct tables tables = { 0 };
	struct rv_error ignored = RV_ERROR_INIT;
	char name[NAME_MAX_BYTES], table[NAME_MAX_BYTES];
	bool remote = err->service_code[0] != '\0';
	enum rv_status status = err->status;

	if (status != (remote ? RV_NOT_FOUND : RV_USAGE) || !missed_name(err->message, name))
		return;
	if (!lake) {
		rv_fail(err, RV_USAGE, "there is no table %s", name);
		rv_hint(err, "the first file is the table t, and each is a table of its own name");
		return;
	}
	add_schema(sql, name);
	without_layer(name, table);
	/* Only a suggestion: when the list cannot be read, the engine's words stay. */
	if (rv_catalog_list(lake, "", NULL, add_table, &tables, &ignored) != RV_OK &&
	    tables.count < TABLES_MAX)
		return;
	for (size_t i = 0; i < tables.count; i++) {
		if (strcmp(tables.items[i], table) != 0)
			continue;
		RV_CLEANUP(rv_free_p) char *stream = rv_strdup(table);

		*strchr(stream, '.') = '/';
		if (remote)
			explain_remote(err, stream, name);
		else if (strcmp(name, table) == 0)
			rv_fail(err, RV_USAGE, "%s has nothing loaded yet", stream);
		else
			rv_fail(err, RV_USAGE, "%s has no %s: nothing is loaded yet, or it has no such layer",
				stream, name);
		if (!remote)
			rv_hint(err, "'river status %s' shows what is on its way", stream);
		return;
	}
	const char *near = find_near(&tables, table);

	rv_fail(err, status, "there is no table %s", name);
	if (near)
		rv_hint(err, "did you mean %s%s?", near, name + strlen(table));
	else
		hint_at_tables(&tables, err);
}

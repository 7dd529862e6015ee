/* Markers, changes and columns; see the header. */
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "warehouse/snowflake_differ.h"

/* ---- markers ---- */

static void copy_text(const json_t *json, const char *key, char *to, size_t size)
{
	const char *text = json_string_value(json_object_get(json, key));

	snprintf(to, size, "%s", text ? text : "");
}

void snow_marker_parse(const char *comment, struct snow_marker *ret)
{
	json_t *json = json_loads(comment, 0, NULL);
	const json_t *roles = json_object_get(json, "roles");

	const char *key = json_string_value(json_object_get(json, "key"));

	*ret = (struct snow_marker){ .key = rv_strdup(key ? key : "") };
	ret->is_river = json_is_integer(json_object_get(json, "river"));
	if (ret->is_river) {
		copy_text(json, "stream", ret->stream, sizeof(ret->stream));
		copy_text(json, "id", ret->id, sizeof(ret->id));
		copy_text(json, "shape", ret->shape, sizeof(ret->shape));
		for (size_t i = 0; i < json_array_size(roles); i++) {
			const char *role = json_string_value(json_array_get(roles, i));

			if (role)
				rv_string_list_add(&ret->roles, role, strlen(role));
		}
	}
	json_decref(json);
}

void snow_marker_release(struct snow_marker *marker)
{
	rv_string_list_release(&marker->roles);
	free(marker->key);
	marker->key = NULL;
}

/* ---- one comparison ---- */

/* "dynamic table RIVER.WEB.CLICKS_CLEAN" */
static char *object_text(const struct snow_comparing *c, const struct snow_text *text)
{
	RV_CLEANUP(rv_free_p) char *word = rv_strdup(snow_kind_word(text->kind));
	bool outside = text->kind == SNOW_IS_DATABASE || text->kind == SNOW_IS_INTEGRATION;
	bool in_schema = text->kind != SNOW_IS_SCHEMA && !outside;

	for (char *p = word; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
	if (outside)
		return rv_asprintf("%s %s", word, text->plain);
	return rv_asprintf("%s %s.%s%s%s", word, c->w->params.database, text->schema,
			   in_schema ? "." : "", in_schema ? text->plain : "");
}

struct rv_change *snow_item(const struct snow_comparing *c, size_t place)
{
	return &c->changes->items[place];
}

size_t snow_add_change(const struct snow_comparing *c, enum rv_change_kind kind, const struct rv_stream *stream,
		  const struct snow_text *text, char *why)
{
	size_t place = rv_changes_add(c->changes, kind, stream, object_text(c, text), why);

	rv_change_after(snow_item(c, place), c->database, true);
	rv_change_after(snow_item(c, place), c->roles, false); /* whom grants are for */
	return place;
}

size_t snow_add_change_sql(const struct snow_comparing *c, enum rv_change_kind kind,
			    const struct rv_stream *stream, const struct snow_text *text, char *why,
			    const char *sql)
{
	size_t place = snow_add_change(c, kind, stream, text, why);

	rv_change_add_statement(snow_item(c, place), sql);
	return place;
}

void snow_add_conflict(const struct snow_comparing *c, const struct rv_stream *stream,
		     const struct snow_text *text, char *why, const char *hint)
{
	size_t place = snow_add_change(c, RV_CHANGE_CONFLICT, stream, text, why);

	snow_item(c, place)->hint = rv_strdup(hint);
}

void snow_collect(void *arg, const char *sql)
{
	struct snow_collected *all = arg;

	all->items = rv_realloc_array(all->items, all->count + 1, sizeof(*all->items));
	all->items[all->count++] = rv_strdup(sql);
}

void snow_collected_release(struct snow_collected *all)
{
	for (size_t i = 0; i < all->count; i++)
		free(all->items[i]);
	free(all->items);
	*all = (struct snow_collected){ 0 };
}

void snow_add_collected(struct rv_change *change, const struct snow_collected *all)
{
	for (size_t i = 0; i < all->count; i++)
		rv_change_add_statement(change, all->items[i]);
}

void snow_collectf(struct snow_collected *all, const char *fmt, ...)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	rv_strbuf_vprintf(&sql, fmt, ap);
	va_end(ap);
	snow_collect(all, sql.bytes);
}

void snow_collect_comment(struct snow_collected *all, const struct snow_text *text)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf literal = RV_STRBUF_INIT;

	snow_add_literal(&literal, text->comment);
	snow_collectf(all, "ALTER %s %s SET COMMENT = %s", snow_kind_word(text->kind), text->name,
		literal.bytes);
}

/* Whether two names that differ in case alone would be one to people, and to accounts that are set
 * to ignore case in quotes. */
bool snow_collides(const struct snow_comparing *c, const struct rv_stream *stream, const char *kind,
		     const struct snow_text *text)
{
	bool is_schema = text->kind == SNOW_IS_SCHEMA;
	const struct snow_fact *fact = c->seen->facts;

	for (size_t i = 0; is_schema && i < c->seen->count; i++, fact++) {
		if (strcmp(fact->kind, "schema") != 0 || strcmp(fact->schema, text->schema) == 0 ||
		    strcasecmp(fact->schema, text->schema) != 0)
			continue;
		snow_add_conflict(c, stream, text,
			 rv_asprintf("collides with %s.%s, which differs in case alone",
				     c->w->params.database, fact->schema),
			 "rename one of the two: ALTER SCHEMA ... RENAME TO ...");
		return true;
	}
	const char *other = is_schema ? NULL : snow_seen_case(c->seen, kind, text->schema, text->plain);

	if (!other)
		return false;
	snow_add_conflict(c, stream, text,
		 rv_asprintf("collides with %s.%s.%s, which differs in case alone",
			     c->w->params.database, text->schema, other),
		 "rename it, or create the stream under another name");
	return true;
}

/* ---- columns ---- */

/* Columns of a table that holds data. */
struct columns {
	const struct snow_comparing *c;
	const struct snow_text *text;
	struct snow_collected *all;
	struct rv_strbuf why, wrong;
};

/* TIMESTAMP_LTZ and TIMESTAMP_LTZ(9), VARCHAR, TEXT and VARCHAR(16777216) are the same. */
static bool same_type(const char *seen, const char *wanted)
{
	size_t len = strcspn(wanted, "(");

	if (strncmp(wanted, "NUMBER", 6) == 0)
		return strcmp(seen, wanted) == 0;
	if (strcmp(wanted, "VARCHAR") == 0 && strncmp(seen, "TEXT", 4) == 0)
		return true;
	return strncmp(seen, wanted, len) == 0 && (!seen[len] || seen[len] == '(');
}

static void compare_column(void *arg, const char *name, const char *type, bool not_null)
{
	struct columns *columns = arg;
	const char *seen = snow_seen_value(columns->c->seen, "column", columns->text->schema,
					   columns->text->plain, name);

	if (!seen && not_null) {
		rv_strbuf_printf(&columns->wrong, "%scolumn %s is not there", columns->wrong.len ? ", " : "",
				 name);
	} else if (!seen) {
		snow_collectf(columns->all, "ALTER TABLE %s ADD COLUMN IF NOT EXISTS \"%s\" %s",
			columns->text->name, name, type);
		rv_strbuf_printf(&columns->why, "%scolumn %s is not there", columns->why.len ? ", " : "",
				 name);
	} else if (!same_type(seen, type)) {
		rv_strbuf_printf(&columns->wrong, "%scolumn %s is %s, not %s",
				 columns->wrong.len ? ", " : "", name, seen, type);
	}
}

struct naming {
	const char *name;
	bool found;
};

static void is_it(void *arg, const char *name, const char *type RV_UNUSED, bool not_null RV_UNUSED)
{
	struct naming *naming = arg;

	naming->found |= strcmp(naming->name, name) == 0;
}

/* Columns that somebody added stay, and are named. */
static void name_foreign_columns(const struct snow_comparing *c, const struct rv_stream *stream,
				 enum snow_object object, const struct snow_text *text)
{
	const struct snow_fact *fact = snow_seen_find(c->seen, "column", text->schema, text->plain);

	for (; fact; fact = snow_seen_next(c->seen, fact)) {
		struct naming naming = { fact->attribute, false };

		snow_each_column(stream, object, is_it, &naming);
		if (!naming.found)
			snow_add_change(c, RV_CHANGE_FOREIGN, stream, text,
			    rv_asprintf("column %s is not river's", fact->attribute));
	}
}

/* False: it cannot be mended, and that is said. */
bool snow_compare_columns(const struct snow_comparing *c, const struct rv_stream *stream,
			    enum snow_object object, const struct snow_text *text,
			    struct snow_collected *all, struct rv_strbuf *why)
{
	struct columns columns = { c, text, all, RV_STRBUF_INIT, RV_STRBUF_INIT };

	snow_each_column(stream, object, compare_column, &columns);
	name_foreign_columns(c, stream, object, text);
	rv_strbuf_add(why, columns.why.bytes, columns.why.len);
	bool good = !columns.wrong.len;

	if (!good)
		snow_add_conflict(c, stream, text, rv_strdup(columns.wrong.bytes),
			 "a table that holds data is not made again: mend its columns by hand, or rename "
			 "the table and apply again");
	rv_strbuf_release(&columns.why);
	rv_strbuf_release(&columns.wrong);
	return good;
}

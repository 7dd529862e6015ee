/*
 * What is wanted against what is seen, object by object.
 *
 * An object that carries river's marker for this stream is river's: made again when it is derived and
 * its shape differs, mended when it holds data. One without it is somebody else's, and a conflict where
 * it stands in the way. Raw tables are never replaced.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "warehouse/snowflake_contract.h"
#include "warehouse/snowflake_grants.h"
#include "warehouse/snowflake_plan.h"

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

struct comparing {
	const struct rv_snowflake_warehouse *w;
	const struct snow_seen *seen;
	struct rv_changes *changes;
	/* places of their changes, SIZE_MAX: none */
	size_t database, roles, house, stage, format, ledger;
	struct rv_error *err;
};

/* "dynamic table RIVER.WEB.CLICKS_CLEAN" */
static char *object_text(const struct comparing *c, const struct snow_text *text)
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

static struct rv_change *item(const struct comparing *c, size_t place)
{
	return &c->changes->items[place];
}

static size_t add(const struct comparing *c, enum rv_change_kind kind, const struct rv_stream *stream,
		  const struct snow_text *text, char *why)
{
	size_t place = rv_changes_add(c->changes, kind, stream, object_text(c, text), why);

	rv_change_after(item(c, place), c->database, true);
	rv_change_after(item(c, place), c->roles, false); /* whom grants are for */
	return place;
}

static size_t add_statement(const struct comparing *c, enum rv_change_kind kind,
			    const struct rv_stream *stream, const struct snow_text *text, char *why,
			    const char *sql)
{
	size_t place = add(c, kind, stream, text, why);

	rv_change_add_statement(item(c, place), sql);
	return place;
}

static void conflict(const struct comparing *c, const struct rv_stream *stream,
		     const struct snow_text *text, char *why, const char *hint)
{
	size_t place = add(c, RV_CHANGE_CONFLICT, stream, text, why);

	item(c, place)->hint = rv_strdup(hint);
}

/* Statements for one object, collected before it is known whether there are any. */
struct collected {
	char **items;
	size_t count;
};

static void collect(void *arg, const char *sql)
{
	struct collected *all = arg;

	all->items = rv_realloc_array(all->items, all->count + 1, sizeof(*all->items));
	all->items[all->count++] = rv_strdup(sql);
}

static void collected_release(struct collected *all)
{
	for (size_t i = 0; i < all->count; i++)
		free(all->items[i]);
	free(all->items);
	*all = (struct collected){ 0 };
}

static void add_collected(struct rv_change *change, const struct collected *all)
{
	for (size_t i = 0; i < all->count; i++)
		rv_change_add_statement(change, all->items[i]);
}

static void printed(struct collected *all, const char *fmt, ...) RV_PRINTF(2, 3);
static void printed(struct collected *all, const char *fmt, ...)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	rv_strbuf_vprintf(&sql, fmt, ap);
	va_end(ap);
	collect(all, sql.bytes);
}

static void set_comment(struct collected *all, const struct snow_text *text)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf literal = RV_STRBUF_INIT;

	snow_add_literal(&literal, text->comment);
	printed(all, "ALTER %s %s SET COMMENT = %s", snow_kind_word(text->kind), text->name,
		literal.bytes);
}

/* Whether two names that differ in case alone would be one to people, and to accounts that are set
 * to ignore case in quotes. */
static bool collides(const struct comparing *c, const struct rv_stream *stream, const char *kind,
		     const struct snow_text *text)
{
	bool is_schema = text->kind == SNOW_IS_SCHEMA;
	const struct snow_fact *fact = c->seen->facts;

	for (size_t i = 0; is_schema && i < c->seen->count; i++, fact++) {
		if (strcmp(fact->kind, "schema") != 0 || strcmp(fact->schema, text->schema) == 0 ||
		    strcasecmp(fact->schema, text->schema) != 0)
			continue;
		conflict(c, stream, text,
			 rv_asprintf("schema %s.%s is there, which differs from %s in case alone",
				     c->w->params.database, fact->schema, text->schema),
			 "rename one of the two: ALTER SCHEMA ... RENAME TO ...");
		return true;
	}
	const char *other = is_schema ? NULL : snow_seen_case(c->seen, kind, text->schema, text->plain);

	if (!other)
		return false;
	conflict(c, stream, text,
		 rv_asprintf("%s.%s.%s is there, which differs from %s in case alone",
			     c->w->params.database, text->schema, other, text->plain),
		 "rename it, or create the stream under another name");
	return true;
}

/* ---- of all streams ---- */

static void compare_database(struct comparing *c)
{
	struct snow_text text;
	struct collected all = { 0 };

	c->database = SIZE_MAX;
	snow_text_database(c->w, &text);
	if (!c->seen->has_database)
		c->database = add_statement(c, RV_CHANGE_MAKE, NULL, &text,
					    rv_strdup("is not there, or may not be seen"), text.create);
	if (c->w->params.makes_roles)
		snow_grant_database(c->w, c->seen, collect, &all);
	if (all.count) {
		char *roles = rv_asprintf("roles %s_RO and %s_RW", c->w->params.database,
					  c->w->params.database);
		size_t place = rv_changes_add(c->changes, RV_CHANGE_MAKE, NULL, roles,
					      rv_strdup("are not there, or lack grants"));

		c->roles = place;
		rv_change_after(item(c, place), c->database, true);
		add_collected(item(c, place), &all);
		item(c, place)->essential = 2;
	}
	collected_release(&all);
	snow_text_release(&text);
}

static size_t compare_house_schema(const struct comparing *c)
{
	struct snow_text text;
	size_t place = SIZE_MAX;

	snow_text_house(c->w, &text);
	if (!collides(c, NULL, "schema", &text) && !snow_seen_find(c->seen, "schema", SNOW_HOUSE, ""))
		place = add_statement(c, RV_CHANGE_MAKE, NULL, &text, rv_strdup("is not there"),
				      text.create);
	snow_text_release(&text);
	return place;
}

/* The stage stands for data/ of the lake and for nothing else, or paths would not be the lake's. */
static size_t compare_stage(const struct comparing *c)
{
	RV_CLEANUP(rv_free_p) char *url = rv_asprintf("s3://%s/%s%sdata/", c->w->params.bucket,
						      c->w->params.lake_prefix,
						      c->w->params.lake_prefix[0] ? "/" : "");
	struct snow_text text, integration;
	size_t place = SIZE_MAX;

	if (c->w->params.stage)
		return place;
	snow_text_stage(c->w, &text);
	const struct snow_fact *fact = snow_seen_find(c->seen, "stage", SNOW_HOUSE, SNOW_STAGE);

	if (!fact) {
		size_t before = SIZE_MAX;

		if (c->w->params.storage_role_arn) {
			snow_text_integration(c->w, &integration);
			before = add_statement(c, RV_CHANGE_MAKE, NULL, &integration,
					       rv_strdup("the stage is made with it, unless it is there"),
					       integration.create);
			snow_text_release(&integration);
		}
		place = add_statement(c, RV_CHANGE_MAKE, NULL, &text, rv_strdup("is not there"),
				      text.create);
		rv_change_after(item(c, place), c->house, true);
		rv_change_after(item(c, place), before, true);
	} else if (strcmp(fact->attribute, url) != 0) {
		conflict(c, NULL, &text,
			 rv_asprintf("stands for %s, and the lake's data is in %s", fact->attribute, url),
			 "another lake needs another database: set warehouse.database, or drop the stage "
			 "when no stream is loaded through it any more");
	}
	snow_text_release(&text);
	return place;
}

static size_t compare_format(const struct comparing *c)
{
	const struct snow_fact *fact = snow_seen_find(c->seen, "format", SNOW_HOUSE, SNOW_FORMAT);
	struct snow_marker marker;
	struct snow_text text;
	size_t place = SIZE_MAX;

	snow_text_format(c->w, &text);
	snow_marker_parse(fact ? fact->value : "", &marker);
	if (!fact)
		place = add_statement(c, RV_CHANGE_MAKE, NULL, &text, rv_strdup("is not there"),
				      text.create);
	else if (!marker.is_river)
		conflict(c, NULL, &text, rv_strdup("is there and not river's"),
			 "drop it, or say with warehouse.database where river may make its own");
	else if (strcmp(marker.shape, text.shape) != 0)
		place = add_statement(c, RV_CHANGE_REPLACE, NULL, &text,
				      rv_strdup("was made from another definition"), text.replace);
	if (place != SIZE_MAX)
		rv_change_after(item(c, place), c->house, true);
	snow_marker_release(&marker);
	snow_text_release(&text);
	return place;
}

/* Columns of a table that holds data. */
struct columns {
	const struct comparing *c;
	const struct snow_text *text;
	struct collected *all;
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
		printed(columns->all, "ALTER TABLE %s ADD COLUMN IF NOT EXISTS \"%s\" %s",
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
static void name_foreign_columns(const struct comparing *c, const struct rv_stream *stream,
				 enum snow_object object, const struct snow_text *text)
{
	const struct snow_fact *fact = snow_seen_find(c->seen, "column", text->schema, text->plain);

	for (; fact; fact = snow_seen_next(c->seen, fact)) {
		struct naming naming = { fact->attribute, false };

		snow_each_column(stream, object, is_it, &naming);
		if (!naming.found)
			add(c, RV_CHANGE_FOREIGN, stream, text,
			    rv_asprintf("column %s is not river's", fact->attribute));
	}
}

/* False: it cannot be mended, and that is said. */
static bool compare_columns(const struct comparing *c, const struct rv_stream *stream,
			    enum snow_object object, const struct snow_text *text,
			    struct collected *all, struct rv_strbuf *why)
{
	struct columns columns = { c, text, all, RV_STRBUF_INIT, RV_STRBUF_INIT };

	snow_each_column(stream, object, compare_column, &columns);
	name_foreign_columns(c, stream, object, text);
	rv_strbuf_add(why, columns.why.bytes, columns.why.len);
	bool good = !columns.wrong.len;

	if (!good)
		conflict(c, stream, text, rv_strdup(columns.wrong.bytes),
			 "a table that holds data is not made again: mend its columns by hand, or rename "
			 "the table and apply again");
	rv_strbuf_release(&columns.why);
	rv_strbuf_release(&columns.wrong);
	return good;
}

static size_t compare_ledger(const struct comparing *c)
{
	const struct snow_fact *fact = snow_seen_find(c->seen, "table", SNOW_HOUSE, SNOW_LEDGER);
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf why = RV_STRBUF_INIT;
	RV_CLEANUP(collected_release) struct collected all = { 0 };
	struct snow_marker marker;
	struct snow_text text;
	size_t place = SIZE_MAX;

	snow_text_ledger(c->w, &text);
	snow_marker_parse(fact ? fact->value : "", &marker);
	if (!fact) {
		place = add_statement(c, RV_CHANGE_MAKE, NULL, &text, rv_strdup("is not there"),
				      text.create);
		rv_change_after(item(c, place), c->house, true);
	} else if (!marker.is_river) {
		conflict(c, NULL, &text, rv_strdup("is there and not river's"),
			 "rename it, or say with warehouse.database where river may make its own");
	} else if (compare_columns(c, NULL, SNOW_RAW, &text, &all, &why) && all.count) {
		set_comment(&all, &text);
		place = add(c, RV_CHANGE_ALTER, NULL, &text, rv_strdup(why.bytes));
		add_collected(item(c, place), &all);
	}
	snow_marker_release(&marker);
	snow_text_release(&text);
	return place;
}

/* ---- of a stream ---- */

struct of_stream {
	struct comparing *c;
	const struct rv_stream *stream;
	struct snow_roles roles;
	struct rv_string_list former;          /* roles raw says were granted something */
	size_t schema;                         /* places of changes */
	size_t objects[SNOW_OBJECTS];
	bool refills;                          /* rows of a merged latest would differ now */
	bool is_blocked;                       /* a conflict was found */
};

static void block(struct of_stream *s, const struct snow_text *text, char *why, const char *hint)
{
	conflict(s->c, s->stream, text, why, hint);
	s->is_blocked = true;
}

/* What is in the schema under the name, of whatever kind; NULL: nothing. */
static const char *comment_of(const struct of_stream *s, enum snow_object object,
			      const struct snow_text *text, const char **ret_type)
{
	const char *kind = object == SNOW_PIPE		       ? "pipe"
			   : object == SNOW_MERGE || object == SNOW_RETAIN ? "task"
			   : object == SNOW_NEW		       ? "owned"
							       : "table";
	const struct snow_fact *fact = snow_seen_find(s->c->seen, kind, text->schema, text->plain);

	*ret_type = fact ? fact->attribute : "";
	/* nothing tells of a stream but that somebody owns it, and its name is no other's */
	if (fact && object == SNOW_NEW)
		return text->comment;
	return fact ? fact->value : NULL;
}

static bool type_differs(const struct snow_text *text, const char *type)
{
	static const char *const words[] = { [SNOW_IS_TABLE] = "TABLE", [SNOW_IS_DYNAMIC] = "DYNAMIC",
					     [SNOW_IS_VIEW] = "VIEW" };

	return text->kind <= SNOW_IS_VIEW && text->kind >= SNOW_IS_TABLE &&
	       strcmp(words[text->kind], type) != 0;
}

/* The columns, or all that have a mask. */
static void collect_masks(const struct of_stream *s, enum snow_object object,
			  const struct snow_text *text, bool is_new, struct collected *all)
{
	const char *word = snow_kind_word(text->kind);
	const struct snow_fact *fact;

	if (object != SNOW_CLEAN && object != SNOW_NEWEST)
		return;
	for (size_t i = 0; i < s->stream->columns_count; i++) {
		const struct rv_column *column = &s->stream->columns[i];
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf name = RV_STRBUF_INIT;
		struct snow_text policy;

		if (!rv_string_list_has(&s->stream->mask, column->name))
			continue;
		snow_add_column(&name, column->name);
		RV_CLEANUP(rv_free_p) char *plain = rv_strndup(name.bytes + 1, name.len - 2);
		const char *seen = is_new ? NULL
					  : snow_seen_value(s->c->seen, "mask", text->schema, text->plain,
							    plain);

		snow_text_policy(s->c->w, column, &policy);
		if (!seen || strcmp(seen, policy.plain) != 0) {
			collect(all, policy.create);
			printed(all, "ALTER %s %s MODIFY COLUMN %s SET MASKING POLICY %s FORCE", word,
				text->name, name.bytes, policy.name);
		}
		snow_text_release(&policy);
	}
	fact = is_new ? NULL : snow_seen_find(s->c->seen, "mask", text->schema, text->plain);
	for (; fact; fact = snow_seen_next(s->c->seen, fact)) {
		bool wanted = false;

		for (size_t i = 0; i < s->stream->mask.count; i++)
			wanted |= strcasecmp(s->stream->mask.items[i], fact->attribute) == 0;
		if (!wanted && rv_starts_with(fact->value, "MASK_"))
			printed(all, "ALTER %s %s MODIFY COLUMN \"%s\" UNSET MASKING POLICY", word,
				text->name, fact->attribute);
	}
}

static void collect_grants(const struct of_stream *s, enum snow_object object,
			   const struct snow_text *text, bool is_new, struct collected *all)
{
	static const struct snow_seen nothing = { 0 };

	snow_grant_object(&s->roles, &s->former, s->stream, object, text, is_new ? &nothing : s->c->seen,
			  collect, all);
}

/* What comes with an object that is made, or made again. */
static void collect_with(const struct of_stream *s, enum snow_object object,
			 const struct snow_text *text, struct collected *all)
{
	if (text->kind == SNOW_IS_TASK)
		printed(all, "ALTER TASK %s RESUME", text->name);
	collect_masks(s, object, text, true, all);
	collect_grants(s, object, text, true, all);
}

static void depend(const struct of_stream *s, enum snow_object object, size_t place)
{
	static const enum snow_object sources[SNOW_OBJECTS][2] = {
		[SNOW_CLEAN] = { SNOW_RAW, SNOW_RAW },	   [SNOW_LATEST] = { SNOW_NEWEST, SNOW_NEWEST },
		[SNOW_REFUSED] = { SNOW_RAW, SNOW_RAW },   [SNOW_NEWEST] = { SNOW_RAW, SNOW_RAW },
		[SNOW_PIPE] = { SNOW_RAW, SNOW_RAW },	   [SNOW_NEW] = { SNOW_RAW, SNOW_RAW },
		[SNOW_MERGE] = { SNOW_NEWEST, SNOW_NEW },  [SNOW_RETAIN] = { SNOW_RAW, SNOW_MERGE },
	};
	struct rv_change *change = item(s->c, place);

	rv_change_after(change, s->schema, true);
	if (object == SNOW_RAW)
		return;
	rv_change_after(change, s->objects[sources[object][0]], true);
	rv_change_after(change, s->objects[sources[object][1]], true);
	if (object == SNOW_PIPE) {
		rv_change_after(change, s->c->stage, true);
		rv_change_after(change, s->c->format, true);
	}
	if (object == SNOW_RETAIN)
		rv_change_after(change, s->c->ledger, true);
}

/* Made where it is not, or made again; `first` (Optional) is what has to be said before. */
static void make(struct of_stream *s, enum snow_object object, const struct snow_text *text,
		 enum rv_change_kind kind, char *why, const char *first, const char *sql)
{
	RV_CLEANUP(collected_release) struct collected all = { 0 };
	size_t place = add(s->c, kind, s->stream, text, why);

	if (first)
		collect(&all, first);
	collect(&all, sql);
	collect_with(s, object, text, &all);
	add_collected(item(s->c, place), &all);
	item(s->c, place)->essential = first ? 2 : 1;
	/* a task's body may have statements of its own */
	item(s->c, place)->apart = object == SNOW_RETAIN;
	depend(s, object, place);
	s->objects[object] = place;
	s->refills |= kind == RV_CHANGE_REPLACE && object == SNOW_MERGE;
}

/* A pipe forgets what it loaded when it is made again: first it has to be empty, and the ledger to
 * know (semantics.md 6.5). */
static void replace_pipe(struct of_stream *s, const struct snow_text *text, char *why)
{
	RV_CLEANUP(rv_free_p)
	char *pause = rv_asprintf("ALTER PIPE %s SET PIPE_EXECUTION_PAUSED = TRUE", text->name);
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf fill = RV_STRBUF_INIT;
	RV_CLEANUP(collected_release) struct collected all = { 0 };
	size_t place = add(s->c, RV_CHANGE_REPLACE, s->stream, text, why);

	snow_add_ledger_fill(&fill, s->c->w, s->stream);
	collect(&all, pause);
	collect(&all, fill.bytes);
	collect(&all, text->replace);
	collect_with(s, SNOW_PIPE, text, &all);
	add_collected(item(s->c, place), &all);
	item(s->c, place)->drains = rv_strdup(text->name);
	item(s->c, place)->essential = 3;
	depend(s, SNOW_PIPE, place);
	rv_change_after(item(s->c, place), s->c->ledger, true);
	s->objects[SNOW_PIPE] = place;
}

static int64_t seconds_of(const char *lag)
{
	static const struct {
		const char *unit;
		int64_t seconds;
	} units[] = { { "second", 1 }, { "minute", 60 }, { "hour", 3600 }, { "day", 86400 } };
	char *unit;
	int64_t n = strtoll(lag, &unit, 10);

	while (*unit == ' ')
		unit++;
	for (size_t i = 0; i < 4; i++)
		if (strncasecmp(unit, units[i].unit, strlen(units[i].unit)) == 0)
			return n * units[i].seconds;
	return -1;
}

static void says(struct rv_strbuf *why, const char *fmt, ...) RV_PRINTF(2, 3);
static void says(struct rv_strbuf *why, const char *fmt, ...)
{
	va_list ap;

	rv_strbuf_puts(why, why->len ? "; " : "");
	va_start(ap, fmt);
	rv_strbuf_vprintf(why, fmt, ap);
	va_end(ap);
}

/* How often, on what, and whether at all. */
static void compare_dynamic(const struct of_stream *s, const struct snow_text *text,
			    struct collected *all, struct rv_strbuf *why)
{
	const struct snow_fact *fact = snow_seen_find(s->c->seen, "lag", text->schema, text->plain);
	unsigned minutes = snow_lag_minutes(s->stream);

	if (!fact)
		return;
	const char *warehouse = fact->value + strcspn(fact->value, " ");

	warehouse += *warehouse == ' ';
	if (seconds_of(fact->attribute) != (int64_t)minutes * 60) {
		printed(all, "ALTER DYNAMIC TABLE %s SET TARGET_LAG = '%u minute%s'", text->name, minutes,
			minutes == 1 ? "" : "s");
		says(why, "its lag is %s", fact->attribute);
	}
	if (strcmp(warehouse, s->c->w->params.warehouse) != 0) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf name = RV_STRBUF_INIT;

		rv_snowflake_identifier(&name, s->c->w->params.warehouse);
		printed(all, "ALTER DYNAMIC TABLE %s SET WAREHOUSE = %s", text->name, name.bytes);
		says(why, "it runs on warehouse %s", warehouse);
	}
	if (rv_starts_with(fact->value, "SUSPENDED")) {
		printed(all, "ALTER DYNAMIC TABLE %s RESUME", text->name);
		says(why, "it is suspended");
	}
}

static void compare_cluster(const struct of_stream *s, enum snow_object object,
			    const struct snow_text *text, struct collected *all, struct rv_strbuf *why)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf by = RV_STRBUF_INIT;
	bool seen = snow_seen_find(s->c->seen, "cluster", text->schema, text->plain) != NULL;

	snow_add_cluster(&by, s->stream, object);
	if (by.len && !seen) {
		printed(all, "ALTER TABLE %s CLUSTER BY (%s)", text->name, by.bytes);
		says(why, "it is not clustered");
	} else if (!by.len && seen) {
		printed(all, "ALTER TABLE %s DROP CLUSTERING KEY", text->name);
		says(why, "it is clustered");
	}
}

static bool same_words(const char *a, const char *b)
{
	for (;;) {
		a += strspn(a, " \t\r\n;");
		b += strspn(b, " \t\r\n;");
		if (!*a || !*b)
			return *a == *b;
		if (*a != *b)
			return false;
		a++, b++;
	}
}

static bool copies_otherwise(const struct of_stream *s, const struct snow_text *text)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf copy = RV_STRBUF_INIT;
	const struct snow_fact *fact = snow_seen_find(s->c->seen, "copy", text->schema, text->plain);

	snow_add_pipe_copy(&copy, s->c->w, s->stream);
	return fact && !same_words(fact->value, copy.bytes);
}

/* A schedule may be reported with MINUTES for MINUTE. */
static bool same_schedule(const char *seen, unsigned minutes)
{
	return strtoul(seen, NULL, 10) == minutes;
}

static bool runs_otherwise(const struct of_stream *s, enum snow_object object,
			   const struct snow_text *text)
{
	const struct snow_fact *fact = snow_seen_find(s->c->seen, "when", text->schema, text->plain);

	return fact && (strcmp(fact->value, s->c->w->params.warehouse) != 0 ||
			(object == SNOW_MERGE &&
			 !same_schedule(fact->attribute, snow_lag_minutes(s->stream))));
}

static bool has_key(const struct rv_stream *stream, const char *key)
{
	for (size_t i = 0; i < stream->key.count; i++) {
		size_t len = strlen(stream->key.items[i]);

		if (strncmp(key, stream->key.items[i], len) != 0)
			return false;
		key += len;
		if (*key == ',' && i + 1 < stream->key.count)
			key++;
	}
	return !*key;
}

/* One that is river's and of the right kind. */
static void compare_existing(struct of_stream *s, enum snow_object object, const struct snow_text *text,
			     const struct snow_marker *marker, const char *type)
{
	RV_CLEANUP(collected_release) struct collected all = { 0 };
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf why = RV_STRBUF_INIT;
	bool reshaped = strcmp(marker->shape, text->shape) != 0;
	bool is_table = text->kind == SNOW_IS_TABLE;

	if (object == SNOW_PIPE && (reshaped || copies_otherwise(s, text))) {
		replace_pipe(s, text, rv_strdup(reshaped ? "was made from another definition"
							 : "copies otherwise than it was made to"));
		return;
	}
	if (!is_table && (reshaped || (text->kind == SNOW_IS_TASK && runs_otherwise(s, object, text)))) {
		make(s, object, text, RV_CHANGE_REPLACE,
		     rv_strdup(reshaped ? "was made from another definition"
					: "runs on another schedule or warehouse"),
		     NULL, text->replace);
		return;
	}
	if (object == SNOW_NEWEST && is_table && !has_key(s->stream, marker->key)) {
		block(s, text,
		      rv_asprintf("holds the newest row of each %s, and raw may no longer have all rows",
				  marker->key),
		      "drop it by hand to have it made again from what raw holds");
		return;
	}
	if (is_table && !compare_columns(s->c, s->stream, object, text, &all, &why)) {
		s->is_blocked = true;
		return;
	}
	s->refills |= object == SNOW_NEWEST && is_table && all.count > 0;
	if (object == SNOW_RAW || (object == SNOW_NEWEST && is_table))
		compare_cluster(s, object, text, &all, &why);
	if (text->kind == SNOW_IS_DYNAMIC)
		compare_dynamic(s, text, &all, &why);
	if (text->kind == SNOW_IS_TASK && strcasecmp(type, "started") != 0) {
		printed(&all, "ALTER TASK %s RESUME", text->name);
		says(&why, "it is suspended");
	}
	size_t before = all.count;

	collect_masks(s, object, text, false, &all);
	if (all.count > before)
		says(&why, "masks differ");
	before = all.count;
	collect_grants(s, object, text, false, &all);
	if (all.count > before)
		says(&why, "grants differ");
	if (object == SNOW_RAW && strcmp(marker->id, s->stream->id) != 0)
		says(&why, "it is of a former stream of that name");
	if (is_table && (all.count || reshaped || strcmp(marker->id, s->stream->id) != 0 ||
			 (object == SNOW_RAW && why.len == 0 && marker->roles.count !=
			  s->stream->grants_read.count + s->stream->grants_push.count +
				  s->stream->grants_admin.count))) {
		set_comment(&all, text);
		if (!why.len)
			says(&why, "was made from another definition");
	}
	if (!all.count)
		return;
	size_t place = add(s->c, RV_CHANGE_ALTER, s->stream, text, rv_strdup(why.bytes));

	add_collected(item(s->c, place), &all);
	item(s->c, place)->essential = 0; /* it is there */
	depend(s, object, place);
	s->objects[object] = place;
}

/* What the rows of latest are kept in changes when retention comes or goes. */
static void compare_kind(struct of_stream *s, const struct snow_text *text, const char *type)
{
	RV_CLEANUP(rv_free_p) char *drop = rv_asprintf("DROP DYNAMIC TABLE IF EXISTS %s", text->name);

	if (text->kind == SNOW_IS_TABLE && strcmp(type, "DYNAMIC") == 0)
		make(s, SNOW_NEWEST, text, RV_CHANGE_REPLACE,
		     rv_strdup("is derived from raw, which will no longer hold all rows"), drop,
		     text->create);
	else
		block(s, text,
		      rv_asprintf("is a %s, and holds rows that raw may no longer have",
				  strcmp(type, "TABLE") == 0 ? "table" : "view"),
		      "drop it by hand to have it made again from what raw holds");
}

static void compare_object(struct of_stream *s, enum snow_object object)
{
	struct snow_text text;
	struct snow_marker marker;
	const char *type;
	char name[RV_STREAM_TEXT];
	const char *seen_as = object == SNOW_PIPE			     ? "pipe"
			      : object == SNOW_MERGE || object == SNOW_RETAIN ? "task"
									     : "table";

	s->objects[object] = SIZE_MAX;
	snow_text_object(s->c->w, s->stream, object, &text);
	const char *comment = comment_of(s, object, &text, &type);

	snow_marker_parse(comment ? comment : "", &marker);
	bool is_ours = marker.is_river &&
		       strcmp(marker.stream, rv_stream_text(s->stream, name)) == 0;

	if (collides(s->c, s->stream, seen_as, &text)) {
		s->is_blocked = true;
	} else if (!comment) {
		make(s, object, &text, RV_CHANGE_MAKE, rv_strdup("is not there"), NULL, text.create);
	} else if (!is_ours) {
		block(s, &text, rv_strdup("is there and not river's"),
		      "rename or drop it, or create the stream under another name");
	} else if (type_differs(&text, type) && object == SNOW_NEWEST) {
		compare_kind(s, &text, type);
	} else if (type_differs(&text, type)) {
		block(s, &text, rv_asprintf("is there, but as another kind of object"),
		      "rename or drop it and apply again");
	} else {
		compare_existing(s, object, &text, &marker, type);
	}
	snow_marker_release(&marker);
	snow_text_release(&text);
}

/* Rows that are in a merged latest already are brought in line with the contract as it is now, as far
 * as raw has them. */
static void refill(const struct of_stream *s)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf merge = RV_STRBUF_INIT;
	struct snow_text text;

	if (!s->refills || !snow_is_merged(s->stream))
		return;
	snow_text_object(s->c->w, s->stream, SNOW_NEWEST, &text);
	snow_add_merge(&merge, s->c->w, s->stream, SNOW_RAW);
	size_t place = add_statement(s->c, RV_CHANGE_ALTER, s->stream, &text,
				     rv_strdup("rows that raw still has are cut anew"), merge.bytes);

	rv_change_after(item(s->c, place), s->objects[SNOW_NEWEST], true);
	rv_change_after(item(s->c, place), s->objects[SNOW_MERGE], true);
	snow_text_release(&text);
}

/* What a definition no longer asks for. */
static void remove_object(const struct of_stream *s, enum snow_object object)
{
	struct snow_text text;
	struct snow_marker marker;
	const char *type;
	char name[RV_STREAM_TEXT];

	snow_text_object(s->c->w, s->stream, object, &text);
	const char *comment = comment_of(s, object, &text, &type);

	snow_marker_parse(comment ? comment : "", &marker);
	if (comment && marker.is_river && strcmp(marker.stream, rv_stream_text(s->stream, name)) == 0) {
		const char *word = object == SNOW_NEWEST && strcmp(type, "TABLE") == 0
					   ? "TABLE"
					   : snow_kind_word(text.kind);
		RV_CLEANUP(rv_free_p) char *drop = rv_asprintf("DROP %s IF EXISTS %s", word, text.name);

		add_statement(s->c, RV_CHANGE_REMOVE, s->stream, &text, rv_strdup("is wanted no more"),
			      drop);
	}
	snow_marker_release(&marker);
	snow_text_release(&text);
}

/* One change for all streams of a business, however many there are. */
static size_t compare_schema(const struct comparing *c, const struct rv_stream *const *streams,
			     size_t count, size_t first, struct rv_error *err)
{
	RV_CLEANUP(collected_release) struct collected all = { 0 };
	const struct rv_stream *stream = streams[first];
	struct snow_text text;
	size_t place = SIZE_MAX;

	snow_text_schema(c->w, stream, &text);
	bool is_there = snow_seen_find(c->seen, "schema", text.schema, "") != NULL;

	for (size_t i = first; i < count; i++) {
		struct snow_roles roles = { 0 };

		if (strcmp(streams[i]->business, stream->business) != 0)
			continue;
		if (snow_roles_of(c->w, streams[i], &roles, err) == RV_OK)
			snow_grant_places(c->w, &roles, streams[i], c->seen, collect, &all);
		snow_roles_release(&roles);
		if (err->status != RV_OK)
			break;
	}
	/* many streams grant the same */
	size_t kept = 0;

	for (size_t i = 0; i < all.count; i++) {
		bool is_new = true;

		for (size_t k = 0; k < kept && is_new; k++)
			is_new = strcmp(all.items[k], all.items[i]) != 0;
		if (is_new)
			all.items[kept++] = all.items[i];
		else
			free(all.items[i]);
	}
	all.count = kept;
	if (err->status == RV_OK && !collides(c, stream, "schema", &text) && (!is_there || all.count)) {
		place = add(c, is_there ? RV_CHANGE_ALTER : RV_CHANGE_MAKE, NULL, &text,
			    rv_strdup(is_there ? "grants differ" : "is not there"));
		if (!is_there)
			rv_change_add_statement(item(c, place), text.create);
		add_collected(item(c, place), &all);
		item(c, place)->essential = is_there ? 0 : 1;
		/* for the grants; without them it is a schema all the same */
		rv_change_after(item(c, place), c->house, false);
		rv_change_after(item(c, place), c->ledger, false);
		rv_change_after(item(c, place), c->stage, false);
		rv_change_after(item(c, place), c->format, false);
	}
	snow_text_release(&text);
	return place;
}

static enum rv_status check(const struct rv_snowflake_warehouse *w, const struct rv_stream *stream,
			    struct rv_error *err)
{
	for (size_t i = 0; i < stream->columns_count; i++) {
		const struct rv_column *column = &stream->columns[i];

		if (column->type != RV_COLUMN_DECIMAL || column->scale < 38)
			continue;
		rv_fail(err, RV_BAD_CONFIG, "%s/%s: column %s has scale %u, and Snowflake at most 37",
			stream->business, stream->name, column->name, column->scale);
		rv_hint(err, "declare it as decimal(38,37)");
		return err->status;
	}
	if (w->params.storage_integration || w->params.stage)
		return RV_OK;
	rv_fail(err, RV_BAD_CONFIG, "nothing says how Snowflake reads the lake");
	rv_hint(err, "set warehouse.storage_integration, or warehouse.stage to a stage that is there");
	return err->status;
}

static void compare_stream(struct of_stream *s)
{
	static const enum snow_object order[] = { SNOW_RAW,  SNOW_NEWEST, SNOW_CLEAN,  SNOW_LATEST,
						  SNOW_NEW,  SNOW_MERGE,  SNOW_REFUSED, SNOW_RETAIN,
						  SNOW_PIPE };
	char schema[RV_STREAM_PLACE_MAX], plain[RV_STREAM_PLACE_MAX];
	struct snow_marker marker;
	const char *comment;

	snow_schema_name(s->stream, schema);
	snow_object_name(s->stream, SNOW_RAW, plain);
	comment = snow_seen_value(s->c->seen, "table", schema, plain, "TABLE");
	snow_marker_parse(comment ? comment : "", &marker);
	s->former = marker.roles;
	for (size_t i = 0; i < SNOW_OBJECTS; i++)
		s->objects[i] = SIZE_MAX;
	for (size_t i = 0; i < sizeof(order) / sizeof(*order) && !s->is_blocked; i++) {
		if (snow_wants(s->stream, order[i]))
			compare_object(s, order[i]);
		else
			remove_object(s, order[i]);
	}
	if (!s->is_blocked)
		refill(s);
	snow_marker_release(&marker);
}

enum rv_status snow_compare_seen(const struct rv_snowflake_warehouse *w,
				 const struct rv_stream *const *streams, size_t count,
				 const struct snow_seen *seen, struct rv_changes *ret,
				 struct rv_error *err)
{
	struct comparing c = { .w = w, .seen = seen, .changes = ret, .database = SIZE_MAX,
			       .roles = SIZE_MAX };
	RV_CLEANUP(rv_free_p) size_t *schemas = rv_calloc(count + 1, sizeof(*schemas));

	for (size_t i = 0; i < count; i++)
		if (check(w, streams[i], err) != RV_OK)
			return err->status;
	compare_database(&c);
	c.house = compare_house_schema(&c);
	c.stage = compare_stage(&c);
	c.format = compare_format(&c);
	c.ledger = compare_ledger(&c);
	for (size_t i = 0; i < count; i++) {
		struct of_stream s = { .c = &c, .stream = streams[i] };
		size_t same = 0;

		while (strcmp(streams[same]->business, streams[i]->business) != 0)
			same++;
		if (same == i) {
			*err = (struct rv_error)RV_ERROR_INIT;
			schemas[i] = compare_schema(&c, streams, count, i, err);
			if (err->status != RV_OK)
				return err->status;
		}
		s.schema = schemas[same];
		if (snow_roles_of(w, streams[i], &s.roles, err) != RV_OK) {
			snow_roles_release(&s.roles);
			return err->status;
		}
		compare_stream(&s);
		snow_roles_release(&s.roles);
	}
	return RV_OK;
}

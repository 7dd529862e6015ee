/*
 * A stream's objects against what is seen. One that carries river's marker for this stream is river's:
 * made again when it is derived and its shape differs, mended when it holds data. One without it is
 * somebody else's, and a conflict where it stands in the way. Raw tables are never replaced.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "warehouse/snowflake_contract.h"
#include "warehouse/snowflake_differ.h"
#include "warehouse/snowflake_grants.h"

struct of_stream {
	struct snow_comparing *c;
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
	snow_add_conflict(s->c, s->stream, text, why, hint);
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
			  const struct snow_text *text, bool is_new, struct snow_collected *all)
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
			snow_collect(all, policy.create);
			snow_collectf(all, "ALTER %s %s MODIFY COLUMN %s SET MASKING POLICY %s FORCE", word,
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
			snow_collectf(all, "ALTER %s %s MODIFY COLUMN \"%s\" UNSET MASKING POLICY", word,
				text->name, fact->attribute);
	}
}

static void collect_grants(const struct of_stream *s, enum snow_object object,
			   const struct snow_text *text, bool is_new, struct snow_collected *all)
{
	static const struct snow_seen nothing = { 0 };

	snow_grant_object(&s->roles, &s->former, s->stream, object, text, is_new ? &nothing : s->c->seen,
			  snow_collect, all);
}

/* What comes with an object that is made, or made again. */
static void collect_with(const struct of_stream *s, enum snow_object object,
			 const struct snow_text *text, struct snow_collected *all)
{
	if (text->kind == SNOW_IS_TASK)
		snow_collectf(all, "ALTER TASK %s RESUME", text->name);
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
	struct rv_change *change = snow_item(s->c, place);

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
	RV_CLEANUP(snow_collected_release) struct snow_collected all = { 0 };
	size_t place = snow_add_change(s->c, kind, s->stream, text, why);

	if (first)
		snow_collect(&all, first);
	snow_collect(&all, sql);
	collect_with(s, object, text, &all);
	snow_add_collected(snow_item(s->c, place), &all);
	snow_item(s->c, place)->essential = first ? 2 : 1;
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
	RV_CLEANUP(snow_collected_release) struct snow_collected all = { 0 };
	size_t place = snow_add_change(s->c, RV_CHANGE_REPLACE, s->stream, text, why);

	snow_add_ledger_fill(&fill, s->c->w, s->stream);
	snow_collect(&all, pause);
	snow_collect(&all, fill.bytes);
	snow_collect(&all, text->replace);
	collect_with(s, SNOW_PIPE, text, &all);
	snow_add_collected(snow_item(s->c, place), &all);
	snow_item(s->c, place)->drains = rv_strdup(text->name);
	snow_item(s->c, place)->essential = 3;
	depend(s, SNOW_PIPE, place);
	rv_change_after(snow_item(s->c, place), s->c->ledger, true);
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
			return n > INT64_MAX / 86400 || n < 0 ? -1 : n * units[i].seconds;
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
			    struct snow_collected *all, struct rv_strbuf *why)
{
	const struct snow_fact *fact = snow_seen_find(s->c->seen, "lag", text->schema, text->plain);
	unsigned minutes = snow_lag_minutes(s->stream);

	if (!fact)
		return;
	const char *warehouse = fact->value + strcspn(fact->value, " ");

	warehouse += *warehouse == ' ';
	if (seconds_of(fact->attribute) != (int64_t)minutes * 60) {
		snow_collectf(all, "ALTER DYNAMIC TABLE %s SET TARGET_LAG = '%u minute%s'", text->name, minutes,
			minutes == 1 ? "" : "s");
		says(why, "its lag is %s", fact->attribute);
	}
	if (strcmp(warehouse, s->c->w->params.warehouse) != 0) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf name = RV_STRBUF_INIT;

		rv_snowflake_identifier(&name, s->c->w->params.warehouse);
		snow_collectf(all, "ALTER DYNAMIC TABLE %s SET WAREHOUSE = %s", text->name, name.bytes);
		says(why, "it runs on warehouse %s", warehouse);
	}
	if (rv_starts_with(fact->value, "SUSPENDED")) {
		snow_collectf(all, "ALTER DYNAMIC TABLE %s RESUME", text->name);
		says(why, "it is suspended");
	}
}

static void compare_cluster(const struct of_stream *s, enum snow_object object,
			    const struct snow_text *text, struct snow_collected *all, struct rv_strbuf *why)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf by = RV_STRBUF_INIT;
	bool seen = snow_seen_find(s->c->seen, "cluster", text->schema, text->plain) != NULL;

	snow_add_cluster(&by, s->stream, object);
	if (by.len && !seen) {
		snow_collectf(all, "ALTER TABLE %s CLUSTER BY (%s)", text->name, by.bytes);
		says(why, "it is not clustered");
	} else if (!by.len && seen) {
		snow_collectf(all, "ALTER TABLE %s DROP CLUSTERING KEY", text->name);
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
	RV_CLEANUP(snow_collected_release) struct snow_collected all = { 0 };
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
	if (is_table && !snow_compare_columns(s->c, s->stream, object, text, &all, &why)) {
		s->is_blocked = true;
		return;
	}
	s->refills |= object == SNOW_NEWEST && is_table && all.count > 0;
	if (object == SNOW_RAW || (object == SNOW_NEWEST && is_table))
		compare_cluster(s, object, text, &all, &why);
	if (text->kind == SNOW_IS_DYNAMIC)
		compare_dynamic(s, text, &all, &why);
	if (text->kind == SNOW_IS_TASK && strcasecmp(type, "started") != 0) {
		snow_collectf(&all, "ALTER TASK %s RESUME", text->name);
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
		snow_collect_comment(&all, text);
		if (!why.len)
			says(&why, "was made from another definition");
	}
	if (!all.count)
		return;
	size_t place = snow_add_change(s->c, RV_CHANGE_ALTER, s->stream, text, rv_strdup(why.bytes));

	snow_add_collected(snow_item(s->c, place), &all);
	snow_item(s->c, place)->essential = 0; /* it is there */
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

	if (snow_collides(s->c, s->stream, seen_as, &text)) {
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
	size_t place = snow_add_change_sql(s->c, RV_CHANGE_ALTER, s->stream, &text,
				     rv_strdup("rows that raw still has are cut anew"), merge.bytes);

	rv_change_after(snow_item(s->c, place), s->objects[SNOW_NEWEST], true);
	rv_change_after(snow_item(s->c, place), s->objects[SNOW_MERGE], true);
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

		snow_add_change_sql(s->c, RV_CHANGE_REMOVE, s->stream, &text, rv_strdup("is wanted no more"),
			      drop);
	}
	snow_marker_release(&marker);
	snow_text_release(&text);
}

static void compare_objects(struct of_stream *s)
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

enum rv_status snow_compare_stream(struct snow_comparing *c, const struct rv_stream *stream,
				   size_t schema, struct rv_error *err)
{
	struct of_stream s = { .c = c, .stream = stream, .schema = schema };
	enum rv_status status = snow_roles_of(c->w, stream, &s.roles, err);

	if (status == RV_OK)
		compare_objects(&s);
	snow_roles_release(&s.roles);
	return status;
}

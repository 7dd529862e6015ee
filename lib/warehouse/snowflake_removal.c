/* What river made for a stream, taken away again: only what carries its marker, and of the ledger only
 * its rows. Schemas, roles, stage, file format and ledger are of other streams, too. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "warehouse/snowflake_plan.h"

/* One that is there and not river's is left alone; a stream of a table shows no marker, but its name
 * is no one else's. */
static bool is_ours(const struct rv_stream *stream, const struct snow_fact *fact)
{
	char name[RV_STREAM_TEXT];
	struct snow_marker marker;

	if (strcmp(fact->kind, "owned") == 0)
		return true;
	snow_marker_parse(fact->value, &marker);
	bool ours = marker.is_river && strcmp(marker.stream, rv_stream_text(stream, name)) == 0;

	snow_marker_release(&marker);
	return ours;
}

static const struct snow_fact *find(const struct snow_seen *seen, enum snow_object object,
				    const char *schema, const char *plain)
{
	const char *kind = object == SNOW_PIPE				      ? "pipe"
			   : object == SNOW_MERGE || object == SNOW_RETAIN ? "task"
			   : object == SNOW_NEW				      ? "owned"
									      : "table";

	return snow_seen_find(seen, kind, schema, plain);
}

/* The word of what is there, which may be of a former definition. */
static const char *word_of(const struct snow_fact *fact, enum snow_object object)
{
	static const char *const words[][2] = { { "TABLE", "TABLE" },
						{ "DYNAMIC", "DYNAMIC TABLE" },
						{ "VIEW", "VIEW" } };

	if (object == SNOW_PIPE || object == SNOW_NEW)
		return object == SNOW_PIPE ? "PIPE" : "STREAM";
	for (size_t i = 0; i < 3 && strcmp(fact->kind, "table") == 0; i++)
		if (strcmp(fact->attribute, words[i][0]) == 0)
			return words[i][1];
	return "TASK";
}

static size_t remove_one(const struct rv_snowflake_warehouse *w, const struct rv_stream *stream,
			 enum snow_object object, const struct snow_seen *seen, struct rv_changes *ret)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	char schema[RV_STREAM_PLACE_MAX], plain[RV_STREAM_PLACE_MAX];

	snow_schema_name(stream, schema);
	snow_object_name(stream, object, plain);
	const struct snow_fact *fact = find(seen, object, schema, plain);

	if (!fact)
		return SIZE_MAX;
	const char *word = word_of(fact, object);
	RV_CLEANUP(rv_free_p) char *lower = rv_strdup(word);

	for (char *p = lower; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
	char *name = rv_asprintf("%s %s.%s.%s", lower, w->params.database, schema, plain);

	if (!is_ours(stream, fact)) {
		rv_changes_add(ret, RV_CHANGE_FOREIGN, stream, name, rv_strdup("is not river's"));
		return SIZE_MAX;
	}
	size_t place = rv_changes_add(ret, RV_CHANGE_REMOVE, stream, name, rv_strdup("is the stream's"));

	rv_strbuf_printf(&sql, "DROP %s IF EXISTS ", word);
	snow_add_object(&sql, w, stream, object);
	rv_change_add_statement(&ret->items[place], sql.bytes);
	return place;
}

/* Before raw goes: while it is there, the same command again comes here. */
static size_t forget_loads(const struct rv_snowflake_warehouse *w, const struct rv_stream *stream,
			   const struct snow_seen *seen, struct rv_changes *ret)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	char name[RV_STREAM_TEXT];

	if (!snow_seen_find(seen, "table", SNOW_HOUSE, SNOW_LEDGER))
		return SIZE_MAX;
	rv_stream_text(stream, name);
	rv_strbuf_puts(&sql, "DELETE FROM ");
	snow_add_house(&sql, w, SNOW_LEDGER);
	rv_strbuf_puts(&sql, " WHERE \"STREAM\" = ");
	snow_add_literal(&sql, name);
	size_t place = rv_changes_add(ret, RV_CHANGE_REMOVE, stream,
				      rv_asprintf("rows of %s in %s." SNOW_HOUSE "." SNOW_LEDGER, name,
						  w->params.database),
				      rv_strdup("tell of its loads"));

	rv_change_add_statement(&ret->items[place], sql.bytes);
	return place;
}

void snow_removal_seen(const struct rv_snowflake_warehouse *w, const struct rv_stream *stream,
		       bool data, const struct snow_seen *seen, struct rv_changes *ret)
{
	static const enum snow_object moving[] = { SNOW_PIPE, SNOW_MERGE, SNOW_RETAIN };
	static const enum snow_object still[] = { SNOW_LATEST, SNOW_REFUSED, SNOW_NEW, SNOW_CLEAN,
						  SNOW_NEWEST, SNOW_RAW };
	size_t before[4], count = 3;

	for (size_t i = 0; i < 3; i++)
		before[i] = remove_one(w, stream, moving[i], seen, ret);
	for (size_t i = 0; data && i < sizeof(still) / sizeof(*still); i++) {
		size_t place = remove_one(w, stream, still[i], seen, ret);

		if (place == SIZE_MAX)
			continue;
		if (still[i] == SNOW_RAW) {
			before[count++] = forget_loads(w, stream, seen, ret);
			if (before[3] != SIZE_MAX)
				for (size_t k = 0; k < 3; k++)
					rv_change_after(&ret->items[before[3]], before[k], true);
		}
		/* nothing loads into what is gone */
		for (size_t k = 0; k < count; k++)
			rv_change_after(&ret->items[place], before[k], true);
	}
}

/*
 * What is wanted of an account against what is seen of it: what all streams share here, the streams
 * themselves in snowflake_compare_stream.c.
 */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "warehouse/snowflake_differ.h"
#include "warehouse/snowflake_grants.h"

static void compare_database(struct snow_comparing *c)
{
	struct snow_text text;
	struct snow_collected all = { 0 };

	c->database = SIZE_MAX;
	snow_text_database(c->w, &text);
	if (!c->seen->has_database)
		c->database = snow_add_change_sql(c, RV_CHANGE_MAKE, NULL, &text,
					    rv_strdup("is not there, or may not be seen"), text.create);
	if (c->w->params.makes_roles)
		snow_grant_database(c->w, c->seen, snow_collect, &all);
	if (all.count) {
		char *roles = rv_asprintf("roles %s_RO and %s_RW", c->w->params.database,
					  c->w->params.database);
		size_t place = rv_changes_add(c->changes, RV_CHANGE_MAKE, NULL, roles,
					      rv_strdup("are not there, or lack grants"));

		c->roles = place;
		snow_item(c, place)->hint = rv_strdup("with warehouse.roles: none there are no roles of "
						      "river's; or somebody with CREATE ROLE makes them");
		rv_change_after(snow_item(c, place), c->database, true);
		snow_add_collected(snow_item(c, place), &all);
		snow_item(c, place)->essential = 2;
	}
	snow_collected_release(&all);
	snow_text_release(&text);
}

static size_t compare_house_schema(const struct snow_comparing *c)
{
	struct snow_text text;
	size_t place = SIZE_MAX;

	snow_text_house(c->w, &text);
	if (!snow_collides(c, NULL, "schema", &text) && !snow_seen_find(c->seen, "schema", SNOW_HOUSE, ""))
		place = snow_add_change_sql(c, RV_CHANGE_MAKE, NULL, &text, rv_strdup("is not there"),
				      text.create);
	snow_text_release(&text);
	return place;
}

/* The stage stands for data/ of the lake and for nothing else, or paths would not be the lake's. */
static size_t compare_stage(const struct snow_comparing *c)
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
			before = snow_add_change_sql(c, RV_CHANGE_MAKE, NULL, &integration,
					       rv_strdup("the stage is made with it, unless it is there"),
					       integration.create);
			snow_item(c, before)->hint =
				rv_strdup("whoever administers the account makes it; without "
					  "warehouse.storage_role_arn it is taken to be there");
			snow_text_release(&integration);
		}
		place = snow_add_change_sql(c, RV_CHANGE_MAKE, NULL, &text, rv_strdup("is not there"),
				      text.create);
		rv_change_after(snow_item(c, place), c->house, true);
		rv_change_after(snow_item(c, place), before, true);
	} else if (strcmp(fact->attribute, url) != 0) {
		snow_add_conflict(c, NULL, &text,
			 rv_asprintf("stands for %s, and the lake's data is in %s", fact->attribute, url),
			 "another lake needs another database: set warehouse.database, or drop the stage "
			 "when no stream is loaded through it any more");
	}
	snow_text_release(&text);
	return place;
}

static size_t compare_format(const struct snow_comparing *c)
{
	const struct snow_fact *fact = snow_seen_find(c->seen, "format", SNOW_HOUSE, SNOW_FORMAT);
	struct snow_marker marker;
	struct snow_text text;
	size_t place = SIZE_MAX;

	snow_text_format(c->w, &text);
	snow_marker_parse(fact ? fact->value : "", &marker);
	if (!fact)
		place = snow_add_change_sql(c, RV_CHANGE_MAKE, NULL, &text, rv_strdup("is not there"),
				      text.create);
	else if (!marker.is_river)
		snow_add_conflict(c, NULL, &text, rv_strdup("is there and not river's"),
			 "drop it, or say with warehouse.database where river may make its own");
	else if (strcmp(marker.shape, text.shape) != 0)
		place = snow_add_change_sql(c, RV_CHANGE_REPLACE, NULL, &text,
				      rv_strdup("was made from another definition"), text.replace);
	if (place != SIZE_MAX)
		rv_change_after(snow_item(c, place), c->house, true);
	snow_marker_release(&marker);
	snow_text_release(&text);
	return place;
}

static size_t compare_ledger(const struct snow_comparing *c)
{
	const struct snow_fact *fact = snow_seen_find(c->seen, "table", SNOW_HOUSE, SNOW_LEDGER);
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf why = RV_STRBUF_INIT;
	RV_CLEANUP(snow_collected_release) struct snow_collected all = { 0 };
	struct snow_marker marker;
	struct snow_text text;
	size_t place = SIZE_MAX;

	snow_text_ledger(c->w, &text);
	snow_marker_parse(fact ? fact->value : "", &marker);
	if (!fact) {
		place = snow_add_change_sql(c, RV_CHANGE_MAKE, NULL, &text, rv_strdup("is not there"),
				      text.create);
		rv_change_after(snow_item(c, place), c->house, true);
	} else if (!marker.is_river) {
		snow_add_conflict(c, NULL, &text, rv_strdup("is there and not river's"),
			 "rename it, or say with warehouse.database where river may make its own");
	} else if (snow_compare_columns(c, NULL, SNOW_RAW, &text, &all, &why) && all.count) {
		snow_collect_comment(&all, &text);
		place = snow_add_change(c, RV_CHANGE_ALTER, NULL, &text, rv_strdup(why.bytes));
		snow_add_collected(snow_item(c, place), &all);
	}
	snow_marker_release(&marker);
	snow_text_release(&text);
	return place;
}

/* Many streams grant the same. */
static void collect_once(void *arg, const char *sql)
{
	struct snow_collected *all = arg;

	for (size_t i = 0; i < all->count; i++)
		if (strcmp(all->items[i], sql) == 0)
			return;
	snow_collect(all, sql);
}

/* One change for all streams of a business, however many there are. */
static enum rv_status compare_schema(const struct snow_comparing *c,
				     const struct rv_stream *const *streams, size_t count,
				     size_t first, size_t *ret_place, struct rv_error *err)
{
	RV_CLEANUP(snow_collected_release) struct snow_collected all = { 0 };
	const struct rv_stream *stream = streams[first];
	RV_CLEANUP(snow_text_release) struct snow_text text;

	*ret_place = SIZE_MAX;
	snow_text_schema(c->w, stream, &text);
	bool is_there = snow_seen_find(c->seen, "schema", text.schema, "") != NULL;

	for (size_t i = first; i < count; i++) {
		struct snow_roles roles = { 0 };

		if (strcmp(streams[i]->business, stream->business) != 0)
			continue;
		enum rv_status status = snow_roles_of(c->w, streams[i], &roles, err);

		if (status == RV_OK)
			snow_grant_places(c->w, &roles, streams[i], c->seen, collect_once, &all);
		snow_roles_release(&roles);
		if (status != RV_OK)
			return status;
	}
	if (snow_collides(c, stream, "schema", &text) || (is_there && !all.count))
		return RV_OK;
	size_t place = snow_add_change(c, is_there ? RV_CHANGE_ALTER : RV_CHANGE_MAKE, NULL, &text,
				       rv_strdup(is_there ? "grants differ" : "is not there"));

	if (!is_there)
		rv_change_add_statement(snow_item(c, place), text.create);
	snow_add_collected(snow_item(c, place), &all);
	snow_item(c, place)->essential = is_there ? 0 : 1;
	/* for the grants; without them it is a schema all the same */
	rv_change_after(snow_item(c, place), c->house, false);
	rv_change_after(snow_item(c, place), c->ledger, false);
	rv_change_after(snow_item(c, place), c->stage, false);
	rv_change_after(snow_item(c, place), c->format, false);
	*ret_place = place;
	return RV_OK;
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

enum rv_status snow_compare_seen(const struct rv_snowflake_warehouse *w,
				 const struct rv_stream *const *streams, size_t count,
				 const struct snow_seen *seen, struct rv_changes *ret,
				 struct rv_error *err)
{
	struct snow_comparing c = { .w = w, .seen = seen, .changes = ret, .database = SIZE_MAX,
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
		size_t same = 0;

		while (strcmp(streams[same]->business, streams[i]->business) != 0)
			same++;
		if (same == i && compare_schema(&c, streams, count, i, &schemas[i], err) != RV_OK)
			return err->status;
		if (snow_compare_stream(&c, streams[i], schemas[same], err) != RV_OK)
			return err->status;
	}
	return RV_OK;
}

/* `river stream list` and `show`: names without reading a single definition, and definitions. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "config/definition.h"
#include "flow/catalog.h"
#include "context.h"
#include "lakes.h"
#include "resource/resource.h"
#include "stream_plan.h"

/* ---- list ------------------------------------------------------------------------------------- */

struct list_options {
	bool all_columns;
	uint64_t limit;
	const char *after;
};

/* clang-format off */
static const struct rv_opt list_options_table[] = {
	OPT_FLAG(struct list_options, 'l', "long", all_columns,
		 "read the definitions too: key, layers, format, and when it was created"),
	OPT_COUNT(struct list_options, 0, "limit", limit, "streams", "print at most so many"),
	OPT_STRING(struct list_options, 0, "after", after, "stream",
		   "only streams that sort behind this one: the last of the page before",
		   .complete = RV_COMPLETE_STREAM),
	OPT_END
};
/* clang-format on */

struct listing {
	struct rv_command_context *cx;
	const struct list_options *options;
	uint64_t count;
	bool more;
	bool unwanted;              /* nobody reads on; rv_out_finish knows whether that is bad */
	char last[RV_STREAM_TEXT];
};

static void join(struct rv_strbuf *sb, const struct rv_string_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		rv_strbuf_printf(sb, "%s%s", i ? "," : "", list->items[i]);
}

static enum rv_status list_long(struct rv_command_context *cx, const char *name, struct rv_error *err)
{
	static const char *const formats[] = { "auto", "ndjson", "json", "csv", "text" };
	RV_CLEANUP(rv_stream_release_p) struct rv_stream stream;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf key = RV_STRBUF_INIT;
	char time[RV_TIME_TEXT];

	rv_stream_init(&stream);
	enum rv_status status = rv_catalog_get(cx->lake, name, &stream, NULL, err);

	if (status == RV_NOT_FOUND) /* deleted since it was listed */
		return RV_OK;
	if (status != RV_OK)
		return status;
	join(&key, &stream.key);
	const char *cells[] = {
		name,
		key.bytes,
		stream.layers & RV_LAYER_LATEST	 ? "raw,clean,latest"
		: stream.layers & RV_LAYER_CLEAN ? "raw,clean"
						 : "raw",
		formats[stream.format],
		rv_format_time(stream.created_ms, time),
	};

	rv_out_table_row(cx->out, cells);
	json_t *json = rv_definition_json(&stream);

	json_object_del(json, "v"); /* rv_out_json has it */
	rv_out_json(cx->out, json);
	return RV_OK;
}

static enum rv_status list_name(void *arg, const char *name, struct rv_error *err)
{
	struct listing *listing = arg;
	struct rv_command_context *cx = listing->cx;

	if (listing->count == listing->options->limit) {
		listing->more = true;
		return rv_fail(err, RV_FAILED, "enough");
	}
	listing->count++;
	memcpy(listing->last, name, strlen(name) + 1);
	if (rv_out_failed(cx->out)) {
		listing->unwanted = true;
		return rv_fail(err, RV_FAILED, "enough");
	}
	if (listing->options->all_columns)
		return list_long(cx, name, err);
	rv_out_printf(cx->out, "%s\n", name);
	if (cx->output == RV_OUT_JSON)
		rv_out_json(cx->out, json_pack("{s:s}", "stream", name));
	return RV_OK;
}

static enum rv_status list_run(struct rv_command_context *cx, void *options, int operands_count,
			       char **operands, struct rv_error *err)
{
	static const char *const headers[] = { "stream", "key", "layers", "format", "created" };
	static const bool right[] = { false, false, false, false, false };
	struct listing listing = { .cx = cx, .options = options };
	struct river_lakes lakes;

	if (operands_count > 1)
		return rv_fail(err, RV_USAGE, "one beginning of names is enough, '%s' is too much",
			       operands[1]);
	if (listing.options->all_columns)
		rv_out_table_begin(cx->out, headers, right, 5);
	river_lakes_init(&lakes, cx);
	enum rv_status status = river_lakes_streams(&lakes, operands_count ? operands[0] : "",
						    listing.options->after, list_name, &listing, err);

	if (listing.unwanted)
		status = RV_OK;
	if (listing.more) { /* a whole page, but for what failed in it */
		*err = lakes.worst;
		status = err->status;
	}
	if (listing.options->all_columns)
		rv_out_table_end(cx->out);
	if (listing.more && listing.count > 0 && (rv_messages_terminal() || cx->verbose))
		rv_note("there are more: --after %s", listing.last);
	return status;
}

static const struct rv_example list_examples[] = {
	{ "river stream list", "every stream of the lake" },
	{ "river stream list web/ --long", "those of a business, with their keys" },
	{ "river stream list --limit 100 --after web/clicks", "the next page" },
	{ NULL, NULL },
};

const struct rv_command cmd_stream_list = {
	.name = "stream list",
	.group = RV_GROUP_START,
	.summary = "list the streams of the lake",
	.operands = "[<beginning>]",
	.needs = RV_NEEDS_LAKE,
	.operand_complete = { RV_COMPLETE_STREAM, RV_COMPLETE_NOTHING },
	.options = list_options_table,
	.options_size = sizeof(struct list_options),
	.examples = list_examples,
	.run = list_run,
};

/* ---- show ------------------------------------------------------------------------------------- */

struct show_options {
	char none;
};

static const struct rv_opt show_options_table[] = { OPT_END };

/* Its delivery stream, as comments: what is printed is a file for `stream apply`. Whoever may not
 * look, or has no network for it, sees its name. */
static void show_resources(struct rv_command_context *cx, const struct rv_resources *resources,
			   const struct rv_stream *stream, json_t *json)
{
	for (size_t i = 0; i < resources->count; i++) {
		struct rv_resource *resource = resources->items[i];
		RV_CLEANUP(rv_resource_view_release) struct rv_resource_view view = { 0 };
		struct rv_error why = RV_ERROR_INIT;

		if (resource->ops->of_lake)
			continue;
		bool known = resource->ops->look(resource, stream, &view, &why) == RV_OK || view.state;
		const char *state = !known ? "unknown" : view.state ? view.state : "missing";

		rv_out_line(cx->out, "# %s: %s %s%s%s", resource->ops->kind, view.name, state,
			    view.arn ? " " : "", view.arn ? view.arn : "");
		if (!known)
			rv_note("%s %s: %s", resource->ops->kind, view.name, why.message);
		json_object_set_new(json, resource->ops->kind,
				    json_pack("{s:s, s:s, s:o}", "name", view.name, "state", state, "arn",
					      rv_out_text(view.arn)));
	}
}

/* What of it is in a warehouse that is a service, as comments as well: whether it is as defined. */
static void show_tables(struct rv_command_context *cx, const struct rv_stream *stream, json_t *json)
{
	RV_CLEANUP(rv_warehouse_free_p) struct rv_warehouse *warehouse = NULL;
	RV_CLEANUP(rv_changes_release) struct rv_changes changes = { 0 };
	struct rv_error why = RV_ERROR_INIT;
	char table[RV_STREAM_PLACE_MAX];
	json_t *array = json_array();

	if (rv_wire_warehouse(cx->profile, cx->lake, &warehouse, &why) != RV_OK ||
	    warehouse->ops->compare(warehouse, &stream, 1, &changes, &why) != RV_OK) {
		rv_note("warehouse: %s", why.message);
		rv_out_line(cx->out, "# table %s: unknown", rv_stream_table(stream, RV_TABLE_RAW, table));
	} else if (changes.count == 0) {
		rv_out_line(cx->out, "# table %s, and what belongs to it: as defined",
			    rv_stream_table(stream, RV_TABLE_RAW, table));
	}
	for (size_t i = 0; i < changes.count; i++) {
		rv_out_line(cx->out, "# %s: %s", changes.items[i].object, changes.items[i].why);
		json_array_append_new(array, rv_change_json(&changes.items[i]));
	}
	json_object_set_new(json, "warehouse", array);
}

struct showing {
	struct rv_command_context *cx;
	size_t shown;
};

static enum rv_status show_one(void *arg, const char *name, struct rv_error *err)
{
	struct showing *showing = arg;
	struct rv_command_context *cx = showing->cx;
	RV_CLEANUP(rv_stream_release_p) struct rv_stream stream;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf yaml = RV_STRBUF_INIT;
	RV_CLEANUP(rv_resources_release) struct rv_resources resources = { .count = 0 };

	rv_stream_init(&stream);
	if (rv_wire_business(cx, name, err) != RV_OK ||
	    rv_wire_resources(cx->profile, &resources, err) != RV_OK ||
	    rv_catalog_get(cx->lake, name, &stream, NULL, err) != RV_OK)
		return err->status;
	rv_definition_yaml(&stream, &yaml);
	json_t *json = rv_definition_json(&stream);

	rv_out_printf(cx->out, "%s", showing->shown++ ? "---\n" : "");
	show_resources(cx, &resources, &stream, json);
	if (river_is_service(cx->profile))
		show_tables(cx, &stream, json);
	rv_out_printf(cx->out, "%s", yaml.bytes);
	json_object_del(json, "v"); /* rv_out_json has it */
	rv_out_json(cx->out, json);
	return RV_OK;
}

static enum rv_status show_run(struct rv_command_context *cx, void *options RV_UNUSED,
			       int operands_count, char **operands, struct rv_error *err)
{
	struct showing showing = { .cx = cx };
	struct river_lakes lakes;

	if (operands_count == 0)
		return rv_fail(err, RV_USAGE, "which stream?");
	river_lakes_init(&lakes, cx);
	return river_lakes_named(&lakes, operands, operands_count, show_one, &showing, err);
}

static const struct rv_example show_examples[] = {
	{ "river stream show web/clicks", "its definition, every setting said out" },
	{ "river stream show web/clicks > streams/clicks.yaml", "as a file for river stream apply" },
	{ NULL, NULL },
};

const struct rv_command cmd_stream_show = {
	.name = "stream show",
	.group = RV_GROUP_START,
	.summary = "print the definition of streams",
	.operands = "<stream>...",
	.needs = RV_NEEDS_LAKE,
	.operand_complete = { RV_COMPLETE_STREAM, RV_COMPLETE_STREAM },
	.options = show_options_table,
	.options_size = sizeof(struct show_options),
	.examples = show_examples,
	.run = show_run,
};

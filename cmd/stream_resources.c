/* What streams need besides the catalog, as parts of a plan: looked at before anything is changed,
 * made with the streams, waited for at the end, because they become ready side by side. */
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "stream_plan.h"

/* Firehose is ready within a minute. */
#define SETTLE_MS (10 * 60 * 1000)

static const char *const planned[] = { "unchanged", "create", "finish", "replace", "update",
				       "delete" };
static const char *const done[] = { "unchanged", "created", "finished", "replaced", "updated",
				    "deleted" };

const char *river_resource_word(enum rv_resource_action action, bool is_done)
{
	return (is_done ? done : planned)[action];
}

int64_t river_resources_deadline(const struct rv_command_context *cx)
{
	return rv_clock_monotonic_ms() + (cx->timeout_ms >= 0 ? cx->timeout_ms : SETTLE_MS);
}

void river_views_release(struct rv_resource_view *views)
{
	for (size_t i = 0; i < RV_RESOURCES_MAX; i++)
		rv_resource_view_release(&views[i]);
}

enum rv_resource_action river_views_action(const struct rv_resource_view *views)
{
	enum rv_resource_action action = RV_RESOURCE_UNCHANGED;

	for (size_t i = 0; i < RV_RESOURCES_MAX; i++)
		if (views[i].action > action)
			action = views[i].action;
	return action;
}

static enum rv_status refuse_update(const struct rv_resource *resource, const struct rv_stream *stream,
				    const struct rv_resource_view *view, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf changes = RV_STRBUF_INIT;

	for (size_t i = 0; i < view->count; i++) {
		const struct rv_resource_change *change = &view->changes[i];

		rv_strbuf_printf(&changes, "%s%s: %s -> %s", i ? "; " : "", change->key,
				 change->from ? change->from : "(absent)",
				 change->to ? change->to : "(absent)");
	}
	rv_fail(err, RV_CONFLICT, "%s %s is there and differs, this would change %s", resource->ops->kind,
		view->name, changes.bytes);
	if (stream)
		rv_hint(err, "river stream apply changes it; a definition file comes from: river stream show "
			     "%s/%s", stream->business, stream->name);
	else
		rv_hint(err, "river stream apply changes it");
	return err->status;
}

enum rv_status river_resources_look(const struct rv_resources *resources,
				    const struct rv_stream *stream, bool update,
				    struct rv_resource_view *views, struct rv_error *err)
{
	for (size_t i = 0; i < resources->count; i++) {
		struct rv_resource *resource = resources->items[i];

		if (resource->ops->of_lake != (stream == NULL))
			continue;
		if (resource->ops->look(resource, stream, &views[i], err) != RV_OK)
			return err->status;
		if (views[i].action == RV_RESOURCE_UPDATE && !update)
			return refuse_update(resource, stream, &views[i], err);
	}
	return RV_OK;
}

enum rv_status river_resources_look_to_remove(const struct rv_resources *resources,
					      const struct rv_stream *stream,
					      struct rv_resource_view *views, struct rv_error *err)
{
	for (size_t i = 0; i < resources->count; i++) {
		struct rv_resource *resource = resources->items[i];
		RV_CLEANUP(rv_resource_view_release) struct rv_resource_view view = { 0 };

		if (resource->ops->of_lake || !resource->ops->remove)
			continue;
		enum rv_status status = resource->ops->look(resource, stream, &view, err);

		if (status != RV_OK && status != RV_CONFLICT)
			return status;
		if (view.state)
			views[i] = (struct rv_resource_view){ .action = RV_RESOURCE_REMOVE,
							      .name = rv_take(view.name),
							      .state = rv_take(view.state) };
		else if (status == RV_CONFLICT)
			rv_warn("it stays: %s", err->message);
	}
	return RV_OK;
}

enum rv_status river_resources_make(const struct rv_resources *resources, const struct rv_stream *stream,
				    const struct rv_resource_view *views, int64_t deadline_ms,
				    struct rv_error *err)
{
	for (size_t i = 0; i < resources->count; i++) {
		struct rv_resource *resource = resources->items[i];

		if (resource->ops->of_lake != (stream == NULL) ||
		    views[i].action == RV_RESOURCE_UNCHANGED)
			continue;
		if (resource->ops->make(resource, stream, &views[i], deadline_ms, err) != RV_OK)
			return err->status;
	}
	return RV_OK;
}

enum rv_status river_resources_settle(const struct rv_resources *resources,
				      const struct rv_stream *stream,
				      const struct rv_resource_view *views, int64_t deadline_ms,
				      struct rv_error *err)
{
	for (size_t i = 0; i < resources->count; i++) {
		struct rv_resource *resource = resources->items[i];

		if (resource->ops->of_lake != (stream == NULL) || !resource->ops->settle ||
		    views[i].action == RV_RESOURCE_UNCHANGED)
			continue;
		if (resource->ops->settle(resource, stream, deadline_ms, err) != RV_OK)
			return err->status;
	}
	return RV_OK;
}

enum rv_status river_resources_remove(const struct rv_resources *resources,
				      const struct rv_stream *stream, int64_t deadline_ms,
				      struct rv_error *err)
{
	for (size_t i = 0; i < resources->count; i++) {
		struct rv_resource *resource = resources->items[i];
		bool removed;

		if (!resource->ops->of_lake && resource->ops->remove &&
		    resource->ops->remove(resource, stream, deadline_ms, &removed, err) != RV_OK)
			return err->status;
	}
	return RV_OK;
}

/* ---- printing --------------------------------------------------------------------------------- */

static json_t *view_json(const struct rv_resource *resource, const struct rv_resource_view *view,
			 bool is_done)
{
	json_t *json = json_pack("{s:s, s:s, s:s}", "kind", resource->ops->kind, "name", view->name,
				 "action", river_resource_word(view->action, is_done));
	json_t *changes = json_array();

	for (size_t i = 0; i < view->count; i++)
		json_array_append_new(changes,
				      json_pack("{s:s, s:o, s:o}", "key", view->changes[i].key, "from",
						rv_out_text(view->changes[i].from), "to",
						rv_out_text(view->changes[i].to)));
	json_object_set_new(json, "changes", changes);
	if (is_done || !view->fields_count)
		return json;
	json_t *fields = json_object();

	for (size_t i = 0; i < view->fields_count; i++)
		json_object_set_new(fields, view->fields[i].key, rv_out_text(view->fields[i].to));
	json_object_set_new(json, "fields", fields);
	return json;
}

static void print_view(struct rv_out *out, const char *indent, const struct rv_resource *resource,
		       const struct rv_resource_view *view, bool is_done)
{
	rv_out_printf(out, "%s%s %s: %s\n", indent, resource->ops->kind, view->name,
		      river_resource_word(view->action, is_done));
	for (size_t i = 0; i < view->count; i++)
		rv_out_line(out, "%s  %s: %s -> %s", indent, view->changes[i].key,
			    view->changes[i].from ? view->changes[i].from : "(absent)",
			    view->changes[i].to ? view->changes[i].to : "(absent)");
	for (size_t i = 0; !is_done && i < view->fields_count; i++)
		rv_out_line(out, "%s  %s: %s", indent, view->fields[i].key,
			    view->fields[i].to ? view->fields[i].to : "(absent)");
}

json_t *river_resources_json(const struct rv_resources *resources, const struct rv_resource_view *views,
			     bool is_done)
{
	json_t *array = json_array();

	for (size_t i = 0; i < resources->count; i++)
		if (!resources->items[i]->ops->of_lake && views[i].name)
			json_array_append_new(array, view_json(resources->items[i], &views[i], is_done));
	return array;
}

void river_resources_print(struct rv_out *out, const struct rv_resources *resources,
			   const struct rv_resource_view *views, bool is_done)
{
	for (size_t i = 0; i < resources->count; i++)
		if (!resources->items[i]->ops->of_lake && views[i].name &&
		    (!is_done || views[i].action != RV_RESOURCE_UNCHANGED))
			print_view(out, "  ", resources->items[i], &views[i], is_done);
}

void river_resources_print_lake(struct rv_command_context *cx, const struct rv_resources *resources,
				const struct rv_resource_view *views, bool is_done)
{
	for (size_t i = 0; i < resources->count; i++) {
		const struct rv_resource *resource = resources->items[i];

		if (!resource->ops->of_lake || !views[i].name ||
		    (is_done && views[i].action == RV_RESOURCE_UNCHANGED))
			continue;
		json_t *json = view_json(resource, &views[i], is_done);

		print_view(cx->out, "", resource, &views[i], is_done);
		json_object_set_new(json, "lake", rv_out_text(cx->lake->url));
		if (!is_done)
			json_object_set_new(json, "dry_run", json_true());
		rv_out_json(cx->out, json);
	}
	if (is_done || cx->profile->lake_is_folder || cx->profile->notify_arn)
		return;
	rv_out_printf(cx->out, "notification %s: none, as notify.arn is not set\n", cx->profile->bucket);
	rv_out_json(cx->out, json_pack("{s:s, s:s, s:s, s:[], s:o, s:b}", "kind", "notification", "name",
				       cx->profile->bucket, "action", "none", "changes", "lake",
				       rv_out_text(cx->lake->url), "dry_run", 1));
}

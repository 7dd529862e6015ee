/*
 * Plans for streams. Everything is compared before anything is changed, because half of a set of
 * definitions in force is a state nobody asked for. What can still go wrong afterwards is told with
 * how far it came; the same command again does the rest.
 */
#include "stream_plan.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "config/definition.h"
#include "flow/catalog.h"
#include "stream_gone.h"
#include "warehouse/warehouse.h"

static const char *const planned[] = { "create", "update", "unchanged", "delete" };
static const char *const done[] = { "created", "updated", "unchanged", "deleted" };

void river_plan_release(struct river_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		rv_stream_release(&plan->steps[i].stream);
		rv_stream_release(&plan->steps[i].existing);
		river_views_release(plan->steps[i].views);
		rv_changes_release(&plan->steps[i].removal);
	}
	free(plan->steps);
	for (size_t i = 0; i < plan->places_count; i++)
		river_place_free(plan->places[i]);
	free(plan->places);
	*plan = (struct river_plan){ 0 };
}

struct river_step *river_plan_add(struct river_plan *plan, enum river_action action,
				  struct river_place *place)
{
	RV_GROW(plan->steps, plan->count, plan->capacity);
	struct river_step *step = &plan->steps[plan->count++];

	*step = (struct river_step){ .action = action, .place = place };
	rv_stream_init(&step->stream);
	rv_stream_init(&step->existing);
	return step;
}

/* ---- making ----------------------------------------------------------------------------------- */

static void add_change(void *arg, const char *key, const char *from, const char *to)
{
	struct rv_strbuf *text = arg;

	rv_strbuf_printf(text, "%s%s: %s -> %s", text->len ? "; " : "", key, from ? from : "(absent)",
			 to ? to : "(absent)");
}

void river_plan_conflict(struct river_plan *plan, const struct rv_error *err)
{
	rv_error_print(err);
	plan->problems++;
	plan->worst = rv_status_graver(plan->worst, err->status);
}

void river_told_difference(const struct rv_stream *existing, const struct rv_stream *wanted,
			   struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf changes = RV_STRBUF_INIT;

	rv_definition_diff(existing, wanted, add_change, &changes);
	rv_fail(err, RV_CONFLICT, "stream %s/%s exists with another definition, this would change %s", existing->business,
		existing->name, changes.bytes);
	rv_hint(err, "to change it: river stream apply -f FILE; to see it: river stream show %s/%s",
		existing->business, existing->name);
}

bool river_is_about_one(enum rv_status status)
{
	return status == RV_CONFLICT || status == RV_BAD_CONFIG || status == RV_DAMAGED;
}

struct pruning {
	struct rv_command_context *cx;
	const struct river_definitions *definitions;
	const struct rv_store *lake;
	char **names;
	size_t count, capacity;
};

static enum rv_status find_undefined(void *arg, const char *name, struct rv_error *err)
{
	struct pruning *pruning = arg;
	size_t business = strcspn(name, "/");
	bool same_business = false;

	for (size_t i = 0; i < pruning->definitions->count; i++) {
		const struct rv_stream *stream = &pruning->definitions->items[i].stream;

		if (strlen(stream->business) != business ||
		    memcmp(stream->business, name, business) != 0)
			continue;
		same_business = true;
		if (strcmp(stream->name, name + business + 1) == 0)
			return RV_OK;
	}
	/* A business with a lake of its own is pruned there. */
	if (!same_business)
		return RV_OK;
	if (rv_wire_business(pruning->cx, name, err) != RV_OK)
		return err->status;
	if (pruning->cx->lake == pruning->lake) {
		RV_GROW(pruning->names, pruning->count, pruning->capacity);
		pruning->names[pruning->count++] = rv_strdup(name);
	}
	return RV_OK;
}

/* As `stream delete` does; there one may say otherwise for one stream. */
static enum rv_status refuse_waiting(struct river_plan *plan, const struct river_step *step,
				     struct rv_error *err)
{
	enum rv_status status = river_gone_refuse(step->place->profile, step->place->lake, &step->stream, err);

	if (status != RV_CONFLICT)
		return status;
	river_plan_conflict(plan, err);
	return RV_OK;
}

static enum rv_status prune_lake(struct rv_command_context *cx, struct rv_store *lake,
				 const struct river_definitions *definitions,
				 const struct river_plan_params *params, struct river_plan *plan,
				 struct rv_error *err)
{
	struct pruning pruning = { .cx = cx, .definitions = definitions, .lake = lake };
	enum rv_status status = rv_catalog_list(lake, "", NULL, find_undefined, &pruning, err);
	struct river_place *place;

	for (size_t i = 0; i < pruning.count; i++) {
		if (status == RV_OK)
			status = river_place_of(cx, pruning.names[i], params, plan, &place, err);
		if (status == RV_OK) {
			struct river_step *step = river_plan_add(plan, RIVER_DELETE, place);

			status = rv_catalog_get(lake, pruning.names[i], &step->stream, step->etag, err);
			if (status == RV_OK && !params->only_compares)
				status = refuse_waiting(plan, step, err);
			if (status == RV_OK && !params->only_compares)
				status = river_resources_look_to_remove(&place->resources, &step->stream,
									step->views, err);
		}
		free(pruning.names[i]);
	}
	free(pruning.names);
	return status;
}

static enum rv_status plan_pruning(struct rv_command_context *cx,
				   const struct river_definitions *definitions,
				   const struct river_plan_params *params, struct river_plan *plan,
				   struct rv_error *err)
{
	size_t lakes = plan->places_count; /* those that are added meanwhile share one of these */

	for (size_t i = 0; i < lakes; i++) {
		struct rv_store *lake = plan->places[i]->lake;
		bool is_new = true;

		for (size_t k = 0; k < i; k++)
			is_new &= plan->places[k]->lake != lake;
		if (is_new && prune_lake(cx, lake, definitions, params, plan, err) != RV_OK)
			return err->status;
	}
	return RV_OK;
}

enum rv_status river_plan_make(struct rv_command_context *cx,
			       const struct river_definitions *definitions,
			       const struct river_plan_params *params, struct river_plan *ret,
			       struct rv_error *err)
{
	enum rv_status status = river_plan_look(cx, definitions, params, ret, err);

	if (status == RV_OK && params->prune && definitions->problems == 0)
		status = plan_pruning(cx, definitions, params, ret, err);
	if (status == RV_OK && ret->problems == 0)
		status = river_tables_compare(cx, params, ret, err);
	return status;
}

/* ---- printing --------------------------------------------------------------------------------- */

static void print_change(void *arg, const char *key, const char *from, const char *to)
{
	rv_out_line(arg, "  %s: %s -> %s", key, from ? from : "(absent)", to ? to : "(absent)");
}

static void change_json(void *arg, const char *key, const char *from, const char *to)
{
	json_array_append_new(arg, json_pack("{s:s, s:s?, s:s?}", "key", key, "from", from, "to", to));
}

static bool rebuilds(const struct river_step *step)
{
	return step->action == RIVER_UPDATE && rv_definition_rebuilds(&step->existing, &step->stream);
}

/* A definition may be as wanted, and what stands behind it not. */
static const char *word_of(const struct river_step *step, bool is_done)
{
	enum rv_resource_action behind = river_views_action(step->views);

	if (step->action == RIVER_UNCHANGED && behind == RV_RESOURCE_UNCHANGED && step->in_warehouse)
		behind = RV_RESOURCE_UPDATE;
	if (step->action != RIVER_UNCHANGED || behind == RV_RESOURCE_UNCHANGED)
		return (is_done ? done : planned)[step->action];
	return river_resource_word(behind == RV_RESOURCE_UPDATE ? behind : RV_RESOURCE_FINISH, is_done);
}

json_t *river_step_json(const struct river_step *step, bool is_done)
{
	const struct river_place *place = step->place;
	char name[RV_STREAM_TEXT];
	json_t *json = json_pack("{s:s, s:s}", "stream", rv_stream_text(&step->stream, name), "action",
				 word_of(step, is_done));

	if (step->stream.id[0])
		json_object_set_new(json, "id", json_string(step->stream.id));
	if (step->action == RIVER_UPDATE) {
		json_t *changes = json_array();

		rv_definition_diff(&step->existing, &step->stream, change_json, changes);
		json_object_set_new(json, "changes", changes);
		json_object_set_new(json, "rebuild", json_boolean(rebuilds(step)));
	}
	if (place->resources.count)
		json_object_set_new(json, "resources",
				    river_resources_json(&place->resources, step->views, is_done));
	if (place->warehouse)
		json_object_set_new(json, "warehouse", river_tables_json(place, &step->stream));
	return json;
}

static void print_step(struct rv_out *out, const struct river_step *step, bool is_done)
{
	char name[RV_STREAM_TEXT];

	rv_out_printf(out, "%s: %s\n", rv_stream_text(&step->stream, name), word_of(step, is_done));
	if (step->action == RIVER_UPDATE) {
		rv_definition_diff(&step->existing, &step->stream, print_change, out);
		if (rebuilds(step) && !step->place->warehouse)
			rv_out_printf(out, "  clean and latest are made again from raw at the next load\n");
	}
	river_resources_print(out, &step->place->resources, step->views, is_done);
	river_tables_print(out, step->place, &step->stream, is_done, !is_done);
	river_changes_print(out, "  ", &step->removal, is_done, !is_done);
}

struct statements {
	struct rv_out *out;
	json_t *array;
};

static void print_statement(void *arg, const char *statement)
{
	struct statements *statements = arg;

	rv_out_printf(statements->out, "  %s;\n", statement);
	json_array_append_new(statements->array, json_string(statement));
}

/* One that is opened here: a service was compared with already. */
static bool has_warehouse(const struct rv_command_context *cx)
{
	return strcmp(cx->profile->warehouse_type, "none") != 0 && !river_is_service(cx->profile);
}

static enum rv_status print_statements(struct rv_command_context *cx, const struct rv_stream *stream,
				       json_t *json, struct rv_error *err)
{
	struct statements statements = { cx->out, json_array() };
	RV_CLEANUP(rv_warehouse_free_p) struct rv_warehouse *warehouse = NULL;

	json_object_set_new(json, "statements", statements.array);
	if (!has_warehouse(cx))
		return RV_OK;
	enum rv_status status = rv_wire_warehouse(cx->profile, cx->lake, &warehouse, err);

	if (status == RV_OK)
		status = warehouse->ops->plan(warehouse, stream, false, print_statement,
					      &statements, err);
	return status;
}

static void print_lakes(struct rv_command_context *cx, const struct river_plan *plan, bool is_done)
{
	for (size_t i = 0; i < plan->places_count; i++) {
		const struct river_place *place = plan->places[i];
		bool is_new = true;

		for (size_t k = 0; k < i; k++)
			is_new &= plan->places[k]->lake != place->lake;
		if (!is_new)
			continue;
		river_place_enter(cx, place);
		river_resources_print_lake(cx, &place->resources, place->lake_views, is_done);
	}
}

enum rv_status river_plan_print(struct rv_command_context *cx, const struct river_plan *plan, bool sql,
				struct rv_error *err)
{
	print_lakes(cx, plan, false);
	river_tables_print_all(cx, plan, false);
	for (size_t i = 0; i < plan->count; i++) {
		const struct river_step *step = &plan->steps[i];
		char object[RV_STREAM_PLACE_MAX];
		json_t *json = river_step_json(step, false);
		enum rv_status status = RV_OK;

		river_place_enter(cx, step->place);
		rv_stream_catalog_name(&step->stream, object);
		json_object_set_new(json, "dry_run", json_true());
		json_object_set_new(json, "object", json_string(object));
		print_step(cx->out, step, false);
		if (step->action == RIVER_CREATE || step->action == RIVER_UPDATE) {
			json_t *definition = rv_definition_json(&step->stream);
			RV_CLEANUP(rv_free_p) char *text = json_dumps(definition, JSON_COMPACT);

			rv_out_printf(cx->out, "  write %s\n  %s\n", object, text);
			json_object_set_new(json, "definition", definition);
			if ((sql || cx->verbose) && !step->place->warehouse)
				status = print_statements(cx, &step->stream, json, err);
			if (status == RV_NOT_FOUND && !sql) {
				rv_note("no statements for the warehouse: %s", err->message);
				status = RV_OK;
			}
		} else if (step->action == RIVER_DELETE) {
			rv_out_printf(cx->out, "  remove %s; its data stays\n", object);
		}
		rv_out_json(cx->out, json);
		if (status != RV_OK)
			return status;
	}
	return RV_OK;
}

/* ---- doing ------------------------------------------------------------------------------------ */

static void no_statement(void *arg RV_UNUSED, const char *statement RV_UNUSED)
{
}

/* No engine and no file: nobody works with a warehouse here. */
static bool nobody_has_tables(const struct rv_command_context *cx, const struct rv_error *err)
{
	return err->status == RV_NOT_FOUND && cx->profile->warehouse_path &&
	       access(cx->profile->warehouse_path, F_OK) != 0;
}

static void tables_follow(const struct river_step *step, const struct rv_error *err)
{
	rv_warn("the tables of %s/%s follow at the next load: %s", step->stream.business,
		step->stream.name, err->message);
}

/* Makes tables, or brings them in line so that new columns are filled: all of them while the
 * warehouse is open once, because opening and closing costs more the more tables there are. The
 * catalog is what counts: whatever is in the way here, the next load does it as well. */
static void update_tables(struct rv_command_context *cx, struct river_step *const *steps, size_t count)
{
	RV_CLEANUP(rv_warehouse_free_p) struct rv_warehouse *warehouse = NULL;
	struct rv_error err = RV_ERROR_INIT;

	if (!has_warehouse(cx) || count == 0)
		return;
	enum rv_status status = rv_wire_warehouse(cx->profile, cx->lake, &warehouse, &err);

	if (status == RV_OK)
		status = warehouse->ops->begin(warehouse, true, &err);
	if (status != RV_OK) {
		if (nobody_has_tables(cx, &err))
			rv_verbose("no tables yet: %s", err.message);
		else
			for (size_t i = 0; i < count; i++)
				tables_follow(steps[i], &err);
		return;
	}
	for (size_t i = 0; i < count && !rv_stop_signal(); i++) {
		err = (struct rv_error)RV_ERROR_INIT;
		if (warehouse->ops->plan(warehouse, &steps[i]->stream, true, no_statement, NULL,
					 &err) != RV_OK)
			tables_follow(steps[i], &err);
	}
	warehouse->ops->end(warehouse);
}

static enum rv_status run_step(struct rv_command_context *cx, struct river_step *step,
			       const struct river_plan_params *params, struct rv_error *err)
{
	char name[RV_STREAM_TEXT], id[RV_ULID_TEXT];
	enum rv_catalog_outcome outcome;
	RV_CLEANUP(rv_stream_release_p) struct rv_stream existing;
	struct rv_catalog_create create = {
		.adopt = params->adopt,
		.fresh = params->fresh,
		.now_ms = rv_clock_ms(),
	};

	rv_stream_init(&existing);
	rv_stream_text(&step->stream, name);
	switch (step->action) {
	case RIVER_CREATE:
	case RIVER_UNCHANGED: /* seen once more: what is half made is finished */
		memcpy(id, step->stream.id, sizeof(id));
		create.id = step->action == RIVER_CREATE ? id : NULL;
		if (rv_catalog_create(cx->lake, &step->stream, &create, &outcome, &existing, err) != RV_OK)
			return err->status;
		if (outcome == RV_CATALOG_DIFFERS) {
			river_told_difference(&existing, &step->stream, err);
			return err->status;
		}
		step->action = outcome == RV_CATALOG_CREATED ? RIVER_CREATE : RIVER_UNCHANGED;
		return RV_OK;
	case RIVER_UPDATE:
		return rv_catalog_update(cx->lake, &step->existing, step->etag, &step->stream, err);
	case RIVER_DELETE:
		return rv_catalog_delete(cx->lake, name, step->etag, err);
	}
	rv_bug("action %d", (int)step->action);
}

/* The stream in the catalog first: it says what has to be there, so that the same command, or delete,
 * finds what a killed one left behind. To remove, the other way round. */
static enum rv_status run_with_resources(struct rv_command_context *cx, struct river_step *step,
					 const struct river_plan_params *params, struct rv_error *err)
{
	const struct rv_resources *resources = &step->place->resources;

	river_place_enter(cx, step->place);
	/* was seen a moment ago, in a lake where each look takes its time */
	if (step->action == RIVER_UNCHANGED && resources->count == 0 && step->place->warehouse)
		return RV_OK;
	if (step->action == RIVER_DELETE && step->place->warehouse &&
	    river_tables_remove(cx, step->place->warehouse, &step->removal, err) != RV_OK)
		return err->status;
	if (step->action == RIVER_DELETE &&
	    river_resources_remove(resources, &step->stream, river_resources_deadline(cx), err) !=
		    RV_OK)
		return err->status;
	char id[RV_ULID_TEXT];

	memcpy(id, step->stream.id, sizeof(id));
	enum rv_status status = run_step(cx, step, params, err);

	if (status != RV_OK || step->action == RIVER_DELETE)
		return status;
	if (step->place->warehouse && strcmp(step->stream.id, id) != 0) {
		rv_fail(err, RV_CONFLICT, "%s/%s was created by somebody else at this moment",
			step->stream.business, step->stream.name);
		rv_hint(err, "the same command again goes on from there");
		return err->status;
	}
	if (river_resources_make(resources, &step->stream, step->views, river_resources_deadline(cx), err) ==
	    RV_OK)
		return RV_OK;
	return rv_context(err, "%s/%s is in the catalog, but not ready", step->stream.business,
			  step->stream.name);
}

/* Waits for what was begun, and tells what is done; a stream that is not ready does not keep the
 * others from being told. */
static enum rv_status finish_steps(struct rv_command_context *cx, const struct river_plan *plan,
				   size_t count, struct rv_error *err)
{
	int64_t deadline_ms = river_resources_deadline(cx);
	enum rv_status status = RV_OK;

	for (size_t i = 0; i < count; i++) {
		const struct river_step *step = &plan->steps[i];
		struct rv_error late = RV_ERROR_INIT;

		if (!step->is_done)
			continue;
		if (step->action != RIVER_DELETE &&
		    river_resources_settle(&step->place->resources, &step->stream, step->views, deadline_ms,
					   &late) != RV_OK) {
			rv_context(&late, "%s/%s is in the catalog, but not ready", step->stream.business,
				   step->stream.name);
			if (status == RV_OK)
				*err = late;
			else
				rv_error_print(&late);
			status = err->status;
			continue;
		}
		print_step(cx->out, step, true);
		rv_out_json(cx->out, river_step_json(step, true));
	}
	return status;
}

static enum rv_status make_lakes(struct rv_command_context *cx, const struct river_plan *plan,
				 struct rv_error *err)
{
	for (size_t i = 0; i < plan->places_count; i++) {
		const struct river_place *place = plan->places[i];

		river_place_enter(cx, place);
		if (river_resources_make(&place->resources, NULL, place->lake_views,
					 river_resources_deadline(cx), err) != RV_OK)
			return rv_context(err, "no stream was changed");
	}
	print_lakes(cx, plan, true);
	return RV_OK;
}

/* Keeps the first failure as the one to return; those after it are told at once. */
static enum rv_status keep_first(enum rv_status first, enum rv_status next, struct rv_error *err,
				 const struct rv_error *late)
{
	if (next == RV_OK)
		return first;
	if (first != RV_OK)
		rv_error_print(late);
	else
		*err = *late;
	return err->status;
}

enum rv_status river_plan_run(struct rv_command_context *cx, struct river_plan *plan,
			      const struct river_plan_params *params, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p)
	struct river_step **changed = rv_calloc(plan->count + 1, sizeof(struct river_step *));
	size_t changed_count = 0, count;
	struct rv_error late = RV_ERROR_INIT, later = RV_ERROR_INIT;
	enum rv_status status = make_lakes(cx, plan, err);

	if (status != RV_OK)
		return status;
	for (count = 0; count < plan->count; count++) {
		struct river_step *step = &plan->steps[count];

		status = rv_stop_signal() ? rv_fail(err, RV_FAILED, "stopped after %zu of %zu streams",
						    count, plan->count)
					  : run_with_resources(cx, step, params, err);
		if (status != RV_OK) {
			if (count && !rv_stop_signal())
				rv_context(err, "after %zu of %zu streams", count, plan->count);
			break;
		}
		step->is_done = true;
		if (step->action == RIVER_CREATE || step->action == RIVER_UPDATE)
			changed[changed_count++] = step;
	}
	status = keep_first(status, river_tables_change(cx, plan, &late), err, &late);
	river_tables_print_all(cx, plan, true);
	status = keep_first(status, finish_steps(cx, plan, count, &later), err, &later);
	/* `create` must not open a warehouse file; tables come with the first load then */
	if (params->update && plan->places_count && !plan->places[0]->warehouse) {
		river_place_enter(cx, plan->places[0]);
		update_tables(cx, changed, changed_count);
	}
	return status;
}

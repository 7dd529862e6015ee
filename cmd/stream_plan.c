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
#include "warehouse/warehouse.h"

static const char *const planned[] = { "create", "update", "unchanged", "delete" };
static const char *const done[] = { "created", "updated", "unchanged", "deleted" };

void river_plan_release(struct river_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		rv_stream_release(&plan->steps[i].stream);
		rv_stream_release(&plan->steps[i].existing);
		river_views_release(plan->steps[i].views);
	}
	free(plan->steps);
	river_views_release(plan->lake_views);
	rv_resources_release(&plan->resources);
	*plan = (struct river_plan){ 0 };
}

static struct river_step *add_step(struct river_plan *plan, enum river_action action)
{
	RV_GROW(plan->steps, plan->count, plan->capacity);
	struct river_step *step = &plan->steps[plan->count++];

	*step = (struct river_step){ .action = action };
	rv_stream_init(&step->stream);
	rv_stream_init(&step->existing);
	return step;
}

/* A definition of its own for a step: through its JSON, which is what will be written. */
static void copy_stream(struct rv_stream *to, const struct rv_stream *from)
{
	struct rv_stream bare = *from;
	struct rv_error err = RV_ERROR_INIT;

	if (!bare.id[0]) { /* the catalog's form has them */
		rv_ulid_new(0, bare.id);
		rv_ulid_new(0, bare.nonce);
	}
	json_t *json = rv_definition_json(&bare);
	RV_CLEANUP(rv_free_p) char *text = json_dumps(json, JSON_COMPACT);

	json_decref(json);
	if (rv_definition_from_json("copy", text, strlen(text), to, &err) != RV_OK)
		rv_bug("a definition does not survive its own JSON: %s", err.message);
	memcpy(to->id, from->id, sizeof(to->id));
	memcpy(to->nonce, from->nonce, sizeof(to->nonce));
	to->created_ms = from->created_ms;
}

/* ---- making ----------------------------------------------------------------------------------- */

static void add_change(void *arg, const char *key, const char *from, const char *to)
{
	struct rv_strbuf *text = arg;

	rv_strbuf_printf(text, "%s%s: %s -> %s", text->len ? "; " : "", key, from ? from : "(absent)",
			 to ? to : "(absent)");
}

static void conflict(struct river_plan *plan, const struct rv_error *err)
{
	rv_error_print(err);
	plan->problems++;
	if (plan->worst == RV_OK || err->status == RV_BAD_CONFIG)
		plan->worst = err->status;
}

static void told_difference(const struct rv_stream *existing, const struct rv_stream *wanted,
			    struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf changes = RV_STRBUF_INIT;

	rv_definition_diff(existing, wanted, add_change, &changes);
	rv_fail(err, RV_CONFLICT, "stream %s/%s exists with another definition, this would change %s", existing->business,
		existing->name, changes.bytes);
	rv_hint(err, "to change it: river stream apply -f FILE; to see it: river stream show %s/%s",
		existing->business, existing->name);
}

/* Whether the failure is about this one stream, so that the others are still worth a look. */
static bool is_about_one(enum rv_status status)
{
	return status == RV_CONFLICT || status == RV_BAD_CONFIG || status == RV_DAMAGED;
}

static enum rv_status plan_one(struct rv_command_context *cx, const struct river_definition *definition,
			       const struct river_plan_params *params, struct river_plan *plan,
			       struct rv_error *err)
{
	struct rv_catalog_create create = {
		.adopt = params->adopt,
		.fresh = params->fresh,
		.dry_run = true,
		.now_ms = rv_clock_ms(),
	};
	RV_CLEANUP(rv_stream_release_p) struct rv_stream existing;
	RV_CLEANUP(rv_stream_release_p) struct rv_stream wanted;
	enum rv_catalog_outcome outcome;
	char name[RV_STREAM_TEXT];

	rv_stream_init(&existing);
	rv_stream_init(&wanted);
	copy_stream(&wanted, &definition->stream);
	/* Firehose may bring a record twice; only a stamp tells (semantics.md 3.4). */
	if (!definition->stream.stamp_given && strcmp(cx->profile->delivery_type, "firehose") == 0)
		wanted.stamp = RV_STAMP_ID;
	if (rv_catalog_create(cx->lake, &wanted, &create, &outcome, &existing, err) != RV_OK)
		return err->status;
	if (outcome == RV_CATALOG_DIFFERS && !params->update) {
		told_difference(&existing, &wanted, err);
		if (definition->file)
			rv_error_at(err, definition->file, definition->line, 1);
		return err->status;
	}
	struct river_step *step = add_step(plan, RIVER_CREATE);

	step->stream = wanted;
	rv_stream_init(&wanted);
	if (outcome == RV_CATALOG_UNCHANGED) {
		step->action = RIVER_UNCHANGED;
	} else if (outcome == RV_CATALOG_DIFFERS) {
		step->action = RIVER_UPDATE;
		rv_stream_text(&step->stream, name);
		if (rv_catalog_get(cx->lake, name, &step->existing, step->etag, err) != RV_OK)
			return err->status;
		/* as it will be written, but for the nonce */
		memcpy(step->stream.id, step->existing.id, sizeof(step->stream.id));
		memcpy(step->stream.nonce, step->existing.nonce, sizeof(step->stream.nonce));
		memcpy(step->stream.since, step->existing.since, sizeof(step->stream.since));
		step->stream.created_ms = step->existing.created_ms;
	}
	/* A stream that is about to be made may find what a former attempt left. */
	return river_resources_look(&plan->resources, &step->stream,
				    params->update || step->action == RIVER_CREATE, step->views, err);
}

struct pruning {
	struct rv_command_context *cx;
	const struct river_definitions *definitions;
	struct river_plan *plan;
	char **names;
	size_t count, capacity;
};

static enum rv_status find_undefined(void *arg, const char *name, struct rv_error *err RV_UNUSED)
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
	if (same_business) {
		RV_GROW(pruning->names, pruning->count, pruning->capacity);
		pruning->names[pruning->count++] = rv_strdup(name);
	}
	return RV_OK;
}

static enum rv_status plan_pruning(struct rv_command_context *cx,
				   const struct river_definitions *definitions,
				   struct river_plan *plan, struct rv_error *err)
{
	struct pruning pruning = { .cx = cx, .definitions = definitions, .plan = plan };
	enum rv_status status =
		rv_catalog_list(cx->lake, "", NULL, find_undefined, &pruning, err);

	for (size_t i = 0; i < pruning.count; i++) {
		if (status == RV_OK) {
			struct river_step *step = add_step(plan, RIVER_DELETE);

			status = rv_catalog_get(cx->lake, pruning.names[i], &step->stream, step->etag, err);
		}
		free(pruning.names[i]);
	}
	free(pruning.names);
	return status;
}

/* Said before anything is changed, and not by whoever only looks or deletes. */
static enum rv_status check_role(const struct rv_profile *profile, struct rv_error *err)
{
	if (strcmp(profile->delivery_type, "firehose") != 0 || profile->delivery_role_arn)
		return RV_OK;
	rv_fail(err, RV_BAD_CONFIG,
		"profile %s: delivery.role_arn is not set, the role Firehose writes to the lake with",
		profile->name);
	rv_hint(err, "what such a role needs: river stream create NAME --print-policy");
	return err->status;
}

enum rv_status river_plan_make(struct rv_command_context *cx,
			       const struct river_definitions *definitions,
			       const struct river_plan_params *params, struct river_plan *ret,
			       struct rv_error *err)
{
	if (check_role(cx->profile, err) != RV_OK || rv_catalog_check_lake(cx->lake, err) != RV_OK ||
	    rv_wire_resources(cx->profile, &ret->resources, err) != RV_OK)
		return err->status;
	if (definitions->count &&
	    river_resources_look(&ret->resources, NULL, params->update, ret->lake_views, err) != RV_OK) {
		if (!is_about_one(err->status))
			return err->status;
		conflict(ret, err);
	}
	for (size_t i = 0; i < definitions->count; i++) {
		if (plan_one(cx, &definitions->items[i], params, ret, err) == RV_OK)
			continue;
		if (!is_about_one(err->status))
			return err->status;
		conflict(ret, err);
	}
	if (params->prune && definitions->problems == 0)
		return plan_pruning(cx, definitions, ret, err);
	return RV_OK;
}

/* ---- printing --------------------------------------------------------------------------------- */

static void print_change(void *arg, const char *key, const char *from, const char *to)
{
	rv_out_printf(arg, "  %s: %s -> %s\n", key, from ? from : "(absent)", to ? to : "(absent)");
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

	if (step->action != RIVER_UNCHANGED || behind == RV_RESOURCE_UNCHANGED)
		return (is_done ? done : planned)[step->action];
	return river_resource_word(behind == RV_RESOURCE_UPDATE ? behind : RV_RESOURCE_FINISH, is_done);
}

static json_t *step_json(const struct river_plan *plan, const struct river_step *step, bool is_done)
{
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
	if (plan->resources.count)
		json_object_set_new(json, "resources",
				    river_resources_json(&plan->resources, step->views, is_done));
	return json;
}

static void print_step(struct rv_out *out, const struct river_plan *plan, const struct river_step *step,
		       bool is_done)
{
	char name[RV_STREAM_TEXT];

	rv_out_printf(out, "%s: %s\n", rv_stream_text(&step->stream, name), word_of(step, is_done));
	if (step->action == RIVER_UPDATE) {
		rv_definition_diff(&step->existing, &step->stream, print_change, out);
		if (rebuilds(step))
			rv_out_printf(out, "  clean and latest are made again from raw at the next load\n");
	}
	river_resources_print(out, &plan->resources, step->views, is_done);
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

static bool has_warehouse(const struct rv_command_context *cx)
{
	return strcmp(cx->profile->warehouse_type, "none") != 0;
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

enum rv_status river_plan_print(struct rv_command_context *cx, const struct river_plan *plan, bool sql,
				struct rv_error *err)
{
	river_resources_print_lake(cx, &plan->resources, plan->lake_views, false);
	for (size_t i = 0; i < plan->count; i++) {
		const struct river_step *step = &plan->steps[i];
		char object[RV_STREAM_PLACE_MAX];
		json_t *json = step_json(plan, step, false);
		enum rv_status status = RV_OK;

		rv_stream_catalog_name(&step->stream, object);
		json_object_set_new(json, "dry_run", json_true());
		json_object_set_new(json, "object", json_string(object));
		print_step(cx->out, plan, step, false);
		if (step->action == RIVER_CREATE || step->action == RIVER_UPDATE) {
			json_t *definition = rv_definition_json(&step->stream);
			RV_CLEANUP(rv_free_p) char *text = json_dumps(definition, JSON_COMPACT);

			rv_out_printf(cx->out, "  write %s\n  %s\n", object, text);
			json_object_set_new(json, "definition", definition);
			if (sql || cx->verbose)
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
	char name[RV_STREAM_TEXT];
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
		if (rv_catalog_create(cx->lake, &step->stream, &create, &outcome, &existing, err) != RV_OK)
			return err->status;
		if (outcome == RV_CATALOG_DIFFERS) {
			told_difference(&existing, &step->stream, err);
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
static enum rv_status run_with_resources(struct rv_command_context *cx, const struct river_plan *plan,
					 struct river_step *step,
					 const struct river_plan_params *params, struct rv_error *err)
{
	if (step->action == RIVER_DELETE &&
	    river_resources_remove(&plan->resources, &step->stream, river_resources_deadline(cx), err) !=
		    RV_OK)
		return err->status;
	enum rv_status status = run_step(cx, step, params, err);

	if (status != RV_OK || step->action == RIVER_DELETE)
		return status;
	if (river_resources_make(&plan->resources, &step->stream, step->views, err) == RV_OK)
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

		if (step->action != RIVER_DELETE &&
		    river_resources_settle(&plan->resources, &step->stream, step->views, deadline_ms,
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
		print_step(cx->out, plan, step, true);
		rv_out_json(cx->out, step_json(plan, step, true));
	}
	return status;
}

enum rv_status river_plan_run(struct rv_command_context *cx, const struct river_plan *plan,
			      const struct river_plan_params *params, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p)
	struct river_step **changed = rv_calloc(plan->count + 1, sizeof(struct river_step *));
	size_t changed_count = 0, count;
	enum rv_status status = river_resources_make(&plan->resources, NULL, plan->lake_views, err);

	if (status != RV_OK)
		return rv_context(err, "no stream was changed");
	river_resources_print_lake(cx, &plan->resources, plan->lake_views, true);
	for (count = 0; count < plan->count; count++) {
		struct river_step *step = &plan->steps[count];

		status = rv_stop_signal() ? rv_fail(err, RV_FAILED, "stopped after %zu of %zu streams",
						    count, plan->count)
					  : run_with_resources(cx, plan, step, params, err);
		if (status != RV_OK) {
			if (count && !rv_stop_signal())
				rv_context(err, "after %zu of %zu streams", count, plan->count);
			break;
		}
		if (step->action == RIVER_CREATE || step->action == RIVER_UPDATE)
			changed[changed_count++] = step;
	}
	struct rv_error late = RV_ERROR_INIT;

	if (finish_steps(cx, plan, count, &late) != RV_OK) {
		if (status != RV_OK)
			rv_error_print(&late);
		else
			*err = late;
		status = err->status;
	}
	/* `create` must not open a warehouse; tables come with the first load then */
	if (params->update)
		update_tables(cx, changed, changed_count);
	return status;
}

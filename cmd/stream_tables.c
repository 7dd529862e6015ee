/*
 * The part of a plan that is about a warehouse which is a service: found by one look for all streams of an
 * account, shown object by object, done after the definitions are written.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "stream_plan.h"

bool river_is_service(const struct rv_profile *profile)
{
	return strcmp(profile->warehouse_type, "snowflake") == 0;
}

/* ---- comparing -------------------------------------------------------------------------------- */

static void tell_conflict(struct river_plan *plan, const struct rv_change *change)
{
	struct rv_error err = RV_ERROR_INIT;

	rv_fail(&err, RV_CONFLICT, "%s %s", change->object, change->why);
	if (change->hint)
		rv_hint(&err, "%s", change->hint);
	river_plan_conflict(plan, &err);
}

/* `create` makes what is missing; what is there and differs is for `apply`. */
static void refuse_update(struct river_plan *plan, const struct rv_change *change)
{
	struct rv_error err = RV_ERROR_INIT;

	rv_fail(&err, RV_CONFLICT, "%s is there and differs: %s", change->object, change->why);
	rv_hint(&err, "river stream apply changes it; a definition file comes from: river stream show %s/%s",
		change->stream->business, change->stream->name);
	river_plan_conflict(plan, &err);
}

static struct river_step *step_of(const struct river_plan *plan, const struct rv_stream *stream)
{
	for (size_t i = 0; i < plan->count; i++)
		if (&plan->steps[i].stream == stream)
			return &plan->steps[i];
	return NULL;
}

/* Changes come in the order of the streams, so the step of the last one is mostly this one's too. */
static struct river_step *step_near(const struct river_plan *plan, struct river_step *last,
				    const struct rv_stream *stream)
{
	return last && &last->stream == stream ? last : step_of(plan, stream);
}

static void judge(const struct river_plan_params *params, struct river_plan *plan,
		  const struct river_place *place)
{
	struct river_step *step = NULL;

	for (size_t i = 0; i < place->changes.count; i++) {
		const struct rv_change *change = &place->changes.items[i];

		if (change->kind == RV_CHANGE_CONFLICT)
			tell_conflict(plan, change);
		if (!change->stream || !rv_change_is_real(change))
			continue;
		step = step_near(plan, step, change->stream);
		step->in_warehouse = true;
		if (!params->update && step->action == RIVER_UNCHANGED && change->kind != RV_CHANGE_MAKE)
			refuse_update(plan, change);
	}
}

static enum rv_status compare_place(struct rv_command_context *cx, struct river_plan *plan,
				    struct river_place *place, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p)
	const struct rv_stream **streams = rv_calloc(plan->count + 1, sizeof(*streams));
	size_t count = 0;

	for (size_t i = 0; i < plan->count; i++)
		if (plan->steps[i].place == place && plan->steps[i].action != RIVER_DELETE)
			streams[count++] = &plan->steps[i].stream;
	river_place_enter(cx, place);
	if (rv_wire_warehouse(place->profile, place->lake, &place->warehouse, err) != RV_OK)
		return err->status;
	const struct rv_warehouse_ops *ops = place->warehouse->ops;

	if (ops->compare(place->warehouse, streams, count, &place->changes, err) != RV_OK)
		return err->status;
	for (size_t i = 0; i < plan->count; i++)
		if (plan->steps[i].place == place && plan->steps[i].action == RIVER_DELETE &&
		    ops->removal(place->warehouse, &plan->steps[i].stream, false,
				 &plan->steps[i].removal, err) != RV_OK)
			return err->status;
	return RV_OK;
}

enum rv_status river_tables_compare(struct rv_command_context *cx,
				    const struct river_plan_params *params, struct river_plan *plan,
				    struct rv_error *err)
{
	for (size_t i = 0; i < plan->places_count; i++) {
		struct river_place *place = plan->places[i];

		if (!river_is_service(place->profile))
			continue;
		if (compare_place(cx, plan, place, err) != RV_OK)
			return rv_context(err, "nothing was changed");
		judge(params, plan, place);
	}
	return RV_OK;
}

/* ---- printing --------------------------------------------------------------------------------- */

/* A statement of several lines stands as one piece below its object. */
static void print_statement(struct rv_out *out, const char *sql)
{
	while (*sql) {
		size_t len = strcspn(sql, "\n");
		bool last = !sql[len];

		rv_out_line(out, "    %.*s%s", (int)len, sql, last ? ";" : "");
		sql += len + !last;
	}
}

static void print_change(struct rv_out *out, const char *indent, const struct rv_change *change,
			 bool is_done, bool sql)
{
	const char *word = rv_change_word(change->kind, is_done && change->state == RV_CHANGE_DONE);

	if (is_done && change->state == RV_CHANGE_FAILED)
		rv_out_line(out, "%s%s: failed", indent, change->object);
	else if (is_done && change->state == RV_CHANGE_SKIPPED)
		rv_out_line(out, "%s%s: not tried", indent, change->object);
	else
		rv_out_line(out, "%s%s: %s, %s", indent, change->object, word, change->why);
	for (size_t i = 0; sql && i < change->statements_count; i++)
		print_statement(out, change->statements[i]);
}

void river_tables_print(struct rv_out *out, const struct river_place *place,
			const struct rv_stream *stream, bool is_done, bool sql)
{
	for (size_t i = 0; i < place->changes.count; i++)
		if (place->changes.items[i].stream == stream)
			print_change(out, stream ? "  " : "", &place->changes.items[i], is_done, sql);
}

void river_changes_print(struct rv_out *out, const char *indent, const struct rv_changes *changes,
			 bool is_done, bool sql)
{
	for (size_t i = 0; i < changes->count; i++)
		print_change(out, indent, &changes->items[i], is_done, sql);
}

json_t *river_tables_json(const struct river_place *place, const struct rv_stream *stream)
{
	json_t *array = json_array();

	for (size_t i = 0; i < place->changes.count; i++)
		if (place->changes.items[i].stream == stream)
			json_array_append_new(array, rv_change_json(&place->changes.items[i]));
	return array;
}

void river_tables_print_all(struct rv_command_context *cx, const struct river_plan *plan, bool is_done)
{
	for (size_t i = 0; i < plan->places_count; i++) {
		const struct river_place *place = plan->places[i];
		json_t *changes = river_tables_json(place, NULL);

		if (json_array_size(changes) == 0) {
			json_decref(changes);
			continue;
		}
		river_tables_print(cx->out, place, NULL, is_done, !is_done);
		json_t *json = json_pack("{s:s, s:o, s:o}", "kind", "warehouse", "lake",
					 rv_out_text(place->lake->url), "changes", changes);

		if (!is_done)
			json_object_set_new(json, "dry_run", json_true());
		rv_out_json(cx->out, json);
	}
}

/* ---- doing ------------------------------------------------------------------------------------ */

static void show_progress(void *arg, const struct rv_change *change, size_t done, size_t count)
{
	rv_progress_steps(arg, rv_clock_monotonic_ms(), done, count, change->object);
	rv_verbose("%s: %s", change->object,
		   change->state == RV_CHANGE_DONE ? rv_change_word(change->kind, true) : "failed");
}

/* What belongs to a stream whose definition was not written is not touched. */
static void leave_undone(const struct river_plan *plan, struct river_place *place)
{
	struct river_step *step = NULL;

	for (size_t i = 0; i < place->changes.count; i++) {
		struct rv_change *change = &place->changes.items[i];

		if (!change->stream)
			continue;
		step = step_near(plan, step, change->stream);
		if (!step->is_done)
			change->state = RV_CHANGE_SKIPPED;
	}
}

static void tell_failures(const struct rv_changes *changes, const struct rv_error *first)
{
	size_t failed = 0, skipped = 0;

	for (size_t i = 0; i < changes->count; i++) {
		const struct rv_change *change = &changes->items[i];

		failed += change->state == RV_CHANGE_FAILED;
		skipped += change->state == RV_CHANGE_SKIPPED;
		if (change->error && strcmp(change->error->message, first->message) != 0)
			rv_error_print(change->error);
	}
	if (failed + skipped > 1)
		rv_note("%zu of %zu changes failed, %zu were not tried; the same command again does the rest",
			failed, rv_changes_count(changes), skipped);
}

static enum rv_status change(struct rv_command_context *cx, struct rv_warehouse *warehouse,
			     struct rv_changes *changes, struct rv_error *err)
{
	struct rv_progress progress;
	struct rv_change_params params = { .progress = show_progress, .arg = &progress };

	if (cx->timeout_ms >= 0)
		params.deadline_ms = rv_clock_monotonic_ms() + cx->timeout_ms;
	rv_progress_start(&progress, "change the warehouse", rv_clock_monotonic_ms());
	enum rv_status status = warehouse->ops->change(warehouse, changes, &params, err);

	rv_progress_end(&progress);
	if (status != RV_OK)
		tell_failures(changes, err);
	return status;
}

enum rv_status river_tables_remove(struct rv_command_context *cx, struct rv_warehouse *warehouse,
				   struct rv_changes *changes, struct rv_error *err)
{
	return rv_changes_count(changes) ? change(cx, warehouse, changes, err) : RV_OK;
}

enum rv_status river_tables_change(struct rv_command_context *cx, struct river_plan *plan,
				   struct rv_error *err)
{
	enum rv_status status = RV_OK;

	for (size_t i = 0; i < plan->places_count; i++) {
		struct river_place *place = plan->places[i];
		struct rv_error later = RV_ERROR_INIT;

		if (!place->warehouse || rv_changes_count(&place->changes) == 0)
			continue;
		leave_undone(plan, place);
		if (change(cx, place->warehouse, &place->changes, &later) == RV_OK)
			continue;
		if (status != RV_OK)
			rv_error_print(&later);
		else
			*err = later;
		status = err->status;
	}
	return status;
}

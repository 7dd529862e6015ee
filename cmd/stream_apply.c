/* `river stream apply` and `diff`: definition files against the catalog. */
#include <string.h>

#include "base/memory.h"
#include "config/definition.h"
#include "stream_plan.h"

struct apply_options {
	struct rv_opt_list files;
	const char *out, *plan;
	bool prune, adopt, fresh, dry_run, sql;
};

/* clang-format off */
static const struct rv_opt apply_options_table[] = {
	OPT_LIST(struct apply_options, 'f', "file", files, "path",
		 "definitions: a file, a folder of *.yaml files, or - for standard input",
		 .complete = RV_COMPLETE_FILE),
	OPT_FLAG(struct apply_options, 0, "prune", prune,
		 "delete streams without a definition, in the businesses the definitions are about; "
		 "their data stays"),
	OPT_FLAG(struct apply_options, 0, "adopt", adopt,
		 "objects a former stream of that name left are part of the new one"),
	OPT_FLAG(struct apply_options, 0, "fresh", fresh,
		 "objects a former stream of that name left are not part of the new one"),
	OPT_STRING(struct apply_options, 0, "out", out, "file",
		   "write the exact plan to this file and change nothing",
		   .complete = RV_COMPLETE_FILE),
	OPT_STRING(struct apply_options, 0, "plan", plan, "file",
		   "do what this file of --out says, and nothing when that is not what would be done now",
		   .complete = RV_COMPLETE_FILE),
	OPT_FLAG(struct apply_options, 'n', "dry-run", dry_run,
		 "print the exact plan and change nothing"),
	OPT_FLAG(struct apply_options, 0, "sql", sql,
		 "with --dry-run, as -v: also the statements for the warehouse"),
	OPT_END
};
/* clang-format on */

static enum rv_status check_apply(const struct apply_options *o, struct rv_error *err)
{
	if (o->plan && (o->files.count || o->out || o->prune || o->adopt || o->fresh)) {
		rv_fail(err, RV_USAGE, "--plan says it all: -f, --out, --prune, --adopt and --fresh do not go "
				       "with it");
		return err->status;
	}
	if (!o->plan && o->files.count == 0)
		return rv_fail(err, RV_USAGE, "-f is needed: a file, a folder, or - for standard input");
	if (o->adopt && o->fresh)
		return rv_fail(err, RV_USAGE, "--adopt and --fresh say the opposite");
	return RV_OK;
}

static enum rv_status apply_run(struct rv_command_context *cx, void *options, int operands_count,
				char **operands, struct rv_error *err)
{
	const struct apply_options *o = options;
	struct river_plan_params params = {
		.update = true,
		.prune = o->prune,
		.adopt = o->adopt,
		.fresh = o->fresh,
	};
	RV_CLEANUP(river_definitions_release) struct river_definitions definitions = { 0 };
	RV_CLEANUP(river_plan_release) struct river_plan plan = { 0 };
	RV_CLEANUP(json_decrefp) json_t *saved = NULL;

	if (operands_count > 0)
		return river_definitions_operand(operands[0], err);
	if (check_apply(o, err) != RV_OK)
		return err->status;
	params.names_ids = o->out != NULL;
	if ((o->plan ? river_plan_load(o->plan, &definitions, &params, &saved, err)
		     : river_definitions_read(&o->files, &definitions, err)) != RV_OK ||
	    river_plan_make(cx, &definitions, &params, &plan, err) != RV_OK)
		return err->status;
	if (definitions.problems || plan.problems) {
		rv_note("nothing was changed");
		return river_printed(rv_status_graver(definitions.worst, plan.worst), err);
	}
	if (saved && river_plan_check(cx, &plan, &params, saved, err) != RV_OK)
		return err->status;
	if (o->out && river_plan_save(cx, &plan, &params, o->out, err) != RV_OK)
		return rv_context(err, "--out");
	if (o->dry_run || o->out)
		return river_plan_print(cx, &plan, o->sql, err);
	return river_plan_run(cx, &plan, &params, err);
}

static const struct rv_example apply_examples[] = {
	{ "river stream apply -f streams/", "create and change streams until they are as defined" },
	{ "river stream apply -f streams/ --prune --dry-run", "what would be changed and deleted" },
	{ "river stream apply -f streams/ --out plan.json", "the plan, to be looked at" },
	{ "river stream apply --plan plan.json", "exactly that plan, or nothing" },
	{ NULL, NULL },
};

const struct rv_command cmd_stream_apply = {
	.name = "stream apply",
	.group = RV_GROUP_START,
	.summary = "make streams as files define them",
	.operands = "",
	.needs = RV_NEEDS_LAKE,
	.options = apply_options_table,
	.options_size = sizeof(struct apply_options),
	.examples = apply_examples,
	.run = apply_run,
};

/* ---- diff ------------------------------------------------------------------------------------- */

struct diff_options {
	struct rv_opt_list files;
	bool prune;
};

/* clang-format off */
static const struct rv_opt diff_options_table[] = {
	OPT_LIST(struct diff_options, 'f', "file", files, "path",
		 "definitions: a file, a folder of *.yaml files, or - for standard input",
		 .complete = RV_COMPLETE_FILE, .def = "streams"),
	OPT_FLAG(struct diff_options, 0, "prune", prune,
		 "also streams without a definition, in the businesses the definitions are about"),
	OPT_END
};
/* clang-format on */

static void print_change(void *arg, const char *key, const char *from, const char *to)
{
	if (from)
		rv_out_line(arg, "- %s: %s", key, from);
	if (to)
		rv_out_line(arg, "+ %s: %s", key, to);
}

static void change_json(void *arg, const char *key, const char *from, const char *to)
{
	json_array_append_new(arg, json_pack("{s:s, s:s?, s:s?}", "key", key, "from", from, "to", to));
}

/* "firehose.buffer.size: 64MiB", as keys of a definition are shown */
static void compare_resources(const struct rv_resources *resources, const struct rv_resource_view *views,
			      struct rv_out *out, json_t *changes)
{
	for (size_t i = 0; i < resources->count; i++) {
		const struct rv_resource_view *view = &views[i];
		const char *kind = resources->items[i]->ops->kind;

		if (!view->name || view->action == RV_RESOURCE_UNCHANGED)
			continue;
		if (view->count == 0) {
			print_change(out, kind, NULL, view->name);
			change_json(changes, kind, NULL, view->name);
		}
		for (size_t j = 0; j < view->count; j++) {
			const struct rv_resource_change *change = &view->changes[j];
			RV_CLEANUP(rv_free_p) char *key = rv_asprintf("%s.%s", kind, change->key);

			print_change(out, key, change->from, change->to);
			change_json(changes, key, change->from, change->to);
		}
	}
}

static void print_lake_difference(struct rv_command_context *cx, const struct river_place *place)
{
	json_t *changes = json_array();

	rv_out_printf(cx->out, "lake %s: differs\n", place->lake->url);
	compare_resources(&place->resources, place->lake_views, cx->out, changes);
	rv_out_json(cx->out, json_pack("{s:o, s:s, s:o}", "lake", rv_out_text(place->lake->url), "action",
				       "update", "changes", changes));
}

/* "table RIVER.WEB.CLICKS: grants differ"; of one stream, or what is of all streams. Returns how many. */
static size_t print_tables(struct rv_out *out, const struct river_place *place,
			   const struct rv_stream *stream, json_t *changes)
{
	size_t count = 0;

	for (size_t i = 0; i < place->changes.count; i++) {
		const struct rv_change *change = &place->changes.items[i];

		if (change->stream != stream)
			continue;
		rv_out_line(out, "%s%s: %s", stream ? "  " : "", change->object, change->why);
		json_array_append_new(changes, json_pack("{s:o, s:o}", "key", rv_out_text(change->object),
							 "why", rv_out_text(change->why)));
		count++;
	}
	return count;
}

static bool print_warehouse_difference(struct rv_command_context *cx, const struct river_place *place)
{
	json_t *changes = json_array();

	if (print_tables(cx->out, place, NULL, changes) == 0) {
		json_decref(changes);
		return false;
	}
	rv_out_json(cx->out, json_pack("{s:s, s:o, s:s, s:o}", "kind", "warehouse", "lake",
				       rv_out_text(place->lake->url), "action", "update", "changes",
				       changes));
	return true;
}

static bool step_differs(const struct river_step *step)
{
	const struct rv_changes *changes = &step->place->changes;

	if (step->action != RIVER_UNCHANGED ||
	    river_views_action(step->views) != RV_RESOURCE_UNCHANGED || step->in_warehouse)
		return true;
	/* what is not river's differs as well, though nothing would be done about it */
	for (size_t i = 0; i < changes->count; i++)
		if (changes->items[i].stream == &step->stream)
			return true;
	return false;
}

static void print_difference(struct rv_out *out, const struct river_step *step)
{
	static const char *const titles[] = { "not in the lake", "differs", "same", "not defined" };
	static const char *const words[] = { "create", "update", "unchanged", "delete" };
	char name[RV_STREAM_TEXT];
	json_t *changes = json_array();

	rv_stream_text(&step->stream, name);
	enum river_action action = step->action == RIVER_UNCHANGED ? RIVER_UPDATE : step->action;

	rv_out_printf(out, "%s: %s\n", name, titles[action]);
	if (step->action == RIVER_UPDATE) {
		rv_definition_diff(&step->existing, &step->stream, print_change, out);
		rv_definition_diff(&step->existing, &step->stream, change_json, changes);
	}
	if (action == RIVER_UPDATE)
		compare_resources(&step->place->resources, step->views, out, changes);
	print_tables(out, step->place, &step->stream, changes);
	rv_out_json(out, json_pack("{s:s, s:s, s:o}", "stream", name, "action", words[action], "changes",
				   changes));
}

static enum rv_status diff_run(struct rv_command_context *cx, void *options, int operands_count,
			       char **operands, struct rv_error *err)
{
	const struct diff_options *o = options;
	/* objects of former streams are a matter of creating, not of comparing */
	struct river_plan_params params = { .update = true, .prune = o->prune, .adopt = true,
					    .only_compares = true };
	RV_CLEANUP(river_definitions_release) struct river_definitions definitions = { 0 };
	RV_CLEANUP(river_plan_release) struct river_plan plan = { 0 };
	bool differs = false;

	if (operands_count > 0)
		return river_definitions_operand(operands[0], err);
	if (river_definitions_read(&o->files, &definitions, err) != RV_OK ||
	    river_plan_make(cx, &definitions, &params, &plan, err) != RV_OK)
		return err->status;
	if (definitions.problems || plan.problems)
		return river_printed(rv_status_graver(definitions.worst, plan.worst), err);
	for (size_t i = 0; i < plan.places_count; i++) {
		const struct river_place *place = plan.places[i];

		if (river_views_action(place->lake_views) != RV_RESOURCE_UNCHANGED) {
			differs = true;
			print_lake_difference(cx, place);
		}
		differs |= print_warehouse_difference(cx, place);
	}
	for (size_t i = 0; i < plan.count; i++) {
		if (!step_differs(&plan.steps[i]))
			continue;
		differs = true;
		print_difference(cx->out, &plan.steps[i]);
	}
	return differs ? river_printed(RV_FAILED, err) : RV_OK;
}

static const struct rv_example diff_examples[] = {
	{ "river stream diff -f streams/", "exits 0 when the lake is as defined, 1 when not" },
	{ NULL, NULL },
};

const struct rv_command cmd_stream_diff = {
	.name = "stream diff",
	.group = RV_GROUP_START,
	.summary = "compare definition files with the lake",
	.operands = "",
	.needs = RV_NEEDS_LAKE,
	.options = diff_options_table,
	.options_size = sizeof(struct diff_options),
	.examples = diff_examples,
	.run = diff_run,
};

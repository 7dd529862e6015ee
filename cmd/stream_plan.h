/*
 * What `stream create`, `apply` and `diff` share: reading definition files, comparing all of them
 * with the catalog before the first change, printing the plan, and doing it.
 */
#ifndef RIVER_STREAM_PLAN_H
#define RIVER_STREAM_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "config/stream.h"
#include "context.h"
#include "resource/resource.h"
#include "store/store.h"

/* Definitions that were read, and how many could not be: those are printed when they are found. */
struct river_definitions {
	struct river_definition {
		struct rv_stream stream;
		char *file;         /* NULL: flags */
		uint64_t line;
	} *items;
	size_t count, capacity;
	size_t problems;
	enum rv_status worst;       /* of the problems; RV_BAD_CONFIG wins */
};
void river_definitions_release(struct river_definitions *definitions);
/* `paths`: files, folders of *.yaml and *.yml, or "-"; all of them are read before anything is done. All
 * problems are printed and counted; fails itself only when there is nothing to read. */
enum rv_status river_definitions_read(const struct rv_opt_list *paths, struct river_definitions *ret,
				      struct rv_error *err) RV_MUST_CHECK;
/* An operand where only -f says what to read: RV_USAGE. */
enum rv_status river_definitions_operand(const char *operand, struct rv_error *err);
/* Takes what is in `stream`. */
void river_definitions_add(struct river_definitions *definitions, struct rv_stream *stream);

enum river_action { RIVER_CREATE, RIVER_UPDATE, RIVER_UNCHANGED, RIVER_DELETE };
struct river_plan {
	struct river_step {
		enum river_action action;
		struct rv_stream stream;    /* as it is wanted; DELETE: as it is */
		struct rv_stream existing;  /* UPDATE */
		char etag[RV_ETAG_TEXT];    /* UPDATE, DELETE */
		/* of plan.resources, by their places; those of the lake stay empty */
		struct rv_resource_view views[RV_RESOURCES_MAX];
	} *steps;
	size_t count, capacity;
	struct rv_resources resources;
	struct rv_resource_view lake_views[RV_RESOURCES_MAX];
	size_t problems;
	enum rv_status worst;
};
struct river_plan_params {
	bool update;        /* a stream that differs is updated; else that is a conflict */
	bool prune;         /* streams of the same businesses without a definition are deleted */
	bool adopt, fresh;  /* rv_catalog_create */
};
void river_plan_release(struct river_plan *plan);
/* Conflicts are printed and counted, not returned; what stops everything is returned. */
enum rv_status river_plan_make(struct rv_command_context *cx,
			       const struct river_definitions *definitions,
			       const struct river_plan_params *params, struct river_plan *ret,
			       struct rv_error *err) RV_MUST_CHECK;
/* What would be done: the catalog objects to write and, with `sql` or -v, the warehouse's
 * statements; with -v alone an engine that is not installed is no failure. */
enum rv_status river_plan_print(struct rv_command_context *cx, const struct river_plan *plan,
				bool sql, struct rv_error *err) RV_MUST_CHECK;
/* Does it, printing each step when it is done. */
enum rv_status river_plan_run(struct rv_command_context *cx, const struct river_plan *plan,
			      const struct river_plan_params *params,
			      struct rv_error *err) RV_MUST_CHECK;
/* ---- resources: stream_resources.c. Arrays of views have RV_RESOURCES_MAX places, by those of
 * `resources`. A NULL stream means those of the lake. ---- */
void river_views_release(struct rv_resource_view *views);
/* The greatest: UPDATE before CREATE before UNCHANGED. */
enum rv_resource_action river_views_action(const struct rv_resource_view *views);
/* "create", "created" */
const char *river_resource_word(enum rv_resource_action action, bool is_done);
/* --timeout from now on, or long enough. */
int64_t river_resources_deadline(const struct rv_command_context *cx);
/* Without `update`, one that differs is a conflict. */
enum rv_status river_resources_look(const struct rv_resources *resources,
				    const struct rv_stream *stream, bool update,
				    struct rv_resource_view *views, struct rv_error *err) RV_MUST_CHECK;
enum rv_status river_resources_make(const struct rv_resources *resources,
				    const struct rv_stream *stream,
				    const struct rv_resource_view *views,
				    struct rv_error *err) RV_MUST_CHECK;
enum rv_status river_resources_settle(const struct rv_resources *resources,
				      const struct rv_stream *stream,
				      const struct rv_resource_view *views, int64_t deadline_ms,
				      struct rv_error *err) RV_MUST_CHECK;
enum rv_status river_resources_remove(const struct rv_resources *resources,
				      const struct rv_stream *stream, int64_t deadline_ms,
				      struct rv_error *err) RV_MUST_CHECK;
json_t *river_resources_json(const struct rv_resources *resources,
			     const struct rv_resource_view *views, bool is_done);
/* What is done says only what it changed. */
void river_resources_print(struct rv_out *out, const struct rv_resources *resources,
			   const struct rv_resource_view *views, bool is_done);
void river_resources_print_lake(struct rv_command_context *cx, const struct rv_resources *resources,
				const struct rv_resource_view *views, bool is_done);

/* IAM policies for each of the streams, as JSON; asks nobody. */
enum rv_status river_policy_print(struct rv_command_context *cx,
				  const struct river_definitions *definitions,
				  struct rv_error *err) RV_MUST_CHECK;
/* The status for `problems` that were printed already: main prints nothing more. */
enum rv_status river_printed(enum rv_status worst, struct rv_error *err);

#endif

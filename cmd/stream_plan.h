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
#include "warehouse/warehouse.h"

/* Definitions that were read, and how many could not be: those are printed when they are found. */
struct river_definitions {
	struct river_definition {
		struct rv_stream stream;
		char *file;         /* NULL: flags */
		uint64_t line;
	} *items;
	size_t count, capacity;
	size_t problems;
	enum rv_status worst;       /* the gravest of the problems */
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
/* Where streams are: the profile's lake and account, or those of a business that has its own. */
struct river_place {
	const struct rv_profile *profile;
	struct rv_store *lake;
	struct rv_resources resources;
	struct rv_resource_view lake_views[RV_RESOURCES_MAX];
	/* Of a warehouse that is a service; else NULL and nothing. */
	struct rv_warehouse *warehouse;
	struct rv_changes changes;
};
struct river_plan {
	struct river_step {
		enum river_action action;
		struct rv_stream stream;    /* as it is wanted; DELETE: as it is */
		struct rv_stream existing;  /* UPDATE */
		char etag[RV_ETAG_TEXT];    /* UPDATE, DELETE */
		struct river_place *place;
		/* of the place's resources; those of the lake stay empty */
		struct rv_resource_view views[RV_RESOURCES_MAX];
		bool is_done;               /* its definition is written */
		bool in_warehouse;          /* which has something to change for it */
		struct rv_changes removal;  /* DELETE: what goes from the warehouse, before it */
	} *steps;
	size_t count, capacity;
	struct river_place **places;        /* the profile's own first */
	size_t places_count;
	size_t problems;
	enum rv_status worst;
};
struct river_plan_params {
	bool update;        /* a stream that differs is updated; else that is a conflict */
	bool prune;         /* streams of the same businesses without a definition are deleted */
	bool adopt, fresh;  /* rv_catalog_create */
	bool only_compares; /* nothing is deleted: what waits for it in the spool here is no conflict */
	bool names_ids;     /* the plan says what new streams will be called, as it is kept */
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
enum rv_status river_plan_run(struct rv_command_context *cx, struct river_plan *plan,
			      const struct river_plan_params *params,
			      struct rv_error *err) RV_MUST_CHECK;
/* ---- one step, whatever is behind it: stream_plan.c ---- */
struct river_step *river_plan_add(struct river_plan *plan, enum river_action action,
				  struct river_place *place);
/* A problem with one stream: printed and counted. */
void river_plan_conflict(struct river_plan *plan, const struct rv_error *err);
/* RV_CONFLICT: the stream exists with another definition, and how they differ. */
void river_told_difference(const struct rv_stream *existing, const struct rv_stream *wanted,
			   struct rv_error *err);
/* Whether the failure is about this one stream, so that the others are still worth a look. */
bool river_is_about_one(enum rv_status status);
json_t *river_step_json(const struct river_step *step, bool is_done);

/* ---- places: stream_places.c ---- */
/* The place of a stream ("web/clicks"; "" for the profile's own), made when it is new: its lake is looked at,
 * too. cx->profile and cx->lake are its afterwards. */
enum rv_status river_place_of(struct rv_command_context *cx, const char *stream,
			      const struct river_plan_params *params, struct river_plan *plan,
			      struct river_place **ret, struct rv_error *err) RV_MUST_CHECK;
void river_place_enter(struct rv_command_context *cx, const struct river_place *place);
void river_place_free(struct river_place *place);

/* ---- comparing with the catalog: stream_look.c ---- */
/* Steps for all definitions; many requests are under way at once. */
enum rv_status river_plan_look(struct rv_command_context *cx,
			       const struct river_definitions *definitions,
			       const struct river_plan_params *params, struct river_plan *plan,
			       struct rv_error *err) RV_MUST_CHECK;

/* ---- a warehouse that is a service: stream_tables.c ---- */
bool river_is_service(const struct rv_profile *profile);
enum rv_status river_tables_compare(struct rv_command_context *cx,
				    const struct river_plan_params *params, struct river_plan *plan,
				    struct rv_error *err) RV_MUST_CHECK;
/* Lines of one stream, or of all streams (NULL): with `sql` the statements, with `is_done` what became
 * of them. */
void river_tables_print(struct rv_out *out, const struct river_place *place,
			const struct rv_stream *stream, bool is_done, bool sql);
json_t *river_tables_json(const struct river_place *place, const struct rv_stream *stream);
void river_tables_print_all(struct rv_command_context *cx, const struct river_plan *plan, bool is_done);
/* Any changes, each as it was planned or done. */
void river_changes_print(struct rv_out *out, const char *indent, const struct rv_changes *changes,
			 bool is_done, bool sql);
/* Of one stream that is deleted. */
enum rv_status river_tables_remove(struct rv_command_context *cx, struct rv_warehouse *warehouse,
				   struct rv_changes *changes, struct rv_error *err) RV_MUST_CHECK;
/* Does it, with progress. All failures but the one that is returned are printed. */
enum rv_status river_tables_change(struct rv_command_context *cx, struct river_plan *plan,
				   struct rv_error *err) RV_MUST_CHECK;

/* ---- plans in files: stream_plan_file.c ---- */
/* Everything that would be done, and what it is based on. */
enum rv_status river_plan_save(struct rv_command_context *cx, const struct river_plan *plan,
			       const struct river_plan_params *params, const char *path,
			       struct rv_error *err) RV_MUST_CHECK;
/* What a plan was made of. Caller decrefs *ret_json, which river_plan_check takes. */
enum rv_status river_plan_load(const char *path, struct river_definitions *ret,
			       struct river_plan_params *ret_params, json_t **ret_json,
			       struct rv_error *err) RV_MUST_CHECK;
/* RV_CONFLICT, and each difference printed, when `plan` is not what the file says. */
enum rv_status river_plan_check(struct rv_command_context *cx, const struct river_plan *plan,
				const struct river_plan_params *params, const json_t *saved,
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
/* Of a stream that is to be deleted, what goes with it: whatever is there, in any state. The views of what is
 * not stay empty, and what is another lake's is warned of. */
enum rv_status river_resources_look_to_remove(const struct rv_resources *resources,
					      const struct rv_stream *stream,
					      struct rv_resource_view *views,
					      struct rv_error *err) RV_MUST_CHECK;
enum rv_status river_resources_make(const struct rv_resources *resources,
				    const struct rv_stream *stream,
				    const struct rv_resource_view *views, int64_t deadline_ms,
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

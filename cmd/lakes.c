/* Looking at all lakes of a profile in turn; see the header. */
#include "lakes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "config/stream.h"
#include "flow/catalog.h"
#include "stream_plan.h"

static bool has_own_lake(const struct rv_profile *home, const struct rv_business *b)
{
	return b->lake && strcmp(b->lake, home->lake) != 0;
}

/* Two businesses may share one that is not the profile's. */
static bool came_before(const struct rv_profile *home, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (has_own_lake(home, &home->businesses[i]) &&
		    strcmp(home->businesses[i].lake, home->businesses[index].lake) == 0)
			return true;
	return false;
}

void river_lakes_init(struct river_lakes *lakes, struct rv_command_context *cx)
{
	const struct rv_profile *home = cx->profile;

	*lakes = (struct river_lakes){ .cx = cx, .home = home, .at = home->lake, .count = 1,
				       .worst = RV_ERROR_INIT };
	for (size_t i = 0; i < home->businesses_count; i++)
		lakes->count += has_own_lake(home, &home->businesses[i]) && !came_before(home, i);
}

static const char *lake_of(const struct rv_profile *home, const char *business)
{
	for (size_t i = 0; i < home->businesses_count; i++)
		if (home->businesses[i].lake && strcmp(home->businesses[i].name, business) == 0)
			return home->businesses[i].lake;
	return home->lake;
}

bool river_lakes_has(const struct river_lakes *lakes, const char *business)
{
	return strcmp(lake_of(lakes->home, business), lakes->at) == 0;
}

/* `business` NULL: the profile's own. */
static enum rv_status enter(struct river_lakes *lakes, const struct rv_business *business,
			    struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *any = business ? rv_asprintf("%s/any", business->name) : rv_strdup("");

	lakes->at = business ? business->lake : lakes->home->lake;
	return rv_wire_business(lakes->cx, any, err);
}

/* The gravest is kept, and main prints it. */
static void note_failure(struct river_lakes *lakes, struct rv_error *err)
{
	if (lakes->count > 1 && !strstr(err->message, lakes->at))
		rv_context(err, "lake %s", lakes->at);
	if (lakes->worst.status == RV_OK) {
		lakes->worst = *err;
		return;
	}
	bool graver = rv_status_gravity(err->status) > rv_status_gravity(lakes->worst.status);

	rv_warn("%s", graver ? lakes->worst.message : err->message);
	if (graver)
		lakes->worst = *err;
}

/* Whether the other lakes have no turn any more. */
static bool is_over(const struct river_lakes *lakes)
{
	return rv_stop_signal() || rv_out_failed(lakes->cx->out);
}

static enum rv_status conclude(struct river_lakes *lakes, struct rv_error *err)
{
	enum rv_status status = enter(lakes, NULL, err);

	if (lakes->worst.status == RV_OK)
		return status;
	*err = lakes->worst;
	return err->status;
}

enum rv_status river_lakes_each(struct river_lakes *lakes,
				enum rv_status (*each)(void *arg, struct rv_error *err), void *arg,
				struct rv_error *err)
{
	const struct rv_profile *home = lakes->home;

	if (each(arg, err) != RV_OK)
		note_failure(lakes, err);
	for (size_t i = 0; i < home->businesses_count && !is_over(lakes); i++) {
		if (!has_own_lake(home, &home->businesses[i]) || came_before(home, i))
			continue;
		if (enter(lakes, &home->businesses[i], err) != RV_OK || each(arg, err) != RV_OK)
			note_failure(lakes, err);
	}
	return conclude(lakes, err);
}

/* ---- their streams ---------------------------------------------------------------------------- */

/* The names of one business follow each other in the order of all names. So its lake is listed where the
 * profile's own list comes to its place, and nothing has to be kept or sorted. */
struct walk {
	struct river_lakes *lakes;
	const char *prefix, *after;
	const struct rv_business **others; /* with a lake of their own, in order of their names */
	size_t others_count, next;
	enum rv_status (*each)(void *arg, const char *name, struct rv_error *err);
	void *arg;
	bool ended;                        /* by `each` */
};

static int by_name(const void *a, const void *b)
{
	const struct rv_business *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static enum rv_status pass_on(void *arg, const char *name, struct rv_error *err)
{
	struct walk *walk = arg;
	enum rv_status status = walk->each(walk->arg, name, err);

	if (river_is_about_one(status)) {
		rv_context(err, "stream %s", name);
		note_failure(walk->lakes, err);
		return RV_OK;
	}
	walk->ended = status != RV_OK;
	return status;
}

/* That a lake fails is noted and no reason to end. */
static enum rv_status go_on(struct walk *walk, enum rv_status status, struct rv_error *err)
{
	if (status == RV_OK || walk->ended)
		return status;
	note_failure(walk->lakes, err);
	return RV_OK;
}

static enum rv_status list_other(struct walk *walk, const struct rv_business *business,
				 struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *all = rv_asprintf("%s/", business->name);
	const char *prefix = rv_starts_with(walk->prefix, all)	 ? walk->prefix
			     : rv_starts_with(all, walk->prefix) ? all
								 : NULL;

	if (!prefix || (walk->after && !rv_starts_with(walk->after, all) && strcmp(walk->after, all) > 0))
		return RV_OK;
	enum rv_status status = enter(walk->lakes, business, err);

	if (status == RV_OK)
		status = rv_catalog_list(walk->lakes->cx->lake, prefix, walk->after, pass_on, walk, err);
	return go_on(walk, status, err);
}

/* Those that sort before `name`; NULL: what is left of them. */
static enum rv_status list_others_before(struct walk *walk, const char *name, struct rv_error *err)
{
	while (walk->next < walk->others_count) {
		const struct rv_business *business = walk->others[walk->next];
		RV_CLEANUP(rv_free_p) char *all = rv_asprintf("%s/", business->name);

		if (name && strcmp(all, name) > 0)
			break;
		walk->next++;
		if (list_other(walk, business, err) != RV_OK)
			return err->status;
	}
	return enter(walk->lakes, NULL, err);
}

static enum rv_status home_name(void *arg, const char *name, struct rv_error *err)
{
	struct walk *walk = arg;
	RV_CLEANUP(rv_free_p) char *business = rv_strndup(name, strcspn(name, "/"));

	if (list_others_before(walk, name, err) != RV_OK)
		return err->status;
	return river_lakes_has(walk->lakes, business) ? pass_on(walk, name, err) : RV_OK;
}

enum rv_status river_lakes_streams(struct river_lakes *lakes, const char *prefix, const char *after,
				   enum rv_status (*each)(void *arg, const char *name,
							  struct rv_error *err),
				   void *arg, struct rv_error *err)
{
	const struct rv_profile *home = lakes->home;
	struct walk walk = { .lakes = lakes, .prefix = prefix, .after = after, .each = each, .arg = arg };
	const char *slash = strchr(prefix, '/');
	RV_CLEANUP(rv_free_p) char *business = rv_strndup(prefix, slash ? (size_t)(slash - prefix) : 0);

	walk.others = rv_calloc(home->businesses_count + 1, sizeof(const struct rv_business *));
	for (size_t i = 0; i < home->businesses_count; i++)
		if (has_own_lake(home, &home->businesses[i]))
			walk.others[walk.others_count++] = &home->businesses[i];
	if (walk.others_count)
		qsort(walk.others, walk.others_count, sizeof(*walk.others), by_name);
	enum rv_status status = RV_OK;

	/* Nobody else's lake is asked for the streams of one business. */
	if (!slash || river_lakes_has(lakes, business))
		status = go_on(&walk, rv_catalog_list(lakes->cx->lake, prefix, after, home_name, &walk, err),
			       err);
	if (status == RV_OK)
		status = list_others_before(&walk, NULL, err);
	free(walk.others);
	return status == RV_OK ? conclude(lakes, err) : status;
}

enum rv_status river_lakes_named(struct river_lakes *lakes, char *const *names, int count,
				 enum rv_status (*each)(void *arg, const char *name, struct rv_error *err),
				 void *arg, struct rv_error *err)
{
	bool ended = false;

	for (int i = 0; i < count && !ended && !rv_out_failed(lakes->cx->out); i++) {
		enum rv_status status = rv_stop_signal() ? rv_fail(err, RV_FAILED, "stopped by a signal")
							 : each(arg, names[i], err);

		if (status == RV_OK)
			continue;
		if (count > 1 && !strstr(err->message, names[i]))
			rv_context(err, "stream %s", names[i]);
		note_failure(lakes, err);
		ended = status != RV_NOT_FOUND && !river_is_about_one(status);
	}
	return conclude(lakes, err);
}

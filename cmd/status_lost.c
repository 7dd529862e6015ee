/* Finding out what the catalog should have and has not; see the header. */
#include "status_lost.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "flow/catalog.h"
#include "lakes.h"
#include "spool/intake.h"
#include "spool/run.h"
#include "spool/state.h"
#include "warehouse/warehouse.h"

void river_names_add(struct river_names *names, const char *name)
{
	RV_GROW(names->items, names->count, names->capacity);
	names->items[names->count++] = rv_strdup(name);
}

void river_names_release(struct river_names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->items[i]);
	free(names->items);
	*names = (struct river_names){ 0 };
}

void river_lost_release(struct river_lost *lost)
{
	for (size_t i = 0; i < lost->count; i++)
		free(lost->streams[i].name);
	free(lost->streams);
	*lost = (struct river_lost){ 0 };
}

struct search {
	const struct river_names *catalog;
	struct river_lost *lost;
	const struct rv_state *state;
	uint64_t waiting;
	struct river_lakes lakes;
};

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* NULL: the catalog has it, or another lake's would. */
static struct river_lost_stream *enter(struct search *search, const char *name)
{
	struct river_lost *lost = search->lost;
	RV_CLEANUP(rv_free_p) char *business = rv_strndup(name, strcspn(name, "/"));

	if (!river_lakes_has(&search->lakes, business))
		return NULL;
	if (search->catalog->count &&
	    bsearch(&name, search->catalog->items, search->catalog->count, sizeof(char *),
		    compare_names))
		return NULL;
	for (size_t i = 0; i < lost->count; i++)
		if (strcmp(lost->streams[i].name, name) == 0)
			return &lost->streams[i];
	RV_GROW(lost->streams, lost->count, lost->capacity);
	lost->streams[lost->count] = (struct river_lost_stream){ .name = rv_strdup(name) };
	return &lost->streams[lost->count++];
}

static enum rv_status see_loaded(void *arg, const char *name, struct rv_error *err)
{
	struct river_lost_stream *stream = enter(arg, name);

	(void)err;
	if (stream)
		stream->loaded = true;
	return RV_OK;
}

/* A journal that cannot be read is for `spool check` to say. */
static enum rv_status see_run(void *arg, const char *name, struct rv_error *err)
{
	struct search *search = arg;
	RV_CLEANUP(rv_run_free_p) struct rv_run *run = NULL;
	struct rv_run_totals totals;

	if (rv_run_open(search->state, name, false, &run, err) != RV_OK)
		return RV_OK;
	rv_run_totals_with_intake(run, &totals);
	search->waiting += totals.waiting_records;
	return RV_OK;
}

static enum rv_status see_state(void *arg, const struct rv_state *state, struct rv_error *err)
{
	struct search *search = arg;
	RV_CLEANUP(rv_free_p) char *name = rv_asprintf("%s/%s", state->business, state->stream);

	search->state = state;
	search->waiting = 0;
	if (rv_run_each(state, see_run, search, err) != RV_OK)
		return err->status;
	if (!search->waiting && !search->lost->no_lake)
		return RV_OK;
	struct river_lost_stream *stream = enter(search, name);

	if (stream)
		stream->waiting += search->waiting;
	return RV_OK;
}

static enum rv_status look_at_lake(const struct rv_command_context *cx, struct river_lost *ret,
				   struct rv_error *err)
{
	struct rv_store_object format;
	struct stat st;
	enum rv_status status = cx->lake->ops->head(cx->lake, RV_LAKE_FORMAT_NAME, &format, err);

	if (status != RV_OK && status != RV_NOT_FOUND)
		return status;
	ret->no_lake = status == RV_NOT_FOUND;
	ret->no_folder = ret->no_lake && cx->profile->lake_is_folder &&
			 stat(cx->profile->lake, &st) < 0 && errno == ENOENT;
	return RV_OK;
}

enum rv_status river_lost_find(struct rv_command_context *cx, struct rv_warehouse *warehouse,
			       const struct river_names *catalog, struct river_lost *ret,
			       struct rv_error *err)
{
	struct search search = { .catalog = catalog, .lost = ret };

	river_lakes_init(&search.lakes, cx);
	if (look_at_lake(cx, ret, err) != RV_OK)
		return rv_context(err, "lake %s", cx->lake->url);
	if (warehouse && warehouse->ops->streams(warehouse, see_loaded, &search, err) != RV_OK)
		return rv_context(err, "look at the warehouse");
	if (rv_state_each(cx->profile->state_dir, cx->lake->url, see_state, &search, err) != RV_OK)
		return rv_context(err, "look at the spool");
	return RV_OK;
}

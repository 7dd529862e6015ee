/* Definitions against the catalog. A lake in the cloud takes ten milliseconds for each answer, so a
 * thousand streams are asked about side by side; what is found is put together in the order of the
 * definitions. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "config/definition.h"
#include "flow/catalog.h"
#include "stream_gone.h"
#include "stream_plan.h"

#define WORKERS 16

struct found {
	struct river_place *place;
	struct rv_stream wanted, existing;
	enum rv_catalog_outcome outcome;
	char etag[RV_ETAG_TEXT];
	enum rv_status status;
	struct rv_error err; /* says something only where `status` is a failure */
};
struct looking {
	const struct river_definitions *definitions;
	const struct river_plan_params *params;
	struct found *found;
	pthread_mutex_t mutex;
	size_t next;
};

/* A definition of its own for a step: through its JSON, which is what will be written. */
static void copy_stream(struct rv_stream *to, const struct rv_stream *from)
{
	struct rv_stream bare = *from;
	struct rv_error err = RV_ERROR_INIT;

	if (!bare.id[0])
		rv_ulid_new(0, bare.id); /* the catalog's form has them */
	if (!bare.nonce[0])
		rv_ulid_new(0, bare.nonce);
	json_t *json = rv_definition_json(&bare);
	RV_CLEANUP(rv_free_p) char *text = json_dumps(json, JSON_COMPACT);

	json_decref(json);
	if (rv_definition_from_json("copy", text, strlen(text), to, &err) != RV_OK)
		rv_bug("a definition does not survive its own JSON: %s", err.message);
	memcpy(to->id, from->id, sizeof(to->id));
	memcpy(to->nonce, from->nonce, sizeof(to->nonce));
	to->created_ms = from->created_ms;
}

static void told_difference(const struct river_definition *definition, const struct found *found,
			    struct rv_error *err)
{
	river_told_difference(&found->existing, &found->wanted, err);
	if (definition->file)
		rv_error_at(err, definition->file, definition->line, 1);
}

/* A stream whose definition has gone is adopted with what waits for it on this host: under another id nothing
 * would ever deliver that. A state folder that cannot be read keeps no stream from being made. */
static void take_back(struct found *f, char id[RV_ULID_TEXT])
{
	struct rv_error ignored = RV_ERROR_INIT;
	struct river_gone gone;

	if (river_gone_find(f->place->profile, f->place->lake, &f->wanted, &gone, &ignored) != RV_OK)
		return;
	memcpy(id, gone.id, RV_ULID_TEXT);
	memcpy(f->wanted.id, id, RV_ULID_TEXT);
}

static enum rv_status look_at(const struct looking *l, size_t at, struct rv_error *err)
{
	const struct river_definition *definition = &l->definitions->items[at];
	struct found *f = &l->found[at];
	struct rv_catalog_create create = {
		.adopt = l->params->adopt,
		.fresh = l->params->fresh,
		.dry_run = true,
		.is_checked = true,
		.now_ms = rv_clock_ms(),
	};
	char name[RV_STREAM_TEXT], id[RV_ULID_TEXT];

	copy_stream(&f->wanted, &definition->stream);
	/* Firehose may bring a record twice; only a stamp tells (semantics.md 3.4). */
	if (!definition->stream.stamp_given &&
	    strcmp(f->place->profile->delivery_type, "firehose") == 0)
		f->wanted.stamp = RV_STAMP_ID;
	memcpy(id, f->wanted.id, sizeof(id));
	if (rv_catalog_create(f->place->lake, &f->wanted, &create, &f->outcome, &f->existing, err) !=
	    RV_OK)
		return err->status;
	if (f->outcome == RV_CATALOG_CREATED) {
		memcpy(f->wanted.id, id, sizeof(id)); /* of a plan that was kept */
		if (!id[0] && l->params->adopt)
			take_back(f, id);
		if (!id[0] && (l->params->names_ids || river_is_service(f->place->profile)))
			rv_ulid_new(create.now_ms, f->wanted.id);
	}
	if (f->outcome != RV_CATALOG_DIFFERS)
		return RV_OK;
	if (!l->params->update) {
		told_difference(definition, f, err);
		return err->status;
	}
	rv_stream_text(&f->wanted, name);
	rv_stream_release(&f->existing);
	rv_stream_init(&f->existing);
	return rv_catalog_get(f->place->lake, name, &f->existing, f->etag, err);
}

static void *work(void *arg)
{
	struct looking *l = arg;

	for (;;) {
		pthread_mutex_lock(&l->mutex);
		size_t at = l->next++;

		pthread_mutex_unlock(&l->mutex);
		if (at >= l->definitions->count)
			return NULL;
		if (l->found[at].place && !rv_stop_signal())
			l->found[at].status = look_at(l, at, &l->found[at].err);
	}
}

static void look_at_all(struct looking *l)
{
	pthread_t threads[WORKERS];
	size_t started = 0, wanted = l->definitions->count < WORKERS ? l->definitions->count : WORKERS;
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for the main thread */
	while (started + 1 < wanted && pthread_create(&threads[started], NULL, work, l) == 0)
		started++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	work(l);
	for (size_t i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
}

static enum rv_status add_step(struct rv_command_context *cx, const struct river_plan_params *params,
			       struct found *f, struct river_plan *plan, struct rv_error *err)
{
	struct river_step *step = river_plan_add(plan, RIVER_CREATE, f->place);

	step->stream = f->wanted;
	rv_stream_init(&f->wanted);
	if (f->outcome == RV_CATALOG_UNCHANGED) {
		step->action = RIVER_UNCHANGED;
	} else if (f->outcome == RV_CATALOG_DIFFERS) {
		step->action = RIVER_UPDATE;
		step->existing = f->existing;
		rv_stream_init(&f->existing);
		memcpy(step->etag, f->etag, sizeof(step->etag));
		/* as it will be written, but for the nonce */
		memcpy(step->stream.id, step->existing.id, sizeof(step->stream.id));
		memcpy(step->stream.nonce, step->existing.nonce, sizeof(step->stream.nonce));
		memcpy(step->stream.since, step->existing.since, sizeof(step->stream.since));
		step->stream.created_ms = step->existing.created_ms;
	}
	river_place_enter(cx, f->place);
	/* A stream that is about to be made may find what a former attempt left. */
	return river_resources_look(&f->place->resources, &step->stream,
				    params->update || step->action == RIVER_CREATE, step->views, err);
}

static enum rv_status put_together(struct rv_command_context *cx, struct looking *l,
				   struct river_plan *plan, struct rv_error *err)
{
	for (size_t i = 0; i < l->definitions->count; i++) {
		struct found *f = &l->found[i];

		if (f->status == RV_OK && add_step(cx, l->params, f, plan, err) == RV_OK)
			continue;
		if (f->status != RV_OK)
			*err = f->err;
		if (!river_is_about_one(err->status))
			return err->status;
		river_plan_conflict(plan, err);
	}
	return RV_OK;
}

enum rv_status river_plan_look(struct rv_command_context *cx,
			       const struct river_definitions *definitions,
			       const struct river_plan_params *params, struct river_plan *plan,
			       struct rv_error *err)
{
	struct looking l = {
		.definitions = definitions,
		.params = params,
		.found = rv_calloc(definitions->count + 1, sizeof(*l.found)),
		.mutex = PTHREAD_MUTEX_INITIALIZER,
	};
	enum rv_status status = RV_OK;
	char name[RV_STREAM_TEXT];

	for (size_t i = 0; i < definitions->count; i++) {
		rv_stream_init(&l.found[i].wanted);
		rv_stream_init(&l.found[i].existing);
		l.found[i].err = (struct rv_error)RV_ERROR_INIT;
		if (status == RV_OK)
			status = river_place_of(cx, rv_stream_text(&definitions->items[i].stream, name),
						params, plan, &l.found[i].place, err);
	}
	if (status == RV_OK) {
		look_at_all(&l);
		status = rv_stop_signal() ? rv_fail(err, RV_FAILED, "stopped; nothing was changed")
					  : put_together(cx, &l, plan, err);
	}
	for (size_t i = 0; i < definitions->count; i++) {
		rv_stream_release(&l.found[i].wanted);
		rv_stream_release(&l.found[i].existing);
	}
	free(l.found);
	return status;
}

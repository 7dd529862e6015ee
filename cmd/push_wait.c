/* Waiting for what was pushed; see the header. */
#include "push_wait.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "flow/arrival.h"
#include "flow/load.h"
#include "flow/object_name.h"

/* ---- landed, where a service names the objects ---- */

struct runs {
	char **names;
	size_t count, capacity;
};

static void runs_release(struct runs *runs)
{
	for (size_t i = 0; i < runs->count; i++)
		free(runs->names[i]);
	free(runs->names);
}

static void add_run(struct runs *runs, const char *name)
{
	for (size_t i = 0; i < runs->count; i++)
		if (strcmp(runs->names[i], name) == 0)
			return;
	RV_GROW(runs->names, runs->count, runs->capacity);
	runs->names[runs->count++] = rv_strdup(name);
}

static void say_progress(void *arg, uint64_t arrived, uint64_t accepted)
{
	rv_progress_update(arg, rv_clock_monotonic_ms(), arrived, accepted, arrived);
}

static enum rv_status wait_arrival(const struct river_push_wait *wait, struct rv_arrival *ret,
				   struct rv_error *err)
{
	RV_CLEANUP(runs_release) struct runs runs = { 0 };
	struct rv_progress progress;
	struct rv_object_name name;
	const char *object;
	json_t *item;
	size_t i;
	json_array_foreach(wait->result->runs, i, item)
		add_run(&runs, json_string_value(item));
	json_object_foreach(wait->result->older, object, item)
		if (rv_object_name_parse(object, &name))
			add_run(&runs, name.run);
	struct rv_arrival_params params = {
		.lake = wait->cx->lake,
		.stream = wait->stream,
		.runs = (const char *const *)runs.names,
		.runs_count = runs.count,
		.timeout_ms = wait->cx->timeout_ms,
		.should_stop = rv_should_stop,
		.progress = say_progress,
		.arg = &progress,
	};
	rv_progress_start(&progress, "wait", rv_clock_monotonic_ms());
	enum rv_status status = rv_arrival_wait(&params, ret, err);
	rv_progress_end(&progress);
	return status;
}

/* ---- loaded ---- */

static bool in_runs(const json_t *runs, const char *object)
{
	struct rv_object_name name;
	size_t i;
	json_t *run;
	if (!rv_object_name_parse(object, &name))
		return false;
	json_array_foreach(runs, i, run) {
		if (strcmp(json_string_value(run), name.run) == 0)
			return true;
	}
	return false;
}

static bool go_on(void *arg RV_UNUSED, uint64_t rows RV_UNUSED, uint64_t bytes RV_UNUSED)
{
	return !rv_should_stop();
}

/* Everything that is pending is loaded, but only what holds this push's records decides. `deadline_ms` 0: none. */
static enum rv_status load_runs(const struct river_push_wait *wait, const struct rv_arrival *arrival,
				int64_t deadline_ms, struct rv_error *err)
{
	struct rv_warehouse *warehouse = wait->warehouse;
	const struct rv_stream *stream = wait->stream;
	const struct rv_push_result *result = wait->result;
	RV_CLEANUP(rv_pending_release) struct rv_pending pending = { .items = NULL };
	warehouse->deadline_ms = deadline_ms;
	if (rv_pending_find(wait->cx->lake, warehouse, stream, &pending, err) != RV_OK)
		return err->status;
	if (!pending.count && !warehouse->ops->remote)
		return RV_OK;
	const struct rv_load_params params = {
		.wait = true,
		.deadline_ms = warehouse->deadline_ms,
		.progress = go_on,
	};
	if (warehouse->ops->load(warehouse, stream, pending.items, pending.count, &params, err) != RV_OK)
		return err->status;
	for (size_t i = 0; i < pending.count; i++) {
		const struct rv_load *item = &pending.items[i];
		if (!in_runs(result->runs, item->object) &&
		    !json_object_get(result->older, item->object) &&
		    !rv_arrival_has(arrival, item->object))
			continue;
		if (item->state == RV_LOAD_FAILED)
			return rv_fail(err, RV_FAILED, "%s: %s", item->object, item->message);
		if (item->state == RV_LOAD_PENDING || item->state == RV_LOAD_QUEUED)
			return rv_fail(err, RV_FAILED, "%s before %s was loaded",
				       rv_should_stop() ? "stopped" : "the time was over", item->object);
	}
	struct rv_warehouse_refused refused = { .count = 0 };
	if (stream->columns_count && warehouse->ops->refused &&
	    warehouse->ops->refused(warehouse, stream, true, &refused, err) != RV_OK)
		return err->status;
	if (refused.count)
		rv_warn("%" PRIu64 " rows of %s/%s are refused by its definition, see the table "
			"%s.%s_refused", refused.count, stream->business, stream->name,
			stream->business, stream->name);
	return RV_OK;
}

enum rv_status river_push_wait(const struct river_push_wait *wait, struct rv_error *err)
{
	RV_CLEANUP(rv_arrival_release) struct rv_arrival arrival = { .accepted = 0 };
	char text[RV_STREAM_TEXT];
	/* One for both waits: --timeout is the time of the whole. */
	int64_t timeout_ms = wait->cx->timeout_ms;
	int64_t deadline_ms = timeout_ms < 0 ? 0 : rv_clock_monotonic_ms() + timeout_ms;
	rv_stream_text(wait->stream, text);
	if (!wait->delivery->ops->names_objects && wait_arrival(wait, &arrival, err) != RV_OK) {
		if (err->status != RV_KEPT)
			rv_context(err, "the records were taken, but whether they are in the lake is not known");
		if (!err->hint[0])
			rv_hint(err, "do not send them again; 'river status %s' tells when they have arrived",
				text);
		return err->status = RV_KEPT;
	}
	if (!wait->warehouse || load_runs(wait, &arrival, deadline_ms, err) == RV_OK)
		return RV_OK;
	rv_context(err, "the records are in the lake, but not all in the tables");
	if (!err->hint[0])
		rv_hint(err, "do not send them again; 'river snowpipe notify %s' loads them", text);
	return err->status = RV_KEPT;
}

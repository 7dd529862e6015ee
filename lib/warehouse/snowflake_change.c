/*
 * Doing what a comparison found. Each change is one request of all its statements, under an id of its
 * own, so that a repeated one is not executed twice; several changes go side by side, each after those it
 * depends on. A failure is kept with its change, and the rest is done all the same.
 */
#include <inttypes.h>
#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/memory.h"
#include "warehouse/snowflake_plan.h"

#define WORKERS 8
/* How long a pipe may take to load what it was told of before, and how often it is asked. */
#define DRAIN_MS 120000
#define DRAIN_STEP_MS 500

struct doing {
	struct rv_snowflake_warehouse *w;
	struct rv_changes *changes;
	const struct rv_change_params *params;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	bool *taken, *over;        /* of each change: begun, and come to its end */
	bool *stands;              /* what depends on it may begin */
	size_t left, done, total;
};

static bool stopped(const struct rv_snowflake_warehouse *w)
{
	return w->params.stop && w->params.stop();
}

/* ---- one change ---- */

static enum rv_status send_at_once(const struct doing *d, const char *const *statements, size_t count,
				   size_t *ret_done, rv_snowflake_sink *sink, void *arg,
				   struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	struct rv_snowflake_outcome outcome = { .done = 0 };

	for (size_t i = 0; i < count; i++)
		rv_strbuf_printf(&sql, "%s%s", i ? ";\n" : "", statements[i]);
	const struct rv_snowflake_statement statement = {
		.sql = sql.bytes,
		.count = count > 1 ? (unsigned)count : 0,
		.database = "", /* it may not be there yet, and every name is written out */
		.schema = "",
		.warehouse = d->w->params.warehouse,
		.role = d->w->params.role,
		.deadline_ms = d->params->deadline_ms,
	};
	enum rv_status status = rv_snowflake_execute(d->w->params.snowflake, &statement, sink, arg,
						     &outcome, err);

	*ret_done += status == RV_OK ? count : outcome.done;
	return status;
}

/* "Execution of multiple statements failed": which one, and little of why. */
#define CODE_OF_SEVERAL "100132"

/* Several statements in one request. When one of them fails, those from there on are sent one by one:
 * the failure then has a code and a reason of its own. Each may be carried out twice. */
static enum rv_status send(const struct doing *d, const char *const *statements, size_t count,
			   size_t *ret_done, rv_snowflake_sink *sink, void *arg, struct rv_error *err)
{
	size_t done = 0;
	enum rv_status status = send_at_once(d, statements, count, &done, sink, arg, err);

	if (status != RV_OK && count > 1 && strcmp(err->service_code, CODE_OF_SEVERAL) == 0) {
		status = RV_OK;
		while (status == RV_OK && done < count)
			status = send_at_once(d, statements + done, 1, &done, sink, arg, err);
	}
	*ret_done += done;
	return status;
}

/* Where nothing says that nothing is left, something may be. */
static enum rv_status take_pending(void *arg, const struct rv_snowflake_page *page, struct rv_error *err)
{
	struct rv_str text = page->count ? page->values[0] : (struct rv_str){ NULL, 0 };
	RV_CLEANUP(json_decrefp) json_t *json = text.p ? json_loadb(text.p, text.len, 0, NULL) : NULL;
	const json_t *pending = json_object_get(json, "pendingFileCount");

	if (!json_is_integer(pending) || json_integer_value(pending) < 0) {
		rv_fail(err, RV_FAILED, "SYSTEM$PIPE_STATUS does not say how many files it still has to load: '%.200s'",
			text.p ? text.p : "");
		rv_hint(err, "the same command again goes on once it does");
		return err->status;
	}
	*(int64_t *)arg = json_integer_value(pending);
	return RV_OK;
}

static void nap(int64_t ms)
{
	const struct timespec pause = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&pause, NULL);
}

/* What goes wrong on the way must not leave a pipe paused: nothing would be loaded, and nobody told. */
static void resume(const struct doing *d, const char *pipe)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	struct rv_error ignored = RV_ERROR_INIT;
	const char *statement;
	size_t done = 0;

	rv_strbuf_printf(&sql, "ALTER PIPE %s SET PIPE_EXECUTION_PAUSED = FALSE", pipe);
	statement = sql.bytes;
	(void)!send(d, &statement, 1, &done, NULL, NULL, &ignored);
}

/* A pipe that is paused still loads what it was told of; making it again would forget that. */
static enum rv_status drain(const struct doing *d, const char *pipe, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	int64_t until_ms = rv_clock_monotonic_ms() + DRAIN_MS, pending = 0;
	const char *statement;

	if (d->params->deadline_ms && d->params->deadline_ms < until_ms)
		until_ms = d->params->deadline_ms;
	rv_strbuf_puts(&sql, "SELECT SYSTEM$PIPE_STATUS(");
	snow_add_literal(&sql, pipe);
	rv_strbuf_putc(&sql, ')');
	statement = sql.bytes;
	for (;;) {
		size_t done = 0;

		if (send(d, &statement, 1, &done, take_pending, &pending, err) != RV_OK)
			return err->status;
		if (pending == 0)
			return RV_OK;
		if (stopped(d->w) || rv_clock_monotonic_ms() + DRAIN_STEP_MS > until_ms)
			break;
		nap(DRAIN_STEP_MS);
	}
	rv_fail(err, RV_CONFLICT, "it still has %" PRId64 " files to load, and would forget them", pending);
	rv_hint(err, "the same command again goes on when they are loaded");
	return err->status;
}

static enum rv_status run_statements(const struct doing *d, const struct rv_change *change,
				     size_t *ret_done, struct rv_error *err)
{
	const char *const *statements = (const char *const *)change->statements;
	size_t count = change->statements_count;

	if (!change->drains)
		return send(d, statements, count, ret_done, NULL, NULL, err);
	if (send(d, statements, 1, ret_done, NULL, NULL, err) != RV_OK)
		return err->status;
	if (drain(d, change->drains, err) != RV_OK ||
	    send(d, statements + 1, count - 1, ret_done, NULL, NULL, err) != RV_OK) {
		resume(d, change->drains);
		return err->status;
	}
	return RV_OK;
}

static void run_change(struct doing *d, struct rv_change *change, bool *ret_stands)
{
	struct rv_error err = RV_ERROR_INIT;
	size_t done = 0;

	if (stopped(d->w))
		rv_fail(&err, RV_FAILED, "stopped before it");
	else if (run_statements(d, change, &done, &err) == RV_OK)
		change->state = RV_CHANGE_DONE;
	*ret_stands = change->state == RV_CHANGE_DONE || done >= change->essential;
	if (change->state == RV_CHANGE_DONE)
		return;
	change->state = stopped(d->w) && !done ? RV_CHANGE_SKIPPED : RV_CHANGE_FAILED;
	rv_context(&err, "%s", change->object);
	if (err.status == RV_AUTH && change->hint)
		rv_hint(&err, "%s", change->hint);
	change->error = rv_malloc(sizeof(*change->error));
	*change->error = err;
}

/* ---- all of them ---- */

/* The place of a change that may begin; SIZE_MAX: none now. Those that cannot be are skipped. */
static size_t next_change(struct doing *d)
{
	for (size_t i = 0; i < d->changes->count; i++) {
		struct rv_change *change = &d->changes->items[i];
		bool ready = !d->taken[i], possible = true;

		for (size_t k = 0; k < change->after_count && ready; k++) {
			size_t before = change->after[k];

			ready = d->over[before];
			possible &= !change->needs[k] || d->stands[before];
		}
		if (!ready)
			continue;
		d->taken[i] = true;
		if (possible)
			return i;
		change->state = RV_CHANGE_SKIPPED;
		d->over[i] = true;
		d->left--;
		i = SIZE_MAX; /* others may wait for this one alone: from the start */
	}
	return SIZE_MAX;
}

static void *work(void *arg)
{
	struct doing *d = arg;

	pthread_mutex_lock(&d->mutex);
	while (d->left) {
		size_t place = next_change(d);

		if (place == SIZE_MAX) {
			if (d->left)
				pthread_cond_wait(&d->changed, &d->mutex);
			continue;
		}
		struct rv_change *change = &d->changes->items[place];
		bool stands = false;

		pthread_mutex_unlock(&d->mutex);
		run_change(d, change, &stands);
		pthread_mutex_lock(&d->mutex);
		d->stands[place] = stands;
		d->over[place] = true;
		d->left--;
		d->done++;
		if (d->params->progress)
			d->params->progress(d->params->arg, change, d->done, d->total);
		pthread_cond_broadcast(&d->changed);
	}
	pthread_cond_broadcast(&d->changed);
	pthread_mutex_unlock(&d->mutex);
	return NULL;
}

static enum rv_status first_failure(const struct rv_changes *changes, struct rv_error *err)
{
	for (int skipped = 0; skipped < 2; skipped++)
		for (size_t i = 0; i < changes->count; i++) {
			const struct rv_change *change = &changes->items[i];

			if (!change->error || (change->state == RV_CHANGE_SKIPPED) != skipped)
				continue;
			*err = *change->error;
			return err->status;
		}
	return RV_OK;
}

enum rv_status snow_change(struct rv_warehouse *warehouse, struct rv_changes *changes,
			   const struct rv_change_params *params, struct rv_error *err)
{
	struct doing d = {
		.w = (struct rv_snowflake_warehouse *)warehouse,
		.changes = changes,
		.params = params,
		.mutex = PTHREAD_MUTEX_INITIALIZER,
		.changed = PTHREAD_COND_INITIALIZER,
		.total = rv_changes_count(changes),
	};
	size_t workers = params->workers ? params->workers : WORKERS;
	RV_CLEANUP(rv_free_p) bool *taken = rv_calloc(changes->count + 1, sizeof(*taken));
	RV_CLEANUP(rv_free_p) bool *over = rv_calloc(changes->count + 1, sizeof(*over));
	RV_CLEANUP(rv_free_p) bool *stands = rv_calloc(changes->count + 1, sizeof(*stands));

	d.taken = taken;
	d.over = over;
	d.stands = stands;
	for (size_t i = 0; i < changes->count; i++) {
		if (changes->items[i].kind == RV_CHANGE_CONFLICT)
			rv_bug("a conflict is no change: %s", changes->items[i].object);
		bool real = rv_change_is_real(&changes->items[i]);

		real &= changes->items[i].state == RV_CHANGE_PLANNED;
		taken[i] = over[i] = !real;
		stands[i] = !rv_change_is_real(&changes->items[i]);
		d.left += real;
	}
	if (workers > d.left)
		workers = d.left;
	RV_CLEANUP(rv_free_p) pthread_t *threads = rv_calloc(workers + 1, sizeof(*threads));
	size_t started = 0;
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for the main thread */
	while (started + 1 < workers && pthread_create(&threads[started], NULL, work, &d) == 0)
		started++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	work(&d); /* this thread is one of them, and enough when there are no others */
	for (size_t i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	return first_failure(changes, err);
}

/* ---- the ops ---- */

enum rv_status snow_compare(struct rv_warehouse *warehouse, const struct rv_stream *const *streams,
			    size_t count, struct rv_changes *ret, struct rv_error *err)
{
	const struct rv_snowflake_warehouse *w = (struct rv_snowflake_warehouse *)warehouse;
	RV_CLEANUP(snow_seen_release) struct snow_seen seen = { 0 };

	if (!count)
		return RV_OK;
	if (snow_see(w, streams, count, &seen, err) != RV_OK)
		return rv_context(err, "look at database %s", w->params.database);
	return snow_compare_seen(w, streams, count, &seen, ret, err);
}

enum rv_status snow_removal(struct rv_warehouse *warehouse, const struct rv_stream *stream, bool data,
			    struct rv_changes *ret, struct rv_error *err)
{
	const struct rv_snowflake_warehouse *w = (struct rv_snowflake_warehouse *)warehouse;
	RV_CLEANUP(snow_seen_release) struct snow_seen seen = { 0 };

	if (snow_see(w, &stream, 1, &seen, err) != RV_OK)
		return rv_context(err, "look at database %s", w->params.database);
	snow_removal_seen(w, stream, data, &seen, ret);
	return RV_OK;
}

static enum rv_status refuse(const struct rv_changes *changes, struct rv_error *err)
{
	for (size_t i = 0; i < changes->count; i++) {
		const struct rv_change *change = &changes->items[i];

		if (change->kind != RV_CHANGE_CONFLICT)
			continue;
		rv_fail(err, RV_CONFLICT, "%s: %s", change->object, change->why);
		rv_hint(err, "%s", change->hint ? change->hint : "");
		return err->status;
	}
	return RV_OK;
}

enum rv_status snow_plan(struct rv_warehouse *w, const struct rv_stream *stream, bool apply,
			 void (*each)(void *arg, const char *statement), void *arg,
			 struct rv_error *err)
{
	RV_CLEANUP(rv_changes_release) struct rv_changes changes = { 0 };
	const struct rv_change_params params = { .workers = 0 };

	if (snow_compare(w, &stream, 1, &changes, err) != RV_OK || refuse(&changes, err) != RV_OK)
		return err->status;
	for (size_t i = 0; i < changes.count; i++)
		for (size_t k = 0; each && k < changes.items[i].statements_count; k++)
			each(arg, changes.items[i].statements[k]);
	return apply ? snow_change(w, &changes, &params, err) : RV_OK;
}

enum rv_status snow_drop(struct rv_warehouse *w, const struct rv_stream *stream, struct rv_error *err)
{
	RV_CLEANUP(rv_changes_release) struct rv_changes changes = { 0 };
	const struct rv_change_params params = { .workers = 0 };

	if (snow_removal(w, stream, true, &changes, err) != RV_OK)
		return err->status;
	return snow_change(w, &changes, &params, err);
}

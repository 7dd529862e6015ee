/* Polls the listing; every new object of Firehose is read to its end, once. */
#include "flow/arrival.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/number.h"
#include "flow/object_name.h"
#include "flow/object_read.h"
#include "flow/receipt.h"

/* Firehose holds records back for a minute or so: asking more often finds nothing. */
#define PAUSE_FIRST_MS 1000
#define PAUSE_MOST_MS 15000
#define SLICE_MS 100
/* Hosts' clocks and Firehose's differ; a run's folder is from the one, an object's from the other. */
#define EARLIER_MS (INT64_C(2) * 3600 * 1000)

struct waiting {
	const struct rv_arrival_params *params;
	struct rv_arrival *arrival;
	struct rv_stamp_set stamps;
	uint64_t *accepted;          /* of each run; UINT64_MAX: no receipt seen */
	char *seen_day;              /* the first one of their receipts */
	char **read;                 /* objects that were read, or are not of these runs; in order */
	size_t read_count, read_capacity, read_sorted;
	char **fresh;                /* listed and not read */
	size_t fresh_count, fresh_capacity;
	struct rv_error trouble;     /* what did not work the last time */
};

static void names_free(char **names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(names[i]);
	free(names);
}

static void waiting_release(struct waiting *w)
{
	rv_stamp_set_release(&w->stamps);
	free(w->accepted);
	free(w->seen_day);
	names_free(w->read, w->read_count);
	names_free(w->fresh, w->fresh_count);
}

void rv_arrival_release(struct rv_arrival *arrival)
{
	names_free(arrival->objects, arrival->objects_count);
	*arrival = (struct rv_arrival){ .accepted = 0 };
}

bool rv_arrival_has(const struct rv_arrival *arrival, const char *object)
{
	for (size_t i = 0; i < arrival->objects_count; i++)
		if (strcmp(arrival->objects[i], object) == 0)
			return true;
	return false;
}

enum rv_status rv_arrival_possible(const struct rv_stream *stream, struct rv_error *err)
{
	char text[RV_STREAM_TEXT];
	if (stream->stamp != RV_STAMP_NONE)
		return RV_OK;
	rv_fail(err, RV_USAGE, "the records of %s carry no stamp: nothing tells when Firehose has delivered them",
		rv_stream_text(stream, text));
	rv_hint(err, "--wait sent waits until Firehose has taken them; 'stamp: id' makes them known in the lake");
	return RV_USAGE;
}

static bool stopped(const struct waiting *w)
{
	return w->params->should_stop && w->params->should_stop();
}

static size_t run_index(const struct waiting *w, const char *run)
{
	size_t i = 0;
	while (i < w->params->runs_count && strcmp(w->params->runs[i], run) != 0)
		i++;
	return i;
}

/* ---- receipts ---- */

static enum rv_status see_receipt(void *arg, const struct rv_store_object *object,
				  struct rv_error *err RV_UNUSED)
{
	struct waiting *w = arg;
	struct rv_receipt_name name;
	if (!rv_receipt_name_parse(object->name, &name) || name.open)
		return RV_OK;
	size_t i = run_index(w, name.run);
	if (i == w->params->runs_count)
		return RV_OK;
	w->accepted[i] = name.accepted;
	if (!w->seen_day)
		w->seen_day = rv_strdup(name.day); /* they come in order of days */
	return RV_OK;
}

static enum rv_status read_receipts(struct waiting *w, struct rv_error *err)
{
	const struct rv_arrival_params *params = w->params;
	char prefix[RV_OBJECT_NAME_MAX];
	w->accepted = rv_calloc(params->runs_count + 1, sizeof(*w->accepted));
	for (size_t i = 0; i < params->runs_count; i++)
		w->accepted[i] = UINT64_MAX;
	rv_receipt_prefix(params->stream, prefix);
	struct rv_store_list list = { .prefix = prefix, .names_only = true };
	if (params->lake->ops->list(params->lake, &list, see_receipt, w, err) != RV_OK)
		return rv_context(err, "list the receipts");
	for (size_t i = 0; i < params->runs_count; i++) {
		if (w->accepted[i] == UINT64_MAX)
			return rv_fail(err, RV_NOT_FOUND, "run %s has no closed receipt in the lake",
				       params->runs[i]);
		w->arrival->accepted += w->accepted[i];
	}
	return RV_OK;
}

/* ---- objects ---- */

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void add_name(char ***names, size_t *count, size_t *capacity, const char *name)
{
	RV_GROW(*names, *count, *capacity);
	(*names)[(*count)++] = rv_strdup(name);
}

static void found_in(struct waiting *w, const char *object)
{
	struct rv_arrival *arrival = w->arrival;
	add_name(&arrival->objects, &arrival->objects_count, &arrival->objects_capacity, object);
}

static void is_read(struct waiting *w, const char *object)
{
	add_name(&w->read, &w->read_count, &w->read_capacity, object);
}

static enum rv_status see_object(void *arg, const struct rv_store_object *object,
				 struct rv_error *err RV_UNUSED)
{
	struct waiting *w = arg;
	struct rv_object_name name;
	struct rv_firehose_name firehose;
	if (w->read_sorted &&
	    bsearch(&object->name, w->read, w->read_sorted, sizeof(*w->read), by_name))
		return RV_OK;
	if (rv_firehose_name_parse(object->name, w->params->stream, &firehose)) {
		add_name(&w->fresh, &w->fresh_count, &w->fresh_capacity, object->name);
		return RV_OK;
	}
	/* A batch that went into the lake under its name: river numbers records from 1. */
	if (rv_object_name_parse(object->name, &name) &&
	    run_index(w, name.run) < w->params->runs_count) {
		rv_stamp_set_add(&w->stamps, rv_str_of(name.run), name.seq, 1, name.records);
		found_in(w, object->name);
	}
	is_read(w, object->name);
	return RV_OK;
}

static bool go_on(void *arg, const struct rv_object_content *so_far RV_UNUSED)
{
	return !stopped(arg);
}

static enum rv_status read_fresh(struct waiting *w, const char *object, struct rv_error *err)
{
	RV_CLEANUP(rv_stamp_set_release) struct rv_stamp_set stamps = { .count = 0 };
	struct rv_object_content content;
	bool ours = false;
	if (rv_object_read_stamps(w->params->lake, object, go_on, w, &stamps, &content, err) != RV_OK)
		return rv_context(err, "read %s", object);
	for (size_t i = 0; i < stamps.count; i++) {
		const struct rv_stamp_run *run = &stamps.runs[i];
		if (run_index(w, run->name) == w->params->runs_count)
			continue;
		ours = true;
		for (size_t k = 0; k < run->count; k++)
			rv_stamp_set_add(&w->stamps, rv_str_of(run->name), run->ranges[k].seq,
					 run->ranges[k].from, run->ranges[k].to);
	}
	if (ours)
		found_in(w, object);
	is_read(w, object);
	return RV_OK;
}

/* The store may be hard to reach for a while, and an object may go before it is read. */
static bool may_pass(const struct rv_error *err)
{
	return err->transient || err->status == RV_NOT_FOUND;
}

static enum rv_status look(struct waiting *w, struct rv_error *err)
{
	struct rv_store *lake = w->params->lake;
	char prefix[RV_OBJECT_NAME_MAX], after[RV_OBJECT_NAME_MAX], text[RV_TIME_TEXT];
	int64_t day_ms;
	rv_object_prefix(w->params->stream, prefix);
	struct rv_store_list list = { .prefix = prefix, .names_only = true };
	/* The day of a receipt is that of the run's folder. */
	snprintf(text, sizeof(text), "%.10sT00:00:00Z", w->seen_day);
	if (rv_parse_time(text, strlen(text), &day_ms)) {
		snprintf(after, sizeof(after), "%.200s%s", prefix,
			 rv_format_folder(day_ms - EARLIER_MS, text));
		list.after = after;
	}
	w->trouble = (struct rv_error)RV_ERROR_INIT;
	names_free(w->fresh, w->fresh_count);
	w->fresh = NULL;
	w->fresh_count = w->fresh_capacity = 0;
	if (lake->ops->list(lake, &list, see_object, w, err) != RV_OK)
		return rv_context(err, "list the objects");
	for (size_t i = 0; i < w->fresh_count && !stopped(w); i++) {
		if (read_fresh(w, w->fresh[i], err) == RV_OK)
			continue;
		if (!may_pass(err))
			return err->status;
		w->trouble = *err;
	}
	return RV_OK;
}

/* ---- waiting ---- */

static bool is_complete(struct waiting *w)
{
	uint64_t arrived = 0;
	bool all = true;
	rv_stamp_set_settle(&w->stamps);
	for (size_t i = 0; i < w->params->runs_count; i++) {
		const struct rv_stamp_run *run =
			rv_stamp_set_find(&w->stamps, rv_str_of(w->params->runs[i]));
		uint64_t there = run ? run->distinct : 0;
		arrived += there;
		all = all && there >= w->accepted[i];
	}
	w->arrival->arrived = arrived;
	return all;
}

static int64_t pass_time(const struct waiting *w, int64_t ms)
{
	if (w->params->pass)
		return w->params->pass(w->params->arg, ms);
	int64_t end_ms = rv_clock_monotonic_ms() + ms;
	while (!stopped(w) && rv_clock_monotonic_ms() < end_ms) {
		struct timespec slice = { 0, SLICE_MS * 1000000L };
		nanosleep(&slice, NULL);
	}
	return rv_clock_monotonic_ms();
}

static enum rv_status not_all(const struct waiting *w, struct rv_error *err)
{
	const struct rv_arrival *a = w->arrival;
	char n[RV_NUMBER_TEXT], m[RV_NUMBER_TEXT];
	rv_fail(err, RV_KEPT, "%s of %s records that Firehose acknowledged have been seen in the lake%s%s%s",
		rv_format_count(a->arrived, n), rv_format_count(a->accepted, m),
		stopped(w) ? "; stopped by a signal" : w->params->timeout_ms == 0 ? "" : "; the time is over",
		w->trouble.status != RV_OK ? ": " : "", w->trouble.message);
	rv_hint(err, "do not send them again; 'river status' tells when they have arrived");
	return RV_KEPT;
}

enum rv_status rv_arrival_wait(const struct rv_arrival_params *params, struct rv_arrival *ret,
			       struct rv_error *err)
{
	*ret = (struct rv_arrival){ .accepted = 0 };
	RV_CLEANUP(waiting_release) struct waiting w = {
		.params = params, .arrival = ret, .trouble = RV_ERROR_INIT };
	if (rv_arrival_possible(params->stream, err) != RV_OK || read_receipts(&w, err) != RV_OK)
		return err->status;
	if (!ret->accepted)
		return RV_OK;
	int64_t now_ms = pass_time(&w, 0), pause_ms = PAUSE_FIRST_MS;
	int64_t end_ms = params->timeout_ms < 0 ? INT64_MAX : now_ms + params->timeout_ms;
	for (;;) {
		if (look(&w, err) != RV_OK) {
			if (!may_pass(err))
				return err->status;
			w.trouble = *err;
		}
		w.read_sorted = w.read_count;
		if (w.read_count)
			qsort(w.read, w.read_count, sizeof(*w.read), by_name);
		bool all = is_complete(&w);
		if (params->progress)
			params->progress(params->arg, ret->arrived, ret->accepted);
		if (all)
			return RV_OK;
		if (stopped(&w) || now_ms >= end_ms)
			return not_all(&w, err);
		now_ms = pass_time(&w, end_ms - now_ms < pause_ms ? end_ms - now_ms : pause_ms);
		pause_ms = pause_ms * 3 / 2 < PAUSE_MOST_MS ? pause_ms * 3 / 2 : PAUSE_MOST_MS;
	}
}

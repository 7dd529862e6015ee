/* `river snowpipe`: from the lake into the warehouse, and what became of each object. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/number.h"
#include "context.h"
#include "flow/catalog.h"
#include "flow/load.h"
#include "flow/object_name.h"
#include "flow/rebuild.h"
#include "format/s3_event.h"

static const char *const state_names[] = { "pending", "loaded", "known",
					   "partial", "failed", "queued" };

struct opened {
	struct rv_stream stream;
	struct rv_warehouse *warehouse;
};

static void opened_release(struct opened *o)
{
	rv_warehouse_free(o->warehouse);
	rv_stream_release(&o->stream);
}

/* The first operand is the stream. */
static enum rv_status open_stream(struct rv_command_context *cx, int count, char **operands,
				  struct opened *o, struct rv_error *err)
{
	rv_stream_init(&o->stream);
	if (count < 1)
		return rv_fail(err, RV_USAGE, "no stream given");
	if (rv_wire_business(cx, operands[0], err) != RV_OK)
		return err->status;
	if (rv_catalog_get(cx->lake, operands[0], &o->stream, NULL, err) != RV_OK)
		return err->status;
	return rv_wire_warehouse(cx->profile, cx->lake, &o->warehouse, err);
}

/* Numbers as cells of a text table. */
static const char *cell(char buf[RV_NUMBER_TEXT], uint64_t n)
{
	snprintf(buf, RV_NUMBER_TEXT, "%llu", (unsigned long long)n);
	return buf;
}

static const char *const load_headers[] = { "object", "state", "rows", "rejected", "loaded",
					    "message" };
static const bool load_right[] = { false, false, true, true, false, false };
#define LOAD_COLUMNS 6

/* A row of the ledger reads "loaded" whoever loaded it. */
static void print_load(struct rv_out *out, const struct rv_load *load, bool ledger)
{
	enum rv_load_state state = ledger && load->state == RV_LOAD_KNOWN ? RV_LOAD_LOADED
									  : load->state;
	char rows[RV_NUMBER_TEXT], rejected[RV_NUMBER_TEXT], when[RV_TIME_TEXT] = "", hash[17];
	char submitted[RV_TIME_TEXT] = "";

	if (load->loaded_ms)
		rv_format_time(load->loaded_ms, when);
	if (load->submitted_ms)
		rv_format_time(load->submitted_ms, submitted);
	snprintf(hash, sizeof(hash), "%016llx", (unsigned long long)load->set_hash);
	json_t *o = json_pack("{s:s, s:s, s:I, s:I, s:I, s:s?, s:s?, s:s?}", "object", load->object, "state",
			      state_names[state], "rows", (json_int_t)load->rows, "rejected",
			      (json_int_t)load->rejected, "bytes", (json_int_t)load->bytes, "set_hash",
			      load->rows && load->set_hash ? hash : NULL, "loaded_at",
			      when[0] ? when : NULL, "message", load->message);

	if (load->error_line)
		json_object_set_new(o, "error_line", json_integer((json_int_t)load->error_line));
	if (load->error_character)
		json_object_set_new(o, "error_character",
				    json_integer((json_int_t)load->error_character));
	if (load->retired)
		json_object_set_new(o, "retired", json_integer((json_int_t)load->retired));
	if (submitted[0])
		json_object_set_new(o, "submitted_at", json_string(submitted));
	rv_out_json(out, o);
	const char *cells[LOAD_COLUMNS] = { load->object, state_names[state],
					    cell(rows, load->rows), cell(rejected, load->rejected),
					    when, load->message ? load->message : "" };

	if (rv_out_format(out) == RV_OUT_TEXT)
		rv_out_table_row(out, cells);
}

/* ---- notify ----------------------------------------------------------------------------------- */

struct notify_options {
	bool wait, rebuild, force, dry_run;
};

static const struct rv_opt notify_options_table[] = {
	OPT_FLAG(struct notify_options, 0, "wait", wait,
		 "follow each object until it is loaded or failed; an embedded warehouse always does"),
	OPT_FLAG(struct notify_options, 0, "rebuild", rebuild,
		 "make the stream's tables again from the lake"),
	OPT_FLAG(struct notify_options, 0, "force", force,
		 "load what may have been loaded before; rebuild even when rows are lost"),
	OPT_FLAG(struct notify_options, 'n', "dry-run", dry_run,
		 "say what would be loaded and load nothing"),
	OPT_END
};

struct wanted {
	struct rv_load *items;
	size_t count, capacity;
	uint64_t gone;            /* named and not there */
	char first_gone[512];
};

static void wanted_release(struct wanted *wanted)
{
	for (size_t i = 0; i < wanted->count; i++)
		rv_load_release(&wanted->items[i]);
	free(wanted->items);
}

/* One object to load, after a look whether it is there: one that is not is told of, and is no reason
 * to leave the others. Takes `name`. */
static enum rv_status want(struct rv_command_context *cx, struct wanted *wanted, char *name,
			   struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *owned = name;
	struct rv_store_object object;

	for (size_t i = 0; i < wanted->count; i++)
		if (strcmp(wanted->items[i].object, name) == 0)
			return RV_OK;
	enum rv_status status = cx->lake->ops->head(cx->lake, name, &object, err);

	if (status == RV_NOT_FOUND) {
		if (!wanted->gone++)
			snprintf(wanted->first_gone, sizeof(wanted->first_gone), "%s", name);
		rv_warn("%s is not in the lake", name);
		return RV_OK;
	}
	if (status != RV_OK)
		return rv_context(err, "%s", name);
	RV_GROW(wanted->items, wanted->count, wanted->capacity);
	wanted->items[wanted->count++] = (struct rv_load){ .object = rv_take(owned),
							   .bytes = object.bytes,
							   .modified_ms = object.modified_ms };
	return RV_OK;
}

/* A path as people give it: in the lake, under the stream's prefix, or a file of a local lake. */
static enum rv_status want_path(struct rv_command_context *cx, const struct rv_stream *stream,
				struct wanted *wanted, const char *path, struct rv_error *err)
{
	char prefix[RV_STREAM_PLACE_MAX];
	size_t root = strlen(cx->lake->url);
	/* A shell completes paths from the working folder, and folders may be links. */
	RV_CLEANUP(rv_free_p) char *file = cx->profile->lake_is_folder ? realpath(path, NULL) : NULL;

	rv_stream_data_prefix(stream, prefix);
	if (file && strncmp(file, cx->lake->url, root) == 0 && file[root] == '/')
		path = file;
	if (strncmp(path, cx->lake->url, root) == 0 && path[root] == '/')
		path += root + 1;
	RV_CLEANUP(rv_free_p) char *name = rv_starts_with(path, "data/")
						   ? rv_strdup(path)
						   : rv_asprintf("%s%s", prefix, path);

	if (!rv_store_name_valid(name))
		return rv_fail(err, RV_USAGE, "'%s' is no object's name", path);
	if (!rv_starts_with(name, prefix)) {
		rv_fail(err, RV_USAGE, "%s is not the stream's", name);
		rv_hint(err, "its objects are under %s", prefix);
		return RV_USAGE;
	}
	return want(cx, wanted, rv_take(name), err);
}

/* Where the stream's prefix begins in a key; a lake may lie below a prefix of its bucket. */
static const char *lake_name(const char *key, const char *prefix)
{
	if (rv_starts_with(key, prefix))
		return key;
	for (const char *p = strchr(key, '/'); p; p = strchr(p + 1, '/'))
		if (rv_starts_with(p + 1, prefix))
			return p + 1;
	return NULL;
}

static enum rv_status want_events(struct rv_command_context *cx, const struct rv_stream *stream,
				  struct wanted *wanted, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	RV_CLEANUP(rv_s3_events_release) struct rv_s3_events events = { 0 };
	char prefix[RV_STREAM_PLACE_MAX];
	uint64_t elsewhere = 0;

	rv_stream_data_prefix(stream, prefix);
	if (rv_read_file("/dev/stdin", RV_S3_EVENTS_MAX_BYTES, &text, err) != RV_OK ||
	    rv_s3_events_parse(text.bytes, text.len, &events, err) != RV_OK)
		return rv_context(err, "standard input");
	for (size_t i = 0; i < events.count; i++) {
		const char *name = lake_name(events.items[i].key, prefix);

		if (!name || !rv_store_name_valid(name)) {
			if (!elsewhere++)
				rv_note("%s is not the stream's: ignored", events.items[i].key);
			continue;
		}
		if (want(cx, wanted, rv_strdup(name), err) != RV_OK)
			return err->status;
	}
	if (elsewhere > 1)
		rv_note("%llu keys are not the stream's: ignored", (unsigned long long)elsewhere);
	if (events.test)
		rv_note("a test event names no object");
	if (events.other)
		rv_note("%llu records of the events tell of something else than a new object: ignored",
			(unsigned long long)events.other);
	return RV_OK;
}

static bool show_load(void *arg, uint64_t rows, uint64_t bytes)
{
	rv_progress_update(arg, rv_clock_monotonic_ms(), bytes, 0, rows);
	return !rv_stop_signal();
}

static enum rv_status want_pending(struct rv_command_context *cx, struct opened *o,
				   struct wanted *wanted, struct rv_error *err)
{
	RV_CLEANUP(rv_pending_release) struct rv_pending pending = { 0 };

	if (rv_pending_find(cx->lake, o->warehouse, &o->stream, &pending, err) != RV_OK)
		return err->status;
	if (pending.foreign)
		rv_note("%llu objects are not river's and are loaded only by name; first %s",
			(unsigned long long)pending.foreign, pending.first_foreign);
	wanted->items = rv_take(pending.items);
	wanted->count = wanted->capacity = pending.count;
	pending.count = 0;
	return RV_OK;
}

static enum rv_status tell_gone(const struct wanted *wanted, struct rv_error *err)
{
	return rv_fail(err, RV_NOT_FOUND, "%llu objects are not in the lake; first %s",
		       (unsigned long long)wanted->gone, wanted->first_gone);
}

/* Those that nobody can tell whether they were loaded, and the first of them. */
static size_t count_old(const struct wanted *wanted, const struct rv_load **ret_first)
{
	size_t n = 0;

	for (size_t i = 0; i < wanted->count; i++) {
		const struct rv_load *item = &wanted->items[i];

		if (item->state == RV_LOAD_PENDING && item->message && !n++)
			*ret_first = item;
	}
	return n;
}

/* The exit code of what is neither loaded nor failed. */
static enum rv_status tell_left(const struct wanted *wanted, const struct rv_load_sum *sum, bool waited,
				struct rv_error *err)
{
	const struct rv_load *first = NULL;
	size_t old = count_old(wanted, &first), left = 0;

	for (size_t i = 0; i < wanted->count; i++)
		left += wanted->items[i].state == RV_LOAD_PENDING;
	if (old) {
		rv_fail(err, RV_FAILED, "%zu of %zu objects were left alone; first %s: %s", old,
			wanted->count, first->object, first->message);
		rv_hint(err, "if they are not loaded, --force loads them; 'river query' on the raw table's "
			"file_name tells");
		return RV_FAILED;
	}
	if (rv_stop_signal())
		return rv_fail(err, RV_FAILED, "stopped with %zu objects left", left + sum->queued);
	if (waited && left + sum->queued) {
		rv_fail(err, RV_KEPT, "the time is over, and %zu of %zu objects are not loaded yet",
			(size_t)(left + sum->queued), wanted->count);
		rv_hint(err, "they are queued: run it again to go on waiting");
		return RV_KEPT;
	}
	return left ? rv_fail(err, RV_FAILED, "stopped with %zu objects left", left) : RV_OK;
}

/* What the items became, as rows and as the exit code. */
static enum rv_status tell_result(struct rv_command_context *cx, const struct wanted *wanted, bool waited,
				  struct rv_error *err)
{
	struct rv_load_sum sum = { 0 };
	size_t shown = 0;

	rv_load_sum_add(&sum, wanted->items, wanted->count);
	for (size_t i = 0; i < wanted->count; i++) {
		const struct rv_load *item = &wanted->items[i];

		/* Text is for people: what went as it should is only counted. */
		if (cx->output == RV_OUT_JSON || cx->verbose || item->state == RV_LOAD_FAILED ||
		    item->state == RV_LOAD_PARTIAL) {
			if (!shown++)
				rv_out_table_begin(cx->out, load_headers, load_right, LOAD_COLUMNS);
			print_load(cx->out, item, false);
		}
	}
	if (shown)
		rv_out_table_end(cx->out);
	if (rv_messages_terminal() || cx->verbose)
		rv_note("loaded %llu objects, %llu rows; %llu were loaded before",
			(unsigned long long)sum.objects, (unsigned long long)sum.rows,
			(unsigned long long)sum.known);
	/* Always said: who reads an exit code 0 must not take it for more. */
	if (sum.queued && !waited)
		rv_note("%llu objects are queued, not loaded: --wait follows them, and 'river snowpipe "
			"report' tells", (unsigned long long)sum.queued);
	if (sum.failed)
		return rv_fail(err, RV_DAMAGED, "%llu of %zu objects were not loaded; first %s",
			       (unsigned long long)sum.failed, wanted->count, sum.first_failed);
	if (tell_left(wanted, &sum, waited, err) != RV_OK)
		return err->status;
	if (wanted->gone)
		return tell_gone(wanted, err);
	if (sum.rejected)
		return rv_fail(err, RV_PARTIAL, "%llu lines were no records and are not loaded",
			       (unsigned long long)sum.rejected);
	return RV_OK;
}

/* All that is pending, and what was loaded and never is: foreign objects, older ones. */
static enum rv_status want_again(struct rv_command_context *cx, struct opened *o,
				 struct wanted *wanted, const struct rv_rebuild *before,
				 struct rv_error *err)
{
	if (want_pending(cx, o, wanted, err) != RV_OK)
		return err->status;
	size_t pending = wanted->count, at = 0; /* both in order of names */

	for (size_t i = 0; i < before->count; i++) {
		const struct rv_rebuild_object *object = &before->objects[i];
		int order = -1;

		while (at < pending && (order = strcmp(wanted->items[at].object, object->name)) < 0)
			at++;
		if (object->lost || (at < pending && order == 0))
			continue;
		RV_GROW(wanted->items, wanted->count, wanted->capacity);
		wanted->items[wanted->count++] = (struct rv_load){
			.object = rv_strdup(object->name),
			.bytes = object->bytes,
		};
	}
	return RV_OK;
}

#define LOST_SHOWN 20

static enum rv_status tell_lost(const struct rv_rebuild *before, bool force, struct rv_error *err)
{
	size_t shown = 0;

	for (size_t i = 0; i < before->count && shown < LOST_SHOWN; i++)
		if (before->objects[i].lost && ++shown)
			rv_warn("%s: %s", before->objects[i].name, before->objects[i].lost);
	if (!before->lost || force)
		return RV_OK;
	rv_fail(err, RV_CONFLICT,
		"%llu objects with %llu rows could not be loaded again; first %s: %s",
		(unsigned long long)before->lost, (unsigned long long)before->lost_rows,
		before->first_lost->name, before->first_lost->lost);
	rv_hint(err, "bring them back into the lake, or lose their rows with --force");
	return RV_CONFLICT;
}

static enum rv_status rebuild(struct rv_command_context *cx, struct opened *o,
			      const struct notify_options *options, struct wanted *wanted,
			      struct rv_error *err)
{
	RV_CLEANUP(rv_rebuild_release) struct rv_rebuild before = { 0 };
	struct rv_progress progress;

	rv_progress_start(&progress, "check", rv_clock_monotonic_ms());
	enum rv_status status = rv_rebuild_check(cx->lake, o->warehouse, &o->stream, show_load,
						 &progress, &before, err);

	rv_progress_end(&progress);
	if (status == RV_OK)
		status = tell_lost(&before, options->force, err);
	if (status != RV_OK)
		return status;
	if (options->dry_run) {
		rv_note("the tables of %s/%s would be dropped, and all objects be loaded again",
			o->stream.business, o->stream.name);
		return RV_OK;
	}
	/* Without a ledger everything is pending. Killed in between, the next load goes on. */
	if (o->warehouse->ops->drop(o->warehouse, &o->stream, err) != RV_OK)
		return err->status;
	if (o->warehouse->ops->remote &&
	    o->warehouse->ops->plan(o->warehouse, &o->stream, true, NULL, NULL, err) != RV_OK)
		return rv_context(err, "make the tables again");
	return want_again(cx, o, wanted, &before, err);
}

static bool is_over(const struct opened *o, const struct rv_error *err)
{
	return o->warehouse->deadline_ms && err->transient &&
	       rv_clock_monotonic_ms() >= o->warehouse->deadline_ms;
}

static enum rv_status time_is_over(struct rv_error *err)
{
	rv_context(err, "what is to be loaded is not known yet");
	rv_hint(err, "run it again to go on waiting");
	return err->status = RV_KEPT;
}

static enum rv_status notify_run(struct rv_command_context *cx, void *options, int operands_count,
				 char **operands, struct rv_error *err)
{
	const struct notify_options *n = options;
	RV_CLEANUP(opened_release) struct opened o = { 0 };
	RV_CLEANUP(wanted_release) struct wanted wanted = { 0 };
	struct rv_progress progress;
	enum rv_status status;

	if (open_stream(cx, operands_count, operands, &o, err) != RV_OK)
		return err->status;
	if (n->rebuild && operands_count > 1)
		return rv_fail(err, RV_USAGE, "--rebuild is for the whole stream: no paths with it");
	if (n->force && !n->rebuild && !o.warehouse->ops->remote)
		return rv_fail(err, RV_USAGE, "--force is for --rebuild");
	if (n->wait && cx->timeout_ms >= 0)
		o.warehouse->deadline_ms = rv_clock_monotonic_ms() + cx->timeout_ms;
	if (n->rebuild) {
		status = rebuild(cx, &o, n, &wanted, err);
	} else if (operands_count == 1) {
		status = want_pending(cx, &o, &wanted, err);
	} else {
		status = RV_OK;
		for (int i = 1; i < operands_count && status == RV_OK; i++)
			status = strcmp(operands[i], "-") == 0
					 ? want_events(cx, &o.stream, &wanted, err)
					 : want_path(cx, &o.stream, &wanted, operands[i], err);
	}
	if (status != RV_OK)
		return is_over(&o, err) ? time_is_over(err) : status;
	if (n->dry_run) {
		rv_out_table_begin(cx->out, load_headers, load_right, 2);
		for (size_t i = 0; i < wanted.count; i++)
			print_load(cx->out, &wanted.items[i], false);
		rv_out_table_end(cx->out);
		return wanted.gone ? tell_gone(&wanted, err) : RV_OK;
	}
	if (wanted.count || (n->wait && o.warehouse->ops->remote)) {
		const struct rv_load_params params = {
			.wait = n->wait,
			.deadline_ms = o.warehouse->deadline_ms,
			.by_hand = true,
			.force = n->force,
			.progress = show_load,
			.arg = &progress,
		};

		rv_progress_start(&progress, "load", rv_clock_monotonic_ms());
		status = o.warehouse->ops->load(o.warehouse, &o.stream, wanted.items, wanted.count,
						&params, err);
		rv_progress_end(&progress);
	}
	return status == RV_OK ? tell_result(cx, &wanted, n->wait || !o.warehouse->ops->remote, err)
			       : status;
}

static const struct rv_example notify_examples[] = {
	{ "river snowpipe notify web/clicks", "load all objects that are not loaded yet" },
	{ "river snowpipe notify web/clicks - <event.json", "load the objects an S3 event names" },
	{ "river snowpipe notify web/clicks --wait --timeout 10m",
	  "and return when they are loaded, with the truth" },
	{ "river snowpipe notify web/clicks --rebuild", "make the tables again from the lake" },
	{ NULL, NULL },
};

const struct rv_command cmd_snowpipe_notify = {
	.name = "snowpipe notify",
	.group = RV_GROUP_LOAD,
	.summary = "load objects of a stream into the warehouse",
	.operands = "<stream> [<path>...]",
	.needs = RV_NEEDS_LAKE,
	.operand_complete = { RV_COMPLETE_STREAM, RV_COMPLETE_FILE },
	.options = notify_options_table,
	.options_size = sizeof(struct notify_options),
	.examples = notify_examples,
	.run = notify_run,
};

/* ---- history ---------------------------------------------------------------------------------- */

struct no_options {
	bool none;
};

static const struct rv_opt no_options_table[] = { OPT_END };

static enum rv_status only_stream(int count, char **operands, struct rv_error *err)
{
	return count > 1 ? rv_fail(err, RV_USAGE, "unexpected argument '%s'", operands[1]) : RV_OK;
}

static enum rv_status history_row(void *arg, const struct rv_load *load, struct rv_error *err)
{
	(void)err;
	print_load(arg, load, true);
	return RV_OK;
}

static enum rv_status history_run(struct rv_command_context *cx, void *options, int operands_count,
				  char **operands, struct rv_error *err)
{
	RV_CLEANUP(opened_release) struct opened o = { 0 };
	(void)options;

	if (only_stream(operands_count, operands, err) != RV_OK ||
	    open_stream(cx, operands_count, operands, &o, err) != RV_OK)
		return err->status;
	rv_out_table_begin(cx->out, load_headers, load_right, LOAD_COLUMNS);
	enum rv_status status =
		o.warehouse->ops->history(o.warehouse, &o.stream, history_row, cx->out, err);

	rv_out_table_end(cx->out);
	return status;
}

static const struct rv_example history_examples[] = {
	{ "river snowpipe history web/clicks", "each object of the ledger and what became of it" },
	{ NULL, NULL },
};

const struct rv_command cmd_snowpipe_history = {
	.name = "snowpipe history",
	.group = RV_GROUP_LOAD,
	.summary = "list what was loaded of a stream, object by object",
	.operands = "<stream>",
	.needs = RV_NEEDS_LAKE,
	.operand_complete = { RV_COMPLETE_STREAM, RV_COMPLETE_NOTHING },
	.options = no_options_table,
	.options_size = sizeof(struct no_options),
	.examples = history_examples,
	.run = history_run,
};

/* ---- report ----------------------------------------------------------------------------------- */

struct report_options {
	int64_t since_ms;
};

static const struct rv_opt report_options_table[] = {
	OPT_DURATION(struct report_options, 0, "since", since_ms, "duration",
		     "loads of this long", .def = "1d"),
	OPT_END
};

struct reporting {
	struct rv_out *out;
	int64_t from_ms;
};

static enum rv_status report_row(void *arg, const struct rv_load *load, struct rv_error *err)
{
	const struct reporting *r = arg;
	(void)err;

	if (load->loaded_ms >= r->from_ms)
		print_load(r->out, load, true);
	return RV_OK;
}

static enum rv_status report_run(struct rv_command_context *cx, void *options, int operands_count,
				 char **operands, struct rv_error *err)
{
	const struct report_options *options_given = options;
	RV_CLEANUP(opened_release) struct opened o = { 0 };
	RV_CLEANUP(rv_pending_release) struct rv_pending pending = { 0 };
	struct reporting r = { cx->out, rv_clock_ms() - options_given->since_ms };

	if (only_stream(operands_count, operands, err) != RV_OK ||
	    open_stream(cx, operands_count, operands, &o, err) != RV_OK)
		return err->status;
	rv_out_table_begin(cx->out, load_headers, load_right, LOAD_COLUMNS);
	enum rv_status status =
		o.warehouse->ops->history(o.warehouse, &o.stream, report_row, &r, err);

	if (status == RV_OK)
		status = rv_pending_find(cx->lake, o.warehouse, &o.stream, &pending, err);
	for (size_t i = 0; status == RV_OK && i < pending.count; i++)
		print_load(cx->out, &pending.items[i], false);
	rv_out_table_end(cx->out);
	return status;
}

static const struct rv_example report_examples[] = {
	{ "river snowpipe report web/clicks --since 2h",
	  "what was loaded lately, and what is still pending" },
	{ NULL, NULL },
};

const struct rv_command cmd_snowpipe_report = {
	.name = "snowpipe report",
	.group = RV_GROUP_LOAD,
	.summary = "list late loads of a stream and what is pending",
	.operands = "<stream>",
	.needs = RV_NEEDS_LAKE,
	.operand_complete = { RV_COMPLETE_STREAM, RV_COMPLETE_NOTHING },
	.options = report_options_table,
	.options_size = sizeof(struct report_options),
	.examples = report_examples,
	.run = report_run,
};

/* ---- status ----------------------------------------------------------------------------------- */

struct summing {
	uint64_t loaded, rows, rejected, failed;
	int64_t last_ms;
};

static json_t *time_or_null(int64_t ms)
{
	char text[RV_TIME_TEXT];

	return ms < 0 ? json_null() : json_string(rv_format_time(ms, text));
}

static void add_pipe_json(json_t *o, const struct rv_warehouse_pipe *pipe, size_t queued)
{
	json_object_set_new(o, "queued", json_integer((json_int_t)queued));
	json_object_set_new(o, "pipe_state", json_string(pipe->state));
	json_object_set_new(o, "pipe_pending", json_integer((json_int_t)pipe->pending));
	json_object_set_new(o, "pipe_oldest", time_or_null(pipe->oldest_ms));
	json_object_set_new(o, "pipe_last_load", time_or_null(pipe->last_loaded_ms));
	json_object_set_new(o, "pipe_last_notified", time_or_null(pipe->last_notified_ms));
	json_object_set_new(o, "pipe_channel", pipe->channel[0] ? json_string(pipe->channel) : json_null());
	json_object_set_new(o, "pipe_error", pipe->error[0] ? json_string(pipe->error) : json_null());
}

static void print_pipe(struct rv_out *out, const struct rv_warehouse_pipe *pipe)
{
	rv_out_line(out, "pipe state      %s%s%s", pipe->state[0] ? pipe->state : "unknown",
		    pipe->error[0] ? ": " : "", pipe->error);
	if (pipe->pending)
		rv_out_printf(out, "in the pipe     %llu files\n", (unsigned long long)pipe->pending);
	if (pipe->channel[0])
		rv_out_line(out, "hears of them   %s", pipe->channel);
}

static enum rv_status sum_row(void *arg, const struct rv_load *load, struct rv_error *err)
{
	struct summing *s = arg;
	(void)err;

	if (load->state == RV_LOAD_QUEUED)
		return RV_OK;
	if (load->state == RV_LOAD_FAILED) {
		s->failed++;
		return RV_OK;
	}
	s->loaded++;
	s->rows += load->rows;
	s->rejected += load->rejected;
	if (load->loaded_ms > s->last_ms)
		s->last_ms = load->loaded_ms;
	return RV_OK;
}

static enum rv_status status_run(struct rv_command_context *cx, void *options, int operands_count,
				 char **operands, struct rv_error *err)
{
	RV_CLEANUP(opened_release) struct opened o = { 0 };
	RV_CLEANUP(rv_pending_release) struct rv_pending pending = { 0 };
	struct rv_warehouse_pipe pipe = { .state = "" };
	struct summing s = { 0 };
	char text[RV_STREAM_TEXT], oldest[RV_TIME_TEXT] = "", last[RV_TIME_TEXT] = "";
	char size[RV_NUMBER_TEXT], lag[RV_NUMBER_TEXT] = "";
	(void)options;

	if (only_stream(operands_count, operands, err) != RV_OK ||
	    open_stream(cx, operands_count, operands, &o, err) != RV_OK)
		return err->status;
	if (o.warehouse->ops->history(o.warehouse, &o.stream, sum_row, &s, err) != RV_OK ||
	    rv_pending_find(cx->lake, o.warehouse, &o.stream, &pending, err) != RV_OK)
		return err->status;
	if (o.warehouse->ops->pipe &&
	    o.warehouse->ops->pipe(o.warehouse, &o.stream, &pipe, err) != RV_OK)
		return err->status;
	if (pending.oldest_ms) {
		int64_t lag_ms = rv_clock_ms() - pending.oldest_ms;

		rv_format_time(pending.oldest_ms, oldest);
		rv_format_duration(lag_ms > 0 ? lag_ms : 0, lag);
	}
	if (s.last_ms)
		rv_format_time(s.last_ms, last);
	rv_stream_text(&o.stream, text);
	json_t *json =
		json_pack("{s:s, s:s, s:I, s:I, s:s?, s:I, s:I, s:I, s:I, s:s?, s:I}", "stream", text,
			  "pipe", o.stream.pipe_notify ? "notify" : "auto", "pending",
			  (json_int_t)pending.count, "pending_bytes", (json_int_t)pending.bytes,
			  "oldest_pending", oldest[0] ? oldest : NULL, "loaded", (json_int_t)s.loaded,
			  "rows", (json_int_t)s.rows, "rejected", (json_int_t)s.rejected, "failed",
			  (json_int_t)s.failed, "last_load", last[0] ? last : NULL, "foreign",
			  (json_int_t)pending.foreign);
	if (o.warehouse->ops->pipe)
		add_pipe_json(json, &pipe, pending.queued);
	rv_out_json(cx->out, json);
	rv_out_printf(cx->out, "pipe            %s\n", o.stream.pipe_notify ? "notify" : "auto");
	if (o.warehouse->ops->pipe)
		print_pipe(cx->out, &pipe);
	rv_out_printf(cx->out, "pending         %zu objects, %s\n", pending.count,
		      rv_format_size(pending.bytes, size));
	if (pending.queued)
		rv_out_printf(cx->out, "queued          %zu objects of these\n", pending.queued);
	if (oldest[0])
		rv_out_printf(cx->out, "oldest pending  %s (%s)\n", oldest, lag);
	rv_out_printf(cx->out, "loaded          %llu objects, %llu rows\n",
		      (unsigned long long)s.loaded, (unsigned long long)s.rows);
	if (last[0])
		rv_out_printf(cx->out, "last load       %s\n", last);
	if (s.failed)
		rv_out_printf(cx->out, "failed          %llu objects\n",
			      (unsigned long long)s.failed);
	if (pending.foreign)
		rv_out_line(cx->out, "foreign         %llu objects, first %s",
			    (unsigned long long)pending.foreign, pending.first_foreign);
	return RV_OK;
}

static const struct rv_example status_examples[] = {
	{ "river snowpipe status web/clicks", "how many objects wait, and since when" },
	{ NULL, NULL },
};

const struct rv_command cmd_snowpipe_status = {
	.name = "snowpipe status",
	.group = RV_GROUP_LOAD,
	.summary = "say what of a stream is loaded and what is pending",
	.operands = "<stream>",
	.needs = RV_NEEDS_LAKE,
	.operand_complete = { RV_COMPLETE_STREAM, RV_COMPLETE_NOTHING },
	.options = no_options_table,
	.options_size = sizeof(struct no_options),
	.examples = status_examples,
	.run = status_run,
};

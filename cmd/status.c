/* `river status`: counts per hop, what is on its way, and what does not agree. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/number.h"
#include "context.h"
#include "flow/catalog.h"
#include "flow/load.h"
#include "flow/reconcile.h"
#include "lakes.h"
#include "status_lost.h"
#include "status_say.h"
#include "stream_gone.h"
#include "warehouse/warehouse.h"

struct status_options {
	bool check, verify, load;
	const char *since;
};

static const struct rv_opt status_options_table[] = {
	OPT_FLAG(struct status_options, 0, "check", check,
		 "say only what is wrong or late, and exit 1 when something is"),
	OPT_FLAG(struct status_options, 0, "verify", verify,
		 "read the objects and the rows too, and compare what is in them"),
	OPT_STRING(struct status_options, 0, "since", since, "time",
		   "compare object by object what is younger than this, or all; sums for the rest",
		   .def = "7d"),
	OPT_FLAG(struct status_options, 0, "load", load, "load what is pending first",
		 .def = "yes"),
	OPT_END
};

/* What the streams of a business, or of all the others, are loaded into. */
struct account {
	struct account *next;
	const struct rv_profile *profile;
	struct rv_warehouse *warehouse; /* NULL: none, or it cannot be opened */
	struct rv_error error;          /* why it cannot; RV_OK */
};
struct status {
	struct rv_command_context *cx;
	const struct status_options *options;
	struct account home;            /* of the profile */
	struct account *account;        /* of the stream that is looked at */
	struct account *others;
	bool overview;
	bool loaded;                    /* what is pending has been, for all streams */
	int64_t now_ms;
	char since_day[RV_TIME_TEXT];   /* "": all */
	struct river_names catalog;     /* what was listed */
	uint64_t unread;                /* objects that --verify could not have */
	struct rv_error unread_error;   /* the gravest reason */
	size_t streams, bad_streams;
	uint64_t findings;
};

/* ---- the command ------------------------------------------------------------------------------ */

static void show_progress(void *arg, uint64_t done_bytes, uint64_t total_bytes)
{
	rv_progress_update(arg, rv_clock_monotonic_ms(), done_bytes, total_bytes, 0);
}

static bool load_progress(void *arg, uint64_t rows, uint64_t bytes)
{
	rv_progress_update(arg, rv_clock_monotonic_ms(), bytes, 0, rows);
	return !rv_should_stop();
}

/* The lake's half is worth showing when the warehouse's cannot be had. A service has more reasons not to
 * answer than a file. */
static enum rv_status without_warehouse(struct status *s, struct rv_error *err)
{
	struct account *a = s->account;
	bool remote = a->warehouse && a->warehouse->ops->remote && !rv_should_stop();
	if (err->status != RV_NOT_FOUND && err->status != RV_LOCKED && !remote)
		return err->status;
	a->error = *err;
	rv_warehouse_free_p(&a->warehouse);
	return RV_OK;
}

/* `stream` NULL: those of all streams whose pipe is auto. */
static enum rv_status load_pending(struct status *s, const struct rv_stream *stream,
				   struct rv_error *err)
{
	struct rv_progress progress;
	struct rv_load_sum sum = { 0 };
	struct rv_store *lake = s->cx->lake;
	struct rv_warehouse *warehouse = s->account->warehouse;
	if (!s->options->load || !warehouse || warehouse->ops->remote || s->loaded ||
	    (stream && stream->pipe_notify))
		return RV_OK;
	rv_progress_start(&progress, "load", rv_clock_monotonic_ms());
	enum rv_status status =
		stream ? rv_load_stream(lake, warehouse, stream, load_progress, &progress, &sum, err)
		       : rv_load_all(lake, warehouse, load_progress, &progress, &sum, err);
	rv_progress_end(&progress);
	if (sum.streams_failed)
		rv_warn("%" PRIu64 " stream%s could not be loaded; first %s", sum.streams_failed,
			sum.streams_failed == 1 ? "" : "s", sum.first_stream_failed);
	if (sum.objects)
		rv_verbose("loaded %" PRIu64 " objects, %" PRIu64 " rows", sum.objects, sum.rows);
	if (status == RV_OK && rv_should_stop())
		return rv_fail(err, RV_FAILED, "stopped by a signal");
	return status == RV_OK ? RV_OK : without_warehouse(s, err);
}

static void count_findings(struct status *s, const struct rv_reconcile *report)
{
	uint64_t n = report->levels[RV_FINDING_WRONG] + report->levels[RV_FINDING_LATE];
	s->findings += n;
	s->bad_streams += n > 0;
}

static struct river_status_view view_of(const struct status *s)
{
	return (struct river_status_view){
		.out = s->cx->out,
		.check = s->options->check,
		.verify = s->options->verify,
		.now_ms = s->now_ms,
		.since_day = s->since_day,
	};
}

static void print(struct status *s, const char *name, const struct rv_reconcile *report)
{
	const struct river_status_view view = view_of(s);
	bool bad = report->levels[RV_FINDING_WRONG] || report->levels[RV_FINDING_LATE];
	if (s->options->check && !bad && !s->cx->verbose)
		return;
	if (s->cx->output == RV_OUT_JSON) {
		rv_out_json(s->cx->out, river_report_json(&view, name, report));
		return;
	}
	if (s->overview)
		river_overview_row(&view, name, report);
	else if (s->options->check && !s->cx->verbose)
		river_say_findings(&view, name, report);
	else {
		if (s->streams > 1)
			rv_out_printf(s->cx->out, "\n");
		river_say_report(&view, name, report);
	}
}

/* How long records may be on their way without anything being wrong. */
static int64_t buffer_ms(const struct rv_profile *profile)
{
	if (strcmp(profile->delivery_type, "firehose") != 0 || profile->delivery_buffer_ms < 0)
		return 0;
	return profile->delivery_buffer_ms;
}

/* Opens nothing. In the overview a warehouse nobody has loaded anything into is left out. */
static enum rv_status choose_warehouse(struct status *s, struct account *a, struct rv_error *err)
{
	const struct rv_profile *profile = a->profile;
	if (strcmp(profile->warehouse_type, "none") == 0)
		return RV_OK;
	if (!s->options->load && s->overview && profile->warehouse_path &&
	    access(profile->warehouse_path, F_OK) != 0)
		return RV_OK;
	return rv_wire_warehouse(profile, s->cx->lake, &a->warehouse, err);
}

/* The stream's business may have an account of its own. */
static enum rv_status enter(struct status *s, const char *name, struct rv_error *err)
{
	if (rv_wire_business(s->cx, name, err) != RV_OK)
		return err->status;
	s->account = &s->home;
	if (s->cx->profile == s->home.profile)
		return RV_OK;
	for (struct account *a = s->others; a; a = a->next)
		if (a->profile == s->cx->profile) {
			s->account = a;
			return RV_OK;
		}
	struct account *a = rv_calloc(1, sizeof(*a));
	a->profile = s->cx->profile;
	a->error = (struct rv_error)RV_ERROR_INIT;
	a->next = s->others;
	s->others = s->account = a;
	/* An account that cannot be used is no reason not to look at the others. */
	if (choose_warehouse(s, a, err) != RV_OK)
		a->error = *err;
	return RV_OK;
}

static enum rv_status look_at(struct status *s, const char *name, struct rv_error *err)
{
	RV_CLEANUP(rv_stream_release_p) struct rv_stream stream;
	char text[RV_STREAM_TEXT];
	struct rv_progress progress;
	rv_stream_init(&stream);
	if (enter(s, name, err) != RV_OK || rv_catalog_get(s->cx->lake, name, &stream, NULL, err) != RV_OK)
		return err->status;
	if (load_pending(s, &stream, err) != RV_OK)
		return err->status;
	/* A load may have taken its time: what is old is judged by now. */
	s->now_ms = rv_clock_ms();
	struct rv_reconcile_params params = {
		.stream = &stream,
		.lake = s->cx->lake,
		.state_dir = s->cx->profile->state_dir,
		.warehouse = s->account->warehouse,
		.now_ms = s->now_ms,
		.delivery_buffer_ms = buffer_ms(s->cx->profile),
		.since_day = s->since_day[0] ? s->since_day : NULL,
		.quick = s->overview,
		.verify = s->options->verify,
		.refresh = s->options->load,
		.should_stop = rv_should_stop,
		.progress = show_progress,
		.arg = &progress,
	};
	struct rv_reconcile report;
	rv_progress_start(&progress, "verify", rv_clock_monotonic_ms());
	enum rv_status status = rv_reconcile(&params, &report, err);
	rv_progress_end(&progress);
	if (status != RV_OK)
		return status;
	if (report.warehouse_error.status != RV_OK) {
		*err = report.warehouse_error;
		if (without_warehouse(s, err) != RV_OK)
			rv_bug("a report of a warehouse that failed with %s",
			       rv_status_name(err->status));
	} else {
		report.warehouse_error = s->account->error;
	}
	s->streams++;
	s->unread += report.unread;
	if (rv_status_gravity(report.unread_error.status) > rv_status_gravity(s->unread_error.status))
		s->unread_error = report.unread_error;
	count_findings(s, &report);
	print(s, rv_stream_text(&stream, text), &report);
	rv_reconcile_release(&report);
	return rv_out_failed(s->cx->out) ? rv_fail(err, RV_LOCAL_IO, "cannot write standard output")
					 : RV_OK;
}

static enum rv_status look_if_there(void *arg, const char *name, struct rv_error *err)
{
	struct status *s = arg;
	river_names_add(&s->catalog, name);
	enum rv_status status = look_at(s, name, err);
	if (status == RV_NOT_FOUND) /* deleted since it was listed */
		return RV_OK;
	return status;
}

/* ---- the lake itself ------------------------------------------------------------------------- */

static void say_lost(struct status *s, const struct river_lost_stream *stream)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	char n[RV_NUMBER_TEXT];
	if (stream->loaded)
		rv_strbuf_puts(&text, "the warehouse has it");
	if (stream->waiting)
		rv_strbuf_printf(&text, "%s%s record%s wait%s in the spool and %s kept", text.len ? ", " : "",
				 rv_format_count(stream->waiting, n), stream->waiting == 1 ? "" : "s",
				 stream->waiting == 1 ? "s" : "", stream->waiting == 1 ? "is" : "are");
	if (!text.len)
		rv_strbuf_puts(&text, "this host knows it");
	rv_strbuf_printf(&text,
			 ", and " RV_CATALOG_PREFIX "%s.json is not in the lake: it was deleted or has gone. Put "
			 "it back as it was, or 'river stream create %s --adopt' takes the stream back%s; "
			 "'river stream delete %s --data' forgets it then",
			 stream->name, stream->name, stream->waiting ? " with what waits" : "", stream->name);
	/* Tables that outlived their stream are what 'stream delete' leaves on purpose; records that
	 * nothing will deliver any more are not. */
	struct rv_finding f = { .code = RV_FINDING_STREAM_UNKNOWN,
				.level = stream->waiting ? RV_FINDING_WRONG : RV_FINDING_NOTED,
				.message = text.bytes, .age_ms = -1 };
	s->streams++;
	if (!stream->waiting && s->options->check)
		return;
	s->bad_streams += stream->waiting > 0;
	s->findings += stream->waiting > 0;
	if (s->cx->output == RV_OUT_JSON)
		rv_out_json(s->cx->out, json_pack("{s:s, s:b, s:s, s:[o]}", "stream", stream->name,
						  "all_once", 0, "verdict", "not in the catalog",
						  "findings", river_finding_json(&f)));
	else
		river_say_finding(s->cx->out, stream->name, &f);
}

static enum rv_status lake_is_gone(const struct status *s, const struct river_lost *lost,
				   struct rv_error *err)
{
	const char *url = s->cx->lake->url;
	const struct river_lost_stream *first = lost->streams;
	if (lost->no_folder)
		rv_fail(err, RV_NOT_FOUND, "lake %s is not there", url);
	else
		rv_fail(err, RV_NOT_FOUND, "lake %s is empty: nothing in it is river's", url);
	if (!lost->count) {
		rv_hint(err, "is this the right folder and profile? 'river stream create' makes a lake");
		return err->status;
	}
	rv_hint(err, "%s knows %s%s, which should be in it: is it mounted?",
		first->loaded ? "the warehouse" : "this host", first->name,
		lost->count > 1 ? " and others" : "");
	return err->status;
}

/* A lake in which nothing is must not be called in order when somebody knows better. */
static enum rv_status look_for_lost(struct status *s, bool begun, struct rv_error *err)
{
	RV_CLEANUP(river_lost_release) struct river_lost lost = { 0 };
	if (river_lost_find(s->cx, begun ? s->home.warehouse : NULL, &s->catalog, &lost, err) != RV_OK)
		return err->status;
	if (s->streams == 0 && lost.no_lake && (lost.count || (lost.no_folder && s->options->check)))
		return lake_is_gone(s, &lost, err);
	bool none = s->streams == 0 && !lost.count;
	for (size_t i = 0; i < lost.count; i++)
		say_lost(s, &lost.streams[i]);
	if (none && lost.no_folder)
		rv_note("lake %s is not there yet: 'river stream create' makes it", s->cx->lake->url);
	else if (none)
		rv_note("there are no streams yet: 'river stream create' makes one");
	return RV_OK;
}

/* A stream is not there when its lake is not; then that is what to say. */
static enum rv_status explain_missing(struct status *s, const char *name, struct rv_error *err)
{
	RV_CLEANUP(river_lost_release) struct river_lost lost = { 0 };
	struct rv_error ignored = RV_ERROR_INIT;
	if (river_lost_find(s->cx, NULL, &s->catalog, &lost, &ignored) == RV_OK && lost.no_folder)
		return lake_is_gone(s, &lost, err);
	river_gone_explain(s->cx, name, err);
	return err->status;
}

static enum rv_status look_or_explain(void *arg, const char *name, struct rv_error *err)
{
	enum rv_status status = look_at(arg, name, err);
	return status == RV_NOT_FOUND ? explain_missing(arg, name, err) : status;
}

static enum rv_status look_at_named(struct status *s, char **names, int count, struct rv_error *err)
{
	struct river_lakes lakes;
	river_lakes_init(&lakes, s->cx);
	return river_lakes_named(&lakes, names, count, look_or_explain, s, err);
}

static enum rv_status go_home(struct status *s, struct rv_error *err)
{
	s->account = &s->home;
	return rv_wire_business(s->cx, "", err);
}

/* All streams are loaded first and then seen in one state of the warehouse, opened once. */
static enum rv_status look_at_all(struct status *s, struct rv_error *err)
{
	if (load_pending(s, NULL, err) != RV_OK)
		return err->status;
	s->loaded = true;
	bool begun = false;
	struct rv_warehouse *warehouse = s->home.warehouse;
	if (warehouse) {
		begun = warehouse->ops->begin(warehouse, false, err) == RV_OK;
		if (!begun && without_warehouse(s, err) != RV_OK)
			return err->status;
	}
	if (s->overview)
		river_overview_begin(s->cx->out);
	struct river_lakes lakes;
	river_lakes_init(&lakes, s->cx);
	enum rv_status status = river_lakes_streams(&lakes, "", NULL, look_if_there, s, err);
	if (s->overview)
		rv_out_table_end(s->cx->out);
	if (status == RV_OK)
		status = go_home(s, err);
	if (status == RV_OK)
		status = look_for_lost(s, begun && s->home.warehouse, err);
	/* Where it could not be looked into it has been freed. */
	if (begun && s->home.warehouse)
		s->home.warehouse->ops->end(s->home.warehouse);
	return status;
}

static enum rv_status parse_since(const char *text, int64_t now_ms, char ret[RV_TIME_TEXT],
				  struct rv_error *err)
{
	int64_t ms;
	*ret = '\0';
	if (strcmp(text, "all") == 0)
		return RV_OK;
	if (!rv_parse_duration(text, &ms))
		return rv_fail(err, RV_USAGE, "--since takes a time as in 12h or 7d, or all, not '%s'",
			       text);
	rv_format_day(ms < now_ms ? now_ms - ms : 0, ret);
	return RV_OK;
}

/* The first account that could not be looked into. */
static const struct rv_error *trouble(const struct status *s)
{
	const struct rv_error *why = &s->home.error;
	for (const struct account *a = s->others; a && why->status == RV_OK; a = a->next)
		why = &a->error;
	return why;
}

/* What is left to say when everything has been printed. */
static enum rv_status conclude(const struct status *s, struct rv_error *err)
{
	const struct rv_error *why = trouble(s);
	/* What an engine that is not installed is to a laptop, a missing table is not to a service. */
	bool engine = why->status == RV_NOT_FOUND && !why->service_code[0];
	if (s->options->check && s->findings)
		return rv_fail(err, RV_FAILED, "%" PRIu64 " finding%s in %zu of %zu stream%s",
			       s->findings, s->findings == 1 ? "" : "s", s->bad_streams, s->streams,
			       s->streams == 1 ? "" : "s");
	if (s->unread) {
		/* each has been named */
		if (why->status != RV_OK)
			rv_warn("the warehouse was not looked at: %s", why->message);
		*err = s->unread_error;
		return rv_context(err, "%" PRIu64 " object%s could not be verified, the first", s->unread,
				  s->unread == 1 ? "" : "s");
	}
	if (why->status == RV_OK)
		return RV_OK;
	if (s->options->check || !engine) {
		*err = *why;
		return rv_context(err, "the warehouse was not looked at");
	}
	rv_warn("the warehouse was not looked at: %s", why->message);
	if (why->hint[0])
		rv_note("%s", why->hint);
	return RV_OK;
}

static void status_release(struct status *s)
{
	rv_warehouse_free_p(&s->home.warehouse);
	for (struct account *a = s->others, *next; a; a = next) {
		next = a->next;
		rv_warehouse_free(a->warehouse);
		free(a);
	}
	river_names_release(&s->catalog);
}

static enum rv_status status_run(struct rv_command_context *cx, void *options, int count,
				 char **operands, struct rv_error *err)
{
	struct status s = {
		.cx = cx,
		.options = options,
		.home = { .profile = cx->profile, .error = RV_ERROR_INIT },
		.unread_error = RV_ERROR_INIT,
		.now_ms = rv_clock_ms(),
	};
	s.account = &s.home;
	s.overview = count == 0 && !s.options->check && !s.options->verify;
	if (parse_since(s.options->since, s.now_ms, s.since_day, err) != RV_OK ||
	    choose_warehouse(&s, &s.home, err) != RV_OK)
		return err->status;
	enum rv_status status = RV_OK;
	if (count == 0)
		status = look_at_all(&s, err);
	else
		status = look_at_named(&s, operands, count, err);
	/* That standard output failed is for the output to say: a reader that left is no failure. */
	if (rv_out_failed(cx->out))
		status = RV_OK;
	else if (status == RV_OK)
		status = conclude(&s, err);
	status_release(&s);
	return status;
}

static const struct rv_example status_examples[] = {
	{ "river status", "every stream, a line each" },
	{ "river status web/clicks", "each hop of one stream, and whether all arrived once" },
	{ "river status --check", "for cron: silent when all is well, else 1 and what is not" },
	{ "river status web/clicks --verify --since all", "read everything there is once more" },
	{ NULL, NULL },
};

const struct rv_command cmd_status = {
	.name = "status",
	.group = RV_GROUP_LOOK,
	.summary = "show counts per hop, and prove that every record arrived once",
	.operands = "[<stream>...]",
	.needs = RV_NEEDS_PROFILE | RV_NEEDS_LAKE,
	.operand_complete = { RV_COMPLETE_STREAM, RV_COMPLETE_STREAM },
	.options = status_options_table,
	.options_size = sizeof(struct status_options),
	.examples = status_examples,
	.run = status_run,
};

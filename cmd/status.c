/* `river status`: counts per hop, what is on its way, and what does not agree. */
#include <inttypes.h>
#include <stdio.h>
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
#include "format/json_text.h"
#include "status_lost.h"
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

struct status {
	struct rv_command_context *cx;
	const struct status_options *options;
	struct rv_warehouse *warehouse; /* NULL: none, or it cannot be opened */
	struct rv_error warehouse_error; /* why it cannot; RV_OK */
	bool wants_warehouse;           /* the profile has one */
	bool overview;
	bool loaded;                    /* what is pending has been, for all streams */
	int64_t now_ms;
	char since_day[RV_TIME_TEXT];   /* "": all */
	struct river_names catalog;     /* what was listed */
	size_t streams, bad_streams;
	uint64_t findings;
};

/* ---- words ------------------------------------------------------------------------------------ */

static const char *ago(const struct status *s, int64_t ms, char buf[RV_NUMBER_TEXT])
{
	if (ms < 0)
		return "";
	int64_t age = s->now_ms > ms ? s->now_ms - ms : 0;
	return rv_format_duration(age / 1000 * 1000, buf);
}

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

/* Firehose delivers at least once; what came again is no loss and no surprise. */
static void say_twice(const struct rv_stamped *stamped, struct rv_strbuf *out)
{
	char n[RV_NUMBER_TEXT];
	if (stamped->twice)
		rv_strbuf_printf(out, "; %s came again under the same stamp%s%s",
				 rv_format_count(stamped->twice, n), plural(stamped->twice),
				 stamped->deduplicated ? ", which the clean layer leaves out"
						       : ", and no layer leaves that out");
}

/* One sentence: either all is well, or the list of what is not. */
static void verdict(const struct rv_reconcile *report, struct rv_strbuf *out)
{
	char n[RV_NUMBER_TEXT];
	const char *where = report->has_warehouse ? "are loaded" : "have landed";
	uint64_t wrong = report->levels[RV_FINDING_WRONG];

	if (report->all_once && report->accepted == 0) {
		rv_strbuf_puts(out, "no record has been accepted yet");
	} else if (report->all_once) {
		rv_strbuf_printf(out, "all %s accepted records %s%s",
				 rv_format_count(report->accepted, n), where,
				 report->stamped.twice ? "" : " once");
		say_twice(&report->stamped, out);
	} else if (report->stamped.unproven && !report->stamped.missing) {
		rv_strbuf_printf(out, "whether %s of ", rv_format_count(report->stamped.unproven, n));
		rv_strbuf_printf(out, "%s accepted records have arrived cannot be proven",
				 rv_format_count(report->accepted, n));
	} else {
		rv_strbuf_printf(out, "of %s accepted records ", rv_format_count(report->accepted, n));
		/* Of Firehose's objects, as many may be there twice as are missing. */
		uint64_t there = report->stamped.used   ? report->stamped.arrived
				 : report->has_warehouse ? report->loaded.records
							 : report->landed.records;
		rv_strbuf_printf(out, "%s %s", rv_format_count(there, n),
				 report->stamped.used ? "have arrived" : where);
		const struct {
			uint64_t count;
			const char *what;
		} parts[] = {
			{ report->stamped.missing, "have not" },
			{ report->spooled.records, "wait in the spool" },
			{ report->pending.records, "are pending" },
			{ report->load_rejected.records, "could not be loaded" },
		};
		for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
			if (parts[i].count)
				rv_strbuf_printf(out, ", %s %s", rv_format_count(parts[i].count, n),
						 parts[i].what);
		say_twice(&report->stamped, out);
		if (report->runs_open)
			rv_strbuf_printf(out, "; %s run%s open", rv_format_count(report->runs_open, n),
					 report->runs_open == 1 ? " is" : "s are");
		if (wrong)
			rv_strbuf_printf(out, "; %s finding%s", rv_format_count(wrong, n), plural(wrong));
	}
	if (report->refused.count)
		rv_strbuf_printf(out, "; the contract refuses %s of them",
				 rv_format_count(report->refused.count, n));
	if (report->warehouse_error.status != RV_OK)
		rv_strbuf_puts(out, "; the warehouse was not looked at");
}

/* ---- json ------------------------------------------------------------------------------------- */

static json_t *time_json(int64_t ms)
{
	char text[RV_TIME_TEXT];
	return ms < 0 ? json_null() : json_string(rv_format_time(ms, text));
}

static json_t *number_json(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static json_t *hop_json(const struct rv_hop *hop, const char *objects, const char *records, bool hash)
{
	json_t *o = json_object();
	json_object_set_new(o, objects, number_json(hop->objects));
	json_object_set_new(o, records, number_json(hop->records));
	json_object_set_new(o, "bytes", number_json(hop->bytes));
	if (hash)
		json_object_set_new(o, "hash", rv_json_hex64(hop->set_hash));
	return o;
}

static json_t *finding_json(const struct rv_finding *f)
{
	json_t *o = json_pack("{s:s, s:s}", "code", rv_finding_name(f->code), "level",
			      rv_finding_level_name(f->level));
	json_object_set_new(o, "message", rv_json_bytes(f->message));
	if (f->object)
		json_object_set_new(o, "object", rv_json_bytes(f->object));
	if (f->run)
		json_object_set_new(o, "run", json_string(f->run));
	if (f->has_seq)
		json_object_set_new(o, "seq", number_json(f->seq));
	if (f->host)
		json_object_set_new(o, "host", rv_json_bytes(f->host));
	if (f->has_counts) {
		json_object_set_new(o, "expected", number_json(f->expected));
		json_object_set_new(o, "found", number_json(f->found));
	}
	if (f->age_ms >= 0)
		json_object_set_new(o, "age_ms", json_integer(f->age_ms));
	return o;
}

static json_t *tables_json(const struct rv_reconcile *report)
{
	const struct rv_warehouse_counts *t = &report->tables;
	json_t *o = json_object();
	json_object_set_new(o, "raw", number_json(t->raw));
	if (t->has_clean) {
		json_object_set_new(o, "clean", number_json(t->clean));
		json_object_set_new(o, "duplicates", number_json(t->duplicates));
		json_object_set_new(o, "refused", number_json(t->refused));
	}
	if (t->has_latest) {
		json_object_set_new(o, "latest", number_json(t->latest));
		json_object_set_new(o, "tombstones", number_json(t->tombstones));
	}
	return o;
}

static json_t *stamped_json(const struct rv_stamped *stamped)
{
	const struct {
		const char *name;
		uint64_t value;
	} counts[] = {
		{ "arrived", stamped->arrived },   { "missing", stamped->missing },
		{ "twice", stamped->twice },	   { "unknown", stamped->unknown },
		{ "unstamped", stamped->unstamped }, { "unproven", stamped->unproven },
	};
	json_t *o = json_object();
	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++)
		json_object_set_new(o, counts[i].name, number_json(counts[i].value));
	return o;
}

static json_t *report_json(const struct status *s, const char *name, const struct rv_reconcile *report)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	const struct rv_error *why = &report->warehouse_error;
	verdict(report, &text);
	json_t *o = json_pack("{s:s, s:o, s:b, s:s}", "stream", name, "since",
			      s->since_day[0] ? json_string(s->since_day) : json_null(), "all_once",
			      report->all_once, "verdict", text.bytes);
	json_object_set_new(o, "runs",
			    json_pack("{s:I, s:I}", "closed", (json_int_t)report->runs_closed, "open",
				      (json_int_t)report->runs_open));
	json_object_set_new(o, "read", number_json(report->accepted + report->rejected));
	json_object_set_new(o, "accepted", number_json(report->accepted));
	json_object_set_new(o, "rejected", number_json(report->rejected));
	json_object_set_new(o, "spooled", hop_json(&report->spooled, "batches", "records", false));
	json_object_set_new(o, "in_landing",
			    json_pack("{s:I, s:I}", "objects", (json_int_t)report->in_landing.objects,
				      "bytes", (json_int_t)report->in_landing.bytes));
	json_object_set_new(o, "landed", hop_json(&report->landed, "objects", "records", true));
	json_object_set_new(o, "stamped", report->stamped.used ? stamped_json(&report->stamped)
							       : json_null());
	json_object_set_new(o, "rejects", hop_json(&report->rejects, "objects", "records", false));
	json_object_set_new(o, "foreign",
			    json_pack("{s:I, s:I}", "objects", (json_int_t)report->foreign.objects,
				      "bytes", (json_int_t)report->foreign.bytes));
	bool has = report->has_warehouse;
	json_object_set_new(o, "loaded",
			    has ? hop_json(&report->loaded, "objects", "rows", true) : json_null());
	json_object_set_new(o, "load_rejected",
			    has ? hop_json(&report->load_rejected, "objects", "records", false)
				: json_null());
	json_object_set_new(o, "pending",
			    has ? hop_json(&report->pending, "objects", "records", false)
				: json_null());
	json_object_set_new(o, "refused",
			    has ? number_json(report->refused.count) : json_null());
	json_object_set_new(o, "present",
			    report->has_tables ? number_json(report->present) : json_null());
	json_object_set_new(o, "tables", report->has_tables ? tables_json(report) : json_null());
	json_object_set_new(o, "warehouse_error",
			    why->status == RV_OK
				    ? json_null()
				    : json_pack("{s:s, s:s}", "code", rv_status_name(why->status),
						"message", why->message));
	json_object_set_new(o, "oldest_spooled", time_json(report->oldest_spooled_ms));
	json_object_set_new(o, "oldest_in_landing", time_json(report->oldest_in_landing_ms));
	json_object_set_new(o, "oldest_pending", time_json(report->oldest_pending_ms));
	json_object_set_new(o, "newest_landed", time_json(report->newest_landed_ms));
	json_object_set_new(o, "newest_loaded", time_json(report->newest_loaded_ms));
	json_object_set_new(o, "lag_ms",
			    report->lag_ms < 0 ? json_null() : json_integer(report->lag_ms));
	json_object_set_new(o, "last_run", time_json(report->last_run_ms));
	json_t *findings = json_array();
	for (size_t i = 0; i < report->findings_count; i++)
		json_array_append_new(findings, finding_json(&report->findings[i]));
	json_object_set_new(o, "findings", findings);
	json_t *found = json_object();
	for (int i = 0; i < RV_FINDING_CODES; i++)
		if (report->found[i])
			json_object_set_new(found, rv_finding_name((enum rv_finding_code)i),
					    number_json(report->found[i]));
	json_object_set_new(o, "found", found);
	return o;
}

/* ---- text ------------------------------------------------------------------------------------- */

static void put_line(struct rv_out *out, const char *fmt, ...) RV_PRINTF(2, 3);
static void put_line(struct rv_out *out, const char *fmt, ...)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf clean = RV_STRBUF_INIT;
	va_list ap;
	va_start(ap, fmt);
	rv_strbuf_vprintf(&text, fmt, ap);
	va_end(ap);
	rv_text_clean(&clean, text.bytes, text.len);
	rv_out_printf(out, "%s\n", clean.bytes);
}

/* A row of the hop table; UINT64_MAX leaves a cell empty. */
#define NO_CELL UINT64_MAX
static void hop_row(struct rv_out *out, const char *hop, uint64_t objects, uint64_t records,
		    uint64_t bytes, const char *note)
{
	char a[RV_NUMBER_TEXT], b[RV_NUMBER_TEXT], c[RV_NUMBER_TEXT];
	const char *cells[] = {
		hop,
		objects == NO_CELL ? "" : rv_format_count(objects, a),
		records == NO_CELL ? "" : rv_format_count(records, b),
		bytes == NO_CELL ? "" : rv_format_size(bytes, c),
		note,
	};
	rv_out_table_row(out, cells);
}

static void table_rows(struct rv_out *out, const struct rv_reconcile *report)
{
	const struct rv_warehouse_counts *t = &report->tables;
	if (!report->has_tables)
		return;
	hop_row(out, "raw", NO_CELL, t->raw, NO_CELL, "");
	if (t->has_clean) {
		hop_row(out, "clean", NO_CELL, t->clean, NO_CELL, "");
		hop_row(out, "duplicates", NO_CELL, t->duplicates, NO_CELL, "");
		hop_row(out, "refused", NO_CELL, t->refused, NO_CELL, "");
	}
	if (t->has_latest) {
		hop_row(out, "latest", NO_CELL, t->latest, NO_CELL, "");
		hop_row(out, "tombstones", NO_CELL, t->tombstones, NO_CELL, "");
	}
}

static void print_hops(const struct status *s, const struct rv_reconcile *report)
{
	static const char *const headers[] = { "hop", "objects", "records", "bytes", "" };
	static const bool right[] = { false, true, true, true, false };
	struct rv_out *out = s->cx->out;
	char note[128], age[RV_NUMBER_TEXT], n[RV_NUMBER_TEXT];

	rv_out_table_begin(out, headers, right, 5);
	hop_row(out, "read", NO_CELL, report->accepted + report->rejected, NO_CELL, "");
	snprintf(note, sizeof(note), "%s run%s closed", rv_format_count(report->runs_closed, n),
		 plural(report->runs_closed));
	if (report->runs_open)
		snprintf(note + strlen(note), sizeof(note) - strlen(note), ", %" PRIu64 " open",
			 report->runs_open);
	hop_row(out, "rejected", report->rejects.objects, report->rejected, report->rejects.bytes, "");
	hop_row(out, "accepted", report->batches, report->accepted, NO_CELL, note);
	snprintf(note, sizeof(note), "oldest %s", ago(s, report->oldest_spooled_ms, age));
	hop_row(out, "spooled", report->spooled.objects, report->spooled.records, report->spooled.bytes,
		report->spooled.objects ? note : "");
	snprintf(note, sizeof(note), "oldest %s", ago(s, report->oldest_in_landing_ms, age));
	if (report->in_landing.objects)
		hop_row(out, "in landing", report->in_landing.objects, NO_CELL,
			report->in_landing.bytes, note);
	snprintf(note, sizeof(note), "set hash %016" PRIx64, report->landed.set_hash);
	hop_row(out, "landed", report->landed.objects, report->landed.records, report->landed.bytes,
		note);
	if (report->stamped.used) {
		const char *of = report->stamped.unproven ? "cannot be proven" : "missing";
		uint64_t rest = report->stamped.unproven ? report->stamped.unproven
							 : report->stamped.missing;
		snprintf(note, sizeof(note), "by their stamps; %s %s", rv_format_count(rest, n), of);
		hop_row(out, "arrived", NO_CELL, report->stamped.arrived, NO_CELL,
			rest ? note : "by their stamps");
		if (report->stamped.twice)
			hop_row(out, "twice", NO_CELL, report->stamped.twice, NO_CELL, "");
	}
	if (report->foreign.objects)
		hop_row(out, "foreign", report->foreign.objects, NO_CELL, report->foreign.bytes, "");
	if (report->has_warehouse) {
		snprintf(note, sizeof(note), "set hash %016" PRIx64, report->loaded.set_hash);
		/* Of what lies before the window, the ledger's sums have no hash. */
		hop_row(out, "loaded", report->loaded.objects, report->loaded.records, NO_CELL,
			report->loaded.set_hash == report->landed.set_hash ? note : "");
		hop_row(out, "load-rejected", report->load_rejected.objects,
			report->load_rejected.records, NO_CELL, "");
		snprintf(note, sizeof(note), "oldest %s", ago(s, report->oldest_pending_ms, age));
		hop_row(out, "pending", report->pending.objects, report->pending.records,
			report->pending.bytes, report->pending.objects ? note : "");
	}
	table_rows(out, report);
	rv_out_table_end(out);
}

/* A person reads the first few of a kind; --check and json have them all, up to a limit. */
#define SHOWN_OF_A_CODE 20

static bool worth_saying(const struct status *s, const struct rv_finding *f, uint64_t said)
{
	return s->options->check ? f->level != RV_FINDING_NOTED : said < SHOWN_OF_A_CODE;
}

static void print_findings(const struct status *s, const char *name, const struct rv_reconcile *report)
{
	uint64_t said[RV_FINDING_CODES] = { 0 };
	char n[RV_NUMBER_TEXT];
	for (size_t i = 0; i < report->findings_count; i++) {
		const struct rv_finding *f = &report->findings[i];
		if (!worth_saying(s, f, said[f->code]))
			continue;
		said[f->code]++;
		if (s->options->check)
			put_line(s->cx->out, "%s: %s: %s: %s", name, rv_finding_level_name(f->level),
				 rv_finding_name(f->code), f->message);
		else
			put_line(s->cx->out, "  %s: %s: %s", rv_finding_level_name(f->level),
				 rv_finding_name(f->code), f->message);
	}
	for (int i = 0; i < RV_FINDING_CODES; i++)
		if (said[i] && report->found[i] > said[i])
			put_line(s->cx->out, "%s%s and %s more of %s", s->options->check ? name : " ",
				 s->options->check ? ":" : "",
				 rv_format_count(report->found[i] - said[i], n),
				 rv_finding_name((enum rv_finding_code)i));
}

static void print_report(const struct status *s, const char *name, const struct rv_reconcile *report)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	struct rv_out *out = s->cx->out;
	char a[RV_NUMBER_TEXT], b[RV_NUMBER_TEXT];
	verdict(report, &text);
	if (s->streams > 1)
		rv_out_printf(out, "\n");
	rv_out_printf(out, "%s%s%s%s\n", name, s->since_day[0] ? ", object by object since " : "",
		      s->since_day, s->options->verify ? ", verified" : "");
	print_hops(s, report);
	rv_out_printf(out, "\n");
	if (report->last_run_ms >= 0)
		rv_out_printf(out, "last run %s ago", ago(s, report->last_run_ms, a));
	if (report->newest_landed_ms >= 0)
		rv_out_printf(out, ", newest object %s old", ago(s, report->newest_landed_ms, a));
	if (report->lag_ms >= 0)
		rv_out_printf(out, ", lag of the warehouse %s",
			      rv_format_duration(report->lag_ms / 1000 * 1000, b));
	if (report->last_run_ms >= 0)
		rv_out_printf(out, "\n");
	print_findings(s, name, report);
	put_line(out, "%s: %s", name, text.bytes);
}

/* ---- the overview ----------------------------------------------------------------------------- */

static const char *state_word(const struct rv_reconcile *report, char buf[RV_NUMBER_TEXT + 16])
{
	/* One finding says it for the stream, whatever the number of runs. */
	if (report->levels[RV_FINDING_WRONG] == 1 && report->found[RV_FINDING_NOT_PROVABLE])
		return "not provable";
	if (report->levels[RV_FINDING_WRONG]) {
		char n[RV_NUMBER_TEXT];
		snprintf(buf, RV_NUMBER_TEXT + 16, "%s wrong",
			 rv_format_count(report->levels[RV_FINDING_WRONG], n));
		return buf;
	}
	if (report->levels[RV_FINDING_LATE])
		return "late";
	if (report->all_once)
		return report->accepted == 0 ? "empty"
		       : report->refused.count &&
				 report->refused.count >= report->loaded.records ? "refused"
		       : report->has_warehouse ? "loaded" : "landed";
	return report->runs_open	      ? "open"
	       : report->spooled.objects      ? "spooled"
	       : report->stamped.missing      ? "on its way"
					      : "pending";
}

static void overview_begin(const struct status *s)
{
	static const char *const headers[] = { "stream", "accepted", "rejected", "objects", "landed",
					       "bytes", "loaded", "refused", "pending", "spooled",
					       "oldest", "last run", "state" };
	static const bool right[] = { false, true, true, true, true, true, true,
				      true,  true, true, true, true, false };
	rv_out_table_begin(s->cx->out, headers, right, 13);
}

static void overview_row(const struct status *s, const char *name, const struct rv_reconcile *report)
{
	char text[11][RV_NUMBER_TEXT], word[RV_NUMBER_TEXT + 16];
	bool has = report->has_warehouse;
	const char *cells[] = {
		name,
		rv_format_count(report->accepted, text[0]),
		rv_format_count(report->rejected, text[1]),
		rv_format_count(report->landed.objects, text[2]),
		rv_format_count(report->landed.records, text[3]),
		rv_format_size(report->landed.bytes, text[4]),
		has ? rv_format_count(report->loaded.records, text[5]) : "-",
		has ? rv_format_count(report->refused.count, text[10]) : "-",
		has ? rv_format_count(report->pending.records, text[6]) : "-",
		rv_format_count(report->spooled.records, text[7]),
		ago(s, report->oldest_pending_ms, text[8]),
		ago(s, report->last_run_ms, text[9]),
		state_word(report, word),
	};
	rv_out_table_row(s->cx->out, cells);
}

/* ---- the command ------------------------------------------------------------------------------ */

static bool should_stop(void)
{
	return rv_stop_signal() != 0;
}

static void show_progress(void *arg, uint64_t done_bytes, uint64_t total_bytes)
{
	rv_progress_update(arg, done_bytes, total_bytes, 0);
}

static bool load_progress(void *arg, uint64_t rows, uint64_t bytes)
{
	rv_progress_update(arg, bytes, 0, rows);
	return !should_stop();
}

/* The lake's half is worth showing when the warehouse's cannot be had. */
static enum rv_status without_warehouse(struct status *s, struct rv_error *err)
{
	if (err->status != RV_NOT_FOUND && err->status != RV_LOCKED)
		return err->status;
	s->warehouse_error = *err;
	rv_warehouse_free_p(&s->warehouse);
	return RV_OK;
}

/* `stream` NULL: those of all streams whose pipe is auto. */
static enum rv_status load_pending(struct status *s, const struct rv_stream *stream,
				   struct rv_error *err)
{
	struct rv_progress progress;
	struct rv_load_sum sum = { 0 };
	struct rv_store *lake = s->cx->lake;
	if (!s->options->load || !s->warehouse || s->loaded || (stream && stream->pipe_notify))
		return RV_OK;
	rv_progress_start(&progress, "load");
	enum rv_status status =
		stream ? rv_load_stream(lake, s->warehouse, stream, load_progress, &progress, &sum, err)
		       : rv_load_all(lake, s->warehouse, load_progress, &progress, &sum, err);
	rv_progress_end(&progress);
	if (sum.streams_failed)
		rv_warn("%" PRIu64 " streams could not be loaded; first %s", sum.streams_failed,
			sum.first_stream_failed);
	if (sum.objects)
		rv_verbose("loaded %" PRIu64 " objects, %" PRIu64 " rows", sum.objects, sum.rows);
	if (status == RV_OK && should_stop())
		return rv_fail(err, RV_FAILED, "stopped by a signal");
	return status == RV_OK ? RV_OK : without_warehouse(s, err);
}

static void count_findings(struct status *s, const struct rv_reconcile *report)
{
	uint64_t n = report->levels[RV_FINDING_WRONG] + report->levels[RV_FINDING_LATE];
	s->findings += n;
	s->bad_streams += n > 0;
}

static void print(struct status *s, const char *name, const struct rv_reconcile *report)
{
	bool bad = report->levels[RV_FINDING_WRONG] || report->levels[RV_FINDING_LATE];
	if (s->options->check && !bad && !s->cx->verbose)
		return;
	if (s->cx->output == RV_OUT_JSON) {
		rv_out_json(s->cx->out, report_json(s, name, report));
		return;
	}
	if (s->overview)
		overview_row(s, name, report);
	else if (s->options->check && !s->cx->verbose)
		print_findings(s, name, report);
	else
		print_report(s, name, report);
}

/* How long records may be on their way without anything being wrong. */
static int64_t buffer_ms(const struct rv_profile *profile)
{
	if (strcmp(profile->delivery_type, "firehose") != 0 || profile->delivery_buffer_ms < 0)
		return 0;
	return profile->delivery_buffer_ms;
}

static enum rv_status look_at(struct status *s, const char *name, struct rv_error *err)
{
	RV_CLEANUP(rv_stream_release_p) struct rv_stream stream;
	char text[RV_STREAM_TEXT];
	struct rv_progress progress;
	rv_stream_init(&stream);
	if (rv_catalog_get(s->cx->lake, name, &stream, NULL, err) != RV_OK)
		return err->status;
	if (load_pending(s, &stream, err) != RV_OK)
		return err->status;
	/* A load may have taken its time: what is old is judged by now. */
	s->now_ms = rv_clock_ms();
	struct rv_reconcile_params params = {
		.stream = &stream,
		.lake = s->cx->lake,
		.state_dir = s->cx->profile->state_dir,
		.warehouse = s->warehouse,
		.now_ms = s->now_ms,
		.delivery_buffer_ms = buffer_ms(s->cx->profile),
		.since_day = s->since_day[0] ? s->since_day : NULL,
		.quick = s->overview,
		.verify = s->options->verify,
		.should_stop = should_stop,
		.progress = show_progress,
		.arg = &progress,
	};
	struct rv_reconcile report;
	rv_progress_start(&progress, "verify");
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
		report.warehouse_error = s->warehouse_error;
	}
	s->streams++;
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
		rv_strbuf_printf(&text, "%s%s records wait in the spool", text.len ? ", " : "",
				 rv_format_count(stream->waiting, n));
	if (!text.len)
		rv_strbuf_puts(&text, "this host knows it");
	rv_strbuf_printf(&text,
			 ", and the catalog of the lake does not: 'river stream create %s --adopt' takes "
			 "it back, and 'river stream delete %s --data' forgets it then",
			 stream->name, stream->name);
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
						  "findings", finding_json(&f)));
	else
		put_line(s->cx->out, "%s: %s: %s: %s", stream->name, rv_finding_level_name(f.level),
			 rv_finding_name(f.code), f.message);
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
	if (river_lost_find(s->cx, begun ? s->warehouse : NULL, &s->catalog, &lost, err) != RV_OK)
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
static enum rv_status explain_missing(struct status *s, struct rv_error *err)
{
	RV_CLEANUP(river_lost_release) struct river_lost lost = { 0 };
	struct rv_error ignored = RV_ERROR_INIT;
	if (river_lost_find(s->cx, NULL, &s->catalog, &lost, &ignored) == RV_OK && lost.no_folder)
		return lake_is_gone(s, &lost, err);
	return err->status;
}

/* All streams are loaded first and then seen in one state of the warehouse, opened once. */
static enum rv_status look_at_all(struct status *s, struct rv_error *err)
{
	if (load_pending(s, NULL, err) != RV_OK)
		return err->status;
	s->loaded = true;
	bool begun = false;
	if (s->warehouse) {
		begun = s->warehouse->ops->begin(s->warehouse, false, err) == RV_OK;
		if (!begun && without_warehouse(s, err) != RV_OK)
			return err->status;
	}
	if (s->overview)
		overview_begin(s);
	enum rv_status status = rv_catalog_list(s->cx->lake, "", NULL, look_if_there, s, err);
	if (s->overview)
		rv_out_table_end(s->cx->out);
	if (status == RV_OK)
		status = look_for_lost(s, begun && s->warehouse, err);
	if (begun)
		s->warehouse->ops->end(s->warehouse);
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

/* Opens nothing. In the overview a warehouse nobody has loaded anything into is left out. */
static enum rv_status choose_warehouse(struct status *s, struct rv_error *err)
{
	const struct rv_profile *profile = s->cx->profile;
	s->wants_warehouse = strcmp(profile->warehouse_type, "none") != 0;
	if (!s->wants_warehouse)
		return RV_OK;
	if (!s->options->load && s->overview && profile->warehouse_path &&
	    access(profile->warehouse_path, F_OK) != 0)
		return RV_OK;
	return rv_wire_warehouse(profile, s->cx->lake, &s->warehouse, err);
}

/* What is left to say when everything has been printed. */
static enum rv_status conclude(const struct status *s, struct rv_error *err)
{
	const struct rv_error *why = &s->warehouse_error;
	if (s->options->check && s->findings)
		return rv_fail(err, RV_FAILED, "%" PRIu64 " finding%s in %zu of %zu stream%s",
			       s->findings, plural(s->findings), s->bad_streams, s->streams,
			       plural(s->streams));
	if (why->status == RV_OK)
		return RV_OK;
	if (s->options->check || why->status != RV_NOT_FOUND) {
		*err = *why;
		return rv_context(err, "the warehouse was not looked at");
	}
	rv_warn("the warehouse was not looked at: %s", why->message);
	if (why->hint[0])
		rv_note("%s", why->hint);
	return RV_OK;
}

static enum rv_status status_run(struct rv_command_context *cx, void *options, int count,
				 char **operands, struct rv_error *err)
{
	struct status s = {
		.cx = cx,
		.options = options,
		.warehouse_error = RV_ERROR_INIT,
		.now_ms = rv_clock_ms(),
	};
	s.overview = count == 0 && !s.options->check && !s.options->verify;
	if (parse_since(s.options->since, s.now_ms, s.since_day, err) != RV_OK ||
	    choose_warehouse(&s, err) != RV_OK)
		return err->status;
	enum rv_status status = RV_OK;
	if (count == 0)
		status = look_at_all(&s, err);
	for (int i = 0; i < count && status == RV_OK; i++)
		status = look_at(&s, operands[i], err);
	if (status == RV_NOT_FOUND && count > 0)
		status = explain_missing(&s, err);
	rv_warehouse_free_p(&s.warehouse);
	river_names_release(&s.catalog);
	/* That standard output failed is for the output to say: a reader that left is no failure. */
	if (rv_out_failed(cx->out))
		return RV_OK;
	return status == RV_OK ? conclude(&s, err) : status;
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

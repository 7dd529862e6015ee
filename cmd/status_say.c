/* What `river status` says of a report: JSON, hops and findings as text, or a row of the overview. */
#include "status_say.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/number.h"
#include "format/json_text.h"
#include "warehouse/warehouse.h"

/* ---- words ------------------------------------------------------------------------------------ */

static const char *ago(const struct river_status_view *s, int64_t ms, char buf[RV_NUMBER_TEXT])
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

json_t *river_finding_json(const struct rv_finding *f)
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

json_t *river_report_json(const struct river_status_view *s, const char *name,
			  const struct rv_reconcile *report)
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
	json_t *loaded = has ? hop_json(&report->loaded, "objects", "rows", report->has_hashes)
			     : json_null();
	if (has && !report->has_hashes)
		json_object_set_new(loaded, "hash", json_null());
	json_object_set_new(o, "loaded", loaded);
	json_object_set_new(o, "load_rejected",
			    has ? hop_json(&report->load_rejected, "objects", "records", false)
				: json_null());
	json_object_set_new(o, "pending",
			    has ? hop_json(&report->pending, "objects", "records", false)
				: json_null());
	json_object_set_new(o, "refused",
			    has ? number_json(report->refused.count) : json_null());
	json_object_set_new(o, "retired", has ? number_json(report->retired) : json_null());
	json_object_set_new(o, "present",
			    report->has_tables ? number_json(report->present) : json_null());
	json_object_set_new(o, "tables", report->has_tables ? tables_json(report) : json_null());
	json_object_set_new(o, "warehouse_error",
			    why->status == RV_OK
				    ? json_null()
				    : json_pack("{s:s, s:o}", "code", rv_status_name(why->status),
						"message", rv_json_bytes(why->message)));
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
		json_array_append_new(findings, river_finding_json(&report->findings[i]));
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

static void print_hops(const struct river_status_view *s, const struct rv_reconcile *report)
{
	static const char *const headers[] = { "hop", "objects", "records", "bytes", "" };
	static const bool right[] = { false, true, true, true, false };
	struct rv_out *out = s->out;
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
			report->has_hashes && report->loaded.set_hash == report->landed.set_hash
				? note
				: "");
		hop_row(out, "load-rejected", report->load_rejected.objects,
			report->load_rejected.records, NO_CELL, "");
		if (report->retired)
			hop_row(out, "retired", NO_CELL, report->retired, NO_CELL, "");
		snprintf(note, sizeof(note), "oldest %s", ago(s, report->oldest_pending_ms, age));
		hop_row(out, "pending", report->pending.objects, report->pending.records,
			report->pending.bytes, report->pending.objects ? note : "");
	}
	table_rows(out, report);
	rv_out_table_end(out);
}

void river_say_finding(struct rv_out *out, const char *name, const struct rv_finding *f)
{
	rv_out_line(out, "%s: %s: %s: %s", name, rv_finding_level_name(f->level),
		    rv_finding_name(f->code), f->message);
}

/* A person reads the first few of a kind; --check and json have them all, up to a limit. */
#define SHOWN_OF_A_CODE 20

static bool worth_saying(const struct river_status_view *s, const struct rv_finding *f,
			 uint64_t said)
{
	return s->check ? f->level != RV_FINDING_NOTED : said < SHOWN_OF_A_CODE;
}

void river_say_findings(const struct river_status_view *s, const char *name,
			const struct rv_reconcile *report)
{
	uint64_t said[RV_FINDING_CODES] = { 0 };
	char n[RV_NUMBER_TEXT];
	for (size_t i = 0; i < report->findings_count; i++) {
		const struct rv_finding *f = &report->findings[i];
		if (!worth_saying(s, f, said[f->code]))
			continue;
		said[f->code]++;
		if (s->check)
			river_say_finding(s->out, name, f);
		else
			rv_out_line(s->out, "  %s: %s: %s", rv_finding_level_name(f->level),
				    rv_finding_name(f->code), f->message);
	}
	for (int i = 0; i < RV_FINDING_CODES; i++)
		if (said[i] && report->found[i] > said[i])
			rv_out_line(s->out, "%s%s and %s more of %s", s->check ? name : " ",
				    s->check ? ":" : "",
				    rv_format_count(report->found[i] - said[i], n),
				    rv_finding_name((enum rv_finding_code)i));
}

void river_say_report(const struct river_status_view *s, const char *name,
		      const struct rv_reconcile *report)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	struct rv_out *out = s->out;
	char a[RV_NUMBER_TEXT], b[RV_NUMBER_TEXT];
	verdict(report, &text);
	rv_out_printf(out, "%s%s%s%s\n", name, s->since_day[0] ? ", object by object since " : "",
		      s->since_day, s->verify ? ", verified" : "");
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
	river_say_findings(s, name, report);
	rv_out_line(out, "%s: %s", name, text.bytes);
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

void river_overview_begin(struct rv_out *out)
{
	static const char *const headers[] = { "stream", "accepted", "rejected", "objects", "landed",
					       "bytes", "loaded", "refused", "pending", "spooled",
					       "oldest", "last run", "state" };
	static const bool right[] = { false, true, true, true, true, true, true,
				      true,  true, true, true, true, false };
	rv_out_table_begin(out, headers, right, 13);
}

void river_overview_row(const struct river_status_view *s, const char *name,
			const struct rv_reconcile *report)
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
	rv_out_table_row(s->out, cells);
}

/*
 * Runs that Firehose took: its objects have names of its own, so what was accepted is compared with the
 * stamps of the records that are there (semantics.md 3.4, 7). Firehose delivers at least once: the same
 * stamp twice is no difference. Without stamps nothing can be told, and this says so.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/number.h"
#include "flow/reconcile_impl.h"
#include "format/json_text.h"

/* "Records live at most 24 h if the destination is down" (Amazon Data Firehose Quota). */
#define FIREHOSE_KEEPS_MS (INT64_C(24) * 3600 * 1000)
/* Batches named in a sentence. */
#define BATCHES_NAMED 5

/* ---- collecting ---- */

static enum rv_status see_stamps(void *arg, const struct rv_loaded_stamps *stamps, struct rv_error *err)
{
	struct reconcile *r = arg;
	const struct rc_place place = rc_place_of(r, stamps->object);
	uint64_t count = stamps->range.to - stamps->range.from + 1;
	(void)err;
	if (place.former)
		return RV_OK;
	struct rc_object *o = rc_table_find(&r->objects, stamps->object);
	if (o)
		o->stamped += count;
	else if (place.own)
		r->older.stamped_own += count;
	rv_stamp_set_add(&r->stamps, rv_str_of(stamps->run), stamps->range.seq, stamps->range.from,
			 stamps->range.to);
	return RV_OK;
}

enum rv_status rc_ask_stamps(struct reconcile *r, struct rv_warehouse *w, struct rv_error *err)
{
	if (!w->ops->stamps)
		return RV_OK;
	if (w->ops->stamps(w, r->stream, see_stamps, r, err) != RV_OK)
		return err->status;
	rv_stamp_set_settle(&r->stamps);
	r->stamps_older_count = r->stamps.count;
	r->stamps_older = rv_calloc(r->stamps.count + 1, sizeof(*r->stamps_older));
	return RV_OK;
}

void rc_stamps_of_older(struct reconcile *r, const struct rv_receipt_name *receipt)
{
	const struct rv_stamp_run *run = rv_stamp_set_find(&r->stamps, rv_str_of(receipt->run));
	if (r->params->verify)
		rc_table_enter(&r->older_runs, receipt->run);
	if (!run)
		return;
	r->stamps_older[run - r->stamps.runs] = true;
	r->older.arrived += run->distinct;
	r->report->stamped.twice += run->total - run->distinct;
}

/* With `verify`, of an object that Firehose wrote: what is in it, against what was loaded from it. */
static enum rv_status read_object(struct reconcile *r, const struct rc_object *o, struct rv_error *err)
{
	RV_CLEANUP(rv_stamp_set_release) struct rv_stamp_set stamps = { .count = 0 };
	struct rv_object_content content = { .records = 0 };
	const struct rc_expected expected = { o->ledger_rows, o->ledger_hash };
	bool loaded = o->in_ledger && !o->load_failed, read;
	enum rv_status status = rc_read_object(r, o, loaded ? &expected : NULL, &stamps, &content, &read, err);
	struct rv_finding f = {
		.code = status == RV_NOT_FOUND ? RV_FINDING_OBJECT_MISSING : RV_FINDING_OBJECT_ALTERED,
		.level = RV_FINDING_WRONG, .object = o->name, .has_counts = loaded,
		.expected = o->ledger_rows, .found = content.records, .age_ms = -1,
	};
	r->firehose_unread += !read && !loaded;
	if (!read)
		return status;
	if (status == RV_NOT_FOUND)
		rc_find(r, &f, "%s went while this was looking", o->name);
	else if (status != RV_OK)
		rc_find(r, &f, "%s cannot be read to its end: %s", o->name, err->message);
	else if (!loaded)
		rv_stamp_set_add_all(&r->stamps, &stamps);
	else if (!rv_object_content_is(&content, o->ledger_rows, o->ledger_hash))
		rc_find(r, &f,
			"%s holds %" PRIu64 " records of set hash %016" PRIx64 ", and %" PRIu64
			" of %016" PRIx64 " were loaded from it", o->name, content.records,
			content.set_hash, o->ledger_rows, o->ledger_hash);
	return RV_OK;
}

enum rv_status rc_complete_stamps(struct reconcile *r, struct rv_error *err)
{
	struct rv_stamped *stamped = &r->report->stamped;
	for (size_t i = 0; i < r->objects.count; i++) {
		const struct rc_object *o = rc_object_at(r, i);
		const struct rc_run *run = rc_run_at(r, o->run);
		if (!o->look[1] || o->older)
			continue;
		/* River numbers the records of a batch from 1, and its name says how many there are. */
		if (run && !o->stamped)
			rv_stamp_set_add(&r->stamps, rv_str_of(run->name), o->seq, 1, o->records);
		if (!o->firehose)
			continue;
		bool loaded = o->in_ledger && !o->load_failed;
		r->firehose_objects++;
		r->firehose_unread += !loaded && !r->params->verify;
		if (loaded) {
			stamped->unstamped += o->ledger_rows > o->stamped ? o->ledger_rows - o->stamped : 0;
			r->firehose_rejected += o->ledger_rejected;
		}
		if (r->params->verify && read_object(r, o, err) != RV_OK)
			return err->status;
	}
	rv_stamp_set_settle(&r->stamps);
	stamped->used = r->firehose_objects || r->older.firehose.objects ||
			r->stream->stamp != RV_STAMP_NONE;
	stamped->deduplicated = (r->stream->layers & RV_LAYER_CLEAN) && r->stream->columns_count &&
				r->stream->dedup != RV_DEDUP_NONE;
	return RV_OK;
}

/* ---- runs ---- */

static const struct rv_stamp_run *stamps_of(const struct reconcile *r, const struct rc_run *run)
{
	return rv_stamp_set_find(&r->stamps, rv_str_of(run->name));
}

/* "batch 3: 12 of 500, batch 5: 0 of 500" */
static void name_batches(const struct rv_stamp_run *stamps, const json_t *receipt,
			 struct rv_strbuf *out)
{
	const json_t *item;
	size_t i, named = 0, more = 0;
	json_array_foreach(json_object_get(receipt, "batches"), i, item) {
		const char *text = json_string_value(item);
		struct rv_object_name name;
		if (!text || !rv_object_name_parse(text, &name))
			continue;
		uint64_t there = rv_stamp_run_distinct(stamps, name.seq);
		if (there >= name.records)
			continue;
		if (named++ < BATCHES_NAMED)
			rv_strbuf_printf(out, "%sbatch %" PRIu64 ": %" PRIu64 " of %" PRIu64 " there",
					 named > 1 ? ", " : "", name.seq, there, name.records);
		else
			more++;
	}
	if (more)
		rv_strbuf_printf(out, ", and %zu more", more);
}

static void find_absent(struct reconcile *r, const struct rc_run *run,
			const struct rv_stamp_run *stamps, const json_t *receipt)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf batches = RV_STRBUF_INIT;
	struct rv_finding f = rc_about_run(run, RV_FINDING_RECORDS_MISSING);
	char a[RV_NUMBER_TEXT], b[RV_NUMBER_TEXT], c[RV_NUMBER_TEXT];
	f.has_counts = true;
	f.expected = run->receipt.accepted;
	f.found = stamps ? stamps->distinct : 0;
	f.age_ms = rc_age_of(r, run->sign_ms);
	int64_t beyond_ms = f.age_ms - r->params->delivery_buffer_ms;
	if (f.age_ms == RC_AGE_UNKNOWN)
		beyond_ms = RC_AGE_UNKNOWN;
	else if (beyond_ms < 0)
		beyond_ms = 0;
	/* What nobody has looked into may hold them. */
	bool lost = beyond_ms > FIREHOSE_KEEPS_MS && !r->firehose_unread;
	f.level = lost ? RV_FINDING_WRONG : rc_level_by_age(r, beyond_ms);
	r->report->stamped.missing += f.expected - f.found;
	name_batches(stamps, receipt, &batches);
	rv_format_count(f.expected - f.found, a);
	rv_format_count(f.expected, b);
	rc_age_text(f.age_ms, c);
	if (lost)
		rc_find(r, &f,
			"%s of %s records of run %s are not in the lake, taken by Firehose %s ago, which "
			"keeps none for longer than a day%s%s", a, b, run->name, c,
			batches.len ? "; " : "", batches.bytes);
	else
		rc_find(r, &f, "%s of %s records of run %s are on their way, taken by Firehose %s ago%s%s", a,
			b, run->name, c, batches.len ? "; " : "", batches.bytes);
}

/* Whether Firehose took the run. */
static enum rv_status was_taken(struct reconcile *r, const struct rc_run *run, json_t **ret_receipt,
				bool *ret_taken, struct rv_error *err)
{
	bool stampless = r->stream->stamp == RV_STAMP_NONE;
	*ret_receipt = NULL;
	/* One receipt is enough to know what runs without a single object are: reading all would cost a
	 * request each. */
	if (stampless && r->seen_taken && !run->objects) {
		*ret_taken = true;
		return RV_OK;
	}
	if (rc_read_receipt(r, run, ret_receipt, err) != RV_OK)
		return err->status;
	const char *delivery = json_string_value(json_object_get(*ret_receipt, "delivery"));
	*ret_taken = *ret_receipt ? delivery && strcmp(delivery, "firehose") == 0
				  : r->firehose_objects > 0;
	r->seen_taken |= *ret_taken;
	return RV_OK;
}

enum rv_status rc_check_arrival(struct reconcile *r, uint32_t index, bool same, bool *ret_done,
				struct rv_error *err)
{
	const struct rc_run *run = rc_run_at(r, index);
	const struct rv_stamp_run *stamps = stamps_of(r, run);
	struct rv_stamped *stamped = &r->report->stamped;
	uint64_t there = stamps ? stamps->distinct : 0, accepted = run->receipt.accepted;
	*ret_done = true;
	if (stamps)
		stamped->twice += stamps->total - stamps->distinct;
	if (same || there == accepted) {
		stamped->arrived += accepted;
		return RV_OK;
	}
	if (there > accepted && stamped->used) {
		struct rv_finding f = rc_about_run(run, RV_FINDING_RUN_DIFFERS);
		f.has_counts = true;
		f.expected = accepted;
		f.found = there;
		stamped->arrived += accepted;
		rc_find(r, &f,
			"run %s accepted %" PRIu64 " records, and %" PRIu64
			" different ones with its stamps are there", run->name, accepted, there);
		return RV_OK;
	}
	json_t *receipt = NULL;
	bool taken = false;
	if (was_taken(r, run, &receipt, &taken, err) != RV_OK)
		return err->status;
	stamped->arrived += there < accepted ? there : accepted;
	stamped->used |= taken;
	*ret_done = taken;
	if (taken && (r->stream->stamp == RV_STAMP_NONE || (r->firehose_unread &&
							    !r->report->has_warehouse))) {
		stamped->unproven += accepted - there;
	} else if (taken) {
		find_absent(r, run, stamps, receipt);
	}
	json_decref(receipt);
	return RV_OK;
}

uint64_t rc_add_open_arrival(struct reconcile *r, uint32_t index)
{
	const struct rc_run *run = rc_run_at(r, index);
	const struct rv_stamp_run *stamps = stamps_of(r, run);
	if (!stamps)
		return run->records;
	r->report->stamped.twice += stamps->total - stamps->distinct;
	r->report->stamped.arrived += stamps->distinct;
	return stamps->distinct;
}

/* ---- the stream ---- */

static void check_unknown(struct reconcile *r)
{
	char n[RV_NUMBER_TEXT];
	for (size_t i = 0; i < r->stamps.count; i++) {
		const struct rv_stamp_run *stamps = &r->stamps.runs[i];
		const struct rc_run *run = rc_table_find(&r->runs, stamps->name);
		/* Whose objects lie here under river's names is told with them. */
		if ((run && (run->open || run->closed || run->journal || run->former || run->objects)) ||
		    (i < r->stamps_older_count && r->stamps_older[i]) ||
		    rc_table_find(&r->older_runs, stamps->name))
			continue;
		r->report->stamped.unknown += stamps->distinct;
		rc_find(r,
			&(struct rv_finding){ .code = RV_FINDING_RECORDS_UNKNOWN,
					      .level = RV_FINDING_WRONG, .run = stamps->name,
					      .has_counts = true, .found = stamps->distinct,
					      .age_ms = -1 },
			"%s record%s the stamps of run %s, which has no receipt",
			rv_format_count(stamps->distinct, n),
			stamps->distinct == 1 ? " carries" : "s carry", stamps->name);
	}
}

void rc_check_stamps(struct reconcile *r)
{
	const struct rv_stamped *stamped = &r->report->stamped;
	struct rv_finding f = { .level = RV_FINDING_NOTED, .has_counts = true, .age_ms = -1 };
	char a[RV_NUMBER_TEXT], b[RV_NUMBER_TEXT];
	check_unknown(r);
	if (stamped->twice) {
		f.code = RV_FINDING_RECORDS_TWICE;
		f.found = stamped->twice;
		rc_find(r, &f, "%s record%s more than once, under one stamp each: %s",
			rv_format_count(stamped->twice, a),
			stamped->twice == 1 ? " arrived" : "s arrived",
			stamped->deduplicated ? "the clean layer keeps one"
					      : "the raw table holds all of them, and there is no layer "
						"without");
	}
	if (stamped->unstamped || r->firehose_rejected) {
		f.code = RV_FINDING_RECORDS_UNSTAMPED;
		f.found = stamped->unstamped;
		if (r->stream->stamp != RV_STAMP_NONE || r->firehose_rejected)
			rc_find(r, &f,
				"objects of Firehose hold %s records without a stamp and %s lines that are "
				"no records: somebody else sends to its delivery stream",
				rv_format_count(stamped->unstamped, a),
				rv_format_count(r->firehose_rejected, b));
	}
	f.code = RV_FINDING_NOT_PROVABLE;
	/* A batch that Firehose would not take whole is an object as well, and nothing tells its records
	 * from those that were taken before. */
	if (r->stream->stamp == RV_STAMP_NONE && stamped->unstamped > stamped->unproven) {
		f.level = RV_FINDING_WRONG;
		f.expected = stamped->unproven;
		f.found = stamped->unstamped;
		rc_find(r, &f,
			"objects of Firehose hold %s records, and %s were accepted for it alone: which arrived "
			"twice cannot be told, for they carry no stamp (stamp: none)",
			rv_format_count(stamped->unstamped, a), rv_format_count(stamped->unproven, b));
		f.expected = 0;
	}
	if (!stamped->unproven)
		return;
	f.found = stamped->unproven;
	f.level = RV_FINDING_WRONG;
	rv_format_count(stamped->unproven, a);
	if (r->stream->stamp == RV_STAMP_NONE)
		rc_find(r, &f,
			"whether %s records that Firehose took have arrived cannot be told: they carry no "
			"stamp (stamp: none)", a);
	else if (r->report->warehouse_error.status == RV_OK)
		rc_find(r, &f,
			"whether %s records that Firehose took have arrived is not known without a "
			"warehouse; --verify reads the objects", a);
	else {
		/* Why it was not asked is said elsewhere. */
		f.level = RV_FINDING_NOTED;
		rc_find(r, &f,
			"whether %s records that Firehose took have arrived is known to the warehouse", a);
	}
}

/*
 * Comparing what was collected: every term of semantics.md 7 against its neighbour, per object and
 * per run, and the sums. Each difference becomes a finding that names what it is about.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/number.h"
#include "flow/reconcile_impl.h"
#include "format/json_text.h"


static const char *count_text(uint64_t n, char buf[RV_NUMBER_TEXT])
{
	return rv_format_count(n, buf);
}

static void add_hop(struct rv_hop *hop, uint64_t records, uint64_t bytes, uint64_t set_hash)
{
	hop->objects++;
	hop->records += records;
	hop->bytes += bytes;
	hop->set_hash += set_hash;
}

static void oldest(int64_t *ret, int64_t ms)
{
	if (ms >= 0 && (*ret < 0 || ms < *ret))
		*ret = ms;
}

static void newest(int64_t *ret, int64_t ms)
{
	if (ms > *ret)
		*ret = ms;
}

static const char *age_text(const struct reconcile *r, int64_t ms, char buf[RV_NUMBER_TEXT])
{
	return rc_age_text(rc_age_of(r, ms), buf);
}

/* ---- objects ---- */

static const char *run_name(const struct reconcile *r, const struct rc_object *o)
{
	const struct rc_run *run = rc_run_at(r, o->run);
	return run ? run->name : NULL;
}

/* What every finding about an object has in common. */
static struct rv_finding about(const struct reconcile *r, const struct rc_object *o,
			       enum rv_finding_code code)
{
	return (struct rv_finding){
		.code = code,
		.level = RV_FINDING_WRONG,
		.object = o->name,
		/* rc_find copies */
		.run = o->run == RC_NONE ? NULL : rc_run_at(r, o->run)->name,
		.has_seq = o->run != RC_NONE,
		.seq = o->seq,
		.age_ms = -1,
	};
}

static void find_missing(struct reconcile *r, struct rc_object *o, const char *why)
{
	if (o->named)
		return;
	char n[RV_NUMBER_TEXT];
	struct rv_finding f = about(r, o, RV_FINDING_OBJECT_MISSING);
	f.has_counts = true;
	f.expected = o->run == RC_NONE ? o->ledger_rows : o->records;
	o->named = true;
	rc_find(r, &f, "%s is not in the lake any more: %s records, %s", o->name,
		count_text(f.expected, n), why);
}

static void check_missing(struct reconcile *r, struct rc_object *o)
{
	char why[RV_TIME_TEXT + 64], time[RV_TIME_TEXT];
	if (o->look[1])
		return;
	if (o->in_ledger && !o->load_failed) {
		snprintf(why, sizeof(why), "loaded at %s", rv_format_time(o->loaded_ms, time));
		find_missing(r, o, why);
	} else if (o->journal_landed) {
		find_missing(r, o, "landed by the journal of its run");
	} else if (o->look[0]) {
		find_missing(r, o, "it went while this was looking");
	}
}

static void check_altered(struct reconcile *r, const struct rc_object *o)
{
	if (!o->look[1] || !o->in_ledger || o->load_failed || !o->ledger_bytes ||
	    o->bytes == o->ledger_bytes)
		return;
	struct rv_finding f = about(r, o, RV_FINDING_OBJECT_ALTERED);
	rc_find(r, &f, "%s has %" PRIu64 " bytes; it had %" PRIu64 " when it was loaded", o->name,
		o->bytes, o->ledger_bytes);
}

static void check_loaded(struct reconcile *r, const struct rc_object *o)
{
	char a[RV_NUMBER_TEXT], b[RV_NUMBER_TEXT];
	struct rv_finding f;
	if (o->in_ledger && o->load_failed) {
		f = about(r, o, RV_FINDING_LOAD_FAILED);
		rc_find(r, &f, "%s could not be loaded: %s", o->name,
			o->load_message ? o->load_message : "no reason was kept");
	} else if (o->in_ledger && o->run != RC_NONE) {
		f = about(r, o, RV_FINDING_LOAD_DIFFERS);
		f.has_counts = true;
		f.expected = o->records;
		f.found = o->ledger_rows + o->ledger_rejected;
		if (f.expected != f.found)
			rc_find(r, &f, "%s holds %s records, and the ledger has %s loaded or refused",
				o->name, count_text(f.expected, a), count_text(f.found, b));
		else if (r->report->has_hashes && !o->ledger_rejected && o->ledger_hash != o->set_hash)
			rc_find(r, &f,
				"%s has the set hash %016" PRIx64 ", and the ledger %016" PRIx64,
				o->name, o->set_hash, o->ledger_hash);
	}
}

static void check_rows(struct reconcile *r, const struct rc_object *o)
{
	char a[RV_NUMBER_TEXT], b[RV_NUMBER_TEXT];
	bool loaded = o->in_ledger && !o->load_failed;
	if (!r->report->has_tables)
		return;
	if (!loaded && o->raw_rows) {
		struct rv_finding f = about(r, o, RV_FINDING_ROWS_UNKNOWN);
		f.has_counts = true;
		f.found = o->raw_rows;
		rc_find(r, &f, "the raw table has %s rows of %s, which was never loaded",
			count_text(o->raw_rows, a), o->name);
		return;
	}
	if (!loaded)
		return;
	uint64_t expected = o->ledger_rows - o->ledger_retired;
	struct rv_finding f = about(r, o, o->raw_rows < expected   ? RV_FINDING_ROWS_MISSING
					  : o->raw_rows > expected ? RV_FINDING_ROWS_ADDED
								   : RV_FINDING_ROWS_ALTERED);
	f.has_counts = true;
	f.expected = expected;
	f.found = o->raw_rows;
	if (o->raw_rows < expected)
		rc_find(r, &f,
			"the raw table has %s of the %s rows loaded from %s; 'river snowpipe notify %s/%s "
			"--rebuild' makes the tables again from the lake",
			count_text(o->raw_rows, a), count_text(expected, b), o->name,
			r->stream->business, r->stream->name);
	else if (o->raw_rows > expected)
		rc_find(r, &f, "the raw table has %s rows of %s, which gave it %s",
			count_text(o->raw_rows, a), o->name, count_text(expected, b));
	else if (r->params->verify && r->report->has_hashes && o->raw_hash != o->ledger_hash &&
		 o->raw_whole_hash != o->ledger_hash)
		rc_find(r, &f,
			"the rows of %s have the set hash %016" PRIx64 ", and were loaded as %016" PRIx64,
			o->name, o->raw_hash, o->ledger_hash);
}

static void check_foreign(struct reconcile *r, const struct rc_object *o)
{
	if (o->run != RC_NONE || o->firehose || !o->look[1])
		return;
	struct rv_finding f = about(r, o, RV_FINDING_OBJECT_FOREIGN);
	if (o->in_ledger && !o->load_failed) {
		/* Loading one takes its name on a command line: somebody wanted it. */
		f.level = RV_FINDING_NOTED;
		rc_find(r, &f, "%s is not a name of river's; it was loaded on request", o->name);
	} else {
		rc_find(r, &f, "%s is not a name of river's: it is neither counted nor loaded", o->name);
	}
}

static void sum_object(struct reconcile *r, const struct rc_object *o,
		       const struct rc_object **oldest_pending)
{
	struct rv_reconcile *report = r->report;
	if (o->in_ledger && !o->load_failed) {
		add_hop(&report->loaded, o->ledger_rows, o->ledger_bytes, o->ledger_hash);
		report->load_rejected.objects += o->ledger_rejected > 0;
		report->load_rejected.records += o->ledger_rejected;
		report->retired += o->ledger_retired;
		report->present += o->raw_rows;
		if (o->look[1])
			newest(&report->newest_loaded_ms, o->modified_ms);
	}
	if (!o->look[1])
		return;
	struct rc_run *run = rc_run_at(r, o->run);
	if (!run && !o->firehose) {
		add_hop(&report->foreign, 0, o->bytes, 0);
		return;
	}
	newest(&report->newest_landed_ms, o->modified_ms);
	if (run) {
		add_hop(&report->landed, o->records, o->bytes, o->set_hash);
		run->objects++;
		run->records += o->records;
		run->set_hash += o->set_hash;
	} else {
		/* Nothing but loading it tells what is in it. */
		bool loaded = o->in_ledger && !o->load_failed;
		add_hop(&report->landed, loaded ? o->ledger_rows + o->ledger_rejected : 0, o->bytes,
			loaded ? o->ledger_hash : 0);
	}
	if (o->in_ledger && o->load_failed)
		add_hop(&report->load_rejected, o->records, o->bytes, o->set_hash);
	else if (!o->in_ledger && report->has_warehouse) {
		add_hop(&report->pending, o->records, o->bytes, o->set_hash);
		r->firehose_pending += o->firehose;
		if (!*oldest_pending || o->modified_ms < (*oldest_pending)->modified_ms)
			*oldest_pending = o;
	}
}

static void check_objects(struct reconcile *r)
{
	const struct rc_object *first = NULL;
	for (size_t i = 0; i < r->objects.count; i++) {
		struct rc_object *o = rc_object_at(r, i);
		check_missing(r, o);
		if (o->older)
			continue;
		check_foreign(r, o);
		check_altered(r, o);
		check_loaded(r, o);
		check_rows(r, o);
		sum_object(r, o, &first);
	}
	if (!first)
		return;
	char a[RV_NUMBER_TEXT], b[RV_NUMBER_TEXT], c[RV_NUMBER_TEXT];
	struct rv_finding f = about(r, first, RV_FINDING_PENDING);
	oldest(&r->report->oldest_pending_ms, first->modified_ms);
	f.age_ms = rc_age_of(r, first->modified_ms);
	f.level = rc_level_by_age(r, f.age_ms);
	f.has_counts = true;
	f.found = r->report->pending.records;
	uint64_t objects = r->report->pending.objects;
	if (objects == r->firehose_pending)
		rc_find(r, &f, "%s object%s of Firehose %s not loaded yet; the oldest landed %s ago: %s",
			count_text(objects, a), objects == 1 ? "" : "s", objects == 1 ? "is" : "are",
			age_text(r, first->modified_ms, c), first->name);
	else
		rc_find(r, &f,
			"%s objects with %s records are not loaded yet; the oldest landed %s ago: %s",
			count_text(objects, a), count_text(r->report->pending.records, b),
			age_text(r, first->modified_ms, c), first->name);
}

/* ---- (run, number) ---- */

static int compare_order(const void *a, const void *b, void *arg)
{
	const struct reconcile *r = arg;
	const struct rc_object *x = rc_object_at(r, *(const uint32_t *)a);
	const struct rc_object *y = rc_object_at(r, *(const uint32_t *)b);
	if (x->run != y->run)
		return x->run < y->run ? -1 : 1;
	if (x->seq != y->seq)
		return x->seq < y->seq ? -1 : 1;
	return strcmp(x->name, y->name);
}

static void put_in_order(struct reconcile *r)
{
	r->ordered = rv_calloc(r->objects.count, sizeof(*r->ordered));
	for (size_t i = 0; i < r->objects.count; i++) {
		const struct rc_object *o = rc_object_at(r, i);
		if (o->run != RC_NONE && o->look[1] && !o->older)
			r->ordered[r->ordered_count++] = (uint32_t)i;
	}
	qsort_r(r->ordered, r->ordered_count, sizeof(*r->ordered), compare_order, r);
	const struct rc_object *before = NULL;
	for (size_t i = 0; i < r->ordered_count; i++) {
		const struct rc_object *o = rc_object_at(r, r->ordered[i]);
		if (!before || before->run != o->run) {
			rc_run_at(r, o->run)->first = i;
		} else if (before->seq == o->seq) {
			struct rv_finding f = about(r, o, RV_FINDING_SEQUENCE_TWICE);
			rc_find(r, &f, "%s and %s are both number %" PRIu64 " of run %s", before->name,
				o->name, o->seq, run_name(r, o));
		}
		before = o;
	}
}

/* ---- runs ---- */

struct rv_finding rc_about_run(const struct rc_run *run, enum rv_finding_code code)
{
	return (struct rv_finding){ .code = code, .level = RV_FINDING_WRONG, .run = run->name,
				    .host = run->host, .age_ms = -1 };
}

enum rv_status rc_read_receipt(struct reconcile *r, const struct rc_run *run, json_t **ret,
			       struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	char name[RV_OBJECT_NAME_MAX], etag[RV_ETAG_TEXT];
	bool found;
	json_error_t at;
	*ret = NULL;
	rv_receipt_name_format(&run->receipt, name);
	enum rv_status status = rv_store_get_optional(r->params->lake, name, RV_RECEIPT_MAX_BYTES, &text,
						      etag, &found, err);
	if (status != RV_OK && status != RV_BAD_DATA)
		return status;
	if (status == RV_OK && found)
		*ret = json_loadb(text.bytes, text.len, JSON_REJECT_DUPLICATES, &at);
	return RV_OK;
}

/* The receipt lists what the run put: name what is gone and what is not its own. */
static void explain(struct reconcile *r, uint32_t index, const json_t *receipt)
{
	const json_t *item, *objects = json_object_get(receipt, "objects");
	size_t i;
	json_array_foreach(objects, i, item) {
		const char *text = json_string_value(item);
		struct rv_object_name name;
		if (!text || !rv_object_name_parse(text, &name) ||
		    strcmp(name.run, rc_run_at(r, index)->name) != 0)
			continue;
		struct rc_object *o = rc_table_find(&r->objects, text);
		if (!o) {
			o = rc_table_enter(&r->objects, text);
			o->run = index;
			o->seq = name.seq;
			o->records = name.records;
			o->set_hash = name.set_hash;
		}
		o->listed = true;
		if (!o->look[1])
			find_missing(r, o, "listed by the receipt of its run");
	}
	for (i = rc_run_at(r, index)->first; i < r->ordered_count; i++) {
		struct rc_object *o = rc_object_at(r, r->ordered[i]);
		if (o->run != index)
			break;
		if (o->listed)
			continue;
		struct rv_finding f = about(r, o, RV_FINDING_OBJECT_FOREIGN);
		rc_find(r, &f, "%s is not in the receipt of run %s", o->name, run_name(r, o));
	}
}

static void check_receipt(struct reconcile *r, const struct rc_run *run, const json_t *receipt)
{
	const struct rv_receipt_name *name = &run->receipt;
	/* A service names its objects itself: then those that river put are listed apart. */
	const json_t *batches = json_object_get(receipt, "batches");
	uint64_t hash;
	if (!batches)
		batches = json_object_get(receipt, "objects");
	if (receipt && json_is_array(json_object_get(receipt, "objects")) &&
	    rv_json_get_u64(receipt, "accepted") == name->accepted &&
	    rv_json_get_u64(receipt, "rejected") == name->rejected &&
	    rv_json_get_u64(receipt, "read") == name->accepted + name->rejected &&
	    json_array_size(batches) == name->batches &&
	    rv_json_get_hex64(receipt, "hash", &hash) && hash == name->set_hash)
		return;
	char text[RV_OBJECT_NAME_MAX];
	rv_receipt_name_format(name, text);
	struct rv_finding f = rc_about_run(run, RV_FINDING_RECEIPT_DAMAGED);
	rc_find(r, &f, "%s does not say what its name says", text);
}

static enum rv_status check_closed(struct reconcile *r, uint32_t index, struct rv_error *err)
{
	struct rc_run *run = rc_run_at(r, index);
	const struct rv_receipt_name *receipt = &run->receipt;
	char a[RV_NUMBER_TEXT], b[RV_NUMBER_TEXT], c[RV_NUMBER_TEXT], d[RV_NUMBER_TEXT];
	bool same = run->records == receipt->accepted && run->objects == receipt->batches &&
		    run->set_hash == receipt->set_hash;
	bool done;
	struct rv_finding f;
	if (rc_check_arrival(r, index, same, &done, err) != RV_OK)
		return err->status;
	if (run->twice) {
		f = rc_about_run(run, RV_FINDING_RECEIPT_TWICE);
		rc_find(r, &f, "run %s has two closed receipts that differ", run->name);
	}
	if (!done) {
		f = rc_about_run(run, RV_FINDING_RUN_DIFFERS);
		f.has_counts = true;
		f.expected = receipt->accepted;
		f.found = run->records;
		if (run->records == receipt->accepted && run->objects == receipt->batches)
			rc_find(r, &f,
				"run %s accepted records of set hash %016" PRIx64
				", and its objects have %016" PRIx64,
				run->name, receipt->set_hash, run->set_hash);
		else
			rc_find(r, &f,
				"run %s accepted %s records in %s objects, and the lake has %s in %s",
				run->name, count_text(receipt->accepted, a),
				count_text(receipt->batches, b), count_text(run->records, c),
				count_text(run->objects, d));
	}
	if (run->rejects != receipt->rejected) {
		f = rc_about_run(run, RV_FINDING_REJECTS_DIFFER);
		f.has_counts = true;
		f.expected = receipt->rejected;
		f.found = run->rejects;
		rc_find(r, &f, "run %s rejected %s records, and the lake keeps %s of them", run->name,
			count_text(receipt->rejected, a), count_text(run->rejects, b));
	}
	if (done && !r->params->verify)
		return RV_OK;
	json_t *document;
	if (rc_read_receipt(r, run, &document, err) != RV_OK)
		return err->status;
	check_receipt(r, run, document);
	if (document)
		explain(r, index, document);
	json_decref(document);
	return RV_OK;
}

static enum rv_status check_open(struct reconcile *r, struct rc_run *run, struct rv_error *err)
{
	char a[RV_NUMBER_TEXT], b[RV_NUMBER_TEXT];
	json_t *document = NULL;
	/* A journal here knows the host already. */
	if (!run->host) {
		if (rc_read_receipt(r, run, &document, err) != RV_OK)
			return err->status;
		run->host = rv_json_bytes_value(json_object_get(document, "host"));
		json_decref(document);
	}
	struct rv_finding f = rc_about_run(run, RV_FINDING_RUN_OPEN);
	f.has_counts = true;
	f.expected = run->promised;
	f.found = rc_add_open_arrival(r, (uint32_t)(run - rc_run_at(r, 0)));
	f.age_ms = rc_age_of(r, run->sign_ms);
	/* Whose lock is held is at work: a pipe may be open for as long as it likes. */
	f.level = run->alive ? RV_FINDING_NOTED : rc_level_by_age(r, f.age_ms);
	r->report->runs_open++;
	rc_find(r, &f, "run %s of host %s is open (%s), %s records of it landed, last seen %s ago",
		run->name, run->host ? run->host : "unknown",
		run->alive     ? "its push is going on"
		: run->journal ? "its push is over; the next push finishes it"
			       : "nothing of it is here: finish it where it was pushed",
		count_text(f.found, a), age_text(r, run->sign_ms, b));
	return RV_OK;
}

/* Objects, but no receipt at all. One that came between the looks may have got one since. */
static void check_without_receipt(struct reconcile *r, uint32_t index)
{
	char n[RV_NUMBER_TEXT];
	struct rc_run *run = rc_run_at(r, index);
	for (size_t i = run->first; run->objects && i < r->ordered_count; i++) {
		const struct rc_object *o = rc_object_at(r, r->ordered[i]);
		if (o->run != index)
			break;
		if (!o->look[0])
			continue;
		struct rv_finding f = about(r, o, RV_FINDING_OBJECT_FOREIGN);
		f.has_counts = true;
		f.found = o->records;
		rc_find(r, &f, "%s with %s records is foreign: run %s has no receipt", o->name,
			count_text(o->records, n), run->name);
	}
	if (run->objects || !run->rejects)
		return;
	struct rv_finding f = rc_about_run(run, RV_FINDING_REJECTS_DIFFER);
	f.has_counts = true;
	f.found = run->rejects;
	f.level = run->journal ? RV_FINDING_NOTED : RV_FINDING_WRONG;
	rc_find(r, &f, "the lake keeps %s rejects of run %s, which has no receipt",
		count_text(run->rejects, n), run->name);
}

static enum rv_status check_runs(struct reconcile *r, struct rv_error *err)
{
	struct rv_reconcile *report = r->report;
	for (uint32_t i = 0; i < r->runs.count; i++) {
		struct rc_run *run = rc_run_at(r, i);
		if (run->former || (run->older && run->closed))
			continue;
		if (run->closed) {
			report->runs_closed++;
			report->accepted += run->receipt.accepted;
			report->rejected += run->receipt.rejected;
			report->batches += run->receipt.batches;
			if (check_closed(r, i, err) != RV_OK)
				return err->status;
			continue;
		}
		if (run->journal) {
			report->accepted += run->promised;
			report->rejected += run->promised_rejects;
			report->batches += run->promised_batches;
		}
		if (run->open) {
			if (check_open(r, run, err) != RV_OK)
				return err->status;
		} else {
			check_without_receipt(r, i);
		}
	}
	return RV_OK;
}

/* ---- the spool, the layers, what is older ---- */

static enum rv_status check_waiting(struct reconcile *r, struct rv_error *err)
{
	char a[RV_NUMBER_TEXT], b[RV_NUMBER_TEXT];
	for (size_t i = 0; i < r->waiting_count; i++) {
		const struct rc_waiting *w = &r->waiting[i];
		const struct rc_object *o = rc_table_find(&r->objects, w->object);
		struct rv_store_object there;
		/* It may have landed since; then only the journal's note of it is missing. */
		if (o && o->look[1])
			continue;
		if (w->rejects_only) {
			enum rv_status status = r->params->lake->ops->head(r->params->lake, w->object,
									   &there, err);
			if (status == RV_OK)
				continue;
			if (status != RV_NOT_FOUND)
				return status;
		}
		const struct rc_run *run = rc_run_at(r, w->run);
		struct rv_finding f = rc_about_run(run, RV_FINDING_SPOOLED);
		f.object = *w->object ? w->object : NULL;
		f.has_seq = true;
		f.seq = w->seq;
		f.has_counts = true;
		f.found = w->records;
		f.age_ms = rc_age_of(r, w->since_ms);
		f.level = rc_level_by_age(r, f.age_ms);
		add_hop(&r->report->spooled, w->records, w->bytes, 0);
		oldest(&r->report->oldest_spooled_ms, w->since_ms);
		rc_find(r, &f,
			"batch %" PRIu64 " of run %s (host %s, %s records) has been waiting here for %s%s",
			w->seq, run->name, run->host ? run->host : "unknown", count_text(w->records, a),
			age_text(r, w->since_ms, b),
			run->alive ? "" : "; 'river spool flush' sends it");
	}
	return RV_OK;
}

static void check_layers(struct reconcile *r)
{
	const struct rv_warehouse_counts *t = &r->report->tables;
	uint64_t sum = t->clean + t->duplicates + t->refused;
	char a[RV_NUMBER_TEXT], b[RV_NUMBER_TEXT], c[RV_NUMBER_TEXT], d[RV_NUMBER_TEXT];
	if (!r->report->has_tables || !t->has_clean || t->raw == sum)
		return;
	struct rv_finding f = { .code = RV_FINDING_LAYERS_DIFFER, .level = RV_FINDING_WRONG,
				.has_counts = true, .expected = t->raw, .found = sum, .age_ms = -1 };
	/* Layers that follow by themselves are behind what was loaded just now. */
	if (!r->report->has_hashes && t->raw > sum && r->last_load_ms) {
		f.age_ms = rc_age_of(r, r->last_load_ms);
		f.level = rc_level_by_age(r, f.age_ms) == RV_FINDING_LATE ? RV_FINDING_WRONG : RV_FINDING_NOTED;
	}
	rc_find(r, &f, "raw has %s rows, and clean, duplicates and refused %s + %s + %s",
		count_text(t->raw, a), count_text(t->clean, b), count_text(t->duplicates, c),
		count_text(t->refused, d));
}

/* A contract that refuses all that came last does not fit the records, or they have changed. */
static void check_refused(struct reconcile *r)
{
	const struct rv_warehouse_refused *t = &r->report->refused;
	bool all = t->last_rows && t->last_refused == t->last_rows;
	char n[RV_NUMBER_TEXT], table[RV_STREAM_PLACE_MAX];
	if (!t->commonest)
		return;
	struct rv_finding f = { .code = RV_FINDING_REFUSED,
				.level = all ? RV_FINDING_WRONG : RV_FINDING_NOTED,
				.has_counts = all, .expected = 0, .found = t->last_refused, .age_ms = -1 };
	rc_find(r, &f,
		"the contract refuses %s%s record%s, mostly (%" PRIu64 ") for column %s: %s; see river query "
		"'select column_name, reason, count(*) from %s group by all'",
		all ? "all of the last load, " : "", count_text(t->count, n), t->count == 1 ? "" : "s",
		t->commonest, t->column, t->reason, rv_stream_table(r->stream, RV_TABLE_REFUSED, table));
}

static void older_differs(struct reconcile *r, const char *what, uint64_t expected,
			  const char *than, uint64_t found)
{
	char a[RV_NUMBER_TEXT], b[RV_NUMBER_TEXT];
	if (expected == found)
		return;
	rc_find(r,
		&(struct rv_finding){ .code = RV_FINDING_OLDER_DIFFERS, .level = RV_FINDING_WRONG,
				      .has_counts = true, .expected = expected, .found = found,
				      .age_ms = -1 },
		"before %s: %s %s, %s %s; --since all names what it is", r->params->since_day,
		count_text(expected, a), what, count_text(found, b), than);
}

static void add_older(struct reconcile *r)
{
	const struct rc_older *o = &r->older;
	struct rv_reconcile *report = r->report;
	uint64_t objects = o->landed.objects + o->open_landed.objects + o->firehose.objects;
	uint64_t records = o->landed.records + o->open_landed.records + o->firehose.records;
	/* A record is there under its stamp, or in an object that says it has so many. */
	uint64_t arrived = o->arrived + o->landed.records -
			   (o->stamped_own < o->landed.records ? o->stamped_own : o->landed.records);
	bool unproven = o->firehose.objects && r->stream->stamp == RV_STAMP_NONE &&
			arrived < o->accepted;
	report->accepted += o->accepted;
	report->rejected += o->rejected;
	report->batches += o->batches;
	report->landed.objects += objects;
	report->landed.records += records;
	report->landed.bytes += o->landed.bytes + o->open_landed.bytes + o->firehose.bytes;
	report->landed.set_hash += o->landed.set_hash + o->open_landed.set_hash;
	report->loaded.objects += o->loaded_objects;
	report->loaded.records += o->rows;
	report->load_rejected.objects += o->failed_objects;
	report->load_rejected.records += o->load_rejected + o->failed_records;
	report->retired += o->retired;
	report->present += o->present;
	report->stamped.arrived += arrived < o->accepted ? arrived : o->accepted;
	report->stamped.unproven += unproven ? o->accepted - arrived : 0;
	if (!unproven && (report->has_warehouse || !o->firehose.objects))
		older_differs(r, "records accepted", o->accepted, "landed", arrived);
	if (!o->firehose.objects)
		older_differs(r, "batches accepted", o->batches, "objects landed", o->landed.objects);
	if (!o->firehose.objects && o->accepted == o->landed.records &&
	    o->set_hash != o->landed.set_hash)
		older_differs(r, "is the set hash accepted", o->set_hash, "the one landed",
			      o->landed.set_hash);
	older_differs(r, "records rejected", o->rejected, "kept", o->rejects);
	if (!report->has_warehouse)
		return;
	older_differs(r, "objects landed", objects, "loaded or failed",
		      o->loaded_objects + o->failed_objects);
	older_differs(r, "records landed", records, "loaded or refused",
		      o->rows + o->load_rejected + o->failed_records);
	if (report->has_tables)
		older_differs(r, "rows loaded and not retired", o->rows - o->retired, "in the raw table",
			      o->present);
}

/* ---- all of it ---- */

static void judge(struct reconcile *r)
{
	struct rv_reconcile *report = r->report;
	bool all = !report->levels[RV_FINDING_WRONG] && !report->spooled.objects &&
		   !report->runs_open && report->accepted == report->stamped.arrived;
	if (report->has_warehouse)
		all = all && !report->pending.objects &&
		      report->load_rejected.records <= r->firehose_rejected;
	if (report->newest_landed_ms >= 0 && report->has_warehouse) {
		if (!report->pending.objects)
			report->lag_ms = 0;
		else if (report->newest_loaded_ms >= 0)
			report->lag_ms = report->newest_landed_ms > report->newest_loaded_ms
						 ? report->newest_landed_ms - report->newest_loaded_ms
						 : 0;
	}
	report->all_once = all;
}

enum rv_status rc_check(struct reconcile *r, struct rv_error *err)
{
	check_objects(r);
	put_in_order(r);
	if (rc_complete_stamps(r, err) != RV_OK)
		return err->status;
	if (check_runs(r, err) != RV_OK || check_waiting(r, err) != RV_OK)
		return err->status;
	check_layers(r);
	check_refused(r);
	add_older(r);
	rc_check_stamps(r);
	judge(r);
	return RV_OK;
}

/*
 * Looking: what spool, lake and warehouse say about a stream, collected by name. The order of looks
 * is what makes the answers comparable: an object is in the lake before the warehouse can have it,
 * all objects of a run are there before its receipt is closed, and the second look lists receipts
 * before objects.
 */
#include "flow/reconcile.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/number.h"
#include "flow/landing.h"
#include "flow/reconcile_impl.h"
#include "format/json_text.h"
#include "spool/intake.h"
#include "spool/run.h"
#include "spool/state.h"

#define CLOCKS_DIFFER_MS (15 * 60 * 1000)

/* ---- tables ---- */

static char **name_of(const struct rc_table *table, size_t index)
{
	return (char **)(void *)(table->items + index * table->item_bytes);
}

static size_t find_slot(const struct rc_table *table, const char *name)
{
	size_t at = XXH3_64bits(name, strlen(name)) & table->mask;
	while (table->slots[at] && strcmp(*name_of(table, table->slots[at] - 1), name) != 0)
		at = (at + 1) & table->mask;
	return at;
}

void *rc_table_find(const struct rc_table *table, const char *name)
{
	if (!table->count)
		return NULL;
	size_t at = find_slot(table, name);
	return table->slots[at] ? (void *)name_of(table, table->slots[at] - 1) : NULL;
}

void *rc_table_enter(struct rc_table *table, const char *name)
{
	void *found = rc_table_find(table, name);
	if (found)
		return found;
	if (table->count >= RC_NONE - 1)
		rv_bug("%zu names are too many to reconcile", table->count);
	if (table->count == table->capacity) {
		table->capacity = table->capacity ? table->capacity * 2 : 64;
		table->items = rv_realloc_array(table->items, table->capacity, table->item_bytes);
	}
	char *item = table->items + table->count * table->item_bytes;
	memset(item, 0, table->item_bytes);
	*(char **)(void *)item = rv_strdup(name);
	table->count++;
	if (table->count * 2 > table->mask) {
		size_t size = 128;
		while (size < table->count * 4)
			size *= 2;
		free(table->slots);
		table->slots = rv_calloc(size, sizeof(*table->slots));
		table->mask = size - 1;
		for (size_t i = 0; i < table->count; i++)
			table->slots[find_slot(table, *name_of(table, i))] = (uint32_t)i + 1;
	} else {
		table->slots[find_slot(table, name)] = (uint32_t)table->count;
	}
	return item;
}

static void table_release(struct rc_table *table)
{
	free(table->items);
	free(table->slots);
}

static uint32_t enter_run(struct reconcile *r, const char *name)
{
	struct rc_run *run = rc_table_enter(&r->runs, name);
	return (uint32_t)(run - (struct rc_run *)(void *)r->runs.items);
}

static void live_at(struct reconcile *r, struct rc_run *run, int64_t ms)
{
	if (ms > run->sign_ms)
		run->sign_ms = ms;
	if (ms > r->report->last_run_ms)
		r->report->last_run_ms = ms;
}

/* ---- findings ---- */

static const struct {
	const char *name;
} codes[] = {
#define RV_FINDING(name, text, meaning) { text },
	RV_FINDINGS(RV_FINDING)
#undef RV_FINDING
};

const char *rv_finding_name(enum rv_finding_code code)
{
	return codes[code].name;
}

const char *rv_finding_level_name(enum rv_finding_level level)
{
	static const char *const names[] = { "noted", "late", "wrong" };
	return names[level];
}

static char *copy_text(const char *s)
{
	return s ? rv_strdup(s) : NULL;
}

void rc_find(struct reconcile *r, const struct rv_finding *what, const char *fmt, ...)
{
	struct rv_reconcile *report = r->report;
	report->levels[what->level]++;
	if (report->found[what->code]++ >= RV_FINDINGS_KEPT)
		return;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf message = RV_STRBUF_INIT;
	va_list ap;
	va_start(ap, fmt);
	rv_strbuf_vprintf(&message, fmt, ap);
	va_end(ap);
	RV_GROW(report->findings, report->findings_count, report->findings_capacity);
	struct rv_finding *f = &report->findings[report->findings_count++];
	*f = *what;
	f->object = copy_text(what->object);
	f->run = copy_text(what->run);
	f->host = copy_text(what->host);
	f->message = rv_strbuf_take(&message);
}

int64_t rc_age_of(const struct reconcile *r, int64_t ms)
{
	int64_t age_ms = r->params->now_ms - ms;
	if (ms < 0 || (age_ms < 0 && age_ms >= -CLOCKS_DIFFER_MS))
		return 0;
	return age_ms < 0 ? RC_AGE_UNKNOWN : age_ms;
}

const char *rc_age_text(int64_t age_ms, char buf[RV_NUMBER_TEXT])
{
	if (age_ms != RC_AGE_UNKNOWN)
		return rv_format_duration(age_ms / 1000 * 1000, buf);
	snprintf(buf, RV_NUMBER_TEXT, "an unknown time");
	return buf;
}

enum rv_finding_level rc_level_by_age(const struct reconcile *r, int64_t age_ms)
{
	bool late = age_ms == RC_AGE_UNKNOWN || age_ms > r->stream->monitor_freshness_ms;
	return late ? RV_FINDING_LATE : RV_FINDING_NOTED;
}

void rv_reconcile_release(struct rv_reconcile *report)
{
	for (size_t i = 0; i < report->findings_count; i++) {
		struct rv_finding *f = &report->findings[i];
		free(f->message);
		free(f->object);
		free(f->run);
		free(f->host);
	}
	free(report->findings);
	report->findings = NULL;
	report->findings_count = report->findings_capacity = 0;
}

/* ---- names and the window ---- */

bool rc_before_window(const struct reconcile *r, const char *day)
{
	return r->params->since_day && strcmp(day, r->params->since_day) < 0;
}

/* Of an earlier stream of that name (create --fresh): `folder` "dt=2026-11-20/hr=14". */
static bool is_former(const struct reconcile *r, const char *folder)
{
	return r->former_before[0] && strcmp(folder, r->former_before) < 0;
}

struct rc_place rc_place_of(const struct reconcile *r, const char *object)
{
	struct rc_place place = { .own = false };
	struct rv_firehose_name firehose;
	const char *folder = place.name.folder;
	char day[12];
	place.own = rv_object_name_parse(object, &place.name) &&
		    strcmp(place.name.business, r->stream->business) == 0 &&
		    strcmp(place.name.stream, r->stream->name) == 0;
	if (!place.own) {
		place.firehose = rv_firehose_name_parse(object, r->stream, &firehose);
		folder = firehose.folder;
	}
	if (!place.own && !place.firehose)
		return place;
	snprintf(day, sizeof(day), "%.10s", folder + 3);
	place.former = is_former(r, folder);
	place.older = rc_before_window(r, day);
	return place;
}

struct rc_object *rc_enter_object(struct reconcile *r, const char *text,
				      const struct rv_object_name *name)
{
	size_t before = r->objects.count;
	struct rc_object *o = rc_table_enter(&r->objects, text);
	if (r->objects.count == before)
		return o;
	o->run = RC_NONE;
	o->modified_ms = -1;
	if (name) {
		o->run = enter_run(r, name->run);
		o->seq = name->seq;
		o->records = name->records;
		o->set_hash = name->set_hash;
	}
	return o;
}

/* ---- the spool ---- */

static int64_t file_time_ms(const char *path, int64_t otherwise_ms)
{
	struct stat st;
	if (stat(path, &st) < 0)
		return otherwise_ms;
	return (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
}

static void note_batch(struct reconcile *r, uint32_t index, const struct rv_run *run,
		       const struct rv_batch_entry *batch)
{
	if (batch->state == RV_BATCH_DROPPED) {
		rc_find(r,
			&(struct rv_finding){ .code = RV_FINDING_BATCH_LOST, .level = RV_FINDING_WRONG,
					      .run = rc_run_at(r, index)->name, .host = run->host,
					      .has_seq = true, .seq = batch->seq, .has_counts = true,
					      .expected = batch->records, .age_ms = -1 },
			"batch %" PRIu64 " of run %s (%" PRIu64 " records of %s) could not be kept: "
			"it was not accepted", batch->seq, run->name, batch->records, run->source);
		return;
	}
	rc_run_at(r, index)->promised += batch->records;
	rc_run_at(r, index)->promised_rejects += batch->rejected;
	rc_run_at(r, index)->promised_batches += batch->records > 0;
	const char *text = batch->records ? batch->name : batch->rejects_name;
	if (!text)
		return;
	const struct rc_place place = rc_place_of(r, text);
	if (batch->records && place.own) {
		struct rc_object *o = rc_enter_object(r, text, &place.name);
		o->older = place.older;
		o->journal_landed = batch->state == RV_BATCH_LANDED;
	}
	if (batch->state != RV_BATCH_WAITING)
		return;
	RV_CLEANUP(rv_free_p) char *body = rv_run_body_path(run, batch->seq);
	RV_GROW(r->waiting, r->waiting_count, r->waiting_capacity);
	r->waiting[r->waiting_count++] = (struct rc_waiting){
		.run = index,
		.seq = batch->seq,
		.records = batch->records,
		.bytes = batch->bytes,
		.since_ms = run->pipe ? file_time_ms(body, run->started_ms) : run->started_ms,
		.object = rv_strdup(text),
		.rejects_only = batch->records == 0,
	};
}

/* What a collector has accepted and is in no batch yet. */
static enum rv_status note_intakes(struct reconcile *r, uint32_t index, struct rv_run *run,
				   const uint64_t *seqs, size_t count, struct rv_error *err)
{
	for (size_t i = 0; i < count; i++) {
		struct rv_intake_totals totals = { .damage = RV_ERROR_INIT };
		RV_CLEANUP(rv_free_p) char *path = rv_run_intake_path(run, seqs[i]);
		if (rv_run_intake_add(run, seqs[i], &totals, err) != RV_OK)
			return err->status;
		/* What is being written may look damaged for a moment. */
		if (totals.damage.status != RV_OK && !rc_run_at(r, index)->alive)
			rc_find(r,
				&(struct rv_finding){ .code = RV_FINDING_RUN_DAMAGED, .level = RV_FINDING_WRONG,
						      .run = rc_run_at(r, index)->name, .host = run->host,
						      .age_ms = -1 },
				"%s", totals.damage.message);
		if (!totals.records && !totals.rejected)
			continue;
		rc_run_at(r, index)->promised += totals.records;
		rc_run_at(r, index)->promised_rejects += totals.rejected;
		RV_GROW(r->waiting, r->waiting_count, r->waiting_capacity);
		r->waiting[r->waiting_count++] = (struct rc_waiting){
			.run = index,
			.seq = seqs[i],
			.records = totals.records,
			.bytes = totals.bytes,
			.since_ms = file_time_ms(path, run->started_ms),
			.object = rv_strdup(""),
		};
	}
	return RV_OK;
}

struct spool_look {
	struct reconcile *r;
	const struct rv_state *state;
};

/* Which files there are, and then the journal: what became a batch in between counts as one. */
static enum rv_status open_run(const struct spool_look *look, const char *name, struct rv_run **ret,
			       uint64_t **ret_seqs, size_t *ret_count, struct rv_error *err)
{
	RV_CLEANUP(rv_run_free_p) struct rv_run *run = NULL;
	if (rv_run_open(look->state, name, false, &run, err) != RV_OK)
		return err->status;
	if (rv_run_intakes(run, ret_seqs, ret_count, err) != RV_OK)
		return err->status;
	if (*ret_count == 0) {
		*ret = rv_take(run);
		return RV_OK;
	}
	return rv_run_open(look->state, name, false, ret, err);
}

static enum rv_status look_at_run(void *arg, const char *name, struct rv_error *err)
{
	struct spool_look *look = arg;
	struct reconcile *r = look->r;
	RV_CLEANUP(rv_run_free_p) struct rv_run *run = NULL;
	RV_CLEANUP(rv_free_p) uint64_t *seqs = NULL;
	size_t seqs_count = 0;
	enum rv_status status = open_run(look, name, &run, &seqs, &seqs_count, err);
	if (status == RV_NOT_FOUND)
		return RV_OK; /* finished meanwhile, or never begun */
	if (status == RV_DAMAGED || status == RV_BAD_CONFIG) {
		RV_CLEANUP(rv_free_p) char *copy = rv_strdup(name);
		rc_find(r,
			&(struct rv_finding){ .code = RV_FINDING_RUN_DAMAGED,
					      .level = RV_FINDING_WRONG, .run = copy, .age_ms = -1 },
			"%s", err->message);
		return RV_OK;
	}
	if (status != RV_OK)
		return status;
	uint32_t index = enter_run(r, run->name);
	struct rc_run *mine = rc_run_at(r, index);
	char day[12];
	snprintf(day, sizeof(day), "%.10s",
		 strlen(run->lake_folder) > 3 ? run->lake_folder + 3 : run->lake_folder);
	mine->older = rc_before_window(r, day);
	mine->journal = true;
	mine->alive = rv_run_is_alive(run);
	live_at(r, mine, run->started_ms);
	if (!mine->host)
		mine->host = rv_strdup(run->host);
	for (size_t i = 0; i < run->batches_count; i++)
		note_batch(r, index, run, &run->batches[i]);
	return note_intakes(r, index, run, seqs, seqs_count, err);
}

static enum rv_status look_at_damaged(void *arg, const char *name, struct rv_error *err RV_UNUSED)
{
	struct spool_look *look = arg;
	RV_CLEANUP(rv_free_p) char *path = rv_asprintf("%s/damaged/%s", look->state->folder, name);
	rc_find(look->r,
		&(struct rv_finding){ .code = RV_FINDING_RUN_DAMAGED, .level = RV_FINDING_WRONG,
				      .age_ms = rc_age_of(look->r,
							  file_time_ms(path, look->r->params->now_ms)) },
		"%s was damaged and set aside; see 'river spool check'", path);
	return RV_OK;
}

struct former_look {
	const struct rv_state *state;
	uint64_t waiting;
};

/* A journal that cannot be read is for `spool check` to say. */
static enum rv_status look_at_former_run(void *arg, const char *name, struct rv_error *err)
{
	struct former_look *look = arg;
	RV_CLEANUP(rv_run_free_p) struct rv_run *run = NULL;
	struct rv_run_totals totals;
	if (rv_run_open(look->state, name, false, &run, err) != RV_OK)
		return RV_OK;
	rv_run_totals_with_intake(run, &totals);
	look->waiting += totals.waiting_records;
	return RV_OK;
}

/* An earlier stream of that name was deleted with records that wait: they are none of this one's, and nobody
 * delivers them any more. */
static enum rv_status look_at_former(struct reconcile *r, const struct rv_state *state, struct rv_error *err)
{
	struct former_look look = { .state = state };
	char n[RV_NUMBER_TEXT];
	if (rv_run_each(state, look_at_former_run, &look, err) != RV_OK)
		return err->status;
	if (!look.waiting)
		return RV_OK;
	struct rv_finding f = { .code = RV_FINDING_STREAM_UNKNOWN, .level = RV_FINDING_WRONG,
				.has_counts = true, .found = look.waiting, .age_ms = -1 };
	rc_find(r, &f,
		"%s record%s wait%s in the spool for an earlier stream of this name (id %s) and %s kept, though "
		"nothing delivers them: 'river spool export' copies them; then remove %s",
		rv_format_count(look.waiting, n), look.waiting == 1 ? "" : "s", look.waiting == 1 ? "s" : "",
		state->stream_id, look.waiting == 1 ? "is" : "are", state->folder);
	return RV_OK;
}

static enum rv_status look_at_state(void *arg, const struct rv_state *state, struct rv_error *err)
{
	struct reconcile *r = arg;
	struct spool_look look = { r, state };
	if (strcmp(state->business, r->stream->business) != 0 ||
	    strcmp(state->stream, r->stream->name) != 0)
		return RV_OK;
	if (strcmp(state->stream_id, r->stream->id) != 0)
		return look_at_former(r, state, err);
	if (rv_run_each(state, look_at_run, &look, err) != RV_OK)
		return err->status;
	RV_CLEANUP(rv_free_p) char *damaged = rv_state_path(state, "damaged");
	return rv_each_entry(damaged, look_at_damaged, &look, err);
}

/* ---- the lake ---- */

enum rv_status rc_stop_or_go(const struct reconcile *r, struct rv_error *err)
{
	if (r->params->should_stop && r->params->should_stop())
		return rv_fail(err, RV_FAILED, "stopped by a signal");
	return RV_OK;
}

/* On the day a stream was created anew, names alone do not tell whose a run is. */
static enum rv_status ask_whose(struct reconcile *r, const char *name, bool *ret_former,
				struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	char etag[RV_ETAG_TEXT];
	bool found;
	json_error_t at;
	*ret_former = false;
	if (rv_store_get_optional(r->params->lake, name, RV_RECEIPT_MAX_BYTES, &text, etag, &found,
				  err) != RV_OK)
		return err->status;
	json_t *o = found ? json_loadb(text.bytes, text.len, JSON_REJECT_DUPLICATES, &at) : NULL;
	const char *id = json_string_value(json_object_get(o, "stream_id"));
	*ret_former = id && strcmp(id, r->stream->id) != 0;
	json_decref(o);
	return RV_OK;
}

static enum rv_status see_receipt(void *arg, const struct rv_store_object *object,
				  struct rv_error *err)
{
	struct reconcile *r = arg;
	struct rv_receipt_name name;
	if (rc_stop_or_go(r, err) != RV_OK)
		return err->status;
	if (!rv_receipt_name_parse(object->name, &name))
		return RV_OK;
	bool former = false;
	if (r->former_before[0]) {
		int order = strncmp(name.day, r->former_before + 3, 10);
		if (order < 0)
			return RV_OK;
		if (order == 0 && ask_whose(r, object->name, &former, err) != RV_OK)
			return err->status;
	}
	bool older = rc_before_window(r, name.day);
	if (older && !name.open) {
		if (r->look == 1) {
			r->older.accepted += name.accepted;
			r->older.rejected += name.rejected;
			r->older.batches += name.batches;
			r->older.set_hash += name.set_hash;
			r->report->runs_closed++;
			rc_stamps_of_older(r, &name);
		}
		struct rc_run *known = rc_table_find(&r->runs, name.run);
		if (known) {
			known->closed = known->older = true;
			known->receipt = name;
		}
		return RV_OK;
	}
	struct rc_run *run = rc_run_at(r, enter_run(r, name.run));
	run->former = former;
	run->older = older;
	if (former)
		return RV_OK;
	live_at(r, run, object->modified_ms);
	if (name.open) {
		run->open = true;
		if (!run->closed)
			run->receipt = name;
		return RV_OK;
	}
	if (run->closed &&
	    (run->receipt.accepted != name.accepted || run->receipt.rejected != name.rejected ||
	     run->receipt.batches != name.batches || run->receipt.set_hash != name.set_hash)) {
		run->twice = true;
		return RV_OK;
	}
	run->closed = true;
	run->receipt = name;
	return RV_OK;
}

static void add_hop(struct rv_hop *hop, uint64_t records, uint64_t bytes, uint64_t set_hash)
{
	hop->objects++;
	hop->records += records;
	hop->bytes += bytes;
	hop->set_hash += set_hash;
}

static void newest(int64_t *ret, int64_t ms)
{
	if (ms > *ret)
		*ret = ms;
}

static enum rv_status see_object(void *arg, const struct rv_store_object *object,
				 struct rv_error *err)
{
	struct reconcile *r = arg;
	const struct rc_place place = rc_place_of(r, object->name);
	const struct rv_object_name *name = &place.name;
	if (rc_stop_or_go(r, err) != RV_OK)
		return err->status;
	if (place.former)
		return RV_OK;
	if (place.firehose && place.older) {
		if (r->look == 0)
			return RV_OK;
		add_hop(&r->older.firehose, 0, object->bytes, 0);
		newest(&r->report->newest_landed_ms, object->modified_ms);
		return RV_OK;
	}
	if (place.own && place.older) {
		struct rc_object *known = rc_table_find(&r->objects, object->name);
		if (known)
			known->look[r->look] = true;
		if (r->look == 0)
			return RV_OK;
		struct rc_run *run = rc_table_find(&r->runs, name->run);
		if (run && (run->open || run->journal) && !run->closed)
			add_hop(&r->older.open_landed, name->records, object->bytes, name->set_hash);
		else
			add_hop(&r->older.landed, name->records, object->bytes, name->set_hash);
		newest(&r->report->newest_landed_ms, object->modified_ms);
		return RV_OK;
	}
	struct rc_object *o = rc_enter_object(r, object->name, place.own ? name : NULL);
	o->firehose = place.firehose;
	o->look[r->look] = true;
	o->bytes = object->bytes;
	o->modified_ms = object->modified_ms;
	if (place.own)
		live_at(r, rc_run_at(r, o->run), object->modified_ms);
	return RV_OK;
}

/* <run>-<seq %06u>-r<n>.ndjson below _river/rejects/<business>/<stream>/<day>/ */
static bool parse_rejects(const char *text, size_t prefix_len, char day[12],
			  char run[RV_RUN_MAX + 1], uint64_t *ret_count)
{
	const char *p = text + prefix_len;
	size_t len = strlen(p);
	if (len < 12 || p[10] != '/' || !rv_ends_with(p, ".ndjson"))
		return false;
	snprintf(day, 12, "%.10s", p);
	p += 11;
	len -= 11 + strlen(".ndjson");
	size_t end = len;
	while (end > 0 && p[end - 1] >= '0' && p[end - 1] <= '9')
		end--;
	if (end < 2 || p[end - 1] != 'r' || p[end - 2] != '-' ||
	    !rv_parse_u64(p + end, len - end, ret_count))
		return false;
	len = end - 2;
	for (end = len; end > 0 && p[end - 1] >= '0' && p[end - 1] <= '9';)
		end--;
	if (len - end < 6 || end < 2 || p[end - 1] != '-' || end - 1 > RV_RUN_MAX)
		return false;
	memcpy(run, p, end - 1);
	run[end - 1] = '\0';
	return rv_run_name_valid(run);
}

struct rejects_look {
	struct reconcile *r;
	size_t prefix_len;
};

static enum rv_status see_rejects(void *arg, const struct rv_store_object *object,
				  struct rv_error *err)
{
	struct rejects_look *look = arg;
	struct reconcile *r = look->r;
	char day[12], name[RV_RUN_MAX + 1];
	uint64_t count;
	if (rc_stop_or_go(r, err) != RV_OK)
		return err->status;
	if (!parse_rejects(object->name, look->prefix_len, day, name, &count))
		return RV_OK;
	if (r->former_before[0] && strncmp(day, r->former_before + 3, 10) < 0)
		return RV_OK;
	struct rc_run *run = rc_table_find(&r->runs, name);
	if (run && run->former)
		return RV_OK;
	add_hop(&r->report->rejects, count, object->bytes, 0);
	if (rc_before_window(r, day)) {
		if (run && (run->open || run->journal) && !run->closed)
			r->older.open_rejects += count;
		else
			r->older.rejects += count;
		return RV_OK;
	}
	run = rc_run_at(r, enter_run(r, name));
	run->rejects += count;
	run->rejects_objects++;
	return RV_OK;
}

/* Where to begin: behind the objects of an earlier stream and, at the first look, before nothing of
 * the window; older objects are only summed, at the second one. */
static const char *begin_after(const struct reconcile *r, const char *prefix,
			       char buf[RV_OBJECT_NAME_MAX])
{
	char since[RV_STREAM_PLACE_MAX];
	rv_stream_since(r->stream, since);
	snprintf(buf, RV_OBJECT_NAME_MAX, "%.200sdt=%s", prefix,
		 r->look == 0 && r->params->since_day ? r->params->since_day : "");
	if (strcmp(since, buf) > 0)
		snprintf(buf, RV_OBJECT_NAME_MAX, "%s", since);
	else if (r->look != 0 || !r->params->since_day)
		return NULL;
	return buf;
}

/* The first look is at the objects alone: it is there to tell what comes and goes in between. */
static enum rv_status look_at_lake(struct reconcile *r, unsigned look, struct rv_error *err)
{
	struct rv_store *lake = r->params->lake;
	char prefix[RV_OBJECT_NAME_MAX], after[RV_OBJECT_NAME_MAX];
	r->look = look;
	rv_receipt_prefix(r->stream, prefix);
	if (look == 1 && lake->ops->list(lake, &(struct rv_store_list){ .prefix = prefix },
					 see_receipt, r, err) != RV_OK)
		return rv_context(err, "list the receipts");
	rv_object_prefix(r->stream, prefix);
	struct rv_store_list list = { .prefix = prefix, .after = begin_after(r, prefix, after) };
	if (lake->ops->list(lake, &list, see_object, r, err) != RV_OK)
		return rv_context(err, "list the objects");
	if (look == 0)
		return RV_OK;
	snprintf(prefix, sizeof(prefix), "_river/rejects/%s/%s/", r->stream->business,
		 r->stream->name);
	struct rejects_look rejects = { r, strlen(prefix) };
	if (lake->ops->list(lake, &(struct rv_store_list){ .prefix = prefix }, see_rejects, &rejects,
			    err) != RV_OK)
		return rv_context(err, "list the rejects");
	return RV_OK;
}

/* ---- all of it ---- */

static void reconcile_release(struct reconcile *r)
{
	for (size_t i = 0; i < r->objects.count; i++) {
		free(rc_object_at(r, i)->name);
		free(rc_object_at(r, i)->load_message);
	}
	for (uint32_t i = 0; i < r->runs.count; i++) {
		free(rc_run_at(r, i)->name);
		free(rc_run_at(r, i)->host);
	}
	for (size_t i = 0; i < r->waiting_count; i++)
		free(r->waiting[i].object);
	free(r->waiting);
	free(r->ordered);
	for (size_t i = 0; i < r->older_runs.count; i++)
		free(*name_of(&r->older_runs, i));
	table_release(&r->older_runs);
	rv_stamp_set_release(&r->stamps);
	free(r->stamps_older);
	table_release(&r->objects);
	table_release(&r->runs);
}

static int compare_findings(const void *a, const void *b)
{
	const struct rv_finding *x = a, *y = b;
	if (x->level != y->level)
		return x->level > y->level ? -1 : 1;
	if (x->code != y->code)
		return x->code < y->code ? -1 : 1;
	return strcmp(x->message, y->message);
}

/* What was uploaded and not looked into: how many records that are is not known yet. */
static enum rv_status look_at_landing(struct reconcile *r, struct rv_error *err)
{
	struct rv_landing_pending pending;
	if (rv_landing_pending(r->params->lake, r->stream, &pending, err) != RV_OK)
		return err->status;
	r->report->in_landing.objects = pending.objects;
	r->report->in_landing.bytes = pending.bytes;
	r->report->oldest_in_landing_ms = pending.oldest_ms;
	if (!pending.objects)
		return RV_OK;
	char count[RV_NUMBER_TEXT], size[RV_NUMBER_TEXT], age[RV_NUMBER_TEXT];
	int64_t age_ms = rc_age_of(r, pending.oldest_ms);
	struct rv_finding f = {
		.code = RV_FINDING_IN_LANDING,
		.level = rc_level_by_age(r, age_ms),
		.age_ms = age_ms,
	};
	rc_find(r, &f, "%s upload%s (%s) wait%s for river landing process; the oldest came %s ago",
		rv_format_count(pending.objects, count), pending.objects == 1 ? "" : "s",
		rv_format_size(pending.bytes, size), pending.objects == 1 ? "s" : "",
		rc_age_text(age_ms, age));
	return RV_OK;
}

static enum rv_status look_and_check(struct reconcile *r, struct rv_error *err)
{
	const struct rv_reconcile_params *params = r->params;
	if (rv_state_each(params->state_dir, params->lake->url, look_at_state, r, err) != RV_OK)
		return rv_context(err, "look at the spool");
	if (look_at_landing(r, err) != RV_OK)
		return rv_context(err, "look at the uploads");
	if (look_at_lake(r, 0, err) != RV_OK)
		return err->status;
	if (rc_look_at_warehouse(r, err) != RV_OK)
		return rv_context(err, "look at the warehouse");
	if (look_at_lake(r, 1, err) != RV_OK)
		return err->status;
	if (rc_check(r, err) != RV_OK)
		return err->status;
	return params->verify ? rc_verify_objects(r, err) : RV_OK;
}

enum rv_status rv_reconcile(const struct rv_reconcile_params *params, struct rv_reconcile *ret,
			    struct rv_error *err)
{
	struct rv_reconcile report = {
		.warehouse_error = RV_ERROR_INIT,
		.unread_error = RV_ERROR_INIT,
		.oldest_pending_ms = -1,
		.oldest_spooled_ms = -1,
		.oldest_in_landing_ms = -1,
		.newest_landed_ms = -1,
		.newest_loaded_ms = -1,
		.lag_ms = -1,
		.last_run_ms = -1,
	};
	RV_CLEANUP(reconcile_release) struct reconcile r = {
		.params = params,
		.stream = params->stream,
		.report = &report,
		.objects = { .item_bytes = sizeof(struct rc_object) },
		.runs = { .item_bytes = sizeof(struct rc_run) },
		.older_runs = { .item_bytes = sizeof(char *) },
	};
	snprintf(r.former_before, sizeof(r.former_before), "%s", params->stream->since);
	char text[RV_STREAM_TEXT];
	if (look_and_check(&r, err) != RV_OK) {
		rv_reconcile_release(&report);
		return rv_context(err, "reconcile %s", rv_stream_text(params->stream, text));
	}
	if (report.findings_count)
		qsort(report.findings, report.findings_count, sizeof(*report.findings),
		      compare_findings);
	report.all_once = report.all_once && !report.levels[RV_FINDING_WRONG];
	*ret = report;
	return RV_OK;
}

/* `river spool list` and `flush`: what waits on this host, and bringing it to the lake. */
#include "spool.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/number.h"
#include "delivery/delivery.h"
#include "flow/catalog.h"
#include "flow/recover.h"
#include "format/json_text.h"
#include "lakes.h"
#include "spool/intake.h"
#include "spool/run.h"

struct filter {
	struct rv_command_context *cx;
	struct rv_stream stream;
	bool one, found;
	enum rv_status (*each)(void *arg, const struct rv_state *state, struct rv_error *err);
	void *arg;
};

static enum rv_status filter_state(void *arg, const struct rv_state *state, struct rv_error *err)
{
	struct filter *filter = arg;
	if (filter->one && (strcmp(filter->stream.business, state->business) != 0 ||
			    strcmp(filter->stream.name, state->stream) != 0))
		return RV_OK;
	filter->found = true;
	return filter->each(filter->arg, state, err);
}

/* A stream without state may be one that never pushed here, or a slip of the fingers. */
static enum rv_status check_exists(struct rv_command_context *cx, const char *name,
				   struct rv_error *err)
{
	RV_CLEANUP(rv_stream_release_p) struct rv_stream stream;
	rv_stream_init(&stream);
	if (rv_wire_business(cx, name, err) != RV_OK)
		return err->status;
	return rv_catalog_get(cx->lake, name, &stream, NULL, err);
}

/* Also what waits for a lake that the stream's business had before it got one of its own. */
static enum rv_status each_of_lake(void *arg, struct rv_error *err)
{
	struct filter *filter = arg;
	return rv_state_each(filter->cx->profile->state_dir, filter->cx->lake->url, filter_state, filter,
			     err);
}

enum rv_status river_spool_each(struct rv_command_context *cx, int operands_count, char **operands,
				enum rv_status (*each)(void *arg, const struct rv_state *state,
						       struct rv_error *err),
				void *arg, struct rv_error *err)
{
	struct filter filter = { .cx = cx, .one = operands_count > 0, .each = each, .arg = arg };
	struct river_lakes lakes;
	if (operands_count > 1)
		return rv_fail(err, RV_USAGE, "one stream is enough, '%s' is too much", operands[1]);
	rv_stream_init(&filter.stream);
	river_lakes_init(&lakes, cx);
	enum rv_status status = RV_OK;
	if (filter.one)
		status = rv_stream_parse_name(operands[0], &filter.stream, err);
	if (status == RV_OK)
		status = river_lakes_each(&lakes, each_of_lake, &filter, err);
	if (status == RV_OK && filter.one && !filter.found)
		status = check_exists(cx, operands[0], err);
	rv_stream_release(&filter.stream);
	return status;
}

static void stream_text(const struct rv_state *state, char ret[RV_STREAM_TEXT])
{
	snprintf(ret, RV_STREAM_TEXT, "%s/%s", state->business, state->stream);
}

enum rv_status river_spool_owner(struct rv_command_context *cx, const struct rv_state *state,
				 struct rv_stream *ret_stream, enum river_spool_owner *ret,
				 struct rv_error *err)
{
	RV_CLEANUP(rv_stream_release_p) struct rv_stream stream;
	char name[RV_STREAM_TEXT];
	rv_stream_init(&stream);
	stream_text(state, name);
	enum rv_status status = rv_catalog_get(cx->lake, name, &stream, NULL, err);
	if (status == RV_NOT_FOUND) {
		*ret = RIVER_SPOOL_DELETED;
		return RV_OK;
	}
	if (status != RV_OK)
		return status;
	*ret = strcmp(stream.id, state->stream_id) == 0 ? RIVER_SPOOL_OWNED : RIVER_SPOOL_OTHER;
	if (*ret == RIVER_SPOOL_OWNED && ret_stream) {
		*ret_stream = stream;
		rv_stream_init(&stream);
	}
	return RV_OK;
}

/* ---- list ------------------------------------------------------------------------------------- */

struct list_options {
	char none;
};

static const struct rv_opt list_options_table[] = { OPT_END };

struct listing {
	struct rv_command_context *cx;
	const struct rv_state *state;
	const char *owner; /* "", "deleted", "another stream" */
	size_t runs;
};

static void list_damaged(struct listing *listing, const char *run, const char *path, const char *why)
{
	char stream[RV_STREAM_TEXT];
	stream_text(listing->state, stream);
	listing->runs++;
	const char *cells[] = { stream, run, "damaged", "", "", "", "", "", "", path };
	rv_out_table_row(listing->cx->out, cells);
	if (listing->cx->output == RV_OUT_JSON)
		rv_out_json(listing->cx->out,
			    json_pack("{s:s, s:s, s:s, s:s, s:o, s:s}", "stream", stream, "stream_id",
				      listing->state->stream_id, "run", run, "state", "damaged", "path",
				      rv_json_bytes(path), "message", why));
}

static enum rv_status list_run(void *arg, const char *name, struct rv_error *err)
{
	struct listing *listing = arg;
	RV_CLEANUP(rv_run_free_p) struct rv_run *run = NULL;
	enum rv_status status = rv_run_open(listing->state, name, false, &run, err);
	if (status == RV_NOT_FOUND)
		return RV_OK; /* never begun, or finished meanwhile */
	if (status != RV_OK) {
		RV_CLEANUP(rv_free_p)
		char *path = rv_asprintf("%s/runs/%s", listing->state->folder, name);
		list_damaged(listing, name, path, err->message);
		return RV_OK;
	}
	struct rv_run_totals totals;
	listing->runs++;
	rv_run_totals_with_intake(run, &totals);
	bool alive = rv_run_is_alive(run);
	const char *state = alive		       ? "alive"
			    : *listing->owner	       ? listing->owner
			    : totals.waiting	       ? "left over"
			    : run->closed || !run->named ? "to be closed"
							 : "unfinished";
	int64_t now_ms = rv_clock_ms(), age_ms = now_ms > run->started_ms ? now_ms - run->started_ms : 0;
	char stream[RV_STREAM_TEXT], started[RV_TIME_TEXT], accepted[RV_NUMBER_TEXT],
		waiting[RV_NUMBER_TEXT], bytes[RV_NUMBER_TEXT], age[RV_NUMBER_TEXT] = "",
		to[RV_NUMBER_TEXT] = "";
	stream_text(listing->state, stream);
	rv_format_time(run->started_ms, started);
	started[19] = 'Z'; /* seconds are enough */
	started[20] = '\0';
	if (totals.waiting)
		rv_format_duration(age_ms, age);
	if (run->pipe)
		snprintf(to, sizeof(to), "%" PRIu64, totals.input_to);
	const char *cells[] = { stream, run->name, state, started,
				rv_format_count(totals.records, accepted), to,
				rv_format_count(totals.waiting_records, waiting),
				run->pipe ? rv_format_size(totals.waiting_bytes, bytes) : "in the file",
				age, run->source };
	if (!totals.waiting)
		cells[7] = "";
	rv_out_table_row(listing->cx->out, cells);
	if (listing->cx->output != RV_OUT_JSON)
		return RV_OK;
	json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:b, s:b}", "stream", stream, "stream_id",
			      listing->state->stream_id, "run", run->name, "state", state, "named",
			      run->named, "pipe", run->pipe);
	json_object_set_new(o, "started", json_string(rv_format_time(run->started_ms, started)));
	json_object_set_new(o, "host", rv_json_bytes(run->host));
	json_object_set_new(o, "source", rv_json_bytes(run->source));
	const struct {
		const char *name;
		uint64_t value;
	} counts[] = {
		{ "accepted", totals.records },
		{ "accepted_bytes", totals.record_bytes },
		{ "rejected", totals.rejected },
		{ "batches", run->batches_count },
		{ "landed_batches", totals.landed },
		{ "waiting_batches", totals.waiting },
		{ "waiting", totals.waiting_records },
		{ "waiting_bytes", totals.waiting_bytes },
		{ "age_ms", totals.waiting ? (uint64_t)age_ms : 0 },
	};
	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++)
		json_object_set_new(o, counts[i].name, json_integer((json_int_t)counts[i].value));
	if (run->delivery[0]) {
		json_object_set_new(o, "delivery", json_string(run->delivery));
		json_object_set_new(o, "sent_batches", json_integer((json_int_t)totals.sent));
		json_object_set_new(o, "sent", json_integer((json_int_t)totals.sent_records));
		json_object_set_new(o, "maybe_twice", json_integer((json_int_t)totals.counts.maybe_twice));
	}
	if (run->pipe)
		json_object_set_new(o, "accepted_to_byte", json_integer((json_int_t)totals.input_to));
	json_object_set_new(o, "hash", rv_json_hex64(totals.set_hash));
	rv_out_json(listing->cx->out, o);
	return RV_OK;
}

static enum rv_status list_aside(void *arg, const char *name, struct rv_error *err RV_UNUSED)
{
	struct listing *listing = arg;
	RV_CLEANUP(rv_free_p) char *path = rv_asprintf("%s/damaged/%s", listing->state->folder, name);
	list_damaged(listing, name, path, "it was found damaged and set aside");
	return RV_OK;
}

static enum rv_status list_state(void *arg, const struct rv_state *state, struct rv_error *err)
{
	struct listing *listing = arg;
	enum river_spool_owner owner;
	RV_CLEANUP(rv_free_p) char *damaged = rv_state_path(state, "damaged");
	struct rv_error ignored;
	listing->state = state;
	listing->owner = "";
	/* The spool is there to be looked at also when the lake is not. */
	if (river_spool_owner(listing->cx, state, NULL, &owner, &ignored) == RV_OK)
		listing->owner = owner == RIVER_SPOOL_DELETED ? "stream deleted"
				 : owner == RIVER_SPOOL_OTHER ? "former stream"
							      : "";
	if (rv_run_each(state, list_run, listing, err) != RV_OK)
		return err->status;
	return rv_each_entry(damaged, list_aside, listing, err);
}

static enum rv_status spool_list_run(struct rv_command_context *cx, void *options RV_UNUSED, int count,
				     char **operands, struct rv_error *err)
{
	static const char *const headers[] = { "stream", "run", "state", "started", "accepted", "to byte",
					       "waiting", "size", "age", "source" };
	static const bool right[] = { false, false, false, false, true, true, true, true, true, false };
	struct listing listing = { .cx = cx };
	rv_out_table_begin(cx->out, headers, right, 10);
	enum rv_status status = river_spool_each(cx, count, operands, list_state, &listing, err);
	rv_out_table_end(cx->out);
	if (status == RV_OK && !listing.runs && (cx->verbose || rv_messages_terminal()))
		rv_note("nothing is waiting on this host");
	return status;
}

static const struct rv_example list_examples[] = {
	{ "river spool list", "what this host has promised and not yet brought to the lake" },
	{ "river spool list web/clicks --output json", "for programs, with counts and hashes" },
	{ NULL, NULL },
};

const struct rv_command cmd_spool_list = {
	.name = "spool list",
	.group = RV_GROUP_MEND,
	.summary = "list runs that are going on or were left over on this host",
	.operands = "[<stream>]",
	.needs = RV_NEEDS_PROFILE | RV_NEEDS_LAKE,
	.operand_complete = { RV_COMPLETE_STREAM, RV_COMPLETE_NOTHING },
	.options = list_options_table,
	.options_size = sizeof(struct list_options),
	.examples = list_examples,
	.run = spool_list_run,
};

/* ---- flush ------------------------------------------------------------------------------------ */

struct flush_options {
	char none;
};

static const struct rv_opt flush_options_table[] = { OPT_END };

struct flush {
	struct rv_command_context *cx;
	uint64_t runs, records, waiting_runs;
	struct rv_error loss, waiting; /* the first ones */
};

struct waiting_count {
	const struct rv_state *state;
	uint64_t runs, records;
};

static enum rv_status count_waiting(void *arg, const char *name, struct rv_error *err)
{
	struct waiting_count *count = arg;
	RV_CLEANUP(rv_run_free_p) struct rv_run *run = NULL;
	struct rv_run_totals totals;
	if (rv_run_open(count->state, name, false, &run, err) != RV_OK || rv_run_is_alive(run))
		return RV_OK;
	rv_run_totals_with_intake(run, &totals);
	count->runs += totals.waiting > 0;
	count->records += totals.waiting_records;
	return RV_OK;
}

static void remember(struct rv_error *first, const struct rv_error *err, const char *stream)
{
	if (first->status != RV_OK)
		return;
	*first = *err;
	rv_context(first, "%s", stream);
}

static void report(struct flush *flush, const char *stream, const struct rv_recover_result *r,
		   uint64_t waiting, const struct rv_error *why)
{
	struct rv_command_context *cx = flush->cx;
	char runs[RV_NUMBER_TEXT], records[RV_NUMBER_TEXT];
	if (r->runs)
		rv_out_printf(cx->out, "%s: %s run%s finished, %s record%s delivered\n", stream,
			      rv_format_count(r->runs, runs), r->runs == 1 ? "" : "s",
			      rv_format_count(r->records, records), r->records == 1 ? "" : "s");
	if (waiting)
		rv_out_printf(cx->out, "%s: %s run%s still waiting\n", stream,
			      rv_format_count(waiting, runs), waiting == 1 ? "" : "s");
	if (cx->output == RV_OUT_JSON && (r->runs || waiting || why->status != RV_OK))
		rv_out_json(cx->out, json_pack("{s:s, s:I, s:I, s:I, s:I, s:s}", "stream", stream,
					       "finished_runs", (json_int_t)r->runs, "landed_batches",
					       (json_int_t)r->batches, "landed", (json_int_t)r->records,
					       "waiting_runs", (json_int_t)waiting, "message",
					       why->status != RV_OK ? why->message : ""));
}

/* Nobody may put the batches of one stream into another one, though it has the same name. */
static enum rv_status keep_ownerless(struct flush *flush, const struct rv_state *state,
				     enum river_spool_owner owner, struct rv_error *err)
{
	struct waiting_count count = { .state = state };
	struct rv_recover_result none = { .failure = RV_ERROR_INIT };
	struct rv_error why = RV_ERROR_INIT;
	char stream[RV_STREAM_TEXT], records[RV_NUMBER_TEXT];
	if (rv_run_each(state, count_waiting, &count, err) != RV_OK)
		return err->status;
	if (!count.runs)
		return RV_OK;
	stream_text(state, stream);
	rv_fail(&why, RV_KEPT, "%s record%s wait%s for a stream that %s (id %s): %s kept",
		rv_format_count(count.records, records), count.records == 1 ? "" : "s",
		count.records == 1 ? "s" : "",
		owner == RIVER_SPOOL_DELETED ? "was deleted, or whose definition has gone from the lake"
					     : "was deleted and created again",
		state->stream_id, count.records == 1 ? "it is" : "they are");
	if (owner == RIVER_SPOOL_DELETED)
		rv_hint(&why, "put " RV_CATALOG_PREFIX "%s.json back as it was, or 'river stream create %s "
			"--adopt' with its columns takes them along; 'river spool export %s --to <folder>' "
			"copies them as files", stream, stream, stream);
	else
		rv_hint(&why, "'river spool export %s --to <folder>' copies them as files", stream);
	flush->waiting_runs += count.runs;
	report(flush, stream, &none, count.runs, &why);
	remember(&flush->waiting, &why, stream);
	return RV_OK;
}

static enum rv_status flush_owned(struct flush *flush, const struct rv_stream *stream,
				  struct rv_delivery *delivery, struct rv_error *err)
{
	struct rv_command_context *cx = flush->cx;
	struct rv_recover_result result;
	struct rv_state state;
	char text[RV_STREAM_TEXT];
	rv_stream_text(stream, text);
	enum rv_status status =
		rv_state_open(&state, cx->profile->state_dir, cx->lake->url, stream, err);
	struct rv_deliver deliver = { .stream = stream, .state = &state, .lake = cx->lake,
				      .delivery = delivery, .loss = RV_ERROR_INIT };
	if (status == RV_OK)
		status = rv_recover(&deliver, rv_lock_timeout_ms(cx), rv_should_stop, &result, err);
	if (status == RV_OK) {
		flush->runs += result.runs;
		flush->records += result.records;
		flush->waiting_runs += result.waiting_runs;
		if (deliver.loss.status != RV_OK)
			remember(&flush->loss, &deliver.loss, text);
		if (result.waiting_runs)
			remember(&flush->waiting, &result.failure, text);
		report(flush, text, &result, result.waiting_runs,
		       deliver.loss.status != RV_OK ? &deliver.loss : &result.failure);
	}
	rv_state_release(&state);
	return status;
}

static enum rv_status flush_state(void *arg, const struct rv_state *state, struct rv_error *err)
{
	struct flush *flush = arg;
	RV_CLEANUP(rv_stream_release_p) struct rv_stream stream;
	RV_CLEANUP(rv_delivery_free_p) struct rv_delivery *delivery = NULL;
	enum river_spool_owner owner;
	rv_stream_init(&stream);
	if (rv_should_stop())
		return rv_fail(err, RV_FAILED, "stopped: run the same command again");
	if (river_spool_owner(flush->cx, state, &stream, &owner, err) != RV_OK) {
		/* The lake is out of reach. Nothing of this stream may be waiting. */
		struct waiting_count count = { .state = state };
		struct rv_error why = *err;
		char text[RV_STREAM_TEXT];
		stream_text(state, text);
		if (rv_run_each(state, count_waiting, &count, err) != RV_OK)
			return err->status;
		flush->waiting_runs += count.runs;
		if (count.runs)
			remember(&flush->waiting, &why, text);
		return RV_OK;
	}
	if (owner != RIVER_SPOOL_OWNED)
		return keep_ownerless(flush, state, owner, err);
	if (rv_wire_delivery(flush->cx->profile, flush->cx->lake, &delivery, err) != RV_OK)
		return err->status;
	return flush_owned(flush, &stream, delivery, err);
}

static enum rv_status spool_flush_run(struct rv_command_context *cx, void *options RV_UNUSED, int count,
				      char **operands, struct rv_error *err)
{
	struct flush flush = { .cx = cx, .loss = RV_ERROR_INIT, .waiting = RV_ERROR_INIT };
	if (river_spool_each(cx, count, operands, flush_state, &flush, err) != RV_OK)
		return err->status;
	if (flush.loss.status != RV_OK) {
		*err = flush.loss;
		return err->status;
	}
	if (flush.waiting_runs) {
		bool auth = flush.waiting.status == RV_AUTH;
		char hint[sizeof(flush.waiting.hint)];
		memcpy(hint, flush.waiting.hint, sizeof(hint));
		*err = flush.waiting;
		rv_context(err, "%" PRIu64 " run%s still waiting", flush.waiting_runs,
			   flush.waiting_runs == 1 ? " is" : "s are");
		if (!*hint)
			rv_hint(err, "nothing is lost; run 'river spool flush' again when the cause is "
				     "mended");
		return err->status = auth ? RV_AUTH : RV_KEPT;
	}
	if (!flush.runs && (cx->verbose || rv_messages_terminal()))
		rv_note("nothing was waiting");
	return RV_OK;
}

static const struct rv_example flush_examples[] = {
	{ "river spool flush", "bring to the lake whatever was left over" },
	{ "river spool flush web/clicks", "of one stream" },
	{ NULL, NULL },
};

const struct rv_command cmd_spool_flush = {
	.name = "spool flush",
	.group = RV_GROUP_MEND,
	.summary = "finish left-over runs now",
	.operands = "[<stream>]",
	.needs = RV_NEEDS_PROFILE | RV_NEEDS_LAKE,
	.operand_complete = { RV_COMPLETE_STREAM, RV_COMPLETE_NOTHING },
	.options = flush_options_table,
	.options_size = sizeof(struct flush_options),
	.examples = flush_examples,
	.run = spool_flush_run,
};

/* The push flow below the inputs: records into batches, batches into runs, both to the sender. */
#include "flow/push_internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/number.h"

/* Very many small files must not pile up in memory and in one line of the journal. */
#define EXTENTS_MAX 4096
/* Of the headers of csv files among them, in the extents and in their checkpoints. */
#define EXTENTS_MAX_BYTES (4u << 20)
#define CSV_HEADER_MAX_BYTES (1u << 20)

bool rv_push_must_stop(struct rv_push_state *push)
{
	/* Who follows files decides itself when it is over: what is there is read first. */
	if (push->params->follow)
		return push->last_pass_ms
			       ? rv_clock_monotonic_ms() > push->last_pass_ms
			       : push->params->should_stop && push->params->should_stop();
	if (!push->stopped && push->params->should_stop && push->params->should_stop())
		push->stopped = push->incomplete = true;
	return push->stopped;
}

void rv_push_tell(const struct rv_push_state *push, rv_push_say *how, const char *fmt, ...)
{
	if (!how)
		return;
	char text[1024];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	how(push->params->arg, text);
}

#define OUTAGE_FIRST_MS 5000
#define OUTAGE_EACH_MS 60000

void rv_push_tell_outage(struct rv_push_state *push)
{
	struct rv_sender_totals totals;
	char size[RV_NUMBER_TEXT], time[RV_NUMBER_TEXT];
	rv_sender_totals(push->sender, &totals);
	int64_t now_ms = rv_clock_monotonic_ms();
	if (!totals.failing_since_ms || now_ms - totals.failing_since_ms < OUTAGE_FIRST_MS ||
	    (push->told_ms && now_ms - push->told_ms < OUTAGE_EACH_MS))
		return;
	push->told_ms = now_ms;
	rv_format_duration(now_ms - totals.failing_since_ms, time);
	if (!push->spooling)
		warn(push, "nothing could be delivered for %s, trying on: %s", time,
		     totals.delivery.message);
	else
		warn(push, "nothing could be delivered for %s (%s kept in the spool), trying on: %s", time,
		     rv_format_size(totals.waiting_spool_bytes, size), totals.delivery.message);
}

/* ---- runs ---- */

static const char *source_text(const struct rv_push_state *push)
{
	size_t count = push->params->files_count;
	if (push->params->source)
		return push->params->source->label;
	return count == 0 ? "-" : push->params->files[0];
}

const char *rv_push_folder_now(const struct rv_push_state *push, char folder[RV_TIME_TEXT])
{
	return rv_stream_run_folder(push->params->stream, rv_clock_ms(), folder);
}

/* What an attempt before has left of a named run: recovery goes first and finishes or removes it, unless the
 * lake is out of reach. Only where that attempt came to its input's end is all of the input accepted. */
static enum rv_status tell_begun_before(struct rv_push_state *push, struct rv_error *err)
{
	const char *name = push->params->run;
	RV_CLEANUP(rv_run_free_p) struct rv_run *run = NULL;
	struct rv_run_totals totals;
	if (rv_run_open(&push->state, name, false, &run, err) != RV_OK)
		return rv_context(err, "run %s was begun before", name);
	if (run->closed) {
		push->result->kept = true;
		rv_fail(err, RV_KEPT, "run %s has been accepted and spooled, but is not in the lake yet", name);
		rv_hint(err, "do not send it again; 'river spool flush' or the next push delivers it");
		return err->status;
	}
	rv_run_totals(run, &totals);
	rv_fail(err, RV_FAILED, "run %s was begun before, and what it accepted then, up to byte %" PRIu64
				", is not in the lake yet", name, totals.input_to);
	rv_hint(err, "send the same input again under the same name when the lake can be reached");
	return err->status;
}

enum rv_status rv_push_begin_run(struct rv_push_state *push, struct rv_error *err)
{
	const struct rv_push_params *params = push->params;
	int64_t now_ms = rv_clock_ms();
	RV_CLEANUP(rv_run_free_p) struct rv_run *run = NULL;
	enum rv_status status = rv_run_create(&push->state, params->run, now_ms, &run, err);
	if (status == RV_CONFLICT)
		return tell_begun_before(push, err);
	if (status != RV_OK)
		return status;
	run->named = params->run != NULL;
	run->pipe = push->spooling;
	const struct rv_delivery_ops *delivery = params->delivery->ops;
	run->compression = push->batch_stream.compression;
	run->stamp = params->stream->stamp;
	if (!delivery->names_objects)
		snprintf(run->delivery, sizeof(run->delivery), "%s", delivery->name);
	run->settings = rv_read_settings_json(&params->read);
	free(run->source);
	run->source = params->files_count > 1
			      ? rv_asprintf("%s and %zu more", source_text(push), params->files_count - 1)
			      : rv_strdup(source_text(push));
	char folder[RV_TIME_TEXT];
	snprintf(run->lake_folder, sizeof(run->lake_folder), "%.23s",
		 run->named ? push->record.folder : rv_push_folder_now(push, folder));
	if (rv_run_begin(run, err) != RV_OK)
		return err->status;
	push->run = rv_take(run);
	push->run_number++;
	push->next_seq = 0;
	rv_push_follow_began(push);
	return RV_OK;
}

static void keep_receipt(struct rv_push_state *push)
{
	/* Who follows files for years does not keep the names of all runs. */
	if (push->params->follow)
		return;
	if (!push->result->runs)
		push->result->runs = json_array();
	json_array_append_new(push->result->runs, json_string(push->run->name));
}

enum rv_status rv_push_end_run(struct rv_push_state *push, bool complete, struct rv_error *err)
{
	if (!push->run)
		return RV_OK;
	keep_receipt(push);
	struct rv_run *run = rv_take(push->run);
	push->jobs++;
	return rv_sender_end_run(push->sender, run, complete, err);
}

/* ---- batches ---- */

void rv_push_clear_extents(struct rv_push_state *push)
{
	for (size_t i = 0; i < push->extents_count; i++) {
		free(push->extents[i].csv_header);
		json_decref(push->extents[i].checkpoint);
	}
	push->extents_count = 0;
	push->extents_bytes = 0;
}

static uint64_t text_bytes(const struct rv_extent *extent)
{
	return (extent->csv_header ? strlen(extent->csv_header) : 0) +
	       json_string_length(json_object_get(extent->checkpoint, "header"));
}

static enum rv_status changed(const struct rv_push_input *input, struct rv_error *err)
{
	rv_fail(err, RV_LOCAL_IO, "%s was changed while it was read, not only appended to",
		input->file.path);
	rv_hint(err, "what was read last was not sent; push it again when it is at rest");
	return err->status;
}

/* What was read before must still be there, or this batch may be half of one content and half of
 * another. The bytes between are looked at by --shipped. */
static enum rv_status check_unchanged(struct rv_push_input *input, struct rv_error *err)
{
	struct rv_checkpoint *c = &input->checkpoint;
	bool same, same_last = true;
	if (!input->watched)
		return RV_OK;
	if (rv_checkpoint_matches(&input->first, input->file.fd, &same, err) != RV_OK ||
	    (input->last.offset &&
	     rv_checkpoint_matches(&input->last, input->file.fd, &same_last, err) != RV_OK))
		return err->status;
	if (!same || !same_last)
		return changed(input, err);
	input->last = (struct rv_checkpoint){
		.offset = c->offset,
		.head_len = c->head_len,
		.head_hash = c->head_hash,
		.tail_len = c->tail_len,
		.tail_hash = c->tail_hash,
	};
	return RV_OK;
}

/* Ends what the open batch has of this file, with the checkpoint that it will move to. */
enum rv_status rv_push_close_extent(struct rv_push_state *push, struct rv_push_input *input,
				    struct rv_error *err)
{
	if (!input->extent_open)
		return RV_OK;
	struct rv_checkpoint *c = &input->checkpoint;
	c->offset = input->offset;
	c->line = input->line;
	c->in_array = input->in_array;
	c->at_end = input->at_end;
	c->again_open = c->again_open && !input->at_end;
	c->pushed_ms = rv_clock_ms();
	rv_checkpoint_note_stat(c, &input->file.stat);
	c->head_len = c->tail_len = 0;
	if (input->file.compression == RV_COMPRESSION_NONE &&
	    (rv_checkpoint_measure(c, input->file.fd, err) != RV_OK ||
	     check_unchanged(input, err) != RV_OK)) {
		push->abandon = true;
		return err->status;
	}
	input->extent.to = input->offset;
	input->extent.finish = input->taken_finished;
	input->extent.checkpoint = rv_checkpoint_json(c);
	RV_GROW(push->extents, push->extents_count, push->extents_capacity);
	push->extents[push->extents_count++] = input->extent;
	push->extents_bytes += text_bytes(&input->extent);
	input->job = push->jobs;
	input->extent = (struct rv_extent){ .file = 0 };
	input->extent_open = input->taken_finished = false;
	return RV_OK;
}

enum rv_status rv_push_close_batch(struct rv_push_state *push, struct rv_push_input *input,
				   struct rv_error *err)
{
	if (!rv_batcher_open(push->batcher))
		return RV_OK;
	if (input && rv_push_close_extent(push, input, err) != RV_OK)
		return err->status;
	RV_CLEANUP(rv_finished_release) struct rv_finished finished = {
		.body = RV_BODY_INIT,
		.rejects = RV_BODY_INIT,
	};
	if (rv_batcher_finish(push->batcher, &finished, err) != RV_OK) {
		push->abandon = true;
		return err->status;
	}
	finished.entry.input_to = push->input_offset;
	finished.entry.extents = push->extents;
	finished.entry.extents_count = push->extents_count;
	push->extents = NULL;
	push->extents_count = push->extents_capacity = 0;
	push->extents_bytes = 0;
	push->result->batches++;
	push->result->objects += finished.entry.records > 0;
	push->jobs++;
	if (rv_sender_batch(push->sender, push->run, &finished, err) != RV_OK)
		push->abandon = true;
	return push->abandon ? err->status : RV_OK;
}

/* Is it worth waiting for the delivery to make room? */
static bool room_may_come(const struct rv_push_state *push, const struct rv_sender_totals *totals)
{
	if (totals->delivery.status == RV_OK)
		return true;
	return rv_retry_helps(&totals->delivery) &&
	       rv_clock_monotonic_ms() - totals->failing_since_ms < push->params->retry_for_ms;
}

/* A pipe must not fill the disk: wait for the lake, or say how far we came. */
static enum rv_status wait_for_spool(struct rv_push_state *push, struct rv_error *err)
{
	struct rv_sender_totals totals;
	uint64_t before = push->result->waiting_spool_bytes; /* left by earlier pushes */
	uint64_t max = push->params->spool_max_bytes;
	for (;;) {
		rv_sender_totals(push->sender, &totals);
		if (before + totals.waiting_spool_bytes + totals.queued_spool_bytes < max)
			return RV_OK;
		/* What is left to be promised does not get less by waiting; what earlier pushes left may
		 * have gone meanwhile. */
		if (rv_sender_drain(push->sender, err) != RV_OK ||
		    rv_spool_bytes(&push->state, &before, err) != RV_OK)
			return err->status;
		if (before < max || rv_push_must_stop(push))
			return RV_OK;
		rv_sender_totals(push->sender, &totals);
		if (!room_may_come(push, &totals))
			break;
		rv_push_tell_outage(push);
		struct timespec pause = { .tv_nsec = 20000000 };
		nanosleep(&pause, NULL);
		before = push->result->waiting_spool_bytes;
	}
	char size[RV_NUMBER_TEXT];
	rv_fail(err, RV_LOCAL_IO, "the spool is full (%s)%s%s", rv_format_size(max, size),
		totals.delivery.status ? " and the lake does not take what is in it: " : "",
		totals.delivery.status ? totals.delivery.message : "");
	rv_hint(err, "nothing is lost: mend the lake, then 'river spool flush'; spool.max sets the limit");
	return err->status;
}

static enum rv_status begin_batch(struct rv_push_state *push, struct rv_error *err)
{
	char folder[RV_TIME_TEXT];
	if (push->run && !push->run->named &&
	    (strcmp(rv_push_folder_now(push, folder), push->run->lake_folder) != 0 ||
	     rv_run_is_long(push->run))) {
		/* One folder must not hide days: tail -F runs for weeks. */
		if (rv_push_end_run(push, true, err) != RV_OK)
			return err->status;
	}
	if (push->spooling && wait_for_spool(push, err) != RV_OK)
		return err->status;
	if (!push->run && rv_push_begin_run(push, err) != RV_OK)
		return err->status;
	push->batch_started_ms = rv_clock_monotonic_ms();
	/* What the delivery reads record by record is left plain; what it only carries is not. */
	bool plain = push->params->delivery->ops->plain_bodies && !push->large;
	if (rv_batcher_compression(push->batcher,
				   plain ? RV_OUTPUT_NONE : push->batch_stream.compression, err) != RV_OK)
		return err->status;
	return rv_batcher_begin(push->batcher, push->run, push->next_seq++, err);
}

/* Read again in one go, two pieces must give what they gave one by one: lines do, whole ones. */
static bool goes_on_from(const struct rv_push_input *input, const struct rv_extent *last,
			 const struct rv_reader *reader)
{
	char end;
	size_t n;
	struct rv_error ignored;
	return last->file == input->run_file && last->to == input->offset && !last->finish &&
	       last->to > last->from && rv_reader_format(reader) != RV_FORMAT_JSON &&
	       input->file.compression == RV_COMPRESSION_NONE &&
	       rv_pread_full(input->file.fd, &end, 1, input->offset - 1, &n, input->file.path,
			     &ignored) == RV_OK &&
	       n == 1 && end == '\n';
}

static void open_extent(struct rv_push_state *push, struct rv_push_input *input,
			const struct rv_reader *reader)
{
	if (input->run_file == UINT64_MAX || input->run_number != push->run_number) {
		input->run_number = push->run_number;
		input->run_file = rv_run_add_file(push->run, input->file.path, input->key,
						  rv_format_name(rv_reader_format(reader)),
						  rv_compression_name(input->file.compression));
	}
	input->extent_open = true;
	/* A file that is followed is read in many small pieces. */
	if (push->extents_count && goes_on_from(input, &push->extents[push->extents_count - 1], reader)) {
		input->extent = push->extents[--push->extents_count];
		push->extents_bytes -= text_bytes(&input->extent);
		json_decref(rv_take(input->extent.checkpoint));
		return;
	}
	const char *header = rv_reader_csv_header(reader);
	input->extent = (struct rv_extent){
		.file = input->run_file,
		.from = input->offset,
		.line = input->line,
		.in_array = input->in_array,
		.csv_header = header && input->offset > 0 ? rv_strdup(header) : NULL,
		.csv_delimiter = rv_reader_csv_delimiter(reader),
	};
}

static void remember_first_reject(struct rv_push_state *push, const struct rv_span *span,
				  const char *label)
{
	struct rv_push_result *result = push->result;
	if (!result->first_reject[0])
		snprintf(result->first_reject, sizeof(result->first_reject),
			 "%.120s:%" PRIu64 ": %s (byte %" PRIu64 ")", label, span->line, span->reason,
			 span->fault_offset);
}

static enum rv_status add_span(struct rv_push_state *push, struct rv_push_input *input,
			       struct rv_reader *reader,
			       const struct rv_span *span, const char *label, struct rv_error *err)
{
	const char *header = input ? rv_reader_csv_header(reader) : NULL;
	if (header && strlen(header) > CSV_HEADER_MAX_BYTES) {
		/* It goes into every checkpoint and journal line. */
		push->abandon = true;
		return rv_fail(err, RV_BAD_DATA, "%s: its csv header has %zu bytes, more than %u", label,
			       strlen(header), CSV_HEADER_MAX_BYTES);
	}
	bool other = span->kind == RV_SPAN_RECORDS && span->large != push->large;
	if (other && rv_batcher_open(push->batcher) && rv_push_close_batch(push, input, err) != RV_OK)
		return err->status;
	if (!rv_batcher_open(push->batcher)) {
		push->large = span->kind == RV_SPAN_RECORDS && span->large;
		if (begin_batch(push, err) != RV_OK) {
			push->fatal = true;
			return err->status;
		}
	}
	if (input && !input->extent_open)
		open_extent(push, input, reader);
	if (rv_batcher_add(push->batcher, span, label, err) != RV_OK) {
		push->abandon = true;
		return err->status;
	}

	struct rv_push_result *result = push->result;
	if (span->kind == RV_SPAN_RECORDS) {
		result->records += span->records;
		result->record_bytes += span->record_bytes;
	} else {
		if (span->first)
			remember_first_reject(push, span, label);
		result->rejected += !span->more;
	}
	if (input) {
		struct rv_checkpoint *c = &input->checkpoint;
		if (span->kind == RV_SPAN_RECORDS) {
			if (!c->first_record) {
				const char *end = memchr(span->bytes, '\n', span->len);
				c->first_record =
					XXH3_64bits(span->bytes, (size_t)(end - span->bytes));
			}
			c->records += span->records;
			c->set_hash += span->set_hash;
		} else {
			c->rejected += rv_span_is_rejected(span);
		}
		const char *format = rv_format_name(rv_reader_format(reader));
		if (!c->format || strcmp(c->format, format) != 0) { /* known since this span */
			free(c->format);
			c->format = rv_strdup(format);
		}
		if (!c->csv_header && header)
			c->csv_header = rv_strdup(header);
		c->csv_delimiter = rv_reader_csv_delimiter(reader);
		input->taken_finished = input->finished;
		input->offset = span->to;
		input->line = rv_reader_line(reader);
		input->in_array = rv_reader_in_array(reader);
	}
	push->input_offset = push->input_base + span->to;
	return RV_OK;
}

static bool batch_is_full(const struct rv_push_state *push)
{
	const struct rv_batch_entry *entry = rv_batcher_entry(push->batcher);
	if (push->batch_records && entry->records >= push->batch_records)
		return true;
	if (push->batch_record_bytes && entry->record_bytes >= push->batch_record_bytes)
		return true;
	if (push->extents_count >= EXTENTS_MAX || push->extents_bytes >= EXTENTS_MAX_BYTES)
		return true;
	return push->batch_bytes && rv_batcher_compressed_bytes(push->batcher) >= push->batch_bytes;
}

static int64_t batch_age_ms(const struct rv_push_state *push)
{
	return rv_clock_monotonic_ms() - push->batch_started_ms;
}

static void report(struct rv_push_state *push, uint64_t done_bytes)
{
	if (!push->params->progress)
		return;
	struct rv_push_progress progress = push->progress;
	progress.done_bytes += done_bytes;
	progress.records = push->result->records;
	push->params->progress(push->params->arg, &progress);
}

/* All records of one reader into batches. `input` NULL: a pipe. */
enum rv_status rv_push_read_all(struct rv_push_state *push, struct rv_push_input *input,
				struct rv_reader *reader,
			       const char *label, struct rv_error *err)
{
	const struct rv_push_params *params = push->params;
	uint64_t start = input ? input->offset : 0;
	bool in_reject = false, may_finish = !input;
	for (;;) {
		if (rv_push_must_stop(push))
			return RV_OK;
		bool open = rv_batcher_open(push->batcher);
		struct rv_reader_limits limits = { .timeout_ms = -1 };
		if (open && push->spooling && params->flush_after_ms >= 0 && !params->run) {
			int64_t left = params->flush_after_ms - batch_age_ms(push);
			limits.timeout_ms = left > 0 ? left : 0;
		}
		const struct rv_batch_entry *entry = rv_batcher_entry(push->batcher);
		if (push->batch_records)
			limits.max_records = push->batch_records - (open ? entry->records : 0);
		if (push->batch_record_bytes)
			limits.max_bytes = push->batch_record_bytes - (open ? entry->record_bytes : 0);
		limits.large_bytes = push->large_bytes;
		/* Now and then somebody has to look at how the delivery is doing. */
		if (push->spooling && (limits.timeout_ms < 0 || limits.timeout_ms > 1000))
			limits.timeout_ms = 1000;
		rv_push_tell_outage(push);
		struct rv_span span;
		if (rv_reader_next(reader, &limits, &span, err) != RV_OK)
			return err->status;
		if (span.kind == RV_SPAN_END) {
			uint64_t pending_offset, pending;
			rv_reader_pending(reader, &pending_offset, &pending);
			/* An array that is still open may have nothing pending, and yet be cut short. */
			bool open_end = pending || rv_reader_in_array(reader);

			if (open_end && may_finish) {
				may_finish = false;
				if (input)
					input->finished = true;
				rv_reader_finish(reader);
				continue;
			}
			if (open_end && input) {
				int64_t age_ms = rv_clock_ms() -
						 ((int64_t)input->file.stat.st_mtim.tv_sec * 1000 +
						  input->file.stat.st_mtim.tv_nsec / 1000000);
				/* A clock that jumped back must not hold a record for ever. */
				if (!input->finished && !input->goes_on &&
				    (age_ms >= params->settle_ms || age_ms < -params->settle_ms)) {
					input->finished = true;
					rv_reader_finish(reader);
					continue;
				}
				input->pending = !input->finished;
				push->result->left_bytes += params->follow ? 0 : pending;
				if (pending && !params->follow)
					note(push, "%s: the last %" PRIu64 " bytes, from byte %" PRIu64
					     ", have no end yet and stay for the next push", label,
					     pending, pending_offset);
			}
			if (input)
				input->at_end = (pending == 0 || input->finished) && !input->goes_on;
			return RV_OK;
		}
		if (span.kind == RV_SPAN_RECORDS || span.kind == RV_SPAN_REJECT) {
			push->result->input_bytes += span.to - span.from;
			if (add_span(push, input, reader, &span, label, err) != RV_OK)
				return err->status;
			in_reject = span.kind == RV_SPAN_REJECT && span.more;
			report(push, span.to - start);
			if (push->result->rejected > params->max_rejects) {
				push->abandon = push->over_limit = true;
				rv_fail(err, RV_BAD_DATA,
					"more than %" PRIu64 " records are rejected, the first: %s",
					params->max_rejects, push->result->first_reject);
				rv_hint(err, "nothing of the open batch was sent; --max-rejects sets the limit");
				return err->status;
			}
		}
		if (!rv_batcher_open(push->batcher) || in_reject)
			continue;
		bool old = push->spooling && params->flush_after_ms >= 0 && !params->run &&
			   batch_age_ms(push) >= params->flush_after_ms;
		if ((batch_is_full(push) || old) && rv_push_close_batch(push, input, err) != RV_OK)
			return err->status;
	}
}

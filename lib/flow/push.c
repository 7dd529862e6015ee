/* The push flow: inputs one after another, batches across them, the sender beside. */
#include "flow/push_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/number.h"
#include "format/stamp.h"
#include "source/prepend.h"

void rv_push_result_release(struct rv_push_result *result)
{
	json_decref(result->runs);
	json_decref(result->older);
	result->runs = result->older = NULL;
}

/* A service is given batches of a few MiB: they need not touch a disk on the way. */
#define PLAIN_MEMORY_BYTES (6u << 20)

/* ---- inputs ---- */

static enum rv_status push_pipe(struct rv_push_state *push, struct rv_source *source,
				const char *label,
				struct rv_error *err)
{
	RV_CLEANUP(rv_reader_free_p) struct rv_reader *reader = NULL;
	struct rv_reader_params params = { .name = NULL };
	rv_read_settings_apply(&push->params->read, &params);
	push->input_base = push->input_offset;
	if (rv_reader_new(source, &params, &reader, err) != RV_OK)
		return err->status;
	return rv_push_read_all(push, NULL, reader, label, err);
}

/* Peeks at what a pipe begins with; the bytes go on to the decompressor or to the reader. One that trickles
 * must not wait for more bytes than it takes to know. */
static enum rv_status open_pipe(struct rv_push_state *push, struct rv_source *raw,
				struct rv_source **ret,
				struct rv_error *err)
{
	unsigned char magic[8];
	size_t have = 0;
	while (have < sizeof(magic)) {
		size_t n;
		enum rv_source_state state;
		if (raw->ops->read(raw, magic + have, sizeof(magic) - have, -1, &n, &state, err) !=
		    RV_OK) {
			rv_source_free(raw);
			return err->status;
		}
		have += n;
		if (state == RV_SOURCE_END || rv_push_must_stop(push) ||
		    (have && !rv_compression_may_begin(magic, have)))
			break;
	}
	enum rv_compression compression = rv_compression_detect(magic, have);
	if (compression != RV_COMPRESSION_NONE)
		return rv_source_decompress_new(raw, compression, magic, have, ret, err);
	*ret = rv_source_prepend_new(magic, have, raw);
	return RV_OK;
}

static enum rv_status push_stdin(struct rv_push_state *push, struct rv_error *err)
{
	struct rv_source *raw = NULL;
	RV_CLEANUP(rv_source_free_p) struct rv_source *source = NULL;
	if (rv_source_stdin_new(&raw, err) != RV_OK || open_pipe(push, raw, &source, err) != RV_OK)
		return err->status;
	return push_pipe(push, source, "standard input", err);
}

enum rv_status rv_push_read_file(struct rv_push_state *push, struct rv_push_input *input,
				 struct rv_error *err)
{
	RV_CLEANUP(rv_source_free_p) struct rv_source *source = NULL;
	RV_CLEANUP(rv_reader_free_p) struct rv_reader *reader = NULL;
	struct rv_checkpoint *c = &input->checkpoint;
	if (rv_input_file_source(&input->file, c->offset, input->read_to ? input->read_to : UINT64_MAX,
				 &source, err) != RV_OK)
		return err->status;
	struct rv_reader_params params = {
		.name = input->file.path,
		.offset = c->offset,
		.line = c->line,
		.csv_header = c->csv_header,
		.csv_delimiter = c->csv_delimiter,
		.in_array = c->in_array,
	};
	rv_read_settings_apply(&push->params->read, &params);
	if (c->offset > 0 && !rv_format_parse(c->format, &params.format))
		return rv_fail(err, RV_DAMAGED, "the checkpoint of %s names the format '%s'",
			       input->file.path, c->format);
	if (rv_reader_new(source, &params, &reader, err) != RV_OK)
		return err->status;
	free(c->format);
	c->format = rv_strdup(rv_format_name(rv_reader_format(reader)));
	input->offset = c->offset;
	input->line = c->line;
	input->in_array = c->in_array;
	if (input->file.compression == RV_COMPRESSION_NONE) {
		input->first.path = input->file.path;
		input->first.offset = (uint64_t)input->file.stat.st_size < RV_CHECKPOINT_WINDOW
					      ? (uint64_t)input->file.stat.st_size
					      : RV_CHECKPOINT_WINDOW;
		if (rv_checkpoint_measure(&input->first, input->file.fd, err) != RV_OK)
			return err->status;
		input->watched = true;
	}
	enum rv_status status = rv_push_read_all(push, input, reader, input->file.path, err);
	/* What was read well before a failure is a whole extent too; the next push goes on behind it. */
	struct rv_error later = RV_ERROR_INIT;
	if (!push->abandon && rv_push_close_extent(push, input, &later) != RV_OK) {
		push->abandon = true;
		if (status == RV_OK) {
			*err = later;
			status = err->status;
		}
	}
	free(rv_take(input->extent.csv_header));
	return status;
}

/* The layout that a checkpoint holds goes before what is asked for: rows of one file are of one kind. */
static void warn_of_layout(struct rv_push_state *push, const struct rv_push_input *input, bool unchanged)
{
	const struct rv_checkpoint *c = &input->checkpoint;
	const struct rv_read_settings *read = &push->params->read;
	const char *path = input->file.path, *verb = unchanged ? "was pushed" : "goes on";
	const char *hint = push->params->again ? "another --again, behind this one, sends it anew"
					       : "'push --again' sends it anew";
	enum rv_format format;
	/* Definitions change, and old files are as they are. */
	if (c->offset == 0 || (unchanged && !push->params->layout_given) ||
	    !rv_format_parse(c->format, &format))
		return;
	if (read->format != RV_FORMAT_AUTO && read->format != format) {
		warn(push, "%s %s as %s, as it was begun, and not as %s: %s", path, verb, c->format,
		     rv_format_name(read->format), hint);
	} else if (format == RV_FORMAT_CSV && c->csv_header && !rv_csv_header_suits(c->csv_header, &read->csv)) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf names = RV_STRBUF_INIT;
		for (size_t i = 0; i < read->csv.names_count; i++)
			rv_strbuf_printf(&names, i ? ",%s" : "%s", read->csv.names[i]);
		warn(push, "%s %s with the columns %.200s, as it was begun, and not with %.200s: %s", path, verb,
		     c->csv_header, read->csv.names_count ? names.bytes : "c1, c2 and so on", hint);
	}
}

void rv_push_describe_start(struct rv_push_state *push, const struct rv_push_input *input,
			    enum rv_file_start start)
{
	const struct rv_checkpoint *c = &input->checkpoint;
	char text[RV_TIME_TEXT], size[RV_NUMBER_TEXT];
	if (start == RV_FILE_ROTATED)
		note(push, "%s: the first %s were pushed at %s under another name",
		     input->file.path, rv_format_size(c->offset, size),
		     rv_format_time(c->pushed_ms, text));
	else if (start == RV_FILE_CHANGED)
		note(push, "%s: has another content than at the last push, begins anew",
		     input->file.path);
	else if (start == RV_FILE_UNCHANGED)
		note(push, "%s: nothing new since %s (--again sends it anew)", input->file.path,
		     rv_format_time(c->pushed_ms, text));
	else if (start == RV_FILE_APPENDED)
		note(push, "%s: %s were pushed before, sending what was appended", input->file.path,
		     rv_format_size(c->offset, size));
	warn_of_layout(push, input, start == RV_FILE_UNCHANGED);
}

static enum rv_status keep_older(void *arg, const struct rv_file_batch *batch,
				 struct rv_error *err RV_UNUSED)
{
	struct rv_push_result *result = arg;
	if (!result->older)
		result->older = json_object();
	if (strcmp(batch->name, "-") != 0)
		json_object_set_new(result->older, batch->name, json_true());
	return RV_OK;
}

static enum rv_status push_regular(struct rv_push_state *push, struct rv_push_input *input,
				   struct rv_error *err)
{
	enum rv_file_start start;
	RV_CLEANUP(rv_free_p) char *twin = NULL;
	if (rv_file_key(input->file.fd, input->file.path, input->key, err) != RV_OK)
		return err->status;
	/* Named twice, it must be looked at with the checkpoint that its first turn leaves. */
	if (rv_push_seen(push, input->key)) {
		if (rv_push_settle(push, err) != RV_OK)
			return err->status;
		rv_push_seen(push, input->key);
	}
	if (rv_push_lock(push, input, err) != RV_OK)
		return err->status;
	if (rv_push_recover_again(push, err) != RV_OK) {
		push->fatal = true;
		return err->status;
	}
	/* It may have grown while we waited for the lock. */
	if (fstat(input->file.fd, &input->file.stat) < 0)
		return rv_fail_errno(err, RV_LOCAL_IO, "look at %s", input->file.path);
	if (rv_push_file_start(&push->state, &input->file, input->key, &push->params->read,
			       push->params->again, &input->checkpoint, &start, &twin, err) != RV_OK)
		return err->status;
	if (twin)
		warn(push, "%s begins with all that was pushed of %s, which is still there: both are "
		     "sent", input->file.path, twin);
	push->result->files++;
	push->result->skipped_bytes += input->checkpoint.offset;
	rv_push_describe_start(push, input, start);
	/* What was pushed before counts as well when somebody asks for more than "sent". */
	if (push->params->wait >= RV_WAIT_LANDED && input->checkpoint.offset &&
	    rv_push_file_in_lake(push->params->lake, &push->state, &input->checkpoint, err) != RV_OK &&
	    err->status != RV_KEPT) { /* those are waited for by their stamps, as `older` */
		rv_context(err, "%s was pushed before, but is not in the lake whole", input->file.path);
		rv_hint(err, "--again sends it once more");
		return err->status;
	}
	bool by_stamp = !push->params->delivery->ops->names_objects;
	if ((push->params->wait == RV_WAIT_LOADED || (push->params->wait == RV_WAIT_LANDED && by_stamp)) &&
	    input->checkpoint.offset &&
	    rv_checkpoint_each_batch(&push->state, input->key, keep_older, push->result, err) != RV_OK)
		return err->status;
	uint64_t before = push->result->input_bytes;
	if (start != RV_FILE_UNCHANGED && rv_push_read_file(push, input, err) != RV_OK)
		return err->status;
	bool nothing_new = push->result->input_bytes == before;
	push->result->files_unchanged += nothing_new;
	/* A compressed file is known by its size and time, so as not to be read at every push. */
	struct rv_checkpoint *c = &input->checkpoint;
	if (nothing_new && input->at_end && c->offset > 0 &&
	    input->file.compression != RV_COMPRESSION_NONE) {
		rv_checkpoint_note_stat(c, &input->file.stat);
		c->at_end = true;
		if (rv_checkpoint_save(&push->state, c, true, err) != RV_OK)
			return err->status;
	}
	push->progress.done_bytes += (uint64_t)input->file.stat.st_size;
	return RV_OK;
}

/* Under --run a file is an input like any other: read whole, no checkpoint. */
static enum rv_status push_repeatable_file(struct rv_push_state *push, struct rv_push_input *input,
					   struct rv_error *err)
{
	RV_CLEANUP(rv_source_free_p) struct rv_source *source = NULL;
	if (rv_input_file_source(&input->file, 0, UINT64_MAX, &source, err) != RV_OK)
		return err->status;
	push->result->files++;
	return push_pipe(push, source, input->file.path, err);
}

static enum rv_status push_path(struct rv_push_state *push, const char *path, struct rv_error *err)
{
	if (strcmp(path, "-") == 0)
		return push_stdin(push, err);
	struct rv_push_input input = { .file = RV_INPUT_FILE_INIT, .run_file = UINT64_MAX };
	bool regular;
	enum rv_status status = rv_input_file_open(path, &input.file, &regular, err);
	if (status == RV_OK && !regular) {
		struct rv_source *raw = NULL;
		RV_CLEANUP(rv_source_free_p) struct rv_source *source = NULL;
		int fd = fcntl(input.file.fd, F_DUPFD_CLOEXEC, 3);
		status = fd < 0 ? rv_fail_errno(err, RV_LOCAL_IO, "open %s", path)
				: rv_source_file_new(fd, path, UINT64_MAX, &raw, err);
		if (status == RV_OK)
			status = open_pipe(push, raw, &source, err);
		if (status == RV_OK)
			status = push_pipe(push, source, path, err);
	} else if (status == RV_OK) {
		status = push->params->run ? push_repeatable_file(push, &input, err)
					   : push_regular(push, &input, err);
	}
	free(input.extent.csv_header);
	rv_checkpoint_release(&input.checkpoint);
	rv_input_file_release(&input.file);
	return status;
}

/* ---- the whole ---- */

static bool is_pipe(const char *path)
{
	struct stat st;
	return strcmp(path, "-") == 0 || (stat(path, &st) == 0 && !S_ISREG(st.st_mode) &&
					  !S_ISDIR(st.st_mode));
}

/* Wrong names are found before the first byte is read; nothing is half pushed for a typing error. */
static enum rv_status look_at_operands(struct rv_push_state *push, struct rv_error *err)
{
	const struct rv_push_params *params = push->params;
	if (params->follow) {
		push->spooling = params->wait == RV_WAIT_SPOOLED;
		return RV_OK;
	}
	bool pipe = params->files_count == 0;
	for (size_t i = 0; i < params->files_count; i++) {
		const char *path = params->files[i];
		struct stat st;
		if (is_pipe(path)) {
			pipe = true;
			continue;
		}
		if (stat(path, &st) < 0)
			return errno == ENOENT || errno == ENOTDIR
				       ? rv_fail(err, RV_NOT_FOUND, "no file %s", path)
				       : rv_fail_errno(err, RV_LOCAL_IO, "look at %s", path);
		if (S_ISDIR(st.st_mode)) {
			rv_fail(err, RV_USAGE, "%s is a folder", path);
			rv_hint(err, "name the files in it: %s/*", path);
			return err->status;
		}
		if (access(path, R_OK) < 0)
			return rv_fail_errno(err, RV_LOCAL_IO, "read %s", path);
		push->progress.total_bytes += (uint64_t)st.st_size;
	}
	if (pipe) {
		push->progress.total_bytes = 0;
		if (params->files_count > 1) {
			rv_fail(err, RV_USAGE, "a pipe is pushed on its own, not beside files");
			return err->status;
		}
	}
	push->result->pipe = pipe;
	push->spooling = pipe || params->run || params->wait == RV_WAIT_SPOOLED;
	return RV_OK;
}

static uint64_t stamp_bytes(const struct rv_stream *stream)
{
	switch (stream->stamp) {
	case RV_STAMP_NONE:
		break;
	case RV_STAMP_ID:
		return RV_STAMP_ID_MAX_BYTES;
	case RV_STAMP_FULL:
		return RV_STAMP_MAX_BYTES;
	}
	return 0;
}

static void tick(void *arg)
{
	rv_push_follow_tick(arg);
	rv_push_tell_outage(arg);
}

static enum rv_status set_up(struct rv_push_state *push, struct rv_error *err)
{
	const struct rv_push_params *params = push->params;
	if (look_at_operands(push, err) != RV_OK ||
	    rv_state_open(&push->state, params->state_dir, params->lake->url, params->stream, err) !=
		    RV_OK)
		return err->status;
	RV_CLEANUP(rv_free_p) char *locks = rv_state_path(&push->state, "files.lock");
	push->locks_fd = rv_open(locks, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (push->locks_fd < 0)
		return rv_fail_errno(err, RV_LOCAL_IO, "open %s", locks);
	push->deliver = (struct rv_deliver){
		.stream = params->stream,
		.state = &push->state,
		.lake = params->lake,
		.delivery = params->delivery,
		.loss = RV_ERROR_INIT,
		.check_stream = params->check_stream,
		.own_runs_only = params->own_runs_only,
		.held = params->follow ? rv_push_follow_held : NULL,
		.held_arg = params->follow,
		.is_own = params->follow ? rv_push_follow_is_own : NULL,
		.is_own_arg = params->follow,
		.waiting = params->note,
		.waiting_arg = params->arg,
	};
	/* A pipe's input does not wait for what is older: the courier brings both. A name may be one of
	 * those that were left, and a file its bytes. */
	push->recovers = push->result->pipe && !params->run;
	if (!push->recovers &&
	    rv_recover(&push->deliver, params->lock_timeout_ms, params->should_stop,
		       &push->result->recovered, err) != RV_OK)
		return rv_context(err, "finish an earlier push");
	push->deliver.opened = 0;
	if (push->result->recovered.waiting_runs) {
		/* A left-over run of files owns bytes that this push would send again. */
		if (push->result->recovered.waiting_file_runs && !push->result->pipe && !params->run) {
			*err = push->result->recovered.failure;
			return rv_context(err, "finish an earlier push first");
		}
		push->result->delivery = push->result->recovered.failure;
		/* Who goes on for weeks brings it as soon as that can be done. */
		push->recovers = push->recovers || (params->follow && push->spooling);
	}
	if (push->recovers || push->result->recovered.waiting_runs) {
		if (rv_spool_bytes(&push->state, &push->result->waiting_spool_bytes, err) != RV_OK)
			return err->status;
	}
	push->batch_bytes = params->batch_bytes;
	push->batch_records = params->batch_records;
	const struct rv_delivery_ops *limits = params->delivery->ops;
	push->batch_record_bytes = limits->batch_record_bytes;
	/* The longest a stamp gets, not this one: the same input must make the same batches. */
	if (limits->max_record_bytes)
		push->large_bytes = limits->max_record_bytes - 1 - stamp_bytes(params->stream);
	if (params->run) {
		if (rv_run_record_fix(params->lake, params->stream, params->run, params->batch_bytes,
				      limits->batch_record_bytes, params->batch_records, rv_clock_ms(), &push->record, err) != RV_OK)
			return err->status;
		/* Compressed sizes depend on the library; the same input must make the same batches. */
		push->batch_bytes = 0;
		push->batch_record_bytes = push->record.batch_record_bytes;
		push->batch_records = push->record.batch_records;
	}
	/* What a named run's objects are called must not change with the definition. */
	push->batch_stream = *params->stream;
	if (params->run && strcmp(rv_object_suffix(push->record.compression),
				  rv_object_suffix(params->stream->compression)) != 0)
		push->batch_stream.compression = push->record.compression;
	struct rv_batcher_params batcher = {
		.stream = &push->batch_stream,
		.lake = params->lake,
		.threads = params->threads,
		/* Of that many bytes are in the queue, under way and open, beside what is read. */
		.memory_bytes = limits->plain_bodies ? PLAIN_MEMORY_BYTES : 0,
	};
	if (rv_batcher_new(&batcher, &push->batcher, err) != RV_OK)
		return err->status;
	const struct rv_sender_params sender = {
		.deliver = &push->deliver,
		.retry = {
			.for_ms = params->retry_for_ms,
			.pause_ms = params->retry_pause_ms,
			.should_stop = params->should_stop,
		},
		.spooled = push->spooling,
		.recover = push->recovers,
		.tick = tick,
		.tick_arg = push,
	};
	return rv_sender_new(&sender, &push->sender, err);
}

static enum rv_status push_inputs(struct rv_push_state *push, struct rv_error *err)
{
	const struct rv_push_params *params = push->params;
	if (params->source)
		return push_pipe(push, params->source, params->source->label, err);
	if (params->files_count == 0)
		return push_stdin(push, err);
	for (size_t i = 0; i < params->files_count && !rv_push_must_stop(push); i++) {
		if (push_path(push, params->files[i], err) == RV_OK || push->stopped)
			continue;
		/* The batches of a named run are those of all its files, in their order. */
		if (push->abandon || push->fatal || params->run)
			return err->status;
		/* One bad file does not stop its neighbours; it is told at the end. */
		bool skip = err->status == RV_LOCKED && params->lock_skip;
		push->skipped_inputs += skip;
		push->failed_inputs += !skip;
		if (push->input_failure.status == RV_OK ||
		    (push->input_failure.status == RV_LOCKED && !skip))
			push->input_failure = *err;
	}
	return RV_OK;
}

/* What was read well before a failure still counts: it becomes a batch and lands. */
static enum rv_status wind_up(struct rv_push_state *push, bool failed, struct rv_error *err)
{
	/* A named run's batches must be those of the whole input. */
	if (push->abandon || ((failed || push->incomplete) && push->params->run)) {
		rv_batcher_abandon(push->batcher);
		rv_push_clear_extents(push);
	}
	enum rv_status status = rv_push_close_batch(push, NULL, err);
	if (push->params->wait == RV_WAIT_SPOOLED && status == RV_OK) {
		struct rv_error ignored;
		rv_sender_only_promise(push->sender);
		(void)!rv_sender_drain(push->sender, &ignored);
	}
	bool complete = !failed && !push->incomplete;
	if (status == RV_OK && complete && push->params->run && !push->run)
		status = rv_push_begin_run(push, err);
	if (status == RV_OK)
		status = rv_push_end_run(push, complete, err);
	enum rv_status drained = RV_OK;
	struct rv_error why = RV_ERROR_INIT;
	drained = rv_sender_finish(push->sender, tick, push, &why);
	if (status == RV_OK && drained != RV_OK) {
		*err = why;
		status = drained;
	}
	return status;
}

static void sum_up(struct rv_push_state *push, enum rv_status status)
{
	struct rv_sender_totals totals;
	struct rv_push_result *result = push->result;
	rv_sender_totals(push->sender, &totals);
	result->accepted = totals.promised_records;
	/* What a follower has read and could not promise it reads again when it tries again. */
	if (push->params->follow && status != RV_OK) {
		result->records = totals.promised_records;
		result->record_bytes = totals.promised_record_bytes;
		result->rejected = totals.promised_rejected;
		result->batches = totals.promised_batches;
		result->objects = totals.promised_objects;
	}
	result->landed = totals.landed_records;
	result->sent = totals.sent_records;
	result->by_stamp = !push->params->delivery->ops->names_objects;
	result->counts = totals.counts;
	result->object_bytes = totals.landed_bytes;
	struct rv_error ignored;
	if (!push->recovers ||
	    rv_spool_bytes(&push->state, &result->waiting_spool_bytes, &ignored) != RV_OK)
		result->waiting_spool_bytes += totals.waiting_spool_bytes;
	result->accepted_offset = totals.input_to;
	if (totals.delivery.status != RV_OK)
		result->delivery = totals.delivery;
	result->loss = push->deliver.loss.status != RV_OK ? push->deliver.loss : totals.loss;
	if (push->recovers)
		result->recovered = totals.recovered;
	/* What the courier could not do then is the end of this push's run: all that is older is done as well. */
	if (status == RV_OK && push->spooling && totals.delivery.status != RV_OK &&
	    !result->recovered.waiting_runs && push->params->wait != RV_WAIT_SPOOLED &&
	    result->landed + result->sent == result->accepted) {
		result->unended = totals.delivery;
		warn(push, "all records are delivered, but their run is not ended; the next push or 'river spool "
			   "flush' does that: %s", totals.delivery.message);
	}
	snprintf(result->diverted, sizeof(result->diverted), "%s",
		 push->deliver.diverted[0] ? push->deliver.diverted : totals.diverted);
	if (result->diverted[0])
		warn(push, "some records were put into the lake directly: %s", result->diverted);
}

/* Which of several truths the exit code tells (design.md 4: 70, 10, 12, 4, 8, 7). */
static enum rv_status judge(struct rv_push_state *push, enum rv_status status, struct rv_error *err)
{
	struct rv_push_result *result = push->result;
	const struct rv_push_params *params = push->params;
	if (status == RV_OK)
		result->kept = !push->failed_inputs && !push->skipped_inputs && !push->stopped;
	if (status != RV_OK && result->pipe && !result->kept) {
		char text[64] = "";
		if (result->accepted_offset)
			snprintf(text, sizeof(text), "accepted up to byte %" PRIu64,
				 result->accepted_offset);
		rv_context(err, "%s", *text ? text : "nothing was accepted");
	}
	/* "The data is all bad" is said of data that is. */
	if (status == RV_BAD_DATA && !push->over_limit && result->accepted)
		status = err->status = RV_LOCAL_IO;
	if (status != RV_OK)
		return status;
	if (push->failed_inputs) {
		*err = push->input_failure;
		if (params->files_count > 1)
			rv_context(err, "%" PRIu64 " of %zu files were not pushed whole, the first",
				   push->failed_inputs, params->files_count);
		if (err->status == RV_BAD_DATA && result->accepted)
			err->status = RV_LOCAL_IO;
		return err->status;
	}
	if (result->loss.status != RV_OK) {
		*err = result->loss;
		return err->status;
	}
	if (push->stopped) {
		if (params->source)
			rv_fail(err, RV_FAILED, "stopped: %" PRIu64 " record%s accepted",
				result->accepted, result->accepted == 1 ? " is" : "s are");
		else if (result->pipe)
			rv_fail(err, RV_FAILED, "stopped: accepted up to byte %" PRIu64,
				result->accepted_offset);
		else
			rv_fail(err, RV_FAILED, "stopped: run the same command again to go on");
		return err->status;
	}
	if (result->landed + result->sent < result->accepted && params->wait != RV_WAIT_SPOOLED) {
		*err = result->delivery.status != RV_OK ? result->delivery
							: (struct rv_error)RV_ERROR_INIT;
		uint64_t left = result->accepted - result->landed - result->sent;
		rv_context(err, "%" PRIu64 " record%s accepted and spooled but not in the lake", left,
			   left == 1 ? " is" : "s are");
		/* These two want somebody to do something; the data is as safe as with any other. */
		bool asks = err->status == RV_AUTH || err->status == RV_NOT_FOUND;
		char what[sizeof(err->hint)];
		snprintf(what, sizeof(what), "%s", asks ? err->hint : "");
		rv_hint(err, "do not send them again; 'river spool flush' or the next push delivers them%s%s",
			*what ? " when this is mended: " : "", what);
		return err->status = asks ? err->status : RV_KEPT;
	}
	if (push->skipped_inputs) {
		*err = push->input_failure;
		rv_hint(err, "the others were pushed; run the same command again for this one");
		return err->status;
	}
	if (result->rejected && !result->records) {
		if (result->rejected == 1)
			rv_fail(err, RV_BAD_DATA, "the only record was rejected: %s", result->first_reject);
		else
			rv_fail(err, RV_BAD_DATA, "all %" PRIu64 " records were rejected, the first: %s",
				result->rejected, result->first_reject);
		rv_hint(err, "'river rejects show %s/%s' shows them; --format says what the input is",
			params->stream->business, params->stream->name);
		return err->status;
	}
	if (result->rejected) {
		rv_fail(err, RV_PARTIAL, "%" PRIu64 " of %" PRIu64 " records %s rejected, the first: %s",
			result->rejected, result->rejected + result->records,
			result->rejected == 1 ? "was" : "were", result->first_reject);
		rv_hint(err, "they are kept: 'river rejects show %s/%s' shows them",
			params->stream->business, params->stream->name);
		return err->status;
	}
	return RV_OK;
}

enum rv_status rv_push(const struct rv_push_params *params, struct rv_push_result *ret,
		       struct rv_error *err)
{
	*ret = (struct rv_push_result){
		.loss = RV_ERROR_INIT,
		.delivery = RV_ERROR_INIT,
		.unended = RV_ERROR_INIT,
		.recovered = { .failure = RV_ERROR_INIT },
	};
	struct rv_push_state push = {
		.params = params,
		.result = ret,
		.locks_fd = -1,
		.input_failure = RV_ERROR_INIT,
	};
	enum rv_status status = set_up(&push, err);
	if (status == RV_OK) {
		struct rv_error later = RV_ERROR_INIT;
		status = params->follow ? rv_push_follow(&push, err) : push_inputs(&push, err);
		enum rv_status wound = wind_up(&push, status != RV_OK, &later);
		if (status == RV_OK && wound != RV_OK) {
			*err = later;
			status = wound;
		}
		sum_up(&push, status);
	}
	rv_batcher_free(push.batcher);
	rv_sender_free(push.sender);
	rv_deliver_release(&push.deliver);
	rv_run_free(push.run);
	rv_push_clear_extents(&push);
	free(push.extents);
	free(push.recent);
	rv_close_p(&push.locks_fd);
	/* What a follower's end says is decided over all of its sessions. */
	if (!params->follow)
		status = judge(&push, status, err);
	rv_state_release(&push.state);
	return status;
}

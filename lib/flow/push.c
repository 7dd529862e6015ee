/* The push flow: inputs one after another, batches across them, the sender beside. */
#include "flow/push.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/number.h"
#include "flow/batch.h"
#include "flow/push_file.h"
#include "flow/receipt.h"
#include "flow/run_record.h"
#include "flow/sender.h"
#include "format/json_text.h"
#include "source/prepend.h"
#include "spool/checkpoint.h"

/* Very many small files must not pile up in memory and in one line of the journal. */
#define EXTENTS_MAX 4096
#define CSV_HEADER_MAX_BYTES (1u << 20)

/* A file that is open in the push: from its lock to its landing. */
struct input {
	struct rv_input_file file;
	char key[RV_FILE_KEY_TEXT];
	struct rv_checkpoint checkpoint; /* as of `offset` */
	uint64_t run_file;               /* index in the current run; UINT64_MAX: not registered */
	uint64_t offset, line;           /* all before is in a batch */
	bool in_array;
	bool finished;                   /* the unterminated end was handed out as well */
	bool at_end;
	bool watched;                    /* `first` and `last` are set: heads and tails only */
	struct rv_checkpoint first;      /* the file's first bytes when it was opened */
	struct rv_checkpoint last;       /* what the extent before ended with */
	struct rv_extent extent;         /* of the open batch */
	bool extent_open;
};

struct push {
	const struct rv_push_params *params;
	struct rv_push_result *result;
	struct rv_state state;
	struct rv_deliver deliver;
	struct rv_stream batch_stream;   /* the stream, shallow, as batches are to be made */
	struct rv_batcher *batcher;
	struct rv_sender *sender;
	struct rv_run *run;              /* NULL: none yet, or the last one is over */
	uint64_t next_seq;
	int64_t batch_started_ms;        /* monotonic */
	struct rv_extent *extents;       /* closed ones of the open batch */
	size_t extents_count, extents_capacity;
	int locks_fd;                    /* files.lock; its ranges are this push's locks */
	bool spooling;                   /* batches go to the spool: pipes, --run, --wait spooled */
	bool stopped;                    /* by a signal */
	bool incomplete;                 /* the input was not read to its end */
	bool abandon;                    /* the open batch must not be sent */
	bool fatal;                      /* no further input can be pushed either */
	bool over_limit;                 /* --max-rejects */
	uint64_t failed_inputs, skipped_inputs; /* files that were not pushed whole; that were locked */
	struct rv_error input_failure;   /* of the first of them */
	uint64_t batch_bytes, batch_records, batch_record_bytes; /* 0: no limit */
	struct rv_run_record record;     /* of a named run */
	uint64_t *recent;                /* hashes of the keys of files since the last settle() */
	size_t recent_count, recent_size; /* open addressing; size is a power of two */
	uint64_t input_base;             /* pipes: bytes of the inputs before the one being read */
	uint64_t input_offset;           /* pipes: bytes taken into batches */
	struct rv_push_progress progress;
};

void rv_push_result_release(struct rv_push_result *result)
{
	json_decref(result->runs);
	json_decref(result->older);
	result->runs = result->older = NULL;
}

static bool must_stop(struct push *push)
{
	if (!push->stopped && push->params->should_stop && push->params->should_stop())
		push->stopped = push->incomplete = true;
	return push->stopped;
}

typedef void say(void *arg, const char *text);

static void tell(const struct push *push, say *how, const char *fmt, ...) RV_PRINTF(3, 4);
static void tell(const struct push *push, say *how, const char *fmt, ...)
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
#define note(push, ...) tell(push, (push)->params->note, __VA_ARGS__)
#define warn(push, ...) tell(push, (push)->params->warn, __VA_ARGS__)

/* ---- runs ---- */

static const char *source_text(const struct push *push)
{
	size_t count = push->params->files_count;
	if (push->params->source)
		return push->params->source->label;
	return count == 0 ? "-" : push->params->files[0];
}

/* The folder of a run that begins now. A stream made with --fresh does not see what lies before its
 * `since`, and clocks differ between hosts: no run of it may begin there. */
static const char *folder_now(const struct push *push, char folder[RV_TIME_TEXT])
{
	rv_format_folder(rv_clock_ms(), folder);
	const char *since = push->params->stream->since;
	if (since[0] && strcmp(folder, since) < 0)
		snprintf(folder, RV_TIME_TEXT, "%s", since);
	return folder;
}

static enum rv_status begin_run(struct push *push, struct rv_error *err)
{
	const struct rv_push_params *params = push->params;
	int64_t now_ms = rv_clock_ms();
	RV_CLEANUP(rv_run_free_p) struct rv_run *run = NULL;
	enum rv_status status = rv_run_create(&push->state, params->run, now_ms, &run, err);
	if (status == RV_CONFLICT) {
		/* Recovery goes first and finishes or removes it, unless the lake is out of reach. */
		rv_fail(err, RV_KEPT, "run %s has been accepted and spooled, but is not in the lake yet",
			params->run);
		rv_hint(err, "do not send it again; 'river spool flush' or the next push delivers it");
		return err->status;
	}
	if (status != RV_OK)
		return status;
	run->named = params->run != NULL;
	run->pipe = push->spooling;
	run->compression = push->batch_stream.compression;
	run->settings = rv_read_settings_json(&params->read);
	free(run->source);
	run->source = params->files_count > 1
			      ? rv_asprintf("%s and %zu more", source_text(push), params->files_count - 1)
			      : rv_strdup(source_text(push));
	char folder[RV_TIME_TEXT];
	snprintf(run->lake_folder, sizeof(run->lake_folder), "%.23s",
		 run->named ? push->record.folder : folder_now(push, folder));
	if (rv_run_begin(run, err) != RV_OK)
		return err->status;
	push->run = rv_take(run);
	push->next_seq = 0;
	return RV_OK;
}

static void keep_receipt(struct push *push)
{
	if (!push->result->runs)
		push->result->runs = json_array();
	json_array_append_new(push->result->runs, json_string(push->run->name));
}

static enum rv_status end_run(struct push *push, bool complete, struct rv_error *err)
{
	if (!push->run)
		return RV_OK;
	keep_receipt(push);
	struct rv_run *run = rv_take(push->run);
	return rv_sender_end_run(push->sender, run, complete, err);
}

/* ---- batches ---- */

static void clear_extents(struct push *push)
{
	for (size_t i = 0; i < push->extents_count; i++) {
		free(push->extents[i].csv_header);
		json_decref(push->extents[i].checkpoint);
	}
	push->extents_count = 0;
}

static void note_size(struct rv_checkpoint *c, const struct stat *st)
{
	c->file_bytes = (uint64_t)st->st_size;
	c->file_modified_ns = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

static enum rv_status changed(const struct input *input, struct rv_error *err)
{
	rv_fail(err, RV_LOCAL_IO, "%s was changed while it was read, not only appended to",
		input->file.path);
	rv_hint(err, "what was read last was not sent; push it again when it is at rest");
	return err->status;
}

/* What was read before must still be there, or this batch may be half of one content and half of
 * another. The bytes between are looked at by --shipped. */
static enum rv_status check_unchanged(struct input *input, struct rv_error *err)
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
static enum rv_status close_extent(struct push *push, struct input *input, struct rv_error *err)
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
	note_size(c, &input->file.stat);
	c->head_len = c->tail_len = 0;
	if (input->file.compression == RV_COMPRESSION_NONE &&
	    (rv_checkpoint_measure(c, input->file.fd, err) != RV_OK ||
	     check_unchanged(input, err) != RV_OK)) {
		push->abandon = true;
		return err->status;
	}
	input->extent.to = input->offset;
	input->extent.finish = input->finished;
	input->extent.checkpoint = rv_checkpoint_json(c);
	RV_GROW(push->extents, push->extents_count, push->extents_capacity);
	push->extents[push->extents_count++] = input->extent;
	input->extent = (struct rv_extent){ .file = 0 };
	input->extent_open = false;
	return RV_OK;
}

static enum rv_status close_batch(struct push *push, struct input *input, struct rv_error *err)
{
	if (!rv_batcher_open(push->batcher))
		return RV_OK;
	if (input && close_extent(push, input, err) != RV_OK)
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
	push->result->batches++;
	push->result->objects += finished.entry.records > 0;
	if (rv_sender_batch(push->sender, push->run, &finished, err) != RV_OK)
		push->abandon = true;
	return push->abandon ? err->status : RV_OK;
}

/* A pipe must not fill the disk: wait for the lake, or say how far we came. */
static enum rv_status wait_for_spool(struct push *push, struct rv_error *err)
{
	struct rv_sender_totals totals;
	rv_sender_totals(push->sender, &totals);
	uint64_t before = push->result->waiting_spool_bytes; /* left by earlier pushes */
	if (before + totals.waiting_spool_bytes < push->params->spool_max_bytes)
		return RV_OK;
	if (rv_sender_drain(push->sender, err) != RV_OK)
		return err->status;
	rv_sender_totals(push->sender, &totals);
	if (before + totals.waiting_spool_bytes < push->params->spool_max_bytes)
		return RV_OK;
	char size[RV_NUMBER_TEXT];
	rv_fail(err, RV_LOCAL_IO, "the spool is full (%s)%s%s",
		rv_format_size(push->params->spool_max_bytes, size),
		totals.delivery.status ? " and the lake does not take what is in it: " : "",
		totals.delivery.status ? totals.delivery.message : "");
	rv_hint(err, "nothing is lost: mend the lake, then 'river spool flush'; spool.max sets the limit");
	return err->status;
}

static enum rv_status begin_batch(struct push *push, struct rv_error *err)
{
	char folder[RV_TIME_TEXT];
	if (push->run && !push->run->named &&
	    strcmp(folder_now(push, folder), push->run->lake_folder) != 0) {
		/* One folder must not hide days: tail -F runs for weeks. */
		if (end_run(push, true, err) != RV_OK)
			return err->status;
	}
	if (push->spooling && wait_for_spool(push, err) != RV_OK)
		return err->status;
	if (!push->run && begin_run(push, err) != RV_OK)
		return err->status;
	push->batch_started_ms = rv_clock_monotonic_ms();
	return rv_batcher_begin(push->batcher, push->run, push->next_seq++, err);
}

static void open_extent(struct push *push, struct input *input, const struct rv_reader *reader)
{
	if (input->run_file == UINT64_MAX)
		input->run_file = rv_run_add_file(push->run, input->file.path, input->key,
						  rv_format_name(rv_reader_format(reader)),
						  rv_compression_name(input->file.compression));
	const char *header = rv_reader_csv_header(reader);
	input->extent = (struct rv_extent){
		.file = input->run_file,
		.from = input->offset,
		.line = input->line,
		.in_array = input->in_array,
		.csv_header = header && input->offset > 0 ? rv_strdup(header) : NULL,
	};
	input->extent_open = true;
}

static void remember_first_reject(struct push *push, const struct rv_span *span, const char *label)
{
	struct rv_push_result *result = push->result;
	if (!result->first_reject[0])
		snprintf(result->first_reject, sizeof(result->first_reject),
			 "%.120s:%" PRIu64 ": %s (byte %" PRIu64 ")", label, span->line, span->reason,
			 span->fault_offset);
}

static enum rv_status add_span(struct push *push, struct input *input, struct rv_reader *reader,
			       const struct rv_span *span, const char *label, struct rv_error *err)
{
	const char *header = input ? rv_reader_csv_header(reader) : NULL;
	if (header && strlen(header) > CSV_HEADER_MAX_BYTES) {
		/* It goes into every checkpoint and journal line. */
		push->abandon = true;
		return rv_fail(err, RV_BAD_DATA, "%s: its csv header has %zu bytes, more than %u", label,
			       strlen(header), CSV_HEADER_MAX_BYTES);
	}
	if (!rv_batcher_open(push->batcher)) {
		struct rv_run *before = push->run;
		if (begin_batch(push, err) != RV_OK) {
			push->fatal = true;
			return err->status;
		}
		if (input && push->run != before)
			input->run_file = UINT64_MAX;
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
			c->rejected += !span->more;
		}
		const char *format = rv_format_name(rv_reader_format(reader));
		if (!c->format || strcmp(c->format, format) != 0) { /* known since this span */
			free(c->format);
			c->format = rv_strdup(format);
		}
		if (!c->csv_header && header)
			c->csv_header = rv_strdup(header);
		input->offset = span->to;
		input->line = rv_reader_line(reader);
		input->in_array = rv_reader_in_array(reader);
	}
	push->input_offset = push->input_base + span->to;
	return RV_OK;
}

static bool batch_is_full(const struct push *push)
{
	const struct rv_batch_entry *entry = rv_batcher_entry(push->batcher);
	if (push->batch_records && entry->records >= push->batch_records)
		return true;
	if (push->batch_record_bytes && entry->record_bytes >= push->batch_record_bytes)
		return true;
	if (push->extents_count >= EXTENTS_MAX)
		return true;
	return push->batch_bytes && rv_batcher_compressed_bytes(push->batcher) >= push->batch_bytes;
}

static int64_t batch_age_ms(const struct push *push)
{
	return rv_clock_monotonic_ms() - push->batch_started_ms;
}

static void report(struct push *push, uint64_t done_bytes)
{
	if (!push->params->progress)
		return;
	struct rv_push_progress progress = push->progress;
	progress.done_bytes += done_bytes;
	progress.records = push->result->records;
	push->params->progress(push->params->arg, &progress);
}

/* All records of one reader into batches. `input` NULL: a pipe. */
static enum rv_status read_all(struct push *push, struct input *input, struct rv_reader *reader,
			       const char *label, struct rv_error *err)
{
	const struct rv_push_params *params = push->params;
	uint64_t start = input ? input->offset : 0;
	bool in_reject = false, may_finish = !input;
	for (;;) {
		if (must_stop(push))
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
				if (!input->finished &&
				    (age_ms >= params->settle_ms || age_ms < -params->settle_ms)) {
					input->finished = true;
					rv_reader_finish(reader);
					continue;
				}
				push->result->left_bytes += pending;
				if (pending)
					note(push, "%s: the last %" PRIu64 " bytes, from byte %" PRIu64
					     ", have no end yet and stay for the next push", label,
					     pending, pending_offset);
			}
			if (input)
				input->at_end = pending == 0 || input->finished;
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
		if ((batch_is_full(push) || old) && close_batch(push, input, err) != RV_OK)
			return err->status;
	}
}

/* ---- inputs ---- */

static enum rv_status push_pipe(struct push *push, struct rv_source *source, const char *label,
				struct rv_error *err)
{
	RV_CLEANUP(rv_reader_free_p) struct rv_reader *reader = NULL;
	struct rv_reader_params params = { .name = NULL };
	rv_read_settings_apply(&push->params->read, &params);
	push->input_base = push->input_offset;
	if (rv_reader_new(source, &params, &reader, err) != RV_OK)
		return err->status;
	return read_all(push, NULL, reader, label, err);
}

/* A trickling pipe must not wait for more bytes than it takes to know. */
static bool may_be_compressed(unsigned char first)
{
	return first == 0x1f || first == 0x28 || first == 'B' || first == 0xfd;
}

/* Peeks at what a pipe begins with; the bytes go on to the decompressor or to the reader. */
static enum rv_status open_pipe(struct push *push, struct rv_source *raw, struct rv_source **ret,
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
		if (state == RV_SOURCE_END || must_stop(push) || (have && !may_be_compressed(magic[0])))
			break;
	}
	enum rv_compression compression = rv_compression_detect(magic, have);
	if (compression != RV_COMPRESSION_NONE)
		return rv_source_decompress_new(raw, compression, magic, have, ret, err);
	*ret = rv_source_prepend_new(magic, have, raw);
	return RV_OK;
}

static enum rv_status push_stdin(struct push *push, struct rv_error *err)
{
	struct rv_source *raw = NULL;
	RV_CLEANUP(rv_source_free_p) struct rv_source *source = NULL;
	if (rv_source_stdin_new(&raw, err) != RV_OK || open_pipe(push, raw, &source, err) != RV_OK)
		return err->status;
	return push_pipe(push, source, "standard input", err);
}

/* The lock of one file is one byte of files.lock, far out; two files on one byte only wait. */
static struct flock lock_range(const char *key, short type)
{
	return (struct flock){
		.l_type = type,
		.l_whence = SEEK_SET,
		.l_start = (off_t)(XXH3_64bits(key, strlen(key)) >> 2),
		.l_len = 1,
	};
}

static int set_lock(struct push *push, struct flock range)
{
	int r;
	while ((r = fcntl(push->locks_fd, F_OFD_SETLK, &range)) < 0 && errno == EINTR)
		;
	return r;
}

static bool put_recent(struct push *push, uint64_t hash)
{
	size_t i = hash & (push->recent_size - 1);
	while (push->recent[i] && push->recent[i] != hash)
		i = (i + 1) & (push->recent_size - 1);
	if (push->recent[i])
		return true;
	push->recent[i] = hash;
	push->recent_count++;
	return false;
}

/* Notes a file; true when it was noted before. */
static bool seen_recently(struct push *push, const char *key)
{
	uint64_t hash = XXH3_64bits(key, strlen(key)) | 1; /* 0 is an empty place */
	if (push->recent_count * 2 >= push->recent_size) {
		size_t old_size = push->recent_size;
		uint64_t *old = push->recent;
		push->recent_size = old_size ? old_size * 2 : 64;
		push->recent = rv_calloc(push->recent_size, sizeof(*push->recent));
		push->recent_count = 0;
		for (size_t i = 0; i < old_size; i++)
			if (old[i])
				put_recent(push, old[i]);
		free(old);
	}
	return put_recent(push, hash);
}

/* Everything read so far lands, so that no lock is held while we wait for another one. */
static enum rv_status settle(struct push *push, struct rv_error *err)
{
	if (close_batch(push, NULL, err) != RV_OK || rv_sender_drain(push->sender, err) != RV_OK)
		return err->status;
	if (push->recent)
		memset(push->recent, 0, push->recent_size * sizeof(*push->recent));
	push->recent_count = 0;
	struct flock all = { .l_type = F_UNLCK, .l_whence = SEEK_SET };
	if (set_lock(push, all) < 0)
		return rv_fail_errno(err, RV_LOCAL_IO, "unlock %s/files.lock", push->state.folder);
	return RV_OK;
}

static enum rv_status lock_file(struct push *push, const struct input *input, struct rv_error *err)
{
	int64_t started_ms = rv_clock_monotonic_ms();
	bool waited = false;
	for (;;) {
		if (set_lock(push, lock_range(input->key, F_WRLCK)) == 0)
			return RV_OK;
		if (errno != EAGAIN && errno != EACCES) {
			push->fatal = true;
			return rv_fail_errno(err, RV_LOCAL_IO, "lock %s/files.lock", push->state.folder);
		}
		int64_t limit_ms = push->params->lock_timeout_ms;
		if (limit_ms >= 0 && rv_clock_monotonic_ms() - started_ms >= limit_ms) {
			rv_fail(err, RV_LOCKED, "%s is being pushed by another process",
				input->file.path);
			return err->status;
		}
		if (must_stop(push))
			return rv_fail(err, RV_FAILED, "stopped while waiting for %s", input->file.path);
		if (!waited) {
			waited = true;
			if (settle(push, err) != RV_OK)
				return err->status;
			note(push, "%s is being pushed by another process, waiting", input->file.path);
		}
		struct timespec pause = { .tv_nsec = 50000000 };
		nanosleep(&pause, NULL);
	}
}

struct other_runs {
	const char *mine;
	bool any;
};

static enum rv_status see_run(void *arg, const char *name, struct rv_error *err RV_UNUSED)
{
	struct other_runs *others = arg;
	if (!others->mine || strcmp(name, others->mine) != 0)
		others->any = true;
	return RV_OK;
}

/*
 * Whoever held the file's lock before may have been killed since this push looked for left-over
 * runs: its promises move the checkpoint first.
 */
static enum rv_status recover_again(struct push *push, struct rv_error *err)
{
	struct other_runs others = { .mine = push->run ? push->run->name : NULL };
	struct rv_recover_result recovered;
	if (rv_run_each(&push->state, see_run, &others, err) != RV_OK)
		return err->status;
	if (!others.any)
		return RV_OK;
	if (rv_sender_drain(push->sender, err) != RV_OK)
		return err->status;
	const struct rv_run *opened = push->deliver.opened;
	enum rv_status status =
		rv_recover(&push->deliver, push->params->lock_timeout_ms, push->params->should_stop,
			   &recovered, err);
	push->deliver.opened = opened;
	if (status != RV_OK)
		return status;
	push->result->recovered.runs += recovered.runs;
	push->result->recovered.batches += recovered.batches;
	push->result->recovered.records += recovered.records;
	if (!recovered.waiting_file_runs)
		return RV_OK;
	*err = recovered.failure;
	return rv_context(err, "finish an earlier push first");
}

static enum rv_status read_file(struct push *push, struct input *input, struct rv_error *err)
{
	RV_CLEANUP(rv_source_free_p) struct rv_source *source = NULL;
	RV_CLEANUP(rv_reader_free_p) struct rv_reader *reader = NULL;
	struct rv_checkpoint *c = &input->checkpoint;
	if (rv_input_file_source(&input->file, c->offset, UINT64_MAX, &source, err) != RV_OK)
		return err->status;
	struct rv_reader_params params = {
		.name = input->file.path,
		.offset = c->offset,
		.line = c->line,
		.csv_header = c->csv_header,
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
	enum rv_status status = read_all(push, input, reader, input->file.path, err);
	/* What was read well before a failure is a whole extent too; the next push goes on behind it. */
	struct rv_error later = RV_ERROR_INIT;
	if (!push->abandon && close_extent(push, input, &later) != RV_OK) {
		push->abandon = true;
		if (status == RV_OK) {
			*err = later;
			status = err->status;
		}
	}
	free(rv_take(input->extent.csv_header));
	return status;
}

static void describe_start(struct push *push, const struct input *input, enum rv_file_start start)
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

static enum rv_status push_regular(struct push *push, struct input *input, struct rv_error *err)
{
	enum rv_file_start start;
	RV_CLEANUP(rv_free_p) char *twin = NULL;
	if (rv_file_key(input->file.fd, input->file.path, input->key, err) != RV_OK)
		return err->status;
	/* Named twice, it must be looked at with the checkpoint that its first turn leaves. */
	if (seen_recently(push, input->key)) {
		if (settle(push, err) != RV_OK)
			return err->status;
		seen_recently(push, input->key);
	}
	if (lock_file(push, input, err) != RV_OK)
		return err->status;
	if (recover_again(push, err) != RV_OK) {
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
	describe_start(push, input, start);
	/* What was pushed before counts as well when somebody asks for more than "sent". */
	if (push->params->wait >= RV_WAIT_LANDED && input->checkpoint.offset &&
	    rv_push_file_in_lake(push->params->lake, &push->state, &input->checkpoint, err) != RV_OK) {
		rv_context(err, "%s was pushed before, but is not in the lake whole", input->file.path);
		rv_hint(err, "--again sends it once more");
		return err->status;
	}
	if (push->params->wait == RV_WAIT_LOADED && input->checkpoint.offset &&
	    rv_checkpoint_each_batch(&push->state, input->key, keep_older, push->result, err) != RV_OK)
		return err->status;
	uint64_t before = push->result->input_bytes;
	if (start != RV_FILE_UNCHANGED && read_file(push, input, err) != RV_OK)
		return err->status;
	bool nothing_new = push->result->input_bytes == before;
	push->result->files_unchanged += nothing_new;
	/* A compressed file is known by its size and time, so as not to be read at every push. */
	struct rv_checkpoint *c = &input->checkpoint;
	if (nothing_new && input->at_end && c->offset > 0 &&
	    input->file.compression != RV_COMPRESSION_NONE) {
		note_size(c, &input->file.stat);
		c->at_end = true;
		if (rv_checkpoint_save(&push->state, c, true, err) != RV_OK)
			return err->status;
	}
	push->progress.done_bytes += (uint64_t)input->file.stat.st_size;
	return RV_OK;
}

/* Under --run a file is an input like any other: read whole, no checkpoint. */
static enum rv_status push_repeatable_file(struct push *push, struct input *input, struct rv_error *err)
{
	RV_CLEANUP(rv_source_free_p) struct rv_source *source = NULL;
	if (rv_input_file_source(&input->file, 0, UINT64_MAX, &source, err) != RV_OK)
		return err->status;
	push->result->files++;
	return push_pipe(push, source, input->file.path, err);
}

static enum rv_status push_path(struct push *push, const char *path, struct rv_error *err)
{
	if (strcmp(path, "-") == 0)
		return push_stdin(push, err);
	struct input input = { .file = RV_INPUT_FILE_INIT, .run_file = UINT64_MAX };
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
static enum rv_status look_at_operands(struct push *push, struct rv_error *err)
{
	const struct rv_push_params *params = push->params;
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

static enum rv_status set_up(struct push *push, struct rv_error *err)
{
	const struct rv_push_params *params = push->params;
	if (look_at_operands(push, err) != RV_OK ||
	    rv_state_open(&push->state, params->state_dir, params->lake->url, params->stream, err) !=
		    RV_OK)
		return err->status;
	RV_CLEANUP(rv_free_p) char *locks = rv_state_path(&push->state, "files.lock");
	push->locks_fd = open(locks, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (push->locks_fd < 0)
		return rv_fail_errno(err, RV_LOCAL_IO, "open %s", locks);
	push->deliver = (struct rv_deliver){
		.stream = params->stream,
		.state = &push->state,
		.lake = params->lake,
		.delivery = params->delivery,
		.loss = RV_ERROR_INIT,
		.check_stream = params->check_stream,
		.waiting = params->note,
		.waiting_arg = params->arg,
	};
	if (rv_recover(&push->deliver, params->lock_timeout_ms, params->should_stop,
		       &push->result->recovered, err) != RV_OK)
		return rv_context(err, "finish an earlier push");
	push->deliver.opened = NULL;
	if (push->result->recovered.waiting_runs) {
		/* A left-over run of files owns bytes that this push would send again. */
		if (push->result->recovered.waiting_file_runs && !push->result->pipe && !params->run) {
			*err = push->result->recovered.failure;
			return rv_context(err, "finish an earlier push first");
		}
		push->result->delivery = push->result->recovered.failure;
		if (rv_spool_bytes(&push->state, &push->result->waiting_spool_bytes, err) != RV_OK)
			return err->status;
	}
	push->batch_bytes = params->batch_bytes;
	push->batch_records = params->batch_records;
	if (params->run) {
		if (rv_run_record_fix(params->lake, params->stream, params->run, params->batch_bytes,
				      params->batch_records, rv_clock_ms(), &push->record, err) != RV_OK)
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
	};
	if (rv_batcher_new(&batcher, &push->batcher, err) != RV_OK)
		return err->status;
	return rv_sender_new(&push->deliver, &push->sender, err);
}

static enum rv_status push_inputs(struct push *push, struct rv_error *err)
{
	const struct rv_push_params *params = push->params;
	if (params->source)
		return push_pipe(push, params->source, params->source->label, err);
	if (params->files_count == 0)
		return push_stdin(push, err);
	for (size_t i = 0; i < params->files_count && !must_stop(push); i++) {
		if (push_path(push, params->files[i], err) == RV_OK || push->stopped)
			continue;
		if (push->abandon || push->fatal)
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
static enum rv_status wind_up(struct push *push, bool failed, struct rv_error *err)
{
	/* A named run's batches must be those of the whole input. */
	if (push->abandon || ((failed || push->incomplete) && push->params->run)) {
		rv_batcher_abandon(push->batcher);
		clear_extents(push);
	}
	enum rv_status status = close_batch(push, NULL, err);
	if (push->params->wait == RV_WAIT_SPOOLED && status == RV_OK) {
		struct rv_error ignored;
		rv_sender_only_promise(push->sender);
		(void)!rv_sender_drain(push->sender, &ignored);
	}
	bool complete = !failed && !push->incomplete;
	if (status == RV_OK && complete && push->params->run && !push->run)
		status = begin_run(push, err);
	if (status == RV_OK)
		status = end_run(push, complete, err);
	enum rv_status drained = RV_OK;
	struct rv_error why = RV_ERROR_INIT;
	drained = rv_sender_drain(push->sender, &why);
	if (status == RV_OK && drained != RV_OK) {
		*err = why;
		status = drained;
	}
	return status;
}

static void sum_up(struct push *push)
{
	struct rv_sender_totals totals;
	struct rv_push_result *result = push->result;
	rv_sender_totals(push->sender, &totals);
	result->accepted = totals.promised_records;
	result->landed = totals.landed_records;
	result->object_bytes = totals.landed_bytes;
	result->waiting_spool_bytes += totals.waiting_spool_bytes;
	result->accepted_offset = totals.input_to;
	if (totals.delivery.status != RV_OK)
		result->delivery = totals.delivery;
	result->loss = push->deliver.loss;
}

/* Which of several truths the exit code tells (design.md 4: 70, 10, 12, 4, 8, 7). */
static enum rv_status judge(struct push *push, enum rv_status status, struct rv_error *err)
{
	struct rv_push_result *result = push->result;
	const struct rv_push_params *params = push->params;
	if (status != RV_OK && result->pipe) {
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
		if (result->pipe)
			rv_fail(err, RV_FAILED, "stopped: accepted up to byte %" PRIu64,
				result->accepted_offset);
		else
			rv_fail(err, RV_FAILED, "stopped: run the same command again to go on");
		return err->status;
	}
	if (result->landed < result->accepted && params->wait != RV_WAIT_SPOOLED) {
		*err = result->delivery.status != RV_OK ? result->delivery
							: (struct rv_error)RV_ERROR_INIT;
		rv_context(err, "%" PRIu64 " records are accepted and spooled but not in the lake",
			   result->accepted - result->landed);
		rv_hint(err, "do not send them again; 'river spool flush' or the next push delivers them");
		return err->status = RV_KEPT;
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
		.recovered = { .failure = RV_ERROR_INIT },
	};
	struct push push = {
		.params = params,
		.result = ret,
		.locks_fd = -1,
		.input_failure = RV_ERROR_INIT,
	};
	enum rv_status status = set_up(&push, err);
	if (status == RV_OK) {
		struct rv_error later = RV_ERROR_INIT;
		status = push_inputs(&push, err);
		enum rv_status wound = wind_up(&push, status != RV_OK, &later);
		if (status == RV_OK && wound != RV_OK) {
			*err = later;
			status = wound;
		}
		sum_up(&push);
	}
	rv_batcher_free(push.batcher);
	rv_sender_free(push.sender);
	rv_deliver_release(&push.deliver);
	rv_run_free(push.run);
	clear_extents(&push);
	free(push.extents);
	free(push.recent);
	rv_close_p(&push.locks_fd);
	status = judge(&push, status, err);
	rv_state_release(&push.state);
	return status;
}

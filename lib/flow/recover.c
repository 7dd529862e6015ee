/* Left-over runs: opened, finished and forgotten, one after another. */
#include "flow/recover.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "flow/batch.h"
#include "flow/input.h"
#include "flow/intake.h"
#include "flow/read_settings.h"
#include "format/reader.h"
#include "spool/checkpoint.h"

/* Of one name. */
#define ASIDE_MAX 1000

struct recovery {
	struct rv_deliver *deliver;
	bool (*should_stop)(void);
	struct rv_recover_result *result;
	bool away;                   /* what failed may pass, and not at once */
};

/* ---- files: the same batch, made again ---- */

/* What has its name now. What has no bytes to hand out, and what may not be looked at, is none of ours: the
 * file may lie beside under another name. */
static enum rv_status open_named(const struct rv_run_file *file, struct rv_input_file *ret, struct rv_error *err)
{
	struct stat st;
	bool regular;
	/* Opening a FIFO would wait for a writer. */
	if (stat(file->path, &st) == 0 && !S_ISREG(st.st_mode))
		return rv_fail(err, RV_NOT_FOUND, "%s is not a file any more", file->path);
	return rv_input_file_open(file->path, ret, &regular, err);
}

/* The file itself; where it was renamed, the same inode beside; else whatever has its name now (the
 * hash decides). */
static enum rv_status find_file(const struct rv_run_file *file, struct rv_input_file *ret,
				struct rv_error *err)
{
	RV_CLEANUP(rv_input_file_release) struct rv_input_file named = RV_INPUT_FILE_INIT;
	RV_CLEANUP(rv_free_p) char *folder = rv_path_parent(file->path);
	enum rv_status status = open_named(file, &named, err);
	if (status != RV_OK || !rv_input_file_has_key(&named, file->key)) {
		struct rv_error why = *err;
		if (rv_input_file_find(folder, file->key, ret, err) != RV_OK)
			return err->status;
		if (ret->fd >= 0)
			return RV_OK;
		*err = why;
	}
	if (status != RV_OK)
		return status;
	*ret = named;
	named = (struct rv_input_file)RV_INPUT_FILE_INIT;
	return RV_OK;
}

struct copy_search {
	const char *folder;
	const struct rv_checkpoint *checkpoint;
	struct rv_input_file *found;
};

static enum rv_status try_copy(void *arg, const char *name, struct rv_error *err)
{
	struct copy_search *search = arg;
	RV_CLEANUP(rv_free_p) char *path = rv_path_join(search->folder, name);
	RV_CLEANUP(rv_input_file_release) struct rv_input_file file = RV_INPUT_FILE_INIT;
	struct stat st;
	bool regular, matches;
	if (search->found->fd >= 0)
		return RV_OK;
	/* What cannot be looked at may be it. */
	if (lstat(path, &st) < 0)
		return errno == ENOENT ? RV_OK : rv_fail_errno(err, RV_LOCAL_IO, "look at %s", path);
	/* Opening a FIFO would wait for a writer; what is kept from us is nobody's copy of what we read. */
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size < search->checkpoint->offset ||
	    (access(path, R_OK) < 0 && errno == EACCES))
		return RV_OK;
	if (rv_input_file_open(path, &file, &regular, err) != RV_OK)
		return err->status == RV_NOT_FOUND ? RV_OK : err->status;
	if (!regular || file.compression != RV_COMPRESSION_NONE)
		return RV_OK;
	if (rv_checkpoint_matches(search->checkpoint, file.fd, &matches, err) != RV_OK)
		return err->status;
	if (matches) {
		*search->found = file;
		file = (struct rv_input_file)RV_INPUT_FILE_INIT;
	}
	return RV_OK;
}

/* What the file held is known, up to the extent's end: it may have been copied and cut since
 * (copytruncate), and then the copy lies beside. */
static enum rv_status find_copy(const struct rv_run_file *file, const struct rv_extent *extent,
				struct rv_input_file *input, struct rv_error *err)
{
	RV_CLEANUP(rv_checkpoint_release) struct rv_checkpoint c = { .offset = 0 };
	RV_CLEANUP(rv_input_file_release) struct rv_input_file copy = RV_INPUT_FILE_INIT;
	RV_CLEANUP(rv_free_p) char *folder = rv_path_parent(file->path);
	bool matches = false;
	if (!rv_checkpoint_parse(extent->checkpoint, &c) || strcmp(c.compression, "none") != 0)
		return RV_OK;
	if (input->fd >= 0 && (input->compression != RV_COMPRESSION_NONE ||
			       rv_checkpoint_matches(&c, input->fd, &matches, err) != RV_OK))
		return input->compression != RV_COMPRESSION_NONE ? RV_OK : err->status;
	struct copy_search search = { folder, &c, &copy };
	if (matches || rv_each_entry(folder, try_copy, &search, err) != RV_OK)
		return matches ? RV_OK : err->status;
	if (copy.fd >= 0) {
		rv_input_file_release(input);
		*input = copy;
		copy = (struct rv_input_file)RV_INPUT_FILE_INIT;
	}
	return RV_OK;
}

/* A file that this process has open still, whatever became of its name. */
static enum rv_status find_held(const struct rv_deliver *deliver, const struct rv_run_file *file,
				struct rv_input_file *ret, struct rv_error *err)
{
	RV_CLEANUP(rv_close_p)
	int fd = deliver->held ? deliver->held(deliver->held_arg, file->key) : -1;
	char path[64];
	bool regular;
	if (fd < 0)
		return RV_OK;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	enum rv_status status = rv_input_file_open(path, ret, &regular, err);
	return status == RV_NOT_FOUND ? RV_OK : status;
}

static enum rv_status read_extent(const struct rv_deliver *deliver, struct rv_batcher *batcher,
				  struct rv_run *run, const struct rv_extent *extent,
				  const struct rv_read_settings *settings, struct rv_error *err)
{
	const struct rv_run_file *file = rv_run_file(run, extent->file);
	RV_CLEANUP(rv_input_file_release) struct rv_input_file input = RV_INPUT_FILE_INIT;
	struct rv_error missing = RV_ERROR_INIT;
	if (find_held(deliver, file, &input, err) != RV_OK)
		return err->status;
	if (input.fd < 0 && find_file(file, &input, &missing) != RV_OK && missing.status != RV_NOT_FOUND) {
		*err = missing;
		return err->status;
	}
	if (find_copy(file, extent, &input, err) != RV_OK)
		return err->status;
	if (input.fd < 0) {
		*err = missing;
		return err->status;
	}
	RV_CLEANUP(rv_source_free_p) struct rv_source *source = NULL;
	if (rv_input_file_source(&input, extent->from, extent->to, &source, err) != RV_OK)
		return err->status;
	struct rv_reader_params params = {
		.name = file->path,
		.offset = extent->from,
		.line = extent->line,
		.csv_header = extent->csv_header,
		.csv_delimiter = extent->csv_delimiter,
		.in_array = extent->in_array,
		.is_extent = !extent->finish,
	};
	rv_read_settings_apply(settings, &params);
	if (!rv_format_parse(file->format, &params.format))
		return rv_fail(err, RV_DAMAGED, "run %s names the format '%s'", run->name, file->format);
	RV_CLEANUP(rv_reader_free_p) struct rv_reader *reader = NULL;
	if (rv_reader_new(source, &params, &reader, err) != RV_OK)
		return err->status;
	bool finished = false;
	for (;;) {
		struct rv_reader_limits limits = { .timeout_ms = -1 };
		struct rv_span span;
		if (rv_reader_next(reader, &limits, &span, err) != RV_OK)
			return err->status;
		if (span.kind == RV_SPAN_WAIT)
			continue;
		if (span.kind == RV_SPAN_END) {
			if (!extent->finish || finished)
				return RV_OK;
			finished = true;
			rv_reader_finish(reader);
			continue;
		}
		if (rv_batcher_add(batcher, &span, file->path, err) != RV_OK)
			return err->status;
	}
}

/* Is everything of this batch in the lake already, to stay there? */
static enum rv_status in_lake(struct rv_deliver *deliver, const struct rv_batch_entry *entry,
			      bool *ret, struct rv_error *err)
{
	const char *names[] = { entry->records ? entry->name : NULL,
				entry->rejected ? entry->rejects_name : NULL };
	*ret = true;
	for (size_t i = 0; i < 2; i++) {
		struct rv_store_object object;
		if (!names[i])
			continue;
		enum rv_status status =
			deliver->lake->ops->head(deliver->lake, names[i], &object, err);
		if (status == RV_OK && deliver->lake->ops->settle)
			status = deliver->lake->ops->settle(deliver->lake, names[i], err);
		if (status == RV_NOT_FOUND)
			*ret = false;
		else if (status != RV_OK)
			return status;
	}
	return RV_OK;
}

/* Why the bytes cannot be had again; what may be different next time is not that. */
static bool is_gone(const struct rv_error *err)
{
	return err->status == RV_NOT_FOUND || err->status == RV_BAD_DATA;
}

static enum rv_status make_again(struct recovery *recovery, struct rv_run *run,
				 const struct rv_batch_entry *entry, struct rv_finished *ret,
				 struct rv_error *err)
{
	RV_CLEANUP(rv_read_settings_release)
	struct rv_read_settings settings = { .csv = RV_CSV_DIALECT_INIT };
	if (rv_read_settings_parse(run->settings, &settings, err) != RV_OK)
		return err->status;
	/* The definition may have another compression by now; the name says what this batch has. */
	struct rv_stream stream = *recovery->deliver->stream;
	struct rv_object_name name;
	stream.compression = rv_object_name_parse(entry->name, &name) ? name.compression
								      : run->compression;
	stream.stamp = run->stamp;
	struct rv_batcher_params params = { .stream = &stream, .lake = recovery->deliver->lake };
	struct rv_batcher *batcher = NULL;
	enum rv_status status = rv_batcher_new(&params, &batcher, err);
	if (status == RV_OK)
		status = rv_batcher_begin(batcher, run, entry->seq, err);
	for (size_t i = 0; i < entry->extents_count && status == RV_OK; i++)
		status = read_extent(recovery->deliver, batcher, run, &entry->extents[i], &settings, err);
	if (status == RV_OK)
		status = rv_batcher_finish(batcher, ret, err);
	rv_batcher_free(batcher);
	if (status != RV_OK)
		return status;
	bool same = strcmp(ret->entry.name, entry->name) == 0 &&
		    ret->entry.rejected == entry->rejected &&
		    ret->entry.rejects_hash == entry->rejects_hash;
	return same ? RV_OK : rv_fail(err, RV_BAD_DATA, "the bytes are not the same any more");
}

static enum rv_status drop(struct recovery *recovery, struct rv_run *run,
			   const struct rv_batch_entry *entry, struct rv_error *err)
{
	const struct rv_extent *extent = &entry->extents[0];
	const char *path = entry->extents_count ? rv_run_file(run, extent->file)->path : "?";
	struct rv_error why = *err;
	rv_fail(&why, RV_LOCAL_IO,
		"%" PRIu64 " records of %s, bytes %" PRIu64 " to %" PRIu64
		"%s, were read by run %s but not accepted: %s",
		entry->records, path, entry->extents_count ? extent->from : 0,
		entry->extents_count ? extent->to : 0,
		entry->extents_count > 1 ? " and further files" : "", run->name, err->message);
	rv_hint(&why, "push them again from where they are now");
	return rv_deliver_drop(recovery->deliver, run, entry->seq, &why, err);
}

static enum rv_status finish_file_batch(struct recovery *recovery, struct rv_run *run,
					uint64_t seq, struct rv_error *err)
{
	const struct rv_batch_entry *entry = &run->batches[0];
	for (size_t i = 0; i < run->batches_count; i++)
		if (run->batches[i].seq == seq)
			entry = &run->batches[i];
	RV_CLEANUP(rv_finished_release) struct rv_finished finished = {
		.body = RV_BODY_INIT,
		.rejects = RV_BODY_INIT,
	};
	bool there = false;
	/* What a service was given has no name to ask for: the journal alone says how far it came. */
	if (recovery->deliver->delivery->ops->names_objects &&
	    in_lake(recovery->deliver, entry, &there, err) != RV_OK)
		return err->status;
	if (there)
		return rv_deliver_note_landed(recovery->deliver, run, seq, err);
	if (make_again(recovery, run, entry, &finished, err) != RV_OK)
		return is_gone(err) ? drop(recovery, run, entry, err) : err->status;
	return rv_deliver_batch(recovery->deliver, run, seq, &finished.body, &finished.rejects, err);
}

static enum rv_status finish_files(struct recovery *recovery, struct rv_run *run,
				   struct rv_error *err)
{
	for (size_t i = 0; i < run->batches_count; i++) {
		if (run->batches[i].state != RV_BATCH_WAITING)
			continue;
		if (recovery->should_stop && recovery->should_stop())
			return rv_fail(err, RV_FAILED, "stopped by a signal");
		if (finish_file_batch(recovery, run, run->batches[i].seq, err) != RV_OK)
			return err->status;
	}
	return RV_OK;
}

/* ---- one run ---- */

/* A run that has a name may have been set aside before: that one stays as it is. */
static enum rv_status move_aside(const char *from, const char *folder, const char *name, char **ret,
				 struct rv_error *err)
{
	for (unsigned n = 1;; n++) {
		RV_CLEANUP(rv_free_p)
		char *to = n == 1 ? rv_path_join(folder, name) : rv_asprintf("%s/%s.%u", folder, name, n);
		if (rename(from, to) == 0) {
			*ret = rv_take(to);
			return RV_OK;
		}
		if ((errno != ENOTEMPTY && errno != EEXIST && errno != ENOTDIR) || n == ASIDE_MAX)
			return rv_fail_errno(err, RV_LOCAL_IO, "set aside %s", from);
	}
}

/* A journal that cannot be read is moved away whole, with the batches beside it. */
static enum rv_status set_run_aside(struct recovery *recovery, const char *name, struct rv_error *err)
{
	struct rv_error why = *err;
	const struct rv_state *state = recovery->deliver->state;
	RV_CLEANUP(rv_free_p) char *folder = rv_state_path(state, "damaged");
	RV_CLEANUP(rv_free_p) char *from = rv_asprintf("%s/runs/%s", state->folder, name);
	RV_CLEANUP(rv_free_p) char *to = NULL;
	if (rv_make_folders(folder, 0700, err) != RV_OK || move_aside(from, folder, name, &to, err) != RV_OK)
		return err->status;
	rv_hint(&why, "the run was set aside as %s; its batches are files there", to);
	if (recovery->deliver->loss.status == RV_OK)
		recovery->deliver->loss = why;
	return RV_OK;
}

static enum rv_status finish_run(struct recovery *recovery, struct rv_run *run, struct rv_error *err)
{
	const struct rv_deliver *deliver = recovery->deliver;
	bool own = deliver->is_own && deliver->is_own(deliver->is_own_arg, run->name);
	struct rv_run_totals before;
	enum rv_status status = rv_intake_recover(recovery->deliver, run, err);
	rv_run_totals(run, &before);
	if (status == RV_OK && run->pipe)
		status = rv_deliver_checkpoints(recovery->deliver, run, err);
	if (status == RV_OK)
		status = run->pipe ? rv_deliver_spooled(recovery->deliver, run,
							recovery->should_stop, err)
				   : finish_files(recovery, run, err);
	if (status != RV_OK)
		return status;
	/* A named run whose input never came to its end stays open: the same input will come again. */
	status = run->named && !run->closed ? rv_run_remove(run, err)
					    : rv_deliver_finish(recovery->deliver, run, err);
	/* The push that was told so has removed it, or was killed before it could tell. */
	if (status == RV_CONFLICT && run->named)
		status = RV_OK;
	if (status == RV_OK) {
		recovery->result->runs++;
		recovery->result->batches += before.waiting;
		recovery->result->records += before.waiting_records;
		if (own)
			recovery->result->own_records += before.waiting_records;
	}
	return status;
}

static enum rv_status recover_one(void *arg, const char *name, struct rv_error *err)
{
	struct recovery *recovery = arg;
	RV_CLEANUP(rv_run_free_p) struct rv_run *run = NULL;
	if (recovery->should_stop && recovery->should_stop())
		return RV_OK;
	enum rv_status status = rv_run_open(recovery->deliver->state, name, true, &run, err);
	if (status == RV_LOCKED || status == RV_NOT_FOUND)
		return RV_OK; /* alive, or finished meanwhile, or never begun */
	if (status == RV_DAMAGED)
		return set_run_aside(recovery, name, err);
	if (status != RV_OK)
		return status;
	const char *delivery = run->delivery[0] ? run->delivery : "direct";
	if (recovery->deliver->own_runs_only &&
	    strcmp(delivery, recovery->deliver->delivery->ops->name) != 0)
		return RV_OK;
	/* A destination that is away costs a wait that ends in nothing: one run of many that were left
	 * over pays for it. */
	if (recovery->away)
		*err = recovery->result->failure;
	else if (finish_run(recovery, run, err) == RV_OK)
		return RV_OK;
	recovery->away = recovery->away || err->transient;
	recovery->result->waiting_runs++;
	recovery->result->waiting_file_runs += !run->pipe;
	if (recovery->result->failure.status == RV_OK)
		recovery->result->failure = *err;
	return RV_OK;
}

/* In slices: a signal must end the wait, and somebody at a terminal wants to know what it is for. */
static enum rv_status take_lock(struct rv_deliver *deliver, struct rv_lock *lock, const char *path,
				int64_t timeout_ms, bool (*should_stop)(void), struct rv_error *err)
{
	int64_t started_ms = rv_clock_monotonic_ms();
	bool told = false;
	for (;;) {
		int64_t waited_ms = rv_clock_monotonic_ms() - started_ms;
		int64_t slice_ms = timeout_ms >= 0 && timeout_ms - waited_ms < 100 ? timeout_ms - waited_ms
										  : 100;
		enum rv_status status = rv_lock_take(lock, path, RV_LOCK_EXCLUSIVE,
						     slice_ms > 0 ? slice_ms : 0, 0600, err);
		if (status != RV_LOCKED || slice_ms <= 0 || (timeout_ms >= 0 && slice_ms < 100))
			return status;
		if (should_stop && should_stop())
			return rv_fail(err, RV_FAILED, "stopped while waiting for another push");
		if (!told && waited_ms > 1000 && deliver->waiting) {
			told = true;
			deliver->waiting(deliver->waiting_arg,
					 "another process is finishing earlier pushes, waiting for it");
		}
	}
}

enum rv_status rv_recover(struct rv_deliver *deliver, int64_t timeout_ms, bool (*should_stop)(void),
			  struct rv_recover_result *ret, struct rv_error *err)
{
	*ret = (struct rv_recover_result){ .failure = RV_ERROR_INIT };
	struct recovery recovery = { deliver, should_stop, ret, false };
	RV_CLEANUP(rv_lock_release) struct rv_lock lock = RV_LOCK_INIT;
	RV_CLEANUP(rv_free_p) char *path = rv_state_path(deliver->state, "recover.lock");
	if (take_lock(deliver, &lock, path, timeout_ms, should_stop, err) != RV_OK)
		return err->status;
	return rv_run_each(deliver->state, recover_one, &recovery, err);
}

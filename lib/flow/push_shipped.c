/* --shipped: is every byte of a file in the lake now? Looked up there, batch by batch. */
#include "flow/push.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "flow/arrival.h"
#include "flow/input.h"
#include "flow/object_name.h"
#include "flow/push_file.h"
#include "spool/checkpoint.h"
#include "spool/run.h"

struct shipped_check {
	struct rv_store *lake;
	uint64_t covered;       /* contiguous from 0, as batches are noted in order */
	struct rv_error missing; /* why nothing is behind that; RV_OK: no reason is known */
	uint64_t batches;
	uint64_t unseen;        /* batches that a service took, and that are no objects here */
	uint64_t unseen_from;
	char **runs;            /* theirs */
	size_t runs_count, runs_capacity;
};

static void shipped_check_release(struct shipped_check *check)
{
	for (size_t i = 0; i < check->runs_count; i++)
		free(check->runs[i]);
	free(check->runs);
}

static void note_unseen(struct shipped_check *check, const struct rv_file_batch *batch)
{
	struct rv_object_name name;
	if (!check->unseen++)
		check->unseen_from = batch->from;
	if (!rv_object_name_parse(batch->name, &name))
		return;
	for (size_t i = 0; i < check->runs_count; i++)
		if (strcmp(check->runs[i], name.run) == 0)
			return;
	RV_GROW(check->runs, check->runs_count, check->runs_capacity);
	check->runs[check->runs_count++] = rv_strdup(name.run);
}

/* *why is left alone when the object is there. That the lake cannot be asked is another thing. */
static enum rv_status check_object(struct rv_store *lake, const char *name, bool is_data,
				   const struct rv_file_batch *b, struct rv_error *why, struct rv_error *err)
{
	struct rv_store_object object;
	if (strcmp(name, "-") == 0)
		return RV_OK;
	enum rv_status status = lake->ops->head(lake, name, &object, err);
	if (status == RV_NOT_FOUND)
		rv_fail(why, RV_FAILED, "bytes %" PRIu64 " to %" PRIu64
			" went into %s, which is not in the lake", b->from, b->to, name);
	else if (status != RV_OK)
		return status;
	else if (is_data && object.bytes != b->bytes)
		rv_fail(why, RV_FAILED,
			"bytes %" PRIu64 " to %" PRIu64 " went into %s, which has %" PRIu64
			" bytes now and had %" PRIu64, b->from, b->to, name, object.bytes, b->bytes);
	return RV_OK;
}

static enum rv_status check_batch(void *arg, const struct rv_file_batch *batch, struct rv_error *err)
{
	struct shipped_check *check = arg;
	struct rv_error why = RV_ERROR_INIT;
	if (check_object(check->lake, batch->name, true, batch, &why, err) != RV_OK)
		return err->status;
	if (why.status != RV_OK && batch->by_stamp) {
		note_unseen(check, batch);
		why = (struct rv_error)RV_ERROR_INIT;
	}
	if (check_object(check->lake, batch->rejects_name, false, batch, &why, err) != RV_OK)
		return err->status;
	check->batches++;
	/* A file sent --again covers its bytes once more: what went of the first time is no hole then. */
	if (batch->from > check->covered)
		return RV_OK;
	if (why.status != RV_OK) {
		check->missing = why;
		check->covered = batch->from;
	} else if (batch->to > check->covered) {
		check->missing = why;
		check->covered = batch->to;
	}
	return RV_OK;
}

struct waiting_check {
	const struct rv_state *state;
	const char *key;
};

/* A left-over run whose promise about this file is still open. */
static enum rv_status check_waiting(void *arg, const char *name, struct rv_error *err)
{
	struct waiting_check *check = arg;
	RV_CLEANUP(rv_run_free_p) struct rv_run *run = NULL;
	enum rv_status status = rv_run_open(check->state, name, false, &run, err);
	if (status == RV_NOT_FOUND)
		return RV_OK;
	if (status != RV_OK)
		return status;
	for (size_t i = 0; i < run->batches_count; i++) {
		const struct rv_batch_entry *b = &run->batches[i];
		for (size_t j = 0; b->state == RV_BATCH_WAITING && j < b->extents_count; j++)
			if (strcmp(rv_run_file(run, b->extents[j].file)->key, check->key) == 0) {
				rv_fail(err, RV_FAILED,
					"bytes %" PRIu64 " to %" PRIu64
					" are accepted but not in the lake yet (run %s)",
					b->extents[j].from, b->extents[j].to, run->name);
				rv_hint(err, "keep it; 'river spool flush' or the next push delivers them");
				return err->status;
			}
	}
	return RV_OK;
}

static enum rv_status look_at_batches(struct shipped_check *check, const struct rv_state *state,
				      const struct rv_checkpoint *c, struct rv_error *err)
{
	if (rv_checkpoint_each_batch(state, c->key, check_batch, check, err) != RV_OK)
		return err->status;
	if (check->covered < c->offset && check->missing.status != RV_OK) {
		*err = check->missing;
		return err->status;
	}
	if (check->covered < c->offset)
		return rv_fail(err, RV_FAILED, "no batch is known for bytes from %" PRIu64 " to %" PRIu64,
			       check->covered, c->offset);
	return RV_OK;
}

static enum rv_status not_known(const struct shipped_check *check, const char *why, struct rv_error *err)
{
	return rv_fail(err, RV_KEPT,
		       "all was taken by the delivery; whether what came from byte %" PRIu64
		       " on has reached the lake is not known%s%s", check->unseen_from, *why ? ": " : "", why);
}

enum rv_status rv_push_file_in_lake(struct rv_store *lake, const struct rv_state *state,
				    const struct rv_checkpoint *c, struct rv_error *err)
{
	RV_CLEANUP(shipped_check_release)
	struct shipped_check check = { .lake = lake, .missing = RV_ERROR_INIT };
	if (look_at_batches(&check, state, c, err) != RV_OK)
		return err->status;
	return check.unseen ? not_known(&check, "", err) : RV_OK;
}

/* The same, and what a service took is looked for by its stamps: in the objects themselves. */
static enum rv_status in_lake_by_stamps(const struct rv_push_params *params,
					const struct rv_state *state, const struct rv_checkpoint *c,
					struct rv_error *err)
{
	RV_CLEANUP(shipped_check_release)
	struct shipped_check check = { .lake = params->lake, .missing = RV_ERROR_INIT };
	RV_CLEANUP(rv_arrival_release) struct rv_arrival arrival = { .accepted = 0 };
	if (look_at_batches(&check, state, c, err) != RV_OK)
		return err->status;
	if (!check.unseen)
		return RV_OK;
	const struct rv_arrival_params ask = {
		.lake = params->lake,
		.stream = params->stream,
		.runs = (const char *const *)check.runs,
		.runs_count = check.runs_count,
		.should_stop = params->should_stop,
	};
	if (rv_arrival_wait(&ask, &arrival, err) == RV_OK)
		return RV_OK;
	/* No stamps, not all of them, or a run that is not over yet: keep the file. */
	if (err->status != RV_KEPT && err->status != RV_USAGE && err->status != RV_NOT_FOUND)
		return err->status;
	struct rv_error why = *err;
	return not_known(&check, why.message, err);
}

static enum rv_status shipped_file(const struct rv_push_params *params, const struct rv_state *state,
				   const struct rv_input_file *input, struct rv_error *err)
{
	RV_CLEANUP(rv_checkpoint_release) struct rv_checkpoint c = { .offset = 0 };
	char key[RV_FILE_KEY_TEXT];
	bool found, matches;
	char first;
	size_t n;
	/* Files of /proc have no size and something in them. */
	if (input->stat.st_size == 0 &&
	    (rv_pread_full(input->fd, &first, 1, 0, &n, input->path, err) != RV_OK || n == 0))
		return n == 0 ? RV_OK : err->status;
	if (rv_file_key(input->fd, input->path, key, err) != RV_OK ||
	    rv_checkpoint_load(state, key, &c, &found, err) != RV_OK)
		return err->status;
	/* A first push that got no batch through has left its promise and no checkpoint. */
	struct waiting_check waiting = { state, key };
	if (rv_run_each(state, check_waiting, &waiting, err) != RV_OK)
		return err->status;
	if (!found)
		return rv_fail(err, RV_FAILED, "it has not been pushed to this stream from here");
	if (input->compression == RV_COMPRESSION_NONE) {
		if (rv_checkpoint_matches(&c, input->fd, &matches, err) != RV_OK)
			return err->status;
		if (!matches)
			return rv_fail(err, RV_FAILED, "it holds other bytes than were pushed");
		RV_CLEANUP(rv_free_p) char *rest = NULL;
		uint64_t size = (uint64_t)input->stat.st_size, left = size - c.offset;
		/* Blank lines at the end are nothing to push. */
		if (left && left <= RV_CHECKPOINT_WINDOW) {
			rest = rv_malloc(left);
			if (rv_pread_full(input->fd, rest, left, c.offset, &n, input->path, err) != RV_OK)
				return err->status;
			size_t blank = 0;
			while (blank < n && (rest[blank] == '\n' || rest[blank] == '\r'))
				blank++;
			left -= blank;
		}
		if (left)
			return rv_fail(err, RV_FAILED,
				       "%" PRIu64 " of its %" PRIu64 " bytes have not been pushed, from byte "
				       "%" PRIu64, left, size, c.offset);
	} else if (!c.at_end || c.file_bytes != (uint64_t)input->stat.st_size ||
		   c.file_modified_ns != rv_time_ns(input->stat.st_mtim.tv_sec, input->stat.st_mtim.tv_nsec)) {
		return rv_fail(err, RV_FAILED, "it has changed since it was pushed");
	}
	/* This is the request that the whole prefix is read for: a checkpoint knows its ends only. */
	if (rv_push_file_prefix_matches(&c, input, &params->read, &matches, err) != RV_OK)
		return err->status;
	if (!matches)
		return rv_fail(err, RV_FAILED, "it holds other records than were pushed");
	return in_lake_by_stamps(params, state, &c, err);
}

enum rv_status rv_push_shipped(const struct rv_push_params *params, const char *file,
			       struct rv_error *err)
{
	RV_CLEANUP(rv_input_file_release) struct rv_input_file input = RV_INPUT_FILE_INIT;
	bool regular;
	if (rv_input_file_open(file, &input, &regular, err) != RV_OK)
		return err->status;
	if (!regular)
		return rv_fail(err, RV_USAGE, "%s is not a file: only files can be asked about", file);
	struct rv_state state;
	rv_state_locate(&state, params->state_dir, params->lake->url, params->stream);
	enum rv_status status = shipped_file(params, &state, &input, err);
	rv_state_release(&state);
	if (status == RV_KEPT) {
		rv_context(err, "%s", file);
		rv_hint(err, "keep it, and ask again: Firehose delivers after a minute or so; 'river status' tells "
			     "what is on its way");
	}
	if (status == RV_FAILED) {
		rv_context(err, "%s is not in the lake whole", file);
		if (!err->hint[0])
			rv_hint(err, "keep it; 'river push' sends what was never pushed, --again sends it "
				     "whole once more");
	}
	return status;
}

/* Uploads: read once, pushed under their own run, removed; or set aside whole. */
#include "flow/landing.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/number.h"
#include "flow/batch.h"
#include "flow/catalog.h"
#include "flow/deliver.h"
#include "flow/landing_source.h"
#include "flow/push.h"
#include "spool/run.h"
#include "spool/state.h"

/* ---- names ------------------------------------------------------------------------------------ */

void rv_landing_name_format(const struct rv_landing_name *name, char *ret)
{
	snprintf(ret, RV_OBJECT_NAME_MAX, RV_LANDING_PREFIX "%s/%s/%s-%06" PRIu64, name->business,
		 name->stream, name->run, name->seq);
}

void rv_landing_run(const struct rv_landing_name *name, char ret[RV_RUN_MAX + 1])
{
	snprintf(ret, RV_RUN_MAX + 1, "%s-%06" PRIu64, name->run, name->seq);
}

static bool take_part(const char **text, char until, char *ret, size_t max)
{
	const char *end = strchr(*text, until);
	size_t len = end ? (size_t)(end - *text) : 0;
	if (!end || len == 0 || len > max)
		return false;
	memcpy(ret, *text, len);
	ret[len] = '\0';
	*text = end + 1;
	return true;
}

bool rv_landing_name_parse(const char *text, struct rv_landing_name *ret)
{
	struct rv_landing_name name;
	char again[RV_OBJECT_NAME_MAX], whole[RV_STREAM_TEXT];
	if (!rv_starts_with(text, RV_LANDING_PREFIX))
		return false;
	const char *p = text + strlen(RV_LANDING_PREFIX);
	if (!take_part(&p, '/', name.business, RV_BUSINESS_MAX) ||
	    !take_part(&p, '/', name.stream, RV_STREAM_NAME_MAX))
		return false;
	const char *dash = strrchr(p, '-');
	if (!dash || strchr(p, '/') || dash == p || (size_t)(dash - p) > RV_LANDING_RUN_MAX)
		return false;
	memcpy(name.run, p, (size_t)(dash - p));
	name.run[dash - p] = '\0';
	if (!rv_run_name_valid(name.run) || !rv_parse_u64(dash + 1, strlen(dash + 1), &name.seq) ||
	    name.seq == 0 || name.seq > 999999)
		return false;
	rv_landing_name_format(&name, again);
	if (strcmp(again, text) != 0)
		return false;
	RV_CLEANUP(rv_stream_release_p) struct rv_stream stream;
	struct rv_error ignored = RV_ERROR_INIT;
	rv_stream_init(&stream);
	snprintf(whole, sizeof(whole), "%s/%s", name.business, name.stream);
	if (rv_stream_parse_name(whole, &stream, &ignored) != RV_OK)
		return false;
	*ret = name;
	return true;
}

/* ---- what waits ------------------------------------------------------------------------------- */

enum rv_status rv_landing_each(struct rv_store *lake, const struct rv_stream *stream,
			       enum rv_status (*each)(void *arg, const struct rv_store_object *,
						      struct rv_error *err),
			       void *arg, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p)
	char *prefix = stream ? rv_asprintf(RV_LANDING_PREFIX "%s/%s/", stream->business, stream->name)
			      : rv_strdup(RV_LANDING_PREFIX);
	struct rv_store_list list = { .prefix = prefix };
	return lake->ops->list(lake, &list, each, arg, err);
}

static enum rv_status count_pending(void *arg, const struct rv_store_object *object,
				    struct rv_error *err RV_UNUSED)
{
	struct rv_landing_pending *pending = arg;
	pending->objects++;
	pending->bytes += object->bytes;
	if (pending->oldest_ms < 0 || object->modified_ms < pending->oldest_ms)
		pending->oldest_ms = object->modified_ms;
	return RV_OK;
}

enum rv_status rv_landing_pending(struct rv_store *lake, const struct rv_stream *stream,
				  struct rv_landing_pending *ret, struct rv_error *err)
{
	struct rv_landing_pending pending = { .oldest_ms = -1 };
	if (rv_landing_each(lake, stream, count_pending, &pending, err) != RV_OK)
		return err->status;
	*ret = pending;
	return RV_OK;
}

/* ---- the stream of an upload ------------------------------------------------------------------ */

struct landing {
	const struct rv_landing_params *params;
	bool opened;                /* the three below are those of one stream */
	struct rv_stream stream;
	struct rv_state state;
	struct rv_lock lock;
	struct rv_error worst;
};

static void close_stream(struct landing *landing)
{
	rv_lock_release(&landing->lock);
	rv_state_release(&landing->state);
	rv_stream_release(&landing->stream);
	landing->state = (struct rv_state)RV_STATE_INIT;
	rv_stream_init(&landing->stream);
	landing->opened = false;
}

/* One process a host works at the uploads of a stream. Between hosts the names of runs and objects
 * decide. */
static enum rv_status open_stream(struct landing *landing, const struct rv_landing_name *name,
				  struct rv_error *err)
{
	const struct rv_landing_params *params = landing->params;
	if (landing->opened && strcmp(landing->stream.business, name->business) == 0 &&
	    strcmp(landing->stream.name, name->stream) == 0)
		return RV_OK;
	close_stream(landing);
	RV_CLEANUP(rv_free_p) char *text = rv_asprintf("%s/%s", name->business, name->stream);
	if (rv_catalog_get(params->lake, text, &landing->stream, NULL, err) != RV_OK)
		return err->status;
	if (!params->dry_run) {
		if (rv_state_open(&landing->state, params->state_dir, params->lake->url,
				  &landing->stream, err) != RV_OK)
			return err->status;
		RV_CLEANUP(rv_free_p) char *path = rv_state_path(&landing->state, "landing.lock");
		if (rv_lock_take(&landing->lock, path, RV_LOCK_EXCLUSIVE, params->lock_timeout_ms, 0,
				 err) != RV_OK)
			return rv_context(err, "the uploads of %s", text);
	}
	landing->opened = true;
	return RV_OK;
}

/* ---- set aside whole -------------------------------------------------------------------------- */

#define PIECE_BYTES (3u << 18) /* pieces of a reject are multiples of 3 */

struct aside {
	struct rv_batcher *batcher;
	const char *label, *code, *reason;
	struct rv_strbuf piece;
	uint64_t length;
};

static enum rv_status add_piece(struct aside *aside, size_t len, bool more, struct rv_error *err)
{
	struct rv_span span = {
		.kind = RV_SPAN_REJECT,
		.bytes = aside->piece.bytes,
		.len = len,
		.from = aside->length,
		.to = aside->length + len,
		.line = 1,
		.more = more,
		.first = aside->length == 0,
		.reason = aside->reason,
		.reason_code = aside->code,
		.format = RV_FORMAT_AUTO,
	};
	aside->length += len;
	return rv_batcher_add(aside->batcher, &span, aside->label, err);
}

static enum rv_status aside_sink(void *arg, const void *p, size_t len, struct rv_error *err)
{
	struct aside *aside = arg;
	const char *bytes = p;
	while (len) {
		size_t room = PIECE_BYTES - aside->piece.len, part = len < room ? len : room;
		/* A full piece goes when it is known not to be the last. */
		if (!room) {
			if (add_piece(aside, PIECE_BYTES, true, err) != RV_OK)
				return err->status;
			rv_strbuf_clear(&aside->piece);
			continue;
		}
		rv_strbuf_add(&aside->piece, bytes, part);
		bytes += part;
		len -= part;
	}
	return RV_OK;
}

static enum rv_status read_aside(struct landing *landing, const struct rv_run *run,
				 const char *object, const char *code, const char *reason,
				 struct rv_finished *ret, struct rv_error *err)
{
	struct rv_store *lake = landing->params->lake;
	struct rv_batcher_params params = { .stream = &landing->stream, .lake = lake, .threads = 1 };
	struct aside aside = { .label = object, .code = code, .reason = reason,
			       .piece = RV_STRBUF_INIT };
	enum rv_status status = rv_batcher_new(&params, &aside.batcher, err);
	if (status != RV_OK)
		return status;
	status = rv_batcher_begin(aside.batcher, run, 0, err);
	if (status == RV_OK)
		status = lake->ops->read(lake, object, aside_sink, &aside, err);
	if (status == RV_OK)
		status = add_piece(&aside, aside.piece.len, false, err);
	if (status == RV_OK)
		status = rv_batcher_finish(aside.batcher, ret, err);
	rv_strbuf_release(&aside.piece);
	rv_batcher_free(aside.batcher);
	return status;
}

/*
 * The upload byte for byte as one reject, by a run of its own with a receipt, so that it counts as
 * read and rejected. Its name comes from the upload's and from what is in it: after a crash the same
 * is found to be there, and another upload under the same URL is not taken for it.
 */
static enum rv_status reject_whole(struct landing *landing, const struct rv_landing_name *name,
				   const struct rv_store_object *object, const char *object_name,
				   const char *code, const char *reason, struct rv_error *err)
{
	const struct rv_landing_params *params = landing->params;
	char run_name[RV_RUN_MAX + 1], named[RV_RUN_MAX + 1], folder[RV_TIME_TEXT];
	RV_CLEANUP(rv_run_free_p) struct rv_run *run = NULL;
	RV_CLEANUP(rv_finished_release) struct rv_finished finished = {
		.body = RV_BODY_INIT,
		.rejects = RV_BODY_INIT,
	};
	struct rv_deliver deliver = {
		.stream = &landing->stream,
		.state = &landing->state,
		.lake = params->lake,
		.delivery = params->delivery,
		.loss = RV_ERROR_INIT,
	};
	rv_landing_run(name, named);
	snprintf(run_name, sizeof(run_name), "%.47s.%08" PRIx32, named,
		 (uint32_t)XXH3_64bits(object->etag, strlen(object->etag)));
	if (rv_run_create(&landing->state, run_name, rv_clock_ms(), &run, err) != RV_OK)
		return rv_context(err, "set the upload aside");
	run->named = run->pipe = true;
	run->compression = landing->stream.compression;
	free(run->source);
	run->source = rv_strdup(object_name);
	snprintf(run->lake_folder, sizeof(run->lake_folder), "%.23s",
		 rv_stream_run_folder(&landing->stream, object->modified_ms, folder));
	if (rv_run_begin(run, err) != RV_OK)
		return err->status;
	enum rv_status status = read_aside(landing, run, object_name, code, reason, &finished, err);
	if (status != RV_OK) {
		/* Nothing was promised: nothing may look like a run that waits. */
		struct rv_error ignored = RV_ERROR_INIT;
		(void)!rv_run_remove(run, &ignored);
		return rv_context(err, "set the upload aside");
	}
	status = rv_deliver_promise(&deliver, run, &finished, err);
	if (status == RV_OK)
		status = rv_run_close(run, err);
	if (status == RV_OK)
		status = rv_deliver_spooled(&deliver, run, NULL, err);
	if (status == RV_OK)
		status = rv_deliver_finish(&deliver, run, err);
	rv_deliver_release(&deliver);
	return status == RV_OK ? RV_OK : rv_context(err, "set the upload aside");
}

/* ---- one upload ------------------------------------------------------------------------------- */

static void fill_settings(const struct landing *landing, struct rv_read_settings *ret)
{
	const struct rv_stream *stream = &landing->stream;
	ret->format = stream->format;
	ret->max_record_bytes = landing->params->max_record_bytes;
	ret->max_depth = 1024;
	ret->refuse_river_key = stream->stamp != RV_STAMP_NONE;
	ret->csv = stream->csv; /* names and nulls are borrowed: nobody releases these settings */
}

/* Removes what was processed, and only that. */
static enum rv_status remove_upload(struct landing *landing, const char *object_name,
				    const struct rv_store_object *object, struct rv_error *err)
{
	struct rv_store *lake = landing->params->lake;
	enum rv_status status = lake->ops->remove(lake, object_name, object->etag, err);
	if (status == RV_NOT_FOUND)
		return RV_OK;
	if (status == RV_CONFLICT) {
		rv_fail(err, RV_FAILED, "it was replaced while it was read");
		rv_hint(err, "run the same command again: it looks at the new one");
		return err->status;
	}
	return status == RV_OK ? RV_OK : rv_context(err, "remove the upload");
}

/* Another input under this run, or the stream was made anew in between? */
static enum rv_status still_the_stream(const struct landing *landing, bool *ret, struct rv_error *err)
{
	char text[RV_STREAM_TEXT];
	RV_CLEANUP(rv_stream_release_p) struct rv_stream now;
	rv_stream_init(&now);
	rv_stream_text(&landing->stream, text);
	if (rv_catalog_get(landing->params->lake, text, &now, NULL, err) != RV_OK)
		return err->status;
	*ret = strcmp(now.id, landing->stream.id) == 0;
	return RV_OK;
}

static enum rv_status push_upload(struct landing *landing, const struct rv_landing_name *name,
				  const char *object_name, struct rv_landing_result *result,
				  struct rv_error *ret_damage, struct rv_error *err)
{
	const struct rv_landing_params *params = landing->params;
	RV_CLEANUP(rv_source_free_p) struct rv_source *source = NULL;
	struct rv_read_settings settings = { .csv = RV_CSV_DIALECT_INIT };
	char run[RV_RUN_MAX + 1];
	struct rv_push_result pushed;
	rv_landing_run(name, run);
	fill_settings(landing, &settings);
	if (rv_landing_source_new(params->lake, object_name, ret_damage, &source, err) != RV_OK)
		return err->status;
	struct rv_push_params push = {
		.stream = &landing->stream,
		.lake = params->lake,
		.delivery = params->delivery,
		.state_dir = params->state_dir,
		.read = settings,
		.source = source,
		.run = run,
		.wait = RV_WAIT_LANDED,
		.batch_bytes = landing->stream.batch_bytes,
		.batch_records = landing->stream.batch_records,
		.flush_after_ms = -1,
		.max_rejects = UINT64_MAX,
		.spool_max_bytes = params->spool_max_bytes,
		.threads = params->threads,
		.lock_timeout_ms = params->lock_timeout_ms,
		.should_stop = params->should_stop,
		.check_stream = true,
		.own_runs_only = true,
		.note = params->note,
		.arg = params->arg,
	};
	enum rv_status status = rv_push(&push, &pushed, err);
	result->accepted = pushed.landed;
	result->rejected = pushed.rejected;
	memcpy(result->first_reject, pushed.first_reject, sizeof(result->first_reject));
	bool only_rejects = status == RV_BAD_DATA && pushed.rejected && !pushed.records;
	bool landed = status == RV_OK || status == RV_PARTIAL || only_rejects;
	/* The upload stays where it is until its run has ended: without it nobody would come back to that. */
	if (landed && pushed.unended.status != RV_OK) {
		*err = pushed.unended;
		status = rv_context(err, "all of it is in the lake, but its run has not ended");
		landed = false;
	}
	rv_push_result_release(&pushed);
	return landed ? RV_OK : status;
}

static enum rv_status process_object(struct landing *landing, const struct rv_landing_name *name,
				     const char *object_name, struct rv_landing_result *result,
				     struct rv_error *err)
{
	const struct rv_landing_params *params = landing->params;
	struct rv_store_object object;
	enum rv_status status = params->lake->ops->head(params->lake, object_name, &object, err);
	if (status == RV_NOT_FOUND) {
		result->outcome = RV_LANDING_GONE;
		return RV_OK;
	}
	if (status != RV_OK)
		return status;
	result->bytes = object.bytes;
	if (object.bytes > params->max_bytes) {
		char has[RV_NUMBER_TEXT], most[RV_NUMBER_TEXT];
		rv_fail(err, RV_PARTIAL, "it has %s, more than %s", rv_format_size(object.bytes, has),
			rv_format_size(params->max_bytes, most));
		rv_hint(err, "--max-size allows larger ones; or remove it");
		return err->status;
	}
	if (params->dry_run) {
		result->outcome = RV_LANDING_WAITING;
		return RV_OK;
	}
	struct rv_error damage = RV_ERROR_INIT;
	char reason[400];
	status = push_upload(landing, name, object_name, result, &damage, err);
	if (status == RV_NOT_FOUND) {
		/* Another process removed it after our look at it. */
		struct rv_error gone = RV_ERROR_INIT;
		if (params->lake->ops->head(params->lake, object_name, &object, &gone) == RV_NOT_FOUND) {
			result->outcome = RV_LANDING_GONE;
			return RV_OK;
		}
		return status;
	}
	if (status == RV_CONFLICT) {
		struct rv_error used = *err;
		bool same = false;
		if (still_the_stream(landing, &same, err) != RV_OK)
			return err->status;
		if (!same) {
			*err = used;
			err->status = RV_FAILED;
			rv_hint(err, "run the same command again");
			return err->status;
		}
		snprintf(reason, sizeof(reason), "another upload has landed as %s-%06" PRIu64 " before",
			 name->run, name->seq);
		if (reject_whole(landing, name, &object, object_name, "used_twice", reason, err) != RV_OK)
			return err->status;
		result->outcome = RV_LANDING_REJECTED;
		result->accepted = 0;
		rv_fail(&result->why, RV_PARTIAL, "another upload has landed under this name before");
		rv_hint(&result->why, "the whole of it is in the rejects; a presigned URL is for one "
				      "file");
		return remove_upload(landing, object_name, &object, err);
	}
	if (status != RV_OK)
		return status;
	if (damage.status != RV_OK) {
		snprintf(reason, sizeof(reason),
			 "%.300s; %" PRIu64 " records before that were accepted", damage.message,
			 result->accepted);
		if (reject_whole(landing, name, &object, object_name, "damaged", reason, err) != RV_OK)
			return err->status;
		result->outcome = RV_LANDING_REJECTED;
		rv_fail(&result->why, RV_PARTIAL, "%s", reason);
		rv_hint(&result->why, "the whole of it is in the rejects as well; upload it again, whole, "
				      "with another URL");
	} else {
		result->outcome = RV_LANDING_LANDED;
		if (result->rejected)
			rv_fail(&result->why, RV_PARTIAL,
				"%" PRIu64 " of %" PRIu64 " records %s rejected, the first: %s",
				result->rejected, result->rejected + result->accepted,
				result->rejected == 1 ? "was" : "were", result->first_reject);
	}
	return remove_upload(landing, object_name, &object, err);
}

/* ---- all -------------------------------------------------------------------------------------- */

static void keep_worst(struct landing *landing, const struct rv_error *err)
{
	if (rv_status_gravity(err->status) > rv_status_gravity(landing->worst.status))
		landing->worst = *err;
}

/* What would meet the next upload as well. */
static bool ends_it(const struct landing *landing, const struct rv_error *err)
{
	return err->status == RV_AUTH || err->status == RV_LOCKED || err->status == RV_BAD_CONFIG ||
	       err->transient ||
	       (landing->params->should_stop && landing->params->should_stop());
}

static enum rv_status process_name(struct landing *landing, const char *object_name,
				   struct rv_error *err)
{
	const struct rv_landing_params *params = landing->params;
	struct rv_landing_name name;
	struct rv_landing_result result = {
		.object = object_name,
		.outcome = RV_LANDING_LEFT,
		.why = RV_ERROR_INIT,
	};
	enum rv_status status;
	if (!rv_landing_name_parse(object_name, &name)) {
		status = rv_fail(err, RV_PARTIAL, "it is not the name of an upload");
		rv_hint(err, "uploads are " RV_LANDING_PREFIX
			     "<business>/<stream>/<run>-<number of six digits>");
	} else {
		status = open_stream(landing, &name, err);
		if (status == RV_OK)
			status = process_object(landing, &name, object_name, &result, err);
	}
	if (status != RV_OK) {
		result.outcome = RV_LANDING_LEFT;
		result.why = *err;
	}
	params->each(params->arg, &result);
	if (result.why.status == RV_OK)
		return RV_OK;
	*err = result.why;
	rv_context(err, "%s", object_name);
	keep_worst(landing, err);
	return status != RV_OK && ends_it(landing, err) ? err->status : RV_OK;
}

enum rv_status rv_landing_process(const struct rv_landing_params *params, char *const *names,
				  size_t count, struct rv_error *err)
{
	struct landing landing = {
		.params = params,
		.state = RV_STATE_INIT,
		.lock = RV_LOCK_INIT,
		.worst = RV_ERROR_INIT,
	};
	enum rv_status status = RV_OK;
	rv_stream_init(&landing.stream);
	for (size_t i = 0; i < count && status == RV_OK; i++) {
		if (params->should_stop && params->should_stop()) {
			rv_fail(&landing.worst, RV_FAILED,
				"stopped: run the same command again to go on");
			break;
		}
		status = process_name(&landing, names[i], err);
	}
	close_stream(&landing);
	rv_stream_release(&landing.stream);
	if (landing.worst.status == RV_OK)
		return RV_OK;
	*err = landing.worst;
	return err->status;
}

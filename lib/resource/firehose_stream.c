/*
 * The delivery stream that river push sends to: DirectPut, into the lake by hour, gzip, UTC.
 *
 * Names of delivery streams are one for an account and region, so one that is there may be another
 * lake's: it is told by where it delivers, and left alone. Creating is not waited for by Firehose
 * and has no token, so a create that meets another is compared with it; looking is eventually
 * consistent, so not there for some seconds after a create means nothing.
 */
#include "resource/resource.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "aws/firehose.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/stop.h"
#include "base/strbuf.h"
#include "format/arn.h"

/* "5 calls a second for each account", so looks are rare and become rarer. */
#define POLL_FIRST_MS 2000
#define POLL_MAX_MS 10000
/* How long a look may still say that nothing is there after a create. */
#define UNSEEN_MS 60000
#define UPDATE_ATTEMPTS 4

struct stream_resource {
	struct rv_resource base;
	struct rv_aws *aws;
	struct rv_firehose *firehose;
	char *bucket_arn, *root, *role_arn; /* root: "" or "prefix/" */
	uint64_t buffer_mib, buffer_s;
};

static struct stream_resource *self_of(struct rv_resource *base)
{
	return (struct stream_resource *)base;
}

/* ---- what is wanted --------------------------------------------------------------------------- */

static char *data_prefix(const struct stream_resource *r, const struct rv_stream *stream)
{
	char place[RV_STREAM_PLACE_MAX];

	return rv_asprintf("%s%s", r->root, rv_stream_data_prefix(stream, place));
}

static void want(const struct stream_resource *r, const struct rv_stream *stream,
		 struct rv_firehose_stream *ret)
{
	RV_CLEANUP(rv_free_p) char *data = data_prefix(r, stream);
	char name[RV_STREAM_PLACE_MAX];

	*ret = (struct rv_firehose_stream){
		.name = rv_strdup(rv_stream_firehose(stream, name)),
		.role_arn = r->role_arn ? rv_strdup(r->role_arn) : NULL,
		.bucket_arn = rv_strdup(r->bucket_arn),
		/* as the lake's own objects lie (semantics.md 2) */
		.prefix = rv_asprintf("%sdt=!{timestamp:yyyy-MM-dd}/hr=!{timestamp:HH}/", data),
		.error_prefix = rv_asprintf("%s_river/firehose-errors/%s/%s/!{firehose:error-output-type}/"
					    "dt=!{timestamp:yyyy-MM-dd}/",
					    r->root, stream->business, stream->name),
		.buffer_mib = r->buffer_mib,
		.buffer_s = r->buffer_s,
		.compression = rv_strdup("GZIP"),
		.file_extension = rv_strdup(".ndjson.gz"),
	};
}

/* ---- comparing -------------------------------------------------------------------------------- */

static bool state_is(const struct rv_firehose_stream *now, const char *state)
{
	return now->status && strcmp(now->status, state) == 0;
}

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

static enum rv_status check_owner(const struct stream_resource *r, const struct rv_stream *stream,
				  const struct rv_firehose_stream *now, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *data = data_prefix(r, stream);

	if (now->other_destination) {
		rv_fail(err, RV_CONFLICT,
			"the delivery stream %s is there, and is none from direct puts to S3", now->name);
	} else if (strcmp(or_empty(now->bucket_arn), r->bucket_arn) != 0 ||
		   !rv_starts_with(or_empty(now->prefix), data)) {
		rv_fail(err, RV_CONFLICT,
			"the delivery stream %s is another lake's: it delivers to %s below '%s'",
			now->name, or_empty(now->bucket_arn), or_empty(now->prefix));
	} else {
		return RV_OK;
	}
	rv_hint(err, "give the stream another name, or this lake a region or account of its own; if nobody "
		     "needs it: aws firehose delete-delivery-stream --delivery-stream-name %s", now->name);
	return err->status;
}

static void compare_text(struct rv_resource_view *view, const char *key, const char *now,
			 const char *wanted)
{
	if (strcmp(or_empty(now), wanted) != 0)
		rv_resource_view_change(view, key, now, wanted);
}

static void compare_number(struct rv_resource_view *view, const char *key, const char *unit, uint64_t now,
			   uint64_t wanted)
{
	RV_CLEANUP(rv_free_p) char *from = rv_asprintf("%" PRIu64 "%s", now, unit);
	RV_CLEANUP(rv_free_p) char *to = rv_asprintf("%" PRIu64 "%s", wanted, unit);

	compare_text(view, key, from, to);
}

static void compare(struct rv_resource_view *view, const struct rv_firehose_stream *now,
		    const struct rv_firehose_stream *wanted)
{
	if (wanted->role_arn)
		compare_text(view, "role_arn", now->role_arn, wanted->role_arn);
	compare_number(view, "buffer.size", "MiB", now->buffer_mib, wanted->buffer_mib);
	compare_number(view, "buffer.age", "s", now->buffer_s, wanted->buffer_s);
	compare_text(view, "prefix", now->prefix, wanted->prefix);
	compare_text(view, "error_prefix", now->error_prefix, wanted->error_prefix);
	compare_text(view, "compression", now->compression, wanted->compression);
	compare_text(view, "file_extension", now->file_extension, wanted->file_extension);
}

/* What create sends, in the words of `compare`. */
static void show_fields(struct rv_resource_view *view, const struct rv_firehose_stream *wanted)
{
	RV_CLEANUP(rv_free_p) char *size = rv_asprintf("%" PRIu64 "MiB", wanted->buffer_mib);
	RV_CLEANUP(rv_free_p) char *age = rv_asprintf("%" PRIu64 "s", wanted->buffer_s);

	rv_resource_view_field(view, "type", "DirectPut");
	rv_resource_view_field(view, "role_arn", wanted->role_arn);
	rv_resource_view_field(view, "bucket_arn", wanted->bucket_arn);
	rv_resource_view_field(view, "prefix", wanted->prefix);
	rv_resource_view_field(view, "error_prefix", wanted->error_prefix);
	rv_resource_view_field(view, "buffer.size", size);
	rv_resource_view_field(view, "buffer.age", age);
	rv_resource_view_field(view, "compression", wanted->compression);
	rv_resource_view_field(view, "file_extension", wanted->file_extension);
}

/* Somebody who may not, and somebody in another region, are told what to do. */
static enum rv_status explain(enum rv_status status, struct rv_error *err)
{
	if (status == RV_AUTH && (strcmp(err->service_code, "AccessDeniedException") == 0 ||
				  strcmp(err->service_code, "AccessDenied") == 0))
		rv_hint(err, "what has to be allowed: river stream create NAME --print-policy");
	return status;
}

static enum rv_status stream_look(struct rv_resource *base, const struct rv_stream *stream,
				  struct rv_resource_view *ret, struct rv_error *err)
{
	struct stream_resource *r = self_of(base);
	RV_CLEANUP(rv_firehose_stream_release) struct rv_firehose_stream now = { 0 };
	RV_CLEANUP(rv_firehose_stream_release) struct rv_firehose_stream wanted = { 0 };

	want(r, stream, &wanted);
	ret->name = rv_strdup(wanted.name);
	enum rv_status status = rv_firehose_describe(r->firehose, wanted.name, &now, err);

	ret->action = RV_RESOURCE_CREATE;
	if (status == RV_NOT_FOUND) {
		show_fields(ret, &wanted);
		return RV_OK;
	}
	if (status != RV_OK)
		return explain(status, err);
	if (!state_is(&now, "DELETING") && check_owner(r, stream, &now, err) != RV_OK)
		return err->status;
	ret->state = rv_strdup(now.status);
	ret->arn = rv_take(now.arn);
	if (state_is(&now, "DELETING")) { /* waited for, then made */
		show_fields(ret, &wanted);
		return RV_OK;
	}
	if (state_is(&now, "CREATING_FAILED")) {
		ret->action = RV_RESOURCE_REPLACE;
		show_fields(ret, &wanted);
		rv_resource_view_change(ret, "failure", or_empty(now.failure), NULL);
		return RV_OK;
	}
	if (state_is(&now, "DELETING_FAILED")) {
		rv_fail(err, RV_CONFLICT, "the delivery stream %s could not be deleted: %s", now.name,
			now.failure ? now.failure : "Firehose does not say why");
		rv_hint(err, "delete it again, now by force: river stream delete %s/%s", stream->business,
			stream->name);
		return err->status;
	}
	compare(ret, &now, &wanted);
	ret->action = ret->count			? RV_RESOURCE_UPDATE
		      : state_is(&now, "ACTIVE") ? RV_RESOURCE_UNCHANGED
						 : RV_RESOURCE_FINISH;
	return RV_OK;
}

/* ---- waiting ---------------------------------------------------------------------------------- */

/* False: the time is over. */
static bool pause_until(struct stream_resource *r, unsigned look, int64_t deadline_ms,
			enum rv_status *ret, struct rv_error *err)
{
	int64_t left = deadline_ms - rv_clock_monotonic_ms();
	int64_t ms = POLL_FIRST_MS + 1000 * (int64_t)look;

	if (left <= 0)
		return false;
	if (ms > POLL_MAX_MS)
		ms = POLL_MAX_MS;
	*ret = rv_http_wait(r->aws->http, ms < left ? ms : left, err);
	return true;
}

static enum rv_status gone(struct stream_resource *r, const char *name, int64_t deadline_ms,
			   struct rv_error *err)
{
	for (unsigned look = 0;; look++) {
		RV_CLEANUP(rv_firehose_stream_release) struct rv_firehose_stream now = { 0 };
		enum rv_status status = rv_firehose_describe(r->firehose, name, &now, err);

		if (status == RV_NOT_FOUND)
			return RV_OK;
		if (status != RV_OK)
			return explain(status, err);
		if (state_is(&now, "DELETING_FAILED")) {
			rv_fail(err, RV_FAILED, "the delivery stream %s could not be deleted: %s", name,
				now.failure ? now.failure : "Firehose does not say why");
			rv_hint(err, "the same command again deletes it by force");
			return err->status;
		}
		if (!pause_until(r, look, deadline_ms, &status, err)) {
			rv_fail(err, RV_FAILED, "the delivery stream %s is still being deleted", name);
			rv_hint(err, "the same command again goes on; --timeout says how long to wait");
			return err->status;
		}
		if (status != RV_OK)
			return status;
	}
}

static enum rv_status stream_settle(struct rv_resource *base, const struct rv_stream *stream,
				    int64_t deadline_ms, struct rv_error *err)
{
	struct stream_resource *r = self_of(base);
	int64_t seen_by_ms = rv_clock_monotonic_ms() + UNSEEN_MS;
	char name[RV_STREAM_PLACE_MAX];

	rv_stream_firehose(stream, name);
	for (unsigned look = 0;; look++) {
		RV_CLEANUP(rv_firehose_stream_release) struct rv_firehose_stream now = { 0 };
		enum rv_status status = rv_firehose_describe(r->firehose, name, &now, err);
		bool unseen = status == RV_NOT_FOUND;

		if (status != RV_OK && (!unseen || rv_clock_monotonic_ms() > seen_by_ms))
			return explain(status, err);
		if (!unseen && state_is(&now, "CREATING_FAILED")) {
			rv_fail(err, RV_FAILED, "the delivery stream %s could not be made: %s", name,
				now.failure ? now.failure : "Firehose does not say why");
			rv_hint(err, "mend that, and run the same command again: it removes the failed one first");
			return err->status;
		}
		if (!unseen && rv_starts_with(now.status, "DELETING"))
			return rv_fail(err, RV_CONFLICT,
				       "the delivery stream %s is deleted by somebody at this moment", name);
		if (!unseen && state_is(&now, "ACTIVE"))
			return RV_OK;
		if (!unseen && !state_is(&now, "CREATING")) {
			rv_fail(err, RV_FAILED, "the delivery stream %s is '%.60s', and river does not know whether it "
						"takes records then", name, now.status);
			rv_hint(err, "aws firehose describe-delivery-stream --delivery-stream-name %s says more", name);
			return err->status;
		}
		if (!pause_until(r, look, deadline_ms, &status, err)) {
			rv_fail(err, RV_FAILED, "the delivery stream %s is still being made", name);
			rv_hint(err, "the same command again waits on; --timeout says how long");
			return err->status;
		}
		if (status != RV_OK)
			return status;
	}
}

/* ---- changing --------------------------------------------------------------------------------- */

static enum rv_status make_new(struct stream_resource *r, const struct rv_stream *stream,
			       const struct rv_resource_view *view, int64_t deadline_ms,
			       struct rv_error *err)
{
	RV_CLEANUP(rv_firehose_stream_release) struct rv_firehose_stream wanted = { 0 };

	if (!r->role_arn) {
		rv_fail(err, RV_BAD_CONFIG, "delivery.role_arn is not set: the role Firehose writes to the lake with");
		rv_hint(err, "the policies of such a role: river stream create %s/%s --print-policy",
			stream->business, stream->name);
		return err->status;
	}
	want(r, stream, &wanted);
	if (view->action == RV_RESOURCE_REPLACE) {
		enum rv_status status = rv_firehose_delete(r->firehose, wanted.name, err);

		if (status != RV_OK && status != RV_NOT_FOUND)
			return explain(status, err);
	}
	if (view->state && gone(r, wanted.name, deadline_ms, err) != RV_OK)
		return err->status;
	enum rv_status status = rv_firehose_create(r->firehose, &wanted, err);

	if (status != RV_CONFLICT)
		return explain(status, err);
	/* Somebody made it since we looked, perhaps this very call at its first, unheard attempt. */
	RV_CLEANUP(rv_resource_view_release) struct rv_resource_view now = { 0 };

	if (stream_look(&r->base, stream, &now, err) != RV_OK)
		return err->status;
	if (now.action == RV_RESOURCE_UNCHANGED || now.action == RV_RESOURCE_FINISH ||
	    now.action == RV_RESOURCE_CREATE) /* of CREATE: made, and not seen by looks yet */
		return RV_OK;
	rv_fail(err, RV_CONFLICT, "the delivery stream %s was made by somebody else at this moment, with "
				  "another %s", wanted.name, now.changes[0].key);
	rv_hint(err, "the same command again compares with it");
	return err->status;
}

static enum rv_status bring_in_line(struct stream_resource *r, const struct rv_stream *stream,
				    struct rv_error *err)
{
	enum rv_status status = RV_CONFLICT;

	for (unsigned i = 0; i < UPDATE_ATTEMPTS && status == RV_CONFLICT; i++) {
		RV_CLEANUP(rv_firehose_stream_release) struct rv_firehose_stream now = { 0 };
		RV_CLEANUP(rv_firehose_stream_release) struct rv_firehose_stream wanted = { 0 };
		RV_CLEANUP(rv_resource_view_release) struct rv_resource_view left = { 0 };

		want(r, stream, &wanted);
		if (rv_firehose_describe(r->firehose, wanted.name, &now, err) != RV_OK)
			return explain(err->status, err);
		if (check_owner(r, stream, &now, err) != RV_OK)
			return err->status;
		compare(&left, &now, &wanted);
		if (!left.count) /* somebody did it */
			return RV_OK;
		wanted.version_id = rv_take(now.version_id);
		wanted.destination_id = rv_take(now.destination_id);
		status = rv_firehose_update(r->firehose, &wanted, err);
	}
	return explain(status, err);
}

static enum rv_status stream_make(struct rv_resource *base, const struct rv_stream *stream,
				  const struct rv_resource_view *view, int64_t deadline_ms,
				  struct rv_error *err)
{
	struct stream_resource *r = self_of(base);

	switch (view->action) {
	case RV_RESOURCE_CREATE:
	case RV_RESOURCE_REPLACE: return make_new(r, stream, view, deadline_ms, err);
	case RV_RESOURCE_UPDATE:
		/* Firehose changes none that it is still making. */
		if (stream_settle(base, stream, deadline_ms, err) != RV_OK)
			return err->status;
		return bring_in_line(r, stream, err);
	case RV_RESOURCE_FINISH:
	case RV_RESOURCE_UNCHANGED:
	case RV_RESOURCE_REMOVE: return RV_OK;
	}
	rv_bug("action %d", (int)view->action);
}

static enum rv_status stream_remove(struct rv_resource *base, const struct rv_stream *stream,
				    int64_t deadline_ms, bool *ret_removed, struct rv_error *err)
{
	struct stream_resource *r = self_of(base);
	RV_CLEANUP(rv_firehose_stream_release) struct rv_firehose_stream now = { 0 };
	char name[RV_STREAM_PLACE_MAX];

	*ret_removed = false;
	rv_stream_firehose(stream, name);
	enum rv_status status = rv_firehose_describe(r->firehose, name, &now, err);

	if (status == RV_NOT_FOUND)
		return RV_OK;
	if (status != RV_OK)
		return explain(status, err);
	if (check_owner(r, stream, &now, err) != RV_OK)
		return RV_OK; /* not ours to remove */
	/* Firehose deletes none that it is still making: ResourceInUse. */
	for (unsigned look = 0;; look++) {
		status = rv_firehose_delete(r->firehose, name, err);
		if (status == RV_OK || status == RV_NOT_FOUND)
			break;
		struct rv_error why = *err;

		if (status != RV_CONFLICT || !pause_until(r, look, deadline_ms, &status, err)) {
			*err = why;
			return explain(err->status, err);
		}
		if (status != RV_OK)
			return status;
	}
	*ret_removed = true;
	return gone(r, name, deadline_ms, err);
}

static void stream_free(struct rv_resource *base)
{
	struct stream_resource *r = self_of(base);

	rv_firehose_free(r->firehose);
	free(r->bucket_arn);
	free(r->root);
	free(r->role_arn);
	free(r);
}

static const struct rv_resource_ops stream_ops = {
	.kind = "firehose",
	.look = stream_look,
	.make = stream_make,
	.settle = stream_settle,
	.remove = stream_remove,
	.free = stream_free,
};

enum rv_status rv_resource_firehose_new(const struct rv_firehose_stream_params *params,
					struct rv_resource **ret, struct rv_error *err)
{
	struct rv_firehose *firehose;
	struct rv_arn role;
	struct rv_str partition;

	if (strstr(params->lake_prefix, "!{")) {
		rv_fail(err, RV_BAD_CONFIG, "the lake's prefix '%s' has '!{', which Firehose replaces",
			params->lake_prefix);
		rv_hint(err, "choose another prefix, or delivery: direct");
		return err->status;
	}
	if (rv_firehose_new(params->aws, &firehose, err) != RV_OK)
		return err->status;
	if (params->role_arn && rv_arn_parse(params->role_arn, &role))
		partition = role.partition;
	else
		partition = rv_str_of(rv_arn_partition(rv_aws_client_region(rv_firehose_client(firehose))));
	struct stream_resource *r = rv_calloc(1, sizeof(*r));

	r->base.ops = &stream_ops;
	r->aws = params->aws;
	r->firehose = firehose;
	r->bucket_arn = rv_asprintf("arn:%.*s:s3:::%s", (int)partition.len, partition.p, params->bucket);
	r->root = rv_asprintf("%s%s", params->lake_prefix, params->lake_prefix[0] ? "/" : "");
	r->role_arn = params->role_arn ? rv_strdup(params->role_arn) : NULL;
	r->buffer_mib = params->buffer_mib;
	r->buffer_s = params->buffer_s;
	*ret = &r->base;
	return RV_OK;
}

/*
 * The bucket's notification of what lands in the lake. S3 keeps one configuration for the whole
 * bucket, replaces it with every put and has no condition, so between our get and our put somebody
 * else's change can be lost, and ours in theirs. What can be done: the time in between is kept short
 * by looking once more right before the put, and afterwards it is read back until ours is in there.
 */
#include "resource/resource.h"

#include <stdlib.h>
#include <string.h>

#include "aws/notification.h"
#include "aws/s3.h"
#include "base/memory.h"
#include "base/strbuf.h"

#define ATTEMPTS 6
/* Not at once: whoever looked before our put may write right after it. And often: configurations of
 * buckets are eventually consistent, so one that is not there may only not be seen yet. */
#define LOOKS 4
#define LOOK_FIRST_MS 500

struct notification {
	struct rv_resource base;
	struct rv_aws *aws;
	struct rv_s3 *s3;
	char *bucket;
	struct rv_notification wanted[2];
	size_t count;
};

static struct notification *self_of(struct rv_resource *base)
{
	return (struct notification *)base;
}

static enum rv_status explain(enum rv_status status, struct rv_error *err)
{
	if (status == RV_AUTH && strcmp(err->service_code, "AccessDenied") == 0)
		rv_hint(err, "allow s3:GetBucketNotification and s3:PutBucketNotification on the bucket, or "
			     "take notify.arn out of the profile and set the notification up by hand");
	else if (status != RV_OK && strstr(err->message, "validate the following destination"))
		rv_hint(err, "let s3.amazonaws.com tell it of this bucket: river stream create NAME "
			     "--print-policy has the policy of the queue, topic or function");
	else if (status != RV_OK && err->http_status == 501)
		rv_hint(err, "this store has no notifications: take notify.arn out of the profile");
	return status;
}

static enum rv_status fetch(struct notification *n, struct rv_strbuf *ret, struct rv_error *err)
{
	rv_strbuf_clear(ret);
	return explain(rv_s3_get_notification(n->s3, ret, err), err);
}

/* `xml` with all that is wanted in it; *ret_changed: something was not. */
static enum rv_status merge(const struct notification *n, const struct rv_strbuf *xml,
			    struct rv_resource_view *view, struct rv_strbuf *ret, bool *ret_changed,
			    struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;

	*ret_changed = false;
	rv_strbuf_add(&text, xml->bytes, xml->len);
	for (size_t i = 0; i < n->count; i++) {
		RV_CLEANUP(rv_free_p) char *was = NULL;
		enum rv_notification_outcome outcome;

		if (rv_notification_merge(text.bytes, text.len, &n->wanted[i], ret, &outcome, &was, err) !=
		    RV_OK)
			return rv_context(err, "bucket %s", n->bucket);
		rv_strbuf_clear(&text);
		rv_strbuf_add(&text, ret->bytes, ret->len);
		*ret_changed |= outcome != RV_NOTIFICATION_THERE;
		if (view && outcome != RV_NOTIFICATION_THERE)
			rv_resource_view_change(view, n->wanted[i].prefix, was, n->wanted[i].arn);
		if (view && outcome == RV_NOTIFICATION_ADDED && view->action == RV_RESOURCE_UNCHANGED)
			view->action = RV_RESOURCE_CREATE;
		if (view && outcome == RV_NOTIFICATION_CHANGED)
			view->action = RV_RESOURCE_UPDATE;
	}
	return RV_OK;
}

static enum rv_status notification_look(struct rv_resource *base, const struct rv_stream *stream RV_UNUSED,
					struct rv_resource_view *ret, struct rv_error *err)
{
	struct notification *n = self_of(base);
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf now = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf merged = RV_STRBUF_INIT;
	bool changed;

	ret->name = rv_strdup(n->bucket);
	if (fetch(n, &now, err) != RV_OK)
		return err->status;
	return merge(n, &now, ret, &merged, &changed, err);
}

/* Whether all of it is in there and stays. */
static enum rv_status arrived(struct notification *n, bool *ret, struct rv_error *err)
{
	for (unsigned look = 0; look < LOOKS; look++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf now = RV_STRBUF_INIT;
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf merged = RV_STRBUF_INIT;
		bool missing;

		if (rv_http_wait(n->aws->http, (int64_t)LOOK_FIRST_MS << look, err) != RV_OK)
			return err->status;
		if (fetch(n, &now, err) != RV_OK ||
		    merge(n, &now, NULL, &merged, &missing, err) != RV_OK)
			return err->status;
		*ret = !missing;
		if (*ret)
			break;
	}
	return RV_OK;
}

/* *ret_done false: somebody else edits it as well, try again. */
static enum rv_status try_once(struct notification *n, bool *ret_done, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf before = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf merged = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf again = RV_STRBUF_INIT;
	bool changed, same;

	*ret_done = false;
	if (fetch(n, &before, err) != RV_OK || merge(n, &before, NULL, &merged, &changed, err) != RV_OK)
		return err->status;
	if (!changed) { /* somebody was faster */
		*ret_done = true;
		return RV_OK;
	}
	if (fetch(n, &again, err) != RV_OK)
		return err->status;
	if (rv_notification_same(before.bytes, before.len, again.bytes, again.len, &same, err) != RV_OK)
		return rv_context(err, "bucket %s", n->bucket);
	if (!same)
		return RV_OK;
	enum rv_status status = rv_s3_put_notification(n->s3, merged.bytes, merged.len, err);

	return status == RV_OK ? arrived(n, ret_done, err) : explain(status, err);
}

static enum rv_status notification_make(struct rv_resource *base, const struct rv_stream *stream RV_UNUSED,
					const struct rv_resource_view *view RV_UNUSED,
					int64_t deadline_ms RV_UNUSED, struct rv_error *err)
{
	struct notification *n = self_of(base);
	bool done = false;

	for (unsigned i = 0; i < ATTEMPTS; i++) {
		/* Two rivers that met once must not meet again. */
		if (i && rv_http_wait(n->aws->http, rv_http_backoff_ms(i, 500, 5000), err) != RV_OK)
			return err->status;
		if (try_once(n, &done, err) != RV_OK)
			return err->status;
		if (done)
			return RV_OK;
	}
	rv_fail(err, RV_CONFLICT,
		"the notifications of bucket %s are changed by somebody else all the time: river's does not "
		"stay in there", n->bucket);
	rv_hint(err, "find out who writes them (Terraform, CloudFormation), and have river's kept there");
	return err->status;
}

static void notification_free(struct rv_resource *base)
{
	struct notification *n = self_of(base);

	for (size_t i = 0; i < n->count; i++) {
		free((char *)(uintptr_t)n->wanted[i].prefix);
		free((char *)(uintptr_t)n->wanted[i].arn);
	}
	rv_s3_free(n->s3);
	free(n->bucket);
	free(n);
}

/* It has no remove: other streams hear through it, and while there are none it tells of nothing. */
static const struct rv_resource_ops notification_ops = {
	.kind = "notification",
	.of_lake = true,
	.look = notification_look,
	.make = notification_make,
	.free = notification_free,
};

static void add_wanted(struct notification *n, const char *root, const char *place, const char *arn)
{
	if (!arn)
		return;
	n->wanted[n->count++] = (struct rv_notification){
		.prefix = rv_asprintf("%s%s%s", root, root[0] ? "/" : "", place),
		.arn = rv_strdup(arn),
	};
}

enum rv_status rv_resource_notification_new(const struct rv_notification_params *params,
					    struct rv_resource **ret, struct rv_error *err)
{
	struct rv_s3 *s3;

	if (rv_s3_new(params->aws, params->bucket, &s3, err) != RV_OK)
		return err->status;
	struct notification *n = rv_calloc(1, sizeof(*n));

	n->base.ops = &notification_ops;
	n->aws = params->aws;
	n->s3 = s3;
	n->bucket = rv_strdup(params->bucket);
	add_wanted(n, params->lake_prefix, "data/", params->arn);
	add_wanted(n, params->lake_prefix, "_river/landing/", params->landing_arn);
	*ret = &n->base;
	return RV_OK;
}

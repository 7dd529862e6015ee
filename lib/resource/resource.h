/*
 * A resource is what a stream needs besides its objects in the lake and its tables: Firehose's
 * delivery stream, the bucket's notification. Commands look at all of them before they change one.
 *
 * Everything here may be done by two at once and repeated after a kill: what is there already is
 * compared and kept, what is half made is finished.
 */
#ifndef RV_RESOURCE_RESOURCE_H
#define RV_RESOURCE_RESOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "config/stream.h"
#include "store/store.h"

enum rv_resource_action {
	RV_RESOURCE_UNCHANGED, /* it is there as it should be */
	RV_RESOURCE_CREATE,
	RV_RESOURCE_FINISH,    /* it is being made: waited for */
	RV_RESOURCE_REPLACE,   /* making it failed for good: removed, and made again */
	RV_RESOURCE_UPDATE,    /* it is there and differs: `changes` */
	RV_RESOURCE_REMOVE,    /* no look finds that: it goes with its stream */
};
struct rv_resource_change {
	char *key;             /* "buffer.size" */
	char *from, *to;       /* NULL: absent */
};
/* What a look found, and what has to be done about it. */
struct rv_resource_view {
	enum rv_resource_action action;
	char *name;            /* "river-web-clicks" */
	char *state, *arn;     /* Optional: in the service's words */
	struct rv_resource_change *changes;
	size_t count, capacity;
	/* Optional. CREATE and REPLACE: all that it would be made with; `from` is NULL. */
	struct rv_resource_change *fields;
	size_t fields_count, fields_capacity;
};
void rv_resource_view_release(struct rv_resource_view *view);
void rv_resource_view_change(struct rv_resource_view *view, const char *key, const char *from,
			     const char *to);
void rv_resource_view_field(struct rv_resource_view *view, const char *key, const char *value);

struct rv_resource;
struct rv_resource_ops {
	const char *kind;      /* "firehose", "notification" */
	bool of_lake;          /* one for the whole lake: `stream` is NULL then */
	/* Changes nothing. `ret` is empty. RV_CONFLICT: something of that name is somebody else's, and
	 * ret->state is not set; or it is ours and in a state that only a remove helps out of. */
	enum rv_status (*look)(struct rv_resource *, const struct rv_stream *,
			       struct rv_resource_view *ret, struct rv_error *err);
	/* Does what the view says, as far as nobody else has meanwhile; does not wait until it is
	 * ready, but until deadline_ms (monotonic) for what has to be over before. Not called for
	 * UNCHANGED. */
	enum rv_status (*make)(struct rv_resource *, const struct rv_stream *,
			       const struct rv_resource_view *, int64_t deadline_ms,
			       struct rv_error *err);
	/* Optional. Waits until it can be used. */
	enum rv_status (*settle)(struct rv_resource *, const struct rv_stream *, int64_t deadline_ms,
				 struct rv_error *err);
	/* Optional (NULL: it stays). Removes it; one that is not there, or somebody else's, is left
	 * alone: *ret_removed says. */
	enum rv_status (*remove)(struct rv_resource *, const struct rv_stream *, int64_t deadline_ms,
				 bool *ret_removed, struct rv_error *err);
	void (*free)(struct rv_resource *);
};
struct rv_resource {
	const struct rv_resource_ops *ops;
};

/* Those of a profile, the lake's first. */
#define RV_RESOURCES_MAX 4
struct rv_resources {
	struct rv_resource *items[RV_RESOURCES_MAX];
	size_t count;
};
void rv_resources_release(struct rv_resources *resources);

struct rv_aws;
/* Where Firehose's objects of a stream go: below the lake's data/ by hour, errors below _river/. */
struct rv_firehose_stream_params {
	struct rv_aws *aws;
	const char *bucket, *lake_prefix; /* the prefix "" or without slashes at its ends */
	const char *role_arn;             /* Optional, but nothing is made without */
	uint64_t buffer_mib, buffer_s;
};
/* The delivery stream of each stream. All is copied but `aws`. */
enum rv_status rv_resource_firehose_new(const struct rv_firehose_stream_params *params,
					struct rv_resource **ret, struct rv_error *err) RV_MUST_CHECK;

struct rv_notification_params {
	struct rv_aws *aws;
	const char *bucket, *lake_prefix;
	const char *arn, *landing_arn;    /* Optional each: of data/ and of _river/landing/ */
};
/* One bucket notification for the lake's data/, and one for its landing. */
enum rv_status rv_resource_notification_new(const struct rv_notification_params *params,
					    struct rv_resource **ret, struct rv_error *err) RV_MUST_CHECK;

#endif

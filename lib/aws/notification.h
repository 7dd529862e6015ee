/*
 * A bucket's notification configuration, edited as text.
 *
 * S3 replaces the whole of it with every put and has no condition for that, so whatever is in there
 * belongs to others: it is kept byte for byte, known to river or not. river's own configurations
 * have ids that begin with "river-"; S3 takes one configuration for each event and place, so one
 * that overlaps with somebody else's is refused here, with a sentence that says whose.
 *
 * Nothing here talks to anybody; resource/notification.c gets and puts.
 */
#ifndef RV_AWS_NOTIFICATION_H
#define RV_AWS_NOTIFICATION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/strbuf.h"

/* "100 configurations per bucket", quota of Amazon S3; EventBridge does not count. */
#define RV_NOTIFICATION_MAX 100
#define RV_NOTIFICATION_ID_TEXT 32

struct rv_notification {
	const char *prefix; /* of whole keys: "river/data/" */
	const char *arn;    /* of an SQS queue, SNS topic or Lambda function, or "eventbridge" */
};
/* "river-<hash of the prefix>"; returns buf. */
const char *rv_notification_id(const char *prefix, char buf[RV_NOTIFICATION_ID_TEXT]);

enum rv_notification_outcome {
	RV_NOTIFICATION_THERE,   /* it is in there, or another one to the same place covers it */
	RV_NOTIFICATION_ADDED,
	RV_NOTIFICATION_CHANGED, /* river's own was there, going elsewhere */
};
/*
 * `ret` (emptied first) is `xml` with `wanted` in it. `ret_was` (Optional) is where river's own went
 * before (CHANGED; caller frees). RV_CONFLICT: it overlaps with another one, or there are a hundred.
 * RV_BAD_DATA: that is no notification configuration.
 */
enum rv_status rv_notification_merge(const char *xml, size_t len, const struct rv_notification *wanted,
				     struct rv_strbuf *ret, enum rv_notification_outcome *ret_outcome,
				     char **ret_was, struct rv_error *err) RV_MUST_CHECK;

/* Whether two texts say the same, whatever their order and blanks: *ret. */
enum rv_status rv_notification_same(const char *a, size_t a_len, const char *b, size_t b_len,
				    bool *ret, struct rv_error *err) RV_MUST_CHECK;

#endif

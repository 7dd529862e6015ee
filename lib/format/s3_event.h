/*
 * Which objects an event document names: S3's own message, the same inside an SNS envelope (or an
 * SQS body that holds one, alone or as the records that Lambda is given), EventBridge's form, and S3's test
 * message, which names none.
 *
 * Source: Amazon S3 User Guide, "Event message structure" and "EventBridge event message structure";
 * Amazon SNS Developer Guide, "HTTP/HTTPS notification JSON format"; AWS Lambda Developer Guide, "Using Lambda
 * with Amazon SQS" and "... SNS".
 */
#ifndef RV_FORMAT_S3_EVENT_H
#define RV_FORMAT_S3_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define RV_S3_EVENTS_MAX_BYTES (16u << 20)

struct rv_s3_event {
	char *bucket;          /* "" when the message does not say */
	char *key;             /* decoded; never empty */
};
struct rv_s3_events {
	struct rv_s3_event *items;
	size_t count, capacity;
	uint64_t other;        /* records about anything but a created object */
	bool test;             /* the s3:TestEvent was among them */
};

/* One or several documents, one behind the other; adds to `ret`. RV_BAD_DATA for what is none of
 * these forms, with its place; `ret` is to be released either way. */
enum rv_status rv_s3_events_parse(const char *text, size_t len, struct rv_s3_events *ret,
				  struct rv_error *err) RV_MUST_CHECK;
void rv_s3_events_release(struct rv_s3_events *events);

#endif

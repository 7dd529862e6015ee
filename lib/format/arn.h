/*
 * Amazon Resource Names: arn:<partition>:<service>:<region>:<account>:<resource>. Taken apart and
 * looked at; whether what they name exists is for the service to say.
 */
#ifndef RV_FORMAT_ARN_H
#define RV_FORMAT_ARN_H

#include <stdbool.h>

#include "base/strbuf.h"

struct rv_arn {
	struct rv_str partition, service, region, account; /* region and account may be empty */
	struct rv_str resource; /* the rest, colons included: "role/x", "function:f", "queue" */
};
/* Slices of `text`. False: it is no ARN (a part is missing, or a character no ARN has). */
bool rv_arn_parse(const char *text, struct rv_arn *ret);
/* Of this service, and the resource begins with `resource` and goes on; the account is twelve
 * digits. */
bool rv_arn_is(const char *text, const char *service, const char *resource);
/* The partition a region is in: "aws", "aws-cn", "aws-us-gov", ... */
const char *rv_arn_partition(const char *region);

#endif

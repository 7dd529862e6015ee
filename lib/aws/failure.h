/*
 * What an AWS service says when it refuses: the code, message and hints in its error bodies (XML of
 * S3 and STS, JSON of the others, HTML of whatever stands in between, or nothing), and what they
 * mean for river. Sources: S3 API Reference, "Error responses"; botocore.
 */
#ifndef RV_AWS_FAILURE_H
#define RV_AWS_FAILURE_H

#include <stdbool.h>

#include "base/error.h"
#include "http/http.h"

struct rv_aws_failure {
	int http_status;
	char code[64];         /* without prefix and suffix; "" when there is none */
	char message[400];
	char region[64];       /* where the bucket is, when the answer says so; not yet checked */
	char request_id[96];
	bool not_aws;          /* the body is a web page: a proxy or portal answered */
};
void rv_aws_failure_read(const struct rv_http_response *response, struct rv_aws_failure *ret);
/* An <Error> in the body of a 200, or what begins as XML and is none (not_aws); false: it is neither. */
bool rv_aws_failure_in_200(const struct rv_http_response *response, struct rv_aws_failure *ret);

/* The clock of this machine is the reason, or the credentials ran out. */
bool rv_aws_failure_is_clock(const struct rv_aws_failure *failure);
bool rv_aws_failure_is_expired(const struct rv_aws_failure *failure);
/* Nobody has this key, secret or token, or has it any more. */
bool rv_aws_failure_is_wrong_key(const struct rv_aws_failure *failure);

/* Fills err: status, message ("HOST answers 403 AccessDenied: ..."), hint, codes, transient. */
enum rv_status rv_aws_failure_tell(const struct rv_aws_failure *failure, const char *host,
				   struct rv_error *err);

#endif

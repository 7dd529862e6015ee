/*
 * Shared by the files that implement dynamodb.h; nobody else includes this.
 */
#ifndef RV_AWS_DYNAMODB_IMPL_H
#define RV_AWS_DYNAMODB_IMPL_H

#include "aws/dynamodb.h"

#define RV_DYNAMODB_TARGET(operation) "DynamoDB_20120810." operation
/* 16 MiB at a megabit a second; what takes longer has no answer coming. */
#define RV_DYNAMODB_WRITE_TIMEOUT_MS 150000

struct rv_dynamodb {
	struct rv_aws_client *client;
};
void rv_dynamodb_headers(struct rv_http_headers *headers, const char *target);

#endif

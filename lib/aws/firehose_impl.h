/*
 * Shared by the files that implement firehose.h; nobody else includes this.
 */
#ifndef RV_AWS_FIREHOSE_IMPL_H
#define RV_AWS_FIREHOSE_IMPL_H

#include <pthread.h>

#include "aws/firehose.h"

/* A megabyte and a half at 100 kbit/s; what takes longer has no answer coming. */
#define RV_FIREHOSE_PUT_TIMEOUT_MS 120000
/* "Five invocations per second per account" of each control call, a hard limit. */
#define RV_FIREHOSE_CONTROL_GAP_MS 250
/* A role that was just made is not known everywhere yet. */
#define RV_FIREHOSE_ROLE_WAIT_MS 60000

struct rv_firehose {
	struct rv_aws *aws;
	struct rv_aws_client *client;
	struct rv_http_headers put_headers; /* of PutRecordBatch; not changed after new */
	pthread_mutex_t control_lock;
	int64_t control_next_ms;            /* monotonic: no control call before it */
};

#endif

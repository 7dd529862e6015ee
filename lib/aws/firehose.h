/*
 * Amazon Data Firehose's API as river needs it: PutRecordBatch and the calls that make,
 * look at and change delivery streams. delivery/firehose.c decides what is sent when.
 */
#ifndef RV_AWS_FIREHOSE_H
#define RV_AWS_FIREHOSE_H

#include <stdbool.h>
#include <stdint.h>

#include "aws/client.h"
#include "base/error.h"

/* Quotas of Direct PUT, "Amazon Data Firehose Quota". */
#define RV_FIREHOSE_RECORD_MAX 1024000       /* bytes before base64 */
#define RV_FIREHOSE_BATCH_RECORDS 500
#define RV_FIREHOSE_BATCH_BYTES 4000000      /* raw; "4 MiB" and "4 MB" are both written */
#define RV_FIREHOSE_BILLED_BYTES 5120        /* each record is rounded up to this */

struct rv_firehose;
enum rv_status rv_firehose_new(struct rv_aws *aws, struct rv_firehose **ret,
			       struct rv_error *err) RV_MUST_CHECK;
void rv_firehose_free(struct rv_firehose *firehose);
struct rv_aws_client *rv_firehose_client(struct rv_firehose *firehose);

struct rv_firehose_record {
	const char *bytes; /* with its newline */
	size_t len;        /* 1..RV_FIREHOSE_RECORD_MAX */
};
enum rv_firehose_fate {
	RV_FIREHOSE_TAKEN,
	RV_FIREHOSE_REFUSED, /* nothing of it was taken; send it again */
	RV_FIREHOSE_UNKNOWN, /* no believable answer about this record; it may have been taken */
};
struct rv_firehose_result {
	size_t taken, refused, unknown; /* together: the records of the request */
	char code[64], message[256];    /* of the first record that has an error; "": none has */
};
/* What a worker keeps from one request to the next: memory, nothing else. One thread at a time. */
struct rv_firehose_room {
	struct rv_strbuf body;
	struct rv_http_response response;
};
#define RV_FIREHOSE_ROOM_INIT { .body = RV_STRBUF_INIT, .response = RV_HTTP_RESPONSE_INIT }
void rv_firehose_room_release(struct rv_firehose_room *room);

/* One PutRecordBatch, sent once (and once more when it was refused for the clock or for expired
 * or replaced credentials, which were mended). fates[i] belongs to records[i]. RV_OK: an answer that parses and
 * has a result for each; otherwise all fates are UNKNOWN, or REFUSED when it is certain that
 * nothing was taken, and err says why. Thread-safe. */
enum rv_status rv_firehose_put(struct rv_firehose *firehose, const char *stream,
			       const struct rv_firehose_record *records, size_t count,
			       struct rv_firehose_room *room, enum rv_firehose_fate *fates,
			       struct rv_firehose_result *ret, struct rv_error *err) RV_MUST_CHECK;

/* Its two halves, which touch no network: the body, and what an answer of status 200 says. */
void rv_firehose_put_body(struct rv_strbuf *body, const char *stream,
			  const struct rv_firehose_record *records, size_t count);
enum rv_status rv_firehose_read_answer(const char *p, size_t len, size_t count,
				       enum rv_firehose_fate *fates,
				       struct rv_firehose_result *ret,
				       struct rv_error *err) RV_MUST_CHECK;

struct rv_firehose_stream {
	char *name;            /* [a-zA-Z0-9_.-]{1,64} */
	char *role_arn, *bucket_arn;
	char *prefix, *error_prefix; /* with !{timestamp:...} */
	uint64_t buffer_mib, buffer_s;
	char *compression;     /* "GZIP" */
	char *file_extension;  /* ".ndjson.gz" */
	/* Describe also fills: */
	char *status;          /* CREATING, ACTIVE, CREATING_FAILED, DELETING, DELETING_FAILED */
	char *failure;         /* Optional */
	char *arn, *version_id, *destination_id;
	bool other_destination; /* it is no extended S3 destination */
};
void rv_firehose_stream_release(struct rv_firehose_stream *stream);
enum rv_status rv_firehose_create(struct rv_firehose *firehose,
				  const struct rv_firehose_stream *stream,
				  struct rv_error *err) RV_MUST_CHECK;
enum rv_status rv_firehose_describe(struct rv_firehose *firehose, const char *name,
				    struct rv_firehose_stream *ret, struct rv_error *err) RV_MUST_CHECK;
/* `stream` as described, with what has to change changed. */
enum rv_status rv_firehose_update(struct rv_firehose *firehose,
				  const struct rv_firehose_stream *stream,
				  struct rv_error *err) RV_MUST_CHECK;
enum rv_status rv_firehose_delete(struct rv_firehose *firehose, const char *name,
				  struct rv_error *err) RV_MUST_CHECK;

#endif

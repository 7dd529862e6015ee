/*
 * Firehose's control calls: what makes, looks at and changes a delivery stream. They are few, and
 * limited to five a second, so they go through jansson and wait their turn.
 */
#include "aws/firehose.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <jansson.h>

#include "aws/firehose_impl.h"
#include "base/clock.h"
#include "base/memory.h"

#define TARGET(operation) "Firehose_20150804." operation

enum rv_status rv_firehose_new(struct rv_aws *aws, struct rv_firehose **ret, struct rv_error *err)
{
	struct rv_aws_client *client;
	enum rv_status status = rv_aws_client_new(aws, "firehose", &client, err);
	if (status != RV_OK)
		return status;
	struct rv_firehose *firehose = rv_calloc(1, sizeof(*firehose));
	firehose->aws = aws;
	firehose->client = client;
	pthread_mutex_init(&firehose->control_lock, NULL);
	rv_http_headers_add(&firehose->put_headers, "Content-Type", "application/x-amz-json-1.1");
	rv_http_headers_add(&firehose->put_headers, "X-Amz-Target", TARGET("PutRecordBatch"));
	*ret = firehose;
	return RV_OK;
}

void rv_firehose_free(struct rv_firehose *firehose)
{
	if (!firehose)
		return;
	rv_aws_client_free(firehose->client);
	rv_http_headers_release(&firehose->put_headers);
	pthread_mutex_destroy(&firehose->control_lock);
	free(firehose);
}

struct rv_aws_client *rv_firehose_client(struct rv_firehose *firehose)
{
	return firehose->client;
}

void rv_firehose_stream_release(struct rv_firehose_stream *stream)
{
	free(stream->name);
	free(stream->role_arn);
	free(stream->bucket_arn);
	free(stream->prefix);
	free(stream->error_prefix);
	free(stream->compression);
	free(stream->file_extension);
	free(stream->status);
	free(stream->failure);
	free(stream->arn);
	free(stream->version_id);
	free(stream->destination_id);
	*stream = (struct rv_firehose_stream){ 0 };
}

/* One control call, in its turn. `ret_out` Optional. */
static enum rv_status call(struct rv_firehose *firehose, const char *target, const json_t *in,
			   json_t **ret_out, struct rv_error *err)
{
	pthread_mutex_lock(&firehose->control_lock);
	int64_t now = rv_clock_monotonic_ms();
	int64_t at = firehose->control_next_ms > now ? firehose->control_next_ms : now;
	firehose->control_next_ms = at + RV_FIREHOSE_CONTROL_GAP_MS;
	pthread_mutex_unlock(&firehose->control_lock);
	if (at > now && rv_http_wait(firehose->aws->http, at - now, err) != RV_OK)
		return err->status;
	RV_CLEANUP(json_decrefp) json_t *out = NULL;
	enum rv_status status = rv_aws_json(firehose->client, target, in, &out, err);
	if (status == RV_OK && ret_out)
		*ret_out = rv_take(out);
	return status;
}

static void set_text(json_t *object, const char *key, const char *value)
{
	if (value)
		json_object_set_new(object, key, json_string(value));
}

/* What create calls the configuration and update the update: the same members. */
static json_t *destination_json(const struct rv_firehose_stream *stream)
{
	json_t *s3 = json_object();
	set_text(s3, "RoleARN", stream->role_arn);
	set_text(s3, "BucketARN", stream->bucket_arn);
	set_text(s3, "Prefix", stream->prefix);
	set_text(s3, "ErrorOutputPrefix", stream->error_prefix);
	set_text(s3, "CompressionFormat", stream->compression);
	set_text(s3, "FileExtension", stream->file_extension);
	/* both or neither */
	json_object_set_new(s3, "BufferingHints",
			    json_pack("{s:I, s:I}", "SizeInMBs", (json_int_t)stream->buffer_mib,
				      "IntervalInSeconds", (json_int_t)stream->buffer_s));
	return s3;
}

/* "Firehose is unable to assume role ...": IAM has not told everyone about a new role yet. */
static bool role_not_known_yet(const struct rv_error *err)
{
	return strcmp(err->service_code, "InvalidArgumentException") == 0 &&
	       strcasestr(err->message, "unable to assume role") != NULL;
}

/* create and update, which both look at the role. */
static enum rv_status call_with_role(struct rv_firehose *firehose, const char *target,
				     const json_t *in, const char *role_arn, struct rv_error *err)
{
	int64_t deadline = rv_clock_monotonic_ms() + RV_FIREHOSE_ROLE_WAIT_MS;
	for (unsigned attempt = 1;; attempt++) {
		enum rv_status status = call(firehose, target, in, NULL, err);
		if (status == RV_OK || !role_not_known_yet(err))
			return status;
		if (rv_clock_monotonic_ms() >= deadline) {
			rv_hint(err, "let the role %s be assumed by firehose.amazonaws.com: its trust policy "
				     "says who may", role_arn ? role_arn : "");
			return status;
		}
		if (rv_http_wait(firehose->aws->http, 500 + rv_http_backoff_ms(attempt, 1000, 5000), err) !=
		    RV_OK)
			return err->status;
	}
}

enum rv_status rv_firehose_create(struct rv_firehose *firehose,
				  const struct rv_firehose_stream *stream, struct rv_error *err)
{
	RV_CLEANUP(json_decrefp)
	json_t *in = json_pack("{s:s, s:s, s:o}", "DeliveryStreamName", stream->name,
			       "DeliveryStreamType", "DirectPut",
			       "ExtendedS3DestinationConfiguration", destination_json(stream));
	enum rv_status status = call_with_role(firehose, TARGET("CreateDeliveryStream"), in,
					       stream->role_arn, err);
	if (status == RV_OK)
		return RV_OK;
	if (strcmp(err->service_code, "LimitExceededException") == 0) {
		/* the quota of delivery streams: waiting does not help */
		err->transient = false;
		rv_hint(err, "ask for a higher quota of delivery streams in this region, or delete one");
	}
	return rv_context(err, "create the delivery stream %s", stream->name);
}

/* ---- looking ----------------------------------------------------------------- */

static char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? rv_strdup(text) : NULL;
}

static uint64_t number_of(const json_t *object, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(object, key));
	return n > 0 ? (uint64_t)n : 0;
}

static char *failure_of(const json_t *description)
{
	const json_t *failure = json_object_get(description, "FailureDescription");
	const char *type = json_string_value(json_object_get(failure, "Type"));
	const char *details = json_string_value(json_object_get(failure, "Details"));
	if (!type && !details)
		return NULL;
	return rv_asprintf("%s%s%s", type ? type : "", type && details ? ": " : "",
			   details ? details : "");
}

static void read_destination(const json_t *destinations, struct rv_firehose_stream *ret)
{
	const json_t *first = json_array_get(destinations, 0);
	const json_t *s3 = json_object_get(first, "ExtendedS3DestinationDescription");
	ret->destination_id = text_of(first, "DestinationId");
	/* Every destination that goes by way of S3 also has an S3DestinationDescription. */
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)first, key, value)
		if (strcmp(key, "DestinationId") != 0 && strcmp(key, "S3DestinationDescription") != 0 &&
		    strcmp(key, "ExtendedS3DestinationDescription") != 0 && json_is_object(value))
			ret->other_destination = true;
	if (!json_is_object(s3)) {
		ret->other_destination = true;
		return;
	}
	const json_t *hints = json_object_get(s3, "BufferingHints");
	ret->role_arn = text_of(s3, "RoleARN");
	ret->bucket_arn = text_of(s3, "BucketARN");
	ret->prefix = text_of(s3, "Prefix");
	ret->error_prefix = text_of(s3, "ErrorOutputPrefix");
	ret->compression = text_of(s3, "CompressionFormat");
	ret->file_extension = text_of(s3, "FileExtension");
	ret->buffer_mib = number_of(hints, "SizeInMBs");
	ret->buffer_s = number_of(hints, "IntervalInSeconds");
}

enum rv_status rv_firehose_describe(struct rv_firehose *firehose, const char *name,
				    struct rv_firehose_stream *ret, struct rv_error *err)
{
	*ret = (struct rv_firehose_stream){ 0 };
	RV_CLEANUP(json_decrefp) json_t *in = json_pack("{s:s}", "DeliveryStreamName", name);
	RV_CLEANUP(json_decrefp) json_t *out = NULL;
	if (call(firehose, TARGET("DescribeDeliveryStream"), in, &out, err) != RV_OK)
		return rv_context(err, "look at the delivery stream %s", name);
	const json_t *description = json_object_get(out, "DeliveryStreamDescription");
	const char *type = json_string_value(json_object_get(description, "DeliveryStreamType"));
	ret->status = text_of(description, "DeliveryStreamStatus");
	if (!ret->status)
		return rv_fail(err, RV_FAILED,
			       "look at the delivery stream %s: the answer has no DeliveryStreamStatus",
			       name);
	ret->name = rv_strdup(name);
	ret->failure = failure_of(description);
	ret->arn = text_of(description, "DeliveryStreamARN");
	ret->version_id = text_of(description, "VersionId");
	read_destination(json_object_get(description, "Destinations"), ret);
	/* One that reads from Kinesis or Kafka refuses what is put. */
	if (type && strcmp(type, "DirectPut") != 0)
		ret->other_destination = true;
	return RV_OK;
}

/* ---- changing ---------------------------------------------------------------- */

enum rv_status rv_firehose_update(struct rv_firehose *firehose,
				  const struct rv_firehose_stream *stream, struct rv_error *err)
{
	RV_CLEANUP(json_decrefp)
	json_t *in = json_pack("{s:s, s:o}", "DeliveryStreamName", stream->name,
			       "ExtendedS3DestinationUpdate", destination_json(stream));
	set_text(in, "CurrentDeliveryStreamVersionId", stream->version_id);
	set_text(in, "DestinationId", stream->destination_id);
	if (call_with_role(firehose, TARGET("UpdateDestination"), in, stream->role_arn, err) == RV_OK)
		return RV_OK;
	if (strcmp(err->service_code, "ConcurrentModificationException") == 0) {
		err->status = RV_CONFLICT;
		rv_hint(err, "somebody changed it meanwhile: look again, then repeat");
	}
	return rv_context(err, "change the delivery stream %s", stream->name);
}

enum rv_status rv_firehose_delete(struct rv_firehose *firehose, const char *name,
				  struct rv_error *err)
{
	struct rv_firehose_stream now;
	if (rv_firehose_describe(firehose, name, &now, err) != RV_OK)
		return err->status;
	bool going = strcmp(now.status, "DELETING") == 0;
	/* its key's grant cannot be retired: only by force */
	bool force = strcmp(now.status, "DELETING_FAILED") == 0;
	rv_firehose_stream_release(&now);
	if (going)
		return RV_OK;
	RV_CLEANUP(json_decrefp)
	json_t *in = json_pack("{s:s, s:b}", "DeliveryStreamName", name, "AllowForceDelete", force);
	if (call(firehose, TARGET("DeleteDeliveryStream"), in, NULL, err) == RV_OK)
		return RV_OK;
	return rv_context(err, "delete the delivery stream %s", name);
}

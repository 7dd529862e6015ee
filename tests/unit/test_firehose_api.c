/*
 * Firehose's calls over HTTP, against a server in this process: what is sent, and what each answer,
 * or none, says about the records (faults 26, 28, 32, 36 and 37).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "http_world.h"

#include <jansson.h>

#include "aws/firehose.h"

struct reply {
	const char *target;  /* the operation it is for */
	int status;
	const char *fields;
	const char *body;    /* NULL: closes the connection instead, having read the request */
};
struct world {
	struct server server;
	struct rv_aws *aws;
	struct rv_firehose *firehose;
	struct rv_error err;
	const struct reply *replies; /* in this order, then the last one again */
	size_t count;
	atomic_size_t next;
	json_t *bodies[16];          /* of the requests; read after they were answered */
	atomic_size_t bodies_count;
	char authorization[512];
};

static void script(struct peer *peer)
{
	struct world *w = peer->server->arg;
	while (peer_read(peer)) {
		size_t i = atomic_fetch_add(&w->next, 1);
		const struct reply *reply = &w->replies[i < w->count ? i : w->count - 1];
		char target[128];
		snprintf(target, sizeof(target), "\r\nX-Amz-Target: Firehose_20150804.%s\r\n", reply->target);
		if (!strcasestr(peer->head.bytes, target)) {
			peer_answer(peer, 400, "", "{\"__type\":\"TestExpectedAnotherCall\"}");
			continue;
		}
		const char *signed_by = strcasestr(peer->head.bytes, "\r\nAuthorization: ");
		if (signed_by)
			snprintf(w->authorization, sizeof(w->authorization), "%.*s",
				 (int)strcspn(signed_by + 17, "\r"), signed_by + 17);
		size_t n = atomic_load(&w->bodies_count);
		if (n < 16) {
			w->bodies[n] = json_loadb(peer->body.bytes, peer->body.len, 0, NULL);
			atomic_store(&w->bodies_count, n + 1);
		}
		if (!reply->body)
			return;
		if (!peer_answer(peer, reply->status, reply->fields ? reply->fields : "", reply->body))
			return;
	}
}

static int set_up(void **state)
{
	struct world *w = rv_calloc(1, sizeof(*w));
	const struct rv_aws_settings_params settings = { .region = "eu-west-1" };
	const struct rv_http_params http = { 0 };
	http_world_setup(NULL);
	server_start(&w->server, script, w);
	setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "secret", 1);
	setenv("AWS_CONFIG_FILE", "/dev/null", 1);
	setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null", 1);
	setenv("AWS_ENDPOINT_URL", w->server.url, 1);
	unsetenv("AWS_PROFILE");
	unsetenv("AWS_SESSION_TOKEN");
	unsetenv("AWS_ENDPOINT_URL_FIREHOSE");
	unsetenv("AWS_CA_BUNDLE");
	w->err = (struct rv_error)RV_ERROR_INIT;
	assert_int_equal(rv_aws_new(&settings, &http, &w->aws, &w->err), RV_OK);
	assert_int_equal(rv_firehose_new(w->aws, &w->firehose, &w->err), RV_OK);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	rv_firehose_free(w->firehose);
	rv_aws_free(w->aws);
	server_stop(&w->server);
	server_release(&w->server);
	for (size_t i = 0; i < w->bodies_count; i++)
		json_decref(w->bodies[i]);
	free(w);
	return 0;
}

#define REPLIES(w, ...)                                                                            \
	static const struct reply replies_[] = { __VA_ARGS__ };                                    \
	(w)->replies = replies_;                                                                   \
	(w)->count = sizeof(replies_) / sizeof(*replies_)

/* ---- PutRecordBatch ---------------------------------------------------------- */

static const struct rv_firehose_record two[] = { { "{\"a\":1}\n", 8 }, { "{}\n", 3 } };

static enum rv_status put(struct world *w, enum rv_firehose_fate fates[2])
{
	struct rv_firehose_room room = RV_FIREHOSE_ROOM_INIT;
	struct rv_firehose_result result;
	w->err = (struct rv_error)RV_ERROR_INIT;
	enum rv_status status =
		rv_firehose_put(w->firehose, "river-web-clicks", two, 2, &room, fates, &result, &w->err);
	assert_int_equal(result.taken + result.refused + result.unknown, 2);
	rv_firehose_room_release(&room);
	return status;
}

static void assert_put_fails(struct world *w, enum rv_status status, bool transient,
			     enum rv_firehose_fate fate)
{
	enum rv_firehose_fate fates[2];
	assert_int_equal(put(w, fates), status);
	assert_int_equal(w->err.status, status);
	assert_int_equal(w->err.transient, transient);
	assert_int_equal(fates[0], fate);
	assert_int_equal(fates[1], fate);
	/* whoever holds the records decides whether they are sent again */
	assert_int_equal(w->next, 1);
}

#define TAKEN_TWO                                                                                  \
	"{\"FailedPutCount\":0,\"RequestResponses\":[{\"RecordId\":\"a\"},{\"RecordId\":\"b\"}]}"

static void records_are_sent(void **state)
{
	struct world *w = *state;
	enum rv_firehose_fate fates[2];
	REPLIES(w, { "PutRecordBatch", 200, NULL, TAKEN_TWO });
	assert_int_equal(put(w, fates), RV_OK);
	assert_int_equal(put(w, fates), RV_OK);
	assert_int_equal(fates[1], RV_FIREHOSE_TAKEN);
	assert_int_equal(w->server.connections, 1);
	json_t *want = json_pack("{s:s, s:[{s:s}, {s:s}]}", "DeliveryStreamName", "river-web-clicks",
				 "Records", "Data", "eyJhIjoxfQo=", "Data", "e30K");
	assert_true(json_equal(w->bodies[0], want));
	json_decref(want);
	assert_non_null(strstr(w->authorization, "/eu-west-1/firehose/aws4_request"));
}

static void t0029_throttled(void **state)
{
	struct world *w = *state;
	REPLIES(w, { "PutRecordBatch", 503, "Retry-After: 7\r\n",
		     "{\"__type\":\"ServiceUnavailableException\",\"message\":\"Slow down.\"}" });
	assert_put_fails(w, RV_FAILED, true, RV_FIREHOSE_REFUSED);
	assert_int_equal(w->err.retry_after_ms, 7000);
	assert_string_equal(w->err.service_code, "ServiceUnavailableException");
}

static void t0029_too_many_requests(void **state)
{
	struct world *w = *state;
	REPLIES(w, { "PutRecordBatch", 429, NULL, "" });
	assert_put_fails(w, RV_FAILED, true, RV_FIREHOSE_REFUSED);
}

static void failed_inside(void **state)
{
	struct world *w = *state;
	REPLIES(w, { "PutRecordBatch", 500, NULL, "{\"__type\":\"InternalFailure\"}" });
	assert_put_fails(w, RV_FAILED, true, RV_FIREHOSE_UNKNOWN);
}

static void t0037_not_there(void **state)
{
	struct world *w = *state;
	REPLIES(w, { "PutRecordBatch", 400, NULL,
		     "{\"__type\":\"ResourceNotFoundException\",\"message\":\"Firehose x not found.\"}" });
	assert_put_fails(w, RV_NOT_FOUND, false, RV_FIREHOSE_REFUSED);
}

static void t0037_denied(void **state)
{
	struct world *w = *state;
	REPLIES(w, { "PutRecordBatch", 403, NULL, "{\"__type\":\"AccessDeniedException\"}" });
	assert_put_fails(w, RV_AUTH, false, RV_FIREHOSE_REFUSED);
}

static void t0026_closed_without_an_answer(void **state)
{
	struct world *w = *state;
	REPLIES(w, { "PutRecordBatch", 0, NULL, NULL });
	assert_put_fails(w, RV_FAILED, true, RV_FIREHOSE_UNKNOWN);
}

/* The kept connection was closed under the second request: libcurl would send it again by itself. */
static void t0026_no_silent_replay(void **state)
{
	struct world *w = *state;
	enum rv_firehose_fate fates[2];
	REPLIES(w, { "PutRecordBatch", 200, NULL, TAKEN_TWO }, { "PutRecordBatch", 0, NULL, NULL });
	assert_int_equal(put(w, fates), RV_OK);
	assert_int_equal(put(w, fates), RV_FAILED);
	assert_int_equal(fates[0], RV_FIREHOSE_UNKNOWN);
	assert_int_equal(w->next, 2);
}

static void t0032_portal(void **state)
{
	struct world *w = *state;
	REPLIES(w, { "PutRecordBatch", 200, "Content-Type: text/html\r\n", "<html>Welcome</html>" });
	assert_put_fails(w, RV_FAILED, true, RV_FIREHOSE_UNKNOWN);
	assert_non_null(strstr(w->err.hint, "portal"));
}

static void t0036_clock_is_corrected_once(void **state)
{
	struct world *w = *state;
	enum rv_firehose_fate fates[2];
	REPLIES(w,
		{ "PutRecordBatch", 403, "Date: Fri, 01 Jan 2038 00:00:00 GMT\r\n",
		  "{\"__type\":\"InvalidSignatureException\",\"message\":\"Signature expired: 20261120T000000Z "
		  "is now earlier than 20380101T000000Z\"}" },
		{ "PutRecordBatch", 200, NULL, TAKEN_TWO });
	assert_int_equal(put(w, fates), RV_OK);
	assert_int_equal(w->next, 2);
	assert_non_null(strstr(w->authorization, "/20380101/"));
}

static void t0031_nobody_there(void **state)
{
	struct world *w = *state;
	enum rv_firehose_fate fates[2];
	REPLIES(w, { "PutRecordBatch", 200, NULL, TAKEN_TWO });
	server_stop(&w->server);
	assert_int_equal(put(w, fates), RV_FAILED);
	assert_true(w->err.transient);
	assert_int_equal(fates[0], RV_FIREHOSE_REFUSED);
	server_release(&w->server);
	server_start(&w->server, script, w);
}

/* ---- control ----------------------------------------------------------------- */

static struct rv_firehose_stream a_stream(void)
{
	return (struct rv_firehose_stream){
		.name = rv_strdup("river-web-clicks"),
		.role_arn = rv_strdup("arn:aws:iam::123456789012:role/firehose"),
		.bucket_arn = rv_strdup("arn:aws:s3:::bucket"),
		.prefix = rv_strdup("data/"),
		.error_prefix = rv_strdup("errors/"),
		.buffer_mib = 64,
		.buffer_s = 60,
		.compression = rv_strdup("GZIP"),
		.file_extension = rv_strdup(".ndjson.gz"),
		.version_id = rv_strdup("7"),
		.destination_id = rv_strdup("destinationId-000000000001"),
	};
}

static json_t *destination(void)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:{s:i, s:i}}", "RoleARN",
			 "arn:aws:iam::123456789012:role/firehose", "BucketARN", "arn:aws:s3:::bucket", "Prefix",
			 "data/", "ErrorOutputPrefix", "errors/", "CompressionFormat", "GZIP", "FileExtension",
			 ".ndjson.gz", "BufferingHints", "SizeInMBs", 64, "IntervalInSeconds", 60);
}

static void create_waits_for_the_role(void **state)
{
	struct world *w = *state;
	struct rv_firehose_stream stream = a_stream();
	REPLIES(w,
		{ "CreateDeliveryStream", 400, NULL,
		  "{\"__type\":\"InvalidArgumentException\",\"message\":\"Firehose is unable to assume role "
		  "arn:aws:iam::123456789012:role/firehose.\"}" },
		{ "CreateDeliveryStream", 200, NULL, "{\"DeliveryStreamARN\":\"arn\"}" });
	assert_int_equal(rv_firehose_create(w->firehose, &stream, &w->err), RV_OK);
	assert_int_equal(w->next, 2);
	json_t *want = json_pack("{s:s, s:s, s:o}", "DeliveryStreamName", "river-web-clicks",
				 "DeliveryStreamType", "DirectPut", "ExtendedS3DestinationConfiguration",
				 destination());
	assert_true(json_equal(w->bodies[1], want));
	json_decref(want);
	rv_firehose_stream_release(&stream);
}

static void create_refused(void **state)
{
	struct world *w = *state;
	struct rv_firehose_stream stream = a_stream();
	REPLIES(w,
		{ "CreateDeliveryStream", 400, NULL,
		  "{\"__type\":\"LimitExceededException\",\"message\":\"You have already consumed your quota\"}" },
		{ "CreateDeliveryStream", 400, NULL,
		  "{\"__type\":\"ResourceInUseException\",\"message\":\"already exists\"}" },
		{ "CreateDeliveryStream", 400, NULL,
		  "{\"__type\":\"InvalidArgumentException\",\"message\":\"Prefix\"}" });
	assert_int_equal(rv_firehose_create(w->firehose, &stream, &w->err), RV_FAILED);
	assert_false(w->err.transient);
	assert_non_null(strstr(w->err.hint, "quota"));
	assert_non_null(strstr(w->err.message, "create the delivery stream river-web-clicks"));
	assert_int_equal(rv_firehose_create(w->firehose, &stream, &w->err), RV_CONFLICT);
	assert_int_equal(rv_firehose_create(w->firehose, &stream, &w->err), RV_FAILED);
	assert_int_equal(w->next, 3);
	rv_firehose_stream_release(&stream);
}

static void described(void **state)
{
	struct world *w = *state;
	struct rv_firehose_stream seen;
	REPLIES(w, { "DescribeDeliveryStream", 200, NULL,
		     "{\"DeliveryStreamDescription\":{\"DeliveryStreamName\":\"s\",\"DeliveryStreamARN\":\"arn\","
		     "\"DeliveryStreamStatus\":\"ACTIVE\",\"DeliveryStreamType\":\"DirectPut\",\"VersionId\":\"3\","
		     "\"CreateTimestamp\":1.5E9,\"Destinations\":[{\"DestinationId\":\"d1\","
		     "\"ExtendedS3DestinationDescription\":{\"RoleARN\":\"r\",\"BucketARN\":\"b\",\"Prefix\":\"p\","
		     "\"ErrorOutputPrefix\":\"e\",\"BufferingHints\":{\"SizeInMBs\":128,\"IntervalInSeconds\":300},"
		     "\"CompressionFormat\":\"GZIP\",\"FileExtension\":\".ndjson.gz\"},"
		     "\"S3DestinationDescription\":{\"RoleARN\":\"r\"}}],\"HasMoreDestinations\":false}}" });
	assert_int_equal(rv_firehose_describe(w->firehose, "s", &seen, &w->err), RV_OK);
	assert_string_equal(seen.status, "ACTIVE");
	assert_string_equal(seen.version_id, "3");
	assert_string_equal(seen.destination_id, "d1");
	assert_string_equal(seen.role_arn, "r");
	assert_string_equal(seen.bucket_arn, "b");
	assert_string_equal(seen.prefix, "p");
	assert_string_equal(seen.error_prefix, "e");
	assert_string_equal(seen.compression, "GZIP");
	assert_string_equal(seen.file_extension, ".ndjson.gz");
	assert_int_equal(seen.buffer_mib, 128);
	assert_int_equal(seen.buffer_s, 300);
	assert_false(seen.other_destination);
	assert_null(seen.failure);
	rv_firehose_stream_release(&seen);
}

static void described_otherwise(void **state)
{
	struct world *w = *state;
	struct rv_firehose_stream seen;
	REPLIES(w,
		{ "DescribeDeliveryStream", 200, NULL,
		  "{\"DeliveryStreamDescription\":{\"DeliveryStreamStatus\":\"CREATING_FAILED\","
		  "\"FailureDescription\":{\"Type\":\"KMS_ACCESS_DENIED\",\"Details\":\"no\"},"
		  "\"DeliveryStreamType\":\"DirectPut\",\"Destinations\":[{\"DestinationId\":\"d1\","
		  "\"RedshiftDestinationDescription\":{},\"S3DestinationDescription\":{}}]}}" },
		{ "DescribeDeliveryStream", 200, NULL,
		  "{\"DeliveryStreamDescription\":{\"DeliveryStreamStatus\":\"ACTIVE\","
		  "\"DeliveryStreamType\":\"KinesisStreamAsSource\",\"Destinations\":[{\"DestinationId\":\"d1\","
		  "\"ExtendedS3DestinationDescription\":{}}]}}" },
		{ "DescribeDeliveryStream", 200, NULL, "{}" },
		{ "DescribeDeliveryStream", 400, NULL, "{\"__type\":\"ResourceNotFoundException\"}" });
	assert_int_equal(rv_firehose_describe(w->firehose, "s", &seen, &w->err), RV_OK);
	assert_true(seen.other_destination);
	assert_string_equal(seen.failure, "KMS_ACCESS_DENIED: no");
	rv_firehose_stream_release(&seen);
	assert_int_equal(rv_firehose_describe(w->firehose, "s", &seen, &w->err), RV_OK);
	assert_true(seen.other_destination);
	rv_firehose_stream_release(&seen);
	assert_int_equal(rv_firehose_describe(w->firehose, "s", &seen, &w->err), RV_FAILED);
	assert_int_equal(rv_firehose_describe(w->firehose, "s", &seen, &w->err), RV_NOT_FOUND);
	assert_non_null(strstr(w->err.message, "look at the delivery stream s"));
}

static void updated(void **state)
{
	struct world *w = *state;
	struct rv_firehose_stream stream = a_stream();
	REPLIES(w, { "UpdateDestination", 200, NULL, "{}" },
		{ "UpdateDestination", 400, NULL, "{\"__type\":\"ConcurrentModificationException\"}" });
	assert_int_equal(rv_firehose_update(w->firehose, &stream, &w->err), RV_OK);
	json_t *want = json_pack("{s:s, s:s, s:s, s:o}", "DeliveryStreamName", "river-web-clicks",
				 "CurrentDeliveryStreamVersionId", "7", "DestinationId",
				 "destinationId-000000000001", "ExtendedS3DestinationUpdate", destination());
	assert_true(json_equal(w->bodies[0], want));
	json_decref(want);
	assert_int_equal(rv_firehose_update(w->firehose, &stream, &w->err), RV_CONFLICT);
	assert_non_null(strstr(w->err.hint, "look again"));
	rv_firehose_stream_release(&stream);
}

static void deleted(void **state)
{
	struct world *w = *state;
	REPLIES(w,
		{ "DescribeDeliveryStream", 200, NULL,
		  "{\"DeliveryStreamDescription\":{\"DeliveryStreamStatus\":\"ACTIVE\"}}" },
		{ "DeleteDeliveryStream", 200, NULL, "{}" },
		{ "DescribeDeliveryStream", 200, NULL,
		  "{\"DeliveryStreamDescription\":{\"DeliveryStreamStatus\":\"DELETING_FAILED\"}}" },
		{ "DeleteDeliveryStream", 200, NULL, "{}" },
		{ "DescribeDeliveryStream", 200, NULL,
		  "{\"DeliveryStreamDescription\":{\"DeliveryStreamStatus\":\"DELETING\"}}" },
		{ "DescribeDeliveryStream", 400, NULL, "{\"__type\":\"ResourceNotFoundException\"}" });
	for (int i = 0; i < 3; i++)
		assert_int_equal(rv_firehose_delete(w->firehose, "s", &w->err), RV_OK);
	assert_true(json_is_false(json_object_get(w->bodies[1], "AllowForceDelete")));
	assert_true(json_is_true(json_object_get(w->bodies[3], "AllowForceDelete")));
	assert_int_equal(rv_firehose_delete(w->firehose, "s", &w->err), RV_NOT_FOUND);
	assert_int_equal(w->next, 6);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(records_are_sent),
		TEST(t0029_throttled),
		TEST(t0029_too_many_requests),
		TEST(failed_inside),
		TEST(t0037_not_there),
		TEST(t0037_denied),
		TEST(t0026_closed_without_an_answer),
		TEST(t0026_no_silent_replay),
		TEST(t0032_portal),
		TEST(t0036_clock_is_corrected_once),
		TEST(t0031_nobody_there),
		TEST(create_waits_for_the_role),
		TEST(create_refused),
		TEST(described),
		TEST(described_otherwise),
		TEST(updated),
		TEST(deleted),
	};
	return cmocka_run_group_tests_name("firehose api", tests, NULL, NULL);
}

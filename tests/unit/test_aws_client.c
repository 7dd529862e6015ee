/* Where requests go, what is mended by itself, and what is told when it cannot be. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "aws/failure.h"
#include "aws_world.h"

#define XML_ERROR(code) "<?xml version=\"1.0\"?><Error><Code>" code "</Code><Message>no</Message></Error>"

static struct rv_error err;
static struct world w;

static enum rv_status send_one(const char *service, const struct rv_aws_request *request)
{
	RV_CLEANUP(rv_http_response_release) struct rv_http_response response = RV_HTTP_RESPONSE_INIT;
	RV_CLEANUP(rv_aws_client_free_p) struct rv_aws_client *client = NULL;

	err = (struct rv_error)RV_ERROR_INIT;
	if (rv_aws_client_new(w.aws, service, &client, &err) != RV_OK)
		return err.status;
	return rv_aws_send(client, request, NULL, &response, NULL, &err);
}

static enum rv_status get_k(void)
{
	const struct rv_aws_request request = { .method = "GET", .bucket = "b", .path = "/k",
						.body = RV_HTTP_NO_BODY };

	return send_one("s3", &request);
}

static void says(const char *message, const char *hint)
{
	if (!strstr(err.message, message) || (hint && !strstr(err.hint, hint)))
		fail_msg("'%s' (%s) does not say '%s' (%s)", err.message, err.hint, message, hint);
}

/* ---- addresses ---- */

/* What lies before the query of a presigned URL; nothing is sent. */
static void expect_url(const struct rv_aws_settings_params *settings, const char *bucket,
		       const char *path, const char *want)
{
	const struct rv_http_params http = { 0 };
	const struct rv_aws_request request = { .method = "GET", .bucket = bucket, .path = path,
						.body = RV_HTTP_NO_BODY };
	RV_CLEANUP(rv_aws_free_p) struct rv_aws *aws = NULL;
	RV_CLEANUP(rv_aws_client_free_p) struct rv_aws_client *client = NULL;
	RV_CLEANUP(rv_free_p) char *url = NULL;

	if (rv_aws_new(settings, &http, &aws, &err) != RV_OK ||
	    rv_aws_client_new(aws, "s3", &client, &err) != RV_OK ||
	    rv_aws_presign(client, &request, 60, &url, &err) != RV_OK)
		fail_msg("%s", err.message);
	*strchr(url, '?') = '\0';
	assert_string_equal(url, want);
}

static void test_addresses(void **state RV_UNUSED)
{
	const struct rv_aws_settings_params aws = { .region = "eu-west-1" };
	const struct rv_aws_settings_params path = { .region = "eu-west-1", .addressing_style = "path" };
	const struct rv_aws_settings_params minio = { .endpoint_url = "https://minio.example:9000/s3/" };
	const struct rv_aws_settings_params named = { .endpoint_url = "https://s3.example:443",
						      .addressing_style = "virtual" };
	const struct rv_aws_settings_params local = { .endpoint_url = "http://localhost:80",
						      .addressing_style = "virtual" };
	const struct rv_aws_settings_params number = { .endpoint_url = "http://10.0.0.1:9000",
						       .addressing_style = "virtual" };
	const struct rv_aws_settings_params six = { .endpoint_url = "http://[::1]:9000",
						    .addressing_style = "virtual" };

	expect_url(&aws, "lake", "/a%20b", "https://lake.s3.eu-west-1.amazonaws.com/a%20b");
	expect_url(&aws, "lake", NULL, "https://lake.s3.eu-west-1.amazonaws.com/");
	/* no certificate is for two labels, and DNS knows no capitals */
	expect_url(&aws, "my.lake", "/k", "https://s3.eu-west-1.amazonaws.com/my.lake/k");
	expect_url(&aws, "Lake", "/k", "https://s3.eu-west-1.amazonaws.com/Lake/k");
	expect_url(&path, "lake", "/k", "https://s3.eu-west-1.amazonaws.com/lake/k");
	expect_url(&minio, "lake", "/k", "https://minio.example:9000/s3/lake/k");
	expect_url(&named, "lake", "/k", "https://lake.s3.example/k");
	expect_url(&local, "lake", "/k", "http://localhost/lake/k");
	expect_url(&number, "lake", "/k", "http://10.0.0.1:9000/lake/k");
	expect_url(&six, "lake", "/k", "http://[::1]:9000/lake/k");
}

static void test_endpoints_that_are_none(void **state RV_UNUSED)
{
	static const char *const wrong[] = { "ftp://host", "https://", "https://me:secret@host",
					     "https://host?x=1", "host:9000" };
	const struct rv_http_params http = { 0 };

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		const struct rv_aws_settings_params settings = { .endpoint_url = wrong[i] };
		struct rv_aws *aws = NULL;
		struct rv_aws_client *client = NULL;
		enum rv_status status = rv_aws_new(&settings, &http, &aws, &err);

		if (status == RV_OK)
			status = rv_aws_client_new(aws, "s3", &client, &err);
		assert_int_equal(status, RV_BAD_CONFIG);
		rv_aws_free(aws);
	}
}

static void test_a_region_is_needed_at_aws_only(void **state RV_UNUSED)
{
	const struct rv_http_params http = { 0 };
	const struct rv_aws_settings_params nothing = { 0 }, own = { .endpoint_url = "http://h:1" };
	struct rv_aws *aws = NULL;
	struct rv_aws_client *client = NULL;

	unsetenv("AWS_REGION");
	assert_int_equal(rv_aws_new(&nothing, &http, &aws, &err), RV_OK);
	assert_int_equal(rv_aws_client_new(aws, "s3", &client, &err), RV_BAD_CONFIG);
	rv_aws_free_p(&aws);
	assert_int_equal(rv_aws_new(&own, &http, &aws, &err), RV_OK);
	assert_int_equal(rv_aws_client_new(aws, "s3", &client, &err), RV_OK);
	assert_string_equal(rv_aws_client_region(client), "us-east-1");
	assert_true(rv_aws_client_is_custom(client));
	rv_aws_client_free(client);
	rv_aws_free_p(&aws);
	setenv("AWS_REGION", "us-east-1", 1);
}

/* ---- the region of a bucket ---- */

static void test_a_region_that_the_answer_names(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		{ "GET /b/k ", "/us-east-1/s3/aws4_request", .status = 400,
		  .body = "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></Error>" },
		{ "GET /b/k ", "/eu-west-1/s3/aws4_request", .status = 200 },
		/* HEAD has no body */
		{ "HEAD /b/k ", "/us-east-1/s3/aws4_request", .status = 400,
		  .fields = "x-amz-bucket-region: eu-west-1\r\n" },
		{ "HEAD /b/k ", "/eu-west-1/s3/aws4_request", .status = 200 },
	};
	const struct rv_aws_request head = { .method = "HEAD", .bucket = "b", .path = "/k",
					     .body = RV_HTTP_NO_BODY };

	WORLD(&w, steps);
	assert_int_equal(get_k(), RV_OK);
	assert_int_equal(send_one("s3", &head), RV_OK);
	assert_non_null(strstr(w.trace.bytes, "the bucket is in eu-west-1, not in us-east-1"));
	world_stop(&w);
}

static void test_a_region_only_once(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		{ "GET /b/k ", "/us-east-1/s3/", .status = 400, .fields = "x-amz-bucket-region: eu-west-1\r\n",
		  .body = XML_ERROR("AuthorizationHeaderMalformed") },
		{ "GET /b/k ", "/eu-west-1/s3/", .status = 400, .fields = "x-amz-bucket-region: eu-west-2\r\n",
		  .body = XML_ERROR("AuthorizationHeaderMalformed") },
	};

	WORLD(&w, steps);
	assert_int_equal(get_k(), RV_BAD_CONFIG);
	says("AuthorizationHeaderMalformed", "set aws.region of the profile to eu-west-2");
	world_stop(&w);
}

/* 33: what an answer says becomes part of a host name only when it is a region. */
static void test_33_a_region_that_is_none(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		{ "GET /b/k ", .status = 400, .fields = "x-amz-bucket-region: evil.example/\r\n",
		  .body = XML_ERROR("AuthorizationHeaderMalformed") },
		{ "GET /b/k ", .status = 301, .fields = "x-amz-bucket-region: eu-west-1\r\n",
		  .body = XML_ERROR("PermanentRedirect") },
	};

	WORLD(&w, steps);
	assert_int_equal(get_k(), RV_BAD_CONFIG);
	/* a bucket of another endpoint: that is for the user to say */
	assert_int_equal(get_k(), RV_BAD_CONFIG);
	says("301 PermanentRedirect", "eu-west-1");
	world_stop(&w);
}

static void test_33_redirects(void **state RV_UNUSED)
{
	char here[128], tls[128];
	struct step steps[] = {
		{ "GET /b/k ", .status = 307, .fields = "Location: http://127.0.0.1:1/b/k\r\n",
		  .body = XML_ERROR("TemporaryRedirect") },
		{ "GET /b/k ", .status = 307, .fields = tls, .body = XML_ERROR("TemporaryRedirect") },
		{ "GET /b/k ", .status = 307, .fields = here, .body = XML_ERROR("TemporaryRedirect") },
		{ "GET /b/k ", "Authorization: AWS4-HMAC-SHA256 ", .status = 200 },
		{ "GET /b/k ", .status = 307, .fields = here, .body = XML_ERROR("TemporaryRedirect") },
		{ "GET /b/k ", .status = 307, .fields = here, .body = XML_ERROR("TemporaryRedirect") },
	};

	WORLD(&w, steps);
	snprintf(here, sizeof(here), "Location: http://127.0.0.1:%d/b/k\r\n", w.server.port);
	snprintf(tls, sizeof(tls), "Location: https://127.0.0.1:%d/b/k\r\n", w.server.port);
	/* another host, another scheme: never */
	assert_int_equal(get_k(), RV_BAD_CONFIG);
	assert_int_equal(get_k(), RV_BAD_CONFIG);
	/* the very same: once */
	assert_int_equal(get_k(), RV_OK);
	assert_int_equal(get_k(), RV_BAD_CONFIG);
	world_stop(&w);
}

/* ---- clock and credentials ---- */

static void test_36_the_clock(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		{ "GET /b/k ", .status = 403, .fields = "Date: Sat, 05 Jan 2036 10:00:00 GMT\r\n",
		  .body = XML_ERROR("RequestTimeTooSkewed") },
		{ "GET /b/k ", "X-Amz-Date: 20360105T10000", .status = 200 },
		/* remembered */
		{ "GET /b/k ", "X-Amz-Date: 20360105T1000", .status = 403,
		  .fields = "Date: Sat, 05 Jan 2036 10:00:01 GMT\r\n", .body = XML_ERROR("RequestTimeTooSkewed") },
		/* and mended once a call, however often it is said */
		{ "GET /b/k ", "X-Amz-Date: 20360105T1000", .status = 403,
		  .fields = "Date: Sat, 05 Jan 2036 10:00:01 GMT\r\n", .body = XML_ERROR("RequestTimeTooSkewed") },
	};

	WORLD(&w, steps);
	assert_int_equal(get_k(), RV_OK);
	assert_non_null(strstr(w.trace.bytes, "s behind that of 127.0.0.1"));
	assert_int_equal(get_k(), RV_AUTH);
	says("RequestTimeTooSkewed", "set the clock of this machine");
	world_stop(&w);
}

static void test_36_the_clock_of_other_services(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		{ "POST / ", .status = 400, .fields = "Date: Sat, 05 Jan 2036 10:00:00 GMT\r\n",
		  .body = "{\"__type\":\"InvalidSignatureException\",\"message\":\"Signature expired: 1 is now earlier\"}" },
		{ "POST / ", "X-Amz-Date: 20360105T10000", .status = 200, .body = "{\"a\":1}" },
		/* a HEAD cannot say it; the date does */
		{ "HEAD /b/ ", "X-Amz-Date: 20360105T1000", .status = 403,
		  .fields = "Date: Sun, 06 Jan 2036 10:00:00 GMT\r\n" },
		{ "HEAD /b/ ", "X-Amz-Date: 20360106T10000", .status = 200 },
	};
	const struct rv_aws_request head = { .method = "HEAD", .bucket = "b", .body = RV_HTTP_NO_BODY };
	RV_CLEANUP(rv_aws_client_free_p) struct rv_aws_client *client = NULL;
	json_t *in = json_object(), *out = NULL;

	WORLD(&w, steps);
	assert_int_equal(rv_aws_client_new(w.aws, "firehose", &client, &err), RV_OK);
	assert_int_equal(rv_aws_json(client, "Firehose_20150804.X", in, &out, &err), RV_OK);
	assert_int_equal(json_integer_value(json_object_get(out, "a")), 1);
	json_decref(in);
	json_decref(out);
	assert_int_equal(send_one("s3", &head), RV_OK);
	world_stop(&w);
}

/* The keys are right: who is told otherwise makes new ones. */
static void test_a_region_of_other_services(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		{ "POST / ", .status = 403,
		  .body = "{\"__type\":\"InvalidSignatureException\",\"message\":"
			  "\"Credential should be scoped to a valid region, not 'us-west-2'. \"}" },
	};
	RV_CLEANUP(rv_aws_client_free_p) struct rv_aws_client *client = NULL;
	json_t *in = json_object(), *out = NULL;

	WORLD(&w, steps);
	assert_int_equal(rv_aws_client_new(w.aws, "firehose", &client, &err), RV_OK);
	assert_int_equal(rv_aws_json(client, "Firehose_20150804.X", in, &out, &err), RV_AUTH);
	says("scoped to a valid region", "look at aws.region and aws.endpoint_url");
	json_decref(in);
	world_stop(&w);
}

static void test_a_clock_that_is_right_is_left_alone(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		{ "GET /b/k ", .status = 403, .body = XML_ERROR("SignatureDoesNotMatch") },
		{ "GET /b/k ", .status = 400, .body = XML_ERROR("InvalidToken") },
		{ "GET /b/k ", .status = 403, .body = XML_ERROR("AccessDenied") },
	};

	WORLD(&w, steps);
	assert_int_equal(get_k(), RV_AUTH);
	says("403 SignatureDoesNotMatch", "these are not the right keys");
	assert_int_equal(get_k(), RV_AUTH);
	says("400 InvalidToken", "these are not the right keys");
	assert_int_equal(get_k(), RV_AUTH);
	says("403 AccessDenied: no", "need permission");
	assert_string_equal(err.service_code, "AccessDenied");
	assert_int_equal(err.http_status, 403);
	assert_false(err.transient);
	world_stop(&w);
}

static void test_34_credentials_that_expired(void **state RV_UNUSED)
{
	static const char first[] = "{\"AccessKeyId\":\"ASIAFIRST\",\"SecretAccessKey\":\"s\",\"Token\":\"t1\","
				    "\"Expiration\":\"2036-01-01T00:00:00Z\"}";
	static const char second[] = "{\"AccessKeyId\":\"ASIASECOND\",\"SecretAccessKey\":\"s\",\"Token\":\"t2\","
				     "\"Expiration\":\"2036-01-01T00:00:00Z\"}";
	static const struct step steps[] = {
		{ "GET /credentials ", .status = 200, .body = first },
		{ "GET /b/k ", "Credential=ASIAFIRST/", .status = 400, .body = XML_ERROR("ExpiredToken") },
		{ "GET /credentials ", .status = 200, .body = second },
		{ "GET /b/k ", "Credential=ASIASECOND/", .status = 200 },
		{ "GET /b/k ", "X-Amz-Security-Token: t2", .status = 400, .body = XML_ERROR("ExpiredToken") },
		{ "GET /credentials ", .status = 200, .body = first },
		/* once a call: then it is told */
		{ "GET /b/k ", "Credential=ASIAFIRST/", .status = 400, .body = XML_ERROR("ExpiredToken") },
	};
	RV_CLEANUP(rv_free_p) char *url = NULL;

	WORLD(&w, steps);
	url = rv_asprintf("%s/credentials", w.server.url);
	unsetenv("AWS_ACCESS_KEY_ID");
	unsetenv("AWS_SECRET_ACCESS_KEY");
	setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url, 1);
	assert_int_equal(get_k(), RV_OK);
	assert_int_equal(get_k(), RV_AUTH);
	says("ExpiredToken", "get new ones");
	world_environment();
	world_stop(&w);
}

/* Keys that were rotated are read anew, and what is nobody's is asked for again: once, if it differs. */
static void test_34_keys_that_were_replaced(void **state RV_UNUSED)
{
	static const char first[] = "{\"AccessKeyId\":\"ASIAFIRST\",\"SecretAccessKey\":\"s\",\"Token\":\"t1\"}";
	static const char second[] = "{\"AccessKeyId\":\"ASIASECOND\",\"SecretAccessKey\":\"s\",\"Token\":\"t2\"}";
	static const struct step steps[] = {
		{ "GET /credentials ", .status = 200, .body = first },
		{ "GET /b/k ", "Credential=ASIAFIRST/", .status = 403, .body = XML_ERROR("InvalidClientTokenId") },
		{ "GET /credentials ", .status = 200, .body = second },
		{ "GET /b/k ", "Credential=ASIASECOND/", .status = 200 },
		/* the same again: not sent again */
		{ "GET /b/k ", "Credential=ASIASECOND/", .status = 400,
		  .body = "{\"__type\":\"UnrecognizedClientException\",\"message\":\"no\"}" },
		{ "GET /credentials ", .status = 200, .body = second },
		/* no reason to ask */
		{ "GET /b/k ", "Credential=ASIASECOND/", .status = 403, .body = XML_ERROR("AccessDenied") },
	};
	RV_CLEANUP(rv_free_p) char *url = NULL;

	WORLD(&w, steps);
	url = rv_asprintf("%s/credentials", w.server.url);
	unsetenv("AWS_ACCESS_KEY_ID");
	unsetenv("AWS_SECRET_ACCESS_KEY");
	setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url, 1);
	assert_int_equal(get_k(), RV_OK);
	assert_int_equal(get_k(), RV_AUTH);
	says("UnrecognizedClientException", "not the right keys");
	assert_int_equal(get_k(), RV_AUTH);
	says("AccessDenied", "need permission");
	world_environment();
	world_stop(&w);
}

static void test_keys_that_never_change_are_not_fetched_again(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		{ "GET /b/k ", .status = 400, .body = XML_ERROR("ExpiredToken") },
	};

	WORLD(&w, steps);
	assert_int_equal(get_k(), RV_AUTH);
	world_stop(&w);
}

/* ---- weather ---- */

static void test_29_slow_down_then_well(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		{ "GET /b/k ", .status = 503, .body = XML_ERROR("SlowDown") },
		{ "GET /b/k ", .status = 500, .body = "<html>busy</html>" },
		{ "GET /b/k ", .status = 400, .body = XML_ERROR("RequestTimeout") },
		{ "GET /b/k ", .status = 0 },
		{ "GET /b/k ", .status = 200 },
	};

	WORLD(&w, steps);
	assert_int_equal(get_k(), RV_OK);
	world_stop(&w);
}

static void test_what_is_not_tried_again(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		{ "GET /b/k ", .status = 404, .body = XML_ERROR("NoSuchBucket") },
		{ "GET /b/k ", .status = 404 },
		{ "GET /b/k ", .status = 412, .body = XML_ERROR("PreconditionFailed") },
		{ "GET /b/k ", .status = 501, .body = XML_ERROR("NotImplemented") },
		{ "GET /b/k ", .status = 400, .fields = "x-amz-request-id: R1\r\n",
		  .body = XML_ERROR("InvalidRequest") },
	};

	WORLD(&w, steps);
	assert_int_equal(get_k(), RV_NOT_FOUND);
	says("404 NoSuchBucket", "make the bucket");
	assert_int_equal(get_k(), RV_NOT_FOUND);
	assert_int_equal(get_k(), RV_CONFLICT);
	assert_int_equal(get_k(), RV_FAILED);
	assert_int_equal(err.http_status, 501);
	assert_int_equal(get_k(), RV_FAILED);
	assert_string_equal(err.request_id, "R1");
	world_stop(&w);
}

static void test_not_repeatable(void **state RV_UNUSED)
{
	static const struct step steps[] = { { "POST / ", .status = 0 } };
	const struct rv_aws_request request = {
		.method = "POST",
		.body = { .bytes = "{}", .fd = -1, .len = 2 },
		.not_repeatable = true,
	};

	WORLD(&w, steps);
	assert_int_equal(send_one("firehose", &request), RV_FAILED);
	world_stop(&w);
}

static void test_57_an_error_within_a_200(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		{ "POST /b/k ", .status = 200, .body = "  \n\n" XML_ERROR("InternalError") },
		/* damaged on the way: whatever it was, it does not say that all is well */
		{ "POST /b/k ", .status = 200, .body = "<Error><Code>InternalError</Co" },
		{ "POST /b/k ", .status = 200, .body = XML_ERROR("NoSuchUpload") },
	};
	const struct rv_aws_request request = { .method = "POST", .bucket = "b", .path = "/k",
						.body = RV_HTTP_NO_BODY, .error_in_200 = true };

	WORLD(&w, steps);
	assert_int_equal(send_one("s3", &request), RV_NOT_FOUND);
	assert_string_equal(err.service_code, "NoSuchUpload");
	world_stop(&w);
}

static void test_32_a_portal_answers(void **state RV_UNUSED)
{
	static const char page[] = "<!doctype html><html><body>log in</body></html>";
	static const struct step steps[] = {
		{ "POST / ", .status = 200, .body = page },
		{ "POST / ", .status = 200, .body = "" },
		{ "POST / ", .status = 200, .body = "{\"a\":" },
		{ "GET /b/k ", .status = 403, .body = page },
	};
	RV_CLEANUP(rv_aws_client_free_p) struct rv_aws_client *client = NULL;
	json_t *in = json_object(), *out = NULL;

	WORLD(&w, steps);
	assert_int_equal(rv_aws_client_new(w.aws, "firehose", &client, &err), RV_OK);
	assert_int_equal(rv_aws_json(client, "X.Y", in, &out, &err), RV_FAILED);
	assert_null(out);
	json_decref(in);
	assert_int_equal(get_k(), RV_AUTH);
	says("something that is not its service", "proxy or portal");
	world_stop(&w);
}

/* ---- payloads ---- */

static void test_payload_hashes(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		/* "{}" */
		{ "PUT /b/k ", "x-amz-content-sha256: 44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
		  .status = 200 },
		{ "GET /b/k ", "x-amz-content-sha256: " RV_SHA256_EMPTY, .status = 200 },
		{ "PUT /b/k ", "x-amz-content-sha256: " RV_UNSIGNED_PAYLOAD, .status = 200 },
		{ "POST / ", "Authorization: ", "x-amz-content-sha256", .status = 200 },
		{ "POST / ", "User-Agent: river/", "Authorization: ", .status = 200 },
	};
	RV_CLEANUP(rv_http_headers_release) struct rv_http_headers headers = { 0 };
	struct rv_aws_request put = { .method = "PUT", .bucket = "b", .path = "/k", .headers = &headers,
				      .body = { .bytes = "{}", .fd = -1, .len = 2 } };
	struct rv_aws_request post = { .method = "POST", .body = { .bytes = "{}", .fd = -1, .len = 2 } };

	/* over plain HTTP the hash is sent whatever checksum there is */
	rv_http_headers_set(&headers, "x-amz-checksum-crc32c", "AAAAAA==");
	WORLD(&w, steps);
	assert_int_equal(send_one("s3", &put), RV_OK);
	assert_int_equal(get_k(), RV_OK);
	put.payload_hash = RV_UNSIGNED_PAYLOAD;
	assert_int_equal(send_one("s3", &put), RV_OK);
	assert_int_equal(send_one("firehose", &post), RV_OK);
	post.unsigned_request = true;
	assert_int_equal(send_one("firehose", &post), RV_OK);
	world_stop(&w);
}

/* ---- codes ---- */

static void test_codes(void **state RV_UNUSED)
{
	assert_true(rv_aws_code_throttle("SlowDown", 503));
	assert_true(rv_aws_code_throttle("ThrottlingException", 400));
	assert_true(rv_aws_code_throttle("", 429));
	assert_false(rv_aws_code_throttle("LimitExceededException", 400));
	assert_true(rv_aws_code_transient("", 502));
	assert_true(rv_aws_code_transient("RequestTimeout", 400));
	assert_true(rv_aws_code_transient("ConditionalRequestConflict", 409));
	assert_false(rv_aws_code_transient("LimitExceededException", 400));
	assert_false(rv_aws_code_transient("NotImplemented", 501));
	assert_int_equal(rv_aws_code_status("ResourceNotFoundException", 400), RV_NOT_FOUND);
	assert_int_equal(rv_aws_code_status("ResourceInUseException", 400), RV_CONFLICT);
	assert_int_equal(rv_aws_code_status("UnrecognizedClientException", 400), RV_AUTH);
	assert_int_equal(rv_aws_code_status("InvalidArgumentException", 400), RV_FAILED);
	assert_int_equal(rv_aws_code_status("", 407), RV_BAD_CONFIG);
	assert_int_equal(rv_aws_code_status("", 500), RV_FAILED);
}

static void expect_failure(const char *fields, const char *body, const char *code, const char *message)
{
	struct rv_http_response response = RV_HTTP_RESPONSE_INIT;
	struct rv_aws_failure failure;

	response.status = 400;
	if (fields)
		rv_http_headers_set(&response.headers, "x-amzn-ErrorType", fields);
	rv_strbuf_puts(&response.body, body);
	rv_aws_failure_read(&response, &failure);
	assert_string_equal(failure.code, code);
	assert_string_equal(failure.message, message);
	rv_http_response_release(&response);
}

static void test_bodies_of_errors(void **state RV_UNUSED)
{
	expect_failure(NULL, "<ErrorResponse xmlns=\"u\"><Error><Type>Sender</Type><Code>ExpiredToken</Code>"
			     "<Message>m</Message></Error><RequestId>1</RequestId></ErrorResponse>",
		       "ExpiredToken", "m");
	expect_failure(NULL, "{\"__type\":\"com.amazonaws.x#ThrottlingException\",\"Message\":\"m\"}",
		       "ThrottlingException", "m");
	expect_failure("ThrottlingException:http://internal.example/", "{\"message\":\"m\"}",
		       "ThrottlingException", "m");
	expect_failure(NULL, "", "", "");
	expect_failure(NULL, "{\"__type\":7}", "", "");
	expect_failure(NULL, "{\"__type\":\"a b<c>\"}", "", "");
	expect_failure(NULL, "[1]", "", "");
	expect_failure(NULL, "<html>", "", "");
}

static void test_no_token_is_repeated(void **state RV_UNUSED)
{
	struct rv_aws_failure failure = { .http_status = 403, .code = "InvalidSignatureException" };
	struct rv_error why = RV_ERROR_INIT;

	snprintf(failure.message, sizeof(failure.message),
		 "The Canonical String for this request should have been 'POST\n/\n\nhost:h\n"
		 "x-amz-security-token:IQoJb3JpZ2lu\n\nhost'");
	assert_int_equal(rv_aws_failure_tell(&failure, "h", &why), RV_AUTH);
	assert_null(strstr(why.message, "IQoJ"));
	assert_non_null(strstr(why.message, "x-amz-security-token:***"));
}

static int set_up(void **state)
{
	world_environment();
	return http_world_setup(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_endpoints_that_are_none),
		cmocka_unit_test(test_a_region_is_needed_at_aws_only),
		cmocka_unit_test(test_a_region_that_the_answer_names),
		cmocka_unit_test(test_a_region_only_once),
		cmocka_unit_test(test_33_a_region_that_is_none),
		cmocka_unit_test(test_33_redirects),
		cmocka_unit_test(test_36_the_clock),
		cmocka_unit_test(test_36_the_clock_of_other_services),
		cmocka_unit_test(test_a_region_of_other_services),
		cmocka_unit_test(test_a_clock_that_is_right_is_left_alone),
		cmocka_unit_test(test_34_credentials_that_expired),
		cmocka_unit_test(test_34_keys_that_were_replaced),
		cmocka_unit_test(test_keys_that_never_change_are_not_fetched_again),
		cmocka_unit_test(test_29_slow_down_then_well),
		cmocka_unit_test(test_what_is_not_tried_again),
		cmocka_unit_test(test_not_repeatable),
		cmocka_unit_test(test_57_an_error_within_a_200),
		cmocka_unit_test(test_32_a_portal_answers),
		cmocka_unit_test(test_payload_hashes),
		cmocka_unit_test(test_codes),
		cmocka_unit_test(test_bodies_of_errors),
		cmocka_unit_test(test_no_token_is_repeated),
	};
	return cmocka_run_group_tests_name("aws_client", tests, set_up, NULL);
}

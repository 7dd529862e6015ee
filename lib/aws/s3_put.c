/*
 * Puts. A put whose answer was not heard may have been done, and then the next attempt is refused:
 * by size and checksum, which every object of ours carries, it is known again.
 */
#include <stdlib.h>
#include <string.h>

#include "aws/s3_internal.h"
#include "base/memory.h"

#define PARTS_FROM_BYTES (UINT64_C(64) << 20)

void rv_s3_put_headers(struct rv_s3 *s3, struct rv_http_headers *headers, const struct rv_s3_put *put)
{
	if (put->if_absent)
		rv_http_headers_set(headers, "If-None-Match", "*");
	if (!put->if_etag)
		return;
	const char *etag = put->if_etag;
	size_t len = strlen(etag);
	bool quoted = len > 1 && etag[0] == '"' && etag[len - 1] == '"';
	RV_CLEANUP(rv_free_p) char *bare = quoted ? rv_strndup(etag + 1, len - 2) : rv_strdup(etag);
	rv_http_headers_set(headers, "If-Match", atomic_load(&s3->bare_etags) ? bare : etag);
}

enum rv_status rv_s3_check_put(struct rv_s3 *s3, const struct rv_http_response *response,
			       const char *crc32c, char ret_etag[RV_S3_ETAG_MAX], struct rv_error *err)
{
	const char *answered = rv_http_headers_get(&response->headers, RV_S3_CRC32C_HEADER);
	const char *wrong = NULL;
	if (answered && strcmp(answered, crc32c) == 0)
		atomic_store(&s3->answers_checksums, true);
	else if (answered)
		wrong = "with another checksum than that of what was sent";
	else if (atomic_load(&s3->answers_checksums) || !rv_aws_client_is_custom(s3->client))
		/* AWS repeats the checksum it was given and has verified. */
		wrong = "without a checksum";
	if (!wrong && !rv_s3_etag(response, ret_etag))
		wrong = "without an ETag";
	if (!wrong)
		return RV_OK;
	rv_fail(err, RV_FAILED, "%s answers %d %s", rv_aws_client_endpoint(s3->client),
		response->status, wrong);
	rv_hint(err, "something may stand in between; what was sent is not taken for stored");
	err->http_status = response->status;
	err->transient = true;
	return err->status;
}

enum rv_status rv_s3_refused(struct rv_s3 *s3, const char *key, const struct rv_s3_put *put,
			     int http_status, struct rv_error *err)
{
	enum rv_status status = http_status == 404 ? RV_NOT_FOUND : RV_CONFLICT;
	if (status == RV_NOT_FOUND)
		rv_fail(err, status, "there is no s3://%s/%s", s3->bucket, key);
	else if (put->if_absent)
		rv_fail(err, status, "s3://%s/%s exists already", s3->bucket, key);
	else
		rv_fail(err, status, "s3://%s/%s was changed by somebody else", s3->bucket, key);
	err->http_status = http_status;
	return status;
}

/* Attempts that were not heard, or that were answered with an error of the server's, may have been
 * carried out all the same. */
static enum rv_status settle(struct rv_s3 *s3, const char *key, const struct rv_http_body *body,
			     const char *crc32c, bool *ret_ours, char ret_etag[RV_S3_ETAG_MAX])
{
	struct rv_error look = RV_ERROR_INIT;
	enum rv_status status =
		rv_s3_is_ours(s3, key, body->len, crc32c, ret_ours, ret_etag, &look);
	if (status != RV_OK)
		*ret_ours = false;
	return status;
}

static enum rv_status put_whole(struct rv_s3 *s3, const char *key, const struct rv_http_body *body,
				const struct rv_s3_put *put, const char *crc32c,
				char ret_etag[RV_S3_ETAG_MAX], struct rv_error *err)
{
	RV_CLEANUP(rv_http_response_release)
	struct rv_http_response response = RV_HTTP_RESPONSE_INIT;
	RV_CLEANUP(rv_http_headers_release) struct rv_http_headers headers = { 0 };
	struct rv_http_tally tally = { 0 };
	struct rv_aws_request request = {
		.method = "PUT",
		.headers = &headers,
		.body = *body,
		.error_in_200 = true,
	};
	bool ours = false;
	if (put->content_type)
		rv_http_headers_set(&headers, "Content-Type", put->content_type);
	rv_http_headers_set(&headers, RV_S3_CRC32C_HEADER, crc32c);
	rv_http_headers_set(&headers, RV_S3_CRC32C_META, crc32c);
	rv_s3_put_headers(s3, &headers, put);
	enum rv_status status = rv_s3_send(s3, key, &request, NULL, &response, &tally, err);
	if (status == RV_OK)
		return rv_s3_check_put(s3, &response, crc32c, ret_etag, err);
	bool conditional = put->if_absent || put->if_etag;
	bool refused = conditional && (err->http_status == 412 ||
				       (err->http_status == 404 && put->if_etag &&
					strcmp(err->service_code, "NoSuchBucket") != 0));
	if ((refused && tally.attempts > 1) || (!refused && tally.unknown > 0)) {
		if (settle(s3, key, body, crc32c, &ours, ret_etag) == RV_OK && ours)
			return RV_OK;
	}
	if (!refused)
		return status;
	int http_status = err->http_status;
	if (http_status == 412 && put->if_etag && rv_aws_client_is_custom(s3->client)) {
		/* Some say so of an object that is not there; and refused although nothing has changed
		 * is not for what it is, but for how it is written. */
		if (rv_s3_is_still(s3, key, put->if_etag, err) != RV_OK)
			return err->status;
		if (!atomic_exchange(&s3->bare_etags, true))
			return put_whole(s3, key, body, put, crc32c, ret_etag, err);
	}
	return rv_s3_refused(s3, key, put, http_status, err);
}

static bool is_for_a_moment(const struct rv_error *err)
{
	return err->http_status == 409 || strcmp(err->service_code, "ConditionalRequestConflict") == 0 ||
	       strcmp(err->service_code, "OperationAborted") == 0;
}

enum rv_status rv_s3_put(struct rv_s3 *s3, const char *key, const struct rv_http_body *body,
			 const struct rv_s3_put *put, char ret_etag[RV_S3_ETAG_MAX],
			 struct rv_error *err)
{
	char text[RV_S3_CRC32C_TEXT];
	uint32_t crc;
	enum rv_status status = rv_s3_crc32c_body(body, &crc, err);
	if (status == RV_OK) {
		rv_s3_crc32c_text(crc, text);
		status = body->len >= PARTS_FROM_BYTES
				 ? rv_s3_put_parts(s3, key, body, put, text, ret_etag, err)
				 : put_whole(s3, key, body, put, text, ret_etag, err);
	}
	/* 409 is for a moment, and says nothing about what lies under the key: a bucket that is being
	 * removed answers so as well. Callers take RV_CONFLICT for "it is there". */
	if (status == RV_CONFLICT && is_for_a_moment(err))
		status = err->status = RV_FAILED;
	if (status == RV_OK || status == RV_CONFLICT || err->http_status == 404)
		return status;
	return rv_s3_context(s3, "put", key, err);
}

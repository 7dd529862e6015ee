/*
 * S3, one object or bucket at a time. Puts are in s3_put.c and s3_parts.c, reading in s3_read.c, lists
 * in s3_list.c.
 */
#include "aws/s3.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "aws/s3_internal.h"
#include "base/clock.h"
#include "base/crc.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/number.h"
#include "format/xml.h"

#define READ_BYTES (256u << 10)

enum rv_status rv_s3_new(struct rv_aws *aws, const char *bucket, struct rv_s3 **ret,
			 struct rv_error *err)
{
	size_t len = strlen(bucket);
	struct rv_aws_client *client = NULL;
	if (rv_aws_client_new(aws, "s3", &client, err) != RV_OK)
		return err->status;
	/* S3 User Guide, "Bucket naming rules"; other stores take capitals and underscores too. */
	const char *allowed = rv_aws_client_is_custom(client)
				      ? "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
				      : "abcdefghijklmnopqrstuvwxyz0123456789.-";
	if (len < 3 || len > 63 || strspn(bucket, allowed) != len || bucket[0] == '.' ||
	    strstr(bucket, "..")) {
		rv_aws_client_free(client);
		rv_fail(err, RV_BAD_CONFIG, "'%.100s' is not the name of a bucket", bucket);
		rv_hint(err, "3 to 63 lower case letters, digits, dots and hyphens, as in s3://acme-lake/river");
		return err->status;
	}
	struct rv_s3 *s3 = rv_calloc(1, sizeof(*s3));
	s3->client = client;
	s3->http = aws->http;
	s3->bucket = rv_strdup(bucket);
	*ret = s3;
	return RV_OK;
}

void rv_s3_free(struct rv_s3 *s3)
{
	if (!s3)
		return;
	rv_aws_client_free(s3->client);
	free(s3->bucket);
	free(s3);
}

struct rv_aws_client *rv_s3_client(struct rv_s3 *s3)
{
	return s3->client;
}

const char *rv_s3_bucket(const struct rv_s3 *s3)
{
	return s3->bucket;
}

/* ---- what all requests need ------------------------------------------------------------------- */

enum rv_status rv_s3_context(struct rv_s3 *s3, const char *what, const char *key,
			     struct rv_error *err)
{
	return rv_context(err, "%s s3://%s/%s", what, s3->bucket, key ? key : "");
}

enum rv_status rv_s3_path(const char *key, char **ret, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf path = RV_STRBUF_INIT;
	size_t len = strlen(key);
	if (len == 0 || len > RV_S3_KEY_MAX)
		return rv_fail(err, RV_USAGE, "'%.100s' is not a key: 1 to %d bytes", key,
			       RV_S3_KEY_MAX);
	rv_strbuf_putc(&path, '/');
	rv_http_encode(&path, key, len, true);
	*ret = rv_strbuf_take(&path);
	return RV_OK;
}

enum rv_status rv_s3_send(struct rv_s3 *s3, const char *key, struct rv_aws_request *request,
			  const int *also_ok, struct rv_http_response *response,
			  struct rv_http_tally *tally, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *path = NULL;
	if (key && rv_s3_path(key, &path, err) != RV_OK)
		return err->status;
	request->bucket = s3->bucket;
	request->path = path;
	enum rv_status status =
		rv_aws_send(s3->client, request, also_ok, response, tally, err);
	request->path = NULL;
	return status;
}

static enum rv_status not_s3(struct rv_s3 *s3, int http_status, const char *why, struct rv_error *err)
{
	rv_fail(err, RV_FAILED, "%s answers %d %s", rv_aws_client_endpoint(s3->client), http_status,
		why);
	rv_hint(err, "that is not S3: a proxy or portal may stand in between; 'river doctor' looks further");
	err->http_status = http_status;
	err->transient = true;
	return err->status;
}

enum rv_status rv_s3_answer(struct rv_s3 *s3, const struct rv_http_response *response,
			    const char *root, struct rv_xml_document **ret, struct rv_error *err)
{
	RV_CLEANUP(rv_xml_free_p) struct rv_xml_document *document = NULL;
	struct rv_error why = RV_ERROR_INIT;
	if (rv_xml_parse("the answer", response->body.bytes, response->body.len, &document, &why) !=
	    RV_OK)
		return not_s3(s3, response->status, "with what is not XML", err);
	if (!rv_xml_is(rv_xml_root(document), root))
		return not_s3(s3, response->status, "with other XML than was asked for", err);
	*ret = rv_take(document);
	return RV_OK;
}

bool rv_s3_etag(const struct rv_http_response *response, char ret[RV_S3_ETAG_MAX])
{
	const char *etag = rv_http_headers_get(&response->headers, "ETag");
	if (!etag || !*etag || strlen(etag) >= RV_S3_ETAG_MAX)
		return false;
	memcpy(ret, etag, strlen(etag) + 1);
	return true;
}

/* ---- checksums -------------------------------------------------------------------------------- */

void rv_s3_crc32c_text(uint32_t crc, char ret[RV_S3_CRC32C_TEXT])
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	const unsigned char bytes[4] = { (unsigned char)(crc >> 24), (unsigned char)(crc >> 16),
					 (unsigned char)(crc >> 8), (unsigned char)crc };
	rv_strbuf_base64(&text, bytes, sizeof(bytes));
	memcpy(ret, text.bytes, RV_S3_CRC32C_TEXT);
}

enum rv_status rv_s3_crc32c_body(const struct rv_http_body *body, uint32_t *ret,
				 struct rv_error *err)
{
	if (body->fd < 0) {
		*ret = rv_crc32c(0, body->bytes, body->len);
		return RV_OK;
	}
	RV_CLEANUP(rv_free_p) char *piece = rv_malloc(READ_BYTES);
	uint32_t crc = 0;
	for (uint64_t done = 0; done < body->len;) {
		size_t want = body->len - done < READ_BYTES ? (size_t)(body->len - done) : READ_BYTES;
		size_t n;
		if (rv_pread_full(body->fd, piece, want, body->offset + done, &n, "what is to be put",
				  err) != RV_OK)
			return err->status;
		if (n < want)
			return rv_fail(err, RV_LOCAL_IO,
				       "what is to be put ends after %" PRIu64 " of %" PRIu64 " bytes",
				       done + n, body->len);
		crc = rv_crc32c(crc, piece, n);
		done += n;
	}
	*ret = crc;
	return RV_OK;
}

/* ---- one object ------------------------------------------------------------------------------- */

static enum rv_status head(struct rv_s3 *s3, const char *key, bool checksums,
			   struct rv_http_response *response, struct rv_s3_object *ret,
			   struct rv_error *err)
{
	RV_CLEANUP(rv_http_headers_release) struct rv_http_headers headers = { 0 };
	struct rv_aws_request request = { .method = "HEAD", .headers = &headers, .body = RV_HTTP_NO_BODY };
	if (checksums)
		rv_http_headers_set(&headers, "x-amz-checksum-mode", "ENABLED");
	if (rv_s3_send(s3, key, &request, NULL, response, NULL, err) != RV_OK)
		return err->status;
	struct rv_s3_object object = { .key = key, .modified_ms = -1 };
	const char *length = rv_http_headers_get(&response->headers, "Content-Length");
	const char *modified = rv_http_headers_get(&response->headers, "Last-Modified");
	if (!rv_s3_etag(response, object.etag) || !length ||
	    !rv_parse_u64(length, strlen(length), &object.bytes))
		return not_s3(s3, response->status, "without size and ETag", err);
	if (modified && (!rv_http_parse_date(modified, &object.modified_ms) || object.modified_ms < 0))
		object.modified_ms = -1;
	*ret = object;
	return RV_OK;
}

enum rv_status rv_s3_head(struct rv_s3 *s3, const char *key, struct rv_s3_object *ret,
			  struct rv_error *err)
{
	RV_CLEANUP(rv_http_response_release)
	struct rv_http_response response = RV_HTTP_RESPONSE_INIT;
	enum rv_status status = head(s3, key, false, &response, ret, err);
	if (status == RV_OK)
		return RV_OK;
	/* A HEAD's 404 has no words of its own. */
	if (status == RV_NOT_FOUND)
		return rv_fail(err, RV_NOT_FOUND, "there is no s3://%s/%s", s3->bucket, key);
	return rv_s3_context(s3, "look at", key, err);
}

enum rv_status rv_s3_is_ours(struct rv_s3 *s3, const char *key, uint64_t bytes, const char *crc32c,
			     bool *ret, char ret_etag[RV_S3_ETAG_MAX], struct rv_error *err)
{
	RV_CLEANUP(rv_http_response_release)
	struct rv_http_response response = RV_HTTP_RESPONSE_INIT;
	struct rv_s3_object object;
	enum rv_status status = head(s3, key, true, &response, &object, err);
	*ret = false;
	if (status == RV_NOT_FOUND)
		return RV_OK;
	if (status != RV_OK)
		return rv_s3_context(s3, "look at", key, err);
	const char *kept = rv_http_headers_get(&response.headers, RV_S3_CRC32C_HEADER);
	/* That of an upload in parts may be one of its parts' checksums: "b64-N". */
	if (!kept || strchr(kept, '-'))
		kept = rv_http_headers_get(&response.headers, RV_S3_CRC32C_META);
	*ret = object.bytes == bytes && kept && strcmp(kept, crc32c) == 0;
	if (*ret)
		memcpy(ret_etag, object.etag, RV_S3_ETAG_MAX);
	return RV_OK;
}

enum rv_status rv_s3_is_still(struct rv_s3 *s3, const char *key, const char *etag, struct rv_error *err)
{
	struct rv_s3_object object;
	if (rv_s3_head(s3, key, &object, err) != RV_OK)
		return err->status;
	if (strcmp(object.etag, etag) == 0)
		return RV_OK;
	return rv_fail(err, RV_CONFLICT, "s3://%s/%s was changed by somebody else", s3->bucket, key);
}

/*
 * If-Match on deletes is young: stores that do not know it ignore it, so look first; Swift refuses it for
 * what was put in parts, whose ETag it makes up for S3. Then the look has to do.
 */
enum rv_status rv_s3_delete(struct rv_s3 *s3, const char *key, const char *if_etag,
			    struct rv_error *err)
{
	static const int missing[] = { 404, 0 };
	RV_CLEANUP(rv_http_response_release)
	struct rv_http_response response = RV_HTTP_RESPONSE_INIT;
	RV_CLEANUP(rv_http_headers_release) struct rv_http_headers headers = { 0 };
	struct rv_http_tally tally = { 0 };
	struct rv_aws_request request = { .method = "DELETE", .headers = &headers, .body = RV_HTTP_NO_BODY };
	if (if_etag) {
		if (rv_s3_is_still(s3, key, if_etag, err) != RV_OK)
			return err->status;
		rv_http_headers_set(&headers, "If-Match", if_etag);
	}
	enum rv_status status = rv_s3_send(s3, key, &request, missing, &response, &tally, err);
	bool refused = status != RV_OK && (err->http_status == 501 || err->http_status == 412);
	if (if_etag && refused && rv_aws_client_is_custom(s3->client)) {
		if (rv_s3_is_still(s3, key, if_etag, err) != RV_OK)
			return err->status;
		rv_http_headers_release(&headers);
		status = rv_s3_send(s3, key, &request, missing, &response, &tally, err);
	}
	if (status != RV_OK)
		return rv_s3_context(s3, "remove", key, err);
	/* Gone already: by us, when an attempt was not heard. A bucket that is not there is not that. */
	if (response.status == 404 && strstr(response.body.bytes, "NoSuchBucket"))
		return rv_fail(err, RV_NOT_FOUND, "there is no bucket %s", s3->bucket);
	if (response.status == 404 && if_etag && tally.attempts < 2)
		return rv_fail(err, RV_NOT_FOUND, "s3://%s/%s is not there", s3->bucket, key);
	return RV_OK;
}

/* ---- the bucket ------------------------------------------------------------------------------- */

enum rv_status rv_s3_check_bucket(struct rv_s3 *s3, struct rv_error *err)
{
	RV_CLEANUP(rv_http_response_release)
	struct rv_http_response response = RV_HTTP_RESPONSE_INIT;
	struct rv_aws_request request = { .method = "HEAD", .body = RV_HTTP_NO_BODY };
	if (rv_s3_send(s3, NULL, &request, NULL, &response, NULL, err) == RV_OK)
		return RV_OK;
	if (err->status == RV_NOT_FOUND) {
		rv_fail(err, RV_NOT_FOUND, "there is no bucket %s at %s", s3->bucket,
			rv_aws_client_endpoint(s3->client));
		rv_hint(err, "make the bucket, or set 'lake' of the profile to one that exists");
		err->http_status = 404;
		return err->status;
	}
	return rv_context(err, "look at bucket %s", s3->bucket);
}

enum rv_status rv_s3_get_notification(struct rv_s3 *s3, struct rv_strbuf *ret, struct rv_error *err)
{
	RV_CLEANUP(rv_http_response_release)
	struct rv_http_response response = RV_HTTP_RESPONSE_INIT;
	RV_CLEANUP(rv_xml_free_p) struct rv_xml_document *document = NULL;
	struct rv_aws_request request = {
		.method = "GET",
		.query = "notification=",
		.body = RV_HTTP_NO_BODY,
	};
	if (rv_s3_send(s3, NULL, &request, NULL, &response, NULL, err) != RV_OK ||
	    rv_s3_answer(s3, &response, "NotificationConfiguration", &document, err) != RV_OK)
		return rv_context(err, "read the notifications of bucket %s", s3->bucket);
	rv_strbuf_clear(ret);
	rv_strbuf_add(ret, response.body.bytes, response.body.len);
	return RV_OK;
}

enum rv_status rv_s3_put_notification(struct rv_s3 *s3, const char *xml, size_t len,
				      struct rv_error *err)
{
	RV_CLEANUP(rv_http_response_release)
	struct rv_http_response response = RV_HTTP_RESPONSE_INIT;
	RV_CLEANUP(rv_http_headers_release) struct rv_http_headers headers = { 0 };
	char crc[RV_S3_CRC32C_TEXT];
	struct rv_aws_request request = {
		.method = "PUT",
		.query = "notification=",
		.headers = &headers,
		.body = { .bytes = xml, .fd = -1, .len = len },
		.error_in_200 = true,
	};
	rv_s3_crc32c_text(rv_crc32c(0, xml, len), crc);
	rv_http_headers_set(&headers, "Content-Type", "application/xml");
	rv_http_headers_set(&headers, RV_S3_CRC32C_HEADER, crc);
	if (rv_s3_send(s3, NULL, &request, NULL, &response, NULL, err) == RV_OK)
		return RV_OK;
	return rv_context(err, "set the notifications of bucket %s", s3->bucket);
}

/* ---- presigned -------------------------------------------------------------------------------- */

enum rv_status rv_s3_presign_put(struct rv_s3 *s3, const char *key, uint64_t bytes,
				 const char *crc32c, int64_t expires_s, char **ret_url,
				 struct rv_http_headers *ret_headers, struct rv_error *err)
{
	RV_CLEANUP(rv_http_headers_release) struct rv_http_headers headers = { 0 };
	RV_CLEANUP(rv_free_p) char *path = NULL;
	char length[24];
	if (rv_s3_path(key, &path, err) != RV_OK)
		return err->status;
	rv_http_headers_set(&headers, "If-None-Match", "*");
	if (bytes) {
		snprintf(length, sizeof(length), "%" PRIu64, bytes);
		rv_http_headers_set(&headers, "Content-Length", length);
	}
	if (crc32c)
		rv_http_headers_set(&headers, RV_S3_CRC32C_HEADER, crc32c);
	const struct rv_aws_request request = {
		.method = "PUT",
		.bucket = s3->bucket,
		.path = path,
		.headers = &headers,
		.body = RV_HTTP_NO_BODY,
		.payload_hash = RV_UNSIGNED_PAYLOAD,
	};
	if (rv_aws_presign(s3->client, &request, expires_s, ret_url, err) != RV_OK)
		return rv_s3_context(s3, "sign an upload to", key, err);
	rv_http_headers_release(ret_headers);
	*ret_headers = headers;
	headers = (struct rv_http_headers){ 0 };
	return RV_OK;
}

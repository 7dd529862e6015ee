/* What the files of S3 share. */
#ifndef RV_AWS_S3_INTERNAL_H
#define RV_AWS_S3_INTERNAL_H

#include <stdatomic.h>
#include <stdbool.h>

#include "aws/s3.h"

struct rv_s3 {
	struct rv_aws_client *client;
	struct rv_http *http;
	char *bucket;
	/* It has answered checksums: from then on an answer without one is not its own. */
	_Atomic bool answers_checksums;
	/* If-Match is compared letter by letter with an ETag without quotes: Ceph, for puts. */
	_Atomic bool bare_etags;
};

#define RV_S3_CRC32C_TEXT 9 /* base64 of four bytes, with its end */
#define RV_S3_CRC32C_HEADER "x-amz-checksum-crc32c"
/* Ours, for stores that keep no checksums: what was put can still be recognised. */
#define RV_S3_CRC32C_META "x-amz-meta-river-crc32c"

void rv_s3_crc32c_text(uint32_t crc, char ret[RV_S3_CRC32C_TEXT]);
enum rv_status rv_s3_crc32c_body(const struct rv_http_body *body, uint32_t *ret,
				 struct rv_error *err) RV_MUST_CHECK;

/* "/" and the key, encoded; RV_USAGE when it is no key. Caller frees. */
enum rv_status rv_s3_path(const char *key, char **ret, struct rv_error *err) RV_MUST_CHECK;
/* The request in `out` with bucket and path of `key` (NULL: the bucket itself), sent. */
enum rv_status rv_s3_send(struct rv_s3 *s3, const char *key, struct rv_aws_request *request,
			  const int *also_ok, struct rv_http_response *response,
			  struct rv_http_tally *tally, struct rv_error *err) RV_MUST_CHECK;
/* A 2xx that has to be XML with this root. RV_FAILED, transient, when it is not: something in
 * between answered. Caller frees *ret. */
struct rv_xml_document;
enum rv_status rv_s3_answer(struct rv_s3 *s3, const struct rv_http_response *response,
			    const char *root, struct rv_xml_document **ret,
			    struct rv_error *err) RV_MUST_CHECK;
/* ETag and checksum of an answer to bytes that were put. */
enum rv_status rv_s3_check_put(struct rv_s3 *s3, const struct rv_http_response *response,
			       const char *crc32c, char ret_etag[RV_S3_ETAG_MAX],
			       struct rv_error *err) RV_MUST_CHECK;
/* Is what lies under the key what we meant to put? False: another object, or none. */
enum rv_status rv_s3_is_ours(struct rv_s3 *s3, const char *key, uint64_t bytes, const char *crc32c,
			     bool *ret, char ret_etag[RV_S3_ETAG_MAX],
			     struct rv_error *err) RV_MUST_CHECK;
enum rv_status rv_s3_put_parts(struct rv_s3 *s3, const char *key, const struct rv_http_body *body,
			       const struct rv_s3_put *put, const char *crc32c,
			       char ret_etag[RV_S3_ETAG_MAX], struct rv_error *err) RV_MUST_CHECK;
/* Until it is gone, as far as that can be done. */
enum rv_status rv_s3_abort(struct rv_s3 *s3, const char *key, const char *upload_id,
			   struct rv_error *err) RV_MUST_CHECK;
void rv_s3_put_headers(struct rv_s3 *s3, struct rv_http_headers *headers, const struct rv_s3_put *put);
/* RV_CONFLICT when the object has another ETag, RV_NOT_FOUND when it is not there. */
enum rv_status rv_s3_is_still(struct rv_s3 *s3, const char *key, const char *etag,
			      struct rv_error *err) RV_MUST_CHECK;
/* The fate of a put that was refused under its conditions, in our words. */
enum rv_status rv_s3_refused(struct rv_s3 *s3, const char *key, const struct rv_s3_put *put,
			     int http_status, struct rv_error *err);
/* "s3://bucket/key: " in front of the message. */
enum rv_status rv_s3_context(struct rv_s3 *s3, const char *what, const char *key,
			     struct rv_error *err);
/* Copies an ETag with its quotes; false: none, or too long. */
bool rv_s3_etag(const struct rv_http_response *response, char ret[RV_S3_ETAG_MAX]);

#endif

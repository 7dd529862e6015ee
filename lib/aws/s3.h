/*
 * S3's REST API as river needs it: objects with conditions and checksums, multipart, lists,
 * bucket notifications. store/s3.c makes a lake of it; keys here are whole keys.
 *
 * Every put carries CRC-32C, or CRC-64/NVME where S3 wants a full-object one (multipart), and what
 * the store answers is compared with it. Payloads are signed over plain HTTP, and unsigned over
 * TLS (the checksum is signed, so that what arrives is still what was signed).
 */
#ifndef RV_AWS_S3_H
#define RV_AWS_S3_H

#include <stdbool.h>
#include <stdint.h>

#include "aws/client.h"
#include "base/error.h"
#include "base/strbuf.h"
#include "http/http.h"

#define RV_S3_ETAG_MAX 80
#define RV_S3_KEY_MAX 1024
/* An upload in parts that was begun so long ago, and under the same key, is a dead one. */
#define RV_S3_STRAY_KEY_MS (60 * 60 * INT64_C(1000))

struct rv_s3;
/* `bucket` is checked ([a-z0-9.-]{3,63} for AWS; whatever S3-compatible stores allow otherwise). */
enum rv_status rv_s3_new(struct rv_aws *aws, const char *bucket, struct rv_s3 **ret,
			 struct rv_error *err) RV_MUST_CHECK;
void rv_s3_free(struct rv_s3 *s3);
struct rv_aws_client *rv_s3_client(struct rv_s3 *s3);
const char *rv_s3_bucket(const struct rv_s3 *s3);

struct rv_s3_object {
	const char *key;          /* borrowed for the callback */
	uint64_t bytes;
	int64_t modified_ms;      /* -1: not said, or before 1970 */
	char etag[RV_S3_ETAG_MAX]; /* with its quotes */
};
struct rv_s3_put {
	bool if_absent;
	const char *if_etag;      /* Optional, with quotes */
	const char *content_type; /* Optional */
};
/* Multipart from 64 MiB on (part size max(16 MiB, size/10000)); an upload that fails is aborted.
 * RV_CONFLICT: the condition does not hold (412). A 412 or 404 after an attempt whose answer was
 * not heard is compared with what is there by size and checksum first: it may be our own. */
enum rv_status rv_s3_put(struct rv_s3 *s3, const char *key, const struct rv_http_body *body,
			 const struct rv_s3_put *put, char ret_etag[RV_S3_ETAG_MAX],
			 struct rv_error *err) RV_MUST_CHECK;
/* The whole object, or from `from` on, streamed; resumed by If-Match ranges when it is cut off. The
 * stored checksum is checked when there is one. `ret` Optional. */
enum rv_status rv_s3_read(struct rv_s3 *s3, const char *key, uint64_t from, const char *if_etag,
			  rv_http_sink *sink, void *arg, struct rv_s3_object *ret,
			  struct rv_error *err) RV_MUST_CHECK;
enum rv_status rv_s3_head(struct rv_s3 *s3, const char *key, struct rv_s3_object *ret,
			  struct rv_error *err) RV_MUST_CHECK;
enum rv_status rv_s3_delete(struct rv_s3 *s3, const char *key, const char *if_etag,
			    struct rv_error *err) RV_MUST_CHECK;
/* In bytewise order of keys; with `folders`, common prefixes in between, named with their '/'. */
enum rv_status rv_s3_list(struct rv_s3 *s3, const char *prefix, const char *after, bool folders,
			  enum rv_status (*each)(void *arg, const struct rv_s3_object *,
						 struct rv_error *err),
			  void *arg, struct rv_error *err) RV_MUST_CHECK;
/* An upload in parts that was begun so long ago, wherever in the lake, is a dead one. */
#define RV_S3_STRAY_MS (24 * 60 * 60 * INT64_C(1000))
/* Unfinished uploads below a prefix that are older than `older_ms`: counted. */
enum rv_status rv_s3_count_uploads(struct rv_s3 *s3, const char *prefix, int64_t older_ms,
				   uint64_t *ret, struct rv_error *err) RV_MUST_CHECK;
/* The same: aborted, counted. */
enum rv_status rv_s3_abort_uploads(struct rv_s3 *s3, const char *prefix, int64_t older_ms,
				   uint64_t *ret_aborted, struct rv_error *err) RV_MUST_CHECK;

/* The bucket's notification configuration as XML, as it came, and put back whole. */
enum rv_status rv_s3_get_notification(struct rv_s3 *s3, struct rv_strbuf *ret,
				      struct rv_error *err) RV_MUST_CHECK;
enum rv_status rv_s3_put_notification(struct rv_s3 *s3, const char *xml, size_t len,
				      struct rv_error *err) RV_MUST_CHECK;
/* Is the bucket there and ours to see? RV_NOT_FOUND, RV_AUTH, RV_BAD_CONFIG (region). */
enum rv_status rv_s3_check_bucket(struct rv_s3 *s3, struct rv_error *err) RV_MUST_CHECK;

/* A presigned PUT of exactly `bytes` bytes (0: any length) with this base64 CRC-32C (Optional) and
 * If-None-Match: *; whoever uses it must send `ret_headers`. Caller frees *ret_url. */
enum rv_status rv_s3_presign_put(struct rv_s3 *s3, const char *key, uint64_t bytes,
				 const char *crc32c, int64_t expires_s, char **ret_url,
				 struct rv_http_headers *ret_headers, struct rv_error *err) RV_MUST_CHECK;

#endif

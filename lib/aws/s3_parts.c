/*
 * Uploads in parts: a few at a time, each read from where it lies as it is sent, so that memory does
 * not grow with the object. The object is there when the upload is completed, or not at all; an upload
 * that fails is aborted, for its parts would be stored, and paid for, without end.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "aws/s3_internal.h"
#include "base/clock.h"
#include "base/crc.h"
#include "base/memory.h"
#include "format/xml.h"

/* Parts but the last have 5 MiB to 5 GiB, and there are 10,000 at most (S3 User
 * Guide, "Multipart upload limits"). */
#define PART_BYTES (UINT64_C(16) << 20)
#define PARTS_MAX 10000
#define WORKERS 4
#define ABORT_ROUNDS 4
/* A delete that races with a completion means to start over (S3 User Guide, "Conditional writes"). */
#define ROUNDS 3

struct part {
	char etag[RV_S3_ETAG_MAX];
	char crc32c[RV_S3_CRC32C_TEXT];
};

struct upload {
	struct rv_s3 *s3;
	const char *key;
	const struct rv_http_body *body;
	const struct rv_s3_put *put;
	const char *crc32c;
	char *id;
	uint64_t part_bytes;
	unsigned count;
	struct part *parts;
	_Atomic unsigned next;    /* the part that the next free worker takes */
	_Atomic bool failed;
	pthread_mutex_t lock;
	struct rv_error err;      /* of the part that failed first */
};

static enum rv_status begin(struct upload *u, struct rv_error *err)
{
	RV_CLEANUP(rv_http_response_release)
	struct rv_http_response response = RV_HTTP_RESPONSE_INIT;
	RV_CLEANUP(rv_http_headers_release) struct rv_http_headers headers = { 0 };
	RV_CLEANUP(rv_xml_free_p) struct rv_xml_document *document = NULL;
	struct rv_aws_request request = {
		.method = "POST",
		.query = "uploads=",
		.headers = &headers,
		.body = RV_HTTP_NO_BODY,
	};
	if (u->put->content_type)
		rv_http_headers_set(&headers, "Content-Type", u->put->content_type);
	rv_http_headers_set(&headers, "x-amz-checksum-algorithm", "CRC32C");
	rv_http_headers_set(&headers, "x-amz-checksum-type", "FULL_OBJECT");
	rv_http_headers_set(&headers, RV_S3_CRC32C_META, u->crc32c);
	if (rv_s3_send(u->s3, u->key, &request, NULL, &response, NULL, err) != RV_OK ||
	    rv_s3_answer(u->s3, &response, "InitiateMultipartUploadResult", &document, err) != RV_OK)
		return rv_context(err, "begin an upload in parts");
	const char *id = rv_xml_text(rv_xml_root(document), "UploadId");
	if (!*id)
		return rv_fail(err, RV_FAILED, "%s begins an upload without an id",
			       rv_aws_client_endpoint(u->s3->client));
	u->id = rv_strdup(id);
	return RV_OK;
}

static char *id_query(const char *id)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf query = RV_STRBUF_INIT;
	rv_strbuf_puts(&query, "uploadId=");
	rv_http_encode(&query, id, strlen(id), false);
	return rv_strbuf_take(&query);
}

static enum rv_status send_part(struct upload *u, unsigned number, struct rv_error *err)
{
	RV_CLEANUP(rv_http_response_release)
	struct rv_http_response response = RV_HTTP_RESPONSE_INIT;
	RV_CLEANUP(rv_http_headers_release) struct rv_http_headers headers = { 0 };
	struct part *part = &u->parts[number - 1];
	uint64_t offset = (number - 1) * u->part_bytes, left = u->body->len - offset;
	struct rv_http_body body = *u->body;
	uint32_t crc;
	body.len = left < u->part_bytes ? left : u->part_bytes;
	if (body.fd < 0)
		body.bytes = (const char *)body.bytes + offset;
	else
		body.offset += offset;
	if (rv_s3_crc32c_body(&body, &crc, err) != RV_OK)
		return err->status;
	rv_s3_crc32c_text(crc, part->crc32c);
	RV_CLEANUP(rv_free_p) char *id = id_query(u->id);
	RV_CLEANUP(rv_free_p) char *query = rv_asprintf("partNumber=%u&%s", number, id);
	struct rv_aws_request request = {
		.method = "PUT",
		.query = query,
		.headers = &headers,
		.body = body,
		.error_in_200 = true,
	};
	rv_http_headers_set(&headers, RV_S3_CRC32C_HEADER, part->crc32c);
	/* A part sent again replaces itself, so an answer that is wrong is worth another attempt. */
	for (int again = 0;; again++) {
		if (rv_s3_send(u->s3, u->key, &request, NULL, &response, NULL, err) != RV_OK)
			return err->status;
		if (rv_s3_check_put(u->s3, &response, part->crc32c, part->etag, err) == RV_OK)
			return RV_OK;
		if (again == 2)
			return err->status;
	}
}

static void *work(void *arg)
{
	struct upload *u = arg;
	struct rv_error err = RV_ERROR_INIT;
	for (;;) {
		unsigned number = atomic_fetch_add(&u->next, 1);
		if (number > u->count || atomic_load(&u->failed))
			return NULL;
		if (send_part(u, number, &err) == RV_OK)
			continue;
		rv_context(&err, "part %u of %u", number, u->count);
		pthread_mutex_lock(&u->lock);
		if (!atomic_exchange(&u->failed, true))
			u->err = err;
		pthread_mutex_unlock(&u->lock);
		return NULL;
	}
}

static enum rv_status send_parts(struct upload *u, struct rv_error *err)
{
	pthread_t workers[WORKERS];
	unsigned started = 0;
	atomic_store(&u->next, 1);
	/* This thread is one of them, so at least one works. */
	while (started + 1 < WORKERS && started + 1 < u->count &&
	       pthread_create(&workers[started], NULL, work, u) == 0)
		started++;
	work(u);
	for (unsigned i = 0; i < started; i++)
		pthread_join(workers[i], NULL);
	if (!atomic_load(&u->failed))
		return RV_OK;
	*err = u->err;
	return err->status;
}

static void list_of_parts(const struct upload *u, struct rv_strbuf *out)
{
	rv_strbuf_puts(out, "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
	/* Whoever repeats checksums knows the element; Swift's schema refuses it. */
	bool checksums = atomic_load(&u->s3->answers_checksums);
	for (unsigned i = 0; i < u->count; i++) {
		rv_strbuf_printf(out, "<Part><PartNumber>%u</PartNumber><ETag>", i + 1);
		rv_xml_escape(out, u->parts[i].etag);
		rv_strbuf_puts(out, "</ETag>");
		if (checksums)
			rv_strbuf_printf(out, "<ChecksumCRC32C>%s</ChecksumCRC32C>",
					 u->parts[i].crc32c);
		rv_strbuf_puts(out, "</Part>");
	}
	rv_strbuf_puts(out, "</CompleteMultipartUpload>");
}

static enum rv_status read_completion(struct upload *u, const struct rv_http_response *response,
				      char ret_etag[RV_S3_ETAG_MAX], struct rv_error *err)
{
	RV_CLEANUP(rv_xml_free_p) struct rv_xml_document *document = NULL;
	if (rv_s3_answer(u->s3, response, "CompleteMultipartUploadResult", &document, err) != RV_OK)
		return err->status;
	const char *etag = rv_xml_text(rv_xml_root(document), "ETag");
	const char *crc = rv_xml_text(rv_xml_root(document), "ChecksumCRC32C");
	bool quoted = etag[0] == '"';
	/* it becomes a header of the next If-Match */
	if (!*etag || strlen(etag) + 2 >= RV_S3_ETAG_MAX || !rv_http_value_valid(etag))
		return rv_fail(err, RV_FAILED, "the upload is completed without an ETag");
	if (*crc && !strchr(crc, '-') && strcmp(crc, u->crc32c) != 0)
		return rv_fail(err, RV_FAILED, "what was put together has another checksum");
	/* Some stores leave the quotes out here; a HEAD has them. */
	snprintf(ret_etag, RV_S3_ETAG_MAX, "%s%s%s", quoted ? "" : "\"", etag, quoted ? "" : "\"");
	return RV_OK;
}

static enum rv_status complete(struct upload *u, char ret_etag[RV_S3_ETAG_MAX],
			       struct rv_error *err)
{
	RV_CLEANUP(rv_http_response_release)
	struct rv_http_response response = RV_HTTP_RESPONSE_INIT;
	RV_CLEANUP(rv_http_headers_release) struct rv_http_headers headers = { 0 };
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf xml = RV_STRBUF_INIT;
	RV_CLEANUP(rv_free_p) char *query = id_query(u->id);
	struct rv_http_tally tally = { 0 };
	struct rv_error look = RV_ERROR_INIT;
	char size[24];
	bool ours = false;
	list_of_parts(u, &xml);
	struct rv_aws_request request = {
		.method = "POST",
		.query = query,
		.headers = &headers,
		.body = { .bytes = xml.bytes, .fd = -1, .len = xml.len },
		/* The checksum below is the object's, not this body's. */
		.error_in_200 = true,
	};
	char hash[RV_SHA256_HEX];
	if (rv_sha256_hex(xml.bytes, xml.len, hash, err) != RV_OK)
		return err->status;
	request.payload_hash = hash;
	snprintf(size, sizeof(size), "%" PRIu64, u->body->len);
	rv_http_headers_set(&headers, "Content-Type", "application/xml");
	rv_http_headers_set(&headers, RV_S3_CRC32C_HEADER, u->crc32c);
	rv_http_headers_set(&headers, "x-amz-checksum-type", "FULL_OBJECT");
	rv_http_headers_set(&headers, "x-amz-mp-object-size", size);
	rv_s3_put_headers(u->s3, &headers, u->put);
	enum rv_status status = rv_s3_send(u->s3, u->key, &request, NULL, &response, &tally, err);
	if (status == RV_OK)
		status = read_completion(u, &response, ret_etag, err);
	if (status == RV_OK)
		return RV_OK;
	/* Completed by an attempt that was not heard, or by one that was answered with an error? */
	bool gone = strcmp(err->service_code, "NoSuchUpload") == 0;
	if ((gone || tally.attempts > 1 || tally.unknown || response.status / 100 == 2) &&
	    rv_s3_is_ours(u->s3, u->key, u->body->len, u->crc32c, &ours, ret_etag, &look) == RV_OK &&
	    ours)
		return RV_OK;
	return rv_context(err, "complete the upload");
}

enum rv_status rv_s3_abort(struct rv_s3 *s3, const char *key, const char *upload_id,
			   struct rv_error *err)
{
	static const int gone[] = { 404, 0 };
	RV_CLEANUP(rv_http_response_release)
	struct rv_http_response response = RV_HTTP_RESPONSE_INIT;
	RV_CLEANUP(rv_free_p) char *query = id_query(upload_id);
	struct rv_aws_request request = { .method = "DELETE", .query = query, .body = RV_HTTP_NO_BODY };
	/* A part that was still on its way may outlive an abort (S3 API Reference, AbortMultipartUpload): until it
	 * is not known. */
	for (int i = 0; i < ABORT_ROUNDS; i++) {
		if (rv_s3_send(s3, key, &request, gone, &response, NULL, err) != RV_OK)
			return rv_s3_context(s3, "abort an upload of", key, err);
		if (response.status == 404)
			return RV_OK;
	}
	return RV_OK;
}

static enum rv_status put_once(struct upload *u, char ret_etag[RV_S3_ETAG_MAX],
			       struct rv_error *err)
{
	struct rv_error aborting = RV_ERROR_INIT;
	if (begin(u, err) != RV_OK)
		return err->status;
	enum rv_status status = send_parts(u, err);
	if (status == RV_OK)
		status = complete(u, ret_etag, err);
	if (status != RV_OK && strcmp(err->service_code, "NoSuchUpload") != 0 &&
	    rv_s3_abort(u->s3, u->key, u->id, &aborting) != RV_OK)
		rv_hint(err, "its parts are left behind; the next large upload removes them after a day");
	return status;
}

/* What a killed run left behind under this very key, or long ago. */
static void remove_strays(struct rv_s3 *s3, const char *key)
{
	struct rv_error ignored = RV_ERROR_INIT;
	uint64_t aborted;
	/* Of no consequence for this upload: the next one tries again. */
	if (rv_s3_abort_uploads(s3, key, RV_S3_STRAY_KEY_MS, &aborted, &ignored) != RV_OK)
		ignored.status = RV_OK;
}

enum rv_status rv_s3_put_parts(struct rv_s3 *s3, const char *key, const struct rv_http_body *body,
			       const struct rv_s3_put *put, const char *crc32c,
			       char ret_etag[RV_S3_ETAG_MAX], struct rv_error *err)
{
	uint64_t part_bytes = PART_BYTES, least = (body->len + PARTS_MAX - 1) / PARTS_MAX;
	enum rv_status status = RV_OK;
	if (part_bytes < least)
		part_bytes = (least + 0xfffff) & ~UINT64_C(0xfffff);
	struct upload u = {
		.s3 = s3,
		.key = key,
		.body = body,
		.put = put,
		.crc32c = crc32c,
		.part_bytes = part_bytes,
		.count = (unsigned)((body->len + part_bytes - 1) / part_bytes),
		.lock = PTHREAD_MUTEX_INITIALIZER,
	};
	/* Not every store heeds the condition when an upload is completed, and those that do say so
	 * after all of it was sent. */
	if (put->if_absent) {
		struct rv_s3_object there;
		status = rv_s3_head(s3, key, &there, err);
		if (status == RV_OK)
			return rv_s3_refused(s3, key, put, 412, err);
		if (status != RV_NOT_FOUND)
			return status;
	}
	u.parts = rv_calloc(u.count, sizeof(*u.parts));
	remove_strays(s3, key);
	for (int round = 1; round <= ROUNDS; round++) {
		atomic_store(&u.failed, false);
		status = put_once(&u, ret_etag, err);
		free(rv_take(u.id));
		if (status == RV_OK || strcmp(err->service_code, "ConditionalRequestConflict") != 0)
			break;
	}
	free(u.parts);
	pthread_mutex_destroy(&u.lock);
	if (status != RV_OK && (put->if_absent || put->if_etag) &&
	    (err->http_status == 412 || (err->http_status == 404 && put->if_etag &&
					 strcmp(err->service_code, "NoSuchKey") == 0)))
		return rv_s3_refused(s3, key, put, err->http_status, err);
	return status;
}

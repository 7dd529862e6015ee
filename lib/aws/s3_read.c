/*
 * Reading an object as a stream. A transfer that is cut off goes on where it ended, under If-Match, so
 * that the pieces are of one object; what the store keeps as the checksum of the whole is compared at
 * the end.
 */
#include <inttypes.h>
#include <libdeflate.h>
#include <string.h>

#include "aws/s3_internal.h"
#include "base/clock.h"
#include "base/crc.h"
#include "base/memory.h"
#include "base/number.h"

/* Attempts in a row that bring nothing. */
#define BARREN_MAX 5
#define WAIT_BASE_MS 200
#define WAIT_MAX_MS 20000

enum algorithm { NO_SUM, SUM_CRC32, SUM_CRC32C, SUM_CRC64NVME };

struct reading {
	struct rv_s3 *s3;
	const char *key;
	struct rv_http_response *response;
	rv_http_sink *sink;
	void *arg;
	struct rv_s3_object object;
	bool known;              /* object is filled */
	uint64_t from, pos, end; /* of the object: asked for, handed out, its size */
	uint64_t skip;           /* of this attempt: bytes before pos that came all the same */
	bool seen;               /* of this attempt: its headers were looked at */
	bool sink_failed;
	enum algorithm algorithm;
	char want[16];           /* base64 */
	uint64_t sum;
};

/* ---- the checksum ----------------------------------------------------------------------------- */

/* The checksum of the whole object, if the store keeps one that river can compute. */
static void choose_sum(struct reading *r)
{
	static const struct {
		const char *header;
		enum algorithm algorithm;
	} kinds[] = {
		{ RV_S3_CRC32C_HEADER, SUM_CRC32C },
		{ "x-amz-checksum-crc64nvme", SUM_CRC64NVME },
		{ "x-amz-checksum-crc32", SUM_CRC32 },
		{ RV_S3_CRC32C_META, SUM_CRC32C },
	};
	const struct rv_http_headers *headers = &r->response->headers;
	const char *type = rv_http_headers_get(headers, "x-amz-checksum-type");
	if (r->from)
		return;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const char *value = rv_http_headers_get(headers, kinds[i].header);
		bool composite = value && (strchr(value, '-') ||
					   (type && strcmp(type, "COMPOSITE") == 0 &&
					    kinds[i].header != kinds[3].header));
		if (!value || composite || strlen(value) >= sizeof(r->want))
			continue;
		r->algorithm = kinds[i].algorithm;
		memcpy(r->want, value, strlen(value) + 1);
		return;
	}
}

static void add_to_sum(struct reading *r, const void *p, size_t len)
{
	switch (r->algorithm) {
	case SUM_CRC32: r->sum = libdeflate_crc32((uint32_t)r->sum, p, len); break;
	case SUM_CRC32C: r->sum = rv_crc32c((uint32_t)r->sum, p, len); break;
	case SUM_CRC64NVME: r->sum = rv_crc64nvme(r->sum, p, len); break;
	case NO_SUM: break;
	}
}

static enum rv_status check_sum(const struct reading *r, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	unsigned char bytes[8];
	unsigned n = r->algorithm == SUM_CRC64NVME ? 8 : 4;
	if (r->algorithm == NO_SUM)
		return RV_OK;
	for (unsigned i = 0; i < n; i++)
		bytes[i] = (unsigned char)(r->sum >> (8 * (n - 1 - i)));
	rv_strbuf_base64(&text, bytes, n);
	if (strcmp(text.bytes, r->want) == 0)
		return RV_OK;
	return rv_fail(err, RV_DAMAGED, "what came has the checksum %s, the object has %s", text.bytes,
		       r->want);
}

/* ---- one attempt ------------------------------------------------------------------------------ */

/* "bytes 5-9/10" */
static bool parse_range(const char *text, uint64_t *ret_start, uint64_t *ret_size)
{
	const char *dash = text ? strchr(text, '-') : NULL, *slash = text ? strchr(text, '/') : NULL;
	return dash && slash && strncmp(text, "bytes ", 6) == 0 &&
	       rv_parse_u64(text + 6, (size_t)(dash - text - 6), ret_start) &&
	       rv_parse_u64(slash + 1, strlen(slash + 1), ret_size);
}

static enum rv_status not_s3(const struct reading *r, const char *why, struct rv_error *err)
{
	rv_fail(err, RV_FAILED, "%s answers %d %s", rv_aws_client_endpoint(r->s3->client),
		r->response->status, why);
	rv_hint(err, "that is not S3: a proxy or portal may stand in between; 'river doctor' looks further");
	return err->status;
}

/* The headers are there before the first byte: what it is, and where in it this begins. */
static enum rv_status look_at_headers(struct reading *r, struct rv_error *err)
{
	const struct rv_http_headers *headers = &r->response->headers;
	const char *length = rv_http_headers_get(headers, "Content-Length");
	const char *modified = rv_http_headers_get(headers, "Last-Modified");
	char etag[RV_S3_ETAG_MAX];
	uint64_t start = 0, size = UINT64_MAX;
	r->seen = true;
	if (!rv_s3_etag(r->response, etag))
		return not_s3(r, "without an ETag", err);
	if (r->response->status == 206) {
		if (!parse_range(rv_http_headers_get(headers, "Content-Range"), &start, &size))
			return not_s3(r, "with a part of it and not which", err);
	} else if (length && !rv_parse_u64(length, strlen(length), &size)) {
		return not_s3(r, "with a wrong length", err);
	}
	if (start > r->pos)
		return not_s3(r, "with a later part than was asked for", err);
	if (size < r->pos)
		return not_s3(r, "with a size that is less than what was read before", err);
	r->skip = r->pos - start;
	if (r->known) {
		/* A store that does not know If-Match. */
		if (strcmp(etag, r->object.etag) != 0)
			return rv_fail(err, RV_CONFLICT, "it was replaced while it was read");
		return RV_OK;
	}
	r->known = true;
	r->end = size;
	memcpy(r->object.etag, etag, sizeof(etag));
	if (!modified || !rv_http_parse_date(modified, &r->object.modified_ms) || r->object.modified_ms < 0)
		r->object.modified_ms = -1;
	choose_sum(r);
	return RV_OK;
}

static enum rv_status take_piece(void *arg, const void *p, size_t len, struct rv_error *err)
{
	struct reading *r = arg;
	if (!r->seen && look_at_headers(r, err) != RV_OK) {
		r->sink_failed = true;
		return err->status;
	}
	if (r->skip >= len) {
		r->skip -= len;
		return RV_OK;
	}
	p = (const char *)p + r->skip;
	len -= (size_t)r->skip;
	r->skip = 0;
	if (len > r->end - r->pos) {
		r->sink_failed = true;
		not_s3(r, "with more bytes than it says there are", err);
		return rv_s3_context(r->s3, "read", r->key, err);
	}
	add_to_sum(r, p, len);
	r->pos += len;
	if (r->sink(r->arg, p, len, err) == RV_OK)
		return RV_OK;
	r->sink_failed = true;
	return err->status;
}

static enum rv_status attempt(struct reading *r, const char *if_etag, struct rv_error *err)
{
	static const int past_the_end[] = { 416, 0 };
	RV_CLEANUP(rv_http_headers_release) struct rv_http_headers headers = { 0 };
	struct rv_aws_request request = {
		.method = "GET",
		.headers = &headers,
		.body = RV_HTTP_NO_BODY,
		.sink = take_piece,
		.sink_arg = r,
	};
	char range[40];
	r->seen = false;
	if (r->pos > 0) {
		snprintf(range, sizeof(range), "bytes=%" PRIu64 "-", r->pos);
		rv_http_headers_set(&headers, "Range", range);
	} else {
		rv_http_headers_set(&headers, "x-amz-checksum-mode", "ENABLED");
	}
	if (r->known || if_etag)
		rv_http_headers_set(&headers, "If-Match", r->known ? r->object.etag : if_etag);
	enum rv_status status = rv_s3_send(r->s3, r->key, &request, past_the_end, r->response, NULL, err);
	if (status != RV_OK)
		return status;
	if (r->response->status == 416) {
		/* Nothing lies behind `from`: of an empty object, or of one read to its end before. */
		if (!r->known)
			r->end = r->pos;
		return RV_OK;
	}
	/* An empty body never came by the sink. */
	return r->seen ? RV_OK : look_at_headers(r, err);
}

/* ---- until it is whole ------------------------------------------------------------------------ */

static enum rv_status replaced(struct rv_s3 *s3, const char *key, bool while_read, struct rv_error *err)
{
	rv_fail(err, RV_CONFLICT, "s3://%s/%s was replaced%s", s3->bucket, key,
		while_read ? " while it was read" : "");
	err->http_status = 412;
	return err->status;
}

static enum rv_status read_all(struct reading *r, const char *if_etag, struct rv_error *err)
{
	unsigned barren = 0;
	for (;;) {
		uint64_t before = r->pos;
		enum rv_status status = attempt(r, if_etag, err);
		if (status == RV_OK && (r->end == UINT64_MAX || r->pos >= r->end))
			return RV_OK;
		if (status == RV_OK) {
			/* All that was announced came, and it is less than there is. */
			rv_fail(err, RV_FAILED, "%" PRIu64 " of %" PRIu64 " bytes came", r->pos, r->end);
			err->transient = true;
		}
		if (r->sink_failed)
			return err->status;
		if (err->http_status == 412)
			return replaced(r->s3, r->key, r->known, err);
		/* Before the first byte the retry loop of requests has done what can be done. */
		if (!err->transient || !r->known)
			return err->status;
		barren = r->pos > before ? 0 : barren + 1;
		if (barren == BARREN_MAX)
			return err->status;
		struct rv_error stopped = RV_ERROR_INIT;
		if (rv_http_wait(r->s3->http, rv_http_backoff_ms(barren + 1, WAIT_BASE_MS, WAIT_MAX_MS),
				 &stopped) != RV_OK)
			return err->status;
	}
}

enum rv_status rv_s3_read(struct rv_s3 *s3, const char *key, uint64_t from, const char *if_etag,
			  rv_http_sink *sink, void *arg, struct rv_s3_object *ret,
			  struct rv_error *err)
{
	RV_CLEANUP(rv_http_response_release)
	struct rv_http_response response = RV_HTTP_RESPONSE_INIT;
	struct reading r = {
		.s3 = s3,
		.key = key,
		.response = &response,
		.sink = sink,
		.arg = arg,
		.object = { .key = key, .modified_ms = -1 },
		.from = from,
		.pos = from,
		.end = UINT64_MAX,
	};
	enum rv_status status = read_all(&r, if_etag, err);
	if (status == RV_OK)
		status = check_sum(&r, err);
	if (status == RV_OK) {
		r.object.bytes = r.end == UINT64_MAX ? r.pos : r.end;
		if (ret)
			*ret = r.object;
		return RV_OK;
	}
	/* The sink's own words need no address of ours. */
	if (r.sink_failed && r.seen && r.known)
		return status;
	if (status == RV_NOT_FOUND && strcmp(err->service_code, "NoSuchKey") == 0) {
		rv_fail(err, RV_NOT_FOUND, "there is no s3://%s/%s", s3->bucket, key);
		err->http_status = 404;
		return status;
	}
	return status == RV_CONFLICT ? status : rv_s3_context(s3, "read", key, err);
}

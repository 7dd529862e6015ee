/*
 * Any bytes as what S3 answers to writes: puts, whole and in parts, under conditions and without, removing, and a
 * bucket's notification. Nothing is taken for stored that no answer says is stored, with the ETag that this answer
 * has; nothing "is there already" that nobody says is there; and an upload that fails is aborted. The first byte
 * chooses what is asked, of AWS or of a store of its own address; the rest is answers (answers.h).
 */
#include "fuzz.h"

#include "answers.h"
#include "aws/s3_internal.h"
#include "base/crc.h"

#define BODY "twelve bytes"
#define CRC32C "8ir0eA==" /* of BODY; checked */

static struct rv_aws *amazon;

/* What was heard, read here once more and in another way. */
static struct {
	bool custom;
	bool stored;              /* an answer says that all of BODY is there */
	char etag[RV_S3_ETAG_MAX]; /* and has this ETag */
	bool refused;             /* 412, or a code that says so */
	bool there;               /* a HEAD found something */
	bool missing;             /* 404, or a code that says so */
	bool begun, part_stored;  /* the upload in parts */
	char id[256];             /* "uploadId=..." of the last part or completion */
	bool removed;
} heard;

static const char *field(const struct rv_http_response *response, const char *name)
{
	const char *value = NULL;

	for (size_t i = 0; i < response->headers.count && !value; i++)
		if (strcasecmp(response->headers.items[i].name, name) == 0)
			value = response->headers.items[i].value;
	return value;
}


static bool begins_with_error(const struct rv_http_response *response)
{
	return strncmp(response->body.bytes, "<Error>", 7) == 0 && strstr(response->body.bytes, "</Error>") &&
	       !strchr(response->body.bytes, '&') && !strstr(response->body.bytes, "<!");
}

/* The ETag and the checksum, as whoever sent BODY wants them. */
static bool is_stored(const struct rv_http_response *response)
{
	const char *crc = field(response, "x-amz-checksum-crc32c"), *etag = field(response, "ETag");

	return etag && *etag && strlen(etag) < RV_S3_ETAG_MAX && (crc ? strcmp(crc, CRC32C) == 0 : heard.custom);
}

static void hear_head(const struct rv_http_response *response)
{
	const char *crc = field(response, "x-amz-checksum-crc32c"), *length = field(response, "Content-Length");

	if (!crc || strchr(crc, '-'))
		crc = field(response, "x-amz-meta-river-crc32c");
	heard.there = true;
	if (!crc || strcmp(crc, CRC32C) != 0 || !length || strtoull(length, NULL, 10) != sizeof(BODY) - 1)
		return;
	heard.stored = true;
	snprintf(heard.etag, sizeof(heard.etag), "%s", field(response, "ETag") ? field(response, "ETag") : "");
}

static void hear_part(const struct rv_http_request *request)
{
	const char *id = strstr(request->url, "uploadId=");

	CHECK(id && strlen(id) > strlen("uploadId="));
	/* all of an upload is of one id */
	if (heard.begun && strcmp(request->method, "POST") == 0)
		CHECK(strncmp(heard.id, id, sizeof(heard.id) - 1) == 0);
	snprintf(heard.id, sizeof(heard.id), "%s", id);
	heard.begun = true;
}

static void hear_completion(const struct rv_http_response *response)
{
	const char *body = response->body.bytes, *etag = strstr(body, "ETag>");
	const char *crc = strstr(body, "ChecksumCRC32C>");

	CHECK(heard.part_stored);
	if (!strstr(body, "CompleteMultipartUploadResult") || !etag || begins_with_error(response))
		return;
	/* in plain words it is a checksum of something else */
	if (crc && *(crc + 15) && strcspn(crc + 15, "-&<![]") == 8 && crc[23] == '<' && strncmp(crc + 15, CRC32C, 8) != 0)
		return;
	heard.stored = true;
	/* an ETag in XML has many spellings */
	heard.etag[0] = '\0';
}

static void hear(const struct rv_http_request *request, const struct rv_http_response *response)
{
	bool is_put = strcmp(request->method, "PUT") == 0, is_part = strstr(request->url, "partNumber=") != NULL;
	const char *body = response->body.bytes;

	/* what has a code may be told by it alone, behind any status */
	if (response->status == 412 || strstr(body, "PreconditionFailed"))
		heard.refused = true;
	if (response->status == 404 || strstr(body, "NoSuch"))
		heard.missing = true;
	if (field(response, "x-amzn-errortype") || field(response, "x-amzn-error-type"))
		heard.refused = heard.missing = true;
	if (strchr(body, '&') || strstr(body, "<!") || strchr(body, '\\'))
		heard.refused = heard.missing = true; /* spelled in many ways */
	if (is_part || (strstr(request->url, "uploadId=") && strcmp(request->method, "POST") == 0))
		hear_part(request);
	if (strcmp(request->method, "DELETE") == 0)
		heard.removed |= response->status / 100 == 2 || response->status == 404;
	if (response->status / 100 != 2)
		return;
	if (strcmp(request->method, "HEAD") == 0)
		hear_head(response);
	else if (is_part)
		heard.part_stored |= is_stored(response) && !begins_with_error(response);
	else if (is_put && is_stored(response) && !begins_with_error(response)) {
		heard.stored = true;
		snprintf(heard.etag, sizeof(heard.etag), "%s", field(response, "ETag"));
	} else if (strcmp(request->method, "POST") == 0 && strstr(request->url, "uploadId=")) {
		hear_completion(response);
	}
}

/* True: it is none. */
static bool check_refusal(enum rv_status status, const struct rv_error *err)
{
	CHECK(memchr(err->message, '\0', sizeof(err->message)) && memchr(err->hint, '\0', sizeof(err->hint)));
	CHECK(status == RV_OK || (status == err->status && err->message[0]));
	return status == RV_OK;
}

static void check_put(enum rv_status status, const struct rv_s3_put *put, const char *etag, const struct rv_error *err)
{
	if (status == RV_CONFLICT)
		CHECK((put->if_absent || put->if_etag) ? heard.refused || heard.there : heard.refused);
	if (status == RV_NOT_FOUND)
		CHECK(heard.missing);
	if (!check_refusal(status, err))
		return;
	CHECK(heard.stored && memchr(etag, '\0', RV_S3_ETAG_MAX));
	CHECK(heard.etag[0] ? strcmp(etag, heard.etag) == 0 : strlen(etag) > 1);
	/* it goes into the next If-Match */
	CHECK(rv_http_value_valid(etag));
}

static void try_put(struct rv_s3 *s3, const struct rv_s3_put *put)
{
	const struct rv_http_body body = { .bytes = BODY, .fd = -1, .len = sizeof(BODY) - 1 };
	char etag[RV_S3_ETAG_MAX] = "";
	struct rv_error err = RV_ERROR_INIT;
	enum rv_status status = rv_s3_put(s3, "a/k", &body, put, etag, &err);

	check_put(status, put, etag, &err);
}

static void try_parts(struct rv_s3 *s3, const struct rv_s3_put *put)
{
	const struct rv_http_body body = { .bytes = BODY, .fd = -1, .len = sizeof(BODY) - 1 };
	char etag[RV_S3_ETAG_MAX] = "";
	struct rv_error err = RV_ERROR_INIT;
	enum rv_status status = rv_s3_put_parts(s3, "a/k", &body, put, CRC32C, etag, &err);

	/* rv_s3_put knows them for what they are: for a moment */
	if (err.http_status == 409 || strcmp(err.service_code, "ConditionalRequestConflict") == 0 ||
	    strcmp(err.service_code, "OperationAborted") == 0)
		heard.refused = true;
	check_put(status, put, etag, &err);
	if (status != RV_OK && heard.begun && !heard.missing)
		CHECK(script.aborts > 0);
}

static void try_delete(struct rv_s3 *s3, const char *if_etag)
{
	struct rv_error err = RV_ERROR_INIT;

	script.removes = true;
	if (check_refusal(rv_s3_delete(s3, "a/k", if_etag, &err), &err))
		CHECK(heard.removed && (!if_etag || heard.there));
	else if (err.status == RV_CONFLICT)
		CHECK(heard.refused || heard.there);
}

static void try_notification(struct rv_s3 *s3, bool put)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf xml = RV_STRBUF_INIT;
	struct rv_error err = RV_ERROR_INIT;

	if (put)
		(void)check_refusal(rv_s3_put_notification(s3, "<N/>", 4, &err), &err);
	else if (check_refusal(rv_s3_get_notification(s3, &xml, &err), &err))
		CHECK(strstr(xml.bytes, "NotificationConfiguration") && strlen(xml.bytes) == xml.len);
	err = (struct rv_error)RV_ERROR_INIT;
	(void)check_refusal(rv_s3_check_bucket(s3, &err), &err);
}

static void set_up(void)
{
	const struct rv_aws_settings_params settings = { .region = "us-east-1" };
	const struct rv_http_params http = { 0 };
	char crc[RV_S3_CRC32C_TEXT];
	struct rv_error err = RV_ERROR_INIT;

	answers_set_up();
	CHECK(rv_aws_new(&settings, &http, &amazon, &err) == RV_OK);
	rv_s3_crc32c_text(rv_crc32c(0, BODY, sizeof(BODY) - 1), crc);
	CHECK(strcmp(crc, CRC32C) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct rv_s3_put puts[] = { { 0 }, { .if_absent = true }, { .if_etag = "\"e\"" }, { 0 } };
	struct rv_error err = RV_ERROR_INIT;
	struct rv_s3 *s3;

	if (size < 1 || size > 16 << 10)
		return 0;
	if (!amazon)
		set_up();
	RV_CLEANUP(rv_free_p) char *p = exact_text(data + 1, size - 1);
	unsigned how = data[0] >> 3;

	memset(&script, 0, sizeof(script));
	memset(&heard, 0, sizeof(heard));
	script.p = p;
	script.len = size - 1;
	script.piece = 1 << 16;
	script.heard = hear;
	heard.custom = how & 4;
	/* what one store has shown holds for it alone */
	CHECK(rv_s3_new(heard.custom ? answers_aws : amazon, "lake", &s3, &err) == RV_OK);
	switch (data[0] & 7) {
	case 0:
	case 1:
	case 2: try_put(s3, &puts[how & 3]); break;
	case 3:
	case 4:
	case 5: try_parts(s3, &puts[how & 3]); break;
	case 6: try_delete(s3, puts[how & 3].if_etag); break;
	default: try_notification(s3, how & 1);
	}
	rv_s3_free(s3);
	return 0;
}

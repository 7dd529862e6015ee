/* S3, asked and answered step by step; what a real one does is for tests/peers. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

#include "aws/s3.h"
#include "aws_world.h"
#include "base/file.h"

#define XML_ERROR(code) "<Error><Code>" code "</Code><Message>no</Message></Error>"
#define ETAG "ETag: \"e1\"\r\n"
/* of "hello\n" */
#define CRC "NT3Yvg=="
#define SUM "x-amz-checksum-crc32c: " CRC "\r\n"

static struct rv_error err;
static struct world w;
static struct rv_s3 *s3;
static char etag[RV_S3_ETAG_MAX];

static void start(const struct step *steps, size_t count)
{
	world_start(&w, steps, count);
	err = (struct rv_error)RV_ERROR_INIT;
	*etag = '\0';
	if (rv_s3_new(w.aws, "lake", &s3, &err) != RV_OK)
		fail_msg("%s", err.message);
}
#define START(steps) start(steps, sizeof(steps) / sizeof((steps)[0]))

static void stop(void)
{
	rv_s3_free(s3);
	world_stop(&w);
}

static void says(const char *text)
{
	if (!strstr(err.message, text))
		fail_msg("'%s' does not say '%s'", err.message, text);
}

static enum rv_status put_hello(bool if_absent, const char *if_etag)
{
	const struct rv_http_body body = { .bytes = "hello\n", .fd = -1, .len = 6 };
	const struct rv_s3_put put = { .if_absent = if_absent, .if_etag = if_etag };

	err = (struct rv_error)RV_ERROR_INIT;
	return rv_s3_put(s3, "k", &body, &put, etag, &err);
}

/* ---- names ---- */

static void test_buckets(void **state RV_UNUSED)
{
	static const char *const wrong[] = { "", "ab", "a/b", "a b", "..a", "a..b", "bucket?x", NULL };
	struct rv_s3 *none = NULL;

	world_start(&w, NULL, 0);
	for (size_t i = 0; wrong[i]; i++)
		assert_int_equal(rv_s3_new(w.aws, wrong[i], &none, &err), RV_BAD_CONFIG);
	world_stop(&w);
}

static void test_odd_keys(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		{ "HEAD /lake/a%20b%2Bc/%C3%A9//./../x%25%3D%3F%23~_-.json HTTP/1.1\r\n", .status = 200, .fields = ETAG },
	};
	struct rv_s3_object object;
	RV_CLEANUP(rv_free_p) char *long_key = rv_malloc(RV_S3_KEY_MAX + 2);

	START(steps);
	assert_int_equal(rv_s3_head(s3, "a b+c/\xc3\xa9//./../x%=?#~_-.json", &object, &err), RV_OK);
	memset(long_key, 'k', RV_S3_KEY_MAX + 1);
	long_key[RV_S3_KEY_MAX + 1] = '\0';
	assert_int_equal(rv_s3_head(s3, long_key, &object, &err), RV_USAGE);
	assert_int_equal(rv_s3_head(s3, "", &object, &err), RV_USAGE);
	stop();
}

/* ---- puts ---- */

static void test_a_put(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		{ "PUT /lake/k ", "x-amz-checksum-crc32c: " CRC "\r\nx-amz-meta-river-crc32c: " CRC "\r\nIf-None-Match: *\r\n",
		  .status = 200, .fields = ETAG SUM },
		{ "PUT /lake/k ", "If-Match: \"e0\"\r\n", "If-None-Match", .status = 200, .fields = ETAG SUM },
		{ "PUT /lake/k ", "SignedHeaders=host;if-none-match;x-amz-checksum-crc32c;x-amz-content-sha256;x-amz-date;"
				  "x-amz-meta-river-crc32c,", .status = 412, .body = XML_ERROR("PreconditionFailed") },
		{ "PUT /lake/k ", .status = 412, .body = XML_ERROR("PreconditionFailed") },
		{ "HEAD /lake/k ", .status = 200, .fields = "ETag: \"e9\"\r\n" },
		{ "PUT /lake/k ", .status = 404, .body = XML_ERROR("NoSuchKey") },
		{ "PUT /lake/k ", .status = 404, .body = XML_ERROR("NoSuchBucket") },
	};

	START(steps);
	assert_int_equal(put_hello(true, NULL), RV_OK);
	assert_string_equal(etag, "\"e1\"");
	assert_int_equal(put_hello(false, "\"e0\""), RV_OK);
	/* refused at the first attempt: no need to look whose it is */
	assert_int_equal(put_hello(true, NULL), RV_CONFLICT);
	says("s3://lake/k exists already");
	assert_int_equal(put_hello(false, "\"e0\""), RV_CONFLICT);
	says("was changed by somebody else");
	assert_int_equal(put_hello(false, "\"e0\""), RV_NOT_FOUND);
	says("there is no s3://lake/k");
	assert_int_equal(put_hello(false, "\"e0\""), RV_NOT_FOUND);
	assert_string_equal(err.service_code, "NoSuchBucket");
	stop();
}

/* Ceph compares what stands in If-Match with an ETag without quotes. */
static void test_etags_without_quotes(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		{ "PUT /lake/k ", "If-Match: \"e0\"\r\n", .status = 412, .body = XML_ERROR("PreconditionFailed") },
		{ "HEAD /lake/k ", .status = 200, .fields = "ETag: \"e0\"\r\n" },
		{ "PUT /lake/k ", "If-Match: e0\r\n", .status = 200, .fields = ETAG },
		/* remembered; and a refusal is one then */
		{ "PUT /lake/k ", "If-Match: e0\r\n", .status = 412, .body = XML_ERROR("PreconditionFailed") },
		{ "HEAD /lake/k ", .status = 200, .fields = "ETag: \"e0\"\r\n" },
		/* nor is one that is not there one that was changed */
		{ "PUT /lake/k ", "If-Match: e0\r\n", .status = 412, .body = XML_ERROR("PreconditionFailed") },
		{ "HEAD /lake/k ", .status = 404 },
	};

	START(steps);
	assert_int_equal(put_hello(false, "\"e0\""), RV_OK);
	assert_int_equal(put_hello(false, "\"e0\""), RV_CONFLICT);
	assert_int_equal(put_hello(false, "\"e0\""), RV_NOT_FOUND);
	stop();
}

static void test_57_answers_that_are_no_success(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		{ "PUT /lake/k ", .status = 200, .fields = SUM },
		{ "PUT /lake/k ", .status = 200, .fields = ETAG "x-amz-checksum-crc32c: AAAAAA==\r\n" },
		{ "PUT /lake/k ", .status = 200, .fields = ETAG SUM },
		/* it answers checksums, so this is not its answer */
		{ "PUT /lake/k ", .status = 200, .fields = ETAG },
		{ "PUT /lake/k ", .status = 200, .fields = ETAG, .body = XML_ERROR("InternalError") },
		{ "PUT /lake/k ", .status = 200, .fields = ETAG SUM },
	};

	START(steps);
	assert_int_equal(put_hello(false, NULL), RV_FAILED);
	says("without an ETag");
	assert_int_equal(put_hello(false, NULL), RV_FAILED);
	says("another checksum");
	assert_true(err.transient);
	assert_int_equal(put_hello(false, NULL), RV_OK);
	assert_int_equal(put_hello(false, NULL), RV_FAILED);
	says("without a checksum");
	assert_int_equal(put_hello(false, NULL), RV_OK);
	stop();
}

/* 60: refused because an attempt that was not heard had been carried out. */
static void test_60_our_own_first_attempt(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		{ "PUT /lake/k ", .status = 0 },
		{ "PUT /lake/k ", .status = 412, .body = XML_ERROR("PreconditionFailed") },
		{ "HEAD /lake/k ", .status = 200, .length = 6,
		  .fields = "ETag: \"ours\"\r\nx-amz-meta-river-crc32c: " CRC "\r\n" },
		/* or an error that was none */
		{ "PUT /lake/k ", .status = 500 },
		{ "PUT /lake/k ", .status = 412, .body = XML_ERROR("PreconditionFailed") },
		{ "HEAD /lake/k ", .status = 200, .length = 6, .fields = "ETag: \"ours\"\r\n" SUM },
		/* but not what somebody else put, and not what is of another size */
		{ "PUT /lake/k ", .status = 0 },
		{ "PUT /lake/k ", .status = 412, .body = XML_ERROR("PreconditionFailed") },
		{ "HEAD /lake/k ", .status = 200, .length = 6,
		  .fields = "ETag: \"x\"\r\nx-amz-meta-river-crc32c: AAAAAA==\r\n" },
		{ "PUT /lake/k ", .status = 0 },
		{ "PUT /lake/k ", .status = 412, .body = XML_ERROR("PreconditionFailed") },
		{ "HEAD /lake/k ", .status = 200, .length = 7, .fields = "ETag: \"x\"\r\n" SUM },
	};

	START(steps);
	assert_int_equal(put_hello(true, NULL), RV_OK);
	assert_string_equal(etag, "\"ours\"");
	assert_int_equal(put_hello(true, NULL), RV_OK);
	assert_int_equal(put_hello(true, NULL), RV_CONFLICT);
	assert_int_equal(put_hello(true, NULL), RV_CONFLICT);
	stop();
}

static void test_never_heard_and_done_all_the_same(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		{ "PUT /lake/k ", .status = 0 }, { "PUT /lake/k ", .status = 0 }, { "PUT /lake/k ", .status = 0 },
		{ "PUT /lake/k ", .status = 0 }, { "PUT /lake/k ", .status = 0 },
		{ "HEAD /lake/k ", .status = 200, .length = 6, .fields = "ETag: \"ours\"\r\n" SUM },
	};

	START(steps);
	assert_int_equal(put_hello(true, NULL), RV_OK);
	assert_string_equal(etag, "\"ours\"");
	stop();
}

static void test_409_is_tried_again(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		{ "PUT /lake/k ", .status = 409, .body = XML_ERROR("ConditionalRequestConflict") },
		{ "PUT /lake/k ", .status = 200, .fields = ETAG SUM },
		/* as often as is tried: still nothing was said about the object */
		{ "PUT /lake/k ", .status = 409, .body = XML_ERROR("ConditionalRequestConflict") },
		{ "PUT /lake/k ", .status = 409, .body = XML_ERROR("ConditionalRequestConflict") },
		{ "PUT /lake/k ", .status = 409, .body = XML_ERROR("ConditionalRequestConflict") },
		{ "PUT /lake/k ", .status = 409, .body = XML_ERROR("ConditionalRequestConflict") },
		{ "PUT /lake/k ", .status = 409, .body = XML_ERROR("ConditionalRequestConflict") },
		{ "PUT /lake/k ", .status = 409, .body = XML_ERROR("InvalidBucketState") },
		{ "PUT /lake/k ", .status = 200, .fields = ETAG, .body = XML_ERROR("OperationAborted") },
		{ "PUT /lake/k ", .status = 409, .body = XML_ERROR("InvalidBucketState") },
	};

	START(steps);
	assert_int_equal(put_hello(true, NULL), RV_OK);
	assert_int_equal(put_hello(true, NULL), RV_FAILED);
	assert_true(err.transient);
	says("ConditionalRequestConflict");
	assert_int_equal(put_hello(true, NULL), RV_FAILED);
	assert_int_equal(put_hello(false, "\"e0\""), RV_FAILED);
	stop();
}

static void test_a_file_that_became_shorter(void **state RV_UNUSED)
{
	int fd = memfd_create("short", MFD_CLOEXEC);
	const struct rv_http_body body = { .fd = fd, .len = 100 };
	const struct rv_s3_put put = { 0 };

	start(NULL, 0);
	assert_int_equal(ftruncate(fd, 40), 0);
	assert_int_equal(rv_s3_put(s3, "k", &body, &put, etag, &err), RV_LOCAL_IO);
	says("ends after 40 of 100 bytes");
	close(fd);
	stop();
}

/* ---- reading ---- */

static enum rv_status take(void *arg, const void *p, size_t len, struct rv_error *e RV_UNUSED)
{
	rv_strbuf_add(arg, p, len);
	return RV_OK;
}

static enum rv_status refuse(void *arg RV_UNUSED, const void *p RV_UNUSED, size_t len RV_UNUSED,
			     struct rv_error *e)
{
	return rv_fail(e, RV_LOCAL_IO, "the disk is full");
}

static enum rv_status read_k(uint64_t from, struct rv_strbuf *text)
{
	struct rv_s3_object object;

	err = (struct rv_error)RV_ERROR_INIT;
	rv_strbuf_clear(text);
	return rv_s3_read(s3, "k", from, NULL, take, text, &object, &err);
}

static void test_reading(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		{ "GET /lake/k ", "x-amz-checksum-mode: ENABLED", "Range", .status = 200, .fields = ETAG SUM, .body = "hello\n" },
		{ "GET /lake/k ", .status = 200, .fields = ETAG "x-amz-checksum-crc64nvme: akP7S61aVgc=\r\n", .body = "hello\n" },
		{ "GET /lake/k ", .status = 200, .fields = ETAG "x-amz-checksum-crc32: NjowIA==\r\n", .body = "hello\n" },
		{ "GET /lake/k ", .status = 200, .fields = ETAG "x-amz-checksum-crc32: AAAAAA==-2\r\n", .body = "hello\n" },
		{ "GET /lake/k ", .status = 200, .fields = ETAG },
		{ "GET /lake/k ", "Range: bytes=2-\r\n", .status = 206, .fields = ETAG "Content-Range: bytes 2-5/6\r\n",
		  .body = "llo\n" },
		{ "GET /lake/k ", "Range: bytes=6-\r\n", .status = 416, .body = XML_ERROR("InvalidRange") },
	};
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;

	START(steps);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(read_k(0, &text), RV_OK);
		assert_string_equal(text.bytes, "hello\n");
	}
	assert_int_equal(read_k(0, &text), RV_OK);
	assert_int_equal(text.len, 0);
	assert_int_equal(read_k(2, &text), RV_OK);
	assert_string_equal(text.bytes, "llo\n");
	assert_int_equal(read_k(6, &text), RV_OK);
	assert_int_equal(text.len, 0);
	stop();
}

static void test_reading_goes_on_where_it_was_cut_off(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		{ "GET /lake/k ", NULL, "If-Match", .status = -200, .fields = ETAG SUM, .body = "hello\n" },
		{ "GET /lake/k ", "Range: bytes=3-\r\nIf-Match: \"e1\"\r\n", .status = 0 },
		{ "GET /lake/k ", "Range: bytes=3-\r\nIf-Match: \"e1\"\r\n", .status = 206,
		  .fields = ETAG "Content-Range: bytes 3-5/6\r\n", .body = "lo\n" },
		/* a store without ranges begins again */
		{ "GET /lake/k ", .status = -200, .fields = ETAG SUM, .body = "hello\n" },
		{ "GET /lake/k ", "Range: bytes=3-\r\n", .status = 200, .fields = ETAG SUM, .body = "hello\n" },
		/* another object by now: said by the store, or seen by its ETag */
		{ "GET /lake/k ", .status = -200, .fields = ETAG SUM, .body = "hello\n" },
		{ "GET /lake/k ", "Range: bytes=3-\r\n", .status = 412, .body = XML_ERROR("PreconditionFailed") },
		{ "GET /lake/k ", .status = -200, .fields = ETAG SUM, .body = "hello\n" },
		{ "GET /lake/k ", "Range: bytes=3-\r\n", .status = 206,
		  .fields = "ETag: \"e2\"\r\nContent-Range: bytes 3-5/6\r\n", .body = "xx\n" },
	};
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;

	START(steps);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(read_k(0, &text), RV_OK);
		assert_string_equal(text.bytes, "hello\n");
	}
	for (int i = 0; i < 2; i++) {
		assert_int_equal(read_k(0, &text), RV_CONFLICT);
		says("was replaced while it was read");
	}
	stop();
}

static void test_reading_what_is_wrong(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		{ "GET /lake/k ", .status = 200, .fields = ETAG SUM, .body = "hellO\n" },
		{ "GET /lake/k ", .status = 200, .fields = ETAG "x-amz-meta-river-crc32c: " CRC "\r\n", .body = "hellO\n" },
		{ "GET /lake/k ", .status = 200, .fields = "Content-Type: text/html\r\n", .body = "<html>log in</html>" },
		{ "GET /lake/k ", .status = 404, .body = XML_ERROR("NoSuchKey") },
		{ "GET /lake/k ", .status = 404, .body = XML_ERROR("NoSuchBucket") },
		{ "GET /lake/k ", .status = 403, .body = XML_ERROR("InvalidObjectState") },
		{ "GET /lake/k ", .status = 200, .fields = ETAG SUM, .body = "hello\n" },
	};
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;

	START(steps);
	assert_int_equal(read_k(0, &text), RV_DAMAGED);
	says("read s3://lake/k: what came has the checksum");
	assert_int_equal(read_k(0, &text), RV_DAMAGED);
	/* 32 */
	assert_int_equal(read_k(0, &text), RV_FAILED);
	says("without an ETag");
	assert_int_equal(text.len, 0);
	assert_int_equal(read_k(0, &text), RV_NOT_FOUND);
	says("there is no s3://lake/k");
	assert_int_equal(read_k(0, &text), RV_NOT_FOUND);
	assert_string_equal(err.service_code, "NoSuchBucket");
	assert_int_equal(read_k(0, &text), RV_AUTH);
	assert_int_equal(rv_s3_read(s3, "k", 0, NULL, refuse, NULL, NULL, &err), RV_LOCAL_IO);
	assert_string_equal(err.message, "the disk is full");
	stop();
}

static enum rv_status note_time(void *arg, const struct rv_s3_object *object, struct rv_error *e RV_UNUSED)
{
	*(int64_t *)arg = object->modified_ms;
	return RV_OK;
}

/* Who has such an object is not to be told a time that stands for another thing, or is none. */
static void test_times_before_1970(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		{ "GET /lake/?list-type=2", .status = 200, .body = "<ListBucketResult><Contents><Key>k</Key><Size>1</Size>"
		  "<LastModified>1013-11-20T16:58:51.000Z</LastModified></Contents></ListBucketResult>" },
		{ "HEAD /lake/k ", .status = 200, .fields = ETAG "Last-Modified: Fri, 20 Nov 1953 16:58:51 GMT\r\n" },
		{ "GET /lake/k ", .status = 200, .fields = ETAG "Last-Modified: Fri, 20 Nov 1953 16:58:51 GMT\r\n", .body = "x" },
	};
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	struct rv_s3_object object;
	int64_t listed_ms = 0;

	START(steps);
	assert_int_equal(rv_s3_list(s3, "", NULL, false, note_time, &listed_ms, &err), RV_OK);
	assert_int_equal(listed_ms, -1);
	assert_int_equal(rv_s3_head(s3, "k", &object, &err), RV_OK);
	assert_int_equal(object.modified_ms, -1);
	assert_int_equal(rv_s3_read(s3, "k", 0, NULL, take, &text, &object, &err), RV_OK);
	assert_int_equal(object.modified_ms, -1);
	stop();
}

static void test_reading_what_does_not_fit(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		{ "GET /lake/k ", .status = 206, .fields = ETAG "Content-Range: bytes 0-5/6\r\n", .body = "hello and more\n" },
		{ "GET /lake/k ", "Range: bytes=3-\r\n", .status = 206, .fields = ETAG "Content-Range: bytes 0-1/2\r\n",
		  .body = "he" },
		{ "GET /lake/k ", "Range: bytes=3-\r\n", .status = 206, .fields = ETAG "Content-Range: bytes 4-5/6\r\n",
		  .body = "o\n" },
	};
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;

	START(steps);
	assert_int_equal(read_k(0, &text), RV_FAILED);
	says("read s3://lake/k: ");
	says("answers 206 with more bytes than it says there are");
	assert_int_equal(text.len, 0);
	assert_int_equal(read_k(3, &text), RV_FAILED);
	says("answers 206 with a size that is less than what was read before");
	assert_int_equal(read_k(3, &text), RV_FAILED);
	says("answers 206 with a later part than was asked for");
	assert_int_equal(text.len, 0);
	stop();
}

/* ---- lists ---- */

static enum rv_status note(void *arg, const struct rv_s3_object *object, struct rv_error *e RV_UNUSED)
{
	rv_strbuf_printf(arg, "%s:%llu|", object->key, (unsigned long long)object->bytes);
	return RV_OK;
}

#define PAGE(truncated, token, inner)                                                              \
	"<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><EncodingType>url</EncodingType>" \
	"<IsTruncated>" truncated "</IsTruncated>" token inner "</ListBucketResult>"
#define TOKEN(text) "<NextContinuationToken>" text "</NextContinuationToken>"
#define KEY(key)                                                                                   \
	"<Contents><Key>" key "</Key><LastModified>2026-11-20T12:00:00.000Z</LastModified>"            \
	"<ETag>&quot;e&quot;</ETag><Size>7</Size></Contents>"
#define FOLDER(key) "<CommonPrefixes><Prefix>" key "</Prefix></CommonPrefixes>"

static void test_lists(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		{ "GET /lake/?list-type=2&encoding-type=url&prefix=p%2F HTTP/1.1\r\n", .status = 200,
		  .body = PAGE("true", TOKEN("a+/="), KEY("p%2Fa%2Bb+c") KEY("p%2F%C3%A9%0A")) },
		{ "GET /lake/?list-type=2&encoding-type=url&prefix=p%2F&continuation-token=a%2B%2F%3D HTTP/1.1\r\n",
		  .status = 200, .body = PAGE("true", TOKEN("b"), "") },
		{ "GET /lake/?list-type=2&encoding-type=url&prefix=p%2F&continuation-token=b ", .status = 200,
		  .body = PAGE("false", "", KEY("p%2F%C3%BF")) },
		/* folders come in between */
		{ "GET /lake/?list-type=2&encoding-type=url&delimiter=%2F&start-after=b ", .status = 200,
		  .body = PAGE("false", "", KEY("b") KEY("d") KEY("y") FOLDER("a/") FOLDER("c/") FOLDER("z/")) },
		/* a store that knows no encoding */
		{ "GET /lake/?list-type=2&encoding-type=url ", .status = 200,
		  .body = "<ListBucketResult><IsTruncated>false</IsTruncated>" KEY("a%20+b") "</ListBucketResult>" },
	};
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;

	START(steps);
	assert_int_equal(rv_s3_list(s3, "p/", NULL, false, note, &text, &err), RV_OK);
	assert_string_equal(text.bytes, "p/a+b c:7|p/\xc3\xa9\n:7|p/\xc3\xbf:7|");
	rv_strbuf_clear(&text);
	assert_int_equal(rv_s3_list(s3, "", "b", true, note, &text, &err), RV_OK);
	assert_string_equal(text.bytes, "c/:0|d:7|y:7|z/:0|");
	rv_strbuf_clear(&text);
	assert_int_equal(rv_s3_list(s3, "", NULL, false, note, &text, &err), RV_OK);
	assert_string_equal(text.bytes, "a%20+b:7|");
	stop();
}

static void test_lists_that_are_wrong(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		/* what may only be damaged is asked for once more */
		{ "GET /lake/?", .status = 200, .body = "<!doctype html><html></html>" },
		{ "GET /lake/?", .status = 200, .body = "<Other/>" },
		{ "GET /lake/?", .status = 200, .body = "<Other/>" },
		{ "GET /lake/?", .status = 200, .body = "" },
		{ "GET /lake/?", .status = 200, .body = PAGE("true", "", KEY("a")) },
		{ "GET /lake/?", .status = 200, .body = PAGE("true", TOKEN("t"), "") },
		{ "GET /lake/?", .status = 200, .body = PAGE("true", TOKEN("t"), "") },
		{ "GET /lake/?", .status = 200, .body = PAGE("false", "", KEY("a%0")) },
		{ "GET /lake/?", .status = 200, .body = PAGE("false", "", KEY("a%00b")) },
		{ "GET /lake/?", .status = 200, .body = PAGE("false", "", "<Contents><Key>a</Key></Contents>") },
		{ "GET /lake/?", .status = 404, .body = XML_ERROR("NoSuchBucket") },
	};
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	static const enum rv_status want[] = { RV_FAILED, RV_FAILED, RV_FAILED, RV_FAILED, RV_FAILED, RV_BAD_DATA,
					       RV_BAD_DATA, RV_BAD_DATA, RV_NOT_FOUND };

	START(steps);
	for (size_t i = 0; i < sizeof(want) / sizeof(*want); i++)
		assert_int_equal(rv_s3_list(s3, "", NULL, false, note, &text, &err), want[i]);
	assert_string_equal(text.bytes, "a:7|");
	says("list s3://lake/");
	stop();
}

/* What a hostile or broken server lists: nothing of it reaches a caller that counts on order. */
static void test_lists_that_lie(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		{ "GET /lake/?", .status = 200, .body = PAGE("false", "", KEY("p/a") KEY("q")) },
		{ "GET /lake/?", .status = 200, .body = PAGE("false", "", KEY("p")) },
		{ "GET /lake/?", .status = 200, .body = PAGE("false", "", FOLDER("x/")) },
		{ "GET /lake/?", .status = 200, .body = PAGE("false", "", KEY("p/b") KEY("p/a")) },
		{ "GET /lake/?", .status = 200, .body = PAGE("false", "", KEY("p/b") KEY("p/b")) },
		/* in circles, by tokens that are always new */
		{ "GET /lake/?", .status = 200, .body = PAGE("true", TOKEN("t1"), KEY("p/a") KEY("p/b")) },
		{ "GET /lake/?", .status = 200, .body = PAGE("true", TOKEN("t2"), KEY("p/a") KEY("p/b")) },
		/* a folder that the page before had ended with is none too many */
		{ "GET /lake/?", .status = 200, .body = PAGE("true", TOKEN("t1"), FOLDER("p/a/")) },
		{ "GET /lake/?", .status = 200, .body = PAGE("false", "", FOLDER("p/a/") FOLDER("p/b/")) },
	};
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;

	START(steps);
	for (int i = 0; i < 6; i++) {
		err = (struct rv_error)RV_ERROR_INIT;
		assert_int_equal(rv_s3_list(s3, "p/", NULL, false, note, &text, &err), RV_FAILED);
		says(i < 3 ? "another prefix" : "out of order");
	}
	assert_string_equal(text.bytes, "p/a:7|p/b:7|p/b:7|p/a:7|p/b:7|");
	rv_strbuf_clear(&text);
	assert_int_equal(rv_s3_list(s3, "p/", NULL, true, note, &text, &err), RV_OK);
	assert_string_equal(text.bytes, "p/a/:0|p/b/:0|");
	stop();
}

/* ---- deletes, the bucket ---- */

static void test_deletes(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		{ "DELETE /lake/k ", NULL, "If-Match", .status = 204 },
		{ "DELETE /lake/k ", .status = 404, .body = XML_ERROR("NoSuchKey") },
		{ "DELETE /lake/k ", .status = 404, .body = XML_ERROR("NoSuchBucket") },
		{ "HEAD /lake/k ", .status = 200, .fields = ETAG },
		{ "DELETE /lake/k ", "If-Match: \"e1\"\r\n", .status = 204 },
		{ "HEAD /lake/k ", .status = 200, .fields = "ETag: \"e2\"\r\n" },
		{ "HEAD /lake/k ", .status = 404 },
		/* an attempt that was not heard */
		{ "HEAD /lake/k ", .status = 200, .fields = ETAG },
		{ "DELETE /lake/k ", .status = 0 },
		{ "DELETE /lake/k ", .status = 404, .body = XML_ERROR("NoSuchKey") },
		/* somebody was faster */
		{ "HEAD /lake/k ", .status = 200, .fields = ETAG },
		{ "DELETE /lake/k ", .status = 404, .body = XML_ERROR("NoSuchKey") },
		/* no conditions here */
		{ "HEAD /lake/k ", .status = 200, .fields = ETAG },
		{ "DELETE /lake/k ", "If-Match", .status = 501, .body = XML_ERROR("NotImplemented") },
		{ "HEAD /lake/k ", .status = 200, .fields = ETAG },
		{ "DELETE /lake/k ", NULL, "If-Match", .status = 204 },
		/* refused, and rightly */
		{ "HEAD /lake/k ", .status = 200, .fields = ETAG },
		{ "DELETE /lake/k ", "If-Match", .status = 412, .body = XML_ERROR("PreconditionFailed") },
		{ "HEAD /lake/k ", .status = 200, .fields = "ETag: \"e2\"\r\n" },
	};

	START(steps);
	assert_int_equal(rv_s3_delete(s3, "k", NULL, &err), RV_OK);
	assert_int_equal(rv_s3_delete(s3, "k", NULL, &err), RV_OK);
	assert_int_equal(rv_s3_delete(s3, "k", NULL, &err), RV_NOT_FOUND);
	assert_int_equal(rv_s3_delete(s3, "k", "\"e1\"", &err), RV_OK);
	assert_int_equal(rv_s3_delete(s3, "k", "\"e1\"", &err), RV_CONFLICT);
	assert_int_equal(rv_s3_delete(s3, "k", "\"e1\"", &err), RV_NOT_FOUND);
	assert_int_equal(rv_s3_delete(s3, "k", "\"e1\"", &err), RV_OK);
	assert_int_equal(rv_s3_delete(s3, "k", "\"e1\"", &err), RV_NOT_FOUND);
	assert_int_equal(rv_s3_delete(s3, "k", "\"e1\"", &err), RV_OK);
	assert_int_equal(rv_s3_delete(s3, "k", "\"e1\"", &err), RV_CONFLICT);
	stop();
}

static void test_the_bucket(void **state RV_UNUSED)
{
	static const char xml[] = "<NotificationConfiguration><!-- kept --></NotificationConfiguration>";
	static const struct step steps[] = {
		{ "HEAD /lake/ ", .status = 200 },
		{ "HEAD /lake/ ", .status = 404 },
		{ "HEAD /lake/ ", .status = 403 },
		{ "GET /lake/?notification= ", .status = 200, .body = xml },
		{ "GET /lake/?notification= ", .status = 200, .body = "<html></html>" },
		{ "PUT /lake/?notification= ", "x-amz-checksum-crc32c: ", .status = 200 },
		{ "PUT /lake/?notification= ", .status = 400, .body = XML_ERROR("InvalidArgument") },
	};
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;

	START(steps);
	assert_int_equal(rv_s3_check_bucket(s3, &err), RV_OK);
	assert_int_equal(rv_s3_check_bucket(s3, &err), RV_NOT_FOUND);
	says("there is no bucket lake at http://127.0.0.1:");
	assert_int_equal(rv_s3_check_bucket(s3, &err), RV_AUTH);
	assert_int_equal(rv_s3_get_notification(s3, &text, &err), RV_OK);
	assert_string_equal(text.bytes, xml);
	assert_int_equal(rv_s3_get_notification(s3, &text, &err), RV_FAILED);
	assert_int_equal(rv_s3_put_notification(s3, xml, strlen(xml), &err), RV_OK);
	assert_int_equal(rv_s3_put_notification(s3, xml, strlen(xml), &err), RV_FAILED);
	says("set the notifications of bucket lake");
	stop();
}

static void test_presigned(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_http_headers_release) struct rv_http_headers headers = { 0 };
	RV_CLEANUP(rv_free_p) char *url = NULL;

	start(NULL, 0);
	assert_int_equal(rv_s3_presign_put(s3, "a b", 6, CRC, 3600, &url, &headers, &err), RV_OK);
	assert_non_null(strstr(url, "/lake/a%20b?"));
	assert_non_null(strstr(url, "X-Amz-Expires=3600"));
	assert_non_null(strstr(url, "X-Amz-SignedHeaders=content-length%3Bhost%3Bif-none-match%3Bx-amz-checksum-crc32c"));
	assert_string_equal(rv_http_headers_get(&headers, "Content-Length"), "6");
	assert_string_equal(rv_http_headers_get(&headers, "If-None-Match"), "*");
	assert_string_equal(rv_http_headers_get(&headers, "x-amz-checksum-crc32c"), CRC);
	stop();
}

static void test_unfinished_uploads(void **state RV_UNUSED)
{
#define UPLOAD(key, id, date)                                                                      \
	"<Upload><Key>" key "</Key><UploadId>" id "</UploadId><Initiated>" date "</Initiated></Upload>"
	static const struct step steps[] = {
		{ "GET /lake/?uploads=&encoding-type=url&prefix=p%2F HTTP/1.1\r\n", .status = 200,
		  .body = "<ListMultipartUploadsResult><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>"
			  "<NextKeyMarker>p%2Fa+b</NextKeyMarker><NextUploadIdMarker>u/1</NextUploadIdMarker>"
			  UPLOAD("p%2Fa+b", "u/1", "2020-01-01T00:00:00.000Z")
			  UPLOAD("p%2Fnew", "u3", "2999-01-01T00:00:00.000Z")
			  UPLOAD("q%2Fa", "u5", "2020-01-01T00:00:00.000Z") /* not asked for */
			  UPLOAD("p%2Fwhen", "u4", "") "</ListMultipartUploadsResult>" },
		{ "DELETE /lake/p/a%20b?uploadId=u%2F1 ", .status = 204 },
		/* a part was still on its way */
		{ "DELETE /lake/p/a%20b?uploadId=u%2F1 ", .status = 204 },
		{ "DELETE /lake/p/a%20b?uploadId=u%2F1 ", .status = 404, .body = XML_ERROR("NoSuchUpload") },
		{ "GET /lake/?uploads=&encoding-type=url&prefix=p%2F&key-marker=p%2Fa%20b&upload-id-marker=u%2F1 ",
		  .status = 200, .body = "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>"
			  UPLOAD("p/c", "u2", "2020-01-01T00:00:00.000Z") "</ListMultipartUploadsResult>" },
		{ "DELETE /lake/p/c?uploadId=u2 ", .status = 404, .body = XML_ERROR("NoSuchUpload") },
	};
	uint64_t aborted;

	START(steps);
	assert_int_equal(rv_s3_abort_uploads(s3, "p/", 1000, &aborted, &err), RV_OK);
	assert_int_equal(aborted, 2);
	stop();

	/* counting aborts none */
	static const struct step only_looks[] = {
		{ "GET /lake/?uploads=&encoding-type=url&prefix=p%2F HTTP/1.1\r\n", .status = 200,
		  .body = "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>"
			  UPLOAD("p/c", "u2", "2020-01-01T00:00:00.000Z")
			  UPLOAD("p/new", "u3", "2999-01-01T00:00:00.000Z") "</ListMultipartUploadsResult>" },
	};
	START(only_looks);
	assert_int_equal(rv_s3_count_uploads(s3, "p/", 1000, &aborted, &err), RV_OK);
	assert_int_equal(aborted, 1);
	stop();
	static const struct step refused[] = {
		{ "GET /lake/?uploads=", .status = 403, .body = XML_ERROR("AccessDenied") },
	};
	START(refused);
	assert_int_equal(rv_s3_count_uploads(s3, "p/", 1000, &aborted, &err), RV_AUTH);
	stop();
}

#define MORE_UPLOADS(key, id)                                                                      \
	"<ListMultipartUploadsResult><IsTruncated>true</IsTruncated><NextKeyMarker>" key "</NextKeyMarker>"   \
	"<NextUploadIdMarker>" id "</NextUploadIdMarker></ListMultipartUploadsResult>"
/* Pages that lead to where one has been would be read for ever. */
static void test_unfinished_uploads_in_a_circle(void **state RV_UNUSED)
{
	static const struct step back[] = {
		{ "GET /lake/?uploads=", .status = 200, .body = MORE_UPLOADS("p/b", "u1") },
		{ "GET /lake/?uploads=", .status = 200, .body = MORE_UPLOADS("p/c", "u2") },
		{ "GET /lake/?uploads=", .status = 200, .body = MORE_UPLOADS("p/b", "u1") },
	};
	static const struct step same[] = {
		{ "GET /lake/?uploads=", .status = 200, .body = MORE_UPLOADS("p/b", "u1") },
		{ "GET /lake/?uploads=", .status = 200, .body = MORE_UPLOADS("p/b", "u2") },
		{ "GET /lake/?uploads=", .status = 200, .body = MORE_UPLOADS("p/b", "u2") },
	};
	uint64_t aborted;

	START(back);
	assert_int_equal(rv_s3_count_uploads(s3, "p/", 1000, &aborted, &err), RV_FAILED);
	says("says that there is more, and not where");
	stop();
	START(same);
	assert_int_equal(rv_s3_count_uploads(s3, "p/", 1000, &aborted, &err), RV_FAILED);
	says("says that there is more, and not where");
	stop();
}

static int set_up(void **state)
{
	world_environment();
	return http_world_setup(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buckets),
		cmocka_unit_test(test_odd_keys),
		cmocka_unit_test(test_a_put),
		cmocka_unit_test(test_etags_without_quotes),
		cmocka_unit_test(test_57_answers_that_are_no_success),
		cmocka_unit_test(test_60_our_own_first_attempt),
		cmocka_unit_test(test_never_heard_and_done_all_the_same),
		cmocka_unit_test(test_409_is_tried_again),
		cmocka_unit_test(test_a_file_that_became_shorter),
		cmocka_unit_test(test_reading),
		cmocka_unit_test(test_reading_goes_on_where_it_was_cut_off),
		cmocka_unit_test(test_reading_what_is_wrong),
		cmocka_unit_test(test_times_before_1970),
		cmocka_unit_test(test_reading_what_does_not_fit),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_lists_that_are_wrong),
		cmocka_unit_test(test_lists_that_lie),
		cmocka_unit_test(test_deletes),
		cmocka_unit_test(test_the_bucket),
		cmocka_unit_test(test_presigned),
		cmocka_unit_test(test_unfinished_uploads),
		cmocka_unit_test(test_unfinished_uploads_in_a_circle),
	};
	return cmocka_run_group_tests_name("s3", tests, set_up, NULL);
}

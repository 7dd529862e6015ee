/*
 * Uploads in parts against a small S3 of this file, which goes wrong as it is told. Parts come in any
 * order, so it is no list of steps.
 */
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
#include "base/crc.h"
#include "base/file.h"

#define MIB ((uint64_t)1 << 20)
#define SIZE (64 * MIB + 5)
#define XML_ERROR(code) "<Error><Code>" code "</Code><Message>no</Message></Error>"

enum complete { WELL, TIMES_OUT_DONE, ERROR_DONE, GONE, NOT_DONE, CONFLICTS_ONCE, REFUSED, NO_ETAG,
		ETAG_OF_TWO_LINES };

struct fake {
	struct world world;
	enum complete complete;
	unsigned fail_part;       /* this part, for ever; 0: none */
	bool there;               /* the object */
	bool echo;                /* checksums are repeated */
	atomic_uint begun, parts, completes, aborts, heads;
	atomic_bool open;         /* an upload */
	atomic_ullong bytes;
	char meta[64];
	struct rv_strbuf complete_body;
};

static struct fake fake;
static struct rv_s3 *s3;
static struct rv_error err;
static char etag[RV_S3_ETAG_MAX];

static const char *field_of(const char *head, const char *name, char *buf, size_t size)
{
	const char *at = strcasestr(head, name);

	if (!at)
		return "";
	at += strlen(name);
	snprintf(buf, size, "%.*s", (int)strcspn(at, "\r\n"), at);
	return buf;
}

static bool answer_part(struct peer *peer, unsigned number)
{
	char sum[64], crc[16];
	uint32_t c = rv_crc32c(0, peer->body.bytes, peer->body.len);
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	unsigned char bytes[4] = { (unsigned char)(c >> 24), (unsigned char)(c >> 16), (unsigned char)(c >> 8),
				   (unsigned char)c };
	RV_CLEANUP(rv_free_p) char *fields = NULL;

	atomic_fetch_add(&fake.parts, 1);
	if (number == fake.fail_part)
		return peer_answer(peer, 403, "", XML_ERROR("AccessDenied"));
	rv_strbuf_base64(&text, bytes, 4);
	snprintf(crc, sizeof(crc), "%s", text.bytes);
	if (strcmp(field_of(peer->head.bytes, "\r\nx-amz-checksum-crc32c: ", sum, sizeof(sum)), crc) != 0)
		return peer_answer(peer, 400, "", XML_ERROR("InvalidRequest"));
	atomic_fetch_add(&fake.bytes, peer->body.len);
	fields = fake.echo ? rv_asprintf("ETag: \"p%u\"\r\nx-amz-checksum-crc32c: %s\r\n", number, crc)
			   : rv_asprintf("ETag: \"p%u\"\r\n", number);
	return peer_answer(peer, 200, fields, "");
}

static bool answer_complete(struct peer *peer)
{
	static const char done[] = "  \n<?xml version=\"1.0\"?><CompleteMultipartUploadResult>"
				   "<ETag>&quot;whole-5&quot;</ETag></CompleteMultipartUploadResult>";
	unsigned n = atomic_fetch_add(&fake.completes, 1) + 1;
	bool known = atomic_load(&fake.open);

	rv_strbuf_clear(&fake.complete_body);
	rv_strbuf_puts(&fake.complete_body, peer->body.bytes);
	if (!known)
		return peer_answer(peer, 404, "", XML_ERROR("NoSuchUpload"));
	if (fake.complete == NOT_DONE)
		return peer_answer(peer, 200, "", XML_ERROR("InternalError"));
	if (fake.complete == GONE) {
		atomic_store(&fake.open, false);
		return peer_answer(peer, 404, "", XML_ERROR("NoSuchUpload"));
	}
	if (fake.complete == REFUSED)
		return peer_answer(peer, 412, "", XML_ERROR("PreconditionFailed"));
	if (fake.complete == CONFLICTS_ONCE && atomic_load(&fake.begun) == 1)
		return peer_answer(peer, 409, "", XML_ERROR("ConditionalRequestConflict"));
	fake.there = true;
	atomic_store(&fake.open, false);
	if (fake.complete == TIMES_OUT_DONE && n == 1)
		return false;
	if (fake.complete == ERROR_DONE && n == 1)
		return peer_answer(peer, 200, "", "\n\n" XML_ERROR("InternalError"));
	if (fake.complete == NO_ETAG)
		return peer_answer(peer, 200, "", "<CompleteMultipartUploadResult><ETag/></CompleteMultipartUploadResult>");
	if (fake.complete == ETAG_OF_TWO_LINES)
		return peer_answer(peer, 200, "", "<CompleteMultipartUploadResult><ETag>e&#13;&#10;X: y</ETag>"
						  "</CompleteMultipartUploadResult>");
	return peer_answer(peer, 200, "", done);
}

static void script(struct peer *peer)
{
	while (peer_read(peer)) {
		const char *head = peer->head.bytes;
		const char *number = strstr(head, "?partNumber=");
		bool on = true;
		char buf[256];

		if (strncmp(head, "HEAD ", 5) == 0) {
			atomic_fetch_add(&fake.heads, 1);
			snprintf(buf, sizeof(buf),
				 "HTTP/1.1 %d T\r\nETag: \"whole-5\"\r\nContent-Length: %llu\r\nx-amz-meta-river-crc32c: %s\r\n\r\n",
				 fake.there ? 200 : 404, (unsigned long long)(fake.there ? SIZE : 0), fake.meta);
			on = peer_say(peer, buf);
		} else if (strncmp(head, "GET ", 4) == 0) {
			on = peer_answer(peer, 200, "", "<ListMultipartUploadsResult/>");
		} else if (strncmp(head, "PUT ", 4) == 0 && number) {
			on = answer_part(peer, (unsigned)strtoul(number + 12, NULL, 10));
		} else if (strncmp(head, "POST ", 5) == 0 && strstr(head, "?uploads= ")) {
			atomic_fetch_add(&fake.begun, 1);
			atomic_store(&fake.open, true);
			field_of(head, "\r\nx-amz-meta-river-crc32c: ", fake.meta, sizeof(fake.meta));
			on = peer_answer(peer, 200, "", "<InitiateMultipartUploadResult><UploadId>u/1+</UploadId>"
							"</InitiateMultipartUploadResult>");
		} else if (strncmp(head, "POST ", 5) == 0 && strstr(head, "?uploadId=u%2F1%2B ")) {
			on = answer_complete(peer);
		} else if (strncmp(head, "DELETE ", 7) == 0) {
			atomic_fetch_add(&fake.aborts, 1);
			on = atomic_exchange(&fake.open, false)
				     ? peer_say(peer, "HTTP/1.1 204 T\r\n\r\n")
				     : peer_answer(peer, 404, "", XML_ERROR("NoSuchUpload"));
		} else {
			on = peer_answer(peer, 400, "", XML_ERROR("InvalidURI"));
		}
		if (!on)
			return;
	}
}

static int set_up(void **state)
{
	world_environment();
	http_world_setup(state);
	fake = (struct fake){ .world.trace = RV_STRBUF_INIT, .complete_body = RV_STRBUF_INIT };
	err = (struct rv_error)RV_ERROR_INIT;
	server_start(&fake.world.server, script, &fake);
	const struct rv_aws_settings_params settings = { .endpoint_url = fake.world.server.url };
	const struct rv_http_params http = { 0 };
	return rv_aws_new(&settings, &http, &fake.world.aws, &err) == RV_OK &&
			       rv_s3_new(fake.world.aws, "lake", &s3, &err) == RV_OK
		       ? 0
		       : -1;
}

static int tear_down(void **state RV_UNUSED)
{
	rv_s3_free(s3);
	rv_aws_free_p(&fake.world.aws);
	server_stop(&fake.world.server);
	server_release(&fake.world.server);
	rv_strbuf_release(&fake.complete_body);
	return 0;
}

/* A hole of that size behind one byte that is not to be sent. */
static enum rv_status put(bool if_absent)
{
	RV_CLEANUP(rv_close_p) int fd = memfd_create("parts", MFD_CLOEXEC);
	const struct rv_http_body body = { .fd = fd, .offset = 1, .len = SIZE };
	const struct rv_s3_put conditions = { .if_absent = if_absent };

	assert_int_equal(ftruncate(fd, (off_t)SIZE + 1), 0);
	return rv_s3_put(s3, "k", &body, &conditions, etag, &err);
}

static void expect_ok(enum rv_status status)
{
	if (status != RV_OK)
		fail_msg("%s", err.message);
	assert_string_equal(etag, "\"whole-5\"");
	assert_true(fake.there);
	assert_true(atomic_load(&fake.bytes) >= SIZE);
}

static void test_parts(void **state RV_UNUSED)
{
	fake.echo = true;
	expect_ok(put(true));
	assert_int_equal(atomic_load(&fake.parts), 5);
	assert_int_equal(atomic_load(&fake.aborts), 0);
	assert_non_null(strstr(fake.complete_body.bytes,
			       "<Part><PartNumber>5</PartNumber><ETag>&quot;p5&quot;</ETag><ChecksumCRC32C>"));
}

static void test_parts_from_memory(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_free_p) char *bytes = rv_calloc(1, SIZE);
	const struct rv_http_body body = { .bytes = bytes, .fd = -1, .len = SIZE };
	const struct rv_s3_put conditions = { 0 };

	memset(bytes + 20 * MIB, 'x', 3 * MIB);
	expect_ok(rv_s3_put(s3, "k", &body, &conditions, etag, &err));
	assert_int_equal(atomic_load(&fake.heads), 0);
	/* a store that repeats no checksums is not given the element either */
	assert_null(strstr(fake.complete_body.bytes, "ChecksumCRC32C"));
}

static void test_58_a_part_fails(void **state RV_UNUSED)
{
	fake.fail_part = 3;
	assert_int_equal(put(true), RV_AUTH);
	assert_non_null(strstr(err.message, "part 3 of 5"));
	assert_int_equal(atomic_load(&fake.completes), 0);
	/* until it is not known any more */
	assert_int_equal(atomic_load(&fake.aborts), 2);
	assert_false(fake.there);
}

static void test_58_complete_is_not_heard(void **state RV_UNUSED)
{
	fake.complete = TIMES_OUT_DONE;
	expect_ok(put(true));
	/* the second one was told that there is no such upload */
	assert_int_equal(atomic_load(&fake.completes), 2);
	assert_int_equal(atomic_load(&fake.aborts), 0);
}

static void test_58_complete_fails_within_a_200(void **state RV_UNUSED)
{
	fake.complete = ERROR_DONE;
	expect_ok(put(true));
	assert_int_equal(atomic_load(&fake.completes), 2);
}

static void test_complete_without_an_etag(void **state RV_UNUSED)
{
	fake.complete = NO_ETAG;
	expect_ok(put(true));
}

/* It would be a header of the next request: what a HEAD says is taken instead. */
static void test_complete_with_an_etag_of_two_lines(void **state RV_UNUSED)
{
	fake.complete = ETAG_OF_TWO_LINES;
	expect_ok(put(true));
	assert_string_equal(etag, "\"whole-5\"");
}

static void test_58_the_upload_is_gone(void **state RV_UNUSED)
{
	fake.complete = GONE;
	assert_int_equal(put(true), RV_NOT_FOUND);
	assert_string_equal(err.service_code, "NoSuchUpload");
	assert_int_equal(atomic_load(&fake.aborts), 0);
}

static void test_58_complete_never_works(void **state RV_UNUSED)
{
	fake.complete = NOT_DONE;
	assert_int_equal(put(true), RV_FAILED);
	assert_true(err.transient);
	assert_true(atomic_load(&fake.completes) > 2);
	assert_int_equal(atomic_load(&fake.aborts), 2);
}

static void test_a_conflict_means_to_start_over(void **state RV_UNUSED)
{
	fake.complete = CONFLICTS_ONCE;
	expect_ok(put(true));
	assert_int_equal(atomic_load(&fake.begun), 2);
	assert_int_equal(atomic_load(&fake.parts), 10);
}

static void test_60_refused_at_the_end(void **state RV_UNUSED)
{
	fake.complete = REFUSED;
	assert_int_equal(put(true), RV_CONFLICT);
	assert_non_null(strstr(err.message, "exists already"));
	assert_int_equal(atomic_load(&fake.aborts), 2);
}

static void test_60_refused_before_anything_is_sent(void **state RV_UNUSED)
{
	fake.there = true;
	assert_int_equal(put(true), RV_CONFLICT);
	assert_int_equal(atomic_load(&fake.begun), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_parts),
		TEST(test_parts_from_memory),
		TEST(test_58_a_part_fails),
		TEST(test_58_complete_is_not_heard),
		TEST(test_58_complete_fails_within_a_200),
		TEST(test_complete_without_an_etag),
		TEST(test_complete_with_an_etag_of_two_lines),
		TEST(test_58_the_upload_is_gone),
		TEST(test_58_complete_never_works),
		TEST(test_a_conflict_means_to_start_over),
		TEST(test_60_refused_at_the_end),
		TEST(test_60_refused_before_anything_is_sent),
	};
	return cmocka_run_group_tests_name("s3_parts", tests, NULL, NULL);
}

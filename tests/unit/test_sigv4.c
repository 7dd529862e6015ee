/*
 * Signatures against published ones: aws-c-auth's signing suite (Apache-2.0), the examples of the S3
 * API Reference, and values that botocore computes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aws/sigv4.h"
#include "base/clock.h"
#include "base/memory.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static struct rv_aws_credentials suite_keys = {
	.access_key_id = (char *)(uintptr_t)"AKIDEXAMPLE",
	.secret_access_key = (char *)(uintptr_t)"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
};
static struct rv_aws_credentials s3_keys = {
	.access_key_id = (char *)(uintptr_t)"AKIAIOSFODNN7EXAMPLE",
	.secret_access_key = (char *)(uintptr_t)"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
};
static struct rv_aws_credentials with_token(struct rv_aws_credentials keys, const char *token)
{
	keys.session_token = (char *)(uintptr_t)token;
	return keys;
}

static int64_t at(const char *time)
{
	int64_t ms;
	assert_true(rv_parse_time(time, strlen(time), &ms));
	return ms;
}

static struct rv_http_headers make_headers(const char *const *pairs)
{
	struct rv_http_headers headers = { 0 };
	for (; pairs && *pairs; pairs += 2)
		rv_http_headers_add(&headers, pairs[0], pairs[1]);
	return headers;
}

static void assert_signed(const struct rv_sigv4 *sign, const char *const *pairs,
			  const char *signed_names, const char *canonical_sha, const char *signature)
{
	struct rv_error err = RV_ERROR_INIT;
	RV_CLEANUP(rv_http_headers_release) struct rv_http_headers headers = make_headers(pairs);
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf canonical = RV_STRBUF_INIT;
	char sha[RV_SHA256_HEX];

	assert_int_equal(rv_sigv4_canonical(sign, &headers, &canonical, &err), RV_OK);
	assert_int_equal(rv_sha256_hex(canonical.bytes, canonical.len, sha, &err), RV_OK);
	if (canonical_sha && strcmp(sha, canonical_sha) != 0)
		fail_msg("canonical request:\n%s\n", canonical.bytes);
	/* Twice: what an earlier attempt left behind is replaced. */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(rv_sigv4_sign(sign, &headers, &err), RV_OK);
		const char *authorization = rv_http_headers_get(&headers, "authorization");
		RV_CLEANUP(rv_free_p) char *end = rv_asprintf(", Signature=%s", signature);
		if (!rv_ends_with(authorization, end))
			fail_msg("%s\nof\n%s\n", authorization, canonical.bytes);
		if (signed_names) {
			RV_CLEANUP(rv_free_p) char *names =
				rv_asprintf(", SignedHeaders=%s,", signed_names);
			assert_non_null(strstr(authorization, names));
		}
	}
	size_t authorizations = 0;
	for (size_t i = 0; i < headers.count; i++)
		authorizations += strcmp(headers.items[i].name, "Authorization") == 0;
	assert_int_equal(authorizations, 1);
}

static char *presigned(const struct rv_sigv4 *sign, const char *const *pairs, int64_t expires_s)
{
	struct rv_error err = RV_ERROR_INIT;
	RV_CLEANUP(rv_http_headers_release) struct rv_http_headers headers = make_headers(pairs);
	struct rv_strbuf query = RV_STRBUF_INIT;
	assert_int_equal(rv_sigv4_presign(sign, &headers, expires_s, &query, &err), RV_OK);
	return rv_strbuf_take(&query);
}

static void assert_presigned(const struct rv_sigv4 *sign, const char *const *pairs,
			     int64_t expires_s, const char *signature)
{
	RV_CLEANUP(rv_free_p) char *query = presigned(sign, pairs, expires_s);
	RV_CLEANUP(rv_free_p) char *end = rv_asprintf("&X-Amz-Signature=%s", signature);
	if (!rv_ends_with(query, end))
		fail_msg("%s\n", query);
}

/* ---- the signing suite ---- */
static struct rv_sigv4 suite_request(const char *method, const char *path, const char *query)
{
	return (struct rv_sigv4){
		.credentials = &suite_keys,
		.region = "us-east-1",
		.service = "service",
		.now_ms = at("2015-08-30T12:36:00Z"),
		.method = method,
		.host = "example.amazonaws.com",
		.path = path,
		.query = query,
		.payload_hash = RV_SHA256_EMPTY,
	};
}

static void test_suite(void **state RV_UNUSED)
{
	static const char *const duplicate[] = { "My-Header1", "value2", "My-Header1", "value2",
						 "My-Header1", "value1", NULL };
	static const char *const trim[] = { "My-Header1", " value1", "My-Header2", " \"a   b   c\"",
					    NULL };
	/* The suite's paths are as a caller has them before its own encoding. */
	static const struct {
		const char *name, *path, *query, *header_form, *query_form;
		const char *const *headers;
	} cases[] = {
		{ "get-vanilla", "/", NULL,
		  "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
		  "e93c787ed7f371d5c6b165c1b38ede9550f4dce4144713e844b25b7192d3865d", NULL },
		{ "get-vanilla-query-order-key-case", "/", "Param2=value2&Param1=value1",
		  "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
		  "86012e2c9ad4d77369f5d81c11f75158aae4f895a085212cc6d3f923d300bed5", NULL },
		{ "get-vanilla-query-order-encoded", "/",
		  "Param-3=Value3&Param=Value2&%E1%88%B4=Value1",
		  "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac",
		  "c5f1848ceec943ac2ca68ee720460c23aaae30a2300586597ada94c4a65e4787", NULL },
		{ "get-header-key-duplicate", "/", NULL,
		  "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea",
		  "3349ee0b81b4b589da0ff28a395c3591e04de515651dd74f298fa992d1507a97", duplicate },
		{ "get-header-value-trim", "/", NULL,
		  "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
		  "e7bb0fd515e125e1aec2ecc4c0c17484fb06f6846b927c35e46005dd3df3acd4", trim },
		{ "get-utf8", "/\xE1\x88\xB4", NULL,
		  "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85",
		  "10eae3f14a260bd3911cc6d008d3c576d143b05b62f09782a7a4b37f52178e44", NULL },
		{ "get-space-normalized", "/example space/", NULL,
		  "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741",
		  "7a1f416954786484c9824d93c1f26ef64acb9b1b6c9154d08c9f07d0e394abf6", NULL },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct rv_sigv4 sign = suite_request("GET", cases[i].path, cases[i].query);
		print_message("# %s\n", cases[i].name);
		assert_signed(&sign, cases[i].headers, NULL, NULL, cases[i].header_form);
		assert_presigned(&sign, cases[i].headers, 3600, cases[i].query_form);
	}

	struct rv_sigv4 sign = suite_request("GET", "/", NULL);
	assert_signed(&sign, NULL, "host;x-amz-date",
		      "bb579772317eb040ac9ed261061d46c1f17a8133879d6129b6e1c25292927e63",
		      cases[0].header_form);

	struct rv_aws_credentials keys = with_token(
		suite_keys, "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267");
	sign.credentials = &keys;
	assert_signed(&sign, NULL, "host;x-amz-date;x-amz-security-token", NULL,
		      "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8");
	assert_presigned(&sign, NULL, 3600,
			 "7ff2b50b376cb4d151970630573d6291dc128cc5c2a12ffb237f73cc53f67b6c");
}

static void test_suite_form(void **state RV_UNUSED)
{
	static const char hash[] = "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e";
	static const char *const headers[] = { "Content-Type", "application/x-www-form-urlencoded",
					       "Content-Length", "13", "x-amz-content-sha256", hash,
					       NULL };
	static const char *const presign_headers[] = { "Content-Type",
						       "application/x-www-form-urlencoded",
						       "Content-Length", "13", NULL };
	struct rv_error err = RV_ERROR_INIT;
	char sha[RV_SHA256_HEX];
	assert_int_equal(rv_sha256_hex("Param1=value1", 13, sha, &err), RV_OK);
	assert_string_equal(sha, hash);
	struct rv_sigv4 sign = suite_request("POST", "/", NULL);
	sign.payload_hash = sha;
	assert_signed(&sign, headers,
		      "content-length;content-type;host;x-amz-content-sha256;x-amz-date", NULL,
		      "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b");
	assert_presigned(&sign, presign_headers, 3600,
			 "89a40deed0f26f9461242825a082d2222717248abc7ab41f552ad84a94ad46e9");
}

/* ---- S3 ---- */
static struct rv_sigv4 s3_request(const char *method, const char *path, const char *query)
{
	return (struct rv_sigv4){
		.credentials = &s3_keys,
		.region = "us-east-1",
		.service = "s3",
		.now_ms = at("2013-05-24T00:00:00Z"),
		.method = method,
		.host = "examplebucket.s3.amazonaws.com",
		.path = path,
		.query = query,
		.payload_hash = RV_SHA256_EMPTY,
		.is_s3 = true,
	};
}

static void test_s3_examples(void **state RV_UNUSED)
{
	static const char *const range[] = { "Range", "bytes=0-9", NULL };
	static const char *const put[] = { "x-amz-storage-class", "REDUCED_REDUNDANCY", "Date",
					   "Fri, 24 May 2013 00:00:00 GMT", NULL };
	struct rv_sigv4 sign = s3_request("GET", "/test.txt", NULL);
	assert_signed(&sign, range, "host;range;x-amz-content-sha256;x-amz-date",
		      "7344ae5b7ee6c3e7e6b0fe0640412a37625d1fbfff95c48bbb2dc43964946972",
		      "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
	assert_presigned(&(struct rv_sigv4){ .credentials = &s3_keys,
					     .region = "us-east-1",
					     .service = "s3",
					     .now_ms = sign.now_ms,
					     .method = "GET",
					     .host = sign.host,
					     .path = "/test.txt",
					     .is_s3 = true },
			 NULL, 86400,
			 "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");

	sign = s3_request("PUT", "/test%24file.text", NULL);
	sign.payload_hash = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072";
	assert_signed(&sign, put,
		      "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
		      "9e0e90d9c76de8fa5b200d8c849cd5b8dc7a3be3951ddb7f6a76b4158342019d",
		      "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");

	sign = s3_request("GET", "/", "lifecycle");
	assert_signed(&sign, NULL, "host;x-amz-content-sha256;x-amz-date",
		      "9766c798316ff2757b517bc739a67f6213b4ab36dd5da2f94eaebf79c77395ca",
		      "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
	sign = s3_request("GET", "/", "prefix=J&max-keys=2");
	assert_signed(&sign, NULL, NULL,
		      "df57d21db20da04d7fa30298dd4488ba3a2b47ca3a489c74750e0f1e7df1b9b7",
		      "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

static void test_s3_chunk_seed(void **state RV_UNUSED)
{
	static const char *const signed_length[] = {
		"Content-Encoding", "aws-chunked", "Content-Length", "66824",
		"x-amz-decoded-content-length", "66560", "x-amz-storage-class",
		"REDUCED_REDUNDANCY", NULL };
	static const char *const trailer[] = {
		"Content-Encoding", "aws-chunked", "x-amz-decoded-content-length", "66560",
		"x-amz-storage-class", "REDUCED_REDUNDANCY", "x-amz-trailer",
		"x-amz-checksum-crc32c", NULL };
	struct rv_sigv4 sign = s3_request("PUT", "/examplebucket/chunkObject.txt", NULL);
	sign.host = "s3.amazonaws.com";
	sign.payload_hash = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
	assert_signed(&sign, signed_length, NULL, NULL,
		      "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9");
	sign.payload_hash = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER";
	assert_signed(&sign, trailer, NULL, NULL,
		      "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e");
}

static void test_botocore(void **state RV_UNUSED)
{
	static const char *const meta[] = { "If-None-Match", "*", "x-amz-meta-a-b", "2",
					    "x-amz-meta-a", "1", "User-Agent", "river", NULL };
	static const char *const firehose[] = { "Content-Type", "application/x-amz-json-1.1",
						"X-Amz-Target", "Firehose_20150804.PutRecordBatch",
						NULL };
	static const char batch[] =
		"{\"DeliveryStreamName\":\"s\",\"Records\":[{\"Data\":\"eyJhIjoxfQo=\"}]}";
	struct rv_aws_credentials keys = with_token(s3_keys, "FQoExampleSessionToken//==");
	struct rv_error err = RV_ERROR_INIT;
	char sha[RV_SHA256_HEX];

	struct rv_sigv4 sign = s3_request(
		"PUT", "/dt%3D2013-05-24/a%20b%2Bc~%281%29/%C3%A9.json", NULL);
	sign.host = "examplebucket.s3.us-east-1.amazonaws.com";
	sign.credentials = &keys;
	sign.payload_hash = "e346432021b04179518d9614f3560ccd71354a4ee101ddcb893d6959a9d6301c";
	assert_signed(&sign, meta,
		      "host;if-none-match;x-amz-content-sha256;x-amz-date;x-amz-meta-a;"
		      "x-amz-meta-a-b;x-amz-security-token",
		      "f2243d230900c9a31a0de128aa1706193bd701647233ddf37e0e36da610a2767",
		      "6e4c76a846fe5c88a220939b1dd50ced05afb627e22a4cd2c91630f6c086e9bc");

	sign = s3_request("GET", "/",
			  "list-type=2&prefix=a%20b%2F&continuation-token=1%2B%2F%3D&max-keys=1000");
	sign.host = "examplebucket.s3.us-east-1.amazonaws.com";
	assert_signed(&sign, NULL, NULL,
		      "e1aed3126d157d9b26e47d1f5cc71a436479433015770c3d8fb0745cf92b0004",
		      "a2e039e5bc53bf81c2cac0e7f5e387e18096b987788c02b85dead4b5f0809900");

	sign = s3_request("GET", "/test.txt", NULL);
	sign.host = "examplebucket.s3.us-east-1.amazonaws.com";
	sign.credentials = &keys;
	sign.payload_hash = RV_UNSIGNED_PAYLOAD;
	assert_presigned(&sign, NULL, 86400,
			 "f8885ae5487eccbdeba3f853afaea05d7a912744c5a8a090be01ce79f3a3e3d9");

	assert_int_equal(rv_sha256_hex(batch, strlen(batch), sha, &err), RV_OK);
	sign = s3_request("POST", "/", NULL);
	sign.host = "firehose.us-east-1.amazonaws.com";
	sign.service = "firehose";
	sign.is_s3 = false;
	sign.payload_hash = sha;
	assert_signed(&sign, firehose, "content-type;host;x-amz-date;x-amz-target",
		      "a681e03000f6f4dae07dac6dddd6ad95db6f6cf099fe2ffbcd3058ec564a3780",
		      "9c42e4acdfae93c2d2bd38e33caa754941b45f059474a5ad686d5a7003614bdf");
}

/* ---- rules ---- */
static void assert_canonical(const struct rv_sigv4 *sign, int line, const char *want)
{
	struct rv_error err = RV_ERROR_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	assert_int_equal(rv_sigv4_canonical(sign, NULL, &text, &err), RV_OK);
	char *p = text.bytes;
	for (; line > 0; line--)
		p = strchr(p, '\n') + 1;
	*strchr(p, '\n') = '\0';
	assert_string_equal(p, want);
}

static void test_path(void **state RV_UNUSED)
{
	static const char *const cases[][2] = {
		{ "", "/" },
		{ "/", "/" },
		{ "//", "/" },
		{ "/./", "/" },
		{ "/..", "/" },
		{ "/../", "/" },
		{ "/../../x", "/x" },
		{ "/a/./b", "/a/b" },
		{ "/a//b///", "/a/b/" },
		{ "/a/..", "/" },
		{ "/a/../", "/" },
		{ "/a/b/..", "/a" },
		{ "/a/b/../c", "/a/c" },
		{ "/a/.", "/a" },
		{ "/a/...", "/a/..." },
		{ "/a/.b/..c", "/a/.b/..c" },
		{ "/a%20b/%2F", "/a%2520b/%252F" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct rv_sigv4 sign = suite_request("GET", cases[i][0], NULL);
		print_message("# %s\n", cases[i][0]);
		assert_canonical(&sign, 1, cases[i][1]);
	}
	struct rv_sigv4 none = suite_request("GET", NULL, NULL);
	assert_canonical(&none, 1, "/");
	struct rv_sigv4 s3 = s3_request("GET", "/a//b/./../c%20d/", NULL);
	assert_canonical(&s3, 1, "/a//b/./../c%20d/");
}

static void test_query(void **state RV_UNUSED)
{
	static const char *const cases[][2] = {
		{ "", "" },
		{ "&&", "" },
		{ "uploads", "uploads=" },
		{ "b=2&a=1", "a=1&b=2" },
		{ "a=2&a=10&a=1", "a=1&a=10&a=2" },
		{ "a-b=1&a=2", "a=2&a-b=1" },
		{ "a=b=c", "a=b%3Dc" },
		{ "a=%2f%c3%A9", "a=%2F%C3%A9" },
		{ "a=x/y~_.-", "a=x%2Fy~_.-" },
		{ "a=%", "a=%25" },
		{ "a=%2", "a=%252" },
		{ "a=%zz", "a=%25zz" },
		{ "a=%!1", "a=%25%211" },
		{ "a=%@1", "a=%25%401" },
		{ "a=%2z", "a=%252z" },
		/* many, in any order */
		{ "j=1&i=1&h=1&g=1&f=1&e=1&d=1&c=1&b=1&a=1", "a=1&b=1&c=1&d=1&e=1&f=1&g=1&h=1&i=1&j=1" },
		{ "=x", "=x" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct rv_sigv4 sign = s3_request("GET", "/", cases[i][0]);
		print_message("# %s\n", cases[i][0]);
		assert_canonical(&sign, 2, cases[i][1]);
	}
}

/* Blanks of either kind are one in a signature, and none around the value. */
static void test_header_values(void **state RV_UNUSED)
{
	static const char *const pairs[] = { "X-Tabs", "\ta\t \tb c\t", "X-None", " \t", NULL };
	struct rv_error err = RV_ERROR_INIT;
	RV_CLEANUP(rv_http_headers_release) struct rv_http_headers headers = make_headers(pairs);
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	struct rv_sigv4 sign = suite_request("GET", "/", NULL);
	assert_int_equal(rv_sigv4_canonical(&sign, &headers, &text, &err), RV_OK);
	assert_non_null(strstr(text.bytes, "\nx-tabs:a b c\n"));
	assert_non_null(strstr(text.bytes, "\nx-none:\n"));
}

/* Who says nothing of the body signs none; of S3's alone that means any. */
static void test_presign_without_a_hash(void **state RV_UNUSED)
{
	struct rv_sigv4 sign = suite_request("GET", "/", NULL);
	RV_CLEANUP(rv_free_p) char *empty = presigned(&sign, NULL, 3600);
	sign.payload_hash = NULL;
	RV_CLEANUP(rv_free_p) char *without = presigned(&sign, NULL, 3600);
	assert_string_equal(without, empty);
	sign.payload_hash = RV_UNSIGNED_PAYLOAD;
	RV_CLEANUP(rv_free_p) char *any = presigned(&sign, NULL, 3600);
	assert_string_not_equal(any, empty);
	sign = s3_request("GET", "/", NULL);
	sign.payload_hash = RV_UNSIGNED_PAYLOAD;
	RV_CLEANUP(rv_free_p) char *s3_any = presigned(&sign, NULL, 3600);
	sign.payload_hash = NULL;
	RV_CLEANUP(rv_free_p) char *s3_without = presigned(&sign, NULL, 3600);
	assert_string_equal(s3_without, s3_any);
}

static void test_presign_whole(void **state RV_UNUSED)
{
	static const char *const headers[] = { "x-amz-checksum-crc32c", "AAAAAA==",
					       "If-None-Match", "*", NULL };
	struct rv_aws_credentials keys = with_token(s3_keys, "a+b/c=");
	struct rv_sigv4 sign = s3_request("PUT", "/k", "x-id=PutObject");
	sign.credentials = &keys;
	sign.payload_hash = NULL;
	RV_CLEANUP(rv_free_p) char *query = presigned(&sign, headers, 604800);
	char *end = strstr(query, "&X-Amz-Signature=");
	assert_non_null(end);
	assert_int_equal(strlen(end), strlen("&X-Amz-Signature=") + 64);
	*end = '\0';
	assert_string_equal(query,
			    "X-Amz-Algorithm=AWS4-HMAC-SHA256"
			    "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
			    "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=604800"
			    "&X-Amz-Security-Token=a%2Bb%2Fc%3D"
			    "&X-Amz-SignedHeaders=host%3Bif-none-match%3Bx-amz-checksum-crc32c"
			    "&x-id=PutObject");

	struct rv_error err = RV_ERROR_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf out = RV_STRBUF_INIT;
	assert_int_equal(rv_sigv4_presign(&sign, NULL, 0, &out, &err), RV_USAGE);
	assert_int_equal(rv_sigv4_presign(&sign, NULL, 604801, &out, &err), RV_USAGE);
	assert_non_null(strstr(err.message, "604801"));
	assert_int_equal(out.len, 0);
}

static void test_bad_credentials(void **state RV_UNUSED)
{
	struct rv_error err = RV_ERROR_INIT;
	RV_CLEANUP(rv_http_headers_release) struct rv_http_headers headers = { 0 };
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf out = RV_STRBUF_INIT;
	struct rv_aws_credentials keys = with_token(s3_keys, "tok\r\nX-Evil: 1");
	struct rv_sigv4 sign = s3_request("GET", "/", NULL);
	sign.credentials = &keys;
	assert_int_equal(rv_sigv4_sign(&sign, &headers, &err), RV_AUTH);
	assert_null(strstr(err.message, "Evil"));
	assert_int_equal(headers.count, 0);
	assert_int_equal(rv_sigv4_presign(&sign, NULL, 60, &out, &err), RV_AUTH);
	keys = with_token(s3_keys, NULL);
	keys.access_key_id = (char *)(uintptr_t)"AK\nID";
	assert_int_equal(rv_sigv4_sign(&sign, &headers, &err), RV_AUTH);
	assert_non_null(strstr(err.message, "access key id"));
}

static void test_token_goes_away(void **state RV_UNUSED)
{
	struct rv_error err = RV_ERROR_INIT;
	RV_CLEANUP(rv_http_headers_release) struct rv_http_headers headers = { 0 };
	struct rv_aws_credentials keys = with_token(s3_keys, "token");
	struct rv_sigv4 sign = s3_request("GET", "/test.txt", NULL);
	rv_http_headers_add(&headers, "Range", "bytes=0-9");
	sign.credentials = &keys;
	assert_int_equal(rv_sigv4_sign(&sign, &headers, &err), RV_OK);
	assert_string_equal(rv_http_headers_get(&headers, "X-Amz-Security-Token"), "token");
	sign.credentials = &s3_keys;
	assert_int_equal(rv_sigv4_sign(&sign, &headers, &err), RV_OK);
	assert_null(rv_http_headers_get(&headers, "X-Amz-Security-Token"));
	assert_true(rv_ends_with(
		rv_http_headers_get(&headers, "Authorization"),
		"f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"));
}

/* More keys than are remembered, from several threads: each signature is the one of its own key. */
static void *sign_days(void *arg)
{
	char(*signatures)[RV_SHA256_HEX] = arg;
	for (int round = 0; round < 3; round++) {
		for (int day = 0; day < 7; day++) {
			struct rv_error err = RV_ERROR_INIT;
			RV_CLEANUP(rv_http_headers_release) struct rv_http_headers headers = { 0 };
			struct rv_sigv4 sign = s3_request("GET", "/", NULL);
			sign.now_ms += day * INT64_C(86400000);
			if (rv_sigv4_sign(&sign, &headers, &err) != RV_OK)
				return NULL;
			const char *a = rv_http_headers_get(&headers, "Authorization");
			const char *hex = a + strlen(a) - 64;
			if (round == 0)
				memcpy(signatures[day], hex, RV_SHA256_HEX);
			else if (strcmp(signatures[day], hex) != 0)
				return NULL;
		}
	}
	return arg;
}

static void test_remembered_keys(void **state RV_UNUSED)
{
	char signatures[4][7][RV_SHA256_HEX];
	pthread_t threads[4];
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, sign_days, signatures[i]), 0);
	for (size_t i = 0; i < 4; i++) {
		void *ok;
		assert_int_equal(pthread_join(threads[i], &ok), 0);
		assert_non_null(ok);
		assert_memory_equal(signatures[i], signatures[0], sizeof(signatures[0]));
		for (int a = 0; a < 7; a++)
			for (int b = a + 1; b < 7; b++)
				assert_string_not_equal(signatures[i][a], signatures[i][b]);
	}
	struct rv_sigv4 sign = s3_request("GET", "/", "lifecycle");
	rv_sigv4_forget_keys();
	assert_signed(&sign, NULL, NULL, NULL,
		      "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
}

static void test_credentials_copy(void **state RV_UNUSED)
{
	struct rv_aws_credentials from = with_token(s3_keys, "t"), to;
	from.expires_ms = 5;
	rv_aws_credentials_copy(&to, &from);
	assert_string_equal(to.secret_access_key, from.secret_access_key);
	assert_string_equal(to.session_token, "t");
	assert_int_equal(to.expires_ms, 5);
	rv_aws_credentials_release(&to);
	assert_null(to.secret_access_key);
	rv_aws_credentials_release(&to);
	rv_aws_credentials_copy(&to, &s3_keys);
	assert_null(to.session_token);
	rv_aws_credentials_release(&to);
}

/* ---- digests ---- */
static void test_digests(void **state RV_UNUSED)
{
	struct rv_error err = RV_ERROR_INIT;
	char sha[RV_SHA256_HEX], sha1[RV_SHA1_HEX], mac_text[RV_SHA256_HEX];
	uint8_t mac[RV_SHA256_BYTES], key[131];
	assert_int_equal(rv_sha256_hex(NULL, 0, sha, &err), RV_OK);
	assert_string_equal(sha, RV_SHA256_EMPTY);
	assert_int_equal(rv_sha256_hex("abc", 3, sha, &err), RV_OK);
	assert_string_equal(sha, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_int_equal(rv_sha1_hex("abc", 3, sha1, &err), RV_OK);
	assert_string_equal(sha1, "a9993e364706816aba3e25717850c26c9cd0d89d");
	/* RFC 4231, test cases 2, 6 and 7: short key, and one longer than a block */
	assert_int_equal(rv_hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, mac, &err),
			 RV_OK);
	rv_hex(mac, sizeof(mac), mac_text);
	assert_string_equal(mac_text,
			    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, sizeof(key));
	static const char larger[] = "Test Using Larger Than Block-Size Key - Hash Key First";
	assert_int_equal(rv_hmac_sha256(key, sizeof(key), larger, strlen(larger), mac, &err), RV_OK);
	rv_hex(mac, sizeof(mac), mac_text);
	assert_string_equal(mac_text,
			    "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
	static const char long_text[] =
		"This is a test using a larger than block-size key and a larger than block-size "
		"data. The key needs to be hashed before being used by the HMAC algorithm.";
	assert_int_equal(rv_hmac_sha256(key, sizeof(key), long_text, strlen(long_text), mac, &err),
			 RV_OK);
	rv_hex(mac, sizeof(mac), mac_text);
	assert_string_equal(mac_text,
			    "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
}

/* A text that does not fit on the stack hashes as its digest in two steps does. */
static void test_long_hmac(void **state RV_UNUSED)
{
	struct rv_error err = RV_ERROR_INIT;
	uint8_t got[RV_SHA256_BYTES], want[RV_SHA256_BYTES];
	RV_CLEANUP(rv_free_p) uint8_t *inner = rv_malloc(64 + 100000);
	uint8_t outer[64 + RV_SHA256_BYTES];
	memset(inner, 0x36, 64);
	memset(inner + 64, 'x', 100000);
	memset(outer, 0x5c, 64);
	inner[0] ^= 'k';
	outer[0] ^= 'k';
	assert_int_equal(rv_sha256(inner, 64 + 100000, outer + 64, &err), RV_OK);
	assert_int_equal(rv_sha256(outer, sizeof(outer), want, &err), RV_OK);
	assert_int_equal(rv_hmac_sha256("k", 1, inner + 64, 100000, got, &err), RV_OK);
	assert_memory_equal(got, want, sizeof(want));
}

static void test_file_digest(void **state RV_UNUSED)
{
	struct rv_error err = RV_ERROR_INIT;
	char path[] = "/tmp/river-test-sigv4-XXXXXX", sha[RV_SHA256_HEX], want[RV_SHA256_HEX];
	RV_CLEANUP(rv_close_p) int fd = mkstemp(path);
	assert_true(fd >= 0);
	unlink(path);
	const size_t size = 700001;
	RV_CLEANUP(rv_free_p) char *bytes = rv_malloc(size);
	for (size_t i = 0; i < size; i++)
		bytes[i] = (char)(i * 7 + (i >> 9));
	assert_int_equal(write(fd, bytes, size), size);
	assert_int_equal(rv_sha256_fd_hex(fd, 0, 0, sha, &err), RV_OK);
	assert_string_equal(sha, RV_SHA256_EMPTY);
	assert_int_equal(rv_sha256_fd_hex(fd, 1000, size - 1000, sha, &err), RV_OK);
	assert_int_equal(rv_sha256_hex(bytes + 1000, size - 1000, want, &err), RV_OK);
	assert_string_equal(sha, want);
	assert_int_equal(rv_sha256_fd_hex(fd, 0, 3, sha, &err), RV_OK);
	assert_int_equal(rv_sha256_hex(bytes, 3, want, &err), RV_OK);
	assert_string_equal(sha, want);
	assert_int_equal(rv_sha256_fd_hex(fd, 1, size, sha, &err), RV_LOCAL_IO);
	assert_non_null(strstr(err.message, "1 bytes early"));
	assert_int_equal(rv_sha256_fd_hex(-1, 0, 1, sha, &err), RV_LOCAL_IO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_suite),
		cmocka_unit_test(test_suite_form),
		cmocka_unit_test(test_s3_examples),
		cmocka_unit_test(test_s3_chunk_seed),
		cmocka_unit_test(test_botocore),
		cmocka_unit_test(test_path),
		cmocka_unit_test(test_query),
		cmocka_unit_test(test_header_values),
		cmocka_unit_test(test_presign_whole),
		cmocka_unit_test(test_presign_without_a_hash),
		cmocka_unit_test(test_bad_credentials),
		cmocka_unit_test(test_token_goes_away),
		cmocka_unit_test(test_remembered_keys),
		cmocka_unit_test(test_credentials_copy),
		cmocka_unit_test(test_digests),
		cmocka_unit_test(test_long_hmac),
		cmocka_unit_test(test_file_digest),
	};
	return cmocka_run_group_tests_name("sigv4", tests, NULL, NULL);
}

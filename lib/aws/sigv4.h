/*
 * AWS Signature Version 4, header and query form, of river's own: libcurl's has no S3 mode, does
 * not sort or encode, and cannot presign. Facts: AWS General Reference "Signature Version 4", S3
 * API Reference "Authenticating Requests"; test vectors of aws-c-auth.
 *
 * Pure: no clock, no environment. Keys are zeroised, but for the derived ones that are remembered
 * until rv_sigv4_forget_keys. Thread-safe.
 */
#ifndef RV_AWS_SIGV4_H
#define RV_AWS_SIGV4_H

#include <stdbool.h>
#include <stdint.h>

#include "base/crypto.h"
#include "base/error.h"
#include "base/strbuf.h"
#include "http/http.h"

/* SHA-256 of "" in hex */
#define RV_SHA256_EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define RV_UNSIGNED_PAYLOAD "UNSIGNED-PAYLOAD"

struct rv_aws_credentials {
	char *access_key_id;
	char *secret_access_key;
	char *session_token;  /* Optional */
	int64_t expires_ms;   /* since 1970 UTC; INT64_MAX: never */
};
void rv_aws_credentials_copy(struct rv_aws_credentials *to, const struct rv_aws_credentials *from);
void rv_aws_credentials_release(struct rv_aws_credentials *credentials); /* zeroises */

struct rv_sigv4 {
	const struct rv_aws_credentials *credentials;
	const char *region, *service; /* "eu-west-1", "s3" */
	int64_t now_ms;               /* since 1970 UTC; the clock correction already in it */
	const char *method;
	const char *host;             /* as the Host header says it: default ports left out */
	const char *path;             /* percent-encoded, as it will be sent; "/" at least */
	/* name=value pairs, percent-encoded, in any order, without '?'; Optional. A name without '='
	 * is signed as "name=". */
	const char *query;
	/* Hex SHA-256, or RV_UNSIGNED_PAYLOAD. NULL, presigning only: unsigned for S3, else of "". */
	const char *payload_hash;
	/* S3 encodes the path once and leaves it as it is; all others normalise and encode twice. */
	bool is_s3;
};

/* Adds Host's signature to `headers`: X-Amz-Date, X-Amz-Security-Token, for S3
 * X-Amz-Content-Sha256, and Authorization. All headers that are in it already are signed, but
 * those that proxies change; repeated names are joined. */
enum rv_status rv_sigv4_sign(const struct rv_sigv4 *sign, struct rv_http_headers *headers,
			     struct rv_error *err) RV_MUST_CHECK;
/* The query of a presigned URL, complete with its signature. `headers` (Optional) must be sent with
 * the request as they are; `expires_s` is 1..604800. */
enum rv_status rv_sigv4_presign(const struct rv_sigv4 *sign, const struct rv_http_headers *headers,
				int64_t expires_s, struct rv_strbuf *ret_query,
				struct rv_error *err) RV_MUST_CHECK;
/* For tests and --verbose: the canonical request that rv_sigv4_sign makes of these headers. */
enum rv_status rv_sigv4_canonical(const struct rv_sigv4 *sign, const struct rv_http_headers *headers,
				  struct rv_strbuf *ret, struct rv_error *err) RV_MUST_CHECK;

/* Wipes the signing keys that are remembered (derived, one a day, region and service). */
void rv_sigv4_forget_keys(void);

#endif

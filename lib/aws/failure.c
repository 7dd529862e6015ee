/* Error answers of AWS, read and sorted. Lists of codes are data, at the head of the file. */
#include "aws/failure.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "aws/client.h"
#include "base/memory.h"
#include "format/xml.h"

/* clang-format off */
/* botocore's throttling codes. LimitExceededException is left out: Firehose
 * means a quota by it. */
static const char *const throttle_codes[] = {
	"SlowDown", "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled",
	"RequestThrottledException", "TooManyRequestsException", "RequestLimitExceeded",
	"ProvisionedThroughputExceededException", "TransactionInProgressException",
	"BandwidthLimitExceeded", "PriorRequestNotComplete", "EC2ThrottledException", "TooManyRequests",
	NULL
};
static const char *const transient_codes[] = {
	"InternalError", "InternalFailure", "InternalServerError", "ServiceUnavailable",
	"ServiceUnavailableException", "InternalServiceError", "InternalServiceException",
	"RequestTimeout", "RequestTimeoutException", "IDPCommunicationError",
	/* 409: the next attempt may well succeed (S3 API Reference, "Error responses") */
	"OperationAborted", "ConditionalRequestConflict", "ConcurrentModificationException",
	/* 400: another write of the same item is under way (DynamoDB API Reference, "Error handling") */
	"TransactionConflictException", "ReplicatedWriteConflictException",
	/* 400: damaged or cut short on the way */
	"BadDigest", "IncompleteBody",
	NULL
};
static const char *const auth_codes[] = {
	"AccessDenied", "AccessDeniedException", "InvalidAccessKeyId", "SignatureDoesNotMatch",
	"UnrecognizedClientException", "InvalidClientTokenId", "MissingAuthenticationToken",
	"MissingAuthenticationTokenException", "IncompleteSignature", "IncompleteSignatureException",
	"InvalidSignatureException", "ExpiredToken", "ExpiredTokenException", "InvalidToken",
	"TokenRefreshRequired", "AccountProblem", "AllAccessDisabled", "NotSignedUp", "OptInRequired",
	"RequestTimeTooSkewed", "RequestExpired", "ExpiredIdentityToken", "InvalidIdentityToken",
	"IDPRejectedClaim", "InvalidSecurity", "NotAuthorized", "UnauthorizedAccess", "Forbidden",
	"UnauthorizedException", "KMS.AccessDeniedException", NULL
};
static const char *const missing_codes[] = {
	"NoSuchBucket", "NoSuchKey", "NoSuchUpload", "NoSuchVersion", "ResourceNotFoundException",
	"NotFound", NULL
};
static const char *const conflict_codes[] = {
	"PreconditionFailed", "ConditionalRequestConflict", "OperationAborted", "ResourceInUseException",
	"ConcurrentModificationException", "BucketAlreadyExists", "BucketAlreadyOwnedByYou", NULL
};
static const char *const config_codes[] = {
	"PermanentRedirect", "TemporaryRedirect", "Redirect", "AuthorizationHeaderMalformed",
	"IllegalLocationConstraintException", "InvalidBucketName", "RegionDisabledException",
	"InvalidEndpoint", NULL
};
static const char *const clock_codes[] = {
	"RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture", NULL
};
static const char *const expired_codes[] = {
	"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", NULL
};
/* More permissions would not help: nobody has this key, secret or token. */
static const char *const wrong_key_codes[] = {
	"InvalidAccessKeyId", "UnrecognizedClientException", "InvalidClientTokenId",
	"SignatureDoesNotMatch", "InvalidSignatureException", "InvalidToken", NULL
};
/* clang-format on */

static bool is_one_of(const char *code, const char *const *codes)
{
	for (; *codes; codes++)
		if (strcmp(code, *codes) == 0)
			return true;
	return false;
}

bool rv_aws_code_throttle(const char *code, int http_status)
{
	return is_one_of(code, throttle_codes) || http_status == 429 ||
	       (http_status == 503 && !*code);
}

bool rv_aws_code_transient(const char *code, int http_status)
{
	if (rv_aws_code_throttle(code, http_status) || is_one_of(code, transient_codes))
		return true;
	return http_status == 408 || http_status == 500 || http_status == 502 || http_status == 503 ||
	       http_status == 504;
}

enum rv_status rv_aws_code_status(const char *code, int http_status)
{
	if (is_one_of(code, auth_codes))
		return RV_AUTH;
	if (is_one_of(code, missing_codes))
		return RV_NOT_FOUND;
	if (is_one_of(code, conflict_codes))
		return RV_CONFLICT;
	if (is_one_of(code, config_codes))
		return RV_BAD_CONFIG;
	if (rv_aws_code_transient(code, http_status))
		return RV_FAILED;
	switch (http_status) {
	case 401:
	case 403: return RV_AUTH;
	case 404: return RV_NOT_FOUND;
	case 409:
	case 412: return RV_CONFLICT;
	case 301:
	case 302:
	case 307:
	case 308:
	case 407: return RV_BAD_CONFIG;
	default: return RV_FAILED;
	}
}

/* "com.amazonaws.firehose#ThrottledException:http://..." is ThrottledException. */
static void take_code(struct rv_aws_failure *failure, const char *text)
{
	const char *hash = strrchr(text, '#');
	const char *start = hash ? hash + 1 : text;
	size_t len = strcspn(start, ":");
	if (len == 0 || len >= sizeof(failure->code) ||
	    strspn(start, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") < len)
		return;
	memcpy(failure->code, start, len);
	failure->code[len] = '\0';
}

static void take_text(char *to, size_t size, const char *text)
{
	if (*text && !*to)
		snprintf(to, size, "%s", text);
}

static void read_xml_error(const struct rv_xml *root, struct rv_aws_failure *ret)
{
	/* S3: <Error>; STS: <ErrorResponse><Error/><RequestId/>. */
	const struct rv_xml *error = rv_xml_is(root, "Error") ? root : rv_xml_child(root, "Error");
	take_code(ret, rv_xml_text(error, "Code"));
	take_text(ret->message, sizeof(ret->message), rv_xml_text(error, "Message"));
	take_text(ret->region, sizeof(ret->region), rv_xml_text(error, "Region"));
	take_text(ret->request_id, sizeof(ret->request_id), rv_xml_text(error, "RequestId"));
	take_text(ret->request_id, sizeof(ret->request_id), rv_xml_text(root, "RequestId"));
}

static void read_json_error(const struct rv_strbuf *body, struct rv_aws_failure *ret)
{
	json_t *json = json_loadb(body->bytes, body->len, 0, NULL);
	const char *code = json_string_value(json_object_get(json, "__type"));
	if (!code)
		code = json_string_value(json_object_get(json, "code"));
	const char *message = json_string_value(json_object_get(json, "message"));
	if (!message)
		message = json_string_value(json_object_get(json, "Message"));
	if (code && !*ret->code)
		take_code(ret, code);
	if (message)
		take_text(ret->message, sizeof(ret->message), message);
	json_decref(json);
}

static const char *first_of(const struct rv_http_headers *headers, const char *const *names)
{
	for (; *names; names++) {
		const char *value = rv_http_headers_get(headers, *names);
		if (value)
			return value;
	}
	return "";
}

static void read_headers(const struct rv_http_response *response, struct rv_aws_failure *ret)
{
	static const char *const ids[] = { "x-amz-request-id", "x-amzn-requestid", "x-amzn-request-id",
					   NULL };
	static const char *const types[] = { "x-amzn-errortype", "x-amzn-error-type", NULL };
	static const char *const regions[] = { "x-amz-bucket-region", NULL };
	*ret = (struct rv_aws_failure){ .http_status = response->status };
	take_text(ret->request_id, sizeof(ret->request_id), first_of(&response->headers, ids));
	take_text(ret->region, sizeof(ret->region), first_of(&response->headers, regions));
	take_code(ret, first_of(&response->headers, types));
}

static char first_byte(const struct rv_strbuf *body)
{
	return body->bytes[strspn(body->bytes, " \t\r\n")];
}

void rv_aws_failure_read(const struct rv_http_response *response, struct rv_aws_failure *ret)
{
	RV_CLEANUP(rv_xml_free_p) struct rv_xml_document *document = NULL;
	struct rv_error ignored = RV_ERROR_INIT;
	read_headers(response, ret);
	switch (first_byte(&response->body)) {
	case '<':
		if (rv_xml_parse("the answer", response->body.bytes, response->body.len, &document,
				 &ignored) == RV_OK &&
		    (rv_xml_is(rv_xml_root(document), "Error") ||
		     rv_xml_is(rv_xml_root(document), "ErrorResponse")))
			read_xml_error(rv_xml_root(document), ret);
		else
			ret->not_aws = true;
		break;
	case '{': read_json_error(&response->body, ret); break;
	case '\0': break;
	default: ret->not_aws = !*ret->code && !*ret->request_id;
	}
}

bool rv_aws_failure_in_200(const struct rv_http_response *response, struct rv_aws_failure *ret)
{
	RV_CLEANUP(rv_xml_free_p) struct rv_xml_document *document = NULL;
	struct rv_error ignored = RV_ERROR_INIT;
	if (first_byte(&response->body) != '<')
		return false;
	/* cut off or damaged, it may well have been an error */
	if (rv_xml_parse("the answer", response->body.bytes, response->body.len, &document,
			 &ignored) != RV_OK) {
		read_headers(response, ret);
		ret->not_aws = true;
		return true;
	}
	if (!rv_xml_is(rv_xml_root(document), "Error"))
		return false;
	read_headers(response, ret);
	read_xml_error(rv_xml_root(document), ret);
	/* S3 wants it retried as a 500 is, unless the code itself says that it is for good. */
	if (rv_aws_code_status(ret->code, 0) == RV_FAILED)
		ret->http_status = 500;
	return true;
}

bool rv_aws_failure_is_clock(const struct rv_aws_failure *failure)
{
	if (is_one_of(failure->code, clock_codes))
		return true;
	/* Services other than S3 say it in the message. */
	return (strcmp(failure->code, "SignatureDoesNotMatch") == 0 ||
		strcmp(failure->code, "InvalidSignatureException") == 0) &&
	       (strstr(failure->message, "Signature expired") ||
		strstr(failure->message, "Signature not yet current"));
}

bool rv_aws_failure_is_expired(const struct rv_aws_failure *failure)
{
	return is_one_of(failure->code, expired_codes);
}

/* Services other than S3 refuse a signature for another region by the code of a wrong one, and say so in
 * words alone. */
static bool is_scope(const struct rv_aws_failure *failure)
{
	return is_one_of(failure->code, wrong_key_codes) &&
	       strstr(failure->message, "Credential should be scoped to a valid region");
}

bool rv_aws_failure_is_wrong_key(const struct rv_aws_failure *failure)
{
	return is_one_of(failure->code, wrong_key_codes) && !is_scope(failure);
}

static void hint(const struct rv_aws_failure *failure, struct rv_error *err)
{
	const char *code = failure->code;
	if (failure->not_aws)
		rv_hint(err, "a proxy or portal may stand in between: look at aws.endpoint_url and the "
			     "proxy variables; 'river doctor' looks further");
	else if (rv_aws_failure_is_clock(failure))
		rv_hint(err, "set the clock of this machine");
	else if (rv_aws_failure_is_expired(failure))
		rv_hint(err, "the credentials have expired: get new ones (for SSO: aws sso login)");
	else if (!strcmp(code, "NoSuchBucket"))
		rv_hint(err, "make the bucket, or set 'lake' of the profile to one that exists");
	else if (is_scope(failure))
		rv_hint(err, "the endpoint is another region's: look at aws.region and aws.endpoint_url of "
			     "the profile");
	else if (rv_aws_failure_is_wrong_key(failure))
		rv_hint(err, "these are not the right keys: 'river doctor' says where they come from");
	else if (err->status == RV_AUTH)
		rv_hint(err, "these credentials need permission for it; 'river doctor' says whose they are");
	else if (failure->http_status == 407)
		rv_hint(err, "the proxy wants a user and password: look at HTTPS_PROXY");
	else if (err->status == RV_BAD_CONFIG && *failure->region)
		rv_hint(err, "set aws.region of the profile to %s", failure->region);
	else if (err->status == RV_BAD_CONFIG)
		rv_hint(err, "look at aws.region and aws.endpoint_url of the profile");
}

enum rv_status rv_aws_failure_tell(const struct rv_aws_failure *failure, const char *host,
				   struct rv_error *err)
{
	enum rv_status status = rv_aws_code_status(failure->code, failure->http_status);
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf said_clean = RV_STRBUF_INIT;
	/* Services that refuse a signature quote what they would have signed, the token in it. */
	rv_http_redact(&said_clean, failure->message);
	const char *said = failure->not_aws ? "something that is not its service" : said_clean.bytes;
	rv_fail(err, status, "%s answers %d%s%s%s%s", host, failure->http_status,
		*failure->code ? " " : "", failure->code, *said ? ": " : "", said);
	err->transient = rv_aws_code_transient(failure->code, failure->http_status);
	err->http_status = failure->http_status;
	snprintf(err->service_code, sizeof(err->service_code), "%s", failure->code);
	snprintf(err->request_id, sizeof(err->request_id), "%s", failure->request_id);
	hint(failure, err);
	return status;
}

/* Taking roles: STS's query protocol (STS API Reference). */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aws/credentials_impl.h"
#include "base/memory.h"
#include "format/xml.h"

#define TIMEOUT_MS 10000
#define ATTEMPTS 3
/* A refusal, and a clock that differs by more than this: the clock is the reason. */
#define SKEW_MS (4 * 60 * INT64_C(1000))
/* Where nothing names a region: STS answers for all of them there. */
#define REGION_FOR_ALL "us-east-1"

static void add_field(struct rv_strbuf *form, const char *name, const char *value)
{
	if (!value)
		return;
	rv_strbuf_printf(form, "%s%s=", form->len ? "&" : "", name);
	rv_http_encode(form, value, strlen(value), false);
}

static void role_form(struct rv_strbuf *form, const char *action, const struct rv_aws_role *role)
{
	RV_CLEANUP(rv_free_p) char *invented = rv_asprintf("river-%d", (int)getpid());
	add_field(form, "Action", action);
	add_field(form, "Version", "2011-06-15");
	add_field(form, "RoleArn", role->arn);
	add_field(form, "RoleSessionName", role->session_name ? role->session_name : invented);
	add_field(form, "DurationSeconds", role->duration_s);
	add_field(form, "ExternalId", role->external_id);
}

static enum rv_status refused(const char *arn, int http_status, const struct rv_xml *root,
			      struct rv_error *err)
{
	const struct rv_xml *error = rv_xml_child(root, "Error");
	const char *code = rv_xml_text(error, "Code");
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf said = RV_STRBUF_INIT;
	/* A signature that is refused is told with what would have been signed, the token in it. */
	rv_http_redact(&said, rv_xml_text(error, "Message"));
	rv_fail(err, RV_AUTH, "role %s: STS answered %d %s: %s", arn, http_status, code, said.bytes);
	snprintf(err->service_code, sizeof(err->service_code), "%s", code);
	err->http_status = http_status;
	err->transient = strcmp(code, "IDPCommunicationError") == 0 ||
			 strcmp(code, "Throttling") == 0;
	if (strcmp(code, "AccessDenied") == 0)
		rv_hint(err, "the role's trust policy has to name who takes it");
	else if (strstr(code, "Expired"))
		rv_hint(err, "the credentials or the token it is taken with have expired");
	return err->status;
}

static enum rv_status read_role(const char *arn, const struct rv_http_response *response,
				struct rv_aws_credentials *ret, struct rv_error *err)
{
	RV_CLEANUP(rv_xml_free_p) struct rv_xml_document *document = NULL;
	if (rv_xml_parse("the answer of STS", response->body.bytes, response->body.len, &document,
			 err) != RV_OK) {
		err->status = RV_AUTH;
		return rv_context(err, "role %s: answer %d", arn, response->status);
	}
	const struct rv_xml *root = rv_xml_root(document);
	if (response->status / 100 != 2)
		return refused(arn, response->status, root, err);
	/* AssumeRoleResult or AssumeRoleWithWebIdentityResult */
	const struct rv_xml *given = root->child ? rv_xml_child(root->child, "Credentials") : NULL;
	for (const struct rv_xml *node = root->child; node && !given; node = node->next)
		given = rv_xml_child(node, "Credentials");
	const char *id = rv_xml_text(given, "AccessKeyId");
	const char *secret = rv_xml_text(given, "SecretAccessKey");
	const char *token = rv_xml_text(given, "SessionToken");
	if (!*id || !*secret || !*token || !rv_http_value_valid(id) || !rv_http_value_valid(token))
		return rv_fail(err, RV_AUTH, "role %s: STS's answer holds no credentials", arn);
	if (rv_aws_read_expiration("STS's answer", rv_xml_text(given, "Expiration"), &ret->expires_ms,
				   err) != RV_OK)
		return err->status;
	ret->access_key_id = rv_strdup(id);
	ret->secret_access_key = rv_strdup(secret);
	ret->session_token = rv_strdup(token);
	return RV_OK;
}

/* Where STS is; taken apart for the signature. */
struct place {
	const char *region;
	char *url, *host, *path;
};

static void place_release(struct place *place)
{
	rv_free_p(&place->url);
	rv_free_p(&place->host);
	rv_free_p(&place->path);
}

static enum rv_status find_sts(const struct rv_aws_settings *settings, struct place *ret,
			       struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *endpoint = NULL;
	const char *origin;
	bool custom;
	ret->region = REGION_FOR_ALL;
	if (settings->region && rv_aws_region(settings, &ret->region, err) != RV_OK)
		return err->status;
	if (rv_aws_endpoint(settings, "sts", ret->region, &endpoint, &custom, &origin, err) != RV_OK)
		return err->status;
	const char *authority = strstr(endpoint, "://") + 3;
	const char *port = rv_starts_with(endpoint, "https") ? ":443" : ":80";
	size_t host_len = strcspn(authority, "/");
	ret->url = rv_asprintf("%s/", endpoint);
	ret->path = rv_asprintf("%s/", authority + host_len);
	ret->host = rv_strndup(authority, host_len);
	/* The Host header leaves it out. */
	if (rv_ends_with(ret->host, port))
		ret->host[host_len - strlen(port)] = '\0';
	return RV_OK;
}

/* `source` NULL: unsigned. */
static enum rv_status send_form(const struct rv_aws_asking *asking, const struct place *place,
				const struct rv_strbuf *form, const struct rv_aws_credentials *source,
				int64_t now_ms, struct rv_http_response *response,
				struct rv_error *err)
{
	RV_CLEANUP(rv_http_headers_release) struct rv_http_headers headers = { .count = 0 };
	rv_http_headers_add(&headers, "Content-Type", "application/x-www-form-urlencoded");
	if (source) {
		char hash[RV_SHA256_HEX];
		if (rv_sha256_hex(form->bytes, form->len, hash, err) != RV_OK)
			return err->status;
		const struct rv_sigv4 sign = {
			.credentials = source,
			.region = place->region,
			.service = "sts",
			.now_ms = now_ms,
			.method = "POST",
			.host = place->host,
			.path = place->path,
			.payload_hash = hash,
		};
		if (rv_sigv4_sign(&sign, &headers, err) != RV_OK)
			return err->status;
	}
	const struct rv_aws_ask ask = {
		.what = "STS",
		.method = "POST",
		.url = place->url,
		.headers = &headers,
		.body = form->bytes,
		.timeout_ms = TIMEOUT_MS,
		.attempts = ATTEMPTS,
	};
	rv_http_response_clear(response);
	return rv_aws_ask(asking->http, &ask, response, err);
}

static enum rv_status ask_sts(const struct rv_aws_asking *asking, const char *arn,
			      const struct rv_strbuf *form, const struct rv_aws_credentials *source,
			      struct rv_aws_credentials *ret, struct rv_error *err)
{
	RV_CLEANUP(place_release) struct place place = { .url = NULL };
	RV_CLEANUP(rv_http_response_release) struct rv_http_response response = RV_HTTP_RESPONSE_INIT;
	if (find_sts(asking->settings, &place, err) != RV_OK)
		return err->status;
	enum rv_status status =
		send_form(asking, &place, form, source, asking->now_ms, &response, err);
	int64_t date_ms = response.date_ms;
	if (status == RV_OK && source && response.status / 100 == 4 && date_ms >= 0 &&
	    (date_ms - asking->now_ms > SKEW_MS || asking->now_ms - date_ms > SKEW_MS))
		status = send_form(asking, &place, form, source, date_ms, &response, err);
	if (status != RV_OK)
		return rv_context(err, "role %s", arn);
	status = read_role(arn, &response, ret, err);
	explicit_bzero(response.body.bytes, response.body.len);
	return status;
}

enum rv_status rv_aws_assume_role(const struct rv_aws_asking *asking, const struct rv_aws_role *role,
				  const struct rv_aws_credentials *source,
				  struct rv_aws_credentials *ret, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf form = RV_STRBUF_INIT;
	role_form(&form, "AssumeRole", role);
	return ask_sts(asking, role->arn, &form, source, ret, err);
}

enum rv_status rv_aws_assume_role_with_token(const struct rv_aws_asking *asking,
					     const struct rv_aws_role *role, const char *token_file,
					     struct rv_aws_credentials *ret, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf form = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf token = RV_STRBUF_INIT;
	if (rv_aws_read_secret_file("the web identity token", token_file, &token, err) != RV_OK)
		return err->status;
	struct rv_aws_role plain = *role;
	plain.external_id = NULL; /* it is no field of this action */
	role_form(&form, "AssumeRoleWithWebIdentity", &plain);
	add_field(&form, "WebIdentityToken", token.bytes);
	enum rv_status status = ask_sts(asking, role->arn, &form, NULL, ret, err);
	explicit_bzero(token.bytes, token.len);
	explicit_bzero(form.bytes, form.len);
	return status;
}

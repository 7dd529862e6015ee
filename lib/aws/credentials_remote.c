/* Credentials that a machine's surroundings give: ECS and EKS containers, EC2 instances
 * (AWS SDKs and Tools Reference Guide). */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "aws/credentials_impl.h"
#include "base/memory.h"

#define CONTAINER_TIMEOUT_MS 2000
#define CONTAINER_ATTEMPTS 3
/* Where there is no such service, nothing answers: waiting longer only delays the truth. */
#define INSTANCE_TIMEOUT_MS 1000
/* Tokens that an outage left expired are still taken by AWS for a while (static stability). */
#define INSTANCE_STRETCH_MS (5 * 60 * INT64_C(1000))

/* ---- containers ---- */

/* The host of a URL, without user, port and brackets. */
static char *host_of(const char *url)
{
	const char *p = strstr(url, "://");
	if (!p)
		return rv_strdup("");
	p += 3;
	size_t len = strcspn(p, "/?#");
	const char *at = memchr(p, '@', len);
	if (at) {
		len -= (size_t)(at + 1 - p);
		p = at + 1;
	}
	if (*p == '[')
		return rv_strndup(p + 1, strcspn(p + 1, "]"));
	return rv_strndup(p, strcspn(p, ":/?#") < len ? strcspn(p, ":/?#") : len);
}

/* Over plain HTTP the token would go to whoever is there: only to these. */
static bool may_be_plain(const char *host)
{
	static const char *const hosts[] = { "localhost", "169.254.170.2", "169.254.170.23",
					     "fd00:ec2::23", "::1" };
	struct in_addr address;
	for (size_t i = 0; i < sizeof(hosts) / sizeof(*hosts); i++)
		if (strcasecmp(host, hosts[i]) == 0)
			return true;
	return inet_pton(AF_INET, host, &address) == 1 && ntohl(address.s_addr) >> 24 == 127;
}

static enum rv_status container_headers(struct rv_http_headers *headers, struct rv_error *err)
{
	const char *file = rv_aws_env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
	const char *token = rv_aws_env("AWS_CONTAINER_AUTHORIZATION_TOKEN");
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	if (file) {
		if (rv_aws_read_secret_file("the container's authorization token", file, &text, err) !=
		    RV_OK)
			return err->status;
		token = text.bytes;
	}
	if (!token)
		return RV_OK;
	if (!rv_http_value_valid(token))
		return rv_fail(err, RV_AUTH, "the container's authorization token holds a line break");
	rv_http_headers_add(headers, "Authorization", token);
	return RV_OK;
}

enum rv_status rv_aws_from_container(const struct rv_aws_asking *asking, struct rv_aws_given *ret,
				     struct rv_error *err)
{
	const char *relative = rv_aws_env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
	const char *full = rv_aws_env("AWS_CONTAINER_CREDENTIALS_FULL_URI");
	if (!relative && !full) {
		ret->detail = rv_strdup("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and _FULL_URI are not set");
		return RV_OK;
	}
	ret->configured = true;
	RV_CLEANUP(rv_free_p)
	char *url = relative ? rv_asprintf("http://169.254.170.2%s", relative) : rv_strdup(full);
	RV_CLEANUP(rv_free_p) char *host = host_of(url);
	ret->detail = rv_asprintf("container at %s", host);
	if (!rv_starts_with(url, "https://") &&
	    !(rv_starts_with(url, "http://") && may_be_plain(host))) {
		rv_fail(err, RV_AUTH, "AWS_CONTAINER_CREDENTIALS_FULL_URI names the host '%s' without TLS",
			host);
		rv_hint(err, "without TLS only this machine and AWS's own addresses are asked");
		return err->status;
	}
	RV_CLEANUP(rv_http_headers_release) struct rv_http_headers headers = { .count = 0 };
	RV_CLEANUP(rv_http_response_release) struct rv_http_response response = RV_HTTP_RESPONSE_INIT;
	if (container_headers(&headers, err) != RV_OK)
		return err->status;
	const struct rv_aws_ask ask = {
		.what = "the container's credentials",
		.method = "GET",
		.url = url,
		.headers = &headers,
		.timeout_ms = CONTAINER_TIMEOUT_MS,
		.attempts = CONTAINER_ATTEMPTS,
	};
	if (rv_aws_ask(asking->http, &ask, &response, err) != RV_OK)
		return err->status;
	if (response.status != 200) {
		rv_fail(err, RV_AUTH, "the container's credentials: answer %d", response.status);
		err->http_status = response.status;
		return err->status;
	}
	enum rv_status status = rv_aws_read_credentials("the container's answer", response.body.bytes,
							response.body.len, "Token",
							&ret->credentials, err);
	explicit_bzero(response.body.bytes, response.body.len);
	return status;
}

/* ---- EC2 ---- */
static bool is_off(const char *variable)
{
	const char *value = rv_aws_env(variable);
	return value && strcasecmp(value, "true") == 0;
}

static char *instance_endpoint(void)
{
	const char *url = rv_aws_env("AWS_EC2_METADATA_SERVICE_ENDPOINT");
	const char *mode = rv_aws_env("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
	if (!url)
		url = mode && strcasecmp(mode, "IPv6") == 0 ? "http://[fd00:ec2::254]"
							    : "http://169.254.169.254";
	size_t len = strlen(url);
	while (len && url[len - 1] == '/')
		len--;
	return rv_strndup(url, len);
}

static int64_t instance_timeout_ms(void)
{
	const char *text = rv_aws_env("AWS_METADATA_SERVICE_TIMEOUT");
	long s = text ? strtol(text, NULL, 10) : 0;
	return s > 0 && s <= 60 ? s * 1000 : INSTANCE_TIMEOUT_MS;
}

static unsigned instance_attempts(void)
{
	const char *text = rv_aws_env("AWS_METADATA_SERVICE_NUM_ATTEMPTS");
	long n = text ? strtol(text, NULL, 10) : 0;
	return n > 0 && n <= 100 ? (unsigned)n : 1;
}

static enum rv_status ask_instance(const struct rv_aws_asking *asking, const char *method,
				   const char *endpoint, const char *path, const char *token,
				   bool *ret_unheard, struct rv_http_response *response,
				   struct rv_error *err)
{
	RV_CLEANUP(rv_http_headers_release) struct rv_http_headers headers = { .count = 0 };
	RV_CLEANUP(rv_free_p) char *url = rv_asprintf("%s%s", endpoint, path);
	if (strcmp(method, "PUT") == 0)
		rv_http_headers_add(&headers, "X-aws-ec2-metadata-token-ttl-seconds", "21600");
	else if (token)
		rv_http_headers_add(&headers, "X-aws-ec2-metadata-token", token);
	const struct rv_aws_ask ask = {
		.what = "EC2's instance metadata",
		.method = method,
		.url = url,
		.headers = &headers,
		.timeout_ms = instance_timeout_ms(),
		.attempts = instance_attempts(),
		.ret_unheard = ret_unheard,
	};
	rv_http_response_clear(response);
	return rv_aws_ask(asking->http, &ask, response, err);
}

/* *ret NULL: version 1, where it is allowed. */
static enum rv_status instance_token(const struct rv_aws_asking *asking, const char *endpoint,
				     char **ret, struct rv_error *err)
{
	RV_CLEANUP(rv_http_response_release) struct rv_http_response response = RV_HTTP_RESPONSE_INIT;
	bool allowed = !is_off("AWS_EC2_METADATA_V1_DISABLED"), unheard = false;
	const char *off = rv_aws_setting(asking->settings, asking->settings->profile,
					 "ec2_metadata_v1_disabled");
	if (off && strcasecmp(off, "true") == 0)
		allowed = false;
	enum rv_status status = ask_instance(asking, "PUT", endpoint, "/latest/api/token", NULL,
					     &unheard, &response, err);
	*ret = NULL;
	/* Inside of a container the answer to this one dies at the bridge: its packets live for one
	 * hop, unlike those of version 1. */
	if (status != RV_OK)
		return unheard && allowed ? RV_OK : status;
	if (response.status == 200) {
		*ret = rv_strndup(response.body.bytes, response.body.len);
		if (rv_http_value_valid(*ret) && **ret)
			return RV_OK;
		rv_free_p(ret);
		return rv_fail(err, RV_AUTH, "EC2's instance metadata gave no token");
	}
	bool no_v2 = response.status == 403 || response.status == 404 || response.status == 405;
	if (no_v2 && allowed)
		return RV_OK;
	rv_fail(err, RV_AUTH, "EC2's instance metadata gave no token: answer %d", response.status);
	err->http_status = response.status;
	return err->status;
}

static enum rv_status instance_role(const struct rv_aws_asking *asking, const char *endpoint,
				    const char *token, struct rv_aws_given *ret, struct rv_error *err)
{
	static const char folder[] = "/latest/meta-data/iam/security-credentials/";
	RV_CLEANUP(rv_http_response_release) struct rv_http_response response = RV_HTTP_RESPONSE_INIT;
	if (ask_instance(asking, "GET", endpoint, folder, token, NULL, &response, err) != RV_OK)
		return err->status;
	if (response.status == 404) {
		ret->configured = false;
		ret->detail = rv_strdup("this instance has no role");
		return RV_OK;
	}
	RV_CLEANUP(rv_free_p)
	char *role = rv_strndup(response.body.bytes, strcspn(response.body.bytes, "\r\n"));
	if (response.status != 200 || !*role)
		return rv_fail(err, RV_AUTH, "EC2's instance metadata names no role: answer %d",
			       response.status);
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf path = RV_STRBUF_INIT;
	rv_strbuf_puts(&path, folder);
	rv_http_encode(&path, role, strlen(role), false);
	if (ask_instance(asking, "GET", endpoint, path.bytes, token, NULL, &response, err) != RV_OK)
		return err->status;
	if (response.status != 200)
		return rv_fail(err, RV_AUTH, "EC2's instance metadata: answer %d for role %s",
			       response.status, role);
	enum rv_status status = rv_aws_read_credentials("EC2's instance metadata", response.body.bytes,
							response.body.len, "Token",
							&ret->credentials, err);
	explicit_bzero(response.body.bytes, response.body.len);
	ret->detail = rv_asprintf("role %s", role);
	if (status == RV_OK && ret->credentials.expires_ms <= asking->now_ms)
		ret->credentials.expires_ms = asking->now_ms + INSTANCE_STRETCH_MS;
	return status;
}

enum rv_status rv_aws_from_instance(const struct rv_aws_asking *asking, struct rv_aws_given *ret,
				    struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *token = NULL;
	if (is_off("AWS_EC2_METADATA_DISABLED")) {
		ret->detail = rv_strdup("AWS_EC2_METADATA_DISABLED is true");
		return RV_OK;
	}
	RV_CLEANUP(rv_free_p) char *endpoint = instance_endpoint();
	if (instance_token(asking, endpoint, &token, err) != RV_OK) {
		/* Nothing there: this is no EC2 machine. An address of one's own is meant to answer. */
		if (err->http_status || rv_aws_env("AWS_EC2_METADATA_SERVICE_ENDPOINT"))
			return err->status;
		ret->detail = rv_asprintf("nothing answers at %s", endpoint);
		return RV_OK;
	}
	ret->configured = true;
	return instance_role(asking, endpoint, token, ret, err);
}

char *rv_aws_instance_region(const struct rv_aws_settings *settings, struct rv_http *http)
{
	const struct rv_aws_asking asking = { settings, http, 0 };
	struct rv_error ignored = RV_ERROR_INIT;
	RV_CLEANUP(rv_free_p) char *token = NULL, *region = NULL;
	RV_CLEANUP(rv_http_response_release) struct rv_http_response response = RV_HTTP_RESPONSE_INIT;
	if (is_off("AWS_EC2_METADATA_DISABLED"))
		return NULL;
	RV_CLEANUP(rv_free_p) char *endpoint = instance_endpoint();
	if (instance_token(&asking, endpoint, &token, &ignored) != RV_OK ||
	    ask_instance(&asking, "GET", endpoint, "/latest/meta-data/placement/region", token, NULL,
			 &response, &ignored) != RV_OK ||
	    response.status != 200)
		return NULL;
	region = rv_strndup(response.body.bytes, strcspn(response.body.bytes, " \r\n"));
	/* It becomes part of a host's name. */
	return rv_aws_region_valid(region) ? rv_take(region) : NULL;
}

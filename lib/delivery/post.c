/* What both ways of posting have in common: addresses, verdicts, pauses. */
#include "delivery/post_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "base/number.h"
#include "http/http.h"

/* ---- addresses ---- */

void rv_post_url_release(struct rv_post_url *url)
{
	free(url->host);
	free(url->port);
	free(url->authority);
	free(url->target);
	*url = (struct rv_post_url){ 0 };
}

bool rv_post_url_parse(const char *text, struct rv_post_url *ret)
{
	bool tls = rv_starts_with(text, "https://");
	const char *s = text + (tls ? 8 : 7);
	uint64_t port;

	if (!tls && !rv_starts_with(text, "http://"))
		return false;
	for (const char *p = s; *p; p++)
		if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f || strchr("#\\\"<>", *p))
			return false;
	size_t len = strcspn(s, "/?");
	const char *host = s, *after;
	size_t host_len;

	if (!len || len > 255 || memchr(s, '@', len))
		return false;
	if (*s == '[') {
		const char *close = memchr(s, ']', len);

		if (!close)
			return false;
		host++;
		host_len = (size_t)(close - host);
		after = close + 1;
		if (!host_len || strspn(host, "0123456789abcdefABCDEF:.") < host_len)
			return false;
	} else {
		host_len = strcspn(s, ":/?");
		after = s + host_len;
		if (strcspn(s, "[]%{}|^`") < host_len)
			return false;
	}
	size_t port_len = (size_t)(s + len - after);

	if (!host_len)
		return false;
	if (port_len && (*after != ':' || port_len > 6 || !rv_parse_u64(after + 1, port_len - 1, &port) ||
			 port == 0 || port > 65535))
		return false;
	*ret = (struct rv_post_url){
		.tls = tls,
		.host = rv_strndup(host, host_len),
		.port = port_len ? rv_strndup(after + 1, port_len - 1) : rv_strdup(tls ? "443" : "80"),
		.authority = rv_strndup(s, len),
		.target = rv_asprintf("%s%s", s[len] == '/' ? "" : "/", s + len),
	};
	return true;
}

bool rv_post_url_valid(const char *text)
{
	struct rv_post_url url;

	if (!rv_post_url_parse(text, &url))
		return false;
	rv_post_url_release(&url);
	return true;
}

char *rv_post_url_shown(const char *url)
{
	return rv_strndup(url, strcspn(url, "?"));
}

bool rv_post_header_valid(const char *text)
{
	static const char *const own[] = { "host", "content-length", "transfer-encoding", "connection",
					   "content-type", "expect", "te", "trailer", "upgrade", NULL };
	size_t len = strcspn(text, ":");

	if (!len || text[len] != ':' || !rv_http_value_valid(text + len + 1))
		return false;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] <= ' ' || (unsigned char)text[i] >= 0x7f ||
		    strchr("\"(),/:;<=>?@[\\]{}", text[i]))
			return false;
	for (size_t i = 0; own[i]; i++)
		if (strlen(own[i]) == len && strncasecmp(own[i], text, len) == 0)
			return false;
	return true;
}

/* ---- verdicts ---- */

enum rv_post_verdict rv_post_judge(const char *url, int status, struct rv_error *err)
{
	if (status >= 200 && status < 300)
		return RV_POST_OK;
	if (status == 408 || status == 425 || status == 429 || status >= 500)
		return RV_POST_AGAIN;
	if (status == 401 || status == 403 || status == 407) {
		rv_fail(err, RV_AUTH, "%s answers %d: it wants to know who you are", url, status);
		rv_hint(err, "put the header that it asks for into a file and name it with --headers");
	} else if (status == 404 || status == 405 || status == 410) {
		rv_fail(err, RV_NOT_FOUND, "%s answers %d: nothing takes events there", url, status);
	} else if (status < 400) {
		rv_fail(err, RV_BAD_CONFIG, "%s answers %d: what it was asked for is elsewhere", url, status);
		rv_hint(err, "redirects are not followed; name the address that it leads to");
	} else {
		return RV_POST_WRONG;
	}
	err->http_status = status;
	return RV_POST_HOPELESS;
}

int64_t rv_post_pause_ms(unsigned attempts, int64_t retry_after_ms, int64_t failing_ms,
			 int64_t retry_for_ms)
{
	int64_t pause_ms = rv_http_backoff_ms(attempts, 100, 20000), left_ms = retry_for_ms - failing_ms;

	if (left_ms <= 0)
		return -1;
	if (retry_after_ms >= 0) {
		pause_ms = (retry_after_ms > 300000 ? 300000 : retry_after_ms) +
			   rv_http_backoff_ms(1, 100, 100);
		return pause_ms >= left_ms ? -1 : pause_ms;
	}
	/* one more at the very end, rather than none for the last third */
	return pause_ms < left_ms ? pause_ms : left_ms;
}

void rv_post_gave_up(const char *url, const char *trouble, unsigned attempts, struct rv_error *err)
{
	rv_fail(err, RV_LOCAL_IO, "%s takes no events: %s (%u attempt%s)", url, trouble, attempts,
		attempts == 1 ? "" : "s");
	err->transient = true;
}

/* ---- opening ---- */

static bool proxied(void)
{
	static const char *const names[] = { "http_proxy", "all_proxy", "ALL_PROXY" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		const char *value = getenv(names[i]);

		if (value && *value)
			return true;
	}
	return false;
}

enum rv_status rv_post_new(const struct rv_post_params *params, struct rv_post **ret,
			   struct rv_error *err)
{
	struct rv_post_url url;

	if (!rv_post_url_parse(params->url, &url)) {
		rv_fail(err, RV_USAGE, "'%s' is no address", params->url);
		rv_hint(err, "write http://host:port/path or https://..., without user and password");
		return err->status;
	}
	enum rv_status status = url.tls || proxied()
					? rv_post_client_new(params, ret, err)
					: rv_post_plain_new(params, &url, ret, err);

	rv_post_url_release(&url);
	return status;
}

void rv_post_free(struct rv_post *post)
{
	if (post)
		post->ops->free(post);
}

void rv_post_free_p(struct rv_post **post)
{
	rv_post_free(*post);
	*post = NULL;
}

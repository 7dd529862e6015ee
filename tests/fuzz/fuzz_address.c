/*
 * Addresses and headers that people write: what is taken is put together again to the same text, and no token
 * goes to a host that is not Snowflake's. The first byte chooses.
 */
#include "fuzz.h"

#include <strings.h>

#include "base/strbuf.h"
#include "delivery/post_impl.h"
#include "http/http.h"
#include "snowflake/settings.h"

static void try_post(const char *text)
{
	struct rv_post_url url;

	if (rv_post_header_valid(text)) {
		CHECK(strchr(text, ':') > text && !strpbrk(text, "\r\n") && rv_http_value_valid(text));
		CHECK(strncasecmp(text, "host:", 5) != 0 && strncasecmp(text, "content-length:", 15) != 0);
	}
	if (!rv_post_url_parse(text, &url)) {
		CHECK(!rv_post_url_valid(text));
		return;
	}
	const char *path = url.target[1] == '?' && text[(url.tls ? 8 : 7) + strlen(url.authority)] == '?'
				   ? url.target + 1 : url.target;
	RV_CLEANUP(rv_free_p)
	char *again = rv_asprintf("http%s://%s%s", url.tls ? "s" : "", url.authority, path);
	RV_CLEANUP(rv_free_p) char *shown = rv_post_url_shown(text);

	CHECK(strcmp(again, text) == 0 || (strcmp(url.target, "/") == 0 && strlen(again) == strlen(text) + 1));
	CHECK(url.host[0] && !strpbrk(url.host, "/?@[ \r\n") && strstr(url.authority, url.host));
	CHECK(!strpbrk(url.authority, "/?@ \r\n") && url.target[0] == '/');
	CHECK(atol(url.port) > 0 && atol(url.port) <= 65535);
	CHECK(!strchr(shown, '?') && strncmp(shown, text, strlen(shown)) == 0);
	rv_post_url_release(&url);
}

static void set(struct rv_snowflake_settings *settings, enum rv_snowflake_key key, const char *value)
{
	if (!value || !*value)
		return;
	settings->values[key].value = rv_strdup(value);
	settings->values[key].origin = rv_strdup("here");
}

/* Account, host, region, port, protocol, a line each. */
static void try_place(char *text)
{
	static const enum rv_snowflake_key keys[] = { RV_SNOWFLAKE_ACCOUNT, RV_SNOWFLAKE_HOST, RV_SNOWFLAKE_REGION,
						      RV_SNOWFLAKE_PORT, RV_SNOWFLAKE_PROTOCOL };
	RV_CLEANUP(rv_snowflake_settings_free_p)
	struct rv_snowflake_settings *settings = rv_calloc(1, sizeof(*settings));
	struct rv_error err = RV_ERROR_INIT;
	char *rest = text;

	settings->connection = rv_strdup("c");
	for (size_t i = 0; i < 5 && rest; i++)
		set(settings, keys[i], strsep(&rest, "\n"));
	set(settings, RV_SNOWFLAKE_TOKEN, "secret");
	if (rv_snowflake_place(settings, &err) != RV_OK) {
		CHECK((err.status == RV_BAD_CONFIG || err.status == RV_AUTH) && err.message[0]);
		return;
	}
	const char *host = settings->host, *url = settings->url;
	size_t scheme = strncmp(url, "https://", 8) == 0 ? 8 : 7;

	CHECK(scheme == 8 || (settings->is_loopback && strncmp(url, "http://", 7) == 0));
	CHECK(strncmp(url + scheme, host, strlen(host)) == 0 && !strpbrk(host, "/@?#_ \r\n"));
	size_t behind = scheme + strlen(host);

	CHECK(!url[behind] || (url[behind] == ':' && strspn(url + behind + 1, "0123456789") ==
							     strlen(url + behind + 1)));
	CHECK(settings->is_loopback || strcasestr(host, ".snowflakecomputing.c"));
	CHECK(settings->claim_account && !strchr(settings->claim_account, '.'));
	for (const char *p = settings->claim_account; *p; p++)
		CHECK(*p < 'a' || *p > 'z');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1 || size > 2048)
		return 0;
	RV_CLEANUP(rv_free_p) char *text = exact_text(data + 1, size - 1);

	if (data[0] & 1)
		try_place(text);
	else
		try_post(text);
	return 0;
}

/* Addresses: of services, in the one shape that can be signed and joined to paths; of pages; to listen on. */
#include "format/url.h"

#include <netdb.h>
#include <string.h>
#include <sys/socket.h>

#include "base/memory.h"
#include "base/number.h"
#include "base/strbuf.h"

bool rv_url_is_endpoint(const char *url)
{
	const char *host = rv_starts_with(url, "https://")  ? url + 8
			   : rv_starts_with(url, "http://") ? url + 7
							    : NULL;
	if (!host || strchr("/:", *host))
		return false;
	for (const char *p = host; *p; p++)
		if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f || strchr("?#@\\\"<>", *p))
			return false;
	return true;
}

/* ---- origins ---- */

/* scheme://host[:port], as a browser sends it. */
static bool is_origin(const char *text)
{
	const char *host = rv_starts_with(text, "https://") ? text + 8
			   : rv_starts_with(text, "http://") ? text + 7
							     : "";
	if (!*host)
		return false;
	for (; *host; host++)
		if (!(*host >= 'a' && *host <= 'z') && !(*host >= '0' && *host <= '9') &&
		    !strchr(".-:[]", *host))
			return false;
	return true;
}

enum rv_status rv_url_origins(const char *text, char ***ret, size_t *ret_count, struct rv_error *err)
{
	size_t capacity = 0;
	*ret = NULL;
	*ret_count = 0;
	for (const char *at = text; *at;) {
		at += strspn(at, ", ");
		size_t len = strcspn(at, ", ");
		if (!len)
			break;
		RV_CLEANUP(rv_free_p) char *origin = rv_strndup(at, len);
		at += len;
		if (!is_origin(origin)) {
			rv_fail(err, RV_BAD_CONFIG, "'%s' is not the origin of a page", origin);
			rv_hint(err, "write https://shop.example, in lower case and without a path");
			return err->status;
		}
		RV_GROW(*ret, *ret_count, capacity);
		(*ret)[(*ret_count)++] = rv_take(origin);
	}
	/* No origin at all would mean any page. */
	return *ret_count ? RV_OK : rv_fail(err, RV_BAD_CONFIG, "'%s' names no origin of a page", text);
}

/* ---- listening ---- */

struct addrinfo *rv_url_listen(const char *text, bool *ret_any)
{
	const char *colon = strrchr(text, ':');
	uint64_t port;
	if (!colon || !rv_parse_u64(colon + 1, strlen(colon + 1), &port) || port > 65535)
		return NULL;
	RV_CLEANUP(rv_free_p) char *host = rv_strndup(text, (size_t)(colon - text));
	size_t len = strlen(host);
	bool any = len == 0 || strcmp(host, "*") == 0;
	if (len > 2 && host[0] == '[' && host[len - 1] == ']') {
		memmove(host, host + 1, len - 2);
		host[len - 2] = '\0';
	} else if (strchr(host, ':')) {
		return NULL;
	}
	const struct addrinfo hints = {
		.ai_family = any ? AF_INET6 : AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV | AI_NUMERICHOST,
	};
	struct addrinfo *info = NULL;
	if (getaddrinfo(any ? "::" : strcmp(host, "localhost") == 0 ? "127.0.0.1" : host, colon + 1, &hints,
			&info))
		return NULL;
	*ret_any = any;
	return info;
}

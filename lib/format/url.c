/* Addresses of services: the one shape that can be signed and joined to paths. */
#include "format/url.h"

#include <string.h>

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

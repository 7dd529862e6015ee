/* What people write where a service answers, where river listens, and which pages may send there, looked at
 * before anything is sent or opened. */
#ifndef RV_FORMAT_URL_H
#define RV_FORMAT_URL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* http:// or https://, a host, and behind it perhaps a port and a path: no user, no password, no query,
 * no fragment, nothing that is not printable ASCII. */
bool rv_url_is_endpoint(const char *url);

/* "https://a.example, https://b.example:8443" as texts: at least one, each as a browser sends it. RV_BAD_CONFIG;
 * caller frees each and the array, also of those before a wrong one. */
enum rv_status rv_url_origins(const char *text, char ***ret, size_t *ret_count, struct rv_error *err) RV_MUST_CHECK;

/* What "127.0.0.1:8080", "[::1]:0", "localhost:80", "*:80" and ":80" listen on; for the last two all of the
 * machine's addresses, IPv6's and IPv4's. Asks no network. NULL: that is none; caller uses freeaddrinfo. */
struct addrinfo *rv_url_listen(const char *text, bool *ret_any) RV_MUST_CHECK;
/* What to write instead. */
#define RV_URL_LISTEN_HINT "write 127.0.0.1:8080, [::1]:8080, or *:8080 for all of this machine's addresses"

#endif

/* What people write where a service answers, looked at before anything is sent there. */
#ifndef RV_FORMAT_URL_H
#define RV_FORMAT_URL_H

#include <stdbool.h>

/* http:// or https://, a host, and behind it perhaps a port and a path: no user, no password, no query,
 * no fragment, nothing that is not printable ASCII. */
bool rv_url_is_endpoint(const char *url);

#endif

/*
 * The functions of libcurl that river calls, looked up at run time, so that what needs no network
 * neither needs nor pays for it. Their types are those of <curl/curl.h>; libcurl keeps its ABI
 * within libcurl.so.4. rv_curl_api() loads and initialises it once per process.
 */
#ifndef RV_HTTP_CURL_API_H
#define RV_HTTP_CURL_API_H

/* Warnings about options that only newer libraries have a better name for are of no use here. */
#define CURL_DISABLE_DEPRECATION
#include <curl/curl.h>

#include "base/error.h"

#define RV_CURL_FUNCTIONS(CURL_FN)                                                                 \
	CURL_FN(global_init_mem)                                                                   \
	CURL_FN(version_info)                                                                      \
	CURL_FN(easy_init)                                                                         \
	CURL_FN(easy_setopt)                                                                       \
	CURL_FN(easy_perform)                                                                      \
	CURL_FN(easy_getinfo)                                                                      \
	CURL_FN(easy_cleanup)                                                                      \
	CURL_FN(easy_strerror)                                                                     \
	CURL_FN(slist_append)                                                                      \
	CURL_FN(slist_free_all)

struct rv_curl_api {
#define CURL_FN(name) __typeof__(curl_##name) *name;
	RV_CURL_FUNCTIONS(CURL_FN)
#undef CURL_FN
};

/* RV_NOT_FOUND: not installed (the hint says what to do); RV_BAD_CONFIG: older than 7.80, or without
 * TLS. May be called by any thread. */
enum rv_status rv_curl_api(const struct rv_curl_api **ret, struct rv_error *err) RV_MUST_CHECK;

#endif

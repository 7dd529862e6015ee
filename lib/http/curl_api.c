/* Opens libcurl, checks that it can do what is asked of it, and initialises it once. */
#include "http/curl_api.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/memory.h"

#define LIBRARY "libcurl.so.4"
/* CURLOPT_PREREQFUNCTION is there since 7.80.0. */
#define OLDEST 0x075000

static pthread_mutex_t load_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct rv_curl_api loaded;
static bool is_loaded;

static enum rv_status check(const struct rv_curl_api *api, struct rv_error *err)
{
	const curl_version_info_data *info = api->version_info(CURLVERSION_NOW);

	if (info->version_num < OLDEST) {
		rv_fail(err, RV_BAD_CONFIG, "libcurl %s is too old", info->version);
		rv_hint(err, "river wants libcurl 7.80 or later");
		return err->status;
	}
	if (!(info->features & CURL_VERSION_SSL)) {
		rv_fail(err, RV_BAD_CONFIG, "libcurl %s was built without TLS", info->version);
		rv_hint(err, "install the package libcurl4");
		return err->status;
	}
	/* An option that could not be kept for want of memory is one that is not set: a method, a proxy that is not
	 * to be used, who signs the certificates. So it is not told, it ends the process. */
	if (api->global_init_mem(CURL_GLOBAL_DEFAULT, rv_malloc, free, rv_realloc, rv_strdup, rv_calloc) != CURLE_OK)
		return rv_fail(err, RV_FAILED, "libcurl %s does not start", info->version);
	return RV_OK;
}

static enum rv_status load(struct rv_curl_api *api, struct rv_error *err)
{
	void *handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);

	if (!handle) {
		const char *reason = dlerror();

		rv_fail(err, RV_NOT_FOUND, "cannot open libcurl: %s", reason ? reason : LIBRARY);
		rv_hint(err, "install the package libcurl4");
		return err->status;
	}
	/* ISO C has no cast from object to function pointers; POSIX gives dlsym this use. */
#define CURL_FN(name)                                                                              \
	*(void **)&api->name = dlsym(handle, "curl_" #name);                                       \
	if (!api->name)                                                                            \
		rv_fail(err, RV_BAD_CONFIG, LIBRARY " has no function curl_" #name);
	RV_CURL_FUNCTIONS(CURL_FN)
#undef CURL_FN
	if (err->status != RV_OK || check(api, err) != RV_OK) {
		dlclose(handle);
		return err->status;
	}
	return RV_OK; /* never closed: it is needed until the end */
}

enum rv_status rv_curl_api(const struct rv_curl_api **ret, struct rv_error *err)
{
	enum rv_status status = RV_OK;

	pthread_mutex_lock(&load_mutex);
	if (!is_loaded) {
		struct rv_curl_api api = { 0 };
		struct rv_error why = RV_ERROR_INIT;

		status = load(&api, &why);
		if (status == RV_OK) {
			loaded = api;
			is_loaded = true;
		} else {
			*err = why;
		}
	}
	pthread_mutex_unlock(&load_mutex);
	if (status == RV_OK)
		*ret = &loaded;
	return status;
}

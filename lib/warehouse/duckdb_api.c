/* Finds libduckdb, opens it, checks its version and looks up every function river calls. */
#include "warehouse/duckdb_api.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/strbuf.h"

#define LIBRARY "libduckdb.so"

static pthread_mutex_t load_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct rv_duckdb_api loaded;
static bool is_loaded;

static bool readable(const char *path)
{
	return access(path, R_OK) == 0;
}

static char *binary_folder(void)
{
	char buf[4096];
	ssize_t n = readlink("/proc/self/exe", buf, sizeof(buf) - 1);

	if (n <= 0)
		return NULL;
	buf[n] = '\0';
	return rv_path_parent(buf);
}

/* The file to open, or NULL to ask the loader. Caller frees. */
static char *find_library(void)
{
	RV_CLEANUP(rv_free_p) char *folder = binary_folder();
	const char *data_home = getenv("XDG_DATA_HOME");
	const char *home = getenv("HOME");
	char *path;

	if (folder) {
		/* Test programs lie two folders below the build folder, and build folders of other
		 * compilers and sanitizers below the one that has the library. */
		static const char *const places[] = { "../lib/river/" LIBRARY, "lib/" LIBRARY,
						      "../lib/" LIBRARY, "../../lib/" LIBRARY,
						      "../../../lib/" LIBRARY };
		for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
			path = rv_path_join(folder, places[i]);
			if (readable(path))
				return path;
			free(path);
		}
	}
	if (data_home && data_home[0] == '/')
		path = rv_path_join(data_home, "river/duckdb/" LIBRARY);
	else if (home && home[0] == '/')
		path = rv_path_join(home, ".local/share/river/duckdb/" LIBRARY);
	else
		return NULL;
	if (readable(path))
		return path;
	free(path);
	return NULL;
}

/* "v1.5.5" -> 1.x from 1.5 */
static bool version_fits(const char *version)
{
	unsigned major, minor;

	return sscanf(version, "v%u.%u", &major, &minor) == 2 && major == 1 && minor >= 5;
}

static enum rv_status look_up(void *handle, struct rv_duckdb_api *api, struct rv_error *err)
{
	/* ISO C has no cast from object to function pointers; POSIX gives dlsym this use. */
#define DUCK(result, name, args)                                                                   \
	*(void **)&api->name = dlsym(handle, "duckdb_" #name);                                     \
	if (!api->name)                                                                            \
		return rv_fail(err, RV_BAD_CONFIG, "%s has no function duckdb_" #name, api->path);
	DUCK_FUNCTIONS(DUCK)
#undef DUCK
	*(void **)&api->assign_checked_text =
		dlsym(handle, "duckdb_unsafe_vector_assign_string_element_len");
	if (!api->assign_checked_text)
		api->assign_checked_text = api->vector_assign_string_element_len;
	return RV_OK;
}

static enum rv_status load(struct rv_duckdb_api *api, struct rv_error *err)
{
	const char *wanted = getenv("RIVER_DUCKDB");
	RV_CLEANUP(rv_free_p) char *path = wanted && *wanted ? rv_strdup(wanted) : find_library();
	const char *(*version)(void);
	void *handle = dlopen(path ? path : LIBRARY, RTLD_NOW | RTLD_LOCAL);

	if (!handle) {
		const char *reason = dlerror();

		rv_fail(err, RV_NOT_FOUND, "cannot open DuckDB: %s", reason ? reason : LIBRARY);
		rv_hint(err, "'make deps' in river's source folder fetches it; or put " LIBRARY
			     " (1.5 or later) into ~/.local/share/river/duckdb, or name it in "
			     "RIVER_DUCKDB");
		return RV_NOT_FOUND;
	}
	snprintf(api->path, sizeof(api->path), "%s", path ? path : LIBRARY);
	*(void **)&version = dlsym(handle, "duckdb_library_version");
	if (!version) {
		dlclose(handle);
		return rv_fail(err, RV_BAD_CONFIG, "%s is not DuckDB", path ? path : LIBRARY);
	}
	snprintf(api->version, sizeof(api->version), "%s", version());
	if (!version_fits(api->version)) {
		dlclose(handle);
		rv_fail(err, RV_BAD_CONFIG, "DuckDB %s in %s is none river works with", api->version,
			api->path);
		rv_hint(err, "river wants DuckDB 1.5 or a later 1.x");
		return RV_BAD_CONFIG;
	}
	if (look_up(handle, api, err) != RV_OK) {
		dlclose(handle);
		return err->status;
	}
	return RV_OK; /* never closed: threads of the library may outlive every user */
}

enum rv_status rv_duckdb_api(const struct rv_duckdb_api **ret, struct rv_error *err)
{
	enum rv_status status = RV_OK;

	pthread_mutex_lock(&load_mutex);
	if (!is_loaded) {
		struct rv_duckdb_api api = { 0 };

		status = load(&api, err);
		if (status == RV_OK) {
			loaded = api;
			is_loaded = true;
		}
	}
	pthread_mutex_unlock(&load_mutex);
	if (status == RV_OK)
		*ret = &loaded;
	return status;
}

const struct rv_duckdb_api *rv_duckdb_loaded(void)
{
	const struct rv_duckdb_api *api = NULL;
	struct rv_error err = RV_ERROR_INIT;

	if (rv_duckdb_api(&api, &err) != RV_OK)
		rv_bug("DuckDB calls without being loaded");
	return api;
}

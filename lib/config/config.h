/*
 * river.yaml: which files there are, which profile is chosen, and where each value comes from.
 *
 * Files, nearer wins: /etc/river/config.yaml, $XDG_CONFIG_HOME/river/config.yaml, the nearest
 * river.yaml from the working folder upwards; RIVER_CONFIG names one that replaces them all. A
 * profile comes whole from the nearest file that names it. Then -c a.b=v over RIVER_A_B=v over the
 * profile over the defaults. Every file found is checked wholly. With no file the profile is
 * `local` below $XDG_DATA_HOME/river.
 *
 * A file that is not owned by the user or root, or writable by others, is RV_BAD_CONFIG, like
 * everything wrong in one; what -c has wrong is RV_USAGE. Read once; afterwards any thread may read.
 */
#ifndef RV_CONFIG_CONFIG_H
#define RV_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "config/keys.h"
#include "config/profile.h"

struct rv_config_params {
	const char *profile;          /* --profile; NULL: RIVER_PROFILE, default_profile, "local" */
	const char *profile_origin;   /* who names it; NULL: --profile */
	const char *const *overrides; /* -c, "key=value" each; the last of a key wins */
	size_t overrides_count;
	const char *endpoint_url;     /* --endpoint-url; Optional: aws.endpoint_url, over -c */
	const char *folder;           /* where the search upwards begins; NULL: the working folder, of which -c is anyhow */
};

struct rv_config_value {
	const struct rv_key *key;
	char *name;    /* dotted; differs from key->name where that has a star */
	char *value;   /* paths absolute */
	char *origin;  /* "file:/x/river.yaml:7", "environment RIVER_LAKE", "-c", "default" */
};

struct rv_config;
enum rv_status rv_config_load(const struct rv_config_params *params, struct rv_config **ret,
			      struct rv_error *err) RV_MUST_CHECK;
void rv_config_free(struct rv_config *config);
void rv_config_free_p(struct rv_config **config);

const struct rv_profile *rv_config_profile(const struct rv_config *config);
/* Why this profile: "--profile", what params.profile_origin says, "environment RIVER_PROFILE", "file:...:1", "default". */
const char *rv_config_profile_origin(const struct rv_config *config);
/* The file that has this profile, the only one that counts for it; NULL: none has it, and `local` needs none. */
const char *rv_config_profile_file(const struct rv_config *config);
/* A known key that is not set and has no default: RV_OK, NULL and NULL. An unknown key: RV_USAGE
 * with a suggestion. */
enum rv_status rv_config_get(const struct rv_config *config, const char *name,
			     const char **ret_value, const char **ret_origin,
			     struct rv_error *err) RV_MUST_CHECK;
/* Every value that is set or has a default, in the order of the table. */
void rv_config_each(const struct rv_config *config,
		    void (*each)(void *arg, const struct rv_config_value *value), void *arg);
/* The files that were read, nearest first. */
const char *const *rv_config_files(const struct rv_config *config, size_t *ret_count);

/* Paths of the files rv_config_load would read, nearest first; strings and array are the caller's
 * (rv_config_paths_free). They exist, nothing more is known of them. */
enum rv_status rv_config_discover(const char *folder, char ***ret_paths, size_t *ret_count,
				  struct rv_error *err) RV_MUST_CHECK;
void rv_config_paths_free(char **paths, size_t count);
/* $XDG_CONFIG_HOME/river/config.yaml; NULL when there is no home. Caller frees. */
char *rv_config_user_path(void);
/* Check one file, each of its profiles for itself: what the environment and -c add is not looked at.
 * `report` gets every problem found, not only the first, which is returned. */
enum rv_status rv_config_check_file(const char *path,
				    void (*report)(void *arg, const struct rv_error *problem),
				    void *arg, struct rv_error *err) RV_MUST_CHECK;

#endif

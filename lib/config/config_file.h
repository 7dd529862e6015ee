/* One river.yaml: read, checked wholly, its profiles as lists of settings. Used by config.c. */
#ifndef RV_CONFIG_CONFIG_FILE_H
#define RV_CONFIG_CONFIG_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "config/config.h"

struct rv_config_profile {
	char *name;
	struct rv_config_value *values;
	size_t count, capacity;
};
struct rv_config_file {
	char *path;
	char *default_profile;         /* NULL: not set */
	uint64_t default_profile_line;
	struct rv_config_profile *profiles;
	size_t count, capacity;
};

/* `path` must be absolute. The first problem is returned; `report` (Optional) gets them all. */
enum rv_status rv_config_file_read(const char *path,
				   void (*report)(void *arg, const struct rv_error *problem),
				   void *arg, struct rv_config_file *ret,
				   struct rv_error *err) RV_MUST_CHECK;
void rv_config_file_release(struct rv_config_file *file);
const struct rv_config_profile *rv_config_file_profile(const struct rv_config_file *file,
						       const char *name);
/* [A-Za-z0-9][A-Za-z0-9_.-]{0,63} */
bool rv_config_profile_name_valid(const char *name);
void rv_config_value_release(struct rv_config_value *value);

#endif

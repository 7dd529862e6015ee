/*
 * AWS's configuration files: sections of key = value, comments, and one
 * level of nesting below a key without value. A strict reader of just that. Never written.
 */
#ifndef RV_AWS_INI_H
#define RV_AWS_INI_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct rv_ini;
/* A file that is not there is an empty one. RV_BAD_CONFIG with file and line when wrong. */
enum rv_status rv_ini_load(const char *path, struct rv_ini **ret, struct rv_error *err) RV_MUST_CHECK;
enum rv_status rv_ini_parse(const char *name, const char *text, size_t len, struct rv_ini **ret,
			    struct rv_error *err) RV_MUST_CHECK;
void rv_ini_free(struct rv_ini *ini);
const char *rv_ini_path(const struct rv_ini *ini);
bool rv_ini_has(const struct rv_ini *ini, const char *section);
/* Section names as written, quotes and inner blanks normalised: "default", "profile data". Keys are
 * lower case. `nested` Optional: the key inside of a nested map. NULL: not there. */
const char *rv_ini_get(const struct rv_ini *ini, const char *section, const char *key,
		       const char *nested);
/* Section names in order; NULL past the last. */
const char *rv_ini_section(const struct rv_ini *ini, size_t index);

#endif

/* What the values of one profile say together. Used by config.c. */
#ifndef RV_CONFIG_CONFIG_CHECK_H
#define RV_CONFIG_CONFIG_CHECK_H

#include <stddef.h>

#include "base/error.h"
#include "config/config.h"

/* Defaults included, each right in itself; the lake may be missing. */
struct rv_config_values {
	const char *profile; /* its name */
	const struct rv_config_value *values;
	size_t count;
};
/* `report` gets every problem found, RV_BAD_CONFIG each. */
void rv_config_check_together(const struct rv_config_values *values,
			      void (*report)(void *arg, const struct rv_error *problem), void *arg);

#endif

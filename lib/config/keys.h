/*
 * The settings a profile can have, as one table (keys.def), and what a value of each may be.
 */
#ifndef RV_CONFIG_KEYS_H
#define RV_CONFIG_KEYS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/home.h"

enum rv_key_type {
	RV_KEY_TEXT,
	RV_KEY_LOCATION, /* a folder, or s3://bucket/prefix */
	RV_KEY_PATH,
	RV_KEY_STATE,    /* auto, or a folder */
	RV_KEY_SIZE,
	RV_KEY_DURATION,
	RV_KEY_COUNT,
	RV_KEY_CHOICE,
	RV_KEY_URL,      /* where a service answers */
	RV_KEY_LISTEN,   /* where river answers */
	RV_KEY_ORIGINS,  /* of pages */
};
struct rv_key {
	const char *name;       /* "warehouse.memory_limit", "businesses.*.database" */
	enum rv_key_type type;
	const char *choices;    /* CHOICE: "direct firehose" */
	const char *def;        /* Optional; "<...>" is computed and only for reading */
	const char *belongs_to; /* Optional: goes with this value of the type beside it */
	const char *help;       /* no capital, no full stop */
};
extern const struct rv_key rv_keys[];
extern const size_t rv_keys_count;

/* The key of this dotted name, or NULL. "delivery" finds delivery.type, "businesses.x.database" the
 * key with the star. */
const struct rv_key *rv_key_find(const char *name);
/* Whether keys begin with this name and a dot. */
bool rv_key_is_group(const char *name);
bool rv_key_has_star(const struct rv_key *key);
/* The environment variable of a key without star: RIVER_WAREHOUSE_MEMORY_LIMIT. Caller frees. */
char *rv_key_env(const struct rv_key *key);
/* The known name nearest to a wrong one, as it would be written where `name` stands, or NULL.
 * Caller frees. */
char *rv_key_nearest(const char *name);
/* Check `text` and make it what it means: paths become absolute against `folder` (absolute), "~/"
 * expands. RV_BAD_CONFIG with what a value must look like. Caller frees. */
enum rv_status rv_key_value(const struct rv_key *key, const char *text, const char *folder,
			    char **ret_value, struct rv_error *err) RV_MUST_CHECK;

#endif

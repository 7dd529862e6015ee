/*
 * The chosen profile: every setting resolved (flag > environment > nearest file > default), each
 * with its origin. Read once at the start, then never changed; may be read by all threads.
 */
#ifndef RV_CONFIG_PROFILE_H
#define RV_CONFIG_PROFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct rv_profile {
	char *name;                 /* "local" */
	char *lake;                 /* absolute folder, or s3://bucket/prefix */
	char *delivery_type;        /* "direct" */
	char *warehouse_type;       /* "duckdb", or "none" */
	char *warehouse_path;       /* absolute path of the DuckDB file */
	uint64_t warehouse_memory_limit_bytes;
	uint64_t warehouse_threads; /* 0: as many as there are cores */
	char *state_dir;            /* absolute; design.md 7 "State" */
	uint64_t spool_max_bytes;
	uint64_t max_memory_bytes;
};

#endif

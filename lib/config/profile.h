/*
 * The chosen profile: every setting resolved (flag > environment > nearest file > default), each
 * with its origin. Read once at the start, then never changed; may be read by all threads.
 */
#ifndef RV_CONFIG_PROFILE_H
#define RV_CONFIG_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct rv_profile {
	char *name;                 /* "local" */
	char *lake;                 /* absolute folder, or s3://bucket/prefix */
	bool lake_is_folder;
	char *bucket, *lake_prefix; /* of an s3 lake: prefix "" or without slashes at its ends */
	char *delivery_type;        /* "direct", "firehose" */
	char *delivery_role_arn;    /* firehose; Optional */
	uint64_t delivery_buffer_bytes; /* firehose: whole MiB, 1..128 of them; else 0 */
	int64_t delivery_buffer_ms;     /* firehose: whole seconds, 0..900 of them; else -1 */
	bool delivery_pack;         /* firehose: many lines in one record */
	/* Each Optional: an ARN, or "eventbridge". */
	char *notify_arn, *notify_landing_arn;
	/* Each Optional: AWS's own files and variables say it then. */
	char *aws_profile, *aws_region, *aws_endpoint_url, *aws_addressing_style;
	char *warehouse_type;       /* "duckdb", "snowflake" or "none" */
	char *warehouse_path;       /* absolute path of the DuckDB file; NULL for other types */
	uint64_t warehouse_memory_limit_bytes;
	uint64_t warehouse_threads; /* 0: as many as there are cores */
	/* Snowflake, as configured; what is NULL is up to the connection, or not wanted. */
	char *snowflake_connection, *snowflake_database, *snowflake_warehouse, *snowflake_role;
	char *snowflake_integration, *snowflake_storage_role_arn, *snowflake_stage;
	char *snowflake_loads_stage;
	bool snowflake_makes_roles;
	/* Those that have something of their own. Ask rv_profile_of_business for what holds for one. */
	struct rv_business {
		char *name;
		/* Each Optional. */
		char *lake, *connection, *database, *warehouse, *role;
		char *storage_integration, *storage_role_arn, *stage;
	} *businesses;
	size_t businesses_count;
	char *state_dir;            /* absolute; not made, not checked */
	uint64_t spool_max_bytes;
	uint64_t max_memory_bytes;
};

/* Whether what the profile names goes together; RV_BAD_CONFIG with one sentence when not. Whoever
 * opens a profile asks first. */
enum rv_status rv_profile_check_supported(const struct rv_profile *profile,
					  struct rv_error *err) RV_MUST_CHECK;
/* The profile as it holds for streams of one business: an account, a database, a lake of its own.
 * Without businesses; `ret` is the caller's. */
void rv_profile_of_business(const struct rv_profile *profile, const char *business,
			    struct rv_profile *ret);
/* Whether that is anything else than the profile itself. */
bool rv_profile_has_business(const struct rv_profile *profile, const char *business);
/* Sets lake, and bucket and prefix of one on S3. */
void rv_profile_set_lake(struct rv_profile *profile, const char *lake);
void rv_profile_release(struct rv_profile *profile); /* takes a zeroed one too */
void rv_profile_release_p(struct rv_profile *profile); /* for RV_CLEANUP */

#endif

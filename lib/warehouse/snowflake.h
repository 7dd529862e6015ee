/*
 * Snowflake as the warehouse: one database of one account, whose tables a pipe per stream fills
 * from the lake's bucket.
 *
 * Tables of stream web/clicks: "WEB"."CLICKS" (record, file_name, file_row, loaded_at; all names are
 * upper case and quoted in every statement), "CLICKS_CLEAN", "CLICKS_LATEST", "CLICKS_REFUSED".
 * Helpers have a '$' in their names, which no stream has. What is river's own for all streams is the
 * schema "RIVER": the stage of the lake, the file format, the ledger, masking policies.
 */
#ifndef RV_WAREHOUSE_SNOWFLAKE_H
#define RV_WAREHOUSE_SNOWFLAKE_H

#include <stdbool.h>

#include "base/error.h"
#include "snowflake/client.h"
#include "store/store.h"
#include "warehouse/warehouse.h"

/* Names of objects are spelled as Snowflake stores them (rv_snowflake_name). */
struct rv_snowflake_warehouse_params {
	struct rv_snowflake *snowflake;
	const char *database;            /* Required */
	const char *warehouse;           /* Required: the virtual warehouse statements run on */
	const char *role;                /* Optional: instead of the connection's or the user's own */
	const char *bucket, *lake_prefix; /* of the lake; prefix "" or without slashes at its ends */
	/* One of the two: an integration the stage is made with, or a stage that is there already and
	 * stands for the lake's data/ folder ("DB"."SCHEMA"."STAGE", quoted). */
	const char *storage_integration, *stage;
	/* Optional: a stage that is there already and stands for the lake's loads/, which extracts are
	 * loaded from; else one is made with the integration. */
	const char *loads_stage;
	/* Optional: the integration is made too, with this role of AWS's. */
	const char *storage_role_arn;
	/* Optional: the SNS topic the bucket tells of new objects; else it tells the pipes' own queue. */
	const char *sns_topic;
	bool makes_roles;                /* "<database>_RO" and "<database>_RW" */
	int64_t query_timeout_ms;        /* after which a query is cancelled; -1: never */
	int (*stop)(void);               /* Optional: asked now and then; not 0 ends what is going on */
	void (*note)(const char *fmt, ...) RV_PRINTF(1, 2); /* Optional: "waiting for ..." */
};

/* Asks nobody yet. `lake` and all of `params` are borrowed until it is freed. */
struct rv_warehouse *rv_warehouse_snowflake_new(const struct rv_snowflake_warehouse_params *params,
						struct rv_store *lake);

#endif

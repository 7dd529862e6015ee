/*
 * What SQL that somebody typed consists of, as far as has to be known before it is sent: how many
 * statements there are, and whether one of them may change something.
 *
 * Snowflake has no read-only session, so `river query` without --write looks at the first word of each
 * statement and lets through what only reads. The number of statements goes along with them, and Snowflake
 * refuses any other: a text that it divides otherwise than this is not executed at all.
 */
#ifndef RV_WAREHOUSE_SNOWFLAKE_GUARD_H
#define RV_WAREHOUSE_SNOWFLAKE_GUARD_H

#include <stdbool.h>

#include "base/error.h"

/* RV_USAGE: there is no statement, a quote or comment has no end, or without `writable` a statement is
 * none of those that only read. */
enum rv_status snow_guard(const char *sql, bool writable, unsigned *ret_count,
			  struct rv_error *err) RV_MUST_CHECK;

#endif

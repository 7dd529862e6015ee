/*
 * Who may do what with which object, and the statements that make it so. Not for use outside
 * lib/warehouse/snowflake*.c and their tests.
 */
#ifndef RV_WAREHOUSE_SNOWFLAKE_GRANTS_H
#define RV_WAREHOUSE_SNOWFLAKE_GRANTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "config/stream.h"
#include "warehouse/snowflake_seen.h"

/* Roles of a stream's definition, as Snowflake stores them, and those of the database. */
struct snow_roles {
	struct snow_role_of {
		char *name;
		enum { SNOW_ROLE_RO, SNOW_ROLE_RW, SNOW_ROLE_READ, SNOW_ROLE_PUSH, SNOW_ROLE_ADMIN } as;
	} *items;
	size_t count;
	bool masked;               /* readers get no look at what is not masked */
};
/* RV_BAD_CONFIG for what is no name of a role. `ret` is zeroed. */
enum rv_status snow_roles_of(const struct rv_snowflake_warehouse *w, const struct rv_stream *stream,
			     struct snow_roles *ret, struct rv_error *err) RV_MUST_CHECK;
void snow_roles_release(struct snow_roles *roles);

/* GRANT for what is wanted and not there, REVOKE for what `former` (Optional: names of roles) or the
 * roles themselves have and should not; one call of `each` a statement. `object` as for
 * snow_text_object; `text` is the object. */
void snow_grant_object(const struct snow_roles *roles, const struct rv_string_list *former,
		       const struct rv_stream *stream, enum snow_object object,
		       const struct snow_text *text, const struct snow_seen *seen,
		       void (*each)(void *arg, const char *sql), void *arg);
/* USAGE and the like on what the stream's objects are in, and on river's own. */
void snow_grant_places(const struct rv_snowflake_warehouse *w, const struct snow_roles *roles,
		       const struct rv_stream *stream, const struct snow_seen *seen,
		       void (*each)(void *arg, const char *sql), void *arg);
/* The roles of the database and what they may do with it; nothing when it is all there. */
void snow_grant_database(const struct rv_snowflake_warehouse *w, const struct snow_seen *seen,
			 void (*each)(void *arg, const char *sql), void *arg);

#endif

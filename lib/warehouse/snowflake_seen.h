/*
 * What Snowflake reports of the objects of many streams, by one query over INFORMATION_SCHEMA and, where
 * that does not tell, SHOW. Not for use outside lib/warehouse/snowflake*.c and their tests.
 */
#ifndef RV_WAREHOUSE_SNOWFLAKE_SEEN_H
#define RV_WAREHOUSE_SNOWFLAKE_SEEN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "config/stream.h"
#include "warehouse/snowflake_ddl.h"

/* One fact. What `attribute` and `value` are depends on the kind:
 *   schema  -                              comment
 *   table   TABLE, DYNAMIC or VIEW         comment
 *   cluster -                              the clustering key
 *   column  name of a column               its type, " NOT NULL"
 *   pipe    -                              comment
 *   copy    the queue of its notifications its COPY
 *   stage   URL                            comment
 *   format  -                              comment
 *   grant   privilege                      role; of a schema, name is ""
 *   owned   kind of the object             -
 *   lag     TARGET_LAG                     warehouse, blank, state
 *   task    state                          comment
 *   when    schedule                       warehouse
 *   mask    column                         policy
 * Texts that are not there are "". */
struct snow_fact {
	const char *kind, *schema, *name, *attribute, *value;
};
struct snow_seen {
	bool has_database;
	struct snow_fact *facts;    /* sorted */
	size_t count, capacity;
	char **texts;
	size_t texts_count, texts_capacity;
};
void snow_seen_release(struct snow_seen *seen);

/* The query and, for masks, the one about tables that are there; golden. */
void snow_add_look(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
		   const struct rv_stream *const *streams, size_t count);
/* False: nothing to ask. */
bool snow_add_look_for_masks(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
			     const struct rv_stream *const *streams, size_t count,
			     const struct snow_seen *seen);

/* Asks. `ret` is zeroed. A database that is not there, or may not be seen, is nothing at all. */
enum rv_status snow_see(const struct rv_snowflake_warehouse *w, const struct rv_stream *const *streams,
			size_t count, struct snow_seen *ret, struct rv_error *err) RV_MUST_CHECK;

/* The same by a query of one's own, that answers with facts. */
enum rv_status snow_see_facts(const struct rv_snowflake_warehouse *w, const char *sql, struct snow_seen *ret,
			      struct rv_error *err) RV_MUST_CHECK;

/* For tests, and for sinks: adds a fact; snow_seen_sort before looking anything up. */
void snow_seen_add(struct snow_seen *seen, const char *kind, const char *schema, const char *name,
		   const char *attribute, const char *value);
void snow_seen_sort(struct snow_seen *seen);

/* The first fact of the kind about the object, or NULL; the others follow it while snow_seen_next
 * says so. */
const struct snow_fact *snow_seen_find(const struct snow_seen *seen, const char *kind,
				       const char *schema, const char *name);
const struct snow_fact *snow_seen_next(const struct snow_seen *seen, const struct snow_fact *fact);
/* The value of the fact with this attribute, or NULL. */
const char *snow_seen_value(const struct snow_seen *seen, const char *kind, const char *schema,
			    const char *name, const char *attribute);
bool snow_seen_granted(const struct snow_seen *seen, const char *schema, const char *name,
		       const char *privilege, const char *role);
/* A name that is another one than `name` but differs in case alone, or NULL. */
const char *snow_seen_case(const struct snow_seen *seen, const char *kind, const char *schema,
			   const char *name);

#endif

/*
 * What differs between what is wanted and what Snowflake has, as changes; and doing them. Not for use
 * outside lib/warehouse/snowflake*.c and their tests.
 */
#ifndef RV_WAREHOUSE_SNOWFLAKE_PLAN_H
#define RV_WAREHOUSE_SNOWFLAKE_PLAN_H

#include "warehouse/changes.h"
#include "warehouse/snowflake_seen.h"

/* Pure: asks nobody. RV_BAD_CONFIG when something cannot be made at all (a scale Snowflake does not
 * have, no way to read the lake). */
enum rv_status snow_compare_seen(const struct rv_snowflake_warehouse *w,
				 const struct rv_stream *const *streams, size_t count,
				 const struct snow_seen *seen, struct rv_changes *ret,
				 struct rv_error *err) RV_MUST_CHECK;
/* What river made for a stream, as changes that remove it. Pure. */
void snow_removal_seen(const struct rv_snowflake_warehouse *w, const struct rv_stream *stream,
		       bool data, const struct snow_seen *seen, struct rv_changes *ret);

/* The ops. */
enum rv_status snow_compare(struct rv_warehouse *w, const struct rv_stream *const *streams,
			    size_t count, struct rv_changes *ret, struct rv_error *err) RV_MUST_CHECK;
enum rv_status snow_change(struct rv_warehouse *w, struct rv_changes *changes,
			   const struct rv_change_params *params, struct rv_error *err) RV_MUST_CHECK;
enum rv_status snow_removal(struct rv_warehouse *w, const struct rv_stream *stream, bool data,
			    struct rv_changes *ret, struct rv_error *err) RV_MUST_CHECK;

/* The comment of an object, taken apart. Release it. */
struct snow_marker {
	bool is_river;
	char stream[RV_STREAM_TEXT];  /* "" of all streams */
	char id[RV_ULID_TEXT];
	char shape[SNOW_SHAPE_TEXT];
	struct rv_string_list roles;  /* of raw */
	char *key;                    /* of a merged latest: "id,part"; "" */
};
void snow_marker_parse(const char *comment, struct snow_marker *ret);
void snow_marker_release(struct snow_marker *marker);

#endif

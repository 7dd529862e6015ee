/* Snowflake as a warehouse: what its other files are put together to. */
#include "warehouse/snowflake_internal.h"

#include <stdlib.h>

#include "base/memory.h"
#include "warehouse/snowflake_extract.h"
#include "warehouse/snowflake_load.h"
#include "warehouse/snowflake_look.h"
#include "warehouse/snowflake_plan.h"
#include "warehouse/snowflake_rows.h"

/* There is no session between calls of the SQL API, so nothing is open either. */
static enum rv_status snow_begin(struct rv_warehouse *w, bool writing RV_UNUSED,
				 struct rv_error *err RV_UNUSED)
{
	((struct rv_snowflake_warehouse *)w)->held++;
	return RV_OK;
}

static void snow_end(struct rv_warehouse *w)
{
	((struct rv_snowflake_warehouse *)w)->held--;
}

static void snow_free(struct rv_warehouse *w)
{
	free(((struct rv_snowflake_warehouse *)w)->extracts_made);
	free(w);
}

static const struct rv_warehouse_ops snow_ops = {
	.name = "snowflake",
	.remote = true,
	.begin = snow_begin,
	.end = snow_end,
	.plan = snow_plan,
	.compare = snow_compare,
	.change = snow_change,
	.removal = snow_removal,
	.stamps = snow_stamps,
	.load = snow_load,
	.streams = snow_streams,
	.history = snow_history_op,
	.loaded = snow_loaded,
	.count = snow_count,
	.refused = snow_refused,
	.present = snow_present,
	.pipe = snow_pipe,
	.drop = snow_drop,
	.extract_find = snow_extract_find,
	.extract_above = snow_extract_above,
	.extract_plan = snow_extract_plan,
	.extract_take = snow_extract_take,
	.extract_changed = snow_extract_changed,
	.extract_number = snow_extract_number,
	.extract_settled = snow_extract_settled,
	.extract_left = snow_extract_left,
	.query = snow_query,
	.free = snow_free,
};

struct rv_warehouse *rv_warehouse_snowflake_new(const struct rv_snowflake_warehouse_params *params,
						struct rv_store *lake)
{
	struct rv_snowflake_warehouse *w = rv_calloc(1, sizeof(*w));

	w->base.ops = &snow_ops;
	w->params = *params;
	w->lake = lake;
	return &w->base;
}

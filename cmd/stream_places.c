/* Where the streams of a plan are. A business may have an account, a database and a lake of its own, so
 * one plan can be about several lakes and several warehouses. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "flow/catalog.h"
#include "stream_plan.h"

void river_place_free(struct river_place *place)
{
	if (!place)
		return;
	rv_changes_release(&place->changes);
	rv_warehouse_free(place->warehouse);
	river_views_release(place->lake_views);
	rv_resources_release(&place->resources);
	free(place);
}

void river_place_enter(struct rv_command_context *cx, const struct river_place *place)
{
	cx->profile = place->profile;
	cx->lake = place->lake;
}

/* Said before anything is changed, and not by whoever only looks or deletes. */
static enum rv_status check_role(const struct rv_profile *profile, struct rv_error *err)
{
	if (strcmp(profile->delivery_type, "firehose") != 0 || profile->delivery_role_arn)
		return RV_OK;
	rv_fail(err, RV_BAD_CONFIG,
		"profile %s: delivery.role_arn is not set, the role Firehose writes to the lake with",
		profile->name);
	rv_hint(err, "what such a role needs: river stream create NAME --print-policy");
	return err->status;
}

static enum rv_status open_place(struct rv_command_context *cx, const struct river_plan_params *params,
				 struct river_plan *plan, struct river_place *place,
				 struct rv_error *err)
{
	place->profile = cx->profile;
	place->lake = cx->lake;
	if (check_role(cx->profile, err) != RV_OK || rv_catalog_check_lake(cx->lake, err) != RV_OK ||
	    rv_wire_resources(cx->profile, &place->resources, err) != RV_OK)
		return err->status;
	if (river_resources_look(&place->resources, NULL, params->update, place->lake_views, err) ==
	    RV_OK)
		return RV_OK;
	if (!river_is_about_one(err->status))
		return err->status;
	river_plan_conflict(plan, err);
	return RV_OK;
}

enum rv_status river_place_of(struct rv_command_context *cx, const char *stream,
			      const struct river_plan_params *params, struct river_plan *plan,
			      struct river_place **ret, struct rv_error *err)
{
	if (rv_wire_business(cx, stream, err) != RV_OK)
		return err->status;
	for (size_t i = 0; i < plan->places_count; i++) {
		if (plan->places[i]->profile != cx->profile)
			continue;
		*ret = plan->places[i];
		return RV_OK;
	}
	struct river_place *place = rv_calloc(1, sizeof(*place));

	plan->places = rv_realloc_array(plan->places, plan->places_count + 1, sizeof(*plan->places));
	plan->places[plan->places_count++] = place;
	*ret = place;
	return open_place(cx, params, plan, place, err);
}

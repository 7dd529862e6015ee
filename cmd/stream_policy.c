/* `river stream create --print-policy`: what IAM has to allow, worked out from the profile alone, so
 * that it can be asked for before there is anything to ask. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "stream_plan.h"

static bool is_firehose(const struct rv_profile *profile)
{
	return strcmp(profile->delivery_type, "firehose") == 0;
}

static enum rv_status check(const struct rv_profile *profile, struct rv_error *err)
{
	json_t *text = json_string(profile->lake);
	bool readable = text != NULL;

	json_decref(text);
	if (!readable)
		return rv_fail(err, RV_BAD_CONFIG, "lake: '%s' is not UTF-8", profile->lake);
	if (!profile->lake_is_folder)
		return RV_OK;
	rv_fail(err, RV_USAGE, "the lake of profile %s is the folder %s: nobody needs a policy for it",
		profile->name, profile->lake);
	rv_hint(err, "choose a profile whose lake is on S3: river --profile NAME ...");
	return err->status;
}

/* Its business may have a lake of its own. */
static enum rv_status print_one(struct rv_command_context *cx, const struct rv_stream *stream,
				const char *region, struct rv_error *err)
{
	RV_CLEANUP(rv_profile_release_p) struct rv_profile own = { 0 };
	char name[RV_STREAM_TEXT];

	rv_profile_of_business(cx->profile, stream->business, &own);
	if (check(&own, err) != RV_OK)
		return err->status;
	json_t *json = json_pack("{s:s, s:o}", "stream", rv_stream_text(stream, name), "policies",
				 rv_wire_policies(&own, stream, region));
	RV_CLEANUP(rv_free_p) char *text = json_dumps(json, JSON_INDENT(2));

	rv_out_printf(cx->out, "%s\n", text);
	rv_out_json(cx->out, json);
	return RV_OK;
}

enum rv_status river_policy_print(struct rv_command_context *cx,
				  const struct river_definitions *definitions, struct rv_error *err)
{
	const struct rv_profile *profile = cx->profile;
	RV_CLEANUP(rv_free_p) char *region = NULL;

	if (rv_wire_region(profile, &region, err) != RV_OK)
		return err->status;
	for (size_t i = 0; i < definitions->count; i++)
		if (print_one(cx, &definitions->items[i].stream, region, err) != RV_OK)
			return err->status;
	if (is_firehose(profile) && !profile->delivery_role_arn)
		rv_note("account and role are not known: * stands for them until delivery.role_arn is set");
	if (is_firehose(profile) && !region)
		rv_note("the region is not known: * stands for it until aws.region is set");
	return RV_OK;
}

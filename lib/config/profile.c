/* What this build can do with a profile, said in one place. */
#include "config/profile.h"

#include <stdlib.h>
#include <string.h>

enum rv_status rv_profile_check_supported(const struct rv_profile *profile, struct rv_error *err)
{
	const char *what = NULL, *value = NULL;
	if (strcmp(profile->warehouse_type, "duckdb") != 0 &&
	    strcmp(profile->warehouse_type, "none") != 0) {
		what = "warehouse";
		value = profile->warehouse_type;
	} else if (profile->has_businesses) {
		what = "businesses";
		value = "with accounts of their own";
	}
	if (!what)
		return RV_OK;
	rv_fail(err, RV_BAD_CONFIG, "profile %s names %s %s, but this build loads into DuckDB only",
		profile->name, what, value);
	rv_hint(err, "choose another profile with --profile; river config list --show-origin says "
		     "where a value comes from");
	return err->status;
}

void rv_profile_release(struct rv_profile *profile)
{
	free(profile->name);
	free(profile->lake);
	free(profile->bucket);
	free(profile->lake_prefix);
	free(profile->delivery_type);
	free(profile->delivery_role_arn);
	free(profile->notify_arn);
	free(profile->notify_landing_arn);
	free(profile->aws_profile);
	free(profile->aws_region);
	free(profile->aws_endpoint_url);
	free(profile->aws_addressing_style);
	free(profile->warehouse_type);
	free(profile->warehouse_path);
	free(profile->state_dir);
	*profile = (struct rv_profile){ 0 };
}

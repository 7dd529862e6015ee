/* What goes together in a profile, and what of it holds for one business. */
#include "config/profile.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static enum rv_status refuse(const struct rv_profile *profile, struct rv_error *err)
{
	rv_hint(err, "river config list --show-origin says where a value of profile %s comes from",
		profile->name);
	return err->status;
}

static enum rv_status check_integration(const struct rv_profile *profile, const char *business,
					struct rv_error *err)
{
	if (profile->snowflake_integration && profile->snowflake_stage)
		rv_fail(err, RV_BAD_CONFIG,
			"profile %s%s%s: either storage_integration or stage says how Snowflake reads "
			"the lake, not both", profile->name, business ? ", business " : "",
			business ? business : "");
	else if (profile->snowflake_storage_role_arn && !profile->snowflake_integration)
		rv_fail(err, RV_BAD_CONFIG,
			"profile %s%s%s: storage_role_arn is of a storage integration, which is not "
			"named", profile->name, business ? ", business " : "",
			business ? business : "");
	else
		return RV_OK;
	return refuse(profile, err);
}

enum rv_status rv_profile_check_supported(const struct rv_profile *profile, struct rv_error *err)
{
	if (strcmp(profile->warehouse_type, "snowflake") != 0) {
		if (profile->businesses_count == 0)
			return RV_OK;
		rv_fail(err, RV_BAD_CONFIG,
			"profile %s names businesses with accounts of their own, which only Snowflake "
			"has, but warehouse is %s", profile->name, profile->warehouse_type);
		return refuse(profile, err);
	}
	if (check_integration(profile, NULL, err) != RV_OK)
		return err->status;
	for (size_t i = 0; i < profile->businesses_count; i++) {
		RV_CLEANUP(rv_profile_release_p) struct rv_profile own = { 0 };
		const char *name = profile->businesses[i].name;

		rv_profile_of_business(profile, name, &own);
		if (check_integration(&own, name, err) != RV_OK)
			return err->status;
	}
	return RV_OK;
}

/* ---- businesses ---- */

#define STRINGS 23

/* Every text of a profile, so that none is forgotten. */
static void strings(struct rv_profile *p, char **ret[STRINGS])
{
	char **all[STRINGS] = {
		&p->name, &p->lake, &p->bucket, &p->lake_prefix, &p->delivery_type,
		&p->delivery_role_arn, &p->notify_arn, &p->notify_landing_arn, &p->aws_profile,
		&p->aws_region, &p->aws_endpoint_url, &p->aws_addressing_style, &p->warehouse_type,
		&p->warehouse_path, &p->state_dir, &p->snowflake_connection, &p->snowflake_database,
		&p->snowflake_warehouse, &p->snowflake_role, &p->snowflake_integration,
		&p->snowflake_storage_role_arn, &p->snowflake_stage, &p->snowflake_loads_stage,
	};

	memcpy(ret, all, sizeof(all));
}

static void set(char **to, const char *text)
{
	if (!text)
		return;
	free(*to);
	*to = rv_strdup(text);
}

void rv_profile_set_lake(struct rv_profile *profile, const char *lake)
{
	char *copy = rv_strdup(lake);

	free(profile->lake);
	free(profile->bucket);
	free(profile->lake_prefix);
	profile->lake = copy;
	profile->lake_is_folder = copy[0] == '/';
	profile->bucket = profile->lake_prefix = NULL;
	if (profile->lake_is_folder)
		return;
	const char *bucket = copy + strlen("s3://");
	size_t len = strcspn(bucket, "/");

	profile->bucket = rv_strndup(bucket, len);
	profile->lake_prefix = rv_strdup(bucket + len + (bucket[len] == '/'));
}

static const struct rv_business *find(const struct rv_profile *profile, const char *business)
{
	for (size_t i = 0; i < profile->businesses_count; i++)
		if (strcmp(profile->businesses[i].name, business) == 0)
			return &profile->businesses[i];
	return NULL;
}

bool rv_profile_has_business(const struct rv_profile *profile, const char *business)
{
	return find(profile, business) != NULL;
}

void rv_profile_of_business(const struct rv_profile *profile, const char *business,
			    struct rv_profile *ret)
{
	const struct rv_business *own = find(profile, business);
	char **texts[STRINGS];

	*ret = *profile;
	ret->businesses = NULL;
	ret->businesses_count = 0;
	strings(ret, texts);
	for (size_t i = 0; i < STRINGS && texts[i]; i++)
		if (*texts[i])
			*texts[i] = rv_strdup(*texts[i]);
	if (!own)
		return;
	if (own->lake)
		rv_profile_set_lake(ret, own->lake);
	set(&ret->snowflake_connection, own->connection);
	set(&ret->snowflake_database, own->database);
	set(&ret->snowflake_warehouse, own->warehouse);
	set(&ret->snowflake_role, own->role);
	set(&ret->snowflake_storage_role_arn, own->storage_role_arn);
	/* Either is how the lake is read: one of its own stands for the other of the profile, too. */
	if (own->stage && !own->storage_integration) {
		free(rv_take(ret->snowflake_integration));
		free(rv_take(ret->snowflake_storage_role_arn));
	}
	if (own->storage_integration && !own->stage)
		free(rv_take(ret->snowflake_stage));
	set(&ret->snowflake_integration, own->storage_integration);
	set(&ret->snowflake_stage, own->stage);
}

void rv_profile_release(struct rv_profile *profile)
{
	char **texts[STRINGS];

	strings(profile, texts);
	for (size_t i = 0; i < STRINGS && texts[i]; i++)
		free(*texts[i]);
	for (size_t i = 0; i < profile->businesses_count; i++) {
		struct rv_business *b = &profile->businesses[i];

		free(b->name);
		free(b->lake);
		free(b->connection);
		free(b->database);
		free(b->warehouse);
		free(b->role);
		free(b->storage_integration);
		free(b->storage_role_arn);
		free(b->stage);
	}
	free(profile->businesses);
	*profile = (struct rv_profile){ 0 };
}

void rv_profile_release_p(struct rv_profile *profile)
{
	rv_profile_release(profile);
}

/* The one place that knows which implementation stands behind each interface. */
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/client.h"
#include "aws/policy.h"
#include "base/memory.h"
#include "config/config.h"
#include "config/stream.h"
#include "config/job.h"
#include "delivery/delivery.h"
#include "delivery/documents.h"
#include "resource/resource.h"
#include "store/store.h"
#include "warehouse/duckdb.h"

/* --lock and --timeout, for what waits for locks of its own. Set when the profile is opened. */
static int64_t lock_timeout_ms = -1;
/* --timeout, for what has no deadline of its command's. */
static int64_t answer_timeout_ms = -1;
/* What the services of AWS share, made when a profile first needs one. */
static struct rv_aws *aws;

struct rv_config_params river_config_params(const struct river_globals *globals)
{
	return (struct rv_config_params){
		/* RIVER_PROFILE and RIVER_ENDPOINT_URL are config's own, so that it can say where
		 * the values came from */
		.profile = globals->profile_typed ? globals->profile : NULL,
		.endpoint_url = globals->endpoint_url_typed ? globals->endpoint_url : NULL,
		.overrides = globals->settings.items,
		.overrides_count = globals->settings.count,
	};
}

enum rv_status river_open_config(struct rv_command_context *cx, const struct river_globals *globals,
				 struct rv_error *err)
{
	const struct rv_config_params params = river_config_params(globals);
	struct rv_config *config;
	enum rv_status status = rv_config_load(&params, &config, err);
	if (status != RV_OK)
		return status;
	cx->config = config;
	cx->profile = rv_config_profile(config);
	lock_timeout_ms = rv_lock_timeout_ms(cx);
	answer_timeout_ms = cx->timeout_ms;
	return RV_OK;
}

int64_t rv_lock_timeout_ms(const struct rv_command_context *cx)
{
	return cx->locks == RV_LOCKS_WAIT ? cx->timeout_ms : 0;
}

const char *river_config_lookup(void *arg, const char *config_key)
{
	const struct rv_command_context *cx = arg;
	const char *value = NULL, *origin = NULL;
	struct rv_error err = RV_ERROR_INIT;
	if (rv_config_get(cx->config, config_key, &value, &origin, &err) != RV_OK)
		rv_bug("option with the config key %s: %s", config_key, err.message);
	return value;
}

/* ---- businesses ---- */

/* Those that were entered, until the process ends: streams and stores borrow from them. */
struct business {
	struct business *next;
	char name[RV_BUSINESS_MAX + 1];
	struct rv_profile profile;
	struct rv_store *lake; /* NULL: the profile's */
};
static struct business *businesses;
/* What the command began with; NULL until it enters one. */
static const struct rv_profile *home_profile;
static struct rv_store *home_lake;

static void leave_businesses(struct rv_command_context *cx)
{
	if (home_profile) {
		cx->profile = home_profile;
		cx->lake = home_lake;
	}
	while (businesses) {
		struct business *next = businesses->next;

		rv_store_free(businesses->lake);
		rv_profile_release(&businesses->profile);
		free(businesses);
		businesses = next;
	}
	home_profile = NULL;
	home_lake = NULL;
}

static enum rv_status enter_business(const struct rv_profile *profile, const char *name,
				     struct business **ret, struct rv_error *err)
{
	struct business *b = businesses;

	while (b && strcmp(b->name, name) != 0)
		b = b->next;
	if (!b) {
		b = rv_calloc(1, sizeof(*b));
		snprintf(b->name, sizeof(b->name), "%s", name);
		rv_profile_of_business(profile, name, &b->profile);
		b->next = businesses;
		businesses = b;
	}
	*ret = b;
	if (b->lake || strcmp(b->profile.lake, profile->lake) == 0)
		return RV_OK;
	return rv_wire_lake(&b->profile, &b->lake, err);
}

enum rv_status rv_wire_business(struct rv_command_context *cx, const char *stream,
				struct rv_error *err)
{
	RV_CLEANUP(rv_stream_release_p) struct rv_stream parsed;
	struct rv_error ignored = RV_ERROR_INIT;
	struct business *b;

	rv_stream_init(&parsed);
	if (!home_profile) {
		home_profile = cx->profile;
		home_lake = cx->lake;
	}
	cx->profile = home_profile;
	cx->lake = home_lake;
	if (rv_stream_parse_name(stream, &parsed, &ignored) != RV_OK ||
	    !rv_profile_has_business(home_profile, parsed.business))
		return RV_OK;
	if (enter_business(home_profile, parsed.business, &b, err) != RV_OK)
		return rv_context(err, "business %s", parsed.business);
	cx->profile = &b->profile;
	if (b->lake)
		cx->lake = b->lake;
	return RV_OK;
}

void river_close(struct rv_command_context *cx)
{
	leave_businesses(cx);
	rv_store_free_p(&cx->lake);
	river_close_snowflake();
	rv_aws_free_p(&aws);
	if (cx->config)
		rv_config_free(cx->config);
	cx->config = NULL;
	cx->profile = NULL;
}

static void trace(void *arg RV_UNUSED, const char *line)
{
	rv_verbose("%s", line);
}

enum rv_status rv_wire_aws(const struct rv_profile *profile, struct rv_aws **ret,
			   struct rv_error *err)
{
	if (!aws) {
		const struct rv_aws_settings_params settings = {
			.profile = profile->aws_profile,
			.region = profile->aws_region,
			.endpoint_url = profile->aws_endpoint_url,
			.addressing_style = profile->aws_addressing_style,
		};
		const struct rv_http_params http = { .should_stop = rv_should_stop, .trace = trace };
		if (rv_aws_new(&settings, &http, &aws, err) != RV_OK)
			return err->status;
	}
	*ret = aws;
	return RV_OK;
}

enum rv_status rv_wire_lake(const struct rv_profile *profile, struct rv_store **ret,
			    struct rv_error *err)
{
	struct rv_aws *services;
	enum rv_status status = rv_profile_check_supported(profile, err);
	if (status != RV_OK)
		return status;
	if (!profile->lake_is_folder) {
		if (rv_wire_aws(profile, &services, err) != RV_OK)
			return err->status;
		return rv_store_s3_new(services, profile->bucket, profile->lake_prefix, ret, err);
	}
	*ret = rv_store_file_new(profile->lake);
	return RV_OK;
}

enum rv_status rv_wire_profile(struct rv_command_context *cx, const char *profile, const char *origin,
			       const char *folder, struct rv_error *err)
{
	struct rv_config_params params = *cx->config_params;
	struct rv_config *config;

	if (!params.profile) {
		params.profile = profile;
		params.profile_origin = origin;
	}
	if (!params.folder)
		params.folder = folder;
	if (rv_config_load(&params, &config, err) != RV_OK)
		return err->status;
	cx->config = config;
	cx->profile = rv_config_profile(config);
	lock_timeout_ms = rv_lock_timeout_ms(cx);
	return rv_wire_lake(cx->profile, &cx->lake, err);
}

enum rv_status rv_wire_bucket(const struct rv_profile *profile, const char *bucket, struct rv_store **ret,
			      struct rv_error *err)
{
	struct rv_aws *services = NULL;

	if (rv_wire_aws(profile, &services, err) != RV_OK)
		return err->status;
	return rv_store_s3_new(services, bucket, "", ret, err);
}

enum rv_status rv_wire_documents(const struct rv_profile *profile, const struct rv_document_target *target,
				 struct rv_documents **ret, struct rv_error *err)
{
	const struct rv_job_document *document = target->document;
	const struct rv_job_table *root = &target->job->tables[document->root];
	struct rv_documents_dynamodb_params params = {
		.table = document->dynamodb,
		.exclusive = document->exclusive,
		.ttl_attribute = document->ttl_attribute,
		.ttl_from = document->ttl_from,
		.ttl_count = document->ttl_count,
		.ttl_unit = document->ttl_unit,
		.max_wcu = target->max_wcu,
		.should_stop = rv_should_stop,
		.settled = target->settled,
		.arg = target->arg,
	};

	if (document->create) {
		for (size_t i = 0; i < root->key.count && i < 2; i++) {
			enum rv_column_type type = rv_job_column(root, root->key.items[i])->type;
			bool number = type == RV_COLUMN_INTEGER || type == RV_COLUMN_DECIMAL ||
				      type == RV_COLUMN_DOUBLE;

			*(i ? &params.create_range : &params.create_hash) = root->key.items[i];
			*(i ? &params.create_range_is_number : &params.create_hash_is_number) = number;
		}
	}
	if (rv_wire_aws(profile, &params.aws, err) != RV_OK)
		return err->status;
	return rv_documents_dynamodb_new(&params, ret, err);
}

enum rv_status rv_wire_delivery(const struct rv_profile *profile, struct rv_store *lake,
				struct rv_delivery **ret, struct rv_error *err)
{
	if (strcmp(profile->delivery_type, "firehose") != 0) {
		*ret = rv_delivery_direct_new(lake);
		return RV_OK;
	}
	struct rv_delivery_firehose_params params = {
		.lake = lake,
		.pack = profile->delivery_pack,
		/* push tries on for longer, and says so meanwhile */
		.give_up_after_ms = 10000,
		.should_stop = rv_should_stop,
	};
	if (rv_wire_aws(profile, &params.aws, err) != RV_OK)
		return err->status;
	return rv_delivery_firehose_new(&params, ret, err);
}

void rv_wire_direct(struct rv_store *lake, struct rv_delivery **ret)
{
	*ret = rv_delivery_direct_new(lake);
}

enum rv_status rv_wire_warehouse(const struct rv_profile *profile, struct rv_store *lake,
				 struct rv_warehouse **ret, struct rv_error *err)
{
	if (strcmp(profile->warehouse_type, "snowflake") == 0)
		return river_wire_snowflake(profile, lake, answer_timeout_ms, ret, err);
	if (strcmp(profile->warehouse_type, "duckdb")) {
		rv_fail(err, RV_BAD_CONFIG, "profile %s has warehouse: %s, and this needs one",
			profile->name, profile->warehouse_type);
		rv_hint(err, "set 'warehouse' of the profile to duckdb or snowflake");
		return RV_BAD_CONFIG;
	}
	struct rv_duckdb_params params = {
		.path = profile->warehouse_path,
		.memory_limit_bytes = profile->warehouse_memory_limit_bytes,
		.threads = profile->warehouse_threads,
		.lock_timeout_ms = lock_timeout_ms,
		.stop = rv_stop_signal,
		.note = rv_note,
	};
	*ret = rv_warehouse_duckdb_new(&params, lake);
	return RV_OK;
}

static void add_resource(struct rv_resources *resources, struct rv_resource *resource)
{
	if (resources->count == RV_RESOURCES_MAX)
		rv_bug("more than %d resources", RV_RESOURCES_MAX);
	resources->items[resources->count++] = resource;
}

enum rv_status rv_wire_resources(const struct rv_profile *profile, struct rv_resources *ret,
				 struct rv_error *err)
{
	struct rv_aws *services;
	struct rv_resource *resource;
	if (profile->lake_is_folder)
		return RV_OK;
	if (rv_wire_aws(profile, &services, err) != RV_OK)
		return err->status;
	if (profile->notify_arn || profile->notify_landing_arn) {
		const struct rv_notification_params params = {
			.aws = services,
			.bucket = profile->bucket,
			.lake_prefix = profile->lake_prefix,
			.arn = profile->notify_arn,
			.landing_arn = profile->notify_landing_arn,
		};
		if (rv_resource_notification_new(&params, &resource, err) != RV_OK)
			return err->status;
		add_resource(ret, resource);
	}
	if (strcmp(profile->delivery_type, "firehose") == 0) {
		const struct rv_firehose_stream_params params = {
			.aws = services,
			.bucket = profile->bucket,
			.lake_prefix = profile->lake_prefix,
			.role_arn = profile->delivery_role_arn,
			.buffer_mib = profile->delivery_buffer_bytes >> 20,
			.buffer_s = (uint64_t)profile->delivery_buffer_ms / 1000,
		};
		if (rv_resource_firehose_new(&params, &resource, err) != RV_OK)
			return err->status;
		add_resource(ret, resource);
	}
	return RV_OK;
}

enum rv_status rv_wire_region(const struct rv_profile *profile, char **ret,
			      struct rv_error *err)
{
	const struct rv_aws_settings_params params = {
		.profile = profile->aws_profile,
		.region = profile->aws_region,
	};
	RV_CLEANUP(rv_aws_settings_free_p) struct rv_aws_settings *settings = NULL;
	if (rv_aws_settings_load(&params, &settings, err) != RV_OK)
		return err->status;
	*ret = settings->region ? rv_strdup(settings->region) : NULL;
	return RV_OK;
}

json_t *rv_wire_policies(const struct rv_profile *profile, const struct rv_stream *stream,
			 const char *region)
{
	char firehose[RV_STREAM_PLACE_MAX];
	bool delivers = strcmp(profile->delivery_type, "firehose") == 0;
	const struct rv_policy_params params = {
		.business = stream->business,
		.name = stream->name,
		.bucket = profile->bucket,
		.lake_prefix = profile->lake_prefix,
		.region = region,
		.firehose = delivers ? rv_stream_firehose(stream, firehose) : NULL,
		/* a stage that is there reads with whatever it was made with */
		.snowflake = strcmp(profile->warehouse_type, "snowflake") == 0 &&
			     !profile->snowflake_stage,
		.role_arn = profile->delivery_role_arn,
		.notify_arn = profile->notify_arn,
		.notify_landing_arn = profile->notify_landing_arn,
	};
	return rv_policy_json(&params);
}

enum rv_status rv_wire_parquet(const struct rv_profile *profile, struct rv_parquet **ret,
			       struct rv_error *err)
{
	return rv_parquet_duckdb_new(profile->warehouse_memory_limit_bytes, ret, err);
}

enum rv_status rv_wire_files(const char *const *files, size_t count, struct rv_warehouse **ret,
			     struct rv_error *err)
{
	(void)err;
	struct rv_duckdb_params params = {
		.stop = rv_stop_signal,
		.note = rv_note,
		.files = files,
		.files_count = count,
	};
	*ret = rv_warehouse_duckdb_new(&params, NULL);
	return RV_OK;
}

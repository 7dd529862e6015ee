/* Rules about several settings of a profile, and about what services take; each problem says where the
 * values it is about come from. */
#include "config/config_check.h"

#include <string.h>

#include "base/number.h"
#include "base/strbuf.h"
#include "format/arn.h"

static const struct rv_config_value *find_value(const struct rv_config_values *c, const char *name)
{
	for (size_t i = 0; i < c->count; i++)
		if (strcmp(c->values[i].name, name) == 0)
			return &c->values[i];
	return NULL;
}

static const char *value_of(const struct rv_config_values *c, const char *name)
{
	const struct rv_config_value *value = find_value(c, name);
	return value ? value->value : NULL;
}

/* A profile of a file that nobody chose may leave the lake to the environment: then it is not known. */
static bool lake_is_folder(const struct rv_config_values *c)
{
	const char *lake = value_of(c, "lake");
	return lake && lake[0] == '/';
}

static enum rv_status check_combination(const struct rv_config_values *c, struct rv_error *err)
{
	static const char *const needs_s3[][2] = { { "delivery.type", "firehose" },
						   { "warehouse.type", "snowflake" } };
	const struct rv_config_value *lake = find_value(c, "lake");
	if (!lake_is_folder(c))
		return RV_OK;
	for (size_t i = 0; i < 2; i++) {
		const struct rv_config_value *other = find_value(c, needs_s3[i][0]);
		if (strcmp(other->value, needs_s3[i][1]) != 0)
			continue;
		rv_fail(err, RV_BAD_CONFIG,
			"profile %s: %s needs a lake on S3, but lake is the folder %s (%s: %s; "
			"lake: %s)",
			c->profile, other->value, lake->value, other->name, other->origin,
			lake->origin);
		rv_hint(err, "set lake to s3://bucket/prefix, or %s to %s", other->name,
			i == 0 ? "direct" : "duckdb");
		return err->status;
	}
	return RV_OK;
}

static enum rv_status bad_value(const struct rv_config_values *c, const char *name, const char *why,
				const char *hint, struct rv_error *err)
{
	const struct rv_config_value *value = find_value(c, name);
	rv_fail(err, RV_BAD_CONFIG, "profile %s: %s '%s' %s (%s)", c->profile, name, value->value,
		why, value->origin);
	rv_hint(err, "%s", hint);
	return err->status;
}

/* What Firehose takes (CreateDeliveryStream, BufferingHints), checked before anything is sent. */
static enum rv_status check_delivery(const struct rv_config_values *c, struct rv_error *err)
{
	uint64_t bytes;
	int64_t ms;
	const char *size = value_of(c, "delivery.buffer.size");
	const char *age = value_of(c, "delivery.buffer.age");
	const char *role = value_of(c, "delivery.role_arn");
	if (strcmp(value_of(c, "delivery.type"), "firehose") != 0)
		return RV_OK;
	if (!rv_parse_size(size, &bytes) || bytes % (1u << 20) != 0 || bytes > 128u << 20)
		return bad_value(c, "delivery.buffer.size", "is not 1MiB to 128MiB in whole MiB",
				 "Firehose takes nothing else; 64MiB is the default", err);
	if (!rv_parse_duration(age, &ms) || ms % 1000 != 0 || ms > 900 * 1000)
		return bad_value(c, "delivery.buffer.age", "is not 0s to 900s in whole seconds",
				 "Firehose takes nothing else; 60s is the default", err);
	if (role && !rv_arn_is(role, "iam", "role/"))
		return bad_value(c, "delivery.role_arn", "is not the ARN of an IAM role",
				 "it reads arn:aws:iam::123456789012:role/name", err);
	return RV_OK;
}

static enum rv_status check_notify(const struct rv_config_values *c, const char *name, struct rv_error *err)
{
	const char *text = value_of(c, name);
	if (!text || strcmp(text, "eventbridge") == 0)
		return RV_OK;
	if (!rv_arn_is(text, "sqs", "") && !rv_arn_is(text, "sns", "") &&
	    !rv_arn_is(text, "lambda", "function:"))
		return bad_value(c, name,
				 "is not eventbridge, and not the ARN of an SQS queue, an SNS topic "
				 "or a Lambda function",
				 "it reads for instance arn:aws:sqs:eu-west-1:123456789012:river-loads",
				 err);
	if (rv_ends_with(text, ".fifo"))
		return bad_value(c, name, "is a FIFO one, which S3 cannot notify",
				 "name a standard queue or topic, or eventbridge", err);
	if (lake_is_folder(c))
		return bad_value(c, name, "needs a lake on S3: a folder notifies nobody",
				 "set lake to s3://bucket/prefix, or take the key out", err);
	return RV_OK;
}

/* What is of Snowflake, for the profile and for businesses with something of their own. */
static enum rv_status check_snowflake(const struct rv_config_values *c, struct rv_error *err)
{
	if (strcmp(value_of(c, "warehouse.type"), "snowflake") != 0)
		return RV_OK;
	for (size_t i = 0; i < c->count; i++) {
		const struct rv_config_value *value = &c->values[i];
		if (rv_ends_with(value->name, ".storage_role_arn") &&
		    !rv_arn_is(value->value, "iam", "role/"))
			return bad_value(c, value->name, "is not the ARN of an IAM role",
					 "it reads arn:aws:iam::123456789012:role/name", err);
		if (rv_starts_with(value->name, "businesses.") && rv_ends_with(value->name, ".lake") &&
		    value->value[0] == '/')
			return bad_value(c, value->name, "is a folder, and snowflake needs a lake on S3",
					 "set it to s3://bucket/prefix", err);
	}
	return RV_OK;
}

/* What the collector takes: checked here, so that a file is not found wrong only when it is started. */
static enum rv_status check_collect(const struct rv_config_values *c, struct rv_error *err)
{
	uint64_t bytes, count;
	const char *stage = value_of(c, "collect.stage");
	/* Whole bodies are held in memory, and six times as long when nothing in them is plain ASCII; a frame
	 * of the intake has to hold that. */
	if (!rv_parse_size(value_of(c, "collect.max_body"), &bytes) || bytes > (4u << 20))
		return bad_value(c, "collect.max_body", "is too much", "it is 4MiB at most", err);
	static const struct {
		const char *name, *hint;
		uint64_t min, max;
	} counts[] = {
		{ "collect.max_connections", "it is 1 to 1000000", 1, 1000000 },
		{ "collect.rate", "it is 1000000000 at most", 0, 1000000000 },
		{ "collect.remember", "it is 100000000 at most", 0, 100000000 },
	};
	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		const char *text = value_of(c, counts[i].name);
		if (!rv_parse_u64(text, strlen(text), &count) || count < counts[i].min || count > counts[i].max)
			return bad_value(c, counts[i].name, "is out of range", counts[i].hint, err);
	}
	for (const char *p = stage; p && *p; p++)
		if (!(*p >= 'a' && *p <= 'z') && !(*p >= 'A' && *p <= 'Z') && !(*p >= '0' && *p <= '9') &&
		    !strchr("._~-/", *p))
			return bad_value(c, "collect.stage", "is no piece of a path",
					 "it takes letters, digits and . _ ~ - /", err);
	if (stage && (stage[0] == '/' || rv_ends_with(stage, "/")))
		return bad_value(c, "collect.stage", "has slashes around it", "write it without them: rest",
				 err);
	return RV_OK;
}

void rv_config_check_together(const struct rv_config_values *c,
			      void (*report)(void *arg, const struct rv_error *problem), void *arg)
{
	struct rv_error problem = RV_ERROR_INIT;
	if (check_combination(c, &problem) != RV_OK)
		report(arg, &problem);
	problem = (struct rv_error)RV_ERROR_INIT;
	if (check_delivery(c, &problem) != RV_OK)
		report(arg, &problem);
	static const char *const notify[] = { "notify.arn", "notify.landing_arn" };
	for (size_t i = 0; i < 2; i++) {
		problem = (struct rv_error)RV_ERROR_INIT;
		if (check_notify(c, notify[i], &problem) != RV_OK)
			report(arg, &problem);
	}
	problem = (struct rv_error)RV_ERROR_INIT;
	if (check_snowflake(c, &problem) != RV_OK)
		report(arg, &problem);
	problem = (struct rv_error)RV_ERROR_INIT;
	if (check_collect(c, &problem) != RV_OK)
		report(arg, &problem);
}

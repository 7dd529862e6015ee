/* The table before anything is written into it: there, with a key, and expiring by the right attribute. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "delivery/dynamodb_crew.h"

#define SETTLE_MS 120000
#define ASK_EVERY_MS 1000

static bool is_name(const char *table)
{
	size_t len = strlen(table);

	return len >= 3 && len <= 1024 &&
	       strspn(table, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-:/") == len;
}

static enum rv_status create(const struct rv_documents_dynamodb_params *params, struct rv_dynamodb *dynamodb,
			     struct rv_error *err)
{
	struct rv_dynamodb_schema schema = { .count = params->create_range ? 2 : 1 };

	snprintf(schema.fields[0].name, sizeof(schema.fields[0].name), "%s", params->create_hash);
	schema.fields[0].type = params->create_hash_is_number ? 'N' : 'S';
	if (params->create_range) {
		snprintf(schema.fields[1].name, sizeof(schema.fields[1].name), "%s", params->create_range);
		schema.fields[1].type = params->create_range_is_number ? 'N' : 'S';
	}
	if (rv_dynamodb_create(dynamodb, params->table, &schema, err) == RV_OK)
		return RV_OK;
	if (strcmp(err->service_code, "ResourceInUseException") != 0)
		return err->status;
	/* somebody else was there first; a look shows whether it is the same */
	*err = (struct rv_error)RV_ERROR_INIT;
	return RV_OK;
}

/* Until it can be written to. */
static enum rv_status wait_for(const struct rv_documents_dynamodb_params *params,
			       struct rv_dynamodb *dynamodb, struct rv_dynamodb_table *ret,
			       struct rv_error *err)
{
	int64_t deadline = rv_clock_monotonic_ms() + (params->settle_ms ? params->settle_ms : SETTLE_MS);
	bool made = false;

	for (unsigned asked = 1;; asked++) {
		/* that it is not there yet is no failure */
		struct rv_error why = RV_ERROR_INIT;
		enum rv_status status = rv_dynamodb_describe(dynamodb, params->table, ret, &why);
		bool missing = status == RV_NOT_FOUND &&
			       strcmp(why.service_code, "ResourceNotFoundException") == 0;

		if (status == RV_OK && (strcmp(ret->status, "ACTIVE") == 0 || strcmp(ret->status, "UPDATING") == 0))
			return RV_OK;
		if (status == RV_OK && strcmp(ret->status, "CREATING") != 0) {
			rv_fail(err, RV_CONFLICT, "the table %s is %s", params->table, ret->status);
			rv_dynamodb_table_release(ret);
			return err->status;
		}
		if (status != RV_OK && (!missing || !params->create_hash))
			*err = why;
		if (status != RV_OK && !missing)
			return status;
		if (missing && !params->create_hash) {
			rv_hint(err, "make the table %s, or let river: 'create: true' in the job's target",
				params->table);
			return status;
		}
		if (missing && !made && create(params, dynamodb, err) != RV_OK)
			return err->status;
		made = made || missing;
		if (status == RV_OK)
			rv_dynamodb_table_release(ret);
		if (rv_clock_monotonic_ms() >= deadline) {
			rv_fail(err, RV_FAILED, "the table %s is still being made", params->table);
			err->transient = true;
			return err->status;
		}
		if (rv_http_wait(params->aws->http, rv_http_backoff_ms(asked, 100, ASK_EVERY_MS), err) != RV_OK)
			return err->status;
	}
}

static enum rv_status check_key(const struct rv_documents_dynamodb_params *params,
				const struct rv_dynamodb_table *table, struct rv_error *err)
{
	const char *names[2] = { params->create_hash, params->create_range };
	const char types[2] = { params->create_hash_is_number ? 'N' : 'S',
				params->create_range_is_number ? 'N' : 'S' };

	for (size_t i = 0; i < table->schema.count; i++)
		if (table->schema.fields[i].type == 'B')
			return rv_fail(err, RV_CONFLICT, "the key %s of the table %s is binary, and documents have texts "
				       "and numbers", table->schema.fields[i].name, params->table);
	if (!params->create_hash)
		return RV_OK;
	bool same = table->schema.count == (params->create_range ? 2u : 1u);
	for (size_t i = 0; same && i < table->schema.count; i++)
		same = strcmp(names[i], table->schema.fields[i].name) == 0 && types[i] == table->schema.fields[i].type;
	if (same)
		return RV_OK;
	rv_fail(err, RV_CONFLICT, "the table %s is there with another key: %s%s%s", params->table,
		table->schema.fields[0].name, table->schema.count > 1 ? ", " : "",
		table->schema.count > 1 ? table->schema.fields[1].name : "");
	rv_hint(err, "name another table, or give the documents this key");
	return err->status;
}

static enum rv_status check_ttl(const struct rv_documents_dynamodb_params *params,
				struct rv_dynamodb *dynamodb, struct rv_error *err)
{
	struct rv_dynamodb_ttl ttl;

	if (rv_dynamodb_ttl(dynamodb, params->table, &ttl, err) != RV_OK)
		return err->status;
	bool on = strcmp(ttl.status, "ENABLED") == 0 || strcmp(ttl.status, "ENABLING") == 0;
	if (on && strcmp(ttl.attribute, params->ttl_attribute) == 0)
		return RV_OK;
	if (on) {
		rv_fail(err, RV_CONFLICT, "items of the table %s expire by %s, and not by %s", params->table,
			ttl.attribute, params->ttl_attribute);
		rv_hint(err, "a table has one attribute for it: name that one in the job's target");
		return err->status;
	}
	if (params->create_hash && strcmp(ttl.status, "DISABLED") == 0) {
		if (rv_dynamodb_enable_ttl(dynamodb, params->table, params->ttl_attribute, err) == RV_OK)
			return RV_OK;
		return err->status;
	}
	rv_fail(err, RV_CONFLICT, "the time to live of the table %s is %s: nothing in it would ever expire",
		params->table, ttl.status);
	rv_hint(err, "aws dynamodb update-time-to-live --table-name %s --time-to-live-specification "
		     "Enabled=true,AttributeName=%s", params->table, params->ttl_attribute);
	return err->status;
}

enum rv_status rv_documents_dynamodb_prepare(const struct rv_documents_dynamodb_params *params,
					     struct rv_dynamodb *dynamodb,
					     struct rv_dynamodb_schema *ret_schema, int64_t *ret_now_ms,
					     struct rv_error *err)
{
	struct rv_dynamodb_table table = { 0 };

	if (!is_name(params->table))
		return rv_fail(err, RV_BAD_CONFIG, "'%.100s' is no name of a table of DynamoDB", params->table);
	if (wait_for(params, dynamodb, &table, err) != RV_OK)
		return err->status;
	enum rv_status status = check_key(params, &table, err);
	if (status == RV_OK && params->ttl_attribute)
		status = check_ttl(params, dynamodb, err);
	if (status == RV_OK) {
		*ret_schema = table.schema;
		/* Whether a document has expired is judged by the service's clock: one here that is a year off
		 * would leave out what is wanted. */
		*ret_now_ms = table.now_ms >= 0 ? table.now_ms : rv_aws_client_now_ms(rv_dynamodb_client(dynamodb));
	}
	rv_dynamodb_table_release(&table);
	return status;
}

/* DynamoDB's control calls: few, so they go through jansson. */
#include "aws/dynamodb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "aws/dynamodb_impl.h"
#include "base/memory.h"

enum rv_status rv_dynamodb_new(struct rv_aws *aws, struct rv_dynamodb **ret, struct rv_error *err)
{
	struct rv_aws_client *client;
	enum rv_status status = rv_aws_client_new(aws, "dynamodb", &client, err);

	if (status != RV_OK)
		return status;
	struct rv_dynamodb *dynamodb = rv_calloc(1, sizeof(*dynamodb));
	dynamodb->client = client;
	*ret = dynamodb;
	return RV_OK;
}

void rv_dynamodb_free(struct rv_dynamodb *dynamodb)
{
	if (!dynamodb)
		return;
	rv_aws_client_free(dynamodb->client);
	free(dynamodb);
}

struct rv_aws_client *rv_dynamodb_client(struct rv_dynamodb *dynamodb)
{
	return dynamodb->client;
}

void rv_dynamodb_headers(struct rv_http_headers *headers, const char *target)
{
	rv_http_headers_set(headers, "Content-Type", "application/x-amz-json-1.0");
	rv_http_headers_set(headers, "X-Amz-Target", target);
}

/* `ret_now_ms` Optional. */
static enum rv_status call(struct rv_dynamodb *dynamodb, const char *target, const json_t *in,
			   json_t **ret_out, int64_t *ret_now_ms, struct rv_error *err)
{
	RV_CLEANUP(rv_http_response_release) struct rv_http_response response = RV_HTTP_RESPONSE_INIT;
	RV_CLEANUP(rv_http_headers_release) struct rv_http_headers headers = { 0 };
	RV_CLEANUP(rv_free_p) char *body = json_dumps(in, JSON_COMPACT);

	if (!body)
		rv_bug("a request of %s cannot be written", target);
	rv_dynamodb_headers(&headers, target);
	const struct rv_aws_request request = {
		.method = "POST",
		.headers = &headers,
		.body = { .bytes = body, .fd = -1, .len = strlen(body) },
	};
	if (rv_aws_send(dynamodb->client, &request, NULL, &response, NULL, err) != RV_OK)
		return err->status;
	json_t *out = json_loadb(response.body.bytes, response.body.len, 0, NULL);
	if (!json_is_object(out)) {
		json_decref(out);
		rv_fail(err, RV_FAILED, "%s answers 200 with what is not JSON",
			rv_aws_client_endpoint(dynamodb->client));
		rv_hint(err, "a proxy or a portal may have answered instead of DynamoDB: look at HTTPS_PROXY and "
			     "at the endpoint");
		err->transient = true;
		return err->status;
	}
	if (ret_now_ms)
		*ret_now_ms = response.date_ms;
	*ret_out = out;
	return RV_OK;
}

/* ---- tables ---- */

void rv_dynamodb_table_release(struct rv_dynamodb_table *table)
{
	free(table->status);
	*table = (struct rv_dynamodb_table){ 0 };
}

static char type_of(const json_t *definitions, const char *name)
{
	size_t i;
	json_t *definition;

	json_array_foreach((json_t *)(uintptr_t)definitions, i, definition) {
		const char *named = json_string_value(json_object_get(definition, "AttributeName"));
		const char *type = json_string_value(json_object_get(definition, "AttributeType"));

		if (named && type && strcmp(named, name) == 0 && strlen(type) == 1 && strchr("SNB", *type))
			return *type;
	}
	return 0;
}

/* The partition key may stand behind the sort key. */
static bool read_schema(const json_t *description, struct rv_dynamodb_schema *ret)
{
	const json_t *definitions = json_object_get(description, "AttributeDefinitions");
	size_t i;
	json_t *element;

	*ret = (struct rv_dynamodb_schema){ 0 };
	json_array_foreach(json_object_get(description, "KeySchema"), i, element) {
		const char *name = json_string_value(json_object_get(element, "AttributeName"));
		const char *kind = json_string_value(json_object_get(element, "KeyType"));

		if (!name || !kind || strlen(name) > RV_DYNAMODB_NAME_BYTES || i > 1)
			return false;
		size_t at = strcmp(kind, "RANGE") == 0;
		ret->fields[at].type = type_of(definitions, name);
		snprintf(ret->fields[at].name, sizeof(ret->fields[at].name), "%s", name);
		if (!ret->fields[at].type)
			return false;
		ret->count++;
	}
	return ret->count && ret->fields[0].type && (ret->count == 1 || ret->fields[1].type);
}

enum rv_status rv_dynamodb_describe(struct rv_dynamodb *dynamodb, const char *table,
				    struct rv_dynamodb_table *ret, struct rv_error *err)
{
	RV_CLEANUP(json_decrefp) json_t *in = json_pack("{s:s}", "TableName", table);
	RV_CLEANUP(json_decrefp) json_t *out = NULL;
	int64_t now_ms = -1;

	if (call(dynamodb, RV_DYNAMODB_TARGET("DescribeTable"), in, &out, &now_ms, err) != RV_OK)
		return rv_context(err, "look at the table %s", table);
	const json_t *description = json_object_get(out, "Table");
	const char *status = json_string_value(json_object_get(description, "TableStatus"));
	struct rv_dynamodb_table found = { .now_ms = now_ms };
	if (!status || !read_schema(description, &found.schema))
		return rv_fail(err, RV_FAILED, "look at the table %s: the answer has no %s", table,
			       status ? "key that river knows" : "TableStatus");
	found.status = rv_strdup(status);
	*ret = found;
	return RV_OK;
}

enum rv_status rv_dynamodb_create(struct rv_dynamodb *dynamodb, const char *table,
				  const struct rv_dynamodb_schema *schema, struct rv_error *err)
{
	RV_CLEANUP(json_decrefp) json_t *in = json_pack("{s:s, s:[], s:[], s:s}", "TableName", table,
							"AttributeDefinitions", "KeySchema", "BillingMode",
							"PAY_PER_REQUEST");
	RV_CLEANUP(json_decrefp) json_t *out = NULL;

	for (size_t i = 0; i < schema->count; i++) {
		const char type[] = { schema->fields[i].type, '\0' };

		json_array_append_new(json_object_get(in, "AttributeDefinitions"),
				      json_pack("{s:s, s:s}", "AttributeName", schema->fields[i].name,
						"AttributeType", type));
		json_array_append_new(json_object_get(in, "KeySchema"),
				      json_pack("{s:s, s:s}", "AttributeName", schema->fields[i].name, "KeyType",
						i ? "RANGE" : "HASH"));
	}
	if (call(dynamodb, RV_DYNAMODB_TARGET("CreateTable"), in, &out, NULL, err) != RV_OK)
		return rv_context(err, "create the table %s", table);
	return RV_OK;
}

/* ---- time to live ---- */

enum rv_status rv_dynamodb_ttl(struct rv_dynamodb *dynamodb, const char *table,
			       struct rv_dynamodb_ttl *ret, struct rv_error *err)
{
	RV_CLEANUP(json_decrefp) json_t *in = json_pack("{s:s}", "TableName", table);
	RV_CLEANUP(json_decrefp) json_t *out = NULL;

	if (call(dynamodb, RV_DYNAMODB_TARGET("DescribeTimeToLive"), in, &out, NULL, err) != RV_OK)
		return rv_context(err, "look at the time to live of the table %s", table);
	const json_t *description = json_object_get(out, "TimeToLiveDescription");
	const char *status = json_string_value(json_object_get(description, "TimeToLiveStatus"));
	const char *attribute = json_string_value(json_object_get(description, "AttributeName"));
	if (!status)
		return rv_fail(err, RV_FAILED, "look at the time to live of the table %s: the answer has no "
			       "TimeToLiveStatus", table);
	snprintf(ret->status, sizeof(ret->status), "%s", status);
	snprintf(ret->attribute, sizeof(ret->attribute), "%s", attribute ? attribute : "");
	return RV_OK;
}

enum rv_status rv_dynamodb_enable_ttl(struct rv_dynamodb *dynamodb, const char *table,
				      const char *attribute, struct rv_error *err)
{
	RV_CLEANUP(json_decrefp)
	json_t *in = json_pack("{s:s, s:{s:b, s:s}}", "TableName", table, "TimeToLiveSpecification", "Enabled",
			       1, "AttributeName", attribute);
	RV_CLEANUP(json_decrefp) json_t *out = NULL;

	if (call(dynamodb, RV_DYNAMODB_TARGET("UpdateTimeToLive"), in, &out, NULL, err) != RV_OK)
		return rv_context(err, "enable the time to live of the table %s", table);
	return RV_OK;
}

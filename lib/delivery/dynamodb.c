/* Documents into a table of DynamoDB: each becomes an item, or is settled at once; the crew does the rest. */
#include "delivery/documents.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "delivery/dynamodb_crew.h"
#include "delivery/expiry.h"
#include "format/json_path.h"

#define IN_FLIGHT 8
#define MAX_BYTES (64u << 20)
#define GIVE_UP_AFTER_MS 60000
/* Marks a tombstone. */
#define DELETED "_deleted"

struct documents {
	struct rv_documents base;
	struct rv_dynamodb_crew *crew;
	struct rv_dynamodb_schema schema;
	char *table, *ttl_attribute, *ttl_from;
	unsigned ttl_count;
	enum rv_job_unit ttl_unit;
	bool exclusive;
	int64_t now_ms, began_ms; /* the service's clock, and ours (monotonic) when it said so */
	void (*settled)(void *arg, const struct rv_document_result *result);
	void *arg;
	struct rv_dynamodb_item item;
};

/* ---- the time to live ---------------------------------------------------------------------------- */

static struct rv_json_value top_member(const char *document, size_t len, const char *name)
{
	struct rv_json_value value, found = { 0 };
	struct rv_json_key key;
	struct rv_json_iter it;

	rv_json_iter_init(&it, document, len);
	while (rv_json_iter_next(&it, &key, &value))
		if (!key.escaped && rv_str_is((struct rv_str){ key.p, key.len }, name))
			found = value;
	return found;
}

/* What it counts from. */
static enum rv_status counts_from(const struct documents *d, const struct rv_document *document,
				  int64_t *ret_ms, struct rv_error *err)
{
	*ret_ms = document->extract_ms;
	if (!d->ttl_from || document->remove)
		return RV_OK;
	struct rv_json_value from = top_member(document->json, document->len, d->ttl_from);
	if (from.type == RV_JSON_ABSENT || from.type == RV_JSON_NULL)
		return rv_fail(err, RV_BAD_DATA, "%s: there is none, and the time to live counts from it", d->ttl_from);
	if (from.type != RV_JSON_STRING || !rv_expiry_parse(from.p + 1, from.len - 2, ret_ms))
		return rv_fail(err, RV_BAD_DATA, "%s: %.*s is no date, and the time to live counts from it",
			       d->ttl_from, from.len < 60 ? (int)from.len : 60, from.p);
	return RV_OK;
}

/* *ret_s: seconds since 1970. */
static enum rv_status expires(const struct documents *d, const struct rv_document *document, int64_t now_ms,
			      int64_t *ret_ms, struct rv_error *err)
{
	char text[RV_TIME_TEXT];
	int64_t from_ms;

	if (counts_from(d, document, &from_ms, err) != RV_OK)
		return err->status;
	if (!rv_expiry_is_sane(from_ms, now_ms))
		return rv_fail(err, RV_BAD_DATA, "%s: %s is %s, and the time to live counts from it",
			       d->ttl_from && !document->remove ? d->ttl_from : "the extract's time",
			       rv_format_time(from_ms, text),
			       from_ms < 0 ? "before 1970" : "more than a year ahead");
	*ret_ms = rv_expiry_after(from_ms, d->ttl_count, d->ttl_unit);
	return RV_OK;
}

/* ---- documents ----------------------------------------------------------------------------------- */

static void refuse(struct documents *d, const struct rv_document *document, const struct rv_error *why)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf reason = RV_STRBUF_INIT;

	rv_dynamodb_document_name(&d->schema, document->json, document->len, &reason);
	rv_strbuf_printf(&reason, ": %s", why->message);
	rv_dynamodb_crew_tell(d->crew, document->tag, document->remove, RV_DOCUMENT_REFUSED, reason.bytes);
}

/* The item of the document; *ret_expired: there is none, it is too late for it. */
static enum rv_status make(struct documents *d, const struct rv_document *document, bool *ret_expired,
			   struct rv_error *err)
{
	bool by_removal = document->remove && d->exclusive;
	struct rv_dynamodb_extra extras[3] = { { .name = RV_DYNAMODB_VERSION }, { .name = DELETED } };
	struct rv_dynamodb_item_params params = { .schema = &d->schema, .extras = extras, .extras_count = 2,
						  .keys_only = document->remove };
	int64_t now_ms = d->now_ms + rv_clock_monotonic_ms() - d->began_ms, expires_ms = 0;
	struct rv_error untimely = RV_ERROR_INIT;

	*ret_expired = false;
	if (!by_removal) {
		snprintf(extras[0].number, sizeof(extras[0].number), "%" PRIu64, document->version);
		snprintf(extras[1].number, sizeof(extras[1].number), "%s", document->remove ? "1" : "");
	}
	if (d->ttl_attribute) {
		extras[params.extras_count++].name = d->ttl_attribute;
		if (!by_removal && expires(d, document, now_ms, &expires_ms, &untimely) == RV_OK) {
			snprintf(extras[2].number, sizeof(extras[2].number), "%" PRId64, expires_ms / 1000);
			*ret_expired = !document->remove && expires_ms <= now_ms;
		}
	}
	/* what is wrong with the document itself is said first */
	if (rv_dynamodb_item_make(&params, document->json, document->len, &d->item, err) != RV_OK)
		return err->status;
	if (untimely.status != RV_OK)
		*err = untimely;
	return untimely.status;
}

static enum rv_status put(struct rv_documents *base, const struct rv_document *document,
			  struct rv_error *err)
{
	struct documents *d = (struct documents *)base;
	struct rv_error why = RV_ERROR_INIT;
	enum rv_status status = RV_OK;
	bool expired;

	if (make(d, document, &expired, &why) != RV_OK) {
		refuse(d, document, &why);
	} else if (expired) {
		rv_dynamodb_crew_tell(d->crew, document->tag, false, RV_DOCUMENT_EXPIRED, NULL);
	} else {
		struct rv_dynamodb_pending pending = {
			.len = d->item.json.len,
			.bytes = d->item.bytes,
			.version = document->version,
			.tag = document->tag,
			.remove = document->remove,
			.by_removal = document->remove && d->exclusive,
		};

		pending.item = rv_malloc(pending.len);
		memcpy(pending.item, d->item.json.bytes, pending.len);
		status = rv_dynamodb_crew_put(d->crew, (struct rv_str){ d->item.key.bytes, d->item.key.len },
					      &pending, err);
	}
	rv_dynamodb_crew_news(d->crew, d->settled, d->arg);
	return status == RV_OK ? RV_OK : rv_context(err, "write to the table %s", d->table);
}

static enum rv_status flush(struct rv_documents *base, struct rv_error *err)
{
	struct documents *d = (struct documents *)base;
	enum rv_status status = rv_dynamodb_crew_flush(d->crew, err);

	rv_dynamodb_crew_news(d->crew, d->settled, d->arg);
	return status == RV_OK ? RV_OK : rv_context(err, "write to the table %s", d->table);
}

static void counts(struct rv_documents *base, struct rv_documents_counts *ret)
{
	rv_dynamodb_crew_counts(((struct documents *)base)->crew, ret);
}

static void destroy(struct rv_documents *base)
{
	struct documents *d = (struct documents *)base;

	rv_dynamodb_crew_free(d->crew);
	rv_dynamodb_item_release(&d->item);
	free(d->table);
	free(d->ttl_attribute);
	free(d->ttl_from);
	free(d);
}

static const struct rv_documents_ops ops = {
	.name = "dynamodb",
	.put = put,
	.flush = flush,
	.counts = counts,
	.free = destroy,
};

struct rv_documents *rv_documents_dynamodb_with(const struct rv_documents_dynamodb_params *params,
						const struct rv_dynamodb_schema *schema, int64_t now_ms,
						const struct rv_dynamodb_service *service)
{
	struct documents *d = rv_calloc(1, sizeof(*d));

	d->base.ops = &ops;
	d->schema = *schema;
	d->table = rv_strdup(params->table);
	d->ttl_attribute = params->ttl_attribute ? rv_strdup(params->ttl_attribute) : NULL;
	d->ttl_from = params->ttl_from ? rv_strdup(params->ttl_from) : NULL;
	d->ttl_count = params->ttl_count;
	d->ttl_unit = params->ttl_unit;
	d->exclusive = params->exclusive;
	d->now_ms = now_ms;
	d->began_ms = rv_clock_monotonic_ms();
	d->settled = params->settled;
	d->arg = params->arg;
	d->item = (struct rv_dynamodb_item)RV_DYNAMODB_ITEM_INIT;
	const struct rv_dynamodb_crew_params crew = {
		.service = *service,
		.table = d->table,
		.schema = &d->schema,
		.exclusive = params->exclusive,
		.in_flight = params->in_flight ? params->in_flight : IN_FLIGHT,
		.max_wcu = params->max_wcu,
		.max_bytes = params->max_bytes ? params->max_bytes : MAX_BYTES,
		.give_up_after_ms = params->give_up_after_ms ? params->give_up_after_ms : GIVE_UP_AFTER_MS,
		.should_stop = params->should_stop,
	};
	d->crew = rv_dynamodb_crew_new(&crew);
	return &d->base;
}

/* ---- DynamoDB itself ----------------------------------------------------------------------------- */

static enum rv_status service_batch(void *arg, const char *table, const struct rv_dynamodb_schema *schema,
				    const struct rv_dynamodb_write *writes, size_t count,
				    struct rv_dynamodb_room *room, enum rv_dynamodb_fate *fates,
				    struct rv_dynamodb_result *ret, struct rv_error *err)
{
	return rv_dynamodb_batch(arg, table, schema, writes, count, room, fates, ret, err);
}

static enum rv_status service_write_one(void *arg, const char *table,
					const struct rv_dynamodb_schema *schema,
					const struct rv_dynamodb_write *write, bool versioned,
					struct rv_dynamodb_room *room, enum rv_dynamodb_fate *fate,
					struct rv_dynamodb_result *ret, struct rv_error *err)
{
	return rv_dynamodb_write_one(arg, table, schema, write, versioned, room, fate, ret, err);
}

static void service_free(void *arg)
{
	rv_dynamodb_free(arg);
}

enum rv_status rv_documents_dynamodb_new(const struct rv_documents_dynamodb_params *params,
					 struct rv_documents **ret, struct rv_error *err)
{
	struct rv_dynamodb_schema schema;
	struct rv_dynamodb *dynamodb;
	int64_t now_ms;

	if (rv_dynamodb_new(params->aws, &dynamodb, err) != RV_OK)
		return err->status;
	if (rv_documents_dynamodb_prepare(params, dynamodb, &schema, &now_ms, err) != RV_OK) {
		rv_dynamodb_free(dynamodb);
		return err->status;
	}
	const struct rv_dynamodb_service service = {
		.batch = service_batch,
		.write_one = service_write_one,
		.free = service_free,
		.arg = dynamodb,
	};
	*ret = rv_documents_dynamodb_with(params, &schema, now_ms, &service);
	return RV_OK;
}

/* Reads event documents; keys are decoded exactly once, and only where S3 encodes them. */
#include "format/s3_event.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/strbuf.h"

/* S3 in EventBridge in SNS in SQS: no honest document is deeper. */
#define DEPTH_MAX 4

static void json_release(json_t **json)
{
	json_decref(*json);
}

/* NULL: not what S3 writes. Caller frees. */
static char *decode_key(const char *key)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf decoded = RV_STRBUF_INIT;

	return rv_strbuf_form_decode(&decoded, key) ? rv_strbuf_take(&decoded) : NULL;
}

/* Takes `key`. */
static enum rv_status add(struct rv_s3_events *events, const char *bucket, char *key,
			  struct rv_error *err)
{
	if (!key || !key[0]) {
		free(key);
		return rv_fail(err, RV_BAD_DATA, "an event without a readable object key");
	}
	RV_GROW(events->items, events->count, events->capacity);
	events->items[events->count++] =
		(struct rv_s3_event){ rv_strdup(bucket ? bucket : ""), key };
	return RV_OK;
}

static const char *text_at(const json_t *object, const char *a, const char *b, const char *c)
{
	const json_t *at = object;
	const char *keys[] = { a, b, c };

	for (int i = 0; i < 3 && at && keys[i]; i++)
		at = json_object_get(at, keys[i]);
	return json_string_value(at);
}

static enum rv_status parse_text(const char *text, size_t len, int depth, struct rv_s3_events *ret,
				 struct rv_error *err);

/* What a queue or a topic carries, wherever it stands. NULL: it is none. */
static const char *carried(const json_t *message)
{
	static const char *const places[][2] = {
		{ "Message", NULL },     /* SNS */
		{ "Body", NULL },        /* SQS's answer */
		{ "body", NULL },        /* SQS as Lambda is given it */
		{ "Sns", "Message" },    /* SNS, likewise */
	};
	const char *text = NULL;

	for (size_t i = 0; i < sizeof(places) / sizeof(*places) && !text; i++)
		text = text_at(message, places[i][0], places[i][1], NULL);
	return text;
}

static enum rv_status parse_carried(const char *text, int depth, struct rv_s3_events *ret, struct rv_error *err)
{
	if (depth < DEPTH_MAX)
		return parse_text(text, strlen(text), depth + 1, ret, err);
	return rv_fail(err, RV_BAD_DATA, "messages in messages, more than %d deep", DEPTH_MAX);
}

static enum rv_status parse_records(const json_t *records, int depth, struct rv_s3_events *ret,
				    struct rv_error *err)
{
	size_t i;
	json_t *record;

	json_array_foreach(records, i, record) {
		const char *source = text_at(record, "eventSource", NULL, NULL);
		const char *name = text_at(record, "eventName", NULL, NULL);
		const char *key = text_at(record, "s3", "object", "key");
		const char *inner = name ? NULL : carried(record);

		if (inner) {
			if (parse_carried(inner, depth, ret, err) != RV_OK)
				return err->status;
			continue;
		}
		/* The message has no "s3:" in front of the name, the configuration has. */
		if (name && rv_starts_with(name, "s3:"))
			name += 3;
		if ((source && strcmp(source, "aws:s3") != 0) || !name ||
		    !rv_starts_with(name, "ObjectCreated:")) {
			ret->other++;
			continue;
		}
		if (add(ret, text_at(record, "s3", "bucket", "name"), key ? decode_key(key) : NULL,
			err) != RV_OK)
			return err->status;
	}
	return RV_OK;
}

static enum rv_status parse_one(const json_t *json, int depth, struct rv_s3_events *ret,
				struct rv_error *err)
{
	const json_t *records = json_object_get(json, "Records");
	const json_t *detail = json_object_get(json, "detail");
	const char *event = text_at(json, "Event", NULL, NULL);
	const char *source = text_at(json, "source", NULL, NULL);
	const char *inner = carried(json);

	if (json_is_array(records))
		return parse_records(records, depth, ret, err);
	if (event && strcmp(event, "s3:TestEvent") == 0) {
		ret->test = true;
		return RV_OK;
	}
	if (source && strcmp(source, "aws.s3") == 0 && json_is_object(detail)) {
		const char *type = text_at(json, "detail-type", NULL, NULL);
		const char *key = text_at(detail, "object", "key", NULL);

		if (!type || strcmp(type, "Object Created") != 0) {
			ret->other++;
			return RV_OK;
		}
		/* Not encoded here. */
		return add(ret, text_at(detail, "bucket", "name", NULL),
			   key ? rv_strdup(key) : NULL, err);
	}
	if (inner)
		return parse_carried(inner, depth, ret, err);
	return rv_fail(err, RV_BAD_DATA, "not an S3 event: neither Records, nor an SNS or EventBridge "
					 "message about S3");
}

static enum rv_status parse_text(const char *text, size_t len, int depth, struct rv_s3_events *ret,
				 struct rv_error *err)
{
	size_t at = 0;

	for (;;) {
		while (at < len && memchr(" \t\r\n", text[at], 4))
			at++;
		if (at == len)
			return RV_OK;
		json_error_t where;
		RV_CLEANUP(json_release) json_t *json =
			json_loadb(text + at, len - at, JSON_DISABLE_EOF_CHECK, &where);

		if (!json)
			return rv_fail(err, RV_BAD_DATA, "not JSON at byte %zu: %s",
				       at + (size_t)(where.position > 0 ? where.position : 0),
				       where.text);
		if (parse_one(json, depth, ret, err) != RV_OK)
			return err->status;
		at += (size_t)where.position;
	}
}

enum rv_status rv_s3_events_parse(const char *text, size_t len, struct rv_s3_events *ret,
				  struct rv_error *err)
{
	return parse_text(text, len, 1, ret, err);
}

void rv_s3_events_release(struct rv_s3_events *events)
{
	for (size_t i = 0; i < events->count; i++) {
		free(events->items[i].bucket);
		free(events->items[i].key);
	}
	free(events->items);
	*events = (struct rv_s3_events){ 0 };
}

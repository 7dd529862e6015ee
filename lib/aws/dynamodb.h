/*
 * Amazon DynamoDB's API as river needs it: writes, one by one under a condition or 25 at a time without
 * one, and the calls that make and look at tables. delivery/dynamodb.c decides what is written when.
 *
 * Facts: DynamoDB API Reference (2012-08-10). Answers carry a CRC-32 of their bytes, which the client
 * verifies. Thread-safe but for the rooms.
 */
#ifndef RV_AWS_DYNAMODB_H
#define RV_AWS_DYNAMODB_H

#include <stdbool.h>
#include <stdint.h>

#include "aws/client.h"
#include "aws/dynamodb_item.h"
#include "base/error.h"

/* Limits of BatchWriteItem. */
#define RV_DYNAMODB_BATCH_ITEMS 25
#define RV_DYNAMODB_BATCH_BYTES (16u << 20) /* of the request */
/* What river calls the version of a document. */
#define RV_DYNAMODB_VERSION "_v"

struct rv_dynamodb;
enum rv_status rv_dynamodb_new(struct rv_aws *aws, struct rv_dynamodb **ret,
			       struct rv_error *err) RV_MUST_CHECK;
void rv_dynamodb_free(struct rv_dynamodb *dynamodb);
struct rv_aws_client *rv_dynamodb_client(struct rv_dynamodb *dynamodb);

/* ---- writes ---- */
struct rv_dynamodb_write {
	const char *item;      /* JSON of AttributeValues; of a removal the key alone */
	size_t len;
	bool remove;
	struct rv_str key;     /* rv_dynamodb_item.key */
	uint64_t version;      /* of the condition */
};
enum rv_dynamodb_fate {
	RV_DYNAMODB_TAKEN,
	RV_DYNAMODB_LEFT,      /* nothing of it was taken; send it again */
	RV_DYNAMODB_UNKNOWN,   /* no believable answer; it may have been taken, now or later */
	RV_DYNAMODB_NEWER,     /* the condition: a newer version is there */
	RV_DYNAMODB_FOREIGN,   /* the condition: an item without version is there */
	RV_DYNAMODB_REFUSED,   /* for what it is; never of a batch */
};
struct rv_dynamodb_result {
	double units;          /* write capacity it came to; negative: the service did not say */
	char code[64], message[256]; /* why, when not all were taken; "": it is unprocessed */
};
/* What a worker keeps from one request to the next. */
struct rv_dynamodb_room {
	struct rv_strbuf body, key;
	struct rv_http_response response;
};
#define RV_DYNAMODB_ROOM_INIT                                                                      \
	{ .body = RV_STRBUF_INIT, .key = RV_STRBUF_INIT, .response = RV_HTTP_RESPONSE_INIT }
void rv_dynamodb_room_release(struct rv_dynamodb_room *room);

/* One BatchWriteItem of 1..25 writes of different keys, sent once. RV_OK: fates are TAKEN or LEFT (they were
 * unprocessed). Otherwise all are LEFT, when it is certain that nothing was taken, or UNKNOWN. */
enum rv_status rv_dynamodb_batch(struct rv_dynamodb *dynamodb, const char *table,
				 const struct rv_dynamodb_schema *schema,
				 const struct rv_dynamodb_write *writes, size_t count,
				 struct rv_dynamodb_room *room, enum rv_dynamodb_fate *fates,
				 struct rv_dynamodb_result *ret, struct rv_error *err) RV_MUST_CHECK;
/* One PutItem or DeleteItem, sent once; `versioned`: unless something is there that is not older. RV_OK: any
 * fate but LEFT and UNKNOWN. */
enum rv_status rv_dynamodb_write_one(struct rv_dynamodb *dynamodb, const char *table,
				     const struct rv_dynamodb_schema *schema,
				     const struct rv_dynamodb_write *write, bool versioned,
				     struct rv_dynamodb_room *room, enum rv_dynamodb_fate *fate,
				     struct rv_dynamodb_result *ret, struct rv_error *err) RV_MUST_CHECK;
/* What an answer of status 200 says about a batch; touches no network. */
enum rv_status rv_dynamodb_read_batch(const char *p, size_t len, const struct rv_dynamodb_schema *schema,
				      const struct rv_dynamodb_write *writes, size_t count,
				      struct rv_strbuf *key, enum rv_dynamodb_fate *fates,
				      struct rv_dynamodb_result *ret, struct rv_error *err) RV_MUST_CHECK;

/* ---- tables ---- */
struct rv_dynamodb_table {
	char *status;          /* CREATING, ACTIVE, UPDATING, DELETING, ... */
	struct rv_dynamodb_schema schema;
	int64_t now_ms;        /* the service's clock; -1: it did not say */
};
void rv_dynamodb_table_release(struct rv_dynamodb_table *table);
enum rv_status rv_dynamodb_describe(struct rv_dynamodb *dynamodb, const char *table,
				    struct rv_dynamodb_table *ret, struct rv_error *err) RV_MUST_CHECK;
/* Paid by request. RV_CONFLICT: one of that name is there. */
enum rv_status rv_dynamodb_create(struct rv_dynamodb *dynamodb, const char *table,
				  const struct rv_dynamodb_schema *schema,
				  struct rv_error *err) RV_MUST_CHECK;

struct rv_dynamodb_ttl {
	char status[16];       /* ENABLING, ENABLED, DISABLING, DISABLED */
	char attribute[RV_DYNAMODB_NAME_BYTES + 1]; /* "": none */
};
enum rv_status rv_dynamodb_ttl(struct rv_dynamodb *dynamodb, const char *table,
			       struct rv_dynamodb_ttl *ret, struct rv_error *err) RV_MUST_CHECK;
enum rv_status rv_dynamodb_enable_ttl(struct rv_dynamodb *dynamodb, const char *table,
				      const char *attribute, struct rv_error *err) RV_MUST_CHECK;

#endif

/*
 * Documents as items of DynamoDB: JSON becomes AttributeValues by walking its text once, without trees
 * and without doubles, so that a number arrives digit by digit as it was written.
 *
 * What an item cannot be is refused here, by name and path, before a request is made of it: one bad item
 * has the 24 others of its batch refused, too (API Reference, BatchWriteItem). Sizes are computed as
 * DynamoDB does ("DynamoDB item sizes and formats"). Nothing here touches a network; reentrant.
 */
#ifndef RV_AWS_DYNAMODB_ITEM_H
#define RV_AWS_DYNAMODB_ITEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/strbuf.h"

/* "Service, account, and table quotas in Amazon DynamoDB" */
#define RV_DYNAMODB_ITEM_BYTES 409600 /* names and values */
#define RV_DYNAMODB_DEPTH 32          /* levels of lists and maps */
#define RV_DYNAMODB_DIGITS 38         /* significant ones of a number */
#define RV_DYNAMODB_HASH_BYTES 2048   /* of a partition key's value */
#define RV_DYNAMODB_RANGE_BYTES 1024  /* of a sort key's value */
#define RV_DYNAMODB_NAME_BYTES 255    /* of a key attribute's name */

/* The key of a table: the partition key, then the sort key if it has one. */
struct rv_dynamodb_schema {
	struct {
		char name[RV_DYNAMODB_NAME_BYTES + 1];
		char type; /* 'S', 'N', 'B' */
	} fields[2];
	size_t count;
};

/* An attribute that river adds to what the document holds. */
struct rv_dynamodb_extra {
	const char *name;  /* needs no escapes */
	char number[24];   /* as it is written; "": nothing is, but documents may not have the name */
};

struct rv_dynamodb_item_params {
	const struct rv_dynamodb_schema *schema;
	const struct rv_dynamodb_extra *extras; /* no document may have members of their names */
	size_t extras_count;
	bool keys_only;      /* the other members are left out */
};
struct rv_dynamodb_item {
	struct rv_strbuf json; /* {"order_id":{"S":"1000"},...} */
	uint64_t bytes;        /* as DynamoDB counts them */
	/* The key alone, in one form however it was written: 1, 1.0 and 10e-1 are one number. */
	struct rv_strbuf key;
};
#define RV_DYNAMODB_ITEM_INIT { .json = RV_STRBUF_INIT, .key = RV_STRBUF_INIT }
void rv_dynamodb_item_release(struct rv_dynamodb_item *item);

/* `document` is one JSON object, whatever else it may be; `ret` is overwritten, its memory used again. Fails
 * with RV_BAD_DATA: "lines[3].total: 39 digits, and DynamoDB keeps 38". */
enum rv_status rv_dynamodb_item_make(const struct rv_dynamodb_item_params *params, const char *document,
				     size_t len, struct rv_dynamodb_item *ret,
				     struct rv_error *err) RV_MUST_CHECK;
/* The key of an item (or of a key) as DynamoDB writes it, in the form of rv_dynamodb_item.key; appended.
 * `p` is a valid JSON object. False: it has none. */
bool rv_dynamodb_item_key(const struct rv_dynamodb_schema *schema, const char *p, size_t len,
			  struct rv_strbuf *ret);
/* For messages: 'order_id 1000'; "a document without order_id". Appended. */
void rv_dynamodb_document_name(const struct rv_dynamodb_schema *schema, const char *document, size_t len,
			       struct rv_strbuf *ret);
/* The same of an item, or of a key. */
void rv_dynamodb_item_name(const struct rv_dynamodb_schema *schema, const char *item, size_t len,
			   struct rv_strbuf *ret);

/* A number of JSON's grammar, looked at. */
struct rv_dynamodb_number {
	bool negative;
	size_t digits;      /* significant; 0: it is zero */
	int64_t magnitude;  /* of the first digit: 0 for 1..9, 1 for 10..99; bounded to +-1e9 */
};
void rv_dynamodb_number_look(const char *p, size_t len, struct rv_dynamodb_number *ret);
/* What it counts as, in bytes. */
uint64_t rv_dynamodb_number_bytes(const struct rv_dynamodb_number *number);

#endif

/*
 * The crew: threads that carry documents to DynamoDB, several requests at a time, as fast as it takes them
 * and as the budget allows. Requests go through the service, so that tests need no network.
 */
#ifndef RV_DELIVERY_DYNAMODB_CREW_H
#define RV_DELIVERY_DYNAMODB_CREW_H

#include "aws/dynamodb.h"
#include "base/error.h"
#include "delivery/documents.h"
#include "delivery/dynamodb_queue.h"

/* What is asked of DynamoDB; both are called by several threads. */
struct rv_dynamodb_service {
	/* As rv_dynamodb_batch and rv_dynamodb_write_one. */
	enum rv_status (*batch)(void *arg, const char *table, const struct rv_dynamodb_schema *schema,
				const struct rv_dynamodb_write *writes, size_t count,
				struct rv_dynamodb_room *room, enum rv_dynamodb_fate *fates,
				struct rv_dynamodb_result *ret, struct rv_error *err);
	enum rv_status (*write_one)(void *arg, const char *table, const struct rv_dynamodb_schema *schema,
				    const struct rv_dynamodb_write *write, bool versioned,
				    struct rv_dynamodb_room *room, enum rv_dynamodb_fate *fate,
				    struct rv_dynamodb_result *ret, struct rv_error *err);
	void (*free)(void *arg); /* Optional */
	void *arg;
	int64_t pause_max_ms;    /* between attempts; 0: 8 s */
	int64_t doubt_ms;        /* 0: RV_DYNAMODB_DOUBT_MS */
};

struct rv_dynamodb_crew_params {
	struct rv_dynamodb_service service; /* freed with the crew */
	const char *table;
	const struct rv_dynamodb_schema *schema;
	bool exclusive;
	unsigned in_flight;
	double max_wcu;
	uint64_t max_bytes;
	int64_t give_up_after_ms;
	bool (*should_stop)(void); /* Optional */
};
struct rv_dynamodb_crew;
struct rv_dynamodb_crew *rv_dynamodb_crew_new(const struct rv_dynamodb_crew_params *params);
void rv_dynamodb_crew_free(struct rv_dynamodb_crew *crew); /* waits for what is in flight; NULL is fine */

/* Takes `pending` and its item, whatever happens; waits while there is too much. Fails once writing has. */
enum rv_status rv_dynamodb_crew_put(struct rv_dynamodb_crew *crew, struct rv_str key,
				    const struct rv_dynamodb_pending *pending,
				    struct rv_error *err) RV_MUST_CHECK;
/* A document that is settled without being sent; `reason` is copied. */
void rv_dynamodb_crew_tell(struct rv_dynamodb_crew *crew, uint64_t tag, bool remove,
			   enum rv_document_fate fate, const char *reason);
/* Hands out what was settled meanwhile. */
void rv_dynamodb_crew_news(struct rv_dynamodb_crew *crew,
			   void (*settled)(void *arg, const struct rv_document_result *result), void *arg);
/* Until all is settled (RV_OK), or it has failed: then nothing is in flight. */
enum rv_status rv_dynamodb_crew_flush(struct rv_dynamodb_crew *crew, struct rv_error *err) RV_MUST_CHECK;
void rv_dynamodb_crew_counts(struct rv_dynamodb_crew *crew, struct rv_documents_counts *ret);

/* The rest of a delivery, for tests: as rv_documents_dynamodb_new, but the table is known and the service is
 * given. `now_ms` is the service's clock. */
struct rv_documents *rv_documents_dynamodb_with(const struct rv_documents_dynamodb_params *params,
						const struct rv_dynamodb_schema *schema, int64_t now_ms,
						const struct rv_dynamodb_service *service);
/* That the table is there and as it should be, or is made so. */
enum rv_status rv_documents_dynamodb_prepare(const struct rv_documents_dynamodb_params *params,
					     struct rv_dynamodb *dynamodb, struct rv_dynamodb_schema *ret_schema,
					     int64_t *ret_now_ms, struct rv_error *err) RV_MUST_CHECK;

#endif

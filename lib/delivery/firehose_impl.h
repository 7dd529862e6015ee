/*
 * What the Firehose delivery asks of Firehose, as a seam: tests put a model of the service behind
 * it. Nobody else includes this.
 */
#ifndef RV_DELIVERY_FIREHOSE_IMPL_H
#define RV_DELIVERY_FIREHOSE_IMPL_H

#include "aws/firehose.h"
#include "delivery/delivery.h"

struct rv_firehose_service {
	/* As rv_firehose_put. */
	enum rv_status (*put)(void *arg, const char *stream, const struct rv_firehose_record *records,
			      size_t count, struct rv_firehose_room *room,
			      enum rv_firehose_fate *fates, struct rv_firehose_result *ret,
			      struct rv_error *err);
	/* As rv_firehose_describe. */
	enum rv_status (*describe)(void *arg, const char *stream, struct rv_firehose_stream *ret,
				   struct rv_error *err);
	const char *(*region)(void *arg);
	void (*free)(void *arg); /* Optional */
	void *arg;
	int64_t pause_max_ms;    /* between attempts; 0: RV_FIREHOSE_PAUSE_MAX_MS */
};
/* As rv_delivery_firehose_new, without params->aws; the service is copied. */
struct rv_delivery *rv_delivery_firehose_with(const struct rv_delivery_firehose_params *params,
					      const struct rv_firehose_service *service);

#endif

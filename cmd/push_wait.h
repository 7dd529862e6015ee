/* What `river push` waits for once its records are accepted: that they are in the lake, and loaded. */
#ifndef CMD_PUSH_WAIT_H
#define CMD_PUSH_WAIT_H

#include "context.h"
#include "delivery/delivery.h"
#include "flow/push.h"
#include "warehouse/warehouse.h"

struct river_push_wait {
	struct rv_command_context *cx;
	const struct rv_stream *stream;
	const struct rv_delivery *delivery;
	struct rv_warehouse *warehouse;      /* --wait loaded; NULL: landed is enough */
	const struct rv_push_result *result;
};
/* RV_KEPT when they are not, for whatever reason: they are accepted, and must not come again. */
enum rv_status river_push_wait(const struct river_push_wait *wait, struct rv_error *err) RV_MUST_CHECK;

#endif

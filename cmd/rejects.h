/* What the commands about rejects share. */
#ifndef RIVER_REJECTS_H
#define RIVER_REJECTS_H

#include "config/stream.h"
#include "context.h"

/* The one stream the operands name. */
enum rv_status river_rejects_stream(struct rv_command_context *cx, int count, char **operands,
				 struct rv_stream *ret, struct rv_error *err) RV_MUST_CHECK;
enum rv_status river_rejects_no_run(const char *run, const char *stream, struct rv_error *err);

#endif

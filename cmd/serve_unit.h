/* The units of systemd that `river serve --print-unit` prints. */
#ifndef RIVER_SERVE_UNIT_H
#define RIVER_SERVE_UNIT_H

#include "config/stream.h"
#include "context.h"

enum rv_status river_print_unit(struct rv_command_context *cx, const struct rv_stream *stream,
				struct rv_error *err) RV_MUST_CHECK;

#endif

/* The units of systemd that `river serve --print-unit` prints. */
#ifndef RIVER_SERVE_UNIT_H
#define RIVER_SERVE_UNIT_H

#include "config/stream.h"
#include "context.h"

/* `listen_on` as rv_collect_listen takes it. */
void river_print_unit(struct rv_command_context *cx, const struct rv_stream *stream, const char *listen_on);

#endif

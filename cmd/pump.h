/* Shared by the files of `river pump`. */
#ifndef RIVER_PUMP_H
#define RIVER_PUMP_H

#include "context.h"
#include "flow/pump.h"

struct rv_push_result;
/* What a run came to, in words or as JSON. */
struct river_pump_said {
	const char *to;                  /* without its query; NULL: nowhere */
	const struct rv_map *map;
	const struct rv_pump_line *line;
	const struct rv_pump_post_result *post; /* Optional: to an address */
	const struct rv_push_result *push;      /* Optional: into a stream */
	int64_t took_ms;
	enum rv_status status;
};
void river_pump_say(struct rv_command_context *cx, const struct river_pump_said *said);
void river_pump_say_check(struct rv_command_context *cx, const struct river_pump_said *said,
			  const struct rv_pump_check *check);

/* The events of `line` into a stream of the profile. `run`: Optional, its name. */
enum rv_status river_pump_stream(struct rv_command_context *cx, const char *stream,
				 struct rv_pump_line *line, const char *run, int64_t retry_for_ms,
				 int64_t started_ms, struct rv_error *err) RV_MUST_CHECK;

#endif

/* `river push --presign`: a URL for who has no credentials. */
#ifndef RIVER_PUSH_PRESIGN_H
#define RIVER_PUSH_PRESIGN_H

#include "config/stream.h"
#include "context.h"

struct river_presign {
	const char *file;   /* Optional: its length and checksum are signed */
	uint64_t size;      /* else this length; RV_OPT_NOT_GIVEN: none was given */
	int64_t expires_ms;
	const char *run;    /* Optional: what the upload is called; else a fresh one */
};
/* What can be known to be wrong before anybody is asked. */
enum rv_status river_presign_check(const struct rv_command_context *cx,
				   const struct river_presign *presign,
				   struct rv_error *err) RV_MUST_CHECK;
enum rv_status river_presign(struct rv_command_context *cx, const struct rv_stream *stream,
			     const struct river_presign *presign, struct rv_error *err) RV_MUST_CHECK;

#endif

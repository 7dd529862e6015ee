/* `river extract-load --infer`: what an archive looks like, as a job file. */
#ifndef RV_CMD_EXTRACT_INFER_H
#define RV_CMD_EXTRACT_INFER_H

#include "context.h"

enum rv_status rv_extract_infer_command(struct rv_command_context *cx, const char *file,
					struct rv_error *err) RV_MUST_CHECK;

#endif

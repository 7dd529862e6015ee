/* `river extract-load --infer`: what an archive looks like, as a job file. */
#ifndef RV_CMD_EXTRACT_INFER_H
#define RV_CMD_EXTRACT_INFER_H

#include "context.h"
#include "format/zip_directory.h"

enum rv_status rv_extract_infer_command(struct rv_command_context *cx, const char *file,
					const struct rv_zip_limits *limits,
					struct rv_error *err) RV_MUST_CHECK;

#endif

/* A first job file on standard output; nothing is loaded, and no configuration is needed. */
#include "extract_infer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/memory.h"
#include "flow/extract_infer.h"
#include "source/zip.h"

enum rv_status rv_extract_infer_command(struct rv_command_context *cx, const char *file,
					const struct rv_zip_limits *limits,
					struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	RV_CLEANUP(rv_zip_free_p) struct rv_zip *zip = NULL;
	const struct rv_extract_infer_params params = { .file = file };
	int fd = rv_open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0);

	if (fd < 0)
		return rv_fail_errno(err, errno == ENOENT ? RV_NOT_FOUND : RV_LOCAL_IO, "%s", file);
	if (rv_zip_open(fd, file, limits, &zip, err) != RV_OK ||
	    rv_extract_infer(zip, &params, &text, err) != RV_OK)
		return err->status;
	if (cx->output == RV_OUT_JSON)
		rv_out_json(cx->out, json_pack("{s:s}", "job_file", text.bytes));
	for (char *line = text.bytes, *end; (end = strchr(line, '\n')); line = end + 1) {
		*end = '\0';
		rv_out_line(cx->out, "%s", line);
	}
	return RV_OK;
}

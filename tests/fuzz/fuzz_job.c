/* Any bytes as a job file: refused with a place, or a job that can be told in words. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "config/job.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	struct rv_error err = RV_ERROR_INIT;
	struct rv_job job;

	if (rv_job_parse("fuzz.yaml", (const char *)data, size, &job, &err) != RV_OK) {
		assert(err.status == RV_BAD_CONFIG && err.message[0]);
		assert(strcmp(err.file, "fuzz.yaml") == 0);
		return 0;
	}
	assert(job.tables_count > 0 && job.loads_count + job.documents_count > 0);
	for (size_t i = 0; i < job.loads_count; i++)
		assert(job.loads[i].table < job.tables_count);
	rv_job_explain(&job, &text);
	assert(text.len > 0);
	rv_job_release(&job);
	return 0;
}

/* Any name: refused, or one that is formatted back to the same bytes. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "flow/landing.h"
#include "flow/object_name.h"
#include "flow/receipt.h"
#include "flow/rejects.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), again[RV_OBJECT_NAME_MAX], run[RV_RUN_MAX + 1];
	struct rv_object_name object;
	struct rv_receipt_name receipt;
	struct rv_rejects_name rejects;
	assert(text);
	memcpy(text, data, size);
	text[size] = '\0';
	if (rv_object_name_parse(text, &object)) {
		rv_object_name_format(&object, again);
		assert(strcmp(again, text) == 0 && rv_run_name_valid(object.run));
	}
	if (rv_receipt_name_parse(text, &receipt)) {
		rv_receipt_name_format(&receipt, again);
		assert(strcmp(again, text) == 0 && rv_run_name_valid(receipt.run));
	}
	if (rv_rejects_name_parse(text, &rejects)) {
		rv_rejects_name_format(&rejects, again);
		assert(strcmp(again, text) == 0 && rv_run_name_valid(rejects.run));
		rv_rejects_replay_run(&rejects, run);
		assert(rv_run_name_valid(run));
	}
	struct rv_landing_name landing;
	if (rv_landing_name_parse(text, &landing)) {
		rv_landing_name_format(&landing, again);
		rv_landing_run(&landing, run);
		assert(strcmp(again, text) == 0 && rv_run_name_valid(run));
	}
	struct rv_firehose_name firehose;
	struct rv_stream stream = { .business = "web", .name = "clicks" };
	if (rv_firehose_name_parse(text, &stream, &firehose))
		assert(!rv_object_name_parse(text, &object) && strlen(firehose.folder) == 19);
	free(text);
	return 0;
}

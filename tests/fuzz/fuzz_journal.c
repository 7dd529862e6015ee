/* Any bytes for a journal: never begun, damaged with its line, too new, or a run that holds together. */
#include <assert.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crc.h"
#include "spool/checkpoint.h"
#include "spool/run.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[] = "/tmp/river-fuzz-XXXXXX";
static char journal[sizeof(folder) + 32];

static void clean_up(void)
{
	struct rv_error ignored;
	if (rv_remove_tree(folder, &ignored) != RV_OK)
		abort();
}

static void set_up(void)
{
	char runs[sizeof(folder) + 16];
	assert(mkdtemp(folder));
	snprintf(runs, sizeof(runs), "%s/runs", folder);
	assert(mkdir(runs, 0700) == 0);
	snprintf(runs, sizeof(runs), "%s/runs/r", folder);
	assert(mkdir(runs, 0700) == 0);
	snprintf(journal, sizeof(journal), "%s/journal", runs);
	atexit(clean_up);
}

/* The sums are put right, so that what is behind them is reached; the first byte says whether. */
static void write_journal(const uint8_t *data, size_t size)
{
	FILE *f = fopen(journal, "we");
	assert(f);
	if (size && data[0] != '+') {
		assert(fwrite(data, 1, size, f) == size);
	} else if (size) {
		for (size_t at = 1; at < size;) {
			const uint8_t *end = memchr(data + at, '\n', size - at);
			size_t len = end ? (size_t)(end - data) - at : size - at;
			fprintf(f, "%08x ", rv_crc32c(0, data + at, len));
			fwrite(data + at, 1, len, f);
			fputc('\n', f);
			at += len + 1;
		}
	}
	assert(fclose(f) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rv_state state = { .folder = folder };
	struct rv_error err = RV_ERROR_INIT;
	struct rv_run *run = NULL;
	if (!journal[0])
		set_up();
	write_journal(data, size);
	enum rv_status status = rv_run_open(&state, "r", false, &run, &err);
	assert(status == RV_OK || status == RV_NOT_FOUND || status == RV_BAD_CONFIG ||
	       (status == RV_DAMAGED && err.line > 0));
	if (status != RV_OK)
		return 0;
	struct rv_run_totals totals;
	rv_run_totals(run, &totals);
	assert(totals.landed + totals.waiting <= run->batches_count);
	for (size_t i = 0; i < run->batches_count; i++) {
		const struct rv_batch_entry *b = &run->batches[i];
		assert(b->name && (!b->rejected || b->rejects_name));
		for (size_t j = 0; j < b->extents_count; j++) {
			struct rv_checkpoint c;
			assert(rv_run_file(run, b->extents[j].file));
			if (rv_checkpoint_parse(b->extents[j].checkpoint, &c))
				rv_checkpoint_release(&c);
		}
	}
	rv_run_free(run);
	return 0;
}

/* Left-over runs: opened, finished and forgotten, one after another. */
#include "flow/recover.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "flow/batch.h"
#include "flow/input.h"
#include "format/reader.h"
#include "spool/checkpoint.h"

struct recovery {
	struct rv_deliver *deliver;
	bool (*should_stop)(void);
	struct rv_recover_result *result;
};

/* ---- files: the same batch, made again ---- */

static bool has_key(const struct rv_input_file *input, const char *key)
{
	char found[RV_FILE_KEY_TEXT];
	struct rv_error ignored;
	return rv_file_key(input->fd, input->path, found, &ignored) == RV_OK && strcmp(found, key) == 0;
}

struct sibling_search {
	const char *folder;
	const struct rv_run_file *file;
	struct rv_input_file *found;
};

static enum rv_status try_sibling(void *arg, const char *name, struct rv_error *err)
{
	struct sibling_search *search = arg;
	RV_CLEANUP(rv_free_p) char *path = rv_path_join(search->folder, name);
	RV_CLEANUP(rv_input_file_release) struct rv_input_file input = RV_INPUT_FILE_INIT;
	struct stat st;
	bool regular;
	/* Opening a FIFO would wait for a writer. */
	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return RV_OK;
	if (rv_input_file_open(path, &input, &regular, err) != RV_OK)
		return RV_OK;
	if (search->found->fd >= 0 || !has_key(&input, search->file->key))
		return RV_OK;
	*search->found = input;
	input = (struct rv_input_file)RV_INPUT_FILE_INIT;
	return RV_OK;
}

/* The file itself; where it was renamed, the same inode beside; else whatever has its name now (the
 * hash decides). */
static enum rv_status find_file(const struct rv_run_file *file, struct rv_input_file *ret,
				struct rv_error *err)
{
	RV_CLEANUP(rv_input_file_release) struct rv_input_file named = RV_INPUT_FILE_INIT;
	bool regular;
	enum rv_status status = rv_input_file_open(file->path, &named, &regular, err);
	if (status == RV_OK && !has_key(&named, file->key)) {
		RV_CLEANUP(rv_free_p) char *folder = rv_path_parent(file->path);
		struct sibling_search search = { .folder = folder, .file = file, .found = ret };
		if (rv_each_entry(folder, try_sibling, &search, err) != RV_OK)
			return err->status;
		if (ret->fd >= 0)
			return RV_OK;
	}
	if (status == RV_NOT_FOUND) {
		struct rv_error why = *err;
		RV_CLEANUP(rv_free_p) char *folder = rv_path_parent(file->path);
		struct sibling_search search = { .folder = folder, .file = file, .found = ret };
		if (rv_each_entry(folder, try_sibling, &search, err) != RV_OK)
			return err->status;
		*err = why;
		return ret->fd >= 0 ? RV_OK : status;
	}
	if (status != RV_OK)
		return status;
	*ret = named;
	named = (struct rv_input_file)RV_INPUT_FILE_INIT;
	return RV_OK;
}

static enum rv_status read_extent(struct rv_batcher *batcher, struct rv_run *run,
				  const struct rv_extent *extent, bool refuse_river_key,
				  struct rv_error *err)
{
	const struct rv_run_file *file = rv_run_file(run, extent->file);
	RV_CLEANUP(rv_input_file_release) struct rv_input_file input = RV_INPUT_FILE_INIT;
	if (find_file(file, &input, err) != RV_OK)
		return err->status;
	RV_CLEANUP(rv_source_free_p) struct rv_source *source = NULL;
	if (rv_input_file_source(&input, extent->from, extent->to, &source, err) != RV_OK)
		return err->status;
	struct rv_checkpoint checkpoint;
	struct rv_csv_dialect csv = RV_CSV_DIALECT_INIT;
	struct rv_reader_params params = {
		.refuse_river_key = refuse_river_key,
		.offset = extent->from,
		.line = extent->line,
		.csv_header = extent->csv_header,
		.in_array = extent->in_array,
		.csv = &csv,
	};
	(void)checkpoint;
	if (!rv_format_parse(file->format, &params.format))
		return rv_fail(err, RV_DAMAGED, "run %s names the format '%s'", run->name, file->format);
	RV_CLEANUP(rv_reader_free_p) struct rv_reader *reader = NULL;
	if (rv_reader_new(source, &params, &reader, err) != RV_OK)
		return err->status;
	bool finished = false;
	for (;;) {
		struct rv_reader_limits limits = { .timeout_ms = -1 };
		struct rv_span span;
		if (rv_reader_next(reader, &limits, &span, err) != RV_OK)
			return err->status;
		if (span.kind == RV_SPAN_WAIT)
			continue;
		if (span.kind == RV_SPAN_END) {
			if (!extent->finish || finished)
				return RV_OK;
			finished = true;
			rv_reader_finish(reader);
			continue;
		}
		if (rv_batcher_add(batcher, &span, file->path, err) != RV_OK)
			return err->status;
	}
}


/* Rows out of the reader's spans. */
#include "flow/pump_feed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "flow/input.h"
#include "flow/pump_lookup.h"
#include "format/reader.h"
#include "source/source.h"

struct rv_pump_feed {
	struct rv_pump_feed_params params;
	struct rv_input_file *files;   /* of a pipe: fd -1 */
	bool stdin_used;
	uint64_t total_bytes, done_bytes;
	struct rv_source *source;
	struct rv_reader *reader;      /* NULL: the file is to be opened */
	bool finished, looked, rejecting, any;
	struct rv_pump_place place;    /* where the span begins */
	uint64_t next;                 /* number of the next row */
	/* the rest of the span */
	const char *p, *end;
	uint64_t line;
	char reason[256];
};

void rv_pump_place_release(struct rv_pump_place *place)
{
	free(place->csv_header);
	*place = (struct rv_pump_place){ 0 };
}

void rv_pump_place_copy(const struct rv_pump_place *from, struct rv_pump_place *to)
{
	*to = *from;
	to->csv_header = from->csv_header ? rv_strdup(from->csv_header) : NULL;
}

static void close_reader(struct rv_pump_feed *feed)
{
	rv_reader_free(rv_take(feed->reader));
	rv_source_free(rv_take(feed->source));
	feed->p = feed->end = NULL;
	feed->finished = feed->looked = feed->rejecting = false;
}

void rv_pump_feed_free(struct rv_pump_feed *feed)
{
	if (!feed)
		return;
	close_reader(feed);
	for (size_t i = 0; feed->files && i < feed->params.files_count; i++)
		rv_input_file_release(&feed->files[i]);
	free(feed->files);
	rv_pump_place_release(&feed->place);
	free(feed);
}

void rv_pump_feed_free_p(struct rv_pump_feed **feed)
{
	rv_pump_feed_free(*feed);
	*feed = NULL;
}

static bool is_stdin(const char *path)
{
	return strcmp(path, "-") == 0;
}

static const char *shown(const char *path)
{
	return is_stdin(path) ? "standard input" : path;
}

enum rv_status rv_pump_feed_new(const struct rv_pump_feed_params *params, struct rv_pump_feed **ret,
				struct rv_error *err)
{
	RV_CLEANUP(rv_pump_feed_free_p) struct rv_pump_feed *feed = rv_calloc(1, sizeof(*feed));

	feed->params = *params;
	feed->files = rv_calloc(params->files_count + 1, sizeof(*feed->files));
	for (size_t i = 0; i < params->files_count; i++)
		feed->files[i] = (struct rv_input_file)RV_INPUT_FILE_INIT;
	for (size_t i = 0; i < params->files_count; i++) {
		const char *path = params->files[i];
		bool regular = false;

		if (is_stdin(path)) {
			feed->stdin_used = true;
			continue;
		}
		if (rv_input_file_open(path, &feed->files[i], &regular, err) != RV_OK)
			return err->status;
		if (!regular) {
			rv_fail(err, RV_USAGE, "%s is no regular file", path);
			rv_hint(err, "let it be standard input: river pump ... - <%s", path);
			return err->status;
		}
		feed->total_bytes += (uint64_t)feed->files[i].stat.st_size;
	}
	if (feed->stdin_used && (params->files_count > 1 || params->passes != 1))
		return rv_fail(err, RV_USAGE, "standard input is read once, and alone");
	feed->place.line = 1;
	if (params->from) {
		rv_pump_place_release(&feed->place);
		rv_pump_place_copy(params->from, &feed->place);
		feed->next = feed->place.row;
	}
	*ret = rv_take(feed);
	return RV_OK;
}

const struct rv_pump_place *rv_pump_feed_place(const struct rv_pump_feed *feed)
{
	return &feed->place;
}

void rv_pump_feed_progress(const struct rv_pump_feed *feed, uint64_t *ret_done, uint64_t *ret_total)
{
	bool plain = true;

	for (size_t i = 0; i < feed->params.files_count; i++)
		plain &= feed->files[i].compression == RV_COMPRESSION_NONE;
	*ret_done = feed->done_bytes + (feed->reader ? rv_reader_offset(feed->reader) : 0);
	*ret_total = plain && !feed->stdin_used ? feed->total_bytes : 0;
}

/* Opens the file of `place`, at its offset. */
static enum rv_status open_reader(struct rv_pump_feed *feed, struct rv_error *err)
{
	const struct rv_map *map = feed->params.map;
	const char *path = feed->params.files[feed->place.file];
	const struct rv_pump_place *at = &feed->place;
	enum rv_status status;

	if (is_stdin(path))
		status = rv_source_stdin_new(&feed->source, err);
	else
		status = rv_input_file_source(&feed->files[at->file], at->offset, UINT64_MAX,
					      &feed->source, err);
	if (status != RV_OK)
		return status;
	struct rv_reader_params params = {
		.format = at->offset ? at->format : map->format,
		.name = is_stdin(path) ? NULL : path,
		.csv = map->csv_given ? &map->csv : NULL,
		.offset = at->offset,
		.line = at->line,
		.csv_header = at->csv_header,
		.in_array = at->in_array,
	};
	return rv_reader_new(feed->source, &params, &feed->reader, err);
}

static void note_place(struct rv_pump_feed *feed)
{
	const char *header = rv_reader_csv_header(feed->reader);

	feed->place.row = feed->next;
	feed->place.offset = rv_reader_offset(feed->reader);
	feed->place.line = rv_reader_line(feed->reader);
	feed->place.in_array = rv_reader_in_array(feed->reader);
	feed->place.format = rv_reader_format(feed->reader);
	if (header && !feed->place.csv_header)
		feed->place.csv_header = rv_strdup(header);
}

/* The file has ended: on to the next one, or to the next pass. */
static void next_file(struct rv_pump_feed *feed, struct rv_pump_next *ret)
{
	uint64_t pass = feed->place.pass, file = feed->place.file + 1;

	feed->done_bytes += rv_reader_offset(feed->reader);
	close_reader(feed);
	ret->what = RV_PUMP_WAIT;
	if (file == feed->params.files_count) {
		file = 0;
		pass++;
		feed->done_bytes = 0;
		/* data without a row would go round for ever */
		ret->what = (feed->params.passes && pass >= feed->params.passes) || !feed->any
				    ? RV_PUMP_END
				    : RV_PUMP_AGAIN;
	}
	if (ret->what == RV_PUMP_END)
		return;
	rv_pump_place_release(&feed->place);
	feed->place = (struct rv_pump_place){ .row = feed->next, .pass = pass, .file = file, .line = 1 };
}

static enum rv_status next_span(struct rv_pump_feed *feed, int64_t timeout_ms, struct rv_pump_next *ret,
				struct rv_error *err)
{
	struct rv_reader_limits limits = { .timeout_ms = timeout_ms };
	const char *path = feed->params.files[feed->place.file];
	struct rv_span span;

	ret->what = RV_PUMP_WAIT;
	if (!feed->rejecting)
		note_place(feed);
	if (rv_reader_next(feed->reader, &limits, &span, err) != RV_OK)
		return err->status;
	const char *header = rv_reader_csv_header(feed->reader);

	if (!feed->looked && header) {
		feed->looked = true;
		if (rv_pump_check_header(path, header, &feed->params.map->columns, err) != RV_OK)
			return err->status;
	}
	switch (span.kind) {
	case RV_SPAN_END:
		if (!feed->finished) {
			feed->finished = true;
			rv_reader_finish(feed->reader);
		} else {
			next_file(feed, ret);
		}
		break;
	case RV_SPAN_REJECT:
		feed->rejecting = span.more;
		if (span.first) {
			snprintf(feed->reason, sizeof(feed->reason), "%s", span.reason);
			feed->line = span.line;
		}
		if (!span.more) {
			ret->what = RV_PUMP_BAD;
			ret->number = feed->next++;
			ret->file = shown(path);
			ret->line = feed->line;
			ret->reason = feed->reason;
		}
		break;
	case RV_SPAN_RECORDS:
		feed->p = span.bytes;
		feed->end = span.bytes + span.len;
		feed->line = span.line;
		feed->any = true;
		break;
	case RV_SPAN_WAIT:
		break;
	}
	return RV_OK;
}

enum rv_status rv_pump_feed_next(struct rv_pump_feed *feed, int64_t timeout_ms,
				 struct rv_pump_next *ret, struct rv_error *err)
{
	*ret = (struct rv_pump_next){ .what = RV_PUMP_WAIT };
	if (feed->p == feed->end) {
		if (!feed->reader && open_reader(feed, err) != RV_OK)
			return err->status;
		if (next_span(feed, timeout_ms, ret, err) != RV_OK)
			return err->status;
		if (feed->p == feed->end)
			return RV_OK;
	}
	const char *newline = memchr(feed->p, '\n', (size_t)(feed->end - feed->p));

	ret->what = RV_PUMP_ROW;
	ret->number = feed->next++;
	ret->record = feed->p;
	ret->len = (size_t)(newline - feed->p);
	ret->file = shown(feed->params.files[feed->place.file]);
	ret->line = feed->line;
	feed->p = newline + 1;
	feed->line++;
	return RV_OK;
}

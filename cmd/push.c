/* `river push`: records from files or standard input into a stream. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/stop.h"
#include "cli/output.h"
#include "context.h"
#include "delivery/delivery.h"
#include "flow/arrival.h"
#include "flow/catalog.h"
#include "flow/follow.h"
#include "flow/push.h"
#include "format/json_text.h"
#include "push_presign.h"
#include "push_wait.h"
#include "stream_gone.h"
#include "warehouse/warehouse.h"

enum push_format { FORMAT_AUTO, FORMAT_NDJSON, FORMAT_JSON, FORMAT_CSV, FORMAT_TEXT };
static const char *const formats[] = { "auto", "ndjson", "json", "csv", "text", NULL };
static const char *const waits[] = { "spooled", "sent", "landed", "loaded", NULL };

struct push_options {
	int format;
	const char *csv_delimiter, *csv_quote;
	bool csv_no_header;
	struct rv_opt_list csv_names, csv_nulls;
	int wait;
	const char *run;
	bool again;
	bool shipped;
	bool follow;
	int64_t until_quiet;
	uint64_t max_rejects;
	uint64_t max_record;
	uint64_t batch_size, batch_records;
	int64_t flush_after, settle, retry_for;
	uint64_t threads;
	const char *receipt;
	bool presign;
	uint64_t size;
	int64_t expires;
};

static const struct rv_opt push_options_table[] = {
	OPT_CHOICE(struct push_options, 0, "format", format, formats,
		   "what the input is; auto looks at it", .def = "auto"),
	OPT_CHOICE(struct push_options, 0, "wait", wait, waits,
		   "what exit 0 means: kept here, taken by the next hop, in the lake, or in the tables",
		   .def = "sent"),
	OPT_STRING(struct push_options, 0, "run", run, "name",
		   "make this input repeatable: sent again under the same name it lands once"),
	OPT_FLAG(struct push_options, 0, "again", again, "send files from their start once more"),
	OPT_FLAG(struct push_options, 0, "shipped", shipped,
		 "send nothing; exit 0 when every byte of the files is in the lake"),
	OPT_FLAG(struct push_options, 'F', "follow", follow,
		 "go on with what is appended to the files, and with files that appear in the folders"),
	OPT_DURATION(struct push_options, 0, "until-quiet", until_quiet, "time",
		     "with --follow: end when nothing new came for this long"),
	OPT_COUNT(struct push_options, 0, "max-rejects", max_rejects, "n",
		  "stop when more records than this are rejected; without it none is too many"),
	OPT_SIZE(struct push_options, 0, "max-record", max_record, "bytes",
		 "longest record, up to 128MiB", .def = "16MiB"),
	OPT_SIZE(struct push_options, 0, "batch-size", batch_size, "bytes",
		 "close a batch at this compressed size; default: the stream's"),
	OPT_COUNT(struct push_options, 0, "batch-records", batch_records, "n",
		  "close a batch at this many records; default: the stream's"),
	OPT_DURATION(struct push_options, 0, "flush-after", flush_after, "time",
		     "close a batch of a pipe, or of what is followed, at this age; default: the stream's"),
	OPT_DURATION(struct push_options, 0, "settle", settle, "time",
		     "a last line without its end counts as written once the file is this old",
		     .def = "10s"),
	OPT_DURATION(struct push_options, 0, "retry-for", retry_for, "time",
		     "how long to try on when the lake or the delivery is out of reach and the input has "
		     "ended; 0: one try", .def = "60s"),
	OPT_STRING(struct push_options, 0, "csv-delimiter", csv_delimiter, "character",
		   "what stands between csv fields; \\t is a tab"),
	OPT_STRING(struct push_options, 0, "csv-quote", csv_quote, "character",
		   "what csv fields are quoted with; none for nothing"),
	OPT_FLAG(struct push_options, 0, "csv-no-header", csv_no_header,
		 "the first csv row is data; columns are c1, c2 and so on"),
	OPT_LIST(struct push_options, 0, "csv-names", csv_names, "name", "names of the csv columns",
		 .comma = true),
	OPT_LIST(struct push_options, 0, "csv-null", csv_nulls, "text",
		 "an unquoted csv field that is this becomes null"),
	OPT_COUNT(struct push_options, 0, "threads", threads, "n",
		  "threads that compress; 0 is one for each core", .def = "0"),
	OPT_STRING(struct push_options, 0, "receipt", receipt, "file",
		   "write the summary there as JSON", .complete = RV_COMPLETE_FILE),
	OPT_FLAG(struct push_options, 0, "presign", presign,
		 "send nothing; print a URL that uploads one file without credentials"),
	OPT_SIZE(struct push_options, 0, "size", size, "bytes",
		 "with --presign: the exact length of a file that is not here"),
	OPT_DURATION(struct push_options, 0, "expires", expires, "time",
		     "with --presign: how long the URL can be used, up to 7d", .def = "1h"),
	OPT_END
};

static const struct rv_example push_examples[] = {
	{ "river push web/clicks events.ndjson", "push a file; what was pushed before is not sent again" },
	{ "producer | river push web/clicks", "push a pipe" },
	{ "river push web/clicks --run 2026-11-20 -", "a pipe that can be sent again without doubling" },
	{ "river push web/clicks --shipped events.ndjson", "may the file be deleted?" },
	{ "river push web/clicks --follow /var/log/app/clicks.ndjson",
	  "go on with what is appended, also when the file is rotated" },
	{ "river push web/clicks --presign --size 1048576 --expires 1d",
	  "a URL for who has no credentials" },
	{ NULL, NULL }
};

/* ---- options against the stream's definition ---- */

static char **copy_list(char *const *items, size_t count)
{
	char **copy = count ? rv_calloc(count, sizeof(*copy)) : NULL;
	for (size_t i = 0; i < count; i++)
		copy[i] = rv_strdup(items[i]);
	return copy;
}

static char **copy_opt_list(const struct rv_opt_list *list)
{
	char **copy = list->count ? rv_calloc(list->count, sizeof(*copy)) : NULL;
	for (size_t i = 0; i < list->count; i++)
		copy[i] = rv_strdup(list->items[i]);
	return copy;
}

static enum rv_status parse_character(const char *option, const char *text, bool may_be_none,
				      char *ret, struct rv_error *err)
{
	if (may_be_none && strcmp(text, "none") == 0)
		*ret = '\0';
	else if (strcmp(text, "\\t") == 0 || strcmp(text, "tab") == 0)
		*ret = '\t';
	else if (strlen(text) == 1 && (unsigned char)*text < 0x80 && *text != '\n' && *text != '\r')
		*ret = *text;
	else
		return rv_fail(err, RV_USAGE, "--%s takes one character, not '%s'", option, text);
	return RV_OK;
}

static enum rv_status fill_read_settings(const struct push_options *o, const struct rv_stream *stream,
					 struct rv_read_settings *ret, struct rv_error *err)
{
	static const enum rv_format by_option[] = { RV_FORMAT_AUTO, RV_FORMAT_NDJSON, RV_FORMAT_JSON,
						    RV_FORMAT_CSV, RV_FORMAT_TEXT };
	ret->format = o->format == FORMAT_AUTO ? stream->format : by_option[o->format];
	ret->max_record_bytes = o->max_record;
	ret->max_depth = 1024;
	ret->refuse_river_key = stream->stamp != RV_STAMP_NONE;
	ret->csv = stream->csv;
	ret->csv.names = copy_list(stream->csv.names, stream->csv.names_count);
	ret->csv.nulls = copy_list(stream->csv.nulls, stream->csv.nulls_count);
	if (o->csv_no_header)
		ret->csv.no_header = true;
	if (o->csv_names.count) {
		for (size_t i = 0; i < ret->csv.names_count; i++)
			free(ret->csv.names[i]);
		free(ret->csv.names);
		ret->csv.names = copy_opt_list(&o->csv_names);
		ret->csv.names_count = o->csv_names.count;
	}
	if (o->csv_nulls.count) {
		for (size_t i = 0; i < ret->csv.nulls_count; i++)
			free(ret->csv.nulls[i]);
		free(ret->csv.nulls);
		ret->csv.nulls = copy_opt_list(&o->csv_nulls);
		ret->csv.nulls_count = o->csv_nulls.count;
	}
	if (o->csv_delimiter && parse_character("csv-delimiter", o->csv_delimiter, false,
						&ret->csv.delimiter, err) != RV_OK)
		return err->status;
	ret->csv.delimiter_given |= o->csv_delimiter != NULL;
	if (o->csv_quote &&
	    parse_character("csv-quote", o->csv_quote, true, &ret->csv.quote, err) != RV_OK)
		return err->status;
	if (o->max_record == 0 || o->max_record > (128u << 20))
		return rv_fail(err, RV_USAGE, "--max-record is from 1 byte to 128MiB");
	return RV_OK;
}

/* ---- what is said ---- */

struct listener {
	struct rv_progress progress;
};

static void show_progress(void *arg, const struct rv_push_progress *progress)
{
	struct listener *listener = arg;
	rv_progress_update(&listener->progress, rv_clock_monotonic_ms(), progress->done_bytes,
			   progress->total_bytes, progress->records);
}

static json_t *summary_json(const char *stream, const struct rv_push_result *r, int64_t took_ms,
			    enum rv_status status)
{
	json_t *o = json_pack("{s:s, s:s}", "stream", stream, "status", rv_status_name(status));
	const struct {
		const char *name;
		uint64_t value;
	} counts[] = {
		{ "files", r->files },
		{ "files_unchanged", r->files_unchanged },
		{ "read", r->records + r->rejected },
		{ "accepted", r->accepted },
		{ "rejected", r->rejected },
		{ "landed", r->landed },
		{ "sent", r->sent },
		{ "input_bytes", r->input_bytes },
		{ "skipped_bytes", r->skipped_bytes },
		{ "left_bytes", r->left_bytes },
		{ "objects", r->objects },
		{ "object_bytes", r->object_bytes },
		{ "spooled_bytes", r->waiting_spool_bytes },
		{ "recovered_records", r->recovered.records },
	};
	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++)
		json_object_set_new(o, counts[i].name, json_integer((json_int_t)counts[i].value));
	if (r->by_stamp) {
		json_object_set_new(o, "requests", json_integer((json_int_t)r->counts.requests));
		json_object_set_new(o, "refused", json_integer((json_int_t)r->counts.refused));
		json_object_set_new(o, "maybe_twice", json_integer((json_int_t)r->counts.maybe_twice));
		json_object_set_new(o, "sent_bytes", json_integer((json_int_t)r->counts.record_bytes));
		json_object_set_new(o, "billed_bytes", json_integer((json_int_t)r->counts.billed_bytes));
		if (r->diverted[0])
			json_object_set_new(o, "diverted", rv_json_bytes(r->diverted));
	}
	json_object_set_new(o, "kept", json_boolean(r->kept));
	if (r->pipe)
		json_object_set_new(o, "accepted_to_byte",
				    json_integer((json_int_t)r->accepted_offset));
	json_object_set_new(o, "runs", r->runs ? json_incref(r->runs) : json_array());
	if (r->first_reject[0])
		json_object_set_new(o, "first_reject", rv_json_bytes(r->first_reject));
	json_object_set_new(o, "took_ms", json_integer(took_ms));
	return o;
}

/* What Firehose's rounding costs, and what packing would. */
static void print_billed(const struct rv_push_result *r, bool packed)
{
	char billed[RV_NUMBER_TEXT], would[RV_NUMBER_TEXT], sent[RV_NUMBER_TEXT];
	uint64_t would_be = rv_delivery_firehose_packed_bytes(r->counts.record_bytes, r->batches);
	if (!r->counts.billed_bytes)
		return;
	rv_format_size(r->counts.billed_bytes, billed);
	rv_format_size(r->counts.record_bytes, sent);
	if (packed || would_be >= r->counts.billed_bytes)
		rv_note("Firehose bills the %s of records as %s", sent, billed);
	else
		rv_note("Firehose bills the %s of records as %s; with 'delivery.packing: lines' as %s at most",
			sent, billed, rv_format_size(would_be, would));
}

static void print_summary(struct rv_command_context *cx, const char *stream,
			  const struct rv_push_result *r, enum rv_status status, int64_t took_ms)
{
	char records[RV_NUMBER_TEXT], input[RV_NUMBER_TEXT], object[RV_NUMBER_TEXT],
		took[RV_NUMBER_TEXT], objects[RV_NUMBER_TEXT];
	if (!cx->verbose && !rv_messages_terminal())
		return;
	if (r->recovered.records)
		rv_note("finished an earlier push first: %s record%s delivered",
			rv_format_count(r->recovered.records, records),
			r->recovered.records == 1 ? "" : "s");
	if (!r->records && !r->rejected) {
		if (status == RV_OK)
			rv_note("%s: nothing new to push", stream);
		return;
	}
	if (status != RV_OK && status != RV_PARTIAL && !r->landed && !r->sent)
		return;
	if (r->by_stamp) {
		rv_note("pushed %s record%s (%s) to %s: %" PRIu64 " acknowledged, %s",
			rv_format_count(r->accepted, records), r->accepted == 1 ? "" : "s",
			rv_format_size(r->input_bytes, input), stream, r->sent,
			rv_format_duration(took_ms, took));
		if (r->counts.maybe_twice)
			rv_note("%" PRIu64 " of them may have arrived twice, under the same stamp",
				r->counts.maybe_twice);
		print_billed(r, cx->profile->delivery_pack);
		return;
	}
	rv_note("pushed %s record%s (%s) to %s: %s object%s, %s, %s",
		rv_format_count(r->accepted, records), r->accepted == 1 ? "" : "s",
		rv_format_size(r->input_bytes, input), stream, rv_format_count(r->objects, objects),
		r->objects == 1 ? "" : "s", rv_format_size(r->object_bytes, object),
		rv_format_duration(took_ms, took));
}

static enum rv_status write_receipt(const char *path, const char *stream,
				    const struct rv_push_result *r, int64_t took_ms,
				    enum rv_status status, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	json_t *o = summary_json(stream, r, took_ms, status);
	json_object_set_new(o, "v", json_integer(1));
	rv_json_dump(&text, o);
	json_decref(o);
	rv_strbuf_putc(&text, '\n');
	return rv_out_to_file(path, text.bytes, text.len, 0, err);
}

/* ---- the command ---- */

static enum rv_status check_operands(const struct push_options *o, int count, char **operands,
				     struct rv_error *err)
{
	if (count < 1) {
		rv_fail(err, RV_USAGE, "push needs a stream");
		rv_hint(err, "river push <stream> [<file>...]; 'river stream list' shows the streams");
		return err->status;
	}
	if (o->run && !rv_run_name_valid(o->run))
		return rv_fail(err, RV_USAGE,
			       "'%s' is not a run's name: lower case letters, digits, and . _ - "
			       "inside, at most 64", o->run);
	if (o->run && o->again)
		return rv_fail(err, RV_USAGE, "--run makes an input land once, --again sends it anew");
	if (!o->follow && o->until_quiet >= 0)
		return rv_fail(err, RV_USAGE, "--until-quiet is for --follow");
	if (o->follow && (o->run || o->again || o->shipped || o->presign))
		return rv_fail(err, RV_USAGE, "--follow has no end: it does not go with --run, --again, "
			       "--shipped or --presign");
	if (o->follow && o->wait != RV_WAIT_SPOOLED && o->wait != RV_WAIT_SENT)
		return rv_fail(err, RV_USAGE, "--follow has no end that something could be waited for "
			       "behind: --wait sent or spooled");
	if (o->follow && count < 2) {
		rv_fail(err, RV_USAGE, "--follow needs files or folders");
		rv_hint(err, "a pipe is pushed without it: it is read for as long as it is open");
		return err->status;
	}
	if (o->shipped && count < 2)
		return rv_fail(err, RV_USAGE, "--shipped needs the files to ask about");
	if (!o->presign && o->size != RV_OPT_NOT_GIVEN)
		return rv_fail(err, RV_USAGE, "--size is for --presign");
	if (o->presign && (o->shipped || o->again))
		return rv_fail(err, RV_USAGE, "--presign sends nothing and asks for nothing");
	if (o->presign && count > 2)
		return rv_fail(err, RV_USAGE, "a presigned URL is for one file, not %d", count - 1);
	if (o->presign && count == 2 && strcmp(operands[1], "-") == 0)
		return rv_fail(err, RV_USAGE, "nothing can be signed of a pipe; give --size");
	if (!o->presign && count == 1 && isatty(STDIN_FILENO))
		rv_note("reading records from the terminal; end with Ctrl-D");
	for (int i = 1; i < count; i++)
		if (o->follow && strcmp(operands[i], "-") == 0) {
			rv_fail(err, RV_USAGE, "--follow is about files and folders, not pipes");
			rv_hint(err, "a pipe is pushed without it: it is read for as long as it is open");
			return err->status;
		}
	for (int i = 1; i < count; i++)
		if (o->shipped && strcmp(operands[i], "-") == 0)
			return rv_fail(err, RV_USAGE, "--shipped is about files, not pipes");
	return RV_OK;
}

/* What could not be asked is worse than a no, and that is worse than a not yet. */
static int badness(enum rv_status status)
{
	return status == RV_OK ? 0 : status == RV_KEPT ? 1 : status == RV_FAILED ? 2 : 3;
}

static enum rv_status shipped(struct rv_command_context *cx, const struct rv_push_params *params,
			      struct rv_error *err)
{
	struct rv_error worst = RV_ERROR_INIT;
	for (size_t i = 0; i < params->files_count; i++) {
		struct rv_error why = RV_ERROR_INIT;
		if (i && params->should_stop())
			return rv_fail(err, RV_FAILED, "stopped by a signal before %s was asked about",
				       params->files[i]);
		enum rv_status status = rv_push_shipped(params, params->files[i], &why);
		if (badness(status) > badness(worst.status))
			worst = why;
		if (cx->output == RV_OUT_JSON)
			rv_out_json(cx->out, json_pack("{s:o, s:b, s:s}", "file",
						       rv_json_bytes(params->files[i]), "shipped",
						       status == RV_OK, "message", why.message));
		/* The next one would be answered the same. */
		if (status == RV_AUTH || status == RV_BAD_CONFIG)
			break;
	}
	if (worst.status == RV_OK)
		return RV_OK;
	*err = worst;
	return err->status;
}

static uint64_t compression_threads(uint64_t asked)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t threads = asked ? asked : cores > 0 ? (uint64_t)cores : 1;
	/* Each one costs some MiB, and few inputs are read faster than four can compress. */
	return threads > 4 && !asked ? 4 : threads > 64 ? 64 : threads;
}

static uint64_t given(uint64_t option, uint64_t of_stream)
{
	return option == RV_OPT_NOT_GIVEN ? of_stream : option;
}

/* Files can be pushed again in any case; what came out of a pipe is gone. */
static bool is_pipe_only(int count, char **operands)
{
	struct stat st;
	for (int i = 1; i < count; i++)
		if (strcmp(operands[i], "-") != 0 && (stat(operands[i], &st) < 0 || S_ISREG(st.st_mode)))
			return false;
	return true;
}

/* It ended before it began: exit statuses 4 and 5 are also those of a push that has accepted everything. */
static enum rv_status tell_nothing_accepted(struct rv_command_context *cx, const struct push_options *o,
					    int count, char **operands, struct rv_error *err)
{
	struct rv_push_result nothing = { .pipe = !o->follow && is_pipe_only(count, operands) };
	struct rv_error receipt_error = RV_ERROR_INIT;
	if (o->shipped || o->presign || err->status == RV_USAGE)
		return err->status;
	if (nothing.pipe)
		rv_context(err, "nothing was accepted");
	if (cx->output == RV_OUT_JSON)
		rv_out_json(cx->out, summary_json(operands[0], &nothing, 0, err->status));
	/* That it cannot be written either is the smaller trouble. */
	if (o->receipt &&
	    write_receipt(o->receipt, operands[0], &nothing, 0, err->status, &receipt_error) != RV_OK)
		rv_warn("%s", receipt_error.message);
	return err->status;
}

/* One line for each event, at once: whoever reads them waits for it. */
static void print_event(void *arg, json_t *event)
{
	struct rv_command_context *cx = arg;
	rv_out_json(cx->out, event);
	rv_out_flush(cx->out);
}

static enum rv_status follow(struct rv_command_context *cx, const struct push_options *o,
			     const struct rv_push_params *params, struct rv_push_result *ret,
			     struct rv_error *err)
{
	const struct rv_follow_params follow = {
		.until_quiet_ms = o->until_quiet,
		.event = cx->output == RV_OUT_JSON ? print_event : NULL,
		.arg = cx,
	};
	rv_stop_ignore_hangup();
	return rv_follow(params, &follow, ret, err);
}

static enum rv_status push_run(struct rv_command_context *cx, void *options, int count,
			       char **operands, struct rv_error *err)
{
	const struct push_options *o = options;
	if (check_operands(o, count, operands, err) != RV_OK)
		return err->status;
	const struct river_presign presign = {
		.file = count > 1 ? operands[1] : NULL,
		.size = o->size,
		.expires_ms = o->expires,
		.run = o->run,
	};
	if (o->presign && river_presign_check(cx, &presign, err) != RV_OK)
		return err->status;
	RV_CLEANUP(rv_stream_release_p) struct rv_stream stream;
	rv_stream_init(&stream);
	RV_CLEANUP(rv_delivery_free_p) struct rv_delivery *delivery = NULL;
	if (rv_wire_business(cx, operands[0], err) != RV_OK)
		return tell_nothing_accepted(cx, o, count, operands, err);
	if (rv_catalog_get(cx->lake, operands[0], &stream, NULL, err) != RV_OK) {
		river_gone_explain(cx, operands[0], err);
		return tell_nothing_accepted(cx, o, count, operands, err);
	}
	if (o->presign)
		return river_presign(cx, &stream, &presign, err);
	if (rv_wire_delivery(cx->profile, cx->lake, &delivery, err) != RV_OK)
		return tell_nothing_accepted(cx, o, count, operands, err);
	RV_CLEANUP(rv_read_settings_release)
	struct rv_read_settings settings = { .csv = RV_CSV_DIALECT_INIT };
	if (fill_read_settings(o, &stream, &settings, err) != RV_OK)
		return err->status;

	char stream_text[RV_STREAM_TEXT];
	rv_stream_text(&stream, stream_text);
	struct listener listener;
	struct rv_push_params params = {
		.stream = &stream,
		.lake = cx->lake,
		.delivery = delivery,
		.state_dir = cx->profile->state_dir,
		.read = settings,
		.layout_given = o->format != FORMAT_AUTO || o->csv_names.count || o->csv_no_header,
		.files = operands + 1,
		.files_count = (size_t)count - 1,
		.run = o->run,
		.wait = (enum rv_wait)o->wait,
		.again = o->again,
		.batch_bytes = given(o->batch_size, stream.batch_bytes),
		.batch_records = given(o->batch_records, stream.batch_records),
		.flush_after_ms = o->flush_after >= 0 ? o->flush_after : stream.batch_age_ms,
		.settle_ms = o->settle,
		.retry_for_ms = o->retry_for,
		.max_rejects = o->max_rejects,
		.spool_max_bytes = cx->profile->spool_max_bytes,
		.threads = (unsigned)compression_threads(o->threads),
		.lock_timeout_ms = cx->locks == RV_LOCKS_WAIT ? cx->timeout_ms : 0,
		.should_stop = rv_should_stop,
		.progress = show_progress,
		.lock_skip = cx->locks == RV_LOCKS_SKIP,
		.check_stream = true,
		.note = rv_flow_note,
		.warn = rv_flow_warning,
		.arg = &listener,
	};
	if (o->shipped)
		return shipped(cx, &params, err);
	/* Asked for before anything is sent: a profile without a warehouse cannot promise it. */
	RV_CLEANUP(rv_warehouse_free_p) struct rv_warehouse *warehouse = NULL;
	if (params.wait == RV_WAIT_LOADED &&
	    rv_wire_warehouse(cx->profile, cx->lake, &warehouse, err) != RV_OK)
		return tell_nothing_accepted(cx, o, count, operands, err);

	if (params.wait >= RV_WAIT_LANDED && !delivery->ops->names_objects &&
	    rv_arrival_possible(&stream, err) != RV_OK)
		return err->status;

	int64_t started_ms = rv_clock_monotonic_ms();
	RV_CLEANUP(rv_free_p) char *what = rv_asprintf("push %s", stream_text);
	rv_progress_start(&listener.progress, what, started_ms);
	struct rv_push_result result;
	enum rv_status status = o->follow ? follow(cx, o, &params, &result, err)
					  : rv_push(&params, &result, err);
	rv_progress_end(&listener.progress);
	if ((status == RV_OK || status == RV_PARTIAL) && params.wait >= RV_WAIT_LANDED) {
		struct rv_error wait_error = RV_ERROR_INIT;
		const struct river_push_wait wait = { cx, &stream, delivery, warehouse, &result };
		if (river_push_wait(&wait, &wait_error) != RV_OK) {
			*err = wait_error;
			status = err->status;
		}
	}
	int64_t took_ms = rv_clock_monotonic_ms() - started_ms;
	print_summary(cx, stream_text, &result, status, took_ms);
	if (cx->output == RV_OUT_JSON)
		rv_out_json(cx->out, summary_json(stream_text, &result, took_ms, status));
	struct rv_error receipt_error = RV_ERROR_INIT;
	if (o->receipt && write_receipt(o->receipt, stream_text, &result, took_ms, status,
					&receipt_error) != RV_OK) {
		if (status == RV_OK) {
			*err = receipt_error;
			rv_context(err, "the records were pushed, but the receipt was not written");
			rv_hint(err, "do not send them again");
			status = err->status = RV_KEPT;
		} else { /* whoever reads it has that of a push before, or none */
			rv_warn("the receipt was not written: %s", receipt_error.message);
		}
	}
	rv_push_result_release(&result);
	return status;
}

const struct rv_command cmd_push = {
	.name = "push",
	.group = RV_GROUP_DELIVER,
	.summary = "send records from files or a pipe to a stream",
	.operands = "<stream> [<file>...]",
	.needs = RV_NEEDS_PROFILE | RV_NEEDS_LAKE,
	.operand_complete = { RV_COMPLETE_STREAM, RV_COMPLETE_FILE },
	.options = push_options_table,
	.options_size = sizeof(struct push_options),
	.examples = push_examples,
	.run = push_run,
};

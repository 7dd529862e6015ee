/* `river rejects replay`: another try for what was refused, read as it was then or another way. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/number.h"
#include "context.h"
#include "delivery/delivery.h"
#include "flow/catalog.h"
#include "flow/push.h"
#include "flow/recover.h"
#include "flow/rejects.h"
#include "format/json_text.h"
#include "rejects.h"
#include "spool/state.h"

enum replay_format {
	FORMAT_SAME, FORMAT_STREAM, FORMAT_NDJSON, FORMAT_JSON, FORMAT_CSV, FORMAT_TEXT,
};
static const char *const formats[] = { "same", "stream", "ndjson", "json", "csv", "text", NULL };

struct replay_options {
	const char *run;
	int format;
	uint64_t max_record;
	bool dry_run;
};

static const struct rv_opt replay_options_table[] = {
	OPT_STRING(struct replay_options, 0, "run", run, "name", "only those of this run"),
	OPT_CHOICE(struct replay_options, 0, "format", format, formats,
		   "what they are; same is what they were read as, stream the format of its definition",
		   .def = "same"),
	OPT_SIZE(struct replay_options, 0, "max-record", max_record, "bytes",
		 "longest record, up to 128MiB", .def = "16MiB"),
	OPT_FLAG(struct replay_options, 'n', "dry-run", dry_run,
		 "say what would land and what would be rejected again, and send nothing"),
	OPT_END
};

/* Rejects of one object that are read the same way; most objects have one such part. */
struct part {
	enum rv_format format;
	char *csv;                /* what is known of the csv rows, as JSON; "": nothing, or not csv */
};

struct replay {
	struct rv_command_context *cx;
	const struct replay_options *options;
	const struct rv_stream *stream;
	struct rv_delivery *delivery;
	struct rv_state state;
	struct rv_read_settings settings;
	json_t *replays;
	bool any;
	uint64_t objects, landed, again, done_before;
	struct rv_error worst;    /* what does not end the whole: kept in the spool, damaged */
	/* the object under way */
	struct part *parts;
	size_t parts_count, parts_capacity;
	size_t copied;            /* the part that is in the copy */
	int fd;
	bool passed_over;         /* the reject under way is of another part */
	char last;
};

static void forget_parts(struct replay *replay)
{
	for (size_t i = 0; i < replay->parts_count; i++)
		free(replay->parts[i].csv);
	free(replay->parts);
	replay->parts = NULL;
	replay->parts_count = replay->parts_capacity = 0;
}

static enum rv_format format_of(const struct replay *replay, const struct rv_reject *reject)
{
	static const enum rv_format by_option[] = { [FORMAT_NDJSON] = RV_FORMAT_NDJSON,
						    [FORMAT_JSON] = RV_FORMAT_JSON,
						    [FORMAT_CSV] = RV_FORMAT_CSV,
						    [FORMAT_TEXT] = RV_FORMAT_TEXT };
	if (replay->options->format == FORMAT_SAME && reject->format != RV_FORMAT_AUTO)
		return reject->format;
	if (replay->options->format == FORMAT_SAME || replay->options->format == FORMAT_STREAM)
		return replay->stream->format;
	return by_option[replay->options->format];
}

/* The part of a reject: one more, if it is read as none before it. */
static size_t part_of(struct replay *replay, const struct rv_reject *reject)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf csv = RV_STRBUF_INIT;
	enum rv_format format = format_of(replay, reject);
	if (format == RV_FORMAT_CSV && reject->csv)
		rv_json_dump(&csv, reject->csv);
	/* From the end: rows of one file follow each other. */
	for (size_t i = replay->parts_count; i-- > 0;)
		if (replay->parts[i].format == format && strcmp(replay->parts[i].csv, csv.bytes) == 0)
			return i;
	RV_GROW(replay->parts, replay->parts_count, replay->parts_capacity);
	replay->parts[replay->parts_count] = (struct part){ format, rv_strdup(csv.bytes) };
	return replay->parts_count++;
}

static enum rv_status replay_begin(void *arg, const struct rv_reject *reject,
				   struct rv_error *err RV_UNUSED)
{
	struct replay *replay = arg;
	replay->passed_over = part_of(replay, reject) != replay->copied;
	replay->last = '\0';
	return RV_OK;
}

static enum rv_status replay_bytes(void *arg, const void *p, size_t len, struct rv_error *err)
{
	struct replay *replay = arg;
	if (replay->passed_over)
		return RV_OK;
	replay->last = ((const char *)p)[len - 1];
	return rv_write_all(replay->fd, p, len, "a copy of the rejects", err);
}

static enum rv_status replay_end(void *arg, uint64_t length RV_UNUSED, struct rv_error *err)
{
	struct replay *replay = arg;
	return replay->passed_over || replay->last == '\n'
		       ? RV_OK
		       : rv_write_all(replay->fd, "\n", 1, "a copy of the rejects", err);
}

static enum rv_status count_only(struct replay *replay, struct rv_source *source, uint64_t *ret_records,
				 uint64_t *ret_rejected, struct rv_error *err)
{
	struct rv_reader_params params = { .name = source->label };
	RV_CLEANUP(rv_reader_free_p) struct rv_reader *reader = NULL;
	rv_read_settings_apply(&replay->settings, &params);
	if (rv_reader_new(source, &params, &reader, err) != RV_OK)
		return err->status;
	bool finished = false;
	for (;;) {
		struct rv_reader_limits limits = { .timeout_ms = -1 };
		struct rv_span span;
		if (rv_should_stop())
			return rv_fail(err, RV_FAILED, "stopped by a signal");
		if (rv_reader_next(reader, &limits, &span, err) != RV_OK)
			return err->status;
		if (span.kind == RV_SPAN_RECORDS)
			*ret_records += span.records;
		else if (span.kind == RV_SPAN_REJECT)
			*ret_rejected += !span.more;
		if (span.kind != RV_SPAN_END)
			continue;
		if (finished)
			return RV_OK;
		finished = true;
		rv_reader_finish(reader);
	}
}

static enum rv_status push_copy(struct replay *replay, struct rv_source *source, const char *run,
				uint64_t *ret_records, uint64_t *ret_rejected, struct rv_error *err)
{
	struct rv_command_context *cx = replay->cx;
	struct rv_push_result result;
	struct rv_push_params params = {
		.stream = replay->stream,
		.lake = cx->lake,
		.delivery = replay->delivery,
		.state_dir = cx->profile->state_dir,
		.read = replay->settings,
		.source = source,
		.run = run,
		.wait = RV_WAIT_LANDED,
		.batch_bytes = replay->stream->batch_bytes,
		.batch_records = replay->stream->batch_records,
		.flush_after_ms = -1,
		.max_rejects = UINT64_MAX,
		.spool_max_bytes = cx->profile->spool_max_bytes,
		.threads = 1,
		.lock_timeout_ms = cx->locks == RV_LOCKS_WAIT ? cx->timeout_ms : 0,
		.should_stop = rv_should_stop,
	};
	enum rv_status status = rv_push(&params, &result, err);
	*ret_records = result.landed + result.sent;
	*ret_rejected = result.rejected;
	rv_push_result_release(&result);
	if (status == RV_CONFLICT)
		rv_hint(err, "a replay that was interrupted is finished with the settings it was begun "
			     "with; what it has spooled lands by 'river spool flush'");
	return status == RV_PARTIAL || status == RV_BAD_DATA ? RV_OK : status;
}

static void keep_worst(struct replay *replay, const struct rv_error *err)
{
	if (rv_status_gravity(err->status) > rv_status_gravity(replay->worst.status))
		replay->worst = *err;
}

static enum rv_status open_copy(int copy_fd, const char *label, struct rv_source **ret,
				struct rv_error *err)
{
	int fd = lseek(copy_fd, 0, SEEK_SET) < 0 ? -1 : fcntl(copy_fd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return rv_fail_errno(err, RV_LOCAL_IO, "read a copy of the rejects");
	return rv_source_file_new(fd, label, UINT64_MAX, ret, err);
}

/* The rejects of one part as a file. All of the object is read and known to be good before the first
 * record is sent. */
static enum rv_status copy_part(struct replay *replay, const char *object, size_t part,
				struct rv_new_file *copy, struct rv_error *err)
{
	const struct rv_rejects_sink sink = { replay_begin, replay_bytes, replay_end, replay };
	const char *scratch = getenv("TMPDIR");
	if (copy->fd >= 0 && replay->copied == part)
		return RV_OK;
	rv_new_file_discard(copy);
	if (rv_new_file_open(copy,
			     replay->state.folder ? replay->state.folder
			     : scratch		   ? scratch
						   : "/tmp",
			     0600, err) != RV_OK)
		return err->status;
	replay->fd = copy->fd;
	replay->copied = part;
	return rv_rejects_read(replay->cx->lake, object, &sink, err);
}

static char **copy_texts(char *const *texts, size_t count)
{
	char **copy = count ? rv_calloc(count, sizeof(*copy)) : NULL;
	for (size_t i = 0; i < count; i++)
		copy[i] = rv_strdup(texts[i]);
	return copy;
}

/* The dialect a row was read with then; the header is not among the rejects, its names are given. */
static bool dialect_of(const json_t *csv, struct rv_csv_dialect *ret)
{
	const char *header = json_string_value(json_object_get(csv, "header"));
	const char *delimiter = json_string_value(json_object_get(csv, "delimiter"));
	const char *quote = json_string_value(json_object_get(csv, "quote"));
	const json_t *nulls = json_object_get(csv, "nulls");
	if (!header || !delimiter || !delimiter[0] || !quote ||
	    !rv_csv_header_names(header, &ret->names, &ret->names_count))
		return false;
	ret->no_header = true;
	ret->delimiter = delimiter[0];
	ret->quote = quote[0];
	size_t i, count = json_array_size(nulls);
	json_t *item;
	ret->nulls = count ? rv_calloc(count, sizeof(*ret->nulls)) : NULL;
	json_array_foreach(nulls, i, item) {
		char *text = rv_json_bytes_value(item);
		if (!text)
			return false;
		ret->nulls[ret->nulls_count++] = text;
	}
	return true;
}

static enum rv_status set_reading(struct replay *replay, const struct part *part, const char *label,
				  struct rv_error *err)
{
	const struct rv_stream *stream = replay->stream;
	struct rv_read_settings *settings = &replay->settings;
	json_error_t ignored;
	rv_read_settings_release(settings);
	settings->format = part->format;
	settings->max_record_bytes = replay->options->max_record;
	settings->max_depth = 1024;
	settings->refuse_river_key = stream->stamp != RV_STAMP_NONE;
	if (part->csv[0]) {
		json_t *csv = json_loads(part->csv, 0, &ignored);
		bool good = dialect_of(csv, &settings->csv);
		json_decref(csv);
		return good ? RV_OK
			    : rv_fail(err, RV_DAMAGED, "the %s do not say how their rows are to be read",
				      label);
	}
	settings->csv = stream->csv;
	settings->csv.names = copy_texts(stream->csv.names, stream->csv.names_count);
	settings->csv.nulls = copy_texts(stream->csv.nulls, stream->csv.nulls_count);
	if (part->format != RV_FORMAT_CSV)
		return RV_OK;
	settings->csv.no_header = true;
	if (settings->csv.names_count)
		return RV_OK;
	rv_fail(err, RV_BAD_DATA, "the %s were kept without a csv header, so their columns have no names",
		label);
	rv_hint(err, "give them: river rejects show %s/%s --raw | river push %s/%s --format csv "
		     "--csv-no-header --csv-names a,b,c", stream->business, stream->name,
		stream->business, stream->name);
	return err->status;
}

static const json_t *done_part(const struct replay *replay, const struct rv_rejects_name *name,
			       size_t part, char run[RV_RUN_MAX + 1])
{
	rv_rejects_replay_part(name, (unsigned)part, run);
	return json_object_get(replay->replays, run);
}

/* What would come of it. *ret_any: of all parts, something would land. */
static enum rv_status count_parts(struct replay *replay, const struct rv_rejects_name *name,
				  const char *object, const char *label, struct rv_new_file *copy,
				  uint64_t *ret_records, uint64_t *ret_rejected, bool *ret_any,
				  struct rv_error *err)
{
	char run[RV_RUN_MAX + 1];
	/* The first copy tells how many parts there are. */
	if (copy_part(replay, object, 0, copy, err) != RV_OK)
		return err->status;
	for (size_t i = 0; i < replay->parts_count; i++) {
		RV_CLEANUP(rv_source_free_p) struct rv_source *source = NULL;
		uint64_t records = 0, rejected = 0;
		if (set_reading(replay, &replay->parts[i], label, err) != RV_OK ||
		    copy_part(replay, object, i, copy, err) != RV_OK ||
		    open_copy(copy->fd, label, &source, err) != RV_OK ||
		    count_only(replay, source, &records, &rejected, err) != RV_OK)
			return err->status;
		*ret_any |= records > 0;
		if (done_part(replay, name, i, run))
			continue;
		*ret_records += records;
		*ret_rejected += rejected;
	}
	if (!done_part(replay, name, replay->parts_count, run))
		return RV_OK;
	rv_fail(err, RV_CONFLICT, "a replay of the %s was begun with another --format", label);
	rv_hint(err, "finish it with that one first");
	return err->status;
}

static enum rv_status replay_copy(struct replay *replay, const struct rv_rejects_name *name,
				  const char *object, uint64_t *ret_records, uint64_t *ret_rejected,
				  struct rv_error *err)
{
	RV_CLEANUP(rv_new_file_discard) struct rv_new_file copy = RV_NEW_FILE_INIT;
	RV_CLEANUP(rv_free_p)
	char *label = rv_asprintf("rejects of %s-%06" PRIu64, name->run, name->seq);
	uint64_t records = 0, rejected = 0;
	bool any = false;
	struct rv_error kept = RV_ERROR_INIT;
	forget_parts(replay);
	if (count_parts(replay, name, object, label, &copy, &records, &rejected, &any, err) != RV_OK)
		return err->status;
	/* A replay that lands nothing would only copy the rejects: they stay what they are. */
	if (replay->options->dry_run || !any) {
		*ret_records = records;
		*ret_rejected = rejected;
		return RV_OK;
	}
	for (size_t i = replay->parts_count; i-- > 0;) {
		RV_CLEANUP(rv_source_free_p) struct rv_source *source = NULL;
		char run[RV_RUN_MAX + 1];
		if (done_part(replay, name, i, run))
			continue;
		if (set_reading(replay, &replay->parts[i], label, err) != RV_OK ||
		    copy_part(replay, object, i, &copy, err) != RV_OK ||
		    open_copy(copy.fd, label, &source, err) != RV_OK)
			return err->status;
		records = rejected = 0;
		enum rv_status status = push_copy(replay, source, run, &records, &rejected, err);
		*ret_records += records;
		*ret_rejected += rejected;
		if (status != RV_OK && status != RV_KEPT)
			return status;
		if (status == RV_KEPT) /* the parts after it have errors of their own */
			kept = *err;
	}
	if (kept.status != RV_OK)
		*err = kept;
	return kept.status;
}

static enum rv_status replay_object(void *arg, const struct rv_rejects_name *name,
				    const struct rv_store_object *object, struct rv_error *err)
{
	struct replay *replay = arg;
	struct rv_command_context *cx = replay->cx;
	char run[RV_RUN_MAX + 1];
	replay->any = true;
	rv_rejects_replay_run(name, run);
	if (json_object_get(replay->replays, run)) {
		replay->done_before++;
		rv_verbose("the rejects of run %s, batch %" PRIu64 ", were replayed before as run %s",
			   name->run, name->seq, run);
		return RV_OK;
	}
	uint64_t landed = 0, again = 0;
	enum rv_status status = replay_copy(replay, name, object->name, &landed, &again, err);
	if (rv_should_stop())
		return status == RV_OK ? rv_fail(err, RV_FAILED, "stopped: run the same command again")
				       : status;
	if (status == RV_DAMAGED || status == RV_KEPT || status == RV_BAD_DATA) {
		rv_warn("%s", err->message);
		keep_worst(replay, err);
	} else if (status != RV_OK) {
		return rv_context(err, "replay the rejects of run %s, batch %" PRIu64, name->run,
				  name->seq);
	}
	if (status == RV_DAMAGED || status == RV_BAD_DATA)
		return RV_OK;
	replay->objects++;
	replay->landed += landed;
	replay->again += again;
	char landed_text[RV_NUMBER_TEXT], again_text[RV_NUMBER_TEXT];
	rv_out_printf(cx->out,
		      replay->options->dry_run
			      ? "run %s, batch %" PRIu64 ": %s would land, %s would be rejected again\n"
			      : "run %s, batch %" PRIu64 ": %s landed, %s rejected again\n",
		      name->run, name->seq, rv_format_count(landed, landed_text),
		      rv_format_count(again, again_text));
	if (cx->output == RV_OUT_JSON)
		rv_out_json(cx->out, json_pack("{s:s, s:I, s:s, s:I, s:I, s:b}", "run", name->run, "seq",
					       (json_int_t)name->seq, "replay_run", run, "landed",
					       (json_int_t)landed, "rejected", (json_int_t)again,
					       "dry_run", replay->options->dry_run));
	return RV_OK;
}

/* Names are collected first: a replay adds rejects of its own while it goes on. */
struct object_list {
	char **names;
	size_t count, capacity;
};

static enum rv_status collect(void *arg, const struct rv_rejects_name *name RV_UNUSED,
			      const struct rv_store_object *object, struct rv_error *err RV_UNUSED)
{
	struct object_list *list = arg;
	RV_GROW(list->names, list->count, list->capacity);
	list->names[list->count++] = rv_strdup(object->name);
	return RV_OK;
}

static enum rv_status replay_all(struct replay *replay, struct rv_error *err)
{
	struct object_list list = { .names = NULL };
	enum rv_status status = rv_rejects_each(replay->cx->lake, replay->stream, replay->options->run,
						NULL, collect, &list, err);
	for (size_t i = 0; i < list.count; i++) {
		struct rv_rejects_name name;
		struct rv_store_object object = { .name = list.names[i] };
		if (status == RV_OK && rv_rejects_name_parse(list.names[i], &name))
			status = replay_object(replay, &name, &object, err);
		free(list.names[i]);
	}
	free(list.names);
	return status;
}

static enum rv_status judge(struct replay *replay, const char *stream, struct rv_error *err)
{
	char landed[RV_NUMBER_TEXT], again[RV_NUMBER_TEXT];
	if (replay->options->run && !replay->any)
		return river_rejects_no_run(replay->options->run, stream, err);
	if (replay->cx->verbose || rv_messages_terminal()) {
		if (!replay->objects)
			rv_note("%s: nothing to replay", stream);
		else if (!replay->options->dry_run)
			rv_note("replayed rejects of %s: %s landed, %s rejected again", stream,
				rv_format_count(replay->landed, landed),
				rv_format_count(replay->again, again));
	}
	if (replay->worst.status != RV_OK) {
		*err = replay->worst;
		return err->status;
	}
	if (!replay->again)
		return RV_OK;
	rv_fail(err, replay->landed ? RV_PARTIAL : RV_BAD_DATA,
		"%s of %s records %s rejected again", rv_format_count(replay->again, again),
		rv_format_count(replay->again + replay->landed, landed),
		replay->options->dry_run ? "would be" : "were");
	rv_hint(err, "'river rejects show %s' says why; --format and --max-record set how they are read",
		stream);
	return err->status;
}

/* A replay that was killed at its very end counts as done and would never be pushed again: what it left
 * over is finished here. A lake that takes nothing is for the push to say. */
static enum rv_status finish_earlier(struct replay *replay, struct rv_error *err)
{
	struct rv_deliver deliver = {
		.stream = replay->stream,
		.state = &replay->state,
		.lake = replay->cx->lake,
		.delivery = replay->delivery,
		.loss = RV_ERROR_INIT,
	};
	struct rv_recover_result ignored;
	if (rv_recover(&deliver, -1, rv_should_stop, &ignored, err) != RV_OK)
		return rv_context(err, "finish an earlier push");
	if (deliver.loss.status != RV_OK)
		keep_worst(replay, &deliver.loss);
	return RV_OK;
}

static enum rv_status replay_run(struct rv_command_context *cx, void *options, int count,
				 char **operands, struct rv_error *err)
{
	RV_CLEANUP(rv_stream_release_p) struct rv_stream stream;
	RV_CLEANUP(rv_delivery_free_p) struct rv_delivery *delivery = NULL;
	rv_stream_init(&stream);
	struct replay replay = { .cx = cx, .options = options, .stream = &stream,
				 .state = RV_STATE_INIT, .settings = { .csv = RV_CSV_DIALECT_INIT },
				 .worst = RV_ERROR_INIT, .fd = -1 };
	if (replay.options->max_record == 0 || replay.options->max_record > (128u << 20))
		return rv_fail(err, RV_USAGE, "--max-record is from 1 byte to 128MiB");
	if (river_rejects_stream(cx, count, operands, &stream, err) != RV_OK ||
	    rv_wire_delivery(cx->profile, cx->lake, &delivery, err) != RV_OK)
		return err->status;
	replay.delivery = delivery;
	enum rv_status status = RV_OK;
	if (!replay.options->dry_run)
		status = rv_state_open(&replay.state, cx->profile->state_dir, cx->lake->url, &stream, err);
	if (status == RV_OK && !replay.options->dry_run)
		status = finish_earlier(&replay, err);
	if (status == RV_OK)
		status = rv_rejects_replays(cx->lake, &stream, &replay.replays, err);
	if (status == RV_OK)
		status = replay_all(&replay, err);
	rv_state_release(&replay.state);
	rv_read_settings_release(&replay.settings);
	forget_parts(&replay);
	json_decref(replay.replays);
	return status == RV_OK ? judge(&replay, operands[0], err) : status;
}

static const struct rv_example replay_examples[] = {
	{ "river rejects replay web/clicks -n", "what would land by now?" },
	{ "river rejects replay web/clicks --max-record 64MiB", "they were too long" },
	{ "river rejects replay web/clicks --run 2026-11-20 --format json", "one run, read otherwise" },
	{ NULL, NULL },
};

const struct rv_command cmd_rejects_replay = {
	.name = "rejects replay",
	.group = RV_GROUP_MEND,
	.summary = "push rejects again, read another way; twice lands once",
	.operands = "<stream>",
	.needs = RV_NEEDS_PROFILE | RV_NEEDS_LAKE,
	.operand_complete = { RV_COMPLETE_STREAM, RV_COMPLETE_NOTHING },
	.options = replay_options_table,
	.options_size = sizeof(struct replay_options),
	.examples = replay_examples,
	.run = replay_run,
};

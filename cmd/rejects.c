/* `river rejects list`, `show` and `replay`: what was refused, and another try. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
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
#include "spool/state.h"

#define PREVIEW_BYTES 160

static enum rv_status get_stream(struct rv_command_context *cx, int count, char **operands,
				 struct rv_stream *ret, struct rv_error *err)
{
	if (count == 0) {
		rv_fail(err, RV_USAGE, "whose rejects? a stream is missing");
		rv_hint(err, "'river stream list' shows the streams");
		return err->status;
	}
	if (count > 1)
		return rv_fail(err, RV_USAGE, "one stream is enough, '%s' is too much", operands[1]);
	return rv_catalog_get(cx->lake, operands[0], ret, NULL, err);
}

static enum rv_status no_such_run(const char *run, const char *stream, struct rv_error *err)
{
	rv_fail(err, RV_NOT_FOUND, "run %s has no rejects in %s", run, stream);
	rv_hint(err, "'river rejects list %s' shows the runs that have", stream);
	return err->status;
}

/* ---- list ------------------------------------------------------------------------------------- */

struct list_options {
	int64_t since;
};

static const struct rv_opt list_options_table[] = {
	OPT_DURATION(struct list_options, 0, "since", since, "time",
		     "only those of days that are not older than this: 7d"),
	OPT_END
};

struct listing {
	struct rv_command_context *cx;
	json_t *replays;
};

static enum rv_status list_object(void *arg, const struct rv_rejects_name *name,
				  const struct rv_store_object *object, struct rv_error *err RV_UNUSED)
{
	struct listing *listing = arg;
	char run[RV_RUN_MAX + 1], seq[RV_NUMBER_TEXT], count[RV_NUMBER_TEXT], size[RV_NUMBER_TEXT];
	char replayed[64] = "";
	rv_rejects_replay_run(name, run);
	const json_t *replay = json_object_get(listing->replays, run);
	if (replay)
		snprintf(replayed, sizeof(replayed), "%" PRIu64 " landed, %" PRIu64 " again",
			 rv_json_get_u64(replay, "accepted"), rv_json_get_u64(replay, "rejected"));
	snprintf(seq, sizeof(seq), "%" PRIu64, name->seq);
	const char *cells[] = { name->day, name->run, seq, rv_format_count(name->rejected, count),
				rv_format_size(object->bytes, size), replayed };
	rv_out_table_row(listing->cx->out, cells);
	if (listing->cx->output != RV_OUT_JSON)
		return RV_OK;
	json_t *o = json_pack("{s:s, s:s, s:I, s:I, s:I, s:s}", "day", name->day, "run", name->run,
			      "seq", (json_int_t)name->seq, "rejected", (json_int_t)name->rejected,
			      "bytes", (json_int_t)object->bytes, "object", object->name);
	if (replay) {
		json_object_set_new(o, "replay_run", json_string(run));
		json_object_set_new(o, "replay_landed",
				    json_incref(json_object_get(replay, "accepted")));
		json_object_set_new(o, "replay_rejected",
				    json_incref(json_object_get(replay, "rejected")));
	}
	rv_out_json(listing->cx->out, o);
	return RV_OK;
}

static enum rv_status list_run(struct rv_command_context *cx, void *options, int count,
			       char **operands, struct rv_error *err)
{
	static const char *const headers[] = { "day", "run", "batch", "rejects", "size", "replayed" };
	static const bool right[] = { false, false, true, true, true, false };
	const struct list_options *o = options;
	RV_CLEANUP(rv_stream_release_p) struct rv_stream stream;
	rv_stream_init(&stream);
	if (get_stream(cx, count, operands, &stream, err) != RV_OK)
		return err->status;
	char day[RV_TIME_TEXT];
	if (o->since >= 0)
		rv_format_day(rv_clock_ms() - o->since, day);
	struct listing listing = { .cx = cx };
	if (rv_rejects_replays(cx->lake, &stream, &listing.replays, err) != RV_OK)
		return err->status;
	rv_out_table_begin(cx->out, headers, right, 6);
	enum rv_status status = rv_rejects_each(cx->lake, &stream, NULL, o->since >= 0 ? day : NULL,
						list_object, &listing, err);
	rv_out_table_end(cx->out);
	json_decref(listing.replays);
	return status;
}

static const struct rv_example list_examples[] = {
	{ "river rejects list web/clicks", "which runs had rejects, and how many" },
	{ "river rejects list web/clicks --since 7d", "those of the last week" },
	{ NULL, NULL },
};

const struct rv_command cmd_rejects_list = {
	.name = "rejects list",
	.group = RV_GROUP_MEND,
	.summary = "list the rejects of a stream",
	.operands = "<stream>",
	.needs = RV_NEEDS_PROFILE | RV_NEEDS_LAKE,
	.operand_complete = { RV_COMPLETE_STREAM, RV_COMPLETE_NOTHING },
	.options = list_options_table,
	.options_size = sizeof(struct list_options),
	.examples = list_examples,
	.run = list_run,
};

/* ---- show ------------------------------------------------------------------------------------- */

struct show_options {
	const char *run;
	uint64_t limit;
	bool raw;
};

static const struct rv_opt show_options_table[] = {
	OPT_STRING(struct show_options, 0, "run", run, "name", "only those of this run"),
	OPT_COUNT(struct show_options, 0, "limit", limit, "rejects", "show at most so many"),
	OPT_FLAG(struct show_options, 0, "raw", raw,
		 "write their original bytes and nothing else, for river push"),
	OPT_END
};

struct show {
	struct rv_command_context *cx;
	const struct show_options *options;
	const struct rv_rejects_name *name;
	uint64_t shown;
	bool enough, any;
	char *code, *reason, *source;
	struct rv_reject reject;
	char preview[PREVIEW_BYTES];
	size_t preview_len;
	char last;                /* byte that was written raw */
	struct rv_error damage;
};

static void forget_reject(struct show *show)
{
	free(rv_take(show->code));
	free(rv_take(show->reason));
	free(rv_take(show->source));
}

static enum rv_status show_begin(void *arg, const struct rv_reject *reject, struct rv_error *err)
{
	struct show *show = arg;
	if (show->shown == show->options->limit || rv_out_failed(show->cx->out)) {
		show->enough = true;
		return rv_fail(err, RV_FAILED, "enough");
	}
	show->shown++;
	forget_reject(show);
	show->code = rv_strdup(reject->code);
	show->reason = rv_strdup(reject->reason);
	show->source = rv_strdup(reject->source);
	show->reject = *reject;
	show->preview_len = 0;
	show->last = '\0';
	return RV_OK;
}

static enum rv_status show_bytes(void *arg, const void *p, size_t len, struct rv_error *err)
{
	struct show *show = arg;
	if (show->options->raw) {
		rv_out_write(show->cx->out, p, len);
		show->last = ((const char *)p)[len - 1];
		/* A reader that left must not make us read gigabytes. */
		show->enough = rv_out_failed(show->cx->out);
		return show->enough ? rv_fail(err, RV_FAILED, "enough") : RV_OK;
	}
	size_t room = sizeof(show->preview) - show->preview_len;
	size_t n = len < room ? len : room;
	memcpy(show->preview + show->preview_len, p, n);
	show->preview_len += n;
	return RV_OK;
}

/* Is this one whole UTF-8 character? jansson refuses everything that is not. */
static bool is_character(const char *p, size_t len)
{
	json_t *text = json_stringn(p, len);
	json_decref(text);
	return text != NULL;
}

/* Bytes for people: what is not printable ASCII or whole UTF-8 becomes \n, \t or \xNN. */
static void add_visible(struct rv_strbuf *sb, const char *p, size_t len)
{
	for (size_t i = 0; i < len;) {
		unsigned char c = (unsigned char)p[i];
		size_t follow = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : c >= 0xc2 ? 1 : 0;
		if (c >= 0x80 && follow && i + follow < len && is_character(p + i, follow + 1) &&
		    !(c == 0xc2 && (unsigned char)p[i + 1] < 0xa0)) {
			rv_strbuf_add(sb, p + i, follow + 1);
			i += follow + 1;
			continue;
		}
		if (c == '\n')
			rv_strbuf_puts(sb, "\\n");
		else if (c == '\r')
			rv_strbuf_puts(sb, "\\r");
		else if (c == '\t')
			rv_strbuf_puts(sb, "\\t");
		else if (c < 0x20 || c >= 0x7f)
			rv_strbuf_printf(sb, "\\x%02x", c);
		else
			rv_strbuf_putc(sb, (char)c);
		i++;
	}
}

static enum rv_status show_end(void *arg, uint64_t length, struct rv_error *err RV_UNUSED)
{
	struct show *show = arg;
	struct rv_out *out = show->cx->out;
	if (show->options->raw) {
		if (show->last != '\n')
			rv_out_write(out, "\n", 1);
		return RV_OK;
	}
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf preview = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf source = RV_STRBUF_INIT;
	size_t len = show->preview_len;
	bool whole = length == len;
	/* The line end says nothing. */
	if (whole && len && show->preview[len - 1] == '\n')
		len--;
	add_visible(&preview, show->preview, len);
	if (!whole)
		rv_strbuf_puts(&preview, "...");
	add_visible(&source, show->source, strlen(show->source));
	char size[RV_NUMBER_TEXT];
	rv_out_printf(out, "%s:%" PRIu64 ": %s (%s) at byte %" PRIu64 "; bytes %" PRIu64 " to %" PRIu64
		      ", %s, run %s\n    %s\n",
		      source.bytes, show->reject.line, show->reason, show->code, show->reject.fault,
		      show->reject.offset, show->reject.offset + length, rv_format_size(length, size),
		      show->name->run, preview.bytes);
	if (show->cx->output == RV_OUT_JSON)
		rv_out_json(out, json_pack("{s:s, s:I, s:I, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:s}",
					   "run", show->name->run, "seq", (json_int_t)show->name->seq,
					   "number", (json_int_t)show->reject.number, "code",
					   show->code, "reason", show->reason, "source", show->source,
					   "line", (json_int_t)show->reject.line, "offset",
					   (json_int_t)show->reject.offset, "fault",
					   (json_int_t)show->reject.fault, "length",
					   (json_int_t)length, "preview", preview.bytes));
	return RV_OK;
}

static enum rv_status show_object(void *arg, const struct rv_rejects_name *name,
				  const struct rv_store_object *object, struct rv_error *err)
{
	struct show *show = arg;
	const struct rv_rejects_sink sink = { show_begin, show_bytes, show_end, show };
	show->name = name;
	show->any = true;
	if (rv_rejects_read(show->cx->lake, object->name, &sink, err) == RV_OK)
		return RV_OK;
	/* Named, and the others are shown all the same. */
	if (err->status != RV_DAMAGED)
		return err->status;
	if (show->options->raw && show->last && show->last != '\n')
		rv_out_write(show->cx->out, "\n", 1);
	rv_warn("%s", err->message);
	if (show->damage.status == RV_OK)
		show->damage = *err;
	return RV_OK;
}

static enum rv_status show_run(struct rv_command_context *cx, void *options, int count,
			       char **operands, struct rv_error *err)
{
	RV_CLEANUP(rv_stream_release_p) struct rv_stream stream;
	rv_stream_init(&stream);
	if (get_stream(cx, count, operands, &stream, err) != RV_OK)
		return err->status;
	struct show show = { .cx = cx, .options = options, .damage = RV_ERROR_INIT };
	enum rv_status status = rv_rejects_each(cx->lake, &stream, show.options->run, NULL, show_object,
						&show, err);
	forget_reject(&show);
	if (show.enough)
		status = RV_OK;
	if (status == RV_OK && show.options->run && !show.any)
		return no_such_run(show.options->run, operands[0], err);
	if (status == RV_OK && show.damage.status != RV_OK) {
		*err = show.damage;
		status = err->status;
	}
	return status;
}

static const struct rv_example show_examples[] = {
	{ "river rejects show web/clicks --limit 10", "why, where, and how they begin" },
	{ "river rejects show web/clicks --raw | sed 's/\\r//' | river push web/clicks",
	  "mend them and push them" },
	{ NULL, NULL },
};

const struct rv_command cmd_rejects_show = {
	.name = "rejects show",
	.group = RV_GROUP_MEND,
	.summary = "show rejects with their reasons, or write their bytes",
	.operands = "<stream>",
	.needs = RV_NEEDS_PROFILE | RV_NEEDS_LAKE,
	.operand_complete = { RV_COMPLETE_STREAM, RV_COMPLETE_NOTHING },
	.options = show_options_table,
	.options_size = sizeof(struct show_options),
	.examples = show_examples,
	.run = show_run,
};

/* ---- replay ----------------------------------------------------------------------------------- */

enum replay_format { FORMAT_STREAM, FORMAT_NDJSON, FORMAT_JSON, FORMAT_CSV, FORMAT_TEXT };
static const char *const formats[] = { "stream", "ndjson", "json", "csv", "text", NULL };

struct replay_options {
	const char *run;
	int format;
	uint64_t max_record;
	bool dry_run;
};

static const struct rv_opt replay_options_table[] = {
	OPT_STRING(struct replay_options, 0, "run", run, "name", "only those of this run"),
	OPT_CHOICE(struct replay_options, 0, "format", format, formats,
		   "what they are; stream is the format of its definition", .def = "stream"),
	OPT_SIZE(struct replay_options, 0, "max-record", max_record, "bytes",
		 "longest record, up to 128MiB", .def = "16MiB"),
	OPT_FLAG(struct replay_options, 'n', "dry-run", dry_run,
		 "say what would land and what would be rejected again, and send nothing"),
	OPT_END
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
	int fd;
	char last;
};

static enum rv_status replay_begin(void *arg, const struct rv_reject *reject RV_UNUSED,
				   struct rv_error *err RV_UNUSED)
{
	((struct replay *)arg)->last = '\0';
	return RV_OK;
}

static enum rv_status replay_bytes(void *arg, const void *p, size_t len, struct rv_error *err)
{
	struct replay *replay = arg;
	replay->last = ((const char *)p)[len - 1];
	return rv_write_all(replay->fd, p, len, "a copy of the rejects", err);
}

static enum rv_status replay_end(void *arg, uint64_t length RV_UNUSED, struct rv_error *err)
{
	struct replay *replay = arg;
	return replay->last == '\n' ? RV_OK
				     : rv_write_all(replay->fd, "\n", 1, "a copy of the rejects", err);
}

static bool should_stop(void)
{
	return rv_stop_signal() != 0;
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
		if (should_stop())
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
		.should_stop = should_stop,
	};
	enum rv_status status = rv_push(&params, &result, err);
	*ret_records = result.landed;
	*ret_rejected = result.rejected;
	rv_push_result_release(&result);
	if (status == RV_CONFLICT)
		rv_hint(err, "a replay that was interrupted is finished with the settings it was begun "
			     "with; what it has spooled lands by 'river spool flush'");
	return status == RV_PARTIAL || status == RV_BAD_DATA ? RV_OK : status;
}

static void keep_worst(struct replay *replay, const struct rv_error *err)
{
	if (replay->worst.status == RV_OK ||
	    (replay->worst.status == RV_KEPT && err->status == RV_DAMAGED))
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

static enum rv_status replay_copy(struct replay *replay, const struct rv_rejects_name *name,
				  const char *object, const char *run, uint64_t *ret_records,
				  uint64_t *ret_rejected, struct rv_error *err)
{
	const struct rv_rejects_sink sink = { replay_begin, replay_bytes, replay_end, replay };
	const char *scratch = getenv("TMPDIR");
	RV_CLEANUP(rv_new_file_discard) struct rv_new_file copy = RV_NEW_FILE_INIT;
	RV_CLEANUP(rv_source_free_p) struct rv_source *source = NULL;
	RV_CLEANUP(rv_free_p)
	char *label = rv_asprintf("rejects of %s-%06" PRIu64, name->run, name->seq);
	/* All of it is read and known to be good before the first record is sent. */
	if (rv_new_file_open(&copy,
			     replay->state.folder ? replay->state.folder
			     : scratch		   ? scratch
						   : "/tmp",
			     0600, err) != RV_OK)
		return err->status;
	replay->fd = copy.fd;
	if (rv_rejects_read(replay->cx->lake, object, &sink, err) != RV_OK)
		return err->status;
	if (open_copy(copy.fd, label, &source, err) != RV_OK ||
	    count_only(replay, source, ret_records, ret_rejected, err) != RV_OK)
		return err->status;
	/* A replay that lands nothing would only copy the rejects: they stay what they are. */
	if (replay->options->dry_run || *ret_records == 0)
		return RV_OK;
	rv_source_free_p(&source);
	return open_copy(copy.fd, label, &source, err) == RV_OK
		       ? push_copy(replay, source, run, ret_records, ret_rejected, err)
		       : err->status;
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
	enum rv_status status = replay_copy(replay, name, object->name, run, &landed, &again, err);
	if (should_stop())
		return status == RV_OK ? rv_fail(err, RV_FAILED, "stopped: run the same command again")
				       : status;
	if (status == RV_DAMAGED || status == RV_KEPT) {
		rv_warn("%s", err->message);
		keep_worst(replay, err);
	} else if (status != RV_OK) {
		return rv_context(err, "replay the rejects of run %s, batch %" PRIu64, name->run,
				  name->seq);
	}
	if (status == RV_DAMAGED)
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

static void fill_settings(struct replay *replay)
{
	static const enum rv_format by_option[] = { RV_FORMAT_AUTO, RV_FORMAT_NDJSON, RV_FORMAT_JSON,
						    RV_FORMAT_CSV, RV_FORMAT_TEXT };
	const struct rv_stream *stream = replay->stream;
	replay->settings = (struct rv_read_settings){
		.format = replay->options->format == FORMAT_STREAM ? stream->format
								     : by_option[replay->options->format],
		.csv = stream->csv, /* borrowed: the settings are not released */
		.max_record_bytes = replay->options->max_record,
		.max_depth = 1024,
		.refuse_river_key = stream->stamp != RV_STAMP_NONE,
	};
}

static enum rv_status judge(struct replay *replay, const char *stream, struct rv_error *err)
{
	char landed[RV_NUMBER_TEXT], again[RV_NUMBER_TEXT];
	if (replay->options->run && !replay->any)
		return no_such_run(replay->options->run, stream, err);
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
	if (rv_recover(&deliver, -1, should_stop, &ignored, err) != RV_OK)
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
				 .state = RV_STATE_INIT, .worst = RV_ERROR_INIT, .fd = -1 };
	if (replay.options->max_record == 0 || replay.options->max_record > (128u << 20))
		return rv_fail(err, RV_USAGE, "--max-record is from 1 byte to 128MiB");
	if (get_stream(cx, count, operands, &stream, err) != RV_OK ||
	    rv_wire_delivery(cx->profile, cx->lake, &delivery, err) != RV_OK)
		return err->status;
	replay.delivery = delivery;
	fill_settings(&replay);
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

/* `river rejects list` and `show`: what was refused. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/number.h"
#include "context.h"
#include "flow/catalog.h"
#include "flow/rejects.h"
#include "format/json_text.h"
#include "lakes.h"
#include "rejects.h"

#define PREVIEW_BYTES 160

enum rv_status river_rejects_stream(struct rv_command_context *cx, int count, char **operands,
				 struct rv_stream *ret, struct rv_error *err)
{
	if (count == 0) {
		rv_fail(err, RV_USAGE, "whose rejects? a stream is missing");
		rv_hint(err, "'river rejects list' shows the streams that have some");
		return err->status;
	}
	if (count > 1)
		return rv_fail(err, RV_USAGE, "one stream is enough, '%s' is too much", operands[1]);
	if (rv_wire_business(cx, operands[0], err) != RV_OK)
		return err->status;
	return rv_catalog_get(cx->lake, operands[0], ret, NULL, err);
}

enum rv_status river_rejects_no_run(const char *run, const char *stream, struct rv_error *err)
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
	uint64_t landed = 0, again = 0;
	const json_t *replay;
	unsigned part = 0;
	for (;; part++) {
		rv_rejects_replay_part(name, part, run);
		if (!(replay = json_object_get(listing->replays, run)))
			break;
		landed += rv_json_get_u64(replay, "accepted");
		again += rv_json_get_u64(replay, "rejected");
	}
	rv_rejects_replay_run(name, run);
	if (part)
		snprintf(replayed, sizeof(replayed), "%" PRIu64 " landed, %" PRIu64 " again", landed,
			 again);
	snprintf(seq, sizeof(seq), "%" PRIu64, name->seq);
	const char *cells[] = { name->day, name->run, seq, rv_format_count(name->rejected, count),
				rv_format_size(object->bytes, size), replayed };
	rv_out_table_row(listing->cx->out, cells);
	if (listing->cx->output != RV_OUT_JSON)
		return RV_OK;
	json_t *o = json_pack("{s:s, s:s, s:I, s:I, s:I, s:s}", "day", name->day, "run", name->run,
			      "seq", (json_int_t)name->seq, "rejected", (json_int_t)name->rejected,
			      "bytes", (json_int_t)object->bytes, "object", object->name);
	if (part) {
		json_object_set_new(o, "replay_run", json_string(run));
		json_object_set_new(o, "replay_landed", json_integer((json_int_t)landed));
		json_object_set_new(o, "replay_rejected", json_integer((json_int_t)again));
	}
	rv_out_json(listing->cx->out, o);
	return RV_OK;
}

/* A row for each stream. Its objects follow each other in its lake. */
struct overview_row {
	char stream[RV_STREAM_TEXT], newest[12];
	uint64_t rejects, batches, bytes;
};
struct overview {
	struct river_lakes lakes;
	const char *since_day;
	struct overview_row *rows;
	size_t count, capacity;
};

static enum rv_status overview_object(void *arg, const struct rv_rejects_name *name,
				      const struct rv_store_object *object, struct rv_error *err RV_UNUSED)
{
	struct overview *all = arg;
	struct overview_row row = { .rejects = 0 };
	if (!river_lakes_has(&all->lakes, name->business))
		return RV_OK;
	snprintf(row.stream, sizeof(row.stream), "%s/%s", name->business, name->stream);
	if (!all->count || strcmp(all->rows[all->count - 1].stream, row.stream) != 0) {
		RV_GROW(all->rows, all->count, all->capacity);
		all->rows[all->count++] = row;
	}
	struct overview_row *last = &all->rows[all->count - 1];
	memcpy(last->newest, name->day, sizeof(last->newest));
	last->rejects += name->rejected;
	last->batches++;
	last->bytes += object->bytes;
	return RV_OK;
}

static enum rv_status overview_lake(void *arg, struct rv_error *err)
{
	struct overview *all = arg;
	return rv_rejects_each(all->lakes.cx->lake, NULL, NULL, all->since_day, overview_object, all, err);
}

static int by_stream(const void *a, const void *b)
{
	const struct overview_row *x = a, *y = b;
	return strcmp(x->stream, y->stream);
}

static void print_overview_row(struct rv_command_context *cx, const struct overview_row *row)
{
	char count[RV_NUMBER_TEXT], batches[RV_NUMBER_TEXT], size[RV_NUMBER_TEXT];
	const char *cells[] = { row->stream, rv_format_count(row->rejects, count),
				rv_format_count(row->batches, batches), rv_format_size(row->bytes, size),
				row->newest };
	rv_out_table_row(cx->out, cells);
	if (cx->output == RV_OUT_JSON)
		rv_out_json(cx->out, json_pack("{s:s, s:I, s:I, s:I, s:s}", "stream", row->stream, "rejected",
					       (json_int_t)row->rejects, "batches",
					       (json_int_t)row->batches, "bytes", (json_int_t)row->bytes,
					       "newest", row->newest));
}

static enum rv_status list_all(struct rv_command_context *cx, const char *since_day,
			       struct rv_error *err)
{
	static const char *const headers[] = { "stream", "rejects", "batches", "size", "newest" };
	static const bool right[] = { false, true, true, true, false };
	struct overview all = { .since_day = since_day };
	river_lakes_init(&all.lakes, cx);
	enum rv_status status = river_lakes_each(&all.lakes, overview_lake, &all, err);
	if (all.count)
		qsort(all.rows, all.count, sizeof(*all.rows), by_stream);
	rv_out_table_begin(cx->out, headers, right, 5);
	for (size_t i = 0; i < all.count; i++)
		print_overview_row(cx, &all.rows[i]);
	rv_out_table_end(cx->out);
	free(all.rows);
	return status;
}

static enum rv_status list_run(struct rv_command_context *cx, void *options, int count,
			       char **operands, struct rv_error *err)
{
	static const char *const headers[] = { "day", "run", "batch", "rejects", "size", "replayed" };
	static const bool right[] = { false, false, true, true, true, false };
	const struct list_options *o = options;
	RV_CLEANUP(rv_stream_release_p) struct rv_stream stream;
	rv_stream_init(&stream);
	char day[RV_TIME_TEXT];
	if (o->since >= 0)
		rv_format_day(rv_clock_ms() - o->since, day);
	if (count == 0)
		return list_all(cx, o->since >= 0 ? day : NULL, err);
	if (river_rejects_stream(cx, count, operands, &stream, err) != RV_OK)
		return err->status;
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
	{ "river rejects list", "which streams have rejects, and how many" },
	{ "river rejects list web/clicks", "which runs had rejects, and how many" },
	{ "river rejects list web/clicks --since 7d", "those of the last week" },
	{ NULL, NULL },
};

const struct rv_command cmd_rejects_list = {
	.name = "rejects list",
	.group = RV_GROUP_MEND,
	.summary = "list the streams that have rejects, or the rejects of one",
	.operands = "[<stream>]",
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
	if (river_rejects_stream(cx, count, operands, &stream, err) != RV_OK)
		return err->status;
	struct show show = { .cx = cx, .options = options, .damage = RV_ERROR_INIT };
	enum rv_status status = rv_rejects_each(cx->lake, &stream, show.options->run, NULL, show_object,
						&show, err);
	forget_reject(&show);
	if (show.enough)
		status = RV_OK;
	if (status == RV_OK && show.options->run && !show.any)
		return river_rejects_no_run(show.options->run, operands[0], err);
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

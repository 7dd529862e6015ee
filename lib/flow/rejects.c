/* Reads rejects back without ever holding one of them whole. */
#include "flow/rejects.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/memory.h"
#include "flow/name_parts.h"
#include "flow/receipt.h"
#include "format/json_text.h"

#define PREFIX "_river/rejects/"
#define REPLAY "replay-"
/* A csv header and a path of 4096 bytes, each byte escaped, and a reason. */
#define HEAD_MAX_BYTES (6 * RV_REJECTS_HEADER_MAX + (256u << 10))
#define TAIL_MAX_BYTES 256
#define PIECE_BYTES (48u << 10)

/* ---- lines ---- */

void rv_rejects_add_piece(struct rv_strbuf *out, const struct rv_span *span, const char *source, const char *csv,
			  uint64_t length)
{
	if (span->first) {
		rv_strbuf_puts(out, "{\"v\":1,\"code\":");
		rv_strbuf_json(out, span->reason_code, strlen(span->reason_code));
		rv_strbuf_puts(out, ",\"reason\":");
		rv_strbuf_json(out, span->reason, strlen(span->reason));
		rv_strbuf_puts(out, ",\"source\":");
		rv_strbuf_json(out, source, strlen(source));
		rv_strbuf_printf(out, ",\"line\":%" PRIu64 ",\"offset\":%" PRIu64 ",\"fault\":%" PRIu64,
				 span->line, span->from, span->fault_offset);
		if (span->format != RV_FORMAT_AUTO)
			rv_strbuf_printf(out, ",\"format\":\"%s\"", rv_format_name(span->format));
		if (csv)
			rv_strbuf_printf(out, ",\"csv\":%s", csv);
		rv_strbuf_puts(out, ",\"bytes\":\"");
	}
	rv_strbuf_base64(out, span->bytes, span->len);
	if (!span->more)
		rv_strbuf_printf(out, "\",\"length\":%" PRIu64 "}\n", length);
}

/* ---- names ---- */

void rv_rejects_name_format(const struct rv_rejects_name *name, char *ret)
{
	snprintf(ret, RV_OBJECT_NAME_MAX, PREFIX "%s/%s/%s/%s-%06" PRIu64 "-r%" PRIu64 ".ndjson",
		 name->business, name->stream, name->day, name->run, name->seq, name->rejected);
}

bool rv_rejects_name_parse(const char *text, struct rv_rejects_name *ret)
{
	struct rv_rejects_name name = { .seq = 0 };
	const char *p = text;
	if (!rv_starts_with(p, PREFIX))
		return false;
	p += strlen(PREFIX);
	if (!rv_name_take_folder(&p, name.business, sizeof(name.business)) ||
	    !rv_name_take_folder(&p, name.stream, sizeof(name.stream)) ||
	    !rv_name_take_folder(&p, name.day, sizeof(name.day)) || !rv_ends_with(p, ".ndjson"))
		return false;
	size_t len = strlen(p) - strlen(".ndjson");
	if (!rv_name_take_count(p, &len, 'r', &name.rejected) ||
	    !rv_name_take_seq(p, &len, &name.seq) || !rv_name_take_run(p, len, name.run))
		return false;
	char again[RV_OBJECT_NAME_MAX];
	rv_rejects_name_format(&name, again);
	if (strcmp(again, text) != 0)
		return false;
	*ret = name;
	return true;
}

/* ---- one object ---- */

enum part { IN_HEAD, IN_BYTES, IN_TAIL };

struct rv_rejects_reader {
	const char *name;
	struct rv_rejects_sink sink;
	enum part part;
	uint64_t count;             /* rejects that were read whole */
	struct rv_strbuf head, tail;
	json_t *csv;                /* of the csv row read last */
	uint32_t bits;              /* of an unfinished group of four */
	unsigned group, padding;
	uint64_t decoded;
	size_t piece_len;
	unsigned char piece[PIECE_BYTES];
};

struct rv_rejects_reader *rv_rejects_reader_new(const char *name, const struct rv_rejects_sink *sink)
{
	struct rv_rejects_reader *r = rv_calloc(1, sizeof(*r));
	r->name = name;
	r->sink = *sink;
	r->head = r->tail = (struct rv_strbuf)RV_STRBUF_INIT;
	return r;
}

void rv_rejects_reader_free(struct rv_rejects_reader *r)
{
	if (!r)
		return;
	rv_strbuf_release(&r->head);
	rv_strbuf_release(&r->tail);
	json_decref(r->csv);
	free(r);
}

void rv_rejects_reader_free_p(struct rv_rejects_reader **r)
{
	rv_rejects_reader_free(*r);
	*r = NULL;
}

static enum rv_status damaged(const struct rv_rejects_reader *r, const char *what, struct rv_error *err)
{
	rv_fail(err, RV_DAMAGED, "the rejects %s are damaged at line %" PRIu64 ": %s", r->name,
		r->count + 1, what);
	rv_error_at(err, r->name, r->count + 1, 0);
	return err->status;
}

static enum rv_status head_complete(struct rv_rejects_reader *r, struct rv_error *err)
{
	json_error_t ignored;
	rv_strbuf_puts(&r->head, "\"}");
	json_t *o = json_loadb(r->head.bytes, r->head.len, JSON_REJECT_DUPLICATES, &ignored);
	rv_strbuf_clear(&r->head);
	json_int_t version = json_integer_value(json_object_get(o, "v"));
	struct rv_reject reject = {
		.number = r->count + 1,
		.code = json_string_value(json_object_get(o, "code")),
		.reason = json_string_value(json_object_get(o, "reason")),
		.source = json_string_value(json_object_get(o, "source")),
		.line = rv_json_get_u64(o, "line"),
		.offset = rv_json_get_u64(o, "offset"),
		.fault = rv_json_get_u64(o, "fault"),
	};
	const char *format = json_string_value(json_object_get(o, "format"));
	bool format_ok = !format || rv_format_parse(format, &reject.format);
	json_t *csv = json_object_get(o, "csv");
	if (csv) {
		json_decref(r->csv);
		r->csv = json_incref(csv);
	}
	if (reject.format == RV_FORMAT_CSV)
		reject.csv = r->csv;
	enum rv_status status;
	if (version > RV_REJECTS_VERSION)
		status = rv_fail(err, RV_BAD_CONFIG,
				 "the rejects %s were written by a newer river (version %d)", r->name,
				 (int)version);
	else if (version < 1 || !reject.code || !reject.reason || !reject.source || !format_ok ||
		 (csv && !json_is_string(json_object_get(csv, "header"))))
		status = damaged(r, "that is not a reject", err);
	else
		status = r->sink.begin(r->sink.arg, &reject, err);
	json_decref(o);
	r->part = IN_BYTES;
	r->bits = r->group = r->padding = 0;
	r->decoded = 0;
	return status;
}

static enum rv_status flush(struct rv_rejects_reader *r, struct rv_error *err)
{
	size_t len = r->piece_len;
	r->piece_len = 0;
	r->decoded += len;
	return len ? r->sink.bytes(r->sink.arg, r->piece, len, err) : RV_OK;
}

static int sextet(unsigned char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static enum rv_status take_base64(struct rv_rejects_reader *r, unsigned char c, struct rv_error *err)
{
	if (c == '=') {
		r->padding++;
	} else if (r->padding) {
		return damaged(r, "bytes behind the end of its base64", err);
	}
	int value = c == '=' ? 0 : sextet(c);
	if (value < 0)
		return damaged(r, "a character that is not base64", err);
	r->bits = r->bits << 6 | (uint32_t)value;
	if (++r->group < 4)
		return RV_OK;
	r->group = 0;
	if (r->padding > 2)
		return damaged(r, "the base64 has too much padding", err);
	/* What padding leaves over is zero: a flipped bit there would pass unseen. */
	if (r->padding && (r->bits & (r->padding == 1 ? 0xffu : 0xffffu)))
		return damaged(r, "the base64 has bits behind its end", err);
	if (r->piece_len + 3 > sizeof(r->piece) && flush(r, err) != RV_OK)
		return err->status;
	for (unsigned i = 0; i < 3 - r->padding; i++)
		r->piece[r->piece_len++] = (unsigned char)(r->bits >> (16 - 8 * i));
	r->bits = 0;
	return RV_OK;
}

static enum rv_status tail_complete(struct rv_rejects_reader *r, struct rv_error *err)
{
	/* `,"length":12}` is an object but for its first character. */
	json_error_t ignored;
	json_t *o = NULL;
	if (r->tail.len && r->tail.bytes[0] == ',') {
		r->tail.bytes[0] = '{';
		o = json_loadb(r->tail.bytes, r->tail.len, JSON_REJECT_DUPLICATES, &ignored);
	}
	bool has_length = json_is_integer(json_object_get(o, "length"));
	uint64_t length = rv_json_get_u64(o, "length");
	json_decref(o);
	rv_strbuf_clear(&r->tail);
	if (!has_length)
		return damaged(r, "it has no length", err);
	if (length != r->decoded)
		return damaged(r, "its length is not that of its bytes", err);
	if (r->sink.end(r->sink.arg, length, err) != RV_OK)
		return err->status;
	r->count++;
	r->part = IN_HEAD;
	return RV_OK;
}

static enum rv_status take(struct rv_rejects_reader *r, char c, struct rv_error *err)
{
	/* Quotes inside of strings are escaped, so this cannot be part of one. */
	static const char mark[] = ",\"bytes\":\"";
	const size_t mark_len = sizeof(mark) - 1;
	switch (r->part) {
	case IN_HEAD:
		if (c == '\n' || r->head.len >= HEAD_MAX_BYTES)
			return damaged(r, "it holds no bytes", err);
		rv_strbuf_putc(&r->head, c);
		if (c == '"' && r->head.len > mark_len &&
		    memcmp(r->head.bytes + r->head.len - mark_len, mark, mark_len) == 0)
			return head_complete(r, err);
		return RV_OK;
	case IN_BYTES:
		if (c != '"')
			return take_base64(r, (unsigned char)c, err);
		if (r->group)
			return damaged(r, "its base64 is cut off", err);
		r->part = IN_TAIL;
		return flush(r, err);
	case IN_TAIL:
		if (c == '\n')
			return tail_complete(r, err);
		if (r->tail.len >= TAIL_MAX_BYTES)
			return damaged(r, "it does not end", err);
		rv_strbuf_putc(&r->tail, c);
		return RV_OK;
	}
	return RV_OK;
}

enum rv_status rv_rejects_reader_feed(struct rv_rejects_reader *r, const void *p, size_t len,
				      struct rv_error *err)
{
	const char *bytes = p;
	for (size_t i = 0; i < len; i++)
		if (take(r, bytes[i], err) != RV_OK)
			return err->status;
	return RV_OK;
}

enum rv_status rv_rejects_reader_end(struct rv_rejects_reader *r, uint64_t *ret_count,
				     struct rv_error *err)
{
	if (ret_count)
		*ret_count = r->count;
	return r->part == IN_HEAD && r->head.len == 0 ? RV_OK
						       : damaged(r, "it ends in the middle", err);
}

static enum rv_status feed(void *arg, const void *p, size_t len, struct rv_error *err)
{
	return rv_rejects_reader_feed(arg, p, len, err);
}

enum rv_status rv_rejects_read(struct rv_store *lake, const char *name,
			       const struct rv_rejects_sink *sink, struct rv_error *err)
{
	struct rv_rejects_name parsed;
	RV_CLEANUP(rv_rejects_reader_free_p)
	struct rv_rejects_reader *reader = rv_rejects_reader_new(name, sink);
	uint64_t count;
	if (lake->ops->read(lake, name, feed, reader, err) != RV_OK ||
	    rv_rejects_reader_end(reader, &count, err) != RV_OK)
		return err->status;
	if (rv_rejects_name_parse(name, &parsed) && parsed.rejected != count) {
		rv_fail(err, RV_DAMAGED, "the rejects %s are %" PRIu64 ", not %" PRIu64, name, count,
			parsed.rejected);
		rv_error_at(err, name, count + 1, 0);
		return err->status;
	}
	return RV_OK;
}

/* ---- all of a stream ---- */

struct walk {
	const char *run, *since_day;
	enum rv_status (*each)(void *arg, const struct rv_rejects_name *name,
			       const struct rv_store_object *object, struct rv_error *err);
	void *arg;
};

static enum rv_status walk_step(void *arg, const struct rv_store_object *object, struct rv_error *err)
{
	const struct walk *walk = arg;
	struct rv_rejects_name name;
	if (!rv_rejects_name_parse(object->name, &name) ||
	    (walk->run && strcmp(walk->run, name.run) != 0) ||
	    (walk->since_day && strcmp(name.day, walk->since_day) < 0))
		return RV_OK;
	return walk->each(walk->arg, &name, object, err);
}

enum rv_status rv_rejects_each(struct rv_store *lake, const struct rv_stream *stream,
			       const char *run, const char *since_day,
			       enum rv_status (*each)(void *arg, const struct rv_rejects_name *name,
						      const struct rv_store_object *object,
						      struct rv_error *err),
			       void *arg, struct rv_error *err)
{
	struct walk walk = { run, since_day, each, arg };
	RV_CLEANUP(rv_free_p)
	char *prefix = stream ? rv_asprintf(PREFIX "%s/%s/", stream->business, stream->name)
			      : rv_strdup(PREFIX);
	RV_CLEANUP(rv_free_p) char *after = stream && since_day ? rv_asprintf("%s%s", prefix, since_day) : NULL;
	struct rv_store_list list = { .prefix = prefix, .after = after };
	return lake->ops->list(lake, &list, walk_step, &walk, err);
}

/* ---- replays ---- */

void rv_rejects_replay_run(const struct rv_rejects_name *name, char ret[RV_RUN_MAX + 1])
{
	char base[RV_RUN_MAX + 32];
	int len = snprintf(base, sizeof(base), "%s-%06" PRIu64, name->run, name->seq);
	if ((size_t)len + strlen(REPLAY) <= RV_RUN_MAX && !rv_starts_with(base, REPLAY)) {
		memcpy(ret, REPLAY, strlen(REPLAY));
		memcpy(ret + strlen(REPLAY), base, (size_t)len + 1);
		return;
	}
	/* Names of replays of replays would grow without end. */
	XXH128_hash_t hash = XXH3_128bits(base, (size_t)len);
	snprintf(ret, RV_RUN_MAX + 1, REPLAY "%016" PRIx64 "%016" PRIx64, (uint64_t)hash.high64,
		 (uint64_t)hash.low64);
}

void rv_rejects_replay_part(const struct rv_rejects_name *name, unsigned part,
			    char ret[RV_RUN_MAX + 1])
{
	char base[RV_RUN_MAX + 48];
	if (part == 0) {
		rv_rejects_replay_run(name, ret);
		return;
	}
	int len = snprintf(base, sizeof(base), "%s-%06" PRIu64 "/%u", name->run, name->seq, part);
	XXH128_hash_t hash = XXH3_128bits(base, (size_t)len);
	snprintf(ret, RV_RUN_MAX + 1, REPLAY "%016" PRIx64 "%016" PRIx64, (uint64_t)hash.high64,
		 (uint64_t)hash.low64);
}

static enum rv_status note_replay(void *arg, const struct rv_store_object *object,
				  struct rv_error *err RV_UNUSED)
{
	json_t *replays = arg;
	struct rv_receipt_name name;
	if (rv_receipt_name_parse(object->name, &name) && !name.open && rv_starts_with(name.run, REPLAY))
		json_object_set_new(replays, name.run,
				    json_pack("{s:I, s:I}", "accepted", (json_int_t)name.accepted,
					      "rejected", (json_int_t)name.rejected));
	return RV_OK;
}

enum rv_status rv_rejects_replays(struct rv_store *lake, const struct rv_stream *stream, json_t **ret,
				  struct rv_error *err)
{
	char prefix[RV_OBJECT_NAME_MAX];
	rv_receipt_prefix(stream, prefix);
	struct rv_store_list list = { .prefix = prefix };
	json_t *replays = json_object();
	if (lake->ops->list(lake, &list, note_replay, replays, err) != RV_OK) {
		json_decref(replays);
		return err->status;
	}
	*ret = replays;
	return RV_OK;
}

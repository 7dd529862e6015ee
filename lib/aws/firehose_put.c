/*
 * PutRecordBatch: what is sent and how its answer is read.
 *
 * Both run for every byte that is pushed. So records are encoded straight into the request's body,
 * and an answer, which is nearly half as long as what it is about, is walked without building
 * anything: its usual form by read_usual, any other by the validator and an iterator.
 */
#include "aws/firehose.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "aws/firehose_impl.h"
#include "base/number.h"
#include "format/base64.h"
#include "format/json_path.h"
#include "format/json_scan.h"

/* ---- the request ------------------------------------------------------------- */

static char *put_text(char *w, const char *text)
{
	size_t len = strlen(text);

	memcpy(w, text, len);
	return w + len;
}

void rv_firehose_put_body(struct rv_strbuf *body, const char *stream,
			  const struct rv_firehose_record *records, size_t count)
{
	static const char before[] = "{\"Data\":\"", after[] = "\"},";
	size_t room = strlen(stream) + 64;

	for (size_t i = 0; i < count; i++)
		room += sizeof(before) + sizeof(after) + RV_BASE64_LEN(records[i].len);
	rv_strbuf_clear(body);
	rv_strbuf_reserve(body, room);
	char *w = body->bytes;
	/* a stream's name needs no escapes: [a-zA-Z0-9_.-] */
	w = put_text(w, "{\"DeliveryStreamName\":\"");
	w = put_text(w, stream);
	w = put_text(w, "\",\"Records\":[");
	for (size_t i = 0; i < count; i++) {
		memcpy(w, before, sizeof(before) - 1);
		w += sizeof(before) - 1;
		w += rv_base64_encode(records[i].bytes, records[i].len, w);
		memcpy(w, after, sizeof(after) - 1);
		w += sizeof(after) - 1;
	}
	w = put_text(w - (count > 0), "]}");
	*w = '\0';
	body->len = (size_t)(w - body->bytes);
}

/* ---- the answer -------------------------------------------------------------- */

static bool skip_text(const char **p, const char *end, const char *text, size_t len)
{
	if ((size_t)(end - *p) < len || memcmp(*p, text, len) != 0)
		return false;
	*p += len;
	return true;
}
#define SKIP(p, end, literal) skip_text(p, end, literal, sizeof(literal) - 1)

/* A string's inside, up to its quote; false at anything that has to be looked at twice. */
static bool skip_plain(const char **ret_p, const char *end)
{
	const char *p = *ret_p;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;

	while (end - p >= 8) {
		uint64_t w, quote, slash;

		memcpy(&w, p, 8);
		quote = w ^ (ones * '"');
		slash = w ^ (ones * '\\');
		/* Borrows may mark a byte above a real hit, never below: the lowest mark is exact. */
		w = (((quote - ones) & ~quote) | ((slash - ones) & ~slash) |
		     ((w - ones * 0x20) & ~w) | w) & tops;
		if (w) {
			p += __builtin_ctzll(w) / 8;
			*ret_p = p;
			return *p == '"';
		}
		p += 8;
	}
#endif
	while (p < end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20 &&
	       (unsigned char)*p < 0x80)
		p++;
	*ret_p = p;
	return p < end && *p == '"';
}

/* The answer as Firehose writes it when all went well: every record has an id. Says true only about
 * text that is valid JSON to the last byte; false means nothing. */
static bool read_usual(const char *p, size_t len, size_t count)
{
	const char *end = p + len;
	bool failed = false, results = false;

	if (!SKIP(&p, end, "{"))
		return false;
	for (;;) {
		if (SKIP(&p, end, "\"FailedPutCount\":0")) {
			failed = true;
		} else if (SKIP(&p, end, "\"Encrypted\":false") || SKIP(&p, end, "\"Encrypted\":true")) {
			/* encryption at rest of the stream; nothing about these records */
		} else if (!results && SKIP(&p, end, "\"RequestResponses\":[")) {
			results = true;
			for (size_t i = 0; i < count; i++) {
				const char *id;

				if (!SKIP(&p, end, "{\"RecordId\":\""))
					return false;
				id = p;
				if (!skip_plain(&p, end) || p == id || !SKIP(&p, end, "\"}"))
					return false;
				if (i + 1 < count && !SKIP(&p, end, ","))
					return false;
			}
			if (!SKIP(&p, end, "]"))
				return false;
		} else {
			return false;
		}
		if (SKIP(&p, end, "}"))
			break;
		if (!SKIP(&p, end, ","))
			return false;
	}
	return failed && results && p == end;
}

static bool is_key(const struct rv_json_key *key, const char *name)
{
	return !key->escaped && key->len == strlen(name) && memcmp(key->p, name, key->len) == 0;
}

static void copy_string(const struct rv_json_value *value, char *out, size_t size)
{
	size_t len = value->len - 2;
	char text[1024];

	if (len > sizeof(text))
		len = sizeof(text);
	len = rv_json_unescape(value->p + 1, len, text);
	snprintf(out, size, "%.*s", (int)len, text);
}

/* False: the entry says neither that the record was taken nor that it was not. */
static bool read_entry(const struct rv_json_value *entry, enum rv_firehose_fate *fate,
		       struct rv_firehose_result *ret)
{
	struct rv_json_value id = { 0 }, code = { 0 }, message = { 0 }, value;
	struct rv_json_iter it;
	struct rv_json_key key;

	if (entry->type != RV_JSON_OBJECT)
		return false;
	rv_json_iter_init(&it, entry->p, entry->len);
	while (rv_json_iter_next(&it, &key, &value)) {
		if (value.type != RV_JSON_STRING || value.len <= 2)
			continue; /* null and "" are as good as not there */
		if (is_key(&key, "RecordId"))
			id = value;
		else if (is_key(&key, "ErrorCode"))
			code = value;
		else if (is_key(&key, "ErrorMessage"))
			message = value;
	}
	if (code.type == RV_JSON_STRING) {
		char text[sizeof(ret->code)];

		copy_string(&code, text, sizeof(text));
		/* "InternalFailure": the record may have been written all the same (API Reference,
		 * PutRecordBatch) */
		*fate = strcmp(text, "InternalFailure") == 0 ? RV_FIREHOSE_UNKNOWN :
							       RV_FIREHOSE_REFUSED;
		if (!ret->code[0]) {
			snprintf(ret->code, sizeof(ret->code), "%s", text);
			if (message.type == RV_JSON_STRING)
				copy_string(&message, ret->message, sizeof(ret->message));
		}
		return true;
	}
	*fate = RV_FIREHOSE_TAKEN;
	return id.type == RV_JSON_STRING;
}

static enum rv_status disbelieve(struct rv_error *err)
{
	err->transient = true;
	err->http_status = 200;
	return err->status;
}

static enum rv_status read_any(const char *p, size_t len, size_t count,
			       enum rv_firehose_fate *fates, struct rv_firehose_result *ret,
			       struct rv_error *err)
{
	struct rv_json_value value, results = { 0 }, failed = { 0 };
	struct rv_json_scan scan;
	struct rv_json_iter it;
	struct rv_json_key key;
	size_t blank = 0, seen = 0;
	uint64_t said;

	while (blank < len && strchr(" \t\r\n", p[blank]) && p[blank])
		blank++;
	p += blank;
	len -= blank;
	rv_json_scan_object(p, len, 0, 0, &scan);
	for (size_t i = scan.end; scan.fault == RV_JSON_OK && i < len; i++)
		if (p[i] != ' ' && p[i] != '\t' && p[i] != '\r' && p[i] != '\n')
			scan.fault = RV_JSON_SYNTAX;
	if (scan.fault != RV_JSON_OK) {
		rv_fail(err, RV_FAILED, "the answer to PutRecordBatch is no JSON object (%s)",
			rv_json_fault_text(scan.fault));
		rv_hint(err, "a proxy or a portal may have answered instead of Firehose: look at "
			     "HTTPS_PROXY and at the endpoint");
		return disbelieve(err);
	}
	rv_json_iter_init(&it, p, scan.end);
	while (rv_json_iter_next(&it, &key, &value)) {
		if (is_key(&key, "RequestResponses"))
			results = value;
		else if (is_key(&key, "FailedPutCount"))
			failed = value;
	}
	if (results.type != RV_JSON_ARRAY || failed.type != RV_JSON_NUMBER_VALUE ||
	    !rv_parse_u64(failed.p, failed.len, &said)) {
		rv_fail(err, RV_FAILED, "the answer to PutRecordBatch has no %s",
			results.type != RV_JSON_ARRAY ? "RequestResponses" : "FailedPutCount");
		return disbelieve(err);
	}
	rv_json_iter_init(&it, results.p, results.len);
	for (; rv_json_iter_next(&it, NULL, &value); seen++) {
		if (seen >= count)
			continue;
		if (!read_entry(&value, &fates[seen], ret)) {
			rv_fail(err, RV_FAILED,
				"the answer to PutRecordBatch has neither an id nor an error for record %zu "
				"of %zu", seen + 1, count);
			return disbelieve(err);
		}
		ret->taken += fates[seen] == RV_FIREHOSE_TAKEN;
		ret->refused += fates[seen] == RV_FIREHOSE_REFUSED;
		ret->unknown += fates[seen] == RV_FIREHOSE_UNKNOWN;
	}
	if (seen != count) {
		rv_fail(err, RV_FAILED, "the answer to PutRecordBatch has %zu results for %zu records", seen,
			count);
		return disbelieve(err);
	}
	if (said != count - ret->taken) {
		rv_fail(err, RV_FAILED,
			"the answer to PutRecordBatch counts %llu failed records and lists %zu",
			(unsigned long long)said, count - ret->taken);
		return disbelieve(err);
	}
	return RV_OK;
}

static void set_all(enum rv_firehose_fate fate, size_t count, enum rv_firehose_fate *fates,
		    struct rv_firehose_result *ret)
{
	for (size_t i = 0; i < count; i++)
		fates[i] = fate;
	*ret = (struct rv_firehose_result){
		.taken = fate == RV_FIREHOSE_TAKEN ? count : 0,
		.refused = fate == RV_FIREHOSE_REFUSED ? count : 0,
		.unknown = fate == RV_FIREHOSE_UNKNOWN ? count : 0,
	};
}

enum rv_status rv_firehose_read_answer(const char *p, size_t len, size_t count,
				       enum rv_firehose_fate *fates,
				       struct rv_firehose_result *ret, struct rv_error *err)
{
	if (read_usual(p, len, count)) {
		set_all(RV_FIREHOSE_TAKEN, count, fates, ret);
		return RV_OK;
	}
	*ret = (struct rv_firehose_result){ 0 };
	enum rv_status status = read_any(p, len, count, fates, ret, err);
	if (status != RV_OK)
		set_all(RV_FIREHOSE_UNKNOWN, count, fates, ret);
	return status;
}

/* ---- both -------------------------------------------------------------------- */

void rv_firehose_room_release(struct rv_firehose_room *room)
{
	rv_strbuf_release(&room->body);
	rv_http_response_release(&room->response);
}

enum rv_status rv_firehose_put(struct rv_firehose *firehose, const char *stream,
			       const struct rv_firehose_record *records, size_t count,
			       struct rv_firehose_room *room, enum rv_firehose_fate *fates,
			       struct rv_firehose_result *ret, struct rv_error *err)
{
	struct rv_http_tally tally = { 0 };

	rv_firehose_put_body(&room->body, stream, records, count);
	rv_http_response_clear(&room->response);
	const struct rv_aws_request request = {
		.method = "POST",
		.headers = &firehose->put_headers,
		.body = { .bytes = room->body.bytes, .fd = -1, .len = room->body.len },
		/* The stamps make a second copy harmless, but the caller counts them. */
		.not_repeatable = true,
		.max_attempts = 1,
		.total_timeout_ms = RV_FIREHOSE_PUT_TIMEOUT_MS,
	};
	enum rv_status status =
		rv_aws_send(firehose->client, &request, NULL, &room->response, &tally, err);
	if (status == RV_OK)
		return rv_firehose_read_answer(room->response.body.bytes, room->response.body.len, count,
					       fates, ret, err);
	/* A refusal of the call and "slow down" come before anything is taken; 0 is no answer, which
	 * the tally knows about. */
	int http = err->http_status;
	bool certain = http == 0 || (http >= 300 && http < 500) || http == 503 ||
		       rv_aws_code_throttle(err->service_code, http);
	set_all(tally.unknown || !certain ? RV_FIREHOSE_UNKNOWN : RV_FIREHOSE_REFUSED, count, fates, ret);
	return status;
}

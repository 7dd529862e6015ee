/*
 * Answers of an HTTP/1.1 server, read piece by piece off a kept connection, strictly: what is unclear
 * where the answer ends (RFC 9112, 6.3) is a fault, for what comes behind it would be taken for the next
 * answer. Bodies are passed over.
 *
 * Pure: no clock, no descriptor, no allocation.
 */
#ifndef RV_HTTP_ANSWER_H
#define RV_HTTP_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RV_HTTP_HEAD_BYTES (64u << 10) /* a head may have so many */
#define RV_HTTP_LINE_BYTES 1024        /* of a line, what is looked at */
#define RV_HTTP_SKIP_BYTES (1u << 20)  /* a body that nobody wants may have so many */

enum rv_http_answer_state {
	RV_HTTP_ANSWER_MORE,   /* bytes are missing */
	RV_HTTP_ANSWER_DONE,   /* whole */
	RV_HTTP_ANSWER_BROKEN, /* `fault` says why; the connection is good for nothing any more */
};
struct rv_http_answer {
	/* DONE: */
	int status;
	bool keep;                /* the connection may be used again */
	const char *fault;
	/* its own: */
	unsigned part;
	char line[RV_HTTP_LINE_BYTES];
	size_t line_len;
	bool behind_cr;           /* the last byte of the line so far, kept or not */
	size_t head_bytes;
	uint64_t left;            /* of the body, or of the chunk */
	uint64_t body_bytes;
	bool old;                 /* HTTP/1.0 */
	bool has_length, chunked, close, keep_alive;
	int64_t date_ms, retry_after_ms, retry_date_ms; /* -1: not said */
};
void rv_http_answer_init(struct rv_http_answer *answer);
/* Takes bytes up to the end of the answer; *ret_used says how many. Not to be called after DONE or BROKEN.
 * `len` 0: the server closed, which ends a body without a length. Interim answers (1xx) are passed over. */
enum rv_http_answer_state rv_http_answer_feed(struct rv_http_answer *answer, const char *p, size_t len,
					      size_t *ret_used);
/* How long a DONE one asks to wait, as rv_http_retry_after_ms has it; -1: it does not say. */
int64_t rv_http_answer_retry_after_ms(const struct rv_http_answer *answer, int64_t now_ms);
/* Nothing of an answer has come yet. */
bool rv_http_answer_fresh(const struct rv_http_answer *answer);

#endif

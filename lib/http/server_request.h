/*
 * Requests as river's own collector reads them: HTTP/1.1 and 1.0, strictly. What two programs could
 * understand differently (two lengths, a length beside chunks, bare line feeds, folded lines, a blank
 * before a colon) is refused, and nothing behind it is looked at: RFC 9112 with every "may" decided
 * for no.
 *
 * Pure functions over bytes: nothing is allocated, slices point into the caller's bytes.
 */
#ifndef RV_HTTP_SERVER_REQUEST_H
#define RV_HTTP_SERVER_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"

#define RV_HTTP_FIELDS_MAX 100
#define RV_HTTP_HEAD_MAX (16u << 10)
#define RV_HTTP_TARGET_MAX (8u << 10)

enum rv_http_read {
	RV_HTTP_MORE,    /* whole so far; more bytes are needed */
	RV_HTTP_DONE,
	RV_HTTP_REFUSED, /* answer with the status and close */
};
/* Why: a status and a lower case phrase. */
struct rv_http_refusal {
	int status;
	const char *why;
};

struct rv_http_field {
	struct rv_str name, value; /* the value without blanks around it; may hold bytes from 0x80 */
};
struct rv_http_head {
	struct rv_str method;
	struct rv_str path;         /* as it was sent, up to the '?'; "*" of OPTIONS */
	struct rv_str query;        /* behind the '?'; p NULL: there is none */
	struct rv_str host;         /* with its port; len 0: HTTP/1.0 without one */
	unsigned minor;             /* HTTP/1.<minor>: 0 or 1 */
	bool keep_alive;            /* the client wants to go on afterwards */
	bool expects_continue;      /* it waits for "100 Continue" before it sends the body */
	bool chunked;
	uint64_t content_length;    /* 0 without a body */
	struct rv_http_field fields[RV_HTTP_FIELDS_MAX]; /* in the order they came in */
	size_t fields_count;
	size_t len;                 /* of the head, its empty line included */
};

/*
 * The head of the request that begins at p[0]. `seen` is how many of the bytes an earlier call with the
 * same beginning has looked at (0: none), so that a head that trickles in is not searched again.
 */
enum rv_http_read rv_http_head_read(const char *p, size_t len, size_t seen, struct rv_http_head *ret,
				    struct rv_http_refusal *refusal);
/* The field of that name (lower case), or NULL; of several the first. */
const struct rv_http_field *rv_http_head_field(const struct rv_http_head *head, const char *name);
/* ASCII only; `lower` is lower case. */
bool rv_http_name_is(struct rv_str name, const char *lower);

/* A body in chunks, decoded piece by piece. Initialise with zeros. */
struct rv_http_chunks {
	enum rv_http_chunks_state {
		RV_HTTP_CHUNK_SIZE,
		RV_HTTP_CHUNK_EXTENSION,
		RV_HTTP_CHUNK_SIZE_LF,
		RV_HTTP_CHUNK_DATA,
		RV_HTTP_CHUNK_DATA_CR,
		RV_HTTP_CHUNK_DATA_LF,
		RV_HTTP_CHUNK_END_CR,
		RV_HTTP_CHUNK_END_LF,
	} state;
	unsigned digits;            /* of the size that is being read */
	unsigned extension_bytes;
	uint64_t left;              /* of the chunk */
	uint64_t total;             /* bytes of data so far */
};
/*
 * Reads up to the next piece of data: `used` bytes of p were looked at, `data` (maybe empty) is the piece
 * among them. DONE: the body has ended, what is behind `used` is the next request. Data beyond `max_bytes`
 * is refused with 413 before it is read; trailers and anything that is no chunk with 400.
 */
enum rv_http_read rv_http_chunks_read(struct rv_http_chunks *chunks, const char *p, size_t len,
				      uint64_t max_bytes, size_t *used, struct rv_str *data,
				      struct rv_http_refusal *refusal);

#endif

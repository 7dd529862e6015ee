/*
 * One event as the collector stores it: the body that was sent and, around it, the request it came with,
 * in the shape that an API gateway's function would have written (keys, order and spelling of Python's
 * json.dumps: ", " and ": ", all but ASCII escaped). Values are kept as they were spelled: 12.50 stays
 * 12.50.
 *
 * An event is a JSON object with `cid` and `z`, each a string that is not empty or a number. `uip`, `ua`,
 * `dl`, `dr` and `uid` are strings, numbers or null where they are there; everything else is anybody's.
 */
#ifndef RV_COLLECT_EVENT_H
#define RV_COLLECT_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "http/server_request.h"

/* Nested deeper, it is nobody's event. */
#define RV_EVENT_DEPTH_MAX 64

enum rv_event_key {
	RV_EVENT_CID,
	RV_EVENT_Z,
	RV_EVENT_UIP,
	RV_EVENT_UA,
	RV_EVENT_DL,
	RV_EVENT_DR,
	RV_EVENT_UID,
	RV_EVENT_KEYS
};
struct rv_event {
	struct rv_str body;                /* as it is stored */
	struct rv_str keys[RV_EVENT_KEYS]; /* values as they are stored; p NULL: not there */
};
/* Why it is none; `code` for programs. */
struct rv_event_fault {
	const char *code, *why;
	size_t at;                         /* byte of what was given */
};

/* Reads one event. `text` is emptied and holds what `ret` points to. False with the fault. */
bool rv_event_read(const char *p, size_t len, struct rv_strbuf *text, struct rv_event *ret,
		   struct rv_event_fault *fault);

/* "a=1&b=%20" as an object of strings, appended to `json`. False with the fault: it is no form. What it
 * holds may still not be UTF-8, which rv_event_read finds. */
bool rv_event_from_form(const char *p, size_t len, struct rv_strbuf *json,
			struct rv_event_fault *fault);

/*
 * A body with events: an object, an array of them, or with `lines` one a line. `each` gets every piece
 * with its offset; it is an event or not, which rv_event_read says. False: the body is no JSON at all,
 * and nothing was handed out.
 */
bool rv_event_split(const char *p, size_t len, bool lines, struct rv_strbuf *scratch,
		    void (*each)(void *arg, const char *event, size_t event_len), void *arg,
		    struct rv_event_fault *fault);

/* What the envelope says of the request. */
struct rv_event_request {
	const struct rv_http_head *head;
	struct rv_str headers;      /* rv_event_headers */
	const char *peer;           /* the address the request came from */
	const char *allow_origin;   /* as in the answer; NULL: not in it */
	int64_t received_ms, answered_ms;
};
/* The request's header fields as an object, but for what proves who sends it (`authorization` and the
 * collector's own key), appended to `out`. Of fields that come more than once the values are joined. */
void rv_event_headers(const struct rv_http_head *head, struct rv_strbuf *out);
/* Appends the record and a line end. */
void rv_event_envelope(struct rv_strbuf *out, const struct rv_event_request *request,
		       const struct rv_event *event);

/* The stored body of a record that rv_event_envelope wrote; false when it did not. */
bool rv_event_stored_body(const char *record, size_t len, struct rv_str *ret);

#endif

/*
 * Any bytes as the body of a request: what is taken for an event is valid JSON of ASCII on one line, spelled
 * once it stays as it is, its envelope is a valid record with that very body in it, and what is refused has a
 * reason that points inside.
 */
#include "fuzz.h"

#include "collect/event.h"
#include "format/json_scan.h"

static void check_ascii(struct rv_str s)
{
	for (size_t i = 0; i < s.len; i++)
		CHECK(s.p[i] >= ' ' && s.p[i] < 0x7f);
}

static void check_envelope(const struct rv_event *event)
{
	static const char head_text[] = "POST /collect HTTP/1.1\r\nHost: h\r\nUser-Agent: \xe9\"\r\n\r\n";
	struct rv_http_head head;
	struct rv_http_refusal refusal;
	struct rv_json_scan scan;
	struct rv_str body;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf headers = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf out = RV_STRBUF_INIT;
	CHECK(rv_http_head_read(head_text, sizeof(head_text) - 1, 0, &head, &refusal) == RV_HTTP_DONE);
	rv_event_headers(&head, &headers);
	const struct rv_event_request request = {
		.head = &head,
		.headers = { headers.bytes, headers.len },
		.peer = "::1",
		.allow_origin = "*",
		.received_ms = 1,
		.answered_ms = 2,
	};
	rv_event_envelope(&out, &request, event);
	CHECK(out.bytes[out.len - 1] == '\n');
	CHECK(rv_json_scan_object(out.bytes, out.len - 1, 0, RV_JSON_LINE_MODE, &scan) == RV_JSON_OK);
	CHECK(scan.end == out.len - 1);
	check_ascii((struct rv_str){ out.bytes, out.len - 1 });
	CHECK(rv_event_stored_body(out.bytes, out.len - 1, &body) && rv_str_eq(body, event->body));
}

static void see_event(void *arg, const char *p, size_t len)
{
	struct rv_event event, again;
	struct rv_event_fault fault = { NULL, NULL, 0 };
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf second = RV_STRBUF_INIT;
	(void)arg;
	if (!rv_event_read(p, len, &text, &event, &fault)) {
		CHECK(fault.code && fault.code[0] && fault.why && fault.why[0] && fault.at <= len);
		return;
	}
	check_ascii(event.body);
	CHECK(event.keys[RV_EVENT_CID].p && event.keys[RV_EVENT_Z].p);
	CHECK(rv_event_read(event.body.p, event.body.len, &second, &again, &fault));
	CHECK(rv_str_eq(event.body, again.body));
	check_envelope(&event);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rv_event_fault fault = { NULL, NULL, 0 };
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf scratch = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf json = RV_STRBUF_INIT;
	/* Exactly the bytes that may be read. */
	RV_CLEANUP(rv_free_p) char *text = rv_malloc(size);
	memcpy(text, data, size);
	if (!rv_event_split(text, size, false, &scratch, see_event, NULL, &fault))
		CHECK(fault.code && fault.why && fault.at <= size + 1);
	CHECK(rv_event_split(text, size, true, &scratch, see_event, NULL, &fault));
	if (rv_event_from_form(text, size, &json, &fault))
		see_event(NULL, json.bytes, json.len);
	else
		CHECK(fault.code && fault.why && fault.at < size);
	return 0;
}

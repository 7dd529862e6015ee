/* Events: what is one, how it is spelled, its envelope byte for byte, and every type where another belongs. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/memory.h"
#include "collect/event.h"
#include "collect/seen.h"

static void spelled(const char *text, const char *want)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf out = RV_STRBUF_INIT;
	struct rv_event event;
	struct rv_event_fault fault;
	size_t len = strlen(text);
	char *copy = rv_malloc(len);
	memcpy(copy, text, len);
	if (!rv_event_read(copy, len, &out, &event, &fault))
		fail_msg("%s at byte %zu: %s", fault.why, fault.at, text);
	free(copy);
	assert_int_equal(event.body.len, strlen(want));
	assert_memory_equal(event.body.p, want, event.body.len);
	/* Spelled once, it stays so. */
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf again = RV_STRBUF_INIT;
	struct rv_event second;
	assert_true(rv_event_read(event.body.p, event.body.len, &again, &second, &fault));
	assert_string_equal(again.bytes, out.bytes);
}

/* As Python's json.dumps(json.loads(text)) gives them, but for numbers, which stay as they came. */
static void test_spelling(void **state)
{
	(void)state;
	spelled("{\"cid\":\"a\",\"z\":\"b\"}", "{\"cid\": \"a\", \"z\": \"b\"}");
	spelled(" \r\n{ \"z\" : 1.50 ,\t\"cid\":-0,\"x\":[ ],\"y\":{ },\"w\":[1 , {\"a\":null}] }\n",
		"{\"z\": 1.50, \"cid\": -0, \"x\": [], \"y\": {}, \"w\": [1, {\"a\": null}]}");
	spelled("{\"cid\":\"1920\xc3\x97" "1080\",\"z\":\"\xf0\x9f\x8c\x8a\xe2\x82\xac\"}",
		"{\"cid\": \"1920\\u00d71080\", \"z\": \"\\ud83c\\udf0a\\u20ac\"}");
	spelled("{\"cid\":\"\\/\\u0041\\u00D7\\u001F\\u0008\\b\\f\\n\\r\\t\\\"\\\\\\u005c\\u0022\x7f\","
		"\"z\":\"\\uD83C\\uDF0A\\u0000\"}",
		"{\"cid\": \"/A\\u00d7\\u001f\\b\\b\\f\\n\\r\\t\\\"\\\\\\\\\\\"\\u007f\", "
		"\"z\": \"\\ud83c\\udf0a\\u0000\"}");
	spelled("{\"cid\":12345678901234567890.1230,\"z\":1E5,\"a\":true,\"b\":false,\"a\":[[]]}",
		"{\"cid\": 12345678901234567890.1230, \"z\": 1E5, \"a\": true, \"b\": false, \"a\": [[]]}");
}

static const char *why_not(const char *text, size_t len, size_t *at)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf out = RV_STRBUF_INIT;
	struct rv_event event;
	struct rv_event_fault fault = { NULL, NULL, 0 };
	char *copy = rv_malloc(len);
	memcpy(copy, text, len);
	bool taken = rv_event_read(copy, len, &out, &event, &fault);
	free(copy);
	*at = fault.at;
	return taken ? "" : fault.code;
}

static void refused(const char *text, const char *code)
{
	size_t at;
	const char *got = why_not(text, strlen(text), &at);
	if (strcmp(got, code) != 0)
		fail_msg("'%s', not '%s': %s", got, code, text);
}

static void test_189_no_event(void **state)
{
	(void)state;
	refused("", "empty");
	refused(" \n", "empty");
	refused("{\"z\":\"1\"}", "no_cid");
	refused("{\"cid\":\"1\"}", "no_z");
	refused("{\"cid\":\"\",\"z\":\"1\"}", "no_cid");
	refused("{\"cid\":\"1\",\"z\":null}", "no_z");
	/* Of a key that comes twice the last counts. */
	refused("{\"cid\":\"1\",\"z\":\"1\",\"cid\":null}", "no_cid");
	refused("{\"a\":{\"cid\":\"1\",\"z\":\"1\"}}", "no_cid");
	refused("{\"cid\":\"1\",\"z\":\"1\"", "not_json");
	refused("{\"cid\":\"1\",\"z\":\"1\"}}", "not_json");
	refused("{\"cid\":\"1\",\"z\":\"1\"}{}", "not_json");
	refused("{\"cid\":\"\xff\",\"z\":\"1\"}", "not_json");
	refused("{\"cid\":\"\\ud800\",\"z\":\"1\"}", "not_json");
	refused("{'cid':'1'}", "not_json");
	refused("cid=1&z=2", "not_object");
	refused("\"text\"", "not_object");
	refused("null", "not_object");
	refused("[]", "not_object");
	size_t at;
	assert_string_equal(why_not("{\"cid\":01}", 10, &at), "not_json");
	assert_int_equal(at, 8);
}

static void test_189_types(void **state)
{
	(void)state;
	static const char *const keys[] = { "cid", "z", "uip", "ua", "dl", "dr", "uid", "t" };
	static const char *const values[] = { "\"text\"", "12.5", "null", "true", "false", "[]", "{}",
					      "[\"text\"]", "{\"a\":\"text\"}" };
	for (size_t k = 0; k < 8; k++)
		for (size_t v = 0; v < 9; v++) {
			RV_CLEANUP(rv_free_p)
			char *text = rv_asprintf("{\"cid\":\"c\",\"z\":\"z\",\"%s\":%s}", keys[k], values[v]);
			bool id_null = k < 2 && v == 2;
			refused(text, k == 7 || v < 2 ? ""
				      : id_null	      ? k ? "no_z" : "no_cid"
				      : v == 2	      ? ""
						      : "wrong_type");
		}
	/* Deep, and deeper than anybody goes. */
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf deep = RV_STRBUF_INIT;
	rv_strbuf_puts(&deep, "{\"cid\":\"1\",\"z\":\"1\",\"x\":");
	size_t begin = deep.len;
	for (size_t depth = RV_EVENT_DEPTH_MAX - 1; depth <= RV_EVENT_DEPTH_MAX; depth++) {
		rv_strbuf_truncate(&deep, begin);
		for (size_t i = 0; i < depth; i++)
			rv_strbuf_putc(&deep, '[');
		for (size_t i = 0; i < depth; i++)
			rv_strbuf_putc(&deep, ']');
		rv_strbuf_putc(&deep, '}');
		refused(deep.bytes, depth < RV_EVENT_DEPTH_MAX ? "" : "not_json");
	}
}

/* ---- forms and batches ---- */

static void form(const char *text, const char *want)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf json = RV_STRBUF_INIT;
	struct rv_event_fault fault;
	size_t len = strlen(text);
	char *copy = rv_malloc(len);
	memcpy(copy, text, len);
	bool taken = rv_event_from_form(copy, len, &json, &fault);
	free(copy);
	if (!want) {
		assert_false(taken);
		return;
	}
	assert_true(taken);
	assert_string_equal(json.bytes, want);
}

static void test_forms(void **state)
{
	(void)state;
	form("", "{}");
	form("a=1&b=x+y%20z&&c&d=", "{\"a\": \"1\", \"b\": \"x y z\", \"c\": \"\", \"d\": \"\"}");
	form("a%3d=%C3%97%22%00\xff", "{\"a=\": \"\xc3\x97\\\"\\u0000\xff\"}");
	form("a=%", NULL);
	form("a=%4", NULL);
	form("a=%zz", NULL);
	form("%4=a", NULL);
	form("a=%41", "{\"a\": \"A\"}");
}

struct pieces {
	struct rv_strbuf text;
	size_t count;
};

static void add_piece(void *arg, const char *p, size_t len)
{
	struct pieces *pieces = arg;
	pieces->count++;
	rv_strbuf_putc(&pieces->text, '<');
	rv_strbuf_add(&pieces->text, p, len);
	rv_strbuf_putc(&pieces->text, '>');
}

static void split(const char *text, bool lines, const char *want)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf scratch = RV_STRBUF_INIT;
	struct pieces pieces = { .text = RV_STRBUF_INIT };
	struct rv_event_fault fault = { NULL, NULL, 0 };
	size_t len = strlen(text);
	char *copy = rv_malloc(len);
	memcpy(copy, text, len);
	bool whole = rv_event_split(copy, len, lines, &scratch, add_piece, &pieces, &fault);
	if (want) {
		assert_true(whole);
		assert_string_equal(pieces.text.bytes, want);
	} else {
		assert_false(whole);
		assert_int_equal(pieces.count, 0);
		assert_string_equal(fault.code, "not_json");
	}
	free(copy);
	rv_strbuf_release(&pieces.text);
}

static void test_187_batches(void **state)
{
	(void)state;
	split("{\"a\":[1]}", false, "<{\"a\":[1]}>");
	split(" [ {\"a\":1} , 3,\"x\",[{}] ,null]\n", false, "<{\"a\":1}><3><\"x\"><[{}]><null>");
	split("[]", false, "");
	split("[{}", false, NULL);
	split("[{}]]", false, NULL);
	split("[{}],[{}]", false, NULL);
	split("[1]}, {\"\":[2]", false, NULL);
	split("[1], \"\": [2]", false, NULL);
	split("[{},]", false, NULL);
	split("[{}] x", false, NULL);
	split("{}\r\n\n {\"b\":2} \nx", true, "<{}><{\"b\":2}><x>");
	split("", true, "");
}

/* ---- the envelope ---- */

static void test_envelope(void **state)
{
	(void)state;
	static const char text[] = "POST /rest/collect HTTP/1.1\r\nHost: a.example:8080\r\nUser-Agent: T\xc3\xa9st \"1\"\r\n"
				   "X-Forwarded-For: 1.2.3.4, 5.6.7.8\r\nAuthorization: Bearer secret\r\n"
				   "X-A: 1\r\nX-Write-Key: secret\r\nx-a: \xe9\r\n\r\n";
	static const char body[] = "{\"z\":\"11\",\"cid\":\"c\",\"dl\":\"http://x/?a=\\u0026\",\"dr\":null,\"pr\":9.90}";
	struct rv_http_head head;
	struct rv_http_refusal refusal;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf spelling = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf headers = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf out = RV_STRBUF_INIT;
	struct rv_event event;
	struct rv_event_fault fault;
	assert_int_equal(rv_http_head_read(text, strlen(text), 0, &head, &refusal), RV_HTTP_DONE);
	assert_true(rv_event_read(body, strlen(body), &spelling, &event, &fault));
	rv_event_headers(&head, &headers);
	struct rv_event_request request = {
		.head = &head,
		.headers = { headers.bytes, headers.len },
		.peer = "127.0.0.1",
		.allow_origin = "*",
		.received_ms = 1600000000123,
		.answered_ms = 1600000000125,
	};
	rv_event_envelope(&out, &request, &event);
	assert_string_equal(out.bytes,
		"{\"service\": {\"id\": \"api.collect\"}, \"context\": {\"user_ip\": \"1.2.3.4, 5.6.7.8\", "
		"\"user_agent\": \"T\\u00e9st \\\"1\\\"\", \"document_location\": \"http://x/?a=&\", "
		"\"document_referrer\": null, \"client_id\": \"c\", \"user_id\": null}, \"request\": "
		"{\"id\": \"11\", \"timestamp\": 1600000000123, \"hostname\": \"a.example\", \"path\": "
		"\"/rest/collect\", \"method\": \"POST\", \"headers\": {\"Host\": \"a.example:8080\", "
		"\"User-Agent\": \"T\\u00e9st \\\"1\\\"\", \"X-Forwarded-For\": \"1.2.3.4, 5.6.7.8\", "
		"\"X-A\": \"1, \\u00e9\"}, \"body\": {\"z\": \"11\", \"cid\": \"c\", \"dl\": \"http://x/?a=&\", "
		"\"dr\": null, \"pr\": 9.90}}, \"response\": {\"id\": \"11\", \"timestamp\": 1600000000125, "
		"\"statusCode\": 200, \"headers\": {\"Content-Type\": \"image/gif\", "
		"\"Access-Control-Allow-Origin\": \"*\"}}}\n");
	struct rv_str stored;
	assert_true(rv_event_stored_body(out.bytes, out.len, &stored));
	assert_true(rv_str_eq(stored, event.body));
	assert_false(rv_event_stored_body("{\"request\": 1}", 14, &stored));
	assert_false(rv_event_stored_body("{}", 2, &stored));

	/* What the body says goes before what the request does, also when it is null. */
	static const char other[] = "{\"z\":1,\"cid\":2,\"uip\":null,\"ua\":\"mine\",\"uid\":7}";
	assert_true(rv_event_read(other, strlen(other), &spelling, &event, &fault));
	rv_strbuf_clear(&out);
	request.allow_origin = NULL;
	rv_event_envelope(&out, &request, &event);
	assert_non_null(strstr(out.bytes, "{\"user_ip\": null, \"user_agent\": \"mine\", \"document_location\": null, "
					  "\"document_referrer\": null, \"client_id\": 2, \"user_id\": 7}, \"request\": {\"id\": 1, "));
	assert_non_null(strstr(out.bytes, "\"headers\": {\"Content-Type\": \"image/gif\"}}}\n"));
}

static void test_186_seen(void **state)
{
	(void)state;
	struct rv_seen_window window = { .least = 1000 };
	struct rv_seen_id ids[3000];
	char text[32];
	for (int i = 0; i < 3000; i++) {
		int len = snprintf(text, sizeof(text), "event %d", i);
		ids[i] = rv_seen_id_of(7, (struct rv_str){ text, (size_t)len });
		rv_seen_window_fetch(&window, ids[i]); /* of an empty one as well */
		assert_false(rv_seen_window_has(&window, ids[i]));
		rv_seen_window_add(&window, ids[i]);
		/* The last thousand for sure, never more than two. */
		for (int k = i < 1000 ? 0 : i - 999; k <= i; k += 97)
			assert_true(rv_seen_window_has(&window, ids[k]));
	}
	assert_false(rv_seen_window_has(&window, ids[0]));
	assert_true(window.now.count + window.before.count <= 2000);
	rv_seen_window_release(&window);
	/* There is room for all from the first one on, within bounds. */
	static const size_t wanted[] = { 1, 1000, 200000, 100000000 };
	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++) {
		window = (struct rv_seen_window){ .least = wanted[i] };
		rv_seen_window_add(&window, ids[0]);
		assert_true(rv_seen_window_has(&window, ids[0]));
		assert_true(window.now.size > wanted[i] * 5 / 4 || window.now.size == 1u << 22);
		rv_seen_window_release(&window);
	}
	window = (struct rv_seen_window){ .least = 0 };
	rv_seen_window_add(&window, ids[0]);
	assert_false(rv_seen_window_has(&window, ids[0]));
}

/* Half of an id alike is another id. */
static void test_186_seen_by_half(void **state)
{
	(void)state;
	struct rv_seen seen = { .slots = NULL };
	const struct rv_seen_id ids[] = { { .high = 1, .low = 5 }, { .high = 2, .low = 5 }, { .high = 1, .low = 6 } };
	for (size_t i = 0; i < 3; i++) {
		for (size_t j = 0; j < 3; j++)
			assert_int_equal(rv_seen_has(&seen, ids[j]), j < i);
		rv_seen_add(&seen, ids[i]);
		rv_seen_add(&seen, ids[i]);
		assert_int_equal(seen.count, i + 1);
	}
	rv_seen_release(&seen);
}

/* What a rush has needed goes when there are few again, and what is needed all the time stays. */
static void test_186_seen_after_a_rush(void **state)
{
	(void)state;
	struct rv_seen seen = { .slots = NULL };
	static const struct {
		uint64_t count;
		bool stays;
	} rounds[] = { { 5000, true }, { 2000, true }, { 10, false }, { 10, true } };
	for (size_t i = 0; i < sizeof(rounds) / sizeof(*rounds); i++) {
		for (uint64_t n = 1; n <= rounds[i].count; n++)
			rv_seen_add(&seen, (struct rv_seen_id){ .high = i, .low = n });
		assert_int_equal(seen.count, rounds[i].count);
		rv_seen_clear(&seen);
		assert_int_equal(seen.size > 0, rounds[i].stays);
		assert_int_equal(seen.count, 0);
		assert_false(rv_seen_has(&seen, (struct rv_seen_id){ .high = i, .low = 1 }));
	}
	rv_seen_release(&seen);
}

/* Names are compared letter by letter, and of other characters only the same is the same. */
static void test_names_alike(void **state)
{
	(void)state;
	static const char text[] = "GET /x HTTP/1.0\r\nX^: 1\r\nx~: 2\r\nx^: 3\r\n\r\n";
	struct rv_http_head head;
	struct rv_http_refusal refusal;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf headers = RV_STRBUF_INIT;
	assert_int_equal(rv_http_head_read(text, strlen(text), 0, &head, &refusal), RV_HTTP_DONE);
	rv_event_headers(&head, &headers);
	assert_string_equal(headers.bytes, "{\"X^\": \"1, 3\", \"x~\": \"2\"}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spelling),    cmocka_unit_test(test_189_no_event),
		cmocka_unit_test(test_189_types),   cmocka_unit_test(test_forms),
		cmocka_unit_test(test_187_batches), cmocka_unit_test(test_envelope),
		cmocka_unit_test(test_186_seen),    cmocka_unit_test(test_186_seen_by_half),
		cmocka_unit_test(test_186_seen_after_a_rush), cmocka_unit_test(test_names_alike),
	};
	return cmocka_run_group_tests_name("event", tests, NULL, NULL);
}

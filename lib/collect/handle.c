/* What requests are answered, and events that become records of the round. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "collect/server_impl.h"

/* A body nobody wants is read over up to this size; for a longer one the connection is closed. */
#define SKIP_MAX_BYTES (64u << 10)
/* Of the list of rejected events in an answer; what does not go in is counted. */
#define REPORT_MAX_BYTES (64u << 10)
/* As long as a record may be that river push takes. */
#define RECORD_MAX_BYTES (16u << 20)

enum media { MEDIA_JSON, MEDIA_LINES, MEDIA_FORM, MEDIA_OTHER };

static enum media media_of(const struct rv_http_head *head)
{
	static const struct {
		const char *type;
		enum media media;
	} known[] = {
		{ "application/json", MEDIA_JSON },
		{ "text/json", MEDIA_JSON },
		{ "text/plain", MEDIA_JSON }, /* navigator.sendBeacon */
		{ "application/octet-stream", MEDIA_JSON },
		{ "application/x-ndjson", MEDIA_LINES },
		{ "application/ndjson", MEDIA_LINES },
		{ "application/jsonl", MEDIA_LINES },
		{ "application/x-www-form-urlencoded", MEDIA_FORM },
	};
	const struct rv_http_field *field = rv_http_head_field(head, "content-type");
	if (!field || !field->value.len)
		return MEDIA_JSON;
	struct rv_str type = field->value;
	for (type.len = 0; type.len < field->value.len; type.len++) {
		char c = type.p[type.len];
		if (c == ';' || c == ' ' || c == '\t')
			break;
	}
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (rv_http_name_is(type, known[i].type))
			return known[i].media;
	return MEDIA_OTHER;
}

/* ---- who asks ---- */

/* The key a request brings; -1: none that is known. */
static int key_of(const struct rv_collect_server *server, const struct rv_http_head *head)
{
	const struct rv_http_field *own = rv_http_head_field(head, "x-write-key");
	const struct rv_http_field *bearer = rv_http_head_field(head, "authorization");
	struct rv_str key = { "", 0 };
	if (own)
		key = own->value;
	else if (bearer && bearer->value.len > 7 &&
		 rv_http_name_is((struct rv_str){ bearer->value.p, 7 }, "bearer "))
		key = (struct rv_str){ bearer->value.p + 7, bearer->value.len - 7 };
	return rv_collect_settings_find_key(&server->settings, key);
}

static bool has_token(const struct rv_collect_server *server, struct bucket *bucket)
{
	int64_t rate = (int64_t)server->settings.rate;
	if (!rate)
		return true;
	if (!bucket->at_ms)
		*bucket = (struct bucket){ .tokens_milli = rate * 2000, .at_ms = server->now_ms };
	bucket->tokens_milli += (server->now_ms - bucket->at_ms) * rate;
	bucket->at_ms = server->now_ms;
	if (bucket->tokens_milli > rate * 2000)
		bucket->tokens_milli = rate * 2000;
	if (bucket->tokens_milli < 1000)
		return false;
	bucket->tokens_milli -= 1000;
	return true;
}

/* ---- origins ---- */

/* What the answer says to pages of browsers. */
static void allow_origin(const struct rv_collect_server *server, const struct rv_http_head *head,
			 struct answer *answer)
{
	const struct rv_http_field *origin = rv_http_head_field(head, "origin");
	if (!server->settings.origins_count)
		answer->any_origin = true;
	else if (origin && rv_collect_settings_allows(&server->settings, origin->value))
		answer->origin = rv_strndup(origin->value.p, origin->value.len);
}

static bool origin_is_refused(const struct rv_collect_server *server, const struct rv_http_head *head)
{
	const struct rv_http_field *origin = rv_http_head_field(head, "origin");
	return server->settings.origins_count && origin &&
	       !rv_collect_settings_allows(&server->settings, origin->value);
}

/* ---- heads ---- */

static bool has_body(const struct rv_http_head *head)
{
	return head->chunked || head->content_length;
}

/* Answered before the body is read: a short one is read over, a long one ends the connection. */
static struct answer *refuse(struct connection *c, const struct rv_http_head *head, int status,
			     const char *why)
{
	bool over = head->chunked || head->content_length > SKIP_MAX_BYTES || head->expects_continue;
	struct answer *answer = rv_connection_error(c, head, status, why);
	answer->close = answer->close || over;
	c->ends = c->ends || over;
	return answer;
}

static void answer_text(struct connection *c, const struct rv_http_head *head, int status,
			const char *type, struct rv_strbuf *text)
{
	struct answer *answer = rv_connection_answer(c, head, ANSWER_TEXT, status);
	answer->type = type;
	answer->len = text->len;
	answer->text = rv_strbuf_take(text);
}

static bool is_path(const struct rv_http_head *head, const char *path)
{
	return rv_str_is(head->path, path);
}

/* The paths for whoever runs it. */
static bool handle_own_path(struct rv_collect_server *server, struct connection *c,
			    const struct rv_http_head *head)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	bool health = is_path(head, "/healthz"), ready = is_path(head, "/readyz");
	if (!health && !ready && !is_path(head, "/metrics"))
		return false;
	if (!rv_str_is(head->method, "GET") && !rv_str_is(head->method, "HEAD")) {
		refuse(c, head, 405, "only GET is answered here")->allow = "GET, HEAD";
		return true;
	}
	if (health) {
		rv_strbuf_puts(&text, "alive\n");
		answer_text(c, head, 200, "text/plain", &text);
	} else if (ready) {
		const char *why = rv_server_unready(server);
		rv_strbuf_printf(&text, "%s\n", why ? why : "ready");
		answer_text(c, head, why ? 503 : 200, "text/plain", &text);
	} else {
		rv_server_metrics(server, &text);
		answer_text(c, head, 200, "text/plain; version=0.0.4", &text);
	}
	return true;
}

static void answer_preflight(struct rv_collect_server *server, struct connection *c,
			     const struct rv_http_head *head)
{
	struct answer *answer = rv_connection_answer(c, head, ANSWER_EMPTY, 204);
	answer->preflight = true;
	answer->allow = "GET, POST, OPTIONS";
	allow_origin(server, head, answer);
}

/* False: it has been refused. */
static bool check_body(struct rv_collect_server *server, struct connection *c,
		       const struct rv_http_head *head)
{
	const struct rv_http_field *encoding = rv_http_head_field(head, "content-encoding");
	if (head->content_length > server->settings.max_body_bytes) {
		struct answer *answer = refuse(c, head, 413,
					       "the body is too long; large files go to a presigned URL "
					       "(river push --presign)");
		answer->close = c->ends = true;
		return false;
	}
	if (encoding && !rv_http_name_is(encoding->value, "identity")) {
		refuse(c, head, 415, "compressed bodies are not taken");
		return false;
	}
	if (media_of(head) == MEDIA_OTHER) {
		refuse(c, head, 415, "the body is to be JSON, NDJSON or a form");
		return false;
	}
	return true;
}

bool rv_handle_head(struct rv_collect_server *server, struct connection *c, const struct rv_http_head *head)
{
	bool post = rv_str_is(head->method, "POST"), get = rv_str_is(head->method, "GET");
	server->counters.requests++;
	if (!post && has_body(head)) {
		struct answer *answer = refuse(c, head, 400, "only POST has a body here");
		answer->close = c->ends = true;
		return false;
	}
	if (!is_path(head, server->path)) {
		if (is_path(head, "*") && rv_str_is(head->method, "OPTIONS"))
			answer_preflight(server, c, head);
		else if (!handle_own_path(server, c, head))
			refuse(c, head, 404, "there is nothing here");
		return false;
	}
	if (rv_str_is(head->method, "OPTIONS")) {
		answer_preflight(server, c, head);
		return false;
	}
	if (!post && !get) {
		refuse(c, head, 405, "events come by POST, or by GET as a query")->allow = "GET, POST, OPTIONS";
		return false;
	}
	int key = server->settings.has_keys ? key_of(server, head) : -1;
	/* Whoever guesses keys pays like everybody from there. */
	/* Two addresses in one bucket share it: memory is bounded, and so is what they can do. */
	struct bucket *bucket = key >= 0 ? &server->key_buckets[key]
					 : &server->peer_buckets[c->peer_hash % RATE_BUCKETS];
	if (!has_token(server, bucket)) {
		refuse(c, head, 429, "too many requests")->retry_after_s = 1;
		return false;
	}
	if (server->settings.has_keys && key < 0) {
		refuse(c, head, 401, "the write key is missing or not known");
		return false;
	}
	if (origin_is_refused(server, head)) {
		refuse(c, head, 403, "this page may not send events here");
		return false;
	}
	return !post || check_body(server, c, head);
}

/* ---- events ---- */

/* What became of the events of one request. */
struct intake {
	struct rv_collect_server *server;
	struct connection *c;
	const struct rv_http_head *head;
	struct rv_event_request request;
	char *source;
	size_t events, accepted, duplicates, rejected, unlisted;
	struct rv_seen_id first;   /* of the first that was accepted; the others are in server->mine */
	struct rv_strbuf report;   /* of the rejected ones, as JSON */
	size_t lines_before, rejects_before;
	uint64_t records_before, rejected_before;
	bool too_many;             /* nothing of it is taken */
};

static const char *source_of(struct intake *intake)
{
	if (!intake->source)
		intake->source = rv_asprintf("%.*s %.*s from %s", (int)intake->head->method.len,
					     intake->head->method.p, (int)intake->head->path.len,
					     intake->head->path.p, intake->c->peer);
	return intake->source;
}

/* Kept byte for byte, with its reason; what was sent before is no excuse to store it twice as a record. */
static void reject(struct intake *intake, struct rv_str bytes, const char *code, const char *why,
		   size_t at)
{
	struct round *round = intake->server->filling;
	rv_intake_add_reject(&round->stored.rejects, code, why, source_of(intake), bytes);
	round->stored.rejected++;
	intake->rejected++;
	if (intake->report.len > REPORT_MAX_BYTES) {
		intake->unlisted++;
		return;
	}
	if (intake->report.len)
		rv_strbuf_putc(&intake->report, ',');
	rv_strbuf_printf(&intake->report, "{\"index\":%zu,\"code\":\"%s\",\"reason\":",
			 intake->events - 1, code);
	rv_strbuf_json(&intake->report, why, strlen(why));
	rv_strbuf_printf(&intake->report, ",\"byte\":%zu}", at);
}

static bool is_known(const struct intake *intake, struct rv_seen_id id)
{
	const struct rv_collect_server *server = intake->server;
	return (id.low == intake->first.low && id.high == intake->first.high) ||
	       rv_seen_has(&server->mine, id) || rv_seen_has(&server->filling->stored.ids, id) ||
	       (server->committing && rv_seen_has(&server->committing->stored.ids, id)) ||
	       rv_seen_window_has(&server->seen, id);
}

/* The same for all events of a request. */
static void know_headers(struct intake *intake)
{
	struct rv_strbuf *headers = &intake->server->headers;
	if (intake->request.headers.p)
		return;
	rv_strbuf_clear(headers);
	rv_event_headers(intake->head, headers);
	intake->request.headers = (struct rv_str){ headers->bytes, headers->len };
}

/* Some values stand in a record two and three times. */
static bool is_too_long(const struct intake *intake, const struct rv_event *event)
{
	uint64_t max = rv_collect_store_max_record(intake->server->store);
	uint64_t len = event->body.len + intake->request.headers.len + intake->head->path.len * 6 + 2048;
	for (size_t k = 0; k < RV_EVENT_KEYS; k++)
		len += event->keys[k].len * (k == RV_EVENT_Z ? 2 : 1);
	return len > (max && max < RECORD_MAX_BYTES ? max : RECORD_MAX_BYTES);
}

static void check_room(struct intake *intake)
{
	const struct rv_collect_round *round = &intake->server->filling->stored;
	intake->too_many = round->lines.len - intake->lines_before +
				   (round->rejects.len - intake->rejects_before) > REQUEST_MAX_BYTES;
}

static void take_event(void *arg, const char *p, size_t len)
{
	struct intake *intake = arg;
	struct rv_collect_server *server = intake->server;
	struct rv_collect_round *round = &server->filling->stored;
	struct rv_event event;
	struct rv_event_fault fault;
	if (intake->too_many)
		return;
	intake->events++;
	if (!rv_event_read(p, len, &server->text, &event, &fault)) {
		reject(intake, (struct rv_str){ p, len }, fault.code, fault.why, fault.at);
		check_room(intake);
		return;
	}
	struct rv_seen_id id = rv_seen_id_of(server->seen_seed, event.body);
	bool remembers = server->settings.remember > 0;
	/* What it is compared with lies anywhere in memory: it comes while the headers are written. */
	if (remembers)
		rv_seen_window_fetch(&server->seen, id);
	know_headers(intake);
	if (remembers && is_known(intake, id)) {
		intake->duplicates++;
		return;
	}
	if (is_too_long(intake, &event)) {
		reject(intake, (struct rv_str){ p, len }, "too_large", "its record would be too long", 0);
		check_room(intake);
		return;
	}
	rv_event_envelope(&round->lines, &intake->request, &event);
	/* Nearly every request has one. */
	if (remembers && !intake->first.low)
		intake->first = id;
	else if (remembers)
		rv_seen_add(&server->mine, id);
	round->records++;
	intake->accepted++;
	check_room(intake);
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void take_body(struct intake *intake, struct rv_str body)
{
	struct rv_collect_server *server = intake->server;
	struct rv_event_fault fault;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf json = RV_STRBUF_INIT;
	enum media media = media_of(intake->head);
	bool is_get = rv_str_is(intake->head->method, "GET");
	size_t first = 0;
	while (first < body.len && is_space(body.p[first]))
		first++;
	/* curl -d says form whatever it sends. */
	bool looks_like_json = first < body.len && (body.p[first] == '{' || body.p[first] == '[');
	if (is_get || (media == MEDIA_FORM && !looks_like_json)) {
		struct rv_event event;
		/* What is kept of a bad one is what was sent. */
		if (rv_event_from_form(body.p, body.len, &json, &fault) &&
		    rv_event_read(json.bytes, json.len, &server->text, &event, &fault)) {
			take_event(intake, json.bytes, json.len);
		} else {
			intake->events++;
			reject(intake, body, fault.code, fault.why, fault.at);
		}
		return;
	}
	if (!rv_event_split(body.p, body.len, media == MEDIA_LINES, &server->scratch, take_event, intake,
			    &fault)) {
		intake->events++;
		reject(intake, body, fault.code, fault.why, fault.at);
	}
}

/* The round is as it was before the request. */
static void take_back(struct intake *intake)
{
	struct rv_collect_round *round = &intake->server->filling->stored;
	rv_strbuf_truncate(&round->lines, intake->lines_before);
	rv_strbuf_truncate(&round->rejects, intake->rejects_before);
	round->records = intake->records_before;
	round->rejected = intake->rejected_before;
}

static void keep_ids(const struct intake *intake)
{
	struct rv_collect_server *server = intake->server;
	if (intake->first.low)
		rv_seen_add(&server->filling->stored.ids, intake->first);
	for (size_t i = 0; i < server->mine.size && server->mine.count; i++)
		if (server->mine.slots[i].low)
			rv_seen_add(&server->filling->stored.ids, server->mine.slots[i]);
}

static struct answer *answer_events(struct intake *intake)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	if (!intake->rejected)
		return rv_connection_answer(intake->c, intake->head, ANSWER_PIXEL, 200);
	bool some = intake->accepted + intake->duplicates > 0;
	rv_strbuf_printf(&text, "{\"accepted\":%zu,\"duplicates\":%zu,\"rejected\":[%s]", intake->accepted,
			 intake->duplicates, intake->report.bytes);
	if (intake->unlisted)
		rv_strbuf_printf(&text, ",\"unlisted\":%zu", intake->unlisted);
	rv_strbuf_puts(&text, "}\n");
	answer_text(intake->c, intake->head, some ? 207 : 400, "application/json", &text);
	return &intake->c->answers[intake->c->answers_count - 1];
}

void rv_handle_request(struct rv_collect_server *server, struct connection *c,
		       const struct rv_http_head *head, struct rv_str body)
{
	struct intake intake = {
		.server = server,
		.c = c,
		.head = head,
		.report = RV_STRBUF_INIT,
		.lines_before = server->filling->stored.lines.len,
		.rejects_before = server->filling->stored.rejects.len,
		.records_before = server->filling->stored.records,
		.rejected_before = server->filling->stored.rejected,
		.request = {
			.head = head,
			.peer = c->peer,
			.received_ms = server->wall_ms,
			.answered_ms = server->wall_ms,
		},
	};
	struct answer look = { .kind = ANSWER_EMPTY };
	if (rv_str_is(head->method, "GET"))
		body = head->query.p ? head->query : (struct rv_str){ "", 0 };
	if (server->stopping_ms || rv_collect_store_is_full(server->store) ||
	    rv_collect_round_bytes(&server->filling->stored) > ROUND_MAX_BYTES) {
		const char *why = server->stopping_ms ? "stopping"
				  : rv_collect_store_is_full(server->store) ? "the spool is full"
									    : "the disk is slow";
		if (!server->stopping_ms && rv_collect_store_is_full(server->store) && !server->said_full) {
			server->said_full = true;
			server->params.warn(server->params.arg,
					    "the spool is full (spool.max), clients are asked to come back");
		}
		rv_connection_error(c, head, 503, why)->retry_after_s = 5;
		return;
	}
	server->said_full = false;
	allow_origin(server, head, &look);
	intake.request.allow_origin = look.any_origin ? "*" : look.origin;
	take_body(&intake, body);
	if (!intake.too_many)
		keep_ids(&intake);
	rv_seen_clear(&server->mine);
	if (intake.too_many) {
		take_back(&intake);
		struct answer *refused = rv_connection_error(c, head, 413, "too many events for one request");
		refused->any_origin = look.any_origin;
		refused->origin = look.origin;
		rv_strbuf_release(&intake.report);
		free(intake.source);
		return;
	}
	/* A body of blank lines holds nothing, and says so. */
	if (!intake.events) {
		intake.events++;
		reject(&intake, body, "empty", "there is nothing in it", 0);
	}
	struct answer *answer = answer_events(&intake);
	answer->any_origin = look.any_origin;
	answer->origin = look.origin;
	answer->round = server->filling->number;
	server->counters.duplicates += intake.duplicates;
	rv_server_join_round(server, c);
	rv_strbuf_release(&intake.report);
	free(intake.source);
}

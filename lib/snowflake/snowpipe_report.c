/* Reports of Snowpipe: the events one at a time, by jansson each, and what stands around them. */
#include "snowflake/snowpipe_report.h"

#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/memory.h"
#include "snowflake/internal.h"

#define EVENT_MAX_BYTES ((size_t)1024 * 1024)

static const char *text_at(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : "";
}

static uint64_t count_at(const json_t *object, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(object, key));
	return n > 0 ? (uint64_t)n : 0;
}

/* The last word comes with counts; without them it is none, and the tables have to be asked. */
static bool is_complete(const json_t *event, enum rv_snowpipe_state state)
{
	static const char *const counts[] = { "rowsInserted", "rowsParsed", "errorsSeen" };
	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		const json_t *value = json_object_get(event, counts[i]);
		bool optional = i > 0 || state == RV_SNOWPIPE_FAILED;
		if (!(optional && (!value || json_is_null(value))) &&
		    !(json_is_integer(value) && json_integer_value(value) >= 0))
			return false;
	}
	return json_is_true(json_object_get(event, "complete"));
}

static int64_t time_at(const json_t *object, const char *key)
{
	const char *text = text_at(object, key);
	int64_t ms;
	return rv_parse_time(text, strlen(text), &ms) ? ms : -1;
}

static enum rv_snowpipe_state state_of(const char *status)
{
	static const struct {
		const char *status;
		enum rv_snowpipe_state state;
	} states[] = {
		{ "LOADED", RV_SNOWPIPE_LOADED },
		{ "PARTIALLY_LOADED", RV_SNOWPIPE_PARTIAL },
		{ "LOAD_FAILED", RV_SNOWPIPE_FAILED },
	};
	for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++)
		if (strcmp(status, states[i].status) == 0)
			return states[i].state;
	return RV_SNOWPIPE_IN_PROGRESS;
}

struct receiver {
	rv_snowpipe_each *each;
	void *arg;
	bool failed;               /* the failure is its own */
};

static enum rv_status give_event(const json_t *event, struct receiver *to, struct rv_error *err)
{
	enum rv_snowpipe_state state = state_of(text_at(event, "status"));
	const struct rv_snowpipe_report report = {
		.path = text_at(event, "path"),
		.state = state,
		.complete = is_complete(event, state),
		.bytes = count_at(event, "fileSize"),
		.rows_inserted = count_at(event, "rowsInserted"),
		.rows_parsed = count_at(event, "rowsParsed"),
		.errors = count_at(event, "errorsSeen"),
		.received_ms = time_at(event, "timeReceived"),
		.inserted_ms = time_at(event, "lastInsertTime"),
		.first_error = text_at(event, "firstError"),
		.first_error_line = count_at(event, "firstErrorLineNum"),
		.first_error_character = count_at(event, "firstErrorCharacterPos"),
		.first_error_column = text_at(event, "firstErrorColumnName"),
		.system_error = text_at(event, "systemError"),
	};
	if (!*report.path)
		return rv_fail(err, RV_FAILED, "the report names a file without a path");
	enum rv_status status = to->each(to->arg, &report, err);
	to->failed = status != RV_OK;
	return status;
}

/* insertReport says true, loadHistoryScan "true". */
static bool is_yes(const json_t *value)
{
	return json_is_true(value) ||
	       (json_is_string(value) && strcasecmp(json_string_value(value), "true") == 0);
}

static void keep_text(char *to, size_t size, const json_t *value)
{
	const char *text = json_string_value(value);
	if (text && strlen(text) < size)
		memcpy(to, text, strlen(text) + 1);
}

static enum rv_status read_events(struct rv_json_pull *pull, struct receiver *to, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	bool first = true, there;
	rv_strbuf_limit(&text, EVENT_MAX_BYTES);
	if (rv_json_pull_take(pull, '[', err) != RV_OK)
		return err->status;
	for (;;) {
		json_error_t why;
		if (rv_json_pull_next(pull, ']', &first, NULL, &there, err) != RV_OK)
			return err->status;
		if (!there)
			return RV_OK;
		rv_strbuf_clear(&text);
		if (rv_json_pull_value(pull, &text, err) != RV_OK)
			return err->status;
		json_t *event = json_loadb(text.bytes, text.len, 0, &why);
		if (!json_is_object(event)) {
			json_decref(event);
			return rv_json_pull_wrong(pull, "a file of the report is no object", err);
		}
		enum rv_status status = give_event(event, to, err);
		json_decref(event);
		if (status != RV_OK)
			return status;
	}
}

static bool is_known_key(const char *key)
{
	static const char *const known[] = { "files", "completeResult", "nextBeginMark", "rangeEndTime" };
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strcmp(key, known[i]) == 0)
			return true;
	return false;
}

static enum rv_status read_report(struct rv_str body, struct receiver *to,
				  struct rv_snowpipe_summary *ret, struct rv_error *err)
{
	RV_CLEANUP(rv_snowflake_bytes_free_p) struct rv_snowflake_bytes *bytes = NULL;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf key = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	struct rv_json_pull pull = rv_snowflake_pull(body, "the report", &bytes);
	bool first = true, there;
	rv_strbuf_limit(&key, 1024);
	rv_strbuf_limit(&text, EVENT_MAX_BYTES);
	*ret = (struct rv_snowpipe_summary){ .complete = false };
	if (rv_json_pull_take(&pull, '{', err) != RV_OK)
		return err->status;
	for (;;) {
		int c;
		if (rv_json_pull_next(&pull, '}', &first, &key, &there, err) != RV_OK)
			return err->status;
		if (!there)
			break;
		if (rv_json_pull_peek(&pull, &c, err) != RV_OK)
			return err->status;
		if (strcmp(key.bytes, "files") == 0 && c == '[') {
			if (read_events(&pull, to, err) != RV_OK)
				return err->status;
			continue;
		}
		rv_strbuf_clear(&text);
		if (rv_json_pull_value(&pull, &text, err) != RV_OK)
			return err->status;
		/* What else stands there may be anything that is JSON, also a number of any size. */
		if (!is_known_key(key.bytes))
			continue;
		json_t *value = json_loadb(text.bytes, text.len, JSON_DECODE_ANY, NULL);
		if (!value || (strcmp(key.bytes, "files") == 0 && !json_is_null(value))) {
			json_decref(value);
			return rv_json_pull_wrong(&pull, value ? "its files are no list" : "a value cannot be read", err);
		}
		if (strcmp(key.bytes, "completeResult") == 0)
			ret->complete = is_yes(value);
		else if (strcmp(key.bytes, "nextBeginMark") == 0)
			keep_text(ret->mark, sizeof(ret->mark), value);
		else if (strcmp(key.bytes, "rangeEndTime") == 0)
			keep_text(ret->range_end, sizeof(ret->range_end), value);
		json_decref(value);
	}
	return rv_json_pull_end(&pull, err);
}

enum rv_status rv_snowpipe_read_report(struct rv_str body, rv_snowpipe_each *each, void *arg,
				       struct rv_snowpipe_summary *ret, struct rv_error *err)
{
	struct receiver to = { .each = each, .arg = arg };
	enum rv_status status = read_report(body, &to, ret, err);
	/* The data that is bad is not the user's: it is the service that fails. */
	if (status == RV_BAD_DATA && !to.failed)
		status = err->status = RV_FAILED;
	return status;
}

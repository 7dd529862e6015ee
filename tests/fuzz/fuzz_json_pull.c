/*
 * JSON pulled out of chunks: whatever their sizes, the same is taken or refused; what is taken is what jansson
 * reads, and what jansson reads is taken.
 */
#include "fuzz.h"

#include <jansson.h>

#include "format/json_pull.h"

#define DEPTH_MAX 200

struct chunks {
	const char *p;
	size_t len, at, piece;
	char *given; /* the last one alone, so that looking back or ahead is seen */
};

static enum rv_status more(void *arg, struct rv_str *ret, struct rv_error *err RV_UNUSED)
{
	struct chunks *c = arg;
	size_t n = c->len - c->at < c->piece ? c->len - c->at : c->piece;

	free(c->given);
	c->given = exact_copy(c->p + c->at, n);
	c->at += n;
	*ret = (struct rv_str){ c->given, n };
	return RV_OK;
}

/* What jansson takes and we need not: deeper nesting, and it ends a text at a NUL in places. */
static bool is_beyond(const char *p, size_t len)
{
	size_t open = 0;

	for (size_t i = 0; i < len; i++)
		open += p[i] == '[' || p[i] == '{';
	return open > 500 || memchr(p, '\0', len);
}

static json_t *take_value(struct rv_json_pull *pull, unsigned depth, struct rv_error *err);

/* The members of an object or the elements of an array, whose '{' or '[' was taken. */
static json_t *take_members(struct rv_json_pull *pull, bool object, unsigned depth, struct rv_error *err)
{
	RV_CLEANUP(json_decrefp) json_t *tree = object ? json_object() : json_array();
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf key = RV_STRBUF_INIT;
	bool first = true, there = false;

	for (;;) {
		rv_strbuf_clear(&key);
		if (rv_json_pull_next(pull, object ? '}' : ']', &first, &key, &there, err) != RV_OK)
			return NULL;
		if (!there)
			return json_incref(tree);
		json_t *value = take_value(pull, depth + 1, err);

		if (!value)
			return NULL;
		if (object)
			json_object_setn_new_nocheck(tree, key.bytes, key.len, value);
		else
			json_array_append_new(tree, value);
	}
}

static json_t *take_value(struct rv_json_pull *pull, unsigned depth, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	int c = 0;

	if (rv_json_pull_peek(pull, &c, err) != RV_OK)
		return NULL;
	if (c == '"')
		return rv_json_pull_string(pull, &text, err) == RV_OK ? json_stringn_nocheck(text.bytes, text.len)
								      : NULL;
	if ((c == '{' || c == '[') && depth < DEPTH_MAX)
		return rv_json_pull_take(pull, (char)c, err) == RV_OK ?
			       take_members(pull, c == '{', depth, err) : NULL;
	if (rv_json_pull_value(pull, &text, err) != RV_OK)
		return NULL;
	/* "looked at no closer than it takes to find its end": parsed afterwards */
	json_t *value = json_loadb(text.bytes, text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

	if (!value)
		rv_fail(err, RV_BAD_DATA, "not parsed");
	return value;
}

static json_t *take_all(const char *p, size_t len, size_t piece, struct rv_error *err)
{
	struct chunks chunks = { .p = p, .len = len, .piece = piece };
	struct rv_json_pull pull = { .more = more, .arg = &chunks, .what = "the input" };
	json_t *tree = take_value(&pull, 0, err);

	if (tree && rv_json_pull_end(&pull, err) != RV_OK) {
		json_decref(tree);
		tree = NULL;
	}
	CHECK(tree || (err->status == RV_BAD_DATA && err->message[0]));
	free(chunks.given);
	return tree;
}

/* The same value in one go, to be parsed afterwards: that finds what parsing all of it finds. */
static void pass_over(const char *p, size_t len, size_t piece, const json_t *jansson)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	struct chunks chunks = { .p = p, .len = len, .piece = piece };
	struct rv_json_pull pull = { .more = more, .arg = &chunks, .what = "the input" };
	struct rv_error err = RV_ERROR_INIT;
	RV_CLEANUP(json_decrefp) json_t *parsed = NULL;

	if (rv_json_pull_value(&pull, &text, &err) == RV_OK && rv_json_pull_end(&pull, &err) == RV_OK)
		parsed = json_loadb(text.bytes, text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	else
		CHECK(err.status == RV_BAD_DATA && err.message[0]);
	if (jansson && parsed)
		CHECK(json_equal(parsed, jansson));
	else
		CHECK(!parsed && (!jansson || is_beyond(p, len)));
	free(chunks.given);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data;
	struct rv_error err = RV_ERROR_INIT, other = RV_ERROR_INIT;
	json_error_t why;

	if (size > 4096)
		return 0;
	RV_CLEANUP(json_decrefp) json_t *whole = take_all(p, size, size + 1, &err);
	RV_CLEANUP(json_decrefp) json_t *jansson = json_loadb(p, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);

	for (size_t piece = 1; piece <= 5; piece += 1 + piece / 2) {
		RV_CLEANUP(json_decrefp) json_t *cut = take_all(p, size, piece, &other);

		CHECK((cut != NULL) == (whole != NULL));
		CHECK(!whole || json_equal(cut, whole));
		CHECK(whole || strcmp(err.message, other.message) == 0);
		pass_over(p, size, piece, jansson);
	}
	if (whole && jansson)
		CHECK(json_equal(whole, jansson));
	else if (jansson)
		CHECK(is_beyond(p, size));
	else if (whole)
		/* of keys with a NUL it wants nothing; half a surrogate pair we read as U+FFFD */
		CHECK(json_error_code(&why) == json_error_null_byte_in_key || memmem(p, size, "\\u", 2));
	return 0;
}

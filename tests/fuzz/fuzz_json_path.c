/*
 * Two paths, a line each, and behind them a record: what is cut out of it is what jansson finds by walking its
 * tree, and texts are decoded to the same bytes.
 */
#include "fuzz.h"

#include <jansson.h>

#include "base/strbuf.h"
#include "format/json_path.h"
#include "format/json_scan.h"

static const json_t *step(const json_t *at, const struct rv_strbuf *piece)
{
	if (json_is_object(at))
		return json_object_getn(at, piece->bytes, piece->len);
	if (!json_is_array(at) || !piece->len || piece->len > 18 || (piece->bytes[0] == '0' && piece->len > 1) ||
	    strspn(piece->bytes, "0123456789") != piece->len)
		return NULL;
	return json_array_get(at, strtoull(piece->bytes, NULL, 10));
}

/* By the book: one piece after the other. The path is a good one. */
static const json_t *walk(const json_t *at, const char *path)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf piece = RV_STRBUF_INIT;
	bool pointer = *path == '/';

	for (const char *p = path + pointer; at; p++) {
		if (*p == (pointer ? '/' : '.') || !*p) {
			at = step(at, &piece);
			rv_strbuf_clear(&piece);
			if (!*p)
				break;
		} else if (pointer && *p == '~') {
			p++;
			rv_strbuf_putc(&piece, *p == '0' ? '~' : '/');
		} else {
			rv_strbuf_putc(&piece, *p);
		}
	}
	return at;
}

static bool is_good(const char *path)
{
	if (*path != '/') {
		size_t len = strlen(path);

		return len && path[0] != '.' && path[len - 1] != '.' && !strstr(path, "..");
	}
	for (const char *p = path; (p = strchr(p, '~')); p++)
		if (p[1] != '0' && p[1] != '1')
			return false;
	return true;
}

static void check_value(const json_t *want, const struct rv_json_value *got)
{
	static const enum rv_json_type types[] = {
		[JSON_OBJECT] = RV_JSON_OBJECT,	      [JSON_ARRAY] = RV_JSON_ARRAY,
		[JSON_STRING] = RV_JSON_STRING,	      [JSON_INTEGER] = RV_JSON_NUMBER_VALUE,
		[JSON_REAL] = RV_JSON_NUMBER_VALUE,   [JSON_TRUE] = RV_JSON_TRUE,
		[JSON_FALSE] = RV_JSON_FALSE,	      [JSON_NULL] = RV_JSON_NULL,
	};

	if (!want) {
		CHECK(got->type == RV_JSON_ABSENT && !got->p);
		return;
	}
	CHECK(got->type == types[json_typeof(want)]);
	RV_CLEANUP(json_decrefp)
	json_t *value = json_loadb(got->p, got->len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

	CHECK(value && json_equal(value, want));
	if (got->type != RV_JSON_STRING)
		return;
	RV_CLEANUP(rv_free_p) char *text = rv_malloc(got->len);
	size_t len = rv_json_unescape(got->p + 1, got->len - 2, text);

	CHECK(len == json_string_length(want) && memcmp(text, json_string_value(want), len) == 0);
	CHECK(got->escaped || len == got->len - 2);
}

/* Every member in its order; of duplicates jansson knows the last. */
static void check_members(const json_t *tree, const char *p, size_t len)
{
	struct rv_json_iter it;
	struct rv_json_key key;
	struct rv_json_value value;
	size_t members = 0;

	rv_json_iter_init(&it, p, len);
	while (rv_json_iter_next(&it, &key, &value)) {
		RV_CLEANUP(rv_free_p) char *name = rv_malloc(key.len);
		size_t name_len = rv_json_unescape(key.p, key.len, name);

		CHECK(json_object_getn(tree, name, name_len));
		members++;
	}
	CHECK(members >= json_object_size(tree));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	RV_CLEANUP(rv_json_paths_freep) struct rv_json_paths *paths = NULL;
	RV_CLEANUP(json_decrefp) json_t *tree = NULL;
	struct rv_json_value values[3];
	struct rv_json_scan scan;
	struct rv_error err = RV_ERROR_INIT;
	const uint8_t *first = memchr(data, '\n', size);
	const uint8_t *second = first ? memchr(first + 1, '\n', size - (size_t)(first + 1 - data)) : NULL;

	if (!second || second - data > RV_JSON_MAX_DEPTH) /* more pieces than can match are refused as well */
		return 0;
	RV_CLEANUP(rv_free_p) char *a = exact_text(data, (size_t)(first - data));
	RV_CLEANUP(rv_free_p) char *b = exact_text(first + 1, (size_t)(second - first - 1));
	size_t len = size - (size_t)(second + 1 - data);
	RV_CLEANUP(rv_free_p) char *record = exact_copy(second + 1, len);
	const char *const texts[] = { a, b, "x.y" };

	if (rv_json_paths_new(texts, 3, &paths, &err) != RV_OK) {
		CHECK(err.status == RV_USAGE && err.message[0] && (!is_good(a) || !is_good(b)));
		return 0;
	}
	CHECK(is_good(a) && is_good(b));
	if (rv_json_scan_object(record, len, 0, 0, &scan) != RV_JSON_OK)
		return 0;
	tree = json_loadb(record, scan.end, JSON_ALLOW_NUL, NULL);
	if (!tree) /* fuzz_json_scan knows why */
		return 0;
	rv_json_paths_extract(paths, record, scan.end, values);
	for (size_t i = 0; i < 3; i++)
		check_value(walk(tree, texts[i]), &values[i]);
	check_members(tree, record, scan.end);
	return 0;
}

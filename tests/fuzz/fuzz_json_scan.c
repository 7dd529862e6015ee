/*
 * The JSON validator and the cutter: all scanners agree, what is accepted jansson accepts too but
 * for the known differences (see test_json_scan_jansson.c), and every slice lies inside the text.
 */
#include "fuzz.h"

#include <jansson.h>

#include "format/json_path.h"
#include "format/json_scan.h"

static struct rv_json_scan scan(const char *p, size_t len, unsigned depth, unsigned flags)
{
	const struct rv_json_scanner *list;
	size_t n = rv_json_scanners(&list);
	struct rv_json_scan want, got;

	list[0].scan(p, len, depth, flags, &want);
	CHECK(want.end <= len);
	for (size_t i = 1; i < n; i++) {
		list[i].scan(p, len, depth, flags, &got);
		CHECK(got.fault == want.fault && got.end == want.end);
		CHECK(got.has_newline == want.has_newline);
		CHECK(got.has_river_key == want.has_river_key);
	}
	return want;
}

static void check_jansson(const char *p, size_t len, const struct rv_json_scan *scanned)
{
	bool valid = scanned->fault == RV_JSON_OK;
	json_error_t error;
	json_t *tree;

	if (len == 0 || p[0] != '{')
		return;
	tree = json_loadb(p, len, JSON_ALLOW_NUL | JSON_DISABLE_EOF_CHECK, &error);
	if (tree && valid) {
		CHECK(scanned->end == (size_t)error.position);
		CHECK(scanned->has_river_key == (json_object_get(tree, "_river") != NULL));
	} else if (tree) {
		/* A NUL behind a word or number is lost by jansson; it allows twice the depth. */
		CHECK(scanned->fault == RV_JSON_DEPTH ||
		      (scanned->fault == RV_JSON_SYNTAX && p[scanned->end] == 0));
	} else if (valid) {
		CHECK(json_error_code(&error) == json_error_numeric_overflow ||
		      json_error_code(&error) == json_error_null_byte_in_key);
	}
	json_decref(tree);
}

static void check_cutting(const char *p, size_t len, bool valid)
{
	static const char *const texts[] = { "a", "a.b", "/a/0", "_river", "0.a.0.b" };
	struct rv_json_value values[5], value;
	struct rv_json_paths *paths = NULL;
	struct rv_error err = RV_ERROR_INIT;
	struct rv_json_iter it;
	struct rv_json_key key;

	rv_json_iter_init(&it, p, len);
	while (rv_json_iter_next(&it, &key, &value)) {
		char *out = malloc(key.len + value.len + 1);

		CHECK(out);
		CHECK(key.p >= p && key.p + key.len <= p + len);
		CHECK(value.p >= p && value.len > 0 && value.p + value.len <= p + len);
		CHECK(rv_json_unescape(key.p, key.len, out) <= key.len);
		CHECK(rv_json_unescape(value.p, value.len, out) <= value.len);
		free(out);
	}
	CHECK(rv_json_paths_new(texts, 5, &paths, &err) == RV_OK);
	rv_json_paths_extract(paths, p, len, values);
	for (int i = 0; i < 5; i++) {
		if (values[i].type == RV_JSON_ABSENT)
			continue;
		CHECK(values[i].p >= p && values[i].p + values[i].len <= p + len);
		if (valid && values[i].type == RV_JSON_OBJECT) {
			struct rv_json_scan inner = scan(values[i].p, values[i].len, 0, 0);

			CHECK(inner.fault == RV_JSON_OK && inner.end == values[i].len);
		}
	}
	rv_json_paths_free(paths);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* libFuzzer's memory is of exactly this size too. */
	const char *p = (const char *)data;
	struct rv_json_scan whole = scan(p, size, 0, 0);
	struct rv_json_scan line = scan(p, size, 0, RV_JSON_LINE_MODE);
	struct rv_json_scan shallow = scan(p, size, 3, 0);

	if (whole.fault == RV_JSON_OK) {
		struct rv_json_scan again = scan(p, whole.end, 0, 0);

		CHECK(again.fault == RV_JSON_OK && again.end == whole.end);
		CHECK(scan(p, whole.end - 1, 0, 0).fault == RV_JSON_TRUNCATED);
		CHECK(line.fault == RV_JSON_OK || line.fault == RV_JSON_NEWLINE);
		CHECK(line.fault == RV_JSON_OK || whole.has_newline);
		CHECK(shallow.fault == RV_JSON_OK || shallow.fault == RV_JSON_DEPTH);
		check_cutting(p, whole.end, true);
	} else {
		check_cutting(p, size, false);
	}
	check_jansson(p, size, &whole);
	return 0;
}

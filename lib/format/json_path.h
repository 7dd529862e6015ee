/*
 * Cutting values out of a JSON object that is already known to be valid (json_scan.h): an iterator
 * over members, and a set of compiled paths answered in one pass. Values are slices of the text;
 * nothing is converted. Text that is not valid gives meaningless slices, all inside p[0..len).
 *
 * Arguments are borrowed for the call; slices point into the caller's text. A struct rv_json_paths
 * is not changed by extracting and may be shared between threads.
 */
#ifndef RV_FORMAT_JSON_PATH_H
#define RV_FORMAT_JSON_PATH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct rv_json_value {
	enum rv_json_type {
		RV_JSON_ABSENT,
		RV_JSON_NULL,
		RV_JSON_FALSE,
		RV_JSON_TRUE,
		RV_JSON_NUMBER_VALUE,
		RV_JSON_STRING,
		RV_JSON_OBJECT,
		RV_JSON_ARRAY,
	} type;
	const char *p; /* the value's own text, strings with their quotes; NULL when absent */
	size_t len;
	bool escaped;  /* a string that holds a backslash */
};

/* The inside of the quotes, undecoded. */
struct rv_json_key {
	const char *p;
	size_t len;
	bool escaped;
};

/* Walks the members of an object or the elements of an array, in the order of the text. */
struct rv_json_iter {
	const char *p, *end;
	bool in_array;
};
/* `p` begins with the '{' or '[' (white space before it is skipped); anything else has no
 * members. */
void rv_json_iter_init(struct rv_json_iter *it, const char *p, size_t len);
/* False at the end. `key` and `value` may be NULL; an array's elements have empty keys. */
bool rv_json_iter_next(struct rv_json_iter *it, struct rv_json_key *key,
		       struct rv_json_value *value);

/* Decodes the inside of a string (no quotes) into `out`, which has room for `len` bytes; returns
 * the length. `out` may be `p` itself. */
size_t rv_json_unescape(const char *p, size_t len, char *out);

/*
 * Paths: keys joined by dots ("payload.price"), or a JSON Pointer (RFC 6901) when it starts with
 * '/'. A piece of decimal digits without leading zero is also an index where the value is an array.
 */
struct rv_json_paths;
/* `paths` holds `n` texts. Fails with RV_USAGE for a path that is empty, has an empty dotted piece
 * or a bad "~" escape. Free with rv_json_paths_free, which takes NULL. */
enum rv_status rv_json_paths_new(const char *const *paths, size_t n, struct rv_json_paths **ret,
				 struct rv_error *err) RV_MUST_CHECK;
void rv_json_paths_free(struct rv_json_paths *paths);
void rv_json_paths_freep(struct rv_json_paths **paths); /* for RV_CLEANUP */
/* Fills values[0..n) in the order of the paths. Of duplicate keys the last wins, with all below. */
void rv_json_paths_extract(const struct rv_json_paths *paths, const char *p, size_t len,
			   struct rv_json_value *values);

#endif

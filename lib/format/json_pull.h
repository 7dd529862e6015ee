/*
 * JSON read piece by piece from a source that hands out its bytes in chunks, for answers too large for
 * a tree: the caller says what it expects next, and takes it or passes over it.
 *
 * What is taken is strict JSON in UTF-8 (half a surrogate pair becomes U+FFFD). Failures are
 * RV_BAD_DATA with the byte's number; the source's own failures pass through. One thread at a time.
 */
#ifndef RV_FORMAT_JSON_PULL_H
#define RV_FORMAT_JSON_PULL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/strbuf.h"

struct rv_json_pull {
	/* Optional: the next bytes, valid until the next call; an empty slice at the end. */
	enum rv_status (*more)(void *arg, struct rv_str *ret, struct rv_error *err);
	void *arg;
	const char *what;          /* for messages: "the answer" */
	/* The reader's: */
	struct rv_str left;        /* may be set before the first call */
	uint64_t passed;           /* bytes of the chunks before this one */
	const char *chunk;         /* where this one began */
	bool at_end;
};

/* The next byte that is no white space, which stays; -1 at the end. */
enum rv_status rv_json_pull_peek(struct rv_json_pull *pull, int *ret, struct rv_error *err) RV_MUST_CHECK;
/* Takes the byte `c`, which must come next. */
enum rv_status rv_json_pull_take(struct rv_json_pull *pull, char c, struct rv_error *err) RV_MUST_CHECK;
/* A string, decoded, appended to `ret`; it may hold NULs. */
enum rv_status rv_json_pull_string(struct rv_json_pull *pull, struct rv_strbuf *ret,
				   struct rv_error *err) RV_MUST_CHECK;
/* Any value. Its text is appended to `ret` (Optional), as it stands, without white space that says nothing.
 * It is looked at no closer than it takes to find its end: what is to be used is parsed afterwards. */
enum rv_status rv_json_pull_value(struct rv_json_pull *pull, struct rv_strbuf *ret,
				  struct rv_error *err) RV_MUST_CHECK;
/*
 * Steps through an object or an array whose '{' or '[' was taken; `first` is true before the first
 * call. *ret false: it has ended, and its '}' or ']' is taken. Of objects the key is put into `key` and
 * its ':' taken.
 */
enum rv_status rv_json_pull_next(struct rv_json_pull *pull, char close, bool *first,
				 struct rv_strbuf *key, bool *ret, struct rv_error *err) RV_MUST_CHECK;
/* Nothing but white space is left. */
enum rv_status rv_json_pull_end(struct rv_json_pull *pull, struct rv_error *err) RV_MUST_CHECK;
/* "the answer is not what it should be at byte N: ..." */
enum rv_status rv_json_pull_wrong(const struct rv_json_pull *pull, const char *why,
				  struct rv_error *err);

#endif

/*
 * What has to change in a warehouse that is a service, object by object: found by one look at it for
 * many streams, shown to people, and done in the order that objects depend on each other.
 */
#ifndef RV_WAREHOUSE_CHANGES_H
#define RV_WAREHOUSE_CHANGES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "config/stream.h"

enum rv_change_kind {
	RV_CHANGE_MAKE,     /* it is not there */
	RV_CHANGE_ALTER,    /* mended where it stands; nothing of it is lost */
	RV_CHANGE_REPLACE,  /* made again from what it is derived from */
	RV_CHANGE_REMOVE,   /* river's own, and wanted no more */
	RV_CHANGE_FOREIGN,  /* not river's, and in nobody's way: named, and left alone */
	RV_CHANGE_CONFLICT, /* stands where river's own should: nothing may be changed */
};
enum rv_change_state {
	RV_CHANGE_PLANNED,
	RV_CHANGE_DONE,
	RV_CHANGE_FAILED,   /* `error` says why */
	RV_CHANGE_SKIPPED,  /* something it depends on failed, or river was stopped */
};
#define RV_CHANGE_AFTER_MAX 8
struct rv_change {
	enum rv_change_kind kind;
	const struct rv_stream *stream; /* NULL: of all streams; borrowed from who asked */
	char *object;                   /* "table RIVER.WEB.CLICKS" */
	char *why;                      /* "is not there"; of a conflict the whole sentence */
	char *hint;                     /* Optional: of a conflict, or when privileges are missing */
	char **statements;
	size_t statements_count;
	size_t after[RV_CHANGE_AFTER_MAX], after_count; /* places of those that come before it */
	bool needs[RV_CHANGE_AFTER_MAX]; /* and without which it cannot be */
	/* Optional: a pipe that is paused by the first statement and has to be empty before the next,
	 * as the warehouse names it to itself. */
	char *drains;
	size_t essential;               /* what depends on it needs so many of its statements, at least 1 */
	enum rv_change_state state;
	struct rv_error *error;
};
struct rv_changes {
	struct rv_change *items;
	size_t count, capacity;
};

struct rv_change_params {
	unsigned workers;               /* at once; 0: 8 */
	int64_t deadline_ms;            /* monotonic; 0: none */
	/* Optional: one more is done, or failed. Not called by two threads at once. */
	void (*progress)(void *arg, const struct rv_change *change, size_t done, size_t count);
	void *arg;
};

void rv_changes_release(struct rv_changes *changes);
/* Adds one and returns its place. `object` and `why` are taken. */
size_t rv_changes_add(struct rv_changes *changes, enum rv_change_kind kind,
		      const struct rv_stream *stream, char *object, char *why);
void rv_change_add_statement(struct rv_change *change, const char *sql);
/* `place` may be SIZE_MAX: nothing has to come before it. */
void rv_change_after(struct rv_change *change, size_t place, bool needs);
/* How many really change something, of all or of one stream. */
size_t rv_changes_count(const struct rv_changes *changes);
bool rv_change_is_real(const struct rv_change *change); /* not FOREIGN, not CONFLICT */

const char *rv_change_word(enum rv_change_kind kind, bool is_done); /* "make", "made" */
/* {"object","action","why","statements":[]}, of a change that was tried also "state" and "error".
 * Caller owns it. */
json_t *rv_change_json(const struct rv_change *change);

#endif

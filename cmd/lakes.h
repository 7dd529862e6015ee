/*
 * The lakes of a profile: its own, and those that businesses have of their own. A stream is in the lake of
 * its business; what another lake holds under the same name is somebody else's, or left from before.
 *
 * One that fails does not hide the others: they have their turn, then the gravest failure is returned
 * with the lake's name in it. The others that failed have been warned of by then.
 */
#ifndef RIVER_LAKES_H
#define RIVER_LAKES_H

#include <stdbool.h>
#include <stddef.h>

#include "context.h"

struct river_lakes {
	struct rv_command_context *cx;
	const struct rv_profile *home;  /* what the command began with */
	const char *at;                 /* as configured, the one that cx->lake is now */
	size_t count;                   /* different ones */
	struct rv_error worst;          /* RV_OK: none failed */
};
/* Before the command enters a business. Nothing to release. */
void river_lakes_init(struct river_lakes *lakes, struct rv_command_context *cx);
/* Whether streams of this business are in the lake that cx->lake is. */
bool river_lakes_has(const struct river_lakes *lakes, const char *business);
/* Calls `each` once for each lake, the profile's own first, with cx->profile and cx->lake being that one;
 * behind it they are the profile's again. */
enum rv_status river_lakes_each(struct river_lakes *lakes,
				enum rv_status (*each)(void *arg, struct rv_error *err), void *arg,
				struct rv_error *err) RV_MUST_CHECK;
/* The streams of all of them, as rv_catalog_list has those of one: each name once, in bytewise order. cx is in
 * the lake of the stream when `each` is called. What `each` fails with for this stream alone, such as a damaged
 * definition, is noted like a lake's failure; anything else ends the list and is not noted. */
enum rv_status river_lakes_streams(struct river_lakes *lakes, const char *prefix, const char *after,
				   enum rv_status (*each)(void *arg, const char *name,
							  struct rv_error *err),
				   void *arg, struct rv_error *err) RV_MUST_CHECK;
/* The streams that somebody has named, in that order. `each` enters the lake itself. One that is not there, or fails
 * for itself alone, does not hide those behind it. */
enum rv_status river_lakes_named(struct river_lakes *lakes, char *const *names, int count,
				 enum rv_status (*each)(void *arg, const char *name, struct rv_error *err),
				 void *arg, struct rv_error *err) RV_MUST_CHECK;

#endif

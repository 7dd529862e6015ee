/* What the spool verbs share: the streams of the profile's lakes that have state on this host. */
#ifndef RIVER_SPOOL_H
#define RIVER_SPOOL_H

#include <stdbool.h>

#include "context.h"
#include "spool/state.h"

/* Calls `each` with the state of every stream, or of the one in operands[0] (by name; the stream
 * need not exist any more); cx->profile and cx->lake are those of its lake then. RV_USAGE for more than one operand, RV_NOT_FOUND for a stream that has
 * no state here and is not in the catalog. */
enum rv_status river_spool_each(struct rv_command_context *cx, int operands_count, char **operands,
				enum rv_status (*each)(void *arg, const struct rv_state *state,
						       struct rv_error *err),
				void *arg, struct rv_error *err) RV_MUST_CHECK;

enum river_spool_owner {
	RIVER_SPOOL_OWNED,   /* the catalog has this stream, with this id */
	RIVER_SPOOL_DELETED, /* there is no such stream any more */
	RIVER_SPOOL_OTHER,   /* deleted and created again: another stream of the same name */
};
/* `ret_stream` (Optional, initialised) is filled when it is owned. */
enum rv_status river_spool_owner(struct rv_command_context *cx, const struct rv_state *state,
				 struct rv_stream *ret_stream, enum river_spool_owner *ret,
				 struct rv_error *err) RV_MUST_CHECK;

#endif

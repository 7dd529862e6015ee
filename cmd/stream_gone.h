/*
 * A stream that the catalog has not, and that this host knows: it was deleted, or its definition has gone.
 * Which of both nobody can tell; either way nothing that was accepted for it is dropped.
 */
#ifndef RIVER_STREAM_GONE_H
#define RIVER_STREAM_GONE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/ulid.h"
#include "config/stream.h"
#include "context.h"

struct river_gone {
	bool known;                 /* it was pushed to from here */
	uint64_t runs, records;     /* that wait here */
	uint64_t unread;            /* of the runs, those that cannot be read: they may hold some */
	char id[RV_ULID_TEXT];      /* the newest stream of that name with runs left over here; "": none */
};
/* What cx->lake's state on this host knows of `stream`; by its name. */
enum rv_status river_gone_find(const struct rv_profile *profile, const struct rv_store *lake,
			       const struct rv_stream *stream, struct river_gone *ret,
			       struct rv_error *err) RV_MUST_CHECK;
/* RV_CONFLICT when something that was accepted for the very stream `stream` waits on this host: nothing would
 * ever deliver it once the stream is deleted, as one made again under the name is another one.
 * Without an id, as its definition cannot be read, of any that had the name. */
enum rv_status river_gone_refuse(const struct rv_profile *profile, const struct rv_store *lake,
				 const struct rv_stream *stream, struct rv_error *err) RV_MUST_CHECK;
/* Makes of "does not exist", as rv_catalog_get says it, what is known: that something waits and is kept,
 * which object is missing and how it comes back. Any other failure is left as it is. */
void river_gone_explain(const struct rv_command_context *cx, const char *name, struct rv_error *err);

#endif

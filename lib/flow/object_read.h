/*
 * Reading a lake object to its end: how many records it holds and their set hash, whatever its name
 * says. A listing cannot tell an object that was changed in place.
 */
#ifndef RV_FLOW_OBJECT_READ_H
#define RV_FLOW_OBJECT_READ_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "format/stamp_set.h"
#include "store/store.h"

struct rv_object_content {
	uint64_t records;
	uint64_t set_hash, whole_hash; /* without and with the stamps of the records */
	uint64_t bytes;  /* compressed */
};
/* Whether that is what an object's name says: set hashes are without stamps, but of a stream that was
 * not stamped, with what looks like one. */
static inline bool rv_object_content_is(const struct rv_object_content *content, uint64_t records,
					uint64_t set_hash)
{
	return content->records == records &&
	       (content->set_hash == set_hash || content->whole_hash == set_hash);
}
/* `go_on` (Optional) is asked between pieces and told what was read so far; false ends the reading
 * with RV_FAILED. RV_BAD_DATA: it cannot be read to its end. `ret` is filled as far as it came. */
enum rv_status rv_object_read(struct rv_store *lake, const char *name,
			      bool (*go_on)(void *arg, const struct rv_object_content *so_far),
			      void *arg, struct rv_object_content *ret,
			      struct rv_error *err) RV_MUST_CHECK;
/* The same for an object that Firehose wrote: a line may hold several records, and what is none is
 * passed over. `stamps` gets the stamps of the records; NULL reads as rv_object_read does. */
enum rv_status rv_object_read_stamps(struct rv_store *lake, const char *name,
				     bool (*go_on)(void *arg, const struct rv_object_content *so_far),
				     void *arg, struct rv_stamp_set *stamps,
				     struct rv_object_content *ret, struct rv_error *err) RV_MUST_CHECK;

#endif

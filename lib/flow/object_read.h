/*
 * Reading a lake object to its end: how many records it holds and their set hash, whatever its name
 * says. A listing cannot tell an object that was changed in place.
 */
#ifndef RV_FLOW_OBJECT_READ_H
#define RV_FLOW_OBJECT_READ_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "store/store.h"

struct rv_object_content {
	uint64_t records, set_hash;
	uint64_t bytes;  /* compressed */
};
/* `go_on` (Optional) is asked between pieces and told what was read so far; false ends the reading
 * with RV_FAILED. RV_BAD_DATA: it cannot be read to its end. `ret` is filled as far as it came. */
enum rv_status rv_object_read(struct rv_store *lake, const char *name,
			      bool (*go_on)(void *arg, const struct rv_object_content *so_far),
			      void *arg, struct rv_object_content *ret,
			      struct rv_error *err) RV_MUST_CHECK;

#endif

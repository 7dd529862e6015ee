/* An object of a store as a source: read once, front to back, decompressed. */
#ifndef RV_FLOW_LANDING_SOURCE_H
#define RV_FLOW_LANDING_SOURCE_H

#include "base/error.h"
#include "source/source.h"
#include "store/store.h"

/*
 * `lake` and `name` are borrowed. A store that fails in the middle fails the source. Compressed
 * bytes that are damaged end it, and *ret_damage (RV_BAD_DATA; initialised by the caller, who keeps
 * it as long as the source) says where: what came before is whole and counts.
 */
enum rv_status rv_landing_source_new(struct rv_store *lake, const char *name,
				     struct rv_error *ret_damage, struct rv_source **ret,
				     struct rv_error *err) RV_MUST_CHECK;

#endif

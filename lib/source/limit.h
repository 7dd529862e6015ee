/*
 * A source that skips the first bytes of another one and ends after a given offset: an extent of a
 * file or of what a compressed file holds, read again.
 */
#ifndef RV_SOURCE_LIMIT_H
#define RV_SOURCE_LIMIT_H

#include <stdint.h>

#include "source/source.h"

/* Gives bytes [from, to) of `inner`, which it owns from now on (also on failure). Seeks where inner
 * can, else reads and drops. An inner source that ends before `from` is RV_BAD_DATA. */
enum rv_status rv_source_limit_new(struct rv_source *inner, uint64_t from, uint64_t to,
				   struct rv_source **ret, struct rv_error *err) RV_MUST_CHECK;

#endif

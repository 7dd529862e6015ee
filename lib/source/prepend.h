/* A source that gives bytes already read from another one first, then the rest of it. */
#ifndef RV_SOURCE_PREPEND_H
#define RV_SOURCE_PREPEND_H

#include "source/source.h"

#define RV_PREPEND_MAX 16

/* Copies `len` <= RV_PREPEND_MAX bytes; owns `inner` from now on. */
struct rv_source *rv_source_prepend_new(const void *p, size_t len, struct rv_source *inner);

#endif

/*
 * XXH3 with the widest registers of this processor: the library chooses when it runs. Compiled in, it would
 * have those that every x86-64 has, and hash a record of a few hundred bytes at half the speed.
 */
#ifndef RV_FORMAT_XXH3_H
#define RV_FORMAT_XXH3_H

#define XXH_STATIC_LINKING_ONLY /* states on the stack */
#ifdef __x86_64__
#include <xxh_x86dispatch.h>
#else
#include <xxhash.h>
#endif

#endif

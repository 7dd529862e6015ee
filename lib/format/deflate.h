/*
 * gzip made quickly from records that look alike: blocks in, a gzip member out, one member after
 * another with one object. Decoders of RFC 1951 and 1952 read it. The same bytes in give the same bytes
 * out, in whatever pieces they come.
 *
 * About 0.7 MiB. One thread uses one at a time.
 */
#ifndef RV_FORMAT_DEFLATE_H
#define RV_FORMAT_DEFLATE_H

#include <stdbool.h>
#include <stddef.h>

struct rv_deflate;
struct rv_deflate *rv_deflate_new(void);
void rv_deflate_free(struct rv_deflate *deflate);
/* Starts a member; what was unfinished is forgotten. */
void rv_deflate_begin(struct rv_deflate *deflate);
/* How many of the bytes were taken; when it is not all of them, the block has to be made first. */
size_t rv_deflate_take(struct rv_deflate *deflate, const void *p, size_t len);
/* Makes a block of what was taken; `last` ends the member, for which there may be nothing. The bytes are
 * good until the next call. */
void rv_deflate_block(struct rv_deflate *deflate, bool last, const char **ret, size_t *ret_len);

#endif

/*
 * Decompression one step at a time, for readers that own both buffers: zstd (several frames in a
 * row), gzip (several members in a row), or nothing at all.
 *
 * Arguments are borrowed for the call. One thread at a time per struct.
 */
#ifndef RV_FORMAT_UNPACK_H
#define RV_FORMAT_UNPACK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/strbuf.h"

enum rv_packing { RV_PACKING_NONE, RV_PACKING_ZSTD, RV_PACKING_GZIP };

struct rv_unpack;
struct rv_unpack *rv_unpack_new(enum rv_packing packing);
void rv_unpack_free(struct rv_unpack *unpack);
void rv_unpack_free_p(struct rv_unpack **unpack);

/* Takes bytes from the front of `input` and writes at most `size` to `out`. *ret_len = 0 with
 * `input` empty asks for more input. RV_BAD_DATA when the bytes are not of that kind. */
enum rv_status rv_unpack_step(struct rv_unpack *unpack, struct rv_str *input, void *out,
			      size_t size, size_t *ret_len, struct rv_error *err) RV_MUST_CHECK;
/* At the end of the input: RV_BAD_DATA when it stopped in the middle of a frame. */
enum rv_status rv_unpack_end(const struct rv_unpack *unpack, struct rv_error *err) RV_MUST_CHECK;

#endif

/*
 * Compressing lake objects: bytes in, compressed bytes out through a sink, one object after another
 * with one compressor. zstd works in libzstd's own threads, so reading and validating go on beside
 * it; a frame's content does not depend on timing or the number of threads.
 *
 * One thread uses a compressor at a time.
 */
#ifndef RV_FORMAT_COMPRESS_H
#define RV_FORMAT_COMPRESS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "config/stream.h"

typedef enum rv_status rv_compress_sink(void *arg, const void *p, size_t len, struct rv_error *err);

struct rv_compressor;
/* `threads`: how many may work beside the caller; 0: the caller does it all. */
enum rv_status rv_compressor_new(enum rv_output_compression kind, unsigned threads,
				 struct rv_compressor **ret, struct rv_error *err) RV_MUST_CHECK;
/* The same, for rows of one table, or documents of one kind. */
enum rv_status rv_compressor_new_for_rows(enum rv_output_compression kind, unsigned threads,
					  struct rv_compressor **ret, struct rv_error *err)
	RV_MUST_CHECK;
void rv_compressor_free(struct rv_compressor *compressor);
/* Starts the next object; what was unfinished is forgotten. */
void rv_compressor_begin(struct rv_compressor *compressor, rv_compress_sink *sink, void *arg);
enum rv_status rv_compressor_write(struct rv_compressor *compressor, const void *p, size_t len,
				   struct rv_error *err) RV_MUST_CHECK;
enum rv_status rv_compressor_end(struct rv_compressor *compressor, struct rv_error *err)
	RV_MUST_CHECK;
/* Bytes given to the sink for this object so far; lags behind what was written. */
uint64_t rv_compressor_bytes(const struct rv_compressor *compressor);

#endif

/*
 * A source gives bytes: a pipe, a file, a member of an archive. It knows nothing of records.
 *
 * One thread uses a source at a time. Failures are RV_LOCAL_IO (the system said no) or RV_BAD_DATA
 * (a compressed stream is damaged; the message names the decompressed offset).
 */
#ifndef RV_SOURCE_SOURCE_H
#define RV_SOURCE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum rv_source_state {
	RV_SOURCE_BYTES, /* *ret_n > 0 */
	RV_SOURCE_END,
	RV_SOURCE_WAIT,  /* timeout_ms passed, or a signal arrived, without a byte */
};

struct rv_source;
struct rv_source_ops {
	const char *name; /* "stdin", "file", "zstd", "mem" */
	/* Read up to `size` bytes. Blocks at most timeout_ms (-1: for ever); only sources that can
	 * trickle look at it. Returns early with WAIT when a signal interrupts the wait. */
	enum rv_status (*read)(struct rv_source *, void *buf, size_t size, int64_t timeout_ms,
			       size_t *ret_n, enum rv_source_state *ret_state,
			       struct rv_error *err);
	/* Optional (NULL: cannot). Go to this offset of the bytes `read` gives. */
	enum rv_status (*seek)(struct rv_source *, uint64_t offset, struct rv_error *err);
	void (*free)(struct rv_source *);
};
struct rv_source {
	const struct rv_source_ops *ops; /* first member of each implementation */
	const char *label;               /* for messages: "events.ndjson", "standard input" */
};

void rv_source_free(struct rv_source *source);   /* NULL is fine */
void rv_source_free_p(struct rv_source **source);

/* File descriptor 0; a terminal, pipe, socket or file, also a non-blocking one. A folder is
 * refused. Does not close 0. */
enum rv_status rv_source_stdin_new(struct rv_source **ret, struct rv_error *err) RV_MUST_CHECK;
/* Reads from `fd`, which the source owns from now on. Reads stop at `end_offset` (UINT64_MAX: the
 * file's end), so an extent can be read again exactly. */
enum rv_status rv_source_file_new(int fd, const char *label, uint64_t end_offset,
				  struct rv_source **ret, struct rv_error *err) RV_MUST_CHECK;
/* For tests: gives `len` bytes in pieces of at most `piece` (0: all at once), then END. `fail_at`
 * (UINT64_MAX: never) makes the read at that offset fail. Bytes are borrowed. */
struct rv_source *rv_source_mem_new(const void *p, size_t len, size_t piece, uint64_t fail_at);

/* What the first bytes say: gzip 1f 8b, zstd 28 b5 2f fd, bzip2 "BZh", xz fd "7zXZ" 00. */
enum rv_compression {
	RV_COMPRESSION_NONE,
	RV_COMPRESSION_GZIP,
	RV_COMPRESSION_ZSTD,
	RV_COMPRESSION_BZIP2,
	RV_COMPRESSION_XZ,
};
enum rv_compression rv_compression_detect(const void *p, size_t len);
/* Are these first bytes too few to tell? A line of text tells at its end: there is none in what a
 * compression begins with. */
bool rv_compression_may_begin(const void *p, size_t len);
const char *rv_compression_name(enum rv_compression compression); /* "none", "gzip", ... */
bool rv_compression_parse(const char *name, enum rv_compression *ret);
/* A source of the decompressed bytes of `inner`, which it owns from now on (also on failure).
 * All members of a concatenated file are read; a truncated or damaged stream is RV_BAD_DATA with
 * the offset, never a quiet end, and so are bytes behind the last member. Waits as `inner` does. The
 * libraries for bzip2 and xz are opened with dlopen at this call, so that river starts without
 * them; gzip uses ISA-L, zstd libzstd. `pending` (may be NULL) are bytes already read from inner
 * that come first; they are copied. Seek goes forward only, by decompressing. */
enum rv_status rv_source_decompress_new(struct rv_source *inner, enum rv_compression compression,
					const void *pending, size_t pending_len,
					struct rv_source **ret, struct rv_error *err) RV_MUST_CHECK;

#endif

/*
 * Reading a text whole, in pieces, with limits, from a checkpoint, and what must hold of the spans
 * whatever the input: extents touch each other, records are valid, hashes and counts agree.
 */
#ifndef RV_TESTS_READER_UTIL_H
#define RV_TESTS_READER_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "format/reader.h"

struct read_result {
	struct rv_strbuf records;  /* with newlines */
	struct rv_strbuf rejects;  /* "line:code:offset:bytes|" each */
	struct rv_strbuf extents;  /* "from-to " of each span cut by a limit, and of each reject */
	uint64_t count, set_hash, record_bytes, reject_count;
	uint64_t pending_offset, pending_len;
	enum rv_status status;
	struct rv_error err;
};

struct read_how {
	size_t piece;              /* bytes a read gives, 0: all */
	uint64_t max_records, max_bytes, large_bytes;
	bool no_finish;
	bool resume;               /* a new reader at the end of every span */
};

void read_text(const char *p, size_t len, const struct rv_reader_params *params,
	       const struct read_how *how, struct read_result *ret);
void read_result_release(struct read_result *r);

/* Reads `text` in many ways, asserts that all agree, and compares with what is expected. */
void expect_reading(const char *text, size_t len, const struct rv_reader_params *params,
		    const char *records, const char *rejects);

/*
 * A reader's buffer of a MiB costs AddressSanitizer more than everything else here. Its build looks at some
 * of the sizes of pieces, the plain one at all.
 */
#if defined(__SANITIZE_ADDRESS__)
#define READER_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define READER_SANITIZED 1
#endif
#endif
#ifndef READER_SANITIZED
#define READER_SANITIZED 0
#endif

#endif

/*
 * Texts of other encodings as UTF-8, piece by piece. Nothing is guessed and nothing replaced: a byte that
 * the encoding does not have ends it, with its place.
 *
 * Sources: ISO/IEC 8859-1; WHATWG Encoding Standard, windows-1252 (without its five C1 controls, which
 * are refused); RFC 2781 (UTF-16).
 */
#ifndef RV_FORMAT_RECODE_H
#define RV_FORMAT_RECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"

enum rv_encoding {
	RV_ENCODING_UTF8,
	RV_ENCODING_LATIN1,
	RV_ENCODING_WINDOWS1252,
	RV_ENCODING_UTF16,   /* as its byte order mark says; without one, big-endian */
	RV_ENCODING_UTF16LE,
	RV_ENCODING_UTF16BE,
};
extern const char *const rv_encoding_names[]; /* "utf-8", ...; NULL at the end */

struct rv_recode {
	enum rv_encoding encoding;
	bool little;       /* UTF-16, once its mark was read */
	bool started;
	uint64_t taken;    /* bytes so far */
};
/* Appends p[0..len) to `out`, whose room grows as needed. Returns the bytes taken: fewer than len when the
 * last character is not whole yet (give those again, with more behind them), or, with *ret_bad, when what
 * stands there is no character. With `final` an unfinished one is bad as well. */
size_t rv_recode(struct rv_recode *recode, const char *p, size_t len, bool final,
		 struct rv_strbuf *out, bool *ret_bad);

#endif

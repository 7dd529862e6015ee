/*
 * Shared by the scanners of json_scan.h; nobody else includes this.
 */
#ifndef RV_FORMAT_JSON_SCAN_IMPL_H
#define RV_FORMAT_JSON_SCAN_IMPL_H

#include "base/processor.h"
#include "format/json_scan.h"

/* Byte by byte; the one that finds out what is wrong and where. */
enum rv_json_fault rv_json_scan_portable(const char *p, size_t len, unsigned max_depth,
					 unsigned flags, struct rv_json_scan *ret);

/* The key whose opening quote is p[at] is "_river" once its escapes are decoded. */
bool rv_json_is_river_key(const char *p, size_t len, size_t at);

/* The escape at p[at] == '\\', with at + 1 < len, is whole and right. `low_at` is where the last
 * call found the second half of a surrogate pair; start with SIZE_MAX, call for each escape in turn. */
bool rv_json_escape_fine(const char *p, size_t len, size_t at, size_t *low_at);

/* The number or word that begins at p[at] is right and ends before a token or white space. */
bool rv_json_scalar_fine(const char *p, size_t len, size_t at);

#if RV_X86
enum rv_json_fault rv_json_scan_avx2(const char *p, size_t len, unsigned max_depth, unsigned flags,
				     struct rv_json_scan *ret);
enum rv_json_fault rv_json_scan_avx512(const char *p, size_t len, unsigned max_depth,
				       unsigned flags, struct rv_json_scan *ret);
#endif

#endif

/* What the files that read a ZIP's directory share. Not for use outside lib/format/zip_*.c. */
#ifndef RV_FORMAT_ZIP_IMPL_H
#define RV_FORMAT_ZIP_IMPL_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "format/zip_directory.h"
#include "format/zip_name.h"

/* Signatures and sizes without the variable parts. */
#define RV_ZIP_LOCAL 0x04034b50u
#define RV_ZIP_LOCAL_BYTES 30
#define RV_ZIP_DESCRIPTOR_SIGNATURE 0x08074b50u
#define RV_ZIP_RECORD 0x02014b50u
#define RV_ZIP_RECORD_BYTES 46

/* General purpose bits [4.4.4]. */
#define RV_ZIP_ENCRYPTED 0x0001u
#define RV_ZIP_DESCRIPTOR 0x0008u
#define RV_ZIP_PATCHED 0x0020u
#define RV_ZIP_ENCRYPTED_STRONGLY 0x0040u
#define RV_ZIP_UTF8 0x0800u
#define RV_ZIP_MASKED 0x2000u

static inline unsigned rv_zip_16(const unsigned char *p)
{
	return (unsigned)p[0] | (unsigned)p[1] << 8;
}
static inline uint32_t rv_zip_32(const unsigned char *p)
{
	return (uint32_t)rv_zip_16(p) | (uint32_t)rv_zip_16(p + 2) << 16;
}
static inline uint64_t rv_zip_64(const unsigned char *p)
{
	return (uint64_t)rv_zip_32(p) | (uint64_t)rv_zip_32(p + 4) << 32;
}
uint32_t rv_zip_crc(uint32_t crc, const void *p, size_t len);

/* RV_BAD_DATA about `label`: "extract.zip: ...". */
enum rv_status rv_zip_refuse(const char *label, struct rv_error *err, const char *fmt, ...)
	RV_PRINTF(3, 4);

/* What the end records say: the directory ends exactly where they begin. */
struct rv_zip_end {
	uint64_t directory_offset, directory_bytes, count;
};
enum rv_status rv_zip_find_end(const struct rv_zip_input *input, const char *label,
			       struct rv_zip_end *ret, struct rv_error *err) RV_MUST_CHECK;

#endif

/*
 * The directory of a ZIP archive, read strictly: the central directory is the truth, every local
 * header and data descriptor has to say the same, and entries have to lie one behind the other from
 * the first byte of the file to the directory, without gap or overlap. So two readers cannot see two
 * different archives in one file, and nothing in it is invisible. Whatever is not so is refused,
 * before a single byte of data is looked at.
 *
 * Sources: PKWARE, "APPNOTE.TXT - .ZIP File Format Specification", 6.3.10 (numbers of its sections
 * in the .c file); Info-ZIP, "proginfo/extrafld.txt" for the extra fields UT and Unicode Path.
 */
#ifndef RV_FORMAT_ZIP_DIRECTORY_H
#define RV_FORMAT_ZIP_DIRECTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* What an archive may claim; 0 is the default. */
struct rv_zip_limits {
	uint64_t max_bytes;      /* of all entries together, inflated; 1 TiB */
	uint64_t max_ratio;      /* inflated to packed, of each entry over 1 MiB; 1000 */
	uint64_t max_entries;    /* 100,000 */
	uint64_t max_name_bytes; /* of each; 1024 */
};

/* APPNOTE 4.4.5; of the many only those that can be read. */
enum rv_zip_method {
	RV_ZIP_STORED = 0,
	RV_ZIP_DEFLATE = 8,
	RV_ZIP_BZIP2 = 12,
	RV_ZIP_LZMA = 14,
	RV_ZIP_ZSTD = 93,
	RV_ZIP_XZ = 95,
	RV_ZIP_PPMD = 98,
};
/* With the defaults for what is 0; `limits` may be NULL. */
struct rv_zip_limits rv_zip_limits_with_defaults(const struct rv_zip_limits *limits);
/* Entries up to here have no ratio: a small file of blanks is fine. */
#define RV_ZIP_RATIO_FREE_BYTES (1u << 20)

const char *rv_zip_method_name(unsigned method); /* "deflate"; "unknown" */

/* A regular file of the archive. Its name is relative, has no "..", backslash, drive letter, control
 * character or empty part; still it is for matching, never for opening anything. */
struct rv_zip_entry {
	const char *name;        /* its bytes, nearly always UTF-8 */
	const char *shown;       /* the same for messages: bytes that are no UTF-8 as \xNN */
	uint64_t bytes;          /* inflated, as the directory says */
	uint64_t packed_bytes;
	uint32_t crc;            /* CRC-32 of the inflated bytes, as the directory says */
	unsigned method;         /* enum rv_zip_method */
	unsigned flags;          /* general purpose bits */
	int64_t modified_s;      /* Unix time; 0 unknown. Without the field UT, local time read as UTC */
	uint64_t header_offset, data_offset;
};
struct rv_zip_directory {
	struct rv_zip_entry *entries; /* in the directory's order, without folders */
	size_t count;
	size_t folders;
	uint64_t bytes, packed_bytes; /* of all entries */
	char *names;                  /* what the entries point into */
};

/* Where the bytes come from: `read` gives `len` of them from `offset`, all within `bytes`, or fails. */
struct rv_zip_input {
	uint64_t bytes;
	enum rv_status (*read)(void *arg, void *p, size_t len, uint64_t offset, struct rv_error *err);
	void *arg;
};

/* RV_BAD_DATA: it is no archive or not a sound one; the message names `label` and the entry. Fails
 * as `read` does else. `ret` is to be released after success. */
enum rv_status rv_zip_directory_read(const struct rv_zip_input *input, const char *label,
				     const struct rv_zip_limits *limits,
				     struct rv_zip_directory *ret, struct rv_error *err) RV_MUST_CHECK;
void rv_zip_directory_release(struct rv_zip_directory *directory);

/* The same extract under another file name or ETag has the same identity: SHA-256 in hexadecimal over
 * names, sizes and CRCs of the entries, ordered by name. Fails as rv_sha256_hex. */
#define RV_ZIP_IDENTITY_TEXT 65
enum rv_status rv_zip_directory_identity(const struct rv_zip_directory *directory,
					 char ret[RV_ZIP_IDENTITY_TEXT],
					 struct rv_error *err) RV_MUST_CHECK;

#endif

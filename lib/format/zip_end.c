/*
 * The end of a ZIP archive, where reading it begins: the end record, with zip64 its larger one and the
 * locator of that, and for what has none an answer why: cut short, something behind it, no ZIP at all.
 */
#include <isa-l/crc.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "format/zip_impl.h"

#define END 0x06054b50u         /* [4.3.16] */
#define END_BYTES 22
#define COMMENT_BYTES_MAX 65535
#define END64 0x06064b50u       /* [4.3.14] */
#define END64_BYTES 56
#define LOCATOR 0x07064b50u     /* [4.3.15] */
#define LOCATOR_BYTES 20

uint32_t rv_zip_crc(uint32_t crc, const void *p, size_t len)
{
	return crc32_gzip_refl(crc, p, len);
}

enum rv_status rv_zip_refuse(const char *label, struct rv_error *err, const char *fmt, ...)
{
	char text[900];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	rv_fail(err, RV_BAD_DATA, "%s: %s", label, text);
	rv_error_at(err, label, 0, 0);
	return RV_BAD_DATA;
}

static unsigned long long wide(uint64_t n)
{
	return (unsigned long long)n;
}

/* ---- files without an end record ---- */

static const struct {
	const char *bytes;
	size_t len, at;
	const char *what;
} others[] = {
	{ "\x1f\x8b", 2, 0, "a gzip file" },       { "\x28\xb5\x2f\xfd", 4, 0, "a zstd file" },
	{ "BZh", 3, 0, "a bzip2 file" },           { "\xfd" "7zXZ", 5, 0, "an xz file" },
	{ "7z\xbc\xaf", 4, 0, "a 7-Zip archive" }, { "Rar!", 4, 0, "a RAR archive" },
	{ "ustar", 5, 257, "a tar archive" },      { "PAR1", 4, 0, "a Parquet file" },
	{ "%PDF", 4, 0, "a PDF" },                 { "<!", 2, 0, "a page of HTML or XML" },
	{ "<html", 5, 0, "a page of HTML" },       { "<HTML", 5, 0, "a page of HTML" },
	{ "<?xml", 5, 0, "an XML document" },      { "{", 1, 0, "JSON" },
};

/* As far back as an end record may be. */
#define TAIL_BYTES (END_BYTES + COMMENT_BYTES_MAX)

static enum rv_status refuse_followed(const struct rv_zip_input *input, const char *label, uint64_t end,
				      struct rv_error *err)
{
	rv_zip_refuse(label, err, "%llu bytes follow the end of the archive at byte %llu",
		      wide(input->bytes - end), wide(end));
	rv_hint(err, "another file may have been appended to it, or its comment's length is wrong");
	return RV_BAD_DATA;
}

/* Where the archive ends whose directory begins at `at`; *ret 0: not in this file, or in its tail, where it would have
 * been found. */
static enum rv_status find_end_behind(const struct rv_zip_input *input, uint64_t at, uint64_t *ret,
				      struct rv_error *err)
{
	unsigned char p[RV_ZIP_RECORD_BYTES];

	*ret = 0;
	while (at + TAIL_BYTES < input->bytes) {
		if (input->read(input->arg, p, sizeof(p), at, err) != RV_OK)
			return err->status;
		if (rv_zip_32(p) == END) {
			*ret = at + END_BYTES + rv_zip_16(p + 20);
			break;
		}
		if (rv_zip_32(p) == RV_ZIP_RECORD)
			at += sizeof(p) + rv_zip_16(p + 28) + rv_zip_16(p + 30) + rv_zip_16(p + 32);
		else if (rv_zip_32(p) == END64)
			at += END64_BYTES;
		else if (rv_zip_32(p) == LOCATOR)
			at += LOCATOR_BYTES;
		else
			break;
	}
	return RV_OK;
}

/* Walks entries as long as their headers say how long they are: up to which byte the file would have to
 * go at least, and in which entry it ends. */
static enum rv_status explain_cut(const struct rv_zip_input *input, const char *label,
				  struct rv_error *err)
{
	unsigned char p[RV_ZIP_LOCAL_BYTES];
	uint64_t at = 0, needs = 0, archive_end = 0;
	bool is_cut = false, may_be_followed = input->bytes > TAIL_BYTES;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf name = RV_STRBUF_INIT;

	while (input->bytes - at >= sizeof(p)) {
		if (input->read(input->arg, p, sizeof(p), at, err) != RV_OK)
			return err->status;
		if (rv_zip_32(p) != RV_ZIP_LOCAL) {
			if (may_be_followed && find_end_behind(input, at, &archive_end, err) != RV_OK)
				return err->status;
			break;
		}
		size_t name_len = rv_zip_16(p + 26);
		uint64_t data = at + sizeof(p) + name_len + rv_zip_16(p + 28);
		uint64_t end = data + rv_zip_32(p + 18);

		rv_strbuf_clear(&name);
		if (name_len <= input->bytes - at - sizeof(p)) {
			RV_CLEANUP(rv_free_p) char *bytes = rv_malloc(name_len);

			if (name_len && input->read(input->arg, bytes, name_len, at + sizeof(p), err) !=
						RV_OK)
				return err->status;
			rv_zip_name_show(&name, bytes, name_len, 200);
		}
		/* Where the sizes stand behind the data, or elsewhere, nothing is known of the end. */
		bool known = !(rv_zip_16(p + 6) & RV_ZIP_DESCRIPTOR) && rv_zip_32(p + 18) != UINT32_MAX;

		needs = (known ? end : data) + RV_ZIP_RECORD_BYTES + name_len + END_BYTES;
		is_cut = data > input->bytes || (known && end > input->bytes);
		if (!known || is_cut)
			break;
		at = end;
		rv_strbuf_clear(&name);
	}
	if (archive_end)
		return refuse_followed(input, label, archive_end, err);
	if (!is_cut && may_be_followed) {
		rv_zip_refuse(label, err, "it is truncated, or more than 64 KiB follow its end: no end record is "
			      "in its last %d bytes", TAIL_BYTES);
		rv_hint(err, "it may still be being written, a copy of it was cut short, or another file was "
			"appended to it");
		return RV_BAD_DATA;
	}
	if (needs <= input->bytes)
		needs = input->bytes + 1;
	rv_zip_refuse(label, err, "it is truncated at %llu of at least %llu bytes%s%s%s: its directory is "
		      "not there", wide(input->bytes), wide(needs), name.len ? ", in entry '" : "",
		      name.bytes, name.len ? "'" : "");
	rv_hint(err, "it may still be being written, or a copy of it was cut short");
	return RV_BAD_DATA;
}

static enum rv_status explain_none(const struct rv_zip_input *input, const char *label,
				   struct rv_error *err)
{
	unsigned char head[512] = "";
	size_t n = input->bytes < sizeof(head) ? (size_t)input->bytes : sizeof(head);

	if (n == 0) {
		rv_zip_refuse(label, err, "it is empty");
		rv_hint(err, "it may still be being written, or a copy of it was cut short");
		return RV_BAD_DATA;
	}
	if (input->read(input->arg, head, n, 0, err) != RV_OK)
		return err->status;
	/* An archive cut within its first bytes is also one cut short. */
	if (memcmp(head, "PK\3\4", n < 4 ? n : 4) == 0)
		return explain_cut(input, label, err);
	if (n >= END_BYTES && rv_zip_32(head) == END)
		return refuse_followed(input, label, END_BYTES + rv_zip_16(head + 20), err);
	if (memcmp(head, "PK\5\6", n < 4 ? n : 4) == 0)
		return rv_zip_refuse(label, err, "it is truncated at %llu of at least 22 bytes",
				     wide(input->bytes));
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (others[i].at + others[i].len <= n &&
		    memcmp(head + others[i].at, others[i].bytes, others[i].len) == 0)
			return rv_zip_refuse(label, err, "it is no ZIP archive but %s", others[i].what);
	return rv_zip_refuse(label, err, "it is no ZIP archive");
}

/* ---- the records ---- */

/* The end record is the one whose comment ends with the file. More than one such: a comment made to
 * look like one. *ret_offset UINT64_MAX: none, err says why. */
static enum rv_status find_record(const struct rv_zip_input *input, const char *label,
				  const unsigned char *tail, size_t n, uint64_t *ret_offset,
				  struct rv_error *err)
{
	uint64_t begin = input->bytes - n, found = UINT64_MAX, near = UINT64_MAX, near_end = 0;

	for (size_t i = n < END_BYTES ? 0 : n - END_BYTES + 1; i-- > 0;) {
		if (tail[i] != 'P' || rv_zip_32(tail + i) != END)
			continue;
		uint64_t end = begin + i + END_BYTES + rv_zip_16(tail + i + 20);

		if (end != input->bytes) {
			if (near == UINT64_MAX) {
				near = begin + i;
				near_end = end;
			}
			continue;
		}
		if (found != UINT64_MAX)
			return rv_zip_refuse(label, err, "it has two end records, at bytes %llu and "
					     "%llu", wide(begin + i), wide(found));
		found = begin + i;
	}
	*ret_offset = found;
	if (found != UINT64_MAX)
		return RV_OK;
	if (near == UINT64_MAX)
		return explain_none(input, label, err);
	if (near_end > input->bytes) {
		rv_zip_refuse(label, err, "it is truncated at %llu of %llu bytes, in its comment",
			      wide(input->bytes), wide(near_end));
		rv_hint(err, "it may still be being written, or a copy of it was cut short");
		return RV_BAD_DATA;
	}
	return refuse_followed(input, label, near_end, err);
}

static enum rv_status several_disks(const char *label, struct rv_error *err)
{
	return rv_zip_refuse(label, err, "it is one part of an archive in several");
}

/* `small` is what the end record says, all ones where zip64 says it instead. */
static enum rv_status take_zip64(const struct rv_zip_input *input, const char *label,
				 const unsigned char *locator, uint64_t locator_offset,
				 const struct rv_zip_end *small, struct rv_zip_end *ret,
				 uint64_t *ret_begin, struct rv_error *err)
{
	unsigned char p[END64_BYTES];
	uint64_t offset = rv_zip_64(locator + 8);

	if (rv_zip_32(locator + 4) != 0 || rv_zip_32(locator + 16) > 1)
		return several_disks(label, err);
	if (locator_offset < END64_BYTES || offset > locator_offset - END64_BYTES)
		return rv_zip_refuse(label, err, "its zip64 end record is not at byte %llu, where it is "
				     "said to be", wide(offset));
	if (input->read(input->arg, p, sizeof(p), offset, err) != RV_OK)
		return err->status;
	/* Its own size does not count its first 12 bytes. */
	if (rv_zip_32(p) != END64 || rv_zip_64(p + 4) != locator_offset - offset - 12)
		return rv_zip_refuse(label, err, "its zip64 end record at byte %llu is damaged, or not "
				     "there", wide(offset));
	if (rv_zip_32(p + 16) != 0 || rv_zip_32(p + 20) != 0)
		return several_disks(label, err);
	*ret = (struct rv_zip_end){ .directory_offset = rv_zip_64(p + 48),
				    .directory_bytes = rv_zip_64(p + 40),
				    .count = rv_zip_64(p + 32) };
	if (rv_zip_64(p + 24) != ret->count)
		return rv_zip_refuse(label, err, "its end record has two numbers of entries, %llu and %llu",
				     wide(rv_zip_64(p + 24)), wide(ret->count));
	if ((small->count != UINT16_MAX && small->count != ret->count) ||
	    (small->directory_bytes != UINT32_MAX && small->directory_bytes != ret->directory_bytes) ||
	    (small->directory_offset != UINT32_MAX &&
	     small->directory_offset != ret->directory_offset))
		return rv_zip_refuse(label, err, "its two end records differ: %llu entries in %llu bytes at "
				     "byte %llu, and with zip64 %llu in %llu at %llu",
				     wide(small->count), wide(small->directory_bytes),
				     wide(small->directory_offset), wide(ret->count),
				     wide(ret->directory_bytes), wide(ret->directory_offset));
	*ret_begin = offset;
	return RV_OK;
}

enum rv_status rv_zip_find_end(const struct rv_zip_input *input, const char *label,
			       struct rv_zip_end *ret, struct rv_error *err)
{
	size_t most = LOCATOR_BYTES + TAIL_BYTES;
	size_t n = input->bytes < most ? (size_t)input->bytes : most;
	RV_CLEANUP(rv_free_p) unsigned char *tail = rv_malloc(n);
	uint64_t offset = UINT64_MAX;

	if (n && input->read(input->arg, tail, n, input->bytes - n, err) != RV_OK)
		return err->status;
	if (find_record(input, label, tail, n, &offset, err) != RV_OK)
		return err->status;
	const unsigned char *p = tail + (n - (size_t)(input->bytes - offset));
	struct rv_zip_end end = { .directory_offset = rv_zip_32(p + 16),
				  .directory_bytes = rv_zip_32(p + 12),
				  .count = rv_zip_16(p + 10) };
	uint64_t begin = offset;
	bool has_locator = p - tail >= LOCATOR_BYTES && rv_zip_32(p - LOCATOR_BYTES) == LOCATOR;

	if (rv_zip_16(p + 8) != end.count && !has_locator)
		return rv_zip_refuse(label, err, "its end record has two numbers of entries, %u and %llu",
				     rv_zip_16(p + 8), wide(end.count));
	/* All ones are allowed with zip64, and where there is just one disk too. */
	if ((rv_zip_16(p + 4) != 0 || rv_zip_16(p + 6) != 0) &&
	    !(has_locator && rv_zip_16(p + 4) == UINT16_MAX && rv_zip_16(p + 6) == UINT16_MAX))
		return several_disks(label, err);
	if (has_locator) {
		struct rv_zip_end small = end;

		if (take_zip64(input, label, p - LOCATOR_BYTES, offset - LOCATOR_BYTES, &small, &end,
			       &begin, err) != RV_OK)
			return err->status;
	}
	if (end.directory_bytes > begin || end.directory_offset > begin - end.directory_bytes)
		return rv_zip_refuse(label, err, "its directory of %llu bytes at byte %llu does not end "
				     "before its end record at byte %llu", wide(end.directory_bytes),
				     wide(end.directory_offset), wide(begin));
	uint64_t shift = begin - end.directory_bytes - end.directory_offset;

	if (shift) {
		rv_zip_refuse(label, err, "its directory ends %llu bytes before its end record at byte %llu",
			      wide(shift), wide(begin));
		rv_hint(err, "something stands before the archive: two archives in one file, or a program "
			     "that unpacks itself");
		return RV_BAD_DATA;
	}
	*ret = end;
	return RV_OK;
}

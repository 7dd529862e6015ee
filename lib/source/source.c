/* What all sources share: freeing, and the names of the compressions. */
#include "source/source.h"

#include <string.h>

void rv_source_free(struct rv_source *source)
{
	if (source)
		source->ops->free(source);
}

void rv_source_free_p(struct rv_source **source)
{
	rv_source_free(*source);
	*source = NULL;
}

static const char *const compression_names[] = {
	[RV_COMPRESSION_NONE] = "none",   [RV_COMPRESSION_GZIP] = "gzip",
	[RV_COMPRESSION_ZSTD] = "zstd",   [RV_COMPRESSION_BZIP2] = "bzip2",
	[RV_COMPRESSION_XZ] = "xz",
};

enum rv_compression rv_compression_detect(const void *p, size_t len)
{
	const unsigned char *b = p;

	if (len >= 2 && b[0] == 0x1f && b[1] == 0x8b)
		return RV_COMPRESSION_GZIP;
	if (len >= 4 && memcmp(b, "\x28\xb5\x2f\xfd", 4) == 0)
		return RV_COMPRESSION_ZSTD;
	/* A skippable frame in front, as some parallel writers put it (RFC 8878, 3.1.2). */
	if (len >= 4 && (b[0] & 0xf0) == 0x50 && memcmp(b + 1, "\x2a\x4d\x18", 3) == 0)
		return RV_COMPRESSION_ZSTD;
	/* The digit is the block size; without it a text starting with "BZh" would do. */
	if (len >= 4 && memcmp(b, "BZh", 3) == 0 && b[3] >= '1' && b[3] <= '9')
		return RV_COMPRESSION_BZIP2;
	if (len >= 6 && memcmp(b, "\xfd"
				  "7zXZ",
			       6) == 0)
		return RV_COMPRESSION_XZ;
	return RV_COMPRESSION_NONE;
}

bool rv_compression_may_begin(const void *p, size_t len)
{
	static const struct {
		unsigned char first_mask, bytes[6];
		size_t len;
	} begins[] = {
		{ 0xff, { 0x1f, 0x8b }, 2 },
		{ 0xff, { 0x28, 0xb5, 0x2f, 0xfd }, 4 },
		{ 0xf0, { 0x50, 0x2a, 0x4d, 0x18 }, 4 },
		{ 0xff, { 'B', 'Z', 'h', 0 }, 4 },
		{ 0xff, { 0xfd, '7', 'z', 'X', 'Z', 0 }, 6 },
	};
	const unsigned char *b = p;

	for (size_t i = 0; i < sizeof(begins) / sizeof(*begins); i++)
		if (len < begins[i].len &&
		    (len == 0 || ((b[0] & begins[i].first_mask) == begins[i].bytes[0] &&
				  memcmp(b + 1, begins[i].bytes + 1, len - 1) == 0)))
			return true;
	return false;
}

const char *rv_compression_name(enum rv_compression compression)
{
	return compression_names[compression];
}

bool rv_compression_parse(const char *name, enum rv_compression *ret)
{
	for (size_t i = 0; i < sizeof(compression_names) / sizeof(*compression_names); i++)
		if (strcmp(name, compression_names[i]) == 0) {
			*ret = (enum rv_compression)i;
			return true;
		}
	return false;
}

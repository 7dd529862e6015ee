/* Writing ZIP archives byte by byte, for make_zip.c: true ones, and with lies in every field. */
#ifndef TESTS_LIB_ZIP_WRITER_H
#define TESTS_LIB_ZIP_WRITER_H

#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

enum { STORED = 0, DEFLATE = 8, BZIP2 = 12, LZMA = 14, ZSTD_METHOD = 93, XZ = 95, PPMD = 98 };
enum descriptor { NO_DESCRIPTOR, SIGNED_32, BARE_32, SIGNED_64, BARE_64, MISSING };

struct bytes {
	unsigned char *p;
	size_t len, room;
};

struct zip {
	struct bytes out, central;
	uint64_t count;
};

/* An entry as it is to be written: what is true, and where to lie. */
struct member {
	const char *name;
	size_t name_len;                /* 0: strlen */
	const char *data;
	size_t len;
	const void *packed;             /* already so by the method */
	size_t packed_len;
	unsigned method, flags;
	enum descriptor descriptor;
	bool zip64, zip64_central;      /* sizes in the field zip64, before the data or in the directory */
	bool told;                      /* with a descriptor: sizes before the data too */
	bool nothing;                   /* no local header and data: only the directory's record */
	bool hidden;                    /* no record in the directory */
	unsigned host;
	uint32_t attributes;
	unsigned time, date;
	const char *extra;              /* of both headers */
	size_t extra_len;
	/* Lies: added (exclusive or for flags) to what is true. */
	uint32_t crc_all, crc_local, crc_central, crc_descriptor;
	int64_t bytes_all, bytes_local, bytes_central, packed_all, packed_local, packed_central;
	int64_t bytes_descriptor, offset;
	int method_local;
	unsigned flags_local;
	const char *name_local;
	unsigned disk;
};

static void add(struct bytes *b, const void *p, size_t len)
{
	if (b->len + len > b->room) {
		b->room = (b->len + len) * 2;
		b->p = realloc(b->p, b->room);
		if (!b->p)
			abort();
	}
	if (len)
		memcpy(b->p + b->len, p, len);
	b->len += len;
}

static void add_int(struct bytes *b, uint64_t n, unsigned size)
{
	unsigned char p[8];

	for (unsigned i = 0; i < size; i++)
		p[i] = (unsigned char)(n >> 8 * i);
	add(b, p, size);
}

static void add_text(struct bytes *b, const char *text)
{
	add(b, text, strlen(text));
}

static void set_int(struct bytes *b, size_t at, uint64_t n, unsigned size)
{
	for (unsigned i = 0; i < size; i++)
		b->p[at + i] = (unsigned char)(n >> 8 * i);
}

/* Lines of CSV, the same for the same numbers. Caller frees. */
static char *make_rows(size_t rows, unsigned seed, size_t *ret_len)
{
	struct bytes b = { 0 };
	uint64_t x = seed * 2654435761u + 1;
	char line[96];

	add_text(&b, "id,name,amount\n");
	for (size_t i = 0; i < rows; i++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		snprintf(line, sizeof(line), "%zu,name %u,%u.%02u\n", i + 1, (unsigned)(x >> 40) % 997,
			 (unsigned)(x >> 33) % 100000, (unsigned)(x >> 50) % 100);
		add_text(&b, line);
	}
	*ret_len = b.len;
	add(&b, "", 1);
	return (char *)b.p;
}

static void deflate_into(struct bytes *out, const void *p, size_t len)
{
	struct isal_zstream *z = calloc(1, sizeof(*z));
	union {
		const void *c;
		uint8_t *u;
	} in = { p };
	static unsigned char space[1 << 16];

	if (!z)
		abort();
	isal_deflate_init(z);
	z->end_of_stream = 1;
	z->next_in = in.u;
	z->avail_in = (uint32_t)len;
	do {
		z->next_out = space;
		z->avail_out = sizeof(space);
		if (isal_deflate(z) != COMP_OK)
			abort();
		add(out, space, sizeof(space) - z->avail_out);
	} while (z->internal_state.state != ZSTATE_END);
	free(z);
}

static void pack(struct bytes *out, const struct member *m)
{
	if (m->packed) {
		add(out, m->packed, m->packed_len);
	} else if (m->method == DEFLATE) {
		deflate_into(out, m->data, m->len);
	} else if (m->method == ZSTD_METHOD) {
		size_t room = ZSTD_compressBound(m->len);
		void *p = malloc(room);
		size_t n = ZSTD_compress(p, room, m->data, m->len, 1);

		if (ZSTD_isError(n))
			abort();
		add(out, p, n);
		free(p);
	} else {
		add(out, m->data, m->len);
	}
}

static void put(struct zip *z, const struct member *m)
{
	struct bytes packed = { 0 };
	size_t name_len = m->name_len ? m->name_len : strlen(m->name);
	uint32_t crc = crc32_gzip_refl(0, (const unsigned char *)m->data, m->len) ^ m->crc_all;
	uint64_t offset = z->out.len;

	pack(&packed, m);
	uint64_t bytes = m->len + (uint64_t)m->bytes_all;
	uint64_t packed_bytes = packed.len + (uint64_t)m->packed_all;
	unsigned flags = m->flags | (m->descriptor ? 8 : 0);
	bool silent = m->descriptor && !m->told;

	if (!m->nothing) {
		struct bytes *o = &z->out;
		const char *name = m->name_local ? m->name_local : m->name;
		size_t local_len = m->name_local ? strlen(m->name_local) : name_len;
		uint64_t said = silent ? 0 : bytes + (uint64_t)m->bytes_local;
		uint64_t packed_said = silent ? 0 : packed_bytes + (uint64_t)m->packed_local;

		add(o, "PK\3\4", 4);
		add_int(o, m->zip64 ? 45 : 20, 2);
		add_int(o, flags ^ m->flags_local, 2);
		add_int(o, m->method + (unsigned)m->method_local, 2);
		add_int(o, m->time, 2);
		add_int(o, m->date, 2);
		add_int(o, silent ? 0 : crc ^ m->crc_local, 4);
		add_int(o, m->zip64 ? UINT32_MAX : packed_said, 4);
		add_int(o, m->zip64 ? UINT32_MAX : said, 4);
		add_int(o, local_len, 2);
		add_int(o, m->extra_len + (m->zip64 ? 20 : 0), 2);
		add(o, name, local_len);
		if (m->zip64) {
			add(o, "\1\0\20\0", 4);
			add_int(o, said, 8);
			add_int(o, packed_said, 8);
		}
		add(o, m->extra, m->extra_len);
		add(o, packed.p, packed.len);
		if (m->descriptor && m->descriptor != MISSING) {
			unsigned size = m->descriptor == SIGNED_64 || m->descriptor == BARE_64 ? 8 : 4;

			if (m->descriptor == SIGNED_32 || m->descriptor == SIGNED_64)
				add(o, "PK\7\10", 4);
			add_int(o, crc ^ m->crc_descriptor, 4);
			add_int(o, packed_bytes, size);
			add_int(o, bytes + (uint64_t)m->bytes_descriptor, size);
		}
	}
	if (!m->hidden) {
		struct bytes *c = &z->central;

		add(c, "PK\1\2", 4);
		add_int(c, 45 | m->host << 8, 2);
		add_int(c, m->zip64 ? 45 : 20, 2);
		add_int(c, flags, 2);
		add_int(c, m->method, 2);
		add_int(c, m->time, 2);
		add_int(c, m->date, 2);
		add_int(c, crc ^ m->crc_central, 4);
		add_int(c, m->zip64_central ? UINT32_MAX : packed_bytes + (uint64_t)m->packed_central, 4);
		add_int(c, m->zip64_central ? UINT32_MAX : bytes + (uint64_t)m->bytes_central, 4);
		add_int(c, name_len, 2);
		add_int(c, m->extra_len + (m->zip64_central ? 28 : 0), 2);
		add_int(c, 0, 2);
		add_int(c, m->disk, 2);
		add_int(c, 0, 2);
		add_int(c, m->attributes, 4);
		add_int(c, m->zip64_central ? UINT32_MAX : offset + (uint64_t)m->offset, 4);
		add(c, m->name, name_len);
		if (m->zip64_central) {
			add(c, "\1\0\30\0", 4);
			add_int(c, bytes + (uint64_t)m->bytes_central, 8);
			add_int(c, packed_bytes + (uint64_t)m->packed_central, 8);
			add_int(c, offset + (uint64_t)m->offset, 8);
		}
		add(c, m->extra, m->extra_len);
		z->count++;
	}
	free(packed.p);
}

/* How the archive ends, and where to lie about it. */
struct ending {
	bool zip64;
	bool full;                      /* the 32-bit fields have their values beside zip64 */
	const char *comment;
	size_t comment_len;
	int64_t count, count_here, directory_bytes, directory_offset;
	unsigned disk;
};

static void finish_as(struct zip *z, const struct ending *e)
{
	struct bytes *o = &z->out;
	uint64_t directory = o->len + (uint64_t)e->directory_offset, at;
	uint64_t bytes = z->central.len + (uint64_t)e->directory_bytes;
	uint64_t count = z->count + (uint64_t)e->count;
	uint64_t here = count + (uint64_t)e->count_here;
	bool hide = e->zip64 && !e->full;

	add(o, z->central.p, z->central.len);
	at = o->len;
	if (e->zip64) {
		add(o, "PK\6\6", 4);
		add_int(o, 44, 8);
		add_int(o, 45, 2);
		add_int(o, 45, 2);
		add_int(o, e->disk, 4);
		add_int(o, e->disk, 4);
		add_int(o, here, 8);
		add_int(o, count, 8);
		add_int(o, bytes, 8);
		add_int(o, directory, 8);
		add(o, "PK\6\7", 4);
		add_int(o, e->disk, 4);
		add_int(o, at, 8);
		add_int(o, e->disk + 1, 4);
	}
	add(o, "PK\5\6", 4);
	add_int(o, e->disk, 2);
	add_int(o, e->disk, 2);
	add_int(o, hide ? UINT16_MAX : here, 2);
	add_int(o, hide ? UINT16_MAX : count, 2);
	add_int(o, hide ? UINT32_MAX : bytes, 4);
	add_int(o, hide ? UINT32_MAX : directory, 4);
	add_int(o, e->comment_len, 2);
	add(o, e->comment, e->comment_len);
	free(z->central.p);
	z->central = (struct bytes){ 0 };
}

static void finish(struct zip *z)
{
	finish_as(z, &(struct ending){ 0 });
}

#define PUT(z, ...) put(z, &(struct member){ __VA_ARGS__ })
#define ABC "a,b\n1,one\n2,two\n"
#define TEXT(text) .data = (text), .len = sizeof(text) - 1
#define TIME .time = 0x6a1f, .date = 0x5d5d

#endif

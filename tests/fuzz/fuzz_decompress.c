/*
 * Any bytes as a compressed stream, read in pieces of several sizes: the same bytes, and the same verdict. The
 * stepwise reader (format/unpack.h) and, for gzip, another library are second opinions. And the bytes
 * themselves, compressed, come back. The first byte chooses the kind and the pieces.
 */
#include "fuzz.h"

#include <libdeflate.h>
#include <zstd.h>

#include "base/strbuf.h"
#include "format/compress.h"
#include "format/unpack.h"
#include "source/source.h"

/* Beyond it a bomb is no longer looked at. */
#define MOST_BYTES (1u << 20)

static const enum rv_compression kinds[] = { RV_COMPRESSION_GZIP, RV_COMPRESSION_ZSTD, RV_COMPRESSION_BZIP2,
					     RV_COMPRESSION_XZ };

/* True: it came to its end. What was given before a fault is kept. */
static bool read_as(enum rv_compression kind, const char *p, size_t len, size_t pending, size_t piece,
		    size_t read_bytes, struct rv_strbuf *out)
{
	RV_CLEANUP(rv_source_free_p) struct rv_source *source = NULL;
	RV_CLEANUP(rv_free_p) char *buf = rv_malloc(read_bytes);
	struct rv_error err = RV_ERROR_INIT;
	struct rv_source *inner = rv_source_mem_new(p + pending, len - pending, piece, UINT64_MAX);

	CHECK(rv_source_decompress_new(inner, kind, pending ? p : NULL, pending, &source, &err) == RV_OK);
	for (unsigned empty = 0; out->len < MOST_BYTES;) {
		enum rv_source_state state = RV_SOURCE_WAIT;
		size_t n = 0;

		if (source->ops->read(source, buf, read_bytes, -1, &n, &state, &err) != RV_OK) {
			CHECK(err.status == RV_BAD_DATA && err.message[0]);
			/* it stays so */
			CHECK(source->ops->read(source, buf, read_bytes, -1, &n, &state, &err) == RV_BAD_DATA);
			return false;
		}
		if (state == RV_SOURCE_END)
			return true;
		CHECK(n <= read_bytes && (n > 0 || ++empty < 10));
		rv_strbuf_add(out, buf, n);
	}
	return true;
}

static bool unpack_as(enum rv_packing packing, const char *p, size_t len, size_t piece, size_t room,
		      struct rv_strbuf *out)
{
	RV_CLEANUP(rv_unpack_free_p) struct rv_unpack *unpack = rv_unpack_new(packing);
	RV_CLEANUP(rv_free_p) char *buf = rv_malloc(room);
	struct rv_error err = RV_ERROR_INIT;

	for (size_t at = 0; at < len && out->len < MOST_BYTES;) {
		struct rv_str input = { p + at, len - at < piece ? len - at : piece };
		size_t n = 0, had = input.len;

		/* until it asks for more */
		do {
			if (rv_unpack_step(unpack, &input, buf, room, &n, &err) != RV_OK) {
				CHECK(err.status == RV_BAD_DATA && err.message[0]);
				return false;
			}
			CHECK(n <= room && input.len <= had);
			rv_strbuf_add(out, buf, n);
		} while ((n || input.len) && out->len < MOST_BYTES);
		at += had;
	}
	return out->len >= MOST_BYTES || rv_unpack_end(unpack, &err) == RV_OK;
}

static bool same(const struct rv_strbuf *a, const struct rv_strbuf *b)
{
	size_t len = a->len < b->len ? a->len : b->len;

	/* both were left off at MOST_BYTES, after different pieces */
	return (a->len == b->len || len >= MOST_BYTES) && memcmp(a->bytes, b->bytes, len) == 0;
}

/*
 * Members as libdeflate reads them. It is stricter about one thing: ISA-L takes the three reserved bits of a header's
 * flags, which RFC 1952 wants refused. Length and CRC-32 of such a member are checked like those of any other.
 */
static void check_gzip(const char *p, size_t len, const struct rv_strbuf *whole)
{
	RV_CLEANUP(rv_free_p) char *out = rv_malloc(MOST_BYTES);
	struct libdeflate_decompressor *other = libdeflate_alloc_decompressor();
	size_t got = 0;

	CHECK(other);
	for (size_t at = 0; at < len;) {
		size_t used = 0, n = 0;
		enum libdeflate_result result = libdeflate_gzip_decompress_ex(
			other, p + at, len - at, out + got, MOST_BYTES - got, &used, &n);

		CHECK(result == LIBDEFLATE_SUCCESS || result == LIBDEFLATE_INSUFFICIENT_SPACE ||
		      (result == LIBDEFLATE_BAD_DATA && len - at > 3 && (p[at + 3] & 0xe0)));
		if (result != LIBDEFLATE_SUCCESS)
			break;
		at += used;
		got += n;
	}
	CHECK(got <= whole->len && memcmp(out, whole->bytes, got) == 0);
	libdeflate_free_decompressor(other);
}

/*
 * Whether a frame's header says another size than its blocks have. libzstd does not compare the two when the last
 * block is empty and the frame comes in pieces, and does when it has the frame whole: the bytes are the same, and the
 * frame's checksum is of the bytes. No encoder writes such frames.
 */
static bool is_of_another_size(const char *p, size_t len)
{
	ZSTD_DStream *z = ZSTD_createDStream();
	RV_CLEANUP(rv_free_p) char *room = rv_malloc(64 << 10);
	bool differs = false;

	CHECK(z);
	while (len && !differs) {
		size_t frame = ZSTD_findFrameCompressedSize(p, len);
		unsigned long long says = ZSTD_getFrameContentSize(p, len), has = 0;
		size_t result = 0;

		if (ZSTD_isError(frame) || ZSTD_isError(ZSTD_DCtx_reset(z, ZSTD_reset_session_only)))
			break;
		for (size_t at = 0; at < frame && !ZSTD_isError(result) && has < MOST_BYTES;) {
			ZSTD_inBuffer in = { p + at, 1, 0 };
			ZSTD_outBuffer out = { room, 64 << 10, 0 };

			result = ZSTD_decompressStream(z, &out, &in);
			at += in.pos;
			has += out.pos;
		}
		differs = !ZSTD_isError(result) && says != ZSTD_CONTENTSIZE_UNKNOWN && says != has;
		p += frame;
		len -= frame;
	}
	ZSTD_freeDStream(z);
	return differs;
}

static void check_stream(enum rv_compression kind, const char *p, size_t len, unsigned how)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf whole = RV_STRBUF_INIT, pieces = RV_STRBUF_INIT;
	size_t piece = 1 + how % 5, room = how & 8 ? 1 + how % 3 : 4096;

	if (kind == RV_COMPRESSION_ZSTD && is_of_another_size(p, len))
		return;
	bool good = read_as(kind, p, len, 0, 0, 64 << 10, &whole);

	CHECK(read_as(kind, p, len, len / 2, piece, room, &pieces) == good);
	/* before a fault, how much is given depends on the pieces */
	CHECK(!good || same(&whole, &pieces));
	if (kind != RV_COMPRESSION_GZIP && kind != RV_COMPRESSION_ZSTD)
		return;
	enum rv_packing packing = kind == RV_COMPRESSION_GZIP ? RV_PACKING_GZIP : RV_PACKING_ZSTD;

	for (size_t i = 0; i < 2; i++) {
		rv_strbuf_clear(&pieces);
		CHECK(unpack_as(packing, p, len, i ? piece : len, i ? room : 4096, &pieces) == (good || !len));
		CHECK(!good || same(&whole, &pieces));
	}
	if (good && len && kind == RV_COMPRESSION_GZIP)
		check_gzip(p, len, &whole);
}

static enum rv_status keep(void *arg, const void *p, size_t len, struct rv_error *err RV_UNUSED)
{
	rv_strbuf_add(arg, p, len);
	return RV_OK;
}

static void check_round(enum rv_compression kind, const char *p, size_t len, unsigned how)
{
	static struct rv_compressor *compressors[2];
	bool gzip = kind == RV_COMPRESSION_GZIP;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf packed = RV_STRBUF_INIT, again = RV_STRBUF_INIT;
	struct rv_error err = RV_ERROR_INIT;
	struct rv_compressor **c = &compressors[gzip];
	size_t half = len / 2;

	if (!*c)
		CHECK(rv_compressor_new(gzip ? RV_OUTPUT_GZIP : RV_OUTPUT_ZSTD, 0, c, &err) == RV_OK);
	rv_compressor_begin(*c, keep, &packed);
	CHECK(rv_compressor_write(*c, p, half, &err) == RV_OK);
	CHECK(rv_compressor_write(*c, p + half, len - half, &err) == RV_OK);
	CHECK(rv_compressor_end(*c, &err) == RV_OK && rv_compressor_bytes(*c) == packed.len);
	CHECK(rv_compression_detect(packed.bytes, packed.len) == kind);
	CHECK(read_as(kind, packed.bytes, packed.len, 0, 1 + how % 7, 4096, &again));
	CHECK(again.len == len && memcmp(again.bytes, p, len) == 0);
	/* one byte less is noticed */
	rv_strbuf_clear(&again);
	CHECK(!read_as(kind, packed.bytes, packed.len - 1, 0, 0, 4096, &again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1 || size > 64 << 10)
		return 0;
	RV_CLEANUP(rv_free_p) char *p = exact_copy(data + 1, size - 1);
	enum rv_compression kind = kinds[data[0] & 3];
	unsigned how = data[0] >> 2;

	(void)rv_compression_detect(p, size - 1);
	check_stream(kind, p, size - 1, how);
	if (how & 16 && (kind == RV_COMPRESSION_GZIP || kind == RV_COMPRESSION_ZSTD))
		check_round(kind, p, size - 1, how);
	return 0;
}

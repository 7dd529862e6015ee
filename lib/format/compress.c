/* zstd through libzstd, gzip through ISA-L (quick) or libdeflate (small), or none. */
#include "format/compress.h"

#include <isa-l/igzip_lib.h>
#include <libdeflate.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
/* for memory of our own */
#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>

#include "base/memory.h"

#define OUT_BYTES (256u << 10)
/* gzip:small is a chain of members of this much input: libdeflate compresses whole buffers. */
#define MEMBER_BYTES (1u << 20)
#define SMALL_LEVEL 6
#define ZSTD_LEVEL 1
/* Half of what the level takes: 32 KiB stay in the first cache, which for JSON records is a tenth less
 * CPU than the level's own and costs no size. */
#define ZSTD_HASH_LOG 13
/* Rows of a table resemble those just before them: with 16 KiB, and a window that stays in the second cache,
 * it is another tenth less. Rows become smaller by that, documents larger, both by a fiftieth. */
#define ZSTD_ROWS_HASH_LOG 12
#define ZSTD_ROWS_WINDOW_LOG 18

struct rv_compressor {
	enum rv_output_compression kind;
	rv_compress_sink *sink;
	void *arg;
	uint64_t bytes;
	char *out;
	ZSTD_CCtx *zstd;      /* NULL: could not be made anew */
	unsigned threads;
	bool rows;
	bool unfinished;      /* zstd's own threads may be working on an object */
	struct isal_zstream *isal;
	uint8_t *isal_level;
	struct libdeflate_compressor *deflate;
	char *member; /* input waiting to be a member */
	size_t member_len;
	size_t member_bound;
};

static void *allocate(void *arg, size_t size)
{
	(void)arg;
	return rv_malloc(size);
}

static void release(void *arg, void *p)
{
	(void)arg;
	free(p);
}

/* libzstd 1.5.4 with threads of its own does not look whether it got the memory for a job. So that ends the process. */
static ZSTD_CCtx *new_zstd(unsigned threads, bool rows)
{
	ZSTD_CCtx *zstd = ZSTD_createCCtx_advanced((ZSTD_customMem){ allocate, release, NULL });
	if (!zstd)
		return NULL;
	ZSTD_CCtx_setParameter(zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL);
	ZSTD_CCtx_setParameter(zstd, ZSTD_c_hashLog, rows ? ZSTD_ROWS_HASH_LOG : ZSTD_HASH_LOG);
	if (rows)
		ZSTD_CCtx_setParameter(zstd, ZSTD_c_windowLog, ZSTD_ROWS_WINDOW_LOG);
	ZSTD_CCtx_setParameter(zstd, ZSTD_c_checksumFlag, 1);
	/* A libzstd built without threads refuses this and works in the caller. */
	ZSTD_CCtx_setParameter(zstd, ZSTD_c_nbWorkers, (int)threads);
	return zstd;
}

static enum rv_status new_compressor(enum rv_output_compression kind, unsigned threads, bool rows,
				     struct rv_compressor **ret, struct rv_error *err)
{
	struct rv_compressor *c = rv_calloc(1, sizeof(*c));
	c->kind = kind;
	c->rows = rows;
	switch (kind) {
	case RV_OUTPUT_ZSTD:
		c->out = rv_malloc(OUT_BYTES);
		c->threads = threads;
		c->zstd = new_zstd(threads, rows);
		if (!c->zstd)
			goto failed;
		break;
	case RV_OUTPUT_GZIP:
		c->out = rv_malloc(OUT_BYTES);
		c->isal = rv_calloc(1, sizeof(*c->isal));
		c->isal_level = rv_malloc(ISAL_DEF_LVL2_DEFAULT);
		break;
	case RV_OUTPUT_GZIP_SMALL:
		c->deflate = libdeflate_alloc_compressor(SMALL_LEVEL);
		if (!c->deflate)
			goto failed;
		c->member = rv_malloc(MEMBER_BYTES);
		c->member_bound = libdeflate_gzip_compress_bound(c->deflate, MEMBER_BYTES);
		c->out = rv_malloc(c->member_bound);
		break;
	case RV_OUTPUT_NONE:
		break;
	}
	*ret = c;
	return RV_OK;
failed:
	rv_compressor_free(c);
	return rv_fail(err, RV_LOCAL_IO, "no memory for a compressor");
}

enum rv_status rv_compressor_new(enum rv_output_compression kind, unsigned threads,
				 struct rv_compressor **ret, struct rv_error *err)
{
	return new_compressor(kind, threads, false, ret, err);
}

enum rv_status rv_compressor_new_for_rows(enum rv_output_compression kind, unsigned threads,
					  struct rv_compressor **ret, struct rv_error *err)
{
	return new_compressor(kind, threads, true, ret, err);
}

void rv_compressor_free(struct rv_compressor *c)
{
	if (!c)
		return;
	ZSTD_freeCCtx(c->zstd);
	if (c->deflate)
		libdeflate_free_compressor(c->deflate);
	free(c->isal);
	free(c->isal_level);
	free(c->member);
	free(c->out);
	free(c);
}

void rv_compressor_begin(struct rv_compressor *c, rv_compress_sink *sink, void *arg)
{
	c->sink = sink;
	c->arg = arg;
	c->bytes = 0;
	c->member_len = 0;
	if (c->unfinished) {
		/* libzstd 1.5.4 forgets its jobs on a reset while a thread is still at one, and that
		 * thread then dies of a NULL pointer; freeing waits for it. */
		ZSTD_freeCCtx(c->zstd);
		c->zstd = new_zstd(c->threads, c->rows);
		c->unfinished = false;
	} else if (c->zstd) {
		ZSTD_CCtx_reset(c->zstd, ZSTD_reset_session_only);
	}
	if (c->isal) {
		isal_deflate_init(c->isal);
		c->isal->level = 2;
		c->isal->level_buf = c->isal_level;
		c->isal->level_buf_size = ISAL_DEF_LVL2_DEFAULT;
		c->isal->gzip_flag = IGZIP_GZIP;
	}
}

static enum rv_status emit(struct rv_compressor *c, const void *p, size_t len, struct rv_error *err)
{
	if (!len)
		return RV_OK;
	c->bytes += len;
	return c->sink(c->arg, p, len, err);
}

static enum rv_status zstd_step(struct rv_compressor *c, const void *p, size_t len,
				ZSTD_EndDirective directive, struct rv_error *err)
{
	ZSTD_inBuffer in = { p, len, 0 };
	if (!c->zstd)
		return rv_fail(err, RV_LOCAL_IO, "no memory for a compressor");
	c->unfinished = true;
	for (;;) {
		ZSTD_outBuffer out = { c->out, OUT_BYTES, 0 };
		size_t left = ZSTD_compressStream2(c->zstd, &out, &in, directive);
		if (ZSTD_isError(left))
			return rv_fail(err, RV_LOCAL_IO, "zstd: %s", ZSTD_getErrorName(left));
		if (emit(c, c->out, out.pos, err) != RV_OK)
			return err->status;
		if (directive != ZSTD_e_end && in.pos == in.size)
			return RV_OK;
		if (directive == ZSTD_e_end && left == 0) {
			c->unfinished = false;
			return RV_OK;
		}
	}
}

/* The end comes alone, without bytes. */
static enum rv_status isal_step(struct rv_compressor *c, const void *p, size_t len, bool end,
				struct rv_error *err)
{
	struct isal_zstream *z = c->isal;
	const char *at = p;
	do {
		/* Its lengths are 32 bits. */
		uint32_t piece = len > (1u << 30) ? 1u << 30 : (uint32_t)len;
		z->next_in = (uint8_t *)(uintptr_t)at;
		z->avail_in = piece;
		z->end_of_stream = end;
		do {
			z->next_out = (uint8_t *)c->out;
			z->avail_out = OUT_BYTES;
			int r = isal_deflate(z);
			if (r != COMP_OK)
				return rv_fail(err, RV_LOCAL_IO, "gzip: error %d", r);
			if (emit(c, c->out, OUT_BYTES - z->avail_out, err) != RV_OK)
				return err->status;
		} while (z->avail_out == 0 || z->avail_in);
		at += piece;
		len -= piece;
	} while (len);
	return RV_OK;
}

static enum rv_status flush_member(struct rv_compressor *c, struct rv_error *err)
{
	size_t n = libdeflate_gzip_compress(c->deflate, c->member, c->member_len, c->out,
					    c->member_bound);
	if (n == 0)
		return rv_fail(err, RV_LOCAL_IO, "gzip: a member did not fit its bound");
	c->member_len = 0;
	return emit(c, c->out, n, err);
}

static enum rv_status small_write(struct rv_compressor *c, const char *p, size_t len,
				  struct rv_error *err)
{
	while (len) {
		size_t room = MEMBER_BYTES - c->member_len, n = len < room ? len : room;
		memcpy(c->member + c->member_len, p, n);
		c->member_len += n;
		p += n;
		len -= n;
		if (c->member_len == MEMBER_BYTES && flush_member(c, err) != RV_OK)
			return err->status;
	}
	return RV_OK;
}

enum rv_status rv_compressor_write(struct rv_compressor *c, const void *p, size_t len,
				   struct rv_error *err)
{
	if (!len)
		return RV_OK;
	switch (c->kind) {
	case RV_OUTPUT_ZSTD:
		return zstd_step(c, p, len, ZSTD_e_continue, err);
	case RV_OUTPUT_GZIP:
		return isal_step(c, p, len, false, err);
	case RV_OUTPUT_GZIP_SMALL:
		return small_write(c, p, len, err);
	case RV_OUTPUT_NONE:
		return emit(c, p, len, err);
	}
	rv_bug("compression %d", c->kind);
}

enum rv_status rv_compressor_end(struct rv_compressor *c, struct rv_error *err)
{
	switch (c->kind) {
	case RV_OUTPUT_ZSTD:
		return zstd_step(c, NULL, 0, ZSTD_e_end, err);
	case RV_OUTPUT_GZIP:
		return isal_step(c, "", 0, true, err);
	case RV_OUTPUT_GZIP_SMALL:
		/* An empty object is still one member, so that it is a gzip file. */
		return c->member_len || !c->bytes ? flush_member(c, err) : RV_OK;
	case RV_OUTPUT_NONE:
		return RV_OK;
	}
	rv_bug("compression %d", c->kind);
}

uint64_t rv_compressor_bytes(const struct rv_compressor *c)
{
	return c->bytes;
}

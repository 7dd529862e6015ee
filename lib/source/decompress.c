/*
 * Decompressing what another source gives, as it comes: gzip with ISA-L, zstd with libzstd, bzip2
 * and xz with the libraries that every Debian has, opened only when they are needed.
 *
 * The four are driven as streams that are handed input, never as readers that fetch it: a reader
 * called from inside of a decoder could not say "nothing yet" when a pipe trickles or a signal
 * arrives, and would be left to guess whether an early end is an end. Here the rule is one and the
 * same: the input may end only where a member ends.
 */
#include "source/source.h"

#include <dlfcn.h>
#include <isa-l/igzip_lib.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/memory.h"

enum {
	INPUT_BYTES = 128 << 10,
	OUTPUT_BYTES_MAX = 1 << 30, /* the libraries count in 32 bits */
};
/* xz -9 needs 65 MiB; a file may ask for 4 GiB. */
static const uint64_t xz_memory = 128 << 20;

enum progress {
	GOES_ON,
	MEMBER_ENDS,
	DAMAGED, /* fault says why */
};

struct decoder;
struct engine {
	const char *name;
	enum rv_status (*open)(struct decoder *, struct rv_error *err);
	/* Moves in_pos, o and o_left as far as it can. `last`: no more input will come. */
	enum progress (*run)(struct decoder *, bool last);
	/* Another member begins. */
	void (*again)(struct decoder *);
	void (*close)(struct decoder *);
};

/* As in bzlib.h of 1.0; the layout has not changed since 2000. */
struct bz_stream {
	const char *next_in;
	unsigned avail_in, total_in_lo32, total_in_hi32;
	char *next_out;
	unsigned avail_out, total_out_lo32, total_out_hi32;
	void *state;
	void *(*alloc)(void *, int, int);
	void (*free)(void *, void *);
	void *opaque;
};
enum { BZ_OK = 0, BZ_STREAM_END = 4, BZ_DATA_ERROR = -4, BZ_DATA_ERROR_MAGIC = -5 };

/* As in lzma/base.h of liblzma.so.5. */
struct lzma_stream {
	const uint8_t *next_in;
	size_t avail_in;
	uint64_t total_in;
	uint8_t *next_out;
	size_t avail_out;
	uint64_t total_out;
	const void *allocator;
	void *internal;
	void *reserved_pointers[4];
	uint64_t seek_pos, reserved_int2;
	size_t reserved_int3, reserved_int4;
	int reserved_enum1, reserved_enum2;
};
enum {
	LZMA_OK = 0,
	LZMA_STREAM_END = 1,
	LZMA_MEMLIMIT_ERROR = 6,
	LZMA_FORMAT_ERROR = 7,
	LZMA_OPTIONS_ERROR = 8,
	LZMA_BUF_ERROR = 10,
	LZMA_RUN = 0,
	LZMA_FINISH = 3,
	LZMA_CONCATENATED = 8,
};

struct decoder {
	struct rv_source source;
	struct rv_source *inner;
	const struct engine *engine;
	char *label;
	unsigned char *in;
	size_t in_pos, in_len;
	bool inner_end;
	bool between;          /* a member has ended, none has begun */
	bool more_output;      /* the last run filled the output */
	unsigned char *o;
	size_t o_left;
	uint64_t offset;       /* decompressed bytes given */
	const char *fault;
	bool failed;
	struct rv_error error; /* once failed */

	void *library;
	struct inflate_state *gzip;
	ZSTD_DStream *zstd;
	struct bz_stream bz;
	bool bz_open;
	int (*bz_init)(struct bz_stream *, int verbosity, int small);
	int (*bz_run)(struct bz_stream *);
	int (*bz_end)(struct bz_stream *);
	struct lzma_stream xz;
	bool xz_open;
	int (*xz_init)(struct lzma_stream *, uint64_t memory_limit, uint32_t flags);
	int (*xz_run)(struct lzma_stream *, int action);
	void (*xz_end)(struct lzma_stream *);
};

/* ---- gzip ---- */

static void gzip_again(struct decoder *d)
{
	isal_inflate_reset(d->gzip);
	d->gzip->crc_flag = ISAL_GZIP;
}

static enum rv_status gzip_open(struct decoder *d, struct rv_error *err RV_UNUSED)
{
	d->gzip = rv_malloc(sizeof(*d->gzip));
	isal_inflate_init(d->gzip);
	d->gzip->crc_flag = ISAL_GZIP; /* header, CRC-32 and length are checked */
	return RV_OK;
}

static enum progress gzip_run(struct decoder *d, bool last RV_UNUSED)
{
	struct inflate_state *z = d->gzip;

	z->next_in = d->in + d->in_pos;
	z->avail_in = (uint32_t)(d->in_len - d->in_pos);
	z->next_out = d->o;
	z->avail_out = (uint32_t)d->o_left;
	int result = isal_inflate(z);

	d->in_pos = d->in_len - z->avail_in;
	d->o += d->o_left - z->avail_out;
	d->o_left = z->avail_out;
	switch (result) {
	case ISAL_DECOMP_OK:
	case ISAL_END_INPUT:
	case ISAL_OUT_OVERFLOW:
		return z->block_state == ISAL_BLOCK_FINISH ? MEMBER_ENDS : GOES_ON;
	case ISAL_INCORRECT_CHECKSUM:
		d->fault = "its checksum or length does not match";
		return DAMAGED;
	case ISAL_INVALID_WRAPPER:
		d->fault = "what follows is no gzip header";
		return DAMAGED;
	case ISAL_UNSUPPORTED_METHOD:
		d->fault = "its compression method is unknown";
		return DAMAGED;
	default:
		d->fault = "the compressed data is invalid";
		return DAMAGED;
	}
}

static void gzip_close(struct decoder *d)
{
	free(d->gzip);
}

static const struct engine gzip_engine = { "gzip", gzip_open, gzip_run, gzip_again, gzip_close };

/* ---- zstd ---- */

static enum rv_status zstd_open(struct decoder *d, struct rv_error *err)
{
	d->zstd = ZSTD_createDStream();
	if (!d->zstd)
		return rv_fail(err, RV_INTERNAL, "cannot create a zstd decoder");
	return RV_OK;
}

static enum progress zstd_run(struct decoder *d, bool last RV_UNUSED)
{
	ZSTD_inBuffer in = { d->in, d->in_len, d->in_pos };
	ZSTD_outBuffer out = { d->o, d->o_left, 0 };
	size_t result = ZSTD_decompressStream(d->zstd, &out, &in);

	d->in_pos = in.pos;
	d->o += out.pos;
	d->o_left -= out.pos;
	if (ZSTD_isError(result)) {
		d->fault = ZSTD_getErrorName(result);
		return DAMAGED;
	}
	return result == 0 ? MEMBER_ENDS : GOES_ON;
}

static void zstd_again(struct decoder *d RV_UNUSED)
{
	/* The next frame begins by itself. */
}

static void zstd_close(struct decoder *d)
{
	ZSTD_freeDStream(d->zstd);
}

static const struct engine zstd_engine = { "zstd", zstd_open, zstd_run, zstd_again, zstd_close };

/* ---- bzip2 and xz, from libraries opened here ---- */

static enum rv_status open_library(struct decoder *d, const char *file, const char *package,
				   struct rv_error *err)
{
	d->library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
	if (d->library)
		return RV_OK;
	rv_fail(err, RV_LOCAL_IO, "cannot read %s, which is %s: %s", d->label, d->engine->name,
		dlerror());
	rv_hint(err, "install %s, or decompress the input before", package);
	return err->status;
}

static enum rv_status find_function(struct decoder *d, const char *name, void *ret_function,
				    struct rv_error *err)
{
	void *p = dlsym(d->library, name);

	if (!p)
		return rv_fail(err, RV_LOCAL_IO, "cannot read %s, which is %s: no function %s",
			       d->label, d->engine->name, name);
	memcpy(ret_function, &p, sizeof(p)); /* ISO C has no cast from object to function */
	return RV_OK;
}

static void bzip2_again(struct decoder *d)
{
	if (d->bz_open)
		d->bz_end(&d->bz);
	memset(&d->bz, 0, sizeof(d->bz));
	d->bz_open = d->bz_init(&d->bz, 0, 0) == BZ_OK;
}

static enum rv_status bzip2_open(struct decoder *d, struct rv_error *err)
{
	if (open_library(d, "libbz2.so.1.0", "libbz2-1.0", err) != RV_OK ||
	    find_function(d, "BZ2_bzDecompressInit", &d->bz_init, err) != RV_OK ||
	    find_function(d, "BZ2_bzDecompress", &d->bz_run, err) != RV_OK ||
	    find_function(d, "BZ2_bzDecompressEnd", &d->bz_end, err) != RV_OK)
		return err->status;
	bzip2_again(d);
	return RV_OK;
}

static enum progress bzip2_run(struct decoder *d, bool last RV_UNUSED)
{
	struct bz_stream *z = &d->bz;

	if (!d->bz_open) {
		d->fault = "the decoder does not start";
		return DAMAGED;
	}
	z->next_in = (const char *)d->in + d->in_pos;
	z->avail_in = (unsigned)(d->in_len - d->in_pos);
	z->next_out = (char *)d->o;
	z->avail_out = (unsigned)d->o_left;
	int result = d->bz_run(z);

	d->in_pos = d->in_len - z->avail_in;
	d->o += d->o_left - z->avail_out;
	d->o_left = z->avail_out;
	if (result == BZ_OK)
		return GOES_ON;
	if (result == BZ_STREAM_END)
		return MEMBER_ENDS;
	d->fault = result == BZ_DATA_ERROR	  ? "its checksum or contents are wrong"
		   : result == BZ_DATA_ERROR_MAGIC ? "what follows is no bzip2 header"
						   : "the compressed data is invalid";
	return DAMAGED;
}

static void bzip2_close(struct decoder *d)
{
	if (d->bz_open)
		d->bz_end(&d->bz);
}

static const struct engine bzip2_engine = { "bzip2", bzip2_open, bzip2_run, bzip2_again,
					    bzip2_close };

static enum rv_status xz_open(struct decoder *d, struct rv_error *err)
{
	if (open_library(d, "liblzma.so.5", "liblzma5", err) != RV_OK ||
	    find_function(d, "lzma_stream_decoder", &d->xz_init, err) != RV_OK ||
	    find_function(d, "lzma_code", &d->xz_run, err) != RV_OK ||
	    find_function(d, "lzma_end", &d->xz_end, err) != RV_OK)
		return err->status;
	if (d->xz_init(&d->xz, xz_memory, LZMA_CONCATENATED) != LZMA_OK)
		return rv_fail(err, RV_INTERNAL, "cannot create an xz decoder");
	d->xz_open = true;
	return RV_OK;
}

static enum progress xz_run(struct decoder *d, bool last)
{
	struct lzma_stream *z = &d->xz;

	z->next_in = d->in + d->in_pos;
	z->avail_in = d->in_len - d->in_pos;
	z->next_out = d->o;
	z->avail_out = d->o_left;
	int result = d->xz_run(z, last ? LZMA_FINISH : LZMA_RUN);

	d->in_pos = d->in_len - z->avail_in;
	d->o += d->o_left - z->avail_out;
	d->o_left = z->avail_out;
	if (result == LZMA_OK || result == LZMA_BUF_ERROR) /* the latter: no progress */
		return GOES_ON;
	if (result == LZMA_STREAM_END)
		return MEMBER_ENDS;
	d->fault = result == LZMA_MEMLIMIT_ERROR  ? "it needs more than 128 MiB of memory"
		   : result == LZMA_FORMAT_ERROR  ? "what follows is no xz header"
		   : result == LZMA_OPTIONS_ERROR ? "it uses options unknown to liblzma"
						  : "its checksum or contents are wrong";
	return DAMAGED;
}

static void xz_again(struct decoder *d RV_UNUSED)
{
	/* liblzma goes on to further streams by itself. */
}

static void xz_close(struct decoder *d)
{
	if (d->xz_open)
		d->xz_end(&d->xz);
}

static const struct engine xz_engine = { "xz", xz_open, xz_run, xz_again, xz_close };

/* ---- the source ---- */

static enum rv_status fail_for_good(struct decoder *d, const char *what)
{
	rv_fail(&d->error, RV_BAD_DATA, "%s: the %s stream %s %llu decompressed bytes%s%s", d->label,
		d->engine->name, what ? "is damaged after" : "ends early, after",
		(unsigned long long)d->offset, what ? ": " : "", what ? what : "");
	rv_error_at(&d->error, d->label, 0, 0);
	if (!what)
		rv_hint(&d->error, "it may still be being written, or a copy of it was cut short");
	d->failed = true;
	return RV_BAD_DATA;
}

/* One run of the engine; how far it came is in d. */
static void run_engine(struct decoder *d, bool last)
{
	size_t in_pos = d->in_pos, left = d->o_left;
	bool had_input = d->in_pos < d->in_len;
	enum progress progress = d->engine->run(d, last);
	size_t produced = left - d->o_left;

	d->offset += produced;
	d->more_output = d->o_left == 0;
	if (progress == MEMBER_ENDS) {
		d->between = true;
		d->more_output = false;
	} else if (progress == DAMAGED) {
		fail_for_good(d, d->fault);
	} else if (!produced && d->in_pos == in_pos) {
		d->more_output = false;
		if (last)
			fail_for_good(d, NULL);
		else if (had_input)
			fail_for_good(d, "the decoder makes no progress");
	}
}

static enum rv_status decoder_read(struct rv_source *source, void *buf, size_t size,
				   int64_t timeout_ms, size_t *ret_n,
				   enum rv_source_state *ret_state, struct rv_error *err)
{
	struct decoder *d = (struct decoder *)source;

	if (size > OUTPUT_BYTES_MAX)
		size = OUTPUT_BYTES_MAX;
	*ret_n = 0;
	for (;;) {
		if (d->failed) {
			*err = d->error;
			return err->status;
		}
		if (d->in_pos == d->in_len && !d->inner_end && !d->more_output) {
			enum rv_source_state state = RV_SOURCE_WAIT;
			size_t n = 0;

			if (d->inner->ops->read(d->inner, d->in, INPUT_BYTES, timeout_ms, &n,
						&state, err) != RV_OK)
				return err->status;
			if (state == RV_SOURCE_WAIT) {
				*ret_state = RV_SOURCE_WAIT;
				return RV_OK;
			}
			d->inner_end = state == RV_SOURCE_END;
			d->in_pos = 0;
			d->in_len = n;
		}
		if (d->between && d->in_pos == d->in_len) {
			if (!d->inner_end)
				continue;
			*ret_state = RV_SOURCE_END;
			return RV_OK;
		}
		if (d->between) {
			d->between = false;
			d->engine->again(d);
		}
		d->o = buf;
		d->o_left = size;
		run_engine(d, d->inner_end);
		if (d->o_left < size) { /* a fault found behind these bytes comes next time */
			*ret_n = size - d->o_left;
			*ret_state = RV_SOURCE_BYTES;
			return RV_OK;
		}
	}
}

/* Forward only: everything up to there is decompressed and dropped. */
static enum rv_status decoder_seek(struct rv_source *source, uint64_t offset, struct rv_error *err)
{
	struct decoder *d = (struct decoder *)source;
	RV_CLEANUP(rv_free_p) char *buf = rv_malloc(INPUT_BYTES);

	if (offset < d->offset)
		return rv_fail(err, RV_LOCAL_IO, "cannot go back to byte %llu of %s: it is %s",
			       (unsigned long long)offset, d->label, d->engine->name);
	while (d->offset < offset) {
		uint64_t left = offset - d->offset;
		enum rv_source_state state = RV_SOURCE_WAIT;
		size_t n = 0;

		if (decoder_read(source, buf, left < INPUT_BYTES ? (size_t)left : INPUT_BYTES, -1,
				 &n, &state, err) != RV_OK)
			return err->status;
		/* As with damage: what is in it is not what was looked for. */
		if (state == RV_SOURCE_END)
			return rv_fail(err, RV_BAD_DATA,
				       "cannot go to byte %llu of %s: it decompresses to %llu",
				       (unsigned long long)offset, d->label,
				       (unsigned long long)d->offset);
	}
	return RV_OK;
}

static void decoder_free(struct rv_source *source)
{
	struct decoder *d = (struct decoder *)source;

	d->engine->close(d);
	if (d->library)
		dlclose(d->library);
	rv_source_free(d->inner);
	free(d->in);
	free(d->label);
	free(d);
}

#define DECODER_OPS(title)                                                                         \
	{ .name = title, .read = decoder_read, .seek = decoder_seek, .free = decoder_free }
static const struct rv_source_ops decoder_ops[] = {
	[RV_COMPRESSION_GZIP] = DECODER_OPS("gzip"),
	[RV_COMPRESSION_ZSTD] = DECODER_OPS("zstd"),
	[RV_COMPRESSION_BZIP2] = DECODER_OPS("bzip2"),
	[RV_COMPRESSION_XZ] = DECODER_OPS("xz"),
};
static const struct engine *const engines[] = {
	[RV_COMPRESSION_GZIP] = &gzip_engine,
	[RV_COMPRESSION_ZSTD] = &zstd_engine,
	[RV_COMPRESSION_BZIP2] = &bzip2_engine,
	[RV_COMPRESSION_XZ] = &xz_engine,
};

enum rv_status rv_source_decompress_new(struct rv_source *inner, enum rv_compression compression,
					const void *pending, size_t pending_len,
					struct rv_source **ret, struct rv_error *err)
{
	if (compression == RV_COMPRESSION_NONE)
		rv_bug("nothing to decompress");
	struct decoder *d = rv_calloc(1, sizeof(*d));
	RV_CLEANUP(rv_source_free_p) struct rv_source *owned = &d->source;

	d->source.ops = &decoder_ops[compression];
	d->engine = engines[compression];
	d->inner = inner;
	d->label = rv_strdup(inner->label);
	d->source.label = d->label;
	d->error = (struct rv_error)RV_ERROR_INIT;
	d->in = rv_malloc(pending_len > INPUT_BYTES ? pending_len : INPUT_BYTES);
	if (pending_len)
		memcpy(d->in, pending, pending_len);
	d->in_len = pending_len;
	if (d->engine->open(d, err) != RV_OK)
		return err->status;
	*ret = rv_take(owned);
	return RV_OK;
}

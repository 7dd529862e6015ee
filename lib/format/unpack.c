/* Decompression in steps, so that the caller decides how much memory there is. */
#include "format/unpack.h"

#include <isa-l/igzip_lib.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/memory.h"

/* A window larger than this (zstd --long=31) would take 2 GiB from whoever reads it. */
#define WINDOW_LOG_MAX 27

struct rv_unpack {
	enum rv_packing packing;
	bool inside;     /* between the first and the last byte of a frame or member */
	bool pending;    /* zstd holds output that did not fit */
	ZSTD_DStream *zstd;
	struct inflate_state gzip;
};

struct rv_unpack *rv_unpack_new(enum rv_packing packing)
{
	struct rv_unpack *unpack = rv_calloc(1, sizeof(*unpack));

	unpack->packing = packing;
	if (packing == RV_PACKING_ZSTD) {
		unpack->zstd = ZSTD_createDStream();
		if (!unpack->zstd)
			rv_bug("no memory for zstd");
		ZSTD_DCtx_setParameter(unpack->zstd, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
	} else if (packing == RV_PACKING_GZIP) {
		isal_inflate_init(&unpack->gzip);
		unpack->gzip.crc_flag = ISAL_GZIP;
	}
	return unpack;
}

void rv_unpack_free(struct rv_unpack *unpack)
{
	if (!unpack)
		return;
	ZSTD_freeDStream(unpack->zstd);
	free(unpack);
}

void rv_unpack_free_p(struct rv_unpack **unpack)
{
	rv_unpack_free(*unpack);
}

static enum rv_status step_none(struct rv_str *input, void *out, size_t size, size_t *ret_len)
{
	size_t n = input->len < size ? input->len : size;

	if (n)
		memcpy(out, input->p, n);
	input->p += n;
	input->len -= n;
	*ret_len = n;
	return RV_OK;
}

static enum rv_status step_zstd(struct rv_unpack *unpack, struct rv_str *input, void *out,
				size_t size, size_t *ret_len, struct rv_error *err)
{
	ZSTD_inBuffer in = { input->p, input->len, 0 };
	ZSTD_outBuffer to = { out, size, 0 };

	while (to.pos < to.size && (in.pos < in.size || unpack->pending)) {
		size_t left = ZSTD_decompressStream(unpack->zstd, &to, &in);

		if (ZSTD_isError(left))
			return rv_fail(err, RV_BAD_DATA, "not valid zstd: %s",
				       ZSTD_getErrorName(left));
		unpack->inside = left != 0;
		unpack->pending = left != 0 && to.pos == to.size;
	}
	input->p += in.pos;
	input->len -= in.pos;
	*ret_len = to.pos;
	return RV_OK;
}

static enum rv_status step_gzip(struct rv_unpack *unpack, struct rv_str *input, void *out,
				size_t size, size_t *ret_len, struct rv_error *err)
{
	struct inflate_state *state = &unpack->gzip;
	/* ISA-L declares its input without const and does not write to it. */
	union {
		const char *given;
		uint8_t *wanted;
	} in = { .given = input->p };
	size_t most = 1u << 30;

	state->next_in = in.wanted;
	state->avail_in = (uint32_t)(input->len < most ? input->len : most);
	state->next_out = out;
	state->avail_out = (uint32_t)(size < most ? size : most);
	uint32_t had = state->avail_in, room = state->avail_out;

	for (;;) {
		if (state->block_state == ISAL_BLOCK_FINISH) {
			unpack->inside = false;
			if (state->avail_in == 0)
				break;
			isal_inflate_reset(state);
			state->crc_flag = ISAL_GZIP;
		}
		uint32_t in_before = state->avail_in, out_before = state->avail_out;
		int code = isal_inflate(state);

		if (code != ISAL_DECOMP_OK && code != ISAL_END_INPUT)
			return rv_fail(err, RV_BAD_DATA, "not valid gzip (%s)",
				       code == ISAL_INCORRECT_CHECKSUM ? "wrong checksum"
								       : "damaged");
		unpack->inside = state->block_state != ISAL_BLOCK_FINISH;
		if (state->avail_out == 0)
			break;
		if (in_before == state->avail_in && out_before == state->avail_out)
			break;
	}
	input->p += had - state->avail_in;
	input->len -= had - state->avail_in;
	*ret_len = room - state->avail_out;
	return RV_OK;
}

enum rv_status rv_unpack_step(struct rv_unpack *unpack, struct rv_str *input, void *out, size_t size,
			      size_t *ret_len, struct rv_error *err)
{
	switch (unpack->packing) {
	case RV_PACKING_ZSTD:
		return step_zstd(unpack, input, out, size, ret_len, err);
	case RV_PACKING_GZIP:
		return step_gzip(unpack, input, out, size, ret_len, err);
	case RV_PACKING_NONE:
		break;
	}
	return step_none(input, out, size, ret_len);
}

enum rv_status rv_unpack_end(const struct rv_unpack *unpack, struct rv_error *err)
{
	if (unpack->inside)
		return rv_fail(err, RV_BAD_DATA, "ends in the middle of compressed data");
	return RV_OK;
}

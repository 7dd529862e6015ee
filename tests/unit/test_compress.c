/* Every compression: what goes in comes out of another decoder, and a sink that fails ends it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <endian.h>
#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <zstd.h>
#include <cmocka.h>

#include "base/memory.h"
#include "base/strbuf.h"
#include "format/compress.h"

static const enum rv_output_compression kinds[] = { RV_OUTPUT_ZSTD, RV_OUTPUT_GZIP,
						    RV_OUTPUT_GZIP_SMALL, RV_OUTPUT_NONE };
#define KINDS (sizeof(kinds) / sizeof(*kinds))

static enum rv_status collect(void *arg, const void *p, size_t len, struct rv_error *err RV_UNUSED)
{
	assert_true(len > 0);
	rv_strbuf_add(arg, p, len);
	return RV_OK;
}

static void unzstd(const struct rv_strbuf *packed, struct rv_strbuf *ret)
{
	ZSTD_DStream *stream = ZSTD_createDStream();
	ZSTD_inBuffer in = { packed->bytes, packed->len, 0 };
	size_t left;
	char piece[4096];
	do {
		ZSTD_outBuffer out = { piece, sizeof(piece), 0 };
		left = ZSTD_decompressStream(stream, &out, &in);
		assert_false(ZSTD_isError(left));
		rv_strbuf_add(ret, piece, out.pos);
	} while (left && in.pos < in.size);
	assert_int_equal(left, 0);
	assert_int_equal(in.pos, in.size); /* one frame and nothing behind it */
	ZSTD_freeDStream(stream);
}

/* One or more members, as RFC 1952 allows; their sums are checked by the decoder. */
static void ungzip(const struct rv_strbuf *packed, struct rv_strbuf *ret)
{
	struct inflate_state *state = rv_calloc(1, sizeof(*state));
	uint8_t piece[4096];
	size_t at = 0;
	assert_true(packed->len > 0);
	while (at < packed->len) {
		isal_inflate_init(state);
		state->crc_flag = ISAL_GZIP;
		state->next_in = (uint8_t *)packed->bytes + at;
		state->avail_in = (uint32_t)(packed->len - at);
		do {
			state->next_out = piece;
			state->avail_out = sizeof(piece);
			assert_int_equal(isal_inflate(state), ISAL_DECOMP_OK);
			rv_strbuf_add(ret, piece, sizeof(piece) - state->avail_out);
		} while (state->block_state != ISAL_BLOCK_FINISH &&
			 (state->avail_in || state->avail_out == 0));
		assert_int_equal(state->block_state, ISAL_BLOCK_FINISH);
		at = packed->len - state->avail_in;
	}
	free(state);
}

static void unpack(enum rv_output_compression kind, const struct rv_strbuf *packed,
		   struct rv_strbuf *ret)
{
	if (kind == RV_OUTPUT_ZSTD)
		unzstd(packed, ret);
	else if (kind == RV_OUTPUT_NONE)
		rv_strbuf_add(ret, packed->bytes, packed->len);
	else
		ungzip(packed, ret);
}

static char *noise(size_t len, bool dense)
{
	char *bytes = rv_malloc(len ? len : 1);
	uint64_t x = 88172645463325252u;
	for (size_t i = 0; i < len; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		bytes[i] = dense ? (char)x : (char)('a' + (x & 3));
	}
	return bytes;
}

static void test_round_trip(void **arg RV_UNUSED)
{
	static const size_t sizes[] = { 0, 1, 100, 65536, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 5000000 };
	static const size_t pieces[] = { 7, 4096, SIZE_MAX };
	struct rv_error err;
	for (size_t k = 0; k < KINDS; k++) {
		/* with none, with two, and for rows, which only zstd tells apart */
		for (unsigned threads = 0; threads < 3; threads++) {
			struct rv_compressor *c = NULL;
			if (threads == 1 && kinds[k] != RV_OUTPUT_ZSTD)
				continue;
			assert_int_equal(threads == 1 ? rv_compressor_new_for_rows(kinds[k], 0, &c, &err)
						      : rv_compressor_new(kinds[k], threads, &c, &err),
					 RV_OK);
			/* one compressor for all: nothing of an object may be in the next */
			for (size_t i = 0; i < 2 * sizeof(sizes) / sizeof(*sizes); i++) {
				size_t len = sizes[i / 2];
				size_t piece = len > 200000 ? pieces[1 + i % 2] : pieces[i % 3];
				RV_CLEANUP(rv_free_p) char *bytes = noise(len, i % 2);
				RV_CLEANUP(rv_strbuf_release) struct rv_strbuf packed = RV_STRBUF_INIT;
				RV_CLEANUP(rv_strbuf_release) struct rv_strbuf there = RV_STRBUF_INIT;
				rv_compressor_begin(c, collect, &packed);
				assert_int_equal(rv_compressor_bytes(c), 0);
				for (size_t at = 0; at < len;) {
					size_t n = len - at < piece ? len - at : piece;
					assert_int_equal(rv_compressor_write(c, bytes + at, n, &err),
							 RV_OK);
					at += n;
				}
				assert_int_equal(rv_compressor_write(c, bytes, 0, &err), RV_OK);
				assert_int_equal(rv_compressor_end(c, &err), RV_OK);
				assert_int_equal(rv_compressor_bytes(c), packed.len);
				unpack(kinds[k], &packed, &there);
				assert_int_equal(there.len, len);
				assert_memory_equal(there.bytes, bytes, len);
			}
			rv_compressor_free(c);
		}
	}
	rv_compressor_free(NULL);
}

static void test_forgotten_objects(void **arg RV_UNUSED)
{
	struct rv_error err;
	for (size_t k = 0; k < KINDS; k++) {
		struct rv_compressor *c = NULL;
		RV_CLEANUP(rv_free_p) char *bytes = noise(300000, true);
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf ignored = RV_STRBUF_INIT;
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf packed = RV_STRBUF_INIT;
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf there = RV_STRBUF_INIT;
		assert_int_equal(rv_compressor_new(kinds[k], 1, &c, &err), RV_OK);
		rv_compressor_begin(c, collect, &ignored);
		assert_int_equal(rv_compressor_write(c, bytes, 300000, &err), RV_OK);
		rv_compressor_begin(c, collect, &packed);
		assert_int_equal(rv_compressor_write(c, "{}\n", 3, &err), RV_OK);
		assert_int_equal(rv_compressor_end(c, &err), RV_OK);
		unpack(kinds[k], &packed, &there);
		assert_string_equal(there.bytes, "{}\n");
		rv_compressor_free(c);
	}
}

/* The same input makes the same bytes: a batch that is made again keeps its name and length. */
static void test_same_bytes(void **arg RV_UNUSED)
{
	struct rv_error err;
	RV_CLEANUP(rv_free_p) char *bytes = noise(3000000, false);
	for (size_t k = 0; k < KINDS; k++) {
		struct rv_strbuf packed[2] = { RV_STRBUF_INIT, RV_STRBUF_INIT };
		for (size_t i = 0; i < 2; i++) {
			struct rv_compressor *c = NULL;
			assert_int_equal(rv_compressor_new(kinds[k], 2, &c, &err), RV_OK);
			rv_compressor_begin(c, collect, &packed[i]);
			assert_int_equal(rv_compressor_write(c, bytes, 3000000, &err), RV_OK);
			assert_int_equal(rv_compressor_end(c, &err), RV_OK);
			rv_compressor_free(c);
		}
		assert_int_equal(packed[0].len, packed[1].len);
		assert_memory_equal(packed[0].bytes, packed[1].bytes, packed[0].len);
		rv_strbuf_release(&packed[0]);
		rv_strbuf_release(&packed[1]);
	}
}

static enum rv_status fail_later(void *arg, const void *p RV_UNUSED, size_t len RV_UNUSED,
				 struct rv_error *err)
{
	unsigned *left = arg;
	return (*left)-- ? RV_OK : rv_fail(err, RV_LOCAL_IO, "the disk is full");
}

static void test_failing_sink(void **arg RV_UNUSED)
{
	RV_CLEANUP(rv_free_p) char *bytes = noise(4000000, true);
	for (size_t k = 0; k < KINDS; k++) {
		for (unsigned fail_at = 0; fail_at < 3; fail_at++) {
			struct rv_error err = RV_ERROR_INIT;
			struct rv_compressor *c = NULL;
			unsigned left = fail_at;
			assert_int_equal(rv_compressor_new(kinds[k], 1, &c, &err), RV_OK);
			rv_compressor_begin(c, fail_later, &left);
			enum rv_status status = RV_OK;
			for (size_t at = 0; at < 4000000 && status == RV_OK; at += 1000000)
				status = rv_compressor_write(c, bytes + at, 1000000, &err);
			if (status == RV_OK)
				status = rv_compressor_end(c, &err);
			assert_int_equal(status, RV_LOCAL_IO);
			assert_string_equal(err.message, "the disk is full");
			/* and it is good for the next object */
			RV_CLEANUP(rv_strbuf_release) struct rv_strbuf packed = RV_STRBUF_INIT;
			RV_CLEANUP(rv_strbuf_release) struct rv_strbuf there = RV_STRBUF_INIT;
			rv_compressor_begin(c, collect, &packed);
			assert_int_equal(rv_compressor_write(c, "{}\n", 3, &err), RV_OK);
			assert_int_equal(rv_compressor_end(c, &err), RV_OK);
			unpack(kinds[k], &packed, &there);
			assert_string_equal(there.bytes, "{}\n");
			rv_compressor_free(c);
		}
	}
}

/* The last bytes of what is packed, which are the sum and the length of all that went in. */
static enum rv_status keep_tail(void *arg, const void *p, size_t len, struct rv_error *err RV_UNUSED)
{
	unsigned char *tail = arg;
	size_t n = len < 8 ? len : 8;
	memmove(tail, tail + n, 8 - n);
	memcpy(tail + 8 - n, (const char *)p + len - n, n);
	return RV_OK;
}

/* Lengths of 32 bits are the library's. */
static void test_more_than_a_gibibyte_at_once(void **arg RV_UNUSED)
{
	size_t len = ((size_t)1 << 30) + 5;
	unsigned char tail[8] = { 0 };
	struct rv_error err;
	struct rv_compressor *c = NULL;
	char *bytes = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_ptr_not_equal(bytes, MAP_FAILED);
	memcpy(bytes + len - 5, "river", 5);
	assert_int_equal(rv_compressor_new(RV_OUTPUT_GZIP, 0, &c, &err), RV_OK);
	rv_compressor_begin(c, keep_tail, tail);
	assert_int_equal(rv_compressor_write(c, bytes, len, &err), RV_OK);
	assert_int_equal(rv_compressor_end(c, &err), RV_OK);
	uint32_t sum = crc32_gzip_refl(0, (const unsigned char *)bytes, len), said[2];
	memcpy(said, tail, 8);
	assert_int_equal(le32toh(said[0]), sum);
	assert_int_equal(le32toh(said[1]), len);
	rv_compressor_free(c);
	munmap(bytes, len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_forgotten_objects),
		cmocka_unit_test(test_same_bytes),
		cmocka_unit_test(test_failing_sink),
		cmocka_unit_test(test_more_than_a_gibibyte_at_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

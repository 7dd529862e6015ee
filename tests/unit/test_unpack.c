/* Decompression in steps of any size; and what must not be taken for whole. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

#include "base/memory.h"
#include "base/strbuf.h"
#include "format/compress.h"
#include "format/unpack.h"

static const enum rv_output_compression kinds[] = { RV_OUTPUT_ZSTD, RV_OUTPUT_GZIP, RV_OUTPUT_NONE };
static const enum rv_packing packings[] = { RV_PACKING_ZSTD, RV_PACKING_GZIP, RV_PACKING_NONE };

static enum rv_status collect(void *arg, const void *p, size_t len, struct rv_error *err RV_UNUSED)
{
	rv_strbuf_add(arg, p, len);
	return RV_OK;
}

static void pack(size_t kind, const char *p, size_t len, struct rv_strbuf *out)
{
	struct rv_error err = RV_ERROR_INIT;
	struct rv_compressor *c = NULL;

	assert_int_equal(rv_compressor_new(kinds[kind], 0, &c, &err), RV_OK);
	rv_compressor_begin(c, collect, out);
	assert_int_equal(rv_compressor_write(c, p, len, &err), RV_OK);
	assert_int_equal(rv_compressor_end(c, &err), RV_OK);
	rv_compressor_free(c);
}

/* All of `packed`, with so much input and so much room at a time. */
static enum rv_status unpack(size_t kind, const struct rv_strbuf *packed, size_t in_bytes, size_t out_bytes,
			     struct rv_strbuf *ret, struct rv_error *err)
{
	RV_CLEANUP(rv_unpack_free_p) struct rv_unpack *unpack = rv_unpack_new(packings[kind]);
	RV_CLEANUP(rv_free_p) char *out = rv_malloc(out_bytes);

	for (size_t at = 0; at < packed->len;) {
		size_t n = packed->len - at < in_bytes ? packed->len - at : in_bytes, made = 0;
		struct rv_str input = { packed->bytes + at, n };

		do {
			if (rv_unpack_step(unpack, &input, out, out_bytes, &made, err) != RV_OK)
				return err->status;
			rv_strbuf_add(ret, out, made);
		} while (input.len || made == out_bytes);
		at += n;
	}
	return rv_unpack_end(unpack, err);
}

static void test_steps(void **state RV_UNUSED)
{
	static const size_t sizes[] = { 1, 7, 100, 100000 };
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;

	for (int i = 0; i < 3000; i++)
		rv_strbuf_printf(&text, "%d,", i * i);
	for (size_t kind = 0; kind < 3; kind++)
		for (size_t i = 0; i < 4; i++)
			for (size_t k = 0; k < 4; k++) {
				RV_CLEANUP(rv_strbuf_release) struct rv_strbuf packed = RV_STRBUF_INIT;
				RV_CLEANUP(rv_strbuf_release) struct rv_strbuf there = RV_STRBUF_INIT;
				struct rv_error err = RV_ERROR_INIT;

				/* two frames or members, one behind the other */
				pack(kind, text.bytes, text.len, &packed);
				pack(kind, text.bytes, 10, &packed);
				assert_int_equal(unpack(kind, &packed, sizes[i], sizes[k], &there, &err), RV_OK);
				assert_int_equal(there.len, text.len + 10);
				assert_memory_equal(there.bytes, text.bytes, text.len);
				assert_memory_equal(there.bytes + text.len, text.bytes, 10);
			}
	rv_unpack_free(NULL);
}

static void refused(size_t kind, const struct rv_strbuf *packed, const char *says)
{
	struct rv_error err = RV_ERROR_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf there = RV_STRBUF_INIT;

	assert_int_equal(unpack(kind, packed, 100000, 100000, &there, &err), RV_BAD_DATA);
	if (!strstr(err.message, says))
		fail_msg("'%s' does not say '%s'", err.message, says);
}

static void test_damage(void **state RV_UNUSED)
{
	for (size_t kind = 0; kind < 2; kind++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf packed = RV_STRBUF_INIT;

		pack(kind, "a text of some bytes", 20, &packed);
		/* cut anywhere */
		for (size_t len = packed.len - 1; len > 0; len--) {
			struct rv_strbuf cut = packed;

			cut.len = len;
			refused(kind, &cut, "ends in the middle of compressed data");
		}
		/* its checksum, which is last in zstd and before the length in gzip; something behind it */
		size_t sum = packed.len - (kind ? 8 : 4);

		packed.bytes[sum] ^= 1;
		refused(kind, &packed, kind ? "wrong checksum" : "not valid zstd");
		packed.bytes[sum] ^= 1;
		rv_strbuf_puts(&packed, "junk behind it");
		refused(kind, &packed, kind ? "not valid gzip (damaged)" : "not valid zstd");
	}
}

/* Lengths of 32 bits are the library's: more than it can be told is there, and as much room. */
static void test_more_than_a_gibibyte(void **state RV_UNUSED)
{
	size_t much = ((size_t)1 << 30) + 4096, made = 0;
	char *in = mmap(NULL, much, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *out = mmap(NULL, much, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf packed = RV_STRBUF_INIT;
	RV_CLEANUP(rv_unpack_free_p) struct rv_unpack *few = rv_unpack_new(RV_PACKING_GZIP);
	RV_CLEANUP(rv_unpack_free_p) struct rv_unpack *roomy = rv_unpack_new(RV_PACKING_GZIP);
	struct rv_error err = RV_ERROR_INIT;
	struct rv_str input = { in, much };

	assert_ptr_not_equal(in, MAP_FAILED);
	assert_ptr_not_equal(out, MAP_FAILED);
	pack(1, "a text of some bytes", 20, &packed);
	memcpy(in, packed.bytes, packed.len);
	assert_int_equal(rv_unpack_step(few, &input, out, 6, &made, &err), RV_OK);
	assert_int_equal(made, 6);
	assert_memory_equal(out, "a text", 6);
	assert_ptr_equal(input.p + input.len, in + much);
	input = (struct rv_str){ in, packed.len };
	assert_int_equal(rv_unpack_step(roomy, &input, out, much, &made, &err), RV_OK);
	assert_int_equal(made, 20);
	assert_memory_equal(out, "a text of some bytes", 20);
	assert_int_equal(input.len, 0);
	munmap(in, much);
	munmap(out, much);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_more_than_a_gibibyte),
	};
	return cmocka_run_group_tests_name("unpack", tests, NULL, NULL);
}

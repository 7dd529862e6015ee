/* Decompression: every byte comes out, and no cut or flipped bit ever ends quietly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <dlfcn.h>
#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>
#include <string.h>
#include <zstd.h>

#include "base/memory.h"
#include "base/strbuf.h"
#include "source/source.h"

enum { FIRST = RV_COMPRESSION_GZIP, LAST = RV_COMPRESSION_XZ };

static void *library_function(const char *library, const char *name)
{
	void *handle = dlopen(library, RTLD_NOW); /* stays open */

	assert_non_null(handle);
	void *p = dlsym(handle, name);

	assert_non_null(p);
	return p;
}

/* One member appended to `out`. */
static void compress(enum rv_compression c, const char *p, size_t len, struct rv_strbuf *out)
{
	size_t room = len + len / 2 + 4096;

	rv_strbuf_reserve(out, room);
	char *o = out->bytes + out->len;

	if (c == RV_COMPRESSION_GZIP) {
		RV_CLEANUP(rv_free_p) struct isal_zstream *z = rv_calloc(1, sizeof(*z));
		union {
			const char *c;
			uint8_t *u;
		} in = { p };

		isal_deflate_stateless_init(z);
		z->gzip_flag = IGZIP_GZIP;
		z->end_of_stream = 1;
		z->next_in = in.u;
		z->avail_in = (uint32_t)len;
		z->next_out = (uint8_t *)o;
		z->avail_out = (uint32_t)room;
		assert_int_equal(isal_deflate_stateless(z), COMP_OK);
		out->len += room - z->avail_out;
	} else if (c == RV_COMPRESSION_ZSTD) {
		ZSTD_CCtx *z = ZSTD_createCCtx();

		ZSTD_CCtx_setParameter(z, ZSTD_c_checksumFlag, 1);
		size_t n = ZSTD_compress2(z, o, room, p, len);

		ZSTD_freeCCtx(z);
		assert_false(ZSTD_isError(n));
		out->len += n;
	} else if (c == RV_COMPRESSION_BZIP2) {
		int (*bz)(char *, unsigned *, const char *, unsigned, int, int, int);
		void *f = library_function("libbz2.so.1.0", "BZ2_bzBuffToBuffCompress");
		unsigned n = (unsigned)room;

		memcpy(&bz, &f, sizeof(f));
		assert_int_equal(bz(o, &n, p, (unsigned)len, 1, 0, 0), 0);
		out->len += n;
	} else {
		int (*xz)(uint32_t, int, const void *, const uint8_t *, size_t, uint8_t *, size_t *,
			  size_t);
		void *f = library_function("liblzma.so.5", "lzma_easy_buffer_encode");
		size_t n = 0;

		memcpy(&xz, &f, sizeof(f));
		assert_int_equal(xz(1, 4 /* CRC-64 */, NULL, (const uint8_t *)p, len, (uint8_t *)o,
				    &n, room),
				 0);
		out->len += n;
	}
	out->bytes[out->len] = '\0';
}

static enum rv_status decompress(enum rv_compression c, const char *p, size_t len, size_t piece,
				 size_t pending, size_t size, struct rv_strbuf *out,
				 struct rv_error *err)
{
	RV_CLEANUP(rv_source_free_p) struct rv_source *s = NULL;
	struct rv_source *inner = rv_source_mem_new(p + pending, len - pending, piece, UINT64_MAX);
	RV_CLEANUP(rv_free_p) char *buf = rv_malloc(size);

	*err = (struct rv_error)RV_ERROR_INIT;
	if (rv_source_decompress_new(inner, c, p, pending, &s, err) != RV_OK)
		return err->status;
	for (;;) {
		enum rv_source_state state;
		size_t n = 0;

		if (s->ops->read(s, buf, size, -1, &n, &state, err) != RV_OK)
			return err->status;
		if (state == RV_SOURCE_END)
			return RV_OK;
		assert_int_equal(state, RV_SOURCE_BYTES);
		assert_in_range(n, 1, size);
		rv_strbuf_add(out, buf, n);
	}
}

static const char words[] = "{\"event\":\"click\",\"path\":\"/a\"}\n{\"event\":\"view\"}\n";

static void test_every_piece_size(void **state RV_UNUSED)
{
	for (int c = FIRST; c <= LAST; c++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf in = RV_STRBUF_INIT;

		compress((enum rv_compression)c, words, sizeof(words) - 1, &in);
		assert_int_equal(rv_compression_detect(in.bytes, in.len), c);
		for (size_t piece = 1; piece <= in.len; piece++) {
			RV_CLEANUP(rv_strbuf_release) struct rv_strbuf out = RV_STRBUF_INIT;
			struct rv_error err;

			assert_int_equal(decompress((enum rv_compression)c, in.bytes, in.len, piece,
						    piece % 7, 1 + piece % 13, &out, &err),
					 RV_OK);
			assert_string_equal(out.bytes, words);
		}
	}
}

static void test_concatenated_members(void **state RV_UNUSED)
{
	for (int c = FIRST; c <= LAST; c++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf in = RV_STRBUF_INIT;
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf want = RV_STRBUF_INIT;

		for (int i = 0; i < 3; i++) {
			compress((enum rv_compression)c, words, sizeof(words) - 1, &in);
			rv_strbuf_puts(&want, words);
			compress((enum rv_compression)c, "", 0, &in); /* an empty one between */
		}
		for (size_t piece = 0; piece <= in.len; piece += 1 + piece / 20) {
			RV_CLEANUP(rv_strbuf_release) struct rv_strbuf out = RV_STRBUF_INIT;
			struct rv_error err;

			if (decompress((enum rv_compression)c, in.bytes, in.len, piece, 0, 100, &out,
				       &err) != RV_OK)
				fail_msg("%s", err.message);
			assert_string_equal(out.bytes, want.bytes);
		}
	}
}

static void test_skippable_frames(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf in = RV_STRBUF_INIT, out = RV_STRBUF_INIT;
	struct rv_error err;

	rv_strbuf_add(&in, "\x50\x2a\x4d\x18\x03\0\0\0abc", 11);
	compress(RV_COMPRESSION_ZSTD, words, sizeof(words) - 1, &in);
	rv_strbuf_add(&in, "\x5f\x2a\x4d\x18\x00\0\0\0", 8);
	assert_int_equal(rv_compression_detect(in.bytes, in.len), RV_COMPRESSION_ZSTD);
	assert_int_equal(decompress(RV_COMPRESSION_ZSTD, in.bytes, in.len, 1, 0, 9, &out, &err),
			 RV_OK);
	assert_string_equal(out.bytes, words);
}

/* Cut anywhere, also within the second of two members: an error, and what came out is a prefix. */
static void test_every_cut(void **state RV_UNUSED)
{
	for (int c = FIRST; c <= LAST; c++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf in = RV_STRBUF_INIT;
		size_t first;

		compress((enum rv_compression)c, words, sizeof(words) - 1, &in);
		first = in.len;
		compress((enum rv_compression)c, words, sizeof(words) - 1, &in);
		for (size_t cut = 0; cut < in.len; cut++)
			for (size_t piece = 0; piece < 2; piece++) {
				RV_CLEANUP(rv_strbuf_release) struct rv_strbuf out = RV_STRBUF_INIT;
				struct rv_error err;
				enum rv_status status = decompress((enum rv_compression)c, in.bytes,
								   cut, piece, 0, 50, &out, &err);

				if (cut == first) {
					assert_int_equal(status, RV_OK);
					assert_string_equal(out.bytes, words);
					continue;
				}
				if (status != RV_BAD_DATA)
					fail_msg("%s cut at %zu of %zu ends quietly",
						 rv_compression_name((enum rv_compression)c), cut,
						 in.len);
				for (size_t i = 0; i < out.len; i++)
					assert_int_equal(out.bytes[i], words[i % (sizeof(words) - 1)]);
				assert_non_null(strstr(err.message, "decompressed bytes"));
			}
	}
}

static void test_every_flipped_bit(void **state RV_UNUSED)
{
	for (int c = FIRST; c <= LAST; c++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf in = RV_STRBUF_INIT;

		compress((enum rv_compression)c, words, sizeof(words) - 1, &in);
		for (size_t i = 0; i < in.len * 8; i++) {
			RV_CLEANUP(rv_strbuf_release) struct rv_strbuf out = RV_STRBUF_INIT;
			struct rv_error err;

			in.bytes[i / 8] = (char)(in.bytes[i / 8] ^ (1 << i % 8));
			/* Some bits mean nothing (gzip's time and system): then all must be well. */
			if (decompress((enum rv_compression)c, in.bytes, in.len, 0, 0, 4096, &out,
				       &err) == RV_OK)
				assert_string_equal(out.bytes, words);
			else
				assert_int_equal(err.status, RV_BAD_DATA);
			in.bytes[i / 8] = (char)(in.bytes[i / 8] ^ (1 << i % 8));
		}
	}
}

static void test_bytes_behind_the_end(void **state RV_UNUSED)
{
	static const char *const tails[] = { "x", "garbage that is longer", "\x1f", "{}\n" };

	for (int c = FIRST; c <= LAST; c++)
		for (size_t t = 0; t < sizeof(tails) / sizeof(*tails); t++)
			for (size_t piece = 0; piece < 4; piece++) {
				RV_CLEANUP(rv_strbuf_release) struct rv_strbuf in = RV_STRBUF_INIT;
				RV_CLEANUP(rv_strbuf_release) struct rv_strbuf out = RV_STRBUF_INIT;
				struct rv_error err;

				compress((enum rv_compression)c, words, sizeof(words) - 1, &in);
				rv_strbuf_puts(&in, tails[t]);
				assert_int_equal(decompress((enum rv_compression)c, in.bytes, in.len,
							    piece, 0, 4096, &out, &err),
						 RV_BAD_DATA);
				assert_string_equal(out.bytes, words);
			}
}

static void test_large_and_random(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	uint32_t seed = 7;

	while (text.len < 3 << 20) {
		seed = seed * 1664525u + 1013904223u;
		rv_strbuf_printf(&text, "{\"n\":%u,\"zeros\":\"%0*d\"}\n", seed, (int)(seed >> 24), 0);
	}
	for (int c = FIRST; c <= LAST; c++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf in = RV_STRBUF_INIT;
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf out = RV_STRBUF_INIT;
		struct rv_error err;

		compress((enum rv_compression)c, text.bytes, text.len, &in);
		if (decompress((enum rv_compression)c, in.bytes, in.len, 5000, 0, 100000, &out,
			       &err) != RV_OK)
			fail_msg("%s", err.message);
		assert_int_equal(out.len, text.len);
		assert_memory_equal(out.bytes, text.bytes, text.len);
	}
}

/* Gives a byte, then nothing for once, and so on. */
struct drip {
	struct rv_source source;
	const char *p, *end;
	bool pause;
};

static enum rv_status drip_read(struct rv_source *s, void *buf, size_t size RV_UNUSED,
				int64_t timeout_ms RV_UNUSED, size_t *ret_n,
				enum rv_source_state *state, struct rv_error *err RV_UNUSED)
{
	struct drip *d = (struct drip *)s;

	d->pause = !d->pause;
	*ret_n = 0;
	*state = RV_SOURCE_WAIT;
	if (d->pause)
		return RV_OK;
	*state = d->p < d->end ? RV_SOURCE_BYTES : RV_SOURCE_END;
	if (d->p < d->end) {
		*(char *)buf = *d->p++;
		*ret_n = 1;
	}
	return RV_OK;
}

static void drip_free(struct rv_source *s RV_UNUSED)
{
}

static void test_trickling(void **state RV_UNUSED)
{
	static const struct rv_source_ops ops = { "drip", drip_read, NULL, drip_free };

	for (int c = FIRST; c <= LAST; c++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf in = RV_STRBUF_INIT;
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf out = RV_STRBUF_INIT;
		struct drip d = { { &ops, "drip" }, NULL, NULL, false }; /* outlives who reads it */
		RV_CLEANUP(rv_source_free_p) struct rv_source *s = NULL;
		struct rv_error err = RV_ERROR_INIT;
		enum rv_source_state got = RV_SOURCE_BYTES;
		size_t waits = 0;

		compress((enum rv_compression)c, words, sizeof(words) - 1, &in);
		d.p = in.bytes;
		d.end = in.bytes + in.len;

		assert_int_equal(rv_source_decompress_new(&d.source, (enum rv_compression)c, NULL, 0,
							  &s, &err),
				 RV_OK);
		while (got != RV_SOURCE_END) {
			char buf[64];
			size_t n = 0;

			assert_int_equal(s->ops->read(s, buf, sizeof(buf), 0, &n, &got, &err), RV_OK);
			waits += got == RV_SOURCE_WAIT;
			rv_strbuf_add(&out, buf, n);
		}
		assert_true(waits >= in.len);
		assert_string_equal(out.bytes, words);
	}
}

static void test_seek_goes_forward(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf in = RV_STRBUF_INIT;
	RV_CLEANUP(rv_source_free_p) struct rv_source *s = NULL;
	struct rv_error err = RV_ERROR_INIT;
	enum rv_source_state state_now;
	char buf[6];
	size_t n;

	compress(RV_COMPRESSION_ZSTD, words, sizeof(words) - 1, &in);
	assert_int_equal(rv_source_decompress_new(
				 rv_source_mem_new(in.bytes, in.len, 0, UINT64_MAX),
				 RV_COMPRESSION_ZSTD, NULL, 0, &s, &err),
			 RV_OK);
	assert_int_equal(s->ops->seek(s, 31, &err), RV_OK);
	assert_int_equal(s->ops->read(s, buf, 6, -1, &n, &state_now, &err), RV_OK);
	assert_int_equal(n, 6);
	assert_memory_equal(buf, words + 31, 6);
	assert_int_equal(s->ops->seek(s, 1, &err), RV_LOCAL_IO);
	assert_int_equal(s->ops->seek(s, 1000, &err), RV_BAD_DATA);
}

/* Also beyond what is read at once; what is wrong on the way is said. */
static void test_seek_goes_far_or_says_why(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT, in = RV_STRBUF_INIT;
	RV_CLEANUP(rv_source_free_p) struct rv_source *s = NULL, *cut = NULL;
	struct rv_error err = RV_ERROR_INIT;
	enum rv_source_state state_now;
	char buf[10];
	size_t n;

	for (unsigned i = 0; text.len < 400000; i++)
		rv_strbuf_printf(&text, "%u\n", i);
	compress(RV_COMPRESSION_GZIP, text.bytes, text.len, &in);
	assert_int_equal(rv_source_decompress_new(rv_source_mem_new(in.bytes, in.len, 0, UINT64_MAX),
						  RV_COMPRESSION_GZIP, NULL, 0, &s, &err),
			 RV_OK);
	assert_int_equal(s->ops->seek(s, 300000, &err), RV_OK);
	assert_int_equal(s->ops->read(s, buf, 10, -1, &n, &state_now, &err), RV_OK);
	assert_int_equal(n, 10);
	assert_memory_equal(buf, text.bytes + 300000, 10);
	assert_int_equal(rv_source_decompress_new(rv_source_mem_new(in.bytes, 1000, 0, UINT64_MAX),
						  RV_COMPRESSION_GZIP, NULL, 0, &cut, &err),
			 RV_OK);
	assert_int_equal(cut->ops->seek(cut, 300000, &err), RV_BAD_DATA);
	assert_non_null(strstr(err.message, "the gzip stream ends early"));
}

static void test_the_source_behind_it_fails(void **state RV_UNUSED)
{
	for (int c = FIRST; c <= LAST; c++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf in = RV_STRBUF_INIT;
		RV_CLEANUP(rv_source_free_p) struct rv_source *s = NULL;
		struct rv_error err = RV_ERROR_INIT;
		enum rv_source_state state_now;
		char buf[10];
		size_t n;

		compress((enum rv_compression)c, words, sizeof(words) - 1, &in);
		assert_int_equal(rv_source_decompress_new(rv_source_mem_new(in.bytes, in.len, 0, 0),
							  (enum rv_compression)c, NULL, 0, &s, &err),
				 RV_OK);
		assert_int_equal(s->ops->read(s, buf, 10, -1, &n, &state_now, &err), RV_LOCAL_IO);
		assert_non_null(strstr(err.message, "told to fail"));
		assert_int_equal(n, 0);
	}
}

/* What was read already may be much, and there may be more room than the libraries count. */
static void test_much_pending_and_much_room(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	RV_CLEANUP(rv_free_p) char *buf = rv_malloc(1 << 20);
	uint32_t seed = 7;

	while (text.len < 300000) {
		seed = seed * 1664525u + 1013904223u;
		rv_strbuf_printf(&text, "%08x", seed);
	}
	for (int c = FIRST; c <= LAST; c++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf in = RV_STRBUF_INIT, out = RV_STRBUF_INIT;
		RV_CLEANUP(rv_source_free_p) struct rv_source *s = NULL;
		struct rv_error err = RV_ERROR_INIT;
		enum rv_source_state state_now = RV_SOURCE_BYTES;
		size_t n;

		compress((enum rv_compression)c, text.bytes, text.len, &in);
		assert_true(in.len > 128 << 10);
		assert_int_equal(decompress((enum rv_compression)c, in.bytes, in.len, 0, in.len - 5, 1 << 16, &out, &err),
				 RV_OK);
		assert_int_equal(out.len, text.len);
		assert_memory_equal(out.bytes, text.bytes, text.len);
		rv_strbuf_clear(&out);
		assert_int_equal(rv_source_decompress_new(rv_source_mem_new(in.bytes, in.len, 0, UINT64_MAX),
							  (enum rv_compression)c, NULL, 0, &s, &err),
				 RV_OK);
		while (state_now == RV_SOURCE_BYTES) {
			/* 300,000 bytes are all that come */
			assert_int_equal(s->ops->read(s, buf, (size_t)3 << 30, -1, &n, &state_now, &err), RV_OK);
			rv_strbuf_add(&out, buf, n);
		}
		assert_int_equal(out.len, text.len);
	}
}

/* The first block's header says another filter, or another window, and has the checksum of that. */
static void test_xz_that_wants_too_much(void **state RV_UNUSED)
{
	static const struct {
		size_t at; /* behind the filter's number */
		char byte;
		const char *says;
	} cases[] = {
		{ 2, 40, "it needs more than 128 MiB of memory" },
		{ 0, 0x22, "it uses options unknown to liblzma" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf in = RV_STRBUF_INIT, out = RV_STRBUF_INIT;
		struct rv_error err;

		compress(RV_COMPRESSION_XZ, words, sizeof(words) - 1, &in);
		char *header = in.bytes + 12;
		size_t len = ((size_t)header[0] + 1) * 4 - 4;
		char *filter = memchr(header + 2, 0x21, len - 2);

		assert_non_null(filter);
		filter[cases[i].at] = cases[i].byte;
		uint32_t crc = crc32_gzip_refl(0, (const unsigned char *)header, len);

		memcpy(header + len, &crc, 4);
		assert_int_equal(decompress(RV_COMPRESSION_XZ, in.bytes, in.len, 0, 0, 100, &out, &err), RV_BAD_DATA);
		assert_non_null(strstr(err.message, cases[i].says));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_piece_size),
		cmocka_unit_test(test_concatenated_members),
		cmocka_unit_test(test_skippable_frames),
		cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_every_flipped_bit),
		cmocka_unit_test(test_bytes_behind_the_end),
		cmocka_unit_test(test_large_and_random),
		cmocka_unit_test(test_trickling),
		cmocka_unit_test(test_seek_goes_forward),
		cmocka_unit_test(test_seek_goes_far_or_says_why),
		cmocka_unit_test(test_the_source_behind_it_fails),
		cmocka_unit_test(test_much_pending_and_much_room),
		cmocka_unit_test(test_xz_that_wants_too_much),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

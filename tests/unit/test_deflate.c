/* The quick gzip encoder: two decoders give back what went in, and its codes keep to their limits. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <isa-l/igzip_lib.h>
#include <libdeflate.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "format/deflate.h"
#include "format/deflate_code.h"

static uint64_t state = 88172645463325252u;
static uint64_t any(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

/* ---- codes --------------------------------------------------------------------------------------- */
static void check_code(const uint32_t *times, size_t count, unsigned max_bits)
{
	uint8_t bits[RV_DEFLATE_LITERALS];
	uint16_t codes[RV_DEFLATE_LITERALS];
	rv_deflate_code(times, count, max_bits, bits, codes);
	uint64_t room = 0;
	for (size_t i = 0; i < count; i++) {
		assert_true(bits[i] <= max_bits);
		assert_true(!times[i] || bits[i]);
		if (!bits[i])
			continue;
		room += (uint64_t)1 << (max_bits - bits[i]);
		for (size_t k = 0; k < count; k++) {
			/* none begins with another */
			if (k != i && bits[k] >= bits[i])
				assert_int_not_equal(codes[k] & ((1u << bits[i]) - 1), codes[i]);
			/* what is more frequent is no longer */
			if (times[k] > times[i] && times[i])
				assert_true(bits[k] <= bits[i]);
		}
	}
	assert_true(room == (uint64_t)1 << max_bits); /* and no code is wasted */
}

static void test_codes(void **arg RV_UNUSED)
{
	uint32_t times[RV_DEFLATE_LITERALS] = { 0 };
	check_code(times, 30, 15); /* nothing occurs: two all the same */
	times[0] = 5;
	check_code(times, 30, 15);
	times[0] = 0;
	times[29] = 1;
	check_code(times, 30, 15);
	/* Fibonacci's numbers ask for the longest codes there are */
	uint32_t a = 1, b = 1;
	for (size_t i = 0; i < 40; i++) {
		times[i] = a;
		b += a;
		a = b - a;
	}
	check_code(times, 40, 15);
	check_code(times, 40, 14);
	check_code(times, 19, 7);
	check_code(times, 19, 5);
	for (size_t i = 0; i < RV_DEFLATE_LITERALS; i++)
		times[i] = 7;
	check_code(times, RV_DEFLATE_LITERALS, 9);
	for (unsigned round = 0; round < 300; round++) {
		size_t count = 2 + any() % (RV_DEFLATE_LITERALS - 1);
		for (size_t i = 0; i < count; i++)
			times[i] = any() % 3 ? (uint32_t)(any() >> (40 + any() % 24)) : 0;
		check_code(times, count, 9 + (unsigned)(any() % 7));
	}
}

/* ---- members ------------------------------------------------------------------------------------- */
static void pack(struct rv_deflate *d, const char *p, size_t len, size_t piece, struct rv_strbuf *ret)
{
	const char *block;
	size_t block_len;
	rv_deflate_begin(d);
	for (size_t at = 0; at < len;) {
		size_t n = len - at < piece ? len - at : piece, taken = rv_deflate_take(d, p + at, n);
		at += taken;
		if (taken < n) {
			rv_deflate_block(d, false, &block, &block_len);
			rv_strbuf_add(ret, block, block_len);
		}
	}
	rv_deflate_block(d, true, &block, &block_len);
	rv_strbuf_add(ret, block, block_len);
}

static void check(struct rv_deflate *d, const char *p, size_t len)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf packed = RV_STRBUF_INIT, again = RV_STRBUF_INIT;
	RV_CLEANUP(rv_free_p) char *back = rv_malloc(len + 1);
	pack(d, p, len, SIZE_MAX, &packed);
	/* never larger than stored blocks would be */
	assert_true(packed.len <= len + 18 + 5 * (3 * len / (128 << 10) + 3));

	struct libdeflate_decompressor *other = libdeflate_alloc_decompressor();
	size_t used = 0, got = 0;
	assert_int_equal(libdeflate_gzip_decompress_ex(other, packed.bytes, packed.len, back, len + 1, &used,
						       &got),
			 LIBDEFLATE_SUCCESS);
	libdeflate_free_decompressor(other);
	assert_int_equal(used, packed.len);
	assert_int_equal(got, len);
	assert_memory_equal(back, p, len);

	memset(back, 0, len);
	struct inflate_state *isal = rv_calloc(1, sizeof(*isal));
	isal_inflate_init(isal);
	isal->crc_flag = ISAL_GZIP;
	isal->next_in = (uint8_t *)packed.bytes;
	isal->avail_in = (uint32_t)packed.len;
	isal->next_out = (uint8_t *)back;
	isal->avail_out = (uint32_t)len + 1;
	assert_int_equal(isal_inflate(isal), ISAL_DECOMP_OK);
	assert_int_equal(isal->block_state, ISAL_BLOCK_FINISH);
	assert_int_equal(isal->total_out, len);
	free(isal);
	assert_memory_equal(back, p, len);

	/* in other pieces, after other members: the same bytes */
	pack(d, p, len, 1 + any() % 100000, &again);
	assert_int_equal(again.len, packed.len);
	assert_memory_equal(again.bytes, packed.bytes, packed.len);
}

static void test_round_trips(void **arg RV_UNUSED)
{
	struct rv_deflate *d = rv_deflate_new();
	size_t room = 600000;
	RV_CLEANUP(rv_free_p) char *bytes = rv_malloc(room);
	static const size_t sizes[] = { 0, 1, 2, 31, 32, 33, 48, 300, 65535, 65536, 131071, 131072, 131073, 163840,
					262144, 600000 };
	for (unsigned kind = 0; kind < 6; kind++) {
		for (size_t i = 0; i < room; i++) {
			switch (kind) {
			case 0: /* noise, which is stored */
				bytes[i] = (char)any();
				break;
			case 1: /* one long match */
				bytes[i] = 'x';
				break;
			case 2: /* literals that pack */
				bytes[i] = (char)('a' + (any() & 3));
				break;
			case 3: /* matches of all lengths and distances, at the window's edge too */
				bytes[i] = (char)(i >= 32768 && any() % 50 ? bytes[i - 32768] : (char)any());
				break;
			case 4:
				bytes[i] = (char)(i >= 32769 && any() % 50 ? bytes[i - 32769] : (char)any());
				break;
			case 5: /* noise with short and long repeats near by */
				bytes[i] = (char)(i > 300 && any() % 9 ? bytes[i - 1 - (i / 1000) % 300] :
									 (char)any());
				break;
			}
		}
		for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
			check(d, bytes, sizes[i]);
	}
	for (unsigned round = 0; round < 200; round++)
		check(d, bytes + any() % 1000, any() % 3000);
	/* matches of each length up to where they have to be cut in pieces */
	for (size_t length = 1; length < 800; length++) {
		for (size_t i = 0; i < 900; i++)
			bytes[i] = (char)any();
		memcpy(bytes + 900, bytes + 7, length);
		memcpy(bytes + 900 + length, "0123456789abcdefghijklmnopqrstuvwxyz", 36);
		check(d, bytes, 936 + length);
	}
	rv_deflate_free(d);
	rv_deflate_free(NULL);
}

static void add_record(struct rv_strbuf *to, uint64_t n)
{
	static const char *const events[] = { "click", "page_view", "purchase", "add_to_cart" };
	char text[400];
	snprintf(text, sizeof(text),
		 "{\"event_id\":\"%08x-%04x-4%03x-%012llx\",\"n\":%llu,\"event\":\"%s\",\"user\":{\"id\":\"u-%u\","
		 "\"logged_in\":%s},\"page\":{\"url\":\"/kitchen/knives/no-%u\"},\"device\":{\"ua\":\"Mozilla/5.0 "
		 "(X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\",\"w\":%u}}\n",
		 (unsigned)any(), (unsigned)any() & 0xffff, (unsigned)any() & 0xfff,
		 (unsigned long long)(any() >> 16), (unsigned long long)n, events[any() & 3],
		 (unsigned)(any() % 1000000), any() & 1 ? "true" : "false", (unsigned)(any() % 40),
		 (unsigned)(any() % 2000));
	rv_strbuf_add(to, text, strlen(text));
}

/* What it is for: records that look alike are smaller than with ISA-L's level of the same speed. */
static void test_records(void **arg RV_UNUSED)
{
	struct rv_deflate *d = rv_deflate_new();
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf records = RV_STRBUF_INIT, packed = RV_STRBUF_INIT;
	for (uint64_t n = 0; records.len < 2000000; n++)
		add_record(&records, n);
	check(d, records.bytes, records.len);
	pack(d, records.bytes, records.len, SIZE_MAX, &packed);
	struct isal_zstream *isal = rv_calloc(1, sizeof(*isal));
	RV_CLEANUP(rv_free_p) uint8_t *level = rv_malloc(ISAL_DEF_LVL2_DEFAULT);
	RV_CLEANUP(rv_free_p) uint8_t *out = rv_malloc(records.len);
	isal_deflate_stateless_init(isal);
	isal->level = 2;
	isal->level_buf = level;
	isal->level_buf_size = ISAL_DEF_LVL2_DEFAULT;
	isal->next_in = (uint8_t *)records.bytes;
	isal->avail_in = (uint32_t)records.len;
	isal->next_out = out;
	isal->avail_out = (uint32_t)records.len;
	assert_int_equal(isal_deflate_stateless(isal), COMP_OK);
	assert_true(packed.len < isal->total_out - isal->total_out / 50);
	free(isal);
	/* records behind much that is dense are still found alike: base64 in between */
	rv_strbuf_clear(&records);
	rv_strbuf_clear(&packed);
	for (uint64_t n = 0; records.len < 1000000; n++) {
		add_record(&records, n);
		for (unsigned i = 0; i < 5000; i++)
			rv_strbuf_add(&records, &"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[any() & 63],
				      1);
	}
	check(d, records.bytes, records.len);
	pack(d, records.bytes, records.len, SIZE_MAX, &packed);
	assert_true(packed.len < records.len * 78 / 100);
	rv_deflate_free(d);
}

/* An object that was given up leaves nothing in the next. */
static void test_forgotten(void **arg RV_UNUSED)
{
	struct rv_deflate *d = rv_deflate_new();
	const char *block;
	size_t len;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf records = RV_STRBUF_INIT;
	for (uint64_t n = 0; records.len < 300000; n++)
		add_record(&records, n);
	rv_deflate_begin(d);
	assert_int_equal(rv_deflate_take(d, records.bytes, records.len), 128 << 10);
	assert_int_equal(rv_deflate_take(d, records.bytes, records.len), 0);
	rv_deflate_block(d, false, &block, &len);
	assert_int_equal(rv_deflate_take(d, records.bytes, 1000), 1000);
	check(d, records.bytes, 100000);
	rv_deflate_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_codes),
		cmocka_unit_test(test_round_trips),
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_forgotten),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

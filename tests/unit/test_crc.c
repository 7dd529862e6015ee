/* Published check values, and every way to compute them against the plainest one. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/error.h"
/* The file itself: which way is taken depends on the processor, and all have to be right. */
#include "base/crc.c"

static void test_crc32c(void **state RV_UNUSED)
{
	unsigned char bytes[32];

	/* "123456789" and RFC 3720 B.4 */
	assert_int_equal(rv_crc32c(0, "", 0), 0);
	assert_int_equal(rv_crc32c(0, "123456789", 9), 0xe3069283);
	assert_int_equal(rv_crc32c(rv_crc32c(0, "1234", 4), "56789", 5), 0xe3069283);
	assert_int_equal(rv_crc32c(0, "hello\n", 6), 0x353dd8be);
	memset(bytes, 0, 32);
	assert_int_equal(rv_crc32c(0, bytes, 32), 0x8a9136aa);
	memset(bytes, 0xff, 32);
	assert_int_equal(rv_crc32c(0, bytes, 32), 0x62a8ab43);
	for (int i = 0; i < 32; i++)
		bytes[i] = (unsigned char)i;
	assert_int_equal(rv_crc32c(0, bytes, 32), 0x46dd794e);
	for (int i = 0; i < 32; i++)
		bytes[i] = (unsigned char)(31 - i);
	assert_int_equal(rv_crc32c(0, bytes, 32), 0x113fdb5c);
}

static void test_crc64nvme(void **state RV_UNUSED)
{
	assert_true(rv_crc64nvme(0, "", 0) == 0);
	assert_true(rv_crc64nvme(0, "123456789", 9) == UINT64_C(0xae8b14860a799888));
	assert_true(rv_crc64nvme(rv_crc64nvme(0, "1", 1), "23456789", 8) ==
		    UINT64_C(0xae8b14860a799888));
	/* "akP7S61aVgc=" */
	assert_true(rv_crc64nvme(0, "hello\n", 6) == UINT64_C(0x6a43fb4bad5a5607));
}

/* Bit by bit, as the definition says it. */
static uint64_t by_bits(uint64_t poly, uint64_t ones, const unsigned char *p, size_t len)
{
	uint64_t crc = ones;
	while (len--) {
		crc ^= *p++;
		for (int k = 0; k < 8; k++)
			crc = crc & 1 ? crc >> 1 ^ poly : crc >> 1;
	}
	return crc ^ ones;
}

static void test_all_lengths_and_alignments(void **state RV_UNUSED)
{
	unsigned char bytes[100];
	uint32_t x = 1;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)((x = x * 1103515245 + 12345) >> 16);
	for (size_t from = 0; from < 9; from++)
		for (size_t len = 0; from + len <= sizeof(bytes); len++) {
			const unsigned char *p = bytes + from;
			uint64_t want32 = by_bits(POLY_32C, UINT32_MAX, p, len);
			assert_true(rv_crc32c(0, p, len) == want32);
			assert_true((uint32_t)~crc32c_tables(UINT32_MAX, p, len) == want32);
			assert_true(rv_crc64nvme(0, p, len) ==
				    by_bits(POLY_64NVME, UINT64_MAX, p, len));
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_crc32c),
		cmocka_unit_test(test_crc64nvme),
		cmocka_unit_test(test_all_lengths_and_alignments),
	};
	return cmocka_run_group_tests_name("crc", tests, NULL, NULL);
}

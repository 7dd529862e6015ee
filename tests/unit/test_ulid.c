/* Identifiers: their time, their order, and what is none. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/error.h"
#include "base/ulid.h"

#define MANY 2000

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, RV_ULID_TEXT);
}

static void test_fresh_ones(void **state RV_UNUSED)
{
	static char ids[MANY][RV_ULID_TEXT];

	for (int i = 0; i < MANY; i++) {
		rv_ulid_new(1795193931123, ids[i]);
		assert_int_equal(strlen(ids[i]), RV_ULID_TEXT - 1);
		assert_true(rv_ulid_valid(ids[i], RV_ULID_TEXT - 1));
		assert_int_equal(rv_ulid_time_ms(ids[i]), 1795193931123);
	}
	qsort(ids, MANY, sizeof(ids[0]), compare);
	for (int i = 1; i < MANY; i++)
		assert_string_not_equal(ids[i - 1], ids[i]);
}

static void test_sorts_by_time(void **state RV_UNUSED)
{
	char before[RV_ULID_TEXT], after[RV_ULID_TEXT];

	rv_ulid_new(0, before);
	assert_memory_equal(before, "0000000000", 10);
	for (int64_t ms = 1; ms < INT64_C(1) << 48; ms = ms * 3 + 1) {
		rv_ulid_new(ms, after);
		assert_true(strcmp(before, after) < 0);
		assert_int_equal(rv_ulid_time_ms(after), ms);
		memcpy(before, after, sizeof(before));
	}
	rv_ulid_new((INT64_C(1) << 48) - 1, after);
	assert_memory_equal(after, "7zzzzzzzzz", 10);
	assert_true(rv_ulid_valid(after, 26));
}

static void test_known_time(void **state RV_UNUSED)
{
	assert_int_equal(rv_ulid_time_ms("01arz3ndektsv4rrffq69g5fav"), 1469922850259);
}

static void test_refused(void **state RV_UNUSED)
{
	static const char *const bad[] = {
		"", "01arz3ndektsv4rrffq69g5fa", "01arz3ndektsv4rrffq69g5favv",
		"01ARZ3NDEKTSV4RRFFQ69G5FAV", "81arz3ndektsv4rrffq69g5fav", "z1arz3ndektsv4rrffq69g5fav",
		"01arz3ndektsv4rrffq69g5fai", "01arz3ndektsv4rrffq69g5fal", "01arz3ndektsv4rrffq69g5fao",
		"01arz3ndektsv4rrffq69g5fau", "01arz3ndektsv4rrffq69g5fa-", "01arz3ndektsv4rrffq69g5fa ",
		" 1arz3ndektsv4rrffq69g5fav", "/1arz3ndektsv4rrffq69g5fav",
		"\303\2441arz3ndektsv4rrffq69g5fa",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (rv_ulid_valid(bad[i], strlen(bad[i])))
			fail_msg("'%s' was taken", bad[i]);
	assert_false(rv_ulid_valid("01arz3ndektsv4rrffq69g5fa\0", 26));
	assert_true(rv_ulid_valid("01arz3ndektsv4rrffq69g5favjunk", 26));
}

static void test_random_bytes(void **state RV_UNUSED)
{
	unsigned char bytes[300] = { 0 }, seen[256] = { 0 };
	unsigned kinds = 0;

	rv_random_bytes(bytes, 0); /* touches nothing */
	assert_int_equal(bytes[0], 0);
	rv_random_bytes(bytes, sizeof(bytes) - 1); /* more than one call of the kernel gives */
	assert_int_equal(bytes[sizeof(bytes) - 1], 0);
	for (size_t i = 0; i < sizeof(bytes) - 1; i++)
		seen[bytes[i]] = 1;
	for (size_t i = 0; i < sizeof(seen); i++)
		kinds += seen[i];
	assert_true(kinds > 100); /* about 176 of 256 */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fresh_ones),
		cmocka_unit_test(test_sorts_by_time),
		cmocka_unit_test(test_known_time),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_random_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

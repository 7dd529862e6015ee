/* What stands behind the name of a file: packing, and what rotation adds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/error.h"
#include "format/file_name.h"

static void test_counters(void **state RV_UNUSED)
{
	static const char *const counters[] = { ".1", "-20261129", "_3", ".2026-11-29T10", "-2026-11-29T10.00.00Z" };
	static const char *const others[] = { "", "-", "..", "1", "T1", ".a", ".1a", ".log", "-2026 11" };

	for (size_t i = 0; i < sizeof(counters) / sizeof(*counters); i++)
		if (!rv_name_is_counter(counters[i], strlen(counters[i])))
			fail_msg("'%s' is no counter", counters[i]);
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (rv_name_is_counter(others[i], strlen(others[i])))
			fail_msg("'%s' is a counter", others[i]);
}

static void test_uncounted(void **state RV_UNUSED)
{
	static const struct {
		const char *name, *uncounted;
	} all[] = {
		{ "app.csv", "app.csv" },	   { "app.csv.1", "app.csv" },	 { "app.TXT.1", "app.TXT" },
		{ "app.csv-2026-11-29T10", "app.csv" }, { "app_3", "app" }, { "20261129", "20261129" },
		{ "app1", "app1" },		   { "app.", "app." },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		size_t len = rv_name_uncounted(all[i].name, strlen(all[i].name));

		if (len != strlen(all[i].uncounted))
			fail_msg("of '%s' %zu bytes were left", all[i].name, len);
	}
}

static void test_packed(void **state RV_UNUSED)
{
	assert_int_equal(rv_name_unpacked("a.csv.GZ", 8), 5);
	assert_int_equal(rv_name_unpacked("a.zst", 5), 1);
	assert_int_equal(rv_name_unpacked("a.csv", 5), 5);
	assert_int_equal(rv_name_unpacked(".gz", 3), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counters),
		cmocka_unit_test(test_uncounted),
		cmocka_unit_test(test_packed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

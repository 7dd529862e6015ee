/* Texts with a number in them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/error.h"
#include "format/number_pattern.h"

static void test_good_patterns(void **state RV_UNUSED)
{
	assert_true(rv_number_pattern_is_good("{n}", "n"));
	assert_true(rv_number_pattern_is_good("*{n}*.zip", "n"));
	assert_false(rv_number_pattern_is_good("", "n"));
	assert_false(rv_number_pattern_is_good("{n}{n}", "n"));
	assert_false(rv_number_pattern_is_good("{nn}", "n"));
	assert_false(rv_number_pattern_is_good("{n", "n"));
	assert_false(rv_number_pattern_is_good("*", "n"));
}

static void test_matches(void **state RV_UNUSED)
{
	static const struct {
		const char *pattern, *text;
		bool is;
		uint64_t number;
	} cases[] = {
		{ "ext-{n}.zip", "ext-0012.zip", true, 12 },
		{ "ext-{n}.zip", "ext-.zip", false, 0 },
		{ "ext-{n}.zip", "ext-12.zip.part", false, 0 },
		{ "ext-{n}.zip", "ext-12x.zip", false, 0 },
		{ "ext-{n}*.zip", "ext-12x.zip", true, 12 },
		{ "ext-{n}*.zip", "ext-12.zip", true, 12 },
		{ "*{n}.zip", "a1b23.zip", true, 23 },
		{ "*-{n}.zip", "a-1-23.zip", true, 23 },
		{ "*-{n}-*", "a-1-23-x", true, 1 },
		{ "*_{n}.*.zip", "a_x_7.csv.zip", true, 7 },
		{ "{n}", "0", true, 0 },
		{ "{n}", "18446744073709551615", true, UINT64_MAX },
		{ "{n}", "18446744073709551616", false, 0 },
		{ "{n}", "", false, 0 },
		{ "{n}*", "7", true, 7 },
		{ "**{n}**", "x7y", true, 7 },
		{ "T|{n}|*", "T|3|", true, 3 },
		{ "T|{n}|*", "T|3", false, 0 },
		{ "*{n}", "12", true, 12 },
		{ "{x}{n}", "{x}5", true, 5 },
		{ "*-{n}", "ab", false, 0 },
		/* digits are one number, or none */
		{ "*{n}", "T18446744073709551616", false, 0 },
		{ "*{n}*", "T100000000000000000000000000003", false, 0 },
		{ "**{n}", "100000000000000000000000000003", false, 0 },
		{ "*{n}", "T100000000000000000000000000003 7", true, 7 },
		{ "*{n}", "1{n}", false, 0 },
		{ "1*{n}", "1002", true, 2 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t number = 0;
		bool is = rv_number_pattern_match(cases[i].pattern, "n", cases[i].text, strlen(cases[i].text), &number);

		if (is != cases[i].is || (is && number != cases[i].number))
			fail_msg("'%s' of '%s': %d, %llu", cases[i].pattern, cases[i].text, (int)is,
				 (unsigned long long)number);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_patterns),
		cmocka_unit_test(test_matches),
	};

	return cmocka_run_group_tests_name("number_pattern", tests, NULL, NULL);
}

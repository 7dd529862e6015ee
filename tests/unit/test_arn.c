/* Names of things in AWS: taken apart, and what is none. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/error.h"
#include "format/arn.h"

static void test_parts(void **state RV_UNUSED)
{
	struct rv_arn arn;

	assert_true(rv_arn_parse("arn:aws:lambda:eu-west-1:123456789012:function:load:prod", &arn));
	assert_true(rv_str_is(arn.partition, "aws"));
	assert_true(rv_str_is(arn.service, "lambda"));
	assert_true(rv_str_is(arn.region, "eu-west-1"));
	assert_true(rv_str_is(arn.account, "123456789012"));
	assert_true(rv_str_is(arn.resource, "function:load:prod"));
	assert_true(rv_arn_parse("arn:aws:s3:::bucket", &arn));
	assert_int_equal(arn.region.len, 0);
	assert_int_equal(arn.account.len, 0);
}

static void test_not_one(void **state RV_UNUSED)
{
	static const char *const wrong[] = {
		"", "arn", "arn:", "arn:aws:s3", "arn:aws:s3::", "arn:aws:s3:::", "arn::s3:::bucket",
		"arn:aws::::bucket", "ARN:aws:s3:::bucket", "arn:aws:S3:::bucket", "arn:aws:s3:::a b",
		"arn:aws:s3:::a\"b", "arn:aws:s3:::a<b", "arn:aws:s3:::a&b", "arn:aws:s3:::\xc3\xa4",
		" arn:aws:s3:::bucket",
	};
	struct rv_arn arn = { .service = { "x", 1 } };

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (rv_arn_parse(wrong[i], &arn))
			fail_msg("'%s' was taken", wrong[i]);
	assert_true(rv_str_is(arn.service, "x")); /* untouched */
}

static void test_is(void **state RV_UNUSED)
{
	assert_true(rv_arn_is("arn:aws:iam::123456789012:role/a/b", "iam", "role/"));
	assert_true(rv_arn_is("arn:aws:sqs:eu-west-1:123456789012:q", "sqs", ""));
	assert_false(rv_arn_is("arn:aws:iam::123456789012:role/", "iam", "role/"));
	assert_false(rv_arn_is("arn:aws:iam::123456789012:user/a", "iam", "role/"));
	assert_false(rv_arn_is("arn:aws:iam::12345678901:role/a", "iam", "role/"));
	assert_false(rv_arn_is("arn:aws:iam::12345678901a:role/a", "iam", "role/"));
	assert_false(rv_arn_is("arn:aws:sns:eu-west-1:123456789012:q", "sqs", ""));
	assert_false(rv_arn_is("no name", "sqs", ""));
}

static void test_partition(void **state RV_UNUSED)
{
	assert_string_equal(rv_arn_partition("eu-west-1"), "aws");
	assert_string_equal(rv_arn_partition("cn-north-1"), "aws-cn");
	assert_string_equal(rv_arn_partition("us-gov-east-1"), "aws-us-gov");
	assert_string_equal(rv_arn_partition("us-iso-east-1"), "aws-iso");
	assert_string_equal(rv_arn_partition("us-isob-east-1"), "aws-iso-b");
	assert_string_equal(rv_arn_partition("eusc-de-east-1"), "aws-eusc");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_not_one),
		cmocka_unit_test(test_is),
		cmocka_unit_test(test_partition),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

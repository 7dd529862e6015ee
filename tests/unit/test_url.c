/* Addresses of services: which are taken. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/error.h"
#include "format/url.h"

static void test_taken(void **state RV_UNUSED)
{
	static const char *const right[] = {
		"https://s3.eu-west-1.amazonaws.com", "http://127.0.0.1:9000", "http://[::1]:9000",
		"https://store.example/base/path/", "http://localhost/",
	};
	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++)
		if (!rv_url_is_endpoint(right[i]))
			fail_msg("'%s' was refused", right[i]);
}

static void test_refused(void **state RV_UNUSED)
{
	static const char *const wrong[] = {
		"", "x", "127.0.0.1:9000", "s3://bucket", "ftp://host", "http:", "http://", "https:///path",
		"http://:80", "HTTP://host", "http://user:word@host", "http://host?x=y", "http://host#x",
		"http://ho st", "http://host/\n", "http://h\xc3\xb6st", "http://host/\\", " http://host",
	};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (rv_url_is_endpoint(wrong[i]))
			fail_msg("'%s' was taken", wrong[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_taken),
		cmocka_unit_test(test_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

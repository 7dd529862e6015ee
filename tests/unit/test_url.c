/* Addresses of services: which are taken. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <netdb.h>
#include <stdlib.h>

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

static void test_origins(void **state RV_UNUSED)
{
	char **origins;
	size_t count;
	struct rv_error err = RV_ERROR_INIT;
	assert_int_equal(rv_url_origins("https://a.example,, http://[::1]:80 ,", &origins, &count, &err), RV_OK);
	assert_int_equal(count, 2);
	assert_string_equal(origins[0], "https://a.example");
	assert_string_equal(origins[1], "http://[::1]:80");
	for (size_t i = 0; i < count; i++)
		free(origins[i]);
	free(origins);
	assert_int_equal(rv_url_origins("http://a http://b http://c http://d http://e http://f http://g http://h "
					"http://i http://j", &origins, &count, &err), RV_OK);
	assert_int_equal(count, 10);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(origins[i][7], 'a' + (char)i);
		free(origins[i]);
	}
	free(origins);
	/* what stands before a wrong one is the caller's */
	assert_int_equal(rv_url_origins("https://a.example,b", &origins, &count, &err), RV_BAD_CONFIG);
	assert_int_equal(count, 1);
	free(origins[0]);
	free(origins);
	static const char *const wrong[] = { "", ", ,", "https://", "https://A.example", "https://a/b", "https://a|b", "*" };
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		if (rv_url_origins(wrong[i], &origins, &count, &err) != RV_BAD_CONFIG)
			fail_msg("'%s' was taken", wrong[i]);
		assert_int_equal(count, 0);
	}
}

static void test_listen(void **state RV_UNUSED)
{
	static const char *const right[] = { "127.0.0.1:8080", "[::1]:0", "localhost:65535", "*:80", ":80" };
	static const char *const wrong[] = { "", "nonsense", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "::1:80",
					     "[]:80", "host.example:80", "127.0.0.1:http", "[::1:80" };
	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
		bool any = false;
		struct addrinfo *info = rv_url_listen(right[i], &any);
		if (!info)
			fail_msg("'%s' was refused", right[i]);
		assert_int_equal(any, i >= 3);
		freeaddrinfo(info);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		bool any;
		if (rv_url_listen(wrong[i], &any))
			fail_msg("'%s' was taken", wrong[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_taken),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_origins),
		cmocka_unit_test(test_listen),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* UUIDs: published vectors, the golden values of the systems river replaces, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/crypto.h"
#include "format/uuid.h"

static const char *v5(const char *name_space, const char *name)
{
	static char text[RV_UUID_LEN + 1];
	uint8_t space[RV_UUID_BYTES], id[RV_UUID_BYTES];

	assert_true(rv_uuid_parse(name_space, strlen(name_space), space));
	rv_uuid_v5(space, name, strlen(name), id);
	rv_uuid_text(id, text);
	return text;
}

static void test_v5_golden(void **state)
{
	static const char dns[] = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";
	static const char session[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

	(void)state;
	/* RFC 9562, A.4 */
	assert_string_equal(v5(dns, "www.example.com"), "2ed6657d-e927-568b-95e1-2665a8aea6a2");
	assert_string_equal(v5("fe971b24-9572-4005-b22f-351e9c09274d", "foo"),
			    "dc0b6f65-fca6-5b4b-9d37-ccc3fde1f3e2");
	assert_int_equal(strlen(session), 64);
	assert_string_equal(v5(dns, session), "efd9d9de-780b-5e83-a3e7-30a408967cf8");
	assert_string_equal(v5("1ff91478-1da1-431f-b1fd-3ec39fff283c",
			       "efd9d9de-780b-5e83-a3e7-30a408967cf8"),
			    "9da838be-ebe7-5055-bb4d-97ff89739e38");
	assert_string_equal(v5("9da838be-ebe7-5055-bb4d-97ff89739e38",
			       "11111111-1111-4111-8111-111111111111"),
			    "0219e7c6-34ab-5c88-8583-57fa6de397cd");
	assert_string_equal(v5("da69e958-fee3-428b-9dc3-e7586429fcfc", "stream_data/2021/12/06/23/f.gz:1"),
			    "f927b587-49c9-58e7-af3f-46c18d28350b");
}

static void test_namespaces(void **state)
{
	char text[RV_UUID_LEN + 1] = "";

	(void)state;
	rv_uuid_text(rv_uuid_dns, text);
	assert_string_equal(text, "6ba7b810-9dad-11d1-80b4-00c04fd430c8");
	rv_uuid_text(rv_uuid_url, text);
	assert_string_equal(text, "6ba7b811-9dad-11d1-80b4-00c04fd430c8");
	rv_uuid_text(rv_uuid_oid, text);
	assert_string_equal(text, "6ba7b812-9dad-11d1-80b4-00c04fd430c8");
	rv_uuid_text(rv_uuid_x500, text);
	assert_string_equal(text, "6ba7b814-9dad-11d1-80b4-00c04fd430c8");
}

static void test_refused(void **state)
{
	static const char *const wrong[] = {
		"", "6ba7b810-9dad-11d1-80b4-00c04fd430c", "6ba7b810-9dad-11d1-80b4-00c04fd430c88",
		"6ba7b8109dad-11d1-80b4-00c04fd430c8a", "6ba7b810-9dad-11d1-80b4-00c04fd430cg",
		"6ba7b810-9dad-11d1-80b4-00c04fd430c/", "6ba7b810-9dad-11d1-80b4-00c04fd430c@",
		"{ba7b810-9dad-11d1-80b4-00c04fd430c8", "6ba7b810-9dad-11d1-80b4_00c04fd430c8",
	};
	uint8_t id[RV_UUID_BYTES] = { 7 };

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		assert_false(rv_uuid_parse(wrong[i], strlen(wrong[i]), id));
		assert_int_equal(id[0], 7);
	}
	assert_true(rv_uuid_parse("6BA7B810-9DAD-11D1-80B4-00C04FD430C8", 36, id));
	assert_memory_equal(id, rv_uuid_dns, RV_UUID_BYTES);
}

static void test_v4(void **state)
{
	uint8_t id[RV_UUID_BYTES];
	char text[RV_UUID_LEN + 1] = "";

	(void)state;
	memset(id, 0xff, sizeof(id));
	rv_uuid_v4(id);
	rv_uuid_text(id, text);
	assert_string_equal(text, "ffffffff-ffff-4fff-bfff-ffffffffffff");
	memset(id, 0, sizeof(id));
	rv_uuid_v4(id);
	rv_uuid_text(id, text);
	assert_string_equal(text, "00000000-0000-4000-8000-000000000000");
}

/* Every length around the blocks, against a library that nobody here wrote. */
static void test_sha1_against_openssl(void **state)
{
	char bytes[300], expected[RV_SHA1_HEX], actual[RV_SHA1_HEX];
	uint8_t sum[RV_UUID_SHA1_BYTES];
	struct rv_error err = RV_ERROR_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 7 + 3);
	for (size_t len = 0; len <= sizeof(bytes); len++) {
		assert_int_equal(rv_sha1_hex(bytes, len, expected, &err), RV_OK);
		rv_uuid_sha1(bytes, len, sum);
		rv_hex(sum, sizeof(sum), actual);
		assert_string_equal(actual, expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_v5_golden),
		cmocka_unit_test(test_namespaces),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_v4),
		cmocka_unit_test(test_sha1_against_openssl),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

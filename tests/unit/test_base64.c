/*
 * Base64: the vectors of RFC 4648, and that every encoder of this processor says the same as a
 * second, slower one about every length and content, without a byte read or written outside.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "format/base64.h"

/* From a buffer of exactly `len` bytes into one of exactly the right length, so that
 * AddressSanitizer sees a step outside; then `text` must be there. */
static void check(const unsigned char *p, size_t len, const char *text)
{
	const struct rv_base64_encoder *list;
	size_t n = rv_base64_encoders(&list);
	size_t want = strlen(text);

	assert_int_equal(RV_BASE64_LEN(len), want);
	for (size_t i = 0; i <= n; i++) {
		unsigned char *in = malloc(len ? len : 1);
		char *out = malloc(want ? want : 1);
		assert_non_null(in);
		assert_non_null(out);
		memcpy(in, p, len);
		size_t made = i < n ? list[i].encode(in, len, out) : rv_base64_encode(in, len, out);
		if (made != want || memcmp(out, text, want) != 0)
			fail_msg("%s, %zu bytes: %.*s instead of %s", i < n ? list[i].name : "chosen",
				 len, (int)made, out, text);
		free(in);
		free(out);
	}
}

static void vectors_of_rfc_4648(void **state)
{
	(void)state;
	static const char *const pairs[][2] = {
		{ "", "" },
		{ "f", "Zg==" },
		{ "fo", "Zm8=" },
		{ "foo", "Zm9v" },
		{ "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" },
		{ "foobar", "Zm9vYmFy" },
	};
	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++)
		check((const unsigned char *)pairs[i][0], strlen(pairs[i][0]), pairs[i][1]);
}

static void all_lengths_and_bytes(void **state)
{
	(void)state;
	unsigned char bytes[700];
	uint32_t seed = 1;
	for (size_t i = 0; i < sizeof(bytes); i++) {
		seed = seed * 1664525 + 1013904223;
		bytes[i] = (unsigned char)(seed >> 24);
	}
	for (size_t len = 0; len <= sizeof(bytes); len++) {
		struct rv_strbuf text = RV_STRBUF_INIT;
		/* every start too, so that each byte stands at each place of a turn */
		size_t from = len < 400 ? len % 61 : 0;
		rv_strbuf_base64(&text, bytes + from, len - (len > from ? from : 0));
		check(bytes + from, len - (len > from ? from : 0), text.bytes);
		rv_strbuf_release(&text);
	}
}

static void every_digit_at_every_place(void **state)
{
	(void)state;
	for (unsigned digit = 0; digit < 64; digit++) {
		unsigned char bytes[192];
		struct rv_strbuf text = RV_STRBUF_INIT;
		uint32_t v = digit << 18 | digit << 12 | digit << 6 | digit;
		for (size_t i = 0; i < sizeof(bytes); i += 3) {
			bytes[i] = (unsigned char)(v >> 16);
			bytes[i + 1] = (unsigned char)(v >> 8);
			bytes[i + 2] = (unsigned char)v;
		}
		rv_strbuf_base64(&text, bytes, sizeof(bytes));
		for (size_t i = 1; i < text.len; i++)
			assert_int_equal(text.bytes[i], text.bytes[0]);
		check(bytes, sizeof(bytes), text.bytes);
		rv_strbuf_release(&text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_of_rfc_4648),
		cmocka_unit_test(all_lengths_and_bytes),
		cmocka_unit_test(every_digit_at_every_place),
	};
	return cmocka_run_group_tests_name("base64", tests, NULL, NULL);
}

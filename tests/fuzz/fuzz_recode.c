/*
 * Texts of other encodings, in pieces of several sizes: the same UTF-8, refused at the same byte, and what
 * iconv makes of them. The first byte chooses encoding and pieces.
 */
#include "fuzz.h"

#include <iconv.h>

#include "format/recode.h"
#include "format/text_copy.h"

/* True: all of it is text. *ret_at: where it is not. */
static bool recode_in(enum rv_encoding encoding, const char *p, size_t len, size_t piece,
		      struct rv_strbuf *out, uint64_t *ret_at)
{
	struct rv_recode recode = { .encoding = encoding };
	size_t at = 0, had = 0;
	bool bad = false;

	while (at + had < len || had == 0) {
		had = had + piece > len - at ? len - at : had + piece;
		RV_CLEANUP(rv_free_p) char *given = exact_copy(p + at, had);
		size_t taken = rv_recode(&recode, given, had, at + had == len, out, &bad);

		CHECK(taken <= had && (bad || had - taken < 4));
		at += taken;
		had -= taken;
		CHECK(recode.taken == at);
		if (bad || at == len)
			break;
		CHECK(at + had < len);
	}
	*ret_at = at;
	return !bad;
}

static bool ask_iconv(const char *name, const char *p, size_t len, struct rv_strbuf *out)
{
	iconv_t cd = iconv_open("UTF-8", name);
	RV_CLEANUP(rv_free_p) char *in = exact_copy(p, len);
	char *from = in;
	size_t left = len, room = 3 * len + 4;

	CHECK(cd != (iconv_t)-1);
	rv_strbuf_reserve(out, room);
	char *to = out->bytes;
	bool good = iconv(cd, &from, &left, &to, &room) != (size_t)-1 && left == 0;

	out->len = (size_t)(to - out->bytes);
	iconv_close(cd);
	return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = { NULL, "ISO-8859-1", "CP1252", NULL, "UTF-16LE", "UTF-16BE" };
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf whole = RV_STRBUF_INIT, pieces = RV_STRBUF_INIT,
						       other = RV_STRBUF_INIT;
	uint64_t at = 0, pieces_at = 0;

	if (size < 1 || size > 16 << 10)
		return 0;
	enum rv_encoding encoding = data[0] % 6;
	const char *p = (const char *)data + 1, *name = names[encoding];
	size_t len = size - 1, mark = 0;
	bool good = recode_in(encoding, p, len, len ? len : 1, &whole, &at);

	CHECK(recode_in(encoding, p, len, 1 + data[0] / 6 % 5, &pieces, &pieces_at) == good && at == pieces_at);
	CHECK(whole.len == pieces.len && memcmp(whole.bytes, pieces.bytes, whole.len) == 0);
	if (encoding == RV_ENCODING_UTF8) { /* whoever wants it as UTF-8 looks at it */
		CHECK(good && whole.len == len && memcmp(whole.bytes, p, len) == 0);
		return 0;
	}
	CHECK(rv_utf8_check(whole.bytes, whole.len) == whole.len);
	if (encoding == RV_ENCODING_UTF16)
		name = len >= 2 && memcmp(p, "\xff\xfe", 2) == 0 ? "UTF-16LE" : "UTF-16BE";
	if (strncmp(name, "UTF-16", 6) == 0 && len >= 2 &&
	    memcmp(p, name[6] == 'L' ? "\xff\xfe" : "\xfe\xff", 2) == 0)
		mark = 2;
	bool is_text = ask_iconv(name, p + mark, len - mark, &other);

	if (good)
		CHECK(is_text && whole.len == other.len && memcmp(whole.bytes, other.bytes, whole.len) == 0);
	else /* U+FFFE, the wrong mark, is none for us */
		CHECK(!is_text || memmem(other.bytes, other.len, "\xef\xbf\xbe", 3));
	return 0;
}

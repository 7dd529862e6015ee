#include "format/recode.h"

#include <string.h>

const char *const rv_encoding_names[] = { "utf-8",  "latin-1",	"windows-1252", "utf-16",
					  "utf-16le", "utf-16be", NULL };

/* 0x80 to 0x9f; 0: there is none. */
static const uint16_t windows1252[32] = {
	0x20ac, 0,      0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160,
	0x2039, 0x0152, 0,      0x017d, 0,      0,      0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
	0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0,      0x017e, 0x0178,
};

static char *put_code(char *o, uint32_t code)
{
	if (code < 0x80) {
		*o++ = (char)code;
	} else if (code < 0x800) {
		*o++ = (char)(0xc0 | code >> 6);
		*o++ = (char)(0x80 | (code & 0x3f));
	} else if (code < 0x10000) {
		*o++ = (char)(0xe0 | code >> 12);
		*o++ = (char)(0x80 | (code >> 6 & 0x3f));
		*o++ = (char)(0x80 | (code & 0x3f));
	} else {
		*o++ = (char)(0xf0 | code >> 18);
		*o++ = (char)(0x80 | (code >> 12 & 0x3f));
		*o++ = (char)(0x80 | (code >> 6 & 0x3f));
		*o++ = (char)(0x80 | (code & 0x3f));
	}
	return o;
}

static size_t recode_bytes(const char *p, size_t len, bool windows, struct rv_strbuf *out,
			   bool *ret_bad)
{
	char *o = out->bytes + out->len;
	size_t i = 0;

	for (; i < len; i++) {
		unsigned char c = (unsigned char)p[i];
		uint32_t code = windows && c >= 0x80 && c < 0xa0 ? windows1252[c - 0x80] : c;

		if (!code && c) {
			*ret_bad = true;
			break;
		}
		o = put_code(o, code);
	}
	out->len = (size_t)(o - out->bytes);
	return i;
}

static size_t recode_utf16(struct rv_recode *recode, const char *p, size_t len, bool final,
			   struct rv_strbuf *out, bool *ret_bad)
{
	const unsigned char *u = (const unsigned char *)p;
	char *o = out->bytes + out->len;
	size_t i = 0;

	if (!recode->started && len >= 2) {
		recode->started = true;
		recode->little = recode->encoding == RV_ENCODING_UTF16LE;
		bool little_mark = u[0] == 0xff && u[1] == 0xfe, big_mark = u[0] == 0xfe && u[1] == 0xff;

		if (recode->encoding == RV_ENCODING_UTF16)
			recode->little = little_mark;
		/* a mark that is the wrong way round is U+FFFE, which is no character: refused below */
		if (recode->little ? little_mark : big_mark)
			i = 2;
	}
	while (len - i >= 2) {
		unsigned high = recode->little ? 1 : 0;
		uint32_t code = (uint32_t)u[i + high] << 8 | u[i + 1 - high], second = 0;

		if (code >= 0xd800 && code < 0xdc00) {
			if (len - i < 4)
				break;
			second = (uint32_t)u[i + 2 + high] << 8 | u[i + 3 - high];
		}
		if ((code >= 0xdc00 && code < 0xe000) || code == 0xfffe ||
		    (code >= 0xd800 && code < 0xdc00 && (second < 0xdc00 || second > 0xdfff))) {
			*ret_bad = true;
			break;
		}
		if (second)
			code = 0x10000 + ((code - 0xd800) << 10) + (second - 0xdc00);
		o = put_code(o, code);
		i += second ? 4 : 2;
	}
	if (final && i < len)
		*ret_bad = true;
	out->len = (size_t)(o - out->bytes);
	return i;
}

size_t rv_recode(struct rv_recode *recode, const char *p, size_t len, bool final,
		 struct rv_strbuf *out, bool *ret_bad)
{
	size_t taken = len;

	*ret_bad = false;
	/* no character takes more than three bytes for one, or for the two of UTF-16 */
	rv_strbuf_reserve(out, 3 * len + 4);
	if (recode->encoding == RV_ENCODING_UTF8)
		rv_strbuf_add(out, p, len);
	else if (recode->encoding <= RV_ENCODING_WINDOWS1252)
		taken = recode_bytes(p, len, recode->encoding == RV_ENCODING_WINDOWS1252, out, ret_bad);
	else
		taken = recode_utf16(recode, p, len, final, out, ret_bad);
	out->bytes[out->len] = '\0';
	recode->taken += taken;
	return taken;
}

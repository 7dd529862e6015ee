/*
 * The portable JSON validator, and the choice between it and the vector ones.
 *
 * One loop over tokens with a stack of bits (object or array) instead of recursion. Inside strings,
 * where most bytes are, eight bytes are looked at together. The vector scanners only ever say
 * "valid, ends here"; whenever they are not sure they ask this one, so faults and their offsets
 * have a single source.
 */
#include "format/json_scan_impl.h"

#include <stdint.h>
#include <string.h>

/* Bytes of a string that need a look: quote, backslash, control characters, lead bytes. */
static inline uint64_t string_stops(uint64_t w)
{
	const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
	uint64_t quote = w ^ (ones * '"');
	uint64_t slash = w ^ (ones * '\\');

	/* Borrows may mark a byte above a real hit, never below: the lowest mark is exact. */
	return (((quote - ones) & ~quote) | ((slash - ones) & ~slash) | ((w - ones * 0x20) & ~w) |
		w) & tops;
}

static size_t skip_plain(const char *p, size_t len, size_t i)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	while (len - i >= 8) {
		uint64_t w;

		memcpy(&w, p + i, 8);
		w = string_stops(w);
		if (w)
			return i + (size_t)__builtin_ctzll(w) / 8;
		i += 8;
	}
#endif
	while (i < len) {
		unsigned char c = (unsigned char)p[i];

		if (c == '"' || c == '\\' || c < 0x20 || c >= 0x80)
			break;
		i++;
	}
	return i;
}

/* The value of each hexadecimal digit, with 16 added: 0 for all other bytes. */
static const unsigned char hex_values[256] = {
	['0'] = 16, ['1'] = 17, ['2'] = 18, ['3'] = 19, ['4'] = 20, ['5'] = 21, ['6'] = 22,
	['7'] = 23, ['8'] = 24, ['9'] = 25, ['a'] = 26, ['b'] = 27, ['c'] = 28, ['d'] = 29,
	['e'] = 30, ['f'] = 31, ['A'] = 26, ['B'] = 27, ['C'] = 28, ['D'] = 29, ['E'] = 30,
	['F'] = 31,
};

/* Negative when it is none. */
static inline int hex_digit(char c)
{
	return hex_values[(unsigned char)c] - 16;
}

/* One escape at p[*i] == '\\'. On success *i stands behind it (both halves of a pair). On failure
 * *i is where the fault is. */
static enum rv_json_fault scan_escape(const char *p, size_t len, size_t *i)
{
	size_t at = *i;
	unsigned code = 0;

	if (len - at < 2)
		goto truncated;
	switch (p[at + 1]) {
	case '"':
	case '\\':
	case '/':
	case 'b':
	case 'f':
	case 'n':
	case 'r':
	case 't':
		*i = at + 2;
		return RV_JSON_OK;
	case 'u':
		break;
	default:
		return RV_JSON_ESCAPE;
	}
	for (size_t k = at + 2; k < at + 6; k++) {
		int digit;

		if (k >= len)
			goto truncated;
		digit = hex_digit(p[k]);
		if (digit < 0)
			return RV_JSON_ESCAPE;
		code = code << 4 | (unsigned)digit;
	}
	if (code < 0xd800 || code > 0xdfff) {
		*i = at + 6;
		return RV_JSON_OK;
	}
	if (code >= 0xdc00)
		return RV_JSON_LONE_SURROGATE;
	for (size_t k = 0; k < 6; k++) {
		char c;
		bool fits;

		if (at + 6 + k >= len)
			goto truncated;
		c = p[at + 6 + k];
		if (k == 0)
			fits = c == '\\';
		else if (k == 1)
			fits = c == 'u';
		else if (k == 2)
			fits = c == 'd' || c == 'D';
		else if (k == 3)
			fits = hex_digit(c) >= 12;
		else
			fits = hex_digit(c) >= 0;
		if (!fits)
			return RV_JSON_LONE_SURROGATE;
	}
	*i = at + 12;
	return RV_JSON_OK;
truncated:
	*i = len;
	return RV_JSON_TRUNCATED;
}

/* One sequence of UTF-8 whose first byte p[*i] is 0x80 or above; *i as in scan_escape. Table 3-7 of
 * the Unicode Standard: only the second byte has ranges of its own. */
static enum rv_json_fault scan_utf8(const char *p, size_t len, size_t *i)
{
	const unsigned char *b = (const unsigned char *)p + *i;
	size_t left = len - *i;
	unsigned char low = 0x80, high = 0xbf;
	size_t more;

	if (b[0] >= 0xc2 && b[0] <= 0xdf) {
		more = 1;
	} else if (b[0] >= 0xe0 && b[0] <= 0xef) {
		more = 2;
		if (b[0] == 0xe0)
			low = 0xa0;
		else if (b[0] == 0xed)
			high = 0x9f;
	} else if (b[0] >= 0xf0 && b[0] <= 0xf4) {
		more = 3;
		if (b[0] == 0xf0)
			low = 0x90;
		else if (b[0] == 0xf4)
			high = 0x8f;
	} else {
		return RV_JSON_UTF8;
	}
	for (size_t k = 1; k <= more; k++) {
		if (k >= left) {
			*i = len;
			return RV_JSON_TRUNCATED;
		}
		if (b[k] < low || b[k] > high)
			return RV_JSON_UTF8;
		low = 0x80;
		high = 0xbf;
	}
	*i += more + 1;
	return RV_JSON_OK;
}

/* A string whose opening quote is p[*i]; *i ends behind the closing one. */
static enum rv_json_fault scan_string(const char *p, size_t len, size_t *ret_i)
{
	size_t i = *ret_i + 1;
	enum rv_json_fault fault = RV_JSON_OK;

	for (;;) {
		i = skip_plain(p, len, i);
		if (i >= len) {
			fault = RV_JSON_TRUNCATED;
		} else if (p[i] == '"') {
			*ret_i = i + 1;
			return RV_JSON_OK;
		} else if (p[i] == '\\') {
			fault = scan_escape(p, len, &i);
		} else if ((unsigned char)p[i] < 0x20) {
			fault = RV_JSON_CONTROL_CHARACTER;
		} else {
			fault = scan_utf8(p, len, &i);
		}
		if (fault != RV_JSON_OK) {
			*ret_i = i;
			return fault;
		}
	}
}

static inline bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* At least one digit; false with *i at what stands there instead. */
static bool scan_digits(const char *p, size_t len, size_t *i)
{
	size_t start = *i;

	while (*i < len && is_digit(p[*i]))
		++*i;
	return *i > start;
}

static enum rv_json_fault scan_number(const char *p, size_t len, size_t *i)
{
	if (p[*i] == '-')
		++*i;
	if (*i < len && p[*i] == '0')
		++*i;
	else if (!scan_digits(p, len, i))
		goto bad;
	if (*i < len && p[*i] == '.') {
		++*i;
		if (!scan_digits(p, len, i))
			goto bad;
	}
	if (*i < len && (p[*i] == 'e' || p[*i] == 'E')) {
		++*i;
		if (*i < len && (p[*i] == '+' || p[*i] == '-'))
			++*i;
		if (!scan_digits(p, len, i))
			goto bad;
	}
	if (*i < len && (is_digit(p[*i]) || p[*i] == '.' || p[*i] == '-' || p[*i] == '+' ||
			 p[*i] == 'e' || p[*i] == 'E'))
		return RV_JSON_NUMBER;
	return RV_JSON_OK;
bad:
	return *i >= len ? RV_JSON_TRUNCATED : RV_JSON_NUMBER;
}

static enum rv_json_fault scan_word(const char *p, size_t len, size_t *i, const char *word)
{
	for (; *word; word++, ++*i) {
		if (*i >= len)
			return RV_JSON_TRUNCATED;
		if (p[*i] != *word)
			return RV_JSON_SYNTAX;
	}
	return RV_JSON_OK;
}

bool rv_json_escape_fine(const char *p, size_t len, size_t at, size_t *low_at)
{
	static const char known[256] = {
		['"'] = 1, ['\\'] = 1, ['/'] = 1, ['b'] = 1, ['f'] = 1,
		['n'] = 1, ['r'] = 1, ['t'] = 1,
	};
	size_t i = at;

	if (known[(unsigned char)p[at + 1]])
		return true;
	if (at == *low_at)
		return true; /* judged together with its first half */
	/* The usual \uXXXX without a branch for every digit. */
	if (p[at + 1] == 'u' && len - at >= 6) {
		unsigned a = hex_values[(unsigned char)p[at + 2]];
		unsigned b = hex_values[(unsigned char)p[at + 3]];
		unsigned c = hex_values[(unsigned char)p[at + 4]];
		unsigned d = hex_values[(unsigned char)p[at + 5]];

		/* All are digits, and it is not \ud8.. to \udf.. */
		if ((a & b & c & d & 16) && !(a == 29 && b >= 24))
			return true;
	}
	if (scan_escape(p, len, &i) != RV_JSON_OK)
		return false;
	/* Only a pair comes here and is good. */
	*low_at = at + 6;
	return true;
}

bool rv_json_scalar_fine(const char *p, size_t len, size_t at)
{
	enum rv_json_fault fault;

	switch (p[at]) {
	case 't':
		fault = scan_word(p, len, &at, "true");
		break;
	case 'f':
		fault = scan_word(p, len, &at, "false");
		break;
	case 'n':
		fault = scan_word(p, len, &at, "null");
		break;
	default:
		fault = scan_number(p, len, &at);
	}
	if (fault != RV_JSON_OK)
		return false;
	if (at >= len)
		return true;
	switch (p[at]) {
	case ' ':
	case '\t':
	case '\n':
	case '\r':
	case '"':
	case ',':
	case ':':
	case '{':
	case '}':
	case '[':
	case ']':
		return true;
	default:
		return false;
	}
}

bool rv_json_is_river_key(const char *p, size_t len, size_t at)
{
	static const char name[] = "_river";
	size_t i = at + 1;

	for (size_t n = 0; n < sizeof(name) - 1; n++) {
		if (i >= len)
			return false;
		if (p[i] == name[n]) {
			i++;
			continue;
		}
		/* None of these letters has a short escape: \u00XX is the only other spelling. */
		if (len - i < 6 || memcmp(p + i, "\\u00", 4) != 0)
			return false;
		if (hex_digit(p[i + 4]) < 0 || hex_digit(p[i + 5]) < 0 ||
		    hex_digit(p[i + 4]) * 16 + hex_digit(p[i + 5]) != name[n])
			return false;
		i += 6;
	}
	return i < len && p[i] == '"';
}

enum rv_json_fault rv_json_scan_portable(const char *p, size_t len, unsigned max_depth,
					 unsigned flags, struct rv_json_scan *ret)
{
	/* What may come next; a comma or a closing bracket decides by the container it is in. */
	enum { FIRST_KEY, KEY, COLON, FIRST_ELEMENT, VALUE, AFTER_VALUE } want = FIRST_KEY;
	uint64_t is_object[RV_JSON_MAX_DEPTH / 64];
	unsigned depth = 1;
	enum rv_json_fault fault = RV_JSON_OK;
	bool in_object = true;
	size_t i = 1;

	*ret = (struct rv_json_scan){ .fault = RV_JSON_OK };
	if (max_depth == 0 || max_depth > RV_JSON_MAX_DEPTH)
		max_depth = RV_JSON_MAX_DEPTH;
	if (len == 0 || p[0] != '{') {
		i = 0;
		fault = len == 0 ? RV_JSON_TRUNCATED : RV_JSON_NOT_OBJECT;
		goto done;
	}
	is_object[0] = 1;
	for (;;) {
		char c;

		if (i >= len) {
			fault = RV_JSON_TRUNCATED;
			goto done;
		}
		c = p[i];
		switch (c) {
		case '\n':
			if (flags & RV_JSON_LINE_MODE) {
				fault = RV_JSON_NEWLINE;
				goto done;
			}
			ret->has_newline = true;
			i++;
			continue;
		case '\r':
			ret->has_newline = true;
			i++;
			continue;
		case ' ':
		case '\t':
			i++;
			continue;
		case '"':
			if (want == FIRST_KEY || want == KEY) {
				if (depth == 1 && !ret->has_river_key && rv_json_is_river_key(p, len, i))
					ret->has_river_key = true;
				want = COLON;
			} else if (want == VALUE || want == FIRST_ELEMENT) {
				want = AFTER_VALUE;
			} else {
				goto unexpected;
			}
			fault = scan_string(p, len, &i);
			if (fault != RV_JSON_OK)
				goto done;
			continue;
		case ':':
			if (want != COLON)
				goto unexpected;
			want = VALUE;
			i++;
			continue;
		case ',':
			if (want != AFTER_VALUE)
				goto unexpected;
			want = in_object ? KEY : VALUE;
			i++;
			continue;
		case '}':
		case ']':
			if (in_object != (c == '}') ||
			    (want != AFTER_VALUE && want != (in_object ? FIRST_KEY : FIRST_ELEMENT)))
				goto unexpected;
			i++;
			if (--depth == 0)
				goto done;
			in_object = is_object[(depth - 1) / 64] >> ((depth - 1) % 64) & 1;
			want = AFTER_VALUE;
			continue;
		default:
			break;
		}
		/* What is left can only begin a value. */
		if (want != VALUE && want != FIRST_ELEMENT)
			goto unexpected;
		if (c == '{' || c == '[') {
			uint64_t bit = (uint64_t)1 << (depth % 64);

			if (depth >= max_depth) {
				fault = RV_JSON_DEPTH;
				goto done;
			}
			in_object = c == '{';
			if (in_object)
				is_object[depth / 64] |= bit;
			else
				is_object[depth / 64] &= ~bit;
			depth++;
			want = in_object ? FIRST_KEY : FIRST_ELEMENT;
			i++;
			continue;
		}
		if (c == '-' || is_digit(c))
			fault = scan_number(p, len, &i);
		else if (c == 't')
			fault = scan_word(p, len, &i, "true");
		else if (c == 'f')
			fault = scan_word(p, len, &i, "false");
		else if (c == 'n')
			fault = scan_word(p, len, &i, "null");
		else
			goto unexpected;
		if (fault != RV_JSON_OK)
			goto done;
		want = AFTER_VALUE;
	}
unexpected:
	fault = RV_JSON_SYNTAX;
done:
	ret->end = i;
	ret->fault = fault;
	if (fault != RV_JSON_OK) {
		ret->has_newline = false;
		ret->has_river_key = false;
	}
	return fault;
}

const char *rv_json_fault_text(enum rv_json_fault fault)
{
	switch (fault) {
	case RV_JSON_OK:
		return "a valid object";
	case RV_JSON_TRUNCATED:
		return "the input ends inside an object";
	case RV_JSON_NOT_OBJECT:
		return "not a JSON object";
	case RV_JSON_SYNTAX:
		return "an unexpected byte";
	case RV_JSON_CONTROL_CHARACTER:
		return "a raw control character in a string";
	case RV_JSON_UTF8:
		return "bytes that are not UTF-8";
	case RV_JSON_ESCAPE:
		return "an escape JSON does not have";
	case RV_JSON_LONE_SURROGATE:
		return "a lone surrogate escape";
	case RV_JSON_NUMBER:
		return "a malformed number";
	case RV_JSON_DEPTH:
		return "nesting too deep";
	case RV_JSON_NEWLINE:
		return "a line that ends inside an object";
	}
	return "an unknown fault";
}

void rv_json_blank_newlines(char *p, size_t len)
{
	/* Plain on purpose: compilers turn this into vector code. */
	for (size_t i = 0; i < len; i++)
		p[i] = p[i] == '\n' || p[i] == '\r' ? ' ' : p[i];
}

static const struct rv_json_scanner scanners[] = {
	{ "portable", rv_json_scan_portable },
#if RV_X86
	{ "avx2", rv_json_scan_avx2 },
	{ "avx512", rv_json_scan_avx512 },
#endif
};

size_t rv_json_scanners(const struct rv_json_scanner **ret_list)
{
	*ret_list = scanners;
	return rv_processor_ways();
}

enum rv_json_fault rv_json_scan_object(const char *p, size_t len, unsigned max_depth,
				       unsigned flags, struct rv_json_scan *ret)
{
	return scanners[rv_processor_ways() - 1].scan(p, len, max_depth, flags, ret);
}

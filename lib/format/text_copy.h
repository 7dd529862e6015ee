/*
 * From bytes of a field or a line to the inside of a JSON string: copies sixteen bytes at a time up
 * to the next byte that needs a look. Shared by csv and text.
 */
#ifndef RV_FORMAT_TEXT_COPY_H
#define RV_FORMAT_TEXT_COPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { RV_COPY_BYTES = 16, RV_ESCAPE_BYTES = 6 };

/* Bytes that stop a copy: control characters, '"', '\\', and two more of the caller's choice. */
struct rv_copy_stops {
	char a, b;
};

/*
 * Copies from p to o until a stop byte or at least RV_COPY_BYTES bytes; returns how many (of which
 * those from `end` on are not input). *ret_high is set when a byte with the top bit was seen.
 * Reads p[0..16), writes o[0..16). *ret_stop: p[returned] is a stop byte.
 */
static inline size_t rv_copy_chunk(const char *p, char *o, struct rv_copy_stops stops,
				   bool *ret_high, bool *ret_stop)
{
#ifdef __SSE2__
	__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
	__m128i control = _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1f)), v);
	__m128i hit = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')),
						_mm_cmpeq_epi8(v, _mm_set1_epi8('\\'))),
				   _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8(stops.a)),
						_mm_cmpeq_epi8(v, _mm_set1_epi8(stops.b))));
	unsigned mask = (unsigned)_mm_movemask_epi8(_mm_or_si128(hit, control));

	_mm_storeu_si128((__m128i *)(void *)o, v);
	*ret_high |= _mm_movemask_epi8(v) != 0;
	*ret_stop = mask != 0;
	return mask ? (size_t)__builtin_ctz(mask) : RV_COPY_BYTES;
#else
	for (size_t i = 0; i < RV_COPY_BYTES; i++) {
		unsigned char c = (unsigned char)p[i];

		if (c < 0x20 || c == '"' || c == '\\' || p[i] == stops.a || p[i] == stops.b) {
			*ret_stop = true;
			return i;
		}
		o[i] = p[i];
		*ret_high |= c >= 0x80;
	}
	*ret_stop = false;
	return RV_COPY_BYTES;
#endif
}

/* Writes `c` as it stands in a JSON string; returns the bytes written, at most RV_ESCAPE_BYTES. */
static inline size_t rv_copy_escaped(char c, char *o)
{
	static const char hex[] = "0123456789abcdef";
	unsigned char u = (unsigned char)c;
	char letter = c == '"' || c == '\\' ? c : c == '\n' ? 'n' : c == '\r' ? 'r' : c == '\t' ? 't' : 0;

	if (letter) {
		o[0] = '\\';
		o[1] = letter;
		return 2;
	}
	if (u >= 0x20) {
		o[0] = c;
		return 1;
	}
	memcpy(o, "\\u00", 4);
	o[4] = hex[u >> 4];
	o[5] = hex[u & 15];
	return 6;
}

/* The first byte of p[0..len) that is not part of well-formed UTF-8 (RFC 3629); `len` if none. */
size_t rv_utf8_check(const char *p, size_t len);

#endif

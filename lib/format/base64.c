/*
 * Base64 encoders: a portable one, and two for x86-64 after Wojciech Mula and Daniel Lemire,
 * "Faster Base64 Encoding and Decoding Using AVX2 Instructions" (2018) and "Base64 encoding and
 * decoding at almost the speed of a memory copy" (2019).
 */
#include "format/base64.h"

#include <stdatomic.h>
#include <stdint.h>

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define BASE64_X86 1
#include <immintrin.h>
#else
#define BASE64_X86 0
#endif

static const char digits[64] __attribute__((aligned(64))) = {
	'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O', 'P',
	'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', 'a', 'b', 'c', 'd', 'e', 'f',
	'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p', 'q', 'r', 's', 't', 'u', 'v',
	'w', 'x', 'y', 'z', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '+', '/',
};

static size_t encode_portable(const void *bytes, size_t len, char *out)
{
	const unsigned char *p = bytes;
	char *w = out;

	for (; len >= 3; len -= 3, p += 3, w += 4) {
		uint32_t v = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];

		w[0] = digits[v >> 18];
		w[1] = digits[v >> 12 & 63];
		w[2] = digits[v >> 6 & 63];
		w[3] = digits[v & 63];
	}
	if (len) {
		uint32_t v = (uint32_t)p[0] << 16 | (len > 1 ? (uint32_t)p[1] << 8 : 0);

		w[0] = digits[v >> 18];
		w[1] = digits[v >> 12 & 63];
		w[2] = len > 1 ? digits[v >> 6 & 63] : '=';
		w[3] = '=';
		w += 4;
	}
	return (size_t)(w - out);
}

#if BASE64_X86
__attribute__((target("avx2")))
static size_t encode_avx2(const void *bytes, size_t len, char *out)
{
	const unsigned char *p = bytes;
	char *w = out;
	const __m256i spread = _mm256_setr_epi8(1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10,
						1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10);
	/* What to add to a value to get its digit, by the class computed below. */
	const __m256i shifts = _mm256_setr_epi8(
		'a' - 26, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52,
		'0' - 52, '0' - 52, '0' - 52, '+' - 62, '/' - 63, 'A', 0, 0,
		'a' - 26, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52,
		'0' - 52, '0' - 52, '0' - 52, '+' - 62, '/' - 63, 'A', 0, 0);

	/* 24 bytes a turn, read as twice 16 of which 12 are used. */
	for (; len >= 28; len -= 24, p += 24, w += 32) {
		__m256i v = _mm256_inserti128_si256(
			_mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)p)),
			_mm_loadu_si128((const __m128i *)(const void *)(p + 12)), 1);
		v = _mm256_shuffle_epi8(v, spread);
		__m256i high = _mm256_mulhi_epu16(_mm256_and_si256(v, _mm256_set1_epi32(0x0fc0fc00)),
						  _mm256_set1_epi32(0x04000040));
		__m256i low = _mm256_mullo_epi16(_mm256_and_si256(v, _mm256_set1_epi32(0x003f03f0)),
						 _mm256_set1_epi32(0x01000010));
		__m256i values = _mm256_or_si256(high, low);
		/* 0 for 26..51, 1..10 for digits, 11 and 12 for the two signs, 13 for 0..25 */
		__m256i class = _mm256_subs_epu8(values, _mm256_set1_epi8(51));
		__m256i upper = _mm256_cmpgt_epi8(_mm256_set1_epi8(26), values);
		class = _mm256_or_si256(class, _mm256_and_si256(upper, _mm256_set1_epi8(13)));
		v = _mm256_add_epi8(_mm256_shuffle_epi8(shifts, class), values);
		_mm256_storeu_si256((__m256i *)(void *)w, v);
	}
	return (size_t)(w - out) + encode_portable(p, len, w);
}

__attribute__((target("avx512f,avx512bw,avx512vbmi")))
static size_t encode_avx512(const void *bytes, size_t len, char *out)
{
	const unsigned char *p = bytes;
	char *w = out;
	/* Bytes b a c b of each three, then the four groups of six bits picked out of them. */
	const __m512i spread = _mm512_setr_epi32(
		0x01020001, 0x04050304, 0x07080607, 0x0a0b090a, 0x0d0e0c0d, 0x10110f10, 0x13141213,
		0x16171516, 0x191a1819, 0x1c1d1b1c, 0x1f201e1f, 0x22232122, 0x25262425, 0x28292728,
		0x2b2c2a2b, 0x2e2f2d2e);
	const __m512i picks = _mm512_set1_epi64(0x3036242a1016040a);
	const __m512i table = _mm512_load_si512((const void *)digits);

	for (; len >= 64; len -= 48, p += 48, w += 64) {
		__m512i v = _mm512_permutexvar_epi8(spread, _mm512_loadu_si512((const void *)p));
		v = _mm512_permutexvar_epi8(_mm512_multishift_epi64_epi8(picks, v), table);
		_mm512_storeu_si512((void *)w, v);
	}
	/* Records are short: their ends are worth a masked turn instead of a byte loop. */
	while (len >= 3) {
		size_t take = len >= 48 ? 48 : len / 3 * 3, made = take / 3 * 4;
		__m512i v = _mm512_maskz_loadu_epi8(((uint64_t)1 << take) - 1, p);
		v = _mm512_permutexvar_epi8(spread, v);
		v = _mm512_permutexvar_epi8(_mm512_multishift_epi64_epi8(picks, v), table);
		_mm512_mask_storeu_epi8(w, UINT64_MAX >> (64 - made), v);
		len -= take;
		p += take;
		w += made;
	}
	return (size_t)(w - out) + encode_portable(p, len, w);
}

static const struct rv_base64_encoder encoders[] = {
	{ "portable", encode_portable },
	{ "avx2", encode_avx2 },
	{ "avx512", encode_avx512 },
};

/* Each needs what the one before it needs, so a count says which ones can run. Without a branch, so that no
 * processor leaves one untried. */
static size_t count_encoders(void)
{
	__builtin_cpu_init();
	unsigned avx2 = __builtin_cpu_supports("avx2") != 0;
	unsigned avx512 = avx2 & (__builtin_cpu_supports("avx512f") != 0) &
			  (__builtin_cpu_supports("avx512bw") != 0) &
			  (__builtin_cpu_supports("avx512vbmi") != 0);

	return 1 + avx2 + avx512;
}
#else
static const struct rv_base64_encoder encoders[] = {
	{ "portable", encode_portable },
};

static size_t count_encoders(void)
{
	return 1;
}
#endif

size_t rv_base64_encoders(const struct rv_base64_encoder **ret_list)
{
	*ret_list = encoders;
	return count_encoders();
}

size_t rv_base64_encode(const void *p, size_t len, char *out)
{
	/* Threads that come first together all find the same answer. */
	static _Atomic size_t chosen;
	size_t n = atomic_load_explicit(&chosen, memory_order_relaxed);

	if (n == 0) {
		n = count_encoders();
		atomic_store_explicit(&chosen, n, memory_order_relaxed);
	}
	return encoders[n - 1].encode(p, len, out);
}

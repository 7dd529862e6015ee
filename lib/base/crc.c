/*
 * CRCs, eight bytes a step: by the processor's own instruction where it has one (CRC-32C), else
 * through tables of what each byte does at each distance ("slicing-by-8"; Kounavis and Berry, "A
 * Systematic Approach to Building High Performance Software-based CRC Generators").
 */
#include "base/crc.h"

#include <endian.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

/* Polynomials, bits reversed: RFC 3720 12.1; NVM Express NVM Command Set 5.2.1.3.4. */
#define POLY_32C UINT32_C(0x82F63B78)
#define POLY_64NVME UINT64_C(0x9A6C9329AC4BC9B5)

static uint32_t table32[8][256];
static uint64_t table64[8][256];
static bool has_instruction;

static void make_tables(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t a = i;
		uint64_t b = i;
		for (int k = 0; k < 8; k++) {
			a = a & 1 ? a >> 1 ^ POLY_32C : a >> 1;
			b = b & 1 ? b >> 1 ^ POLY_64NVME : b >> 1;
		}
		table32[0][i] = a;
		table64[0][i] = b;
	}
	for (int n = 1; n < 8; n++) {
		for (int i = 0; i < 256; i++) {
			uint32_t a = table32[n - 1][i];
			uint64_t b = table64[n - 1][i];
			table32[n][i] = table32[0][a & 0xff] ^ a >> 8;
			table64[n][i] = table64[0][b & 0xff] ^ b >> 8;
		}
	}
#if defined(__x86_64__)
	has_instruction = __builtin_cpu_supports("sse4.2");
#endif
}

static void prepare(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, make_tables);
}

static inline uint64_t load64(const unsigned char *p)
{
	uint64_t word;
	memcpy(&word, p, sizeof(word));
	return le64toh(word);
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc32c_instruction(uint32_t crc,
								      const unsigned char *p,
								      size_t len)
{
	uint64_t wide = crc;
	for (; len >= 8; p += 8, len -= 8)
		wide = _mm_crc32_u64(wide, load64(p));
	crc = (uint32_t)wide;
	while (len--)
		crc = _mm_crc32_u8(crc, *p++);
	return crc;
}
#endif

static uint32_t crc32c_tables(uint32_t crc, const unsigned char *p, size_t len)
{
	for (; len >= 8; p += 8, len -= 8) {
		uint64_t x = load64(p) ^ crc;
		crc = table32[7][x & 0xff] ^ table32[6][x >> 8 & 0xff] ^ table32[5][x >> 16 & 0xff] ^
		      table32[4][x >> 24 & 0xff] ^ table32[3][x >> 32 & 0xff] ^
		      table32[2][x >> 40 & 0xff] ^ table32[1][x >> 48 & 0xff] ^ table32[0][x >> 56];
	}
	while (len--)
		crc = table32[0][(crc ^ *p++) & 0xff] ^ crc >> 8;
	return crc;
}

uint32_t rv_crc32c(uint32_t crc, const void *p, size_t len)
{
	prepare();
#if defined(__x86_64__)
	if (has_instruction)
		return ~crc32c_instruction(~crc, p, len);
#endif
	return ~crc32c_tables(~crc, p, len);
}

uint64_t rv_crc64nvme(uint64_t crc, const void *bytes, size_t len)
{
	const unsigned char *p = bytes;
	prepare();
	crc = ~crc;
	for (; len >= 8; p += 8, len -= 8) {
		uint64_t x = load64(p) ^ crc;
		crc = table64[7][x & 0xff] ^ table64[6][x >> 8 & 0xff] ^ table64[5][x >> 16 & 0xff] ^
		      table64[4][x >> 24 & 0xff] ^ table64[3][x >> 32 & 0xff] ^
		      table64[2][x >> 40 & 0xff] ^ table64[1][x >> 48 & 0xff] ^ table64[0][x >> 56];
	}
	while (len--)
		crc = table64[0][(crc ^ *p++) & 0xff] ^ crc >> 8;
	return ~crc;
}

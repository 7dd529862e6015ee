/*
 * Numbers as people write them. Every parser refuses blanks, signs where none belong, trailing
 * junk and overflow, and returns false without touching *ret.
 */
#ifndef RV_BASE_NUMBER_H
#define RV_BASE_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool rv_parse_u64(const char *s, size_t len, uint64_t *ret);
bool rv_parse_hex64(const char *s, size_t len, uint64_t *ret); /* 1..16 lower or upper digits */
/* "64MiB", "64MB", "1048576", "1GiB", "512K" (K, M, G, T alone are powers of 1024). */
bool rv_parse_size(const char *s, uint64_t *ret_bytes);
/* "60s", "15m", "2h", "7d", "250ms", "10" (seconds); up to 292 years, so that it can be added to any time. */
bool rv_parse_duration(const char *s, int64_t *ret_ms);

#define RV_NUMBER_TEXT 32
/* "1.5 GiB", "812 B"; buf has RV_NUMBER_TEXT bytes; returns buf. */
const char *rv_format_size(uint64_t bytes, char *buf);
/* "1,234,567" */
const char *rv_format_count(uint64_t n, char *buf);
/* "3.2 s", "1m 20s", "2h 03m", "4d 2h" */
const char *rv_format_duration(int64_t ms, char *buf);

#endif

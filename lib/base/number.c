/* Strict parsing and friendly printing of numbers, sizes and durations. */
#include "base/number.h"

#include <stdio.h>
#include <string.h>

bool rv_parse_u64(const char *s, size_t len, uint64_t *ret)
{
	uint64_t v = 0;
	if (len == 0)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		if (__builtin_mul_overflow(v, 10u, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(s[i] - '0'), &v))
			return false;
	}
	*ret = v;
	return true;
}

bool rv_parse_hex64(const char *s, size_t len, uint64_t *ret)
{
	uint64_t v = 0;
	if (len == 0 || len > 16)
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = s[i];
		unsigned digit;
		if (c >= '0' && c <= '9')
			digit = (unsigned)(c - '0');
		else if (c >= 'a' && c <= 'f')
			digit = (unsigned)(c - 'a') + 10;
		else if (c >= 'A' && c <= 'F')
			digit = (unsigned)(c - 'A') + 10;
		else
			return false;
		v = v << 4 | digit;
	}
	*ret = v;
	return true;
}

struct unit {
	const char *name;
	uint64_t factor;
};

static bool parse_with_unit(const char *s, const struct unit *units, uint64_t *ret)
{
	size_t digits = strspn(s, "0123456789");
	uint64_t v;
	if (!rv_parse_u64(s, digits, &v))
		return false;
	for (const struct unit *u = units; u->name; u++) {
		if (strcmp(s + digits, u->name) == 0) {
			if (__builtin_mul_overflow(v, u->factor, &v))
				return false;
			*ret = v;
			return true;
		}
	}
	return false;
}

bool rv_parse_size(const char *s, uint64_t *ret_bytes)
{
	static const struct unit units[] = {
		{ "", 1 }, { "B", 1 },
		{ "K", 1u << 10 }, { "KiB", 1u << 10 }, { "KB", 1000 }, { "kB", 1000 },
		{ "M", 1u << 20 }, { "MiB", 1u << 20 }, { "MB", 1000000 },
		{ "G", 1u << 30 }, { "GiB", 1u << 30 }, { "GB", 1000000000 },
		{ "T", 1ull << 40 }, { "TiB", 1ull << 40 }, { "TB", 1000000000000ull },
		{ NULL, 0 },
	};
	return parse_with_unit(s, units, ret_bytes);
}

bool rv_parse_duration(const char *s, int64_t *ret_ms)
{
	static const struct unit units[] = {
		{ "ms", 1 }, { "", 1000 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 },
		{ "d", 86400000 }, { NULL, 0 },
	};
	uint64_t v;
	/* As nanoseconds it fits as well. */
	if (!parse_with_unit(s, units, &v) || v > INT64_MAX / 1000000)
		return false;
	*ret_ms = (int64_t)v;
	return true;
}

const char *rv_format_size(uint64_t bytes, char *buf)
{
	static const char *const names[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double v = (double)bytes;
	size_t i = 0;
	/* What rounds up to 1024 is one of the next unit. */
	while (v >= (i ? 1023.5 : 1024) && i + 1 < sizeof(names) / sizeof(*names)) {
		v /= 1024;
		i++;
	}
	if (i == 0)
		snprintf(buf, RV_NUMBER_TEXT, "%llu B", (unsigned long long)bytes);
	else
		snprintf(buf, RV_NUMBER_TEXT,
			 v < 9.995 ? "%.2f %s" : v < 99.95 ? "%.1f %s" : "%.0f %s", v, names[i]);
	return buf;
}

const char *rv_format_count(uint64_t n, char *buf)
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n), out = 0;
	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			buf[out++] = ',';
		buf[out++] = digits[i];
	}
	buf[out] = '\0';
	return buf;
}

const char *rv_format_duration(int64_t ms, char *buf)
{
	unsigned long long tenths = ((unsigned long long)(ms < 0 ? 0 : ms) + 50) / 100, s = tenths / 10;
	if (s < 60)
		snprintf(buf, RV_NUMBER_TEXT, "%llu.%llu s", s, tenths % 10);
	else if (s < 3600)
		snprintf(buf, RV_NUMBER_TEXT, "%llum %02llus", s / 60, s % 60);
	else if (s < 86400)
		snprintf(buf, RV_NUMBER_TEXT, "%lluh %02llum", s / 3600, s / 60 % 60);
	else
		snprintf(buf, RV_NUMBER_TEXT, "%llud %lluh", s / 86400, s / 3600 % 24);
	return buf;
}

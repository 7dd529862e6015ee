/*
 * Short texts that people and services write: numbers, sizes, durations, times, ids, addresses, forms,
 * patterns with a number; and any bytes on their way out. What is read is printed and read again, or judged a
 * second time, slowly. The first byte chooses.
 */
#include "fuzz.h"

#include <ctype.h>
#include <inttypes.h>
#include <jansson.h>

#include "base/clock.h"
#include "base/number.h"
#include "base/strbuf.h"
#include "base/ulid.h"
#include "cli/output.h"
#include "format/arn.h"
#include "format/base64.h"
#include "format/number_pattern.h"
#include "format/text_copy.h"
#include "format/url.h"
#include "format/uuid.h"

static void try_number(const char *p, size_t len)
{
	uint64_t n = 4711, hex = 4711;
	char text[32];
	bool digits = len > 0;

	for (size_t i = 0; i < len; i++)
		digits = digits && isdigit((unsigned char)p[i]);
	if (rv_parse_u64(p, len, &n)) {
		size_t zeros = 0;

		CHECK(digits);
		while (zeros + 1 < len && p[zeros] == '0')
			zeros++;
		snprintf(text, sizeof(text), "%" PRIu64, n);
		CHECK(strlen(text) == len - zeros && memcmp(text, p + zeros, len - zeros) == 0);
		/* with commas, and without them again */
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf plain = RV_STRBUF_INIT;
		char grouped[RV_NUMBER_TEXT];

		for (const char *c = rv_format_count(n, grouped); *c; c++)
			if (*c != ',')
				rv_strbuf_putc(&plain, *c);
		CHECK(strcmp(plain.bytes, text) == 0);
	} else {
		CHECK(n == 4711 && (!digits || len >= 20));
	}
	if (rv_parse_hex64(p, len, &hex)) {
		RV_CLEANUP(rv_free_p) char *lower = exact_text(p, len);

		for (char *c = lower; *c; c++)
			*c = (char)tolower((unsigned char)*c);
		snprintf(text, sizeof(text), "%0*" PRIx64, (int)len, hex);
		CHECK(strcmp(text, lower) == 0);
	} else {
		CHECK(hex == 4711);
	}
}

/* How many and of what: 2^64 times the largest unit fits. */
static bool ask_slowly(const char *s, const char *const *units, const uint64_t *factors, uint64_t most,
		       uint64_t *ret)
{
	unsigned __int128 n = 0;
	const char *p = s;

	for (; isdigit((unsigned char)*p); p++)
		n = n > UINT64_MAX ? n : n * 10 + (unsigned)(*p - '0');
	if (p == s || n > UINT64_MAX)
		return false;
	for (size_t i = 0; units[i]; i++) {
		if (strcmp(units[i], p) != 0)
			continue;
		*ret = (uint64_t)(n * factors[i]);
		return n * factors[i] <= most;
	}
	return false;
}

static void try_size(const char *s)
{
	static const char *const sizes[] = { "",  "B",	 "K",  "KiB", "KB", "kB", "M",	 "MiB",
					     "MB", "G",  "GiB", "GB", "T",  "TiB", "TB", NULL };
	static const uint64_t bytes[] = { 1,	      1,	   1 << 10,	1 << 10,    1000,
					  1000,	      1 << 20,	   1 << 20,	1000000,    1 << 30,
					  1 << 30,    1000000000,  1ull << 40,	1ull << 40, 1000000000000 };
	static const char *const durations[] = { "", "ms", "s", "m", "h", "d", NULL };
	static const uint64_t millis[] = { 1000, 1, 1000, 60000, 3600000, 86400000 };
	uint64_t size = 4711, want = 0;
	int64_t ms = 4711;
	char text[RV_NUMBER_TEXT];
	bool is_size = rv_parse_size(s, &size);

	CHECK(ask_slowly(s, sizes, bytes, UINT64_MAX, &want) == is_size && size == (is_size ? want : 4711));
	rv_format_size(size, text);
	CHECK(strlen(text) < 12 && strchr(text, ' ') && strstr(text, "B"));
	bool is_duration = rv_parse_duration(s, &ms);

	CHECK(ask_slowly(s, durations, millis, INT64_MAX / 1000000, &want) == is_duration &&
	      ms == (is_duration ? (int64_t)want : 4711));
	rv_format_duration(ms, text);
	CHECK(strlen(text) >= 5 && strlen(text) < RV_NUMBER_TEXT - 1);
}

static void try_time(const char *p, size_t len)
{
	int64_t ms = 4711, again = 0;
	char text[RV_TIME_TEXT], day[RV_TIME_TEXT], folder[RV_TIME_TEXT];
	struct rv_date d;

	if (!rv_parse_time(p, len, &ms)) {
		CHECK(ms == 4711);
		return;
	}
	rv_date_from_ms(ms, &d);
	CHECK(d.month >= 1 && d.month <= 12 && d.day >= 1 && d.day <= rv_days_in_month(d.year, d.month));
	CHECK(rv_days_from_civil(d.year, d.month, d.day) * 86400000 + d.hour * 3600000 + d.minute * 60000 +
		      d.second * 1000 + d.ms == ms);
	if (d.year < 0 || d.year > 9999) /* a zone may lead there */
		return;
	rv_format_time(ms, text);
	CHECK(rv_parse_time(text, strlen(text), &again) && again == ms);
	rv_format_day(ms, day);
	rv_format_folder(ms, folder);
	CHECK(strncmp(text, day, 10) == 0 && strncmp(folder + 3, day, 10) == 0);
	CHECK(strncmp(folder + 17, text + 11, 2) == 0);
	/* as written, but for a T and a Z that may be other ones */
	if (p[len - 1] == 'Z' || p[len - 1] == 'z')
		CHECK(strncmp(text, p, 10) == 0 && strncmp(text + 11, p + 11, 8) == 0);
}

static void try_id(const char *p, size_t len)
{
	uint8_t id[RV_UUID_BYTES], again[RV_UUID_BYTES];
	char text[RV_UUID_LEN];

	if (rv_uuid_parse(p, len, id)) {
		rv_uuid_text(id, text);
		CHECK(len == RV_UUID_LEN && strncasecmp(text, p, len) == 0);
		CHECK(rv_uuid_parse(text, len, again) && memcmp(id, again, sizeof(id)) == 0);
	}
	rv_uuid_v5(rv_uuid_url, p, len, id);
	CHECK(id[6] >> 4 == 5 && id[8] >> 6 == 2);
	if (rv_ulid_valid(p, len)) {
		RV_CLEANUP(rv_free_p) char *ulid = exact_text(p, len);
		char fresh[RV_ULID_TEXT];

		CHECK(rv_ulid_time_ms(ulid) >= 0 && rv_ulid_time_ms(ulid) < INT64_C(1) << 48);
		rv_ulid_new(rv_ulid_time_ms(ulid), fresh);
		CHECK(rv_ulid_valid(fresh, strlen(fresh)) && memcmp(fresh, ulid, 10) == 0);
	}
}

static void try_address(const char *s)
{
	struct rv_arn arn;

	if (rv_url_is_endpoint(s))
		CHECK(strncmp(s, "http", 4) == 0 && !strpbrk(s, " ?#@\\\"<>\r\n") && strlen(s) > 7);
	if (rv_arn_parse(s, &arn)) {
		RV_CLEANUP(rv_free_p)
		char *again = rv_asprintf("arn:%.*s:%.*s:%.*s:%.*s:%.*s", (int)arn.partition.len, arn.partition.p,
					  (int)arn.service.len, arn.service.p, (int)arn.region.len,
					  arn.region.p, (int)arn.account.len, arn.account.p,
					  (int)arn.resource.len, arn.resource.p);

		CHECK(strcmp(again, s) == 0 && !strpbrk(s, " \"<&\n"));
	}
	CHECK(!rv_arn_is(s, "sqs", "") || rv_arn_parse(s, &arn));
	CHECK(strncmp(rv_arn_partition(s), "aws", 3) == 0);
}

/* Forms: everything encoded comes back; what is taken apart has no NUL and is not longer. */
static void try_form(const char *s)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf plain = RV_STRBUF_INIT, encoded = RV_STRBUF_INIT;

	if (rv_strbuf_form_decode(&plain, s))
		CHECK(plain.len <= strlen(s) && !memchr(plain.bytes, '\0', plain.len));
	for (const char *c = s; *c; c++) {
		if (*c == ' ')
			rv_strbuf_putc(&encoded, '+');
		else if (isalnum((unsigned char)*c))
			rv_strbuf_putc(&encoded, *c);
		else
			rv_strbuf_printf(&encoded, "%%%02X", (unsigned)(unsigned char)*c);
	}
	rv_strbuf_clear(&plain);
	CHECK(rv_strbuf_form_decode(&plain, encoded.bytes) && strcmp(plain.bytes, s) == 0);
}

/* By the book: a * as short as may be, a number all digits there are; `within`: a * has taken some of them. */
static bool match_slowly(const char *p, const char *t, const char *end, bool within, uint64_t *number)
{
	for (; *p; p++, within = false) {
		if (*p == '*') {
			for (const char *from = t; t <= end; t++)
				if (match_slowly(p + 1, t, end, t > from ? isdigit((unsigned char)t[-1]) : within, number))
					return true;
			return false;
		}
		if (strncmp(p, "{n}", 3) == 0) {
			const char *digits = t;

			if (within)
				return false;
			while (t < end && isdigit((unsigned char)*t))
				t++;
			if (!rv_parse_u64(digits, (size_t)(t - digits), number))
				return false;
			p += 2;
			continue;
		}
		if (t == end || *t++ != *p)
			return false;
	}
	return t == end;
}

static void try_pattern(char *s)
{
	char *text = strchr(s, '\n');
	uint64_t number = 4711, slow = 4711;
	size_t stars = 0;

	if (!text)
		return;
	*text++ = '\0';
	for (const char *c = s; *c; c++)
		stars += *c == '*';
	if (!rv_number_pattern_is_good(s, "n") || stars > 3 || strlen(text) > 60)
		return;
	bool matches = rv_number_pattern_match(s, "n", text, strlen(text), &number);

	/* "1*{n}": which digits are the pattern's is not looked for in every way */
	const char *before = strstr(s, "{n}");

	while (before > s && before[-1] == '*')
		before--;
	if (!matches && *before == '*' && before > s && isdigit((unsigned char)before[-1]))
		return;
	CHECK(match_slowly(s, text, text + strlen(text), false, &slow) == matches);
	CHECK(matches ? number == slow : number == 4711);
}

/* All ways there are, and a decoder of one line. */
static void try_base64(const char *p, size_t len)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const struct rv_base64_encoder *list;
	size_t n = rv_base64_encoders(&list), room = RV_BASE64_LEN(len), at = 0;
	RV_CLEANUP(rv_free_p) char *first = rv_malloc(room), *other = rv_malloc(room);
	uint32_t bits = 0, have = 0;

	CHECK(list[0].encode(p, len, first) == room);
	for (size_t i = 1; i < n; i++)
		CHECK(list[i].encode(p, len, other) == room && memcmp(first, other, room) == 0);
	for (size_t i = 0; i < room && first[i] != '='; i++) {
		const char *digit = memchr(alphabet, first[i], 64);

		CHECK(digit);
		bits = bits << 6 | (uint32_t)(digit - alphabet);
		if ((have += 6) < 8)
			continue;
		have -= 8;
		CHECK(at < len && (uint8_t)(bits >> have) == (uint8_t)p[at]);
		at++;
	}
	CHECK(at == len);
}

/* Whatever bytes there are, a JSON text holds them as far as they are UTF-8, and a terminal gets no control. */
static void try_output(const char *p, size_t len)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf json = RV_STRBUF_INIT, clean = RV_STRBUF_INIT;

	rv_strbuf_json(&json, p, len);
	RV_CLEANUP(json_decrefp)
	json_t *text = json_loadb(json.bytes, json.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

	CHECK(json_is_string(text));
	if (rv_utf8_check(p, len) == len)
		CHECK(json_string_length(text) == len && memcmp(json_string_value(text), p, len) == 0);
	rv_text_clean(&clean, p, len);
	CHECK(rv_utf8_check(clean.bytes, clean.len) == clean.len);
	for (size_t i = 0; i < clean.len; i++)
		CHECK((unsigned char)clean.bytes[i] >= ' ' && clean.bytes[i] != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1 || size > 4096)
		return 0;
	RV_CLEANUP(rv_free_p) char *p = exact_copy(data + 1, size - 1);
	RV_CLEANUP(rv_free_p) char *text = exact_text(data + 1, size - 1);

	switch (data[0] & 7) {
	case 0: try_number(p, size - 1); break;
	case 1: try_size(text); break;
	case 2: try_time(p, size - 1); break;
	case 3: try_id(p, size - 1); break;
	case 4: try_address(text); break;
	case 5: try_form(text); break;
	case 6: try_pattern(text); break;
	default:
		try_base64(p, size - 1);
		try_output(p, size - 1);
	}
	return 0;
}

/*
 * Result rows as text, CSV and JSON.
 *
 * All three go through `struct out`, a cursor into a string buffer with room made before each
 * value: a million rows of a dozen columns are twelve million values, and a call that checks and
 * copies for each of their pieces would cost more than the pieces.
 */
#include "warehouse/rows.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

struct out {
	struct rv_strbuf *sb;
	char *at;
};

static struct out out_begin(struct rv_strbuf *sb)
{
	rv_strbuf_reserve(sb, 256);
	return (struct out){ sb, sb->bytes + sb->len };
}

static void out_end(struct out *o)
{
	o->sb->len = (size_t)(o->at - o->sb->bytes);
	o->sb->bytes[o->sb->len] = '\0';
}

static inline void room(struct out *o, size_t n)
{
	size_t used = (size_t)(o->at - o->sb->bytes);

	if (__builtin_expect(o->sb->capacity - used > n, 1))
		return;
	o->sb->len = used;
	rv_strbuf_reserve(o->sb, n + used / 2);
	o->at = o->sb->bytes + used;
}

static inline void put(struct out *o, const char *p, size_t len)
{
	memcpy(o->at, p, len);
	o->at += len;
}

/* ---- numbers ---- */

static const char pairs[] = "0001020304050607080910111213141516171819202122232425262728293031323334"
			    "3536373839404142434445464748495051525354555657585960616263646566676869"
			    "707172737475767778798081828384858687888990919293949596979899";

static inline char *digits2(char *p, unsigned n)
{
	memcpy(p, pairs + n * 2, 2);
	return p + 2;
}

static inline char *put_u64(char *p, uint64_t n)
{
	char buf[20], *end = buf + sizeof(buf), *q = end;

	while (n >= 100) {
		q -= 2;
		memcpy(q, pairs + n % 100 * 2, 2);
		n /= 100;
	}
	if (n >= 10) {
		q -= 2;
		memcpy(q, pairs + n * 2, 2);
	} else {
		*--q = (char)('0' + n);
	}
	memcpy(p, q, (size_t)(end - q));
	return p + (end - q);
}

static inline char *put_i64(char *p, int64_t n)
{
	if (n < 0)
		*p++ = '-';
	return put_u64(p, n < 0 ? 0 - (uint64_t)n : (uint64_t)n);
}

static char *put_u128(char *p, unsigned __int128 n)
{
	const uint64_t chunk = 10000000000000000000u; /* 10^19 */

	if (n <= UINT64_MAX)
		return put_u64(p, (uint64_t)n);
	p = put_u128(p, n / chunk);
	uint64_t low = (uint64_t)(n % chunk);

	for (int i = 18; i >= 0; i--) {
		p[i] = (char)('0' + low % 10);
		low /= 10;
	}
	return p + 19;
}

/* The common widths: digits go in front of the last one, the point among them. */
static inline char *put_decimal64(char *p, int64_t value, unsigned scale)
{
	char buf[40], *end = buf + sizeof(buf), *q = end;
	uint64_t n = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

	for (; n >= 100; n /= 100) {
		q -= 2;
		memcpy(q, pairs + n % 100 * 2, 2);
	}
	if (n >= 10) {
		q -= 2;
		memcpy(q, pairs + n * 2, 2);
	} else {
		*--q = (char)('0' + n);
	}
	while ((size_t)(end - q) <= scale)
		*--q = '0';
	if (value < 0)
		*p++ = '-';
	size_t whole = (size_t)(end - q) - scale;

	memcpy(p, q, whole);
	p += whole;
	if (scale == 0)
		return p;
	*p++ = '.';
	memcpy(p, q + whole, scale);
	return p + scale;
}

static char *put_decimal(char *p, __int128 value, unsigned scale)
{
	if (value == (int64_t)value && scale < 20)
		return put_decimal64(p, (int64_t)value, scale);
	char buf[48];
	unsigned __int128 n = value < 0 ? 0 - (unsigned __int128)value : (unsigned __int128)value;
	size_t len = (size_t)(put_u128(buf, n) - buf);

	if (value < 0)
		*p++ = '-';
	if (scale == 0) {
		memcpy(p, buf, len);
		return p + len;
	}
	if (len <= scale) {
		*p++ = '0';
		*p++ = '.';
		memset(p, '0', scale - len);
		p += scale - len;
		memcpy(p, buf, len);
		return p + len;
	}
	memcpy(p, buf, len - scale);
	p += len - scale;
	*p++ = '.';
	memcpy(p, buf + len - scale, scale);
	return p + scale;
}

/*
 * Digits below which no text reads back as v: 15, 16 or 17. To print and read at each of them is slow,
 * and most numbers without few decimals need 16 or 17. Off by `rest` units of the 17th digit, a text
 * cannot read back when half the distance to the next number is less than that; half a unit is for
 * the 17th digit's own rounding, and what is near is left to trying.
 */
static int least_precision(double v)
{
	double size = fabs(v), next;
	char text[32];
	uint64_t digits = 0, bits;

	/* the next larger number is the next larger pattern of bits */
	memcpy(&bits, &size, sizeof(bits));
	bits++;
	memcpy(&next, &bits, sizeof(next));
	snprintf(text, sizeof(text), "%.16e", size);
	for (const char *q = text; *q != 'e'; q++)
		if (*q != '.')
			digits = digits * 10 + (uint64_t)(*q - '0');
	double reach = (next - size) / 2 * ((double)digits / size) * 1.001 + 0.5;
	unsigned tens = (unsigned)(digits % 100), ones = (unsigned)(digits % 10);

	if (!isfinite(next) || size < 1e-290)
		return 15;
	if ((tens < 50 ? tens : 100 - tens) <= reach)
		return 15;
	return (ones < 5 ? ones : 10 - ones) <= reach ? 16 : 17;
}

/* The shortest text that reads back as the same number. */
static char *put_double(char *p, double v, bool is_float)
{
	if (isnan(v))
		return memcpy(p, "nan", 3), p + 3;
	if (isinf(v)) {
		if (v < 0)
			*p++ = '-';
		return memcpy(p, "inf", 3), p + 3;
	}
	/* Few decimals: n / 10^k gives v back, so its digits are v's. */
	double size = fabs(v);

	for (unsigned k = 0; k <= 6; k++) {
		static const double tens[] = { 1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6 };
		double scaled = size * tens[k];

		if (scaled >= 1e15)
			break;
		int64_t n = (int64_t)(scaled + 0.5);
		double back = (double)n / tens[k];

		if (is_float ? (float)back != (float)size : back != size)
			continue;
		if (signbit(v))
			*p++ = '-';
		p = put_decimal64(p, n, k);
		if (k == 0) {
			*p++ = '.';
			*p++ = '0';
		}
		return p;
	}
	for (int precision = is_float ? 6 : least_precision(v);; precision++) {
		int len = snprintf(p, 32, "%.*g", precision, v);

		if (precision >= (is_float ? 9 : 17) ||
		    (is_float ? strtof(p, NULL) == (float)v : strtod(p, NULL) == v)) {
			if (!strpbrk(p, ".e")) {
				memcpy(p + len, ".0", 2);
				len += 2;
			}
			return p + len;
		}
	}
}

/* ---- times ---- */

static char *put_days(char *p, int64_t days)
{
	struct rv_date date;

	rv_date_from_ms(days * 86400000, &date);
	if (date.year < 0 || date.year > 9999) {
		p += snprintf(p, 24, "%s%04" PRId64, date.year < 0 ? "-" : "",
			      date.year < 0 ? -date.year : date.year);
	} else {
		p = digits2(p, (unsigned)date.year / 100);
		p = digits2(p, (unsigned)date.year % 100);
	}
	*p++ = '-';
	p = digits2(p, date.month);
	*p++ = '-';
	return digits2(p, date.day);
}

static char *put_date(char *p, int32_t days)
{
	if (days == INT32_MAX)
		return memcpy(p, "infinity", 8), p + 8;
	if (days == -INT32_MAX)
		return memcpy(p, "-infinity", 9), p + 9;
	return put_days(p, days);
}

static inline char *put_seconds(char *p, uint64_t seconds)
{
	uint64_t hours = seconds / 3600;

	/* a damaged file may hold what is no time of a day: shown for what it is */
	p = __builtin_expect(hours < 100, 1) ? digits2(p, (unsigned)hours) : put_u64(p, hours);
	*p++ = ':';
	p = digits2(p, (unsigned)(seconds / 60 % 60));
	*p++ = ':';
	return digits2(p, (unsigned)(seconds % 60));
}

/* The same as put_clock() with a scale of 6, which nearly all times have. */
static inline char *put_clock_us(char *p, uint64_t n)
{
	uint64_t seconds = n / 1000000;
	unsigned fraction = (unsigned)(n % 1000000);

	p = put_seconds(p, seconds);
	if (!fraction)
		return p;
	*p++ = '.';
	p = digits2(p, fraction / 10000);
	p = digits2(p, fraction / 100 % 100);
	p = digits2(p, fraction % 100);
	while (p[-1] == '0')
		p--;
	return p;
}

/* `n` units of 10^-scale seconds within a day; a fraction without trailing zeros. */
static char *put_clock(char *p, uint64_t n, unsigned scale)
{
	static const uint64_t units[] = { 1, 10, 100, 1000, 10000, 100000, 1000000, 10000000,
					  100000000, 1000000000 };
	uint64_t seconds = n / units[scale], fraction = n % units[scale];

	p = put_seconds(p, seconds);
	if (!fraction)
		return p;
	*p++ = '.';
	while (fraction % 10 == 0) {
		fraction /= 10;
		scale--;
	}
	for (unsigned i = scale; i-- > 0;) {
		p[i] = (char)('0' + fraction % 10);
		fraction /= 10;
	}
	return p + scale;
}

/* The days of neighbouring rows are mostly the same. */
struct day_cache {
	int64_t day;
	size_t len;
	char text[32];
};

static char *put_timestamp(char *p, int64_t t, unsigned scale, struct day_cache *cache)
{
	static const int64_t per_day[] = { 86400, 0, 0, 86400000, 0, 0, 86400000000, 0, 0,
					   86400000000000 };

	if (t == INT64_MAX)
		return memcpy(p, "infinity", 8), p + 8;
	if (t == -INT64_MAX)
		return memcpy(p, "-infinity", 9), p + 9;
	/* a constant divides faster */
	int64_t day = scale == 6 ? t / 86400000000 : t / per_day[scale];
	int64_t rest = t - day * per_day[scale];

	if (rest < 0) {
		rest += per_day[scale];
		day--;
	}
	/* beyond what has a date */
	if (__builtin_expect(day > INT64_MAX / 86400000 || day < INT64_MIN / 86400000, 0))
		return put_i64(p, t);
	if (!cache->len || cache->day != day) {
		cache->day = day;
		cache->len = (size_t)(put_days(cache->text, day) - cache->text);
		cache->text[cache->len++] = ' ';
	}
	memcpy(p, cache->text, cache->len);
	if (scale == 6)
		return put_clock_us(p + cache->len, (uint64_t)rest);
	return put_clock(p + cache->len, (uint64_t)rest, scale);
}

struct interval {
	int32_t months, days;
	int64_t micros;
};

static const char *plural(int32_t n)
{
	return n == 1 || n == -1 ? "" : "s";
}

static char *put_interval(char *p, const struct interval *v)
{
	char *start = p;

	if (v->months / 12)
		p += sprintf(p, "%d year%s ", v->months / 12, plural(v->months / 12));
	if (v->months % 12)
		p += sprintf(p, "%d month%s ", v->months % 12, plural(v->months % 12));
	if (v->days)
		p += sprintf(p, "%d day%s ", v->days, plural(v->days));
	if (v->micros || p == start) {
		uint64_t n = v->micros < 0 ? 0 - (uint64_t)v->micros : (uint64_t)v->micros;
		uint64_t hours = n / 3600000000u;
		char clock[32], *end = put_clock(clock, n % 3600000000u, 6);

		if (v->micros < 0)
			*p++ = '-';
		p += sprintf(p, "%02" PRIu64, hours);
		memcpy(p, clock + 2, (size_t)(end - clock - 2));
		return p + (end - clock - 2);
	}
	return p - 1; /* the blank */
}

static char *put_uuid(char *p, const uint64_t *halves)
{
	char hex[33];

	snprintf(hex, sizeof(hex), "%016" PRIx64 "%016" PRIx64, halves[1] ^ (UINT64_C(1) << 63),
		 halves[0]);
	for (int i = 0, k = 0; i < 32; i++) {
		if (i == 8 || i == 12 || i == 16 || i == 20)
			p[k++] = '-';
		p[k++] = hex[i];
	}
	return p + 36;
}

/* ---- values ---- */

static uint32_t enum_index(const struct rv_rows_column *c, size_t row)
{
	if (c->width == 1)
		return ((const uint8_t *)c->data)[row];
	if (c->width == 2)
		return ((const uint16_t *)c->data)[row];
	return ((const uint32_t *)c->data)[row];
}

static __int128 decimal_value(const struct rv_rows_column *c, size_t row)
{
	switch (c->width) {
	case 2:
		return ((const int16_t *)c->data)[row];
	case 4:
		return ((const int32_t *)c->data)[row];
	case 8:
		return ((const int64_t *)c->data)[row];
	default:
		return ((const __int128 *)c->data)[row];
	}
}

/* Values of at most 64 bytes, as bare text. False for the other kinds. */
static inline __attribute__((always_inline)) bool put_short(struct out *o, const struct rv_rows_column *c, size_t row,
			     struct day_cache *cache)
{
	char *p = o->at;

	switch (c->kind) {
	case RV_ROW_BOOL:
		if (((const uint8_t *)c->data)[row])
			put(o, "true", 4);
		else
			put(o, "false", 5);
		return true;
	case RV_ROW_I8:
		p = put_i64(p, ((const int8_t *)c->data)[row]);
		break;
	case RV_ROW_I16:
		p = put_i64(p, ((const int16_t *)c->data)[row]);
		break;
	case RV_ROW_I32:
		p = put_i64(p, ((const int32_t *)c->data)[row]);
		break;
	case RV_ROW_I64:
		p = put_i64(p, ((const int64_t *)c->data)[row]);
		break;
	case RV_ROW_I128:
		p = put_decimal(p, ((const __int128 *)c->data)[row], 0);
		break;
	case RV_ROW_U8:
		p = put_u64(p, ((const uint8_t *)c->data)[row]);
		break;
	case RV_ROW_U16:
		p = put_u64(p, ((const uint16_t *)c->data)[row]);
		break;
	case RV_ROW_U32:
		p = put_u64(p, ((const uint32_t *)c->data)[row]);
		break;
	case RV_ROW_U64:
		p = put_u64(p, ((const uint64_t *)c->data)[row]);
		break;
	case RV_ROW_U128:
		p = put_u128(p, ((const unsigned __int128 *)c->data)[row]);
		break;
	case RV_ROW_FLOAT:
		p = put_double(p, ((const float *)c->data)[row], true);
		break;
	case RV_ROW_DOUBLE:
		p = put_double(p, ((const double *)c->data)[row], false);
		break;
	case RV_ROW_DECIMAL:
		p = put_decimal(p, decimal_value(c, row), c->scale);
		break;
	case RV_ROW_DATE:
		p = put_date(p, ((const int32_t *)c->data)[row]);
		break;
	case RV_ROW_TIME:
		p = put_clock(p, (uint64_t)((const int64_t *)c->data)[row], c->scale);
		break;
	case RV_ROW_TIMESTAMP:
	case RV_ROW_TIMESTAMP_ZONE:
		p = put_timestamp(p, ((const int64_t *)c->data)[row], c->scale, cache);
		if (c->kind == RV_ROW_TIMESTAMP_ZONE) {
			memcpy(p, "+00", 3);
			p += 3;
		}
		break;
	case RV_ROW_INTERVAL:
		p = put_interval(p, (const struct interval *)c->data + row);
		break;
	case RV_ROW_UUID:
		p = put_uuid(p, (const uint64_t *)c->data + row * 2);
		break;
	default:
		return false;
	}
	o->at = p;
	return true;
}

static struct rv_str text_of(const struct rv_rows_column *c, size_t row)
{
	if (c->kind == RV_ROW_ENUM)
		return rv_str_of(c->words[enum_index(c, row)]);
	return rv_row_text_str((const union rv_row_text *)c->data + row);
}

static void add_blob(struct rv_strbuf *out, struct rv_str s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char b = (unsigned char)s.p[i];

		if (b >= 0x20 && b < 0x7f && b != '\\')
			rv_strbuf_putc(out, (char)b);
		else
			rv_strbuf_printf(out, "\\x%02X", b);
	}
}

static void add_bits(struct rv_strbuf *out, struct rv_str s)
{
	unsigned padding = s.len ? (unsigned char)s.p[0] : 0;

	for (size_t i = 8 + padding; i < s.len * 8; i++)
		rv_strbuf_putc(out, s.p[i / 8] >> (7 - i % 8) & 1 ? '1' : '0');
}

static void add_list(const struct rv_rows_column *child, uint64_t from, uint64_t len,
		     struct rv_strbuf *out)
{
	rv_strbuf_putc(out, '[');
	for (uint64_t i = 0; i < len; i++) {
		if (i)
			rv_strbuf_putc(out, ',');
		rv_rows_value_json(child, from + i, out);
	}
	rv_strbuf_putc(out, ']');
}

static void add_map(const struct rv_rows_column *entries, uint64_t from, uint64_t len,
		    struct rv_strbuf *out)
{
	rv_strbuf_putc(out, '{');
	for (uint64_t i = 0; i < len; i++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf key = RV_STRBUF_INIT;

		if (i)
			rv_strbuf_putc(out, ',');
		rv_rows_text(&entries->children[0], from + i, &key);
		rv_strbuf_json(out, key.bytes, key.len);
		rv_strbuf_putc(out, ':');
		rv_rows_value_json(&entries->children[1], from + i, out);
	}
	rv_strbuf_putc(out, '}');
}

static void add_struct(const struct rv_rows_column *c, size_t row, struct rv_strbuf *out)
{
	rv_strbuf_putc(out, '{');
	for (size_t i = 0; i < c->children_count; i++) {
		if (i)
			rv_strbuf_putc(out, ',');
		rv_strbuf_json(out, c->children[i].name, strlen(c->children[i].name));
		rv_strbuf_putc(out, ':');
		rv_rows_value_json(&c->children[i], row, out);
	}
	rv_strbuf_putc(out, '}');
}

/* Nested values: JSON in every format. */
static void add_nested(const struct rv_rows_column *c, size_t row, struct rv_strbuf *out)
{
	const struct {
		uint64_t offset, len;
	} *entry = c->data;

	switch (c->kind) {
	case RV_ROW_LIST:
		add_list(&c->children[0], entry[row].offset, entry[row].len, out);
		break;
	case RV_ROW_ARRAY:
		add_list(&c->children[0], (uint64_t)row * c->width, c->width, out);
		break;
	case RV_ROW_MAP:
		add_map(&c->children[0], entry[row].offset, entry[row].len, out);
		break;
	default:
		add_struct(c, row, out);
		break;
	}
}

bool rv_rows_is_number(const struct rv_rows_column *c)
{
	return c->kind >= RV_ROW_I8 && c->kind <= RV_ROW_DECIMAL;
}

void rv_rows_text(const struct rv_rows_column *c, size_t row, struct rv_strbuf *out)
{
	struct day_cache cache = { 0 };

	if (rv_rows_is_null(c, row))
		return;
	struct out o = out_begin(out);
	bool done = put_short(&o, c, row, &cache);

	out_end(&o);
	if (done)
		return;
	if (c->kind == RV_ROW_TEXT || c->kind == RV_ROW_JSON || c->kind == RV_ROW_ENUM) {
		struct rv_str s = text_of(c, row);

		rv_strbuf_add(out, s.p, s.len);
	} else if (c->kind == RV_ROW_BLOB) {
		add_blob(out, text_of(c, row));
	} else if (c->kind == RV_ROW_BIT) {
		add_bits(out, text_of(c, row));
	} else {
		add_nested(c, row, out);
	}
}

void rv_rows_value_json(const struct rv_rows_column *c, size_t row, struct rv_strbuf *out)
{
	if (rv_rows_is_null(c, row)) {
		rv_strbuf_puts(out, "null");
		return;
	}
	if (c->kind == RV_ROW_TEXT || c->kind == RV_ROW_ENUM) {
		struct rv_str s = text_of(c, row);

		rv_strbuf_json(out, s.p, s.len);
		return;
	}
	bool bare = rv_rows_is_number(c) || c->kind == RV_ROW_BOOL || c->kind == RV_ROW_JSON ||
		    (c->kind >= RV_ROW_LIST && c->kind <= RV_ROW_MAP);

	if (c->kind == RV_ROW_FLOAT)
		bare = isfinite(((const float *)c->data)[row]);
	if (c->kind == RV_ROW_DOUBLE)
		bare = isfinite(((const double *)c->data)[row]);
	if (bare) {
		rv_rows_text(c, row, out);
		return;
	}
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;

	rv_rows_text(c, row, &text);
	rv_strbuf_json(out, text.bytes, text.len);
}

/* ---- CSV ---- */

/* Whether a field must be quoted, sixteen bytes at a time. */
static inline bool needs_quotes(const char *p, size_t len)
{
	typedef uint8_t lanes __attribute__((vector_size(16)));

	for (; len >= 16; p += 16, len -= 16) {
		lanes b, found;
		uint64_t halves[2];

		memcpy(&b, p, 16);
		found = (lanes)((b == ',') | (b == '"') | (b == '\n') | (b == '\r'));
		memcpy(halves, &found, 16);
		if (halves[0] | halves[1])
			return true;
	}
	for (size_t i = 0; i < len; i++)
		if (p[i] == ',' || p[i] == '"' || p[i] == '\n' || p[i] == '\r')
			return true;
	return false;
}

static void csv_text(struct out *o, struct rv_str s)
{
	room(o, s.len * 2 + 64);
	if (s.len && !needs_quotes(s.p, s.len)) {
		put(o, s.p, s.len);
		return;
	}
	*o->at++ = '"';
	for (const char *end = s.p + s.len; s.p < end;) {
		const char *quote = memchr(s.p, '"', (size_t)(end - s.p));
		const char *to = quote ? quote + 1 : end;

		put(o, s.p, (size_t)(to - s.p));
		if (quote)
			*o->at++ = '"';
		s.p = to;
	}
	*o->at++ = '"';
}

void rv_rows_csv_header(const struct rv_rows *rows, struct rv_strbuf *sb)
{
	struct out o = out_begin(sb);

	for (size_t i = 0; i < rows->columns_count; i++) {
		room(&o, 64);
		if (i)
			*o.at++ = ',';
		csv_text(&o, rv_str_of(rows->columns[i].name));
	}
	room(&o, 64);
	*o.at++ = '\n';
	out_end(&o);
}

void rv_rows_csv(const struct rv_rows *rows, struct rv_strbuf *sb)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	struct day_cache cache = { 0 };
	struct out o = out_begin(sb);

	for (size_t row = 0; row < rows->count; row++) {
		for (size_t i = 0; i < rows->columns_count; i++) {
			const struct rv_rows_column *c = &rows->columns[i];

			room(&o, 128);
			if (i)
				*o.at++ = ',';
			if (rv_rows_is_null(c, row))
				continue;
			if (c->kind == RV_ROW_TEXT || c->kind == RV_ROW_JSON ||
			    c->kind == RV_ROW_ENUM) {
				csv_text(&o, text_of(c, row));
			} else if (!put_short(&o, c, row, &cache)) {
				rv_strbuf_clear(&text);
				rv_rows_text(c, row, &text);
				csv_text(&o, (struct rv_str){ text.bytes, text.len });
			}
		}
		room(&o, 128);
		*o.at++ = '\n';
	}
	out_end(&o);
}

void rv_rows_json(const struct rv_rows *rows, struct rv_strbuf *out)
{
	for (size_t row = 0; row < rows->count; row++) {
		rv_strbuf_putc(out, '{');
		for (size_t i = 0; i < rows->columns_count; i++) {
			const struct rv_rows_column *c = &rows->columns[i];

			if (i)
				rv_strbuf_putc(out, ',');
			rv_strbuf_json(out, c->name, strlen(c->name));
			rv_strbuf_putc(out, ':');
			rv_rows_value_json(c, row, out);
		}
		rv_strbuf_puts(out, "}\n");
	}
}

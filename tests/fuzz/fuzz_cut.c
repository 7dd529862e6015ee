/*
 * Values into typed columns. A number is judged a second time by its digits alone: what is accepted
 * equals the text, what is refused does not fit. Times and dates that are accepted survive being
 * printed and read again, and agree with the strict reader. A record gives the same values, or the
 * same readable reason, every time.
 *
 * The first byte chooses; the next two are its settings.
 */
#include "fuzz.h"

#include "base/clock.h"
#include "format/json_scan.h"
#include "warehouse/cut.h"

#define REASON 160
#define TEXT_MAX 4096 /* as long as a number may be */
#define DAY_US INT64_C(86400000000)
/* Years that a date can be written in with digits or seconds, with room around. */
#define FAR_DAYS INT64_C(200000000000)

static void check_reason(const char *reason)
{
	CHECK(reason[0] && memchr(reason, '\0', REASON));
	CHECK(!strchr(reason, '\n') || strlen(reason) < REASON);
}

/* ---- numbers: digits without zeros at either end, times a power of ten ---- */

struct plain {
	bool negative;
	char digits[TEXT_MAX + 1];
	size_t len; /* 0: the number is zero */
	int64_t exponent;
};

static void strip(struct plain *n)
{
	size_t zeros = strspn(n->digits, "0");

	n->len = strlen(n->digits) - zeros;
	memmove(n->digits, n->digits + zeros, n->len + 1);
	while (n->len && n->digits[n->len - 1] == '0') {
		n->digits[--n->len] = '\0';
		n->exponent++;
	}
}

/* False: no number. */
static bool read_plain(const char *p, size_t len, struct plain *n)
{
	const char *end = p + len;
	size_t count = 0, behind = 0;
	bool point = false, digit_before = false;

	n->negative = false;
	n->exponent = 0;
	if (p < end && (*p == '+' || *p == '-'))
		n->negative = *p++ == '-';
	for (; p < end && ((*p >= '0' && *p <= '9') || *p == '.'); p++) {
		if (*p == '.') {
			if (point || !digit_before)
				return false;
			point = true;
			digit_before = false;
			continue;
		}
		digit_before = true;
		n->digits[count++] = *p;
		behind += point;
	}
	n->digits[count] = '\0';
	if (!digit_before)
		return false;
	if (p < end && (*p == 'e' || *p == 'E')) {
		bool down = false;

		p++;
		if (p < end && (*p == '+' || *p == '-'))
			down = *p++ == '-';
		if (p == end)
			return false;
		for (; p < end && *p >= '0' && *p <= '9'; p++)
			if (n->exponent < 1000000000)
				n->exponent = n->exponent * 10 + (*p - '0');
		if (down)
			n->exponent = -n->exponent;
	}
	if (p != end)
		return false;
	n->exponent -= (int64_t)behind;
	strip(n);
	return true;
}

static void plain_of(__int128 value, unsigned scale, struct plain *n)
{
	char text[64], *p = text + sizeof(text) - 1;
	unsigned __int128 rest = value < 0 ? -(unsigned __int128)value : (unsigned __int128)value;

	n->negative = value < 0;
	n->exponent = -(int64_t)scale;
	for (*p = '\0'; rest; rest /= 10)
		*--p = (char)('0' + (int)(rest % 10));
	snprintf(n->digits, sizeof(n->digits), "%s", p);
	strip(n);
}

static void try_decimal(unsigned precision, unsigned scale, const char *p, size_t len)
{
	static struct plain text, got;
	char reason[REASON] = "";
	__int128 value = 4711;
	bool accepted = rv_cut_decimal((struct rv_str){ p, len }, precision, scale, &value, reason);

	if (!accepted) {
		check_reason(reason);
		CHECK(value == 4711);
		/* it is none, or it does not fit */
		if (len <= TEXT_MAX && read_plain(p, len, &text))
			CHECK(text.len && (text.exponent < -(int64_t)scale ||
					   (int64_t)text.len + text.exponent + scale > (int64_t)precision));
		return;
	}
	CHECK(len <= TEXT_MAX && read_plain(p, len, &text));
	plain_of(value, scale, &got);
	CHECK(text.len == got.len && strcmp(text.digits, got.digits) == 0);
	if (text.len)
		CHECK(text.negative == got.negative && text.exponent == got.exponent);
	CHECK((int64_t)got.len + (got.len ? got.exponent + scale : 0) <= (int64_t)precision);
}

/* ---- times ---- */

static const char *const time_formats[] = {
	NULL, "%Y-%m-%d %H:%M:%S", "%d/%b/%Y:%H:%M:%S %z", "%s", "%F %I:%M %p %z", "%Y-%jT%T%z",
	"%d.%m.%y %H:%M", "%e %B %Y %R",
};
static const char *const zones[] = { NULL, "UTC", "+02:00", "-11:30" };

static void try_timestamp(unsigned settings, const char *p, size_t len)
{
	const char *format = time_formats[settings & 7], *zone = zones[settings >> 3 & 3];
	struct rv_str s = { p, len };
	char reason[REASON] = "";
	int64_t us = 4711, again = 0, ms;
	bool strict = rv_parse_time(p, len, &ms);
	bool accepted = rv_cut_timestamp(s, format, zone, &us, reason);

	if (!accepted) {
		check_reason(reason);
		CHECK(us == 4711);
		if (!format && strict) /* digits that would be lost, nothing else */
			CHECK(strstr(reason, "finer"));
		return;
	}
	int64_t whole_ms = us / 1000 - (us % 1000 < 0);

	if (!format && strict)
		CHECK(whole_ms == ms);
	CHECK(whole_ms / 86400000 > -FAR_DAYS && whole_ms / 86400000 < FAR_DAYS);
	if (!format) {
		struct rv_date d;
		char text[96];

		rv_date_from_ms(whole_ms, &d);
		if (d.year < 0 || d.year > 9999) /* a zone may lead out of the years with four digits */
			return;
		int n = snprintf(text, sizeof(text), "%04d-%02u-%02uT%02u:%02u:%02u.%06uZ", (int)d.year,
				 d.month, d.day, d.hour, d.minute, d.second,
				 d.ms * 1000 + (unsigned)(us - whole_ms * 1000));

		CHECK(rv_cut_timestamp((struct rv_str){ text, (size_t)n }, NULL, NULL, &again, reason));
		CHECK(again == us);
	}
}

static void try_date(unsigned settings, const char *p, size_t len)
{
	static const char *const formats[] = { NULL, "%d.%m.%Y", "%m/%d/%y", "%Y-%j", "%s", "%e %b %Y",
					       "%Y%m%d", "%F" };
	const char *format = formats[settings & 7];
	char reason[REASON] = "", text[RV_TIME_TEXT];
	int64_t days = 4711, again;

	if (!rv_cut_date((struct rv_str){ p, len }, format, &days, reason)) {
		check_reason(reason);
		CHECK(days == 4711);
		return;
	}
	CHECK(days > -FAR_DAYS && days < FAR_DAYS);
	if ((settings & 7) == 4)
		return;
	struct rv_date d;

	rv_date_from_ms(days * 86400000, &d);
	CHECK(d.year >= 0 && d.year <= 9999);
	rv_format_day(days * 86400000, text);
	CHECK(rv_cut_date(rv_str_of(text), NULL, &again, reason));
	CHECK(again == days);
	if (!format && len == 10 && p[4] == '-' && p[7] == '-')
		CHECK(memcmp(p, text, 10) == 0);
}

/* ---- records ---- */

static char names[8][3] = { "s", "i", "d", "f", "b", "y", "t", "j" };
static char deep[] = "a.b", pointer[] = "/a/0", utc[] = "UTC";

static void make_stream(struct rv_stream *stream, struct rv_column columns[8], unsigned settings)
{
	rv_stream_init(stream);
	for (unsigned i = 0; i < 8; i++)
		columns[i] = (struct rv_column){
			.name = names[i],
			.type = (enum rv_column_type)i,
			.precision = 18,
			.scale = 4,
			.required = i == 1 && settings & 1,
			.from = i == 0 && settings & 2 ? deep : i == 7 && settings & 4 ? pointer : NULL,
			.timezone = i == 6 && settings & 8 ? utc : NULL,
		};
	stream->columns = columns;
	stream->columns_count = 8;
	stream->contract = settings & 16 ? RV_CONTRACT_REJECT : RV_CONTRACT_EVOLVE;
	stream->dedup = settings & 32 ? RV_DEDUP_COLUMNS : RV_DEDUP_CONTENT;
	if (settings & 32)
		for (unsigned i = 0; i < 8; i++)
			rv_string_list_add(&stream->dedup_columns, names[i], 1);
}

static void check_values(const struct rv_cut_value *values, const struct rv_cut_value *again)
{
	for (unsigned i = 0; i < 8; i++) {
		CHECK(values[i].null == again[i].null);
		if (values[i].null)
			continue;
		switch ((enum rv_column_type)i) {
		case RV_COLUMN_STRING:
		case RV_COLUMN_JSON: {
			/* the first ones lived in the scratch memory that has been used again since */
			struct rv_str text = again[i].u.text;
			RV_CLEANUP(rv_free_p) char *copy = rv_malloc(text.len);

			memcpy(copy, text.p, text.len); /* all of it can be read */
			CHECK(values[i].u.text.len == text.len);
			break;
		}
		case RV_COLUMN_DECIMAL:
			CHECK(values[i].u.decimal == again[i].u.decimal);
			break;
		case RV_COLUMN_DOUBLE:
			CHECK(memcmp(&values[i].u.number, &again[i].u.number, sizeof(double)) == 0);
			CHECK(values[i].u.number - values[i].u.number == 0); /* neither inf nor nan */
			break;
		case RV_COLUMN_BOOLEAN:
			CHECK(values[i].u.boolean == again[i].u.boolean);
			break;
		default:
			CHECK(values[i].u.integer == again[i].u.integer);
		}
	}
}

static void try_record(unsigned settings, const char *p, size_t len)
{
	struct rv_json_scan scan;

	if (rv_json_scan_object(p, len, 0, RV_JSON_LINE_MODE, &scan) != RV_JSON_OK || scan.end != len)
		return;
	struct rv_stream stream;
	struct rv_column columns[8];
	struct rv_error err = RV_ERROR_INIT;
	struct rv_cut *cut = NULL;
	struct rv_cut_value values[8], again[8];
	struct rv_cut_refusal refusal = { 0 }, same = { 0 };
	uint64_t identity[2], identity_again[2];

	make_stream(&stream, columns, settings);
	CHECK(rv_cut_new(&stream, &cut, &err) == RV_OK);
	struct rv_cut_scratch *scratch = rv_cut_scratch_new(cut);
	bool accepted = rv_cut_record(cut, scratch, p, len, values, &refusal);

	if (accepted && rv_cut_dedups(cut))
		rv_cut_identity(cut, scratch, p, len, values, identity);
	CHECK(rv_cut_record(cut, scratch, p, len, again, &same) == accepted);
	if (accepted) {
		check_values(values, again);
		if (rv_cut_dedups(cut)) {
			rv_cut_identity(cut, scratch, p, len, again, identity_again);
			CHECK(memcmp(identity, identity_again, sizeof(identity)) == 0);
		}
		CHECK(!(settings & 1) || !values[1].null);
	} else {
		check_reason(refusal.reason);
		CHECK(refusal.column && memchr(refusal.field, '\0', sizeof(refusal.field)));
		CHECK(strcmp(refusal.reason, same.reason) == 0 && strcmp(refusal.column, same.column) == 0);
	}
	rv_cut_scratch_free(scratch);
	rv_cut_free(cut);
	stream.columns = NULL; /* ours */
	stream.columns_count = 0;
	rv_stream_release(&stream);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 3)
		return 0;
	size_t len = size - 3;
	/* Exactly the bytes that may be read. */
	RV_CLEANUP(rv_free_p) char *text = rv_malloc(len);

	memcpy(text, data + 3, len);
	switch (data[0] & 3) {
	case 0: {
		unsigned precision = data[1] % 38 + 1;

		try_decimal(precision, data[2] % (precision + 1), text, len);
		break;
	}
	case 1:
		try_timestamp(data[1], text, len);
		break;
	case 2:
		try_date(data[1], text, len);
		break;
	default:
		try_record(data[1], text, len);
	}
	return 0;
}

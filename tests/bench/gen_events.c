/*
 * gen_events: clickstream events on standard output, made up but always the same, faster than the
 * programs that are measured with them.
 *
 *	gen_events [ROWS] [--csv] [--seed N] [--start N] [--bytes N]
 *
 * ROWS records (default: no end, which wants --bytes), or as many as it takes to reach --bytes (whole
 * records, so up to one more). Record n depends on the seed and on n alone: `--start 101` goes on
 * where a run of 100 rows stopped. The mean record has about 450 bytes: a unique event_id, the
 * sequence number n, nested objects, UTF-8, escapes, decimals with trailing zeros, null, booleans,
 * arrays. --csv has the same facts in flat columns below a header, some of them quoted, with doubled
 * quotes and commas inside; a record is always one line.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BUF_BYTES = 1 << 18, RECORD_MAX = 4096 };

struct piece {
	const char *s;
	size_t len;
};
#define P(lit) { lit, sizeof(lit) - 1 }
#define LIT(p, lit) (memcpy(p, lit, sizeof(lit) - 1), (p) + sizeof(lit) - 1)
#define PICK(table, r) (&(table)[(uint32_t)(r) % (sizeof(table) / sizeof(*(table)))])

static const struct piece events[] = {
	P("page_view"), P("page_view"), P("page_view"), P("page_view"), P("click"), P("click"), P("click"),
	P("scroll"), P("scroll"), P("impression"), P("add_to_cart"), P("search"), P("search"),
	P("purchase"), P("video_progress"), P("sign_in"),
};
enum {
	EVENT_ADD = 10,
	EVENT_SEARCH = 11,
	EVENT_SEARCH_2 = 12,
	EVENT_PURCHASE = 13,
	EVENT_VIDEO = 14,
};

static const struct piece paths[] = {
	P("/"), P("/offers/weekend"), P("/kitchen/knives/santoku-17cm"), P("/garden/hoses"), P("/basket"),
	P("/checkout/address"), P("/journal/sharpening-a-plane-iron"), P("/tools/planes/no-4"),
	P("/account/invoices"), P("/help/shipping/islands"),
};
static const struct piece titles[] = {
	P("Home"), P("Weekend offers \\u2013 up to 30%"), P("Santoku 17\\u00a0cm"), P("Garden hoses"),
	P("Panier d\xe2\x80\x99" "achat"), P("Lieferadresse \xc3\xa4ndern"), P("Sharpening a plane iron"),
	P("\xe9\x8a\x9b and other planes"), P("Invoices"), P("Shipping \\/ islands"),
};
static const struct piece agents[] = {
	P("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
	P("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/131.0.0.0"),
	P("Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) Version/18.1 "
	  "Mobile/15E148 Safari/604.1"),
	P("ToolShed/4.2.0 (Android 15; SM-S921B)"), P("ToolShed/4.1.7 (iOS 18.1; iPhone16,1)"),
	P("ToolShed/4.2.0 (Android 14; Pixel 8)"), P("-"),
};
static const struct piece places[] = {
	P("\"NO\",\"city\":\"Troms\xc3\xb8\""), P("\"DE\",\"city\":\"K\xc3\xb6ln\""),
	P("\"FR\",\"city\":\"Lyon\""),
	P("\"JP\",\"city\":\"\xe4\xba\xac\xe9\x83\xbd\""), P("\"US\",\"city\":\"Duluth\""),
	P("\"IN\",\"city\":\"Pune\""),
	P("\"BR\",\"city\":\"Bel\xc3\xa9m\""), P("\"PL\",\"city\":\"\xc5\x81\xc3\xb3" "d\xc5\xba\""),
};
static const struct piece queries[] = {
	P("santoku"), P("\\\"stainless\\\" bolts"), P("r\xc3\xa2pe \xc3\xa0 fromage"), P("1\\/2 inch hose"),
	P("\\ud83c\\udf31 seeds"), P("back\\\\slash"),
};
static const struct piece csv_places[] = {
	P("NO,Troms\xc3\xb8"), P("DE,K\xc3\xb6ln"), P("FR,Lyon"), P("JP,\xe4\xba\xac\xe9\x83\xbd"),
	P("US,\"Duluth, MN\""),
	P("IN,Pune"), P("BR,Bel\xc3\xa9m"), P("PL,\xc5\x81\xc3\xb3" "d\xc5\xba"),
};
static const struct piece csv_queries[] = {
	P("santoku"), P("\"\"\"stainless\"\" bolts\""), P("r\xc3\xa2pe \xc3\xa0 fromage"), P("1/2 inch hose"),
	P("\"seeds, mixed\""), P("back\\slash"),
};

static char hex_pairs[512];
static char digit_pairs[200];

static uint64_t mix(uint64_t x)
{
	x ^= x >> 31;
	x *= 0x7fb5d329728ea185ull;
	x ^= x >> 27;
	x *= 0x81dadef4bc2dd44dull;
	return x ^ x >> 33;
}

static char *put(char *p, const struct piece *piece)
{
	memcpy(p, piece->s, piece->len);
	return p + piece->len;
}

static char *put_number(char *p, uint64_t v)
{
	char tmp[20], *t = tmp + sizeof(tmp);

	while (v >= 100) {
		t -= 2;
		memcpy(t, digit_pairs + v % 100 * 2, 2);
		v /= 100;
	}
	if (v >= 10) {
		t -= 2;
		memcpy(t, digit_pairs + v * 2, 2);
	} else {
		*--t = (char)('0' + v);
	}
	size_t n = (size_t)(tmp + sizeof(tmp) - t);
	memcpy(p, t, n);
	return p + n;
}

static char *put_2(char *p, unsigned v)
{
	memcpy(p, digit_pairs + v * 2, 2);
	return p + 2;
}

static char *put_hex(char *p, uint64_t v, int bytes)
{
	for (int i = bytes - 1; i >= 0; i--, p += 2)
		memcpy(p, hex_pairs + (v >> 8 * i & 255) * 2, 2);
	return p;
}

static char *put_uuid(char *p, uint64_t a, uint64_t b)
{
	a = (a & ~0xf000ull) | 0x4000;
	b = (b & ~(3ull << 62)) | 1ull << 63;
	p = put_hex(p, a >> 32, 4);
	*p++ = '-';
	p = put_hex(p, a >> 16, 2);
	*p++ = '-';
	p = put_hex(p, a, 2);
	*p++ = '-';
	p = put_hex(p, b >> 48, 2);
	*p++ = '-';
	return put_hex(p, b, 6);
}

/* Milliseconds since 2025-03-01T00:00:00Z as a timestamp; the day is worked out when it changes. */
static char *put_time(char *p, uint64_t ms)
{
	static uint64_t known_day = UINT64_MAX;
	static char date[11];
	uint64_t day = ms / 86400000;
	unsigned rest = (unsigned)(ms % 86400000);

	if (day != known_day) {
		/* years that start in March have their leap day at the end */
		uint64_t days = day, year = 2025;
		static const unsigned char lengths[] = { 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 31, 29 };
		for (;;) {
			uint64_t next = year + 1;
			bool leap = (next % 4 == 0 && next % 100) || next % 400 == 0;
			if (days < (leap ? 366u : 365u))
				break;
			days -= leap ? 366 : 365;
			year++;
		}
		unsigned month = 0;
		while (days >= lengths[month])
			days -= lengths[month++];
		unsigned calendar = (month + 2) % 12 + 1;
		unsigned y = (unsigned)(year + (calendar < 3)) % 10000;
		char *d = put_2(date, y / 100);
		d = put_2(d, y % 100);
		*d++ = '-';
		d = put_2(d, calendar);
		*d++ = '-';
		put_2(d, (unsigned)days + 1);
		known_day = day;
	}
	memcpy(p, date, 10);
	p += 10;
	*p++ = 'T';
	p = put_2(p, rest / 3600000);
	*p++ = ':';
	p = put_2(p, rest / 60000 % 60);
	*p++ = ':';
	p = put_2(p, rest / 1000 % 60);
	*p++ = '.';
	*p++ = (char)('0' + rest % 1000 / 100);
	p = put_2(p, rest % 100);
	*p++ = 'Z';
	return p;
}

static char *put_price(char *p, unsigned cents)
{
	p = put_number(p, cents / 100);
	*p++ = '.';
	return put_2(p, cents % 100);
}

static char *put_json(char *p, uint64_t n, const uint64_t r[6])
{
	unsigned event = (unsigned)(r[2] & 15);
	unsigned path = (unsigned)(r[2] >> 4) % 10;

	p = LIT(p, "{\"event_id\":\"");
	p = put_uuid(p, r[0], r[1]);
	p = LIT(p, "\",\"n\":");
	p = put_number(p, n);
	p = LIT(p, ",\"event\":\"");
	p = put(p, &events[event]);
	p = LIT(p, "\",\"ts\":\"");
	p = put_time(p, n * 17 + (r[2] >> 8 & 15));
	p = LIT(p, "\",\"user\":{\"id\":\"u-");
	p = put_number(p, 100000 + (r[2] >> 12) % 800000);
	p = LIT(p, "\",\"session\":\"");
	p = put_hex(p, mix(r[2] >> 12 & 0xfffff), 4);
	p = r[2] >> 33 & 1 ? LIT(p, "\",\"logged_in\":true}") : LIT(p, "\",\"logged_in\":false}");
	p = LIT(p, ",\"page\":{\"url\":\"");
	p = put(p, &paths[path]);
	p = LIT(p, "\",\"title\":\"");
	p = put(p, &titles[path]);
	if (r[2] >> 34 & 1) {
		p = LIT(p, "\",\"referrer\":\"https:\\/\\/tools.example");
		p = put(p, PICK(paths, r[2] >> 36));
		p = LIT(p, "\"},");
	} else {
		p = LIT(p, "\",\"referrer\":null},");
	}
	p = LIT(p, "\"device\":{\"ua\":\"");
	p = put(p, PICK(agents, r[3]));
	p = LIT(p, "\",\"w\":");
	p = put_number(p, 320 + (r[3] >> 2) % 2240);
	p = LIT(p, ",\"h\":");
	p = put_number(p, 568 + (r[3] >> 14) % 900);
	p = r[3] >> 30 & 1 ? LIT(p, ",\"dpr\":2.0}") : LIT(p, ",\"dpr\":1.25}");
	p = LIT(p, ",\"geo\":{\"country\":");
	p = put(p, PICK(places, r[3] >> 32));
	p = LIT(p, "},\"props\":{\"x\":");
	p = put_number(p, (r[3] >> 36) % 1920);
	p = LIT(p, ",\"y\":");
	p = put_number(p, (r[4] & 0xffff) % 5000);
	switch (event) {
	case EVENT_ADD:
	case EVENT_PURCHASE:
		p = LIT(p, ",\"sku\":\"T-");
		p = put_number(p, 10000 + (r[4] >> 16) % 80000);
		p = LIT(p, "\",\"qty\":");
		p = put_number(p, 1 + (r[4] >> 33) % 5);
		p = LIT(p, ",\"price\":");
		p = put_price(p, 99 + (unsigned)(r[4] >> 36) % 60000);
		p = LIT(p, ",\"currency\":\"EUR\",\"tags\":[\"tool\",\"sale\\t%\",[]]");
		break;
	case EVENT_SEARCH:
	case EVENT_SEARCH_2:
		p = LIT(p, ",\"query\":\"");
		p = put(p, PICK(queries, r[4] >> 16));
		p = LIT(p, "\",\"results\":");
		p = put_number(p, (r[4] >> 36) % 300);
		break;
	case EVENT_VIDEO:
		p = LIT(p, ",\"progress\":");
		p = LIT(p, "-1.50e-3");
		break;
	default:
		break;
	}
	if (!(r[5] & 3)) {
		p = LIT(p, ",\"campaign\":{\"source\":\"newsletter\",\"id\":");
		p = put_number(p, (r[5] >> 2) % 900);
		p = LIT(p, ",\"ab\":[true,false,null]}");
	}
	return LIT(p, "}}\n");
}

static char *put_csv(char *p, uint64_t n, const uint64_t r[6])
{
	unsigned event = (unsigned)(r[2] & 15);

	p = put_uuid(p, r[0], r[1]);
	*p++ = ',';
	p = put_number(p, n);
	*p++ = ',';
	p = put(p, &events[event]);
	*p++ = ',';
	p = put_time(p, n * 17 + (r[2] >> 8 & 15));
	p = LIT(p, ",u-");
	p = put_number(p, 100000 + (r[2] >> 12) % 800000);
	p = r[2] >> 33 & 1 ? LIT(p, ",true,") : LIT(p, ",false,");
	p = put(p, PICK(paths, r[2] >> 4));
	p = LIT(p, ",\"");
	p = put(p, PICK(agents, r[3]));
	p = LIT(p, "\",");
	p = put(p, PICK(csv_places, r[3] >> 32));
	*p++ = ',';
	p = put_number(p, (r[3] >> 36) % 1920);
	*p++ = ',';
	p = put_number(p, (r[4] & 0xffff) % 5000);
	*p++ = ',';
	if (event == EVENT_ADD || event == EVENT_PURCHASE) {
		p = put_price(p, 99 + (unsigned)(r[4] >> 36) % 60000);
		p = LIT(p, ",EUR,");
	} else {
		p = LIT(p, ",,");
	}
	if (event == EVENT_SEARCH || event == EVENT_SEARCH_2)
		p = put(p, PICK(csv_queries, r[4] >> 16));
	*p++ = '\n';
	return p;
}

static const char csv_head[] =
	"event_id,n,event,ts,user_id,logged_in,path,user_agent,country,city,x,y,price,currency,query\n";

static void flush_out(const char *p, size_t len)
{
	while (len) {
		ssize_t n = write(1, p, len);
		if (n < 0) {
			if (errno == EINTR)
				continue;
			fprintf(stderr, "gen_events: cannot write: %s\n", strerror(errno));
			exit(1);
		}
		p += n;
		len -= (size_t)n;
	}
}

static uint64_t parse_number(const char *s)
{
	char *end;

	errno = 0;
	unsigned long long v = strtoull(s, &end, 10);
	if (errno || end == s || *end || *s < '0' || *s > '9') {
		fprintf(stderr, "gen_events: not a number: %s\n", s);
		exit(2);
	}
	return v;
}

int main(int argc, char **argv)
{
	uint64_t rows = 0, bytes = 0, seed = 1, first = 1;
	bool csv = false, have_rows = false;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--csv")) {
			csv = true;
		} else if (!strcmp(argv[i], "--seed") && i + 1 < argc) {
			seed = parse_number(argv[++i]);
		} else if (!strcmp(argv[i], "--start") && i + 1 < argc) {
			first = parse_number(argv[++i]);
		} else if (!strcmp(argv[i], "--bytes") && i + 1 < argc) {
			bytes = parse_number(argv[++i]);
		} else if (!have_rows && argv[i][0] != '-') {
			rows = parse_number(argv[i]);
			have_rows = true;
		} else {
			fprintf(stderr, "usage: gen_events [ROWS] [--csv] [--seed N] [--start N] [--bytes N]\n");
			return 2;
		}
	}
	if (!have_rows && !bytes) {
		fprintf(stderr, "gen_events: say how many ROWS or --bytes\n");
		return 2;
	}
	for (unsigned i = 0; i < 256; i++) {
		hex_pairs[i * 2] = "0123456789abcdef"[i >> 4];
		hex_pairs[i * 2 + 1] = "0123456789abcdef"[i & 15];
	}
	for (unsigned i = 0; i < 100; i++) {
		digit_pairs[i * 2] = (char)('0' + i / 10);
		digit_pairs[i * 2 + 1] = (char)('0' + i % 10);
	}

	static char buf[BUF_BYTES];
	char *p = buf;
	uint64_t written = 0;
	uint64_t salt = mix(seed ^ 0x9d8f2e61c7b3a455ull);

	if (csv)
		p = LIT(p, csv_head);
	for (uint64_t i = 0; !have_rows || i < rows; i++) {
		if (bytes && written + (uint64_t)(p - buf) >= bytes)
			break;
		if (buf + sizeof(buf) - p < RECORD_MAX) {
			flush_out(buf, (size_t)(p - buf));
			written += (uint64_t)(p - buf);
			p = buf;
		}
		uint64_t n = first + i, r[6];
		for (unsigned k = 0; k < 6; k++)
			r[k] = mix(salt + (n * 6 + k) * 0x9e3779b97f4a7c15ull);
		p = csv ? put_csv(p, n, r) : put_json(p, n, r);
	}
	flush_out(buf, (size_t)(p - buf));
	return 0;
}

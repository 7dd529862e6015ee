/* Events: checked, spelled in one way, and put into their envelope. */
#include "collect/event.h"

#include <string.h>

#include "format/json_path.h"
#include "format/json_scan.h"

/* What is added byte by byte, where there is room; the end is terminated by rv_strbuf_add. */
static inline void put(struct rv_strbuf *out, const char *p, size_t len)
{
	if (out->capacity - out->len > len) {
		memcpy(out->bytes + out->len, p, len);
		out->len += len;
		out->bytes[out->len] = '\0';
	} else {
		rv_strbuf_add(out, p, len);
	}
}

static inline void put_char(struct rv_strbuf *out, char c)
{
	put(out, &c, 1);
}

/* Of a literal. */
#define PUT(out, text) put(out, text, sizeof(text) - 1)

static bool is_fault(struct rv_event_fault *fault, const char *code, const char *why, size_t at)
{
	*fault = (struct rv_event_fault){ code, why, at };
	return false;
}

/* ---- strings ---- */

static void add_unit(struct rv_strbuf *out, unsigned unit)
{
	static const char digits[] = "0123456789abcdef";
	char text[6] = { '\\', 'u', digits[unit >> 12 & 15], digits[unit >> 8 & 15],
			 digits[unit >> 4 & 15], digits[unit & 15] };
	put(out, text, sizeof(text));
}

/* One character, as it stands in a JSON string of ASCII. */
static void add_character(struct rv_strbuf *out, unsigned c)
{
	static const char shorts[] = { '\b', 'b', '\t', 't', '\n', 'n', '\f', 'f', '\r', 'r',
				       '"',  '"', '\\', '\\' };
	for (size_t i = 0; i < sizeof(shorts); i += 2)
		if (c == (unsigned char)shorts[i]) {
			put_char(out, '\\');
			put_char(out, shorts[i + 1]);
			return;
		}
	if (c >= 0x10000) {
		add_unit(out, 0xd800 + ((c - 0x10000) >> 10));
		add_unit(out, 0xdc00 + ((c - 0x10000) & 0x3ff));
	} else if (c < 0x20 || c > 0x7e) {
		add_unit(out, c);
	} else {
		put_char(out, (char)c);
	}
}

/* Length of the UTF-8 sequence at p and its character; 0: it is none. */
static size_t utf8_at(const char *text, size_t len, unsigned *ret)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	static const unsigned least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	if (p[0] < 0xc2 || p[0] > 0xf4 || n > len)
		return 0;
	unsigned c = p[0] & (0xffu >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*ret = c;
	return n;
}

static const bool plain[256] = { [0x20 ... 0x21] = true, [0x23 ... 0x5b] = true, [0x5d ... 0x7e] = true };

static bool is_plain(unsigned char c)
{
	return plain[c];
}

#define EACH_BYTE(byte) (UINT64_C(0x0101010101010101) * (byte))

static uint64_t has_zero(uint64_t word)
{
	return (word - EACH_BYTE(1)) & ~word & EACH_BYTE(0x80);
}

/* How many bytes there are plain, eight at a time. */
static size_t plain_run(const char *p, size_t len)
{
	size_t run = 0;
	for (; len - run >= sizeof(uint64_t); run += sizeof(uint64_t)) {
		uint64_t word;
		memcpy(&word, p + run, sizeof(word));
		uint64_t others = (word & EACH_BYTE(0x80)) | ((word - EACH_BYTE(0x20)) & ~word & EACH_BYTE(0x80)) |
				  has_zero(word ^ EACH_BYTE('"')) | has_zero(word ^ EACH_BYTE('\\')) |
				  has_zero(word ^ EACH_BYTE(0x7f));
		if (others)
			break;
	}
	while (run < len && is_plain((unsigned char)p[run]))
		run++;
	return run;
}

/* Bytes of a header: UTF-8 where they are that, else each its own character. */
static void add_bytes(struct rv_strbuf *out, struct rv_str s)
{
	for (size_t i = 0; i < s.len;) {
		size_t run = plain_run(s.p + i, s.len - i);
		put(out, s.p + i, run);
		i += run;
		if (i == s.len)
			break;
		unsigned c = (unsigned char)s.p[i];
		size_t n = c < 0x80 ? 1 : utf8_at(s.p + i, s.len - i, &c);
		add_character(out, c);
		i += n ? n : 1;
	}
}

static void add_string(struct rv_strbuf *out, struct rv_str s)
{
	put_char(out, '"');
	add_bytes(out, s);
	put_char(out, '"');
}

static unsigned read_hex4(const char *p)
{
	unsigned unit = 0;
	for (int i = 0; i < 4; i++) {
		char c = p[i];
		unsigned digit = c >= '0' && c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a' + 10);
		unit = unit << 4 | (digit & 15);
	}
	return unit;
}

/* The escape at p[0] = '\\', respelled; its length. Halves of a pair are kept as such. */
static size_t add_escape(struct rv_strbuf *out, const char *p, size_t len)
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	if (len < 2)
		return len;
	if (p[1] == 'u' && len >= 6) {
		unsigned unit = read_hex4(p + 2);
		if (unit >= 0xd800 && unit <= 0xdfff)
			add_unit(out, unit);
		else
			add_character(out, unit);
		return 6;
	}
	const char *known = strchr(from, p[1]);
	add_character(out, known && p[1] ? (unsigned char)to[known - from] : (unsigned char)p[1]);
	return 2;
}

/* ---- the body ---- */

/* The string at p[0] = '"', respelled; its length with the quotes. */
static size_t add_text_string(struct rv_strbuf *out, const char *p, size_t len)
{
	size_t i = 1;
	put_char(out, '"');
	while (i < len && p[i] != '"') {
		size_t run = plain_run(p + i, len - i);
		put(out, p + i, run);
		i += run;
		if (i == len || p[i] == '"')
			break;
		if (p[i] == '\\') {
			i += add_escape(out, p + i, len - i);
			continue;
		}
		unsigned c = (unsigned char)p[i];
		size_t n = c < 0x80 ? 1 : utf8_at(p + i, len - i, &c);
		add_character(out, c);
		i += n ? n : 1;
	}
	put_char(out, '"');
	return i < len ? i + 1 : len;
}

/* Which of the event's own keys the string at `key` (with quotes, as stored) is; RV_EVENT_KEYS: none. */
static enum rv_event_key which(const char *key, size_t len)
{
	static const struct {
		char name[4];
		enum rv_event_key key;
	} known[] = { { "cid", RV_EVENT_CID }, { "uip", RV_EVENT_UIP }, { "uid", RV_EVENT_UID },
		      { "ua", RV_EVENT_UA },   { "dl", RV_EVENT_DL },   { "dr", RV_EVENT_DR },
		      { "z", RV_EVENT_Z } };
	char name[4] = { 0 };
	if (len - 2 >= sizeof(name))
		return RV_EVENT_KEYS;
	memcpy(name, key + 1, len - 2);
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (memcmp(known[i].name, name, sizeof(name)) == 0)
			return known[i].key;
	return RV_EVENT_KEYS;
}

/* Offsets of a member of the outer object while the text still moves. */
struct member {
	enum rv_event_key key;
	bool after_colon;
	size_t from;
};

static void member_ends(struct member *m, const struct rv_strbuf *out, size_t (*spans)[2])
{
	if (m->after_colon && m->key < RV_EVENT_KEYS) {
		spans[m->key][0] = m->from;
		spans[m->key][1] = out->len;
	}
	m->after_colon = false;
	m->key = RV_EVENT_KEYS;
}

/* What numbers and the three words are made of. */
static const bool in_word[256] = { ['0' ... '9'] = true, ['a' ... 'z'] = true, ['A' ... 'Z'] = true,
				   ['+'] = true, ['-'] = true, ['.'] = true };

/* Copies a valid object in the one spelling; where values of the event's keys are comes with it. */
static void respell(const char *p, size_t len, struct rv_strbuf *out, size_t (*spans)[2])
{
	struct member member = { .key = RV_EVENT_KEYS };
	unsigned depth = 0;
	for (size_t i = 0; i < len;) {
		char c = p[i];
		switch (c) {
		case ' ':
		case '\t':
		case '\n':
		case '\r':
			i++;
			break;
		case '{':
		case '[':
			depth++;
			put_char(out, c);
			i++;
			break;
		case '}':
		case ']':
			if (depth == 1)
				member_ends(&member, out, spans);
			depth -= depth > 0;
			put_char(out, c);
			i++;
			break;
		case ',':
			if (depth == 1)
				member_ends(&member, out, spans);
			put(out, ", ", 2);
			i++;
			break;
		case ':':
			put(out, ": ", 2);
			if (depth == 1) {
				member.after_colon = true;
				member.from = out->len;
			}
			i++;
			break;
		case '"': {
			size_t from = out->len;
			i += add_text_string(out, p + i, len - i);
			if (depth == 1 && !member.after_colon)
				member.key = which(out->bytes + from, out->len - from);
			break;
		}
		default: { /* numbers and the three words */
			size_t run = i + 1;
			while (run < len && in_word[(unsigned char)p[run]])
				run++;
			put(out, p + i, run - i);
			i = run;
		}
		}
	}
}

static bool is_number(struct rv_str value)
{
	return value.len && (value.p[0] == '-' || (value.p[0] >= '0' && value.p[0] <= '9'));
}

static bool check_keys(const struct rv_event *event, struct rv_event_fault *fault)
{
	static const char *const missing[] = { "cid is missing", "z is missing" };
	static const char *const wrong[] = { "cid is no text and no number", "z is no text and no number" };
	static const char *const no_text[] = { "uip is no text", "ua is no text", "dl is no text",
					       "dr is no text", "uid is no text" };
	for (int k = RV_EVENT_CID; k <= RV_EVENT_Z; k++) {
		struct rv_str value = event->keys[k];
		if (!value.p || rv_str_is(value, "\"\"") || rv_str_is(value, "null"))
			return is_fault(fault, k == RV_EVENT_CID ? "no_cid" : "no_z", missing[k], 0);
		if (value.p[0] != '"' && !is_number(value))
			return is_fault(fault, "wrong_type", wrong[k], 0);
	}
	for (int k = RV_EVENT_UIP; k < RV_EVENT_KEYS; k++) {
		struct rv_str value = event->keys[k];
		if (value.p && value.p[0] != '"' && !is_number(value) && !rv_str_is(value, "null"))
			return is_fault(fault, "wrong_type", no_text[k - RV_EVENT_UIP], 0);
	}
	return true;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void trim(const char **p, size_t *len)
{
	while (*len && is_space((*p)[*len - 1]))
		(*len)--;
	while (*len && is_space(**p)) {
		(*p)++;
		(*len)--;
	}
}

bool rv_event_read(const char *p, size_t len, struct rv_strbuf *text, struct rv_event *ret,
		   struct rv_event_fault *fault)
{
	const char *whole = p;
	struct rv_json_scan scan;
	size_t spans[RV_EVENT_KEYS][2] = { { 0 } };
	trim(&p, &len);
	size_t before = (size_t)(p - whole);
	if (!len)
		return is_fault(fault, "empty", "there is nothing in it", before);
	if (rv_json_scan_object(p, len, RV_EVENT_DEPTH_MAX, 0, &scan) != RV_JSON_OK)
		return is_fault(fault, scan.fault == RV_JSON_NOT_OBJECT ? "not_object" : "not_json",
				rv_json_fault_text(scan.fault), before + scan.end);
	if (scan.end != len)
		return is_fault(fault, "not_json", "something stands behind the object", before + scan.end);
	rv_strbuf_clear(text);
	rv_strbuf_reserve(text, len + len / 4 + 64);
	respell(p, len, text, spans);
	ret->body = (struct rv_str){ text->bytes, text->len };
	for (size_t k = 0; k < RV_EVENT_KEYS; k++)
		ret->keys[k] = spans[k][1] ? (struct rv_str){ text->bytes + spans[k][0],
							      spans[k][1] - spans[k][0] }
					   : (struct rv_str){ NULL, 0 };
	return check_keys(ret, fault);
}

/* ---- forms ---- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decoded into the inside of a JSON string; bytes that are not ASCII stay as they are. */
static bool add_form_text(struct rv_strbuf *out, const char *p, size_t len, size_t offset,
			  struct rv_event_fault *fault)
{
	put_char(out, '"');
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)p[i];
		if (c == '%') {
			int high = i + 2 < len ? hex_digit(p[i + 1]) : -1;
			int low = high >= 0 ? hex_digit(p[i + 2]) : -1;
			if (low < 0)
				return is_fault(fault, "not_form", "a % without two hexadecimal digits",
						offset + i);
			c = (unsigned char)(high << 4 | low);
			i += 2;
		} else if (c == '+') {
			c = ' ';
		}
		if (c < 0x80)
			add_character(out, c);
		else
			put_char(out, (char)c);
	}
	put_char(out, '"');
	return true;
}

bool rv_event_from_form(const char *p, size_t len, struct rv_strbuf *json,
			struct rv_event_fault *fault)
{
	bool first = true;
	put_char(json, '{');
	for (size_t at = 0; at < len;) {
		const char *end = memchr(p + at, '&', len - at);
		size_t pair = end ? (size_t)(end - p) - at : len - at;
		const char *equals = memchr(p + at, '=', pair);
		size_t name = equals ? (size_t)(equals - p) - at : pair;
		if (pair) {
			if (!first)
				PUT(json, ", ");
			first = false;
			if (!add_form_text(json, p + at, name, at, fault))
				return false;
			PUT(json, ": ");
			size_t value = name < pair ? name + 1 : pair;
			if (!add_form_text(json, p + at + value, pair - value, at + value, fault))
				return false;
		}
		at += pair + 1;
	}
	put_char(json, '}');
	return true;
}

/* ---- bodies ---- */

static void split_lines(const char *p, size_t len,
			void (*each)(void *arg, const char *event, size_t event_len), void *arg)
{
	for (size_t at = 0; at < len;) {
		const char *end = memchr(p + at, '\n', len - at);
		size_t n = end ? (size_t)(end - p) - at : len - at;
		const char *line = p + at;
		at += n + 1;
		trim(&line, &n);
		if (n)
			each(arg, line, n);
	}
}

bool rv_event_split(const char *p, size_t len, bool lines, struct rv_strbuf *scratch,
		    void (*each)(void *arg, const char *event, size_t event_len), void *arg,
		    struct rv_event_fault *fault)
{
	const char *whole = p;
	struct rv_json_iter iter;
	struct rv_json_value value;
	if (lines) {
		split_lines(p, len, each, arg);
		return true;
	}
	trim(&p, &len);
	if (!len || p[0] != '[') {
		each(arg, p, len);
		return true;
	}
	/* The scanner judges objects: so the array becomes the only member of one. */
	static const char before[] = "{\"\":";
	struct rv_json_scan scan;
	rv_strbuf_clear(scratch);
	rv_strbuf_reserve(scratch, len + sizeof(before) + 1);
	rv_strbuf_puts(scratch, before);
	put(scratch, p, len);
	put_char(scratch, '}');
	rv_json_scan_object(scratch->bytes, scratch->len, RV_EVENT_DEPTH_MAX + 2, 0, &scan);
	size_t at = scan.end < strlen(before) ? 0 : scan.end - strlen(before);
	at += (size_t)(p - whole);
	if (scan.fault != RV_JSON_OK)
		return is_fault(fault, "not_json", rv_json_fault_text(scan.fault), at);
	if (scan.end != scratch->len)
		return is_fault(fault, "not_json", "something stands behind the array", at);
	/* `[1]}, {"":[2]` is an object in there, and no array out here. */
	for (rv_json_iter_init(&iter, scratch->bytes, scratch->len);
	     rv_json_iter_next(&iter, NULL, &value);)
		if (value.len != len)
			return is_fault(fault, "not_json", "something stands behind the array", at);
	rv_json_iter_init(&iter, p, len);
	while (rv_json_iter_next(&iter, NULL, &value))
		each(arg, value.p, value.len);
	return true;
}

/* ---- the envelope ---- */

/* Never stored: whoever reads the lake could send in the sender's name. */
static bool is_credential(struct rv_str name)
{
	return rv_http_name_is(name, "authorization") || rv_http_name_is(name, "x-write-key") ||
	       rv_http_name_is(name, "proxy-authorization");
}

/* Of letters alone: '^' and '~' are two characters of names. */
static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static bool same_name(struct rv_str a, struct rv_str b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (lower(a.p[i]) != lower(b.p[i]))
			return false;
	return true;
}

void rv_event_headers(const struct rv_http_head *head, struct rv_strbuf *out)
{
	bool first = true;
	put_char(out, '{');
	for (size_t i = 0; i < head->fields_count; i++) {
		const struct rv_http_field *f = &head->fields[i];
		size_t earlier = 0;
		while (earlier < i && !same_name(head->fields[earlier].name, f->name))
			earlier++;
		if (earlier < i || is_credential(f->name))
			continue;
		if (!first)
			PUT(out, ", ");
		first = false;
		add_string(out, f->name);
		PUT(out, ": \"");
		add_bytes(out, f->value);
		for (size_t k = i + 1; k < head->fields_count; k++) {
			if (!same_name(head->fields[k].name, f->name))
				continue;
			PUT(out, ", ");
			add_bytes(out, head->fields[k].value);
		}
		put_char(out, '"');
	}
	put_char(out, '}');
}

static void add_value(struct rv_strbuf *out, struct rv_str name, struct rv_str value)
{
	put(out, name.p, name.len);
	if (value.p)
		put(out, value.p, value.len);
	else
		PUT(out, "null");
}

static void add_number(struct rv_strbuf *out, struct rv_str name, int64_t value)
{
	char text[24];
	size_t at = sizeof(text);
	uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
	do
		text[--at] = (char)('0' + left % 10);
	while (left /= 10);
	if (value < 0)
		text[--at] = '-';
	put(out, name.p, name.len);
	put(out, text + at, sizeof(text) - at);
}

static struct rv_str without_port(struct rv_str host)
{
	size_t len = host.len;
	while (len && host.p[len - 1] >= '0' && host.p[len - 1] <= '9')
		len--;
	if (len && host.p[len - 1] == ':')
		host.len = len - 1;
	return host;
}

/* A key of the body that is there counts, also as null; else a header's value. */
static void add_or(struct rv_strbuf *out, struct rv_str name, struct rv_str value,
		   const struct rv_http_field *field, const char *otherwise)
{
	if (value.p || (!field && !otherwise)) {
		add_value(out, name, value);
		return;
	}
	put(out, name.p, name.len);
	add_string(out, field ? field->value : rv_str_of(otherwise));
}

/* A literal with its length. */
#define TEXT(text) ((struct rv_str){ text, sizeof(text) - 1 })

void rv_event_envelope(struct rv_strbuf *out, const struct rv_event_request *request,
		       const struct rv_event *event)
{
	const struct rv_http_head *head = request->head;
	const struct rv_str *keys = event->keys;
	rv_strbuf_reserve(out, event->body.len + request->headers.len + 1024);
	add_or(out, TEXT("{\"service\": {\"id\": \"api.collect\"}, \"context\": {\"user_ip\": "),
	       keys[RV_EVENT_UIP], rv_http_head_field(head, "x-forwarded-for"), request->peer);
	add_or(out, TEXT(", \"user_agent\": "), keys[RV_EVENT_UA], rv_http_head_field(head, "user-agent"), NULL);
	add_value(out, TEXT(", \"document_location\": "), keys[RV_EVENT_DL]);
	add_value(out, TEXT(", \"document_referrer\": "), keys[RV_EVENT_DR]);
	add_value(out, TEXT(", \"client_id\": "), keys[RV_EVENT_CID]);
	add_value(out, TEXT(", \"user_id\": "), keys[RV_EVENT_UID]);
	add_value(out, TEXT("}, \"request\": {\"id\": "), keys[RV_EVENT_Z]);
	add_number(out, TEXT(", \"timestamp\": "), request->received_ms);
	PUT(out, ", \"hostname\": ");
	if (head->host.len)
		add_string(out, without_port(head->host));
	else
		PUT(out, "null");
	PUT(out, ", \"path\": ");
	add_string(out, head->path);
	PUT(out, ", \"method\": ");
	add_string(out, head->method);
	add_value(out, TEXT(", \"headers\": "), request->headers);
	add_value(out, TEXT(", \"body\": "), event->body);
	add_value(out, TEXT("}, \"response\": {\"id\": "), keys[RV_EVENT_Z]);
	add_number(out, TEXT(", \"timestamp\": "), request->answered_ms);
	PUT(out, ", \"statusCode\": 200, \"headers\": {\"Content-Type\": \"image/gif\"");
	if (request->allow_origin) {
		PUT(out, ", \"Access-Control-Allow-Origin\": ");
		add_string(out, rv_str_of(request->allow_origin));
	}
	PUT(out, "}}}\n");
}

bool rv_event_stored_body(const char *record, size_t len, struct rv_str *ret)
{
	struct rv_json_iter iter;
	struct rv_json_key key;
	struct rv_json_value value, request = { .p = NULL };
	rv_json_iter_init(&iter, record, len);
	while (rv_json_iter_next(&iter, &key, &value))
		if (rv_str_is((struct rv_str){ key.p, key.len }, "request"))
			request = value;
	if (!request.p)
		return false;
	bool found = false;
	rv_json_iter_init(&iter, request.p, request.len);
	while (rv_json_iter_next(&iter, &key, &value))
		if (rv_str_is((struct rv_str){ key.p, key.len }, "body")) {
			*ret = (struct rv_str){ value.p, value.len };
			found = true;
		}
	return found;
}

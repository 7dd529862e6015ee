/* Percent-encoding, dates and waits as the protocol writes them, and what must not be shown. */
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/number.h"
#include "http/internal.h"

static bool unreserved(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '.' || c == '_' || c == '~';
}

void rv_http_encode(struct rv_strbuf *out, const char *bytes, size_t len, bool keep_slash)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)bytes[i];

		if (unreserved(bytes[i]) || (c == '/' && keep_slash)) {
			rv_strbuf_putc(out, bytes[i]);
		} else {
			rv_strbuf_putc(out, '%');
			rv_strbuf_putc(out, digits[c >> 4]);
			rv_strbuf_putc(out, digits[c & 15]);
		}
	}
}

void rv_http_origin(struct rv_strbuf *out, const char *url)
{
	const char *host = strstr(url, "://");

	host = host ? host + 3 : url;
	rv_strbuf_add(out, url, (size_t)(host - url));
	size_t len = strcspn(host, "/?#");
	const char *at = memrchr(host, '@', len);
	if (at) {
		len -= (size_t)(at + 1 - host);
		host = at + 1;
	}
	rv_strbuf_add(out, host, len);
}

/* ---- dates and waits ---- */
static bool number_at(const char *s, size_t len, unsigned *ret)
{
	uint64_t v;

	if (!rv_parse_u64(s, len, &v))
		return false;
	*ret = (unsigned)v;
	return true;
}

bool rv_http_parse_date(const char *s, int64_t *ret_ms)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	unsigned year, month, day, hour, minute, second;

	if (strlen(s) != 29 || s[3] != ',' || s[4] != ' ' || s[7] != ' ' || s[11] != ' ' ||
	    s[16] != ' ' || s[19] != ':' || s[22] != ':' || strcmp(s + 25, " GMT") != 0)
		return false;
	for (month = 0; month < 12; month++)
		if (strncmp(s + 8, months + 3 * (size_t)month, 3) == 0)
			break;
	if (month == 12 || !number_at(s + 5, 2, &day) || !number_at(s + 12, 4, &year) ||
	    !number_at(s + 17, 2, &hour) || !number_at(s + 20, 2, &minute) ||
	    !number_at(s + 23, 2, &second))
		return false;
	/* 60 is a leap second */
	if (day < 1 || day > rv_days_in_month(year, month + 1) || hour > 23 || minute > 59 ||
	    second > 60)
		return false;
	*ret_ms = (rv_days_from_civil(year, month + 1, day) * 86400 + hour * 3600 + minute * 60 +
		   second) * 1000;
	return true;
}

#define WEEK_MS (7 * 86400 * INT64_C(1000))

int64_t rv_http_wait_s_ms(uint64_t seconds)
{
	return seconds > (uint64_t)WEEK_MS / 1000 ? WEEK_MS : (int64_t)seconds * 1000;
}

int64_t rv_http_wait_until_ms(int64_t until_ms, int64_t date_ms, int64_t now_ms)
{
	/* The server's own clock, when it says what that shows. */
	int64_t wait_ms = until_ms - (date_ms >= 0 ? date_ms : now_ms);

	return wait_ms < 0 ? 0 : wait_ms > WEEK_MS ? WEEK_MS : wait_ms;
}

int64_t rv_http_retry_after_ms(const struct rv_http_response *response, int64_t now_ms)
{
	const char *ms_text = rv_http_headers_get(&response->headers, "x-amz-retry-after");
	const char *text = rv_http_headers_get(&response->headers, "Retry-After");
	int64_t date_ms;
	uint64_t n;

	if (ms_text && rv_parse_u64(ms_text, strlen(ms_text), &n))
		return n > (uint64_t)WEEK_MS ? WEEK_MS : (int64_t)n;
	if (text && rv_parse_u64(text, strlen(text), &n))
		return rv_http_wait_s_ms(n);
	if (text && rv_http_parse_date(text, &date_ms))
		return rv_http_wait_until_ms(date_ms, response->date_ms, now_ms);
	return -1;
}

/* ---- secrets ---- */
/* A name, and what follows it up to the end of the value: the line for headers, a word otherwise. */
static const struct {
	const char *name;
	bool line;
} secrets[] = {
	{ "proxy-authorization", true },
	{ "authorization", true },
	{ "authorizationtoken", false },
	{ "x-amz-security-token", false },
	{ "x-amz-signature", false },
	{ "x-aws-ec2-metadata-token", false },
	{ "x-amz-sso_bearer_token", false },
	{ "secretaccesskey", false },
	{ "secret_access_key", false },
	{ "aws_secret_access_key", false },
	{ "sessiontoken", false },
	{ "session_token", false },
	{ "aws_session_token", false },
	{ "accesstoken", false },
	{ "refreshtoken", false },
	{ "clientsecret", false },
	{ "webidentitytoken", false },
	{ "aws_secret_key", false },
	{ "aws_token", false },
	{ "passphrase", false },
	{ "private_key_passphrase", false },
	{ "token", false },
	{ "password", false },
	{ "signature", false },
	{ "bearer", false },
};
#define WORD_END " \t\r\n&\"'<>,;"
#define TAKEN_OUT "***"

static bool in_name(char c)
{
	return unreserved(c) && c != '.' && c != '~';
}

/* How many bytes from `s` name a secret and lead to its value; 0: none. */
static size_t leads_to_secret(const char *s, bool *ret_line)
{
	for (size_t i = 0; i < sizeof(secrets) / sizeof(*secrets); i++) {
		size_t name_len = strlen(secrets[i].name);

		if (strncasecmp(s, secrets[i].name, name_len) != 0 || in_name(s[name_len]))
			continue;
		/* name: value, name=value, "name": "value", <name>value, bearer value */
		bool bearer = strcmp(secrets[i].name, "bearer") == 0;
		size_t to_mark = strspn(s + name_len, "\"' \t");
		char mark = s[name_len + to_mark];
		if (!(mark && strchr(":=>", mark)) && !(bearer && to_mark > 0))
			continue;
		size_t len = name_len + strspn(s + name_len, "\"' \t:=>");
		if (s[len] == '\0')
			continue;
		*ret_line = secrets[i].line;
		return len;
	}
	return 0;
}

/* A JSON Web Token as it stands: three parts in base64url, the first of which begins a JSON object
 * (RFC 7519). Its length, 0: none. */
static size_t jwt_len(const char *s)
{
	size_t len = 0;

	if (strncmp(s, "eyJ", 3) != 0)
		return 0;
	for (int part = 0; part < 3; part++) {
		size_t n = 0;

		while (in_name(s[len + n]))
			n++;
		len += n;
		if (n < 16 || (part < 2 && s[len++] != '.'))
			return 0;
	}
	return len;
}

/* The bytes of "user:password@" that follow "://" at `s`; 0: none. */
static size_t user_info_len(const char *s)
{
	size_t len = strcspn(s, "/?# \t\r\n\"'<>");
	const char *at = memrchr(s, '@', len);

	return at ? (size_t)(at - s) : 0;
}

void rv_http_redact(struct rv_strbuf *out, const char *text)
{
	bool at_start = true, line;

	for (const char *p = text; *p;) {
		size_t lead = at_start ? leads_to_secret(p, &line) : 0;
		size_t jwt = at_start && lead == 0 ? jwt_len(p) : 0;

		if (jwt > 0) {
			rv_strbuf_puts(out, TAKEN_OUT);
			p += jwt;
			continue;
		}
		if (lead > 0) {
			rv_strbuf_add(out, p, lead);
			rv_strbuf_puts(out, TAKEN_OUT);
			p += lead;
			if (line)
				p += strcspn(p, p[-1] == '"' ? "\r\n\"" : "\r\n");
			else
				p += strcspn(p, WORD_END);
			continue;
		}
		at_start = !in_name(*p);
		if (strncmp(p, "://", 3) == 0) {
			size_t user = user_info_len(p + 3);

			rv_strbuf_puts(out, "://");
			if (user > 0)
				rv_strbuf_puts(out, TAKEN_OUT);
			p += 3 + user;
			at_start = true;
			continue;
		}
		rv_strbuf_putc(out, *p++);
	}
}

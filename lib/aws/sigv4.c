/*
 * Signature Version 4. A signature is four digests once the signing key is known, so the keys of
 * the last few (secret, day, region, service) are remembered; each would be ten digests.
 */
#include "aws/sigv4.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/memory.h"

#define ALGORITHM "AWS4-HMAC-SHA256"
#define STAMP_TEXT 17 /* "20150830T123600Z" */
#define DAY_LEN 8
#define PRESIGN_MAX_S 604800

/* ---- credentials ---- */
static void wipe_text(char **text)
{
	if (*text)
		explicit_bzero(*text, strlen(*text));
	rv_free_p(text);
}

void rv_aws_credentials_release(struct rv_aws_credentials *credentials)
{
	wipe_text(&credentials->access_key_id);
	wipe_text(&credentials->secret_access_key);
	wipe_text(&credentials->session_token);
	credentials->expires_ms = 0;
}

void rv_aws_credentials_copy(struct rv_aws_credentials *to, const struct rv_aws_credentials *from)
{
	to->access_key_id = rv_strdup(from->access_key_id);
	to->secret_access_key = rv_strdup(from->secret_access_key);
	to->session_token = from->session_token ? rv_strdup(from->session_token) : NULL;
	to->expires_ms = from->expires_ms;
}

/* ---- the signing key ---- */
struct key_slot {
	uint8_t id[RV_SHA256_BYTES]; /* digest of what the key was derived from */
	uint8_t key[RV_SHA256_BYTES];
	bool used;
};
static struct {
	pthread_mutex_t lock;
	struct key_slot slots[4];
	unsigned next;
} keys = { .lock = PTHREAD_MUTEX_INITIALIZER };

void rv_sigv4_forget_keys(void)
{
	pthread_mutex_lock(&keys.lock);
	explicit_bzero(keys.slots, sizeof(keys.slots));
	pthread_mutex_unlock(&keys.lock);
}

static bool remembered_key(const uint8_t *id, uint8_t *ret)
{
	bool found = false;
	pthread_mutex_lock(&keys.lock);
	for (size_t i = 0; !found && i < sizeof(keys.slots) / sizeof(*keys.slots); i++) {
		struct key_slot *slot = &keys.slots[i];
		found = slot->used && memcmp(slot->id, id, RV_SHA256_BYTES) == 0;
		if (found)
			memcpy(ret, slot->key, RV_SHA256_BYTES);
	}
	pthread_mutex_unlock(&keys.lock);
	return found;
}

static void remember_key(const uint8_t *id, const uint8_t *key)
{
	pthread_mutex_lock(&keys.lock);
	struct key_slot *slot = &keys.slots[keys.next++ % (sizeof(keys.slots) / sizeof(*keys.slots))];
	memcpy(slot->id, id, RV_SHA256_BYTES);
	memcpy(slot->key, key, RV_SHA256_BYTES);
	slot->used = true;
	pthread_mutex_unlock(&keys.lock);
}

static void wipe_strbuf(struct rv_strbuf *sb)
{
	explicit_bzero(sb->bytes, sb->capacity);
	rv_strbuf_release(sb);
}

static enum rv_status signing_key(const struct rv_sigv4 *sign, const char *day,
				  uint8_t ret[RV_SHA256_BYTES], struct rv_error *err)
{
	const char *secret = sign->credentials->secret_access_key;
	RV_CLEANUP(wipe_strbuf) struct rv_strbuf text = RV_STRBUF_INIT;
	/* No growing in between: a freed copy of the secret would stay behind. */
	rv_strbuf_reserve(&text, strlen(secret) + strlen(sign->region) + strlen(sign->service) + 32);
	rv_strbuf_puts(&text, "AWS4");
	rv_strbuf_puts(&text, secret);
	size_t secret_len = text.len;
	rv_strbuf_putc(&text, '\n');
	rv_strbuf_add(&text, day, DAY_LEN);
	rv_strbuf_putc(&text, '\n');
	rv_strbuf_puts(&text, sign->region);
	rv_strbuf_putc(&text, '\n');
	rv_strbuf_puts(&text, sign->service);

	uint8_t id[RV_SHA256_BYTES];
	enum rv_status status = rv_sha256(text.bytes, text.len, id, err);
	if (status != RV_OK || remembered_key(id, ret))
		return status;
	const struct rv_str parts[] = {
		{ day, DAY_LEN },
		rv_str_of(sign->region),
		rv_str_of(sign->service),
		RV_STR("aws4_request"),
	};
	const void *key = text.bytes;
	size_t key_len = secret_len;
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		uint8_t next[RV_SHA256_BYTES];
		status = rv_hmac_sha256(key, key_len, parts[i].p, parts[i].len, next, err);
		if (status != RV_OK)
			return status;
		memcpy(ret, next, sizeof(next));
		explicit_bzero(next, sizeof(next));
		key = ret;
		key_len = RV_SHA256_BYTES;
	}
	remember_key(id, ret);
	return RV_OK;
}

static void format_stamp(int64_t now_ms, char ret[STAMP_TEXT])
{
	struct rv_date d;
	rv_date_from_ms(now_ms, &d);
	snprintf(ret, STAMP_TEXT, "%04u%02u%02uT%02u%02u%02uZ", (unsigned)d.year % 10000,
		 d.month % 100, d.day % 100, d.hour % 100, d.minute % 100, d.second % 100);
}

static void add_scope(struct rv_strbuf *out, const struct rv_sigv4 *sign, const char *stamp)
{
	rv_strbuf_add(out, stamp, DAY_LEN);
	rv_strbuf_putc(out, '/');
	rv_strbuf_puts(out, sign->region);
	rv_strbuf_putc(out, '/');
	rv_strbuf_puts(out, sign->service);
	rv_strbuf_puts(out, "/aws4_request");
}

static enum rv_status signature(const struct rv_sigv4 *sign, const char *stamp,
				const struct rv_strbuf *canonical, char ret[RV_SHA256_HEX],
				struct rv_error *err)
{
	char hash[RV_SHA256_HEX];
	uint8_t key[RV_SHA256_BYTES], mac[RV_SHA256_BYTES];
	enum rv_status status = rv_sha256_hex(canonical->bytes, canonical->len, hash, err);
	if (status == RV_OK)
		status = signing_key(sign, stamp, key, err);
	if (status != RV_OK)
		return status;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	rv_strbuf_puts(&text, ALGORITHM "\n");
	rv_strbuf_puts(&text, stamp);
	rv_strbuf_putc(&text, '\n');
	add_scope(&text, sign, stamp);
	rv_strbuf_putc(&text, '\n');
	rv_strbuf_puts(&text, hash);
	status = rv_hmac_sha256(key, sizeof(key), text.bytes, text.len, mac, err);
	explicit_bzero(key, sizeof(key));
	if (status == RV_OK)
		rv_hex(mac, sizeof(mac), ret);
	return status;
}

/* ---- canonical parts ---- */
static int hex_digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

/* Encodes what is encoded already, in whatever way, the one way that is signed. */
static void add_encoded_again(struct rv_strbuf *out, struct rv_str text)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf plain = RV_STRBUF_INIT;
	for (size_t i = 0; i < text.len; i++) {
		int high, low;
		if (text.p[i] == '%' && i + 2 < text.len && (high = hex_digit(text.p[i + 1])) >= 0 &&
		    (low = hex_digit(text.p[i + 2])) >= 0) {
			rv_strbuf_putc(&plain, (char)(high << 4 | low));
			i += 2;
		} else {
			rv_strbuf_putc(&plain, text.p[i]);
		}
	}
	rv_http_encode(out, plain.bytes, plain.len, false);
}

struct pair {
	size_t name, value, end; /* offsets in the buffer: name is up to value, value up to end */
};
struct pairs {
	struct rv_strbuf text;
	struct pair *items;
	size_t count, capacity;
};
#define PAIRS_INIT { .text = RV_STRBUF_INIT }

static void pairs_release(struct pairs *pairs)
{
	rv_strbuf_release(&pairs->text);
	rv_free_p(&pairs->items);
}

static void pairs_add(struct pairs *pairs, struct rv_str name, struct rv_str value)
{
	RV_GROW(pairs->items, pairs->count, pairs->capacity);
	struct pair *pair = &pairs->items[pairs->count++];
	pair->name = pairs->text.len;
	add_encoded_again(&pairs->text, name);
	pair->value = pairs->text.len;
	add_encoded_again(&pairs->text, value);
	pair->end = pairs->text.len;
}

/* A value that is not encoded yet. */
static void pairs_add_plain(struct pairs *pairs, const char *name, const char *value)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf encoded = RV_STRBUF_INIT;
	rv_http_encode(&encoded, value, strlen(value), false);
	pairs_add(pairs, rv_str_of(name), (struct rv_str){ encoded.bytes, encoded.len });
}

static void pairs_add_query(struct pairs *pairs, const char *query)
{
	for (const char *p = query ? query : ""; *p;) {
		size_t len = strcspn(p, "&"), name_len = strcspn(p, "=&");
		if (len > 0) {
			size_t value_at = name_len < len ? name_len + 1 : len;
			pairs_add(pairs, (struct rv_str){ p, name_len },
				  (struct rv_str){ p + value_at, len - value_at });
		}
		p += len + (p[len] == '&');
	}
}

static int compare_bytes(const char *a, size_t a_len, const char *b, size_t b_len)
{
	int order = memcmp(a, b, a_len < b_len ? a_len : b_len);
	return order ? order : (a_len > b_len) - (a_len < b_len);
}

static int compare_pairs(const void *a, const void *b, void *bytes)
{
	const struct pair *x = a, *y = b;
	const char *text = bytes;
	int order = compare_bytes(text + x->name, x->value - x->name, text + y->name,
				  y->value - y->name);
	return order ? order
		     : compare_bytes(text + x->value, x->end - x->value, text + y->value,
				     y->end - y->value);
}

static void add_canonical_query(struct rv_strbuf *out, struct pairs *pairs)
{
	if (pairs->count > 1)
		qsort_r(pairs->items, pairs->count, sizeof(*pairs->items), compare_pairs,
			pairs->text.bytes);
	for (size_t i = 0; i < pairs->count; i++) {
		const struct pair *pair = &pairs->items[i];
		if (i > 0)
			rv_strbuf_putc(out, '&');
		rv_strbuf_add(out, pairs->text.bytes + pair->name, pair->value - pair->name);
		rv_strbuf_putc(out, '=');
		rv_strbuf_add(out, pairs->text.bytes + pair->value, pair->end - pair->value);
	}
}

/* Dot segments and doubled slashes resolved as AWS's signers do it: a dot segment at the end leaves
 * no slash behind, unlike in RFC 3986. */
static void add_normalised_path(struct rv_strbuf *out, const char *path)
{
	size_t start = out->len;
	for (const char *p = path; *p;) {
		size_t len = strcspn(p, "/");
		if (len == 2 && memcmp(p, "..", 2) == 0) {
			while (out->len > start && out->bytes[out->len - 1] != '/')
				rv_strbuf_truncate(out, out->len - 1);
			if (out->len > start)
				rv_strbuf_truncate(out, out->len - 1);
		} else if (len > 0 && !(len == 1 && *p == '.')) {
			rv_strbuf_putc(out, '/');
			rv_strbuf_add(out, p, len);
		}
		p += len + (p[len] == '/');
	}
	if (out->len == start || rv_ends_with(path, "/"))
		rv_strbuf_putc(out, '/');
}

static void add_canonical_path(struct rv_strbuf *out, const struct rv_sigv4 *sign)
{
	const char *path = sign->path && *sign->path ? sign->path : "/";
	if (sign->is_s3) {
		rv_strbuf_puts(out, path);
	} else if (strcmp(path, "/") == 0) {
		rv_strbuf_putc(out, '/');
	} else {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf normal = RV_STRBUF_INIT;
		add_normalised_path(&normal, path);
		rv_http_encode(out, normal.bytes, normal.len, true);
	}
}

/* What proxies and the transport change on the way, and what the signature itself goes into. */
static bool is_signed_header(const char *name)
{
	static const char *const left_out[] = {
		"authorization", "connection", "expect", "keep-alive", "proxy-authenticate",
		"proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade", "user-agent",
		"x-amzn-trace-id", "host",
	};
	for (size_t i = 0; i < sizeof(left_out) / sizeof(*left_out); i++)
		if (strcasecmp(name, left_out[i]) == 0)
			return false;
	return true;
}

static void add_lower(struct rv_strbuf *out, const char *s)
{
	for (; *s; s++)
		rv_strbuf_putc(out, *s >= 'A' && *s <= 'Z' ? (char)(*s - 'A' + 'a') : *s);
}

static void add_trimmed(struct rv_strbuf *out, const char *value)
{
	bool blank = false, any = false;
	for (; *value; value++) {
		if (*value == ' ' || *value == '\t') {
			blank = any;
			continue;
		}
		if (blank)
			rv_strbuf_putc(out, ' ');
		rv_strbuf_putc(out, *value);
		blank = false;
		any = true;
	}
}

struct line {
	const char *name, *value;
};

/* The header lines, an empty one, and the names; the names alone go into `names`. */
static void add_canonical_headers(struct rv_strbuf *out, const char *host,
				  const struct rv_http_headers *headers, struct rv_strbuf *names)
{
	size_t count = 0, given = headers ? headers->count : 0;
	RV_CLEANUP(rv_free_p) struct line *lines = rv_malloc((given + 1) * sizeof(*lines));
	lines[count++] = (struct line){ "host", host };
	for (size_t i = 0; i < given; i++) {
		const struct rv_http_header *header = &headers->items[i];
		if (!is_signed_header(header->name))
			continue;
		/* By name, those of one name in the order they are sent: insertion keeps it. */
		size_t at = count++;
		for (; at > 0 && strcasecmp(lines[at - 1].name, header->name) > 0; at--)
			lines[at] = lines[at - 1];
		lines[at] = (struct line){ header->name, header->value };
	}
	for (size_t i = 0; i < count; i++) {
		if (i > 0 && strcasecmp(lines[i].name, lines[i - 1].name) == 0) {
			rv_strbuf_putc(out, ',');
		} else {
			if (i > 0) {
				rv_strbuf_putc(out, '\n');
				rv_strbuf_putc(names, ';');
			}
			add_lower(out, lines[i].name);
			add_lower(names, lines[i].name);
			rv_strbuf_putc(out, ':');
		}
		add_trimmed(out, lines[i].value);
	}
	rv_strbuf_puts(out, "\n\n");
	rv_strbuf_add(out, names->bytes, names->len);
}

static void remove_header(struct rv_http_headers *headers, const char *name)
{
	size_t kept = 0;
	for (size_t i = 0; i < headers->count; i++) {
		if (strcasecmp(headers->items[i].name, name) == 0) {
			wipe_text(&headers->items[i].value);
			rv_free_p(&headers->items[i].name);
		} else {
			headers->items[kept++] = headers->items[i];
		}
	}
	headers->count = kept;
}

/* ---- header form ---- */
static void add_own_headers(const struct rv_sigv4 *sign, const char *stamp,
			    struct rv_http_headers *headers)
{
	const char *token = sign->credentials->session_token;
	rv_http_headers_set(headers, "X-Amz-Date", stamp);
	if (token)
		rv_http_headers_set(headers, "X-Amz-Security-Token", token);
	else
		remove_header(headers, "X-Amz-Security-Token");
	if (sign->is_s3)
		rv_http_headers_set(headers, "X-Amz-Content-Sha256", sign->payload_hash);
}

static void canonical_request(const struct rv_sigv4 *sign, const struct rv_http_headers *headers,
			      struct rv_strbuf *ret, struct rv_strbuf *ret_names)
{
	RV_CLEANUP(pairs_release) struct pairs pairs = PAIRS_INIT;
	pairs_add_query(&pairs, sign->query);
	rv_strbuf_reserve(ret, 1024);
	rv_strbuf_puts(ret, sign->method);
	rv_strbuf_putc(ret, '\n');
	add_canonical_path(ret, sign);
	rv_strbuf_putc(ret, '\n');
	add_canonical_query(ret, &pairs);
	rv_strbuf_putc(ret, '\n');
	add_canonical_headers(ret, sign->host, headers, ret_names);
	rv_strbuf_putc(ret, '\n');
	rv_strbuf_puts(ret, sign->payload_hash);
}

/* What came from a file, a program or a service must not end a header line. */
static enum rv_status check_credentials(const struct rv_sigv4 *sign, struct rv_error *err)
{
	const struct rv_aws_credentials *c = sign->credentials;
	if (rv_http_value_valid(c->access_key_id) &&
	    (!c->session_token || rv_http_value_valid(c->session_token)))
		return RV_OK;
	rv_fail(err, RV_AUTH, "the %s has a character that no HTTP header can hold",
		rv_http_value_valid(c->access_key_id) ? "session token" : "access key id");
	rv_hint(err, "look for a line break or a control character where the credentials come from");
	return err->status;
}

enum rv_status rv_sigv4_sign(const struct rv_sigv4 *sign, struct rv_http_headers *headers,
			     struct rv_error *err)
{
	char stamp[STAMP_TEXT], hex[RV_SHA256_HEX];
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf canonical = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf names = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf value = RV_STRBUF_INIT;

	enum rv_status status = check_credentials(sign, err);
	if (status != RV_OK)
		return status;
	format_stamp(sign->now_ms, stamp);
	add_own_headers(sign, stamp, headers);
	canonical_request(sign, headers, &canonical, &names);
	status = signature(sign, stamp, &canonical, hex, err);
	if (status != RV_OK)
		return status;
	rv_strbuf_puts(&value, ALGORITHM " Credential=");
	rv_strbuf_puts(&value, sign->credentials->access_key_id);
	rv_strbuf_putc(&value, '/');
	add_scope(&value, sign, stamp);
	rv_strbuf_puts(&value, ", SignedHeaders=");
	rv_strbuf_add(&value, names.bytes, names.len);
	rv_strbuf_puts(&value, ", Signature=");
	rv_strbuf_puts(&value, hex);
	rv_http_headers_set(headers, "Authorization", value.bytes);
	return RV_OK;
}

enum rv_status rv_sigv4_canonical(const struct rv_sigv4 *sign, const struct rv_http_headers *headers,
				  struct rv_strbuf *ret, struct rv_error *err)
{
	char stamp[STAMP_TEXT];
	RV_CLEANUP(rv_http_headers_release) struct rv_http_headers all = { 0 };
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf names = RV_STRBUF_INIT;
	enum rv_status status = check_credentials(sign, err);
	if (status != RV_OK)
		return status;
	for (size_t i = 0; headers && i < headers->count; i++)
		rv_http_headers_add(&all, headers->items[i].name, headers->items[i].value);
	format_stamp(sign->now_ms, stamp);
	add_own_headers(sign, stamp, &all);
	canonical_request(sign, &all, ret, &names);
	return RV_OK;
}

/* ---- query form ---- */
enum rv_status rv_sigv4_presign(const struct rv_sigv4 *sign, const struct rv_http_headers *headers,
				int64_t expires_s, struct rv_strbuf *ret_query, struct rv_error *err)
{
	char stamp[STAMP_TEXT], hex[RV_SHA256_HEX], expires[24];
	const struct rv_aws_credentials *credentials = sign->credentials;
	RV_CLEANUP(pairs_release) struct pairs pairs = PAIRS_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf lines = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf names = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf scope = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf canonical = RV_STRBUF_INIT;

	enum rv_status status = check_credentials(sign, err);
	if (status != RV_OK)
		return status;
	if (expires_s < 1 || expires_s > PRESIGN_MAX_S) {
		rv_fail(err, RV_USAGE, "a presigned URL cannot be valid for %jd seconds",
			(intmax_t)expires_s);
		rv_hint(err, "AWS takes 1 second to 7 days");
		return err->status;
	}
	format_stamp(sign->now_ms, stamp);
	add_canonical_headers(&lines, sign->host, headers, &names);
	rv_strbuf_puts(&scope, credentials->access_key_id);
	rv_strbuf_putc(&scope, '/');
	add_scope(&scope, sign, stamp);
	snprintf(expires, sizeof(expires), "%jd", (intmax_t)expires_s);
	pairs_add_query(&pairs, sign->query);
	pairs_add_plain(&pairs, "X-Amz-Algorithm", ALGORITHM);
	pairs_add_plain(&pairs, "X-Amz-Credential", scope.bytes);
	pairs_add_plain(&pairs, "X-Amz-Date", stamp);
	pairs_add_plain(&pairs, "X-Amz-Expires", expires);
	pairs_add_plain(&pairs, "X-Amz-SignedHeaders", names.bytes);
	if (credentials->session_token)
		pairs_add_plain(&pairs, "X-Amz-Security-Token", credentials->session_token);

	rv_strbuf_puts(&canonical, sign->method);
	rv_strbuf_putc(&canonical, '\n');
	add_canonical_path(&canonical, sign);
	rv_strbuf_putc(&canonical, '\n');
	size_t query_at = canonical.len;
	add_canonical_query(&canonical, &pairs);
	size_t query_len = canonical.len - query_at;
	rv_strbuf_putc(&canonical, '\n');
	rv_strbuf_add(&canonical, lines.bytes, lines.len);
	rv_strbuf_putc(&canonical, '\n');
	rv_strbuf_puts(&canonical, sign->payload_hash ? sign->payload_hash
				   : sign->is_s3      ? RV_UNSIGNED_PAYLOAD
						      : RV_SHA256_EMPTY);
	status = signature(sign, stamp, &canonical, hex, err);
	if (status != RV_OK)
		return status;
	rv_strbuf_add(ret_query, canonical.bytes + query_at, query_len);
	rv_strbuf_puts(ret_query, "&X-Amz-Signature=");
	rv_strbuf_puts(ret_query, hex);
	return RV_OK;
}

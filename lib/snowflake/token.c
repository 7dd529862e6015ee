/*
 * Tokens, kept as long as they are good. A JWT lives for 59 minutes and is replaced after 54, as
 * Snowflake's own clients have it; its age is measured by both clocks, since a machine that slept has
 * a monotonic one that did too.
 */
#include "snowflake/token.h"

#include <ctype.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "snowflake/secret_file.h"

#define RENEW_AFTER_MS (54 * 60 * INT64_C(1000))
#define KEY_FILE_MAX_BYTES (64 * 1024)
#define TOKEN_MAX_BYTES (16 * 1024)

struct rv_snowflake_token {
	const struct rv_snowflake_settings *settings;
	pthread_mutex_t lock;
	struct rv_rsa_key *key;
	char fingerprint[64];
	struct rv_strbuf text;     /* empty: none yet */
	unsigned number;           /* of `text`, from 1 */
	int64_t made_ms, made_monotonic_ms;
};

struct rv_snowflake_token *rv_snowflake_token_new(const struct rv_snowflake_settings *settings)
{
	struct rv_snowflake_token *token = rv_calloc(1, sizeof(*token));
	token->settings = settings;
	token->text = (struct rv_strbuf)RV_STRBUF_INIT;
	pthread_mutex_init(&token->lock, NULL);
	return token;
}

void rv_snowflake_token_free(struct rv_snowflake_token *token)
{
	if (!token)
		return;
	rv_rsa_key_free(token->key);
	rv_snowflake_wipe(&token->text);
	pthread_mutex_destroy(&token->lock);
	free(token);
}

/* ---- JWT -------------------------------------------------------------------------------------- */

/* Base64url without padding (RFC 7515, section 2). */
static void add_base64url(struct rv_strbuf *out, const void *p, size_t len)
{
	size_t start = out->len;
	rv_strbuf_base64(out, p, len);
	for (size_t i = start; i < out->len; i++)
		out->bytes[i] = out->bytes[i] == '+' ? '-' : out->bytes[i] == '/' ? '_' : out->bytes[i];
	size_t end = out->len;
	while (end > start && out->bytes[end - 1] == '=')
		end--;
	rv_strbuf_truncate(out, end);
}

enum rv_status rv_snowflake_fingerprint(const struct rv_rsa_key *key, char ret[64],
					struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf der = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	uint8_t digest[RV_SHA256_BYTES];
	if (rv_rsa_key_public(key, &der, err) != RV_OK ||
	    rv_sha256(der.bytes, der.len, digest, err) != RV_OK)
		return err->status;
	rv_strbuf_puts(&text, "SHA256:");
	rv_strbuf_base64(&text, digest, sizeof(digest));
	memcpy(ret, text.bytes, text.len + 1);
	return RV_OK;
}

static void add_upper(struct rv_strbuf *out, const char *text)
{
	for (; *text; text++)
		rv_strbuf_putc(out, (char)toupper((unsigned char)*text));
}

enum rv_status rv_snowflake_jwt(const struct rv_rsa_key *key, const struct rv_snowflake_claims *claims,
				struct rv_strbuf *ret, struct rv_error *err)
{
	static const char header[] = "{\"alg\":\"RS256\",\"typ\":\"JWT\"}";
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf subject = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf issuer = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf payload = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf signature = RV_STRBUF_INIT;
	char fingerprint[64];
	int64_t now_s = claims->now_ms / 1000;
	size_t start = ret->len;
	if (rv_snowflake_fingerprint(key, fingerprint, err) != RV_OK)
		return err->status;
	add_upper(&subject, claims->account);
	rv_strbuf_putc(&subject, '.');
	add_upper(&subject, claims->user);
	rv_strbuf_printf(&issuer, "%s.%s", subject.bytes, fingerprint);
	rv_strbuf_puts(&payload, "{\"iss\":");
	rv_strbuf_json(&payload, issuer.bytes, issuer.len);
	rv_strbuf_puts(&payload, ",\"sub\":");
	rv_strbuf_json(&payload, subject.bytes, subject.len);
	rv_strbuf_printf(&payload, ",\"iat\":%" PRId64 ",\"exp\":%" PRId64 "}", now_s,
			 now_s + RV_SNOWFLAKE_JWT_S);
	rv_strbuf_reserve(ret, 4096);
	add_base64url(ret, header, sizeof(header) - 1);
	rv_strbuf_putc(ret, '.');
	add_base64url(ret, payload.bytes, payload.len);
	if (rv_rsa_sign(key, ret->bytes + start, ret->len - start, &signature, err) != RV_OK)
		return err->status;
	rv_strbuf_putc(ret, '.');
	add_base64url(ret, signature.bytes, signature.len);
	return RV_OK;
}

/* ---- where from ------------------------------------------------------------------------------- */

/* Of the two ways to say one thing, the place that goes first; where both are in one place the value
 * itself. */
static const struct rv_snowflake_setting *first_of(const struct rv_snowflake_settings *settings,
						   enum rv_snowflake_key value,
						   enum rv_snowflake_key file, bool *ret_is_file)
{
	const struct rv_snowflake_setting *a = &settings->values[value], *b = &settings->values[file];
	*ret_is_file = b->value && (!a->value || b->rank > a->rank);
	return *ret_is_file ? b : a;
}

static const struct rv_snowflake_setting *source_of(const struct rv_snowflake_token *token,
						    bool *ret_is_file)
{
	if (token->settings->auth == RV_SNOWFLAKE_AUTH_KEY)
		return first_of(token->settings, RV_SNOWFLAKE_PRIVATE_KEY_RAW,
				RV_SNOWFLAKE_PRIVATE_KEY_PATH, ret_is_file);
	return first_of(token->settings, RV_SNOWFLAKE_TOKEN, RV_SNOWFLAKE_TOKEN_FILE_PATH,
			ret_is_file);
}

char *rv_snowflake_token_source(const struct rv_snowflake_token *token)
{
	bool is_file;
	const struct rv_snowflake_setting *source = source_of(token, &is_file);
	const char *what = token->settings->auth == RV_SNOWFLAKE_AUTH_KEY ? "the private key" : "the token";
	if (is_file)
		return rv_asprintf("%s %s (%s)", what, source->value, source->origin);
	return rv_asprintf("%s of %s", what, source->origin);
}

static enum rv_status read_file(const char *path, const char *origin, size_t max_bytes,
				struct rv_strbuf *ret, struct rv_error *err)
{
	enum rv_status status = rv_snowflake_secret_file(path, max_bytes, ret, err);
	if (status == RV_OK)
		return status;
	if (status == RV_NOT_FOUND) {
		rv_fail(err, RV_AUTH, "the file %s (%s) is not there", path, origin);
		rv_hint(err, "put it there, or correct %s", origin);
	}
	err->status = RV_AUTH;
	return err->status;
}

/* A variable holds the text with its line ends, with "\n" in their place, or the body alone. */
static void pem_of_value(const char *value, struct rv_strbuf *ret)
{
	bool whole = strstr(value, "-----BEGIN") != NULL;
	rv_strbuf_reserve(ret, strlen(value) + 64);
	if (!whole)
		rv_strbuf_puts(ret, "-----BEGIN PRIVATE KEY-----\n");
	for (const char *p = value; *p; p++) {
		if (p[0] == '\\' && p[1] == 'n') {
			rv_strbuf_putc(ret, '\n');
			p++;
		} else {
			rv_strbuf_putc(ret, *p);
		}
	}
	if (!whole)
		rv_strbuf_puts(ret, "\n-----END PRIVATE KEY-----\n");
}

static enum rv_status read_key(struct rv_snowflake_token *token, struct rv_error *err)
{
	RV_CLEANUP(rv_snowflake_wipe) struct rv_strbuf pem = RV_STRBUF_INIT;
	RV_CLEANUP(rv_free_p) char *what = rv_snowflake_token_source(token);
	const char *passphrase =
		rv_snowflake_setting(token->settings, RV_SNOWFLAKE_PRIVATE_KEY_PASSPHRASE);
	struct rv_rsa_key *key = NULL;
	bool is_file;
	const struct rv_snowflake_setting *source = source_of(token, &is_file);
	if (!is_file)
		pem_of_value(source->value, &pem);
	else if (read_file(source->value, source->origin, KEY_FILE_MAX_BYTES, &pem, err) != RV_OK)
		return err->status;
	if (rv_rsa_key_read(pem.bytes, pem.len, passphrase, &key, err) != RV_OK)
		return rv_context(err, "%s", what);
	char fingerprint[64];
	if (rv_snowflake_fingerprint(key, fingerprint, err) != RV_OK) {
		rv_rsa_key_free(key);
		return err->status;
	}
	rv_rsa_key_free(token->key);
	token->key = key;
	memcpy(token->fingerprint, fingerprint, sizeof(fingerprint));
	return RV_OK;
}

/* Visible characters alone: it goes into a header. */
static enum rv_status read_token(struct rv_snowflake_token *token, struct rv_strbuf *ret,
				 struct rv_error *err)
{
	bool is_file;
	const struct rv_snowflake_setting *source = source_of(token, &is_file);
	if (!is_file) {
		rv_strbuf_reserve(ret, strlen(source->value));
		rv_strbuf_puts(ret, source->value);
	} else if (read_file(source->value, source->origin, TOKEN_MAX_BYTES, ret, err) != RV_OK) {
		return err->status;
	}
	while (ret->len && strchr(" \t\r\n", ret->bytes[ret->len - 1]))
		rv_strbuf_truncate(ret, ret->len - 1);
	for (size_t i = 0; i < ret->len || ret->len == 0; i++) {
		if (ret->len > 0 && ret->bytes[i] > ' ' && ret->bytes[i] < 0x7f)
			continue;
		RV_CLEANUP(rv_free_p) char *what = rv_snowflake_token_source(token);
		rv_fail(err, RV_AUTH, "%s is %s", what, ret->len ? "no token: it has blanks or line ends"
								 : "empty");
		rv_hint(err, "a token is one word on one line");
		return err->status;
	}
	return RV_OK;
}

/* ---- keeping ---------------------------------------------------------------------------------- */

bool rv_snowflake_token_is_old(int64_t by_clock_ms, int64_t by_monotonic_ms)
{
	/* A clock that was set back makes a token of the future. */
	return by_clock_ms >= RENEW_AFTER_MS || by_clock_ms < -1000 || by_monotonic_ms >= RENEW_AFTER_MS;
}

static bool is_old(const struct rv_snowflake_token *token)
{
	return rv_snowflake_token_is_old(rv_clock_ms() - token->made_ms,
					 rv_clock_monotonic_ms() - token->made_monotonic_ms);
}

static void keep(struct rv_snowflake_token *token, struct rv_strbuf *text)
{
	rv_snowflake_wipe(&token->text);
	token->text = *text;
	*text = (struct rv_strbuf)RV_STRBUF_INIT;
	token->number++;
	token->made_ms = rv_clock_ms();
	token->made_monotonic_ms = rv_clock_monotonic_ms();
}

static enum rv_status make(struct rv_snowflake_token *token, struct rv_error *err)
{
	RV_CLEANUP(rv_snowflake_wipe) struct rv_strbuf text = RV_STRBUF_INIT;
	const struct rv_snowflake_settings *settings = token->settings;
	if (settings->auth != RV_SNOWFLAKE_AUTH_KEY) {
		if (read_token(token, &text, err) != RV_OK)
			return err->status;
	} else {
		const struct rv_snowflake_claims claims = {
			.account = settings->claim_account,
			.user = rv_snowflake_setting(settings, RV_SNOWFLAKE_USER),
			.now_ms = rv_clock_ms(),
		};
		if ((!token->key && read_key(token, err) != RV_OK) ||
		    rv_snowflake_jwt(token->key, &claims, &text, err) != RV_OK)
			return err->status;
	}
	keep(token, &text);
	return RV_OK;
}

enum rv_status rv_snowflake_token_get(struct rv_snowflake_token *token, struct rv_strbuf *ret,
				      unsigned *ret_number, struct rv_error *err)
{
	enum rv_status status = RV_OK;
	bool is_key = token->settings->auth == RV_SNOWFLAKE_AUTH_KEY;
	pthread_mutex_lock(&token->lock);
	if (token->text.len == 0 || (is_key && is_old(token)))
		status = make(token, err);
	if (status == RV_OK) {
		rv_strbuf_reserve(ret, token->text.len);
		rv_strbuf_add(ret, token->text.bytes, token->text.len);
		*ret_number = token->number;
	}
	pthread_mutex_unlock(&token->lock);
	return status;
}

bool rv_snowflake_token_renew(struct rv_snowflake_token *token, unsigned number)
{
	struct rv_error ignored = RV_ERROR_INIT;
	bool is_file, renewed = true;
	pthread_mutex_lock(&token->lock);
	source_of(token, &is_file);
	if (token->number != number) {
		/* another thread was here before */
	} else if (token->settings->auth == RV_SNOWFLAKE_AUTH_KEY) {
		/* If the file cannot be read now, the key that is known is as good as before. */
		if (is_file && read_key(token, &ignored) != RV_OK)
			ignored = (struct rv_error)RV_ERROR_INIT;
		renewed = make(token, &ignored) == RV_OK;
	} else if (is_file) {
		RV_CLEANUP(rv_snowflake_wipe) struct rv_strbuf text = RV_STRBUF_INIT;
		renewed = read_token(token, &text, &ignored) == RV_OK &&
			  (text.len != token->text.len ||
			   memcmp(text.bytes, token->text.bytes, text.len) != 0);
		if (renewed)
			keep(token, &text);
	} else {
		renewed = false;
	}
	pthread_mutex_unlock(&token->lock);
	return renewed;
}

const char *rv_snowflake_token_type(const struct rv_snowflake_token *token)
{
	switch (token->settings->auth) {
	case RV_SNOWFLAKE_AUTH_KEY: return "KEYPAIR_JWT";
	case RV_SNOWFLAKE_AUTH_OAUTH: return "OAUTH";
	case RV_SNOWFLAKE_AUTH_PAT: return "PROGRAMMATIC_ACCESS_TOKEN";
	case RV_SNOWFLAKE_AUTH_SOME: break;
	}
	return NULL;
}

void rv_snowflake_token_fingerprint(struct rv_snowflake_token *token, char ret[64])
{
	pthread_mutex_lock(&token->lock);
	memcpy(ret, token->fingerprint, sizeof(token->fingerprint));
	pthread_mutex_unlock(&token->lock);
}

int64_t rv_snowflake_token_lifetime_ms(struct rv_snowflake_token *token)
{
	int64_t left = -1;
	pthread_mutex_lock(&token->lock);
	if (token->settings->auth == RV_SNOWFLAKE_AUTH_KEY && token->text.len)
		left = RV_SNOWFLAKE_JWT_S * INT64_C(1000) - (rv_clock_ms() - token->made_ms);
	pthread_mutex_unlock(&token->lock);
	return left;
}

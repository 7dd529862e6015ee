/* Keys of every form, the JWT they sign, and what is kept for how long. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "snowflake_world.h"

static enum rv_status read_pem(char *pem, const char *passphrase, struct rv_rsa_key **ret)
{
	err = (struct rv_error)RV_ERROR_INIT;
	assert_non_null(pem);
	enum rv_status status = rv_rsa_key_read(pem, strlen(pem), passphrase, ret, &err);
	free(pem);
	return status;
}

static void refuses(char *pem, const char *passphrase, const char *message, const char *hint)
{
	struct rv_rsa_key *key = NULL;

	assert_int_equal(read_pem(pem, passphrase, &key), RV_AUTH);
	assert_null(key);
	says(message, hint);
}

/* ---- keys ---- */

static void test_forms(void **state RV_UNUSED)
{
	static const struct {
		enum rsa_form form;
		const char *passphrase;
	} forms[] = { { RSA_PKCS8, NULL }, { RSA_PKCS8, "not needed" }, { RSA_PKCS1, NULL },
		      { RSA_PKCS8_ENCRYPTED, RSA_PASSPHRASE } };
	char first[64] = "", now[64];

	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		RV_CLEANUP(rv_rsa_key_free_p) struct rv_rsa_key *key = NULL;
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf signature = RV_STRBUF_INIT;

		if (read_pem(rsa_pem(w.key, forms[i].form), forms[i].passphrase, &key) != RV_OK)
			fail_msg("%s", err.message);
		assert_int_equal(rv_rsa_sign(key, "text", 4, &signature, &err), RV_OK);
		assert_int_equal(signature.len, 256);
		assert_true(rsa_verify(w.key, "text", 4, signature.bytes, signature.len));
		assert_false(rsa_verify(w.key, "texT", 4, signature.bytes, signature.len));
		assert_int_equal(rv_snowflake_fingerprint(key, now, &err), RV_OK);
		assert_int_equal(strlen(now), strlen("SHA256:") + 44);
		if (*first)
			assert_string_equal(first, now);
		strcpy(first, now);
	}
}

/* The fingerprint is that of the PEM's body, as the manual's shell lines make it. */
static void test_fingerprint(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_rsa_key_free_p) struct rv_rsa_key *key = NULL;
	RV_CLEANUP(rv_free_p) char *pem = rsa_pem(w.key, RSA_PUBLIC);
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf der = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf body = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf want = RV_STRBUF_INIT;

	assert_int_equal(read_pem(rsa_pem(w.key, RSA_PKCS8), NULL, &key), RV_OK);
	assert_int_equal(rv_rsa_key_public(key, &der, &err), RV_OK);
	rv_strbuf_base64(&body, der.bytes, der.len);
	for (const char *p = strchr(pem, '\n') + 1; *p != '-'; p++)
		if (*p != '\n')
			rv_strbuf_putc(&want, *p);
	assert_string_equal(body.bytes, want.bytes);
}

static void test_keys_that_are_none(void **state RV_UNUSED)
{
	static const char no_pem[] = "hello\n";
	void *small = rsa_generate("RSA", 1024);
	void *curve = rsa_generate("EC", 0);
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf large = RV_STRBUF_INIT;
	char *cut = rsa_pem(w.key, RSA_PKCS8);

	refuses(rv_strdup(no_pem), NULL, "this is no private key in PEM", "-----BEGIN PRIVATE KEY-----");
	refuses(rv_strdup(""), NULL, "this is no private key in PEM", NULL);
	refuses(rsa_pem(w.key, RSA_PUBLIC), NULL, "this is a public key", "openssl");
	refuses(rsa_pem(w.key, RSA_PKCS8_ENCRYPTED), NULL, "is encrypted, and there is no passphrase",
		"set PRIVATE_KEY_PASSPHRASE");
	refuses(rsa_pem(w.key, RSA_PKCS8_ENCRYPTED), "wrong", "the passphrase does not open",
		"check PRIVATE_KEY_PASSPHRASE");
	refuses(rsa_pem(small, RSA_PKCS8), NULL, "has 1024 bits, less than 2048", "openssl genrsa 2048");
	refuses(rsa_pem(curve, RSA_PKCS8), NULL, "is not an RSA key", "openssl genrsa");
	cut[strlen(cut) / 2] = '\0';
	refuses(cut, NULL, "this is no private key in PEM", NULL);
	while (large.len <= 64 * 1024)
		rv_strbuf_puts(&large, no_pem);
	refuses(rv_strbuf_take(&large), NULL, "too many for a private key", NULL);
	rsa_free(small);
	rsa_free(curve);
}

/* PKCS#8 with PBES1 and DES: OpenSSL 3 reads it with its legacy provider alone. Encrypting so takes that
 * provider too, so these are sixteen bytes that count up in the place of a key. */
static void test_cipher_of_old(void **state RV_UNUSED)
{
	static const char pem[] =
		"-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
		/* { { pbeWithMD5AndDES-CBC, { salt, 2048 } }, 16 bytes } */
		"MC8wGwYJKoZIhvcNAQUDMA4ECAECAwQFBgcIAgIIAAQQAAECAwQFBgcICQoLDA0ODw==\n"
		"-----END ENCRYPTED PRIVATE KEY-----\n";
	refuses(rv_strdup(pem), "x", "encrypted by a method that OpenSSL 3 no longer reads",
		"openssl pkcs8 -provider legacy");
}

/* ---- JWT ---- */

static int value_of(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

	return (int)(strchr(digits, c) - digits);
}

static void decode(struct rv_strbuf *out, const char *p, size_t len)
{
	unsigned bits = 0, count = 0;

	rv_strbuf_clear(out);
	for (size_t i = 0; i < len; i++) {
		assert_true(value_of(p[i]) >= 0 && value_of(p[i]) < 64);
		bits = bits << 6 | (unsigned)value_of(p[i]);
		count += 6;
		if (count >= 8) {
			count -= 8;
			rv_strbuf_putc(out, (char)(bits >> count & 0xff));
		}
	}
}

static void test_jwt(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_rsa_key_free_p) struct rv_rsa_key *key = NULL;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf jwt = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf part = RV_STRBUF_INIT;
	const struct rv_snowflake_claims claims = { "ACME-data", "lo\"ader", 1795964400999 };
	char fingerprint[64];

	assert_int_equal(read_pem(rsa_pem(w.key, RSA_PKCS8), NULL, &key), RV_OK);
	assert_int_equal(rv_snowflake_jwt(key, &claims, &jwt, &err), RV_OK);
	assert_int_equal(rv_snowflake_fingerprint(key, fingerprint, &err), RV_OK);
	const char *payload = strchr(jwt.bytes, '.') + 1, *signature = strchr(payload, '.') + 1;
	decode(&part, jwt.bytes, (size_t)(payload - 1 - jwt.bytes));
	assert_string_equal(part.bytes, "{\"alg\":\"RS256\",\"typ\":\"JWT\"}");
	decode(&part, payload, (size_t)(signature - 1 - payload));
	RV_CLEANUP(rv_free_p) char *want = rv_asprintf(
		"{\"iss\":\"ACME-DATA.LO\\\"ADER.%s\",\"sub\":\"ACME-DATA.LO\\\"ADER\",\"iat\":1795964400,"
		"\"exp\":1795967940}", fingerprint);
	assert_string_equal(part.bytes, want);
	decode(&part, signature, strlen(signature));
	assert_true(rsa_verify(w.key, jwt.bytes, (size_t)(signature - 1 - jwt.bytes), part.bytes, part.len));
}

/* ---- where they come from ---- */

static struct rv_snowflake_settings *settings;
static struct rv_snowflake_token *token;

static void open_token(const char *lines)
{
	RV_CLEANUP(rv_free_p) char *text = rv_asprintf("[default]\naccount = 'a'\nuser = 'u'\n%s\n", lines);
	const struct rv_snowflake_settings_params params = { 0 };

	err = (struct rv_error)RV_ERROR_INIT;
	rv_snowflake_token_free(token);
	rv_snowflake_settings_free_p(&settings);
	world_file(".snowflake/connections.toml", text, 0600);
	if (rv_snowflake_settings_load(&params, &settings, &err) != RV_OK)
		fail_msg("%s", err.message);
	token = rv_snowflake_token_new(settings);
}

static int close_token(void **state RV_UNUSED)
{
	world_clear_environment();
	rv_snowflake_token_free(token);
	token = NULL;
	rv_snowflake_settings_free_p(&settings);
	return 0;
}

static enum rv_status get(struct rv_strbuf *ret, unsigned *ret_number)
{
	err = (struct rv_error)RV_ERROR_INIT;
	rv_strbuf_clear(ret);
	return rv_snowflake_token_get(token, ret, ret_number, &err);
}

static void gets_jwt(void)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	unsigned number;

	if (get(&text, &number) != RV_OK)
		fail_msg("%s", err.message);
	assert_true(rv_starts_with(text.bytes, "eyJ"));
}

static void test_key_in_a_variable(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_free_p) char *pem = rsa_pem(w.key, RSA_PKCS8);
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf flat = RV_STRBUF_INIT, body = RV_STRBUF_INIT;

	setenv("SNOWFLAKE_PRIVATE_KEY_RAW", pem, 1);
	open_token("");
	gets_jwt();
	RV_CLEANUP(rv_free_p) char *source = rv_snowflake_token_source(token);
	assert_string_equal(source, "the private key of SNOWFLAKE_PRIVATE_KEY_RAW");
	assert_true(rv_snowflake_token_renew(token, 1)); /* there is no file to look into again */
	gets_jwt();
	/* as CI systems keep it: on one line */
	for (const char *p = pem; *p; p++) {
		rv_strbuf_puts(&flat, *p == '\n' ? "\\n" : "");
		if (*p != '\n')
			rv_strbuf_putc(&flat, *p);
	}
	setenv("SNOWFLAKE_PRIVATE_KEY_RAW", flat.bytes, 1);
	open_token("");
	gets_jwt();
	/* and the body alone */
	for (const char *p = strchr(pem, '\n'); *p != '-'; p++)
		if (*p != '\n')
			rv_strbuf_putc(&body, *p);
	setenv("SNOWFLAKE_PRIVATE_KEY_RAW", body.bytes, 1);
	open_token("");
	gets_jwt();
	/* a backslash that is no line end is one */
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf spoilt = RV_STRBUF_INIT;
	unsigned none;
	rv_strbuf_printf(&spoilt, "%.*s\\%s", (int)body.len / 2, body.bytes, body.bytes + body.len / 2);
	setenv("SNOWFLAKE_PRIVATE_KEY_RAW", spoilt.bytes, 1);
	open_token("");
	assert_int_equal(get(&flat, &none), RV_AUTH);
	says("the private key of SNOWFLAKE_PRIVATE_KEY_RAW", NULL);
	setenv("SNOWFLAKE_PRIVATE_KEY_RAW", body.bytes, 1);
	/* the connection's file goes before a variable for all, and after the connection's own */
	open_token("private_key_path = '/not/there'");
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	unsigned number;
	assert_int_equal(get(&text, &number), RV_AUTH);
	says("the file /not/there (connection default in ", "put it there");
	setenv("SNOWFLAKE_CONNECTIONS_DEFAULT_PRIVATE_KEY_RAW", pem, 1);
	open_token("private_key_path = '/not/there'");
	gets_jwt();
}

static void test_key_file(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	unsigned number;

	world_key_file("secret.p8", w.key, RSA_PKCS8_ENCRYPTED);
	open_token("private_key_file = '~/secret.p8'");
	assert_int_equal(get(&text, &number), RV_AUTH);
	says("/secret.p8 (connection default in ", "set PRIVATE_KEY_PASSPHRASE");
	setenv("PRIVATE_KEY_PASSPHRASE", RSA_PASSPHRASE, 1);
	open_token("private_key_file = '~/secret.p8'");
	gets_jwt();
	unsetenv("PRIVATE_KEY_PASSPHRASE");
	open_token("private_key_file = '~/secret.p8'\nprivate_key_passphrase = '" RSA_PASSPHRASE "'");
	gets_jwt();
	RV_CLEANUP(rv_free_p) char *path = rv_path_join(w.home, "secret.p8");
	assert_int_equal(chmod(path, 0640), 0);
	open_token("private_key_file = '~/secret.p8'");
	assert_int_equal(get(&text, &number), RV_AUTH);
	says("can be read by others (mode 0640)", "chmod 600 ");
	world_file("secret.p8", "no key", 0600);
	open_token("private_key_file = '~/secret.p8'");
	assert_int_equal(get(&text, &number), RV_AUTH);
	says("the private key ", "a key begins with");
}

static void test_kept_and_renewed(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf first = RV_STRBUF_INIT, second = RV_STRBUF_INIT;
	unsigned number, later;

	open_token("private_key_file = '~/rsa_key.p8'");
	char fingerprint[64];
	rv_snowflake_token_fingerprint(token, fingerprint);
	assert_string_equal(fingerprint, "");
	assert_int_equal(rv_snowflake_token_lifetime_ms(token), -1);
	assert_int_equal(get(&first, &number), RV_OK);
	assert_int_equal(get(&second, &later), RV_OK);
	assert_string_equal(first.bytes, second.bytes);
	assert_int_equal(number, later);
	assert_string_equal(rv_snowflake_token_type(token), "KEYPAIR_JWT");
	assert_in_range(rv_snowflake_token_lifetime_ms(token), 58 * 60 * 1000, 59 * 60 * 1000);
	rv_snowflake_token_fingerprint(token, fingerprint);
	assert_true(rv_starts_with(fingerprint, "SHA256:"));
	/* refused: another one; told twice of the same: no more than one */
	assert_true(rv_snowflake_token_renew(token, number));
	assert_true(rv_snowflake_token_renew(token, number));
	assert_int_equal(get(&second, &later), RV_OK);
	assert_int_equal(later, number + 1);
	/* a key file that has gone meanwhile: the key that is known is used */
	RV_CLEANUP(rv_free_p) char *path = rv_path_join(w.home, "rsa_key.p8");
	assert_int_equal(unlink(path), 0);
	assert_true(rv_snowflake_token_renew(token, later));
	assert_int_equal(get(&second, &later), RV_OK);
	assert_int_equal(later, number + 2);
	world_key_file("rsa_key.p8", w.key, RSA_PKCS8);
}

static void test_age(void **state RV_UNUSED)
{
	const int64_t limit_ms = 54 * 60 * 1000;

	assert_false(rv_snowflake_token_is_old(1000, 1000));
	assert_false(rv_snowflake_token_is_old(limit_ms - 1, limit_ms - 1));
	assert_true(rv_snowflake_token_is_old(limit_ms, 0));
	assert_true(rv_snowflake_token_is_old(0, limit_ms));
	assert_true(rv_snowflake_token_is_old(-60000, 0)); /* the clock was set back */
}

static void test_tokens(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	unsigned number = 0;

	open_token("token = ' t'");
	assert_int_equal(get(&text, &number), RV_AUTH);
	says("the token of connection default in ", "one word on one line");
	says("it has blanks", NULL);
	open_token("token = \"t\\n\"");
	assert_int_equal(get(&text, &number), RV_OK);
	assert_string_equal(text.bytes, "t");
	assert_null(rv_snowflake_token_type(token));
	assert_int_equal(rv_snowflake_token_lifetime_ms(token), -1); /* nobody knows */
	assert_false(rv_snowflake_token_renew(token, number));
	world_file("token", "a\nb", 0600);
	open_token("token_file_path = '~/token'\nauthenticator = 'oauth'");
	assert_int_equal(get(&text, &number), RV_AUTH);
	says("/token (connection default in ", NULL);
	world_file("token", "a\x7f", 0600);
	assert_int_equal(get(&text, &number), RV_AUTH);
	says("no token", NULL);
	world_file("token", "\n", 0600);
	assert_int_equal(get(&text, &number), RV_AUTH);
	says("is empty", NULL);
	world_file("token", "abc\r\n", 0600);
	assert_int_equal(get(&text, &number), RV_OK);
	assert_string_equal(text.bytes, "abc");
	assert_string_equal(rv_snowflake_token_type(token), "OAUTH");
	assert_false(rv_snowflake_token_renew(token, number));
	world_file("token", "def", 0600);
	assert_true(rv_snowflake_token_renew(token, number));
	assert_int_equal(get(&text, &number), RV_OK);
	assert_string_equal(text.bytes, "def");
	/* a file that has gone meanwhile */
	RV_CLEANUP(rv_free_p) char *path = rv_path_join(w.home, "token");
	assert_int_equal(unlink(path), 0);
	assert_false(rv_snowflake_token_renew(token, number));
	assert_int_equal(get(&text, &number), RV_OK);
	assert_string_equal(text.bytes, "def");
	open_token("token_file_path = '/not/there'\nauthenticator = 'programmatic_access_token'");
	assert_int_equal(get(&text, &number), RV_AUTH);
	says("the file /not/there", NULL);
	assert_string_equal(rv_snowflake_token_type(token), "PROGRAMMATIC_ACCESS_TOKEN");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_fingerprint),
		cmocka_unit_test(test_keys_that_are_none),
		cmocka_unit_test(test_cipher_of_old),
		cmocka_unit_test(test_jwt),
		cmocka_unit_test_teardown(test_key_in_a_variable, close_token),
		cmocka_unit_test_teardown(test_key_file, close_token),
		cmocka_unit_test_teardown(test_kept_and_renewed, close_token),
		cmocka_unit_test(test_age),
		cmocka_unit_test_teardown(test_tokens, close_token),
	};
	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}

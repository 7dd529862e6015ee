/*
 * What a request shows: a JWT signed with the user's key and made anew before it runs out, or an OAuth
 * or programmatic access token. Thread-safe.
 */
#ifndef RV_SNOWFLAKE_TOKEN_H
#define RV_SNOWFLAKE_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/crypto.h"
#include "base/error.h"
#include "base/strbuf.h"
#include "snowflake/settings.h"

struct rv_snowflake_token;
/* Borrows the settings. Reads nothing yet. */
struct rv_snowflake_token *rv_snowflake_token_new(const struct rv_snowflake_settings *settings);
void rv_snowflake_token_free(struct rv_snowflake_token *token);

/* The token that is valid now; appended to `ret`, which the caller wipes. *ret_number tells tokens
 * apart. RV_AUTH: key, passphrase or file are not what they should be. */
enum rv_status rv_snowflake_token_get(struct rv_snowflake_token *token, struct rv_strbuf *ret,
				      unsigned *ret_number, struct rv_error *err) RV_MUST_CHECK;
/* Token `number` was refused: is there another? A key file is read again (it may have been replaced)
 * and signs anew, a token file is read again and counts if it changed. False: no other. */
bool rv_snowflake_token_renew(struct rv_snowflake_token *token, unsigned number);
/* "KEYPAIR_JWT", as the header has it; NULL: leave it out. */
const char *rv_snowflake_token_type(const struct rv_snowflake_token *token);
/* "SHA256:..." of the key in use, for messages; "" when there is none, or none was read yet. */
void rv_snowflake_token_fingerprint(struct rv_snowflake_token *token, char ret[64]);
/* "the key /home/me/rsa_key.p8 (connection prod in ...)": what it comes from. Caller frees. */
char *rv_snowflake_token_source(const struct rv_snowflake_token *token);
/* How long the token may still be used, as far as it says; -1: it does not say. */
int64_t rv_snowflake_token_lifetime_ms(struct rv_snowflake_token *token);

/* ---- steps, for tests ---- */
#define RV_SNOWFLAKE_JWT_S (59 * 60)
/* The key's public half as Snowflake names it: "SHA256:" and base64, 51 characters. */
enum rv_status rv_snowflake_fingerprint(const struct rv_rsa_key *key, char ret[64],
					struct rv_error *err) RV_MUST_CHECK;
/* By what the two clocks say of its age: it is to be replaced. */
bool rv_snowflake_token_is_old(int64_t by_clock_ms, int64_t by_monotonic_ms);
struct rv_snowflake_claims {
	const char *account, *user; /* the account as claims have it; both are put in upper case */
	int64_t now_ms;
};
enum rv_status rv_snowflake_jwt(const struct rv_rsa_key *key, const struct rv_snowflake_claims *claims,
				struct rv_strbuf *ret, struct rv_error *err) RV_MUST_CHECK;

#endif

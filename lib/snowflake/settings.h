/*
 * Where Snowflake is and who we are there: what connections.toml, config.toml and SNOWFLAKE_* say, in
 * the order in which Snowflake's own command line reads them. Read once, then never changed: any
 * thread may look. Never written.
 *
 * river's profile > SNOWFLAKE_CONNECTIONS_<NAME>_<KEY> > the connection in the file > SNOWFLAKE_<KEY>.
 * The files are in $SNOWFLAKE_HOME or ~/.snowflake when there is such a folder, else in
 * $XDG_CONFIG_HOME/snowflake. Where connections.toml is there, config.toml's connections do not count.
 * Source: Snowflake's developer guide, "Snowflake CLI: managing connections".
 */
#ifndef RV_SNOWFLAKE_SETTINGS_H
#define RV_SNOWFLAKE_SETTINGS_H

#include <stdbool.h>

#include "base/error.h"

struct rv_snowflake_settings_params {
	/* Of river's profile; each Optional. */
	const char *connection;    /* named: it must exist */
	const char *account, *user, *role, *warehouse, *database;
};

enum rv_snowflake_key {
	RV_SNOWFLAKE_ACCOUNT,
	RV_SNOWFLAKE_USER,
	RV_SNOWFLAKE_ROLE,
	RV_SNOWFLAKE_WAREHOUSE,
	RV_SNOWFLAKE_DATABASE,
	RV_SNOWFLAKE_SCHEMA,
	RV_SNOWFLAKE_HOST,
	RV_SNOWFLAKE_PORT,
	RV_SNOWFLAKE_PROTOCOL,
	RV_SNOWFLAKE_REGION,
	RV_SNOWFLAKE_AUTHENTICATOR,
	RV_SNOWFLAKE_PRIVATE_KEY_PATH,
	RV_SNOWFLAKE_PRIVATE_KEY_RAW,
	RV_SNOWFLAKE_PRIVATE_KEY_PASSPHRASE,
	RV_SNOWFLAKE_TOKEN,
	RV_SNOWFLAKE_TOKEN_FILE_PATH,
	RV_SNOWFLAKE_PASSWORD,     /* only to say that it is of no use here */
	RV_SNOWFLAKE_KEY_COUNT,
};
struct rv_snowflake_setting {
	char *value;               /* NULL: nothing says it */
	char *origin;              /* "SNOWFLAKE_ROLE", "connection prod in /home/me/..." */
	unsigned rank;             /* of the place it comes from: higher goes before lower */
};
enum rv_snowflake_auth {
	RV_SNOWFLAKE_AUTH_KEY,     /* a JWT of a private key */
	RV_SNOWFLAKE_AUTH_OAUTH,
	RV_SNOWFLAKE_AUTH_PAT,     /* programmatic access token */
	RV_SNOWFLAKE_AUTH_SOME,    /* a token, and nothing says which kind: Snowflake sees it */
};
struct rv_snowflake_settings {
	char *connection;          /* "default" */
	char *connection_origin;   /* "river's profile", "SNOWFLAKE_DEFAULT_CONNECTION_NAME", ... */
	char *file;                /* where that connection is defined; NULL: in no file */
	struct rv_snowflake_setting values[RV_SNOWFLAKE_KEY_COUNT];
	enum rv_snowflake_auth auth;
	char *url;                 /* "https://acme-data.snowflakecomputing.com", no slash at the end */
	char *host;                /* without its port */
	char *claim_account;       /* as a JWT names the account: "ACME-DATA" */
	bool is_loopback;          /* configured to be this machine: an emulator */
};

/* RV_BAD_CONFIG: a file that is not TOML (with its line) or open to others, a named connection that
 * is not there (the hint names those that are), an account or host that cannot be, a host that is
 * not Snowflake's. RV_AUTH: no credentials, or a kind that river does not use. */
enum rv_status rv_snowflake_settings_load(const struct rv_snowflake_settings_params *params,
					  struct rv_snowflake_settings **ret,
					  struct rv_error *err) RV_MUST_CHECK;
void rv_snowflake_settings_free(struct rv_snowflake_settings *settings);
void rv_snowflake_settings_free_p(struct rv_snowflake_settings **settings);

/* NULL: nothing says it. */
const char *rv_snowflake_setting(const struct rv_snowflake_settings *settings,
				 enum rv_snowflake_key key);
/* "private_key_path", as the files spell it. */
const char *rv_snowflake_key_name(enum rv_snowflake_key key);

/* What connection, account, host and authenticator come to: steps of the above, for tests. */
enum rv_status rv_snowflake_place(struct rv_snowflake_settings *settings,
				  struct rv_error *err) RV_MUST_CHECK;

#endif

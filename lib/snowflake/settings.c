/* Values of the environment and of Snowflake's files, and where each comes from. */
#include "snowflake/settings.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/home.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "format/toml.h"
#include "snowflake/secret_file.h"

#define FILE_MAX_BYTES (1024 * 1024)

enum rank { FROM_NOWHERE, FROM_ENVIRONMENT, FROM_FILE, FROM_CONNECTION_VARIABLE, FROM_RIVER };

/* How files and variables spell each value; the first name is what messages say. */
static const struct {
	const char *names[3];
	bool is_secret;
} keys[RV_SNOWFLAKE_KEY_COUNT] = {
	[RV_SNOWFLAKE_ACCOUNT] = { { "account", "accountname" }, false },
	[RV_SNOWFLAKE_USER] = { { "user", "username" }, false },
	[RV_SNOWFLAKE_ROLE] = { { "role", "rolename" }, false },
	[RV_SNOWFLAKE_WAREHOUSE] = { { "warehouse", "warehousename" }, false },
	[RV_SNOWFLAKE_DATABASE] = { { "database", "dbname" }, false },
	[RV_SNOWFLAKE_SCHEMA] = { { "schema", "schemaname" }, false },
	[RV_SNOWFLAKE_HOST] = { { "host" }, false },
	[RV_SNOWFLAKE_PORT] = { { "port" }, false },
	[RV_SNOWFLAKE_PROTOCOL] = { { "protocol" }, false },
	[RV_SNOWFLAKE_REGION] = { { "region" }, false },
	[RV_SNOWFLAKE_AUTHENTICATOR] = { { "authenticator" }, false },
	[RV_SNOWFLAKE_PRIVATE_KEY_PATH] = { { "private_key_file", "private_key_path" }, false },
	[RV_SNOWFLAKE_PRIVATE_KEY_RAW] = { { "private_key_raw" }, true },
	[RV_SNOWFLAKE_PRIVATE_KEY_PASSPHRASE] = { { "private_key_passphrase",
						    "private_key_file_pwd" }, true },
	[RV_SNOWFLAKE_TOKEN] = { { "token" }, true },
	[RV_SNOWFLAKE_TOKEN_FILE_PATH] = { { "token_file_path" }, false },
	[RV_SNOWFLAKE_PASSWORD] = { { "password", "pwd" }, true },
};

const char *rv_snowflake_key_name(enum rv_snowflake_key key)
{
	return keys[key].names[0];
}

const char *rv_snowflake_setting(const struct rv_snowflake_settings *settings,
				 enum rv_snowflake_key key)
{
	return settings->values[key].value;
}

/* An empty variable counts as unset. */
static const char *variable(const char *name)
{
	const char *value = getenv(name);
	return value && *value ? value : NULL;
}

static char *upper(const char *text)
{
	char *copy = rv_strdup(text);
	for (char *p = copy; *p; p++)
		*p = (char)toupper((unsigned char)*p);
	return copy;
}

/* ---- files ------------------------------------------------------------------------------------ */

struct files {
	char *connections_path, *config_path; /* NULL: no home */
	struct rv_toml *connections, *config; /* NULL: there is no such file */
};

static void files_release(struct files *files)
{
	rv_free_p(&files->connections_path);
	rv_free_p(&files->config_path);
	rv_toml_free(files->connections);
	rv_toml_free(files->config);
}

static bool is_folder(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static char *expand_home(const char *path)
{
	RV_CLEANUP(rv_free_p) char *home = rv_home_folder();
	if (path[0] == '~' && path[1] == '/' && home)
		return rv_path_join(home, path + 2);
	return rv_strdup(path);
}

/* NULL: there is no home at all. */
static char *find_folder(void)
{
	const char *named = variable("SNOWFLAKE_HOME");
	char *folder = expand_home(named ? named : "~/.snowflake");
	if (folder[0] == '/' || named)
		if (is_folder(folder))
			return folder;
	rv_free_p(&folder);
	RV_CLEANUP(rv_free_p) char *base = rv_xdg_folder("XDG_CONFIG_HOME", ".config");
	return base ? rv_path_join(base, "snowflake") : NULL;
}

static enum rv_status load_file(const char *path, struct rv_toml **ret, struct rv_error *err)
{
	RV_CLEANUP(rv_snowflake_wipe) struct rv_strbuf text = RV_STRBUF_INIT;
	enum rv_status status = rv_snowflake_secret_file(path, FILE_MAX_BYTES, &text, err);
	if (status == RV_NOT_FOUND) {
		*err = (struct rv_error)RV_ERROR_INIT;
		return RV_OK;
	}
	if (status != RV_OK) {
		err->status = RV_BAD_CONFIG;
		return err->status;
	}
	return rv_toml_parse(path, text.bytes, text.len, ret, err);
}

static enum rv_status load_files(struct files *files, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *folder = find_folder();
	if (!folder)
		return RV_OK;
	files->connections_path = rv_path_join(folder, "connections.toml");
	files->config_path = rv_path_join(folder, "config.toml");
	if (load_file(files->connections_path, &files->connections, err) != RV_OK)
		return err->status;
	return load_file(files->config_path, &files->config, err);
}

/* The table whose members are the connections, and the file it stands in. */
static const struct rv_toml *all_connections(const struct files *files, const char **ret_path)
{
	*ret_path = files->connections || !files->config ? files->connections_path : files->config_path;
	return files->connections ? files->connections : rv_toml_get(files->config, "connections");
}

/* ---- which connection ------------------------------------------------------------------------- */

static bool is_in_environment(const char *connection)
{
	extern char **environ;
	RV_CLEANUP(rv_free_p) char *name = upper(connection);
	RV_CLEANUP(rv_free_p) char *prefix = rv_asprintf("SNOWFLAKE_CONNECTIONS_%s_", name);
	for (char **p = environ; p && *p; p++)
		if (rv_starts_with(*p, prefix))
			return true;
	return false;
}

static enum rv_status no_connection(const struct rv_snowflake_settings *settings,
				    const struct files *files, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf names = RV_STRBUF_INIT;
	const char *path;
	const struct rv_toml *all = all_connections(files, &path);
	for (size_t i = 0; all && i < all->count; i++)
		if (all->items[i]->type == RV_TOML_TABLE)
			rv_strbuf_printf(&names, "%s%s", names.len ? ", " : "", all->items[i]->name);
	rv_fail(err, RV_BAD_CONFIG, "there is no Snowflake connection '%s' (%s) in %s",
		settings->connection, settings->connection_origin,
		path ? path : "any file: there is no home folder");
	if (names.len)
		rv_hint(err, "there are: %s", names.bytes);
	else
		rv_hint(err, "write it there: [%s%s] with account, user and private_key_file",
			files->connections || !files->config ? "" : "connections.", settings->connection);
	return err->status;
}

static enum rv_status choose_connection(struct rv_snowflake_settings *settings,
					const struct files *files, const char *wanted,
					const struct rv_toml **ret, struct rv_error *err)
{
	const struct rv_toml *named = rv_toml_get(files->config, "default_connection_name");
	const char *name = variable("SNOWFLAKE_DEFAULT_CONNECTION_NAME"), *path;
	bool explicit = true;
	if (wanted && *wanted) {
		settings->connection = rv_strdup(wanted);
		settings->connection_origin = rv_strdup("river's profile");
	} else if (name) {
		settings->connection = rv_strdup(name);
		settings->connection_origin = rv_strdup("SNOWFLAKE_DEFAULT_CONNECTION_NAME");
	} else if (named && named->type == RV_TOML_STRING && *named->text) {
		settings->connection = rv_strdup(named->text);
		settings->connection_origin = rv_asprintf("default_connection_name in %s",
							  files->config_path);
	} else {
		settings->connection = rv_strdup("default");
		settings->connection_origin = rv_strdup("default");
		explicit = false;
	}
	const struct rv_toml *table = rv_toml_get(all_connections(files, &path), settings->connection);
	if (table && table->type == RV_TOML_TABLE) {
		settings->file = rv_strdup(path);
		*ret = table;
		return RV_OK;
	}
	*ret = NULL;
	if (!explicit || is_in_environment(settings->connection))
		return RV_OK;
	return no_connection(settings, files, err);
}

/* ---- values ----------------------------------------------------------------------------------- */

static void set(struct rv_snowflake_setting *setting, const char *value, enum rank rank, char *origin)
{
	setting->value = rv_strdup(value);
	setting->origin = origin;
	setting->rank = rank;
}

static bool from_variables(struct rv_snowflake_setting *setting, const char *prefix,
			   const char *const names[3], enum rank rank)
{
	for (size_t i = 0; i < 3 && names[i]; i++) {
		RV_CLEANUP(rv_free_p) char *key = upper(names[i]);
		RV_CLEANUP(rv_free_p) char *name = rv_asprintf("%s%s", prefix, key);
		const char *value = variable(name);
		if (value) {
			set(setting, value, rank, rv_take(name));
			return true;
		}
	}
	return false;
}

static enum rv_status from_file(const struct rv_snowflake_settings *settings,
				struct rv_snowflake_setting *setting, const struct rv_toml *table,
				const char *const names[3], struct rv_error *err)
{
	for (size_t i = 0; i < 3 && names[i]; i++) {
		const struct rv_toml *node = rv_toml_get(table, names[i]);
		if (!node)
			continue;
		if (node->type == RV_TOML_TABLE || node->type == RV_TOML_ARRAY) {
			rv_fail(err, RV_BAD_CONFIG, "%s of connection %s is not a text", names[i],
				settings->connection);
			rv_error_at(err, settings->file, node->line, 0);
			return err->status;
		}
		if (!*node->text)
			continue;
		set(setting, node->text, FROM_FILE,
		    rv_asprintf("connection %s in %s", settings->connection, settings->file));
		return RV_OK;
	}
	return RV_OK;
}

static enum rv_status choose_values(struct rv_snowflake_settings *settings,
				    const struct rv_snowflake_settings_params *params,
				    const struct rv_toml *table, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *name = upper(settings->connection);
	RV_CLEANUP(rv_free_p) char *prefix = rv_asprintf("SNOWFLAKE_CONNECTIONS_%s_", name);
	const char *const wanted[RV_SNOWFLAKE_KEY_COUNT] = {
		[RV_SNOWFLAKE_ACCOUNT] = params->account,
		[RV_SNOWFLAKE_USER] = params->user,
		[RV_SNOWFLAKE_ROLE] = params->role,
		[RV_SNOWFLAKE_WAREHOUSE] = params->warehouse,
		[RV_SNOWFLAKE_DATABASE] = params->database,
	};
	for (int key = 0; key < RV_SNOWFLAKE_KEY_COUNT; key++) {
		struct rv_snowflake_setting *setting = &settings->values[key];
		const char *const *names = keys[key].names;
		if (wanted[key] && *wanted[key]) {
			set(setting, wanted[key], FROM_RIVER, rv_strdup("river's profile"));
			continue;
		}
		if (from_variables(setting, prefix, names, FROM_CONNECTION_VARIABLE))
			continue;
		if (from_file(settings, setting, table, names, err) != RV_OK)
			return err->status;
		if (!setting->value)
			from_variables(setting, "SNOWFLAKE_", names, FROM_ENVIRONMENT);
	}
	/* The one variable without a prefix. */
	struct rv_snowflake_setting *passphrase =
		&settings->values[RV_SNOWFLAKE_PRIVATE_KEY_PASSPHRASE];
	if (!passphrase->value && variable("PRIVATE_KEY_PASSPHRASE"))
		set(passphrase, variable("PRIVATE_KEY_PASSPHRASE"), FROM_ENVIRONMENT,
		    rv_strdup("PRIVATE_KEY_PASSPHRASE"));
	for (int key = 0; key < RV_SNOWFLAKE_KEY_COUNT; key++) {
		struct rv_snowflake_setting *setting = &settings->values[key];
		if ((key == RV_SNOWFLAKE_PRIVATE_KEY_PATH || key == RV_SNOWFLAKE_TOKEN_FILE_PATH) &&
		    setting->value) {
			char *expanded = expand_home(setting->value);
			rv_free_p(&setting->value);
			setting->value = expanded;
		}
	}
	return RV_OK;
}

/* ---- the whole -------------------------------------------------------------------------------- */

enum rv_status rv_snowflake_settings_load(const struct rv_snowflake_settings_params *params,
					  struct rv_snowflake_settings **ret, struct rv_error *err)
{
	RV_CLEANUP(rv_snowflake_settings_free_p)
	struct rv_snowflake_settings *settings = rv_calloc(1, sizeof(*settings));
	RV_CLEANUP(files_release) struct files files = { 0 };
	const struct rv_toml *table;
	if (load_files(&files, err) != RV_OK ||
	    choose_connection(settings, &files, params->connection, &table, err) != RV_OK ||
	    choose_values(settings, params, table, err) != RV_OK ||
	    rv_snowflake_place(settings, err) != RV_OK)
		return err->status;
	*ret = rv_take(settings);
	return RV_OK;
}

void rv_snowflake_settings_free(struct rv_snowflake_settings *settings)
{
	if (!settings)
		return;
	for (int key = 0; key < RV_SNOWFLAKE_KEY_COUNT; key++) {
		struct rv_snowflake_setting *setting = &settings->values[key];
		if (setting->value && keys[key].is_secret)
			explicit_bzero(setting->value, strlen(setting->value));
		rv_free_p(&setting->value);
		rv_free_p(&setting->origin);
	}
	rv_free_p(&settings->connection);
	rv_free_p(&settings->connection_origin);
	rv_free_p(&settings->file);
	rv_free_p(&settings->url);
	rv_free_p(&settings->host);
	rv_free_p(&settings->claim_account);
	rv_free_p(&settings);
}

void rv_snowflake_settings_free_p(struct rv_snowflake_settings **settings)
{
	rv_snowflake_settings_free(*settings);
	*settings = NULL;
}

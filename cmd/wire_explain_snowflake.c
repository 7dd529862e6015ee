/*
 * The part of the wiring that tells what of Snowflake works for a profile and what does not: for
 * doctor. Each step is tried as a load would, and what depends on one that failed is left out. Nothing
 * here starts a warehouse.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/number.h"
#include "config/config.h"
#include "context.h"
#include "snowflake/client.h"
#include "snowflake/sql.h"
#include "wire.h"

/* A JWT of the future is refused, and Snowflake allows for little. */
#define SKEW_NOTED_MS (10 * INT64_C(1000))
#define SKEW_REFUSED_MS (60 * INT64_C(1000))
#define STEP_MS 60000

struct explain {
	const struct rv_profile *profile;
	const char *business;      /* NULL: the profile's own account */
	rv_explain_each *each;
	void *arg;
	struct rv_snowflake *snowflake; /* the wiring's */
};

RV_PRINTF(5, 6)
static void say(struct explain *x, const char *check, enum rv_explained result, const char *hint,
		const char *fmt, ...)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	va_list ap;

	if (x->business)
		rv_strbuf_printf(&text, "business %s: ", x->business);
	va_start(ap, fmt);
	rv_strbuf_vprintf(&text, fmt, ap);
	va_end(ap);
	x->each(x->arg, check, result, text.bytes, hint);
}

static void say_error(struct explain *x, const char *check, const struct rv_error *failure)
{
	if (failure->file[0] && failure->line)
		say(x, check, RV_EXPLAIN_FAIL, failure->hint, "%s:%llu: %s", failure->file,
		    (unsigned long long)failure->line, failure->message);
	else
		say(x, check, RV_EXPLAIN_FAIL, failure->hint, "%s", failure->message);
}

/* ---- what is read here ------------------------------------------------------------------------ */

/* "role R (SNOWFLAKE_ROLE)", what is not set left out; where it comes from, unless from the same file as
 * the account. */
static void put_settings(struct rv_strbuf *out, const struct rv_snowflake_settings *settings,
			 const char *usual_origin)
{
	static const enum rv_snowflake_key keys[] = { RV_SNOWFLAKE_USER, RV_SNOWFLAKE_ROLE,
						      RV_SNOWFLAKE_WAREHOUSE, RV_SNOWFLAKE_DATABASE };
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		const struct rv_snowflake_setting *setting = &settings->values[keys[i]];

		if (!setting->value)
			continue;
		rv_strbuf_printf(out, "%s%s %s", out->len ? ", " : "", rv_snowflake_key_name(keys[i]),
				 setting->value);
		if (strcmp(setting->origin, usual_origin) != 0)
			rv_strbuf_printf(out, " (%s)", setting->origin);
	}
}

static bool explain_settings(struct explain *x)
{
	struct rv_error err = RV_ERROR_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;

	if (river_wire_account(x->profile, &x->snowflake, &err) != RV_OK) {
		say_error(x, "snowflake", &err);
		return false;
	}
	const struct rv_snowflake_settings *settings = rv_snowflake_settings(x->snowflake);
	const char *account = rv_snowflake_setting(settings, RV_SNOWFLAKE_ACCOUNT);
	const enum rv_snowflake_key key = account ? RV_SNOWFLAKE_ACCOUNT : RV_SNOWFLAKE_HOST;

	say(x, "snowflake", RV_EXPLAIN_OK, NULL, "connection %s (%s): account %s (%s), at %s",
	    settings->connection, settings->connection_origin, rv_snowflake_account(x->snowflake),
	    settings->values[key].origin, settings->url);
	put_settings(&text, settings, settings->values[key].origin);
	if (text.len)
		say(x, "snowflake", RV_EXPLAIN_OK, NULL, "%s", text.bytes);
	return true;
}

static bool explain_token(struct explain *x)
{
	struct rv_error err = RV_ERROR_INIT;
	struct rv_snowflake_identity identity;

	if (rv_snowflake_identify(x->snowflake, &identity, &err) != RV_OK) {
		say_error(x, "credentials", &err);
		return false;
	}
	if (*identity.fingerprint)
		say(x, "credentials", RV_EXPLAIN_OK, NULL, "%s, fingerprint %s", identity.source,
		    identity.fingerprint);
	else
		say(x, "credentials", RV_EXPLAIN_OK, NULL, "%s", identity.source);
	if (rv_snowflake_settings(x->snowflake)->auth != RV_SNOWFLAKE_AUTH_KEY)
		say(x, "credentials", RV_EXPLAIN_WARN,
		    "set authenticator = \"SNOWFLAKE_JWT\" and private_key_file, or let the pipes be auto",
		    "Snowpipe's own endpoints take key pairs alone: river snowpipe notify may be refused");
	return true;
}

/* ---- the way there ---------------------------------------------------------------------------- */

/* Any answer is a way there, and tells the time. Asked without credentials. */
static bool explain_endpoint(struct explain *x)
{
	struct rv_error err = RV_ERROR_INIT;
	const char *url = rv_snowflake_settings(x->snowflake)->url;
	char text[RV_NUMBER_TEXT];
	int64_t offset_ms;

	if (rv_snowflake_reach(x->snowflake, &offset_ms, &err) != RV_OK) {
		say_error(x, "snowflake host", &err);
		return false;
	}
	say(x, "snowflake host", RV_EXPLAIN_OK, NULL, "%s answers", url);
	int64_t off_ms = offset_ms < 0 ? -offset_ms : offset_ms;
	if (offset_ms == INT64_MIN)
		say(x, "token clock", RV_EXPLAIN_OK, NULL, "%s does not say what time it is", url);
	else if (off_ms < SKEW_NOTED_MS)
		say(x, "token clock", RV_EXPLAIN_OK, NULL, "agrees with %s", url);
	else
		say(x, "token clock", off_ms < SKEW_REFUSED_MS ? RV_EXPLAIN_WARN : RV_EXPLAIN_FAIL,
		    "set the clock of this machine: a token says when it was made, and one of the future "
		    "or of an hour ago is refused",
		    "this machine's clock is %s %s that of %s",
		    rv_format_duration(off_ms / 1000 * 1000, text), offset_ms > 0 ? "behind" : "ahead of",
		    url);
	return true;
}

/* ---- what may be done there ------------------------------------------------------------------- */

/* Some values of the first row, by the names of their columns; NULL: none. */
struct row {
	const char *const *names;
	char **values;
	size_t count;
	uint64_t rows;
	/* DESC's answers have a property a row: take that of this name. Optional. */
	const char *property;
};

static bool is_wanted(const struct row *row, const struct rv_snowflake_page *page, size_t r)
{
	for (size_t c = 0; row->property && c < page->columns_count; c++) {
		const struct rv_str *value = &page->values[r * page->columns_count + c];

		if (strcasecmp(page->columns[c].name, "property") == 0)
			return value->p && strcasecmp(value->p, row->property) == 0;
	}
	return !row->property;
}

static enum rv_status take_row(void *arg, const struct rv_snowflake_page *page,
			       struct rv_error *err RV_UNUSED)
{
	struct row *row = arg;

	for (size_t r = 0; r < page->count; r++) {
		if (!is_wanted(row, page, r) || row->rows++ > 0)
			continue;
		for (size_t c = 0; c < page->columns_count; c++) {
			const struct rv_str *value = &page->values[r * page->columns_count + c];

			for (size_t i = 0; value->p && i < row->count; i++)
				if (!row->values[i] &&
				    strcasecmp(page->columns[c].name, row->names[i]) == 0)
					row->values[i] = rv_strdup(value->p);
		}
	}
	return RV_OK;
}

/* Neither a warehouse nor a database is needed for what is asked here. */
static enum rv_status ask(struct explain *x, const char *role, const char *sql, struct row *row,
			  struct rv_error *err)
{
	const struct rv_snowflake_statement statement = {
		.sql = sql,
		.database = "",
		.schema = "",
		.warehouse = "",
		.role = role,
		.deadline_ms = rv_clock_monotonic_ms() + STEP_MS,
	};

	return rv_snowflake_execute(x->snowflake, &statement, take_row, row, NULL, err);
}

/* What the profile says, or else the connection; as Snowflake stores it. NULL: nobody says any. */
static char *stored_name(const char *profile, const char *connection)
{
	struct rv_error ignored = RV_ERROR_INIT;
	const char *written = profile && *profile ? profile : connection;
	char *name = NULL;

	if (!written || rv_snowflake_name(written, &name, &ignored) != RV_OK)
		return NULL;
	return name;
}

static bool explain_login(struct explain *x, const char *role, char **ret_role)
{
	static const char *const names[] = { "V", "U", "R" };
	char *values[3] = { NULL, NULL, NULL };
	struct row row = { .names = names, .values = values, .count = 3 };
	struct rv_error err = RV_ERROR_INIT;
	bool good = ask(x, role, "SELECT CURRENT_VERSION() AS V, CURRENT_USER() AS U, CURRENT_ROLE() AS R",
			&row, &err) == RV_OK;

	if (!good)
		say_error(x, "login", &err);
	else
		say(x, "login", RV_EXPLAIN_OK, NULL, "signed in as user %s with role %s (Snowflake %s)",
		    values[1] ? values[1] : "?", values[2] ? values[2] : "none",
		    values[0] ? values[0] : "?");
	*ret_role = rv_take(values[2]);
	free(values[0]);
	free(values[1]);
	return good;
}

/* Snowpipe acts as the user's default role. Who may not see it is not told about it. */
static void explain_default_role(struct explain *x, const char *role)
{
	static const char *const names[] = { "value" };
	char *values[1] = { NULL };
	struct row row = { .names = names, .values = values, .count = 1, .property = "DEFAULT_ROLE" };
	struct rv_error err = RV_ERROR_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf hint = RV_STRBUF_INIT;
	RV_CLEANUP(rv_free_p) char *user = stored_name(NULL, rv_snowflake_user(x->snowflake));

	if (!user || !role)
		return;
	rv_strbuf_puts(&sql, "DESC USER ");
	rv_snowflake_identifier(&sql, user);
	if (ask(x, role, sql.bytes, &row, &err) != RV_OK || row.rows == 0)
		return;
	const char *found = values[0] && strcmp(values[0], "null") != 0 ? values[0] : "";
	rv_strbuf_printf(&hint, "ALTER USER \"%s\" SET DEFAULT_ROLE = \"%s\", or grant the default role "
				"OPERATE and MONITOR on the pipes", user, role);
	if (!*found)
		say(x, "default role", RV_EXPLAIN_WARN, hint.bytes,
		    "user %s has none, and Snowpipe knows no other: it acts as PUBLIC", user);
	else if (strcasecmp(found, role) != 0)
		say(x, "default role", RV_EXPLAIN_WARN, hint.bytes,
		    "Snowpipe acts as the user's default role %s, everything else as %s", found, role);
	else
		say(x, "default role", RV_EXPLAIN_OK, NULL, "%s, which Snowpipe acts as", found);
	free(values[0]);
}

static void explain_warehouse(struct explain *x, const char *role)
{
	static const char *const names[] = { "state", "auto_resume", "size" };
	char *values[3] = { NULL, NULL, NULL };
	struct row row = { .names = names, .values = values, .count = 3 };
	struct rv_error err = RV_ERROR_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	RV_CLEANUP(rv_free_p) char *name =
		stored_name(x->profile->snowflake_warehouse, rv_snowflake_warehouse(x->snowflake));

	if (!name) {
		say(x, "warehouse", RV_EXPLAIN_FAIL, "set warehouse.warehouse of the profile",
		    "no warehouse is named");
		return;
	}
	/* LIKE has '_' and '%' of its own: what else matches is a warehouse that may be used as well. */
	rv_strbuf_puts(&sql, "SHOW WAREHOUSES LIKE ");
	rv_snowflake_literal(&sql, name, strlen(name));
	if (ask(x, role, sql.bytes, &row, &err) != RV_OK)
		say_error(x, "warehouse", &err);
	else if (row.rows == 0)
		say(x, "warehouse", RV_EXPLAIN_FAIL,
		    "create it, or grant USAGE on it to the role, or name another in warehouse.warehouse",
		    "there is no warehouse %s, or role %s may not see it", name, role);
	else if (values[0] && strcasecmp(values[0], "SUSPENDED") == 0 && values[1] &&
		 strcasecmp(values[1], "false") == 0)
		say(x, "warehouse", RV_EXPLAIN_FAIL, "ALTER WAREHOUSE ... SET AUTO_RESUME = TRUE",
		    "warehouse %s is suspended and does not resume by itself", name);
	else
		say(x, "warehouse", RV_EXPLAIN_OK, NULL, "warehouse %s is %s", name,
		    values[0] ? values[0] : "there");
	for (size_t i = 0; i < 3; i++)
		free(values[i]);
}

static void explain_database(struct explain *x, const char *role)
{
	struct row row = { .names = NULL };
	struct rv_error err = RV_ERROR_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	RV_CLEANUP(rv_free_p) char *name =
		stored_name(x->profile->snowflake_database, rv_snowflake_database(x->snowflake));

	if (!name) {
		say(x, "database", RV_EXPLAIN_FAIL, "set warehouse.database of the profile",
		    "no database is named");
		return;
	}
	rv_strbuf_puts(&sql, "SHOW SCHEMAS LIKE 'RIVER' IN DATABASE ");
	rv_snowflake_identifier(&sql, name);
	if (ask(x, role, sql.bytes, &row, &err) == RV_OK)
		say(x, "database", RV_EXPLAIN_OK, NULL, "database %s is there%s", name,
		    row.rows ? ", with river's schema in it" : "; the first stream create fills it");
	else if (err.status == RV_NOT_FOUND)
		say(x, "database", RV_EXPLAIN_WARN,
		    "river stream create makes it, when the role may create databases",
		    "there is no database %s, or role %s may not see it", name, role);
	else
		say_error(x, "database", &err);
}

/* ---- the whole -------------------------------------------------------------------------------- */

static void explain_account(struct explain *x)
{
	if (!explain_settings(x))
		return;
	/* The way there is told of also without a token: both may be wrong. */
	bool token = explain_token(x);
	if (!explain_endpoint(x) || !token)
		return;
	RV_CLEANUP(rv_free_p) char *wanted =
		stored_name(x->profile->snowflake_role, rv_snowflake_role(x->snowflake));
	RV_CLEANUP(rv_free_p) char *role = NULL;
	if (!explain_login(x, wanted, &role))
		return;
	explain_default_role(x, role);
	explain_warehouse(x, role);
	explain_database(x, role);
}

void rv_wire_explain_snowflake(const struct rv_profile *profile, rv_explain_each *each, void *arg)
{
	struct explain x = { .profile = profile, .each = each, .arg = arg };

	explain_account(&x);
	for (size_t i = 0; i < profile->businesses_count; i++) {
		const struct rv_business *business = &profile->businesses[i];
		RV_CLEANUP(rv_profile_release_p) struct rv_profile own = { 0 };

		if (!business->connection && !business->database && !business->warehouse && !business->role)
			continue;
		rv_profile_of_business(profile, business->name, &own);
		x = (struct explain){ .profile = &own, .business = business->name, .each = each, .arg = arg };
		explain_account(&x);
	}
}

/* From a profile to an account of Snowflake and a warehouse in it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "format/arn.h"
#include "snowflake/client.h"
#include "snowflake/sql.h"
#include "warehouse/snowflake.h"
#include "wire.h"

/* A connection that was asked for, and the names of a profile as Snowflake stores them: warehouses borrow
 * them until the process ends. */
struct account {
	struct account *next;
	char *connection; /* NULL: the default one */
	struct rv_snowflake *snowflake;
};
struct names {
	struct names *next;
	char *database, *warehouse, *role, *integration, *stage, *loads_stage;
};
static struct account *accounts;
static struct names *all_names;
/* Not AWS's client: AWS_CA_BUNDLE says whom to trust there. */
static struct rv_http *http;

static void trace(void *arg RV_UNUSED, const char *line)
{
	rv_verbose("%s", line);
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

enum rv_status river_wire_account(const struct rv_profile *profile, struct rv_snowflake **ret,
				  struct rv_error *err)
{
	struct account *a = accounts;

	while (a && !same_text(a->connection, profile->snowflake_connection))
		a = a->next;
	if (a) {
		*ret = a->snowflake;
		return RV_OK;
	}
	if (!http) {
		/* Where a company's proxy looks into TLS, this is what Snowflake's clients are told. */
		const char *bundle = getenv("REQUESTS_CA_BUNDLE");
		const struct rv_http_params params = {
			.ca_file = bundle,
			.ca_variable = "REQUESTS_CA_BUNDLE",
			.should_stop = rv_should_stop,
			.trace = trace,
		};

		http = rv_http_new(&params);
	}
	const struct rv_snowflake_settings_params settings = {
		.connection = profile->snowflake_connection,
	};

	if (rv_snowflake_new(&settings, http, ret, err) != RV_OK)
		return err->status;
	rv_snowflake_on_wait(*ret, rv_note);
	a = rv_calloc(1, sizeof(*a));
	a->connection = profile->snowflake_connection ? rv_strdup(profile->snowflake_connection) : NULL;
	a->snowflake = *ret;
	a->next = accounts;
	accounts = a;
	return RV_OK;
}

void river_close_snowflake(void)
{
	while (accounts) {
		struct account *next = accounts->next;

		rv_snowflake_free(accounts->snowflake);
		free(accounts->connection);
		free(accounts);
		accounts = next;
	}
	while (all_names) {
		struct names *next = all_names->next;

		free(all_names->database);
		free(all_names->warehouse);
		free(all_names->role);
		free(all_names->integration);
		free(all_names->stage);
		free(all_names->loads_stage);
		free(all_names);
		all_names = next;
	}
	rv_http_free_p(&http);
}

/* `written` NULL: `otherwise`, which may be NULL as well. */
static enum rv_status name(const char *key, const char *written, const char *otherwise, char **ret,
			   struct rv_error *err)
{
	if (!written)
		written = otherwise;
	if (!written || !written[0])
		return RV_OK;
	if (rv_snowflake_name(written, ret, err) != RV_OK)
		return rv_context(err, "%s", key);
	return RV_OK;
}

/* db.schema.stage, any of them in quotes -> "DB"."SCHEMA"."STAGE" */
static enum rv_status stage_name(const char *key, const char *written, char **ret, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf out = RV_STRBUF_INIT;
	unsigned parts = 0;

	for (const char *p = written; *p; parts++) {
		const char *start = p;
		bool quoted = false;

		for (; *p && (quoted || *p != '.'); p++)
			quoted ^= *p == '"';
		RV_CLEANUP(rv_free_p) char *part = rv_strndup(start, (size_t)(p - start));
		RV_CLEANUP(rv_free_p) char *stored = NULL;

		if (rv_snowflake_name(part, &stored, err) != RV_OK)
			return rv_context(err, "%s", key);
		if (parts)
			rv_strbuf_putc(&out, '.');
		rv_snowflake_identifier(&out, stored);
		p += *p == '.';
	}
	if (parts != 3)
		return rv_fail(err, RV_BAD_CONFIG, "%s is '%s', not database.schema.stage", key, written);
	*ret = rv_strbuf_take(&out);
	return RV_OK;
}

static enum rv_status missing(struct rv_error *err, const struct rv_profile *profile, const char *what)
{
	rv_fail(err, RV_BAD_CONFIG, "profile %s does not say which %s of Snowflake to use", profile->name,
		what);
	rv_hint(err, "set warehouse.%s, or %s of its connection", what, what);
	return RV_BAD_CONFIG;
}

enum rv_status river_wire_snowflake(const struct rv_profile *profile, struct rv_store *lake,
				    int64_t query_timeout_ms, struct rv_warehouse **ret,
				    struct rv_error *err)
{
	struct rv_snowflake *snowflake;

	if (river_wire_account(profile, &snowflake, err) != RV_OK)
		return err->status;
	struct names *names = rv_calloc(1, sizeof(*names));

	names->next = all_names;
	all_names = names;
	if (name("warehouse.database", profile->snowflake_database, rv_snowflake_database(snowflake),
		 &names->database, err) != RV_OK ||
	    name("warehouse.warehouse", profile->snowflake_warehouse, rv_snowflake_warehouse(snowflake),
		 &names->warehouse, err) != RV_OK ||
	    name("warehouse.role", profile->snowflake_role, NULL, &names->role, err) != RV_OK ||
	    name("warehouse.storage_integration", profile->snowflake_integration, NULL,
		 &names->integration, err) != RV_OK ||
	    (profile->snowflake_stage &&
	     stage_name("warehouse.stage", profile->snowflake_stage, &names->stage, err) != RV_OK) ||
	    (profile->snowflake_loads_stage &&
	     stage_name("warehouse.loads_stage", profile->snowflake_loads_stage, &names->loads_stage, err) !=
		     RV_OK))
		return rv_context(err, "profile %s", profile->name);
	if (!names->database)
		return missing(err, profile, "database");
	if (!names->warehouse)
		return missing(err, profile, "warehouse");
	const struct rv_snowflake_warehouse_params params = {
		.snowflake = snowflake,
		.database = names->database,
		.warehouse = names->warehouse,
		.role = names->role,
		.bucket = profile->bucket,
		.lake_prefix = profile->lake_prefix,
		.storage_integration = names->integration,
		.stage = names->stage,
		.loads_stage = names->loads_stage,
		.storage_role_arn = profile->snowflake_storage_role_arn,
		.sns_topic = profile->notify_arn && rv_arn_is(profile->notify_arn, "sns", "")
				     ? profile->notify_arn
				     : NULL,
		.makes_roles = profile->snowflake_makes_roles,
		.query_timeout_ms = query_timeout_ms,
		.stop = rv_stop_signal,
		.note = rv_note,
	};

	*ret = rv_warehouse_snowflake_new(&params, lake);
	return RV_OK;
}

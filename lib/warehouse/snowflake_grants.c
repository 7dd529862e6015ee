/* Who may do what; see the header. A reader of a masked stream reads clean and latest alone: raw and
 * what is refused hold the values as they came. */
#include "warehouse/snowflake_grants.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static enum rv_status add_role(struct snow_roles *roles, const char *written, int as,
			       struct rv_error *err)
{
	char *name = NULL;

	if (rv_snowflake_name(written, &name, err) != RV_OK)
		return rv_context(err, "a role in grants");
	roles->items = rv_realloc_array(roles->items, roles->count + 1, sizeof(*roles->items));
	roles->items[roles->count].name = name;
	roles->items[roles->count++].as = as;
	return RV_OK;
}

enum rv_status snow_roles_of(const struct rv_snowflake_warehouse *w, const struct rv_stream *stream,
			     struct snow_roles *ret, struct rv_error *err)
{
	const struct {
		const struct rv_string_list *names;
		int as;
	} lists[] = { { &stream->grants_read, SNOW_ROLE_READ },
		      { &stream->grants_push, SNOW_ROLE_PUSH },
		      { &stream->grants_admin, SNOW_ROLE_ADMIN } };

	ret->masked = stream->mask.count > 0;
	for (int writes = 0; writes < 2 && w->params.makes_roles; writes++) {
		char name[SNOW_ROLE_MAX];

		snow_role(w, writes, name);
		ret->items = rv_realloc_array(ret->items, ret->count + 1, sizeof(*ret->items));
		ret->items[ret->count].name = rv_strdup(name);
		ret->items[ret->count++].as = writes ? SNOW_ROLE_RW : SNOW_ROLE_RO;
	}
	for (size_t i = 0; i < 3; i++)
		for (size_t k = 0; k < lists[i].names->count; k++)
			if (add_role(ret, lists[i].names->items[k], lists[i].as, err) != RV_OK)
				return err->status;
	return RV_OK;
}

void snow_roles_release(struct snow_roles *roles)
{
	for (size_t i = 0; i < roles->count; i++)
		free(roles->items[i].name);
	free(roles->items);
	*roles = (struct snow_roles){ 0 };
}

/* ---- what each may do ---- */

#define TABLE_PRIVILEGES "SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES"

static const char *of_object(enum snow_kind kind, enum snow_object object, int as, bool masked)
{
	bool reads = as == SNOW_ROLE_RO || as == SNOW_ROLE_READ;
	bool holds_all = object == SNOW_RAW || object == SNOW_REFUSED;

	if (reads)
		return kind == SNOW_IS_PIPE || kind == SNOW_IS_STREAM || kind == SNOW_IS_TASK ||
				       object == SNOW_NEWEST || (holds_all && masked)
			       ? ""
			       : "SELECT";
	/* The rows of raw say what is loaded, and layers are brought up to date. Where some columns are
	 * not for everybody, who pushes may not look, and somebody else notifies. */
	if (as == SNOW_ROLE_PUSH && kind != SNOW_IS_PIPE && masked)
		return "";
	if (as == SNOW_ROLE_PUSH && kind != SNOW_IS_PIPE)
		return kind == SNOW_IS_DYNAMIC ? "SELECT, MONITOR, OPERATE"
		       : kind == SNOW_IS_TASK ? ""
					       : "SELECT";
	switch (kind) {
	case SNOW_IS_TABLE:
		return TABLE_PRIVILEGES;
	case SNOW_IS_DYNAMIC:
		return "SELECT, MONITOR, OPERATE";
	case SNOW_IS_PIPE:
	case SNOW_IS_TASK:
		return "OPERATE, MONITOR";
	default:
		return "SELECT";
	}
}

static const char *of_schema(int as)
{
	if (as == SNOW_ROLE_RW)
		return "USAGE, MODIFY, MONITOR, CREATE TABLE, CREATE EXTERNAL TABLE, CREATE VIEW, "
		       "CREATE MATERIALIZED VIEW, CREATE MASKING POLICY, CREATE STAGE, CREATE FILE FORMAT, "
		       "CREATE SEQUENCE, CREATE FUNCTION, CREATE PIPE, CREATE STREAM, CREATE TASK, "
		       "CREATE PROCEDURE";
	return as == SNOW_ROLE_ADMIN ? "USAGE, MONITOR" : "USAGE";
}

/* Whether "A, B, C D" has it. */
static bool has_privilege(const char *list, const char *privilege)
{
	size_t len = strlen(privilege);

	for (const char *p = list; *p;) {
		size_t n = strcspn(p, ",");

		if (n == len && memcmp(p, privilege, len) == 0)
			return true;
		p += n;
		p += strspn(p, ", ");
	}
	return false;
}

struct target {
	const char *kind, *name, *schema, *plain;
	const struct snow_seen *seen;
	void (*each)(void *arg, const char *sql);
	void *arg;
};

/* Of the privileges those that are missing, in one statement. */
static void grant(const struct target *t, const char *privileges, const char *role)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf missing = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;

	for (const char *p = privileges; *p;) {
		size_t n = strcspn(p, ",");
		RV_CLEANUP(rv_free_p) char *one = rv_strndup(p, n);

		if (!snow_seen_granted(t->seen, t->schema, t->plain, one, role))
			rv_strbuf_printf(&missing, "%s%s", missing.len ? ", " : "", one);
		p += n;
		p += strspn(p, ", ");
	}
	if (!missing.len)
		return;
	rv_strbuf_printf(&sql, "GRANT %s ON %s %s TO ROLE ", missing.bytes, t->kind, t->name);
	rv_snowflake_identifier(&sql, role);
	t->each(t->arg, sql.bytes);
}

/* What the role may do with the object, by all the ways it is named. */
static void wanted_of(const struct snow_roles *roles, const char *role, enum snow_kind kind,
		      enum snow_object object, struct rv_strbuf *ret)
{
	rv_strbuf_clear(ret);
	for (size_t i = 0; i < roles->count; i++) {
		if (strcmp(roles->items[i].name, role) != 0)
			continue;
		const char *more = of_object(kind, object, roles->items[i].as, roles->masked);

		rv_strbuf_printf(ret, "%s%s", ret->len && more[0] ? ", " : "", more);
	}
}

static bool is_managed(const struct snow_roles *roles, const struct rv_string_list *former,
		       const char *role)
{
	for (size_t i = 0; i < roles->count; i++)
		if (strcmp(roles->items[i].name, role) == 0)
			return true;
	for (size_t i = 0; former && i < former->count; i++) {
		RV_CLEANUP(rv_free_p) char *name = NULL;
		struct rv_error err = RV_ERROR_INIT;

		if (rv_snowflake_name(former->items[i], &name, &err) == RV_OK && strcmp(name, role) == 0)
			return true;
	}
	return false;
}

static void revoke(const struct target *t, const struct snow_roles *roles,
		   const struct rv_string_list *former, enum snow_kind kind, enum snow_object object)
{
	const struct snow_fact *fact = snow_seen_find(t->seen, "grant", t->schema, t->plain);
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf wanted = RV_STRBUF_INIT;

	for (; fact; fact = snow_seen_next(t->seen, fact)) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;

		if (!is_managed(roles, former, fact->value))
			continue;
		wanted_of(roles, fact->value, kind, object, &wanted);
		if (has_privilege(wanted.bytes, fact->attribute))
			continue;
		rv_strbuf_printf(&sql, "REVOKE %s ON %s %s FROM ROLE ", fact->attribute, t->kind, t->name);
		rv_snowflake_identifier(&sql, fact->value);
		t->each(t->arg, sql.bytes);
	}
}

void snow_grant_object(const struct snow_roles *roles, const struct rv_string_list *former,
		       const struct rv_stream *stream, enum snow_object object,
		       const struct snow_text *text, const struct snow_seen *seen,
		       void (*each)(void *arg, const char *sql), void *arg)
{
	enum snow_kind kind = snow_object_kind(stream, object);
	const struct target t = { snow_kind_word(kind), text->name, text->schema, text->plain, seen, each,
				  arg };

	for (size_t i = 0; i < roles->count; i++)
		grant(&t, of_object(kind, object, roles->items[i].as, roles->masked),
		      roles->items[i].name);
	revoke(&t, roles, former, kind, object);
}

/* ---- around the objects ---- */

void snow_grant_places(const struct rv_snowflake_warehouse *w, const struct snow_roles *roles,
		       const struct rv_stream *stream, const struct snow_seen *seen,
		       void (*each)(void *arg, const char *sql), void *arg)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf d = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf house = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf ledger = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf schema = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf stage = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf format = RV_STRBUF_INIT;
	char plain[RV_STREAM_PLACE_MAX];

	rv_snowflake_identifier(&d, w->params.database);
	rv_strbuf_printf(&house, "%s.\"" SNOW_HOUSE "\"", d.bytes);
	snow_add_house(&ledger, w, SNOW_LEDGER);
	snow_add_house(&stage, w, SNOW_STAGE);
	snow_add_house(&format, w, SNOW_FORMAT);
	snow_add_schema(&schema, w, stream);
	snow_schema_name(stream, plain);
	const struct target in_database = { "DATABASE", d.bytes, "", w->params.database, seen, each, arg };
	const struct target in_house = { "SCHEMA", house.bytes, SNOW_HOUSE, "", seen, each, arg };
	const struct target in_schema = { "SCHEMA", schema.bytes, plain, "", seen, each, arg };
	const struct target in_ledger = { "TABLE", ledger.bytes, SNOW_HOUSE, SNOW_LEDGER, seen, each, arg };
	const struct target in_stage = { "STAGE", stage.bytes, SNOW_HOUSE, SNOW_STAGE, seen, each, arg };
	const struct target in_format = { "FILE FORMAT", format.bytes, SNOW_HOUSE, SNOW_FORMAT, seen, each,
					  arg };

	for (size_t i = 0; i < roles->count; i++) {
		const char *role = roles->items[i].name;
		int as = roles->items[i].as;

		if (as >= SNOW_ROLE_READ)
			grant(&in_database, "USAGE", role);
		grant(&in_schema, of_schema(as), role);
		if (as == SNOW_ROLE_RO || as == SNOW_ROLE_READ)
			continue;
		/* who notifies writes into the ledger; who loads by hand reads the stage */
		grant(&in_house, "USAGE", role);
		grant(&in_ledger, "SELECT, INSERT, UPDATE", role);
		if (as == SNOW_ROLE_PUSH)
			continue;
		if (!w->params.stage)
			grant(&in_stage, "USAGE", role);
		grant(&in_format, "USAGE", role);
	}
}

void snow_grant_database(const struct rv_snowflake_warehouse *w, const struct snow_seen *seen,
			 void (*each)(void *arg, const char *sql), void *arg)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf d = RV_STRBUF_INIT;
	const char *plain = w->params.database;
	char ro[SNOW_ROLE_MAX], rw[SNOW_ROLE_MAX];

	snow_role(w, false, ro);
	snow_role(w, true, rw);
	/* Roles themselves are in no view that everybody may read; what they were granted is. */
	if (snow_seen_granted(seen, "", plain, "USAGE", ro) &&
	    snow_seen_granted(seen, "", plain, "MONITOR", rw) &&
	    snow_seen_granted(seen, "", plain, "CREATE SCHEMA", rw))
		return;
	rv_snowflake_identifier(&d, plain);
	for (int writes = 0; writes < 2; writes++) {
		rv_strbuf_clear(&sql);
		rv_strbuf_puts(&sql, "CREATE ROLE IF NOT EXISTS ");
		rv_snowflake_identifier(&sql, writes ? rw : ro);
		rv_strbuf_printf(&sql, " COMMENT = '%s the database of river'", writes ? "changes" : "reads");
		each(arg, sql.bytes);
	}
	rv_strbuf_clear(&sql);
	rv_strbuf_puts(&sql, "GRANT ROLE ");
	rv_snowflake_identifier(&sql, ro);
	rv_strbuf_puts(&sql, " TO ROLE ");
	rv_snowflake_identifier(&sql, rw);
	each(arg, sql.bytes);
	for (int writes = 0; writes < 2; writes++) {
		rv_strbuf_clear(&sql);
		rv_strbuf_printf(&sql, "GRANT %s ON DATABASE %s TO ROLE ",
				 writes ? "USAGE, MONITOR, CREATE SCHEMA" : "USAGE", d.bytes);
		rv_snowflake_identifier(&sql, writes ? rw : ro);
		each(arg, sql.bytes);
		rv_strbuf_clear(&sql);
		rv_strbuf_printf(&sql, "GRANT %s ON WAREHOUSE ", writes ? "MONITOR" : "USAGE");
		rv_snowflake_identifier(&sql, w->params.warehouse);
		rv_strbuf_puts(&sql, " TO ROLE ");
		rv_snowflake_identifier(&sql, writes ? rw : ro);
		each(arg, sql.bytes);
	}
}

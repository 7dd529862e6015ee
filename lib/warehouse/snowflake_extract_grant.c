/* What "<database>_RO" and "<database>_RW" may do with the tables of extracts: read them, and load them. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "warehouse/snowflake_ddl.h"
#include "warehouse/snowflake_extract.h"
#include "warehouse/snowflake_grants.h"

struct granting {
	const struct rv_snowflake_warehouse *w;
	const struct snow_seen *seen;
	struct snow_steps *steps;
};

static void add_needless(const struct granting *g, struct rv_strbuf *sql)
{
	snow_steps_add(g->steps, sql, NULL)->needless = true;
}

static void take_statement(void *arg, const char *statement)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;

	rv_strbuf_puts(&sql, statement);
	add_needless(arg, &sql);
}

/* `what` is "SELECT ON TABLE "; `object` follows it and is kept. */
static void grant(const struct granting *g, const char *what, const struct rv_strbuf *object, bool writes)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	char role[SNOW_ROLE_MAX];

	rv_strbuf_printf(&sql, "GRANT %s %s TO ROLE ", what, object->bytes);
	rv_snowflake_identifier(&sql, snow_role(g->w, writes, role));
	add_needless(g, &sql);
}

static void grant_house(const struct granting *g, const char *what, const char *name)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf object = RV_STRBUF_INIT;

	snow_add_house(&object, g->w, name);
	grant(g, what, &object, true);
}

/* `again`: its schema had a table before. */
static void grant_table(const struct granting *g, const struct rv_extract_table *t, bool again)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf schema = RV_STRBUF_INIT, target = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf rows = RV_STRBUF_INIT;

	snow_add_extract_schema(&schema, g->w, t);
	snow_add_extract_table(&target, g->w, t, false);
	snow_add_extract_table(&rows, g->w, t, true);
	if (!again) {
		grant(g, "USAGE ON SCHEMA", &schema, false);
		grant(g, "USAGE ON SCHEMA", &schema, true);
	}
	grant(g, t->merge ? "SELECT ON TABLE" : "SELECT ON VIEW", &target, false);
	grant(g, t->merge ? "SELECT, INSERT, DELETE ON TABLE" : "SELECT ON VIEW", &target, true);
	grant(g, "SELECT, INSERT, DELETE ON TABLE", &rows, true);
}

static bool is_there(const struct granting *g, const char *schema, const char *name)
{
	return snow_seen_find(g->seen, "table", schema, name) != NULL;
}

void snow_extract_grant_steps(const struct rv_snowflake_warehouse *w, const struct rv_extract *extract,
			      const struct snow_seen *seen, struct snow_steps *ret)
{
	struct granting g = { .w = w, .seen = seen, .steps = ret };

	if (!w->params.makes_roles || !ret->count)
		return;
	snow_grant_database(w, seen, take_statement, &g);
	if (!is_there(&g, SNOW_HOUSE, SNOW_EXTRACTS)) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf house = RV_STRBUF_INIT;

		rv_snowflake_identifier(&house, w->params.database);
		rv_strbuf_puts(&house, ".\"" SNOW_HOUSE "\"");
		grant(&g, "USAGE ON SCHEMA", &house, true);
		grant_house(&g, "SELECT, INSERT, DELETE ON TABLE", SNOW_EXTRACTS);
		grant_house(&g, "SELECT, INSERT, UPDATE ON TABLE", SNOW_EXTRACTS_LOCK);
		grant_house(&g, "USAGE ON FILE FORMAT", SNOW_FORMAT);
		if (!w->params.loads_stage)
			grant_house(&g, "USAGE ON STAGE", SNOW_LOADS_STAGE);
	}
	for (size_t i = 0; i < extract->tables_count; i++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf schema = RV_STRBUF_INIT, rows = RV_STRBUF_INIT;

		snow_extract_schema_name(&extract->tables[i], &schema);
		snow_extract_table_name(&extract->tables[i], true, &rows);
		if (is_there(&g, schema.bytes, rows.bytes))
			continue;
		bool again = false;

		for (size_t k = 0; k < i && !again; k++)
			again = strcmp(extract->tables[k].schema, extract->tables[i].schema) == 0;
		grant_table(&g, &extract->tables[i], again);
	}
	for (size_t i = 0; i < extract->documents_count; i++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf roots = RV_STRBUF_INIT;

		snow_extract_roots_name(extract, &extract->documents[i], &roots);
		if (!is_there(&g, SNOW_HOUSE, roots.bytes))
			grant_house(&g, "SELECT, INSERT, DELETE ON TABLE", roots.bytes);
	}
}

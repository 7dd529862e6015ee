/* Documents of a job: a root and what is nested into it, to any depth, and where they go. */
#include "config/job_impl.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* Deeper documents would be a chain of single rows. */
enum { DEPTH_MAX = 16 };

static void release_nests(struct rv_job_nest *nests, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct rv_job_nest *nest = &nests[i];

		free(nest->field);
		for (size_t k = 0; k < nest->on_count; k++) {
			free(nest->on[k].child);
			free(nest->on[k].parent);
		}
		free(nest->on);
		for (size_t k = 0; k < nest->order_by_count; k++)
			free(nest->order_by[k].column);
		free(nest->order_by);
		release_nests(nest->nests, nest->nests_count);
	}
	free(nests);
}

void rv_job_document_release(struct rv_job_document *document)
{
	free(document->name);
	free(document->dynamodb);
	free(document->ttl_attribute);
	free(document->ttl_from);
	release_nests(document->nests, document->nests_count);
	*document = (struct rv_job_document){ 0 };
}

/* ---- nests ---- */

/* [order_id]: columns of the same name; { customer_id: id }: column of the nested table, of the other. */
static enum rv_status parse_on(struct rv_def *p, const struct rv_yaml_node *node,
			       const struct rv_job_table *child, const struct rv_job_table *parent,
			       struct rv_job_nest *nest)
{
	bool one = node->kind == RV_YAML_SCALAR, map = node->kind == RV_YAML_MAPPING;
	size_t count = one ? 1 : node->count;

	if (count == 0 || (one && !*node->text))
		return rv_def_bad(p, node, "on: at least one column is needed");
	nest->on = rv_calloc(count, sizeof(*nest->on));
	for (size_t i = 0; i < count; i++) {
		const struct rv_yaml_node *from = one ? node : map ? node->keys[i] : node->items[i];
		const struct rv_yaml_node *to = map ? node->items[i] : from;

		if (rv_def_check_kind(p, from, RV_YAML_SCALAR, "on") != RV_OK ||
		    rv_def_check_kind(p, to, RV_YAML_SCALAR, "on") != RV_OK ||
		    rv_job_need_column(p, child, from, "on", from->text) != RV_OK ||
		    rv_job_need_column(p, parent, to, "on", to->text) != RV_OK)
			return p->err->status;
		const struct rv_column *a = rv_job_column(child, from->text), *b =
			rv_job_column(parent, to->text);

		if (a->type != b->type || a->scale != b->scale) {
			rv_def_bad(p, from, "on: %s.%s is a %s, %s.%s a %s", child->name, a->name,
				   rv_column_type_name(a->type), parent->name, b->name,
				   rv_column_type_name(b->type));
			rv_hint(p->err, "only equal values of one type find each other");
			return p->err->status;
		}
		nest->on[nest->on_count++] = (struct rv_job_on){ .child = rv_strdup(from->text),
								 .parent = rv_strdup(to->text) };
	}
	return RV_OK;
}

static enum rv_status parse_order_by(struct rv_def *p, const struct rv_yaml_node *node,
				     const struct rv_job_table *table, struct rv_job_nest *nest)
{
	bool one = node->kind == RV_YAML_SCALAR;
	size_t count = one ? 1 : node->count;

	nest->order_by = rv_calloc(count, sizeof(*nest->order_by));
	for (size_t i = 0; i < count; i++) {
		const struct rv_yaml_node *item = one ? node : node->items[i];

		if (rv_def_check_kind(p, item, RV_YAML_SCALAR, "order_by") != RV_OK)
			return p->err->status;
		const char *blank = strchr(item->text, ' ');
		size_t len = blank ? (size_t)(blank - item->text) : strlen(item->text);
		RV_CLEANUP(rv_free_p) char *column = rv_strndup(item->text, len);
		const char *direction = blank ? rv_def_skip_spaces(blank) : "asc";

		if (rv_job_need_column(p, table, item, "order_by", column) != RV_OK)
			return p->err->status;
		if (strcmp(direction, "asc") != 0 && strcmp(direction, "desc") != 0)
			return rv_def_bad(p, item, "order_by: '%.40s' is neither asc nor desc", direction);
		if (rv_job_column(table, column)->type == RV_COLUMN_JSON)
			return rv_def_bad(p, item, "order_by: '%s' is json, which has no order", column);
		nest->order_by[nest->order_by_count++] = (struct rv_job_order){
			.column = rv_take(column), .descending = *direction == 'd' };
	}
	return RV_OK;
}

static enum rv_status parse_nests(struct rv_def *p, const struct rv_yaml_node *node, struct rv_job *job,
				  size_t parent, unsigned depth, struct rv_job_nest **ret,
				  size_t *ret_count);

static enum rv_status parse_nest(struct rv_def *p, const struct rv_yaml_node *field,
				 const struct rv_yaml_node *node, struct rv_job *job, size_t parent_index,
				 unsigned depth, struct rv_job_nest *nest)
{
	static const char *const known[] = { "table", "on", "many", "order_by", "touch", "nest", NULL };
	const struct rv_job_table *parent = &job->tables[parent_index];
	const struct rv_yaml_node *n;
	RV_CLEANUP(rv_free_p) char *path = rv_asprintf("nest.%.64s", field->text);

	*nest = (struct rv_job_nest){ .field = rv_strdup(field->text), .touch = true,
				      .line = field->line, .column = field->column };
	if (!*field->text || strlen(field->text) > 255)
		return rv_def_bad(p, field, "nest: a field's name has 1 to 255 bytes");
	if (rv_job_column(parent, field->text))
		return rv_def_bad(p, field, "%s: %s has a column of that name already", path, parent->name);
	if (rv_def_check_kind(p, node, RV_YAML_MAPPING, path) != RV_OK ||
	    rv_def_check_keys(p, node, path, known) != RV_OK)
		return p->err->status;
	n = rv_def_get(node, "table");
	/* lines: { on: ... }: the table is often called as the field is */
	if (rv_job_find_table(p, job, n ? n : field, path, &nest->table) != RV_OK)
		return p->err->status;
	const struct rv_job_table *child = &job->tables[nest->table];

	if (!(n = rv_def_get(node, "on"))) {
		rv_def_bad(p, node, "%s: by which columns is it found?", path);
		rv_hint(p->err, "write on: [order_id], or on: { order_id: id } for other names");
		return p->err->status;
	}
	if (parse_on(p, n, child, parent, nest) != RV_OK)
		return p->err->status;
	if ((n = rv_def_get(node, "many")) && rv_def_parse_bool(p, n, "many", &nest->many) != RV_OK)
		return p->err->status;
	if ((n = rv_def_get(node, "touch")) && rv_def_parse_bool(p, n, "touch", &nest->touch) != RV_OK)
		return p->err->status;
	if ((n = rv_def_get(node, "order_by"))) {
		if (!nest->many)
			return rv_def_bad(p, n, "%s.order_by: is for `many: true`", path);
		if (parse_order_by(p, n, child, nest) != RV_OK)
			return p->err->status;
	}
	if ((n = rv_def_get(node, "nest")))
		return parse_nests(p, n, job, nest->table, depth + 1, &nest->nests, &nest->nests_count);
	return RV_OK;
}

static enum rv_status parse_nests(struct rv_def *p, const struct rv_yaml_node *node, struct rv_job *job,
				  size_t parent, unsigned depth, struct rv_job_nest **ret,
				  size_t *ret_count)
{
	if (rv_def_check_kind(p, node, RV_YAML_MAPPING, "nest") != RV_OK)
		return p->err->status;
	if (depth > DEPTH_MAX)
		return rv_def_bad(p, node, "nest: deeper than %d", DEPTH_MAX);
	if (node->count == 0)
		return RV_OK;
	*ret = rv_calloc(node->count, sizeof(**ret));
	for (size_t i = 0; i < node->count; i++) {
		size_t n = (*ret_count)++;

		if (parse_nest(p, node->keys[i], node->items[i], job, parent, depth, &(*ret)[n]) != RV_OK)
			return p->err->status;
	}
	return RV_OK;
}

/* ---- targets ---- */

/* "9 months" */
static enum rv_status parse_after(struct rv_def *p, const struct rv_yaml_node *node,
				  struct rv_job_document *document)
{
	static const char *const units[] = { "day", "week", "month", "year" };

	if (rv_def_check_kind(p, node, RV_YAML_SCALAR, "after") != RV_OK)
		return p->err->status;
	const char *s = node->text;

	if (rv_def_take_number(&s, &document->ttl_count) && document->ttl_count >= 1) {
		s = rv_def_skip_spaces(s);
		for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
			size_t len = strlen(units[i]);

			if (strncmp(s, units[i], len) == 0 && (!s[len] || strcmp(s + len, "s") == 0)) {
				document->ttl_unit = (enum rv_job_unit)i;
				return RV_OK;
			}
		}
	}
	rv_def_bad(p, node, "ttl.after: '%.200s' is not a time to keep", node->text);
	rv_hint(p->err, "write 90 days, 9 months or 2 years, at most 1000 of them");
	return p->err->status;
}

static enum rv_status parse_ttl(struct rv_def *p, const struct rv_yaml_node *node,
				const struct rv_job_table *root, struct rv_job_document *document)
{
	static const char *const known[] = { "attribute", "from", "after", NULL };
	const struct rv_yaml_node *n;

	if (rv_def_check_kind(p, node, RV_YAML_MAPPING, "ttl") != RV_OK ||
	    rv_def_check_keys(p, node, "ttl", known) != RV_OK)
		return p->err->status;
	if (!(n = rv_def_get(node, "attribute")))
		return rv_def_bad(p, node, "ttl: `attribute` is missing");
	if (rv_def_parse_text(p, n, "ttl.attribute", 255, &document->ttl_attribute) != RV_OK)
		return p->err->status;
	if (rv_job_column(root, document->ttl_attribute))
		return rv_def_bad(p, n, "ttl.attribute: %s has a column of that name", root->name);
	if ((n = rv_def_get(node, "from"))) {
		if (rv_def_parse_text(p, n, "ttl.from", 63, &document->ttl_from) != RV_OK ||
		    rv_job_need_column(p, root, n, "ttl.from", document->ttl_from) != RV_OK)
			return p->err->status;
		enum rv_column_type type = rv_job_column(root, document->ttl_from)->type;

		if (type != RV_COLUMN_DATE && type != RV_COLUMN_TIMESTAMP)
			return rv_def_bad(p, n, "ttl.from: '%s' is a %s, not a date or timestamp",
					  document->ttl_from, rv_column_type_name(type));
	}
	if (!(n = rv_def_get(node, "after")))
		return rv_def_bad(p, node, "ttl: `after` is missing");
	return parse_after(p, n, document);
}

static bool is_dynamodb_name(const char *s)
{
	size_t len = strlen(s);

	return len >= 3 && len <= 255 &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == len;
}

/* Items have the key of the root and no name: what one document writes under a key another would write over. */
static enum rv_status check_dynamodb(struct rv_def *p, const struct rv_yaml_node *node, const struct rv_job *job,
				     const struct rv_job_document *document)
{
	if (!is_dynamodb_name(document->dynamodb))
		return rv_def_bad(p, node, "target.dynamodb: '%s' is not a table's name: 3 to 255 letters, digits "
					   "and _ . -", document->dynamodb);
	for (const struct rv_job_document *other = job->documents; other < document; other++)
		if (other->dynamodb && strcmp(other->dynamodb, document->dynamodb) == 0) {
			rv_def_bad(p, node, "documents.%s: documents.%s goes into the DynamoDB table %s already",
				   document->name, other->name, document->dynamodb);
			rv_hint(p->err, "one would write over the other's items: give each a table of its own");
			return p->err->status;
		}
	return RV_OK;
}

static enum rv_status parse_target(struct rv_def *p, const struct rv_yaml_node *node, const struct rv_job *job,
				   struct rv_job_document *document)
{
	static const char *const known[] = { "dynamodb", "lake", "ttl", "exclusive", "create",
					     "compression", NULL };
	const struct rv_job_table *root = &job->tables[document->root];
	const struct rv_yaml_node *n;
	bool lake = false;

	if (rv_def_check_kind(p, node, RV_YAML_MAPPING, "target") != RV_OK ||
	    rv_def_check_keys(p, node, "target", known) != RV_OK)
		return p->err->status;
	if ((n = rv_def_get(node, "dynamodb")) &&
	    (rv_def_parse_text(p, n, "target.dynamodb", 255, &document->dynamodb) != RV_OK ||
	     check_dynamodb(p, n, job, document) != RV_OK))
		return p->err->status;
	if ((n = rv_def_get(node, "lake")) && rv_def_parse_bool(p, n, "target.lake", &lake) != RV_OK)
		return p->err->status;
	if (lake == (document->dynamodb != NULL)) {
		rv_def_bad(p, node, "target: either `dynamodb: <table>` or `lake: true`");
		return p->err->status;
	}
	if ((n = rv_def_get(node, "ttl")) && parse_ttl(p, n, root, document) != RV_OK)
		return p->err->status;
	if ((n = rv_def_get(node, "exclusive")) &&
	    rv_def_parse_bool(p, n, "target.exclusive", &document->exclusive) != RV_OK)
		return p->err->status;
	if ((n = rv_def_get(node, "create")) &&
	    rv_def_parse_bool(p, n, "target.create", &document->create) != RV_OK)
		return p->err->status;
	if (lake && document->ttl_attribute)
		return rv_def_bad(p, node, "target.ttl: is for dynamodb");
	if (document->create && root->key.count > 2)
		return rv_def_bad(p, node, "target.create: a table of DynamoDB has a key of one or two columns, %s "
					   "has %zu", root->name, root->key.count);
	if (lake && (document->exclusive || document->create))
		return rv_def_bad(p, node, "target: exclusive and create are for dynamodb");
	if ((n = rv_def_get(node, "compression"))) {
		if (!lake)
			return rv_def_bad(p, n, "target.compression: is for the lake");
		return rv_job_parse_compression(p, n, "target.compression", &document->compression);
	}
	return RV_OK;
}

/* It is a member beside those of the root: an item has no place for two of one name. */
static enum rv_status check_ttl(struct rv_def *p, const struct rv_yaml_node *target,
				const struct rv_job_document *document)
{
	const char *attribute = document->ttl_attribute;

	if (!attribute)
		return RV_OK;
	const struct rv_yaml_node *n = rv_def_get(rv_def_get(target, "ttl"), "attribute");

	if (strcmp(attribute, "_v") == 0 || strcmp(attribute, "_deleted") == 0)
		return rv_def_bad(p, n, "ttl.attribute: %s is river's own", attribute);
	for (size_t i = 0; i < document->nests_count; i++)
		if (strcmp(document->nests[i].field, attribute) == 0)
			return rv_def_bad(p, n, "ttl.attribute: the document has a nest of that name");
	return RV_OK;
}

/* ---- a document ---- */

static enum rv_status parse_document(struct rv_def *p, const struct rv_yaml_node *name,
				     const struct rv_yaml_node *node, struct rv_job *job)
{
	static const char *const known[] = { "root", "scope", "complete", "target", "nest", NULL };
	static const char *const scopes[] = { "extract", "history", NULL };
	struct rv_job_document *document = &job->documents[job->documents_count];
	const struct rv_yaml_node *n, *scope;
	int choice;

	if (rv_job_check_name(p, name, "documents", RV_JOB_NAME_MAX) != RV_OK)
		return p->err->status;
	job->documents_count++;
	*document = (struct rv_job_document){ .name = rv_strdup(name->text), .line = name->line,
					      .column = name->column,
					      .scope = RV_JOB_SCOPE_HISTORY };
	RV_CLEANUP(rv_free_p) char *path = rv_asprintf("documents.%s", document->name);

	if (rv_def_check_kind(p, node, RV_YAML_MAPPING, path) != RV_OK ||
	    rv_def_check_keys(p, node, path, known) != RV_OK)
		return p->err->status;
	if (!(n = rv_def_get(node, "root")))
		return rv_def_bad(p, node, "%s: `root`, the table with a row per document, is missing", path);
	if (rv_job_find_table(p, job, n, "root", &document->root) != RV_OK)
		return p->err->status;
	const struct rv_job_table *root = &job->tables[document->root];

	if (!root->key.count) {
		rv_def_bad(p, n, "root: the table %s has no key", root->name);
		rv_hint(p->err, "documents are told apart by it: write key: [...] in the table");
		return p->err->status;
	}
	scope = rv_def_get(node, "scope");
	if (scope) {
		if (rv_def_parse_choice(p, scope, "scope", scopes, &choice) != RV_OK)
			return p->err->status;
		document->scope = (enum rv_job_scope)choice;
	}
	if ((n = rv_def_get(node, "complete")) &&
	    rv_def_parse_bool(p, n, "complete", &document->complete) != RV_OK)
		return p->err->status;
	if (document->scope == RV_JOB_SCOPE_EXTRACT && !document->complete) {
		rv_def_bad(p, scope, "%s: `scope: extract` needs `complete: true`", path);
		rv_hint(p->err, "it says that every extract holds all rows of the documents in it; else rows "
				"that came earlier would be lost from them: use `scope: history`");
		return p->err->status;
	}
	if (!(n = rv_def_get(node, "target"))) {
		rv_def_bad(p, node, "%s: `target` is missing", path);
		rv_hint(p->err, "write target: { dynamodb: <table> } or target: { lake: true }");
		return p->err->status;
	}
	if (parse_target(p, n, job, document) != RV_OK)
		return p->err->status;
	if ((n = rv_def_get(node, "nest")) &&
	    parse_nests(p, n, job, document->root, 1, &document->nests, &document->nests_count) != RV_OK)
		return p->err->status;
	return check_ttl(p, rv_def_get(node, "target"), document);
}

enum rv_status rv_job_parse_documents(struct rv_def *p, const struct rv_yaml_node *node,
				      struct rv_job *job)
{
	if (rv_def_check_kind(p, node, RV_YAML_MAPPING, "documents") != RV_OK)
		return p->err->status;
	if (node->count > RV_JOB_TABLES_MAX)
		return rv_def_bad(p, node, "documents: more than %d", RV_JOB_TABLES_MAX);
	job->documents = rv_calloc(node->count, sizeof(*job->documents));
	for (size_t i = 0; i < node->count; i++)
		if (parse_document(p, node->keys[i], node->items[i], job) != RV_OK)
			return p->err->status;
	return RV_OK;
}

/* `river stream create`: a stream from flags, or streams from definition files, made once. */
#include <inttypes.h>
#include <string.h>

#include "base/memory.h"
#include "config/definition.h"
#include "stream_plan.h"

struct create_options {
	struct rv_opt_list files, key, dedup, layers, columns, cluster_by, mask;
	struct rv_opt_list grant_read, grant_push, grant_admin;
	struct rv_opt_list csv_names, csv_null;
	const char *order_by, *delete_when, *csv_delimiter, *csv_quote, *retention;
	int format, contract, compression, stamp, pipe;
	uint64_t batch_size, batch_records;
	int64_t batch_age_ms, freshness_ms;
	bool csv_no_header, adopt, fresh, dry_run, sql, print_policy;
};

static const char *const formats[] = { "auto", "ndjson", "json", "csv", "text", NULL };
static const char *const contracts[] = { "evolve", "reject", NULL };
static const char *const compressions[] = { "zstd", "gzip", "gzip:small", "none", NULL };
static const char *const stamps[] = { "none", "id", "full", NULL };
static const char *const pipes[] = { "auto", "notify", NULL };

/* clang-format off */
static const struct rv_opt create_options_table[] = {
	OPT_LIST(struct create_options, 'f', "file", files, "path",
		 "create what is defined in this file, in the *.yaml files of this folder, or "
		 "with - on standard input", .complete = RV_COMPLETE_FILE),
	OPT_LIST(struct create_options, 0, "key", key, "column,...",
		 "columns that identify a row; makes the layers clean and latest", .comma = true),
	OPT_LIST(struct create_options, 0, "column", columns, "definition",
		 "a typed column: 'price=decimal(18,4) from payload.price required'; types are string, "
		 "integer, decimal(p,s), double, boolean, date, timestamp and json; times also take "
		 "'format %d.%m.%Y', 'format epoch_ms' and 'timezone UTC'"),
	OPT_STRING(struct create_options, 0, "order-by", order_by, "column",
		   "the newest row of a key is the one with the greatest value here"),
	OPT_LIST(struct create_options, 0, "dedup", dedup, "rule",
		 "which rows are the same in clean: none, content, or columns", .comma = true),
	OPT_STRING(struct create_options, 0, "delete-when", delete_when, "column=value",
		   "such a row removes its key from latest"),
	OPT_LIST(struct create_options, 0, "layers", layers, "layer,...",
		 "tables to make: raw, clean, latest; default: raw, with columns also clean, with a key all", .comma = true),
	OPT_CHOICE(struct create_options, 0, "contract", contract, contracts,
		   "whether fields without a column stay in raw only, or refuse the record in clean",
		   .arg = "rule"),
	OPT_CHOICE(struct create_options, 0, "format", format, formats,
		   "format of what is pushed; auto looks at each input", .arg = "format"),
	OPT_STRING(struct create_options, 0, "csv-delimiter", csv_delimiter, "character",
		   "between fields of a csv row; tab for a tabulator"),
	OPT_STRING(struct create_options, 0, "csv-quote", csv_quote, "character",
		   "around fields of a csv row; none for none"),
	OPT_FLAG(struct create_options, 0, "csv-no-header", csv_no_header,
		 "the first csv row is data; columns are c1, c2 and so on, or those of --csv-names"),
	OPT_LIST(struct create_options, 0, "csv-names", csv_names, "name,...",
		 "names of the csv columns", .comma = true),
	OPT_LIST(struct create_options, 0, "csv-null", csv_null, "text",
		 "an unquoted csv field with this text is null"),
	OPT_LIST(struct create_options, 0, "cluster-by", cluster_by, "column,...",
		 "order of rows in the warehouse: column, date(column), hour(column)", .comma = true),
	OPT_LIST(struct create_options, 0, "mask", mask, "column,...",
		 "columns that readers without permission see masked", .comma = true),
	OPT_LIST(struct create_options, 0, "grant-read", grant_read, "role,...",
		 "roles that may read the tables", .comma = true),
	OPT_LIST(struct create_options, 0, "grant-push", grant_push, "role,...",
		 "roles that may push", .comma = true),
	OPT_LIST(struct create_options, 0, "grant-admin", grant_admin, "role,...",
		 "roles that may change the stream", .comma = true),
	OPT_STRING(struct create_options, 0, "retention", retention, "time",
		   "how long the warehouse keeps rows: '3 months'"),
	OPT_DURATION(struct create_options, 0, "freshness", freshness_ms, "duration",
		     "status complains when data waits for longer"),
	OPT_SIZE(struct create_options, 0, "batch-size", batch_size, "bytes",
		 "compressed size at which a batch is closed"),
	OPT_COUNT(struct create_options, 0, "batch-records", batch_records, "records",
		  "records at which a batch is closed; 0 for any number"),
	OPT_DURATION(struct create_options, 0, "batch-age", batch_age_ms, "duration",
		     "age at which a batch of a pipe is closed"),
	OPT_CHOICE(struct create_options, 0, "compression", compression, compressions,
		   "of objects in the lake", .arg = "method"),
	OPT_CHOICE(struct create_options, 0, "stamp", stamp, stamps,
		   "what is added to each record, so that it is told when it comes twice; id where the "
		   "delivery is firehose, else none", .arg = "stamp"),
	OPT_CHOICE(struct create_options, 0, "pipe", pipe, pipes,
		   "whether objects are loaded by themselves or when river snowpipe notify says so",
		   .arg = "mode"),
	OPT_FLAG(struct create_options, 0, "adopt", adopt,
		 "objects a former stream of that name left are part of the new one"),
	OPT_FLAG(struct create_options, 0, "fresh", fresh,
		 "objects a former stream of that name left are not part of the new one"),
	OPT_FLAG(struct create_options, 'n', "dry-run", dry_run,
		 "print the exact plan and change nothing"),
	OPT_FLAG(struct create_options, 0, "sql", sql,
		 "with --dry-run, as -v: also the statements for the warehouse"),
	OPT_FLAG(struct create_options, 0, "print-policy", print_policy,
		 "print what IAM has to allow for these streams on AWS, as JSON, and do nothing else; "
		 "needs neither network nor credentials"),
	OPT_END
};
/* clang-format on */

static void put_text(struct rv_yaml_node *map, const char *key, const char *text)
{
	if (text)
		rv_definition_put(map, key, rv_definition_scalar(text));
}

static void put_choice(struct rv_yaml_node *map, const char *key, const char *const *words, int choice)
{
	if (choice >= 0)
		put_text(map, key, words[choice]);
}

static void put_list(struct rv_yaml_node *map, const char *key, const struct rv_opt_list *list)
{
	if (list->count == 0)
		return;
	struct rv_yaml_node *sequence = rv_definition_node(RV_YAML_SEQUENCE);

	for (size_t i = 0; i < list->count; i++)
		rv_definition_put(sequence, NULL, rv_definition_scalar(list->items[i]));
	rv_definition_put(map, key, sequence);
}

/* A mapping within the definition is there only when something is in it. */
static void put_map(struct rv_yaml_node *root, const char *key, struct rv_yaml_node *map)
{
	if (map->count)
		rv_definition_put(root, key, map);
	else
		rv_definition_node_free(map);
}

static void put_number(struct rv_yaml_node *map, const char *key, const char *unit, uint64_t number)
{
	RV_CLEANUP(rv_free_p) char *text = rv_asprintf("%" PRIu64 "%s", number, unit);

	put_text(map, key, text);
}

static enum rv_status put_delete_when(struct rv_yaml_node *root, const char *text, struct rv_error *err)
{
	const char *equals = strchr(text, '=');

	if (!equals || equals == text) {
		rv_fail(err, RV_USAGE, "--delete-when '%.200s' is not column=value", text);
		rv_hint(err, "for instance --delete-when deleted=true");
		return err->status;
	}
	struct rv_yaml_node *map = rv_definition_node(RV_YAML_MAPPING);
	RV_CLEANUP(rv_free_p) char *column = rv_strndup(text, (size_t)(equals - text));

	put_text(map, "column", column);
	put_text(map, "equals", equals + 1);
	rv_definition_put(root, "delete_when", map);
	return RV_OK;
}

/* The flags as a tree, so that one set of rules looks at them and at files. */
static enum rv_status tree_of_flags(const struct create_options *o, struct rv_yaml_node *root,
				    struct rv_error *err)
{
	struct rv_yaml_node *csv = rv_definition_node(RV_YAML_MAPPING);
	struct rv_yaml_node *grants = rv_definition_node(RV_YAML_MAPPING);
	struct rv_yaml_node *retention = rv_definition_node(RV_YAML_MAPPING);
	struct rv_yaml_node *monitor = rv_definition_node(RV_YAML_MAPPING);
	struct rv_yaml_node *batch = rv_definition_node(RV_YAML_MAPPING);

	put_choice(root, "format", formats, o->format);
	put_text(csv, "delimiter", o->csv_delimiter);
	put_text(csv, "quote", o->csv_quote);
	if (o->csv_no_header)
		put_text(csv, "header", "false");
	put_list(csv, "names", &o->csv_names);
	put_list(csv, "null", &o->csv_null);
	put_map(root, "csv", csv);
	put_list(root, "key", &o->key);
	put_text(root, "order_by", o->order_by);
	if (o->dedup.count == 1)
		put_text(root, "dedup", o->dedup.items[0]);
	else
		put_list(root, "dedup", &o->dedup);
	put_list(root, "layers", &o->layers);
	put_choice(root, "contract", contracts, o->contract);
	put_list(root, "cluster_by", &o->cluster_by);
	put_list(grants, "read", &o->grant_read);
	put_list(grants, "push", &o->grant_push);
	put_list(grants, "admin", &o->grant_admin);
	put_map(root, "grants", grants);
	put_list(root, "mask", &o->mask);
	put_text(retention, "warehouse", o->retention);
	put_map(root, "retention", retention);
	if (o->freshness_ms >= 0)
		put_number(monitor, "freshness", "ms", (uint64_t)o->freshness_ms);
	put_map(root, "monitor", monitor);
	if (o->batch_size != RV_OPT_NOT_GIVEN)
		put_number(batch, "size", "", o->batch_size);
	if (o->batch_records != RV_OPT_NOT_GIVEN)
		put_number(batch, "records", "", o->batch_records);
	if (o->batch_age_ms >= 0)
		put_number(batch, "age", "ms", (uint64_t)o->batch_age_ms);
	put_map(root, "batch", batch);
	put_choice(root, "compression", compressions, o->compression);
	put_choice(root, "stamp", stamps, o->stamp);
	put_choice(root, "pipe", pipes, o->pipe);
	if (o->columns.count) {
		struct rv_yaml_node *columns = rv_definition_node(RV_YAML_MAPPING);

		rv_definition_put(root, "columns", columns);
		for (size_t i = 0; i < o->columns.count; i++)
			if (rv_definition_put_column(columns, o->columns.items[i], err) != RV_OK)
				return err->status;
	}
	return o->delete_when ? put_delete_when(root, o->delete_when, err) : RV_OK;
}

static enum rv_status definitions_of(const struct create_options *o, int operands_count, char **operands,
				     struct river_definitions *ret, struct rv_error *err)
{
	RV_CLEANUP(rv_definition_node_free_p)
	struct rv_yaml_node *root = rv_definition_node(RV_YAML_MAPPING);
	RV_CLEANUP(rv_stream_release_p) struct rv_stream stream;

	rv_stream_init(&stream);
	if (tree_of_flags(o, root, err) != RV_OK)
		return err->status;
	if (o->files.count) {
		if (operands_count > 0)
			return rv_fail(err, RV_USAGE, "-f says which streams to create, '%s' is too much",
				       operands[0]);
		if (root->count > 0) {
			rv_fail(err, RV_USAGE, "-f does not go with flags that define a stream (%s)",
				root->keys[0]->text);
			rv_hint(err, "put all of it into the file");
			return err->status;
		}
		return river_definitions_read(&o->files, ret, err);
	}
	if (operands_count != 1)
		return rv_fail(err, RV_USAGE,
			       operands_count ? "one stream is created at a time, '%s' is too much"
					      : "a stream or -f is needed%s",
			       operands_count ? operands[1] : "");
	rv_definition_put(root, "stream", rv_definition_scalar(operands[0]));
	if (rv_definition_parse(NULL, root, &stream, err) != RV_OK)
		return err->status;
	river_definitions_add(ret, &stream);
	return RV_OK;
}

static enum rv_status create_run(struct rv_command_context *cx, void *options, int operands_count,
				 char **operands, struct rv_error *err)
{
	const struct create_options *o = options;
	struct river_plan_params params = { .adopt = o->adopt, .fresh = o->fresh };
	RV_CLEANUP(river_definitions_release) struct river_definitions definitions = { 0 };
	RV_CLEANUP(river_plan_release) struct river_plan plan = { 0 };

	if (o->adopt && o->fresh)
		return rv_fail(err, RV_USAGE, "--adopt and --fresh say the opposite");
	if (definitions_of(o, operands_count, operands, &definitions, err) != RV_OK)
		return err->status;
	if (o->print_policy)
		return definitions.problems ? river_printed(definitions.worst, err)
					    : river_policy_print(cx, &definitions, err);
	if (rv_wire_lake(cx->profile, &cx->lake, err) != RV_OK ||
	    river_plan_make(cx, &definitions, &params, &plan, err) != RV_OK)
		return err->status;
	if (definitions.problems || plan.problems)
		return river_printed(rv_status_graver(definitions.worst, plan.worst), err);
	if (o->dry_run)
		return river_plan_print(cx, &plan, o->sql, err);
	return river_plan_run(cx, &plan, &params, err);
}

static const struct rv_example create_examples[] = {
	{ "river stream create web/clicks --key event_id", "a stream with a table of newest rows" },
	{ "river stream create shop/orders --key id --column 'total=decimal(18,2)'",
	  "with a typed column" },
	{ "river stream create web/clicks --print-policy", "what IAM has to allow for it" },
	{ "river stream create -f streams/ --dry-run", "what the files of a folder would create" },
	{ NULL, NULL },
};

const struct rv_command cmd_stream_create = {
	.name = "stream create",
	.group = RV_GROUP_START,
	.summary = "declare a stream",
	.operands = "[<stream>]",
	.needs = RV_NEEDS_PROFILE, /* --print-policy opens no lake */
	.options = create_options_table,
	.options_size = sizeof(struct create_options),
	.examples = create_examples,
	.run = create_run,
};

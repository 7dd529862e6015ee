/*
 * `river stream delete`: the definition, and with --data everything the stream left.
 *
 * Order with --data: delivery stream, tables, definition, objects. What the definition tells of goes
 * before it, because once it is gone nobody knows of that; objects last, because while the definition
 * is there somebody may push. The bucket's notification is the lake's and stays.
 * Whatever was interrupted, the same command again finishes, also when the definition is gone.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/number.h"
#include "config/definition.h"
#include "context.h"
#include "flow/catalog.h"
#include "stream_gone.h"
#include "stream_plan.h"
#include "warehouse/warehouse.h"

struct delete_options {
	bool data, yes, dry_run, abandon_spool;
};

/* clang-format off */
static const struct rv_opt delete_options_table[] = {
	OPT_FLAG(struct delete_options, 0, "data", data,
		 "also remove its objects, receipts and rejects from the lake, and its tables"),
	OPT_FLAG(struct delete_options, 'y', "yes", yes, "do not ask"),
	OPT_FLAG(struct delete_options, 0, "abandon-spool", abandon_spool,
		 "delete it although accepted records still wait in the spool here"),
	OPT_FLAG(struct delete_options, 'n', "dry-run", dry_run,
		 "say what would be removed and what stays, and remove nothing"),
	OPT_END
};
/* clang-format on */

struct target {
	struct rv_stream stream;
	bool defined;
	char etag[RV_ETAG_TEXT];
	struct rv_catalog_contents contents;
	bool tables;                /* there is a warehouse file that may hold some */
	struct rv_resources resources;
	struct rv_resource_view views[RV_RESOURCES_MAX];
	struct rv_warehouse *warehouse; /* that is a service; else NULL */
	struct rv_changes removal;      /* from it */
};

static enum rv_status look_at_resources(struct rv_command_context *cx, struct target *ret,
					bool *ret_any, struct rv_error *err)
{
	*ret_any = false;
	if (rv_wire_resources(cx->profile, &ret->resources, err) != RV_OK ||
	    river_resources_look_to_remove(&ret->resources, &ret->stream, ret->views, err) != RV_OK)
		return err->status;
	for (size_t i = 0; i < ret->resources.count; i++)
		*ret_any |= ret->views[i].state != NULL;
	return RV_OK;
}

/* Without --data tables stay, but nothing loads into them any more. */
static enum rv_status look_at_warehouse(struct rv_command_context *cx, struct target *ret, bool data,
					bool *ret_any, struct rv_error *err)
{
	if (!river_is_service(cx->profile))
		return RV_OK;
	if (rv_wire_warehouse(cx->profile, cx->lake, &ret->warehouse, err) != RV_OK ||
	    ret->warehouse->ops->removal(ret->warehouse, &ret->stream, data, &ret->removal, err) != RV_OK)
		return err->status;
	*ret_any |= rv_changes_count(&ret->removal) > 0;
	return RV_OK;
}

static enum rv_status look(struct rv_command_context *cx, const char *name, bool data,
			   struct target *ret, struct rv_error *err)
{
	if (rv_wire_business(cx, name, err) != RV_OK)
		return err->status;
	enum rv_status status = rv_catalog_get(cx->lake, name, &ret->stream, ret->etag, err);
	struct rv_error why = *err;

	ret->defined = status == RV_OK;
	if (status == RV_DAMAGED) /* not readable is no reason to keep it */
		ret->defined = true;
	if (status != RV_OK && status != RV_NOT_FOUND && status != RV_DAMAGED)
		return status;
	if (status != RV_OK && rv_stream_parse_name(name, &ret->stream, err) != RV_OK)
		return err->status;
	if (rv_catalog_contents(cx->lake, &ret->stream, &ret->contents, err) != RV_OK)
		return err->status;
	bool empty = true;

	for (int i = 0; i < RV_CATALOG_PARTS; i++)
		empty &= ret->contents.count[i] == 0;
	if (!ret->defined && !data) {
		*err = why;
		return err->status;
	}
	bool any;

	if (look_at_resources(cx, ret, &any, err) != RV_OK ||
	    look_at_warehouse(cx, ret, data, &any, err) != RV_OK)
		return rv_context(err, "nothing was deleted");
	if (!ret->defined && empty && !any) {
		*err = why;
		return err->status;
	}
	ret->tables = cx->profile->warehouse_path &&
		      access(cx->profile->warehouse_path, F_OK) == 0;
	return RV_OK;
}

static void describe(const struct target *target, struct rv_strbuf *sb)
{
	char size[RV_NUMBER_TEXT], count[RV_NUMBER_TEXT];

	for (int i = 0; i < RV_CATALOG_PARTS; i++)
		if (target->contents.count[i])
			rv_strbuf_printf(sb, "%s%s %s (%s)", sb->len ? ", " : "",
					 rv_format_count(target->contents.count[i], count),
					 rv_catalog_part_names[i],
					 rv_format_size(target->contents.bytes[i], size));
	if (!sb->len)
		rv_strbuf_puts(sb, "nothing");
}

static enum rv_status confirm(const struct target *target, bool data, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf what = RV_STRBUF_INIT;
	char answer[16] = "", name[RV_STREAM_TEXT];

	rv_stream_text(&target->stream, name);
	if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) {
		rv_fail(err, RV_USAGE, "deleting %s needs --yes where nobody can be asked", name);
		rv_hint(err, "look first: river stream delete %s%s --dry-run", name, data ? " --data" : "");
		return err->status;
	}
	describe(target, &what);
	for (size_t i = 0; i < target->resources.count; i++)
		if (target->views[i].state)
			rv_warn("%s %s goes as well; what it took and did not write yet may be lost",
				target->resources.items[i]->ops->kind, target->views[i].name);
	rv_ask("delete stream %s, %s %s? [y/N]", name, data ? "and with it" : "but keep", what.bytes);
	if (!fgets(answer, sizeof(answer), stdin) || (answer[0] != 'y' && answer[0] != 'Y'))
		return rv_fail(err, RV_FAILED, "nothing was deleted");
	return RV_OK;
}

/* The tables and what the warehouse remembers of loads. */
static enum rv_status drop_tables(struct rv_command_context *cx, struct target *target,
				  struct rv_error *err)
{
	RV_CLEANUP(rv_warehouse_free_p) struct rv_warehouse *warehouse = NULL;
	enum rv_status status = rv_wire_warehouse(cx->profile, cx->lake, &warehouse, err);

	if (status == RV_OK)
		status = warehouse->ops->drop(warehouse, &target->stream, err);
	if (status == RV_NOT_FOUND) {
		rv_warn("the tables in %s stay: %s", cx->profile->warehouse_path, err->message);
		target->tables = false;
		return RV_OK;
	}
	return status == RV_OK ? RV_OK : rv_context(err, "drop the tables; nothing was deleted yet");
}

static void print_resources(struct rv_command_context *cx, const struct target *target, bool dry_run,
			    json_t *json)
{
	json_t *array = json_array();

	for (size_t i = 0; i < target->resources.count; i++) {
		const struct rv_resource_ops *ops = target->resources.items[i]->ops;
		const struct rv_resource_view *view = &target->views[i];

		if (ops->of_lake) {
			rv_out_printf(cx->out, "  stays for other streams: %s of the bucket\n", ops->kind);
		} else if (view->state) {
			rv_out_printf(cx->out, "  %s: %s %s\n", dry_run ? "goes" : "gone", ops->kind,
				      view->name);
			json_array_append_new(array, json_pack("{s:s, s:s, s:s}", "kind", ops->kind, "name",
							       view->name, "action",
							       dry_run ? "delete" : "deleted"));
		}
	}
	if (target->resources.count)
		json_object_set_new(json, "resources", array);
	else
		json_decref(array);
}

static void print_removal(struct rv_command_context *cx, const struct target *target, bool dry_run,
			  json_t *json)
{
	json_t *array = json_array();

	for (size_t i = 0; i < target->removal.count; i++) {
		const struct rv_change *change = &target->removal.items[i];

		rv_out_line(cx->out, "  %s: %s%s",
			    !rv_change_is_real(change) ? "stays"
			    : dry_run		       ? "goes"
						       : "gone",
			    change->object, rv_change_is_real(change) ? "" : ", which is not river's");
		json_array_append_new(array, rv_change_json(change));
	}
	json_object_set_new(json, "warehouse", array);
}

static void print_result(struct rv_command_context *cx, const struct target *target, bool data,
			 bool dry_run)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf what = RV_STRBUF_INIT;
	char name[RV_STREAM_TEXT], prefix[RV_STREAM_PLACE_MAX], table[RV_STREAM_PLACE_MAX];

	const char *verb = !data ? "stays" : dry_run ? "goes" : "gone";

	describe(target, &what);
	rv_stream_text(&target->stream, name);
	rv_stream_data_prefix(&target->stream, prefix);
	rv_stream_table(&target->stream, RV_TABLE_RAW, table);
	rv_out_printf(cx->out, "%s: %s\n", name, dry_run ? "delete" : "deleted");
	/* what data goes, or stays behind and still takes room */
	rv_out_printf(cx->out, "  %s in the lake: %s (%s and below _river/)\n", verb, what.bytes, prefix);
	if (target->tables)
		rv_out_printf(cx->out, "  %s in the warehouse: %s and the tables beside it, if any\n", verb,
			      table);
	json_t *json = json_pack("{s:s, s:s, s:b, s:s}", "stream", name, "action",
				 dry_run ? "delete" : "deleted", "dry_run", (int)dry_run, "data",
				 data ? "removed" : "kept");

	print_resources(cx, target, dry_run, json);
	if (target->warehouse)
		print_removal(cx, target, dry_run, json);
	for (int i = 0; i < RV_CATALOG_PARTS; i++)
		json_object_set_new(json, rv_catalog_part_names[i],
				    json_pack("{s:I, s:I}", "count",
					      (json_int_t)target->contents.count[i], "bytes",
					      (json_int_t)target->contents.bytes[i]));
	rv_out_json(cx->out, json);
}

static enum rv_status delete_target(struct rv_command_context *cx, const char *name,
				    struct target *target, const struct delete_options *o,
				    struct rv_error *err)
{
	if (look(cx, name, o->data, target, err) != RV_OK)
		return err->status;
	if (target->defined && !o->abandon_spool &&
	    river_gone_refuse(cx->profile, cx->lake, &target->stream, err) != RV_OK)
		return err->status;
	if (o->dry_run) {
		print_result(cx, target, o->data, true);
		return RV_OK;
	}
	if (!o->yes && confirm(target, o->data, err) != RV_OK)
		return err->status;
	if (river_resources_remove(&target->resources, &target->stream, river_resources_deadline(cx), err) !=
	    RV_OK)
		return rv_context(err, "nothing else was deleted yet");
	if (target->warehouse &&
	    river_tables_remove(cx, target->warehouse, &target->removal, err) != RV_OK)
		return rv_context(err, "the definition stays");
	if (o->data && target->tables && drop_tables(cx, target, err) != RV_OK)
		return err->status;
	if (target->defined &&
	    rv_catalog_delete(cx->lake, name, target->etag[0] ? target->etag : NULL, err) != RV_OK)
		return err->status;
	if (o->data && rv_catalog_remove_contents(cx->lake, &target->stream, &target->contents, err) !=
			       RV_OK) {
		rv_hint(err, "the same command again removes the rest");
		return err->status;
	}
	print_result(cx, target, o->data, false);
	return RV_OK;
}

static enum rv_status delete_run(struct rv_command_context *cx, void *options, int operands_count,
				 char **operands, struct rv_error *err)
{
	struct target target = { .defined = false };

	if (operands_count != 1)
		return rv_fail(err, RV_USAGE, "one stream is needed, %d are given", operands_count);
	rv_stream_init(&target.stream);
	enum rv_status status = delete_target(cx, operands[0], &target, options, err);

	rv_stream_release(&target.stream);
	river_views_release(target.views);
	rv_resources_release(&target.resources);
	rv_changes_release(&target.removal);
	rv_warehouse_free(target.warehouse);
	return status;
}

static const struct rv_example delete_examples[] = {
	{ "river stream delete web/clicks --dry-run", "what would be deleted, and what stays" },
	{ "river stream delete web/clicks --data --yes", "the stream and all it holds, without asking" },
	{ NULL, NULL },
};

const struct rv_command cmd_stream_delete = {
	.name = "stream delete",
	.group = RV_GROUP_START,
	.summary = "delete a stream, and its data when asked",
	.operands = "<stream>",
	.needs = RV_NEEDS_LAKE,
	.operand_complete = { RV_COMPLETE_STREAM, RV_COMPLETE_NOTHING },
	.options = delete_options_table,
	.options_size = sizeof(struct delete_options),
	.examples = delete_examples,
	.run = delete_run,
};

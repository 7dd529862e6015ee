/* `river config`: which value is in force and who said so, and what is wrong with a file. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/strbuf.h"
#include "cli/output.h"
#include "config/config.h"
#include "context.h"

/* ---- list ------------------------------------------------------------------------------------ */

struct list_options {
	bool show_origin;
	bool all;
};

static const struct rv_opt list_options_table[] = {
	OPT_FLAG(struct list_options, 0, "show-origin", show_origin,
		 "say where each value comes from"),
	OPT_FLAG(struct list_options, 0, "all", all, "also the keys that are not set"),
	OPT_END
};

struct listing {
	struct rv_command_context *cx;
};

static void list_row(const struct listing *l, const char *key, const char *value,
		     const char *origin)
{
	struct rv_out *out = l->cx->out;
	if (l->cx->output == RV_OUT_JSON) {
		rv_out_json(out, json_pack("{s:o, s:o, s:o}", "key", rv_out_text(key), "value",
					   rv_out_text(value), "origin", rv_out_text(origin)));
		return;
	}
	const char *cells[] = { key, value ? value : "", origin ? origin : "not set" };
	rv_out_table_row(out, cells);
}

static void list_value(void *arg, const struct rv_config_value *value)
{
	list_row(arg, value->name, value->value, value->origin);
}

static enum rv_status list_run(struct rv_command_context *cx, void *options, int operands_count,
			       char **operands, struct rv_error *err)
{
	static const char *const headers[] = { "key", "value", "origin" };
	static const bool right[] = { false, false, false };
	const struct list_options *o = options;
	struct listing l = { .cx = cx };
	if (operands_count > 0)
		return rv_fail(err, RV_USAGE, "unexpected argument '%s'", operands[0]);
	rv_out_table_begin(cx->out, headers, right, o->show_origin || o->all ? 3 : 2);
	list_row(&l, "profile", cx->profile->name, rv_config_profile_origin(cx->config));
	rv_config_each(cx->config, list_value, &l);
	for (size_t i = 0; o->all && i < rv_keys_count; i++) {
		const char *value = NULL, *origin = NULL;
		if (!rv_key_has_star(&rv_keys[i]) &&
		    rv_config_get(cx->config, rv_keys[i].name, &value, &origin, err) != RV_OK)
			return err->status;
		if (!value)
			list_row(&l, rv_keys[i].name, NULL, NULL);
	}
	rv_out_table_end(cx->out);
	size_t files;
	rv_config_files(cx->config, &files);
	if (files == 0)
		rv_verbose("no configuration file was found; river init writes one");
	return RV_OK;
}

static const struct rv_example list_examples[] = {
	{ "river config list --show-origin", "every value in force and who set it" },
	{ "river -c lake=/data/lake config list", "what a setting on the command line changes" },
	{ NULL, NULL },
};

const struct rv_command cmd_config_list = {
	.name = "config list",
	.group = RV_GROUP_HELP,
	.summary = "list the configuration of the chosen profile",
	.operands = "",
	.needs = RV_NEEDS_PROFILE,
	.options = list_options_table,
	.options_size = sizeof(struct list_options),
	.examples = list_examples,
	.run = list_run,
};

/* ---- get ------------------------------------------------------------------------------------- */

struct get_options {
	bool show_origin;
};

static const struct rv_opt get_options_table[] = {
	OPT_FLAG(struct get_options, 0, "show-origin", show_origin,
		 "say where the value comes from, after a tab"),
	OPT_END
};

static enum rv_status get_run(struct rv_command_context *cx, void *options, int operands_count,
			      char **operands, struct rv_error *err)
{
	const struct get_options *o = options;
	const char *value = NULL, *origin = NULL;
	if (operands_count != 1)
		return rv_fail(err, RV_USAGE, "one key is needed, %d are given", operands_count);
	const char *key = operands[0];
	if (strcmp(key, "profile") == 0) {
		value = cx->profile->name;
		origin = rv_config_profile_origin(cx->config);
	} else if (rv_config_get(cx->config, key, &value, &origin, err) != RV_OK) {
		return err->status;
	}
	if (!value) {
		rv_fail(err, RV_NOT_FOUND, "%s is not set in profile %s", key, cx->profile->name);
		rv_hint(err, "set it in river.yaml, or with -c %s=...", key);
		return err->status;
	}
	rv_out_json(cx->out, json_pack("{s:o, s:o, s:o}", "key", rv_out_text(key), "value",
				       rv_out_text(value), "origin", rv_out_text(origin)));
	if (o->show_origin)
		rv_out_printf(cx->out, "%s\t%s\n", value, origin);
	else
		rv_out_printf(cx->out, "%s\n", value);
	return RV_OK;
}

static const struct rv_example get_examples[] = {
	{ "river config get lake", "where the lake is" },
	{ "river config get warehouse.path --show-origin", "the warehouse file, and who said so" },
	{ NULL, NULL },
};

const struct rv_command cmd_config_get = {
	.name = "config get",
	.group = RV_GROUP_HELP,
	.summary = "print one value of the configuration",
	.operands = "<key>",
	.needs = RV_NEEDS_PROFILE,
	.options = get_options_table,
	.options_size = sizeof(struct get_options),
	.examples = get_examples,
	.run = get_run,
};

/* ---- check ----------------------------------------------------------------------------------- */

struct check_options {
	char none;
};

static const struct rv_opt check_options_table[] = { OPT_END };

static void print_problem(void *arg, const struct rv_error *problem)
{
	size_t *problems = arg;
	++*problems;
	rv_error_print(problem);
}

/* Prints each problem of the file. */
static void check_one(struct rv_command_context *cx, const char *path, enum rv_status *worst)
{
	size_t problems = 0;
	struct rv_error err = RV_ERROR_INIT;
	enum rv_status status = rv_config_check_file(path, print_problem, &problems, &err);
	*worst = rv_status_graver(*worst, status);
	if (cx->output == RV_OUT_JSON)
		rv_out_json(cx->out, json_pack("{s:o, s:b, s:I}", "file", rv_out_text(path), "ok",
					       status == RV_OK, "problems",
					       (json_int_t)problems));
	else if (status == RV_OK)
		rv_out_printf(cx->out, "%s: ok\n", path);
}

static enum rv_status check_run(struct rv_command_context *cx, void *options RV_UNUSED,
				int operands_count, char **operands, struct rv_error *err)
{
	enum rv_status worst = RV_OK;
	for (int i = 0; i < operands_count; i++)
		check_one(cx, operands[i], &worst);
	if (operands_count > 0)
		return worst;
	char **paths = NULL;
	size_t count = 0;
	if (rv_config_discover(NULL, &paths, &count, err) != RV_OK)
		return err->status;
	for (size_t i = 0; i < count; i++)
		check_one(cx, paths[i], &worst);
	rv_config_paths_free(paths, count);
	if (worst != RV_OK)
		return worst;
	/* Each file is right in itself; what they, the environment and -c say together may not be. */
	RV_CLEANUP(rv_config_free_p) struct rv_config *config = NULL;
	if (rv_config_load(cx->config_params, &config, err) != RV_OK ||
	    rv_profile_check_supported(rv_config_profile(config), err) != RV_OK)
		return err->status;
	if (count == 0)
		rv_note("no configuration file was found; the defaults hold");
	return RV_OK;
}

static const struct rv_example check_examples[] = {
	{ "river config check", "every file that is read here" },
	{ "river config check deploy/river.yaml", "one file before it is put in place" },
	{ NULL, NULL },
};

const struct rv_command cmd_config_check = {
	.name = "config check",
	.group = RV_GROUP_HELP,
	.summary = "report everything that is wrong in configuration files",
	.operands = "[<file>...]",
	.operand_complete = { RV_COMPLETE_FILE, RV_COMPLETE_FILE },
	.options = check_options_table,
	.options_size = sizeof(struct check_options),
	.examples = check_examples,
	.run = check_run,
};

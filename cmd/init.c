/*
 * `river init`: a configuration to start from that says itself what can be changed. What it sets is
 * what river does anyway; everything else stands there commented out with its default.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "cli/output.h"
#include "config/config.h"
#include "context.h"

struct init_options {
	bool user;
	bool dry_run;
};

static const struct rv_opt init_options_table[] = {
	OPT_FLAG(struct init_options, 0, "user", user,
		 "write the user's configuration, for all folders without a river.yaml"),
	OPT_FLAG(struct init_options, 'n', "dry-run", dry_run,
		 "say what would be written and write nothing"),
	OPT_END
};

static const char head_here[] =
	"# What river works with here and in the folders below. river.yaml(5) explains every key;\n"
	"# `river config list --show-origin` says which value is in force, and why.\n"
	"# Relative paths start at this file, ~/ is your home folder. Only you may be able to write\n"
	"# to this file: river refuses it otherwise.\n";
static const char head_user[] =
	"# What river works with where no river.yaml is nearer. river.yaml(5) explains every key;\n"
	"# `river config list --show-origin` says which value is in force, and why.\n"
	"# Relative paths start at this file, ~/ is your home folder. Only you may be able to write\n"
	"# to this file: river refuses it otherwise.\n";
static const char profiles[] =
	"\n"
	"# The profile that is used unless --profile or RIVER_PROFILE names another.\n"
	"default_profile: local\n"
	"\n"
	"profiles:\n"
	"  local:\n";
static const char places_here[] =
	"    # Where everything lands first: a folder.\n"
	"    lake: ./.river/lake\n"
	"\n"
	"    # Where loaded rows are queried: duckdb, or none.\n"
	"    warehouse:\n"
	"      type: duckdb\n"
	"      path: ./.river/warehouse.duckdb\n";
static const char places_user[] =
	"    # Where everything lands first: a folder. The default is below $XDG_DATA_HOME.\n"
	"    # lake: ~/.local/share/river/lake\n"
	"\n"
	"    # Where loaded rows are queried: duckdb, or none. The file stands beside the lake unless\n"
	"    # path says where.\n"
	"    warehouse:\n"
	"      type: duckdb\n"
	"      # path: ~/.local/share/river/warehouse.duckdb\n";
static const char rest[] =
	"      # memory_limit: 1GiB       # of the embedded engine\n"
	"      # threads: 0               # 0: one for each core\n"
	"\n"
	"    # How batches get into the lake.\n"
	"    # delivery: direct\n"
	"\n"
	"    # The waiting room of accepted records: a push into a full one is refused.\n"
	"    # spool: { max: 10GiB }\n"
	"\n"
	"    # Journals, checkpoints and spool: auto is $STATE_DIRECTORY, else below $XDG_STATE_HOME.\n"
	"    # state: auto\n"
	"\n"
	"    # Memory river itself may use.\n"
	"    # max_memory: 256MiB\n"
	"\n"
	"  # On AWS: --profile prod chooses it. Credentials are those of AWS's own tools. What the\n"
	"  # roles must be allowed: river --profile prod stream create web/clicks --print-policy\n"
	"  # prod:\n"
	"  #   lake: s3://bucket/prefix\n"
	"  #   aws: { profile: default, region: eu-west-1 }\n"
	"  #   delivery:\n"
	"  #     type: firehose           # or direct: river writes the objects itself\n"
	"  #     role_arn: \"arn:aws:iam::123456789012:role/river-firehose\"\n"
	"  #     buffer: { size: 64MiB, age: 60s }\n"
	"  #   notify:                    # who is told of new objects: a queue, a topic, a function\n"
	"  #     arn: \"arn:aws:sqs:eu-west-1:123456789012:river-loads\"\n"
	"  #   warehouse: { type: duckdb, path: ./.river/prod.duckdb }\n";

static bool is_there(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0;
}

static void say(struct rv_command_context *cx, const struct init_options *o, const char *path,
		bool made)
{
	const char *action = !made ? "exists" : o->dry_run ? "would create" : "created";
	if (cx->output == RV_OUT_JSON)
		rv_out_json(cx->out, json_pack("{s:o, s:s}", "path", rv_out_text(path), "action",
					       action));
	else if (o->dry_run)
		rv_out_printf(cx->out, "%s %s\n", action, path);
	else
		rv_verbose("%s %s", action, path);
}

static enum rv_status refuse_existing(const char *path, struct rv_error *err)
{
	if (!is_there(path))
		return RV_OK;
	rv_fail(err, RV_CONFLICT, "%s is already there", path);
	rv_hint(err, "river config check %s says whether it is right; river init never overwrites",
		path);
	return err->status;
}

/* Creates the file, or says that it is there. */
static enum rv_status put(struct rv_command_context *cx, const struct init_options *o,
			  const char *path, const struct rv_strbuf *text, bool may_exist,
			  struct rv_error *err)
{
	bool there = is_there(path);
	if (!there && !o->dry_run) {
		/* Never writable by others, whatever the umask allows: it would be refused. */
		mode_t mask = umask(0);
		umask(mask);
		enum rv_status status =
			rv_create_file(path, text->bytes, text->len, 0644 & ~mask, err);
		there = status == RV_CONFLICT && may_exist;
		if (status != RV_OK && !there)
			return status;
	}
	say(cx, o, path, !there);
	return RV_OK;
}

static enum rv_status init_here(struct rv_command_context *cx, const struct init_options *o,
				struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf all = RV_STRBUF_INIT;
	RV_CLEANUP(rv_free_p) char *path = rv_path_absolute("river.yaml");
	RV_CLEANUP(rv_free_p) char *folder = rv_path_absolute(".river");
	RV_CLEANUP(rv_free_p) char *ignore = rv_path_absolute(".river/.gitignore");
	/* Asked first, so that a refusal has made nothing. The configuration comes last: what it
	 * names is there when it is. */
	if (refuse_existing(path, err) != RV_OK)
		return err->status;
	if (!o->dry_run && rv_make_folders(folder, 0, err) != RV_OK)
		return err->status;
	rv_strbuf_puts(&all, "*\n");
	if (put(cx, o, ignore, &all, true, err) != RV_OK)
		return err->status;
	rv_strbuf_puts(&text, head_here);
	rv_strbuf_puts(&text, profiles);
	rv_strbuf_puts(&text, places_here);
	rv_strbuf_puts(&text, rest);
	return put(cx, o, path, &text, false, err);
}

static enum rv_status init_user(struct rv_command_context *cx, const struct init_options *o,
				struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	RV_CLEANUP(rv_free_p) char *path = rv_config_user_path();
	if (!path) {
		rv_fail(err, RV_BAD_CONFIG, "there is no home folder to write the configuration to");
		rv_hint(err, "set HOME or XDG_CONFIG_HOME");
		return err->status;
	}
	RV_CLEANUP(rv_free_p) char *folder = rv_path_parent(path);
	if (refuse_existing(path, err) != RV_OK)
		return err->status;
	if (!o->dry_run && rv_make_folders(folder, 0, err) != RV_OK)
		return err->status;
	rv_strbuf_puts(&text, head_user);
	rv_strbuf_puts(&text, profiles);
	rv_strbuf_puts(&text, places_user);
	rv_strbuf_puts(&text, rest);
	return put(cx, o, path, &text, false, err);
}

static enum rv_status init_run(struct rv_command_context *cx, void *options, int operands_count,
			       char **operands, struct rv_error *err)
{
	const struct init_options *o = options;
	if (operands_count > 0) {
		rv_fail(err, RV_USAGE, "unexpected argument '%s'", operands[0]);
		rv_hint(err, "river -C %s init makes it in that folder", operands[0]);
		return err->status;
	}
	if ((o->user ? init_user : init_here)(cx, o, err) != RV_OK)
		return err->status;
	if (!o->dry_run && rv_out_is_terminal(cx->out) && !cx->quiet)
		rv_out_printf(cx->out, "next:\n"
				       "  river stream create web/clicks --key event_id\n"
				       "  river push web/clicks events.ndjson\n"
				       "  river query 'select count(*) from web.clicks'\n"
				       "river doctor says whether all is in place\n");
	return RV_OK;
}

static const struct rv_example init_examples[] = {
	{ "river init", "a river.yaml with its lake and warehouse below .river in this folder" },
	{ "river init --user", "one for all folders, with the lake in the home folder" },
	{ "river init -n", "only say what would be written" },
	{ NULL, NULL },
};

const struct rv_command cmd_init = {
	.name = "init",
	.group = RV_GROUP_START,
	.summary = "write a river.yaml to start from",
	.operands = "",
	.options = init_options_table,
	.options_size = sizeof(struct init_options),
	.examples = init_examples,
	.run = init_run,
};

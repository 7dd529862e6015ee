/* The river command: reads the globals, finds the command, opens what it needs, runs it, and is the
 * one place that prints an error and decides the exit code. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/stop.h"
#include "base/strbuf.h"
#include "cli/help.h"
#include "cli/output.h"
#include "cli/parse.h"
#include "commands.h"
#include "config/keys.h"
#include "context.h"
#include "format/json_text.h"
#include "help.h"
#include "wire.h"

/* A descriptor that was closed would be given to the next file that is opened, and results written
 * into it. These stand-ins cannot be written to (0: read from), so it is still an error to use
 * them. */
static void open_missing_descriptors(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
			if (open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
				_exit(rv_status_exit_code(RV_LOCAL_IO));
}

/* A core would hold keys and tokens. The limit is 1 rather than 0: where cores are piped to a program, the
 * kernel leaves that one alone only for a limit of exactly 1 (fs/coredump.c). A debugger is not in its
 * way. What river becomes gets its own limit back. */
static struct rlimit core_limit;
static void leave_no_core(void)
{
	if (getrlimit(RLIMIT_CORE, &core_limit) != 0)
		return;
	struct rlimit none = core_limit;
	none.rlim_cur = none.rlim_max < 1 ? 0 : 1;
	(void)setrlimit(RLIMIT_CORE, &none);
}

static bool wants_help(char **argv)
{
	for (; *argv && strcmp(*argv, "--"); argv++)
		if (!strcmp(*argv, "-h") || !strcmp(*argv, "--help"))
			return true;
	return false;
}

static bool was_given(const struct rv_cli_args *args, const char *name)
{
	bool given = false;
	for (size_t i = 0; i < args->given_count; i++)
		if (args->given[i].option->name && !strcmp(args->given[i].option->name, name))
			given = !args->given[i].negated;
	return given;
}

/* How an error of the command line itself is to be printed, before it has been understood. */
static enum rv_out_format output_of_errors(char **argv)
{
	const char *value = getenv("RIVER_OUTPUT");
	for (; *argv && strcmp(*argv, "--"); argv++) {
		if (!strncmp(*argv, "--output=", 9))
			value = *argv + 9;
		else if (!strcmp(*argv, "--output") && argv[1])
			value = argv[1];
	}
	return value && !strcmp(value, "json") ? RV_OUT_JSON : RV_OUT_TEXT;
}

static bool use_color(int when)
{
	if (when != RIVER_COLOR_AUTO)
		return when == RIVER_COLOR_ALWAYS;
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
	return isatty(STDERR_FILENO) && !(no_color && *no_color) && term && strcmp(term, "dumb");
}

/* Adds where to read on to an error of the command line that has no better hint. */
static enum rv_status usage_error(struct rv_error *err, const char *words)
{
	if (err->status == RV_USAGE && !err->hint[0])
		rv_hint(err, "see 'river %s%s-h'", words, *words ? " " : "");
	return err->status;
}

static enum rv_status change_folder(const char *folder, struct rv_error *err)
{
	if (chdir(folder) == 0)
		return RV_OK;
	return rv_fail_errno(err, errno == ENOENT ? RV_NOT_FOUND : RV_LOCAL_IO,
			     "cannot go to the folder '%s'", folder);
}

/* Several -C follow one another, as in `cd a; cd b`. */
static enum rv_status change_folders(const struct rv_cli_args *args, struct rv_error *err)
{
	for (size_t i = 0; i < args->given_count; i++) {
		const struct rv_cli_given *given = &args->given[i];
		if (given->option->short_name != 'C' || given->option->name)
			continue;
		enum rv_status status = change_folder(given->value, err);
		if (status != RV_OK)
			return status;
	}
	return RV_OK;
}

/* ---- programs called river-NAME ------------------------------------------------------------ */

static void put_variable(const char *name, const char *value)
{
	if (setenv(name, value, 1) != 0)
		rv_out_of_memory(0);
}

/* A key that river does not know may be the program's own. */
static void export_unknown(const char *name, const char *value)
{
	RV_CLEANUP(rv_free_p) char *variable = rv_asprintf("RIVER_%s", name);
	for (char *p = variable; *p; p++)
		*p = *p == '.' || *p == '-' ? '_' : *p >= 'a' && *p <= 'z' ? (char)(*p - 'a' + 'A') : *p;
	put_variable(variable, value);
}

/* -c goes before every variable, so none that would go before the key's own may be left. */
static enum rv_status export_setting(const char *text, struct rv_error *err)
{
	const char *equals = strchr(text, '=');
	if (!equals || equals == text)
		return rv_fail(err, RV_USAGE, "option '-c': '%s' is not key=value", text);
	RV_CLEANUP(rv_free_p) char *name = rv_strndup(text, (size_t)(equals - text));
	const struct rv_key *key = rv_key_find(name);
	if (!key) {
		export_unknown(name, equals + 1);
		return RV_OK;
	}
	if (rv_key_has_star(key)) {
		rv_fail(err, RV_USAGE, "-c %s does not go on to another program: it has no variable", name);
		rv_hint(err, "set it in a profile, and name that with --profile");
		return err->status;
	}
	RV_CLEANUP(rv_free_p) char *value = NULL;
	RV_CLEANUP(rv_free_p) char *variable = rv_key_env(key);
	if (rv_key_value(key, equals + 1, ".", &value, err) != RV_OK) {
		err->status = RV_USAGE;
		return rv_context(err, "-c %s", name);
	}
	put_variable(variable, value);
	if (strcmp(key->name, "state") == 0)
		unsetenv("RIVER_STATE_DIR");
	if (strcmp(key->name, "aws.endpoint_url") == 0)
		unsetenv("RIVER_ENDPOINT_URL");
	return RV_OK;
}

/* What was given in front of the name goes on as environment variables. */
static enum rv_status export_globals(const struct rv_cli_args *args, struct rv_error *err)
{
	if (change_folders(args, err) != RV_OK)
		return err->status;
	for (size_t i = 0; i < args->given_count; i++) {
		const struct rv_cli_given *given = &args->given[i];
		if (given->option->short_name == 'c' && !given->option->name &&
		    export_setting(given->value, err) != RV_OK)
			return err->status;
	}
	/* --endpoint-url goes before the key of -c */
	for (size_t i = 0; i < args->given_count; i++) {
		const struct rv_cli_given *given = &args->given[i];
		char name[RV_CLI_ENV_TEXT];
		if ((given->option->short_name != 'c' || given->option->name) &&
		    rv_cli_env(given->option, NULL, name))
			put_variable(name, given->value ? given->value : given->negated ? "0" : "1");
	}
	return RV_OK;
}

/* Returns only when there is no such program. */
static enum rv_status run_external(char **words, const struct rv_cli_args *args,
				   struct rv_error *err)
{
	const char *name = words[0];
	/* Whoever asks for help does not want it run, and only the program itself has some. */
	bool help = was_given(args, "help");
	if (*name && !strchr(name, '/') && !help) {
		enum rv_status status = export_globals(args, err);
		if (status != RV_OK)
			return status;
		RV_CLEANUP(rv_free_p) char *program = rv_asprintf("river-%s", name);
		char *word = words[0];
		words[0] = program;
		rv_stop_uninstall();
		(void)setrlimit(RLIMIT_CORE, &core_limit);
		execvp(program, words);
		int error = errno;
		rv_stop_install();
		words[0] = word;
		errno = error;
		if (error != ENOENT && error != ENOTDIR && error != EACCES)
			return rv_fail_errno(err, RV_FAILED, "cannot run %s", program);
	}
	rv_fail(err, RV_USAGE, "'%s' is not a river command", name);
	const char *near = river_command_nearest(name, NULL);
	if (near && help)
		rv_hint(err, "did you mean 'river %s'? A program river-%s has its own: river %s -h", near, name, name);
	else if (near)
		rv_hint(err, "did you mean 'river %s'?", near);
	else if (help)
		rv_hint(err, "a program river-%s has its own help: river %s -h", name, name);
	return usage_error(err, "");
}

/* ---- running a command --------------------------------------------------------------------- */

static enum rv_status open_needs(struct rv_command_context *cx, const struct river_globals *globals,
				 struct rv_error *err)
{
	unsigned needs = cx->command->needs;
	if (!needs)
		return RV_OK;
	enum rv_status status = river_open_config(cx, globals, err);
	if (status == RV_OK && (needs & RV_NEEDS_LAKE))
		status = rv_wire_lake(cx->profile, &cx->lake, err);
	return status;
}

static enum rv_status run_opened(struct rv_command_context *cx, struct rv_cli_args *args,
				 void *options, struct rv_error *err)
{
	struct rv_cli_source source = {
		.table = cx->command->options,
		.scope = cx->command->name,
		.lookup = cx->config ? river_config_lookup : NULL,
		.lookup_arg = cx,
	};
	enum rv_status status = rv_cli_parse(&source, args, options, err);
	if (status != RV_OK)
		return usage_error(err, cx->command->name);
	static char *none[] = { NULL };
	status = cx->command->run(cx, options, (int)args->operands_count,
				  args->operands ? args->operands : none, err);
	return status == RV_USAGE ? usage_error(err, cx->command->name) : status;
}

static enum rv_status run_command(const struct rv_command *command,
				  const struct river_globals *globals, struct rv_cli_args *args,
				  struct rv_error *err)
{
	const struct rv_config_params params = river_config_params(globals);
	struct rv_command_context cx = {
		.command = command,
		.config_params = &params,
		.args = args,
		.output = (enum rv_out_format)globals->output,
		.quiet = globals->quiet,
		.verbose = globals->verbose,
		.locks = (enum rv_lock_policy)globals->lock,
		.locks_typed = globals->lock_typed,
		.timeout_ms = globals->timeout_ms,
	};
	cx.out = rv_out_new(STDOUT_FILENO, cx.output);
	RV_CLEANUP(rv_free_p) void *options =
		rv_calloc(1, command->options_size ? command->options_size : 1);
	enum rv_status status = open_needs(&cx, globals, err);
	if (status == RV_OK)
		status = run_opened(&cx, args, options, err);

	struct rv_error late = RV_ERROR_INIT;
	enum rv_status finished = rv_out_finish(cx.out, &late);
	if (finished != RV_OK && status == RV_OK) {
		*err = late;
		status = finished;
	} else if (finished != RV_OK && status != RV_INTERNAL) {
		/* both are true, and undelivered results count for more */
		if (err->message[0])
			rv_error_print(err);
		*err = late;
		status = finished;
	}
	rv_out_free(cx.out);
	river_close(&cx);
	return status;
}

static enum rv_status run_parsed(const struct rv_command *command, struct rv_cli_args *args,
				 struct rv_error *err)
{
	struct river_globals globals = { .timeout_ms = -1 };
	struct rv_cli_source source = { .table = river_globals_table };
	if (command->raw) /* a shell asks, whatever the environment says */
		return run_command(command, &globals, args, err);
	enum rv_status status = rv_cli_parse(&source, args, &globals, err);
	if (status != RV_OK)
		return usage_error(err, command->name);
	globals.profile_typed = was_given(args, "profile");
	globals.endpoint_url_typed = was_given(args, "endpoint-url");
	globals.lock_typed = was_given(args, "lock");
	rv_messages_init(globals.quiet ? -1 : globals.verbose ? 1 : 0,
			 (enum rv_out_format)globals.output, use_color(globals.color));
	if (globals.output == RV_OUT_CSV && !command->csv) {
		rv_fail(err, RV_USAGE, "'river %s' has no csv output", command->name);
		return usage_error(err, command->name);
	}
	status = change_folders(args, err);
	return status == RV_OK ? run_command(command, &globals, args, err) : status;
}

static enum rv_status print_version(struct rv_error *err)
{
	struct rv_out *out = rv_out_new(STDOUT_FILENO, RV_OUT_TEXT);
	rv_out_printf(out, "river %s\n", RIVER_VERSION);
	enum rv_status status = rv_out_finish(out, err);
	rv_out_free(out);
	return status;
}

static enum rv_status print_help(const struct rv_command *command, const char *group,
				 struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	if (command)
		rv_help_command(&text, command);
	else if (group)
		river_help_group(&text, group);
	else
		river_help_overview(&text);
	struct rv_out *out = rv_out_new(STDOUT_FILENO, RV_OUT_TEXT);
	rv_out_write(out, text.bytes, text.len);
	enum rv_status status = rv_out_finish(out, err);
	rv_out_free(out);
	return status;
}

/* No command, or only its first word: what there is, on standard error. */
static enum rv_status command_missing(const char *group, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf verbs = RV_STRBUF_INIT;
	for (const struct rv_command *const *c = river_commands; *c; c++) {
		size_t len = strlen(group);
		if ((*c)->group == RV_GROUP_HIDDEN)
			continue;
		if (!len)
			rv_strbuf_printf(&verbs, "%s%s", verbs.len ? ", " : "", (*c)->name);
		else if (rv_starts_with((*c)->name, group) && (*c)->name[len] == ' ')
			rv_strbuf_printf(&verbs, "%s%s", verbs.len ? ", " : "",
					 (*c)->name + len + 1);
	}
	rv_fail(err, RV_USAGE, "a command is missing after 'river%s%s': %s", *group ? " " : "",
		group, verbs.bytes);
	return usage_error(err, group);
}

static enum rv_status dispatch(char **argv, struct rv_cli_args *args, struct rv_error *err)
{
	size_t used;
	enum rv_status status = rv_cli_split(argv, river_globals_table, NULL, true, args, &used,
					     err);
	if (status != RV_OK)
		return wants_help(argv) ? print_help(NULL, NULL, err) : usage_error(err, "");
	if (was_given(args, "version"))
		return print_version(err);
	char **words = argv + used;
	if (!words[0] || !strcmp(words[0], "--"))
		return was_given(args, "help") ? print_help(NULL, NULL, err)
					       : command_missing("", err);

	/* Between the two words of a name other globals may stand. */
	char **rest = words + 1;
	int name_words;
	const struct rv_command *command = river_command_find(words[0], NULL, &name_words);
	if (!command && river_command_is_group(words[0])) {
		status = rv_cli_split(rest, river_globals_table, NULL, true, args, &used, err);
		if (status != RV_OK)
			return wants_help(rest) ? print_help(NULL, words[0], err)
						: usage_error(err, words[0]);
		rest += used;
		if (!rest[0] || !strcmp(rest[0], "--"))
			return was_given(args, "help") ? print_help(NULL, words[0], err)
						       : command_missing(words[0], err);
		command = river_command_find(words[0], rest[0], &name_words);
		if (!command) {
			rv_fail(err, RV_USAGE, "'river %s' has no '%s'", words[0], rest[0]);
			const char *near = river_command_nearest(words[0], rest[0]);
			if (near)
				rv_hint(err, "did you mean 'river %s %s'?", words[0], near);
			return wants_help(rest) ? print_help(NULL, words[0], err)
						: usage_error(err, words[0]);
		}
		rest++;
	}
	if (!command)
		return run_external(words, args, err);
	if (command->raw) {
		size_t count = 0;
		while (rest[count])
			count++;
		args->operands = rv_calloc(count + 1, sizeof(*args->operands));
		memcpy(args->operands, rest, count * sizeof(*rest));
		args->operands_count = count;
	} else {
		status = rv_cli_split(rest, command->options, river_globals_table, false, args,
				      &used, err);
		if (status != RV_OK)
			return wants_help(rest) ? print_help(command, NULL, err)
						: usage_error(err, command->name);
	}
	if (was_given(args, "help"))
		return print_help(command, NULL, err);
	if (was_given(args, "version"))
		return print_version(err);
	return run_parsed(command, args, err);
}

int main(int argc, char **argv)
{
	open_missing_descriptors();
	leave_no_core();
	rv_json_memory();
	rv_stop_install();
	char **words = argc > 0 ? argv + 1 : argv;
	rv_messages_init(0, output_of_errors(words), use_color(RIVER_COLOR_AUTO));

	struct rv_error err = RV_ERROR_INIT;
	struct rv_cli_args args = RV_CLI_ARGS_INIT;
	enum rv_status status = dispatch(words, &args, &err);
	rv_cli_args_release(&args);
	if (status != RV_OK && err.message[0]) {
		err.status = status;
		rv_error_print(&err);
	}
	if (status == RV_FAILED && rv_stop_signal())
		return 128 + rv_stop_signal();
	return rv_status_exit_code(status);
}

/* Definition files for `stream create`, `apply` and `diff`: a file, a folder of them, or standard
 * input; every problem of every document is printed, so that one run shows them all. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "config/definition.h"
#include "format/yaml.h"
#include "stream_plan.h"

enum rv_status river_printed(enum rv_status worst, struct rv_error *err)
{
	*err = (struct rv_error)RV_ERROR_INIT;
	err->status = worst;
	return worst;
}

void river_definitions_release(struct river_definitions *definitions)
{
	for (size_t i = 0; i < definitions->count; i++) {
		rv_stream_release(&definitions->items[i].stream);
		free(definitions->items[i].file);
	}
	free(definitions->items);
	*definitions = (struct river_definitions){ 0 };
}

void river_definitions_add(struct river_definitions *definitions, struct rv_stream *stream)
{
	RV_GROW(definitions->items, definitions->count, definitions->capacity);
	definitions->items[definitions->count++] = (struct river_definition){ .stream = *stream };
	rv_stream_init(stream);
}

static void problem(struct river_definitions *definitions, const struct rv_error *err)
{
	rv_error_print(err);
	definitions->problems++;
	definitions->worst = rv_status_graver(definitions->worst, err->status);
}

static void add_document(struct river_definitions *definitions, const char *file,
			 const struct rv_yaml_node *root)
{
	RV_CLEANUP(rv_stream_release_p) struct rv_stream stream;
	struct rv_error err = RV_ERROR_INIT;

	rv_stream_init(&stream);
	if (rv_yaml_is_null(root)) /* nothing between two "---" */
		return;
	if (rv_definition_parse(file, root, &stream, &err) != RV_OK) {
		problem(definitions, &err);
		return;
	}
	for (size_t i = 0; i < definitions->count; i++) {
		const struct river_definition *other = &definitions->items[i];

		if (strcmp(other->stream.business, stream.business) != 0 ||
		    strcmp(other->stream.name, stream.name) != 0)
			continue;
		rv_fail(&err, RV_BAD_CONFIG, "stream %s/%s is defined twice, first in %s line %llu",
			stream.business, stream.name, other->file, (unsigned long long)other->line);
		rv_error_at(&err, file, root->line, root->column);
		problem(definitions, &err);
		return;
	}
	river_definitions_add(definitions, &stream);
	definitions->items[definitions->count - 1].file = rv_strdup(file);
	definitions->items[definitions->count - 1].line = root->line;
}

static void add_documents(struct river_definitions *definitions,
			  const struct rv_yaml_documents *documents)
{
	for (size_t i = 0; i < documents->count; i++)
		add_document(definitions, documents->file, documents->roots[i]);
}

static void read_one(struct river_definitions *definitions, const char *path)
{
	struct rv_yaml_documents documents = { 0 };
	struct rv_error err = RV_ERROR_INIT;

	if (rv_yaml_read(path, NULL, &documents, &err) != RV_OK)
		problem(definitions, &err);
	else
		add_documents(definitions, &documents);
	rv_yaml_release(&documents);
}

static enum rv_status read_stdin(struct river_definitions *definitions, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	struct rv_yaml_documents documents = { 0 };
	struct rv_error wrong = RV_ERROR_INIT;
	char piece[16384];
	size_t n;

	rv_strbuf_limit(&text, RV_YAML_MAX_BYTES + 1);
	do {
		if (rv_read_some(STDIN_FILENO, piece, sizeof(piece), &n, "standard input", err) != RV_OK)
			return err->status;
		rv_strbuf_add(&text, piece, n);
	} while (n > 0 && !text.overflow);
	if (rv_yaml_parse("<stdin>", text.bytes, text.len, &documents, &wrong) != RV_OK)
		problem(definitions, &wrong);
	else
		add_documents(definitions, &documents);
	rv_yaml_release(&documents);
	return RV_OK;
}

static int is_yaml(const struct dirent *entry)
{
	return entry->d_name[0] != '.' &&
	       (rv_ends_with(entry->d_name, ".yaml") || rv_ends_with(entry->d_name, ".yml"));
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static enum rv_status read_folder(struct river_definitions *definitions, const char *path,
				  struct rv_error *err)
{
	struct dirent **entries = NULL;
	int count;

	do {
		count = scandir(path, &entries, is_yaml, by_bytes);
	} while (count < 0 && errno == EINTR);

	if (count < 0)
		return rv_fail_errno(err, RV_LOCAL_IO, "cannot read the folder %s", path);
	for (int i = 0; i < count; i++) {
		RV_CLEANUP(rv_free_p) char *file = rv_path_join(path, entries[i]->d_name);

		read_one(definitions, file);
		free(entries[i]);
	}
	free(entries);
	return RV_OK;
}

static enum rv_status read_path(const char *path, struct river_definitions *ret, struct rv_error *err)
{
	struct stat info;
	enum rv_status status = RV_OK;
	size_t before = ret->count + ret->problems;

	if (strcmp(path, "-") == 0) {
		status = read_stdin(ret, err);
	} else if (stat(path, &info) != 0) {
		status = rv_fail_errno(err, errno == ENOENT ? RV_NOT_FOUND : RV_LOCAL_IO,
				       "cannot read definitions from %s", path);
	} else if (S_ISDIR(info.st_mode)) {
		status = read_folder(ret, path, err);
	} else {
		read_one(ret, path);
	}
	if (status != RV_OK)
		return status;
	/* An empty folder is more likely a wrong path than the wish to have no streams. */
	if (ret->count + ret->problems == before) {
		rv_fail(err, RV_BAD_CONFIG, "there is no definition in %s",
			strcmp(path, "-") == 0 ? "standard input" : path);
		rv_hint(err, "a definition is a YAML document that begins with stream: business/name; in "
			     "folders, files that end in .yaml or .yml are read");
		return err->status;
	}
	return RV_OK;
}

enum rv_status river_definitions_read(const struct rv_opt_list *paths, struct river_definitions *ret,
				      struct rv_error *err)
{
	for (size_t i = 0; i < paths->count; i++)
		if (read_path(paths->items[i], ret, err) != RV_OK)
			return err->status;
	return RV_OK;
}

enum rv_status river_definitions_operand(const char *operand, struct rv_error *err)
{
	rv_fail(err, RV_USAGE, "unexpected argument '%s'", operand);
	if (access(operand, F_OK) == 0 || strchr(operand, '/') || rv_ends_with(operand, ".yaml") ||
	    rv_ends_with(operand, ".yml"))
		rv_hint(err, "did you mean -f %s?", operand);
	return err->status;
}

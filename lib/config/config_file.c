/*
 * Reads one river.yaml. Everything wrong in it is found in one go, with its place, because a file
 * that is mended error by error is mended in anger.
 */
#include "config/config_file.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "format/yaml.h"

struct reading {
	const char *path;
	char *folder; /* of the file: relative paths start there */
	struct rv_config_file *file;
	struct rv_error *err; /* the first problem */
	size_t problems;
	void (*report)(void *arg, const struct rv_error *problem);
	void *arg;
};

void rv_config_value_release(struct rv_config_value *value)
{
	free(value->name);
	free(value->value);
	free(value->origin);
	*value = (struct rv_config_value){ 0 };
}

void rv_config_file_release(struct rv_config_file *file)
{
	for (size_t i = 0; i < file->count; i++) {
		struct rv_config_profile *profile = &file->profiles[i];
		for (size_t j = 0; j < profile->count; j++)
			rv_config_value_release(&profile->values[j]);
		free(profile->values);
		free(profile->name);
	}
	free(file->profiles);
	free(file->default_profile);
	free(file->path);
	*file = (struct rv_config_file){ 0 };
}

const struct rv_config_profile *rv_config_file_profile(const struct rv_config_file *file,
						       const char *name)
{
	for (size_t i = 0; i < file->count; i++)
		if (strcmp(file->profiles[i].name, name) == 0)
			return &file->profiles[i];
	return NULL;
}

bool rv_config_profile_name_valid(const char *name)
{
	size_t len = strlen(name);
	if (len < 1 || len > 64 || !isalnum((unsigned char)name[0]))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)name[i]) && !strchr("_.-", name[i]))
			return false;
	return true;
}

/* `problem` is filled but for its place. */
static void note_problem(struct reading *r, struct rv_error *problem,
			 const struct rv_yaml_node *where)
{
	if (where)
		rv_error_at(problem, r->path, where->line, where->column);
	if (r->problems++ == 0)
		*r->err = *problem;
	if (r->report)
		r->report(r->arg, problem);
}

static void add_value(struct reading *r, struct rv_config_profile *profile,
		      const struct rv_key *key, const char *name, const struct rv_yaml_node *node)
{
	struct rv_error problem = RV_ERROR_INIT;
	char *value = NULL;
	if (rv_yaml_is_null(node)) {
		rv_fail(&problem, RV_BAD_CONFIG, "%s has no value", name);
		if (strcmp(node->text, "~") == 0)
			rv_hint(&problem, "a ~ alone is nothing in YAML; ~/ is the home folder");
		note_problem(r, &problem, node);
		return;
	}
	if (rv_key_value(key, node->text, r->folder, &value, &problem) != RV_OK) {
		rv_context(&problem, "%s", name);
		note_problem(r, &problem, node);
		return;
	}
	RV_GROW(profile->values, profile->count, profile->capacity);
	profile->values[profile->count++] = (struct rv_config_value){
		.key = key,
		/* "delivery: direct" is delivery.type from here on */
		.name = rv_strdup(rv_key_has_star(key) ? name : key->name),
		.value = value,
		.origin = rv_asprintf("file:%s:%llu", r->path, (unsigned long long)node->line),
	};
}

static void unknown_key(struct reading *r, const char *profile, const char *name,
			const struct rv_yaml_node *at)
{
	struct rv_error problem = RV_ERROR_INIT;
	rv_fail(&problem, RV_BAD_CONFIG, "unknown key %s in profile %s", name, profile);
	RV_CLEANUP(rv_free_p) char *near = rv_key_nearest(name);
	if (near)
		rv_hint(&problem, "did you mean %s?", near);
	else
		rv_hint(&problem, "river config list --all shows the keys");
	note_problem(r, &problem, at);
}

static void read_group(struct reading *r, struct rv_config_profile *profile, const char *group,
		       const struct rv_yaml_node *map)
{
	for (size_t i = 0; i < map->count; i++) {
		const struct rv_yaml_node *word = map->keys[i], *node = map->items[i];
		RV_CLEANUP(rv_free_p) char *name =
			group ? rv_asprintf("%s.%s", group, word->text) : rv_strdup(word->text);
		/* A dot in a word would pass for a level. */
		bool plain = !strchr(word->text, '.');
		const struct rv_key *key = plain ? rv_key_find(name) : NULL;
		bool is_group = plain && rv_key_is_group(name);
		struct rv_error problem = RV_ERROR_INIT;
		if (!key && !is_group) {
			unknown_key(r, profile->name, name, word);
		} else if (is_group && node->kind == RV_YAML_MAPPING) {
			read_group(r, profile, name, node);
		} else if (is_group && rv_yaml_is_null(node)) {
			continue; /* all of it commented out */
		} else if (key && node->kind == RV_YAML_SCALAR) {
			add_value(r, profile, key, name, node);
		} else {
			rv_fail(&problem, RV_BAD_CONFIG, "%s must be %s", name,
				!key		 ? "a mapping"
				: is_group	 ? "a word or a mapping"
						 : "one value");
			if (key && node->kind == RV_YAML_SEQUENCE)
				rv_hint(&problem, "river.yaml(5) says how it is written");
			note_problem(r, &problem, node);
		}
	}
}

/* Settings of another type's would be read by nobody. */
static void check_belonging(struct reading *r, const struct rv_config_profile *profile)
{
	for (size_t i = 0; i < profile->count; i++) {
		const struct rv_config_value *value = &profile->values[i];
		if (!value->key->belongs_to)
			continue;
		size_t group_len = strcspn(value->name, ".");
		RV_CLEANUP(rv_free_p) char *type_name =
			rv_asprintf("%.*s.type", (int)group_len, value->name);
		const char *type = rv_key_find(type_name)->def;
		for (size_t j = 0; j < profile->count; j++)
			if (strcmp(profile->values[j].name, type_name) == 0)
				type = profile->values[j].value;
		if (strcmp(type, value->key->belongs_to) == 0)
			continue;
		struct rv_error problem = RV_ERROR_INIT;
		rv_fail(&problem, RV_BAD_CONFIG, "%s goes with %s: %s, not with %s", value->name,
			type_name, value->key->belongs_to, type);
		const char *line = strrchr(value->origin, ':') + 1;
		rv_error_at(&problem, r->path, strtoull(line, NULL, 10), 0);
		note_problem(r, &problem, NULL);
	}
}

static void read_profiles(struct reading *r, const struct rv_yaml_node *map)
{
	struct rv_error problem = RV_ERROR_INIT;
	if (rv_yaml_is_null(map))
		return;
	if (map->kind != RV_YAML_MAPPING) {
		rv_fail(&problem, RV_BAD_CONFIG, "profiles must be a mapping of names to profiles");
		note_problem(r, &problem, map);
		return;
	}
	for (size_t i = 0; i < map->count; i++) {
		const struct rv_yaml_node *name = map->keys[i], *body = map->items[i];
		problem = (struct rv_error)RV_ERROR_INIT;
		if (!rv_config_profile_name_valid(name->text)) {
			rv_fail(&problem, RV_BAD_CONFIG, "'%s' is not the name of a profile",
				name->text);
			rv_hint(&problem, "a name has up to 64 letters, digits, _ . -");
			note_problem(r, &problem, name);
			continue;
		}
		if (body->kind != RV_YAML_MAPPING && !rv_yaml_is_null(body)) {
			rv_fail(&problem, RV_BAD_CONFIG, "profile %s must be a mapping", name->text);
			note_problem(r, &problem, body);
			continue;
		}
		struct rv_config_file *file = r->file;
		RV_GROW(file->profiles, file->count, file->capacity);
		struct rv_config_profile *profile = &file->profiles[file->count++];
		*profile = (struct rv_config_profile){ .name = rv_strdup(name->text) };
		if (body->kind == RV_YAML_MAPPING)
			read_group(r, profile, NULL, body);
		check_belonging(r, profile);
	}
}

static void read_default(struct reading *r, const struct rv_yaml_node *node)
{
	struct rv_error problem = RV_ERROR_INIT;
	if (node->kind != RV_YAML_SCALAR || !rv_config_profile_name_valid(node->text)) {
		rv_fail(&problem, RV_BAD_CONFIG, "default_profile must be the name of a profile");
		note_problem(r, &problem, node);
		return;
	}
	r->file->default_profile = rv_strdup(node->text);
	r->file->default_profile_line = node->line;
}

static void read_root(struct reading *r, const struct rv_yaml_node *root)
{
	static const char *const words[] = { "default_profile", "profiles", NULL };
	struct rv_error problem = RV_ERROR_INIT;
	if (rv_yaml_is_null(root))
		return;
	if (root->kind != RV_YAML_MAPPING) {
		rv_fail(&problem, RV_BAD_CONFIG, "a configuration is a mapping");
		note_problem(r, &problem, root);
		return;
	}
	for (size_t i = 0; i < root->count; i++) {
		const struct rv_yaml_node *word = root->keys[i];
		problem = (struct rv_error)RV_ERROR_INIT;
		if (strcmp(word->text, "profiles") == 0) {
			read_profiles(r, root->items[i]);
			continue;
		}
		if (strcmp(word->text, "default_profile") == 0) {
			read_default(r, root->items[i]);
			continue;
		}
		rv_fail(&problem, RV_BAD_CONFIG, "unknown key %s", word->text);
		const char *near = rv_nearest(word->text, words);
		if (rv_key_find(word->text) || rv_key_is_group(word->text))
			rv_hint(&problem, "%s belongs into a profile, below profiles:", word->text);
		else if (near)
			rv_hint(&problem, "did you mean %s?", near);
		else
			rv_hint(&problem, "a configuration has default_profile and profiles");
		note_problem(r, &problem, word);
	}
}

/* Settings decide where data goes and will run commands: they must be the user's own. */
static enum rv_status check_owner(const char *path, const struct stat *st, struct rv_error *err)
{
	uid_t me = geteuid();
	if (st->st_uid != me && st->st_uid != 0) {
		rv_fail(err, RV_BAD_CONFIG, "belongs to user %lu, not to you or root",
			(unsigned long)st->st_uid);
		rv_hint(err, "read it first, then make it yours: chown %lu %s", (unsigned long)me,
			path);
	} else if (st->st_mode & 022) {
		rv_fail(err, RV_BAD_CONFIG, "others may write to it (mode %04o)",
			(unsigned)st->st_mode & 07777);
		rv_hint(err, "chmod go-w %s", path);
	} else {
		return RV_OK;
	}
	rv_error_at(err, path, 0, 0);
	return err->status;
}

static void release_documents(struct rv_yaml_documents *documents)
{
	rv_yaml_release(documents);
}

enum rv_status rv_config_file_read(const char *path,
				   void (*report)(void *arg, const struct rv_error *problem),
				   void *arg, struct rv_config_file *ret, struct rv_error *err)
{
	RV_CLEANUP(release_documents) struct rv_yaml_documents documents = { 0 };
	RV_CLEANUP(rv_config_file_release) struct rv_config_file file = { 0 };
	RV_CLEANUP(rv_free_p) char *folder = rv_path_parent(path);
	struct reading r = { .path = path, .folder = folder, .file = &file, .err = err,
			     .report = report, .arg = arg };
	struct stat st = { 0 }; /* no mode: not opened */
	struct rv_error problem = RV_ERROR_INIT;
	file.path = rv_strdup(path);
	/* Hostile bytes are refused in time, so the owner can be asked about the very file that was
	 * read. A wrong owner is said first: the rest of such a file is nobody's business. */
	enum rv_status status = rv_yaml_read(path, &st, &documents, &problem);
	struct rv_error owner = RV_ERROR_INIT;
	if (S_ISREG(st.st_mode) && check_owner(path, &st, &owner) != RV_OK)
		status = (problem = owner).status;
	if (status != RV_OK) {
		note_problem(&r, &problem, NULL);
		return err->status;
	}
	if (documents.count > 1) {
		rv_fail(&problem, RV_BAD_CONFIG, "a configuration is one document, this has %zu",
			documents.count);
		note_problem(&r, &problem, documents.roots[1]);
	} else if (documents.count == 1) {
		read_root(&r, documents.roots[0]);
	}
	if (r.problems)
		return err->status;
	*ret = file;
	file = (struct rv_config_file){ 0 };
	return RV_OK;
}

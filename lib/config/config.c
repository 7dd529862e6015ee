/*
 * Many places may set a value; exactly one does, and this says which. Files are read nearest first,
 * layers are laid over one another value by value, and the origin travels with the value.
 */
#include "config/config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/strbuf.h"
#include "config/config_check.h"
#include "config/config_file.h"
#include "format/record_hash.h"

#define SYSTEM_PATH "/etc/river/config.yaml"
#define LOCAL_NAME "river.yaml"

struct rv_config {
	char **paths;
	struct rv_config_file *files; /* one for each path */
	size_t files_count;
	struct rv_config_value *values;
	size_t values_count, values_capacity;
	char *profile_origin;
	const char *profile_file; /* one of the paths; NULL: none has it */
	struct rv_profile profile;
};

/* ---- which files ----------------------------------------------------------------------------- */

/* Set to nothing counts as not set. */
static const char *environment(const char *name)
{
	const char *value = getenv(name);
	return value && value[0] ? value : NULL;
}

/* A folder above that may not be searched holds no configuration of ours. Anything else that is
 * there, folder or FIFO, counts as found and is refused when it is read. */
static bool exists(const char *path)
{
	struct stat st;
	if (stat(path, &st) == 0)
		return true;
	return errno != ENOENT && errno != ENOTDIR && errno != EACCES;
}

char *rv_config_user_path(void)
{
	RV_CLEANUP(rv_free_p) char *folder = rv_xdg_folder("XDG_CONFIG_HOME", ".config");
	return folder ? rv_path_join(folder, "river/config.yaml") : NULL;
}

static char *nearest_upwards(const char *start)
{
	RV_CLEANUP(rv_free_p) char *folder = rv_path_absolute(start);
	for (;;) {
		RV_CLEANUP(rv_free_p) char *path = rv_path_join(folder, LOCAL_NAME);
		if (exists(path))
			return rv_take(path);
		if (strcmp(folder, "/") == 0)
			return NULL;
		char *parent = rv_path_parent(folder);
		free(folder);
		folder = parent;
	}
}

enum rv_status rv_config_discover(const char *folder, char ***ret_paths, size_t *ret_count,
				  struct rv_error *err)
{
	const char *only = environment("RIVER_CONFIG");
	char **paths = rv_calloc(3, sizeof(*paths));
	size_t n = 0;
	if (only) {
		paths[n] = rv_path_absolute(only);
		if (!exists(paths[n])) {
			rv_fail(err, RV_BAD_CONFIG, "RIVER_CONFIG names no file: %s", only);
			rv_config_paths_free(paths, 1);
			return err->status;
		}
		n++;
	} else {
		char *candidates[] = { nearest_upwards(folder ? folder : "."),
				       rv_config_user_path(), rv_strdup(SYSTEM_PATH) };
		for (size_t i = 0; i < 3; i++) {
			if (candidates[i] && exists(candidates[i]))
				paths[n++] = candidates[i];
			else
				free(candidates[i]);
		}
	}
	*ret_paths = paths;
	*ret_count = n;
	return RV_OK;
}

void rv_config_paths_free(char **paths, size_t count)
{
	for (size_t i = 0; paths && i < count; i++)
		free(paths[i]);
	free(paths);
}

static enum rv_status read_files(struct rv_config *c, const char *folder, struct rv_error *err)
{
	size_t count = 0;
	if (rv_config_discover(folder, &c->paths, &count, err) != RV_OK)
		return err->status;
	c->files = rv_calloc(count, sizeof(*c->files));
	c->files_count = count;
	for (size_t i = 0; i < count; i++)
		if (rv_config_file_read(c->paths[i], NULL, NULL, &c->files[i], err) != RV_OK)
			return err->status;
	return RV_OK;
}

/* ---- which profile --------------------------------------------------------------------------- */

static enum rv_status no_such_profile(const struct rv_config *c, const char *name,
				      struct rv_error *err)
{
	size_t n = 0, total = 1;
	for (size_t i = 0; i < c->files_count; i++)
		total += c->files[i].count;
	RV_CLEANUP(rv_free_p) const char **names = rv_calloc(total, sizeof(*names));
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf list = RV_STRBUF_INIT;
	for (size_t i = 0; i < c->files_count; i++) {
		for (size_t j = 0; j < c->files[i].count; j++) {
			names[n++] = c->files[i].profiles[j].name;
			rv_strbuf_printf(&list, "%s%s", list.len ? ", " : "", names[n - 1]);
		}
	}
	rv_fail(err, RV_BAD_CONFIG, "no profile %s in %s%s", name,
		c->files_count ? c->paths[0] : "any file", c->files_count > 1 ? " and the others" : "");
	const char *near = rv_nearest(name, names);
	if (near)
		rv_hint(err, "did you mean %s?", near);
	else if (n)
		rv_hint(err, "there is: %s; choose with --profile", list.bytes);
	else
		rv_hint(err, "river init writes a configuration");
	return err->status;
}

/* The profile's settings, or NULL for `local` where no file has any profile. */
static enum rv_status choose(struct rv_config *c, const struct rv_config_params *params,
			     const struct rv_config_profile **ret, struct rv_error *err)
{
	const char *wanted = params->profile;
	const struct rv_config_file *by = NULL;
	size_t profiles = 0;
	const char *name = wanted;
	if (wanted) {
		c->profile_origin = rv_strdup(params->profile_origin ? params->profile_origin : "--profile");
	} else if ((name = environment("RIVER_PROFILE"))) {
		c->profile_origin = rv_strdup("environment RIVER_PROFILE");
	}
	for (size_t i = 0; i < c->files_count; i++) {
		profiles += c->files[i].count;
		if (!name && c->files[i].default_profile) {
			by = &c->files[i];
			name = by->default_profile;
			c->profile_origin =
				rv_asprintf("file:%s:%llu", by->path,
					    (unsigned long long)by->default_profile_line);
		}
	}
	if (!name) {
		name = "local";
		c->profile_origin = rv_strdup("default");
	}
	c->profile.name = rv_strdup(name);
	for (size_t i = 0; i < c->files_count; i++) {
		*ret = rv_config_file_profile(&c->files[i], name);
		c->profile_file = c->paths[i];
		if (*ret)
			return RV_OK;
	}
	c->profile_file = NULL;
	if (profiles == 0 && strcmp(name, "local") == 0)
		return RV_OK;
	no_such_profile(c, name, err);
	if (by)
		rv_error_at(err, by->path, by->default_profile_line, 0);
	else if (strcmp(c->profile_origin, "default") == 0)
		rv_context(err, "default_profile is not set");
	else
		rv_context(err, "%s", c->profile_origin);
	return err->status;
}

/* ---- values ---------------------------------------------------------------------------------- */

static struct rv_config_value *find_value(const struct rv_config *c, const char *name)
{
	for (size_t i = 0; i < c->values_count; i++)
		if (strcmp(c->values[i].name, name) == 0)
			return &c->values[i];
	return NULL;
}

static const char *value_of(const struct rv_config *c, const char *name)
{
	const struct rv_config_value *value = find_value(c, name);
	return value ? value->value : NULL;
}

/* Lays a value over what was there; takes `value` over. */
static void set_value(struct rv_config *c, const struct rv_key *key, const char *name, char *value,
		      const char *origin)
{
	struct rv_config_value *slot = find_value(c, name);
	if (!slot) {
		RV_GROW(c->values, c->values_count, c->values_capacity);
		slot = &c->values[c->values_count++];
		*slot = (struct rv_config_value){ .key = key, .name = rv_strdup(name) };
	}
	free(slot->value);
	free(slot->origin);
	slot->value = value;
	slot->origin = rv_strdup(origin);
}

static void set_defaults(struct rv_config *c)
{
	for (size_t i = 0; i < rv_keys_count; i++) {
		const struct rv_key *key = &rv_keys[i];
		if (key->def && key->def[0] != '<' && !key->belongs_to)
			set_value(c, key, key->name, rv_strdup(key->def), "default");
	}
}

static void set_profile(struct rv_config *c, const struct rv_config_profile *profile)
{
	for (size_t i = 0; i < profile->count; i++) {
		const struct rv_config_value *value = &profile->values[i];
		set_value(c, value->key, value->name, rv_strdup(value->value), value->origin);
	}
}

static enum rv_status set_from_environment(struct rv_config *c, const char *folder,
					   struct rv_error *err)
{
	for (size_t i = 0; i < rv_keys_count; i++) {
		const struct rv_key *key = &rv_keys[i];
		if (rv_key_has_star(key))
			continue;
		RV_CLEANUP(rv_free_p) char *variable = rv_key_env(key);
		const char *text = environment(variable);
		if (!text && rv_ends_with(variable, "_TYPE")) {
			/* RIVER_DELIVERY=direct, as delivery: direct */
			variable[strlen(variable) - strlen("_TYPE")] = '\0';
			text = environment(variable);
		}
		if (!text)
			continue;
		char *value = NULL;
		if (rv_key_value(key, text, folder, &value, err) != RV_OK)
			return rv_context(err, "environment %s", variable);
		RV_CLEANUP(rv_free_p) char *origin = rv_asprintf("environment %s", variable);
		set_value(c, key, key->name, value, origin);
	}
	return RV_OK;
}

/* An option of every command that is a key too: over the key's own variable, as it is more of a wish. */
static enum rv_status set_endpoint(struct rv_config *c, const char *typed, struct rv_error *err)
{
	const struct rv_key *key = rv_key_find("aws.endpoint_url");
	const char *origin = typed ? "--endpoint-url" : "environment RIVER_ENDPOINT_URL";
	const char *text = typed ? typed : environment("RIVER_ENDPOINT_URL");
	char *value = NULL;
	if (!text)
		return RV_OK;
	if (rv_key_value(key, text, "/", &value, err) != RV_OK) {
		if (typed)
			err->status = RV_USAGE;
		return rv_context(err, "%s", origin);
	}
	set_value(c, key, key->name, value, origin);
	return RV_OK;
}

static enum rv_status unknown_key(const char *name, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *near = rv_key_nearest(name);
	rv_fail(err, RV_USAGE, "unknown key %s", name);
	if (near)
		rv_hint(err, "did you mean %s?", near);
	else
		rv_hint(err, "river config list --all shows the keys");
	return err->status;
}

static enum rv_status set_override(struct rv_config *c, const char *text, const char *folder,
				   struct rv_error *err)
{
	const char *equals = strchr(text, '=');
	if (!equals || equals == text) {
		rv_fail(err, RV_USAGE, "-c %s: not key=value", text);
		return err->status;
	}
	RV_CLEANUP(rv_free_p) char *name = rv_strndup(text, (size_t)(equals - text));
	const struct rv_key *key = rv_key_find(name);
	if (!key) {
		unknown_key(name, err);
		return rv_context(err, "-c %s", text);
	}
	char *value = NULL;
	if (rv_key_value(key, equals + 1, folder, &value, err) != RV_OK) {
		err->status = RV_USAGE;
		return rv_context(err, "-c %s", name);
	}
	set_value(c, key, rv_key_has_star(key) ? name : key->name, value, "-c");
	return RV_OK;
}

/* ---- defaults that depend on others ---------------------------------------------------------- */

static enum rv_status set_lake(struct rv_config *c, struct rv_error *err)
{
	if (value_of(c, "lake"))
		return RV_OK;
	RV_CLEANUP(rv_free_p) char *data = rv_xdg_folder("XDG_DATA_HOME", ".local/share");
	if (!data) {
		rv_fail(err, RV_BAD_CONFIG, "no place for a lake: there is no home folder");
		rv_hint(err, "set HOME, or name a lake: RIVER_LAKE=/some/folder");
		return err->status;
	}
	set_value(c, rv_key_find("lake"), "lake", rv_path_join(data, "river/lake"), "default");
	return RV_OK;
}

/* The type that a key such as delivery.buffer.size belongs to: what delivery.type says. */
static const char *type_beside(const struct rv_config *c, const struct rv_key *key)
{
	RV_CLEANUP(rv_free_p)
	char *type = rv_asprintf("%.*s.type", (int)strcspn(key->name, "."), key->name);
	return value_of(c, type);
}

static void set_defaults_of_types(struct rv_config *c)
{
	for (size_t i = 0; i < rv_keys_count; i++) {
		const struct rv_key *key = &rv_keys[i];
		if (key->belongs_to && key->def && key->def[0] != '<' && !find_value(c, key->name) &&
		    strcmp(key->belongs_to, type_beside(c, key)) == 0)
			set_value(c, key, key->name, rv_strdup(key->def), "default");
	}
}

/* Longer file names than 255 bytes are refused by every file system; DuckDB adds endings of its own. */
#define WAREHOUSE_NAME_MAX 200

/* "acme-lake/river/eu" -> "acme-lake+river+eu" and the ending. No two lakes have one name: what is not a
 * plain character is spelled %2B, and what is too long ends in a hash of all of it. */
static char *warehouse_file(const char *text, const char *ending)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf name = RV_STRBUF_INIT;
	for (const char *p = text; *p; p++) {
		if (strchr(plain, *p))
			rv_strbuf_putc(&name, *p);
		else if (*p == '/')
			rv_strbuf_putc(&name, '+');
		else
			rv_strbuf_printf(&name, "%%%02X", (unsigned char)*p);
	}
	if (name.len <= WAREHOUSE_NAME_MAX)
		return rv_asprintf("%s%s", name.bytes, ending);
	return rv_asprintf("%.*s~%016" PRIx64 "%s", WAREHOUSE_NAME_MAX, name.bytes,
			   rv_record_hash(text, strlen(text)), ending);
}

/* The rows of a lake and their ledger belong together: the file stands beside the lake and has its name, unless that
 * is "lake"; one of a lake on S3 has the bucket's and the prefix. Two lakes share a database only when that is said. */
static enum rv_status set_warehouse(struct rv_config *c, struct rv_error *err)
{
	if (strcmp(value_of(c, "warehouse.type"), "duckdb") != 0 || value_of(c, "warehouse.path"))
		return RV_OK;
	const char *lake = value_of(c, "lake");
	RV_CLEANUP(rv_free_p) char *folder = NULL;
	RV_CLEANUP(rv_free_p) char *file = NULL;
	if (lake[0] == '/') {
		const char *name = rv_path_base(lake);

		folder = rv_path_parent(lake);
		file = strcmp(name, "lake") == 0 ? rv_strdup("warehouse.duckdb")
						 : warehouse_file(name, ".warehouse.duckdb");
	} else {
		RV_CLEANUP(rv_free_p) char *data = rv_xdg_folder("XDG_DATA_HOME", ".local/share");
		if (!data) {
			rv_fail(err, RV_BAD_CONFIG,
				"no place for the warehouse file: there is no home folder");
			rv_hint(err, "set HOME, or warehouse.path");
			return err->status;
		}
		const char *bucket = lake + strlen("s3://");
		/* A bucket called warehouse is not the lake of this host, whose file is there and has that name; with
		 * the slash that a prefix would begin with it is told apart, and so is x.warehouse from a lake called x. */
		bool alone = !strchr(bucket, '/') &&
			     (strcmp(bucket, "warehouse") == 0 || rv_ends_with(bucket, ".warehouse"));

		folder = rv_path_join(data, "river");
		file = warehouse_file(bucket, alone ? "+.duckdb" : ".duckdb");
	}
	set_value(c, rv_key_find("warehouse.path"), "warehouse.path", rv_path_join(folder, file),
		  "default");
	return RV_OK;
}

/* Relative to whatever folder one stands in, it would be another state each time, and what was pushed would
 * be sent again. */
static enum rv_status check_state_variable(const char *name, const char *text, struct rv_error *err)
{
	if (text[0] == '/' || text[0] == '~')
		return RV_OK;
	rv_fail(err, RV_BAD_CONFIG, "%s is '%s', not an absolute path", name, text);
	rv_hint(err, "files would be pushed again from every other folder; name it from /");
	return err->status;
}

/* -c and RIVER_STATE_DIR over the file over what the surroundings offer. */
static enum rv_status set_state(struct rv_config *c, const char *folder, struct rv_error *err)
{
	const struct rv_config_value *now = find_value(c, "state");
	const struct rv_key *key = now->key;
	bool is_auto = strcmp(now->value, "auto") == 0;
	bool by_command_line = strcmp(now->origin, "-c") == 0;
	const char *own = environment("RIVER_STATE_DIR");
	if (own && !by_command_line) {
		char *value = NULL;
		if (check_state_variable("RIVER_STATE_DIR", own, err) != RV_OK)
			return err->status;
		if (rv_key_value(key, own, folder, &value, err) != RV_OK)
			return rv_context(err, "environment RIVER_STATE_DIR");
		set_value(c, key, "state", value, "environment RIVER_STATE_DIR");
		return RV_OK;
	}
	if (strcmp(now->origin, "environment RIVER_STATE") == 0 && !is_auto)
		return check_state_variable("RIVER_STATE", environment("RIVER_STATE"), err);
	if (!is_auto)
		return RV_OK;
	const char *services = environment("STATE_DIRECTORY"); /* "a:b" when a unit has several */
	if (services && services[0] == '/') {
		RV_CLEANUP(rv_free_p) char *first = rv_strndup(services, strcspn(services, ":"));
		set_value(c, key, "state", rv_path_absolute(first),
			  "environment STATE_DIRECTORY");
		return RV_OK;
	}
	RV_CLEANUP(rv_free_p) char *base = rv_xdg_folder("XDG_STATE_HOME", ".local/state");
	if (!base) {
		rv_fail(err, RV_BAD_CONFIG, "no place for river's state: there is no home folder");
		rv_hint(err, "set RIVER_STATE_DIR to a folder of your own");
		return err->status;
	}
	RV_CLEANUP(rv_free_p) char *origin = rv_strdup(now->origin);
	set_value(c, key, "state", rv_path_join(base, "river"), origin);
	return RV_OK;
}

static uint64_t size_of(const struct rv_config *c, const char *name)
{
	uint64_t n = 0;
	const char *text = value_of(c, name);
	if (text && !rv_parse_size(text, &n))
		rv_bug("%s: '%s' was checked before", name, text);
	return n;
}

static char *copy_of(const struct rv_config *c, const char *name)
{
	const char *text = value_of(c, name);
	return text ? rv_strdup(text) : NULL;
}

/* businesses.<name>.<rest> */
static void fill_business(struct rv_profile *p, const struct rv_config_value *value)
{
	const char *name = value->name + strlen("businesses.");
	size_t len = strcspn(name, ".");
	struct rv_business *b = NULL;
	for (size_t i = 0; i < p->businesses_count && !b; i++)
		if (rv_str_is((struct rv_str){ name, len }, p->businesses[i].name))
			b = &p->businesses[i];
	if (!b) {
		p->businesses = rv_realloc_array(p->businesses, p->businesses_count + 1,
						 sizeof(*p->businesses));
		b = &p->businesses[p->businesses_count++];
		*b = (struct rv_business){ .name = rv_strndup(name, len) };
	}
	const struct {
		const char *key;
		char **to;
	} texts[] = {
		{ "lake", &b->lake },
		{ "connection", &b->connection },
		{ "database", &b->database },
		{ "warehouse", &b->warehouse },
		{ "role", &b->role },
		{ "storage_integration", &b->storage_integration },
		{ "storage_role_arn", &b->storage_role_arn },
		{ "stage", &b->stage },
	};
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		if (strcmp(name + len + 1, texts[i].key) != 0)
			continue;
		*texts[i].to = rv_strdup(value->value);
		return;
	}
	rv_bug("no place for %s", value->name);
}

static void fill_snowflake(struct rv_config *c)
{
	struct rv_profile *p = &c->profile;
	const char *roles = value_of(c, "warehouse.roles");
	p->snowflake_connection = copy_of(c, "warehouse.connection");
	p->snowflake_database = copy_of(c, "warehouse.database");
	p->snowflake_warehouse = copy_of(c, "warehouse.warehouse");
	p->snowflake_role = copy_of(c, "warehouse.role");
	p->snowflake_integration = copy_of(c, "warehouse.storage_integration");
	p->snowflake_storage_role_arn = copy_of(c, "warehouse.storage_role_arn");
	p->snowflake_stage = copy_of(c, "warehouse.stage");
	p->snowflake_loads_stage = copy_of(c, "warehouse.loads_stage");
	p->snowflake_makes_roles = roles && strcmp(roles, "create") == 0;
	for (size_t i = 0; i < c->values_count; i++)
		if (rv_starts_with(c->values[i].name, "businesses."))
			fill_business(p, &c->values[i]);
}

static void fill_profile(struct rv_config *c)
{
	struct rv_profile *p = &c->profile;
	const char *threads = value_of(c, "warehouse.threads");
	rv_profile_set_lake(p, value_of(c, "lake"));
	p->delivery_type = rv_strdup(value_of(c, "delivery.type"));
	p->delivery_role_arn = copy_of(c, "delivery.role_arn");
	p->delivery_buffer_bytes = size_of(c, "delivery.buffer.size");
	p->delivery_buffer_ms = -1;
	const char *age = value_of(c, "delivery.buffer.age");
	if (age && !rv_parse_duration(age, &p->delivery_buffer_ms))
		rv_bug("delivery.buffer.age was checked before");
	const char *packing = value_of(c, "delivery.packing");
	p->delivery_pack = packing && strcmp(packing, "lines") == 0;
	p->notify_arn = copy_of(c, "notify.arn");
	p->notify_landing_arn = copy_of(c, "notify.landing_arn");
	p->aws_profile = copy_of(c, "aws.profile");
	p->aws_region = copy_of(c, "aws.region");
	p->aws_endpoint_url = copy_of(c, "aws.endpoint_url");
	p->aws_addressing_style = copy_of(c, "aws.addressing_style");
	p->warehouse_type = rv_strdup(value_of(c, "warehouse.type"));
	if (strcmp(p->warehouse_type, "duckdb") == 0)
		p->warehouse_path = rv_strdup(value_of(c, "warehouse.path"));
	p->warehouse_memory_limit_bytes = size_of(c, "warehouse.memory_limit");
	if (threads && !rv_parse_u64(threads, strlen(threads), &p->warehouse_threads))
		rv_bug("warehouse.threads was checked before");
	p->state_dir = rv_strdup(value_of(c, "state"));
	p->spool_max_bytes = size_of(c, "spool.max");
	p->max_memory_bytes = size_of(c, "max_memory");
	fill_snowflake(c);
}

static int by_table(const void *a, const void *b)
{
	const struct rv_config_value *x = a, *y = b;
	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* What is right in itself and may be wrong together; every problem, not only the first. */
static void check_together(const struct rv_config *c,
			   void (*report)(void *arg, const struct rv_error *problem), void *arg)
{
	const struct rv_config_values values = {
		.profile = c->profile.name,
		.values = c->values,
		.count = c->values_count,
	};
	rv_config_check_together(&values, report, arg);
}

static void keep_first(void *arg, const struct rv_error *problem)
{
	struct rv_error *first = arg;
	if (first->status == RV_OK)
		*first = *problem;
}

struct checking {
	void (*report)(void *arg, const struct rv_error *problem); /* Optional */
	void *arg;
	struct rv_error *first;
};

static void note_checked(void *arg, const struct rv_error *problem)
{
	struct checking *checking = arg;
	keep_first(checking->first, problem);
	if (checking->report)
		checking->report(checking->arg, problem);
}

/* ---- outside --------------------------------------------------------------------------------- */

enum rv_status rv_config_check_file(const char *path,
				    void (*report)(void *arg, const struct rv_error *problem),
				    void *arg, struct rv_error *err)
{
	RV_CLEANUP(rv_config_file_release) struct rv_config_file file = { 0 };
	RV_CLEANUP(rv_free_p) char *absolute = rv_path_absolute(path);
	if (rv_config_file_read(absolute, report, arg, &file, err) != RV_OK)
		return err->status;
	struct rv_error first = RV_ERROR_INIT;
	struct checking checking = { .report = report, .arg = arg, .first = &first };
	for (size_t i = 0; i < file.count; i++) {
		const struct rv_config_profile *profile = &file.profiles[i];
		RV_CLEANUP(rv_config_free_p) struct rv_config *c = rv_calloc(1, sizeof(*c));
		c->profile.name = rv_strdup(profile->name);
		set_defaults(c);
		set_profile(c, profile);
		set_defaults_of_types(c);
		check_together(c, note_checked, &checking);
		c->profile.warehouse_type = copy_of(c, "warehouse.type");
		fill_snowflake(c);
		struct rv_error problem = RV_ERROR_INIT;
		if (rv_profile_check_supported(&c->profile, &problem) != RV_OK)
			note_checked(&checking, &problem);
	}
	if (first.status != RV_OK)
		*err = first;
	return first.status;
}

enum rv_status rv_config_load(const struct rv_config_params *params, struct rv_config **ret,
			      struct rv_error *err)
{
	RV_CLEANUP(rv_config_free_p) struct rv_config *c = rv_calloc(1, sizeof(*c));
	const struct rv_config_profile *chosen = NULL;
	RV_CLEANUP(rv_free_p) char *working = NULL;
	struct rv_error nowhere = RV_ERROR_INIT;
	/* Else the files looked for would be those of the root, and the lake another one. */
	if (rv_working_folder(&working, &nowhere) != RV_OK && (!params->folder || params->folder[0] != '/')) {
		*err = nowhere;
		return err->status;
	}
	RV_CLEANUP(rv_free_p) char *start = rv_path_absolute(params->folder ? params->folder : ".");
	/* What is typed, or in the environment, is of where one stands, wherever the files are looked for. */
	const char *folder = working ? working : start;
	if (read_files(c, start, err) != RV_OK ||
	    choose(c, params, &chosen, err) != RV_OK)
		return err->status;
	set_defaults(c);
	if (chosen)
		set_profile(c, chosen);
	if (set_from_environment(c, folder, err) != RV_OK)
		return err->status;
	if (set_endpoint(c, NULL, err) != RV_OK)
		return err->status;
	for (size_t i = 0; i < params->overrides_count; i++)
		if (set_override(c, params->overrides[i], folder, err) != RV_OK)
			return err->status;
	if (params->endpoint_url && set_endpoint(c, params->endpoint_url, err) != RV_OK)
		return err->status;
	set_defaults_of_types(c);
	if (set_lake(c, err) != RV_OK || set_warehouse(c, err) != RV_OK ||
	    set_state(c, folder, err) != RV_OK)
		return err->status;
	struct rv_error together = RV_ERROR_INIT;
	check_together(c, keep_first, &together);
	if (together.status != RV_OK) {
		*err = together;
		return err->status;
	}
	fill_profile(c);
	qsort(c->values, c->values_count, sizeof(*c->values), by_table);
	*ret = rv_take(c);
	return RV_OK;
}

void rv_config_free(struct rv_config *config)
{
	if (!config)
		return;
	for (size_t i = 0; i < config->files_count; i++)
		rv_config_file_release(&config->files[i]);
	free(config->files);
	rv_config_paths_free(config->paths, config->files_count);
	for (size_t i = 0; i < config->values_count; i++)
		rv_config_value_release(&config->values[i]);
	free(config->values);
	free(config->profile_origin);
	rv_profile_release(&config->profile);
	free(config);
}

void rv_config_free_p(struct rv_config **config)
{
	rv_config_free(*config);
	*config = NULL;
}

const struct rv_profile *rv_config_profile(const struct rv_config *config)
{
	return &config->profile;
}

const char *rv_config_profile_origin(const struct rv_config *config)
{
	return config->profile_origin;
}

enum rv_status rv_config_get(const struct rv_config *config, const char *name,
			     const char **ret_value, const char **ret_origin, struct rv_error *err)
{
	const struct rv_key *key = rv_key_find(name);
	if (!key)
		return unknown_key(name, err);
	const struct rv_config_value *value =
		find_value(config, rv_key_has_star(key) ? name : key->name);
	*ret_value = value ? value->value : NULL;
	*ret_origin = value ? value->origin : NULL;
	return RV_OK;
}

void rv_config_each(const struct rv_config *config,
		    void (*each)(void *arg, const struct rv_config_value *value), void *arg)
{
	for (size_t i = 0; i < config->values_count; i++)
		each(arg, &config->values[i]);
}

const char *rv_config_profile_file(const struct rv_config *config)
{
	return config->profile_file;
}

const char *const *rv_config_files(const struct rv_config *config, size_t *ret_count)
{
	*ret_count = config->files_count;
	return (const char *const *)config->paths;
}

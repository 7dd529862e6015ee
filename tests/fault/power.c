/*
 * power: what a power cut may leave of a folder, from the notes that tests/lib/preload/power.c took of a run.
 *
 * A disk owes nothing but what it was asked for: a file that was not synced may be empty, short, or end in
 * zeros; a name may be missing until its folder was synced, and a removed one be back. Six kinds of state
 * are told for each call that changes something, just before it:
 *
 *	strict   only what was synced: names of synced folders, bytes of synced files
 *	names    all names as the program saw them, but only the bytes that were synced
 *	zeros    the same, and what was appended since reads as zeros
 *	torn     the same, and half of what was written since is there
 *	data     only synced names, but all bytes
 *	now      everything, as after a kill
 *
 *	power states RECORD [--deaf FILE]                    every state, each once
 *	power build RECORD EVENT KIND FOLDER [--deaf FILE]   make FOLDER that state
 *	power callers RECORD                                 who asked for syncs: addresses, innermost first
 *
 * A line of `states` is HASH EVENT KIND EXIT ACKED WORDS: the code the run had ended with or -, how many
 * requests had been answered with 2xx, what would have come next. Those that look and promise the same are one.
 * --deaf: FILE has lines of `callers`; what they asked for was not done, as if that call were not in the code.
 *
 * Ends with 1 when it could not.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = 4096, NAME_SIZE = 256, KEY_SIZE = 64, CONTENT_SIZE = 40 };

struct node {
	bool folder;
	unsigned mode;
	char key[KEY_SIZE], content[CONTENT_SIZE];
	char name[NAME_SIZE];
	size_t parent; /* its index in the tree; the root is its own */
};

struct tree {
	struct node *nodes;
	size_t count, room;
};

/* What is known of an inode. */
struct inode {
	char key[KEY_SIZE];
	bool has_names, has_bytes;  /* were synced, ever */
	struct tree names;          /* of a folder: its synced entries */
	char bytes[CONTENT_SIZE];   /* of a file: its synced content */
	char last[CONTENT_SIZE];    /* as it was last seen */
};

struct sync {
	uint64_t number;
	char what; /* f, d or a */
	char key[KEY_SIZE], content[CONTENT_SIZE];
	bool deaf;
	struct tree tree; /* for d and a: as it was then */
};

static const char *const kinds[] = { "strict", "names", "zeros", "torn", "data", "now" };
enum kind { STRICT, NAMES, ZEROS, TORN, DATA, NOW, KIND_COUNT };

static struct {
	const char *record;
	char **deaf;
	size_t deaf_count;
	struct inode *inodes;
	size_t inode_count, inode_room;
	struct sync *syncs; /* asked for and not over */
	size_t sync_count, sync_room;
	struct tree now;
	uint64_t event, acked;
	char words[PATH_SIZE], exit_code[16];
	uint64_t *seen;
	size_t seen_count, seen_room;
} p = { .exit_code = "-" };

__attribute__((noreturn)) static void die(const char *what, const char *why)
{
	fprintf(stderr, "power: %s: %s\n", what, why);
	exit(1);
}

#define GROW(array, count, room)                                                                   \
	do {                                                                                       \
		if ((count) == (room)) {                                                           \
			(room) = (room) ? (room) * 2 : 32;                                         \
			(array) = realloc((array), (room) * sizeof(*(array)));                     \
			if (!(array))                                                              \
				die("memory", "is out");                                           \
		}                                                                                  \
	} while (0)

static void tree_copy(struct tree *to, const struct tree *from)
{
	free(to->nodes);
	*to = (struct tree){ .count = from->count, .room = from->count };
	to->nodes = malloc((from->count + 1) * sizeof(*to->nodes));
	if (!to->nodes)
		die("memory", "is out");
	if (from->count)
		memcpy(to->nodes, from->nodes, from->count * sizeof(*to->nodes));
}

static struct inode *inode_of(const char *key)
{
	for (size_t i = 0; i < p.inode_count; i++)
		if (!strcmp(p.inodes[i].key, key))
			return &p.inodes[i];
	GROW(p.inodes, p.inode_count, p.inode_room);
	struct inode *inode = &p.inodes[p.inode_count++];
	*inode = (struct inode){ .has_names = false };
	snprintf(inode->key, sizeof(inode->key), "%s", key);
	return inode;
}

/* ---- reading the notes --------------------------------------------------------------------------- */

static void add_node(bool folder, unsigned mode, const char *key, const char *content, const char *path)
{
	struct tree *tree = &p.now;
	const char *slash = strrchr(path, '/');
	size_t parent = 0;

	/* a folder comes before its entries: the parent is the last folder of that path */
	if (slash) {
		size_t depth = 0;
		for (const char *c = path; *c; c++)
			depth += *c == '/';
		parent = tree->count;
		while (parent-- > 0) {
			size_t above = 0, at = parent;
			while (at) {
				above++;
				at = tree->nodes[at].parent;
			}
			if (tree->nodes[parent].folder && above == depth - 1)
				break;
		}
	}
	GROW(tree->nodes, tree->count, tree->room);
	struct node *node = &tree->nodes[tree->count++];
	*node = (struct node){ .folder = folder, .mode = mode, .parent = parent };
	snprintf(node->key, sizeof(node->key), "%s", key);
	snprintf(node->content, sizeof(node->content), "%s", content);
	snprintf(node->name, sizeof(node->name), "%s", slash ? slash + 1 : path);
	if (!folder)
		snprintf(inode_of(key)->last, CONTENT_SIZE, "%s", content);
}

static void sync_folder(const struct tree *tree, size_t at)
{
	struct inode *inode = inode_of(tree->nodes[at].key);

	inode->has_names = true;
	inode->names.count = 0;
	for (size_t i = 1; i < tree->count; i++) {
		if (tree->nodes[i].parent != at)
			continue;
		GROW(inode->names.nodes, inode->names.count, inode->names.room);
		inode->names.nodes[inode->names.count++] = tree->nodes[i];
	}
}

static void sync_file(const char *key, const char *content)
{
	struct inode *inode = inode_of(key);

	inode->has_bytes = true;
	snprintf(inode->bytes, CONTENT_SIZE, "%s", content);
}

static void sync_all(const struct tree *tree)
{
	for (size_t i = 0; i < tree->count; i++) {
		if (tree->nodes[i].folder)
			sync_folder(tree, i);
		else
			sync_file(tree->nodes[i].key, tree->nodes[i].content);
	}
}

static void sync_is_over(uint64_t number)
{
	for (size_t i = 0; i < p.sync_count; i++) {
		struct sync *sync = &p.syncs[i];
		if (sync->number != number)
			continue;
		if (!sync->deaf && sync->what == 'a')
			sync_all(&sync->tree);
		if (!sync->deaf && sync->what == 'f')
			sync_file(sync->key, sync->content);
		for (size_t k = 0; k < sync->tree.count && !sync->deaf && sync->what == 'd'; k++)
			if (sync->tree.nodes[k].folder && !strcmp(sync->tree.nodes[k].key, sync->key))
				sync_folder(&sync->tree, k);
		free(sync->tree.nodes);
		p.syncs[i] = p.syncs[--p.sync_count];
		return;
	}
	die("notes", "a sync ended that never began");
}

static void begin_sync(char *words)
{
	struct sync sync = { .number = strtoull(words, &words, 10) };

	if (sscanf(words, " %c%*s", &sync.what) != 1)
		die("notes", "a sync of nothing");
	sscanf(words, " %*s %63s %39s", sync.key, sync.content);
	if (sync.what != 'f')
		tree_copy(&sync.tree, &p.now);
	GROW(p.syncs, p.sync_count, p.sync_room);
	p.syncs[p.sync_count++] = sync;
}

static void note_caller(uint64_t number, const char *callers)
{
	for (size_t i = 0; i < p.deaf_count; i++)
		for (size_t k = 0; k < p.sync_count && !strcmp(p.deaf[i], callers); k++)
			if (p.syncs[k].number == number)
				p.syncs[k].deaf = true;
}

/* ---- a state ----------------------------------------------------------------------------------- */

/* Where it goes: text that is hashed, or a folder. */
struct making {
	enum kind kind;
	const char *folder; /* NULL: only hash */
	uint64_t hash;
};

static void add_text(struct making *m, const char *text)
{
	for (; *text; text++)
		m->hash = (m->hash ^ (unsigned char)*text) * 0x100000001b3ull;
	m->hash = (m->hash ^ 1) * 0x100000001b3ull;
}

static size_t size_of(const char *content)
{
	const char *dash = strchr(content, '-');

	return dash ? strtoul(dash + 1, NULL, 10) : 0;
}

static char *read_content(const char *content, size_t *ret_len)
{
	char path[PATH_SIZE];
	size_t len = size_of(content);
	char *bytes = calloc(1, len + 1);

	*ret_len = len;
	if (!bytes)
		die("memory", "is out");
	if (!len)
		return bytes;
	snprintf(path, sizeof(path), "%s/%s", p.record, content);
	FILE *f = fopen(path, "re");
	if (!f || fread(bytes, 1, len, f) != len)
		die(path, "cannot be read");
	fclose(f);
	return bytes;
}

/* The bytes of a file that has `synced` on the disk and `seen` in memory. */
static char *mix(enum kind kind, const char *synced, const char *seen, size_t *ret_len)
{
	size_t old_len, len;
	char *old = read_content(synced, &old_len), *bytes = read_content(seen, &len);
	size_t from = 0;

	while (from < len && from < old_len && old[from] == bytes[from])
		from++;
	if (kind == ZEROS) {
		for (size_t i = from; i < len; i++)
			bytes[i] = i < old_len ? old[i] : 0;
	} else {
		/* all before the middle of what is new, and of an appended rest no more than that */
		size_t middle = from + (len - from) / 2;
		for (size_t i = middle; i < len && i < old_len; i++)
			bytes[i] = old[i];
		if (len > old_len && middle >= old_len)
			len = middle;
		else if (len > old_len)
			len = old_len;
	}
	free(old);
	*ret_len = len;
	return bytes;
}

static void put_bytes(const char *path, unsigned mode, const char *bytes, size_t len)
{
	FILE *f = fopen(path, "we");

	if (!f || fwrite(bytes, 1, len, f) != len || fclose(f) || chmod(path, mode))
		die(path, strerror(errno));
}

static void make_file(struct making *m, const struct node *node, const char *path)
{
	const struct inode *inode = inode_of(node->key);
	const char *synced = inode->has_bytes ? inode->bytes : "";
	const char *seen = *inode->last ? inode->last : node->content;
	bool all = m->kind == DATA || m->kind == NOW || !strcmp(synced, seen);
	char *bytes;
	size_t len;

	if (all)
		bytes = read_content(seen, &len);
	else if (m->kind == STRICT || m->kind == NAMES)
		bytes = read_content(synced, &len);
	else
		bytes = mix(m->kind, synced, seen, &len);
	if (m->folder)
		put_bytes(path, node->mode, bytes, len);
	for (size_t i = 0; i < len; i += 8) {
		uint64_t word = 0;
		memcpy(&word, bytes + i, len - i < 8 ? len - i : 8);
		m->hash = (m->hash ^ word) * 0x9e3779b97f4a7c15ull;
		m->hash ^= m->hash >> 29;
	}
	m->hash = (m->hash ^ len) * 0x100000001b3ull;
	free(bytes);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct node *)a)->name, ((const struct node *)b)->name);
}

static void make_node(struct making *m, const struct node *node, const char *path)
{
	struct tree entries = { .count = 0 };

	add_text(m, path);
	m->hash = (m->hash ^ node->mode) * 0x100000001b3ull;
	if (!node->folder) {
		make_file(m, node, path);
		return;
	}
	if (m->folder && mkdir(path, 0700))
		die(path, strerror(errno));
	const struct inode *inode = inode_of(node->key);
	if (m->kind == STRICT || m->kind == DATA) {
		tree_copy(&entries, &inode->names);
	} else {
		size_t at = 0;
		while (at < p.now.count && (!p.now.nodes[at].folder || strcmp(p.now.nodes[at].key, node->key)))
			at++;
		for (size_t i = 1; i < p.now.count; i++) {
			if (p.now.nodes[i].parent != at)
				continue;
			GROW(entries.nodes, entries.count, entries.room);
			entries.nodes[entries.count++] = p.now.nodes[i];
		}
	}
	if (entries.count)
		qsort(entries.nodes, entries.count, sizeof(*entries.nodes), by_name);
	for (size_t i = 0; i < entries.count; i++) {
		char below[PATH_SIZE];
		if (snprintf(below, sizeof(below), "%s/%s", path, entries.nodes[i].name) >= PATH_SIZE)
			die(path, "is too long");
		make_node(m, &entries.nodes[i], below);
	}
	free(entries.nodes);
	if (m->folder && chmod(path, node->mode))
		die(path, strerror(errno));
}

static uint64_t make_state(enum kind kind, const char *folder)
{
	struct making m = { .kind = kind, .folder = folder, .hash = 0xcbf29ce484222325ull };

	if (!p.now.count)
		die("notes", "an event without a tree");
	make_node(&m, &p.now.nodes[0], folder ? folder : ".");
	return m.hash;
}

/* ---- the verbs ----------------------------------------------------------------------------------- */

static bool is_new(uint64_t hash)
{
	for (size_t i = 0; i < p.seen_count; i++)
		if (p.seen[i] == hash)
			return false;
	GROW(p.seen, p.seen_count, p.seen_room);
	p.seen[p.seen_count++] = hash;
	return true;
}

static void tell_states(void)
{
	for (enum kind kind = STRICT; kind < KIND_COUNT; kind++) {
		uint64_t hash = make_state(kind, NULL);
		/* the same files under a larger promise are another case */
		hash = (hash ^ p.acked ^ (strcmp(p.exit_code, "-") ? 1u << 31 : 0)) * 0x9e3779b97f4a7c15ull;
		if (is_new(hash))
			printf("%016" PRIx64 " %" PRIu64 " %s %s %" PRIu64 " %s\n", hash, p.event, kinds[kind],
			       p.exit_code, p.acked, p.words);
	}
}

/* True when the state that was asked for has been built. */
static bool end_event(uint64_t build, enum kind kind, const char *folder)
{
	if (!p.event)
		return false;
	if (p.event == 1)
		sync_all(&p.now); /* what was there before is on the disk */
	if (!folder)
		tell_states();
	else if (p.event == build)
		make_state(kind, folder);
	return folder && p.event == build;
}

static void read_notes(FILE *f, uint64_t build, enum kind kind, const char *folder)
{
	char *line = NULL, key[KEY_SIZE], content[CONTENT_SIZE] = "";
	size_t room = 0;
	unsigned mode;
	ssize_t n;
	int at;
	bool open = false; /* the tree of an event is being read */

	while ((n = getline(&line, &room, f)) > 0) {
		line[n - 1] = '\0';
		bool of_tree = !strncmp(line, "d ", 2) || !strncmp(line, "f ", 2);
		if (open && !of_tree) {
			open = false;
			if (end_event(build, kind, folder))
				break;
		}
		if (!strncmp(line, "event ", 6)) {
			char *rest;
			p.event = strtoull(line + 6, &rest, 10);
			snprintf(p.words, sizeof(p.words), "%.*s", PATH_SIZE - 1, rest + (*rest == ' '));
			p.now.count = 0;
			open = true;
		} else if (sscanf(line, "d %o %63s %n", &mode, key, &at) == 2) {
			add_node(true, mode, key, "", line + at);
		} else if (sscanf(line, "f %o %63s %39s %n", &mode, key, content, &at) == 3) {
			add_node(false, mode, key, content, line + at);
		} else if (!strncmp(line, "sync ", 5)) {
			begin_sync(line + 5);
		} else if (!strncmp(line, "by ", 3)) {
			char *rest;
			uint64_t number = strtoull(line + 3, &rest, 10);
			note_caller(number, rest + (*rest == ' '));
		} else if (!strncmp(line, "done ", 5)) {
			sync_is_over(strtoull(line + 5, NULL, 10));
		} else if (!strncmp(line, "acked ", 6)) {
			p.acked += strtoull(line + 6, NULL, 10);
		} else if (!strncmp(line, "exit ", 5)) {
			snprintf(p.exit_code, sizeof(p.exit_code), "%.15s", line + 5);
		} else {
			die("notes", line);
		}
	}
	if (open)
		end_event(build, kind, folder);
	else if (folder && p.event != build)
		die("build", "there is no such event");
	free(line);
}

static void tell_callers(FILE *f)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t n;

	while ((n = getline(&line, &room, f)) > 0) {
		char *at = line + 3;
		if (strncmp(line, "by ", 3))
			continue;
		at = strchr(at, ' ');
		if (at)
			fputs(at + 1, stdout);
	}
	free(line);
}

static FILE *open_file(const char *folder, const char *name)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "%s%s%s", folder, *name ? "/" : "", name);
	FILE *f = fopen(path, "re");
	if (!f)
		die(path, strerror(errno));
	return f;
}

static void read_deaf(const char *path)
{
	FILE *f = open_file(path, "");
	char *line = NULL;
	size_t room = 0, deaf_room = 0;
	ssize_t n;

	while ((n = getline(&line, &room, f)) > 0) {
		GROW(p.deaf, p.deaf_count, deaf_room);
		p.deaf[p.deaf_count++] = strndup(line, (size_t)n - (line[n - 1] == '\n'));
	}
	free(line);
	fclose(f);
}

int main(int argc, char **argv)
{
	enum kind kind = STRICT;
	uint64_t event = 0;

	if (argc > 4 && !strcmp(argv[argc - 2], "--deaf")) {
		read_deaf(argv[argc - 1]);
		argc -= 2;
	}
	if (argc < 3)
		die("usage", "see the head of its source");
	p.record = argv[2];
	FILE *notes = open_file(p.record, "notes");
	if (argc == 3 && !strcmp(argv[1], "states")) {
		read_notes(notes, 0, kind, NULL);
	} else if (argc == 3 && !strcmp(argv[1], "callers")) {
		tell_callers(notes);
	} else if (argc == 6 && !strcmp(argv[1], "build")) {
		event = strtoull(argv[3], NULL, 10);
		while (kind < KIND_COUNT && strcmp(kinds[kind], argv[4]))
			kind++;
		if (!event || kind == KIND_COUNT)
			die("build", "no such event or kind");
		read_notes(notes, event, kind, argv[5]);
	} else {
		die("usage", "see the head of its source");
	}
	fclose(notes);
	if (fflush(stdout))
		die("standard output", strerror(errno));
	return 0;
}

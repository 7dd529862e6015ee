/* FILE operands: what they are, and sources of their extents. */
#include "flow/input.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/number.h"
#include "source/limit.h"
#include "spool/checkpoint.h"

enum rv_status rv_input_file_open(const char *path, struct rv_input_file *ret, bool *ret_regular,
				  struct rv_error *err)
{
	RV_CLEANUP(rv_input_file_release) struct rv_input_file file = RV_INPUT_FILE_INIT;
	file.path = rv_path_absolute(path);
	file.fd = rv_open_waiting(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (file.fd < 0) {
		if (errno == ENOENT || errno == ENOTDIR)
			return rv_fail(err, RV_NOT_FOUND, "no file %s", path);
		return rv_fail_errno(err, RV_LOCAL_IO, "open %s", path);
	}
	if (fstat(file.fd, &file.stat) < 0)
		return rv_fail_errno(err, RV_LOCAL_IO, "look at %s", path);
	if (S_ISDIR(file.stat.st_mode)) {
		rv_fail(err, RV_USAGE, "%s is a folder", path);
		rv_hint(err, "name the files in it: river push <stream> %s/*", path);
		return err->status;
	}
	*ret_regular = S_ISREG(file.stat.st_mode);
	if (*ret_regular) {
		unsigned char magic[8];
		size_t n;
		if (rv_pread_full(file.fd, magic, sizeof(magic), 0, &n, path, err) != RV_OK)
			return err->status;
		file.compression = rv_compression_detect(magic, n);
	}
	*ret = file;
	file = (struct rv_input_file)RV_INPUT_FILE_INIT;
	return RV_OK;
}

void rv_input_file_release(struct rv_input_file *file)
{
	rv_close_p(&file->fd);
	free(rv_take(file->path));
}

bool rv_input_file_has_key(const struct rv_input_file *file, const char *key)
{
	char found[RV_FILE_KEY_TEXT];
	struct rv_error ignored;
	return rv_file_key(file->fd, file->path, found, &ignored) == RV_OK && strcmp(found, key) == 0;
}

struct key_search {
	const char *folder, *key;
	uint64_t inode;
	struct rv_input_file *found;
};

static enum rv_status try_sibling(void *arg, const char *name, struct rv_error *err)
{
	struct key_search *search = arg;
	RV_CLEANUP(rv_free_p) char *path = rv_path_join(search->folder, name);
	RV_CLEANUP(rv_input_file_release) struct rv_input_file file = RV_INPUT_FILE_INIT;
	struct stat st;
	bool regular;
	/* Opening a FIFO would wait for a writer. */
	if (search->found->fd >= 0)
		return RV_OK;
	/* It may be the one, and taken for lost. But a link may lead nowhere, or to where we may not go. */
	if (stat(path, &st) < 0) {
		int reason = errno;
		if (lstat(path, &st) == 0 ? S_ISLNK(st.st_mode) : errno == ENOENT)
			return RV_OK;
		errno = reason;
		return rv_fail_errno(err, RV_LOCAL_IO, "look at %s", path);
	}
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_ino != search->inode)
		return RV_OK;
	if (rv_input_file_open(path, &file, &regular, err) != RV_OK)
		return err->status == RV_LOCAL_IO ? err->status : RV_OK;
	char key[RV_FILE_KEY_TEXT];
	if (rv_file_key(file.fd, file.path, key, err) != RV_OK)
		return err->status;
	if (strcmp(key, search->key) != 0)
		return RV_OK;
	*search->found = file;
	file = (struct rv_input_file)RV_INPUT_FILE_INIT;
	return RV_OK;
}

/* Keys of contents that no file has any more ("gone-...") are not of that form. */
static bool inode_of(const char *key, uint64_t *ret)
{
	const char *inode = strchr(key, '-');
	const char *end = inode ? strchr(inode + 1, '-') : NULL;
	return end && rv_parse_hex64(inode + 1, (size_t)(end - inode - 1), ret);
}

enum rv_status rv_input_file_find(const char *folder, const char *key, struct rv_input_file *ret,
				  struct rv_error *err)
{
	struct key_search search = { .folder = folder, .key = key, .found = ret };
	*ret = (struct rv_input_file)RV_INPUT_FILE_INIT;
	return inode_of(key, &search.inode) ? rv_each_entry(folder, try_sibling, &search, err) : RV_OK;
}

void rv_input_folder_release(struct rv_input_folder *folder)
{
	for (size_t i = 0; i < folder->count; i++)
		free(folder->names[i].name);
	free(folder->names);
	free(folder->path);
	*folder = (struct rv_input_folder){ .path = NULL };
}

static int by_inode(const void *a, const void *b)
{
	const struct rv_input_name *x = a, *y = b;
	return x->inode < y->inode ? -1 : x->inode > y->inode;
}

/* What cannot be read is looked for by the walk, which says so. */
static void read_inodes(struct rv_input_folder *folder, const char *path)
{
	rv_input_folder_release(folder);
	folder->path = rv_strdup(path);
	DIR *dir = rv_opendir(path);
	const struct dirent *entry;
	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		RV_GROW(folder->names, folder->count, folder->capacity);
		folder->names[folder->count++] =
			(struct rv_input_name){ (uint64_t)entry->d_ino, rv_strdup(entry->d_name) };
	}
	if (dir)
		closedir(dir);
	if (folder->count)
		qsort(folder->names, folder->count, sizeof(*folder->names), by_inode);
}

enum rv_status rv_input_file_find_again(struct rv_input_folder *folder, const char *path, const char *key,
					struct rv_input_file *ret, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *parent = rv_path_parent(path);
	struct key_search search = { .folder = parent, .key = key, .found = ret };
	struct rv_error ignored;
	*ret = (struct rv_input_file)RV_INPUT_FILE_INIT;
	if (!inode_of(key, &search.inode))
		return RV_OK;
	if (try_sibling(&search, rv_path_base(path), &ignored) == RV_OK && ret->fd >= 0)
		return RV_OK;
	if (!folder->path || strcmp(folder->path, parent) != 0)
		read_inodes(folder, parent);
	const struct rv_input_name wanted = { .inode = search.inode };
	const struct rv_input_name *there =
		folder->count ? bsearch(&wanted, folder->names, folder->count, sizeof(wanted), by_inode) : NULL;
	if (there && try_sibling(&search, there->name, &ignored) == RV_OK && ret->fd >= 0)
		return RV_OK;
	/* That it is not there is only believed when it is so now. */
	return rv_input_file_find(parent, key, ret, err);
}

enum rv_status rv_input_file_source(const struct rv_input_file *file, uint64_t from, uint64_t to,
				    struct rv_source **ret, struct rv_error *err)
{
	/* Opened anew through the descriptor: the offset is then not shared with other sources. */
	char self[64];
	snprintf(self, sizeof(self), "/proc/self/fd/%d", file->fd);
	int fd = rv_open(self, O_RDONLY | O_CLOEXEC | O_NOCTTY, 0);
	if (fd < 0) {
		fd = fcntl(file->fd, F_DUPFD_CLOEXEC, 3);
		if (fd < 0 || lseek(fd, 0, SEEK_SET) < 0) {
			rv_fail_errno(err, RV_LOCAL_IO, "open %s again", file->path);
			if (fd >= 0)
				close(fd);
			return err->status;
		}
	}
	bool plain = file->compression == RV_COMPRESSION_NONE;
	struct rv_source *source = NULL;
	if (rv_source_file_new(fd, file->path, plain ? to : UINT64_MAX, &source, err) != RV_OK)
		return err->status;
	if (plain) {
		if (from && source->ops->seek(source, from, err) != RV_OK) {
			rv_source_free(source);
			return err->status;
		}
		*ret = source;
		return RV_OK;
	}
	if (rv_source_decompress_new(source, file->compression, NULL, 0, &source, err) != RV_OK)
		return err->status;
	if (from == 0 && to == UINT64_MAX) {
		*ret = source;
		return RV_OK;
	}
	return rv_source_limit_new(source, from, to, ret, err);
}

/* File systems differ in what they promise; asking them by doing is the only answer that counts. */
#include "base/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/strbuf.h"

/* statfs(2) and linux/magic.h */
static const struct {
	uint32_t magic;
	const char *type;
	bool network, volatile_data;
} types[] = {
	{ 0xEF53, "ext", false, false },
	{ 0x58465342, "xfs", false, false },
	{ 0x9123683E, "btrfs", false, false },
	{ 0x2FC12FC1, "zfs", false, false },
	{ 0xF2F52010, "f2fs", false, false },
	{ 0x794C7630, "overlay", false, false },
	{ 0x01021994, "tmpfs", false, true },
	{ 0x858458F6, "ramfs", false, true },
	{ 0x6969, "nfs", true, false },
	{ 0x517B, "smb", true, false },
	{ 0xFF534D42, "cifs", true, false },
	{ 0xFE534D42, "smb2", true, false },
	{ 0x01021997, "9p", true, false },
	{ 0x00C36400, "ceph", true, false },
	{ 0x0BD00BD0, "lustre", true, false },
	{ 0x01161970, "gfs2", true, false },
	{ 0x5346414F, "afs", true, false },
	{ 0x786F4256, "vboxsf", true, false },
	{ 0x65735546, "fuse", true, false }, /* sshfs and s3fs far more often than a local one */
};

enum rv_status rv_probe_file_system(const char *path, struct rv_file_system *ret,
				    struct rv_error *err)
{
	struct statfs fs;
	struct statvfs vfs;
	if (statfs(path, &fs) < 0 || statvfs(path, &vfs) < 0)
		return rv_fail_errno(err, RV_LOCAL_IO, "ask for the file system of %s", path);
	uint32_t magic = (uint32_t)fs.f_type;
	*ret = (struct rv_file_system){
		.read_only = vfs.f_flag & ST_RDONLY,
		.free_bytes = (uint64_t)vfs.f_bavail * vfs.f_frsize,
		.full_of_files = vfs.f_files > 0 && vfs.f_favail == 0,
	};
	snprintf(ret->type, sizeof(ret->type), "0x%x", magic);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (types[i].magic != magic)
			continue;
		snprintf(ret->type, sizeof(ret->type), "%s", types[i].type);
		ret->network = types[i].network;
		ret->volatile_data = types[i].volatile_data;
	}
	return RV_OK;
}

char *rv_probe_existing(const char *path)
{
	char *at = rv_path_absolute(path);
	struct stat st;
	while (lstat(at, &st) < 0 && strcmp(at, "/") != 0) {
		char *parent = rv_path_parent(at);
		free(at);
		at = parent;
	}
	return at;
}

/* A name in the folder that is removed when it goes out of scope. */
static void remove_name(char **path)
{
	if (*path)
		unlink(*path);
	free(*path);
}
static char *new_name(const char *folder)
{
	RV_CLEANUP(rv_free_p) char *inside = rv_path_join(folder, "probe");
	return rv_temporary_beside(inside);
}

enum rv_status rv_probe_create(const char *folder, int64_t *ret_skew_ms, struct rv_error *err)
{
	RV_CLEANUP(remove_name) char *path = new_name(folder);
	struct stat st;
	int64_t before_ms = rv_clock_ms();
	if (rv_create_file(path, "1", 1, 0600, err) != RV_OK)
		return err->status;
	if (stat(path, &st) < 0)
		return rv_fail_errno(err, RV_LOCAL_IO, "look at a new file in %s", folder);
	int64_t made_ms = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
	*ret_skew_ms = made_ms - before_ms;
	struct rv_error taken = RV_ERROR_INIT;
	enum rv_status status = rv_create_file(path, "2", 1, 0600, &taken);
	if (status == RV_CONFLICT)
		return RV_OK;
	if (status == RV_OK)
		return rv_fail(err, RV_LOCAL_IO, "two files were created under one name in %s",
			       folder);
	*err = taken;
	return status;
}

enum rv_status rv_probe_replace(const char *folder, struct rv_error *err)
{
	RV_CLEANUP(remove_name) char *path = new_name(folder);
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	if (rv_replace_file(path, "old", 3, 0600, err) != RV_OK ||
	    rv_replace_file(path, "new", 3, 0600, err) != RV_OK ||
	    rv_read_file(path, 16, &text, err) != RV_OK)
		return err->status;
	if (strcmp(text.bytes, "new") != 0)
		return rv_fail(err, RV_LOCAL_IO, "a replaced file in %s reads as before", folder);
	return RV_OK;
}

enum rv_status rv_probe_lock(const char *folder, struct rv_error *err)
{
	RV_CLEANUP(remove_name) char *path = new_name(folder);
	RV_CLEANUP(rv_lock_release) struct rv_lock first = RV_LOCK_INIT;
	RV_CLEANUP(rv_lock_release) struct rv_lock second = RV_LOCK_INIT;
	if (rv_lock_take(&first, path, RV_LOCK_EXCLUSIVE, 0, 0, err) != RV_OK)
		return err->status;
	enum rv_status status = rv_lock_take(&second, path, RV_LOCK_EXCLUSIVE, 0, 0, err);
	if (status == RV_OK)
		return rv_fail(err, RV_LOCAL_IO, "a lock in %s does not keep others out", folder);
	if (status != RV_LOCKED)
		return status;
	rv_lock_release(&first);
	return rv_lock_take(&second, path, RV_LOCK_EXCLUSIVE, 0, 0, err);
}

enum rv_status rv_probe_locked_by(const char *path, pid_t *ret, struct rv_error *err)
{
	RV_CLEANUP(rv_close_p) int fd = rv_open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0);
	if (fd < 0 && errno == ENOENT) {
		*ret = 0;
		return RV_OK;
	}
	if (fd < 0)
		return rv_fail_errno(err, RV_LOCAL_IO, "open %s", path);
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	if (fcntl(fd, F_OFD_GETLK, &lock) < 0)
		return rv_fail_errno(err, RV_LOCAL_IO, "ask for locks of %s", path);
	*ret = lock.l_type == F_UNLCK ? 0 : lock.l_pid > 0 ? lock.l_pid : -1;
	return RV_OK;
}

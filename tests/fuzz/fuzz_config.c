/* Any bytes as river.yaml: refused with a place, or settings that are all of known keys. */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t reported;
static void count(void *arg, const struct rv_error *problem)
{
	assert(problem->status != RV_OK && problem->message[0]);
	assert(strcmp(problem->file, arg) == 0);
	reported++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[64];
	struct rv_config_file file = { 0 };
	struct rv_error err = RV_ERROR_INIT;
	int fd = memfd_create("river.yaml", MFD_CLOEXEC);
	assert(fd >= 0 && fchmod(fd, 0600) == 0);
	assert(write(fd, data, size) == (ssize_t)size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	reported = 0;
	enum rv_status status = rv_config_file_read(path, count, path, &file, &err);
	close(fd);
	assert((status == RV_OK) == (reported == 0));
	assert(status == err.status);
	for (size_t i = 0; i < file.count; i++) {
		const struct rv_config_profile *profile = &file.profiles[i];
		assert(rv_config_profile_name_valid(profile->name));
		for (size_t j = 0; j < profile->count; j++) {
			const struct rv_config_value *value = &profile->values[j];
			assert(rv_key_find(value->name) == value->key);
			assert(value->value[0] && strncmp(value->origin, "file:/proc/", 11) == 0);
		}
	}
	if (status == RV_OK)
		rv_config_file_release(&file);
	return 0;
}

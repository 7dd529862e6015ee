/*
 * Replays inputs through a fuzz target without a fuzzer: each file named, and each file in each folder
 * named, in the order of their names. A target says what is wrong by dying. `make check` does this with
 * the corpus of every target.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t replayed;

__attribute__((noreturn)) static void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(2);
}

static void replay_file(const char *path, size_t size)
{
	/* exactly as large as the input, so that a read past its end is seen */
	uint8_t *data = malloc(size ? size : 1);
	FILE *f = fopen(path, "rbe");

	if (!f || !data || fread(data, 1, size, f) != size)
		die(path);
	fclose(f);
	/* the name of the input that kills the target is the last one printed */
	printf("# %s\n", path);
	fflush(stdout);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
	replayed++;
}

static int is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void replay(const char *path)
{
	struct dirent **entries;
	struct stat st;

	if (stat(path, &st))
		die(path);
	if (!S_ISDIR(st.st_mode)) {
		replay_file(path, (size_t)st.st_size);
		return;
	}
	int n = scandir(path, &entries, is_visible, alphasort);
	if (n < 0)
		die(path);
	for (int i = 0; i < n; i++) {
		char *below;
		if (asprintf(&below, "%s/%s", path, entries[i]->d_name) < 0)
			die(path);
		replay(below);
		free(below);
		free(entries[i]);
	}
	free(entries);
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: %s FILE|FOLDER...\n", argv[0]);
		return 2;
	}
	for (int i = 1; i < argc; i++)
		replay(argv[i]);
	printf("%zu inputs\n", replayed);
	return 0;
}

/*
 * swap_names A B: the two change their names at once, so that nobody finds neither of them in between: what finds no
 * lake may make one anew.
 */
#include <fcntl.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	if (argc != 3) {
		fprintf(stderr, "usage: swap_names A B\n");
		return 2;
	}
	if (renameat2(AT_FDCWD, argv[1], AT_FDCWD, argv[2], RENAME_EXCHANGE) < 0) {
		perror("swap_names");
		return 1;
	}
	return 0;
}

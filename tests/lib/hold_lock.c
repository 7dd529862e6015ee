/* hold_lock FILE: holds a process's write lock on the whole file, says "held", ends with its input. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char byte;
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = argc == 2 ? open(argv[1], O_RDWR | O_CLOEXEC) : -1;
	if (fd < 0 || fcntl(fd, F_SETLK, &lock) < 0) {
		perror("hold_lock");
		return 1;
	}
	puts("held");
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
	return 0;
}

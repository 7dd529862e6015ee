/* pipe_is_empty <PIPE: 0 when all that was written to the pipe has been read, else 1. Either end will do. */
#include <stdio.h>
#include <sys/ioctl.h>

int main(void)
{
	int waiting = 0;
	if (ioctl(0, FIONREAD, &waiting) < 0) {
		perror("pipe_is_empty");
		return 2;
	}
	return waiting != 0;
}

/* The river command. */
#include <stdio.h>

int main(void)
{
	puts("river " RIVER_VERSION);
	return 0;
}

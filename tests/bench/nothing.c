/* Does nothing, as quickly as a C program can: what start-up times are measured against. */
int main(void)
{
	return 0;
}

/* Linked as a static-pie: the loader chooses its address, and the program relocates the pointers in its data. */
#include <stdio.h>
#include <string.h>

static const char *const words[] = { "relocated", "pointers", "work" };
static int (*const functions[])(const char *, const char *) = { strcmp };

int main(void)
{
	for (int i = 0; i < 3; i++)
		printf("%s%c", words[i], i < 2 ? ' ' : '\n');
	printf("called through a table: %d\n", functions[0]("a", "a"));
	return 0;
}

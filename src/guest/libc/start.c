/*
 * From the kernel's stack to main: argc, argv, envp and auxv, and for a static-pie its own relocation.
 * Nothing before relocate() may use an address that is stored in memory.
 */
#include <elf_self.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include "syscall.h"

int errno;
char **environ;
static unsigned long *auxv;

extern int main(int argc, char **argv, char **envp);

/* A static-pie is linked at 0, so every relocation is R_RISCV_RELATIVE: the word is the load address plus the addend. */
static inline __attribute__((always_inline)) void relocate(const struct elf_dyn *dynamic, unsigned long base)
{
	unsigned long table = 0, size = 0;

	for (; dynamic->tag != DT_NULL; dynamic++) {
		if (dynamic->tag == DT_RELA)
			table = dynamic->value;
		if (dynamic->tag == DT_RELASZ)
			size = dynamic->value;
	}
	const struct elf_rela *rela = (const struct elf_rela *)(base + table);
	for (unsigned long i = 0; i < size / sizeof *rela; i++)
		if (rela[i].info == R_RISCV_RELATIVE)
			*(unsigned long *)(base + rela[i].offset) = base + rela[i].addend;
}

_Noreturn void start_program(long *stack, const struct elf_dyn *dynamic, unsigned long base)
{
	if (dynamic)
		relocate(dynamic, base);

	int argc = stack[0];
	char **argv = (char **)(stack + 1);
	environ = argv + argc + 1;
	char **end = environ;
	while (*end)
		end++;
	auxv = (unsigned long *)(end + 1);
	exit(main(argc, argv, environ));
}

unsigned long getauxval(unsigned long type)
{
	for (unsigned long *entry = auxv; entry[0] != AT_NULL; entry += 2)
		if (entry[0] == type)
			return entry[1];
	errno = ENOENT;
	return 0;
}

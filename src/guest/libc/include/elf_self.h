/* As much of ELF as a program needs to relocate itself. */
#pragma once
#define DT_NULL 0
#define DT_RELA 7
#define DT_RELASZ 8
#define R_RISCV_RELATIVE 3

struct elf_dyn {
	long tag;
	unsigned long value;
};
struct elf_rela {
	unsigned long offset, info;
	long addend;
};

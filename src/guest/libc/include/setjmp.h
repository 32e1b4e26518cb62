#pragma once
typedef unsigned long jmp_buf[26]; /* ra, sp, s0 to s11, fs0 to fs11 */

int setjmp(jmp_buf where) __attribute__((returns_twice));
_Noreturn void longjmp(jmp_buf where, int value);

/* Runs single cases under qemu-riscv64: reads a start state and a few bytes of code, runs them, writes the state that they left.
 * Every register is a case's own, so the program lives in its signal handler alone: a case ends at the ebreak behind it (or at a
 * fault), the handler writes down the context that it finds there and replaces it by the next one. Built and fed by record.mjs. */
typedef unsigned long u64;
typedef unsigned int u32;
typedef unsigned char u8;
typedef unsigned short u16;

#define CODE 0x10000000UL
#define CODE_REACH 0x200000UL
#define BOUNDARY 0x20000000UL
#define WINDOW 2048UL
#define CHANGES 4
/* Where no case's sp points by chance: a signal that meets sp within this stack would go on from there. */
#define STACK 0x2f5a3c1000UL
#define STACK_SIZE 32768UL

struct input {
  u64 x[31], f[32], fcsr, pc;
  u8 code[16];
  u64 length;
};
struct output {
  u64 signal, address, pc, x[31], f[32], fcsr;
  u64 changes, place[CHANGES], value[CHANGES];
};
struct context {
  u64 head[22];
  u64 pc, x[31], f[32];
  u32 fcsr;
};

static u64 initial[2 * WINDOW / 8];
static struct input inputs[64];
static struct output outputs[64];
static u64 used, have, filled, running;

static long call(long number, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f) {
  register long n __asm__("a7") = number;
  register u64 r0 __asm__("a0") = a, r1 __asm__("a1") = b, r2 __asm__("a2") = c;
  register u64 r3 __asm__("a3") = d, r4 __asm__("a4") = e, r5 __asm__("a5") = f;
  __asm__ volatile("ecall" : "+r"(r0) : "r"(n), "r"(r1), "r"(r2), "r"(r3), "r"(r4), "r"(r5) : "memory");
  return r0;
}
static u64 get(void *to, u64 size) {
  u64 done = 0;
  while (done < size) {
    long n = call(63, 0, (u64)to + done, size - done, 0, 0, 0);
    if (n <= 0) break;
    done += n;
  }
  return done;
}
static void flush(void) {
  for (u64 done = 0, size = filled * sizeof *outputs; done < size;) done += call(64, 1, (u64)outputs + done, size - done, 0, 0, 0);
  filled = 0;
}

static void note(long signal, u64 address, struct context *at) {
  struct output *out = &outputs[filled++];
  u64 *window = (u64 *)(BOUNDARY - WINDOW);
  out->signal = signal;
  out->address = address;
  out->pc = at->pc;
  for (int i = 0; i < 31; i++) out->x[i] = at->x[i];
  for (int i = 0; i < 32; i++) out->f[i] = at->f[i];
  out->fcsr = at->fcsr;
  out->changes = 0;
  for (u64 i = 0; i < 2 * WINDOW / 8; i++) {
    if (window[i] == initial[i]) continue;
    if (out->changes < CHANGES) {
      out->place[out->changes] = i * 8;
      out->value[out->changes] = window[i];
    }
    out->changes++;
    window[i] = initial[i];
  }
  if (filled == 64) flush();
}

static void handler(long signal, u64 *information, struct context *at) {
  if (running) {
    struct input *last = &inputs[used++];
    note(signal, information[2], at);
    for (u64 i = 0; i < last->length; i += 2) *(u16 *)(last->pc + i) = 0x9002;
  }
  running = 1;
  if (used == have) {
    used = 0;
    have = get(inputs, sizeof inputs) / sizeof *inputs;
    if (have == 0) {
      flush();
      call(94, 0, 0, 0, 0, 0, 0);
    }
  }
  struct input *next = &inputs[used];
  for (u64 i = 0; i < next->length; i++) ((u8 *)next->pc)[i] = next->code[i];
  for (int i = 0; i < 31; i++) at->x[i] = next->x[i];
  for (int i = 0; i < 32; i++) at->f[i] = next->f[i];
  at->fcsr = next->fcsr;
  at->pc = next->pc;
  u32 word, failed;
  __asm__ volatile("fence.i\nsc.w %0, zero, (%1)" : "=&r"(failed) : "r"(&word) : "memory");
}

__attribute__((used)) static void start(void) {
  call(222, CODE - CODE_REACH, 2 * CODE_REACH, 7, 0x32, -1, 0);
  call(222, BOUNDARY - 4096, 8192, 3, 0x32, -1, 0);
  call(222, STACK, STACK_SIZE, 3, 0x32, -1, 0);
  for (u64 at = CODE - CODE_REACH; at < CODE + CODE_REACH; at += 2) *(u16 *)at = 0x9002;
  get(initial, sizeof initial);
  for (u64 i = 0; i < 2 * WINDOW / 8; i++) ((u64 *)(BOUNDARY - WINDOW))[i] = initial[i];
  u64 alternate[3] = {STACK, 0, STACK_SIZE}, action[3] = {(u64)handler, 0x48000004, 0};
  call(132, (u64)alternate, 0, 0, 0, 0, 0);
  int signals[] = {4, 5, 7, 11};
  for (int i = 0; i < 4; i++) call(134, signals[i], (u64)action, 0, 8, 0, 0);
  __asm__ volatile("ebreak");
}
__attribute__((naked)) void _start(void) { __asm__("j start"); }

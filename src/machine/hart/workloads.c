/* What `lab bench hart` runs, here and under qemu: workloads NAME REPEAT. Prints a checksum and, from the hart's own counter, how many
 * instructions it took. riscv64-linux-gnu-gcc -O2 -static -o workloads workloads.c -lm */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t seed = 12345;
static uint32_t chance(void) { return (seed = seed * 1103515245u + 12345u) >> 8; }

/* --- mix: lists, small matrices, a scanner, a checksum; short functions that call one another, as in CoreMark ------------------ */

struct node {
  struct node *next;
  int16_t key, value;
};
#define NODES 200
static struct node nodes[NODES];

static struct node *merged(struct node *a, struct node *b, int by_key) {
  struct node head, *last = &head;
  while (a && b) {
    int less = by_key ? a->key <= b->key : a->value <= b->value;
    struct node **from = less ? &a : &b;
    last = last->next = *from;
    *from = (*from)->next;
  }
  last->next = a ? a : b;
  return head.next;
}
__attribute__((noinline)) static struct node *sorted(struct node *list, int by_key) {
  if (!list || !list->next) return list;
  struct node *slow = list, *fast = list->next;
  while (fast && fast->next) slow = slow->next, fast = fast->next->next;
  struct node *half = slow->next;
  slow->next = 0;
  return merged(sorted(list, by_key), sorted(half, by_key), by_key);
}
__attribute__((noinline)) static struct node *find(struct node *list, int16_t key) {
  while (list && list->key != key) list = list->next;
  return list;
}
__attribute__((noinline)) static struct node *reversed(struct node *list) {
  struct node *done = 0;
  while (list) {
    struct node *next = list->next;
    list->next = done;
    done = list;
    list = next;
  }
  return done;
}
__attribute__((noinline)) static uint16_t crc16(uint8_t byte, uint16_t crc) {
  for (int i = 0; i < 8; i++) {
    int carry = (byte ^ crc) & 1;
    byte >>= 1;
    crc >>= 1;
    if (carry) crc ^= 0xa001;
  }
  return crc;
}
#define SIDE 16
static int16_t left[SIDE][SIDE], right[SIDE][SIDE];
static int32_t product[SIDE][SIDE];
__attribute__((noinline)) static int32_t multiply(void) {
  int32_t sum = 0;
  for (int i = 0; i < SIDE; i++)
    for (int j = 0; j < SIDE; j++) {
      int32_t cell = 0;
      for (int k = 0; k < SIDE; k++) cell += left[i][k] * right[k][j];
      product[i][j] = cell;
      sum += cell > 1000 ? 10 : (cell >> 2) & 15;
    }
  return sum;
}
enum state { START, SIGN, WHOLE, POINT, EXPONENT, INVALID, STATES };
__attribute__((noinline)) static enum state scan(const char **text, uint32_t *visits) {
  enum state state = START;
  for (; **text && state != INVALID; (*text)++) {
    char c = **text;
    if (c == ',') {
      (*text)++;
      break;
    }
    int digit = c >= '0' && c <= '9';
    switch (state) {
      case START: state = digit ? WHOLE : c == '+' || c == '-' ? SIGN : c == '.' ? POINT : INVALID; break;
      case SIGN: state = digit ? WHOLE : c == '.' ? POINT : INVALID; break;
      case WHOLE: state = c == '.' ? POINT : digit ? WHOLE : INVALID; break;
      case POINT: state = c == 'e' ? EXPONENT : digit ? POINT : INVALID; break;
      case EXPONENT: state = digit || c == '-' ? EXPONENT : INVALID; break;
      default: break;
    }
    visits[state]++;
  }
  return state;
}
static uint64_t mix(long repeat) {
  static const char text[] = "5012,1234,-874,+122,35.54400,.1234500,-110.700,+0.64400,5.500e3,-.123e-2,-87e+832,T0.3e-1F,12a.5,1e-9";
  uint32_t visits[STATES] = {0};
  uint16_t crc = 0;
  for (int i = 0; i < NODES; i++) nodes[i] = (struct node){i + 1 < NODES ? &nodes[i + 1] : 0, chance() & 0x7fff, i};
  struct node *list = nodes;
  for (long round = 0; round < repeat; round++) {
    for (int i = 0; i < 20; i++) {
      struct node *found = find(list, (chance() & 1) ? nodes[chance() % NODES].key : -1);
      crc = crc16(found ? found->value : i, crc);
      list = reversed(list);
    }
    list = sorted(list, 1);
    crc = crc16(list->value, crc);
    list = sorted(list, 0);
    for (int i = 0; i < SIDE * SIDE; i++) left[i / SIDE][i % SIDE] = (round + i) & 63, right[i / SIDE][i % SIDE] = (round ^ i) & 31;
    crc = crc16(multiply(), crc);
    const char *at = text;
    while (*at) crc = crc16(scan(&at, visits), crc);
  }
  for (int i = 0; i < STATES; i++) crc = crc16(visits[i], crc);
  return crc;
}

/* --- is: ranks of 2^20 integer keys by counting, as NPB IS does ----------------------------------------------------------------- */

#define KEYS (1 << 20)
#define KEY_MAX (1 << 11)
static uint64_t is(long repeat) {
  int *keys = malloc(KEYS * sizeof *keys), *buffer = malloc(KEYS * sizeof *buffer), *count = malloc(KEY_MAX * sizeof *count);
  uint64_t sum = 0;
  for (int i = 0; i < KEYS; i++) keys[i] = ((chance() & 2047) + (chance() & 2047) + (chance() & 2047) + (chance() & 2047)) / 4;
  for (long round = 0; round < repeat; round++) {
    keys[round] = round;
    keys[round + 10] = KEY_MAX - 1 - round;
    memset(count, 0, KEY_MAX * sizeof *count);
    for (int i = 0; i < KEYS; i++) buffer[i] = keys[i];
    for (int i = 0; i < KEYS; i++) count[buffer[i]]++;
    for (int i = 1; i < KEY_MAX; i++) count[i] += count[i - 1];
    for (int i = 0; i < 5; i++) sum = sum * 31 + count[keys[i * 1000 + round]];
  }
  for (int i = KEYS; i-- > 0;) keys[--count[buffer[i]]] = buffer[i];
  for (int i = 1; i < KEYS; i++) sum += keys[i - 1] > keys[i];
  return sum;
}

/* --- cg: conjugate gradients over a sparse matrix of doubles, as NPB CG ---------------------------------------------------------- */

#define ROWS 7000
#define PER_ROW 24
static uint64_t cg(long repeat) {
  int *start = malloc((ROWS + 1) * sizeof *start), *column = malloc(ROWS * PER_ROW * sizeof *column);
  double *a = malloc(ROWS * PER_ROW * sizeof *a), *x = calloc(ROWS, sizeof *x), *z = malloc(ROWS * sizeof *z),
         *p = malloc(ROWS * sizeof *p), *q = malloc(ROWS * sizeof *q), *r = malloc(ROWS * sizeof *r);
  for (int i = 0, n = 0; i <= ROWS; i++) {
    start[i] = n;
    for (int k = 0; i < ROWS && k < PER_ROW; k++, n++) {
      column[n] = k ? (int)(chance() % ROWS) : i;
      a[n] = k ? (chance() & 0xffff) / 65536.0 / PER_ROW : 4.0;
    }
  }
  for (int i = 0; i < ROWS; i++) x[i] = 1.0;
  double zeta = 0;
  for (long round = 0; round < repeat; round++) {
    double rho = 0;
    for (int i = 0; i < ROWS; i++) z[i] = q[i] = 0, r[i] = p[i] = x[i];
    for (int i = 0; i < ROWS; i++) rho += r[i] * r[i];
    for (int step = 0; step < 25; step++) {
      double d = 0, before = rho;
      for (int i = 0; i < ROWS; i++) {
        double sum = 0;
        for (int k = start[i]; k < start[i + 1]; k++) sum += a[k] * p[column[k]];
        q[i] = sum;
      }
      for (int i = 0; i < ROWS; i++) d += p[i] * q[i];
      double alpha = rho / d;
      rho = 0;
      for (int i = 0; i < ROWS; i++) z[i] += alpha * p[i], r[i] -= alpha * q[i];
      for (int i = 0; i < ROWS; i++) rho += r[i] * r[i];
      double beta = rho / before;
      for (int i = 0; i < ROWS; i++) p[i] = r[i] + beta * p[i];
    }
    double xz = 0;
    for (int i = 0; i < ROWS; i++) xz += x[i] * z[i];
    zeta += 1.0 / xz;
  }
  uint64_t bits;
  memcpy(&bits, &zeta, 8);
  return bits;
}

/* --- sha256 of a buffer (FIPS 180-4) ---------------------------------------------------------------------------------------------- */

static uint32_t constants[64];
static uint32_t rotated(uint32_t x, int n) { return x >> n | x << (32 - n); }
__attribute__((noinline)) static void compress(uint32_t *hash, const uint8_t *block) {
  uint32_t w[64], s[8];
  for (int i = 0; i < 16; i++) w[i] = (uint32_t)block[i * 4] << 24 | block[i * 4 + 1] << 16 | block[i * 4 + 2] << 8 | block[i * 4 + 3];
  for (int i = 16; i < 64; i++) {
    uint32_t a = rotated(w[i - 15], 7) ^ rotated(w[i - 15], 18) ^ w[i - 15] >> 3;
    uint32_t b = rotated(w[i - 2], 17) ^ rotated(w[i - 2], 19) ^ w[i - 2] >> 10;
    w[i] = w[i - 16] + a + w[i - 7] + b;
  }
  memcpy(s, hash, sizeof s);
  for (int i = 0; i < 64; i++) {
    uint32_t t1 = s[7] + (rotated(s[4], 6) ^ rotated(s[4], 11) ^ rotated(s[4], 25)) + ((s[4] & s[5]) ^ (~s[4] & s[6])) + constants[i] + w[i];
    uint32_t t2 = (rotated(s[0], 2) ^ rotated(s[0], 13) ^ rotated(s[0], 22)) + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
    s[7] = s[6], s[6] = s[5], s[5] = s[4], s[4] = s[3] + t1, s[3] = s[2], s[2] = s[1], s[1] = s[0], s[0] = t1 + t2;
  }
  for (int i = 0; i < 8; i++) hash[i] += s[i];
}
static uint32_t root_bits(int prime, int cubic) {
  /* The first 32 bits of the fractional part of a root, by bisection. */
  double low = 0, high = prime;
  for (int i = 0; i < 100; i++) {
    double middle = (low + high) / 2;
    if ((cubic ? middle * middle * middle : middle * middle) > prime) high = middle;
    else low = middle;
  }
  return (uint32_t)(uint64_t)((low - (int)low) * 4294967296.0);
}
static uint64_t sha256(long repeat) {
  uint32_t hash[8];
  int found = 0;
  for (int n = 2; found < 64; n++) {
    int prime = 1;
    for (int d = 2; d * d <= n; d++) prime &= n % d != 0;
    if (!prime) continue;
    if (found < 8) hash[found] = root_bits(n, 0);
    constants[found++] = root_bits(n, 1);
  }
  static uint8_t buffer[65536];
  for (size_t i = 0; i < sizeof buffer; i++) buffer[i] = chance();
  for (long round = 0; round < repeat; round++)
    for (size_t at = 0; at < sizeof buffer; at += 64) compress(hash, buffer + at);
  return (uint64_t)hash[0] << 32 | hash[1];
}

static uint64_t nothing(long repeat) { return repeat; }

static const struct {
  const char *name;
  uint64_t (*run)(long);
} workloads[] = {{"mix", mix}, {"is", is}, {"cg", cg}, {"sha256", sha256}, {"nothing", nothing}};

int main(int argc, char **argv) {
  for (size_t i = 0; argc == 3 && i < sizeof workloads / sizeof *workloads; i++) {
    if (strcmp(argv[1], workloads[i].name) != 0) continue;
    uint64_t from, to;
    __asm__ volatile("rdinstret %0" : "=r"(from));
    uint64_t sum = workloads[i].run(atol(argv[2]));
    __asm__ volatile("rdinstret %0" : "=r"(to));
    printf("%016llx %llu\n", (unsigned long long)sum, (unsigned long long)(to - from));
    return 0;
  }
  fprintf(stderr, "usage: workloads mix|is|cg|sha256|nothing REPEAT\n");
  return 2;
}

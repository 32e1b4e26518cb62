/* Commands on bytes: hexdump od cmp diff cksum md5sum sha256sum. */
#include "userland.h"
#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- Dumps ---- */

struct dump {
	long skip, length; /* length is -1 for all */
	void (*row)(long offset, const unsigned char *bytes, int count);
	const char *offset_format;
};

static int dump_file(FILE *file, const struct dump *dump)
{
	unsigned char row[16], last[16];
	long offset = 0, left = dump->length;
	int count, repeated = 0, have_last = 0;

	for (; offset < dump->skip && getc(file) != EOF; offset++)
		;
	while (left && (count = fread(row, 1, left > 0 && left < 16 ? left : 16, file)) > 0) {
		if (have_last && count == 16 && !memcmp(row, last, 16)) {
			if (!repeated++)
				puts("*");
		} else {
			repeated = 0;
			printf(dump->offset_format, offset);
			dump->row(offset, row, count);
		}
		memcpy(last, row, 16);
		have_last = count == 16;
		offset += count;
		if (left > 0)
			left -= count;
	}
	printf(dump->offset_format, offset);
	putchar('\n');
	return 0;
}

static void canonical_row(long offset, const unsigned char *bytes, int count)
{
	(void)offset;
	for (int i = 0; i < 16; i++) {
		if (i % 8 == 0)
			putchar(' ');
		if (i < count)
			printf(" %02x", bytes[i]);
		else
			fputs("   ", stdout);
	}
	fputs("  |", stdout);
	for (int i = 0; i < count; i++)
		putchar(isprint(bytes[i]) ? bytes[i] : '.');
	puts("|");
}

static int unit = 2;
static char radix = 'o';

static void word_row(long offset, const unsigned char *bytes, int count)
{
	static const int octal_width[] = { 0, 3, 6, 0, 11, 0, 0, 0, 22 }, decimal_width[] = { 0, 4, 6, 0, 11, 0, 0, 0, 20 };

	(void)offset;
	for (int i = 0; i < count; i += unit) {
		uint64_t value = 0;
		for (int j = unit - 1; j >= 0; j--)
			value = value << 8 | (i + j < count ? bytes[i + j] : 0);
		if (radix == 'x')
			printf(" %0*lx", 2 * unit, value);
		else if (radix == 'd')
			printf(" %*ld", decimal_width[unit], (int64_t)(value << (64 - 8 * unit)) >> (64 - 8 * unit));
		else if (radix == 'u')
			printf(" %*lu", decimal_width[unit] - 1, value);
		else if (radix == 'c') {
			static const char names[] = "\0\a\b\t\n\v\f\r", letters[] = "0abtnvfr";
			const char *at = memchr(names, (int)value, 8);
			if (at)
				printf("  \\%c", letters[at - names]);
			else if (isprint((int)value))
				printf("   %c", (int)value);
			else
				printf(" %03lo", value);
		} else
			printf(" %0*lo", octal_width[unit], value);
	}
	putchar('\n');
}

static int dump_inputs(int argc, char **argv, const struct dump *dump)
{
	if (optind >= argc)
		return dump_file(stdin, dump);
	FILE *file = open_input(argv[optind]);
	return file ? dump_file(file, dump) : 1;
}

int hexdump_main(int argc, char **argv)
{
	struct dump dump = { .length = -1, .row = word_row, .offset_format = "%07lx" };
	int option;

	radix = 'x';
	while ((option = getopt(argc, argv, "Cs:n:xv")) != -1)
		switch (option) {
		case 'C':
			dump.row = canonical_row;
			dump.offset_format = "%08lx";
			break;
		case 's': dump.skip = strtol(optarg, 0, 0); break;
		case 'n': dump.length = strtol(optarg, 0, 0); break;
		case 'x':
		case 'v': break;
		default: return usage("[-C] [-s SKIP] [-n LENGTH] [FILE]");
		}
	return dump_inputs(argc, argv, &dump);
}

int od_main(int argc, char **argv)
{
	struct dump dump = { .length = -1, .row = word_row, .offset_format = "%07lo" };
	int option;

	while ((option = getopt(argc, argv, "xcbdA:t:j:N:v")) != -1)
		switch (option) {
		case 'x': radix = 'x'; break;
		case 'd': radix = 'u'; break;
		case 'c': radix = 'c'; unit = 1; break;
		case 'b': unit = 1; break;
		case 'A': dump.offset_format = *optarg == 'x' ? "%06lx" : *optarg == 'd' ? "%07ld" : *optarg == 'n' ? "" : "%07lo"; break;
		case 't':
			radix = *optarg;
			unit = radix == 'c' ? 1 : optarg[1] ? atoi(optarg + 1) : 4;
			if (unit != 1 && unit != 2 && unit != 4 && unit != 8)
				return warn_text("%s: no such type", optarg);
			break;
		case 'j': dump.skip = strtol(optarg, 0, 0); break;
		case 'N': dump.length = strtol(optarg, 0, 0); break;
		case 'v': break;
		default: return usage("[-xcbd] [-A xdon] [-t TYPE] [-j SKIP] [-N LENGTH] [FILE]");
		}
	return dump_inputs(argc, argv, &dump);
}

/* ---- Comparing ---- */

int cmp_main(int argc, char **argv)
{
	int silent = argc > 1 && !strcmp(argv[1], "-s");

	if (argc < 3 + silent)
		return usage("[-s] FILE1 FILE2");
	FILE *a = open_input(argv[1 + silent]), *b = open_input(argv[2 + silent]);
	if (!a || !b)
		return 2;
	for (long byte = 1, line = 1;; byte++) {
		int x = getc(a), y = getc(b);
		if (x == EOF && y == EOF)
			return 0;
		if (x != y) {
			if (silent)
				return 1;
			if (x == EOF || y == EOF)
				fprintf(stderr, "cmp: EOF on %s after byte %ld\n", argv[(x == EOF ? 1 : 2) + silent], byte - 1);
			else
				printf("%s %s differ: byte %ld, line %ld\n", argv[1 + silent], argv[2 + silent], byte, line);
			return 1;
		}
		line += x == '\n';
	}
}

struct side {
	char **lines;
	int count;
};

static int read_side(struct side *side, const char *path)
{
	char *line = 0;
	size_t capacity = 0;
	FILE *file = open_input(path);

	if (!file)
		return 1;
	while (getline(&line, &capacity, file) > 0) {
		if (side->count % 256 == 0)
			side->lines = realloc(side->lines, (side->count + 256) * sizeof *side->lines);
		side->lines[side->count++] = strdup(line);
	}
	close_input(file);
	return 0;
}

/* Prints one line of a hunk, with the note that says its newline is missing. */
static void diff_line(char sign, const char *line)
{
	size_t length = strlen(line);
	printf("%c%s%s", sign, line, length && line[length - 1] == '\n' ? "" : "\n\\ No newline at end of file\n");
}

/*
 * The shortest edit by Myers' greedy algorithm: furthest[k] is how far diagonal k gets with d edits, and a copy is kept for
 * each d, so that the path can be walked back.  kept_a and kept_b mark the lines that both sides share.
 */
static int shortest_edit(const struct side *a, const struct side *b, char *kept_a, char *kept_b)
{
	int n = a->count, m = b->count, most = n + m;
	int *furthest = calloc(2 * most + 3, sizeof *furthest), **history = calloc(most + 1, sizeof *history), *v = furthest + most + 1;

	for (int d = 0; d <= most; d++) {
		history[d] = malloc((2 * d + 3) * sizeof **history);
		memcpy(history[d], v - d - 1, (2 * d + 3) * sizeof **history);
		for (int k = -d; k <= d; k += 2) {
			int x = k == -d || (k != d && v[k - 1] < v[k + 1]) ? v[k + 1] : v[k - 1] + 1, y = x - k;
			while (x < n && y < m && !strcmp(a->lines[x], b->lines[y]))
				x++, y++;
			v[k] = x;
			if (x < n || y < m)
				continue;
			for (int e = d; e >= 0; e--) { /* back from the end */
				int *w = history[e] + e + 1, diagonal = x - y;
				int down = diagonal == -e || (diagonal != e && w[diagonal - 1] < w[diagonal + 1]);
				int from = e ? down ? w[diagonal + 1] : w[diagonal - 1] + 1 : 0, from_y = from - diagonal;
				while (x > from && y > from_y) {
					kept_a[--x] = 1;
					kept_b[--y] = 1;
				}
				if (e) {
					x = down ? from : from - 1;
					y = down ? from_y - 1 : from_y;
				}
			}
			for (int e = 0; e <= d; e++)
				free(history[e]);
			free(history);
			free(furthest);
			return d;
		}
	}
	return 0;
}

int diff_main(int argc, char **argv)
{
	struct side a = { 0 }, b = { 0 };
	int first = 1, brief = 0, context = 3;

	for (; first < argc && argv[first][0] == '-' && argv[first][1]; first++)
		if (!strcmp(argv[first], "-q"))
			brief = 1;
		else if (!strncmp(argv[first], "-U", 2))
			context = atoi(argv[first][2] ? argv[first] + 2 : argv[++first]);
		else if (strcmp(argv[first], "-u") && strcmp(argv[first], "-a"))
			return usage("[-uq] [-U LINES] FILE1 FILE2");
	if (argc - first != 2)
		return usage("[-uq] [-U LINES] FILE1 FILE2");
	if (read_side(&a, argv[first]) | read_side(&b, argv[first + 1]))
		return 2;
	char *kept_a = calloc(a.count + 1, 1), *kept_b = calloc(b.count + 1, 1);
	if (!shortest_edit(&a, &b, kept_a, kept_b))
		return 0;
	if (brief) {
		printf("Files %s and %s differ\n", argv[first], argv[first + 1]);
		return 1;
	}
	printf("--- %s\n+++ %s\n", argv[first], argv[first + 1]);
	for (int i = 0, j = 0; i < a.count || j < b.count;) {
		if (i < a.count && j < b.count && kept_a[i] && kept_b[j]) {
			i++, j++;
			continue;
		}
		int start_a = i > context ? i - context : 0, start_b = j - (i - start_a), end_a = i, end_b = j, same = 0;
		while (end_a < a.count || end_b < b.count) { /* a hunk ends after 2 contexts of shared lines */
			if (end_a < a.count && end_b < b.count && kept_a[end_a] && kept_b[end_b]) {
				if (++same > 2 * context)
					break;
				end_a++, end_b++;
			} else {
				same = 0;
				if (end_a < a.count && !kept_a[end_a])
					end_a++;
				else
					end_b++;
			}
		}
		int extra = same > context ? (same > 2 * context ? same - 1 : same) - context : 0;
		end_a -= extra;
		end_b -= extra;
		int size_a = end_a - start_a, size_b = end_b - start_b;
		printf("@@ -%d", start_a + (size_a != 0));
		if (size_a != 1)
			printf(",%d", size_a);
		printf(" +%d", start_b + (size_b != 0));
		if (size_b != 1)
			printf(",%d", size_b);
		puts(" @@");
		for (i = start_a, j = start_b; i < end_a || j < end_b;)
			if (i < end_a && !kept_a[i])
				diff_line('-', a.lines[i++]);
			else if (j < end_b && !kept_b[j])
				diff_line('+', b.lines[j++]);
			else {
				diff_line(' ', a.lines[i++]);
				j++;
			}
	}
	return 1;
}

/* ---- Sums ---- */

int cksum_main(int argc, char **argv)
{
	static uint32_t table[256];
	int failed = 0;

	for (uint32_t i = 0; i < 256; i++) {
		uint32_t crc = i << 24;
		for (int bit = 0; bit < 8; bit++)
			crc = crc << 1 ^ (crc >> 31 ? 0x04c11db7 : 0);
		table[i] = crc;
	}
	for (int i = 1; i < argc || i == 1; i++) {
		FILE *file = open_input(i < argc ? argv[i] : "-");
		uint32_t crc = 0;
		long size = 0;
		if (!file) {
			failed = 1;
			continue;
		}
		for (int c; (c = getc(file)) != EOF; size++)
			crc = crc << 8 ^ table[crc >> 24 ^ c];
		for (long rest = size; rest; rest >>= 8)
			crc = crc << 8 ^ table[crc >> 24 ^ (rest & 255)];
		printf("%u %ld%s%s\n", ~crc, size, i < argc ? " " : "", i < argc ? argv[i] : "");
		close_input(file);
	}
	return failed;
}

/* Both digests take blocks of 64 bytes, ended by 0x80, zeros and the length in bits; they differ in its byte order. */
struct digest {
	uint32_t state[8];
	int words;
	int big_endian;
	void (*block)(uint32_t state[8], const unsigned char bytes[64]);
};

static uint32_t rotate_left(uint32_t x, int by) { return x << by | x >> (32 - by); }
static uint32_t rotate_right(uint32_t x, int by) { return x >> by | x << (32 - by); }

/* RFC 1321.  The constants are floor(2^32 × |sin(i + 1)|). */
static void md5_block(uint32_t state[8], const unsigned char bytes[64])
{
	static const uint32_t k[64] = {
		0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501, 0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122,
		0xfd987193, 0xa679438e, 0x49b40821, 0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8, 0x21e1cde6, 0xc33707d6,
		0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a, 0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60,
		0xbebfbc70, 0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665, 0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039,
		0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1, 0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
	};
	static const unsigned char shifts[4][4] = { { 7, 12, 17, 22 }, { 5, 9, 14, 20 }, { 4, 11, 16, 23 }, { 6, 10, 15, 21 } };
	uint32_t a = state[0], b = state[1], c = state[2], d = state[3];

	for (int i = 0; i < 64; i++) {
		uint32_t f;
		int word;
		switch (i / 16) {
		case 0: f = (b & c) | (~b & d); word = i; break;
		case 1: f = (d & b) | (~d & c); word = (5 * i + 1) % 16; break;
		case 2: f = b ^ c ^ d; word = (3 * i + 5) % 16; break;
		default: f = c ^ (b | ~d); word = 7 * i % 16;
		}
		const unsigned char *p = bytes + 4 * word;
		f += a + k[i] + ((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24);
		a = d;
		d = c;
		c = b;
		b += rotate_left(f, shifts[i / 16][i % 4]);
	}
	state[0] += a;
	state[1] += b;
	state[2] += c;
	state[3] += d;
}

/* FIPS 180-4.  The constants are the first bits of the fractions of the cube roots of the first 64 primes. */
static void sha256_block(uint32_t state[8], const unsigned char bytes[64])
{
	static const uint32_t k[64] = {
		0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74,
		0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d,
		0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e,
		0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5,
		0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
	};
	uint32_t w[64], s[8];

	for (int i = 0; i < 16; i++)
		w[i] = (uint32_t)bytes[4 * i] << 24 | (uint32_t)bytes[4 * i + 1] << 16 | (uint32_t)bytes[4 * i + 2] << 8 | bytes[4 * i + 3];
	for (int i = 16; i < 64; i++) {
		uint32_t s0 = rotate_right(w[i - 15], 7) ^ rotate_right(w[i - 15], 18) ^ w[i - 15] >> 3;
		uint32_t s1 = rotate_right(w[i - 2], 17) ^ rotate_right(w[i - 2], 19) ^ w[i - 2] >> 10;
		w[i] = w[i - 16] + s0 + w[i - 7] + s1;
	}
	memcpy(s, state, sizeof s);
	for (int i = 0; i < 64; i++) {
		uint32_t e = s[4], a = s[0];
		uint32_t t1 = s[7] + (rotate_right(e, 6) ^ rotate_right(e, 11) ^ rotate_right(e, 25)) + ((e & s[5]) ^ (~e & s[6])) + k[i] + w[i];
		uint32_t t2 = (rotate_right(a, 2) ^ rotate_right(a, 13) ^ rotate_right(a, 22)) + ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]));
		memmove(s + 1, s, 7 * sizeof *s);
		s[4] += t1;
		s[0] = t1 + t2;
	}
	for (int i = 0; i < 8; i++)
		state[i] += s[i];
}

static void digest_file(FILE *file, struct digest digest, char *hex)
{
	unsigned char block[64];
	uint64_t total = 0;
	size_t size;

	while ((size = fread(block, 1, 64, file)) == 64) {
		digest.block(digest.state, block);
		total += 64;
	}
	total += size;
	block[size++] = 0x80;
	if (size > 56) {
		memset(block + size, 0, 64 - size);
		digest.block(digest.state, block);
		size = 0;
	}
	memset(block + size, 0, 64 - size);
	for (int i = 0; i < 8; i++)
		block[56 + i] = total * 8 >> 8 * (digest.big_endian ? 7 - i : i);
	digest.block(digest.state, block);
	for (int i = 0; i < digest.words * 4; i++)
		hex += snprintf(hex, 3, "%02x", digest.state[i / 4] >> 8 * (digest.big_endian ? 3 - i % 4 : i % 4) & 255);
}

static int check_sums(const struct digest *digest, const char *list_path)
{
	FILE *list = open_input(list_path);
	char line[4200], hex[80];
	int failed = !list;

	while (list && fgets(line, sizeof line, list)) {
		char *path = strchr(line, ' ');
		if (!path)
			continue;
		*path++ = 0;
		path += *path == ' ' || *path == '*';
		path[strcspn(path, "\n")] = 0;
		FILE *file = open_input(path);
		if (file) {
			digest_file(file, *digest, hex);
			close_input(file);
		}
		int good = file && !strcasecmp(hex, line);
		printf("%s: %s\n", path, good ? "OK" : "FAILED");
		failed |= !good;
	}
	return failed;
}

static int print_sums(int argc, char **argv, const struct digest *digest)
{
	int failed = 0;
	char hex[80];

	if (argc > 1 && !strcmp(argv[1], "-c"))
		return check_sums(digest, argc > 2 ? argv[2] : "-");
	for (int i = 1; i < argc || i == 1; i++) {
		const char *path = i < argc ? argv[i] : "-";
		FILE *file = open_input(path);
		if (!file) {
			failed = 1;
			continue;
		}
		digest_file(file, *digest, hex);
		printf("%s  %s\n", hex, path);
		close_input(file);
	}
	return failed;
}

int md5sum_main(int argc, char **argv)
{
	return print_sums(argc, argv, &(struct digest){ { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476 }, 4, 0, md5_block });
}

int sha256sum_main(int argc, char **argv)
{
	return print_sums(argc, argv, &(struct digest){ { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 }, 8, 1, sha256_block });
}

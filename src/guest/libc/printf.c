/*
 * The printf family.  Doubles are exact: a double is a finite decimal fraction, so all its digits are worked out in
 * fixed point, base 10^9, and rounded half to even once.
 */
#include <ctype.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Where the text goes: a file, or a buffer that keeps what fits.  `length` counts all of it. */
struct sink {
	FILE *file;
	char *to;
	size_t size, length;
};

static void put(struct sink *sink, const char *s, size_t count)
{
	if (sink->file)
		fwrite(s, 1, count, sink->file);
	else if (sink->length < sink->size) {
		size_t room = sink->size - sink->length;
		memcpy(sink->to + sink->length, s, count < room ? count : room);
	}
	sink->length += count;
}

static void pad(struct sink *sink, char c, long count)
{
	char run[64];

	memset(run, c, sizeof run);
	for (; count > 0; count -= sizeof run)
		put(sink, run, count < (long)sizeof run ? count : (long)sizeof run);
}

struct spec {
	int left, plus, space, alternate, zero;
	long width, precision; /* precision is -1 when not given */
};

/* Sign or 0x, zeros, digits: the zeros come between prefix and body. */
static void put_number(struct sink *sink, const struct spec *spec, const char *prefix, const char *body, long zeros)
{
	long length = strlen(prefix) + strlen(body) + zeros, filler = spec->width > length ? spec->width - length : 0;

	if (!spec->left && !spec->zero)
		pad(sink, ' ', filler);
	put(sink, prefix, strlen(prefix));
	if (!spec->left && spec->zero)
		pad(sink, '0', filler);
	pad(sink, '0', zeros);
	put(sink, body, strlen(body));
	if (spec->left)
		pad(sink, ' ', filler);
}

static void put_integer(struct sink *sink, struct spec spec, unsigned long value, unsigned base, int upper, const char *prefix)
{
	char digits[72], *at = digits + sizeof digits;

	*--at = 0;
	for (unsigned long rest = value; rest; rest /= base)
		*--at = (upper ? "0123456789ABCDEF" : "0123456789abcdef")[rest % base];
	long count = strlen(at), wanted = spec.precision < 0 ? 1 : spec.precision;
	if (spec.precision >= 0)
		spec.zero = 0;
	if (base == 8 && spec.alternate && wanted <= count)
		wanted = count + 1;
	put_number(sink, &spec, prefix, at, wanted > count ? wanted - count : 0);
}

#define BASE 1000000000u
#define WHOLE 35                       /* limbs of 9 digits before the point: 309 digits */
#define LIMBS (WHOLE + 120)            /* and after it: 1074 digits */
#define POINT (WHOLE * 9)              /* index of the first digit after the point */

/* All the digits of a finite value of 0 or more; the first `POINT` of them stand before the point. */
static void digits_of(double value, char digits[LIMBS * 9 + 1])
{
	union { double value; uint64_t bits; } number = { value };
	int exponent = (number.bits >> 52) & 0x7ff;
	uint64_t mantissa = number.bits & ((1ul << 52) - 1);
	uint32_t limbs[LIMBS] = { 0 };

	if (exponent)
		mantissa |= 1ul << 52;
	else
		exponent = 1;
	exponent -= 1075;
	limbs[WHOLE - 1] = mantissa % BASE;
	limbs[WHOLE - 2] = mantissa / BASE;
	while (exponent > 0) {
		int shift = exponent < 29 ? exponent : 29;
		uint64_t carry = 0;
		for (int i = WHOLE - 1; i >= 0; i--) {
			carry += (uint64_t)limbs[i] << shift;
			limbs[i] = carry % BASE;
			carry /= BASE;
		}
		exponent -= shift;
	}
	while (exponent < 0) { /* 10^9 is divisible by 2^9, so nine bits at a time leave no remainder behind */
		int shift = -exponent < 9 ? -exponent : 9;
		uint32_t carry = 0;
		for (int i = 0; i < LIMBS; i++) {
			uint32_t rest = limbs[i] & ((1u << shift) - 1);
			limbs[i] = (limbs[i] >> shift) + carry;
			carry = (BASE >> shift) * rest;
		}
		exponent += shift;
	}
	for (int i = 0; i < LIMBS; i++)
		for (int digit = 8; digit >= 0; digit--, limbs[i] /= 10)
			digits[i * 9 + digit] = limbs[i] % 10;
	digits[LIMBS * 9] = 0;
}

/* Keeps the digits before index `end`, rounding half to even; digits[0] is always 0, so a carry has room. */
static void round_at(char *digits, int end)
{
	int exact = 1;

	if (end >= LIMBS * 9)
		return;
	for (int i = end + 1; i < LIMBS * 9; i++)
		exact &= !digits[i];
	int up = digits[end] > 5 || (digits[end] == 5 && (!exact || digits[end - 1] % 2));
	memset(digits + end, 0, LIMBS * 9 - end);
	for (int i = end - 1; up && i >= 0; i--)
		if (++digits[i] == 10)
			digits[i] = 0;
		else
			up = 0;
}

static int first_digit(const char *digits)
{
	for (int i = 0; i < LIMBS * 9; i++)
		if (digits[i])
			return i;
	return POINT - 1;
}

static void put_double(struct sink *sink, struct spec spec, double value, char conversion)
{
	const char *prefix = signbit(value) ? "-" : spec.plus ? "+" : spec.space ? " " : "";
	int upper = isupper(conversion), style = tolower(conversion);

	if (isnan(value) || isinf(value)) {
		spec.zero = 0;
		put_number(sink, &spec, prefix, isnan(value) ? upper ? "NAN" : "nan" : upper ? "INF" : "inf", 0);
		return;
	}
	static char digits[LIMBS * 9 + 1], body[POINT + LIMBS * 9 + 16];
	long precision = spec.precision < 0 ? 6 : spec.precision > 1100 ? 1100 : spec.precision;
	digits_of(fabs(value), digits);
	int strip = 0, first;
	if (style == 'g') {
		if (!precision)
			precision = 1;
		round_at(digits, first_digit(digits) + precision);
		int exponent = POINT - 1 - first_digit(digits);
		strip = !spec.alternate;
		style = exponent < -4 || exponent >= precision ? 'e' : 'f';
		precision = style == 'e' ? precision - 1 : precision - 1 - exponent;
	} else
		round_at(digits, (style == 'e' ? first_digit(digits) + 1 : POINT) + precision);
	first = first_digit(digits);

	char *to = body;
	int at = style == 'e' ? first : first < POINT ? first : POINT - 1;
	int whole_end = style == 'e' ? first + 1 : POINT;
	while (at < whole_end)
		*to++ = '0' + digits[at++];
	if (precision || spec.alternate)
		*to++ = '.';
	for (long i = 0; i < precision; i++, at++)
		*to++ = '0' + (at < LIMBS * 9 ? digits[at] : 0);
	if (strip && precision) {
		while (to[-1] == '0')
			to--;
		if (to[-1] == '.')
			to--;
	}
	*to = 0;
	if (style == 'e') {
		int exponent = POINT - 1 - first;
		snprintf(to, 8, "%c%c%02d", upper ? 'E' : 'e', exponent < 0 ? '-' : '+', abs(exponent));
	}
	put_number(sink, &spec, prefix, body, 0);
}

static void put_text(struct sink *sink, const struct spec *spec, const char *s, size_t length)
{
	long filler = spec->width > (long)length ? spec->width - (long)length : 0;

	if (!spec->left)
		pad(sink, ' ', filler);
	put(sink, s, length);
	if (spec->left)
		pad(sink, ' ', filler);
}

static long parse_number(const char **format, va_list *arguments)
{
	if (**format == '*') {
		++*format;
		return va_arg(*arguments, int);
	}
	return isdigit((unsigned char)**format) ? strtol(*format, (char **)format, 10) : 0;
}

static void convert(struct sink *sink, const char *format, va_list *arguments)
{
	while (*format) {
		size_t plain = strchrnul(format, '%') - format;
		put(sink, format, plain);
		format += plain;
		if (!*format++)
			return;

		struct spec spec = { .precision = -1 };
		for (;; format++) {
			if (*format == '-') spec.left = 1;
			else if (*format == '+') spec.plus = 1;
			else if (*format == ' ') spec.space = 1;
			else if (*format == '#') spec.alternate = 1;
			else if (*format == '0') spec.zero = 1;
			else break;
		}
		spec.width = parse_number(&format, arguments);
		if (spec.width < 0) {
			spec.left = 1;
			spec.width = -spec.width;
		}
		if (*format == '.') {
			format++;
			spec.precision = parse_number(&format, arguments);
		}
		int size = 4;
		for (;; format++) {
			if (*format == 'l' || *format == 'z' || *format == 'j' || *format == 't') size = 8;
			else if (*format == 'h') size /= 2;
			else break;
		}

		char conversion = *format++;
		switch (conversion) {
		case 'd':
		case 'i': {
			long value = size == 8 ? va_arg(*arguments, long) : va_arg(*arguments, int);
			if (size == 2) value = (short)value;
			if (size == 1) value = (signed char)value;
			put_integer(sink, spec, value < 0 ? -(unsigned long)value : (unsigned long)value, 10, 0,
				    value < 0 ? "-" : spec.plus ? "+" : spec.space ? " " : "");
			break;
		}
		case 'u':
		case 'o':
		case 'x':
		case 'X': {
			unsigned long value = size == 8 ? va_arg(*arguments, unsigned long) : va_arg(*arguments, unsigned);
			if (size == 2) value = (unsigned short)value;
			if (size == 1) value = (unsigned char)value;
			unsigned base = conversion == 'u' ? 10 : conversion == 'o' ? 8 : 16;
			const char *prefix = base == 16 && spec.alternate && value ? conversion == 'x' ? "0x" : "0X" : "";
			put_integer(sink, spec, value, base, conversion == 'X', prefix);
			break;
		}
		case 'p':
			put_integer(sink, spec, (unsigned long)va_arg(*arguments, void *), 16, 0, "0x");
			break;
		case 'c': {
			char c = va_arg(*arguments, int);
			put_text(sink, &spec, &c, 1);
			break;
		}
		case 's': {
			const char *s = va_arg(*arguments, const char *);
			if (!s)
				s = "(null)";
			put_text(sink, &spec, s, spec.precision < 0 ? strlen(s) : strnlen(s, spec.precision));
			break;
		}
		case 'e': case 'E': case 'f': case 'F': case 'g': case 'G':
			put_double(sink, spec, va_arg(*arguments, double), conversion);
			break;
		case 0:
			return;
		default:
			put(sink, &conversion, 1);
		}
	}
}

int vfprintf(FILE *file, const char *format, va_list arguments)
{
	struct sink sink = { .file = file };
	char line[512];
	va_list copy;

	va_copy(copy, arguments);
	if (file == stderr) { /* one write for one message, so that messages of several processes do not mix */
		sink = (struct sink){ .to = line, .size = sizeof line };
		convert(&sink, format, &copy);
		if (sink.length <= sizeof line) {
			fwrite(line, 1, sink.length, file);
			va_end(copy);
			return sink.length;
		}
		va_end(copy);
		va_copy(copy, arguments);
		sink = (struct sink){ .file = file };
	}
	convert(&sink, format, &copy);
	va_end(copy);
	return sink.length;
}

int vsnprintf(char *to, size_t size, const char *format, va_list arguments)
{
	struct sink sink = { .to = to, .size = size };
	va_list copy;

	va_copy(copy, arguments);
	convert(&sink, format, &copy);
	va_end(copy);
	if (size)
		to[sink.length < size ? sink.length : size - 1] = 0;
	return sink.length;
}

#define FORWARD(result)                 \
	va_list arguments;              \
	va_start(arguments, format);    \
	int length = (result);          \
	va_end(arguments);              \
	return length

int printf(const char *format, ...) { FORWARD(vfprintf(stdout, format, arguments)); }
int fprintf(FILE *file, const char *format, ...) { FORWARD(vfprintf(file, format, arguments)); }
int snprintf(char *to, size_t size, const char *format, ...) { FORWARD(vsnprintf(to, size, format, arguments)); }

int asprintf(char **to, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	int length = vsnprintf(0, 0, format, arguments);
	*to = malloc(length + 1);
	if (*to)
		vsnprintf(*to, length + 1, format, arguments);
	va_end(arguments);
	return *to ? length : -1;
}

int dprintf(int fd, const char *format, ...)
{
	char line[1024];
	va_list arguments;
	va_start(arguments, format);
	int length = vsnprintf(line, sizeof line, format, arguments);
	va_end(arguments);
	return write(fd, line, length < (int)sizeof line ? length : (int)sizeof line - 1);
}

/* Capture files in the pcap format: a header, then packets with a header each; of either byte order, in micro- or nanoseconds. */
#include "capture.h"
#include <stdlib.h>
#include <string.h>

enum { MAGIC = 0xa1b2c3d4, MAGIC_NANOSECONDS = 0xa1b23c4d, FILE_HEADER = 24, PACKET_HEADER = 16 };

static unsigned field(const struct capture_file *file, const unsigned char *from)
{
	return file->swapped ? get32(from) : (unsigned)from[3] << 24 | from[2] << 16 | from[1] << 8 | from[0];
}

int open_capture(struct capture_file *file, const char *path)
{
	unsigned char header[FILE_HEADER];

	memset(file, 0, sizeof *file);
	if (!(file->file = open_input(path)))
		return -1;
	if (fread(header, 1, sizeof header, file->file) != sizeof header)
		return -warn_text("%s: truncated dump file", path);
	file->swapped = get32(header) == MAGIC || get32(header) == MAGIC_NANOSECONDS;
	unsigned magic = field(file, header);
	file->nanoseconds = magic == MAGIC_NANOSECONDS;
	if (magic != MAGIC && !file->nanoseconds)
		return -warn_text("%s: unknown file format", path);
	file->limit = field(file, header + 16);
	if (!file->limit || file->limit > MOST_CAPTURED)
		file->limit = MOST_CAPTURED;
	file->link = field(file, header + 20) & 0xffff;
	if (file->link == 12 || file->link == 228)
		file->link = LINK_RAW;
	if (file->link != LINK_ETHERNET && file->link != LINK_RAW)
		return -warn_text("%s: link type %d is not known here", path, file->link);
	return (file->buffer = malloc(MOST_CAPTURED)) ? 0 : -warn_text("no memory");
}

int read_packet(struct capture_file *file, struct packet *packet)
{
	unsigned char header[PACKET_HEADER];
	size_t got = fread(header, 1, sizeof header, file->file);

	if (!got)
		return 0;
	*packet = (struct packet){ .bytes = file->buffer, .link = file->link };
	packet->seconds = field(file, header);
	packet->microseconds = field(file, header + 4);
	packet->captured = field(file, header + 8);
	packet->length = field(file, header + 12);
	if (file->nanoseconds)
		packet->microseconds /= 1000;
	if (got != sizeof header)
		return -warn_text("truncated dump file; tried to read 16 header bytes, only got %zu", got);
	if (packet->captured > MOST_CAPTURED)
		return -warn_text("invalid packet capture length %u, bigger than maximum of %d", packet->captured, MOST_CAPTURED);
	got = fread(file->buffer, 1, packet->captured, file->file);
	if (got != packet->captured)
		return -warn_text("truncated dump file; tried to read %u captured bytes, only got %zu", packet->captured, got);
	return 1;
}

static void store(unsigned char *to, unsigned value)
{
	to[0] = value, to[1] = value >> 8, to[2] = value >> 16, to[3] = value >> 24;
}

FILE *create_capture(const char *path, int link, unsigned limit)
{
	unsigned char header[FILE_HEADER] = { 0 };
	FILE *file = strcmp(path, "-") ? fopen(path, "w") : stdout;

	if (!file) {
		warn_file(path);
		return 0;
	}
	store(header, MAGIC);
	header[4] = 2, header[6] = 4; /* version 2.4 */
	store(header + 16, limit);
	store(header + 20, link);
	fwrite(header, 1, sizeof header, file);
	return file;
}

void write_packet(FILE *file, const struct packet *packet)
{
	unsigned char header[PACKET_HEADER];

	store(header, packet->seconds);
	store(header + 4, packet->microseconds);
	store(header + 8, packet->captured);
	store(header + 12, packet->length);
	fwrite(header, 1, sizeof header, file);
	fwrite(packet->bytes, 1, packet->captured, file);
}

/*
 * The heap.  Small blocks come from power-of-two lists fed by brk, large ones from mmap, each with one header word pair.
 * A freed small block goes back to its list and is never returned to the kernel; a freed large one is unmapped at once.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <errno.h>

#define SMALLEST 32ul              /* bytes in class 0, header included */
#define CLASSES 13
#define LARGE (SMALLEST << CLASSES) /* from 256 KiB on a block has a mapping of its own */
#define CHUNK (64ul << 10)          /* brk grows by at least this much */
#define MAPPED CLASSES
#define PAGE 4096ul

struct header {
	size_t size; /* of the whole block, header included */
	size_t class;
};
struct block {
	struct header header;
	struct block *next; /* while it is free */
};

static struct block *free_blocks[CLASSES];
static char *arena, *arena_end;

static struct block *carve(size_t size)
{
	if ((size_t)(arena_end - arena) < size) {
		size_t wanted = size > CHUNK ? size : CHUNK;
		char *fresh = sbrk(wanted);
		if (fresh == (char *)-1)
			return 0;
		if (fresh != arena_end)
			arena = (char *)(((unsigned long)fresh + 15) & ~15ul);
		arena_end = fresh + wanted;
		if ((size_t)(arena_end - arena) < size)
			return carve(size);
	}
	struct block *block = (struct block *)arena;
	arena += size;
	return block;
}

void *malloc(size_t wanted)
{
	size_t size = wanted + sizeof(struct header);

	if (size < wanted) {
		errno = ENOMEM;
		return 0;
	}
	if (size >= LARGE) {
		size = (size + PAGE - 1) & -PAGE;
		struct block *block = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (block == MAP_FAILED)
			return 0;
		block->header = (struct header){ size, MAPPED };
		return &block->next;
	}
	size_t class = 0;
	while (SMALLEST << class < size)
		class++;
	struct block *block = free_blocks[class];
	if (block)
		free_blocks[class] = block->next;
	else if (!(block = carve(SMALLEST << class)))
		return 0;
	block->header = (struct header){ SMALLEST << class, class };
	return &block->next;
}

static struct block *block_of(void *memory)
{
	return (struct block *)((char *)memory - sizeof(struct header));
}

void free(void *memory)
{
	if (!memory)
		return;
	struct block *block = block_of(memory);
	if (block->header.class == MAPPED) {
		munmap(block, block->header.size);
		return;
	}
	block->next = free_blocks[block->header.class];
	free_blocks[block->header.class] = block;
}

void *calloc(size_t count, size_t size)
{
	if (size && count > (size_t)-1 / size) {
		errno = ENOMEM;
		return 0;
	}
	void *memory = malloc(count * size);
	return memory ? memset(memory, 0, count * size) : 0;
}

void *realloc(void *memory, size_t size)
{
	if (!memory)
		return malloc(size);
	size_t room = block_of(memory)->header.size - sizeof(struct header);
	if (size <= room)
		return memory;
	void *moved = malloc(size);
	if (!moved)
		return 0;
	memcpy(moved, memory, room);
	free(memory);
	return moved;
}

/* Memory of the shell: regions that are freed whole, and the scratch stack. */
#include <stdlib.h>
#include <string.h>
#include "shell.h"

#define CHUNK 4000

struct chunk {
	struct chunk *below;
	size_t size, used, base; /* base: the bytes in all chunks below */
	char bytes[] __attribute__((aligned(16)));
};
struct region {
	struct chunk *top;
};

static struct region scratch;

struct region *region_new(void)
{
	return calloc(1, sizeof(struct region));
}

void *region_alloc(struct region *region, size_t size)
{
	struct chunk *top = region->top;

	size = (size + 15) & ~(size_t)15;
	if (!top || top->size - top->used < size) {
		size_t room = size > CHUNK ? size : CHUNK;
		struct chunk *chunk = malloc(sizeof *chunk + room);
		if (!chunk) {
			dprintf(2, "sh: out of memory\n");
			exit(2);
		}
		*chunk = (struct chunk){ .below = top, .size = room, .base = top ? top->base + top->used : 0 };
		region->top = top = chunk;
	}
	void *memory = top->bytes + top->used;
	top->used += size;
	return memset(memory, 0, size);
}

static void pop_to(struct region *region, size_t mark)
{
	while (region->top && region->top->base >= mark) {
		struct chunk *below = region->top->below;
		free(region->top);
		region->top = below;
	}
	if (region->top)
		region->top->used = mark - region->top->base;
}

void region_free(struct region *region)
{
	pop_to(region, 0);
	free(region);
}

void *scratch_alloc(size_t size)
{
	return region_alloc(&scratch, size);
}

char *scratch_copy(const char *s, size_t length)
{
	char *copy = scratch_alloc(length + 1);
	memcpy(copy, s, length);
	return copy;
}

size_t scratch_mark(void)
{
	return scratch.top ? scratch.top->base + scratch.top->used : 0;
}

void scratch_release(size_t mark)
{
	pop_to(&scratch, mark);
}

void text_add(struct text *text, const char *s, size_t length)
{
	if (text->length + length + 1 > text->capacity) {
		text->capacity = 2 * (text->length + length) + 32;
		char *grown = scratch_alloc(text->capacity);
		if (text->length)
			memcpy(grown, text->data, text->length);
		text->data = grown;
	}
	memcpy(text->data + text->length, s, length);
	text->length += length;
}

void text_char(struct text *text, char c)
{
	text_add(text, &c, 1);
}

char *text_end(struct text *text)
{
	text_add(text, "", 0);
	text->data[text->length] = 0;
	return text->data;
}

/* What compiled C needs of a C library. Copies and fills go by 8-byte words where both sides allow it; the heap is one pointer that moves up. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <venus.h>

#pragma GCC optimize("no-tree-loop-distribute-patterns") /* or the loops below would become calls of themselves */

extern uint8_t _kernel_heap_bottom[], _kernel_heap_top[];

#define ALIGN 16

struct block { /* before every allocation */
    uint64_t bytes, unused;
};
_Static_assert(sizeof(struct block) == ALIGN, "allocations stay aligned");

/* ---- Memory ---- */

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
    uint8_t *d = to;
    const uint8_t *s = from;
    if ((((uintptr_t)d ^ (uintptr_t)s) & 7) == 0) {
        for (; n && ((uintptr_t)d & 7); n--)
            *d++ = *s++;
        for (; n >= 8; n -= 8, d += 8, s += 8)
            *(uint64_t *)d = *(const uint64_t *)s;
    }
    for (; n; n--)
        *d++ = *s++;
    return to;
}

void *memmove(void *to, const void *from, size_t n)
{
    uint8_t *d = to;
    const uint8_t *s = from;
    if ((uintptr_t)d - (uintptr_t)s >= n)
        return memcpy(to, from, n);
    int words = (((uintptr_t)d ^ (uintptr_t)s) & 7) == 0;
    for (; n && (!words || ((uintptr_t)(d + n) & 7)); n--)
        d[n - 1] = s[n - 1];
    for (; n >= 8; n -= 8)
        *(uint64_t *)(d + n - 8) = *(const uint64_t *)(s + n - 8);
    for (; n; n--)
        d[n - 1] = s[n - 1];
    return to;
}

void *memset(void *to, int byte, size_t n)
{
    uint8_t *d = to;
    uint64_t word = (uint8_t)byte * UINT64_C(0x0101010101010101);
    for (; n && ((uintptr_t)d & 7); n--)
        *d++ = (uint8_t)byte;
    for (; n >= 8; n -= 8, d += 8)
        *(uint64_t *)d = word;
    for (; n; n--)
        *d++ = (uint8_t)byte;
    return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const uint8_t *x = a, *y = b;
    if ((((uintptr_t)x | (uintptr_t)y) & 7) == 0)
        for (; n >= 8 && *(const uint64_t *)x == *(const uint64_t *)y; n -= 8, x += 8, y += 8)
            continue;
    for (; n; n--, x++, y++)
        if (*x != *y)
            return *x - *y;
    return 0;
}

void *memchr(const void *p, int byte, size_t n)
{
    const uint8_t *x = p;
    for (; n; n--, x++)
        if (*x == (uint8_t)byte)
            return (void *)(uintptr_t)x;
    return NULL;
}

/* ---- Strings ---- */

size_t strlen(const char *s)
{
    const char *p = s;
    while (*p)
        p++;
    return (size_t)(p - s);
}

int strcmp(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return (uint8_t)*a - (uint8_t)*b;
}

int strncmp(const char *a, const char *b, size_t n)
{
    for (; n && *a && *a == *b; n--) {
        a++;
        b++;
    }
    return n ? (uint8_t)*a - (uint8_t)*b : 0;
}

char *strcpy(char *restrict to, const char *restrict from)
{
    memcpy(to, from, strlen(from) + 1);
    return to;
}

char *strchr(const char *s, int c)
{
    for (;; s++) {
        if (*s == (char)c)
            return (char *)(uintptr_t)s;
        if (!*s)
            return NULL;
    }
}

/* ---- Heap ---- */

static uint8_t *heap_next;

static struct block *block_of(void *p) { return (struct block *)p - 1; }

void *malloc(size_t n)
{
    if (!heap_next)
        heap_next = _kernel_heap_bottom;
    size_t left = (size_t)(_kernel_heap_top - heap_next);
    if (n > left || left - n < 2 * ALIGN)
        return NULL;
    struct block *b = (struct block *)heap_next;
    b->bytes = (n + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    heap_next += sizeof *b + b->bytes;
    return b + 1;
}

void *calloc(size_t n, size_t bytes)
{
    if (bytes && n > SIZE_MAX / bytes)
        return NULL;
    void *p = malloc(n * bytes);
    if (p)
        memset(p, 0, n * bytes);
    return p;
}

void free(void *p)
{
    if (p && (uint8_t *)p + block_of(p)->bytes == heap_next)
        heap_next = (uint8_t *)block_of(p);
}

void *realloc(void *p, size_t n)
{
    if (!p)
        return malloc(n);
    if (n <= block_of(p)->bytes)
        return p;
    size_t old = block_of(p)->bytes;
    if ((uint8_t *)p + old == heap_next) {
        free(p);
        void *same = malloc(n);
        if (!same)
            heap_next = (uint8_t *)p + old;
        return same;
    }
    void *q = malloc(n);
    if (q)
        memcpy(q, p, old);
    return q;
}

#ifndef VENUS_STDLIB_H
#define VENUS_STDLIB_H
/* The part of <stdlib.h> that guests have. The heap only grows: free gives back the block allocated last and nothing else. */

#include <stddef.h>

void *malloc(size_t n);
void *calloc(size_t n, size_t bytes);
void *realloc(void *p, size_t n);
void free(void *p);
_Noreturn void abort(void); /* a panic: no proof */
_Noreturn void exit(int code); /* 0 ends the program, anything else is a panic */

#endif

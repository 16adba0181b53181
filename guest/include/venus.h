#ifndef VENUS_H
#define VENUS_H
/* What a guest program may ask of the machine it is proved on. See docs/guest.md. */

#include <stddef.h>
#include <stdint.h>

/* The next input record, or NULL with *len = 0 when there is none left. The bytes stay valid and are read-only; they start 8-byte aligned. */
const uint8_t *venus_read_input(size_t *len);

/* Appends to the 256 public output bytes. Writing past them is a panic. */
void venus_write_output(const void *data, size_t len);

/* Sets public output number index (0..63), the four bytes at 4 * index, little endian. */
void venus_set_output(unsigned index, uint32_t value);

/* Prints on the console of whoever executes the program; no part of the proof. */
void venus_print(const char *text);

/* Ends the program without a proof, after printing the reason. */
_Noreturn void venus_panic(const char *reason);

#endif

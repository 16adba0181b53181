#ifndef VN_WORKER_PROGRAMS_H
#define VN_WORKER_PROGRAMS_H
/* Programs that the coordinator has sent, kept below the cache folder as programs/<id>.elf; the id is the SHA-256 of the file in hexadecimal digits. */

#include <stddef.h>
#include <stdint.h>

#include "libshared/status.h"

#define VN_PROGRAM_ID 65u     /* with its zero byte */
#define VN_PROGRAMS_KEPT 64u  /* beyond them the one unused for longest goes */

/* Errors: FORMAT: not an id, or not the program's; NOT_FOUND: there is no cache folder (cache_dir ""); IO. */
enum vn_status vn_program_store(const char *cache_dir, const char *id, const uint8_t *elf, size_t n_bytes, struct vn_error *err) VN_MUST_CHECK;
/* Where it lies. Errors: FORMAT, NOT_FOUND, LIMIT. */
enum vn_status vn_program_find(const char *cache_dir, const char *id, char *path, size_t path_len, struct vn_error *err) VN_MUST_CHECK;
/* Fills ids with what is there, at most VN_PROGRAMS_KEPT; returns how many. */
size_t vn_program_list(const char *cache_dir, char (*ids)[VN_PROGRAM_ID]);

#endif

#ifndef VN_SCHEDULER_PROGRAMS_H
#define VN_SCHEDULER_PROGRAMS_H
/* Guest programs that clients have registered. A program's id is the SHA-256 of its ELF file in hexadecimal digits; it is kept as <id>.elf in the programs
 * folder and sent to a worker before the first task that needs it there. */

#include "services/scheduler/scheduler.h"

#define VN_MAX_PROGRAM (64u << 20)  /* bytes of an ELF file */
#define VN_MAX_LINK_PROGRAMS 1024u  /* remembered of one worker; one forgotten is only sent again */

/* RegisterGuestProgram. The same program again is no error. */
void vn_program_request(struct vn_scheduler *s, struct vn_peer *p, const struct vn_bus_message *m);
/* "" is known: the workers' own. Errors: NOT_FOUND, ARGUMENT (not an id). */
enum vn_status vn_program_check(const struct vn_scheduler *s, const char *hash_id, struct vn_error *err) VN_MUST_CHECK;
/* Where the ELF file of a program lies. */
void vn_program_path(const struct vn_scheduler *s, const char *hash_id, char *path, size_t size);
/* Sends the job's program over the link if the worker does not have it yet. What goes wrong fails the job when things settle. */
void vn_program_send(struct vn_scheduler *s, struct vn_link *l, const struct vn_job *j);
/* The worker says what it has: at registration, and in the answer to a program. */
void vn_program_has(struct vn_scheduler *s, struct vn_link *l, const char *hash_id);
void vn_program_lacks(struct vn_link *l, const char *hash_id);
int vn_programs_settle(struct vn_scheduler *s);

#endif

#ifndef VN_STAGES_H
#define VN_STAGES_H
/* Where a prover's time goes: at its end a stage takes everything since the end of the one before. Only the thread that drives the prover may call. */

#define VN_MAX_STAGES 16

struct vn_stages {
    struct vn_stage_time {
        double wall, user, kernel; /* seconds; user and kernel are those of all threads of the process */
    } last;
    unsigned n;
    struct {
        const char *name; /* a literal */
        struct vn_stage_time time;
    } at[VN_MAX_STAGES];
};

/* Forgets the time since the last stage: what was done meanwhile belongs to none. s NULL: nothing. */
void vn_stages_resume(struct vn_stages *s);

/* Stage `name` ends here. Stages of one name are added up; beyond VN_MAX_STAGES names they are not kept. s NULL: nothing. */
void vn_stage(struct vn_stages *s, const char *name);

#endif

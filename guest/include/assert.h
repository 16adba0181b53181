/* A failed assertion is a panic: the program has no proof. */
#include <venus.h>
#undef assert
#ifdef NDEBUG
#define assert(condition) ((void)0)
#else
#define assert(condition) ((condition) ? (void)0 : venus_panic("assertion failed: " #condition))
#endif

#define _GNU_SOURCE
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <ftw.h>
#include <unistd.h>

uint8_t *fuzz_data(const char *name, size_t *len)
{
    const char *folder = getenv("VENUS_FUZZ_DATA");
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder ? folder : ".", name);
    FILE *f = fopen(path, "rb");
    if (!f || fseek(f, 0, SEEK_END) != 0) {
        fprintf(stderr, "%s is missing: run fuzz-seeds and set VENUS_FUZZ_DATA to its folder\n", path);
        exit(1);
    }
    long size = ftell(f);
    uint8_t *bytes = malloc((size_t)size + 1);
    rewind(f);
    if (!bytes || fread(bytes, 1, (size_t)size, f) != (size_t)size) {
        fprintf(stderr, "%s cannot be read\n", path);
        exit(1);
    }
    fclose(f);
    *len = (size_t)size;
    return bytes;
}

static char directory[64];

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void remove_directory(void)
{
    nftw(directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

const char *fuzz_directory(int *fd)
{
    if (!directory[0]) {
        snprintf(directory, sizeof directory, "/dev/shm/venus-fuzz-XXXXXX");
        if (!mkdtemp(directory)) {
            perror(directory);
            exit(1);
        }
        atexit(remove_directory);
    }
    if (fd && (*fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) {
        perror(directory);
        exit(1);
    }
    return directory;
}

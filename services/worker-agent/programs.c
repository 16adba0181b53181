/* A program is written under a temporary name and renamed, so several workers may share the folder. A file's time of change is that of its last use. */
#include "services/worker-agent/programs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libshared/file.h"

#define FOLDER "programs"
#define SUFFIX ".elf"

static int is_id(const char *id)
{
    return strlen(id) == VN_PROGRAM_ID - 1 && strspn(id, "0123456789abcdef") == VN_PROGRAM_ID - 1;
}

/* The id in a file's name; 0: it is none. */
static int id_of(const char *name, char id[VN_PROGRAM_ID])
{
    if (strlen(name) != VN_PROGRAM_ID - 1 + strlen(SUFFIX) || strcmp(name + VN_PROGRAM_ID - 1, SUFFIX) != 0)
        return 0;
    memcpy(id, name, VN_PROGRAM_ID - 1);
    id[VN_PROGRAM_ID - 1] = 0;
    return is_id(id);
}

static DIR *open_folder(const char *cache_dir)
{
    char path[4096];
    if (!cache_dir[0] || snprintf(path, sizeof path, "%s/" FOLDER, cache_dir) >= (int)sizeof path)
        return NULL;
    return opendir(path);
}

static int matches(const char *id, const uint8_t *elf, size_t n_bytes)
{
    uint8_t digest[SHA256_DIGEST_LENGTH];
    char text[VN_PROGRAM_ID];
    SHA256(elf, n_bytes, digest);
    for (unsigned i = 0; i < sizeof digest; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
    return strcmp(text, id) == 0;
}

/* Makes room for one more. */
static void evict(DIR *d)
{
    char id[VN_PROGRAM_ID], oldest[NAME_MAX + 1] = "";
    struct timespec since = {0};
    size_t n = 0;
    for (struct dirent *e; (e = readdir(d));) {
        struct stat st;
        if (!id_of(e->d_name, id) || fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        n++;
        int older = st.st_mtim.tv_sec < since.tv_sec || (st.st_mtim.tv_sec == since.tv_sec && st.st_mtim.tv_nsec < since.tv_nsec);
        if (!oldest[0] || older) {
            since = st.st_mtim;
            snprintf(oldest, sizeof oldest, "%s", e->d_name);
        }
    }
    if (n >= VN_PROGRAMS_KEPT)
        unlinkat(dirfd(d), oldest, 0);
}

enum vn_status vn_program_store(const char *cache_dir, const char *id, const uint8_t *elf, size_t n_bytes, struct vn_error *err)
{
    char folder[4096], name[VN_PROGRAM_ID + 8];
    if (!is_id(id) || !matches(id, elf, n_bytes))
        return vn_fail(err, VN_ERR_FORMAT, "the program is not the one that %.64s stands for", id);
    if (!cache_dir[0])
        return vn_fail(err, VN_ERR_NOT_FOUND, "this worker has no folder for programs; give one with --proving-key");
    if (snprintf(folder, sizeof folder, "%s/" FOLDER, cache_dir) >= (int)sizeof folder || (mkdir(folder, 0777) != 0 && errno != EEXIST))
        return vn_fail(err, VN_ERR_IO, "cannot create the folder for programs: %s", strerror(errno));
    DIR *d = opendir(folder);
    if (!d)
        return vn_fail(err, VN_ERR_IO, "cannot open the folder for programs: %s", strerror(errno));
    evict(d);
    snprintf(name, sizeof name, "%s" SUFFIX, id);
    enum vn_status s = vn_file_write(dirfd(d), name, elf, n_bytes, err);
    closedir(d);
    return s;
}

enum vn_status vn_program_find(const char *cache_dir, const char *id, char *path, size_t path_len, struct vn_error *err)
{
    if (!is_id(id))
        return vn_fail(err, VN_ERR_FORMAT, "%.64s is not the id of a program", id);
    if (snprintf(path, path_len, "%s/" FOLDER "/%s" SUFFIX, cache_dir, id) >= (int)path_len)
        return vn_fail(err, VN_ERR_LIMIT, "the path of the program is too long");
    if (!cache_dir[0] || utimensat(AT_FDCWD, path, NULL, 0) != 0)
        return vn_fail(err, VN_ERR_NOT_FOUND, "Program %s is not in this worker's cache", id);
    return VN_OK;
}

size_t vn_program_list(const char *cache_dir, char (*ids)[VN_PROGRAM_ID])
{
    DIR *d = open_folder(cache_dir);
    size_t n = 0;
    for (struct dirent *e; d && n < VN_PROGRAMS_KEPT && (e = readdir(d));)
        n += (size_t)id_of(e->d_name, ids[n]);
    if (d)
        closedir(d);
    return n;
}

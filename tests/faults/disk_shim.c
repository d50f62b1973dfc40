/* Records what a process does to the files below one folder, and makes single calls fail (LD_PRELOAD; Linux, glibc).
 *
 * shim_start(folder, trace) records into the file `trace`; shim_fail(n, error, count) lets the n-th to (n+count-1)-th
 * changing call from now on fail with `error`; shim_calls() is the number of changing calls since shim_fail.
 * A record: kind (1 byte), length of the path (2), offset (8), length of the data (4), path, data.
 * Kinds: W write, T truncate, S sync of a file, D sync of a folder, C create, R rename (data: the new path), U unlink.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FDS 4096
static char folder[PATH_MAX], paths[FDS][512];
static int trace = -1;
static long calls, fail_at = -1, fail_count, fail_error;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define REAL(type, name, ...) static type (*real)(__VA_ARGS__); if (!real) real = dlsym(RTLD_NEXT, name)

static int below(const char *path) { return *folder && strncmp(path, folder, strlen(folder)) == 0; }
static const char *path_of(int fd) { return fd >= 0 && fd < FDS && paths[fd][0] ? paths[fd] : NULL; }

static void put(const void *data, size_t size) {
    for (size_t done = 0; done < size;) {
        long n = syscall(SYS_write, trace, (const char *)data + done, size - done);
        if (n <= 0) abort();
        done += n;
    }
}

static void record(char kind, const char *path, uint64_t offset, const void *data, uint32_t size) {
    uint16_t length = strlen(path);
    if (trace < 0) return;
    pthread_mutex_lock(&lock);
    put(&kind, 1), put(&length, 2), put(&offset, 8), put(&size, 4), put(path, length), put(data, size);
    pthread_mutex_unlock(&lock);
}

/* Counts a changing call; whether it must fail. */
static int fails(void) {
    long n = __sync_add_and_fetch(&calls, 1);
    if (fail_at < 0 || n < fail_at || n >= fail_at + fail_count) return 0;
    errno = fail_error;
    return 1;
}

void shim_start(const char *name, const char *file) {
    trace = syscall(SYS_openat, AT_FDCWD, file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    snprintf(folder, sizeof folder, "%s", name);
}
void shim_fail(long n, int error, long count) { calls = 0, fail_at = n, fail_error = error, fail_count = count; }
long shim_calls(void) { return calls; }

static int opened(int fd, const char *path, int flags, int existed) {
    if (fd >= 0 && fd < FDS) {
        paths[fd][0] = 0;
        if (below(path)) {
            snprintf(paths[fd], sizeof paths[fd], "%s", path);
            if ((flags & O_CREAT) && !existed) record('C', path, 0, "", 0);
            if (flags & O_TRUNC) record('T', path, 0, "", 0);
        }
    }
    return fd;
}

#define OPEN(name) \
int name(const char *path, int flags, ...) { \
    REAL(int, #name, const char *, int, ...); \
    va_list more; va_start(more, flags); mode_t mode = va_arg(more, mode_t); va_end(more); \
    int changes = below(path) && (flags & O_CREAT), existed = changes && access(path, F_OK) == 0; \
    if (changes && !existed && fails()) return -1; \
    return opened(real(path, flags, mode), path, flags, existed); }
OPEN(open)
OPEN(open64)

#define OPENAT(name) \
int name(int at, const char *path, int flags, ...) { \
    REAL(int, #name, int, const char *, int, ...); \
    va_list more; va_start(more, flags); mode_t mode = va_arg(more, mode_t); va_end(more); \
    int changes = below(path) && (flags & O_CREAT), existed = changes && access(path, F_OK) == 0; \
    if (changes && !existed && fails()) return -1; \
    return opened(real(at, path, flags, mode), path, flags, existed); }
OPENAT(openat)
OPENAT(openat64)

int close(int fd) {
    REAL(int, "close", int);
    if (fd >= 0 && fd < FDS) paths[fd][0] = 0;
    return real(fd);
}

ssize_t write(int fd, const void *data, size_t size) {
    REAL(ssize_t, "write", int, const void *, size_t);
    const char *path = path_of(fd);
    if (!path) return real(fd, data, size);
    if (fails()) return -1;
    off_t offset = lseek(fd, 0, SEEK_CUR);
    if (fcntl(fd, F_GETFL) & O_APPEND) offset = lseek(fd, 0, SEEK_END);
    ssize_t done = real(fd, data, size);
    if (done > 0) record('W', path, offset, data, done);
    return done;
}

#define PWRITE(name) \
ssize_t name(int fd, const void *data, size_t size, off_t offset) { \
    REAL(ssize_t, #name, int, const void *, size_t, off_t); \
    const char *path = path_of(fd); \
    if (path && fails()) return -1; \
    ssize_t done = real(fd, data, size, offset); \
    if (path && done > 0) record('W', path, offset, data, done); \
    return done; }
PWRITE(pwrite)
PWRITE(pwrite64)

#define TRUNCATE(name) \
int name(int fd, off_t size) { \
    REAL(int, #name, int, off_t); \
    const char *path = path_of(fd); \
    if (path && fails()) return -1; \
    int done = real(fd, size); \
    if (path && done == 0) record('T', path, size, "", 0); \
    return done; }
TRUNCATE(ftruncate)
TRUNCATE(ftruncate64)

#define SYNC(name) \
int name(int fd) { \
    REAL(int, #name, int); \
    const char *path = path_of(fd); \
    struct stat about; \
    if (path && fails()) return -1; \
    int done = real(fd); \
    if (path && done == 0) record(fstat(fd, &about) == 0 && S_ISDIR(about.st_mode) ? 'D' : 'S', path, 0, "", 0); \
    return done; }
SYNC(fsync)
SYNC(fdatasync)

int rename(const char *from, const char *to) {
    REAL(int, "rename", const char *, const char *);
    if (below(to) && fails()) return -1;
    int done = real(from, to);
    if (done == 0 && below(to)) record('R', from, 0, to, strlen(to));
    return done;
}

int unlink(const char *path) {
    REAL(int, "unlink", const char *);
    if (below(path) && fails()) return -1;
    int done = real(path);
    if (done == 0 && below(path)) record('U', path, 0, "", 0);
    return done;
}

/* Makes calls of the C library fail in a process that is started with LD_PRELOAD: see faults.rs.
 *
 * The file that TRADEWIND_TEST_FAULTS names says what is planned, in one line:
 *
 *     NUMBER CALL ERRNO AFTER PATH
 *
 * the plan's own number; which call; the error it returns, or -1 to kill the process just before it; how many such
 * calls still succeed; and a part of the paths that it is about. Without the file nothing fails. The first failure
 * makes a file beside it, with `.hit` at the end of its name. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_long plan_number;
static atomic_long calls_seen;

static int read_plan(char *text, size_t size, const char *control) {
    long file = syscall(SYS_openat, AT_FDCWD, control, O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    long length = syscall(SYS_read, file, text, size - 1);
    syscall(SYS_close, file);
    text[length > 0 ? length : 0] = 0;
    return length > 0;
}

static void note_hit(const char *control) {
    char hit[PATH_MAX];
    snprintf(hit, sizeof hit, "%s.hit", control);
    long file = syscall(SYS_openat, AT_FDCWD, hit, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (file >= 0) syscall(SYS_close, file);
}

/* The error that this call is to return, 0 for none. Of `fd` and `path` one is given. */
static int planned(const char *call, int fd, const char *path) {
    const char *control = getenv("TRADEWIND_TEST_FAULTS");
    char text[PATH_MAX + 128], name[16], part[PATH_MAX], link[64], target[PATH_MAX];
    long number, error, after;
    if (!control || !read_plan(text, sizeof text, control)) return 0;
    if (sscanf(text, "%ld %15s %ld %ld %4095s", &number, name, &error, &after, part) != 5) return 0;
    if (strcmp(name, call) != 0) return 0;
    if (!path) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        long length = syscall(SYS_readlinkat, AT_FDCWD, link, target, sizeof target - 1);
        if (length <= 0) return 0;
        target[length] = 0;
        path = target;
    }
    if (!strstr(path, part)) return 0;
    if (atomic_exchange(&plan_number, number) != number) atomic_store(&calls_seen, 0);
    if (atomic_fetch_add(&calls_seen, 1) < after) return 0;
    note_hit(control);
    if (error < 0) kill(getpid(), SIGKILL);
    return (int)error;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define FAIL_IF_PLANNED(call, fd, path)            \
    do {                                           \
        int error = planned(call, fd, path);       \
        if (error) { errno = error; return -1; }   \
    } while (0)

int fsync(int fd) {
    FAIL_IF_PLANNED("sync", fd, NULL);
    return REAL(fsync)(fd);
}

int fdatasync(int fd) {
    FAIL_IF_PLANNED("sync", fd, NULL);
    return REAL(fdatasync)(fd);
}

ssize_t write(int fd, const void *bytes, size_t size) {
    FAIL_IF_PLANNED("write", fd, NULL);
    return REAL(write)(fd, bytes, size);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    FAIL_IF_PLANNED("write", fd, NULL);
    return REAL(writev)(fd, parts, count);
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at) {
    FAIL_IF_PLANNED("write", fd, NULL);
    return REAL(pwrite)(fd, bytes, size, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at) {
    FAIL_IF_PLANNED("write", fd, NULL);
    return REAL(pwrite64)(fd, bytes, size, at);
}

int ftruncate(int fd, off_t size) {
    FAIL_IF_PLANNED("truncate", fd, NULL);
    return REAL(ftruncate)(fd, size);
}

int ftruncate64(int fd, off64_t size) {
    FAIL_IF_PLANNED("truncate", fd, NULL);
    return REAL(ftruncate64)(fd, size);
}

int rename(const char *from, const char *to) {
    FAIL_IF_PLANNED("rename", -1, to);
    return REAL(rename)(from, to);
}

int unlink(const char *path) {
    FAIL_IF_PLANNED("unlink", -1, path);
    return REAL(unlink)(path);
}

/* Only what makes files counts. */
#define OPEN_LIKE(name)                                                \
    int name(const char *path, int flags, ...) {                       \
        va_list rest;                                                  \
        va_start(rest, flags);                                         \
        mode_t mode = va_arg(rest, mode_t);                            \
        va_end(rest);                                                  \
        if (flags & O_CREAT) FAIL_IF_PLANNED("create", -1, path);      \
        return REAL(name)(path, flags, mode);                          \
    }

OPEN_LIKE(open)
OPEN_LIKE(open64)

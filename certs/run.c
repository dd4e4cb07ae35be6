#include "certs/run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proxy/base/clock.h"

/* Rebuilding a system's bundle takes seconds on a slow disk. */
#define TIME_LIMIT_US (60 * 1000000ULL)

/* certutil that is refused a password repeats its question for ever. */
#define OUTPUT_LIMIT_BYTES (256 * 1024)

extern char **environ;

/* A file in memory and not a pipe, so that a tool can open its stdin again by name. */
static int input_file(struct span input)
{
    int fd = memfd_create("weir-input", MFD_CLOEXEC);

    if (fd < 0)
        return -1;
    if (write(fd, input.ptr, input.len) != (ssize_t)input.len || lseek(fd, 0, SEEK_SET) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static int spawn(const char *const argv[], int input_fd, int output_fd, pid_t *out_pid)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none;
    sigset_t all;
    int failed;

    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_adddup2(&files, input_fd, 0);
    posix_spawn_file_actions_adddup2(&files, output_fd, 1);
    posix_spawn_file_actions_adddup2(&files, output_fd, 2);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    failed = posix_spawnp(out_pid, argv[0], &files, &attributes, (char *const *)argv, environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    return failed;
}

/* Until the tool has closed its output. */
static bool collect(const char *tool, int fd, struct strbuf *out_output, struct err *err)
{
    uint64_t deadline_us = clock_mono_us() + TIME_LIMIT_US;

    for (;;) {
        uint64_t now_us = clock_mono_us();
        struct pollfd ready = { .fd = fd, .events = POLLIN };
        char chunk[4096];
        ssize_t n;

        if (now_us >= deadline_us)
            return err_set(err, ERR_TIMEOUT, "'%s' did not end within %llu s", tool, TIME_LIMIT_US / 1000000);
        if (poll(&ready, 1, (int)((deadline_us - now_us) / 1000) + 1) <= 0)
            continue;
        n = read(fd, chunk, sizeof chunk);
        if (n == 0)
            return true;
        if (n < 0 && errno != EINTR)
            return err_sys(err, errno, "reading what '%s' says", tool);
        if (n > 0)
            strbuf_add(out_output, span_make(chunk, (size_t)n));
        if (out_output->is_full)
            return err_set(err, ERR_LIMIT, "'%s' says more than %d bytes", tool, OUTPUT_LIMIT_BYTES);
    }
}

bool run_tool(const char *const argv[], struct span input, struct strbuf *out_output, int *out_status,
              struct err *err)
{
    int output[2] = { -1, -1 };
    int input_fd = input_file(input);
    bool ok = false;
    pid_t pid;
    pid_t ended;
    int failed;
    int status;

    strbuf_init(out_output, OUTPUT_LIMIT_BYTES);
    if (input_fd < 0 || pipe2(output, O_CLOEXEC) != 0) {
        err_sys(err, errno, "preparing to run '%s'", argv[0]);
        goto out;
    }
    failed = spawn(argv, input_fd, output[1], &pid);
    /* A folder of PATH that we may not enter turns "nowhere" into EACCES. */
    if (failed == ENOENT || (failed == EACCES && strchr(argv[0], '/') == NULL)) {
        err_set(err, ERR_FOUND, "there is no program '%s'", argv[0]);
        goto out;
    }
    if (failed != 0) {
        err_sys(err, failed, "running '%s'", argv[0]);
        goto out;
    }
    close(output[1]);
    output[1] = -1;
    ok = collect(argv[0], output[0], out_output, err);
    if (!ok)
        kill(-pid, SIGKILL); /* its session, and so what it started */
    while ((ended = waitpid(pid, &status, 0)) < 0 && errno == EINTR)
        continue;
    if (ended != pid) /* our caller ignores SIGCHLD, and the status is lost */
        ok = err_sys(err, errno, "waiting for '%s'", argv[0]);
    else
        *out_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
out:
    if (input_fd >= 0)
        close(input_fd);
    if (output[0] >= 0)
        close(output[0]);
    if (output[1] >= 0)
        close(output[1]);
    return ok;
}

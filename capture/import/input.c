#include "capture/import/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proxy/base/mem.h"

#define COPY_BYTES ((size_t)64 * 1024)

struct input {
    int fd; /* owned; -1: bytes */
    struct span bytes;
    uint64_t size;
    int failure; /* errno of a read; 0: none */
};

/* A pipe's bytes, in a file that nobody else can open. */
static bool copy_all(int from, int *out_fd, struct err *err)
{
    FILE *file = tmpfile();
    char *bytes = mem_alloc(COPY_BYTES);
    ssize_t got = -1;
    bool ok = file != NULL;

    while (ok && ((got = read(from, bytes, COPY_BYTES)) > 0 || (got < 0 && errno == EINTR)))
        ok = got < 0 || fwrite(bytes, 1, (size_t)got, file) == (size_t)got;
    ok = ok && got == 0 && fflush(file) == 0;
    if (ok)
        *out_fd = fcntl(fileno(file), F_DUPFD_CLOEXEC, 0);
    ok = ok && *out_fd >= 0;
    if (!ok)
        err_sys(err, errno, "copying what comes through a pipe");
    if (file != NULL)
        fclose(file);
    mem_free(bytes);
    return ok;
}

static bool open_fd(const char *path, int *out_fd, struct err *err)
{
    *out_fd =
        strcmp(path, "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0) : open(path, O_RDONLY | O_CLOEXEC);
    return *out_fd >= 0 || err_sys(err, errno, "reading '%s'", path);
}

bool input_open(const char *path, struct input **out_input, struct err *err)
{
    struct input *input = mem_new(struct input);
    struct stat status;
    int copy;

    if (!open_fd(path, &input->fd, err))
        goto fail;
    if (fstat(input->fd, &status) != 0) {
        err_sys(err, errno, "reading '%s'", path);
        goto fail;
    }
    if (S_ISDIR(status.st_mode)) {
        err_sys(err, EISDIR, "reading '%s'", path);
        goto fail;
    }
    if (!S_ISREG(status.st_mode)) {
        if (!copy_all(input->fd, &copy, err))
            goto fail;
        close(input->fd);
        input->fd = copy;
        if (fstat(input->fd, &status) != 0) {
            err_sys(err, errno, "reading '%s'", path);
            goto fail;
        }
    }
    input->size = (uint64_t)status.st_size;
    *out_input = input;
    return true;
fail:
    input_free(input);
    return false;
}

struct input *input_of(struct span bytes)
{
    struct input *input = mem_new(struct input);

    input->fd = -1;
    input->bytes = bytes;
    input->size = bytes.len;
    return input;
}

void input_free(struct input *input)
{
    if (input == NULL)
        return;
    if (input->fd >= 0)
        close(input->fd);
    mem_free(input);
}

uint64_t input_size(const struct input *input)
{
    return input->size;
}

static size_t read_file(struct input *input, uint64_t offset, char *out, size_t len)
{
    size_t done = 0;

    while (done < len) {
        ssize_t got = pread(input->fd, out + done, len - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            input->failure = errno;
        if (got <= 0)
            break;
        done += (size_t)got;
    }
    return done;
}

size_t input_read(struct input *input, uint64_t offset, char *out, size_t len)
{
    if (offset >= input->size)
        return 0;
    if (len > input->size - offset)
        len = (size_t)(input->size - offset);
    if (input->fd >= 0)
        return read_file(input, offset, out, len);
    memcpy(out, input->bytes.ptr + offset, len);
    return len;
}

bool input_check(const struct input *input, struct err *err)
{
    return input->failure == 0 || err_sys(err, input->failure, "reading the file");
}

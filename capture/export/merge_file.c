#include "capture/export/merge_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "proxy/base/mem.h"

static bool check_status(const char *path, const struct stat *status, struct err *err)
{
    if (!S_ISREG(status->st_mode))
        return err_set(err, ERR_USAGE, "'%s' is no file that something could be merged into", path);
    if (status->st_size > (off_t)MERGE_MAX_BYTES)
        return err_set(err, ERR_LIMIT, "'%s' has %lld MiB: more than %u can't be merged into", path,
                       (long long)(status->st_size >> 20), MERGE_MAX_BYTES >> 20);
    return true;
}

static bool read_all(int fd, const char *path, struct merge_file *file, struct err *err)
{
    size_t size = (size_t)file->status.st_size;
    ssize_t got = 1;

    file->bytes = mem_alloc(size + 1);
    while (file->len < size && got > 0) {
        got = read(fd, file->bytes + file->len, size - file->len);
        if (got > 0)
            file->len += (size_t)got;
        else if (got < 0 && errno == EINTR)
            got = 1;
    }
    if (got < 0)
        return err_sys(err, errno, "can't read '%s'", path);
    file->bytes[file->len] = '\0';
    return true;
}

static bool parse(struct merge_file *file, struct err *err)
{
    if (!json_tree_new(span_make(file->bytes, file->len), &file->nodes, err)) {
        err_add(err, "'%s' can't be merged into", file->path);
        return false;
    }
    file->document = json_tree_load(file->nodes, 0);
    return file->document != NULL ||
           err_set(err, ERR_PROTO, "'%s' can't be merged into: a number in it is out of range", file->path);
}

bool merge_file_read(const char *path, struct merge_file *out_file, struct err *err)
{
    struct merge_file file = { .path = mem_strdup(path) };
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool ok;

    if (fd < 0 && errno == ENOENT)
        ok = true;
    else if (fd < 0 || fstat(fd, &file.status) != 0)
        ok = err_sys(err, errno, "can't read '%s'", path);
    else
        ok = check_status(path, &file.status, err) && read_all(fd, path, &file, err) && parse(&file, err);
    if (fd >= 0)
        close(fd);
    if (!ok)
        merge_file_clear(&file);
    *out_file = file;
    return ok;
}

void merge_file_clear(struct merge_file *file)
{
    json_tree_free(file->nodes);
    json_decref(file->document);
    mem_free(file->bytes);
    mem_free(file->path);
    *file = (struct merge_file){ .path = NULL };
}

bool merge_file_check(const struct merge_file *file, struct err *err)
{
    struct stat now;
    bool is_there = stat(file->path, &now) == 0;

    if (file->nodes == NULL)
        return !is_there || err_set(err, ERR_SYS, "'%s' came to be meanwhile: export again", file->path);
    if (is_there && now.st_ino == file->status.st_ino && now.st_size == file->status.st_size &&
        now.st_mtim.tv_sec == file->status.st_mtim.tv_sec &&
        now.st_mtim.tv_nsec == file->status.st_mtim.tv_nsec)
        return true;
    return err_set(err, ERR_SYS, "'%s' was changed meanwhile: export again", file->path);
}

size_t merge_file_line(const struct merge_file *file, size_t at)
{
    size_t line = 1;

    for (size_t i = 0; i < at && i < file->len; i++)
        line += file->bytes[i] == '\n';
    return line;
}

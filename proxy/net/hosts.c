#include "proxy/net/hosts.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "proxy/base/mem.h"
#include "proxy/base/table.h"

struct host {
    UT_hash_handle hh;
    struct address *addresses;
    unsigned count;
    char name[]; /* lower case */
};

struct hosts {
    char *path;
    struct file_mark mark;
    struct host *names;
};

struct file_mark file_mark(const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return (struct file_mark){ 0 };
    return (struct file_mark){ st.st_dev, st.st_ino, (uint64_t)st.st_size,
                               (uint64_t)st.st_mtim.tv_sec * 1000000000 + (uint64_t)st.st_mtim.tv_nsec };
}

bool file_mark_eq(struct file_mark a, struct file_mark b)
{
    return a.device == b.device && a.inode == b.inode && a.size == b.size && a.changed_ns == b.changed_ns;
}

static void forget(struct hosts *hosts)
{
    struct host *host, *next;

    HASH_ITER (hh, hosts->names, host, next) {
        HASH_DEL(hosts->names, host);
        mem_free(host->addresses);
        mem_free(host);
    }
}

static void to_lower(char *text)
{
    for (; *text != '\0'; text++)
        *text = (char)tolower((unsigned char)*text);
}

static void add(struct hosts *hosts, const char *name, const struct address *address)
{
    struct host *host;
    size_t len = strlen(name);

    HASH_FIND(hh, hosts->names, name, len, host);
    if (host == NULL) {
        host = mem_zalloc(sizeof *host + len + 1);
        memcpy(host->name, name, len + 1);
        HASH_ADD_KEYPTR(hh, hosts->names, host->name, len, host);
    }
    host->addresses = mem_realloc(host->addresses, (host->count + 1) * sizeof *address);
    host->addresses[host->count++] = *address;
}

/* "127.0.0.1  name alias  # comment" */
static void read_line(struct hosts *hosts, char *line)
{
    struct address address;
    char *rest = NULL;
    char *word;

    line[strcspn(line, "#\r\n")] = '\0';
    word = strtok_r(line, " \t", &rest);
    if (word == NULL || !address_parse(word, 0, &address))
        return;
    while ((word = strtok_r(NULL, " \t", &rest)) != NULL) {
        to_lower(word);
        add(hosts, word, &address);
    }
}

bool hosts_refresh(struct hosts *hosts)
{
    struct file_mark mark = file_mark(hosts->path);
    char *line = NULL;
    size_t cap = 0;
    FILE *file;

    if (file_mark_eq(mark, hosts->mark))
        return false;
    hosts->mark = mark;
    forget(hosts);
    file = fopen(hosts->path, "re");
    if (file == NULL)
        return true;
    while (getline(&line, &cap, file) > 0)
        read_line(hosts, line);
    free(line);
    fclose(file);
    return true;
}

struct hosts *hosts_new(const char *path)
{
    struct hosts *hosts = mem_new(struct hosts);

    hosts->path = mem_strdup(path);
    hosts_refresh(hosts);
    return hosts;
}

void hosts_free(struct hosts *hosts)
{
    if (hosts == NULL)
        return;
    forget(hosts);
    mem_free(hosts->path);
    mem_free(hosts);
}

unsigned hosts_find(const struct hosts *hosts, const char *name, const struct address **out_addresses)
{
    char lower[256];
    struct host *host = NULL;
    size_t len = strlen(name);

    if (len >= sizeof lower)
        return 0;
    memcpy(lower, name, len + 1);
    to_lower(lower);
    HASH_FIND(hh, hosts->names, lower, len, host);
    if (host == NULL)
        return 0;
    *out_addresses = host->addresses;
    return host->count;
}

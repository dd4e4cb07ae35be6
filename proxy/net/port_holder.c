/* The system lists listening sockets by inode and the descriptors of processes as links to inodes: look for
 * the first, then for who has it. */
#include "proxy/net/port_holder.h"

#include <ctype.h>
#include <dirent.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The state of a listening socket in /proc/net/tcp: TCP_LISTEN of the kernel. */
#define STATE_LISTEN 0x0a

/* An address as /proc/net/tcp writes it: 32 bit words of network order, read as numbers of this machine. */
static void hex_address(const struct address *address, char *out, size_t out_size)
{
    uint32_t words[4] = { 0 };

    if (address->sa.ss_family == AF_INET) {
        memcpy(words, &((const struct sockaddr_in *)&address->sa)->sin_addr, 4);
        snprintf(out, out_size, "%08X", words[0]);
    } else {
        memcpy(words, &((const struct sockaddr_in6 *)&address->sa)->sin6_addr, 16);
        snprintf(out, out_size, "%08X%08X%08X%08X", words[0], words[1], words[2], words[3]);
    }
}

static bool is_any(const char *hex)
{
    return strspn(hex, "0") == strlen(hex);
}

/* Of different families only the wildcards stand in each other's way. */
static bool in_the_way(const char *theirs, const char *ours)
{
    return strcmp(theirs, ours) == 0 || is_any(theirs) || is_any(ours);
}

static bool find_inode(const char *table, const struct address *address, unsigned long *out_inode)
{
    FILE *file = fopen(table, "re");
    char line[512], ours[33];
    bool found = false;

    if (file == NULL)
        return false;
    hex_address(address, ours, sizeof ours);
    while (!found && fgets(line, sizeof line, file) != NULL) {
        char theirs[33];
        unsigned port, state;

        /* sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode */
        found = sscanf(line, " %*u: %32[0-9A-F]:%x %*[0-9A-F]:%*x %x %*s %*s %*s %*u %*u %lu", theirs, &port,
                       &state, out_inode) == 4 &&
                state == STATE_LISTEN && port == address_port(address) && in_the_way(theirs, ours);
    }
    fclose(file);
    return found;
}

static bool has_socket(const char *pid, const char *link)
{
    char path[64], target[64];
    DIR *dir;
    struct dirent *entry;
    bool found = false;

    snprintf(path, sizeof path, "/proc/%.20s/fd", pid);
    dir = opendir(path);
    if (dir == NULL)
        return false;
    while (!found && (entry = readdir(dir)) != NULL) {
        ssize_t len = readlinkat(dirfd(dir), entry->d_name, target, sizeof target - 1);
        if (len < 0)
            continue;
        target[len] = '\0';
        found = strcmp(target, link) == 0;
    }
    closedir(dir);
    return found;
}

static void name_process(const char *pid, char *out, size_t out_size)
{
    char path[64], name[64] = "?";
    FILE *file;

    snprintf(path, sizeof path, "/proc/%.20s/comm", pid);
    file = fopen(path, "re");
    if (file != NULL) {
        if (fgets(name, sizeof name, file) != NULL)
            name[strcspn(name, "\n")] = '\0';
        fclose(file);
    }
    snprintf(out, out_size, "pid %.20s (%s)", pid, name);
}

bool port_holder_find(const struct address *address, char *out, size_t out_size)
{
    bool is_v4 = address->sa.ss_family == AF_INET;
    const char *own = is_v4 ? "/proc/net/tcp" : "/proc/net/tcp6";
    const char *other = is_v4 ? "/proc/net/tcp6" : "/proc/net/tcp";
    unsigned long inode = 0;
    char link[64];
    DIR *proc;
    struct dirent *entry;
    bool found = false;

    if (!find_inode(own, address, &inode) && !find_inode(other, address, &inode))
        return false;
    snprintf(link, sizeof link, "socket:[%lu]", inode);
    proc = opendir("/proc");
    if (proc == NULL)
        return false;
    while (!found && (entry = readdir(proc)) != NULL) {
        found = isdigit((unsigned char)entry->d_name[0]) && has_socket(entry->d_name, link);
        if (found)
            name_process(entry->d_name, out, out_size);
    }
    closedir(proc);
    return found;
}

// SPDX-License-Identifier: MIT
/*
 * Stands in for libxengnttab and libxenevtchn where there is no Xen. The tests of the ports' native half check the
 * arguments, the order of the calls, and the handling of failures. The stand-in counts open handles and mappings, and
 * aborts on misuse that crashes the real libraries.
 *
 * Domain 3 grants references 100 to 199; page REF holds REF in its first word. Ports 1 to 9 of domain 3 can be bound.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xenevtchn.h>
#include <xengnttab.h>
#include <xentoollog.h>

#define PAGE 4096
#define MAPPINGS 16
#define PORTS 64

struct xengntdev_handle { struct xentoollog_logger *logger; };

static struct { void *start; uint32_t count; } mappings[MAPPINGS];
int fake_handles, fake_mapped, fake_prot;

static void *map(uint32_t count, int prot) {
    for (int i = 0; i < MAPPINGS; i++) {
        if (mappings[i].start) continue;
        void *start = mmap(NULL, count * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (start == MAP_FAILED) return NULL;
        mappings[i].start = start;
        mappings[i].count = count;
        fake_mapped++;
        fake_prot = prot;
        return start;
    }
    errno = ENOSPC;
    return NULL;
}

static int unmap(void *start, uint32_t count) {
    for (int i = 0; i < MAPPINGS; i++) {
        if (mappings[i].start != start || mappings[i].count != count) continue;
        mappings[i].start = NULL;
        fake_mapped--;
        return munmap(start, count * PAGE);
    }
    errno = EINVAL;
    return -1;
}

static struct xengntdev_handle *open_handle(struct xentoollog_logger *logger) {
    struct xengntdev_handle *handle = malloc(sizeof *handle);
    handle->logger = logger;
    fake_handles++;
    return handle;
}

static int close_handle(struct xengntdev_handle *handle) {
    if (fake_mapped) abort(); /* no handle is left to unmap these pages */
    fake_handles--;
    free(handle);
    return 0;
}

/* Reports a failure as the real library does. */
static void complain(struct xentoollog_logger *logger, ...) {
    va_list al;
    va_start(al, logger);
    logger->vmessage(logger, XTL_ERROR, errno, "gnttab", "failed", al);
    va_end(al);
}

xengnttab_handle *xengnttab_open(struct xentoollog_logger *logger, unsigned flags) { return open_handle(logger); }
int xengnttab_close(xengnttab_handle *xgt) { return close_handle(xgt); }
int xengnttab_set_max_grants(xengnttab_handle *xgt, uint32_t count) { return 0; }
int xengnttab_unmap(xengnttab_handle *xgt, void *start, uint32_t count) { return unmap(start, count); }

void *xengnttab_map_domain_grant_refs(xengnttab_handle *xgt, uint32_t count, uint32_t domid, uint32_t *refs, int prot) {
    for (uint32_t i = 0; i < count; i++) {
        if (domid == 3 && refs[i] >= 100 && refs[i] < 200) continue;
        errno = EINVAL;
        complain(xgt->logger);
        errno = EINVAL;
        return NULL;
    }
    char *start = map(count, prot);
    for (uint32_t i = 0; start && i < count; i++) memcpy(start + i * PAGE, &refs[i], sizeof refs[i]);
    return start;
}

void *xengnttab_map_grant_ref(xengnttab_handle *xgt, uint32_t domid, uint32_t ref, int prot) { abort(); }
void *xengnttab_map_grant_refs(xengnttab_handle *xgt, uint32_t n, uint32_t *domids, uint32_t *refs, int prot) { abort(); }
void *xengnttab_map_grant_ref_notify(xengnttab_handle *xgt, uint32_t domid, uint32_t ref, int prot, uint32_t offset,
                                     evtchn_port_t port) { abort(); }

xengntshr_handle *xengntshr_open(struct xentoollog_logger *logger, unsigned flags) { return open_handle(logger); }
int xengntshr_close(xengntshr_handle *xgs) { return close_handle(xgs); }
int xengntshr_unshare(xengntshr_handle *xgs, void *start, uint32_t count) { return unmap(start, count); }

void *xengntshr_share_pages(xengntshr_handle *xgs, uint32_t domid, int count, uint32_t *refs, int writable) {
    if (count > 8) {
        errno = ENOSPC;
        complain(xgs->logger);
        errno = ENOSPC;
        return NULL;
    }
    for (int i = 0; i < count; i++) refs[i] = 1000 * domid + i;
    return map(count, writable);
}

void *xengntshr_share_page_notify(xengntshr_handle *xgs, uint32_t domid, uint32_t *ref, int writable, uint32_t offset,
                                  evtchn_port_t port) { abort(); }

/* A handle's events are port numbers in a pipe. A port is masked from delivery until the caller unmasks it. */
struct xenevtchn_handle { int pipe[2]; struct { int bound, masked, again; } port[PORTS]; };

static int deliver(xenevtchn_handle *xce, evtchn_port_t port) {
    if (xce->port[port].masked) {
        xce->port[port].again = 1;
        return 0;
    }
    xce->port[port].masked = 1;
    return write(xce->pipe[1], &port, sizeof port) == sizeof port ? 0 : -1;
}

static int is_bound(xenevtchn_handle *xce, evtchn_port_t port) {
    if (port < PORTS && xce->port[port].bound) return 1;
    errno = ENOTCONN;
    return 0;
}

static int bind_port(xenevtchn_handle *xce) {
    for (int i = 10; i < PORTS; i++) {
        if (xce->port[i].bound) continue;
        xce->port[i].bound = 1;
        xce->port[i].masked = xce->port[i].again = 0;
        return i;
    }
    errno = ENOSPC;
    return -1;
}

xenevtchn_handle *xenevtchn_open(struct xentoollog_logger *logger, unsigned flags) {
    xenevtchn_handle *xce = calloc(1, sizeof *xce);
    if (pipe(xce->pipe)) abort();
    fake_handles++;
    return xce;
}

int xenevtchn_close(xenevtchn_handle *xce) {
    close(xce->pipe[0]);
    close(xce->pipe[1]);
    free(xce);
    fake_handles--;
    return 0;
}

int xenevtchn_fd(xenevtchn_handle *xce) { return xce->pipe[0]; }
xenevtchn_port_or_error_t xenevtchn_bind_unbound_port(xenevtchn_handle *xce, uint32_t domid) { return bind_port(xce); }
xenevtchn_port_or_error_t xenevtchn_bind_virq(xenevtchn_handle *xce, unsigned virq) { abort(); }

xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *xce, uint32_t domid, evtchn_port_t remote) {
    if (domid == 3 && remote > 0 && remote < 10) return bind_port(xce);
    errno = EINVAL;
    return -1;
}

int xenevtchn_unbind(xenevtchn_handle *xce, evtchn_port_t port) {
    if (!is_bound(xce, port)) return -1;
    xce->port[port].bound = 0;
    return 0;
}

/* The notified end is this end: the event comes back. */
int xenevtchn_notify(xenevtchn_handle *xce, evtchn_port_t port) { return is_bound(xce, port) ? deliver(xce, port) : -1; }

xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *xce) {
    struct pollfd fd = { .fd = xce->pipe[0], .events = POLLIN };
    evtchn_port_t port;
    if (poll(&fd, 1, 0) != 1) abort(); /* the real library blocks here */
    return read(xce->pipe[0], &port, sizeof port) == sizeof port ? (int)port : -1;
}

int xenevtchn_unmask(xenevtchn_handle *xce, evtchn_port_t port) {
    if (!is_bound(xce, port)) return -1;
    xce->port[port].masked = 0;
    if (!xce->port[port].again) return 0;
    xce->port[port].again = 0;
    return deliver(xce, port);
}

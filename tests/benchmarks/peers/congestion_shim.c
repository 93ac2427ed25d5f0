// SPDX-License-Identifier: Apache-2.0
// Preloaded into a program: all of its TCP sockets use the congestion control that $CONGESTION
// names.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

int socket(int domain, int type, int protocol) {
  static int (*original)(int, int, int);
  if (!original) original = (int (*)(int, int, int))dlsym(RTLD_NEXT, "socket");
  const int descriptor = original(domain, type, protocol);
  const char* name = getenv("CONGESTION");
  if (descriptor >= 0 && name && (domain == AF_INET || domain == AF_INET6) &&
      (type & 0xf) == SOCK_STREAM)
    setsockopt(descriptor, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name));
  return descriptor;
}

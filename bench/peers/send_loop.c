/* The minimum of a server that calls send() once per delivery: no WebSocket, no rooms, nothing stored.
 * Its time is the cost of the system calls. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST_MEMBERS 65536

static int members[MOST_MEMBERS];
static int count;

static void leave(int socket) {
    for (int i = 0; i < count; i++)
        if (members[i] == socket) members[i] = members[--count];
    close(socket);
}

/* A member whose buffer is full misses the line, and the bench reports it as lost. */
static void broadcast(const char *line, size_t size) {
    for (int i = 0; i < count; i++)
        if (send(members[i], line, size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno != EAGAIN) perror("send");
}

static void hear(int socket, const char *line, size_t size) {
    if (size != 6 || memcmp(line, "HELLO\n", 6) != 0) {
        broadcast(line, size);
    } else if (count < MOST_MEMBERS) {
        members[count++] = socket;
        if (send(socket, "JOINED\n", 7, MSG_NOSIGNAL) != 7) leave(socket);
    }
}

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0), poll = epoll_create1(0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 1024)) {
        perror("send_loop");
        return 1;
    }
    struct epoll_event interest = {.events = EPOLLIN, .data.fd = listener}, ready[256];
    epoll_ctl(poll, EPOLL_CTL_ADD, listener, &interest);

    for (;;) {
        int n = epoll_wait(poll, ready, 256, -1);
        for (int i = 0; i < n; i++) {
            int socket = ready[i].data.fd;
            if (socket == listener) {
                int member = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
                if (member < 0) continue;
                setsockopt(member, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                interest.data.fd = member;
                epoll_ctl(poll, EPOLL_CTL_ADD, member, &interest);
                continue;
            }
            /* The bench writes complete lines, and fewer bytes at a time than this buffer holds. */
            char lines[65536], *line = lines, *end;
            ssize_t size = recv(socket, lines, sizeof lines, 0);
            if (size <= 0) leave(socket);
            while (size > 0 && (end = memchr(line, '\n', lines + size - line))) {
                hear(socket, line, end + 1 - line);
                line = end + 1;
            }
        }
    }
}

/* Reads and discards everything: shows what attackers cost a machine, whatever server they attack. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* An answer for clients that wait for one before they send more. */
static const char answer[] =
    "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n";

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    static char data[262144];
    int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0), poll = epoll_create1(0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 1024)) {
        perror("discard");
        return 1;
    }
    struct epoll_event interest = {.events = EPOLLIN, .data.fd = listener}, ready[64];
    epoll_ctl(poll, EPOLL_CTL_ADD, listener, &interest);

    for (;;) {
        int n = epoll_wait(poll, ready, 64, -1);
        for (int i = 0; i < n; i++) {
            int client = ready[i].data.fd;
            if (client == listener) {
                if ((client = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) < 0) continue;
                if (send(client, answer, sizeof answer - 1, MSG_NOSIGNAL) < 0) perror("send");
                interest.data.fd = client;
                epoll_ctl(poll, EPOLL_CTL_ADD, client, &interest);
            } else if (recv(client, data, sizeof data, 0) <= 0) {
                close(client);
            }
        }
    }
}

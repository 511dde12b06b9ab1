// The chat of Socket.IO's documentation, on several nodes: rooms, and the Redis adapter.
const { createServer } = require("node:http");
const { createAdapter } = require("@socket.io/redis-adapter");
const { createClient } = require("redis");
const { Server } = require("socket.io");

async function main() {
  const publisher = createClient({ url: process.env.REDIS_URL });
  const subscriber = publisher.duplicate();
  await Promise.all([publisher.connect(), subscriber.connect()]);
  const http = createServer();
  const io = new Server(http, { adapter: createAdapter(publisher, subscriber) });

  io.on("connection", (socket) => {
    socket.on("join", async (room, joined) => {
      await socket.join(room);
      joined(room);
    });
    socket.on("message", ({ room, text }) => {
      io.to(room).emit("message", { user: socket.id, room, text });
    });
  });
  http.listen(Number(process.argv[2]), "127.0.0.1");
}

main();

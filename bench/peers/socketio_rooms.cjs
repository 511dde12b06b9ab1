// The chat of Socket.IO's documentation, on several nodes: rooms, and the Redis adapter. With DATABASE_URL each message
// is stored before it is emitted.
const { createServer } = require("node:http");
const { createAdapter } = require("@socket.io/redis-adapter");
const { Pool } = require("pg");
const { createClient } = require("redis");
const { Server } = require("socket.io");

const CREATE = `CREATE TABLE IF NOT EXISTS messages
  (id bigserial PRIMARY KEY, room text, sender text, text text, sent timestamptz DEFAULT now())`;
const INSERT = { name: "insert", text: "INSERT INTO messages (room, sender, text) VALUES ($1, $2, $3)" };

async function main() {
  const publisher = createClient({ url: process.env.REDIS_URL });
  const subscriber = publisher.duplicate();
  await Promise.all([publisher.connect(), subscriber.connect()]);
  const database = process.env.DATABASE_URL ? new Pool({ connectionString: process.env.DATABASE_URL }) : null;
  await database?.query(CREATE);
  const http = createServer();
  // The load generator answers no pings: no measurement may last until the server misses one.
  const io = new Server(http, { adapter: createAdapter(publisher, subscriber), pingTimeout: 600_000 });

  io.on("connection", (socket) => {
    socket.on("join", async (room, joined) => {
      await socket.join(room);
      joined(room);
    });
    socket.on("message", async ({ room, text }) => {
      if (database) await database.query({ ...INSERT, values: [room, socket.id, text] });
      io.to(room).emit("message", { user: socket.id, room, text });
    });
  });
  http.listen(Number(process.argv[2]), "127.0.0.1");
}

main();

// The broadcast server from the documentation of `ws`, with rooms.
const { WebSocket, WebSocketServer } = require("ws");

const rooms = new Map();
const server = new WebSocketServer({ host: "127.0.0.1", port: Number(process.argv[2]) });

server.on("connection", (socket, request) => {
  const [, , room, user] = request.url.split("/");
  if (!rooms.has(room)) rooms.set(room, new Set());
  const members = rooms.get(room);
  members.add(socket);

  socket.on("error", console.error);
  socket.on("close", () => {
    members.delete(socket);
    if (members.size === 0) rooms.delete(room);
  });
  socket.on("message", (data) => {
    const { text } = JSON.parse(data);
    const message = JSON.stringify({ type: "message", room, user, text });
    for (const member of members) {
      if (member.readyState === WebSocket.OPEN) member.send(message);
    }
  });
});

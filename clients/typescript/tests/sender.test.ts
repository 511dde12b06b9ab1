import { beforeEach, expect, it } from 'vitest';
import { Pace, Sender, type Command } from 'hubbub-client';
import { HandClock, welcome } from './world.js';

const limits = { ...welcome.limits, rate: 10, burst: 6, unanswered: 4 };

let clock: HandClock;
let sent: Command[];
let sender: Sender;

beforeEach(() => {
  clock = new HandClock();
  sent = [];
  sender = new Sender(clock, (command) => sent.push(command) > 0);
  sender.begin(limits);
});

const ping: Command = { type: 'ping' };
const typing: Command = { type: 'typing', room: 'general' };

it('sends half of the burst at once, and the rest at the rate of the server', () => {
  for (let index = 0; index < 6; index += 1) expect(sender.send(ping)).toBe(true);
  expect(sent).toHaveLength(3);
  clock.pass(99);
  expect(sent).toHaveLength(3);
  clock.pass(1);
  expect(sent).toHaveLength(4);
  clock.pass(200);
  expect(sent).toHaveLength(6);
});

it('keeps the order of the commands', () => {
  for (const room of 'abcdef') sender.send({ type: 'leave', room });
  clock.pass(1_000);
  expect(sent).toEqual([...'abcdef'].map((room) => ({ type: 'leave', room })));
});

it('waits for answers when the server accepts no more commands without them', () => {
  for (const id of ['1', '2', '3', '4', '5']) sender.send({ ...ping, id });
  clock.pass(10_000);
  expect(sent.map(({ id }) => id)).toEqual(['1', '2', '3', '4']);
  sender.answered('2');
  expect(sent.map(({ id }) => id)).toEqual(['1', '2', '3', '4', '5']);
});

it('sends a command that is useless later at once or never', () => {
  expect(sender.sendNow(typing)).toBe(true);
  for (let index = 0; index < 3; index += 1) sender.send(ping);
  expect(sender.sendNow(typing)).toBe(false);
  clock.pass(100);
  expect(sender.sendNow(typing)).toBe(false);
  expect(sent.filter(({ type }) => type === 'typing')).toHaveLength(1);
});

it('holds everything back when the server says that commands come too fast', () => {
  sender.tooFast(80);
  sender.send(ping);
  clock.pass(79);
  expect(sent).toEqual([]);
  clock.pass(1);
  expect(sent).toHaveLength(1);
  sender.send(ping);
  expect(sent).toHaveLength(1);
});

it('drops waiting commands when the connection is gone', () => {
  for (let index = 0; index < 4; index += 1) sender.send(ping);
  sender.end();
  clock.pass(1_000);
  expect(sent).toHaveLength(3);
  expect(sender.send(ping)).toBe(false);
  sender.begin(limits);
  expect(sent).toHaveLength(3);
});

it('is not delayed by a clock that was set back', () => {
  const pace = new Pace();
  pace.begin(limits, 1_000_000);
  for (let index = 0; index < 6; index += 1) pace.sent(1_000_000);
  expect(pace.wait(0)).toBe(100);
});

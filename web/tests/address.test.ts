import { expect, it } from 'vitest';
import { addressIn } from '../src/models/address';

it.each([
  ['', { kind: 'none' }],
  ['#', { kind: 'none' }],
  ['#team-chat', { kind: 'room', key: 'team-chat' }],
  ['#dm:alice%7Cbob', { kind: 'room', key: 'dm:alice|bob' }],
  ['#team%20chat', { kind: 'wrong', text: 'team chat' }],
  ['#caf%C3%A9', { kind: 'wrong', text: 'café' }],
  ['#100%', { kind: 'wrong', text: '100%' }],
  [`#${'é'.repeat(100)}`, { kind: 'wrong', text: 'é'.repeat(64) }],
])('%j', (hash, address) => expect(addressIn(hash)).toEqual(address));

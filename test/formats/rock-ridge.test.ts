import { expect, test } from 'vitest';
import { rockRidgeName } from '../../src/formats/rock-ridge.ts';

function entry(signature: string, ...data: (number | string)[]): Buffer {
  const bytes = Buffer.concat(
    data.map((one) => (typeof one === 'number' ? Buffer.from([one]) : Buffer.from(one))),
  );
  return Buffer.concat([Buffer.from(signature), Buffer.from([4 + bytes.length, 1]), bytes]);
}

const rows: [string, Buffer, string | undefined][] = [
  ['nothing', Buffer.alloc(0), undefined],
  ['a name', entry('NM', 0, 'igninfo.json'), 'igninfo.json'],
  ['a name behind other entries', Buffer.concat([entry('RR', 0x89), entry('NM', 0, 'a')]), 'a'],
  ['a name in parts', Buffer.concat([entry('NM', 1, 'ign'), entry('NM', 0, 'info')]), 'igninfo'],
  ['a name that is not ASCII', entry('NM', 0, 'grüße'), 'grüße'],
  ['a part that never comes', entry('NM', 1, 'ign'), undefined],
  ['itself', entry('NM', 2), undefined],
  ['its parent', entry('NM', 4), undefined],
  ['a name that leads elsewhere', entry('NM', 0, '../../etc/passwd'), undefined],
  ['two dots', entry('NM', 0, '..'), undefined],
  ['a name that plays with the terminal', entry('NM', 0, '\x1b[2J'), undefined],
  [
    'a name that is no UTF-8',
    Buffer.concat([Buffer.from('NM\x06\x01\0', 'latin1'), Buffer.from([0xff])]),
    undefined,
  ],
  ['an entry without length', Buffer.from('NM\0\x01\0aaaa', 'latin1'), undefined],
  ['an entry longer than the record', Buffer.from('NM\xff\x01\0aaaa', 'latin1'), undefined],
  [
    'a name of 256 bytes',
    Buffer.concat([entry('NM', 1, 'n'.repeat(200)), entry('NM', 0, 'n'.repeat(56))]),
    undefined,
  ],
];
test.each(rows)('%s', (_, systemUse, name) => {
  expect(rockRidgeName(systemUse)).toBe(name);
});

import { describe, expect, test } from 'vitest';
import { decodeDataUrl, encodeDataUrl, encodeTextDataUrl } from '../../src/formats/data-url.ts';

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8');

describe('decodeDataUrl reads', () => {
  test.each([
    [
      'what the installer writes',
      'data:text/plain;charset=utf-8;base64,aGkK',
      'text/plain;charset=utf-8',
      'hi\n',
    ],
    ['an empty file', 'data:text/plain;charset=utf-8;base64,', 'text/plain;charset=utf-8', ''],
    ['base64 without padding', 'data:;base64,aGk', 'text/plain;charset=US-ASCII', 'hi'],
    ['percent-encoded padding', 'data:;base64,aGk%3D', 'text/plain;charset=US-ASCII', 'hi'],
    [
      'plain text with percents',
      'data:,hello%20w%C3%B6rld%0a',
      'text/plain;charset=US-ASCII',
      'hello wörld\n',
    ],
    ['unescaped UTF-8 and a comma', 'data:text/x,ä,b+c', 'text/x', 'ä,b+c'],
    ['upper-case scheme and BASE64', 'DATA:;BASE64,aGk=', 'text/plain;charset=US-ASCII', 'hi'],
  ])('%s', (_name, url, mediaType, content) => {
    const got = decodeDataUrl(url);
    expect([got.mediaType, text(got.bytes)]).toEqual([mediaType, content]);
  });
});

describe('decodeDataUrl refuses', () => {
  test.each([
    ['another scheme', 'http://example.com/a,b'],
    ['no comma', 'data:text/plain;base64'],
    ['base64 with a stray character', 'data:;base64,aG*k'],
    ['base64 one character short', 'data:;base64,aGkaa'],
    ['base64 with padding in the middle', 'data:;base64,aA==aGkK'],
    ['a percent at the end', 'data:,50%'],
    ['a percent before no hex', 'data:,50%zz'],
  ])('%s', (_name, url) => {
    expect(() => decodeDataUrl(url)).toThrow(expect.objectContaining({ code: 'DATA_URL_INVALID' }));
  });

  test('and does not quote the content, which may be a secret', () => {
    expect(() => decodeDataUrl('data:;base64,c2Vj*cmV0')).toThrow(/^(?!.*c2Vj)/);
  });
});

describe('encoded bytes come back', () => {
  test.each([
    ['nothing', ''],
    ['text', 'a\n"b" & <c> ünï\n'],
    ['what a list holds', 'live quay.io/a/b@sha256:00 views/dir/x\n'],
    ['every special character', ' !"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~'],
  ])('%s', (_name, content) => {
    expect(text(decodeDataUrl(encodeDataUrl(Buffer.from(content))).bytes)).toBe(content);
    expect(text(decodeDataUrl(encodeTextDataUrl(content)).bytes)).toBe(content);
  });

  test('in the very form the installer uses', () => {
    expect(encodeDataUrl(Buffer.from('hi\n'))).toBe('data:text/plain;charset=utf-8;base64,aGkK');
  });
});

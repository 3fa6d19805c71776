import { initContract } from '@ts-rest/core';
import { z } from 'zod';

const c = initContract();

/** The part of the OCI distribution API (distribution-spec v1.1, "Endpoints") that answers with small bodies. */
export const distributionContract = c.router({
  ping: { method: 'GET', path: '/v2/', responses: { 200: c.type<Uint8Array>() } },
  manifest: {
    method: 'GET',
    path: '/v2/:name/manifests/:reference',
    headers: z.object({ accept: z.string() }),
    responses: { 200: c.type<Uint8Array>() },
  },
  tags: {
    method: 'GET',
    path: '/v2/:name/tags/list',
    query: z.object({ n: z.number().int(), last: z.string().optional() }),
    responses: { 200: z.object({ tags: z.array(z.string()).nullish() }) },
  },
  // The next page's address is the server's to choose: its query goes out as it came.
  referrers: {
    method: 'GET',
    path: '/v2/:name/referrers/:digest',
    query: z.record(z.string()),
    responses: { 200: z.object({ manifests: z.array(z.unknown()) }) },
  },
});

// distribution, spec/auth/token.md: `token` or `access_token`, with the same meaning; 60 s where no time is said.
const tokenAnswer = z
  .object({
    token: z.string().nullish(),
    access_token: z.string().nullish(),
    expires_in: z.number().nonnegative().nullish(),
  })
  .transform(({ token, access_token, expires_in }) => ({
    token: token || access_token || '',
    lifetimeMs: Math.max(60, expires_in ?? 60) * 1000,
  }))
  .refine(({ token }) => /^[\x21-\x7e]+$/.test(token), 'no usable token');

/** A token server; its whole URL is the challenge's realm (distribution spec/auth/token.md, oauth.md). */
export const tokenContract = c.router({
  get: {
    method: 'GET',
    path: '',
    query: z.object({ service: z.string().optional(), scope: z.string() }),
    responses: { 200: tokenAnswer },
  },
  exchange: {
    method: 'POST',
    path: '',
    contentType: 'application/x-www-form-urlencoded',
    body: z.object({
      grant_type: z.literal('refresh_token'),
      client_id: z.string(),
      service: z.string(),
      scope: z.string(),
      refresh_token: z.string(),
    }),
    responses: { 200: tokenAnswer },
  },
});

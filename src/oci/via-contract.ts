import { type ApiFetcher, initClient } from '@ts-rest/core';
import type { Question } from './asker.ts';
import { type Carried, carry } from './carrier.ts';
import { distributionContract } from './contract.ts';

function contractClient(baseUrl: string, authorization: string | undefined, api: ApiFetcher) {
  const baseHeaders = authorization === undefined ? {} : { authorization };
  return initClient(distributionContract, { baseUrl, baseHeaders, api });
}

/** Makes a question's `send` from one call of the distribution contract; the answer has at most `maxBytes`. */
export function viaContract(
  maxBytes: number,
  call: (client: ReturnType<typeof contractClient>) => Promise<unknown>,
): Question<Carried>['send'] {
  return async ({ transport, baseUrl }, authorization, signal) => {
    let carried: Carried | undefined;
    const api: ApiFetcher = async (args) => {
      carried = await carry(transport, args, { maxBytes, signal });
      return carried;
    };
    await call(contractClient(baseUrl, authorization, api));
    if (carried === undefined) throw new Error('the request ended without an answer');
    const { status, sameOrigin, url, headers, body } = carried;
    return {
      status,
      sameOrigin,
      url,
      value: carried,
      header: (name) => headers.get(name) ?? undefined,
      beginning: async () => (body instanceof Uint8Array ? body : new Uint8Array()),
    };
  };
}

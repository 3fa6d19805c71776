import { z } from 'zod';
import { EdgefabError, hasCode } from '../errors.ts';
import type { Host } from '../host/host.ts';
import type { Credential, HelperEntry } from './authfile.ts';
import { printable } from './printable.ts';

/** docker-credential-helpers, "Development": the answer to `get`. */
const answerSchema = z.object({ Username: z.string(), Secret: z.string().min(1) });

/** The user name that says the secret is an identity token. */
const TOKEN_USER = '<token>';
/** What every helper prints, by protocol, when it keeps nothing for a server. */
const NOTHING_KEPT = 'credentials not found in native keychain';

/**
 * Asks a credential helper (docker-credential-NAME get) for a server's credentials; undefined when it keeps
 * none. Throws TOOL_MISSING when there is no such program and TOOL_FAILED when it fails or answers with
 * something else. What a helper prints may hold the secret, so no error repeats it.
 */
export async function askCredentialHelper(
  { helper, server, from }: HelperEntry,
  { run }: Pick<Host, 'run'>,
): Promise<Credential | undefined> {
  const program = `docker-credential-${helper}`;
  const shown = printable(server, 200);
  const place = { file: from };
  const byHand = `Try it by hand: echo ${shown} | ${program} get`;
  const { exitCode, stdout } = await run(program, ['get'], { input: `${server}\n` }).catch(
    (cause: unknown) => {
      if (!hasCode(cause, 'TOOL_MISSING')) throw cause;
      throw new EdgefabError(
        `${from} leaves the credentials for ${shown} to the program ${program}, which is not on PATH`,
        {
          code: 'TOOL_MISSING',
          place,
          suggestions: [
            `Install ${program}`,
            `Or write the credentials to a file: podman login --authfile FILE ${shown}, then use --authfile FILE`,
          ],
        },
      );
    },
  );
  const failed = (how: string): EdgefabError =>
    new EdgefabError(`${program}, asked for the credentials for ${shown} as ${from} says, ${how}`, {
      code: 'TOOL_FAILED',
      place,
      suggestions: [byHand],
    });
  if (exitCode !== 0) {
    if (stdout.trim() === NOTHING_KEPT) return undefined;
    throw failed(exitCode === undefined ? 'was ended by a signal' : `ended with status ${exitCode}`);
  }
  let json: unknown;
  try {
    json = JSON.parse(stdout);
  } catch {
    json = undefined;
  }
  const answer = answerSchema.safeParse(json);
  if (!answer.success) throw failed('gave no user name and secret');
  const { Username: username, Secret: password } = answer.data;
  const source = `${program} (${from})`;
  if (username === TOKEN_USER) return { identityToken: password, from: source };
  return { username, password, from: source };
}

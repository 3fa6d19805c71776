import { Args, Flags } from '@oclif/core';
import { EdgefabError } from '../../errors.ts';
import { findReceipts } from '../../factory/receipt/find-receipts.ts';
import { loadVerifyKey } from '../../factory/receipt/sign-receipt.ts';
import { type VerifiedReceipt, verifyReceipt } from '../../factory/receipt/verify-receipt.ts';
import { realHost } from '../../host/real-host.ts';
import { openFileHasher } from '../../mirror/store/file-hasher.ts';
import { EdgefabCommand } from '../terminal/edgefab-command.ts';

export default class ReceiptVerify extends EdgefabCommand {
  static override summary = 'Check receipts: signature, every byte of the ISO, and the build inside it';
  static override description =
    'Takes receipts, folders of sites, or the output folder of a factory. A signature covers what was built; the sticks ' +
    'an ISO was written to and its rehearsals are added later and are not signed. Warns when the last rehearsal failed, or ' +
    'was of another build.';
  static override examples = [
    '<%= config.bin %> receipt verify out/bip',
    '<%= config.bin %> receipt verify out --key receipt.pub --require-signature',
  ];
  static override strict = false;
  static override args = {
    path: Args.string({
      description: 'receipts, or folders that hold them',
      name: 'PATH...',
      required: true,
    }),
  };
  static override flags = {
    key: Flags.string({
      description: 'public key (ed25519, PEM) that must have signed; several: any of them',
      multiple: true,
      multipleNonGreedy: true,
      default: [],
    }),
    'require-signature': Flags.boolean({ description: 'refuse a receipt without a signature that is good' }),
    iso: Flags.string({ description: 'the ISO of the one receipt named, when it is not beside it' }),
  };

  async run(): Promise<unknown> {
    const { argv, flags } = await this.parse(ReceiptVerify);
    this.begin(flags);
    const keys = await Promise.all(flags.key.map(loadVerifyKey));
    const paths = (await Promise.all(argv.map((path) => findReceipts(String(path))))).flat();
    if (flags.iso !== undefined && paths.length !== 1) {
      throw new EdgefabError(`--iso names one ISO, and ${paths.length} receipts are named`, {
        code: 'USAGE_INVALID',
      });
    }
    await using hasher = openFileHasher(Number.POSITIVE_INFINITY, this.signal);
    const options = {
      keys,
      requireSignature: flags['require-signature'],
      ...(flags.iso === undefined ? {} : { iso: flags.iso }),
    };
    const outcomes = await Promise.allSettled(
      paths.map((path) => verifyReceipt(path, options, hasher, realHost)),
    );
    this.signal.throwIfAborted();
    const verified: VerifiedReceipt[] = [];
    const faults: unknown[] = [];
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') {
        faults.push(outcome.reason);
        continue;
      }
      const { receipt, signature, warnings } = outcome.value;
      verified.push(outcome.value);
      this.print(`${receipt.site}: good, build ${receipt.buildId}, signature ${signature}`);
      for (const { serial, model, writtenAt } of receipt.sticks ?? [])
        this.print(
          `  stick ${serial ?? 'without a serial'} (${model ?? 'unknown model'}), written ${writtenAt}`,
        );
      for (const { endedAt, verdict, firmware, accelerator, phases } of receipt.rehearsals ?? [])
        this.print(
          `  rehearsal ${endedAt}: ${verdict}, ${phases.map(({ phase }) => phase).join(' and ')}, ${firmware}, ${accelerator}`,
        );
      for (const warning of warnings) this.say('warn', `${receipt.site}: ${warning}`);
    }
    throwWorst(faults, paths.length);
    return { kind: 'VerifiedReceipts', receipts: verified };
  }
}

/** Throws the one fault, or all of them as the first of the highest status. */
function throwWorst(faults: readonly unknown[], all: number): void {
  const [first] = faults;
  if (first === undefined) return;
  const known = faults.filter((fault) => fault instanceof EdgefabError);
  const [worst] = [...known].sort((left, right) => right.exitCode - left.exitCode);
  if (worst === undefined || known.length < faults.length || faults.length === 1) throw first;
  const lines = known.map(({ message }) => `  ${message}`).join('\n');
  throw new EdgefabError(`${faults.length} of ${all} receipts are not good:\n${lines}`, {
    code: worst.code,
    suggestions: worst.suggestions,
    faults: known.map(({ place, message }) => ({ place, message })),
  });
}

import { appendFileSync } from 'node:fs';
import { Command, Flags, type Interfaces } from '@oclif/core';
import { EdgefabError } from '../../errors.ts';
import { createProgress, PROGRESS_MODES, type Progress } from './progress.ts';

type FlagOutput = Interfaces.OutputFlags<Interfaces.FlagInput>;
type ArgOutput = Interfaces.OutputArgs<Interfaces.ArgInput>;

const LOG_LEVELS = ['error', 'warn', 'info', 'debug'] as const;
type LogLevel = (typeof LOG_LEVELS)[number];

interface TalkFlags {
  readonly quiet: boolean;
  readonly 'log-level': string;
  readonly 'log-file': string | undefined;
  readonly progress: string;
}

/** The statuses a shell gives a process that ended by SIGINT and SIGTERM. */
const INTERRUPT_STATUS = { SIGINT: 130, SIGTERM: 143 } as const;

/**
 * What every command has: stdout is data and stderr is talk; `--json` prints one document; errors say what, which
 * one, got and want, with the exit statuses of CONTRACTS; Ctrl-C ends cleanly.
 */
export abstract class EdgefabCommand extends Command {
  static override enableJsonFlag = true;
  static override baseFlags = {
    quiet: Flags.boolean({ char: 'q', description: 'say nothing on stderr but errors', helpGroup: 'GLOBAL' }),
    'log-level': Flags.option({ options: LOG_LEVELS })({
      description: 'how much to say on stderr',
      default: 'info',
      helpGroup: 'GLOBAL',
    }),
    'log-file': Flags.string({
      description: 'also write what is said to this file, with times',
      helpGroup: 'GLOBAL',
    }),
    progress: Flags.option({ options: PROGRESS_MODES })({
      description:
        'progress: a bar on a terminal, a line every 10 s elsewhere, json for NDJSON events on stderr',
      default: 'auto',
      helpGroup: 'GLOBAL',
    }),
  };

  #talk: TalkFlags = { quiet: false, 'log-level': 'info', 'log-file': undefined, progress: 'auto' };
  readonly #interrupt = new AbortController();
  #interruptedBy: keyof typeof INTERRUPT_STATUS | undefined;

  /** Aborted by Ctrl-C and by SIGTERM; hand it to every long piece of work. */
  get signal(): AbortSignal {
    return this.#interrupt.signal;
  }

  /** How the user calls this program, for commands to be copied. */
  protected get self(): string {
    return process.env.npm_command === 'exec' ? `npx ${this.config.bin}` : this.config.bin;
  }

  /**
   * Parses the command line, and nothing else: for an argument that is missing, oclif would take a line of stdin,
   * so that a script's stray input could name the disk to be written, and now and then wait for ever.
   */
  protected override parse<F extends FlagOutput, B extends FlagOutput, A extends ArgOutput>(
    options?: Interfaces.Input<F, B, A>,
    argv?: string[],
  ): Promise<Interfaces.ParserOutput<F, B, A>> {
    for (const arg of Object.values(options?.args ?? this.ctor.args)) arg.ignoreStdin = true;
    return super.parse(options, argv);
  }

  /** Takes the global flags a command has parsed; called first in every `run`. */
  protected begin(flags: TalkFlags): void {
    this.#talk = flags;
    for (const name of ['SIGINT', 'SIGTERM'] as const) {
      process.once(name, () => {
        this.#interruptedBy = name;
        this.#interrupt.abort();
        // A second one ends the process at once, by the signal itself: nobody listens any more.
      });
    }
  }

  /** Progress of long work, shown as `--progress`, `--quiet` and `--json` say. */
  protected createProgress(): Progress {
    const mode = PROGRESS_MODES.find((item) => item === this.#talk.progress) ?? 'auto';
    const silent = this.#talk.quiet && mode !== 'json';
    return createProgress(silent ? 'none' : mode, process.stderr, () => Date.now());
  }

  /** Prints one line of data; nothing under `--json`, where the result is the data. */
  protected print(line = ''): void {
    this.log(line);
  }

  /** Says something about the work, on stderr. */
  protected say(level: LogLevel, message: string): void {
    const file = this.#talk['log-file'];
    if (file !== undefined) appendFileSync(file, `${new Date().toISOString()} ${level} ${message}\n`);
    const wanted =
      LOG_LEVELS.indexOf(level) <= (LOG_LEVELS as readonly string[]).indexOf(this.#talk['log-level']);
    // Not by oclif's own way, which says nothing under --json: there, stdout is the data and this is still talk.
    if (wanted && (level === 'error' || !this.#talk.quiet))
      process.stderr.write(`${level === 'info' ? message : `${level}: ${message}`}\n`);
  }

  protected override toSuccessJson(result: unknown): unknown {
    return { apiVersion: 'edgefab.io/v1', ...(result as object) };
  }

  protected override toErrorJson(error: unknown): unknown {
    if (error instanceof EdgefabError) {
      const { code, message, suggestions, place, faults } = error;
      return { error: { code, message, suggestions, place, ...(faults.length === 0 ? {} : { faults }) } };
    }
    const message = error instanceof Error ? error.message : String(error);
    const usage = error instanceof Error && 'oclif' in error && error.oclif !== null;
    return { error: { code: usage ? 'USAGE_INVALID' : 'BUG', message, suggestions: [], place: {} } };
  }

  protected override async catch(error: Error & { exitCode?: number }): Promise<unknown> {
    if (this.#interruptedBy !== undefined) {
      process.exitCode = INTERRUPT_STATUS[this.#interruptedBy];
      this.say('error', 'interrupted; what is complete is kept. Run the same command again to go on.');
      return undefined;
    }
    if (error instanceof EdgefabError) {
      process.exitCode = error.exitCode;
      if (this.jsonEnabled()) this.logJson(this.toErrorJson(error));
      else this.say('error', describeError(error));
      return undefined;
    }
    return super.catch(error as Parameters<Command['catch']>[0]);
  }
}

/** The error as a person reads it. Not wrapped: digests and paths are there to be copied. */
function describeError(error: EdgefabError): string {
  const causes: string[] = [];
  for (let cause = error.cause; cause instanceof Error && causes.length < 5; cause = cause.cause) {
    if (!error.message.includes(cause.message)) causes.push(`  because: ${cause.message}`);
  }
  const suggestions = [...new Set(error.suggestions)].map((suggestion) => `  try: ${suggestion}`);
  return [error.message, ...causes, ...suggestions, `  (${error.code}, exit status ${error.exitCode})`].join(
    '\n',
  );
}

import './assure-home.ts';
import { dirname } from 'node:path';
import { type Command, execute, type Interfaces, Plugin } from '@oclif/core';
import { packagedText } from './packaged.ts';
import { runNaturally } from './run-naturally.ts';
import { tuneMemory } from './tune-memory.ts';

/** The modules of the commands by the ids the manifest has for them, each loaded when it is asked for. */
export type CommandModules = Readonly<Record<string, () => Promise<{ readonly default: Command.Class }>>>;

/** Runs the command line inside the single executable, where package and commands are no files to look for. */
export async function mainExecutable(modules: CommandModules): Promise<void> {
  tuneMemory();
  const plugin = new CarriedPlugin(modules);
  await plugin.load();
  const plugins = new Map([[plugin.name, plugin]]);
  await runNaturally(() => execute({ loadOptions: { root: plugin.root, plugins } }));
}

/** All of edgefab as oclif's one plugin, read from the executable. */
class CarriedPlugin extends Plugin {
  readonly #modules: CommandModules;

  constructor(modules: CommandModules) {
    const pjson = JSON.parse(packagedText('package.json')) as Interfaces.PJSON;
    super({ isRoot: true, pjson, root: dirname(process.execPath) });
    this.#modules = modules;
    this.pjson = pjson;
  }

  override async load(): Promise<void> {
    const { name, version } = this.pjson;
    const manifest = JSON.parse(packagedText('oclif.manifest.json')) as Interfaces.Manifest;
    Object.assign(this, { type: 'core', isRoot: true, root: this.options.root, name, alias: name, version });
    Object.assign(this, { valid: true, hooks: {}, moduleType: 'commonjs', hasManifest: true, manifest });
    this.commandIDs = Object.keys(manifest.commands);
    this.commands = Object.entries(manifest.commands).map(([id, command]) => ({
      ...command,
      load: () => this.findCommand(id, { must: true }),
    }));
  }

  override findCommand(id: string, options: { must: true }): Promise<Command.Class>;
  override findCommand(id: string, options?: { must: boolean }): Promise<Command.Class | undefined>;
  override async findCommand(id: string): Promise<Command.Class | undefined> {
    const found = await this.#modules[id]?.();
    return found === undefined ? undefined : Object.assign(found.default, { id, plugin: this });
  }
}

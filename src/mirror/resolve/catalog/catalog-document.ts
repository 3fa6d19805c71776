import type {
  CatalogBundle,
  CatalogChannel,
  ChannelEntry,
  RelatedImage,
  RequiredPackage,
} from './catalog.ts';

/** What is kept of one document of a catalog file. */
export type CatalogDocument =
  | { readonly kind: 'package'; readonly name: string; readonly defaultChannel: string }
  | { readonly kind: 'channel'; readonly packageName: string; readonly channel: CatalogChannel }
  | { readonly kind: 'bundle'; readonly packageName: string; readonly bundle: CatalogBundle };

/** Makes the error for a field: `field entries[2].name: is missing`. */
export type FieldFault = (field: string, what: string) => Error;

type Fields = Readonly<Record<string, unknown>>;

class DocumentReader {
  readonly #fault: FieldFault;
  readonly #intern: (text: string) => string;

  constructor(fault: FieldFault, intern: (text: string) => string) {
    this.#fault = fault;
    this.#intern = intern;
  }

  fields(value: unknown, field: string): Fields {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw this.#fault(field, 'is not an object');
    return value as Fields;
  }

  list(value: unknown, field: string): readonly unknown[] {
    if (value === undefined || value === null) return [];
    if (!Array.isArray(value)) throw this.#fault(field, 'is not a list');
    return value;
  }

  optional(value: unknown, field: string): string | undefined {
    if (value === undefined || value === null || value === '') return undefined;
    if (typeof value !== 'string')
      throw this.#fault(field, `is ${typeof value}, want text (in YAML: in quotes)`);
    return this.#intern(value);
  }

  text(value: unknown, field: string): string {
    const text = this.optional(value, field);
    if (text === undefined) throw this.#fault(field, 'is missing or empty');
    return text;
  }

  entry(value: unknown, field: string): ChannelEntry {
    const item = this.fields(value, field);
    const replaces = this.optional(item.replaces, `${field}.replaces`);
    const skips = this.list(item.skips, `${field}.skips`).map((skip, at) =>
      this.text(skip, `${field}.skips[${at}]`),
    );
    const skipRange = this.optional(item.skipRange, `${field}.skipRange`);
    return {
      name: this.text(item.name, `${field}.name`),
      ...(replaces === undefined ? {} : { replaces }),
      ...(skips.length === 0 ? {} : { skips }),
      ...(skipRange === undefined ? {} : { skipRange }),
    };
  }

  channel(body: Fields): CatalogChannel {
    const properties = this.list(body.properties, 'properties');
    const priority = properties
      .map((property, at) => this.fields(property, `properties[${at}]`))
      .filter(({ type }) => type === 'olm.channel')
      .map(({ value }) => this.fields(value ?? {}, 'properties olm.channel').priority)
      .find((value) => typeof value === 'number');
    return {
      name: this.text(body.name, 'name'),
      entries: this.list(body.entries, 'entries').map((entry, at) => this.entry(entry, `entries[${at}]`)),
      ...(typeof priority === 'number' ? { priority } : {}),
    };
  }

  /** Some operators write `value` for `image` in their lists; such items name no image and are passed over. */
  relatedImage(value: unknown, field: string): RelatedImage | undefined {
    const item = this.fields(value, field);
    const image = this.optional(item.image, `${field}.image`);
    return image === undefined ? undefined : { name: this.optional(item.name, `${field}.name`) ?? '', image };
  }

  api(value: unknown, field: string): string {
    const { group, version, kind } = this.fields(value, field);
    const name = [group, version, kind].map((part) => this.optional(part, field) ?? '').join('/');
    return this.#intern(name);
  }

  bundle(body: Fields, packageName: string): CatalogBundle {
    const provides: string[] = [];
    const requires: string[] = [];
    const requiredPackages: RequiredPackage[] = [];
    let version: string | undefined;
    let displayName: string | undefined;
    for (const [at, item] of this.list(body.properties, 'properties').entries()) {
      const field = `properties[${at}].value`;
      const { type, value } = this.fields(item, `properties[${at}]`);
      switch (type) {
        case 'olm.package': {
          const property = this.fields(value, field);
          if (version !== undefined) throw this.#fault(field, 'is a second olm.package property, want one');
          version = this.text(property.version, `${field}.version`);
          const named = this.text(property.packageName, `${field}.packageName`);
          if (named !== packageName)
            throw this.#fault(
              `${field}.packageName`,
              `is "${named}", want the bundle's package "${packageName}"`,
            );
          break;
        }
        case 'olm.gvk':
          provides.push(this.api(value, field));
          break;
        case 'olm.gvk.required':
          requires.push(this.api(value, field));
          break;
        case 'olm.package.required': {
          const property = this.fields(value, field);
          const range = this.optional(property.versionRange, `${field}.versionRange`);
          const name = this.text(property.packageName, `${field}.packageName`);
          requiredPackages.push(range === undefined ? { name } : { name, range });
          break;
        }
        case 'olm.csv.metadata':
          displayName = this.optional(this.fields(value, field).displayName, `${field}.displayName`);
          break;
        default:
      }
    }
    if (version === undefined)
      throw this.#fault('properties', 'has no olm.package property, which gives the version');
    return {
      name: this.text(body.name, 'name'),
      image: this.optional(body.image, 'image') ?? '',
      version,
      relatedImages: this.list(body.relatedImages, 'relatedImages').flatMap(
        (item, at) => this.relatedImage(item, `relatedImages[${at}]`) ?? [],
      ),
      provides,
      requires,
      requiredPackages,
      ...(displayName === undefined ? {} : { displayName }),
    };
  }
}

/**
 * Reads one parsed document of a file-based catalog (schemas `olm.package`, `olm.channel`, `olm.bundle`;
 * operator-framework, "File-based catalogs"); undefined for schemas that do not matter here. `intern` gives
 * one copy of equal texts. Throws what `fault` makes.
 */
export function readCatalogDocument(
  value: unknown,
  fault: FieldFault,
  intern: (text: string) => string,
): CatalogDocument | undefined {
  const reader = new DocumentReader(fault, intern);
  const body = reader.fields(value, 'document');
  switch (reader.text(body.schema, 'schema')) {
    case 'olm.package':
      return {
        kind: 'package',
        name: reader.text(body.name, 'name'),
        defaultChannel: reader.optional(body.defaultChannel, 'defaultChannel') ?? '',
      };
    case 'olm.channel':
      return {
        kind: 'channel',
        packageName: reader.text(body.package, 'package'),
        channel: reader.channel(body),
      };
    case 'olm.bundle': {
      const packageName = reader.text(body.package, 'package');
      return { kind: 'bundle', packageName, bundle: reader.bundle(body, packageName) };
    }
    default:
      return undefined;
  }
}

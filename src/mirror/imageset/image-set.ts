import type { Place } from '../../errors.ts';
import type { ImageReference } from '../../oci/reference.ts';

export interface VersionRange {
  readonly minVersion?: string;
  readonly maxVersion?: string;
  /** v1alpha2 only. */
  readonly minBundle?: string;
}

export interface ReleaseChannel extends VersionRange {
  readonly name: string;
  readonly type: 'ocp' | 'okd';
  readonly shortestPath: boolean;
  readonly full: boolean;
  readonly place: Place;
}

export interface OperatorPackage extends VersionRange {
  readonly name: string;
  readonly channels: readonly (VersionRange & { readonly name: string })[];
  readonly defaultChannel?: string;
  readonly bundles: readonly string[];
}

export interface OperatorCatalog {
  readonly catalog: string;
  readonly full: boolean;
  readonly skipDependencies: boolean;
  readonly packages: readonly OperatorPackage[];
  readonly place: Place;
}

export interface AdditionalImage {
  readonly reference: ImageReference;
  readonly place: Place;
}

export interface HelmChart {
  readonly name: string;
  readonly version?: string;
  /** The repository's URL, or undefined for a local chart. */
  readonly repository?: string;
  readonly path?: string;
  readonly place: Place;
}

/** A key that says something about oc-mirror's own target registry or archive; edgefab has neither. */
export interface IgnoredKey {
  readonly key: string;
  readonly place: Place;
}

/** What a site is to hold: an ImageSetConfiguration of either version, in one shape. */
export interface ImageSet {
  readonly apiVersion: 'mirror.openshift.io/v1alpha2' | 'mirror.openshift.io/v2alpha1';
  readonly file: string;
  readonly platform: {
    /** One exact release image, instead of a channel. */
    readonly release?: AdditionalImage;
    readonly channels: readonly ReleaseChannel[];
    /** Go architecture names (amd64, arm64, …) or `multi`; empty when nothing is said. */
    readonly architectures: readonly string[];
    readonly graph?: { readonly place: Place };
    readonly kubeVirtContainer?: { readonly place: Place };
  };
  readonly operators: readonly OperatorCatalog[];
  readonly additionalImages: readonly AdditionalImage[];
  readonly blockedImages: readonly { readonly name: string; readonly place: Place }[];
  readonly helm: readonly HelmChart[];
  readonly samples: readonly { readonly name: string; readonly place: Place }[];
  readonly ignored: readonly IgnoredKey[];
}

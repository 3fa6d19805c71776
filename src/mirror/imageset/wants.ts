import type { Place } from '../../errors.ts';
import type { ImageReference } from '../../oci/reference.ts';
import type { ImageSet } from './image-set.ts';

/** An image named outright, with the place that names it. */
export interface WantedImage {
  readonly reference: ImageReference;
  readonly role: 'release' | 'additional';
  readonly place: Place;
}

/** A part of an image set that cannot be resolved yet; `what` names it for people. */
export interface UnsupportedPart {
  readonly what: string;
  readonly place: Place;
}

export interface ImageSetWants {
  readonly images: readonly WantedImage[];
  readonly unsupported: readonly UnsupportedPart[];
}

/**
 * Splits an image set into the images it names outright (release image, additional images) and the parts
 * that need a graph, a catalog or a chart to be read first, which this version cannot do. Nothing that would
 * change the images held is left unsaid.
 */
export function imageSetWants(imageSet: ImageSet): ImageSetWants {
  const { platform, operators, additionalImages, blockedImages, helm, samples } = imageSet;
  const unsupported: UnsupportedPart[] = [
    ...platform.channels.map(({ name, place }) => ({ what: `the release channel ${name}`, place })),
    ...(platform.graph === undefined ? [] : [{ what: 'the update graph', place: platform.graph.place }]),
    ...(platform.kubeVirtContainer === undefined
      ? []
      : [{ what: 'the KubeVirt container', place: platform.kubeVirtContainer.place }]),
    ...operators.map(({ catalog, place }) => ({ what: `the operator catalog ${catalog}`, place })),
    ...blockedImages.map(({ name, place }) => ({ what: `the blocked image ${name}`, place })),
    ...helm.map(({ name, place }) => ({ what: `the Helm chart ${name}`, place })),
    ...samples.map(({ name, place }) => ({ what: `the sample image ${name}`, place })),
  ];
  const release = platform.release === undefined ? [] : [{ ...platform.release, role: 'release' as const }];
  const additional = additionalImages.map((image) => ({ ...image, role: 'additional' as const }));
  return { images: [...release, ...additional], unsupported };
}

export {
  DEMO_VOLUME_ID,
  type DemoIsoGeneration,
  type DemoIsoOptions,
  encodeCoreosIso,
  makeCoreosIso,
} from '../../src/factory/demo/coreos-iso.ts';

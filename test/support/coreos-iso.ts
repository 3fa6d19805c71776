export {
  type DemoIsoGeneration,
  type DemoIsoOptions,
  encodeCoreosIso,
  makeCoreosIso,
} from '../../src/factory/demo/coreos-iso.ts';

import { stringify } from 'yaml';

/**
 * Renders the settings of the distribution registry on the machine, v2 and v3. It sees the whole cache at
 * `/cache`, because the links of its view lead out of the view, and listens on 127.0.0.1; the second server,
 * on [::1], is given its address by the environment. It takes nothing, keeps nothing and opens no second port.
 * Source: distribution, docs/configuration.md.
 */
export function renderRegistryConfig(port: number): string {
  return stringify({
    version: 0.1,
    // Each request is a line of the access log; at level info it would be three more.
    log: { level: 'warn', accesslog: { disabled: false } },
    storage: {
      filesystem: { rootdirectory: '/cache/views/registry' },
      delete: { enabled: false },
      // A redirect would be to a place no client reaches.
      redirect: { disable: true },
      maintenance: { uploadpurging: { enabled: false }, readonly: { enabled: true } },
    },
    http: {
      addr: `127.0.0.1:${port}`,
      tls: { certificate: '/etc/edgefab/tls/registry.crt', key: '/etc/edgefab/tls/registry.key' },
    },
  });
}

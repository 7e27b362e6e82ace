import picocolors from 'picocolors'
import { describe, expect, it } from 'vitest'

import { banner, bannerJson, type Ready } from '#cli/serve/banner'

const READY: Ready = {
  url: 'http://127.0.0.1:8787',
  token: '/data/admin-token',
  drivers: [
    { name: 'wasm', on: true, detail: 'WebAssembly in node 26' },
    { name: 'docker', on: false, reason: 'no daemon at /var/run/docker.sock' },
  ],
  dataDir: '/data',
  redis: 'private /usr/bin/redis-server',
  callable: 'hello-js',
  startedInMs: 1234,
}

describe('banner()', () => {
  it('says where it is, where the token is, what is on and why something is off, and what to paste', () => {
    const text = banner(READY, picocolors.createColors(false))
    for (const part of [
      'is ready at http://127.0.0.1:8787 (1.2 s)',
      'token    /data/admin-token',
      'wasm     on   WebAssembly in node 26',
      'docker   off  no daemon at /var/run/docker.sock',
      'redis    private /usr/bin/redis-server',
      'try      curl http://127.0.0.1:8787/fn/hello-js',
    ]) {
      expect(text).toContain(part)
    }
    expect(text).not.toContain('\u{1b}')
  })

  it('has a line to paste when there is no function yet', () => {
    const text = banner({ ...READY, callable: undefined }, picocolors.createColors(true))
    expect(text).toContain('curl http://127.0.0.1:8787/healthz')
    expect(text).toContain('\u{1b}[')
  })
})

describe('bannerJson()', () => {
  it('is one line', () => {
    const text = bannerJson(READY)
    expect(text.indexOf('\n')).toBe(text.length - 1)
    expect(JSON.parse(text)).toMatchObject({ ready: true, url: READY.url, drivers: READY.drivers })
  })
})

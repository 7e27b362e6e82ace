// An authority for the tests of TLS, a certificate of it for 127.0.0.1, and one for a client.
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** Paths of files as PEM. */
export interface Certificates extends AsyncDisposable {
  readonly ca: string
  readonly server: { readonly certificate: string; readonly key: string }
  readonly client: { readonly certificate: string; readonly key: string }
  /** The fields of a source that trusts the authority. */
  fields(withClient: boolean): Promise<Readonly<Record<string, string>>>
}

export async function makeCertificates(): Promise<Certificates> {
  const dir = await mkdtemp(join(tmpdir(), 'hearth-tls-'))
  const path = (name: string): string => join(dir, name)
  const openssl = async (args: string): Promise<unknown> =>
    promisify(execFile)('openssl', args.split(' '), { cwd: dir, env: { ...process.env, HOME: dir } })
  const newKey = '-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'
  await openssl(`req -x509 ${newKey} -keyout ca.key -out ca.crt -days 2 -subj /CN=authority`)
  await writeFile(path('names'), 'subjectAltName=IP:127.0.0.1,DNS:localhost')
  for (const name of ['server', 'client']) {
    await openssl(`req ${newKey} -keyout ${name}.key -out ${name}.csr -subj /CN=${name}`)
    await openssl(
      `x509 -req -in ${name}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile names -out ${name}.crt`,
    )
  }
  const text = (name: string): Promise<string> => readFile(path(name), 'utf8')
  return {
    ca: path('ca.crt'),
    server: { certificate: path('server.crt'), key: path('server.key') },
    client: { certificate: path('client.crt'), key: path('client.key') },
    async fields(withClient) {
      const tlsCa = await text('ca.crt')
      if (!withClient) return { tlsCa }
      return { tlsCa, tlsCertificate: await text('client.crt'), tlsKey: await text('client.key') }
    },
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  }
}

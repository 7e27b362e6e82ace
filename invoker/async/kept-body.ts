import { isUtf8 } from 'node:buffer'

/** A body as a record keeps it: text where it is text, else base64. */
export function keptBody(bytes: Uint8Array): { readonly body: string; readonly bodyEncoding: 'utf8' | 'base64' } {
  const bodyEncoding = isUtf8(bytes) ? 'utf8' : 'base64'
  return { body: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString(bodyEncoding), bodyEncoding }
}

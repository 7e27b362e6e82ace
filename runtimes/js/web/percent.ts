// Percent-encoding and the encode sets of the URL standard.
import { decodeUtf8, encodeUtf8 } from './encoding.ts'

/** What is left as it is, by where it stands; all else is percent-encoded. Each is for one UTF-16 unit or a pair. */
export const ENCODE = {
  c0: /[^\x20-\x7e]/gu,
  fragment: /[^\x20-\x7e]|[ "<>`]/gu,
  query: /[^\x20-\x7e]|[ "#<>]/gu,
  specialQuery: /[^\x20-\x7e]|[ "#<>']/gu,
  path: /[^\x20-\x7e]|[ "#<>?`{}^]/gu,
  userinfo: /[^\x20-\x7e]|[ "#<>?`{}/:;=@[\\\]^|]/gu,
} as const

export function percentEncode(text: string, set: RegExp): string {
  return text.replaceAll(set, (character) => {
    let encoded = ''
    for (const byte of encodeUtf8(character)) encoded += `%${byte < 16 ? '0' : ''}${byte.toString(16).toUpperCase()}`
    return encoded
  })
}

/** The bytes of a text in UTF-8 with `%xx` replaced; malformed escapes stay. */
export function percentDecode(text: string): Uint8Array {
  const bytes = encodeUtf8(text)
  if (!text.includes('%')) return bytes
  let length = 0
  for (let index = 0; index < bytes.length; index++) {
    const byte = bytes[index] as number
    const high = byte === 0x25 ? hexDigit(bytes[index + 1]) : -1
    const low = high < 0 ? -1 : hexDigit(bytes[index + 2])
    if (low < 0) {
      bytes[length++] = byte
    } else {
      bytes[length++] = high * 16 + low
      index += 2
    }
  }
  return bytes.subarray(0, length)
}

export function percentDecodeText(text: string): string {
  return decodeUtf8(percentDecode(text))
}

function hexDigit(byte: number | undefined): number {
  if (byte === undefined) return -1
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const lower = byte | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}

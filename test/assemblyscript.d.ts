// What the tests use of the AssemblyScript compiler. Its own types declare a global `console` of a guest, which would
// take the place of Node's everywhere (tsconfig.json sends the import here).
interface Output {
  readonly error: Error | null
  readonly stderr: { toString(): string }
}

interface Host {
  readonly readFile?: (name: string, baseDir: string) => string | null
  readonly writeFile?: (name: string, contents: Uint8Array | string, baseDir: string) => void
  readonly listFiles?: (dir: string, baseDir: string) => string[] | null
}

export declare function main(argv: readonly string[], host?: Host): Promise<Output>

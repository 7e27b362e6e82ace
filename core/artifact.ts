// Files addressed by what is in them: uploads and what builders make of them.
import type { Digest } from './ids.ts'

/** A file of a source or an artifact; its bytes are in the BlobStore under `digest`. */
export interface ArtifactFile {
  /** Relative, `/`-separated, without `.` or `..` segments. */
  readonly path: string
  readonly digest: Digest
  /** bytes */
  readonly size: number
}

/** Files with their bytes, as they come in and as a builder hands them over. Paths as in ArtifactFile. */
export type FileSet = ReadonlyMap<string, Uint8Array>

/** An artifact file that lies on the local disk, named by its digest. */
export interface LocalFile extends ArtifactFile {
  readonly localPath: string
}

/** Content-addressed bytes. Implemented in store/ on Redis. */
export interface BlobStore {
  /** Stores what is not there yet, and returns the files in the order of the set. */
  putAll(files: FileSet, signal: AbortSignal): Promise<readonly ArtifactFile[]>
  /** @throws PlatformError `internal` when the blob is gone or its digest is wrong */
  get(digest: Digest, signal: AbortSignal): Promise<Uint8Array>
}

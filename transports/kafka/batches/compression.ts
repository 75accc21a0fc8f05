/**
 * The codecs of record batches. All synchronous: batches are small, and who reads them must not wait between two.
 *
 * Bytes to inflate are not trusted: whatever they announce, no more than the limit is allocated.
 */
import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { BatchTooLarge, CompressedDataCorrupt, UnknownCodec } from './errors.ts'
import { frameLz4, unframeLz4 } from './lz4.ts'
import { deflateSnappy, inflateSnappy } from './snappy.ts'

export type Codec = 'gzip' | 'snappy' | 'lz4' | 'zstd'

interface CodecFunctions {
  /** In a batch's attributes. */
  readonly code: number
  readonly compress: (bytes: Buffer) => Buffer
  readonly decompress: (bytes: Buffer, maxBytes: number) => Buffer
}

/** Batches have at most about 1 MiB: zlib's own 16 KiB would make many small chunks of one. */
const ZLIB_CHUNK_BYTES = 64 * 1024

const CODECS: Readonly<Record<Codec, CodecFunctions>> = {
  gzip: {
    code: 1,
    compress: (bytes) => gzipSync(bytes),
    decompress: (bytes, maxBytes) => limited('gzip', gunzipSync, bytes, maxBytes),
  },
  snappy: { code: 2, compress: deflateSnappy, decompress: inflateSnappy },
  lz4: { code: 3, compress: frameLz4, decompress: unframeLz4 },
  zstd: {
    code: 4,
    compress: (bytes) => zstdCompressSync(bytes),
    decompress: (bytes, maxBytes) => limited('zstd', zstdDecompressSync, bytes, maxBytes),
  },
}

const BY_CODE: ReadonlyMap<number, CodecFunctions> = new Map(
  Object.values(CODECS).map((functions) => [functions.code, functions]),
)

export function codecCode(codec: Codec): number {
  return CODECS[codec].code
}

export function compress(codec: Codec, bytes: Buffer): Buffer {
  return CODECS[codec].compress(bytes)
}

/** `code`: as in a batch's attributes. Throws `UnknownCodec`, `BatchTooLarge`, `CompressedDataCorrupt`. */
export function decompress(code: number, bytes: Buffer, maxBytes: number): Buffer {
  const functions = BY_CODE.get(code)
  if (functions === undefined) throw new UnknownCodec(code)
  return functions.decompress(bytes, maxBytes)
}

type Inflate = (bytes: Buffer, options: { maxOutputLength: number; chunkSize: number }) => Buffer

function limited(codec: Codec, inflate: Inflate, bytes: Buffer, maxBytes: number): Buffer {
  try {
    return inflate(bytes, { maxOutputLength: maxBytes, chunkSize: ZLIB_CHUNK_BYTES })
  } catch (cause) {
    if (cause instanceof RangeError && (cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
      throw new BatchTooLarge(codec, maxBytes, { cause })
    }
    throw new CompressedDataCorrupt(codec, cause instanceof Error ? cause.message : String(cause), { cause })
  }
}

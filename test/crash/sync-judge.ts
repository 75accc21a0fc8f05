/**
 * Reads from a trace whether an acknowledgement ever left before the disk had what it acknowledges.
 *
 * Each request carries a mark of its own. Where its bytes lie in LevelDB's write-ahead file is read from what the
 * process wrote there, by the file's format alone (blocks of 32 KiB, each piece behind seven bytes of header).
 */
import type { Call } from '../support/strace.ts'

const BLOCK_BYTES = 32 * 1024
const HEADER_BYTES = 7

export interface Acknowledgement {
  readonly mark: string
  /** The line at which the 202 began to be sent. */
  readonly line: number
}

interface LogFile {
  readonly path: string
  readonly writes: { readonly call: Call; readonly end: number }[]
  bytes: Buffer
}

/** 202s in the order in which they were sent. */
export function acknowledgements(calls: readonly Call[], mark: RegExp): Acknowledgement[] {
  return calls.flatMap((call) => {
    if (!call.path.startsWith('socket:') && !call.path.startsWith('TCP')) return []
    const text = Buffer.concat(call.strings).toString('latin1')
    if (!text.includes('HTTP/1.1 202')) return []
    // The header `location` names it as well.
    return [...new Set(text.match(mark))].map((found) => ({ mark: found, line: call.from }))
  })
}

/** Complaints about acknowledgements that no completed sync of their bytes stands before. */
export function judgeSyncs(
  calls: readonly Call[],
  directory: string,
  acknowledged: readonly Acknowledgement[],
): string[] {
  const files = logFiles(calls, directory)
  return acknowledged.flatMap(({ mark, line }) => {
    const written = writeOf(files, mark)
    if (written === undefined) return [`${mark} was acknowledged and never written`]
    const { path, to } = written
    const synced = calls.some(
      (call) =>
        (call.name === 'fdatasync' || call.name === 'fsync') &&
        call.path === path &&
        call.from > to &&
        call.to < line,
    )
    return synced ? [] : [`${mark} was acknowledged without a sync of ${path.slice(directory.length + 1)}`]
  })
}

function logFiles(calls: readonly Call[], directory: string): LogFile[] {
  const files = new Map<string, LogFile>()
  for (const call of calls) {
    const { path, name, strings } = call
    if (name !== 'write' || !path.startsWith(`${directory}/`) || !path.endsWith('.log')) continue
    const file = files.get(path) ?? { path, writes: [], bytes: Buffer.alloc(0) }
    files.set(path, file)
    file.bytes = Buffer.concat([file.bytes, ...strings])
    file.writes.push({ call, end: file.bytes.length })
  }
  return [...files.values()]
}

/** The write with which the last byte of the mark went to a write-ahead file for the first time. */
function writeOf(files: readonly LogFile[], mark: string): Call | undefined {
  for (const { bytes, writes } of files) {
    const { payload, places } = payloadOf(bytes)
    const at = payload.indexOf(mark, 0, 'latin1')
    if (at < 0) continue
    const place = places(at + mark.length - 1)
    return writes.find(({ end }) => end > place)?.call
  }
  return undefined
}

/** What lies in the blocks, and where in the file each byte of it is. */
function payloadOf(bytes: Buffer): { payload: Buffer; places: (at: number) => number } {
  const pieces: { readonly bytes: Buffer; readonly start: number; readonly from: number }[] = []
  let length = 0
  for (let at = 0; at + HEADER_BYTES <= bytes.length; ) {
    const blockLeft = BLOCK_BYTES - (at % BLOCK_BYTES)
    if (blockLeft < HEADER_BYTES) {
      at += blockLeft
      continue
    }
    const size = bytes.readUInt16LE(at + 4)
    const start = at + HEADER_BYTES
    pieces.push({ bytes: bytes.subarray(start, start + size), start, from: length })
    length += size
    at = start + size
  }
  const places = (at: number): number => {
    const piece = pieces.findLast(({ from }) => from <= at)
    return piece === undefined ? 0 : piece.start + (at - piece.from)
  }
  return { payload: Buffer.concat(pieces.map((piece) => piece.bytes)), places }
}

/**
 * The files of a directory as a trace says they were at some moment, and what of them a power cut would leave.
 *
 * Bytes count as safe once an fsync or fdatasync of their file, begun after they were written, has ended. What was
 * written and not synced has one of three fates. Names (create, rename, unlink) take effect in order and are never
 * lost, as on a journalled file system.
 */
import type { Call } from './strace.ts'

/**
 * What becomes of bytes that were written and not synced: all gone; a share of them there, in order, the last write cut
 * at a sector's end; or the file as long as it was, with zeros where it had grown.
 */
export type Fate = 'lost' | 'zeros' | { readonly share: number }

const SECTOR_BYTES = 512

interface Write {
  /** Absent: the file's end at the time. */
  readonly at: number | undefined
  readonly bytes: Buffer
  readonly to: number
}

class TracedFile {
  #safe: Buffer = Buffer.alloc(0)
  #pending: Write[] = []

  write(write: Write): void {
    this.#pending.push(write)
  }

  /** A sync that began with the line `from` has ended. */
  synced(from: number): void {
    const done = this.#pending.filter((write) => write.to < from)
    this.#pending = this.#pending.filter((write) => write.to >= from)
    this.#safe = done.reduce(applied, this.#safe)
  }

  after(fate: Fate): Buffer {
    if (fate === 'lost') return this.#safe
    if (fate === 'zeros') {
      const end = this.#pending.reduce(applied, this.#safe).length
      return Buffer.concat([this.#safe, Buffer.alloc(end - this.#safe.length)])
    }
    const total = this.#pending.reduce((sum, { bytes }) => sum + bytes.length, 0)
    let left = Math.floor(total * fate.share)
    let content = this.#safe
    for (const { at = content.length, bytes, to } of this.#pending) {
      const end = left < bytes.length ? sectorEnd(at, left) : bytes.length
      content = applied(content, { at, bytes: bytes.subarray(0, end), to })
      left = Math.max(0, left - bytes.length)
    }
    return content
  }
}

/** How many of `length` bytes written at `at` lie before the last end of a sector among them. */
function sectorEnd(at: number, length: number): number {
  return Math.max(0, Math.floor((at + length) / SECTOR_BYTES) * SECTOR_BYTES - at)
}

function applied(content: Buffer, { at = content.length, bytes }: Write): Buffer {
  if (bytes.length === 0) return content
  const after = Buffer.alloc(Math.max(content.length, at + bytes.length))
  content.copy(after)
  bytes.copy(after, at)
  return after
}

export class TracedDisk {
  readonly #directory: string
  readonly #calls: readonly Call[]
  readonly #files = new Map<string, TracedFile>()
  #next = 0

  /** @param directory as the kernel names it: absolute, without links */
  constructor(directory: string, calls: readonly Call[]) {
    this.#directory = `${directory}/`
    this.#calls = calls
  }

  /** Goes on to the moment at which the line `line` was written: calls that had ended by then have happened. */
  goTo(line: number): void {
    for (; ; this.#next++) {
      const call = this.#calls[this.#next]
      if (call === undefined || call.to >= line) return
      this.#take(call)
    }
  }

  /** What a power cut at this moment leaves, by file name. */
  afterPowerCut(fate: () => Fate): Map<string, Buffer> {
    return new Map([...this.#files].map(([name, file]) => [name, file.after(fate())] as const))
  }

  #take(call: Call): void {
    const { name, path, strings, text, from, to } = call
    switch (name) {
      case 'open':
      case 'openat':
      case 'creat':
        return this.#open(strings[0], text)
      case 'write':
      case 'writev':
        return this.#inside(path)?.write({ at: undefined, bytes: Buffer.concat(strings), to })
      case 'pwrite64':
        return this.#inside(path)?.write({ at: offsetOf(text), bytes: Buffer.concat(strings), to })
      case 'fsync':
      case 'fdatasync':
        return this.#inside(path)?.synced(from)
      case 'rename':
      case 'renameat':
      case 'renameat2':
      case 'link':
      case 'linkat':
        return this.#move(strings, name.startsWith('rename'))
      case 'unlink':
      case 'unlinkat':
        this.#files.delete(this.#name(strings[0]))
        return undefined
      default:
        // Nothing of ours truncates, allocates or writes in vectors at an offset; if it ever does, this must learn it.
        if (this.#inside(path) !== undefined) throw new Error(`the trace has ${name} on ${path}`)
    }
  }

  #open(path: Buffer | undefined, text: string): void {
    const name = this.#name(path)
    if (name === '' || !/O_CREAT|O_TRUNC|^creat/.test(text)) return
    if (text.includes('O_TRUNC') || !this.#files.has(name)) this.#files.set(name, new TracedFile())
  }

  #move([from, to]: readonly Buffer[], gone: boolean): void {
    const file = this.#files.get(this.#name(from))
    if (file === undefined) return
    this.#files.set(this.#name(to), file)
    if (gone) this.#files.delete(this.#name(from))
  }

  #inside(path: string): TracedFile | undefined {
    return this.#files.get(this.#name(Buffer.from(path, 'latin1')))
  }

  /** The name in the directory; empty for a path outside. */
  #name(path: Buffer | undefined): string {
    const text = path?.toString() ?? ''
    return text.startsWith(this.#directory) ? text.slice(this.#directory.length) : ''
  }
}

/** The last argument: `pwrite64(26</path>, "…", 16, 0) = 16`. */
function offsetOf(text: string): number {
  const offset = /, (\d+) *\) += \d+$/.exec(text)?.[1]
  if (offset === undefined) throw new Error(`no offset in ${text.slice(-40)}`)
  return Number(offset)
}

/**
 * The files of a directory as a trace says they were at some moment, and what of them a power cut would leave.
 *
 * Bytes count as safe once an fsync or fdatasync of their file, begun after they were written, has ended. What was
 * written and not synced is lost, or, with `survives`, partly there: a prefix of the writes, the last one cut short.
 * Names (create, rename, unlink) take effect in order and are never lost, as on a journalled file system.
 */
import type { Call } from './strace.ts'

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

  /** `survives`: which part of the bytes not synced is there after all, from 0 to 1. */
  after(survives: number): Buffer {
    const total = this.#pending.reduce((sum, { bytes }) => sum + bytes.length, 0)
    let left = Math.floor(total * survives)
    let content = this.#safe
    for (const write of this.#pending) {
      content = applied(content, { ...write, bytes: write.bytes.subarray(0, left) })
      left = Math.max(0, left - write.bytes.length)
    }
    return content
  }
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
  afterPowerCut(survives: () => number): Map<string, Buffer> {
    return new Map([...this.#files].map(([name, file]) => [name, file.after(survives())] as const))
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

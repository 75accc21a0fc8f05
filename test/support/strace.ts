/**
 * Runs a child under strace and reads what it did with files and sockets, in the order in which the kernel was asked
 * and answered.
 *
 * Lines of one call that was interrupted by another thread's come in two halves; `from` and `to` are the numbers of the
 * lines at which a call began and had ended, so "b began after a had ended" is `b.from > a.to`.
 */
import { readFile } from 'node:fs/promises'
import { spawnSync } from 'node:child_process'

export interface Call {
  readonly from: number
  readonly to: number
  readonly name: string
  /** The path (or `socket:[…]`) behind the first argument, where that is a file descriptor. */
  readonly path: string
  /** Strings among the arguments, in order, as bytes. */
  readonly strings: readonly Buffer[]
  /** Arguments and result as strace wrote them. */
  readonly text: string
  readonly result: number
}

const CALLS =
  'openat,open,creat,write,writev,pwrite64,pwritev,pwritev2,ftruncate,fallocate,rename,renameat,renameat2,' +
  'unlink,unlinkat,link,linkat,fsync,fdatasync,sendto,sendmsg'

export function hasStrace(): boolean {
  return spawnSync('strace', ['--version']).status === 0
}

/** What to run a child under. The tracer stands aside (`-D`): the child's pid is the program's own. */
export function straced(file: string): [string, ...string[]] {
  const whole = String(64 * 1024 * 1024)
  return [
    'strace',
    '-D',
    '-f',
    '--seccomp-bpf',
    '-y',
    '-s',
    whole,
    '-e',
    'signal=none',
    '-e',
    `trace=${CALLS}`,
    '-o',
    file,
  ]
}

/** The calls that succeeded, in the order in which they ended. */
export async function readTrace(file: string): Promise<Call[]> {
  const lines = (await readFile(file, 'latin1')).split('\n')
  const begun = new Map<string, { from: number; text: string }>()
  const calls: Call[] = []
  for (const [number, line] of lines.entries()) {
    const [, thread, rest] = /^(\d+) +(.*)$/s.exec(line) ?? []
    if (thread === undefined || rest === undefined) continue
    if (rest.endsWith('<unfinished ...>')) {
      begun.set(thread, { from: number, text: rest.slice(0, -'<unfinished ...>'.length) })
      continue
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/s.exec(rest)
    const before = resumed === null ? undefined : begun.get(thread)
    begun.delete(thread)
    if (resumed !== null && before === undefined) continue
    const text = before === undefined ? rest : before.text + String(resumed?.[1])
    const call = parsed(text, before?.from ?? number, number)
    if (call !== undefined) calls.push(call)
  }
  return calls
}

function parsed(text: string, from: number, to: number): Call | undefined {
  const name = /^(\w+)\(/.exec(text)?.[1]
  // The result stands behind the last bracket; `= 23</path>` for a call that opens.
  const result = /\) += (-?\d+)[^"]*$/.exec(text)?.[1]
  if (name === undefined || result === undefined || Number(result) < 0) return undefined
  const path = /^\w+\(\d+<([^>]*)>/.exec(text)?.[1] ?? ''
  return { from, to, name, path, strings: stringsOf(text), text, result: Number(result) }
}

function stringsOf(text: string): Buffer[] {
  return [...text.matchAll(/"((?:[^"\\]|\\.)*)"/gs)].map(([, quoted]) => unescaped(quoted as string))
}

const ESCAPES: Readonly<Record<string, number>> = {
  n: 10,
  t: 9,
  r: 13,
  v: 11,
  f: 12,
}

/** strace writes C escapes: `\n`, `\"`, and one to three octal digits. */
function unescaped(quoted: string): Buffer {
  if (!quoted.includes('\\')) return Buffer.from(quoted, 'latin1')
  const bytes = Buffer.alloc(quoted.length)
  let end = 0
  for (let at = 0; at < quoted.length; at++) {
    const char = quoted[at] as string
    if (char !== '\\') {
      bytes[end++] = char.charCodeAt(0)
      continue
    }
    const octal = /^[0-7]{1,3}/.exec(quoted.slice(at + 1, at + 4))?.[0]
    if (octal !== undefined) {
      bytes[end++] = Number.parseInt(octal, 8)
      at += octal.length
      continue
    }
    const escaped = quoted[++at] as string
    bytes[end++] = ESCAPES[escaped] ?? escaped.charCodeAt(0)
  }
  return bytes.subarray(0, end)
}

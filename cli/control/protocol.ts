/**
 * What goes over the control socket: one JSON object per line. The client sends one request, the server answers with
 * one reply and ends the connection.
 */

export type ControlRequest =
  | { readonly command: 'ping' }
  /** A consistent copy into `directory`, an absolute path that is empty or absent. */
  | { readonly command: 'backup'; readonly directory: string }

export type ControlReply =
  | { readonly ok: true; readonly result: Readonly<Record<string, unknown>> }
  | { readonly ok: false; readonly code: string; readonly message: string }

/** Of one line. */
export const MAX_LINE_BYTES = 65_536

/** Throws an `Error` that says what is wrong. */
export function parseRequest(line: string): ControlRequest {
  const { command, directory } = parseObject(line)
  if (command === 'ping') return { command }
  if (command !== 'backup') throw new Error(`there is no command ${JSON.stringify(command)}`)
  if (typeof directory !== 'string') throw new Error('backup needs a directory')
  return { command, directory }
}

/** Throws an `Error` that says what is wrong. */
export function parseReply(line: string): ControlReply {
  const { ok, result, code, message } = parseObject(line)
  if (ok === true) return { ok, result: (result ?? {}) as Record<string, unknown> }
  return { ok: false, code: String(code), message: String(message) }
}

function parseObject(line: string): Record<string, unknown> {
  const value: unknown = JSON.parse(line)
  if (typeof value !== 'object' || value === null) throw new Error('not an object')
  return value as Record<string, unknown>
}

/** Collects the first line of what comes; throws once it gets too long. */
export class LineCollector {
  #text = ''

  /** The line, once it is whole. */
  add(chunk: string): string | undefined {
    this.#text += chunk
    const end = this.#text.indexOf('\n')
    if (end >= 0) return this.#text.slice(0, end)
    if (this.#text.length > MAX_LINE_BYTES) throw new Error(`a line of more than ${MAX_LINE_BYTES} bytes`)
    return undefined
  }
}

/** Answers to what did not become a request: broken, too large or too slow before the first handler. */
import type { Socket } from 'node:net'
import { ApiError, type ApiErrorCode, problemOf } from './errors.ts'
import type { ApiLimits } from './limits.ts'
import { PROBLEM_TYPE } from './problems.ts'

interface ClientError extends Error {
  readonly code?: string | undefined
  /** The bytes that were being parsed. */
  readonly rawPacket?: unknown
}

/** Writes the answer by hand and closes. @returns its status, or nothing when nobody is there to read it */
export function answerClientError(error: ClientError, socket: Socket, limits: ApiLimits): number | undefined {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return undefined
  }
  const problem = problemOf(new ApiError(...codeOf(error, limits)))
  const body = JSON.stringify(problem)
  const head = [
    `HTTP/1.1 ${problem.status} ${problem.title}`,
    `content-type: ${PROBLEM_TYPE}`,
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
  return problem.status
}

function codeOf({ code, rawPacket }: ClientError, limits: ApiLimits): [ApiErrorCode, string] {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return ['REQUEST_TIMEOUT', 'Headers or body did not come in time.']
    case 'HPE_HEADER_OVERFLOW':
      return isInUrl(rawPacket, limits.urlChars)
        ? ['URL_TOO_LONG', `A URL has at most ${limits.urlChars} characters.`]
        : ['HEADERS_TOO_LARGE', `The headers have at most ${limits.headerBytes} bytes.`]
    default:
      return ['INVALID_REQUEST', 'The request is not HTTP/1.1.']
  }
}

/** The first line is too long already. */
function isInUrl(packet: unknown, urlChars: number): boolean {
  if (!Buffer.isBuffer(packet) || !/^[A-Z]{1,16} /.test(packet.toString('latin1', 0, 17))) return false
  const end = packet.indexOf('\r\n')
  return end < 0 || end > urlChars
}

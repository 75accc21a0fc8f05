/** pino on stderr: JSON lines, or text for people. */
import { pino, type DestinationStream, type Level, type Logger } from 'pino'

export interface LoggerOptions {
  readonly level: Level | 'silent'
  readonly format: 'json' | 'text'
  /** Takes whole lines; stderr unless told. */
  readonly write?: (line: string) => void
}

/** Fields that never show, wherever they come; a last resort, as nothing secret should get here at all. */
const SECRET_FIELDS = [
  'authorization',
  'cookie',
  'password',
  'secret',
  'token',
  'adminToken',
  'readToken',
  'serviceToken',
]
const DEPTHS = ['', '*.', '*.*.']

export function createLogger({ level, format, write = toStderr }: LoggerOptions): Logger {
  const stream: DestinationStream = { write: format === 'json' ? write : (line) => write(asText(line)) }
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: describeError },
      redact: {
        paths: DEPTHS.flatMap((depth) => SECRET_FIELDS.map((field) => depth + field)),
        censor: '[redacted]',
      },
    },
    stream,
  )
}

/** Writes at once, so that the last line before an end is not lost. */
function toStderr(line: string): void {
  process.stderr.write(line)
}

/** Code, message and causes; a stack only where no code tells what it is. */
function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  const code = 'code' in error ? { code: error.code } : { stack: error.stack }
  const cause = error.cause === undefined ? {} : { cause: describeError(error.cause) }
  return { message: error.message, ...code, ...cause }
}

/** `12:00:00.000 INFO  message key=value`. */
function asText(line: string): string {
  const { level, time, msg, ...fields } = JSON.parse(line) as Record<string, unknown>
  const pairs = Object.entries(fields).map(([name, value]) => {
    return `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`
  })
  const clock = String(time).slice('2020-01-01T'.length, -1)
  return `${[clock, String(level).toUpperCase().padEnd(5), String(msg ?? ''), ...pairs].join(' ')}\n`
}

/**
 * Answers about data that belongs to one task of one process, in every process.
 *
 * Invariants:
 * 1. A request is passed on before anything was done for it here: `here` sees to it.
 * 2. An answer of the owner, also a refusal, is the answer. A copy is for when there is none.
 */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { isStreamsError, TaskNotHere } from '../streams/index.ts'
import type { ApiContext } from './context.ts'
import { ApiError, type ApiErrorCode } from './errors.ts'
import { ANSWER_HEADERS, type PeerAnswer } from './peer-proof.ts'

/** Says that an answer is from a copy. */
const SOURCE_HEADER = 'millrace-source'

/** What `fromOwner` may answer with. */
export interface Sources<T> {
  /** The answer of this process. Throws `TASK_NOT_HERE` only as long as nothing was done for the request. */
  readonly here: () => T | Promise<T>
  /** The answer from a copy, for when the owner cannot be asked; nothing where there is none. */
  readonly copy?: () => T | undefined
}

/**
 * Answers from this process's own stores; else with what the process answers that has the task; else from a copy.
 * @returns nothing where the answer of another process was sent
 * @throws ApiError, and `TASK_NOT_HERE` where nobody is known to have the task
 */
export async function fromOwner<T>(
  context: ApiContext,
  request: FastifyRequest,
  reply: FastifyReply,
  { here, copy }: Sources<T>,
): Promise<T | undefined> {
  try {
    return await here()
  } catch (error) {
    if (!isStreamsError(error, 'TASK_NOT_HERE')) throw error
    const address = error instanceof TaskNotHere ? error.address : undefined
    const { peers, pipeline } = context
    const copied = pipeline.copies === undefined ? undefined : copy
    const asked =
      address === undefined || !peers.mayPass(request)
        ? error
        : await peers.ask(request, address, patience(context, request, copied)).catch(toError)
    const answered = asked instanceof Error ? !mayBeCopied(asked) : asked.status < 500
    const fallback = answered ? undefined : copied?.()
    if (fallback !== undefined) return fallback
    if (asked instanceof Error) throw asked
    return pass(reply, asked)
  }
}

/** Marks an answer as one from a copy. */
export function fromCopy(reply: FastifyReply): void {
  reply.header(SOURCE_HEADER, 'copy')
}

/** Whoever can be answered from a copy does not wait for an owner that hangs. */
function patience({ limits }: ApiContext, { work }: FastifyRequest, copy: unknown): number {
  return copy === undefined ? limits.peerAnswerMs + (work?.waitMs ?? 0) : limits.peerCopyAfterMs
}

/** The owner could not be asked, or there was no room to wait for it. */
const UNASKED: ReadonlySet<ApiErrorCode> = new Set([
  'PEER_NOT_ALLOWED',
  'PEER_UNREACHABLE',
  'PEER_TIMEOUT',
  'PEER_ANSWER_INVALID',
  'OVERLOADED',
])

function mayBeCopied(error: Error): boolean {
  return isStreamsError(error, 'TASK_NOT_HERE') || (error instanceof ApiError && UNASKED.has(error.code))
}

function pass(reply: FastifyReply, { status, headers, body }: PeerAnswer): undefined {
  for (const name of ANSWER_HEADERS) {
    const value = headers[name]
    if (value !== undefined) reply.header(name, value)
  }
  void reply.code(status).send(body.length === 0 ? undefined : body)
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}

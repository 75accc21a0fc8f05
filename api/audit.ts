/**
 * What operators do, on record before it takes effect (I26): every route that changes something on an operator's word
 * appends what it is about to do, and goes on once the log has it. A record without its effect is possible, a crash in
 * between leaves one; an effect without its record is not.
 */
import type { FastifyRequest } from 'fastify'
import type { ApiContext } from './context.ts'
import { appendOne, recordOf } from './log-writer.ts'

/** No personal data in any of it (I25). */
export interface OperatorAction {
  /** What is done, for example `coupon.pause`. */
  readonly action: string
  /** To what, for example a couponId. */
  readonly target: string
  /** The target as it is. */
  readonly before?: object | undefined
  /** The target as it is to be, or the action's arguments. */
  readonly after?: object | undefined
}

/** Resolves once the action is on record. Rejects as an append does: then nothing may be done. */
export async function audit(
  context: ApiContext,
  request: FastifyRequest,
  { action, target, before, after }: OperatorAction,
): Promise<void> {
  const record = recordOf(context, request, context.topics.opsAudit, {
    actor: request.principal.name,
    action,
    target,
    before: before === undefined ? null : JSON.stringify(before),
    after: after === undefined ? null : JSON.stringify(after),
    at: context.now(),
  })
  await appendOne(context, record)
}

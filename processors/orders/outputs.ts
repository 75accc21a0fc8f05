/** What the orchestrator sends: commands to the services, and facts about orders. */
import type { Topic, Topics } from '../../schemas/index.ts'

/** Names in the catalogue of topics. */
export const orderOutputs = [
  'stockReserveRequested',
  'stockRestoreRequested',
  'stockCommitRequested',
  'pointDeductRequested',
  'pointRestoreRequested',
  'couponUseRequested',
  'couponRestoreRequested',
  'paymentRequested',
  'paymentRefundRequested',
  'deliveryRequested',
  'deliveryCancelRequested',
  'orderStatus',
  'orderConfirmed',
  'orderCompleted',
  'orderFailed',
  'orderCancelled',
  'orderReturned',
  'opsIncident',
] as const
export type OrderOutputName = (typeof orderOutputs)[number]

type ValueOf<N extends OrderOutputName> = Topics[N] extends Topic<infer V> ? V : never
export type OrderOutputValues = { readonly [N in OrderOutputName]: ValueOf<N> }

export type OrderOutput = {
  [N in OrderOutputName]: { readonly topic: N; readonly value: ValueOf<N> }
}[OrderOutputName]

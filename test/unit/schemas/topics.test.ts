import { describe, expect, it } from 'vitest'
import {
  boardKey,
  createTopics,
  embeddedSchemas,
  fixedSource,
  recordedDefinition,
  recordedSchemas,
  topics,
  type PartitionBoard,
  type Topic,
} from '../../../schemas/index.ts'

const all = Object.values(topics) as Topic<unknown>[]

describe('schema ids', () => {
  it('are for ever', () => {
    const ids = recordedSchemas.flatMap(({ id, name, version }) =>
      id === null ? [] : [`${id} ${name} v${version}`],
    )
    // Only ever add lines at the end: logs hold these numbers.
    expect(ids).toEqual([
      '1 millrace.cart.CartChanged v1',
      '2 millrace.coupon.Campaign v1',
      '3 millrace.coupon.CouponIssueRejected v1',
      '4 millrace.coupon.CouponIssueRequested v1',
      '5 millrace.coupon.CouponIssued v1',
      '6 millrace.coupon.QuotaState v1',
      '7 millrace.order.OrderCancelled v1',
      '8 millrace.order.OrderConfirmed v1',
      '9 millrace.order.OrderReturned v1',
      '10 millrace.product.ProductCatalog v1',
      '11 millrace.ranking.RankingPartitionUpdate v1',
      '12 millrace.ranking.RankingSalesDelta v1',
      '13 millrace.ranking.RankingSnapshot v1',
      '14 millrace.user.UserProfile v1',
      '15 millrace.coupon.CouponIssueRejected v2',
      '16 millrace.coupon.CouponIssued v2',
      '17 millrace.ops.Incident v1',
      '18 millrace.ops.OpsAudit v1',
      '19 millrace.ops.Redrive v1',
      '20 millrace.coupon.CouponRestore v1',
      '21 millrace.coupon.CouponRevoke v1',
      '22 millrace.coupon.CouponUseResult v1',
      '23 millrace.coupon.CouponUse v1',
      '24 millrace.coupon.CouponUsed v1',
      '25 millrace.delivery.DeliveryCancelResult v1',
      '26 millrace.delivery.DeliveryCancel v1',
      '27 millrace.delivery.DeliveryRequested v1',
      '28 millrace.delivery.DeliveryResult v1',
      '29 millrace.mail.MailRequested v1',
      '30 millrace.mail.MailSent v1',
      '31 millrace.order.OrderCancel v1',
      '32 millrace.order.OrderCompleted v1',
      '33 millrace.order.OrderCreated v1',
      '34 millrace.order.OrderFailed v1',
      '35 millrace.order.OrderRepair v1',
      '36 millrace.order.OrderReturn v1',
      '37 millrace.order.OrderStatus v1',
      '38 millrace.order.RestoreResult v1',
      '39 millrace.payment.PaymentRefundResult v1',
      '40 millrace.payment.PaymentRefund v1',
      '41 millrace.payment.PaymentRequested v1',
      '42 millrace.payment.PaymentResult v1',
      '43 millrace.point.PointAdjust v1',
      '44 millrace.point.PointDeductResult v1',
      '45 millrace.point.PointDeduct v1',
      '46 millrace.point.PointEarned v1',
      '47 millrace.point.PointRestore v1',
      '48 millrace.stock.StockAdjust v1',
      '49 millrace.stock.StockCommit v1',
      '50 millrace.stock.StockReserveResult v1',
      '51 millrace.stock.StockReserve v1',
      '52 millrace.stock.StockRestore v1',
      '53 millrace.coupon.CouponIssued v3',
      '58 millrace.privacy.PrivacyKey v1',
      '59 millrace.ops.ConnectorSwitch v1',
      '60 millrace.mail.MailRequested v2',
      '61 millrace.mail.MailSent v2',
      '62 millrace.mail.MailSuppressed v1',
      '70 millrace.dataplatform.OrderLine v1',
      '74 millrace.delivery.DeliveryCallResult v1',
      '75 millrace.delivery.DeliveryCall v1',
      '76 millrace.payment.PaymentCallResult v1',
      '77 millrace.payment.PaymentCall v1',
      '90 millrace.point.PointBooked v1',
      '91 millrace.mail.MailRequested v3',
    ])
  })

  it('lead to their schema and back', () => {
    for (const { id, name, definition } of recordedSchemas) {
      if (id === null) continue
      expect(embeddedSchemas.byId(id)).toBe(definition)
      expect(embeddedSchemas.idOf(name)).toBeGreaterThanOrEqual(id)
    }
    for (const { name, version, definition } of recordedSchemas) {
      expect(recordedDefinition(name, version)).toBe(definition)
    }
    expect(embeddedSchemas.byId(0)).toBeNull()
    expect(embeddedSchemas.idOf('millrace.state.ClaimState')).toBeUndefined()
  })
})

describe('the catalogue', () => {
  it('names each topic once, in the form that topics have', () => {
    const names = all.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
    for (const name of names) expect(name).toMatch(/^[a-z]+(\.[a-z]+)+$/)
  })

  it('lets the log stamp commands and nothing else', () => {
    for (const { name, timestamps } of all) {
      expect(timestamps).toBe(name.endsWith('.requested') ? 'LogAppendTime' : 'CreateTime')
    }
  })

  it('compacts what is state and nothing else', () => {
    const compacted = all.filter(({ cleanup }) => cleanup === 'compact').map(({ name }) => name)
    expect(compacted).toEqual([
      'coupon.campaign',
      'coupon.quota',
      'order.status',
      'mail.suppressed',
      'ranking.snapshot',
      'product.catalog',
      'user.profile',
      'privacy.key',
      'ops.incident',
      'ops.connector',
      'ops.redrive',
    ])
  })

  it('writes records that are registered', () => {
    for (const { schema, record } of all) {
      expect(embeddedSchemas.idOf(schema.name)).toBeDefined()
      expect(schema.name.endsWith(`.${record}`)).toBe(true)
    }
  })

  it('takes its ids from the source that it is made with', () => {
    const { schema } = topics.cartChanged
    const elsewhere = createTopics(
      fixedSource([{ id: 4711, name: schema.name, definition: schema.definition }]),
    )
    const bytes = elsewhere.cartChanged.value.serialize({ userId: 'u', items: [] })
    expect(bytes.readInt32BE(1)).toBe(4711)
  })
})

describe('a key', () => {
  const board: PartitionBoard = {
    window: 'rolling-24h',
    metric: 'amount',
    category: 'toys',
    start: 3_600_000,
    end: 7_200_000,
    entries: [],
    applied: 0,
    lateCount: 0,
    correctedCount: 0,
    closed: false,
  }

  it('of a quota names the shard', () => {
    const quota = {
      couponId: 'c-1',
      shard: 3,
      quota: 1,
      issued: 0,
      exhausted: false,
      exhaustedAt: null,
      revision: 1,
    }
    expect(topics.couponQuota.keyOf(quota)).toBe('c-1#3')
  })

  it('of a board has no category for all products', () => {
    expect(boardKey(board)).toBe('rolling-24h|amount|toys')
    expect(boardKey({ ...board, category: null })).toBe('rolling-24h|amount|')
  })

  it('of a snapshot adds the start of the window', () => {
    const snapshot = {
      ...board,
      timeZone: 'UTC',
      depth: 1,
      entries: [],
      watermark: 0,
      revision: 0,
      final: false,
      corrected: false,
    }
    expect(topics.rankingSnapshot.keyOf(snapshot)).toBe('rolling-24h|amount|toys|3600000')
  })

  it('of a partition update is its board, or its partition', () => {
    const update = { partition: 2, window: 'rolling-24h', metric: 'amount', streamTime: 0, closedThrough: 0 }
    expect(topics.rankingPartitionUpdate.keyOf({ ...update, board })).toBe('rolling-24h|amount|toys')
    expect(topics.rankingPartitionUpdate.keyOf({ ...update, board: null })).toBe('progress|2')
  })
})

/** The rows that the sentinel's rules keep, as maps. */
import type { CouponRows, Rows } from '../../processors/index.ts'

export function couponRows(): CouponRows {
  return { answers: rowMap(), coupons: rowMap(), users: rowMap(), requests: rowMap() }
}

export function rowMap<K, V>(): Rows<K, V> {
  const rows = new Map<string, V>()
  return {
    get: (key) => rows.get(JSON.stringify(key)),
    put: (key, value) => void rows.set(JSON.stringify(key), value),
  }
}

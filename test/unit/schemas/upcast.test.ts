import { describe, expect, test } from 'vitest'
import {
  recordedDefinition,
  requestStateSchema,
  SchemaError,
  stateSerde,
  upcastOf,
} from '../../../schemas/index.ts'
import type { RecordSchema } from '../../../schemas/record-schema.ts'
import { rejection } from '../coupons/given.ts'

describe('a stored value of an earlier version', () => {
  const upcast = upcastOf(requestStateSchema)

  test('is read as one of today, with what it did not say yet', () => {
    const { campaignRevision: _, ...before } = rejection({ reason: 'PAUSED' })
    const definition = recordedDefinition(requestStateSchema.name, 1)!
    const first: RecordSchema<typeof before> = { name: requestStateSchema.name, version: 1, definition }
    const bytes = stateSerde(first).serialize(before)
    for (let i = 0; i < 2; i++) expect(upcast(1, bytes)).toEqual({ ...before, campaignRevision: 0 })
  })

  test('of a version that was never recorded is refused', () => {
    expect(() => upcast(99, Buffer.alloc(0))).toThrow(SchemaError)
  })
})

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { deserializationErrors, schemaErrors, serializationErrors, topics } from '../../../schemas/index.ts'

const docs = readFileSync(join(import.meta.dirname, '../../../docs/schemas.md'), 'utf8')

it.each(Object.keys({ ...schemaErrors, ...deserializationErrors, ...serializationErrors }))(
  'the docs explain the error %s',
  (code) => {
    expect(docs).toContain(`\`${code}\``)
  },
)

it.each(Object.values(topics).map(({ name }) => name))('the docs list the topic %s', (name) => {
  expect(docs).toContain(`\`${name}\``)
})
